"""Random markets as tick files and as frames, and configs of books that trade on them, for tests of the backtest."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np

from hedgerow.market.ticks import NO_ASK, NO_BID, Bars, Gap, Ints, Quotes, TickFile, Trades, write_ticks
from hedgerow.model.ids import InstrumentId
from hedgerow.runtime.config import load_text
from hedgerow.runtime.node_config import NodeConfig
from hedgerow.sim.backtest.run import traded

START_NS = 1_700_000_000_000_000_000
MS = 1_000_000
PRICE = 60_000

ACCOUNTS = """
accounts:
  a/main: {venue: sim, balance: {USD: 500000}, fees: {maker_bps: 1, taker_bps: 4}, leverage: 5}
  b/main: {venue: sim, balance: {USD: 500000}, fees: {maker_bps: 1, taker_bps: 4}, leverage: 5}
"""
LEGS = """
    legs:
      lead:  {account: a/main, symbol: BTC-PERP}
      hedge: {account: b/main, symbol: BTC-PERP}
"""
MIRROR = (
    ACCOUNTS
    + """
books:
  btc:
    policy: mirror
    qty: 0.05
    max_net_qty: 0.2
    order_timeout_s: 3
"""
    + LEGS
)
CARRY = (
    ACCOUNTS
    + """
books:
  btc:
    policy: carry
    entry_qty: 0.02
    max_net_qty: 0.1
    entry_basis_bps_min: -50
    entry_timeout_s: 2
"""
    + LEGS
)
GRID = """
accounts:
  a/main: {venue: sim, balance: {USD: 500000}, fees: {maker_bps: 1, taker_bps: 4}, leverage: 5}
books:
  btc:
    policy: grid
    legs: {main: {account: a/main, symbol: BTC-PERP}}
    budget: 60000
    fee_bps: 0.1
    low: 59850
    high: 60150
    levels: 60
    qty: 0.005
    active_levels: 6
"""
# Conditions that come and go with every few quotes.
CARRY_SWINGING = (
    CARRY.replace("entry_basis_bps_min: -50", "entry_basis_bps_min: -3\n    withdraw_basis_bps: -5")
    + """
    exit_basis_bps_max: -6
"""
)
CARRY_MAKING = (
    CARRY_SWINGING
    + """
    hedge_style: maker
    maker_timeout_s: 1
    requote_s: 0.5
    ladder_levels: 2
    ladder_step_bps: 1
    slippage_bps_max: 5
"""
)
PAIR = (
    ACCOUNTS
    + """
books:
  btc:
    policy: pair
    legs:
      long:  {account: a/main, symbol: BTC-PERP}
      short: {account: b/main, symbol: BTC-PERP}
    notional: 3000
    rounds: continuous
    pause_s: 0.5
    stop_loss_bps: 2
    take_profit_bps: 2
    max_hold_s: 3
    open_timeout_s: 2
"""
)
# Most levels are too far from the mark, and come near it now and then.
GRID_FAR = GRID.replace("active_levels: 6", "active_levels: 40") + "\nrisk: {price_distance_bps_max: 4}\n"
CONFIGS = {
    "mirror": MIRROR,
    "carry": CARRY,
    "carry swinging": CARRY_SWINGING,
    "carry making": CARRY_MAKING,
    "grid": GRID,
    "grid far": GRID_FAR,
    "pair": PAIR,
}

EXITS = """
accounts:
  a/main: {venue: sim, balance: {USD: 500000}, positions: {BTC-PERP: {qty: 0.5, price: 60000}}}
  b/main: {venue: sim, balance: {USD: 500000}, positions: {BTC-PERP: {qty: -0.7, price: 60000}}}
books:
  btc:
    policy: exits
    legs:
      long:  {account: a/main, symbol: BTC-PERP, adopt: true}
      other: {account: b/main, symbol: BTC-PERP, adopt: true}
    take_profit_rate: 1.0008
    stop_loss_rate: 0.999
    trailing_rate: 0.9995
    scale_out_rate: 1.0003
    slippage_bps_max: 1
    stale_order_s: 2
