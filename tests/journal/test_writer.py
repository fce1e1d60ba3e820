"""The journal's thread: it tells the truth about what is durable, and nobody waits for it when it is gone."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from hedgerow.journal.errors import JournalBroken, JournalError, JournalFull, JournalLow
from hedgerow.journal.files import Ballast
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.journal.writer import FLUSH_NS_MAX, JournalWriter
from tests.journal.samples import BOOK, plain_turn, plain_turns

# Far longer than anything here takes; only a hanging test meets it.
PATIENCE_S = 30


class Disk(sqlite3.Connection):
    """A disk that fails as often as it is told to."""

    failures = 0
    code = sqlite3.SQLITE_IOERR_FSYNC

    def execute(self, statement: str, *values: object) -> sqlite3.Cursor:
        if self.failures > 0 and statement.startswith("INSERT INTO turn"):
            self.failures -= 1
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = self.code
            raise error
        return super().execute(statement, *values)  # type: ignore[arg-type]


class Desk:
    """A writer on a disk in memory, with what it told."""

    def __init__(self, on_durable: Callable[[int], None] | None = None, queue_len_max: int = 1_000) -> None:
        self.disk = sqlite3.connect(":memory:", isolation_level=None, factory=Disk, check_same_thread=False)
        self.store = SqliteStore(self.disk)
        self.store.start_epoch()
        self.durable: list[int] = []
        self.errors: list[JournalError] = []
        self.ended = threading.Event()
        self.writer = JournalWriter(self.store, on_durable or self.durable.append, self._failed, queue_len_max)

    def _failed(self, error: JournalError) -> None:
        self.errors.append(error)
        self.ended.set()


def test_a_seq_is_given_at_once_and_told_when_durable() -> None:
    """The caller goes on, and sends nothing before its turn is told durable."""
    desk = Desk()
    assert [desk.writer.append(turn) for turn in plain_turns(500)] == list(range(1, 501))
    desk.writer.close()
    assert desk.durable == sorted(set(desk.durable))
    assert desk.durable[-1] == desk.writer.durable_seq == 500
    assert desk.writer.backlog_len == 0
    assert [record.turn for record in desk.store.turns()] == plain_turns(500)
    assert desk.errors == []


def test_what_waits_is_committed_together() -> None:
    """While one commit runs, the others gather; the next one takes all of them."""
    reached, go, told = threading.Event(), threading.Event(), list[int]()

    def on_durable(seq: int) -> None:
        told.append(seq)
        reached.set()
        assert go.wait(PATIENCE_S)

    desk = Desk(on_durable)
    desk.writer.append(plain_turn(1))
    assert reached.wait(PATIENCE_S)
    for turn in plain_turns(100, first=2):
        desk.writer.append(turn)
    assert desk.writer.backlog_len == 100
    go.set()
    desk.writer.close()
    assert told == [1, 101]


def test_a_snapshot_keeps_its_place() -> None:
    """It is of the turns before it, however the groups fall."""
    desk = Desk()
    for number in range(1, 51):
        desk.writer.append(plain_turn(number))
        if number == 20:
            desk.writer.save_snapshot(BOOK, b"twenty")
    desk.writer.close()
    snapshot = desk.store.load_snapshot(BOOK)
    assert snapshot is not None
    assert (snapshot.seq, snapshot.body) == (20, b"twenty")


def test_a_full_queue_makes_the_caller_wait() -> None:
    """A slow disk slows the engine; it never grows the memory without end, and drops nothing."""
    desk = Desk(queue_len_max=4)
    for turn in plain_turns(300):
        desk.writer.append(turn)
        assert desk.writer.backlog_len <= 4
    desk.writer.close()
    assert desk.writer.durable_seq == 300


def test_a_failed_disk_ends_the_writer() -> None:
    """It is told once, later appends are refused, and nothing is ever told durable that is not."""
    desk = Desk()
    desk.disk.failures = 1
    desk.writer.append(plain_turn(1))
    assert desk.ended.wait(PATIENCE_S)
    with pytest.raises(JournalBroken, match="disk I/O error"):
        desk.writer.append(plain_turn(2))
    with pytest.raises(JournalBroken):
        desk.writer.close()
    assert [type(error) for error in desk.errors] == [JournalBroken]
    assert (desk.durable, desk.writer.durable_seq) == ([], 0)


def test_nobody_waits_for_a_writer_that_is_gone() -> None:
    """A caller in a full queue is woken by the failure."""
    desk = Desk(queue_len_max=2)
    desk.disk.failures = 1
    with pytest.raises(JournalBroken):
        for turn in plain_turns(10):
            desk.writer.append(turn)
    assert desk.writer.durable_seq == 0


def test_a_nearly_full_disk_is_a_warning(tmp_path: Path) -> None:
    """The ballast is freed, the turn is durable, and the node has time to cancel its entries."""
    desk = Desk()
    desk.store._ballast = Ballast(tmp_path / "ballast", 4_096)
    desk.store._ballast.reserve()
    desk.disk.failures, desk.disk.code = 1, sqlite3.SQLITE_FULL
    desk.writer.append(plain_turn(1))
    assert desk.ended.wait(PATIENCE_S)
    assert [type(error) for error in desk.errors] == [JournalLow]
    desk.disk.failures = 1
    desk.writer.append(plain_turn(2))
    with pytest.raises(JournalFull):
        desk.writer.close()
    assert desk.durable == [1]
    assert [type(error) for error in desk.errors] == [JournalLow, JournalFull]


def test_a_caller_with_time_commits_by_itself() -> None:
    """What is flushed is durable at once, and is not told again: the caller knows."""
    desk = Desk()
    for number in range(1, 200):
        desk.writer.take(plain_turn(number))
        if number % 3 == 0:
            # A busy machine's disk must not look slow here.
            desk.writer._commit_ns = 0
            assert desk.writer.flush() == number
            desk.writer.tidy()
        if number == 30:
            desk.writer.save_snapshot(BOOK, b"thirty")
    desk.writer.close()
    snapshot = desk.store.load_snapshot(BOOK)
    assert desk.writer.durable_seq == 199
    assert [record.turn for record in desk.store.turns()] == plain_turns(199)
    assert desk.durable == [199], "only what was taken last is left to the thread"
    assert snapshot is not None and snapshot.seq == 30


def test_a_slow_disk_is_left_to_the_thread() -> None:
    """The loop never waits for a disk that is known to be slow."""
    reached, go = threading.Event(), threading.Event()

    def on_durable(seq: int) -> None:
        reached.set()
        assert go.wait(PATIENCE_S)

    desk = Desk(on_durable)
    desk.writer.append(plain_turn(1))
    assert reached.wait(PATIENCE_S)
    desk.writer._commit_ns = FLUSH_NS_MAX
    desk.writer.take(plain_turn(2))
    assert desk.writer.flush() == 1
    desk.writer._commit_ns = 0
    assert desk.writer.flush() == 1, "the thread is at it"
    go.set()
    desk.writer.close()
    assert desk.writer.durable_seq == 2


def test_a_flush_that_fails_ends_the_writer() -> None:
    """It is told like a failure in the thread, once, and nothing more is taken."""
    desk = Desk()
    desk.disk.failures = 1
    desk.writer.take(plain_turn(1))
    assert desk.writer.flush() == 0
    with pytest.raises(JournalBroken):
        desk.writer.append(plain_turn(2))
    with pytest.raises(JournalBroken):
        desk.writer.close()
    assert [type(error) for error in desk.errors] == [JournalBroken]
    assert desk.durable == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_breaks_is_told() -> None:
    """Also a mistake of ours must not leave a caller waiting in silence."""

    def on_durable(seq: int) -> None:
        raise ZeroDivisionError(seq)

    desk = Desk(on_durable)
    desk.writer.append(plain_turn(1))
    assert desk.ended.wait(PATIENCE_S)
    with pytest.raises(JournalBroken, match="the writing thread broke"):
        desk.writer.close()


def test_kill_9_loses_nothing_that_was_told(tmp_path: Path) -> None:
    """A process killed while it writes: all that it told durable is there, in one good chain."""
    path = tmp_path / "journal.db"
    code = (
        "import itertools, os, sys\n"
        "from hedgerow.journal.sqlite import SqliteStore\n"
        "from hedgerow.journal.writer import JournalWriter\n"
        "from tests.journal.samples import plain_turn\n"
        "store = SqliteStore(sys.argv[1], ballast_bytes=0); store.start_epoch()\n"
        "writer = JournalWriter(store, lambda seq: os.write(1, b'%d\\n' % seq), print, 200)\n"
        "for number in itertools.count(1): writer.append(plain_turn(number))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, path], stdout=subprocess.PIPE, env={"PYTHONPATH": "src:."}, text=True
    )
    assert process.stdout is not None
    told = [int(process.stdout.readline()) for _ in range(20)]
    process.send_signal(signal.SIGKILL)
    told += [int(line) for line in process.stdout.read().splitlines() if line]
    process.wait(PATIENCE_S)
    process.stdout.close()

    store = SqliteStore(path, ballast_bytes=0)
    assert store.last_seq >= told[-1]
    assert [record.turn for record in store.turns()] == plain_turns(store.last_seq)
    assert store.start_epoch() == 2
    store.close()
