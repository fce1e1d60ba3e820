"""A server of bytes on loopback that does exactly what a test says, and remembers what it was sent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from types import TracebackType

from hedgerow.model.reach import Reach
from hedgerow.venues.transport.addresses import Addresses
from hedgerow.venues.wire.request import HttpRequest, Lane, Weight

# More than anything here takes; reached only when something is broken.
PATIENCE_S = 10
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

Act = Callable[[asyncio.StreamWriter], Awaitable[None]]
"What to do once a whole request was read; the connection stays open after it."


def answer(body: bytes) -> Act:
    """Write these bytes."""

    async def act(writer: asyncio.StreamWriter) -> None:
        writer.write(body)
        await writer.drain()

    return act


def answer_and_close(body: bytes) -> Act:
    """Write these bytes, and go away."""

    async def act(writer: asyncio.StreamWriter) -> None:
        writer.write(body)
        await writer.drain()
        writer.close()

    return act


async def drop(writer: asyncio.StreamWriter) -> None:
    """Go away without a word."""
    writer.close()


async def say_nothing(writer: asyncio.StreamWriter) -> None:
    """Keep the connection, and never answer."""


class Peer:
    """The server. The acts are used up in the order of requests; the last one goes on."""

    def __init__(self, *acts: Act) -> None:
        self._acts = list(acts)
        self.requests: list[bytes] = []
        "Each request whole: line, headers, body."
        self.came: list[asyncio.StreamWriter] = []
        "Each connection."
        self._heard = asyncio.Event()

    async def __aenter__(self) -> Peer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for writer in self.came:
            writer.close()

    def end(self) -> None:
        """Take no connections any more."""
        self._server.close()

    @property
    def addresses(self) -> Addresses:
        return Addresses(Reach.EMULATOR, {"api": f"http://127.0.0.1:{self.port}"})

    @property
    def lines(self) -> list[bytes]:
        """Return the first line of each request."""
        return [request.partition(b"\r\n")[0] for request in self.requests]

    async def until_asked(self, times: int) -> None:
        """Return once so many requests were read whole."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.requests) < times:
                self._heard.clear()
                await self._heard.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = 0
                for line in head.split(b"\r\n"):
                    name, _, value = line.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                self.requests.append(head + await reader.readexactly(length))
                self._heard.set()
                act = self._acts.pop(0) if len(self._acts) > 1 else self._acts[0]
                await act(writer)


def request(
    method: str = "GET", query: str = "", body: str = "", lane: Lane = Lane.QUERY, units: int = 1
) -> HttpRequest:
    """Return a request to the peer."""
    headers = (("Content-Type", "application/x-www-form-urlencoded"),) if body else ()
    return HttpRequest(method, "api", "/order", query, body, headers, (Weight("api/ip", units),), lane, True)
