"""The venue's clock, as well as it is known."""

from __future__ import annotations

from hedgerow.venues.transport.offset import SAMPLES, Offset

MS = 1_000_000


def test_the_answer_with_the_shortest_way_tells_best() -> None:
    """A late answer says little about when it was given."""
    offset = Offset()
    offset.take(1_000 * MS, 1_400 * MS, 3_000)
    offset.take(2_000 * MS, 2_010 * MS, 3_005)

    assert offset.ns == 1_000 * MS
    assert offset.error_ns == 5 * MS
    assert offset.now_ms(5_000 * MS) == 6_000


def test_an_old_answer_is_forgotten() -> None:
    """Clocks drift: the best answer of yesterday says nothing of today."""
    offset = Offset()
    offset.take(0, 0, 9_000)
    for number in range(SAMPLES):
        offset.take(number * MS, (number + 2) * MS, number + 1)

    assert offset.ns == 0


def test_nothing_is_known_at_first_and_after_a_clock_was_set() -> None:
    """Then our own clock is as good as any."""
    offset = Offset()
    offset.take(0, 0, 9_000)
    offset.forget()

    assert not offset.is_known
    assert (offset.ns, offset.error_ns) == (0, 0)
