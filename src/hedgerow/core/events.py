"""Facts that come in. Each carries the time at which the inbox took it; nothing in the core asks a clock.

A gateway never raises for what a venue did: refusals, silence and lies all arrive here as events.
"""

from __future__ import annotations

from decimal import Decimal
from enum import Enum

import msgspec

from hedgerow.core.config import BookConfig, LegConfig
from hedgerow.model.ids import AccountId, ClientOrderId, LegId, VenueId, VenueOrderId
from hedgerow.model.instrument import Instrument
from hedgerow.model.market import BorrowRate, FundingRate, Quote
from hedgerow.model.numbers import ZERO
from hedgerow.model.order import Fill, OrderStatus, Side
from hedgerow.model.session import Sessions
from hedgerow.model.words import Word


class _Event(msgspec.Struct, frozen=True, tag=True, tag_field="what", omit_defaults=True):
    """What every event has. The one level of inheritance: msgspec needs the tag on each member of the union."""

    ts_ns: int
    "When our inbox took it, UTC."


class RejectClass(Word):
    """Why a venue definitely did not take an order. Decides the hold and the spacing of the next try."""

    NOT_SENT = "not_sent"
    "It never left: connection refused, or our own budget."
    RATE_LIMITED = "rate_limited"
    PRECISION = "precision"
    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    INSUFFICIENT_MARGIN = "insufficient_margin"
    PRICE_BAND = "price_band"
    POST_ONLY = "post_only"
    REDUCE_ONLY = "reduce_only"
    NO_LIQUIDITY = "no_liquidity"
    MARKET_CLOSED = "market_closed"
    POSITION_MODE = "position_mode"
    UNAUTHORIZED = "unauthorized"
    OTHER = "other"


class BookStarted(_Event, frozen=True):
    """An engine took the book: the first event of each run."""

    epoch: int
    "Which run, from 1; one more than the last in the journal."
    config: BookConfig
    "The config of this run."
    halted: bool = False
    "The last run ended by a broken assert: come up halted."


class QuoteReceived(_Event, frozen=True):
    """The visible book of one leg's instrument. Makes a turn only when it changes something."""

    quote: Quote


class FundingRateReceived(_Event, frozen=True):
    """The coming funding of a perpetual."""

    rate: FundingRate


class Heartbeat(_Event, frozen=True):
    """The venue behind a leg answered: its private side is alive."""

    leg_id: LegId


class TimeReached(_Event, frozen=True):
    """The moment that `Book.next_due_ns` named has come."""


class OrderAccepted(_Event, frozen=True):
    """The venue has the order."""

    order_id: ClientOrderId
    venue_order_id: VenueOrderId | None = None


class OrderRejected(_Event, frozen=True):
    """The order was definitely not taken; the proof is kept here."""

    order_id: ClientOrderId
    reject_class: RejectClass
    code: str = ""
    "The venue's own code."
    text: str = ""
    "The venue's own words."
    retry_after_ns: int = 0
    "The venue's own waiting time; 0 when it named none."


class OrderUnknown(_Event, frozen=True):
    """A submit ended without proof either way."""

    order_id: ClientOrderId
    detail: str = ""
    "What was seen instead of an answer: status, code, text or transport error."


class OrderReported(_Event, frozen=True):
    """What the venue says of an order, from a stream, a query or a read of open orders."""

    order_id: ClientOrderId
    status: OrderStatus
    "OPEN, or how it ended: FILLED, CANCELED, EXPIRED, REJECTED (taken, then refused inside the venue)."
    cum_qty: Decimal | None = None
    "Cumulative filled qty; None when this message does not say."
    venue_order_id: VenueOrderId | None = None
    reason: str = ""
    "The venue's words on why it ended."
    code: str = ""
    leg_id: LegId = LegId("")
    "Whose gateway says so; needed only to learn that an order with this venue order id is somebody else's."
    venue_made: bool = False
    "The order is the venue's own: a liquidation, a deleveraging, a settlement."


class OrderNotFound(_Event, frozen=True):
    """A query by client id answered 'no such order'. Evidence, not proof."""

    order_id: ClientOrderId
    asked_ts_ns: int
    "When the question left."


