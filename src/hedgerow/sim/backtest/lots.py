"""What was bought and what of it was sold again: each fill closes lots, or opens one, and what they gained is exact."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hedgerow.model.ids import LegId
from hedgerow.model.numbers import ZERO


class Lot(msgspec.Struct):
    """What one fill opened, as far as nothing closed it since."""

    leg_id: LegId
    level: str
    "The level that it belongs to; empty where slots name none."
    net_qty: Decimal
    price: Decimal


class Lots:
    """The open lots of a book, oldest first, and what the closed ones gained."""

    def __init__(self) -> None:
        self.open: list[Lot] = []
        self.gained = ZERO
        "What the closed ones gained, quote."

    def take(
        self, leg_id: LegId, level: str, net_qty: Decimal, price: Decimal, multiplier: Decimal, *, is_entry: bool
    ) -> None:
        """Take one fill.

        Args:
            level: what it closes first is of the same level; then the oldest of the leg.
            net_qty: signed, base fees taken off.
            is_entry: with a level, it closes nothing of another level: a grid may be long on one and short on another.
        """
        own = [lot for lot in self.open if lot.leg_id == leg_id and lot.level == level]
        others = [] if is_entry and level else [lot for lot in self.open if lot.leg_id == leg_id and lot.level != level]
        left = net_qty
        for lot in (*own, *others):
            if left == 0:
                break
            if (lot.net_qty > 0) == (left > 0):
                continue
            closed = -lot.net_qty if abs(lot.net_qty) <= abs(left) else left
            self.gained -= closed * (price - lot.price) * multiplier
            lot.net_qty += closed
            left -= closed
        self.open = [lot for lot in self.open if lot.net_qty != 0]
        if left != 0:
            self.open.append(Lot(leg_id, level, left, price))
