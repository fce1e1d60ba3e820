"""The clock of a process: the wall's time at its start, then the monotonic clock, at a chosen speed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import msgspec

from hedgerow.core.config import NS_PER_S
from hedgerow.venues.clock import Timer


class Origin(msgspec.Struct, frozen=True):
    """Where a clock begins. Processes of one machine that share it show the same time."""

    wall_ns: int
    "UTC, when it began."
    monotonic_ns: int
    "The machine's monotonic clock, at the same moment."
    speed: float = 1
    "Seconds that pass here in one second of the world."


def origin_now(speed: float = 1) -> Origin:
    """Return an origin that begins now."""
    return Origin(time.time_ns(), time.monotonic_ns(), speed)


class LoopClock:
    """Time and timers of one event loop. A step of the wall's clock does not move it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, origin: Origin, on_error: Callable[[Exception], None]) -> None:
        """Begin.

        Args:
            on_error: told what a timer's call raised; nobody else is there to see it.
        """
        self._loop = loop
        self._speed = origin.speed
        self._monotonic_ns = origin.monotonic_ns
        self._wall_ns = origin.wall_ns
        self._began_ns = origin.wall_ns - origin.monotonic_ns
        self._on_error = on_error

    def now_ns(self) -> int:
        """Return the time, UTC."""
        return self._wall_ns + int((time.monotonic_ns() - self._monotonic_ns) * self._speed)

    def set_forward(self, ts_ns: int) -> None:
        """Never show less than `ts_ns`: the wall's clock may have been set back since a journal was written."""
        self._wall_ns += max(0, ts_ns - self.now_ns())

    def stepped_ns(self) -> int:
        """Return how far the machine's clock was moved since the origin: it was set, or the machine slept."""
        return time.time_ns() - time.monotonic_ns() - self._began_ns

    def call_at(self, ts_ns: int, call: Callable[[], None]) -> Timer:
        """Make a call at a time, or soon when that is past."""
        delay_ns = ts_ns - self.now_ns()
        if delay_ns <= 0:
            return self._loop.call_soon(self._call, call)
        return self._loop.call_later(delay_ns / (self._speed * NS_PER_S), self._call, call)

    def _call(self, call: Callable[[], None]) -> None:
        try:
            call()
        # The top of the loop: whatever nobody expected ends the process, in order.
        except Exception as error:
            self._on_error(error)
