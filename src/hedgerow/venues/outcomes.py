"""What an answer of the simulated venue proves: the order was taken, was definitely not, is known already, or nothing.

It speaks Binance's numbers. Whatever is not in the tables proves nothing: when in doubt it is *unknown*.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from hedgerow.core.events import CancelOutcome, RejectClass
from hedgerow.market.answers import Refused


class Proof(Enum):
    """What the answer to a submit says of the order."""

    NOT_TAKEN = "not_taken"
    EXISTS = "exists"
    "The id is in use: an earlier attempt landed. The order is to be asked for."
    NOTHING = "nothing"


class Outcome(msgspec.Struct, frozen=True):
    """An answer other than 'accepted', understood."""

    proof: Proof
    reject_class: RejectClass | None = None
    "With NOT_TAKEN: why."


UNKNOWN = Outcome(Proof.NOTHING)
EXISTS = Outcome(Proof.EXISTS)

# Served by a front end that never saw the engine behind it, so that nothing was taken.
_THROTTLED = frozenset({418, 429})
# The venue's own words for 'I do not know': it may have been taken.
# Source: Binance spot docs, "HTTP return codes" and errors -1000, -1001, -1006, -1007 (recalled, not checked).
_UNDECIDED = frozenset({0, -1000, -1001, -1006, -1007, -2013})

_BY_CODE: dict[int, RejectClass] = {
    -1003: RejectClass.RATE_LIMITED,
    -1013: RejectClass.OTHER,
    -1015: RejectClass.RATE_LIMITED,
    -1016: RejectClass.MARKET_CLOSED,
    -1021: RejectClass.OTHER,
    -1022: RejectClass.UNAUTHORIZED,
    -1102: RejectClass.OTHER,
    -1106: RejectClass.OTHER,
    -1111: RejectClass.PRECISION,
    -1121: RejectClass.OTHER,
    -2014: RejectClass.UNAUTHORIZED,
    -2015: RejectClass.UNAUTHORIZED,
    -2018: RejectClass.INSUFFICIENT_MARGIN,
    -2019: RejectClass.INSUFFICIENT_MARGIN,
    -2022: RejectClass.REDUCE_ONLY,
    -4004: RejectClass.MINIMUM,
    -4005: RejectClass.MAXIMUM,
    -4061: RejectClass.POSITION_MODE,
    -4131: RejectClass.PRICE_BAND,
    -4164: RejectClass.MINIMUM,
    -5021: RejectClass.NO_LIQUIDITY,
    -5022: RejectClass.POST_ONLY,
}

# (code, words in the text, why): some codes mean several things, and only the words tell them apart.
_BY_TEXT: tuple[tuple[int, str, RejectClass], ...] = (
    (-1013, "LOT_SIZE", RejectClass.PRECISION),
    (-1013, "PRICE_FILTER", RejectClass.PRECISION),
    (-1013, "PERCENT_PRICE", RejectClass.PRICE_BAND),
    (-1013, "NOTIONAL", RejectClass.MINIMUM),
    (-1013, "Invalid quantity", RejectClass.MINIMUM),
    (-2010, "insufficient balance", RejectClass.INSUFFICIENT_MARGIN),
    (-2010, "immediately match", RejectClass.POST_ONLY),
)
_DUPLICATES: tuple[tuple[int, str], ...] = ((-2010, "Duplicate order sent"), (-4116, ""))


def of_submit(status: int, code: int, text: str) -> Outcome:
    """Return what an answer to a new order proves.

    Args:
        status: HTTP status.
        code: the venue's number; 0 when the body had none, or could not be read.
        text: the venue's words.
    """
    if status in _THROTTLED:
        return Outcome(Proof.NOT_TAKEN, RejectClass.RATE_LIMITED)
    # A 2xx that is no acceptance and a 5xx come from in front of the engine, and a conflict may have done a part.
    if not 400 <= status < 500 or status == 409 or code in _UNDECIDED:
        return UNKNOWN
    if any(code == known and words in text for known, words in _DUPLICATES):
        return EXISTS
    for known, words, reject_class in _BY_TEXT:
        if code == known and words in text:
            return Outcome(Proof.NOT_TAKEN, reject_class)
    known_class = _BY_CODE.get(code)
    return UNKNOWN if known_class is None else Outcome(Proof.NOT_TAKEN, known_class)


def of_cancel(refused: Refused) -> CancelOutcome:
    """Return what a refused cancel proves. 'Unknown order' may be filled, ended or never been: only reports tell."""
    if refused.status in _THROTTLED:
        return CancelOutcome.REFUSED
    if not 400 <= refused.status < 500:
        return CancelOutcome.UNKNOWN
    if refused.code in (-2011, -2013):
        return CancelOutcome.GONE
    return CancelOutcome.REFUSED if refused.code in _BY_CODE else CancelOutcome.UNKNOWN


def is_not_found(refused: Refused) -> bool:
    """Return whether a refused query says that there is no such order."""
    return 400 <= refused.status < 500 and refused.code == -2013
