"""A config may change under a journal, but not what a leg with a position or an order trades."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.core.commands import LookUpFill
from hedgerow.core.config import HedgeRule
from hedgerow.core.events import (
    Action,
    BookStarted,
    FillLookedUp,
    FillReceived,
    OperatorCommanded,
    PositionModeRead,
    TradesRead,
)
from hedgerow.model.ids import AccountId, LegId, TradeId, VenueOrderId
from hedgerow.model.order import Fill, Side
from hedgerow.runtime.recovery import LegsChanged, check_legs
from tests.core.books import HEDGE, LEAD, Desk, Quoting, S, config, entry, instrument


def held() -> Desk:
    made = Desk(Quoting(entry()))
    made.fills(made.standing(), "0.4")
    return made


def test_a_leg_with_a_position_keeps_its_account_and_instrument() -> None:
    """The ledger of one instrument must never be taken for another's."""
    made = held()
    lead, hedge = made.config.legs
    moved = replace(made.config, legs=(replace(lead, account_id=AccountId("sim/other")), hedge))
    renamed = replace(made.config, legs=(replace(lead, id=LegId("first")), hedge))
    exchanged = config(lead=instrument("eth"))

    for changed in (moved, renamed, exchanged):
        with pytest.raises(LegsChanged, match=r"leg lead holds 0\.4 of sim:LEAD in sim/lead"):
            check_legs(made.book, changed)


def test_an_empty_leg_and_new_limits_may_change() -> None:
    """What holds nothing can be given another place."""
    check_legs(Desk(Quoting()).book, config(lead=instrument("eth")))
    check_legs(held().book, held().config)


def test_a_leg_that_trades_something_else_now_begins_anew_there() -> None:
    """Where another instrument's trades were read up to, and what it held beside us, is true of nothing here."""
    made = _flat_again()
    made.tell(TradesRead(made.now_ns, LEAD, made.now_ns, cursor="900"))
    made.wait(60 * S)
    made.tell(TradesRead(made.now_ns, LEAD, made.now_ns, cursor="900"))
    assert made.book.ledger(LEAD).trade_cursor == "900"

    moved = config(lead=instrument("eth"))
    made.tell(BookStarted(made.now_ns, 2, moved))

    ledger = made.book.ledger(LEAD)
    assert (ledger.trade_cursor, ledger.foreign_net_qty, ledger.last_price) == ("", None, None)
    assert ledger.volume == 200
    assert made.book.ledger(HEDGE).foreign_net_qty == 0


def test_a_leg_that_is_gone_takes_its_closed_orders_and_alarms_along() -> None:
    """A start under another name must not break on the past, and an alarm of nothing would block entries for ever."""
    made = _flat_again()
    made.tell(PositionModeRead(made.now_ns, LEAD, agrees=False))
    lead, hedge = made.config.legs
    first = LegId("first")
    rule = HedgeRule(first, HEDGE, Decimal(-1))

    made.tell(BookStarted(made.now_ns, 2, replace(made.config, legs=(replace(lead, id=first), hedge), hedge=rule)))

    assert not made.book.state.alarms
    assert {order.leg_id for order in made.book.state.orders.values()} == {HEDGE}
    assert made.book.state.closed == list(made.book.state.orders)


def test_a_late_trade_of_a_leg_that_was_renamed_is_looked_up() -> None:
    """The journal says whether it was booked; if not, it is the leg's that trades there now."""
    made = _flat_again()
    order = next(order for order in made.book.state.orders.values() if order.leg_id == LEAD)
    late = made.fill(order, "0.1", trade_id="late")
    lead, hedge = made.config.legs
    first = LegId("first")
    rule = HedgeRule(first, HEDGE, Decimal(-1))
    made.tell(BookStarted(made.now_ns, 2, replace(made.config, legs=(replace(lead, id=first), hedge), hedge=rule)))

    asked = made.tell(FillReceived(made.now_ns, late))
    made.tell(FillLookedUp(made.now_ns, late, booked=False))

    assert LookUpFill(late) in asked
    assert made.book.net_qty(first) == Decimal("0.1")


def test_a_leg_with_a_trade_without_an_owner_stays() -> None:
    """Whose it is will be known one day; then it needs its leg."""
    made = Desk(Quoting())
    lead = made.config.leg(LEAD)
    trade = Fill(
        TradeId("x"), lead.account_id, lead.instrument.id, Side.BUY, Decimal(1), Decimal(100), made.now_ns,
        venue_order_id=VenueOrderId("77"),
    )  # fmt: skip
    made.tell(FillReceived(made.now_ns, trade))
    assert made.book.state.parked == [trade]

    with pytest.raises(LegsChanged, match="leg lead holds trades without an owner"):
        check_legs(made.book, config(lead=instrument("eth")))


def _flat_again() -> Desk:
    """A desk whose entry has filled and was closed again."""
    made = held()
    made.policy.entry = None
    made.wait(S)
    for sign in (1, 0):
        made.tell(OperatorCommanded(made.now_ns, Action.FLATTEN, request_id=f"r{sign}"))
        for orders in list(made.book.live.values()):
            for order in list(orders.values()):
                made.fills(order, str(order.leaves_qty))
    assert not any(made.book.net_qty(leg_id) for leg_id in made.book.legs), made.book.state.ledgers
    return made
