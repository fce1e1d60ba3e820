"""The one door: what must follow from each fact."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from hedgerow.core import guard
from hedgerow.core.commands import Command, LookUpFill, Mode, OrderGivenUp, QueryOrder, Read
from hedgerow.core.config import Limits
from hedgerow.core.events import (
    Action,
    BookStarted,
    CancelAnswered,
    CancelOutcome,
    FillLookedUp,
    FillReceived,
    Heartbeat,
    OpenOrdersRead,
    OperatorCommanded,
    OrderNotFound,
    OrderRejected,
    OrderReported,
    OrderUnknown,
    PositionRead,
    ReadFailed,
    ReadKind,
    RejectClass,
    TimeReached,
    TradesRead,
)
from hedgerow.core.holds import Alarm, AlarmKind, HoldReason
from hedgerow.core.ledger import YOUNG_CURSORS_MAX
from hedgerow.core.step import next_due_ns
from hedgerow.model.ids import ClientOrderId, TradeId, VenueOrderId
from hedgerow.model.order import OrderStatus, Side
from tests.core.books import HEDGE, LEAD, MS, Desk, Quoting, S, cancels, config, entry, instrument, submits


def desk(qty: str = "1") -> Desk:
    """A desk whose entry stands at the venue."""
    made = Desk(Quoting(entry(qty)))
    made.accept(made.standing())
    return made


def holds(made: Desk) -> dict[str, HoldReason]:
    return {key: hold.reason for key, hold in made.book.state.holds.items()}


def test_each_fill_is_hedged_by_the_opposite_side_once() -> None:
    """A lead fill owes the hedge leg the same size the other way; what works already counts."""
    made = desk()

    first = submits(made.fills(made.standing(), "0.4"))
    second = submits(made.fills(made.standing(), "0.2"))

    assert [(order.side, order.qty) for order in first] == [(Side.SELL, Decimal("0.4"))]
    assert [(order.side, order.qty) for order in second] == [(Side.SELL, Decimal("0.2"))]


def test_a_repeated_fill_changes_nothing() -> None:
    """Venues repeat fills after a reconnect: the trade id decides."""
    made = desk()
    fill = made.fill(made.standing(), "0.4")
    made.tell(FillReceived(made.now_ns, fill))
    before = made.book.digest()

    commands = made.tell(FillReceived(made.now_ns + 5, fill))

    assert commands == ()
    assert made.book.digest() == before


def test_an_unknown_outcome_is_asked_for_and_never_sent_again() -> None:
    """A timeout is not a rejection: the order stays working until there is a proof."""
    made = desk()
    (hedge,) = submits(made.fills(made.standing(), "0.4"))
    made.tell(OrderUnknown(made.now_ns, hedge.order_id, "HTTP 503"))

    commands = made.wait(10 * S)

    assert submits(commands) == []
    assert sum(isinstance(command, QueryOrder) for command in commands) >= 3
    assert holds(made)["hedge/"] is HoldReason.UNKNOWN_ORDER
    assert made.order(hedge.order_id).leaves_qty == Decimal("0.4")


def test_silence_after_a_submit_is_unknown() -> None:
    """No answer at all ends where an unclear answer does."""
    made = desk()
    (hedge,) = submits(made.fills(made.standing(), "0.4"))

    commands = made.wait(3 * S)

    assert made.order(hedge.order_id).status is OrderStatus.UNKNOWN
    assert submits(commands) == []
    assert any(isinstance(command, QueryOrder) for command in commands)


def deny_everything(made: Desk, span_s: int) -> list[Command]:
    """Answer every question as a venue that knows nothing; return all commands."""
    start = len(made.log)
    for _ in range(span_s):
        for command in made.wait(S):
            if isinstance(command, QueryOrder):
                made.tell(OrderNotFound(made.now_ns, command.order_id, made.now_ns))
            if isinstance(command, Read):
                match command.kind:
                    case ReadKind.OPEN_ORDERS:
                        made.tell(OpenOrdersRead(made.now_ns, command.leg_id, made.now_ns))
                    case ReadKind.TRADES:
                        made.tell(TradesRead(made.now_ns, command.leg_id, made.now_ns))
                    case ReadKind.POSITION:
                        net_qty = made.book.net_qty(command.leg_id)
                        made.tell(PositionRead(made.now_ns, command.leg_id, made.now_ns, net_qty))
        made.quote_all()
    return made.log[start:]


def test_an_unknown_order_is_given_up_only_after_lease_and_visibility() -> None:
    """Negatives count from when the venue can neither take nor hide the order; then the hedge leaves again, once."""
    made = Desk(Quoting(entry()))
    made.accept(made.standing())
    (hedge,) = submits(made.fills(made.standing(), "0.4"))
    made.tell(OrderUnknown(made.now_ns, hedge.order_id, "HTTP 503"))

    early = deny_everything(made, 44)
    late = deny_everything(made, 40)

    assert not [c for c in early if isinstance(c, OrderGivenUp)]
    assert submits(early) == []
    (given_up,) = [c for c in late if isinstance(c, OrderGivenUp)]
    assert given_up.not_found >= 3 and given_up.not_open > 0 and given_up.no_trades > 0
    (again,) = [order for order in submits(late) if order.leg_id == HEDGE]
    assert again.qty == Decimal("0.4")
    assert again.order_id != hedge.order_id


def test_a_fill_of_a_given_up_order_is_booked_and_hedged_back() -> None:
    """Even a proof may be wrong at a venue: the fill is a fact, and the comparison heals it."""
    made = Desk(Quoting(entry()))
    made.accept(made.standing())
    (hedge,) = submits(made.fills(made.standing(), "0.4"))
    made.tell(OrderUnknown(made.now_ns, hedge.order_id, ""))
    (again,) = [order for order in submits(deny_everything(made, 90)) if order.leg_id == HEDGE]
    made.accept(again)
    made.fills(again, "0.4")

    commands = made.fills(hedge, "0.4")

    (back,) = submits(commands)
    assert (back.side, back.qty) == (Side.BUY, Decimal("0.4"))
    assert any(alarm.kind is AlarmKind.LATE_FILL for alarm in made.book.state.alarms.values())


def test_a_fill_before_its_ack_is_hedged_at_once() -> None:
    """The id was durable before the order left, so the fill always finds it."""
    made = Desk(Quoting(entry()))

    (hedge,) = submits(made.fills(made.standing(), "0.4"))

    assert hedge.qty == Decimal("0.4")
    assert made.standing().status is OrderStatus.OPEN


def test_a_nameless_fill_is_parked_until_the_ack_names_its_order() -> None:
    """A trade record may carry only the venue's id, which nobody knows before the ack."""
    made = Desk(Quoting(entry()))
    order = made.standing()
    nameless = replace(made.fill(order, "0.4"), order_id=None, venue_order_id=VenueOrderId(f"v-{order.id}"))

    parked = made.tell(FillReceived(made.now_ns, nameless))
    hedged = made.accept(order)

    assert submits(parked) == []
    assert [order.qty for order in submits(hedged)] == [Decimal("0.4")]
    assert made.book.state.parked == []


