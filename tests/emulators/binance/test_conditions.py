"""Orders that wait for a price: spot's and margin's in their own lists, USD-M's at the service beside the matching."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.emulators.trader import Trader

SPOT, MARGIN, PM_MARGIN = "/api/v3/order", "/sapi/v1/margin/order", "/papi/v1/margin/order"
ALGO, PM_ALGO = "/fapi/v1/algoOrder", "/papi/v1/um/algo/order"
PM_QUERY = "/papi/v1/um/algo/algoOrder"
D = Decimal


def spot_stop(side: str = "SELL", kind: str = "STOP_LOSS_LIMIT", **more: Any) -> dict[str, Any]:
    """Return a conditional order of spot; the market stands at 60000."""
    words: dict[str, Any] = {"symbol": "BTCUSDT", "side": side, "type": kind, "quantity": "0.01", **more}
    if kind.endswith("LIMIT"):
        words = {"price": "59000", "timeInForce": "GTC", **words}
    return {name: value for name, value in words.items() if value != ""}


def algo(side: str = "SELL", kind: str = "STOP_MARKET", **more: Any) -> dict[str, Any]:
    """Return a conditional order of USD-M."""
    words = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": side, "type": kind, "quantity": "0.010", **more}
    return {name: value for name, value in words.items() if value != ""}


@pytest.mark.parametrize("path", [SPOT, MARGIN, PM_MARGIN])
def test_a_stop_waits_in_the_list_and_trades_when_its_price_comes(path: str) -> None:
    """It is NEW and not working, then works, under the same id."""
    trader = Trader()
    buys = spot_stop("BUY", "STOP_LOSS", stopPrice="60100", newClientOrderId="a", newOrderRespType="RESULT")
    placed = trader.call("POST", path, **buys)
    waiting = trader.call("GET", path, symbol="BTCUSDT", origClientOrderId="a")
    trader.others_trade("spot", "60099.99", "0.001", "BUY")
    still = trader.call("GET", path, symbol="BTCUSDT", origClientOrderId="a")
    trader.others_trade("spot", "60100", "0.001", "BUY")
    done = trader.call("GET", path, symbol="BTCUSDT", origClientOrderId="a")

    assert (placed["status"], waiting["status"], still["status"], done["status"]) == ("NEW", "NEW", "NEW", "FILLED")
    assert (waiting["isWorking"], done["isWorking"]) == (False, True)
    assert (waiting["stopPrice"], done["type"], done["executedQty"]) == ("60100.00000000", "STOP_LOSS", "0.01000000")
    assert placed["orderId"] == waiting["orderId"] == done["orderId"]


@pytest.mark.parametrize(
    ("side", "kind", "stop", "price"),
    [
        ("BUY", "STOP_LOSS", "60100", "60100"),
        ("SELL", "STOP_LOSS", "59900", "59900"),
        ("BUY", "TAKE_PROFIT", "59900", "59900"),
        ("SELL", "TAKE_PROFIT", "60100", "60100"),
    ],
)
def test_each_kind_waits_for_its_side(side: str, kind: str, stop: str, price: str) -> None:
    """A stop follows the market, a take-profit meets it; where the price is there already it is refused."""
    trader = Trader()
    beyond = "59000" if stop > "60000" else "61000"

    assert trader.refused("POST", SPOT, **spot_stop(side, kind, stopPrice=beyond)) == (400, -2010)
    trader.call("POST", SPOT, **spot_stop(side, kind, stopPrice=stop, newClientOrderId="a"))
    trader.others_trade("spot", price, "0.001", "BUY")

    assert trader.call("GET", SPOT, symbol="BTCUSDT", origClientOrderId="a")["status"] == "FILLED"


def test_a_stop_limit_rests_after_it_woke() -> None:
    """What its limit cannot take stays in the book."""
    trader = Trader()
    stream = trader.spot_stream()
    trader.call("POST", SPOT, **spot_stop("BUY", stopPrice="60100", price="59500", newClientOrderId="a"))
    trader.others_trade("spot", "60100", "0.001", "BUY")

    told = [(row["x"], row["X"], row["w"]) for row in stream.heard("executionReport")]

    assert told == [("NEW", "NEW", False), ("NEW", "NEW", True)]
    (row,) = trader.call("GET", "/api/v3/openOrders", symbol="BTCUSDT")
    assert (row["type"], row["isWorking"], row["price"]) == ("STOP_LOSS_LIMIT", True, "59500.00000000")


def test_what_waits_locks_what_it_will_pay() -> None:
    """Nothing else may spend it; a cancel gives it back."""
    trader = Trader()
    trader.call("POST", SPOT, **spot_stop(quantity="1", stopPrice="59500", newClientOrderId="a"))
    balances = {row["asset"]: row for row in trader.call("GET", "/api/v3/account")["balances"]}

    assert (balances["BTC"]["free"], balances["BTC"]["locked"]) == ("0.00000000", "1.00000000")
    sell = {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.5"}
    assert trader.refused("POST", SPOT, **sell) == (400, -2010)
    canceled = trader.call("DELETE", SPOT, symbol="BTCUSDT", origClientOrderId="a")
    assert (canceled["status"], canceled["stopPrice"]) == ("CANCELED", "59500.00000000")
    trader.call("POST", SPOT, **sell)


def test_a_trailing_stop_follows_the_best_price() -> None:
    """It sells a hundredth below the highest price since it began, whatever the way there was."""
    trader = Trader()
    trader.call("POST", SPOT, **spot_stop(kind="STOP_LOSS", trailingDelta="100", newClientOrderId="a"))
    for price, status in (("60500", "NEW"), ("61000", "NEW"), ("60391", "NEW"), ("60389", "FILLED")):
        trader.others_trade("spot", price, "0.001", "BUY")
        assert trader.call("GET", SPOT, symbol="BTCUSDT", origClientOrderId="a")["status"] == status, price


def test_an_order_that_cannot_be_taken_when_it_wakes_is_rejected() -> None:
    """Told on the stream, with a reason."""
    trader = Trader()
    stream = trader.spot_stream()
    trader.call("POST", SPOT, **spot_stop("BUY", "STOP_LOSS", stopPrice="60100"))
    trader.do("halt", product="spot", symbol="BTCUSDT")
    trader.others_trade("spot", "60100", "0.001", "BUY")

    last = stream.heard("executionReport")[-1]

    assert (last["x"], last["X"], last["w"]) == ("REJECTED", "REJECTED", False)
    assert trader.call("GET", "/api/v3/openOrders", symbol="BTCUSDT") == []


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({}, -1102),
        ({"stopPrice": "59500", "timeInForce": ""}, -1102),
        ({"stopPrice": "59500", "price": ""}, -1102),
        ({"stopPrice": "59500.001"}, -1013),
        ({"trailingDelta": "5"}, -1013),
        ({"stopPrice": "59500", "quantity": "2"}, -2010),
        ({"stopPrice": "59500", "type": "STOP_LOSS"}, -1106),
    ],
)
def test_what_is_wrong_with_a_conditional_order_of_spot_has_its_code(more: dict[str, Any], code: int) -> None:
    """And nothing is kept."""
    trader = Trader()

    assert trader.refused("POST", SPOT, **spot_stop(**more)) == (400, code)
    assert trader.call("GET", "/api/v3/allOrders", symbol="BTCUSDT") == []


def test_a_name_is_used_once_while_its_order_is_open() -> None:
    """Whether it waits or rests; and five of a symbol may wait."""
    trader = Trader()
    for number in range(5):
        trader.call("POST", SPOT, **spot_stop(stopPrice="59500", newClientOrderId=f"a{number}"))

    assert trader.refused("POST", SPOT, **spot_stop(stopPrice="59500", newClientOrderId="a0")) == (400, -2010)
    assert trader.refused("POST", SPOT, **spot_stop(stopPrice="59500")) == (400, -1013)
    rests = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    assert trader.refused("POST", SPOT, **rests, price="59000", newClientOrderId="a0") == (400, -2010)


@pytest.mark.parametrize(("place", "query"), [(ALGO, ALGO), (PM_ALGO, PM_QUERY)])
def test_a_futures_stop_places_an_order_when_its_price_comes(place: str, query: str) -> None:
    """The service tells which order it placed, and what became of it."""
    trader = Trader()
    placed = trader.call("POST", place, **algo("BUY", triggerPrice="60100", clientAlgoId="a"))
    before = trader.call("GET", query, clientAlgoId="a")
    trader.others_trade("usdm", "60100", "0.001", "BUY")
    after = trader.call("GET", query, algoId=placed["algoId"])
    order_path = "/fapi/v1/order" if place == ALGO else "/papi/v1/um/order"
    order = trader.call("GET", order_path, symbol="BTCUSDT", origClientOrderId="a")

    assert (placed["algoStatus"], placed["orderType"], placed["triggerPrice"]) == ("NEW", "STOP_MARKET", "60100.00")
    assert (before["algoStatus"], before["actualOrderId"]) == ("NEW", "")
    assert (after["algoStatus"], after["actualOrderId"]) == ("FINISHED", str(order["orderId"]))
    assert (after["actualType"], after["actualQty"]) == ("MARKET", "0.010")
    assert (order["status"], order["type"]) == ("FILLED", "MARKET")


def test_lists_of_open_orders_do_not_show_what_the_service_keeps() -> None:
    """It has lists of its own; it cancels one, or all."""
    trader = Trader()
    for name in ("a", "b", "c"):
        trader.call("POST", ALGO, **algo(triggerPrice="59000", clientAlgoId=name))

    assert trader.call("GET", "/fapi/v1/openOrders", symbol="BTCUSDT") == []
    assert len(trader.call("GET", "/fapi/v1/openAlgoOrders", symbol="BTCUSDT")) == 3
    canceled = trader.call("DELETE", ALGO, clientAlgoId="a")
    assert (canceled["clientAlgoId"], canceled["code"]) == ("a", "200")
    assert trader.refused("DELETE", ALGO, clientAlgoId="a") == (400, -2011)
    trader.call("DELETE", "/fapi/v1/algoOpenOrders", symbol="BTCUSDT")
    assert trader.call("GET", "/fapi/v1/openAlgoOrders") == []
    told = [row["algoStatus"] for row in trader.call("GET", "/fapi/v1/allAlgoOrders", symbol="BTCUSDT")]
    assert told == ["CANCELED"] * 3
    assert trader.refused("GET", ALGO, clientAlgoId="z") == (400, -2013)


def test_the_stream_tells_what_the_service_does() -> None:
    """A stop-limit: new, triggered with its order's id, finished when that has ended."""
    trader = Trader()
    stream = trader.usdm_stream()
    trader.call("POST", ALGO, **algo("BUY", "STOP", triggerPrice="60100", price="59500", clientAlgoId="a"))
    trader.others_trade("usdm", "60100", "0.001", "BUY")
    trader.call("DELETE", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId="a")

    told = stream.heard()

    assert [row["o"]["X"] for row in told if row["e"] == "ALGO_UPDATE"] == ["NEW", "TRIGGERED", "FINISHED"]
    orders = [(row["o"]["c"], row["o"]["X"]) for row in told if row["e"] == "ORDER_TRADE_UPDATE"]
    assert orders == [("a", "NEW"), ("a", "CANCELED")]
    update = [row["o"] for row in told if row["e"] == "ALGO_UPDATE"][1]
    assert update["ai"] == str(next(row["o"]["i"] for row in told if row["e"] == "ORDER_TRADE_UPDATE"))


