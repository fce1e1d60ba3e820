"""Binance's payloads, made up from a seed in the shapes that its docs show, with every field that they show.

Nothing of the wire module is used here, so that a mistake of it cannot hide in its own judge.
Source: Binance docs of each product, "Payload" and "Response" of the events and endpoints named (checked 2026-07).
"""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

SYMBOL = "BTCUSDT"
STEP, TICK = Decimal("0.001"), Decimal("0.1")
EPOCH_MS = 1_799_999_000_000
FEES = ("USDT", "BNB", "BTC")

Json = dict[str, Any]


class Life:
    """One order from its first report to its last, as the venue knows it."""

    def __init__(self, random: Random, is_futures: bool) -> None:
        self.random = random
        self.is_futures = is_futures
        self.order_id = random.randrange(1, 10**12)
        self.name = f"hr-b{random.randrange(100)}-{random.randrange(1, 99)}-{random.randrange(1, 10**6)}"
        self.side = random.choice(("BUY", "SELL"))
        self.qty = STEP * random.randrange(1, 10_000)
        self.price = TICK * random.randrange(100_000, 1_500_000)
        self.filled = Decimal(0)
        self.quote = Decimal(0)
        self.time_ms = EPOCH_MS + random.randrange(1_000_000)
        self.created_ms = self.time_ms
        self.is_maker = random.random() < 0.5
        self.fee_currency = random.choice(FEES)
        self.fills: list[Json] = []
        self.status = "NEW"

    @property
    def kind(self) -> tuple[str, str]:
        """Return (type, time in force)."""
        if not self.is_maker:
            return "LIMIT", "IOC"
        return ("LIMIT", "GTX") if self.is_futures else ("LIMIT_MAKER", "GTC")

    def fill(self) -> None:
        """Let a part of it trade, or all that is left."""
        left = int((self.qty - self.filled) / STEP)
        qty = STEP * self.random.randrange(1, left + 1)
        better = TICK * self.random.randrange(3)
        price = self.price - better if self.side == "BUY" else self.price + better
        self.filled += qty
        self.quote += qty * price
        self.time_ms += self.random.randrange(1_000)
        fee = (qty * price * Decimal("0.0004")).quantize(Decimal("1e-8"))
        trade_id = self.random.randrange(1, 10**11)
        self.fills.append({"id": trade_id, "qty": qty, "price": price, "fee": fee, "time": self.time_ms})
        self.status = "FILLED" if self.filled == self.qty else "PARTIALLY_FILLED"

    def text(self, value: Decimal) -> str:
        """Return a number as the product writes it: spot with eight places, futures with those of the instrument."""
        return format(value, "f") if self.is_futures else format(value, ".8f")


def life(random: Random, is_futures: bool) -> Life:
    """Return an order that was filled in none to five parts."""
    order = Life(random, is_futures)
    for _ in range(random.randrange(6)):
        if order.filled < order.qty:
            order.fill()
    return order


def frames(random: Random, order: Life) -> list[Json]:
    """Return what the private stream tells of an order's life, from NEW to its end; fills come in their order."""
    told = Life(random, order.is_futures)
    told.__dict__.update(order.__dict__, filled=Decimal(0), quote=Decimal(0), fills=[], status="NEW")
    found = [report(told, "NEW")]
    for fill in order.fills:
        told.filled += fill["qty"]
        told.quote += fill["qty"] * fill["price"]
        told.fills = [*told.fills, fill]
        told.status = "FILLED" if told.filled == told.qty else "PARTIALLY_FILLED"
        found.append(report(told, "TRADE"))
    if told.status != "FILLED":
        told.status = random.choice(("CANCELED", "EXPIRED"))
        found.append(report(told, told.status))
    return found


def report(order: Life, execution: str) -> Json:
    """Return one frame of the private stream."""
    return _futures_update(order, execution) if order.is_futures else _execution_report(order, execution)


def _execution_report(order: Life, execution: str) -> Json:
    last = order.fills[-1] if execution == "TRADE" else None
    kind, time_in_force = order.kind
    text = order.text
    canceled = execution == "CANCELED"
    told: Json = {
        "e": "executionReport",
        "E": order.time_ms + 1,
        "s": SYMBOL,
        "c": "web_0a1b2c3d" if canceled else order.name,
        "S": order.side,
        "o": kind,
        "f": time_in_force,
        "q": text(order.qty),
        "p": text(order.price),
        "P": "0.00000000",
        "F": "0.00000000",
        "g": -1,
        "C": order.name if canceled else "",
        "x": execution,
        "X": order.status,
        "r": "NONE",
        "i": order.order_id,
        "l": text(last["qty"]) if last else "0.00000000",
        "z": text(order.filled),
        "L": text(last["price"]) if last else "0.00000000",
        "n": text(last["fee"]) if last else "0",
        "N": order.fee_currency if last else None,
        "T": last["time"] if last else order.time_ms,
        "t": last["id"] if last else -1,
        "I": order.order_id + 7,
        "w": order.is_maker,
        "m": order.is_maker and last is not None,
        "M": False,
        "O": order.created_ms,
        "Z": text(order.quote),
        "Y": text(last["qty"] * last["price"]) if last else "0.00000000",
        "Q": "0.00000000",
        "W": order.created_ms,
        "V": "EXPIRE_MAKER",
    }
    return {"subscriptionId": 0, "event": told}


