"""A journal at rest, read from its first record: checked, and written out as text. Folding turns is the core's.

One in use is refused: its writer holds the exclusive lock, and reading beside it would need what that lock forbids.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import msgspec

from hedgerow.journal.sqlite import SqliteStore
from hedgerow.model.ids import BookId

PROGRESS_EVERY = 10_000


class NotInJournal(Exception):
    """What was asked for is not in the journal, which is sound."""


class Verified(msgspec.Struct, frozen=True):
    """A journal whose every record is in its place, unchanged and readable."""

    records: int
    last_seq: int
    head_hash: str
    "Of the last record, in hex: two copies with the same one are the same."
    notes: tuple[str, ...] = ()
    "What could not be checked, and why."


class Exported(msgspec.Struct, frozen=True):
    """One line of an export."""

    seq: int
    epoch: int
    version: int
    hash: str
    turn: msgspec.Raw
    "The body as it is in the journal, byte for byte."


def verify(path: Path, progress: Callable[[int], None] | None = None) -> Verified:
    """Check the chain, the place and the readability of every record.

    Args:
        path: the journal.
        progress: told the seq reached, now and then.

    Raises:
        JournalError: it is in use, missing, newer than this program, or damaged; then the first bad record is named.
    """
    store = SqliteStore(path, read_only=True)
    try:
        records, head = 0, ""
        for record in store.turns():
            _ = record.turn  # Readable is more than unchanged.
            records += 1
            head = record.hash.hex()
            if progress is not None and records % PROGRESS_EVERY == 0:
                progress(record.seq)
        return Verified(records, store.last_seq, head, tuple(store.notes))
    finally:
        store.close()


def export(path: Path, out: BinaryIO, after_seq: int = 0, book_id: BookId | None = None) -> int:
    """Write records as JSON lines, oldest first, and return how many. Nothing of a damaged record is written.

    Raises:
        JournalError: as `verify` says; the lines before the damage are written.
        NotInJournal: it ends before `after_seq`, or has nothing of the book.
        OSError: `out` cannot be written.
    """
    encode = msgspec.json.Encoder().encode
    store = SqliteStore(path, read_only=True)
    try:
        if after_seq > store.last_seq:
            raise NotInJournal(f"{path} ends at record {store.last_seq}; there is no record {after_seq}")
        if book_id is not None:
            known = store.book_ids(store.last_seq)
            if book_id not in known:
                raise NotInJournal(f"{path} has no book {book_id}; there is {', '.join(known) or 'none'}")
        lines = 0
        for record in store.turns(after_seq, book_id):
            line = Exported(record.seq, record.epoch, record.version, record.hash.hex(), msgspec.Raw(record.body))
            out.write(encode(line) + b"\n")
            lines += 1
        return lines
    finally:
        store.close()
