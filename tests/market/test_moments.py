"""Times of data files as nanoseconds."""

from __future__ import annotations

from datetime import UTC

import pytest

from hedgerow.market.moments import MomentError, Moments, moment_text, zone_named

# 2022-01-01T00:00:00Z.
NEW_YEAR_S = 1_640_995_200
NEW_YEAR_NS = NEW_YEAR_S * 10**9


@pytest.mark.parametrize(
    ("text", "after_ns"),
    [
        ("1640995200", 0),
        ("1640995200.25", 250_000_000),
        ("1640995200001", 1_000_000),
        ("1640995200000001", 1_000),
        ("1640995200000000001", 1),
        ("2022-01-01T00:00:00Z", 0),
        ("2022-01-01 00:00:00.000000001+00:00", 1),
        ("2022-01-01T01:00:00,5+0100", 500_000_000),
        ("2021-12-31T19:00-05:00", 0),
        ("20220101T000001Z", 10**9),
        ("2022-01-01 00:00:00 UTC", 0),
    ],
)
def test_a_time_says_its_own_unit_and_zone(text: str, after_ns: int) -> None:
    """Seconds to nanoseconds lie a thousand apart, so the size of a number tells which it is."""
    assert Moments().ts_ns(text) == NEW_YEAR_NS + after_ns


def test_a_text_without_a_zone_is_a_question() -> None:
    """An hour of difference between two venues would look like profit."""
    with pytest.raises(MomentError, match="without a zone; add --zone UTC"):
        Moments().ts_ns("2022-01-01 00:00:00")
    assert Moments(UTC).ts_ns("2022-01-01 00:00:00") == NEW_YEAR_NS
    assert Moments(zone_named("America/New_York")).ts_ns("2021-12-31 19:00") == NEW_YEAR_NS
    assert Moments(UTC).ts_ns("2022-01-01") == NEW_YEAR_NS
    assert Moments(UTC).ts_ns("20220101") == NEW_YEAR_NS


@pytest.mark.parametrize(
    ("text", "words"), [("2024-03-10T02:30:00", "does not exist"), ("2024-11-03T01:30:00", "occurs twice")]
)
def test_an_hour_that_the_clocks_skip_or_repeat_is_told(text: str, words: str) -> None:
    """No choice between the two would be right."""
    moments = Moments(zone_named("America/New_York"))
    with pytest.raises(MomentError, match=words):
        moments.ts_ns(text)
    assert moments.ts_ns("2024-11-03T03:30:00") > moments.ts_ns("2024-03-10T03:30:00")


def test_a_file_keeps_to_one_unit() -> None:
    """Some venues changed from milliseconds to microseconds on a new year."""
    moments = Moments()
    assert moments.ts_ns("1640995200000") == NEW_YEAR_NS
    assert moments.unit == "ms"
    with pytest.raises(MomentError, match=r"in us .* where ms was expected"):
        moments.ts_ns("1640995200000000")
    with pytest.raises(MomentError, match=r"in ms .* where s was expected"):
        Moments(unit="s").ts_ns("1640995200000")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "noon",
        "12",
        "2022-13-01T00:00:00Z",
        "2022-01-01T00:00:61Z",
        "2022-01-01T00:00:00+99:00",
        "2922-01-01",
        "1322-01-01",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    """With the text in the message."""
    with pytest.raises(MomentError, match="has "):
        Moments(UTC).ts_ns(text)


def test_a_zone_that_does_not_exist_is_refused() -> None:
    """A wrong letter is not UTC."""
    with pytest.raises(MomentError, match="there is no time zone 'Europe/Londn'"):
        zone_named("Europe/Londn")
    assert zone_named("utc") is UTC


def test_times_for_people_show_what_is_there() -> None:
    """To the second when it is whole."""
    assert moment_text(NEW_YEAR_NS) == "2022-01-01T00:00:00Z"
    assert moment_text(NEW_YEAR_NS + 250_000_000) == "2022-01-01T00:00:00.25Z"
