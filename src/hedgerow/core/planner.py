"""From what should be true to what must be ordered: target - position - working, and a hold for what cannot be.

Never over-hedges: an order leaves only if, should everything unknown fill, the residual still does not change sign. So
the orders that already work on the same side count in full, also those that a cancel is out for.
"""

from __future__ import annotations

from decimal import Decimal

from hedgerow.core import guard
from hedgerow.core.book import Book, Refusal
from hedgerow.core.commands import CancelOrder, Command, Mode, SubmitOrder
from hedgerow.core.config import NS_PER_MS, HedgeRule
from hedgerow.core.events import RejectClass
from hedgerow.core.holds import WITHDRAWS, Hold, HoldReason
from hedgerow.core.orders import may_cancel
from hedgerow.core.target import Making, NetTarget, Resting, Taking, Target, WakePrice
from hedgerow.model.ids import LegId, OrderKey, encode_order_id
from hedgerow.model.instrument import Broken, Instrument, Rule
from hedgerow.model.numbers import BPS, ONE, ZERO
from hedgerow.model.order import Order, OrderStatus, OrderType, Role, Side, TimeInForce
from hedgerow.model.session import next_session, session_at, utc_text

# A need above the venue's maximum goes out in slices; so many may work at once, and the rest follow as they end.
SLICES_MAX = 8
# A venue whose position lags refuses reduce-only orders; our fills know better, so after these tries it goes out plain.
REDUCE_ONLY_TRIES_MAX = 4

# A price may have moved so much since the last trade: a larger exit is above the minimum notional in any case.
DOUBT_RATIO = 2

# An account that pays fees in what it sells, or was drawn on by hand, cannot sell all that the fills add up to: after
# so many refusals for want of balance each further try asks for a step less, down to half.
FULL_EXITS_MAX = 3

REFUSAL_HOLDS: dict[RejectClass, HoldReason] = {
    RejectClass.NOT_SENT: HoldReason.LINK_DOWN,
    RejectClass.RATE_LIMITED: HoldReason.RATE_LIMITED,
    RejectClass.PRECISION: HoldReason.OFF_STEP,
    RejectClass.MINIMUM: HoldReason.BELOW_MINIMUM,
    RejectClass.MAXIMUM: HoldReason.ABOVE_MAXIMUM,
    RejectClass.INSUFFICIENT_MARGIN: HoldReason.INSUFFICIENT_MARGIN,
    RejectClass.PRICE_BAND: HoldReason.PRICE_BAND,
    RejectClass.POST_ONLY: HoldReason.POST_ONLY_REFUSED,
    RejectClass.REDUCE_ONLY: HoldReason.AWAITING_POSITION,
    RejectClass.NO_LIQUIDITY: HoldReason.NO_LIQUIDITY,
    RejectClass.MARKET_CLOSED: HoldReason.MARKET_CLOSED,
    RejectClass.POSITION_MODE: HoldReason.POSITION_MODE,
    RejectClass.UNAUTHORIZED: HoldReason.VENUE_REFUSED,
    RejectClass.OTHER: HoldReason.VENUE_REFUSED,
}

# A policy's own reasons to wait with an entry; a book that is not running has a better one.
WAITS_FOR_ENTRY = frozenset(
    {
        HoldReason.GATED,
        HoldReason.NO_SIGNAL,
        HoldReason.STALE_SIGNAL,
        HoldReason.PAUSED,
        HoldReason.ROUND_OVER,
        HoldReason.ROUNDS_FAILED,
    }
)

RULE_HOLDS: dict[Rule, HoldReason] = {
    Rule.STEP: HoldReason.OFF_STEP,
    Rule.MINIMUM_QTY: HoldReason.BELOW_MINIMUM,
    Rule.MAXIMUM_QTY: HoldReason.ABOVE_MAXIMUM,
    Rule.MINIMUM_NOTIONAL: HoldReason.BELOW_MINIMUM,
    Rule.TICK: HoldReason.OFF_TICK,
    Rule.PRICE_BAND: HoldReason.PRICE_BAND,
}


