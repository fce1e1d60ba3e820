"""What goes wrong, told to people: one line with what, where and what next, a stable code, an exit code."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import re
import sys
import tempfile
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from hedgerow import __version__
from hedgerow.api.codes import CODES, Exit
from hedgerow.cli.show import print_json
from hedgerow.runtime.folder import STATE_FOLDER

# A crash report goes to people who help; what looks like a secret must not travel with it.
_SECRET = re.compile(r"(?=[A-Za-z0-9+/_=-]*\d)(?=[A-Za-z0-9+/_=-]*[A-Za-z])[A-Za-z0-9+/_=-]{24,}")


# What a check of a real venue came to -> our code.
_VERDICTS = {"unreachable": "HR-601", "forbidden": "HR-602", "wrong": "HR-603"}

# SQLite reads a journal with the help of a file beside it, and could not make that as long as it must be.
NO_ROOM_TO_READ = "SQLITE_IOERR_SHMSIZE"

_crash_folder = Path(STATE_FOLDER)


def crash_into(folder: Path) -> Path:
    """Name the state folder of this process, once it is known: crash reports go there. Returns it."""
    global _crash_folder
    _crash_folder = folder
    return folder


def _is_nowhere() -> bool:
    """Whether the folder that this process stands in is gone."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


class Failed(Exception):
    """A command cannot do what was asked. The code's entry in the table says the exit code and the next step."""

    def __init__(self, code: str, detail: str, next_step: str = "") -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.next_step = next_step or CODES[code].next_step


class Declined(Exception):
    """The person who was asked to confirm said no, or went away: nothing was sent."""


def told(error: BaseException, arguments: Sequence[str]) -> int:
    """Tell an error and return the exit code; with --json, as an object on stdout as well."""
    as_json = "--json" in arguments
    match error:
        case SystemExit():
            return error.code if isinstance(error.code, int) else int(Exit.BUG)
        case click.exceptions.Exit():
            return error.exit_code
        case KeyboardInterrupt() | click.Abort():
            sys.stderr.write("hedgerow: interrupted\n")
            return Exit.INTERRUPTED
        case click.ClickException():
            command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "hedgerow"
            detail = error.format_message()
            if "\n" not in detail:
                detail = detail.rstrip(".")
            return _tell(Failed("HR-002", detail, f"see `{command} --help`"), as_json)
        case Declined():
            sys.stderr.write("hedgerow: nothing was sent\n")
            return Exit.INTERRUPTED
        case Failed():
            if error.code == "HR-002" and arguments:
                error.next_step = error.next_step.replace("COMMAND", arguments[0])
            return _tell(error, as_json)
        case _:
            return _tell(_known(error) or _crashed(error, arguments), as_json)


