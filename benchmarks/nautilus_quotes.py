"""A resting grid over recorded quotes in NautilusTrader, for an environment without anything of ours.

Ten buy orders rest a tenth of a percent apart below the first price; the strategy hears each quote and does nothing.

Usage: python nautilus_quotes.py FOLDER, with ts_ns.npy, bid.npy, ask.npy, bid_qty.npy, ask_qty.npy in it: prices and
qtys as floats. Prints one JSON object.
"""

# The engine has no types that are installed here.
# mypy: disable-error-code="import-not-found, misc"

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import nautilus_trader
import numpy as np
from nautilus_trader.backtest.config import BacktestEngineConfig
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.config import LoggingConfig, RiskEngineConfig, StrategyConfig
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.data import QuoteTick
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

sys.path.insert(0, str(Path(__file__).parent))

from nautilus_hedges import perpetual

LEVELS, LEVEL_BPS = 10, 10.0
QTY = Quantity.from_str("0.005")


class Resting(Strategy):
    """Rests its orders at the first quote."""

    def __init__(self, instrument_id: InstrumentId) -> None:
        super().__init__(StrategyConfig())
        self._instrument_id = instrument_id
        self.heard = 0

    def on_start(self) -> None:
        self.subscribe_quote_ticks(self._instrument_id)

    def on_quote_tick(self, tick: QuoteTick) -> None:
        self.heard += 1
        if self.heard > 1:
            return
        for level in range(LEVELS):
            price = Price(float(tick.bid_price) * (1 - (level + 1) * LEVEL_BPS / 10_000), 1)
            self.submit_order(self.order_factory.limit(self._instrument_id, OrderSide.BUY, QTY, price))


def measure(folder: Path) -> dict[str, object]:
    """Run the whole of it once and return the numbers; only the engine's own loop is timed."""
    instrument = perpetual("USDM")
    columns = [np.load(folder / f"{name}.npy").tolist() for name in ("ts_ns", "bid", "ask", "bid_qty", "ask_qty")]
    ticks = [
        QuoteTick(instrument.id, Price(bid, 1), Price(ask, 1), Quantity(bid_qty, 3), Quantity(ask_qty, 3), ts_ns, ts_ns)
        for ts_ns, bid, ask, bid_qty, ask_qty in zip(*columns, strict=True)
    ]
    engine = BacktestEngine(
        BacktestEngineConfig(
            logging=LoggingConfig(bypass_logging=True), risk_engine=RiskEngineConfig(bypass=True), run_analysis=False
        )
    )
    engine.add_venue(instrument.id.venue, OmsType.NETTING, AccountType.MARGIN, [Money(1_000_000, USDT)])
    engine.add_instrument(instrument)
    resting = Resting(instrument.id)
    engine.add_strategy(resting)
    engine.add_data(ticks)
    started, cpu_started = time.perf_counter(), time.process_time()
    engine.run()
    took_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu_started
    if resting.heard != len(ticks):
        raise AssertionError((resting.heard, len(ticks)))
    engine.dispose()
    return {
        "version": nautilus_trader.__version__,
        "quotes": len(ticks),
        "per_s": len(ticks) / took_s,
        "cpu_per_s": len(ticks) / cpu_s,
    }


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]))))
