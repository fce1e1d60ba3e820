"""One stream of a venue, kept open: found when it falls silent, opened again, and replaced before the venue ends it.

Each frame is in a queue before anybody looks at it, so that one that cannot be read costs none of those behind it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Protocol

import msgspec

from hedgerow.venues.clock import Clock
from hedgerow.venues.transport.errands import Errands
from hedgerow.venues.transport.http import Http, NotSent
from hedgerow.venues.transport.socket import Socket

NS_PER_S = 1_000_000_000


class Pace(msgspec.Struct, frozen=True):
    """How often a stream is looked after, in seconds. A silent one is found after `silent_s + check_s` at most."""

    check_s: float = 1
    ping_s: float = 3
    silent_s: float = 10
    "Without a frame or the answer to a ping for so long, it is dead."
    quiet_s: float | None = None
    "Without a frame for so long, it is taken for mute, whatever the pings say; None where quiet is usual."
    greet_s: float = 10
    "For the venue to confirm what was subscribed."
    again_first_s: float = 0.25
    again_max_s: float = 30
    rotate_s: float = 23 * 3_600
    "A new one is made before the venue ends the old one; until it is live, both are heard."


class Said(Enum):
    """What a frame means for its stream."""

    NOTHING = "nothing"
    LIVE = "live"
    "What was asked for is subscribed."
    REOPEN = "reopen"
    "The venue ends it, or it is useless from here on."


class StreamFailed(Exception):
    """A stream cannot be opened now. The text says why."""


class Feed(Protocol):
    """What a stream is for: where it leads, and who listens."""

    async def address(self) -> str:
        """Return where to open it; asked anew each time. Raises StreamFailed."""
        ...

    async def greeting(self) -> bytes | None:
        """Return what subscribes, sent once it is open; None when its address says it all. Raises StreamFailed."""
        ...

    def take(self, raw: bytes) -> Said:
        """Take one frame; never raises for what it says."""
        ...

    def heard(self) -> None:
        """Something came, be it a pong."""
        ...

    def up(self) -> None:
        """The stream is live. Whatever it missed is still to be read."""
        ...

    def down(self, detail: str) -> None:
        """The stream was lost, or could not be opened."""
        ...


class _Ended(Exception):
    """One connection of a stream is over. The text says why."""


class Stream:
    """One stream. `run` keeps it open until it is canceled."""

    def __init__(self, http: Http, feed: Feed, clock: Clock, pace: Pace) -> None:
        self._http = http
        self._feed = feed
        self._clock = clock
        self._pace = pace
        self._frames: deque[bytes] = deque()
        self._is_taking = False
        self._reopen = ""
        self._tries = 0
        self._socket: _Socket | None = None
        self._errands = Errands(clock)
        self._rotate_ns = 0
        self.is_live = False

    def reopen(self, detail: str) -> None:
        """Give the connection up: somebody found out that it tells less than it should."""
        self._reopen = detail
        if self._socket is not None:
            self._socket.wake.set()

    def rotate_before(self, ts_ns: int) -> None:
        """Replace the connection at that time at the latest: what it was opened with ends then."""
        self._rotate_ns = min(self._rotate_ns, ts_ns)

    async def run(self) -> None:
        """Keep the stream open."""
        try:
            while True:
                try:
                    await self._keep()
                except (_Ended, StreamFailed, NotSent) as error:
                    self._lost(str(error))
                await asyncio.sleep(self._wait_s())
        finally:
            self.is_live = False
            if self._socket is not None:
                self._socket.close()
            await self._errands.end()

    async def _keep(self) -> None:
        """Open the stream, and replace it in time, for as long as that goes well."""
        self._socket = await self._opened()
        self._tries = 0
        self.is_live = True
        self._feed.up()
        while True:
            await self._watch(self._socket, self._is_rotation_due)
            opening = asyncio.create_task(self._opened(), name="open a stream anew")
            opening.add_done_callback(self._socket.look)
            try:
                await self._watch(self._socket, opening.done)
            except BaseException:
                # A cancel is one as well: no half-opened connection is left behind, then it goes on up.
                opening.cancel()
                await asyncio.gather(opening, return_exceptions=True)
                raise
            try:
                newer = opening.result()
            except (_Ended, StreamFailed, NotSent):
                # The old one is still good; it ends when the venue ends it, and then this is no rotation any more.
                self._rotate_ns = self._clock.now_ns() + int(self._pace.again_max_s * NS_PER_S)
                continue
            older, self._socket = self._socket, newer
            # What the old one still holds was told by the new one too, or is told twice: both are harmless.
            older.close()

    def _is_rotation_due(self) -> bool:
        return self._clock.now_ns() >= self._rotate_ns

    async def _opened(self) -> _Socket:
        """Return a connection on which everything is subscribed."""
        self._reopen = ""
        self._rotate_ns = self._clock.now_ns() + int(self._pace.rotate_s * NS_PER_S)
        socket = _Socket(await self._http.open_socket(await self._feed.address()), self, self._errands)
        try:
            greeting = await self._feed.greeting()
            if greeting is None:
                socket.is_greeted = True
            else:
                socket.say(greeting)
            due_ns = self._clock.now_ns() + int(self._pace.greet_s * NS_PER_S)
            while not socket.is_greeted:
                socket.check()
                if self._clock.now_ns() >= due_ns:
                    raise _Ended(f"the venue did not confirm the subscription within {self._pace.greet_s:g} s")
                await socket.rest(self._pace.check_s)
        except BaseException:
            # A cancel is one as well: the socket is closed, then it goes on up.
            socket.close()
            raise
        return socket

    async def _watch(self, socket: _Socket, is_done: Callable[[], bool]) -> None:
        """Return when that is so; raise _Ended when the connection is over, or as good as over."""
        while not is_done():
            if self._reopen:
                raise _Ended(self._reopen)
            socket.check()
            now_ns, pace = self._clock.now_ns(), self._pace
            silent_s = (now_ns - socket.heard_ns) / NS_PER_S
            if silent_s >= pace.silent_s:
                raise _Ended(f"silent for {silent_s:.1f} s")
            quiet_s = (now_ns - socket.framed_ns) / NS_PER_S
            if pace.quiet_s is not None and quiet_s >= pace.quiet_s:
                raise _Ended(f"open and mute for {quiet_s:.1f} s")
            if (now_ns - socket.pinged_ns) / NS_PER_S >= pace.ping_s:
                socket.ping()
            await socket.rest(pace.check_s)

    def _lost(self, detail: str) -> None:
        socket, self._socket = self._socket, None
        self.is_live = False
        if socket is not None:
            socket.close()
        self._feed.down(detail)

    def _wait_s(self) -> float:
        """Return the wait before the next try: longer each time, and not the same for everybody."""
        self._tries += 1
        most = min(self._pace.again_max_s, self._pace.again_first_s * float(1 << min(self._tries - 1, 16)))
        return most * random.uniform(0.5, 1)

    # Called by the connections.

    def framed(self, socket: _Socket, raw: bytes) -> None:
        """Take a frame, in the order in which they came, of whatever connection."""
        self._frames.append(raw)
        if self._is_taking:
            return
        self._is_taking = True
        try:
            while self._frames:
                said = self._feed.take(self._frames.popleft())
                if said is Said.LIVE:
                    socket.is_greeted = True
                    socket.wake.set()
                elif said is Said.REOPEN:
                    # One that is on its way out, or not yet in, says nothing about the one in use.
                    reason, self._reopen = self._reopen or "the venue ended it", ""
                    socket.fail(reason)
        finally:
            self._is_taking = False

    def heard(self) -> None:
        # Later: what a frame has brought about is to become durable, and leave, before anybody notes that it came.
        self._clock.call_at(self._clock.now_ns(), self._feed.heard)

    def now_ns(self) -> int:
        return self._clock.now_ns()


class _Socket:
    """One connection of a stream."""

    def __init__(self, socket: Socket, stream: Stream, errands: Errands) -> None:
        self._socket = socket
        self._stream = stream
        self._errands = errands
        self._failure = ""
        self.is_greeted = False
        self.wake = asyncio.Event()
        "Set when somebody should look at once."
        self.heard_ns = self.framed_ns = self.pinged_ns = stream.now_ns()
        socket.listen(self)

    def check(self) -> None:
        """Raise _Ended when the connection is over."""
        if self._failure:
            raise _Ended(self._failure)

    def fail(self, detail: str) -> None:
        self._failure = self._failure or detail
        self.wake.set()

    def look(self, _: object) -> None:
        """Let whoever rests look at once."""
        self.wake.set()

    async def rest(self, wait_s: float) -> None:
        """Wait, but not when there is something to look at."""
        # Not `wait_for`, which may swallow a cancel that comes together with what it waits for.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self.wake.wait()
        self.wake.clear()

    def say(self, frame: bytes) -> None:
        self._socket.say(frame)

    def ping(self) -> None:
        self.pinged_ns = self._stream.now_ns()
        self._socket.ping()

    def close(self) -> None:
        self._socket.close()

    # Called by the websocket.

    def framed(self, raw: bytes) -> None:
        self.heard_ns = self.framed_ns = self._stream.now_ns()
        try:
            self._stream.framed(self, raw)
        # Nobody expected it, and nothing between here and the loop may swallow it.
        except Exception as error:
            self._errands.fail(error)
        self._stream.heard()

    def heard(self) -> None:
        self.heard_ns = self._stream.now_ns()
        self._stream.heard()

    def ended(self, detail: str) -> None:
        self.fail(detail)
