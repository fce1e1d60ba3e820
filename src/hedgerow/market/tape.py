"""Tapes: recorded frames of Binance spot and USD-M, read lazily as market events.

A line is `<receive time, ns since the epoch> <the frame as received, JSON>`, plain or gzip. Of the two clocks in it,
the recorder's receive time counts: it is the one by which an engine would have seen the frame.
"""

from __future__ import annotations

import gzip
import heapq
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import BinaryIO, assert_never, cast

import msgspec

from hedgerow.market.exchange import SimExchange
from hedgerow.model.ids import InstrumentId
from hedgerow.model.market import Level
from hedgerow.model.order import Side

NS_PER_MS = 1_000_000
# Depth updates kept while the snapshot is awaited. Binance sends at most one per 100 ms (spot) or about 20 a second
# (USD-M), and a snapshot is asked for within seconds.
WAITING_MAX = 10_000


class TapeError(Exception):
    """A tape that cannot be used. The text names file and line."""

    def __init__(self, path: Path, line: int, problem: str) -> None:
        where = f"{path}:{line}" if line else str(path)
        super().__init__(f"{where}: {problem}")


class BookSnapshot(msgspec.Struct, frozen=True):
    """All that a market shows."""

    ts_ns: int
    instrument_id: InstrumentId
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class LevelsUpdated(msgspec.Struct, frozen=True):
    """New quantities at some prices; zero: nothing is left there."""

    ts_ns: int
    instrument_id: InstrumentId
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class TopUpdated(msgspec.Struct, frozen=True):
    """The best bid and ask; nothing better is left."""

    ts_ns: int
    instrument_id: InstrumentId
    bid: Level
    ask: Level


class Traded(msgspec.Struct, frozen=True):
    """Others traded."""

    ts_ns: int
    instrument_id: InstrumentId
    price: Decimal
    qty: Decimal
    aggressor: Side


class RateTold(msgspec.Struct, frozen=True):
    """The venue told the coming funding of a perpetual."""

    ts_ns: int
    rate: Decimal
    "Of the notional; + means longs pay."
    due_ns: int
    "When it is paid, by the venue's clock."


MarketEvent = TopUpdated | LevelsUpdated | Traded | BookSnapshot


def play(event: MarketEvent, exchange: SimExchange) -> None:
    """Let `exchange` see one event."""
    match event:
        case TopUpdated():
            exchange.set_top(event.ts_ns, event.instrument_id, event.bid, event.ask)
        case LevelsUpdated():
            exchange.update_levels(event.ts_ns, event.instrument_id, event.bids, event.asks)
        case Traded():
            exchange.trade(event.ts_ns, event.instrument_id, event.price, event.qty, event.aggressor)
        case BookSnapshot():
            exchange.set_book(event.ts_ns, event.instrument_id, event.bids, event.asks)
        case _:
            assert_never(event)


def merge(tapes: Iterable[Iterable[MarketEvent]]) -> Iterator[MarketEvent]:
    """Return the events of several tapes by time; at the same time, in the order of `tapes`."""
    return heapq.merge(*tapes, key=lambda event: event.ts_ns)


class _Data(msgspec.Struct):
    """The fields of Binance's market frames under their one-letter names. `b` and `a` are prices or levels."""

    event: str = msgspec.field(name="e", default="")
    first_id: int = msgspec.field(name="U", default=0)
    last_id: int = msgspec.field(name="u", default=0)
    previous_id: int | None = msgspec.field(name="pu", default=None)
    bid: str | int | list[tuple[str, str]] = msgspec.field(name="b", default="")
    ask: str | int | list[tuple[str, str]] = msgspec.field(name="a", default="")
    bid_qty: str | int = msgspec.field(name="B", default="")
    ask_qty: str | int = msgspec.field(name="A", default="")
    price: str = msgspec.field(name="p", default="")
    qty: str = msgspec.field(name="q", default="")
    buyer_is_maker: bool = msgspec.field(name="m", default=False)
    market: str = msgspec.field(name="X", default="MARKET")
    "USD-M: `MARKET`, or what else the venue booked there, such as the insurance fund."
    rate: str = msgspec.field(name="r", default="")
    "USD-M mark prices: the funding rate as it is now; empty for what has none, such as dated futures."
    due_ms: int = msgspec.field(name="T", default=0)
    "USD-M mark prices: when it is paid."


class _Frame(_Data):
    """A frame: in a combined stream's envelope, bare, or the answer to a depth request."""

    data: _Data | None = None
    snapshot_id: int = msgspec.field(name="lastUpdateId", default=0)
    bids: list[tuple[str, str]] = msgspec.field(default_factory=list)
    asks: list[tuple[str, str]] = msgspec.field(default_factory=list)


