"""The journal's thread: whatever was appended while the last commit ran goes into the next, in one transaction."""

from __future__ import annotations

import threading
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
        # A row, a snapshot, or None for the end.
        self._queue: SimpleQueue[Row | Snapshot | None] = SimpleQueue()
        self._put = self._queue.put
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
        if self.error is not None:
            raise type(self.error)(str(self.error))
        chain = self._chain
        if chain.seq - self.durable_seq >= self._queue_len_max:
            self._wait_for_room()
        # Encoded and hashed here: in the thread it would cost the same and hold the interpreter lock just as long, and
        # the thread would wait for that lock. This way it mostly waits for SQLite, which needs none.
        self._put(chain.add(turn.book_id, encode(turn)))
        return chain.seq

    def save_snapshot(self, book_id: BookId, body: bytes) -> None:
        """Save a book's state as of the last turn appended, in the transaction of that turn or the next one."""
        if self.error is None:
            self._put(self._chain.snapshot(book_id, body))

    def close(self) -> None:
        """Make durable what was appended, and end the thread.

        Raises:
            JournalError: what was appended is not all durable; `durable_seq` says how far.
        """
        self._put(None)
        self._thread.join()
        if self.error is not None:
            raise type(self.error)(str(self.error))

    def _wait_for_room(self) -> None:
        while self.backlog_len >= self._queue_len_max and self.error is None:
            self._room.clear()
            # Asked again after the clear: the thread may have made room, and told so, in between.
            if self.backlog_len >= self._queue_len_max and self.error is None:
                self._room.wait()
        if self.error is not None:
            raise type(self.error)(str(self.error))

    def _run(self) -> None:
        error: JournalError | None = JournalBroken(
            f"{self._store.name}: the writing thread broke after record {self.durable_seq};"
            " start again, and report what it printed"
        )
        try:
            self._write_groups()
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
        queue, store = self._queue, self._store
        while True:
            group = [queue.get()]
            group += [queue.get_nowait() for _ in range(min(queue.qsize(), GROUP_LEN_MAX - 1))]
            rows = [item for item in group if type(item) is tuple]
            durable_seq = store.write(rows, [item for item in group if isinstance(item, Snapshot)])
            if durable_seq > self.durable_seq:
                self.durable_seq = durable_seq
                self._room.set()
                self._on_durable(durable_seq)
            # After the telling: nobody waits for the log to be moved.
            store.tidy()
            if store.is_low and not self._was_low:
                self._was_low = True
                self._on_error(
                    JournalLow(f"{store.name}: the disk is full and the ballast is freed; free disk space now")
                )
            if group[-1] is None:
                return
