"""Mistakes of the engine itself: how it sends, asks, books, counts, hedges and remembers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from hedgerow.core import apply, guard, planner, step
from hedgerow.core import orders as life
from hedgerow.core.book import Book, Booked
from hedgerow.core.commands import REQUESTS, CancelOrder, Turn
from hedgerow.core.config import LegConfig, Timing
from hedgerow.core.drift import Witness
from hedgerow.core.events import (
    BookStarted,
    CancelAnswered,
    CancelOutcome,
    Event,
    OpenOrdersRead,
    OrderNotFound,
    OrderRejected,
    PositionRead,
    ReadFailed,
    ReadKind,
    RejectClass,
    TradesRead,
)
from hedgerow.core.holds import HoldReason
from hedgerow.core.ledger import Ledger
from hedgerow.core.target import NetTarget, Resting
from hedgerow.journal.codec import GENESIS, link
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.model.ids import ClientOrderId, LegId, OrderKey, TradeId, encode_order_id
from hedgerow.model.instrument import Instrument
from hedgerow.model.numbers import ZERO, ceil_to, floor_to
from hedgerow.model.order import CLOSED, UNPROVEN, Fill, Order, OrderStatus, Role, Side
from hedgerow.model.position import Position
from hedgerow.runtime import cycle, recovery
from hedgerow.sim.mutants.mutant import Mutant
from hedgerow.venues import outcomes
from hedgerow.venues.outcomes import Outcome, Proof

# The functions as they are, for mutants that only bend them.
_apply_event = apply.apply_event
_apply_own_fill = apply._apply_own_fill
_apply_trades = apply._apply_trades
_apply_open_orders = apply._apply_open_orders
_apply_not_found = apply._apply_not_found
_apply_cancel_answer = apply._apply_cancel_answer
_apply_start = apply._apply_start
_refuse = apply._refuse
_working = Book.working
_checks = guard.checks
_close_shortfall = planner._close_shortfall
_halt = planner._halt
_net = planner._net
_of_submit = outcomes.of_submit
_append = cycle.Cycle._append
_turns = SqliteStore.turns
_write = SqliteStore.write


def _closed_as(book: Book, order: Order, status: OrderStatus) -> bool:
    apply._put(book, life.clear(replace(order, status=status)))
    return True


def _unknown_is_rejected(book: Book, order_id: ClientOrderId) -> bool:
    order = book.state.orders.get(order_id)
    return order is not None and order.status in UNPROVEN and _closed_as(book, order, OrderStatus.REJECTED)


def _silence_is_rejected(book: Book) -> bool:
    timeout_ns = book.config.timing.ack_timeout_ms * 1_000_000
    orders = [book.state.orders[order_id] for order_id in book.unclear]
    late = [
        order
        for order in orders
        if order.status is OrderStatus.SUBMITTING and book.now_ns >= order.submitted_ts_ns + timeout_ns
    ]
    for order in late:
        _closed_as(book, order, OrderStatus.REJECTED)
    return bool(late)


def _not_found_is_dead(book: Book, event: OrderNotFound) -> bool:
    order = book.state.orders.get(event.order_id)
    if order is None or order.status in CLOSED:
        return False
    return _closed_as(book, order, OrderStatus.CANCELED)


def _misread(codes: tuple[int, ...], statuses: tuple[int, ...] = ()) -> Callable[[int, int, str], Outcome]:
    def of_submit(status: int, code: int, text: str) -> Outcome:
        outcome = _of_submit(status, code, text)
        if outcome.reject_class is None and (code in codes or status in statuses):
            return Outcome(Proof.NOT_TAKEN, RejectClass.OTHER)
        return outcome

    return of_submit


def _trades_unread(book: Book, event: TradesRead) -> bool:
    return _apply_trades(book, replace(event, fills=()))


def _booked_again(book: Book, order: Order, fill: Fill) -> bool:
    book.state.trades.get(order.id, {}).pop(fill.trade_id, None)
    return _apply_own_fill(book, order, fill)


def _seen(book: Book, order: Order, fill: Fill) -> bool:
    """Remember a fill without booking it."""
    book.state.trades.setdefault(order.id, {})[fill.trade_id] = Booked(fill.qty)
    return True


def _is_new(book: Book, order: Order, fill: Fill) -> bool:
    return fill.trade_id not in book.state.trades.get(order.id, {})


def _seen_and_dropped(drops: Callable[[Order, Fill], bool]) -> Callable[[Book, Order, Fill], bool]:
    def own_fill(book: Book, order: Order, fill: Fill) -> bool:
        if drops(order, fill) and _is_new(book, order, fill):
            return _seen(book, order, fill)
        return _apply_own_fill(book, order, fill)

    return own_fill


def _dropped_without_a_mark(book: Book, order: Order, fill: Fill) -> bool:
    rule = book.config.hedge
    if rule is not None and order.leg_id == rule.lead and book.mark(rule.hedge) is None:
        return _seen(book, order, fill)
    return _apply_own_fill(book, order, fill)


def _remainder_dropped(book: Book, order: Order, fill: Fill) -> bool:
    rule = book.config.hedge
    if rule is None or order.leg_id != rule.lead:
        return _apply_own_fill(book, order, fill)
    qty = floor_to(fill.qty, book.legs[rule.hedge].instrument.step)
    return _apply_own_fill(book, order, replace(fill, qty=qty)) if qty else _seen(book, order, fill)


def _last_fill_is_all(book: Book, order: Order, fill: Fill) -> bool:
    if order.role is Role.ENTRY and order.filled_qty > 0 and _is_new(book, order, fill):
        book.ledger(order.leg_id).position = Position()
    return _apply_own_fill(book, order, fill)


def _cumulative_is_delta(book: Book, order: Order, fill: Fill) -> bool:
    return _apply_own_fill(book, order, replace(fill, qty=fill.qty + order.filled_qty))


def _gone_is_canceled(book: Book, event: CancelAnswered) -> bool:
    order = book.state.orders.get(event.order_id)
    if order is not None and order.status not in CLOSED and event.outcome is CancelOutcome.GONE:
        return _closed_as(book, order, OrderStatus.CANCELED)
    return _apply_cancel_answer(book, event)


def _refusal_is_believed(book: Book, event: OrderRejected) -> bool:
    order = book.state.orders.get(event.order_id)
    return order is not None and order.status not in CLOSED and _closed_as(book, order, OrderStatus.REJECTED)


def _ended_is_closed(order: Order, end: OrderStatus, cum_qty: Decimal | None, now_ns: int, timing: Timing) -> Order:
    if order.status in CLOSED:
        return order
    return life.clear(replace(order, status=OrderStatus.CANCELED, venue_end=end))


def _absent_is_filled(book: Book, event: OpenOrdersRead) -> bool:
    changed = _apply_open_orders(book, event)
    listed = {row.order_id for row in event.orders}
    for order in list(book.live[event.leg_id].values()):
        if order.status is OrderStatus.OPEN and order.id not in listed and order.limit_price is not None:
            leg = book.legs[order.leg_id]
            fill = Fill(
                TradeId(f"inferred-{order.id}"),
                leg.account_id,
                order.instrument_id,
                order.side,
                order.leaves_qty,
                order.limit_price,
                book.now_ns,
                order.id,
            )
            changed |= _apply_own_fill(book, order, fill)
    return changed


def _failed_is_answered(book: Book, event: Event) -> bool:
    changed = _apply_event(book, event)
    if isinstance(event, ReadFailed):
        apply._apply_answer(book, event.leg_id, event.kind, book.now_ns)
    return changed


def _position_error_is_zero(book: Book, event: Event) -> bool:
    changed = _apply_event(book, event)
    if isinstance(event, ReadFailed) and event.kind is ReadKind.POSITION:
        book.ledger(event.leg_id).position = Position()
        return True
    return changed


def _position_is_truth(book: Book, event: Event) -> bool:
    changed = _apply_event(book, event)
    if isinstance(event, PositionRead) and (foreign := book.ledger(event.leg_id).foreign_net_qty) is not None:
        book.ledger(event.leg_id).position = Position(event.net_qty - foreign)
        return True
    return changed


def _only_full_fills(book: Book) -> Decimal:
    rule = book.config.hedge
    assert rule is not None, book.config.book_id
    partial = sum(
        (
            order.filled_qty * order.side.sign
            for order in book.state.orders.values()
            if order.leg_id == rule.lead and order.status is not OrderStatus.FILLED
        ),
        ZERO,
    )
    lead, hedge = book.legs[rule.lead].instrument, book.legs[rule.hedge].instrument
    return rule.ratio * (book.net_qty(rule.lead) - partial) * lead.multiplier / hedge.multiplier


def _multiplier_is_one(book: Book) -> Decimal:
    rule = book.config.hedge
    assert rule is not None, book.config.book_id
    return rule.ratio * book.net_qty(rule.lead)


def _not_counting(skips: Callable[[Order], bool]) -> Callable[[Book, LegId], list[Order]]:
    def working(book: Book, leg_id: LegId) -> list[Order]:
        return [order for order in _working(book, leg_id) if not skips(order)]

    return working


def _sent_is_hedged(book: Book, leg_id: LegId) -> list[Order]:
    """Whatever was ordered goes on counting, however it ended."""
    orders = book.state.orders.values()
    over = [order for order in orders if order.leg_id == leg_id and not order.slot and order.status in CLOSED]
    return [*_working(book, leg_id), *(replace(order, status=OrderStatus.SUBMITTING) for order in over)]


def _with_all_links(book: Book, net: NetTarget, result: planner.Plan) -> None:
    if not book.state.links_down:
        _net(book, net, result)


def _market_zero_is_none(book: Book, result: planner.Plan) -> None:
    _halt(book, result)
    zero = {leg_id for leg_id, leg in book.legs.items() if leg.instrument.id.endswith(":0")}
    result.commands = [
        command for command in result.commands if not (isinstance(command, CancelOrder) and command.leg_id in zero)
    ]


def _id_without_epoch(key: OrderKey) -> ClientOrderId:
    return encode_order_id(replace(key, epoch=1))


def _fee_free(fill: Fill, base: str) -> Decimal:
    return fill.qty if fill.side is Side.BUY else -fill.qty


def _lots_in_floats(instrument: Instrument, qty: Decimal) -> Decimal:
    return int(float(qty) / float(instrument.step)) * instrument.step


def _rounded_up(instrument: Instrument, qty: Decimal) -> Decimal:
    return ceil_to(qty, instrument.step)


def _sent_at_once(process: cycle.Cycle, running: Any, turn: Turn) -> None:
    _append(process, running, turn)
    for command in turn.commands:
        if isinstance(command, REQUESTS):
            process._send(running, command, turn.ts_ns)


def _unfenced_write(store: SqliteStore, rows: list[Any], snapshots: list[Any]) -> int:
    """Write behind whatever stands in the journal now, whoever wrote it."""
    execute = store._connection.execute
    seq, head = execute("SELECT seq, hash FROM turn ORDER BY seq DESC LIMIT 1").fetchone() or (0, GENESIS)
    (store.epoch,) = execute("SELECT epoch FROM run").fetchone()
    behind = []
    for _, epoch, version, book_id, _, body in rows:
        seq += 1
        head = link(head, seq, epoch, version, book_id, body)
        behind.append((seq, epoch, version, book_id, head, body))
    return _write(store, behind, [])


def _cursor_runs_ahead(ledger: Ledger, asked_ts_ns: int, cursor: str, lag_ns: int) -> bool:
    return _read_trades(ledger, asked_ts_ns, cursor, 0)


_read_trades = Ledger.read_trades


def _lag_is_drift(witness: Witness, trades_asked_ns: int, explained: Decimal, lag_ns: int, step: Decimal) -> None:
    _judge(witness, trades_asked_ns, explained, 0, step)


_judge = Witness.judge


def _reductions_blocked(book: Book, net: Any, side: Side, free: Decimal, result: planner.Plan) -> None:
    if result.entries_refused is None:
        _close_shortfall(book, net, side, free, result)


def _live_orders_forgotten(book: Book, event: BookStarted) -> None:
    for orders in book.live.values():
        for order_id in list(orders):
            book.state.orders.pop(order_id, None)
            book.state.trades.pop(order_id, None)
    _apply_start(book, event)


def _only_the_last_hedge_is_kept(book: Book, event: BookStarted) -> None:
    rule = book.config.hedge
    for order_id in list(book.live.get(rule.hedge, ()))[:-1] if rule is not None else ():
        book.state.orders.pop(order_id, None)
        book.state.trades.pop(order_id, None)
    _apply_start(book, event)


def _foreign_is_ours(book: Book, leg_id: LegId, fill: Fill) -> bool:
    booked = book.state.trades.setdefault(ClientOrderId("foreign"), {})
    if fill.trade_id in booked:
        return False
    booked[fill.trade_id] = Booked(fill.qty)
    book.ledger(leg_id).book(fill, "", book.legs[leg_id], book.now_ns)
    return True


def _decided_again(book: Book, turn: Turn) -> None:
    step.step(book, turn.event)


def _a_turn_skipped(store: SqliteStore, after_seq: int = 0, book_id: Any = None) -> Iterator[Any]:
    for index, record in enumerate(_turns(store, after_seq, book_id)):
        if not (after_seq and index == 0):
            yield record


def _forgotten_after_three(book: Book, net: NetTarget, side: Side, free: Decimal, result: planner.Plan) -> None:
    refusal = book.refusal(net.leg_id)
    if refusal is None or refusal.tries < apply.REFUSALS_ALARM:
        _close_shortfall(book, net, side, free, result)


def _without_order_notional(book: Book, want: Resting, qty: Decimal) -> list[tuple[HoldReason, guard.Check]]:
    return [each for each in _checks(book, want, qty) if each[0] is not HoldReason.ORDER_NOTIONAL_LIMIT]


def _halt_hedges_on(book: Book, result: planner.Plan) -> None:
    for net in book.strategy.target(book).nets:
        planner._net(book, net, result)


def _storming(book: Book, order: Order, *rest: Any) -> None:
    _refuse(book, order, *rest)
    key = f"{order.leg_id}/{order.slot}"
    book.state.refusals[key] = replace(book.state.refusals[key], retry_ts_ns=book.now_ns)


def _evidence_at_once(order: Order, leg: LegConfig) -> int:
    return 0


def _cancel_whenever(order: Order, now_ns: int, timing: Timing) -> bool:
    return order.status is OrderStatus.OPEN


def _never(*_: Any) -> bool:
    return False


def _always(*_: Any) -> bool:
    return True


def _nothing_missing(*_: Any) -> Decimal:
    return ZERO


MUTANTS = (
    Mutant(
        "other_book_is_drift",
        "rule 9",
        "what another book holds on a shared account looks like drift",
        ((PositionRead, "share_net_qty", property(lambda read: read.net_qty)),),
    ),
    Mutant(
        "retry_new_cid",
        "A07",
        "an unclear answer counts as a refusal, and a new order goes out",
        ((apply, "_apply_unknown", _unknown_is_rejected),),
        stories=("M06_a_hedge_not_visible_for_20_s.txt",),
        also=("M6",),
        in_worlds=True,
    ),
    Mutant(
        "silence_is_rejected",
        "A06",
        "a submit that times out counts as refused",
        ((apply, "_apply_time", _silence_is_rejected),),
        stories=("G16_placed_after_all.txt",),
        also=("G16",),
        in_worlds=True,
    ),
    Mutant(
        "reject_on_2013",
        "A12",
        "-2013 to a place counts as a refusal",
        ((outcomes, "of_submit", _misread((-2013,))),),
        stories=("C08_ten_hedges_answered_not_found.txt",),
        also=("C8",),
        in_worlds=True,
    ),
    Mutant(
        "duplicate_is_rejected",
        "A11",
        "'duplicate id' counts as a refusal",
        ((outcomes, "of_submit", _misread((-2010,))),),
        stories=("G17_a_duplicate_id_means_that_it_exists.txt",),
        also=("G17",),
        in_worlds=True,
    ),
    Mutant(
        "server_error_is_rejected",
        "A03",
        "a 5xx counts as a refusal",
        ((outcomes, "of_submit", _misread((), (502, 503))),),
    ),
    Mutant(
        "timeout_1007_is_rejected",
        "A01",
        "-1006 and -1007 count as refusals",
        ((outcomes, "of_submit", _misread((-1006, -1007))),),
    ),
    Mutant(
        "not_found_is_dead",
        "A20",
        "one 'no such order' closes it",
        ((apply, "_apply_not_found", _not_found_is_dead),),
        stories=("M06_a_hedge_not_visible_for_20_s.txt",),
        also=("M6",),
        in_worlds=True,
    ),
    Mutant(
        "evidence_at_once",
        "A20",
        "negatives count before lease and visibility are over",
        ((life, "evidence_from_ns", _evidence_at_once),),
    ),
    Mutant(
        "no_backfill",
        "B05",
        "trades are taken from the stream alone",
        ((apply, "_apply_trades", _trades_unread),),
        stories=(
            "M04_a_fill_while_the_process_was_down.txt",
            "M09_fills_missed_by_a_dropping_websocket.txt",
            "A02_killed_before_the_turn_is_written.txt",
        ),
        also=("M4", "M9", "A2"),
        in_worlds=True,
    ),
    Mutant(
        "no_dedupe",
        "B07",
        "a repeated fill is booked again",
        ((apply, "_apply_own_fill", _booked_again),),
        stories=("M05_one_hedge_for_a_message_told_three_times.txt",),
        also=("M5",),
        in_worlds=True,
    ),
    Mutant(
        "fill_before_ack_dropped",
        "B11",
        "a fill of an order without an ack is dropped",
        ((apply, "_apply_own_fill", _seen_and_dropped(lambda order, _: order.status is OrderStatus.SUBMITTING)),),
        stories=("M03_a_fill_before_its_ack_is_never_dropped.txt",),
        also=("M3",),
        in_worlds=True,
    ),
    Mutant(
        "nameless_fill_dropped",
        "B11",
        "a fill that cannot be matched yet is dropped",
        ((apply, "_park", _never), (apply, "_apply_nameless", _never)),
        stories=("M03_a_fill_before_its_ack_is_never_dropped.txt",),
        also=("M3",),
    ),
    Mutant(
        "late_fill_dropped",
        "B13",
        "a fill of a closed order is dropped",
        ((apply, "_apply_own_fill", _seen_and_dropped(lambda order, _: order.status in CLOSED)),),
    ),
    Mutant(
        "overfill_dropped",
        "D12",
        "what a venue fills beyond the order is dropped",
        ((apply, "_apply_own_fill", _seen_and_dropped(lambda order, fill: order.filled_qty + fill.qty > order.qty)),),
    ),
    Mutant(
        "gone_is_canceled",
        "C01",
        "-2011 to a cancel closes the order",
        ((apply, "_apply_cancel_answer", _gone_is_canceled),),
        stories=("C07_cancel_of_a_filled_entry.txt",),
        also=("C7",),
        in_worlds=True,
    ),
    Mutant(
        "close_on_canceled",
        "C04",
        "an order closes before its trades add up",
        ((life, "ended", _ended_is_closed),),
        stories=("G11_partial_fill_then_cancel.txt",),
        also=("G11",),
        in_worlds=True,
    ),
    Mutant(
        "only_full_fills_hedge",
        "C03",
        "only orders that filled whole are hedged",
        ((Book, "hedge_target", _only_full_fills),),
        stories=("M02_three_trades_are_hedged_one_by_one.txt",),
        also=("M2",),
        in_worlds=True,
    ),
    Mutant(
        "cumulative_is_delta",
        "C1",
        "a cumulative qty is taken for one more fill",
        ((apply, "_apply_own_fill", _cumulative_is_delta),),
        stories=("C01_cumulative_10_then_25_of_100.txt",),
        in_worlds=True,
    ),
    Mutant(
        "absent_is_filled",
        "G2",
        "an order that is not listed counts as filled",
        ((apply, "_apply_open_orders", _absent_is_filled),),
        stories=("G02_six_resting_orders_vanish.txt", "G01_an_unknown_entry_code_40109.txt"),
        in_worlds=True,
        also=("G1",),
    ),
    Mutant(
        "position_error_is_zero",
        "M10",
        "a failed read of the position counts as flat",
        ((step, "apply_event", _position_error_is_zero),),
        stories=("M10_a_failed_position_read_is_not_zero.txt", "E10_one_account_of_three_cannot_be_read.txt"),
        in_worlds=True,
        also=("E10",),
    ),
    Mutant(
        "position_is_truth",
        "F01",
        "the venue's position replaces the fills",
        ((step, "apply_event", _position_is_truth),),
        stories=("G03_a_reduce_only_exit_waits_for_the_position.txt",),
        also=("G3",),
        in_worlds=True,
    ),
    Mutant(
        "send_before_durable",
        "A2",
        "orders leave before their turn is durable",
        ((cycle.Cycle, "_append", _sent_at_once),),
    ),
    Mutant(
        "id_without_epoch",
        "A10",
        "ids begin again after a restart",
        ((planner, "encode_order_id", _id_without_epoch),),
        stories=("A02_killed_after_the_turn_is_written.txt",),
        also=("A2",),
        in_worlds=True,
    ),
    Mutant(
        "working_ignored",
        "C2",
        "the hedge is computed from positions alone",
        ((Book, "working", _not_counting(lambda order: not order.slot)),),
        stories=("C02_both_margin_fills_are_hedged.txt", "M02_three_trades_are_hedged_one_by_one.txt"),
        also=("M2",),
        in_worlds=True,
    ),
    Mutant(
        "unknown_not_working",
        "M6",
        "an unknown order does not count as working",
        ((Book, "working", _not_counting(lambda order: order.status is OrderStatus.UNKNOWN)),),
        stories=("M06_a_hedge_not_visible_for_20_s.txt",),
        in_worlds=True,
    ),
    Mutant(
        "canceling_not_working",
        "rule 7",
        "an order with a cancel out does not count as working",
        ((Book, "working", _not_counting(lambda order: order.cancel_ts_ns > 0)),),
    ),
    Mutant(
        "base_fee_ignored", "D01", "a fee in the base asset does not move the position", ((Fill, "net_qty", _fee_free),)
    ),
    Mutant("late_fee_ignored", "D03", "a fee that comes later is not booked", ((apply, "_apply_repeat", _never),)),
    Mutant(
        "rounds_up",
        "D06",
        "sizes are rounded up",
        ((Instrument, "floor_qty", _rounded_up),),
        stories=("C03_a_remainder_below_the_step_is_carried.txt",),
        also=("C3",),
        in_worlds=True,
    ),
    Mutant(
        "multiplier_is_one",
        "C11",
        "contracts are taken for base units",
        ((Book, "hedge_target", _multiplier_is_one),),
        stories=("C11_contracts_are_not_base_units.txt",),
        in_worlds=True,
    ),
    Mutant(
        "no_fencing",
        "I11",
        "two engines write one journal",
        ((SqliteStore, "write", _unfenced_write),),
        stories=("A01_two_engines_on_one_journal.txt", "M05_one_hedge_for_a_message_told_three_times.txt"),
        also=("A1", "M5"),
        in_worlds=True,
    ),
    Mutant(
        "cursor_runs_ahead",
        "B16",
        "the trade cursor moves past trades that were not shown yet",
        ((Ledger, "read_trades", _cursor_runs_ahead),),
    ),
    Mutant(
        "lag_is_drift",
        "F01",
        "a position that is ahead of the trades, or behind them, is taken for drift",
        ((Witness, "judge", _lag_is_drift),),
        ("X18_a_position_that_lags_is_no_drift.txt",),
    ),
    Mutant(
        "liquidation_ignored",
        "F07",
        "what the venue itself trades is not booked",
        ((apply, "_apply_venue_trade", _never),),
        stories=("C17_the_futures_leg_is_liquidated.txt",),
        also=("C17",),
        in_worlds=True,
    ),
    Mutant(
        "foreign_is_ours",
        "F14",
        "a trade by hand is booked as ours",
        ((apply, "_apply_foreign", _foreign_is_ours),),
        stories=("G14_a_restart_with_lots_counts_them_once.txt",),
        also=("G14",),
        in_worlds=True,
    ),
    Mutant(
        "freeze_keeps_entries",
        "A8",
        "a freeze leaves resting entries standing",
        ((planner, "WITHDRAWS", frozenset()),),
        stories=("A08_freeze_flatten_halt.txt", "G21_a_halt_of_new_buys_leaves_the_sells.txt"),
        in_worlds=True,
        also=("G21",),
    ),
    Mutant(
        "halt_hedges_on",
        "A8",
        "a halt stops entries only",
        ((planner, "_halt", _halt_hedges_on),),
        stories=("A08_freeze_flatten_halt.txt",),
        in_worlds=True,
    ),
    Mutant(
        "reductions_blocked",
        "rule 8",
        "what stops entries stops hedges too",
        ((planner, "_close_shortfall", _reductions_blocked),),
    ),
    Mutant(
        "live_orders_forgotten",
        "C16",
        "a restart forgets the orders that were live",
        ((apply, "_apply_start", _live_orders_forgotten),),
        stories=(
            "C16_nothing_is_lost_over_a_restart.txt",
            "A02_killed_after_the_order_left.txt",
            "A02_killed_between_two_sends.txt",
        ),
        also=("A2",),
        in_worlds=True,
    ),
    Mutant("replay_decides_again", "rule 3", "recovery decides the past again", ((recovery, "fold", _decided_again),)),
    Mutant(
        "a_turn_skipped", "I13", "recovery loses the turn after a snapshot", ((SqliteStore, "turns", _a_turn_skipped),)
    ),
    Mutant(
        "retry_storm",
        "C10",
        "a refused order is sent again at once",
        ((apply, "_refuse", _storming),),
        stories=("C10_a_retry_storm_is_spaced.txt", "C06_a_post_only_hedge_refused_again_and_again.txt"),
        also=("C6",),
        in_worlds=True,
    ),
    Mutant("cancel_storm", "C05", "a cancel is repeated at every event", ((planner, "may_cancel", _cancel_whenever),)),
    Mutant(
        "last_fill_is_all",
        "C2",
        "what filled last is hedged, and what filled before it is forgotten",
        ((apply, "_apply_own_fill", _last_fill_is_all),),
        ("C02_both_margin_fills_are_hedged.txt",),
    ),
    Mutant(
        "remainder_dropped",
        "C3",
        "what is below the hedge's step is dropped from each fill",
        ((apply, "_apply_own_fill", _remainder_dropped),),
        ("C03_a_remainder_below_the_step_is_carried.txt",),
    ),
    Mutant(
        "no_mark_no_hedge",
        "C4",
        "a fill that comes while there is no mark price is never hedged",
        ((apply, "_apply_own_fill", _dropped_without_a_mark),),
        ("C04_no_mark_price.txt",),
    ),
    Mutant(
        "sent_is_hedged",
        "C5",
        "a hedge counts as done once it was sent, however it ends",
        ((Book, "working", _sent_is_hedged),),
        ("C05_what_is_not_filled_is_owed_again.txt",),
    ),
    Mutant(
        "any_answer_is_to_the_place",
        "C9",
        "'unknown order' to a cancel is read as the refusal of the order",
        ((apply, "_apply_rejected", _refusal_is_believed),),
        ("C09_an_answer_to_a_cancel_is_not_one_to_a_place.txt",),
    ),
    Mutant(
        "hedge_needs_every_stream",
        "C12",
        "while a stream is down, no hedge goes out",
        ((planner, "_net", _with_all_links),),
        ("C12_no_bus_between_a_fill_and_its_hedge.txt",),
    ),
    Mutant(
        "canceled_is_forgotten",
        "C15",
        "an order is forgotten when its cancel is sent",
        ((apply, "_apply_own_fill", _seen_and_dropped(lambda order, _: order.cancel_ts_ns > 0)),),
        ("C15_five_canceled_ladder_entries_report_late.txt",),
    ),
    Mutant(
        "only_the_last_hedge_is_kept",
        "C16",
        "a restart knows one hedge order where there were several",
        ((apply, "_apply_start", _only_the_last_hedge_is_kept),),
        ("C16_nothing_is_lost_over_a_restart.txt",),
    ),
    Mutant(
        "lots_in_floats",
        "M11",
        "lots are counted in binary fractions: 0.00007 is six of 0.00001",
        ((Instrument, "floor_qty", _lots_in_floats),),
        ("M11_seven_lots_are_seven_lots.txt",),
    ),
    Mutant(
        "market_zero_is_none",
        "M13",
        "a stop passes over the orders of market 0",
        ((planner, "_halt", _market_zero_is_none),),
        ("M13_a_stop_cancels_every_own_order.txt",),
    ),
    Mutant(
        "failed_read_is_an_answer",
        "C18",
        "a read that failed counts as one that showed nothing",
        ((step, "apply_event", _failed_is_answered),),
        ("C18_a_missing_balance_is_not_zero.txt", "G15_a_failed_read_of_open_orders_is_not_empty.txt"),
        also=("G15",),
    ),
    Mutant(
        "any_order_is_worth_it",
        "C11",
        "an order worth many times the usual one leaves",
        ((guard, "checks", _without_order_notional),),
        ("C11_an_order_worth_too_much_is_denied.txt",),
    ),
    Mutant(
        "forgotten_after_three",
        "M7",
        "after three refusals the hedge is forgotten",
        ((planner, "_close_shortfall", _forgotten_after_three),),
        ("M07_a_hedge_refused_for_ever_closes_both_sides.txt",),
    ),
    Mutant(
        "fills_know_better",
        "G04",
        "an exit that the venue refuses as reduce-only goes out plain, whatever the venue shows",
        ((planner, "_is_shown", _always),),
        stories=("X11_a_flatten_never_opens_the_other_side.txt",),
    ),
    Mutant(
        "drift_is_sold_too",
        "G04",
        "an exit is as large as the fills say, though a part is known to be gone",
        ((planner, "_not_there", _nothing_missing),),
        stories=("X11_a_flatten_never_opens_the_other_side.txt",),
    ),
)
