"""A book: one hedge being kept. What is durable of it, what is only seen, and the questions that may be asked of both.

Rule: nothing outside `core.step` writes here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from decimal import Decimal

import msgspec

from hedgerow.core.commands import Mode
from hedgerow.core.config import NS_PER_S, BookConfig, LegConfig
from hedgerow.core.drift import Witness
from hedgerow.core.events import BalancesRead, Event, PortfolioSeen, PositionRead, ReadKind, RejectClass
from hedgerow.core.holds import Alarm, Hold, HoldReason
from hedgerow.core.ledger import Ledger
from hedgerow.core.orders import proof_window_ns
from hedgerow.core.target import Strategy, Target
from hedgerow.model.ids import AccountId, ClientOrderId, InstrumentId, LegId, TradeId, VenueOrderId, decode_order_id
from hedgerow.model.market import BorrowRate, FundingRate, Quote
from hedgerow.model.numbers import ZERO
from hedgerow.model.order import LIVE, Fill, Order, OrderStatus, Side

# Closed orders kept in memory for late messages; older ones are looked up in the journal.
CLOSED_ORDERS_MAX = 256

NOTHING_STANDS: dict[ClientOrderId, Order] = {}


class Booked(msgspec.Struct, frozen=True):
    """What is remembered of a booked fill, to know it again."""

    qty: Decimal
    fee_known: bool = True


class Refusal(msgspec.Struct, frozen=True):
    """The latest refusals of one slot (or shortfall) in a row; ended by a fill or by an order that rested."""

    side: Side
    "Of the refused orders: the other side was not refused."
    reject_class: RejectClass
    code: str
    text: str
    tries: int
    since_ts_ns: int
    "When the first refusal of the row came."
    retry_ts_ns: int
    "Not asked for again before."


class Signal(msgspec.Struct, frozen=True):
    """The last signal that an operator or a file gave to the policy."""

    made_ts_ns: int
    detail: str


class BookState(msgspec.Struct):
    """The durable part: a pure fold of the journal's turns, and what a snapshot holds."""

    config: BookConfig
    epoch: int
    runs: int = 0
    "How often it was started."
    first_epoch: int = 0
    "The epoch in which the journal began; ids of earlier ones are another journal's. 0 before the first start."
    order_seq: int = 0
    "Orders submitted in this epoch."
    started_ts_ns: int = 0
    "When this epoch began."
    mode: Mode = Mode.RUNNING
    mode_reason: str = ""
    mode_ts_ns: int = 0
    "When the mode last changed."
    ledgers: dict[LegId, Ledger] = {}
    orders: dict[ClientOrderId, Order] = {}
    "Every live order, and the latest closed ones."
    closed: list[ClientOrderId] = []
    "Closed orders still in `orders`, oldest first."
    trades: dict[ClientOrderId, dict[TradeId, Booked]] = {}
    "Fills booked per order that is still in `orders`."
    parked: list[Fill] = []
    "Fills that cannot be assigned yet: never dropped."
    refusals: dict[str, Refusal] = {}
    "`LEG/SLOT` -> its refusals in a row."
    holds: dict[str, Hold] = {}
    alarms: dict[str, Alarm] = {}
    links_down: dict[LegId, str] = {}
    memory: str = ""
    signal: Signal | None = None
    unlisted: dict[AccountId, str] = {}
    "Accounts whose holdings could not be listed at the last try, and why."
    request_ids: list[str] = []
    "`ID ACTION` of the latest operator requests, oldest first."
    residual_since_ns: int = 0
    "Since when the residual is above the smallest order; 0 while hedged."
    exposed_since_ns: int = 0
    "The same, or when this run began if that was later: what nobody watched is not held against the hedge."
    doubt_ns: int = 0
    "For how long of that an order without a proof might have taken all of the residual; at most a proof window."
    last_ts_ns: int = 0
    "Time of the latest durable event: logical time never goes back."


