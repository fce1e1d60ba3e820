"""The journal as an event loop uses it: what one round of the loop appended becomes durable together, after it.

Only a hedge does not wait for the end of its round, and only once in each: of many, most become durable together.
"""

from __future__ import annotations

from collections.abc import Callable

from hedgerow.core.commands import Turn
from hedgerow.journal.writer import JournalWriter
from hedgerow.model.ids import BookId


class LoopJournal:
    """Appends to a writer, and lets it commit in the loop's own thread once all that was ready has been stepped."""

    def __init__(
        self, writer: JournalWriter, soon: Callable[[Callable[[], None]], object], durable: Callable[[int], None]
    ) -> None:
        """Begin with nothing to flush.

        Args:
            soon: calls back after what is ready now, as `call_soon` of an asyncio loop.
            durable: told how far all is durable. What the writer's own thread writes, the writer tells.
        """
        self._writer = writer
        self._soon = soon
        self._durable = durable
        self._is_due = False
        self._has_hurried = False

    @property
    def backlog_len(self) -> int:
        """Turns appended and not yet durable."""
        return self._writer.backlog_len

    def append(self, turn: Turn) -> int:
        """Take a turn and return its seq. Raises JournalError when the writer has ended."""
        seq = self._writer.take(turn)
        if not self._is_due:
            self._is_due = True
            self._soon(self._flush)
        return seq

    def save_snapshot(self, book_id: BookId, body: bytes) -> None:
        """Save a book's state as of the last turn appended."""
        self._writer.save_snapshot(book_id, body)

    def hurry(self) -> None:
        """Commit now what was appended, if this round has not done so before."""
        if self._is_due and not self._has_hurried:
            self._has_hurried = True
            self._durable(self._writer.flush())

    def _flush(self) -> None:
        self._is_due = self._has_hurried = False
        self._durable(self._writer.flush())
        self._writer.tidy()
