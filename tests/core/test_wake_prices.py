"""Wake prices spare the work of planning, and nothing else: what a book does is the same with and without them."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.book import Book
from hedgerow.core.commands import Command, Read, SubmitOrder, Turn
from hedgerow.core.events import (
    BalancesRead,
    Event,
    FillReceived,
    Heartbeat,
    OpenOrder,
    OpenOrdersRead,
    OrderAccepted,
    PositionRead,
    QuoteReceived,
    ReadKind,
    TimeReached,
    TradesRead,
)
from hedgerow.core.holds import Hold, HoldReason
from hedgerow.core.step import NOTHING, next_due_ns, step
from hedgerow.core.target import NetTarget, Resting, Taking, Target, WakePrice
from hedgerow.model.ids import LegId, VenueOrderId
from hedgerow.model.market import Level, Quote
from hedgerow.model.order import Order, Role, Side
from tests.core.books import HEDGE, LEAD, MS, Desk, Quoting, S

WIDTH, TICK = Decimal(4), Decimal("0.1")
PERIOD_NS = 7 * S


class Stepping(Quoting):
    """An entry below the band of prices that the lead leg is in, larger in every other period of time."""

    def __init__(self, *, promises: bool) -> None:
        super().__init__()
        self._promises = promises
        self.asked = 0
        "How often the policy was asked."

    def target(self, book: Book) -> Target:
        self.asked += 1
        hedge = NetTarget(HEDGE, book.hedge_target(), Taking(), Role.HEDGE)
        quote = book.quote(LEAD)
        if quote is None or quote.bid is None or quote.mark is None:
            return Target((hedge,))
        level = quote.bid // WIDTH * WIDTH
        period = book.now_ns // PERIOD_NS
        side = Side.BUY if book.net_qty(LEAD) <= 0 else Side.SELL
        price = level - 1 if side is Side.BUY else level + WIDTH + 1
        gated = (Hold(HoldReason.GATED, LEAD, "other"),) if level % 8 else ()
        return Target(
            (hedge,),
            (Resting("entry", LEAD, side, Decimal(1 + period % 2), price, Role.ENTRY),),
            gated,
            wake_ts_ns=(period + 1) * PERIOD_NS,
            wake_prices=(WakePrice(LEAD, level, level + WIDTH - TICK),) if self._promises else None,
        )


class Market:
    """Answers a desk at once and in full, fills what its quotes cross, and lets its timer go off on time."""

    def __init__(self, policy: Stepping) -> None:
        self.desk = Desk(policy)
        self.desk.accept(self.desk.standing())

    def quote(
        self, leg_id: LegId, after_ms: int, late_ms: int, bids: tuple[Level, ...], asks: tuple[Level, ...]
    ) -> None:
        """Let time pass, and then show a quote that may be older than its news."""
        desk = self.desk
        end_ns = desk.now_ns + after_ms * MS
        while (due_ns := next_due_ns(desk.book)) is not None and due_ns <= end_ns:
            desk.now_ns = due_ns
            self._tell(TimeReached(due_ns))
        desk.now_ns = end_ns
        instrument_id = desk.config.leg(leg_id).instrument.id
        self._tell(QuoteReceived(end_ns, Quote(instrument_id, end_ns - late_ms * MS, bids, asks)))
        if leg_id == LEAD and bids and asks:
            for order in list(desk.book.working(LEAD)):
                self._cross(order, bids[0][0], asks[0][0])

    def _cross(self, order: Order, bid: Decimal, ask: Decimal) -> None:
        assert order.limit_price is not None, order
        if ask <= order.limit_price if order.side is Side.BUY else bid >= order.limit_price:
            fill = self.desk.fill(order, str(order.leaves_qty), str(order.limit_price))
            self._tell(FillReceived(self.desk.now_ns, fill))

    def _tell(self, event: Event) -> None:
        for command in self.desk.tell(event):
            answer = self._answer(command)
            if answer is not None:
                self._tell(answer)

    def _answer(self, command: Command) -> Event | None:
        desk, now_ns = self.desk, self.desk.now_ns
        if isinstance(command, SubmitOrder):
            self._tell(OrderAccepted(now_ns, command.order_id, VenueOrderId(f"v-{command.order_id}")))
            taken = command.limit_price is None
            return FillReceived(now_ns, desk.fill(command, str(command.qty))) if taken else None
        if not isinstance(command, Read):
            return None
        match command.kind:
            case ReadKind.TRADES:
                return TradesRead(now_ns, command.leg_id, now_ns)
            case ReadKind.POSITION:
                return PositionRead(now_ns, command.leg_id, now_ns, desk.book.net_qty(command.leg_id))
            case ReadKind.BALANCES:
                return BalancesRead(now_ns, command.leg_id, now_ns)
            case ReadKind.OPEN_ORDERS:
                rows = tuple(
                    OpenOrder(VenueOrderId(f"v-{order.id}"), order.side, order.qty, order.filled_qty, order.id)
                    for order in desk.book.working(command.leg_id)
                )
                return OpenOrdersRead(now_ns, command.leg_id, now_ns, rows)


def levels(bid_ticks: int, spread_ticks: int, shape: str) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    """Return (bids, asks) of one level each; some are empty, crossed, or of numbers that no market has."""
    bid = TICK * bid_ticks
    qty = Decimal("NaN") if shape == "insane" else Decimal(5)
    bids: tuple[Level, ...] = () if shape in ("no bid", "nothing") else ((bid, qty),)
    asks: tuple[Level, ...] = () if shape in ("no ask", "nothing") else ((bid + TICK * spread_ticks, qty),)
    return bids, asks


SHAPES = st.sampled_from(["usual"] * 12 + ["no bid", "no ask", "nothing", "insane"])
QUOTES = st.tuples(
    st.sampled_from([LEAD, LEAD, HEDGE]),
    st.sampled_from([1, 100, 400, 400, 1_500, 11_000]),
    st.sampled_from([0] * 6 + [300, 9_990, 12_000]),
    st.sampled_from([-45, -9, -2, -1, 0, 0, 1, 2, 9, 45]),
    st.integers(-2, 6),
    SHAPES,
)


def played(story: list[tuple[LegId, int, int, int, int, str]], *, promises: bool) -> tuple[list[Turn], str]:
    """Return the turns that a story led to, and the digest of the book at its end."""
    market = Market(Stepping(promises=promises))
    bid_ticks = 1_000
    for leg_id, after_ms, late_ms, rise_ticks, spread_ticks, shape in story:
        bid_ticks += rise_ticks
        market.quote(leg_id, after_ms, late_ms, *levels(bid_ticks, spread_ticks, shape))
    return market.desk.turns, market.desk.book.digest()


@given(st.lists(QUOTES, min_size=1, max_size=60))
def test_a_book_that_sleeps_between_its_wake_prices_makes_the_same_turns(story) -> None:  # type: ignore[no-untyped-def]
    """On any market, with stale, late, empty, crossed and impossible quotes: not one turn more, less, or other."""
    assert played(story, promises=True) == played(story, promises=False)


def rested(*, promises: bool = True) -> tuple[Market, Stepping]:
    """Return a market whose book has its entry standing, and its policy."""
    policy = Stepping(promises=promises)
    market = Market(policy)
    for leg_id in (LEAD, HEDGE, LEAD, LEAD):
        market.quote(leg_id, 10, 0, *levels(1_000, 1, "usual"))
    return market, policy


def test_quotes_inside_the_wake_prices_do_not_ask_the_policy() -> None:
    """A price that moves a thousand times inside its band costs no plan; the first one outside does."""
    market, policy = rested()
    before = policy.asked

    for ticks in (1_005, 1_010, 1_035, 1_000):
        market.quote(LEAD, 1, 0, *levels(ticks, 1, "usual"))
        market.quote(HEDGE, 1, 0, *levels(2_000 - ticks, 3, "usual"))
    slept = policy.asked == before
    market.quote(LEAD, 1, 0, *levels(999, 1, "usual"))

    assert slept
    assert policy.asked > before


def test_a_quote_that_is_slept_through_is_in_the_next_turn() -> None:
    """A decision can be made again only with the prices that it saw."""
    market, _ = rested()
    market.quote(HEDGE, 1, 0, *levels(1_010, 1, "usual"))
    market.quote(LEAD, 1, 0, *levels(1_020, 1, "usual"))
    desk = market.desk

    desk.fills(desk.standing(), "0.4")

    assert {quote.bid for quote in desk.turns[-1].quotes} == {Decimal(101), Decimal(102)}


def test_a_book_that_follows_anything_up_does_not_sleep() -> None:
    """An unanswered order makes each price count: it may be what the next step needs."""
    market, policy = rested()
    desk = market.desk
    desk.fills(desk.standing(), "0.4")
    before = policy.asked
    instrument_id = desk.config.leg(LEAD).instrument.id

    stepped = step(desk.book, QuoteReceived(desk.now_ns, Quote(instrument_id, desk.now_ns, *levels(1_010, 1, "usual"))))

    assert stepped is NOTHING
    assert policy.asked == before + 1


def test_a_sign_of_life_asks_an_idle_books_policy_nothing() -> None:
    """It comes each second from each leg, and only a leg that was silent makes news of it."""
    market, policy = rested()
    before = policy.asked

    market.desk.now_ns += 100 * MS
    stepped = step(market.desk.book, Heartbeat(market.desk.now_ns, HEDGE))

    assert stepped is NOTHING
    assert policy.asked == before
    assert market.desk.book.heard_ts_ns[HEDGE] == market.desk.now_ns


def test_a_quote_that_was_renewed_before_it_grew_old_costs_no_plan() -> None:
    """The timer of its age finds a younger one, and waits for that."""
    market, policy = rested()
    book = market.desk.book
    due_ns = book.idle_until_ns = book.now_ns + 50 * MS
    before = policy.asked
    market.quote(LEAD, 10, 0, *levels(1_000, 1, "usual"))

    stepped = step(book, TimeReached(due_ns))

    assert stepped is NOTHING
    assert policy.asked == before
    assert due_ns < book.idle_until_ns <= book.idle_due_ns
