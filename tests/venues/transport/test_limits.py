"""The venue's budgets: what may leave, what is kept for what takes risk away, and bans."""

from __future__ import annotations

import pytest

from hedgerow.venues.transport.limits import Limits
from hedgerow.venues.wire.binance.routes import Limit
from hedgerow.venues.wire.request import Lane, Weight
from tests.venues.transport.peer import request

S = 1_000_000_000
# The beginning of a minute.
START_NS = 1_700_000_040 * S
MINUTE_NS = 60 * S


def used(limits: Limits, units: int) -> None:
    limits.correct([Weight("api/ip", units)], START_NS)


@pytest.mark.parametrize(
    ("lane", "most"), [(Lane.CANCEL, 100), (Lane.HEDGE, 100), (Lane.EXIT, 95), (Lane.QUERY, 80), (Lane.ENTRY, 60)]
)
def test_each_lane_leaves_a_part_to_those_above_it(lane: Lane, most: int) -> None:
    """Entries and questions must not use up what a hedge needs."""
    limits = Limits([Limit("api/ip", 100, 60)])
    used(limits, most - 1)

    assert limits.wait_ns(request(lane=lane), START_NS) == 0
    limits.take(request(lane=lane), START_NS)
    assert limits.wait_ns(request(lane=lane), START_NS) == MINUTE_NS


def test_a_new_interval_begins_with_the_clock() -> None:
    """The venue counts by minutes of the clock, not from the first request."""
    limits = Limits([Limit("api/ip", 100, 60)])
    used(limits, 100)

    assert limits.wait_ns(request(), START_NS + 59 * S) == S
    assert limits.wait_ns(request(), START_NS + MINUTE_NS) == 0


def test_what_the_venue_counts_is_believed_when_it_is_more() -> None:
    """Other programs at this address use the same budget; an older answer must not give any back."""
    limits = Limits([Limit("api/ip", 100, 60)])
    used(limits, 90)
    used(limits, 20)

    assert limits.wait_ns(request(units=11, lane=Lane.HEDGE), START_NS) > 0
    assert limits.wait_ns(request(units=10, lane=Lane.HEDGE), START_NS) == 0


def test_a_ban_holds_everything_and_no_host_but_its_own() -> None:
    """A cancel during a ban makes the ban longer."""
    limits = Limits([])
    limits.ban("api", 429, 7, START_NS)

    assert limits.wait_ns(request(lane=Lane.CANCEL), START_NS) == 7 * S
    assert limits.wait_ns(request(lane=Lane.CANCEL), START_NS + 7 * S) == 0


def test_a_ban_without_a_time_has_one_and_a_shorter_one_does_not_end_a_longer() -> None:
    """A venue that bans and does not say for how long means minutes."""
    limits = Limits([])

    assert limits.ban("api", 418, 0, START_NS) == START_NS + 120 * S
    assert limits.ban("api", 429, 1, START_NS) == START_NS + 120 * S


def test_the_venues_own_numbers_take_the_place_of_ours() -> None:
    """It changes them now and then; what was used stays used."""
    limits = Limits([Limit("api/ip", 100, 60)])
    used(limits, 50)
    limits.learn([Limit("api/ip", 40, 60), Limit("api/orders_10s", 5, 10)])

    assert limits.wait_ns(request(lane=Lane.HEDGE), START_NS) == MINUTE_NS


def test_a_request_that_weighs_more_than_its_share_leaves_in_a_fresh_interval() -> None:
    """Waiting for room that will never be there would hold it for ever."""
    limits = Limits([Limit("api/ip", 10, 60)])

    assert limits.wait_ns(request(units=50, lane=Lane.ENTRY), START_NS) == 0
