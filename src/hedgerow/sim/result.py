"""What a backtest found: exact numbers, no clock of the machine in them, so that the same run gives the same bytes.

One result holds one or more books. Money is in the book's quote currency. The report is drawn from it alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import msgspec

from hedgerow.model.numbers import ZERO
from hedgerow.model.order import Role, Side

SCHEMA = "hedgerow.backtest/1"

P = TypeVar("P")


class ResultError(Exception):
    """A result that cannot be used. The text names the file and the remedy."""


class Source(msgspec.Struct, frozen=True, omit_defaults=True):
    """The market data of one venue of the config."""

    venue_id: str
    file: str
    "The file's own name, without its folder."
    instrument_id: str
    rows: int
    "Quotes, trades and bars in it."
    first_ts_ns: int
    last_ts_ns: int
    digest: str = ""
    "Names the content; two results with the same digests were made of the same data."


class Pnl(msgspec.Struct, frozen=True, omit_defaults=True):
    """Profit and loss in its parts, quote: `total == spread + funding + residual - fees - slippage`, exactly."""

    spread: Decimal = ZERO
    "What the legs earned against each other at the prices that were there when each decision fell."
    funding: Decimal = ZERO
    "Received less paid, borrow cost included."
    residual: Decimal = ZERO
    "What the position that is still held, and no leg offsets, gained or lost at the last mark."
    fees: Decimal = ZERO
    "Paid; negative when rebates were more."
    slippage: Decimal = ZERO
    "What orders that took paid beyond the price that was there when they were decided; negative is a gain."

    @property
    def total(self) -> Decimal:
        """The sum of the parts."""
        return self.spread + self.funding + self.residual - self.fees - self.slippage


class LegResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """One leg at the end."""

    leg_id: str
    account_id: str
    instrument_id: str
    base: str
    quote: str
    net_qty: Decimal = ZERO
    avg_price: Decimal | None = None
    "None when flat."
    mark: Decimal | None = None
    "The last one; None when there was none."
    realized: Decimal = ZERO
    unrealized: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    volume: Decimal = ZERO
    "Notional traded, quote."
    fills: int = 0
    maker_fills: int = 0


class Equity(msgspec.Struct, frozen=True, array_like=True):
    """What the book was worth more than at its start, fees and funding included, at the marks."""

    ts_ns: int
    gain: Decimal


class Exposure(msgspec.Struct, frozen=True, array_like=True):
    """What the legs held from here on."""

    ts_ns: int
    net_qtys: tuple[Decimal, ...]
    "One for each leg, in the order of `legs`."
    residual: Decimal
    "What no leg offsets."


class FillRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """One fill."""

    id: int
    "From 1, in the order of the venues' times."
    ts_ns: int
    "The venue's time of it."
    leg_id: str
    side: Side
    qty: Decimal
    price: Decimal
    role: Role
    order_id: str
    slot: str = ""
    fee: Decimal = ZERO
    "Quote."
    slippage: Decimal = ZERO
    "Quote; positive is a cost."
    is_maker: bool = False
    venue_made: bool = False
    "A liquidation, or another trade by the venue itself."
    cause: int = 0
    "The fill that this one hedges, or the entry that it exits; 0 when there is none."
    latency_ns: int | None = None
    "From when its cause could be hedged to this fill; None when it hedges nothing."
    carried_ns: int = 0
    "Before that: for how long its cause was below the hedge leg's smallest order, and waited for more."


class Interval(msgspec.Struct, frozen=True, omit_defaults=True):
    """A time at which the book was not hedged."""

    from_ts_ns: int
    to_ts_ns: int
    residual: Decimal
    "The largest of it, signed."
    notional: Decimal = ZERO
    "Of the largest, quote, >= 0."
    reason: str = ""
    "The hold that kept it open longest; empty when the hedge was simply on its way."


class HoldRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """One reason for which something wanted was not done, over the whole run."""

    reason: str
    leg_id: str
    count: int
    "How often it began."
    held_ns: int
    "How long it stood in all."
    longest_ns: int = 0


class HoldSpan(msgspec.Struct, frozen=True, array_like=True):
    """One time at which one hold stood."""

    reason: str
    leg_id: str
    from_ts_ns: int
    to_ts_ns: int


class LevelRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """One price level of a book that trades levels."""

    slot: str
    side: Side
    "Of its entry."
    price: Decimal
    exit_price: Decimal | None = None
    entries: int = 0
    exits: int = 0
    open_qty: Decimal = ZERO
    "Bought and not sold again, or the other way round; signed."
    gained: Decimal = ZERO
    "Of its completed pairs, quote, less fees."


class RoundRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """One round of a book: from flat to flat."""

    number: int
    opened_ts_ns: int
    closed_ts_ns: int | None
    "None while it is open."
    qty: Decimal
    "The largest that a leg held in it, base units."
    entry: Decimal | None = None
    "Average price of the lead leg's way in."
    exit: Decimal | None = None
    pnl: Pnl = Pnl()
    reason: str = ""
    "What ended it: `take_profit`, `stop_loss`, `time_limit`, …; empty when nothing but its exits did."


class Price(msgspec.Struct, frozen=True, array_like=True):
    """A piece of an instrument's price: best bid and ask at its end, lowest bid and highest ask in it."""

    ts_ns: int
    bid: Decimal
    ask: Decimal
    low: Decimal
    high: Decimal


