"""Reading what a venue sent: exact numbers of a size that can be, and one kind of error for all that cannot."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TypeVar

import msgspec

from hedgerow.model.numbers import ZERO

Shape = TypeVar("Shape")
Number = str | int
"A number as it stands in a payload: not read before `positive`, `unsigned` or `amount` has judged it."
Text = bytes | str | msgspec.Raw
"JSON as it came, or a part of it that was left for later."

# As in core/sanity.py: no price, qty or balance of any market lies outside.
LARGEST = Decimal("1e12")
LOWEST = -LARGEST
SMALLEST = Decimal("1e-12")
# Decimal itself would read blanks, underscores and the digits of every script as well.
_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?").fullmatch
# 2017-07 and 2100: Binance did not trade before, and a time in microseconds is a thousand times later than the latter.
EARLIEST_MS, LATEST_MS = 1_500_000_000_000, 4_102_444_800_000
NS_PER_MS, US_PER_MS, NS_PER_US = 1_000_000, 1_000, 1_000
# What is told of a payload in an error: enough to know it again.
SHOWN_LEN = 120


class BadPayload(Exception):
    """A venue sent what cannot be understood. The text says what was wrong; nothing has been applied."""


def decoded(decoder: msgspec.json.Decoder[Shape], raw: Text) -> Shape:
    """Return what a payload says.

    Raises:
        BadPayload: it is no JSON, or not of the decoder's shape.
    """
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadPayload(f"{error}: {shown(raw)}") from error


def shown(raw: Text) -> str:
    """Return the beginning of a payload for people."""
    text = raw if isinstance(raw, str) else bytes(raw).decode("utf-8", "replace")
    return printable(text, SHOWN_LEN)


def printable(text: str, length: int) -> str:
    """Return a venue's words in printable characters alone: they end up on terminals and in logs."""
    short = text[:length] + ("…" if len(text) > length else "")
    return "".join(each if each.isprintable() else "·" for each in short)


def positive(number: Number, name: str) -> Decimal:
    """Return a price or a qty, which is > 0.

    Raises:
        BadPayload: it is not, or no market has such a number.
    """
    value = _exact(number, name)
    if SMALLEST <= value <= LARGEST:
        return value
    raise BadPayload(f"{name} is {shown(str(number))}, which no price or qty can be")


def amount(number: Number, name: str) -> Decimal:
    """Return a number of either sign.

    Raises:
        BadPayload: it is no number, or of a size that cannot be.
    """
    value = _exact(number, name)
    if LOWEST <= value <= LARGEST:
        return value
    raise BadPayload(f"{name} is {shown(str(number))}, which cannot be")


def unsigned(number: Number, name: str) -> Decimal:
    """Return a number >= 0.

    Raises:
        BadPayload: it is below zero, or cannot be.
    """
    value = amount(number, name)
    if value < ZERO:
        raise BadPayload(f"{name} is {value}, below zero")
    return value


def _exact(number: Number, name: str) -> Decimal:
    if isinstance(number, str):
        read = _NUMBER(number)
        if read is None:
            raise BadPayload(f"{name} is {shown(number)!r}, which is no number")
        # Venues pad with zeros, and whoever is told of a qty or a price would read them all.
        if number[-1] == "0" and read[1] is not None and read[2] is None:
            return Decimal(number.rstrip("0").rstrip("."))
    return Decimal(number)


def ns_of(ms: int, name: str) -> int:
    """Return a venue's time in ns. Milliseconds are meant, unless only microseconds can be.

    Raises:
        BadPayload: it is neither.
    """
    if EARLIEST_MS <= ms <= LATEST_MS:
        return ms * NS_PER_MS
    if EARLIEST_MS * US_PER_MS <= ms <= LATEST_MS * US_PER_MS:
        return ms * NS_PER_US
    raise BadPayload(f"{name} is {shown(str(ms))}, which is no time in ms")