def test_the_mark_may_decide() -> None:
    """A trade far away wakes nothing then; the middle of the book does."""
    trader = Trader()
    trader.call("POST", ALGO, **algo("BUY", triggerPrice="60100", workingType="MARK_PRICE", clientAlgoId="a"))
    trader.others_trade("usdm", "60200", "0.001", "BUY")
    before = trader.call("GET", ALGO, clientAlgoId="a")["algoStatus"]
    trader.do("show", product="usdm", symbol="BTCUSDT", bids=[["60100", "1"]], asks=[["60102", "1"]])

    assert (before, trader.call("GET", ALGO, clientAlgoId="a")["algoStatus"]) == ("NEW", "FINISHED")


def test_a_trailing_stop_of_futures_begins_at_its_activation_price() -> None:
    """Up to 60500 it sleeps; then it follows, and sells one per cent below the highest price."""
    trader = Trader()
    order = algo(kind="TRAILING_STOP_MARKET", callbackRate="1", activatePrice="60500", clientAlgoId="a")
    trader.call("POST", ALGO, **order)
    for price, status in (
        ("59000", "NEW"),
        ("60500", "NEW"),
        ("61000", "NEW"),
        ("60391", "NEW"),
        ("60390", "FINISHED"),
    ):
        trader.others_trade("usdm", price, "0.001", "BUY")
        assert trader.call("GET", ALGO, clientAlgoId="a")["algoStatus"] == status, price


