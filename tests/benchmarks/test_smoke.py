"""Each benchmark runs at a tiny size and says everything that it promises. How long anything takes is not looked at."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as bench
from benchmarks import binance, durable, hedges, latency, nautilus, quotes, recovery, worlds
from benchmarks.process import MeasurementFailed
from benchmarks.report import Number, Skipped, at_least, at_most, print_json, print_table, report
from benchmarks.world import ALTERNATING, ONE_SIDED, World, keep_no_turn
from hedgerow.model.order import Side
from tests.judges.environment import Unavailable

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no benchmark write into the checkout."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("sides", [ONE_SIDED, ALTERNATING])
@pytest.mark.parametrize("fills_per_order", [1, 7, 100])
def test_every_lead_fill_is_hedged_once(sides: tuple[Side, ...], fills_per_order: int) -> None:
    """A rate counts for nothing unless the work was done: positions offset, no alarm, no hold."""
    world = World(sides, keep_no_turn, fills_per_order)

    world.run(150)

    world.check()


def test_virtual_time_brings_reads_and_quotes() -> None:
    """The timer is honoured: a book that was never reconciled again would be a faster and another one."""
    kinds: set[str] = set()
    world = World(ONE_SIDED, lambda turn: kinds.add(type(turn.event).__name__))

    world.run(700)

    assert {"FillReceived", "OrderAccepted", "TradesRead"} <= kinds


@pytest.mark.parametrize("journaled", [False, True])
def test_a_measurement_counts_its_fills_and_turns(tmp_path: Path, journaled: bool) -> None:
    """With and without the journal the same turns are made."""
    measured = hedges.measure("alternating", 40, 10, tmp_path if journaled else None)

    assert measured.fills == 40
    assert measured.turns >= 3 * 40
    assert measured.events >= measured.turns
    assert measured.peak_rss_mib > 0


def test_the_cycle_hands_over_every_hedge_once_durable() -> None:
    """The latency is that of hedges which did leave, each after its turn was on disk."""
    numbers = latency.run(quick=True, samples=60)

    assert [number.name for number in numbers] == ["latency/p50", "latency/p99", "latency/durable/p50"]
    assert all(number.unit == "ms" and number.value > 0 for number in numbers)
    assert numbers[0].met is not None


@pytest.mark.slow
def test_each_fill_on_the_socket_is_hedged_on_the_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """The product runs against the emulator as it would against Binance; where ccxt is not at hand, that is told."""

    def no_judges() -> Path:
        raise Unavailable("not here")

    monkeypatch.setattr(binance, "judges_python", no_judges)
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'src'}")

    spot_frame, um_frame, p50, p99, skipped = binance.run(quick=True, samples=5)

    assert (spot_frame.name, um_frame.name) == ("binance/frame/spot", "binance/frame/um")
    assert (p50.name, p99.name, skipped) == ("binance/p50", "binance/p99", Skipped("binance/ccxt", "not here"))
    assert isinstance(p50, Number)
    assert p50.value > 0


def test_quotes_are_taken_asked_and_asleep() -> None:
    """Each way is checked to be what it says: the policy is asked each time, or once."""
    numbers = quotes.run(quick=True)

    assert [number.name for number in numbers] == ["quotes/asked", "quotes/asleep"]
    assert all(number.unit == "/s" and number.value > 0 for number in numbers)


def test_recovery_gives_the_book_that_was_written() -> None:
    """The book folded from the journal is the one that wrote it, with a snapshot and without."""
    numbers = recovery.run(quick=True, turns=1_000)

    assert [number.name for number in numbers] == ["recovery/whole", "recovery/snapshot"]
    assert all(number.met is not None for number in numbers)


@pytest.mark.slow
def test_durable_tells_the_journals_numbers() -> None:
    """What the journal's own benchmark returns has every field that is told here."""
    assert [number.name for number in durable.run(quick=True)] == [
        "durable/many_books",
        "durable/lockstep_books",
        "durable/one_at_a_time/p50",
        "durable/one_at_a_time/p99",
    ]


