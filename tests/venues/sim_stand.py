"""A gateway to a simulated venue, for tests: the real exchange, in virtual time, with a market that stands still."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal

from hedgerow.core.events import Event
from hedgerow.market.answers import FundingReport, InterestReport
from hedgerow.market.exchange import SimExchange
from hedgerow.market.fees import Fees
from hedgerow.market.latency import Delay, Latency
from hedgerow.market.rules import VenueRules
from hedgerow.model.ids import AccountId, InstrumentId, VenueId
from hedgerow.model.instrument import FeeCurrency, Instrument, InstrumentKind
from hedgerow.model.market import BorrowRate, FundingRate
from hedgerow.model.order import Side
from hedgerow.venues.sim_gateway import SimGateway
from hedgerow.venues.sim_venues import SimVenues
from hedgerow.venues.sim_wire import Hello
from tests.venues.clockwork import MS, START_NS, S, VirtualClock
from tests.venues.contract import LEG

D = Decimal
VENUE, ACCOUNT = VenueId("sim"), AccountId("sim/a")
PATIENCE_NS = 60 * S
HOUR_S = 3_600


class SimStand:
    """A simulated venue, and a gateway to it."""

    def __init__(self, kind: InstrumentKind) -> None:
        instrument_id = InstrumentId(f"{VENUE}:BTC")
        fee_currency = FeeCurrency.QUOTE if kind is InstrumentKind.PERP else FeeCurrency.RECEIVED
        self.instrument = Instrument(
            instrument_id, VENUE, kind, "BTC", "USD", D("0.1"), D("0.001"), D("0.001"), fee_currency=fee_currency
        )
        self.clock = VirtualClock()
        self._exchange = SimExchange(VENUE, [self.instrument], VenueRules(), 1)
        self._exchange.open_account(ACCOUNT, {"USD": D(100_000)}, Fees(D("0.0001"), D("0.0004")), leverage=D(20))
        self.bid, self.ask = D(60_000), D("60000.1")
        self._exchange.set_book(START_NS, instrument_id, [(self.bid, D(5))], [(self.ask, D(5))])
        way = Delay(5 * MS)
        self._venues = SimVenues(self.clock, {VENUE: self._exchange}, {VENUE: Latency(random.Random(1), way, way)}, [])
        self._venues.start()
        self._connect(START_NS)

    def _connect(self, since_ns: int) -> None:
        self.told: list[Event] = []
        hello = Hello(ACCOUNT, self.instrument.id)
        self.gateway: SimGateway = SimGateway(
            ACCOUNT, 2_000, self.clock, lambda: self._venues.open_desk(hello, self.gateway.receive)
        )
        self.gateway.start(LEG, self.instrument, lambda leg_id, event: self.told.append(event))
        self.gateway.catch_up(since_ns)

    def now_ns(self) -> int:
        return self.clock.now_ns()

    async def until(self, is_true: Callable[[], bool]) -> None:
        end_ns = self.clock.now_ns() + PATIENCE_NS
        while not is_true():
            assert self.clock.now_ns() < end_ns, self.told
            self.clock.run(10 * MS)

    async def take(self, price: Decimal, qty: Decimal) -> None:
        self._exchange.trade(self.clock.now_ns(), self.instrument.id, price, qty, Side.SELL)
        self._venues.settle()

    async def cut(self) -> None:
        self._venues.go_dark(VENUE, 4 * S)

    @property
    def booked(self) -> int | None:
        is_any = self.instrument.kind in (InstrumentKind.PERP, InstrumentKind.MARGIN)
        return len(list(self._venues.bookings.of(ACCOUNT))) if is_any else None

    async def book(self) -> None:
        # What a venue books at one moment is one booking.
        self.clock.run(MS)
        now_ns, rate = self.clock.now_ns(), D("0.0001")
        if self.instrument.kind is InstrumentKind.PERP:
            self._exchange.set_funding_rate(FundingRate(self.instrument.id, now_ns, rate, HOUR_S, now_ns))
        else:
            self._exchange.set_borrow_rate(BorrowRate("BTC", now_ns - HOUR_S * S, rate, HOUR_S))
        self._exchange.advance(now_ns)
        self._venues.settle()

    async def book_past(self, count: int) -> None:
        now_ns = self.clock.now_ns()
        for ts_ns in range(now_ns - count * S, now_ns, S):
            if self.instrument.kind is InstrumentKind.PERP:
                self._venues.bookings.add(ACCOUNT, FundingReport(f"{ts_ns}", self.instrument.id, D(1), ts_ns))
            else:
                self._venues.bookings.add(ACCOUNT, InterestReport(f"{ts_ns}", "BTC", D("0.00001"), ts_ns))

    async def leave(self) -> None:
        await self.gateway.stop()

    async def come_back(self, since_ns: int) -> None:
        self._connect(since_ns)
