"""The ladder of a grid: its rungs, what each level enters and exits at, and what all of it filled would come to.

A level is one rung with its pair: its entry and its exit are made together and are never looked up apart. Levels are
numbered from the support upwards, from 1; a ladder that is moved by whole spacings keeps each level's number and price.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

import msgspec

from hedgerow.model.instrument import Instrument, InstrumentKind
from hedgerow.model.numbers import BPS, ONE, ZERO
from hedgerow.model.order import Side
from hedgerow.strategies.grid.params import Direction, GridParams, Progression, Sizing

CENT = Decimal("0.01")


class Frame(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where the ladder stands: its lowest rung, the way from rung to rung, and how many levels it has."""

    low: Decimal
    "Price of its lowest rung, on no tick."
    step: Decimal
    "Geometric: the ratio of two rungs less 1. Arithmetic: their difference, quote."
    count: int
    is_arithmetic: bool = False
    start: int = 0
    "Number of its lowest rung. A ladder that is made anew goes on counting where remainders of the old one lie."

    def rung(self, number: int) -> Decimal:
        """Return the price of a rung, on no tick; beyond its ends the ladder goes on in the same way."""
        steps = number - self.start
        return self.low + self.step * steps if self.is_arithmetic else self.low * (ONE + self.step) ** steps

    def above(self, price: Decimal) -> Decimal:
        """Return what lies one spacing above `price`."""
        return price + self.step if self.is_arithmetic else price * (ONE + self.step)

    def below(self, price: Decimal) -> Decimal:
        """Return what lies one spacing below `price`."""
        return price - self.step if self.is_arithmetic else price / (ONE + self.step)

    def nearest(self, price: Decimal) -> int:
        """Return the number of the rung nearest to `price`."""
        at = (price - self.low) / self.step if self.is_arithmetic else (price / self.low).ln() / (ONE + self.step).ln()
        return self.start + int(at.to_integral_value())


class Level(msgspec.Struct, frozen=True):
    """One level: the order that enters, and the one that exits, one spacing apart to within a tick."""

    number: int
    side: Side
    "Of its entry."
    entry_price: Decimal
    exit_price: Decimal
    qty: Decimal
    "Of a whole entry, on the step."
    entry_slot: str
    exit_slot: str


class WorstCase(msgspec.Struct, frozen=True):
    """All levels of one side filled."""

    side: Side
    qty: Decimal
    notional: Decimal
    "At the entries' prices, quote."
    liquidation_price: Decimal | None
    "Where the budget no longer covers the maintenance margin; None: nowhere."
    distance_bps: Decimal | None
    "From the edge of the range to there; negative is inside of it."


class Misfit(ValueError):
    """The parameters make no ladder. `key` is the one to look at."""

    def __init__(self, key: str, problem: str, help_: str) -> None:
        super().__init__(problem)
        self.key, self.problem, self.help = key, problem, help_


