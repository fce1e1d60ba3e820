"""Reading own trades to the end through ccxt, by time: exchanges agree on nothing else.

The cursor is a time in ms, and the ids of the trades of just that moment, which a read from it would bring again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from hedgerow.model.order import Fill
from hedgerow.venues.wire.ccxt.rows import Row, time_of
from hedgerow.venues.wire.payload import BadPayload

Page = Callable[[int], Awaitable[Sequence[Row]]]
"Since when, ms -> rows."

# How far a cursor stays behind while there are no trades: clocks differ, and what is shown late must not be passed by.
BEHIND_MS = 5 * 60_000
# Some exchanges look no further than a day from where they are asked to begin.
SPAN_MS = 24 * 3_600_000 - 1
# No exchange's page is that short.
SHORT = 10
PAGES_MAX = 1_000


class Reading(msgspec.Struct, frozen=True):
    """What one read brought."""

    fills: tuple[Fill, ...]
    "Oldest first."
    cursor: str


async def read_trades(page: Page, fill_of: Callable[[Row], Fill], cursor: str, now_ms: int) -> Reading:
    """Read from a cursor to the present.

    Args:
        page: asks for trades since a time; the oldest of them, or as many as the exchange shows at once.
        cursor: where the last read ended; empty for a book that begins.

    Raises:
        BadPayload: a page cannot be read, or does not lead on.
    """
    since_ms, known = _begin(cursor, now_ms)
    first_ms, found = since_ms, dict[str, tuple[int, Fill]]()
    for _ in range(PAGES_MAX):
        rows = await page(since_ms)
        # ccxt leaves it to some exchanges where they begin.
        times = {str(row.get("id")): time_of(row) for row in rows}
        news = [row for row in rows if str(row.get("id")) not in found and times[str(row.get("id"))] >= first_ms]
        for row in news:
            found[str(row.get("id"))] = (time_of(row), fill_of(row))
        newest_ms = max((times[str(row.get("id"))] for row in news), default=since_ms)
        if len(rows) >= SHORT and news:
            if newest_ms == since_ms and set(times.values()) == {since_ms}:
                raise BadPayload(f"{len(rows)} trades in one millisecond, and no way to ask for more of them")
            since_ms = newest_ms
        elif since_ms + SPAN_MS < now_ms:
            since_ms += SPAN_MS
        else:
            return _read(found, known, max(first_ms, now_ms - BEHIND_MS))
    raise BadPayload(f"more than {PAGES_MAX} pages of trades")


def _read(found: dict[str, tuple[int, Fill]], known: frozenset[str], quiet_ms: int) -> Reading:
    ordered = sorted(found.items(), key=lambda item: (item[1][0], item[0]))
    fills = tuple(fill for trade_id, (_, fill) in ordered if trade_id not in known)
    until_ms = max([quiet_ms, *(ms for ms, _ in found.values())])
    # Known ones of just that moment were found again.
    at = [trade_id for trade_id, (ms, _) in ordered if ms == until_ms]
    return Reading(fills, ":".join([str(until_ms), *at]))


def _begin(cursor: str, now_ms: int) -> tuple[int, frozenset[str]]:
    if not cursor:
        return now_ms - BEHIND_MS, frozenset()
    since, *known = cursor.split(":")
    return int(since), frozenset(known)
