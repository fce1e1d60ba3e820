"""What each answer of Binance proves, number by number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.events import CancelOutcome, RejectClass
from hedgerow.venues.outcomes import EXISTS, UNKNOWN, Proof
from hedgerow.venues.wire.binance.kinds import Product
from hedgerow.venues.wire.binance.outcomes import (
    ALL,
    FUTURES,
    SPOT,
    TABLE,
    cancel_outcome_of,
    is_not_found,
    outcome_of,
)
from hedgerow.venues.wire.binance.routes import Endpoint

DUPLICATE = "Duplicate order sent."
INSUFFICIENT = "Account has insufficient balance for requested action."
WOULD_TAKE = "Order would immediately match and take."

# (products, status, code, text, what it must be): every number of FAILURES §outcomes and VENUES 3.3, and more.
REFUSED: list[tuple[frozenset[Product], int, int, str, RejectClass]] = [
    (SPOT, 400, -1013, "Filter failure: LOT_SIZE", RejectClass.PRECISION),
    (SPOT, 400, -1013, "Filter failure: MARKET_LOT_SIZE", RejectClass.MAXIMUM),
    (SPOT, 400, -1013, "Filter failure: PRICE_FILTER", RejectClass.PRECISION),
    (SPOT, 400, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE", RejectClass.PRICE_BAND),
    (SPOT, 400, -1013, "Filter failure: NOTIONAL", RejectClass.MINIMUM),
    (SPOT, 400, -1013, "Filter failure: MIN_NOTIONAL", RejectClass.MINIMUM),
    (SPOT, 400, -1013, "Filter failure: MAX_POSITION", RejectClass.MAXIMUM),
    (SPOT, 400, -1013, "Filter failure: MAX_NUM_ORDERS", RejectClass.MAXIMUM),
    (SPOT, 400, -1013, "Filter failure: EXCHANGE_MAX_NUM_ORDERS", RejectClass.MAXIMUM),
    (SPOT, 400, -1013, "Invalid quantity.", RejectClass.MINIMUM),
    (SPOT, 400, -1013, "Filter failure: A_NEW_ONE", RejectClass.OTHER),
    (FUTURES, 400, -1013, "INVALID_MESSAGE.", RejectClass.OTHER),
    (ALL, 400, -1003, "Too many requests queued.", RejectClass.RATE_LIMITED),
    (ALL, 400, -1014, "Unsupported order combination.", RejectClass.OTHER),
    (ALL, 400, -1015, "Too many new orders.", RejectClass.RATE_LIMITED),
    (ALL, 400, -1016, "This service is no longer available.", RejectClass.MARKET_CLOSED),
    (ALL, 400, -1020, "This operation is not supported.", RejectClass.OTHER),
    (ALL, 400, -1021, "Timestamp for this request is outside of the recvWindow.", RejectClass.OTHER),
    (ALL, 401, -1002, "You are not authorized to execute this request.", RejectClass.UNAUTHORIZED),
    (ALL, 400, -1022, "Signature for this request is not valid.", RejectClass.UNAUTHORIZED),
    (ALL, 400, -1100, "Illegal characters found in a parameter.", RejectClass.OTHER),
    (ALL, 400, -1102, "A mandatory parameter was not sent.", RejectClass.OTHER),
    (ALL, 400, -1106, "Parameter 'price' sent when not required.", RejectClass.OTHER),
    (ALL, 400, -1111, "Parameter 'quantity' has too much precision.", RejectClass.PRECISION),
    (ALL, 400, -1116, "Invalid orderType.", RejectClass.OTHER),
    (ALL, 400, -1121, "Invalid symbol.", RejectClass.OTHER),
    (ALL, 401, -2014, "API-key format invalid.", RejectClass.UNAUTHORIZED),
    (ALL, 401, -2015, "Invalid API-key, IP, or permissions for action.", RejectClass.UNAUTHORIZED),
    (SPOT, 400, -2010, INSUFFICIENT, RejectClass.INSUFFICIENT_MARGIN),
    (SPOT, 400, -2010, WOULD_TAKE, RejectClass.POST_ONLY),
    (SPOT, 400, -2010, "Market is closed.", RejectClass.MARKET_CLOSED),
    (SPOT, 400, -2010, "This symbol is not permitted for this account.", RejectClass.UNAUTHORIZED),
    (FUTURES, 400, -2018, "Balance is insufficient.", RejectClass.INSUFFICIENT_MARGIN),
    (FUTURES, 400, -2019, "Margin is insufficient.", RejectClass.INSUFFICIENT_MARGIN),
    (FUTURES, 400, -2020, "Unable to fill.", RejectClass.NO_LIQUIDITY),
    (FUTURES, 400, -2021, "Order would immediately trigger.", RejectClass.OTHER),
    (FUTURES, 400, -2022, "ReduceOnly Order is rejected.", RejectClass.REDUCE_ONLY),
    (FUTURES, 400, -2023, "User in liquidation mode now.", RejectClass.MARKET_CLOSED),
    (FUTURES, 400, -2024, "Position is not sufficient.", RejectClass.INSUFFICIENT_MARGIN),
    (FUTURES, 400, -2025, "Reach max open order limit.", RejectClass.MAXIMUM),
    (FUTURES, 400, -2027, "Exceeded the maximum allowable position.", RejectClass.MAXIMUM),
    (FUTURES, 400, -4003, "Quantity less than zero.", RejectClass.MINIMUM),
    (FUTURES, 400, -4004, "Quantity less than min quantity.", RejectClass.MINIMUM),
    (FUTURES, 400, -4005, "Quantity greater than max quantity.", RejectClass.MAXIMUM),
    (FUTURES, 400, -4014, "Price not increased by tick size.", RejectClass.PRECISION),
    (FUTURES, 400, -4016, "Price is higher than mark price multiplier cap.", RejectClass.PRICE_BAND),
    (FUTURES, 400, -4023, "Quantity not increased by step size.", RejectClass.PRECISION),
    (FUTURES, 400, -4024, "Price is lower than mark price multiplier floor.", RejectClass.PRICE_BAND),
    (FUTURES, 400, -4061, "Order's position side does not match user's setting.", RejectClass.POSITION_MODE),
    (FUTURES, 400, -4118, "ReduceOnly Order Failed.", RejectClass.REDUCE_ONLY),
    (FUTURES, 400, -4131, "The counterparty's best price does not meet the filter.", RejectClass.PRICE_BAND),
    (FUTURES, 400, -4140, "Invalid symbol status for opening position.", RejectClass.MARKET_CLOSED),
    (FUTURES, 400, -4141, "Symbol is closed.", RejectClass.MARKET_CLOSED),
    (FUTURES, 400, -4164, "Order's notional must be no smaller than 100.", RejectClass.MINIMUM),
    (FUTURES, 400, -4192, "Trade forbidden due to Cooling-off Period.", RejectClass.MARKET_CLOSED),
    (FUTURES, 400, -4400, "Futures Trading Quantitative Rules violated.", RejectClass.MARKET_CLOSED),
    (FUTURES, 400, -5021, "Due to the order could not be filled immediately.", RejectClass.NO_LIQUIDITY),
    (FUTURES, 400, -5022, "Due to the order could not be executed as maker.", RejectClass.POST_ONLY),
    (ALL, 400, 51061, "", RejectClass.INSUFFICIENT_MARGIN),
    (ALL, 400, -51169, "", RejectClass.INSUFFICIENT_MARGIN),
    (ALL, 429, -1003, "Too many requests.", RejectClass.RATE_LIMITED),
    (ALL, 418, -1003, "Way too many requests; IP banned until 1.", RejectClass.RATE_LIMITED),
]
UNDECIDED: list[tuple[frozenset[Product], int, int, str]] = [
    (ALL, 400, -1000, "An unknown error occurred while processing the request."),
    (ALL, 400, -1001, "Internal error; unable to process your request."),
    (ALL, 400, -1006, "An unexpected response was received from the message bus. Execution status unknown."),
    (ALL, 400, -1007, "Timeout waiting for response from backend server. Execution status unknown."),
    (ALL, 408, -1007, "Timeout waiting for response from backend server."),
    (ALL, 400, -1008, "Request throttled by system-level protection."),
    (ALL, 503, -1008, "Server is currently overloaded with other requests."),
    (ALL, 503, -1000, "Unknown error, please check your request or try again later."),
    (ALL, 500, 0, ""),
    (ALL, 502, 0, "<html>Bad Gateway</html>"),
    (ALL, 504, 0, ""),
    # A refusal's number in front of which something broke proves nothing.
    (ALL, 500, -2019, "Margin is insufficient."),
    (ALL, 400, -2013, "Order does not exist."),
    (ALL, 400, -2010, "a text that nobody has seen before"),
    (FUTURES, 400, -2010, "NEW_ORDER_REJECTED"),
    (SPOT, 409, -2021, "Order cancel-replace partially failed."),
    (SPOT, 400, -2021, "Order cancel-replace partially failed."),
    (SPOT, 400, -2022, "Order cancel-replace failed."),
    (ALL, 409, -1013, "Filter failure: LOT_SIZE"),
    (ALL, 400, 0, "<html>"),
    (ALL, 403, 0, "<html>WAF</html>"),
    (ALL, 429, 0, "<html>"),
    (ALL, 451, 0, "<html>"),
    (ALL, 302, 0, ""),
    (ALL, 200, 0, ""),
    (ALL, 400, -9999, "a new number"),
]


@pytest.mark.parametrize(("products", "status", "code", "text", "reject_class"), REFUSED)
def test_what_is_refused_is_refused_with_its_class(
    products: frozenset[Product], status: int, code: int, text: str, reject_class: RejectClass
) -> None:
    """A definite refusal frees the qty at once, and its class decides when to ask again."""
    for product in products:
        outcome = outcome_of(product, Endpoint.SUBMIT, status, code, text)

        assert (outcome.proof, outcome.reject_class) == (Proof.NOT_TAKEN, reject_class), product


@pytest.mark.parametrize(("products", "status", "code", "text"), UNDECIDED)
def test_what_proves_nothing_stays_unknown(products: frozenset[Product], status: int, code: int, text: str) -> None:
    """No answer is not no: these orders may be live."""
    for product in products:
        assert outcome_of(product, Endpoint.SUBMIT, status, code, text) == UNKNOWN, product


def test_a_duplicate_is_an_order_that_landed() -> None:
    """It looks like a refusal, and the order is live."""
    for product in Product:
        assert outcome_of(product, Endpoint.SUBMIT, 400, -2010, DUPLICATE) == EXISTS
        assert outcome_of(product, Endpoint.SUBMIT, 400, -4116, "ClientOrderId is duplicated.") == EXISTS


def test_the_same_number_means_two_things() -> None:
    """-2022 refuses a reduce-only order of futures; on spot a part may have been done."""
    assert outcome_of(Product.UM, Endpoint.SUBMIT, 400, -2022, "").proof is Proof.NOT_TAKEN
    assert outcome_of(Product.SPOT, Endpoint.SUBMIT, 400, -2022, "") == UNKNOWN


@given(
    st.sampled_from(Product),
    st.integers(100, 599).filter(lambda status: not 400 <= status < 500),
    st.integers(-60_000, 60_000),
    st.sampled_from([DUPLICATE, INSUFFICIENT, WOULD_TAKE, "Filter failure: LOT_SIZE", ""]),
)
def test_no_answer_outside_the_400s_refuses_anything(product: Product, status: int, code: int, text: str) -> None:
    """Whatever a proxy or a broken engine says, an order may be live behind it."""
    assert outcome_of(product, Endpoint.SUBMIT, status, code, text) == UNKNOWN


@given(st.sampled_from(Product), st.integers(400, 499), st.integers(-60_000, 60_000), st.text(max_size=20))
def test_only_numbers_of_the_table_refuse(product: Product, status: int, code: int, text: str) -> None:
    """A new number is unknown until somebody has read what it means."""
    outcome = outcome_of(product, Endpoint.SUBMIT, status, code, text)

    listed = any(row.code == code and product in row.products for row in TABLE)
    limited = status in (418, 429) and code != 0
    assert outcome == UNKNOWN or listed or limited


def test_no_row_hides_another() -> None:
    """A row that can never be reached is a rule that nobody keeps."""
    for at, row in enumerate(TABLE):
        for earlier in TABLE[:at]:
            covers = earlier.code == row.code and earlier.products >= row.products
            assert not (covers and earlier.words.casefold() in row.words.casefold()), (earlier, row)


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (400, -2011, CancelOutcome.GONE),
        (400, -2013, CancelOutcome.GONE),
        (400, -1021, CancelOutcome.REFUSED),
        (400, -1102, CancelOutcome.REFUSED),
        (401, -2015, CancelOutcome.REFUSED),
        (429, -1003, CancelOutcome.REFUSED),
        (429, 0, CancelOutcome.UNKNOWN),
        (400, -1006, CancelOutcome.UNKNOWN),
        (400, -1007, CancelOutcome.UNKNOWN),
        (400, -2019, CancelOutcome.UNKNOWN),
        (409, -2011, CancelOutcome.UNKNOWN),
        (503, -2011, CancelOutcome.UNKNOWN),
        (400, 0, CancelOutcome.UNKNOWN),
        (200, 0, CancelOutcome.UNKNOWN),
    ],
)
def test_a_refused_cancel(status: int, code: int, outcome: CancelOutcome) -> None:
    """'Unknown order' may be filled: it is never taken for canceled."""
    assert cancel_outcome_of(status, code) is outcome


def test_only_a_clear_no_such_order_is_evidence() -> None:
    """A page of a proxy says nothing of an order."""
    assert is_not_found(400, -2013)
    assert not is_not_found(503, -2013)
    assert not is_not_found(400, -1007)
    assert not is_not_found(404, 0)
