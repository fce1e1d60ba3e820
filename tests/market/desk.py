"""A small exchange for the tests: one spot, one margin and one perpetual instrument, two accounts, a known book."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from hedgerow.market.answers import (
    Accepted,
    OrderReport,
    OrderRequest,
    PositionMode,
    PositionSide,
    Refused,
    Report,
    TradeReport,
)
from hedgerow.market.exchange import SimExchange
from hedgerow.market.fees import Fees
from hedgerow.market.rules import VenueRules
from hedgerow.model.ids import AccountId, InstrumentId, VenueId
from hedgerow.model.instrument import FeeCurrency, Instrument, InstrumentKind
from hedgerow.model.order import OrderType, Side

D = Decimal
VENUE = VenueId("sim")
SPOT = InstrumentId("sim:SPOT")
MARGIN = InstrumentId("sim:MARGIN")
PERP = InstrumentId("sim:PERP")
A = AccountId("sim/a")
B = AccountId("sim/b")
BUY, SELL = Side.BUY, Side.SELL
S = 1_000_000_000


def instrument(instrument_id: InstrumentId, kind: InstrumentKind, **changes: Any) -> Instrument:
    """Return an instrument with tick 0.01, step 0.001, minimum qty 0.001 and minimum notional 5."""
    plain = Instrument(instrument_id, VENUE, kind, "BTC", "USDT", D("0.01"), D("0.001"), D("0.001"), D(1000), D(5))
    return msgspec.structs.replace(plain, **changes)


class Desk:
    """An exchange whose market shows 1 each at 99, 98, 97 and at 101, 102, 103; two funded accounts without fees."""

    def __init__(
        self,
        rules: VenueRules | None = None,
        fees: Fees | None = None,
        mode: PositionMode = PositionMode.ONE_WAY,
        leverage: str = "10",
        funds: dict[str, Decimal] | None = None,
        changes: dict[str, Any] | None = None,
    ) -> None:
        changes = changes or {}
        instruments = [
            instrument(SPOT, InstrumentKind.SPOT, can_reduce_only=False, **changes),
            instrument(MARGIN, InstrumentKind.MARGIN, **changes),
            instrument(PERP, InstrumentKind.PERP, **(changes | {"fee_currency": FeeCurrency.QUOTE})),
        ]
        self.exchange = SimExchange(VENUE, instruments, rules or VenueRules(), seed=1)
        for account_id in (A, B):
            owned = {"USDT": D(10_000), "BTC": D(10)} if funds is None else funds
            self.exchange.open_account(account_id, owned, fees or Fees(), mode, D(leverage))
        for each in instruments:
            self.exchange.set_book(S, each.id, levels("1@99 1@98 1@97"), levels("1@101 1@102 1@103"))
        self.now_ns = S
        self._orders = 0

    def order(
        self,
        side: Side,
        qty: str,
        price: str | None = None,
        *,
        of: AccountId = A,
        on: InstrumentId = PERP,
        id: str = "",
        **terms: Any,
    ) -> Accepted | Refused:
        """Submit a limit order, or a market order when there is no price."""
        self._orders += 1
        request = OrderRequest(
            id or f"o{self._orders}",
            on,
            side,
            D(qty),
            OrderType.MARKET if price is None else OrderType.LIMIT,
            None if price is None else D(price),
            **terms,
        )
        return self.exchange.submit(self.now_ns, of, request)

    def reports(self, of: AccountId = A) -> list[Report]:
        """Return what was reported to one account since the last call, and forget the rest."""
        return [report for account_id, report in self.exchange.drain() if account_id == of]

    def trades(self, of: AccountId = A) -> list[str]:
        """Return the trades reported since the last call as `qty@price`."""
        return [f"{r.qty}@{r.price}" for r in self.reports(of) if isinstance(r, TradeReport)]

    def state(self, client_order_id: str, of: AccountId = A, on: InstrumentId = PERP) -> str:
        """Return an order as the venue answers a query: `status cum reason`."""
        report = self.exchange.query(self.now_ns, of, on, client_order_id)
        assert isinstance(report, OrderReport), report
        return f"{report.status.value} {report.cum_qty.normalize():f} {report.reason}".strip()

    def net(self, of: AccountId = A, on: InstrumentId = PERP) -> Decimal:
        return self.exchange.positions(of)[on]


def levels(text: str) -> tuple[tuple[Decimal, Decimal], ...]:
    """Return the levels of `qty@price qty@price`."""
    pairs = [part.split("@") for part in text.split()]
    return tuple([(D(price), D(qty)) for qty, price in pairs])


def code(answer: object) -> int:
    """Return the code of a refusal."""
    assert isinstance(answer, Refused), answer
    return answer.code


LONG, SHORT = PositionSide.LONG, PositionSide.SHORT
