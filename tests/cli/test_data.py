"""`hedgerow data` and `hedgerow report`: what they print, and their exit codes."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from hedgerow.cli.app import run
from hedgerow.sim.report import save
from tests.sim.results import full_book, full_result

Captured = pytest.CaptureFixture[str]
QUOTES = "time,bid,ask,bid_qty,ask_qty\n1640995200,99.5,100,1,1\n1640995201,99,100,1,1\n1640995300,99,100,1,1\n"


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_data_is_imported_and_listed(capsys: Captured) -> None:
    """The result on stdout, what a reader must know on stderr."""
    Path("q.csv").write_text(QUOTES)

    assert run(["data", "import", "q.csv", "--out", "q.ticks", "--venue", "x", "--symbol", "BTC"]) == 0
    told = capsys.readouterr()
    assert told.out.splitlines()[1].split() == [
        "q.ticks",
        "x",
        "BTC",
        *("quotes", "1", "3", "0"),
        "2022-01-01T00:00:00Z",
        *("1", "min", "40", "s", "0.1", "1", "1"),
    ]
    assert "q.csv:4: nothing for 1 min 39 s before it, from 2022-01-01T00:00:01Z" in told.err

    assert run(["data", "ls", "--check"]) == 0
    assert capsys.readouterr().out == told.out


def test_data_for_programs(capsys: Captured) -> None:
    """One object each, with every gap."""
    Path("q.csv").write_text(QUOTES)
    assert run(["data", "import", "q.csv", "--out", "q.ticks", "--json"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["schema"] == "hedgerow.data_import/1" and body["file"]["tick"] == "0.1"

    assert run(["data", "ls", "q.ticks", "--json"]) == 0
    (file,) = json.loads(capsys.readouterr().out)["files"]
    assert [gap["row"] for gap in file["gaps"]] == [3] and file == body["file"]


def test_a_full_disk_names_the_file_that_was_to_be_made(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is that of --out, and of nothing else."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("hedgerow.market.importing.import_files", full)
    assert run(["data", "import", "q.csv", "--out", "q.ticks"]) == 74
    assert "HR-305 q.ticks: no space left on the disk" in capsys.readouterr().err


def test_an_empty_folder_is_no_error(capsys: Captured) -> None:
    """But the reader is told how to fill it."""
    assert run(["data", "ls"]) == 0
    assert "make one with `hedgerow data import" in capsys.readouterr().err
    assert run(["data", "ls", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == []


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (["data", "import", "q.csv"], 2, "Missing option '--out'"),
        (["data", "import", "--out", "x"], 2, "Missing argument"),
        (["data", "import", "q.csv", "--out", "x", "--columns", "bid"], 2, "expected OURS=THEIRS"),
        (["data", "import", "q.csv", "--out", "x", "--columns", "bit=a"], 2, "did you mean 'bid'?"),
        (["data", "import", "q.csv", "--out", "x", "--columns", "bid=bit"], 65, "q.csv: has no column 'bit'"),
        (["data", "import", "q.csv", "--out", "x", "--zone", "Mars"], 2, "there is no time zone 'Mars'"),
        (["data", "import", "q.csv", "--out", "x", "--tick", "0"], 2, "0 is not above 0"),
        (["data", "import", "q.csv", "--out", "x", "--tick", "ten"], 2, "'ten' is not a number"),
        (["data", "import", "q.csv", "--out", "x", "--depth", "0"], 2, "0 is not in the range"),
        (["data", "import", "none.csv", "--out", "x"], 66, "HR-402 none.csv: cannot be read"),
        (["data", "import", "empty.csv", "--out", "x"], 65, "HR-404 empty.csv: is empty"),
        (["data", "import", "cut.gz", "--out", "x"], 65, "HR-404 cut.gz: is cut short"),
        (["data", "import", "q.csv", "--out", "no/x"], 66, "there is no such folder"),
        (["data", "import", "q.csv", "--out", "/dev/null"], 66, "it is not a file"),
        (["data", "ls", "none"], 66, "none: there is no such folder"),
        (["data", "ls", "q.csv"], 65, "q.csv: is not a tick file"),
        (["report", "diff", "none", "none"], 66, "HR-405 none: cannot be read"),
        (["report", "diff", "q.csv", "q.csv"], 66, "q.csv: is not the result of a backtest"),
        (["report", "html", "."], 66, "result.json: cannot be read"),
    ],
)
def test_what_cannot_be_done_is_one_line(capsys: Captured, arguments: list[str], exit_code: int, words: str) -> None:
    """With code, place and remedy; and no file is left behind."""
    Path("q.csv").write_text(QUOTES)
    Path("empty.csv").touch()
    Path("cut.gz").write_bytes(b"\x1f\x8b\x08")

    assert run(arguments) == exit_code
    told = capsys.readouterr()
    assert words in told.err and told.err.count("\n") == 1 and told.out == ""
    assert sorted(path.name for path in Path().iterdir()) == ["cut.gz", "empty.csv", "q.csv"]


def test_two_reports_are_compared(capsys: Captured, tmp_path: Path) -> None:
    """0 when they say the same, 1 when not, as diff(1)."""
    save(full_result(), tmp_path / "a")
    save(full_result(full_book("b2")), tmp_path / "b")
    save(replace(full_result(), seed=8), tmp_path / "c")

    assert run(["report", "diff", "a", "b"]) == 0
    assert capsys.readouterr().out == "no difference\n"
    assert run(["report", "diff", "a", "c/result.json"]) == 1
    assert capsys.readouterr().out.splitlines()[1].split() == ["seed", "7", "8", "+1"]
    assert run(["report", "diff", "a", "c", "--json"]) == 1
    body = json.loads(capsys.readouterr().out)
    assert body["changes"] == [{"book": "", "what": "seed", "first": "7", "second": "8", "change": "+1"}]


def test_a_report_is_drawn_anew(capsys: Captured, tmp_path: Path) -> None:
    """From the result alone, beside it or elsewhere."""
    saved = save(full_result(), tmp_path / "a")
    drawn = saved.html.read_bytes()
    saved.html.unlink()

    assert run(["report", "html", "a"]) == 0
    assert saved.html.read_bytes() == drawn and "one file" in capsys.readouterr().err
    assert run(["report", "html", "a/result.json", "--out", "x.html", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bytes"] == len(Path("x.html").read_bytes())


def test_a_report_is_opened_where_there_is_a_browser(
    capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elsewhere its path is told; one that is missing is drawn first."""
    saved = save(full_result(), tmp_path / "a")
    saved.html.unlink()
    asked: list[str] = []

    def browser(address: str) -> bool:
        asked.append(address)
        return len(asked) == 1

    monkeypatch.setattr("webbrowser.open", browser)
    assert run(["report", "open", "a"]) == 0
    assert asked == [saved.html.as_uri()] and saved.html.is_file()
    assert capsys.readouterr().err == "a/report.html\n"
    assert run(["report", "open", "a/result.json"]) == 0
    assert "there is no browser here" in capsys.readouterr().err
