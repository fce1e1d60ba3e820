"""Backtests of `exits`: what brokers' accounts bring along, hours, and skipping that changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from hedgerow.market.ticks import Quotes, TickFile, write_ticks
from hedgerow.model.ids import InstrumentId
from hedgerow.sim.backtest.run import backtest, traded
from hedgerow.sim.result import encoded
from tests.sim.markets import EXITS, config_of, markets

STOCK = """
accounts:
  brk/main: {venue: sim, balance: {USD: 10000}, positions: {SPY: {qty: 10, price: 498}}}
venues:
  brk: {calendar: XNYS}
books:
  exits: {policy: exits, accounts: [brk/main], adopt: all, close_of_day_min: 10}
"""
S = 1_000_000_000


@pytest.mark.parametrize("seed", range(6))
def test_skipping_changes_nothing(seed: int, tmp_path: Path) -> None:
    """What is passed over by the wake prices leaves the same result, byte for byte, as stepping each row."""
    config = config_of(EXITS)
    data = markets(config, tmp_path, seed, 400)

    skipped, stepped = (backtest(config, data, seed=seed, skips=skips) for skips in (True, False))

    assert encoded(skipped) == encoded(stepped)
    assert skipped.books[0].fills


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6, 18))
def test_skipping_changes_nothing_in_many_markets(seed: int, tmp_path: Path) -> None:
    """The same over longer markets, of one to three levels, with and without trades."""
    config = config_of(EXITS)
    data = markets(config, tmp_path, seed, 3_000)

    skipped, stepped = (backtest(config, data, seed=seed, skips=skips) for skips in (True, False))

    assert encoded(skipped) == encoded(stepped)


@pytest.mark.slow
def test_e05_a_half_day_in_the_past_closes_early(tmp_path: Path) -> None:
    """E5: the account's position is found, the calendar is that of the data's day, and the venue keeps it too."""
    opens = int(datetime(2025, 11, 28, 14, 0, tzinfo=UTC).timestamp()) * S
    ts_ns = opens + np.arange(3 * 3_600, 4 * 3_600, 4, dtype=np.int64) * S
    still = np.full(len(ts_ns), 50_000, np.int64)
    lots = np.full(len(ts_ns), 100, np.int64)
    quotes = Quotes.top(ts_ns, still, still + 1, lots, lots)
    file: TickFile = write_ticks(tmp_path / "spy.ticks", tick=Decimal("0.01"), step=Decimal(1), quotes=quotes)
    config = config_of(STOCK)
    assert list(traded(config)) == ["brk:SPY"]

    (book,) = backtest(config, {InstrumentId("brk:SPY"): file}).books

    (fill,) = book.fills
    assert fill.slot == "exit/close_of_day"
    assert datetime.fromtimestamp(fill.ts_ns // S, UTC).strftime("%H:%M:%S") == "17:50:00"
