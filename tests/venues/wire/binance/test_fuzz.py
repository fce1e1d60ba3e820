"""Whatever comes from the wire: one kind of error, no fill that was not told, and none that was told is changed."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

import hedgerow.venues.wire
from hedgerow.core.commands import QueryOrder
from hedgerow.core.events import FillReceived, OrderRejected, TradesRead
from hedgerow.venues.outcomes import Proof
from hedgerow.venues.wire.binance import answers
from hedgerow.venues.wire.binance.bookings import FundingReading, InterestReading
from hedgerow.venues.wire.binance.frames import private_frame, told
from hedgerow.venues.wire.binance.instruments import UnknownSymbol, limits_of, listing_of
from hedgerow.venues.wire.binance.kinds import Product
from hedgerow.venues.wire.binance.market import DepthBook, DepthDiff, market_frame
from hedgerow.venues.wire.binance.outcomes import outcome_of
from hedgerow.venues.wire.binance.routes import Endpoint
from hedgerow.venues.wire.binance.trades import TradesReading
from hedgerow.venues.wire.payload import BadPayload
from hedgerow.venues.wire.request import HttpAnswer
from tests.venues.wire.binance.test_answers import MARGIN_ACCOUNT, PORTFOLIO_BALANCE, SPOT_ACCOUNT, order_row
from tests.venues.wire.binance.test_frames import futures, spot
from tests.venues.wire.binance.test_instruments import info
from tests.venues.wire.binance.test_trades import trade
from tests.venues.wire.binance.wires import ASKED_NS, LEG, NOW_MS, NOW_NS, ORDER_ID, limit_order, requests, watch

TICKER = {"u": 1, "s": "BTCUSDT", "b": "100.5", "B": "2", "a": "100.6", "A": "3"}
DIFF = {"e": "depthUpdate", "s": "BTCUSDT", "U": 1, "u": 2, "pu": 0, "b": [["1", "1"]], "a": [["2", "0"]]}
ACCOUNT = {"e": "ACCOUNT_UPDATE", "a": {"m": "FUNDING_FEE", "B": []}}
BODIES: list[Any] = [
    futures(),
    spot(),
    {"subscriptionId": 0, "event": spot()},
    {"stream": "x", "data": DIFF},
    TICKER,
    DIFF,
    ACCOUNT,
    {"id": "1", "status": 200, "result": {"subscriptionId": 0}},
    {"id": "1", "status": 400, "error": {"code": -1209, "msg": "Invalid listenToken"}},
    order_row(),
    [trade(5), trade(6)],
    SPOT_ACCOUNT,
    MARGIN_ACCOUNT,
    PORTFOLIO_BALANCE,
    info(True),
    info(False),
    {"code": -2019, "msg": "Margin is insufficient."},
    {"lastUpdateId": 100, "bids": [["1", "1"]], "asks": []},
]
SEEDS = [msgspec.json.encode(body) for body in BODIES]
# Few, so that the quick suite stays quick; the judges mutate a million.
FUZZ = 60
JUNK = st.sampled_from([b"", b"null", b"NaN", b'"', b"-1", b"1e999999", b"{", b"]", b"\x00", b"\xff", b'"NaN"', b"[]"])


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Return a payload with a few pieces cut, doubled, or replaced."""
    raw = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(raw)))
        to = min(len(raw), at + draw(st.integers(0, 12)))
        piece = draw(st.one_of(st.just(b""), st.just(raw[at:to] * 2), JUNK, st.binary(max_size=4)))
        raw = raw[:at] + piece + raw[to:]
    return raw


def expected(call: Callable[[], object]) -> object:
    """Return what a call returns; None when it says that the payload is bad or a refusal."""
    try:
        return call()
    except (BadPayload, answers.Refused, UnknownSymbol):
        return None


@settings(max_examples=FUZZ)
@given(mutated(), st.sampled_from(Product))
def test_frames_give_events_or_one_kind_of_error(raw: bytes, product: Product) -> None:
    """Any other exception would end the stream, silently, for hours."""
    watched = watch(product)

    found = expected(lambda: told(private_frame(raw), watched, NOW_NS))

    for event in found if isinstance(found, tuple) else ():
        if isinstance(event, FillReceived):
            fill = event.fill
            assert fill.trade_id.encode() in raw, "no id is invented"
            assert fill.qty > 0 and fill.price > 0 and int(fill.trade_id) > 0
    diff = expected(lambda: market_frame(raw))
    if isinstance(diff, DepthDiff):
        book = DepthBook(product, "BTCUSDT")
        expected(lambda: book.take_snapshot(HttpAnswer(200, SEEDS[-1])))
        expected(lambda: book.take(diff))


@settings(max_examples=FUZZ)
@given(mutated(), st.sampled_from(Product), st.sampled_from([200, 200, 200, 400, 401, 409, 418, 429, 500, 502]))
def test_answers_give_events_or_one_kind_of_error(raw: bytes, product: Product, status: int) -> None:
    """A half-written answer is unknown, and refuses nothing."""
    watched, answer, order = watch(product), HttpAnswer(status, raw), limit_order()

    for event in answers.submitted(order, answer, watched, NOW_NS):
        if isinstance(event, OrderRejected):
            code = int(event.code)
            assert outcome_of(product, Endpoint.SUBMIT, status, code, event.text).proof is Proof.NOT_TAKEN
            assert 400 <= status < 500
    answers.canceled(ORDER_ID, answer, watched, NOW_NS)
    answers.queried(QueryOrder(ORDER_ID, LEG), answer, watched, ASKED_NS, NOW_NS)
    for read in (answers.open_orders_read, answers.position_read, answers.balances_read):
        read(answer, watched, ASKED_NS, NOW_NS)
    answers.leverage_answered(answer, watched, NOW_NS)
    expected(lambda: answers.borrow_rates_read(answer, watched, NOW_NS))
    expected(lambda: FundingReading(requests(product), watched, 0).take(answer, NOW_NS))
    expected(lambda: InterestReading(requests(product), watched, ("BTC",), 0, NOW_MS).take(answer, NOW_NS))
    expected(lambda: listing_of(answer, product, "BTCUSDT", watched.instrument.venue_id))
    expected(lambda: limits_of(answer, "api"))
    expected(lambda: answers.permissions_of(answer))
    expected(lambda: answers.fee_rates_of(answer, product, "BTCUSDT"))
    reading = TradesReading(requests(product), watched, "5", ASKED_NS, NOW_MS)
    found = reading.take(answer, NOW_NS)
    if isinstance(found, TradesRead):
        assert all(fill.trade_id.encode() in raw for fill in found.fills)


@given(st.integers(0, len(SEEDS[0]) - 1), st.sampled_from([0, 1, 2]))
def test_a_frame_cut_at_any_byte_is_bad(at: int, seed: int) -> None:
    """Half a fill is no fill."""
    raw = SEEDS[seed]

    assert expected(lambda: private_frame(raw[: min(at, len(raw) - 1)])) is None


def test_the_wire_is_pure() -> None:
    """No clock, no chance, no I/O: the same bytes are the same events, in a test and at the venue."""
    forbidden = {"aiohttp", "asyncio", "datetime", "os", "random", "secrets", "socket", "ssl", "time", "threading"}
    (folder,) = hedgerow.venues.wire.__path__
    for path in sorted(Path(folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not {name.split(".")[0] for name in names} & forbidden, (path, names)
            assert not isinstance(node, ast.AsyncFunctionDef | ast.Await), path
            assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), (path, node.lineno)