def test_an_order_that_closes_the_position_takes_all_of_it_or_expires() -> None:
    """Its quantity is what is held when it wakes."""
    trader = Trader()
    trader.market("/fapi/v1/order", "BUY", "0.020")
    for name in ("a", "b"):
        closes = algo(triggerPrice="59900", closePosition="true", quantity="", clientAlgoId=name)
        trader.call("POST", ALGO, **closes)
    trader.others_trade("usdm", "59900", "0.001", "SELL")
    statuses = {
        row["clientAlgoId"]: row["algoStatus"] for row in trader.call("GET", "/fapi/v1/allAlgoOrders", symbol="BTCUSDT")
    }

    assert trader.position() == 0
    assert sorted(statuses.values()) in (["EXPIRED", "FINISHED"], ["FINISHED", "REJECTED"])


def test_a_futures_order_that_is_not_taken_when_it_wakes_is_rejected() -> None:
    """With the matching's reason."""
    trader = Trader()
    stream = trader.usdm_stream()
    trader.call("POST", ALGO, **algo(triggerPrice="59900", reduceOnly="true", clientAlgoId="a"))
    trader.others_trade("usdm", "59900", "0.001", "SELL")

    last = stream.heard("ALGO_UPDATE")[-1]["o"]

    assert (last["X"], last["rm"]) == ("REJECTED", "ReduceOnly Order is rejected.")


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"triggerPrice": ""}, -1102),
        ({"triggerPrice": "60100"}, -2021),
        ({"algoType": "VP"}, -1130),
        ({"type": "LIMIT"}, -1116),
        ({"type": "STOP"}, -1102),
        ({"quantity": ""}, -1102),
        ({"quantity": "0"}, -4003),
        ({"quantity": "0.0001"}, -1111),
        ({"price": "59000"}, -1106),
        ({"closePosition": "true"}, -1106),
        ({"type": "STOP", "price": "59000", "closePosition": "true", "quantity": ""}, -4136),
        ({"type": "TRAILING_STOP_MARKET", "callbackRate": "11"}, -1130),
        ({"type": "TRAILING_STOP_MARKET", "callbackRate": "1", "activatePrice": "59000"}, -2021),
        ({"workingType": "LAST"}, -1130),
        ({"positionSide": "UP"}, -1130),
        ({"side": "HOLD"}, -1117),
        ({"timeInForce": "DAY"}, -1115),
        ({"clientAlgoId": "a b"}, -4015),
    ],
)
def test_what_is_wrong_with_a_conditional_order_of_futures_has_its_code(more: dict[str, Any], code: int) -> None:
    """And nothing is kept."""
    trader = Trader()
    order = {**algo(triggerPrice="59000"), **more}

    assert trader.refused("POST", ALGO, **{name: value for name, value in order.items() if value != ""}) == (400, code)
    assert trader.call("GET", "/fapi/v1/allAlgoOrders", symbol="BTCUSDT") == []


