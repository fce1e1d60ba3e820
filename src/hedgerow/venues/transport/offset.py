"""How far the venue's clock is from ours, from answers that bear its time. Pure."""

from __future__ import annotations

from collections import deque

NS_PER_MS = 1_000_000
# The sample with the shortest way there and back tells best; after so many, an old one is forgotten with its clock.
SAMPLES = 8


class Offset:
    """The venue's time, as well as we know it."""

    def __init__(self) -> None:
        self._samples: deque[tuple[int, int]] = deque(maxlen=SAMPLES)
        "(way there and back, offset), ns."

    def take(self, asked_ns: int, heard_ns: int, venue_ms: int) -> None:
        """Take one answer that says what time it was there, somewhere between question and answer."""
        middle_ns = (asked_ns + heard_ns) // 2
        self._samples.append((heard_ns - asked_ns, venue_ms * NS_PER_MS - middle_ns))

    @property
    def is_known(self) -> bool:
        return bool(self._samples)

    @property
    def ns(self) -> int:
        """What must be added to our time; 0 while it is not known."""
        return min(self._samples)[1] if self._samples else 0

    @property
    def error_ns(self) -> int:
        """By how much it may be wrong: half the way there and back."""
        return min(self._samples)[0] // 2 if self._samples else 0

    def now_ms(self, now_ns: int) -> int:
        """Return the venue's time."""
        return (now_ns + self.ns) // NS_PER_MS

    def forget(self) -> None:
        """Begin anew: a clock was set."""
        self._samples.clear()
