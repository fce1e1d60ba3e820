"""Venues with trading hours: their tables are put into the books before they start, and read anew each day."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from hedgerow.core.config import NS_PER_S, BookConfig
from hedgerow.core.events import SessionsRead
from hedgerow.market.sessions import DAYS_AHEAD, UnknownCalendar, sessions_from
from hedgerow.model.ids import VenueId
from hedgerow.model.session import Sessions
from hedgerow.runtime.node import Node

READ_EVERY_NS = 86_400 * NS_PER_S
POLL_S = 0.5

Tables = dict[VenueId, Sessions]


def tables(calendars: Mapping[VenueId, str], now_ns: int, days: int = DAYS_AHEAD) -> Tables:
    """Return the sessions of each venue around `now_ns` and for `days` after it. Raises UnknownCalendar."""
    return {venue_id: sessions_from(calendar, now_ns, days) for venue_id, calendar in calendars.items()}


def with_hours(books: Iterable[BookConfig], hours: Tables) -> tuple[BookConfig, ...]:
    """Return the books, each knowing the hours of the venues that it knows to have some."""
    return tuple(
        replace(book, sessions={venue_id: hours[venue_id] for venue_id in book.sessions}) if book.sessions else book
        for book in books
    )


async def follow_hours(
    calendars: Mapping[VenueId, str],
    node: Node,
    told: Callable[[VenueId, Sessions], None],
    note: Callable[[str], None],
) -> None:
    """Read the tables anew each day, for the books and for `told`; what fails is noted."""
    while True:
        due_ns = node.now_ns() + READ_EVERY_NS
        # The node's clock may run faster than the loop's, so no single sleep would do.
        while node.now_ns() < due_ns:  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)
        try:
            read = await asyncio.to_thread(tables, calendars, node.now_ns())
        except UnknownCalendar as error:
            # The table at hand still covers the coming days.
            note(f"hours     {error}")
            continue
        for venue_id, sessions in read.items():
            told(venue_id, sessions)
            for book_id, book in node.books.items():
                if venue_id in book.config.sessions:
                    node.hear(book_id, SessionsRead(node.now_ns(), venue_id, sessions))
