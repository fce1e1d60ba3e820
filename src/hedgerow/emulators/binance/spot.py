"""Endpoints of spot: `/api/v3`, and what of `/sapi` belongs to no account kind."""

from __future__ import annotations

from decimal import Decimal

from hedgerow.emulators.binance import rows
from hedgerow.emulators.binance.bars import INTERVALS
from hedgerow.emulators.binance.calls import Call, Endpoint, Endpoints, Security
from hedgerow.emulators.binance.conditions import Condition
from hedgerow.emulators.binance.customers import Kind
from hedgerow.emulators.binance.desk import Desk, Wanted
from hedgerow.emulators.binance.errors import (
    BAD_TRAILING_DELTA,
    CANCEL_REPLACE_FAILED,
    CANCEL_REPLACE_PARTLY,
    GONE,
    NO_CONDITION,
    NO_ICEBERG,
    SIDE_NOT_VALID,
    TIME_IN_FORCE_NOT_VALID,
    TYPE_NOT_VALID,
    UNKNOWN_CANCEL,
    UNKNOWN_ORDER,
    Refusal,
    illegal,
    missing,
    refuse,
)
from hedgerow.emulators.binance.floor import DEPTH_MAX, Board
from hedgerow.emulators.binance.frames import agg_trade, price, qty, ticker
from hedgerow.emulators.binance.orders import (
    AT_MARKET,
    CLIENT_ID,
    CLIENT_ID_LEGAL,
    SIDES,
    Product,
    Row,
    WireOrder,
    padded,
    plain,
)
from hedgerow.market.answers import TradeReport
from hedgerow.model.numbers import BPS, ZERO, floor_to
from hedgerow.model.order import Side

SPOT_TIMES = frozenset({"GTC", "IOC", "FOK"})
CONDITIONAL = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})
_PLACE = frozenset(
    {
        "symbol",
        "side",
        "type",
        "timeInForce",
        "quantity",
        "quoteOrderQty",
        "price",
        "newClientOrderId",
        "strategyId",
        "strategyType",
        "stopPrice",
        "trailingDelta",
        "icebergQty",
        "newOrderRespType",
        "selfTradePreventionMode",
        "pegPriceType",
        "pegOffsetValue",
        "pegOffsetType",
        "recvWindow",
        "timestamp",
        "signature",
    }
)
MARGIN_PLACE = _PLACE | {"isIsolated", "sideEffectType", "autoRepayAtCancel"}


# Orders, as margin has them too


def wanted_order(call: Call, board: Board, *, is_margin: bool) -> Wanted:
    """Return the order that a spot or margin request asks for. Raises Refusal."""
    side = SIDES.get(call.text("side"))
    if side is None:
        raise Refusal(SIDE_NOT_VALID)
    kind = call.text("type")
    if kind not in ("LIMIT", "LIMIT_MAKER", "MARKET") and kind not in CONDITIONAL:
        raise Refusal(TYPE_NOT_VALID)
    has_price = kind not in AT_MARKET
    has_time = kind == "LIMIT" or (has_price and kind in CONDITIONAL)
    if call.number("icebergQty"):
        raise Refusal(NO_ICEBERG)
    limit_price = call.number("price")
    time_in_force = call.maybe("timeInForce")
    quantity, quote_qty = call.number("quantity"), call.number("quoteOrderQty")
    if limit_price is not None and not has_price:
        raise refuse(400, -1106, "Parameter 'price' sent when not required.")
    if kind == "MARKET":
        if (quantity is None) == (quote_qty is None):
            raise missing("quantity")
        if quantity is None:
            assert quote_qty is not None, call.params
            quantity = _affordable(board, quote_qty, side)
    else:
        if quantity is None:
            raise missing("quantity")
        if limit_price is None and has_price:
            raise missing("price")
        if quote_qty is not None:
            raise refuse(400, -1106, "Parameter 'quoteOrderQty' sent when not required.")
    if has_time and not time_in_force:
        raise missing("timeInForce")
    if time_in_force and not has_time:
        raise refuse(400, -1106, "Parameter 'timeInForce' sent when not required.")
    if time_in_force and time_in_force not in SPOT_TIMES:
        raise Refusal(TIME_IN_FORCE_NOT_VALID)
    return Wanted(
        symbol=board.symbol,
        side=side,
        type=kind,
        time_in_force=time_in_force or "GTC",
        qty=quantity,
        price=limit_price or ZERO,
        client_order_id=client_id(call, "newClientOrderId"),
        post_only=kind == "LIMIT_MAKER",
        side_effect=(call.maybe("sideEffectType") or "NO_SIDE_EFFECT") if is_margin else "",
        quote_qty=quote_qty or ZERO,
        condition=_condition(call, board, side, kind) if kind in CONDITIONAL else None,
    )


