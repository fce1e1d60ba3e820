"""Bars as a market: what is known of a bar's prices is their order at its ends, and no more.

The rule: a bar opens at its beginning, and at its end it shows its low, its high and its close, all in one moment. So
an order that stood before the bar began, or came while it went on, is filled by its low or high, and whatever that
fill leads to comes too late for the same bar: no fill and its exit in one bar. Bid and ask stand a tick off each price,
so that a price must go through an order to fill it; each of the four prices shows a quarter of the bar's volume.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from hedgerow.market.ticks import Gap, Ints, Quotes, TickFile, Trades
from hedgerow.model.market import Level

STEPS_OF_BAR = 4
# A bar without a volume says nothing of how much could be traded: as much as anybody wants, and the result says so.
UNTOLD_VOLUME = 1 << 40


class BarMarket:
    """The quotes that a file of bars stands for."""

    def __init__(self, file: TickFile) -> None:
        self._file = file
        bars = file.bars
        shape = (len(bars.ts_ns), STEPS_OF_BAR)
        prices = np.stack([bars.open, bars.low, bars.high, bars.close], axis=1).reshape(-1)
        ts_ns = np.empty(shape, np.int64)
        ts_ns[:, 0] = bars.ts_ns
        ts_ns[:, 1:] = (np.asarray(bars.ts_ns) + file.interval_ns - 1)[:, None]
        volume = np.where(bars.volume > 0, np.maximum(np.asarray(bars.volume) // STEPS_OF_BAR, 1), UNTOLD_VOLUME)
        qty: Ints = np.repeat(volume.astype(np.int64), STEPS_OF_BAR)
        # A price of one tick still has a bid below its ask.
        self.quotes = Quotes.top(ts_ns.reshape(-1), np.maximum(prices - 1, 1), prices + 1, qty, qty)
        none = np.zeros(0, np.int64)
        self.trades = Trades(none, none, none, none, np.zeros(0, np.int8))
        self.funding = file.funding
        self.gaps = tuple(Gap((gap.row - 1) * STEPS_OF_BAR + 1, gap.from_ts_ns, gap.to_ts_ns) for gap in file.gaps)

    @property
    def first_ts_ns(self) -> int:
        return self._file.first_ts_ns

    @property
    def step(self) -> Decimal:
        return self._file.step

    def price(self, ticks: int) -> Decimal:
        return self._file.price(ticks)

    def qty(self, steps: int) -> Decimal:
        return self._file.qty(steps)

    def ticks_below(self, price: Decimal) -> int:
        return self._file.ticks_below(price)

    def ticks_above(self, price: Decimal) -> int:
        return self._file.ticks_above(price)

    def levels(self, row: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """Return the bids and the asks of one row, from 0."""
        quotes = self.quotes
        qty = self._file.qty(int(quotes.bid_qty[row]))
        return (
            ((self._file.price(int(quotes.bid[row])), qty),),
            ((self._file.price(int(quotes.ask[row])), qty),),
        )
