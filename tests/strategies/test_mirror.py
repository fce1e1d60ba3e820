"""Mirror: A makes, B takes the opposite of every fill, and A makes nothing new until B is level."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.core.commands import CancelOrder, Mode, SubmitOrder
from hedgerow.core.events import OrderRejected, RejectClass
from hedgerow.core.target import NetTarget, Taking
from hedgerow.model.order import Role, Side
from hedgerow.strategies import make
from hedgerow.strategies.params import BadParams
from tests.core import books as core_books
from tests.strategies.books import NOW_NS, Desk, S, instrument, resting, told


def desk(**params: str) -> Desk:
    return Desk("mirror", (instrument("a"), instrument("b")), ("a", "b"), {"qty": "0.5", "max_net_qty": "2"} | params)


@pytest.mark.parametrize(
    ("held", "hedged_by"),
    [("1", "-1"), ("-1", "1"), ("0", "0"), ("0.3", "-0.3")],
)
def test_the_hedge_is_always_on_the_opposite_side(held: str, hedged_by: str) -> None:
    """M1: A buys, B sells; A sells (opening or closing), B buys."""
    a = desk()
    a.hold_position(a.lead, held)

    assert a.target().nets == (NetTarget(a.hedge, Decimal(hedged_by), Taking(Decimal(50)), Role.HEDGE),)


@pytest.mark.parametrize(
    ("entry_side", "depth", "price"),
    [("buy", "1", "100"), ("buy", "3", "99.8"), ("sell", "1", "100.2"), ("sell", "2", "100.3")],
)
def test_the_lead_makes_at_its_depth(entry_side: str, depth: str, price: str) -> None:
    """M1: depth N of the bids when buying, of the asks when selling; it never takes."""
    a = desk(entry_side=entry_side, depth=depth)

    entry = resting(a.target(), "entry")

    assert entry is not None
    assert (entry.side, entry.limit_price, entry.qty) == (Side(entry_side), Decimal(price), Decimal("0.5"))
    assert entry.post_only and entry.role is Role.ENTRY


def test_a_price_is_kept_until_the_timeout() -> None:
    """A book at rest sends nothing: the order follows the market only when it is old."""
    a = desk(order_timeout_s="30")
    a.stand(a.lead, "entry", Side.BUY, "0.5", "100")
    a.quote(a.lead, ("101",), ("101.2",))

    target = a.target()
    kept = resting(target, "entry")
    assert kept is not None and kept.limit_price == Decimal(100)
    assert target.wake_ts_ns is not None and target.wake_ts_ns <= NOW_NS + 30 * S

    a.wait("30")
    moved = resting(a.target(), "entry")
    assert moved is not None and moved.limit_price == Decimal(101)


def test_an_old_order_at_the_right_price_stays() -> None:
    """Age alone is no reason to lose the place in the queue."""
    a = desk(order_timeout_s="30")
    a.stand(a.lead, "entry", Side.BUY, "0.5", "100")
    a.wait("300")

    entry = resting(a.target(), "entry")

    assert entry is not None and entry.limit_price == Decimal(100)


def test_nothing_new_is_made_while_the_hedge_is_behind() -> None:
    """M7: the gate says what it waits for; it opens with the last fill of the hedge."""
    a = desk()
    a.hold_position(a.lead, "0.5")

    target = a.target()
    assert target.resting == ()
    assert told(target) == {"a/entry": "gated", "a/exit": "gated"}
    assert target.holds[0].numbers == (("residual", "0.5"),)

    a.hold_position(a.hedge, "-0.5")
    assert told(a.target()) == {}
    assert resting(a.target(), "entry") is not None


def test_a_resting_order_may_stay_while_gated_and_keeps_its_price() -> None:
    """M2: three fills of one order are three increments; canceling it after the first gains nothing."""
    a = desk(order_timeout_s="1")
    a.stand(a.lead, "entry", Side.BUY, "0.5", "100", filled="0.2")
    a.hold_position(a.lead, "0.2")
    a.wait("10")
    a.quote(a.lead, ("101",), ("101.2",))

    entry = resting(a.target(), "entry")

    assert entry is not None
    assert entry.limit_price == Decimal(100) and entry.qty >= Decimal("0.3")


def test_a_hedge_order_that_still_works_keeps_the_gate_closed() -> None:
    """M6: an unknown order may yet fill and take B off level."""
    a = desk()
    a.stand(a.hedge, "", Side.SELL, "0.5", "100")

    assert told(a.target()) == {"a/entry": "gated"}


def test_a_dusty_residual_does_not_close_the_gate() -> None:
    """C3: less than the venue's smallest order is carried to the next increment."""
    a = desk()
    a.hold_position(a.lead, "0.0004")

    assert resting(a.target(), "entry") is not None


def test_a_silence_as_short_as_a_heartbeat_is_refused() -> None:
    """Signs of life come once a second: every order would be withdrawn and submitted in turns."""
    with pytest.raises(BadParams, match=r"silence_s: 1.5 is out of range"):
        desk(silence_s="1.5")


