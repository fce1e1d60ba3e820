"""A service that ends a node's run by what happened in it, so that no test depends on how fast the machine is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hedgerow.core.commands import SubmitOrder, Turn
from hedgerow.runtime.node import Node

# By the node's clock; a run that does not come to its end fails by what it asserts.
AT_MOST_S = 600


class Until:
    """Runs beside the books, and stops the node in order once a durable turn is the last that a test waits for."""

    def __init__(self, node: Node, is_last: Callable[[Turn], bool]) -> None:
        self._stopped = asyncio.Event()
        tell = node.turned

        def turned(turns: list[tuple[int, Turn]]) -> None:
            tell(turns)
            if any(is_last(turn) for _, turn in turns):
                node.stop()

        node.turned = turned  # type: ignore[method-assign]

    async def run(self) -> None:
        await self._stopped.wait()

    def stop(self) -> None:
        self._stopped.set()


def submits(turn: Turn) -> bool:
    """Return whether an order left in this turn."""
    return any(isinstance(command, SubmitOrder) for command in turn.commands)
