"""Virtual time: calls in order of their times, and in the order in which they were asked for at the same time."""

from __future__ import annotations

import heapq
from collections.abc import Callable


class VirtualTimer:
    """A call that is to come."""

    __slots__ = ("call", "is_book_timer")

    def __init__(self, call: Callable[[], None], is_book_timer: bool) -> None:
        self.call: Callable[[], None] | None = call
        self.is_book_timer = is_book_timer

    def cancel(self) -> None:
        self.call = None


class VirtualClock:
    """The one clock of a backtest. It stands still while anything happens."""

    def __init__(self, now_ns: int) -> None:
        self._now_ns = now_ns
        self._calls: list[tuple[int, int, VirtualTimer]] = []
        self._count = 0

    def now_ns(self) -> int:
        return self._now_ns

    def call_at(self, ts_ns: int, call: Callable[[], None]) -> VirtualTimer:
        return self.add(ts_ns, call, is_book_timer=False)

    def add(self, ts_ns: int, call: Callable[[], None], *, is_book_timer: bool) -> VirtualTimer:
        """Make a call at a time; `is_book_timer` for the timer of a book, which a newer price may still move."""
        timer = VirtualTimer(call, is_book_timer)
        self._count += 1
        heapq.heappush(self._calls, (max(ts_ns, self._now_ns), self._count, timer))
        return timer

    def set(self, ts_ns: int) -> None:
        """Let time pass."""
        assert ts_ns >= self._now_ns, (ts_ns, self._now_ns)
        self._now_ns = ts_ns

    def due_ns(self) -> int | None:
        """Return when the next call is due; None when none is to come."""
        calls = self._calls
        while calls and calls[0][2].call is None:
            heapq.heappop(calls)
        return calls[0][0] if calls else None

    def calls(self) -> list[tuple[int, VirtualTimer]]:
        """Return every call that is to come, with its time, in no order."""
        return [(ts_ns, timer) for ts_ns, _, timer in self._calls if timer.call is not None]

    def run_one(self) -> None:
        """Let time pass up to the next call, which there is, and make it."""
        ts_ns, _, timer = heapq.heappop(self._calls)
        self._now_ns = max(self._now_ns, ts_ns)
        call, timer.call = timer.call, None
        assert call is not None, ts_ns
        call()


class BookClock:
    """The clock as books' timers see it."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock

    def now_ns(self) -> int:
        return self._clock.now_ns()

    def call_at(self, ts_ns: int, call: Callable[[], None]) -> VirtualTimer:
        return self._clock.add(ts_ns, call, is_book_timer=True)


class UnwatchedClock:
    """The clock of a gateway whose venue cannot fall silent: the calls that would find that out are not made."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock

    def now_ns(self) -> int:
        return self._clock.now_ns()

    def call_at(self, ts_ns: int, call: Callable[[], None]) -> VirtualTimer:
        return VirtualTimer(call, False)
