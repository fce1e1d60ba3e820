"""The journal in one SQLite file: append, commit, read, snapshots, epochs.

One writer, one process. Nothing that was committed is ever changed; what is damaged is refused, not repaired, except a
tail of records that no commit can have acknowledged.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import struct
import threading
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import NoReturn

import msgspec

from hedgerow.core.commands import Command, FillBooked, FillParked, LookUpFill, Turn
from hedgerow.core.events import FillLookedUp, FillReceived, TradesRead
from hedgerow.journal.codec import GENESIS, Chain, Record, Row, Snapshot, encode, link, seal
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
from hedgerow.journal.files import Anchor, Ballast, Mark, close_to_others, create_owner_only
from hedgerow.model.ids import AccountId, BookId, InstrumentId, TradeId
from hedgerow.model.order import Fill

SCHEMA_VERSION = 1
# `hrow` in ASCII, so that another program's database is never taken for a journal.
APPLICATION_ID = 0x68726F77

BALLAST_BYTES = 16 * 1024 * 1024
# Checked at each opening, some 30 ms; everything older is checked when it is read, and by `hedgerow journal verify`.
TAIL_LEN = 10_000
# Rows of one INSERT: many, then few; of the few, any number. A statement lets go of the interpreter lock once, and
# waits a switch interval to get it back from a busy loop beside it, so large ones let both go on at full speed.
ROWS_MANY, ROWS_FEW = 1_024, 64
READ_LEN = 2_000
SCAN_LEN = 4_096
SNAPSHOTS_KEPT = 2
# About so large may the log grow before `tidy` moves it into the main file. Then it is written over from its start: a
# commit to a file that does not grow takes 0.18 ms where a growing one takes 0.28 (ext4, measured).
TIDY_BYTES = 2 * 1024 * 1024
# So long is the log made before the first commit goes into it: what one more group may add is in it.
LOG_BYTES = TIDY_BYTES + 512 * 1024
# What a commit writes beyond its bodies: a part-filled page and its frame.
COMMIT_BYTES = 6 * 1024

_SCHEMA = (
    "CREATE TABLE turn (seq INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, version INTEGER NOT NULL,"
    " book_id TEXT NOT NULL, hash BLOB NOT NULL, body BLOB NOT NULL) STRICT",
    "CREATE TABLE snapshot (book_id TEXT NOT NULL, seq INTEGER NOT NULL, sha BLOB NOT NULL, body BLOB NOT NULL,"
    " PRIMARY KEY (book_id, seq)) STRICT",
    "CREATE TABLE run (id INTEGER PRIMARY KEY CHECK (id = 1), epoch INTEGER NOT NULL, complement INTEGER NOT NULL)"
    " STRICT",
    "INSERT INTO run VALUES (1, 0, -1)",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
    f"PRAGMA application_id = {APPLICATION_ID}",
)
_FENCE = "(SELECT epoch FROM run WHERE id = 1)"
_SNAPSHOT_SQL = f"INSERT OR REPLACE INTO snapshot SELECT ?, ?, ?, ? WHERE {_FENCE} = ?"
_READ = "SELECT seq, epoch, version, book_id, hash, body FROM turn WHERE seq > ? ORDER BY seq LIMIT ?"

_DAMAGE = frozenset(
    {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_FORMAT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_NOMEM,
    }
)

# What Python's module raises for damaged pages, names and sizes.
UNREADABLE = (sqlite3.Error, UnicodeDecodeError, MemoryError)

RawRow = tuple[object, ...]
"A row as read: a damaged page can bring any type out of any column."


def _insert_sql(rows: int) -> str:
    # The fence is part of the statement: a writer of an older epoch inserts nothing, whoever let it run.
    if rows == 1:
        return f"INSERT INTO turn SELECT ?, ?, ?, ?, ?, ? WHERE {_FENCE} = ?"
    values = ", ".join(["(?, ?, ?, ?, ?, ?)"] * rows)
    return f"INSERT INTO turn SELECT * FROM (VALUES {values}) WHERE {_FENCE} = ?"


_INSERT_SQL = {rows: _insert_sql(rows) for rows in (*range(1, ROWS_FEW + 1), ROWS_MANY)}


class SqliteStore:
    """One journal. Appends are buffered until `commit`; after a failed one the store is dead until opened again."""

    def __init__(
        self,
        where: Path | str | sqlite3.Connection,
        *,
        read_only: bool = False,
        ballast_bytes: int = BALLAST_BYTES,
    ) -> None:
        """Open a journal, and make it if it is not there.

        Args:
            where: the file, or an open connection (in memory, for simulations), which is shared and never closed.
            read_only: for a journal at rest; it must exist, and nothing is changed.
            ballast_bytes: kept free for the last turns when the disk fills up; 0 keeps none.

        Raises:
            JournalError: it cannot be used; the kind and the message say why.
        """
        self.notes: list[str] = []
        "What opening and reading found that a person should know, one line each; to be logged."
        self.is_low = False
        "The disk was full, the ballast is spent, and the next full disk is the end."
        self._lock = threading.Lock()
        self._rows: list[Row] = []
        self._snapshots: list[Snapshot] = []
        self._dead: JournalError | None = None
        self._untidy_bytes = 0
        self._anchor: Anchor | None = None
        self._noted: Mark | None = None
        "What this store last wrote into the anchor."
        self._ballast: Ballast | None = None
        self._read_only = read_only
        self._owned = not isinstance(where, sqlite3.Connection)
        self._chain = Chain(0, 0, GENESIS)
        self.epoch = 0
        "The epoch in which this store writes; 0 until `start_epoch`."
        if isinstance(where, sqlite3.Connection):
            self._path = Path()
            self.name = "journal in memory"
            self._connection = where
        else:
            path = self._path = Path(where)
            self.name = f"journal {path}"
            self._anchor = Anchor(Path(f"{path}.anchor"))
            self._ballast = Ballast(Path(f"{path}.ballast"), ballast_bytes)
            self._connection = self._connect(path)
        try:
            self._open()
        except BaseException:
            if self._owned:
                self._connection.close()
            raise
        self._inode = _inode(self._path) if self._owned else 0

    # Opening.

    def _connect(self, path: Path) -> sqlite3.Connection:
        try:
            if self._read_only:
                if not path.is_file():
                    raise JournalMissing(f"there is no {self.name}; check the path, or start a node to make one")
            else:
                create_owner_only(path)
            # SQLite takes an empty file for a new database and deletes its log: with anything beside it, it is not new.
            if path.stat().st_size == 0 and (self._mark() is not None or _size(Path(f"{path}-wal")) > 0):
                raise JournalCorrupt(
                    f"{self.name} is empty, but it was written before; restore it from a copy with `-wal` and `.anchor`"
                )
            mode = "ro" if self._read_only else "rw"
            if self._read_only and _size(Path(f"{path}-wal")) == 0 and not os.access(path.parent, os.W_OK):
                # Closed in order, and in a place where SQLite can keep no notes beside it: nobody writes it either.
                mode += "&immutable=1"
            uri = f"{path.absolute().as_uri()}?mode={mode}"
            return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=0)
        except (OSError, sqlite3.Error) as error:
            raise JournalBroken(f"{self.name} cannot be opened: {error}; check its owner, folder and disk") from error

    def _open(self) -> None:
        try:
            is_new = self._check_format()
            if self._owned and not self._read_only:
                self._prepare()
            if is_new:
                self._create()
            self._check_epoch()
            if not self._read_only and self._ballast is not None:
                self._reserve(self._ballast)
            self.last_seq, self._last_hash = self._check_tail()
        except OSError as error:
            raise JournalBroken(f"{self.name} cannot be opened: {error}; check its owner, folder and disk") from error
        except UNREADABLE as error:
            raise self._told(error, "cannot be opened") from error

    def _prepare(self) -> None:
        execute = self._connection.execute
        (journal_mode,) = execute("PRAGMA journal_mode = WAL").fetchone()
        if journal_mode != "wal":
            raise JournalBroken(f"{self.name} cannot keep a write-ahead log on this disk; use a local disk")
        execute("PRAGMA synchronous = FULL")
        # `tidy` checkpoints between commits; this is for callers that never do.
        execute("PRAGMA wal_autocheckpoint = 16000")
        # Takes the lock now, even when there is nothing to write yet.
        execute("BEGIN IMMEDIATE")
        execute("COMMIT")
        close_to_others(self._path)

    def _check_format(self) -> bool:
        """Return whether the file is new; what is there must be a journal. Nothing is changed before that is sure."""
        execute = self._connection.execute
        if self._owned and not self._read_only:
            execute("PRAGMA locking_mode = EXCLUSIVE")
        (application_id,) = execute("PRAGMA application_id").fetchone()
        (schema_version,) = execute("PRAGMA user_version").fetchone()
        (tables,) = execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application_id == 0 and tables == 0 and not self._read_only:
            if self._mark() is not None:
                raise JournalCorrupt(
                    f"{self.name} is empty, but its anchor says that it was written; restore it from a copy"
                )
            return True
        if application_id != APPLICATION_ID:
            raise JournalCorrupt(f"{self.name} is not a hedgerow journal, or its first page is damaged; check the path")
        if schema_version > SCHEMA_VERSION:
            raise JournalTooNew(
                f"{self.name} has format {schema_version}, newer than {SCHEMA_VERSION}; use the hedgerow that wrote it"
            )
        return False

    def _create(self) -> None:
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA:
            execute(statement)
        execute("COMMIT")

    def _check_epoch(self) -> None:
        row = self._connection.execute("SELECT epoch, complement FROM run WHERE id = 1").fetchone()
        # The epoch is part of every order id: a flipped bit here could make an old id new again.
        if row is None or not isinstance(row[0], int) or row[1] != ~row[0]:
            raise JournalCorrupt(f"{self.name} has a damaged epoch; restore it from a copy")
        mark = self._mark()
        if mark is not None and row[0] < mark.epoch:
            raise JournalCorrupt(
                f"{self.name} is at epoch {row[0]}, but its anchor has seen {mark.epoch}: it is an old copy;"
                " restore the newest one, since an old one would use order ids twice"
            )

    def _reserve(self, ballast: Ballast) -> None:
        try:
            ballast.reserve()
        except OSError as error:
            raise JournalFull(
                f"{self.name} has no room for its ballast {ballast.path}: {error.strerror};"
                " free disk space, then start again"
            ) from error

    def _check_tail(self) -> tuple[int, bytes]:
        """Return the last good record's (seq, hash), having cut what lies beyond it, where that is safe."""
        (end,) = self._connection.execute("SELECT coalesce(max(seq), 0) FROM turn").fetchone()
        mark = self._mark()
        start = max(0, min(end, mark.seq if mark is not None else end) - TAIL_LEN)
        seq, good = start, self._hash_at(start)
        before, first_bad = good, 0
        for row in self._raw_rows(start):
            seq += 1
            record = _checked(row, seq, before)
            before = row[4] if isinstance(row[4], bytes) else GENESIS
            if record is not None and first_bad == 0:
                good = record.hash
                continue
            # From the first bad record on, each is judged by the hash stored just before it: is anything good there?
            if record is not None:
                raise self._damaged(first_bad)
            first_bad = first_bad or seq
            seq = row[0] if isinstance(row[0], int) else seq
        last_seq = first_bad - 1 if first_bad else seq
        if mark is not None:
            self._check_mark(mark, last_seq, first_bad)
        if first_bad:
            self._cut(first_bad)
        if mark is None and self._anchor is not None and end > 0:
            self.notes.append(
                f"{self.name} has no readable anchor {self._anchor.path}:"
                " that its end was cut off, or that it is an old copy, could not be noticed"
            )
        return last_seq, good

    def _check_mark(self, mark: Mark, last_seq: int, first_bad: int) -> None:
        if last_seq < mark.seq:
            if first_bad:
                raise self._damaged(first_bad)
            raise JournalCorrupt(
                f"{self.name} ends at record {last_seq}, but record {mark.seq} was durable:"
                f" {mark.seq - last_seq} record(s) are missing; restore it from a copy, with `-wal` and `.anchor`"
            )
        if self._hash_at(mark.seq) != mark.hash:
            raise JournalCorrupt(
                f"{self.name} has another record {mark.seq} than the one that was durable;"
                " restore it from a copy, with its `.anchor`"
            )

    def _cut(self, first_bad: int) -> None:
        if self._read_only:
            self.notes.append(f"{self.name}: unreadable from record {first_bad} on; the next start will cut it there")
            return
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        cut = execute("DELETE FROM turn WHERE seq >= ?", (first_bad,)).rowcount
        execute("DELETE FROM snapshot WHERE seq >= ?", (first_bad,))
        execute("COMMIT")
        self.notes.append(f"{self.name}: {cut} unreadable record(s) at its end, from {first_bad} on, were cut")

    def start_epoch(self, first: int = 1) -> int:
        """Take the next epoch, durably, and return it. Each opening for writing does so once, before the first append.

        Args:
            first: the least epoch, > 0. From a clock, so that neither a journal that was lost and begun anew, nor one
                that was restored from a copy, gives its orders an id that was used before.

        Raises:
            JournalError: it could not be made durable; the store is dead.
        """
        assert not self._read_only, self.name
        self._alive()
        execute = self._connection.execute
        try:
            with self._lock:
                execute("BEGIN IMMEDIATE")
                (last,) = execute("SELECT epoch FROM run WHERE id = 1").fetchone()
                epoch = max(last + 1, first)
                execute("UPDATE run SET epoch = ?, complement = ? WHERE id = 1", (epoch, ~epoch))
                execute("COMMIT")
        except sqlite3.Error as error:
            raise self._killed(error) from error
        self.epoch = int(epoch)
        self._chain = self.chain()
        self.note()
        return self.epoch

    # Writing.

    def check_place(self) -> None:
        """See that the file is still where a start would look for it.

        Raises:
            JournalBroken: it was removed, moved or replaced. What is written goes where nobody finds it.
        """
        if not self._owned or _inode(self._path) == self._inode:
            return
        raise JournalBroken(
            f"{self.name} was removed, moved or replaced while it was in use; put it back, or restore it from a copy"
        )

    def chain(self) -> Chain:
        """Return the end of the journal, to grow from; of this epoch, and of no use after the next one began."""
        assert self.epoch > 0, self.name
        return Chain(self.epoch, self.last_seq, self._last_hash)

    def append(self, turns: Iterable[Turn]) -> int:
        """Buffer turns and return the seq of the last one. Nothing is durable, and no fence asked, before `commit`."""
        self._alive()
        # All of them first, so that a turn that cannot be encoded leaves no half batch behind.
        bodies = [(turn.book_id, encode(turn)) for turn in turns]
        add = self._chain.add
        self._rows += [add(book_id, body) for book_id, body in bodies]
        return self._chain.seq

    def save_snapshot(self, book_id: BookId, body: bytes) -> int:
        """Buffer a book's state as of the last record appended, into the same transaction; return that seq."""
        self._alive()
        self._snapshots.append(self._chain.snapshot(book_id, body))
        return self._chain.seq

    def commit(self) -> int:
        """Make everything buffered durable, in one transaction, and return the last durable seq.

        Raises:
            JournalFenced: a later epoch was started; nothing was written.
            JournalFull: the disk is full, ballast and all; nothing was written.
            JournalError: as its kind says. After any of these the store is dead: a failed sync is never tried again.
        """
        rows, self._rows = self._rows, []
        snapshots, self._snapshots = self._snapshots, []
        self.write(rows, snapshots)
        self.note()
        return self.last_seq

    def write(self, rows: list[Row], snapshots: list[Snapshot]) -> int:
        """Make rows of `chain` durable, as `commit` does, for a writer with its own chain. It calls `tidy` after."""
        self._alive()
        if not rows and not snapshots:
            return self.last_seq
        try:
            with self._lock:
                try:
                    self._write(rows, snapshots)
                except sqlite3.Error as error:
                    # A full disk shows before the sync, and the transaction is undone whole: it may be tried once more.
                    if _code(error) != sqlite3.SQLITE_FULL or self._ballast is None or not self._ballast.free():
                        raise
                    self._undo()
                    self._write(rows, snapshots)
                    self.is_low = True
                    self.notes.append(f"{self.name}: the disk is full; its ballast was freed for the last turns")
        except sqlite3.Error as error:
            raise self._killed(error) from error
        self._untidy_bytes += COMMIT_BYTES + sum(len(row[5]) for row in rows) + sum(len(s.body) for s in snapshots)
        if rows:
            self.last_seq, self._last_hash = rows[-1][0], rows[-1][4]
        return self.last_seq

    def _write(self, rows: list[Row], snapshots: list[Snapshot]) -> None:
        if len(rows) <= ROWS_FEW and not snapshots:
            # One statement is its own transaction, which saves two round trips.
            self._insert(rows)
            return
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        start = 0
        while start < len(rows):
            count = ROWS_MANY if len(rows) - start >= ROWS_MANY else ROWS_FEW
            self._insert(rows[start : start + count])
            start += count
        for snapshot in snapshots:
            row = (snapshot.book_id, snapshot.seq, snapshot.sha, snapshot.body, self.epoch)
            if execute(_SNAPSHOT_SQL, row).rowcount != 1:
                self._fenced()
            execute(
                "DELETE FROM snapshot WHERE book_id = ? AND seq NOT IN"
                " (SELECT seq FROM snapshot WHERE book_id = ? ORDER BY seq DESC LIMIT ?)",
                (snapshot.book_id, snapshot.book_id, SNAPSHOTS_KEPT),
            )
        execute("COMMIT")

    def _insert(self, rows: list[Row]) -> None:
        values = (*rows[0], self.epoch) if len(rows) == 1 else (*chain.from_iterable(rows), self.epoch)
        if self._connection.execute(_INSERT_SQL[len(rows)], values).rowcount != len(rows):
            self._fenced()

    def _fenced(self) -> NoReturn:
        self._undo()
        self._dead = JournalFenced(
            f"{self.name} was taken over by a later epoch than {self.epoch}; stop this process, the other has the books"
        )
        raise self._dead

    def lay_out(self) -> None:
        """Make the write-ahead log as long as it will be, so that no commit has to.

        One that does waits for all that others have written to the same disk, which may be milliseconds. SQLite knows
        its own records by their checksums, and takes what lies behind them for nothing.
        """
        if not self._owned or self._read_only:
            return
        # Without room it grows as it is written, and says so then.
        with contextlib.suppress(OSError), Path(f"{self._path}-wal").open("r+b", buffering=0) as log:
            missing = LOG_BYTES - log.seek(0, os.SEEK_END)
            if missing > 0:
                log.write(bytes(missing))
                os.fsync(log.fileno())

    def tidy(self) -> None:
        """Do what nobody waits for after a commit: note it, and move a grown write-ahead log into the main file.

        Raises:
            JournalError: it failed. What was committed is safe in the log; the store is dead.
        """
        self.note()
        if not self.is_grown:
            return
        self._alive()
        self._untidy_bytes = 0
        try:
            with self._lock:
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error as error:
            # No room in the main file: the log is still whole and is tried again at the next start.
            if _code(error) == sqlite3.SQLITE_FULL and self._ballast is not None and self._ballast.free():
                self.is_low = True
                self.notes.append(f"{self.name}: the disk is full; its ballast was freed for the last turns")
                return
            raise self._killed(error) from error

    def close(self) -> None:
        """Let go of the file; what was not committed is forgotten. A connection that was handed in stays open."""
        self._dead = self._dead or JournalBroken(f"{self.name} is closed; open it again")
        if self._anchor is not None:
            self._anchor.close()
        if self._owned:
            with self._lock:
                self._connection.close()

    @property
    def is_grown(self) -> bool:
        """Whether the write-ahead log is so long that `tidy` will move it."""
        return self._untidy_bytes >= TIDY_BYTES and self._owned and not self.is_low

    def note(self) -> None:
        """Note in the anchor how far the journal is durable."""
        mark = Mark(self.epoch, self.last_seq, self._last_hash)
        if self._anchor is None or mark == self._noted:
            return
        try:
            self._anchor.write(mark)
            self._noted = mark
        except OSError as error:
            # The records are durable without it; an anchor that lags behind only says less.
            self.notes.append(f"{self.name}: {self._anchor.path} cannot be written any more: {error}")
            self._anchor.close()
            self._anchor = None

    # Reading.

    def turns(self, after_seq: int = 0, book_id: BookId | None = None) -> Iterator[Record]:
        """Yield the durable records after a seq, oldest first, of one book or of all; the chain is checked for all.

        Raises:
            JournalCorrupt: a record is damaged or missing; it is named, and all that came before it was yielded.
        """
        end = self.last_seq
        if after_seq > end:
            raise JournalCorrupt(f"{self.name} ends at record {end}; there is nothing after {after_seq}")
        try:
            seq, before = after_seq, self._hash_at(after_seq)
            while seq < end:
                rows = self._read_rows(seq, min(READ_LEN, end - seq))
                if not rows:
                    raise self._damaged(seq + 1)
                for row in rows:
                    seq += 1
                    record = _checked(row, seq, before)
                    if record is None:
                        raise self._damaged(seq)
                    before = record.hash
                    if book_id is None or record.book_id == book_id:
                        yield record
        except UNREADABLE as error:
            raise self._told(error, f"cannot be read after record {seq}") from error

    def turns_of(self, book_id: BookId, after_seq: int = 0) -> Iterator[Record]:
        """Yield one book's durable records after a seq, oldest first, for looking: the chain is not checked.

        Far cheaper than `turns` where others have most of the records. Commits go on in between.

        Raises:
            JournalError: they cannot be read.
        """
        end = self.last_seq
        try:
            for start in range(after_seq, end, SCAN_LEN):
                with self._lock:
                    rows = self._connection.execute(
                        "SELECT seq, epoch, version, book_id, hash, body FROM turn"
                        " WHERE seq > ? AND seq <= ? AND book_id = ? ORDER BY seq",
                        (start, min(start + SCAN_LEN, end), book_id),
                    ).fetchall()
                for row in rows:
                    yield Record(*row)
        except UNREADABLE as error:
            raise self._told(error, "cannot be searched for a book") from error

    def load_snapshot(self, book_id: BookId) -> Snapshot | None:
        """Return the newest good snapshot of a book, or None; `notes` says which ones were damaged."""
        try:
            with self._lock:
                rows = self._connection.execute(
                    "SELECT seq, sha, body FROM snapshot WHERE book_id = ? ORDER BY seq DESC", (book_id,)
                ).fetchall()
            for seq, sha, body in rows:
                if self._is_sealed(seq, sha, book_id, body):
                    return Snapshot(seq, book_id, body, sha)
                self.notes.append(f"{self.name}: the snapshot of {book_id} at record {seq} is damaged and was not used")
        except (*UNREADABLE, JournalCorrupt) as error:
            self.notes.append(f"{self.name}: the snapshots of {book_id} cannot be read and were not used: {error}")
        return None

    def _is_sealed(self, seq: object, sha: object, book_id: BookId, body: object) -> bool:
        if not isinstance(seq, int) or not isinstance(body, bytes) or not 0 <= seq <= self.last_seq:
            return False
        return sha == seal(self._hash_at(seq), seq, book_id, body)

    def find_fill(self, account_id: AccountId, instrument_id: InstrumentId, trade_id: TradeId, book_id: BookId) -> bool:
        """Return whether a book booked this fill before.

        A turn that asked (`LookUpFill`) did not book it yet, and another book's turn never did: two books may read the
        trades of one account. Reads the whole journal, in pieces between which commits go on.
        """
        needle = b'"trade_id":' + msgspec.json.encode(trade_id)
        key = (account_id, instrument_id, trade_id)
        try:
            for start in range(0, self.last_seq, SCAN_LEN):
                with self._lock:
                    rows = self._connection.execute(
                        "SELECT seq, epoch, version, book_id, hash, body FROM turn"
                        " WHERE seq > ? AND seq <= ? AND book_id = ? AND instr(body, ?)",
                        (start, start + SCAN_LEN, book_id, needle),
                    ).fetchall()
                if any(_books(Record(*row).turn, key) for row in rows):
                    return True
            return False
        except UNREADABLE as error:
            raise self._told(error, "cannot be searched for a fill") from error

    def book_ids(self, end_seq: int) -> list[BookId]:
        """Return the books that have a record up to a seq. Reads the journal in pieces; commits go on in between.

        Raises:
            JournalError: it cannot be read.
        """
        found: dict[BookId, None] = {}
        try:
            for start in range(0, end_seq, SCAN_LEN):
                with self._lock:
                    rows = self._connection.execute(
                        "SELECT DISTINCT book_id FROM turn WHERE seq > ? AND seq <= ?",
                        (start, min(start + SCAN_LEN, end_seq)),
                    ).fetchall()
                found |= dict.fromkeys(BookId(book_id) for (book_id,) in rows)
        except UNREADABLE as error:
            raise self._told(error, "cannot be searched for books") from error
        return list(found)

    def _raw_rows(self, after_seq: int) -> Iterator[RawRow]:
        while True:
            rows = self._read_rows(after_seq, READ_LEN)
            yield from rows
            if len(rows) < READ_LEN:
                return
            last = rows[-1][0]
            # A damaged index could lead in a circle.
            if not isinstance(last, int) or last <= after_seq:
                raise self._damaged(after_seq + 1)
            after_seq = last

    def _read_rows(self, after_seq: int, count: int) -> list[RawRow]:
        with self._lock:
            return self._connection.execute(_READ, (after_seq, count)).fetchall()

    def _hash_at(self, seq: int) -> bytes:
        if seq == 0:
            return GENESIS
        with self._lock:
            row = self._connection.execute("SELECT hash FROM turn WHERE seq = ?", (seq,)).fetchone()
        if row is None or not isinstance(row[0], bytes):
            raise self._damaged(seq)
        return row[0]

    def _mark(self) -> Mark | None:
        return None if self._anchor is None else self._anchor.read()

    # Failing.

    def _alive(self) -> None:
        if self._dead is not None:
            raise type(self._dead)(str(self._dead))

    def _undo(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _killed(self, error: sqlite3.Error) -> JournalError:
        """Return what to raise for a failed write, having made the store dead."""
        # Undone or not, the transaction is not committed, and nothing more is written.
        with contextlib.suppress(sqlite3.Error):
            self._undo()
        self._dead = self._told(error, "could not be written")
        return self._dead

    def _damaged(self, seq: int) -> JournalCorrupt:
        return JournalCorrupt(
            f"{self.name} is damaged at record {seq}: not what was written; restore it from a copy, nothing was changed"
        )

    def _told(self, error: Exception, what: str) -> JournalError:
        code = _code(error)
        # One line, whatever a damaged page puts into SQLite's words.
        words = " ".join(str(error).split())
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return JournalLocked(
                f"{self.name} is in use by another process; stop that one (`hedgerow status` shows a node;"
                " `journal verify`, `journal export` and `status` have it while they read), or use another state folder"
            )
        if code == sqlite3.SQLITE_FULL:
            return JournalFull(f"{self.name} {what}: the disk is full; free disk space, then start again")
        if code in _DAMAGE:
            return JournalCorrupt(f"{self.name} {what}: {words}; it is damaged: restore it from a copy")
        return JournalBroken(f"{self.name} {what}: {words}; check its disk and permissions, then start again")


def _checked(row: RawRow, seq: int, before: bytes) -> Record | None:
    """Return the row as record `seq`, or None when it is not what was written after `before`."""
    row_seq, epoch, version, book_id, row_hash, body = row
    try:
        expected = link(before, seq, epoch, version, book_id, body)  # type: ignore[arg-type]
    except (TypeError, AttributeError, struct.error):
        return None  # A column of another type or range than it was written with.
    if row_hash != expected or row_seq != seq:
        return None
    return Record(seq, epoch, version, book_id, expected, body)  # type: ignore[arg-type]


def _books(turn: Turn, key: tuple[AccountId, InstrumentId, TradeId]) -> bool:
    """Whether a turn booked this fill: it came and was neither parked nor asked about, or it had been parked before."""
    said = [type(command) for command in turn.commands if _fill_of(command) == key]
    if FillBooked in said:
        return True
    event = turn.event
    if isinstance(event, FillReceived):
        fills: tuple[Fill, ...] = (event.fill,)
    elif isinstance(event, TradesRead):
        fills = event.fills
    elif isinstance(event, FillLookedUp):
        return not event.booked and _key(event.fill) == key
    else:
        return False
    return any(_key(fill) == key for fill in fills) and not said


def _fill_of(command: Command) -> tuple[AccountId, InstrumentId, TradeId] | None:
    return _key(command.fill) if isinstance(command, FillBooked | FillParked | LookUpFill) else None


def _key(fill: Fill) -> tuple[AccountId, InstrumentId, TradeId]:
    return fill.account_id, fill.instrument_id, fill.trade_id


def _code(error: Exception) -> int:
    """Return SQLite's primary error code; what has none was not understood in what was read, which is damage."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
