"""Leverage of a perpetual, by account and instrument: what an order needs, and when a change is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest

from hedgerow.market.answers import Accepted, Refused
from hedgerow.market.rules import INSUFFICIENT_MARGIN, LEVERAGE_NOT_VALID, OPEN_ORDERS
from tests.market.desk import BUY, PERP, SPOT, A, B, Desk


def test_more_leverage_lets_the_same_collateral_carry_more() -> None:
    """10,000 carry 200 at 99 with a leverage of 2, and not with 1; the other account keeps its own."""
    desk = Desk(leverage="1")

    assert desk.order(BUY, "200", "99") == INSUFFICIENT_MARGIN
    assert desk.exchange.set_leverage(A, PERP, Decimal(2)) is None

    assert isinstance(desk.order(BUY, "200", "99"), Accepted)
    assert (desk.exchange.leverage(A, PERP), desk.exchange.leverage(B, PERP)) == (Decimal(2), Decimal(1))


@pytest.mark.parametrize("leverage", ["0", "0.5", "126"])
def test_a_leverage_that_no_venue_has_is_refused(leverage: str) -> None:
    """The account keeps what it had."""
    desk = Desk()

    assert desk.exchange.set_leverage(A, PERP, Decimal(leverage)) == LEVERAGE_NOT_VALID
    assert desk.exchange.leverage(A, PERP) == 10


def test_orders_forbid_a_change() -> None:
    """F12: venues refuse it while orders stand; they had locked margin by the old one."""
    desk = Desk()
    desk.order(BUY, "1", "99")

    assert desk.exchange.set_leverage(A, PERP, Decimal(5)) == OPEN_ORDERS


def test_what_is_paid_in_full_has_none() -> None:
    """Unknown is not 1: a spot position read says nothing of leverage."""
    desk = Desk()

    assert desk.exchange.leverage(A, SPOT) is None
    assert isinstance(desk.exchange.set_leverage(A, SPOT, Decimal(2)), Refused)
