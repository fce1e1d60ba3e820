"""Virtual time for what waits: nothing happens before somebody lets the time pass."""

from __future__ import annotations

import heapq
from collections.abc import Callable

START_NS = 1_700_000_000_000_000_000
MS = 1_000_000
S = 1_000_000_000


class Alarm:
    """A call that is to come."""

    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None


class VirtualClock:
    """A clock that stands still until `run`."""

    def __init__(self) -> None:
        self._now_ns = START_NS
        self._alarms: list[tuple[int, int, Alarm]] = []
        self._count = 0

    def now_ns(self) -> int:
        return self._now_ns

    def call_at(self, ts_ns: int, call: Callable[[], None]) -> Alarm:
        alarm = Alarm(call)
        self._count += 1
        heapq.heappush(self._alarms, (max(ts_ns, self._now_ns), self._count, alarm))
        return alarm

    def run(self, duration_ns: int) -> None:
        """Let time pass, and make every call that falls into it."""
        end_ns = self._now_ns + duration_ns
        while self._alarms and self._alarms[0][0] <= end_ns:
            self._now_ns, _, alarm = heapq.heappop(self._alarms)
            if alarm.call is not None:
                alarm.call()
        self._now_ns = end_ns
