"""A grid on a simulated exchange: the real core and journal, in a time that only the test moves."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from hedgerow.core.book import Book
from hedgerow.core.commands import Mode
from hedgerow.core.config import BookConfig, HedgeRule, LegConfig, Limits
from hedgerow.core.target import Strategy, Target
from hedgerow.market.fees import Fees
from hedgerow.model.ids import AccountId, BookId, LegId
from hedgerow.model.instrument import Instrument
from hedgerow.model.order import Order, Role, Side
from hedgerow.sim.exchanged import ExchangedLeg
from hedgerow.sim.stage import Stage
from hedgerow.strategies import make
from tests.strategies.books import instrument

LEAD, HEDGE = LegId("lead"), LegId("hedge")
S = 1_000_000_000
PERP = instrument("perp", step=Decimal("0.00001"), min_qty=Decimal("0.0001"), min_notional=Decimal(0))
OTHER = instrument("other", step=Decimal("0.0001"), min_qty=Decimal("0.0001"), min_notional=Decimal(0))
PARAMS = {
    "budget": "1000",
    "leverage": "2",
    "low": "90000",
    "high": "92000",
    "levels": "10",
    "qty": "0.001",
    "active_levels": "20",
}
# Nothing but the policy is to hold an entry back.
LIMITS = Limits(orders_per_s=1000, price_distance_bps_max=Decimal(5000))


def grid_config(
    params: dict[str, str], lead: Instrument = PERP, hedge: Instrument | None = None, *, adopt: bool = False
) -> BookConfig:
    """Return a grid's book: `PARAMS` changed as asked, those that are empty left out."""
    told = {key: value for key, value in (PARAMS | params).items() if value}
    legs = [LegConfig(LEAD, AccountId("sim/lead"), lead, adopt=adopt)]
    rule = None
    if hedge is not None:
        legs.append(LegConfig(HEDGE, AccountId("sim/hedge"), hedge))
        rule = HedgeRule(LEAD, HEDGE, Decimal(-1))
    return BookConfig(BookId("g"), "g", "grid", told, tuple(legs), rule, LIMITS)


class Floor:
    """One grid and its market."""

    def __init__(
        self,
        params: dict[str, str] | None = None,
        *,
        lead: Instrument = PERP,
        hedge: Instrument | None = None,
        fee: str = "0",
        held: str = "0",
        adopt: bool = False,
        market: tuple[str, str] | None = ("91000", "91000.1"),
        strategy: Strategy | None = None,
    ) -> None:
        self.config = grid_config(params or {}, lead, hedge, adopt=adopt)
        self.stage = Stage(self.config, strategy or make(self.config))
        for leg in self.config.legs:
            fees = Fees(Decimal(fee), Decimal(fee))
            base = Decimal(held) if leg.id == LEAD else Decimal(0)
            self.stage.exchanged[leg.id] = ExchangedLeg(leg, base, Decimal(10_000_000), fees)
        if market is not None:
            for leg in self.config.legs:
                self.stage.set_quote(leg.id, _side(market[0]), _side(market[1]))
        self.stage.start()

    @property
    def book(self) -> Book:
        return self.stage.book

    @property
    def target(self) -> Target:
        """What the policy says now. Asking changes nothing."""
        return self.book.strategy.target(self.book)

    def quote(self, bid: str, ask: str, leg_id: LegId = LEAD) -> None:
        """Move the market; resting orders that it crosses trade."""
        self.stage.events_left = 100_000
        self.stage.now_ns += 1_000_000
        self.stage.deliver_now(self.stage.set_quote(leg_id, _side(bid), _side(ask)))

    def trade(self, side: Side, qty: str, price: str) -> None:
        """Let somebody take `qty` at `price`."""
        self.stage.now_ns += 1_000_000
        exchanged = self.stage.exchanged[LEAD]
        self.stage.deliver_now(exchanged.trade(self.stage.now_ns, side, Decimal(qty), Decimal(price)))

    def wait(self, seconds: int) -> None:
        self.stage.events_left = 1_000_000
        self.stage.advance(seconds * S)

    def restart(self, params: dict[str, str] | None = None) -> None:
        """Let the engine die and start again, with parameters changed as asked."""
        self.stage.die()
        if params is not None:
            self.config = grid_config(params, self.config.legs[0].instrument)
            self.stage.reconfigure(self.config, make(self.config, checked=False))
        self.stage.start()
        self.wait(2)

    def orders(self, role: Role) -> dict[str, Order]:
        """Return what stands of one role: slot -> order, in the order of the slots' numbers."""
        found = {order.slot: order for order in self.book.working(LEAD) if order.role is role}
        return dict(sorted(found.items(), key=lambda item: int(item[0].partition(":")[0])))

    def prices(self, role: Role) -> list[Decimal]:
        """Return the prices of what stands of one role, rising."""
        return sorted(order.limit_price for order in self.orders(role).values() if order.limit_price is not None)

    def level(self, number: int) -> Order:
        """Return the entry that stands at a level."""
        return self.orders(Role.ENTRY)[f"{number}:buy"]

    @property
    def held(self) -> Decimal:
        return self.book.net_qty(LEAD)

    @property
    def fills(self) -> int:
        return sum(ledger.fills for ledger in self.book.state.ledgers.values())

    @property
    def mode(self) -> Mode:
        return self.book.mode

    def holds(self) -> dict[str, str]:
        """Return what is held: slot -> reason."""
        return {hold.slot: hold.reason.value for hold in self.book.state.holds.values()}

    def alarms(self) -> list[str]:
        return sorted(alarm.kind.value for alarm in self.book.state.alarms.values())


def _side(price: str) -> tuple[tuple[Decimal, Decimal], ...]:
    return () if price == "none" else ((Decimal(price), Decimal(1000)),)


def changed(of: Instrument, **changes: object) -> Instrument:
    return replace(of, **changes)
