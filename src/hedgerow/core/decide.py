"""What one turn decides: questions, alarms, mode, orders, holds and reads. Looks at the book, changes nothing."""

from __future__ import annotations

import msgspec

from hedgerow.core import orders as life
from hedgerow.core import reconcile
from hedgerow.core.book import Book, age_s, is_ours, was_issued
from hedgerow.core.commands import (
    AlarmCleared,
    AlarmRaised,
    CancelOrphan,
    Command,
    FillBooked,
    FillParked,
    HoldChanged,
    HoldEnded,
    HoldStarted,
    LookUpFill,
    Mode,
    ModeChanged,
    OrderGivenUp,
    PolicyNoted,
    QueryOrder,
    SetLeverage,
)
from hedgerow.core.config import NS_PER_MS
from hedgerow.core.events import (
    BorrowRateReceived,
    Event,
    Faulted,
    FundingRateReceived,
    Heartbeat,
    LeverageAnswered,
    OpenOrdersRead,
    OrderAccepted,
    OrderReported,
    PortfolioSeen,
    PositionModeRead,
    PositionRead,
    QuoteReceived,
    ReadKind,
    TimeReached,
    TradesRead,
)
from hedgerow.core.holds import POLICY_ALARMS, Alarm, AlarmKind, Hold
from hedgerow.core.planner import flatten_target, is_flattened, plan
from hedgerow.core.target import Target
from hedgerow.model.ids import ClientOrderId, LegId, VenueOrderId, decode_order_id
from hedgerow.model.numbers import ZERO
from hedgerow.model.order import LIVE, Order

# They come all the time: numbers of a hold that only follow them are not written.
PASSING = (QuoteReceived, TimeReached, Heartbeat, FundingRateReceived, BorrowRateReceived, PortfolioSeen)


# What the venue did by itself, or what nobody can tell apart: nothing new until a person has looked.
FREEZING = (AlarmKind.VENUE_TRADE, AlarmKind.PARKED_FULL)


class Decision(msgspec.Struct, frozen=True):
    """What a turn will do, and what the book remembers of the planning until the next one (not durable)."""

    commands: tuple[Command, ...]
    target: Target | None = None
    "What the policy wants; None when nothing was planned."
    cancels_wait: bool = False
    "A cancel is wanted for an order that cannot be canceled yet."
    look_again: bool = False
    "The commands change what a plan would see: plan at once, in a turn of its own."
    is_idle: bool = False
    "All that is wanted stands, nothing is ordered or held back: only the prices that the policy names change that."


def is_old_news(book: Book, event: Event) -> bool:
    """Return whether an event that changed nothing leads to nothing: a report of what was known already."""
    return type(event) is OrderReported and not (
        book.look_again or book.raised or book.look_ups or book.parked_now or book.booked_now or not book.reads_due_ns
    )


def decide(book: Book, event: Event) -> Decision:
    """Return what this event leads to. It has been applied already."""
    state = book.state
    told: list[Command] = []
    notes: list[Command] = []
    if book.raised:
        told += [AlarmRaised(alarm) for alarm in _new_alarms(book)]
    if book.parked_now or book.booked_now:
        told += [FillParked(fill) for fill in book.parked_now]
        told += [FillBooked(fill) for fill in book.booked_now]
    if book.look_ups:
        told += [LookUpFill(fill) for fill in book.look_ups]
    aged_ns = state.residual_since_ns + state.config.limits.residual_alarm_ms * NS_PER_MS
    if book.asked or state.alarms or (state.residual_since_ns and book.now_ns >= aged_ns):
        told += _follow_up_orders(book)
        told += _alarms_of_age(book)
        notes += _proofs(book)
    if state.parked:
        told += _ask_whose(book)
    if type(event) is OpenOrdersRead and not book.is_insane:
        told += _orphans(book, event)
        notes += _rivals(book, event)
    if type(event) is TradesRead and not book.is_insane:
        notes += reconcile.witnessed(book, event)
    if type(event) in (PositionRead, LeverageAnswered) and not book.is_insane:
        notes += _pin_leverage(book, event)
    if book.given_up:
        notes += reconcile.given_up(book)
    if book.unassigned and type(event) in (PositionRead, QuoteReceived):
        notes += reconcile.assign(book)
    notes += _mode_of_its_own(book, event)
    reads = reconcile.due_reads(book) if book.now_ns >= book.reads_due_ns else []
    if notes or _changes_no_plan(book, event):
        return Decision((*told, *notes, *reads), look_again=bool(notes))
    return _plan(book, event, told, reads)