class Ladder:
    """All levels of a grid in one place. Made once for a frame and an offset; it never changes."""

    def __init__(self, params: GridParams, instrument: Instrument, frame: Frame, offset: int = 0) -> None:
        self.frame = frame
        self.first, self.last = frame.start + 1 + offset, frame.start + frame.count + offset
        self.low, self.high = frame.rung(self.first - 1), frame.rung(self.last)
        self._instrument = instrument
        top = self._highest_long(params.direction)
        self.buys = self._sized(params, list(range(top, self.first - 1, -1)), Side.BUY)
        "Levels that buy first, from the highest one down."
        self.sells = self._sized(params, list(range(top + 1, self.last + 1)), Side.SELL)
        "Levels that sell first, from the lowest one up."
        self.levels = {level.number: level for level in (*self.buys, *self.sells)}
        self.full_qty = max(sum((level.qty for level in side), ZERO) for side in (self.buys, self.sells))

    def exit_price(self, number: int, side: Side) -> Decimal:
        """Return the exit's price of a lot that was entered on `side` at a level, of the ladder or beyond its ends."""
        return self._prices(number, side)[1]

    def own_exit_price(self, cost: Decimal, side: Side) -> Decimal:
        """Return the price one spacing from `cost`, on the tick, never less."""
        wanted = self.frame.above(cost) if side is Side.BUY else self.frame.below(cost)
        return self._instrument.passive_price(wanted, side.opposite)

    def off_bps(self, cost: Decimal, exit_price: Decimal, side: Side) -> Decimal:
        """Return how far an exit is from one spacing of the lot's cost, beyond a tick, >= 0."""
        wanted = self.frame.above(cost) if side is Side.BUY else self.frame.below(cost)
        return max(abs(exit_price - wanted) - self._instrument.tick, ZERO) / cost / BPS

    def _highest_long(self, direction: Direction) -> int:
        """The highest level that is long; all above it are short."""
        if direction is Direction.LONG_ONLY:
            return self.last
        if direction is Direction.SHORT_ONLY:
            return self.first - 1
        middle, rung = (self.low + self.high) / 2, self.frame.rung
        below = [n for n in range(self.first, self.last + 1) if (rung(n - 1) + rung(n)) / 2 <= middle]
        return below[-1] if below else self.first - 1

    def _prices(self, number: int, side: Side) -> tuple[Decimal, Decimal]:
        instrument, frame = self._instrument, self.frame
        if side is Side.BUY:
            entry = instrument.passive_price(frame.rung(number - 1), Side.BUY)
            return entry, instrument.passive_price(frame.above(entry), Side.SELL)
        entry = instrument.passive_price(frame.rung(number), Side.SELL)
        return entry, instrument.passive_price(frame.below(entry), Side.BUY)

    def _sized(self, params: GridParams, numbers: list[int], side: Side) -> tuple[Level, ...]:
        """The levels of one side, sized by their weights, in the order in which the market reaches them."""
        if not numbers:
            return ()
        weights = [params.weight_ratio**place for place in range(len(numbers))]
        prices = [self._prices(number, side) for number in numbers]
        units = [entry * self._instrument.multiplier for entry, _ in prices]
        worth = params.budget * params.leverage
        if params.qty is not None:
            sizes = [params.qty * weight for weight in weights]
        elif params.level_notional is not None:
            sizes = [_bought(params.level_notional * weight, unit) for weight, unit in zip(weights, units, strict=True)]
        elif params.sizing is Sizing.QUOTE:
            part = worth / sum(weights, ZERO)
            sizes = [_bought(part * weight, unit) for weight, unit in zip(weights, units, strict=True)]
        else:
            part = _bought(worth, sum((weight * unit for weight, unit in zip(weights, units, strict=True)), ZERO))
            sizes = [part * weight for weight in weights]
        return tuple(
            Level(
                number,
                side,
                entry,
                exit_,
                self._instrument.floor_qty(size),
                entry_slot(number, side),
                exit_slot(number, side, 0),
            )
            for number, (entry, exit_), size in zip(numbers, prices, sizes, strict=True)
        )


def _bought(worth: Decimal, unit: Decimal) -> Decimal:
    """What so much money buys; nothing at a price that is less than a tick."""
    return worth / unit if unit > 0 else ZERO


def entry_slot(number: int, side: Side) -> str:
    """Return the slot of a level's entry. What stands before the colon names the lot that its fills move."""
    return f"{number}:{side.value}"


def exit_slot(number: int, side: Side, place: int) -> str:
    """Return the slot of an exit of a level that was entered on `side`: one for each increment that came apart."""
    return f"{number}:{side.opposite.value}" + (f":{place + 1}" if place else "")


def shown(number: Decimal) -> str:
    """Return a number for people: at most two digits after the point, none that say nothing."""
    return f"{number.quantize(CENT).normalize():f}"


