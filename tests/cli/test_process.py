"""The program as a process: start-up, exit codes, and how it ends when it must."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hedgerow.api.codes import CODES
from hedgerow.cli.errors import Failed, crash_into, told
from hedgerow.core.commands import Mode
from hedgerow.journal import errors
from hedgerow.sim.mutants.hunting import NeedsSource
from tests.api.running import filled_desk, served, write_journal

PROGRAM = "from hedgerow.cli import main; main()"


def hedgerow(*arguments: str, flags: tuple[str, ...] = (), cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEDGEROW_")}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    command = [sys.executable, *flags, "-c", PROGRAM, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd, check=False)


def test_it_refuses_to_run_without_asserts() -> None:
    """Asserts are what stops a wrong order."""
    result = hedgerow("version", flags=("-O",))

    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("hedgerow: HR-003 ")


def test_help_loads_nothing_that_it_does_not_need() -> None:
    """A slow --help is not read; so the heavy rooms stay unloaded."""
    result = hedgerow("--help", flags=("-X", "importtime"))

    assert result.returncode == 0
    loaded = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    assert "click" in loaded
    heavy = {"pydantic", "fastapi", "uvicorn", "msgspec", "yaml", "rich", "asyncio", "hedgerow.core.step", "sqlite3"}
    assert not heavy & loaded


def test_the_exit_code_reaches_the_shell(tmp_path: Path) -> None:
    """`hedgerow status -q; echo $?` is a health check."""
    result = hedgerow("status", "-q", cwd=tmp_path)

    assert (result.returncode, result.stdout) == (5, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("hedgerow: HR-201 ")


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    """`hedgerow config schema | head -1` ends in silence."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "config", "schema"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()

    assert (process.stderr.read(), process.wait()) == (b"", 0)
    process.stderr.close()


def unread(*arguments: str, cwd: Path) -> int:
    """Run a command whose results and notes nobody reads, and return its exit code."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ran = subprocess.run(
            [sys.executable, "-c", PROGRAM, *arguments],
            stdout=writing,
            stderr=writing,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            cwd=cwd,
            check=False,
        )
    finally:
        os.close(writing)
    return ran.returncode


def test_a_halt_that_nobody_reads_halts_all_the_same(tmp_path: Path) -> None:
    """`hedgerow halt --all --yes 2>&1 | grep -q …`, or a terminal that is gone: what was asked for is done."""
    with served(filled_desk(), tmp_path / ".hedgerow") as node:
        assert unread("halt", "--all", "--yes", cwd=tmp_path) == 0
        assert node.desk.book.mode is Mode.HALTED


def test_an_exit_code_is_the_same_when_nobody_reads(tmp_path: Path) -> None:
    """A health check in a pipe is a health check."""
    assert unread("status", cwd=tmp_path) == 5
    with served(filled_desk(), tmp_path / ".hedgerow"):
        assert unread("flatten", "b1", "--yes", "--timeout", "0", cwd=tmp_path) == 6


def full_disk(ran: subprocess.CompletedProcess[str]) -> str:
    """Return the one line in which a program told that the disk is full, and with which it ended."""
    assert ran.returncode == 74
    (line,) = ran.stderr.splitlines()
    assert line.startswith("hedgerow: HR-305 ")
    return line


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_notes_that_do_not_fit_stop_nothing(tmp_path: Path) -> None:
    """A log on a full disk must not keep a kill switch from working."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with served(filled_desk(), tmp_path / ".hedgerow") as node, open("/dev/full", "w", encoding="utf-8") as full:
        command = [sys.executable, "-c", PROGRAM, "halt", "--all", "--yes"]
        nowhere = subprocess.DEVNULL
        ran = subprocess.run(command, stdout=nowhere, stderr=full, env=environment, cwd=tmp_path, check=False)
        assert ran.returncode == 0
        assert node.desk.book.mode is Mode.HALTED


