"""Trades are read to the end, once each, and a reading that breaks off is none."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.events import ReadFailed, TradesRead
from hedgerow.model.order import Side
from hedgerow.venues.wire.binance.build import PAGE_MAX
from hedgerow.venues.wire.binance.kinds import Product
from hedgerow.venues.wire.binance.trades import BEHIND_MS, SPAN_MS, TradesReading
from hedgerow.venues.wire.request import HttpAnswer
from tests.venues.wire.binance.wires import ASKED_NS, LEG, NOW_MS, NOW_NS, STAMP, answer, requests, watch


def trade(trade_id: int, time_ms: int = NOW_MS, **changes: Any) -> dict[str, Any]:
    """Return a trade as futures show it, changed."""
    row = {
        "symbol": "BTCUSDT",
        "id": trade_id,
        "orderId": 77,
        "side": "SELL",
        "price": "60000.5",
        "qty": "0.001",
        "commission": "0.02",
        "commissionAsset": "USDT",
        "time": time_ms,
        "maker": True,
    }
    return row | changes


class Venue:
    """Trades of an account, given out in pages as Binance does."""

    def __init__(self, trades: list[tuple[int, int]]) -> None:
        """Take (trade id, time in ms), rising in both."""
        self.trades = trades
        self.asked: list[dict[str, str]] = []

    def answer(self, query: str) -> HttpAnswer:
        asked = dict(parse_qsl(query))
        self.asked.append(asked)
        assert not ("fromId" in asked and "startTime" in asked), "Binance refuses both at once"
        found = self.trades
        if "fromId" in asked:
            found = [each for each in found if each[0] >= int(asked["fromId"])][: int(asked["limit"])]
        elif "startTime" in asked:
            from_ms, to_ms = int(asked["startTime"]), int(asked["endTime"])
            assert to_ms - from_ms < 24 * 3_600_000, "Binance refuses a longer time"
            found = [each for each in found if from_ms <= each[1] <= to_ms][: int(asked["limit"])]
        else:
            found = found[-int(asked["limit"]) :]
        return answer([trade(trade_id, time_ms) for trade_id, time_ms in found])


def read(venue: Venue, cursor: str) -> TradesRead:
    """Return what a reading finds."""
    reading = TradesReading(requests(Product.UM), watch(Product.UM), cursor, ASKED_NS, NOW_MS)
    while True:
        event = reading.take(venue.answer(reading.request(STAMP).query), NOW_NS)
        if event is not None:
            assert isinstance(event, TradesRead), event
            return event


def ids(event: TradesRead) -> list[int]:
    return [int(fill.trade_id) for fill in event.fills]


def test_a_trade_becomes_a_fill_without_a_name() -> None:
    """The record bears no client order id; the venue's order id leads to it."""
    reading = TradesReading(requests(Product.UM), watch(Product.UM), "5", ASKED_NS, NOW_MS)

    event = reading.take(answer([trade(5)]), NOW_NS)

    assert isinstance(event, TradesRead)
    assert (event.leg_id, event.asked_ts_ns, event.cursor) == (LEG, ASKED_NS, "6")
    (fill,) = event.fills
    assert (fill.side, fill.order_id, fill.venue_order_id, fill.is_maker) == (Side.SELL, None, "77", True)
    assert (str(fill.fee), fill.fee_currency, fill.venue_made) == ("0.02", "USDT", False)


def test_spot_names_the_side_differently() -> None:
    """A side that is taken from the wrong field is the opposite trade."""
    rows = [
        trade(5, side=None, isBuyer=True, isMaker=False, maker=None),
        trade(6, side=None, isBuyer=False, isMaker=True, maker=None),
    ]
    reading = TradesReading(requests(Product.SPOT), watch(Product.SPOT), "5", ASKED_NS, NOW_MS)

    event = reading.take(answer(rows), NOW_NS)

    assert isinstance(event, TradesRead)
    assert [(fill.side, fill.is_maker) for fill in event.fills] == [(Side.BUY, False), (Side.SELL, True)]


