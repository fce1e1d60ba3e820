"""Positions: what our own fills add up to, with cost, P&L, fees and funding."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hedgerow.model.numbers import ONE, ZERO

# Costs are kept to 10^-12 quote: far below any tick, and short enough that a long life does not grow digits.
COST_QUANTUM = Decimal("1e-12")
# More whole digits and 28 digits do not hold the quantum; such sums are rounded by the context alone.
WHOLE_DIGITS_MAX = 15


class Position(msgspec.Struct, frozen=True):
    """A signed qty with what it cost. Average cost; a fill through zero closes first, then opens."""

    net_qty: Decimal = ZERO
    "Own fills net of base fees, plus what was adopted; + long, - short."
    net_cost: Decimal = ZERO
    "Signed quote paid for `net_qty`: + for a long, - for a short."
    realized: Decimal = ZERO
    "Realized P&L before fees and funding, quote."

    def avg_price(self, multiplier: Decimal = ONE) -> Decimal | None:
        """Return the average entry price, quote per base unit; None when flat."""
        return None if self.net_qty == 0 else self.net_cost / (self.net_qty * multiplier)

    def moved(self, net_qty: Decimal, price: Decimal, multiplier: Decimal = ONE) -> Position:
        """Return the position after trading signed `net_qty` at `price`. P&L is in quote, times `multiplier`."""
        held = self.net_qty
        after = held + net_qty
        if held == ZERO or (held > ZERO) == (net_qty > ZERO):
            return Position(after, self.net_cost + net_qty * price * multiplier, self.realized)
        if after == ZERO:
            return Position(ZERO, ZERO, self.realized - self.net_cost - net_qty * price * multiplier)
        if (after > ZERO) == (held > ZERO):
            released = self.net_cost * -net_qty / held
            if released.adjusted() < WHOLE_DIGITS_MAX:
                released = released.quantize(COST_QUANTUM)
            realized = self.realized - net_qty * price * multiplier - released
            return Position(after, self.net_cost - released, realized)
        realized = self.realized + held * price * multiplier - self.net_cost
        return Position(after, after * price * multiplier, realized)

    def unrealized(self, mark: Decimal, multiplier: Decimal = ONE) -> Decimal:
        """Return the P&L of closing everything at `mark`, quote, before fees."""
        return self.net_qty * mark * multiplier - self.net_cost