def frame_of(params: GridParams, price: Decimal | None, atr_bps: Decimal | None) -> Frame | None:
    """Return the frame that the parameters describe.

    Args:
        params: range, spacing, number of levels.
        price: the market, where the range is to lie around it; None while there is none.
        atr_bps: where the spacing follows it; None while it is not known.

    Returns:
        None while the price, or the volatility, that it needs is not known.

    Raises:
        Misfit: there is no such ladder.
    """
    if params.low is not None:
        low, high = params.low, params.high
    else:
        center = params.center or price
        if center is None:
            return None
        assert params.width_bps is not None, params
        half = params.width_bps * BPS / 2
        low, high = center * (1 - half), center * (1 + half)
    is_arithmetic = params.progression is Progression.ARITHMETIC
    spacing_bps = spacing_of(params, atr_bps)
    if spacing_bps is None:
        if params.levels is None:
            return None
        assert high is not None, params
        if is_arithmetic:
            return Frame(low, (high - low) / params.levels, params.levels, True)
        return Frame(low, ((high / low).ln() / params.levels).exp() - 1, params.levels)
    unit = ONE
    if is_arithmetic and high is not None:
        # What a level must earn, the highest one must earn too, and of its price the step is the smallest part.
        unit = high if params.spacing_bps is None else (low + high) / 2
    elif is_arithmetic:
        unit = low
    least_bps = spacing_of(params, params.usual_atr_bps)
    if high is not None and least_bps is not None and spacing_bps > least_bps:
        # A spacing that follows the market grows no wider than the range: one level to enter, and one to exit.
        widest_bps = (high - low) / (unit if is_arithmetic else low) / BPS
        spacing_bps = max(least_bps, min(spacing_bps, widest_bps.quantize(CENT, ROUND_FLOOR)))
    step = spacing_bps * BPS * unit
    if high is None:
        assert params.levels is not None, params
        return Frame(low, step, params.levels, is_arithmetic)
    reach = (high - low) / step if is_arithmetic else (high / low).ln() / (ONE + step).ln()
    # Half a millionth of a level is rounding, not a level that does not fit.
    count = int((reach + Decimal("0.0000005")).to_integral_value(ROUND_FLOOR))
    if count < 1:
        problem = f"a spacing of {spacing_bps} bps is wider than the range"
        raise Misfit("spacing_bps", problem, "use less, or a wider range")
    if params.levels is not None and params.levels > count:
        fitting = f"only {count} levels of {spacing_bps} bps fit into the range"
        problem = f"level {count + 1} would have no exit level: {fitting}"
        raise Misfit("levels", problem, f"use at most {count}, a smaller spacing, or leave one of the two out")
    return Frame(low, step, params.levels or count, is_arithmetic)


def spacing_of(params: GridParams, atr_bps: Decimal | None) -> Decimal | None:
    """Return the spacing in bps; None when it follows from the number of levels, or the ATR is not known yet."""
    if params.spacing_bps is not None or params.net_return_bps_min is None or params.levels is not None:
        return params.spacing_bps
    least = params.net_return_bps_min + params.fee_bps * 2
    if params.usual_atr_bps is None:
        return least
    if atr_bps is None:
        return None
    wanted = least * max(atr_bps / params.usual_atr_bps, ONE)
    return min(wanted, max(params.spacing_bps_max, least)).quantize(Decimal("0.01"))


def worst_cases(params: GridParams, ladder: Ladder, instrument: Instrument) -> list[WorstCase]:
    """Return what each side comes to with all its levels filled."""
    cases = []
    for side, levels in ((Side.BUY, ladder.buys), (Side.SELL, ladder.sells)):
        qty = sum((level.qty for level in levels), ZERO)
        if qty == 0:
            continue
        notional = sum((instrument.notional(level.qty, level.entry_price) for level in levels), ZERO)
        liquidation, distance = None, None
        if instrument.kind is not InstrumentKind.SPOT:
            margin = params.maintenance_bps * BPS
            units = qty * instrument.multiplier
            if side is Side.BUY:
                liquidation = max((notional - params.budget) / (units * (1 - margin)), ZERO)
                distance = (ladder.low - liquidation) / ladder.low / BPS
            else:
                liquidation = (notional + params.budget) / (units * (1 + margin))
                distance = (liquidation - ladder.high) / ladder.high / BPS
        cases.append(WorstCase(side, qty, notional, liquidation, distance))
    return cases
