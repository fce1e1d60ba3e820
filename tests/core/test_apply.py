"""What a book keeps of the facts, and for how long."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.core import apply
from hedgerow.core.commands import CancelOrphan, LookUpFill, Mode, QueryOrder, Read
from hedgerow.core.events import (
    Action,
    BookStarted,
    FillLookedUp,
    FillReceived,
    InstrumentChanged,
    InterestCharged,
    OpenOrder,
    OpenOrdersRead,
    OperatorCommanded,
    OrderAccepted,
    OrderRejected,
    OrderReported,
    OrderUnknown,
    PositionModeRead,
    PositionRead,
    RejectClass,
    TradesRead,
)
from hedgerow.core.holds import HoldReason
from hedgerow.core.step import empty_book, fold
from hedgerow.model.ids import AccountId, ClientOrderId, InstrumentId, TradeId, VenueOrderId
from hedgerow.model.order import Fill, Order, OrderStatus, Side
from tests.core.books import HEDGE, LEAD, Desk, Quoting, S, cancels, config, entry, instrument, submits


def test_more_trades_without_an_owner_than_can_be_kept_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cursor waits for them, the book freezes, and once their owner is known none is missing and none is twice."""
    monkeypatch.setattr(apply, "PARKED_MAX", 3)
    made = Desk(Quoting(entry()))
    order, name = made.standing(), VenueOrderId("v1")
    fills = tuple(replace(made.fill(order, "0.01"), order_id=None, venue_order_id=name) for _ in range(5))
    for _ in range(2):
        made.tell(TradesRead(made.now_ns, LEAD, made.now_ns, fills, "5"))
    kept, frozen, cursors = len(made.book.state.parked), made.book.mode, made.book.ledger(LEAD).young_cursors[:]

    made.tell(OrderAccepted(made.now_ns, order.id, name))
    made.tell(TradesRead(made.now_ns, LEAD, made.now_ns, fills, "5"))

    assert (kept, frozen, cursors) == (3, Mode.FROZEN, [])
    assert [cursor for _, cursor in made.book.ledger(LEAD).young_cursors] == ["5"]
    assert (made.book.net_qty(LEAD), made.book.state.parked) == (Decimal("0.05"), [])


def folded(made: Desk) -> str:
    """Return the digest of a book that is folded from the turns."""
    again = empty_book(made.config, made.policy)
    for turn in made.turns:
        fold(again, turn)
    return again.digest()


def traded(made: Desk, rounds: int) -> list[Fill]:
    """Fill an entry and its hedge so many times; return the fills of the entries."""
    fills = []
    for _ in range(rounds):
        rest = made.standing()
        fills.append(made.fill(rest, "0.1"))
        orders = submits(made.tell(FillReceived(made.now_ns, fills[-1])))
        made.fills(next(order for order in orders if order.leg_id == HEDGE), "0.1")
        made.look_again()
    return fills


def read_trades(made: Desk, cursor: str) -> None:
    made.now_ns += 40 * S
    for leg_id in (LEAD, HEDGE):
        made.tell(TradesRead(made.now_ns, leg_id, made.now_ns, (), cursor))
    made.quote_all()
    made.look_again()


