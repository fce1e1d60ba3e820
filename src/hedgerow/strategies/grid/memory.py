"""What a grid remembers between events, in the journal as JSON. It changes rarely: each change is a record."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from itertools import pairwise

import msgspec

from hedgerow.model.numbers import BPS, ONE, ZERO
from hedgerow.strategies.grid.levels import Frame


class Memory(msgspec.Struct, frozen=True, omit_defaults=True):
    """The state of the policy that fills alone do not tell."""

    told: str = ""
    "The parameters that the frame was made from: other ones begin a new one."
    frame: Frame | None = None
    "Where the ladder stands; None before it is known."
    offset: int = 0
    "By how many spacings it was moved since."
    lowest: int = 0
    "The smallest offset so far: lots below the ladder may be from there."
    highest: int = 0
    side_out: str = ""
    "`above` or `below` while the market is out of the range."
    out_since_ns: int = 0
    brakes: tuple[tuple[str, int], ...] = ()
    "Measure -> 1 throttled, 2 gated, of those that are on."
    stopped: str = ""
    "Why the book is to be flat; kept until it is and an operator has resumed it."
    base_pnl: Decimal = ZERO
    "P&L from which losses count: what it was when the book was resumed after a stop."
    best_pnl: Decimal | None = None
    "The best P&L, in twentieths of `stop_drawdown`; None before the first quote."
    bars: tuple[Decimal, ...] = ()
    "The market at the end of each of the latest bars, oldest first."
    bar_ts_ns: int = 0
    "When the latest of them ended."
    seeds: tuple[tuple[int, Decimal], ...] = ()
    "Level -> signed qty of adopted holdings that its exit sells."

    def text(self) -> str:
        return "" if self == FRESH else msgspec.json.encode(self).decode()


FRESH = Memory()


@lru_cache(maxsize=64)
def remembered(text: str) -> Memory:
    """Return what `Memory.text` said; the cache only spares reading the same text for every event."""
    return msgspec.json.decode(text, type=Memory) if text else FRESH


def atr_bps(bars: tuple[Decimal, ...], wanted: int) -> Decimal | None:
    """Return the average move from bar to bar; None before `wanted` moves were seen.

    It is the average of |close - close before|: between two looks the policy sees no highs and lows.
    """
    if len(bars) <= wanted:
        return None
    moves = [abs(after / before - ONE) for before, after in pairwise(bars)]
    return (sum(moves, ZERO) / len(moves) / BPS).quantize(Decimal("0.01"))
