"""A websocket: agreed upon, heard at once, answered, and over when it is over."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from hedgerow.model.reach import Reach
from hedgerow.venues.transport import http
from hedgerow.venues.transport.addresses import Addresses
from hedgerow.venues.transport.http import Http, NotSent
from hedgerow.venues.transport.line import Line
from hedgerow.venues.transport.socket import MESSAGE_LEN_MAX, Socket

PATIENCE_S = 10
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

NO_WEBSOCKET = "ended: the venue sent what is no websocket: "

Serve = Callable[["Side"], Awaitable[None]]
"What a venue does on one connection, once it was asked for a websocket."


def served(kind: int, body: bytes, is_last: bool = True, bits: int = 0) -> bytes:
    """Return a frame as a server writes it: without a mask."""
    head = bytes([(0x80 if is_last else 0) | bits | kind])
    if len(body) < 126:
        return head + bytes([len(body)]) + body
    if len(body) < 1 << 16:
        return head + b"\x7e" + len(body).to_bytes(2) + body
    return head + b"\x7f" + len(body).to_bytes(8) + body


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


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden", "418 I'm a teapot", "429 Slow", "503 Busy"])
@pytest.mark.parametrize(
    "rest",
    ["Content-Length: 2\r\n\r\n{}", "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "\r\n{}"],
    ids=["length", "chunked", "until_it_ends"],
)
def test_a_venue_that_refuses_says_with_what(status: str, rest: str) -> None:
    """A listen key that is not known, an address that is banned."""

    async def serve(side: Side) -> None:
        side.writer.write(f"HTTP/1.1 {status}\r\nRetry-After: 7\r\n{rest}".encode())

    with pytest.raises(NotSent, match=f"answered {status[:3]} and opened no stream"):
        played(serve)


def test_a_venue_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it may have opened is closed again."""
    monkeypatch.setattr(http, "ANSWER_S", 0.05)

    async def serve(side: Side) -> None:
        assert await side.end() == b""

    with pytest.raises(NotSent, match="TimeoutError"):
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
    assert said == [(CLOSE, b"\x03\xe9bye")]


def test_bytes_that_are_no_frame_end_it_after_what_was_whole() -> None:
    """The stream is opened anew, and what it missed is read."""
    said: list[tuple[int, bytes]] = []

    async def serve(side: Side) -> None:
        side.writer.write(side.agreement() + served(TEXT, b"a fill") + b"\xff\xff\xff")
        said.append(await side.said())
        assert await side.end() == b""

    assert played(serve) == [b"a fill", f"{NO_WEBSOCKET}1002 (protocol error) invalid opcode"]
    assert said == [(CLOSE, b"\x03\xeainvalid opcode")]


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


# What the bytes mean, wherever they are cut.


class Held:
    """A connection that leads nowhere: it keeps what is written, and gives what a test has."""

    is_connected = True

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.parts = 0
        self.parser: Any = None

    def listen(self, parser: object) -> None:
        self.parser = parser

    def write(self, raw: bytes) -> None:
        self.written.append(raw)

    def part(self, line: object) -> None:
        self.parts += 1


def opened(ear: Ear) -> tuple[Socket, Held]:
    """Return a websocket that somebody listens to, and its connection."""
    line = Held()
    socket = Socket(cast(Line, line), line.part)
    socket.listen(ear)
    return socket, line


def heard(*pieces: bytes) -> list[object]:
    """Return what is told of these bytes."""
    ear = Ear()
    _, line = opened(ear)
    for piece in pieces:
        line.parser.feed_data(piece)
    return ear.told


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 100_000, MESSAGE_LEN_MAX])
def test_a_message_of_any_length_is_told_whole(length: int) -> None:
    """The length is written in three ways, each with its own limits."""
    body = bytes(length)

    (told,) = heard(served(TEXT, body))
    assert told == body
    assert type(told) is bytes


@pytest.mark.parametrize("seed", range(20))
def test_it_does_not_matter_where_the_pieces_end(seed: int) -> None:
    """A socket gives what is there, be it half a header or three messages."""
    chance = random.Random(seed)
    bodies = [chance.randbytes(chance.choice([0, 3, 130, 70_000])) for _ in range(12)]
    whole = b"".join(served(chance.choice([TEXT, BINARY]), body) for body in bodies)
    cuts = sorted(chance.sample(range(len(whole)), 40))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]

    assert heard(*pieces) == bodies