def test_closed_orders_leave_memory_once_their_trades_were_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trade that is read again afterwards is looked up in the journal; a fold forgets the same orders."""
    monkeypatch.setattr(apply, "CLOSED_ORDERS_MAX", 2)
    made = Desk(Quoting(entry("0.1")))
    first, *_ = traded(made, 4)
    waiting = len(made.book.state.closed)

    read_trades(made, "8")
    read_trades(made, "8")
    left = len(made.book.state.closed)
    commands = made.tell(FillReceived(made.now_ns, first))
    made.tell(FillLookedUp(made.now_ns, first, booked=True))

    assert (waiting, left) == (8, 2)
    assert [type(command) for command in commands if isinstance(command, LookUpFill)] == [LookUpFill]
    assert (made.book.net_qty(LEAD), made.book.net_qty(HEDGE)) == (Decimal("0.4"), Decimal("-0.4"))
    assert folded(made) == made.book.digest()


def test_a_venue_that_answers_no_read_of_trades_is_not_remembered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """What memory holds is bounded; the journal knows the rest."""
    monkeypatch.setattr(apply, "CLOSED_ORDERS_MAX", 2)
    monkeypatch.setattr(apply, "WAITING_ORDERS_MAX", 4)
    made = Desk(Quoting(entry("0.1")))

    traded(made, 5)

    state = made.book.state
    assert len(state.closed) == 4
    assert set(state.trades) == set(state.closed)
    assert set(state.orders) == {*state.closed, made.standing().id}


def hedged(qty: str = "1") -> tuple[Desk, Order, Order]:
    """A desk that holds so much on both legs and wants no more; its entry and its hedge."""
    made = Desk(Quoting(entry(qty)))
    rest = made.standing()
    made.accept(rest)
    made.policy.entry = None
    (hedge,) = submits(made.fills(rest, qty))
    made.accept(hedge)
    made.fills(hedge, qty)
    return made, made.order(rest.id), made.order(hedge.order_id)


def hedged_at_unknown_fee() -> tuple[Desk, Fill]:
    """Return a book that bought 1 and sold 1, and the fill of the lead leg, which came without its fee."""
    made = Desk(Quoting(entry("1")))
    rest = made.standing()
    made.policy.entry = None
    fill = replace(made.fill(rest, "1"), fee=None)
    (hedge,) = submits(made.tell(FillReceived(made.now_ns, fill)))
    made.fills(hedge, "1")
    return made, fill


def test_a_fee_in_coins_that_comes_late_is_owed_once() -> None:
    """The position is what was received: when the venue names the fee, the hedge gives back as much."""
    made, fill = hedged_at_unknown_fee()
    unknown = f"fee_unknown/{LEAD}" in made.book.state.alarms

    silent = made.tell(FillReceived(made.now_ns, fill))
    told = replace(fill, fee=Decimal("0.1"), fee_currency="BTC")
    (back,) = submits(made.tell(FillReceived(made.now_ns, told)))
    again = made.tell(FillReceived(made.now_ns, told))

    ledger = made.book.ledger(LEAD)
    assert (ledger.position.net_qty, ledger.lots["entry"].net_qty) == (Decimal("0.9"), Decimal("0.9"))
    assert ledger.fees == {"USD": Decimal(10)}
    assert (back.leg_id, back.side, back.qty) == (HEDGE, Side.BUY, Decimal("0.1"))
    assert made.book.state.residual_since_ns == made.now_ns
    assert (unknown, f"fee_unknown/{LEAD}" in made.book.state.alarms) == (True, False)
    assert (silent, again) == ((), ())


def test_a_fee_in_money_that_comes_late_is_journaled() -> None:
    """It orders nothing, and is a fact all the same: a restart must know it."""
    made = Desk(Quoting(entry("1")))
    fill = replace(made.fill(made.standing(), "1"), fee=None)
    made.tell(FillReceived(made.now_ns, fill))

    made.tell(FillReceived(made.now_ns, replace(fill, fee=Decimal("0.5"), fee_currency="USD")))

    assert made.book.ledger(LEAD).fees == {"USD": Decimal("0.5")}
    assert folded(made) == made.book.digest()


def test_interest_in_coins_is_hedged() -> None:
    """A loan that grows in coins leaves less of what the hedge stands against."""
    made, _, _ = hedged()

    (back,) = submits(made.tell(InterestCharged(made.now_ns, LEAD, "i1", "BTC", Decimal("0.1"))))

    assert (back.leg_id, back.side, back.qty) == (HEDGE, Side.BUY, Decimal("0.1"))
    assert (made.book.state.residual_since_ns, made.book.state.alarms) == (made.now_ns, {})
    assert submits(made.tell(InterestCharged(made.now_ns, LEAD, "i1", "BTC", Decimal("0.1")))) == []


@pytest.mark.parametrize("what", ["interest", "fee"])
def test_what_was_taken_in_coins_is_no_drift_of_a_venue_that_lags(what: str) -> None:
    """The position shows it later than the booking: until then the old number is one that was true."""
    made, fill = hedged_at_unknown_fee()
    made.now_ns += 200 * S
    if what == "interest":
        made.tell(InterestCharged(made.now_ns, LEAD, "i1", "BTC", Decimal("0.1")))
    else:
        made.tell(FillReceived(made.now_ns, replace(fill, fee=Decimal("0.1"), fee_currency="BTC")))
    for _ in range(3):
        made.now_ns += 2 * S
        made.tell(PositionRead(made.now_ns, LEAD, made.now_ns, Decimal(1)))
    made.now_ns += 60 * S
    made.tell(TradesRead(made.now_ns, LEAD, made.now_ns))

    assert made.book.net_qty(LEAD) == Decimal("0.9")
    assert made.book.ledger(LEAD).drift_net_qty == 0


def test_interest_in_money_is_journaled() -> None:
    """It orders nothing, and a restart must not book it a second time."""
    made, _, _ = hedged()

    made.tell(InterestCharged(made.now_ns, LEAD, "i1", "USD", Decimal("0.5")))

    assert made.book.ledger(LEAD).interest == {"USD": Decimal("0.5")}
    assert folded(made) == made.book.digest()


@pytest.mark.parametrize(
    ("changes", "alarm"),
    [
        ({"side": Side.SELL}, "contradiction"),
        ({"instrument_id": InstrumentId("sim:HEDGE"), "account_id": AccountId("sim/hedge")}, "contradiction"),
        ({"trade_id": TradeId("t1"), "qty": Decimal("0.2")}, "trade_id_reused"),
    ],
)
def test_a_trade_that_contradicts_what_is_known_is_told_and_not_booked(changes: dict[str, object], alarm: str) -> None:
    """What cannot be a trade of that order moves no position and orders nothing."""
    made = Desk(Quoting(entry()))
    rest = made.standing()
    (hedge,) = submits(made.fills(rest, "0.4"))
    made.fills(hedge, "0.4")

    commands = made.tell(FillReceived(made.now_ns, replace(made.fill(rest, "0.1"), **changes)))

    assert f"{alarm}/{LEAD}" in made.book.state.alarms
    assert (made.book.net_qty(LEAD), made.book.net_qty(HEDGE)) == (Decimal("0.4"), Decimal("-0.4"))
    assert not submits(commands)


@pytest.mark.parametrize(
    ("end", "status", "told"),
    [(OrderStatus.FILLED, OrderStatus.SETTLING, "1"), (OrderStatus.CANCELED, OrderStatus.OPEN, "0")],
)
def test_an_end_without_a_number_proves_nothing(end: OrderStatus, status: OrderStatus, told: str) -> None:
    """Filled is all of it; canceled may be after a part: either way it counts until its trades say so."""
    made = Desk(Quoting(entry()))
    rest = made.standing()
    made.policy.entry = None
    (hedge,) = submits(made.fills(rest, "1"))
    made.accept(hedge)

    commands = made.tell(OrderReported(made.now_ns, hedge.order_id, end, None))

    order = made.order(hedge.order_id)
    assert (order.status, order.venue_cum_qty) == (status, Decimal(told))
    assert made.book.working_qty(HEDGE, Side.SELL) == 1
    assert not submits(commands)
    assert any(isinstance(command, QueryOrder | Read) for command in (*commands, *made.wait(S)))


def test_a_run_after_a_broken_assert_begins_halted() -> None:
    """What is wrong in the engine itself is looked at by a person before anything is sent."""
    made, _, _ = hedged()
    made.policy.entry = entry()

    made.tell(BookStarted(made.now_ns + S, 2, made.config, halted=True))
    sent = len(submits(made.log))
    made.read_all()
    made.quote_all()
    made.wait(5 * S)

    assert made.book.mode is Mode.HALTED
    assert len(submits(made.log)) == sent
    assert made.book.state.holds["hedge/"].reason is HoldReason.HALTED


def test_entries_wait_while_the_account_is_in_another_position_mode() -> None:
    """A resume does not change the account: until it is set back, a sell may open a short beside the long."""
    made = Desk(Quoting(entry()))
    made.tell(PositionModeRead(made.now_ns, LEAD, agrees=False, detail="hedge mode"))
    halted = made.book.mode
    made.tell(OperatorCommanded(made.now_ns, Action.RESUME))
    made.look_again()
    hold = made.book.state.holds["lead/entry"]

    made.tell(PositionModeRead(made.now_ns, LEAD, agrees=True))

    assert (halted, made.book.mode, hold.reason) == (Mode.HALTED, Mode.RUNNING, HoldReason.POSITION_MODE)
    assert "lead/entry" not in made.book.state.holds


def test_a_cancel_that_may_not_have_left_is_sent_again_by_the_next_run() -> None:
    """It was journaled before it left: nobody knows whether it did, and what nobody wants must not stand."""
    made = Desk(Quoting(entry()))
    rest = made.standing()
    made.accept(rest)
    made.policy.entry = None
    made.quote_all()
    assert [cancel.order_id for cancel in cancels(made.log)] == [rest.id]
    made.now_ns += S

    again = made.restarted()

    assert [cancel.order_id for cancel in cancels(again.log)] == [rest.id]


def test_a_smaller_step_makes_what_was_too_small_a_residual() -> None:
    """Filters change while positions are open: from then on the clock of what is not hedged runs."""
    coarse = instrument(HEDGE, step=Decimal("0.1"), min_qty=Decimal("0.1"))
    made = Desk(Quoting(entry()), config(hedge=coarse))
    rest = made.standing()
    made.policy.entry = None
    assert not submits(made.fills(rest, "0.06"))
    before = made.book.state.residual_since_ns

    (hedge,) = submits(made.tell(InstrumentChanged(made.now_ns, instrument(HEDGE))))

    assert (before, made.book.state.residual_since_ns) == (0, made.now_ns)
    assert (hedge.leg_id, hedge.qty) == (HEDGE, Decimal("0.06"))


def test_an_unknown_order_that_trades_is_there() -> None:
    """A part of it is the proof that the venue took it: what is left goes on working and is no longer asked for."""
    made = Desk(Quoting(entry()))
    rest = made.standing()
    made.policy.entry = None
    (hedge,) = submits(made.fills(rest, "1"))
    made.tell(OrderUnknown(made.now_ns, hedge.order_id, "HTTP 503"))

    made.fills(hedge, "0.4")

    order = made.order(hedge.order_id)
    assert (order.status, order.leaves_qty, order.unclear_ts_ns) == (OrderStatus.OPEN, Decimal("0.6"), 0)
    assert not [order for order in submits(made.wait(5 * S)) if order.leg_id == HEDGE]


def test_a_trade_teaches_the_venues_number_of_its_order() -> None:
    """Trades that bear that number alone find their owner then, whether they came before or come after."""
    made = Desk(Quoting(entry()))
    rest, name = made.standing(), VenueOrderId("v1")
    early, late = (replace(made.fill(rest, "0.1"), order_id=None, venue_order_id=name) for _ in range(2))
    for _ in range(2):
        made.tell(FillReceived(made.now_ns, early))
    parked = len(made.book.state.parked)

    made.tell(FillReceived(made.now_ns, replace(made.fill(rest, "0.2"), venue_order_id=name)))
    made.tell(FillReceived(made.now_ns, late))

    assert (parked, made.book.state.parked) == (1, [])
    assert made.book.net_qty(LEAD) == Decimal("0.4")


def test_a_fill_ends_the_refusals_in_a_row() -> None:
    """The cause is gone, so the next try is spaced as a first one is."""
    made = Desk(Quoting(entry()))
    rest = made.standing()
    made.policy.entry = None
    (hedge,) = submits(made.fills(rest, "1"))
    made.tell(OrderRejected(made.now_ns, hedge.order_id, RejectClass.OTHER, "-1", "no"))
    (again,) = submits(made.wait(S))
    before = made.book.refusal(HEDGE)

    made.fills(again, "0.4")

    assert before is not None and before.tries == 1
    assert made.book.refusal(HEDGE) is None


def test_an_order_that_is_taken_after_its_refusal_is_planned_with_at_once() -> None:
    """The venue contradicts itself, and two orders work where one is wanted: one goes back in the same turn."""
    made = Desk(Quoting(entry()))
    first = made.standing()
    made.tell(OrderRejected(made.now_ns, first.id, RejectClass.OTHER, "-1", "no"))
    (second,) = submits(made.wait(S))
    made.accept(second)

    (canceled,) = cancels(made.accept(first))

    assert canceled.order_id in (first.id, second.order_id)


def test_orders_and_trades_of_another_book_are_left_to_it() -> None:
    """Two books of a node may trade one account: only the tag in the id says whose an order is."""
    made = Desk(Quoting(entry()))
    name = ClientOrderId("hr-b2-1-1")
    row = OpenOrder(VenueOrderId("v9"), Side.BUY, Decimal(1), Decimal(0), name)

    commands = (
        *made.tell(OpenOrdersRead(made.now_ns, HEDGE, made.now_ns, (row,))),
        *made.tell(FillReceived(made.now_ns, replace(made.fill(made.standing(), "0.4"), order_id=name))),
    )

    assert not [command for command in commands if isinstance(command, CancelOrphan | LookUpFill)]
    assert (made.book.net_qty(LEAD), made.book.state.parked, made.book.state.alarms) == (Decimal(0), [], {})
