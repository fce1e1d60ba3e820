"""Torture worlds per second, with two jobs, as `hedgerow torture` counts them."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import msgspec

from benchmarks.process import run as run_command
from benchmarks.report import Number, Skipped, at_least

JOBS = 2
SEEDS, QUICK_SEEDS = 2_000, 200
GOAL_PER_S = 40


class Told(msgspec.Struct, frozen=True):
    """What of its JSON is needed here."""

    worlds: int
    worlds_per_s: float


def run(quick: bool) -> list[Number | Skipped]:
    """Run some seeds, or say why not.

    Raises:
        MeasurementFailed: torture found a violation, or did not run.
    """
    if find_spec("hedgerow.cli") is None or find_spec("hedgerow.sim.torture") is None:
        return [Skipped("worlds", "this version has no `hedgerow torture`")]
    seeds = QUICK_SEEDS if quick else SEEDS
    call = "from hedgerow.cli import main; main()"
    told = run_command(
        [sys.executable, "-c", call, "torture", "--seeds", str(seeds), "--jobs", str(JOBS), "--json"], Told
    )
    return [at_least("worlds", f"{told.worlds:,} torture worlds with {JOBS} jobs", "/s", told.worlds_per_s, GOAL_PER_S)]
