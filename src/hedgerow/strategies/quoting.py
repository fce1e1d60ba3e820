"""What the policies share: quoting on the lead leg at a depth of the book, and when the hedge leg lets it."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hedgerow.core import guard
from hedgerow.core.book import Book
from hedgerow.core.commands import Mode
from hedgerow.core.config import NS_PER_S, BookConfig
from hedgerow.core.holds import WITHDRAWS, Hold, HoldReason
from hedgerow.core.planner import refusal_hold
from hedgerow.core.target import Resting
from hedgerow.model.ids import LegId
from hedgerow.model.instrument import Instrument, InstrumentKind, Rule
from hedgerow.model.market import Quote
from hedgerow.model.numbers import ZERO
from hedgerow.model.order import Order, Role, Side
from hedgerow.strategies.params import ParamError
from hedgerow.strategies.waking import Promise, best_stays

# Fees in the base asset take at most this part of what was entered; less than it missing is no need for an order.
FEE_PART_MAX = 100


class Wish(msgspec.Struct, frozen=True):
    """One order that the policy would like to rest, before its own reasons against it."""

    slot: str
    leg_id: LegId
    side: Side
    qty: Decimal
    "> 0; a standing order with more leaves is replaced."
    price: Decimal | None
    "On the tick; None while there is none, and then `no_price` says why."
    role: Role
    timeout_ns: int
    "A standing order keeps its price until it is this old."
    post_only: bool
    no_price: HoldReason = HoldReason.NO_MARK_PRICE
    at_best: bool = False
    "The price is the best one of the order's own side."


class Quoted(msgspec.Struct, frozen=True):
    """What becomes of a wish: an order that should stand, or a hold; and when to look again."""

    resting: Resting | None = None
    hold: Hold | None = None
    wake_ts_ns: int | None = None
    promise: Promise = ()
    "Of quotes, until `wake_ts_ns`."


class Reason(msgspec.Struct, frozen=True):
    """Why nothing new may be made now. A reason that withdraws takes standing orders back as well."""

    reason: HoldReason
    numbers: tuple[tuple[str, str], ...] = ()

    @property
    def withdraws(self) -> bool:
        return self.reason in WITHDRAWS


def quoted(book: Book, wish: Wish, standing: Order | None, reason: Reason | None) -> Quoted:
    """Return the wish as a resting order: a young one keeps its price, and nothing new is made against a reason."""
    promise: Promise = () if reason is not None and reason.reason is not HoldReason.NO_MARK_PRICE else None
    if standing is None:
        if reason is not None:
            hold = Hold(reason.reason, wish.leg_id, wish.slot, reason.numbers)
            return Quoted(hold=hold, promise=promise)
        if wish.price is None:
            return Quoted(hold=Hold(wish.no_price, wish.leg_id, wish.slot), promise=None)
        refusal = book.refusal(wish.leg_id, wish.slot)
        waits = refusal is not None and refusal.side is wish.side and book.now_ns < refusal.retry_ts_ns
        if refusal is not None and waits and book.mode is Mode.RUNNING:
            # The next try is spaced: until then no price is worth a look.
            return Quoted(hold=refusal_hold(wish.leg_id, wish.slot, refusal), wake_ts_ns=refusal.retry_ts_ns)
        return Quoted(_resting(book, wish, wish.price), promise=None)
    if reason is not None and reason.withdraws:
        return Quoted(hold=Hold(reason.reason, wish.leg_id, wish.slot, reason.numbers), promise=promise)
    if reason is not None:
        return Quoted(_resting(book, wish, standing.limit_price), promise=promise)
    due_ns = standing.submitted_ts_ns + wish.timeout_ns
    if book.now_ns < due_ns:
        return Quoted(_resting(book, wish, standing.limit_price), wake_ts_ns=due_ns)
    if wish.price is None or wish.price == standing.limit_price:
        tick = book.legs[wish.leg_id].instrument.tick
        stays = best_stays(wish.leg_id, book.quote(wish.leg_id), wish.side, tick) if wish.at_best else None
        return Quoted(_resting(book, wish, standing.limit_price), promise=stays)
    return Quoted(_resting(book, wish, wish.price), promise=None)


def _resting(book: Book, wish: Wish, price: Decimal | None) -> Resting:
    reduce_only = wish.role is Role.EXIT and book.legs[wish.leg_id].instrument.can_reduce_only
    return Resting(wish.slot, wish.leg_id, wish.side, wish.qty, price, wish.role, wish.post_only, reduce_only)


def depth_price(quote: Quote | None, side: Side, depth: int) -> tuple[Decimal | None, HoldReason]:
    """Return the price at level `depth` (1 is best) of the order's own side, else None and why there is none."""
    if quote is None:
        return None, HoldReason.NO_MARK_PRICE
    levels = quote.bids if side is Side.BUY else quote.asks
    if len(levels) < depth:
        return None, HoldReason.BOOK_TOO_THIN
    return levels[depth - 1][0], HoldReason.BOOK_TOO_THIN


