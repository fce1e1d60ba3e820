"""Whole worlds: a handful of fixed seeds, and what does not change them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from hedgerow.core import step
from hedgerow.core.book import Book
from hedgerow.core.decide import Decision, decide
from hedgerow.core.events import QuoteReceived
from hedgerow.model.market import Quote
from hedgerow.sim import torture
from hedgerow.sim.faults import Fault, Faults
from hedgerow.sim.world import World

SOURCE = Path(__file__).parents[2] / "src"
SEEDS = 6
PROGRAM = f"from hedgerow.sim import torture; print(torture.run({SEEDS}).as_json()['digest'])"


def digest_in(python: str, hash_seed: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONHASHSEED": hash_seed}
    answer = subprocess.run([python, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    return answer.stdout.strip()


def test_fixed_seeds_are_clean() -> None:
    """The engine keeps every rule in worlds full of faults; thousands more are for `hedgerow torture`."""
    report = torture.run(8)

    assert [failure.command for failure in report.failures] == []
    assert report.worlds == 8
    assert report.fault_kinds > 20
    assert report.crashes > 0


def test_a_quote_that_is_slept_through_would_have_led_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a policy promises of prices is held against what it says when it looks all the same."""
    is_slept_through = step._is_slept_through
    slept: list[Quote] = []
    awake: list[Decision] = []

    def checked(book: Book, quote: Quote) -> bool:
        if not is_slept_through(book, quote):
            return False
        before = book.quotes[quote.instrument_id]
        book.quotes[quote.instrument_id] = quote
        decision = decide(book, QuoteReceived(book.now_ns, quote))
        book.quotes[quote.instrument_id] = before
        slept.append(quote)
        awake.extend([decision] if decision.commands else [])
        return True

    monkeypatch.setattr(step, "_is_slept_through", checked)
    torture.run(8)

    assert awake == []
    assert len(slept) > 50


def test_the_same_seed_gives_the_same_journal_under_any_hash_seed() -> None:
    """Nothing in a world may depend on the order of a set, so two processes write the same bytes."""
    digests = {digest_in(sys.executable, hash_seed) for hash_seed in ("1", "2")}

    assert len(digests) == 1


@pytest.mark.slow
def test_the_same_seed_gives_the_same_journal_under_another_python() -> None:
    """A journal may be read and decided again by a newer Python."""
    other = os.environ.get("HEDGEROW_OTHER_PYTHON")
    if not other:
        pytest.skip("HEDGEROW_OTHER_PYTHON names no second interpreter with the dependencies")

    assert digest_in(other, "1") == digest_in(sys.executable, "1")


@pytest.mark.slow
def test_what_is_found_does_not_depend_on_the_number_of_processes() -> None:
    """A seed is a whole world, so who runs it is of no matter."""
    alone, shared = torture.run(40, first_seed=3), torture.run(40, first_seed=3, jobs=2)

    assert shared.digest == alone.digest
    assert shared.faults == alone.faults


def test_a_broken_assert_is_a_violation_of_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A world that breaks is told with the command that repeats it, and the next ones run."""

    def breaks(world: World) -> None:
        raise AssertionError("by design")

    monkeypatch.setattr(World, "_move_market", breaks)

    report = torture.run(2, first_seed=7)

    assert [failure.seed for failure in report.failures] == [7, 8]
    assert report.failures[0].violations[-1].rule == "assert"
    assert "hedgerow torture --seed 7 --seeds 1" in report.failures[0].command


def test_the_report_says_what_json_readers_need() -> None:
    """The keys are a promise to scripts."""
    report = torture.run(1)

    told = json.loads(json.dumps(report.as_json()))

    assert {"worlds", "violations", "fault_kinds", "faults", "crashes", "worlds_per_s"} <= set(told)
    assert set(told["faults"]) == {kind.value for kind in Fault}
    assert len(told["faults"]) >= 60


def test_the_report_names_every_kind_for_people() -> None:
    """A kind that never happens must be seen as a zero, not be left out."""
    console = Console(record=True, width=160, file=open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115

    torture.run(1).print(console)

    text = console.export_text()
    assert all(kind.value.replace("_", " ") in text for kind in Fault)


def test_a_world_without_faults_has_none() -> None:
    """What the oracle asks for holds in calm worlds as well, and no fault of line or process is counted there."""
    report = World(4, only=frozenset()).run()

    assert report.violations == ()
    assert report.crashes == 0
    assert set(report.faults) <= {Fault.PARTIAL_FILL.value, Fault.IOC_REMAINDER.value}


def test_faults_strike_no_more_once_healed() -> None:
    """The heal phase must be calm, or convergence would be luck."""
    world = World(1)
    faults = Faults(world.rng, frozenset({Fault.CLOCK_STEP}))
    assert any(faults.draws(Fault.CLOCK_STEP) for _ in range(100))

    faults.healed = True

    assert not any(faults.draws(Fault.CLOCK_STEP) for _ in range(100))


def test_a_trace_tells_one_world() -> None:
    """A failing seed is debugged from its turns."""
    lines: list[str] = []

    torture.run_seed(6, lines.append)

    assert any("BookStarted" in line for line in lines)
    assert any("SubmitOrder" in line for line in lines)
    assert any("all heals" in line for line in lines)


def test_what_other_hands_trade_counts_with_its_fee() -> None:
    """A fee in the base coin leaves the account as well: what is missing there cannot be closed."""
    seen = 0
    for seed in range(40):
        world = World(seed)
        for plot in world.plots:
            for leg_id, line in world.lines[plot.tag].items():
                held = line.exchange.positions(line.account_id)[line.instrument.id]
                if line.trade_by_hand():
                    moved = line.exchange.positions(line.account_id)[line.instrument.id] - held
                    assert world.oracles[plot.tag].by_hand[leg_id] == moved
                    seen += moved % line.instrument.step != 0
    assert seen


@pytest.mark.parametrize("seed", [864_044, 1_088_724])
def test_what_people_do_to_an_account_is_not_held_against_the_engine(seed: int) -> None:
    """Fees of other hands' trades are gone as well, and a drift that was accepted and never was comes back reversed."""
    assert World(seed).run().violations == ()