def _condition(call: Call, board: Board, side: Side, kind: str) -> Condition:
    """Return what a conditional order waits for. Raises Refusal."""
    stop_price, delta = call.number("stopPrice"), call.maybe_whole("trailingDelta")
    if stop_price is None and delta is None:
        raise Refusal(NO_CONDITION)
    if stop_price is not None and (not stop_price or stop_price % board.instrument.tick):
        raise refuse(400, -1013, "Filter failure: PRICE_FILTER")
    if delta is not None and not rows.TRAILING_DELTA_MIN <= delta <= rows.TRAILING_DELTA_MAX:
        raise Refusal(BAD_TRAILING_DELTA)
    # A stop waits for the market to move on in its direction, a take-profit for it to come back.
    is_above = (side is Side.BUY) is kind.startswith("STOP")
    return Condition(stop_price or ZERO, is_above, back=(delta or 0) * BPS, trails_below=side is Side.SELL)


def client_id(call: Call, name: str) -> str:
    """Return a client order id; empty when none was sent. Raises Refusal."""
    found = call.maybe(name)
    if found and CLIENT_ID.fullmatch(found) is None:
        raise illegal(name, CLIENT_ID_LEGAL)
    return found


def _affordable(board: Board, quote_qty: Decimal, side: Side) -> Decimal:
    """Return what a market order named by its cost gets now."""
    quote = board.quote(DEPTH_MAX)
    got = ZERO
    for level_price, level_qty in quote.asks if side is Side.BUY else quote.bids:
        part = min(quote_qty / level_price, level_qty)
        got += part
        quote_qty -= part * level_price
        if quote_qty <= ZERO:
            break
    return floor_to(got, board.instrument.step)


