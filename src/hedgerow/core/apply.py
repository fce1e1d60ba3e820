"""How facts and decisions change a book: the only writers.

Everything durable here is a function of the durable state and the turn alone, so that a fold of the journal gives it
again; what is only seen (prices, signs of life, reads under way) is kept beside it, and a restart trusts none of it.
"""

from __future__ import annotations

from decimal import Decimal
from operator import attrgetter
from typing import assert_never

from msgspec.structs import replace

from hedgerow.core import orders as life
from hedgerow.core import reconcile
from hedgerow.core.book import (
    CLOSED_ORDERS_MAX,
    Book,
    Booked,
    Refusal,
    Signal,
    is_ours,
    is_used,
    parked_key,
    was_issued,
)
from hedgerow.core.commands import (
    AlarmCleared,
    AlarmRaised,
    CancelOrder,
    CancelOrphan,
    Command,
    DriftNoted,
    FillBooked,
    FillParked,
    ForeignNoted,
    HoldChanged,
    HoldEnded,
    HoldStarted,
    LookUpFill,
    Mode,
    ModeChanged,
    OrderGivenUp,
    PolicyNoted,
    PositionAdopted,
    QueryOrder,
    Read,
    SetLeverage,
    SubmitOrder,
)
from hedgerow.core.config import NS_PER_MS, NS_PER_S, LegConfig
from hedgerow.core.drift import Move
from hedgerow.core.events import (
    Action,
    BalancesRead,
    BookStarted,
    BorrowRateReceived,
    CancelAnswered,
    CancelOutcome,
    Event,
    Faulted,
    FillLookedUp,
    FillReceived,
    FrameQuarantined,
    FundingPaid,
    FundingRateReceived,
    Heartbeat,
    InstrumentChanged,
    InterestCharged,
    JournalFailed,
    LegAdded,
    LeverageAnswered,
    LinkDown,
    LinkUp,
    OpenOrdersRead,
    OperatorCommanded,
    OrderAccepted,
    OrderNotFound,
    OrderQueryFailed,
    OrderRejected,
    OrderReported,
    OrderUnknown,
    PortfolioSeen,
    PositionModeRead,
    PositionRead,
    PositionsListed,
    QuoteReceived,
    ReadFailed,
    ReadKind,
    RejectClass,
    SessionsRead,
    TimeReached,
    TradesRead,
)
from hedgerow.core.holds import Alarm, AlarmKind
from hedgerow.core.ledger import Ledger
from hedgerow.core.sanity import is_sane
from hedgerow.core.target import Target
from hedgerow.model.ids import ClientOrderId, LegId, TradeId, VenueOrderId, decode_order_id
from hedgerow.model.market import Quote
from hedgerow.model.numbers import ZERO
from hedgerow.model.order import (
    CLOSED,
    LIVE,
    UNPROVEN,
    Fill,
    Order,
    OrderStatus,
    OrderType,
    Role,
    TimeInForce,
)

NO_LEG = LegId("")
# A leg is known once these were read; its account's balances concern only limits that need them.
RECONCILES = (ReadKind.OPEN_ORDERS, ReadKind.TRADES, ReadKind.POSITION)
FEE_KNOWN = attrgetter("fee_known")
# One client retries within minutes; this many requests of one operator in that time is beyond any console.
REQUEST_IDS_MAX = 256
# Closed orders wait in memory for the read of trades after them; beyond so many a venue that answers none is not waited
# for, and repeats of their trades are looked up in the journal.
WAITING_ORDERS_MAX = 20_000
# A fill that fits no order waits for one; a book never has more unacknowledged orders than this on a leg.
PARKED_MAX = 10_000
# A venue trades for us rarely, and repeats it only around a reconnect.
VENUE_TRADES_MAX = 256
# A venue's own waiting time is kept, up to this: a ban of days is looked at again by then.
RETRY_AFTER_NS_MAX = 600 * 1_000_000_000
# Three refusals were the last thing that the old scripts counted before they forgot the hedge.
REFUSALS_ALARM = 3


def apply_event(book: Book, event: Event) -> bool:
    """Apply one event; return whether anything durable changed."""
    book.idle_until_ns = book.idle_due_ns = 0
    book.kept = event
    book.is_insane = not is_sane(event)
    changed = _apply_insane(book, event) if book.is_insane else _apply_event(book, event)
    if book.moved:
        _apply_residual(book)
    return changed


def _apply_insane(book: Book, event: Event) -> bool:
    """Numbers that no market has would break every sum after them: told, not taken. What is missed is read again."""
    if isinstance(event, QuoteReceived | FundingRateReceived):
        return False
    alarm = Alarm(AlarmKind.BAD_NUMBER, type(event).__name__, f"numbers that cannot be: {event}"[:300])
    book.raised.append(alarm)
    _want_reads(book, (ReadKind.TRADES,), book.now_ns + book.config.timing.ask_spacing_ms_max * NS_PER_MS)
    return alarm.key not in book.state.alarms


