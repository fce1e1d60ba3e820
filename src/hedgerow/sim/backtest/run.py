"""A whole backtest: a config and market data in, a result out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

import numpy as np
from msgspec.structs import replace

from hedgerow import __version__
from hedgerow.core.commands import Turn
from hedgerow.market.sessions import DAYS_AHEAD
from hedgerow.market.ticks import Kind, TickFile
from hedgerow.model.ids import InstrumentId, VenueId
from hedgerow.model.instrument import Instrument, InstrumentKind
from hedgerow.runtime.hours import tables, with_hours
from hedgerow.runtime.node_config import NodeConfig
from hedgerow.sim.backtest.bars import BarMarket
from hedgerow.sim.backtest.engine import Backtest, Progress
from hedgerow.sim.backtest.outcome import book_result
from hedgerow.sim.backtest.record import Recorder
from hedgerow.sim.backtest.track import Data
from hedgerow.sim.result import BacktestResult, Source

DAY_NS = 86_400_000_000_000
BARS_NOTE = (
    "{}: bars do not tell the order of their prices. A bar's low and high fill only orders that stood before it ended,"
    " prices must go through an order by a tick, and what a fill leads to comes too late for the same bar."
)
UNTOLD_NOTE = "{}: the bars tell no volume; any qty was filled."
NO_TRADES_NOTE = (
    "{}: there are no trades in the data. A resting order is filled when the other side's best price reaches it, and"
    " never by others' trades at its price."
)
TOP_NOTE = (
    "{}: the data shows the best price only. An order gets no more at once than is shown there, and one that rests"
    " behind it stands at the end of its queue when its price first becomes the best."
)
STEP_NOTE = (
    "{}: the data counts qtys in steps of {}, the config in steps of {}; partial fills may leave less than a step."
)


class DataUnfit(Exception):
    """Data and config do not fit together. The text says how, and what helps."""


TICK_NOTE = (
    "{}: the data has prices between the config's ticks of {}; an order that is wanted there is held (off_tick). Give"
    " the instrument `tick: {}`."
)
FUNDING_NOTE = "{}: funding is paid as the data tells it, {}; the config's funding_bps is not."
NO_PERP_NOTE = "{}: the data tells of funding, and it is no perpetual; none is paid."


def traded(config: NodeConfig) -> dict[InstrumentId, Instrument]:
    """Return every instrument that a book of the config trades."""
    return {leg.instrument.id: leg.instrument for book in config.with_positions().books for leg in book.legs}


def named(config: NodeConfig, names: Mapping[str, TickFile]) -> dict[InstrumentId, TickFile]:
    """Return the data of each instrument.

    Args:
        names: `VENUE`, or `VENUE:SYMBOL` where a venue has several instruments, -> data.

    Raises:
        DataUnfit: a name means nothing, or not one thing; an instrument has no data; or the data does not overlap.
    """
    wanted = traded(config)
    found: dict[InstrumentId, TickFile] = {}
    for name, file in names.items():
        at = [each for each in wanted if name in (each, VenueId(each.partition(":")[0]))]
        if not at:
            raise DataUnfit(f"no book trades at '{name}'; name one of {', '.join(sorted(wanted))}, or its venue")
        if len(at) > 1:
            raise DataUnfit(f"'{name}' has several instruments; name one of {', '.join(sorted(at))}")
        found[at[0]] = file
    missing = [each for each in wanted if each not in found]
    if missing:
        raise DataUnfit(f"there is no data of {', '.join(missing)}; add --data {missing[0]}=FILE")
    late = max(found, key=lambda each: found[each].first_ts_ns)
    early = min(found, key=lambda each: found[each].last_ts_ns)
    if found[late].first_ts_ns > found[early].last_ts_ns:
        raise DataUnfit(f"the data of {early} ends before that of {late} begins; take files of the same time")
    return found


def backtest(
    config: NodeConfig,
    data: Mapping[InstrumentId, TickFile],
    *,
    seed: int | None = None,
    skips: bool = True,
    progress: Progress | None = None,
    take_turn: Callable[[Turn], object] | None = None,
) -> BacktestResult:
    """Run the books of a config over recorded markets and return what came of it.

    Args:
        data: of every instrument that a book trades, as `named` returns it.
        seed: of the latencies; None takes the config's.
        skips: pass over in bulk what cannot matter; the fills are the same without.
        progress: told (rows gone by, rows in all) now and then.
        take_turn: takes each turn of each book.

    Raises:
        BookBroke: a rule of the engine's own broke.
    """
    config = config if seed is None else replace(config, seed=seed)
    markets: dict[InstrumentId, Data] = {
        each: BarMarket(file) if file.kind is Kind.BARS else file for each, file in data.items()
    }
    start_ns = min(market.first_ts_ns for market in markets.values())
    days = (max(file.last_ts_ns for file in data.values()) - start_ns) // DAY_NS
    hours = tables(config.calendars, start_ns, days + DAYS_AHEAD)
    config = replace(config, books=with_hours(config.with_positions().books, hours))
    recorder = Recorder()
    run = Backtest(config, markets, recorder, skips=skips, take_turn=take_turn)
    run.run(progress)
    end_ns = run.clock.now_ns() if run.clock.now_ns() > run.end_ns else run.end_ns
    return BacktestResult(
        __version__,
        config.name.rpartition("/")[2],
        config.sha,
        config.seed,
        start_ns,
        end_ns,
        tuple(_source(each, file) for each, file in data.items()),
        tuple(book_result(record, markets, start_ns, end_ns) for record in recorder.books.values()),
        sum(track.rows_in_all for track in run.tracks.values()),
        notes=_notes(traded(config), data),
    )


def _source(instrument_id: InstrumentId, file: TickFile) -> Source:
    rows = file.rows + file.trade_rows
    name = file.header.sources[0] if file.header.sources else file.path.name
    return Source(
        instrument_id.partition(":")[0], name, instrument_id, rows, file.first_ts_ns, file.last_ts_ns, file.digest
    )


def _notes(instruments: Mapping[InstrumentId, Instrument], data: Mapping[InstrumentId, TickFile]) -> tuple[str, ...]:
    notes = []
    for each, file in data.items():
        dues = len(np.unique(file.funding.due_ns))
        if dues and instruments[each].kind is InstrumentKind.PERP:
            notes.append(FUNDING_NOTE.format(each, f"{dues:,} times" if dues > 1 else "once"))
        elif dues:
            notes.append(NO_PERP_NOTE.format(each))
        if file.kind is Kind.BARS:
            notes.append(BARS_NOTE.format(each))
            if not file.bars.volume.any():
                notes.append(UNTOLD_NOTE.format(each))
        else:
            if not file.trade_rows:
                notes.append(NO_TRADES_NOTE.format(each))
            if file.depth == 1:
                notes.append(TOP_NOTE.format(each))
        if file.kind is Kind.QUOTES and file.tick % instruments[each].tick != Decimal(0):
            notes.append(TICK_NOTE.format(each, instruments[each].tick, file.tick))
        if file.step % instruments[each].step != Decimal(0):
            notes.append(STEP_NOTE.format(each, file.step, instruments[each].step))
    return tuple(notes)
