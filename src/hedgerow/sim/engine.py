"""One engine process of a simulated world: the real cycle, door, recovery and journal, on virtual time.

It can die at any instruction boundary of a turn, stall, be slow to commit, and be started twice. What it knows comes
from the journal's bytes alone.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from hedgerow.core.book import Book
from hedgerow.core.commands import LookUpFill, SubmitOrder, Turn
from hedgerow.core.config import NS_PER_S, LegConfig
from hedgerow.core.events import BookStarted, FillLookedUp, LegAdded
from hedgerow.core.step import empty_book, fold
from hedgerow.journal.errors import JournalError
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.model.ids import BookId, LegId
from hedgerow.model.instrument import Instrument
from hedgerow.runtime.cycle import Cycle
from hedgerow.runtime.dispatch import Dispatch
from hedgerow.runtime.portfolio import is_limited
from hedgerow.runtime.recovery import recover
from hedgerow.sim.faults import Fault
from hedgerow.venues.gateway import Deliver, Gateway, Request

if TYPE_CHECKING:
    from hedgerow.sim.line import Line
    from hedgerow.sim.plot import Plot
    from hedgerow.sim.world import World

NS_PER_MS = 1_000_000
SNAPSHOT_EVERY_TURNS = 40
"Far more often than a real engine, so that these short lives have some."
FOUND_MS_MAX = 3_000
"A listing of an account comes back within so long."
COMPARE_ONE_IN = 4
"One start in so many folds the whole journal as well, and compares."


class Crash(BaseException):
    """The process dies here. Not an `Exception`: nothing in the engine may catch it."""


class SimTimer:
    """A call that is to come, of one engine."""

    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None


class SimClock:
    """The clock of one engine process."""

    def __init__(self, engine: Engine, world: World, offset_ns: int) -> None:
        self.offset_ns = offset_ns
        self._engine = engine
        self._world = world

    def now_ns(self) -> int:
        return self._world.now_ns + self.offset_ns

    def call_at(self, ts_ns: int, call: Callable[[], None]) -> SimTimer:
        timer = SimTimer(call)
        self._world.call_at(max(ts_ns - self.offset_ns, self._world.now_ns), self._engine.fire, timer)
        return timer


class SimGateway:
    """What the engine's door hands requests to."""

    def __init__(self, seat: Seat, line: Line) -> None:
        self.account_id = line.account_id
        self._seat = seat
        self._line = line

    def start(self, leg_id: LegId, instrument: Instrument, deliver: Deliver) -> None:
        self._line.subscribe(self._seat)

    def send(self, request: Request) -> None:
        self._seat.leaves(request)
        self._line.send(self._seat, request)

    async def stop(self) -> None:
        raise AssertionError("a simulated engine dies, and never stops")


class Seat:
    """One book in one engine, as its lines reach it."""

    def __init__(self, engine: Engine, plot: Plot, book: Book) -> None:
        self.book = book
        self.clock = engine.clock
        self._engine = engine
        self._plot = plot

    @property
    def dead(self) -> bool:
        return self._engine.dead

    def deliver(self, event_type: type[Any], *rest: Any) -> None:
        """Take one event; `rest` are its fields after the time, which is when the inbox takes it."""
        self._engine.deliver(self.book.config.book_id, event_type, *rest)

    def leaves(self, request: Request) -> None:
        """A request is about to leave the process."""
        self._engine.leaves(self._plot, request)


class SimWriter:
    """The journal's writer: what was appended while the last commit ran goes into the next."""

    def __init__(self, engine: Engine, world: World, store: SqliteStore) -> None:
        self._engine = engine
        self._world = world
        self._faults = world.faults
        self._store = store
        self._seq = store.last_seq
        self._waiting: list[Turn | tuple[BookId, bytes]] = []
        self._is_committing = False

    @property
    def backlog_len(self) -> int:
        return self._seq - self._store.last_seq

    def append(self, turn: Turn) -> int:
        if self._faults.strikes(Fault.CRASH_BEFORE_APPEND):
            raise Crash
        self._seq += 1
        self._waiting.append(turn)
        if not self._is_committing:
            self._begin()
        return self._seq

    def save_snapshot(self, book_id: BookId, body: bytes) -> None:
        self._waiting.append((book_id, body))

    def _begin(self) -> None:
        self._is_committing = True
        latency_ns = self._world.rng.randrange(100_000, 400_000)
        if self._faults.strikes(Fault.SLOW_COMMIT):
            latency_ns += self._world.rng.randrange(100, 2_500) * NS_PER_MS
        self._world.call_at(self._world.now_ns + latency_ns, self._engine.guarded, self._commit)

    def _commit(self) -> None:
        group, self._waiting = self._waiting, []
        for each in group:
            if isinstance(each, Turn):
                self._store.append((each,))
            else:
                self._store.save_snapshot(*each)
        self._make_durable()
        self._engine.durable(self._store.last_seq)
        self._is_committing = False
        if self._waiting:
            self._begin()

    def _make_durable(self) -> None:
        if self._faults.strikes(Fault.CRASH_BEFORE_COMMIT):
            raise Crash
        is_torn = self._faults.strikes(Fault.TORN_COMMIT)
        if is_torn and self._world.rng.randrange(2):
            raise Crash
        try:
            self._store.commit()
        except JournalError as error:
            self._engine.cycle.journal_broke(error)
            raise Crash from None
        self._world.read_journal()
        # Torn the other way: it is on disk, and the process never hears of it.
        if is_torn or self._faults.strikes(Fault.CRASH_BEFORE_SEND):
            raise Crash