def _apply_event(book: Book, event: Event) -> bool:
    match event:
        case FillReceived():
            leg_id = book.leg_of(event.fill.account_id, event.fill.instrument_id)
            if leg_id is None:
                return False
            book.heard_ts_ns[leg_id] = book.now_ns
            return _apply_fill(book, leg_id, event.fill)
        case OrderAccepted():
            named = _apply_named(book, event.venue_order_id, event.order_id)
            return _apply_shown(book, event.order_id, event.venue_order_id, None) or named
        case QuoteReceived():
            apply_quote(book, event.quote)
            return False
        case TimeReached():
            return _apply_time(book)
        case OrderReported():
            return _apply_report(book, event)
        case Heartbeat():
            apply_heard(book, event.leg_id)
            return False
        case OrderRejected():
            return _apply_rejected(book, event)
        case OrderUnknown():
            return _apply_unknown(book, event.order_id)
        case OrderNotFound():
            return _apply_not_found(book, event)
        case OrderQueryFailed():
            return False
        case CancelAnswered():
            return _apply_cancel_answer(book, event)
        case TradesRead():
            return _apply_trades(book, event)
        case OpenOrdersRead():
            return _apply_open_orders(book, event)
        case PositionRead():
            _apply_answer(book, event.leg_id, ReadKind.POSITION, event.asked_ts_ns)
            _apply_position_read(book, event)
            return False
        case ReadFailed():
            book.pending_reads.pop((event.leg_id, event.kind), None)
            book.failed_reads.add((event.leg_id, event.kind))
            book.reads_due_ns = 0
            return False
        case FillLookedUp():
            return _apply_looked_up(book, event)
        case FundingRateReceived():
            book.funding_rates[event.rate.instrument_id] = event.rate
            return False
        case FundingPaid():
            return book.ledger(event.leg_id).pay_funding(event.funding_id, event.net_quote)
        case BalancesRead():
            _apply_answer(book, event.leg_id, ReadKind.BALANCES, event.asked_ts_ns)
            book.balances_read[event.leg_id] = event
            return False
        case BorrowRateReceived():
            book.borrow_rates[event.leg_id, event.rate.currency] = event.rate
            return False
        case InterestCharged():
            return _apply_interest(book, event)
        case PortfolioSeen():
            book.portfolio = book.unjournaled_portfolio = event
            return False
        case LinkDown():
            return _apply_link_down(book, event)
        case LinkUp():
            return _apply_link_up(book, event)
        case FrameQuarantined():
            _want_reads(book, (ReadKind.TRADES, ReadKind.OPEN_ORDERS), book.now_ns, event.leg_id)
            return True
        case InstrumentChanged():
            _apply_instrument(book, event)
            return True
        case SessionsRead():
            book.state.config = replace(book.config, sessions=book.config.sessions | {event.venue_id: event.sessions})
            book.config = book.state.config
            return True
        case LegAdded():
            return _apply_leg(book, event)
        case PositionsListed():
            return _apply_listed(book, event)
        case PositionModeRead():
            return _apply_position_mode(book, event)
        case LeverageAnswered():
            _want_reads(book, (ReadKind.POSITION,), book.now_ns + 1, event.leg_id)
            return True
        case OperatorCommanded():
            return _apply_operator(book, event)
        case BookStarted():
            _apply_start(book, event)
            return True
        case JournalFailed():
            book.journal_failed = True
            book.raised.append(Alarm(AlarmKind.JOURNAL, book.config.book_id, event.detail))
            return True
        case Faulted():
            return True
        case _:
            assert_never(event)


def apply_heard(book: Book, leg_id: LegId | None) -> None:
    """Remember that the venue behind a leg answered now."""
    if leg_id is not None:
        book.heard_ts_ns[leg_id] = book.now_ns


def apply_quote(book: Book, quote: Quote) -> None:
    """Remember a quote; the next turn takes it along, so that it can be decided again."""
    book.quotes[quote.instrument_id] = quote
    book.unjournaled[quote.instrument_id] = quote


def apply_commands(book: Book, commands: tuple[Command, ...]) -> None:
    """Apply what a turn decided; what the event had raised is in the commands now."""
    state = book.state
    book.raised.clear()
    book.look_ups.clear()
    book.given_up.clear()
    book.parked_now.clear()
    book.booked_now.clear()
    # Before this turn's orders work: with nothing working, what is held as too small is all that is owed.
    was_small = state.exposed_since_ns != 0 and state.config.hedge is not None and book.is_too_small()
    for command in commands:
        match command:
            case SubmitOrder():
                _apply_submit(book, command)
            case CancelOrder():
                _put(book, life.canceling(state.orders[command.order_id], book.now_ns, book.config.timing))
            case QueryOrder():
                _apply_query(book, command)
            case HoldStarted():
                state.holds[command.hold.key] = command.hold
            case HoldChanged():
                _apply_hold_end(book, command.hold.key, was_small)
                state.holds[command.hold.key] = command.hold
            case HoldEnded():
                _apply_hold_end(book, command.key, was_small)
                del state.holds[command.key]
            case AlarmRaised():
                state.alarms[command.alarm.key] = command.alarm
            case AlarmCleared():
                state.alarms.pop(command.key, None)
            case Read():
                key = (command.leg_id, command.kind)
                book.reads[key] = book.pending_reads[key] = book.now_ns
                book.wanted_reads.pop(key, None)
                book.failed_reads.discard(key)
                book.reads_due_ns = 0
            case ModeChanged():
                _set_mode(book, command.mode, command.reason)
            case SetLeverage():
                book.leverage_asked[command.leg_id] = book.now_ns
            case PolicyNoted():
                state.memory = command.memory
            case OrderGivenUp():
                _put(book, life.given_up(state.orders[command.order_id]))
            case PositionAdopted():
                leg = book.legs[command.leg_id]
                state.ledgers[command.leg_id].adopt(command.net_qty, command.price, leg)
                book.witness(command.leg_id).forget()
                book.moved = True
            case ForeignNoted():
                ledger = state.ledgers[command.leg_id]
                if ledger.foreign_net_qty is None:
                    ledger.told_apart_ts_ns = book.now_ns
                ledger.foreign_net_qty = command.net_qty
                book.witness(command.leg_id).forget()
                book.unassigned = any(ledger.foreign_net_qty is None for ledger in state.ledgers.values())
            case DriftNoted():
                state.ledgers[command.leg_id].drift_net_qty = command.net_qty
            case LookUpFill() | FillParked() | FillBooked() | CancelOrphan():
                pass
            case _:
                assert_never(command)
    if book.moved:
        _apply_residual(book)


def _apply_hold_end(book: Book, key: str, was_small: bool) -> None:
    """What was too small to be hedged can be hedged: from now on it counts as open."""
    rule = book.config.hedge
    if rule is not None and was_small and book.state.exposed_since_ns and key == f"{rule.hedge}/":
        book.state.exposed_since_ns = book.now_ns


def apply_decision(book: Book, target: Target | None, cancels_wait: bool, look_again: bool) -> None:
    """Keep what is not durable of a decision: for the timer, the views, and the next one."""
    if target is not None:
        book.target = target
        book.cancels_wait = cancels_wait
        for leg_id in target.shown_legs:
            _want_shown(book, leg_id)
    book.look_again = look_again
    if book.reads_due_ns == 0:
        book.reads_due_ns = reconcile.next_read_ns(book)


def apply_turn(book: Book) -> None:
    """Close a durable turn: logical time never goes back."""
    state = book.state
    if book.in_doubt and state.residual_since_ns:
        state.doubt_ns = book.bounded_doubt_ns(state.doubt_ns + book.now_ns - state.last_ts_ns)
    book.in_doubt = book.may_be_hedged()
    state.last_ts_ns = book.now_ns


def _apply_residual(book: Book) -> None:
    """After a position changed: since when the book is not hedged."""
    book.moved = False
    state = book.state
    if book.is_hedged:
        state.residual_since_ns = state.exposed_since_ns = state.doubt_ns = 0
    elif not state.residual_since_ns:
        state.residual_since_ns = state.exposed_since_ns = book.now_ns