class Plan:
    """What one turn orders, and what it holds back."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._order_seq = book.state.order_seq
        self.commands: list[Command] = []
        self.holds: dict[str, Hold] = {}
        self.look_again = False
        "One entry leaves per turn; the next one is judged on a book that counts it."
        self.cancels_wait = False
        "A cancel is wanted for an order that cannot be canceled yet."
        self.is_blocked = False
        "Something that the policy wants is held back until prices change; what it holds back itself does not count."
        self.wakes: dict[LegId, WakePrice] = {}
        "Prices inside which holds that wait for a price stay as they are; they narrow those of the target."
        self.wanted_entries: set[tuple[LegId, str]] = set()
        "Slots in which the target wants an entry."
        self.room: dict[tuple[LegId, Side], Decimal] = {}
        "What the exits that stand may still close, where drift has taken a part of the position."
        self.entries_refused = guard.refusal_of_entries(book)

    def submit(
        self,
        leg_id: LegId,
        side: Side,
        qty: Decimal,
        role: Role,
        *,
        limit_price: Decimal | None,
        time_in_force: TimeInForce = TimeInForce.GTC,
        post_only: bool = False,
        reduce_only: bool = False,
        slot: str = "",
    ) -> None:
        """Order `qty`, under an id that comes from the sequence, so that no replay can make a second order."""
        assert qty > 0, (leg_id, side, qty)
        self._order_seq += 1
        config = self._book.config
        key = OrderKey(config.tag, self._book.state.epoch, self._order_seq)
        self.commands.append(
            SubmitOrder(
                encode_order_id(key),
                leg_id,
                self._book.legs[leg_id].instrument.id,
                side,
                qty,
                OrderType.MARKET if limit_price is None else OrderType.LIMIT,
                role,
                limit_price,
                time_in_force,
                post_only,
                reduce_only,
                slot,
            )
        )

    def cancel(self, order: Order, reason: str) -> None:
        """End an order, if a cancel may leave for it now; the questions that are out bring us back otherwise."""
        if may_cancel(order, self._book.now_ns, self._book.config.timing):
            self.commands.append(CancelOrder(order.id, order.leg_id, reason))
        else:
            self.cancels_wait = True

    def hold(self, hold: Hold, *, by_price: bool = True) -> None:
        """Keep the first reason per slot: the checks run in order of precedence.

        Args:
            by_price: whether another quote could end it; otherwise only time or news of an order does.
        """
        self.is_blocked = self.is_blocked or by_price
        self.holds.setdefault(hold.key, hold)

    def hold_inside(self, hold: Hold, wake: WakePrice) -> None:
        """Keep a hold that lasts as long as its leg's quotes stay inside `wake`."""
        self.hold(hold, by_price=False)
        known = self.wakes.get(wake.leg_id, wake)
        lows = [low for low in (known.low, wake.low) if low is not None]
        highs = [high for high in (known.high, wake.high) if high is not None]
        self.wakes[wake.leg_id] = WakePrice(wake.leg_id, max(lows, default=None), min(highs, default=None))


def plan(book: Book, target: Target) -> Plan:
    """Return what must be ordered and what is held, so that `target` becomes true."""
    result = Plan(book)
    if book.mode is Mode.HALTED:
        _halt(book, result)
        return result
    refused = result.entries_refused
    for hold in target.holds:
        told = refused is not None and book.mode is not Mode.RUNNING and hold.reason in WAITS_FOR_ENTRY
        own = Hold(refused.reason, hold.leg_id, hold.slot, refused.numbers) if refused and told else hold
        result.holds.setdefault(own.key, own)
    unwanted = book.slots.keys() - {(want.leg_id, want.slot) for want in target.resting} if book.slots else ()
    for orders in book.live.values() if unwanted else ():
        for order in orders.values():
            if (order.leg_id, order.slot) in unwanted:
                withdrawn = order.role is Role.ENTRY and refused is not None
                result.cancel(order, refused.reason.value if refused and withdrawn else "unwanted")
    for net in target.nets:
        _net(book, net, result)
    result.wanted_entries = {(want.leg_id, want.slot) for want in target.resting if want.role is Role.ENTRY}
    for want in target.resting:
        _resting(book, want, result)
    return result