class Book:
    """One book in memory: its durable state, and what was only seen (prices, signs of life, reads under way)."""

    def __init__(self, state: BookState, strategy: Strategy) -> None:
        self.state = state
        self.config = state.config
        self.strategy = strategy
        self.now_ns = state.last_ts_ns
        self.quotes: dict[InstrumentId, Quote] = {}
        self.unjournaled: dict[InstrumentId, Quote] = {}
        self.funding_rates: dict[InstrumentId, FundingRate] = {}
        self.borrow_rates: dict[tuple[LegId, str], BorrowRate] = {}
        "(leg, currency) -> what its account pays for a loan."
        self.balances_read: dict[LegId, BalancesRead] = {}
        "What the account of each leg owns and owes; a leg that is not in here, or a currency, is unknown."
        self.portfolio: PortfolioSeen | None = None
        "What the node's other books have; None before it was told."
        self.unjournaled_portfolio: PortfolioSeen | None = None
        self.heard_ts_ns: dict[LegId, int] = {}
        self.reads: dict[tuple[LegId, ReadKind], int] = {}
        "Read -> when it was last asked."
        self.pending_reads: dict[tuple[LegId, ReadKind], int] = {}
        "Read -> when the question left that has no answer yet."
        self.failed_reads: set[tuple[LegId, ReadKind]] = set()
        "Reads whose latest question got no usable answer. Looked up, never iterated."
        self.answers: dict[tuple[LegId, ReadKind], int] = {}
        "Read -> when the question of its last usable answer left. Emptied by a start and by a reconnect."
        self.wanted_reads: dict[tuple[LegId, ReadKind], int] = {}
        "Read -> not before when it is to be asked, because something needs it."
        self.unreconciled: dict[LegId, None] = {}
        "Legs whose orders, trades and position were not all read since the start or the last reconnect."
        self.reads_due_ns = 0
        "When the next read is due at the earliest; 0 after any change of the above."
        self.linked_ts_ns: dict[LegId, int] = {}
        "When the engine started or the link came back: older questions do not reconcile."
        self.unassigned = False
        "The accounts' holdings are not yet told apart into the book's and the foreign."
        self.positions_read: dict[LegId, PositionRead] = {}
        self.witnesses: dict[LegId, Witness] = {}
        "What position reads and trades say together of legs that never rest."
        self.raised: list[Alarm] = []
        "Alarms that the event at hand gave rise to; the decision puts them into its turn."
        self.named_ts_ns: dict[VenueOrderId, int] = {}
        "Venue order id of a nameless trade -> when the venue was last asked whose it is."
        self.look_ups: list[Fill] = []
        "Parked fills of forgotten orders, to be looked up in the journal."
        self.given_up: dict[LegId, Decimal] = {}
        "What other hands took of a position, signed, and the operator accepts at this event."
        self.parked_now: list[Fill] = []
        "Fills that the event at hand parked."
        self.booked_now: list[Fill] = []
        "Parked fills that the event at hand booked."
        self.parked_keys: set[tuple[InstrumentId, TradeId, ClientOrderId | None, VenueOrderId | None]] = set()
        "Of all parked fills. Looked up, never iterated."
        self.journal_failed = False
        self.unpinned: dict[LegId, None] = {}
        "Legs with a leverage of their own of which the venue shows another one, or nothing yet."
        self.leverage_asked: dict[LegId, int] = {}
        "When the venue was asked to set a leg's leverage. Emptied by a start and by a resume."
        self.entry_ts_ns: list[int] = []
        "When entries left within the last second."
        self.target = Target()
        self.cancels_wait = False
        "The last plan wanted a cancel that could not leave yet."
        self.is_insane = False
        "The event at hand has numbers that cannot be, and was not taken."
        self.kept: Event | None = None
        "The event at hand as the journal keeps it: a read of trades without what was known before."
        self.moved = False
        "A position, or a rule by which it is judged, changed: whether the book is hedged is to be told anew."
        self.look_again = False
        "Something changed what a plan would see since the last one."
        self.idle_until_ns = 0
        "Until then, a quote inside the target's wake prices leads to nothing; 0: each may lead to something."
        self.idle_due_ns = 0
        "While idle: when something is due in any case, however young the quotes are."
        self.in_doubt = False
        "At the end of the last turn, an order without a proof might have taken all of the residual."
        self.legs: dict[LegId, LegConfig] = {}
        self.live: dict[LegId, dict[ClientOrderId, Order]] = {}
        self.slots: dict[tuple[LegId, str], dict[ClientOrderId, Order]] = {}
        "Slot -> the live orders that stand in it, oldest first."
        self.unclear: dict[ClientOrderId, None] = {}
        "Live orders with something outstanding: unacknowledged, or to be asked about."
        self.asked: dict[ClientOrderId, None] = {}
        "Live orders that need a proof, or that the venue is asked about."
        self.venue_order_ids: dict[tuple[LegId, VenueOrderId], ClientOrderId] = {}
        "Two venues may use the same number: only with its leg does it name an order."
        self._leg_ids: dict[tuple[AccountId, InstrumentId], LegId] = {}
        self.index()
        self.in_doubt = self.may_be_hedged()

    def index(self) -> None:
        """Build again what is derived from the durable state."""
        self.config = self.state.config
        self.legs = {leg.id: leg for leg in self.state.config.legs}
        rule = self.config.hedge
        self._same_multiplier = (
            rule is None or self.legs[rule.lead].instrument.multiplier == self.legs[rule.hedge].instrument.multiplier
        )
        self.unassigned = any(ledger.foreign_net_qty is None for ledger in self.state.ledgers.values())
        self._leg_ids = {(leg.account_id, leg.instrument.id): leg.id for leg in self.state.config.legs}
        self.live = {leg_id: {} for leg_id in self.legs}
        self.slots = {}
        self.unclear = {}
        self.asked = {}
        self.venue_order_ids = {}
        self.parked_keys = {parked_key(fill) for fill in self.state.parked}
        for order in self.state.orders.values():
            self.index_order(order)

    def index_order(self, order: Order) -> None:
        """Keep the derived look-ups in step with one order."""
        if order.venue_order_id is not None:
            self.venue_order_ids[(order.leg_id, order.venue_order_id)] = order.id
        if order.slot:
            self._index_slot(order)
        if order.status not in LIVE:
            self.live[order.leg_id].pop(order.id, None)
            self.unclear.pop(order.id, None)
            self.asked.pop(order.id, None)
            return
        self.live[order.leg_id][order.id] = order
        if order.ask_ts_ns or order.unclear_ts_ns:
            self.asked[order.id] = self.unclear[order.id] = None
        else:
            self.asked.pop(order.id, None)
            if order.status is OrderStatus.SUBMITTING:
                self.unclear[order.id] = None
            else:
                self.unclear.pop(order.id, None)

    def _index_slot(self, order: Order) -> None:
        key = (order.leg_id, order.slot)
        if order.status in LIVE:
            self.slots.setdefault(key, {})[order.id] = order
        elif (standing := self.slots.get(key)) is not None:
            standing.pop(order.id, None)
            if not standing:
                del self.slots[key]

    @property
    def mode(self) -> Mode:
        return self.state.mode

    def leg_of(self, account_id: AccountId, instrument_id: InstrumentId) -> LegId | None:
        """Return the leg that trades this instrument in this account, or None."""
        return self._leg_ids.get((account_id, instrument_id))

    def ledger(self, leg_id: LegId) -> Ledger:
        return self.state.ledgers[leg_id]

    def net_qty(self, leg_id: LegId) -> Decimal:
        """Return what the leg holds by fills and adoptions: + long, - short."""
        return self.state.ledgers[leg_id].position.net_qty

    def witness(self, leg_id: LegId) -> Witness:
        """Return what speaks for and against drift of a leg."""
        found = self.witnesses.get(leg_id)
        if found is None:
            # A leg that never traded has no changes that could be unknown.
            found = self.witnesses[leg_id] = Witness(self.now_ns if self.ledger(leg_id).fills else 0)
        return found

    def quote(self, leg_id: LegId) -> Quote | None:
        """Return the leg's latest quote, fresh or not; None before the first."""
        return self.quotes.get(self.legs[leg_id].instrument.id)

    def mark(self, leg_id: LegId) -> Decimal | None:
        """Return the middle of the leg's latest quote, else its only side; None without any price."""
        quote = self.quote(leg_id)
        if quote is None:
            return None
        return quote.mark or quote.bid or quote.ask

    def is_fresh(self, leg_id: LegId) -> bool:
        """Return whether the leg's latest quote is younger than `limits.stale_ms`."""
        quote = self.quote(leg_id)
        return quote is not None and self.now_ns - quote.ts_ns <= self.config.limits.stale_ms * 1_000_000

    def is_shown(self, leg_id: LegId) -> bool:
        """Return whether the venue shows what our fills add up to, asked after the last of them."""
        ledger = self.state.ledgers[leg_id]
        if self.answers.get((leg_id, ReadKind.POSITION), -1) <= ledger.booked_ts_ns:
            return False
        beyond = self.positions_read[leg_id].share_net_qty - ledger.position.net_qty - (ledger.foreign_net_qty or ZERO)
        return abs(beyond) < self.legs[leg_id].instrument.step

    def silent_ns(self, leg_id: LegId) -> int:
        """Return for how long nothing private was heard from the leg's venue."""
        return self.now_ns - self.heard_ts_ns.get(leg_id, 0)

    def funding_rate(self, leg_id: LegId) -> FundingRate | None:
        return self.funding_rates.get(self.legs[leg_id].instrument.id)

    def borrow_rate(self, leg_id: LegId, currency: str) -> BorrowRate | None:
        """Return what the leg's account pays for a loan of a currency; None while that is unknown."""
        return self.borrow_rates.get((leg_id, currency))

    def working(self, leg_id: LegId) -> Iterable[Order]:
        """Return the leg's live orders, oldest first, unknown ones included."""
        return self.live[leg_id].values()

    def working_qty(self, leg_id: LegId, side: Side) -> Decimal:
        """Return what the leg's live orders of one side may still fill, >= 0."""
        total = ZERO
        for order in self.live[leg_id].values():
            if order.side is side:
                total += order.leaves_qty
        return total

    def in_slot(self, leg_id: LegId, slot: str) -> Order | None:
        """Return the live order that stands in a slot, or None."""
        return next(iter(self.standing(leg_id, slot)), None)

    def standing(self, leg_id: LegId, slot: str) -> Iterable[Order]:
        """Return all live orders that stand in a slot, oldest first; more than one only by a venue's contradiction."""
        return self.slots.get((leg_id, slot), NOTHING_STANDS).values()

    def refusal(self, leg_id: LegId, slot: str = "") -> Refusal | None:
        """Return the refusals in a row of a slot, or of the leg's shortfall; None when there are none."""
        refusals = self.state.refusals
        return refusals.get(f"{leg_id}/{slot}") if refusals else None

    def hedge_target(self) -> Decimal:
        """Return the net qty that the hedge leg should have, in its qty units. Only for books with a hedge leg."""
        rule = self.config.hedge
        assert rule is not None, self.config.book_id
        exposure = rule.ratio * self.state.ledgers[rule.lead].position.net_qty
        if self._same_multiplier:
            return exposure
        lead, hedge = self.legs[rule.lead].instrument, self.legs[rule.hedge].instrument
        return exposure * lead.multiplier / hedge.multiplier

    @property
    def residual(self) -> Decimal:
        """What is held and not offset, hedge leg's qty units, signed. Zero is hedged; zero without a hedge leg."""
        rule = self.config.hedge
        return ZERO if rule is None else self.net_qty(rule.hedge) - self.hedge_target()

    @property
    def is_hedged(self) -> bool:
        """Whether no legal order of the hedge leg could shrink the residual, at the last price that the book traded."""
        rule = self.config.hedge
        if rule is None:
            return True
        residual = self.residual
        if residual == 0:
            return True
        price = self.state.ledgers[rule.hedge].last_price or self.state.ledgers[rule.lead].last_price
        return not self.legs[rule.hedge].instrument.is_orderable(abs(residual), price)

    @property
    def is_level(self) -> bool:
        """Whether it is hedged, or the market now makes what is owed too small for any order of the hedge leg."""
        if self.is_hedged:
            return True
        assert self.config.hedge is not None, self.config.book_id
        hedge = self.config.hedge.hedge
        mark = self.mark(hedge)
        return mark is not None and not self.legs[hedge].instrument.is_orderable(abs(self.residual), mark)

    def residual_age_ns(self) -> int:
        """Return for how long the residual has been above the smallest order; 0 while hedged."""
        return self.now_ns - self.state.residual_since_ns if self.state.residual_since_ns else 0

    def may_be_hedged(self) -> bool:
        """Return whether an order of the hedge leg that needs a proof might have taken all of the residual."""
        rule = self.config.hedge
        if rule is None or not self.state.residual_since_ns or not self.asked:
            return False
        residual = self.residual
        side = Side.SELL if residual > 0 else Side.BUY
        if not any(order.side is side and order.id in self.asked for order in self.working(rule.hedge)):
            return False
        left = abs(residual) - self.working_qty(rule.hedge, side)
        price = self.state.ledgers[rule.hedge].last_price or self.state.ledgers[rule.lead].last_price
        return left <= 0 or not self.legs[rule.hedge].instrument.is_orderable(left, price)

    def open_since_ns(self) -> int:
        """Return since when a residual counts as open, for a clock that closes both legs; now when it is new.

        The clock stands still while an order without a proof might have taken all of it, but never for longer than
        such a proof takes, so that a venue that answers nothing is not waited for. It begins anew when what was too
        small to be ordered can be ordered.
        """
        state = self.state
        doubt_ns = state.doubt_ns + (self.now_ns - state.last_ts_ns if self.in_doubt else 0)
        since_ns = self.now_ns if self.is_too_small() else state.exposed_since_ns or self.now_ns
        return since_ns + self.bounded_doubt_ns(doubt_ns)

    def is_too_small(self) -> bool:
        """Return whether what is owed was last found too small for the hedge leg's venue, which refused nothing."""
        rule = self.config.hedge
        assert rule is not None, self.config.book_id
        hold = self.state.holds.get(f"{rule.hedge}/")
        if hold is None or hold.reason is not HoldReason.BELOW_MINIMUM or self.live[rule.hedge]:
            return False
        return self.refusal(rule.hedge) is None

    def bounded_doubt_ns(self, doubt_ns: int) -> int:
        """Return the doubt, at most as long as the hedge leg's venue can take to prove an order."""
        rule = self.config.hedge
        assert rule is not None, self.config.book_id
        return min(doubt_ns, proof_window_ns(self.legs[rule.hedge], self.config.timing))

    def digest(self) -> str:
        """Return a SHA-256 of the durable state: one number that compares two copies.

        Without the config, which says the same in several ways: a number left out, or written as its default.
        """
        fields = {name: getattr(self.state, name) for name in BookState.__struct_fields__ if name != "config"}
        return hashlib.sha256(msgspec.json.encode(fields)).hexdigest()


