"""What books hold of each underlying, signed and absolute, and what their working entries could add to it."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from hedgerow.core.book import Book
from hedgerow.core.events import Exposure
from hedgerow.model.ids import LegId
from hedgerow.model.numbers import ZERO
from hedgerow.model.order import Role, Side

# What pays the same everywhere: their notionals are added as they are.
DOLLARS = frozenset({"USD", "USDT", "USDC"})


class Totals(msgspec.Struct, frozen=True):
    """What one or more books have in all. A number without a price for it is left out and named."""

    exposures: tuple[Exposure, ...] = ()
    "One per underlying, by name."
    gross: Decimal = ZERO
    "Gross notional, if every working entry fills and is hedged."
    orders: int = 0
    "Live orders."
    problems: tuple[str, ...] = ()
    "What has no price."
    held: Decimal = ZERO
    "Gross notional of the positions alone."

    @property
    def net(self) -> Decimal:
        """Return the signed notional of all underlyings."""
        return sum((exposure.net for exposure in self.exposures), ZERO)

    def worst(self, underlying: str) -> Decimal:
        """Return the largest notional of one underlying, >= 0, if only entries of one side fill and nothing hedges."""
        return next((worst(each) for each in self.exposures if each.underlying == underlying), ZERO)

    def worst_of_all(self) -> Decimal:
        """Return the same, added up over all underlyings."""
        return sum((worst(exposure) for exposure in self.exposures), ZERO)

    def with_entry(self, underlying: str, side: Side, notional: Decimal, gross: Decimal) -> Totals:
        """Return the totals with one more entry working, which adds so much to the gross once it is hedged."""
        buys, sells = (notional, ZERO) if side is Side.BUY else (ZERO, notional)
        more = Totals((Exposure(underlying, ZERO, buys, sells),), gross, 1)
        return added((self, more))


def worst(exposure: Exposure) -> Decimal:
    """Return the largest notional, >= 0, that one underlying can come to if only entries of one side fill."""
    return max(exposure.net + exposure.buys, exposure.sells - exposure.net)


def totals(book: Book) -> Totals:
    """Return what one book has."""
    found: dict[str, Exposure] = {}
    problems: list[str] = []
    gross, held, orders = ZERO, ZERO, 0
    for leg_id, leg in book.legs.items():
        instrument, live = leg.instrument, book.live[leg_id].values()
        net_qty = book.net_qty(leg_id)
        orders += len(live)
        if net_qty == 0 and not live:
            continue
        mark = book.mark(leg_id) or book.ledger(leg_id).last_price
        if mark is None:
            problems.append(f"{instrument.id} has no price")
            continue
        net = net_qty * mark * instrument.multiplier
        buys = sells = ZERO
        for order in live:
            if order.role is Role.ENTRY:
                notional = instrument.notional(order.leaves_qty, order.limit_price or mark)
                buys, sells = (buys + notional, sells) if order.side is Side.BUY else (buys, sells + notional)
        held += abs(net)
        gross += abs(net) + (buys + sells) * hedged_times(book, leg_id)
        before = found.get(instrument.base, Exposure(instrument.base, ZERO, ZERO, ZERO))
        found[instrument.base] = _sum(before, Exposure(instrument.base, net, buys, sells))
    return Totals(tuple(found.values()), gross, orders, tuple(problems), held)


def added(parts: Iterable[Totals]) -> Totals:
    """Return the totals of several parts."""
    found: dict[str, Exposure] = {}
    problems: list[str] = []
    gross, held, orders = ZERO, ZERO, 0
    for part in parts:
        gross += part.gross
        held += part.held
        orders += part.orders
        problems += part.problems
        for exposure in part.exposures:
            before = found.get(exposure.underlying)
            found[exposure.underlying] = exposure if before is None else _sum(before, exposure)
    return Totals(tuple(found[name] for name in sorted(found)), gross, orders, tuple(problems), held)


def hedged_times(book: Book, leg_id: LegId) -> int:
    """Return how many times an entry of a leg counts in the gross: a lead leg's brings its hedge with it."""
    rule = book.config.hedge
    return 2 if rule is not None and leg_id == rule.lead else 1


def _sum(one: Exposure, other: Exposure) -> Exposure:
    return Exposure(one.underlying, one.net + other.net, one.buys + other.buys, one.sells + other.sells)
