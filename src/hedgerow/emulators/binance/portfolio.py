"""Endpoints of portfolio margin: `/papi/v1`. Its futures and its margin side have collateral of their own here."""

from __future__ import annotations

from decimal import Decimal

from hedgerow.emulators.binance import rows
from hedgerow.emulators.binance.calls import Call, Endpoint, Endpoints, Security
from hedgerow.emulators.binance.customers import Kind
from hedgerow.emulators.binance.desk import Desk
from hedgerow.emulators.binance.errors import UNKNOWN_CANCEL, UNKNOWN_ORDER, Refusal
from hedgerow.emulators.binance.margin import in_btc, interest_rows, max_borrowable, place_on
from hedgerow.emulators.binance.orders import Product, Row, padded
from hedgerow.emulators.binance.spot import cancel_all, cancel_named, listed_orders, listed_trades, named_order
from hedgerow.emulators.binance.usdm import listen_keys, orders_of, portfolio, positions_v2
from hedgerow.model.numbers import ZERO


def _margin(call: Call) -> Desk:
    return call.desk(Kind.PORTFOLIO, Product.SPOT)


def _plain_of(row: Row) -> Row:
    """Return an order or trade without the word that says which margin it is in; here there is one."""
    return {name: value for name, value in row.items() if name != "isIsolated"}


def _place(call: Call) -> Row:
    order = place_on(call, _margin(call))
    if (call.maybe("newOrderRespType") or "FULL") == "ACK":
        row = rows.spot_ack(order)
        del row["orderListId"]
        return row
    return _plain_of(rows.margin_new(order))


def _query(call: Call) -> Row:
    return _plain_of(rows.margin_order(named_order(call, _margin(call), Refusal(UNKNOWN_ORDER))))


def _cancel(call: Call) -> Row:
    order = cancel_named(call, _margin(call))
    call.venue.floor.settle()
    return _plain_of(rows.margin_canceled(order))


def _open_orders(call: Call) -> list[Row]:
    symbol = call.symbol(Product.SPOT).symbol if call.maybe("symbol") else ""
    return [_plain_of(rows.margin_order(order)) for order in _margin(call).open_orders(symbol)]


def _cancel_open(call: Call) -> list[Row]:
    found = cancel_all(call, _margin(call))
    if not found:
        raise Refusal(UNKNOWN_CANCEL)
    return [_plain_of(rows.margin_canceled(order)) for order in found]


def _all_orders(call: Call) -> list[Row]:
    return [_plain_of(rows.margin_order(order)) for order in listed_orders(call, _margin(call))]


def _my_trades(call: Call) -> list[Row]:
    desk = _margin(call)
    return [_plain_of(rows.margin_trade(desk, fill)) for fill in listed_trades(call, desk)]


def _loan(call: Call) -> Row:
    return {"tranId": _margin(call).borrow(call.text("asset"), call.needed_number("amount"))}


def _repay(call: Call) -> Row:
    return {"tranId": _margin(call).repay(call.text("asset"), call.needed_number("amount"))}


def _max_borrowable(call: Call) -> Row:
    return max_borrowable(_margin(call), call.text("asset"))


def _balance(call: Call) -> object:
    futures, margin = portfolio(call), _margin(call)
    futures_owned = futures.exchange.balances(futures.account_id)
    owned, locked = margin.owned(), margin.locked()
    now_ms = call.venue.now_ms()
    told: list[Row] = []
    for asset in owned:
        principal, interest = margin.loans.get(asset, ZERO), margin.interest.get(asset, ZERO)
        in_futures = futures_owned.get(asset, ZERO)
        profit = rows.unrealized(futures) if asset == "USDT" else ZERO
        told.append(
            {
                "asset": asset,
                "totalWalletBalance": padded(owned[asset] - principal - interest + in_futures),
                "crossMarginAsset": padded(owned[asset]),
                "crossMarginBorrowed": padded(principal),
                "crossMarginFree": padded(owned[asset] - locked[asset]),
                "crossMarginInterest": padded(interest),
                "crossMarginLocked": padded(locked[asset]),
                "umWalletBalance": padded(in_futures),
                "umUnrealizedPNL": padded(profit),
                "cmWalletBalance": "0.00000000",
                "cmUnrealizedPNL": "0.00000000",
                "updateTime": now_ms,
                "negativeBalance": "0",
            }
        )
    asked = call.maybe("asset")
    if not asked:
        return told
    return next((row for row in told if row["asset"] == asked), {})


