"""One engine process of a simulated world: inbox, book, journal and dispatch, wired as the runtime wires them.

It can die at any instruction boundary of a turn, stall, be slow to commit, and be started twice. What it knows comes
from the journal's bytes alone.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec

from hedgerow.core.book import Book, BookState
from hedgerow.core.commands import (
    CancelOrder,
    CancelOrphan,
    Command,
    LookUpFill,
    QueryOrder,
    Read,
    SubmitOrder,
    Turn,
)
from hedgerow.core.config import BookConfig
from hedgerow.core.events import (
    BookStarted,
    Event,
    FillLookedUp,
    JournalFailed,
    OrderRejected,
    RejectClass,
    TimeReached,
)
from hedgerow.core.step import empty_book, fold, next_due_ns, step
from hedgerow.core.target import Strategy
from hedgerow.journal.errors import JournalError
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.model.ids import LegId
from hedgerow.sim.faults import Fault

if TYPE_CHECKING:
    from hedgerow.sim.world import World

NS_PER_MS = 1_000_000
# What leaves first of one turn: what takes risk away, then orders, then questions.
URGENCY = {CancelOrder: 0, CancelOrphan: 0, SubmitOrder: 1, QueryOrder: 2, Read: 3}
# A submit that waited this part of its lease for the disk does not leave: the lease runs from its decision.
SEND_LEASE_PART = 2
SNAPSHOT_EVERY_TURNS = 40

_encode_state = msgspec.json.Encoder().encode
_decode_state = msgspec.json.Decoder(BookState).decode


class Crash(Exception):
    """The process dies here."""


class Engine:
    """One process. `dead` once it crashed, was fenced, or was stopped; then nothing reaches it any more."""

    def __init__(self, world: World, connection: sqlite3.Connection, clock_offset_ns: int) -> None:
        self.dead = False
        self.halt_on_start = False
        self._world = world
        self._faults = world.faults
        self._connection = connection
        self._offset_ns = clock_offset_ns
        self._waiting: deque[tuple[type[Any], tuple[Any, ...]]] = deque()
        self._stalled_until_ns = 0
        self._pending: list[tuple[Turn, tuple[Command, ...]]] = []
        self._committing = False
        self._armed_ns = 0
        self._turns_since_snapshot = 0
        self.book: Book
        self.store: SqliteStore

    # Life.

    def start(self, config: BookConfig, strategy: Strategy) -> None:
        """Recover from the journal and begin a run. Raises `Crash` when a fault ends it on the way."""
        self.store = SqliteStore(self._connection)
        book, after_seq = empty_book(config, strategy), 0
        snapshot = self.store.load_snapshot(config.book_id) if self._world.rng.randrange(2) else None
        if snapshot is not None:
            book, after_seq = Book(_decode_state(snapshot.body), strategy), snapshot.seq
        for record in self.store.turns(after_seq, config.book_id):
            fold(book, record.turn)
        self.book = book
        # The wall clock may have been set back while the process was down; logical time never goes back.
        self._offset_ns = max(self._offset_ns, book.state.last_ts_ns - self._world.now_ns)
        if self._faults.strikes(Fault.CRASH_IN_RECOVERY):
            raise Crash
        epoch = self.store.start_epoch()
        for line in self._world.lines.values():
            line.subscribe(self)
        self._take(BookStarted(self.clock_ns(), epoch, config))
        if self._faults.strikes(Fault.CRASH_IN_RECOVERY):
            raise Crash

    def die(self) -> None:
        """End here and now: what was not committed never was."""
        self.dead = True
        self._waiting.clear()
        self._pending.clear()
        self.store.close()

    def clock_ns(self) -> int:
        """Return the time by this process's clock."""
        return self._world.now_ns + self._offset_ns

    def world_ns(self, clock_ns: int) -> int:
        """Return when this process's clock showed, or will show, a time."""
        return clock_ns - self._offset_ns

    def stall(self, duration_ns: int) -> None:
        """Do nothing for a while; what arrives waits."""
        until_ns = self._world.now_ns + duration_ns
        self._stalled_until_ns = max(self._stalled_until_ns, until_ns)
        self._world.call_at(until_ns, self._wake)

    # Inbox.

    def deliver(self, event_type: type[Any], *rest: Any) -> None:
        """Take one event; `rest` are its fields after the time, which is when the inbox takes it."""
        if self.dead:
            return
        if self._world.now_ns < self._stalled_until_ns:
            self._waiting.append((event_type, rest))
            return
        self._guarded(event_type, rest)

    def _wake(self) -> None:
        while self._waiting and not self.dead and self._world.now_ns >= self._stalled_until_ns:
            self._guarded(*self._waiting.popleft())

    def _guarded(self, event_type: type[Any], rest: tuple[Any, ...]) -> None:
        ts_ns = self.clock_ns()
        if self._faults.strikes(Fault.CLOCK_JITTER):
            ts_ns -= self._world.rng.randrange(200 * NS_PER_MS)
        try:
            self._take(event_type(ts_ns, *rest))
        except Crash:
            self._world.crashed(self)

    def _take(self, event: Event) -> None:
        self._world.events += 1
        stepped = step(self.book, event)
        if stepped.turn is None:
            for command in stepped.commands:
                self._send(command)
        else:
            if self._faults.strikes(Fault.CRASH_BEFORE_APPEND):
                raise Crash
            self._pending.append((stepped.turn, stepped.commands))
            if not self._committing:
                self._begin_commit()
        self._arm()

    def _arm(self) -> None:
        due_ns = next_due_ns(self.book)
        if due_ns is None:
            return
        due_ns = max(due_ns - self._offset_ns, self._world.now_ns, self._stalled_until_ns)
        if not self._armed_ns or due_ns < self._armed_ns:
            self._armed_ns = due_ns
            self._world.call_at(due_ns, self._tick, due_ns)

    def _tick(self, armed_ns: int) -> None:
        if self.dead or armed_ns != self._armed_ns:
            return
        self._armed_ns = 0
        due_ns = next_due_ns(self.book)
        if due_ns is not None and due_ns - self._offset_ns <= self._world.now_ns:
            self.deliver(TimeReached)
        if not self.dead and not self._armed_ns:
            self._arm()

    # Journal and dispatch.

    def _begin_commit(self) -> None:
        self._committing = True
        rng = self._world.rng
        latency_ns = rng.randrange(100_000, 400_000)
        if self._faults.strikes(Fault.SLOW_COMMIT):
            latency_ns += rng.randrange(100, 2_500) * NS_PER_MS
        group, self._pending = self._pending, []
        self.store.append(turn for turn, _ in group)
        self._turns_since_snapshot += len(group)
        if self._turns_since_snapshot >= SNAPSHOT_EVERY_TURNS:
            self._turns_since_snapshot = 0
            self.store.save_snapshot(self.book.config.book_id, _encode_state(self.book.state))
        self._world.call_at(self._world.now_ns + latency_ns, self._commit, group)

    def _commit(self, group: list[tuple[Turn, tuple[Command, ...]]]) -> None:
        if self.dead:
            return
        try:
            self._make_durable()
            for _, commands in group:
                self._dispatch(commands)
            if self._faults.strikes(Fault.CRASH_AFTER_SEND):
                raise Crash
        except Crash:
            self._world.crashed(self)
            return
        self._committing = False
        if self._pending:
            self._begin_commit()

    def _make_durable(self) -> None:
        if self._faults.strikes(Fault.CRASH_BEFORE_COMMIT):
            raise Crash
        torn = self._faults.strikes(Fault.TORN_COMMIT)
        if torn and self._world.rng.randrange(2):
            raise Crash
        try:
            self.store.commit()
        except JournalError:
            raise Crash from None
        self._world.read_journal()
        # Torn the other way: it is on disk, and the process never hears of it.
        if torn or self._faults.strikes(Fault.CRASH_BEFORE_SEND):
            raise Crash

    def _dispatch(self, commands: tuple[Command, ...]) -> None:
        requests = [command for command in commands if type(command) in URGENCY]
        requests.sort(key=lambda command: URGENCY[type(command)])
        for index, request in enumerate(requests):
            if index and self._faults.strikes(Fault.CRASH_BETWEEN_SENDS):
                raise Crash
            self._send(request)
        for command in commands:
            if isinstance(command, LookUpFill):
                fill = command.fill
                booked = self.store.find_fill(
                    fill.account_id, fill.instrument_id, fill.trade_id, self.book.config.book_id
                )
                self._world.call_at(self._world.now_ns, self.deliver, FillLookedUp, fill, booked)

    def _send(self, request: Command) -> None:
        leg_id: LegId = request.leg_id  # type: ignore[union-attr]
        line = self._world.lines[leg_id]
        if isinstance(request, SubmitOrder):
            decided_ns = self.book.state.orders[request.order_id].submitted_ts_ns
            if self.clock_ns() - decided_ns > line.lease_ns // SEND_LEASE_PART:
                self._world.oracle.dead(request.order_id)
                self._world.call_at(
                    self._world.now_ns, self.deliver, OrderRejected, request.order_id, RejectClass.NOT_SENT
                )
                return
            wire = (request.instrument_id, request.side.value, request.qty, request.limit_price)
            self._world.oracle.left(self._world.now_ns, "SubmitOrder", request.order_id, wire)
        else:
            self._world.oracle.left(self._world.now_ns, type(request).__name__, getattr(request, "order_id", ""), None)
        self._world.requests += 1
        line.send(self, request)

    def warn_of_disk(self) -> None:
        """The ballast was freed: the last turns still fit."""
        self.deliver(JournalFailed, "the disk is nearly full")