class PriceSeries(msgspec.Struct, frozen=True):
    """The price of one leg, thinned to what a screen can show."""

    leg_id: str
    points: tuple[Price, ...]


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """A price to draw across the chart: a grid level, a stop, the edge of a range."""

    leg_id: str
    price: Decimal
    text: str
    side: Side | None = None
    from_ts_ns: int = 0
    "0: from the start."
    to_ts_ns: int = 0
    "0: to the end."


class AlarmRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """One alarm that was raised."""

    ts_ns: int
    kind: str
    text: str


class BookResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """One book over the whole run."""

    book_id: str
    policy: str
    quote: str
    "Currency of all its money."
    base: str
    "Unit of its residual."
    legs: tuple[LegResult, ...]
    pnl: Pnl
    params: dict[str, str] = {}
    equity: tuple[Equity, ...] = ()
    "By time; thinned with `thinned`, extremes kept."
    drawdown: Decimal = ZERO
    "The deepest fall below the highest gain before it, >= 0; of every step, not of the thinned curve."
    exposure: tuple[Exposure, ...] = ()
    "One after each change."
    fills: tuple[FillRow, ...] = ()
    unhedged: tuple[Interval, ...] = ()
    unhedged_ns: int = 0
    "Their sum, which the list may not hold in full."
    holds: tuple[HoldRow, ...] = ()
    hold_spans: tuple[HoldSpan, ...] = ()
    levels: tuple[LevelRow, ...] = ()
    rounds: tuple[RoundRow, ...] = ()
    prices: tuple[PriceSeries, ...] = ()
    lines: tuple[Line, ...] = ()
    alarms: tuple[AlarmRow, ...] = ()
    orders: int = 0
    "Submits that left."
    cancels: int = 0
    refused: int = 0
    "Submits that a venue refused."
    mode: str = "running"
    "At the end; `frozen` after a flatten or a stop."
    mode_reason: str = ""
    stands_apart: bool = False
    "Whether no leg offsets another one, so that what they hold adds up to nothing that means something."

    @property
    def latencies_ns(self) -> list[int]:
        """How long each hedge fill came after its cause could be hedged, rising."""
        return sorted(fill.latency_ns for fill in self.fills if fill.latency_ns is not None)

    @property
    def residual(self) -> Decimal:
        """What no leg offsets at the end."""
        return self.exposure[-1].residual if self.exposure else ZERO


class BacktestResult(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="schema", tag=SCHEMA):
    """One backtest."""

    version: str
    "Of hedgerow."
    config: str
    "The config's file name, without its folder."
    config_sha: str
    seed: int
    from_ts_ns: int
    to_ts_ns: int
    sources: tuple[Source, ...]
    books: tuple[BookResult, ...]
    rows: int = 0
    "Market rows that went by."
    notes: tuple[str, ...] = ()
    "What the reader must know: rules that bars made necessary, data that was missing."


_ENCODER = msgspec.json.Encoder(decimal_format="string")
_DECODER = msgspec.json.Decoder(BacktestResult)


def encoded(result: BacktestResult) -> bytes:
    """Return the result as JSON, the same bytes for the same result."""
    return _ENCODER.encode(result)


def load_result(path: Path | str) -> BacktestResult:
    """Return the result in a JSON file, or in the folder that `hedgerow backtest --out` made.

    Raises:
        ResultError: there is none, or it cannot be read.
    """
    file = Path(path)
    if file.is_dir():
        file = file / "result.json"
    try:
        body = file.read_bytes()
    except OSError as error:
        raise ResultError(f"{file}: cannot be read: {error.strerror}") from None
    try:
        return _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ResultError(f"{file}: is not the result of a backtest: {error}") from None


def thinned(points: Sequence[P], count_max: int, value: Callable[[P], Decimal]) -> tuple[P, ...]:
    """Return at most `count_max` of `points`, by time: of each piece the first, lowest, highest and last."""
    if len(points) <= count_max:
        return tuple(points)
    pieces = max(1, count_max // 4)
    kept: list[P] = []
    for piece in range(pieces):
        start, end = len(points) * piece // pieces, len(points) * (piece + 1) // pieces
        order = range(start, end)
        extremes = {min(order, key=lambda at: value(points[at])), max(order, key=lambda at: value(points[at]))}
        kept += [points[at] for at in sorted({start, end - 1} | extremes)]
    return tuple(kept)
