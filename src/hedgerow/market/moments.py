"""Times as data files write them, turned into nanoseconds since the epoch, UTC. Nothing is guessed about a zone.

Here alone the rooms below `api` touch calendar dates: a file is a border, and behind it there is only `ts_ns`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

NS_PER_S = 1_000_000_000
UNITS = {"s": NS_PER_S, "ms": 1_000_000, "us": 1_000, "ns": 1}
"Unit of a number -> nanoseconds in one."

# Market data is younger than 1990 and older than 2100; a number outside is of another unit, or no time at all.
FIRST_NS = 631_152_000 * NS_PER_S
LAST_NS = 4_102_444_800 * NS_PER_S

_TEXT = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ](\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d{1,9}))?)?)?"
    r"\s*(Z|UTC|[+-]\d\d(?::?\d\d)?)?",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(\d+)(?:\.(\d*))?")
_CACHED_MAX = 4_096


class MomentError(ValueError):
    """A time that cannot be read. The text says why and what helps; it is without file and row."""


def zone_named(name: str) -> tzinfo:
    """Return the zone of that name, e.g. `UTC` or `America/New_York`.

    Raises:
        MomentError: there is none.
    """
    if name.upper() in ("UTC", "Z"):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise MomentError(f"there is no time zone '{name}'; name one as `UTC` or `Europe/London`") from None


class Moments:
    """Reads the times of one file. The first number says the unit of all; a text needs a zone, its own or as told."""

    def __init__(self, zone: tzinfo | None = None, unit: str = "") -> None:
        assert not unit or unit in UNITS, unit
        self._zone = zone
        self._unit = unit
        self._per_unit = UNITS.get(unit, 1)
        self._minutes: dict[tuple[str, str], int] = {}

    @property
    def unit(self) -> str:
        """Unit of the numbers; empty before the first one, and for texts."""
        return self._unit

    def ts_ns(self, text: str) -> int:
        """Return one time.

        Raises:
            MomentError: it is none, its zone is not known, or a clock change makes it doubtful.
        """
        text = text.strip()
        number = _NUMBER.fullmatch(text)
        # Eight digits are a date: as seconds they would lie in 1973.
        if number is not None and len(number[1]) != 8:
            return self._from_number(number[1], number[2] or "")
        return self._from_text(text)

    def _from_number(self, whole: str, fraction: str) -> int:
        value = int(whole)
        if self._unit and FIRST_NS <= value * self._per_unit < LAST_NS:
            return value * self._per_unit + self._rest_ns(fraction)
        # The four units lie a thousand apart, so that a time of this century can be only one of them.
        fits = [unit for unit, ns in UNITS.items() if FIRST_NS <= value * ns < LAST_NS]
        if not fits:
            raise MomentError(f"has the time {whole}, which is none since 1990 in s, ms, us or ns")
        if not self._unit:
            self._unit = fits[0]
        if self._unit not in fits:
            raise MomentError(f"has its time in {fits[0]} ({whole}), where {self._unit} was expected")
        self._per_unit = UNITS[self._unit]
        return value * self._per_unit + self._rest_ns(fraction)

    def _rest_ns(self, fraction: str) -> int:
        return int(fraction[:9].ljust(9, "0")) * self._per_unit // NS_PER_S if fraction else 0

    def _from_text(self, text: str) -> int:
        parts = _TEXT.fullmatch(text)
        if parts is None:
            raise MomentError(f"has '{text}' where a time must be: a number, or a text such as 2026-01-31T09:30:00Z")
        seconds = int(parts[6] or 0)
        rest_ns = int((parts[7] or "0").ljust(9, "0"))
        minute = (text[: parts.end(5) if parts[5] else parts.end(3)], parts[8] or "")
        start_s = self._minutes.get(minute)
        if start_s is None:
            if len(self._minutes) >= _CACHED_MAX:
                self._minutes.clear()
            start_s = self._minutes[minute] = self._minute(text, parts)
        if seconds > 59:
            raise MomentError(f"has the time '{text}', which does not exist")
        ts_ns = (start_s + seconds) * NS_PER_S + rest_ns
        if not 0 <= ts_ns < LAST_NS:
            raise MomentError(f"has the time '{text}', which does not lie between 1970 and 2100")
        return ts_ns

    def _minute(self, text: str, parts: re.Match[str]) -> int:
        try:
            naive = datetime(int(parts[1]), int(parts[2]), int(parts[3]), int(parts[4] or 0), int(parts[5] or 0))  # noqa: DTZ001
        except ValueError:
            raise MomentError(f"has the time '{text}', which does not exist") from None
        if parts[8]:
            return int(naive.replace(tzinfo=_offset(parts[8], text)).timestamp())
        if self._zone is None:
            raise MomentError(f"has the time '{text}' without a zone; add --zone UTC, or the zone that it is in")
        early, late = (naive.replace(tzinfo=self._zone, fold=fold) for fold in (0, 1))
        if early.utcoffset() != late.utcoffset():
            what = "occurs twice" if _exists(early) else "does not exist"
            raise MomentError(f"has the time '{text}', which {what} in {self._zone}, where the clocks change")
        return int(early.timestamp())


def _exists(moment: datetime) -> bool:
    return moment.astimezone(UTC).astimezone(moment.tzinfo).replace(tzinfo=None) == moment.replace(tzinfo=None)


def _offset(text: str, whole: str) -> tzinfo:
    if text.upper() in ("Z", "UTC"):
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    if minutes > 14 * 60:
        raise MomentError(f"has the time '{whole}', whose zone does not exist")
    return timezone(timedelta(minutes=minutes if text[0] == "+" else -minutes))


def moment_text(ts_ns: int) -> str:
    """Return a time for people, to the second when it is whole: `2026-01-31T09:30:00Z`."""
    seconds, rest_ns = divmod(ts_ns, NS_PER_S)
    fraction = f".{rest_ns:09d}".rstrip("0") if rest_ns else ""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}{fraction}Z"