def _account(call: Call) -> Row:
    futures, margin = portfolio(call), _margin(call)
    owned, owed = in_btc(margin)
    btc = futures.floor.boards[Product.SPOT, "BTCUSDT"].mark()
    in_futures = futures.exchange.balances(futures.account_id).get("USDT", ZERO) + rows.unrealized(futures)
    equity = (owned - owed) * btc + in_futures
    maintenance = sum(
        [
            abs(holding.net_qty) * futures.floor.boards[Product.USDM, symbol].mark() * rows.MAINTENANCE
            for (symbol, _), holding in futures.holdings.items()
        ],
        owed * btc * Decimal("0.1"),
    )
    ratio = min(equity / maintenance, Decimal(999999)) if maintenance else Decimal(999999)
    return {
        "uniMMR": padded(ratio),
        "accountEquity": padded(equity),
        "actualEquity": padded(equity),
        "accountInitialMargin": padded(rows.position_margin(futures)),
        "accountMaintMargin": padded(maintenance),
        "accountStatus": "NORMAL",
        "virtualMaxWithdrawAmount": padded(max(equity, ZERO)),
        "totalAvailableBalance": "",
        "totalMarginOpenLoss": "",
        "updateTime": call.venue.now_ms(),
    }


def _um_account(call: Call) -> Row:
    desk = portfolio(call)
    owned = desk.exchange.balances(desk.account_id).get("USDT", ZERO)
    held, ordered = rows.position_margin(desk), rows.order_margin(desk)
    asset: Row = {
        "asset": "USDT",
        "crossWalletBalance": padded(owned),
        "crossUnPnl": padded(rows.unrealized(desk)),
        "maintMargin": "0.00000000",
        "initialMargin": padded(held + ordered),
        "positionInitialMargin": padded(held),
        "openOrderInitialMargin": padded(ordered),
        "updateTime": call.venue.now_ms(),
    }
    return {"assets": [asset], "positions": rows.positions_v3(desk, call.boards(Product.USDM))}


def _account_config(call: Call) -> Row:
    desk, customer = portfolio(call), call.customer
    return {
        "feeTier": 0,
        "canTrade": customer.can_trade,
        "canDeposit": True,
        "canWithdraw": customer.can_withdraw,
        "dualSidePosition": desk.is_hedge_mode,
        "updateTime": 0,
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
    }


def _interest(call: Call) -> Row:
    return interest_rows(call, _margin(call))


def _order_limits(call: Call) -> object:
    return call.venue.limits.used_orders("portfolio", call.customer.key)


def _ping(call: Call) -> Row:
    return {}


_SIGNED = Security.SIGNED
ENDPOINTS: Endpoints = {
    ("GET", "/papi/v1/ping"): Endpoint(_ping),
    **orders_of("/papi/v1/um", portfolio),
    ("GET", "/papi/v1/um/positionRisk"): Endpoint(positions_v2(portfolio), _SIGNED, 5),
    ("GET", "/papi/v1/um/account"): Endpoint(_um_account, _SIGNED, 5),
    ("GET", "/papi/v2/um/account"): Endpoint(_um_account, _SIGNED, 5),
    ("GET", "/papi/v1/um/accountConfig"): Endpoint(_account_config, _SIGNED, 5),
    ("POST", "/papi/v1/margin/order"): Endpoint(_place, _SIGNED, 1, 1),
    ("GET", "/papi/v1/margin/order"): Endpoint(_query, _SIGNED, 10),
    ("DELETE", "/papi/v1/margin/order"): Endpoint(_cancel, _SIGNED, 2),
    ("GET", "/papi/v1/margin/openOrders"): Endpoint(_open_orders, _SIGNED, 5),
    ("DELETE", "/papi/v1/margin/allOpenOrders"): Endpoint(_cancel_open, _SIGNED, 5),
    ("GET", "/papi/v1/margin/allOrders"): Endpoint(_all_orders, _SIGNED, 100),
    ("GET", "/papi/v1/margin/myTrades"): Endpoint(_my_trades, _SIGNED, 5),
    ("POST", "/papi/v1/marginLoan"): Endpoint(_loan, _SIGNED, 100),
    ("POST", "/papi/v1/repayLoan"): Endpoint(_repay, _SIGNED, 100),
    ("GET", "/papi/v1/margin/maxBorrowable"): Endpoint(_max_borrowable, _SIGNED, 5),
    ("GET", "/papi/v1/margin/marginInterestHistory"): Endpoint(_interest, _SIGNED),
    ("GET", "/papi/v1/balance"): Endpoint(_balance, _SIGNED, 20),
    ("GET", "/papi/v1/account"): Endpoint(_account, _SIGNED, 20),
    ("GET", "/papi/v1/rateLimit/order"): Endpoint(_order_limits, _SIGNED),
    **listen_keys(Kind.PORTFOLIO, "/papi/v1/listenKey"),
}
