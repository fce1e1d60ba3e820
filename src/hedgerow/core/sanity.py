"""Whether the numbers of an event can be: finite, of the right sign, and of a size that exact sums can hold.

Venues send zeros, and parsers take NaN for a number. One such number in a ledger would break every sum after it, so it
is stopped here, where all events pass.
"""

from __future__ import annotations

from decimal import Decimal

from hedgerow.core.events import (
    Balance,
    BalancesRead,
    BorrowRateReceived,
    Event,
    FillLookedUp,
    FillReceived,
    FundingPaid,
    FundingRateReceived,
    InterestCharged,
    OpenOrdersRead,
    OrderAccepted,
    OrderReported,
    PositionRead,
    QuoteReceived,
    TradesRead,
)
from hedgerow.model.market import Level, Quote
from hedgerow.model.order import Fill

# No price or qty of any market lies outside; products of two and 10^-12 quanta still fit into 28 digits.
LARGEST = Decimal("1e12")
SMALLEST = Decimal("1e-12")
LOWEST = -LARGEST
# What others offer is added to nothing: coins of a ten-millionth of a dollar have levels of more than `LARGEST`.
LARGEST_LEVEL = Decimal("1e18")


def is_sane(event: Event) -> bool:
    """Return whether every number of the event can be."""
    match event:
        case OrderAccepted():
            return True
        case OrderReported():
            return event.cum_qty is None or (_is_amount(event.cum_qty) and event.cum_qty >= 0)
        case FillReceived() | FillLookedUp():
            return _is_fill(event.fill)
        case QuoteReceived():
            return is_sane_quote(event.quote)
        case TradesRead():
            return all(map(_is_fill, event.fills))
        case OpenOrdersRead():
            return all(_is_amount(row.qty) and _is_amount(row.cum_qty) for row in event.orders)
        case PositionRead():
            priced = event.avg_price is None or _is_amount(event.avg_price)
            return priced and _is_amount(event.net_qty)
        case FundingPaid():
            return _is_amount(event.net_quote)
        case FundingRateReceived():
            return _is_amount(event.rate.rate) and event.rate.interval_s > 0
        case BorrowRateReceived():
            return _is_amount(event.rate.rate) and event.rate.rate >= 0 and event.rate.interval_s > 0
        case InterestCharged():
            return _is_amount(event.amount) and event.amount >= 0
        case BalancesRead():
            return all(map(_is_balance, event.rows))
        case _:
            return True


def _is_balance(row: Balance) -> bool:
    return all(_is_amount(each) for each in (row.total, row.available, row.borrowed, row.interest) if each is not None)


def is_sane_quote(quote: Quote) -> bool:
    """Return whether every price and qty of the quote can be."""
    return _are_levels(quote.bids) and _are_levels(quote.asks)


def _is_fill(fill: Fill) -> bool:
    # Every trade passes here again with each read that shows it, so the tests below are written out.
    qty, price, fee = fill.qty, fill.price, fill.fee
    if not (qty.is_finite() and SMALLEST <= qty <= LARGEST and price.is_finite() and SMALLEST <= price <= LARGEST):
        return False
    return fee is None or (fee.is_finite() and LOWEST <= fee <= LARGEST)


def _are_levels(levels: tuple[Level, ...]) -> bool:
    return all(map(_is_level, levels))


def _is_level(level: Level) -> bool:
    price, qty = level
    if not (price.is_finite() and SMALLEST <= price <= LARGEST):
        return False
    return qty.is_finite() and SMALLEST <= qty <= LARGEST_LEVEL


def _is_amount(value: Decimal) -> bool:
    return value.is_finite() and LOWEST <= value <= LARGEST
