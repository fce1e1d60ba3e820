"""Quotes per second that a resting book takes: asked about each of them, and asleep between its wake prices."""

from __future__ import annotations

import time
from decimal import Decimal

from msgspec.structs import replace

from benchmarks.report import Number, at_least
from benchmarks.world import ALTERNATING, LEAD, MARKET_LEVELS, World, keep_no_turn
from hedgerow.core.book import Book
from hedgerow.core.events import QuoteReceived
from hedgerow.core.step import step
from hedgerow.core.target import Strategy, Target, WakePrice
from hedgerow.model.market import Quote

QUOTES, QUICK_QUOTES = 200_000, 20_000
BATCH_LEN = 10_000
# A batch is over before anything waits for time.
SPACING_NS = 100_000
WAKE_PRICES = (WakePrice(LEAD, Decimal(99), Decimal(101)),)
GOAL_PER_S = 200_000


class Asked:
    """A policy that counts how often it is asked, with or without a promise about quotes."""

    def __init__(self, policy: Strategy, *, promises: bool) -> None:
        self._policy = policy
        self._wake_prices = WAKE_PRICES if promises else None
        self.times = 0

    def target(self, book: Book) -> Target:
        self.times += 1
        return replace(self._policy.target(book), wake_prices=self._wake_prices)


def measure(quotes: int, *, promises: bool) -> tuple[float, float]:
    """Return (wall, processor) seconds for so many quotes of both legs, none of which changes anything."""
    took_s = cpu_s = 0.0
    for _ in range(max(1, quotes // BATCH_LEN)):
        world = World(ALTERNATING, keep_no_turn)
        world.run(1)
        book, now_ns = world.book, world.now_ns
        asked = Asked(book.strategy, promises=promises)
        book.strategy = asked
        ids = [leg.instrument.id for leg in book.legs.values()]
        events = [
            QuoteReceived(ts_ns, Quote(ids[number % len(ids)], ts_ns, *MARKET_LEVELS))
            for number, ts_ns in enumerate(range(now_ns, now_ns + BATCH_LEN * SPACING_NS, SPACING_NS))
        ]
        started, cpu_started = time.perf_counter(), time.process_time()
        for event in events:
            step(book, event)
        took_s += time.perf_counter() - started
        cpu_s += time.process_time() - cpu_started
        assert asked.times == (1 if promises else BATCH_LEN), asked.times
    return took_s, cpu_s


def run(quick: bool) -> list[Number]:
    """Measure both ways."""
    quotes = QUICK_QUOTES if quick else QUOTES
    numbers = []
    for promises, name, what in (
        (False, "quotes/asked", "quotes to a resting book, each of them planned with"),
        (True, "quotes/asleep", "quotes to a resting book, inside its wake prices"),
    ):
        took_s, cpu_s = measure(quotes, promises=promises)
        goal = GOAL_PER_S if promises else None
        numbers.append(at_least(name, what, "/s", quotes / took_s, goal, quotes / cpu_s))
    return numbers