def flatten_target(book: Book) -> Target:
    """Return the target that brings every leg to zero: the lead leg is closed, and the hedge leg follows its fills.

    A lead leg that is down to what its venue takes no order for stays; the hedge leg goes on offsetting it if it can.
    While the hedge leg's venue is closed, the lead leg keeps what is offset: closed, it would leave the other alone.
    """
    rule = book.config.hedge
    following = None
    if rule is not None and not (is_flat(book, rule.lead) and not _can_hold(book, rule.hedge, book.hedge_target())):
        following = rule.hedge
    nets = [NetTarget(leg_id, ZERO, Taking(), Role.EXIT) for leg_id in book.legs if leg_id != following]
    holds: tuple[Hold, ...] = ()
    if following is not None:
        assert rule is not None, book.config.book_id
        kept = _kept_by_closed(book, rule)
        if kept != ZERO:
            nets = [NetTarget(rule.lead, kept, Taking(), Role.EXIT)]
            holds = (Hold(HoldReason.MARKET_CLOSED, rule.lead, "", (("leg", following), ("kept", str(kept)))),)
        nets.append(NetTarget(following, book.hedge_target(), Taking(), Role.HEDGE))
    return Target(nets=tuple(nets), holds=holds)


def _kept_by_closed(book: Book, rule: HedgeRule) -> Decimal:
    """How much of the lead leg the hedge leg offsets and cannot follow, because its venue is closed."""
    if not book.config.sessions or not guard.is_closed(book, rule.hedge):
        return ZERO
    held, owed = book.net_qty(rule.lead), book.hedge_target()
    offset = book.net_qty(rule.hedge) / owed if owed != ZERO else ZERO
    return held * min(max(offset, ZERO), ONE)


def is_flat(book: Book, leg_id: LegId) -> bool:
    """Return whether nothing of the leg works and what it holds, and still has, is below the smallest order."""
    net_qty = book.net_qty(leg_id)
    missing = _not_there(book, leg_id, Side.SELL if net_qty > 0 else Side.BUY)
    return not book.live[leg_id] and not _can_hold(book, leg_id, max(abs(net_qty) - missing, ZERO))


def is_flattened(book: Book) -> bool:
    """Return whether no order is left that would bring a leg closer to zero."""
    rule = book.config.hedge
    if any(book.live.values()) or not all(
        is_flat(book, leg_id) for leg_id in book.legs if rule is None or leg_id != rule.hedge
    ):
        return False
    if rule is None:
        return True
    return is_flat(book, rule.hedge) or (_can_hold(book, rule.hedge, book.hedge_target()) and book.is_hedged)


def _can_hold(book: Book, leg_id: LegId, net_qty: Decimal) -> bool:
    """Whether the leg's venue takes an order for so much."""
    return book.legs[leg_id].instrument.is_orderable(abs(net_qty), book.mark(leg_id) or book.ledger(leg_id).last_price)


def refusal_hold(leg_id: LegId, slot: str, refusal: Refusal) -> Hold:
    """Return the hold that tells of a venue's refusals in a row."""
    numbers = (("code", refusal.code), ("text", refusal.text), ("tries", str(refusal.tries)))
    return Hold(REFUSAL_HOLDS[refusal.reject_class], leg_id, slot, numbers)


def _halt(book: Book, result: Plan) -> None:
    for orders in book.live.values():
        for order in orders.values():
            result.cancel(order, "halted")
    for leg_id in book.legs:
        result.hold(Hold(HoldReason.HALTED, leg_id, "", (("held", str(book.net_qty(leg_id))),)))


def _net(book: Book, net: NetTarget, result: Plan) -> None:
    """Order what is missing to a net target, and take back what would overshoot it."""
    owed = net.net_qty - book.net_qty(net.leg_id)
    working = list(book.working(net.leg_id))
    if owed == ZERO and not working:
        return
    side = Side.BUY if owed > ZERO else Side.SELL
    same_side = ZERO
    for order in working:
        if order.side is side:
            same_side += order.leaves_qty
    covered = _take_back(net, side, abs(owed), same_side, working, result) if working else None
    free = abs(owed) - same_side
    if free > 0 and book.state.parked:
        doubt = _parked_doubt(book, net, side)
        if doubt > 0:
            numbers = (("owed", f"{side.value} {free}"), ("parked", str(doubt)))
            result.hold(Hold(HoldReason.UNKNOWN_ORDER, net.leg_id, "", numbers))
            free -= doubt
    if free > 0 and net.role is Role.EXIT:
        free = _there(book, net, side, free, same_side, result)
    if free > 0:
        _close_shortfall(book, net, side, free, result)
    elif owed != 0 and covered is not None:
        _tell_covered(book, net, side, abs(owed), covered, result)


