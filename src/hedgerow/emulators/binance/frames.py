"""What the venue pushes: frames of user streams and of market streams, as rows of the wire.

Source: Binance docs, user data streams of spot, margin, USD-M and portfolio margin, and their market streams (recalled,
and held against the recorded files where those have the frame).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from hedgerow.emulators.binance.customers import Kind
from hedgerow.emulators.binance.orders import SIDE_WORDS, Product, Row, WireOrder, on_grid, padded, plain
from hedgerow.market.answers import PositionSide, TradeReport
from hedgerow.model.market import Level
from hedgerow.model.numbers import BPS, ZERO

if TYPE_CHECKING:
    from hedgerow.emulators.binance.desk import Desk
    from hedgerow.emulators.binance.floor import Board, DepthChange, Print

# Binance's own reason of an order that was not refused.
NONE = "NONE"


def order_update(desk: Desk, order: WireOrder, execution: str) -> Row:
    """Return the frame of an order that changed without a trade."""
    now_ms = order.updated_ms
    if desk.product is Product.SPOT:
        return execution_report(order, execution, None, now_ms)
    return order_trade_update(desk, order, execution, None, ZERO, now_ms)


def traded(desk: Desk, order: WireOrder, fill: TradeReport, realized: Decimal) -> list[Row]:
    """Return the frames of one trade: on classic USD-M the short form comes first."""
    now_ms = order.updated_ms
    if desk.product is Product.SPOT:
        return [execution_report(order, "TRADE", fill, now_ms)]
    execution = "CALCULATED" if order.type == "LIQUIDATION" else "TRADE"
    update = order_trade_update(desk, order, execution, fill, realized, now_ms)
    return [update] if desk.kind is Kind.PORTFOLIO else [trade_lite(desk, order, fill, now_ms), update]


def execution_report(order: WireOrder, execution: str, fill: TradeReport | None, now_ms: int) -> Row:
    """Return spot's and margin's frame of an order."""
    order.executions += 1
    canceled = execution == "CANCELED" and order.cancel_id
    condition = order.condition
    row: Row = {
        "e": "executionReport",
        "E": now_ms,
        "s": order.symbol,
        # A cancel has an id of its own: the order's is then in `C`.
        "c": order.cancel_id if canceled else order.client_order_id,
        "S": SIDE_WORDS[order.side],
        "o": order.type,
        "f": order.time_in_force,
        "q": padded(order.qty),
        "p": padded(order.price),
        "P": padded(condition.trigger if condition else ZERO),
        "F": padded(ZERO),
        "g": -1,
        "C": order.client_order_id if canceled else "",
        "x": execution,
        "X": order.status.value,
        "r": order.expiry if execution == "REJECTED" else NONE,
        "i": order.id,
        "l": padded(fill.qty if fill else ZERO),
        "z": padded(order.cum_qty),
        "L": padded(fill.price if fill else ZERO),
        "n": padded(fill.fee) if fill else "0",
        "N": fill.fee_currency if fill else None,
        "T": fill.venue_ts_ns // 1_000_000 if fill else now_ms,
        "t": fill.trade_id if fill else -1,
        "I": order.id * 1000 + order.executions,
        "w": order.is_live and not order.is_waiting,
        "m": fill.is_maker if fill else False,
        "M": fill is not None,
        "O": order.created_ms,
        "Z": padded(order.cum_quote),
        "Y": padded(fill.qty * fill.price if fill else ZERO),
        "Q": padded(order.quote_qty),
        "W": order.working_ms or order.created_ms,
        "V": "EXPIRE_MAKER",
    }
    if order.is_waiting:
        del row["W"]
    if condition is not None and condition.back:
        row["d"] = int(condition.back / BPS)
    return row


def order_trade_update(
    desk: Desk, order: WireOrder, execution: str, fill: TradeReport | None, realized: Decimal, now_ms: int
) -> Row:
    """Return USD-M's frame of an order."""
    board = desk.floor.boards[desk.product, order.symbol]
    step = board.instrument.step
    row: Row = {
        "s": order.symbol,
        "c": order.client_order_id,
        "S": SIDE_WORDS[order.side],
        "o": order.type,
        "f": order.time_in_force,
        "q": on_grid(order.qty, step),
        "p": price(board, order.price) if order.price else "0",
        "ap": plain(order.avg_price),
        "sp": "0",
        "x": execution,
        "X": order.status.value,
        "i": order.id,
        "l": on_grid(fill.qty, step) if fill else "0",
        "z": on_grid(order.cum_qty, step) if order.cum_qty else "0",
        "L": price(board, fill.price) if fill else "0",
    }
    # The venue's own trades come without their fee; only the list of trades has it.
    if fill is not None and not fill.venue_made:
        row |= {"n": plain(fill.fee), "N": fill.fee_currency}
    row |= {
        "T": fill.venue_ts_ns // 1_000_000 if fill else now_ms,
        "t": fill.trade_id if fill else 0,
        "b": "0",
        "a": "0",
        "m": fill.is_maker if fill else False,
        "R": order.reduce_only,
        "wt": "CONTRACT_PRICE",
        "ot": order.type,
        "ps": order.position_side.name,
        "cp": False,
        "rp": plain(realized),
        "pP": False,
        "si": 0,
        "ss": 0,
        "V": "EXPIRE_MAKER",
        "pm": NONE,
        "gtd": order.good_till_ms,
        "er": "0",
    }
    return of_futures(desk, {"e": "ORDER_TRADE_UPDATE", "T": now_ms, "E": now_ms, "o": row})


