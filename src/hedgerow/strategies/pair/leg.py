"""One leg of a pair: which way it goes, what it holds, and its limits, judged by its own feed alone."""

from __future__ import annotations

from decimal import Decimal

from hedgerow.core.book import Book
from hedgerow.core.config import NS_PER_MS, LegConfig
from hedgerow.core.target import WakePrice
from hedgerow.model.instrument import Instrument
from hedgerow.model.numbers import BPS, ONE, ceil_to, floor_to
from hedgerow.model.order import Side
from hedgerow.strategies.pair.params import PairParams
from hedgerow.strategies.quoting import is_worth_it

TAKE_PROFIT = "take_profit"
"Slot of the order in which a leg's profit is taken."


class PairLeg:
    """One leg: which way it goes, and what its limits are."""

    def __init__(self, config: LegConfig, side: Side, params: PairParams) -> None:
        self.id = config.id
        self.side = side
        self.visibility_ns = config.visibility_ms * NS_PER_MS
        sign = side.sign
        self._stop_factor = None if params.stop_loss_bps is None else ONE - sign * params.stop_loss_bps * BPS
        self._take_factor = None if params.take_profit_bps is None else ONE + sign * params.take_profit_bps * BPS

    def instrument(self, book: Book) -> Instrument:
        """Return its rules as they are now: venues change filters."""
        return book.legs[self.id].instrument

    def held(self, book: Book) -> Decimal:
        """What the leg holds its own way, its qty units; negative when it stands the wrong way."""
        return book.net_qty(self.id) * self.side.sign

    def held_base(self, book: Book) -> Decimal:
        return self.held(book) * self.instrument(book).multiplier

    def is_holding(self, book: Book) -> bool:
        """Whether it holds more than what is left over when lots and fees do not add up."""
        return self.instrument(book).is_orderable(abs(self.held(book)), None)

    def is_closable(self, book: Book) -> bool:
        """Whether it holds what its venue would take a closing order for now."""
        instrument = self.instrument(book)
        price = book.mark(self.id) or book.ledger(self.id).last_price
        return instrument.is_orderable(abs(self.held(book)), None if instrument.reduce_only_exempt else price)

    def took_profit(self, book: Book) -> bool:
        """Whether the last of its orders that traded is its take-profit."""
        standing = book.in_slot(self.id, TAKE_PROFIT)
        if standing is not None and standing.filled_qty > 0:
            return True
        closed = (book.state.orders[order_id] for order_id in reversed(book.state.closed))
        last = next((order for order in closed if order.leg_id == self.id and order.filled_qty > 0), None)
        return last is not None and last.slot == TAKE_PROFIT

    def is_out(self, book: Book, base_qty: Decimal) -> bool:
        """Whether it lost, by whatever trade, some of what the round opened."""
        qty = base_qty / self.instrument(book).multiplier
        return is_worth_it(qty - self.held(book), qty, self.instrument(book))

    def entry_price(self, book: Book) -> Decimal | None:
        return book.ledger(self.id).position.avg_price(self.instrument(book).multiplier)

    def stop_price(self, book: Book) -> Decimal | None:
        """The price at which its stop is hit; None without a stop or a position."""
        entry = self.entry_price(book)
        return None if entry is None or self._stop_factor is None else entry * self._stop_factor

    def take_price(self, book: Book) -> Decimal | None:
        """The price of its take-profit, on the tick."""
        entry = self.entry_price(book)
        if entry is None or self._take_factor is None:
            return None
        return self.instrument(book).passive_price(entry * self._take_factor, self.side.opposite)

    def closing_price(self, book: Book) -> Decimal | None:
        """What closing it would get by its own feed now; None while that is blind."""
        quote = book.quote(self.id)
        if quote is None or not book.is_fresh(self.id) or quote.is_absurd:
            return None
        return quote.bid if self.side is Side.BUY else quote.ask

    def is_stopped_by(self, paid: Decimal, price: Decimal) -> bool:
        """Whether what is opened at `paid` would be stopped at once by a market in which closing it gets `price`."""
        return self._stop_factor is not None and (paid * self._stop_factor - price) * self.side.sign >= 0

    def is_stopped(self, book: Book) -> bool:
        price, stop = self.closing_price(book), self.stop_price(book)
        return price is not None and stop is not None and (stop - price) * self.side.sign >= 0

    def is_spoiled(self, book: Book, base_qty: Decimal) -> bool:
        """Whether what an earlier round left, too little to be closed, would stop the next one as soon as it stands."""
        entry, held, price = self.entry_price(book), self.held(book), self.closing_price(book)
        if self._stop_factor is None or entry is None or held <= 0 or price is None:
            return False
        qty = max(base_qty / self.instrument(book).multiplier, held)
        stop = (entry * held + price * (qty - held)) / qty * self._stop_factor
        return (stop - price) * self.side.sign >= 0

    def wake_price(self, book: Book) -> WakePrice:
        """The quotes that leave its stop alone."""
        stop = self.stop_price(book)
        if stop is None:
            return WakePrice(self.id)
        tick = self.instrument(book).tick
        if self.side is Side.BUY:
            return WakePrice(self.id, low=floor_to(stop, tick) + tick)
        return WakePrice(self.id, high=ceil_to(stop, tick) - tick)

    def is_blind(self, book: Book) -> bool:
        """Whether it has no price to be judged by, and has had time enough to get one."""
        if self.closing_price(book) is not None:
            return False
        return book.is_fresh(self.id) or book.now_ns >= self._blind_from_ns(book)

    def blind_ts_ns(self, book: Book) -> int | None:
        """When it will be blind without another quote; None when that is past."""
        due_ns = self._blind_from_ns(book)
        return due_ns if book.now_ns < due_ns else None

    def _blind_from_ns(self, book: Book) -> int:
        quote = book.quote(self.id)
        # A start has no quotes yet; the feed gets as long as between two of them.
        seen_ns = book.linked_ts_ns.get(self.id, 0) if quote is None else quote.ts_ns
        return seen_ns + book.config.limits.stale_ms * NS_PER_MS + 1
