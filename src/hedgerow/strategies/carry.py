"""Carry: spot bought and futures sold against it (open), or both unwound from what is held (close).

Every increment that fills on spot is owed on futures at once: by taking, or by a post-only order that takes when the
clock, the distance or the refusals say so. Closing never sells more than both legs hold against one another.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Annotated

import msgspec
from msgspec.structs import replace

from hedgerow.core import guard
from hedgerow.core.book import Book
from hedgerow.core.config import BookConfig
from hedgerow.core.holds import Hold, HoldReason
from hedgerow.core.target import NetTarget, Resting, Taking, Target
from hedgerow.model.ids import LegId
from hedgerow.model.instrument import Instrument, InstrumentKind
from hedgerow.model.market import BorrowRate, FundingRate, Quote
from hedgerow.model.numbers import BPS, ONE, ZERO
from hedgerow.model.order import Order, Role, Side
from hedgerow.model.words import Word
from hedgerow.strategies.maker import Chase, MakerHedge
from hedgerow.strategies.params import Param, ParamError
from hedgerow.strategies.quoting import (
    Quoted,
    Reason,
    Wish,
    depth_price,
    earliest,
    exit_qty,
    foreign_errors,
    hedge_errors,
    hedge_reason,
    is_worth_it,
    qty_errors,
    quoted,
    to_ns,
)
from hedgerow.strategies.waking import Promise, basis_stays_above, basis_stays_below, together

EXIT = "exit"
# Where the hold that shows what is left out of an unwinding stands.
REST = "rest"
DAY_S = 86_400
SHOWN_BPS = Decimal("0.01")


class CarryMode(Word):
    OPEN = "open"
    "Enter, and unwind when `exit_basis_bps_max` or `exit_carry_bps_per_day_max` is set and met."
    CLOSE = "close"
    "Only unwind what both legs hold."


class EntryType(Word):
    LIMIT = "limit"
    MARKET = "market"


class EntryOn(Word):
    CONDITIONS = "conditions"
    "Whenever basis and funding are good enough."
    SIGNAL = "signal"
    "Once per signal, if the conditions that are set are met as well."


class HedgeStyle(Word):
    TAKER = "taker"
    MAKER = "maker"


class CarryParams(msgspec.Struct, frozen=True, kw_only=True):
    """What a carry book is told."""

    entry_qty: Annotated[Decimal, Param("Size of one spot order, entering and unwinding.", "base units", above=0)]
    mode: Annotated[CarryMode, Param("Whether the book enters or only unwinds.")] = CarryMode.OPEN
    max_net_qty: Annotated[
        Decimal | None, Param("Spot enters up to this position; needed in mode open.", "base units", above=0)
    ] = None
    entry_type: Annotated[EntryType, Param("Whether entries rest or take.")] = EntryType.LIMIT
    depth: Annotated[
        int, Param("Level of the spot book at which limit orders rest; 1 is the best price.", min=1, max=50)
    ] = 1
    entry_timeout_s: Annotated[
        Decimal,
        Param(
            "A spot order keeps its price for this long; then it follows the book, or its conditions.",
            "seconds",
            above=0,
        ),
    ] = Decimal(30)
    entry_on: Annotated[EntryOn, Param("What begins an entry.")] = EntryOn.CONDITIONS
    entry_basis_bps_min: Annotated[
        Decimal | None, Param("Enter when the futures bid is this far above the spot ask.", "bps")
    ] = None
    withdraw_basis_bps: Annotated[
        Decimal | None,
        Param("Take a resting entry back at once when the basis falls below this; none waits for its timeout.", "bps"),
    ] = None
    entry_funding_bps_per_day_min: Annotated[
        Decimal | None, Param("Enter when the futures pay shorts at least this.", "bps per day")
    ] = None
    entry_carry_bps_per_day_min: Annotated[
        Decimal | None,
        Param(
            "Enter when carry is at least this: funding less borrow cost, and basis less `fees_bps` spread over "
            "`horizon_days`.",
            "bps per day",
        ),
    ] = None
    exit_carry_bps_per_day_max: Annotated[
        Decimal | None, Param("Unwind when funding less borrow cost is at most this.", "bps per day")
    ] = None
    horizon_days: Annotated[
        Decimal,
        Param("How long a position is expected to be held, for `entry_carry_bps_per_day_min`.", "days", above=0),
    ] = Decimal(30)
    fees_bps: Annotated[
        Decimal, Param("Fees of entering and unwinding both legs, four fills in all, for the same.", "bps", min=0)
    ] = ZERO
    borrow_bps_per_day: Annotated[
        Decimal | None,
        Param(
            "Cost of the money that spot is bought with; none takes the venue's rate for margin, and 0 for spot.",
            "bps per day",
            min=0,
        ),
    ] = None
    signal_age_s_max: Annotated[Decimal, Param("An older signal is dropped.", "seconds", above=0)] = Decimal(60)
    ladder_levels: Annotated[int, Param("Entries that rest at the same time; 1 is a single one.", min=1, max=20)] = 1
    ladder_step_bps: Annotated[
        Decimal, Param("Distance from one entry of the ladder to the next.", "bps", above=0, max=1000)
    ] = Decimal(10)
    hedge_style: Annotated[HedgeStyle, Param("Whether the futures leg takes, or makes first.")] = HedgeStyle.TAKER
    slippage_bps_max: Annotated[
        Decimal | None,
        Param("Worst price when taking futures, from the far side; none sends market orders.", "bps", min=0, max=5000),
    ] = None
    maker_offset_ticks: Annotated[
        int, Param("A maker hedge rests this far behind its own best price; negative is before it.", "ticks")
    ] = 0
    maker_price: Annotated[
        Decimal | None, Param("A fixed price of maker hedges instead of the best one.", "quote per base unit", above=0)
    ] = None
    requote_ticks: Annotated[int, Param("A maker hedge this far from its price is moved.", "ticks", min=1)] = 1
    requote_s: Annotated[Decimal, Param("A maker hedge rests at least this long.", "seconds", above=0)] = Decimal(2)
    maker_timeout_s: Annotated[Decimal, Param("A residual that lasts this long is taken.", "seconds", above=0)] = (
        Decimal(30)
    )
    maker_distance_bps_max: Annotated[
        Decimal | None, Param("When the price ran away this far since the hedge was owed, it is taken.", "bps", above=0)
    ] = Decimal(20)
    maker_tries_max: Annotated[
        int, Param("After this many post-only refusals in a row the hedge is taken.", "refusals", min=1)
    ] = 5
    exit_basis_bps_max: Annotated[
        Decimal | None, Param("Unwind when the futures ask is at most this far above the spot bid.", "bps")
    ] = None


def check(config: BookConfig, params: CarryParams) -> list[ParamError]:
    """Return what does not fit together: with the legs, the instruments, or one another."""
    errors = hedge_errors(config)
    if errors:
        return errors
    assert config.hedge is not None, config.book_id
    errors = qty_errors(config, "entry_qty", params.entry_qty)
    if config.hedge.ratio > 0:
        problem = f"the ratio {config.hedge.ratio} puts both legs on one side"
        errors.append(ParamError("hedge", problem, "use -1: futures are sold against spot"))
    errors += foreign_errors(config, "hedge", Side.BUY)
    futures = config.leg(config.hedge.hedge).instrument
    if params.maker_price is not None and params.maker_price % futures.tick != 0:
        problem = f"{params.maker_price} is off the tick of {futures.id}"
        errors.append(ParamError("maker_price", problem, f"use a multiple of {futures.tick}"))
    if params.mode is CarryMode.OPEN:
        errors += _open_errors(params)
    return errors


def _open_errors(params: CarryParams) -> list[ParamError]:
    errors = []
    if params.max_net_qty is None:
        errors.append(ParamError("max_net_qty", "is missing", "needed in mode open: spot enters up to this position"))
    elif params.max_net_qty < params.entry_qty:
        problem = f"{params.max_net_qty} is below entry_qty {params.entry_qty}"
        errors.append(ParamError("max_net_qty", problem, "use at least entry_qty"))
    basis = params.entry_basis_bps_min
    conditions = (basis, params.entry_funding_bps_per_day_min, params.entry_carry_bps_per_day_min)
    if params.entry_on is EntryOn.CONDITIONS and all(condition is None for condition in conditions):
        help_ = (
            "set entry_basis_bps_min, entry_funding_bps_per_day_min or entry_carry_bps_per_day_min; or enter on signals"
        )
        errors.append(ParamError("entry_on", "there are no conditions to enter on", help_))
    if params.entry_type is EntryType.MARKET and params.ladder_levels > 1:
        help_ = "use 1, or entry_type limit"
        errors.append(ParamError("ladder_levels", "market orders make no ladder", help_))
    if params.withdraw_basis_bps is not None and (basis is None or params.withdraw_basis_bps > basis):
        help_ = "set entry_basis_bps_min, and this at or below it"
        errors.append(ParamError("withdraw_basis_bps", "entries would be withdrawn as they are made", help_))
    if params.exit_basis_bps_max is not None and basis is not None and params.exit_basis_bps_max >= basis:
        help_ = "use less than entry_basis_bps_min"
        errors.append(ParamError("exit_basis_bps_max", "what is entered would be unwound at once", help_))
    withdraw, exit_basis = params.withdraw_basis_bps, params.exit_basis_bps_max
    if withdraw is not None and exit_basis is not None and exit_basis >= withdraw:
        problem = (
            f"{exit_basis} is not below withdraw_basis_bps {withdraw}: a resting entry would be unwound as it fills"
        )
        errors.append(ParamError("exit_basis_bps_max", problem, "exit < withdraw < entry: use less"))
    deepest_bps = (params.ladder_levels - 1) * params.ladder_step_bps
    if deepest_bps >= ONE / BPS:
        problem = f"{params.ladder_levels} levels of {params.ladder_step_bps} bps reach down to a price of nothing"
        errors.append(ParamError("ladder_step_bps", problem, "use a smaller step, or fewer levels"))
    exit_carry = params.exit_carry_bps_per_day_max
    for key in ("entry_funding_bps_per_day_min", "entry_carry_bps_per_day_min"):
        entry_min: Decimal | None = getattr(params, key)
        if exit_carry is not None and entry_min is not None and exit_carry >= entry_min:
            problem = "what is entered would be unwound at once"
            errors.append(ParamError("exit_carry_bps_per_day_max", problem, f"use less than {key}"))
    return errors


class Memory(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the policy remembers between events; in the journal as JSON."""

    signal_ts_ns: int = 0
    "When the last signal that was looked at was made."
    goal_net_qty: Decimal | None = None
    "Spot enters up to here because of that signal; 0 when it is done, None when it was dropped as stale."
    chase: Chase = Chase()
    "What a maker hedge remembers until it is done."

    def text(self) -> str:
        return "" if self == _FRESH else msgspec.json.encode(self).decode()


