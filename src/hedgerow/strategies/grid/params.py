"""What a grid book is told."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import msgspec

from hedgerow.model.words import Word
from hedgerow.strategies.params import Param

# What one level sells, no other one may buy back: that is no ladder.
LEVELS_MIN = 2


class Direction(Word):
    LONG_ONLY = "long_only"
    "Every level buys and sells again one spacing above."
    SHORT_ONLY = "short_only"
    "Every level sells and buys back one spacing below."
    NEUTRAL = "neutral"
    "Levels below the center are long, those above it short."


class Progression(Word):
    GEOMETRIC = "geometric"
    "Every level is the same percentage above the one below it."
    ARITHMETIC = "arithmetic"
    "Every level is the same amount above the one below it."


class Sizing(Word):
    QUOTE = "quote"
    "Every level is worth the same."
    BASE = "base"
    "Every level has the same qty."


class OutOfRange(Word):
    WAIT = "wait"
    "The range stays; what rests and what is held stays with it."
    RECENTER = "recenter"
    "The range is moved to the market by whole spacings."
    STOP = "stop"
    "The book is flattened and frozen."


class RecenterWhen(Word):
    FLAT = "flat"
    "Only when nothing is held."
    HELD = "held"
    "Also while lots are held: they keep their exits where they are."


class StrayExit(Word):
    HOLD = "hold"
    "It is held and alarmed: no order leaves at a price that its entry was not made for."
    OWN_PRICE = "own_price"
    "It is offered one spacing from its own cost."


class GridParams(msgspec.Struct, frozen=True, kw_only=True):
    """What a grid book is told. The range, the spacing, the money; what it does when they are left; what stops it."""

    budget: Annotated[Decimal, Param("What the grid may lose in all: its collateral.", "quote", above=0)]
    leverage: Annotated[
        Decimal, Param("All levels filled come to at most this many times the budget.", above=0, max=125)
    ] = Decimal(1)
    direction: Annotated[Direction, Param("On which side levels enter.")] = Direction.LONG_ONLY

    low: Annotated[Decimal | None, Param("Support: the lowest rung of the ladder.", "quote per base unit", above=0)] = (
        None
    )
    high: Annotated[Decimal | None, Param("Resistance: no rung lies above it.", "quote per base unit", above=0)] = None
    center: Annotated[
        Decimal | None,
        Param(
            "Middle of the range, with `width_bps` instead of `low` and `high`; none takes the first price seen.",
            "quote per base unit",
            above=0,
        ),
    ] = None
    width_bps: Annotated[
        Decimal | None, Param("The whole range around the center.", "bps of the center", above=0, max=19_000)
    ] = None

    progression: Annotated[Progression, Param("How levels follow one another.")] = Progression.GEOMETRIC
    levels: Annotated[
        int | None,
        Param("How many levels; with a spacing as well, they must fit into the range.", min=LEVELS_MIN, max=500),
    ] = None
    spacing_bps: Annotated[
        Decimal | None,
        Param("From one level to the next; an arithmetic one is taken at the middle of the range.", "bps", above=0),
    ] = None
    net_return_bps_min: Annotated[
        Decimal | None,
        Param(
            "What each level must earn after fees, the highest included: the spacing follows, when it and `levels` are "
            "none.",
            "bps",
            above=0,
        ),
    ] = None
    fee_bps: Annotated[Decimal, Param("Fee of one resting order.", "bps", min=0, max=1000)] = Decimal(2)
    usual_atr_bps: Annotated[
        Decimal | None,
        Param(
            "The market's usual ATR: when it is twice as large, the spacing from `net_return_bps_min` is as well.",
            "bps",
            above=0,
        ),
    ] = None
    spacing_bps_max: Annotated[Decimal, Param("Cap of a spacing that follows the ATR.", "bps", above=0)] = Decimal(200)
    atr_bar_s: Annotated[int, Param("Length of one bar of the ATR.", "seconds", min=1, max=86_400)] = 60
    atr_bars: Annotated[
        int, Param("Moves from close to close that the ATR is the mean of.", "bars", min=2, max=100)
    ] = 14

    sizing: Annotated[Sizing, Param("What is equal from level to level when the budget is shared out.")] = Sizing.QUOTE
    qty: Annotated[
        Decimal | None, Param("Size of the first level; none shares out budget x leverage.", "base units", above=0)
    ] = None
    level_notional: Annotated[
        Decimal | None, Param("Worth of the first level, instead of `qty`.", "quote", above=0)
    ] = None
    weight_ratio: Annotated[
        Decimal,
        Param("Size of each level to that of the one before it, away from where the ladder begins.", above=0, max=3),
    ] = Decimal(1)
    maintenance_bps: Annotated[
        Decimal, Param("Maintenance margin of the venue, for the worst case.", "bps of notional", min=0, max=5000)
    ] = Decimal(50)
    liquidation_distance_bps_min: Annotated[
        Decimal,
        Param("All levels filled, liquidation must be at least this far beyond the range.", "bps", min=0, max=10_000),
    ] = Decimal(500)

    active_levels: Annotated[
        int, Param("So many entries rest, those nearest to the market, on each side.", min=1, max=500)
    ] = 10
    hysteresis_levels: Annotated[
        int, Param("A resting entry stays until it is so many levels too far away.", min=0, max=100)
    ] = 2
    pairing_bps_max: Annotated[
        Decimal, Param("An exit may be off one spacing from its lot's cost by so much.", "bps", min=0, max=1000)
    ] = Decimal(10)
    stray_exit: Annotated[StrayExit, Param("What becomes of a lot that no level of the ladder fits.")] = StrayExit.HOLD

    out_of_range: Annotated[OutOfRange, Param("What happens when the market leaves the range.")] = OutOfRange.WAIT
    out_of_range_s: Annotated[
        Decimal, Param("It must have left it for this long before anything is done.", "seconds", min=0)
    ] = Decimal(60)
    recenter_when: Annotated[RecenterWhen, Param("When the range may be moved.")] = RecenterWhen.FLAT

    max_net_qty: Annotated[Decimal | None, Param("Nothing is entered beyond this position.", "base units", above=0)] = (
        None
    )
    throttle_ratio: Annotated[
        Decimal, Param("Size of entries while a throttle is on, to the usual size.", above=0, max=1)
    ] = Decimal("0.5")
    inventory_throttle: Annotated[
        Decimal | None, Param("Throttle when so much of the whole ladder is held.", "ratio", above=0, max=1)
    ] = None
    inventory_gate: Annotated[
        Decimal | None, Param("Nothing is entered while so much of it is held.", "ratio", above=0, max=1)
    ] = None
    cost_throttle_bps: Annotated[
        Decimal | None,
        Param("Throttle when the market is this far beyond the average cost, on the losing side.", "bps", above=0),
    ] = None
    cost_gate_bps: Annotated[Decimal | None, Param("Nothing is entered while it is this far.", "bps", above=0)] = None
    volatility_throttle_bps: Annotated[
        Decimal | None, Param("Throttle when the ATR is this large.", "bps", above=0)
    ] = None
    volatility_gate_bps: Annotated[
        Decimal | None, Param("Nothing is entered while the ATR is this large.", "bps", above=0)
    ] = None
    loss_throttle: Annotated[Decimal | None, Param("Throttle at this loss, open and realized.", "quote", above=0)] = (
        None
    )
    loss_gate: Annotated[Decimal | None, Param("Nothing is entered at this loss.", "quote", above=0)] = None
    profit_lock: Annotated[
        Decimal | None,
        Param("Nothing more is entered once completed levels have earned this, after fees.", "quote", above=0),
    ] = None
    stop_loss: Annotated[Decimal | None, Param("At this loss the book is flattened.", "quote", above=0)] = None
    stop_drawdown: Annotated[
        Decimal | None,
        Param("So far below its best P&L (known to a twentieth of this) the book is flattened.", "quote", above=0),
    ] = None
    stop_price: Annotated[
        Decimal | None,
        Param("When the market gets here, the book is flattened.", "quote per base unit", above=0),
    ] = None
    slippage_bps_max: Annotated[
        Decimal | None,
        Param(
            "With a hedge leg: its worst price, from the far side; none sends market orders.", "bps", min=0, max=5000
        ),
    ] = Decimal(50)

    @property
    def needs_atr(self) -> bool:
        """Whether anything depends on the market's volatility."""
        return any((self.usual_atr_bps, self.volatility_throttle_bps, self.volatility_gate_bps))
