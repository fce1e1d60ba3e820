"""Limits on entries. Hedges and exits never pass through here: no limit may stop what shrinks exposure."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal

import msgspec

from hedgerow.core.book import Book
from hedgerow.core.commands import Mode
from hedgerow.core.config import NS_PER_MS, NS_PER_S
from hedgerow.core.events import PortfolioSeen
from hedgerow.core.exposure import DOLLARS, Totals, added, hedged_times, totals
from hedgerow.core.holds import WITHDRAWS, AlarmKind, Hold, HoldReason
from hedgerow.core.target import Resting, WakePrice
from hedgerow.model.ids import LegId
from hedgerow.model.instrument import InstrumentKind
from hedgerow.model.numbers import BPS, ZERO
from hedgerow.model.order import Role, Side
from hedgerow.model.session import session_at

# Far beyond any limit; more digits than these are not worth rounding.
LONGEST_BPS = Decimal("1e9")
# No basis of one underlying is this large; a contract that is ten units, or a thousand, is.
UNIT_BAND = 2
RATIO_QUANTUM = Decimal("0.0001")
DISTANCE_QUANTUM = Decimal("0.01")


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
    first: Refused | None = None
    if state.links_down or state.alarms or book.unreconciled or book.unpinned or book.unassigned:
        first = _refusal_by_link_or_alarm(book)
        if first is not None and first.reason in WITHDRAWS:
            return first
    if state.config.sessions and state.config.hedge is not None:
        closed = _closed_beside_open(book)
        if closed is not None:
            return closed
    oldest_ns = book.now_ns - state.config.limits.stale_ms * NS_PER_MS
    for leg_id, leg in book.legs.items():
        quote = book.quotes.get(leg.instrument.id)
        if quote is None or not (quote.bids or quote.asks):
            first = first or Refused(HoldReason.NO_MARK_PRICE, (("leg", leg_id),))
        elif quote.ts_ns < oldest_ns:
            # It takes back what stands, so no other reason may stand before it.
            return Refused(HoldReason.STALE_PRICE, (("leg", leg_id), ("limit_ms", str(state.config.limits.stale_ms))))
    return first


def _closed_beside_open(book: Book) -> Refused | None:
    """Why nothing may be entered on one leg while the other one's venue is closed: it could not follow until it opens.

    Where all are closed, the planner sends nothing anyway.
    """
    closed = [leg_id for leg_id in book.legs if is_closed(book, leg_id)]
    if not closed or len(closed) == len(book.legs):
        return None
    return Refused(HoldReason.MARKET_CLOSED, (("leg", closed[0]),))


def is_closed(book: Book, leg_id: LegId) -> bool:
    """Return whether the leg's venue is between two sessions."""
    sessions = book.config.sessions.get(book.legs[leg_id].instrument.venue_id)
    return sessions is not None and session_at(sessions, book.now_ns) is None


def _refusal_by_link_or_alarm(book: Book) -> Refused | None:
    state = book.state
    for leg_id, detail in state.links_down.items():
        return Refused(HoldReason.LINK_DOWN, (("leg", leg_id), ("detail", detail)))
    for alarm in state.alarms.values():
        if alarm.kind is AlarmKind.POSITION_MODE:
            return Refused(HoldReason.POSITION_MODE, (("leg", alarm.subject),))
    for leg_id in book.unpinned:
        return Refused(HoldReason.LEVERAGE, (("leg", leg_id), ("wanted", str(book.legs[leg_id].leverage))))
    for leg_id in book.unreconciled:
        return Refused(HoldReason.RECONCILING, (("leg", leg_id),))
    for leg_id, leg in book.legs.items() if book.unassigned else ():
        # Of a shared position nothing may be added before it is known what of it is foreign to all.
        if leg.shared and state.ledgers[leg_id].foreign_net_qty is None:
            return Refused(HoldReason.RECONCILING, (("leg", leg_id),))
    for alarm in state.alarms.values():
        if alarm.kind is AlarmKind.UNKNOWN_ORDER:
            return Refused(HoldReason.UNKNOWN_ORDER, (("order", alarm.subject),))
    return None


def refusal_of_new_entry(book: Book, want: Resting, qty: Decimal) -> Hold | None:
    """Return which limit a new entry of `qty` would break, with both numbers, or None."""
    unchecked = _unit_mismatch(book) or _portfolio_unknown(book)
    if unchecked is not None:
        return Hold(unchecked.reason, want.leg_id, want.slot, unchecked.numbers)
    for reason, check in checks(book, want, qty):
        if not check.passed:
            numbers = (("would_be", str(check.value)), ("limit", str(check.limit)))
            return Hold(reason, want.leg_id, want.slot, numbers)
    return None


