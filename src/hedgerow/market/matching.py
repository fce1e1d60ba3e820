"""One instrument's book: what the market shows at each price, and accounts' orders with their place in the queue.

Knows prices, times and quantities; knows nothing of money. The caller books each match before it asks for the next,
so whatever that booking removes from the book is no longer there.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from decimal import Decimal
from operator import attrgetter, lt
from typing import Generic, Protocol, TypeVar

from hedgerow.model.market import Level
from hedgerow.model.numbers import ZERO
from hedgerow.model.order import Side


class Queued(Protocol):
    """What the book needs of an account's order."""

    id: str
    "Unique in the book."
    leaves_qty: Decimal
    price: Decimal
    ahead_qty: Decimal
    "What the market shows at its price and was there before it. Accounts' own orders are not counted."

    @property
    def owner(self) -> object: ...


Q = TypeVar("Q", bound=Queued)

QTY = attrgetter("qty")
UNKNOWN_QTY = Decimal("Infinity")
"Ahead of an order at a price of which nothing is known yet: longer than any queue."


class PriceLevel(Generic[Q]):
    """One price: what the market shows there, and accounts' orders in order of arrival."""

    __slots__ = ("key", "orders", "price", "qty")

    def __init__(self, key: Decimal, price: Decimal, qty: Decimal) -> None:
        self.key = key
        self.price = price
        self.qty = qty
        self.orders: dict[str, Q] = {}

    def head(self) -> Q:
        """Return the oldest order; there is one."""
        return next(iter(self.orders.values()))

    def advance_queue(self, qty: Decimal) -> None:
        """Let `qty` of what the market shows at the front of the queue leave."""
        for order in self.orders.values():
            order.ahead_qty = order.ahead_qty - qty if order.ahead_qty > qty else ZERO

    def shorten_queue(self) -> None:
        """Let nobody stand behind more than the market shows."""
        for order in self.orders.values():
            if order.ahead_qty > self.qty:
                order.ahead_qty = self.qty


