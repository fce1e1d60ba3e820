"""A journal at rest, checked and written out."""

from __future__ import annotations

import io
import sqlite3
from pathlib import Path

import msgspec
import pytest

from hedgerow.journal.codec import GENESIS, link
from hedgerow.journal.errors import JournalCorrupt, JournalLocked, JournalMissing, JournalTooNew
from hedgerow.journal.replay import Exported, Verified, export, verify
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.model.ids import BookId
from tests.journal.samples import GOLDEN, TURNS, plain_turn, plain_turns

OTHER = BookId("carry-1")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal of four records at rest, the third of another book."""
    path = tmp_path / "journal.db"
    store = SqliteStore(path, ballast_bytes=0)
    store.start_epoch()
    store.append([plain_turn(1), plain_turn(2), plain_turn(3, OTHER), plain_turn(4)])
    store.commit()
    store.close()
    return path


def lines(path: Path, after_seq: int = 0, book_id: BookId | None = None) -> list[Exported]:
    out = io.BytesIO()
    count = export(path, out, after_seq, book_id)
    found = [msgspec.json.decode(line, type=Exported) for line in out.getvalue().splitlines()]
    assert len(found) == count
    return found


def test_a_whole_journal_verifies(path: Path) -> None:
    """The hash of its last record stands for all of it."""
    verified = verify(path)
    assert verified == Verified(records=4, last_seq=4, head_hash=lines(path)[-1].hash)


def test_an_empty_journal_verifies(tmp_path: Path) -> None:
    """A node that was started and stopped has nothing to say yet."""
    path = tmp_path / "journal.db"
    SqliteStore(path, ballast_bytes=0).close()
    assert verify(path) == Verified(0, 0, "")


def test_verify_tells_how_far_it_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal of millions takes its time."""
    monkeypatch.setattr("hedgerow.journal.replay.PROGRESS_EVERY", 2)
    seen: list[int] = []
    verify(path, seen.append)
    assert seen == [2, 4]


def test_verify_names_the_first_bad_record(path: Path) -> None:
    """Where to look, and what to compare with a copy."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("UPDATE turn SET body = x'7b7d' WHERE seq = 2")
    connection.close()
    with pytest.raises(JournalCorrupt, match="damaged at record 2:"):
        verify(path)
    with pytest.raises(JournalCorrupt, match="damaged at record 2:"):
        lines(path)


def test_verify_reads_each_record_too(tmp_path: Path) -> None:
    """A good chain over a record that this program cannot read is not a journal that it can start from."""
    path = tmp_path / "journal.db"
    store = SqliteStore(path, ballast_bytes=0)
    store.start_epoch()
    body = b'{"from":"tomorrow"}'
    store.write([(1, 1, 2, OTHER, link(GENESIS, 1, 1, 2, OTHER, body), body)], [])
    store.close()
    with pytest.raises(JournalTooNew, match="record 1: codec version 2 is newer than 1"):
        verify(path)
    assert bytes(lines(path)[0].turn) == body


def test_the_records_of_one_book_can_be_looked_at_alone(path: Path) -> None:
    """A removed book is looked for among all others, beside books that trade."""
    store = SqliteStore(path, read_only=True)
    assert set(store.book_ids(4)) == {OTHER, plain_turn(1).book_id}
    assert store.book_ids(2) == [plain_turn(1).book_id]
    assert [record.seq for record in store.turns_of(OTHER)] == [3]
    assert list(store.turns_of(OTHER, 3)) == []
    store.close()


def test_verify_says_what_it_could_not_check(path: Path) -> None:
    """Without its anchor a journal cannot show that its end was cut off."""
    assert verify(path).notes == ()
    Path(f"{path}.anchor").unlink()

    (note,) = verify(path).notes
    assert "has no readable anchor" in note


@pytest.mark.parametrize("use", [verify, lines])
def test_a_journal_in_use_is_refused(path: Path, use: object) -> None:
    """Its writer holds the exclusive lock."""
    store = SqliteStore(path, ballast_bytes=0)
    assert callable(use)
    with pytest.raises(JournalLocked, match="stop that one"):
        use(path)
    store.close()
    use(path)


def test_a_missing_journal_is_told(tmp_path: Path) -> None:
    """And is not made."""
    with pytest.raises(JournalMissing, match="there is no journal"):
        verify(tmp_path / "journal.db")
    assert list(tmp_path.iterdir()) == []


def test_an_export_can_be_narrowed(path: Path) -> None:
    """To what came after a record, and to one book; each line keeps its seq."""
    assert [line.seq for line in lines(path, after_seq=1)] == [2, 3, 4]
    assert [line.seq for line in lines(path, book_id=OTHER)] == [3]
    assert lines(path, after_seq=4) == []


def test_an_export_is_the_golden_file(tmp_path: Path) -> None:
    """Through the store and back, every event and command is byte for byte what was appended."""
    path = tmp_path / "journal.db"
    store = SqliteStore(path, ballast_bytes=0)
    store.start_epoch()
    store.append(TURNS)
    store.commit()
    store.close()
    out = io.BytesIO()
    export(path, out)
    assert out.getvalue() == (GOLDEN / "v1.jsonl").read_bytes()


def test_looking_leaves_the_journal_startable(path: Path) -> None:
    """Reading makes no record, no epoch, and no lock that stays."""
    verify(path)
    store = SqliteStore(path, ballast_bytes=0)
    assert store.start_epoch() == 2
    store.append(plain_turns(1))
    assert store.commit() == 5
    store.close()
