"""Endpoints of cross margin: `/sapi/v1/margin` and its listen tokens."""

from __future__ import annotations

from decimal import Decimal

from hedgerow.emulators.binance import rows
from hedgerow.emulators.binance.calls import Call, Endpoint, Endpoints, Security
from hedgerow.emulators.binance.customers import Kind
from hedgerow.emulators.binance.desk import BORROW_MULTIPLE, HOURLY_INTEREST, Desk
from hedgerow.emulators.binance.errors import GONE, UNKNOWN_CANCEL, UNKNOWN_ORDER, Refusal, refuse
from hedgerow.emulators.binance.orders import EIGHTH, Product, Row, WireOrder, padded, plain
from hedgerow.emulators.binance.spot import (
    MARGIN_PLACE,
    cancel_all,
    cancel_named,
    listed_orders,
    listed_trades,
    named_order,
    wanted_order,
)
from hedgerow.model.numbers import ZERO


def _desk(call: Call) -> Desk:
    if call.flag("isIsolated"):
        raise refuse(400, -11001, "Isolated margin account does not exist.")
    return call.desk(Kind.MARGIN)


def place_on(call: Call, desk: Desk) -> WireOrder:
    """Place the margin order that a request asks for. Raises Refusal."""
    order = desk.place(wanted_order(call, call.symbol(Product.SPOT), is_margin=True))
    desk.floor.settle()
    return order


def _place(call: Call) -> Row:
    order = place_on(call, _desk(call))
    if (call.maybe("newOrderRespType") or "FULL") == "ACK":
        row = rows.spot_ack(order) | {"isIsolated": False}
        del row["orderListId"]
        return row
    return rows.margin_new(order)


def _query(call: Call) -> Row:
    return rows.margin_order(named_order(call, _desk(call), Refusal(UNKNOWN_ORDER)))


def _cancel(call: Call) -> Row:
    order = cancel_named(call, _desk(call))
    call.venue.floor.settle()
    # Here alone the order's id is a text.
    return rows.margin_canceled(order) | {"orderId": str(order.id)}


def _open_orders(call: Call) -> list[Row]:
    symbol = call.symbol(Product.SPOT).symbol if call.maybe("symbol") else ""
    return [rows.margin_order(order) for order in _desk(call).open_orders(symbol)]


def _cancel_open(call: Call) -> list[Row]:
    found = cancel_all(call, _desk(call))
    if not found:
        raise Refusal(UNKNOWN_CANCEL)
    return [rows.margin_canceled(order) for order in found]


def _all_orders(call: Call) -> list[Row]:
    return [rows.margin_order(order) for order in listed_orders(call, _desk(call))]


def _my_trades(call: Call) -> list[Row]:
    desk = _desk(call)
    return [rows.margin_trade(desk, fill) for fill in listed_trades(call, desk)]


def in_btc(desk: Desk) -> tuple[Decimal, Decimal]:
    """Return (what the account owns, what it owes) in BTC."""
    btc = desk.floor.boards[Product.SPOT, "BTCUSDT"].mark()
    owned = owed = ZERO
    for asset, number in desk.owned().items():
        board = desk.floor.boards.get((Product.SPOT, f"{asset}USDT"))
        price = Decimal(1) if board is None else board.mark()
        owned += number * price
        owed += (desk.loans.get(asset, ZERO) + desk.interest.get(asset, ZERO)) * price
    return (owned / btc).quantize(EIGHTH), (owed / btc).quantize(EIGHTH)


def _account(call: Call) -> Row:
    desk = _desk(call)
    owned, owed = in_btc(desk)
    level = Decimal(999) if not owed else min(Decimal(999), owned / owed)
    return {
        "created": True,
        "borrowEnabled": True,
        "marginLevel": padded(level),
        "collateralMarginLevel": padded(level),
        "totalAssetOfBtc": padded(owned),
        "totalLiabilityOfBtc": padded(owed),
        "totalNetAssetOfBtc": padded(owned - owed),
        "TotalCollateralValueInUSDT": "0",
        "tradeEnabled": call.customer.can_trade,
        "transferInEnabled": True,
        "transferOutEnabled": True,
        "accountType": "MARGIN_1",
        "userAssets": rows.margin_balances(desk),
    }


def _borrow_repay(call: Call) -> Row:
    desk = _desk(call)
    asset, amount = call.text("asset"), call.needed_number("amount")
    match call.text("type"):
        case "BORROW":
            return {"tranId": desk.borrow(asset, amount)}
        case "REPAY":
            return {"tranId": desk.repay(asset, amount)}
        case _:
            raise refuse(400, -1130, "Data sent for parameter 'type' is not valid.")


def _loans(call: Call) -> Row:
    kind = call.text("type")
    found = [each for each in _desk(call).loan_history if each.kind == kind and call.maybe("asset") in ("", each.asset)]
    told = [
        {
            "amount": plain(each.amount + each.interest),
            "asset": each.asset,
            "interest": plain(each.interest),
            "principal": plain(each.amount),
            "status": "CONFIRMED",
            "timestamp": each.ts_ms,
            "txId": each.tran_id,
            "type": "MANUAL",
        }
        for each in found
    ]
    return {"rows": told, "total": len(told)}


