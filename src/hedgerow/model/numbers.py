"""Exact numbers: Decimal from text, never from a binary fraction, and rounding that names its direction."""

from __future__ import annotations

import decimal
from decimal import Decimal

ZERO = Decimal(0)
ONE = Decimal(1)
BPS = Decimal("0.0001")
"One basis point as a ratio."

# 28 digits hold 10^12 units of quote at 10^-12 with room to spare; every process uses the same, so replays agree.
PRECISION_DIGITS = 28


def trap_floats() -> None:
    """Make mixing Decimal and binary fractions raise `decimal.FloatOperation`, in this thread and in new ones.

    Also pins precision and rounding, because some client libraries change the ambient context of their thread.
    """
    for context in (decimal.getcontext(), decimal.DefaultContext):
        context.prec = PRECISION_DIGITS
        context.rounding = decimal.ROUND_HALF_EVEN
        context.traps[decimal.FloatOperation] = True


trap_floats()


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """Return the largest multiple of `step` that is not above `value`. `value` >= 0, `step` > 0."""
    return value // step * step


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """Return the smallest multiple of `step` that is not below `value`. `value` >= 0, `step` > 0."""
    floor = value // step * step
    return floor if floor == value else floor + step


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Return whether `value` lies exactly on the grid of `step`."""
    return value % step == 0