@pytest.mark.slow
def test_hedges_tells_each_size_and_the_growth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each size runs in a process of its own, and both goals that look across sizes are told."""
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'src'}")

    names = {number.name for number in hedges.run(quick=True, sizes=(20, 40))}

    assert {"hedges/one_sided/20", "hedges/alternating/40/journal", "hedges/one_sided/ratio"} <= names
    assert {"hedges/alternating/rss_growth", "hedges/one_sided/40/order_per_fill"} <= names


@pytest.mark.slow
def test_worlds_are_counted() -> None:
    """Torture's own count of worlds a second is told, for worlds that broke no rule."""
    (number,) = worlds.run(quick=True, seeds=4)

    assert (number.name, number.unit, number.goal) == ("worlds", "/s", worlds.GOAL_PER_S)
    assert number.what.startswith("4 torture worlds")


def test_a_failed_measurement_leaves_the_others_numbers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What failed is named with its reason, the rest is printed, and the exit code says that not all went well."""

    def fails(quick: bool) -> list[Number]:
        raise MeasurementFailed("no such luck")

    def works(quick: bool) -> list[Number]:
        return [at_least("fine", "fast", "/s", 1.0)]

    monkeypatch.setattr(bench, "BENCHMARKS", {"first": fails, "second": works})

    assert bench.main(["--json"]) == 1

    told = json.loads(capsys.readouterr().out)
    assert told["skipped"] == [{"name": "first", "why": "failed: no such luck"}]
    assert [number["name"] for number in told["benchmarks"]] == ["fine"]


def test_a_report_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    """Programs read the schema, the environment, and per benchmark what, unit, value, goal and met."""
    results = [at_least("a/b", "fast", "/s", 5.0, 4.0, 4.5), at_most("c", "slow", "ms", 5.0, 4.0), Skipped("d", "none")]

    print_json(report(True, results))

    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "hedgerow.bench/1"
    assert set(told["environment"]) == {"python", "cpu_count", "platform"}
    first, second = told["benchmarks"]
    assert first == {
        "name": "a/b", "what": "fast", "unit": "/s", "value": 5.0, "goal": 4.0, "met": True, "cpu_value": 4.5
    }  # fmt: skip
    assert second["met"] is False
    assert told["skipped"] == [{"name": "d", "why": "none"}]


def test_a_table_tells_numbers_goals_and_what_was_skipped(capsys: pytest.CaptureFixture[str]) -> None:
    """People see the same numbers, and whether each goal is met."""
    print_table(report(True, [at_least("a/b", "fast", "/s", 31_000.0, 25_000.0), Skipped("d", "there is none")]))

    out = capsys.readouterr().out
    assert "31,000 /s" in out
    assert "met" in out
    assert "skipped d: there is none" in out


@pytest.mark.parametrize(
    "told",
    [
        ["--only", "nothing"],
        ["--sizes", "0"],
        ["--sizes", "many"],
        ["--against", "nautilus,other"],
        ["--against", "nautilus", "--only", "hedges"],
        ["--only", "durable", "--sizes", "10"],
    ],
)
def test_bad_arguments_end_with_usage(told: list[str]) -> None:
    """Nothing is measured on a misunderstanding."""
    with pytest.raises(SystemExit) as ended:
        bench.arguments(told)

    assert ended.value.code == 2


def test_an_engine_that_cannot_be_installed_ends_with_69(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says why, and the exit code is that of a service that is not there."""
    monkeypatch.setattr(nautilus, "PYTHON_MIN", (99, 0))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path / "python"))

    code = bench.main(["--against", "nautilus"])

    assert code == 69
    assert capsys.readouterr().err.splitlines()[-1].endswith("needs Python 99.0 or newer, and none was found in PATH")
