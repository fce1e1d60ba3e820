"""The clock of everything that waits: what gateways, simulated venues and the loop ask for time and later calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """A call that is to come."""

    def cancel(self) -> None:
        """Do not make the call. Harmless when it was made."""
        ...


class Clock(Protocol):
    """Time as one process sees it: it never goes back, and may run faster than the world's."""

    def now_ns(self) -> int:
        """Return the time, UTC."""
        ...

    def call_at(self, ts_ns: int, call: Callable[[], None]) -> Timer:
        """Make a call at a time, or soon when that is past; never before this returns."""
        ...
