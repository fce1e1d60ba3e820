"""`hedgerow emulate binance`: what it prints, and what it says of wrong options."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from hedgerow.cli.app import run

Captured = pytest.CaptureFixture[str]
COMMAND = ["emulate", "binance", "--port", "0", "--seconds", "0.01"]


def test_it_says_where_it_listens_and_for_whom(capsys: Captured) -> None:
    """Keys are printed: they are nobody's."""
    assert run([*COMMAND, "--still"]) == 0

    told = capsys.readouterr()
    assert told.out.startswith("listening  http://127.0.0.1:")
    assert [line.split()[1] for line in told.out.splitlines()[1:]] == ["main:", "second:"]
    assert told.err == "stopped\n"


def test_for_programs_it_is_one_object(capsys: Captured, tmp_path: Path) -> None:
    """With the URLs, and the keys of the accounts file."""
    file = tmp_path / "accounts.json"
    file.write_text('[{"name": "maker", "key": "k", "secret": "s"}]')

    assert run([*COMMAND, "--json", "--still", "--accounts", str(file), "--tls", str(tmp_path / "tls")]) == 0

    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "hedgerow.emulator/1"
    assert told["url"].startswith("https://127.0.0.1:") and told["ws_url"].startswith("wss://127.0.0.1:")
    assert told["accounts"] == [{"name": "maker", "key": "k", "secret": "s"}]
    assert (tmp_path / "tls" / "ca.pem").is_file()


@pytest.mark.parametrize(
    ("options", "exit_code", "told"),
    [
        (["--faults", "rain"], 2, "there is no rain; there are none, light, heavy, lost_request"),
        (["--speed", "fast"], 2, "--speed fast: this is not a number"),
        (["--speed", "0"], 2, "--speed 0: it must be above 0"),
        (["--tape", "spot"], 2, "--tape spot: this is not PRODUCT=FILE"),
        (["--tape", "options=x"], 2, "--tape options=x: this is not PRODUCT=FILE"),
        (["--tape", "spot:DOGE=x"], 2, "DOGE is not played; there are BTCUSDT"),
        (["--tape", "spot=x", "--tape", "spot=y"], 2, "spot has a tape already"),
        (["--tape", "spot=x", "--still"], 2, "exclude each other"),
        (["--tape", "spot=none.gz"], 65, "none.gz: cannot be read"),
        (["--accounts", "none.json"], 66, "none.json: cannot be read"),
        (["--port", "70000"], 2, "70000"),
    ],
)
def test_a_wrong_option_is_told_in_a_line(
    options: list[str], exit_code: int, told: str, capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what to do, and nothing listens."""
    monkeypatch.chdir(tmp_path)

    assert run([*COMMAND, *options]) == exit_code

    line = capsys.readouterr().err
    assert told in line and line.count("\n") == 1


def test_a_port_in_use_is_told(capsys: Captured) -> None:
    """Two emulators need two ports."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert run(["emulate", "binance", "--still", "--port", port]) == 75

    assert f"port {port} cannot be used" in capsys.readouterr().err


def test_a_tape_that_breaks_off_ends_it(capsys: Captured, tmp_path: Path) -> None:
    """With the tape's own message and exit code."""
    file = tmp_path / "frames"
    file.write_text('1 {"u":1,"s":"BTCUSDT","b":"1.0","B":"1","a":"2.0","A":"1"}\n2 nonsense\n')

    assert run(["emulate", "binance", "--port", "0", "--seconds", "5", "--tape", f"spot={file}"]) == 65

    assert "frames:2: has a frame that cannot be read" in capsys.readouterr().err