def trade_lite(desk: Desk, order: WireOrder, fill: TradeReport, now_ms: int) -> Row:
    """Return USD-M's short frame of a trade; the long one has the same trade id."""
    board = desk.floor.boards[desk.product, order.symbol]
    step = board.instrument.step
    return {
        "e": "TRADE_LITE",
        "E": now_ms,
        "T": now_ms,
        "s": order.symbol,
        "q": on_grid(order.qty, step),
        "p": price(board, order.price) if order.price else "0",
        "m": fill.is_maker,
        "c": order.client_order_id,
        "S": SIDE_WORDS[order.side],
        "L": price(board, fill.price),
        "l": on_grid(fill.qty, step),
        "t": fill.trade_id,
        "i": order.id,
    }


def account_update(
    desk: Desk,
    reason: str,
    assets: Sequence[tuple[str, Decimal]],
    positions: Sequence[tuple[str, PositionSide]],
    now_ms: int,
) -> Row:
    """Return USD-M's frame of balances and positions.

    Args:
        assets: (asset, what came in or went out without a trade).
    """
    balances = desk.exchange.balances(desk.account_id)
    rows: list[Row] = []
    for symbol, side in positions:
        holding = desk.holdings[symbol, side]
        instrument = desk.floor.boards[desk.product, symbol].instrument
        entry = holding.net_cost / holding.net_qty if holding.net_qty else ZERO
        rows.append(
            {
                "s": symbol,
                "pa": on_grid(holding.net_qty, instrument.step) if holding.net_qty else "0",
                "ep": plain(entry.quantize(Decimal("1e-8"))),
                "bep": plain(entry.quantize(Decimal("1e-8"))),
                "cr": "0",
                "up": plain(desk.unrealized(symbol, holding)),
                "mt": "isolated" if symbol in desk.isolated else "cross",
                "iw": "0",
                "ps": side.name,
                "ma": instrument.quote,
            }
        )
    held: list[Row] = [
        {"a": asset, "wb": padded(balances[asset]), "cw": padded(balances[asset]), "bc": plain(change)}
        for asset, change in assets
    ]
    row: Row = {"e": "ACCOUNT_UPDATE", "T": now_ms, "E": now_ms, "a": {"m": reason, "B": held, "P": rows}}
    return of_futures(desk, row)


def account_position(desk: Desk, assets: Sequence[str], now_ms: int) -> Row:
    """Return spot's and margin's frame of balances."""
    owned, locked = desk.owned(), desk.locked()
    rows = [
        {"a": asset, "f": padded(owned[asset] - locked[asset]), "l": padded(locked[asset])}
        for asset in assets
        if asset in owned
    ]
    return {"e": "outboundAccountPosition", "E": now_ms, "u": now_ms, "B": rows}


