"""A gateway through ccxt to the emulated Binance, for tests: a market that stands still, one account, one leg."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from types import TracebackType

from hedgerow.core.events import Event
from hedgerow.emulators.binance.control import Trade
from hedgerow.emulators.binance.customers import DEFAULT_KEY, DEFAULT_SECRET
from hedgerow.emulators.binance.customers import Kind as Customers
from hedgerow.emulators.binance.faults import Fault, Injected
from hedgerow.emulators.binance.orders import Product
from hedgerow.emulators.binance.server import Emulator
from hedgerow.model.ids import AccountId, LegId
from hedgerow.model.instrument import Instrument
from hedgerow.model.reach import Reach
from hedgerow.runtime.clock import LoopClock, origin_now
from hedgerow.venues.ccxt_account import CcxtAccount, Keys
from hedgerow.venues.ccxt_gateway import Cadence, CcxtGateway
from hedgerow.venues.wire.ccxt.rows import Kind
from tests.venues.contract import LEG
from tests.venues.emulated_bookings import EmulatedBookings

QUICK = Cadence(ask_s=0.05, quote_s=0.2, wait_s_max=0.1, silent_s=0.2, funding_s=0.1)
PATIENCE_S = 20
BOARDS = {Kind.SPOT: Product.SPOT, Kind.SWAP: Product.USDM}


class CcxtStand:
    """An emulator in this process, and a gateway to it. Use it as an async context manager."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._board = BOARDS[kind]
        self.emulator = Emulator(is_still=True)
        self.told: list[Event] = []
        self.errors: list[Exception] = []
        "What was raised where nothing may be raised."
        self._news = asyncio.Event()

    async def __aenter__(self) -> CcxtStand:
        await self.emulator.start()
        clock = self._clock = LoopClock(asyncio.get_running_loop(), origin_now(), self.errors.append)
        self.account = CcxtAccount(
            AccountId("there/main"),
            "binance",
            self._kind,
            Reach.EMULATOR,
            Keys(DEFAULT_KEY, DEFAULT_SECRET),
            clock,
            self.emulator.url,
        )
        await self.account.open()
        self.instrument: Instrument = self.account.market("BTC/USDT").instrument
        kind = Customers.SPOT if self._kind is Kind.SPOT else Customers.USDM
        self._bookings = EmulatedBookings(self.emulator, kind, self._board, borrows=False)
        await self.come_back(clock.now_ns())
        board = self.emulator.venue.floor.boards[self._board, "BTCUSDT"]
        quote = board.exchange.quote(board.id)
        self.bid, self.ask = quote.bids[0][0], quote.asks[0][0]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.gateway.stop()
        await self.account.close()
        await self.emulator.stop()
        if error is None:
            assert self.errors == []

    async def leave(self) -> None:
        await self.gateway.stop()

    async def come_back(self, since_ns: int) -> None:
        self.told.clear()
        self.gateway = CcxtGateway(self.account, QUICK)
        self.gateway.start(LEG, self.instrument, self._deliver)
        self.gateway.catch_up(since_ns)

    def now_ns(self) -> int:
        return self._clock.now_ns()

    @property
    def booked(self) -> int | None:
        return self._bookings.count

    async def book(self) -> None:
        await self._bookings.book()

    async def book_past(self, count: int) -> None:
        self._bookings.book_past(count)

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
        self.emulator.control.trade(Trade(product=self._board, symbol="BTCUSDT", price=price, qty=qty, side="SELL"))

    async def cut(self) -> None:
        """There is no stream: what stands for it are questions, of which some are not answered."""
        self.fault(Fault.LOST_REQUEST, "GET", "/openOrders", 8)

    def fault(self, kind: Fault, method: str, path: str, count: int = 1) -> None:
        """Let a fault meet the next requests that fit."""
        self.emulator.control.inject(Injected(kind=kind, method=method, path=path, count=count))