def stays_distant(book: Book, want: Resting) -> WakePrice | None:
    """Return inside which prices an entry that is too far from the mark stays so, and nothing else comes before that.

    None where the venue's band or the price of another leg may have its say first.
    """
    instrument, mark = book.legs[want.leg_id].instrument, book.mark(want.leg_id)
    if mark is None or want.limit_price is None or book.config.hedge is not None:
        return None
    if instrument.band_down is not None or instrument.band_up is not None:
        return None
    # A step of its rounding further away.
    most = (book.config.limits.price_distance_bps_max + DISTANCE_QUANTUM) * BPS
    if want.limit_price > mark:
        return WakePrice(want.leg_id, high=want.limit_price / (1 + most))
    return WakePrice(want.leg_id, low=want.limit_price / (1 - most)) if most < 1 else None


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
            distance_bps = distance_bps.quantize(DISTANCE_QUANTUM)
        check = Check("price distance bps", distance_bps, limits.price_distance_bps_max)
        result.append((HoldReason.PRICE_DISTANCE, check))
    live_orders = sum(len(orders) for orders in book.live.values())
    check = Check("open orders", Decimal(live_orders + 1), Decimal(limits.max_open_orders))
    result.append((HoldReason.OPEN_ORDERS_LIMIT, check))
    if limits.max_order_notional is not None:
        notional = instrument.notional(qty, want.limit_price or mark)
        check = Check("notional of the order", notional, limits.max_order_notional)
        result.append((HoldReason.ORDER_NOTIONAL_LIMIT, check))
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
    if book.portfolio is not None:
        result += _portfolio_checks(book, book.portfolio, want, instrument.notional(qty, want.limit_price or mark))
    return result


def _unit_mismatch(book: Book) -> Refused | None:
    """Whether the legs' prices cannot be per the same unit of their one underlying: then every hedge would be wrong."""
    rule = book.config.hedge
    if rule is None:
        return None
    lead, hedge = book.legs[rule.lead].instrument, book.legs[rule.hedge].instrument
    alike = lead.quote == hedge.quote or {lead.quote, hedge.quote} <= DOLLARS
    if lead.base != hedge.base or not alike or InstrumentKind.OPTION in (lead.kind, hedge.kind):
        return None
    lead_mark, hedge_mark = book.mark(rule.lead), book.mark(rule.hedge)
    if lead_mark is None or hedge_mark is None:
        return None
    if lead_mark <= hedge_mark * UNIT_BAND and hedge_mark <= lead_mark * UNIT_BAND:
        return None
    return Refused(HoldReason.UNIT_MISMATCH, (("lead_price", str(lead_mark)), ("hedge_price", str(hedge_mark))))


def _portfolio_unknown(book: Book) -> Refused | None:
    """Why a limit over all books cannot be checked. What is unknown is not zero."""
    limits, seen = book.config.limits, book.portfolio
    ratios = (limits.symbol_exposure_ratio_max, limits.total_exposure_ratio_max, limits.leverage_max)
    needs_equity = any(limit is not None for limit in ratios)
    if not needs_equity and limits.pending_orders_max is None:
        return None
    if seen is None:
        return Refused(HoldReason.PORTFOLIO_UNKNOWN, (("unknown", "the other books"),))
    if needs_equity and (seen.equity is None or seen.problems):
        return Refused(HoldReason.PORTFOLIO_UNKNOWN, (("unknown", "; ".join(seen.problems) or "equity"),))
    return None


def _portfolio_checks(
    book: Book, seen: PortfolioSeen, want: Resting, notional: Decimal
) -> list[tuple[HoldReason, Check]]:
    """The limits over all books. One that this entry does not come closer to is none for it."""
    limits = book.config.limits
    before = added((totals(book), Totals(seen.others, seen.gross, seen.orders)))
    underlying = book.legs[want.leg_id].instrument.base
    after = before.with_entry(underlying, want.side, notional, notional * hedged_times(book, want.leg_id))
    result: list[tuple[HoldReason, Check]] = []
    if limits.pending_orders_max is not None:
        check = Check("live orders of all books", Decimal(after.orders), Decimal(limits.pending_orders_max))
        result.append((HoldReason.PENDING_ORDERS_LIMIT, check))
    if seen.equity is None:
        return result
    compared = (
        (
            HoldReason.SYMBOL_EXPOSURE_LIMIT,
            f"net notional of {underlying} to equity",
            before.worst(underlying),
            after.worst(underlying),
            limits.symbol_exposure_ratio_max,
        ),
        (
            HoldReason.TOTAL_EXPOSURE_LIMIT,
            "net notional of all to equity",
            before.worst_of_all(),
            after.worst_of_all(),
            limits.total_exposure_ratio_max,
        ),
        (HoldReason.LEVERAGE_LIMIT, "gross notional to equity", before.gross, after.gross, limits.leverage_max),
    )
    for reason, name, was, value, limit in compared:
        if limit is not None and value > was:
            ratio = (value / seen.equity).quantize(RATIO_QUANTUM, ROUND_UP) if seen.equity > 0 else Decimal("Infinity")
            result.append((reason, Check(name, ratio, limit)))
    return result


def _worst_unhedged(book: Book, want: Resting) -> Decimal:
    """What is unhedged if every entry that works on the side of `want` filled and no hedge did, in units of its leg."""
    rule = book.config.hedge
    assert rule is not None, book.config.book_id
    entries = sum(
        (o.leaves_qty for o in book.working(want.leg_id) if o.role is Role.ENTRY and o.side is want.side),
        ZERO,
    )
    residual = abs(book.residual)
    if want.leg_id != rule.hedge:
        lead, hedge = book.legs[rule.lead].instrument, book.legs[rule.hedge].instrument
        residual = residual * hedge.multiplier / (abs(rule.ratio) * lead.multiplier)
    return residual + entries
