"""What each answer of the simulated venue proves."""

from __future__ import annotations

import pytest

from hedgerow.core.events import CancelOutcome, RejectClass
from hedgerow.market import rules
from hedgerow.market.answers import Refused
from hedgerow.venues.outcomes import EXISTS, UNKNOWN, Proof, is_not_found, of_cancel, of_submit


@pytest.mark.parametrize(
    ("refused", "reject_class"),
    [
        (rules.INVALID_SYMBOL, RejectClass.OTHER),
        (rules.CLOSED_MARKET, RejectClass.MARKET_CLOSED),
        (rules.NO_PRICE, RejectClass.OTHER),
        (rules.NEEDLESS_PRICE, RejectClass.OTHER),
        (rules.BAD_QTY, RejectClass.MINIMUM),
        (rules.POSITION_SIDE_MISMATCH, RejectClass.POSITION_MODE),
        (rules.NOT_REDUCING, RejectClass.REDUCE_ONLY),
        (rules.WOULD_TAKE_PERP, RejectClass.POST_ONLY),
        (rules.WOULD_TAKE_SPOT, RejectClass.POST_ONLY),
        (rules.NOT_FILLABLE, RejectClass.NO_LIQUIDITY),
        (rules.INSUFFICIENT_BALANCE, RejectClass.INSUFFICIENT_MARGIN),
        (rules.INSUFFICIENT_MARGIN, RejectClass.INSUFFICIENT_MARGIN),
        (Refused(400, -1013, "Filter failure: NOTIONAL"), RejectClass.MINIMUM),
        (Refused(400, -1013, "Filter failure: LOT_SIZE"), RejectClass.PRECISION),
        (Refused(400, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"), RejectClass.PRICE_BAND),
        (Refused(400, -1111, "Precision"), RejectClass.PRECISION),
        (Refused(400, -4164, "notional"), RejectClass.MINIMUM),
        (Refused(400, -4131, "PERCENT_PRICE"), RejectClass.PRICE_BAND),
        (Refused(400, -1021, "recvWindow"), RejectClass.OTHER),
        (Refused(401, -2015, "Invalid API-key"), RejectClass.UNAUTHORIZED),
        (Refused(429, -1015, "Too many new orders.", 3), RejectClass.RATE_LIMITED),
        (Refused(418, -1003, "banned", 120), RejectClass.RATE_LIMITED),
    ],
)
def test_what_the_venue_refuses_is_refused_with_its_class(refused: Refused, reject_class: RejectClass) -> None:
    """A definite refusal frees the qty at once, and its class decides when to ask again."""
    outcome = of_submit(refused.status, refused.code, refused.text)

    assert outcome.proof is Proof.NOT_TAKEN
    assert outcome.reject_class is reject_class


@pytest.mark.parametrize(
    ("status", "code", "text"),
    [
        (500, 0, ""),
        (503, -1008, "Server is currently overloaded"),
        (504, 0, "<html>"),
        (400, -1006, "An unexpected response was received from the message bus. Execution status unknown."),
        (400, -1007, "Timeout waiting for response from backend server."),
        (400, -1000, "An unknown error occurred while processing the request."),
        (400, -1001, "DISCONNECTED"),
        (400, -2013, "Order does not exist."),
        (400, -2010, "a text that nobody has seen before"),
        (400, -9999, "a new code"),
        (409, -2021, "Order cancel-replace partially failed."),
        (200, 0, "the body was cut"),
        (403, 0, "<html>"),
    ],
)
def test_what_is_not_in_the_table_proves_nothing(status: int, code: int, text: str) -> None:
    """When in doubt it is unknown: a timeout taken for a rejection hedges twice."""
    assert of_submit(status, code, text) is UNKNOWN


@pytest.mark.parametrize("refused", [rules.DUPLICATE_SPOT, rules.DUPLICATE_PERP])
def test_a_duplicate_id_says_that_the_order_exists(refused: Refused) -> None:
    """'Duplicate' is no rejection: an earlier attempt of ours landed."""
    assert of_submit(refused.status, refused.code, refused.text) is EXISTS


@pytest.mark.parametrize(
    ("refused", "outcome"),
    [
        (rules.UNKNOWN_CANCEL, CancelOutcome.GONE),
        (Refused(429, -1003, "Too much request weight used."), CancelOutcome.REFUSED),
        (Refused(401, -2015, "Invalid API-key"), CancelOutcome.REFUSED),
        (Refused(503, 0, ""), CancelOutcome.UNKNOWN),
        (Refused(400, -1007, "Timeout"), CancelOutcome.UNKNOWN),
    ],
)
def test_what_a_refused_cancel_proves(refused: Refused, outcome: CancelOutcome) -> None:
    """'Unknown order' may be filled, ended or never been, so it never closes anything."""
    assert of_cancel(refused) is outcome


def test_only_the_venues_own_words_say_not_found() -> None:
    """An error on the way is no answer to the question whether there is such an order."""
    assert is_not_found(rules.UNKNOWN_ORDER)
    assert not is_not_found(Refused(503, -2013, ""))
    assert not is_not_found(rules.INVALID_SYMBOL)
