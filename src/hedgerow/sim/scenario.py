"""Runs stories: the real core and the real journal in virtual time, against venues that do what the story says.

A turn is committed before its requests count as sent, as in a live node; at each start and at the end of a story the
journal is folded again and must give the state that was lived.
"""

from __future__ import annotations

import heapq
import json as jsonlib
import re
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import TextIO, TypeVar

import msgspec
from msgspec.structs import replace

from hedgerow.core.book import Book
from hedgerow.core.commands import (
    REQUESTS,
    CancelOrder,
    CancelOrphan,
    Command,
    LookUpFill,
    QueryOrder,
    Read,
    SubmitOrder,
    Turn,
)
from hedgerow.core.config import NS_PER_MS, NS_PER_S, BookConfig, HedgeRule, LegConfig, Limits, Timing
from hedgerow.core.events import (
    Action,
    BookStarted,
    CancelAnswered,
    CancelOutcome,
    Event,
    FillLookedUp,
    FillReceived,
    FundingPaid,
    FundingRateReceived,
    Heartbeat,
    InstrumentChanged,
    JournalFailed,
    LinkDown,
    LinkUp,
    OpenOrder,
    OpenOrdersRead,
    OperatorCommanded,
    OrderAccepted,
    OrderNotFound,
    OrderQueryFailed,
    OrderRejected,
    OrderReported,
    OrderUnknown,
    PositionModeRead,
    PositionRead,
    QuoteReceived,
    ReadFailed,
    ReadKind,
    RejectClass,
    TimeReached,
    TradesRead,
)
from hedgerow.core.step import empty_book, fold, next_due_ns, step
from hedgerow.core.target import Strategy
from hedgerow.journal.errors import JournalFenced
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.model.ids import (
    BookId,
    ClientOrderId,
    InstrumentId,
    LegId,
    OrderKey,
    TradeId,
    VenueId,
    VenueOrderId,
    encode_order_id,
)
from hedgerow.model.instrument import FeeCurrency, Instrument, InstrumentKind
from hedgerow.model.market import FundingRate, Level, Quote
from hedgerow.model.numbers import ZERO
from hedgerow.model.order import Fill, OrderStatus, OrderType, Role, Side, TimeInForce
from hedgerow.sim.story import COMMANDED, HOLDS, MESSAGES, SETUP, TOLD, BadStory, Line, parse, split
from hedgerow.strategies import carry, mirror
from hedgerow.strategies.params import BadParams
from hedgerow.strategies.params import parse as parse_params

# 2026-01-01 00:00 UTC: any moment would do, but the same one each time.
START_NS = 1_767_225_600 * NS_PER_S
# Each told line comes a moment after the one before, so that time orders what the story orders.
LINE_NS = NS_PER_MS
# A standing quote and a live venue's sign of life are heard this often while time passes.
TICK_NS = NS_PER_S
# Far more than any story needs; a book that asks for ever must fail its story, not hang it.
EVENTS_PER_LINE_MAX = 100_000
DEFAULT_LEVEL_QTY = Decimal(1000)
DEFAULT_BIDS = ((Decimal("99.99"), DEFAULT_LEVEL_QTY),)
DEFAULT_ASKS = ((Decimal("100.01"), DEFAULT_LEVEL_QTY),)
# What a policy must be told, where a story does not care.
DEFAULT_PARAMS: dict[str, dict[str, str]] = {
    "mirror": {"qty": "0.5", "max_net_qty": "0.5"},
    "carry": {"entry_qty": "0.5", "max_net_qty": "0.5", "entry_on": "signal"},
}
# Word of a story -> field of the instrument.
FILTER_FIELDS = {
    "tick": "tick",
    "step": "step",
    "min": "min_qty",
    "max": "max_qty",
    "min_notional": "min_notional",
    "multiplier": "multiplier",
}

LEAD, HEDGE = LegId("lead"), LegId("hedge")

T = TypeVar("T")


class Unmet(Exception):
    """Something that a story demands is not so."""

    def __init__(self, line: int, expected: str, got: str, to_do: str) -> None:
        super().__init__(f"expected {expected}, got {got}; {to_do}")
        self.line = line
        self.expected = expected
        self.got = got
        self.to_do = to_do


class Result(msgspec.Struct, frozen=True):
    """How one story ended: at its end, or at its first problem."""

    name: str
    expectations: int
    "`<` and `=` lines that were met."
    passed: bool
    readable: bool = True
    "Whether it could be run at all."
    line: int = 0
    "Where the problem is; 0 when there is none, or when it is the file itself."
    expected: str = ""
    got: str = ""
    to_do: str = ""

    @property
    def told(self) -> str:
        """Return the problem in one line, `FILE:LINE: expected … got …; what to do`."""
        place = f"{self.name}:{self.line}" if self.line else self.name
        return f"{place}: expected {self.expected}, got {self.got}; {self.to_do}"


