"""A stream that is kept open: found when it falls silent, opened again, replaced in time, not stopped by a frame."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import WSMsgType, web

from hedgerow.model.reach import Reach
from hedgerow.runtime.clock import LoopClock, origin_now
from hedgerow.venues.transport.addresses import Addresses
from hedgerow.venues.transport.http import Http
from hedgerow.venues.transport.stream import Pace, Said, Stream, StreamFailed

QUICK = Pace(check_s=0.01, ping_s=0.02, silent_s=0.1, greet_s=0.2, again_first_s=0.01, again_max_s=0.02, rotate_s=60)
# More than anything here takes; reached only when something is broken.
PATIENCE_S = 10


class Venue:
    """A server of one stream: it confirms a greeting, answers pings, and does what a test says."""

    def __init__(self) -> None:
        self.sockets: list[web.WebSocketResponse] = []
        self.greetings: list[str] = []
        self.is_mute = False
        "Answers no pings."
        self.confirms = True
        self.opened = asyncio.Event()

    async def __aenter__(self) -> Venue:
        app = web.Application()
        app.router.add_get("/ws", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port: int = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        for socket in self.sockets:
            await socket.close()
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=False, timeout=0.1)
        await socket.prepare(request)
        self.sockets.append(socket)
        self.opened.set()
        async for message in socket:
            if message.type is WSMsgType.PING and not self.is_mute:
                await socket.pong(message.data)
            elif message.type is WSMsgType.TEXT:
                self.greetings.append(message.data)
                if self.confirms:
                    await socket.send_str("confirmed")
        return socket


class Listener:
    """What the stream is for."""

    def __init__(self, venue: Venue, greeting: bytes | None = b"subscribe") -> None:
        self._venue = venue
        self._greeting = greeting
        self.frames: list[bytes] = []
        self.told: list[str] = []
        self.changed = asyncio.Event()
        self.failures = 0
        "How often the address is not to be had."

    async def address(self) -> str:
        if self.failures:
            self.failures -= 1
            raise StreamFailed("no key")
        return f"ws://127.0.0.1:{self._venue.port}/ws"

    async def greeting(self) -> bytes | None:
        return self._greeting

    def take(self, raw: bytes) -> Said:
        self.changed.set()
        if raw == b"confirmed":
            return Said.LIVE
        if raw == b"over":
            return Said.REOPEN
        if raw == b"beyond":
            raise ZeroDivisionError(raw)
        self.frames.append(raw)
        return Said.NOTHING

    def is_up_for(self, times: int) -> bool:
        return self.told.count("up") == times

    def heard(self) -> None:
        self.changed.set()

    def up(self) -> None:
        self.told.append("up")
        self.changed.set()

    def down(self, detail: str) -> None:
        self.told.append(detail)
        self.changed.set()

    async def until(self, is_true: Callable[[], bool]) -> None:
        """Return once something is so."""
        async with asyncio.timeout(PATIENCE_S):
            while not is_true():
                self.changed.clear()
                await self.changed.wait()


Story = Callable[[Venue, Listener, Stream], Awaitable[None]]


def played(
    story: Story,
    pace: Pace = QUICK,
    greeting: bytes | None = b"subscribe",
    failures: int = 0,
    raises: type[Exception] | None = None,
) -> list[str]:
    """Return what the listener was told in a story, which begins before the stream does."""

    async def work() -> list[str]:
        async with Venue() as venue:
            errors: list[Exception] = []
            clock = LoopClock(asyncio.get_running_loop(), origin_now(), errors.append)
            session = Http(Addresses(Reach.EMULATOR, {"stream": f"ws://127.0.0.1:{venue.port}"}))
            listener = Listener(venue, greeting)
            listener.failures = failures
            stream = Stream(session, listener, clock, pace)
            task = asyncio.create_task(stream.run())
            try:
                await story(venue, listener, stream)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                await session.close()
            assert [type(error) for error in errors] == ([] if raises is None else [raises])
            return listener.told

    return asyncio.run(work())


def test_it_is_live_once_the_venue_has_confirmed() -> None:
    """An open socket that is subscribed to nothing tells nothing."""

    async def story(venue: Venue, listener: Listener, stream: Stream) -> None:
        venue.confirms = False
        async with asyncio.timeout(PATIENCE_S):
            await venue.opened.wait()
        assert not stream.is_live
        await listener.until(lambda: bool(listener.told))
        venue.confirms = True
        await listener.until(lambda: "up" in listener.told)
        assert stream.is_live

    told = played(story)
    assert "did not confirm the subscription" in told[0]
    assert told[-1] == "up"


def test_a_stream_whose_address_says_it_all_is_live_when_it_is_open() -> None:
    """A listen key stands in the address; there is nothing to confirm."""

    async def story(venue: Venue, listener: Listener, stream: Stream) -> None:
        await listener.until(lambda: "up" in listener.told)
        assert venue.greetings == []

    assert played(story, greeting=None) == ["up"]


def test_everything_is_subscribed_again_after_each_loss() -> None:
    """A socket that came back without its subscription looks alive and is deaf."""

    async def story(venue: Venue, listener: Listener, stream: Stream) -> None:
        for number in (1, 2, 3):
            await listener.until(partial(listener.is_up_for, number))
            await venue.sockets[-1].close()
        await listener.until(lambda: listener.told.count("up") == 4)
        assert len(venue.greetings) == 4

    told = played(story)
    assert told[::2] == ["up"] * 4
    assert all("closed by the venue" in detail for detail in told[1::2])


def test_a_silent_one_is_found_although_it_is_open() -> None:
    """Nothing on the wire tells that the other side is gone: only that no ping is answered."""

    async def story(venue: Venue, listener: Listener, stream: Stream) -> None:
        await listener.until(lambda: "up" in listener.told)
        venue.is_mute = True
        await listener.until(lambda: len(listener.told) > 1)
        venue.is_mute = False
        await listener.until(lambda: listener.told.count("up") == 2)

    assert "silent for" in played(story)[1]


def test_the_pace_in_use_finds_a_silent_stream_within_15_s() -> None:
    """That is the promise; the pace is what keeps it."""
    pace = Pace()

    assert pace.silent_s + pace.check_s <= 15
    assert pace.ping_s * 2 <= pace.silent_s


def test_one_that_answers_pings_and_tells_nothing_is_found_where_it_must_tell() -> None:
    """A stream of prices that says nothing is not the market at rest."""

    async def story(venue: Venue, listener: Listener, stream: Stream) -> None:
        await listener.until(lambda: "up" in listener.told)
        await listener.until(lambda: len(listener.told) > 1)

    pace = Pace(check_s=0.01, ping_s=0.02, silent_s=10, quiet_s=0.1, again_first_s=0.01)
    assert "open and mute" in played(story, pace)[1]


def test_it_is_replaced_before_the_venue_ends_it_and_nobody_is_told() -> None:
    """The new one stands before the old one goes: there is no moment without ears."""

    async def story(venue: Venue, listener: Listener, stream: Stream) -> None:
        await listener.until(lambda: len(venue.greetings) >= 2)
        assert stream.is_live

    pace = Pace(check_s=0.01, ping_s=0.02, silent_s=10, again_first_s=0.01, rotate_s=0.1)
    assert played(story, pace) == ["up"]


def test_both_are_heard_while_one_replaces_the_other() -> None:
    """What the old one still tells may not be told by the new one."""

    async def story(venue: Venue, listener: Listener, stream: Stream) -> None:
        await listener.until(lambda: "up" in listener.told)
        venue.confirms = False
        stream.rotate_before(0)
        await listener.until(lambda: len(venue.greetings) == 2)
        await venue.sockets[0].send_str("from the old one")
        await listener.until(lambda: b"from the old one" in listener.frames)
        await venue.sockets[1].send_str("confirmed")
        await venue.sockets[1].send_str("from the new one")
        await listener.until(lambda: b"from the new one" in listener.frames)

    assert played(story, Pace(check_s=0.01, ping_s=0.02, silent_s=10, greet_s=10)) == ["up"]


def test_a_replacement_that_fails_leaves_the_old_one_in_place() -> None:
    """What works is not given up for what does not."""

    async def story(venue: Venue, listener: Listener, stream: Stream) -> None:
        await listener.until(lambda: "up" in listener.told)
        listener.failures = 3
        stream.rotate_before(0)
        await listener.until(lambda: listener.failures == 0 and len(venue.greetings) == 2)
        assert stream.is_live

    assert played(story) == ["up"]


def test_it_is_given_up_when_the_venue_says_that_it_is_over() -> None:
    """`serverShutdown`, `listenKeyExpired`: the socket may stay open for hours and say nothing."""

    async def story(venue: Venue, listener: Listener, stream: Stream) -> None:
        await listener.until(lambda: "up" in listener.told)
        await venue.sockets[0].send_str("over")
        await listener.until(lambda: listener.told.count("up") == 2)

    assert played(story) == ["up", "the venue ended it", "up"]


def test_it_is_given_up_when_somebody_finds_it_out() -> None:
    """A trade that REST shows and the stream never told: mute, whatever its pings say."""

    async def story(venue: Venue, listener: Listener, stream: Stream) -> None:
        await listener.until(lambda: "up" in listener.told)
        stream.reopen("it did not tell of trade 7")
        await listener.until(lambda: listener.told.count("up") == 2)

    assert played(story) == ["up", "it did not tell of trade 7", "up"]


def test_no_frame_is_lost_behind_one_that_cannot_be_read() -> None:
    """Each is in the queue before anybody looks at the first of them, in its order, be it text or bytes."""

    async def story(venue: Venue, listener: Listener, stream: Stream) -> None:
        await listener.until(lambda: "up" in listener.told)
        for number in range(50):
            await venue.sockets[0].send_bytes(b"\xff\xfe") if number % 2 else await venue.sockets[0].send_str(
                str(number)
            )
        await listener.until(lambda: len(listener.frames) == 50)
        assert listener.frames == [b"\xff\xfe" if number % 2 else str(number).encode() for number in range(50)]

    assert played(story) == ["up"]


def test_what_breaks_over_a_frame_is_told_where_it_stops_the_node() -> None:
    """A mistake of ours must not be lost in the loop, nor look like one of the venue's; the next frame is read."""

    async def story(venue: Venue, listener: Listener, stream: Stream) -> None:
        await listener.until(lambda: "up" in listener.told)
        await venue.sockets[0].send_str("beyond")
        await venue.sockets[0].send_str("next")
        await listener.until(lambda: listener.frames == [b"next"])

    assert played(story, raises=ZeroDivisionError) == ["up"]


def test_a_venue_that_is_down_is_tried_again_and_again() -> None:
    """It comes back at some time, and nobody should have to start anything then."""

    async def story(venue: Venue, listener: Listener, stream: Stream) -> None:
        await listener.until(lambda: "up" in listener.told)

    assert played(story, failures=3) == ["no key", "no key", "no key", "up"]