def named_order(call: Call, desk: Desk, otherwise: Refusal) -> WireOrder:
    """Return the order that a request names by `orderId` or `origClientOrderId`. Raises Refusal."""
    board = call.symbol(desk.product)
    order_id, name = call.maybe_whole("orderId"), call.maybe("origClientOrderId")
    if order_id is None and not name:
        raise refuse(400, -1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
    order = desk.find(board.symbol, order_id, name)
    if order is None:
        raise otherwise
    return order


def cancel_named(call: Call, desk: Desk) -> WireOrder:
    """Cancel the order that a request names. Raises Refusal."""
    order = named_order(call, desk, Refusal(UNKNOWN_CANCEL))
    return desk.cancel(order, client_id(call, "newClientOrderId"))


def cancel_all(call: Call, desk: Desk) -> list[WireOrder]:
    """Cancel all orders of a symbol."""
    board = call.symbol(desk.product)
    found = [desk.cancel(order) for order in desk.open_orders(board.symbol)]
    desk.floor.settle()
    return found


def listed_orders(call: Call, desk: Desk) -> list[WireOrder]:
    """Return orders of a symbol, closed ones too, a page of them."""
    board = call.symbol(desk.product)
    limit = min(call.whole("limit", 500), 1000)
    start_ms, end_ms = call.whole("startTime", 0), call.whole("endTime", 1 << 62)
    found = [
        order
        for order in desk.orders.values()
        if order.symbol == board.symbol and start_ms <= order.created_ms <= end_ms
    ]
    first_id = call.maybe_whole("orderId")
    if first_id is not None:
        return [order for order in found if order.id >= first_id][:limit]
    return found[:limit] if call.maybe("startTime") else found[-limit:]


def listed_trades(call: Call, desk: Desk) -> list[TradeReport]:
    """Return the account's trades of a symbol, a page of them: from an id, from a time, or the latest."""
    board = call.symbol(desk.product)
    limit = min(call.whole("limit", 500), 1000)
    from_id, order_id = call.maybe_whole("fromId"), call.maybe_whole("orderId")
    start_ms, end_ms = call.whole("startTime", 0), call.whole("endTime", 1 << 62)
    found = [
        fill
        for fill in desk.trades(board.symbol)
        if start_ms <= fill.venue_ts_ns // 1_000_000 <= end_ms
        and (from_id is None or fill.trade_id >= from_id)
        and (order_id is None or desk.order_of(fill).id == order_id)
    ]
    is_forward = from_id is not None or bool(call.maybe("startTime"))
    return found[:limit] if is_forward else found[-limit:]


# Spot


def _desk(call: Call) -> Desk:
    return call.desk(Kind.SPOT)


def _place(call: Call) -> Row:
    desk = _desk(call)
    order = desk.place(wanted_order(call, call.symbol(Product.SPOT), is_margin=False))
    desk.floor.settle()
    return new_answer(call, order)


def new_answer(call: Call, order: WireOrder) -> Row:
    """Return spot's answer to a new order, as long as it was asked for."""
    long = "FULL" if order.type in ("LIMIT", "MARKET") else "ACK"
    match call.maybe("newOrderRespType") or long:
        case "ACK":
            return rows.spot_ack(order)
        case "RESULT":
            return rows.spot_result(order)
        case _:
            return rows.spot_full(order)


def _test(call: Call) -> Row:
    wanted_order(call, call.symbol(Product.SPOT), is_margin=False)
    return {}


def _query(call: Call) -> Row:
    return rows.spot_order(named_order(call, _desk(call), Refusal(UNKNOWN_ORDER)))


def _cancel(call: Call) -> Row:
    order = cancel_named(call, _desk(call))
    call.venue.floor.settle()
    return rows.spot_canceled(order)


def _cancel_replace(call: Call) -> Row:
    desk = _desk(call)
    board = call.symbol(Product.SPOT)
    wanted = wanted_order(call, board, is_margin=False)
    is_strict = call.text("cancelReplaceMode") == "STOP_ON_FAILURE"
    name = call.maybe("cancelOrigClientOrderId")
    order_id = call.maybe_whole("cancelOrderId")
    if order_id is None and not name:
        raise refuse(
            400, -1102, "Param 'cancelOrigClientOrderId' or 'cancelOrderId' must be sent, but both were empty/null!"
        )
    canceled: object
    placed: object
    try:
        order = desk.cancel(desk.find(board.symbol, order_id, name), client_id(call, "cancelNewClientOrderId"))
        desk.floor.settle()
        canceled, cancel_result = rows.spot_canceled(order), "SUCCESS"
    except Refusal as refusal:
        canceled, cancel_result = error_row(refusal), "FAILURE"
    if cancel_result == "FAILURE" and is_strict:
        data: Row = {
            "cancelResult": cancel_result,
            "newOrderResult": "NOT_ATTEMPTED",
            "cancelResponse": canceled,
            "newOrderResponse": None,
        }
        raise refuse(400, -2022, CANCEL_REPLACE_FAILED, data=data)
    try:
        order = desk.place(wanted)
        desk.floor.settle()
        placed, new_result = new_answer(call, order), "SUCCESS"
    except Refusal as refusal:
        placed, new_result = error_row(refusal), "FAILURE"
    data = {
        "cancelResult": cancel_result,
        "newOrderResult": new_result,
        "cancelResponse": canceled,
        "newOrderResponse": placed,
    }
    if (cancel_result, new_result) == ("SUCCESS", "SUCCESS"):
        return data
    if (cancel_result, new_result) == ("FAILURE", "FAILURE"):
        raise refuse(400, -2022, CANCEL_REPLACE_FAILED, data=data)
    raise refuse(409, -2021, CANCEL_REPLACE_PARTLY, data=data)


def error_row(refusal: Refusal) -> Row:
    """Return a refusal as the wire tells it."""
    return {"code": refusal.refused.code, "msg": refusal.refused.text} | (
        {"data": refusal.data} if refusal.data else {}
    )


def _open_orders(call: Call) -> list[Row]:
    symbol = call.symbol(Product.SPOT).symbol if call.maybe("symbol") else ""
    return [rows.spot_order(order) for order in _desk(call).open_orders(symbol)]


def _cancel_open(call: Call) -> list[Row]:
    found = cancel_all(call, _desk(call))
    if not found:
        raise Refusal(UNKNOWN_CANCEL)
    return [rows.spot_canceled(order) for order in found]


def _all_orders(call: Call) -> list[Row]:
    return [rows.spot_order(order) for order in listed_orders(call, _desk(call))]


def _my_trades(call: Call) -> list[Row]:
    desk = _desk(call)
    return [rows.spot_trade(desk, fill) for fill in listed_trades(call, desk)]


def _account(call: Call) -> Row:
    desk = _desk(call)
    balances = rows.spot_balances(desk)
    if call.flag("omitZeroBalances"):
        balances = [each for each in balances if (each["free"], each["locked"]) != ("0.00000000", "0.00000000")]
    customer = call.customer
    maker, taker = customer.maker_bps * BPS, customer.taker_bps * BPS
    return {
        "makerCommission": int(customer.maker_bps),
        "takerCommission": int(customer.taker_bps),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": padded(maker),
            "taker": padded(taker),
            "buyer": "0.00000000",
            "seller": "0.00000000",
        },
        "canTrade": customer.can_trade,
        "canWithdraw": customer.can_withdraw,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": call.venue.now_ms(),
        "accountType": "SPOT",
        "balances": balances,
        "permissions": ["SPOT"],
        "uid": 1,
    }


