"""User streams, market streams, and what ends them."""

from __future__ import annotations

import itertools
import json
from decimal import Decimal
from typing import Any

import pytest

from hedgerow.emulators.binance.customers import DEFAULT_KEY
from hedgerow.emulators.binance.orders import Product
from tests.emulators.trader import Trader, Wire

D = Decimal
ORDER = "/fapi/v1/order"


def test_a_listen_key_is_the_same_until_it_ends() -> None:
    """A second POST prolongs; after DELETE or an hour there is none."""
    trader = Trader()
    first = trader.call("POST", "/fapi/v1/listenKey")["listenKey"]

    assert trader.call("POST", "/fapi/v1/listenKey")["listenKey"] == first
    trader.call("DELETE", "/fapi/v1/listenKey")
    assert trader.refused("PUT", "/fapi/v1/listenKey") == (400, -1125)
    assert trader.call("POST", "/fapi/v1/listenKey")["listenKey"] != first


def test_a_listen_key_expires_after_an_hour_without_a_word_from_its_owner() -> None:
    """The socket stays open; only the event says that nothing will come any more."""
    trader = Trader()
    stream = trader.usdm_stream()

    trader.do("advance", seconds=3000)
    trader.call("PUT", "/fapi/v1/listenKey")
    trader.do("advance", seconds=3000)
    assert stream.heard("listenKeyExpired") == []
    trader.do("advance", seconds=601)

    (told,) = stream.heard("listenKeyExpired")
    assert told["listenKey"] and not stream.is_closed
    trader.market(ORDER, "BUY", "0.010")
    assert stream.heard() == []


def test_a_connection_lives_for_a_day() -> None:
    """Then it is cut."""
    trader = Trader()
    stream = trader.spot_stream()

    trader.do("advance", seconds=24 * 3600 - 1)
    assert not stream.is_closed
    trader.do("advance", seconds=1)

    assert stream.is_closed


def test_spot_s_listen_keys_are_retired() -> None:
    """Its user stream is subscribed on the websocket API."""
    assert Trader().venue.answer(Trader().request("POST", "/api/v3/userDataStream")).status == 410


def test_margin_s_stream_is_opened_with_a_token() -> None:
    """The token is made by REST, ends, and the stream says so."""
    trader = Trader()
    token = trader.call("POST", "/sapi/v1/userListenToken")
    wire = Wire(trader, Product.SPOT)

    assert wire.ask("userDataStream.subscribe.listenToken", listenToken="none")["error"]["code"] == -1125
    assert wire.ask("userDataStream.subscribe.listenToken", listenToken=token["token"])["status"] == 200
    trader.market("/sapi/v1/margin/order", "BUY", "0.01")
    assert [row["x"] for row in wire.heard("executionReport")] == ["NEW", "TRADE"]
    trader.do("advance", seconds=24 * 3600)

    assert [row["e"] for row in wire.heard() if row["e"] == "eventStreamTerminated"] == ["eventStreamTerminated"]


def test_one_connection_has_several_user_streams() -> None:
    """Each frame says of which subscription it is."""
    trader = Trader()
    wire = trader.spot_stream()
    token = trader.call("POST", "/sapi/v1/userListenToken")["token"]

    assert wire.ask("userDataStream.subscribe.listenToken", listenToken=token)["result"]["subscriptionId"] == 1
    trader.market("/sapi/v1/margin/order", "BUY", "0.01")
    assert {json.loads(frame)["subscriptionId"] for frame in wire.frames} == {1}
    assert wire.ask("userDataStream.unsubscribe", subscriptionId=1)["status"] == 200
    assert wire.ask("userDataStream.unsubscribe", subscriptionId=1)["status"] == 400


def test_a_bad_signature_opens_no_stream() -> None:
    """Nobody hears another's fills."""
    trader = Trader()
    wire = Wire(trader, Product.SPOT)

    answer = wire.ask("userDataStream.subscribe.signature", **trader.signed(secret="wrong"))

    assert (answer["status"], answer["error"]["code"]) == (400, -1022)


def test_orders_go_by_the_websocket_api_too() -> None:
    """With the same answers as by REST, and errors in its own envelope."""
    trader = Trader()
    wire = Wire(trader, Product.SPOT)
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}

    placed = wire.ask("order.place", **trader.signed(**order, price="59000", newClientOrderId="a"))
    again = wire.ask("order.place", **trader.signed(**order, price="59000", newClientOrderId="a"))
    ended = wire.ask("order.cancel", **trader.signed(symbol="BTCUSDT", origClientOrderId="a"))

    assert (placed["status"], placed["result"]["status"]) == (200, "NEW")
    assert (again["status"], again["error"]["code"]) == (400, -2010)
    assert ended["result"]["status"] == "CANCELED"
    assert wire.ask("order.dance")["error"]["code"] == -1000


