"""A broker account and the book that watches it, through the core's one door; reads are answered at once."""

from __future__ import annotations

from decimal import Decimal

from hedgerow.core.commands import CancelOrder, Command, Read, SubmitOrder, Turn
from hedgerow.core.config import BookConfig, LegConfig
from hedgerow.core.events import (
    BookStarted,
    Event,
    FillReceived,
    LegAdded,
    OpenOrdersRead,
    OrderAccepted,
    OrderReported,
    PositionRead,
    QuoteReceived,
    ReadFailed,
    ReadKind,
    TimeReached,
    TradesRead,
)
from hedgerow.core.step import empty_book, fold, next_due_ns, step
from hedgerow.core.target import Target
from hedgerow.model.ids import AccountId, BookId, InstrumentId, LegId, TradeId, VenueId
from hedgerow.model.instrument import Instrument, InstrumentKind
from hedgerow.model.market import Level, Quote
from hedgerow.model.order import Fill, OrderStatus
from hedgerow.model.session import Session, Sessions
from hedgerow.strategies import make

S = 1_000_000_000
H = 3_600 * S
# 2026-11-20 15:00 UTC, a Friday in the middle of New York's session.
NOON_NS = 1_795_186_800 * S
TODAY = Session("2026-11-20", NOON_NS - H // 2, NOON_NS + 6 * H)
MONDAY = Session("2026-11-23", TODAY.open_ns + 72 * H, TODAY.close_ns + 72 * H)
EXPIRES_TODAY, EXPIRES_LATER = "SPY261120C00600000", "SPY261218C00600000"
BROKER = VenueId("brk")


def stock(symbol: str = "SPY", **changes: object) -> Instrument:
    """Return a US stock in whole shares."""
    fields: dict[str, object] = {
        "id": InstrumentId(f"{BROKER}:{symbol}"),
        "venue_id": BROKER,
        "kind": InstrumentKind.STOCK,
        "base": symbol,
        "quote": "USD",
        "tick": Decimal("0.01"),
        "step": Decimal(1),
        "min_qty": Decimal(1),
        "can_reduce_only": False,
    }
    return Instrument(**(fields | changes))  # type: ignore[arg-type]


def option(symbol: str = EXPIRES_LATER) -> Instrument:
    """Return a US option on 100 shares."""
    return stock(symbol, kind=InstrumentKind.OPTION, multiplier=Decimal(100), can_reduce_only=True)


def leg(instrument: Instrument, account: str = "main", **changes: object) -> LegConfig:
    """Return an adopted leg, named after its symbol."""
    name = LegId(instrument.id.partition(":")[2].lower())
    fields: dict[str, object] = {"adopt": True, "lease_ms": 2_000, "visibility_ms": 2_000}
    return LegConfig(name, AccountId(f"{BROKER}/{account}"), instrument, **(fields | changes))  # type: ignore[arg-type]


class Broker:
    """One book over its legs, and what the broker knows of them."""

    def __init__(
        self,
        held: dict[Instrument | LegConfig, tuple[str, str]] | None = None,
        sessions: Sessions = (TODAY, MONDAY),
        **params: str,
    ) -> None:
        """Begin with these positions: instrument (or leg) -> (net qty, average price)."""
        found = {each if isinstance(each, LegConfig) else leg(each): what for each, what in (held or {}).items()}
        self.config = BookConfig(
            BookId("e1"), "e1", "exits", params, tuple(found), sessions={BROKER: sessions} if sessions else {}
        )
        self.held = {each.id: (Decimal(qty), Decimal(price)) for each, (qty, price) in found.items()}
        self.blind: list[LegId] = []
        self.fills: dict[LegId, list[Fill]] = {}
        self.turns: list[Turn] = []
        self.sent: list[SubmitOrder | CancelOrder] = []
        self.now_ns = NOON_NS
        self.book = empty_book(self.config, make(self.config))
        self.tell(BookStarted(self.now_ns, 1, self.config))

    def tell(self, event: Event) -> list[SubmitOrder | CancelOrder]:
        """Deliver one event and all that follows at once; return what left for the broker."""
        sent: list[SubmitOrder | CancelOrder] = []
        events = [event]
        while events:
            stepped = step(self.book, events.pop(0))
            self.turns += [stepped.turn] if stepped.turn is not None else []
            for command in stepped.commands:
                sent += [command] if isinstance(command, SubmitOrder | CancelOrder) else []
                events += self._answers(command)
            if not events and self.book.look_again:
                self.now_ns += 1
                events.append(TimeReached(self.now_ns))
        self.sent += sent
        return sent

    def _answers(self, command: Command) -> list[Event]:
        if not isinstance(command, Read):
            return []
        leg_id, now_ns = command.leg_id, self.now_ns
        if leg_id in self.blind:
            return [ReadFailed(now_ns, leg_id, command.kind, "500 Internal Server Error")]
        match command.kind:
            case ReadKind.POSITION:
                qty, price = self.held.get(leg_id, (Decimal(0), Decimal(1)))
                return [PositionRead(now_ns, leg_id, now_ns, qty, price if qty else None)]
            case ReadKind.TRADES:
                fills = self.fills.get(leg_id, [])
                return [TradesRead(now_ns, leg_id, now_ns, tuple(fills), str(len(fills)))]
            case ReadKind.OPEN_ORDERS:
                return [OpenOrdersRead(now_ns, leg_id, now_ns)]
            case _:
                return [ReadFailed(now_ns, leg_id, command.kind, "not asked for here")]

    def quote(self, symbol: str, bid: str, ask: str) -> list[SubmitOrder | CancelOrder]:
        """Show a quote; `-` is an empty side."""
        quote = Quote(InstrumentId(f"{BROKER}:{symbol}"), self.now_ns, _side(bid), _side(ask))
        return self.tell(QuoteReceived(self.now_ns, quote))

    def wait(self, span_ns: int) -> list[SubmitOrder | CancelOrder]:
        """Let time pass, with the timers of the book; return what left on the way."""
        end_ns = self.now_ns + span_ns
        sent: list[SubmitOrder | CancelOrder] = []
        while (due_ns := next_due_ns(self.book)) is not None and due_ns <= end_ns:
            self.now_ns = due_ns
            sent += self.tell(TimeReached(due_ns))
        self.now_ns = end_ns
        return sent

    def accept(self, order: SubmitOrder | CancelOrder) -> None:
        assert isinstance(order, SubmitOrder), order
        self.tell(OrderAccepted(self.now_ns, order.order_id))

    def fill(self, order: SubmitOrder | CancelOrder, price: str, qty: str | None = None) -> None:
        """Let an order trade, all of it or `qty`."""
        assert isinstance(order, SubmitOrder), order
        found = self.book.legs[order.leg_id]
        traded = order.qty if qty is None else Decimal(qty)
        before, cost = self.held[order.leg_id]
        self.held[order.leg_id] = (before + order.side.sign * traded, cost)
        fills = self.fills.setdefault(order.leg_id, [])
        fills.append(
            Fill(
                TradeId(f"t{len(fills) + 1}"),
                found.account_id,
                found.instrument.id,
                order.side,
                traded,
                Decimal(price),
                self.now_ns,
                order.order_id,
                fee=Decimal(0),
            )
        )
        self.tell(FillReceived(self.now_ns, fills[-1]))

    def end(self, order: SubmitOrder | CancelOrder, cum: str = "0") -> list[SubmitOrder | CancelOrder]:
        """Let an order be canceled at the broker."""
        return self.tell(OrderReported(self.now_ns, order.order_id, OrderStatus.CANCELED, Decimal(cum)))

    def trade_by_hand(self, symbol: str, net_qty: str, price: str) -> None:
        """Let somebody else trade on the account."""
        leg_id = LegId(symbol.lower())
        before, cost = self.held.get(leg_id, (Decimal(0), Decimal(0)))
        after = before + Decimal(net_qty)
        if abs(after) > abs(before):
            cost = (before * cost + Decimal(net_qty) * Decimal(price)) / after
        self.held[leg_id] = (after, cost)

    def add(self, found: LegConfig, qty: str, price: str) -> None:
        """Let a position be found in the account."""
        self.held[found.id] = (Decimal(qty), Decimal(price))
        self.tell(LegAdded(self.now_ns, found))

    def restart(self, config: BookConfig | None = None) -> None:
        """Start again from the turns, perhaps under another config."""
        self.config = config or self.config
        self.book = empty_book(self.config, make(self.config))
        for turn in self.turns:
            fold(self.book, turn)
        self.tell(BookStarted(self.now_ns, self.book.state.epoch + 1, self.config))

    def target(self) -> Target:
        return self.book.strategy.target(self.book)

    def net_qty(self, symbol: str) -> Decimal:
        return self.book.net_qty(LegId(symbol.lower()))


def _side(price: str) -> tuple[Level, ...]:
    return () if price == "-" else ((Decimal(price), Decimal(100)),)


def told(sent: list[SubmitOrder | CancelOrder]) -> list[str]:
    """Return what left in words: `sell 10 exit/stop_loss`, `cancel`."""
    return [
        f"{order.side.value} {order.qty} {order.slot}" if isinstance(order, SubmitOrder) else "cancel" for order in sent
    ]
