"""Orders and fills: what we asked a venue to do, what we know became of it, and what it traded."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hedgerow.model.ids import AccountId, ClientOrderId, InstrumentId, LegId, TradeId, VenueOrderId
from hedgerow.model.numbers import ZERO
from hedgerow.model.words import Word


class Side(Word):
    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(Word):
    LIMIT = "limit"
    MARKET = "market"


class TimeInForce(Word):
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    DAY = "day"


class Role(Word):
    """Why an order exists. Limits look at it: only entries can be stopped by them."""

    ENTRY = "entry"
    "May add exposure."
    HEDGE = "hedge"
    "Brings the residual towards zero and cannot change its sign."
    EXIT = "exit"
    "Shrinks the position of its own leg and cannot change its sign."


class OrderStatus(Word):
    SUBMITTING = "submitting"
    "In the journal; the venue may or may not have it yet."
    UNKNOWN = "unknown"
    "The submit ended without a proof either way; it may be live. Left only by proof."
    OPEN = "open"
    "The venue has it."
    SETTLING = "settling"
    "The venue says that it ended; the trades that we booked do not add up to its cumulative qty yet."
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    "The venue never took it, or there is proof that it never will."


# An order in one of these may still fill, so it counts as working.
LIVE = frozenset({OrderStatus.SUBMITTING, OrderStatus.UNKNOWN, OrderStatus.OPEN, OrderStatus.SETTLING})
CLOSED = frozenset(OrderStatus) - LIVE
# Before the venue has said anything positive: here a refusal may still be the whole story.
UNPROVEN = frozenset({OrderStatus.SUBMITTING, OrderStatus.UNKNOWN})

# (from, to) -> what allows it. Nothing else may happen; docs/reference/orders.md is drawn from this table.
TRANSITIONS: dict[tuple[OrderStatus, OrderStatus], str] = {
    (
        OrderStatus.SUBMITTING,
        OrderStatus.OPEN,
    ): "the venue acknowledged it, or showed it in any read or report",
    (
        OrderStatus.SUBMITTING,
        OrderStatus.UNKNOWN,
    ): "no proof either way: silence, an unclear answer, or a restart",
    (OrderStatus.SUBMITTING, OrderStatus.REJECTED): "a definite refusal, or it was never sent",
    (OrderStatus.SUBMITTING, OrderStatus.SETTLING): "the venue says that it ended before our trades add up",
    (OrderStatus.SUBMITTING, OrderStatus.FILLED): "booked trades reach the qty",
    (OrderStatus.SUBMITTING, OrderStatus.CANCELED): "terminal at the venue and trades add up",
    (OrderStatus.SUBMITTING, OrderStatus.EXPIRED): "terminal at the venue and trades add up",
    (OrderStatus.UNKNOWN, OrderStatus.OPEN): "found at the venue",
    (
        OrderStatus.UNKNOWN,
        OrderStatus.REJECTED,
    ): "the lease ran out and spaced, independent reads prove that it never was",
    (OrderStatus.UNKNOWN, OrderStatus.SETTLING): "found ended at the venue; trades missing",
    (OrderStatus.UNKNOWN, OrderStatus.FILLED): "booked trades reach the qty",
    (OrderStatus.UNKNOWN, OrderStatus.CANCELED): "found ended; trades add up",
    (OrderStatus.UNKNOWN, OrderStatus.EXPIRED): "found ended; trades add up",
    (OrderStatus.OPEN, OrderStatus.UNKNOWN): "the venue no longer knows it; how it ended is not proven",
    (OrderStatus.OPEN, OrderStatus.SETTLING): "terminal at the venue; trades missing",
    (OrderStatus.OPEN, OrderStatus.FILLED): "booked trades reach the qty",
    (OrderStatus.OPEN, OrderStatus.CANCELED): "terminal at the venue and trades add up",
    (OrderStatus.OPEN, OrderStatus.EXPIRED): "terminal at the venue and trades add up",
    (OrderStatus.SETTLING, OrderStatus.FILLED): "trades add up, to the whole qty",
    (OrderStatus.SETTLING, OrderStatus.CANCELED): "trades add up to the venue's cumulative qty",
    (OrderStatus.SETTLING, OrderStatus.EXPIRED): "trades add up to the venue's cumulative qty",
    (OrderStatus.CANCELED, OrderStatus.OPEN): "given up without the venue's word, and the venue shows it after all",
    (OrderStatus.CANCELED, OrderStatus.FILLED): "a late trade: venues do not order their own messages",
    (OrderStatus.EXPIRED, OrderStatus.FILLED): "a late trade: venues do not order their own messages",
    (OrderStatus.REJECTED, OrderStatus.OPEN): "the venue contradicts its refusal; believed and alarmed",
    (OrderStatus.REJECTED, OrderStatus.SETTLING): "the venue contradicts its refusal; believed and alarmed",
    (OrderStatus.REJECTED, OrderStatus.FILLED): "a late trade contradicts the refusal; booked and alarmed",
}


class Fill(msgspec.Struct, frozen=True, omit_defaults=True):
    """One execution at a venue: the only thing that moves a position."""

    trade_id: TradeId
    account_id: AccountId
    instrument_id: InstrumentId
    side: Side
    qty: Decimal
    "> 0."
    price: Decimal
    "Quote per base unit."
    venue_ts_ns: int
    "The venue's time of the trade."
    order_id: ClientOrderId | None = None
    "Our id; None when the venue's record does not carry it, or the order is not ours."
    venue_order_id: VenueOrderId | None = None
    fee: Decimal | None = None
    "Paid, in `fee_currency`; negative is a rebate; None when the venue did not say yet, which is not zero."
    fee_currency: str = ""
    is_maker: bool = False
    venue_made: bool = False
    "The venue traded our position by itself: liquidation, auto-deleveraging, settlement."

    def net_qty(self, base: str) -> Decimal:
        """Return the signed change of position: the qty, less a fee that was taken in the base asset."""
        net = self.qty if self.side is Side.BUY else -self.qty
        if self.fee is not None and self.fee_currency == base:
            net -= self.fee
        return net


class Order(msgspec.Struct, frozen=True):
    """One order, as far as we know it. A new value for each change; `filled_qty` never goes back."""

    id: ClientOrderId
    leg_id: LegId
    instrument_id: InstrumentId
    side: Side
    qty: Decimal
    "Requested, > 0."
    type: OrderType
    role: Role
    submitted_ts_ns: int
    limit_price: Decimal | None = None
    "None for a market order."
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    reduce_only: bool = False
    slot: str = ""
    "Which resting order of the target this is; empty for an order that closes a shortfall."
    status: OrderStatus = OrderStatus.SUBMITTING
    filled_qty: Decimal = ZERO
    "Sum of booked fills; above `qty` only on an overfill, which is alarmed."
    venue_cum_qty: Decimal = ZERO
    "Largest cumulative filled qty that the venue has reported."
    venue_end: OrderStatus | None = None
    "How the venue says that it ended; None while it has not said so."
    venue_order_id: VenueOrderId | None = None
    closed_ts_ns: int = 0
    "When it closed, by our clock; 0 while it lives."
    cancel_ts_ns: int = 0
    "When a cancel last left; 0 when none did."
    cancels: int = 0
    "Cancels sent; each waits for an answer before the next."
    cancel_pending: bool = False
    "A cancel is out and unanswered."
    unclear_ts_ns: int = 0
    "Since when its status needs a proof; 0 while it is clear."
    ask_ts_ns: int = 0
    "When the venue is to be asked about it next; 0 while nothing is unclear."
    asks: int = 0
    "Questions since the status became unclear; spaces them further apart."
    not_found: int = 0
    "Spaced answers 'no such order' that count as evidence."
    not_open: int = 0
    "Reads of open orders without it that count as evidence."
    no_trades: int = 0
    "Reads of trades without it that count as evidence."

    @property
    def leaves_qty(self) -> Decimal:
        """What may still fill, >= 0; once the venue has ended it, only what it filled and we have not booked."""
        if self.status not in LIVE:
            return ZERO
        limit = self.qty if self.status is not OrderStatus.SETTLING else self.venue_cum_qty
        return limit - self.filled_qty if limit > self.filled_qty else ZERO

    @property
    def net_leaves(self) -> Decimal:
        """Signed `leaves_qty`."""
        return self.leaves_qty if self.side is Side.BUY else -self.leaves_qty

    def moved(self, status: OrderStatus) -> Order:
        """Return this order in `status`; TRANSITIONS alone says what is legal."""
        assert (self.status, status) in TRANSITIONS, (self.id, self.status, status)
        return msgspec.structs.replace(self, status=status)
