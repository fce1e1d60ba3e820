"""What an `exits` book is told, and what of that does not fit together."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import msgspec

from hedgerow.core.config import BookConfig
from hedgerow.model.instrument import InstrumentKind
from hedgerow.model.numbers import ONE
from hedgerow.model.occ import parse_occ
from hedgerow.model.words import Word
from hedgerow.strategies.params import Param, ParamError

TWO = Decimal(2)


class PriceUsed(Word):
    TOUCH = "touch"
    "What an exit would get at once: the bid of a long, the ask of a short."
    MARK = "mark"
    "The middle of both."


class StaleSides(Word):
    BOTH = "both"
    BUY = "buy"
    SELL = "sell"


class ExitsParams(msgspec.Struct, frozen=True, kw_only=True):
    """What an exits book is told."""

    take_profit_rate: Annotated[
        Decimal | None, Param("Close at this part of what it cost; a short as far below its price.", "ratio", above=1)
    ] = Decimal("1.1")
    stop_loss_rate: Annotated[
        Decimal | None, Param("Close at this part of what it cost; a short as far above its price.", "ratio", above=0)
    ] = Decimal("0.8")
    trailing_rate: Annotated[
        Decimal | None,
        Param(
            "Close at this part of the best price since it was first seen (known to a twentieth of the way, and to "
            "10 bps).",
            "ratio",
            above=0,
        ),
    ] = None
    trailing_from_rate: Annotated[
        Decimal, Param("Trailing begins once the price has reached this part of the cost.", "ratio", min=1)
    ] = ONE
    scale_out_rate: Annotated[
        Decimal | None, Param("Sell a part, once, at this part of what it cost.", "ratio", above=1)
    ] = None
    scale_out_part: Annotated[
        Decimal, Param("How much of it `scale_out_rate` sells, rounded down to the step.", "ratio", above=0, max=1)
    ] = Decimal("0.5")
    time_limit_h: Annotated[Decimal | None, Param("Close what has been watched for this long.", "hours", above=0)] = (
        None
    )
    close_of_day_min: Annotated[
        Decimal | None,
        Param("Close everything this long before each day's close; half-days close early.", "minutes", above=0),
    ] = None
    zero_dte_cut_off_min: Annotated[
        Decimal | None,
        Param("Close options on their last day this long before its close.", "minutes", above=0),
    ] = Decimal(10)
    buy_back_rate: Annotated[
        Decimal | None, Param("Buy a short option back when it costs this part of what it brought.", "ratio", above=0)
    ] = Decimal("0.2")
    buy_back_loss_rate: Annotated[
        Decimal | None,
        Param("Buy a short option back when it costs this many times what it brought.", "ratio", above=1),
    ] = TWO
    price_used: Annotated[
        PriceUsed,
        Param("What the rates are compared with; the mark flatters a wide spread, so take it for liquid stocks only."),
    ] = PriceUsed.TOUCH
    slippage_bps_max: Annotated[
        Decimal | None,
        Param("Worst price of an exit, from the price it would get; none sends market orders.", "bps", min=0, max=5000),
    ] = None
    reprice_s: Annotated[
        Decimal, Param("An exit with a worst price follows the market after so long.", "seconds", above=0)
    ] = Decimal(10)
    ladder_rungs: Annotated[int, Param("Limits of the ladder down to the floor when nobody bids.", min=1, max=50)] = 5
    ladder_step_s: Annotated[Decimal, Param("Each rung of the ladder stands for so long.", "seconds", above=0)] = (
        Decimal(10)
    )
    floor_price: Annotated[
        Decimal, Param("Nothing is sold below this when nobody bids.", "quote per base unit", above=0)
    ] = Decimal("0.01")
    stale_order_s: Annotated[
        Decimal | None, Param("Own orders that are older are canceled; the rules then ask anew.", "seconds", above=0)
    ] = Decimal(180)
    stale_sides: Annotated[StaleSides, Param("The sides of which stale orders are canceled.")] = StaleSides.BOTH
    cycle_s: Annotated[Decimal, Param("Everything is looked at this often, whatever happens.", "seconds", above=0)] = (
        Decimal(5)
    )


def check(config: BookConfig, params: ExitsParams) -> list[ParamError]:
    """Return what does not fit together: with the legs, their venues' hours, or one another."""
    errors = []
    if config.hedge is not None:
        help_ = "give each leg another name than lead and hedge"
        return [ParamError("hedge", "exits keeps no hedge: each position is closed by itself", help_)]
    loss, profit = params.stop_loss_rate, params.take_profit_rate
    if loss is not None and loss >= 1:
        errors.append(ParamError("stop_loss_rate", f"{loss} is no loss", "use less than 1, e.g. 0.8"))
    if profit is not None and profit >= TWO:
        help_ = "use less than 2, or none and trailing_rate"
        errors.append(ParamError("take_profit_rate", f"{profit} can never be met by a short", help_))
    if params.trailing_rate is not None and params.trailing_rate >= 1:
        problem = f"{params.trailing_rate} would close at the best price itself"
        errors.append(ParamError("trailing_rate", problem, "use less than 1, e.g. 0.9"))
    if params.scale_out_rate is not None and profit is not None and params.scale_out_rate >= profit:
        problem = f"{params.scale_out_rate} is not below take_profit_rate {profit}, which closes all of it"
        errors.append(ParamError("scale_out_rate", problem, "use less than take_profit_rate"))
    begins = params.trailing_from_rate
    if params.trailing_rate is not None and profit is not None and begins >= profit:
        problem = f"{begins} is not below take_profit_rate {profit}: trailing would never begin"
        errors.append(ParamError("trailing_from_rate", problem, "use less, or take_profit_rate: none"))
    back, back_loss = params.buy_back_rate, params.buy_back_loss_rate
    if back is not None and back >= 1:
        errors.append(ParamError("buy_back_rate", f"{back} is no profit", "use less than 1, e.g. 0.2"))
    if back is not None and back_loss is not None and back_loss <= back:
        errors.append(ParamError("buy_back_loss_rate", "is not above buy_back_rate", "use e.g. 2"))
    return errors + _hours_errors(config, params)


def _hours_errors(config: BookConfig, params: ExitsParams) -> list[ParamError]:
    """What closes by the clock needs to know when the venue closes."""
    errors = []
    help_ = "name its calendar, e.g. `calendar: XNYS` under venues"
    for leg in config.legs:
        is_option = leg.instrument.kind is InstrumentKind.OPTION
        symbol = leg.instrument.id.partition(":")[2]
        if is_option and params.zero_dte_cut_off_min is not None and parse_occ(symbol) is None:
            where = f"{leg.instrument.id}: its symbol does not say when it expires"
            errors.append(ParamError("zero_dte_cut_off_min", where, "use none, and time_limit_h or close_of_day_min"))
            continue
        if leg.instrument.venue_id in config.sessions:
            continue
        where = f"{leg.instrument.id}: nothing says when {leg.instrument.venue_id} closes"
        if params.close_of_day_min is not None:
            errors.append(ParamError("close_of_day_min", where, help_))
        elif is_option and params.zero_dte_cut_off_min is not None:
            errors.append(ParamError("zero_dte_cut_off_min", where, help_))
    return errors