@pytest.mark.parametrize("silent_by", ["stream", "link"])
def test_a_silent_hedge_withdraws_everything_that_rests(silent_by: str) -> None:
    """M8: the gate fails closed; an entry or an exit would leave B something to hedge."""
    a = desk(silence_s="15")
    a.hold_position(a.lead, "0.5")
    a.hold_position(a.hedge, "-0.5")
    a.stand(a.lead, "entry", Side.BUY, "0.5", "100")
    a.stand(a.lead, "exit", Side.SELL, "0.5", "100.2")
    assert len(a.target().resting) == 2
    if silent_by == "stream":
        a.book.now_ns += 15 * S
    else:
        a.book.state.links_down[a.hedge] = "closed"

    target = a.target()

    reason = "hedge_silent" if silent_by == "stream" else "link_down"
    assert target.resting == ()
    assert told(target) == {"a/entry": reason, "a/exit": reason}
    assert len(target.nets) == 1


def test_silence_is_noticed_by_the_clock() -> None:
    """Nothing happens in a silence, so the policy asks to be woken."""
    a = desk(silence_s="15", order_timeout_s="100")

    assert a.target().wake_ts_ns == NOW_NS + 15 * S


def test_entries_stop_at_the_largest_position() -> None:
    """The last entry is cut to what is free, and then none is made."""
    a = desk(max_net_qty="0.7")
    a.hold_position(a.lead, "0.4")
    a.hold_position(a.hedge, "-0.4")
    entry = resting(a.target(), "entry")
    assert entry is not None and entry.qty == Decimal("0.3")

    a.hold_position(a.lead, "0.7")
    a.hold_position(a.hedge, "-0.7")
    assert resting(a.target(), "entry") is None


@pytest.mark.parametrize(
    ("entry_side", "held", "side", "price"), [("buy", "0.3", Side.SELL, "100.2"), ("sell", "-0.3", Side.BUY, "100")]
)
def test_what_is_held_is_offered_back(entry_side: str, held: str, side: Side, price: str) -> None:
    """M12: the exit is for what was filled, reduce-only, on the other side of the book."""
    a = desk(entry_side=entry_side)
    a.hold_position(a.lead, held)
    a.hold_position(a.hedge, str(-Decimal(held)))

    exit_ = resting(a.target(), "exit")

    assert exit_ is not None
    assert (exit_.side, exit_.qty, exit_.limit_price) == (side, Decimal("0.3"), Decimal(price))
    assert exit_.reduce_only and exit_.post_only and exit_.role is Role.EXIT


def test_an_exit_is_never_larger_than_what_is_held() -> None:
    """A standing exit above what is held is replaced by a smaller one."""
    a = desk()
    a.hold_position(a.lead, "0.2")
    a.hold_position(a.hedge, "-0.2")
    a.stand(a.lead, "exit", Side.SELL, "0.5", "100.2")

    exit_ = resting(a.target(), "exit")

    assert exit_ is not None and exit_.qty == Decimal("0.2")


def test_a_standing_exit_is_kept_while_the_position_grows() -> None:
    """No churn: more to sell waits for its own turn."""
    a = desk()
    a.hold_position(a.lead, "1.5")
    a.hold_position(a.hedge, "-1.5")
    a.stand(a.lead, "exit", Side.SELL, "0.5", "100.2", filled="0.1")

    exit_ = resting(a.target(), "exit")

    assert exit_ is not None and exit_.qty >= Decimal("0.4") and exit_.limit_price == Decimal("100.2")


def test_a_remainder_too_small_to_sell_goes_with_the_exit() -> None:
    """G12: dust that no order could sell later is sold now."""
    a = desk()
    a.hold_position(a.lead, "0.5004")
    a.hold_position(a.hedge, "-0.5")

    exit_ = resting(a.target(), "exit")

    assert exit_ is not None and exit_.qty == Decimal("0.5004")


def test_an_exit_waits_for_its_time() -> None:
    """`exit_after_s` counts from the last fill; the policy asks to be woken for it."""
    a = desk(exit_after_s="5")
    a.hold_position(a.lead, "0.5")
    a.hold_position(a.hedge, "-0.5")
    assert resting(a.target(), "exit") is None
    assert a.target().wake_ts_ns == NOW_NS + 5 * S

    a.wait("5")
    assert resting(a.target(), "exit") is not None


def test_a_position_may_be_kept() -> None:
    """With `exit: keep` the book only builds up."""
    a = desk(exit="keep")
    a.hold_position(a.lead, "0.5")
    a.hold_position(a.hedge, "-0.5")

    assert resting(a.target(), "exit") is None


def test_a_residual_that_lasts_closes_everything() -> None:
    """M7: after `force_close_s` both sides are flattened."""
    a = desk(force_close_s="60")
    a.hold_position(a.lead, "0.5")
    a.wait("59")
    target = a.target()
    assert target.flatten_reason == ""
    assert target.wake_ts_ns == NOW_NS + 60 * S

    a.wait("1")
    assert a.target().flatten_reason == "residual 0.5 lasted 60 s"


