"""The exits of a grid: for each lot one spacing from its entry, for all that it holds and never for more."""

from __future__ import annotations

import itertools
from decimal import Decimal

from msgspec.structs import replace

from hedgerow.core.holds import Alarm, AlarmKind, HoldReason
from hedgerow.core.target import Resting
from hedgerow.model.instrument import Instrument
from hedgerow.model.numbers import ZERO
from hedgerow.model.order import Role, Side
from hedgerow.strategies.grid.levels import Ladder, Level, entry_slot, exit_slot, shown
from hedgerow.strategies.grid.look import Look, Lot, level_number
from hedgerow.strategies.grid.params import StrayExit


def seed(look: Look, ladder: Ladder) -> None:
    """Give each holding that is in no lot to a level: adopted ones sell where the ladder would have bought them."""
    held = look.ledger.position.net_qty
    loose = held - sum((lot.net_qty for name, lot in look.ledger.lots.items() if level_number(name) is not None), ZERO)
    seeds = dict(look.memory.seeds)
    missing = loose - sum(seeds.values(), ZERO)
    if missing == ZERO:
        return
    if loose * (loose - missing) < ZERO or loose == ZERO:
        seeds, missing = {}, loose
    levels = ladder.buys if loose > ZERO else ladder.sells
    if levels and missing * loose > ZERO and look.mark is not None:
        _give(seeds, missing, levels, look.mark, look.instrument)
    elif missing != ZERO and missing * loose < ZERO:
        _take(seeds, missing)
    kept = tuple((number, qty) for number, qty in sorted(seeds.items()) if qty != ZERO)
    if kept != look.memory.seeds:
        look.memory = replace(look.memory, seeds=kept)


def _give(
    seeds: dict[int, Decimal], missing: Decimal, levels: tuple[Level, ...], price: Decimal, instrument: Instrument
) -> None:
    """Fill the levels whose exit lies ahead of the market, nearest first; the farthest one takes what is left."""
    way = 1 if missing > ZERO else -1
    ahead = [level for level in reversed(levels) if (level.exit_price - price) * way > 0] or [levels[0]]
    left = abs(missing)
    for level in ahead:
        qty = min(max(level.qty - abs(seeds.get(level.number, ZERO)), ZERO), instrument.floor_qty(left))
        seeds[level.number] = seeds.get(level.number, ZERO) + qty * way
        left -= qty
    seeds[ahead[-1].number] += left * way


def _take(seeds: dict[int, Decimal], missing: Decimal) -> None:
    """Take back what is no longer there, from the highest level down."""
    for number in sorted(seeds, reverse=True):
        qty = seeds[number]
        taken = missing if abs(missing) <= abs(qty) else -qty
        seeds[number] += taken
        missing -= taken
        if missing == ZERO:
            return


def want_exits(look: Look, ladder: Ladder) -> None:
    """Want an exit for each lot, in as many orders as its increments came in.

    All of them together are for what is really held: less than the lots while long and short ones offset one another,
    and when interest in the base asset took some. The lots that exit last then wait.
    """
    for side in Side:
        lots = [lot for lot in look.lots if lot.side is side]
        free = max(look.ledger.position.net_qty * side.sign, ZERO)
        for lot in lots if side is Side.BUY else reversed(lots):
            if look.instrument.floor_qty(lot.qty) == ZERO and lot.number not in look.exiting:
                # What fees left: less than any order.
                continue
            price = _price(look, ladder, lot)
            if price is None:
                continue
            qty = min(lot.qty, free)
            free -= qty
            if look.can_exit(lot.qty - qty, price):
                numbers = (("wanted", str(lot.qty)), ("free", str(qty)))
                look.hold(HoldReason.INSUFFICIENT_HOLDINGS, exit_slot(lot.number, side, 0), *numbers)
            _want_exit(look, lot, qty, price)


def _want_exit(look: Look, lot: Lot, qty: Decimal, price: Decimal) -> None:
    """Want `qty` of a lot to be offered: what stands stays, and what came since goes out beside it."""
    instrument, side = look.instrument, lot.side.opposite
    standing = look.exiting.get(lot.number, [])
    kept: list[tuple[str, Decimal]] = []
    for order in standing:
        part = min(order.leaves_qty, qty)
        if part > ZERO:
            kept.append((order.slot, part))
            qty -= part
    rest = instrument.floor_qty(qty)
    if rest > ZERO:
        if not kept or look.can_exit(rest, price):
            places = (exit_slot(lot.number, lot.side, place) for place in itertools.count())
            kept.append((next(slot for slot in places if slot not in look.standing), rest))
        elif _is_all_in(look, lot) and standing[-1].submitted_ts_ns < look.ledger.booked_ts_ns:
            # Too small by itself, and it came after the others went out: it goes out with the last of them.
            kept.pop()
    reduces = instrument.can_reduce_only
    look.resting += [Resting(slot, look.leg, side, part, price, Role.EXIT, False, reduces) for slot, part in kept]


def _is_all_in(look: Look, lot: Lot) -> bool:
    """Whether no more of the lot's entry is to come."""
    return entry_slot(lot.number, lot.side) not in look.standing


def _price(look: Look, ladder: Ladder, lot: Lot) -> Decimal | None:
    """One spacing from the level's entry; None, with a hold and an alarm, when there is no such price for this lot."""
    if not (ladder.buys if lot.side is Side.BUY else ladder.sells):
        # A position on the side that this grid does not have.
        _tell_stray(look, lot, ("side", lot.side.value))
        return None
    if lot.number not in look.exiting and not look.can_exit(lot.qty, look.mark):
        # A remainder that no order could sell: whatever its price, the planner says what it lacks.
        return ladder.exit_price(lot.number, lot.side)
    memory, params = look.memory, look.params
    start, count = ladder.frame.start, ladder.frame.count
    lowest, highest = min(ladder.first, start + 1 + memory.lowest), max(ladder.last, start + count + memory.highest)
    is_level = lowest <= lot.number <= highest
    price = ladder.exit_price(lot.number, lot.side) if is_level else None
    off_bps = ladder.off_bps(lot.cost, price, lot.side) if lot.cost is not None and price is not None else ZERO
    if price is not None and off_bps <= params.pairing_bps_max:
        return price
    if params.stray_exit is StrayExit.OWN_PRICE and lot.cost is not None:
        return ladder.own_exit_price(lot.cost, lot.side)
    if price is None:
        _tell_stray(look, lot, ("levels", f"{lowest} to {highest}"))
    else:
        _tell_stray(
            look, lot, ("exit", str(price)), ("off_bps", shown(off_bps)), ("limit_bps", str(params.pairing_bps_max))
        )
    return None


def _tell_stray(look: Look, lot: Lot, *numbers: tuple[str, str]) -> None:
    cost = (("cost", shown(lot.cost)),) if lot.cost is not None else ()
    told = (("held", str(lot.qty)), *cost, *numbers)
    look.hold(HoldReason.NO_EXIT_LEVEL, exit_slot(lot.number, lot.side, 0), *told)
    text = f"level {lot.number} has no exit for its lot: {', '.join(f'{name} {value}' for name, value in told)}"
    look.alarms.append(Alarm(AlarmKind.NO_EXIT_LEVEL, f"{look.leg} {lot.number}", text))