def run_file(path: Path) -> Result:
    """Run the story in a file. What is wrong with it is in the result, never raised."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        got = error.strerror if isinstance(error, OSError) and error.strerror else "bytes that are no UTF-8 text"
        return Result(str(path), 0, False, False, 0, "a readable text file", got, "check the path")
    return run_text(str(path), text)


def run_text(name: str, text: str) -> Result:
    """Run a story. What is wrong with it is in the result, never raised."""
    story: Story | None = None
    try:
        lines = parse(text)
        story = Story(lines)
        story.run()
    except BadStory as bad:
        met = story.met if story is not None else 0
        return Result(name, met, False, False, bad.line, bad.expected, bad.got, bad.to_do)
    except Unmet as unmet:
        met = story.met if story is not None else 0
        return Result(name, met, False, True, unmet.line, unmet.expected, unmet.got, unmet.to_do)
    except AssertionError as broken:
        met, line = (story.met, story.line.number) if story is not None else (0, 0)
        got = f"a broken assert: {broken}"
        return Result(name, met, False, True, line, "the engine's own checks to hold", got, "report it with this story")
    return Result(name, story.met, True)


def run(paths: Iterable[Path], out: TextIO, err: TextIO, *, json: bool = False) -> int:
    """Run stories one after the other and tell how each ended.

    Args:
        paths: the files, in this order.
        out: where results go.
        err: where files that are no story are told of.
        json: write one object `hedgerow.scenario/1` to `out` instead of lines.

    Returns:
        0 all passed; 1 an expectation was not met; 2 a story or file cannot be read (wins over 1).
    """
    results = [run_file(path) for path in paths]
    unreadable = [result for result in results if not result.readable]
    failed = [result for result in results if result.readable and not result.passed]
    passed = len(results) - len(failed) - len(unreadable)
    if json:
        told = {
            "schema": "hedgerow.scenario/1",
            "stories": len(results),
            "passed": passed,
            "failed": len(failed),
            "unreadable": len(unreadable),
            "results": [msgspec.to_builtins(result) for result in results],
        }
        out.write(jsonlib.dumps(told) + "\n")
    else:
        for result in results:
            if result.passed:
                out.write(f"ok    {result.name}  {result.expectations} expectations\n")
            else:
                (out if result.readable else err).write(f"FAIL  {result.told}\n")
        out.write(f"{len(results)} stories: {passed} passed, {len(failed)} failed, {len(unreadable)} unreadable\n")
    return 2 if unreadable else 1 if failed else 0


class Placed(msgspec.Struct):
    """An order that reached a venue, as the story has told of it."""

    command: SubmitOrder
    venue_order_id: VenueOrderId
    filled_qty: Decimal = ZERO
    is_shown: bool = False
    "The venue has said that it has it, or traded it: reads show it."
    is_over: bool = False

    @property
    def leaves_qty(self) -> Decimal:
        return ZERO if self.is_over else max(self.command.qty - self.filled_qty, ZERO)


class Engine:
    """One run of an engine on the journal."""

    def __init__(self, connection: sqlite3.Connection, config: BookConfig, strategy: Strategy) -> None:
        self.store = SqliteStore(connection)
        self.store.start_epoch()
        self.book = recover(self.store, config, strategy)

    def take(self, event: Event, crash: str) -> tuple[tuple[Command, ...], bool]:
        """Step, make the turn durable; return what leaves and whether the engine died on the way.

        Raises:
            JournalFenced: a later engine has the journal; nothing leaves.
        """
        stepped = step(self.book, event)
        acts = any(isinstance(command, SubmitOrder | CancelOrder) for command in stepped.commands)
        dies = bool(crash) and acts
        if dies and crash == "before append":
            return (), True
        if stepped.turn is not None:
            self.store.append([stepped.turn])
            self.store.commit()
        if not dies:
            return stepped.commands, False
        if crash == "after append":
            return (), True
        requests = tuple(command for command in stepped.commands if isinstance(command, REQUESTS))
        return (requests[:1] if crash == "between sends" else requests), True


def recover(store: SqliteStore, config: BookConfig, strategy: Strategy) -> Book:
    """Return the book that the journal's turns add up to."""
    book = empty_book(config, strategy)
    for record in store.turns(book_id=config.book_id):
        fold(book, record.turn)
    return book


