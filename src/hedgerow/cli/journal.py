"""`hedgerow journal`: the records themselves, checked and written out."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from hedgerow.cli.errors import Failed
from hedgerow.cli.show import json_option, note, print_json, state_option
from hedgerow.cli.source import state_folder
from hedgerow.runtime.folder import JOURNAL_FILE

DATABASE = b"SQLite format 3\0"
"How a file of a database begins."


@click.group("journal")
def journal_command() -> None:
    """Verify and export the journal. It must be at rest: a running node has it for itself."""


@journal_command.command("verify")
@click.argument("journal", required=False)
@json_option
@state_option
def verify_command(journal: str | None, as_json: bool, state: str | None, config: str | None) -> None:
    """Check the place, the hash chain and the readability of every record.

    JOURNAL is the file; left out, the one of the state folder.
    """
    from hedgerow.journal.replay import verify

    path = _path(journal, state, config)
    progress = (lambda seq: note(f"  {seq} records")) if sys.stderr.isatty() else None
    found = verify(path, progress)
    if as_json:
        body = {
            "schema": "hedgerow.verify/1",
            "journal": str(path),
            "records": found.records,
            "last_seq": found.last_seq,
            "head_hash": found.head_hash,
            "notes": list(found.notes),
        }
        print_json(json.dumps(body).encode())
        return
    for line in found.notes:
        note(line)
    click.echo(f"{path}: {found.records} records, all in place and unchanged; head {found.head_hash[:16]}")


@journal_command.command("export")
@click.argument("journal", required=False)
@click.option("--book", default=None, help="Only the turns of one book.")
@click.option(
    "--after",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="SEQ",
    help="Only what came after this record.",
)
@click.option("--out", default="-", metavar="FILE", help="Where to; `-` is stdout.")
@json_option
@state_option
def export_command(
    journal: str | None,
    book: str | None,
    after: int,
    out: str,
    as_json: bool,
    state: str | None,
    config: str | None,
) -> None:
    """Write the records as JSON lines, oldest first. --json tells the count as an object, and needs --out."""
    from hedgerow.journal.replay import export
    from hedgerow.model.ids import BookId

    if as_json and out == "-":
        raise Failed("HR-002", "the export itself goes to stdout, where --json would write", "add --out FILE")
    path = _path(journal, state, config)
    book_id = None if book is None else BookId(book)
    if out == "-":
        lines = export(path, sys.stdout.buffer, after, book_id)
    else:
        _refuse_journal(Path(out), path)
        with _whole(Path(out)) as file:
            lines = export(path, file, after, book_id)
    if as_json:
        print_json(json.dumps({"schema": "hedgerow.export/1", "records": lines, "out": out}).encode())
    else:
        note(f"{lines} records")


def _refuse_journal(out: Path, journal: Path) -> None:
    """Refuse to write over a journal, this one or another, and over what lies beside it."""
    is_beside = out.absolute().parent == journal.absolute().parent and out.name.startswith(journal.name)
    with contextlib.suppress(OSError), out.open("rb") as file:
        is_beside = is_beside or (out.is_file() and file.read(len(DATABASE)) == DATABASE)
    if is_beside:
        raise Failed("HR-406", f"{out} is a journal, or belongs to one", "name another file")


@contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    """Open a file that is there once it is whole, and not before; what is no plain file is written as it goes."""
    is_plain = not path.exists() or path.is_file()
    target = path.with_name(f"{path.name}.part") if is_plain else path
    try:
        # Turns hold positions and prices: for the owner only, as the journal is.
        with open(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
            yield file
        if is_plain:
            target.replace(path)
    except BaseException as error:
        if is_plain:
            with contextlib.suppress(OSError):
                target.unlink()
        if not isinstance(error, OSError):
            raise
        code = "HR-402" if error.errno in (errno.ENOENT, errno.EACCES, errno.EISDIR, errno.ENOTDIR) else "HR-308"
        code = "HR-305" if error.errno == errno.ENOSPC else code
        raise Failed(code, f"{path}: {error.strerror}, and nothing of the export was kept") from None


def _path(journal: str | None, state: str | None, config: str | None) -> Path:
    return Path(journal) if journal else state_folder(state, config) / JOURNAL_FILE