def _put(book: Book, order: Order) -> None:
    """Store one order; the oldest closed ones leave memory, the journal keeps them."""
    state = book.state
    before = state.orders.get(order.id)
    if order.status in CLOSED and not order.closed_ts_ns:
        order = replace(order, closed_ts_ns=book.now_ns)
    state.orders[order.id] = order
    book.index_order(order)
    if order.status in CLOSED and (before is None or before.status in LIVE):
        state.closed.append(order.id)
        if len(state.closed) > CLOSED_ORDERS_MAX:
            _forget_oldest(book)
    elif order.status in LIVE and before is not None and before.status in CLOSED:
        state.closed.remove(order.id)


def _forget_oldest(book: Book) -> bool:
    """Let the oldest closed orders leave memory once nothing more is to come for them in the ordinary way.

    Return whether any left: a fold must forget them in the same turn.
    """
    state = book.state
    before = len(state.closed)
    while len(state.closed) > CLOSED_ORDERS_MAX:
        oldest = state.closed[0]
        if len(state.closed) <= WAITING_ORDERS_MAX and _is_awaited(book, oldest):
            break
        del state.closed[0]
        order = state.orders.pop(oldest)
        state.trades.pop(oldest, None)
        if order.venue_order_id is not None:
            book.venue_order_ids.pop((order.leg_id, order.venue_order_id), None)
    return len(state.closed) < before


def _is_awaited(book: Book, order_id: ClientOrderId) -> bool:
    """Whether the next read of trades will still show trades of a closed order, or a fee of one is to come."""
    order = book.state.orders[order_id]
    if order.filled_qty == ZERO:
        return False
    if book.state.ledgers[order.leg_id].trades_ts_ns <= order.closed_ts_ns:
        return True
    return not _all_fees_known(book, order_id)


def _all_fees_known(book: Book, order_id: ClientOrderId) -> bool:
    return all(map(FEE_KNOWN, book.state.trades.get(order_id, {}).values()))


def _set_mode(book: Book, mode: Mode, reason: str) -> None:
    book.state.mode = mode
    book.state.mode_reason = reason
    book.state.mode_ts_ns = book.now_ns
    if mode is Mode.FLATTENING:
        _want_reads(book, (ReadKind.POSITION,), book.now_ns)


def _want_reads(book: Book, kinds: tuple[ReadKind, ...], not_before_ns: int, leg_id: LegId | None = None) -> None:
    for leg in book.legs if leg_id is None else (leg_id,):
        for kind in kinds:
            book.wanted_reads.setdefault((leg, kind), not_before_ns)
    book.reads_due_ns = 0


def _want_shown(book: Book, leg_id: LegId) -> None:
    """Have the position read that must show our last fill: now, and again while the venue lags behind it."""
    key = (leg_id, ReadKind.POSITION)
    booked_ns = book.ledger(leg_id).booked_ts_ns
    if book.pending_reads.get(key, 0) > booked_ns or key in book.wanted_reads:
        return
    asked_ns = book.reads.get(key, 0)
    spacing_ns = book.config.timing.ask_spacing_ms_max * NS_PER_MS
    # Later than now: what is due at this moment has just been asked.
    not_before_ns = asked_ns + spacing_ns if asked_ns > booked_ns else book.now_ns + 1
    _want_reads(book, (ReadKind.POSITION,), not_before_ns, leg_id)


def _apply_answer(book: Book, leg_id: LegId, kind: ReadKind, asked_ts_ns: int) -> None:
    """A read came back. It reconciles only when it was asked since the start or the last reconnect."""
    apply_heard(book, leg_id)
    book.pending_reads.pop((leg_id, kind), None)
    book.failed_reads.discard((leg_id, kind))
    book.reads_due_ns = 0
    if asked_ts_ns >= book.linked_ts_ns.get(leg_id, 0):
        book.answers[(leg_id, kind)] = max(asked_ts_ns, book.answers.get((leg_id, kind), 0))
        if leg_id in book.unreconciled and all((leg_id, each) in book.answers for each in RECONCILES):
            del book.unreconciled[leg_id]


def _apply_submit(book: Book, command: SubmitOrder) -> None:
    state = book.state
    assert command.order_id not in state.orders, command
    state.order_seq += 1
    if command.role is Role.ENTRY:
        book.entry_ts_ns = [ts_ns for ts_ns in book.entry_ts_ns if ts_ns > book.now_ns - NS_PER_S]
        book.entry_ts_ns.append(book.now_ns)
    _put(
        book,
        Order(
            command.order_id,
            command.leg_id,
            command.instrument_id,
            command.side,
            command.qty,
            command.type,
            command.role,
            book.now_ns,
            command.limit_price,
            command.time_in_force,
            command.post_only,
            command.reduce_only,
            command.slot,
        ),
    )


def _apply_query(book: Book, command: QueryOrder) -> None:
    if command.venue_order_id is not None:
        book.named_ts_ns[command.venue_order_id] = book.now_ns
        return
    order = life.asked(book.state.orders[command.order_id], book.now_ns, book.config.timing)
    _put(book, order)
    if order.status is OrderStatus.OPEN and not order.cancel_ts_ns:
        return
    kinds = (ReadKind.TRADES,) if order.status is OrderStatus.SETTLING else (ReadKind.TRADES, ReadKind.OPEN_ORDERS)
    _want_reads(book, kinds, book.now_ns, order.leg_id)


def _apply_fill(book: Book, leg_id: LegId, fill: Fill) -> bool:
    """Book a fill once, park it, or note that it is foreign; return whether anything durable changed."""
    if fill.venue_made:
        return _apply_venue_trade(book, leg_id, fill)
    order_id = fill.order_id
    if order_id is None and fill.venue_order_id is not None:
        order_id = book.venue_order_ids.get((leg_id, fill.venue_order_id))
    if order_id is None:
        return _apply_nameless(book, leg_id, fill)
    order = book.state.orders.get(order_id)
    if order is not None:
        return _apply_own_fill(book, order, fill)
    if not is_ours(book, order_id):
        return _apply_foreign(book, leg_id, fill)
    if not was_issued(book, order_id):
        return _apply_unissued(book, leg_id, fill, order_id)
    # The order left memory long ago: only the journal can say whether this trade was booked then.
    if _park(book, fill):
        book.look_ups.append(fill)
        return True
    return False


