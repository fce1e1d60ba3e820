"""What a venue may say without bringing the book off its rules: each of these once did."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hedgerow.core import guard
from hedgerow.core.book import Book
from hedgerow.core.commands import CancelOrphan, FillBooked, FillParked, HoldStarted, Mode, OrderGivenUp, QueryOrder
from hedgerow.core.config import BookConfig, Limits
from hedgerow.core.events import (
    Action,
    BookStarted,
    FillReceived,
    LinkDown,
    LinkUp,
    OpenOrder,
    OpenOrdersRead,
    OperatorCommanded,
    OrderAccepted,
    OrderRejected,
    OrderReported,
    PositionRead,
    QuoteReceived,
    RejectClass,
    TradesRead,
)
from hedgerow.core.holds import HoldReason
from hedgerow.core.step import empty_book, fold
from hedgerow.core.target import NetTarget, Resting, Taking, Target
from hedgerow.model.ids import ClientOrderId, TradeId, VenueOrderId
from hedgerow.model.market import Quote
from hedgerow.model.order import Fill, OrderStatus, Role, Side
from tests.core.books import HEDGE, LEAD, START_NS, Desk, Quoting, S, cancels, config, entry, instrument, submits


def hedging(qty: str = "0.4"):  # type: ignore[no-untyped-def]
    """A desk with one hedge on its way."""
    made = Desk(Quoting(entry()))
    made.accept(made.standing())
    (hedge,) = submits(made.fills(made.standing(), qty))
    return made, hedge


def test_a_venue_order_id_names_an_order_only_at_its_own_venue() -> None:
    """Two venues count from one: number 17 of the lead's venue is not number 17 of the hedge's."""
    made = Desk(Quoting(entry()))
    made.tell(OrderAccepted(made.now_ns, made.standing().id, VenueOrderId("17")))
    (hedge,) = submits(made.fills(made.standing(), "0.4"))
    made.tell(OrderAccepted(made.now_ns, hedge.order_id, VenueOrderId("17")))

    nameless = replace(made.fill(made.standing(), "0.2"), order_id=None, venue_order_id=VenueOrderId("17"))
    made.tell(FillReceived(made.now_ns, nameless))

    assert (made.book.net_qty(LEAD), made.book.net_qty(HEDGE)) == (Decimal("0.6"), 0)


def test_a_refused_order_that_is_reported_filled_is_not_hedged_again() -> None:
    """The refusal was wrong: what the venue traded counts before its trades have come."""
    made, hedge = hedging()
    made.tell(OrderRejected(made.now_ns, hedge.order_id, RejectClass.OTHER, "-1", "no"))

    made.tell(OrderReported(made.now_ns, hedge.order_id, OrderStatus.FILLED, Decimal("0.4")))

    assert made.order(hedge.order_id).status is OrderStatus.SETTLING
    assert [order for order in submits(made.wait(5 * S)) if order.leg_id == HEDGE] == []
    assert f"contradiction/{HEDGE}" in made.book.state.alarms


class Ladder(Quoting):
    """Five entries at once."""

    def target(self, book: Book) -> Target:
        rungs = [Resting(f"e/{n}", LEAD, Side.BUY, Decimal(1), Decimal(100), Role.ENTRY) for n in range(5)]
        return Target((NetTarget(HEDGE, book.hedge_target(), Taking(), Role.HEDGE),), tuple(rungs))


@pytest.mark.parametrize(
    "limits", [Limits(max_notional=Decimal(250)), Limits(max_residual=Decimal(250)), Limits(max_open_orders=2)]
)
def test_entries_of_one_plan_count_each_other(limits: Limits) -> None:
    """A ladder may not pass a limit because its rungs leave together."""
    made = Desk(Ladder(), config(limits=limits))
    made.look_again()

    assert len(list(made.book.working(LEAD))) == 2


def test_a_liquidation_found_in_the_trades_freezes_once() -> None:
    """The stream may drop it, and may bring it again after the operator has resumed."""
    made, hedge = hedging()
    made.accept(hedge)
    made.fills(hedge, "0.4")
    made.tell(TradesRead(made.now_ns, HEDGE, made.now_ns, (), "8"))
    fill = replace(made.fill(hedge, "0.1"), side=Side.BUY, venue_made=True, order_id=ClientOrderId("autoclose-1"))

    made.tell(TradesRead(made.now_ns, HEDGE, made.now_ns, (fill,), "9"))
    frozen = made.book.mode
    made.tell(OperatorCommanded(made.now_ns, Action.RESUME))
    made.tell(FillReceived(made.now_ns, fill))

    assert frozen is Mode.FROZEN
    assert made.book.mode is Mode.RUNNING
    assert made.book.net_qty(HEDGE) == Decimal("-0.3")


def test_a_liquidation_whose_trade_is_nameless_is_known_once_the_venue_names_its_order() -> None:
    """Trade records of some venues bear no client id; a liquidation that only a read showed is booked all the same."""
    made, hedge = hedging()
    made.accept(hedge)
    made.fills(hedge, "0.4")
    made.tell(TradesRead(made.now_ns, HEDGE, made.now_ns, (), "8"))
    nameless = replace(made.fill(hedge, "0.1"), side=Side.BUY, order_id=None, venue_order_id=VenueOrderId("v9"))
    made.tell(TradesRead(made.now_ns, HEDGE, made.now_ns, (nameless,), "9"))

    name, ended = ClientOrderId("autoclose-77"), OrderStatus.FILLED
    report = OrderReported(made.now_ns, name, ended, Decimal("0.1"), VenueOrderId("v9"), leg_id=HEDGE, venue_made=True)
    made.tell(report)

    assert made.book.net_qty(HEDGE) == Decimal("-0.3")
    assert made.book.mode is Mode.FROZEN
    assert not made.book.state.parked


def test_a_liquidation_of_before_the_book_is_in_its_first_position_read_already() -> None:
    """An account's past is full of them: booked as ours, each would be hedged by an order that nobody owes."""
    made = Desk(Quoting())
    fill = Fill(
        TradeId("old"),
        made.config.leg(HEDGE).account_id,
        made.config.leg(HEDGE).instrument.id,
        Side.BUY,
        Decimal("0.3"),
        Decimal(100),
        made.now_ns,
        ClientOrderId("autoclose-1"),
        fee=Decimal(0),
        venue_made=True,
    )

    made.tell(TradesRead(made.now_ns, HEDGE, made.now_ns, (fill,), "1"))
    made.tell(FillReceived(made.now_ns, fill))

    assert made.book.net_qty(HEDGE) == 0
    assert made.book.mode is Mode.RUNNING
    assert not submits(made.log)


