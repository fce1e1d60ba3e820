"""Endpoints of USD-M futures, `/fapi`, and of the same account under portfolio margin, `/papi/v1/um`."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from hedgerow.emulators.binance import rows
from hedgerow.emulators.binance.calls import Call, Endpoint, Endpoints, Security
from hedgerow.emulators.binance.customers import Kind
from hedgerow.emulators.binance.desk import Desk, Wanted
from hedgerow.emulators.binance.errors import (
    ALGO_ONLY,
    BAD_GOOD_TILL,
    BAD_LISTEN_KEY,
    BAD_PRECISION,
    MARGIN_TYPE_ORDERS,
    MARGIN_TYPE_POSITION,
    NO_NEED_TO_CHANGE_MARGIN,
    SIDE_NOT_VALID,
    TIME_IN_FORCE_NOT_VALID,
    TYPE_NOT_VALID,
    UNKNOWN_CANCEL,
    UNKNOWN_ORDER,
    Refusal,
    missing,
    refuse,
)
from hedgerow.emulators.binance.floor import DEPTH_MAX, Board
from hedgerow.emulators.binance.orders import CLIENT_ID, POSITION_SIDES, SIDES, Product, Row, WireOrder, padded, plain
from hedgerow.emulators.binance.spot import (
    aggregate_trades,
    asked_boards,
    book_tickers,
    cancel_all,
    day_tickers,
    error_row,
    klines,
    listed_orders,
    listed_trades,
    named_order,
    one_or_all,
    price_tickers,
    public_trades,
)
from hedgerow.market.answers import PositionSide
from hedgerow.market.state import Holding
from hedgerow.model.numbers import BPS, ZERO
from hedgerow.model.order import Side

USDM_TIMES = frozenset({"GTC", "IOC", "FOK", "GTX", "GTD"})
CONDITIONAL = frozenset({"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"})
# Of `goodTillDate`: ten minutes from now at least, and a date of four digits.
GOOD_TILL_MIN_MS, GOOD_TILL_MAX_MS = 600_000, 253_402_300_799_000
MARKET_PART = Decimal("0.12")
BATCH_MAX = 5

DeskOf = Callable[[Call], Desk]


def classic(call: Call) -> Desk:
    """Return the customer's futures account."""
    return call.desk(Kind.USDM)


def portfolio(call: Call) -> Desk:
    """Return the futures side of the customer's portfolio margin account."""
    return call.desk(Kind.PORTFOLIO)


# Orders


def wanted_order(call: Call, board: Board) -> Wanted:
    """Return the order that a request asks for. Raises Refusal."""
    side = SIDES.get(call.text("side"))
    if side is None:
        raise Refusal(SIDE_NOT_VALID)
    kind = call.text("type")
    if kind in CONDITIONAL:
        raise Refusal(ALGO_ONLY)
    if kind not in ("LIMIT", "MARKET"):
        raise Refusal(TYPE_NOT_VALID)
    position_side = POSITION_SIDES.get(call.maybe("positionSide") or "BOTH")
    if position_side is None:
        raise refuse(400, -1130, "Data sent for parameter 'positionSide' is not valid.")
    name = call.maybe("newClientOrderId")
    if len(name) > 36:
        raise refuse(400, -4015, "Client order id length should not be more than 36 chars")
    if name and CLIENT_ID.fullmatch(name) is None:
        raise refuse(400, -4015, "Client order id is not valid.")
    time_in_force, limit_price = call.maybe("timeInForce"), call.number("price")
    quantity = call.number("quantity")
    if quantity is None:
        raise missing("quantity")
    if kind == "LIMIT":
        if not time_in_force:
            raise missing("timeInForce")
        if limit_price is None:
            raise missing("price")
        if time_in_force not in USDM_TIMES:
            raise Refusal(TIME_IN_FORCE_NOT_VALID)
    else:
        if limit_price:
            raise refuse(400, -1106, "Parameter 'price' sent when not required.")
        if time_in_force:
            raise refuse(400, -1106, "Parameter 'timeInForce' sent when not required.")
    if quantity == ZERO:
        raise refuse(400, -4003, "Quantity less than or equal to zero.")
    check_digits(board, quantity, limit_price)
    _check_band(board, side, limit_price if kind == "LIMIT" else None)
    largest = board.instrument.max_qty
    if kind == "MARKET" and largest is not None and quantity > largest * MARKET_PART:
        raise refuse(400, -4005, "Quantity greater than max quantity.")
    return Wanted(
        symbol=board.symbol,
        side=side,
        type=kind,
        time_in_force=time_in_force or "GTC",
        qty=quantity,
        price=limit_price or ZERO,
        client_order_id=name,
        post_only=time_in_force == "GTX",
        reduce_only=call.flag("reduceOnly"),
        position_side=position_side,
        good_till_ms=good_till(call, time_in_force),
    )


