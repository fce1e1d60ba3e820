"""Accounts whose positions are watched: what is found in them becomes a leg, and what cannot be listed is told.

Each account is listed by a task of its own, for a book of its own, so that one which fails never blocks another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Protocol

import msgspec

from hedgerow.core.config import NS_PER_S, LegConfig
from hedgerow.core.events import Event, PositionsListed
from hedgerow.model.ids import AccountId, BookId
from hedgerow.model.instrument import Instrument
from hedgerow.runtime.watch import Watch

# As often as open orders and positions are read: a position opened by hand is watched within that time.
LIST_EVERY_NS = 30 * NS_PER_S
# After a failure it is tried again sooner.
LIST_AGAIN_NS = 5 * NS_PER_S
POLL_S = 0.05


class Unlisted(Exception):
    """What an account holds could not be listed: unknown, which is not nothing."""


class Held(msgspec.Struct, frozen=True):
    """One row of a listing of an account's positions."""

    instrument: Instrument
    net_qty: Decimal


Lister = Callable[[AccountId], Awaitable[tuple[Held, ...]]]
"Returns what an account holds now. Raises Unlisted."


class Listener(Protocol):
    """What is told of what was found: a node."""

    def now_ns(self) -> int: ...

    def hear(self, book_id: BookId, event: Event) -> None: ...

    def add_leg(self, book_id: BookId, leg: LegConfig) -> None: ...


async def follow_positions(watch: Watch, node: Listener, list_positions: Lister) -> None:
    """List one account for as long as the node runs."""
    while True:
        problem = await _look(watch, node, list_positions)
        node.hear(watch.book_id, PositionsListed(node.now_ns(), watch.account_id, problem))
        due_ns = node.now_ns() + (LIST_AGAIN_NS if problem else LIST_EVERY_NS)
        # The node's clock may run faster than the loop's, so no single sleep would do.
        while node.now_ns() < due_ns:  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)


async def _look(watch: Watch, node: Listener, list_positions: Lister) -> str:
    """Give each position that is new a leg; return why they could not be listed, else nothing."""
    try:
        held = await list_positions(watch.account_id)
    except Unlisted as error:
        return str(error) or "no answer"
    for row in held:
        leg = watch.leg(row.instrument) if row.net_qty else None
        if leg is not None:
            node.add_leg(watch.book_id, leg)
    return ""
