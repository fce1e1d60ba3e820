"""What a pair book is told, and whether it fits its legs."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import msgspec

from hedgerow.core.config import BookConfig
from hedgerow.model.instrument import Instrument, InstrumentKind
from hedgerow.model.numbers import ONE
from hedgerow.model.words import Word
from hedgerow.strategies.params import Param, ParamError


class Rounds(Word):
    SINGLE = "single"
    "One round at the first start, and one more for each signal."
    CONTINUOUS = "continuous"
    "One round after the other, with `pause_s` between."


class First(Word):
    THINNER = "thinner"
    "The one whose book holds less on the side that is taken: the other one is the surer to follow."
    LONG = "long"
    SHORT = "short"


class AfterExit(Word):
    CLOSE_BOTH = "close_both"
    "The other leg is closed at once."
    RUN_WINNER = "run_winner"
    "The other leg stays, unhedged, until its own take-profit, its own stop or the time limit."


class BelowMinimum(Word):
    RAISE = "raise"
    "The round is as large as the larger minimum."
    REFUSE = "refuse"
    "There is no round."


class PairParams(msgspec.Struct, frozen=True, kw_only=True):
    """What a pair book is told."""

    notional: Annotated[
        Decimal | None, Param("Size of each leg, instead of `qty`; rounded down to the coarser lot.", "quote", above=0)
    ] = None
    qty: Annotated[Decimal | None, Param("Size of each leg, instead of `notional`.", "base units", above=0)] = None
    below_minimum: Annotated[
        BelowMinimum, Param("What becomes of a `notional` that is below a venue's smallest order.")
    ] = BelowMinimum.RAISE
    rounds: Annotated[Rounds, Param("Whether another round follows.")] = Rounds.SINGLE
    pause_s: Annotated[Decimal, Param("Time between two rounds.", "seconds", min=0)] = Decimal(60)
    failures_max: Annotated[
        int, Param("After so many rounds in a row that did not open, no more begin until a resume.", "rounds", min=1)
    ] = 3
    first: Annotated[First, Param("Which leg opens first; the other one follows its fills.")] = First.THINNER
    open_timeout_s: Annotated[
        Decimal,
        Param(
            "From the first fill on, the second leg is tried for this long; then what has opened is closed again.",
            "seconds",
            above=0,
        ),
    ] = Decimal(10)
    slippage_bps_max: Annotated[
        Decimal | None,
        Param("Worst price when opening, from the far side; none sends market orders.", "bps", min=0, max=5000),
    ] = Decimal(50)
    stop_loss_bps: Annotated[
        Decimal | None, Param("A leg that lost this much is closed.", "bps", above=0, max=10_000)
    ] = Decimal(80)
    take_profit_bps: Annotated[
        Decimal | None, Param("A limit order to close each leg rests this far in profit.", "bps", above=0, max=10_000)
    ] = Decimal(120)
    net_stop_loss_bps: Annotated[
        Decimal | None, Param("Both legs are closed when together they lost this part of one leg.", "bps", above=0)
    ] = None
    net_take_profit_bps: Annotated[
        Decimal | None, Param("Both legs are closed when together they won this part of one leg.", "bps", above=0)
    ] = None
    after_exit: Annotated[AfterExit, Param("What becomes of the other leg once one is out.")] = AfterExit.CLOSE_BOTH
    max_hold_s: Annotated[
        Decimal | None, Param("From its first fill on, a round is closed after this long.", "seconds", above=0)
    ] = Decimal(3600)
    monitor_s: Annotated[
        Decimal, Param("The legs are looked at this often, and on each quote that crosses a limit.", "seconds", above=0)
    ] = Decimal(5)
    entry_basis_bps_min: Annotated[
        Decimal | None, Param("Open when the short leg's bid is this far above the long leg's ask.", "bps")
    ] = None
    entry_spread_bps_max: Annotated[
        Decimal | None, Param("Open when each leg's ask is at most this far above its bid.", "bps", above=0)
    ] = None
    entry_funding_bps_per_day_min: Annotated[
        Decimal | None,
        Param("Open when the short leg receives this much more funding than the long leg pays.", "bps per day"),
    ] = None


def check(config: BookConfig, params: PairParams) -> list[ParamError]:
    """Return what does not fit together: with the legs, the instruments, or one another."""
    rule = config.hedge
    if rule is None or rule.lead == rule.hedge:
        return [ParamError("hedge", "pair needs a long and a short leg", "name its legs `long` and `short`")]
    errors = []
    if rule.ratio != -ONE:
        problem = f"the ratio {rule.ratio} is not -1"
        errors.append(ParamError("hedge", problem, "leave the ratio out: both legs have equal size"))
    long, short = config.leg(rule.lead).instrument, config.leg(rule.hedge).instrument
    if long.base != short.base:
        problem = f"{long.id} is {long.base} and {short.id} is {short.base}"
        errors.append(ParamError("hedge", problem, "trade the same base currency on both legs"))
    if short.kind is InstrumentKind.SPOT:
        help_ = "use a perpetual or a margin account for the short leg"
        errors.append(ParamError("hedge", f"{short.id} is spot and cannot be sold short", help_))
    return errors + _size_errors(params, long, short) + _limit_errors(config, params) + _time_errors(params)


def _size_errors(params: PairParams, long: Instrument, short: Instrument) -> list[ParamError]:
    if (params.qty is None) == (params.notional is None):
        problem = "is missing" if params.qty is None else "is set beside qty"
        return [ParamError("notional", problem, "set one of the two: notional in quote, or qty in base units")]
    if params.qty is None:
        return []
    lot = common_lot(long, short)
    if params.qty % lot != 0:
        return [ParamError("qty", f"{params.qty} is off the lot that both venues take", f"use a multiple of {lot}")]
    smallest = max(each.min_qty * each.multiplier for each in (long, short))
    if params.qty < smallest:
        return [ParamError("qty", f"{params.qty} is below a venue's smallest order", f"use at least {smallest}")]
    return []


def _limit_errors(config: BookConfig, params: PairParams) -> list[ParamError]:
    """Return which limits leave no room for a round: its first leg opens in full before the other one follows."""
    limits = {key: getattr(config.limits, key) for key in ("max_notional", "max_residual", "max_order_notional")}
    return [
        ParamError("notional", f"{params.notional} is above risk.{key} {limit}", "raise the limit, or use less")
        for key, limit in limits.items()
        if params.notional is not None and limit is not None and params.notional > limit
    ]


def _time_errors(params: PairParams) -> list[ParamError]:
    """Return whether a round is left enough time to open: both limits count from its first fill on."""
    hold_s, open_s = params.max_hold_s, params.open_timeout_s
    if hold_s is None or hold_s > open_s:
        return []
    problem = f"{hold_s} is not above open_timeout_s {open_s}: a round would be closed while it still opens"
    return [ParamError("max_hold_s", problem, f"use more than {open_s}, or a shorter open_timeout_s")]


def takes_signals(params: PairParams) -> bool:
    """Return whether a signal begins a round."""
    return params.rounds is Rounds.SINGLE


def common_lot(long: Instrument, short: Instrument) -> Decimal:
    """Return the smallest size, base units, that is on the step of both legs."""
    ours, theirs = long.step * long.multiplier, short.step * short.multiplier
    rest, lot = (ours, theirs) if ours > theirs else (theirs, ours)
    while lot:
        rest, lot = lot, rest % lot
    return (ours * theirs / rest).normalize()
