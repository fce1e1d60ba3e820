"""Fees: how much a venue takes of a trade, and in what."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hedgerow.model.instrument import FeeCurrency
from hedgerow.model.numbers import ZERO
from hedgerow.model.order import Side

# Binance books commissions to 8 decimals in every currency.
FEE_QUANTUM = Decimal("1e-8")


class Fees(msgspec.Struct, frozen=True):
    """The fee rates of one account, as ratios of what is traded; negative is a rebate."""

    maker: Decimal = ZERO
    taker: Decimal = ZERO

    def largest(self) -> Decimal:
        """Return the rate that an order must be able to pay, >= 0."""
        return max(self.maker, self.taker, ZERO)


def in_base(fee_currency: FeeCurrency, side: Side) -> bool:
    """Return whether the fee of a trade on `side` is taken from what is traded, rather than from the quote."""
    if fee_currency is FeeCurrency.RECEIVED:
        return side is Side.BUY
    return fee_currency is FeeCurrency.BASE
