"""What does not fit together in a grid's parameters, told with numbers before anything is ordered."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

from msgspec.structs import replace

from hedgerow.core.config import BookConfig
from hedgerow.model.ids import LegId
from hedgerow.model.instrument import Instrument, InstrumentKind
from hedgerow.model.numbers import BPS
from hedgerow.model.order import Side
from hedgerow.strategies.grid.brakes import stops_below
from hedgerow.strategies.grid.levels import Frame, Ladder, Misfit, frame_of, shown, worst_cases
from hedgerow.strategies.grid.params import LEVELS_MIN, Direction, GridParams, Progression
from hedgerow.strategies.params import ParamError
from hedgerow.strategies.quoting import foreign_errors, hedge_errors

# On which sides the ladder may enter.
SIDES = {
    Direction.LONG_ONLY: (Side.BUY,),
    Direction.SHORT_ONLY: (Side.SELL,),
    Direction.NEUTRAL: (Side.BUY, Side.SELL),
}
# Where nothing says what the market's price is, a ladder around it is checked with a round one.
SOME_PRICE = Decimal(100)


def grid_leg(config: BookConfig) -> LegId:
    """Return the leg that the ladder stands on: the lead leg, or the only one."""
    return config.hedge.lead if config.hedge is not None else config.legs[0].id


def check(config: BookConfig, params: GridParams) -> list[ParamError]:
    """Return what does not fit together: with the legs, the instrument, or one another."""
    errors = _leg_errors(config)
    if errors:
        return errors
    instrument = config.leg(grid_leg(config)).instrument
    errors = _range_errors(params) + _spacing_errors(params) + _brake_errors(params)
    if params.qty is not None and params.level_notional is not None:
        errors.append(ParamError("level_notional", "the level's size is given twice", "leave it or qty out"))
    if params.direction is not Direction.LONG_ONLY and instrument.kind is InstrumentKind.SPOT:
        errors.append(ParamError("direction", f"{instrument.id} is spot: it cannot be sold short", "use long_only"))
    elif config.hedge is not None:
        errors += foreign_errors(config, "direction", *SIDES[params.direction])
    return errors or _ladder_errors(config, params, instrument)


def _leg_errors(config: BookConfig) -> list[ParamError]:
    if config.hedge is not None:
        return hedge_errors(config)
    if len(config.legs) > 1:
        return [ParamError("hedge", "a grid stands on one leg", "name it `lead`, and a second one `hedge`")]
    return []


def _range_errors(params: GridParams) -> list[ParamError]:
    errors = []
    if params.low is not None:
        if params.center is not None or params.width_bps is not None:
            key = "center" if params.center is not None else "width_bps"
            errors.append(ParamError(key, "the range is given twice", "use low and high, or center and width_bps"))
        if params.high is not None and params.high <= params.low:
            errors.append(
                ParamError("high", f"{params.high} is not above low {params.low}", "resistance is the upper end")
            )
        if params.high is None and (params.levels is None or params.spacing_bps is None):
            errors.append(ParamError("high", "is missing", "needed unless levels and spacing_bps are both given"))
    elif params.high is not None:
        errors.append(ParamError("low", "is missing", "the support; needed with high"))
    elif params.width_bps is None:
        errors.append(ParamError("low", "there is no range", "give low and high, or width_bps with or without center"))
    return errors


def _spacing_errors(params: GridParams) -> list[ParamError]:
    if params.spacing_bps is None and params.levels is None and params.net_return_bps_min is None:
        help_ = "give levels, spacing_bps, or net_return_bps_min"
        return [ParamError("levels", "nothing says how far the levels are apart", help_)]
    errors = []
    fees_bps = params.fee_bps * 2
    if params.spacing_bps is not None and params.spacing_bps <= fees_bps:
        problem = f"a spacing of {params.spacing_bps} bps does not pay the fees of {fees_bps} bps for both orders"
        errors.append(ParamError("spacing_bps", problem, f"use more than {fees_bps}, or correct fee_bps"))
    if params.net_return_bps_min is not None:
        given = "spacing_bps" if params.spacing_bps is not None else "levels" if params.levels is not None else ""
        if given:
            help_ = f"leave it or {given} out"
            errors.append(ParamError("net_return_bps_min", f"the spacing is already given by {given}", help_))
        elif params.net_return_bps_min + fees_bps > params.spacing_bps_max:
            problem = f"{params.spacing_bps_max} is below what is asked for and the fees of {fees_bps} bps"
            help_ = f"use at least {params.net_return_bps_min + fees_bps}"
            errors.append(ParamError("spacing_bps_max", problem, help_))
    if params.usual_atr_bps is not None and params.net_return_bps_min is None:
        problem = "only a spacing from net_return_bps_min follows the ATR"
        errors.append(ParamError("usual_atr_bps", problem, "give that, or leave this out"))
    return errors


def _brake_errors(params: GridParams) -> list[ParamError]:
    errors = []
    chains = (
        ("inventory_throttle", "inventory_gate"),
        ("cost_throttle_bps", "cost_gate_bps"),
        ("volatility_throttle_bps", "volatility_gate_bps"),
        ("loss_throttle", "loss_gate", "stop_loss"),
    )
    for chain in chains:
        given = [(key, getattr(params, key)) for key in chain if getattr(params, key) is not None]
        for (before, lower), (key, upper) in pairwise(given):
            if lower >= upper:
                problem = f"{upper} is not above {before} {lower}"
                errors.append(ParamError(key, problem, "throttle < gate < stop: each one comes after the one before"))
    for key in ("stop_loss", "stop_drawdown"):
        value = getattr(params, key)
        if value is not None and value > params.budget:
            problem = f"{value} is more than the budget {params.budget}"
            errors.append(ParamError(key, problem, "the stop must come before the money is gone"))
    return errors


def _stop_errors(params: GridParams, frame: Frame) -> list[ParamError]:
    """Whether `stop_price` lies where the market comes to when it has left the range on the losing side."""
    ends = _ends(params, frame)
    if params.stop_price is None or ends is None:
        return []
    below = stops_below(params)
    edge = ends[0] if below else ends[1]
    if params.stop_price < edge if below else params.stop_price > edge:
        return []
    problem = f"{params.stop_price} does not lie beyond the range, which ends at {shown(edge)}"
    where = {
        Direction.LONG_ONLY: f"below support: use less than {shown(edge)}",
        Direction.SHORT_ONLY: f"above resistance: use more than {shown(edge)}",
        Direction.NEUTRAL: f"outside: use less than {shown(ends[0])}, or more than {shown(ends[1])}",
    }[params.direction]
    return [ParamError("stop_price", problem, where)]


def _ends(params: GridParams, frame: Frame) -> tuple[Decimal, Decimal] | None:
    """Support and resistance, as far as the config alone says where they are."""
    if params.low is not None:
        return params.low, params.high or frame.rung(frame.count)
    if params.center is None or params.width_bps is None:
        return None
    half = params.center * params.width_bps * BPS / 2
    return params.center - half, params.center + half


def _ladder_errors(config: BookConfig, params: GridParams, instrument: Instrument) -> list[ParamError]:
    """What the ladder itself would come to: its levels' sizes, and all of them filled."""
    try:
        frame = frame_of(params, SOME_PRICE, params.usual_atr_bps)
    except Misfit as misfit:
        return [ParamError(misfit.key, misfit.problem, misfit.help)]
    assert frame is not None, params
    errors = _stop_errors(params, frame)
    if frame.count < LEVELS_MIN:
        problem = f"a spacing of {params.spacing_bps} bps leaves room for {frame.count} level"
        errors.append(
            ParamError("spacing_bps", problem, f"a grid has at least {LEVELS_MIN}: use less, or a wider range")
        )
    if errors:
        return errors
    follows = params.low is None and params.center is None
    ladder = Ladder(params, _smooth(instrument) if follows else instrument, frame)
    levels = (*ladder.buys, *ladder.sells)
    if not follows:
        for level in levels:
            gap = abs(level.exit_price - level.entry_price)
            if level.entry_price <= 0 or level.exit_price <= 0 or gap < instrument.tick:
                problem = f"level {level.number} would enter at {level.entry_price} and exit at {level.exit_price}"
                return [ParamError(_spacing_key(params), problem, f"the tick of {instrument.id} is {instrument.tick}")]
        for level in levels:
            broken = instrument.broken_rule(level.qty, level.entry_price, None, reduce_only=False)
            if level.qty <= 0 or broken is not None:
                least = instrument.smallest_qty(level.entry_price)
                problem = f"level {level.number} would be {level.qty} at {level.entry_price}"
                most = f" to {instrument.max_qty}" if instrument.max_qty is not None else ""
                help_ = f"{instrument.id} takes from {least}{most}: change the money, or the number of levels"
                return [ParamError(_size_key(params, "budget"), problem, help_)]
        largest = params.max_net_qty
        if largest is not None and not any(
            instrument.is_orderable(min(level.qty, largest), level.entry_price) for level in levels
        ):
            least = min(instrument.smallest_qty(level.entry_price) for level in levels)
            problem = f"{largest} is less than one order, so that no entry could ever leave"
            return [ParamError("max_net_qty", problem, f"{instrument.id} takes from {least}")]
        cheapest = min(instrument.notional(level.qty, level.entry_price) for level in levels)
        for key in ("max_notional", "max_order_notional", *(("max_residual",) if config.hedge is not None else ())):
            limit: Decimal | None = getattr(config.limits, key)
            if limit is not None and cheapest > limit:
                problem = f"one level is worth {shown(cheapest)} {instrument.quote}, more than risk.{key} {limit}"
                return [ParamError(_size_key(params, "budget"), problem, "raise the limit, or use smaller levels")]
    fees_bps = params.fee_bps * 2
    is_geometric = params.progression is Progression.GEOMETRIC
    earned_bps = frame.step / BPS if is_geometric else frame.step / ladder.high / BPS
    if earned_bps <= fees_bps:
        where = "" if is_geometric else " at the upper end"
        problem = f"{frame.count} levels are {shown(earned_bps)} bps apart{where}"
        help_ = "use fewer levels, a wider range" if params.spacing_bps is None else "use a larger spacing"
        problem = f"{problem}: that does not pay the fees of {fees_bps}"
        return [ParamError(_spacing_key(params), problem, f"{help_}, or correct fee_bps")]
    return _worst_errors(params, ladder, instrument)