def _futures_update(order: Life, execution: str) -> Json:
    last = order.fills[-1] if execution == "TRADE" else None
    kind, time_in_force = order.kind
    average = order.quote / order.filled if order.filled else Decimal(0)
    told: Json = {
        "s": SYMBOL,
        "c": order.name,
        "S": order.side,
        "o": kind,
        "f": time_in_force,
        "q": order.text(order.qty),
        "p": order.text(order.price),
        "ap": format(average, ".5f"),
        "sp": "0",
        "x": execution,
        "X": order.status,
        "i": order.order_id,
        "l": order.text(last["qty"]) if last else "0",
        "z": order.text(order.filled),
        "L": order.text(last["price"]) if last else "0",
        "n": format(last["fee"], "f") if last else "0",
        "N": order.fee_currency if last else "USDT",
        "T": last["time"] if last else order.time_ms,
        "t": last["id"] if last else 0,
        "b": "0",
        "a": "0",
        "m": order.is_maker and last is not None,
        "R": False,
        "wt": "CONTRACT_PRICE",
        "ot": kind,
        "ps": "BOTH",
        "cp": False,
        "rp": "0",
        "pP": False,
        "si": 0,
        "ss": 0,
        "V": "EXPIRE_MAKER",
        "pm": "NONE",
        "gtd": 0,
        "er": "2" if execution == "EXPIRED" else "0",
    }
    return {"e": "ORDER_TRADE_UPDATE", "T": order.time_ms, "E": order.time_ms + 1, "o": told}


def reply(order: Life) -> Json:
    """Return the answer to a new order: FULL with its fills on spot and margin, RESULT on futures."""
    row = query(order)
    if order.is_futures:
        return row
    for name in ("stopPrice", "icebergQty", "time", "updateTime", "isWorking", "origQuoteOrderQty"):
        del row[name]
    fills = [
        {
            "price": order.text(fill["price"]),
            "qty": order.text(fill["qty"]),
            "commission": order.text(fill["fee"]),
            "commissionAsset": order.fee_currency,
            "tradeId": fill["id"],
        }
        for fill in order.fills
    ]
    return {**row, "transactTime": order.time_ms, "fills": fills}


def query(order: Life) -> Json:
    """Return what a query or a list of open orders shows of an order."""
    kind, time_in_force = order.kind
    common: Json = {
        "symbol": SYMBOL,
        "orderId": order.order_id,
        "clientOrderId": order.name,
        "price": order.text(order.price),
        "origQty": order.text(order.qty),
        "executedQty": order.text(order.filled),
        "status": order.status,
        "timeInForce": time_in_force,
        "type": kind,
        "side": order.side,
        "stopPrice": order.text(Decimal(0)),
        "updateTime": order.time_ms,
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }
    if order.is_futures:
        average = order.quote / order.filled if order.filled else Decimal(0)
        return {
            **common,
            "time": order.created_ms,
            "avgPrice": format(average, ".5f"),
            "cumQuote": format(order.quote, "f"),
            "reduceOnly": False,
            "closePosition": False,
            "positionSide": "BOTH",
            "workingType": "CONTRACT_PRICE",
            "priceProtect": False,
            "origType": kind,
            "priceMatch": "NONE",
            "goodTillDate": 0,
        }
    return {
        **common,
        "orderListId": -1,
        "cummulativeQuoteQty": order.text(order.quote),
        "icebergQty": "0.00000000",
        "time": order.created_ms,
        "isWorking": True,
        "origQuoteOrderQty": "0.00000000",
        "workingTime": order.created_ms,
    }


def trades(order: Life) -> list[Json]:
    """Return the account's trades of an order, one row each."""
    return [_futures_trade(order, fill) if order.is_futures else _spot_trade(order, fill) for fill in order.fills]


def _spot_trade(order: Life, fill: Json) -> Json:
    return {
        "symbol": SYMBOL,
        "id": fill["id"],
        "orderId": order.order_id,
        "orderListId": -1,
        "price": order.text(fill["price"]),
        "qty": order.text(fill["qty"]),
        "quoteQty": order.text(fill["qty"] * fill["price"]),
        "commission": order.text(fill["fee"]),
        "commissionAsset": order.fee_currency,
        "time": fill["time"],
        "isBuyer": order.side == "BUY",
        "isMaker": order.is_maker,
        "isBestMatch": True,
    }


