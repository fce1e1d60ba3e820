"""Tasks of a gateway: kept until they end, and one that breaks stops the node, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from hedgerow.venues.clock import Clock


class Errands:
    """What runs for one owner, and ends with it."""

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

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            # Nobody waits for the task, so it is told where everything unexpected is: by the clock's own call.
            self._clock.call_at(self._clock.now_ns(), lambda: _raise(error))


def _raise(error: BaseException) -> None:
    raise error
