"""The simulated venues behind a Unix socket, so that they outlive the engine that trades there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec

from hedgerow.venues.sim_venues import SimVenues
from hedgerow.venues.sim_wire import LENGTH_BYTES, FromVenue, Hello, ToVenue

_encode = msgspec.json.Encoder().encode
_decode_hello = msgspec.json.Decoder(Hello).decode
_decode_request = msgspec.json.Decoder(ToVenue).decode
_decode_message = msgspec.json.Decoder(FromVenue).decode

# Far above the largest message, a full page of trades.
MESSAGE_BYTES_MAX = 16 * 1024 * 1024


class SimServer:
    """Serves the venues on a socket; one connection for each account and instrument."""

    def __init__(self, venues: SimVenues) -> None:
        self._venues = venues
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self, path: Path) -> None:
        """Listen at `path`.

        Raises:
            OSError: it cannot be used.
        """
        self._server = await asyncio.start_unix_server(self._serve, path, limit=MESSAGE_BYTES_MAX)

    async def stop(self) -> None:
        """End all connections."""
        if self._server is None:
            return
        self._server.close()
        for writer in list(self._writers):
            writer.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            hello = _decode_hello(await _read(reader))
            desk = self._venues.open_desk(hello, lambda message: writer.write(framed(_encode(message))))
            try:
                while True:
                    desk.take(_decode_request(await _read(reader)))
            finally:
                desk.close()
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # The engine went away, as engines do.
        finally:
            self._writers.discard(writer)
            writer.close()


class RemoteDesk:
    """The engine's end of one connection to a `SimServer`."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, push: Callable[[FromVenue], None]
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._push = push

    def take(self, request: ToVenue) -> None:
        """Send one request."""
        self._writer.write(framed(_encode(request)))

    async def listen(self) -> None:
        """Hand over what comes, until the other end closes.

        Raises:
            ConnectionError: it did.
        """
        while True:
            try:
                message = _decode_message(await _read(self._reader))
            except asyncio.IncompleteReadError:
                raise ConnectionResetError("the simulated venues went away") from None
            self._push(message)

    def close(self) -> None:
        """End the connection."""
        self._writer.close()


async def connect(path: Path, hello: Hello, push: Callable[[FromVenue], None]) -> RemoteDesk:
    """Return a connection for one account and instrument. Raises OSError when nobody serves there."""
    reader, writer = await asyncio.open_unix_connection(path, limit=MESSAGE_BYTES_MAX)
    writer.write(framed(_encode(hello)))
    return RemoteDesk(reader, writer, push)


def framed(body: bytes) -> bytes:
    """Return a message as it stands on the socket."""
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


async def _read(reader: asyncio.StreamReader) -> bytes:
    size = int.from_bytes(await reader.readexactly(LENGTH_BYTES), "big")
    return await reader.readexactly(size)