_FRAMES = msgspec.json.Decoder(_Frame)


class _Disorder(Exception):
    """A depth update does not follow the one before it."""


class Tape:
    """One recorded file as events of one instrument. Each iteration reads the file anew, and lazily.

    Until the snapshot, the best bid and ask are the whole book, and depth updates wait; then come the snapshot and
    those of them that followed it. Frames of other kinds are passed over.

    Raises:
        TapeError: at once, when the file cannot be read or its first line is no frame; while iterating, where it
            breaks off, does not parse, or goes back in time, or where depth updates are missing.
    """

    def __init__(self, path: Path | str, instrument_id: InstrumentId) -> None:
        self.path = Path(path)
        self.instrument_id = instrument_id
        self.line = 0
        "The line of the frame that was read last."
        self.rates: list[RateTold] = []
        "What mark-price frames told of funding, each change of it, since the latest iteration began."
        self._file: BinaryIO | None = None
        first = next(self._frames(), None)
        if first is None:
            raise TapeError(self.path, 0, "is empty; a tape has one '<receive time in ns> <frame>' per line")

    def __iter__(self) -> Iterator[MarketEvent]:
        follower = _Follower(self.instrument_id)
        self.rates.clear()
        line = 0
        for line, ts_ns, frame in self._frames():
            self.line = line
            try:
                data = frame if frame.data is None else frame.data
                if data.event == "markPriceUpdate" and data.rate:
                    self._note_rate(ts_ns, data)
                yield from follower.events(ts_ns, frame)
            except _Disorder as disorder:
                raise TapeError(self.path, line, str(disorder)) from None
            except (InvalidOperation, ValueError):
                raise TapeError(self.path, line, "has a price or quantity that is not a number") from None
        if not follower.seen:
            raise TapeError(self.path, line, "ends without a depth, bookTicker or trade frame of Binance in it")

    def position(self) -> int:
        """Return how many bytes of the file the latest iteration has read."""
        return 0 if self._file is None or self._file.closed else self._file.tell()

    def _note_rate(self, ts_ns: int, data: _Data) -> None:
        rate, due_ns = Decimal(data.rate), data.due_ms * NS_PER_MS
        if not rate.is_finite():
            raise ValueError(data.rate)
        if not self.rates or (rate, due_ns) != (self.rates[-1].rate, self.rates[-1].due_ns):
            self.rates.append(RateTold(ts_ns, rate, due_ns))

    def _frames(self) -> Iterator[tuple[int, int, _Frame]]:
        line = 0
        last_ts_ns = 0
        try:
            with self.path.open("rb") as self._file:
                for raw in _plain(self._file):
                    line += 1
                    stamp, _, text = raw.partition(b" ")
                    if not stamp.isdigit() or not text:
                        problem = "is not a frames file" if line == 1 else "does not begin with a receive time"
                        raise TapeError(self.path, line, f"{problem}, expected '<receive time in ns> <frame>'")
                    ts_ns = int(stamp)
                    if ts_ns < last_ts_ns:
                        raise TapeError(self.path, line, f"goes back in time, from {last_ts_ns} to {ts_ns}")
                    last_ts_ns = ts_ns
                    yield line, ts_ns, _FRAMES.decode(text)
        except EOFError:
            raise TapeError(self.path, line, "breaks off after this line: the gzip data is cut short") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise TapeError(self.path, line, f"has broken gzip data after this line: {error}") from None
        except OSError as error:
            raise TapeError(self.path, 0, f"cannot be read: {error.strerror}") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise TapeError(self.path, line, f"has a frame that cannot be read: {error}") from None


