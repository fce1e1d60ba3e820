"""Mirror: the lead leg makes at a depth of the book, the hedge leg takes the opposite of every fill.

What is held is offered back on the other side of the lead's book, so that the lead leg earns its spread both ways. Both
sides rest at the same time; each waits until the hedge leg is level, and both are withdrawn when the hedge leg is
silent, because either would leave it something to hedge.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, TypeVar

import msgspec

from hedgerow.core.book import Book
from hedgerow.core.config import BookConfig
from hedgerow.core.holds import Hold, HoldReason
from hedgerow.core.target import NetTarget, Resting, Taking, Target
from hedgerow.model.order import Order, Role, Side
from hedgerow.model.words import Word
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
from hedgerow.strategies.waking import level_stays, together

T = TypeVar("T")

ENTRY = "entry"
EXIT = "exit"


class ExitPolicy(Word):
    MAKE = "make"
    "What is held is offered back at the same depth of the other side."
    KEEP = "keep"
    "What is held stays, up to `max_net_qty`."


class MirrorParams(msgspec.Struct, frozen=True, kw_only=True):
    """What a mirror book is told."""

    qty: Annotated[Decimal, Param("Size of one order of the lead leg.", "base units", above=0)]
    max_net_qty: Annotated[Decimal, Param("The lead leg enters up to this position.", "base units", above=0)]
    entry_side: Annotated[Side, Param("Side on which the lead leg enters.")] = Side.BUY
    depth: Annotated[
        int, Param("Level of the book at which the lead leg makes; 1 is the best price.", min=1, max=50)
    ] = 1
    slippage_bps_max: Annotated[
        Decimal | None,
        Param(
            "Worst price of the hedge, from the far side of its book; none sends market orders.", "bps", min=0, max=5000
        ),
    ] = Decimal(50)
    order_timeout_s: Annotated[
        Decimal, Param("An order keeps its price for this long; then it follows the book.", "seconds", above=0)
    ] = Decimal(30)
    silence_s: Annotated[
        Decimal,
        # Signs of life come once a second; a limit near that would withdraw and submit in turns.
        Param("Without a sign of life from the hedge leg for this long, orders are withdrawn.", "seconds", min=2),
    ] = Decimal(15)
    force_close_s: Annotated[
        Decimal,
        Param(
            "A residual that lasts this long closes both legs and freezes the book. The time in which an order without "
            "a proof might have taken it does not count, for as long as that proof takes at most.",
            "seconds",
            above=0,
        ),
    ] = Decimal(60)
    exit: Annotated[ExitPolicy, Param("Whether what is held is offered back.")] = ExitPolicy.MAKE
    exit_after_s: Annotated[
        Decimal, Param("An exit is offered when the lead leg's last fill is this old.", "seconds", min=0)
    ] = Decimal(0)


def check(config: BookConfig, params: MirrorParams) -> list[ParamError]:
    """Return what does not fit together: with the legs, the instrument, or one another."""
    errors = hedge_errors(config)
    if errors:
        return errors
    errors = qty_errors(config, "qty", params.qty) + foreign_errors(config, "entry_side", params.entry_side)
    if params.max_net_qty < params.qty:
        errors.append(ParamError("max_net_qty", f"{params.max_net_qty} is below qty {params.qty}", "use at least qty"))
    return errors


class Mirror:
    """A market maker on the lead leg whose every fill the hedge leg takes over."""

    def __init__(self, config: BookConfig, params: MirrorParams) -> None:
        assert config.hedge is not None, config.book_id
        self._params = params
        self._lead = config.hedge.lead
        self._hedge = config.hedge.hedge
        self._taking = Taking(params.slippage_bps_max)
        self._order_timeout_ns = to_ns(params.order_timeout_s)
        self._silence_ns = to_ns(params.silence_s)
        self._force_close_ns = to_ns(params.force_close_s)
        self._exit_after_ns = to_ns(params.exit_after_s)

    def target(self, book: Book) -> Target:
        nets = (NetTarget(self._hedge, book.hedge_target(), self._taking, Role.HEDGE),)
        is_hedged = book.is_level
        force_close_ns = None
        if not is_hedged:
            force_close_ns = book.open_since_ns() + self._force_close_ns
            if book.now_ns >= force_close_ns:
                text = f"residual {book.residual} lasted {self._params.force_close_s} s"
                return Target(nets=nets, flatten_reason=text)
        silent_ns = book.heard_ts_ns.get(self._hedge, 0) + self._silence_ns
        reason = self._reason(book, is_hedged, silent_ns)
        held = book.net_qty(self._lead)
        entry = self._entry(book, held, reason)
        exit_ = self._exit(book, held, reason)
        promise = together(entry.promise, exit_.promise)
        if entry.resting is not None and exit_.resting is not None and _meet(entry.resting, exit_.resting):
            entry, exit_ = Quoted(), self._after(book, exit_)
        wake_ns = earliest(
            force_close_ns, silent_ns if book.now_ns < silent_ns else None, entry.wake_ts_ns, exit_.wake_ts_ns
        )
        resting, holds = _present(entry.resting, exit_.resting), _present(entry.hold, exit_.hold)
        return Target(nets, resting, holds, "", wake_ns, wake_prices=together(promise, level_stays(book)))

    def _reason(self, book: Book, is_hedged: bool, silent_ns: int) -> Reason | None:
        """Why the lead leg may make nothing new: a silent hedge leg closes the gate as a residual does."""
        if book.now_ns >= silent_ns:
            return Reason(HoldReason.HEDGE_SILENT, (("limit_s", str(self._params.silence_s)),))
        # A hedge order that still works could take the hedge leg off level again.
        return hedge_reason(book, self._hedge, is_level=is_hedged and not book.live[self._hedge])

    def _entry(self, book: Book, held: Decimal, reason: Reason | None) -> Quoted:
        side = self._params.entry_side
        net = held if side is Side.BUY else -held
        if net < 0:
            return Quoted()
        free = self._params.max_net_qty - net
        standing = book.in_slot(self._lead, ENTRY)
        instrument = book.legs[self._lead].instrument
        if free <= 0 or (standing is None and not is_worth_it(free, self._params.qty, instrument)):
            return Quoted()
        return self._quoted(book, ENTRY, side, min(self._params.qty, free), Role.ENTRY, standing, reason)

    def _exit(self, book: Book, held: Decimal, reason: Reason | None) -> Quoted:
        if held == 0 or self._params.exit is ExitPolicy.KEEP:
            return Quoted()
        standing = book.in_slot(self._lead, EXIT)
        due_ns = book.ledger(self._lead).booked_ts_ns + self._exit_after_ns
        if standing is None and book.now_ns < due_ns:
            return Quoted(wake_ts_ns=due_ns)
        side = Side.SELL if held > 0 else Side.BUY
        qty = exit_qty(abs(held), self._params.qty, book.legs[self._lead].instrument, standing)
        return self._quoted(book, EXIT, side, qty, Role.EXIT, standing, reason)

    def _quoted(
        self, book: Book, slot: str, side: Side, qty: Decimal, role: Role, standing: Order | None, reason: Reason | None
    ) -> Quoted:
        price, no_price = depth_price(book.quote(self._lead), side, self._params.depth)
        if price is not None:
            # A market may be finer than its instrument was when it was read.
            price = book.legs[self._lead].instrument.passive_price(price, side)
        at_best = self._params.depth == 1
        wish = Wish(slot, self._lead, side, qty, price, role, self._order_timeout_ns, True, no_price, at_best)
        return quoted(book, wish, standing, reason)

    def _after(self, book: Book, exit_: Quoted) -> Quoted:
        """An exit that our own entry would trade with: the entry is withdrawn first."""
        if book.in_slot(self._lead, ENTRY) is None or book.in_slot(self._lead, EXIT) is not None:
            return exit_
        return Quoted(hold=Hold(HoldReason.REPLACING, self._lead, EXIT))


def _meet(entry: Resting, exit_: Resting) -> bool:
    """Whether the two orders would trade with one another. They stand on opposite sides."""
    assert entry.limit_price is not None, entry
    assert exit_.limit_price is not None, exit_
    if entry.side is Side.BUY:
        return exit_.limit_price <= entry.limit_price
    return exit_.limit_price >= entry.limit_price


def _present(first: T | None, second: T | None) -> tuple[T, ...]:
    if first is None:
        return () if second is None else (second,)
    return (first,) if second is None else (first, second)
