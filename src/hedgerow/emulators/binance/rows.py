"""What the venue answers: orders, trades, balances, positions and instruments as rows of the wire."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hedgerow.emulators.binance.desk import CONDITIONAL_ORDERS_MAX, OPEN_ORDERS_MAX, Desk
from hedgerow.emulators.binance.floor import Board
from hedgerow.emulators.binance.frames import levels, price, qty
from hedgerow.emulators.binance.orders import EIGHTH, SIDE_WORDS, Product, Row, WireOrder, on_grid, padded, plain
from hedgerow.market.answers import PositionSide, TradeReport
from hedgerow.market.state import Holding
from hedgerow.model.numbers import BPS, ZERO
from hedgerow.model.order import Side

# How far from the mark a USD-M limit order may stand: a buy above it, a sell below it.
BAND_UP, BAND_DOWN = Decimal("1.05"), Decimal("0.95")
MAINTENANCE = Decimal("0.004")
# Of spot's trailing stops, in basis points.
TRAILING_DELTA_MIN, TRAILING_DELTA_MAX = 10, 2000


# Spot and margin


def spot_ack(order: WireOrder) -> Row:
    """Return the short answer to a new order."""
    return {
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": order.client_order_id,
        "transactTime": order.updated_ms,
    }


def spot_result(order: WireOrder) -> Row:
    """Return the answer to a new order that says how it stands."""
    return spot_ack(order) | _spot_state(order) | _spot_condition(order) | {"workingTime": _working_ms(order)}


def spot_full(order: WireOrder) -> Row:
    """Return the answer to a new order with its trades."""
    fills = [
        {
            "price": padded(fill.price),
            "qty": padded(fill.qty),
            "commission": padded(fill.fee),
            "commissionAsset": fill.fee_currency,
            "tradeId": fill.trade_id,
        }
        for fill in order.fills
    ]
    return spot_result(order) | {"fills": fills}


def spot_order(order: WireOrder) -> Row:
    """Return an order as a query tells it."""
    return {
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": order.client_order_id,
        **_spot_state(order),
        "stopPrice": padded(ZERO),
        **_spot_condition(order),
        "icebergQty": padded(ZERO),
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": not order.is_waiting,
        "workingTime": _working_ms(order),
    }


def spot_canceled(order: WireOrder) -> Row:
    """Return the answer to a cancel: `clientOrderId` is the cancel's own."""
    return {
        "symbol": order.symbol,
        "origClientOrderId": order.client_order_id,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": order.cancel_id,
        "transactTime": order.updated_ms,
        **_spot_state(order),
        **_spot_condition(order),
    }


def margin_new(order: WireOrder) -> Row:
    """Return margin's answer to a new order."""
    row = spot_full(order) | {"isIsolated": False}
    del row["orderListId"], row["workingTime"], row["origQuoteOrderQty"]
    if order.borrowed:
        # The only quantity that is a number on the wire.
        borrowed = msgspec.Raw(plain(order.borrowed).encode())
        row |= {"marginBuyBorrowAmount": borrowed, "marginBuyBorrowAsset": order.borrowed_asset}
    return row


def margin_order(order: WireOrder) -> Row:
    """Return a margin order as a query tells it."""
    row = spot_order(order) | {"isIsolated": False, "accountId": 1}
    del row["orderListId"], row["workingTime"], row["origQuoteOrderQty"]
    return row


def margin_canceled(order: WireOrder) -> Row:
    """Return margin's answer to a cancel."""
    row = spot_canceled(order) | {"isIsolated": False}
    del row["orderListId"], row["transactTime"], row["origQuoteOrderQty"]
    return row


def _spot_condition(order: WireOrder) -> Row:
    """Return what only a conditional order's rows have."""
    condition = order.condition
    if condition is None:
        return {}
    row: Row = {"stopPrice": padded(condition.trigger)}
    if condition.back:
        row["trailingDelta"] = int(condition.back / BPS)
        row["trailingTime"] = order.created_ms if condition.best is not None else -1
    return row


def _working_ms(order: WireOrder) -> int:
    """Return since when the matching has an order; -1 while it does not."""
    if order.condition is None:
        return order.created_ms
    return order.working_ms or -1


def _spot_state(order: WireOrder) -> Row:
    return {
        "price": padded(order.price),
        "origQty": padded(order.qty),
        "executedQty": padded(order.cum_qty),
        "origQuoteOrderQty": padded(order.quote_qty),
        "cummulativeQuoteQty": padded(order.cum_quote),
        "status": order.status.value,
        "timeInForce": order.time_in_force,
        "type": order.type,
        "side": SIDE_WORDS[order.side],
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }


def spot_trade(desk: Desk, fill: TradeReport) -> Row:
    """Return one of the account's trades."""
    order = desk.order_of(fill)
    return {
        "symbol": order.symbol,
        "id": fill.trade_id,
        "orderId": order.id,
        "orderListId": -1,
        "price": padded(fill.price),
        "qty": padded(fill.qty),
        "quoteQty": padded(fill.qty * fill.price),
        "commission": padded(fill.fee),
        "commissionAsset": fill.fee_currency,
        "time": fill.venue_ts_ns // 1_000_000,
        "isBuyer": fill.side is Side.BUY,
        "isMaker": fill.is_maker,
        "isBestMatch": True,
    }


def margin_trade(desk: Desk, fill: TradeReport) -> Row:
    """Return one of a margin account's trades."""
    row = spot_trade(desk, fill) | {"isIsolated": False}
    del row["orderListId"], row["quoteQty"]
    return row


def spot_balances(desk: Desk) -> list[Row]:
    """Return what a spot account owns."""
    owned, locked = desk.owned(), desk.locked()
    return [
        {"asset": asset, "free": padded(number - locked[asset]), "locked": padded(locked[asset])}
        for asset, number in owned.items()
    ]


def margin_balances(desk: Desk) -> list[Row]:
    """Return what a margin account owns and owes."""
    owned, locked = desk.owned(), desk.locked()
    rows: list[Row] = []
    for asset, number in owned.items():
        principal, interest = desk.loans.get(asset, ZERO), desk.interest.get(asset, ZERO)
        rows.append(
            {
                "asset": asset,
                "free": padded(number - locked[asset]),
                "locked": padded(locked[asset]),
                "borrowed": padded(principal),
                "interest": padded(interest),
                "netAsset": padded(number - principal - interest),
            }
        )
    return rows


# USD-M


def usdm_order(desk: Desk, order: WireOrder) -> Row:
    """Return an order as every USD-M answer tells it."""
    board = desk.floor.boards[desk.product, order.symbol]
    step = board.instrument.step
    return {
        "orderId": order.id,
        "symbol": order.symbol,
        "status": order.status.value,
        "clientOrderId": order.client_order_id,
        "price": price(board, order.price),
        "avgPrice": plain(order.avg_price) if order.cum_qty else "0.00000",
        "origQty": on_grid(order.qty, step),
        "executedQty": on_grid(order.cum_qty, step),
        "cumQuote": plain(order.cum_quote),
        "timeInForce": order.time_in_force,
        "type": order.type,
        "reduceOnly": order.reduce_only,
        "closePosition": False,
        "side": SIDE_WORDS[order.side],
        "positionSide": order.position_side.name,
        "stopPrice": "0",
        "workingType": "CONTRACT_PRICE",
        "priceMatch": "NONE",
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "goodTillDate": order.good_till_ms,
        "priceProtect": False,
        "origType": order.type,
        "time": order.created_ms,
        "updateTime": order.updated_ms,
    }


def usdm_answered(desk: Desk, order: WireOrder) -> Row:
    """Return the answer to a new, canceled or amended order."""
    row = usdm_order(desk, order) | {
        "cumQty": on_grid(order.cum_qty, desk.floor.boards[desk.product, order.symbol].instrument.step)
    }
    del row["time"]
    return row


def usdm_acked(desk: Desk, order: WireOrder) -> Row:
    """Return the answer to a new order before the matching: nothing of it is filled yet."""
    row = usdm_answered(desk, order)
    zero = on_grid(ZERO, desk.floor.boards[desk.product, order.symbol].instrument.step)
    return row | {"status": "NEW", "avgPrice": "0.00", "executedQty": zero, "cumQty": zero, "cumQuote": "0.00000"}


def usdm_trade(desk: Desk, fill: TradeReport, realized: Decimal) -> Row:
    """Return one of the account's trades."""
    order = desk.order_of(fill)
    board = desk.floor.boards[desk.product, order.symbol]
    return {
        "symbol": order.symbol,
        "id": fill.trade_id,
        "orderId": order.id,
        "side": SIDE_WORDS[fill.side],
        "price": price(board, fill.price),
        "qty": qty(board, fill.qty),
        "realizedPnl": padded(realized),
        "quoteQty": plain(fill.qty * fill.price),
        "commission": padded(fill.fee),
        "commissionAsset": fill.fee_currency,
        "time": fill.venue_ts_ns // 1_000_000,
        "positionSide": order.position_side.name,
        "buyer": fill.side is Side.BUY,
        "maker": fill.is_maker,
    }


