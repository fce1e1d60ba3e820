"""A hedger of ten lines with ccxt.pro, as people write them: runs in the judges' environment, for comparison.

`python -m benchmarks.binance_ccxt PORT CA QTY PRICE`: rest a spot order, and sell the perpetual for each of its trades.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys

import aiohttp
import ccxt.pro

from tests.judges.lab import Loopback


async def main(port: int, ca: str, qty: float, price: float) -> None:
    """Hedge until stopped."""
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=ca), resolver=Loopback(port))
    config = {
        "apiKey": os.environ["BINANCE_KEY"],
        "secret": os.environ["BINANCE_SECRET"],
        "enableRateLimit": False,
        "session": aiohttp.ClientSession(connector=connector),
    }
    spot, usdm = ccxt.pro.binance(config), ccxt.pro.binanceusdm(config)
    await spot.load_markets()
    await usdm.load_markets()
    await spot.authenticate({"type": "spot"})
    await spot.create_order("BTC/USDT", "limit", "buy", qty, price, {"postOnly": True})
    while True:
        for trade in await spot.watch_my_trades("BTC/USDT"):
            await usdm.create_order("BTC/USDT:USDT", "market", "sell", trade["amount"])


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), float(sys.argv[4])))
