"""What becomes of an order: each function takes an order and a fact and returns the order after it.

The protocol of unclear orders: an order without a proof counts as working, is asked for by id, in open orders and in
trades, further and further apart, and is given up only after the lease in which the venue could still take it, plus the
time for which the venue may fail to show it, and then only on spaced negatives from independent reads.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from hedgerow.core.config import NS_PER_MS, LegConfig, Timing
from hedgerow.model.ids import VenueOrderId
from hedgerow.model.order import CLOSED, UNPROVEN, Order, OrderStatus

# So many times in a row shown as working after a cancel: the cancel did nothing, and the order simply works.
ASKS_AFTER_CANCEL = 5


WORKING = (OrderStatus.OPEN, OrderStatus.SUBMITTING)


def spacing_ns(first_ms: int, max_ms: int, tries: int) -> int:
    """Return the wait before the next try: doubles from `first_ms` up to `max_ms`."""
    return min(first_ms << min(tries, 20), max_ms) * NS_PER_MS


def unclear(order: Order, now_ns: int, ask_ts_ns: int) -> Order:
    """Return the order as needing a proof, to be asked for at `ask_ts_ns` (or earlier, if that was planned)."""
    ask = min(order.ask_ts_ns, ask_ts_ns) if order.ask_ts_ns else ask_ts_ns
    return replace(order, unclear_ts_ns=order.unclear_ts_ns or now_ns, ask_ts_ns=ask)


def clear(order: Order) -> Order:
    """Return the order with nothing outstanding."""
    return replace(order, unclear_ts_ns=0, ask_ts_ns=0, asks=0, not_found=0, not_open=0, no_trades=0)


def unknown(order: Order, now_ns: int, timing: Timing) -> Order:
    """Return the order as unknown, unless the venue has already shown more than that."""
    if order.status is OrderStatus.SUBMITTING:
        order = order.moved(OrderStatus.UNKNOWN)
    return unclear(order, now_ns, now_ns + timing.ask_first_ms * NS_PER_MS)


def asked(order: Order, now_ns: int, timing: Timing) -> Order:
    """Return the order after one more question, with the next one further away."""
    wait_ns = spacing_ns(timing.ask_first_ms, timing.ask_spacing_ms_max, order.asks + 1)
    return replace(order, asks=order.asks + 1, ask_ts_ns=now_ns + wait_ns)


def shown(order: Order, venue_order_id: VenueOrderId | None, cum_qty: Decimal | None) -> Order:
    """Return the order after the venue showed it as working. Closed orders stay closed: messages come late."""
    if order.status is OrderStatus.SUBMITTING and cum_qty is None and not (order.cancel_ts_ns or order.unclear_ts_ns):
        # The usual acknowledgement, in one step.
        return replace(order, status=OrderStatus.OPEN, venue_order_id=order.venue_order_id or venue_order_id)
    if venue_order_id is not None and order.venue_order_id is None:
        order = replace(order, venue_order_id=venue_order_id)
    if cum_qty is not None and cum_qty > order.venue_cum_qty:
        order = replace(order, venue_cum_qty=cum_qty)
    if order.status is OrderStatus.OPEN and not order.unclear_ts_ns:
        return order
    given_up = order.status is OrderStatus.CANCELED and order.venue_end is None
    if order.status in UNPROVEN or order.status is OrderStatus.REJECTED or given_up:
        order = order.moved(OrderStatus.OPEN)
    if order.status is not OrderStatus.OPEN:
        return order
    if order.cancel_ts_ns and order.asks < ASKS_AFTER_CANCEL:
        # A cancel is out, and the venue still shows the order: it may be too early to tell, so the asking goes on.
        return replace(order, cancel_pending=False, not_found=0, not_open=0, no_trades=0)
    return replace(clear(order), cancel_pending=False, cancel_ts_ns=0)


def ended(order: Order, end: OrderStatus, cum_qty: Decimal | None, now_ns: int, timing: Timing) -> Order:
    """Return the order after the venue said that it ended as `end` with `cum_qty` filled (None: it did not say)."""
    assert end in CLOSED, end
    if end is OrderStatus.FILLED and cum_qty is None:
        cum_qty = order.qty
    if order.status in CLOSED and order.status is not OrderStatus.REJECTED:
        return order
    if cum_qty is None:
        return unclear(order, now_ns, now_ns)
    # A venue that takes an order and then refuses it inside has ended it without a trade.
    end = OrderStatus.EXPIRED if end is OrderStatus.REJECTED else end
    order = replace(order, venue_end=order.venue_end or end, venue_cum_qty=max(order.venue_cum_qty, cum_qty))
    if order.status is not OrderStatus.REJECTED:
        order = settled(order)
    elif order.venue_cum_qty > order.filled_qty:
        # The venue traded what it had refused: its trades are still to come, and count.
        order = order.moved(OrderStatus.SETTLING)
    if order.status in CLOSED:
        return order
    if order.status is not OrderStatus.SETTLING:
        order = order.moved(OrderStatus.SETTLING)
    return unclear(order, now_ns, now_ns + timing.ask_first_ms * NS_PER_MS)


def settled(order: Order) -> Order:
    """Return the order closed, if the venue has ended it and the booked trades add up; else as it is."""
    if order.filled_qty >= order.qty:
        return order if order.status is OrderStatus.FILLED else clear(order.moved(OrderStatus.FILLED))
    if order.venue_end is None or order.filled_qty < order.venue_cum_qty or order.status in CLOSED:
        return order
    end = OrderStatus.CANCELED if order.venue_end is OrderStatus.FILLED else order.venue_end
    return clear(order.moved(end))


def filled(order: Order, qty: Decimal) -> Order:
    """Return the order after one more booked fill. Any status takes it: a fill is a fact."""
    total = order.filled_qty + qty
    if order.status in WORKING and order.venue_end is None and not (order.unclear_ts_ns or order.ask_ts_ns):
        # The usual fill, in one step: nothing is unclear that it would clear.
        status = OrderStatus.FILLED if total >= order.qty else OrderStatus.OPEN
        return replace(order, filled_qty=total, venue_cum_qty=max(order.venue_cum_qty, total), status=status)
    order = replace(order, filled_qty=total, venue_cum_qty=max(order.venue_cum_qty, total))
    if total < order.qty and (order.status in UNPROVEN or order.status is OrderStatus.REJECTED):
        order = order.moved(OrderStatus.OPEN)
        order = order if order.cancel_ts_ns else clear(order)
    return settled(order)


def canceling(order: Order, now_ns: int, timing: Timing) -> Order:
    """Return the order with one more cancel on its way."""
    order = replace(order, cancel_ts_ns=now_ns, cancels=order.cancels + 1, cancel_pending=True)
    return unclear(order, now_ns, now_ns + timing.ack_timeout_ms * NS_PER_MS)


def may_cancel(order: Order, now_ns: int, timing: Timing) -> bool:
    """Return whether a cancel may leave now: the venue has the order, none is out, and the last is long enough ago."""
    if order.status is not OrderStatus.OPEN or order.cancel_pending:
        return False
    if not order.cancels:
        return True
    return now_ns >= order.cancel_ts_ns + spacing_ns(timing.retry_first_ms, timing.ask_spacing_ms_max, order.cancels)


def evidence_from_ns(order: Order, leg: LegConfig) -> int:
    """Return from when on a read without the order is evidence: it can no longer be taken, nor be hidden by a lag."""
    visibility_ns = leg.visibility_ms * NS_PER_MS
    return max(order.submitted_ts_ns + leg.lease_ms * NS_PER_MS, order.unclear_ts_ns) + visibility_ns


def proof_window_ns(leg: LegConfig, timing: Timing) -> int:
    """Return how long the proof of an order that was never taken needs, when the venue answers every question."""
    asks_ms = (timing.negatives_min + 1) * timing.ask_spacing_ms_max
    return (timing.ack_timeout_ms + leg.lease_ms + leg.visibility_ms + asks_ms) * NS_PER_MS


def is_proven_gone(order: Order, timing: Timing) -> bool:
    """Return whether enough spaced negatives from independent reads are in to give an unknown order up."""
    return (
        order.status is OrderStatus.UNKNOWN
        and order.not_found >= timing.negatives_min
        and order.not_open > 0
        and order.no_trades > 0
    )


def given_up(order: Order) -> Order:
    """Return an order that is proven gone: refused if it never traded, else canceled at what was booked."""
    order = replace(order, venue_cum_qty=order.filled_qty)
    if order.filled_qty == 0 and order.venue_order_id is None:
        return clear(order.moved(OrderStatus.REJECTED))
    return clear(order.moved(OrderStatus.CANCELED))