def test_pages_follow_until_one_is_not_full() -> None:
    """The event has all of them, so that a trade which is not in it is not there."""
    venue = Venue([(number, NOW_MS) for number in range(1, 2 * PAGE_MAX + 1)])

    event = read(venue, "1")

    assert ids(event) == list(range(1, 2 * PAGE_MAX + 1))
    assert event.cursor == str(2 * PAGE_MAX + 1)
    assert [each["fromId"] for each in venue.asked] == ["1", "1001", "2001"], "a full page is never the last"


def test_a_new_book_begins_with_the_latest_page() -> None:
    """An account's whole past is not read; what comes after the latest page is."""
    venue = Venue([(number, NOW_MS) for number in range(1, 2 * PAGE_MAX + 1)])

    event = read(venue, "")

    assert len(event.fills) == PAGE_MAX and event.cursor == str(2 * PAGE_MAX + 1)
    assert len(venue.asked) == 1


def test_without_any_trade_the_cursor_is_a_time() -> None:
    """The first trade may have any id, so a time stays behind, by more than the venue can be late."""
    first = read(Venue([]), "")
    later = read(Venue([(900, NOW_MS - BEHIND_MS + 1)]), first.cursor)

    assert first.cursor == f"t{NOW_MS - BEHIND_MS}"
    assert ids(later) == [900] and later.cursor == "901"


def test_a_cursor_in_time_is_followed_over_days() -> None:
    """A time of trades is at most a day long at Binance: each day has its question, and the first trade ends them."""
    start_ms = NOW_MS - 5 * SPAN_MS
    venue = Venue([(9, start_ms + 2 * SPAN_MS + 5), (10, start_ms + 4 * SPAN_MS)])

    event = read(venue, f"t{start_ms}")

    assert ids(event) == [9, 10] and event.cursor == "11"
    assert ["startTime" in each for each in venue.asked] == [True, True, True, False]


def test_a_quiet_week_ends_at_the_present() -> None:
    """The cursor moves on, or every read would ask for the whole week again."""
    event = read(Venue([]), f"t{NOW_MS - 7 * SPAN_MS}")

    assert event.fills == () and event.cursor == f"t{NOW_MS - BEHIND_MS}"


def test_a_cursor_never_goes_back() -> None:
    """A read that finds nothing keeps its place."""
    assert read(Venue([]), "77").cursor == "77"
    assert read(Venue([]), f"t{NOW_MS - 1}").cursor == f"t{NOW_MS - 1}"


@pytest.mark.parametrize(
    "given_answer",
    [
        answer({"code": -1003, "msg": "Too many requests."}, 429),
        answer(b"[{"),
        answer([trade(5), trade(0)]),
        answer([trade(5, qty="0")]),
        answer([trade(5, price="NaN")]),
        answer([trade(5, side="UP")]),
        answer([trade(5, side=None)]),
        answer([trade(5, time=7)]),
        answer([trade(4)]),
    ],
)
def test_one_bad_row_spoils_the_reading(given_answer: HttpAnswer) -> None:
    """Half a reading would prove that a trade is not there; and no fill is made of a row that cannot be."""
    reading = TradesReading(requests(Product.UM), watch(Product.UM), "5", ASKED_NS, NOW_MS)

    assert isinstance(reading.take(given_answer, NOW_NS), ReadFailed)


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(0, 2 * SPAN_MS)), max_size=40),
    st.integers(0, 40),
    st.booleans(),
)
def test_no_trade_is_lost_or_invented(steps: list[tuple[int, int]], seen: int, by_time: bool) -> None:
    """Whatever ids and times trades have, two readings in a row find each of them exactly once."""
    trade_id, time_ms, trades = 0, NOW_MS - 90 * SPAN_MS, []
    for id_step, time_step in steps:
        trade_id, time_ms = trade_id + id_step, time_ms + time_step
        trades.append((trade_id, time_ms))
    cursor = f"t{NOW_MS - 90 * SPAN_MS}" if by_time else "1"

    first = read(Venue(trades[:seen]), cursor)
    second = read(Venue(trades), first.cursor)

    late = {number for number, when in trades[seen:] if first.cursor.startswith("t") and when < int(first.cursor[1:])}
    assert ids(first) == [number for number, _ in trades[:seen]]
    assert set(ids(second)) == {number for number, _ in trades[seen:]} - late
