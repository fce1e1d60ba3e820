"""The way out to one venue: what may leave leaves at once, the rest waits by urgency, and not for long."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Iterable
from functools import partial

from hedgerow.venues.clock import Clock, Timer
from hedgerow.venues.transport.errands import Begun
from hedgerow.venues.transport.http import Got, Http, NotSent
from hedgerow.venues.transport.limits import BAN_S, URGENCY, Limits
from hedgerow.venues.wire.request import HttpAnswer, HttpRequest, Weight

NS_PER_S = 1_000_000_000
# What would have to wait longer is refused at once, with the waiting time: the book knows better what to do meanwhile.
PATIENCE_NS = NS_PER_S
# A thousand requests in a second are more than any venue takes.
WAITING_MAX = 1_000

UsageOf = Callable[[str, str, Iterable[tuple[str, str]]], Iterable[Weight]]
"(host, path, headers of the answer) -> what the venue says was used."


class Throttled(NotSent):
    """The venue's limits leave no room; nothing left."""

    def __init__(self, wait_ns: int) -> None:
        super().__init__(f"the venue's limits leave no room for {(wait_ns + NS_PER_S - 1) // NS_PER_S} s")
        self.wait_ns = wait_ns


class Lanes:
    """Requests to one venue."""

    def __init__(self, http: Http, limits: Limits, usage_of: UsageOf, clock: Clock) -> None:
        self._http = http
        self._limits = limits
        self._usage_of = usage_of
        self._clock = clock
        self._waiting: list[tuple[int, int, HttpRequest, asyncio.Future[None]]] = []
        self._count = 0
        self._timer: Timer | None = None

    def ask(self, build: Callable[[], HttpRequest]) -> Begun[HttpAnswer]:
        """Send a request as soon as the limits let it, once, and return what waits for the whole answer.

        What the limits let leave has left when this returns, if a connection was open.

        Args:
            build: makes the request; called again when it had to wait, since a signature ages.

        Raises:
            Throttled: it would have to wait too long. Nothing left.
            NotSent: nothing left. Also raised by what this returns.
            Unanswered: by what this returns: it may have been done.
        """
        request = build()
        now_ns = self._clock.now_ns()
        wait_ns = self._limits.wait_ns(request, now_ns)
        if wait_ns > PATIENCE_NS or len(self._waiting) >= WAITING_MAX:
            raise Throttled(wait_ns or PATIENCE_NS)
        if wait_ns:
            return Begun(partial(self._asked_later, request, build, now_ns + PATIENCE_NS))
        self._limits.take(request, now_ns)
        return Begun(partial(self._answered, request, self._http.ask(request)))

    async def _asked_later(self, request: HttpRequest, build: Callable[[], HttpRequest], until_ns: int) -> HttpAnswer:
        await self._wait(request, until_ns)
        request = build()
        return await self._answered(request, self._http.ask(request))

    async def _answered(self, request: HttpRequest, asked: Begun[Got]) -> HttpAnswer:
        got = await asked
        now_ns = self._clock.now_ns()
        self._limits.correct(self._usage_of(request.host, request.path, got.headers.items()), now_ns)
        if got.answer.status in BAN_S:
            self._limits.ban(request.host, got.answer.status, got.answer.retry_after_s, now_ns)
        return got.answer

    async def _wait(self, request: HttpRequest, until_ns: int) -> None:
        self._count += 1
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (URGENCY[request.lane], self._count, request, turn))
        self._wake_later()
        late = self._clock.call_at(until_ns, lambda: _end(turn))
        try:
            await turn
        finally:
            late.cancel()

    def _wake_later(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting and self._waiting[0][3].done():
            heapq.heappop(self._waiting)
        if self._waiting:
            now_ns = self._clock.now_ns()
            wait_ns = self._limits.wait_ns(self._waiting[0][2], now_ns)
            self._timer = self._clock.call_at(now_ns + wait_ns, self._drain)

    def _drain(self) -> None:
        """Let those leave, most urgent first, whom the limits have room for."""
        while self._waiting:
            _, _, request, turn = self._waiting[0]
            if not turn.done():
                if self._limits.wait_ns(request, self._clock.now_ns()):
                    break
                # Taken here already, so that the next in line is judged by what is left.
                self._limits.take(request, self._clock.now_ns())
                turn.set_result(None)
            heapq.heappop(self._waiting)
        self._wake_later()


def _end(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_exception(Throttled(PATIENCE_NS))