def balance_update(asset: str, net_qty: Decimal, now_ms: int) -> Row:
    """Return spot's and margin's frame of a deposit, withdrawal, loan or repayment."""
    return {"e": "balanceUpdate", "E": now_ms, "a": asset, "d": padded(net_qty), "T": now_ms}


def liability_change(desk: Desk, asset: str, kind: str, now_ms: int) -> Row:
    """Return portfolio margin's frame of a loan."""
    principal, interest = desk.loans.get(asset, ZERO), desk.interest.get(asset, ZERO)
    return {
        "e": "liabilityChange",
        "E": now_ms,
        "a": asset,
        "t": kind,
        "T": now_ms,
        "p": padded(principal),
        "i": padded(interest),
        "l": padded(principal + interest),
    }


def leverage_changed(desk: Desk, symbol: str, leverage: Decimal, now_ms: int) -> Row:
    """Return USD-M's frame of another leverage."""
    return of_futures(
        desk,
        {"e": "ACCOUNT_CONFIG_UPDATE", "E": now_ms, "T": now_ms, "ac": {"s": symbol, "l": int(leverage)}},
    )


def multi_assets_changed(is_on: bool, now_ms: int) -> Row:
    """Return USD-M's frame of another multi-assets mode."""
    return {"e": "ACCOUNT_CONFIG_UPDATE", "E": now_ms, "T": now_ms, "ai": {"j": is_on}}


def of_futures(desk: Desk, row: Row) -> Row:
    """Return the frame as the account's kind tells it: portfolio margin says of which business line it is."""
    return {"fs": "UM", **row} if desk.kind is Kind.PORTFOLIO else row


# Market streams


def book_ticker(board: Board, bid: Level, ask: Level, now_ms: int) -> Row:
    """Return the frame of a new best bid or ask."""
    row: Row = {"u": board.update_id, "s": board.symbol}
    row |= {"b": price(board, bid[0]), "B": qty(board, bid[1]), "a": price(board, ask[0]), "A": qty(board, ask[1])}
    if board.product is Product.SPOT:
        return row
    return {"e": "bookTicker", **row, "T": now_ms, "E": now_ms}


def depth_update(board: Board, change: DepthChange, now_ms: int) -> Row:
    """Return the frame of changed levels."""
    row: Row = {"e": "depthUpdate", "E": now_ms}
    if board.product is Product.USDM:
        row["T"] = now_ms
    row |= {"s": board.symbol, "U": change.first_id, "u": change.last_id}
    if board.product is Product.USDM:
        row["pu"] = change.previous_id
    return row | {"b": levels(board, change.bids), "a": levels(board, change.asks)}


def partial_depth(board: Board, depth: int, previous_id: int, now_ms: int) -> Row:
    """Return the frame of the best `depth` levels."""
    quote = board.quote(depth)
    if board.product is Product.SPOT:
        return {
            "lastUpdateId": board.update_id,
            "bids": levels(board, quote.bids),
            "asks": levels(board, quote.asks),
        }
    return {
        "e": "depthUpdate",
        "E": now_ms,
        "T": now_ms,
        "s": board.symbol,
        "U": previous_id + 1,
        "u": board.update_id,
        "pu": previous_id,
        "b": levels(board, quote.bids),
        "a": levels(board, quote.asks),
    }


def trade(board: Board, found: Print, now_ms: int) -> Row:
    """Return the frame of a trade of anybody."""
    row: Row = {
        "e": "trade",
        "E": now_ms,
        "T": found.ts_ms,
        "s": board.symbol,
        "t": found.id,
        "p": price(board, found.price),
        "q": qty(board, found.qty),
    }
    if board.product is Product.USDM:
        row["X"] = "MARKET"
    row["m"] = found.buyer_is_maker
    if board.product is Product.SPOT:
        row["M"] = True
    return row