def _there(book: Book, net: NetTarget, side: Side, free: Decimal, same_side: Decimal, result: Plan) -> Decimal:
    """What of an exit the account still has: sold all the same, what drift has taken would open the other side."""
    missing = _not_there(book, net.leg_id, side)
    if missing == 0:
        return free
    held = book.net_qty(net.leg_id) * -side.sign
    there = max(held - missing - same_side, ZERO)
    if there < free:
        numbers = (("wanted", str(free)), ("held", str(held)), ("shown", str(held - missing)), ("free", str(there)))
        result.hold(Hold(HoldReason.INSUFFICIENT_HOLDINGS, net.leg_id, "", numbers), by_price=False)
    return min(free, there)


def _parked_doubt(book: Book, net: NetTarget, side: Side) -> Decimal:
    """How much less could be owed on `side` once it is known whose the parked fills are: they count at their worst."""
    rule = book.config.hedge
    doubt = ZERO
    for fill in book.state.parked:
        leg_id = book.leg_of(fill.account_id, fill.instrument_id)
        change = ZERO
        if leg_id == net.leg_id:
            change = -fill.qty * fill.side.sign
        elif rule is not None and net.leg_id == rule.hedge and leg_id == rule.lead and net.role is Role.HEDGE:
            lead, hedge = book.legs[rule.lead].instrument, book.legs[rule.hedge].instrument
            change = rule.ratio * fill.qty * fill.side.sign * lead.multiplier / hedge.multiplier
        if change * side.sign < 0:
            doubt += abs(change)
    return doubt


def _take_back(
    net: NetTarget, side: Side, owed: Decimal, same_side: Decimal, working: list[Order], result: Plan
) -> Order | None:
    """Cancel what works the wrong way, too much, or in another style; return the oldest order that stays."""
    covered: Order | None = None
    over = same_side - owed
    for order in reversed(working):
        if order.slot or order.type is OrderType.MARKET or order.time_in_force is not TimeInForce.GTC:
            if order.side is side:
                covered = order
            continue
        if owed == 0 or order.side is not side:
            result.cancel(order, "overshoot")
        elif over > 0:
            result.cancel(order, "overshoot")
            over -= order.leaves_qty
            covered = order
        elif isinstance(net.style, Taking) or order.limit_price != net.style.limit_price:
            result.cancel(order, "replace")
            covered = order
        else:
            covered = order
    return covered


def _tell_covered(book: Book, net: NetTarget, side: Side, owed: Decimal, order: Order, result: Plan) -> None:
    """Say why nothing more is ordered though something is owed, once that has lasted."""
    unclear = order.status is OrderStatus.UNKNOWN
    if unclear or _lasts(book, order):
        standing = HoldReason.REPLACING if order.cancel_ts_ns else HoldReason.ALREADY_WORKING
        reason = HoldReason.UNKNOWN_ORDER if unclear else standing
        numbers = (("owed", f"{side.value} {owed}"), ("order", order.id))
        result.hold(Hold(reason, net.leg_id, "", numbers), by_price=False)


def _lasts(book: Book, order: Order) -> bool:
    """Whether the order has stood, or waited for its cancel, for long enough to be told as a hold."""
    return book.now_ns - (order.cancel_ts_ns or order.submitted_ts_ns) >= book.config.timing.hold_after_ms * NS_PER_MS


def _is_closed(book: Book, leg_id: LegId, slot: str, result: Plan) -> bool:
    """Whether the leg's venue is between two sessions, told as a hold.

    A broker would take an order then and fill it at the next open, for whatever price that has.
    """
    sessions = book.config.sessions.get(book.legs[leg_id].instrument.venue_id)
    if sessions is None or session_at(sessions, book.now_ns) is not None:
        return False
    following = next_session(sessions, book.now_ns)
    opens = "unknown" if following is None else utc_text(following.open_ns)
    result.hold(Hold(HoldReason.MARKET_CLOSED, leg_id, slot, (("next_open", opens),)))
    return True


