"""The market as Binance tells it: best levels, the whole book from a snapshot and deltas, mark and funding."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from heapq import nlargest, nsmallest

import msgspec

from hedgerow.core.events import FundingRateReceived, QuoteReceived
from hedgerow.model.ids import InstrumentId
from hedgerow.model.market import FundingRate, Quote
from hedgerow.venues.wire.binance.answers import body_of
from hedgerow.venues.wire.binance.frames import StreamEnded
from hedgerow.venues.wire.binance.kinds import Product, Watch
from hedgerow.venues.wire.binance.shapes import Shape
from hedgerow.venues.wire.payload import BadPayload, Number, Text, amount, decoded, ns_of, positive, shown, unsigned
from hedgerow.venues.wire.request import HttpAnswer

# Deltas that wait for a snapshot: a minute of them. When it has not come by then, another is asked for.
WAITING_MAX = 600
# Levels that a side may grow to as prices wander; beyond, the best stay, as many as a snapshot has.
LEVELS_MAX, LEVELS_KEPT = 5_000, 1_000
# Most perpetuals pay every 8 h; those that do not are in `fundingInfo`.
FUNDING_INTERVAL_S = 8 * 3_600
HOUR_S = 3_600


Changes = tuple[tuple[Number, Number], ...]
"(price, qty) of levels, not judged yet."


class BookTicker(msgspec.Struct, frozen=True, gc=False):
    """The best levels of a book."""

    s: str
    b: Number
    B: Number
    a: Number
    A: Number
    u: int = 0


class DepthDiff(msgspec.Struct, frozen=True, gc=False):
    """What changed in a book: absolute qtys of levels; zero removes one."""

    s: str
    U: int
    "First update in it."
    u: int
    "Last update in it."
    b: Changes
    a: Changes
    pu: int | None = None
    "Futures: the last update of the frame before."


class MarkPrice(msgspec.Struct, frozen=True, gc=False):
    """Mark and coming funding of a perpetual."""

    s: str
    p: Number
    r: Number
    "Coming funding rate; a dated future has an empty text here, and is not traded."
    T: int
    "Next funding time."


class _Head(msgspec.Struct, frozen=True, gc=False):
    e: str = ""
    b: msgspec.Raw = msgspec.Raw(b"")
    stream: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")
    id: int | str | None = None
    error: msgspec.Raw = msgspec.Raw(b"")


class _Snapshot(Shape, frozen=True, gc=False):
    last_update_id: int
    bids: Changes
    asks: Changes


class _FundingInfo(Shape, frozen=True, gc=False):
    symbol: str
    funding_interval_hours: int


MarketFrame = BookTicker | DepthDiff | MarkPrice | StreamEnded | None
"One frame, understood; None when it is of no concern here."

_HEAD = msgspec.json.Decoder(_Head)
_TICKER = msgspec.json.Decoder(BookTicker)
_DIFF = msgspec.json.Decoder(DepthDiff)
_MARK = msgspec.json.Decoder(MarkPrice)
_SNAPSHOT = msgspec.json.Decoder(_Snapshot)
_FUNDING_INFO = msgspec.json.Decoder(tuple[_FundingInfo, ...])


def market_frame(raw: bytes | str) -> MarketFrame:
    """Return what one frame of a market stream says.

    Raises:
        BadPayload: it cannot be understood.
    """
    head = decoded(_HEAD, raw)
    if head.stream and head.data:
        return _named(head.data, decoded(_HEAD, head.data))
    return _named(raw, head)


def _named(raw: Text, head: _Head) -> MarketFrame:
    match head.e:
        case "depthUpdate":
            return decoded(_DIFF, raw)
        case "bookTicker":
            return decoded(_TICKER, raw)
        case "markPriceUpdate":
            return decoded(_MARK, raw)
        case "serverShutdown":
            return StreamEnded("serverShutdown")
        case "":
            # A spot ticker does not say what it is. An answer to a subscription says as little.
            if head.b:
                return decoded(_TICKER, raw)
            if head.id is not None and not head.error:
                return None
            raise BadPayload(f"not of a market: {shown(raw)}")
        case _:
            return None


def quote_of(ticker: BookTicker, watch: Watch, now_ns: int) -> QuoteReceived:
    """Return the best levels as a quote. A side that is empty has the price 0.

    Raises:
        BadPayload: its numbers cannot be.
    """
    bid_qty, ask_qty = unsigned(ticker.B, "bid qty"), unsigned(ticker.A, "ask qty")
    bids = ((positive(ticker.b, "bid"), bid_qty),) if bid_qty else ()
    asks = ((positive(ticker.a, "ask"), ask_qty),) if ask_qty else ()
    return QuoteReceived(now_ns, Quote(watch.instrument.id, now_ns, bids, asks))


def funding_of(mark: MarkPrice, watch: Watch, interval_s: int, now_ns: int) -> FundingRateReceived:
    """Return the coming funding.

    Raises:
        BadPayload: its numbers cannot be.
    """
    due_ns = ns_of(mark.T, "next funding time")
    return FundingRateReceived(
        now_ns, FundingRate(watch.instrument.id, now_ns, amount(mark.r, "funding rate"), interval_s, due_ns)
    )


def funding_interval_s(answer: HttpAnswer, symbol: str) -> int:
    """Return how long a funding interval of an instrument is.

    Raises:
        Refused, BadPayload: it was not told.
    """
    for row in body_of(_FUNDING_INFO, answer):
        if row.symbol == symbol:
            if row.funding_interval_hours <= 0:
                raise BadPayload(f"the funding interval of {symbol} is {row.funding_interval_hours} h")
            return row.funding_interval_hours * HOUR_S
    return FUNDING_INTERVAL_S


class DepthBook:
    """A book kept from a snapshot and deltas without a gap. With a gap it is empty until the next snapshot.

    Source: "How to manage a local order book correctly", spot and USD-M (checked 2026-07).
    """

    def __init__(self, product: Product, symbol: str) -> None:
        self._is_futures = product.is_futures
        self._symbol = symbol
        self._waiting: deque[DepthDiff] = deque(maxlen=WAITING_MAX)
        self._bids: dict[Decimal, Decimal] = {}
        self._asks: dict[Decimal, Decimal] = {}
        self._update = 0
        "The last update that is in the book; 0 while there is no snapshot."
        self._is_linked = False
        "Whether a delta has followed on the snapshot: from then on each must follow on the one before."
        self.gaps = 0
        "How often the book was lost."

    @property
    def needs_snapshot(self) -> bool:
        """Return whether there is no book until a snapshot comes."""
        return self._update == 0

    def take(self, diff: DepthDiff) -> bool:
        """Take one delta; return whether the book has changed.

        Raises:
            BadPayload: its numbers cannot be, or it is of another instrument. The book is lost.
        """
        if diff.s != self._symbol:
            raise BadPayload(f"a delta of {shown(diff.s)} on the stream of {self._symbol}")
        if self._update == 0:
            self._waiting.append(diff)
            return False
        return self._apply(diff)

    def take_snapshot(self, answer: HttpAnswer) -> bool:
        """Take a snapshot and the deltas that waited for it; return whether there is a book now.

        Raises:
            Refused, BadPayload: it was not told. The book is as it was.
        """
        body = body_of(_SNAPSHOT, answer)
        bids, asks = _side(body.bids), _side(body.asks)
        if body.last_update_id <= 0:
            raise BadPayload(f"lastUpdateId is {body.last_update_id}")
        self._bids, self._asks, self._update, self._is_linked = bids, asks, body.last_update_id, False
        waiting, self._waiting = self._waiting, deque(maxlen=WAITING_MAX)
        for diff in waiting:
            if self._update:
                self._apply(diff)
            else:
                self._waiting.append(diff)
        return self._update > 0

    def lose(self) -> None:
        """Forget the book: the stream was cut."""
        self._waiting.clear()
        self._forget()

    def quote(self, instrument_id: InstrumentId, now_ns: int, levels: int) -> Quote | None:
        """Return the best levels of each side; None while there is no book."""
        if self._update == 0:
            return None
        bids = tuple((price, self._bids[price]) for price in _best(self._bids, levels, True))
        asks = tuple((price, self._asks[price]) for price in _best(self._asks, levels, False))
        return Quote(instrument_id, now_ns, bids, asks)

    def _apply(self, diff: DepthDiff) -> bool:
        if self._is_old(diff):
            return False
        if not self._follows(diff):
            # It may be the snapshot that is too old, and this delta the first of the next.
            self.gaps += 1
            self._forget()
            self._waiting.append(diff)
            return True
        try:
            self._bids = _merged(self._bids, diff.b, True)
            self._asks = _merged(self._asks, diff.a, False)
        except BadPayload:
            self.gaps += 1
            self._forget()
            raise
        self._update, self._is_linked = diff.u, True
        return True

    def _is_old(self, diff: DepthDiff) -> bool:
        if self._is_futures and not self._is_linked:
            return diff.u < self._update
        return diff.u <= self._update

    def _follows(self, diff: DepthDiff) -> bool:
        if self._is_futures:
            if self._is_linked:
                return diff.pu == self._update
            return diff.U <= self._update <= diff.u
        return diff.U <= self._update + 1 <= diff.u

    def _forget(self) -> None:
        self._bids, self._asks, self._update, self._is_linked = {}, {}, 0, False


def _side(levels: Changes) -> dict[Decimal, Decimal]:
    return {positive(price, "price"): positive(qty, "qty") for price, qty in levels}


def _merged(side: dict[Decimal, Decimal], changes: Changes, is_bid: bool) -> dict[Decimal, Decimal]:
    for price_text, qty_text in changes:
        price, qty = positive(price_text, "price"), unsigned(qty_text, "qty")
        if qty:
            side[price] = qty
        else:
            # A level that was not there may be removed: the snapshot holds no more than a thousand.
            side.pop(price, None)
    if len(side) <= LEVELS_MAX:
        return side
    return {price: side[price] for price in _best(side, LEVELS_KEPT, is_bid)}


def _best(side: dict[Decimal, Decimal], levels: int, is_bid: bool) -> list[Decimal]:
    return nlargest(levels, side) if is_bid else nsmallest(levels, side)