def _futures_trade(order: Life, fill: Json) -> Json:
    return {
        "symbol": SYMBOL,
        "id": fill["id"],
        "orderId": order.order_id,
        "side": order.side,
        "price": order.text(fill["price"]),
        "qty": order.text(fill["qty"]),
        "realizedPnl": "0",
        "quoteQty": format(fill["qty"] * fill["price"], "f"),
        "commission": format(fill["fee"], "f"),
        "commissionAsset": order.fee_currency,
        "time": fill["time"],
        "positionSide": "BOTH",
        "maker": order.is_maker,
        "buyer": order.side == "BUY",
    }


def _number(random: Random, least: int = 0) -> str:
    return format(Decimal(random.randrange(least, 10**13)) / 10**8, "f")


def spot_account(random: Random) -> Json:
    """Return `GET /api/v3/account`."""
    rows = [{"asset": asset, "free": _number(random), "locked": _number(random)} for asset in (*FEES, "ETH")]
    return {
        "makerCommission": 10,
        "takerCommission": 10,
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": True,
        "updateTime": EPOCH_MS,
        "accountType": "SPOT",
        "balances": rows,
        "permissions": ["SPOT"],
        "uid": 354937868,
    }


def margin_account(random: Random) -> Json:
    """Return `GET /sapi/v1/margin/account`."""
    rows = [
        {
            "asset": asset,
            "borrowed": _number(random),
            "free": _number(random),
            "interest": _number(random),
            "locked": _number(random),
            "netAsset": _number(random),
        }
        for asset in (*FEES, "ETH")
    ]
    return {
        "created": True,
        "borrowEnabled": True,
        "marginLevel": "11.64405625",
        "collateralMarginLevel": "3.2",
        "totalAssetOfBtc": "6.82728457",
        "totalLiabilityOfBtc": "0.58633215",
        "totalNetAssetOfBtc": "6.24095242",
        "tradeEnabled": True,
        "transferInEnabled": True,
        "transferOutEnabled": True,
        "accountType": "MARGIN_1",
        "userAssets": rows,
    }


def portfolio_balances(random: Random) -> list[Json]:
    """Return `GET /papi/v1/balance`."""
    return [_portfolio_balance(random, asset) for asset in (*FEES, "ETH")]


def _portfolio_balance(random: Random, asset: str) -> Json:
    free, locked, futures = _number(random), _number(random), _number(random)
    margin = Decimal(free) + Decimal(locked)
    return {
        "asset": asset,
        "totalWalletBalance": format(margin + Decimal(futures), "f"),
        "crossMarginAsset": format(margin, "f"),
        "crossMarginBorrowed": _number(random),
        "crossMarginFree": free,
        "crossMarginInterest": _number(random),
        "crossMarginLocked": locked,
        "umWalletBalance": futures,
        "umUnrealizedPNL": _number(random),
        "cmWalletBalance": "0",
        "cmUnrealizedPNL": "0",
        "updateTime": EPOCH_MS,
        "negativeBalance": "0",
    }


def futures_balances(random: Random) -> list[Json]:
    """Return `GET /fapi/v3/balance`."""
    return [
        {
            "accountAlias": "SgsR",
            "asset": asset,
            "balance": _number(random),
            "crossWalletBalance": _number(random),
            "crossUnPnl": "0.00000000",
            "availableBalance": _number(random),
            "maxWithdrawAmount": _number(random),
            "marginAvailable": True,
            "updateTime": EPOCH_MS,
        }
        for asset in (*FEES, "ETH")
    ]


def positions(random: Random) -> list[Json]:
    """Return `GET /fapi/v2/positionRisk` for one symbol of an account in one-way mode."""
    net = STEP * random.randrange(-10_000, 10_000)
    entry = TICK * random.randrange(100_000, 1_500_000) if net else Decimal(0)
    return [
        {
            "entryPrice": format(entry, "f") if net else "0.0",
            "breakEvenPrice": format(entry, "f"),
            "marginType": "cross",
            "isAutoAddMargin": "false",
            "isolatedMargin": "0.00000000",
            "leverage": str(random.randrange(1, 126)),
            "liquidationPrice": "0",
            "markPrice": format(entry or Decimal(60_000), "f"),
            "maxNotionalValue": "20000000",
            "positionAmt": format(net, "f"),
            "notional": format(net * entry, "f"),
            "isolatedWallet": "0",
            "symbol": SYMBOL,
            "unRealizedProfit": "0.00000000",
            "positionSide": "BOTH",
            "updateTime": EPOCH_MS,
        }
    ]
