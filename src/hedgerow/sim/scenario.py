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
from hedgerow.market.answers import Refused
from hedgerow.market.fees import Fees
from hedgerow.model.order import Fill, OrderStatus, OrderType, Role, Side, TimeInForce
from hedgerow.sim.exchanged import QUOTE_BALANCE, ExchangedLeg, refusal
from hedgerow.sim.stage import (
    EVENTS_PER_LINE_MAX,
    EngineDead,
    Placed,
    Restless,
    Stage,
    open_order,
)
from hedgerow.sim.staging import (
    DEFAULT_LEVEL_QTY,
    HEDGE,
    LEAD,
    configured,
    filtered,
    is_number,
    levels,
    make_strategy,
    pairs,
    side_of,
)
from hedgerow.sim.story import (
    COMMANDED,
    MESSAGES,
    SETUP,
    TOLD,
    TOLD_OF_EXCHANGES,
    BadStory,
    Line,
    parse,
)

# Each told line comes a moment after the one before, so that time orders what the story orders.
LINE_NS = NS_PER_MS
DEFAULT_BIDS = ((Decimal("99.99"), DEFAULT_LEVEL_QTY),)
DEFAULT_ASKS = ((Decimal("100.01"), DEFAULT_LEVEL_QTY),)


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


class Story:
    """One story under way: its engine, its venues, its clock."""

    def __init__(self, lines: tuple[Line, ...]) -> None:
        self.met = 0
        "Expectations met so far."
        setup = [line for line in lines if line.mark == SETUP]
        self._lines = [line for line in lines if line.mark != SETUP]
        self.line = lines[0] if lines else Line(1, SETUP, "", {}, "")
        self._config, self._legs = configured(setup)
        self._stage = Stage(self._config, make_strategy(self._config, setup))
        self._has_begun = False
        self._last_message: list[Event] = []
        self._names: dict[str, ClientOrderId] = {}
        self._set_venues(setup)
        self._messages: dict[str, Callable[[Line], list[Event]]] = {
            name: getattr(self, f"_message_{name}") for name in sorted(MESSAGES)
        }

    def _set_venues(self, setup: list[Line]) -> None:
        stage = self._stage
        for line in setup:
            if line.verb == "account":
                price = line.amount("PRICE") if line.has("PRICE") else None
                stage.accounts[self._leg(line)] = (line.amount("NET"), price)
        for line in setup:
            if line.verb == "exchange":
                leg_id = self._leg(line)
                base_balance, _ = stage.accounts.get(leg_id, (ZERO, None))
                fees = Fees(
                    line.amount("FEE") if line.has("FEE") else ZERO, line.amount("TAKER") if line.has("TAKER") else ZERO
                )
                quote_balance = line.amount("balance") if line.has("balance") else QUOTE_BALANCE
                stage.exchanged[leg_id] = ExchangedLeg(self._config.leg(leg_id), base_balance, quote_balance, fees)
        if not any(line.verb == "quote" and self._legs.get(line.text("INSTRUMENT")) == HEDGE for line in self._lines):
            self._set_quote(HEDGE, DEFAULT_BIDS, DEFAULT_ASKS)

    def _set_quote(self, leg_id: LegId, bids: tuple[Level, ...], asks: tuple[Level, ...]) -> list[Event]:
        """Let the quote stand; return what follows from it at a simulated exchange, and the quote."""
        stage = self._stage
        quote = Quote(self._config.leg(leg_id).instrument.id, stage.now_ns, bids, asks)
        stage.quotes[leg_id] = quote
        if leg_id not in stage.exchanged:
            return [QuoteReceived(stage.now_ns, quote)]
        exchanged = stage.exchanged[leg_id]
        return [*exchanged.quote(stage.now_ns, bids, asks), exchanged.shown(stage.now_ns)]

    def run(self) -> None:
        """Play the story to its end.

        Raises:
            BadStory: it names what it never introduced.
            Unmet: an expectation does not hold.
        """
        for line in self._lines:
            self.line = line
            self._stage.events_left = EVENTS_PER_LINE_MAX
            standing = line.mark == TOLD and line.verb in ("reads", "silent")
            if not self._has_begun and not standing:
                self._has_begun = True
                self._stage.start()
            try:
                self._play(line)
            except EngineDead:
                to_do = "write `> restart` before this line"
                raise Unmet(line.number, "a running engine", "one that has died", to_do) from None
            except Restless:
                got = f"{EVENTS_PER_LINE_MAX} events in one line"
                raise Unmet(line.number, "the book to come to rest", got, "it asks for ever: see its last turns") from None
        self._expect_nothing_left()
        self._stage.check_journal()

    def _play(self, line: Line) -> None:
        if line.mark == TOLD:
            self._tell(line)
            return
        kind = "commanded" if line.mark == COMMANDED else "holds"
        getattr(self, f"_{kind}_{line.verb}")(line)
        self.met += 1

    # Told lines.

    def _tell(self, line: Line) -> None:
        self._expect_nothing_left()
        self._stage.asked.clear()
        self._stage.advance(LINE_NS)
        if line.verb not in self._messages:
            getattr(self, f"_deed_{line.verb}")(line)
            return
        self._last_message = self._message(line)
        self._stage.deliver_now(self._last_message)

    def _message(self, line: Line) -> list[Event]:
        """Make a message true at its venue, and return the events that tell of it."""
        if line.verb not in TOLD_OF_EXCHANGES:
            placed = self._stage.placed.get(self._names.get(line.text("ORDER"), ClientOrderId("")))
            leg_id = placed.command.leg_id if placed is not None else self._legs.get(line.text("INSTRUMENT"))
            if leg_id in self._stage.exchanged:
                to_do = "tell what its market does: `quote`, `trade`"
                raise BadStory(line.number, "a leg without `exchange`", f"{line.verb} of one", to_do)
        return self._messages[line.verb](line)

    def _deed_lost(self, line: Line) -> None:
        assert line.message is not None, line
        self._last_message = self._message(line.message)

    def _deed_late(self, line: Line) -> None:
        assert line.message is not None, line
        self._stage.deliver_later(self._message(line.message), line.duration_ns())

    def _deed_repeat(self, line: Line) -> None:
        if not self._last_message:
            raise BadStory(line.number, "a message to repeat", "none so far", "tell one before this line")
        for _ in range(line.count("TIMES") if line.has("TIMES") else 1):
            self._stage.deliver_now(self._last_message)

    def _deed_reads(self, line: Line) -> None:
        leg_id = self._leg(line)
        kinds = [ReadKind(line.text("READ"))] if line.has("READ") else list(ReadKind)
        for kind in kinds:
            self._stage.read_modes[(leg_id, kind)] = line.text("HOW")

    def _deed_silent(self, line: Line) -> None:
        self._stage.silent.add(self._leg(line))

    def _deed_alive(self, line: Line) -> None:
        leg_id = self._leg(line)
        self._stage.silent.discard(leg_id)
        self._stage.sign_of_life(leg_id)

    def _deed_orphan(self, line: Line) -> None:
        leg_id = self._leg(line)
        # A sequence that this run will not reach: another copy of the engine, or a journal that was set back.
        key = OrderKey(self._config.tag, self._stage.book.state.epoch, self._stage.book.state.order_seq + 1_000_000)
        order_id = encode_order_id(key)
        self._names[line.text("NAME")] = order_id
        row = OpenOrder(VenueOrderId(f"v{self._stage.next_number()}"), side_of(line), line.amount("QTY"), ZERO, order_id)
        self._stage.orphans.setdefault(leg_id, []).append(row)

    def _deed_after(self, line: Line) -> None:
        self._stage.advance(line.duration_ns())

    def _deed_retry_due(self, line: Line) -> None:
        due = [refusal.retry_ts_ns for refusal in self._stage.book.state.refusals.values()]
        waiting = [ts_ns for ts_ns in due if ts_ns > self._stage.now_ns]
        if not waiting:
            raise Unmet(line.number, "a refusal whose next try is due later", "none", "tell a `rejected` before it")
        self._stage.advance(min(waiting) - self._stage.now_ns)

    def _deed_operator(self, line: Line) -> None:
        action = Action(line.text("ACTION")) if line.has("ACTION") else Action.SIGNAL
        ago_ns = line.duration_ns() if line.has("DURATION") else 0
        self._last_message = [
            OperatorCommanded(
                self._stage.now_ns,
                action,
                line.text("WHO"),
                line.text("REQUEST"),
                line.has("accept_drift"),
                line.text("NAME"),
                self._stage.now_ns - ago_ns if action is Action.SIGNAL else 0,
            )
        ]
        for event in self._last_message:
            self._stage.deliver(event)

    def _deed_crash(self, line: Line) -> None:
        if not line.has("WHEN"):
            _ = self._stage.book
            self._stage.check_journal()
            self._stage.die()
            return
        crash = f"{line.text('WHEN')} {line.text('WHAT')}"
        points = ("before append", "after append", "between sends", "after send")
        if crash not in points:
            raise BadStory(line.number, f"one of: {', '.join(points)}", f"'{crash}'", "say where in the turn it dies")
        self._stage.crash = crash

    def _deed_restart(self, line: Line) -> None:
        self._stage.check_journal()
        self._stage.die()
        self._stage.start(halted=line.has("halted"))

    def _deed_second_engine(self, line: Line) -> None:
        assert line.verb == "second_engine", line
        self._stage.start_second()

    def _deed_journal_failed(self, line: Line) -> None:
        self._stage.deliver(JournalFailed(self._stage.now_ns, line.text("TEXT")))

    # Messages of venues: what is true from now on, and the events that tell of it.

    def _message_accepted(self, line: Line) -> list[Event]:
        placed = self._order(line)
        placed.is_shown = True
        return [OrderAccepted(self._stage.now_ns, placed.command.order_id, placed.venue_order_id)]

    def _message_rejected(self, line: Line) -> list[Event]:
        placed = self._order(line)
        placed.is_over = True
        wait_ns = line.duration_ns() if line.has("DURATION") else 0
        reject_class = RejectClass(line.text("CLASS"))
        order_id = placed.command.order_id
        return [OrderRejected(self._stage.now_ns, order_id, reject_class, line.text("CODE"), line.text("TEXT"), wait_ns)]

    def _message_answered(self, line: Line) -> list[Event]:
        placed = self._order(line)
        if not line.text("CODE").lstrip("-").isdigit():
            raise BadStory(line.number, "the venue's code, a number", f"'{line.text('CODE')}'", "e.g. -2019")
        answer = Refused(line.count("HTTP"), line.count("CODE"), line.text("TEXT"))
        event = refusal(self._stage.now_ns, placed.command.order_id, answer)
        placed.is_over = isinstance(event, OrderRejected)
        return [event]

    def _message_unknown(self, line: Line) -> list[Event]:
        return [OrderUnknown(self._stage.now_ns, self._order(line).command.order_id, line.text("TEXT"))]

    def _message_not_found(self, line: Line) -> list[Event]:
        order_id = self._order(line).command.order_id
        return [OrderNotFound(self._stage.now_ns, order_id, self._stage.query_ts_ns.get(order_id, self._stage.now_ns))]

    def _message_query_failed(self, line: Line) -> list[Event]:
        return [OrderQueryFailed(self._stage.now_ns, self._order(line).command.order_id, line.text("TEXT"))]

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
            self._stage.now_ns,
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
            for leg_id, rows in self._stage.orphans.items():
                self._stage.orphans[leg_id] = [row for row in rows if row.order_id != order_id]
        return [CancelAnswered(self._stage.now_ns, order_id, outcome, line.text("CODE"), line.text("TEXT"))]

    def _message_filled(self, line: Line) -> list[Event]:
        qty = line.amount("QTY")
        placed = self._order(line) if line.has("ORDER") else self._resting(line, qty)
        placed.filled_qty += qty
        placed.is_shown = True
        command = placed.command
        order_id = None if line.has("nameless") else command.order_id
        return [self._trade(line, command.leg_id, command.side, order_id, placed.venue_order_id)]

    def _message_foreign(self, line: Line) -> list[Event]:
        return [self._trade(line, self._leg(line), side_of(line), None, VenueOrderId(f"foreign{self._stage.next_number()}"))]

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
        fill = Fill(
            TradeId(line.text("TRADE") or f"t{self._stage.next_number()}"),
            leg.account_id,
            leg.instrument.id,
            side,
            line.amount("QTY"),
            line.amount("PRICE"),
            self._stage.now_ns,
            order_id,
            venue_order_id,
            line.amount("FEE") if line.has("FEE") else ZERO,
            line.text("CURRENCY") or leg.instrument.quote,
            line.has("maker"),
            venue_made,
        )
        self._stage.fills[leg_id].append(fill)
        return FillReceived(self._stage.now_ns, fill)

    def _resting(self, line: Line, qty: Decimal) -> Placed:
        """Return the order of that side that rests there, or one that an earlier turn of the journal sent."""
        leg_id, side = self._leg(line), side_of(line)
        for placed in self._stage.placed.values():
            command = placed.command
            if command.leg_id == leg_id and command.side is side and placed.leaves_qty >= qty:
                return placed
        book, engine = self._stage.book, self._stage.engine
        assert engine is not None, line
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
        turn = Turn(self._config.book_id, self._stage.now_ns, TimeReached(self._stage.now_ns), (order,))
        engine.append(turn)
        fold(book, turn)
        self._stage.placed[order.order_id] = Placed(order, VenueOrderId(f"v{self._stage.next_number()}"))
        return self._stage.placed[order.order_id]

    def _message_open_orders(self, line: Line) -> list[Event]:
        leg_id = self._leg(line)
        names = line.text("ORDERS").split()
        rows: list[OpenOrder] = []
        for name in names if names != ["none"] else []:
            if name not in self._names:
                raise self._unknown_name(line, name)
            placed = self._stage.placed[self._names[name]]
            placed.is_shown = True
            rows.append(open_order(placed))
        return [OpenOrdersRead(self._stage.now_ns, leg_id, self._stage.now_ns, tuple(rows))]

    def _message_trades(self, line: Line) -> list[Event]:
        fills = () if line.has("none") else tuple(self._stage.fills[self._leg(line)])
        return [TradesRead(self._stage.now_ns, self._leg(line), self._stage.now_ns, fills)]

    def _message_position(self, line: Line) -> list[Event]:
        return [PositionRead(self._stage.now_ns, self._leg(line), self._stage.now_ns, line.amount("NET"))]

    def _message_read_failed(self, line: Line) -> list[Event]:
        return [ReadFailed(self._stage.now_ns, self._leg(line), ReadKind(line.text("READ")), line.text("TEXT"))]

    def _message_quote(self, line: Line) -> list[Event]:
        leg_id = self._leg(line)
        bids, slash, asks = line.text("LEVELS").partition("/")
        if not slash:
            raise BadStory(line.number, "`BIDS / ASKS`", f"'{line.text('LEVELS')}'", "put a `/` between bids and asks")
        return self._set_quote(leg_id, levels(line.number, bids), levels(line.number, asks))

    def _message_trade(self, line: Line) -> list[Event]:
        exchanged = self._stage.exchanged.get(self._leg(line))
        if exchanged is None:
            to_do = "set it up with `exchange`, or tell a `filled`"
            raise BadStory(line.number, "a leg with `exchange`", f"'{line.text('INSTRUMENT')}'", to_do)
        now_ns = self._stage.now_ns
        traded = exchanged.trade(now_ns, side_of(line), line.amount("QTY"), line.amount("PRICE"))
        return [*traded, exchanged.shown(now_ns)]

    def _message_funding_rate(self, line: Line) -> list[Event]:
        next_ns = self._stage.now_ns + (line.duration_ns() if line.has("DURATION") else 3_600 * NS_PER_S)
        instrument_id = self._config.leg(self._leg(line)).instrument.id
        rate = FundingRate(instrument_id, self._stage.now_ns, line.amount("RATE"), 28_800, next_ns)
        return [FundingRateReceived(self._stage.now_ns, rate)]

    def _message_funding_paid(self, line: Line) -> list[Event]:
        name = line.text("TRADE") or f"f{self._stage.next_number()}"
        return [FundingPaid(self._stage.now_ns, self._leg(line), name, line.amount("NET"))]

    def _message_link_down(self, line: Line) -> list[Event]:
        return [LinkDown(self._stage.now_ns, self._leg(line), line.text("TEXT"))]

    def _message_link_up(self, line: Line) -> list[Event]:
        return [LinkUp(self._stage.now_ns, self._leg(line))]

    def _message_heartbeat(self, line: Line) -> list[Event]:
        return [Heartbeat(self._stage.now_ns, self._leg(line))]

    def _message_position_mode(self, line: Line) -> list[Event]:
        agrees = line.text("AGREES") == "agrees"
        return [PositionModeRead(self._stage.now_ns, self._leg(line), agrees, line.text("TEXT"))]

    def _message_filters(self, line: Line) -> list[Event]:
        leg_id = self._leg(line)
        instrument = filtered(self._stage.book.legs[leg_id].instrument, line)
        return [InstrumentChanged(self._stage.now_ns, instrument)]

    # Commanded.

    def _expect_nothing_left(self) -> None:
        if self._stage.pending:
            got = " and ".join(self._told(command) for command in self._stage.pending)
            raise Unmet(
                self.line.number, "no further submit or cancel before this line", got, "add it with `<`, if it is right"
            )

    def _commanded_submit(self, line: Line) -> None:
        for command in self._stage.pending:
            if isinstance(command, SubmitOrder) and self._is_asked(line, command):
                self._stage.pending.remove(command)
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
        for command in self._stage.pending:
            if isinstance(command, SubmitOrder) or command.order_id != order_id:
                continue
            if line.has("WHY") and (isinstance(command, CancelOrphan) or command.reason != line.text("WHY")):
                continue
            self._stage.pending.remove(command)
            return
        raise self._not_commanded(line)

    def _commanded_query(self, line: Line) -> None:
        order_id = self._order(line).command.order_id
        if not any(isinstance(command, QueryOrder) and command.order_id == order_id for command in self._stage.asked):
            raise Unmet(line.number, f"query {line.text('ORDER')}", "none", self._hint())

    def _commanded_read(self, line: Line) -> None:
        leg_id, kind = self._leg(line), ReadKind(line.text("READ"))
        if not any(isinstance(c, Read) and c.leg_id == leg_id and c.kind is kind for c in self._stage.asked):
            raise Unmet(line.number, f"read {line.text('INSTRUMENT')} {kind.value}", "none", self._hint())

    def _commanded_nothing(self, line: Line) -> None:
        if self._stage.pending:
            raise self._not_commanded(line)

    def _not_commanded(self, line: Line) -> Unmet:
        expected = " ".join(
            [line.verb, *(word for key, word in line.values.items() if key not in (line.verb, "NAME", "as"))]
        )
        got = " and ".join(self._told(command) for command in self._stage.pending) or "nothing"
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
        if self._stage.engine is None:
            return "the engine has died: write `> restart`"
        book = self._stage.engine.book
        holds = "; ".join(self._told_hold(key) for key in book.state.holds) or "none"
        return f"residual {book.residual}, mode {book.mode.value}, holds: {holds}"

    def _told_hold(self, key: str) -> str:
        hold = self._stage.book.state.holds[key]
        numbers = " ".join(f'{name} "{value}"' if " " in value else f"{name} {value}" for name, value in hold.numbers)
        where = self._stage.book.legs[hold.leg_id].instrument.id
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
        self._same(line, "residual", line.amount("NET"), self._stage.book.residual)

    def _holds_hedged(self, line: Line) -> None:
        if not self._stage.book.is_hedged:
            raise Unmet(line.number, "a hedged book", f"residual {self._stage.book.residual}", self._hint())

    def _holds_unhedged(self, line: Line) -> None:
        if self._stage.book.is_hedged:
            raise Unmet(line.number, "an unhedged book", f"residual {self._stage.book.residual}", self._hint())

    def _holds_position(self, line: Line) -> None:
        self._same(line, f"position {line.text('INSTRUMENT')}", line.amount("NET"), self._stage.book.net_qty(self._leg(line)))

    def _holds_hold(self, line: Line) -> None:
        leg_id = self._leg(line)
        wanted = pairs(line.number, line.text("NUMBERS"))
        for hold in self._stage.book.state.holds.values():
            if hold.leg_id != leg_id or hold.reason.value != line.text("REASON"):
                continue
            if line.has("SLOT") and hold.slot != line.text("SLOT"):
                continue
            told = dict(hold.numbers)
            if all(name in told and self._same_words(value, told[name]) for name, value in wanted):
                return
        expected = " ".join(word for key, word in line.values.items() if key != "as")
        got = "; ".join(self._told_hold(key) for key in self._stage.book.state.holds) or "no hold"
        raise Unmet(line.number, expected, got, f"residual {self._stage.book.residual}, mode {self._stage.book.mode.value}")

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
        alarms = self._stage.book.state.alarms.values()
        if any(a.kind.value == line.text("ALARM") and line.text("TEXT") in a.text for a in alarms):
            return
        expected = f"alarm {line.text('ALARM')} {line.text('TEXT')}".strip()
        raise Unmet(line.number, expected, self._told_alarms(), self._hint())

    def _told_alarms(self) -> str:
        return "; ".join(f"{a.kind.value}: {a.text}" for a in self._stage.book.state.alarms.values()) or "no alarm"

    def _holds_no(self, line: Line) -> None:
        if line.has("alarm"):
            kinds = [alarm.kind.value for alarm in self._stage.book.state.alarms.values()]
            if line.text("ALARM") in kinds or (kinds and not line.has("ALARM")):
                raise Unmet(line.number, f"no alarm {line.text('ALARM')}".strip(), self._told_alarms(), self._hint())
            return
        leg_id = self._leg(line) if line.has("INSTRUMENT") else None
        for key, hold in self._stage.book.state.holds.items():
            if leg_id in (None, hold.leg_id) and line.text("REASON") in ("", hold.reason.value):
                expected = f"no hold {line.text('INSTRUMENT')} {line.text('REASON')}".strip()
                raise Unmet(line.number, expected, self._told_hold(key), self._hint())

    def _holds_mode(self, line: Line) -> None:
        state = self._stage.book.state
        if state.mode.value != line.text("MODE") or line.text("TEXT") not in state.mode_reason:
            expected = f"mode {line.text('MODE')} {line.text('TEXT')}".strip()
            raise Unmet(line.number, expected, f"{state.mode.value} {state.mode_reason}".strip(), self._hint())

    def _holds_order(self, line: Line) -> None:
        order_id = self._order(line).command.order_id
        order = self._stage.book.state.orders.get(order_id)
        if order is None:
            raise Unmet(line.number, f"order {line.text('ORDER')}", "one that the book does not know", self._hint())
        if order.status.value != line.text("STATUS"):
            raise Unmet(
                line.number, f"order {line.text('ORDER')} {line.text('STATUS')}", order.status.value, self._hint()
            )
        if line.has("FILLED"):
            self._same(line, f"order {line.text('ORDER')} filled", line.amount("FILLED"), order.filled_qty)

    def _holds_working(self, line: Line) -> None:
        working = list(self._stage.book.working(self._leg(line)))
        self._same(line, f"orders working at {line.text('INSTRUMENT')}:", line.count("COUNT"), len(working))

    def _holds_sent(self, line: Line) -> None:
        instrument_id = self._config.leg(self._leg(line)).instrument.id
        self._same(line, f"submits sent to {instrument_id}:", line.count("COUNT"), self._stage.sent.get(instrument_id, 0))

    def _holds_durable(self, line: Line) -> None:
        order_id = self._order(line).command.order_id
        store = SqliteStore(self._stage.connection)
        for record in store.turns():
            if any(isinstance(c, SubmitOrder) and c.order_id == order_id for c in record.turn.commands):
                return
        raise Unmet(line.number, f"the submit of {line.text('ORDER')} in the journal", "none", "it was sent too early")

    def _holds_unsent(self, line: Line) -> None:
        leg_id = self._leg(line)
        for record in SqliteStore(self._stage.connection).turns():
            for command in record.turn.commands:
                if not isinstance(command, SubmitOrder) or command.order_id in self._stage.placed:
                    continue
                if (command.leg_id, command.side, command.qty) == (leg_id, side_of(line), line.amount("QTY")):
                                self._stage.placed[command.order_id] = Placed(command, VenueOrderId(f"v{self._stage.next_number()}"))
                    self._names[line.text("NAME")] = command.order_id
                    return
        expected = f"an unsent submit {line.text('INSTRUMENT')} {line.text('SIDE')} {line.text('QTY')} in the journal"
        raise Unmet(line.number, expected, "none", self._hint())

    def _holds_parked(self, line: Line) -> None:
        self._same(line, "parked fills:", line.count("COUNT"), len(self._stage.book.state.parked))

    def _holds_fenced(self, line: Line) -> None:
        if not self._stage.is_fenced:
            raise Unmet(
                line.number, "an engine that was fenced off", "none", "start a `second_engine` and tell it something"
            )

    def _holds_epoch(self, line: Line) -> None:
        self._same(line, "epoch", line.count("COUNT"), self._stage.book.state.epoch)

    def _holds_funding(self, line: Line) -> None:
        self._same(line, "funding", line.amount("NET"), self._stage.book.ledger(self._leg(line)).funding)

    def _holds_fees(self, line: Line) -> None:
        fees = self._stage.book.ledger(self._leg(line)).fees
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
        if order_id is None or order_id not in self._stage.placed:
            raise self._unknown_name(line)
        return self._stage.placed[order_id]

    def _unknown_name(self, line: Line, name: str = "") -> BadStory:
        known = ", ".join(self._names) or "none yet"
        got = f"'{name or line.text('ORDER')}'"
        return BadStory(line.number, f"an order named before ({known})", got, "name it with `as` where it is submitted")

    def _name(self, order_id: ClientOrderId) -> str:
        for name, named in self._names.items():
            if named == order_id:
                return name
        return order_id