def hedge_reason(book: Book, hedge: LegId, *, is_level: bool) -> Reason | None:
    """Return why the hedge leg could not follow a new fill of the lead leg, or None when it can."""
    if hedge in book.state.links_down:
        return Reason(HoldReason.LINK_DOWN, (("leg", hedge),))
    if book.config.sessions and guard.is_closed(book, hedge):
        return Reason(HoldReason.MARKET_CLOSED, (("leg", hedge),))
    if not is_level:
        return Reason(HoldReason.GATED, (("residual", str(book.residual)),))
    if hedge in book.unreconciled:
        return Reason(HoldReason.RECONCILING, (("leg", hedge),))
    quote = book.quote(hedge)
    if quote is None or not (quote.bids or quote.asks):
        return Reason(HoldReason.NO_MARK_PRICE, (("leg", hedge),))
    return None


def is_worth_it(free: Decimal, qty: Decimal, instrument: Instrument) -> bool:
    """Return whether `free` is a need of its own, not only what fees in the base asset took from the last orders."""
    return free >= instrument.min_qty and free * FEE_PART_MAX >= qty


def exit_qty(held: Decimal, qty: Decimal, instrument: Instrument, standing: Order | None) -> Decimal:
    """Return the size of an exit of at most `held`: `qty`, or all of it when the remainder would be too small.

    A standing exit that is covered by what is held keeps its size.
    """
    wanted = held if held - qty < instrument.min_qty else qty
    leaves_qty = standing.leaves_qty if standing is not None else ZERO
    return leaves_qty if wanted < leaves_qty <= held else wanted


def earliest(*times: int | None) -> int | None:
    """Return the earliest time; None when there is none."""
    first = None
    for ts_ns in times:
        if ts_ns is not None and (first is None or ts_ns < first):
            first = ts_ns
    return first


def to_ns(seconds: Decimal) -> int:
    return int(seconds * NS_PER_S)


def hedge_errors(config: BookConfig) -> list[ParamError]:
    """Return what is wrong with the legs of a book that needs one lead and one hedge leg."""
    rule = config.hedge
    if rule is None:
        return [ParamError("hedge", f"{config.policy} needs a lead and a hedge leg", "add `hedge` with both legs")]
    errors = []
    if rule.ratio == ZERO:
        errors.append(ParamError("hedge", "the ratio is 0", "use -1 for the opposite side in equal size"))
    known = {leg.id for leg in config.legs}
    for leg_id in (rule.lead, rule.hedge):
        if leg_id not in known:
            errors.append(ParamError("hedge", f"there is no leg {leg_id}", f"legs are {', '.join(sorted(known))}"))
    if rule.lead == rule.hedge:
        errors.append(ParamError("hedge", "lead and hedge are one leg", "name two legs"))
    return errors


def foreign_errors(config: BookConfig, key: str, *sides: Side) -> list[ParamError]:
    """Return which leg would sell coins that the book never bought: on spot nothing else can be sold first.

    Args:
        key: the parameter that says on which side the lead leg enters.
        sides: those on which it may.
    """
    assert config.hedge is not None, config.book_id
    rule = config.hedge
    errors = []
    for leg_id, ratio, at in ((rule.lead, 1, key), (rule.hedge, rule.ratio, "hedge")):
        leg = config.leg(leg_id)
        sells = any(side.sign * ratio < 0 for side in sides)
        if sells and leg.instrument.kind is InstrumentKind.SPOT and not (leg.adopt or leg.adopt_later):
            problem = f"the {leg_id} leg would begin by selling {leg.instrument.id}: spot that is not the book's"
            help_ = "use a margin account or a perpetual there, or `adopt: true` to sell what the account has"
            errors.append(ParamError(at, problem, help_))
    return errors


def qty_errors(config: BookConfig, key: str, qty: Decimal) -> list[ParamError]:
    """Return what the lead leg's venue would refuse about orders of `qty`."""
    assert config.hedge is not None, config.book_id
    instrument = config.leg(config.hedge.lead).instrument
    broken = instrument.broken_rule(qty, None, None, reduce_only=False)
    if broken is None:
        return []
    wanted = {
        Rule.STEP: f"use a multiple of {instrument.step}",
        Rule.MINIMUM_QTY: f"use at least {instrument.min_qty}",
        Rule.MAXIMUM_QTY: f"use at most {instrument.max_qty}",
    }
    return [ParamError(key, f"{qty} breaks the {broken.rule.value} of {instrument.id}", wanted[broken.rule])]