def test_a_foreign_fill_is_alarmed_and_never_hedged() -> None:
    """What the owner trades by hand is shown and left alone."""
    made = desk()
    foreign = replace(made.fill(made.standing(), "0.4"), order_id=ClientOrderId("web_1"))

    commands = made.tell(FillReceived(made.now_ns, foreign))

    assert submits(commands) == []
    assert made.book.net_qty(LEAD) == 0
    assert "foreign_fill/lead" in made.book.state.alarms


def test_canceled_closes_only_when_the_trades_add_up() -> None:
    """The last trade may come after the report: until then what the venue filled is working, and then it is hedged."""
    made = desk()
    order = made.standing()
    made.tell(OrderReported(made.now_ns, order.id, OrderStatus.CANCELED, Decimal("0.3")))
    settling = made.order(order.id)

    hedged = submits(made.fills(order, "0.3"))

    assert settling.status is OrderStatus.SETTLING
    assert settling.leaves_qty == Decimal("0.3")
    assert made.order(order.id).status is OrderStatus.CANCELED
    assert [order.qty for order in hedged if order.leg_id == HEDGE] == [Decimal("0.3")]


def test_cumulative_qty_never_goes_back() -> None:
    """Reports overtake each other; a later message with less is an older one."""
    made = desk()
    order = made.standing()
    made.tell(OrderReported(made.now_ns, order.id, OrderStatus.OPEN, Decimal("0.5")))

    made.tell(OrderReported(made.now_ns, order.id, OrderStatus.OPEN, Decimal("0.2")))

    assert made.order(order.id).venue_cum_qty == Decimal("0.5")


