"""Exits: positions that exist already, watched in any number of legs, each closed by the first of its rules that fires.

Every leg stands alone: a price, a session or a read that is missing in one never touches another. A rule asks for one
order in one slot, named after it; that order is watched until it has filled, and when it ends without that, the rules
are asked anew.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec
from msgspec.structs import replace

from hedgerow.core.book import Book
from hedgerow.core.config import BookConfig, LegConfig
from hedgerow.core.events import ReadKind, RejectClass
from hedgerow.core.holds import Alarm, AlarmKind, Hold, HoldReason
from hedgerow.core.target import Resting, Target, WakePrice
from hedgerow.model.ids import LegId
from hedgerow.model.market import Quote
from hedgerow.model.numbers import BPS, ONE, ZERO, ceil_to, floor_to
from hedgerow.model.order import Order, OrderType, Role, Side, TimeInForce
from hedgerow.model.session import day_close_ns, next_session, session_at
from hedgerow.strategies.exits.look import NOTHING, SLOT, UNSEEN, Look, Memory, Rule, Watched, expiry, remembered
from hedgerow.strategies.exits.params import TWO, ExitsParams, PriceUsed, StaleSides
from hedgerow.strategies.quoting import earliest, to_ns

# Where the hold stands that says why the prices of a leg cannot be judged now.
WATCH = "watch"
# A new best price is remembered when it is better by a part of the way of the stop that trails it: it needs no turn
# for every tick.
BEST_STEPS, BEST_STEP_MAX = 20, 10 * BPS
NS_PER_MIN = 60_000_000_000
NS_PER_H = 60 * NS_PER_MIN


class Part(msgspec.Struct, frozen=True):
    """What one leg comes to."""

    resting: tuple[Resting, ...] = ()
    holds: tuple[Hold, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    memory: Watched = UNSEEN
    wake_ts_ns: int | None = None
    wake_price: WakePrice | None = None
    "None: no quote of it changes anything."


class Exits:
    """Positions of one or more accounts, each until one of its rules has closed it."""

    def __init__(self, config: BookConfig, params: ExitsParams) -> None:
        self._params = params
        self._cycle_ns = to_ns(params.cycle_s)
        self._reprice_ns = to_ns(params.reprice_s)
        self._rung_ns = to_ns(params.ladder_step_s)
        self._stale_ns = None if params.stale_order_s is None else to_ns(params.stale_order_s)
        self._best_step = min(BEST_STEP_MAX, (ONE - (params.trailing_rate or ZERO)) / BEST_STEPS)
        "A price is a new best one when it is better by this part."
        self._calm: dict[LegId, tuple[tuple[object, ...], Part]] = {}
        "What a leg came to, and of which facts that followed: it only spares working it out again."

    def target(self, book: Book) -> Target:
        memory = remembered(book.state.memory)
        parts = {leg_id: self._known(book, leg, memory.get(leg_id, UNSEEN)) for leg_id, leg in book.legs.items()}
        kept = {leg_id: part.memory for leg_id, part in parts.items() if part.memory not in NOTHING}
        text = book.state.memory
        if kept != memory:
            text = msgspec.json.encode(Memory(kept)).decode() if kept else ""
        prices = tuple(part.wake_price for part in parts.values() if part.wake_price is not None)
        return Target(
            resting=tuple(want for part in parts.values() for want in part.resting),
            holds=tuple(hold for part in parts.values() for hold in part.holds),
            memory=text,
            wake_ts_ns=earliest(
                book.now_ns + self._cycle_ns if prices else None, *(part.wake_ts_ns for part in parts.values())
            ),
            alarms=(*_unlisted(book), *(alarm for part in parts.values() for alarm in part.alarms)),
            wake_prices=prices,
        )

    def _known(self, book: Book, leg: LegConfig, memory: Watched) -> Part:
        """As `_part`. Of a leg at rest of which nothing has changed that is what it was: accounts have many such."""
        ledger = book.ledger(leg.id)
        foreign, drift = ledger.foreign_net_qty, ledger.drift_net_qty
        facts = (leg, ledger.position, foreign, drift, book.quote(leg.id), memory, book.config.sessions)
        if book.live[leg.id] or (leg.id, ReadKind.POSITION) in book.failed_reads:
            self._calm.pop(leg.id, None)
            return self._part(book, leg, memory)
        calm = self._calm.get(leg.id)
        if calm is not None and all(was is now for was, now in zip(calm[0], facts, strict=True)):
            wake_ns = calm[1].wake_ts_ns
            if wake_ns is None or book.now_ns < wake_ns:
                return calm[1]
        part = self._part(book, leg, memory)
        if part.resting:
            self._calm.pop(leg.id, None)
        else:
            self._calm[leg.id] = (facts, part)
        return part

    def _part(self, book: Book, leg: LegConfig, memory: Watched) -> Part:
        alarms = _unread(book, leg)
        look = self._look(book, leg, memory)
        if look is None:
            return Part(alarms=alarms)
        look = replace(look, memory=self._seen(look))
        standing = next((order for order in book.working(leg.id) if order.slot.startswith(SLOT)), None)
        fired = self._fired(look)
        if fired is None and _nobody_bids(book, leg):
            # What was begun is ended: no price says any more that it should be.
            fired = look.memory.ladder_rule
        if standing is not None:
            rule = Rule(standing.slot.removeprefix(SLOT))
            # The whole position goes before a part of it; else what was begun is ended.
            fired = fired if rule is Rule.SCALE_OUT and fired is not None else rule
        wake = earliest(*self._times(book, look))
        if fired is None:
            holds = self._unwatched(book, look)
            prices = _each_quote(leg) if look.price is None else self._between(look)
            return Part((), holds, alarms, _without_ladder(look.memory), wake, prices)
        part = self._exit(book, look, fired, standing)
        return replace(part, alarms=(*alarms, *part.alarms), wake_ts_ns=earliest(wake, part.wake_ts_ns))

    def _look(self, book: Book, leg: LegConfig, memory: Watched) -> Look | None:
        """The position of a leg; None when it holds nothing that could be closed."""
        ledger = book.ledger(leg.id)
        net_qty = ledger.position.net_qty
        cost = ledger.position.avg_price(leg.instrument.multiplier)
        if cost is None:
            return None
        is_long = net_qty > 0
        in_account = net_qty + ledger.drift_net_qty + (ledger.foreign_net_qty or ZERO)
        # What somebody sold by hand is not there any more: selling it again would open a short.
        held = min(abs(net_qty), max(in_account if is_long else -in_account, ZERO))
        if held <= 0:
            return None
        price = _price(book, leg, is_long, self._params.price_used)
        sessions = book.config.sessions.get(leg.instrument.venue_id)
        if memory.is_short is is_long:
            # What is remembered of a long says nothing of a short.
            memory = Watched(is_short=not is_long)
        return Look(leg, is_long, held, cost, price, book.now_ns, sessions, memory)

    def _seen(self, look: Look) -> Watched:
        """What is remembered once this price was seen."""
        memory = look.memory
        if memory.scaled_qty is not None and look.held > memory.scaled_qty:
            memory = replace(memory, keep_qty=None, scaled_qty=None)
        if self._params.time_limit_h is not None and not memory.since_ns:
            memory = replace(memory, since_ns=look.now_ns)
        if self._params.trailing_rate is None or look.price is None or look.is_short_option:
            return memory
        best = memory.best
        if best is None:
            begins = look.is_as_good_as(look.at_rate(self._params.trailing_from_rate))
        else:
            begins = look.is_as_good_as(best * (ONE + self._best_step if look.is_long else ONE - self._best_step))
        return replace(memory, best=look.price) if begins else memory

    # The rules, in order.

    def _fired(self, look: Look) -> Rule | None:
        """The first rule that closes the position now."""
        good, bad = self._profit(look), self._loss(look)
        if good is not None and look.is_as_good_as(good[1]):
            return good[0]
        if bad is not None and look.is_as_bad_as(bad[1]):
            return bad[0]
        trail = self._trail(look)
        if trail is not None and look.is_as_bad_as(trail):
            return Rule.TRAILING
        for rule, due_ns in ((Rule.TIME_LIMIT, self._limit_ns(look)), *self._session_times(look)):
            if due_ns is not None and look.now_ns >= due_ns:
                return rule
        part = self._part_price(look)
        return Rule.SCALE_OUT if part is not None and look.is_as_good_as(part) else None

    def _profit(self, look: Look) -> tuple[Rule, Decimal] | None:
        params = self._params
        if look.is_short_option:
            return None if params.buy_back_rate is None else (Rule.BUY_BACK, look.cost * params.buy_back_rate)
        if params.take_profit_rate is None:
            return None
        return Rule.TAKE_PROFIT, look.at_rate(params.take_profit_rate)

    def _loss(self, look: Look) -> tuple[Rule, Decimal] | None:
        params = self._params
        if look.is_short_option:
            rate = params.buy_back_loss_rate
            return None if rate is None else (Rule.BUY_BACK_LOSS, look.cost * rate)
        if params.stop_loss_rate is None:
            return None
        return Rule.STOP_LOSS, look.at_rate(params.stop_loss_rate)

    def _trail(self, look: Look) -> Decimal | None:
        best, rate = look.memory.best, self._params.trailing_rate
        if best is None or rate is None:
            return None
        return best * (rate if look.is_long else TWO - rate)

    def _part_price(self, look: Look) -> Decimal | None:
        """The price at which a part is sold; None when that was done, or is not wanted."""
        rate, keep = self._params.scale_out_rate, look.memory.keep_qty
        if rate is None or look.is_short_option or (keep is not None and look.held <= keep):
            return None
        if keep is None and look.leg.instrument.floor_qty(look.held * self._params.scale_out_part) <= 0:
            return None
        return look.at_rate(rate)

    def _limit_ns(self, look: Look) -> int | None:
        limit = self._params.time_limit_h
        return None if limit is None else look.memory.since_ns + int(limit * NS_PER_H)

    def _session_times(self, look: Look) -> list[tuple[Rule, int]]:
        """The rules that go by the day's close, and when they fire today; none while the venue is closed."""
        session = None if look.sessions is None else session_at(look.sessions, look.now_ns)
        if look.sessions is None or session is None:
            return []
        close_ns = day_close_ns(look.sessions, session.day)
        assert close_ns is not None, session
        found = []
        if self._params.close_of_day_min is not None:
            found.append((Rule.CLOSE_OF_DAY, close_ns - int(self._params.close_of_day_min * NS_PER_MIN)))
        if self._params.zero_dte_cut_off_min is not None and expiry(look.leg) == session.day:
            found.append((Rule.ZERO_DTE, close_ns - int(self._params.zero_dte_cut_off_min * NS_PER_MIN)))
        return found

    # The order.

    def _exit(self, book: Book, look: Look, rule: Rule, standing: Order | None) -> Part:
        leg, slot, memory = look.leg, rule.slot, look.memory
        if standing is not None and self._is_stale(standing, book.now_ns):
            # It is canceled, and proven gone, before the rules are asked again.
            return Part(memory=memory, wake_price=_each_quote(leg))
        if look.is_closed and standing is not None:
            # It ends by its own terms; a new one would not be taken.
            return Part((_kept(standing),), memory=memory, wake_price=_each_quote(leg))
        qty = look.held
        if rule is Rule.SCALE_OUT:
            keep = memory.keep_qty
            if keep is None:
                keep = qty - leg.instrument.floor_qty(qty * self._params.scale_out_part)
                memory = replace(memory, keep_qty=keep, scaled_qty=qty)
            qty -= keep
            if qty <= 0:
                return Part(memory=memory, wake_price=_each_quote(leg))
        limit_price: Decimal | None = None
        wake_ns: int | None = None
        if not look.is_closed:
            memory = self._ladder(book, look, memory, rule)
            limit_price, wake_ns = self._limit_price(book, look, memory, standing)
        side = Side.SELL if look.is_long else Side.BUY
        want = Resting(
            slot,
            leg.id,
            side,
            qty,
            limit_price,
            Role.EXIT,
            reduce_only=leg.instrument.can_reduce_only,
            time_in_force=TimeInForce.GTC if look.sessions is None else TimeInForce.DAY,
        )
        alarms: tuple[Alarm, ...] = ()
        at_floor = limit_price is not None and memory.ladder_ns
        if at_floor and look.now_ns >= memory.ladder_ns + self._params.ladder_rungs * self._rung_ns:
            text = f"nobody bids for {qty} {leg.instrument.id}: it is offered at the floor {limit_price}"
            alarms = (Alarm(AlarmKind.NO_BID, leg.id, text),)
        return Part((want,), (), alarms, memory, wake_ns, _each_quote(leg))

    def _is_stale(self, order: Order, now_ns: int) -> bool:
        sides = self._params.stale_sides
        if self._stale_ns is None or (sides is not StaleSides.BOTH and sides.value != order.side.value):
            return False
        return now_ns - order.submitted_ts_ns > self._stale_ns

    def _ladder(self, book: Book, look: Look, memory: Watched, rule: Rule) -> Watched:
        """Begin the ladder of a long when nobody bids, or when the venue says so. Once begun it goes on to the end."""
        if not look.is_long or memory.ladder_ns:
            return memory
        quote = book.quote(look.leg.id)
        refusal = book.refusal(look.leg.id, rule.slot)
        refused = refusal is not None and refusal.reject_class is RejectClass.NO_LIQUIDITY
        if not refused and (quote is None or quote.bids):
            return memory
        first = (quote.bid or quote.ask if quote is not None else None) or book.ledger(look.leg.id).last_price
        return replace(memory, ladder_ns=look.now_ns, ladder_from=first or look.cost, ladder_rule=rule)

    def _limit_price(
        self, book: Book, look: Look, memory: Watched, standing: Order | None
    ) -> tuple[Decimal | None, int | None]:
        """The price of the exit, None for a market order, and when it is to be looked at again."""
        if memory.ladder_ns:
            return self._rung(book, look, memory)
        slippage = self._params.slippage_bps_max
        quote = book.quote(look.leg.id)
        far = None if quote is None else quote.bid if look.is_long else quote.ask
        if slippage is None or far is None:
            return None, None
        if standing is not None and standing.type is OrderType.LIMIT:
            due_ns = standing.submitted_ts_ns + self._reprice_ns
            if look.now_ns < due_ns:
                return standing.limit_price, due_ns
        side = Side.SELL if look.is_long else Side.BUY
        instrument = look.leg.instrument
        return max(instrument.capped_price(far * (ONE + side.sign * slippage * BPS), side), instrument.tick), None

    def _rung(self, book: Book, look: Look, memory: Watched) -> tuple[Decimal, int | None]:
        """The rung of the moment: from the first price down to the floor in equal steps, or a bid on the way there."""
        assert memory.ladder_from is not None, memory
        tick, rungs = look.leg.instrument.tick, self._params.ladder_rungs
        floor = ceil_to(self._params.floor_price, tick)
        rung = min((look.now_ns - memory.ladder_ns) // self._rung_ns, rungs)
        down = max(memory.ladder_from - floor, ZERO)
        price = floor if rung >= rungs - 1 else floor_to(memory.ladder_from - down * rung / (rungs - 1), tick)
        quote = book.quote(look.leg.id)
        if quote is not None and quote.bid is not None:
            price = min(price, floor_to(quote.bid, tick))
            if self._params.slippage_bps_max is not None:
                # Somebody bids: then the worst price is as far from that as ever.
                worst = quote.bid * (ONE - self._params.slippage_bps_max * BPS)
                price = max(price, ceil_to(worst, tick))
        wake_ns = None if rung >= rungs else memory.ladder_ns + (rung + 1) * self._rung_ns
        return max(price, floor), wake_ns

    # When to look again.

    def _times(self, book: Book, look: Look) -> list[int]:
        """The coming moments at which time alone may change something."""
        quote = book.quote(look.leg.id)
        times = [due_ns for _, due_ns in self._session_times(look)]
        limit_ns = self._limit_ns(look)
        if limit_ns is not None:
            times.append(limit_ns)
        if quote is not None:
            times.append(quote.ts_ns + book.config.limits.stale_ms * 1_000_000 + 1)
        if look.sessions is not None:
            session, following = session_at(look.sessions, look.now_ns), next_session(look.sessions, look.now_ns)
            times += [session.close_ns] if session is not None else []
            times += [following.open_ns] if following is not None else []
        if self._stale_ns is not None:
            times += [order.submitted_ts_ns + self._stale_ns + 1 for order in book.working(look.leg.id)]
        return [ts_ns for ts_ns in times if ts_ns > book.now_ns]

    def _unwatched(self, book: Book, look: Look) -> tuple[Hold, ...]:
        """Say so when the rules that go by the price have none."""
        if look.price is not None or (self._profit(look) is None and self._loss(look) is None):
            return ()
        if look.is_closed:
            return ()
        reason = HoldReason.NO_MARK_PRICE if book.quote(look.leg.id) is None else HoldReason.STALE_PRICE
        return (Hold(reason, look.leg.id, WATCH, (("held", str(look.held)),)),)

    def _between(self, look: Look) -> WakePrice:
        """The prices between which no rule fires and nothing new is remembered."""
        tick = look.leg.instrument.tick
        good = [found[1] for found in (self._profit(look),) if found is not None]
        bad = [found[1] for found in (self._loss(look),) if found is not None]
        part, trail, best = self._part_price(look), self._trail(look), look.memory.best
        good += [part] if part is not None else []
        bad += [trail] if trail is not None else []
        if self._params.trailing_rate is not None and not look.is_short_option:
            if best is None:
                good.append(look.at_rate(self._params.trailing_from_rate))
            else:
                good.append(best * (ONE + self._best_step if look.is_long else ONE - self._best_step))
        above, below = (good, bad) if look.is_long else (bad, good)
        low = max((floor_to(price, tick) + tick for price in below if price >= 0), default=None)
        high = min((ceil_to(price, tick) - tick for price in above if price >= 0), default=None)
        return WakePrice(look.leg.id, low, high)


def _price(book: Book, leg: LegConfig, is_long: bool, used: PriceUsed) -> Decimal | None:
    """The price that the rates are compared with; None when it is old, or cannot be."""
    quote = book.quote(leg.id)
    if quote is None or not book.is_fresh(leg.id) or _is_crossed(quote):
        return None
    if used is PriceUsed.MARK:
        return quote.mark
    return quote.bid if is_long else quote.ask


def _each_quote(leg: LegConfig) -> WakePrice:
    """Prices that no quote lies between: each may change what stands, or what is held back."""
    return WakePrice(leg.id, high=ZERO)


def _nobody_bids(book: Book, leg: LegConfig) -> bool:
    quote = book.quote(leg.id)
    return quote is not None and book.is_fresh(leg.id) and not quote.bids


def _is_crossed(quote: Quote) -> bool:
    return quote.bid is not None and quote.ask is not None and quote.bid > quote.ask


def _kept(order: Order) -> Resting:
    """The standing order as it is."""
    return Resting(
        order.slot,
        order.leg_id,
        order.side,
        order.leaves_qty,
        order.limit_price,
        order.role,
        reduce_only=order.reduce_only,
        time_in_force=order.time_in_force,
    )


def _without_ladder(memory: Watched) -> Watched:
    return replace(memory, ladder_ns=0, ladder_from=None, ladder_rule=None) if memory.ladder_ns else memory


def _unread(book: Book, leg: LegConfig) -> tuple[Alarm, ...]:
    """A position that cannot be read is unknown, not gone: it stays, and a person is told."""
    if (leg.id, ReadKind.POSITION) not in book.failed_reads:
        return ()
    text = f"{leg.instrument.id} in {leg.account_id} cannot be read; what was known of it stays"
    return (Alarm(AlarmKind.POSITIONS_UNREAD, leg.id, text),)


def _unlisted(book: Book) -> tuple[Alarm, ...]:
    return tuple(
        Alarm(AlarmKind.POSITIONS_UNREAD, account_id, f"the positions of {account_id} cannot be listed: {problem}")
        for account_id, problem in book.state.unlisted.items()
    )