def _book_fill(book: Book, leg_id: LegId, slot: str, fill: Fill) -> None:
    ledger, leg = book.state.ledgers[leg_id], book.legs[leg_id]
    net_qty = ledger.book(fill, slot, leg, book.now_ns)
    book.witness(leg_id).moved(Move(fill.venue_ts_ns, fill.trade_id, net_qty, book.now_ns))
    book.moved = True
    if book.state.mode is Mode.FLATTENING:
        # Flat is what the venue says, not what was asked for: each fill may be the last.
        _want_reads(book, (ReadKind.POSITION,), book.now_ns + book.config.timing.ask_first_ms * NS_PER_MS, leg_id)


def _apply_unissued(book: Book, leg_id: LegId, fill: Fill, order_id: ClientOrderId) -> bool:
    """A trade of an order with our tag that this journal never sent: another journal's life. Shown, never booked."""
    text = f"trade {fill.trade_id} is of order {order_id}, which bears our id and is not in the journal"
    alarm = Alarm(AlarmKind.ORPHAN_ORDER, leg_id, text)
    book.raised.append(alarm)
    return alarm.key not in book.state.alarms


def _park(book: Book, fill: Fill) -> bool:
    """Keep a fill until it is known whose it is; return whether it is new here."""
    key = parked_key(fill)
    if key in book.parked_keys:
        return False
    if len(book.state.parked) >= PARKED_MAX:
        # The cursor stays where it is, so that a later read brings it again: nothing is lost.
        alarm = Alarm(AlarmKind.PARKED_FULL, fill.instrument_id, f"more than {PARKED_MAX} trades without an owner")
        book.raised.append(alarm)
        return alarm.key not in book.state.alarms
    book.state.parked.append(fill)
    book.parked_keys.add(key)
    book.parked_now.append(fill)
    return True


def _unpark(book: Book, fills: list[Fill]) -> None:
    gone = {parked_key(fill) for fill in fills}
    book.state.parked = [fill for fill in book.state.parked if parked_key(fill) not in gone]
    book.parked_keys -= gone


def _apply_nameless(book: Book, leg_id: LegId, fill: Fill) -> bool:
    """A trade record without our id, of an order that we do not know by the venue's: the venue is asked whose it is."""
    if fill.venue_order_id is not None:
        return _park(book, fill)
    return _apply_foreign(book, leg_id, fill)


def _apply_named(
    book: Book,
    venue_order_id: VenueOrderId | None,
    order_id: ClientOrderId,
    leg_id: LegId = NO_LEG,
    *,
    venue_made: bool = False,
) -> bool:
    """The venue says whose an order is: the parked trades of it find their owner. Two venues may use one number."""
    if venue_order_id is None or not book.state.parked:
        return False
    order = book.state.orders.get(order_id)
    whose = leg_id if order is None else order.leg_id
    named = [
        fill
        for fill in book.state.parked
        if fill.order_id is None
        and fill.venue_order_id == venue_order_id
        and book.leg_of(fill.account_id, fill.instrument_id) == whose
    ]
    if not named:
        return False
    _unpark(book, named)
    book.named_ts_ns.pop(venue_order_id, None)
    book.look_again = True
    for fill in named:
        owned = replace(fill, order_id=order_id, venue_made=venue_made)
        if _apply_fill(book, whose, owned) and parked_key(owned) not in book.parked_keys:
            book.booked_now.append(owned)
    return True


def _apply_foreign(book: Book, leg_id: LegId, fill: Fill) -> bool:
    """Somebody else's trade on this account: shown and left alone. The position read will tell whether it is drift."""
    if fill.order_id is not None and decode_order_id(fill.order_id) is not None:
        return False
    alarm = Alarm(AlarmKind.FOREIGN_FILL, leg_id, f"a trade that is not ours: {fill.side.value} {fill.qty}")
    book.raised.append(alarm)
    _want_reads(book, (ReadKind.POSITION,), book.now_ns, leg_id)
    return alarm.key not in book.state.alarms


def _apply_venue_trade(book: Book, leg_id: LegId, fill: Fill) -> bool:
    """Liquidation, deleveraging, settlement: the venue's fills are fills.

    Of a shared position nobody can say whose it was: it is told, and stands as drift until an operator decides. What
    the venue traded before the book knew what is its own is in the first position read already.
    """
    if book.legs[leg_id].shared:
        text = f"the venue itself traded {fill.side.value} {fill.qty} at {fill.price} of a shared position; not booked"
        alarm = Alarm(AlarmKind.VENUE_TRADE, leg_id, text)
        book.raised.append(alarm)
        _want_reads(book, (ReadKind.POSITION,), book.now_ns, leg_id)
        return alarm.key not in book.state.alarms
    name = ClientOrderId(f"venue/{leg_id}")
    booked = book.state.trades.setdefault(name, {})
    if fill.trade_id in booked:
        return False
    booked[fill.trade_id] = Booked(fill.qty)
    if len(booked) > VENUE_TRADES_MAX:
        del booked[next(iter(booked))]
    ledger = book.ledger(leg_id)
    if ledger.foreign_net_qty is None or _is_past(book, ledger, fill):
        return True
    _book_fill(book, leg_id, "", fill)
    text = f"the venue itself traded {fill.side.value} {fill.qty} at {fill.price}"
    book.raised.append(Alarm(AlarmKind.VENUE_TRADE, leg_id, text))
    return True


def _is_past(book: Book, ledger: Ledger, fill: Fill) -> bool:
    """Whether a first read of trades shows what the position, told apart before it, has in it already."""
    if ledger.trade_cursor or ledger.young_cursors or not isinstance(book.kept, TradesRead):
        return False
    return not ledger.told_apart_ts_ns or fill.venue_ts_ns <= ledger.told_apart_ts_ns


def _apply_own_fill(book: Book, order: Order, fill: Fill) -> bool:
    if fill.side is not order.side or fill.instrument_id != order.instrument_id:
        text = f"trade {fill.trade_id} of {order.id} is told as {fill.side.value} {fill.instrument_id}; not booked"
        alarm = Alarm(AlarmKind.CONTRADICTION, order.leg_id, text)
        book.raised.append(alarm)
        return alarm.key not in book.state.alarms
    booked = book.state.trades.setdefault(order.id, {})
    known = booked.get(fill.trade_id)
    if known is not None:
        return _apply_repeat(book, order, fill, known)
    booked[fill.trade_id] = Booked(fill.qty, fill.fee is not None)
    _book_fill(book, order.leg_id, order.slot, fill)
    if order.status in CLOSED:
        text = f"trade {fill.trade_id} of {fill.qty} came after {order.id} was {order.status.value}"
        book.raised.append(Alarm(AlarmKind.LATE_FILL, order.leg_id, text))
    if fill.fee is None:
        text = f"trade {fill.trade_id} of {order.id} came without its fee"
        book.raised.append(Alarm(AlarmKind.FEE_UNKNOWN, order.leg_id, text))
    learned = fill.venue_order_id is not None and order.venue_order_id is None
    if learned:
        order = replace(order, venue_order_id=fill.venue_order_id)
    order = life.filled(order, fill.qty)
    if order.filled_qty > order.qty:
        text = f"{order.id} filled {order.filled_qty} of {order.qty}; all of it is booked"
        book.raised.append(Alarm(AlarmKind.OVERFILL, order.leg_id, text))
    _put(book, order)
    if book.state.refusals:
        book.state.refusals.pop(f"{order.leg_id}/{order.slot}", None)
    if learned:
        _apply_named(book, fill.venue_order_id, order.id)
    return True


