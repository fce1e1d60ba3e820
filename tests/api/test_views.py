"""Views: one truth for the node and for its journal at rest."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec

from hedgerow.api import rest, views
from hedgerow.core.events import Action, OperatorCommanded
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.runtime.node import STOPPER
from tests.api.running import filled_desk, write_journal
from tests.core.books import HEDGE, LEAD, S


def test_the_journal_at_rest_shows_what_ran(tmp_path: Path) -> None:
    """After a crash, status and orders must not depend on a node."""
    desk = filled_desk(hedged=False)
    books = rest.books(write_journal(tmp_path, desk))

    (book,) = books.values()
    assert views.book_view(book, desk.now_ns) == views.book_view(desk.book, desk.now_ns)


def test_a_snapshot_spares_the_turns_before_it(tmp_path: Path) -> None:
    """A long journal must not take longer to show than to run."""
    desk = filled_desk(hedged=False)
    path = write_journal(tmp_path, desk)
    store = SqliteStore(path, ballast_bytes=0)
    store.start_epoch()
    store.save_snapshot(desk.config.book_id, msgspec.json.encode(desk.book.state))
    store.commit()
    told = len(desk.turns)
    desk.wait(3 * S)
    store.append(desk.turns[told:])
    store.commit()
    store.close()

    (book,) = rest.books(path).values()
    assert book.digest() == desk.book.digest()


def test_a_book_that_waits_for_its_hedge_is_hedging() -> None:
    """The state is the first word that people look for."""
    desk = filled_desk(hedged=False)
    view = views.book_view(desk.book, desk.now_ns + S)

    assert (view.state, view.hedged, view.residual) == ("hedging", False, Decimal(1))
    assert view.unhedged_ms == 1_000


def test_a_book_that_went_down_with_its_node_is_stopped() -> None:
    """A clean stop halts each book for its own reasons; an operator has nothing to lift."""
    desk = filled_desk()
    desk.tell(OperatorCommanded(desk.now_ns, Action.HALT, f"{STOPPER}running: "))
    assert views.book_view(desk.book, 0).state == "stopped"
    assert views.book_view(desk.book, 0, views.AT_REST).state == "stopped"
    desk.tell(OperatorCommanded(desk.now_ns, Action.HALT, "ann"))
    assert views.book_view(desk.book, 0).state == "halted"


def test_at_rest_a_stop_does_not_hide_what_an_operator_had_set() -> None:
    """Who looks at it in the morning must see that it was frozen, and by whom."""
    desk = filled_desk()
    assert views.book_view(desk.book, 0, views.AT_REST).state == "not running"
    desk.tell(OperatorCommanded(desk.now_ns, Action.FREEZE, "ann"))
    desk.tell(OperatorCommanded(desk.now_ns, Action.HALT, f"{STOPPER}frozen: freeze by ann"))

    view = views.book_view(desk.book, 0, views.AT_REST)

    assert (view.state, view.mode_reason) == ("frozen", "freeze by ann")


def test_who_calls_himself_a_stop_is_only_an_operator() -> None:
    """A principal is free text, and must not break what reads it."""
    desk = filled_desk()
    desk.tell(OperatorCommanded(desk.now_ns, Action.HALT, f"{STOPPER}nonsense"))

    assert views.book_view(desk.book, 0).state == "halted"


def test_a_removed_book_is_shown_apart_while_it_holds_something() -> None:
    """Its position is naked from the day on which the config forgot it; a flat one is only history."""
    old, new = filled_desk(), filled_desk()
    new.book.state.epoch += 1

    ran, removed = views.told_apart([old.book, new.book])
    shown = views.status(ran, views.AT_REST, 0, removed=removed)

    assert (ran, removed) == ([new.book], [old.book])
    assert [(book.name, book.state) for book in shown.removed] == [("b1", "removed")]
    assert (shown.running, len(shown.books)) == (False, 1)
    for ledger in old.book.state.ledgers.values():
        ledger.position = ledger.position.moved(-ledger.position.net_qty, Decimal(100))
    assert views.told_apart([old.book, new.book])[1] == []


def test_the_pnl_adds_up() -> None:
    """One definition: total = realized + unrealized + funding - fees."""
    pnl = views.book_view(filled_desk().book, 0).pnl

    assert pnl.total == pnl.realized + pnl.unrealized + pnl.funding - pnl.fees
    # Bought at 100, sold at 100.1, both marked at 100.05.
    assert pnl.total == Decimal("0.1")


def test_only_live_orders_work() -> None:
    """Closed ones are shown when asked for."""
    desk = filled_desk(hedged=False)
    live = views.orders([desk.book], views.RUNNING, desk.now_ns).orders
    every = views.orders([desk.book], views.RUNNING, desk.now_ns, closed=True).orders

    assert [order.leg for order in live if order.role == "hedge"] == [HEDGE]
    assert LEAD in {order.leg for order in every if order.status == "filled"}


def test_times_are_rfc3339_in_utc() -> None:
    """One form everywhere."""
    assert views.rfc3339(1_700_000_000_123_999_999) == "2023-11-14T22:13:20.123Z"
