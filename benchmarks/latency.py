"""From a fill message to its hedge order handed to the transport, with the turn durable in between.

On the asyncio loop, through the node's own cycle and dispatch and the real writer and disk: the message is delivered on
the loop, stepped, appended; once the loop has nothing else that is ready it commits, or lets the writer's thread do so
where the disk is slow, and sends. Lead fills come one at a time, and what follows each is settled before the next one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.process import scratch
from benchmarks.report import Number, at_most
from benchmarks.world import HEDGE, LEAD, ONE_SIDED, World
from hedgerow.core.commands import LookUpFill, SubmitOrder, Turn
from hedgerow.core.events import FillReceived
from hedgerow.journal.errors import JournalError
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.journal.writer import JournalWriter
from hedgerow.model.ids import BookId, LegId
from hedgerow.model.instrument import Instrument
from hedgerow.runtime.cycle import Cycle
from hedgerow.runtime.dispatch import Budget, Dispatch
from hedgerow.runtime.loop_journal import LoopJournal
from hedgerow.venues.gateway import Deliver, Request

SAMPLES, QUICK_SAMPLES = 5_000, 500
WARM_UP_SAMPLES = 50
GOAL_P50_MS = 0.35


class WorldClock:
    """The world's virtual time. The world looks after the book's timer itself, so calls for later are not made."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now_ns(self) -> int:
        return self._world.now_ns

    def call_at(self, ts_ns: int, call: Callable[[], None]) -> WorldClock:
        return self

    def cancel(self) -> None:
        """Nothing was to come."""


class Transport:
    """A gateway that notes when a request was handed to it, and carries it into the world."""

    def __init__(self, world: World, sent: Callable[[float], None]) -> None:
        self.account_id = world.book.legs[HEDGE].account_id
        self._world = world
        self._sent = sent

    def start(self, leg_id: LegId, instrument: Instrument, deliver: Deliver) -> None:
        """The world delivers by itself."""

    def send(self, request: Request) -> None:
        sent_s = time.perf_counter()
        self._world.send(request)
        # The lead leg's next order may be in the same turn.
        if isinstance(request, SubmitOrder) and request.leg_id == HEDGE:
            self._sent(sent_s)

    async def stop(self) -> None:
        """Nothing is open."""


class Desk:
    """A world whose lead fills go through the node's cycle, one at a time."""

    def __init__(self, store: SqliteStore, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._sent: asyncio.Future[tuple[float, float]] = loop.create_future()
        self._durable_s = 0.0
        self._writer = JournalWriter(store, self._on_durable, self._journal_told)
        self._world = World(ONE_SIDED, self._append)
        book = self._world.book
        self._book_id = book.config.book_id
        clock = WorldClock(self._world)
        self._cycle = Cycle(clock, LoopJournal(self._writer, loop.call_soon, self._made_durable), self._look_up, self)
        transport = Transport(self._world, self._hear_of)
        door = Dispatch(clock, Budget())
        self._cycle.add(book, {LEAD: transport, HEDGE: transport}, {LEAD: door, HEDGE: door})

    async def sample_s(self) -> tuple[float, float]:
        """Let the market fill the lead leg once; return how long its hedge took to leave, its turn to be durable."""
        fill, *others = self._world.trade()
        assert isinstance(fill, FillReceived), fill
        self._sent = self._loop.create_future()
        started_s = time.perf_counter()
        self._loop.call_soon(self._cycle.deliver, self._book_id, fill)
        sent_s, durable_s = await self._sent
        self._world.settle(others)
        return sent_s - started_s, durable_s - started_s

    def close(self) -> None:
        """End, and assert that every lead fill was hedged."""
        self._writer.close()
        self._world.check()

    def _hear_of(self, sent_s: float) -> None:
        self._sent.set_result((sent_s, self._durable_s))

    def _append(self, turn: Turn) -> None:
        # What follows a hedge is not measured, and is durable before the next fill comes.
        self._writer.take(turn)
        self._writer.flush()
        self._writer.tidy()

    def _made_durable(self, seq: int) -> None:
        self._durable_s = time.perf_counter()
        self._cycle.durable(seq)

    def _on_durable(self, seq: int) -> None:
        self._loop.call_soon_threadsafe(self._made_durable, seq)

    def _journal_told(self, error: JournalError) -> None:
        self._loop.call_soon_threadsafe(self._cycle.journal_broke, error)

    def _look_up(self, book_id: BookId, command: LookUpFill) -> None:
        raise AssertionError(command)

    # What the cycle tells.

    def turned(self, turns: list[tuple[int, Turn]]) -> None:
        """The transport has noted what there is to note."""

    def faulted(self, book_id: BookId, error: Exception) -> None:
        self._sent.set_exception(error)

    def journal_failed(self, error: JournalError) -> None:
        self._sent.set_exception(error)


async def measure(folder: Path, samples: int) -> tuple[list[float], list[float]]:
    """Return how long hedges took to leave, and turns to be durable, in ms, each sorted."""
    store = SqliteStore(folder / "journal.db")
    store.start_epoch()
    desk = Desk(store, asyncio.get_running_loop())
    took = [await desk.sample_s() for _ in range(WARM_UP_SAMPLES + samples)]
    desk.close()
    store.close()
    sent_s, durable_s = zip(*took[WARM_UP_SAMPLES:], strict=True)
    return sorted(each * 1e3 for each in sent_s), sorted(each * 1e3 for each in durable_s)


def run(quick: bool, samples: int = 0) -> list[Number]:
    """Measure one lead fill after the other, as many as told or as usual."""
    with scratch() as folder:
        sent_ms, durable_ms = asyncio.run(measure(Path(folder), samples or (QUICK_SAMPLES if quick else SAMPLES)))
    what = "fill message to hedge order at the transport, durable in between, through the node's cycle"
    return [
        at_most("latency/p50", what, "ms", sent_ms[len(sent_ms) // 2], GOAL_P50_MS),
        at_most("latency/p99", what, "ms", sent_ms[len(sent_ms) * 99 // 100]),
        at_most("latency/durable/p50", "fill message to turn on disk", "ms", durable_ms[len(durable_ms) // 2]),
    ]