def _apply_repeat(book: Book, order: Order, fill: Fill, known: Booked) -> bool:
    """Venues repeat fills after a reconnect, so the id decides, not the time. A late fee is still news."""
    if known.qty != fill.qty:
        text = f"trade {fill.trade_id} of {order.id} was {known.qty} and is {fill.qty} now; kept as it was"
        alarm = Alarm(AlarmKind.TRADE_ID_REUSED, order.leg_id, text)
        book.raised.append(alarm)
        return alarm.key not in book.state.alarms
    if known.fee_known or fill.fee is None:
        return False
    book.state.trades[order.id][fill.trade_id] = Booked(fill.qty)
    if all(_all_fees_known(book, each.id) for each in book.state.orders.values() if each.leg_id == order.leg_id):
        book.state.alarms.pop(f"{AlarmKind.FEE_UNKNOWN.value}/{order.leg_id}", None)
    leg = book.legs[order.leg_id]
    book.ledger(order.leg_id).correct_fee(fill, order.slot, leg)
    if fill.fee_currency == leg.instrument.base:
        book.witness(order.leg_id).moved(Move(fill.venue_ts_ns, fill.trade_id, -fill.fee, book.now_ns))
    book.moved = True
    return True


def _apply_looked_up(book: Book, event: FillLookedUp) -> bool:
    if parked_key(event.fill) not in book.parked_keys:
        return False
    _unpark(book, [event.fill])
    if event.booked:
        return True
    leg_id = book.leg_of(event.fill.account_id, event.fill.instrument_id)
    assert leg_id is not None, event.fill
    _book_fill(book, leg_id, "", event.fill)
    book.booked_now.append(event.fill)
    text = f"trade {event.fill.trade_id} of {event.fill.qty} came long after its order {event.fill.order_id} closed"
    book.raised.append(Alarm(AlarmKind.LATE_FILL, leg_id, text))
    return True


def _apply_shown(
    book: Book, order_id: ClientOrderId, venue_order_id: VenueOrderId | None, cum_qty: Decimal | None
) -> bool:
    """The venue has shown the order as working."""
    order = book.state.orders.get(order_id)
    if order is None:
        return False
    apply_heard(book, order.leg_id)
    refused = order.status in (OrderStatus.REJECTED, OrderStatus.CANCELED)
    after = life.shown(order, venue_order_id, cum_qty)
    if after is order:
        return False
    if refused and after.status is OrderStatus.OPEN:
        text = f"{order_id} was {order.status.value} and is working all the same"
        book.raised.append(Alarm(AlarmKind.CONTRADICTION, order.leg_id, text))
    if after.venue_cum_qty > after.filled_qty:
        # Usually the trade is only a moment behind the report.
        wait_ns = book.config.timing.ask_first_ms * NS_PER_MS
        _want_reads(book, (ReadKind.TRADES,), book.now_ns + wait_ns, order.leg_id)
    if after == order:
        return False
    _put(book, after)
    return True


def _apply_report(book: Book, event: OrderReported) -> bool:
    named = _apply_named(book, event.venue_order_id, event.order_id, event.leg_id, venue_made=event.venue_made)
    return _apply_status(book, event) or named


def _apply_status(book: Book, event: OrderReported) -> bool:
    order = book.state.orders.get(event.order_id)
    if order is None:
        return False
    if event.status not in CLOSED:
        return _apply_shown(book, event.order_id, event.venue_order_id, event.cum_qty)
    apply_heard(book, order.leg_id)
    if event.venue_order_id is not None and order.venue_order_id is None:
        order = replace(order, venue_order_id=event.venue_order_id)
    after = life.ended(order, event.status, event.cum_qty, book.now_ns, book.config.timing)
    changed = after != book.state.orders[event.order_id]
    if changed:
        _put(book, after)
    if order.status is OrderStatus.REJECTED and after.status is not OrderStatus.REJECTED:
        text = f"{order.id} was refused and has traded {event.cum_qty} all the same"
        book.raised.append(Alarm(AlarmKind.CONTRADICTION, order.leg_id, text))
    if after.status is OrderStatus.SETTLING:
        _want_reads(book, (ReadKind.TRADES,), book.now_ns, order.leg_id)
    if changed and order.status in LIVE and after.status in CLOSED:
        _apply_end(book, after, event)
    return changed


def _apply_end(book: Book, order: Order, event: OrderReported) -> None:
    """An order that ended without a trade was refused in effect; one that rested until we canceled it was not."""
    key = f"{order.leg_id}/{order.slot}"
    if order.cancel_ts_ns:
        book.state.refusals.pop(key, None)
    elif order.filled_qty == 0:
        passed = order.post_only
        waits = order.type is OrderType.LIMIT and order.time_in_force in (TimeInForce.GTC, TimeInForce.DAY)
        reject_class = RejectClass.POST_ONLY if passed else RejectClass.OTHER if waits else RejectClass.NO_LIQUIDITY
        _refuse(book, order, reject_class, event.code, event.reason or event.status.value, 0)


def _apply_rejected(book: Book, event: OrderRejected) -> bool:
    order = book.state.orders.get(event.order_id)
    if order is None:
        return False
    if event.reject_class is not RejectClass.NOT_SENT:
        apply_heard(book, order.leg_id)
    if order.status in CLOSED:
        return False
    if order.status not in UNPROVEN or order.venue_order_id is not None or order.filled_qty > 0:
        # It exists, whatever this answer says: believe what was shown, and ask.
        text = f"{order.id} is {order.status.value} and was refused: {event.code} {event.text}"
        book.raised.append(Alarm(AlarmKind.CONTRADICTION, order.leg_id, text))
        _put(book, life.unclear(order, book.now_ns, book.now_ns))
        return True
    _put(book, life.clear(order.moved(OrderStatus.REJECTED)))
    _refuse(book, order, event.reject_class, event.code, event.text, event.retry_after_ns)
    return True


