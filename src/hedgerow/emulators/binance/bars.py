"""Bars of a market's trades, by the minute, and longer ones made of them."""

from __future__ import annotations

from collections import deque
from decimal import Decimal

import msgspec

from hedgerow.model.numbers import ZERO

MINUTE_MS = 60_000
BARS_KEPT = 1500
# Interval as the wire names it -> minutes.
INTERVALS = {
    "1m": 1,
    "3m": 3,
    "5m": 5,
    "15m": 15,
    "30m": 30,
    "1h": 60,
    "2h": 120,
    "4h": 240,
    "6h": 360,
    "8h": 480,
    "12h": 720,
    "1d": 1440,
}


class Bar(msgspec.Struct):
    """What was traded in one interval."""

    open_ms: int
    close_ms: int
    "Its last millisecond."
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    qty: Decimal = ZERO
    quote: Decimal = ZERO
    trades: int = 0
    bought_qty: Decimal = ZERO
    "What buyers took."
    bought_quote: Decimal = ZERO
    first_id: int = -1
    last_id: int = -1

    def add(self, price: Decimal, qty: Decimal, trade_id: int, *, is_buy: bool) -> None:
        """Add one trade."""
        self.high, self.low, self.close = max(self.high, price), min(self.low, price), price
        self.qty += qty
        self.quote += qty * price
        self.trades += 1
        if is_buy:
            self.bought_qty += qty
            self.bought_quote += qty * price
        self.first_id = trade_id if self.first_id < 0 else self.first_id
        self.last_id = trade_id


class Bars:
    """The bars of one market."""

    def __init__(self) -> None:
        self._minutes: deque[Bar] = deque(maxlen=BARS_KEPT)

    def add(self, ts_ms: int, price: Decimal, qty: Decimal, trade_id: int, *, is_buy: bool) -> None:
        """Add one trade; a minute without one has no bar."""
        open_ms = ts_ms // MINUTE_MS * MINUTE_MS
        if not self._minutes or self._minutes[-1].open_ms < open_ms:
            self._minutes.append(Bar(open_ms, open_ms + MINUTE_MS - 1, price, price, price, price))
        self._minutes[-1].add(price, qty, trade_id, is_buy=is_buy)

    def of(self, interval: str) -> list[Bar]:
        """Return the bars of an interval, oldest first; the last one may still grow."""
        length_ms = INTERVALS[interval] * MINUTE_MS
        found: list[Bar] = []
        for minute in self._minutes:
            open_ms = minute.open_ms // length_ms * length_ms
            if not found or found[-1].open_ms != open_ms:
                found.append(msgspec.structs.replace(minute, open_ms=open_ms, close_ms=open_ms + length_ms - 1))
                continue
            bar = found[-1]
            bar.high, bar.low, bar.close = max(bar.high, minute.high), min(bar.low, minute.low), minute.close
            bar.qty += minute.qty
            bar.quote += minute.quote
            bar.trades += minute.trades
            bar.bought_qty += minute.bought_qty
            bar.bought_quote += minute.bought_quote
            bar.last_id = minute.last_id
        return found
