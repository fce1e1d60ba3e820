"""Signals from a file: another program appends lines, and each complete one is told to its book once.

A line is `TIME BOOK [WORDS]`, the time in RFC 3339, e.g. `2026-11-21T14:00:00Z btc-carry enter`. Empty lines and lines
that begin with `#` are passed over. How old a signal may be is the policy's to say.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from hedgerow.core.book import Book
from hedgerow.core.events import Action, OperatorCommanded
from hedgerow.model.ids import BookId
from hedgerow.strategies import takes_signals

POLL_S = 0.5
# Clocks of machines that keep time differ by less.
AHEAD_MAX_NS = 1_000_000_000
_EPOCH = datetime.fromtimestamp(0, UTC)


class BadSignal(Exception):
    """A line is no signal; the message says why. The lines after it are read all the same."""


class Books(Protocol):
    """What takes signals: the node."""

    @property
    def books(self) -> Mapping[BookId, Book]: ...

    def now_ns(self) -> int: ...

    def operate(self, book_id: BookId, command: OperatorCommanded) -> None: ...


def read_signal(line: str, line_no: int, books: Mapping[BookId, Book], now_ns: int) -> tuple[BookId, OperatorCommanded]:
    """Return whom a line is for and what it says.

    The request id comes from the line's number and text: read again after a restart, a file signals nothing twice.

    Raises:
        BadSignal: not a time, one that is still to come, or a book that does not run here or takes no signals.
    """
    words = line.split()
    if len(words) < 2:
        raise BadSignal("this is not TIME BOOK [WORDS], e.g. 2026-11-21T14:00:00Z btc-carry enter")
    try:
        made = datetime.fromisoformat(words[0])
    except ValueError as error:
        raise BadSignal(f"{words[0]} is not a time like 2026-11-21T14:00:00Z") from error
    if made.tzinfo is None:
        raise BadSignal(f"{words[0]} has no time zone; add Z for UTC")
    book_id = BookId(words[1])
    if book_id not in books:
        raise BadSignal(f"no book {words[1]} runs here; there is {', '.join(books)}")
    config = books[book_id].config
    if not takes_signals(config):
        raise BadSignal(f"{book_id} is a {config.policy} that enters without signals")
    made_ts_ns = (made - _EPOCH) // timedelta(microseconds=1) * 1_000
    if made_ts_ns > now_ns + AHEAD_MAX_NS:
        # Taken, it would be newer than every signal until then.
        raise BadSignal(f"{words[0]} is still to come by the node's clock; Z is for UTC, another zone is +02:00")
    request_id = f"signals:{line_no}:{hashlib.sha256(line.encode()).hexdigest()[:12]}"
    detail = " ".join(words[2:]) or "enter"
    command = OperatorCommanded(now_ns, Action.SIGNAL, "signals file", request_id, False, detail, made_ts_ns)
    return book_id, command


class _Tail:
    """What a growing file has that is new. One that was cut or replaced is read from its beginning."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._inode = 0
        self.line_no = 0

    def is_anew(self) -> bool:
        """Return whether the file is another one than it was, or shorter, and begin with it if so. Raises OSError."""
        found = self._path.stat()
        is_anew = self._offset > 0 and (found.st_ino != self._inode or found.st_size < self._offset)
        if is_anew:
            self._offset = self.line_no = 0
        self._inode = found.st_ino
        return is_anew

    def lines(self) -> Iterator[str]:
        """Yield each line that ended since, without its end; `line_no` is its number, from 1. Raises OSError."""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            text = file.read()
        *ended, _ = text.split(b"\n")
        for raw in ended:
            self._offset += len(raw) + 1
            self.line_no += 1
            yield raw.decode("utf-8", "replace").strip()


async def follow_signals(path: Path, node: Books, note: Callable[[str], None]) -> None:
    """Tell each complete line of a growing file to its book, until canceled. A line that is no signal is noted."""
    tail, told = _Tail(path), ""
    while True:
        try:
            if tail.is_anew():
                note(f"signals   {path}: it was cut or replaced; read from its beginning")
            for line in tail.lines():
                if not line or line.startswith("#"):
                    continue
                try:
                    book_id, signal = read_signal(line, tail.line_no, node.books, node.now_ns())
                    latest = node.books[book_id].state.signal
                    # An earlier run has told it, however many lines ago.
                    if latest is None or signal.made_ts_ns >= latest.made_ts_ns:
                        node.operate(book_id, signal)
                except BadSignal as problem:
                    note(f"signals   {path}:{tail.line_no}: {problem}")
            told = ""
        except OSError as error:
            if told != str(error):
                note(f"signals   {path}: {error.strerror}; read again every {POLL_S} s")
            told = str(error)
        await asyncio.sleep(POLL_S)
