"""Funding in backtests: what the data tells is paid at its time, and nothing else."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from hedgerow.market.importing import import_files
from hedgerow.market.sources import Recipe
from hedgerow.market.ticks import Bars, Funding, TickFile, write_ticks
from hedgerow.model.ids import InstrumentId
from hedgerow.sim.backtest.run import backtest
from hedgerow.sim.result import BacktestResult, encoded
from tests.sim.markets import CONFIGS, GRID, MS, PRICE, START_NS, config_of, markets

D = Decimal
MINUTE_NS = 60_000 * MS
HOUR_NS = 60 * MINUTE_NS
A_PERP = InstrumentId("a:BTC-PERP")
# Two levels, bought in the first bars and held: nothing is sold before the market is far above.
HELD = GRID.replace("levels: 60", "levels: 3").replace("active_levels: 6", "active_levels: 2")
PAYING = HELD + "venues: {a: {funding_bps: 100, instruments: {BTC-PERP: {kind: perp}}}}"


def market(path: Path, *told: tuple[int, int, int]) -> TickFile:
    """Return two hours of bars that fall and then stand, with funding of (told, rate in 1e-4, paid) in minutes."""
    close = np.full(120, PRICE * 10 - 2_500, np.int64)
    close[0] = PRICE * 10
    opened = np.concatenate([close[:1], close[:-1]])
    ts_ns = START_NS + np.arange(120, dtype=np.int64) * MINUTE_NS
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    columns = np.array(told or np.zeros((0, 3)), np.int64)
    funding = Funding(START_NS + columns[:, 0] * MINUTE_NS, columns[:, 1] * 10**8, START_NS + columns[:, 2] * MINUTE_NS)
    return write_ticks(
        path,
        tick=D("0.1"),
        step=D("0.001"),
        bars=Bars(ts_ns, opened, high, low, close, np.full(120, 10**6, np.int64)),
        funding=funding if told else None,
        interval_ns=MINUTE_NS,
    )


def run(text: str, file: TickFile) -> BacktestResult:
    """Return the same result of both ways to run it."""
    config = config_of(text)
    skipped, stepped = (backtest(config, {A_PERP: file}, skips=skips) for skips in (True, False))
    assert encoded(skipped) == encoded(stepped)
    return skipped


def test_funding_is_paid_as_the_data_tells_it(tmp_path: Path) -> None:
    """Once at its time, at the rate that was told last, on what is held then at the mark; the report has it."""
    result = run(HELD, market(tmp_path / "a.ticks", (10, 5, 70), (30, 1, 70)))
    (book,) = result.books
    (leg,) = book.legs

    assert leg.net_qty > 0
    mark = D(PRICE) - 250
    assert book.pnl.funding == leg.funding == -leg.net_qty * mark * D("0.0001")
    assert "a:BTC-PERP: funding is paid as the data tells it, once; the config's funding_bps is not." in result.notes


def test_each_time_is_paid_once(tmp_path: Path) -> None:
    """Told at the time when it is paid, an hour apart, and never again after the last."""
    (book,) = run(HELD, market(tmp_path / "a.ticks", (40, 2, 40), (100, -1, 100))).books
    (leg,) = book.legs

    assert book.pnl.funding == -leg.net_qty * (D(PRICE) - 250) * D("0.0001")


def test_the_data_counts_where_the_config_says_something_else(tmp_path: Path) -> None:
    """The config's rate is for data that tells none: it is paid at 0, 8 and 16 o'clock."""
    # The data begins at 22:13:20.
    paid = run(PAYING, market(tmp_path / "a.ticks")).books[0]
    untold = run(PAYING, market(tmp_path / "b.ticks", (10, 0, 70))).books[0]

    assert paid.pnl.funding == -paid.legs[0].net_qty * (D(PRICE) - 250) * D("0.01")
    assert untold.pnl.funding == 0


def test_what_was_told_before_the_data_begins_stands(tmp_path: Path) -> None:
    """A list of payments usually begins earlier than the prices: the one that is still to come counts."""
    file = market(tmp_path / "a.ticks", (-600, 9, -600), (-120, 3, 60))
    (book,) = run(HELD, file).books

    assert book.pnl.funding == -book.legs[0].net_qty * (D(PRICE) - 250) * D("0.0003")


def test_imported_funding_is_paid(tmp_path: Path) -> None:
    """From a column of a CSV file to the report."""
    start_s = START_NS // 10**9
    bars = [f"{start_s},60000,60000,60000,60000,9,"]
    bars += [f"{start_s + 60},60000,60000,59750,59750,9,"]
    bars += [f"{start_s + at * 60},59750,59750,59750,59750,9,{'0.0004' if at == 7 else ''}" for at in range(2, 10)]
    path = tmp_path / "in.csv"
    path.write_text("time,open,high,low,close,volume,funding\n" + "\n".join(bars) + "\n")

    (book,) = run(HELD, import_files([path], tmp_path / "in.ticks", Recipe()).ticks).books

    assert book.pnl.funding == -book.legs[0].net_qty * (D(PRICE) - 250) * D("0.0004")
    assert book.pnl.funding < 0


@pytest.mark.parametrize("name", ["carry swinging", "carry", "grid"])
def test_skipping_changes_nothing_of_funding(name: str, tmp_path: Path) -> None:
    """Rates that are told and paid between quotes reach the books as when each row is looked at."""
    config = config_of(CONFIGS[name])
    rng = np.random.default_rng(5)
    data: dict[InstrumentId, TickFile] = {}
    for instrument_id, file in markets(config, tmp_path, 2, 300).items():
        span_ns = file.last_ts_ns - file.first_ts_ns
        due_ns = file.first_ts_ns + np.array([1, 1, 2, 2, 3], np.int64) * (span_ns // 4)
        told_ns = due_ns - np.array([span_ns // 5, span_ns // 9, span_ns // 7, 0, 0], np.int64)
        funding = Funding(told_ns, rng.integers(-(10**9), 10**9, 5), due_ns)
        path = tmp_path / f"funded-{len(data)}.ticks"
        data[instrument_id] = write_ticks(
            path, tick=file.tick, step=file.step, quotes=file.quotes, trades=file.trades, funding=funding
        )

    skipped, stepped = (backtest(config, data, skips=skips) for skips in (True, False))

    assert encoded(skipped) == encoded(stepped)
    assert skipped.books[0].pnl.funding != 0
