"""What takes its time: tasks of a gateway, kept until they end; and what was begun and can be waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

from hedgerow.venues.clock import Clock

T = TypeVar("T")


class Begun(Generic[T]):
    """What was begun already, and is awaited for its end. Unlike a coroutine, it may as well not be awaited."""

    def __init__(self, end: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._end = end

    def __await__(self) -> Generator[Any, None, T]:
        return self._end().__await__()


class Errands:
    """What runs for one owner, and ends with it. One that breaks stops the node, in order."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[Any, Any, None], name: str | None = None) -> asyncio.Task[None]:
        """Let it run. Nothing that a venue does may be raised in it."""
        task = asyncio.create_task(work, name=name)
        # Kept, or the collector may end it half-way.
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def end(self) -> None:
        """Cancel what still runs, and return once it is over."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def fail(self, error: Exception) -> None:
        """Tell what broke where nobody waits for it: where everything unexpected is, by the clock's own call."""
        self._clock.call_at(self._clock.now_ns(), lambda: _raise(error))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self.fail(error)


def _raise(error: BaseException) -> None:
    raise error
