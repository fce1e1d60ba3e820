"""Exchange hours: the coming sessions of a venue as a plain table, from the calendar of its exchange.

The calendar library knows half-days, holidays and the changes of clocks in the exchange's own time zone; what leaves
here is UTC in ns, and the host's time zone is never asked. A broker's own calendar would give the same table.
"""

from __future__ import annotations

import difflib
import importlib
import warnings
from datetime import UTC, datetime, timedelta
from typing import Any

from hedgerow.model.session import Session, Sessions

ALWAYS_OPEN = "24/7"
# A session that began the day before may still go on, over a long weekend as well.
DAYS_BACK = 4
# A node reads the table anew each day; should that fail for two weeks, the venue counts as closed from then on.
DAYS_AHEAD = 14
NS_PER_S = 1_000_000_000
PACKAGE = "exchange_calendars"


class UnknownCalendar(ValueError):
    """There are no hours by that name; `help` says what to write instead."""

    def __init__(self, problem: str, help_: str) -> None:
        super().__init__(f"{problem}; {help_}")
        self.problem = problem
        self.help = help_


def check_calendar(name: str) -> None:
    """Raise UnknownCalendar when there is no calendar of that name, or nothing that knows calendars."""
    if name == ALWAYS_OPEN:
        return
    known = _library().get_calendar_names(include_aliases=True)
    if name in known:
        return
    near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.6)
    help_ = f"did you mean {near[0]}?" if near else "the exchange's MIC, e.g. XNYS for US stocks and options, or 24/7"
    raise UnknownCalendar(f"there is no exchange calendar {name!r}", help_)


def sessions_from(name: str, now_ns: int, days: int = DAYS_AHEAD) -> Sessions:
    """Return the sessions of an exchange around `now_ns` and for `days` after it, oldest first.

    Args:
        name: the exchange's MIC or a usual name, e.g. `XNYS` or `NYSE`; not `24/7`, which needs no table.
        now_ns: UTC.

    Raises:
        UnknownCalendar: there is none of that name, or nothing that knows calendars.
    """
    check_calendar(name)
    today = datetime.fromtimestamp(now_ns // NS_PER_S, UTC).date()
    start, end = today - timedelta(days=DAYS_BACK), today + timedelta(days=days)
    with warnings.catch_warnings():
        # What the library will have to change for the next pandas is no news to anybody here.
        warnings.simplefilter("ignore", DeprecationWarning)
        schedule = _library().get_calendar(name, start=start.isoformat(), end=end.isoformat()).schedule
    found: list[Session] = []
    for day, row in schedule.iterrows():
        name_of_day = day.strftime("%Y-%m-%d")
        bounds = [row["open"], row["break_start"], row["break_end"], row["close"]]
        # Without a lunch break its two bounds are no times.
        times = [bound.value for bound in bounds if bound == bound]
        found += [Session(name_of_day, *pair) for pair in zip(times[::2], times[1::2], strict=True)]
    return tuple(found)


def _library() -> Any:
    """The library brings pandas, so it is imported only by who asks for hours."""
    try:
        return importlib.import_module(PACKAGE)
    except ImportError:
        help_ = f"install it: .venv/bin/python -m pip install {PACKAGE}"
        raise UnknownCalendar(f"exchange calendars need {PACKAGE}", help_) from None