class BookSide(Generic[Q]):
    """The bids or the asks. `keys` rise, the best is last: a key is a bid's price, or minus an ask's price."""

    __slots__ = ("_is_bid", "_worst_key", "is_partial", "keys", "levels", "order_count")

    def __init__(self, side: Side) -> None:
        self._is_bid = side is Side.BUY
        self._worst_key: Decimal | None = None
        "With `is_partial`: the worst price that the market shows."
        self.is_partial = False
        "The market shows its best levels only: at worse prices the queue is not empty but unknown."
        self.keys: list[Decimal] = []
        self.levels: list[PriceLevel[Q]] = []
        self.order_count = 0

    def best(self) -> Decimal | None:
        """Return the best price with anything at it, or None."""
        return self.levels[-1].price if self.levels else None

    def key(self, price: Decimal) -> Decimal:
        """Return `price` as this side sorts it: what is better for the incoming order is larger."""
        return price if self._is_bid else -price

    def shown(self, depth: int) -> tuple[Level, ...]:
        """Return the best `depth` levels, best first, accounts' orders included."""
        return tuple(
            [
                (
                    level.price,
                    level.qty + sum([order.leaves_qty for order in level.orders.values()])
                    if level.orders
                    else level.qty,
                )
                for level in self.levels[: -depth - 1 : -1]
            ]
        )

    def set_all(self, levels: Sequence[Level]) -> None:
        """Replace what the market shows; accounts' orders stay, no further back than the new level is long."""
        kept = [level for level in self.levels if level.orders]
        if not kept and self._begin_with(levels):
            return
        for level in kept:
            level.qty = ZERO
        self.levels = kept
        self.keys = [level.key for level in kept]
        self._worst_key = None
        for price, qty in levels:
            self.set_level(price, qty)
        for level in kept:
            if self._knows(level.key):
                level.shorten_queue()

    def _begin_with(self, levels: Sequence[Level]) -> bool:
        """Take levels as they are, best first, into a book without orders; return False when they are not so."""
        made: list[PriceLevel[Q]] = [PriceLevel(price if self._is_bid else -price, price, qty) for price, qty in levels]
        made.reverse()
        keys = [level.key for level in made]
        if not all(map(lt, keys, keys[1:])) or not all(map(QTY, made)):
            return False
        self.levels, self.keys = made, keys
        self._worst_key = keys[0] if self.is_partial and keys else None
        return True

    def set_level(self, price: Decimal, qty: Decimal) -> None:
        """Let the market show `qty` at `price`; zero removes it. A queue is never longer than its level."""
        key = price if self._is_bid else -price
        keys = self.keys
        index = self._index(key)
        if self.is_partial and qty and (self._worst_key is None or key < self._worst_key):
            self._worst_key = key
        if index < len(keys) and keys[index] == key:
            level = self.levels[index]
            if level.orders:
                level.qty = qty
                level.shorten_queue()
            elif qty:
                level.qty = qty
            else:
                del keys[index], self.levels[index]
        elif qty:
            keys.insert(index, key)
            self.levels.insert(index, PriceLevel(key, price, qty))

    def cut(self, price: Decimal) -> None:
        """Let the market show nothing better than `price`."""
        key = self.key(price)
        index = len(self.levels)
        while index and self.keys[index - 1] > key:
            index -= 1
            level = self.levels[index]
            level.qty = ZERO
            level.shorten_queue()
            if not level.orders:
                del self.keys[index], self.levels[index]

    def rest(self, order: Q) -> None:
        """Put `order` at the end of the queue of its price."""
        key = self.key(order.price)
        index = self._index(key)
        if index == len(self.keys) or self.keys[index] != key:
            self.keys.insert(index, key)
            self.levels.insert(index, PriceLevel(key, order.price, ZERO))
        level = self.levels[index]
        order.ahead_qty = level.qty if self._knows(key) else UNKNOWN_QTY
        level.orders[order.id] = order
        self.order_count += 1

    def remove(self, order: Q) -> None:
        """Take `order`, which rests here, out of the book."""
        index = self._index(self.key(order.price))
        level = self.levels[index]
        del level.orders[order.id]
        self.order_count -= 1
        if not level.orders and not level.qty:
            del self.keys[index], self.levels[index]

    def reduce(self, order: Q, qty: Decimal) -> None:
        """Fill `qty` of `order`, which rests here; it leaves the book when nothing is left of it."""
        order.leaves_qty -= qty
        if not order.leaves_qty:
            self.remove(order)

    def take(self, qty: Decimal, limit_key: Decimal | None) -> tuple[Decimal, Decimal, Q | None] | None:
        """Return the next match of an incoming order, or None when nothing within its limit is left.

        What the market shows is consumed here. An account's order is only named: the caller reduces or removes it.

        Args:
            qty: what the incoming order still wants, > 0.
            limit_key: `key` of its limit price; None for a market order.

        Returns:
            (price, qty, the resting order or None when it is the market's).
        """
        if not self.levels:
            return None
        level = self.levels[-1]
        if limit_key is not None and level.key < limit_key:
            return None
        shown_qty = level.qty
        if level.orders:
            order = level.head()
            if not order.ahead_qty or not shown_qty:
                return level.price, min(qty, order.leaves_qty), order
            shown_qty = min(shown_qty, order.ahead_qty)
        taken_qty = qty if qty < shown_qty else shown_qty
        level.qty -= taken_qty
        if level.orders:
            level.advance_queue(taken_qty)
        elif not level.qty:
            self._drop(level)
        return level.price, taken_qty, None

    def reachable(
        self, qty: Decimal, limit_key: Decimal | None, owner: object, *, stops_at_owner: bool
    ) -> tuple[Decimal, Decimal]:
        """Return (how much of `qty` an incoming order would get at once, price times qty of that).

        Args:
            owner: whose order comes in; its own resting orders do not count.
            stops_at_owner: the incoming order gets nothing beyond the first resting order of its owner.
        """
        got_qty = paid = ZERO
        for level in reversed(self.levels):
            if limit_key is not None and level.key < limit_key:
                break
            level_qty = level.qty
            others_qty = ZERO
            is_last = False
            for order in level.orders.values():
                if order.owner is not owner:
                    others_qty += order.leaves_qty
                elif stops_at_owner:
                    level_qty = order.ahead_qty
                    is_last = True
                    break
            part_qty = min(level_qty + others_qty, qty - got_qty)
            got_qty += part_qty
            paid += part_qty * level.price
            if is_last or got_qty == qty:
                break
        return got_qty, paid

    def first_owned(self, key: Decimal) -> PriceLevel[Q] | None:
        """Return the best level with accounts' orders whose key is at least `key`, or None."""
        if not self.order_count:
            return None
        for level in reversed(self.levels):
            if level.key < key:
                return None
            if level.orders:
                return level
        return None

    def first_shown(self) -> PriceLevel[Q] | None:
        """Return the best level at which the market shows anything, or None."""
        for level in reversed(self.levels):
            if level.qty:
                return level
        return None

    def consume(self, level: PriceLevel[Q], qty: Decimal) -> None:
        """Take `qty` from what the market shows at `level`."""
        level.qty -= qty
        level.advance_queue(qty)
        if not level.qty and not level.orders:
            self._drop(level)

    def _knows(self, key: Decimal) -> bool:
        """Whether what the market shows says how long the queue at a price is."""
        return not self.is_partial or (self._worst_key is not None and key >= self._worst_key)

    def _drop(self, level: PriceLevel[Q]) -> None:
        index = self._index(level.key)
        del self.keys[index], self.levels[index]

    def _index(self, key: Decimal) -> int:
        """Return where `key` is or belongs. Most of what happens is at the best price, so it is tried first."""
        keys = self.keys
        return len(keys) - 1 if keys and keys[-1] == key else bisect_left(keys, key)
