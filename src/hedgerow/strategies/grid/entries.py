"""The entries of a grid: those nearest to the market, as far as brakes, limits and the hedge leg let them rest."""

from __future__ import annotations

from decimal import Decimal

from hedgerow.core.holds import HoldReason
from hedgerow.core.target import Resting
from hedgerow.model.numbers import ONE, ZERO
from hedgerow.model.order import Order, Role, Side
from hedgerow.strategies.grid.brakes import Braked
from hedgerow.strategies.grid.levels import Ladder, Level
from hedgerow.strategies.grid.look import ENTRIES, Look, Lot
from hedgerow.strategies.quoting import Reason


def want_entries(look: Look, ladder: Ladder, brake: Braked, hedge_reason: Reason | None) -> None:
    """Want the entries that should rest now; say why no more of them do."""
    if look.memory.stopped:
        look.hold(HoldReason.STOPPED, ENTRIES, ("because", look.memory.stopped))
        return
    if brake.reason is not None:
        look.hold(brake.reason, ENTRIES, *brake.numbers)
        return
    reason = hedge_reason
    if reason is not None and reason.withdraws:
        look.hold(reason.reason, ENTRIES, *reason.numbers)
        return
    # While an exit works, even the last of it, its lot is not sold.
    taken = {lot.number for lot in look.lots if lot.number in look.exiting or _is_lot(look, ladder, lot)}
    sides = [_Entries(look, ladder, brake.ratio, reason, side, taken) for side in (Side.BUY, Side.SELL)]
    for entries in sides:
        entries.want()
    held_back = next((entries.held_back for entries in sides if entries.held_back is not None), None)
    if held_back is not None:
        look.hold(held_back.reason, ENTRIES, *held_back.numbers)


def _is_lot(look: Look, ladder: Ladder, lot: Lot) -> bool:
    """Whether what a level holds is more than a remainder that no order could sell."""
    return look.can_exit(lot.qty, ladder.exit_price(lot.number, lot.side))


class _Entries:
    """The entries of one side, from the one nearest to the market on."""

    def __init__(
        self, look: Look, ladder: Ladder, ratio: Decimal, reason: Reason | None, side: Side, taken: set[int]
    ) -> None:
        self._look = look
        self._levels = ladder.buys if side is Side.BUY else ladder.sells
        self._ratio = ratio
        self._reason = reason
        self._side = side
        self._taken = taken
        self._limit = self._most(ladder)
        self._held = max(look.ledger.position.net_qty * side.sign, ZERO)
        self._room = None if self._limit is None else self._limit - self._held
        entries = (order for order in look.book.working(look.leg) if order.role is Role.ENTRY and order.side is side)
        self._standing_qty = sum((order.leaves_qty for order in entries), ZERO)
        "Of entries that are there or asked for, also those that are being taken back."
        self._exit_slots = {want.slot for want in look.resting if want.role is Role.EXIT}
        prices = [
            want.limit_price
            for want in look.resting
            if want.side is side.opposite and want.limit_price is not None and look.may_rest(want)
        ]
        self._nearest_exit = (min if side is Side.BUY else max)(prices, default=None)
        self.held_back: Reason | None = None
        "Why an entry that should rest is not wanted; None when all are."

    def want(self) -> None:
        """Want the nearest levels that hold nothing; a standing order keeps its slot for some levels more."""
        look = self._look
        active, reach = look.params.active_levels, look.params.active_levels + look.params.hysteresis_levels
        rank = 0
        for level in self._levels:
            if rank >= reach:
                return
            order = look.standing.get(level.entry_slot)
            if level.entry_slot in self._exit_slots or (order is not None and order.role is not Role.ENTRY):
                # A ladder that was moved: the level still exits what it entered on the other side.
                continue
            if level.number in self._taken:
                if order is not None and not self._crosses(level):
                    # The rest of an entry that filled in part.
                    self._rest(level, order.leaves_qty, order)
                continue
            if order is None and not self._is_passive(level):
                continue
            if self._crosses(level):
                continue
            if rank < (active if order is None else reach):
                self._rest(level, self._size(level), order)
            rank += 1

    def _rest(self, level: Level, qty: Decimal, order: Order | None) -> None:
        look = self._look
        if self._room is not None:
            wanted = qty if order is None else min(qty, order.leaves_qty)
            qty = min(qty, look.instrument.floor_qty(max(self._room, ZERO)))
            if qty < wanted and not look.instrument.is_orderable(qty, level.entry_price):
                limit = str(look.params.max_net_qty or "the whole ladder")
                numbers = (("limit", limit), ("wanted", str(wanted)), ("free", str(self._room)))
                self.held_back = self.held_back or Reason(HoldReason.INVENTORY_LIMIT, numbers)
                return
            self._room -= min(qty, wanted)
        if order is None:
            if self._reason is not None:
                self.held_back = self.held_back or self._reason
                return
            # Until it rests, a market that comes to its price first changes which entries are wanted.
            tick = look.instrument.tick
            if self._side is Side.BUY:
                look.watch.falls(look.leg, level.entry_price - tick)
            else:
                look.watch.rises(look.leg, level.entry_price + tick)
            if self._limit is not None and self._held + self._standing_qty + qty > self._limit:
                # A farther one is taken back for it, and may fill until it is gone.
                numbers = (("limit", str(self._limit)), ("wanted", str(qty)), ("standing", str(self._standing_qty)))
                self.held_back = self.held_back or Reason(HoldReason.INVENTORY_LIMIT, numbers)
                return
            self._standing_qty += qty
        look.resting.append(
            Resting(level.entry_slot, look.leg, self._side, qty, level.entry_price, Role.ENTRY, post_only=True)
        )

    def _is_passive(self, level: Level) -> bool:
        """Whether an order at the level's price would rest now; named as a wake price when it would not."""
        look, price = self._look, level.entry_price
        if look.quote is None:
            return False
        tick = look.instrument.tick
        if self._side is Side.BUY:
            if look.quote.ask is not None and look.quote.ask > price:
                return True
            look.watch.rises(look.leg, price + tick)
        else:
            if look.quote.bid is not None and look.quote.bid < price:
                return True
            look.watch.falls(look.leg, price - tick)
        return False

    def _crosses(self, level: Level) -> bool:
        """Whether the entry would trade with one of our own exits."""
        if self._nearest_exit is None:
            return False
        return (level.entry_price - self._nearest_exit) * self._side.sign >= ZERO

    def _size(self, level: Level) -> Decimal:
        return level.qty if self._ratio == ONE else self._look.instrument.floor_qty(level.qty * self._ratio)

    def _most(self, ladder: Ladder) -> Decimal | None:
        """How much may be held; None without a limit. A ladder that was moved holds no more than a whole."""
        limit, memory = self._look.params.max_net_qty, self._look.memory
        if limit is None and (memory.lowest or memory.highest):
            return ladder.full_qty
        return limit
