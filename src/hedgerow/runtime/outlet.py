"""Where lines for people go: written by a thread of its own, so that a slow reader, or none, never delays a hedge."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TextIO

# Lines that wait for a slow reader; beyond that they are counted and left out. The journal has them all.
LINES_MAX = 10_000
# How long the last lines may take to be read.
PARTING_S = 2


class Outlet:
    """Results and notes, in the order in which they were told."""

    def __init__(self, out: TextIO, err: TextIO, on_gone: Callable[[], None] | None = None) -> None:
        """Begin.

        Args:
            out: takes results.
            err: takes notes.
            on_gone: called in the thread, once, when nobody reads `out` any more; without it a note tells so.
        """
        self._out = out
        self._err = err
        self._on_gone = on_gone
        self._gone: set[int] = set()
        "`id` of each file that nobody reads any more."
        self._left_out = 0
        self._queue: SimpleQueue[tuple[TextIO, str] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="outlet", daemon=True)
        self._thread.start()

    def say(self, line: str) -> None:
        """Tell a result."""
        self._put(self._out, line)

    def note(self, line: str) -> None:
        """Tell a note."""
        self._put(self._err, line)

    def close(self) -> None:
        """Wait a little until everything is read."""
        self._queue.put(None)
        self._thread.join(PARTING_S)

    def _put(self, file: TextIO, line: str) -> None:
        if self._queue.qsize() >= LINES_MAX:
            self._left_out += 1
            return
        if self._left_out:
            line, self._left_out = f"({self._left_out} lines left out: nobody read them)\n{line}", 0
        self._queue.put((file, line))

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            file, line = item
            if id(file) not in self._gone:
                self._write(file, line)

    def _write(self, file: TextIO, line: str) -> None:
        try:
            _write_now(file, f"{line}\n")
        except (OSError, ValueError):
            self._gone.add(id(file))
            if file is not self._out:
                return
            if self._on_gone is not None:
                self._on_gone()
            else:
                self.note("nobody reads the output any more; hedging goes on: `hedgerow status` tells, Ctrl-C stops it")


def _write_now(file: TextIO, text: str) -> None:
    """Write past the file's buffer, which would be locked for ever if its reader stands still while we exit."""
    try:
        fd = file.fileno()
    except (OSError, ValueError):
        file.write(text)
        return
    file.flush()
    rest = text.encode("utf-8", "replace")
    while rest:
        rest = rest[os.write(fd, rest) :]
