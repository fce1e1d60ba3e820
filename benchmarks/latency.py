"""From a fill message to its hedge order handed to the transport, with the turn durable in between.

On the asyncio loop with the real core, writer and disk, wired as the node's cycle wires them: the message is taken on
the loop, stepped, appended; the writer's thread commits and calls back into the loop, which sends.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from benchmarks.process import scratch
from benchmarks.report import Number, at_most
from benchmarks.world import ONE_SIDED, World
from hedgerow.core.commands import Command
from hedgerow.core.events import FillReceived
from hedgerow.journal.errors import JournalError
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.journal.writer import JournalWriter

SAMPLES, QUICK_SAMPLES = 5_000, 500
WARM_UP_SAMPLES = 50
GOAL_P50_MS = 0.35


class Cycle:
    """Takes lead fills on the loop, and sends what they led to once it is durable."""

    def __init__(self, store: SqliteStore, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: tuple[int, tuple[Command, ...]] | None = None
        self._done: asyncio.Future[float] = loop.create_future()
        self._appended = self._durable = 0.0
        self._errors: list[JournalError] = []
        self._writer = JournalWriter(store, self._on_durable, self._errors.append)
        self._world = World(ONE_SIDED, self._writer.append)

    async def sample_s(self) -> tuple[float, float]:
        """Let the market fill the lead leg once; return how long its hedge took to leave, and the journal's part."""
        fill, *others = self._world.trade()
        assert isinstance(fill, FillReceived), fill
        self._done = self._loop.create_future()
        started = time.perf_counter()
        self._loop.call_soon(self._take, fill)
        ended = await self._done
        journal_s = self._durable - self._appended
        self._world.settle(others)
        return ended - started, journal_s

    def close(self) -> None:
        self._writer.close()
        assert not self._errors, self._errors
        self._world.check()

    def _take(self, fill: FillReceived) -> None:
        stepped = self._world.step(fill)
        assert stepped.turn is not None, fill
        self._appended = time.perf_counter()
        self._waiting = self._writer.append(stepped.turn), stepped.commands

    def _on_durable(self, seq: int) -> None:
        self._durable = time.perf_counter()
        self._loop.call_soon_threadsafe(self._dispatch, seq)

    def _dispatch(self, durable_seq: int) -> None:
        if self._waiting is None or self._waiting[0] > durable_seq:
            return
        _, commands = self._waiting
        self._waiting = None
        # The transport begins here.
        ended = time.perf_counter()
        for command in commands:
            self._world.send(command)
        self._done.set_result(ended)


async def measure(folder: Path, samples: int) -> tuple[list[float], list[float]]:
    """Return the latencies and the journal's part of them, in ms, each sorted."""
    store = SqliteStore(folder / "journal.db")
    store.start_epoch()
    cycle = Cycle(store, asyncio.get_running_loop())
    took_s = [await cycle.sample_s() for _ in range(WARM_UP_SAMPLES + samples)]
    cycle.close()
    store.close()
    whole_s, journal_s = zip(*took_s[WARM_UP_SAMPLES:], strict=True)
    return sorted(each * 1e3 for each in whole_s), sorted(each * 1e3 for each in journal_s)


def run(quick: bool, samples: int = 0) -> list[Number]:
    """Measure one lead fill after the other, as many as told or as usual."""
    with scratch() as folder:
        took_ms, journal_ms = asyncio.run(measure(Path(folder), samples or (QUICK_SAMPLES if quick else SAMPLES)))
    what = "fill message to hedge order at the transport, durable in between (core and writer on the asyncio loop)"
    return [
        at_most("latency/p50", what, "ms", took_ms[len(took_ms) // 2], GOAL_P50_MS),
        at_most("latency/p99", what, "ms", took_ms[len(took_ms) * 99 // 100]),
        at_most(
            "latency/journal/p50", "of which: encode, commit, and tell of it", "ms", journal_ms[len(journal_ms) // 2]
        ),
    ]
