"""The clock of a process."""

from __future__ import annotations

import asyncio

from hedgerow.core.config import NS_PER_S
from hedgerow.runtime.clock import LoopClock, Origin, origin_now


def test_time_never_begins_before_what_the_journal_has_seen() -> None:
    """The wall's clock may have been set back while nothing ran."""
    clock = LoopClock(asyncio.new_event_loop(), origin_now(), lambda error: None)
    ahead_ns = clock.now_ns() + 10**15

    clock.set_forward(ahead_ns)

    assert clock.now_ns() >= ahead_ns


def test_two_processes_with_one_origin_show_the_same_time() -> None:
    """Engine and venues of a demo compare their times."""
    loop, origin = asyncio.new_event_loop(), Origin(10**18, 0, 8)
    one = LoopClock(loop, origin, lambda error: None)
    other = LoopClock(loop, origin, lambda error: None)

    first, second, third = one.now_ns(), other.now_ns(), one.now_ns()

    assert first <= second <= third


def test_a_machine_that_slept_is_noticed() -> None:
    """The node's own time stood still meanwhile, and an exchange's hours did not."""
    now = origin_now()
    slept = Origin(now.wall_ns - 3_600 * NS_PER_S, now.monotonic_ns)

    awake, woken = (LoopClock(asyncio.new_event_loop(), origin, lambda error: None) for origin in (now, slept))

    assert abs(awake.stepped_ns()) < NS_PER_S < 3_599 * NS_PER_S < woken.stepped_ns()


def test_what_a_timer_raises_is_told_and_the_next_timer_still_runs() -> None:
    """An exception in a callback that nobody sees leaves a dead engine that looks alive."""
    errors: list[Exception] = []
    ran: list[str] = []

    async def main() -> None:
        clock = LoopClock(asyncio.get_running_loop(), origin_now(), errors.append)
        done = asyncio.Event()

        def broken() -> None:
            raise ValueError("lost")

        clock.call_at(0, broken)
        clock.call_at(0, lambda: ran.append("next"))
        clock.call_at(clock.now_ns() + 1, done.set)
        canceled = clock.call_at(clock.now_ns() + 10**15, lambda: ran.append("never"))
        canceled.cancel()
        await done.wait()

    asyncio.run(main())

    assert [str(error) for error in errors] == ["lost"]
    assert ran == ["next"]