def _close_shortfall(book: Book, net: NetTarget, side: Side, free: Decimal, result: Plan) -> None:
    leg = book.legs[net.leg_id]
    instrument = leg.instrument
    refusal = book.refusal(net.leg_id)
    if refusal is not None and refusal.side is not side:
        refusal = None
    making = isinstance(net.style, Making)
    if refusal is not None and refusal.reject_class is RejectClass.POST_ONLY and not making:
        # What was refused would have made; this takes.
        refusal = None
    if refusal is not None and book.now_ns < refusal.retry_ts_ns:
        # A price that runs away turns it into a taking.
        result.hold(refusal_hold(net.leg_id, "", refusal), by_price=making)
        return
    if book.config.sessions and _is_closed(book, net.leg_id, "", result):
        return
    mark = book.mark(net.leg_id)
    if mark is None and (net.role is Role.HEDGE or _is_doubtful(book, net.leg_id, free)):
        result.hold(Hold(HoldReason.NO_MARK_PRICE, net.leg_id, "", (("owed", f"{side.value} {free}"),)))
        return
    limit_price = _limit_price(book, net, side)
    reduces = net.role is Role.EXIT and instrument.can_reduce_only and not leg.shared
    post_only = isinstance(net.style, Making)
    waiting = TimeInForce.GTC if post_only or limit_price is None else TimeInForce.IOC
    if net.role is Role.EXIT:
        mark = mark or book.ledger(net.leg_id).last_price
        free = _affordable(free, refusal, instrument, mark)
    # Plain, it would open the other side if the venue is right about the position.
    plainly = refusal if not reduces or _is_shown(book, net.leg_id, side, instrument.floor_qty(free)) else None
    slices = 1
    if instrument.max_qty is not None and free > instrument.max_qty:
        slices = SLICES_MAX - sum(1 for order in book.working(net.leg_id) if not order.slot)
    for _ in range(slices):
        qty = instrument.floor_qty(free if instrument.max_qty is None else min(free, instrument.max_qty))
        broken, as_reducing = _legal(instrument, side, qty, limit_price, mark, reduces, plainly)
        if broken is not None and broken.rule is Rule.MINIMUM_NOTIONAL and limit_price is not None and not post_only:
            # Only the cap makes it too small: by the mark the venue takes it, so it goes without one.
            limit_price, waiting = None, TimeInForce.GTC
            broken, as_reducing = _legal(instrument, side, qty, limit_price, mark, reduces, plainly)
        if broken is not None:
            numbers = (("owed", f"{side.value} {free}"), ("would_be", str(broken.value)), ("limit", str(broken.limit)))
            result.hold(Hold(RULE_HOLDS[broken.rule], net.leg_id, "", numbers))
            return
        result.submit(
            net.leg_id,
            side,
            qty,
            net.role,
            limit_price=limit_price,
            time_in_force=waiting,
            post_only=post_only,
            reduce_only=as_reducing,
        )
        free -= qty
        if free < instrument.step:
            break
    if free <= 0:
        return
    sliced = instrument.max_qty is not None and free >= instrument.step
    reason = HoldReason.ABOVE_MAXIMUM if sliced else HoldReason.BELOW_MINIMUM
    limit = instrument.max_qty if sliced else instrument.smallest_qty(mark)
    result.hold(Hold(reason, net.leg_id, "", (("owed", f"{side.value} {free}"), ("limit", str(limit)))))


def _is_doubtful(book: Book, leg_id: LegId, qty: Decimal) -> bool:
    """Whether, before the first quote, nobody can say if the venue takes an exit so small."""
    instrument, last_price = book.legs[leg_id].instrument, book.ledger(leg_id).last_price
    if instrument.min_notional == 0:
        return False
    return last_price is None or instrument.notional(qty, last_price) < instrument.min_notional * DOUBT_RATIO


def _legal(
    instrument: Instrument,
    side: Side,
    qty: Decimal,
    limit_price: Decimal | None,
    mark: Decimal | None,
    reduces: bool,
    refusal: Refusal | None,
) -> tuple[Broken | None, bool]:
    """Return the rule that an order would break, if any, and whether it goes out as reduce-only.

    After some refusals a reducing order goes out plain, unless only reduce-only makes it legal.
    """
    if qty <= 0:
        return Broken(Rule.MINIMUM_QTY, qty, instrument.min_qty), False
    plainly = not reduces or (refusal is not None and refusal.tries >= REDUCE_ONLY_TRIES_MAX)
    if plainly:
        broken = instrument.broken_rule(qty, limit_price, mark, reduce_only=False, side=side)
        if broken is None or not reduces:
            return broken, False
    return instrument.broken_rule(qty, limit_price, mark, reduce_only=True, side=side), True


