"""The cycle: receive, step, journal, and once that is durable, send; then arm the one timer of the book.

Synchronous, in one thread, and without asyncio: time comes from a clock, durability from the journal's own thread.
Read this after `core/step.py`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Protocol

import msgspec
from msgspec.structs import replace

from hedgerow.core import reconcile
from hedgerow.core.book import Book
from hedgerow.core.commands import REQUESTS, CancelOrder, Command, LookUpFill, Mode, SubmitOrder, Turn
from hedgerow.core.config import NS_PER_MS
from hedgerow.core.events import (
    BookStarted,
    BorrowRateReceived,
    Event,
    Faulted,
    FundingPaid,
    FundingRateReceived,
    Heartbeat,
    InterestCharged,
    JournalFailed,
    OrderRejected,
    PortfolioSeen,
    PositionRead,
    QuoteReceived,
    TimeReached,
)
from hedgerow.core.step import next_due_ns, step
from hedgerow.journal.errors import JournalError, JournalFenced
from hedgerow.model.ids import BookId, LegId
from hedgerow.model.instrument import InstrumentKind
from hedgerow.model.numbers import ZERO
from hedgerow.model.order import Role
from hedgerow.runtime import portfolio
from hedgerow.runtime.dispatch import Dispatch, priority_of
from hedgerow.venues.clock import Clock, Timer
from hedgerow.venues.gateway import Gateway

# Turns that wait for the disk, above which prices wait as well, each replaced by the next one. Facts never wait.
BACKLOG_MAX = 256
# Large enough to cost nothing, small enough that a start folds few turns: a second's worth of recovery, by far.
SNAPSHOT_EVERY_TURNS = 2_000
QUIET_SNAPSHOTS = 10
"A quiet book's snapshot is renewed when it is this many times as many turns of the journal old."
# A submit that waited this part of its lease does not leave: the lease runs from its decision.
LEASE_PART = 2
# A detail in the journal is a sentence, not a dump.
DETAIL_LEN_MAX = 500

PASSING = (QuoteReceived, Heartbeat, FundingRateReceived, BorrowRateReceived)
"Events of which only the latest counts."

_encode_state = msgspec.json.Encoder().encode


class Journal(Protocol):
    """Where turns become durable, in the order of `append`."""

    @property
    def backlog_len(self) -> int: ...

    def append(self, turn: Turn) -> int:
        """Take a turn and return its seq; `Cycle.durable` is called later. Raises JournalError when it has ended."""
        ...

    def save_snapshot(self, book_id: BookId, body: bytes) -> None: ...


class Watcher(Protocol):
    """What is told of the cycle's doings, after they are done."""

    def turned(self, turns: list[tuple[int, Turn]]) -> None:
        """These turns are durable and their requests have left."""
        ...

    def faulted(self, book_id: BookId, error: Exception) -> None:
        """A book broke: nothing of any book leaves any more, and the journal says so."""
        ...

    def journal_failed(self, error: JournalError) -> None:
        """Nothing becomes durable any more; the cancels of entries have left."""
        ...


class _Pending(msgspec.Struct, frozen=True):
    """A turn on its way to the disk."""

    seq: int
    turn: Turn


class _Running:
    """One book, with what carries out its requests."""

    def __init__(
        self,
        book: Book,
        gateways: Mapping[LegId, Gateway],
        doors: Mapping[LegId, Dispatch],
        refused: Callable[[OrderRejected], None],
        turns_since_snapshot: int,
    ) -> None:
        self.book = book
        self.gateways = gateways
        self.doors = doors
        self.refused = refused
        "Takes the event of a submit that never left."
        self.timer: Timer | None = None
        self.armed_ns = 0
        self.turns_since_snapshot = turns_since_snapshot
        self.snapshot_seq = 0
        "Of the latest snapshot that this run saved."