def test_a_late_fill_of_a_canceled_order_is_booked_and_hedged() -> None:
    """A closed order still takes its trades."""
    made = desk()
    order = made.standing()
    made.tell(OrderReported(made.now_ns, order.id, OrderStatus.CANCELED, Decimal(0)))

    hedged = submits(made.fills(order, "0.2"))

    assert [order.qty for order in hedged if order.leg_id == HEDGE] == [Decimal("0.2")]
    assert f"late_fill/{order.leg_id}" in made.book.state.alarms


def test_an_overfill_is_booked_hedged_and_alarmed() -> None:
    """More than was ordered is still ours."""
    made = desk("0.5")
    order = made.standing()

    hedged = submits(made.fills(order, "0.6"))

    assert [order.qty for order in hedged if order.leg_id == HEDGE] == [Decimal("0.6")]
    assert f"overfill/{order.leg_id}" in made.book.state.alarms


def test_a_refusal_of_an_order_that_is_known_to_exist_is_not_believed() -> None:
    """A swapped or late answer cannot unmake an order that the venue has shown."""
    made = desk()
    order = made.standing()

    commands = made.tell(OrderRejected(made.now_ns, order.id, RejectClass.OTHER, "-2010", "no"))

    assert made.order(order.id).status is OrderStatus.OPEN
    assert any(isinstance(command, QueryOrder) for command in commands)
    assert f"contradiction/{order.leg_id}" in made.book.state.alarms


def test_refused_hedges_are_spaced_and_the_residual_stays_visible() -> None:
    """A rejection repeated at once is a loop; forgotten it is a naked position."""
    made = desk()
    (hedge,) = submits(made.fills(made.standing(), "0.4"))
    sent = 0
    for _ in range(200):
        commands = made.tell(OrderRejected(made.now_ns, hedge.order_id, RejectClass.INSUFFICIENT_MARGIN, "-2019", ""))
        assert submits(commands) == []
        assert made.book.residual == Decimal("0.4")
        retries: list[object] = []
        waited_ns = 0
        while not submits(retries):
            retries += made.wait(50 * MS)
            waited_ns += 50 * MS
            made.quote_all()
        (hedge,) = [order for order in submits(retries) if order.leg_id == HEDGE]
        sent += 1
        if waited_ns > 25 * S:
            break

    assert 5 < sent < 12
    assert holds(made).get("hedge/") is None or holds(made)["hedge/"] is not HoldReason.HALTED
    assert "hedge_refused/hedge/" in made.book.state.alarms


def test_an_entry_that_is_refused_again_and_again_wakes_nobody() -> None:
    """What was never bought needs no hedge: the hold says why, and there is nothing to alarm anybody about."""
    made = Desk(Quoting(entry()))
    slot = made.standing().slot
    for _ in range(200):
        order = made.book.in_slot(LEAD, slot)
        if order is not None:
            made.tell(OrderRejected(made.now_ns, order.id, RejectClass.INSUFFICIENT_MARGIN, "-2019", ""))
        made.wait(S)
        made.quote_all()

    refusal = made.book.refusal(LEAD, slot)
    assert refusal is not None
    assert refusal.tries >= 5
    assert made.book.state.alarms == {}


