"""Latency by itself."""

from __future__ import annotations

import random

from hedgerow.market.latency import Delay, Latency


def test_a_delay_stays_in_its_bounds_and_repeats_with_its_seed() -> None:
    """Each way has its own range, and the same seed draws the same delays."""

    def draw() -> list[int]:
        latency = Latency(random.Random(3), Delay(1000, 100), Delay(50))
        return [latency.request_ns() for _ in range(50)] + [latency.report_ns()]

    delays = draw()
    assert delays == draw()
    assert all(1000 <= delay <= 1100 for delay in delays[:-1])
    assert len(dict.fromkeys(delays)) > 10
    assert delays[-1] == 50


def test_spikes_are_as_rare_as_told() -> None:
    """Never at zero, always at a million."""
    never = Latency(random.Random(1), Delay(10), Delay(10, spike_ns=1_000_000, spikes_per_million=1_000_000))
    assert {never.request_ns() for _ in range(100)} == {10}
    assert max(never.report_ns() for _ in range(100)) > 10_000