def _changes_no_plan(book: Book, event: Event) -> bool:
    """Whether planning again can be spared: an order counts the same before and after its acknowledgement.

    One that was closed until then does not, and what it contradicts is raised.
    """
    if type(event) is OrderAccepted:
        return not (book.state.holds or book.cancels_wait or book.look_again or book.raised)
    return type(event) is Faulted


def _plan(book: Book, event: Event, told: list[Command], reads: list[Command]) -> Decision:
    """Compare what should be true with what is, and order the difference."""
    if book.mode is Mode.HALTED:
        target = Target(memory=book.state.memory)
    elif book.mode is Mode.FLATTENING:
        target = flatten_target(book)
    else:
        target = book.strategy.target(book)
        if target.memory != book.state.memory:
            told.append(PolicyNoted(target.memory, target.note))
        if target.flatten_reason and (book.mode is Mode.RUNNING or not is_flattened(book)):
            alarm = AlarmRaised(Alarm(AlarmKind.FORCE_CLOSE, book.config.book_id, target.flatten_reason))
            mode = ModeChanged(Mode.FLATTENING, target.flatten_reason)
            return Decision((*told, alarm, mode, *reads), look_again=True)
    told += _policy_alarms(book, target)
    planned = plan(book, target)
    commands = (*told, *planned.commands, *_changed_holds(book, planned.holds, event), *reads)
    is_idle = (
        target.wake_prices is not None
        and not (commands or planned.is_blocked or planned.cancels_wait or planned.look_again or target.shown_legs)
        and book.mode is Mode.RUNNING
    )
    if is_idle and planned.wakes:
        prices = (*(target.wake_prices or ()), *planned.wakes.values())
        target = msgspec.structs.replace(target, wake_prices=prices)
    return Decision(commands, target, planned.cancels_wait, planned.look_again, is_idle)


def _policy_alarms(book: Book, target: Target) -> list[Command]:
    """The policy's own alarms stand as long as its target names them."""
    standing = book.state.alarms
    if not target.alarms and not standing:
        return []
    wanted = {alarm.key for alarm in target.alarms}
    commands: list[Command] = [AlarmRaised(alarm) for alarm in target.alarms if alarm.key not in standing]
    commands += [
        AlarmCleared(key) for key, alarm in standing.items() if alarm.kind in POLICY_ALARMS and key not in wanted
    ]
    return commands


def _changed_holds(book: Book, holds: dict[str, Hold], event: Event) -> list[Command]:
    """A hold is written when it starts, changes or ends; numbers that only follow the market or the clock wait."""
    commands: list[Command] = []
    passing = type(event) in PASSING
    for key, hold in holds.items():
        standing = book.state.holds.get(key)
        if standing is None:
            commands.append(HoldStarted(hold))
        elif standing.reason is not hold.reason or (
            standing.numbers != hold.numbers and not (passing and _follows(standing, hold))
        ):
            commands.append(HoldChanged(hold))
    commands += [HoldEnded(key) for key in book.state.holds if key not in holds]
    return commands


def _follows(standing: Hold, hold: Hold) -> bool:
    """Whether two holds differ in nothing but numbers; a word, e.g. `unknown`, that became a number is news."""
    if len(standing.numbers) != len(hold.numbers):
        return False
    for (name, value), (other_name, other) in zip(standing.numbers, hold.numbers, strict=True):
        if name != other_name or (value != other and not (_is_number(value) and _is_number(other))):
            return False
    return True


def _is_number(text: str) -> bool:
    return text.removeprefix("-").replace(".", "", 1).isdigit()


def _follow_up_orders(book: Book) -> list[Command]:
    """Ask for orders whose status needs a proof."""
    orders = (book.state.orders[order_id] for order_id in book.asked)
    return [QueryOrder(order.id, order.leg_id) for order in orders if 0 < order.ask_ts_ns <= book.now_ns]


