"""What Binance books in an account without a trade: funding, or interest and what loans cost, for one leg."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from hedgerow.core.events import Event, FundingPaid, InterestCharged
from hedgerow.venues.binance_venue import FAILURES, NS_PER_S, BinanceVenue
from hedgerow.venues.gateway import Deliver
from hedgerow.venues.transport.errands import Errands
from hedgerow.venues.wire.binance.answers import borrow_rates_read
from hedgerow.venues.wire.binance.bookings import KEPT_MS, FundingReading, InterestReading
from hedgerow.venues.wire.binance.build import Requests
from hedgerow.venues.wire.binance.kinds import Watch
from hedgerow.venues.wire.request import Stamp

# Bookings come by the hour and are told of; rates of loans change by the hour.
LOOK_EVERY_S = RATES_EVERY_S = 600
# After a failure; and after news, since what was booked is shown a moment after it was told of.
LOOK_AGAIN_S = 15
# A read of what is held waits no longer for what was booked.
TELL_WITHIN_S = 2
# Each loan is told of, and a maker on margin takes one with each order.
LOOK_APART_NS = NS_PER_S // 10
# A booking may be shown so long after the time that it bears.
LATE_MS = 3_600_000
TOLD_AT_ONCE = 64
# Ids that are remembered; each read begins before the last one ended.
TOLD_MAX = 4_000


class BinanceBookings:
    """Funding or interest of one account, each told once; nothing of it before `catch_up`."""

    def __init__(self, venue: BinanceVenue, watch: Watch, requests: Requests, deliver: Deliver) -> None:
        self._venue = venue
        self._watch = watch
        self._requests = requests
        self._deliver = deliver
        self._errands = Errands(venue.clock)
        self._look = asyncio.Event()
        "Set when something may have been booked."
        self._looking = asyncio.Lock()
        self._since_ms = 0
        "From when on is asked next, by the venue's time; 0 before `catch_up`."
        self._looked_ns = 0
        self._told: dict[str, None] = {}

    @property
    def _is_any(self) -> bool:
        return self._watch.product.is_futures or self._watch.product.is_margin

    def start(self) -> None:
        """Begin to tell what loans cost, where there are any."""
        if self._watch.product.is_margin:
            self._errands.begin(self._keep_rates())

    def catch_up(self, since_ns: int) -> None:
        """Begin to tell what was booked since then."""
        if self._is_any:
            # Rounded up: nothing from before.
            self._since_ms = self._venue.offset(self._watch.product).now_ms(since_ns) + 1
            self._errands.begin(self._keep_looking())

    def look(self) -> None:
        """Look soon: something may have been booked, or missed."""
        self._look.set()

    async def stop(self) -> None:
        """Ask no more."""
        await self._errands.end()

    async def tell_now(self) -> None:
        """Tell what was booked up to now, if it moves what is held; return when it was, or cannot be had soon."""
        if self._watch.product.is_margin and self._since_ms:
            await asyncio.wait({self._errands.begin(self._tell_once())}, timeout=TELL_WITHIN_S)

    async def _tell_once(self) -> None:
        await self._is_told()

    async def _keep_looking(self) -> None:
        wait_s = 0.0
        while True:
            is_news = await _wait(self._look, wait_s)
            await asyncio.sleep(max(self._looked_ns + LOOK_APART_NS - self._venue.clock.now_ns(), 0) / NS_PER_S)
            self._look.clear()
            is_told = await self._is_told()
            wait_s = LOOK_EVERY_S if is_told and not is_news else LOOK_AGAIN_S

    async def _is_told(self) -> bool:
        """Look, and tell what is there; return whether it could be had."""
        async with self._looking:
            self._looked_ns = self._venue.clock.now_ns()
            asked_ms = self._stamp().now_ms
            self._since_ms = max(self._since_ms, asked_ms - KEPT_MS)
            try:
                found = await self._read(min(self._since_ms, asked_ms), asked_ms)
            except FAILURES:
                # Asked again from the same time on: nothing is lost by it.
                return False
            for number, event in enumerate(found, 1):
                self._tell(event)
                if number % TOLD_AT_ONCE == 0:
                    # Weeks of them must not keep a hedge waiting.
                    await asyncio.sleep(0)
            self._since_ms = max(self._since_ms, asked_ms - LATE_MS)
            return True

    async def _read(self, since_ms: int, asked_ms: int) -> Sequence[FundingPaid | InterestCharged]:
        watch, requests = self._watch, self._requests
        reading: FundingReading | InterestReading
        if watch.product.is_futures:
            reading = FundingReading(requests, watch, since_ms)
        else:
            reading = InterestReading(requests, watch, self._currencies, since_ms, asked_ms)
        while True:
            found = reading.take(
                await self._venue.ask(lambda: reading.request(self._stamp())), self._venue.clock.now_ns()
            )
            if found is not None:
                return found

    def _tell(self, event: FundingPaid | InterestCharged) -> None:
        name = event.funding_id if isinstance(event, FundingPaid) else event.interest_id
        if name in self._told:
            return
        self._told[name] = None
        if len(self._told) > TOLD_MAX:
            del self._told[next(iter(self._told))]
        self._say(event)

    def _say(self, event: Event) -> None:
        self._deliver(self._watch.leg_id, event)

    @property
    def _currencies(self) -> tuple[str, ...]:
        return self._watch.instrument.base, self._watch.instrument.quote

    def _stamp(self) -> Stamp:
        return self._venue.stamp(self._watch.product)

    async def _keep_rates(self) -> None:
        while True:
            wait_s = RATES_EVERY_S
            try:
                answer = await self._venue.ask(lambda: self._requests.borrow_rates(self._currencies, self._stamp()))
                for event in borrow_rates_read(answer, self._watch, self._venue.clock.now_ns()):
                    self._say(event)
            except FAILURES:
                wait_s = LOOK_AGAIN_S
            await asyncio.sleep(wait_s)


async def _wait(event: asyncio.Event, wait_s: float) -> bool:
    """Wait so long, or until the event is set; return whether it was."""
    # Not `wait_for`, which may swallow a cancel that comes together with what it waits for.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(wait_s):
            await event.wait()
    return event.is_set()
