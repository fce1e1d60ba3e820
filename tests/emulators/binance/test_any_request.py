"""Whatever a customer sends is answered, and the accounts add up afterwards."""

from __future__ import annotations

import random
from decimal import Decimal

from hedgerow.emulators.binance.floor import instrument_id
from hedgerow.emulators.binance.orders import Product
from hedgerow.emulators.binance.venue import ENDPOINTS
from tests.emulators.trader import Trader

ORDER = {
    "symbol": ["BTCUSDT", "ETHUSDT"],
    "side": ["BUY", "SELL"],
    "type": ["LIMIT", "MARKET"],
    "timeInForce": ["GTC", "GTX", "IOC", "FOK"],
    "quantity": ["0.01", "0.1", "1"],
    "price": ["60000", "60006", "59990", "59000", "3000"],
    "newClientOrderId": ["a", "b", "c", "d"],
}
LIKELY = {
    "symbol": ["BTCUSDT", "ETHUSDT"],
    "side": ["BUY", "SELL"],
    "type": ["BORROW", "REPAY"],
    "quantity": ["0.01", "0.1"],
    "price": ["60000", "59990"],
    "origClientOrderId": ["a", "b", "c", "d"],
    "amount": ["0.5", "1000"],
    "asset": ["USDT", "BTC"],
    "leverage": ["5"],
    "interval": ["1m"],
}
UNLIKELY = (
    *("quoteOrderQty", "orderId", "reduceOnly", "positionSide", "marginType", "dualSidePosition", "fromId"),
    *("startTime", "endTime", "limit", "cancelReplaceMode", "cancelOrigClientOrderId", "sideEffectType"),
    *("isIsolated", "batchOrders", "origClientOrderIdList", "recvWindow", "symbols", "size", "current"),
    *("newOrderRespType", "multiAssetsMargin"),
)
WORDS = (
    *("0", "1", "-1", "NaN", "Infinity", "1e5", "", "x" * 50, "true", "FALSE", "LONG", "ISOLATED", "STOP_ON_FAILURE"),
    *("[]", "[1]", '[{"symbol": "BTCUSDT"}]', "9" * 25, "0.000000000000000001", "é", "MARGIN_BUY", "AUTO_REPAY", "ACK"),
)


def test_every_request_has_an_answer_and_nothing_is_lost() -> None:
    """Random requests to every endpoint: none raises, no order overfills, positions are the sum of trades."""
    rng = random.Random(5)
    trader = Trader(weights=dict.fromkeys(("spot", "sapi", "usdm", "portfolio"), 1 << 40))
    endpoints = list(ENDPOINTS)
    placing = [each for each in endpoints if each[0] == "POST" and each[1].endswith("/order")]
    for number in range(700):
        is_order = rng.random() < 0.5
        method, path = rng.choice(placing if is_order else endpoints)
        words = ORDER if is_order else LIKELY
        params = {name: rng.choice(found) for name, found in words.items() if rng.random() < 0.95}
        params |= {name: rng.choice(WORDS) for name in UNLIKELY if rng.random() < 0.01}
        if params.get("type") == "MARKET":
            params = {name: value for name, value in params.items() if name not in ("price", "timeInForce")}
        trader.clock.advance(10**8)
        if number % 50 == 0:
            for product in Product:
                levels = {"bids": [["59994", "5"]], "asks": [["60006", "5"]]}
                trader.do("show", product=product.value, symbol="BTCUSDT", **levels)
        assert trader.venue.answer(trader.request(method, path, **params)).status in (200, 400, 409, 410)

    desks = trader.venue.desks.values()
    assert sum(len(desk.orders) for desk in desks) > 60
    for desk in desks:
        assert all(order.cum_qty <= order.qty for order in desk.orders.values())
        if desk.product is Product.SPOT:
            assert [asset for asset in desk.owned() if desk.free(asset) < 0] == []
            continue
        for symbol in LIKELY["symbol"]:
            held = [holding.net_qty for (each, _), holding in desk.holdings.items() if each == symbol]
            traded = sum([fill.side.sign * fill.qty for fill in desk.trades(symbol)], Decimal(0))
            really = desk.exchange.positions(desk.account_id)[instrument_id(Product.USDM, symbol)]
            assert sum(held, Decimal(0)) == traded == really
