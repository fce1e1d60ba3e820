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
from hedgerow.core.config import NS_PER_MS, LegConfig
from hedgerow.core.events import PositionRead, ReadKind, TradesRead
from hedgerow.core.holds import Alarm, AlarmKind
from hedgerow.model.ids import LegId, VenueOrderId
from hedgerow.model.numbers import ZERO, floor_to
from hedgerow.model.order import OrderStatus

# The stdlib's enums are slow to go through, and this is asked in every second turn.
READ_KINDS = tuple(ReadKind)


def _read_due_ns(book: Book, key: tuple[LegId, ReadKind]) -> int:
    """Return when the read is to be asked next. Never while one is unanswered and not yet timed out."""
    timing = book.config.timing
    pending_ns = book.pending_reads.get(key)
    if pending_ns is not None:
        return pending_ns + timing.read_timeout_ms * NS_PER_MS
    asked = book.reads.get(key, 0)
    wanted_ns = book.wanted_reads.get(key)
    if wanted_ns is not None:
        return max(wanted_ns, asked + timing.ask_first_ms * NS_PER_MS if asked else 0)
    if key in book.failed_reads:
        return asked + timing.ask_spacing_ms_max * NS_PER_MS
    if key not in book.answers:
        return 0
    return asked + (timing.trades_read_ms if key[1] is ReadKind.TRADES else timing.full_read_ms) * NS_PER_MS


def next_read_ns(book: Book) -> int:
    """Return when the next read of any leg is due; a book without any leg yet looks again as often as it reads."""
    due = [_read_due_ns(book, (leg_id, kind)) for leg_id in book.legs for kind in READ_KINDS]
    return min(due, default=book.now_ns + book.config.timing.full_read_ms * NS_PER_MS)


def ask_whose_ns(book: Book, venue_order_id: VenueOrderId) -> int:
    """Return when the venue is to be asked next whose the order of a nameless trade is."""
    asked_ns = book.named_ts_ns.get(venue_order_id)
    return 0 if asked_ns is None else asked_ns + book.config.timing.ask_spacing_ms_max * NS_PER_MS


def due_reads(book: Book) -> list[Command]:
    """Return the reads whose time has come."""
    return [
        Read(leg_id, kind, book.ledger(leg_id).trade_cursor if kind is ReadKind.TRADES else "")
        for leg_id in book.legs
        for kind in READ_KINDS
        if _read_due_ns(book, (leg_id, kind)) <= book.now_ns
    ]


def witnessed(book: Book, read: TradesRead) -> list[Command]:
    """Return what positions and trades together lead to once the holdings are assigned: drift, or the end of it."""
    leg_id = read.leg_id
    witness, ledger = book.witness(leg_id), book.ledger(leg_id)
    drift = witness.drift
    shown = book.positions_read.get(leg_id)
    if drift is None or shown is None:
        return []
    if drift != 0 and book.legs[leg_id].manual and not book.live[leg_id]:
        # Its owner trades it, as he said that he would.
        ended = _noted(book, shown, ZERO) if ledger.drift_net_qty != 0 else []
        return [ForeignNoted(leg_id, (ledger.foreign_net_qty or ZERO) + drift), *ended] if witness.is_exact else []
    if drift != 0 and book.legs[leg_id].adopt_later:
        if not book.live[leg_id]:
            return _adopted_later(book, shown, drift) if witness.is_exact else []
        if drift * ledger.position.net_qty > 0:
            return []
        # What was taken away while our exit works is known at once, so that the exit shrinks; then it is taken over.
    return [] if drift == ledger.drift_net_qty else _noted(book, shown, drift)


def _noted(book: Book, read: PositionRead, drift: Decimal) -> list[Command]:
    if drift == 0:
        return [DriftNoted(read.leg_id, ZERO), AlarmCleared(f"{AlarmKind.DRIFT.value}/{read.leg_id}")]
    ledger = book.ledger(read.leg_id)
    text = (
        f"venue shows {read.net_qty}, our fills add up to {ledger.position.net_qty}, "
        f"known foreign {ledger.foreign_net_qty}: {drift} is unexplained"
    )
    return [DriftNoted(read.leg_id, drift), AlarmRaised(Alarm(AlarmKind.DRIFT, read.leg_id, text))]


