"""A journal at rest: its books folded again for showing. Nothing is changed, and a journal in use is refused."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from hedgerow.core.book import Book, BookState
from hedgerow.core.commands import Turn
from hedgerow.core.events import BookStarted
from hedgerow.core.step import empty_book, fold
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.model.ids import BookId
from hedgerow.runtime.story import Silent

_decode_state = msgspec.json.Decoder(BookState).decode


def turns(journal: Path) -> Iterator[tuple[int, Turn]]:
    """Yield (seq, turn), oldest first.

    Raises:
        JournalError: it is missing, in use, newer than this program, or damaged.
    """
    store = SqliteStore(journal, read_only=True)
    try:
        for record in store.turns():
            yield record.seq, record.turn
    finally:
        store.close()


def books(journal: Path) -> dict[BookId, Book]:
    """Return every book as its last turn left it, by name. Raises as `turns` does."""
    found: dict[BookId, Book] = {}
    since: dict[BookId, int] = {}
    store = SqliteStore(journal, read_only=True)
    try:
        for record in store.turns():
            if record.book_id not in since:
                snapshot = store.load_snapshot(record.book_id)
                since[record.book_id] = 0
                if snapshot is not None:
                    # One of another version is passed over: the turns say the same.
                    with contextlib.suppress(msgspec.MsgspecError):
                        found[record.book_id] = Book(_decode_state(snapshot.body), Silent())
                        since[record.book_id] = snapshot.seq
            # What the snapshot holds already is only checked, which is far cheaper than folding it.
            if record.seq <= since[record.book_id]:
                continue
            turn = record.turn
            book = found.get(turn.book_id)
            if book is None:
                # Every book begins with its start, which carries its config.
                assert isinstance(turn.event, BookStarted), turn
                book = found[turn.book_id] = empty_book(turn.event.config, Silent())
            fold(book, turn)
    finally:
        store.close()
    return found