def _refuse(book: Book, order: Order, reject_class: RejectClass, code: str, text: str, retry_after_ns: int) -> None:
    """Space the next try: doubled with each refusal in a row, never sooner than the venue's own waiting time."""
    timing = book.config.timing
    key = f"{order.leg_id}/{order.slot}"
    before = book.state.refusals.get(key)
    in_a_row = before is not None and before.side is order.side
    tries = before.tries + 1 if before is not None and in_a_row else 1
    since = before.since_ts_ns if before is not None and in_a_row else book.now_ns
    spacing_ns = life.spacing_ns(timing.retry_first_ms, timing.retry_spacing_ms_max, tries - 1)
    wait_ns = max(spacing_ns, min(retry_after_ns, RETRY_AFTER_NS_MAX))
    if reject_class is RejectClass.INSUFFICIENT_MARGIN:
        _want_reads(book, (ReadKind.BALANCES,), book.now_ns, order.leg_id)
    if reject_class is RejectClass.REDUCE_ONLY:
        # It lags, or something is gone: what it shows decides how the next one goes out.
        _want_reads(book, (ReadKind.POSITION,), book.now_ns, order.leg_id)
    book.state.refusals[key] = Refusal(order.side, reject_class, code, text, tries, since, book.now_ns + wait_ns)
    # An entry that cannot be made costs nothing: its hold says why, and nobody need be woken.
    if tries == REFUSALS_ALARM and order.role is not Role.ENTRY:
        text = f"{tries} refusals in a row: {reject_class.value} {code} {text}"
        book.raised.append(Alarm(AlarmKind.HEDGE_REFUSED, key, text))


def _apply_unknown(book: Book, order_id: ClientOrderId) -> bool:
    order = book.state.orders.get(order_id)
    if order is None or order.status not in UNPROVEN:
        return False
    after = life.unknown(order, book.now_ns, book.config.timing)
    if after == order:
        return False
    _put(book, after)
    return True


def _apply_time(book: Book) -> bool:
    """Silence: a submit or a cancel without an answer for too long is unknown."""
    timeout_ns = book.config.timing.ack_timeout_ms * NS_PER_MS
    overdue = [
        order
        for order in (book.state.orders[order_id] for order_id in book.unclear)
        if order.status is OrderStatus.SUBMITTING and book.now_ns >= order.submitted_ts_ns + timeout_ns
    ]
    for order in overdue:
        _put(book, replace(life.unknown(order, book.now_ns, book.config.timing), ask_ts_ns=book.now_ns))
    return bool(overdue)


def _apply_not_found(book: Book, event: OrderNotFound) -> bool:
    """'No such order' is evidence only once it can neither be hidden by a lag nor still be taken."""
    order = book.state.orders.get(event.order_id)
    if order is None or order.status in CLOSED:
        return False
    apply_heard(book, order.leg_id)
    if event.asked_ts_ns < _evidence_from_ns(book, order) or not order.unclear_ts_ns:
        return False
    if order.status is OrderStatus.OPEN:
        order = order.moved(OrderStatus.UNKNOWN)
    _put(book, replace(order, not_found=order.not_found + 1))
    return True


def _apply_cancel_answer(book: Book, event: CancelAnswered) -> bool:
    order = book.state.orders.get(event.order_id)
    if order is None or order.status in CLOSED:
        return False
    if event.outcome is not CancelOutcome.UNKNOWN:
        apply_heard(book, order.leg_id)
    now_ns, timing = book.now_ns, book.config.timing
    wait_ns = timing.ask_first_ms * NS_PER_MS if event.outcome is CancelOutcome.ACCEPTED else 0
    # Gone is not unfilled: trades and a query decide, never this answer.
    # Only a refusal makes room for another cancel at once; else the order must first be shown as working again.
    pending = event.outcome is not CancelOutcome.REFUSED
    after = life.unclear(replace(order, cancel_pending=pending, ask_ts_ns=0), now_ns, now_ns + wait_ns)
    _put(book, after)
    return True


def _apply_trades(book: Book, event: TradesRead) -> bool:
    _apply_answer(book, event.leg_id, ReadKind.TRADES, event.asked_ts_ns)
    news = tuple([fill for fill in event.fills if _apply_read_fill(book, fill)])
    changed = bool(news)
    if len(news) < len(event.fills):
        # What was booked before need not be in the journal again: a fold without it gives the same.
        book.kept = replace(event, fills=news)
    full = len(book.state.parked) >= PARKED_MAX
    if event.cursor and not full:
        changed |= _apply_cursor(book, event)
    _judge_positions(book, event)
    for order_id in list(book.unclear):
        order = book.state.orders[order_id]
        if order.leg_id == event.leg_id and _counts(book, order, event.asked_ts_ns):
            _put(book, replace(order, no_trades=order.no_trades + 1))
            changed = True
    return changed


def _judge_positions(book: Book, event: TradesRead) -> None:
    """Once all trades of its time are in, a position that the venue showed says what our fills do not explain."""
    ledger, leg, witness = book.ledger(event.leg_id), book.legs[event.leg_id], book.witness(event.leg_id)
    if ledger.foreign_net_qty is None or book.state.parked:
        witness.forget()
        return
    explained = ledger.position.net_qty + ledger.foreign_net_qty
    witness.judge(event.asked_ts_ns, explained, leg.visibility_ms * NS_PER_MS, leg.instrument.step)


def _apply_cursor(book: Book, event: TradesRead) -> bool:
    """Let the next reads start later, as far as nothing before can still become visible."""
    ledger = book.ledger(event.leg_id)
    # Before the first order of a journal there is no trade of ours to miss, only an account's long past to read again.
    is_past = not ledger.trade_cursor and book.state.order_seq == 0 and book.state.epoch == book.state.first_epoch
    lag_ns = 0 if is_past else book.legs[event.leg_id].visibility_ms * NS_PER_MS
    changed = ledger.read_trades(event.asked_ts_ns, event.cursor, lag_ns)
    if len(book.state.closed) > CLOSED_ORDERS_MAX:
        if not ledger.young_cursors and event.asked_ts_ns - lag_ns > ledger.trades_ts_ns:
            # Nothing new was shown for so long: what is closed since then has shown all its trades.
            ledger.trades_ts_ns = event.asked_ts_ns - lag_ns
            changed = True
        changed |= _forget_oldest(book)
    return changed


