"""USD-M futures over the wire, classic and under portfolio margin."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from hedgerow.emulators.binance.customers import DEFAULT_KEY, DEFAULT_SECRET, Customer
from tests.emulators.trader import Trader

ORDER, PM_ORDER = "/fapi/v1/order", "/papi/v1/um/order"
D = Decimal


@pytest.mark.parametrize("path", [ORDER, PM_ORDER])
def test_an_order_is_acked_before_it_trades(path: str) -> None:
    """The short answer says NEW whatever the matching did; only RESULT says more."""
    trader = Trader()

    acked = trader.market(path, "BUY", "0.010", newClientOrderId="a")
    result = trader.market(path, "BUY", "0.010", newClientOrderId="b", newOrderRespType="RESULT")

    assert (acked["status"], acked["executedQty"]) == ("NEW", "0.000")
    assert (result["status"], result["executedQty"], result["avgPrice"]) == ("FILLED", "0.010", "60006")
    assert trader.call("GET", path, symbol="BTCUSDT", origClientOrderId="a")["status"] == "FILLED"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"quantity": "0.0001"}, -1111),
        ({"price": "60000.001"}, -1111),
        ({"price": "60000.05"}, -4014),
        ({"quantity": "0.001", "price": "59000"}, -4164),
        ({"quantity": "1001"}, -4005),
        ({"quantity": "0"}, -4003),
        ({"quantity": "900"}, -2019),
        ({"price": "63001", "side": "BUY"}, -4016),
        ({"price": "56999", "side": "SELL"}, -4024),
        ({"price": "60006", "timeInForce": "GTX"}, -5022),
        ({"quantity": "900", "timeInForce": "FOK", "price": "60006"}, -5021),
        ({"reduceOnly": "true"}, -2022),
        ({"positionSide": "LONG"}, -4061),
        ({"positionSide": "UP"}, -1130),
        ({"newClientOrderId": "x" * 37}, -4015),
        ({"newClientOrderId": "a b"}, -4015),
        ({"type": "STOP_MARKET"}, -4120),
        ({"type": "ICEBERG"}, -1116),
        ({"timeInForce": "DAY"}, -1115),
        ({"timeInForce": ""}, -1102),
        ({"symbol": "NONE"}, -1121),
        ({"type": "MARKET", "price": "", "timeInForce": "", "quantity": "121"}, -4005),
    ],
)
def test_what_is_wrong_with_an_order_has_its_code(params: dict[str, Any], code: int) -> None:
    """As Binance words it; nothing is placed."""
    trader = Trader()
    order = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.010",
        "price": "60000",
        **params,
    }

    assert trader.refused("POST", ORDER, **order) == (400, code)
    assert trader.call("GET", "/fapi/v1/allOrders", symbol="BTCUSDT") == []


def test_a_duplicate_id_is_refused_while_the_first_is_open() -> None:
    """-4116 says that the order exists."""
    trader = Trader()
    trader.limit(ORDER, "BUY", "0.010", "59000", "mine")
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010"}

    assert trader.refused("POST", ORDER, **order, price="59000", newClientOrderId="mine") == (400, -4116)


def test_a_post_only_order_may_be_taken_and_expire() -> None:
    """Where the venue plays by that rule, the stream says EXPIRED, and nothing traded."""
    trader = Trader(post_only_expires=True)
    stream = trader.usdm_stream()
    trader.limit(ORDER, "BUY", "0.010", "60006", "a", timeInForce="GTX")

    told = [(row["o"]["x"], row["o"]["X"]) for row in stream.heard("ORDER_TRADE_UPDATE")]

    assert told == [("NEW", "NEW"), ("EXPIRED", "EXPIRED")]
    assert trader.position() == 0


def test_a_fill_is_told_short_then_as_account_then_as_order() -> None:
    """The short form, the account and the order carry the same trade."""
    trader = Trader()
    stream = trader.usdm_stream()
    trader.limit(ORDER, "BUY", "0.010", "59994", "a")
    stream.heard()
    # The queue of 0.5 is first.
    trader.others_trade("usdm", "59994", "0.504", "SELL")

    told = stream.heard()

    assert [row["e"] for row in told] == ["TRADE_LITE", "ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE"]
    lite, account, order = told[0], told[1]["a"], told[2]["o"]
    assert (lite["l"], lite["t"], lite["m"]) == ("0.004", order["t"], True)
    assert (order["X"], order["l"], order["z"], order["L"], order["c"]) == (
        "PARTIALLY_FILLED",
        "0.004",
        "0.004",
        "59994.00",
        "a",
    )
    assert (account["m"], account["P"][0]["pa"]) == ("ORDER", "0.004")


def test_an_amended_order_keeps_its_ids_and_what_is_filled() -> None:
    """The new qty is the whole order's; what was filled stays filled, once."""
    trader = Trader()
    stream = trader.usdm_stream()
    placed = trader.limit(ORDER, "BUY", "0.010", "59994", "a")
    trader.others_trade("usdm", "59994", "0.504", "SELL")
    stream.heard()

    amended = trader.call(
        "PUT", ORDER, symbol="BTCUSDT", side="BUY", origClientOrderId="a", quantity="0.020", price="59988"
    )
    told = [(row["o"]["x"], row["o"]["X"], row["o"]["i"]) for row in stream.heard("ORDER_TRADE_UPDATE")]
    trader.others_trade("usdm", "59988", "9", "SELL")

    assert (amended["orderId"], amended["executedQty"], amended["origQty"]) == (placed["orderId"], "0.004", "0.020")
    assert told == [("AMENDMENT", "PARTIALLY_FILLED", placed["orderId"])]
    last = trader.call("GET", ORDER, symbol="BTCUSDT", origClientOrderId="a")
    assert (last["status"], last["executedQty"], trader.position()) == ("FILLED", "0.020", D("0.020"))