class Story:
    """One story under way: its engine, its venues, its clock."""

    def __init__(self, lines: tuple[Line, ...]) -> None:
        self.met = 0
        "Expectations met so far."
        setup = [line for line in lines if line.mark == SETUP]
        self._lines = [line for line in lines if line.mark != SETUP]
        self.line = lines[0] if lines else Line(1, SETUP, "", {}, "")
        self._config, self._legs = configured(setup)
        self._strategy = make_strategy(self._config, setup)
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self._now_ns = START_NS
        self._started = False
        self._engine: Engine | None = None
        self._zombies: list[Engine] = []
        self._fenced = False
        self._crash = ""
        self._queue: deque[Event] = deque()
        self._later: list[tuple[int, int, Event]] = []
        self._last_message: list[Event] = []
        self._names: dict[str, ClientOrderId] = {}
        self._placed: dict[ClientOrderId, Placed] = {}
        self._fills: dict[LegId, list[Fill]] = {leg.id: [] for leg in self._config.legs}
        self._accounts: dict[LegId, tuple[Decimal, Decimal | None]] = {}
        for line in setup:
            if line.verb == "account":
                price = line.amount("PRICE") if line.has("PRICE") else None
                self._accounts[self._leg(line)] = (line.amount("NET"), price)
        self._orphans: dict[LegId, list[OpenOrder]] = {}
        self._quotes: dict[LegId, Quote] = {}
        if not any(line.verb == "quote" and self._legs.get(line.text("INSTRUMENT")) == HEDGE for line in self._lines):
            instrument_id = self._config.leg(HEDGE).instrument.id
            self._quotes[HEDGE] = Quote(instrument_id, START_NS, DEFAULT_BIDS, DEFAULT_ASKS)
        self._read_modes: dict[tuple[LegId, ReadKind], str] = {}
        self._silent: set[LegId] = set()
        self._pending: list[SubmitOrder | CancelOrder | CancelOrphan] = []
        self._asked: list[QueryOrder | Read] = []
        self._query_ts_ns: dict[ClientOrderId, int] = {}
        self._sent: dict[InstrumentId, int] = {}
        self._numbers = 0
        self._events_left = EVENTS_PER_LINE_MAX
        self._messages: dict[str, Callable[[Line], list[Event]]] = {
            name: getattr(self, f"_message_{name}") for name in sorted(MESSAGES)
        }

    def run(self) -> None:
        """Play the story to its end.

        Raises:
            BadStory: it names what it never introduced.
            Unmet: an expectation does not hold.
        """
        for line in self._lines:
            self.line = line
            self._events_left = EVENTS_PER_LINE_MAX
            standing = line.mark == TOLD and line.verb in ("reads", "silent")
            if not self._started and not standing:
                self._start()
            if line.mark == TOLD:
                self._tell(line)
            elif line.mark == COMMANDED:
                getattr(self, f"_commanded_{line.verb}")(line)
                self.met += 1
            else:
                assert line.mark == HOLDS, line
                getattr(self, f"_holds_{line.verb}")(line)
                self.met += 1
        self._expect_nothing_left()
        self._check_journal()

    # The engine.

    def _start(self, halted: bool = False) -> None:
        self._started = True
        self._engine = Engine(self._connection, self._config, self._strategy)
        config = self._engine.book.config if self._engine.book.state.epoch else self._config
        self._deliver(BookStarted(self._now_ns, self._engine.store.epoch, config, halted))
        for leg_id in self._quotes:
            self._deliver_quote(leg_id)

    @property
    def _book(self) -> Book:
        if self._engine is None:
            raise Unmet(self.line.number, "a running engine", "one that has died", "write `> restart` before this line")
        return self._engine.book

    def _check_journal(self) -> None:
        """The journal alone must give the state that was lived."""
        if self._engine is None:
            return
        lived = self._engine.book.digest()
        folded = recover(self._engine.store, self._config, self._strategy).digest()
        assert lived == folded, "the journal folds to another state than the one that was lived"

    def _die(self) -> None:
        self._engine = None
        self._crash = ""
        self._queue.clear()

    def _deliver(self, event: Event) -> None:
        self._queue.append(event)
        while self._queue:
            self._handle(self._queue.popleft())
            engine = self._engine
            if not self._queue and engine is not None and engine.book.look_again:
                self._now_ns += 1
                self._queue.append(TimeReached(self._now_ns))

    def _handle(self, event: Event) -> None:
        self._events_left -= 1
        if self._events_left <= 0:
            got = f"{EVENTS_PER_LINE_MAX} events in one line"
            raise Unmet(self.line.number, "the book to come to rest", got, "look at the last turns: it asks for ever")
        for zombie in list(self._zombies):
            try:
                zombie.take(event, "")
            except JournalFenced:
                self._fenced = True
                self._zombies.remove(zombie)
        if self._engine is None:
            return
        commands, died = self._engine.take(event, self._crash)
        for command in commands:
            self._send(command)
        if died:
            self._die()

    def _send(self, command: Command) -> None:
        """Let one request leave. The venues of a story answer reads by themselves, and nothing else."""
        match command:
            case SubmitOrder():
                self._numbers += 1
                self._placed[command.order_id] = Placed(command, VenueOrderId(f"v{self._numbers}"))
                self._sent[command.instrument_id] = self._sent.get(command.instrument_id, 0) + 1
                self._pending.append(command)
            case CancelOrder() | CancelOrphan():
                self._pending.append(command)
            case QueryOrder():
                self._asked.append(command)
                self._query_ts_ns[command.order_id] = self._now_ns
            case Read():
                self._asked.append(command)
                self._answer(command)
            case LookUpFill():
                assert self._engine is not None, command
                fill = command.fill
                booked = self._engine.store.find_fill(
                    fill.account_id, fill.instrument_id, fill.trade_id, self._config.book_id
                )
                self._queue.append(FillLookedUp(self._now_ns, fill, booked))
            case _:
                pass

    def _answer(self, read: Read) -> None:
        mode = self._read_modes.get((read.leg_id, read.kind), "answer")
        if mode == "silent" or read.leg_id in self._silent:
            return
        if mode == "fail":
            self._queue.append(ReadFailed(self._now_ns, read.leg_id, read.kind, "the story lets it fail"))
        else:
            self._queue.append(self._read_answer(read.leg_id, read.kind, read.cursor, empty=mode == "empty"))

    def _read_answer(self, leg_id: LegId, kind: ReadKind, cursor: str, *, empty: bool) -> Event:
        now_ns = self._now_ns
        match kind:
            case ReadKind.OPEN_ORDERS:
                return OpenOrdersRead(now_ns, leg_id, now_ns, () if empty else self._open_orders(leg_id))
            case ReadKind.TRADES:
                if empty:
                    return TradesRead(now_ns, leg_id, now_ns, (), cursor)
                fills = self._fills[leg_id]
                return TradesRead(now_ns, leg_id, now_ns, tuple(fills[int(cursor or 0) :]), str(len(fills)))
            case _:
                if empty:
                    return PositionRead(now_ns, leg_id, now_ns, ZERO)
                base = self._config.leg(leg_id).instrument.base
                held, price = self._accounts.get(leg_id, (ZERO, None))
                held += sum((fill.net_qty(base) for fill in self._fills[leg_id]), ZERO)
                return PositionRead(now_ns, leg_id, now_ns, held, price)

    def _open_orders(self, leg_id: LegId) -> tuple[OpenOrder, ...]:
        shown = tuple(
            OpenOrder(
                placed.venue_order_id,
                placed.command.side,
                placed.command.qty,
                placed.filled_qty,
                placed.command.order_id,
            )
            for placed in self._placed.values()
            if placed.command.leg_id == leg_id and placed.is_shown and placed.leaves_qty > 0
        )
        return (*shown, *self._orphans.get(leg_id, ()))

    # Time.

    def _advance(self, duration: int) -> None:
        """Let time pass: late messages, signs of life, standing quotes and the book's own timers, in order."""
        end_ns = self._now_ns + duration
        while True:
            tick_ns = (self._now_ns - START_NS) // TICK_NS * TICK_NS + TICK_NS + START_NS
            due = [tick_ns]
            if self._later:
                due.append(self._later[0][0])
            timer_ns = next_due_ns(self._engine.book) if self._engine is not None else None
            if timer_ns is not None:
                due.append(timer_ns)
            at_ns = max(min(due), self._now_ns)
            if at_ns > end_ns:
                break
            self._now_ns = at_ns
            while self._later and self._later[0][0] <= at_ns:
                self._deliver(stamped(heapq.heappop(self._later)[2], self._now_ns))
            if at_ns == tick_ns:
                self._tick()
            if timer_ns is not None and timer_ns <= at_ns and self._engine is not None:
                self._deliver(TimeReached(self._now_ns))
        self._now_ns = max(end_ns, self._now_ns)

    def _tick(self) -> None:
        for leg in self._config.legs:
            if leg.id in self._silent:
                continue
            self._deliver(Heartbeat(self._now_ns, leg.id))
            if leg.id in self._quotes:
                self._deliver_quote(leg.id)

    def _deliver_quote(self, leg_id: LegId) -> None:
        if leg_id not in self._silent:
            self._deliver(stamped(QuoteReceived(self._now_ns, self._quotes[leg_id]), self._now_ns))

    # Told lines.

    def _tell(self, line: Line) -> None:
        self._expect_nothing_left()
        self._asked.clear()
        self._advance(LINE_NS)
        if line.verb not in self._messages:
            getattr(self, f"_deed_{line.verb}")(line)
            return
        self._last_message = self._messages[line.verb](line)
        for event in self._last_message:
            self._deliver(stamped(event, self._now_ns))

    def _deed_lost(self, line: Line) -> None:
        assert line.message is not None, line
        self._last_message = self._messages[line.message.verb](replace(line.message, number=line.number))

    def _deed_late(self, line: Line) -> None:
        assert line.message is not None, line
        for event in self._messages[line.message.verb](line.message):
            self._numbers += 1
            heapq.heappush(self._later, (self._now_ns + line.duration_ns(), self._numbers, event))

    def _deed_repeat(self, line: Line) -> None:
        if not self._last_message:
            raise BadStory(line.number, "a message to repeat", "none so far", "tell one before this line")
        for _ in range(line.count("TIMES") if line.has("TIMES") else 1):
            for event in self._last_message:
                self._deliver(stamped(event, self._now_ns))

    def _deed_reads(self, line: Line) -> None:
        leg_id = self._leg(line)
        kinds = [ReadKind(line.text("READ"))] if line.has("READ") else list(ReadKind)
        for kind in kinds:
            self._read_modes[(leg_id, kind)] = line.text("HOW")

    def _deed_silent(self, line: Line) -> None:
        self._silent.add(self._leg(line))

    def _deed_alive(self, line: Line) -> None:
        leg_id = self._leg(line)
        self._silent.discard(leg_id)
        self._deliver(Heartbeat(self._now_ns, leg_id))
        if leg_id in self._quotes:
            self._deliver_quote(leg_id)

    def _deed_orphan(self, line: Line) -> None:
        leg_id = self._leg(line)
        self._numbers += 1
        # A sequence that this run will not reach: another copy of the engine, or a journal that was set back.
        key = OrderKey(self._config.tag, self._book.state.epoch, self._book.state.order_seq + 1_000_000)
        order_id = encode_order_id(key)
        self._names[line.text("NAME")] = order_id
        row = OpenOrder(VenueOrderId(f"v{self._numbers}"), side_of(line), line.amount("QTY"), ZERO, order_id)
        self._orphans.setdefault(leg_id, []).append(row)

    def _deed_after(self, line: Line) -> None:
        self._advance(line.duration_ns())

    def _deed_retry_due(self, line: Line) -> None:
        due = [refusal.retry_ts_ns for refusal in self._book.state.refusals.values()]
        waiting = [ts_ns for ts_ns in due if ts_ns > self._now_ns]
        if not waiting:
            raise Unmet(line.number, "a refusal whose next try is due later", "none", "tell a `rejected` before it")
        self._advance(min(waiting) - self._now_ns)

    def _deed_operator(self, line: Line) -> None:
        action = Action(line.text("ACTION")) if line.has("ACTION") else Action.SIGNAL
        ago_ns = line.duration_ns() if line.has("DURATION") else 0
        self._last_message = [
            OperatorCommanded(
                self._now_ns,
                action,
                line.text("WHO"),
                line.text("REQUEST"),
                line.has("accept_drift"),
                line.text("NAME"),
                self._now_ns - ago_ns if action is Action.SIGNAL else 0,
            )
        ]
        for event in self._last_message:
            self._deliver(event)

    def _deed_crash(self, line: Line) -> None:
        if not line.has("WHEN"):
            _ = self._book
            self._check_journal()
            self._die()
            return
        crash = f"{line.text('WHEN')} {line.text('WHAT')}"
        points = ("before append", "after append", "between sends", "after send")
        if crash not in points:
            raise BadStory(line.number, f"one of: {', '.join(points)}", f"'{crash}'", "say where in the turn it dies")
        self._crash = crash

    def _deed_restart(self, line: Line) -> None:
        if self._engine is not None:
            self._check_journal()
            self._die()
        self._start(line.has("halted"))

    def _deed_second_engine(self, line: Line) -> None:
        assert line.verb == "second_engine", line
        if self._engine is not None:
            self._zombies.append(self._engine)
        self._die()
        self._start()

    def _deed_journal_failed(self, line: Line) -> None:
        self._deliver(JournalFailed(self._now_ns, line.text("TEXT")))

    # Messages of venues: what is true from now on, and the events that tell of it.

    def _message_accepted(self, line: Line) -> list[Event]:
        placed = self._order(line)
        placed.is_shown = True
        return [OrderAccepted(self._now_ns, placed.command.order_id, placed.venue_order_id)]

    def _message_rejected(self, line: Line) -> list[Event]:
        placed = self._order(line)
        placed.is_over = True
        wait_ns = line.duration_ns() if line.has("DURATION") else 0
        reject_class = RejectClass(line.text("CLASS"))
        order_id = placed.command.order_id
        return [OrderRejected(self._now_ns, order_id, reject_class, line.text("CODE"), line.text("TEXT"), wait_ns)]

    def _message_unknown(self, line: Line) -> list[Event]:
        return [OrderUnknown(self._now_ns, self._order(line).command.order_id, line.text("TEXT"))]

    def _message_not_found(self, line: Line) -> list[Event]:
        order_id = self._order(line).command.order_id
        return [OrderNotFound(self._now_ns, order_id, self._query_ts_ns.get(order_id, self._now_ns))]

    def _message_query_failed(self, line: Line) -> list[Event]:
        return [OrderQueryFailed(self._now_ns, self._order(line).command.order_id, line.text("TEXT"))]

    def _message_working(self, line: Line) -> list[Event]:
        placed = self._order(line)
        placed.is_shown = True
        return [self._report(placed, OrderStatus.OPEN, line)]

    def _message_canceled(self, line: Line) -> list[Event]:
        return [self._report(self._order(line), OrderStatus.CANCELED, line)]

    def _message_expired(self, line: Line) -> list[Event]:
        return [self._report(self._order(line), OrderStatus.EXPIRED, line)]

    def _message_done(self, line: Line) -> list[Event]:
        placed = self._order(line)
        event = self._report(placed, OrderStatus.FILLED, line)
        return [event if line.has("CUM") else replace(event, cum_qty=placed.command.qty)]

    def _report(self, placed: Placed, status: OrderStatus, line: Line) -> OrderReported:
        placed.is_over = status is not OrderStatus.OPEN
        cum = line.text("CUM")
        cum_qty = None if cum == "?" else Decimal(cum) if cum else placed.filled_qty
        return OrderReported(
            self._now_ns,
            placed.command.order_id,
            status,
            cum_qty,
            placed.venue_order_id,
            line.text("TEXT"),
            line.text("CODE"),
        )

    def _message_cancel(self, line: Line) -> list[Event]:
        order_id = self._names.get(line.text("ORDER"))
        outcome = CancelOutcome(line.text("OUTCOME"))
        if order_id is None:
            raise self._unknown_name(line)
        if outcome is CancelOutcome.ACCEPTED:
            for leg_id, rows in self._orphans.items():
                self._orphans[leg_id] = [row for row in rows if row.order_id != order_id]
        return [CancelAnswered(self._now_ns, order_id, outcome, line.text("CODE"), line.text("TEXT"))]

    def _message_filled(self, line: Line) -> list[Event]:
        qty = line.amount("QTY")
        placed = self._order(line) if line.has("ORDER") else self._resting(line, qty)
        placed.filled_qty += qty
        placed.is_shown = True
        command = placed.command
        order_id = None if line.has("nameless") else command.order_id
        return [self._trade(line, command.leg_id, command.side, order_id, placed.venue_order_id)]

    def _message_foreign(self, line: Line) -> list[Event]:
        self._numbers += 1
        return [self._trade(line, self._leg(line), side_of(line), None, VenueOrderId(f"foreign{self._numbers}"))]

    def _message_liquidated(self, line: Line) -> list[Event]:
        return [self._trade(line, self._leg(line), side_of(line), None, None, venue_made=True)]

    def _trade(
        self,
        line: Line,
        leg_id: LegId,
        side: Side,
        order_id: ClientOrderId | None,
        venue_order_id: VenueOrderId | None,
        *,
        venue_made: bool = False,
    ) -> FillReceived:
        leg = self._config.leg(leg_id)
        self._numbers += 1
        fill = Fill(
            TradeId(line.text("TRADE") or f"t{self._numbers}"),
            leg.account_id,
            leg.instrument.id,
            side,
            line.amount("QTY"),
            line.amount("PRICE"),
            self._now_ns,
            order_id,
            venue_order_id,
            line.amount("FEE") if line.has("FEE") else ZERO,
            line.text("CURRENCY") or leg.instrument.quote,
            line.has("maker"),
            venue_made,
        )
        self._fills[leg_id].append(fill)
        return FillReceived(self._now_ns, fill)

    def _resting(self, line: Line, qty: Decimal) -> Placed:
        """Return the order of that side that rests there, or one that an earlier turn of the journal sent."""
        leg_id, side = self._leg(line), side_of(line)
        for placed in self._placed.values():
            command = placed.command
            if command.leg_id == leg_id and command.side is side and placed.leaves_qty >= qty:
                return placed
        book, engine = self._book, self._engine
        assert engine is not None, line
        self._numbers += 1
        order = SubmitOrder(
            encode_order_id(OrderKey(self._config.tag, book.state.epoch, book.state.order_seq + 1)),
            leg_id,
            self._config.leg(leg_id).instrument.id,
            side,
            qty,
            OrderType.LIMIT,
            Role.ENTRY if leg_id == LEAD else Role.HEDGE,
            line.amount("PRICE"),
        )
        turn = Turn(self._config.book_id, self._now_ns, TimeReached(self._now_ns), (order,))
        engine.store.append([turn])
        engine.store.commit()
        fold(book, turn)
        self._placed[order.order_id] = Placed(order, VenueOrderId(f"v{self._numbers}"))
        return self._placed[order.order_id]

    def _message_open_orders(self, line: Line) -> list[Event]:
        leg_id = self._leg(line)
        names = line.text("ORDERS").split()
        rows: list[OpenOrder] = []
        for name in names if names != ["none"] else []:
            if name not in self._names:
                raise self._unknown_name(line, name)
            placed = self._placed[self._names[name]]
            placed.is_shown = True
            command = placed.command
            rows.append(
                OpenOrder(placed.venue_order_id, command.side, command.qty, placed.filled_qty, command.order_id)
            )
        return [OpenOrdersRead(self._now_ns, leg_id, self._now_ns, tuple(rows))]

    def _message_trades(self, line: Line) -> list[Event]:
        fills = () if line.has("none") else tuple(self._fills[self._leg(line)])
        return [TradesRead(self._now_ns, self._leg(line), self._now_ns, fills)]

    def _message_position(self, line: Line) -> list[Event]:
        return [PositionRead(self._now_ns, self._leg(line), self._now_ns, line.amount("NET"))]

    def _message_read_failed(self, line: Line) -> list[Event]:
        return [ReadFailed(self._now_ns, self._leg(line), ReadKind(line.text("READ")), line.text("TEXT"))]

    def _message_quote(self, line: Line) -> list[Event]:
        leg_id = self._leg(line)
        bids, slash, asks = line.text("LEVELS").partition("/")
        if not slash:
            raise BadStory(line.number, "`BIDS / ASKS`", f"'{line.text('LEVELS')}'", "put a `/` between bids and asks")
        instrument_id = self._config.leg(leg_id).instrument.id
        quote = Quote(instrument_id, self._now_ns, levels(line.number, bids), levels(line.number, asks))
        self._quotes[leg_id] = quote
        return [QuoteReceived(self._now_ns, quote)]

    def _message_funding_rate(self, line: Line) -> list[Event]:
        next_ns = self._now_ns + (line.duration_ns() if line.has("DURATION") else 3_600 * NS_PER_S)
        instrument_id = self._config.leg(self._leg(line)).instrument.id
        rate = FundingRate(instrument_id, self._now_ns, line.amount("RATE"), 28_800, next_ns)
        return [FundingRateReceived(self._now_ns, rate)]

    def _message_funding_paid(self, line: Line) -> list[Event]:
        self._numbers += 1
        name = line.text("TRADE") or f"f{self._numbers}"
        return [FundingPaid(self._now_ns, self._leg(line), name, line.amount("NET"))]

    def _message_link_down(self, line: Line) -> list[Event]:
        return [LinkDown(self._now_ns, self._leg(line), line.text("TEXT"))]

    def _message_link_up(self, line: Line) -> list[Event]:
        return [LinkUp(self._now_ns, self._leg(line))]

    def _message_heartbeat(self, line: Line) -> list[Event]:
        return [Heartbeat(self._now_ns, self._leg(line))]

    def _message_position_mode(self, line: Line) -> list[Event]:
        agrees = line.text("AGREES") == "agrees"
        return [PositionModeRead(self._now_ns, self._leg(line), agrees, line.text("TEXT"))]

    def _message_filters(self, line: Line) -> list[Event]:
        leg_id = self._leg(line)
        instrument = filtered(self._book.legs[leg_id].instrument, line)
        return [InstrumentChanged(self._now_ns, instrument)]

    # Commanded.

    def _expect_nothing_left(self) -> None:
        if self._pending:
            got = " and ".join(self._told(command) for command in self._pending)
            raise Unmet(
                self.line.number, "no further submit or cancel before this line", got, "add it with `<`, if it is right"
            )

    def _commanded_submit(self, line: Line) -> None:
        for command in self._pending:
            if isinstance(command, SubmitOrder) and self._is_asked(line, command):
                self._pending.remove(command)
                if line.has("NAME"):
                    self._names[line.text("NAME")] = command.order_id
                return
        raise self._not_commanded(line)

    def _is_asked(self, line: Line, command: SubmitOrder) -> bool:
        if self._legs.get(line.text("INSTRUMENT")) != command.leg_id:
            self._leg(line)
            return False
        if command.side.value != line.text("SIDE") or command.qty != line.amount("QTY"):
            return False
        if line.has("PRICE") and command.limit_price != line.amount("PRICE"):
            return False
        if line.has("SLOT") and command.slot != line.text("SLOT"):
            return False
        words = {
            "market": command.type is OrderType.MARKET,
            "limit": command.type is OrderType.LIMIT,
            "ioc": command.time_in_force is TimeInForce.IOC,
            "post_only": command.post_only,
            "reduce_only": command.reduce_only,
            "plain": not command.post_only and not command.reduce_only,
            **{role.value: command.role is role for role in Role},
        }
        return all(is_so for word, is_so in words.items() if line.has(word))

    def _commanded_cancel(self, line: Line) -> None:
        order_id = self._names.get(line.text("ORDER"))
        if order_id is None:
            raise self._unknown_name(line)
        for command in self._pending:
            if isinstance(command, SubmitOrder) or command.order_id != order_id:
                continue
            if line.has("WHY") and (isinstance(command, CancelOrphan) or command.reason != line.text("WHY")):
                continue
            self._pending.remove(command)
            return
        raise self._not_commanded(line)

    def _commanded_query(self, line: Line) -> None:
        order_id = self._order(line).command.order_id
        if not any(isinstance(command, QueryOrder) and command.order_id == order_id for command in self._asked):
            raise Unmet(line.number, f"query {line.text('ORDER')}", "none", self._hint())

    def _commanded_read(self, line: Line) -> None:
        leg_id, kind = self._leg(line), ReadKind(line.text("READ"))
        if not any(isinstance(c, Read) and c.leg_id == leg_id and c.kind is kind for c in self._asked):
            raise Unmet(line.number, f"read {line.text('INSTRUMENT')} {kind.value}", "none", self._hint())

    def _commanded_nothing(self, line: Line) -> None:
        if self._pending:
            raise self._not_commanded(line)

    def _not_commanded(self, line: Line) -> Unmet:
        expected = " ".join(
            [line.verb, *(word for key, word in line.values.items() if key not in (line.verb, "NAME", "as"))]
        )
        got = " and ".join(self._told(command) for command in self._pending) or "nothing"
        return Unmet(line.number, expected, got, self._hint())

    def _told(self, command: SubmitOrder | CancelOrder | CancelOrphan) -> str:
        if isinstance(command, CancelOrphan):
            return f"cancel {self._name(command.order_id)}"
        if isinstance(command, CancelOrder):
            return f"cancel {self._name(command.order_id)} because {command.reason}"
        words = ["submit", command.instrument_id, command.side.value, str(command.qty)]
        if command.limit_price is not None:
            words.append(f"@ {command.limit_price}")
        words += [command.role.value, command.type.value]
        if command.time_in_force is TimeInForce.IOC:
            words.append("ioc")
        words += [
            word for word, is_so in (("post_only", command.post_only), ("reduce_only", command.reduce_only)) if is_so
        ]
        return " ".join([*words, *(["slot", command.slot] if command.slot else [])])

    def _hint(self) -> str:
        """Say what the book itself holds back: mostly that is the answer."""
        if self._engine is None:
            return "the engine has died: write `> restart`"
        book = self._engine.book
        holds = "; ".join(self._told_hold(key) for key in book.state.holds) or "none"
        return f"residual {book.residual}, mode {book.mode.value}, holds: {holds}"

    def _told_hold(self, key: str) -> str:
        hold = self._book.state.holds[key]
        numbers = " ".join(f'{name} "{value}"' if " " in value else f"{name} {value}" for name, value in hold.numbers)
        where = self._book.legs[hold.leg_id].instrument.id
        return " ".join(part for part in (where, hold.reason.value, hold.slot and f"slot {hold.slot}", numbers) if part)

    # Must hold.

    def _same(self, line: Line, what: str, expected: Decimal | int, got: Decimal | int) -> None:
        if expected != got:
            raise Unmet(line.number, f"{what} {expected}", str(got), self._hint())

    def _holds_residual(self, line: Line) -> None:
        if line.text("BOOK") != self._config.book_id:
            raise BadStory(
                line.number,
                f"the book '{self._config.book_id}'",
                f"'{line.text('BOOK')}'",
                "name the book of the story",
            )
        self._same(line, "residual", line.amount("NET"), self._book.residual)

    def _holds_hedged(self, line: Line) -> None:
        if not self._book.is_hedged:
            raise Unmet(line.number, "a hedged book", f"residual {self._book.residual}", self._hint())

    def _holds_unhedged(self, line: Line) -> None:
        if self._book.is_hedged:
            raise Unmet(line.number, "an unhedged book", f"residual {self._book.residual}", self._hint())

    def _holds_position(self, line: Line) -> None:
        self._same(line, f"position {line.text('INSTRUMENT')}", line.amount("NET"), self._book.net_qty(self._leg(line)))

    def _holds_hold(self, line: Line) -> None:
        leg_id = self._leg(line)
        wanted = pairs(line.number, line.text("NUMBERS"))
        for hold in self._book.state.holds.values():
            if hold.leg_id != leg_id or hold.reason.value != line.text("REASON"):
                continue
            if line.has("SLOT") and hold.slot != line.text("SLOT"):
                continue
            told = dict(hold.numbers)
            if all(name in told and self._same_words(value, told[name]) for name, value in wanted):
                return
        expected = " ".join(word for key, word in line.values.items() if key != "as")
        got = "; ".join(self._told_hold(key) for key in self._book.state.holds) or "no hold"
        raise Unmet(line.number, expected, got, f"residual {self._book.residual}, mode {self._book.mode.value}")

    def _same_words(self, expected: str, got: str) -> bool:
        """Compare word by word: numbers by value, and a story's name of an order with its id."""
        left, right = expected.split(), got.split()
        if len(left) != len(right):
            return False
        return all(
            a == b or self._names.get(a) == b or (is_number(a) and is_number(b) and Decimal(a) == Decimal(b))
            for a, b in zip(left, right, strict=True)
        )

    def _holds_alarm(self, line: Line) -> None:
        alarms = self._book.state.alarms.values()
        if any(a.kind.value == line.text("ALARM") and line.text("TEXT") in a.text for a in alarms):
            return
        expected = f"alarm {line.text('ALARM')} {line.text('TEXT')}".strip()
        raise Unmet(line.number, expected, self._told_alarms(), self._hint())

    def _told_alarms(self) -> str:
        return "; ".join(f"{a.kind.value}: {a.text}" for a in self._book.state.alarms.values()) or "no alarm"

    def _holds_no(self, line: Line) -> None:
        if line.has("alarm"):
            kinds = [alarm.kind.value for alarm in self._book.state.alarms.values()]
            if line.text("ALARM") in kinds or (kinds and not line.has("ALARM")):
                raise Unmet(line.number, f"no alarm {line.text('ALARM')}".strip(), self._told_alarms(), self._hint())
            return
        leg_id = self._leg(line) if line.has("INSTRUMENT") else None
        for key, hold in self._book.state.holds.items():
            if leg_id in (None, hold.leg_id) and line.text("REASON") in ("", hold.reason.value):
                expected = f"no hold {line.text('INSTRUMENT')} {line.text('REASON')}".strip()
                raise Unmet(line.number, expected, self._told_hold(key), self._hint())

    def _holds_mode(self, line: Line) -> None:
        state = self._book.state
        if state.mode.value != line.text("MODE") or line.text("TEXT") not in state.mode_reason:
            expected = f"mode {line.text('MODE')} {line.text('TEXT')}".strip()
            raise Unmet(line.number, expected, f"{state.mode.value} {state.mode_reason}".strip(), self._hint())

    def _holds_order(self, line: Line) -> None:
        order_id = self._order(line).command.order_id
        order = self._book.state.orders.get(order_id)
        if order is None:
            raise Unmet(line.number, f"order {line.text('ORDER')}", "one that the book does not know", self._hint())
        if order.status.value != line.text("STATUS"):
            raise Unmet(
                line.number, f"order {line.text('ORDER')} {line.text('STATUS')}", order.status.value, self._hint()
            )
        if line.has("FILLED"):
            self._same(line, f"order {line.text('ORDER')} filled", line.amount("FILLED"), order.filled_qty)

    def _holds_working(self, line: Line) -> None:
        working = list(self._book.working(self._leg(line)))
        self._same(line, f"orders working at {line.text('INSTRUMENT')}:", line.count("COUNT"), len(working))

    def _holds_sent(self, line: Line) -> None:
        instrument_id = self._config.leg(self._leg(line)).instrument.id
        self._same(line, f"submits sent to {instrument_id}:", line.count("COUNT"), self._sent.get(instrument_id, 0))

    def _holds_durable(self, line: Line) -> None:
        order_id = self._order(line).command.order_id
        store = SqliteStore(self._connection)
        for record in store.turns():
            if any(isinstance(c, SubmitOrder) and c.order_id == order_id for c in record.turn.commands):
                return
        raise Unmet(line.number, f"the submit of {line.text('ORDER')} in the journal", "none", "it was sent too early")

    def _holds_unsent(self, line: Line) -> None:
        leg_id = self._leg(line)
        for record in SqliteStore(self._connection).turns():
            for command in record.turn.commands:
                if not isinstance(command, SubmitOrder) or command.order_id in self._placed:
                    continue
                if (command.leg_id, command.side, command.qty) == (leg_id, side_of(line), line.amount("QTY")):
                    self._numbers += 1
                    self._placed[command.order_id] = Placed(command, VenueOrderId(f"v{self._numbers}"))
                    self._names[line.text("NAME")] = command.order_id
                    return
        expected = f"an unsent submit {line.text('INSTRUMENT')} {line.text('SIDE')} {line.text('QTY')} in the journal"
        raise Unmet(line.number, expected, "none", self._hint())

    def _holds_parked(self, line: Line) -> None:
        self._same(line, "parked fills:", line.count("COUNT"), len(self._book.state.parked))

    def _holds_fenced(self, line: Line) -> None:
        if not self._fenced:
            raise Unmet(
                line.number, "an engine that was fenced off", "none", "start a `second_engine` and tell it something"
            )

    def _holds_epoch(self, line: Line) -> None:
        self._same(line, "epoch", line.count("COUNT"), self._book.state.epoch)

    def _holds_funding(self, line: Line) -> None:
        self._same(line, "funding", line.amount("NET"), self._book.ledger(self._leg(line)).funding)

    def _holds_fees(self, line: Line) -> None:
        fees = self._book.ledger(self._leg(line)).fees
        self._same(line, f"fees in {line.text('CURRENCY')}", line.amount("FEE"), fees.get(line.text("CURRENCY"), ZERO))

    # Names.

    def _leg(self, line: Line) -> LegId:
        leg_id = self._legs.get(line.text("INSTRUMENT"))
        if leg_id is None:
            known = " or ".join(self._legs)
            raise BadStory(line.number, f"a leg of the book: {known}", f"'{line.text('INSTRUMENT')}'", "check the name")
        return leg_id

    def _order(self, line: Line) -> Placed:
        order_id = self._names.get(line.text("ORDER"))
        if order_id is None or order_id not in self._placed:
            raise self._unknown_name(line)
        return self._placed[order_id]

    def _unknown_name(self, line: Line, name: str = "") -> BadStory:
        known = ", ".join(self._names) or "none yet"
        got = f"'{name or line.text('ORDER')}'"
        return BadStory(line.number, f"an order named before ({known})", got, "name it with `as` where it is submitted")

    def _name(self, order_id: ClientOrderId) -> str:
        for name, named in self._names.items():
            if named == order_id:
                return name
        return order_id


