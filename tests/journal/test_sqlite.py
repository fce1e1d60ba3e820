"""The store: what is acknowledged stays, what is damaged is refused by name, and nobody else gets in."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hedgerow.core.commands import LookUpFill, Turn
from hedgerow.core.events import FillLookedUp, FillReceived, TradesRead
from hedgerow.journal import sqlite
from hedgerow.journal.errors import (
    JournalBroken,
    JournalCorrupt,
    JournalError,
    JournalFenced,
    JournalFull,
    JournalLocked,
    JournalMissing,
    JournalTooNew,
)
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.model.ids import BookId, InstrumentId, TradeId
from tests.journal.samples import ACCOUNT, BOOK, BTC, LEAD, TS, fill, plain_turn, plain_turns

OTHER = BookId("carry-1")
Change = Callable[[sqlite3.Connection], object]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


def opened(path: Path) -> SqliteStore:
    return SqliteStore(path, ballast_bytes=0)


def started(where: Path | sqlite3.Connection) -> SqliteStore:
    store = SqliteStore(where, ballast_bytes=0)
    store.start_epoch()
    return store


def in_memory() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None)


def written(path: Path, count: int = 12) -> list[bytes]:
    """Write a journal of `count` turns, one commit each, close it, and return the bodies."""
    store = started(path)
    for turn in plain_turns(count):
        store.append([turn])
        store.commit()
    bodies = [record.body for record in store.turns()]
    store.close()
    return bodies


def killed(path: Path, count: int = 12) -> list[bytes]:
    """Write a journal as `written` does, but leave its files as a killed process would: the log not moved."""
    store = started(path)
    for turn in plain_turns(count):
        store.append([turn])
        store.commit()
    bodies = [record.body for record in store.turns()]
    copy = path.parent.parent / "killed"
    shutil.copytree(path.parent, copy)
    store.close()
    shutil.rmtree(path.parent)
    copy.rename(path.parent)
    return bodies


def changed(path: Path, change: Change) -> None:
    """Change a journal at rest behind its back."""
    connection = sqlite3.connect(path, isolation_level=None)
    change(connection)
    connection.close()


def sql(statement: str, *values: object) -> Change:
    return lambda connection: connection.execute(statement, values)


def flip(column: str, seq: int) -> Change:
    """Flip one bit in the middle of a blob or number."""

    def change(connection: sqlite3.Connection) -> None:
        (value,) = connection.execute(f"SELECT {column} FROM turn WHERE seq = ?", (seq,)).fetchone()
        if isinstance(value, bytes):
            middle = len(value) // 2
            value = value[:middle] + bytes([value[middle] ^ 1]) + value[middle + 1 :]
        elif isinstance(value, str):
            value = chr(ord(value[0]) ^ 1) + value[1:]
        else:
            value ^= 2
        connection.execute(f"UPDATE turn SET {column} = ? WHERE seq = ?", (value, seq))

    return change


def bodies_or_error(path: Path) -> list[bytes] | JournalError:
    """Return what a start reads, or how it refuses. Any other exception fails the test."""
    try:
        store = opened(path)
    except JournalError as error:
        assert "\n" not in str(error)
        return error
    try:
        return [record.body for record in store.turns()]
    except JournalError as error:
        assert "\n" not in str(error)
        return error
    finally:
        store.close()


# What is written is read.


def test_turns_are_read_as_they_were_appended(path: Path) -> None:
    """The order, the books and the bytes are those of the appends, also in the next process."""
    turns = [plain_turn(1), plain_turn(2, OTHER), plain_turn(3)]
    store = started(path)
    assert store.append(turns) == 3
    assert store.last_seq == 0
    assert store.commit() == 3
    store.close()

    again = opened(path)
    assert [record.turn for record in again.turns()] == turns
    assert [record.seq for record in again.turns(book_id=BOOK)] == [1, 3]
    assert [record.seq for record in again.turns(after_seq=1)] == [2, 3]
    assert again.notes == []
    again.close()


@pytest.mark.parametrize("count", [1, 2, 64, 65, 1_024, 1_089, 2_100])
def test_groups_of_any_size_are_one_transaction(count: int) -> None:
    """Rows go out in statements of several sizes; none is lost or doubled between them."""
    store = started(in_memory())
    store.append(plain_turns(count))
    assert store.commit() == count
    assert [record.turn for record in store.turns()] == plain_turns(count)


def test_what_is_not_committed_is_not_there(path: Path) -> None:
    """A crash before the commit leaves the journal as it was, and the next seq is used again."""
    store = started(path)
    store.append([plain_turn(1)])
    store.commit()
    store.append(plain_turns(5, first=2))
    store.save_snapshot(BOOK, b"early")
    store.close()
    store = started(path)
    assert store.append([plain_turn(9)]) == 2
    store.commit()
    assert [record.turn for record in store.turns()] == [plain_turn(1), plain_turn(9)]
    assert store.load_snapshot(BOOK) is None
    store.close()


def test_a_turn_that_cannot_be_encoded_leaves_no_half_batch() -> None:
    """The store stays as it was, so that the caller can stop in order."""
    store = started(in_memory())
    broken = Turn(BOOK, TS, object())  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        store.append([plain_turn(1), broken])
    assert store.append([plain_turn(2)]) == 1
    store.commit()
    assert [record.turn for record in store.turns()] == [plain_turn(2)]


def test_the_same_turns_make_the_same_journal() -> None:
    """Two journals are equal when their last hashes are."""
    hashes = set()
    for _ in range(2):
        store = started(in_memory())
        store.append(plain_turns(5))
        store.commit()
        hashes.add([record.hash for record in store.turns()][-1])
    assert len(hashes) == 1


def test_reading_beyond_the_end_is_refused(path: Path) -> None:
    """A snapshot from another journal must not make an empty replay."""
    written(path, 3)
    store = opened(path)
    with pytest.raises(JournalCorrupt, match="ends at record 3; there is nothing after 4"):
        list(store.turns(after_seq=4))
    store.close()


def test_tidying_keeps_every_record(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log moves into the main file between commits."""
    monkeypatch.setattr(sqlite, "TIDY_BYTES", 1)
    store = started(path)
    for turn in plain_turns(3):
        store.append([turn])
        store.commit()
        store.tidy()
    assert len(list(store.turns())) == 3
    store.close()
    assert len(bodies_or_error(path)) == 3  # type: ignore[arg-type]