def good_till(call: Call, time_in_force: str) -> int:
    """Return when a GTD order expires, ms; zero for every other. Raises Refusal."""
    if time_in_force != "GTD":
        return 0
    till_ms = call.maybe_whole("goodTillDate")
    if till_ms is None:
        raise missing("goodTillDate")
    if not call.venue.now_ms() + GOOD_TILL_MIN_MS < till_ms < GOOD_TILL_MAX_MS:
        raise Refusal(BAD_GOOD_TILL)
    # Whole seconds count.
    return till_ms // 1_000 * 1_000


def check_digits(board: Board, quantity: Decimal | None, limit_price: Decimal | None) -> None:
    """Refuse more decimals than a symbol has, and a price off the tick, which has a code of its own."""
    step_digits = len(plain(board.instrument.step).partition(".")[2])
    for number, digits in ((quantity, step_digits), (limit_price, board.price_digits)):
        if number is not None and number != round(number, digits):
            raise Refusal(BAD_PRECISION)
    if limit_price is not None and limit_price % board.instrument.tick:
        raise refuse(400, -4014, "Price not increased by tick size.")


def _check_band(board: Board, side: Side, limit_price: Decimal | None) -> None:
    """Refuse a buy too far above the mark and a sell too far below it."""
    mark = board.mark()
    if limit_price is None or not mark:
        return
    highest, lowest = mark * rows.BAND_UP, mark * rows.BAND_DOWN
    if side is Side.BUY and limit_price > highest:
        raise refuse(400, -4016, f"Limit price can't be higher than {highest:.2f}.")
    if side is Side.SELL and limit_price < lowest:
        raise refuse(400, -4024, f"Limit price can't be lower than {lowest:.2f}.")


def _named(call: Call, desk: Desk) -> WireOrder:
    return named_order(call, desk, Refusal(UNKNOWN_ORDER))


def _place(desk_of: DeskOf) -> Callable[[Call], Row]:
    def place(call: Call) -> Row:
        desk = desk_of(call)
        order = desk.place(wanted_order(call, call.symbol(Product.USDM)))
        desk.floor.settle()
        if (call.maybe("newOrderRespType") or "ACK") == "ACK":
            return rows.usdm_acked(desk, order)
        return rows.usdm_answered(desk, order)

    return place


def _test(call: Call) -> Row:
    wanted_order(call, call.symbol(Product.USDM))
    return {}


def _query(desk_of: DeskOf) -> Callable[[Call], Row]:
    def query(call: Call) -> Row:
        desk = desk_of(call)
        return rows.usdm_order(desk, _named(call, desk))

    return query


def _open_order(desk_of: DeskOf) -> Callable[[Call], Row]:
    def open_order(call: Call) -> Row:
        desk = desk_of(call)
        order = _named(call, desk)
        if not order.is_live:
            raise Refusal(UNKNOWN_ORDER)
        return rows.usdm_order(desk, order)

    return open_order


def _cancel(desk_of: DeskOf) -> Callable[[Call], Row]:
    def cancel(call: Call) -> Row:
        desk = desk_of(call)
        order = desk.cancel(named_order(call, desk, Refusal(UNKNOWN_CANCEL)))
        desk.floor.settle()
        return rows.usdm_answered(desk, order)

    return cancel


