"""Spot and margin orders, trades, balances and loans over the wire."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.emulators.trader import Trader

SPOT, MARGIN, PM_MARGIN = "/api/v3/order", "/sapi/v1/margin/order", "/papi/v1/margin/order"
D = Decimal


def test_a_market_order_is_answered_with_its_trades() -> None:
    """The full answer has price, fee and trade id of each; a buy pays its fee in what it buys."""
    answer = Trader().market(SPOT, "BUY", "0.6", newClientOrderId="a")

    assert (answer["status"], answer["executedQty"], answer["clientOrderId"]) == ("FILLED", "0.60000000", "a")
    assert [(fill["price"], fill["qty"]) for fill in answer["fills"]] == [
        ("60006.00000000", "0.50000000"),
        ("60012.00000000", "0.10000000"),
    ]
    assert {fill["commissionAsset"] for fill in answer["fills"]} == {"BTC"}


def test_an_order_named_by_its_cost_buys_what_that_pays_for() -> None:
    """`quoteOrderQty` never costs more than it says."""
    answer = Trader().call("POST", SPOT, symbol="BTCUSDT", side="BUY", type="MARKET", quoteOrderQty="1000")

    assert D(answer["cummulativeQuoteQty"]) <= 1000 < D(answer["cummulativeQuoteQty"]) + D("0.61")


def test_a_cancel_has_an_id_of_its_own() -> None:
    """In the answer and in the stream the order's id moves to another field."""
    trader = Trader()
    stream = trader.spot_stream()
    trader.limit(SPOT, "BUY", "0.01", "59000", "mine")

    answer = trader.call("DELETE", SPOT, symbol="BTCUSDT", origClientOrderId="mine")

    assert answer["origClientOrderId"] == "mine" != answer["clientOrderId"]
    ended = stream.heard("executionReport")[-1]
    assert (ended["x"], ended["C"], ended["c"]) == ("CANCELED", "mine", answer["clientOrderId"])
    assert trader.call("GET", SPOT, symbol="BTCUSDT", origClientOrderId="mine")["status"] == "CANCELED"


def test_what_an_order_locks_is_not_free() -> None:
    """Until it ends."""
    trader = Trader()
    trader.limit(SPOT, "BUY", "0.5", "50000", "a")

    def usdt() -> tuple[str, str]:
        rows = trader.call("GET", "/api/v3/account")["balances"]
        return next((row["free"], row["locked"]) for row in rows if row["asset"] == "USDT")

    assert usdt() == ("75000.00000000", "25000.00000000")
    trader.call("DELETE", "/api/v3/openOrders", symbol="BTCUSDT")
    assert usdt() == ("100000.00000000", "0.00000000")


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"quantity": "0.000001", "price": "60000"}, -1013),
        ({"quantity": "0.01", "price": "60000.001"}, -1013),
        ({"quantity": "0.00001", "price": "60000"}, -1013),
        ({"quantity": "0.01", "price": "9000"}, -1013),
        ({"quantity": "5", "price": "60000"}, -2010),
        ({"quantity": "0.01", "price": "-5"}, -1100),
        ({"quantity": "1e-2", "price": "60000"}, -1100),
        ({"quantity": "0.01"}, -1102),
        ({"price": "60000"}, -1102),
        ({"quantity": "0.01", "price": "60000", "symbol": "NONE"}, -1121),
        ({"quantity": "0.01", "price": "60000", "side": "HOLD"}, -1117),
        ({"quantity": "0.01", "price": "60000", "type": "OCO"}, -1116),
        ({"quantity": "0.01", "price": "60000", "timeInForce": "DAY"}, -1115),
        ({"quantity": "0.01", "price": "60000", "newClientOrderId": "a b"}, -1100),
        ({"quantity": "0.01", "price": "60000", "newClientOrderId": "x" * 37}, -1100),
        ({"quantity": "0.01", "price": "60000", "clientOrderId": "a"}, -1104),
        ({"quantity": "0.01", "price": "61000", "type": "LIMIT_MAKER", "timeInForce": ""}, -2010),
        ({"quantity": "0.01", "price": "60000", "type": "MARKET", "timeInForce": ""}, -1106),
    ],
)
def test_what_is_wrong_with_an_order_has_its_code(params: dict[str, Any], code: int) -> None:
    """As Binance words it; nothing is placed."""
    trader = Trader()
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", **params}

    assert trader.refused("POST", SPOT, **order) == (400, code)
    assert trader.call("GET", "/api/v3/allOrders", symbol="BTCUSDT") == []


def test_a_client_id_is_taken_once_among_open_orders_only() -> None:
    """A second order under the id of an open one is refused; after its end it is taken, so ids must never be reused."""
    trader = Trader()
    trader.limit(SPOT, "BUY", "0.01", "59000", "mine")
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}

    assert trader.refused("POST", SPOT, **order, price="59000", newClientOrderId="mine") == (400, -2010)
    trader.call("DELETE", SPOT, symbol="BTCUSDT", origClientOrderId="mine")
    assert trader.limit(SPOT, "BUY", "0.01", "59000", "mine")["status"] == "NEW"


def test_a_cancel_replace_says_what_became_of_both() -> None:
    """409 with -2021: the cancel was done, the new order was not."""
    trader = Trader()
    trader.limit(SPOT, "BUY", "0.01", "59000", "old")
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "59000"}
    both = {**order, "cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrigClientOrderId": "old"}
    path = "/api/v3/order/cancelReplace"

    partly = trader.venue.answer(trader.request("POST", path, **both, quantity="50"))
    none = trader.venue.answer(trader.request("POST", path, **both, quantity="0.01"))

    assert (partly.status, json.loads(partly.body)["code"]) == (409, -2021)
    data = json.loads(partly.body)["data"]
    assert (data["cancelResult"], data["newOrderResult"]) == ("SUCCESS", "FAILURE")
    assert (data["cancelResponse"]["origClientOrderId"], data["newOrderResponse"]["code"]) == ("old", -2010)
    assert (none.status, json.loads(none.body)["code"]) == (400, -2022)
    assert trader.call("GET", "/api/v3/openOrders") == []