def test_a_log_that_is_laid_out_holds_no_more_than_was_written(path: Path) -> None:
    """Its length says nothing; what lies behind the records is nobody's, after a kill as well."""
    store = started(path)
    store.append(plain_turns(2))
    store.commit()
    store.lay_out()
    store.append([plain_turn(3)])
    store.commit()
    log = Path(f"{path}-wal")
    assert log.stat().st_size == sqlite.LOG_BYTES
    # What a killed process leaves behind.
    copy = path.with_name("copy.db")
    for name in ("", "-wal", ".anchor"):
        Path(f"{copy}{name}").write_bytes(Path(f"{path}{name}").read_bytes())
    store.close()

    for each in (path, copy):
        again = opened(each)
        assert [record.turn for record in again.turns()] == plain_turns(3)
        assert again.notes == []
        again.close()


def test_a_commit_into_a_log_that_is_laid_out_leaves_its_length(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is what it is for; moved into the main file, it begins anew in the same file."""
    monkeypatch.setattr(sqlite, "TIDY_BYTES", 64 * 1024)
    monkeypatch.setattr(sqlite, "LOG_BYTES", 256 * 1024)
    store = started(path)
    store.lay_out()
    for turn in plain_turns(200):
        store.append([turn])
        store.commit()
        store.tidy()
        assert Path(f"{path}-wal").stat().st_size == 256 * 1024
    assert len(list(store.turns())) == 200
    store.close()


# Epochs and owners.


def test_each_start_takes_the_next_epoch(path: Path) -> None:
    """The epoch is in every order id, so it is durable before the first order."""
    for expected in (1, 2, 3):
        store = opened(path)
        assert store.start_epoch() == expected
        store.close()


def test_a_journal_restored_from_a_copy_takes_no_epoch_again(path: Path) -> None:
    """The runs since the copy have used theirs; the clock, from which a start takes its least one, has gone on."""
    for least, expected in ((100, 100), (50, 101), (300, 300)):
        store = opened(path)
        assert store.start_epoch(least) == expected
        store.close()


def test_a_writer_of_an_older_epoch_is_fenced() -> None:
    """Two engines on one journal: the one that was replaced writes nothing more."""
    connection = in_memory()
    old = started(connection)
    old.append([plain_turn(1)])
    old.commit()
    new = started(connection)
    old.append([plain_turn(2)])
    with pytest.raises(JournalFenced, match="later epoch than 1"):
        old.commit()
    with pytest.raises(JournalFenced):
        old.append([plain_turn(3)])
    new.append([plain_turn(4)])
    assert new.commit() == 2
    assert [record.epoch for record in new.turns()] == [1, 2]


@pytest.mark.parametrize("count", [0, 65])
def test_the_fence_holds_for_groups_with_snapshots_too(count: int) -> None:
    """A transaction of many statements is undone whole."""
    connection = in_memory()
    old = started(connection)
    new = started(connection)
    old.append(plain_turns(count))
    old.save_snapshot(BOOK, b"late")
    with pytest.raises(JournalFenced):
        old.commit()
    new.append([plain_turn(1)])
    assert new.commit() == 1
    assert new.load_snapshot(BOOK) is None


def test_a_second_process_is_refused(path: Path) -> None:
    """Two engines on one journal would hedge every fill twice."""
    store = started(path)
    code = (
        "import sys\n"
        "from hedgerow.journal.errors import JournalLocked\n"
        "from hedgerow.journal.sqlite import SqliteStore\n"
        "for read_only in (False, True):\n"
        "    try: SqliteStore(sys.argv[1], read_only=read_only, ballast_bytes=0)\n"
        "    except JournalLocked as error: print(error)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True, env={"PYTHONPATH": "src"}
    )
    lines = ran.stdout.splitlines()
    assert len(lines) == 2
    assert all(str(path) in line and "stop that one" in line for line in lines)
    store.append([plain_turn(1)])
    assert store.commit() == 1
    store.close()


def test_a_second_store_in_the_same_process_is_refused(path: Path) -> None:
    """The lock is the file's, whoever asks; and it is gone when the first lets go."""
    store = started(path)
    with pytest.raises(JournalLocked):
        opened(path)
    with pytest.raises(JournalLocked):
        SqliteStore(path, read_only=True)
    store.append([plain_turn(1)])
    assert store.commit() == 1
    store.close()
    opened(path).close()


def test_a_journal_in_a_closed_place_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a read-only backup SQLite can make no file beside it; one that was closed in order needs none."""
    started(path).close()
    monkeypatch.setattr(os, "access", lambda *_: False)
    before = sorted(path.parent.iterdir())

    store = SqliteStore(path, read_only=True)

    assert store.last_seq >= 0
    assert sorted(path.parent.iterdir()) == before
    store.close()


def test_all_files_are_the_owners_alone(path: Path) -> None:
    """The log and the small files are as private as the journal."""
    store = SqliteStore(path, ballast_bytes=1 << 20)
    store.start_epoch()
    store.append([plain_turn(1)])
    store.commit()
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {file.name for file in path.parent.iterdir()} == {
        "journal.db",
        "journal.db-wal",
        "journal.db.anchor",
        "journal.db.ballast",
    }
    store.close()


def test_a_read_only_store_needs_a_journal(path: Path) -> None:
    """A typing error must not make an empty journal."""
    with pytest.raises(JournalMissing, match="there is no journal"):
        SqliteStore(path, read_only=True)
    assert not path.parent.exists()


def test_a_read_only_store_reads_what_a_killed_process_left(path: Path) -> None:
    """`hedgerow explain` works on a journal at rest, and leaves it as startable as it was."""
    bodies = killed(path)
    store = SqliteStore(path, read_only=True)
    assert [record.body for record in store.turns()] == bodies
    store.close()
    assert bodies_or_error(path) == bodies


# What is damaged is refused.


def test_a_killed_process_loses_nothing(path: Path) -> None:
    """Every acknowledged record is there at the next start."""
    bodies = killed(path)
    assert bodies_or_error(path) == bodies


@pytest.mark.parametrize("column", ["epoch", "version", "book_id", "hash", "body"])
@pytest.mark.parametrize("seq", [1, 6, 10])
def test_a_flipped_bit_in_the_middle_is_refused_by_name(path: Path, column: str, seq: int) -> None:
    """Good records follow, so this is no torn tail: the journal is restored by a person."""
    written(path)
    changed(path, flip(column, seq))
    error = bodies_or_error(path)
    assert isinstance(error, JournalCorrupt)
    assert f"damaged at record {seq}:" in str(error)


@pytest.mark.parametrize(
    ("change", "seq"),
    [
        (sql("DELETE FROM turn WHERE seq = 5"), 5),
        (sql("DELETE FROM turn WHERE seq = 1"), 1),
        (sql("UPDATE turn SET body = (SELECT body FROM turn WHERE seq = 4) WHERE seq = 5"), 5),
        (sql("UPDATE turn SET seq = 100 WHERE seq = 5"), 5),
        (sql("UPDATE turn SET seq = -5 WHERE seq = 5"), 5),
        (sql("UPDATE turn SET version = 1 << 40 WHERE seq = 5"), 5),
        (sql("UPDATE turn SET book_id = CAST(x'ff41' AS TEXT) WHERE seq = 5"), None),
    ],
)
def test_missing_moved_and_copied_records_are_refused(path: Path, change: Change, seq: int | None) -> None:
    """The chain knows the place of each record, not only its bytes."""
    written(path)
    changed(path, change)
    error = bodies_or_error(path)
    assert isinstance(error, JournalCorrupt)
    if seq is not None:
        assert f"damaged at record {seq}:" in str(error)


def test_records_cut_off_the_end_are_missed(path: Path) -> None:
    """A chain cannot see that its end is gone; the anchor can."""
    written(path)
    changed(path, sql("DELETE FROM turn WHERE seq > 9"))
    error = bodies_or_error(path)
    assert isinstance(error, JournalCorrupt)
    assert "ends at record 9, but record 12 was durable: 3 record(s) are missing" in str(error)


@pytest.mark.parametrize("column", ["hash", "body"])
def test_an_acknowledged_tail_is_never_cut(path: Path, column: str) -> None:
    """The last record is damaged, but the anchor knows that it was durable: an order may have left on it."""
    written(path)
    changed(path, flip(column, 12))
    error = bodies_or_error(path)
    assert isinstance(error, JournalCorrupt)
    assert "damaged at record 12:" in str(error)


def test_a_torn_tail_beyond_the_anchor_is_cut_and_noted(path: Path) -> None:
    """After a power cut the anchor may be old: what follows it and is unreadable to the end is cut, and said."""
    bodies = written(path, 9)
    anchor = Path(f"{path}.anchor").read_bytes()
    store = started(path)
    store.append(plain_turns(3, first=10))
    store.save_snapshot(BOOK, b"at 12")
    store.commit()
    store.close()
    Path(f"{path}.anchor").write_bytes(anchor)
    changed(path, flip("body", 11))
    changed(path, flip("body", 12))

    store = opened(path)
    assert len(store.notes) == 1
    assert "2 unreadable record(s) at its end, from 11 on, were cut" in store.notes[0]
    assert [record.body for record in store.turns()][:9] == bodies
    assert store.last_seq == 10
    assert store.load_snapshot(BOOK) is None
    store.start_epoch()
    assert store.append([plain_turn(11)]) == 11
    store.commit()
    store.close()
    assert len(bodies_or_error(path)) == 11  # type: ignore[arg-type]


def test_a_read_only_store_cuts_nothing(path: Path) -> None:
    """Looking must not change what is looked at."""
    written(path)
    Path(f"{path}.anchor").unlink()
    changed(path, flip("body", 12))
    store = SqliteStore(path, read_only=True)
    assert store.last_seq == 11
    assert "the next start will cut it" in store.notes[0]
    store.close()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM turn").fetchone() == (12,)
    connection.close()


def test_an_old_copy_is_refused(path: Path, tmp_path: Path) -> None:
    """Its epoch would be used twice, and with it order ids."""
    written(path, 3)
    old = path.read_bytes()
    written(path, 1)
    path.write_bytes(old)
    error = bodies_or_error(path)
    assert isinstance(error, JournalCorrupt)
    assert "it is an old copy" in str(error)


def test_a_rewritten_journal_is_refused(path: Path, tmp_path: Path) -> None:
    """Another history of the same length has its own good chain, but not the anchor's hash."""
    written(path)
    other = tmp_path / "other" / "journal.db"
    store = started(other)
    store.append(plain_turns(13, first=50))
    store.commit()
    store.close()
    shutil.copy(other, path)
    error = bodies_or_error(path)
    assert isinstance(error, JournalCorrupt)
    assert "another record 12" in str(error)


def test_a_damaged_epoch_is_refused(path: Path) -> None:
    """A flipped bit there could make an old order id new again."""
    written(path)
    changed(path, sql("UPDATE run SET epoch = epoch + 8"))
    error = bodies_or_error(path)
    assert isinstance(error, JournalCorrupt)
    assert "damaged epoch" in str(error)


def test_a_journal_of_a_newer_format_is_refused(path: Path) -> None:
    """Nothing is changed, so the newer program can still use it."""
    written(path)
    changed(path, sql("PRAGMA user_version = 2"))
    error = bodies_or_error(path)
    assert isinstance(error, JournalTooNew)


@pytest.mark.parametrize("content", [b"hello, I am a text file\n" * 400, b"\x00" * 8192, b"SQLite format 3\x00"])
def test_another_file_is_not_taken_for_a_journal(path: Path, content: bytes) -> None:
    """A wrong path is told, and the file stays as it was."""
    path.parent.mkdir()
    path.write_bytes(content)
    assert isinstance(bodies_or_error(path), JournalCorrupt)
    assert path.read_bytes() == content


def test_another_programs_database_is_not_taken_for_a_journal(path: Path) -> None:
    """Its tables are left alone."""
    path.parent.mkdir()
    changed(path, sql("CREATE TABLE t (a)"))
    path.chmod(0o644)
    content = path.read_bytes()
    error = bodies_or_error(path)
    assert isinstance(error, JournalCorrupt)
    assert "is not a hedgerow journal" in str(error)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (content, 0o644)


@pytest.mark.parametrize("suffix", ["", "-wal"])
def test_an_emptied_file_is_missed(path: Path, suffix: str) -> None:
    """SQLite would take it for a new database, and order ids would begin again."""
    killed(path)
    os.truncate(f"{path}{suffix}", 0)
    assert isinstance(bodies_or_error(path), JournalCorrupt)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """One line, not a traceback."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(JournalBroken, match="cannot be opened"):
        SqliteStore(tmp_path / "file" / "journal.db")


def offsets(size: int, step: int) -> Iterator[int]:
    """Every `step` bytes, and the bytes around each page border."""
    for offset in range(size):
        if offset % step == 0 or offset % 4096 in (0, 1, 4095):
            yield offset


def check_cuts(path: Path, suffix: str, step: int) -> None:
    bodies = killed(path) if suffix else written(path)
    safe = path.parent.parent / "safe"
    shutil.copytree(path.parent, safe)
    whole = Path(f"{path}{suffix}").stat().st_size
    for has_anchor in (True, False):
        for size in offsets(whole, step):
            shutil.rmtree(path.parent)
            shutil.copytree(safe, path.parent)
            if not has_anchor:
                Path(f"{path}.anchor").unlink()
            os.truncate(f"{path}{suffix}", size)
            got = bodies_or_error(path)
            if isinstance(got, list):
                assert got == bodies[: len(got)], size
                assert got == bodies or not has_anchor, size


def check_flips(path: Path, suffix: str, step: int) -> None:
    bodies = killed(path) if suffix else written(path)
    safe = path.parent.parent / "safe"
    shutil.copytree(path.parent, safe)
    for offset in offsets(Path(f"{path}{suffix}").stat().st_size, step):
        shutil.rmtree(path.parent)
        shutil.copytree(safe, path.parent)
        with Path(f"{path}{suffix}").open("r+b") as file:
            file.seek(offset)
            (byte,) = file.read(1)
            file.seek(offset)
            file.write(bytes([byte ^ 1 << offset % 8]))
        got = bodies_or_error(path)
        assert isinstance(got, JournalError) or got == bodies, offset


@pytest.mark.parametrize("suffix", ["", "-wal"])
def test_a_file_cut_anywhere_is_whole_or_refused(path: Path, suffix: str) -> None:
    """With its anchor nothing acknowledged is lost in silence; without one, what is read is a prefix."""
    check_cuts(path, suffix, step=4096)


@pytest.mark.parametrize("suffix", ["", "-wal"])
def test_a_bit_flipped_anywhere_is_harmless_or_refused(path: Path, suffix: str) -> None:
    """In a page header, a free byte or a body: never a traceback, never another history."""
    check_flips(path, suffix, step=2048)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["", "-wal"])
@pytest.mark.parametrize("check", [check_cuts, check_flips])
def test_many_cuts_and_flips(path: Path, suffix: str, check: Callable[[Path, str, int], None]) -> None:
    """The same at every 37th byte."""
    check(path, suffix, 37)


# Snapshots.


def test_a_snapshot_is_of_the_turns_before_it(path: Path) -> None:
    """It is in the same transaction as they are, and names the last of them."""
    store = started(path)
    store.append(plain_turns(3))
    assert store.save_snapshot(BOOK, b"three") == 3
    store.append([plain_turn(4)])
    store.commit()
    snapshot = store.load_snapshot(BOOK)
    assert snapshot is not None
    assert (snapshot.seq, snapshot.body) == (3, b"three")
    assert [record.seq for record in store.turns(snapshot.seq)] == [4]
    assert store.load_snapshot(OTHER) is None
    assert store.notes == []
    store.close()


def test_old_snapshots_are_dropped() -> None:
    """Two are kept for each book, so that a damaged one costs a longer replay and not all of it."""
    connection = in_memory()
    store = started(connection)
    for number in range(1, 6):
        store.append([plain_turn(number)])
        store.save_snapshot(BOOK, b"%d" % number)
        store.save_snapshot(OTHER, b"o%d" % number)
        store.commit()
    rows = connection.execute("SELECT book_id, seq FROM snapshot ORDER BY book_id, seq").fetchall()
    assert rows == [(OTHER, 4), (OTHER, 5), (BOOK, 4), (BOOK, 5)]


@pytest.mark.parametrize(
    "damage",
    ["SET body = x'00' WHERE seq = 2", "SET sha = x'00' WHERE seq = 2", "SET seq = 3 WHERE seq = 2", "SET body = ''"],
)
def test_a_damaged_snapshot_is_not_used(damage: str) -> None:
    """Replay from the start always works, so a doubtful snapshot is worth nothing; why is noted."""
    connection = in_memory()
    store = started(connection)
    for number in (1, 2, 3):
        store.append([plain_turn(number)])
        if number < 3:
            store.save_snapshot(BOOK, b"at %d" % number)
        store.commit()
    connection.execute("PRAGMA ignore_check_constraints = ON")
    connection.execute(f"UPDATE snapshot {damage}" if "''" not in damage else "UPDATE snapshot SET body = x''")
    snapshot = store.load_snapshot(BOOK)
    assert snapshot is None or snapshot.body == b"at 1"
    assert "is damaged and was not used" in store.notes[0]


# Fills of forgotten orders.


def find(store: SqliteStore, trade: str = "t7", book_id: BookId = BOOK) -> bool:
    return store.find_fill(ACCOUNT, BTC, TradeId(trade), book_id)


def test_a_booked_fill_is_found() -> None:
    """From a stream or from a read of trades, among thousands of others."""
    store = started(in_memory())
    store.append(plain_turns(5_000, first=100))
    store.append([plain_turn(7), Turn(BOOK, TS, TradesRead(TS, LEAD, TS, (fill(8), fill(9)), "c"))])
    store.commit()
    assert find(store, "t7")
    assert find(store, "t9")
    assert not find(store, "t70")
    assert not find(store, "7")
    assert not store.find_fill(ACCOUNT, InstrumentId("simA:ETH-USD"), TradeId("t7"), BOOK)


def test_a_fill_that_only_another_book_saw_was_not_booked() -> None:
    """Two books read the trades of one account; each books its own."""
    store = started(in_memory())
    store.append([plain_turn(7, OTHER)])
    store.commit()
    assert not find(store)
    assert find(store, book_id=OTHER)


def test_asking_is_not_booking() -> None:
    """The turn that asks holds the fill itself; after a crash before the answer it is still not booked."""
    store = started(in_memory())
    asking = Turn(BOOK, TS, FillReceived(TS, fill(7)), (LookUpFill(fill(7)),))
    store.append([asking, asking, Turn(BOOK, TS, FillLookedUp(TS, fill(7), booked=True))])
    store.commit()
    assert not find(store)
    store.append([Turn(BOOK, TS, FillLookedUp(TS, fill(7), booked=False))])
    store.commit()
    assert find(store)


# Disks that fail.


def test_a_full_disk_ends_the_store_and_keeps_what_was_durable(path: Path) -> None:
    """Nothing of the failed transaction is there, and nothing more can be written until a new start."""
    store = started(path)
    store.append(plain_turns(3))
    store.commit()
    store._connection.execute("PRAGMA max_page_count = 8")
    with pytest.raises(JournalFull, match="disk is full; free disk space"):
        for number in range(4, 400):
            store.append([plain_turn(number)])
            store.commit()
    durable = store.last_seq
    with pytest.raises(JournalFull):
        store.append([plain_turn(1)])
    with pytest.raises(JournalFull):
        store.commit()
    assert [record.seq for record in store.turns()] == list(range(1, durable + 1))
    store.close()
    assert len(bodies_or_error(path)) == durable  # type: ignore[arg-type]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB, where this user may mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("needs the right to mount")
    if subprocess.run([mount, "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True).returncode != 0:
        pytest.skip("needs the right to mount")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_the_ballast_is_freed_for_the_last_turns(small_disk: Path, tmp_path: Path) -> None:
    """A disk that is really full: the store goes on, says that it is low, and ends only when that is used up too."""
    path = small_disk / "state" / "journal.db"
    store = SqliteStore(path, ballast_bytes=512 * 1024)
    store.start_epoch()
    low_at, number = 0, 0
    with pytest.raises(JournalFull):
        while True:
            number += 1
            store.append(plain_turns(10, first=number * 10))
            store.commit()
            if store.is_low and low_at == 0:
                low_at = store.last_seq
    assert low_at > 0
    assert store.last_seq >= low_at + 100
    assert "its ballast was freed" in store.notes[0]
    durable = store.last_seq
    store.close()
    with pytest.raises(JournalFull, match="no room for its ballast"):
        SqliteStore(path, ballast_bytes=4 * 1024 * 1024)
    shutil.copytree(path.parent, tmp_path / "copy")
    assert len(bodies_or_error(tmp_path / "copy" / "journal.db")) == durable  # type: ignore[arg-type]


class BadDisk(sqlite3.Connection):
    """A disk whose syncs fail from now on, when told so."""

    is_bad = False
    tries = 0

    def execute(self, statement: str, *values: object) -> sqlite3.Cursor:
        if self.is_bad and statement.startswith("INSERT INTO turn"):
            self.tries += 1
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise error
        return super().execute(statement, *values)  # type: ignore[arg-type]


def test_a_failed_sync_is_never_tried_again() -> None:
    """The kernel may call the second one a success though the bytes are gone."""
    disk = sqlite3.connect(":memory:", isolation_level=None, factory=BadDisk)
    store = started(disk)
    store.append([plain_turn(1)])
    disk.is_bad = True
    with pytest.raises(JournalBroken, match="disk I/O error; check its disk"):
        store.commit()
    disk.is_bad = False
    for again in (store.commit, store.start_epoch, lambda: store.append([plain_turn(2)])):
        with pytest.raises(JournalBroken):
            again()
    assert disk.tries == 1
    assert list(SqliteStore(disk).turns()) == []


def test_a_write_error_of_the_system_is_told(path: Path) -> None:
    """A real refusal by the kernel: the file may not grow any more."""
    code = (
        "import resource, signal, sys\n"
        "from hedgerow.journal.errors import JournalBroken\n"
        "from hedgerow.journal.sqlite import SqliteStore\n"
        "from tests.journal.samples import plain_turns\n"
        "store = SqliteStore(sys.argv[1], ballast_bytes=0); store.start_epoch()\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "try:\n"
        "    while True: store.append(plain_turns(20)); store.commit()\n"
        "except JournalBroken as error: print(store.last_seq, error)\n"
    )
    assert hasattr(resource, "RLIMIT_FSIZE")
    ran = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True, env={"PYTHONPATH": "src:."}
    )
    durable, message = ran.stdout.split(maxsplit=1)
    assert "could not be written" in message
    assert len(bodies_or_error(path)) >= int(durable) > 0  # type: ignore[arg-type]


def test_a_closed_store_says_so(path: Path) -> None:
    """A late append after the end must not vanish."""
    store = started(path)
    store.close()
    with pytest.raises(JournalBroken, match="is closed"):
        store.append([plain_turn(1)])