def configured(setup: list[Line]) -> tuple[BookConfig, dict[str, LegId]]:
    """Return the book that the set-up lines describe, and its legs by the story's names of their instruments.

    Raises:
        BadStory: there is no book, or a line does not fit it.
    """
    first = next((line for line in setup if line.verb == "hedge"), None)
    if first is None:
        number = setup[0].number if setup else 1
        form = "hedge H1 mirror lead SIM:SPOT hedge SIM:PERP ratio -1"
        raise BadStory(number, "a set-up line `hedge …`", "none", f"begin with e.g. `{form}`")
    legs = {first.text("LEAD"): LEAD, first.text("HEDGE"): HEDGE}
    if len(legs) < 2:
        raise BadStory(first.number, "two instruments", "the same one twice", "give the accounts different venue names")
    instruments = {leg_id: default_instrument(name) for name, leg_id in legs.items()}
    params = dict(DEFAULT_PARAMS.get(first.text("POLICY"), {}))
    limits: dict[str, str] = {}
    timing: dict[str, str] = {}
    reaches: dict[LegId, dict[str, int | bool]] = {leg_id: {} for leg_id in legs.values()}
    for line in setup:
        if line.has("INSTRUMENT") and line.text("INSTRUMENT") not in legs:
            raise BadStory(line.number, f"one of: {', '.join(legs)}", f"'{line.text('INSTRUMENT')}'", "check the name")
        match line.verb:
            case "instrument":
                leg_id = legs[line.text("INSTRUMENT")]
                kind = InstrumentKind(line.text("KIND"))
                spot = kind in (InstrumentKind.SPOT, InstrumentKind.MARGIN)
                instruments[leg_id] = filtered(replace(instruments[leg_id], kind=kind, can_reduce_only=not spot), line)
            case "param":
                params[line.text("KEY")] = line.text("TEXT").strip('"')
            case "limit":
                limits[checked_key(line, Limits)] = line.text("NUMBER")
            case "timing":
                timing[checked_key(line, Timing)] = line.text("MILLISECONDS")
            case "leg":
                reach = reaches[legs[line.text("INSTRUMENT")]]
                if line.has("LEASE"):
                    reach["lease_ms"] = line.count("LEASE")
                if line.has("VISIBILITY"):
                    reach["visibility_ms"] = line.count("VISIBILITY")
                reach["adopt"] = line.has("adopt")
            case _:
                pass
    name = first.text("BOOK")
    config = BookConfig(
        BookId(name),
        "".join(c for c in name.lower() if c.isalnum())[:8],
        first.text("POLICY"),
        params,
        tuple(
            msgspec.convert(
                {"id": leg_id, "account_id": f"{legs_venue(story_name)}/{leg_id}", "instrument": instruments[leg_id]}
                | reaches[leg_id],
                LegConfig,
            )
            for story_name, leg_id in legs.items()
        ),
        HedgeRule(LEAD, HEDGE, first.amount("RATIO")),
        _converted(limits, Limits, setup),
        _converted(timing, Timing, setup),
    )
    return config, legs


