"""What a backtest came to: lots, drawdown and funding, each against a count by hand."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from hedgerow.market.ticks import NO_BID, Ints, Quotes, TickFile, write_ticks
from hedgerow.model.ids import LegId
from hedgerow.model.order import Role
from hedgerow.sim.backtest import marks as marks_module
from hedgerow.sim.backtest.engine import Backtest
from hedgerow.sim.backtest.lots import Lots
from hedgerow.sim.backtest.marks import Marks, swing
from hedgerow.sim.backtest.outcome import book_result
from hedgerow.sim.backtest.record import Recorder
from hedgerow.sim.backtest.run import backtest
from hedgerow.sim.report import facts
from hedgerow.sim.result import encoded
from tests.sim.markets import CARRY, GRID, MIRROR, MS, PAIR, PRICE, START_NS, config_of, market, markets

D = Decimal
LEG = LegId("main")
HOUR_NS = 3_600_000 * MS
SPOT = GRID.replace("symbol: BTC-PERP", "symbol: BTCUSD").replace(
    "books:", "venues: {a: {instruments: {BTCUSD: {kind: spot, fee_currency: base}}}}\nbooks:"
)


def _counted(held: list[tuple[Marks, Decimal]], times: Ints) -> tuple[Decimal, Decimal, Decimal]:
    """Count low, high and largest fall, one moment after the other."""
    worth = [sum((qty * (each.at(int(ts_ns)) or D(0)) for each, qty in held), D(0)) for ts_ns in times]
    falls = [max(worth[: at + 1]) - now for at, now in enumerate(worth)]
    return min(worth), max(worth), max(falls)


@pytest.mark.parametrize("chunk", [7, 1 << 18])
@pytest.mark.parametrize("qtys", [("0.3",), ("0.3", "-0.25"), ("-1000000000000", "0.00000001")])
def test_a_swing_looks_at_every_row(
    qtys: tuple[str, ...], chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lowest moment is seldom one at which something traded; in pieces and in huge numbers it is the same."""
    monkeypatch.setattr(marks_module, "CHUNK_ROWS", chunk)
    files = [market(tmp_path / f"{seed}.ticks", seed, 120) for seed in range(len(qtys))]
    held = [(Marks(file), D(qty)) for file, qty in zip(files, qtys, strict=True)]
    moments = np.unique(np.concatenate([file.quotes.ts_ns for file in files]))
    from_ns, to_ns = int(moments[20]) + 5, int(moments[-10])
    within = np.append(np.array([from_ns]), moments[(moments > from_ns) & (moments < to_ns)])

    found = swing(held, from_ns, to_ns)

    assert (found.low, found.high, found.fall) == _counted(held, within)


def test_the_drawdown_is_the_largest_fall_of_the_equity(tmp_path: Path) -> None:
    """No point of the curve falls further below an earlier one; the curve is thinned, the drawdown is not."""
    config = config_of(GRID)
    (book,) = backtest(config, markets(config, tmp_path, 1, 400)).books

    peak = fall = D(0)
    for point in book.equity:
        peak = max(peak, point.gain)
        fall = max(fall, peak - point.gain)

    assert book.drawdown >= fall > 0
    assert book.drawdown < fall * 2


@pytest.mark.parametrize("text", [GRID, MIRROR, CARRY, SPOT], ids=["grid", "mirror", "carry", "base fees"])
def test_the_parts_add_up_to_what_the_cash_says(text: str, tmp_path: Path) -> None:
    """Lots, slippage, fees and funding are each found by themselves, and their sum is the equity at the end."""
    config = config_of(text)
    (book,) = backtest(config, markets(config, tmp_path, 1, 400)).books

    assert book.fills
    assert abs(book.pnl.total - book.equity[-1].gain) < D("1e-15")


def test_a_level_closes_its_own_lot_first() -> None:
    """A grid's gain is that of its pairs, whatever was bought at other levels between."""
    lots = Lots()
    lots.take(LEG, "1", D(1), D(100), D(1), is_entry=True)
    lots.take(LEG, "2", D(1), D(90), D(1), is_entry=True)
    lots.take(LEG, "2", D(-1), D(95), D(1), is_entry=False)

    assert lots.gained == 5
    assert [(lot.level, lot.price) for lot in lots.open] == [("1", D(100))]


def test_an_exit_of_all_closes_every_level() -> None:
    """A stop names no level: the oldest lots go first, and what is beyond them opens the other side."""
    lots = Lots()
    lots.take(LEG, "1", D(1), D(100), D(10), is_entry=True)
    lots.take(LEG, "2", D(1), D(90), D(10), is_entry=True)
    lots.take(LEG, "", D("-2.5"), D(80), D(10), is_entry=False)

    assert lots.gained == -300
    assert [(lot.net_qty, lot.price) for lot in lots.open] == [(D("-0.5"), D(80))]


