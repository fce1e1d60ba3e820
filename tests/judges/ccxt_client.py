"""ccxt, unmodified, with its clock stopped and the network taken away: what it would send is written down."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import ccxt.pro
import msgspec

from tests.venues.wire.binance.wires import API_KEY, NOW_MS, SECRET, STAMP

SPOT, PERP = "BTC/USDT", "BTC/USDT:USDT"

FILTERS = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.10", "maxPrice": "1000000.00", "tickSize": "0.10"},
    {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
    {"filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "maxQty": "100", "stepSize": "0.001"},
]
SYMBOL = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
}
SPOT_INFO = {
    "symbols": [
        {
            **SYMBOL,
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": True,
            "permissionSets": [["SPOT", "MARGIN"]],
            "filters": [*FILTERS, {"filterType": "NOTIONAL", "minNotional": "5.00", "maxNotional": "9000000.00"}],
        }
    ]
}
PERP_INFO = {
    "symbols": [
        {
            **SYMBOL,
            "pair": "BTCUSDT",
            "contractType": "PERPETUAL",
            "marginAsset": "USDT",
            "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
            "filters": [*FILTERS, {"filterType": "MIN_NOTIONAL", "notional": "5.00"}],
        }
    ]
}
# What is asked at the start, and answered so that both products are there.
MARKETS: dict[str, object] = {
    "/sapi/v1/capital/config/getall": [],
    "/sapi/v1/margin/allPairs": [{"symbol": "BTCUSDT", "base": "BTC", "quote": "USDT", "isMarginTrade": True}],
    "/sapi/v1/margin/isolated/allPairs": [],
    "/api/v3/exchangeInfo": SPOT_INFO,
    "/fapi/v1/exchangeInfo": PERP_INFO,
    "/dapi/v1/exchangeInfo": {"symbols": []},
}


class Sent(msgspec.Struct, frozen=True):
    """One request, as it would have left."""

    method: str
    url: str
    headers: dict[str, str]
    body: str


class Halted(Exception):
    """The request was written down; nothing answers."""


def sent_by(call: Callable[[Any], Awaitable[Any]], secret: str = SECRET) -> list[Sent]:
    """Return what a call would have sent.

    Args:
        call: what to ask of the exchange object, which knows its markets.
        secret: of the API key; PEM for the two kinds with key pairs.
    """
    exchange = ccxt_of(secret)
    sent: list[Sent] = []

    async def fetch(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> object:
        sent.append(Sent(method, url, dict(headers or {}), body or ""))
        raise Halted

    async def ask() -> None:
        with suppress(Halted):
            await call(exchange)

    exchange.fetch = fetch
    asyncio.run(ask())
    return sent


@cache
def ccxt_of(secret: str) -> Any:
    """Return ccxt with markets and a clock that stands still."""

    async def make() -> Any:
        options = {"recvWindow": STAMP.recv_window_ms, "fetchMarkets": {"types": ["spot", "linear"]}}
        exchange = ccxt.pro.binance({"apiKey": API_KEY, "secret": secret, "enableRateLimit": False, "options": options})
        exchange.fetch = answered
        exchange.milliseconds = lambda: NOW_MS
        await exchange.load_markets()
        return exchange

    return asyncio.run(make())


async def answered(url: str, *_: object, **__: object) -> object:
    """Return what the venue says of its markets."""
    return MARKETS[urlsplit(url).path]