_FRESH = Memory()


@lru_cache(maxsize=64)
def remembered(text: str) -> Memory:
    """Return what `Memory.text` said; the cache only spares reading the same text for every event."""
    return msgspec.json.decode(text, type=Memory) if text else _FRESH


class Wanted(msgspec.Struct, frozen=True):
    """What a part of the policy wants of the spot leg."""

    resting: tuple[Resting, ...] = ()
    holds: tuple[Hold, ...] = ()
    wake_ts_ns: int | None = None
    promise: Promise = ()
    "Of quotes, until then."


_NOTHING = Wanted()


def takes_signals(params: CarryParams) -> bool:
    """Return whether a signal begins an entry; else only the conditions do."""
    return params.mode is CarryMode.OPEN and params.entry_on is EntryOn.SIGNAL


class Carry:
    """Long spot against short futures, in increments."""

    def __init__(self, config: BookConfig, params: CarryParams) -> None:
        rule = config.hedge
        assert rule is not None, config.book_id
        self._params = params
        self._rule = rule
        self._spot = rule.lead
        self._futures = rule.hedge
        self._taking = Taking(params.slippage_bps_max)
        self._entry_timeout_ns = to_ns(params.entry_timeout_s)
        self._signal_age_ns = to_ns(params.signal_age_s_max)
        self._maker = _maker(rule.hedge, params) if params.hedge_style is HedgeStyle.MAKER else None
        self._exits = params.exit_basis_bps_max is not None or params.exit_carry_bps_per_day_max is not None
        "There are conditions to unwind on."
        levels = range(params.ladder_levels)
        self._slots = tuple(f"entry/{level + 1}" for level in levels)
        self._factors = tuple(ONE - level * params.ladder_step_bps * BPS for level in levels)

    def target(self, book: Book) -> Target:
        memory = remembered(book.state.memory)
        is_hedged = book.is_hedged
        net, memory, hedge_wake_ns = self._hedge(book, memory, is_hedged)
        reason = hedge_reason(book, self._futures, is_level=book.is_level)
        standing = {order.slot: order for order in book.working(self._spot)}
        exits = self._exit(book, reason, standing)
        if self._params.mode is CarryMode.CLOSE:
            entries = _NOTHING
        elif exits.resting or exits.holds:
            entries = _NOTHING
            memory = replace(memory, goal_net_qty=ZERO) if memory.goal_net_qty else memory
        else:
            entries, memory = self._entries(book, memory, reason, standing)
        text = book.state.memory if memory is remembered(book.state.memory) else memory.text()
        return Target(
            (net,),
            (*entries.resting, *exits.resting),
            (*entries.holds, *exits.holds),
            text,
            earliest(hedge_wake_ns, entries.wake_ts_ns, exits.wake_ts_ns),
            wake_prices=together(entries.promise, exits.promise) if self._is_quiet(book, is_hedged) else None,
        )

    def _is_quiet(self, book: Book, is_hedged: bool) -> bool:
        """Whether nothing is owed on futures, and nothing works there."""
        return is_hedged and not book.live[self._futures]

    def _hedge(self, book: Book, memory: Memory, is_hedged: bool) -> tuple[NetTarget, Memory, int | None]:
        """The net target of the futures leg in the style of the moment, and when that style may change."""
        hedge_net_qty = book.hedge_target()
        if self._maker is None:
            return NetTarget(self._futures, hedge_net_qty, self._taking, Role.HEDGE), memory, None
        making, chase, wake_ns = self._maker.style(book, hedge_net_qty, memory.chase, is_hedged)
        if chase is not memory.chase:
            memory = replace(memory, chase=chase)
        return NetTarget(self._futures, hedge_net_qty, making or self._taking, Role.HEDGE), memory, wake_ns

    def _entries(
        self, book: Book, memory: Memory, reason: Reason | None, standing: dict[str, Order]
    ) -> tuple[Wanted, Memory]:
        unmet = self._unmet(book)
        goal, memory, refused, wake_ns = self._goal(book, memory, unmet)
        if goal is None:
            assert refused is not None, memory
            hold = Hold(refused.reason, self._spot, self._slots[0], refused.numbers)
            # A signal that still waits for its conditions may be taken at any quote.
            return Wanted(holds=(hold,), wake_ts_ns=wake_ns, promise=() if wake_ns is None else None), memory
        promise: Promise = () if wake_ns is None else None
        held = book.net_qty(self._spot)
        instrument = book.legs[self._spot].instrument
        entry_qty = self._params.entry_qty
        free = goal - held - book.working_qty(self._spot, Side.BUY)
        if memory.goal_net_qty and not is_worth_it(goal - held, entry_qty, instrument) and not standing:
            return _NOTHING, replace(memory, goal_net_qty=ZERO)
        prices, no_price = self._entry_prices(book, instrument)
        resting: list[Resting] = []
        holds: list[Hold] = []
        for slot, price in zip(self._slots, prices, strict=True):
            order = standing.get(slot)
            if order is None:
                qty = min(entry_qty, free)
                if not is_worth_it(qty, entry_qty, instrument):
                    continue
                free -= qty
            else:
                qty = min(entry_qty, order.leaves_qty + min(free, ZERO))
                free += order.leaves_qty - qty
                if qty <= 0 or (unmet is not None and self._is_over(book, order)):
                    continue
            each = self._entry(book, slot, qty, price, no_price, order, unmet or reason)
            promise = together(promise, self._entry_promise(book, each, order, unmet))
            resting += [each.resting] if each.resting is not None else []
            holds += [each.hold] if each.hold is not None else []
            wake_ns = earliest(wake_ns, each.wake_ts_ns)
            if order is not None and book.now_ns < order.submitted_ts_ns + self._entry_timeout_ns:
                wake_ns = earliest(wake_ns, order.submitted_ts_ns + self._entry_timeout_ns)
        return Wanted(tuple(resting), tuple(holds), wake_ns, promise), memory

    def _entry_promise(self, book: Book, each: Quoted, standing: Order | None, unmet: Reason | None) -> Promise:
        """Inside which prices an entry stays wanted, or unwanted, as it is."""
        if standing is not None and book.now_ns < standing.submitted_ts_ns + self._entry_timeout_ns:
            withdraw_bps = self._params.withdraw_basis_bps
            return () if withdraw_bps is None else basis_stays_above(*self._watched(book), withdraw_bps)
        if unmet is not None:
            is_known = unmet.reason is HoldReason.NO_SIGNAL
            return self._unmet_promise(book) if standing is None and is_known else None
        basis_bps = self._entry_basis_bps(book)
        promise = together(each.promise, self._exit_promise(book))
        return promise if basis_bps is None else together(promise, basis_stays_above(*self._watched(book), basis_bps))

    def _unmet_promise(self, book: Book) -> Promise:
        """Inside which prices the conditions of an entry stay unmet. Funding and loans are no matter of quotes."""
        if self._funding_unmet(book) is not None or self._is_income_gone(book):
            return ()
        basis_bps = self._params.exit_basis_bps_max if self._unwinding(book) else self._entry_basis_bps(book)
        return () if basis_bps is None else basis_stays_below(*self._watched(book), basis_bps)

    def _watched(self, book: Book) -> tuple[LegId, LegId, tuple[Quote | None, Quote | None]]:
        return self._futures, self._spot, (book.quote(self._futures), book.quote(self._spot))

    def _entry(
        self,
        book: Book,
        slot: str,
        qty: Decimal,
        price: Decimal | None,
        no_price: HoldReason,
        standing: Order | None,
        reason: Reason | None,
    ) -> Quoted:
        if self._params.entry_type is EntryType.LIMIT:
            timeout_ns, at_best = self._entry_timeout_ns, self._params.depth == 1 and slot == self._slots[0]
            wish = Wish(slot, self._spot, Side.BUY, qty, price, Role.ENTRY, timeout_ns, False, no_price, at_best)
            return quoted(book, wish, standing, reason)
        if standing is None and reason is not None:
            return Quoted(hold=Hold(reason.reason, self._spot, slot, reason.numbers), promise=None)
        return Quoted(Resting(slot, self._spot, Side.BUY, qty, None, Role.ENTRY), promise=None)

    def _entry_prices(self, book: Book, instrument: Instrument) -> tuple[tuple[Decimal | None, ...], HoldReason]:
        """The price of each level of the ladder, and why there are none."""
        best, no_price = depth_price(book.quote(self._spot), Side.BUY, self._params.depth)
        if best is None:
            return (None,) * len(self._slots), no_price
        return tuple(instrument.passive_price(best * factor, Side.BUY) for factor in self._factors), no_price

    def _is_over(self, book: Book, order: Order) -> bool:
        """Whether a standing entry whose conditions are no longer met is to be taken back."""
        if book.now_ns >= order.submitted_ts_ns + self._entry_timeout_ns:
            return True
        if self._params.withdraw_basis_bps is None:
            return False
        prices = self._taking_prices(book, Side.SELL)
        return prices is not None and _is_below(prices, self._params.withdraw_basis_bps)

    def _taking_prices(self, book: Book, futures_side: Side) -> tuple[Decimal, Decimal] | None:
        """What taking both legs now would get at worst, futures first: bid and ask to enter, ask and bid to unwind."""
        futures, spot = book.quote(self._futures), book.quote(self._spot)
        if futures is None or spot is None:
            return None
        sells = futures_side is Side.SELL
        futures_price, spot_price = (futures.bid, spot.ask) if sells else (futures.ask, spot.bid)
        return None if futures_price is None or spot_price is None else (futures_price, spot_price)

    def _unmet(self, book: Book) -> Reason | None:
        """Why the conditions of an entry are not met, with the numbers, or None."""
        basis_min = self._params.entry_basis_bps_min
        if basis_min is not None:
            prices = self._taking_prices(book, Side.SELL)
            if prices is None:
                return self._blind(book)
            if _is_below(prices, basis_min):
                numbers = (("basis_bps", _shown(_basis_bps(prices))), ("basis_bps_min", str(basis_min)))
                return Reason(HoldReason.NO_SIGNAL, numbers)
        return self._funding_unmet(book) or self._carry_unmet(book) or self._unwinding(book)

    def _unwinding(self, book: Book) -> Reason | None:
        """Why what is entered would be unwound at once, or None."""
        if not self._exits or self._exit_unmet(book) is not None:
            return None
        prices = self._taking_prices(book, Side.BUY)
        basis = "unknown" if prices is None else _shown(_basis_bps(prices))
        return Reason(
            HoldReason.NO_SIGNAL, (("would_unwind", "at once"), ("basis_bps", basis), *self._told_income(book))
        )

    def _funding_unmet(self, book: Book) -> Reason | None:
        """Why funding and loans alone rule an entry out, whatever the basis is, or None."""
        funding_min = self._params.entry_funding_bps_per_day_min
        if funding_min is not None:
            funding_bps = _bps_per_day(book.funding_rate(self._futures))
            if funding_bps is None or funding_bps < funding_min:
                numbers = (("funding_bps_per_day", _shown(funding_bps)), ("funding_bps_per_day_min", str(funding_min)))
                return Reason(HoldReason.NO_SIGNAL, numbers)
        carry_min = self._params.entry_carry_bps_per_day_min
        if carry_min is not None and self._income_bps(book) is None:
            return Reason(HoldReason.NO_SIGNAL, (*self._told_income(book), ("carry_bps_per_day_min", str(carry_min))))
        return None

    def _carry_unmet(self, book: Book) -> Reason | None:
        carry_min = self._params.entry_carry_bps_per_day_min
        if carry_min is None:
            return None
        prices, income = self._taking_prices(book, Side.SELL), self._income_bps(book)
        if prices is None:
            return self._blind(book)
        assert income is not None, carry_min
        if not _is_below(prices, self._needed_basis_bps(income, carry_min)):
            return None
        carry = income + (_basis_bps(prices) - self._params.fees_bps) / self._params.horizon_days
        told = (("carry_bps_per_day", _shown(carry)), ("carry_bps_per_day_min", str(carry_min)))
        return Reason(HoldReason.NO_SIGNAL, (*told, *self._told_income(book)))

    def _needed_basis_bps(self, income_bps: Decimal, carry_min: Decimal) -> Decimal:
        """The basis at which carry is `carry_min`."""
        return (carry_min - income_bps) * self._params.horizon_days + self._params.fees_bps

    def _entry_basis_bps(self, book: Book) -> Decimal | None:
        """The basis from which on all conditions of an entry are met, as funding and loans are now; None: any."""
        basis_min, carry_min = self._params.entry_basis_bps_min, self._params.entry_carry_bps_per_day_min
        income = None if carry_min is None else self._income_bps(book)
        needed = None if carry_min is None or income is None else self._needed_basis_bps(income, carry_min)
        if basis_min is None or needed is None:
            return needed if basis_min is None else basis_min
        return max(basis_min, needed)

    def _income_bps(self, book: Book) -> Decimal | None:
        """What holding both legs earns: funding received less what the loan costs, bps per day; None: unknown."""
        funding, borrow = _bps_per_day(book.funding_rate(self._futures)), self._borrow_bps(book)
        return None if funding is None or borrow is None else funding - borrow

    def _borrow_bps(self, book: Book) -> Decimal | None:
        if self._params.borrow_bps_per_day is not None:
            return self._params.borrow_bps_per_day
        instrument = book.legs[self._spot].instrument
        if instrument.kind is not InstrumentKind.MARGIN:
            return ZERO
        return _bps_per_day(book.borrow_rate(self._spot, instrument.quote))

    def _told_income(self, book: Book) -> tuple[tuple[str, str], ...]:
        funding = _bps_per_day(book.funding_rate(self._futures))
        return ("funding_bps_per_day", _shown(funding)), ("borrow_bps_per_day", _shown(self._borrow_bps(book)))

    def _blind(self, book: Book) -> Reason:
        blind = self._futures if _is_blind(book.quote(self._futures)) else self._spot
        return Reason(HoldReason.NO_MARK_PRICE, (("leg", blind),))

    def _goal(
        self, book: Book, memory: Memory, unmet: Reason | None
    ) -> tuple[Decimal | None, Memory, Reason | None, int | None]:
        """Up to what spot enters now, else why it does not; the memory after looking; and when to look again."""
        max_net_qty = self._params.max_net_qty
        assert max_net_qty is not None, self._params
        if self._params.entry_on is EntryOn.CONDITIONS:
            return max_net_qty, memory, None, None
        signal = book.state.signal
        if signal is None:
            return None, memory, Reason(HoldReason.NO_SIGNAL, (("waits_for", "a signal"),)), None
        changed_ns = book.state.mode_ts_ns
        is_old = memory.signal_ts_ns + self._signal_age_ns < book.state.started_ts_ns
        if memory.goal_net_qty and (memory.signal_ts_ns < changed_ns or is_old):
            # An operator or the book itself stopped what this signal began: a resume does not bring it back, and
            # neither does a start for which it is too old.
            memory = replace(memory, goal_net_qty=None)
        wake_ns = None
        if signal.made_ts_ns > memory.signal_ts_ns:
            expires_ns = signal.made_ts_ns + self._signal_age_ns
            if book.now_ns > expires_ns or signal.made_ts_ns < changed_ns:
                memory = replace(memory, signal_ts_ns=signal.made_ts_ns, goal_net_qty=None)
            else:
                refused = unmet or self._refused(book)
                if refused is None:
                    goal = min(max_net_qty, book.net_qty(self._spot) + len(self._slots) * self._params.entry_qty)
                    memory = replace(memory, signal_ts_ns=signal.made_ts_ns, goal_net_qty=goal)
                elif memory.goal_net_qty:
                    wake_ns = expires_ns + 1
                else:
                    return None, memory, refused, expires_ns + 1
        if memory.goal_net_qty is None:
            numbers = (("made_ts_ns", str(memory.signal_ts_ns)), ("age_s_max", str(self._params.signal_age_s_max)))
            return None, memory, Reason(HoldReason.STALE_SIGNAL, numbers), None
        return min(max_net_qty, memory.goal_net_qty), memory, None, wake_ns

    def _refused(self, book: Book) -> Reason | None:
        """Why the core lets no entry pass; until it does, a signal is not used up."""
        refused = guard.refusal_of_entries(book)
        return None if refused is None else Reason(refused.reason, refused.numbers)

    def _exit(self, book: Book, reason: Reason | None, standing: dict[str, Order]) -> Wanted:
        """One spot order after another, each within what both legs hold against one another."""
        closes = self._params.mode is CarryMode.CLOSE
        order = standing.get(EXIT)
        if order is None and not closes and not self._exits:
            return _NOTHING
        holds = self._rest(book) if closes else ()
        held = min(book.net_qty(self._spot), self._matched(book))
        unmet = self._exit_unmet(book)
        if order is not None:
            held = max(held, min(order.leaves_qty, book.net_qty(self._spot)))
            due_ns = order.submitted_ts_ns + self._entry_timeout_ns
            if held <= 0 or (unmet is not None and book.now_ns >= due_ns):
                return Wanted(holds=holds, promise=None)
        elif held <= 0 or unmet is not None:
            promise = () if held <= 0 else self._exit_promise(book)
            return Wanted(holds=(*holds, *self._why_not(book, closes, held, unmet)), promise=promise)
        instrument = book.legs[self._spot].instrument
        if any(each.side is Side.BUY for each in standing.values()):
            # An entry that is on its way out must be gone before our own exit could meet it.
            return Wanted(holds=(*holds, Hold(HoldReason.REPLACING, self._spot, EXIT)), promise=None)
        qty = exit_qty(held, self._params.entry_qty, instrument, order)
        price, no_price = depth_price(book.quote(self._spot), Side.SELL, self._params.depth)
        wish = Wish(EXIT, self._spot, Side.SELL, qty, price, Role.EXIT, self._entry_timeout_ns, False, no_price)
        each = quoted(book, wish, order, reason)
        wake_ns = each.wake_ts_ns
        if order is not None and unmet is not None:
            wake_ns = earliest(wake_ns, order.submitted_ts_ns + self._entry_timeout_ns)
        # A young exit stays; an older one, or one that waits for a reason, goes with its conditions.
        stays = order is not None and book.now_ns < order.submitted_ts_ns + self._entry_timeout_ns
        return Wanted(
            (each.resting,) if each.resting is not None else (),
            (*holds, each.hold) if each.hold is not None else holds,
            wake_ns,
            each.promise if stays else None,
        )

    def _exit_promise(self, book: Book) -> Promise:
        """Inside which prices nothing is unwound. Funding and loans are no matter of quotes."""
        basis_max = self._params.exit_basis_bps_max
        return () if basis_max is None else basis_stays_above(*self._watched(book), basis_max)

    def _matched(self, book: Book) -> Decimal:
        """What the futures leg holds against spot, in spot's units; 0 when it stands on the same side."""
        spot, futures = book.legs[self._spot].instrument, book.legs[self._futures].instrument
        return max(ZERO, book.net_qty(self._futures) * futures.multiplier / (self._rule.ratio * spot.multiplier))

    def _exit_unmet(self, book: Book) -> Reason | None:
        """Why nothing is unwound though something may be held, or None: one condition that is met is enough."""
        if not self._exits:
            return None if self._params.mode is CarryMode.CLOSE else Reason(HoldReason.NO_SIGNAL)
        numbers: tuple[tuple[str, str], ...] = ()
        carry_max, basis_max = self._params.exit_carry_bps_per_day_max, self._params.exit_basis_bps_max
        if carry_max is not None:
            if self._is_income_gone(book):
                return None
            numbers = (*self._told_income(book), ("carry_bps_per_day_max", str(carry_max)))
        if basis_max is not None:
            prices = self._taking_prices(book, Side.BUY)
            if prices is None:
                return self._blind(book)
            if not _is_above(prices, basis_max):
                return None
            numbers = (("basis_bps", _shown(_basis_bps(prices))), ("basis_bps_max", str(basis_max)), *numbers)
        return Reason(HoldReason.NO_SIGNAL, numbers)

    def _is_income_gone(self, book: Book) -> bool:
        """Whether funding and loans alone say that what is held is to be unwound."""
        carry_max, income = self._params.exit_carry_bps_per_day_max, self._income_bps(book)
        return carry_max is not None and income is not None and income <= carry_max

    def _why_not(self, book: Book, closes: bool, held: Decimal, unmet: Reason | None) -> tuple[Hold, ...]:
        """In close mode, why nothing is being sold; in open mode keeping the position is the wish."""
        if not closes:
            return ()
        if any(book.ledger(leg_id).foreign_net_qty is None for leg_id in book.legs):
            return (Hold(HoldReason.RECONCILING, self._spot, EXIT),)
        if held <= 0 or unmet is None:
            return ()
        return (Hold(unmet.reason, self._spot, EXIT, unmet.numbers),)

    def _rest(self, book: Book) -> tuple[Hold, ...]:
        """What the accounts hold and the unwinding leaves alone, one hold per leg."""
        return tuple(
            Hold(
                HoldReason.INSUFFICIENT_HOLDINGS,
                leg_id,
                REST,
                (("rest", str(foreign)),),
            )
            for leg_id in (self._spot, self._futures)
            if (foreign := book.ledger(leg_id).foreign_net_qty)
        )