@pytest.mark.parametrize(("after", "held"), [(-1, "0"), (1, "0.3")])
def test_a_liquidation_after_the_position_was_told_apart_is_booked(after: int, held: str) -> None:
    """The engine died before its first read of trades: what the venue traded since is in no position that it knows."""
    made = Desk(Quoting(), ready=False)
    for leg_id in (LEAD, HEDGE):
        made.tell(PositionRead(made.now_ns, leg_id, made.now_ns, Decimal(0)))
    told_apart_ns = made.book.ledger(HEDGE).told_apart_ts_ns
    made.now_ns += 60 * S
    made.tell(BookStarted(made.now_ns, 2, made.config))
    leg = made.config.leg(HEDGE)
    at = TradeId("v1"), leg.account_id, leg.instrument.id, Side.BUY, Decimal("0.3"), Decimal(100), told_apart_ns + after

    made.tell(TradesRead(made.now_ns, HEDGE, made.now_ns, (Fill(*at, fee=Decimal(0), venue_made=True),), "1"))

    assert made.book.net_qty(HEDGE) == Decimal(held)


def test_an_exit_counts_a_trade_of_nobody_at_its_worst() -> None:
    """It may be ours, and then it has closed what the exit is for; once it is known to be another's, all of it goes."""
    made = Desk(Quoting(entry()))
    order = made.standing()
    made.policy.entry = None
    made.fills(order, "1")
    nameless = replace(made.fill(order, "0.4"), side=Side.SELL, order_id=None, venue_order_id=VenueOrderId("v77"))
    made.tell(TradesRead(made.now_ns, LEAD, made.now_ns, (nameless,), "5"))
    made.policy.exits = (Resting("exit", LEAD, Side.SELL, Decimal(1), Decimal(101), Role.EXIT),)

    made.quote_all()

    exits = [command for command in submits(made.log) if command.slot == "exit"]
    assert [command.qty for command in exits] == [Decimal("0.6")]
    holds = [command.hold for command in made.log if isinstance(command, HoldStarted)]
    assert ("exit", HoldReason.UNKNOWN_ORDER) in [(hold.slot, hold.reason) for hold in holds]


def test_flat_is_not_verified_while_the_venue_shows_a_position() -> None:
    """Our fills say zero, the venue says -5: that is not flat, whatever lags."""
    made = Desk(Quoting())
    made.now_ns += S
    made.tell(OperatorCommanded(made.now_ns, Action.FLATTEN))
    made.now_ns += S

    made.tell(PositionRead(made.now_ns, LEAD, made.now_ns, Decimal(0)))
    made.tell(PositionRead(made.now_ns, HEDGE, made.now_ns, Decimal(-5)))

    assert made.book.mode is Mode.FLATTENING


