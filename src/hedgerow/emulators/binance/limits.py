"""Request weights and order counts: what is used, what is told in headers, and who must wait."""

from __future__ import annotations

import msgspec

from hedgerow.emulators.binance.errors import Refusal
from hedgerow.emulators.binance.orders import Row
from hedgerow.market.limits import Counted, Meter, RateLimits, Window

MINUTE_S, DAY_S = 60, 86_400
_LETTERS = {10: ("SECOND", 10, "10S"), MINUTE_S: ("MINUTE", 1, "1M"), DAY_S: ("DAY", 1, "1D")}


def _windows(weight: int, *orders: tuple[int, int]) -> tuple[Window, ...]:
    counted = tuple(Window(Counted.ORDERS, limit, interval_s) for limit, interval_s in orders)
    return (Window(Counted.WEIGHT, weight, MINUTE_S), *counted)


# By the first part of the path. Binance's default limits (recalled, not checked).
WINDOWS = {
    "spot": _windows(6000, (100, 10), (200_000, DAY_S)),
    "sapi": _windows(12_000),
    "usdm": _windows(2400, (300, 10), (1200, MINUTE_S)),
    "portfolio": _windows(6000, (1200, MINUTE_S)),
}
_AREAS = {"api": "spot", "sapi": "sapi", "fapi": "usdm", "dapi": "usdm", "papi": "portfolio"}


def area_of(path: str) -> str:
    """Return whose limits a path counts against."""
    return _AREAS.get(path.split("/", 2)[1], "spot")


class Limits:
    """One meter for each caller and area. A caller is an API key, or an address where there is none."""

    def __init__(self, weights: dict[str, int] | None = None) -> None:
        """Begin with nothing used.

        Args:
            weights: area -> weight per minute, where it differs from Binance's.
        """
        self._windows = dict(WINDOWS)
        for area, weight in (weights or {}).items():
            first, *others = self._windows[area]
            self._windows[area] = (msgspec.structs.replace(first, limit=weight), *others)
        self._meters: dict[tuple[str, str], Meter] = {}

    def charge(self, now_ns: int, area: str, caller: str, weight: int, orders: int) -> None:
        """Count a request. Raises Refusal when the caller must wait."""
        refused = self._meter(area, caller).charge(now_ns, weight, orders)
        if refused is not None:
            raise Refusal(refused)

    def headers(self, area: str, caller: str, *, with_orders: bool) -> dict[str, str]:
        """Return what the answer's headers say of the caller."""
        meter = self._meter(area, caller)
        found: dict[str, str] = {}
        for index, window in enumerate(self._windows[area]):
            letters = _LETTERS[window.interval_s][2]
            if window.counted is Counted.WEIGHT:
                name = "X-SAPI-USED-IP-WEIGHT" if area == "sapi" else "X-MBX-USED-WEIGHT"
                found[f"{name}-{letters}"] = str(meter.used(index))
                if area == "spot":
                    found["X-MBX-USED-WEIGHT"] = str(meter.used(index))
            elif with_orders:
                found[f"X-MBX-ORDER-COUNT-{letters}"] = str(meter.used(index))
        return found

    def told(self, area: str) -> list[Row]:
        """Return the limits as exchange information tells them."""
        return [self._row(window) for window in self._windows[area]]

    def used_orders(self, area: str, caller: str) -> list[Row]:
        """Return how many orders the caller has placed in each window."""
        meter = self._meter(area, caller)
        return [
            self._row(window) | {"count": meter.used(index)}
            for index, window in enumerate(self._windows[area])
            if window.counted is Counted.ORDERS
        ]

    def _row(self, window: Window) -> Row:
        interval, count, _ = _LETTERS[window.interval_s]
        return {
            "rateLimitType": "REQUEST_WEIGHT" if window.counted is Counted.WEIGHT else "ORDERS",
            "interval": interval,
            "intervalNum": count,
            "limit": window.limit,
        }

    def _meter(self, area: str, caller: str) -> Meter:
        found = self._meters.get((area, caller))
        if found is None:
            found = self._meters[area, caller] = Meter(RateLimits(self._windows[area]))
        return found
