"""A hedge that makes before it takes: where its post-only order rests, and when waiting is no longer worth the fee."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from msgspec.structs import replace

from hedgerow.core.book import Book
from hedgerow.core.events import RejectClass
from hedgerow.core.target import Making
from hedgerow.model.ids import LegId
from hedgerow.model.instrument import Instrument
from hedgerow.model.market import Quote
from hedgerow.model.numbers import BPS
from hedgerow.model.order import Order, OrderType, Side, TimeInForce
from hedgerow.strategies.quoting import earliest


class Chase(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is remembered from when a hedge became owed until it is done."""

    reference_price: Decimal | None = None
    "Where the maker order would have rested then: re-quoting must not hide that the price runs away."
    taking: str = ""
    "Why it is being taken: `clock`, `distance` or `refusals`. A price that comes back does not undo it."


_DONE = Chase()


class MakerHedge:
    """The style of one hedge leg: post-only while that is sensible, else to be taken."""

    def __init__(
        self,
        leg_id: LegId,
        *,
        price: Decimal | None,
        offset_ticks: int,
        requote_ticks: int,
        requote_ns: int,
        timeout_ns: int,
        distance_bps_max: Decimal | None,
        tries_max: int,
    ) -> None:
        self._leg_id = leg_id
        self._price = price
        self._offset_ticks = offset_ticks
        self._requote_ticks = requote_ticks
        self._requote_ns = requote_ns
        self._timeout_ns = timeout_ns
        self._distance_bps_max = distance_bps_max
        self._tries_max = tries_max

    def style(
        self, book: Book, hedge_net_qty: Decimal, chase: Chase, is_hedged: bool
    ) -> tuple[Making | None, Chase, int | None]:
        """Return how to make (None: take), what to remember, and when to look again.

        Without any price there is nothing to make at; the core then holds the taking as `no_mark_price`.
        """
        instrument = book.legs[self._leg_id].instrument
        side = Side.BUY if hedge_net_qty > book.net_qty(self._leg_id) else Side.SELL
        best = _own_best(book.quote(self._leg_id), side, instrument)
        wanted = self._wanted(best, side, instrument)
        standing = _waiting(book, self._leg_id, side)
        if is_hedged:
            price, wake_ns = self._rest(book, standing, instrument)
            return None if price is None else Making(price), _DONE, wake_ns
        if not chase.taking:
            chase = self._escalated(book, chase, side, best, wanted)
        if chase.taking:
            return None, chase, None
        if standing is None or standing.limit_price is None:
            price, wake_ns = wanted, None
        else:
            price, wake_ns = self._requoted(book, wanted, standing, standing.limit_price, instrument)
        if price is None:
            return None, chase, None
        # The turn at hand is the first of a residual without a beginning.
        wake_ns = earliest(wake_ns, (book.state.residual_since_ns or book.now_ns) + self._timeout_ns)
        return Making(price), chase, wake_ns

    def _rest(self, book: Book, standing: Order | None, instrument: Instrument) -> tuple[Decimal | None, int | None]:
        """The price of what still stands for a residual too small to count, and when to look again; None: take it.

        It may fill as it stands, and could not be placed again, unless the price has since made it large enough.
        """
        if standing is None or standing.limit_price is None:
            return None, None
        due_ns = standing.submitted_ts_ns + self._timeout_ns
        if book.now_ns < due_ns:
            return standing.limit_price, due_ns
        mark = book.mark(self._leg_id)
        late = mark is not None and instrument.is_orderable(standing.leaves_qty, mark)
        return None if late else standing.limit_price, None

    def _wanted(self, best: Decimal | None, side: Side, instrument: Instrument) -> Decimal | None:
        """Where the order should rest now; None without any price."""
        if self._price is not None:
            return self._price
        if best is None:
            return None
        return instrument.passive_price(best - side.sign * self._offset_ticks * instrument.tick, side)

    def _escalated(self, book: Book, chase: Chase, side: Side, best: Decimal | None, wanted: Decimal | None) -> Chase:
        """The chase with the reason to take, if there is one now; else with the price to measure from."""
        since_ns = book.state.residual_since_ns
        if since_ns and book.now_ns >= since_ns + self._timeout_ns:
            return replace(chase, taking="clock")
        refusal = book.refusal(self._leg_id)
        if refusal is not None and refusal.reject_class is RejectClass.POST_ONLY and refusal.tries >= self._tries_max:
            return replace(chase, taking="refusals")
        if self._distance_bps_max is None or best is None:
            return chase
        reference = chase.reference_price
        if reference is None:
            return replace(chase, reference_price=wanted)
        if side.sign * (best - reference) > reference * self._distance_bps_max * BPS:
            return replace(chase, taking="distance")
        return chase

    def _requoted(
        self, book: Book, wanted: Decimal | None, standing: Order, price: Decimal, instrument: Instrument
    ) -> tuple[Decimal, int | None]:
        """The price of an order that stands: its own, until it may and must be moved; and when it may be."""
        if wanted is None or abs(wanted - price) < self._requote_ticks * instrument.tick:
            return price, None
        due_ns = standing.submitted_ts_ns + self._requote_ns
        return (wanted, None) if book.now_ns >= due_ns else (price, due_ns)


def _own_best(quote: Quote | None, side: Side, instrument: Instrument) -> Decimal | None:
    """The best price of the order's own side; alone there, the first that would not take."""
    if quote is None:
        return None
    if side is Side.BUY:
        return quote.bid if quote.bid is not None or quote.ask is None else quote.ask - instrument.tick
    return quote.ask if quote.ask is not None or quote.bid is None else quote.bid + instrument.tick


def _waiting(book: Book, leg_id: LegId, side: Side) -> Order | None:
    """The oldest order of the leg's shortfall that rests on `side`."""
    for order in book.working(leg_id):
        waits = order.type is OrderType.LIMIT and order.time_in_force is TimeInForce.GTC
        if not order.slot and order.side is side and waits:
            return order
    return None
