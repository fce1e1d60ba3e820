"""Mutated frames and answers: one kind of error, no invented fill, no lost one.

What a mutated text still says is read a second time by the standard library, and that reading is the judge.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import msgspec
import pytest

from hedgerow.core.commands import QueryOrder
from hedgerow.core.events import (
    CancelAnswered,
    CancelOutcome,
    Event,
    FillReceived,
    OrderAccepted,
    OrderNotFound,
    OrderRejected,
    OrderUnknown,
    ReadFailed,
    TradesRead,
)
from hedgerow.model.ids import ClientOrderId
from hedgerow.model.order import Fill, Side
from hedgerow.venues.wire.binance import answers, frames
from hedgerow.venues.wire.binance.kinds import Product
from hedgerow.venues.wire.binance.trades import TradesReading
from hedgerow.venues.wire.payload import BadPayload
from hedgerow.venues.wire.request import HttpAnswer
from tests.judges import payloads
from tests.venues.wire.binance.wires import ASKED_NS, LEG, NOW_MS, NOW_NS, limit_order, requests, watch

# What mutations put in: JSON's own marks, numbers that are none, and the words that the meaning hangs on.
WORDS = [
    b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"\x00", b"\xff", b"\xed\xa0\x80", b"-", b"0", b"9", b"e9", b".",
    b"null", b"true", b"NaN", b"Infinity", b"1e400", b"-1", b'""', b"99999999999999999999", b'"t":1,', b'"l":"0.5",',
    b'"x":"TRADE",', b"BUY", b"SELL", b"TRADE", b"NEW", b"FILLED", b"CANCELED", b"EXPIRED", b"CALCULATED", b"AMENDMENT",
    b"BTCUSDT",
]  # fmt: skip
# What a field may be instead: of another type, of another size, or another word of the venue.
ODD_VALUES: list[object] = [
    None, True, False, 0, 1, -1, 10**20, 10**30, 2**63, 2**64, 1_700_000_000_000_000, 0.1, [], {}, [{}],
    "", "0", "-0.5", "1e400", "1e-30", "NaN", "Infinity", "0x10", " 1", "\uff11", "1_0",
    "BUY", "SELL", "buy", "TRADE", "CALCULATED", "AMENDMENT", "NEW", "FILLED", "EXPIRED_IN_MATCH", "SOMETHING",
    "ETHUSDT", "btcusdt", "executionReport", "ORDER_TRADE_UPDATE", "listenKeyExpired", "autoclose-1",
]  # fmt: skip
STATUSES = (200, 200, 200, 201, 400, 401, 403, 404, 408, 409, 418, 429, 500, 502, 503, 504)
CODES = (-1000, -1001, -1003, -1006, -1007, -1013, -1021, -1111, -2010, -2011, -2013, -2015, -2018, -2019, -2021, -2022)
CHUNKS, PER_CHUNK, QUICK = 20, 50_000, 1_500

NUMBER = re.compile(r"-?\d+(\.\d*)?([eE][-+]?\d{1,5})?", re.ASCII)
Key = tuple[str, Side, Decimal, Decimal]


def mutated(random: Random, body: object) -> bytes:
    """Return a payload with some of its fields changed, or some of its bytes, or as it is."""
    if random.random() < 0.5:
        body = msgspec.json.decode(msgspec.json.encode(body))
        for _ in range(random.choice((0, 1, 1, 1, 2, 3))):
            twist(random, body)
        return msgspec.json.encode(body)
    return garbled(random, msgspec.json.encode(body))


def twist(random: Random, body: Any) -> None:
    """Change, drop, add or rename one field, at any depth."""
    while body:
        key = random.choice(list(body)) if isinstance(body, dict) else random.randrange(len(body))
        if isinstance(body[key], dict | list) and random.random() < 0.9:
            body = body[key]
            continue
        match random.randrange(5):
            case 0:
                del body[key]
            case 1 if isinstance(body, dict):
                body[random.choice(list(body))] = body[key]
            case 2 if isinstance(body, dict):
                body[random.choice("xXlLztiSscCoeEnNT")] = random.choice(ODD_VALUES)
            case _:
                body[key] = random.choice(ODD_VALUES)
        return


def garbled(random: Random, raw: bytes) -> bytes:
    """Return bytes with one to four changes."""
    for _ in range(random.choice((1, 1, 1, 2, 3, 4))):
        at = random.randrange(len(raw) + 1)
        to = min(len(raw), at + random.randrange(1, 12))
        match random.randrange(8):
            case 0:
                raw = raw[:at]
            case 1:
                raw = raw[:at] + raw[to:]
            case 2:
                raw = raw[:at] + raw[at:to] + raw[at:]
            case 3:
                raw = raw[:at] + bytes([random.randrange(256)]) + raw[at + 1 :]
            case 4:
                raw = raw[:at] + random.choice(WORDS) + raw[at:]
            case 5:
                raw = raw[:at] + random.choice(WORDS) + raw[to:]
            case 6:
                word, other = random.choice(WORDS), random.choice(WORDS)
                raw = raw.replace(word, other, 1)
            case 7:
                digit = str(random.randrange(10)).encode()
                raw = raw.replace(digit, str(random.randrange(10)).encode(), random.randrange(1, 3))
        if not raw:
            return raw
    return raw


def reading(raw: bytes) -> Any:
    """Return what a text says, or None when it is no JSON; numbers stay as they are written."""

    def refuse(word: str) -> None:
        raise ValueError(word)

    try:
        text = raw.decode("utf-8", "surrogateescape")
        return json.loads(text, parse_float=Decimal, parse_constant=refuse, strict=False)
    except (ValueError, RecursionError):
        return None


def decimal(value: object) -> Decimal | None:
    """Return a number as it stands there; None when it is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    # Python reads ` 1`, `1_000` and the digits of other scripts as numbers as well; no venue writes them.
    return Decimal(value) if NUMBER.fullmatch(str(value)) else None