def test_a_name_of_the_service_is_used_once_while_it_waits() -> None:
    """Then it is free again."""
    trader = Trader()
    trader.call("POST", ALGO, **algo(triggerPrice="59000", clientAlgoId="a"))

    assert trader.refused("POST", ALGO, **algo(triggerPrice="59000", clientAlgoId="a")) == (400, -4116)
    trader.call("DELETE", ALGO, clientAlgoId="a")
    trader.call("POST", ALGO, **algo(triggerPrice="59000", clientAlgoId="a"))


def test_a_stop_of_margin_borrows_what_it_lacks_when_it_is_placed() -> None:
    """And nothing a second time when it wakes."""
    trader = Trader()
    sells = spot_stop("SELL", "STOP_LOSS", stopPrice="59900", sideEffectType="MARGIN_BUY", newClientOrderId="a")
    trader.call("POST", MARGIN, **sells)
    before = {row["asset"]: row for row in trader.call("GET", "/sapi/v1/margin/account")["userAssets"]}["BTC"]
    trader.others_trade("spot", "59900", "0.001", "SELL")
    after = {row["asset"]: row for row in trader.call("GET", "/sapi/v1/margin/account")["userAssets"]}["BTC"]

    assert (before["borrowed"], before["locked"]) == ("0.01000000", "0.01000000")
    assert (after["borrowed"], after["free"]) == ("0.01000000", "0.00000000")