def _closed_by_hand(book_config: BookConfig | None = None) -> Desk:
    """A desk whose lead leg holds 1 by its fills, and nothing by its venue."""
    made = Desk(Quoting(entry()), book_config)
    made.accept(made.standing())
    made.policy.entry = None
    (hedge,) = submits(made.fills(made.standing(), "1"))
    made.fills(hedge, "1")
    made.wait(40 * S)
    return made


def test_a_flatten_never_opens_the_other_side() -> None:
    """Reduce-only that is refused again and again goes out plain only where the venue shows something to reduce."""
    made = _closed_by_hand()
    made.tell(OperatorCommanded(made.now_ns, Action.FLATTEN))

    for _ in range(8):
        for order in list(made.book.working(LEAD)):
            assert order.reduce_only, order
            made.tell(OrderRejected(made.now_ns, order.id, RejectClass.REDUCE_ONLY, "-2022", "nothing to reduce"))
        made.tell(PositionRead(made.now_ns, LEAD, made.now_ns, Decimal(0)))
        made.quote_all()
        made.wait(31 * S)

    made.tell(PositionRead(made.now_ns, LEAD, made.now_ns, Decimal(1)))
    for order in list(made.book.working(LEAD)):
        made.tell(OrderRejected(made.now_ns, order.id, RejectClass.REDUCE_ONLY, "-2022", "it lags"))
    made.tell(PositionRead(made.now_ns, LEAD, made.now_ns, Decimal(1)))
    made.quote_all()
    made.wait(31 * S)
    assert not made.standing(LEAD).reduce_only


def test_exits_that_stand_shrink_to_what_drift_has_left() -> None:
    """On a margin account they would go on into a short; the first one stays, what no longer fits beside it goes."""
    made = _closed_by_hand(config(lead=instrument("lead", can_reduce_only=False)))
    made.policy.exits = tuple(
        Resting(f"x{n}", LEAD, Side.SELL, Decimal("0.3"), Decimal(101 + n), Role.EXIT) for n in range(3)
    )
    made.quote_all()
    for order in list(made.book.working(LEAD)):
        made.accept(order)
    first, second, third = made.book.working(LEAD)

    canceled = []
    for _ in range(3):
        made.tell(PositionRead(made.now_ns, LEAD, made.now_ns, Decimal("0.4")))
        canceled += cancels(made.wait(40 * S))
        made.tell(TradesRead(made.now_ns, LEAD, made.now_ns))
        canceled += cancels(made.look_again())
    assert {command.order_id for command in canceled} == {second.id, third.id}

    for order in (second, third):
        made.tell(OrderReported(made.now_ns, order.id, OrderStatus.CANCELED, Decimal(0)))
    made.quote_all()
    assert [(order.slot, order.qty) for order in made.book.working(LEAD)] == [
        ("x0", Decimal("0.3")),
        ("x1", Decimal("0.1")),
    ]
    assert first.id in made.book.live[LEAD]


def test_a_flatten_sells_no_more_than_drift_has_left() -> None:
    """What a person sold by hand would be sold short: a share, or a loan, knows no reduce-only."""
    made = _closed_by_hand(config(lead=instrument("lead", can_reduce_only=False)))
    for _ in range(3):
        made.tell(PositionRead(made.now_ns, LEAD, made.now_ns, Decimal("0.4")))
        made.wait(40 * S)
        made.tell(TradesRead(made.now_ns, LEAD, made.now_ns))
    assert made.book.ledger(LEAD).drift_net_qty == Decimal("-0.6")
    made.quote_all()

    (exit_,) = submits(made.tell(OperatorCommanded(made.now_ns, Action.FLATTEN)))
    made.fills(exit_, "0.4")
    for order in list(made.book.working(HEDGE)):
        made.fills(order, str(order.leaves_qty))
    made.wait(S)
    for leg_id, left in ((LEAD, "0"), (HEDGE, "-0.6")):
        made.tell(PositionRead(made.now_ns, leg_id, made.now_ns, Decimal(left)))

    assert (exit_.leg_id, exit_.qty) == (LEAD, Decimal("0.4"))
    assert made.book.mode is Mode.FROZEN
    assert made.book.state.mode_reason == "flattened; left: lead 0.6, lead drift -0.6, hedge -0.600"


