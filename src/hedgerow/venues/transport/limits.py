"""What a venue lets through: weights by budget, with a part kept for what takes risk away; and bans. Pure.

The books' own pace is kept before (`runtime/dispatch.py`); here is what the venue counts, over all its accounts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from hedgerow.venues.wire.request import HttpRequest, Lane, Weight

NS_PER_S = 1_000_000_000
# Most urgent first. A question about an unclear order comes before a new one.
URGENCY = {lane: number for number, lane in enumerate((Lane.CANCEL, Lane.HEDGE, Lane.EXIT, Lane.QUERY, Lane.ENTRY))}
# How much of a budget each lane may use up, in percent: the rest is kept for those above it.
SHARES = {Lane.CANCEL: 100, Lane.HEDGE: 100, Lane.EXIT: 95, Lane.QUERY: 80, Lane.ENTRY: 60}
# A venue that bans without saying for how long; Binance's shortest ban is two minutes.
BAN_S = {429: 30, 418: 120}


class Limit(Protocol):
    """One of the venue's budgets: so many units in each interval."""

    @property
    def pool(self) -> str: ...

    @property
    def units(self) -> int: ...

    @property
    def interval_s(self) -> int: ...


class _Pool:
    def __init__(self, units: int, interval_s: int) -> None:
        self.units = units
        self.interval_ns = interval_s * NS_PER_S
        self.window = 0
        self.used = 0

    def turn(self, now_ns: int) -> None:
        """Begin a new interval when it is time; venues count in intervals of the clock."""
        window = now_ns // self.interval_ns
        if window != self.window:
            self.window, self.used = window, 0

    def wait_ns(self, units: int, share: int, now_ns: int) -> int:
        self.turn(now_ns)
        if self.used == 0 or (self.used + units) * 100 <= self.units * share:
            return 0
        return (self.window + 1) * self.interval_ns - now_ns


class Limits:
    """The budgets of one venue, as one address of ours has them."""

    def __init__(self, limits: Iterable[Limit]) -> None:
        self._pools: dict[str, _Pool] = {}
        self._banned_ns: dict[str, int] = {}
        "Host -> until when."
        self.learn(limits)

    def learn(self, limits: Iterable[Limit]) -> None:
        """Take the venue's own numbers; what was used stays used."""
        for limit in limits:
            pool = self._pools.get(limit.pool)
            if pool is None or pool.interval_ns != limit.interval_s * NS_PER_S:
                self._pools[limit.pool] = _Pool(limit.units, limit.interval_s)
            else:
                pool.units = limit.units

    def wait_ns(self, request: HttpRequest, now_ns: int) -> int:
        """Return how long a request must wait by now; 0 when it may leave."""
        wait_ns = max(0, self._banned_ns.get(request.host, 0) - now_ns)
        for weight in request.weights:
            pool = self._pools.get(weight.pool)
            if pool is not None:
                wait_ns = max(wait_ns, pool.wait_ns(weight.units, SHARES[request.lane], now_ns))
        return wait_ns

    def take(self, request: HttpRequest, now_ns: int) -> None:
        """Count a request that leaves."""
        for weight in request.weights:
            pool = self._pools.get(weight.pool)
            if pool is not None:
                pool.turn(now_ns)
                pool.used += weight.units

    def correct(self, used: Iterable[Weight], now_ns: int) -> None:
        """Take what the venue says was used; others at our address use it too."""
        for weight in used:
            pool = self._pools.get(weight.pool)
            if pool is not None:
                pool.turn(now_ns)
                pool.used = max(pool.used, weight.units)

    def ban(self, host: str, status: int, retry_after_s: int, now_ns: int) -> int:
        """Take a refusal for too many requests; return until when nothing leaves for the host."""
        until_ns = now_ns + (retry_after_s or BAN_S[status]) * NS_PER_S
        self._banned_ns[host] = max(self._banned_ns.get(host, 0), until_ns)
        return self._banned_ns[host]
