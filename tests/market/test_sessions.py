"""Exchange hours: exchange time only, half-days, holidays and changes of clocks included."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from hedgerow.market.sessions import UnknownCalendar, check_calendar, sessions_from
from hedgerow.model.session import Session, Sessions, day_close_ns, next_session, session_at, utc_text

ZONES = ("UTC", "America/New_York", "America/Los_Angeles", "Australia/Sydney")
MOMENTS = ("2026-03-06T20:00:00+00:00", "2026-10-30T19:00:00+00:00", "2026-11-26T15:00:00+00:00")
SCRIPT = """
import json, sys
from datetime import datetime
from hedgerow.market.sessions import sessions_from
moments = [int(datetime.fromisoformat(moment).timestamp()) * 10**9 for moment in sys.argv[1:]]
print(json.dumps([[[s.day, s.open_ns, s.close_ns] for s in sessions_from("XNYS", at)] for at in moments]))
"""


def ns(text: str) -> int:
    """Return a UTC time, `2026-11-27 18:00`, in ns."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


def hours(table: Sessions, day: str) -> list[tuple[str, str]]:
    """Return the opens and closes of a day as UTC clock times."""
    return [(utc_text(s.open_ns)[11:16], utc_text(s.close_ns)[11:16]) for s in table if s.day == day]


def test_a_session_is_in_exchange_time() -> None:
    """New York trades from 9:30 to 16:00: 14:30 to 21:00 UTC in winter."""
    table = sessions_from("XNYS", ns("2026-11-20 12:00"))

    assert hours(table, "2026-11-20") == [("14:30", "21:00")]


@pytest.mark.parametrize(
    ("before", "after", "opens_before", "opens_after"),
    [("2026-03-06", "2026-03-09", "14:30", "13:30"), ("2026-10-30", "2026-11-02", "13:30", "14:30")],
)
def test_the_clocks_change_with_the_exchange(before: str, after: str, opens_before: str, opens_after: str) -> None:
    """E4: over both weekends of a change the open moves by an hour in UTC and not at all in New York."""
    table = sessions_from("XNYS", ns(f"{before} 12:00"))

    assert hours(table, before)[0][0] == opens_before
    assert hours(table, after)[0][0] == opens_after


def test_half_days_and_holidays() -> None:
    """E5: nothing on Thanksgiving, and the day after ends at 13:00 in New York."""
    table = sessions_from("XNYS", ns("2026-11-25 12:00"))

    assert hours(table, "2026-11-26") == []
    assert hours(table, "2026-11-27") == [("14:30", "18:00")]
    assert day_close_ns(table, "2026-11-27") == ns("2026-11-27 18:00")
    following = next_session(table, ns("2026-11-25 21:00"))
    assert following is not None and following.day == "2026-11-27"


def test_a_lunch_break_is_two_sessions() -> None:
    """Hong Kong and Tokyo stop at noon: an order sent then would be refused."""
    table = sessions_from("XHKG", ns("2026-11-20 00:00"))

    assert hours(table, "2026-11-20") == [("01:30", "04:00"), ("05:00", "08:00")]
    assert session_at(table, ns("2026-11-20 04:30")) is None
    assert day_close_ns(table, "2026-11-20") == ns("2026-11-20 08:00")


@pytest.mark.slow
def test_the_hosts_time_zone_never_matters() -> None:
    """E4: hosts in UTC, New York, Los Angeles and Sydney make the same table."""
    command = (sys.executable, "-W", "ignore", "-c", SCRIPT, *MOMENTS)
    environments = [os.environ | {"TZ": zone, "PYTHONPATH": os.pathsep.join(sys.path)} for zone in ZONES]

    runs = [subprocess.Popen(command, env=each, stdout=subprocess.PIPE, text=True) for each in environments]
    told = [json.loads(run.communicate()[0]) for run in runs]

    assert told[0][0], told
    assert all(each == told[0] for each in told)


@pytest.mark.parametrize(("name", "help_"), [("NYSEE", "NYSE"), ("America/New_York", "MIC"), ("xnys", "XNYS")])
def test_an_unknown_calendar_is_told(name: str, help_: str) -> None:
    """A time zone is no calendar, and a misspelt one is not taken for always open."""
    with pytest.raises(UnknownCalendar, match=help_):
        check_calendar(name)


def test_always_open_needs_no_library() -> None:
    """Venues that never close have no table at all."""
    check_calendar("24/7")


def test_a_table_says_where_a_moment_lies() -> None:
    """The open belongs to the session, the close does not; beyond the table nothing is known."""
    table = (Session("2026-01-02", 100, 200), Session("2026-01-05", 300, 400))

    assert session_at(table, 99) is None
    assert session_at(table, 100) == table[0]
    assert session_at(table, 200) is None
    assert next_session(table, 100) == table[1]
    assert next_session(table, 300) is None
    assert day_close_ns(table, "2026-01-03") is None


@pytest.mark.parametrize("moment", ["1970-01-01 00:00", "2000-02-29 23:59", "2026-11-27 18:00", "2100-03-01 00:00"])
def test_times_are_told_as_people_read_them(moment: str) -> None:
    """The pure rooms have no datetime, and get the same date."""
    assert utc_text(ns(moment)) == f"{moment}:00 UTC"