def key_of(fill: Fill) -> Key:
    return str(fill.trade_id), fill.side, fill.qty, fill.price


def stated(trade_id: object, side: object, qty: object, price: object) -> Key | None:
    """Return a fill as stated; None when it is not stated whole."""
    sides = {"BUY": Side.BUY, "SELL": Side.SELL}
    read_qty, read_price = decimal(qty), decimal(price)
    if isinstance(trade_id, bool) or not isinstance(trade_id, int) or trade_id <= 0:
        return None
    if side not in sides or read_qty is None or read_price is None:
        return None
    return str(trade_id), sides[str(side)], read_qty, read_price


def judge_frame(random: Random, product: Product) -> None:
    """Mutate one frame of a private stream, and judge what is told of it."""
    order = payloads.life(random, product.is_futures)
    raw = mutated(random, random.choice(payloads.frames(random, order)))
    try:
        told = frames.told(frames.private_frame(raw), watch(product), NOW_NS)
    except BadPayload:
        return
    fills = [key_of(each.fill) for each in told if isinstance(each, FillReceived)]
    said = reading(raw)
    if said is None:
        # The parser passes over what it does not use. What it does use must be as it was sent, then.
        assert set(fills) <= {_key(order, fill) for fill in order.fills}, raw
        return
    expected = _stated_in_frame(said, product)
    if fills:
        assert fills == [expected], (raw, fills, expected)
    elif expected is not None:
        assert any(isinstance(each, frames.Odd) for each in told), (raw, expected)


def _key(order: payloads.Life, fill: dict[str, Any]) -> Key:
    return str(fill["id"]), Side.BUY if order.side == "BUY" else Side.SELL, fill["qty"], fill["price"]


def _stated_in_frame(said: Any, product: Product) -> Key | None:
    """Return the fill that a frame states, if it is one of our instrument."""
    if not isinstance(said, dict):
        return None
    body = said
    if body.get("e") not in ("executionReport", "ORDER_TRADE_UPDATE"):
        inner = body.get("event") or body.get("data")
        if not isinstance(inner, dict) or body.get("e"):
            return None
        body = inner
    if body.get("e") == "ORDER_TRADE_UPDATE":
        if not product.is_futures or body.get("fs", "UM") == "CM" or not isinstance(body.get("o"), dict):
            return None
        body = body["o"]
    elif body.get("e") != "executionReport" or product.is_futures:
        return None
    if body.get("s") != payloads.SYMBOL or body.get("x") not in ("TRADE", "CALCULATED"):
        return None
    return stated(body.get("t"), body.get("S"), body.get("l"), body.get("L"))


