"""The hunt: worlds, or stories, are lived with a mistake put back, until one of them finds it.

A mistake that survives shows a blind oracle, a fault that is too rare, or a story that proves nothing.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from hedgerow.sim.mutants import carry, core, exits, grid, mirror, pair
from hedgerow.sim.mutants.mutant import Mutant
from hedgerow.sim.scenario import run_file
from hedgerow.sim.torture import run_seed

SEEDS_MAX = 1_500
"Seeds within which each mutant must be found."
STORIES = Path(__file__).parents[4] / "tests" / "scenarios"
"Stories stay with the source: a copy that was installed without it has none."
MUTANTS: dict[str, Mutant] = {
    mutant.name: mutant for room in (core, mirror, carry, grid, pair, exits) for mutant in room.MUTANTS
}


class Hunt(msgspec.Struct, frozen=True):
    """What became of one mutant."""

    name: str
    row: str
    sentence: str
    seeds: int
    "Seeds, or stories, that were tried, the one that found it included."
    rule: str
    "The rule that it broke first; empty when it survived."
    text: str

    @property
    def killed(self) -> bool:
        return bool(self.rule)


class MutantReport(msgspec.Struct, frozen=True):
    """What became of all of them."""

    hunts: tuple[Hunt, ...]
    elapsed_s: float

    @property
    def killed(self) -> int:
        return sum(hunt.killed for hunt in self.hunts)

    def as_json(self) -> dict[str, object]:
        """Return what `--json` prints."""
        return {
            "mutants": len(self.hunts),
            "killed": self.killed,
            "survivors": [hunt.name for hunt in self.hunts if not hunt.killed],
            "seeds": {hunt.name: hunt.seeds for hunt in self.hunts},
            "elapsed_s": round(self.elapsed_s, 3),
        }

    def print(self, console: Console) -> None:
        """Print the table for people."""
        table = Table(title="Mistakes put back", title_justify="left")
        for name in ("mutant", "row", "the mistake"):
            table.add_column(name)
        table.add_column("seeds", justify="right")
        table.add_column("found by")
        for hunt in self.hunts:
            table.add_row(hunt.name, hunt.row, hunt.sentence, str(hunt.seeds), hunt.rule or "SURVIVED")
        console.print(table)
        console.print(f"mutants {len(self.hunts)}   killed {self.killed}")


def run(
    jobs: int = 1, progress: Callable[[Hunt], None] | None = None, names: Iterable[str] | None = None
) -> MutantReport:
    """Hunt mutants, each with seeds from 0 on until one finds it.

    Args:
        jobs: processes.
        progress: told of each hunt as it ends, in the order of the list.
        names: which ones; None hunts all.

    Raises:
        KeyError: there is no mutant of that name.
    """
    started_s = time.monotonic()
    wanted = list(MUTANTS) if names is None else [MUTANTS[name].name for name in names]
    hunts: list[Hunt] = []
    for hunt in _hunts(wanted, jobs):
        hunts.append(hunt)
        if progress is not None:
            progress(hunt)
    return MutantReport(tuple(hunts), time.monotonic() - started_s)


def _hunts(names: list[str], jobs: int) -> Iterator[Hunt]:
    if jobs <= 1 or len(names) <= 1:
        yield from map(hunt_mutant, names)
        return
    with multiprocessing.get_context("spawn").Pool(min(jobs, len(names))) as pool:
        yield from pool.imap(hunt_mutant, names)


def hunt_mutant(name: str, seeds_max: int = SEEDS_MAX) -> Hunt:
    """Live worlds, or the mutant's stories, with one mistake put back, until one of them finds it.

    Raises:
        FileNotFoundError: its stories are not there.
    """
    mutant = MUTANTS[name]
    if mutant.stories:
        return _hunt_in_stories(mutant)
    with mutant.active():
        for seed in range(seeds_max):
            report = run_seed(seed)
            if report.violations:
                first = report.violations[0]
                return Hunt(name, mutant.row, mutant.sentence, seed + 1, first.rule, first.text)
    return Hunt(name, mutant.row, mutant.sentence, seeds_max, "", "")


def _hunt_in_stories(mutant: Mutant) -> Hunt:
    """A story counts only if it holds without the mistake."""
    tried = 0
    for file_name in mutant.stories:
        path = STORIES / file_name
        if not path.is_file():
            raise FileNotFoundError(f"{mutant.name} needs the story {file_name}, which comes with the source only")
        tried += 1
        if not run_file(path).passed:
            continue
        with mutant.active():
            result = run_file(path)
        if not result.passed and result.readable:
            return Hunt(mutant.name, mutant.row, mutant.sentence, tried, "story", result.told)
    return Hunt(mutant.name, mutant.row, mutant.sentence, tried, "", "")
