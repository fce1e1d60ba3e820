"""Quotes a second of a backtest: a resting grid, a mirror and a carry, over a recorded file repeated many times.

`python -m benchmarks.backtest FILE POLICY` runs one of them and prints one JSON object.
"""

from __future__ import annotations

import sys
import time
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.process import run_module, scratch
from benchmarks.report import Number, Skipped, at_least
from hedgerow.market.importing import import_files
from hedgerow.market.sources import Recipe
from hedgerow.market.ticks import Ints, Quotes, TickFile, Trades, write_ticks
from hedgerow.runtime.config import load_text
from hedgerow.sim.backtest.engine import Backtest
from hedgerow.sim.backtest.record import Recorder
from hedgerow.sim.backtest.run import traded

RECORDED = Path(__file__).parents[2] / "shared" / "data" / "binance-usdm-btcusdt-20240808.frames.gz"
QUOTES, QUICK_QUOTES = 10_000_000, 1_000_000
# A second of quiet between two rounds, so that time does not stand still.
SEAM_NS = 1_000_000_000
GOALS = {"grid": 10_000_000, "mirror": 1_000_000, "carry": 1_000_000}

ACCOUNTS = """
accounts:
  a/main: {venue: sim, balance: {USDT: 1000000}, fees: {maker_bps: 2, taker_bps: 5}, leverage: 5}
  b/main: {venue: sim, balance: {USDT: 1000000}, fees: {maker_bps: 2, taker_bps: 5}, leverage: 5}
venues:
  a: {instruments: {BTCUSDT: {kind: perp}}}
  b: {instruments: {BTCUSDT: {kind: perp}}}
risk: {stale_ms: 60000}
"""
LEGS = "legs: {lead: {account: a/main, symbol: BTCUSDT}, hedge: {account: b/main, symbol: BTCUSDT}}"
POLICIES = {
    "grid": "legs: {main: {account: a/main, symbol: BTCUSDT}}, budget: 100000, low: 59000, high: 64000, levels: 40,"
    " qty: 0.005, active_levels: 10",
    "mirror": f"{LEGS}, qty: 0.002, max_net_qty: 0.02",
    "carry": f"{LEGS}, entry_qty: 0.002, max_net_qty: 0.02, entry_basis_bps_min: -50",
}


class Ran(msgspec.Struct, frozen=True):
    """One run."""

    quotes: int
    "Of one leg."
    took_s: float
    cpu_s: float
    fills: int


def repeated(folder: Path, quotes: int) -> Path:
    """Return the recorded file's best prices and trades as a tick file of at least so many quotes."""
    once = import_files([RECORDED], folder / "once.ticks", Recipe(depth=1)).ticks
    rounds = -(-quotes // once.rows)
    span_ns = once.last_ts_ns - once.first_ts_ns + SEAM_NS

    def again(column: Ints, step: int = 0) -> Ints:
        return np.tile(column, rounds) + np.repeat(np.arange(rounds, dtype=np.int64) * step, len(column))

    top, trades = once.quotes, once.trades
    path = folder / "repeated.ticks"
    write_ticks(
        path,
        tick=once.tick,
        step=once.step,
        quotes=Quotes.top(
            again(top.ts_ns, span_ns), again(top.bid), again(top.ask), again(top.bid_qty), again(top.ask_qty)
        ),
        trades=Trades(
            again(trades.ts_ns, span_ns),
            again(trades.price),
            again(trades.qty),
            again(trades.row, once.rows),
            np.tile(trades.side, rounds),
        ),
    )
    return path


def measure(path: Path, policy: str) -> Ran:
    """Run one policy over a tick file; only the run itself is timed."""
    config = load_text(f"{ACCOUNTS}\nbooks:\n  bench: {{policy: {policy}, {POLICIES[policy]}}}\n", "bench.yaml", Path())
    file = TickFile.open(path)
    recorder = Recorder()
    run = Backtest(config, dict.fromkeys(traded(config), file), recorder)
    started, cpu_started = time.perf_counter(), time.process_time()
    run.run()
    took_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu_started
    (record,) = recorder.books.values()
    residual = record.book.residual
    assert abs(residual) <= Decimal("0.02"), residual
    return Ran(file.rows, took_s, cpu_s, len(record.fills))


def run(quick: bool) -> list[Number | Skipped]:
    """Measure every policy, each in a fresh process.

    Raises:
        MeasurementFailed: one did not run.
    """
    if not RECORDED.exists():
        return [Skipped("backtest", f"the recorded frames are not beside the checkout ({RECORDED.name})")]
    numbers: list[Number | Skipped] = []
    with scratch() as folder:
        path = repeated(Path(folder), QUICK_QUOTES if quick else QUOTES)
        for policy, goal in GOALS.items():
            ran = run_module("benchmarks.backtest", [str(path), policy], Ran)
            what = f"quotes of a backtest, {policy}, {ran.quotes:,} quotes, {ran.fills:,} fills"
            numbers.append(
                at_least(f"backtest/{policy}", what, "/s", ran.quotes / ran.took_s, goal, ran.quotes / ran.cpu_s)
            )
    return numbers


if __name__ == "__main__":
    print(msgspec.json.encode(measure(Path(sys.argv[1]), sys.argv[2])).decode())
