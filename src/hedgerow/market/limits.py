"""Rate limits: weights per window, refusals, and bans for those who go on."""

from __future__ import annotations

from enum import Enum

import msgspec

from hedgerow.market.answers import Refused

NS_PER_S = 1_000_000_000


class Counted(Enum):
    """What a window adds up."""

    WEIGHT = "weight"
    "The weight of every request."
    ORDERS = "orders"
    "New orders."


class Window(msgspec.Struct, frozen=True):
    """So much in each interval; intervals begin at whole multiples of their length since the epoch."""

    counted: Counted
    limit: int
    interval_s: int


class RateLimits(msgspec.Struct, frozen=True):
    """The limits of one venue, the same for every account."""

    windows: tuple[Window, ...]
    order_weight: int = 1
    cancel_weight: int = 1
    query_weight: int = 4
    "Binance spot, `GET /api/v3/order`."
    ban_after: int = 10
    "Refused requests in one interval before the ban."
    ban_s: int = 120
    "Length of the first ban; each further one is twice as long. Binance: 2 minutes to 3 days."
    ban_s_max: int = 259_200


class Meter:
    """What one account has used of its limits. Memory: one counter per window."""

    def __init__(self, limits: RateLimits) -> None:
        self._limits = limits
        self._intervals = [-1] * len(limits.windows)
        self._used = [0] * len(limits.windows)
        self._refusals = 0
        self._bans = 0
        self._banned_until_ns = 0

    def used(self, index: int) -> int:
        """Return what the last request's interval of window `index` has used, for answers' headers."""
        return self._used[index]

    def charge(self, now_ns: int, weight: int, orders: int = 0) -> Refused | None:
        """Count one request of `weight` and `orders` new orders, or return why it is refused.

        A refused request uses nothing, but brings a ban closer.
        """
        if now_ns < self._banned_until_ns:
            return self._banned(now_ns)
        for index, window in enumerate(self._limits.windows):
            interval = now_ns // (window.interval_s * NS_PER_S)
            if interval != self._intervals[index]:
                self._intervals[index] = interval
                self._used[index] = 0
                self._refusals = 0
        for index, window in enumerate(self._limits.windows):
            added = weight if window.counted is Counted.WEIGHT else orders
            if added and self._used[index] + added > window.limit:
                return self._refused(now_ns, window)
        for index, window in enumerate(self._limits.windows):
            self._used[index] += weight if window.counted is Counted.WEIGHT else orders
        return None

    def _refused(self, now_ns: int, window: Window) -> Refused:
        self._refusals += 1
        if self._refusals > self._limits.ban_after:
            ban_s = min(self._limits.ban_s << self._bans, self._limits.ban_s_max)
            self._bans += 1
            self._refusals = 0
            self._banned_until_ns = now_ns + ban_s * NS_PER_S
            return self._banned(now_ns)
        interval_ns = window.interval_s * NS_PER_S
        wait_s = _whole_s(interval_ns - now_ns % interval_ns)
        if window.counted is Counted.ORDERS:
            text = f"Too many new orders; current limit is {window.limit} orders per {window.interval_s} SECOND."
            return Refused(429, -1015, text, wait_s)
        limit = f"{window.limit} request weight per {window.interval_s} SECOND"
        text = f"Too much request weight used; current limit is {limit}."
        return Refused(429, -1003, text, wait_s)

    def _banned(self, now_ns: int) -> Refused:
        until_ms = self._banned_until_ns // 1_000_000
        text = f"Way too much request weight used; IP banned until {until_ms}."
        return Refused(418, -1003, text, _whole_s(self._banned_until_ns - now_ns))


def _whole_s(duration_ns: int) -> int:
    return -(-duration_ns // NS_PER_S)
