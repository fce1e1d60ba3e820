"""A resting grid over recorded quotes in hftbacktest, for an environment without anything of ours.

Ten buy orders rest a tenth of a percent apart below the first price, and the strategy, compiled, looks every 100 ms.

Usage: python hft_quotes.py FOLDER, with ts_ns.npy, bid.npy, ask.npy, bid_qty.npy, ask_qty.npy in it: prices and qtys as
floats. Prints one JSON object; the first run compiles and is not timed.
"""

# The engine has no types that are installed here.
# mypy: disable-error-code="import-not-found, misc, no-untyped-call, untyped-decorator"

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from hftbacktest import (
    BUY_EVENT,
    DEPTH_BBO_EVENT,
    EXCH_EVENT,
    GTC,
    LIMIT,
    LOCAL_EVENT,
    SELL_EVENT,
    BacktestAsset,
    HashMapMarketDepthBacktest,
)
from hftbacktest.types import event_dtype
from numba import njit

TICK, STEP = 0.1, 0.001
LATENCY_NS = 5_000_000
LEVELS, LEVEL_BPS, QTY = 10, 10.0, 0.005
LOOK_NS = 100_000_000
WARM_QUOTES = 1_000


@njit
def rest_and_look(hbt, levels, level_bps, qty, look_ns):  # type: ignore[no-untyped-def]
    """Rest the orders once there is a price, then look until the data ends."""
    placed = False
    looks = 0
    while hbt.elapse(look_ns) == 0:
        hbt.clear_inactive_orders(0)
        depth = hbt.depth(0)
        if not placed and depth.best_bid > 0:
            for level in range(levels):
                price = round(depth.best_bid * (1 - (level + 1) * level_bps / 10_000) / 0.1) * 0.1
                hbt.submit_buy_order(0, level + 1, price, qty, GTC, LIMIT, False)
            placed = True
        looks += 1
    return looks


def events(folder: Path, rows: int | None) -> np.ndarray:
    """Return the quotes as events, a best bid and a best ask for each."""
    ts_ns, bid, ask, bid_qty, ask_qty = (
        np.load(folder / f"{name}.npy")[:rows] for name in ("ts_ns", "bid", "ask", "bid_qty", "ask_qty")
    )
    found = np.zeros(2 * len(ts_ns), event_dtype)
    for start, side, price, qty in ((0, BUY_EVENT, bid, bid_qty), (1, SELL_EVENT, ask, ask_qty)):
        found["ev"][start::2] = DEPTH_BBO_EVENT | EXCH_EVENT | LOCAL_EVENT | side
        found["exch_ts"][start::2] = ts_ns
        found["local_ts"][start::2] = ts_ns + LATENCY_NS
        found["px"][start::2] = price
        found["qty"][start::2] = qty
    return found


def measure(folder: Path, rows: int | None) -> tuple[int, float, float]:
    """Return quotes, seconds and processor seconds of one run; only the run itself is timed."""
    data = events(folder, rows)
    asset = (
        BacktestAsset()
        .data(data)
        .linear_asset(1.0)
        .constant_order_latency(LATENCY_NS, LATENCY_NS)
        .risk_adverse_queue_model()
        .partial_fill_exchange()
        .trading_value_fee_model(0.0002, 0.0005)
        .tick_size(TICK)
        .lot_size(STEP)
    )
    hbt = HashMapMarketDepthBacktest([asset])
    started, cpu_started = time.perf_counter(), time.process_time()
    looks = rest_and_look(hbt, LEVELS, LEVEL_BPS, QTY, LOOK_NS)
    took_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu_started
    if looks < 1:
        raise AssertionError(looks)
    hbt.close()
    return len(data) // 2, took_s, cpu_s


if __name__ == "__main__":
    place = Path(sys.argv[1])
    measure(place, WARM_QUOTES)
    quotes, seconds, cpu_seconds = measure(place, None)
    print(
        json.dumps(
            {
                "version": version("hftbacktest"),
                "quotes": quotes,
                "per_s": quotes / seconds,
                "cpu_per_s": quotes / cpu_seconds,
            }
        )
    )
