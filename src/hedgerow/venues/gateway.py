"""The contract of every gateway: requests in, events out; an outcome for each, no exception for what a venue does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hedgerow.core.commands import CancelOrder, CancelOrphan, QueryOrder, Read, SetLeverage, SubmitOrder
from hedgerow.core.events import Event
from hedgerow.model.ids import AccountId, LegId
from hedgerow.model.instrument import Instrument

Request = SubmitOrder | CancelOrder | CancelOrphan | QueryOrder | SetLeverage | Read
Deliver = Callable[[LegId, Event], None]
"Takes one event for the book's leg. Never blocks, never raises."


class Gateway(Protocol):
    """One venue account, for one leg of one book.

    Every request ends in at least one event, unless the venue stays silent, which the core's own timers turn into
    *unknown*. Answers arrive in any order, late, or never; the stream's events arrive unasked through the same door.
    """

    account_id: AccountId

    def start(self, leg_id: LegId, instrument: Instrument, deliver: Deliver) -> None:
        """Begin to watch `instrument` for a leg: private stream, quotes, heartbeats."""
        ...

    def send(self, request: Request) -> None:
        """Take one request whose turn is durable, and return at once. An answer comes as an event."""
        ...

    async def stop(self) -> None:
        """End streams and pending requests. Nothing is canceled at the venue."""
        ...
