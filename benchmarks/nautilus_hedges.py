"""The work of `benchmarks.world` in NautilusTrader's backtest engine, for an environment without anything of ours.

Two venues, one strategy. It rests one order on each entry side of the lead venue; each trade tick there fills one of
them, and each lead fill is answered by a market order on the other venue.

Usage: python nautilus_hedges.py SHAPE FILLS CHECKS, with CHECKS `on` or `off`. Prints one JSON object.
"""

# The engine has no types that are installed here.
# mypy: disable-error-code="import-not-found, misc"

from __future__ import annotations

import json
import sys
import time
from decimal import Decimal

import nautilus_trader
from nautilus_trader.backtest.config import BacktestEngineConfig
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.config import LoggingConfig, RiskEngineConfig, StrategyConfig
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import QuoteTick, TradeTick
from nautilus_trader.model.enums import AccountType, AggressorSide, OmsType, OrderSide
from nautilus_trader.model.events import OrderFilled
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TradeId, Venue
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

START_NS = 1_700_000_000_000_000_000
FILL_SPACING_NS = 50_000_000
QTY = Quantity.from_str("0.010")
OWN_PRICE = {OrderSide.BUY: Price.from_str("100.0"), OrderSide.SELL: Price.from_str("100.1")}
SHAPES = {"one_sided": (OrderSide.BUY,), "alternating": (OrderSide.BUY, OrderSide.SELL)}
AGGRESSOR = {OrderSide.BUY: AggressorSide.SELLER, OrderSide.SELL: AggressorSide.BUYER}
OPPOSITE = {OrderSide.BUY: OrderSide.SELL, OrderSide.SELL: OrderSide.BUY}


def perpetual(venue: str) -> CryptoPerpetual:
    return CryptoPerpetual(
        instrument_id=InstrumentId(Symbol("BTC-USD"), Venue(venue)),
        raw_symbol=Symbol("BTC-USD"),
        base_currency=BTC,
        quote_currency=USDT,
        settlement_currency=USDT,
        is_inverse=False,
        price_precision=1,
        size_precision=3,
        price_increment=Price.from_str("0.1"),
        size_increment=Quantity.from_str("0.001"),
        min_quantity=Quantity.from_str("0.001"),
        margin_init=Decimal("0.05"),
        margin_maint=Decimal("0.025"),
        maker_fee=Decimal("0.0002"),
        taker_fee=Decimal("0.0005"),
        ts_event=0,
        ts_init=0,
    )


class Hedger(Strategy):
    """Rests on the lead venue and answers each of its fills on the other one."""

    def __init__(self, lead_id: InstrumentId, hedge_id: InstrumentId, sides: tuple[OrderSide, ...]) -> None:
        super().__init__(StrategyConfig())
        self._lead_id = lead_id
        self._hedge_id = hedge_id
        self._missing = list(sides)
        self.lead_fills = 0
        self.hedge_fills = 0

    def on_start(self) -> None:
        self.subscribe_quote_ticks(self._lead_id)

    def on_quote_tick(self, tick: QuoteTick) -> None:
        # Not at once after the last fill: its trade price stands in the engine's book, and a new order would take it.
        for side in self._missing:
            self.submit_order(self.order_factory.limit(self._lead_id, side, QTY, OWN_PRICE[side], post_only=True))
        self._missing.clear()

    def on_order_filled(self, event: OrderFilled) -> None:
        if event.instrument_id == self._hedge_id:
            self.hedge_fills += 1
            return
        self.lead_fills += 1
        side = event.order_side
        self.submit_order(self.order_factory.market(self._hedge_id, OPPOSITE[side], event.last_qty))
        self._missing.append(side)


def ticks(lead_id: InstrumentId, hedge_id: InstrumentId, sides: tuple[OrderSide, ...], fills: int) -> list[object]:
    """Return one quote of the hedge venue, and of the lead venue one quote and one trade for each lead fill."""
    data: list[object] = [quote(hedge_id, START_NS)]
    for index in range(fills):
        ts_ns = START_NS + (index + 1) * FILL_SPACING_NS
        data.append(quote(lead_id, ts_ns - 1))
        side = sides[index % len(sides)]
        data.append(TradeTick(lead_id, OWN_PRICE[side], QTY, AGGRESSOR[side], TradeId(str(index)), ts_ns, ts_ns))
    return data


def quote(instrument_id: InstrumentId, ts_ns: int) -> QuoteTick:
    deep = Quantity.from_str("1000000.000")
    return QuoteTick(instrument_id, Price.from_str("99.9"), Price.from_str("100.2"), deep, deep, ts_ns, ts_ns)


def measure(shape: str, fills: int, checks: bool) -> dict[str, object]:
    """Run the whole of it once and return the numbers; only the engine's own loop is timed."""
    sides = SHAPES[shape]
    engine = BacktestEngine(
        BacktestEngineConfig(
            logging=LoggingConfig(bypass_logging=True),
            risk_engine=RiskEngineConfig(bypass=not checks),
            run_analysis=False,
        )
    )
    lead, hedge = perpetual("LEAD"), perpetual("HEDGE")
    for instrument in (lead, hedge):
        engine.add_venue(
            instrument.id.venue,
            OmsType.NETTING,
            AccountType.MARGIN,
            [Money(1_000_000_000, USDT)],
            default_leverage=Decimal(1),
        )
        engine.add_instrument(instrument)
    hedger = Hedger(lead.id, hedge.id, sides)
    engine.add_strategy(hedger)
    engine.add_data(ticks(lead.id, hedge.id, sides, fills))
    started, cpu_started = time.perf_counter(), time.process_time()
    engine.run()
    took_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu_started
    net_qty = engine.portfolio.net_position(lead.id) + engine.portfolio.net_position(hedge.id)
    if not hedger.lead_fills == hedger.hedge_fills == fills or net_qty != 0:
        raise AssertionError((hedger.lead_fills, hedger.hedge_fills, fills, net_qty))
    engine.dispose()
    return {
        "version": nautilus_trader.__version__,
        "shape": shape,
        "fills": fills,
        "checks": checks,
        "per_s": fills / took_s,
        "cpu_per_s": fills / cpu_s,
    }


if __name__ == "__main__":
    told_shape, told_fills, told_checks = sys.argv[1:]
    print(json.dumps(measure(told_shape, int(told_fills), told_checks == "on")))