def _amend(desk_of: DeskOf) -> Callable[[Call], Row]:
    def amend(call: Call) -> Row:
        desk = desk_of(call)
        order = _named(call, desk)
        if SIDES.get(call.text("side")) is not order.side:
            raise Refusal(SIDE_NOT_VALID)
        quantity, limit_price = call.needed_number("quantity"), call.needed_number("price")
        board = call.symbol(Product.USDM)
        check_digits(board, quantity, limit_price)
        _check_band(board, order.side, limit_price)
        desk.amend(order, quantity, limit_price)
        desk.floor.settle()
        return rows.usdm_answered(desk, order)

    return amend


def _open_orders(desk_of: DeskOf) -> Callable[[Call], list[Row]]:
    def open_orders(call: Call) -> list[Row]:
        desk = desk_of(call)
        symbol = call.symbol(Product.USDM).symbol if call.maybe("symbol") else ""
        return [rows.usdm_order(desk, order) for order in desk.open_orders(symbol)]

    return open_orders


def _cancel_open(desk_of: DeskOf) -> Callable[[Call], Row]:
    def cancel_open(call: Call) -> Row:
        cancel_all(call, desk_of(call))
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    return cancel_open


def _all_orders(desk_of: DeskOf) -> Callable[[Call], list[Row]]:
    def all_orders(call: Call) -> list[Row]:
        desk = desk_of(call)
        return [rows.usdm_order(desk, order) for order in listed_orders(call, desk)]

    return all_orders


def _user_trades(desk_of: DeskOf) -> Callable[[Call], list[Row]]:
    def user_trades(call: Call) -> list[Row]:
        desk = desk_of(call)
        realized = {(each.symbol, each.trade_id): each.amount for each in desk.incomes if each.kind == "REALIZED_PNL"}
        return [
            rows.usdm_trade(desk, fill, realized.get((desk.order_of(fill).symbol, str(fill.trade_id)), ZERO))
            for fill in listed_trades(call, desk)
        ]

    return user_trades


def _batch_place(call: Call) -> list[Row]:
    """Answer each order by itself: one may be taken and the next refused."""
    return _each(call, "batchOrders", _place(classic))


def _batch_cancel(call: Call) -> list[Row]:
    names = _texts(call.maybe("origClientOrderIdList"))
    ids = _texts(call.maybe("orderIdList"))
    symbol = call.text("symbol")
    asked = [{"symbol": symbol, "origClientOrderId": name} for name in names]
    asked += [{"symbol": symbol, "orderId": each} for each in ids]
    return _answers(call, asked, _cancel(classic))


def _each(call: Call, name: str, answer: Callable[[Call], Row]) -> list[Row]:
    try:
        asked = msgspec.json.decode(call.text(name), type=list[dict[str, str | int | float | bool]])
    except msgspec.MsgspecError:
        raise refuse(400, -1130, f"Data sent for parameter '{name}' is not valid.") from None
    told = [
        {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in each.items()}
        for each in asked
    ]
    return _answers(call, told, answer)


def _answers(call: Call, asked: list[dict[str, str]], answer: Callable[[Call], Row]) -> list[Row]:
    if not 1 <= len(asked) <= 2 * BATCH_MAX:
        raise refuse(400, -4082, "Invalid number of batch place orders.")
    found: list[Row] = []
    for params in asked:
        try:
            found.append(answer(Call(call.venue, params, call.customer)))
        except Refusal as refusal:
            found.append(error_row(refusal))
    return found


def _texts(text: str) -> list[str]:
    return [each.strip(' "') for each in text.strip("[]").split(",") if each.strip(' "')]


# The account


def _balance(desk_of: DeskOf) -> Callable[[Call], list[Row]]:
    return lambda call: rows.usdm_balances(desk_of(call))


def positions_v2(desk_of: DeskOf) -> Callable[[Call], list[Row]]:
    return lambda call: rows.positions_v2(desk_of(call), asked_boards(call, Product.USDM))


def _positions_v3(desk_of: DeskOf) -> Callable[[Call], list[Row]]:
    return lambda call: rows.positions_v3(desk_of(call), asked_boards(call, Product.USDM))