def usdm_balances(desk: Desk) -> list[Row]:
    """Return what a futures account owns."""
    available = available_margin(desk)
    return [
        {
            "accountAlias": "SgsR",
            "asset": asset,
            "balance": padded(owned),
            "crossWalletBalance": padded(owned),
            "crossUnPnl": padded(unrealized(desk) if asset == "USDT" else ZERO),
            "availableBalance": padded(available if asset == "USDT" else owned),
            "maxWithdrawAmount": padded(max(min(available, owned), ZERO) if asset == "USDT" else owned),
            "marginAvailable": True,
            "updateTime": max(desk.moved_ms.values(), default=0),
        }
        for asset, owned in desk.exchange.balances(desk.account_id).items()
    ]


def unrealized(desk: Desk) -> Decimal:
    """Return the P&L of closing every position at its mark."""
    return sum([desk.unrealized(symbol, holding) for (symbol, _), holding in desk.holdings.items()], ZERO)


def position_margin(desk: Desk) -> Decimal:
    """Return the initial margin of all positions."""
    return sum([desk.margin_of(symbol, holding) for (symbol, _), holding in desk.holdings.items()], ZERO)


def order_margin(desk: Desk) -> Decimal:
    """Return the initial margin of all open orders."""
    return desk.locked().get("USDT", ZERO).quantize(EIGHTH)


def available_margin(desk: Desk) -> Decimal:
    """Return what new orders may lock."""
    owned = desk.exchange.balances(desk.account_id).get("USDT", ZERO)
    return max(owned + unrealized(desk) - position_margin(desk) - order_margin(desk), ZERO)


def position_sides(desk: Desk) -> tuple[PositionSide, ...]:
    """Return which positions a symbol has."""
    return (PositionSide.LONG, PositionSide.SHORT) if desk.is_hedge_mode else (PositionSide.BOTH,)


def _entry(holding: Holding) -> str:
    if not holding.net_qty:
        return "0.0"
    return plain((holding.net_cost / holding.net_qty).quantize(EIGHTH))


def position_v2(desk: Desk, board: Board, side: PositionSide) -> Row:
    """Return a position in the old form, which lists every symbol."""
    holding = desk.holdings.get((board.symbol, side)) or Holding(side)
    mark = board.mark()
    return {
        "symbol": board.symbol,
        "positionAmt": qty(board, holding.net_qty),
        "entryPrice": _entry(holding),
        "breakEvenPrice": _entry(holding),
        "markPrice": padded(mark),
        "unRealizedProfit": padded(desk.unrealized(board.symbol, holding)),
        "liquidationPrice": "0",
        "leverage": plain(desk.leverage(board.symbol)),
        "maxNotionalValue": "100000000",
        "marginType": "isolated" if board.symbol in desk.isolated else "cross",
        "isolatedMargin": "0.00000000",
        "isAutoAddMargin": "false",
        "positionSide": side.name,
        "notional": padded(holding.net_qty * mark),
        "isolatedWallet": "0",
        "updateTime": desk.moved_ms.get((board.symbol, side), 0),
    }


def position_v3(desk: Desk, board: Board, side: PositionSide) -> Row:
    """Return a position in the new form, which lists only symbols with a position or an order."""
    holding = desk.holdings.get((board.symbol, side)) or Holding(side)
    mark = board.mark()
    notional = holding.net_qty * mark
    margin = desk.margin_of(board.symbol, holding)
    return {
        "symbol": board.symbol,
        "positionSide": side.name,
        "positionAmt": qty(board, holding.net_qty),
        "entryPrice": _entry(holding),
        "breakEvenPrice": _entry(holding),
        "markPrice": padded(mark),
        "unRealizedProfit": padded(desk.unrealized(board.symbol, holding)),
        "liquidationPrice": "0",
        "isolatedMargin": "0",
        "notional": padded(notional),
        "marginAsset": "USDT",
        "isolatedWallet": "0",
        "initialMargin": padded(margin),
        "maintMargin": padded(abs(notional) * MAINTENANCE),
        "positionInitialMargin": padded(margin),
        "openOrderInitialMargin": "0",
        "adl": 0,
        "bidNotional": "0",
        "askNotional": "0",
        "updateTime": desk.moved_ms.get((board.symbol, side), 0),
    }


def positions_v2(desk: Desk, boards: list[Board]) -> list[Row]:
    return [position_v2(desk, board, side) for board in boards for side in position_sides(desk)]


def positions_v3(desk: Desk, boards: list[Board]) -> list[Row]:
    rows = []
    for board in boards:
        has_orders = bool(desk.open_orders(board.symbol))
        for side in position_sides(desk):
            holding = desk.holdings.get((board.symbol, side))
            if has_orders or (holding is not None and holding.net_qty):
                rows.append(position_v3(desk, board, side))
    return rows


