"""Each row of SCENARIOS.md is told by a story, or by a check, that names it and kills a mutant that names it."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from hedgerow.sim.mutants import MUTANTS, all_told, problem, row_of

HERE = Path(__file__).parent
# Letter of a table of SCENARIOS.md -> how many rows it has.
LAST = {"G": 25, "M": 13, "C": 18, "P": 9, "E": 14, "A": 8}
ROWS = [f"{letter}{number}" for letter, last in LAST.items() for number in range(1, last + 1)]
TOLD = all_told()
CHECKS = [told for names in TOLD.values() for told in names if not told.endswith(".txt")]

# Row -> (what of it cannot be told yet, and why; the module that ends the waiting once it is there).
WAITS = {
    "A4": (
        "tokens, 401 and 403, and what of that is audited: the API is on a Unix socket that only its owner can open, "
        "and no other address leads to it, so nobody needs to say who he is",
        "hedgerow.api.auth",
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_each_row_is_told_by_what_names_it(row: str) -> None:
    """A row without a story or a check is a promise that nobody keeps an eye on."""
    assert TOLD.get(row), row
    checks = (HERE / "checks.py").read_text(encoding="utf-8")
    for told in TOLD[row]:
        if told.endswith(".txt"):
            assert re.match(rf"# {row}\b", (HERE / told).read_text(encoding="utf-8")), told
        else:
            assert re.search(rf'^def {told}\(\) -> None:\n    """{row}: ', checks, re.MULTILINE), told


@pytest.mark.parametrize("row", ROWS)
def test_each_row_has_a_mutant_that_it_kills(row: str) -> None:
    """A row that holds with the old mistake in does not tell it; `test_mutants.py` shows that each is killed."""
    killed = [
        mutant.name for mutant in MUTANTS.values() if row in mutant.rows and set(TOLD.get(row, ())) & set(mutant.told)
    ]

    assert killed, f"no mutant names {row} and is killed by one of {TOLD.get(row)}"


@pytest.mark.parametrize("told", [told for names in TOLD.values() for told in names])
def test_each_story_of_a_row_kills_a_mutant(told: str) -> None:
    """A story that no mistake fails is decoration; each is hunted with at least one."""
    assert any(told in mutant.told for mutant in MUTANTS.values()), f"{told} is named by no mutant"


def test_nothing_names_a_row_that_is_none() -> None:
    """A misspelt row would look as if it had been dealt with."""
    assert set(TOLD) - set(ROWS) == set()
    assert set(WAITS) - set(ROWS) == set()


def test_a_mutant_is_killed_in_each_row_that_it_names() -> None:
    """It may not borrow a row that another mutant is killed in; one that only worlds find borrows none."""
    borrowed = [
        (mutant.name, row)
        for mutant in MUTANTS.values()
        for row in mutant.rows
        if mutant.told and row in ROWS and row not in {row_of(told) for told in mutant.told}
    ]

    assert borrowed == []


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_holds(name: str) -> None:
    """What happened once in a live system, and no story can say, must not happen here again."""
    assert problem(name) == ""


@pytest.mark.parametrize("row", WAITS)
def test_what_waits_still_has_its_reason(row: str) -> None:
    """Once what it waited for is there, the rest of the row is to be told, and leaves the list."""
    why, module = WAITS[row]

    assert importlib.util.find_spec(module) is None, f"{row} waits no longer: {why}"