def test_a_number_is_signed_as_it_was_written() -> None:
    """0.00010 stays 0.00010: nobody turns it into another text before the signature is checked."""
    trader = Trader()
    wire = Wire(trader, Product.SPOT)
    params = trader.signed(symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.00010")
    text = json.dumps({"id": 1, "method": "order.place", "params": params}).replace('"0.00010"', "0.00010")

    answer = wire.ask_text(text)

    assert answer["status"] == 200, answer


def test_best_prices_are_told_when_they_change() -> None:
    """And only then; spot's frame has no type."""
    trader = Trader()
    usdm = Wire(trader, Product.USDM).subscribe("btcusdt@bookTicker")
    spot = Wire(trader, Product.SPOT, is_combined=True).subscribe("btcusdt@bookTicker")
    trader.venue.play()
    usdm.heard()
    spot.heard()

    for product in ("usdm", "spot"):
        for _ in range(2):
            levels = {"bids": [["59000", "1"]], "asks": [["59010", "2"]]}
            trader.do("show", product=product, symbol="BTCUSDT", **levels)

    (told,) = usdm.heard("bookTicker")
    (plain,) = spot.heard()
    assert (told["b"], told["B"], told["a"], told["A"]) == ("59000.00", "1.000", "59010.00", "2.000")
    assert (plain["b"], plain["A"], "e" in plain) == ("59000.00000000", "2.00000000", False)


@pytest.mark.parametrize(("product", "path"), [(Product.USDM, "/fapi/v1/depth"), (Product.SPOT, "/api/v3/depth")])
def test_depth_frames_continue_a_snapshot(product: Product, path: str) -> None:
    """Binance's rules for a local book: none is missing, and the book is right at the end."""
    trader = Trader()
    wire = Wire(trader, product).subscribe("btcusdt@depth@100ms")
    prices = [59_990 + step for step in (0, 5, 1, 7, 3, 2, 9)]
    snapshot: Any = None
    for number, price in enumerate(prices):
        trader.clock.advance(100_000_000)
        levels = {"bids": [[str(price), "1"]], "asks": [[str(price + 10), str(number + 1)]]}
        trader.do("show", product=product.value, symbol="BTCUSDT", **levels)
        if number == 2:
            snapshot = json.loads(trader.raw("GET", path, "symbol=BTCUSDT&limit=1000").body)
        trader.venue.play()

    frames = [frame for frame in wire.heard("depthUpdate") if frame["u"] > snapshot["lastUpdateId"]]
    book = {side: {D(price): D(qty) for price, qty in snapshot[side]} for side in ("bids", "asks")}
    assert frames[0]["U"] <= snapshot["lastUpdateId"] + 1 <= frames[0]["u"]
    for before, after in itertools.pairwise(frames):
        assert after["U"] == before["u"] + 1
        assert after.get("pu", before["u"]) == before["u"]
    for frame in frames:
        for side, name in (("bids", "b"), ("asks", "a")):
            for price, qty in frame[name]:
                book[side].pop(D(price), None)
                if D(qty):
                    book[side][D(price)] = D(qty)
    assert book == {"bids": {D(prices[-1]): D(1)}, "asks": {D(prices[-1] + 10): D(len(prices))}}


def test_trades_of_all_are_public() -> None:
    """Of others, and of customers who take."""
    trader = Trader()
    wire = Wire(trader, Product.USDM).subscribe("btcusdt@aggTrade", "btcusdt@trade")
    trader.others_trade("usdm", "59994", "0.1", "SELL")
    trader.market(ORDER, "BUY", "0.010")

    told = wire.heard("aggTrade")

    assert [(row["p"], row["q"], row["m"]) for row in told] == [
        ("59994.00", "0.100", True),
        ("60006.00", "0.010", False),
    ]


def test_subscriptions_are_answered_listed_and_ended() -> None:
    """By requests on the socket itself."""
    trader = Trader()
    wire = Wire(trader, Product.USDM)
    wire.say(method="SUBSCRIBE", params=["btcusdt@bookTicker", "btcusdt@markPrice"], id=7)
    wire.say(method="UNSUBSCRIBE", params=["btcusdt@bookTicker"], id=8)
    wire.say(method="LIST_SUBSCRIPTIONS", id=9)
    wire.say(method="DANCE", id=10)
    wire.say(method="SET_PROPERTY", params=["combined", True], id=11)
    wire.say(method="GET_PROPERTY", params=["combined"], id=12)

    answers = [json.loads(frame) for frame in wire.frames]

    assert answers[:2] == [{"result": None, "id": 7}, {"result": None, "id": 8}]
    assert answers[2]["result"] == ["btcusdt@markPrice"]
    assert answers[3]["error"]["code"] == 2
    assert [answer["result"] for answer in answers[4:]] == [None, True]


def test_the_mark_price_carries_the_coming_funding() -> None:
    """Once a second."""
    trader = Trader()
    wire = Wire(trader, Product.USDM).subscribe("btcusdt@markPrice@1s", "!markPrice@arr@1s")
    trader.venue.play()

    frames = [json.loads(frame) for frame in wire.frames]

    assert frames[0]["e"] == "markPriceUpdate" and frames[0]["T"] % (8 * 3600_000) == 0
    assert [row["s"] for row in frames[1]] == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]


