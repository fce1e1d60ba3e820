"""The journal's thread: whatever was appended while the last commit ran goes into the next, in one transaction.

On a quick disk a caller with nothing else to do commits in its own thread (`flush`): waking another one and being woken
by it takes as long as half a commit.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue

from hedgerow.core.commands import Turn
from hedgerow.journal.codec import Row, Snapshot, encode
from hedgerow.journal.errors import JournalBroken, JournalError, JournalLow
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.model.ids import BookId

QUEUE_LEN_MAX = 65_536
# Turns of one commit: some 2 MiB, so that the first of them does not wait long for the last.
GROUP_LEN_MAX = 4_096
# `flush` leaves more than so many turns, and a disk whose commits take longer than this, to the thread.
FLUSH_LEN_MAX = 64
FLUSH_NS_MAX = 2_000_000
# One commit in so many counts: a disk that was slow once is quick again.
COMMITS_COUNTED = 8


class JournalWriter:
    """Appends from one caller's thread without waiting for the disk; its own thread tells how far all is durable."""

    def __init__(
        self,
        store: SqliteStore,
        on_durable: Callable[[int], None],
        on_error: Callable[[JournalError], None],
        queue_len_max: int = QUEUE_LEN_MAX,
    ) -> None:
        """Start the thread. The store must have its epoch; until `close`, others may only read from it.

        Args:
            store: what is written to; the caller closes it, after this.
            on_durable: told the last durable seq after each commit, in the thread.
            on_error: told what went wrong, in the thread: `JournalLow` is a warning, anything else ends this writer.
            queue_len_max: turns not yet durable, above which `append` waits for the disk.
        """
        assert store.epoch > 0, store.name
        self.durable_seq = store.last_seq
        self.error: JournalError | None = None
        "What ended this writer; None while it works."
        self._chain = store.chain()
        self._store = store
        self._on_durable = on_durable
        self._on_error = on_error
        self._queue_len_max = queue_len_max
        self._items: deque[Row | Snapshot] = deque()
        "Appended and not yet written. Taken out only under `_writing`, so that what is written keeps its order."
        self._writing = threading.Lock()
        self._wakes: SimpleQueue[None] = SimpleQueue()
        "One for each time that the thread is to look; put after what it is to find."
        self._is_closing = False
        self._commit_ns = 0
        "How long the latest commits took, on average."
        self._room = threading.Event()
        self._was_low = store.is_low
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def backlog_len(self) -> int:
        """Turns appended and not yet durable: a slow disk shows here first."""
        return self._chain.seq - self.durable_seq

    def append(self, turn: Turn) -> int:
        """Take a turn and return its seq at once; durable when `on_durable` says so. Waits only for a full queue.

        Raises:
            JournalError: the writer has ended; the turn was not taken.
        """
        seq = self.take(turn)
        self._wakes.put(None)
        return seq

    def take(self, turn: Turn) -> int:
        """Take a turn as `append` does, for a caller that calls `flush` in a moment; until then nobody writes it.

        Raises:
            JournalError: the writer has ended; the turn was not taken.
        """
        if self.error is not None:
            raise type(self.error)(str(self.error))
        chain = self._chain
        if chain.seq - self.durable_seq >= self._queue_len_max:
            self._wait_for_room()
        # Encoded and hashed here: in the thread it would cost the same and hold the interpreter lock just as long, and
        # the thread would wait for that lock. This way it mostly waits for SQLite, which needs none.
        self._items.append(chain.add(turn.book_id, encode(turn)))
        return chain.seq

    def flush(self) -> int:
        """Make durable what was taken, here and now, if that is quick; return the last durable seq.

        What is left to the thread, because it is at it already, or because the disk is slow, `on_durable` tells.
        `tidy` follows once the caller has done what it wanted to be quick for.
        """
        quick = self._commit_ns < FLUSH_NS_MAX and len(self._items) <= FLUSH_LEN_MAX
        if quick and self.error is None and self._writing.acquire(blocking=False):
            try:
                self._guarded(self._write_group)
            finally:
                self._writing.release()
        else:
            self._wakes.put(None)
        return self.durable_seq

    def tidy(self) -> None:
        """Do what nobody waits for after a flush; what takes long is left to the thread."""
        if self.error is None and self._writing.acquire(blocking=False):
            try:
                self._store.note()
            finally:
                self._writing.release()
        if self._store.is_grown:
            self._wakes.put(None)

    def save_snapshot(self, book_id: BookId, body: bytes) -> None:
        """Save a book's state as of the last turn appended, in the transaction of that turn or the next one."""
        if self.error is None:
            self._items.append(self._chain.snapshot(book_id, body))

    def close(self) -> None:
        """Make durable what was appended, and end the thread.

        Raises:
            JournalError: what was appended is not all durable; `durable_seq` says how far.
        """
        self._is_closing = True
        self._wakes.put(None)
        self._thread.join()
        if self.error is not None:
            raise type(self.error)(str(self.error))

    def _wait_for_room(self) -> None:
        self._wakes.put(None)
        while self.backlog_len >= self._queue_len_max and self.error is None:
            self._room.clear()
            # Asked again after the clear: the thread may have made room, and told so, in between.
            if self.backlog_len >= self._queue_len_max and self.error is None:
                self._room.wait()
        if self.error is not None:
            raise type(self.error)(str(self.error))

    def _run(self) -> None:
        self._guarded(self._write_groups)

    def _guarded(self, write: Callable[[], None]) -> None:
        error: JournalError | None = JournalBroken(
            f"{self._store.name}: the writing thread broke after record {self.durable_seq};"
            " start again, and report what it printed"
        )
        try:
            write()
            error = None
        except JournalError as told:
            error = told
        finally:
            # Also on the way out of a broken assert: a caller must never wait for a thread that is gone.
            if error is not None:
                self.error = error
                self._room.set()
                self._on_error(error)

    def _write_groups(self) -> None:
        wakes, store = self._wakes, self._store
        with self._writing:
            store.lay_out()
        while True:
            wakes.get()
            for _ in range(wakes.qsize()):
                wakes.get_nowait()
            # Asked before the items are: what was appended before the end is written before the end.
            is_closing = self._is_closing
            with self._writing:
                while self._items and self.error is None:
                    before_seq = self.durable_seq
                    self._write_group()
                    if self.durable_seq > before_seq:
                        self._on_durable(self.durable_seq)
                if self.error is not None:
                    return
                # After the telling: nobody waits for the log to be moved.
                store.tidy()
            if is_closing:
                return

    def _write_group(self) -> None:
        """Write what waits, in one transaction. Only under `_writing`."""
        items, store = self._items, self._store
        group = [items.popleft() for _ in range(min(len(items), GROUP_LEN_MAX))]
        if not group:
            return
        started_ns = time.monotonic_ns()
        self.durable_seq = store.write(
            [item for item in group if type(item) is tuple], [item for item in group if isinstance(item, Snapshot)]
        )
        self._commit_ns += (time.monotonic_ns() - started_ns - self._commit_ns) // COMMITS_COUNTED
        self._room.set()
        if store.is_low and not self._was_low:
            self._was_low = True
            self._on_error(JournalLow(f"{store.name}: the disk is full and the ballast is freed; free disk space now"))
