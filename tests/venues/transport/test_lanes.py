"""The way out to a venue: by urgency, not for long, and each once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial

import pytest

from hedgerow.venues.transport.errands import Begun
from hedgerow.venues.transport.http import Got, Http
from hedgerow.venues.transport.lanes import Lanes, Throttled
from hedgerow.venues.transport.limits import Limits
from hedgerow.venues.wire.binance.routes import Limit
from hedgerow.venues.wire.request import HttpAnswer, HttpRequest, Lane, Weight
from tests.venues.clockwork import MS, S, VirtualClock
from tests.venues.transport.peer import request


class Recorder:
    """Takes the place of a session: answers at once, and remembers."""

    def __init__(self, status: int = 200, retry_after_s: int = 0) -> None:
        self.sent: list[HttpRequest] = []
        self._answer = HttpAnswer(status, b"{}", retry_after_s)

    def ask(self, request: HttpRequest) -> Begun[Got]:
        self.sent.append(request)
        return Begun(self._got)

    async def _got(self) -> Got:
        return Got(self._answer, {})


class Way:
    """Lanes to a recorder, with so many units in each second, of which some are used."""

    def __init__(self, units: int, used: int = 0, status: int = 200, retry_after_s: int = 0) -> None:
        self.clock = VirtualClock()
        self.recorder = Recorder(status, retry_after_s)
        self.limits = Limits([Limit("api/ip", units, 1)])
        self.limits.correct([Weight("api/ip", used)], self.clock.now_ns())
        http: Http = self.recorder  # type: ignore[assignment]
        self.lanes = Lanes(http, self.limits, _says_nothing, self.clock)
        self.clock.run(100 * MS)

    @property
    def lanes_sent(self) -> list[Lane]:
        return [each.lane for each in self.recorder.sent]


def _says_nothing(host: str, path: str, headers: Iterable[tuple[str, str]]) -> tuple[Weight, ...]:
    return ()


async def settled() -> None:
    """Let every task do what it can do by now."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_what_waits_leaves_by_urgency_when_there_is_room_again() -> None:
    """A cancel that comes last leaves first."""

    async def work() -> Way:
        way = Way(10, used=10)
        lanes = (Lane.ENTRY, Lane.QUERY, Lane.EXIT, Lane.HEDGE, Lane.CANCEL)
        tasks = [asyncio.ensure_future(way.lanes.ask(partial(request, lane=lane))) for lane in lanes]
        await settled()
        assert way.lanes_sent == []
        way.clock.run(S)
        await settled()
        assert all(task.done() for task in tasks)
        return way

    assert asyncio.run(work()).lanes_sent == [Lane.CANCEL, Lane.HEDGE, Lane.EXIT, Lane.QUERY, Lane.ENTRY]


def test_what_waited_is_signed_anew() -> None:
    """A signature is good for one window from its own time, which waiting uses up."""

    async def work() -> list[int]:
        way = Way(10, used=10)
        built: list[int] = []

        def build() -> HttpRequest:
            built.append(way.clock.now_ns())
            return request()

        task = asyncio.ensure_future(way.lanes.ask(build))
        await settled()
        way.clock.run(S)
        await settled()
        assert task.done()
        return built

    first, last = asyncio.run(work())
    assert last > first


def test_what_would_wait_too_long_is_refused_at_once_with_the_time() -> None:
    """The book knows better than a queue what to do meanwhile."""

    async def work() -> int:
        way = Way(10)
        way.limits.ban("api", 429, 30, way.clock.now_ns())
        with pytest.raises(Throttled) as refused:
            await way.lanes.ask(request)
        assert way.recorder.sent == []
        return refused.value.wait_ns

    assert asyncio.run(work()) == 30 * S


@pytest.mark.parametrize("status", [429, 418])
def test_a_refusal_for_too_many_requests_stops_all_that_follow(status: int) -> None:
    """The next one would be the ban, or make it longer."""

    async def work() -> None:
        way = Way(10, status=status, retry_after_s=9)
        answer = await way.lanes.ask(request)
        assert answer.status == status
        with pytest.raises(Throttled):
            await way.lanes.ask(lambda: request(lane=Lane.CANCEL))
        assert len(way.recorder.sent) == 1

    asyncio.run(work())


def test_what_need_not_wait_has_left_before_anybody_waits_for_its_answer() -> None:
    """A hedge must not stand behind whatever else the loop has to do first."""

    async def work() -> None:
        way = Way(10)
        begun = way.lanes.ask(lambda: request(lane=Lane.HEDGE))
        assert way.lanes_sent == [Lane.HEDGE]
        assert (await begun).status == 200

    asyncio.run(work())


def test_one_who_stops_waiting_does_not_hold_up_the_others() -> None:
    """A node that stops cancels what waits; the rest goes on."""

    async def work() -> list[Lane]:
        way = Way(10, used=10)
        hedge = asyncio.ensure_future(way.lanes.ask(lambda: request(lane=Lane.HEDGE)))
        entry = asyncio.ensure_future(way.lanes.ask(lambda: request(lane=Lane.ENTRY)))
        await settled()
        hedge.cancel()
        await settled()
        way.clock.run(S)
        await settled()
        assert entry.done()
        return way.lanes_sent

    assert asyncio.run(work()) == [Lane.ENTRY]