def judge_reply(random: Random, product: Product) -> None:
    """Mutate one answer to a new order: what is not read whole is unknown, and only a refusal refuses."""
    order = payloads.life(random, product.is_futures)
    status = random.choice(STATUSES)
    body = payloads.reply(order) if status < 300 else {"code": random.choice(CODES), "msg": "Some text."}
    raw = mutated(random, body)
    side = Side.BUY if order.side == "BUY" else Side.SELL
    command = limit_order(order_id=ClientOrderId(order.name), side=side)

    told = answers.submitted(command, HttpAnswer(status, raw), watch(product), NOW_NS)

    fills = [key_of(each.fill) for each in told if isinstance(each, FillReceived)]
    said = reading(raw)
    match told[0]:
        case OrderUnknown():
            assert len(told) == 1, raw
        case OrderRejected():
            assert status >= 400, raw
            assert isinstance(said, dict), raw
            assert said.get("code") in (int(told[0].code), told[0].code), raw
        case OrderAccepted():
            assert status < 300, raw
            if isinstance(said, dict):
                rows = said.get("fills") or []
                expected = [stated(r.get("tradeId"), order.side, r.get("qty"), r.get("price")) for r in rows]
                assert fills == expected, (raw, fills, expected)
        case _:
            raise AssertionError(told)


def judge_query(random: Random, product: Product) -> None:
    """Mutate the answers to a query and to a cancel: only the venue's own word for *not found* says so."""
    order = payloads.life(random, product.is_futures)
    status = random.choice(STATUSES)
    body = payloads.query(order) if status < 300 else {"code": random.choice(CODES), "msg": "Some text."}
    raw = mutated(random, body)
    name = ClientOrderId(order.name)
    got = HttpAnswer(status, raw)

    told: tuple[Event, ...] = answers.queried(QueryOrder(name, LEG), got, watch(product), ASKED_NS, NOW_NS)
    said = reading(raw)
    if isinstance(told[0], OrderNotFound):
        assert status >= 400, raw
        assert isinstance(said, dict), raw
        assert said["code"] == -2013, raw
    ended = answers.canceled(name, got, watch(product), NOW_NS)
    assert isinstance(ended[0], CancelAnswered)
    if ended[0].outcome is CancelOutcome.ACCEPTED:
        assert status < 300, raw


def judge_trades(random: Random, product: Product) -> None:
    """Mutate one page of trades: all that it states, or a read that failed."""
    order = payloads.life(random, product.is_futures)
    raw = mutated(random, payloads.trades(order))

    told = TradesReading(requests(product), watch(product), "", ASKED_NS, NOW_MS).take(HttpAnswer(200, raw), NOW_NS)

    if isinstance(told, ReadFailed):
        return
    assert isinstance(told, TradesRead)
    said = reading(raw)
    if said is None:
        return
    expected = [
        stated(row.get("id"), _side_of(row), row.get("qty"), row.get("price"))
        for row in said
        if row.get("symbol") == payloads.SYMBOL
    ]
    assert Counter(expected) == Counter(map(key_of, told.fills)), raw


def _side_of(row: dict[str, Any]) -> object:
    if row.get("side") is not None:
        return row["side"]
    return {True: "BUY", False: "SELL"}.get(row.get("isBuyer"))  # type: ignore[arg-type]


def judge_reads(random: Random, product: Product) -> None:
    """Mutate what is read of an account: an event, whatever comes."""
    bodies: dict[Product, Callable[[Random], object]] = {
        Product.SPOT: payloads.spot_account,
        Product.MARGIN: payloads.margin_account,
        Product.UM: payloads.futures_balances,
        Product.PM_MARGIN: payloads.portfolio_balances,
        Product.PM_UM: payloads.portfolio_balances,
    }
    got = HttpAnswer(random.choice(STATUSES), mutated(random, bodies[product](random)))
    answers.balances_read(got, watch(product), ASKED_NS, NOW_NS)
    rows = HttpAnswer(200, mutated(random, payloads.positions(random)))
    answers.position_read(rows if product.is_futures else got, watch(product), ASKED_NS, NOW_NS)
    listed = [payloads.query(payloads.life(random, product.is_futures)) for _ in range(2)]
    answers.open_orders_read(HttpAnswer(200, mutated(random, listed)), watch(product), ASKED_NS, NOW_NS)


# Frames most of all: they are what fills come from.
JUDGES = [judge_frame] * 5 + [judge_reply, judge_reply, judge_query, judge_trades, judge_reads]
PRODUCTS = tuple(Product)


def fuzz(seed: int, count: int) -> None:
    """Judge a number of mutated frames and answers."""
    random = Random(seed)
    for _ in range(count):
        random.choice(JUDGES)(random, random.choice(PRODUCTS))


def test_mutated_frames_and_answers() -> None:
    """A taste of the million."""
    fuzz(0, QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(1, CHUNKS + 1))
def test_a_million_mutated_frames_and_answers(chunk: int) -> None:
    """No untyped exception, no invented fill, no lost one."""
    fuzz(chunk, PER_CHUNK)
