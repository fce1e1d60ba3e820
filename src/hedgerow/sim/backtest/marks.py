"""What a market's middle was at any time of its data, and how far a position fell on its way."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from hedgerow.market.ticks import NO_ASK, NO_BID, Ints
from hedgerow.model.numbers import ZERO
from hedgerow.sim.backtest.track import Data

# Rows that are looked at in one go.
CHUNK_ROWS = 1 << 18
# What fits into int64 with room for a difference of two.
INT_MAX = 1 << 62


class Marks:
    """The middle of one instrument's market at any time of its data."""

    def __init__(self, data: Data) -> None:
        self._data = data
        quotes = data.quotes
        self._ts: Ints = np.asarray(quotes.ts_ns)
        whole = np.flatnonzero((np.asarray(quotes.bid) != NO_BID) & (np.asarray(quotes.ask) != NO_ASK))
        self._rows: Ints | None = None if len(whole) == len(self._ts) else whole
        "Rows with both sides; None when all have them."
        self._whole_ts = self._ts if self._rows is None else self._ts[whole]
        self.unit = data.price(1) / 2
        "Half a tick: what the middle is counted in."
        self.sum_max = int(2 * np.asarray(quotes.ask)[whole].max()) if len(whole) else 0
        "No middle has more units."

    def at(self, ts_ns: int) -> Decimal | None:
        """Return the middle of the last whole book up to a time; None before the first."""
        at = int(np.searchsorted(self._whole_ts, ts_ns, "right")) - 1
        return None if at < 0 else int(self._units(np.array([at]))[0]) * self.unit

    def times(self, from_ns: int, to_ns: int) -> Ints:
        """Return when the middle may have changed after `from_ns` and before `to_ns`: the first CHUNK_ROWS of it."""
        first = int(np.searchsorted(self._whole_ts, from_ns, "right"))
        times = self._whole_ts[first : first + CHUNK_ROWS]
        return times[: int(np.searchsorted(times, to_ns, "left"))]

    def units(self, times: Ints) -> Ints:
        """Return the middle at some times, in units; 0 before the first."""
        at = np.searchsorted(self._whole_ts, times, "right") - 1
        return np.where(at < 0, 0, self._units(np.maximum(at, 0)))

    def _units(self, at: Ints) -> Ints:
        rows = at if self._rows is None else self._rows[at]
        quotes = self._data.quotes
        return np.asarray(quotes.bid[rows] + quotes.ask[rows], np.int64)


class Swing(msgspec.Struct, frozen=True):
    """How the worth of a position moved."""

    low: Decimal
    high: Decimal
    fall: Decimal
    "The largest fall from a high to a later low, >= 0."


def swing(held: Sequence[tuple[Marks, Decimal]], from_ns: int, to_ns: int) -> Swing:
    """Return how a position moved from one time until right before another, at every row of its markets.

    Args:
        held: market -> base units, signed; at least one.
    """
    weights = [qty * marks.unit for marks, qty in held]
    digits = max(max(0, -int(weight.as_tuple().exponent)) for weight in weights)
    scale = Decimal(1).scaleb(-digits)
    factors = [int(weight.scaleb(digits)) for weight in weights]
    most = sum(abs(factor) * marks.sum_max for (marks, _), factor in zip(held, factors, strict=True))
    kind: type = np.int64 if most < INT_MAX else object
    low = high = fall = None
    while low is None or from_ns < to_ns:
        parts = [marks.times(from_ns, to_ns) for marks, _ in held]
        # Beyond the end of a part that was cut nothing is known of its market yet.
        cuts = [int(part[-1]) for part in parts if len(part) == CHUNK_ROWS]
        end_ns = min(cuts) + 1 if cuts else to_ns
        times = np.unique(np.concatenate([np.array([from_ns]), *(part[part < end_ns] for part in parts)]))
        worth: np.ndarray[Any, Any] = np.zeros(len(times), kind)
        for (marks, _), factor in zip(held, factors, strict=True):
            worth = worth + marks.units(times).astype(kind) * factor
        highs = np.maximum.accumulate(worth)
        if high is not None:
            highs = np.maximum(highs, high)
        low = int(worth.min()) if low is None else min(low, int(worth.min()))
        fall = max(int((highs - worth).max()), fall or 0)
        high, from_ns = int(highs[-1]), end_ns
    return Swing(low * scale, (high or 0) * scale, max((fall or 0) * scale, ZERO))