def _account(is_new: bool) -> Callable[[Call], Row]:
    def account(call: Call) -> Row:
        desk = classic(call)
        boards = call.boards(Product.USDM)
        owned = desk.exchange.balances(desk.account_id).get("USDT", ZERO)
        profit, held, ordered = rows.unrealized(desk), rows.position_margin(desk), rows.order_margin(desk)
        available = rows.available_margin(desk)
        notional = sum(
            [
                abs(holding.net_qty) * desk.floor.boards[Product.USDM, symbol].mark()
                for (symbol, _), holding in desk.holdings.items()
            ],
            ZERO,
        )
        sums: Row = {
            "totalInitialMargin": padded(held + ordered),
            "totalMaintMargin": padded(notional * rows.MAINTENANCE),
            "totalWalletBalance": padded(owned),
            "totalUnrealizedProfit": padded(profit),
            "totalMarginBalance": padded(owned + profit),
            "totalPositionInitialMargin": padded(held),
            "totalOpenOrderInitialMargin": padded(ordered),
            "totalCrossWalletBalance": padded(owned),
            "totalCrossUnPnl": padded(profit),
            "availableBalance": padded(available),
            "maxWithdrawAmount": padded(min(available, owned)),
        }
        assets: list[Row] = [
            {
                "asset": "USDT",
                "walletBalance": padded(owned),
                "unrealizedProfit": padded(profit),
                "marginBalance": padded(owned + profit),
                "maintMargin": padded(notional * rows.MAINTENANCE),
                "initialMargin": padded(held + ordered),
                "positionInitialMargin": padded(held),
                "openOrderInitialMargin": padded(ordered),
                "crossWalletBalance": padded(owned),
                "crossUnPnl": padded(profit),
                "availableBalance": padded(available),
                "maxWithdrawAmount": padded(min(available, owned)),
                "marginAvailable": True,
                "updateTime": call.venue.now_ms(),
            }
        ]
        if is_new:
            return sums | {"assets": assets, "positions": rows.positions_v3(desk, boards)}
        customer = call.customer
        return {
            "feeTier": 0,
            "canTrade": customer.can_trade,
            "canDeposit": True,
            "canWithdraw": customer.can_withdraw,
            "tradeGroupId": -1,
            "updateTime": 0,
            "multiAssetsMargin": desk.is_multi_assets,
            **sums,
            "assets": assets,
            "positions": [_account_position(desk, row) for row in rows.positions_v2(desk, boards)],
        }

    return account


def _account_position(desk: Desk, row: Row) -> Row:
    """Return a position as the old account answer has it."""
    symbol, side = str(row["symbol"]), PositionSide[str(row["positionSide"])]
    holding = desk.holdings.get((symbol, side)) or Holding(side)
    margin = padded(desk.margin_of(symbol, holding))
    kept = (
        "symbol",
        "leverage",
        "entryPrice",
        "breakEvenPrice",
        "positionSide",
        "positionAmt",
        "notional",
        "updateTime",
    )
    return {name: row[name] for name in kept} | {
        "initialMargin": margin,
        "maintMargin": padded(abs(Decimal(str(row["notional"]))) * rows.MAINTENANCE),
        "unrealizedProfit": row["unRealizedProfit"],
        "positionInitialMargin": margin,
        "openOrderInitialMargin": "0",
        "isolated": row["marginType"] == "isolated",
        "maxNotional": "100000000",
        "bidNotional": "0",
        "askNotional": "0",
        "isolatedWallet": "0",
    }


def _set_leverage(desk_of: DeskOf) -> Callable[[Call], Row]:
    def set_leverage(call: Call) -> Row:
        symbol, leverage = call.symbol(Product.USDM).symbol, call.text("leverage")
        if not leverage.isdigit() or not 1 <= int(leverage) <= 125:
            raise refuse(400, -4028, f"Leverage {leverage} is not valid")
        desk = desk_of(call)
        desk.set_leverage(symbol, Decimal(leverage))
        return {"leverage": int(leverage), "maxNotionalValue": "100000000", "symbol": symbol}

    return set_leverage


def _margin_type(call: Call) -> Row:
    desk, symbol = classic(call), call.symbol(Product.USDM).symbol
    wanted = call.text("marginType")
    if wanted not in ("ISOLATED", "CROSSED"):
        raise refuse(400, -1130, "Data sent for parameter 'marginType' is not valid.")
    if (wanted == "ISOLATED") == (symbol in desk.isolated):
        raise Refusal(NO_NEED_TO_CHANGE_MARGIN)
    if desk.open_orders(symbol):
        raise Refusal(MARGIN_TYPE_ORDERS)
    if any(holding.net_qty for (each, _), holding in desk.holdings.items() if each == symbol):
        raise Refusal(MARGIN_TYPE_POSITION)
    if wanted == "ISOLATED":
        desk.isolated.add(symbol)
    else:
        desk.isolated.discard(symbol)
    return {"code": 200, "msg": "success"}