def make_strategy(config: BookConfig, setup: list[Line]) -> Strategy:
    """Return the book's policy.

    Raises:
        BadStory: there is no such policy, or a parameter is wrong.
    """
    line = next(line for line in setup if line.verb == "hedge")
    try:
        match config.policy:
            case "mirror":
                mirror_params = parse_params(mirror.MirrorParams, config.params)
                errors = mirror.check(config, mirror_params)
                strategy: Strategy = mirror.Mirror(config, mirror_params)
            case "carry":
                carry_params = parse_params(carry.CarryParams, config.params)
                errors = carry.check(config, carry_params)
                strategy = carry.Carry(config, carry_params)
            case _:
                known = ", ".join(DEFAULT_PARAMS)
                raise BadStory(line.number, f"a policy: {known}", f"'{config.policy}'", "use one of these")
    except BadParams as bad:
        errors = list(bad.errors)
    if errors:
        error = errors[0]
        at = next((each.number for each in setup if each.text("KEY") == error.key), line.number)
        raise BadStory(at, f"parameters that {config.policy} takes", f"{error.key}: {error.problem}", error.help)
    return strategy


def default_instrument(name: str) -> Instrument:
    """Return the instrument of a leg of which the story says nothing more."""
    return Instrument(
        InstrumentId(name),
        VenueId(legs_venue(name)),
        InstrumentKind.PERP,
        "BTC",
        "USDT",
        Decimal("0.01"),
        Decimal("0.001"),
        Decimal("0.001"),
        reduce_only_exempt=True,
    )