def agg_trade(board: Board, found: Print, now_ms: int) -> Row:
    """Return the frame of an aggregate trade; here each trade is an aggregate of its own."""
    row: Row = {
        "e": "aggTrade",
        "E": now_ms,
        "a": found.id,
        "s": board.symbol,
        "p": price(board, found.price),
        "q": qty(board, found.qty),
        "f": found.id,
        "l": found.id,
        "T": found.ts_ms,
        "m": found.buyer_is_maker,
    }
    if board.product is Product.SPOT:
        row["M"] = True
    return row


def mark_price(board: Board, now_ms: int) -> Row:
    """Return USD-M's frame of mark price and coming funding."""
    rate = board.exchange.funding_rate(board.id)
    mark = padded(board.mark())
    return {
        "e": "markPriceUpdate",
        "E": now_ms,
        "s": board.symbol,
        "p": mark,
        "ap": mark,
        "P": mark,
        "i": mark,
        "r": padded(rate.rate) if rate else "",
        "T": rate.next_funding_ts_ns // 1_000_000 if rate else 0,
    }


def ticker(board: Board, now_ms: int) -> Row:
    """Return the frame of a day's statistics, of what the emulator remembers of it."""
    prints = list(board.prints)
    prices = [each.price for each in prints] or [board.mark()]
    volume = sum([each.qty for each in prints], ZERO)
    quote_volume = sum([each.qty * each.price for each in prints], ZERO)
    quote = board.quote()
    row: Row = {
        "e": "24hrTicker",
        "E": now_ms,
        "s": board.symbol,
        "p": plain(prices[-1] - prices[0]),
        "P": "0.000",
        "w": price(board, prices[-1]),
        "c": price(board, prices[-1]),
        "Q": qty(board, prints[-1].qty) if prints else "0",
        "o": price(board, prices[0]),
        "h": price(board, max(prices)),
        "l": price(board, min(prices)),
        "v": qty(board, volume),
        "q": plain(quote_volume),
        "O": prints[0].ts_ms if prints else now_ms,
        "C": now_ms,
        "F": prints[0].id if prints else 0,
        "L": prints[-1].id if prints else 0,
        "n": len(prints),
    }
    if board.product is Product.SPOT:
        bid = quote.bids[0] if quote.bids else (ZERO, ZERO)
        ask = quote.asks[0] if quote.asks else (ZERO, ZERO)
        row |= {
            "x": price(board, prices[0]),
            "b": price(board, bid[0]),
            "B": qty(board, bid[1]),
            "a": price(board, ask[0]),
            "A": qty(board, ask[1]),
        }
    return row


def mini_ticker(board: Board, now_ms: int) -> Row:
    """Return the short frame of a day's statistics."""
    row = ticker(board, now_ms)
    return {"e": "24hrMiniTicker", "E": now_ms} | {name: row[name] for name in ("s", "c", "o", "h", "l", "v", "q")}


def kline(board: Board, interval: str, now_ms: int) -> Row | None:
    """Return the frame of the bar that grows now; None when nothing has traded in it."""
    bars = board.bars.of(interval)
    if not bars:
        return None
    bar = bars[-1]
    told: Row = {
        "t": bar.open_ms,
        "T": bar.close_ms,
        "s": board.symbol,
        "i": interval,
        "f": bar.first_id,
        "L": bar.last_id,
        "o": price(board, bar.open),
        "c": price(board, bar.close),
        "h": price(board, bar.high),
        "l": price(board, bar.low),
        "v": qty(board, bar.qty),
        "n": bar.trades,
        "x": now_ms > bar.close_ms,
        "q": plain(bar.quote),
        "V": qty(board, bar.bought_qty),
        "Q": plain(bar.bought_quote),
        "B": "0",
    }
    return {"e": "kline", "E": now_ms, "s": board.symbol, "k": told}


def price(board: Board, number: Decimal) -> str:
    """Return a price as the product writes it."""
    return f"{number:.{board.price_digits}f}"


def qty(board: Board, number: Decimal) -> str:
    """Return a quantity as the product writes it."""
    return padded(number) if board.product is Product.SPOT else on_grid(number, board.instrument.step)


def levels(board: Board, rows: Sequence[Level]) -> list[list[str]]:
    """Return levels as the product writes them."""
    return [[price(board, each[0]), qty(board, each[1])] for each in rows]