def test_an_amendment_to_what_is_filled_already_cancels() -> None:
    """As at Binance: nothing would be left."""
    trader = Trader()
    trader.limit(ORDER, "BUY", "0.010", "59994", "a")
    trader.others_trade("usdm", "59994", "0.504", "SELL")
    change = {"symbol": "BTCUSDT", "side": "BUY", "origClientOrderId": "a", "price": "59994"}

    assert trader.call("PUT", ORDER, **change, quantity="0.004")["status"] == "CANCELED"
    assert trader.refused("PUT", ORDER, **change, quantity="0.020") == (400, -2013)


def test_an_amendment_that_would_take_ends_a_post_only_order() -> None:
    """It is canceled, never filled as taker."""
    trader = Trader()
    trader.limit(ORDER, "BUY", "0.010", "59994", "a", timeInForce="GTX")

    change = {"symbol": "BTCUSDT", "side": "BUY", "origClientOrderId": "a", "quantity": "0.010", "price": "60006"}
    assert trader.call("PUT", ORDER, **change)["status"] == "CANCELED"
    assert trader.position() == 0


def test_a_cancel_of_what_has_ended_is_not_known() -> None:
    """-2011 says nothing about how it ended."""
    trader = Trader()
    trader.market(ORDER, "BUY", "0.010", newClientOrderId="a")

    assert trader.refused("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="a") == (400, -2011)
    assert trader.refused("GET", ORDER, symbol="BTCUSDT", origClientOrderId="none") == (400, -2013)
    assert trader.refused("GET", "/fapi/v1/openOrder", symbol="BTCUSDT", origClientOrderId="a") == (400, -2013)


def test_each_of_a_batch_is_answered_by_itself() -> None:
    """One may be taken and the next refused."""
    trader = Trader()
    good = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010"}
    batch = json.dumps([{**good, "price": "59000"}, {**good, "price": "59000.001"}])

    answers = trader.call("POST", "/fapi/v1/batchOrders", batchOrders=batch)

    assert [answer.get("status", answer.get("code")) for answer in answers] == ["NEW", -1111]


def test_positions_old_and_new() -> None:
    """The old list has every symbol, the new one only what is held or ordered."""
    trader = Trader()
    trader.market(ORDER, "SELL", "0.100")
    trader.limit(ORDER, "SELL", "0.010", "61000", "a")

    old = {row["symbol"]: row for row in trader.call("GET", "/fapi/v2/positionRisk")}
    new = trader.call("GET", "/fapi/v3/positionRisk")

    assert set(old) == {"BTCUSDT", "ETHUSDT", "SOLUSDT"}
    assert [(row["symbol"], row["positionAmt"], row["entryPrice"]) for row in new] == [("BTCUSDT", "-0.100", "59994")]
    assert (old["BTCUSDT"]["positionAmt"], old["ETHUSDT"]["positionAmt"]) == ("-0.100", "0.000")


def test_hedge_mode_keeps_two_positions() -> None:
    """Orders name their side; the mode cannot change while anything is held."""
    trader = Trader([Customer(name="main", key=DEFAULT_KEY, secret=DEFAULT_SECRET, hedge_mode=True)])
    trader.market(ORDER, "BUY", "0.010", positionSide="LONG")
    trader.market(ORDER, "SELL", "0.020", positionSide="SHORT")
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.010"}

    rows = trader.call("GET", "/fapi/v3/positionRisk", symbol="BTCUSDT")

    assert [(row["positionSide"], row["positionAmt"]) for row in rows] == [("LONG", "0.010"), ("SHORT", "-0.020")]
    assert trader.refused("POST", ORDER, **order) == (400, -4061)
    assert trader.refused("POST", "/fapi/v1/positionSide/dual", dualSidePosition="false") == (400, -4068)
    trader.market(ORDER, "SELL", "0.010", positionSide="LONG")
    trader.market(ORDER, "BUY", "0.020", positionSide="SHORT")
    trader.call("POST", "/fapi/v1/positionSide/dual", dualSidePosition="false")
    assert trader.call("GET", "/fapi/v1/positionSide/dual") == {"dualSidePosition": False}
    assert trader.refused("POST", "/fapi/v1/positionSide/dual", dualSidePosition="false") == (400, -4059)
    trader.market(ORDER, "BUY", "0.010")


def test_leverage_and_margin_type_are_kept_and_told() -> None:
    """Both can be read back; neither changes twice to the same, nor with orders."""
    trader = Trader()
    stream = trader.usdm_stream()

    trader.call("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage="7")
    trader.call("POST", "/fapi/v1/marginType", symbol="BTCUSDT", marginType="ISOLATED")

    (config,) = trader.call("GET", "/fapi/v1/symbolConfig", symbol="BTCUSDT")
    assert (config["leverage"], config["marginType"]) == (7, "ISOLATED")
    assert stream.heard("ACCOUNT_CONFIG_UPDATE")[0]["ac"] == {"s": "BTCUSDT", "l": 7}
    change = {"symbol": "BTCUSDT", "marginType": "ISOLATED"}
    assert trader.refused("POST", "/fapi/v1/marginType", **change) == (400, -4046)
    assert trader.refused("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage="126") == (400, -4028)
    trader.limit(ORDER, "BUY", "0.010", "59000", "a")
    assert trader.refused("POST", "/fapi/v1/marginType", symbol="BTCUSDT", marginType="CROSSED") == (400, -4047)


def test_funding_is_paid_told_and_listed() -> None:
    """Longs pay a positive rate."""
    trader = Trader()
    stream = trader.usdm_stream()
    trader.market(ORDER, "BUY", "0.100")
    stream.heard()

    trader.do("funding", symbol="BTCUSDT", rate="0.001")

    (row,) = trader.call("GET", "/fapi/v1/income", incomeType="FUNDING_FEE")
    (told,) = stream.heard("ACCOUNT_UPDATE")
    assert D(row["income"]) == D("-6")
    assert (told["a"]["m"], D(told["a"]["B"][0]["bc"]), told["a"]["P"]) == ("FUNDING_FEE", D("-6"), [])


def test_funding_comes_at_its_hour() -> None:
    """Every eight hours, for whoever holds a position then."""
    trader = Trader()
    trader.market(ORDER, "BUY", "0.100")

    trader.do("advance", seconds=8 * 3600)

    assert len(trader.call("GET", "/fapi/v1/income", incomeType="FUNDING_FEE")) == 1


@pytest.mark.parametrize(("name", "prefix"), [("liquidate", "autoclose-"), ("foreign", "adl_autoclose_")])
def test_the_venue_s_own_trades_are_told_as_such(name: str, prefix: str) -> None:
    """Their client order ids say what they were."""
    trader = Trader()
    trader.market(ORDER, "BUY", "0.100")
    stream = trader.usdm_stream()
    more = {} if name == "liquidate" else {"side": "SELL", "qty": "0.100", "venue_made": True}

    trader.do(name, account="main", kind="usdm", symbol="BTCUSDT", **more)

    fill = stream.heard("ORDER_TRADE_UPDATE")[-1]["o"]
    assert fill["c"].startswith(prefix) and (fill["l"], fill["S"]) == ("0.100", "SELL")
    assert trader.position() == 0
    last = trader.call("GET", "/fapi/v1/userTrades", symbol="BTCUSDT")[-1]
    # The fee is not in the frame: missing is not zero.
    assert ("n" in fill, last["id"], D(last["commission"]) > 0) == (False, fill["t"], True)


def test_a_trade_by_hand_is_told_like_any_other() -> None:
    """With an id that no program made."""
    trader = Trader()
    stream = trader.usdm_stream()

    trader.do("foreign", account="main", kind="usdm", symbol="BTCUSDT", side="BUY", qty="0.010")

    assert stream.heard("ORDER_TRADE_UPDATE")[-1]["o"]["c"].startswith("web_")


def test_trading_stops_and_resumes() -> None:
    """The status says so, orders are refused."""
    trader = Trader()
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.010"}
    trader.do("halt", product="usdm", symbol="BTCUSDT")

    symbols = json.loads(trader.raw("GET", "/fapi/v1/exchangeInfo").body)["symbols"]

    assert {row["symbol"]: row["status"] for row in symbols}["BTCUSDT"] == "PENDING_TRADING"
    assert trader.refused("POST", ORDER, **order) == (400, -1016)
    trader.do("halt", product="usdm", symbol="BTCUSDT", is_halted=False)
    trader.market(ORDER, "BUY", "0.010")


def test_filters_change_while_it_runs() -> None:
    """Orders are judged by the new ones, which exchange information tells."""
    trader = Trader()
    trader.do("filters", product="usdm", symbol="BTCUSDT", step="0.01", min_qty="0.01")

    symbols = json.loads(trader.raw("GET", "/fapi/v1/exchangeInfo").body)["symbols"]

    lots = {each["filterType"]: each for each in symbols[0]["filters"]}["LOT_SIZE"]
    assert lots["stepSize"] == "0.01"
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.015"}
    assert trader.refused("POST", ORDER, **order) == (400, -1111)


def test_two_customers_who_trade_with_each_other_see_one_trade() -> None:
    """With one id; each on its own stream."""
    trader = Trader()
    trader.limit(ORDER, "BUY", "0.010", "59999", "a")
    other = {"key": "second" + DEFAULT_KEY[6:], "secret": "second" + DEFAULT_SECRET[6:]}

    trader.market(ORDER, "SELL", "0.010", **other)

    (mine,) = trader.call("GET", "/fapi/v1/userTrades", symbol="BTCUSDT")
    (theirs,) = trader.call("GET", "/fapi/v1/userTrades", symbol="BTCUSDT", **other)
    assert (mine["id"], mine["maker"], mine["side"]) == (theirs["id"], True, "BUY")


def test_the_account_adds_up() -> None:
    """Wallet, unrealized P&L and margin, in both versions of the account."""
    trader = Trader()
    trader.market(ORDER, "BUY", "0.100")

    for path in ("/fapi/v2/account", "/fapi/v3/account"):
        account = trader.call("GET", path)
        assert D(account["totalMarginBalance"]) == D(account["totalWalletBalance"]) + D(
            account["totalUnrealizedProfit"]
        )
        assert D(account["totalWalletBalance"]) == 100_000 - D("6000.6") * D("0.0004")
        assert D(account["availableBalance"]) < D(account["totalMarginBalance"])


def test_an_order_good_till_a_date_expires_then() -> None:
    """The stream says EXPIRED, not CANCELED; a date that is too near is refused."""
    trader = Trader()
    stream = trader.usdm_stream()
    now_ms = trader.clock.now_ms()
    trader.limit(ORDER, "BUY", "0.010", "59000", "a", timeInForce="GTD", goodTillDate=now_ms + 700_000)
    trader.do("advance", seconds=690)
    before = trader.call("GET", ORDER, symbol="BTCUSDT", origClientOrderId="a")
    trader.do("advance", seconds=11)
    after = trader.call("GET", ORDER, symbol="BTCUSDT", origClientOrderId="a")

    assert (before["status"], before["goodTillDate"], after["status"]) == ("NEW", now_ms + 700_000, "EXPIRED")
    told = [(row["o"]["x"], row["o"]["gtd"]) for row in stream.heard("ORDER_TRADE_UPDATE")]
    assert told == [("NEW", now_ms + 700_000), ("EXPIRED", now_ms + 700_000)]
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTD", "quantity": "0.010"}
    for date, code in (({}, -1102), ({"goodTillDate": trader.clock.now_ms() + 500_000}, -5040)):
        assert trader.refused("POST", ORDER, **order, price="59000", **date) == (400, code)