# Markets


def depth(board: Board, limit: int, now_ms: int) -> Row:
    """Return the book as a request gets it: it holds everything up to its update id."""
    quote = board.quote(limit)
    row: Row = {"lastUpdateId": board.update_id}
    if board.product is Product.USDM:
        row |= {"E": now_ms, "T": now_ms}
    return row | {"bids": levels(board, quote.bids), "asks": levels(board, quote.asks)}


def spot_symbol(board: Board) -> Row:
    """Return a symbol of spot's exchange information."""
    instrument = board.instrument
    return {
        "symbol": board.symbol,
        "status": "TRADING" if not board.is_halted else "BREAK",
        "baseAsset": instrument.base,
        "baseAssetPrecision": 8,
        "quoteAsset": instrument.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": [
            "LIMIT",
            "LIMIT_MAKER",
            "MARKET",
            "STOP_LOSS",
            "STOP_LOSS_LIMIT",
            "TAKE_PROFIT",
            "TAKE_PROFIT_LIMIT",
        ],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "amendAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": True,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": padded(instrument.tick),
                "maxPrice": "1000000.00000000",
                "tickSize": padded(instrument.tick),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": padded(instrument.min_qty),
                "maxQty": padded(instrument.max_qty or Decimal(9000)),
                "stepSize": padded(instrument.step),
            },
            {
                "filterType": "MARKET_LOT_SIZE",
                "minQty": "0.00000000",
                "maxQty": padded(instrument.max_qty or Decimal(9000)),
                "stepSize": "0.00000000",
            },
            {
                "filterType": "PERCENT_PRICE_BY_SIDE",
                "bidMultiplierUp": plain(instrument.band_up or Decimal(5)),
                "bidMultiplierDown": plain(instrument.band_down or Decimal("0.2")),
                "askMultiplierUp": plain(instrument.band_up or Decimal(5)),
                "askMultiplierDown": plain(instrument.band_down or Decimal("0.2")),
                "avgPriceMins": 5,
            },
            {
                "filterType": "NOTIONAL",
                "minNotional": padded(instrument.min_notional),
                "applyMinToMarket": True,
                "maxNotional": "9000000.00000000",
                "applyMaxToMarket": False,
                "avgPriceMins": 5,
            },
            {
                "filterType": "TRAILING_DELTA",
                "minTrailingAboveDelta": TRAILING_DELTA_MIN,
                "maxTrailingAboveDelta": TRAILING_DELTA_MAX,
                "minTrailingBelowDelta": TRAILING_DELTA_MIN,
                "maxTrailingBelowDelta": TRAILING_DELTA_MAX,
            },
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": OPEN_ORDERS_MAX},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": CONDITIONAL_ORDERS_MAX},
        ],
        "permissions": [],
        "permissionSets": [["SPOT", "MARGIN"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "NONE"],
    }


def usdm_symbol(board: Board) -> Row:
    """Return a symbol of USD-M's exchange information."""
    instrument = board.instrument
    step = plain(instrument.step)
    return {
        "symbol": board.symbol,
        "pair": board.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000,
        "status": "TRADING" if not board.is_halted else "PENDING_TRADING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": instrument.base,
        "quoteAsset": instrument.quote,
        "marginAsset": instrument.quote,
        "pricePrecision": board.price_digits,
        "quantityPrecision": max(0, len(step.partition(".")[2])),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW"],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10000,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": price(board, instrument.tick),
                "maxPrice": "4529764",
                "tickSize": price(board, instrument.tick),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": step,
                "maxQty": plain(instrument.max_qty or Decimal(1000)),
                "stepSize": step,
            },
            {
                "filterType": "MARKET_LOT_SIZE",
                "minQty": step,
                "maxQty": plain((instrument.max_qty or Decimal(1000)) * Decimal("0.12")),
                "stepSize": step,
            },
            {"filterType": "MAX_NUM_ORDERS", "limit": OPEN_ORDERS_MAX},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": OPEN_ORDERS_MAX},
            {"filterType": "MIN_NOTIONAL", "notional": plain(instrument.min_notional)},
            {
                "filterType": "PERCENT_PRICE",
                "multiplierUp": f"{BAND_UP:.4f}",
                "multiplierDown": f"{BAND_DOWN:.4f}",
                "multiplierDecimal": "4",
            },
        ],
        "orderTypes": [
            "LIMIT",
            "MARKET",
            "STOP",
            "STOP_MARKET",
            "TAKE_PROFIT",
            "TAKE_PROFIT_MARKET",
            "TRAILING_STOP_MARKET",
        ],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
    }
