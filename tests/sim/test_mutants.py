"""The mistakes that can be put back, and that nothing of them stays."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from hedgerow.sim import mutants, torture


@pytest.mark.parametrize("name", ["no_dedupe", "working_ignored", "send_before_durable", "no_backfill"])
def test_a_mistake_is_found_within_a_few_seeds(name: str) -> None:
    """An oracle that finds nothing proves nothing."""
    hunt = mutants.hunt_mutant(name, seeds_max=30)

    assert hunt.killed, hunt


@pytest.mark.parametrize(
    ("name", "told"), [(mutant.name, told) for mutant in mutants.MUTANTS.values() for told in mutant.told]
)
def test_a_mistake_is_found_wherever_it_is_told(name: str, told: str) -> None:
    """A story that holds with the mistake in proves nothing, and a patch that no longer fits breaks the hunt.

    That each story and check holds without a mistake, their own tests show.
    """
    with mutants.MUTANTS[name].active():
        assert mutants.problem(told), f"{told} holds with {name} put back"


def test_a_mistake_must_be_found_in_stories_and_in_worlds(monkeypatch: pytest.MonkeyPatch) -> None:
    """One story that does not see it, or worlds that do not, is a survivor; so is a story that fails without it."""
    found = mutants.MUTANTS["no_dedupe"]
    elsewhere = "M11_seven_lots_are_seven_lots.txt"
    monkeypatch.setitem(mutants.MUTANTS, "unseen", replace(found, stories=(*found.stories, elsewhere)))
    monkeypatch.setitem(mutants.MUTANTS, "harmless", replace(found, patches=()))

    assert mutants.hunt_mutant("no_dedupe", seeds_max=30).rule != "story"
    assert not mutants.hunt_mutant("unseen", seeds_max=30).killed
    assert not mutants.hunt_mutant("no_dedupe", seeds_max=0).killed
    assert not mutants.hunt_mutant("harmless", seeds_max=1).killed
    with found.active():
        assert not mutants.hunt_mutant("no_dedupe", seeds_max=1).killed


def test_nothing_of_a_mistake_stays() -> None:
    """A mutant must not outlive its hunt, or the next result would be a lie."""
    before = [
        (owner, name, vars(owner)[name]) for mutant in mutants.MUTANTS.values() for owner, name, _ in mutant.patches
    ]

    for mutant in mutants.MUTANTS.values():
        with pytest.raises(ZeroDivisionError), mutant.active():
            raise ZeroDivisionError

    assert all(vars(owner)[name] is value for owner, name, value in before)


def test_each_mistake_replaces_something_that_is_there() -> None:
    """A renamed function must not turn a mutant into a no-op: the attribute exists and differs."""
    for mutant in mutants.MUTANTS.values():
        for owner, name, value in mutant.patches:
            assert name in vars(owner), (mutant.name, name)
            assert vars(owner)[name] is not value, (mutant.name, name)


def test_there_are_enough_of_them() -> None:
    """The list grows with each incident and never shrinks below what was promised."""
    assert len(mutants.MUTANTS) >= 60


def test_the_report_says_what_json_readers_need() -> None:
    """The keys are a promise to scripts."""
    report = mutants.run(names=["no_dedupe"])

    told = json.loads(json.dumps(report.as_json()))

    assert told["mutants"] == 1
    assert told["killed"] == 1
    assert told["survivors"] == []


def test_an_unknown_name_is_refused() -> None:
    """A misspelt mutant must not look like one that was found."""
    with pytest.raises(KeyError):
        mutants.run(names=["no_such_mistake"])


def test_a_survivor_is_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake that no seed finds must fail the hunt."""
    harmless = mutants.Mutant("harmless", "-", "nothing is wrong", ())
    monkeypatch.setitem(mutants.MUTANTS, "harmless", harmless)

    hunt = mutants.hunt_mutant("harmless", seeds_max=1)

    assert not hunt.killed
    assert mutants.MutantReport((hunt,), 1.0).killed == 0
    assert torture.run(1).failures == ()
