"""Torture worlds per second, with two jobs."""

from __future__ import annotations

from benchmarks.process import MeasurementFailed
from benchmarks.report import Number, at_least
from hedgerow.sim import torture

JOBS = 2
SEEDS, QUICK_SEEDS = 2_000, 200
GOAL_PER_S = 40


def run(quick: bool, seeds: int = 0) -> list[Number]:
    """Run as many seeds as told or as usual.

    Raises:
        MeasurementFailed: a world broke a rule, so that its speed says nothing.
    """
    told = torture.run(seeds or (QUICK_SEEDS if quick else SEEDS), jobs=JOBS)
    if told.failures:
        first = told.failures[0]
        raise MeasurementFailed(f"{told.violations} violations in {told.worlds} worlds; repeat: {first.command}")
    what = f"{told.worlds:,} torture worlds with {JOBS} jobs, {told.crashes:,} crashes in them"
    return [at_least("worlds", what, "/s", told.worlds_per_s, GOAL_PER_S)]
