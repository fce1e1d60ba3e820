"""A position that several books of a node share: the venue shows the sum, and nobody may take it for his own."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.core.commands import Mode
from hedgerow.core.events import (
    Action,
    FillReceived,
    OpenOrdersRead,
    OperatorCommanded,
    PositionRead,
    TradesRead,
)
from hedgerow.core.holds import HoldReason
from hedgerow.core.target import Resting
from hedgerow.model.ids import ClientOrderId
from hedgerow.model.order import Role, Side
from tests.core.books import HEDGE, LEAD, Desk, Quoting, S, config, entry, submits


def shared(*, ready: bool = True) -> Desk:
    """A desk whose lead leg's position is another book's too."""
    made = config()
    legs = tuple(replace(leg, shared=leg.id == LEAD) for leg in made.legs)
    return Desk(Quoting(entry()), replace(made, legs=legs), ready=ready)


def show(made: Desk, net_qty: str, others: str, *, settled: bool = True, foreign: str | None = None) -> None:
    """Let the lead's venue show a position of which other books hold a part."""
    told = None if foreign is None else Decimal(foreign)
    read = PositionRead(made.now_ns, LEAD, made.now_ns, Decimal(net_qty), others_net_qty=Decimal(others))
    made.tell(replace(read, others_settled=settled, others_foreign_net_qty=told))


@pytest.mark.parametrize(
    ("net_qty", "others", "settled", "told", "foreign"),
    [
        ("5", "3", True, None, "2"),
        ("3", "3", True, None, "0"),
        ("5", "3", False, None, None),
        ("5", "3", False, "1.5", "1.5"),
        ("5", "3", True, "1.5", "1.5"),
    ],
)
def test_what_is_foreign_of_a_shared_position_is_the_same_for_each_book(
    net_qty: str, others: str, settled: bool, told: str | None, foreign: str | None
) -> None:
    """The first book waits until the others' trades have shown, the next take its word; before that none enters."""
    made = shared(ready=False)
    made.quote_all()
    for leg_id in (HEDGE, LEAD):
        made.tell(OpenOrdersRead(made.now_ns, leg_id, made.now_ns))
        made.tell(TradesRead(made.now_ns, leg_id, made.now_ns))
    made.tell(PositionRead(made.now_ns, HEDGE, made.now_ns, Decimal(0)))

    show(made, net_qty, others, settled=settled, foreign=told)
    made.look_again()

    assert made.book.ledger(LEAD).foreign_net_qty == (None if foreign is None else Decimal(foreign))
    assert bool(submits(made.log)) is (foreign is not None)
    if foreign is None:
        assert made.book.state.holds["lead/entry"].reason is HoldReason.RECONCILING


def test_an_exit_from_a_shared_position_is_never_reduce_only() -> None:
    """The venue would judge it by the sum: beside another book's short, a long could not be sold."""
    made = shared()
    rest = made.standing()
    made.policy.entry = None
    (hedge,) = submits(made.fills(rest, "1"))
    made.fills(hedge, "1")
    made.policy.exits = (Resting("exit", LEAD, Side.SELL, Decimal("0.4"), Decimal(101), Role.EXIT, reduce_only=True),)

    (resting,) = submits(made.tell(OperatorCommanded(made.now_ns, Action.RESUME)))
    made.policy.exits = ()
    made.accept(made.order(resting.order_id))
    flattened = submits(made.tell(OperatorCommanded(made.now_ns, Action.FLATTEN)))

    assert (resting.slot, resting.reduce_only) == ("exit", False)
    assert [(order.leg_id, order.reduce_only) for order in flattened] == [(LEAD, False)]


def test_a_liquidation_of_a_shared_position_is_told_and_booked_by_nobody() -> None:
    """Whose it was, the venue does not know; both books freeze, and the operator decides."""
    made = shared()
    made.tell(TradesRead(made.now_ns, LEAD, made.now_ns, (), "1"))
    rest = made.standing()
    made.policy.entry = None
    (hedge,) = submits(made.fills(rest, "1"))
    made.fills(hedge, "1")
    made.now_ns += S
    taken = replace(made.fill(rest, "0.4"), side=Side.SELL, venue_made=True, order_id=ClientOrderId("autoclose-1"))

    commands = made.tell(FillReceived(made.now_ns, taken))

    assert (made.book.net_qty(LEAD), made.book.mode) == (Decimal(1), Mode.FROZEN)
    assert f"venue_trade/{LEAD}" in made.book.state.alarms
    assert not submits(commands)


def test_accepted_drift_of_a_shared_position_is_foreign_and_given_up_by_no_book() -> None:
    """Nobody knows from which book it was taken: given up by each, it would be bought back twice."""
    made = shared()
    rest = made.standing()
    made.policy.entry = None
    made.accept(rest)
    (hedge,) = submits(made.fills(rest, "1"))
    made.accept(hedge)
    made.fills(hedge, "1")
    for _ in range(6):
        made.now_ns += 40 * S
        show(made, "3.5", "3")
        made.now_ns += 40 * S
        made.tell(TradesRead(made.now_ns, LEAD, made.now_ns))
    drift = made.book.ledger(LEAD).drift_net_qty

    made.tell(OperatorCommanded(made.now_ns, Action.RESUME, accept_drift=True))
    made.quote_all()

    assert drift == Decimal("-0.5")
    assert (made.book.net_qty(LEAD), made.book.net_qty(HEDGE)) == (Decimal(1), Decimal(-1))
    assert made.book.ledger(LEAD).foreign_net_qty == Decimal("-0.5")
