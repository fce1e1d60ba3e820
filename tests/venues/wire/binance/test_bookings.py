"""Funding and interest are read to the end, once each, oldest first, and never from before the asked time."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow.core.events import FundingPaid, InterestCharged
from hedgerow.venues.wire.binance import bookings
from hedgerow.venues.wire.binance.bookings import SPAN_MS, FundingReading, InterestReading
from hedgerow.venues.wire.binance.build import PAGE_MAX
from hedgerow.venues.wire.binance.kinds import Product
from hedgerow.venues.wire.payload import BadPayload
from hedgerow.venues.wire.request import HttpAnswer
from tests.venues.wire.binance.wires import LEG, NOW_MS, NOW_NS, STAMP, answer, requests, watch

HOUR_MS = 3_600_000
UM, MARGIN = watch(Product.UM), watch(Product.MARGIN)


def income(number: int, time_ms: int, **changes: Any) -> dict[str, Any]:
    """Return a payment of funding, changed."""
    row = {
        "symbol": "BTCUSDT",
        "incomeType": "FUNDING_FEE",
        "income": "-0.5",
        "asset": "USDT",
        "time": time_ms,
        "tranId": number,
    }
    return row | changes


class Venue:
    """Bookings of an account, given out in pages as Binance does: income oldest first, interest newest first."""

    def __init__(self, times: list[int]) -> None:
        """Take when each was booked, ms, rising."""
        self.times = times
        self.asked = 0

    def income(self, query: str) -> HttpAnswer:
        asked = self._take(query)
        found = [each for each in enumerate(self.times) if each[1] >= int(asked["startTime"])]
        return answer([income(*each) for each in found[: int(asked["limit"])]])

    def interest(self, query: str) -> HttpAnswer:
        asked = self._take(query)
        start_ms, size = int(asked["startTime"]), int(asked["size"])
        end_ms = int(asked.get("endTime", start_ms + SPAN_MS))
        assert end_ms - start_ms <= SPAN_MS, "Binance refuses a longer time"
        found = [each for each in enumerate(self.times) if start_ms <= each[1] <= end_ms]
        rows = found[::-1][(int(asked["current"]) - 1) * size :][:size]
        asset = asked["asset"]
        told = [
            {"txId": f"{asset}{number}", "asset": asset, "interest": "0.00001", "interestAccuredTime": time_ms}
            for number, time_ms in rows
        ]
        return answer({"rows": told, "total": len(found)})

    def _take(self, query: str) -> dict[str, str]:
        self.asked += 1
        return dict(parse_qsl(query))


def funding_of(venue: Venue, since_ms: int) -> list[FundingPaid]:
    """Return a whole reading of funding."""
    reading = FundingReading(requests(Product.UM), UM, since_ms)
    while (found := reading.take(venue.income(reading.request(STAMP).query), NOW_NS)) is None:
        pass
    return list(found)


def interest_of(venue: Venue, since_ms: int, currencies: tuple[str, ...] = ("BTC",)) -> list[InterestCharged]:
    """Return a whole reading of interest."""
    reading = InterestReading(requests(Product.MARGIN), MARGIN, currencies, since_ms, NOW_MS)
    while (found := reading.take(venue.interest(reading.request(STAMP).query), NOW_NS)) is None:
        pass
    return list(found)


def test_a_payment_is_told_with_its_id_and_sign() -> None:
    """The id is what keeps a payment from being booked twice; a minus is paid."""
    assert funding_of(Venue([NOW_MS]), NOW_MS) == [FundingPaid(NOW_NS, LEG, "0", Decimal("-0.5"))]


def test_interest_is_told_for_each_currency() -> None:
    """Money is borrowed to buy with, and coins to sell."""
    assert interest_of(Venue([NOW_MS - 1]), NOW_MS - HOUR_MS, ("BTC", "USDT")) == [
        InterestCharged(NOW_NS, LEG, "BTC0", "BTC", Decimal("0.00001")),
        InterestCharged(NOW_NS, LEG, "USDT0", "USDT", Decimal("0.00001")),
    ]


def test_only_the_instruments_own_funding_since_the_asked_time_counts() -> None:
    """Whatever else a venue shows is not this book's: another instrument's, another kind, an older one."""
    rows = [
        income(1, NOW_MS),
        income(2, NOW_MS, symbol="ETHUSDT"),
        income(3, NOW_MS, incomeType="COMMISSION"),
        income(4, NOW_MS - 1),
    ]

    found = FundingReading(requests(Product.UM), UM, NOW_MS).take(answer(rows), NOW_NS)

    assert found is not None
    assert [each.funding_id for each in found] == ["1"]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2_500), st.integers(0, 2_500))
def test_funding_is_whole_however_many_pages(count: int, before: int) -> None:
    """Payments from before the time, at it, and behind the first page."""
    venue = Venue([NOW_MS - (count - number) * HOUR_MS for number in range(count)])
    since_ms = NOW_MS - before * HOUR_MS

    found = funding_of(venue, since_ms)

    expected = [str(number) for number, time_ms in enumerate(venue.times) if time_ms >= since_ms]
    assert [each.funding_id for each in found] == expected
    assert venue.asked <= len(expected) // (PAGE_MAX - 1) + 1


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2_000), st.integers(1, 2_000))
def test_interest_is_whole_however_many_pages_and_months(count: int, before: int) -> None:
    """Pages go back in time, months go on."""
    venue = Venue([NOW_MS - (count - number) * HOUR_MS for number in range(count)])
    since_ms = NOW_MS - before * HOUR_MS

    found = interest_of(venue, since_ms)

    expected = [f"BTC{number}" for number, time_ms in enumerate(venue.times) if time_ms >= since_ms]
    assert [each.interest_id for each in found] == expected


def test_interest_that_comes_while_pages_are_turned_moves_nothing_out_of_sight() -> None:
    """Newest first, so that a new row pushes an old one over to the next page."""
    venue = Venue([NOW_MS - (150 - number) * 1_000 for number in range(150)])
    reading = InterestReading(requests(Product.MARGIN), MARGIN, ("BTC",), NOW_MS - HOUR_MS, NOW_MS)
    assert reading.take(venue.interest(reading.request(STAMP).query), NOW_NS) is None
    venue.times.append(NOW_MS)

    found = reading.take(venue.interest(reading.request(STAMP).query), NOW_NS)

    assert found is not None
    assert [each.interest_id for each in found] == [f"BTC{number}" for number in range(150)]


def test_a_venue_that_shows_page_after_page_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else of the account would be looked after meanwhile."""
    monkeypatch.setattr(bookings, "PAGES_MAX", 3)
    reading = FundingReading(requests(Product.UM), UM, 0)
    page = answer([income(number, NOW_MS) for number in range(PAGE_MAX)])

    with pytest.raises(BadPayload, match="pages of bookings"):
        for _ in range(3):
            reading.take(page, NOW_NS)
