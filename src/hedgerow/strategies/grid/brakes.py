"""What slows a grid down and what stops it. Brakes only ever touch the adding side; stops bring the book to zero."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from msgspec.structs import replace

from hedgerow.core.commands import Mode
from hedgerow.core.holds import HoldReason
from hedgerow.model.numbers import BPS, ONE, ZERO
from hedgerow.strategies.grid.levels import shown
from hedgerow.strategies.grid.look import Look
from hedgerow.strategies.grid.params import Direction, GridParams
from hedgerow.strategies.grid.watch import exit_price

# A brake is let go at this part of what put it on: a measure that hovers there must not cancel and place for ever.
RELEASE_RATIO = Decimal("0.9")
# The best P&L is known in steps of this part of `stop_drawdown`: each step is a record in the journal.
BEST_RATIO = Decimal("0.05")

FREE, THROTTLED, GATED = range(3)


class Measure(msgspec.Struct, frozen=True):
    """One number that may slow entries down, and where it does."""

    name: str
    reason: HoldReason
    value: Decimal | None
    "None while it is not known: then it slows nothing."
    throttle: Decimal | None
    gate: Decimal | None

    def state(self, before: int) -> int:
        """Return how far the brake is on, which it was `before`: it lets go later than it takes hold."""
        if self.value is None:
            return before
        now = FREE
        for state, bound in ((THROTTLED, self.throttle), (GATED, self.gate)):
            if bound is not None and self.value >= (bound * RELEASE_RATIO if before >= state else bound):
                now = state
        return now

    @property
    def bounds(self) -> tuple[Decimal, ...]:
        """Return every value at which the state may change."""
        given = [bound for bound in (self.throttle, self.gate) if bound is not None]
        return (*given, *(bound * RELEASE_RATIO for bound in given))


class Braked(msgspec.Struct, frozen=True):
    """What the brakes allow of entries now."""

    ratio: Decimal = ONE
    "Size of an entry to its usual size; 0 when nothing is entered."
    reason: HoldReason | None = None
    "Why nothing is entered."
    numbers: tuple[tuple[str, str], ...] = ()


def brake(look: Look, full_qty: Decimal) -> Braked:
    """Return what the brakes allow, and remember which are on. Names the prices at which that may change."""
    params, pnl = look.params, look.pnl
    if params.profit_lock is not None:
        # Each lot closes in its own pairing: against the average cost, a level below it would earn nothing.
        earned = sum((lot.realized for lot in look.ledger.lots.values()), pnl.income)
        if earned >= params.profit_lock:
            numbers = (("earned", shown(earned)), ("limit", str(params.profit_lock)))
            return Braked(ZERO, HoldReason.PROFIT_LOCK, numbers)
    before = dict(look.memory.brakes)
    now: list[tuple[str, int]] = []
    result = Braked()
    for measure in _measures(look, full_qty):
        state = measure.state(before.get(measure.name, FREE))
        if state == FREE:
            continue
        now.append((measure.name, state))
        if result.reason is None:
            result = Braked(params.throttle_ratio)
            if state == GATED:
                result = Braked(ZERO, measure.reason, (("measure", measure.name), ("limit", str(measure.gate))))
    if tuple(now) != look.memory.brakes:
        look.memory = replace(look.memory, brakes=tuple(now))
    return result


def _measures(look: Look, full_qty: Decimal) -> list[Measure]:
    """The measures that this book has, each with its wake prices named."""
    params = look.params
    held = abs(look.ledger.position.net_qty)
    found = []
    if params.inventory_throttle is not None or params.inventory_gate is not None:
        bounds = params.inventory_throttle, params.inventory_gate
        found.append(Measure("inventory", HoldReason.INVENTORY_LIMIT, held / full_qty if full_qty else ZERO, *bounds))
    if params.cost_throttle_bps is not None or params.cost_gate_bps is not None:
        found.append(_cost(look))
    if params.volatility_throttle_bps is not None or params.volatility_gate_bps is not None:
        bounds = params.volatility_throttle_bps, params.volatility_gate_bps
        found.append(Measure("volatility", HoldReason.VOLATILITY, look.atr_bps, *bounds))
    if params.loss_throttle is not None or params.loss_gate is not None:
        base, value = look.memory.base_pnl, look.pnl.value
        loss = None if value is None else base - value
        measure = Measure("loss", HoldReason.LOSS_LIMIT, loss, params.loss_throttle, params.loss_gate)
        for bound in measure.bounds:
            look.pnl.watch(look.watch, base - bound)
        found.append(measure)
    return found


def _cost(look: Look) -> Measure:
    """How far the market is on the wrong side of the average cost, bps; 0 on the right side or when flat."""
    position = look.ledger.position
    cost, price = position.avg_price(look.instrument.multiplier), exit_price(look.book, look.leg)
    way = ONE if position.net_qty > ZERO else -ONE
    value: Decimal | None = ZERO
    if cost is not None and cost > ZERO:
        value = None if price is None else (cost - price) * way / cost / BPS
    measure = Measure("cost", HoldReason.COST_BASIS, value, look.params.cost_throttle_bps, look.params.cost_gate_bps)
    if cost is not None and cost > ZERO and price is not None:
        for bound in measure.bounds:
            look.watch.either(look.leg, cost * (ONE - way * bound * BPS), price)
    return measure


def stop(look: Look) -> str:
    """Return why the book is to be flat, or nothing. A stop that was hit is remembered until an operator resumes."""
    memory = look.memory
    if memory.stopped and look.book.mode is Mode.RUNNING and look.is_flat and look.pnl.value is not None:
        # Resumed: what was lost before is no reason to stop at once again.
        look.memory = replace(memory, stopped="", base_pnl=look.pnl.value, best_pnl=None)
    reason = _reason(look)
    if reason and not look.memory.stopped:
        look.memory = replace(look.memory, stopped=reason)
    return look.memory.stopped


def _reason(look: Look) -> str:
    reason = _price_reason(look)
    params, pnl = look.params, look.pnl
    if pnl.value is None:
        return reason
    if params.stop_loss is not None:
        pnl.watch(look.watch, look.memory.base_pnl - params.stop_loss)
        loss = look.memory.base_pnl - pnl.value
        if loss >= params.stop_loss:
            reason = reason or f"loss {shown(loss)} has reached stop_loss {params.stop_loss}"
    if params.stop_drawdown is not None:
        step = params.stop_drawdown * BEST_RATIO
        best = look.memory.best_pnl
        if best is None or pnl.value >= best + step:
            best = pnl.value // step * step
            look.memory = replace(look.memory, best_pnl=best)
        pnl.watch(look.watch, best + step)
        pnl.watch(look.watch, best - params.stop_drawdown)
        if best - pnl.value >= params.stop_drawdown:
            fallen = f"P&L {shown(best - pnl.value)} below its best"
            reason = reason or f"{fallen} has reached stop_drawdown {params.stop_drawdown}"
    return reason


def _price_reason(look: Look) -> str:
    """Why the market itself stops the book: it has come to `stop_price`, from the side that loses."""
    stop_price, quote = look.params.stop_price, look.quote
    if stop_price is None or quote is None or quote.is_absurd:
        return ""
    price = quote.bid if stops_below(look.params) else quote.ask
    if price is None:
        return ""
    look.watch.either(look.leg, stop_price, price)
    is_hit = price <= stop_price if stops_below(look.params) else price >= stop_price
    return f"the market at {price} has reached stop_price {stop_price}" if is_hit else ""


def stops_below(params: GridParams) -> bool:
    """Return whether `stop_price` is reached from above: a short ladder's is reached from below."""
    if params.direction is not Direction.NEUTRAL or params.stop_price is None:
        return params.direction is not Direction.SHORT_ONLY
    edge = params.low if params.low is not None else params.center
    return edge is None or params.stop_price < edge