def _position_mode(desk_of: DeskOf) -> Callable[[Call], Row]:
    return lambda call: {"dualSidePosition": desk_of(call).is_hedge_mode}


def _set_position_mode(desk_of: DeskOf) -> Callable[[Call], Row]:
    def set_position_mode(call: Call) -> Row:
        call.text("dualSidePosition")
        desk_of(call).set_hedge_mode(call.flag("dualSidePosition"))
        return {"code": 200, "msg": "success"}

    return set_position_mode


def _multi_assets(call: Call) -> Row:
    return {"multiAssetsMargin": classic(call).is_multi_assets}


def _set_multi_assets(call: Call) -> Row:
    call.text("multiAssetsMargin")
    classic(call).set_multi_assets(call.flag("multiAssetsMargin"))
    return {"code": 200, "msg": "success"}


def _brackets(desk_of: DeskOf) -> Callable[[Call], object]:
    def brackets(call: Call) -> object:
        bracket: Row = {
            "bracket": 1,
            "initialLeverage": 125,
            "notionalCap": 100000000,
            "notionalFloor": 0,
            "maintMarginRatio": 0.004,
            "cum": 0.0,
        }
        # Binance answers with a list here even for one symbol.
        return [{"symbol": board.symbol, "brackets": [bracket]} for board in asked_boards(call, Product.USDM)]

    return brackets


def _commission(call: Call) -> Row:
    customer = call.customer
    return {
        "symbol": call.symbol(Product.USDM).symbol,
        "makerCommissionRate": plain(customer.maker_bps * BPS),
        "takerCommissionRate": plain(customer.taker_bps * BPS),
    }


def _account_config(call: Call) -> Row:
    desk, customer = classic(call), call.customer
    return {
        "feeTier": 0,
        "canTrade": customer.can_trade,
        "canDeposit": True,
        "canWithdraw": customer.can_withdraw,
        "dualSidePosition": desk.is_hedge_mode,
        "updateTime": 0,
        "multiAssetsMargin": desk.is_multi_assets,
        "tradeGroupId": -1,
    }


def _symbol_config(desk_of: DeskOf) -> Callable[[Call], list[Row]]:
    def symbol_config(call: Call) -> list[Row]:
        desk = desk_of(call)
        return [
            {
                "symbol": board.symbol,
                "marginType": "ISOLATED" if board.symbol in desk.isolated else "CROSSED",
                # Portfolio margin writes it as a text.
                "isAutoAddMargin": "false" if desk.kind is Kind.PORTFOLIO else False,
                "leverage": int(desk.leverage(board.symbol)),
                "maxNotionalValue": "100000000",
            }
            for board in asked_boards(call, Product.USDM)
        ]

    return symbol_config


def _income(desk_of: DeskOf) -> Callable[[Call], list[Row]]:
    def income(call: Call) -> list[Row]:
        symbol, kind = call.maybe("symbol"), call.maybe("incomeType")
        start_ms, end_ms = call.whole("startTime", 0), call.whole("endTime", 1 << 62)
        limit = min(call.whole("limit", 100), 1000)
        desk = desk_of(call)
        found = [
            each
            for each in desk.incomes
            if symbol in ("", each.symbol) and kind in ("", each.kind) and start_ms <= each.ts_ms <= end_ms
        ]
        return [
            {
                "symbol": each.symbol,
                "incomeType": each.kind,
                "income": padded(each.amount),
                "asset": "USDT",
                "info": each.kind if not each.trade_id else each.trade_id,
                "time": each.ts_ms,
                # Portfolio margin writes it as a text.
                "tranId": str(each.tran_id) if desk.kind is Kind.PORTFOLIO else each.tran_id,
                "tradeId": each.trade_id,
            }
            for each in (found[:limit] if call.maybe("startTime") else found[-limit:])
        ]

    return income