def test_a_remainder_below_the_step_is_carried_and_joins_the_next_increment() -> None:
    """C3: 0.0022 filled, step 0.001: 0.002 hedged, 0.0002 carried, never lost."""
    fine = instrument(LEAD, step=Decimal("0.0001"), min_qty=Decimal("0.0001"), min_notional=Decimal(0))
    coarse = instrument(HEDGE, min_notional=Decimal("0.01"))
    made = Desk(Quoting(entry()), config(lead=fine, hedge=coarse))
    made.accept(made.standing())

    first = submits(made.fills(made.standing(), "0.0022"))
    hold = made.book.state.holds["hedge/"]
    second = submits(made.fills(made.standing(), "0.0008"))

    assert [order.qty for order in first] == [Decimal("0.002")]
    assert hold.reason is HoldReason.BELOW_MINIMUM
    assert hold.numbers[0] == ("owed", "sell 0.0002")
    assert [order.qty for order in second] == [Decimal("0.001")]
    assert "hedge/" not in made.book.state.holds


def test_fees_in_the_base_asset_shrink_what_is_owed() -> None:
    """What was received is what must be hedged, not what was traded."""
    made = desk()
    fill = replace(made.fill(made.standing(), "0.4"), fee=Decimal("0.004"), fee_currency="BTC")

    (hedge,) = submits(made.tell(FillReceived(made.now_ns, fill)))

    assert hedge.qty == Decimal("0.396")


def test_a_large_need_is_sliced_by_the_maximum() -> None:
    """One obligation, several children."""
    made = Desk(Quoting(entry()), config(hedge=instrument(HEDGE, max_qty=Decimal("0.3"))))
    made.accept(made.standing())

    slices = submits(made.fills(made.standing(), "0.7"))

    assert [order.qty for order in slices] == [Decimal("0.3"), Decimal("0.3"), Decimal("0.1")]


def test_cancel_answered_gone_asks_and_never_closes() -> None:
    """C7: 'unknown order' means not working, not unfilled: trades decide."""
    made = desk()
    order = made.standing()
    made.tell(OperatorCommanded(made.now_ns, Action.FREEZE))

    commands = made.tell(CancelAnswered(made.now_ns, order.id, CancelOutcome.GONE, "-2011"))

    assert any(isinstance(command, QueryOrder) for command in commands)
    assert made.order(order.id).status is OrderStatus.OPEN


def test_freeze_withdraws_entries_and_keeps_hedging() -> None:
    """Nothing new adds risk; what fills meanwhile is hedged."""
    made = desk()
    order = made.standing()

    frozen = made.tell(OperatorCommanded(made.now_ns, Action.FREEZE))
    hedged = made.fills(order, "0.4")

    assert [command.order_id for command in cancels(frozen)] == [order.id]
    assert [order.qty for order in submits(hedged)] == [Decimal("0.4")]
    assert holds(made)["lead/entry"] is HoldReason.FROZEN


def test_halt_sends_nothing_but_cancels() -> None:
    """Halted is halted: the residual is shown, not traded."""
    made = desk()
    order = made.standing()

    halted = made.tell(OperatorCommanded(made.now_ns, Action.HALT))
    after = made.fills(order, "0.4")

    assert [command.order_id for command in cancels(halted)] == [order.id]
    assert submits(after) == []
    assert made.book.residual == Decimal("0.4")


def test_the_same_request_twice_has_one_effect() -> None:
    """A double click, or a client that tries again."""
    made = desk()
    made.tell(OperatorCommanded(made.now_ns, Action.FREEZE, request_id="r1"))
    made.tell(OperatorCommanded(made.now_ns, Action.RESUME, request_id="r2"))

    made.tell(OperatorCommanded(made.now_ns, Action.FREEZE, request_id="r1"))

    assert made.book.mode is Mode.RUNNING


