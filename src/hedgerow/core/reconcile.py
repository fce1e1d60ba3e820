"""Comparing with the venue: which reads are due, and what a position that our fills do not explain leads to.

Missed fills are booked from trades, never from a position. A difference that trades do not explain is drift: an alarm,
entries stop, exits go on.
"""

from __future__ import annotations

from decimal import Decimal

from hedgerow.core.book import Book
from hedgerow.core.commands import (
    AlarmCleared,
    AlarmRaised,
    Command,
    DriftNoted,
    ForeignNoted,
    PositionAdopted,
    Read,
)
from hedgerow.core.config import NS_PER_MS
from hedgerow.core.events import PositionRead, ReadKind
from hedgerow.core.holds import Alarm, AlarmKind
from hedgerow.model.ids import LegId, VenueOrderId
from hedgerow.model.numbers import ZERO, floor_to
from hedgerow.model.order import OrderStatus


def read_due_ns(book: Book, leg_id: LegId, kind: ReadKind) -> int:
    """Return when the read is to be asked next. Never while one is unanswered and not yet timed out."""
    timing = book.config.timing
    key = (leg_id, kind)
    asked = book.reads.get(key, 0)
    if key in book.pending_reads:
        return book.pending_reads[key] + timing.read_timeout_ms * NS_PER_MS
    if key in book.wanted_reads:
        return max(book.wanted_reads[key], asked + timing.ask_first_ms * NS_PER_MS if asked else 0)
    if key in book.failed_reads:
        return asked + timing.ask_spacing_ms_max * NS_PER_MS
    if key not in book.answers:
        return 0
    return asked + (timing.trades_read_ms if kind is ReadKind.TRADES else timing.full_read_ms) * NS_PER_MS


def next_read_ns(book: Book) -> int:
    """Return when the next read of any leg is due."""
    return min(read_due_ns(book, leg_id, kind) for leg_id in book.legs for kind in ReadKind)


def ask_whose_ns(book: Book, venue_order_id: VenueOrderId) -> int:
    """Return when the venue is to be asked next whose the order of a nameless trade is."""
    asked_ns = book.named_ts_ns.get(venue_order_id)
    return 0 if asked_ns is None else asked_ns + book.config.timing.ask_spacing_ms_max * NS_PER_MS


def due_reads(book: Book) -> list[Command]:
    """Return the reads whose time has come."""
    return [
        Read(leg_id, kind, book.ledger(leg_id).trade_cursor if kind is ReadKind.TRADES else "")
        for leg_id in book.legs
        for kind in ReadKind
        if read_due_ns(book, leg_id, kind) <= book.now_ns
    ]


def compare(book: Book, read: PositionRead) -> list[Command]:
    """Return what a position read leads to once the holdings are assigned: drift, or the end of it."""
    ledger = book.ledger(read.leg_id)
    if ledger.foreign_net_qty is None:
        return []
    drift = read.net_qty - ledger.position.net_qty - ledger.foreign_net_qty
    # Venues show positions in their own quantum; less than a step is rounding.
    if abs(drift) < book.legs[read.leg_id].instrument.step:
        drift = ZERO
    before = book.previous_positions.get(read.leg_id)
    if drift == ledger.drift_net_qty:
        return []
    if drift == 0:
        return [DriftNoted(read.leg_id, ZERO), AlarmCleared(f"{AlarmKind.DRIFT.value}/{read.leg_id}")]
    if before is None or before.net_qty != read.net_qty or not _is_settled(book, before):
        return []
    text = (
        f"venue shows {read.net_qty}, our fills add up to {ledger.position.net_qty}, "
        f"known foreign {ledger.foreign_net_qty}: {drift} is unexplained"
    )
    return [DriftNoted(read.leg_id, drift), AlarmRaised(Alarm(AlarmKind.DRIFT, read.leg_id, text))]


def _is_settled(book: Book, read: PositionRead) -> bool:
    """Whether nothing of ours is under way that the venue's position may not show yet."""
    settle_ns = book.config.timing.drift_settle_ms * NS_PER_MS
    if read.asked_ts_ns < book.ledger(read.leg_id).booked_ts_ns + settle_ns:
        return False
    unclear = (OrderStatus.UNKNOWN, OrderStatus.SETTLING, OrderStatus.SUBMITTING)
    return not any(order.status in unclear for order in book.working(read.leg_id))


def assign(book: Book) -> list[Command]:
    """Once every leg was read, decide what of the accounts' holdings is the book's and what is foreign."""
    if any(leg_id not in book.positions_read for leg_id in book.legs):
        return []
    commands: list[Command] = []
    for leg_id, leg in book.legs.items():
        ledger = book.ledger(leg_id)
        if ledger.foreign_net_qty is not None:
            continue
        read = book.positions_read[leg_id]
        beyond = read.net_qty - ledger.position.net_qty
        adopted = _adoptable(book, leg_id) if leg.adopt and ledger.fills == 0 else ZERO
        price = read.avg_price or book.mark(leg_id)
        if adopted != 0 and price is not None:
            commands.append(PositionAdopted(leg_id, adopted, price))
            beyond -= adopted
        elif adopted != 0:
            return []
        commands.append(ForeignNoted(leg_id, beyond))
        if beyond != 0:
            text = f"the account holds {beyond} beyond this book; it is shown and never traded"
            commands.append(AlarmRaised(Alarm(AlarmKind.FOREIGN_POSITION, leg_id, text)))
    return commands


def _adoptable(book: Book, leg_id: LegId) -> Decimal:
    """What a leg may take over: all of it, or in a hedge only what the other leg offsets, on the coarser step."""
    rule = book.config.hedge
    held = book.positions_read[leg_id].net_qty
    if rule is None or leg_id not in (rule.lead, rule.hedge):
        return held
    lead, hedge = book.legs[rule.lead], book.legs[rule.hedge]
    if not (lead.adopt and hedge.adopt):
        return held
    lead_held, hedge_held = book.positions_read[rule.lead].net_qty, book.positions_read[rule.hedge].net_qty
    per_lead = rule.ratio * lead.instrument.multiplier / hedge.instrument.multiplier
    if lead_held * per_lead * hedge_held <= 0:
        return ZERO
    step = max(lead.instrument.step, hedge.instrument.step / abs(per_lead))
    matched = floor_to(min(abs(lead_held), abs(hedge_held / per_lead)), step)
    if leg_id == rule.lead:
        return matched if lead_held > 0 else -matched
    return matched * abs(per_lead) if hedge_held > 0 else -matched * abs(per_lead)