def test_a_residual_that_has_just_gone_closes_nothing() -> None:
    """The fill that ends a long residual must not be answered by a flatten."""
    a = desk(force_close_s="60")
    a.hold_position(a.lead, "0.5")
    since_ns = a.book.state.exposed_since_ns
    a.wait("100")
    a.hold_position(a.hedge, "-0.5")
    a.book.state.residual_since_ns = a.book.state.exposed_since_ns = since_ns

    assert a.target().flatten_reason == ""


def test_a_book_with_too_few_levels_is_not_quoted() -> None:
    """And the order that rests there stays."""
    a = desk(depth="3")
    a.quote(a.lead, ("100", "99.9"), ("100.2",))
    assert told(a.target()) == {"a/entry": "book_too_thin"}

    a.stand(a.lead, "entry", Side.BUY, "0.5", "99.8")
    entry = resting(a.target(), "entry")
    assert entry is not None and entry.limit_price == Decimal("99.8")


@pytest.mark.parametrize("blind", ["a", "b"])
def test_without_a_price_nothing_is_made(blind: str) -> None:
    """C4: neither a lead without a book nor a hedge that nobody can price."""
    a = desk()
    a.unquote(a.lead if blind == "a" else a.hedge)

    target = a.target()

    assert target.resting == ()
    assert told(target) == {"a/entry": "no_mark_price"}
    assert len(target.nets) == 1


def test_an_entry_makes_room_for_an_exit_that_it_would_trade_with() -> None:
    """E06: own orders never meet; the exit shrinks what is held, so the entry yields."""
    a = desk()
    a.hold_position(a.lead, "0.5")
    a.hold_position(a.hedge, "-0.5")
    order = a.stand(a.lead, "entry", Side.BUY, "0.5", "100")
    a.quote(a.lead, ("99.7",), ("99.9",))

    target = a.target()
    assert target.resting == ()
    assert told(target) == {"a/exit": "replacing"}

    a.gone(order)
    target = a.target()
    assert resting(target, "exit") is not None and resting(target, "entry") is not None


def test_asking_again_changes_nothing() -> None:
    """A policy keeps no state: the same book gives the same target."""
    a = desk()
    a.hold_position(a.lead, "0.5")
    a.stand(a.lead, "entry", Side.BUY, "0.5", "100")

    assert a.target() == a.target()


def through_the_core(**params: str) -> core_books.Desk:
    """Return a mirror book that is driven by events."""
    config = replace(core_books.config(), policy="mirror", params={"qty": "0.5", "max_net_qty": "2"} | params)
    return core_books.Desk(make(config), config)  # type: ignore[arg-type]


def test_through_the_core_each_increment_is_hedged_once() -> None:
    """M2: a limit that fills in three trades, and quotes between them that change nothing."""
    a = through_the_core(exit="keep", max_net_qty="0.5")
    entry = a.standing()
    hedged = Decimal(0)
    for qty in ("0.2", "0.2", "0.1"):
        (order,) = core_books.submits(a.fills(entry, qty))
        assert (order.leg_id, order.side) == (core_books.HEDGE, Side.SELL)
        hedged += order.qty
        a.quote_all()
        assert core_books.submits(a.fills(order, str(order.qty))) == []
        entry = a.order(entry.id)

    assert hedged == Decimal("0.5")
    assert a.book.residual == 0
    assert a.book.state.holds == {}


def test_through_the_core_a_moving_market_does_not_churn() -> None:
    """G18: between two timeouts not one request leaves."""
    a = through_the_core(order_timeout_s="30")
    a.accept(a.standing())
    before = len(a.log)
    for tick in range(10):
        a.wait(S)
        a.quote_all(f"{100 + tick}", f"{100 + tick}.1")

    assert [c for c in a.log[before:] if isinstance(c, SubmitOrder | CancelOrder)] == []


def test_through_the_core_a_residual_that_lasts_is_flattened() -> None:
    """M7: B refuses for ever; A is gated, then closed, and the book says that it flattens."""
    a = through_the_core(force_close_s="20")
    commands = list(a.fills(a.standing(), "0.5"))
    for _ in range(30):
        for order in core_books.submits(commands):
            if order.leg_id == core_books.HEDGE:
                a.tell(OrderRejected(a.now_ns, order.order_id, RejectClass.INSUFFICIENT_MARGIN, "-2019", "no margin"))
        a.quote_all()
        if a.book.mode is Mode.FLATTENING:
            break
        assert not [c for c in core_books.submits(commands) if c.leg_id == core_books.LEAD and c is not commands[0]]
        commands = a.wait(S)

    assert a.book.mode is Mode.FLATTENING
    assert a.book.state.mode_reason == "residual 0.5 lasted 20 s"
    closing = [c for c in a.log if isinstance(c, SubmitOrder) and c.role is Role.EXIT]
    assert [(c.leg_id, c.side, c.qty) for c in closing] == [(core_books.LEAD, Side.SELL, Decimal("0.5"))]
