"""The standard streams of a command: closed, unread or of another encoding, they never stop what a command does."""

from __future__ import annotations

import os
import sys
from typing import Any, TextIO


class Unheard:
    """A stream whose reader may go away: what is written then is lost, and what is being done goes on."""

    def __init__(self, stream: TextIO, lost: type[OSError]) -> None:
        """Take a stream.

        Args:
            lost: what may go wrong with it without ending the command.
        """
        self._stream = stream
        self._lost = lost

    def write(self, text: str) -> int:
        """Write, or not."""
        try:
            return self._stream.write(text)
        except self._lost:
            self._let_go()
            return len(text)

    def flush(self) -> None:
        """Flush, or not."""
        try:
            self._stream.flush()
        except self._lost:
            self._let_go()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _let_go(self) -> None:
        """Write to nowhere from now on, so that nothing fails again, not even at exit."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)


def prepare() -> None:
    """Make the standard streams such that a command can rely on them.

    A halt whose note nobody reads must halt all the same, and its exit code must be its own: notes may be lost for any
    reason, results only when their reader is gone.
    """
    _fill_closed()
    for stream in (sys.stdout, sys.stderr):
        # What the terminal cannot show is escaped; JSON is written as UTF-8, whatever the terminal is.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.stdout = Unheard(sys.stdout, BrokenPipeError)
    sys.stderr = Unheard(sys.stderr, OSError)


def _fill_closed() -> None:
    """Open what the shell closed (`>&-`) to nowhere: else the journal would get its number, and our output with it."""
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(fd)
        except OSError:
            opened = os.open(os.devnull, os.O_RDONLY if fd == 0 else os.O_WRONLY)
            assert opened == fd, (opened, fd)
            setattr(sys, name, open(fd, "r" if fd == 0 else "w", encoding="utf-8"))  # noqa: SIM115
