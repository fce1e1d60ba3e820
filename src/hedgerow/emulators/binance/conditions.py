"""What the market must do before an order takes part in it: stops, take-profits, and stops that trail."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from hedgerow.model.numbers import ZERO

if TYPE_CHECKING:
    from hedgerow.emulators.binance.floor import Board


class Condition(msgspec.Struct):
    """When an order wakes. It remembers how far a trailing stop has come."""

    trigger: Decimal
    "The price at which it wakes; of a trailing stop, from where on it trails. Zero: a trailing stop trails at once."
    is_above: bool
    "It wakes when the price comes up to the trigger; else when it comes down to it."
    by_mark: bool = False
    "The mark decides, not the last trade."
    back: Decimal = ZERO
    "How far a trailing stop stays behind the best price, as a ratio; zero: it does not trail."
    trails_below: bool = False
    "A trailing stop that sells: it stays below the highest price."
    best: Decimal | None = None
    "The best price since it began to trail; None while it does not."

    def would_wake(self, board: Board) -> bool:
        """Return whether it is true already, so that the order is none that waits."""
        price = board.mark() if self.by_mark else board.last_price()
        return bool(self.trigger) and self._is_reached(price)

    def wakes(self, board: Board, prices: Iterable[Decimal]) -> bool:
        """Take the prices of the trades since the last look, oldest first; return whether the order wakes."""
        seen = (board.mark(),) if self.by_mark else tuple(prices) or (board.last_price(),)
        return any(self._sees(price) for price in seen)

    def _sees(self, price: Decimal) -> bool:
        if not self.back:
            return self._is_reached(price)
        if self.best is None:
            if not self.trigger or self._is_reached(price):
                self.best = price
            return False
        if self.trails_below:
            self.best = max(self.best, price)
            return price <= self.best * (1 - self.back)
        self.best = min(self.best, price)
        return price >= self.best * (1 + self.back)

    def _is_reached(self, price: Decimal) -> bool:
        return price >= self.trigger if self.is_above else price <= self.trigger