def _order_limits(call: Call) -> object:
    return call.venue.limits.used_orders("usdm", call.customer.key)


def listen_keys(kind: Kind, path: str) -> Endpoints:
    """Return the endpoints of a kind's listen key: open or prolong, prolong, close."""

    def opened(call: Call) -> Row:
        return {"listenKey": call.venue.streams.open_key(call.customer, kind)}

    def prolonged(call: Call) -> Row:
        key = call.venue.streams.prolong_key(call.customer, kind)
        if key is None:
            raise Refusal(BAD_LISTEN_KEY)
        return {"listenKey": key} if kind is Kind.USDM else {}

    def closed(call: Call) -> Row:
        call.venue.streams.close_key(call.customer, kind)
        return {}

    return {
        ("POST", path): Endpoint(opened, Security.KEY),
        ("PUT", path): Endpoint(prolonged, Security.KEY),
        ("DELETE", path): Endpoint(closed, Security.KEY),
    }


# Markets


def _ping(call: Call) -> Row:
    return {}


def _time(call: Call) -> Row:
    return {"serverTime": call.venue.now_ms()}


def _exchange_info(call: Call) -> Row:
    return {
        "timezone": "UTC",
        "serverTime": call.venue.now_ms(),
        "futuresType": "U_MARGINED",
        "rateLimits": call.venue.limits.told("usdm"),
        "exchangeFilters": [],
        "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"}],
        "symbols": [rows.usdm_symbol(board) for board in call.boards(Product.USDM)],
    }


def _depth(call: Call) -> Row:
    return rows.depth(call.symbol(Product.USDM), min(call.whole("limit", 500), DEPTH_MAX), call.venue.now_ms())


def _premium(call: Call) -> object:
    told: list[Row] = []
    for board in asked_boards(call, Product.USDM):
        rate = board.exchange.funding_rate(board.id)
        mark = padded(board.mark())
        told.append(
            {
                "symbol": board.symbol,
                "markPrice": mark,
                "indexPrice": mark,
                "estimatedSettlePrice": mark,
                "lastFundingRate": padded(rate.rate) if rate else "",
                "interestRate": "0.00010000",
                "nextFundingTime": rate.next_funding_ts_ns // 1_000_000 if rate else 0,
                "time": call.venue.now_ms(),
            }
        )
    return one_or_all(call, told)


def _funding_info(call: Call) -> list[Row]:
    return [
        {
            "symbol": board.symbol,
            "adjustedFundingRateCap": "0.02000000",
            "adjustedFundingRateFloor": "-0.02000000",
            "fundingIntervalHours": 8,
            "disclaimer": False,
        }
        for board in call.boards(Product.USDM)
    ]


def _inverse_info(call: Call) -> Row:
    """Coin-margined futures are not emulated; clients that list every market find none."""
    return {
        "timezone": "UTC",
        "serverTime": call.venue.now_ms(),
        "rateLimits": [],
        "exchangeFilters": [],
        "symbols": [],
    }


_KEY, _SIGNED = Security.KEY, Security.SIGNED


def orders_of(prefix: str, desk_of: DeskOf) -> Endpoints:
    """Return the endpoints of orders under `prefix`."""
    return {
        ("POST", f"{prefix}/order"): Endpoint(_place(desk_of), _SIGNED, 1, 1),
        ("GET", f"{prefix}/order"): Endpoint(_query(desk_of), _SIGNED),
        ("PUT", f"{prefix}/order"): Endpoint(_amend(desk_of), _SIGNED, 1, 1),
        ("DELETE", f"{prefix}/order"): Endpoint(_cancel(desk_of), _SIGNED),
        ("GET", f"{prefix}/openOrder"): Endpoint(_open_order(desk_of), _SIGNED),
        ("GET", f"{prefix}/openOrders"): Endpoint(_open_orders(desk_of), _SIGNED),
        ("DELETE", f"{prefix}/allOpenOrders"): Endpoint(_cancel_open(desk_of), _SIGNED),
        ("GET", f"{prefix}/allOrders"): Endpoint(_all_orders(desk_of), _SIGNED, 5),
        ("GET", f"{prefix}/userTrades"): Endpoint(_user_trades(desk_of), _SIGNED, 5),
        ("POST", f"{prefix}/leverage"): Endpoint(_set_leverage(desk_of), _SIGNED),
        ("GET", f"{prefix}/positionSide/dual"): Endpoint(_position_mode(desk_of), _SIGNED, 30),
        ("POST", f"{prefix}/positionSide/dual"): Endpoint(_set_position_mode(desk_of), _SIGNED),
        ("GET", f"{prefix}/leverageBracket"): Endpoint(_brackets(desk_of), _SIGNED),
        ("GET", f"{prefix}/commissionRate"): Endpoint(_commission, _SIGNED, 20),
        ("GET", f"{prefix}/symbolConfig"): Endpoint(_symbol_config(desk_of), _SIGNED, 5),
        ("GET", f"{prefix}/income"): Endpoint(_income(desk_of), _SIGNED, 30),
    }