def test_a_terminal_of_another_encoding_gets_what_it_can_show(tmp_path: Path) -> None:
    """Text is escaped; JSON is UTF-8 wherever it goes."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONIOENCODING": "ascii",
    }
    for arguments in (["init", "--template", "nö"], ["status", "--state", "nö", "--json"]):
        ran = subprocess.run(
            [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, env=environment, cwd=tmp_path, check=False
        )
        assert ran.returncode in (2, 5)
        assert b"Traceback" not in ran.stderr and b"HR-001" not in ran.stderr
        assert b"n\\xf6" in ran.stderr
        if ran.stdout:
            assert "nö" in json.loads(ran.stdout)["detail"]


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_what_the_shell_closed_is_filled(closed: str) -> None:
    """Else the first file that is opened, which may be the journal, would get what is printed."""
    command = f'"{sys.executable}" -c "{PROGRAM}" version {closed}'
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    ran = subprocess.run(command, shell=True, capture_output=True, text=True, env=environment, check=False)

    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_output_that_does_not_fit_is_told(tmp_path: Path) -> None:
    """Half a result with exit code 0 would be taken for a whole one."""
    with open("/dev/full", "w", encoding="utf-8") as full:
        ran = subprocess.run(
            [sys.executable, "-c", PROGRAM, "config", "schema"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            check=False,
        )

    assert "no space left" in full_disk(ran).lower()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
@pytest.mark.parametrize("arguments", [["status"], ["journal", "verify"], ["explain", "x"]])
def test_a_journal_that_a_full_disk_keeps_from_being_read_is_told(tmp_path: Path, arguments: list[str]) -> None:
    """SQLite calls it an I/O error, which would send people to look for a broken disk."""
    write_journal(tmp_path, filled_desk())
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY)); "
    ran = subprocess.run(
        [sys.executable, "-B", "-c", limit + PROGRAM, *arguments, "--state", str(tmp_path)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        check=False,
    )

    assert "the disk is full, and to read it takes 32 KiB beside it; free disk space" in full_disk(ran)


def test_the_package_runs_as_a_module() -> None:
    """`python -m hedgerow` is what people try where no program is installed."""
    ran = subprocess.run(
        [sys.executable, "-m", "hedgerow", "version"],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        check=False,
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("hedgerow ")


def test_an_interrupt_is_told_and_exits_130(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C is the user's, not a failure."""
    assert told(KeyboardInterrupt(), ["status"]) == 128 + signal.SIGINT
    assert capsys.readouterr().err == "hedgerow: interrupted\n"


def test_what_may_not_be_opened_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """A closed folder is no bug of ours."""
    error = PermissionError(errno.EACCES, os.strerror(errno.EACCES), "closed/x.yaml")

    assert told(error, ["init"]) == 66
    assert capsys.readouterr().err.startswith("hedgerow: HR-402 closed/x.yaml: permission denied; check its path")


def test_mutants_want_the_source(capsys: pytest.CaptureFixture[str]) -> None:
    """An installed package has no stories."""
    assert told(NeedsSource("x.txt is needed, which comes with the source only"), ["torture"]) == 66
    assert capsys.readouterr().err.endswith("comes with the source only; run it in a checkout\n")


def test_a_bug_leaves_a_crash_report_without_secrets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line for the user, a file for those who mend it, and nothing in it that must not travel."""
    secret = "a1b2c3d4e5f6a7b8c9d0e1f2a3b4"

    def broken(key: str) -> None:
        raise RuntimeError(f"refused {key}")

    crash_into(tmp_path)
    try:
        broken(secret)
    except RuntimeError as error:
        exit_code = told(error, ["status", "--token=hunter2", "hunter3"])

    assert exit_code == 1
    (line,) = capsys.readouterr().err.splitlines()
    (path,) = tmp_path.glob("crash-*.txt")
    assert line.startswith(f"hedgerow: HR-001 RuntimeError: an unexpected failure; the crash report is {path}")
    text = path.read_text(encoding="utf-8")
    assert "in broken" in text
    assert secret not in text
    assert "command: hedgerow status --token …" in text
    assert "hunter" not in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("error", "exit_code", "code"),
    [
        (errors.JournalMissing, 66, "HR-301"),
        (errors.JournalLocked, 75, "HR-302"),
        (errors.JournalTooNew, 65, "HR-303"),
        (errors.JournalCorrupt, 65, "HR-304"),
        (errors.JournalFull, 74, "HR-305"),
        (errors.JournalBroken, 74, "HR-306"),
        (errors.JournalFenced, 75, "HR-307"),
    ],
)
def test_what_is_wrong_with_a_journal_has_its_exit_code(
    error: type[errors.JournalError], exit_code: int, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A full disk is not damage, and neither is a second process."""
    assert told(error("journal x: what is wrong; what to do"), ["run"]) == exit_code
    assert capsys.readouterr().err == f"hedgerow: {code} journal x: what is wrong; what to do\n"


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_is_told_with_its_next_step(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The table is the documentation."""
    assert told(Failed(code, "what happened"), []) == CODES[code].exit
    assert capsys.readouterr().err == f"hedgerow: {code} what happened; {CODES[code].next_step}\n"
