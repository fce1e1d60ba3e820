"""Latency: how long requests and reports travel. Whole nanoseconds, from a seed."""

from __future__ import annotations

import random

import msgspec


class Delay(msgspec.Struct, frozen=True):
    """One direction of a link: at least `base_ns`, usually up to `jitter_ns` more, rarely up to `spike_ns` more."""

    base_ns: int
    jitter_ns: int = 0
    spike_ns: int = 0
    spikes_per_million: int = 0


class Latency:
    """The way to a venue and back. Delays of one direction are drawn one by one, so later may arrive sooner."""

    def __init__(self, rng: random.Random, request: Delay, report: Delay) -> None:
        self._rng = rng
        self._request = request
        self._report = report

    def request_ns(self) -> int:
        """Return how long the next request takes to the venue."""
        return self._draw(self._request)

    def report_ns(self) -> int:
        """Return how long the next answer or report takes from the venue."""
        return self._draw(self._report)

    def _draw(self, delay: Delay) -> int:
        total_ns = delay.base_ns
        if delay.jitter_ns:
            total_ns += self._rng.randrange(delay.jitter_ns + 1)
        if delay.spikes_per_million and self._rng.randrange(1_000_000) < delay.spikes_per_million:
            total_ns += self._rng.randrange(delay.spike_ns + 1)
        return total_ns