class OrderQueryFailed(_Event, frozen=True):
    """A query by client id got no usable answer."""

    order_id: ClientOrderId
    detail: str = ""


class CancelOutcome(Enum):
    ACCEPTED = "accepted"
    GONE = "gone"
    "The venue knows no such working order: it may have filled, ended, or never been."
    REFUSED = "refused"
    UNKNOWN = "unknown"


class CancelAnswered(_Event, frozen=True):
    """A cancel request ended. It never closes the order by itself: reports and trades do."""

    order_id: ClientOrderId
    outcome: CancelOutcome
    code: str = ""
    text: str = ""


class FillReceived(_Event, frozen=True):
    """The venue traded. From a stream, a query or a backfill: all one path."""

    fill: Fill


class FillLookedUp(_Event, frozen=True):
    """The journal says whether a fill of a forgotten order was booked before."""

    fill: Fill
    booked: bool


class OpenOrder(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row of a read of open orders."""

    venue_order_id: VenueOrderId
    side: Side
    qty: Decimal
    cum_qty: Decimal
    order_id: ClientOrderId | None = None
    "None when the row carries no client id."


class OpenOrdersRead(_Event, frozen=True):
    """All open orders of a leg's account and instrument, as of some moment after the question left."""

    leg_id: LegId
    asked_ts_ns: int
    orders: tuple[OpenOrder, ...] = ()


class TradesRead(_Event, frozen=True):
    """Trades of a leg's account and instrument from the cursor on, oldest first, paged to the end."""

    leg_id: LegId
    asked_ts_ns: int
    fills: tuple[Fill, ...] = ()
    cursor: str = ""
    "Where the next read starts; opaque, the gateway's own."


class PositionRead(_Event, frozen=True):
    """The account's position (or base balance) in a leg's instrument, as the venue sees it. Never a fill."""

    leg_id: LegId
    asked_ts_ns: int
    net_qty: Decimal
    avg_price: Decimal | None = None
    available: Decimal | None = None
    "What can be sold, where the venue says so."
    leverage: Decimal | None = None
    "What the account trades this instrument with, where the venue says so."
    others_net_qty: Decimal = ZERO
    "What other books of the node hold of it, by their fills: an account may be shared."
    others_settled: bool = True
    "Whether nothing of theirs is under way that the venue may not show yet."
    others_foreign_net_qty: Decimal | None = None
    "What they take for foreign; None while none of them knows."

    @property
    def share_net_qty(self) -> Decimal:
        """Return what is not another book's: this one's, foreign, or drift."""
        return self.net_qty - self.others_net_qty


class Balance(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an account owns and owes of one currency. None is what the venue did not say, which is not zero."""

    currency: str
    total: Decimal
    "Owned, orders' locks and collateral included, what was borrowed as well."
    available: Decimal | None = None
    "What an order could use now."
    borrowed: Decimal | None = None
    interest: Decimal | None = None
    "Accrued and not yet paid, in the same currency."

    @property
    def net(self) -> Decimal:
        """Return what is owned less what is owed."""
        return self.total - (self.borrowed or ZERO) - (self.interest or ZERO)


class BalancesRead(_Event, frozen=True):
    """The balances of a leg's account. A currency without a row is unknown, never zero."""

    leg_id: LegId
    asked_ts_ns: int
    rows: tuple[Balance, ...] = ()


class ReadKind(Word):
    OPEN_ORDERS = "open_orders"
    TRADES = "trades"
    POSITION = "position"
    BALANCES = "balances"


class ReadFailed(_Event, frozen=True):
    """A read got no usable answer: unknown, which is not empty and not zero."""

    leg_id: LegId
    kind: ReadKind
    detail: str = ""


class FundingPaid(_Event, frozen=True):
    """Funding booked by the venue: + received, - paid, quote."""

    leg_id: LegId
    funding_id: str
    net_quote: Decimal


class BorrowRateReceived(_Event, frozen=True):
    """What the account of a leg pays for a loan."""

    leg_id: LegId
    rate: BorrowRate


class InterestCharged(_Event, frozen=True):
    """Interest of a loan, booked by the venue: it grows the loan, in the currency that was borrowed."""

    leg_id: LegId
    interest_id: str
    currency: str
    amount: Decimal
    ">= 0."


class Exposure(msgspec.Struct, frozen=True):
    """What books hold of one underlying, quote."""

    underlying: str
    net: Decimal
    "Signed notional of all legs."
    buys: Decimal
    "Notional of working entries that buy."
    sells: Decimal


class PortfolioSeen(_Event, frozen=True):
    """What all other books of the node have, and what the accounts are worth. Only seen; a turn takes it along."""

    equity: Decimal | None
    "Of all accounts, quote; None while some part of it is unknown."
    problems: tuple[str, ...] = ()
    "What is unknown, in words."
    others: tuple[Exposure, ...] = ()
    gross: Decimal = ZERO
    "Gross notional of the other books, if their working entries fill and are hedged."
    orders: int = 0
    "Their live orders."


class LinkDown(_Event, frozen=True):
    """The private stream of a leg's venue is lost, or was found mute."""

    leg_id: LegId
    detail: str = ""


class FrameQuarantined(_Event, frozen=True):
    """A frame of a leg's private stream could not be understood. It is kept here; what it may have told is read."""

    leg_id: LegId
    detail: str
    "What is wrong with it."
    frame: str = ""
    "Its text, or the beginning of it."


class LinkUp(_Event, frozen=True):
    """The private stream is back; what was missed must be read before it counts as live."""

    leg_id: LegId


class InstrumentChanged(_Event, frozen=True):
    """The venue changed a filter."""

    instrument: Instrument


class SessionsRead(_Event, frozen=True):
    """When a venue trades in the coming days, from its exchange's calendar or its own."""

    venue_id: VenueId
    sessions: Sessions


class LegAdded(_Event, frozen=True):
    """A position was found in an account that the book watches: it has a leg now."""

    leg: LegConfig


class PositionsListed(_Event, frozen=True):
    """What an account holds could be listed, or could not. What is not listed is unknown, never gone."""

    account_id: AccountId
    problem: str = ""
    "Why not; empty when it could."


class PositionModeRead(_Event, frozen=True):
    """The account's position mode differs from, or agrees again with, what the book was made for."""

    leg_id: LegId
    agrees: bool
    detail: str = ""


class Action(Enum):
    FREEZE = "freeze"
    FLATTEN = "flatten"
    HALT = "halt"
    RESUME = "resume"
    SIGNAL = "signal"
    "Tell the policy to enter (`carry`)."


class LeverageAnswered(_Event, frozen=True):
    """The venue answered to a leverage that it was asked to set. What counts is what the next position read shows."""

    leg_id: LegId
    refusal: str = ""
    "The venue's code and words; empty when it took it."


class OperatorCommanded(_Event, frozen=True):
    """A person or an authenticated program gave an order to the book."""

    action: Action
    principal: str = ""
    "Who."
    request_id: str = ""
    "The same request twice has one effect; empty when there is none."
    accept_drift: bool = False
    "With RESUME: what the venue shows beyond our fills is foreign from now on; what it shows less is given up."
    detail: str = ""
    "With SIGNAL: the policy's own words, e.g. `enter`."
    made_ts_ns: int = 0
    "With SIGNAL: when it was made; older than the policy allows and it is dropped with a hold."


class JournalFailed(_Event, frozen=True):
    """The journal could not be written or is about to fail: entries stop, cancels go on."""

    detail: str = ""


class Faulted(_Event, frozen=True):
    """An assert broke. The last event of a run; the next one comes up halted."""

    detail: str = ""


Event = (
    FillReceived
    | OrderAccepted
    | QuoteReceived
    | TimeReached
    | OrderReported
    | Heartbeat
    | OrderRejected
    | OrderUnknown
    | OrderNotFound
    | OrderQueryFailed
    | CancelAnswered
    | TradesRead
    | OpenOrdersRead
    | PositionRead
    | ReadFailed
    | FillLookedUp
    | FundingRateReceived
    | FundingPaid
    | BalancesRead
    | BorrowRateReceived
    | InterestCharged
    | PortfolioSeen
    | LinkDown
    | LinkUp
    | FrameQuarantined
    | InstrumentChanged
    | SessionsRead
    | LegAdded
    | PositionsListed
    | PositionModeRead
    | LeverageAnswered
    | OperatorCommanded
    | BookStarted
    | JournalFailed
    | Faulted
)
