"""What happened, told line by line for people, from durable turns alone: fills, hedges with their latency, waits."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from hedgerow.core.book import Book, BookState
from hedgerow.core.commands import AlarmRaised, Command, HoldChanged, HoldStarted, Mode, ModeChanged, PolicyNoted, Turn
from hedgerow.core.config import NS_PER_MS, NS_PER_S
from hedgerow.core.events import (
    Action,
    BookStarted,
    Event,
    FillLookedUp,
    FillReceived,
    LinkDown,
    LinkUp,
    OperatorCommanded,
    TradesRead,
)
from hedgerow.core.holds import HOLD_TEXTS, Hold, HoldReason
from hedgerow.core.step import empty_book, fold
from hedgerow.core.target import Target
from hedgerow.model.ids import BookId, LegId, TradeId
from hedgerow.model.order import Fill

# A hedge later than this came through something worth a word.
RECOVERED_NS = 500 * NS_PER_MS

_encode_state = msgspec.json.Encoder().encode
_decode_state = msgspec.json.Decoder(BookState).decode


class Silent:
    """Stands in for a policy: folding never asks it."""

    def target(self, book: Book) -> Target:
        return Target()


class Line(msgspec.Struct, frozen=True):
    """One line of the story."""

    ts_ns: int
    what: str
    "`fill`, `hedge`, `WAIT`, `link`, `ALARM`, `mode`, `policy`, `start`, `chaos`."
    text: str


class _Open:
    """What is known of a book's residual while there is one."""

    def __init__(self, since_ns: int | None = None) -> None:
        self.since_ns = since_ns
        "The venue's time of the oldest lead fill that is not offset."
        self.told: str = ""
        "The reason that was told last."


class Story:
    """Follows the turns of all books on copies of its own."""

    def __init__(self) -> None:
        self.books: dict[BookId, Book] = {}
        self.fills = 0
        "Fills of lead legs."
        self.trade_ids: dict[tuple[BookId, LegId], list[TradeId]] = {}
        "Every booked fill, in the order of booking."
        self.last_order = ""
        "The order of the last hedge fill."
        self.slowest_order = ""
        "The order of the hedge fill that came latest after its cause."
        self._slowest_ns = -1
        self._open: dict[BookId, _Open] = {}

    def begin(self, books: Iterable[Book]) -> None:
        """Take over what the books are now, before the first turn that is followed."""
        for book in books:
            state = _decode_state(_encode_state(book.state))
            self.books[state.config.book_id] = Book(state, Silent())
            if state.residual_since_ns:
                self._open[state.config.book_id] = _Open(state.residual_since_ns)

    def follow(self, turns: Iterable[tuple[int, Turn]]) -> list[Line]:
        """Return what there is to tell of the next turns."""
        lines: list[Line] = []
        for _, turn in turns:
            lines += self._follow(turn)
        return lines

    def _follow(self, turn: Turn) -> list[Line]:
        event = turn.event
        book = self.books.get(turn.book_id)
        if book is None:
            assert isinstance(event, BookStarted), turn
            book = self.books[turn.book_id] = empty_book(event.config, Silent())
        fills = [fill for fill in fills_of(event) if not _is_booked(book, fill)]
        fold(book, turn)
        lines: list[Line] = []
        for fill in fills:
            if _is_booked(book, fill):
                line = self._tell_fill(book, fill, turn.ts_ns)
                found = "  found in the venue's trades" if isinstance(event, TradesRead) else ""
                lines.append(Line(line.ts_ns, line.what, line.text + found))
        lines += _tell_event(book, turn)
        for command in turn.commands:
            lines += self._tell_command(book, command, turn.ts_ns)
        if book.is_hedged:
            self._open.pop(turn.book_id, None)
        return lines

    def _tell_fill(self, book: Book, fill: Fill, ts_ns: int) -> Line:
        book_id = book.config.book_id
        leg_id = book.leg_of(fill.account_id, fill.instrument_id)
        assert leg_id is not None, fill
        self.trade_ids.setdefault((book_id, leg_id), []).append(fill.trade_id)
        symbol = fill.instrument_id.partition(":")[2]
        order_id = fill.order_id or "-"
        text = f"{order_id:<14} {fill.side.value.upper():<4} {fill.qty:f} {symbol:<9} {fill.price:f}  {fill.account_id}"
        rule = book.config.hedge
        if rule is None or leg_id != rule.hedge:
            self.fills += 1
            standing = self._open.setdefault(book_id, _Open())
            if standing.since_ns is None:
                standing.since_ns = fill.venue_ts_ns
            return Line(ts_ns, "fill", text)
        self.last_order = order_id
        opened = self._open.get(book_id)
        if opened is None or opened.since_ns is None:
            return Line(ts_ns, "hedge", text)
        latency_ns = max(0, fill.venue_ts_ns - opened.since_ns)
        if latency_ns > self._slowest_ns:
            self._slowest_ns, self.slowest_order = latency_ns, order_id
        recovered = "  recovered" if opened.told or latency_ns > RECOVERED_NS else ""
        return Line(ts_ns, "hedge", f"{text}  {duration(latency_ns)}{recovered}")

    def _tell_command(self, book: Book, command: Command, ts_ns: int) -> list[Line]:
        match command:
            case HoldStarted() | HoldChanged():
                return self._tell_hold(book, command.hold, ts_ns)
            case AlarmRaised():
                alarm = command.alarm
                return [Line(ts_ns, "ALARM", f"{book.config.book_id}  {alarm.kind.value}  {alarm.text}")]
            case PolicyNoted() if command.note:
                return [Line(ts_ns, "policy", f"{book.config.book_id}  {command.note}")]
            case ModeChanged():
                return [Line(ts_ns, "mode", f"{book.config.book_id}  {command.mode.value}: {command.reason}")]
            case _:
                return []

    def _tell_hold(self, book: Book, hold: Hold, ts_ns: int) -> list[Line]:
        """A hold of what the hedge leg owes; those of entries are for `hedgerow status`."""
        rule = book.config.hedge
        opened = self._open.get(book.config.book_id)
        if rule is None or hold.leg_id != rule.hedge or hold.slot or opened is None or book.is_hedged:
            return []
        if opened.told == hold.reason.value:
            return []
        if hold.reason is HoldReason.BELOW_MINIMUM and book.live[rule.hedge]:
            # A remainder of what is being hedged right now: nothing waits that a hedge could do.
            return []
        opened.told = hold.reason.value
        instrument = book.legs[rule.hedge].instrument
        price = book.mark(rule.hedge) or book.ledger(rule.lead).last_price or Decimal(0)
        notional = instrument.notional(abs(book.residual), price)
        account = book.legs[rule.hedge].account_id
        sentence = HOLD_TEXTS[hold.reason].sentence
        text = f"residual {book.residual:+f} {instrument.base} (${notional:,.0f}), {account}: {sentence}"
        return [Line(ts_ns, "WAIT", text)]


