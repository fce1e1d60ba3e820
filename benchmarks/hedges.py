"""Lead fills hedged per second, over sizes from a thousand to a million, with and without the journal on disk.

Each measurement runs in a fresh process: `python -m benchmarks.hedges SHAPE FILLS FILLS_PER_ORDER on|off`, the last
word saying whether the turns are journaled. The journal is the real one with group commit; orders do not wait for it
here (`latency` does), but the clock stops only when every turn is durable.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import msgspec

from benchmarks.process import peak_rss_mib, run_module, scratch
from benchmarks.report import Number, at_least, at_most
from benchmarks.world import FILLS_PER_ORDER, SHAPES, World, keep_no_turn
from hedgerow.journal.errors import JournalError
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.journal.writer import JournalWriter

QUICK_SIZES = (1_000, 10_000)
SIZES = (1_000, 10_000, 100_000, 1_000_000)
GOAL_PER_S = 25_000
GOAL_RATIO = 0.9
# A book keeps its latest closed orders and nothing else that grows; this much is the interpreter's own.
GOAL_GROWTH_MIB = 8
WARM_UP_FILLS = 300
# An order of its own for each lead fill: what the comparison with other engines runs.
ORDER_PER_FILL_SIZE = 10_000


class Measured(msgspec.Struct, frozen=True):
    """One run: how many lead fills were hedged in which time."""

    fills: int
    took_s: float
    cpu_s: float
    "Processor time of all threads."
    turns: int
    events: int
    peak_rss_mib: float


def measure(shape: str, fills: int, fills_per_order: int, folder: Path | None) -> Measured:
    """Hedge `fills` lead fills, with the journal in `folder` or without one; only the loop is timed."""
    World(SHAPES[shape], keep_no_turn).run(WARM_UP_FILLS)
    if folder is None:
        world = World(SHAPES[shape], keep_no_turn, fills_per_order)
        return _timed(world, fills, lambda: None)
    store = SqliteStore(folder / "journal.db")
    store.start_epoch()
    errors: list[JournalError] = []
    writer = JournalWriter(store, lambda seq: None, errors.append)
    measured = _timed(World(SHAPES[shape], writer.append, fills_per_order), fills, writer.close)
    store.close()
    assert not errors, errors
    return measured


def _timed(world: World, fills: int, finish: Callable[[], None]) -> Measured:
    turns, events = world.turns, world.events
    started, cpu_started = time.perf_counter(), time.process_time()
    world.run(fills)
    finish()
    took_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu_started
    world.check()
    return Measured(fills, took_s, cpu_s, world.turns - turns, world.events - events, peak_rss_mib())


def measured(shape: str, fills: int, fills_per_order: int, *, journaled: bool, repeats: int) -> Measured:
    """Return the median of some runs, each in a fresh process; of memory, the largest."""
    arguments = [shape, str(fills), str(fills_per_order), "on" if journaled else "off"]
    runs = [run_module("benchmarks.hedges", arguments, Measured) for _ in range(repeats)]
    return msgspec.structs.replace(
        runs[0],
        took_s=median(run.took_s for run in runs),
        cpu_s=median(run.cpu_s for run in runs),
        peak_rss_mib=max(run.peak_rss_mib for run in runs),
    )


def run(quick: bool, sizes: tuple[int, ...] = ()) -> list[Number]:
    """Run every shape and size, journaled and not, and what follows from them."""
    sizes = tuple(sorted(sizes or (QUICK_SIZES if quick else SIZES)))
    numbers = []
    for shape in SHAPES:
        for journaled in (False, True):
            runs = [
                measured(shape, size, FILLS_PER_ORDER, journaled=journaled, repeats=_repeats(size)) for size in sizes
            ]
            numbers += [_rate(shape, each, journaled) for each in runs]
            if len(runs) > 1:
                numbers += _growth(shape, runs[0], runs[-1], journaled)
        each = measured(shape, min(ORDER_PER_FILL_SIZE, sizes[-1]), 1, journaled=False, repeats=_repeats(sizes[0]))
        what = f"{shape.replace('_', '-')}, a lead order of its own for each fill, no journal"
        rate, cpu_rate = each.fills / each.took_s, each.fills / each.cpu_s
        numbers.append(at_least(f"hedges/{shape}/{each.fills}/order_per_fill", what, "/s", rate, None, cpu_rate))
    return numbers


def _rate(shape: str, each: Measured, journaled: bool) -> Number:
    name = f"hedges/{shape}/{each.fills}" + ("/journal" if journaled else "")
    kept = "turns durable on disk at the end, group commit" if journaled else "no journal"
    what = f"lead fills hedged, {shape.replace('_', '-')}, {kept}"
    cpu_rate = None if journaled else each.fills / each.cpu_s
    return at_least(name, what, "/s", each.fills / each.took_s, GOAL_PER_S, cpu_rate)


def _growth(shape: str, small: Measured, large: Measured, journaled: bool) -> list[Number]:
    suffix = "/journal" if journaled else ""
    sizes = f"{small.fills:,} and {large.fills:,} lead fills"
    ratio = (large.fills / large.took_s) / (small.fills / small.took_s)
    cpu_ratio = None if journaled else (large.fills / large.cpu_s) / (small.fills / small.cpu_s)
    grown_mib = large.peak_rss_mib - small.peak_rss_mib
    # The journal's queue may fill up to its bound when the disk is slower than the book.
    goal_mib = None if journaled else GOAL_GROWTH_MIB
    return [
        at_least(
            f"hedges/{shape}/ratio{suffix}",
            f"rate at the larger of {sizes} ÷ the smaller",
            "×",
            ratio,
            GOAL_RATIO,
            cpu_ratio,
        ),
        at_most(f"hedges/{shape}/rss_growth{suffix}", f"peak memory between {sizes}", "MiB", grown_mib, goal_mib),
    ]


def _repeats(fills: int) -> int:
    return 5 if fills <= 10_000 else 3 if fills <= 100_000 else 1


def main(shape: str, fills: str, fills_per_order: str, journaled: str) -> None:
    if journaled == "off":
        result = measure(shape, int(fills), int(fills_per_order), None)
    else:
        with scratch() as folder:
            result = measure(shape, int(fills), int(fills_per_order), Path(folder))
    print(msgspec.json.encode(result).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