def _affordable(qty: Decimal, refusal: Refusal | None, instrument: Instrument, mark: Decimal | None) -> Decimal:
    """What an exit of `qty` asks for after refusals for want of balance."""
    if refusal is None or refusal.reject_class is not RejectClass.INSUFFICIENT_MARGIN or refusal.tries < FULL_EXITS_MAX:
        return qty
    less = max(instrument.floor_qty(qty) - instrument.step * (refusal.tries - FULL_EXITS_MAX + 1), qty / 2)
    return less if instrument.is_orderable(less, mark) else qty


def _limit_price(book: Book, net: NetTarget, side: Side) -> Decimal | None:
    """The price of an order that closes a shortfall: None for a market order."""
    instrument = book.legs[net.leg_id].instrument
    if isinstance(net.style, Making):
        return instrument.passive_price(net.style.limit_price, side)
    if net.style.slippage_bps_max is None:
        return None
    quote, mark = book.quote(net.leg_id), book.mark(net.leg_id)
    if quote is None or mark is None:
        return None
    far = (quote.ask if side is Side.BUY else quote.bid) or mark
    price = instrument.capped_price(far * (1 + side.sign * net.style.slippage_bps_max * BPS), side)
    # A venue refuses prices outside its band exactly when the market runs; inside it the order may still trade.
    if side is Side.BUY and instrument.band_up is not None:
        price = min(price, instrument.passive_price(mark * instrument.band_up, Side.BUY))
    if side is Side.SELL and instrument.band_down is not None:
        price = max(price, instrument.passive_price(mark * instrument.band_down, Side.SELL))
    return price


def _resting(book: Book, want: Resting, result: Plan) -> None:
    """Keep, replace or submit the order of one slot."""
    standing = list(book.standing(want.leg_id, want.slot))
    refused = result.entries_refused if want.role is Role.ENTRY else None
    if refused is not None and (not standing or refused.reason in WITHDRAWS):
        result.hold(Hold(refused.reason, want.leg_id, want.slot, refused.numbers))
        for order in standing:
            result.cancel(order, refused.reason.value)
        return
    if standing:
        for order in standing[1:]:
            result.cancel(order, "unwanted")
        order = standing[0]
        fits = order.side is want.side and order.limit_price == want.limit_price and order.leaves_qty <= want.qty
        if want.role is Role.EXIT and not order.reduce_only and not _has_room(book, order, result):
            fits = False
        if not fits:
            result.cancel(order, "replace")
            if order.cancel_ts_ns and _lasts(book, order):
                result.hold(Hold(HoldReason.REPLACING, want.leg_id, want.slot, (("order", order.id),)))
        if order.status is OrderStatus.UNKNOWN:
            result.hold(Hold(HoldReason.UNKNOWN_ORDER, want.leg_id, want.slot, (("order", order.id),)))
        return
    refusal = book.refusal(want.leg_id, want.slot)
    if refusal is not None and refusal.side is not want.side:
        refusal = None
    if refusal is not None and book.now_ns < refusal.retry_ts_ns:
        result.hold(refusal_hold(want.leg_id, want.slot, refusal), by_price=False)
        return
    if book.config.sessions and _is_closed(book, want.leg_id, want.slot, result):
        return
    legal = _resting_qty(book, want, refusal, result)
    if legal is None:
        return
    qty, reduce_only = legal
    if want.role is Role.ENTRY:
        if any(isinstance(command, SubmitOrder) and command.role is Role.ENTRY for command in result.commands):
            result.look_again = True
            return
        limited = guard.refusal_of_new_entry(book, want, qty)
        if limited is not None:
            wake = guard.stays_distant(book, want) if limited.reason is HoldReason.PRICE_DISTANCE else None
            if wake is None:
                result.hold(limited)
            else:
                result.hold_inside(limited, wake)
            return
    result.submit(
        want.leg_id,
        want.side,
        qty,
        want.role,
        limit_price=want.limit_price,
        time_in_force=want.time_in_force,
        post_only=want.post_only,
        reduce_only=reduce_only,
        slot=want.slot,
    )


