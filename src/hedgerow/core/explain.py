"""Why something was done, or was not: the whole chain of a fill, an order or a hold, from the journal alone."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from hedgerow.core.book import Book
from hedgerow.core.commands import (
    AlarmRaised,
    CancelOrder,
    Command,
    HoldChanged,
    HoldEnded,
    HoldStarted,
    Mode,
    ModeChanged,
    OrderGivenUp,
    PolicyNoted,
    QueryOrder,
    SetLeverage,
    SubmitOrder,
    Turn,
)
from hedgerow.core.events import (
    Action,
    BookStarted,
    CancelAnswered,
    Event,
    FillLookedUp,
    FillReceived,
    LeverageAnswered,
    OperatorCommanded,
    OrderAccepted,
    OrderNotFound,
    OrderRejected,
    OrderReported,
    OrderUnknown,
    QuoteReceived,
    TimeReached,
    TradesRead,
)
from hedgerow.core.guard import Check, checks
from hedgerow.core.holds import HOLD_TEXTS, Hold
from hedgerow.core.step import empty_book, fold
from hedgerow.core.target import Resting, Target
from hedgerow.model.ids import LegId
from hedgerow.model.order import CLOSED, Fill, Role
from hedgerow.model.reach import Reach

# While a book stays unhedged, this many rows of what led to it are kept for the chain.
ROWS_BEFORE_MAX = 200

MODES = frozenset(mode.value for mode in Mode)
SWITCHES = (Action.FREEZE, Action.FLATTEN, Action.HALT, Action.RESUME)


class Row(msgspec.Struct, frozen=True):
    """One step of a chain."""

    seq: int
    "Journal sequence of the turn."
    ts_ns: int
    what: str
    "`fill`, `position`, `residual`, `checks`, `order`, `held`, …"
    text: str


class Explanation(msgspec.Struct, frozen=True):
    """The chain of one subject, oldest row first."""

    subject: str
    book_id: str
    rows: tuple[Row, ...]
    result: str
    "How it stands after the last row."
    reach: Reach
    "What the book's orders can move."


class _Silent:
    """Stands in for the policy: folding never asks it."""

    def target(self, book: Book) -> Target:
        return Target()


class Chain:
    """Follows one subject through the turns of one book."""

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._book: Book | None = None
        self._orders: dict[str, None] = {subject: None}
        self._open = False
        self._is_reached = subject not in MODES
        self._before: list[Row] = []
        self.rows: list[Row] = []

    def follow(self, seq: int, turn: Turn) -> None:
        """Take the next turn of the book, in order."""
        if self._book is None:
            if not isinstance(turn.event, BookStarted):
                return
            self._book = empty_book(turn.event.config, _Silent())
        book = self._book
        held_before = {leg_id: book.net_qty(leg_id) for leg_id in book.state.ledgers}
        checked: dict[str, list[Check]] = {}
        fold(book, turn, lambda: checked.update(self._checked(turn)))
        self._is_reached = self._is_reached or book.mode.value == self._subject
        rows = self._rows(seq, turn, held_before, checked)
        if self._concerns(turn):
            self.rows += self._before
            self._before = []
            self.rows += rows
            self._open = True
        elif self._open and not book.is_hedged:
            self.rows += [row for row in rows if row.what in ("fill", "held", "alarm", "mode", "policy", "order")]
        elif not book.is_hedged or any(row.what == "fill" for row in rows):
            self._before = (self._before + rows)[-ROWS_BEFORE_MAX:]
        if book.is_hedged:
            self._open = False
            self._before = []

    def explanation(self) -> Explanation | None:
        """Return what was found, or None when no turn names the subject."""
        if not self.rows or self._book is None or not self._is_reached:
            return None
        config = self._book.config
        return Explanation(self._subject, config.book_id, tuple(self.rows), self._result(self._book), config.reach)

    def _result(self, book: Book) -> str:
        span_ms = Decimal(self.rows[-1].ts_ns - self.rows[0].ts_ns) / 1_000_000
        state = "hedged" if book.is_hedged else "not hedged"
        return f"residual {book.residual} now, {state}; the chain took {span_ms.quantize(Decimal('0.1'))} ms"

    def _concerns(self, turn: Turn) -> bool:
        """Whether the turn names the subject, or an order that the subject led to."""
        named = any(name in self._orders for name in names_of_event(turn.event))
        for command in turn.commands:
            if isinstance(command, SubmitOrder) and named and command.role is not Role.ENTRY:
                # What hedges or closes belongs to the chain; the next entry is a story of its own.
                self._orders[command.order_id] = None
            if isinstance(command, SubmitOrder | CancelOrder | QueryOrder | OrderGivenUp):
                named = named or command.order_id in self._orders
            if isinstance(command, HoldStarted | HoldChanged):
                named = named or self._subject in (command.hold.key, command.hold.reason.value)
            if isinstance(command, HoldEnded):
                named = named or command.key == self._subject
            if isinstance(command, ModeChanged):
                named = named or command.mode.value == self._subject
        if isinstance(turn.event, OperatorCommanded):
            # Whatever an operator did to a book's mode may be why it is what it is, or no longer was.
            named = named or (self._subject in MODES and turn.event.action in SWITCHES)
        return named

    def _checked(self, turn: Turn) -> dict[str, list[Check]]:
        """The limits that each entry of the turn was compared with."""
        book = self._book
        assert book is not None
        result: dict[str, list[Check]] = {}
        for command in turn.commands:
            if isinstance(command, SubmitOrder) and command.role is Role.ENTRY:
                want = Resting(
                    command.slot, command.leg_id, command.side, command.qty, command.limit_price, command.role
                )
                if book.mark(command.leg_id) is not None:
                    result[command.order_id] = [check for _, check in checks(book, want, command.qty)]
        return result

    def _rows(
        self, seq: int, turn: Turn, held_before: dict[LegId, Decimal], checked: dict[str, list[Check]]
    ) -> list[Row]:
        book = self._book
        assert book is not None
        told: list[tuple[str, str]] = tell_event(turn.event)
        for leg_id, ledger in book.state.ledgers.items():
            before, after = held_before.get(leg_id), ledger.position.net_qty
            if before is not None and before != after:
                told.append(("position", f"{leg_id} {before:+} → {after:+}"))
        if book.config.hedge is not None and any(what == "position" for what, _ in told):
            told.append(("residual", f"{book.residual:+} of {book.config.hedge.hedge}"))
        for command in turn.commands:
            for check in checked.get(getattr(command, "order_id", ""), ()):
                told.append(
                    (
                        "check",
                        f"{check.name} {check.value} {f'≤ {check.limit} ok' if check.passed else f'> {check.limit}'}",
                    )
                )
            told += tell_command(command)
        return [Row(seq, turn.ts_ns, what, text) for what, text in told]


def explain(turns: Iterable[tuple[int, Turn]], subject: str) -> Explanation | None:
    """Return the chain of an order id, a trade id, a hold (`LEG/SLOT` or its reason) or a mode; None when unnamed.

    Args:
        turns: (journal sequence, turn), oldest first, of one book or of many.
        subject: what to explain.
    """
    chains: dict[str, Chain] = {}
    for seq, turn in turns:
        chains.setdefault(turn.book_id, Chain(subject)).follow(seq, turn)
    found = (chain.explanation() for chain in chains.values())
    return next((explanation for explanation in found if explanation is not None), None)


def names_of_event(event: Event) -> tuple[str, ...]:
    """Return the order and trade ids that an event names."""
    match event:
        case FillReceived() | FillLookedUp():
            return names_of_fill(event.fill)
        case TradesRead():
            return tuple(name for fill in event.fills for name in names_of_fill(fill))
        case OrderAccepted() | OrderRejected() | OrderUnknown() | OrderReported() | OrderNotFound() | CancelAnswered():
            return (event.order_id,)
        case _:
            return ()


def names_of_fill(fill: Fill) -> tuple[str, ...]:
    """Return the ids that a fill goes by."""
    return (fill.trade_id,) if fill.order_id is None else (fill.trade_id, fill.order_id)


def tell_event(event: Event) -> list[tuple[str, str]]:
    """Return (what, text) for people, most important first; empty for events that only pass by."""
    match event:
        case FillReceived():
            return [("fill", _tell_fill(event.fill))]
        case TradesRead():
            return [("fill", _tell_fill(fill) + ", found in the venue's trades") for fill in event.fills]
        case FillLookedUp():
            return [("looked up", f"trade {event.fill.trade_id} was booked before: {event.booked}")]
        case OrderAccepted():
            return [("accepted", f"{event.order_id} as {event.venue_order_id}")]
        case OrderRejected():
            return [("rejected", f"{event.order_id}: {event.reject_class.value} {event.code} {event.text}".rstrip())]
        case OrderUnknown():
            return [("unknown", f"{event.order_id}: {event.detail}; it may be live and counts as working")]
        case OrderReported():
            word = "ended" if event.status in CLOSED else "reported"
            text = f"{event.order_id} {event.status.value}, cumulative {event.cum_qty} {event.reason}"
            return [(word, text.rstrip())]
        case OrderNotFound():
            return [("not found", f"{event.order_id} is not shown by the venue; evidence, not proof")]
        case CancelAnswered():
            return [("cancel", f"{event.order_id} {event.outcome.value} {event.code} {event.text}".rstrip())]
        case LeverageAnswered() if event.refusal:
            return [("leverage", f"{event.leg_id} refused: {event.refusal}")]
        case OperatorCommanded():
            return [("operator", f"{event.action.value} by {event.principal or 'operator'} {event.detail}".rstrip())]
        case BookStarted():
            return [("started", f"run {event.epoch}; live orders are to be proven")]
        case QuoteReceived():
            return [("quote", f"{event.quote.instrument_id} {event.quote.bid} / {event.quote.ask}")]
        case TimeReached():
            return [("time", "a wait was over")]
        case _:
            return [(type(event).__name__, "")]


def tell_command(command: Command) -> list[tuple[str, str]]:
    """Return (what, text) for people; empty for commands that need no telling."""
    match command:
        case SubmitOrder():
            price = "market" if command.limit_price is None else f"@ {command.limit_price}"
            words = [command.side.value.upper(), str(command.qty), command.instrument_id, price, command.role.value]
            words += ["post-only"] if command.post_only else []
            words += ["reduce-only"] if command.reduce_only else []
            # Where a role has several, the slot says which, e.g. which rule closes a position.
            words += [f"({command.slot})"] if "/" in command.slot else []
            return [("order", f"{command.order_id} {' '.join(words)}")]
        case CancelOrder():
            return [("cancel", f"{command.order_id}: {command.reason}")]
        case QueryOrder():
            return [("asked", f"{command.order_id} by id")]
        case SetLeverage():
            return [("leverage", f"{command.leg_id} {command.leverage} asked for")]
        case OrderGivenUp():
            counts = f"{command.not_found} not found, {command.not_open} not open, {command.no_trades} no trades"
            return [("given up", f"{command.order_id} is proven gone: {counts}")]
        case HoldStarted() | HoldChanged():
            return [("held", tell_hold(command.hold))]
        case HoldEnded():
            return [("held", f"{command.key} no longer held")]
        case AlarmRaised():
            return [("alarm", f"{command.alarm.kind.value} {command.alarm.subject}: {command.alarm.text}")]
        case ModeChanged():
            return [("mode", f"{command.mode.value}: {command.reason}")]
        case PolicyNoted() if command.note:
            return [("policy", command.note)]
        case _:
            return []


def tell_hold(hold: Hold) -> str:
    """Return a hold in one line: where, why, and its numbers."""
    numbers = ", ".join(f"{name} {value}" for name, value in hold.numbers)
    sentence = HOLD_TEXTS[hold.reason].sentence
    return f"{hold.key} {hold.reason.value}: {sentence}{' (' + numbers + ')' if numbers else ''}"


def _tell_fill(fill: Fill) -> str:
    fee = "unknown" if fill.fee is None else f"{fill.fee:f} {fill.fee_currency}".rstrip()
    order = fill.order_id or "an order without our id"
    side = "maker" if fill.is_maker else "taker"
    return f"{fill.side.value.upper()} {fill.qty} {fill.instrument_id} @ {fill.price} ({side}), {order}, fee {fee}"
