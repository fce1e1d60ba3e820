"""What an answer of Binance proves: one table of (product, code, words); what it does not name is *unknown*.

The same number means different things by product: -2022 is a refused reduce-only order of futures, and a failed
cancel-replace of spot. A row is there only where Binance says that nothing was taken.

Source: Binance docs, error codes of spot, USD-M, margin and portfolio margin; "HTTP Return Codes" (checked 2026-07).
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from hedgerow.core.events import CancelOutcome, RejectClass
from hedgerow.venues.outcomes import EXISTS, UNKNOWN, Outcome, Proof
from hedgerow.venues.wire.binance.kinds import Product
from hedgerow.venues.wire.binance.routes import Endpoint

BANNED, TOO_MANY = 418, 429
CONFLICT = 409

SPOT = frozenset({Product.SPOT, Product.MARGIN, Product.PM_MARGIN})
FUTURES = frozenset({Product.UM, Product.PM_UM})
MARGIN = frozenset({Product.MARGIN, Product.PM_MARGIN})
ALL = frozenset(Product)

NO_SUCH_ORDER = -2013
UNKNOWN_ORDER = -2011


class Row(msgspec.Struct, frozen=True):
    """One line of the table: an answer to a new order that is understood."""

    products: frozenset[Product]
    code: int
    words: str
    "In the text, whatever their case; empty for any."
    outcome: Outcome


def _refused(products: frozenset[Product], reject_class: RejectClass, *codes: int) -> Iterable[Row]:
    return (Row(products, code, "", Outcome(Proof.NOT_TAKEN, reject_class)) for code in codes)


def _worded(products: frozenset[Product], code: int, words: str, reject_class: RejectClass) -> Row:
    return Row(products, code, words, Outcome(Proof.NOT_TAKEN, reject_class))


# What the engine of spot and margin says with -2010, and with -1010 before it was looked at.
_SPOT_WORDS: tuple[tuple[str, RejectClass], ...] = (
    ("insufficient balance", RejectClass.INSUFFICIENT_MARGIN),
    ("would immediately match and take", RejectClass.POST_ONLY),
    ("Market is closed", RejectClass.MARKET_CLOSED),
    ("Order book liquidity", RejectClass.NO_LIQUIDITY),
    ("Price * QTY is zero or less", RejectClass.MINIMUM),
    ("may not place or cancel orders", RejectClass.UNAUTHORIZED),
    ("action is disabled on this account", RejectClass.UNAUTHORIZED),
    ("not permitted for this account", RejectClass.UNAUTHORIZED),
    ("restricted for this account", RejectClass.UNAUTHORIZED),
    ("trading is not enabled", RejectClass.UNAUTHORIZED),
    ("are not supported for this symbol", RejectClass.OTHER),
    ("are not support for this symbol", RejectClass.OTHER),
    ("Unsupported order combination", RejectClass.OTHER),
    ("would trigger immediately", RejectClass.OTHER),
)
# -1013: "the request didn't reach the Matching Engine". Longer names first: one is part of the other.
_FILTER_WORDS: tuple[tuple[str, RejectClass], ...] = (
    ("MARKET_LOT_SIZE", RejectClass.MAXIMUM),
    ("LOT_SIZE", RejectClass.PRECISION),
    ("PRICE_FILTER", RejectClass.PRECISION),
    ("PERCENT_PRICE", RejectClass.PRICE_BAND),
    ("NOTIONAL", RejectClass.MINIMUM),
    ("MAX_POSITION", RejectClass.MAXIMUM),
    ("MAX_NUM_", RejectClass.MAXIMUM),
    ("Invalid quantity", RejectClass.MINIMUM),
    ("Invalid price", RejectClass.PRECISION),
    ("Market is closed", RejectClass.MARKET_CLOSED),
)

# Said before anything is looked at, of orders and of cancels alike.
_AT_THE_GATE: dict[RejectClass, tuple[int, ...]] = {
    RejectClass.RATE_LIMITED: (-1003, -1015),
    RejectClass.UNAUTHORIZED: (-1002, -1022, -2014, -2015),
    RejectClass.MARKET_CLOSED: (-1016,),
    RejectClass.PRECISION: (-1111,),
    # A late timestamp, and parameters that are missing, surplus or malformed.
    RejectClass.OTHER: (-1014, -1020, -1021, *(code for code in range(-1199, -1099) if code != -1111)),
}

# The first row that fits decides. Not here, and so unknown: -1000, -1001, -1006, -1007 ("execution status unknown"),
# -1008 of futures (it may come from behind the gate), -2013 (an answer to another question), -2010 in words that nobody
# has seen, -2021 and -2022 of spot (a part may have been done), and every number that is new.
TABLE: tuple[Row, ...] = (
    # An earlier attempt of ours landed. FAILURES A11: it looks like a refusal.
    Row(ALL, -2010, "Duplicate order sent", EXISTS),
    Row(ALL, -4116, "", EXISTS),
    Row(FUTURES, -4015, "duplicate", EXISTS),
    *(_worded(SPOT, code, words, why) for code in (-2010, -1010) for words, why in _SPOT_WORDS),
    *(_worded(SPOT, -1013, words, why) for words, why in _FILTER_WORDS),
    *_refused(ALL, RejectClass.OTHER, -1013),
    *(row for reject_class, codes in _AT_THE_GATE.items() for row in _refused(ALL, reject_class, *codes)),
    *_refused(FUTURES, RejectClass.UNAUTHORIZED, -1011, -4088, -4090, -4109),
    *_refused(SPOT, RejectClass.OTHER, -1220),
    # Margin and reduce-only, of futures.
    *_refused(FUTURES, RejectClass.INSUFFICIENT_MARGIN, -2018, -2019, -2024, -4050, -4051, -4112),
    *_refused(FUTURES, RejectClass.NO_LIQUIDITY, -2020, -5021, -4113),
    *_refused(FUTURES, RejectClass.POST_ONLY, -5022),
    *_refused(FUTURES, RejectClass.OTHER, -2021),
    *_refused(FUTURES, RejectClass.REDUCE_ONLY, -2022, -2026, -4118, -4138),
    *_refused(FUTURES, RejectClass.MARKET_CLOSED, -2023, -4022, -4140, -4141, -4192, -4400, -4402, -4403),
    *_refused(FUTURES, RejectClass.MAXIMUM, -2025, -2027, -2028, -4005, -4045),
    # Filters of futures.
    *_refused(FUTURES, RejectClass.MINIMUM, -4003, -4004, -4164, -4178),
    *_refused(FUTURES, RejectClass.PRECISION, -4014, -4023, -4029, -4030),
    *_refused(FUTURES, RejectClass.PRICE_BAND, -4001, -4002, -4013, -4016, -4024, -4131, -4151, -4152),
    *_refused(FUTURES, RejectClass.POSITION_MODE, -4060, -4061, -4062, -4531),
    # Only what shrinks a position is taken now: for what would grow it the market is closed.
    *_refused(FUTURES, RejectClass.MARKET_CLOSED, -4087, -4089, -4189),
    *_refused(FUTURES, RejectClass.OTHER, -4000, -4015, -4120, -4139, -4196, -4401),
    # Loans of margin and portfolio margin. The papi writes some of its numbers without the minus.
    *_refused(MARGIN, RejectClass.INSUFFICIENT_MARGIN, -3006, -3045),
    *_refused(ALL, RejectClass.INSUFFICIENT_MARGIN, 51006, 51061, 51169, -51006, -51061, -51169),
)


def _index() -> dict[int, tuple[Row, ...]]:
    rows: dict[int, list[Row]] = {}
    for row in TABLE:
        rows.setdefault(row.code, []).append(row)
    return {code: tuple(found) for code, found in rows.items()}


_BY_CODE = _index()
_GATE_CODES = frozenset(code for codes in _AT_THE_GATE.values() for code in codes)
_RATE_LIMITED = Outcome(Proof.NOT_TAKEN, RejectClass.RATE_LIMITED)


def outcome_of(product: Product, endpoint: Endpoint, status: int, code: int, text: str) -> Outcome:
    """Return what an answer other than 'accepted' proves of what was asked.

    Args:
        endpoint: rows are about new orders; to any other question they prove nothing.
        status: HTTP status.
        code: the venue's number; 0 when the body had none, or could not be read.
        text: the venue's words.
    """
    if endpoint is not Endpoint.SUBMIT:
        return UNKNOWN
    # The gate counts before it lets through: with a body of its own, nothing was taken. A page without one may come
    # from anywhere on the way.
    if status in (TOO_MANY, BANNED) and code:
        return _RATE_LIMITED
    # A 2xx that is no acceptance, a redirect and a 5xx come from in front of the engine; a conflict may have done a
    # part.
    if not 400 <= status < 500 or status == CONFLICT:
        return UNKNOWN
    said = text.casefold()
    for row in _BY_CODE.get(code, ()):
        if product in row.products and row.words.casefold() in said:
            return row.outcome
    return UNKNOWN


def cancel_outcome_of(status: int, code: int) -> CancelOutcome:
    """Return what a refused cancel proves. 'Unknown order' may be filled, ended or never been: only reports tell."""
    if status in (TOO_MANY, BANNED) and code:
        return CancelOutcome.REFUSED
    if not 400 <= status < 500 or status == CONFLICT:
        return CancelOutcome.UNKNOWN
    if code in (UNKNOWN_ORDER, NO_SUCH_ORDER):
        return CancelOutcome.GONE
    return CancelOutcome.REFUSED if code in _GATE_CODES else CancelOutcome.UNKNOWN


def is_not_found(status: int, code: int) -> bool:
    """Return whether a refused query says that there is no such order. Evidence, not proof."""
    return 400 <= status < 500 and code == NO_SUCH_ORDER
