"""Instruments: what is traded, and the rules that a venue checks before it takes an order."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum

import msgspec

from hedgerow.model.ids import InstrumentId, VenueId
from hedgerow.model.numbers import ONE, ZERO, ceil_to, floor_to, is_multiple
from hedgerow.model.order import Side


class InstrumentKind(Enum):
    SPOT = "spot"
    MARGIN = "margin"
    "Spot bought or sold with borrowed funds."
    PERP = "perp"
    "Linear perpetual: margined and settled in the quote currency."
    STOCK = "stock"
    OPTION = "option"


class FeeCurrency(Enum):
    """In what a venue takes its fee."""

    QUOTE = "quote"
    BASE = "base"
    "From what is traded: the position moves by the fill less the fee."
    RECEIVED = "received"
    "Base on a buy, quote on a sell, as spot venues do without a discount token."


class Rule(Enum):
    """The rules of an instrument that an order can break."""

    STEP = "step"
    MINIMUM_QTY = "minimum_qty"
    MAXIMUM_QTY = "maximum_qty"
    MINIMUM_NOTIONAL = "minimum_notional"
    TICK = "tick"
    PRICE_BAND = "price_band"


class Broken(msgspec.Struct, frozen=True):
    """A rule that an order would break, with both numbers."""

    rule: Rule
    value: Decimal
    limit: Decimal


class Instrument(msgspec.Struct, frozen=True, omit_defaults=True):
    """One instrument at one venue, with the filters that were in force when it was read."""

    id: InstrumentId
    venue_id: VenueId
    kind: InstrumentKind
    base: str
    "What is bought, e.g. `BTC`."
    quote: str
    "What it is priced in, e.g. `USDT`."
    tick: Decimal
    "Price grid, quote per base unit, > 0."
    step: Decimal
    "Qty grid, > 0."
    min_qty: Decimal
    "Smallest qty of one order, > 0."
    max_qty: Decimal | None = None
    "Largest qty of one order; None where the venue states none. Larger needs are sliced."
    min_notional: Decimal = ZERO
    "Smallest notional of one order, quote. Reduce-only orders are exempt where the venue says so."
    reduce_only_exempt: bool = False
    "Whether a reduce-only order may be below `min_notional` (Binance USD-M: yes)."
    multiplier: Decimal = ONE
    "Units of the underlying in one unit of qty: 1 for coins and shares, 100 for a US option."
    band_down: Decimal | None = None
    "Lowest limit price as a ratio of the mark, e.g. 0.9; None when the venue has no band."
    band_up: Decimal | None = None
    "Highest limit price as a ratio of the mark, e.g. 1.1; None when the venue has no band."
    fee_currency: FeeCurrency = FeeCurrency.QUOTE
    can_reduce_only: bool = True
    "Whether the venue knows reduce-only orders here (spot does not)."
    band_is_one_sided: bool = False
    "A buy may stand as low as it likes and a sell as high (Binance USD-M): the band bounds the far side alone."

    def floor_qty(self, qty: Decimal) -> Decimal:
        """Return `qty` >= 0 rounded down to the step: never orders more than is owed."""
        return floor_to(qty, self.step)

    def passive_price(self, price: Decimal, side: Side) -> Decimal:
        """Return `price` on the tick, moved away from the market: down for a buy, up for a sell."""
        return floor_to(price, self.tick) if side is Side.BUY else ceil_to(price, self.tick)

    def capped_price(self, price: Decimal, side: Side) -> Decimal:
        """Return a worst acceptable `price` on the tick: never pays more, never receives less."""
        return self.passive_price(price, side)

    def notional(self, qty: Decimal, price: Decimal) -> Decimal:
        """Return price x qty x multiplier, quote units, >= 0."""
        return price * qty * self.multiplier

    def smallest_qty(self, price: Decimal | None) -> Decimal:
        """Return the smallest legal qty of a plain order at `price`; None leaves `min_notional` out."""
        smallest = ceil_to(self.min_qty, self.step)
        if price is None or price <= 0 or self.min_notional == 0:
            return smallest
        return max(smallest, ceil_to(self.min_notional / (price * self.multiplier), self.step))

    def is_orderable(self, qty: Decimal, price: Decimal | None) -> bool:
        """Return whether a plain order for `qty` >= 0, floored to the step, is legal at `price` (None: any)."""
        floored = floor_to(qty, self.step)
        if floored < self.min_qty:
            return False
        return price is None or self.notional(floored, price) >= self.min_notional

    def broken_rule(
        self,
        qty: Decimal,
        limit_price: Decimal | None,
        mark: Decimal | None,
        *,
        reduce_only: bool,
        side: Side | None = None,
    ) -> Broken | None:
        """Return the first rule that this order would break, or None when it is legal.

        Args:
            qty: > 0.
            limit_price: None for a market order, which is judged by `mark`.
            mark: None when no price is known; notional of market orders and bands are then not checked.
            reduce_only: exempt from the minimum notional where the venue says so.
            side: judges a one-sided band; None passes it over.
        """
        if not is_multiple(qty, self.step):
            return Broken(Rule.STEP, qty, self.step)
        if qty < self.min_qty:
            return Broken(Rule.MINIMUM_QTY, qty, self.min_qty)
        if self.max_qty is not None and qty > self.max_qty:
            return Broken(Rule.MAXIMUM_QTY, qty, self.max_qty)
        price = limit_price if limit_price is not None else mark
        if price is not None and self.min_notional > 0 and not (reduce_only and self.reduce_only_exempt):
            notional = self.notional(qty, price)
            if notional < self.min_notional:
                return Broken(Rule.MINIMUM_NOTIONAL, notional, self.min_notional)
        if limit_price is None:
            return None
        if limit_price <= 0 or not is_multiple(limit_price, self.tick):
            return Broken(Rule.TICK, limit_price, self.tick)
        low_counts = not self.band_is_one_sided or side is Side.SELL
        high_counts = not self.band_is_one_sided or side is Side.BUY
        if low_counts and mark is not None and self.band_down is not None and limit_price < mark * self.band_down:
            return Broken(Rule.PRICE_BAND, limit_price, mark * self.band_down)
        if high_counts and mark is not None and self.band_up is not None and limit_price > mark * self.band_up:
            return Broken(Rule.PRICE_BAND, limit_price, mark * self.band_up)
        return None