def _known(error: BaseException) -> Failed | None:
    """Return the errors of other rooms as ours; None for one that nobody expected."""
    # By name, since importing every room to compare its classes would cost more than most commands.
    names = {kind.__name__ for kind in type(error).__mro__ if kind.__module__.startswith("hedgerow.")}
    if "ConfigError" in names:
        return Failed("HR-101", str(error))
    if "LegsChanged" in names or "ReachChanged" in names or "NoPaper" in names:
        return Failed("HR-101", str(error))
    if "VenuesForgetful" in names:
        return Failed("HR-403", str(error))
    if "TapeError" in names:
        return Failed("HR-401", str(error))
    if "DataMissing" in names:
        return Failed("HR-402", str(error))
    if "DataError" in names:
        return Failed("HR-404", str(error))
    if "ResultError" in names:
        return Failed("HR-405", str(error))
    if "VenueUnusable" in names:
        verdict = getattr(error, "verdict", None)
        return Failed(_VERDICTS[getattr(verdict, "value", "")], str(error))
    if "PricesUnreachable" in names:
        return Failed("HR-601", str(error))
    if "AccountInUse" in names:
        return Failed("HR-203", str(error))
    if "LiveRefused" in names:
        return Failed("HR-604", str(error))
    if "SocketUnusable" in names:
        return Failed(getattr(error, "code", "HR-205"), str(error))
    if "DemoFailed" in names:
        return Failed(getattr(error, "code", "HR-502"), str(error))
    if "NeedsSource" in names:
        return Failed("HR-402", str(error), "run it in a checkout")
    if "NotInJournal" in names:
        return Failed("HR-207", str(error), "`hedgerow journal verify` tells its end, `hedgerow status` its books")
    if "PathTooLong" in names:
        return Failed("HR-204", str(error))
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return Failed("HR-204", f"{error.filename or 'a path'} is too long for this disk")
    if isinstance(error, PermissionError):
        return Failed("HR-402", f"{error.filename}: {(error.strerror or 'not permitted').lower()}")
    if isinstance(error, FileNotFoundError) and _is_nowhere():
        return Failed("HR-402", "the current folder was deleted", "go to another folder, and try again")
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        where = error.filename or "the state folder, or where the output goes"
        return Failed("HR-305", f"{where}: no space left on the disk")
    if isinstance(error, OSError) and error.filename == "the output":
        return Failed("HR-308", f"the output cannot be written: {error.strerror}")
    if "JournalBroken" in names and getattr(error.__cause__, "sqlite_errorname", "") == NO_ROOM_TO_READ:
        told = str(error).partition(": ")[0]
        return Failed("HR-305", f"{told}: the disk is full, and to read it takes 32 KiB beside it; free disk space")
    journal = {
        "JournalMissing": "HR-301",
        "JournalLocked": "HR-302",
        "JournalFenced": "HR-307",
        "JournalTooNew": "HR-303",
        "JournalCorrupt": "HR-304",
        "JournalFull": "HR-305",
        "JournalLow": "HR-305",
        "JournalBroken": "HR-306",
        "JournalError": "HR-306",
    }
    for kind in type(error).__mro__:
        if kind.__name__ in journal and kind.__module__ == "hedgerow.journal.errors":
            return Failed(journal[kind.__name__], str(error))
    return None


def _tell(failed: Failed, as_json: bool) -> int:
    code = CODES[failed.code]
    if as_json:
        body = {
            "schema": "hedgerow.error/1",
            "code": failed.code,
            "title": code.title,
            "detail": failed.detail,
            "next": failed.next_step,
            "exit": int(code.exit),
        }
        # The output may be what failed.
        with contextlib.suppress(OSError):
            print_json(json.dumps(body, ensure_ascii=False).encode("utf-8", "backslashreplace"))
            sys.stdout.flush()
    # A config's report has its own form and remedies, over many lines; an error of a journal names its remedy.
    if "\n" in failed.detail:
        sys.stderr.write(failed.detail + "\n")
    else:
        has_remedy = ";" in failed.detail
        sys.stderr.write(f"hedgerow: {failed.code} {failed.detail}{'' if has_remedy else '; ' + failed.next_step}\n")
    return int(code.exit)


def _crashed(error: BaseException, arguments: Sequence[str]) -> Failed:
    """Write what is known of a bug to the state folder, without the values of variables."""
    words = [word.partition("=")[0] if word.startswith("-") else "…" for word in arguments[1:]]
    lines = [
        f"hedgerow {__version__}, Python {platform.python_version()}, {platform.system()} {platform.release()}",
        f"at {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        " ".join(["command: hedgerow", *arguments[:1], *words]),
        "",
        *traceback.TracebackException.from_exception(error, capture_locals=False).format(),
    ]
    text = _SECRET.sub("****", "\n".join(line.rstrip("\n") for line in lines)) + "\n"
    name = f"crash-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}.txt"
    for folder in (_crash_folder, Path(tempfile.gettempdir())):
        path = folder / name
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with open(fd, "w", encoding="utf-8") as report:
                report.write(text)
            return Failed("HR-001", f"{type(error).__name__}: an unexpected failure; the crash report is {path}")
    return Failed("HR-001", f"{type(error).__name__}: an unexpected failure, and no crash report could be written")
