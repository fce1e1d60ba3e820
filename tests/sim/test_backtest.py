"""Backtests: skipping changes nothing, the live node does the same, and the numbers add up."""

from __future__ import annotations

import gzip
import random
from collections.abc import Mapping
from decimal import Decimal
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from hedgerow.core import step as step_module
from hedgerow.core.commands import LookUpFill, Turn
from hedgerow.core.events import BookStarted, FillReceived
from hedgerow.core.step import empty_book
from hedgerow.journal.errors import JournalError
from hedgerow.market.importing import import_files
from hedgerow.market.latency import Latency
from hedgerow.market.sources import Recipe
from hedgerow.market.tape import Tape, merge
from hedgerow.market.ticks import Bars, Quotes, TickFile, write_ticks
from hedgerow.model.ids import BookId, InstrumentId, LegId
from hedgerow.model.order import Role, Side
from hedgerow.runtime.cycle import Cycle
from hedgerow.runtime.dispatch import Budget, Dispatch
from hedgerow.runtime.node_config import NodeConfig
from hedgerow.runtime.simulated import delay_of, open_exchanges
from hedgerow.sim.backtest.engine import Backtest
from hedgerow.sim.backtest.files import opened
from hedgerow.sim.backtest.marks import Marks
from hedgerow.sim.backtest.outcome import book_result
from hedgerow.sim.backtest.record import Recorder
from hedgerow.sim.backtest.run import DataUnfit, backtest, named, traded
from hedgerow.sim.result import FillRow, encoded
from hedgerow.strategies import make
from hedgerow.venues.sim_gateway import SimGateway
from hedgerow.venues.sim_venues import SimVenues, TapeFeed
from hedgerow.venues.sim_wire import Hello
from tests.sim.markets import (
    BOOKS,
    CARRY,
    CONFIGS,
    EXITS,
    GRID,
    MIRROR,
    MS,
    PAIR,
    PRICE,
    START_NS,
    bar_markets,
    config_of,
    frames,
    market,
    markets,
)
from tests.venues.clockwork import VirtualClock

D = Decimal
SHARED = Path(__file__).parents[3] / "shared" / "data"


def compared(name: str, folder: Path, seed: int, rows: int) -> list[FillRow]:
    """Assert that a run with and one without skipping give the same bytes, and return the fills."""
    config = config_of(CONFIGS[name])
    data = markets(config, folder, seed, rows)
    skipped = backtest(config, data, seed=seed)
    stepped = backtest(config, data, seed=seed, skips=False)
    assert encoded(skipped) == encoded(stepped)
    return [fill for book in skipped.books for fill in book.fills]


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_skipping_changes_nothing(name: str, tmp_path: Path) -> None:
    """What is passed over in bulk leaves the same fills, holds and P&L, byte for byte, as stepping each row."""
    assert len(compared(name, tmp_path, 2, 300)) > 2


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_skipping_changes_nothing_in_many_markets(name: str, seed: int, tmp_path: Path) -> None:
    """The same over markets of one to three levels, with and without trades, that jump and fall silent."""
    assert len(compared(name, tmp_path, seed, 3_000)) > 5


@pytest.mark.parametrize("name", sorted(BOOKS))
def test_skipping_changes_nothing_of_bars(name: str, tmp_path: Path) -> None:
    """Between the rows of bars nothing is stepped that cannot matter: the same result as with each second looked at."""
    config = config_of(BOOKS[name])
    data = bar_markets(config, tmp_path, 1, 30)
    skipped, stepped = (backtest(config, data, skips=skips) for skips in (True, False))
    assert encoded(skipped) == encoded(stepped)
    assert skipped.books[0].fills


def limited(text: str, most: str) -> str:
    """Return a config with limits over all books."""
    limits = ", ".join(
        f"{key}: {most}" for key in ("symbol_exposure_ratio_max", "total_exposure_ratio_max", "leverage_max")
    )
    return text.replace("risk: {", f"risk: {{{limits}, ") if "risk: {" in text else f"{text}\nrisk: {{{limits}}}\n"


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_the_books_of_a_backtest_are_told_of_one_another(name: str, tmp_path: Path) -> None:
    """Limits over all books let pass what they do not forbid and stop what they do, skipped or not."""
    fills = []
    for most in ("1000", "0.000001"):
        config = config_of(limited(CONFIGS[name], most))
        data = markets(config, tmp_path, 2, 300)
        skipped, stepped = (backtest(config, data, skips=skips) for skips in (True, False))
        assert encoded(skipped) == encoded(stepped)
        fills.append(sum(len(book.fills) for book in skipped.books))
    assert fills[0] > 2
    assert fills[1] == 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", sorted(BOOKS))
