"""`hedgerow journal`: the records themselves, checked and written out."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

from hedgerow.cli.errors import Failed
from hedgerow.cli.show import json_option, note, print_json, state_option
from hedgerow.cli.source import state_folder
from hedgerow.runtime.folder import JOURNAL_FILE


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
        }
        print_json(json.dumps(body).encode())
        return
    click.echo(f"{path}: {found.records} records, all in place and unchanged; head {found.head_hash[:16]}")


@journal_command.command("export")
@click.argument("journal", required=False)
@click.option("--book", default=None, help="Only the turns of one book.")
@click.option("--after", default=0, show_default=True, metavar="SEQ", help="Only what came after this record.")
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
        try:
            # Turns hold positions and prices: for the owner only, as the journal is.
            with open(os.open(out, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
                lines = export(path, file, after, book_id)
        except OSError as error:
            raise Failed("HR-402", f"{out}: {error.strerror}") from None
    if as_json:
        print_json(json.dumps({"schema": "hedgerow.export/1", "records": lines, "out": out}).encode())
    else:
        note(f"{lines} records")


def _path(journal: str | None, state: str | None, config: str | None) -> Path:
    return Path(journal) if journal else state_folder(state, config) / JOURNAL_FILE
