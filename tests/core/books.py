"""A small book and its venue's side, for the core's tests: facts are told by hand, no exchange is needed."""

from __future__ import annotations

from decimal import Decimal

from hedgerow.core.book import Book
from hedgerow.core.commands import CancelOrder, Command, SubmitOrder, Turn
from hedgerow.core.config import BookConfig, HedgeRule, LegConfig, Limits, Timing
from hedgerow.core.events import (
    BookStarted,
    Event,
    FillReceived,
    OpenOrdersRead,
    OrderAccepted,
    PositionRead,
    QuoteReceived,
    TimeReached,
    TradesRead,
)
from hedgerow.core.step import empty_book, fold, next_due_ns, step
from hedgerow.core.target import NetTarget, Resting, Taking, Target
from hedgerow.model.ids import AccountId, BookId, ClientOrderId, InstrumentId, LegId, TradeId, VenueId, VenueOrderId
from hedgerow.model.instrument import Instrument, InstrumentKind
from hedgerow.model.market import Quote
from hedgerow.model.order import Fill, Order, Role, Side

LEAD, HEDGE = LegId("lead"), LegId("hedge")
NO_LIMITS, USUAL_TIMING = Limits(), Timing()
START_NS = 1_700_000_000_000_000_000
MS = 1_000_000
S = 1_000_000_000


def instrument(leg_id: str, **changes: object) -> Instrument:
    """Return a linear perp with step 0.001 and minimum notional 5, changed as asked."""
    fields: dict[str, object] = {
        "id": InstrumentId(f"sim:{leg_id.upper()}"),
        "venue_id": VenueId("sim"),
        "kind": InstrumentKind.PERP,
        "base": "BTC",
        "quote": "USD",
        "tick": Decimal("0.1"),
        "step": Decimal("0.001"),
        "min_qty": Decimal("0.001"),
        "min_notional": Decimal(5),
    }
    return Instrument(**(fields | changes))  # type: ignore[arg-type]


def config(*, limits: Limits = NO_LIMITS, timing: Timing = USUAL_TIMING, **changes: Instrument) -> BookConfig:
    """Return a mirror-like book of two legs, ratio -1; `lead=` and `hedge=` replace an instrument."""
    legs = tuple(
        LegConfig(leg_id, AccountId(f"sim/{leg_id}"), changes.get(leg_id, instrument(leg_id)))
        for leg_id in (LEAD, HEDGE)
    )
    hedge = HedgeRule(LEAD, HEDGE, Decimal(-1))
    return BookConfig(BookId("b1"), "b1", "quoting", {}, legs, hedge, limits, timing)


class Quoting:
    """A policy for tests: one resting entry on the lead leg, exits if asked for, the hedge leg by market."""

    def __init__(self, entry: Resting | None = None) -> None:
        self.entry = entry
        self.exits: tuple[Resting, ...] = ()

    def target(self, book: Book) -> Target:
        hedge = NetTarget(HEDGE, book.hedge_target(), Taking(), Role.HEDGE)
        return Target(nets=(hedge,), resting=((self.entry,) if self.entry is not None else ()) + self.exits)


def entry(qty: str = "1", price: str = "100", side: Side = Side.BUY) -> Resting:
    return Resting("entry", LEAD, side, Decimal(qty), Decimal(price), Role.ENTRY)


