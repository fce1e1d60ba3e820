"""The emulator behind Binance's own addresses: every host leads to loopback, with TLS by a CA of our own.

A client runs against it with its production URLs, which matters: ccxt chooses its exceptions by them.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult

from hedgerow.emulators.binance.customers import DEFAULT_KEY, DEFAULT_SECRET
from hedgerow.emulators.binance.server import Emulator
from hedgerow.emulators.tls import CA_FILE, server_context

Result = TypeVar("Result")

HOSTS = ["*.binance.com"]
# What the book shows at first: one level on each side, far from where the tests let others trade.
BID, ASK = Decimal("60000.0"), Decimal("60010.0")
PATIENCE_S = 120.0


class Loopback(AbstractResolver):
    """Leads every host to one port of this machine: nothing can leave it."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host="127.0.0.1", port=self._port, family=socket.AF_INET, proto=0, flags=0)
        ]

    async def close(self) -> None:
        """Nothing is open."""


class Lab:
    """An emulator whose markets stand still until a test moves them, and the session of an unmodified client."""

    def __init__(self, runner: asyncio.Runner, folder: Path) -> None:
        self._runner = runner
        self.ca = folder / CA_FILE
        self._closing: list[Callable[[], Awaitable[None]]] = []
        self.emulator = Emulator(is_still=True, tls=server_context(folder, HOSTS))
        self.key, self.secret = DEFAULT_KEY, DEFAULT_SECRET

    def run(self, story: Coroutine[Any, Any, Result]) -> Result:
        """Run a story to its end; one that hangs fails."""
        return self._runner.run(asyncio.wait_for(story, PATIENCE_S))

    async def open(self) -> None:
        """Open the venue and show a book."""
        await self.emulator.start()
        for product in ("spot", "usdm"):
            self.show(product)

    async def close(self) -> None:
        for close in reversed(self._closing):
            await close()
        await self.emulator.stop()

    async def session(self) -> aiohttp.ClientSession:
        """Return a session for which the whole of Binance is here."""
        trusts = ssl.create_default_context(cafile=str(self.ca))
        connector = aiohttp.TCPConnector(ssl=trusts, resolver=Loopback(self.emulator.port), use_dns_cache=False)
        made = aiohttp.ClientSession(connector=connector)
        self._closing.append(made.close)
        return made

    async def client(self, kind: type[Any], **config: Any) -> Any:
        """Return a client of ccxt's, unmodified, that trades for the emulator's first customer."""
        session = await self.session()
        told = {"apiKey": self.key, "secret": self.secret, "session": session, "enableRateLimit": False, **config}
        made = kind(told)
        self._closing.append(made.close)
        return made

    def control(self, name: str, **body: Any) -> Any:
        """Do something that only the emulator's owner can."""
        return self.emulator.control.answer("POST", name, msgspec.json.encode(body))

    def show(self, product: str, bid: Decimal = BID, ask: Decimal = ASK, qty: Decimal = Decimal(5)) -> None:
        """Replace the book of BTCUSDT."""
        self.control("show", product=product, symbol="BTCUSDT", bids=[(bid, qty)], asks=[(ask, qty)])

    def trade(self, product: str, price: str, qty: str, side: str) -> None:
        """Let somebody else trade; orders that rest there are filled."""
        self.control("trade", product=product, symbol="BTCUSDT", price=price, qty=qty, side=side)

    def fault(self, **fault: Any) -> None:
        """Let a fault meet the next request or frame that fits."""
        self.control("faults", **fault)

    def truth(self, kind: str, product: str) -> Any:
        """Return what really is of the first customer's account of a kind, on one of its markets."""
        rows = self.emulator.venue.truth()["accounts"]
        return next(row for row in rows if (row["name"], row["kind"], row["product"]) == ("main", kind, product))
