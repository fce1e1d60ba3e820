"""Reading what was booked without a trade to the end: page after page since a time, then all at once, oldest first."""

from __future__ import annotations

import msgspec

from hedgerow.core.events import FundingPaid, InterestCharged
from hedgerow.venues.wire.binance import shapes
from hedgerow.venues.wire.binance.answers import body_of
from hedgerow.venues.wire.binance.build import INTEREST_PAGE_MAX, PAGE_MAX, Requests
from hedgerow.venues.wire.binance.kinds import Watch
from hedgerow.venues.wire.payload import BadPayload, amount, unsigned
from hedgerow.venues.wire.request import HttpAnswer, HttpRequest, Stamp

DAY_MS = 86_400_000
# Binance keeps income for three months, and refuses to be asked for older interest; a day for the edge.
# Source: Binance docs, "Get Income History" and "Get Interest History" (checked 2026-07).
KEPT_MS = 89 * DAY_MS
# From start to end of one question for interest there may be 30 days.
SPAN_MS = 30 * DAY_MS - 1
# Nobody is paid funding so often, nor charged: a venue that shows page after page is not to be believed.
PAGES_MAX = 1_000

_INCOME = msgspec.json.Decoder(tuple[shapes.IncomeRow, ...])
_INTEREST = msgspec.json.Decoder(shapes.InterestPage)


class FundingReading:
    """One read of an instrument's funding that is under way. Pages come oldest first."""

    def __init__(self, requests: Requests, watch: Watch, since_ms: int) -> None:
        """Begin at a time of the venue's."""
        self._requests = requests
        self._watch = watch
        self._first_ms = since_ms
        self._since_ms = since_ms
        self._pages = 0
        self._rows: dict[str, shapes.IncomeRow] = {}
        "By id: a page begins with the moment that the one before ended with."

    def request(self, stamp: Stamp) -> HttpRequest:
        """Return the question for the next page."""
        return self._requests.funding(self._since_ms, stamp)

    def take(self, answer: HttpAnswer, now_ns: int) -> tuple[FundingPaid, ...] | None:
        """Take one page; return all when it was the last, None when the next one is to be asked for.

        Raises:
            Refused, BadPayload: it was not told.
        """
        rows = body_of(_INCOME, answer)
        for row in rows:
            is_its = row.symbol == self._watch.symbol and row.income_type == "FUNDING_FEE"
            # What is older than was asked for is nobody's here, whatever the venue shows.
            if is_its and row.time >= self._first_ms:
                self._rows[str(row.tran_id)] = row
        self._pages += 1
        if len(rows) >= PAGE_MAX:
            self._since_ms = max(self._since_ms + 1, max(row.time for row in rows))
            _check(self._pages)
            return None
        ordered = sorted(self._rows.items(), key=lambda item: item[1].time)
        leg_id = self._watch.leg_id
        return tuple(FundingPaid(now_ns, leg_id, name, amount(row.income, "income")) for name, row in ordered)


class InterestReading:
    """One read of the interest of some currencies that is under way. Within a span of time, pages come newest first."""

    def __init__(
        self, requests: Requests, watch: Watch, currencies: tuple[str, ...], since_ms: int, venue_now_ms: int
    ) -> None:
        """Begin at a time of the venue's.

        Args:
            currencies: at least one.
            venue_now_ms: the venue's time now.
        """
        self._requests = requests
        self._watch = watch
        self._currencies = currencies
        self._first_ms = since_ms
        self._until_ms = venue_now_ms
        self._since_ms = since_ms
        self._page = 1
        self._pages = 0
        self._rows: dict[str, shapes.InterestRow] = {}
        "By id: what is booked while pages are turned moves rows to the next one."

    def request(self, stamp: Stamp) -> HttpRequest:
        """Return the question for the next page."""
        end_ms = self._since_ms + SPAN_MS
        # The last span has no end: what is charged while it is read belongs to it.
        is_last = end_ms >= self._until_ms
        return self._requests.interest(
            self._currencies[0], self._since_ms, None if is_last else end_ms, self._page, stamp
        )

    def take(self, answer: HttpAnswer, now_ns: int) -> tuple[InterestCharged, ...] | None:
        """Take one page; return all when it was the last, None when the next one is to be asked for.

        Raises:
            Refused, BadPayload: it was not told.
        """
        rows = body_of(_INTEREST, answer).rows
        for row in rows:
            if row.asset == self._currencies[0] and row.interest_accured_time >= self._first_ms:
                self._rows[str(row.tx_id)] = row
        self._pages += 1
        if not self._is_over(len(rows) >= INTEREST_PAGE_MAX):
            _check(self._pages)
            return None
        ordered = sorted(self._rows.items(), key=lambda item: item[1].interest_accured_time)
        leg_id = self._watch.leg_id
        return tuple(
            InterestCharged(now_ns, leg_id, name, row.asset, unsigned(row.interest, "interest"))
            for name, row in ordered
        )

    def _is_over(self, is_full: bool) -> bool:
        """Turn to what is next: a page, a span, a currency; return whether there is nothing."""
        self._page = self._page + 1 if is_full else 1
        if is_full:
            return False
        self._since_ms += SPAN_MS + 1
        if self._since_ms <= self._until_ms:
            return False
        self._since_ms, self._currencies = self._first_ms, self._currencies[1:]
        return not self._currencies


def _check(pages: int) -> None:
    if pages >= PAGES_MAX:
        raise BadPayload(f"more than {PAGES_MAX} pages of bookings")
