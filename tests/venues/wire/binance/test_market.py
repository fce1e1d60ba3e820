"""The market: best levels, a book without gaps, mark and funding."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.model.market import Quote
from hedgerow.venues.wire.binance import market
from hedgerow.venues.wire.binance.frames import StreamEnded
from hedgerow.venues.wire.binance.kinds import Product
from hedgerow.venues.wire.binance.market import BookTicker, DepthBook, DepthDiff, MarkPrice, market_frame
from hedgerow.venues.wire.payload import BadPayload
from hedgerow.venues.wire.request import HttpAnswer
from tests.venues.wire.binance.wires import NOW_NS, T_MS, answer, watch

UM, SPOT = watch(Product.UM), watch(Product.SPOT)
Levels = Sequence[tuple[str, str]]


def frame(body: dict[str, Any], stream: str = "") -> market.MarketFrame:
    return market_frame(msgspec.json.encode({"stream": stream, "data": body} if stream else body))


def diff(first: int, last: int, before: int | None = None, bids: Levels = (), asks: Levels = ()) -> DepthDiff:
    """Return a delta from one update to another, as it comes from the wire."""
    body = {"e": "depthUpdate", "E": T_MS, "s": "BTCUSDT", "U": first, "u": last, "b": bids, "a": asks}
    found = frame(body if before is None else body | {"pu": before, "T": T_MS}, "btcusdt@depth@100ms")
    assert isinstance(found, DepthDiff)
    return found


def snapshot(last: int, bids: Levels, asks: Levels) -> HttpAnswer:
    return answer({"lastUpdateId": last, "bids": bids, "asks": asks})


def best(book: DepthBook) -> tuple[str, str] | None:
    quote = book.quote(UM.instrument.id, NOW_NS, 1)
    return None if quote is None else (str(quote.bid), str(quote.ask))


def test_best_levels_of_futures_and_of_spot() -> None:
    """A spot ticker does not say what it is."""
    ticker = {"u": 1, "s": "BTCUSDT", "b": "100.5", "B": "2", "a": "100.6", "A": "3"}

    for body in (ticker, ticker | {"e": "bookTicker", "T": T_MS, "E": T_MS}):
        for stream in ("", "btcusdt@bookTicker"):
            found = frame(body, stream)
            assert isinstance(found, BookTicker)
            assert market.quote_of(found, UM, NOW_NS).quote == Quote(
                UM.instrument.id,
                NOW_NS,
                ((Decimal("100.5"), Decimal(2)),),
                ((Decimal("100.6"), Decimal(3)),),
            )


def test_a_side_that_nobody_quotes_is_empty() -> None:
    """A price of zero is no price."""
    found = frame({"u": 1, "s": "BTCUSDT", "b": "0.00", "B": "0.00", "a": "100.6", "A": "3"})

    assert isinstance(found, BookTicker)
    quote = market.quote_of(found, UM, NOW_NS).quote
    assert quote.bids == () and quote.ask == Decimal("100.6")


def test_funding_is_told_with_the_mark() -> None:
    """Rate, interval and next time belong together."""
    body = {"e": "markPriceUpdate", "E": T_MS, "s": "BTCUSDT", "p": "60000", "i": "60001", "r": "-0.0001", "T": T_MS}
    found = frame(body, "btcusdt@markPrice@1s")

    assert isinstance(found, MarkPrice)
    rate = market.funding_of(found, UM, 14_400, NOW_NS).rate
    assert (rate.rate, rate.interval_s, rate.next_funding_ts_ns) == (Decimal("-0.0001"), 14_400, T_MS * 1_000_000)


def test_the_funding_interval_is_eight_hours_unless_told() -> None:
    """Taken for eight hours, a rate for four is half of what is paid."""
    told = answer([{"symbol": "BTCUSDT", "fundingIntervalHours": 4}])

    assert market.funding_interval_s(told, "BTCUSDT") == 14_400
    assert market.funding_interval_s(told, "ETHUSDT") == 28_800


def test_what_else_comes_on_a_market_stream() -> None:
    """Answers and other events are of no concern, a server that goes down is."""
    assert frame({"result": None, "id": 1}) is None
    assert frame({"e": "aggTrade", "s": "BTCUSDT"}) is None
    assert frame({"e": "serverShutdown", "E": T_MS}, "!serverShutdown") == StreamEnded("serverShutdown")
    for raw in (b"", b"{}", b"[1]", b'{"error":{"code":2},"id":1}', b'{"e":"depthUpdate"}', b'{"stream":"x","data":7}'):
        with pytest.raises(BadPayload):
            market_frame(raw)


def test_a_spot_book_from_a_snapshot_and_what_waited() -> None:
    """Deltas that the snapshot holds are dropped, the rest follow on it."""
    book = DepthBook(Product.SPOT, "BTCUSDT")
    assert not book.take(diff(98, 100, bids=[("99", "9")]))
    assert not book.take(diff(101, 103, bids=[("100", "1")]))
    assert book.needs_snapshot and best(book) is None

    assert book.take_snapshot(snapshot(101, [("99", "1")], [("102", "1")]))

    assert best(book) == ("100", "102") and not book.needs_snapshot
    assert book.take(diff(104, 104, bids=[("100", "0")], asks=[("101.5", "2")]))
    assert best(book) == ("99", "101.5")
    assert not book.take(diff(103, 104)), "a repeat changes nothing"


def test_a_futures_book_follows_by_pu() -> None:
    """The first delta spans the snapshot, each other names the one before."""
    book = DepthBook(Product.UM, "BTCUSDT")
    assert not book.take(diff(90, 95, 89))
    assert not book.take(diff(96, 105, 95, bids=[("100", "1")]))

    assert book.take_snapshot(snapshot(100, [("99", "1")], [("102", "1")]))

    assert best(book) == ("100", "102")
    # The numbers need not touch on futures: `pu` links them.
    assert book.take(diff(120, 130, 105, asks=[("101", "1")]))
    assert best(book) == ("100", "101")


@pytest.mark.parametrize(
    ("product", "gap"),
    [(Product.SPOT, diff(106, 107)), (Product.UM, diff(106, 107, 104)), (Product.PM_UM, diff(106, 107, 106))],
)
def test_a_gap_empties_the_book(product: Product, gap: DepthDiff) -> None:
    """A book with a hole shows a top that is not there; none at all is honest."""
    book = DepthBook(product, "BTCUSDT")
    assert book.take_snapshot(snapshot(100, [("99", "1")], [("102", "1")]))
    book.take(diff(100, 103, 99 if product.is_futures else None))
    assert best(book) == ("99", "102")

    assert book.take(gap)

    assert best(book) is None and book.needs_snapshot and book.gaps == 1
    # The delta that showed the gap waits for the next snapshot.
    assert book.take_snapshot(snapshot(106, [("98", "1")], [("103", "1")]))
    assert best(book) == ("98", "103")


def test_a_snapshot_that_is_too_old_asks_for_another() -> None:
    """The deltas between are lost, so it cannot be followed on."""
    book = DepthBook(Product.UM, "BTCUSDT")
    book.take(diff(110, 112, 109))

    assert not book.take_snapshot(snapshot(100, [("99", "1")], [("102", "1")]))
    assert book.needs_snapshot
    assert book.take_snapshot(snapshot(111, [("99", "1")], [("102", "1")]))


def test_a_bad_delta_loses_the_book() -> None:
    """What was half applied is not shown."""
    book = DepthBook(Product.SPOT, "BTCUSDT")
    book.take_snapshot(snapshot(100, [("99", "1")], [("102", "1")]))

    for bad in (diff(101, 101, bids=[("NaN", "1")]), diff(101, 101, asks=[("103", "-1")])):
        with pytest.raises(BadPayload):
            book.take(bad)
        assert best(book) is None
        book.lose()
        book.take_snapshot(snapshot(100, [("99", "1")], [("102", "1")]))


def test_a_cut_stream_loses_the_book() -> None:
    """What happened meanwhile is not known."""
    book = DepthBook(Product.SPOT, "BTCUSDT")
    book.take_snapshot(snapshot(100, [("99", "1")], [("102", "1")]))

    book.lose()

    assert book.needs_snapshot and best(book) is None


def test_a_book_has_a_limit() -> None:
    """Levels that prices have left behind are forgotten, the best stay."""
    book = DepthBook(Product.SPOT, "BTCUSDT")
    book.take_snapshot(snapshot(100, [("1", "1")], [("10000", "1")]))

    book.take(diff(101, 101, bids=[(str(price), "1") for price in range(2, market.LEVELS_MAX + 3)]))

    quote = book.quote(UM.instrument.id, NOW_NS, market.LEVELS_MAX)
    assert quote is not None
    assert len(quote.bids) == market.LEVELS_KEPT and quote.bid == market.LEVELS_MAX + 2


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 9), st.integers(0, 3)), max_size=30),
    st.integers(0, 30),
    st.booleans(),
)
def test_the_book_is_the_venues_book(changes: list[tuple[bool, int, int]], at: int, is_futures: bool) -> None:
    """Wherever the snapshot falls, book and venue agree after the last delta."""
    product = Product.UM if is_futures else Product.SPOT
    sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
    book = DepthBook(product, "BTCUSDT")
    at = min(at, len(changes))
    taken = snapshot(1, [], [])
    for number, (is_bid, price, qty) in enumerate(changes, start=2):
        if number - 2 == at:
            taken = snapshot(number - 1, *([(str(p), str(q)) for p, q in side.items()] for side in sides))
        side = sides[0 if is_bid else 1]
        side.pop(price, None)
        if qty:
            side[price] = qty
        level = [(str(price), str(qty))]
        book.take(
            diff(number, number, number - 1 if is_futures else None, level if is_bid else [], [] if is_bid else level)
        )
    if at == len(changes):
        taken = snapshot(len(changes) + 1, *([(str(p), str(q)) for p, q in side.items()] for side in sides))
    book.take_snapshot(taken)

    quote = book.quote(UM.instrument.id, NOW_NS, 100)
    if quote is not None:
        assert dict(quote.bids) == sides[0] and dict(quote.asks) == sides[1]
    else:
        # On futures the first delta must span the snapshot: one from before all deltas is too old.
        assert book.needs_snapshot and is_futures and at == 0
