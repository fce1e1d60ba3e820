"""A gateway to the emulated Binance, for tests: a market that stands still, one account, one leg."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from types import TracebackType

import msgspec

from hedgerow.core.events import Event
from hedgerow.emulators.binance.control import StreamOrder, Trade
from hedgerow.emulators.binance.customers import DEFAULT_KEY, DEFAULT_SECRET, Kind
from hedgerow.emulators.binance.orders import Product as EmulatedProduct
from hedgerow.emulators.binance.server import Emulator
from hedgerow.model.ids import AccountId, LegId, VenueId
from hedgerow.model.instrument import Instrument
from hedgerow.model.reach import Reach
from hedgerow.runtime.clock import LoopClock, origin_now
from hedgerow.venues.binance_account import BinanceAccount
from hedgerow.venues.binance_gateway import BinanceGateway
from hedgerow.venues.binance_venue import BinanceVenue
from hedgerow.venues.transport.addresses import addresses_of
from hedgerow.venues.transport.stream import Pace
from hedgerow.venues.wire.binance.kinds import LIVE_HOSTS, TESTNET_HOSTS, AccountKind, Product
from hedgerow.venues.wire.binance.signing import signer_of
from tests.venues.contract import LEG
from tests.venues.emulated_bookings import EmulatedBookings

SYMBOL = "BTCUSDT"
VENUE = VenueId("binance")
QUICK = Pace(check_s=0.02, ping_s=0.05, silent_s=1, greet_s=2, again_first_s=0.02, again_max_s=0.1)
PATIENCE_S = 10


class _Order(msgspec.Struct):
    client_order_id: str


class _Account(msgspec.Struct):
    orders: list[_Order]


class _Truth(msgspec.Struct):
    accounts: list[_Account]


def taken(emulator: Emulator) -> list[str]:
    """Return the client order id of every order that the venue took, whatever it said of it."""
    truth = msgspec.convert(emulator.venue.truth(), _Truth)
    return [order.client_order_id for account in truth.accounts for order in account.orders]


class BinanceStand:
    """An emulator in this process, and a gateway to it. Use it as an async context manager."""

    def __init__(self, kind: AccountKind, product: Product, emulator: Emulator | None = None) -> None:
        self._kind = kind
        self._product = product
        self.emulator = emulator or Emulator(is_still=True)
        self.told: list[Event] = []
        self.errors: list[Exception] = []
        "What was raised where nothing may be raised."
        self._news = asyncio.Event()

    async def __aenter__(self) -> BinanceStand:
        await self.emulator.start()
        self.clock = LoopClock(asyncio.get_running_loop(), origin_now(), self.errors.append)
        addresses = addresses_of(Reach.EMULATOR, LIVE_HOSTS, TESTNET_HOSTS, self.emulator.url)
        self.venue = BinanceVenue(VENUE, addresses, self.clock)
        account_id = AccountId(f"binance/{self._kind.value}")
        signer = signer_of(DEFAULT_KEY, DEFAULT_SECRET)
        self.account = BinanceAccount(account_id, self._kind, signer, self.venue, QUICK)
        listing = await self.venue.listing(self._product, SYMBOL)
        self.instrument: Instrument = listing.instrument
        await self.account.open()
        kind, borrows = Kind(self._kind.value), self._product.is_margin
        self._bookings = EmulatedBookings(self.emulator, kind, self.board, borrows=borrows)
        await self.come_back(self.clock.now_ns())
        board = self.emulator.venue.floor.boards[self.board, SYMBOL]
        quote = board.exchange.quote(board.id)
        self.bid, self.ask = quote.bids[0][0], quote.asks[0][0]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.gateway.stop()
        await self.account.close()
        await self.venue.close()
        await self.emulator.stop()
        if error is None:
            assert self.errors == []

    async def leave(self) -> None:
        await self.gateway.stop()

    async def come_back(self, since_ns: int) -> None:
        self.told.clear()
        self.gateway = BinanceGateway(self.account)
        self.gateway.start(LEG, self.instrument, self._deliver)
        self.gateway.catch_up(since_ns)

    def now_ns(self) -> int:
        return self.clock.now_ns()

    @property
    def board(self) -> EmulatedProduct:
        return EmulatedProduct.USDM if self._product.is_futures else EmulatedProduct.SPOT

    def _deliver(self, leg_id: LegId, event: Event) -> None:
        assert leg_id == LEG, event
        self.told.append(event)
        self._news.set()

    async def until(self, is_true: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not is_true():
                self._news.clear()
                await self._news.wait()

    async def take(self, price: Decimal, qty: Decimal) -> None:
        self.emulator.control.trade(Trade(product=self.board, symbol=SYMBOL, price=price, qty=qty, side="SELL"))

    async def cut(self) -> None:
        self.emulator.control.order_streams(StreamOrder(do="cut"))

    @property
    def booked(self) -> int | None:
        return self._bookings.count

    async def book(self) -> None:
        await self._bookings.book()

    async def book_past(self, count: int) -> None:
        self._bookings.book_past(count)
