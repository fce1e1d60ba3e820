"""`hedgerow doctor`, and what `hedgerow run` says of real venues before anything is placed."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hedgerow.cli.app import run
from hedgerow.emulators.binance.customers import DEFAULT_KEY, DEFAULT_SECRET
from hedgerow.emulators.binance.server import Emulator
from tests.venues.binance_stand import taken

Captured = pytest.CaptureFixture[str]
ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "examples" / "binance-carry.yaml").read_text(encoding="utf-8")
NOBODY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HEDGEROW_CONFIG", "HEDGEROW_STATE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BINANCE_KEY", DEFAULT_KEY)
    monkeypatch.setenv("BINANCE_SECRET", DEFAULT_SECRET)
    monkeypatch.chdir(tmp_path)


@contextmanager
def emulated() -> Iterator[Emulator]:
    """Run an emulator in a loop of its own; nothing was taken by it in the end."""
    started, ended = threading.Event(), asyncio.Event()
    emulator = Emulator(is_still=True)
    loops: list[asyncio.AbstractEventLoop] = []

    async def work() -> None:
        async with emulator:
            loops.append(asyncio.get_running_loop())
            started.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    started.wait()
    try:
        yield emulator
        assert taken(emulator) == []
    finally:
        loops[0].call_soon_threadsafe(ended.set)
        thread.join()


def written(folder: Path, url: str, *changes: tuple[str, str]) -> str:
    """Return the path of the example, for an emulator at an address, with changes."""
    text = EXAMPLE.replace("http://127.0.0.1:8900", url)
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after)
    path = folder / "binance.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_doctor_who_finds_nothing_wrong_says_so(capsys: Captured, tmp_path: Path) -> None:
    """A line for each thing that was looked at, and the same as one object for programs."""
    with emulated() as emulator:
        path = written(tmp_path, emulator.url)
        assert run(["doctor", path]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert run(["doctor", path, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)

    assert any(line.startswith("ok      binance/usdm  position mode: one-way") for line in lines)
    assert any("disk:" in line for line in lines)
    assert (told["schema"], told["ok"]) == ("hedgerow.doctor/1", True)
    assert len(told["findings"]) == len(lines)


@pytest.mark.parametrize("command", ["doctor", "run"])
@pytest.mark.parametrize(
    ("changes", "key", "exit_code", "words"),
    [
        ((("symbol: BTCUSDT", "symbol: BTCUSTD"),), DEFAULT_KEY, 78, "has no BTCUSTD"),
        ((), "wrong" + DEFAULT_KEY[5:], 7, "the key was refused"),
        ((("env:BINANCE_KEY", "env:NO_SUCH_KEY"),), DEFAULT_KEY, 78, "the environment has no NO_SUCH_KEY"),
    ],
)
def test_what_is_wrong_is_one_clear_line_and_nothing_is_placed(
    capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    command: str,
    changes: tuple[tuple[str, str], ...],
    key: str,
    exit_code: int,
    words: str,
) -> None:
    """With the exit code by which a program tells a venue, a key and a config apart."""
    monkeypatch.setenv("BINANCE_KEY", key)
    with emulated() as emulator:
        assert run([command, written(tmp_path, emulator.url, *changes)]) == exit_code

    told = capsys.readouterr()
    assert words in (told.out if command == "doctor" else told.err.splitlines()[-1])


@pytest.mark.parametrize("command", ["doctor", "run"])
def test_a_venue_that_is_down_is_told(capsys: Captured, tmp_path: Path, command: str) -> None:
    """Exit code 5, and what to look at."""
    assert run([command, written(tmp_path, NOBODY)]) == 5

    told = capsys.readouterr()
    assert "it cannot be reached" in told.out + told.err


def test_doctor_knows_simulated_accounts(capsys: Captured) -> None:
    """Then there is nobody to ask, and the disk is still looked at."""
    assert run(["doctor", str(ROOT / "examples" / "mirror.yaml"), "--state", "state"]) == 0

    assert "every account is simulated" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "add --live"),
        (["--live"], "was not confirmed"),
        (["--live", "--confirm", "binance/spot"], "binance/usdm was not confirmed"),
        (["--live", "--confirm", "binance/spot", "--confirm", "binance/usdm", "--confirm", "x/y"], "no live account"),
    ],
)
def test_real_money_is_not_reached_by_accident(
    capsys: Captured, tmp_path: Path, arguments: list[str], words: str
) -> None:
    """Refused with exit code 7 before a name is looked up or a journal made."""
    address = '  binance: {address: "http://127.0.0.1:8900"}'
    path = written(tmp_path, "http://127.0.0.1:8900", ("mode: emulator", "mode: live"), (address, "  binance: {}"))

    assert run(["run", path, *arguments]) == 7

    assert words in capsys.readouterr().err
    assert not (tmp_path / ".hedgerow").exists()


@pytest.mark.parametrize("arguments", [["--speed", "2"], ["--tape", "binance=x"]])
def test_what_only_a_simulated_venue_can_do_is_refused_for_a_real_one(tmp_path: Path, arguments: list[str]) -> None:
    """Time there passes as it does."""
    assert run(["run", written(tmp_path, NOBODY), *arguments]) in (2, 78)