class _Follower:
    """Turns frames into events, by the venue's rules for a local book.

    Source: Binance docs, "How to manage a local order book correctly", spot and USD-M (recalled, and held against the
    two recorded files): spot updates follow when U is the last u + 1, USD-M ones when pu is the last u.
    """

    def __init__(self, instrument_id: InstrumentId) -> None:
        self.seen = False
        "Whether any frame of a known kind came by."
        self._instrument_id = instrument_id
        self._last_id: int | None = None
        "Last update id of the book; None before the snapshot."
        self._after_snapshot = False
        "The next update overlaps with the snapshot instead of following it exactly."
        self._waiting: deque[_Data] = deque(maxlen=WAITING_MAX)
        self._top: TopUpdated | None = None
        self._top_id = 0

    def events(self, ts_ns: int, frame: _Frame) -> Iterator[MarketEvent]:
        """Return what one frame tells."""
        if frame.snapshot_id:
            self.seen = True
            yield from self._snapshot(ts_ns, frame)
            return
        data = frame if frame.data is None else frame.data
        if data.event == "trade":
            self.seen = True
            yield from self._trade(ts_ns, data)
        elif data.event == "depthUpdate":
            self.seen = True
            if self._last_id is None:
                self._waiting.append(data)
            else:
                yield from self._update(ts_ns, data)
        elif data.event == "bookTicker" or (not data.event and data.last_id and data.bid_qty):
            self.seen = True
            yield from self._ticker(ts_ns, data)

    def _trade(self, ts_ns: int, data: _Data) -> Iterator[MarketEvent]:
        qty = _number(data.qty)
        if qty > 0 and data.market == "MARKET":
            aggressor = Side.SELL if data.buyer_is_maker else Side.BUY
            yield Traded(ts_ns, self._instrument_id, _number(data.price), qty, aggressor)

    def _ticker(self, ts_ns: int, data: _Data) -> Iterator[MarketEvent]:
        if data.last_id <= self._top_id:
            return
        bid = (_number(_text(data.bid)), _number(_text(data.bid_qty)))
        ask = (_number(_text(data.ask)), _number(_text(data.ask_qty)))
        self._top = TopUpdated(ts_ns, self._instrument_id, bid, ask)
        self._top_id = data.last_id
        if self._last_id is None:
            yield BookSnapshot(ts_ns, self._instrument_id, (bid,), (ask,))
        elif data.last_id > self._last_id:
            yield self._top

    def _snapshot(self, ts_ns: int, frame: _Frame) -> Iterator[MarketEvent]:
        if self._last_id is not None and frame.snapshot_id <= self._last_id:
            return
        self._last_id = frame.snapshot_id
        self._after_snapshot = True
        bids, asks = self._behind_top(_levels(frame.bids), _levels(frame.asks))
        top = self._newer_top()
        if top is not None:
            bids, asks = (top.bid, *bids), (top.ask, *asks)
        yield BookSnapshot(ts_ns, self._instrument_id, bids, asks)
        waiting, self._waiting = self._waiting, deque(maxlen=WAITING_MAX)
        for data in waiting:
            yield from self._update(ts_ns, data)

    def _update(self, ts_ns: int, data: _Data) -> Iterator[MarketEvent]:
        last_id = self._last_id
        assert last_id is not None, data
        if data.last_id <= last_id:
            # Older than the snapshot. After it, the venue sends no update twice.
            if self._after_snapshot:
                return
            raise _Disorder(f"repeats depth update {data.last_id}, and the book is at {last_id}")
        if self._after_snapshot:
            follows = data.first_id <= last_id + 1
        elif data.previous_id is not None:
            follows = data.previous_id == last_id
        else:
            follows = data.first_id == last_id + 1
        if not follows:
            raise _Disorder(f"begins at depth update {data.first_id}, and those after {last_id} are missing")
        self._after_snapshot = False
        self._last_id = data.last_id
        bids, asks = self._behind_top(_levels(data.bid), _levels(data.ask))
        yield LevelsUpdated(ts_ns, self._instrument_id, bids, asks)

    def _behind_top(
        self, bids: tuple[Level, ...], asks: tuple[Level, ...]
    ) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """Return what of older levels still holds under a newer top: those that are worse than it.

        Spot depth comes every 100 ms and tops at once; a level that the top has passed would trade with orders that
        rest there now.
        """
        top = self._newer_top()
        if top is None:
            return bids, asks
        bid_price, ask_price = top.bid[0], top.ask[0]
        return (
            tuple([level for level in bids if level[0] < bid_price]),
            tuple([level for level in asks if level[0] > ask_price]),
        )

    def _newer_top(self) -> TopUpdated | None:
        """Return the last top, if it is newer than the book."""
        return self._top if self._last_id is not None and self._top_id > self._last_id else None


def _plain(file: BinaryIO) -> BinaryIO:
    is_gzip = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    return cast(BinaryIO, gzip.open(file)) if is_gzip else file


def _levels(rows: str | int | list[tuple[str, str]]) -> tuple[Level, ...]:
    if not isinstance(rows, list):
        raise ValueError(rows)
    return tuple([(_number(price), _number(qty)) for price, qty in rows])


def _text(value: str | int | list[tuple[str, str]]) -> str:
    if not isinstance(value, str):
        raise ValueError(value)
    return value


def _number(text: str) -> Decimal:
    # Spot frames pad to eight decimals; without the zeros the same price has one text in journals and reports.
    number = Decimal(text.rstrip("0").rstrip(".") if "." in text else text)
    if not number.is_finite() or number < 0:
        raise ValueError(text)
    return number
