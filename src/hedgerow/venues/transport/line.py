"""One open connection to a host, for one request at a time: its bytes leave at once, its answer comes when it comes."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from aiohttp import StreamReader
    from aiohttp.connector import Connection
    from aiohttp.http import RawResponseMessage

# The longest answers, all instruments of a venue, have a tenth of that.
BODY_MAX = 64 * 1024 * 1024
SWITCHING_PROTOCOLS, OK = 101, 200


class Parser(Protocol):
    """Who takes bytes once the connection speaks another protocol."""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take bytes; return whether it failed, and what it did not need."""
        ...

    def feed_eof(self) -> None:
        """The connection is over."""
        ...


class Line:
    """One connection. aiohttp opens it, and parses what comes; what leaves is written here, as it is, once."""

    def __init__(self, connection: Connection) -> None:
        """Take a connection that was just opened."""
        protocol, transport = connection.protocol, connection.transport
        assert protocol is not None, connection
        assert transport is not None, connection
        self._connection = connection
        self._protocol = protocol
        self._transport = transport
        self._unheard = select.poll()
        self._unheard.register(transport.get_extra_info("socket"), select.POLLIN)

    @property
    def is_connected(self) -> bool:
        """Whether nobody has ended it, as far as was read."""
        return self._protocol.is_connected()

    @property
    def is_open(self) -> bool:
        """Whether it is connected, and nothing came that was not asked for."""
        return self.is_connected and not self._protocol.should_close

    @property
    def is_ready(self) -> bool:
        """Whether a request may leave on it now.

        The socket is asked as well: the venue may have ended it a moment ago, and then nothing needs to be unknown.
        """
        return self.is_open and not self._unheard.poll(0)

    def send(self, raw: bytes) -> None:
        """Let a request leave. From here on nobody knows whether it was heard, until it is answered."""
        self._transport.write(raw)
        # After the bytes have left: no answer is read before the loop goes on.
        self._protocol.set_response_params(read_until_eof=True)

    def write(self, raw: bytes) -> None:
        """Let bytes leave, unless it is ended."""
        if self.is_connected:
            self._transport.write(raw)

    async def switched(self) -> RawResponseMessage:
        """Return the head of the answer to a request for another protocol.

        Raises:
            ClientError, HttpProcessingError, OSError, ValueError: there is none.
        """
        message, _ = await self._protocol.read()
        return message

    def listen(self, parser: Parser) -> None:
        """Let somebody else understand what comes, what has come already first. Only after `switched`."""
        self._protocol.set_parser(parser, None)

    async def answer(self) -> tuple[RawResponseMessage, bytes]:
        """Return the whole answer.

        Raises:
            ClientError, HttpProcessingError, OSError, ValueError: there is none.
        """
        while True:
            message, content = await self._protocol.read()
            # What comes before the answer says nothing of it; a switch of protocols is one, and was not asked for.
            if message.code >= OK or message.code == SWITCHING_PROTOCOLS:
                return message, await _whole(content)

    def close(self) -> None:
        """End it."""
        self._connection.close()


async def _whole(content: StreamReader) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := await content.readany():
        size += len(part)
        if size > BODY_MAX:
            raise ValueError(f"the answer is longer than {BODY_MAX} bytes")
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