class Engine:
    """One process. `dead` once it crashed or was fenced; then nothing reaches it any more."""

    def __init__(self, world: World, connection: sqlite3.Connection, clock_offset_ns: int) -> None:
        self.dead = False
        self.clock = SimClock(self, world, clock_offset_ns)
        self._world = world
        self._faults = world.faults
        self._connection = connection
        self._waiting: deque[tuple[BookId, type[Any], tuple[Any, ...]]] = deque()
        self._stalled_until_ns = 0
        self._sends = 0
        "Requests that left since the last commit."
        self.books: dict[BookId, Book] = {}
        self._gateways: dict[str, dict[LegId, Gateway]] = {}
        "Of each book, by its tag."
        self.store: SqliteStore
        self.cycle: Cycle

    # Life.

    def start(self) -> None:
        """Recover every book from the journal and begin a run.

        Raises:
            Crash: a fault ended it on the way.
            JournalError: the journal cannot be used now.
        """
        world = self._world
        self.store = SqliteStore(self._connection)
        configs = [world.current_config(plot) for plot in world.plots]
        recovered = dict(zip((plot.tag for plot in world.plots), recover(self.store, configs), strict=True))
        self.books = {plot.config.book_id: recovered[plot.tag].book for plot in world.plots}
        if world.rng.randrange(COMPARE_ONE_IN) == 0:
            self.compare_with_journal()
        # The wall clock may have been set back while the process was down; logical time never goes back.
        latest_ns = max(book.state.last_ts_ns for book in self.books.values())
        self.clock.offset_ns = max(self.clock.offset_ns, latest_ns - world.now_ns)
        if self._faults.strikes(Fault.CRASH_IN_RECOVERY):
            raise Crash
        epoch = self.store.start_epoch()
        self.writer = writer = SimWriter(self, world, self.store)
        self.cycle = Cycle(self.clock, writer, self._look_up, self, SNAPSHOT_EVERY_TURNS)
        for plot in world.plots:
            self._open(plot, recovered[plot.tag].turns)
        for plot in world.plots:
            config = world.current_config(plot)
            self.cycle.deliver(
                config.book_id, BookStarted(self.clock.now_ns(), epoch, config, recovered[plot.tag].faulted)
            )
            self._list_positions(plot)
        if is_limited(self.books.values()):
            self._tell_portfolio()
        if self._faults.strikes(Fault.CRASH_IN_RECOVERY):
            raise Crash

    def _tell_portfolio(self) -> None:
        """Tell the books of one another, now and every second, as a node does."""
        self.cycle.tell_portfolio()
        self.clock.call_at(self.clock.now_ns() + NS_PER_S, self._tell_portfolio)

    def _open(self, plot: Plot, turns_since_snapshot: int) -> None:
        book = self.books[plot.config.book_id]
        lines = self._world.lines[plot.tag]
        seat = Seat(self, plot, book)
        gateways: dict[LegId, Gateway] = {leg_id: SimGateway(seat, line) for leg_id, line in lines.items()}
        doors = {leg_id: Dispatch(self.clock, self._world.budget) for leg_id in gateways}
        self.cycle.add(book, gateways, doors, turns_since_snapshot)
        for leg in plot.config.legs:
            if not leg.found:
                gateways[leg.id].start(leg.id, lines[leg.id].instrument, lambda *_: None)
        self._gateways[plot.tag] = gateways

    def _list_positions(self, plot: Plot) -> None:
        """Begin to look for the positions that a book is to find; it goes on with those of an earlier run."""
        for leg in plot.config.legs:
            if leg.found and leg.id in self.books[plot.config.book_id].legs:
                self._watch(plot, leg)
            elif leg.found:
                after_ns = self._world.rng.randrange(FOUND_MS_MAX) * NS_PER_MS
                self._world.call_at(self._world.now_ns + after_ns, self._find, plot, leg)

    def _find(self, plot: Plot, leg: LegConfig) -> None:
        """A listing of the account has come back."""
        if self.dead or self._world.now_ns < self._stalled_until_ns:
            if not self.dead:
                self._world.call_at(self._stalled_until_ns, self._find, plot, leg)
            return
        known = msgspec.structs.replace(leg, instrument=self._world.lines[plot.tag][leg.id].instrument)
        self.deliver(plot.config.book_id, LegAdded, known)
        if not self.dead and leg.id in self.books[plot.config.book_id].legs:
            self._watch(plot, leg)

    def _watch(self, plot: Plot, leg: LegConfig) -> None:
        self._gateways[plot.tag][leg.id].start(leg.id, leg.instrument, lambda *_: None)

    def compare_with_journal(self) -> None:
        """Check that the state at hand is what the whole durable journal folds to."""
        for book_id, book in self.books.items():
            folded = empty_book(book.config, book.strategy)
            for record in self.store.turns(0, book_id):
                fold(folded, record.turn)
            if folded.digest() != book.digest():
                self._world.broken("replay", f"the journal folds to another state of {book_id} than the one at hand")

    def die(self) -> None:
        """End here and now: what was not committed never was."""
        self.dead = True
        self._waiting.clear()
        self.store.close()

    def stall(self, duration_ns: int) -> None:
        """Do nothing for a while; what arrives waits."""
        until_ns = self._world.now_ns + duration_ns
        self._stalled_until_ns = max(self._stalled_until_ns, until_ns)
        self._world.call_at(until_ns, self._wake)

    def guarded(self, call: Callable[..., None], *args: Any) -> None:
        """Make a call inside this process, unless it is gone; a crash in it ends the process."""
        if self.dead:
            return
        try:
            call(*args)
        except Crash:
            self._world.crashed(self)

    def fire(self, timer: SimTimer) -> None:
        """Let a timer go off, after the stall if there is one."""
        if self.dead or timer.call is None:
            return
        if self._world.now_ns < self._stalled_until_ns:
            self._world.call_at(self._stalled_until_ns, self.fire, timer)
        else:
            self.guarded(timer.call)

    # Inbox.

    def deliver(self, book_id: BookId, event_type: type[Any], *rest: Any) -> None:
        """Take one event of a book; `rest` are its fields after the time, which is when the inbox takes it."""
        if self.dead:
            return
        if self._world.now_ns < self._stalled_until_ns:
            self._waiting.append((book_id, event_type, rest))
            return
        ts_ns = self.clock.now_ns()
        if self._faults.strikes(Fault.CLOCK_JITTER):
            ts_ns -= self._world.rng.randrange(200 * NS_PER_MS)
        self._world.events += 1
        self.guarded(self.cycle.deliver, book_id, event_type(ts_ns, *rest))

    def _wake(self) -> None:
        while self._waiting and not self.dead and self._world.now_ns >= self._stalled_until_ns:
            book_id, event_type, rest = self._waiting.popleft()
            self.deliver(book_id, event_type, *rest)

    def _look_up(self, book_id: BookId, command: LookUpFill) -> None:
        fill = command.fill
        booked = self.store.find_fill(fill.account_id, fill.instrument_id, fill.trade_id, book_id)
        self._world.call_at(self._world.now_ns, self.deliver, book_id, FillLookedUp, fill, booked)

    # What leaves.

    def durable(self, seq: int) -> None:
        """Turns are on disk: let the cycle send what they ask for."""
        self._sends = 0
        self.cycle.durable(seq)
        if self._sends and self._faults.strikes(Fault.CRASH_AFTER_SEND):
            raise Crash

    def leaves(self, plot: Plot, request: Request) -> None:
        """A request of one book is about to leave the process."""
        if self._sends and self._faults.strikes(Fault.CRASH_BETWEEN_SENDS):
            raise Crash
        self._sends += 1
        self._world.requests += 1
        wire = None
        if isinstance(request, SubmitOrder):
            wire = (request.instrument_id, request.side.value, request.qty, request.limit_price)
        order_id = getattr(request, "order_id", "")
        self._world.oracles[plot.tag].left(self._world.now_ns, type(request).__name__, order_id, wire)

    # Watching the cycle.

    def turned(self, turns: list[tuple[int, Turn]]) -> None:
        """Nothing to show."""

    def faulted(self, book_id: BookId, error: Exception) -> None:
        """A rule of the engine's own broke: that is a violation, whatever the venues say."""
        self._world.broken("assert", f"{type(error).__name__}: {str(error)[:500]}")

    def journal_failed(self, error: JournalError) -> None:
        """The process ends; the world starts it again."""
