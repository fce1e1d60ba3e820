"""What a turn decided. Requests go to gateways once the turn is durable; notes only change the book and the views."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hedgerow.core.events import Event, PortfolioSeen, ReadKind
from hedgerow.core.holds import Alarm, Hold
from hedgerow.model.ids import BookId, ClientOrderId, InstrumentId, LegId, VenueOrderId
from hedgerow.model.market import Quote
from hedgerow.model.order import Fill, OrderType, Role, Side, TimeInForce
from hedgerow.model.words import Word


class _Command(msgspec.Struct, frozen=True, tag=True, tag_field="what", omit_defaults=True):
    """What every command has: a tag in the journal. The one level of inheritance, as in events."""


class Mode(Word):
    RUNNING = "running"
    FROZEN = "frozen"
    FLATTENING = "flattening"
    HALTED = "halted"


class SubmitOrder(_Command, frozen=True):
    """Ask the venue for an order. In the journal before it leaves; the id is used once."""

    order_id: ClientOrderId
    leg_id: LegId
    instrument_id: InstrumentId
    side: Side
    qty: Decimal
    "> 0, on the step."
    type: OrderType
    role: Role
    limit_price: Decimal | None = None
    "None for a market order."
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    reduce_only: bool = False
    slot: str = ""


class CancelOrder(_Command, frozen=True):
    """Ask the venue to end an order. Repeating it is harmless; it is spaced all the same."""

    order_id: ClientOrderId
    leg_id: LegId
    reason: str = ""
    "Why, in a word: `replace`, `unwanted`, `overshoot`, `frozen`, `halted`, `timeout`."


class CancelOrphan(_Command, frozen=True):
    """Ask the venue to end an order that bears our id but is in no journal of ours."""

    leg_id: LegId
    venue_order_id: VenueOrderId
    order_id: ClientOrderId


class QueryOrder(_Command, frozen=True):
    """Ask the venue what became of an order, by client id; or whose an order is, by the venue's id."""

    order_id: ClientOrderId
    "Empty when asked by the venue's id."
    leg_id: LegId
    venue_order_id: VenueOrderId | None = None
    "Set to learn whose the order of a nameless trade is; the answer, a report, carries its client id."


class Read(_Command, frozen=True):
    """Ask the venue for open orders, trades since the cursor, the position of a leg, or its account's balances."""

    leg_id: LegId
    kind: ReadKind
    cursor: str = ""
    "With TRADES: where to start."


class SetLeverage(_Command, frozen=True):
    """Ask the venue to trade a leg's instrument with this leverage. Repeating it is harmless."""

    leg_id: LegId
    leverage: Decimal


class LookUpFill(_Command, frozen=True):
    """Ask the journal whether this fill of a forgotten order was booked before."""

    fill: Fill


class FillParked(_Command, frozen=True):
    """This fill of the event was not booked in this turn: whose it is must be found out first."""

    fill: Fill


class FillBooked(_Command, frozen=True):
    """A fill that was parked is booked in this turn."""

    fill: Fill


class OrderGivenUp(_Command, frozen=True):
    """An unknown order is proven never taken; the proof is the counts."""

    order_id: ClientOrderId
    not_found: int
    not_open: int
    no_trades: int


class HoldStarted(_Command, frozen=True):
    hold: Hold


class HoldChanged(_Command, frozen=True):
    hold: Hold


class HoldEnded(_Command, frozen=True):
    key: str


class AlarmRaised(_Command, frozen=True):
    alarm: Alarm


class AlarmCleared(_Command, frozen=True):
    key: str


class ModeChanged(_Command, frozen=True):
    mode: Mode
    reason: str


class PolicyNoted(_Command, frozen=True):
    """The policy's own memory, as text only it reads."""

    memory: str
    note: str = ""
    "The same for people; empty when there is nothing to tell."


class PositionAdopted(_Command, frozen=True):
    """The book takes over what the account held, because its config says so, or lets go of what others took of it."""

    leg_id: LegId
    net_qty: Decimal
    "Of the change, signed."
    price: Decimal
    "The venue's average price, or the mark where it has none."


class ForeignNoted(_Command, frozen=True):
    """What the account holds beyond our fills; shown, never traded."""

    leg_id: LegId
    net_qty: Decimal


class DriftNoted(_Command, frozen=True):
    """The venue's position less ours less what is known to be foreign; zero ends the drift."""

    leg_id: LegId
    net_qty: Decimal


Command = (
    SubmitOrder
    | CancelOrder
    | CancelOrphan
    | QueryOrder
    | Read
    | SetLeverage
    | LookUpFill
    | FillParked
    | FillBooked
    | OrderGivenUp
    | HoldStarted
    | HoldChanged
    | HoldEnded
    | AlarmRaised
    | AlarmCleared
    | ModeChanged
    | PolicyNoted
    | PositionAdopted
    | ForeignNoted
    | DriftNoted
)

# What leaves for a gateway, in this order of urgency within a turn; everything else is a note.
REQUESTS = (CancelOrder, CancelOrphan, SubmitOrder, QueryOrder, SetLeverage, Read)


class Turn(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event and all that it led to: the unit of the journal."""

    book_id: BookId
    ts_ns: int
    "The book's time of the turn. Never goes back, even where the event's own time does."
    event: Event
    commands: tuple[Command, ...] = ()
    quotes: tuple[Quote, ...] = ()
    "Quotes that the decision looked at and that no earlier turn holds, so that it can be decided again."
    portfolio: PortfolioSeen | None = None
    "What was seen of the other books, where no earlier turn holds it; for the same reason."