def _ask_whose(book: Book) -> list[Command]:
    """Ask the venue whose the orders of nameless trades are, spaced, until it says so."""
    commands: list[Command] = []
    asked: set[VenueOrderId] = set()
    for fill in book.state.parked:
        venue_order_id = fill.venue_order_id
        if fill.order_id is not None or venue_order_id is None or venue_order_id in asked:
            continue
        leg_id = book.leg_of(fill.account_id, fill.instrument_id)
        if leg_id is not None and book.now_ns >= reconcile.ask_whose_ns(book, venue_order_id):
            asked.add(venue_order_id)
            commands.append(QueryOrder(ClientOrderId(""), leg_id, venue_order_id))
    return commands


def _proofs(book: Book) -> list[Command]:
    """Give up the unknown orders that are proven gone."""
    orders = (book.state.orders[order_id] for order_id in book.asked)
    return [
        OrderGivenUp(order.id, order.not_found, order.not_open, order.no_trades)
        for order in orders
        if life.is_proven_gone(order, book.config.timing)
    ]


def _orphans(book: Book, read: OpenOrdersRead) -> list[Command]:
    """An open order that bears our id and is in no journal of ours must not stand: nobody would hedge it."""
    commands: list[Command] = []
    for row in read.orders:
        if row.order_id is None or not is_ours(book, row.order_id):
            continue
        order = book.state.orders.get(row.order_id)
        if order is not None and (order.status in LIVE or not _is_told_late(book, order, read.asked_ts_ns)):
            continue
        if _is_of_later_run(book, row.order_id):
            continue
        issued = order is not None or was_issued(book, row.order_id)
        what = "is closed by all that was reported" if issued else "is not in the journal"
        kind = AlarmKind.CONTRADICTION if issued else AlarmKind.ORPHAN_ORDER
        alarm = Alarm(kind, read.leg_id, f"open order {row.order_id} bears our id and {what}; it is being canceled")
        if alarm.key not in book.state.alarms:
            commands.append(AlarmRaised(alarm))
        commands.append(CancelOrphan(read.leg_id, row.venue_order_id, row.order_id))
    return commands


def _is_of_later_run(book: Book, order_id: ClientOrderId) -> bool:
    key = decode_order_id(order_id)
    return key is not None and key.epoch > book.state.epoch


def _rivals(book: Book, read: OpenOrdersRead) -> list[Command]:
    """An open order of a run after this one: somebody else trades as this book, and hedges what it sent. We do not."""
    for row in read.orders:
        if row.order_id is None or not is_ours(book, row.order_id) or not _is_of_later_run(book, row.order_id):
            continue
        if book.mode is not Mode.HALTED:
            why = f"another engine trades as this book: open order {row.order_id} is of a later run; stop one of them"
            return [AlarmRaised(Alarm(AlarmKind.ORPHAN_ORDER, read.leg_id, why)), ModeChanged(Mode.HALTED, why)]
    return []


def _is_told_late(book: Book, order: Order, asked_ts_ns: int) -> bool:
    """Whether the venue still lists a closed order when no lag explains it any more."""
    return asked_ts_ns > order.closed_ts_ns + book.legs[order.leg_id].visibility_ms * NS_PER_MS


def _pin_leverage(book: Book, event: Event) -> list[Command]:
    """Have a leg traded with its leverage: set when the venue shows another, and a refusal freezes the book."""
    if isinstance(event, LeverageAnswered):
        return _unpinned(book, event.leg_id, event.refusal) if event.refusal else []
    assert isinstance(event, PositionRead), event
    wanted, shown = book.legs[event.leg_id].leverage, event.leverage
    if wanted is None or shown is None:
        return []
    key = f"{AlarmKind.LEVERAGE.value}/{event.leg_id}"
    if shown == wanted:
        return [AlarmCleared(key)] if key in book.state.alarms else []
    asked_ns = book.leverage_asked.get(event.leg_id)
    # Venues refuse a change, or move the liquidation price, while something stands or is held, by whomever.
    is_at_rest = book.net_qty(event.leg_id) == event.net_qty == 0 and not book.live[event.leg_id]
    if asked_ns is None and is_at_rest:
        return [SetLeverage(event.leg_id, wanted)]
    return _unpinned(book, event.leg_id, f"it shows {shown}") if event.asked_ts_ns > (asked_ns or 0) else []


