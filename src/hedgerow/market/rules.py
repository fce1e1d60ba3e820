"""What differs between venues, and the filters that an order must pass before anything else is looked at."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum

import msgspec

from hedgerow.market.answers import OrderRequest, Refused
from hedgerow.market.limits import RateLimits
from hedgerow.model.instrument import Broken, Instrument, InstrumentKind, Rule
from hedgerow.model.numbers import ZERO
from hedgerow.model.order import OrderType


class SelfTrade(Enum):
    """Which of two orders of one account goes when they would trade with each other."""

    EXPIRE_TAKER = "expire_taker"
    EXPIRE_MAKER = "expire_maker"


class VenueRules(msgspec.Struct, frozen=True):
    """How one venue behaves where venues differ."""

    self_trade: SelfTrade = SelfTrade.EXPIRE_MAKER
    post_only_refused: bool = True
    "A post-only order that would take is refused; False: it is accepted and expires (Bitget)."
    day_end_s: int = 0
    "When DAY orders expire, seconds after midnight UTC."
    borrow_multiple: Decimal = Decimal(2)
    "What an account may owe in a MARGIN instrument, as a multiple of what it owns there."
    maintenance_ratio: Decimal = Decimal("0.004")
    """Equity below this ratio of the notional of all perpetual positions is liquidated.

    Binance USD-M BTCUSDT, first bracket (recalled, not checked).
    """
    leverage_max: Decimal = Decimal(125)
    "Largest leverage of a perpetual that an account may ask for."
    limits: RateLimits | None = None
    history_max: int | None = None
    "Closed orders kept per account and instrument, and at most twice as many trades; None keeps all."
    reports_positions: bool = False
    "Whether a position report follows each change of a perpetual position, as Binance USD-M's ACCOUNT_UPDATE does."


OPEN_ORDERS = Refused(400, -4047, "Leverage cannot be changed if there exists open orders.")
LEVERAGE_NOT_VALID = Refused(400, -4028, "Leverage is not valid.")
SAME_POSITION_MODE = Refused(400, -4059, "No need to change position side.")
MODE_WITH_ORDERS = Refused(400, -4067, "Position side cannot be changed if there exists open orders.")
MODE_WITH_POSITION = Refused(400, -4068, "Position side cannot be changed if there exists position.")
INVALID_SYMBOL = Refused(400, -1121, "Invalid symbol.")
CLOSED_MARKET = Refused(400, -1016, "This service is no longer available.")
UNKNOWN_CANCEL = Refused(400, -2011, "Unknown order sent.")
UNKNOWN_ORDER = Refused(400, -2013, "Order does not exist.")
NO_PRICE = Refused(400, -1102, "Mandatory parameter 'price' was not sent, was empty/null, or malformed.")
NEEDLESS_PRICE = Refused(400, -1106, "Parameter 'price' sent when not required.")
NEEDLESS_POST_ONLY = Refused(400, -1106, "Parameter 'postOnly' sent when not required.")
NEEDLESS_REDUCE_ONLY = Refused(400, -1106, "Parameter 'reduceOnly' sent when not required.")
BAD_QTY = Refused(400, -1013, "Invalid quantity.")
POSITION_SIDE_MISMATCH = Refused(400, -4061, "Order's position side does not match user's setting.")
NOT_REDUCING = Refused(400, -2022, "ReduceOnly Order is rejected.")
DUPLICATE_PERP = Refused(400, -4116, "ClientOrderId is duplicated.")
DUPLICATE_SPOT = Refused(400, -2010, "Duplicate order sent.")
WOULD_TAKE_PERP = Refused(
    400,
    -5022,
    "Due to the order could not be executed as maker, the Post Only order will be rejected. "
    "The order will not be recorded in the order history.",
)
WOULD_TAKE_SPOT = Refused(400, -2010, "Order would immediately match and take.")
NOT_FILLABLE = Refused(
    400,
    -5021,
    "Due to the order could not be filled immediately, the FOK order has been rejected. "
    "The order will not be recorded in the order history.",
)
INSUFFICIENT_BALANCE = Refused(400, -2010, "Account has insufficient balance for requested action.")
INSUFFICIENT_MARGIN = Refused(400, -2019, "Margin is insufficient.")

_SPOT_FILTERS = {
    Rule.STEP: "LOT_SIZE",
    Rule.MINIMUM_QTY: "LOT_SIZE",
    Rule.MAXIMUM_QTY: "LOT_SIZE",
    Rule.MINIMUM_NOTIONAL: "NOTIONAL",
    Rule.TICK: "PRICE_FILTER",
    Rule.PRICE_BAND: "PERCENT_PRICE_BY_SIDE",
}


def broken_filter(instrument: Instrument, request: OrderRequest, mark: Decimal | None) -> Refused | None:
    """Return why the instrument's filters refuse the order, in Binance's words, or None.

    Args:
        mark: judges market orders and price bands; None leaves them out.

    Source: Binance error codes, spot and USD-M (recalled, not checked against a live venue).
    """
    if request.qty <= ZERO:
        return BAD_QTY
    if request.type is OrderType.LIMIT:
        if request.limit_price is None:
            return NO_PRICE
    elif request.limit_price is not None:
        return NEEDLESS_PRICE
    elif request.post_only:
        return NEEDLESS_POST_ONLY
    broken = instrument.broken_rule(
        request.qty, request.limit_price, mark, reduce_only=request.reduce_only, side=request.side
    )
    if broken is None:
        return None
    if instrument.kind is InstrumentKind.PERP:
        return _perp_refusal(broken)
    return Refused(400, -1013, f"Filter failure: {_SPOT_FILTERS[broken.rule]}")


def _perp_refusal(broken: Broken) -> Refused:
    match broken.rule:
        case Rule.STEP | Rule.TICK:
            return Refused(400, -1111, "Precision is over the maximum defined for this asset.")
        case Rule.MINIMUM_QTY:
            return Refused(400, -4004, "Quantity less than min quantity.")
        case Rule.MAXIMUM_QTY:
            return Refused(400, -4005, "Quantity greater than max quantity.")
        case Rule.MINIMUM_NOTIONAL:
            text = f"Order's notional must be no smaller than {broken.limit} (unless you choose reduce only)."
            return Refused(400, -4164, text)
        case Rule.PRICE_BAND:
            return Refused(400, -4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit.")