def _commission(call: Call) -> Row:
    board = call.symbol(Product.SPOT)
    maker, taker = call.customer.maker_bps * BPS, call.customer.taker_bps * BPS
    none = {"maker": "0.00000000", "taker": "0.00000000", "buyer": "0.00000000", "seller": "0.00000000"}
    return {
        "symbol": board.symbol,
        "standardCommission": none | {"maker": padded(maker), "taker": padded(taker)},
        "specialCommission": none,
        "taxCommission": none,
        "discount": {
            "enabledForAccount": False,
            "enabledForSymbol": False,
            "discountAsset": "BNB",
            "discount": "0.75000000",
        },
    }


def _ping(call: Call) -> Row:
    return {}


def _time(call: Call) -> Row:
    return {"serverTime": call.venue.now_ms()}


def _exchange_info(call: Call) -> Row:
    boards = call.boards(Product.SPOT)
    asked = call.maybe("symbols").strip("[]").replace('"', "").split(",") if call.maybe("symbols") else []
    if call.maybe("symbol"):
        asked = [call.maybe("symbol")]
    if asked:
        boards = [call.board(Product.SPOT, symbol) for symbol in asked]
    return {
        "timezone": "UTC",
        "serverTime": call.venue.now_ms(),
        "rateLimits": call.venue.limits.told("spot"),
        "exchangeFilters": [],
        "symbols": [rows.spot_symbol(board) for board in boards],
    }


def _depth(call: Call) -> Row:
    return rows.depth(call.symbol(Product.SPOT), min(call.whole("limit", 100), DEPTH_MAX), call.venue.now_ms())


def _trades(call: Call) -> list[Row]:
    board = call.symbol(Product.SPOT)
    return public_trades(call, board)


def public_trades(call: Call, board: Board) -> list[Row]:
    """Return everybody's latest trades."""
    limit = min(call.whole("limit", 500), 1000)
    return [
        {
            "id": each.id,
            "price": price(board, each.price),
            "qty": qty(board, each.qty),
            "quoteQty": plain(each.price * each.qty),
            "time": each.ts_ms,
            "isBuyerMaker": each.buyer_is_maker,
            "isBestMatch": True,
        }
        for each in list(board.prints)[-limit:]
    ]


def aggregate_trades(call: Call, board: Board) -> list[Row]:
    """Return everybody's latest trades as aggregates."""
    limit = min(call.whole("limit", 500), 1000)
    from_id = call.whole("fromId", 0)
    found = [each for each in board.prints if each.id >= from_id]
    found = found[:limit] if from_id else found[-limit:]
    told = [agg_trade(board, each, each.ts_ms) for each in found]
    return [{name: value for name, value in row.items() if name not in ("e", "E", "s")} for row in told]


def _agg_trades(call: Call) -> list[Row]:
    return aggregate_trades(call, call.symbol(Product.SPOT))


def one_or_all(call: Call, told: list[Row]) -> object:
    """Return the only row when one symbol was asked for, else all."""
    return told[0] if call.maybe("symbol") else told


def asked_boards(call: Call, product: Product) -> list[Board]:
    """Return the board of the symbol that was asked for, else all."""
    return [call.symbol(product)] if call.maybe("symbol") else call.boards(product)


