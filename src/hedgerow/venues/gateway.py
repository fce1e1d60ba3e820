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


class Teller(Gateway, Protocol):
    """A gateway that also tells what the venue books without a trade, funding and interest: what a node runs on.

    A venue tells such a booking once, and whoever does not listen then never hears of it.
    """

    def catch_up(self, since_ns: int) -> None:
        """Tell what was booked since then, and from now on whatever is; called once, after `start`.

        Each booking is delivered once, and in the order in which they were made, as far as the venue shows it so. What
        was missed is asked for now, whenever the private stream comes back, and every few minutes. What cannot be
        had now is asked for again from the same time on, until it was read whole.

        Args:
            since_ns: by our clock. Nothing that the venue booked before is ever told. May be years ago: as much is
                told as the venue still has.
        """
        ...
