"""Private frames as events: every fill once, from its trade id, for the right leg."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from hedgerow.core.events import FillReceived, OrderReported
from hedgerow.model.ids import TradeId, VenueOrderId
from hedgerow.model.order import Fill, OrderStatus, Side
from hedgerow.venues.wire.binance.frames import (
    BalanceMoved,
    ConfigChanged,
    FundingBooked,
    LoanChanged,
    Odd,
    StreamEnded,
    Subscribed,
    SubscriptionRefused,
    Told,
    private_frame,
    told,
)
from hedgerow.venues.wire.binance.kinds import Product, Watch
from hedgerow.venues.wire.payload import BadPayload
from tests.venues.wire.binance.wires import ACCOUNT, LEG, NOW_NS, ORDER_ID, T_MS, watch

UM, SPOT = watch(Product.UM), watch(Product.SPOT)


def futures(**changes: Any) -> dict[str, Any]:
    """Return an `ORDER_TRADE_UPDATE`, its order changed."""
    order = {
        "s": "BTCUSDT",
        "c": ORDER_ID,
        "S": "SELL",
        "o": "LIMIT",
        "f": "GTC",
        "q": "0.010",
        "p": "60000.5",
        "ap": "0",
        "x": "TRADE",
        "X": "PARTIALLY_FILLED",
        "i": 8886774,
        "l": "0.004",
        "z": "0.007",
        "L": "60000.6",
        "N": "USDT",
        "n": "0.12",
        "T": T_MS,
        "t": 555,
        "m": True,
        "R": False,
        "ps": "BOTH",
        "rp": "0",
        "er": "0",
    }
    return {"e": "ORDER_TRADE_UPDATE", "E": T_MS, "T": T_MS, "o": order | changes}


def spot(**changes: Any) -> dict[str, Any]:
    """Return an `executionReport`, changed."""
    report = {
        "e": "executionReport",
        "E": T_MS,
        "s": "BTCUSDT",
        "c": ORDER_ID,
        "S": "BUY",
        "o": "LIMIT",
        "f": "GTC",
        "q": "0.010",
        "p": "60000.5",
        "C": "",
        "x": "TRADE",
        "X": "FILLED",
        "r": "NONE",
        "i": 4293153,
        "l": "0.010",
        "z": "0.010",
        "L": "60000.5",
        "n": "0.00001",
        "N": "BTC",
        "T": T_MS,
        "t": 9,
        "m": False,
        "M": False,
        "w": False,
    }
    return report | changes


def hear(frame: dict[str, Any], watched: Watch) -> tuple[Told, ...]:
    return told(private_frame(msgspec.json.encode(frame)), watched, NOW_NS)


def test_a_futures_trade_is_a_fill_and_a_report() -> None:
    """The fill is the last qty; the cumulative one goes into the report alone."""
    assert hear(futures(), UM) == (
        FillReceived(
            NOW_NS,
            Fill(
                TradeId("555"),
                ACCOUNT,
                UM.instrument.id,
                Side.SELL,
                Decimal("0.004"),
                Decimal("60000.6"),
                T_MS * 1_000_000,
                ORDER_ID,
                VenueOrderId("8886774"),
                Decimal("0.12"),
                "USDT",
                True,
            ),
        ),
        OrderReported(NOW_NS, ORDER_ID, OrderStatus.OPEN, Decimal("0.007"), VenueOrderId("8886774"), leg_id=LEG),
    )


def test_a_spot_trade_in_every_envelope() -> None:
    """The socket API and combined streams wrap what they tell; inside it is the same."""
    plain = hear(spot(), SPOT)

    assert isinstance(plain[0], FillReceived) and plain[0].fill.fee == Decimal("0.00001")
    assert hear({"subscriptionId": 0, "event": spot()}, SPOT) == plain
    assert hear({"stream": "key", "data": spot()}, SPOT) == plain


@pytest.mark.parametrize(
    ("name", "venue_made"),
    [
        ("autoclose-1573", True),
        ("adl_autoclose", True),
        ("settlement_autoclose-9", True),
        (ORDER_ID, False),
        ("web_autoclose-", False),
    ],
)
def test_what_the_venue_traded_itself_is_marked(name: str, venue_made: bool) -> None:
    """Liquidation, deleveraging and settlement change our position without an order of ours."""
    told = hear(futures(c=name, x="CALCULATED"), UM)
    fill = next(each.fill for each in told if isinstance(each, FillReceived))
    report = next(each for each in told if isinstance(each, OrderReported))

    assert report.venue_made is venue_made
    assert fill.venue_made is venue_made
    assert fill.order_id == (None if venue_made else name)


def test_a_liquidation_without_its_fee_has_no_fee() -> None:
    """Not said is not zero."""
    frame = futures(c="autoclose-1")
    del frame["o"]["n"], frame["o"]["N"]

    fill = next(each.fill for each in hear(frame, UM) if isinstance(each, FillReceived))

    assert (fill.fee, fill.fee_currency) == (None, "")


def test_no_fill_without_a_trade_id() -> None:
    """A cumulative qty that nothing explains is read from the trades, and never made into a fill."""
    events = hear(futures(t=0), UM)

    assert [type(each) for each in events] == [Odd, OrderReported]


@pytest.mark.parametrize(
    ("frame", "status", "reason"),
    [
        (futures(x="NEW", X="NEW", t=0, l="0", z="0"), OrderStatus.OPEN, ""),
        (futures(x="AMENDMENT", X="NEW", t=0, l="0", z="0"), OrderStatus.OPEN, ""),
        (futures(x="CANCELED", X="CANCELED", t=0, l="0", z="0"), OrderStatus.CANCELED, ""),
        (futures(x="EXPIRED", X="EXPIRED", t=0, l="0", z="0"), OrderStatus.EXPIRED, "EXPIRED"),
        (futures(x="EXPIRED", X="EXPIRED", t=0, l="0", z="0", er="2"), OrderStatus.EXPIRED, "ioc remainder"),
        (
            futures(x="EXPIRED", X="EXPIRED_IN_MATCH", t=0, l="0", z="0", er="1"),
            OrderStatus.EXPIRED,
            "self-trade prevention",
        ),
        (futures(x="NEW", X="PENDING_NEW", t=0, l="0", z="0"), OrderStatus.OPEN, ""),
    ],
)
def test_what_becomes_of_a_futures_order(frame: dict[str, Any], status: OrderStatus, reason: str) -> None:
    """A post-only order that would have taken is taken and then expires: the report must say so."""
    (event,) = hear(frame, UM)

    assert isinstance(event, OrderReported)
    assert (event.order_id, event.status, event.reason) == (ORDER_ID, status, reason)


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({"x": "NEW", "X": "NEW"}, OrderStatus.OPEN, ""),
        (
            {"x": "REJECTED", "X": "REJECTED", "r": "INSUFFICIENT_BALANCES"},
            OrderStatus.REJECTED,
            "INSUFFICIENT_BALANCES",
        ),
        (
            {"x": "EXPIRED", "X": "EXPIRED", "eR": "INSUFFICIENT_LIQUIDITY"},
            OrderStatus.EXPIRED,
            "INSUFFICIENT_LIQUIDITY",
        ),
        ({"x": "TRADE_PREVENTION", "X": "EXPIRED_IN_MATCH"}, OrderStatus.EXPIRED, "EXPIRED_IN_MATCH"),
        ({"x": "CANCELED", "X": "CANCELED", "c": "cancel-1", "C": ORDER_ID}, OrderStatus.CANCELED, ""),
    ],
)
def test_what_becomes_of_a_spot_order(changes: dict[str, Any], status: OrderStatus, reason: str) -> None:
    """After a cancel the order's name is in another field; taken from `c`, the cancel would be nobody's."""
    (event,) = hear(spot(t=-1, l="0", z="0", n="0", N=None, **changes), SPOT)

    assert isinstance(event, OrderReported)
    assert (event.order_id, event.status, event.reason) == (ORDER_ID, status, reason)


def test_a_new_word_for_a_status_does_not_lose_the_fill() -> None:
    """The fill is booked, the frame is kept, and the order is asked for."""
    events = hear(futures(X="A_NEW_WORD"), UM)

    assert [type(each) for each in events] == [FillReceived, Odd]


def test_a_frame_is_told_to_its_own_leg_only() -> None:
    """Portfolio margin tells of a pair and of its perpetual on one stream, under one name."""
    um, margin = watch(Product.PM_UM), watch(Product.PM_MARGIN)

    assert hear(futures(), um) and not hear(futures(), margin)
    assert hear(spot(), margin) and not hear(spot(), um)
    assert not hear(futures(s="ETHUSDT"), um)
    assert not hear(futures() | {"fs": "CM"}, um)


def test_trade_lite_is_not_taken() -> None:
    """The same trade comes whole a moment later; taken twice under two keys it would hedge twice."""
    frame = {"e": "TRADE_LITE", "s": "BTCUSDT", "c": ORDER_ID, "S": "BUY", "l": "1", "L": "1", "t": 555, "i": 1}

    assert hear(frame, UM) == ()


@pytest.mark.parametrize("name", ["listenKeyExpired", "eventStreamTerminated", "serverShutdown"])
def test_a_stream_that_ends_says_so(name: str) -> None:
    """The socket stays open, and silent for ever."""
    assert hear({"e": name, "E": "1736996475556", "listenKey": "k"}, UM) == (StreamEnded(name),)
    assert hear({"subscriptionId": 0, "event": {"e": name, "E": T_MS}}, SPOT) == (StreamEnded(name),)


def test_account_events() -> None:
    """What changes without a trade is told: funding, transfers, loans, and what was pinned."""
    funding = {"e": "ACCOUNT_UPDATE", "a": {"m": "FUNDING_FEE", "B": [{"a": "USDT", "wb": "1", "cw": "1", "bc": "-1"}]}}
    order = {"e": "ACCOUNT_UPDATE", "a": {"m": "ORDER", "B": [], "P": []}}

    assert hear(funding, UM) == (FundingBooked(),)
    assert hear(funding | {"fs": "CM"}, UM) == ()
    assert hear(order, UM) == ()
    assert hear({"e": "balanceUpdate", "a": "BTC", "d": "-1.5"}, SPOT) == (BalanceMoved("BTC", Decimal("-1.5")),)
    assert hear({"e": "externalLockUpdate", "a": "NEO", "d": "10"}, SPOT) == (BalanceMoved("NEO", Decimal(10)),)
    assert hear({"e": "liabilityChange", "a": "BTC", "t": "BORROW"}, watch(Product.PM_MARGIN)) == (LoanChanged("BTC"),)
    (changed,) = hear({"e": "ACCOUNT_CONFIG_UPDATE", "ac": {"s": "BTCUSDT", "l": 25}}, UM)
    assert isinstance(changed, ConfigChanged) and '"l":25' in changed.detail
    assert hear({"e": "outboundAccountPosition", "B": []}, SPOT) == ()
    (odd,) = hear({"e": "somethingNew"}, SPOT)
    assert isinstance(odd, Odd)


def test_answers_on_the_socket() -> None:
    """No private stream without a subscription, and a refusal must not look like silence."""
    assert hear({"id": "1", "status": 200, "result": {"subscriptionId": 0}}, SPOT) == (Subscribed("1", 0),)
    token = {"id": 2, "status": 200, "result": {"subscriptionId": 3, "expirationTime": T_MS}}
    assert hear(token, SPOT) == (Subscribed("2", 3, T_MS),)
    refused = {"id": "1", "status": 400, "error": {"code": -1209, "msg": "Invalid listenToken"}}
    assert hear(refused, SPOT) == (SubscriptionRefused("1", 400, -1209, "Invalid listenToken"),)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"17",
        b"{}",
        b'{"e":7}',
        b'{"e":"ORDER_TRADE_UPDATE"}',
        b'{"e":"executionReport","s":"BTCUSDT"}',
        b'{"data":null}',
        b'{"subscriptionId":0,"event":{}}',
        b'{"data":{"data":{"e":"listenKeyExpired"}}}',
        b'{"id":"1","status":200}',
        b"\xff\xfe",
        b"[" * 5_000,
    ],
)
def test_what_cannot_be_read_is_a_bad_payload(raw: bytes) -> None:
    """One kind of error, so that one handler keeps the frame and goes on."""
    with pytest.raises(BadPayload):
        private_frame(raw)


@pytest.mark.parametrize(
    "changes",
    [
        {"l": "0"},
        {"l": "-1"},
        {"l": "NaN"},
        {"l": "1_0"},
        {"l": " 1"},
        {"l": "１"},
        {"l": ""},
        {"L": "0"},
        {"L": "1e99"},
        {"z": "-1"},
        {"z": "Infinity"},
        {"S": "UP"},
        {"T": 12},
        {"n": "NaN"},
    ],
)
def test_a_number_that_cannot_be_is_no_fill(changes: dict[str, str]) -> None:
    """NaN in a ledger breaks every sum after it."""
    with pytest.raises(BadPayload):
        hear(futures(**changes), UM)


def test_times_in_microseconds_are_known_by_their_size() -> None:
    """Binance sends them to whoever asks for them, and a time that is off by a thousand breaks every age."""
    fill = next(each.fill for each in hear(spot(T=T_MS * 1_000), SPOT) if isinstance(each, FillReceived))

    assert fill.venue_ts_ns == T_MS * 1_000_000


def test_an_order_without_a_name_is_asked_for_by_its_number() -> None:
    """An empty name is nobody's, and not somebody's."""
    fill = next(each.fill for each in hear(spot(c=""), SPOT) if isinstance(each, FillReceived))

    assert fill.order_id is None and fill.venue_order_id == "4293153"
