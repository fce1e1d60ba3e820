"""A websocket: agreed upon, heard at once, answered, and over when it is over."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable

import pytest

from hedgerow.model.reach import Reach
from hedgerow.venues.transport.addresses import Addresses
from hedgerow.venues.transport.http import Http, NotSent
from hedgerow.venues.transport.socket import Socket
from tests.venues.transport.test_frames import served

PATIENCE_S = 10
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

Serve = Callable[["Side"], Awaitable[None]]
"What a venue does on one connection, once it was asked for a websocket."


class Side:
    """The venue's side of one connection."""

    def __init__(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.head = head
        self._reader = reader
        self.writer = writer

    def agreement(self, **changes: str) -> bytes:
        """Return the answer that opens a websocket, changed."""
        (key,) = [line[19:] for line in self.head.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key: ")]
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
        fields = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": accept} | changes
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
        return f"HTTP/1.1 101 Switching Protocols\r\n{lines}\r\n".encode()

    async def said(self) -> tuple[int, bytes]:
        """Return what the client says next, which is short, and masked."""
        first, second = await self._reader.readexactly(2)
        assert second & 0x80
        mask = await self._reader.readexactly(4)
        body = await self._reader.readexactly(second & 0x7F)
        return first & 0x0F, bytes(byte ^ mask[number % 4] for number, byte in enumerate(body))

    async def end(self) -> bytes:
        """Return all that the client still says, once it has gone."""
        return await self._reader.read()


class Ear:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self._news = asyncio.Event()

    def framed(self, raw: bytes) -> None:
        self._note(raw)

    def heard(self) -> None:
        self._note("heard")

    def ended(self, detail: str) -> None:
        self._note(f"ended: {detail}")

    def _note(self, what: object) -> None:
        self.told.append(what)
        self._news.set()

    async def until(self, count: int) -> list[object]:
        """Return what was told, once there is so much of it."""
        while len(self.told) < count:
            self._news.clear()
            await self._news.wait()
        return self.told


async def _nothing(socket: Socket, ear: Ear) -> None:
    """Do nothing on the client's side."""


def played(serve: Serve, act: Callable[[Socket, Ear], Awaitable[None]] = _nothing) -> list[object]:
    """Return what an ear was told by a venue; `act` is the client's side."""

    async def work() -> list[object]:
        failures: list[BaseException] = []
        served_all = asyncio.Event()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await serve(Side(await reader.readuntil(b"\r\n\r\n"), reader, writer))
            except Exception as error:
                failures.append(error)
            finally:
                writer.close()
                served_all.set()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        session = Http(Addresses(Reach.EMULATOR, {"stream": f"ws://127.0.0.1:{port}"}))
        ear = Ear()
        try:
            async with asyncio.timeout(PATIENCE_S):
                socket = await session.open_socket(f"ws://127.0.0.1:{port}/ws/x?streams=a%2Fb")
                socket.listen(ear)
                await act(socket, ear)
                await served_all.wait()
        finally:
            await session.close()
            server.close()
        assert failures == []
        return ear.told

    return asyncio.run(work())


def test_the_handshake_asks_for_what_stands_in_the_address() -> None:
    """Path and query as they are, and no extension: what is not asked for cannot go wrong."""
    heads: list[bytes] = []

    async def serve(side: Side) -> None:
        heads.append(side.head)
        side.writer.write(side.agreement())

    played(serve)
    line, *fields = heads[0].split(b"\r\n")
    names = [field.partition(b":")[0] for field in fields if field]
    assert line == b"GET /ws/x?streams=a%2Fb HTTP/1.1"
    assert names == [
        b"Host",
        b"User-Agent",
        b"Accept",
        b"Upgrade",
        b"Connection",
        b"Sec-WebSocket-Version",
        b"Sec-WebSocket-Key",
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
        {"Sec-WebSocket-Accept": ""},
        {"Upgrade": "h2c"},
        {"Connection": "keep-alive"},
    ],
    ids=str,
)
def test_who_did_not_understand_the_handshake_is_not_listened_to(changes: dict[str, str]) -> None:
    """A cache or a proxy may answer anything; only who has read the key answers to it."""

    async def serve(side: Side) -> None:
        side.writer.write(side.agreement(**changes))

    with pytest.raises(NotSent, match="no websocket"):
        played(serve)


def test_a_venue_that_refuses_says_with_what() -> None:
    """A listen key that is not known, an address that is banned."""

    async def serve(side: Side) -> None:
        side.writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with pytest.raises(NotSent, match="answered 403"):
        played(serve)


def test_a_handshake_that_is_cut_is_not_a_stream() -> None:
    """Nothing was subscribed, so it is opened again."""

    async def serve(side: Side) -> None:
        side.writer.write(side.agreement()[:40])

    with pytest.raises(NotSent):
        played(serve)


def test_what_comes_with_the_handshake_is_heard() -> None:
    """A listen key's stream may tell of a fill in the very packet that opens it, half of the next frame included."""
    second = served(TEXT, b"second")

    async def serve(side: Side) -> None:
        side.writer.write(side.agreement() + served(TEXT, b"first") + second[:3])
        await side.writer.drain()
        side.writer.write(second[3:])

    async def act(socket: Socket, ear: Ear) -> None:
        await ear.until(3)

    assert played(serve, act) == [b"first", b"second", "ended: the connection was lost"]


def test_one_that_is_lost_before_anybody_listens_is_lost() -> None:
    """Or it would be taken for a quiet one until its watchdog finds out."""

    async def serve(side: Side) -> None:
        side.writer.write(side.agreement() + served(TEXT, b"only"))
        side.writer.close()

    async def act(socket: Socket, ear: Ear) -> None:
        await ear.until(2)

    assert played(serve, act) == [b"only", "ended: the connection was lost"]


def test_a_ping_is_answered_with_what_it_said() -> None:
    """A venue ends whoever does not; Binance looks at the payload."""
    said: list[tuple[int, bytes]] = []

    async def serve(side: Side) -> None:
        side.writer.write(side.agreement() + served(PING, b"1799405658"))
        said.append(await side.said())

    async def act(socket: Socket, ear: Ear) -> None:
        await ear.until(1)

    assert played(serve, act)[0] == "heard"
    assert said == [(PONG, b"1799405658")]


def test_what_is_said_reaches_the_venue_masked() -> None:
    """Subscriptions, and pings that find out whether anybody is there."""
    said: list[tuple[int, bytes]] = []

    async def serve(side: Side) -> None:
        side.writer.write(side.agreement())
        said.extend([await side.said(), await side.said()])
        side.writer.write(served(PONG, b""))

    async def act(socket: Socket, ear: Ear) -> None:
        socket.say(b'{"method":"SUBSCRIBE"}')
        socket.ping()
        await ear.until(1)

    assert played(serve, act)[0] == "heard"
    assert said == [(TEXT, b'{"method":"SUBSCRIBE"}'), (PING, b"")]


def test_a_close_is_answered_and_told_once() -> None:
    """What comes after it is nobody's."""
    said: list[tuple[int, bytes]] = []

    async def serve(side: Side) -> None:
        side.writer.write(side.agreement() + served(CLOSE, b"\x03\xe9bye") + served(TEXT, b"late"))
        said.append(await side.said())
        assert await side.end() == b""

    assert played(serve) == ["ended: closed by the venue (1001)"]
    assert said == [(CLOSE, b"\x03\xe9")]


def test_bytes_that_are_no_frame_end_it_after_what_was_whole() -> None:
    """The stream is opened anew, and what it missed is read."""
    said: list[tuple[int, bytes]] = []

    async def serve(side: Side) -> None:
        side.writer.write(side.agreement() + served(TEXT, b"a fill") + b"\xff\xff\xff")
        said.append(await side.said())
        assert await side.end() == b""

    told = played(serve)
    assert told[0] == b"a fill"
    assert str(told[1]).startswith("ended: the venue sent a frame with bits")
    assert len(told) == 2
    assert said == [(CLOSE, b"\x03\xea")]


def test_who_ends_it_hears_nothing_more_and_says_good_bye() -> None:
    """A connection that is replaced must not tell of its own end."""
    said: list[tuple[int, bytes]] = []

    async def serve(side: Side) -> None:
        side.writer.write(side.agreement())
        said.append(await side.said())
        side.writer.write(served(TEXT, b"late"))

    async def act(socket: Socket, ear: Ear) -> None:
        socket.close()

    assert played(serve, act) == []
    assert said == [(CLOSE, b"\x03\xe8")]
