"""The cycle: what is decided becomes durable, and only then leaves."""

from __future__ import annotations

from decimal import Decimal

import pytest

from hedgerow.core.book import Book
from hedgerow.core.commands import CancelOrder, Mode, SubmitOrder
from hedgerow.core.events import (
    Action,
    Faulted,
    Heartbeat,
    JournalFailed,
    OperatorCommanded,
    QuoteReceived,
)
from hedgerow.core.target import Target
from hedgerow.journal.errors import JournalBroken
from hedgerow.model.market import Quote
from hedgerow.model.order import Role, Side
from hedgerow.runtime.cycle import BACKLOG_MAX
from tests.runtime.worlds import BOOK, HEDGE, LEAD, World
from tests.venues.clockwork import MS, S

D = Decimal


def quoting() -> World:
    """Return a world whose lead leg has an order at rest."""
    world = World()
    world.run(S)
    assert world.book.in_slot(LEAD, "entry") is not None
    return world


def test_a_fill_is_hedged_and_both_sides_of_the_wire_agree() -> None:
    """The whole machine in one test: venue, stream, step, journal, dispatch, venue."""
    world = quoting()

    assert world.hit() is Side.BUY
    world.run(200 * MS)

    assert world.held(LEAD) == D("0.05")
    assert world.held(HEDGE) == D("-0.05")
    assert world.book.residual == 0


def test_nothing_leaves_before_its_turn_is_durable() -> None:
    """A crash between send and journal would leave an order that nobody knows."""
    world = quoting()
    world.disk.is_stuck = True
    sent = len(world.sent)

    world.hit()
    world.run(200 * MS)
    assert world.book.working_qty(HEDGE, Side.SELL) == D("0.05")
    assert [request for request in world.sent[sent:] if isinstance(request, SubmitOrder)] == []
    world.disk.commit()

    (hedge,) = [request for request in world.sent[sent:] if isinstance(request, SubmitOrder)]
    assert (hedge.role, hedge.qty) == (Role.HEDGE, D("0.05"))


def test_a_hedge_need_not_wait_for_what_else_comes_at_the_same_time() -> None:
    """Its fill is stepped, durable and answered before the next event is looked at."""
    world = quoting()
    world.disk.is_stuck = world.disk.is_quick = True
    sent = len(world.sent)

    world.hit()
    world.run(200 * MS)

    (hedge,) = [request for request in world.sent[sent:] if isinstance(request, SubmitOrder)]
    assert (hedge.role, hedge.qty) == (Role.HEDGE, D("0.05"))
    # The answers to it brought no hedge, and nothing hurries for them.
    assert world.disk.backlog_len > 0


def test_a_submit_that_waited_for_the_disk_past_half_its_lease_does_not_leave() -> None:
    """The lease runs from the decision: the venue could take it later than the book believes possible."""
    world = quoting()
    world.disk.is_stuck = True
    sent = len(world.sent)

    world.hit()
    world.run(9 * S)
    world.disk.is_stuck = False
    world.disk.commit()
    late = [request for request in world.sent[sent:] if isinstance(request, SubmitOrder)]
    world.run(2 * S)

    assert late == []
    assert world.held(HEDGE) == D("-0.05")


def test_prices_wait_for_a_slow_disk_and_only_the_latest_counts() -> None:
    """A burst of quotes behind a stuck disk must cost neither memory nor the fills behind it."""
    world = quoting()
    world.disk.is_stuck = True
    world.disk.backlog_len = BACKLOG_MAX
    instrument = world.book.legs[LEAD].instrument.id
    before = world.book.quotes[instrument]

    for step in range(1_000):
        bid, ask = D(59_000 + step), D(60_001 + step)
        quote = Quote(instrument, world.clock.now_ns(), ((bid, D(1)),), ((ask, D(1)),))
        world.cycle.deliver(BOOK, QuoteReceived(quote.ts_ns, quote))
    assert world.book.quotes[instrument] == before
    world.cycle.deliver(BOOK, Heartbeat(world.clock.now_ns(), LEAD))
    world.cycle.deliver(BOOK, OperatorCommanded(world.clock.now_ns(), Action.FREEZE))
    assert world.book.mode is Mode.FROZEN
    world.disk.commit()

    assert world.book.quotes[instrument].bid == D(59_999)


