"""What goes into the exchange and what comes out: requests, answers, and reports of the private stream.

Nothing here can be part of a cycle, so `gc=False` keeps the collector from visiting every report of a long run.
"""

from __future__ import annotations

from decimal import Decimal
from enum import Enum

import msgspec

from hedgerow.model.ids import InstrumentId
from hedgerow.model.order import OrderStatus, OrderType, Side, TimeInForce


class PositionMode(Enum):
    ONE_WAY = "one_way"
    "One signed position per instrument."
    HEDGE = "hedge"
    "A long and a short position per instrument, side by side."


class PositionSide(Enum):
    """Which position of an instrument an order is for."""

    BOTH = "both"
    "The only one there is, in one-way mode."
    LONG = "long"
    SHORT = "short"


class OrderRequest(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One order, as an account asks for it."""

    client_order_id: str
    instrument_id: InstrumentId
    side: Side
    qty: Decimal
    type: OrderType
    limit_price: Decimal | None = None
    "None for a market order."
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    reduce_only: bool = False
    position_side: PositionSide = PositionSide.BOTH


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """The exchange took the order; what became of it is in the stream."""

    venue_order_id: str


class Refused(msgspec.Struct, frozen=True, gc=False):
    """The exchange did not do what was asked. Nothing has changed."""

    status: int
    "HTTP status."
    code: int
    "Binance's number."
    text: str
    retry_after_s: int = 0
    "With 429 and 418: how long to wait."


class OrderReport(msgspec.Struct, frozen=True, gc=False):
    """One order as it stands."""

    client_order_id: str
    venue_order_id: str
    instrument_id: InstrumentId
    side: Side
    status: OrderStatus
    "OPEN, FILLED, CANCELED or EXPIRED."
    qty: Decimal
    cum_qty: Decimal
    "Filled so far, 0 <= cum_qty <= qty."
    reason: str
    "Why it expired, in the venue's words; empty otherwise."
    venue_ts_ns: int


class TradeReport(msgspec.Struct, frozen=True, gc=False):
    """One execution of an account."""

    trade_id: int
    "Rises with each trade of the instrument; two accounts that trade with each other see the same one."
    client_order_id: str
    venue_order_id: str
    instrument_id: InstrumentId
    side: Side
    qty: Decimal
    price: Decimal
    fee: Decimal
    "Paid, in `fee_currency`; negative is a rebate."
    fee_currency: str
    is_maker: bool
    venue_ts_ns: int
    venue_made: bool = False
    "A liquidation or an auto-deleveraging: the venue traded, not the account."


class FundingReport(msgspec.Struct, frozen=True, gc=False):
    """Funding of one position, booked by the venue."""

    funding_id: str
    instrument_id: InstrumentId
    net_quote: Decimal
    "+ received, - paid."
    venue_ts_ns: int


class InterestReport(msgspec.Struct, frozen=True, gc=False):
    """Interest of one loan, booked by the venue: the loan grows by it."""

    interest_id: str
    currency: str
    amount: Decimal
    "> 0."
    venue_ts_ns: int


class PositionReport(msgspec.Struct, frozen=True, gc=False):
    """A position after it changed. Sent only where the venue's rules say so."""

    instrument_id: InstrumentId
    position_side: PositionSide
    net_qty: Decimal
    venue_ts_ns: int


class CancelAccepted(msgspec.Struct, frozen=True):
    """The order is canceled."""

    report: OrderReport


Report = OrderReport | TradeReport | FundingReport | InterestReport | PositionReport