def _tell_event(book: Book, turn: Turn) -> list[Line]:
    event = turn.event
    match event:
        case LinkDown():
            return [Line(turn.ts_ns, "link", f"{book.legs[event.leg_id].account_id} down: {event.detail}")]
        case LinkUp():
            return [Line(turn.ts_ns, "link", f"{book.legs[event.leg_id].account_id} up; what was missed is being read")]
        case OperatorCommanded() if event.action is not Action.SIGNAL and not _by_the_node(event):
            state = book.state
            text = f"{book.config.book_id} {state.mode.value}: {state.mode_reason}"
            if state.mode in (Mode.FROZEN, Mode.HALTED):
                text += f"; lift it with `hedgerow resume {book.config.book_id}`"
            return [Line(turn.ts_ns, "mode", text)]
        case BookStarted() if event.epoch > book.state.first_epoch:
            live = sum(len(orders) for orders in book.live.values())
            run_no = book.state.runs
            text = f"{event.config.book_id}  run {run_no}: {live} live order(s) to be proven, trades to be read"
            return [Line(turn.ts_ns, "start", text)]
        case _:
            return []


def _by_the_node(event: OperatorCommanded) -> bool:
    """Whether the node itself stops a book or lifts its own stop; a freeze that it keeps is told."""
    return event.principal.startswith("node:stop") or (
        event.principal.startswith("node:") and event.action is Action.RESUME
    )


def fills_of(event: Event) -> tuple[Fill, ...]:
    """Return the fills that an event may book."""
    match event:
        case FillReceived() | FillLookedUp():
            return (event.fill,)
        case TradesRead():
            return event.fills
        case _:
            return ()


def _is_booked(book: Book, fill: Fill) -> bool:
    order_id = fill.order_id
    if order_id is None and fill.venue_order_id is not None:
        leg_id = book.leg_of(fill.account_id, fill.instrument_id)
        order_id = None if leg_id is None else book.venue_order_ids.get((leg_id, fill.venue_order_id))
    return order_id is not None and fill.trade_id in book.state.trades.get(order_id, {})


def told(line: Line) -> str:
    """Return a line as it is printed; its time is UTC."""
    seconds, rest = divmod(line.ts_ns, NS_PER_S)
    return f"{datetime.fromtimestamp(seconds, UTC):%H:%M:%S}.{rest // NS_PER_MS:03d}  {line.what:<6}  {line.text}"


def duration(ns: int) -> str:
    """Return a duration for people: `21.2 ms`, `1.83 s`."""
    if ns < NS_PER_S:
        return f"{ns // NS_PER_MS}.{ns % NS_PER_MS // 100_000} ms"
    return f"{ns // NS_PER_S}.{ns % NS_PER_S // (10 * NS_PER_MS):02d} s"
