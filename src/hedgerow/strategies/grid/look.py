"""One look of a grid at its book: what it found, and what it wants so far. Made anew for each target."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hedgerow.core.book import Book
from hedgerow.core.holds import Alarm, Hold, HoldReason
from hedgerow.core.ledger import lot_of
from hedgerow.core.target import Resting
from hedgerow.model.ids import LegId
from hedgerow.model.numbers import ZERO
from hedgerow.model.order import Order, Role, Side
from hedgerow.strategies.grid.memory import Memory, atr_bps
from hedgerow.strategies.grid.params import GridParams
from hedgerow.strategies.grid.watch import Pnl, Watch
from hedgerow.strategies.quoting import earliest

# Where holds that are not about one order stand.
ENTRIES, RANGE = "entries", "range"


class Lot(msgspec.Struct, frozen=True):
    """What one level holds."""

    number: int
    side: Side
    "Of its entry."
    qty: Decimal
    "> 0."
    cost: Decimal | None
    "Average price of what was entered here; None for adopted holdings."


class Look:
    """What is, as the parts of the policy ask for it, and what they want, one after the other."""

    def __init__(self, book: Book, leg_id: LegId, params: GridParams, memory: Memory) -> None:
        self.book = book
        self.leg = leg_id
        self.params = params
        self.memory = memory
        "As it is to be kept."
        self.instrument = book.legs[leg_id].instrument
        self.ledger = book.ledger(leg_id)
        self.quote = book.quote(leg_id)
        self.mark = book.mark(leg_id)
        self.pnl = Pnl(book)
        self.watch = Watch(book)
        self.watch.leg(leg_id)
        self.lots: list[Lot] = []
        "What each level holds, from the lowest number up."
        self.standing: dict[str, Order] = {order.slot: order for order in book.working(leg_id) if order.slot}
        self.exiting: dict[int, list[Order]] = {}
        "Level -> its exits that stand, oldest first."
        for order in self.standing.values():
            number = level_number(lot_of(order.slot)) if order.role is Role.EXIT else None
            if number is not None:
                self.exiting.setdefault(number, []).append(order)
        self.resting: list[Resting] = []
        self.holds: list[Hold] = []
        self.alarms: list[Alarm] = []
        self.wake_ts_ns: int | None = None

    @property
    def atr_bps(self) -> Decimal | None:
        """The average move from bar to bar; None while it is not known."""
        return atr_bps(self.memory.bars, self.params.atr_bars)

    @property
    def is_flat(self) -> bool:
        """Whether no order could bring the position closer to zero."""
        return not self.can_exit(abs(self.ledger.position.net_qty), self.mark)

    def can_exit(self, qty: Decimal, price: Decimal | None) -> bool:
        """Return whether the venue takes an exit of `qty`, floored to the step."""
        floored = self.instrument.floor_qty(qty)
        if floored == ZERO:
            return False
        reduces = self.instrument.can_reduce_only
        return self.instrument.broken_rule(floored, None, price, reduce_only=reduces) is None

    def may_rest(self, want: Resting) -> bool:
        """Return whether a wanted exit stands, or could: a remainder is wanted and trades with nothing."""
        return want.slot in self.standing or self.can_exit(want.qty, want.limit_price)

    def wake(self, ts_ns: int) -> None:
        """Look again then at the latest."""
        self.wake_ts_ns = earliest(self.wake_ts_ns, ts_ns)

    def hold(self, reason: HoldReason, slot: str, *numbers: tuple[str, str]) -> None:
        self.holds.append(Hold(reason, self.leg, slot, numbers))


def held_lots(look: Look) -> list[Lot]:
    """Return what each level holds by its fills and by what was adopted for it, from the lowest number up."""
    found: dict[int, tuple[Decimal, Decimal | None]] = {number: (qty, None) for number, qty in look.memory.seeds}
    multiplier = look.instrument.multiplier
    for name, position in look.ledger.lots.items():
        number = level_number(name)
        if number is None or position.net_qty == ZERO:
            continue
        if number in found:
            found[number] = (found[number][0] + position.net_qty, None)
        else:
            found[number] = (position.net_qty, position.avg_price(multiplier))
    return [
        Lot(number, Side.BUY if net_qty > ZERO else Side.SELL, abs(net_qty), cost)
        for number, (net_qty, cost) in sorted(found.items())
        if net_qty != ZERO
    ]


def level_number(lot: str) -> int | None:
    """Return the level whose lot this is; None for one that no grid made."""
    return int(lot) if lot.removeprefix("-").isdecimal() else None
