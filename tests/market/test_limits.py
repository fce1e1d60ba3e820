"""Rate limits by themselves."""

from __future__ import annotations

from hedgerow.market.limits import NS_PER_S, Counted, Meter, RateLimits, Window

WEIGHT = RateLimits((Window(Counted.WEIGHT, 10, 60),), ban_after=1, ban_s=100, ban_s_max=150)


def test_a_window_begins_anew_at_whole_intervals() -> None:
    """What was used before the minute's end does not count after it."""
    meter = Meter(WEIGHT)
    assert meter.charge(59 * NS_PER_S, 10) is None
    refused = meter.charge(59 * NS_PER_S, 1)
    assert refused is not None and (refused.status, refused.retry_after_s) == (429, 1)
    assert meter.charge(60 * NS_PER_S, 10) is None
    assert meter.used(0) == 10


def test_a_refused_request_uses_nothing() -> None:
    """A heavy request that does not fit leaves room for a light one."""
    meter = Meter(WEIGHT)
    assert meter.charge(0, 8) is None
    assert meter.charge(0, 3) is not None
    assert meter.charge(0, 2) is None


def test_each_further_ban_is_twice_as_long_up_to_the_longest() -> None:
    """Whoever does not listen waits longer every time."""
    meter = Meter(WEIGHT)
    now_ns = 0
    lengths = []
    for _ in range(3):
        meter.charge(now_ns, 10)
        meter.charge(now_ns, 1)
        refused = meter.charge(now_ns, 1)
        assert refused is not None and refused.status == 418
        lengths.append(refused.retry_after_s)
        now_ns += 300 * NS_PER_S
    assert lengths == [100, 150, 150]


def test_a_banned_account_is_refused_until_the_ban_ends() -> None:
    """The answer says until when, and a request during the ban does not lengthen it."""
    meter = Meter(WEIGHT)
    meter.charge(0, 10)
    meter.charge(0, 1)
    meter.charge(0, 1)
    refused = meter.charge(99 * NS_PER_S, 1)
    assert refused is not None and (refused.status, refused.retry_after_s) == (418, 1)
    assert "banned until 100000." in refused.text
    assert meter.charge(100 * NS_PER_S, 1) is None