def test_trades_are_paged_from_an_id() -> None:
    """Every trade once, oldest first."""
    trader = Trader()
    for _ in range(5):
        trader.market(SPOT, "BUY", "0.01")
    found: list[int] = []
    from_id = 0
    while page := trader.call("GET", "/api/v3/myTrades", symbol="BTCUSDT", fromId=from_id, limit=2):
        found += [row["id"] for row in page]
        from_id = found[-1] + 1

    assert len(found) == 5 and found == sorted(set(found))


def test_the_stream_tells_new_before_the_trade_and_balances_after() -> None:
    """As Binance does, also for an order that trades at once."""
    trader = Trader()
    stream = trader.spot_stream()
    trader.market(SPOT, "SELL", "0.01", newClientOrderId="a")

    told = [(row["e"], row.get("x"), row.get("X")) for row in stream.heard()]

    assert told == [
        ("executionReport", "NEW", "NEW"),
        ("executionReport", "TRADE", "FILLED"),
        ("outboundAccountPosition", None, None),
    ]


def test_a_margin_order_borrows_what_it_lacks_and_repays_what_it_brings() -> None:
    """MARGIN_BUY and AUTO_REPAY; the fee in coins stays owed, and so does the interest of the first hour."""
    trader = Trader()
    order = {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.1"}

    assert trader.refused("POST", MARGIN, **order) == (400, -2010)
    sold = trader.call("POST", MARGIN, **order, sideEffectType="MARGIN_BUY")
    trader.market(MARGIN, "BUY", "0.1", sideEffectType="AUTO_REPAY")

    assert (sold["marginBuyBorrowAmount"], sold["isIsolated"]) == (0.1, False)
    rows = trader.call("GET", "/sapi/v1/margin/account")["userAssets"]
    btc = next(row for row in rows if row["asset"] == "BTC")
    assert D(btc["borrowed"]) == D("0.1") * D("0.0004") + D("0.00000012")
    assert (btc["free"], btc["interest"]) == ("0.00000000", "0.00000000")


def test_a_loan_is_taken_bears_interest_and_is_repaid() -> None:
    """Interest grows by the hour, and is repaid before the principal."""
    trader = Trader()
    path = "/sapi/v1/margin/borrow-repay"
    trader.call("POST", path, asset="BTC", amount="1", isIsolated="FALSE", type="BORROW", symbol="")
    trader.do("advance", seconds=2 * 3600)

    def btc() -> Any:
        rows = trader.call("GET", "/sapi/v1/margin/account")["userAssets"]
        return next(row for row in rows if row["asset"] == "BTC")

    assert (btc()["borrowed"], btc()["free"], D(btc()["interest"])) == ("1.00000000", "1.00000000", 3 * D("0.00000125"))
    assert len(trader.call("GET", "/sapi/v1/margin/interestHistory", asset="BTC")["rows"]) == 3
    trader.call("POST", path, asset="BTC", amount="1", isIsolated="FALSE", type="REPAY")
    assert (btc()["borrowed"], btc()["interest"], btc()["free"]) == ("0.00000375", "0.00000000", "0.00000000")


def test_nobody_borrows_more_than_the_multiple() -> None:
    """Cross margin lends twice of what is owned."""
    trader = Trader()
    body = {"asset": "USDT", "isIsolated": "FALSE", "type": "BORROW"}

    assert trader.refused("POST", "/sapi/v1/margin/borrow-repay", **body, amount="200001") == (400, -3006)
    trader.call("POST", "/sapi/v1/margin/borrow-repay", **body, amount="200000")


def test_spot_and_margin_orders_meet_in_one_book() -> None:
    """They are one market, so their trades have one trade id."""
    trader = Trader()
    trader.limit(MARGIN, "BUY", "0.01", "59995", "a")
    sold = trader.market(SPOT, "SELL", "0.01")

    (bought,) = trader.call("GET", "/sapi/v1/margin/myTrades", symbol="BTCUSDT")

    assert (bought["id"], bought["isMaker"]) == (sold["fills"][0]["tradeId"], True)


def test_portfolio_margin_keeps_an_account_of_its_own() -> None:
    """With loans, and balances that say what is borrowed."""
    trader = Trader()
    trader.call("POST", "/papi/v1/marginLoan", asset="BTC", amount="0.5")
    trader.market(PM_MARGIN, "SELL", "0.5")

    row = trader.call("GET", "/papi/v1/balance", asset="BTC")

    assert (row["crossMarginBorrowed"], row["crossMarginFree"]) == ("0.50000000", "0.00000000")
    assert trader.call("GET", "/papi/v1/margin/openOrders") == []


def test_a_full_book_of_orders_takes_no_more() -> None:
    """MAX_NUM_ORDERS; a market order still goes through."""
    trader = Trader(weights={"spot": 100_000})
    for number in range(200):
        trader.limit(SPOT, "BUY", "0.001", "50000", f"a{number}")
        trader.clock.advance(10**9)

    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    assert trader.refused("POST", SPOT, **order, quantity="0.001", price="50000") == (400, -1013)
    assert trader.market(SPOT, "BUY", "0.001")["status"] == "FILLED"