def test_skipping_changes_nothing_of_many_bars(name: str, seed: int, tmp_path: Path) -> None:
    """The same over more bars of 3 to 12 seconds, some of them missing for longer than a price is fresh."""
    config = config_of(BOOKS[name])
    data = bar_markets(config, tmp_path, seed, 250)
    skipped, stepped = (backtest(config, data, seed=seed, skips=skips) for skips in (True, False))
    assert encoded(skipped) == encoded(stepped)


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_a_book_that_never_sleeps_does_the_same(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What policies and planner promise of prices holds: planning at each quote leads to the same turns."""
    config = config_of(CONFIGS[name])
    data = markets(config, tmp_path, 2, 250)
    slept: list[Turn] = []
    awake: list[Turn] = []
    backtest(config, data, skips=False, take_turn=slept.append)
    monkeypatch.setattr(step_module, "_fall_asleep", lambda _: None)
    backtest(config, data, skips=False, take_turn=awake.append)
    assert [turn.commands for turn in slept] == [turn.commands for turn in awake]
    assert [turn.ts_ns for turn in slept] == [turn.ts_ns for turn in awake]


def test_a_resting_grid_is_not_stepped(tmp_path: Path) -> None:
    """Rows inside of what the policy promised reach neither the exchange nor the book."""
    config = config_of(GRID.replace("59850", "59000").replace("60150", "61000").replace("levels: 60", "levels: 20"))
    quiet = market(tmp_path / "a.ticks", 1, 400)
    calm = np.full(400, PRICE * 10, np.int64)
    still = Quotes.top(quiet.quotes.ts_ns, calm - 1, calm + 1, quiet.quotes.bid_qty, quiet.quotes.ask_qty)
    (instrument_id,) = traded(config)
    file = write_ticks(tmp_path / "b.ticks", tick=D("0.1"), step=D("0.001"), quotes=still)
    run = Backtest(config, {instrument_id: file}, Recorder())
    played = _count_plays(run)
    run.run()
    assert run.rows_seen == 400
    assert len(played) < 100


def _count_plays(run: Backtest) -> list[int]:
    played: list[int] = []
    (track,) = run.tracks.values()
    play_next = track.play_next

    def counted() -> int:
        played.append(1)
        return play_next()

    track.play_next = counted  # type: ignore[method-assign]
    return played


class Live:
    """The live node's own parts on a tape, in virtual time: cycle, doors, gateways, venues and feed."""

    def __init__(self, config: NodeConfig, tapes: Mapping[InstrumentId, Path]) -> None:
        self.clock = VirtualClock()
        self.fills: list[tuple[LegId, Side, Decimal, Decimal]] = []
        self._config = config
        self._appended = self._durable = 0
        exchanges = open_exchanges(config)
        for instrument_id, path in tapes.items():
            exchanges[traded(config)[instrument_id].venue_id].show_part(instrument_id)
            assert path.exists()
        latencies = {
            venue.id: Latency(random.Random(venue.id), delay_of(venue.latency_ms), delay_of(venue.latency_ms))
            for venue in config.venues
        }
        feed = TapeFeed(merge([Tape(path, instrument_id) for instrument_id, path in tapes.items()]), exchanges)
        self.venues = SimVenues(self.clock, exchanges, latencies, [feed])
        (book,) = config.books
        self.book = empty_book(book, make(book))
        self.cycle = Cycle(self.clock, self, self._look_up, self)
        gateways = {leg.id: self._gateway(leg.id) for leg in book.legs}
        doors = {leg.id: Dispatch(self.clock, Budget()) for leg in book.legs}
        self.cycle.add(self.book, gateways, doors)
        self.venues.start()
        self.cycle.deliver(book.book_id, BookStarted(self.clock.now_ns(), 1, book))
        for leg in book.legs:
            gateways[leg.id].start(leg.id, leg.instrument, lambda _, event: self.cycle.deliver(book.book_id, event))

    def _gateway(self, leg_id: LegId) -> SimGateway:
        leg = self._config.books[0].leg(leg_id)
        hello = Hello(leg.account_id, leg.instrument.id)
        gateway: SimGateway
        gateway = SimGateway(
            leg.account_id, leg.lease_ms, self.clock, lambda: self.venues.open_desk(hello, gateway.receive)
        )
        return gateway

    def _look_up(self, book_id: BookId, command: LookUpFill) -> None:
        raise AssertionError((book_id, command))

    backlog_len = 0

    def append(self, turn: Turn) -> int:
        if isinstance(turn.event, FillReceived):
            fill = turn.event.fill
            leg_id = self.book.leg_of(fill.account_id, fill.instrument_id)
            assert leg_id is not None, fill
            self.fills.append((leg_id, fill.side, fill.qty, fill.price))
        self._appended += 1
        self.clock.call_at(self.clock.now_ns(), lambda seq=self._appended: self.cycle.durable(seq))  # type: ignore[misc]
        return self._appended

    def save_snapshot(self, book_id: BookId, body: bytes) -> None:
        """Nobody will start from it."""

    def turned(self, turns: list[tuple[int, Turn]]) -> None:
        """Nothing to show."""

    def faulted(self, book_id: BookId, error: Exception) -> None:
        raise AssertionError(book_id) from error

    def journal_failed(self, error: JournalError) -> None:
        raise AssertionError from error


def by_leg(fills: list[tuple[LegId, Side, Decimal, Decimal]]) -> dict[LegId, list[tuple[Side, Decimal, Decimal]]]:
    """Return the fills of each leg in order: two legs' messages may pass one another on their ways."""
    told: dict[LegId, list[tuple[Side, Decimal, Decimal]]] = {}
    for leg_id, side, qty, price in fills:
        told.setdefault(leg_id, []).append((side, qty, price))
    return told


# Its timers run from the fills, and a way that took longer would end them behind another quote.
STILL_PAIR = (
    PAIR
    + """
venues:
  a: {latency_ms: 0, instruments: {BTC-PERP: {kind: perp}}}
  b: {latency_ms: 0, instruments: {BTC-PERP: {kind: perp}}}
"""
)
NEAR_EXITS = EXITS.replace("1.0008", "1.00012").replace("1.0003", "1.00005").replace("0.999", "0.9999")


@pytest.mark.parametrize(
    "text", [MIRROR, CARRY, GRID, STILL_PAIR, NEAR_EXITS], ids=["mirror", "carry", "grid", "pair", "exits"]
)
def test_the_live_node_gets_the_same_fills(text: str, tmp_path: Path) -> None:
    """A book that is run over frames trades as the node does that plays the same frames: leg, side, qty and price."""
    config = config_of(text).with_positions()
    paths = {each: tmp_path / f"{at}.frames" for at, each in enumerate(traded(config))}
    for at, path in enumerate(paths.values()):
        frames(path, 7 + at, 200, 100)
    live = Live(config, paths)
    live.clock.run(200 * 100 * MS + 1_000 * MS)
    files, _ = opened([(each, str(path)) for each, path in paths.items()], tmp_path)
    result = backtest(config, named(config, files))
    fills = [(LegId(fill.leg_id), fill.side, fill.qty, fill.price) for fill in result.books[0].fills]
    assert len(fills) > (1 if text is NEAR_EXITS else 2)
    assert by_leg(fills) == by_leg(live.fills)


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_the_total_is_what_the_exchanges_accounts_gained(name: str, tmp_path: Path) -> None:
    """Balances and open positions at the exchange, which keeps its own accounts, say the same as the result."""
    config = config_of(CONFIGS[name])
    data = markets(config, tmp_path, 1, 400)
    recorder = Recorder()
    run = Backtest(config, data, recorder)
    run.run()
    (record,) = recorder.books.values()
    book = book_result(record, data, START_NS, run.end_ns)
    gained = D(0)
    for leg in record.book.config.legs:
        exchange = run.tracks[leg.instrument.id].exchange
        gained += exchange.balances(leg.account_id)["USD"] - 500_000
        net_qty = exchange.positions(leg.account_id)[leg.instrument.id]
        average, mark = exchange.avg_price(leg.account_id, leg.instrument.id), Marks(data[leg.instrument.id])
        if average is not None:
            gained += net_qty * ((mark.at(run.end_ns) or D(0)) - average)
    assert book.fills
    assert abs(book.pnl.total - gained) < D("1e-6")
    assert book.pnl.total == book.equity[-1].gain
    assert book.pnl.fees == sum(fill.fee for fill in book.fills)


def test_prices_between_the_configs_ticks_are_told(tmp_path: Path) -> None:
    """A maker that follows the best price could stand at none of them, and nothing else would say why it does not."""
    config = config_of(MIRROR)
    fine = market(tmp_path / "a.ticks", 1, 50).quotes
    files = {
        each: write_ticks(tmp_path / "b.ticks", tick=D("0.01"), step=D("0.001"), quotes=fine) for each in traded(config)
    }
    told = "the data has prices between the config's ticks of 0.1; an order that is wanted there is held (off_tick)"
    assert any(told in note and note.endswith("`tick: 0.01`.") for note in backtest(config, files).notes)


def test_every_hedge_has_its_cause(tmp_path: Path) -> None:
    """Each hedge fill names the lead fill that it hedges, and comes a way there and back later."""
    config = config_of(MIRROR)
    (book,) = backtest(config, markets(config, tmp_path, 1, 400)).books
    hedges = [fill for fill in book.fills if fill.leg_id == "hedge"]
    assert hedges
    for fill in hedges:
        cause = book.fills[fill.cause - 1]
        assert cause.leg_id == "lead"
        assert fill.latency_ns is not None and fill.latency_ns > 0
    assert book.unhedged_ns > 0
    assert sum(each.to_ts_ns - each.from_ts_ns for each in book.unhedged) == book.unhedged_ns


def bars(path: Path, *rows: tuple[int, int, int, int]) -> TickFile:
    """Return one-minute bars of (open, high, low, close)."""
    columns = [np.array(column, np.int64) for column in zip(*rows, strict=True)]
    ts_ns = START_NS + np.arange(len(rows), dtype=np.int64) * 60_000 * MS
    open_, high, low, close = (column * 10 for column in columns)
    volume = np.full(len(rows), 10**6, np.int64)
    table = Bars(ts_ns, open_, high, low, close, volume)
    return write_ticks(path, tick=D("0.1"), step=D("0.001"), bars=table, interval_ns=60_000 * MS)


def test_a_bar_never_holds_a_fill_and_its_exit(tmp_path: Path) -> None:
    """Nobody knows whether a bar's high came after its low, so what its low filled is not sold at its high."""
    config = config_of(GRID)
    (instrument_id,) = traded(config)
    file = bars(
        tmp_path / "bars.ticks",
        (PRICE, PRICE, PRICE, PRICE),
        (PRICE, PRICE + 60, PRICE - 60, PRICE),
        (PRICE, PRICE + 60, PRICE - 60, PRICE),
        (PRICE, PRICE, PRICE, PRICE),
    )
    result = backtest(config, {instrument_id: file})
    (book,) = result.books
    entries = {fill.id: fill for fill in book.fills if fill.role is Role.ENTRY}
    exits = [fill for fill in book.fills if fill.role is Role.EXIT]
    assert entries
    assert exits
    minute_ns = 60_000 * MS
    for fill in exits:
        entered = entries[fill.cause]
        assert (fill.ts_ns - START_NS) // minute_ns > (entered.ts_ns - START_NS) // minute_ns, fill
    assert "a fill leads to comes too late for the same bar" in result.notes[0]


def test_a_price_must_go_through_an_order_of_a_bar(tmp_path: Path) -> None:
    """A low that only touches a level leaves it unfilled: others stood there before."""
    config = config_of(GRID)
    (instrument_id,) = traded(config)
    still = (PRICE, PRICE, PRICE, PRICE)
    file = bars(tmp_path / "bars.ticks", still, still, (PRICE, PRICE, PRICE - 20, PRICE), still)
    (book,) = backtest(config, {instrument_id: file}).books
    assert book.fills
    assert min(fill.price for fill in book.fills) > PRICE - 20


def test_data_and_config_must_fit(tmp_path: Path) -> None:
    """A name that means nothing, an instrument without data, and data of other times are refused with the remedy."""
    config = config_of(MIRROR)
    early = market(tmp_path / "a.ticks", 1, 50)
    late_ns = early.quotes.ts_ns + 3_600_000 * MS
    quotes = early.quotes
    moved = Quotes.top(late_ns, quotes.bid, quotes.ask, quotes.bid_qty, quotes.ask_qty)
    late = write_ticks(tmp_path / "b.ticks", tick=D("0.1"), step=D("0.001"), quotes=moved)
    with pytest.raises(DataUnfit, match="no book trades at 'c'; name one of a:BTC-PERP, b:BTC-PERP"):
        named(config, {"c": early})
    with pytest.raises(DataUnfit, match="there is no data of b:BTC-PERP; add --data b:BTC-PERP=FILE"):
        named(config, {"a": early})
    with pytest.raises(DataUnfit, match="the data of a:BTC-PERP ends before that of b:BTC-PERP begins"):
        named(config, {"a": early, "b": late})


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="the recorded frames are not here")
def test_recorded_frames_give_the_live_nodes_fills(tmp_path: Path) -> None:
    """On frames that a venue sent, with every level kept and no chance in the latencies, the fills are the node's."""
    still = "venues: {a: {latency_ms: 0, instruments: {BTC-PERP: {kind: perp}}}}"
    config = config_of(GRID.replace("59850", "61500").replace("60150", "62000") + still)
    (instrument_id,) = traded(config)
    path = tmp_path / "part.frames"
    with gzip.open(next(SHARED.glob("*usdm*.frames.gz")), "rt") as recorded:
        path.write_text("".join(islice(recorded, 10_000)))
    file = import_files([path], tmp_path / "all.ticks", Recipe(depth=1_000)).ticks
    live = Live(config, {instrument_id: path})
    live.clock.run(file.last_ts_ns - file.first_ts_ns + 1_000 * MS)
    result = backtest(config, {instrument_id: file})
    fills = [(LegId(fill.leg_id), fill.side, fill.qty, fill.price) for fill in result.books[0].fills]
    assert len(fills) > 2
    assert fills == live.fills
