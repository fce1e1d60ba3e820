"""The emulator's own time: the machine's, plus what tests let pass at once. It never goes back."""

from __future__ import annotations

import time

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000


class EmulatorClock:
    """Time as the emulated venue tells it."""

    def __init__(self) -> None:
        self._wall_ns = time.time_ns()
        self._monotonic_ns = time.monotonic_ns()

    def now_ns(self) -> int:
        """Return the venue's time, UTC. A step of the machine's clock does not move it."""
        return self._wall_ns + time.monotonic_ns() - self._monotonic_ns

    def now_ms(self) -> int:
        """Return the venue's time as its wire tells it."""
        return self.now_ns() // NS_PER_MS

    def advance(self, duration_ns: int) -> None:
        """Let `duration_ns` >= 0 pass at once."""
        assert duration_ns >= 0, duration_ns
        self._wall_ns += duration_ns