ENDPOINTS: Endpoints = {
    ("GET", "/fapi/v1/ping"): Endpoint(_ping),
    ("GET", "/fapi/v1/time"): Endpoint(_time),
    ("GET", "/fapi/v1/exchangeInfo"): Endpoint(_exchange_info),
    ("GET", "/dapi/v1/exchangeInfo"): Endpoint(_inverse_info),
    ("GET", "/fapi/v1/depth"): Endpoint(_depth, weight=10),
    ("GET", "/fapi/v1/trades"): Endpoint(lambda call: public_trades(call, call.symbol(Product.USDM)), weight=5),
    ("GET", "/fapi/v1/aggTrades"): Endpoint(lambda call: aggregate_trades(call, call.symbol(Product.USDM)), weight=20),
    ("GET", "/fapi/v1/ticker/bookTicker"): Endpoint(lambda call: book_tickers(call, Product.USDM), weight=2),
    ("GET", "/fapi/v1/ticker/price"): Endpoint(lambda call: price_tickers(call, Product.USDM)),
    ("GET", "/fapi/v2/ticker/price"): Endpoint(lambda call: price_tickers(call, Product.USDM)),
    ("GET", "/fapi/v1/ticker/24hr"): Endpoint(lambda call: day_tickers(call, Product.USDM)),
    ("GET", "/fapi/v1/klines"): Endpoint(lambda call: klines(call, Product.USDM), weight=5),
    ("GET", "/fapi/v1/premiumIndex"): Endpoint(_premium),
    ("GET", "/fapi/v1/fundingInfo"): Endpoint(_funding_info),
    ("POST", "/fapi/v1/order/test"): Endpoint(_test, _SIGNED),
    **orders_of("/fapi/v1", classic),
    ("POST", "/fapi/v1/batchOrders"): Endpoint(_batch_place, _SIGNED, 5, 5),
    ("DELETE", "/fapi/v1/batchOrders"): Endpoint(_batch_cancel, _SIGNED),
    ("GET", "/fapi/v2/balance"): Endpoint(_balance(classic), _SIGNED, 5),
    ("GET", "/fapi/v3/balance"): Endpoint(_balance(classic), _SIGNED, 5),
    ("GET", "/fapi/v2/account"): Endpoint(_account(is_new=False), _SIGNED, 5),
    ("GET", "/fapi/v3/account"): Endpoint(_account(is_new=True), _SIGNED, 5),
    ("GET", "/fapi/v2/positionRisk"): Endpoint(positions_v2(classic), _SIGNED, 5),
    ("GET", "/fapi/v3/positionRisk"): Endpoint(_positions_v3(classic), _SIGNED, 5),
    ("POST", "/fapi/v1/marginType"): Endpoint(_margin_type, _SIGNED),
    ("GET", "/fapi/v1/multiAssetsMargin"): Endpoint(_multi_assets, _SIGNED, 30),
    ("POST", "/fapi/v1/multiAssetsMargin"): Endpoint(_set_multi_assets, _SIGNED),
    ("GET", "/fapi/v1/accountConfig"): Endpoint(_account_config, _SIGNED, 5),
    ("GET", "/fapi/v1/rateLimit/order"): Endpoint(_order_limits, _SIGNED),
    **listen_keys(Kind.USDM, "/fapi/v1/listenKey"),
}