def book_tickers(call: Call, product: Product) -> object:
    """Return best bids and asks."""
    told: list[Row] = []
    for board in asked_boards(call, product):
        quote = board.quote()
        bid = quote.bids[0] if quote.bids else (ZERO, ZERO)
        ask = quote.asks[0] if quote.asks else (ZERO, ZERO)
        row: Row = {
            "symbol": board.symbol,
            "bidPrice": price(board, bid[0]),
            "bidQty": qty(board, bid[1]),
            "askPrice": price(board, ask[0]),
            "askQty": qty(board, ask[1]),
        }
        if product is Product.USDM:
            row |= {"time": call.venue.now_ms(), "lastUpdateId": board.update_id}
        told.append(row)
    return one_or_all(call, told)


def price_tickers(call: Call, product: Product) -> object:
    """Return last prices."""
    told: list[Row] = []
    for board in asked_boards(call, product):
        row: Row = {"symbol": board.symbol, "price": price(board, board.last_price())}
        if product is Product.USDM:
            row["time"] = call.venue.now_ms()
        told.append(row)
    return one_or_all(call, told)


_DAY_NAMES = {
    "p": "priceChange",
    "P": "priceChangePercent",
    "w": "weightedAvgPrice",
    "c": "lastPrice",
    "Q": "lastQty",
    "o": "openPrice",
    "h": "highPrice",
    "l": "lowPrice",
    "v": "volume",
    "q": "quoteVolume",
    "O": "openTime",
    "C": "closeTime",
    "F": "firstId",
    "L": "lastId",
    "n": "count",
    "s": "symbol",
    "x": "prevClosePrice",
    "b": "bidPrice",
    "B": "bidQty",
    "a": "askPrice",
    "A": "askQty",
}


def day_tickers(call: Call, product: Product) -> object:
    """Return a day's statistics."""
    told: list[Row] = []
    for board in asked_boards(call, product):
        row = ticker(board, call.venue.now_ms())
        told.append({_DAY_NAMES[name]: value for name, value in row.items() if name in _DAY_NAMES})
    return one_or_all(call, told)


def klines(call: Call, product: Product) -> list[list[object]]:
    """Return a page of bars, of what the emulator remembers."""
    board, interval = call.symbol(product), call.text("interval")
    if interval not in INTERVALS:
        raise refuse(400, -1120, "Invalid interval.")
    start_ms, end_ms = call.whole("startTime", 0), call.whole("endTime", 1 << 62)
    limit = min(call.whole("limit", 500), 1000)
    found = [bar for bar in board.bars.of(interval) if start_ms <= bar.open_ms <= end_ms]
    return [
        [
            bar.open_ms,
            price(board, bar.open),
            price(board, bar.high),
            price(board, bar.low),
            price(board, bar.close),
            qty(board, bar.qty),
            bar.close_ms,
            plain(bar.quote),
            bar.trades,
            qty(board, bar.bought_qty),
            plain(bar.bought_quote),
            "0",
        ]
        for bar in (found[:limit] if call.maybe("startTime") else found[-limit:])
    ]


def _order_limits(call: Call) -> object:
    return call.venue.limits.used_orders("spot", call.customer.key)


def _listen_key(call: Call) -> Row:
    raise Refusal(GONE)


# What of /sapi belongs to the whole customer


def _coins(call: Call) -> list[Row]:
    coins = {"USDT": None} | {board.instrument.base: None for board in call.boards(Product.SPOT)}
    desk = call.venue.desks.get((call.customer.name, Kind.SPOT, Product.SPOT))
    owned = desk.owned() if desk is not None else {}
    network: Row = {
        "depositEnable": True,
        "withdrawEnable": True,
        "isDefault": True,
        "withdrawFee": "0.0001",
        "withdrawMin": "0.001",
        "withdrawMax": "9999999",
        "withdrawIntegerMultiple": "0.00000001",
    }
    return [
        {
            "coin": coin,
            "name": coin,
            "depositAllEnable": True,
            "withdrawAllEnable": True,
            "trading": True,
            "isLegalMoney": False,
            "free": plain(owned.get(coin, ZERO)),
            "locked": "0",
            "freeze": "0",
            "withdrawing": "0",
            "ipoing": "0",
            "ipoable": "0",
            "storage": "0",
            "networkList": [network | {"coin": coin, "network": coin, "name": coin}],
        }
        for coin in coins
    ]