class Cycle:
    """All books of a node, one event at a time."""

    def __init__(
        self,
        clock: Clock,
        journal: Journal,
        look_up: Callable[[BookId, LookUpFill], None],
        watcher: Watcher,
        snapshot_every_turns: int = SNAPSHOT_EVERY_TURNS,
        hurry: Callable[[], None] | None = None,
    ) -> None:
        """Begin without books.

        Args:
            look_up: begins to ask the journal for a fill; the answer comes as an event.
            hurry: called once an event that brought a hedge is stepped: a journal that would wait for more need not.
        """
        self._clock = clock
        self._journal = journal
        self._look_up = look_up
        self._watcher = watcher
        self._snapshot_every_turns = snapshot_every_turns
        self._hurry = hurry
        self._is_urgent = False
        "A hedge waits for the disk."
        self._running: dict[BookId, _Running] = {}
        self._facts: deque[tuple[BookId, Event]] = deque()
        "Never dropped: fills, answers, reads, operators, time."
        self._passing: dict[tuple[BookId, str], tuple[BookId, Event]] = {}
        "The latest of each kind; a newer one takes the place of the older."
        self._pending: deque[_Pending] = deque()
        self._is_stepping = False
        self._is_limited = False
        "A book has a limit over all books."
        self.is_broken = False
        "A book broke, or the journal did: nothing is stepped any more."

    def add(
        self,
        book: Book,
        gateways: Mapping[LegId, Gateway],
        doors: Mapping[LegId, Dispatch],
        turns_since_snapshot: int = 0,
    ) -> None:
        """Take a book whose first event, `BookStarted`, is about to be delivered.

        Args:
            turns_since_snapshot: how many turns of earlier runs the next start would have to fold.
        """
        book_id = book.config.book_id
        self._running[book_id] = _Running(
            book, gateways, doors, lambda event: self.deliver(book_id, event), turns_since_snapshot
        )

    @property
    def backlog_len(self) -> int:
        """Facts that wait to be looked at."""
        return len(self._facts)

    # Receiving.

    def deliver(self, book_id: BookId, event: Event) -> None:
        """Take one event. It is stepped at once, unless this is called from inside a step."""
        if self.is_broken:
            return
        if isinstance(event, PASSING):
            self._passing[book_id, _passing_key(event)] = (book_id, event)
        else:
            self._facts.append((book_id, event))
        if not self._is_stepping:
            self._drain()
            if self._is_urgent:
                self._is_urgent = False
                assert self._hurry is not None, "nobody else makes it urgent"
                self._hurry()

    def _drain(self) -> None:
        self._is_stepping = True
        try:
            while not self.is_broken:
                if self._facts:
                    self._step(*self._facts.popleft())
                elif self._passing and self._journal.backlog_len < BACKLOG_MAX:
                    self._step(*self._passing.pop(next(iter(self._passing))))
                else:
                    return
        finally:
            self._is_stepping = False

    # Stepping.

    def _step(self, book_id: BookId, event: Event) -> None:
        if type(event) is InterestCharged:
            whose = self._whose_interest(book_id, event)
            if whose is None:
                return
            book_id, event = whose
        running = self._running[book_id]
        book = running.book
        if type(event) is PortfolioSeen:
            # As it is now: since it was put in line, another book may have taken the room.
            event = self._portfolio()[book_id]
        if isinstance(event, PositionRead | FundingPaid) and book.legs[event.leg_id].shared:
            event = self._shared(book, event)
        mode = book.mode
        try:
            stepped = step(book, event)
            if book.mode is not mode and book.mode is not Mode.RUNNING:
                self._take_back_entries(running)
            if type(event) is BookStarted:
                self._is_limited = self._is_limited or portfolio.is_limited((book,))
            if stepped.turn is None:
                for command in stepped.commands:
                    self._send(running, command, event.ts_ns)
            else:
                self._append(running, stepped.turn)
                if self._is_limited and any(_is_entry(command) for command in stepped.commands):
                    self.tell_portfolio()
            self._arm(running)
        except JournalError as error:
            self.journal_broke(error)
        # A broken rule of ours: stop before it costs anything. This is the one place that takes everything.
        except Exception as error:
            self._fault(running, event, error)

    def tell_portfolio(self) -> None:
        """Tell each book what the others have, where that changed, before it looks at anything else."""
        for book_id, told in self._portfolio().items():
            if not portfolio.is_same(self._running[book_id].book.portfolio, told):
                self._facts.appendleft((book_id, told))
        if not self._is_stepping:
            self._drain()

    def _portfolio(self) -> dict[BookId, PortfolioSeen]:
        books = {book_id: running.book for book_id, running in self._running.items()}
        return portfolio.seen(books, self._clock.now_ns())

    def _whose_interest(self, book_id: BookId, event: InterestCharged) -> tuple[BookId, InterestCharged] | None:
        """Interest is charged to an account, and each leg that may borrow hears of it: the one that owes most books it.

        None when that was done.
        """
        account_id = self._running[book_id].book.legs[event.leg_id].account_id
        concerned = [
            (event.currency != leg.instrument.base, running.book.net_qty(leg.id), name, leg.id)
            for name, running in self._running.items()
            for leg in running.book.legs.values()
            if leg.account_id == account_id
            and leg.instrument.kind is InstrumentKind.MARGIN
            and event.currency in (leg.instrument.base, leg.instrument.quote)
        ]
        if any(
            event.interest_id in self._running[name].book.ledger(leg_id).interest_ids
            for _, _, name, leg_id in concerned
        ):
            return None
        _, _, name, leg_id = min(concerned, default=(False, ZERO, book_id, event.leg_id))
        return name, replace(event, leg_id=leg_id)

    def _shared(self, book: Book, event: PositionRead | FundingPaid) -> Event:
        """Tell what of a shared position other books hold by fills, or pass on this book's part of its funding."""
        leg = book.legs[event.leg_id]
        asked_ns = event.asked_ts_ns if isinstance(event, PositionRead) else event.ts_ns
        net_qty, is_shown = ZERO, True
        foreign_net_qty: Decimal | None = None
        for running in self._running.values():
            other = running.book
            leg_id = other.leg_of(leg.account_id, leg.instrument.id)
            if other is not book and leg_id is not None and leg_id in other.state.ledgers:
                net_qty += other.net_qty(leg_id)
                is_shown = is_shown and reconcile.is_shown(other, leg_id, asked_ns)
                if foreign_net_qty is None:
                    foreign_net_qty = other.ledger(leg_id).foreign_net_qty
        if isinstance(event, PositionRead):
            return replace(
                event,
                others_net_qty=net_qty,
                others_settled=is_shown,
                others_foreign_net_qty=foreign_net_qty,
            )
        own = book.net_qty(leg.id)
        return replace(event, net_quote=event.net_quote * own / (own + net_qty) if own + net_qty else ZERO)

    def _append(self, running: _Running, turn: Turn) -> None:
        seq = self._journal.append(turn)
        self._pending.append(_Pending(seq, turn))
        if self._hurry is not None and any(_is_hedge(command) for command in turn.commands):
            self._is_urgent = True
        running.turns_since_snapshot += 1
        if running.turns_since_snapshot >= self._snapshot_every_turns:
            self._save_snapshot(running, seq)
            # A start reads from the oldest of the latest snapshots on: that of a quiet book must not stay far behind.
            for other in self._running.values():
                if seq - other.snapshot_seq >= self._snapshot_every_turns * QUIET_SNAPSHOTS:
                    self._save_snapshot(other, seq)

    def _save_snapshot(self, running: _Running, seq: int) -> None:
        running.turns_since_snapshot = 0
        running.snapshot_seq = seq
        self._journal.save_snapshot(running.book.config.book_id, _encode_state(running.book.state))

    def _arm(self, running: _Running) -> None:
        due_ns = next_due_ns(running.book)
        if due_ns == running.armed_ns:
            return
        if running.timer is not None and running.armed_ns <= running.book.now_ns:
            # It is about to go off, and what it was armed for may be handled by it alone; it arms anew.
            return
        if running.timer is not None:
            running.timer.cancel()
        running.armed_ns = due_ns or 0
        running.timer = None if due_ns is None else self._clock.call_at(due_ns, lambda: self._time(running, due_ns))

    def _time(self, running: _Running, due_ns: int) -> None:
        running.timer, running.armed_ns = None, 0
        # A timer may go off early by a rounding; the book must see the moment that it named.
        self.deliver(running.book.config.book_id, TimeReached(max(self._clock.now_ns(), due_ns)))

    # Sending.

    def durable(self, seq: int) -> None:
        """Every turn up to `seq` is on disk: its requests leave, in the order of the turns."""
        if self.is_broken:
            return
        told: list[tuple[int, Turn]] = []
        while self._pending and self._pending[0].seq <= seq:
            pending = self._pending.popleft()
            running = self._running[pending.turn.book_id]
            turn = pending.turn
            requests = [command for command in turn.commands if isinstance(command, REQUESTS)]
            requests.sort(key=priority_of)
            for request in requests:
                self._send(running, request, turn.ts_ns)
            for command in turn.commands:
                if isinstance(command, LookUpFill):
                    self._look_up(turn.book_id, command)
            told.append((pending.seq, turn))
        if told:
            self._watcher.turned(told)
        # Prices may have waited for the disk.
        if self._passing and not self._is_stepping:
            self._drain()

    def _send(self, running: _Running, request: Command, decided_ns: int) -> None:
        assert isinstance(request, REQUESTS), request
        leg_id = request.leg_id
        expires_ns = decided_ns + running.book.legs[leg_id].lease_ms * NS_PER_MS // LEASE_PART
        running.doors[leg_id].send(request, running.gateways[leg_id], running.refused, expires_ns)

    def _take_back_entries(self, running: _Running) -> None:
        for door in running.doors.values():
            door.take_back_entries(running.gateways.values())

    # Breaking.

    def _fault(self, running: _Running, event: Event, error: Exception) -> None:
        """Nothing more leaves. The turn that broke is not in the journal; that it broke is."""
        self._close()
        book = running.book
        detail = f"{type(error).__name__}: {error}; at {type(event).__name__}"[:DETAIL_LEN_MAX]
        ts_ns = max(book.now_ns, event.ts_ns)
        try:
            self._journal.append(Turn(book.config.book_id, ts_ns, Faulted(ts_ns, detail)))
        except JournalError as journal_error:
            self._watcher.journal_failed(journal_error)
        self._watcher.faulted(book.config.book_id, error)

    def warn(self, detail: str) -> None:
        """The journal is about to fail: entries stop, all else goes on."""
        for book_id in self._running:
            self.deliver(book_id, JournalFailed(self._clock.now_ns(), detail))

    def journal_broke(self, error: JournalError) -> None:
        """Nothing becomes durable any more: only cancels leave, since an order could not be remembered."""
        if self.is_broken:
            return
        self.is_broken = True
        self._pending.clear()
        for running in self._running.values():
            if running.timer is not None:
                running.timer.cancel()
            self._take_back_entries(running)
            book, now_ns = running.book, self._clock.now_ns()
            commands = step(book, JournalFailed(now_ns, str(error))).commands
            cancels = {command.order_id: command for command in commands if isinstance(command, CancelOrder)}
            if book.config.hedge is not None and not isinstance(error, JournalFenced):
                # What rests would fill with nobody to hedge it, exits too. Another engine's orders are not ours to end.
                for order in (order for orders in book.live.values() for order in orders.values()):
                    if order.venue_order_id is not None:
                        cancels.setdefault(order.id, CancelOrder(order.id, order.leg_id, "journal failed"))
            for cancel in cancels.values():
                self._send(running, cancel, now_ns)
        self._watcher.journal_failed(error)

    def _close(self) -> None:
        self.is_broken = True
        self._pending.clear()
        for running in self._running.values():
            if running.timer is not None:
                running.timer.cancel()
            for door in running.doors.values():
                door.closed = True

    def end(self) -> None:
        """Step nothing any more, and let nothing leave."""
        self._close()


def _is_entry(command: Command) -> bool:
    return type(command) is SubmitOrder and command.role is Role.ENTRY


def _is_hedge(command: Command) -> bool:
    return type(command) is SubmitOrder and command.role is Role.HEDGE


def _passing_key(event: Event) -> str:
    match event:
        case QuoteReceived():
            return f"quote {event.quote.instrument_id}"
        case FundingRateReceived():
            return f"rate {event.rate.instrument_id}"
        case BorrowRateReceived():
            return f"loan {event.leg_id} {event.rate.currency}"
        case Heartbeat():
            return f"beat {event.leg_id}"
        case _:
            raise AssertionError(event)
