"""Thousands of worlds: run them, add up what happened, and say for each violation how to see it again."""

from __future__ import annotations

import gc
import multiprocessing
import time
from collections.abc import Callable, Iterator

import msgspec
from rich.console import Console
from rich.table import Table

from hedgerow.sim.faults import Fault
from hedgerow.sim.violation import Violation
from hedgerow.sim.world import World, WorldReport

# Seeds handed to a process at a time: large enough to be cheap, small enough for a steady progress.
CHUNK_LEN = 20
COLLECT_EVERY = 4
Progress = Callable[[int, int], None]
"Called with (worlds done, worlds asked for)."


class Failure(msgspec.Struct, frozen=True):
    """One seed that broke a rule, and the command that repeats it."""

    seed: int
    violations: tuple[Violation, ...]

    @property
    def command(self) -> str:
        return f"hedgerow torture --seed {self.seed} --seeds 1 --trace"


class Report(msgspec.Struct, frozen=True):
    """What a range of seeds gave. The same for any number of processes, but for the time that it took."""

    first_seed: int
    worlds: int
    events: int
    requests: int
    crashes: int
    faults: dict[str, int]
    "Kind -> how often it happened, all kinds, in the order of the list."
    failures: tuple[Failure, ...]
    digest: int
    "The journals of all worlds in one number."
    elapsed_s: float

    @property
    def violations(self) -> int:
        return sum(len(failure.violations) for failure in self.failures)

    @property
    def fault_kinds(self) -> int:
        """How many kinds really happened."""
        return sum(1 for count in self.faults.values() if count)

    @property
    def worlds_per_s(self) -> float:
        return self.worlds / self.elapsed_s if self.elapsed_s else 0.0

    def as_json(self) -> dict[str, object]:
        """Return what `--json` prints."""
        return {
            "worlds": self.worlds,
            "first_seed": self.first_seed,
            "events": self.events,
            "requests": self.requests,
            "fault_kinds": self.fault_kinds,
            "faults": self.faults,
            "crashes": self.crashes,
            "violations": self.violations,
            "failing": [
                {
                    "seed": failure.seed,
                    "command": failure.command,
                    "violations": [{"rule": each.rule, "text": each.text} for each in failure.violations],
                }
                for failure in self.failures
            ],
            "digest": f"{self.digest:064x}",
            "elapsed_s": round(self.elapsed_s, 3),
            "worlds_per_s": round(self.worlds_per_s, 1),
        }

    def print(self, console: Console) -> None:
        """Print the tables for people."""
        table = Table(title="Faults that happened", title_justify="left")
        for _ in range(3):
            table.add_column("kind")
            table.add_column("times", justify="right")
        rows = [(kind.replace("_", " "), f"{count:,}") for kind, count in self.faults.items()]
        third = -(-len(rows) // 3)
        for index in range(third):
            cells: list[str] = []
            for row in rows[index::third]:
                cells += row
            table.add_row(*cells)
        console.print(table)
        console.print(
            f"worlds {self.worlds:,}   events {self.events:,}   requests {self.requests:,}   "
            f"fault kinds {self.fault_kinds}   crashes {self.crashes:,}   "
            f"worlds/s {self.worlds_per_s:,.0f}   violations {self.violations}"
        )
        for failure in self.failures:
            first = failure.violations[0]
            console.print(f"seed {failure.seed}: {first.rule}: {first.text}", style="red", markup=False)
            console.print(f"  repeat: {failure.command}", markup=False)


def run_seed(seed: int, trace: Callable[[str], None] | None = None) -> WorldReport:
    """Run one world. Whatever breaks in it is a violation of that seed, and the next seeds go on."""
    world = World(seed, trace=trace)
    try:
        return world.run()
    except Exception as error:
        world.broken("assert", f"{type(error).__name__}: {str(error)[:500]}")
        return world.report()


def run(seeds: int, first_seed: int = 0, jobs: int = 1, progress: Progress | None = None) -> Report:
    """Run the worlds of `seeds` seeds from `first_seed` on.

    Args:
        jobs: processes; the result does not depend on it.
        progress: told after each chunk.
    """
    started_s = time.monotonic()
    chunks = [
        (start, min(CHUNK_LEN, first_seed + seeds - start))
        for start in range(first_seed, first_seed + seeds, CHUNK_LEN)
    ]
    faults = {kind.value: 0 for kind in Fault}
    failures: list[Failure] = []
    worlds = events = requests = crashes = digest = 0
    for reports in _results(chunks, jobs):
        for report in reports:
            worlds += 1
            events += report.events
            requests += report.requests
            crashes += report.crashes
            # In the order of the seeds, which does not depend on the number of processes.
            digest = (digest * 31 + int(report.digest or "0", 16)) % (1 << 256)
            for kind, count in report.faults.items():
                faults[kind] += count
            if report.violations:
                failures.append(Failure(report.seed, report.violations))
        if progress is not None:
            progress(worlds, seeds)
    elapsed_s = time.monotonic() - started_s
    return Report(first_seed, worlds, events, requests, crashes, faults, tuple(failures), digest, elapsed_s)


def _results(chunks: list[tuple[int, int]], jobs: int) -> Iterator[list[WorldReport]]:
    """Yield the chunks' reports in the order of the seeds."""
    if jobs <= 1 or len(chunks) == 1:
        yield from map(_run_chunk, chunks)
        return
    with multiprocessing.get_context("spawn").Pool(min(jobs, len(chunks))) as pool:
        yield from pool.imap(_run_chunk, chunks)


def _run_chunk(chunk: tuple[int, int]) -> list[WorldReport]:
    start, count = chunk
    # A world is thousands of objects that refer to each other: cheaper to collect when it is over than while it lives.
    was_enabled = gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        reports = []
        for seed in range(start, start + count):
            reports.append(run_seed(seed))
            if seed % COLLECT_EVERY == 0:
                gc.collect()
        return reports
    finally:
        gc.unfreeze()
        if was_enabled:
            gc.enable()
