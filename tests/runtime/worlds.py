"""A node's cycle on simulated venues and a real journal in memory, all in virtual time and in one thread."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from hedgerow.core.book import Book
from hedgerow.core.commands import LookUpFill, Turn
from hedgerow.core.config import BookConfig
from hedgerow.core.events import BookStarted
from hedgerow.journal.errors import JournalBroken, JournalError
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.market.latency import Delay, Latency
from hedgerow.model.ids import AccountId, BookId, LegId
from hedgerow.model.order import Side
from hedgerow.runtime.config import load_text
from hedgerow.runtime.cycle import Cycle
from hedgerow.runtime.dispatch import Budget, Dispatch
from hedgerow.runtime.recovery import Recovered, recover
from hedgerow.runtime.simulated import open_exchanges
from hedgerow.venues.gateway import Request
from hedgerow.venues.sim_gateway import SimGateway
from hedgerow.venues.sim_venues import SimVenues
from hedgerow.venues.sim_wire import Hello
from tests.venues.clockwork import MS, VirtualClock

COMMIT_NS = MS // 5
WAY_NS = 5 * MS
LEAD, HEDGE = LegId("lead"), LegId("hedge")
BOOK = BookId("btc-mirror")
CONFIG = """
accounts:
  simA/main:  {venue: sim, balance: {USD: 50000}, fees: {maker_bps: 1, taker_bps: 4}}
  simB/hedge: {venue: sim, balance: {USD: 50000}, fees: {maker_bps: 2, taker_bps: 5}}
books:
  btc-mirror:
    policy: mirror
    tag: btc
    legs:
      lead:  {account: simA/main, symbol: BTC-PERP}
      hedge: {account: simB/hedge, symbol: BTC-PERP}
    qty: 0.05
    max_net_qty: 0.1
"""


class Disk:
    """A journal that takes its time, and may fail."""

    def __init__(self, clock: VirtualClock, store: SqliteStore) -> None:
        self.store = store
        self.is_stuck = False
        self.is_broken = False
        self.is_quick = False
        "Commits at once when it is told to hurry."
        self.snapshots = 0
        self.durable: Callable[[int], None]
        self.backlog_len = 0
        self._clock = clock

    def append(self, turn: Turn) -> int:
        if self.is_broken:
            raise JournalBroken("the disk is gone")
        seq = self.store.append((turn,))
        self.backlog_len += 1
        if not self.is_stuck:
            self._clock.call_at(self._clock.now_ns() + COMMIT_NS, self.commit)
        return seq

    def commit(self) -> None:
        """Make everything appended durable now."""
        self.backlog_len = 0
        self.durable(self.store.commit())

    def hurry(self) -> None:
        if self.is_quick:
            self.commit()

    def save_snapshot(self, book_id: BookId, body: bytes) -> None:
        self.snapshots += 1
        self.store.save_snapshot(book_id, body)


class _Heard(SimGateway):
    """A gateway that remembers what it was asked to send."""

    sent: list[Request]

    def send(self, request: Request) -> None:
        self.sent.append(request)
        super().send(request)


class World:
    """One mirror book on two venues. It starts as a process does; `restart` starts the next one."""

    def __init__(self, snapshot_every_turns: int = 1_000, config: str = CONFIG) -> None:
        self.clock = VirtualClock()
        self.config = load_text(config, "test.yaml", Path())
        self.venues = self._quiet_venues()
        self.venues.start()
        self.connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self.turns: list[tuple[int, Turn]] = []
        self.faults: list[Exception] = []
        self.journal_errors: list[JournalError] = []
        self.look_ups: list[LookUpFill] = []
        self.sent: list[Request] = []
        self._snapshot_every_turns = snapshot_every_turns
        self.recovered: Recovered
        self.cycle: Cycle
        self.disk: Disk
        self.start()

    def _quiet_venues(self) -> SimVenues:
        """Return venues whose markets stand still."""
        exchanges = open_exchanges(self.config)
        way = Delay(WAY_NS)
        latencies = {venue_id: Latency(random.Random(1), way, way) for venue_id in exchanges}
        for venue in self.config.venues:
            for instrument in venue.instruments:
                bids = [(Decimal(60_000 - 10 * level), Decimal(2)) for level in range(5)]
                asks = [(Decimal(60_010 + 10 * level), Decimal(2)) for level in range(5)]
                exchanges[venue.id].set_book(self.clock.now_ns(), instrument.id, bids, asks)
        return SimVenues(self.clock, exchanges, latencies, [])

    def start(self) -> None:
        """Recover, and begin a run."""
        store = SqliteStore(self.connection)
        config = self.config.books[0]
        (self.recovered,) = recover(store, [config])
        epoch = store.start_epoch()
        self.disk = Disk(self.clock, store)
        self.cycle = Cycle(
            self.clock,
            self.disk,
            lambda _book_id, command: self.look_ups.append(command),
            self,
            self._snapshot_every_turns,
            self.disk.hurry,
        )
        self.disk.durable = self.cycle.durable
        gateways = {leg.id: self._gateway(config, leg.id) for leg in config.legs}
        doors = {leg.id: Dispatch(self.clock, Budget()) for leg in config.legs}
        self.cycle.add(self.book, gateways, doors, self.recovered.turns)
        self.cycle.deliver(BOOK, BookStarted(self.clock.now_ns(), epoch, config, self.recovered.faulted))
        cycle = self.cycle
        for leg in config.legs:
            gateways[leg.id].start(leg.id, leg.instrument, lambda _leg_id, event: cycle.deliver(BOOK, event))

    def restart(self) -> None:
        """Kill the process, and start the next one."""
        self.cycle.end()
        self.start()

    @property
    def book(self) -> Book:
        return self.recovered.book

    def run(self, duration_ns: int) -> None:
        self.clock.run(duration_ns)

    def hit(self) -> Side | None:
        """Somebody trades through the lead leg's resting order; return its side, or None when none rests."""
        leg = self.config.books[0].leg(LEAD)
        exchange = self.venues.exchanges[leg.instrument.venue_id]
        orders = exchange.open_orders(leg.account_id, leg.instrument.id)
        if not orders:
            return None
        side = orders[0].side
        price = Decimal(50_000) if side is Side.BUY else Decimal(70_000)
        exchange.trade(self.clock.now_ns(), leg.instrument.id, price, Decimal(1), side.opposite)
        self.venues.settle()
        return side

    def held(self, leg_id: LegId) -> Decimal:
        """Return what the venue says that a leg's account holds."""
        leg = self.config.books[0].leg(leg_id)
        return self.venues.exchanges[leg.instrument.venue_id].positions(leg.account_id)[leg.instrument.id]

    def account(self, leg_id: LegId) -> AccountId:
        return self.config.books[0].leg(leg_id).account_id

    def _gateway(self, config: BookConfig, leg_id: LegId) -> SimGateway:
        leg = config.leg(leg_id)
        hello = Hello(leg.account_id, leg.instrument.id)
        gateway: _Heard
        gateway = _Heard(
            leg.account_id, leg.lease_ms, self.clock, lambda: self.venues.open_desk(hello, gateway.receive)
        )
        gateway.sent = self.sent
        return gateway

    # What the cycle tells.

    def turned(self, turns: list[tuple[int, Turn]]) -> None:
        self.turns += turns

    def faulted(self, book_id: BookId, error: Exception) -> None:
        self.faults.append(error)

    def journal_failed(self, error: JournalError) -> None:
        self.journal_errors.append(error)
