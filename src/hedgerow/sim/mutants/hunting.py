"""The hunt: worlds are lived with a mistake put back until one of them finds it, and the stories that tell of it.

A mistake that survives shows a blind oracle, a fault that is too rare, or a story that proves nothing.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import re
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import msgspec
from rich.console import Console
from rich.table import Table

from hedgerow.sim.mutants import carry, core, exits, grid, mirror, pair, people
from hedgerow.sim.mutants.mutant import Mutant
from hedgerow.sim.scenario import run_file
from hedgerow.sim.torture import run_seed

SEEDS_MAX = 1_500
"Seeds within which each mutant must be found."
STORIES = Path(__file__).parents[4] / "tests" / "scenarios"
"Stories stay with the source: a copy that was installed without it has none."
CHECKS = STORIES / "checks.py"
"What no story can say: functions without arguments that raise where something does not hold."
# A story `G01_….txt` and a check `g01_…` tell of row G1; X is for stories of no row.
_ROW = re.compile(r"([A-WYZ])(\d\d)_", re.IGNORECASE)
_CHECK = re.compile(r"^def ([a-z]\d\d_\w+)\(\)", re.MULTILINE)
MUTANTS: dict[str, Mutant] = {
    mutant.name: mutant for room in (core, mirror, carry, grid, pair, exits, people) for mutant in room.MUTANTS
}


class NeedsSource(Exception):
    """A mutant is told by a story or a check that an installed package has not."""


class Hunt(msgspec.Struct, frozen=True):
    """What became of one mutant."""

    name: str
    row: str
    "All of its rows."
    sentence: str
    seeds: int
    "Seeds that were tried, the one that found it included; or stories and checks."
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
    """Play the mutant's stories and checks with the mistake put back, and live worlds with it until one finds it.

    Raises:
        FileNotFoundError: its stories are not there.
    """
    mutant = MUTANTS[name]
    if mutant.told:
        hunt = _hunt_where_told(mutant)
        if not hunt.killed or not mutant.in_worlds:
            return hunt
    with mutant.active():
        for seed in range(seeds_max):
            report = run_seed(seed)
            if report.violations:
                first = report.violations[0]
                return _hunted(mutant, seed + 1, first.rule, first.text)
    return _hunted(mutant, seeds_max)


def _hunted(mutant: Mutant, tried: int, rule: str = "", text: str = "") -> Hunt:
    return Hunt(mutant.name, ", ".join(mutant.rows), mutant.sentence, tried, rule, text)


def _hunt_where_told(mutant: Mutant) -> Hunt:
    """Each story and check must fail with the mistake, and counts only if it holds without."""
    text = ""
    for tried, told in enumerate(mutant.told, start=1):
        if problem(told):
            return _hunted(mutant, tried)
        with mutant.active():
            text = problem(told)
        if not text:
            return _hunted(mutant, tried)
    return _hunted(mutant, len(mutant.told), "story" if mutant.stories else "check", text)


def row_of(told: str) -> str | None:
    """Return the row of SCENARIOS.md that a story or check tells, by its name; None when it tells of none."""
    found = _ROW.match(told)
    return None if found is None else f"{found[1].upper()}{int(found[2])}"


def all_told() -> dict[str, list[str]]:
    """Return the stories and checks of each row that has any."""
    found: dict[str, list[str]] = {}
    stories = sorted(path.name for path in STORIES.glob("*.txt"))
    for told in (*stories, *_CHECK.findall(CHECKS.read_text(encoding="utf-8"))):
        row = row_of(told)
        if row is not None:
            found.setdefault(row, []).append(told)
    return found


def problem(told: str) -> str:
    """Return why a story, or a check, does not hold now; empty when it does, and when it cannot be read.

    Raises:
        NeedsSource: it is not there.
    """
    path = STORIES / told if told.endswith(".txt") else CHECKS
    if not path.is_file():
        raise NeedsSource(f"{told} is needed, which comes with the source only")
    if path is not CHECKS:
        result = run_file(path)
        return "" if result.passed or not result.readable else result.told
    check: Callable[[], None] = getattr(_checks(), told)
    try:
        check()
    except Exception as error:
        # What a mistake breaks on its way is found as well.
        return f"{told}: {type(error).__name__}: {error}"
    return ""


@cache
def _checks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hedgerow_checks", CHECKS)
    assert spec is not None and spec.loader is not None, CHECKS
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
