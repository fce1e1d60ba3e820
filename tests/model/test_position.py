"""Positions and orders: cost, P&L, and the one table of legal transitions."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.model.order import CLOSED, LIVE, TRANSITIONS, Order, OrderStatus, OrderType, Role, Side
from hedgerow.model.position import Position

TRADES = st.lists(
    st.tuples(st.decimals("-5", "5", places=3).filter(lambda qty: qty != 0), st.decimals("90", "110", places=2)),
    max_size=30,
)


@given(TRADES)
def test_realized_and_unrealized_add_up_to_the_cash_flow(trades: list[tuple[Decimal, Decimal]]) -> None:
    """Whatever the path, P&L at a mark is the position's worth less what was paid for it."""
    position, cash = Position(), Decimal(0)
    for qty, price in trades:
        position = position.moved(qty, price)
        cash -= qty * price

    total = position.realized + position.unrealized(Decimal(100))

    assert abs(total - (cash + position.net_qty * 100)) < Decimal("1e-9")


def test_a_fill_through_zero_closes_first_and_then_opens() -> None:
    """Long 2 at 100, sell 3 at 110: 20 realized, short 1 at 110."""
    position = Position().moved(Decimal(2), Decimal(100)).moved(Decimal(-3), Decimal(110))

    assert position == Position(Decimal(-1), Decimal(-110), Decimal(20))
    assert position.avg_price() == 110


def an_order(status: OrderStatus = OrderStatus.SUBMITTING) -> Order:
    return Order(
        "hr-b1-1-1",  # type: ignore[arg-type]
        "lead",  # type: ignore[arg-type]
        "sim:BTC",  # type: ignore[arg-type]
        Side.BUY,
        Decimal(1),
        OrderType.MARKET,
        Role.HEDGE,
        1,
        status=status,
    )


@pytest.mark.parametrize("before", list(OrderStatus))
@pytest.mark.parametrize("after", list(OrderStatus))
def test_only_the_transitions_of_the_table_are_legal(before: OrderStatus, after: OrderStatus) -> None:
    """Everything that the table does not name stops the engine instead of corrupting a book."""
    if (before, after) in TRANSITIONS:
        assert an_order(before).moved(after).status is after
    else:
        with pytest.raises(AssertionError):
            an_order(before).moved(after)


def test_nothing_leaves_the_closed_statuses_but_late_news() -> None:
    """A closed order comes back only by the venue's own contradiction: of a refusal, or of a proof that it was gone."""
    reopened = {(before, after) for before, after in TRANSITIONS if before in CLOSED and after in LIVE}

    assert reopened == {
        (OrderStatus.REJECTED, OrderStatus.OPEN),
        (OrderStatus.REJECTED, OrderStatus.SETTLING),
        (OrderStatus.CANCELED, OrderStatus.OPEN),
    }
    assert not any(before is OrderStatus.FILLED for before, _ in TRANSITIONS)


def test_an_unknown_order_counts_in_full() -> None:
    """Unknown is not no."""
    assert an_order(OrderStatus.UNKNOWN).leaves_qty == 1