def test_flatten_ends_frozen_only_after_a_position_read_agrees() -> None:
    """'Request accepted' is not flat."""
    made = desk()
    rest = made.standing()
    (hedge,) = submits(made.fills(rest, "0.4"))
    made.accept(hedge)
    made.fills(hedge, "0.4")
    made.now_ns += S
    closing = made.tell(OperatorCommanded(made.now_ns, Action.FLATTEN))
    assert [command.order_id for command in cancels(closing)] == [rest.id]
    closing = submits(closing)
    made.tell(OrderReported(made.now_ns, rest.id, OrderStatus.CANCELED, Decimal("0.4")))
    (lead_exit,) = closing
    assert (lead_exit.leg_id, lead_exit.side, lead_exit.reduce_only) == (LEAD, Side.SELL, True)
    made.accept(lead_exit)
    (hedge_back,) = submits(made.fills(lead_exit, "0.4"))
    made.accept(hedge_back)
    made.fills(hedge_back, "0.4")
    assert made.book.mode is Mode.FLATTENING

    made.now_ns += S
    made.tell(TimeReached(made.now_ns))
    made.read_all()
    made.look_again()

    assert made.book.mode is Mode.FROZEN
    assert made.book.state.mode_reason == "flat, verified"


def test_limits_stop_entries_and_never_a_hedge() -> None:
    """A limit of zero residual stops every entry; what fills all the same is hedged."""
    made = Desk(Quoting(entry()), config(limits=Limits(max_notional=Decimal(50))))

    assert list(made.book.working(LEAD)) == []
    assert holds(made)["lead/entry"] is HoldReason.NOTIONAL_LIMIT
    late = replace(made.fill(_phantom(made), "0.4"))
    hedged = submits(made.tell(FillReceived(made.now_ns, replace(late, venue_made=True))))
    hedged += submits(made.look_again())
    assert [(order.leg_id, order.qty) for order in hedged] == [(HEDGE, Decimal("0.4"))]


def _phantom(made: Desk):  # type: ignore[no-untyped-def]
    from hedgerow.core.commands import SubmitOrder
    from hedgerow.model.order import OrderType, Role

    return SubmitOrder(
        ClientOrderId("autoclose-1"), LEAD, instrument(LEAD).id, Side.BUY, Decimal(1), OrderType.MARKET, Role.ENTRY
    )


def test_no_price_holds_the_hedge_until_one_comes() -> None:
    """C4: hold no_mark_price; the hedge leaves with the first price."""
    made = Desk(Quoting(entry()))
    made.accept(made.standing())
    made.book.quotes.pop(instrument(HEDGE).id)

    held = submits(made.fills(made.standing(), "0.4"))
    reason = holds(made)["hedge/"]
    made.quote_all()

    assert held == []
    assert reason is HoldReason.NO_MARK_PRICE
    assert [order.qty for order in made.book.working(HEDGE)] == [Decimal("0.4")]


def test_stale_prices_withdraw_entries_without_any_event() -> None:
    """A feed that dies sends nothing: the book wakes itself."""
    made = desk()

    commands = made.wait(11 * S)

    assert [command.order_id for command in cancels(commands)][:1] == [made.standing().id]
    assert holds(made)["lead/entry"] is HoldReason.STALE_PRICE


def test_an_old_price_takes_entries_back_whatever_else_holds_them() -> None:
    """A reason that only keeps new ones out must not stand before one that withdraws what rests."""
    made = desk()
    alarm = Alarm(AlarmKind.UNKNOWN_ORDER, "o1", "")
    made.book.state.alarms[alarm.key] = alarm
    refused = guard.refusal_of_entries(made.book)
    assert refused is not None and refused.reason is HoldReason.UNKNOWN_ORDER

    made.book.now_ns += 20 * S

    refused = guard.refusal_of_entries(made.book)
    assert refused is not None and refused.reason is HoldReason.STALE_PRICE


def test_a_failed_read_is_unknown_not_empty() -> None:
    """G15, M10: an error proves nothing, so entries keep waiting for an answer."""
    made = Desk(Quoting(entry()), ready=False)
    made.quote_all()
    for leg_id in (LEAD, HEDGE):
        for kind in ReadKind:
            made.tell(ReadFailed(made.now_ns, leg_id, kind, "HTTP 500"))

    commands = made.wait(20 * S)
    made.quote_all()

    assert submits(commands) == []
    assert holds(made)["lead/entry"] is HoldReason.RECONCILING
    assert sum(isinstance(command, Read) for command in commands) >= 6


