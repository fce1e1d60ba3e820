"""Between which prices nothing changes for a grid: each condition that looks at a price names where it changes."""

from __future__ import annotations

from decimal import Decimal

from hedgerow.core.book import Book
from hedgerow.core.target import WakePrice
from hedgerow.model.ids import LegId
from hedgerow.model.numbers import ZERO


class Watch:
    """The nearest prices, below the bid and above the ask of each leg, at which the target may change.

    A condition on the ask is watched from below by the bid, one on the bid from above by the ask: what holds for the
    nearer side holds for the other. So a promise may end early, and never late.
    """

    def __init__(self, book: Book) -> None:
        self._book = book
        self._low: dict[LegId, Decimal] = {}
        self._high: dict[LegId, Decimal] = {}
        self._watched: dict[LegId, None] = {}

    def leg(self, leg_id: LegId) -> None:
        """Watch a leg, even if no price of it matters but that it has one."""
        self._watched[leg_id] = None

    def falls(self, leg_id: LegId, price: Decimal) -> None:
        """Something changes when bid or ask comes down to `price`."""
        self._watched[leg_id] = None
        low = price + self._book.legs[leg_id].instrument.tick
        self._low[leg_id] = max(low, self._low.get(leg_id, low))

    def rises(self, leg_id: LegId, price: Decimal) -> None:
        """Something changes when bid or ask comes up to `price`."""
        self._watched[leg_id] = None
        high = price - self._book.legs[leg_id].instrument.tick
        self._high[leg_id] = min(high, self._high.get(leg_id, high))

    def either(self, leg_id: LegId, price: Decimal, now: Decimal) -> None:
        """Something changes when the price that is `now` on one side of `price` comes to the other."""
        if now > price:
            self.falls(leg_id, price)
        else:
            self.rises(leg_id, price)

    def prices(self) -> tuple[WakePrice, ...]:
        return tuple(WakePrice(leg_id, self._low.get(leg_id), self._high.get(leg_id)) for leg_id in self._watched)


def exit_price(book: Book, leg_id: LegId) -> Decimal | None:
    """Return the best price at which the leg's position could be closed now; None when there is none."""
    quote = book.quote(leg_id)
    if quote is None or quote.is_absurd:
        return None
    return quote.bid if book.net_qty(leg_id) >= ZERO else quote.ask


class Pnl:
    """The P&L of a whole book, each leg closed at its exit price, after fees in quote and funding."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self.value: Decimal | None = ZERO
        "None while a leg that holds something has no price."
        self.income = ZERO
        "Funding less fees in quote."
        self._open: list[tuple[LegId, Decimal, Decimal]] = []
        realized = ZERO
        for leg_id, leg in book.legs.items():
            ledger = book.ledger(leg_id)
            position, instrument = ledger.position, leg.instrument
            fees = ledger.fees.get(instrument.quote, ZERO)
            self.income += ledger.funding - fees
            realized += position.realized
            if position.net_qty == ZERO:
                continue
            price = exit_price(book, leg_id)
            if price is None or self.value is None:
                self.value = None
                continue
            self.value += position.unrealized(price, instrument.multiplier)
            self._open.append((leg_id, price, position.net_qty * instrument.multiplier))
        if self.value is not None:
            self.value += realized + self.income

    def watch(self, watch: Watch, threshold: Decimal) -> None:
        """Watch the prices at which the P&L could reach `threshold`: each leg may use up its part of the way."""
        if self.value is None:
            return
        distance = abs(self.value - threshold)
        for leg_id, price, units in self._open:
            way = distance / len(self._open) / abs(units)
            if (self.value > threshold) == (units > ZERO):
                watch.falls(leg_id, price - way)
            else:
                watch.rises(leg_id, price + way)