def _maker(futures: LegId, params: CarryParams) -> MakerHedge:
    return MakerHedge(
        futures,
        price=params.maker_price,
        offset_ticks=params.maker_offset_ticks,
        requote_ticks=params.requote_ticks,
        requote_ns=to_ns(params.requote_s),
        timeout_ns=to_ns(params.maker_timeout_s),
        distance_bps_max=params.maker_distance_bps_max,
        tries_max=params.maker_tries_max,
    )


def _is_blind(quote: Quote | None) -> bool:
    return quote is None or quote.bid is None or quote.ask is None


def _is_below(prices: tuple[Decimal, Decimal], basis_bps: Decimal) -> bool:
    futures, spot = prices
    return futures - spot < spot * basis_bps * BPS


def _is_above(prices: tuple[Decimal, Decimal], basis_bps: Decimal) -> bool:
    futures, spot = prices
    return futures - spot > spot * basis_bps * BPS


def _basis_bps(prices: tuple[Decimal, Decimal]) -> Decimal:
    futures, spot = prices
    return (futures - spot) / (spot * BPS)


def _shown(bps: Decimal | None) -> str:
    return "unknown" if bps is None else str(bps.quantize(SHOWN_BPS))


def _bps_per_day(rate: FundingRate | BorrowRate | None) -> Decimal | None:
    return None if rate is None else rate.rate * DAY_S / (rate.interval_s * BPS)