def _worst_errors(params: GridParams, ladder: Ladder, instrument: Instrument) -> list[ParamError]:
    errors = []
    for case in worst_cases(params, ladder, instrument):
        filled = f"all {len(ladder.levels)} levels filled are {shown(case.notional)} {instrument.quote}"
        limit = params.budget * (params.leverage if instrument.kind is not InstrumentKind.SPOT else 1)
        if case.notional > limit:
            problem = f"the grid is wider than the budget: {filled}, more than {shown(limit)}"
            errors.append(
                ParamError(_size_key(params, "leverage"), problem, "use smaller or fewer levels, or a larger budget")
            )
        elif case.liquidation_price is not None and case.distance_bps is not None:
            least = params.liquidation_distance_bps_min
            if case.distance_bps >= least:
                continue
            edge = "below support" if case.side is Side.BUY else "above resistance"
            where = "inside the range" if case.distance_bps < 0 else f"{shown(case.distance_bps / 100)} % {edge}"
            problem = (
                f"{filled} on {params.budget}, {shown(case.notional / params.budget)}x: "
                f"liquidation at about {shown(case.liquidation_price)}, {where}"
            )
            help_ = f"use less leverage or a narrower range, or lower liquidation_distance_bps_min {least}"
            errors.append(ParamError("leverage", problem, help_))
    return errors


def _smooth(instrument: Instrument) -> Instrument:
    """The instrument with a price grid and steps that do not matter: only proportions are checked."""
    fine = Decimal("1e-9")
    return replace(instrument, tick=fine, step=fine, min_qty=fine)


def _spacing_key(params: GridParams) -> str:
    if params.spacing_bps is not None:
        return "spacing_bps"
    return "levels" if params.levels is not None else "net_return_bps_min"


def _size_key(params: GridParams, otherwise: str) -> str:
    if params.qty is not None:
        return "qty"
    return "level_notional" if params.level_notional is not None else otherwise
