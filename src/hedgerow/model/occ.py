"""Option symbols as the OCC writes them: `SPY261120C00600000` is SPY, 2026-11-20, call, strike 600."""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec

from hedgerow.model.words import Word

# An adjusted contract, after a split or a merger, has a digit behind its root: `TSLA1231114C00100000`.
_SYMBOL = re.compile(r"([A-Z]{1,6})([0-9]?)([0-9]{2})([0-9]{2})([0-9]{2})([CP])([0-9]{8})")
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_STRIKE_UNIT = Decimal("0.001")


class Right(Word):
    CALL = "call"
    PUT = "put"


class Contract(msgspec.Struct, frozen=True):
    """What an option's symbol says."""

    underlying: str
    expiry: str
    "The last day, at the exchange, `YYYY-MM-DD`."
    right: Right
    strike: Decimal
    is_adjusted: bool = False
    "It delivers something else than 100 shares."


def parse_occ(symbol: str) -> Contract | None:
    """Return what an option's symbol says; None when it is not one, or names a day or a strike that cannot be."""
    match = _SYMBOL.fullmatch(symbol)
    if match is None:
        return None
    underlying, adjustment, year, month, day, right, strike = match.groups()
    if not 1 <= int(month) <= 12 or not 1 <= int(day) <= _DAYS[int(month) - 1] or int(strike) == 0:
        return None
    return Contract(
        underlying,
        f"20{year}-{month}-{day}",
        Right.CALL if right == "C" else Right.PUT,
        int(strike) * _STRIKE_UNIT,
        adjustment != "",
    )