def test_missed_fills_are_booked_from_trades() -> None:
    """The stream dropped a frame: the periodic read finds the trade, and it is hedged."""
    made = desk()
    missed = made.fill(made.standing(), "0.4")

    hedged = submits(made.tell(TradesRead(made.now_ns, LEAD, made.now_ns, (missed,), "7")))

    assert [order.qty for order in hedged] == [Decimal("0.4")]


def test_the_next_read_of_trades_starts_where_a_visibility_time_ago_ended() -> None:
    """A trade may become visible after a later one: if its frame was lost too, only a repeated read can find it."""
    made = desk()
    order = made.standing()
    hidden, later = made.fill(order, "0.4"), made.fill(order, "0.3")
    made.tell(TradesRead(made.now_ns, LEAD, made.now_ns, (later,), "7"))
    cursors = [command.cursor for command in made.wait(20 * S) if isinstance(command, Read) and command.leg_id == LEAD]

    found = submits(made.tell(TradesRead(made.now_ns, LEAD, made.now_ns, (hidden, later), "7")))

    assert set(cursors) <= {"", "0"}, cursors
    assert [order.qty for order in found] == [Decimal("0.4")]
    made.tell(TradesRead(made.now_ns + 10 * S, LEAD, made.now_ns + 10 * S, (hidden, later), "7"))
    assert made.book.ledger(LEAD).trade_cursor == "7"


def test_a_read_of_an_earlier_run_is_young_until_the_new_clock_says_otherwise() -> None:
    """The machine's clock may have leapt while nothing ran: what was hidden a moment ago is hidden still."""
    made = desk()
    hidden, later = made.fill(made.standing(), "0.4"), made.fill(made.standing(), "0.3")
    made.tell(TradesRead(made.now_ns, LEAD, made.now_ns, (later,), "7"))
    made.now_ns += 3_600 * S
    made.tell(BookStarted(made.now_ns, 2, made.config))
    made.tell(TradesRead(made.now_ns, LEAD, made.now_ns, (later,), "7"))

    assert made.book.ledger(LEAD).trade_cursor != "7"
    made.now_ns += S
    made.tell(TradesRead(made.now_ns, LEAD, made.now_ns, (hidden, later), "7"))
    assert made.book.net_qty(LEAD) == Decimal("0.7")