def _adopted_later(book: Book, read: PositionRead, change: Decimal) -> list[Command]:
    """Take over what other hands changed: what they added so that our average becomes the venue's, what they took at
    the last price. It waits for a price. No order of ours works, whose fills could be taken for theirs.
    """
    ledger = book.ledger(read.leg_id)
    instrument = book.legs[read.leg_id].instrument
    held = ledger.position.net_qty
    price = book.mark(read.leg_id) or ledger.last_price or read.avg_price
    if held * change >= 0 and read.avg_price is not None:
        cost = read.avg_price * (held + change) * instrument.multiplier - ledger.position.net_cost
        bought = cost / (change * instrument.multiplier)
        price = bought if bought > 0 else read.avg_price
    if price is None:
        return []
    ended = _noted(book, read, ZERO) if ledger.drift_net_qty != 0 else []
    return [PositionAdopted(read.leg_id, change, price), *ended]


def given_up(book: Book) -> list[Command]:
    """Let go of what other hands took of a position: it is no obligation any more, and the hedge leg follows."""
    commands: list[Command] = []
    for leg_id, net_qty in book.given_up.items():
        ledger = book.ledger(leg_id)
        price = book.mark(leg_id) or ledger.last_price
        if _has_unclear(book, leg_id):
            # It may be a fill of our own that is not known yet: as foreign it heals when that comes, given up it would
            # be hedged twice.
            continue
        if price is not None:
            foreign = (ledger.foreign_net_qty or ZERO) - net_qty
            commands += [ForeignNoted(leg_id, foreign), PositionAdopted(leg_id, net_qty, price)]
    return commands


def is_shown(book: Book, leg_id: LegId, asked_ts_ns: int) -> bool:
    """Return whether a position that was asked for then shows all that this book traded on the leg."""
    if book.ledger(leg_id).fills == 0 and not book.live[leg_id]:
        return True
    visible_ns = book.ledger(leg_id).booked_ts_ns + book.legs[leg_id].visibility_ms * NS_PER_MS
    return asked_ts_ns >= visible_ns and leg_id not in book.unreconciled and not _has_unclear(book, leg_id)


def _has_unclear(book: Book, leg_id: LegId) -> bool:
    unclear = (OrderStatus.UNKNOWN, OrderStatus.SETTLING, OrderStatus.SUBMITTING)
    return any(order.status in unclear for order in book.working(leg_id))


def assign(book: Book) -> list[Command]:
    """Decide what of the accounts' holdings is the book's and what is foreign.

    Of legs that hedge one another once both were read, of any other leg once it was: one account that cannot be read
    blocks no other.
    """
    rule = book.config.hedge
    together = () if rule is None else (rule.lead, rule.hedge)
    unread = [leg_id for leg_id in book.legs if not _is_assignable(book, leg_id)]
    commands: list[Command] = []
    for leg_id, leg in book.legs.items():
        ledger = book.ledger(leg_id)
        if ledger.foreign_net_qty is not None or leg_id in unread:
            continue
        if leg_id in together and any(other in unread for other in together):
            continue
        read = book.positions_read[leg_id]
        if leg.shared:
            commands += _assign_shared(book, read)
            continue
        beyond = read.share_net_qty - ledger.position.net_qty
        adopted = _adoptable(book, leg_id) if leg.adopt and ledger.fills == 0 else ZERO
        if leg.adopt_later:
            adopted = beyond
        price = read.avg_price or book.mark(leg_id)
        if adopted != 0 and price is not None:
            commands.append(PositionAdopted(leg_id, adopted, price))
            beyond -= adopted
        elif adopted != 0:
            if leg_id in together:
                return []
            continue
        commands += _foreign(leg, beyond)
    return commands


def _foreign(leg: LegConfig, beyond: Decimal) -> list[Command]:
    noted = ForeignNoted(leg.id, beyond)
    if beyond == 0 or leg.manual:
        return [noted]
    text = f"the account holds {beyond} beyond this book; it is shown and never traded"
    return [noted, AlarmRaised(Alarm(AlarmKind.FOREIGN_POSITION, leg.id, text))]


def _assign_shared(book: Book, read: PositionRead) -> list[Command]:
    """What is foreign to one book of a shared position is foreign to each; none of them adopts any of it."""
    beyond = read.others_foreign_net_qty
    if beyond is None:
        if not read.others_settled or not is_shown(book, read.leg_id, read.asked_ts_ns):
            return []
        beyond = read.share_net_qty - book.net_qty(read.leg_id)
    return _foreign(book.legs[read.leg_id], beyond)


def _is_assignable(book: Book, leg_id: LegId) -> bool:
    """Whether the leg's position was read, after all that this book has traded on it."""
    read = book.positions_read.get(leg_id)
    return read is not None and (not book.ledger(leg_id).fills or is_shown(book, leg_id, read.asked_ts_ns))


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
