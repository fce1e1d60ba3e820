"""Durable turns per second with group commit, 20 books at once, and one book's turns one at a time."""

from __future__ import annotations

import msgspec

from benchmarks import journal_bench
from benchmarks.report import Number, at_least, at_most

GOAL_TURNS_PER_S = 20_000
GOAL_P50_MS = 0.4


class Rate(msgspec.Struct, frozen=True):
    books: int
    durable_turns_per_s: float


class Wait(msgspec.Struct, frozen=True):
    p50_ms: float
    p99_ms: float


class Results(msgspec.Struct, frozen=True):
    """What of the journal's own results is told here."""

    many_books: Rate
    lockstep_books: Rate
    one_at_a_time: Wait


def run(quick: bool) -> list[Number]:
    """Run the journal's benchmarks and return the numbers that have a goal, with their company."""
    results = msgspec.convert(journal_bench.run(quick), Results)
    many, lockstep, single = results.many_books, results.lockstep_books, results.one_at_a_time
    return [
        at_least(
            "durable/many_books",
            f"durable turns, {many.books} books, group commit",
            "/s",
            many.durable_turns_per_s,
            GOAL_TURNS_PER_S,
        ),
        at_least(
            "durable/lockstep_books",
            f"durable turns, {lockstep.books} books that each wait for the disk after every turn",
            "/s",
            lockstep.durable_turns_per_s,
        ),
        at_most("durable/one_at_a_time/p50", "one book, one turn at a time", "ms", single.p50_ms, GOAL_P50_MS),
        at_most("durable/one_at_a_time/p99", "one book, one turn at a time", "ms", single.p99_ms),
    ]