NUMBERS = st.sampled_from([Decimal(text) for text in ("NaN", "Infinity", "0", "-1", "1e-30", "1e40", "1e20")])


@given(NUMBERS, NUMBERS)
def test_numbers_that_cannot_be_never_stop_the_engine(first: Decimal, second: Decimal) -> None:
    """NaN, zero and absurd numbers come from venues and parsers; the book goes on with what it has."""
    made, hedge = hedging()
    quote = Quote(instrument(LEAD).id, made.now_ns, ((first, second),), ())
    fill = replace(made.fill(hedge, "0.1"), qty=first, price=second, trade_id=TradeId("odd"))

    made.tell(QuoteReceived(made.now_ns, quote))
    made.tell(FillReceived(made.now_ns, fill))
    made.tell(TradesRead(made.now_ns, HEDGE, made.now_ns, (fill,), "1"))
    made.tell(PositionRead(made.now_ns, HEDGE, made.now_ns, first))
    made.tell(OrderReported(made.now_ns, hedge.order_id, OrderStatus.OPEN, second))
    made.wait(10 * S)

    assert made.book.net_qty(HEDGE) == 0
    assert "bad_number/FillReceived" in made.book.state.alarms


def test_a_trade_of_another_journals_order_is_shown_and_never_booked() -> None:
    """A new journal on an old account reads the old life's trades: they are not its own."""
    made = Desk(Quoting(entry()))
    old = replace(made.fill(made.standing(), "0.4"), order_id=ClientOrderId("hr-b1-0-1"))

    commands = made.tell(TradesRead(made.now_ns, LEAD, made.now_ns, (old,), "5"))

    assert made.book.net_qty(LEAD) == 0
    assert made.book.state.parked == []
    assert submits(commands) == []
    assert f"orphan_order/{LEAD}" in made.book.state.alarms


def test_an_order_of_a_later_run_halts_the_book_and_is_left_alone() -> None:
    """Another engine trades as this book: it hedges what it sent, and one of the two must stop."""
    made = Desk(Quoting(entry()))
    own = made.standing()
    made.accept(own)
    rows = (
        OpenOrder(VenueOrderId("v9"), Side.BUY, Decimal(1), Decimal(0), ClientOrderId("hr-b1-2-1")),
        OpenOrder(VenueOrderId("v1"), own.side, own.qty, Decimal(0), own.id),
    )

    commands = [*made.tell(OpenOrdersRead(made.now_ns, LEAD, made.now_ns, rows)), *made.wait(1)]

    assert made.book.mode is Mode.HALTED
    assert "another engine trades as this book: open order hr-b1-2-1" in made.book.state.mode_reason
    assert not [command for command in commands if isinstance(command, CancelOrphan)]
    assert [command.order_id for command in cancels(commands)] == [own.id]


def test_parking_and_booking_a_fill_are_both_in_the_journal() -> None:
    """The journal is asked later whether a trade was booked: the turn that only parked it did not."""
    made = Desk(Quoting(entry()))
    order = made.standing()
    nameless = replace(made.fill(order, "0.4"), order_id=None, venue_order_id=VenueOrderId("v1"))

    parked = made.tell(FillReceived(made.now_ns, nameless))
    booked = made.tell(OrderAccepted(made.now_ns, order.id, VenueOrderId("v1")))

    assert [type(command) for command in parked if not isinstance(command, QueryOrder)] == [FillParked]
    assert [command.fill.order_id for command in booked if isinstance(command, FillBooked)] == [order.id]


def test_an_order_that_is_closed_and_still_listed_is_canceled() -> None:
    """Nobody counts it any more, so it must not stand; a list that only lags is waited for."""
    made = Desk(Quoting(entry()))
    order = made.standing()
    made.accept(order)
    made.tell(OrderReported(made.now_ns, order.id, OrderStatus.CANCELED, Decimal(0)))
    row = OpenOrder(VenueOrderId(f"v-{order.id}"), Side.BUY, Decimal(1), Decimal(0), order.id)

    soon = made.tell(OpenOrdersRead(made.now_ns, LEAD, made.now_ns, (row,)))
    made.now_ns += 40 * S
    late = made.tell(OpenOrdersRead(made.now_ns, LEAD, made.now_ns, (row,)))

    assert not any(isinstance(command, CancelOrphan) for command in soon)
    assert [c.order_id for c in late if isinstance(c, CancelOrphan)] == [order.id]


