"""How long a restart takes: a journal of a million turns is opened, checked and folded, without and with a snapshot."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from benchmarks.process import scratch
from benchmarks.report import Number, at_most
from benchmarks.world import ALTERNATING, Quoting, World, book_config
from hedgerow.core.book import Book, BookState
from hedgerow.core.commands import Turn
from hedgerow.core.step import empty_book, fold
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.model.numbers import ONE
from hedgerow.runtime.cycle import SNAPSHOT_EVERY_TURNS

TURNS, QUICK_TURNS = 1_000_000, 30_000
GOAL_S, GOAL_SNAPSHOT_S = 10.0, 1.0
COMMIT_LEN = 1_000
SNAPSHOT_AGE_TURNS = SNAPSHOT_EVERY_TURNS
"How many turns come after the snapshot: as many as a node makes before it saves the next one."


class Recording:
    """Writes the turns of a world into a journal."""

    def __init__(self, path: Path) -> None:
        self._store = SqliteStore(path)
        self._store.start_epoch()
        self._turns: list[Turn] = []

    def take(self, turn: Turn) -> None:
        self._turns.append(turn)
        if len(self._turns) == COMMIT_LEN:
            self.flush()

    def flush(self) -> None:
        self._store.append(self._turns)
        self._store.commit()
        self._store.tidy()
        self._turns.clear()

    def save_snapshot(self, book: Book) -> None:
        self.flush()
        self._store.save_snapshot(book.config.book_id, msgspec.json.encode(book.state))
        self._store.commit()

    def close(self) -> None:
        self.flush()
        self._store.close()


def record(path: Path, turns: int) -> str:
    """Write a journal of about `turns` turns with a snapshot in it, and return the digest of the book at its end."""
    recording = Recording(path)
    world = World(ALTERNATING, recording.take)
    while world.turns < turns - SNAPSHOT_AGE_TURNS:
        world.run(100)
    recording.save_snapshot(world.book)
    while world.turns < turns:
        world.run(100)
    recording.close()
    return world.book.digest()


def recover(path: Path, *, use_snapshot: bool) -> tuple[Book, int]:
    """Return the book that a journal holds, and how many turns were folded."""
    store = SqliteStore(path)
    config, policy = book_config(), Quoting(ALTERNATING, ONE)
    snapshot = store.load_snapshot(config.book_id) if use_snapshot else None
    if snapshot is None:
        book, after_seq = empty_book(config, policy), 0
    else:
        book, after_seq = Book(msgspec.json.decode(snapshot.body, type=BookState), policy), snapshot.seq
    turns = 0
    for each in store.turns(after_seq, config.book_id):
        fold(book, each.turn)
        turns += 1
    store.close()
    return book, turns


def run(quick: bool, turns: int = 0) -> list[Number]:
    """Write a journal and recover from it both ways; a shorter journal is counted up to a million turns."""
    turns = turns or (QUICK_TURNS if quick else TURNS)
    with scratch() as folder:
        path = Path(folder) / "journal.db"
        digest = record(path, turns)
        whole_s, folded = _timed(path, digest, use_snapshot=False)
        with_snapshot_s, folded_after = _timed(path, digest, use_snapshot=True)
    per_million_s = whole_s / folded * TURNS
    counted_up = "" if folded >= TURNS else f", counted up from {folded:,}"
    return [
        at_most(
            "recovery/whole", f"recover {TURNS:,} turns without a snapshot{counted_up}", "s", per_million_s, GOAL_S
        ),
        at_most(
            "recovery/snapshot",
            f"recover {folded:,} turns with a snapshot {folded_after:,} turns old",
            "s",
            with_snapshot_s,
            GOAL_SNAPSHOT_S,
        ),
    ]


def _timed(path: Path, digest: str, *, use_snapshot: bool) -> tuple[float, int]:
    started = time.perf_counter()
    book, turns = recover(path, use_snapshot=use_snapshot)
    took_s = time.perf_counter() - started
    assert book.digest() == digest, "the journal gives another book than the one that wrote it"
    return took_s, turns