def _apply_read_fill(book: Book, fill: Fill) -> bool:
    """A read may bring trades of the account that no leg of this book made."""
    leg_id = book.leg_of(fill.account_id, fill.instrument_id)
    return leg_id is not None and _apply_fill(book, leg_id, fill)


def _apply_open_orders(book: Book, event: OpenOrdersRead) -> bool:
    """What is listed is there. What is not listed is asked for: 'not there' is never read as dead."""
    _apply_answer(book, event.leg_id, ReadKind.OPEN_ORDERS, event.asked_ts_ns)
    changed = False
    listed: set[ClientOrderId] = set()
    for row in event.orders:
        order_id = row.order_id or book.venue_order_ids.get((event.leg_id, row.venue_order_id))
        if order_id is None:
            continue
        listed.add(order_id)
        changed |= _apply_named(book, row.venue_order_id, order_id, event.leg_id)
        changed |= _apply_shown(book, order_id, row.venue_order_id, row.cum_qty)
    for order in list(book.live[event.leg_id].values()):
        if order.id in listed:
            continue
        if _counts(book, order, event.asked_ts_ns):
            _put(book, replace(order, not_open=order.not_open + 1))
            changed = True
        elif order.status is OrderStatus.OPEN and not order.unclear_ts_ns:
            _put(book, life.unclear(order, book.now_ns, book.now_ns))
            changed = True
    return changed


def _counts(book: Book, order: Order, asked_ts_ns: int) -> bool:
    """Whether a read without this order is evidence that it is gone."""
    if order.status is not OrderStatus.UNKNOWN or not order.unclear_ts_ns:
        return False
    return asked_ts_ns >= _evidence_from_ns(book, order)


def _evidence_from_ns(book: Book, order: Order) -> int:
    """Return from when on a read without the order is evidence.

    How long ago an earlier run sent it, nobody can tell who cannot trust the clock of that run: it may have left just
    before this one began, and no later.
    """
    leg, started_ns = book.legs[order.leg_id], book.state.started_ts_ns
    from_ns = life.evidence_from_ns(order, leg)
    if order.submitted_ts_ns > started_ns:
        return from_ns
    return max(from_ns, started_ns + (leg.lease_ms + leg.visibility_ms) * NS_PER_MS)


def _apply_position_read(book: Book, event: PositionRead) -> None:
    book.positions_read[event.leg_id] = event
    if event.leverage is not None and book.legs[event.leg_id].leverage is not None:
        if event.leverage == book.legs[event.leg_id].leverage:
            book.unpinned.pop(event.leg_id, None)
        else:
            book.unpinned[event.leg_id] = None
    ledger = book.ledger(event.leg_id)
    if ledger.foreign_net_qty is None:
        return
    if event.others_settled:
        book.witness(event.leg_id).shown(event, book.now_ns)
    if event.share_net_qty - ledger.position.net_qty - ledger.foreign_net_qty != ledger.drift_net_qty:
        spacing_ns = book.config.timing.ask_spacing_ms_max * NS_PER_MS
        _want_reads(book, (ReadKind.POSITION, ReadKind.TRADES), book.now_ns + spacing_ns, event.leg_id)


def _apply_interest(book: Book, event: InterestCharged) -> bool:
    """Interest grows the loan: in the base asset it is owed like a sale that brought nothing."""
    ledger, leg = book.ledger(event.leg_id), book.legs[event.leg_id]
    if not ledger.charge_interest(event.interest_id, event.currency, event.amount, leg):
        return False
    if event.currency == leg.instrument.base:
        move = Move(event.ts_ns, TradeId(event.interest_id), -event.amount, book.now_ns)
        book.witness(event.leg_id).moved(move)
        book.moved = True
    return True


def _apply_link_down(book: Book, event: LinkDown) -> bool:
    book.state.links_down[event.leg_id] = event.detail or "down"
    book.raised.append(Alarm(AlarmKind.LINK_DOWN, event.leg_id, event.detail or "the private stream is lost"))
    return True


def _apply_link_up(book: Book, event: LinkUp) -> bool:
    """A stream counts as live only once what it missed was read."""
    book.state.links_down.pop(event.leg_id, None)
    book.state.alarms.pop(f"{AlarmKind.LINK_DOWN.value}/{event.leg_id}", None)
    # What was refused for want of a link waits no longer.
    for key, refusal in list(book.state.refusals.items()):
        if refusal.reject_class is RejectClass.NOT_SENT and key.startswith(f"{event.leg_id}/"):
            del book.state.refusals[key]
    book.linked_ts_ns[event.leg_id] = book.now_ns
    book.unreconciled[event.leg_id] = None
    book.reads_due_ns = 0
    for kind in ReadKind:
        book.answers.pop((event.leg_id, kind), None)
        book.pending_reads.pop((event.leg_id, kind), None)
        book.wanted_reads[(event.leg_id, kind)] = book.now_ns
    return True


def _apply_instrument(book: Book, event: InstrumentChanged) -> None:
    legs = tuple(
        replace(leg, instrument=event.instrument) if leg.instrument.id == event.instrument.id else leg
        for leg in book.config.legs
    )
    book.state.config = replace(book.config, legs=legs)
    book.index()
    book.moved = True


def _apply_leg(book: Book, event: LegAdded) -> bool:
    """A new leg is read like any other: its orders, trades and position, and then it is told whose they are."""
    leg = event.leg
    if leg.id in book.legs or book.leg_of(leg.account_id, leg.instrument.id) is not None:
        return False
    book.state.config = replace(book.config, legs=(*book.config.legs, leg))
    book.state.ledgers.setdefault(leg.id, Ledger(leg.id)).tell_apart_anew()
    book.index()
    book.heard_ts_ns[leg.id] = book.linked_ts_ns[leg.id] = book.now_ns
    book.unreconciled[leg.id] = None
    book.reads_due_ns = 0
    return True


def _apply_listed(book: Book, event: PositionsListed) -> bool:
    unlisted = book.state.unlisted
    if unlisted.get(event.account_id, "") == event.problem:
        return False
    if event.problem:
        unlisted[event.account_id] = event.problem
    else:
        del unlisted[event.account_id]
    return True


def _apply_position_mode(book: Book, event: PositionModeRead) -> bool:
    alarm = Alarm(AlarmKind.POSITION_MODE, event.leg_id, event.detail or "the account's position mode is another one")
    if event.agrees:
        return book.state.alarms.pop(alarm.key, None) is not None
    book.raised.append(alarm)
    return alarm.key not in book.state.alarms


