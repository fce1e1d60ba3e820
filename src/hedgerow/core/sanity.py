"""Whether the numbers of an event can be: finite, of the right sign, and of a size that exact sums can hold.

Venues send zeros, and parsers take NaN for a number. One such number in a ledger would break every sum after it, so it
is stopped here, where all events pass.
"""

from __future__ import annotations

from decimal import Decimal

from hedgerow.core.events import (
    Event,
    FillLookedUp,
    FillReceived,
    FundingPaid,
    FundingRateReceived,
    OpenOrdersRead,
    OrderReported,
    PositionRead,
    QuoteReceived,
    TradesRead,
)
from hedgerow.model.market import Level
from hedgerow.model.order import Fill

# No price or qty of any market lies outside; products of two and 10^-12 quanta still fit into 28 digits.
LARGEST = Decimal("1e12")
SMALLEST = Decimal("1e-12")


def is_sane(event: Event) -> bool:
    """Return whether every number of the event can be."""
    match event:
        case FillReceived() | FillLookedUp():
            return _is_fill(event.fill)
        case QuoteReceived():
            return all(_is_level(level) for level in event.quote.bids) and all(
                _is_level(level) for level in event.quote.asks
            )
        case TradesRead():
            return all(_is_fill(fill) for fill in event.fills)
        case OrderReported():
            return event.cum_qty is None or (_is_amount(event.cum_qty) and event.cum_qty >= 0)
        case OpenOrdersRead():
            return all(_is_amount(row.qty) and _is_amount(row.cum_qty) for row in event.orders)
        case PositionRead():
            priced = event.avg_price is None or _is_amount(event.avg_price)
            return priced and _is_amount(event.net_qty)
        case FundingPaid():
            return _is_amount(event.net_quote)
        case FundingRateReceived():
            return _is_amount(event.rate.rate) and event.rate.interval_s > 0
        case _:
            return True


def _is_fill(fill: Fill) -> bool:
    fee = fill.fee is None or _is_amount(fill.fee)
    return fee and _is_positive(fill.qty) and _is_positive(fill.price)


def _is_level(level: Level) -> bool:
    return _is_positive(level[0]) and _is_positive(level[1])


def _is_positive(value: Decimal) -> bool:
    return value.is_finite() and SMALLEST <= value <= LARGEST


def _is_amount(value: Decimal) -> bool:
    return value.is_finite() and -LARGEST <= value <= LARGEST
