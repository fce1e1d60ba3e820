"""A gateway to a simulated venue, for tests: the real exchange, in virtual time, with a market that stands still."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal

from hedgerow.core.events import Event
from hedgerow.market.exchange import SimExchange
from hedgerow.market.fees import Fees
from hedgerow.market.latency import Delay, Latency
from hedgerow.market.rules import VenueRules
from hedgerow.model.ids import AccountId, InstrumentId, VenueId
from hedgerow.model.instrument import FeeCurrency, Instrument, InstrumentKind
from hedgerow.model.order import Side
from hedgerow.venues.sim_gateway import SimGateway
from hedgerow.venues.sim_venues import SimVenues
from hedgerow.venues.sim_wire import Hello
from tests.venues.clockwork import MS, START_NS, S, VirtualClock
from tests.venues.contract import LEG

D = Decimal
VENUE, ACCOUNT = VenueId("sim"), AccountId("sim/a")
PATIENCE_NS = 60 * S


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
        self.told: list[Event] = []
        hello = Hello(ACCOUNT, instrument_id)
        self.gateway: SimGateway = SimGateway(
            ACCOUNT, 2_000, self.clock, lambda: self._venues.open_desk(hello, self.gateway.receive)
        )
        self.gateway.start(LEG, self.instrument, lambda leg_id, event: self.told.append(event))

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
