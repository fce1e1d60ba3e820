"""Whether an account can pay for an order: balances and borrowing, margin by leverage, and the liquidation level."""

from __future__ import annotations

from decimal import Decimal

from hedgerow.market.answers import OrderRequest, Refused
from hedgerow.market.fees import in_base
from hedgerow.market.rules import INSUFFICIENT_BALANCE, INSUFFICIENT_MARGIN, VenueRules
from hedgerow.market.state import COST_QUANTUM, Account, Holding, Seat, VenueOrder
from hedgerow.model.instrument import InstrumentKind
from hedgerow.model.numbers import ONE, ZERO
from hedgerow.model.order import Side


def lock_margin(order: VenueOrder, holding: Holding, price: Decimal) -> Refused | None:
    """Set what `order` locks of the collateral, or return why there is not enough. Reducing costs nothing.

    Args:
        price: its limit, or where a market order would begin to trade.
    """
    request = order.request
    seat = order.owner
    opening_qty = request.qty - holding.reducible_qty(request.side)
    if opening_qty <= ZERO:
        return None
    account = seat.account
    instrument = seat.market.instrument
    notional_per_unit = price * instrument.multiplier
    per_unit = notional_per_unit / seat.leverage + notional_per_unit * account.fees.taker
    if per_unit * opening_qty > available_margin(account, instrument.quote):
        return INSUFFICIENT_MARGIN
    if request.limit_price is not None:
        order.lock_currency = instrument.quote
        order.lock_per_unit = per_unit.quantize(COST_QUANTUM)
    return None


def available_margin(account: Account, quote: str) -> Decimal:
    """Return what of the collateral is free: with unrealized P&L, less margin of positions and of open orders."""
    available = account.balances[quote] - account.locked[quote]
    for seat in account.perp_seats[quote]:
        for holding in seat.holdings.values():
            if holding.net_qty:
                value = _value(seat, holding)
                available += value - holding.net_cost - abs(value) / seat.leverage
    return available


def must_liquidate(account: Account, quote: str, maintenance_ratio: Decimal) -> bool:
    """Return whether the account's equity in `quote` no longer covers the maintenance margin of its positions."""
    equity, maintenance = _cover(account, quote, maintenance_ratio)
    return maintenance > 0 and equity < maintenance


def safe_distances(seat: Seat, maintenance_ratio: Decimal) -> list[tuple[Decimal, Decimal]]:
    """Return (signed qty, how far the mark may go against it) of each position of a seat.

    Within that distance the account is not liquidated, as long as its other positions stay within theirs: each may
    use up the same part of what the equity covers beyond the maintenance margin.
    """
    held = [holding for holding in seat.holdings.values() if holding.net_qty]
    if not held:
        return []
    instrument = seat.market.instrument
    equity, maintenance = _cover(seat.account, instrument.quote, maintenance_ratio)
    positions = sum(
        1 for each in seat.account.perp_seats[instrument.quote] for holding in each.holdings.values() if holding.net_qty
    )
    part = max(equity - maintenance, ZERO) / positions
    # A short's margin grows as the price goes against it.
    per_unit = instrument.multiplier * (ONE + maintenance_ratio)
    return [(holding.net_qty, part / (abs(holding.net_qty) * per_unit)) for holding in held]


def _cover(account: Account, quote: str, maintenance_ratio: Decimal) -> tuple[Decimal, Decimal]:
    """Return (equity, maintenance margin) of the account's perpetual positions in `quote`."""
    equity = account.balances[quote]
    maintenance = ZERO
    for seat in account.perp_seats[quote]:
        for holding in seat.holdings.values():
            if holding.net_qty:
                value = _value(seat, holding)
                equity += value - holding.net_cost
                maintenance += abs(value) * maintenance_ratio
    return equity, maintenance


def _value(seat: Seat, holding: Holding) -> Decimal:
    mark = seat.market.mark()
    if mark is None:
        return holding.net_cost
    return holding.net_qty * mark * seat.market.instrument.multiplier


def lock_balance(order: VenueOrder, paid: Decimal | None, rules: VenueRules) -> Refused | None:
    """Set what `order` locks of the balances, or return why there is not enough.

    Args:
        paid: price times qty of what a market order would get now; None for a limit order, which needs its limit.
    """
    request = order.request
    account = order.owner.account
    instrument = order.owner.market.instrument
    multiplier = instrument.multiplier
    fee_in_base = in_base(instrument.fee_currency, request.side)
    if request.side is Side.BUY:
        needed = (request.qty * order.price if paid is None else paid) * multiplier
        order.lock_currency = instrument.quote
        order.lock_per_unit = order.price * multiplier
        charged = not fee_in_base
    else:
        needed = request.qty
        order.lock_currency = instrument.base
        order.lock_per_unit = ONE
        charged = fee_in_base
    if charged:
        factor = ONE + account.fees.largest()
        needed *= factor
        order.lock_per_unit *= factor
    if needed <= account.balances[order.lock_currency] - account.locked[order.lock_currency]:
        return None
    if instrument.kind is InstrumentKind.MARGIN and _may_borrow(order.owner, request, needed, rules):
        return None
    return INSUFFICIENT_BALANCE


def _may_borrow(seat: Seat, request: OrderRequest, needed: Decimal, rules: VenueRules) -> bool:
    account = seat.account
    instrument = seat.market.instrument
    mark = seat.market.mark() or request.limit_price
    if mark is None:
        return False
    free_base = account.balances[instrument.base] - account.locked[instrument.base]
    free_quote = account.balances[instrument.quote] - account.locked[instrument.quote]
    equity = free_quote + free_base * mark * instrument.multiplier
    if request.side is Side.BUY:
        free_quote -= needed
        free_base += request.qty
    else:
        free_base -= needed
        free_quote += request.qty * mark * instrument.multiplier
    owed = -min(free_quote, ZERO) - min(free_base, ZERO) * mark * instrument.multiplier
    return owed <= equity * rules.borrow_multiple