def is_ours(book: Book, order_id: ClientOrderId) -> bool:
    """Return whether the id says that this book sent the order, in whatever run."""
    key = decode_order_id(order_id)
    return key is not None and key.book_tag == book.config.tag


def is_used(book: Book, leg: LegConfig) -> bool:
    """Return whether a leg has a position of the book, or orders or fills that something may still be told of."""
    state = book.state
    ledger = state.ledgers.get(leg.id)
    if ledger is not None and ledger.position.net_qty != 0:
        return True
    key = (leg.account_id, leg.instrument.id)
    parked = any((fill.account_id, fill.instrument_id) == key for fill in state.parked)
    return parked or any(order.leg_id == leg.id for order in state.orders.values())


def was_issued(book: Book, order_id: ClientOrderId) -> bool:
    """Return whether the journal can hold this id of ours: of an epoch since it began, up to the latest sequence."""
    key = decode_order_id(order_id)
    assert key is not None, order_id
    if key.epoch == book.state.epoch:
        return key.order_seq <= book.state.order_seq
    return book.state.first_epoch <= key.epoch < book.state.epoch


def parked_key(fill: Fill) -> tuple[InstrumentId, TradeId, ClientOrderId | None, VenueOrderId | None]:
    """Return what tells one parked fill from another."""
    return fill.instrument_id, fill.trade_id, fill.order_id, fill.venue_order_id


def age_s(age_ns: int) -> str:
    """Return a duration as text in seconds with milliseconds, e.g. `1.830`."""
    return f"{age_ns // NS_PER_S}.{age_ns % NS_PER_S // 1_000_000:03d}"