def _unpinned(book: Book, leg_id: LegId, why: str) -> list[Command]:
    leg = book.legs[leg_id]
    text = f"leverage {leg.leverage} of {leg.instrument.id} in {leg.account_id} is not what the venue has: {why}"
    alarm = Alarm(AlarmKind.LEVERAGE, leg_id, text)
    if alarm.key in book.state.alarms:
        return []
    frozen = [ModeChanged(Mode.FROZEN, text)] if book.mode is Mode.RUNNING else []
    return [AlarmRaised(alarm), *frozen]


def _new_alarms(book: Book) -> list[Alarm]:
    unique = {alarm.key: alarm for alarm in book.raised}
    return [alarm for key, alarm in unique.items() if key not in book.state.alarms]


def _alarms_of_age(book: Book) -> list[Command]:
    """Raise and clear the alarms that say how long something has lasted."""
    state = book.state
    commands: list[Command] = []
    limits, timing = book.config.limits, book.config.timing
    aged = f"{AlarmKind.RESIDUAL_AGED.value}/{book.config.book_id}"
    if state.residual_since_ns == 0 or book.target.unhedged_reason:
        if aged in state.alarms:
            commands.append(AlarmCleared(aged))
    elif book.residual_age_ns() >= limits.residual_alarm_ms * NS_PER_MS and aged not in state.alarms:
        text = f"residual {book.residual} for more than {age_s(limits.residual_alarm_ms * NS_PER_MS)} s"
        commands.append(AlarmRaised(Alarm(AlarmKind.RESIDUAL_AGED, book.config.book_id, text)))
    for order_id in book.asked:
        order = state.orders[order_id]
        if not order.unclear_ts_ns or book.now_ns < order.unclear_ts_ns + timing.unknown_alarm_ms * NS_PER_MS:
            continue
        alarm = Alarm(
            AlarmKind.UNKNOWN_ORDER,
            order_id,
            f"{order.side.value} {order.qty} has had no proof for {age_s(timing.unknown_alarm_ms * NS_PER_MS)} s",
        )
        if alarm.key not in state.alarms:
            commands.append(AlarmRaised(alarm))
    for key, alarm in state.alarms.items():
        if alarm.kind is AlarmKind.UNKNOWN_ORDER and ClientOrderId(alarm.subject) not in book.asked:
            commands.append(AlarmCleared(key))
    return commands


def _mode_of_its_own(book: Book, event: Event) -> list[Command]:
    """The book freezes itself when the venue trades for it, and when a flatten is verified."""
    mode = book.state.mode
    if mode is Mode.RUNNING and book.raised:
        freezing = [alarm for alarm in book.raised if alarm.kind in FREEZING]
        if freezing:
            return [ModeChanged(Mode.FROZEN, freezing[0].text)]
    if type(event) is PositionModeRead and not event.agrees and mode is not Mode.HALTED:
        return [ModeChanged(Mode.HALTED, event.detail or "the account is in another position mode")]
    if mode is not Mode.FLATTENING or book.state.parked or not is_flattened(book):
        return []
    left: list[str] = []
    for leg_id in book.legs:
        ledger = book.ledger(leg_id)
        if book.answers.get((leg_id, ReadKind.POSITION), -1) <= max(ledger.booked_ts_ns, book.state.mode_ts_ns):
            return []
        beyond = book.positions_read[leg_id].share_net_qty - ledger.position.net_qty - (ledger.foreign_net_qty or ZERO)
        if abs(beyond - ledger.drift_net_qty) >= book.legs[leg_id].instrument.step:
            # The venue shows something else: it lags, or there is drift. The next reads tell.
            return []
        if ledger.position.net_qty != 0:
            left.append(f"{leg_id} {ledger.position.net_qty}")
        if ledger.drift_net_qty != 0:
            left.append(f"{leg_id} drift {ledger.drift_net_qty}")
    return [ModeChanged(Mode.FROZEN, "flat, verified" if not left else "flattened; left: " + ", ".join(left))]