"""
# The market reaches the stop after some fills: flat and frozen from there on.
GRID_STOPPED = GRID.replace("low: 59850", "stop_price: 59840\n    low: 59850")
BOOKS = {**CONFIGS, "exits": EXITS, "grid stopped": GRID_STOPPED}
"Those, and books that hold something before they begin."


def config_of(text: str) -> NodeConfig:
    """Return a config of one book."""
    return load_text(text, "test.yaml", Path())


def market(path: Path, seed: int, rows: int, depth: int = 1, *, trades: bool = True) -> TickFile:
    """Return a random market that jumps, falls silent, and is one-sided now and then; steps of 0.1 and 0.001."""
    rng = np.random.default_rng(seed)

    def some(low: int, high: int, shape: int | tuple[int, int] = rows) -> Ints:
        return rng.integers(low, high, shape).astype(np.int64)

    waits = some(1 * MS, 60 * MS)
    waits[rng.random(rows) < 0.01] = 3_500 * MS
    ts_ns = START_NS + np.cumsum(waits)
    middle = PRICE * 10 + np.cumsum(some(-60, 61) * (rng.random(rows) < 0.2))
    half = some(1, 3)
    bid, ask, bid_qty, ask_qty = middle - half, middle + half, some(1, 3_000), some(1, 3_000)
    deeper = np.arange(1, depth) * 2
    bids, asks = bid[:, None] - deeper, ask[:, None] + deeper
    bid_qtys, ask_qtys = some(1, 3_000, (rows, depth - 1)), some(1, 3_000, (rows, depth - 1))
    nobody = rng.random(rows) < 0.002
    bid[nobody], bid_qty[nobody], bid_qtys[nobody] = NO_BID, 0, 0
    nobody = rng.random(rows) < 0.002
    ask[nobody], ask_qty[nobody], ask_qtys[nobody] = NO_ASK, 0, 0
    quotes = Quotes(ts_ns, bid, ask, bid_qty, ask_qty, bids, asks, bid_qtys, ask_qtys)
    return write_ticks(
        path,
        tick=Decimal("0.1"),
        step=Decimal("0.001"),
        quotes=quotes,
        trades=_trades(rng, quotes, rows // 3) if trades else None,
    )


def _trades(rng: np.random.Generator, quotes: Quotes, count: int) -> Trades:
    """Trades at, inside of and through the prices that were shown last."""
    rows = len(quotes.ts_ns)
    row = np.sort(rng.integers(1, rows, count)).astype(np.int64)
    side = np.where(rng.random(count) < 0.5, 1, -1).astype(np.int8)
    best = np.where(side > 0, quotes.ask[row - 1], quotes.bid[row - 1])
    whole = (best != NO_BID) & (best != NO_ASK)
    price = best + rng.integers(-2, 3, count)
    ts_ns = np.minimum(quotes.ts_ns[row - 1] + 300_000, quotes.ts_ns[row])
    qty = rng.integers(1, 2_000, count).astype(np.int64)
    return Trades(ts_ns[whole], price[whole], qty[whole], row[whole], side[whole])


def markets(config: NodeConfig, folder: Path, seed: int, rows: int) -> dict[InstrumentId, TickFile]:
    """Return a market of its own for each instrument of a config; the seed decides depth and whether others trade."""
    return {
        instrument_id: market(folder / f"{at}.ticks", seed * 10 + at, rows, 1 + seed % 3, trades=seed % 4 != 3)
        for at, instrument_id in enumerate(traded(config))
    }


def bar_market(path: Path, seed: int, rows: int, interval_s: int) -> TickFile:
    """Return random bars, some of them missing, and some without a volume."""
    rng = np.random.default_rng(seed)
    interval_ns = interval_s * 1_000 * MS
    place = np.cumsum(np.where(rng.random(rows) < 0.05, rng.integers(2, 9, rows), 1))
    ts_ns = START_NS + (place - place[0]) * interval_ns
    close = PRICE * 10 + np.cumsum(rng.integers(-150, 151, rows) * (rng.random(rows) < 0.5))
    opened = np.concatenate([close[:1], close[:-1]]) + rng.integers(-5, 6, rows)
    up, down = (rng.integers(0, 200, rows) * (rng.random(rows) < 0.4) for _ in range(2))
    high, low = np.maximum(opened, close) + up, np.minimum(opened, close) - down
    volume = rng.integers(0, 9_000, rows) * (rng.random(rows) < 0.9)
    after = np.flatnonzero(np.diff(place) > 1) + 1
    return write_ticks(
        path,
        tick=Decimal("0.1"),
        step=Decimal("0.001"),
        bars=Bars(ts_ns, opened, high, low, close, volume.astype(np.int64)),
        interval_ns=interval_ns,
        gaps=tuple(Gap(int(row) + 1, int(ts_ns[row - 1]), int(ts_ns[row])) for row in after),
    )


def bar_markets(config: NodeConfig, folder: Path, seed: int, rows: int) -> dict[InstrumentId, TickFile]:
    """Return bars of its own for each instrument of a config; the seed decides how long they are."""
    return {
        instrument_id: bar_market(folder / f"{at}.ticks", seed * 10 + at, rows, (7, 5, 12, 3)[seed % 4])
        for at, instrument_id in enumerate(traded(config))
    }


def frames(path: Path, seed: int, rows: int, wait_ms: int) -> None:
    """Write a market of best prices and trades as a venue's frames, `wait_ms` apart, so that nothing overlaps."""
    rng = np.random.default_rng(seed)
    middle, lines = PRICE * 10, []
    for at in range(rows):
        ts_ns = START_NS + at * wait_ms * MS + int(rng.integers(0, MS))
        bid, ask = middle - int(rng.integers(1, 3)), middle + int(rng.integers(1, 3))
        bid_qty, ask_qty = rng.integers(10, 3_000, 2)
        ticker = (
            f'{{"stream":"btcusdt@bookTicker","data":{{"u":{at + 1},"s":"BTCUSDT","b":"{bid / 10}",'
            f'"B":"{bid_qty / 1000}","a":"{ask / 10}","A":"{ask_qty / 1000}"}}}}'
        )
        lines.append(f"{ts_ns} {ticker}")
        if rng.random() < 0.5:
            buys = rng.random() < 0.5
            price, qty = (ask if buys else bid) / 10, int(rng.integers(1, 2_000)) / 1000
            trade = (
                f'{{"stream":"btcusdt@trade","data":{{"e":"trade","E":1,"s":"BTCUSDT","t":{at + 1},"p":"{price}",'
                f'"q":"{qty}","T":1,"m":{"false" if buys else "true"}}}}}'
            )
            lines.append(f"{ts_ns + wait_ms * MS // 2} {trade}")
        middle += int(rng.integers(-20, 21)) * int(rng.random() < 0.3)
    path.write_text("\n".join(lines) + "\n")