class Desk:
    """A book with everything read and quoted, and the turns that it made."""

    def __init__(self, policy: Quoting, book_config: BookConfig | None = None, *, ready: bool = True) -> None:
        self.config = book_config or config()
        self.policy = policy
        self.book = empty_book(self.config, policy)
        self.turns: list[Turn] = []
        self.log: list[Command] = []
        self.now_ns = START_NS
        self._trades = 0
        self.tell(BookStarted(self.now_ns, epoch=1, config=self.config))
        if ready:
            self.read_all()
            self.quote_all()
            self.look_again()

    def tell(self, event: Event) -> tuple[Command, ...]:
        """Step once; return the commands."""
        stepped = step(self.book, event)
        if stepped.turn is not None:
            self.turns.append(stepped.turn)
        self.log += stepped.commands
        return stepped.commands

    def look_again(self) -> list[Command]:
        """Deliver the wake-ups that are due at once."""
        commands: list[Command] = []
        while next_due_ns(self.book) == self.book.now_ns + 1:
            self.now_ns = self.book.now_ns + 1
            commands += self.tell(TimeReached(self.now_ns))
        return commands

    def wait(self, span_ns: int) -> list[Command]:
        """Let time pass, delivering each wake-up at its moment; return every command on the way."""
        end_ns = self.now_ns + span_ns
        commands: list[Command] = []
        while True:
            due_ns = next_due_ns(self.book)
            if due_ns is None or due_ns > end_ns:
                break
            self.now_ns = due_ns
            commands += self.tell(TimeReached(due_ns))
        self.now_ns = end_ns
        return commands

    def read_all(self, net_qty: str = "0") -> list[Command]:
        """Answer every read: nothing open, no trades, and this position on both legs."""
        commands: list[Command] = []
        for leg_id in (LEAD, HEDGE):
            commands += self.tell(OpenOrdersRead(self.now_ns, leg_id, self.now_ns))
            commands += self.tell(TradesRead(self.now_ns, leg_id, self.now_ns))
            commands += self.tell(PositionRead(self.now_ns, leg_id, self.now_ns, Decimal(net_qty)))
        return commands

    def quote_all(self, bid: str = "100", ask: str = "100.1") -> None:
        for leg in self.config.legs:
            levels = ((Decimal(bid), Decimal(5)),), ((Decimal(ask), Decimal(5)),)
            self.tell(QuoteReceived(self.now_ns, Quote(leg.instrument.id, self.now_ns, *levels)))

    def fill(self, order: Order | SubmitOrder, qty: str, price: str = "100", trade_id: str | None = None) -> Fill:
        """Return a fill of an order, with a trade id of its own unless one is given."""
        self._trades += 1
        order_id = order.id if isinstance(order, Order) else order.order_id
        leg = self.config.leg(order.leg_id)
        return Fill(
            TradeId(trade_id or f"t{self._trades}"),
            leg.account_id,
            leg.instrument.id,
            order.side,
            Decimal(qty),
            Decimal(price),
            self.now_ns,
            order_id,
            fee=Decimal(0),
        )

    def fills(self, order: Order | SubmitOrder, qty: str, price: str = "100") -> tuple[Command, ...]:
        return self.tell(FillReceived(self.now_ns, self.fill(order, qty, price)))

    def accept(self, order: SubmitOrder | Order) -> tuple[Command, ...]:
        order_id = order.id if isinstance(order, Order) else order.order_id
        return self.tell(OrderAccepted(self.now_ns, order_id, VenueOrderId(f"v-{order_id}")))

    def order(self, order_id: str) -> Order:
        return self.book.state.orders[ClientOrderId(order_id)]

    def standing(self, leg_id: LegId = LEAD) -> Order:
        """Return the only live order of a leg."""
        (order,) = self.book.working(leg_id)
        return order

    def restarted(self) -> Desk:
        """Return the desk after a crash: a new book folded from the turns, started again, nothing read yet."""
        again = object.__new__(Desk)
        again.config, again.policy, again.turns = self.config, self.policy, list(self.turns)
        again.book = empty_book(self.config, self.policy)
        again.log = []
        again.now_ns, again._trades = self.now_ns, self._trades
        for turn in self.turns:
            fold(again.book, turn)
        again.tell(BookStarted(again.now_ns, epoch=again.book.state.epoch + 1, config=self.config))
        return again


def submits(commands: object) -> list[SubmitOrder]:
    return [command for command in commands if isinstance(command, SubmitOrder)]  # type: ignore[attr-defined]


def cancels(commands: object) -> list[CancelOrder]:
    return [command for command in commands if isinstance(command, CancelOrder)]  # type: ignore[attr-defined]
