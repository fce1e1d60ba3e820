"""What travels between an engine and the simulated venues: requests one way, answers and the stream the other way."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hedgerow.market.answers import FundingReport, InterestReport, OrderReport, OrderRequest, Refused, TradeReport
from hedgerow.model.ids import AccountId, InstrumentId
from hedgerow.model.market import BorrowRate, FundingRate, Quote

# The longest page of trades that one answer holds, as at Binance.
TRADES_PAGE = 1000
# The same of bookings.
BOOKINGS_PAGE = 1000
LENGTH_BYTES = 4
"Each message on a socket is its length, big-endian, and its JSON."


class _Request(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """What every request has: a number that its answer repeats. The one level of inheritance, for the tag."""

    no: int


class Place(_Request, frozen=True):
    """Take an order."""

    order: OrderRequest
    expires_ns: int
    "The venue refuses the request when it arrives later than this."


class Withdraw(_Request, frozen=True):
    """Cancel an order."""

    client_order_id: str = ""
    venue_order_id: str = ""
    "Counts before the client order id."


class AskOrder(_Request, frozen=True):
    """What became of an order? Or, by the venue's id: whose is it?"""

    client_order_id: str
    venue_order_id: str = ""
    "Counts when the client order id is empty."


class AskOrders(_Request, frozen=True):
    """Which orders are open?"""


class AskTrades(_Request, frozen=True):
    """Which trades were there, from an id on? One page."""

    from_trade_id: int


class AskPosition(_Request, frozen=True):
    """What does the account hold?"""


class AskBalances(_Request, frozen=True):
    """What does the account own and owe?"""


class AskBookings(_Request, frozen=True):
    """What was booked without a trade, from a time on? One page, oldest first."""

    since_ns: int


class Lever(_Request, frozen=True):
    """Trade the instrument with this leverage."""

    leverage: Decimal


ToVenue = Place | Withdraw | AskOrder | AskOrders | AskTrades | AskPosition | AskBalances | AskBookings | Lever


class Hello(msgspec.Struct, frozen=True):
    """The first message of a connection: for whom and what it is."""

    account_id: AccountId
    instrument_id: InstrumentId


class Holding(msgspec.Struct, frozen=True):
    """The position of an account, or its base balance."""

    net_qty: Decimal
    avg_price: Decimal | None
    leverage: Decimal | None = None
    "None where there is none."


class Owned(msgspec.Struct, frozen=True):
    """One currency of an account."""

    currency: str
    total: Decimal
    available: Decimal
    borrowed: Decimal


class Streamed(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """One frame of the private stream."""

    order: OrderReport | None = None
    trade: TradeReport | None = None
    funding: FundingReport | None = None
    interest: InterestReport | None = None


class Answered(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """The answer to one request: refused, or what the request asked for."""

    no: int
    refused: Refused | None = None
    venue_order_id: str = ""
    "Of an order that was taken."
    order: OrderReport | None = None
    orders: tuple[OrderReport, ...] = ()
    trades: tuple[TradeReport, ...] = ()
    holding: Holding | None = None
    balances: tuple[Owned, ...] | None = None
    bookings: tuple[Streamed, ...] = ()
    "As the stream told them, if it did."


class Shown(msgspec.Struct, frozen=True, tag=True):
    """The visible book."""

    quote: Quote


class RateShown(msgspec.Struct, frozen=True, tag=True):
    """The coming funding."""

    rate: FundingRate


class LoanShown(msgspec.Struct, frozen=True, tag=True):
    """What a loan costs."""

    rate: BorrowRate


class Beat(msgspec.Struct, frozen=True, tag=True):
    """The private stream is alive."""


FromVenue = Answered | Streamed | Shown | RateShown | LoanShown | Beat
