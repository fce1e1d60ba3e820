"""The market of one instrument at Binance, as its public streams tell it: book, mark and funding."""

from __future__ import annotations

import asyncio
import contextlib

from hedgerow.core.events import Event, QuoteReceived
from hedgerow.venues.binance_venue import FAILURES, NS_PER_S, BinanceVenue
from hedgerow.venues.gateway import Deliver
from hedgerow.venues.transport.errands import Errands
from hedgerow.venues.transport.stream import Pace, Said, Stream
from hedgerow.venues.wire.binance.build import Public
from hedgerow.venues.wire.binance.frames import StreamEnded
from hedgerow.venues.wire.binance.kinds import Watch
from hedgerow.venues.wire.binance.market import (
    BookTicker,
    DepthBook,
    DepthDiff,
    MarkPrice,
    funding_interval_s,
    funding_of,
    market_frame,
    quote_of,
)
from hedgerow.venues.wire.binance.streams import ROTATE_AFTER_S, StreamAddress, market_addresses
from hedgerow.venues.wire.payload import BadPayload
from hedgerow.venues.wire.request import HttpAnswer

# As many levels as a policy can look at; the rest of the book stays here.
LEVELS = 20
PACE = Pace(rotate_s=ROTATE_AFTER_S)
# A book that was told nothing of for so long is compared with a snapshot: the market rests, or the stream is mute.
QUIET_S = 8
CHECK_S = 1
SNAPSHOT_AGAIN_S = 1
INTERVAL_EVERY_S = 3_600


class BinanceMarket:
    """Quotes and funding of one instrument, for one leg."""

    def __init__(self, venue: BinanceVenue, watch: Watch, deliver: Deliver, pace: Pace = PACE) -> None:
        self._venue = venue
        self._watch = watch
        self._deliver = deliver
        self._public = Public(watch.product, watch.symbol)
        self._book = DepthBook(watch.product, watch.symbol)
        self._is_asking = False
        self._told_ns = venue.clock.now_ns()
        "When the book's stream told something last."
        self._interval_s: int | None = None
        self._errands = Errands(venue.clock)
        book, *others = market_addresses(watch.product, watch.symbol)
        self._book_stream = Stream(venue.http, _Public(self, book, is_book=True), venue.clock, pace)
        self._streams = [
            self._book_stream,
            *(Stream(venue.http, _Public(self, address, is_book=False), venue.clock, pace) for address in others),
        ]

    def start(self) -> None:
        """Open the streams, and keep them open."""
        for stream in self._streams:
            self._errands.begin(stream.run())
        self._errands.begin(self._look_after())
        if self._watch.product.is_futures:
            self._errands.begin(self._read_interval())

    async def stop(self) -> None:
        """End the streams."""
        await self._errands.end()

    # The streams.

    def address(self, where: StreamAddress) -> str:
        return self._venue.http.addresses[where.host] + where.path

    def take(self, raw: bytes) -> Said:
        """Take one frame. One that cannot be read costs the book, which is asked for anew, and nothing else."""
        now_ns = self._venue.clock.now_ns()
        try:
            frame = market_frame(raw)
            match frame:
                case DepthDiff():
                    self._told_ns = now_ns
                    if self._book.take(frame):
                        self._quote(now_ns)
                    if self._book.needs_snapshot:
                        self._ask_snapshot()
                case BookTicker():
                    self._told_ns = now_ns
                    self._say(quote_of(frame, self._watch, now_ns))
                case MarkPrice():
                    if self._interval_s is not None:
                        self._say(funding_of(frame, self._watch, self._interval_s, now_ns))
                case StreamEnded():
                    return Said.REOPEN
        except BadPayload:
            self._book.lose()
            self._ask_snapshot()
        return Said.NOTHING

    def lost(self) -> None:
        """The book's stream was cut: what is known is not to be trusted. Quotes that are not renewed grow stale."""
        self._book.lose()

    def opened(self) -> None:
        """The book's stream is live. A market at rest sends nothing, so the book is asked for at once."""
        self._book.lose()
        self._ask_snapshot()

    def _say(self, event: Event) -> None:
        self._deliver(self._watch.leg_id, event)

    def _quote(self, now_ns: int) -> None:
        quote = self._book.quote(self._watch.instrument.id, now_ns, LEVELS)
        if quote is not None:
            self._say(QuoteReceived(now_ns, quote))

    # The book.

    def _ask_snapshot(self) -> None:
        if not self._is_asking:
            self._is_asking = True
            self._errands.begin(self._fetch())

    async def _fetch(self) -> None:
        """Ask for a snapshot until there is a book."""
        try:
            while self._book.needs_snapshot:
                with contextlib.suppress(*FAILURES):
                    if self._book.take_snapshot(await self._venue.ask(self._public.depth)):
                        self._quote(self._venue.clock.now_ns())
                        return
                await asyncio.sleep(SNAPSHOT_AGAIN_S)
        finally:
            self._is_asking = False

    async def _look_after(self) -> None:
        """Find out whether a quiet market rests or its stream is mute, before its prices count as stale."""
        while True:
            await asyncio.sleep(CHECK_S)
            since_ns = self._told_ns
            if self._book.needs_snapshot or self._venue.clock.now_ns() - since_ns < QUIET_S * NS_PER_S:
                continue
            try:
                answer = await self._venue.ask(self._public.depth)
            except FAILURES:
                continue
            if since_ns != self._told_ns or self._book.needs_snapshot:
                continue
            self._told_ns = now_ns = self._venue.clock.now_ns()
            if self._is_same(answer, now_ns):
                self._quote(now_ns)
            else:
                self._book.lose()
                self._book_stream.reopen("the stream tells less than the venue has")

    def _is_same(self, answer: HttpAnswer, now_ns: int) -> bool:
        other = DepthBook(self._watch.product, self._watch.symbol)
        try:
            other.take_snapshot(answer)
        except FAILURES:
            return True
        instrument_id = self._watch.instrument.id
        return other.quote(instrument_id, now_ns, LEVELS) == self._book.quote(instrument_id, now_ns, LEVELS)

    async def _read_interval(self) -> None:
        """Learn how long a funding interval is; without it no rate is told."""
        while True:
            wait_s = INTERVAL_EVERY_S
            try:
                answer = await self._venue.ask(self._public.funding_info)
                self._interval_s = funding_interval_s(answer, self._watch.symbol)
            except FAILURES:
                wait_s = SNAPSHOT_AGAIN_S if self._interval_s is None else INTERVAL_EVERY_S
            await asyncio.sleep(wait_s)


class _Public:
    """One of the streams; what it is for stands in its address."""

    def __init__(self, market: BinanceMarket, where: StreamAddress, *, is_book: bool) -> None:
        self._market = market
        self._where = where
        self._is_book = is_book

    async def address(self) -> str:
        return self._market.address(self._where)

    async def greeting(self) -> bytes | None:
        return None

    def take(self, raw: bytes) -> Said:
        return self._market.take(raw)

    def heard(self) -> None:
        """Prices say nothing about whether orders are heard of."""

    def up(self) -> None:
        if self._is_book:
            self._market.opened()

    def down(self, detail: str) -> None:
        if self._is_book:
            self._market.lost()
