"""What all accounts at Binance share: the way out, the limits, the clock, and what is listed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import cache

from hedgerow.model.ids import VenueId
from hedgerow.venues.clock import Clock
from hedgerow.venues.transport.addresses import Addresses
from hedgerow.venues.transport.errands import Begun, Errands
from hedgerow.venues.transport.http import Http, NotSent, Unanswered
from hedgerow.venues.transport.lanes import Lanes
from hedgerow.venues.transport.limits import Limits
from hedgerow.venues.transport.offset import Offset
from hedgerow.venues.wire.binance.answers import Refused, server_time_ms
from hedgerow.venues.wire.binance.build import Public
from hedgerow.venues.wire.binance.instruments import Listing, limits_of, listing_of, usage_of
from hedgerow.venues.wire.binance.kinds import Product
from hedgerow.venues.wire.binance.routes import LIMITS
from hedgerow.venues.wire.payload import BadPayload
from hedgerow.venues.wire.request import HttpAnswer, HttpRequest, Stamp

NS_PER_S = 1_000_000_000
# How long Binance may take a signed request, by its own clock: with the time it has to answer, what makes an unknown
# order known in the end.
RECV_WINDOW_MS = 2_000
# Also keeps a connection warm: a new one costs a hedge three ways there and back.
TIME_EVERY_S = 10
# Legs of one product ask for the same listing within this time, and share it.
LISTING_FOR_NS = 30 * NS_PER_S

FAILURES = (NotSent, Unanswered, Refused, BadPayload)
"What a question can end in, other than its answer."

Ask = Callable[[Callable[[], HttpRequest]], Begun[HttpAnswer]]


class BinanceVenue:
    """The way to Binance for all accounts that have the same reach."""

    def __init__(
        self, venue_id: VenueId, addresses: Addresses, clock: Clock, ca: str | None = None, proxy: str | None = None
    ) -> None:
        """Take what can be reached. Nothing is asked yet.

        Raises:
            Unsecured: the file of authorities cannot be used.
        """
        self.venue_id = venue_id
        self.clock = clock
        self.http = Http(addresses, ca, proxy)
        self._limits = Limits(LIMITS)
        self._lanes = Lanes(self.http, self._limits, usage_of, clock)
        self._offsets: dict[str, Offset] = {}
        "Host -> how far its clock is from ours; the hosts' clocks are not one."
        self._answers: dict[str, tuple[int, HttpAnswer]] = {}
        "Target -> (when, answer) of listings."
        self._timed: set[str] = set()
        "Hosts whose time is kept."
        self._errands = Errands(clock)
        self.ask: Ask = self._lanes.ask

    async def close(self) -> None:
        """End every connection."""
        await self._errands.end()
        await self.http.close()

    # Time.

    def stamp(self, product: Product) -> Stamp:
        """Return a stamp of the venue's present time."""
        return Stamp(self.offset(product).now_ms(self.clock.now_ns()), RECV_WINDOW_MS)

    def offset(self, product: Product) -> Offset:
        """Return how far the clock of a product's host is from ours."""
        return self._offsets.setdefault(_time_host(product), Offset())

    async def read_time(self, product: Product) -> None:
        """Ask what time it is there. Raises FAILURES."""
        asked_ns = self.clock.now_ns()
        answer = await self.ask(Public(product, "").server_time)
        self.offset(product).take(asked_ns, self.clock.now_ns(), server_time_ms(answer))

    def keep_time(self, product: Product) -> None:
        """Ask again and again from now on."""
        host = _time_host(product)
        if host not in self._timed:
            self._timed.add(host)
            self._errands.begin(self._keep_time(product), f"time of {host}")

    async def _keep_time(self, product: Product) -> None:
        while True:
            # The last offset stays good; a clock that is set is seen by the refusals that follow.
            with contextlib.suppress(*FAILURES):
                await self.read_time(product)
            await asyncio.sleep(TIME_EVERY_S)

    # Listings.

    async def listing(self, product: Product, symbol: str) -> Listing:
        """Return an instrument as it is listed now, or was a moment ago, and learn the venue's limits.

        Raises:
            UnknownSymbol: there is none.
            NotSent, Unanswered, Refused, BadPayload: it was not told.
        """
        request = Public(product, symbol).instruments()
        key, now_ns = request.host + request.target, self.clock.now_ns()
        known = self._answers.get(key)
        if known is None or now_ns - known[0] > LISTING_FOR_NS:
            answer = await self.ask(Public(product, symbol).instruments)
            listing = listing_of(answer, product, symbol, self.venue_id)
            self._answers[key] = (self.clock.now_ns(), answer)
            self._limits.learn(limits_of(answer, request.host))
            return listing
        return listing_of(known[1], product, symbol, self.venue_id)


@cache
def _time_host(product: Product) -> str:
    return Public(product, "").server_time().host