def legs_venue(name: str) -> str:
    return name.partition(":")[0]


def filtered(instrument: Instrument, line: Line) -> Instrument:
    """Return the instrument with the filters that the line gives."""
    changes: dict[str, object] = {}
    for word, field in FILTER_FIELDS.items():
        if line.has(word):
            value = line.amount(word)
            if value <= 0 and field != "min_notional":
                raise BadStory(line.number, f"{word} above 0", str(value), "give the venue's own filter")
            changes[field] = value
    if line.has("LOW"):
        changes["band_down"], changes["band_up"] = line.amount("LOW"), line.amount("HIGH")
    if line.has("TAKEN_IN"):
        changes["fee_currency"] = FeeCurrency(line.text("TAKEN_IN"))
    if line.has("CURRENCY"):
        changes["base"] = line.text("CURRENCY")
    if line.has("QUOTE"):
        changes["quote"] = line.text("QUOTE")
    if line.has("no_reduce_only"):
        changes["can_reduce_only"] = False
    return replace(instrument, **changes)


def checked_key(line: Line, table: type[msgspec.Struct]) -> str:
    """Return the line's key, if the table has it."""
    key = line.text("KEY")
    if key not in table.__struct_fields__:
        raise BadStory(line.number, f"one of: {', '.join(table.__struct_fields__)}", f"'{key}'", "check the name")
    return key