def test_a_broken_rule_is_journaled_and_nothing_leaves_any_more() -> None:
    """What we got wrong must not go on trading; the next start comes up halted."""
    world = quoting()
    entry = world.book.in_slot(LEAD, "entry")
    sent = len(world.sent)

    class Broken:
        def target(self, book: Book) -> Target:
            raise AssertionError("this cannot be")

    world.book.strategy = Broken()
    world.hit()
    world.run(5 * S)

    assert str(world.faults[0]) == "this cannot be"
    assert world.sent[sent:] == []
    last = [record.turn for record in world.disk.store.turns()][-1]
    assert isinstance(last.event, Faulted)
    assert "this cannot be" in last.event.detail
    world.restart()
    assert world.book.mode is Mode.HALTED
    world.run(5 * S)
    assert world.book.net_qty(LEAD) == D("0.05")
    assert entry is not None
    assert not [request for request in world.sent[sent:] if isinstance(request, SubmitOrder)]


def test_a_broken_journal_lets_only_cancels_leave() -> None:
    """An order that cannot be remembered must not be sent; a cancel is safe to repeat."""
    world = quoting()
    entry = world.book.in_slot(LEAD, "entry")
    assert entry is not None
    sent = len(world.sent)
    world.disk.is_broken = True

    world.hit()
    world.run(S)

    assert isinstance(world.journal_errors[0], JournalBroken)
    assert all(isinstance(request, CancelOrder) for request in world.sent[sent:])
    assert world.cycle.is_broken


def test_a_journal_that_is_about_to_fail_stops_entries_and_nothing_else() -> None:
    """The last turns are for hedges and cancels."""
    world = quoting()

    world.cycle.warn("the disk is nearly full")
    world.hit()
    world.run(S)

    assert world.book.in_slot(LEAD, "entry") is None
    assert any(isinstance(turn.event, JournalFailed) for _, turn in world.turns)
    assert world.held(LEAD) + world.held(HEDGE) == 0


def test_a_broken_journal_leaves_no_exit_that_nobody_would_hedge() -> None:
    """What rests on the lead leg would fill while nobody runs; it is canceled whatever it is for."""
    world = quoting()
    world.hit()
    world.run(5 * S)
    resting = [order for order in world.book.working(LEAD) if order.slot]
    assert {order.role for order in resting} == {Role.ENTRY, Role.EXIT}
    sent = len(world.sent)
    world.disk.is_broken = True

    world.cycle.deliver(BOOK, OperatorCommanded(world.clock.now_ns(), Action.FREEZE))
    world.run(S)

    canceled = {request.order_id for request in world.sent[sent:] if isinstance(request, CancelOrder)}
    assert canceled == {order.id for order in resting}


@pytest.mark.parametrize("snapshot_every_turns", [3, 1_000_000])
def test_a_killed_process_finds_everything_again(snapshot_every_turns: int) -> None:
    """With a snapshot or without: fills that came meanwhile are booked, and hedged once."""
    world = World(snapshot_every_turns)
    world.run(S)
    assert world.hit() is not None
    world.run(S)
    world.cycle.end()
    assert world.hit() is not None
    world.run(2 * S)

    world.start()
    world.run(2 * S)

    assert (world.disk.snapshots > 0) == (snapshot_every_turns == 3)
    assert world.book.state.epoch == 2
    assert world.held(LEAD) == world.book.net_qty(LEAD)
    assert world.held(HEDGE) == -world.held(LEAD)
    assert world.book.is_hedged


def test_a_lost_answer_is_hedged_once() -> None:
    """The hedge that was taken and not acknowledged is found, and no second one is sent."""
    world = quoting()
    world.venues.lose_next_answer(world.account(HEDGE))

    world.hit()
    world.run(10 * S)

    assert world.held(HEDGE) == -world.held(LEAD)
    assert world.book.is_hedged
