"""When a venue trades: a plain table of its coming sessions, and what may be asked of it.

All times are UTC in ns: neither the host's time zone nor a change of clocks plays any part in what is decided by it.
"""

from __future__ import annotations

import msgspec

_S, _DAY_S = 1_000_000_000, 86_400


class Session(msgspec.Struct, frozen=True):
    """One stretch of trading. A day with a lunch break has two."""

    day: str
    "The day at the exchange, `YYYY-MM-DD`."
    open_ns: int
    "From here on orders are taken."
    close_ns: int
    "From here on they are not."


Sessions = tuple[Session, ...]
"Oldest first, none overlaps another."


def session_at(sessions: Sessions, ts_ns: int) -> Session | None:
    """Return the session that `ts_ns` lies in; None when the venue is closed, or that is not known."""
    return next((each for each in sessions if each.open_ns <= ts_ns < each.close_ns), None)


def next_session(sessions: Sessions, ts_ns: int) -> Session | None:
    """Return the first session that opens after `ts_ns`; None when the table ends before."""
    return next((each for each in sessions if each.open_ns > ts_ns), None)


def day_close_ns(sessions: Sessions, day: str) -> int | None:
    """Return when the exchange's day ends, its last session's close; None when the table does not have it."""
    return max((each.close_ns for each in sessions if each.day == day), default=None)


def utc_text(ts_ns: int) -> str:
    """Return a time as people read it, e.g. `2026-11-27 18:00:00 UTC`."""
    days, second = divmod(ts_ns // _S, _DAY_S)
    # Civil date from days since 1970-01-01: years of 365.2425 days in eras of 400, counted from March.
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    year = era * 400 + year_of_era + (1 if month <= 2 else 0)
    return f"{year:04d}-{month:02d}-{day:02d} {second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d} UTC"