def _restrictions(call: Call) -> Row:
    customer = call.customer
    kinds = customer.kinds
    return {
        "ipRestrict": True,
        "createTime": 1698645219000,
        "enableReading": True,
        "enableWithdrawals": customer.can_withdraw,
        "enableInternalTransfer": False,
        "enableMargin": customer.can_trade and Kind.MARGIN in kinds,
        "enableFutures": customer.can_trade and Kind.USDM in kinds,
        "permitsUniversalTransfer": False,
        "enableVanillaOptions": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "enableSpotAndMarginTrading": customer.can_trade,
        "enablePortfolioMarginTrading": customer.can_trade and Kind.PORTFOLIO in kinds,
        **({"tradingAuthorityExpirationTime": customer.trading_ends_ms} if customer.trading_ends_ms else {}),
    }


def _trade_fee(call: Call) -> list[Row]:
    customer = call.customer
    return [
        {
            "symbol": board.symbol,
            "makerCommission": plain(customer.maker_bps * BPS),
            "takerCommission": plain(customer.taker_bps * BPS),
        }
        for board in asked_boards(call, Product.SPOT)
    ]


def _system_status(call: Call) -> Row:
    return {"status": 0, "msg": "normal"}


_KEY, _SIGNED = Security.KEY, Security.SIGNED
ENDPOINTS: Endpoints = {
    ("GET", "/api/v3/ping"): Endpoint(_ping),
    ("GET", "/api/v3/time"): Endpoint(_time),
    ("GET", "/api/v3/exchangeInfo"): Endpoint(_exchange_info, weight=20),
    ("GET", "/api/v3/depth"): Endpoint(_depth, weight=5),
    ("GET", "/api/v3/trades"): Endpoint(_trades, weight=25),
    ("GET", "/api/v3/aggTrades"): Endpoint(_agg_trades, weight=4),
    ("GET", "/api/v3/ticker/bookTicker"): Endpoint(lambda call: book_tickers(call, Product.SPOT), weight=4),
    ("GET", "/api/v3/ticker/price"): Endpoint(lambda call: price_tickers(call, Product.SPOT), weight=4),
    ("GET", "/api/v3/ticker/24hr"): Endpoint(lambda call: day_tickers(call, Product.SPOT), weight=40),
    ("GET", "/api/v3/klines"): Endpoint(lambda call: klines(call, Product.SPOT), weight=2),
    ("POST", "/api/v3/order"): Endpoint(_place, _SIGNED, 1, 1, _PLACE),
    ("POST", "/api/v3/order/test"): Endpoint(_test, _SIGNED),
    ("GET", "/api/v3/order"): Endpoint(_query, _SIGNED, 4),
    ("DELETE", "/api/v3/order"): Endpoint(_cancel, _SIGNED),
    ("POST", "/api/v3/order/cancelReplace"): Endpoint(_cancel_replace, _SIGNED, 1, 1),
    ("GET", "/api/v3/openOrders"): Endpoint(_open_orders, _SIGNED, 6),
    ("DELETE", "/api/v3/openOrders"): Endpoint(_cancel_open, _SIGNED),
    ("GET", "/api/v3/allOrders"): Endpoint(_all_orders, _SIGNED, 20),
    ("GET", "/api/v3/myTrades"): Endpoint(_my_trades, _SIGNED, 20),
    ("GET", "/api/v3/account"): Endpoint(_account, _SIGNED, 20),
    ("GET", "/api/v3/account/commission"): Endpoint(_commission, _SIGNED, 20),
    ("GET", "/api/v3/rateLimit/order"): Endpoint(_order_limits, _SIGNED, 40),
    ("POST", "/api/v3/userDataStream"): Endpoint(_listen_key, _KEY, 2),
    ("PUT", "/api/v3/userDataStream"): Endpoint(_listen_key, _KEY, 2),
    ("DELETE", "/api/v3/userDataStream"): Endpoint(_listen_key, _KEY, 2),
    ("GET", "/sapi/v1/capital/config/getall"): Endpoint(_coins, _SIGNED, 10),
    ("GET", "/sapi/v1/account/apiRestrictions"): Endpoint(_restrictions, _SIGNED),
    ("GET", "/sapi/v1/asset/tradeFee"): Endpoint(_trade_fee, _SIGNED),
    ("GET", "/sapi/v1/system/status"): Endpoint(_system_status),
}