def test_portfolio_margin_has_one_stream_for_both_sides() -> None:
    """Futures frames say that they are of the futures side."""
    trader = Trader()
    key = trader.call("POST", "/papi/v1/listenKey")["listenKey"]
    wire = Wire(trader, Product.USDM).subscribe(key)

    trader.market("/papi/v1/um/order", "BUY", "0.010")
    trader.market("/papi/v1/margin/order", "BUY", "0.01")

    told = wire.heard()
    assert {row.get("fs", "") for row in told if row["e"] == "ORDER_TRADE_UPDATE"} == {"UM"}
    assert [row["x"] for row in told if row["e"] == "executionReport"] == ["NEW", "TRADE"]


def test_a_deposit_is_told() -> None:
    """Funds come in without a trade."""
    trader = Trader()
    spot, usdm = trader.spot_stream(), trader.usdm_stream()
    trader.do("deposit", account="main", kind="spot", asset="USDT", net_qty="5")
    trader.do("deposit", account="main", kind="usdm", asset="USDT", net_qty="-5")

    assert [row["e"] for row in spot.heard()] == ["balanceUpdate", "outboundAccountPosition"]
    (told,) = usdm.heard()
    assert (told["a"]["m"], told["a"]["B"][0]["wb"]) == ("WITHDRAW", "99995.00000000")


def test_what_has_no_key_hears_nothing() -> None:
    """A wrong listen key is taken, and nothing comes: as at Binance."""
    trader = Trader()
    wire = Wire(trader, Product.USDM).subscribe("x" * 64)

    trader.market(ORDER, "BUY", "0.010", key=DEFAULT_KEY)

    assert wire.frames == []


def test_bars_grow_with_the_trades() -> None:
    """By stream once a second, and by request; longer ones are made of minutes."""
    trader = Trader()
    wire = Wire(trader, Product.USDM).subscribe("btcusdt@kline_1m", "btcusdt@miniTicker")
    for price, side in (("59994", "SELL"), ("60006", "BUY")):
        trader.others_trade("usdm", price, "0.1", side)
    trader.do("advance", seconds=60)
    trader.others_trade("usdm", "60001", "0.1", "BUY")
    trader.do("advance", seconds=1)

    minutes = json.loads(trader.raw("GET", "/fapi/v1/klines", "symbol=BTCUSDT&interval=1m").body)
    (hour,) = json.loads(trader.raw("GET", "/fapi/v1/klines", "symbol=BTCUSDT&interval=1h").body)
    told = wire.heard()

    assert [row[1:6] for row in minutes] == [
        ["59994.00", "60006.00", "59994.00", "60006.00", "0.200"],
        ["60001.00", "60001.00", "60001.00", "60001.00", "0.100"],
    ]
    assert (hour[1:6], hour[8], hour[9]) == (["59994.00", "60006.00", "59994.00", "60001.00", "0.300"], 3, "0.200")
    assert [row["k"]["c"] for row in told if row["e"] == "kline"][-1] == "60001.00"
    assert [row["c"] for row in told if row["e"] == "24hrMiniTicker"][-1] == "60001.00"


def test_who_talks_too_much_is_cut() -> None:
    """Futures take ten messages a second, spot five."""
    trader = Trader()
    usdm, spot = Wire(trader, Product.USDM).connection, Wire(trader, Product.SPOT).connection
    now_ns = trader.clock.now_ns()

    assert [usdm.is_too_often(now_ns) for _ in range(11)] == [False] * 10 + [True]
    assert [spot.is_too_often(now_ns) for _ in range(6)] == [False] * 5 + [True]
    assert not spot.is_too_often(now_ns + 10**9)