def _resting_qty(book: Book, want: Resting, refusal: Refusal | None, result: Plan) -> tuple[Decimal, bool] | None:
    """The legal qty for a slot, never enlarged, and whether it goes out reduce-only; None, with a hold, for none."""
    instrument = book.legs[want.leg_id].instrument
    qty = want.qty if instrument.max_qty is None else min(want.qty, instrument.max_qty)
    if want.role is Role.EXIT:
        held = book.net_qty(want.leg_id) * -want.side.sign
        missing = _not_there(book, want.leg_id, want.side)
        free = max(held - missing - _closing(book, want, result), ZERO)
        if free < qty:
            shown = (("shown", str(held - missing)),) if missing else ()
            numbers = (("wanted", str(want.qty)), ("held", str(held)), *shown, ("free", str(free)))
            result.hold(Hold(HoldReason.INSUFFICIENT_HOLDINGS, want.leg_id, want.slot, numbers))
            qty = free
        parked = _parked(book, want.leg_id, want.side) if book.state.parked else ZERO
        if free - parked < qty:
            # Nobody knows yet whose they are: ours, they may have closed what this exit is for.
            numbers = (("wanted", str(want.qty)), ("parked", str(parked)))
            result.hold(Hold(HoldReason.UNKNOWN_ORDER, want.leg_id, want.slot, numbers))
            qty = max(free - parked, ZERO)
        qty = _affordable(qty, refusal, instrument, book.mark(want.leg_id))
    qty = instrument.floor_qty(qty)
    reduces = want.reduce_only and instrument.can_reduce_only and not book.legs[want.leg_id].shared
    if reduces and refusal is not None and not _is_shown(book, want.leg_id, want.side, qty):
        # Plain, it would open the other side if the venue is right about the position.
        refusal = None
    broken, as_reducing = _legal(instrument, want.side, qty, want.limit_price, book.mark(want.leg_id), reduces, refusal)
    if broken is None:
        return qty, as_reducing
    numbers = (("wanted", str(want.qty)), ("would_be", str(broken.value)), ("limit", str(broken.limit)))
    result.hold(Hold(RULE_HOLDS[broken.rule], want.leg_id, want.slot, numbers))
    return None


def _parked(book: Book, leg_id: LegId, side: Side) -> Decimal:
    """How much the parked fills of a leg have traded on a side."""
    fills = (fill for fill in book.state.parked if fill.side is side)
    return sum((fill.qty for fill in fills if book.leg_of(fill.account_id, fill.instrument_id) == leg_id), ZERO)


def _has_room(book: Book, order: Order, result: Plan) -> bool:
    """Whether a standing exit, after those that were kept before it, closes no more than drift has left."""
    missing = _not_there(book, order.leg_id, order.side)
    if missing == 0:
        return True
    place = (order.leg_id, order.side)
    room = result.room.get(place, book.net_qty(order.leg_id) * -order.side.sign - missing)
    if order.leaves_qty > room:
        return False
    result.room[place] = room - order.leaves_qty
    return True


def _not_there(book: Book, leg_id: LegId, side: Side) -> Decimal:
    """How much of the position that an exit on `side` closes drift has taken."""
    return max(book.ledger(leg_id).drift_net_qty * side.sign, ZERO)


def _is_shown(book: Book, leg_id: LegId, side: Side, qty: Decimal) -> bool:
    """Whether the venue, asked after our last fill, has shown the position that an exit on `side` closes."""
    ledger, read = book.ledger(leg_id), book.positions_read.get(leg_id)
    if read is None or read.asked_ts_ns < ledger.booked_ts_ns:
        return False
    return (read.net_qty - (ledger.foreign_net_qty or ZERO)) * -side.sign >= qty


def _closing(book: Book, want: Resting, result: Plan) -> Decimal:
    """What else may close the position that an exit is for: what works on its side, and what this plan sends.

    An entry that the policy wants on that side does not close; its fills open a lot of their own.
    """
    total = ZERO
    for order in book.working(want.leg_id):
        entering = order.role is Role.ENTRY and (order.leg_id, order.slot) in result.wanted_entries
        if order.side is want.side and not entering:
            total += order.leaves_qty
    for command in result.commands:
        if type(command) is SubmitOrder and command.leg_id == want.leg_id and command.side is want.side:
            total += command.qty if command.role is not Role.ENTRY else ZERO
    return total