def _apply_operator(book: Book, event: OperatorCommanded) -> bool:
    state = book.state
    if event.request_id:
        request = f"{event.request_id} {event.action.value}"
        if request in state.request_ids:
            return False
        state.request_ids.append(request)
        del state.request_ids[:-REQUEST_IDS_MAX]
    by = f"{event.action.value} by {event.principal or 'operator'}"
    match event.action:
        case Action.FREEZE:
            _set_mode(book, Mode.FROZEN, by)
        case Action.FLATTEN:
            _set_mode(book, Mode.FLATTENING, by)
        case Action.HALT:
            _set_mode(book, Mode.HALTED, by)
        case Action.RESUME:
            _apply_resume(book, event, by)
        case Action.SIGNAL:
            state.signal = Signal(min(event.made_ts_ns or event.ts_ns, event.ts_ns), event.detail)
        case _:
            assert_never(event.action)
    return True


def _apply_resume(book: Book, event: OperatorCommanded, by: str) -> None:
    """Lift a freeze or a halt. The alarms were seen; those whose cause lasts come back by themselves."""
    state = book.state
    _set_mode(book, Mode.RUNNING, by)
    book.leverage_asked.clear()
    for leg_id in book.unpinned:
        _want_reads(book, (ReadKind.POSITION,), book.now_ns + 1, leg_id)
    lasting = (AlarmKind.DRIFT, AlarmKind.POSITION_MODE, AlarmKind.LINK_DOWN)
    state.alarms = {key: alarm for key, alarm in state.alarms.items() if alarm.kind in lasting}
    if not event.accept_drift:
        return
    for ledger in state.ledgers.values():
        if ledger.drift_net_qty != 0:
            held, drift = ledger.position.net_qty, ledger.drift_net_qty
            # Of a shared position nobody knows from which book it was taken.
            if held * drift < ZERO and not book.legs[ledger.leg_id].shared:
                book.given_up[ledger.leg_id] = drift if abs(drift) <= abs(held) else -held
            ledger.foreign_net_qty = (ledger.foreign_net_qty or ZERO) + drift
            book.witness(ledger.leg_id).forget()
            ledger.drift_net_qty = ZERO
            state.alarms.pop(f"{AlarmKind.DRIFT.value}/{ledger.leg_id}", None)


def _apply_start(book: Book, event: BookStarted) -> None:
    """Begin a run: nothing that was only seen is trusted, and every order that may live is to be proven."""
    state = book.state
    assert event.epoch > state.epoch, (event.epoch, state.epoch)
    state.first_epoch = state.first_epoch or event.epoch
    state.runs += 1
    given = {(leg.account_id, leg.instrument.id): leg for leg in event.config.legs}
    before = state.config.legs
    found = [leg for leg in before if leg.found]
    for leg in found:
        judged = given.get((leg.account_id, leg.instrument.id))
        if judged is not None and leg.adopt and not judged.adopt:
            state.ledgers[leg.id].release()
    kept = [leg for leg in found if (leg.account_id, leg.instrument.id) not in given and is_used(book, leg)]
    state.config = replace(event.config, legs=(*event.config.legs, *kept)) if kept else event.config
    state.unlisted = {}
    _leave_places(book, before)
    state.epoch = event.epoch
    state.started_ts_ns = book.now_ns
    state.order_seq = 0
    state.links_down = {}
    state.alarms = {key: alarm for key, alarm in state.alarms.items() if alarm.kind is not AlarmKind.LINK_DOWN}
    for leg in state.config.legs:
        state.ledgers.setdefault(leg.id, Ledger(leg.id))
    for ledger in state.ledgers.values():
        # How long ago an earlier run read them, nobody can tell who cannot trust its clock: just now, at the latest.
        ledger.young_cursors = [(max(asked_ts_ns, book.now_ns), cursor) for asked_ts_ns, cursor in ledger.young_cursors]
    if event.halted:
        _set_mode(book, Mode.HALTED, "the last run ended by an internal error")
    book.index()
    book.quotes.clear()
    book.unjournaled.clear()
    book.funding_rates.clear()
    book.borrow_rates.clear()
    book.balances_read.clear()
    book.portfolio = book.unjournaled_portfolio = None
    book.heard_ts_ns = dict.fromkeys(book.legs, book.now_ns)
    book.linked_ts_ns = dict.fromkeys(book.legs, book.now_ns)
    book.unreconciled = dict.fromkeys(book.legs)
    book.unpinned = {leg.id: None for leg in event.config.legs if leg.leverage is not None}
    book.leverage_asked.clear()
    book.reads_due_ns = 0
    for seen in (book.reads, book.pending_reads, book.answers, book.wanted_reads):
        seen.clear()
    book.failed_reads.clear()
    book.positions_read.clear()
    book.witnesses.clear()
    book.entry_ts_ns.clear()
    book.named_ts_ns.clear()
    book.journal_failed = False
    book.moved = True
    book.in_doubt = False
    state.exposed_since_ns = book.now_ns if state.residual_since_ns else 0
    state.doubt_ns = 0
    for orders in list(book.live.values()):
        for order in list(orders.values()):
            order = replace(order, cancel_pending=False)
            if order.status is OrderStatus.SUBMITTING:
                order = order.moved(OrderStatus.UNKNOWN)
            _put(book, life.unclear(order, book.now_ns, book.now_ns))
    book.look_ups += [fill for fill in state.parked if fill.order_id is not None and is_ours(book, fill.order_id)]


def _leave_places(book: Book, before: tuple[LegConfig, ...]) -> None:
    """Forget what concerns the places that legs no longer trade in: they are flat, and the journal keeps it."""
    state = book.state
    places = {leg.id: (leg.account_id, leg.instrument.id) for leg in state.config.legs}
    left = [leg.id for leg in before if places.get(leg.id) != (leg.account_id, leg.instrument.id)]
    known = {leg.id for leg in before}
    for leg_id, ledger in state.ledgers.items():
        if leg_id not in places:
            ledger.leave()
        elif leg_id in left or leg_id not in known:
            ledger.come_anew()
    gone = [order_id for order_id in state.closed if state.orders[order_id].leg_id in left]
    for order_id in gone:
        del state.orders[order_id]
        state.trades.pop(order_id, None)
    state.closed = [order_id for order_id in state.closed if order_id in state.orders]
    for leg_id in left:
        state.trades.pop(ClientOrderId(f"venue/{leg_id}"), None)
    state.refusals = {key: each for key, each in state.refusals.items() if key.partition("/")[0] not in left}
    state.alarms = {key: each for key, each in state.alarms.items() if each.subject.partition("/")[0] not in left}
