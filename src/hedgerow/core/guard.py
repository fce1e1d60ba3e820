"""Limits on entries. Hedges and exits never pass through here: no limit may stop what shrinks exposure."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hedgerow.core.book import Book
from hedgerow.core.commands import Mode
from hedgerow.core.config import NS_PER_MS, NS_PER_S
from hedgerow.core.holds import AlarmKind, Hold, HoldReason
from hedgerow.core.target import Resting
from hedgerow.model.numbers import BPS, ZERO
from hedgerow.model.order import Role, Side

# Far beyond any limit; more digits than these are not worth rounding.
LONGEST_BPS = Decimal("1e9")


class Check(msgspec.Struct, frozen=True):
    """One comparison that an entry had to pass: `value` against `limit`."""

    name: str
    value: Decimal
    limit: Decimal

    @property
    def passed(self) -> bool:
        return self.value <= self.limit


class Refused(msgspec.Struct, frozen=True):
    """Why no entry of the book may stand now."""

    reason: HoldReason
    numbers: tuple[tuple[str, str], ...] = ()


def refusal_of_entries(book: Book) -> Refused | None:
    """Return why nothing that adds risk may stand now, or None. Applies to standing entries as well as to new ones."""
    state = book.state
    if state.mode is not Mode.RUNNING:
        reason = HoldReason.FLATTENING if state.mode is Mode.FLATTENING else HoldReason.FROZEN
        return Refused(reason, (("because", state.mode_reason),))
    if book.journal_failed:
        return Refused(HoldReason.JOURNAL_FAILED)
    for leg_id, ledger in state.ledgers.items():
        if ledger.drift_net_qty != ZERO:
            return Refused(HoldReason.DRIFT, (("leg", leg_id), ("drift", str(ledger.drift_net_qty))))
    if state.links_down or state.alarms or book.unreconciled or book.unassigned:
        refused = _refusal_by_link_or_alarm(book)
        if refused is not None:
            return refused
    oldest_ns = book.now_ns - state.config.limits.stale_ms * NS_PER_MS
    for leg_id, leg in book.legs.items():
        quote = book.quotes.get(leg.instrument.id)
        if quote is None or not (quote.bids or quote.asks):
            return Refused(HoldReason.NO_MARK_PRICE, (("leg", leg_id),))
        if quote.ts_ns < oldest_ns:
            return Refused(HoldReason.STALE_PRICE, (("leg", leg_id), ("limit_ms", str(state.config.limits.stale_ms))))
    return None


def _refusal_by_link_or_alarm(book: Book) -> Refused | None:
    state = book.state
    for leg_id, detail in state.links_down.items():
        return Refused(HoldReason.LINK_DOWN, (("leg", leg_id), ("detail", detail)))
    for alarm in state.alarms.values():
        if alarm.kind is AlarmKind.POSITION_MODE:
            return Refused(HoldReason.POSITION_MODE, (("leg", alarm.subject),))
    for leg_id in book.unreconciled:
        return Refused(HoldReason.RECONCILING, (("leg", leg_id),))
    for leg_id, ledger in state.ledgers.items() if book.unassigned else ():
        # Of a shared position nothing may be added before it is known what of it is foreign to all.
        if ledger.foreign_net_qty is None and book.legs[leg_id].shared:
            return Refused(HoldReason.RECONCILING, (("leg", leg_id),))
    for alarm in state.alarms.values():
        if alarm.kind is AlarmKind.UNKNOWN_ORDER:
            return Refused(HoldReason.UNKNOWN_ORDER, (("order", alarm.subject),))
    return None


def refusal_of_new_entry(book: Book, want: Resting, qty: Decimal) -> Hold | None:
    """Return which limit a new entry of `qty` would break, with both numbers, or None."""
    for reason, check in checks(book, want, qty):
        if not check.passed:
            numbers = (("would_be", str(check.value)), ("limit", str(check.limit)))
            return Hold(reason, want.leg_id, want.slot, numbers)
    return None


def checks(book: Book, want: Resting, qty: Decimal) -> list[tuple[HoldReason, Check]]:
    """Return every limit with the number that a new entry of `qty` would bring it to, in order of precedence."""
    limits = book.config.limits
    instrument = book.legs[want.leg_id].instrument
    mark = book.mark(want.leg_id)
    assert mark is not None, want
    result: list[tuple[HoldReason, Check]] = []
    if want.limit_price is not None:
        distance_bps = abs(want.limit_price / mark - 1) / BPS
        if distance_bps < LONGEST_BPS:
            distance_bps = distance_bps.quantize(Decimal("0.01"))
        check = Check("price distance bps", distance_bps, limits.price_distance_bps_max)
        result.append((HoldReason.PRICE_DISTANCE, check))
    live_orders = sum(len(orders) for orders in book.live.values())
    check = Check("open orders", Decimal(live_orders + 1), Decimal(limits.max_open_orders))
    result.append((HoldReason.OPEN_ORDERS_LIMIT, check))
    if limits.max_notional is not None:
        held = book.net_qty(want.leg_id)
        same_way = held if want.side is Side.BUY else -held
        gross = max(same_way, ZERO) + book.working_qty(want.leg_id, want.side) + qty
        notional = instrument.notional(gross, want.limit_price or mark)
        result.append((HoldReason.NOTIONAL_LIMIT, Check("notional", notional, limits.max_notional)))
    if limits.max_residual is not None and book.config.hedge is not None:
        notional = instrument.notional(_worst_unhedged(book, want) + qty, mark)
        result.append((HoldReason.RESIDUAL_LIMIT, Check("residual if all fills", notional, limits.max_residual)))
    recent = sum(1 for ts_ns in book.entry_ts_ns if ts_ns > book.now_ns - NS_PER_S)
    check = Check("entries in the last second", Decimal(recent + 1), Decimal(limits.orders_per_s))
    result.append((HoldReason.ORDER_RATE_LIMIT, check))
    return result


def _worst_unhedged(book: Book, want: Resting) -> Decimal:
    """Lead units unhedged if every entry that works on the side of `want` filled and no hedge did."""
    rule = book.config.hedge
    assert rule is not None, book.config.book_id
    entries = sum(
        (o.leaves_qty for o in book.working(want.leg_id) if o.role is Role.ENTRY and o.side is want.side),
        ZERO,
    )
    lead, hedge = book.legs[rule.lead].instrument, book.legs[rule.hedge].instrument
    return abs(book.residual * hedge.multiplier / (rule.ratio * lead.multiplier)) + entries