def max_borrowable(desk: Desk, asset: str) -> Row:
    """Return how much more of an asset an account may borrow."""
    owned, owed = in_btc(desk)
    btc = desk.floor.boards[Product.SPOT, "BTCUSDT"].mark()
    board = desk.floor.boards.get((Product.SPOT, f"{asset}USDT"))
    price = Decimal(1) if board is None else board.mark()
    room = max(((owned - owed) * BORROW_MULTIPLE - owed) * btc / price, ZERO)
    return {"amount": padded(room), "borrowLimit": "1000000"}


def _max_borrowable(call: Call) -> Row:
    return max_borrowable(_desk(call), call.text("asset"))


def _interest_rates(call: Call) -> list[Row]:
    assets = call.text("assets").split(",") if call.maybe("assets") else [call.text("asset")]
    return [{"asset": asset, "nextHourlyInterestRate": padded(HOURLY_INTEREST)} for asset in assets]


def interest_rows(call: Call, desk: Desk) -> Row:
    """Return the interest that was charged, newest first, a page of it."""
    asset, size = call.maybe("asset"), min(call.whole("size", 10), 100)
    start_ms, end_ms = call.whole("startTime", 0), call.whole("endTime", 1 << 62)
    found = [each for each in desk.interest_history if asset in ("", each.asset) and start_ms <= each.ts_ms <= end_ms]
    first = (max(call.whole("current", 1), 1) - 1) * size
    told = [
        {
            "txId": each.tran_id,
            "interestAccuredTime": each.ts_ms,
            "asset": each.asset,
            "rawAsset": each.asset,
            "principal": padded(each.principal),
            "interest": padded(each.amount),
            "interestRate": padded(HOURLY_INTEREST * 24),
            "type": each.kind,
        }
        for each in found[::-1][first : first + size]
    ]
    return {"rows": told, "total": len(found)}


def _interest(call: Call) -> Row:
    return interest_rows(call, _desk(call))


def _price_index(call: Call) -> Row:
    board = call.symbol(Product.SPOT)
    return {"calcTime": call.venue.now_ms(), "price": padded(board.mark()), "symbol": board.symbol}


def _pairs(call: Call) -> list[Row]:
    return [
        {
            "base": board.instrument.base,
            "id": number,
            "isBuyAllowed": True,
            "isMarginTrade": True,
            "isSellAllowed": True,
            "quote": board.instrument.quote,
            "symbol": board.symbol,
        }
        for number, board in enumerate(call.boards(Product.SPOT), 1)
    ]


def _isolated_pairs(call: Call) -> list[Row]:
    return []


def _listen_token(call: Call) -> Row:
    token, expires_ms = call.venue.streams.open_token(_desk(call).customer, Kind.MARGIN)
    return {"token": token, "expirationTime": expires_ms}


def _listen_key(call: Call) -> Row:
    raise Refusal(GONE)


_KEY, _SIGNED = Security.KEY, Security.SIGNED
ENDPOINTS: Endpoints = {
    ("GET", "/sapi/v1/margin/allPairs"): Endpoint(_pairs, _KEY),
    ("GET", "/sapi/v1/margin/isolated/allPairs"): Endpoint(_isolated_pairs, _KEY),
    ("GET", "/sapi/v1/margin/priceIndex"): Endpoint(_price_index, _KEY, 10),
    ("POST", "/sapi/v1/margin/order"): Endpoint(_place, _SIGNED, 6, 1, MARGIN_PLACE),
    ("GET", "/sapi/v1/margin/order"): Endpoint(_query, _SIGNED, 10),
    ("DELETE", "/sapi/v1/margin/order"): Endpoint(_cancel, _SIGNED, 10),
    ("GET", "/sapi/v1/margin/openOrders"): Endpoint(_open_orders, _SIGNED, 10),
    ("DELETE", "/sapi/v1/margin/openOrders"): Endpoint(_cancel_open, _SIGNED),
    ("GET", "/sapi/v1/margin/allOrders"): Endpoint(_all_orders, _SIGNED, 200),
    ("GET", "/sapi/v1/margin/myTrades"): Endpoint(_my_trades, _SIGNED, 10),
    ("GET", "/sapi/v1/margin/account"): Endpoint(_account, _SIGNED, 10),
    ("POST", "/sapi/v1/margin/borrow-repay"): Endpoint(_borrow_repay, _SIGNED, 1500),
    ("GET", "/sapi/v1/margin/borrow-repay"): Endpoint(_loans, _SIGNED, 10),
    ("GET", "/sapi/v1/margin/interestHistory"): Endpoint(_interest, _SIGNED),
    ("GET", "/sapi/v1/margin/maxBorrowable"): Endpoint(_max_borrowable, _SIGNED, 50),
    ("GET", "/sapi/v1/margin/next-hourly-interest-rate"): Endpoint(_interest_rates, _SIGNED, 100),
    ("POST", "/sapi/v1/userListenToken"): Endpoint(_listen_token, _KEY),
    ("POST", "/sapi/v1/userDataStream"): Endpoint(_listen_key, _KEY),
    ("PUT", "/sapi/v1/userDataStream"): Endpoint(_listen_key, _KEY),
    ("DELETE", "/sapi/v1/userDataStream"): Endpoint(_listen_key, _KEY),
}
