"""What venues booked while nobody listened is booked once: after a kill, a cut and a start, and none of it is drift."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from hedgerow.core.config import BookConfig
from hedgerow.core.events import BookStarted, FundingPaid, InterestCharged
from hedgerow.core.holds import AlarmKind
from hedgerow.market.answers import FundingReport
from hedgerow.market.checkpoint import SavedExchange
from hedgerow.model.ids import LegId
from hedgerow.model.market import BorrowRate, FundingRate
from hedgerow.model.order import Side
from hedgerow.runtime.config import load_text
from hedgerow.runtime.missed import missed_since
from hedgerow.runtime.simulated import VENUES_FILE
from hedgerow.venues import sim_gateway
from hedgerow.venues.sim_gateway import SimGateway
from tests.runtime.test_node import Ran
from tests.runtime.worlds import BOOK, CONFIG, HEDGE, LEAD, World
from tests.venues.clockwork import S

HOUR_S = 3_600
# The hedge leg sells what it borrows.
BORROWING = (
    CONFIG.replace("hedge: {account: simB/hedge, symbol: BTC-PERP}", "hedge: {account: simB/hedge, symbol: BTC-USD}")
    + "venues: {simB: {instruments: {BTC-USD: {kind: margin}}}}\n"
)


class Watched(World):
    """A world whose gateways catch up at each start, as a node has them do."""

    def start(self) -> None:
        self.gateways: list[tuple[LegId, SimGateway]] = []
        super().start()
        store, book = self.disk.store, self.book
        since = missed_since(store, store.last_seq, {BOOK: book.config.legs}, (), self.clock.now_ns())
        for leg_id, gateway in self.gateways:
            if (BOOK, leg_id) in since:
                gateway.catch_up(since[BOOK, leg_id])

    def kill(self) -> None:
        """End the process; what it asked for and heard is lost."""
        self.cycle.end()
        for _, gateway in self.gateways:
            asyncio.run(gateway.stop())

    def _gateway(self, config: BookConfig, leg_id: LegId) -> SimGateway:
        gateway = super()._gateway(config, leg_id)
        self.gateways.append((leg_id, gateway))
        return gateway

    def hedged(self) -> Watched:
        """Let an entry fill, and its hedge after it."""
        self.run(5 * S)
        assert self.hit() is Side.BUY
        self.run(20 * S)
        assert self.book.is_hedged
        return self

    def pay(self, rate: str) -> Decimal:
        """Let the lead leg's venue pay funding now; return what the account received."""
        leg = self.config.books[0].leg(LEAD)
        exchange, quote = self.venues.exchanges[leg.instrument.venue_id], leg.instrument.quote
        before = exchange.balances(leg.account_id)[quote]
        now_ns = self.clock.now_ns()
        exchange.set_funding_rate(FundingRate(leg.instrument.id, now_ns, Decimal(rate), HOUR_S, now_ns))
        exchange.advance(now_ns)
        self.venues.settle()
        return exchange.balances(leg.account_id)[quote] - before

    def charge(self, rate: str) -> None:
        """Let the hedge leg's venue charge interest on its loan of coins."""
        leg = self.config.books[0].leg(HEDGE)
        exchange, now_ns = self.venues.exchanges[leg.instrument.venue_id], self.clock.now_ns()
        exchange.set_borrow_rate(BorrowRate("BTC", now_ns - HOUR_S * S, Decimal(rate), HOUR_S))
        exchange.advance(now_ns)
        self.venues.settle()

    @property
    def alarms(self) -> set[AlarmKind]:
        """Every kind of alarm that was ever raised."""
        raised = [getattr(command, "alarm", None) for _, turn in self.turns for command in turn.commands]
        return {alarm.kind for alarm in raised if alarm is not None}


def test_funding_that_came_while_no_engine_ran_is_booked_once() -> None:
    """A killed engine hears of nothing; what it was paid meanwhile is its all the same."""
    world = Watched().hedged()
    world.kill()
    missed = world.pay("-0.001")
    world.run(20 * S)

    world.start()
    world.run(5 * S)

    assert missed > 0
    assert world.book.ledger(LEAD).funding == missed
    world.kill()
    world.start()
    heard = world.pay("0.001")
    world.run(5 * S)
    assert world.book.ledger(LEAD).funding == missed + heard
    assert world.faults == []


def test_funding_that_came_while_the_venue_was_dark_is_booked_once_after_it() -> None:
    """The frame was lost, and no venue sends it again."""
    world = Watched().hedged()
    world.venues.go_dark(world.config.books[0].leg(LEAD).instrument.venue_id, 10 * S)
    missed = world.pay("-0.001")
    world.run(5 * S)
    assert world.book.ledger(LEAD).funding == 0

    world.run(20 * S)

    assert world.book.ledger(LEAD).funding == missed > 0


def test_a_frame_that_got_lost_is_found_by_the_slow_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The link was never down, so that nothing else would ask."""
    monkeypatch.setattr(sim_gateway, "BOOKINGS_EVERY_NS", 60 * S)
    world = Watched().hedged()
    (desk,) = world.venues._desks_of(world.account(LEAD))
    desk._open = False
    missed = world.pay("-0.001")
    desk._open = True
    world.run(20 * S)
    assert world.book.ledger(LEAD).funding == 0

    world.run(60 * S)

    assert world.book.ledger(LEAD).funding == missed > 0


@pytest.mark.parametrize("gap", ["killed", "dark"])
def test_interest_of_coins_that_came_during_a_gap_is_owed_and_no_drift(gap: str) -> None:
    """The venue shows a larger loan than our fills add up to: that is interest, and it is bought back as well."""
    world = Watched(config=BORROWING).hedged()
    sold = world.book.net_qty(HEDGE)
    if gap == "killed":
        world.kill()
        world.charge("0.1")
        world.run(20 * S)
        world.start()
    else:
        world.venues.go_dark(world.config.books[0].leg(HEDGE).instrument.venue_id, 10 * S)
        world.charge("0.1")

    world.run(240 * S)

    charges = [turn.event for _, turn in world.turns if isinstance(turn.event, InterestCharged)]
    assert [charge.amount for charge in charges] == [-sold / 10]
    assert world.book.net_qty(HEDGE) == world.held(HEDGE)
    assert world.book.is_hedged
    assert AlarmKind.DRIFT not in world.alarms
    assert world.faults == []


def test_a_node_books_what_its_venues_remember_and_its_journal_does_not(tmp_path: Path) -> None:
    """Killed between the venue's booking and its own; and what came before the book's first start is not the book's."""
    config = load_text(CONFIG, "test.yaml", tmp_path, tmp_path / "state")
    first = Ran(config, seconds=2)
    begun_ns = next(turn.ts_ns for turn in first.turns if isinstance(turn.event, BookStarted))
    leg = config.books[0].leg(LEAD)
    memory = config.state / VENUES_FILE
    main, hedge = msgspec.json.decode(memory.read_bytes(), type=list[SavedExchange])
    rows = [
        FundingReport("before", leg.instrument.id, Decimal(7), begun_ns - S),
        FundingReport("after", leg.instrument.id, Decimal(5), begun_ns + S),
    ]
    memory.write_bytes(msgspec.json.encode([replace(main, funding={leg.account_id: rows}), hedge]))

    again = Ran(config, seconds=2)

    booked = [turn.event for turn in again.turns if isinstance(turn.event, FundingPaid)]
    assert [(each.leg_id, each.funding_id) for each in booked] == [(LEAD, "after")]
    assert again.book.ledger(LEAD).funding == 5
    assert Ran(config, seconds=1).book.ledger(LEAD).funding == 5
