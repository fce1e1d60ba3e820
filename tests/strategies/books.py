"""Books as a policy finds them: positions, quotes, orders and refusals set by hand, no core between."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from hedgerow.core.book import Book, BookState, Refusal, Signal
from hedgerow.core.config import BookConfig, HedgeRule, LegConfig
from hedgerow.core.events import RejectClass
from hedgerow.core.ledger import Ledger
from hedgerow.core.target import Resting, Target
from hedgerow.model.ids import AccountId, BookId, ClientOrderId, InstrumentId, LegId, VenueId
from hedgerow.model.instrument import Instrument, InstrumentKind
from hedgerow.model.market import FundingRate, Level, Quote
from hedgerow.model.order import Order, OrderStatus, OrderType, Role, Side, TimeInForce
from hedgerow.model.position import Position
from hedgerow.strategies import make

NOW_NS = 1_700_000_000_000_000_000
S = 1_000_000_000


def instrument(name: str, kind: InstrumentKind = InstrumentKind.PERP, **changes: object) -> Instrument:
    """Return an instrument with tick 0.1 and step 0.001, changed as asked."""
    fields: dict[str, object] = {
        "id": InstrumentId(f"sim:{name.upper()}"),
        "venue_id": VenueId("sim"),
        "kind": kind,
        "base": "BTC",
        "quote": "USDT",
        "tick": Decimal("0.1"),
        "step": Decimal("0.001"),
        "min_qty": Decimal("0.001"),
        "min_notional": Decimal(5),
        "can_reduce_only": kind is InstrumentKind.PERP,
    }
    return Instrument(**(fields | changes))  # type: ignore[arg-type]


def levels(*prices: str) -> tuple[Level, ...]:
    return tuple((Decimal(price), Decimal(1)) for price in prices)


class Desk:
    """One book of two legs, level, quoted and reconciled until told otherwise."""

    def __init__(
        self, policy: str, legs: tuple[Instrument, Instrument], names: tuple[str, str], params: dict[str, str]
    ) -> None:
        self.lead, self.hedge = LegId(names[0]), LegId(names[1])
        self.config = BookConfig(
            BookId("b1"),
            "b1",
            policy,
            params,
            tuple(
                LegConfig(leg_id, AccountId(f"sim/{leg_id}"), each)
                for leg_id, each in zip((self.lead, self.hedge), legs, strict=True)
            ),
            HedgeRule(self.lead, self.hedge, Decimal(-1)),
        )
        strategy = make(self.config)
        ledgers = {leg_id: Ledger(leg_id, foreign_net_qty=Decimal(0)) for leg_id in (self.lead, self.hedge)}
        self.book = Book(BookState(self.config, epoch=1, ledgers=ledgers, last_ts_ns=NOW_NS), strategy)
        self.book.heard_ts_ns = {self.lead: NOW_NS, self.hedge: NOW_NS}
        self._orders = 0
        for leg_id in (self.lead, self.hedge):
            self.quote(leg_id, ("100", "99.9", "99.8"), ("100.2", "100.3", "100.4"))

    def quote(self, leg_id: LegId, bids: tuple[str, ...], asks: tuple[str, ...]) -> None:
        instrument_id = self.config.leg(leg_id).instrument.id
        self.book.quotes[instrument_id] = Quote(instrument_id, self.book.now_ns, levels(*bids), levels(*asks))

    def unquote(self, leg_id: LegId) -> None:
        del self.book.quotes[self.config.leg(leg_id).instrument.id]

    def hold_position(self, leg_id: LegId, net_qty: str, price: str = "100") -> None:
        """Make the leg hold this much, and let the residual begin or end as the core does."""
        qty = Decimal(net_qty)
        ledger = self.book.ledger(leg_id)
        ledger.position = Position(qty, qty * Decimal(price))
        ledger.last_price = Decimal(price)
        ledger.booked_ts_ns = self.book.now_ns
        state = self.book.state
        state.residual_since_ns = 0 if self.book.is_hedged else state.residual_since_ns or self.book.now_ns
        state.exposed_since_ns = state.residual_since_ns

    def stand(self, leg_id: LegId, slot: str, side: Side, qty: str, price: str | None, *, filled: str = "0") -> Order:
        """Put a live order at the venue."""
        self._orders += 1
        order = Order(
            ClientOrderId(f"hr-b1-1-{self._orders}"),
            leg_id,
            self.config.leg(leg_id).instrument.id,
            side,
            Decimal(qty),
            OrderType.LIMIT,
            Role.ENTRY,
            self.book.now_ns,
            Decimal(price) if price is not None else None,
            TimeInForce.GTC,
            slot=slot,
            status=OrderStatus.OPEN,
            filled_qty=Decimal(filled),
        )
        self.book.state.orders[order.id] = order
        self.book.index_order(order)
        return order

    def gone(self, order: Order) -> None:
        """Take an order from the venue."""
        del self.book.state.orders[order.id]
        self.book.index_order(replace(order, status=OrderStatus.CANCELED))

    def refused(self, leg_id: LegId, tries: int, reject_class: RejectClass = RejectClass.POST_ONLY) -> None:
        now_ns = self.book.now_ns
        self.book.state.refusals[f"{leg_id}/"] = Refusal(
            Side.SELL, reject_class, "-5022", "would take", tries, now_ns, now_ns
        )

    def signal(self, made_ts_ns: int) -> None:
        self.book.state.signal = Signal(made_ts_ns, "")

    def fund(self, rate: str, interval_s: int = 28_800) -> None:
        instrument_id = self.config.leg(self.hedge).instrument.id
        now_ns = self.book.now_ns
        self.book.funding_rates[instrument_id] = FundingRate(instrument_id, now_ns, Decimal(rate), interval_s, now_ns)

    def wait(self, seconds: str) -> None:
        """Let time pass; both venues stay alive."""
        self.book.now_ns += int(Decimal(seconds) * S)
        for leg_id in (self.lead, self.hedge):
            self.book.heard_ts_ns[leg_id] = self.book.now_ns

    def target(self) -> Target:
        """Ask the policy, and keep its memory as the core does."""
        target = self.book.strategy.target(self.book)
        self.book.state.memory = target.memory
        return target


def resting(target: Target, slot: str) -> Resting | None:
    """Return what the target wants to rest in a slot."""
    return next((want for want in target.resting if want.slot == slot), None)


def told(target: Target) -> dict[str, str]:
    """Return the policy's holds: `LEG/SLOT` -> reason."""
    return {hold.key: hold.reason.value for hold in target.holds}