def test_a_message_in_fragments_is_put_together_and_a_ping_may_come_in_between() -> None:
    """The control frame is told first: it was whole first."""
    pieces = (
        served(TEXT, b"", is_last=False),
        served(CONTINUATION, b"one ", is_last=False),
        served(PING, b"?"),
        served(CONTINUATION, b"two ", is_last=False),
        served(CONTINUATION, b"three"),
        served(BINARY, b"next"),
    )

    assert heard(b"".join(pieces)) == ["heard", b"one two three", b"next"]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (served(TEXT, b"x", bits=0x40), "reserved bits"),
        (served(TEXT, b"x", bits=0x10), "reserved bits"),
        (b"\x81\x81maskx", "masking"),
        (served(3, b"x"), "invalid opcode"),
        (served(11, b""), "invalid opcode"),
        (served(CONTINUATION, b"x"), "unexpected continuation frame"),
        (served(TEXT, b"x", is_last=False) + served(TEXT, b"y"), "expected a continuation frame"),
        (served(PING, b"x", is_last=False), "fragmented control frame"),
        (served(PING, b"x" * 126), "control frame too long"),
        (served(CLOSE, b"\x03"), "close frame too short"),
        (served(CLOSE, b"\x03\xe7"), "invalid status code"),
        (b"\x81\x7f" + (MESSAGE_LEN_MAX + 1).to_bytes(8), "exceeds limit of 4194304 bytes"),
        (b"\x81\x7f" + b"\xff" * 8, "exceeds limit of 4194304 bytes"),
    ],
    ids=[
        "compressed",
        "reserved",
        "masked",
        "unknown",
        "unknown_control",
        "continues_nothing",
        "not_continued",
        "control_in_fragments",
        "long_control",
        "short_close",
        "close_of_no_code",
        "too_long",
        "absurdly_long",
    ],
)
def test_what_cannot_be_a_frame_ends_it_and_costs_nothing_before_it(bad: bytes, why: str) -> None:
    """Where one frame is lost, nobody knows where the next one begins; what was whole before it still counts."""
    told = heard(served(TEXT, b"a fill") + bad + served(TEXT, b"never"), served(TEXT, b"never"))

    assert told[0] == b"a fill"
    assert str(told[1]).startswith(NO_WEBSOCKET)
    assert why in str(told[1])
    assert len(told) == 2


def test_fragments_without_end_are_not_kept() -> None:
    """A message that never ends would take all memory there is."""
    half = bytes(MESSAGE_LEN_MAX // 2)

    told = heard(
        served(TEXT, half, is_last=False),
        served(CONTINUATION, half, is_last=False),
        served(CONTINUATION, b"x"),
    )

    assert told == [
        f"{NO_WEBSOCKET}1009 (message too big) frame with 1 bytes after reading {MESSAGE_LEN_MAX} bytes exceeds limit "
        f"of {MESSAGE_LEN_MAX} bytes"
    ]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"\x03\xe8bye", "closed by the venue (1000)"),
        (b"\x10\x04", "closed by the venue (4100)"),
        (b"", "closed by the venue"),
    ],
    ids=str,
)
def test_a_close_says_why_or_does_not(body: bytes, why: str) -> None:
    """Its first two bytes, where there are any."""
    assert heard(served(CLOSE, body)) == [f"ended: {why}"]
    assert heard(served(TEXT, b"half", is_last=False) + served(CLOSE, body)) == [f"ended: {why}"]


def test_no_bytes_break_it() -> None:
    """Whatever comes, it is messages or it is not; nothing is raised, and the end is told once."""
    chance = random.Random(7)
    for _ in range(1_000):
        told = heard(
            *[
                bytes([chance.choice([0x81, 0x01, 0x80, 0x89, 0x88, chance.randrange(256)])]) + chance.randbytes(9)
                for _ in range(4)
            ]
        )
        assert sum(str(each).startswith("ended: ") for each in told) <= 1


def test_a_ping_is_answered_before_anybody_takes_time_over_what_came_with_it() -> None:
    """The venue waits for the answer; a message may cost a commit to the disk."""

    class Slow(Ear):
        def framed(self, raw: bytes) -> None:
            super().framed(raw)
            super()._note(len(line.written))

    ear = Slow()
    _, line = opened(ear)
    line.parser.feed_data(served(TEXT, b"a fill") + served(PING, b"7"))

    assert ear.told == [b"a fill", 1, "heard"]


def test_who_ends_it_over_a_message_hears_nothing_more() -> None:
    """Nor is anything said after the good-bye, by whoever still holds it."""

    class Done(Ear):
        def framed(self, raw: bytes) -> None:
            super().framed(raw)
            socket.close()

    ear = Done()
    socket, line = opened(ear)
    line.parser.feed_data(served(TEXT, b"last") + served(TEXT, b"late") + served(PING, b""))
    line.parser.feed_data(served(TEXT, b"later"))
    line.parser.feed_eof()
    socket.say(b"never")
    socket.ping()
    socket.close()

    assert ear.told == [b"last"]
    assert len(line.written) == 2


def test_what_is_said_to_a_venue_that_has_closed_is_dropped() -> None:
    """The close may stand behind the very message that is being answered."""

    class Answering(Ear):
        def framed(self, raw: bytes) -> None:
            super().framed(raw)
            socket.say(b"an answer")
            socket.ping()

    ear = Answering()
    socket, line = opened(ear)
    line.parser.feed_data(served(TEXT, b"a question") + served(CLOSE, b"\x03\xe9"))
    socket.say(b"more")

    assert ear.told == [b"a question", "ended: closed by the venue (1001)"]
    assert len(line.written) == 1


def test_a_connection_that_is_cut_in_the_middle_of_a_frame_is_lost() -> None:
    """Half a message is none."""
    ear = Ear()
    _, line = opened(ear)
    line.parser.feed_data(served(TEXT, b"whole") + served(TEXT, b"half of it")[:5])
    line.parser.feed_eof()
    line.parser.feed_eof()

    assert ear.told == [b"whole", "ended: the connection was lost"]
    assert line.parts == 1