def test_an_order_given_up_and_then_shown_counts_again() -> None:
    """The proof was wrong: two orders stand for one need, and the second is taken back."""
    made, hedge = hedging()
    made.accept(hedge)
    made.book.state.orders[hedge.order_id] = replace(
        made.order(hedge.order_id), status=OrderStatus.CANCELED, closed_ts_ns=made.now_ns
    )
    made.book.state.closed.append(hedge.order_id)
    made.book.index()

    made.tell(OrderReported(made.now_ns, hedge.order_id, OrderStatus.OPEN, Decimal(0)))

    assert made.order(hedge.order_id).status is OrderStatus.OPEN
    assert made.book.working_qty(HEDGE, Side.SELL) == Decimal("0.4")
    assert not any(isinstance(command, OrderGivenUp) for command in made.log)


def test_a_link_that_is_back_wakes_what_was_refused_for_want_of_it() -> None:
    """Spacing grew to half a minute while nothing could be sent; the cause is gone."""
    made, hedge = hedging()
    made.tell(LinkDown(made.now_ns, HEDGE, "gone"))
    for _ in range(6):
        made.tell(OrderRejected(made.now_ns, hedge.order_id, RejectClass.NOT_SENT, "", "no connection"))
        (hedge,) = [order for order in submits(made.wait(31 * S)) if order.leg_id == HEDGE][:1]
    made.tell(OrderRejected(made.now_ns, hedge.order_id, RejectClass.NOT_SENT, "", "no connection"))

    commands = made.tell(LinkUp(made.now_ns, HEDGE))

    assert [order.qty for order in submits(commands) if order.leg_id == HEDGE] == [Decimal("0.4")]


class Capped(Quoting):
    """Takes with a cap on slippage."""

    def target(self, book: Book) -> Target:
        hedge = NetTarget(HEDGE, book.hedge_target(), Taking(Decimal(50)), Role.HEDGE)
        return Target((hedge,), (self.entry,) if self.entry else ())


def test_a_hedge_that_only_its_cap_makes_too_small_goes_out_without_one() -> None:
    """0.05 at 100 meets a minimum of 5; 50 bps below the bid it would not, and the book would be force-closed."""
    made = Desk(Capped(entry()))

    (hedge,) = submits(made.fills(made.standing(), "0.05"))

    assert (hedge.qty, hedge.limit_price) == (Decimal("0.05"), None)


def owing_a_hundredth_contract() -> Desk:
    """Return a book that holds one lead coin, and whose hedge contracts of a hundred coins had no price until now."""
    contracts = instrument(HEDGE, multiplier=Decimal(100), step=Decimal("0.0001"), min_qty=Decimal("0.0001"))
    made = Desk(Quoting(entry()), config(hedge=contracts, limits=Limits(max_residual=Decimal(150))))
    made.book.quotes.pop(contracts.id)
    made.fills(made.standing(), "1")
    made.quote_all()
    assert made.book.residual == Decimal("0.01")
    return made


def test_the_residual_limit_counts_in_units_of_the_lead_leg() -> None:
    """One lead coin open is one coin, also where the hedge contract holds a hundred."""
    made = owing_a_hundredth_contract()

    assert not [order for order in made.book.working(LEAD) if order.status is OrderStatus.SUBMITTING]


def test_the_residual_limit_of_an_entry_on_the_hedge_leg_counts_in_its_own_units() -> None:
    """Which leg is entered first is a pair's choice: 0.02 contracts of a hundred coins are two coins."""
    made = owing_a_hundredth_contract()
    first = Resting("open", HEDGE, Side.SELL, Decimal("0.01"), Decimal(100), Role.ENTRY)

    checks = dict(guard.checks(made.book, first, first.qty))

    assert made.book.mark(HEDGE) == Decimal("100.05")
    assert checks[HoldReason.RESIDUAL_LIMIT].value == Decimal("200.1")


def test_a_fold_of_these_turns_is_the_book() -> None:
    """Parked, named, orphaned and insane: the journal gives the same state again."""
    made, hedge = hedging()
    nameless = replace(made.fill(hedge, "0.1"), order_id=None, venue_order_id=VenueOrderId("v9"))
    made.tell(FillReceived(START_NS, nameless))
    made.tell(FillReceived(START_NS, replace(nameless, qty=Decimal("NaN"), trade_id=TradeId("odd"))))
    made.tell(OrderReported(START_NS, hedge.order_id, OrderStatus.OPEN, Decimal("0.1"), VenueOrderId("v9")))
    made.wait(3 * S)

    folded = empty_book(made.config, made.policy)
    for turn in made.turns:
        fold(folded, turn)

    assert made.book.net_qty(HEDGE) == Decimal("-0.1")
    assert folded.digest() == made.book.digest()
