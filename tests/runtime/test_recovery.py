"""What a start reads of the journal: each book from its latest snapshot on, and no more than needed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from hedgerow.core.commands import Turn
from hedgerow.core.events import Action, OperatorCommanded
from hedgerow.journal.errors import JournalLocked
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.model.ids import BookId
from hedgerow.runtime.cycle import QUIET_SNAPSHOTS, Cycle
from hedgerow.runtime.dispatch import Budget, Dispatch
from hedgerow.runtime.recovery import open_journal, recover
from tests.core.books import Desk, Quoting, S, config
from tests.runtime.test_portfolio import Paper, Silent
from tests.runtime.worlds import World
from tests.venues.clockwork import VirtualClock

EVERY_TURNS = 5


class Kept(Paper):
    """A journal in memory that keeps snapshots as well."""

    def __init__(self) -> None:
        super().__init__()
        self.store = SqliteStore(sqlite3.connect(":memory:", isolation_level=None))
        self.store.start_epoch()

    def append(self, turn: Turn) -> int:
        return self.store.append((turn,))

    def save_snapshot(self, book_id: BookId, body: bytes) -> None:
        self.store.save_snapshot(book_id, body)
        self.store.commit()

    def age_turns(self, book_id: BookId) -> int:
        """How many turns a start would have to read for this book."""
        snapshot = self.store.load_snapshot(book_id)
        return self.store.chain().seq - (0 if snapshot is None else snapshot.seq)


def test_a_quiet_book_does_not_make_a_start_read_everything() -> None:
    """A start reads from the oldest of the latest snapshots on, so a book that never turns gets a new one too."""
    clock, journal = VirtualClock(), Kept()
    running = Cycle(clock, journal, lambda book_id, command: None, journal, EVERY_TURNS)
    busy, quiet = BookId("busy"), BookId("quiet")
    for book_id in (busy, quiet):
        book = Desk(Quoting(), replace(config(), book_id=book_id)).book
        doors = {leg_id: Dispatch(clock, Budget()) for leg_id in book.legs}
        running.add(book, {leg_id: Silent() for leg_id in book.legs}, doors)

    ages = []
    for number in range(EVERY_TURNS * QUIET_SNAPSHOTS * 3):
        action = Action.RESUME if number % 2 else Action.FREEZE
        running.deliver(busy, OperatorCommanded(clock.now_ns(), action))
        ages.append(journal.age_turns(quiet))

    assert journal.age_turns(busy) < 2 * EVERY_TURNS
    assert max(ages[EVERY_TURNS:]) <= EVERY_TURNS * (QUIET_SNAPSHOTS + 1)


def test_short_runs_add_up_to_a_snapshot() -> None:
    """A node that is started anew more often than it saves snapshots must not read more at each start."""
    world = World(snapshot_every_turns=10)
    folded = []
    for _ in range(20):
        world.run(S)
        world.restart()
        folded.append(world.recovered.turns)

    assert folded[0] < 10, "no run is long enough for a snapshot of its own"
    assert max(folded) < 10


def test_all_books_are_read_in_one_go_and_each_has_only_its_own() -> None:
    """A book that is new to the journal is empty, whatever the others have."""
    world = World()
    world.run(S)
    assert world.hit() is not None
    world.run(S)
    store = world.disk.store
    store.commit()
    known = world.config.books[0]

    first, new = recover(store, [known, replace(known, book_id=BookId("new"))])

    assert first.book.digest() == recover(store, [known])[0].book.digest() == world.book.digest()
    assert first.turns == store.last_seq
    assert (new.turns, new.book.state.epoch) == (0, 0)


def test_a_start_that_reads_much_says_so() -> None:
    """Whoever waits for a hedge wants to know what it is waiting for."""
    world, notes = World(), []
    world.run(S)

    recover(world.disk.store, world.config.books, notes.append, many_turns=1)

    assert notes == [f"recover   reading {world.disk.store.last_seq:,} turns: a second or two for each 100,000"]


def test_a_start_waits_for_whoever_reads_the_journal(tmp_path: Path) -> None:
    """A health check that looks at the journal at rest must not keep a node from its positions."""
    path = tmp_path / "journal.sqlite"
    SqliteStore(path).close()
    reader, notes = SqliteStore(path, read_only=True), []

    store = open_journal(path, notes.append, lambda _: reader.close())

    assert store.start_epoch() > 0
    store.close()
    assert notes == [f"recover   another process has {path}; waiting up to 10 s for it"]


def test_a_journal_that_is_not_let_go_is_refused(tmp_path: Path) -> None:
    """A second engine would hedge every fill twice, however long it waited."""
    path, slept_s = tmp_path / "journal.sqlite", []
    with closing(SqliteStore(path)), pytest.raises(JournalLocked, match="is in use by another process"):
        open_journal(path, lambda _: None, slept_s.append)
    assert sum(slept_s) == pytest.approx(10)
