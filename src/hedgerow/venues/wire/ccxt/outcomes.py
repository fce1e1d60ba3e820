"""What an exception of ccxt's proves. Its classes mix refusals with silence, so that a proof needs more than a class.

A refusal counts when it is the exchange's own answer to the one request that could have placed something, in a form
that could be read, of a class and in words that leave no doubt. Everything else is *unknown*.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hedgerow.core.events import CancelOutcome, RejectClass
from hedgerow.venues.outcomes import EXISTS, UNKNOWN, Outcome, Proof

# Served by a front end that never saw the engine behind it.
_THROTTLED = frozenset({418, 429})
# A time-out, and a conflict that may have done a part.
_UNCLEAR = frozenset({408, 409})
_NO_KEY = frozenset({401, 403})
# An earlier attempt landed; ccxt calls it InvalidOrder, or nothing in particular.
_DUPLICATE_WORDS = ("duplicate", "already exist", "must be unique", "is not unique", "not_unique")
# What an exchange says when it does not know either. `Unknown symbol` is among it: better once too often.
_DOUBT_WORDS = (
    "abnormal",
    "busy",
    "internal",
    "later",
    "overload",
    "time out",
    "timed out",
    "timeout",
    "try again",
    "unavailable",
    "unknown",
)

# ccxt's class -> why the order was not taken. The class itself comes first, then what it is derived from.
REFUSALS: dict[str, RejectClass] = {
    "AccountNotEnabled": RejectClass.UNAUTHORIZED,
    "AccountSuspended": RejectClass.UNAUTHORIZED,
    "BadSymbol": RejectClass.OTHER,
    "ContractUnavailable": RejectClass.MARKET_CLOSED,
    "InsufficientFunds": RejectClass.INSUFFICIENT_MARGIN,
    "InvalidNonce": RejectClass.OTHER,
    "InvalidOrder": RejectClass.OTHER,
    "MarketClosed": RejectClass.MARKET_CLOSED,
    "OrderImmediatelyFillable": RejectClass.POST_ONLY,
    "OrderNotFillable": RejectClass.NO_LIQUIDITY,
    "PermissionDenied": RejectClass.UNAUTHORIZED,
    "RateLimitExceeded": RejectClass.RATE_LIMITED,
    "RestrictedLocation": RejectClass.UNAUTHORIZED,
}
# Derived from a class above, and no proof.
DOUBTFUL = frozenset({"ChecksumError", "DuplicateOrderId", "OrderNotCached", "OrderNotFound"})
_WORDS: tuple[tuple[str, RejectClass], ...] = (
    ("immediately match", RejectClass.POST_ONLY),
    ("post only", RejectClass.POST_ONLY),
    ("post-only", RejectClass.POST_ONLY),
    ("reduceonly", RejectClass.REDUCE_ONLY),
    ("reduce only", RejectClass.REDUCE_ONLY),
    ("reduce-only", RejectClass.REDUCE_ONLY),
    ("position side", RejectClass.POSITION_MODE),
    ("notional", RejectClass.MINIMUM),
    ("minimum", RejectClass.MINIMUM),
    ("maximum", RejectClass.MAXIMUM),
    ("precision", RejectClass.PRECISION),
    ("price", RejectClass.PRICE_BAND),
)


class Left(msgspec.Struct):
    """One request that ccxt sent while it carried one of ours, and what came back."""

    method: str
    status: int = 0
    "0 while no whole answer has come."
    text: str = ""
    is_refused: bool = False
    "ccxt took this very answer for an error."


def of_submit(classes: Sequence[str], left: Sequence[Left], *, post_only: bool) -> Outcome:
    """Return what is proven of a new order that ended in an exception.

    Args:
        classes: the exception's class and what it is derived from, nearest first, by name.
        left: the requests that left, oldest first.
        post_only: what the order was: an order that 'could not be filled' was refused for it.
    """
    if not left:
        return Outcome(Proof.NOT_TAKEN, RejectClass.NOT_SENT)
    answer = left[-1]
    if not answer.is_refused or [each for each in left if each.method != "GET"] != [answer]:
        return UNKNOWN
    if answer.status in _THROTTLED:
        return Outcome(Proof.NOT_TAKEN, RejectClass.RATE_LIMITED)
    # Refusals in answers of 200 are common: the status is of the front end alone there.
    if not 200 <= answer.status < 500 or answer.status in _UNCLEAR:
        return UNKNOWN
    words = answer.text.lower()
    if any(each in words for each in _DUPLICATE_WORDS):
        return EXISTS
    reject_class = _refusal(classes, answer, words)
    if reject_class is None:
        return UNKNOWN
    if reject_class is RejectClass.NO_LIQUIDITY and post_only:
        reject_class = RejectClass.POST_ONLY
    return Outcome(Proof.NOT_TAKEN, reject_class)


def _refusal(classes: Sequence[str], answer: Left, words: str) -> RejectClass | None:
    if any(each in words for each in _DOUBT_WORDS) or not DOUBTFUL.isdisjoint(classes):
        return None
    found = next((REFUSALS[name] for name in classes if name in REFUSALS), None)
    if found is None and "AuthenticationError" in classes and answer.status in _NO_KEY:
        return RejectClass.UNAUTHORIZED
    if found is RejectClass.OTHER and "InvalidOrder" in classes:
        return next((each for told, each in _WORDS if told in words), found)
    return found


def of_cancel(classes: Sequence[str], left: Sequence[Left]) -> CancelOutcome:
    """Return what is proven of a cancel that ended in an exception."""
    if not left:
        return CancelOutcome.REFUSED
    answer = left[-1]
    if not answer.is_refused:
        return CancelOutcome.UNKNOWN
    if answer.status in _THROTTLED:
        return CancelOutcome.REFUSED
    if not 200 <= answer.status < 500:
        return CancelOutcome.UNKNOWN
    if "OrderNotFound" in classes:
        return CancelOutcome.GONE
    return CancelOutcome.UNKNOWN if _refusal(classes, answer, answer.text.lower()) is None else CancelOutcome.REFUSED


def is_not_found(classes: Sequence[str], left: Sequence[Left]) -> bool:
    """Return whether a question for an order was answered with 'there is none'."""
    return bool(left) and left[-1].is_refused and 200 <= left[-1].status < 500 and "OrderNotFound" in classes