def _converted(values: dict[str, str], table: type[T], setup: list[Line]) -> T:
    try:
        return msgspec.convert(values, table, strict=False)
    except msgspec.ValidationError as error:
        at = next(line.number for line in setup if line.text("KEY") in values)
        raise BadStory(at, "a value of the right kind", str(error), "see the config's own field") from error


def levels(number: int, text: str) -> tuple[Level, ...]:
    """Return one side of a quote, `99.9 x 5, 99.8 x 7`, best first as written; `none` is empty."""
    if text.strip() == "none":
        return ()
    found: list[Level] = []
    for part in text.split(","):
        words = part.split()
        fits = (
            len(words) in (1, 3)
            and is_number(words[0])
            and (len(words) == 1 or (words[1] == "x" and is_number(words[2])))
        )
        if not fits:
            raise BadStory(number, "`PRICE x QTY`", f"'{part.strip()}'", "separate levels by commas, best first")
        found.append((Decimal(words[0]), Decimal(words[2]) if len(words) == 3 else DEFAULT_LEVEL_QTY))
    return tuple(found)


def pairs(number: int, text: str) -> list[tuple[str, str]]:
    """Return `name value name "two words"` as pairs."""
    words = [word.strip('"') for word in split(text)]
    if len(words) % 2:
        raise BadStory(number, "`name value` pairs", f"'{text}'", 'put values of several words in `"`')
    return list(zip(words[::2], words[1::2], strict=True))


def side_of(line: Line) -> Side:
    return Side(line.text("SIDE"))


def is_number(word: str) -> bool:
    return re.fullmatch(r"[+-]?\d+(\.\d+)?", word) is not None


def stamped(event: Event, now_ns: int) -> Event:
    """Return the event as our inbox takes it now; when a question left stays as it was."""
    if isinstance(event, QuoteReceived):
        return QuoteReceived(now_ns, replace(event.quote, ts_ns=now_ns))
    return replace(event, ts_ns=now_ns)
