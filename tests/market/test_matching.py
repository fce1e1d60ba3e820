"""The book of one instrument, without money."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hedgerow.market.matching import UNKNOWN_QTY, BookSide
from hedgerow.model.order import Side
from tests.market.desk import D, levels


class Waiting(msgspec.Struct, eq=False):
    """An order as far as the book needs it."""

    id: str
    price: Decimal
    leaves_qty: Decimal
    owner: str = "a"
    ahead_qty: Decimal = D(0)


def asks(text: str) -> BookSide[Waiting]:
    side: BookSide[Waiting] = BookSide(Side.SELL)
    side.set_all(levels(text))
    return side


def test_levels_are_kept_best_first_on_both_sides() -> None:
    """The best ask is the lowest, the best bid the highest, in whatever order they come."""
    bids: BookSide[Waiting] = BookSide(Side.BUY)
    bids.set_all(levels("1@98 1@99 1@97"))
    assert bids.shown(2) == levels("1@99 1@98")
    assert asks("1@102 1@101 1@103").shown(5) == levels("1@101 1@102 1@103")


def test_a_level_set_to_zero_is_gone() -> None:
    """Zero means nothing is left, for a level that was never there too."""
    side = asks("1@101 1@102")
    side.set_level(D(101), D(0))
    side.set_level(D(105), D(0))
    assert side.shown(5) == levels("1@102")


def test_a_cut_removes_what_is_better_and_keeps_orders() -> None:
    """Accounts' orders are not the market's to remove; nobody stands ahead of them any more."""
    side = asks("1@101 1@102 1@103")
    order = Waiting("x", D(101), D("0.5"))
    side.rest(order)
    side.cut(D(103))
    assert side.shown(5) == levels("0.5@101 1@103")
    assert order.ahead_qty == 0


def test_an_order_joins_behind_what_is_shown_and_before_what_comes() -> None:
    """What is ahead never grows."""
    side = asks("1@101")
    order = Waiting("x", D(101), D("0.5"))
    side.rest(order)
    for qty, ahead in (("3", "1"), ("0.4", "0.4"), ("2", "0.4")):
        side.set_level(D(101), D(qty))
        assert order.ahead_qty == D(ahead)


def test_an_incoming_order_meets_the_queue_in_its_order() -> None:
    """The market's qty ahead, the order, the market's qty behind: each its own match."""
    side = asks("1@101")
    order = Waiting("x", D(101), D("0.5"))
    side.rest(order)
    side.set_level(D(101), D(1))
    later = Waiting("y", D(101), D("0.5"))
    side.rest(later)
    assert side.take(D(5), None) == (D(101), D(1), None)
    assert side.take(D(4), None) == (D(101), D("0.5"), order)
    side.reduce(order, D("0.5"))
    assert side.take(D(4), None) == (D(101), D("0.5"), later)
    side.reduce(later, D("0.5"))
    assert side.take(D(4), None) is None
    assert side.order_count == 0


def test_a_limit_ends_the_walk() -> None:
    """Nothing worse than the limit is touched."""
    side = asks("1@101 1@102")
    key = side.key(D(101))
    assert side.take(D(5), key) == (D(101), D(1), None)
    assert side.take(D(4), key) is None
    assert side.shown(1) == levels("1@102")


def test_what_is_reachable_leaves_out_the_owner() -> None:
    """A fill-or-kill must not count on orders that it would expire, or that would expire it."""
    side = asks("1@101 1@102")
    side.rest(Waiting("x", D(101), D(2), owner="me"))
    side.rest(Waiting("y", D(101), D(3), owner="other"))
    assert side.reachable(D(9), None, "me", stops_at_owner=False) == (D(5), D(506))
    assert side.reachable(D(9), None, "me", stops_at_owner=True) == (D(1), D(101))
    assert side.reachable(D(9), side.key(D(101)), "x", stops_at_owner=True) == (D(6), D(606))


def test_a_removed_order_leaves_no_empty_level() -> None:
    """An empty level would be a best price with nothing at it."""
    side = asks("")
    order = Waiting("x", D(100), D(1))
    side.rest(order)
    side.remove(order)
    assert side.best() is None


def test_behind_the_last_shown_level_the_queue_is_unknown() -> None:
    """A market that shows its best levels only does not say that nobody stands behind them."""
    bids: BookSide[Waiting] = BookSide(Side.BUY)
    bids.is_partial = True
    bids.set_all(levels("1@99"))
    order = Waiting("deep", D(97), D(1))
    bids.rest(order)
    assert order.ahead_qty == UNKNOWN_QTY
    bids.set_all(levels("1@98"))
    assert order.ahead_qty == UNKNOWN_QTY
    bids.set_all(levels("5@97"))
    assert order.ahead_qty == 5
    bids.set_all(levels("2@99"))
    assert order.ahead_qty == 5
    bids.set_all(levels("1@96"))
    assert order.ahead_qty == 0


def test_a_whole_book_says_that_nobody_else_is_there() -> None:
    """Without that, an order at a price that is not shown is the first of its queue, as before."""
    bids: BookSide[Waiting] = BookSide(Side.BUY)
    bids.set_all(levels("1@99"))
    order = Waiting("deep", D(97), D(1))
    bids.rest(order)
    assert order.ahead_qty == 0


def test_an_unknown_queue_gives_nothing_to_an_incoming_order() -> None:
    """What nobody has shown cannot be taken: the order that is known to be there trades."""
    bids: BookSide[Waiting] = BookSide(Side.BUY)
    bids.is_partial = True
    bids.set_all(levels("1@99"))
    order = Waiting("deep", D(97), D(1))
    bids.rest(order)
    assert bids.take(D(3), None) == (D(99), D(1), None)
    assert bids.take(D(2), None) == (D(97), D(1), order)