def test_reads_in_quick_succession_are_not_noted_one_by_one() -> None:
    """What is kept of young reads of trades is bounded, however busy the book is."""
    made = desk()
    ledger = made.book.ledger(LEAD)
    made.standing()

    for n in range(1, 200):
        made.now_ns += S // 2
        made.tell(TradesRead(made.now_ns, LEAD, made.now_ns, (), str(n)))
        assert len(ledger.young_cursors) <= YOUNG_CURSORS_MAX + 1

    assert 199 - int(ledger.trade_cursor) <= 2 * (30 + 30 // YOUNG_CURSORS_MAX)


def test_drift_needs_two_reads_with_all_their_trades_and_stops_entries_only() -> None:
    """A position may show a trade before all else does; what no later read of trades explains is drift, no fill."""
    made = Desk(Quoting(entry()), config(limits=Limits(stale_ms=100_000)))
    made.accept(made.standing())
    for _ in range(2):
        made.now_ns += S
        made.tell(PositionRead(made.now_ns, HEDGE, made.now_ns, Decimal("-0.5")))
    made.tell(TradesRead(made.now_ns, HEDGE, made.now_ns))
    assert not made.book.ledger(HEDGE).drift_net_qty

    made.now_ns += 30 * S
    made.tell(TradesRead(made.now_ns, HEDGE, made.now_ns))
    commands = made.look_again()

    assert made.book.ledger(HEDGE).drift_net_qty == Decimal("-0.5")
    assert made.book.net_qty(HEDGE) == 0
    assert submits(commands) == []
    assert len(cancels(commands)) == 1
    made.tell(OperatorCommanded(made.now_ns, Action.RESUME, accept_drift=True))
    assert made.book.ledger(HEDGE).foreign_net_qty == Decimal("-0.5")
    assert not any(reason is HoldReason.DRIFT for reason in holds(made).values())


def test_holdings_found_at_the_first_start_are_foreign() -> None:
    """Coins that the book did not trade are shown and never sold."""
    made = Desk(Quoting(), ready=False)
    made.quote_all()

    commands = made.read_all("2")

    assert submits(commands) == []
    assert made.book.net_qty(LEAD) == 0
    assert made.book.ledger(LEAD).foreign_net_qty == 2
    assert "foreign_position/lead" in made.book.state.alarms


def test_a_fill_of_a_forgotten_order_waits_for_the_journal() -> None:
    """Closed orders leave memory: only the journal can tell a repeated trade from a late one."""
    made = desk().restarted()
    made.quote_all()
    old = replace(made.fill(made.standing(), "0.4"), order_id=ClientOrderId("hr-b1-1-9"))

    commands = made.tell(FillReceived(made.now_ns, old))
    assert [type(command) for command in commands if isinstance(command, LookUpFill)] == [LookUpFill]
    assert submits(commands) == []

    hedged = made.tell(FillLookedUp(made.now_ns, old, booked=False))
    assert [order.qty for order in submits(hedged)] == [Decimal("0.4")]
    assert made.book.state.parked == []


def test_after_a_restart_every_live_order_is_asked_for_and_still_counts() -> None:
    """A2: an order in the journal may or may not have left; until it is proven it counts."""
    made = desk()
    (hedge,) = submits(made.fills(made.standing(), "0.4"))

    again = made.restarted()

    assert again.order(hedge.order_id).status is OrderStatus.UNKNOWN
    assert again.book.working_qty(HEDGE, Side.SELL) == Decimal("0.4")
    assert submits(again.wait(5 * S)) == []


def test_ids_of_a_new_run_differ_from_all_earlier_ones() -> None:
    """The epoch is part of the id, so even an order that was never journaled cannot collide."""
    made = desk()
    (first,) = submits(made.fills(made.standing(), "0.4"))
    again = made.restarted()
    again.quote_all()

    fill = replace(again.fill(again.standing(), "0.1"), trade_id=TradeId("after"))
    (second,) = submits(again.tell(FillReceived(again.now_ns, fill)))

    assert first.order_id == "hr-b1-1-2"
    assert second.order_id == "hr-b1-2-1"


def test_a_heartbeat_or_an_idle_wake_up_makes_no_turn() -> None:
    """A book at rest writes nothing and sends nothing but reads."""
    made = desk()
    turns = len(made.turns)

    made.tell(Heartbeat(made.now_ns, LEAD))
    commands = made.wait(4 * S)

    assert len(made.turns) == turns
    assert all(isinstance(command, Read) for command in commands)


def test_the_next_wake_up_is_always_later_than_now() -> None:
    """A timer that is due in the past would spin."""
    made = desk()
    made.fills(made.standing(), "0.4")
    for _ in range(200):
        due_ns = next_due_ns(made.book)
        assert due_ns is not None and due_ns > made.book.now_ns
        made.now_ns = due_ns
        made.tell(TimeReached(due_ns))


def test_an_exit_that_the_account_cannot_afford_asks_for_less() -> None:
    """D01: fees taken from what is sold make the last step unsellable; asking for all of it for ever sells nothing."""
    made = desk()
    rest = made.standing()
    (hedge,) = submits(made.fills(rest, "0.4"))
    made.fills(hedge, "0.4")
    (lead_exit,) = submits(made.tell(OperatorCommanded(made.now_ns, Action.FLATTEN)))
    asked = [lead_exit.qty]
    for _ in range(4):
        made.tell(OrderRejected(made.now_ns, lead_exit.order_id, RejectClass.INSUFFICIENT_MARGIN, "-2010", "balance"))
        (lead_exit,) = submits(made.wait(4 * S))
        asked.append(lead_exit.qty)

    assert asked == [Decimal(qty) for qty in ("0.4", "0.4", "0.4", "0.399", "0.398")]