def test_the_residual_of_a_grid_is_that_of_its_open_lots(tmp_path: Path) -> None:
    """By average cost a run of winning pairs would show a loss in its spread and a gain in what it still holds."""
    config = config_of(GRID)
    (book,) = backtest(config, markets(config, tmp_path, 1, 400)).books

    mark = book.legs[0].mark
    assert mark is not None
    held: dict[str, Decimal] = {}
    bought: dict[str, Decimal] = {}
    for fill in book.fills:
        level = fill.slot.partition(":")[0]
        held[level] = held.get(level, D(0)) + fill.side.sign * fill.qty
        if fill.role is Role.ENTRY:
            bought[level] = fill.price
    residual = sum((qty * (mark - bought[level]) for level, qty in held.items()), D(0))

    assert any(held.values())
    assert book.pnl.residual == residual


# Each lead fill leaves a remainder below the hedge's step, and some are below it altogether.
FINE = (
    MIRROR.replace("qty: 0.05", "qty: 0.0017")
    + """
venues: {a: {instruments: {BTC-PERP: {kind: spot, base: BTC, quote: USD, step: 0.0001, fee_currency: base}}}}
"""
)


def test_a_remainder_that_waits_for_more_is_no_slow_hedge(tmp_path: Path) -> None:
    """What is below the hedge's smallest order is counted apart: no engine could have hedged it sooner."""
    config = config_of(FINE)
    (book,) = backtest(config, markets(config, tmp_path, 1, 400)).books
    hedges = [fill for fill in book.fills if fill.latency_ns is not None]

    carried = [fill for fill in hedges if fill.carried_ns]
    longest_ns = max(each.to_ts_ns - each.from_ts_ns for each in book.unhedged)
    assert len(hedges) > 4
    assert carried
    assert max(fill.latency_ns or 0 for fill in hedges) <= longest_ns
    for fill in hedges:
        cause = book.fills[fill.cause - 1]
        assert cause.ts_ns + fill.carried_ns + (fill.latency_ns or 0) == fill.ts_ns
    told = next(fact for fact in facts(book) if fact.key == "hedge_p99_ns").note
    assert told.startswith(f"from when a fill could be hedged; {len(carried)} began with a remainder below an order")


def test_fills_of_both_sides_offset_one_another(tmp_path: Path) -> None:
    """A hedge's cause is what it really offsets: what a later fill of the other side took back is owed no more."""
    config = config_of(FINE)
    (book,) = backtest(config, markets(config, tmp_path, 2, 400)).books

    sides = {fill.side for fill in book.fills if fill.leg_id == "lead"}
    assert len(sides) == 2
    for fill in book.fills:
        if fill.latency_ns is not None:
            assert book.fills[fill.cause - 1].side is not fill.side


def test_a_winner_that_runs_on_alone_is_no_late_hedge(tmp_path: Path) -> None:
    """What one leg earns after the other was stopped is a choice, and its take-profit answers no fill."""
    config = config_of(PAIR + "    after_exit: run_winner\n")
    (book,) = backtest(config, markets(config, tmp_path, 1, 1_500)).books

    won = [fill for fill in book.fills if fill.slot == "take_profit" and fill.leg_id == "short"]
    assert won
    assert all(fill.latency_ns is None for fill in won)
    assert book.latencies_ns


def quiet(path: Path, hours: int) -> TickFile:
    """Return a market that hardly moves, a row a minute."""
    ts_ns = START_NS + np.arange(hours * 60, dtype=np.int64) * 60_000 * MS
    bid = np.full(len(ts_ns), PRICE * 10, np.int64)
    lots = np.full(len(ts_ns), 3_000, np.int64)
    bid[::7] -= 1
    assert int(bid.min()) != NO_BID
    return write_ticks(path, tick=D("0.1"), step=D("0.001"), quotes=Quotes.top(ts_ns, bid, bid + 1, lots, lots))


def test_funding_is_paid_while_the_position_is_held(tmp_path: Path) -> None:
    """A carry lives on it: the config's rate comes every eight hours of the data's days, at the mark of then."""
    text = CARRY + "\nvenues: {b: {funding_bps: 3, instruments: {BTC-PERP: {kind: perp}}}}\nrisk: {stale_ms: 120000}\n"
    config = config_of(text)
    data = {leg.instrument.id: quiet(tmp_path / f"{leg.id}.ticks", 11) for leg in config.books[0].legs}
    recorder = Recorder()
    run = Backtest(config, data, recorder)
    run.run()
    (record,) = recorder.books.values()
    book = book_result(record, data, START_NS, run.end_ns)

    dues = [START_NS // (8 * HOUR_NS) * 8 * HOUR_NS + number * 8 * HOUR_NS for number in (1, 2)]
    paid_ns = [each.ts_ns for each in record.funding if each.net_quote]

    assert paid_ns == dues
    assert book.pnl.funding == sum((each.net_quote for each in record.funding), D(0)) > 0
    assert abs(book.pnl.total - book.equity[-1].gain) < D("1e-15")


@pytest.mark.slow
def test_bytes_stay_the_same_with_funding(tmp_path: Path) -> None:
    """What is skipped over a funding time is not what funding depends on."""
    config = config_of(CARRY + "\nvenues: {b: {funding_bps: 3, instruments: {BTC-PERP: {kind: perp}}}}\n")
    data = {leg.instrument.id: quiet(tmp_path / f"{leg.id}.ticks", 3) for leg in config.books[0].legs}

    assert encoded(backtest(config, data)) == encoded(backtest(config, data, skips=False))
