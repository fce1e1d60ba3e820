"""What the emulated Binance books in an account without a trade, for tests: funding, or interest of loans."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from hedgerow.emulators.binance.control import Funding
from hedgerow.emulators.binance.customers import Kind
from hedgerow.emulators.binance.desk import Income, Interest
from hedgerow.emulators.binance.orders import Product
from hedgerow.emulators.binance.server import Emulator

ACCOUNT, SYMBOL = "main", "BTCUSDT"


class EmulatedBookings:
    """The bookings of one account, and the venue's hand that makes them."""

    def __init__(self, emulator: Emulator, kind: Kind, product: Product, *, borrows: bool) -> None:
        self._emulator = emulator
        self._is_futures = product is Product.USDM
        self._is_any = self._is_futures or borrows
        self._desk = emulator.venue.desks[ACCOUNT, kind, product]

    @property
    def count(self) -> int | None:
        """How many there are; None where there are none, ever."""
        if self._is_futures:
            return len([each for each in self._desk.incomes if each.kind == "FUNDING_FEE"])
        return len(self._desk.interest_history) if self._is_any else None

    async def book(self) -> None:
        """Book what is due, now."""
        venue = self._emulator.venue
        # The venue writes whole milliseconds, and its clock is known to within some.
        end_ms = venue.now_ms() + 20
        while venue.now_ms() < end_ms:  # noqa: ASYNC110
            await asyncio.sleep(0)
        if self._is_futures:
            self._emulator.control.pay_funding(Funding(symbol=SYMBOL, rate=Decimal("0.0001")))
        else:
            self._desk.charge_interest()
        venue.settle()

    def book_past(self, count: int) -> None:
        """Have booked so many more, one a second up to now."""
        now_ms = self._emulator.venue.now_ms()
        for number in range(count):
            ts_ms = now_ms - (count - number) * 1_000
            if self._is_futures:
                self._desk.incomes.insert(number, Income(SYMBOL, "FUNDING_FEE", Decimal(1), ts_ms, number))
            else:
                row = Interest(number, "BTC", Decimal(1), Decimal("0.00001"), ts_ms, "PERIODIC")
                self._desk.interest_history.insert(number, row)
