"""The gateway to a simulated venue, against the real exchange, in virtual time."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import TypeVar

from hedgerow.core.commands import CancelOrder, CancelOrphan, QueryOrder, Read, SubmitOrder
from hedgerow.core.events import (
    BalancesRead,
    BorrowRateReceived,
    CancelAnswered,
    CancelOutcome,
    Event,
    FillReceived,
    FundingPaid,
    FundingRateReceived,
    Heartbeat,
    InterestCharged,
    LinkDown,
    LinkUp,
    OpenOrdersRead,
    OrderAccepted,
    OrderNotFound,
    OrderQueryFailed,
    OrderRejected,
    OrderReported,
    PositionRead,
    QuoteReceived,
    ReadFailed,
    ReadKind,
    RejectClass,
    TradesRead,
)
from hedgerow.market.answers import OrderRequest
from hedgerow.market.exchange import SimExchange
from hedgerow.market.fees import Fees
from hedgerow.market.latency import Delay, Latency
from hedgerow.market.limits import Counted, RateLimits, Window
from hedgerow.market.rules import VenueRules
from hedgerow.model.ids import AccountId, ClientOrderId, InstrumentId, LegId, VenueId, VenueOrderId
from hedgerow.model.instrument import Instrument, InstrumentKind
from hedgerow.model.market import BorrowRate, FundingRate
from hedgerow.model.order import OrderStatus, OrderType, Role, Side, TimeInForce
from hedgerow.venues.sim_gateway import SimGateway
from hedgerow.venues.sim_venues import SimVenues
from hedgerow.venues.sim_wire import Hello
from tests.venues.clockwork import MS, START_NS, S, VirtualClock

D = Decimal
E = TypeVar("E")
LEG = LegId("lead")
VENUE, ACCOUNT = VenueId("sim"), AccountId("sim/a")
PERP, SPOT, MARGIN = InstrumentId("sim:PERP"), InstrumentId("sim:SPOT"), InstrumentId("sim:MARGIN")
KINDS = {PERP: InstrumentKind.PERP, SPOT: InstrumentKind.SPOT, MARGIN: InstrumentKind.MARGIN}
WAY_NS = 5 * MS


def instrument(instrument_id: InstrumentId = PERP) -> Instrument:
    return Instrument(instrument_id, VENUE, KINDS[instrument_id], "BTC", "USD", D("0.1"), D("0.001"), D("0.001"))


class Desk:
    """A venue with a known book, and one gateway to it."""

    def __init__(self, instrument_id: InstrumentId = PERP, limits: RateLimits | None = None) -> None:
        self.clock = VirtualClock()
        rules = VenueRules(limits=limits)
        self.exchange = SimExchange(VENUE, [instrument(each) for each in KINDS], rules, 1)
        self.exchange.open_account(ACCOUNT, {"USD": D(100_000), "BTC": D(2)}, Fees(D("0.0001"), D("0.0004")))
        for each in KINDS:
            self.exchange.set_book(START_NS, each, [(D(100), D(5))], [(D(101), D(5))])
        way = Delay(WAY_NS)
        self.venues = SimVenues(self.clock, {VENUE: self.exchange}, {VENUE: Latency(random.Random(1), way, way)}, [])
        self.venues.start()
        self.told: list[Event] = []
        hello = Hello(ACCOUNT, instrument_id)
        self.gateway: SimGateway = SimGateway(
            ACCOUNT, 2_000, self.clock, lambda: self.venues.open_desk(hello, self.gateway.receive)
        )
        self.gateway.start(LEG, instrument(instrument_id), lambda leg_id, event: self.told.append(event))

    def run(self, duration_ns: int = 100 * MS) -> None:
        self.clock.run(duration_ns)

    def all(self, kind: type[E]) -> list[E]:
        return [event for event in self.told if isinstance(event, kind)]

    def one(self, kind: type[E]) -> E:
        (event,) = self.all(kind)
        return event


def submit(name: str = "hr-b-1-1", qty: str = "0.5", price: str | None = None, **words: object) -> SubmitOrder:
    limit_price = None if price is None else D(price)
    kind = OrderType.MARKET if price is None else OrderType.LIMIT
    instrument_id = InstrumentId(str(words.get("instrument_id", PERP)))
    return SubmitOrder(
        ClientOrderId(name),
        LEG,
        instrument_id,
        Side.BUY,
        D(qty),
        kind,
        Role.ENTRY,
        limit_price,
        TimeInForce.GTC,
        bool(words.get("post_only")),
        bool(words.get("reduce_only")),
    )


def test_an_order_is_accepted_and_its_fill_comes_by_the_stream_after_the_way_there_and_back() -> None:
    """The fill carries all that the ledger needs: ids, price, fee and its currency."""
    desk = Desk()

    desk.gateway.send(submit())
    desk.run(2 * WAY_NS - 1)
    assert not desk.all(OrderAccepted)
    desk.run(MS)

    assert desk.one(OrderAccepted).order_id == "hr-b-1-1"
    fill = desk.one(FillReceived).fill
    assert (fill.order_id, fill.side, fill.qty, fill.price) == ("hr-b-1-1", Side.BUY, D("0.5"), D(101))
    assert (fill.fee, fill.fee_currency, fill.is_maker) == (D("0.0202"), "USD", False)
    assert desk.one(OrderReported).status is OrderStatus.FILLED


def test_a_refusal_has_its_class_code_and_words() -> None:
    """What a venue refused, and why, is what the hold tells people."""
    desk = Desk()

    desk.gateway.send(submit(price="101", post_only=True))
    desk.run()

    rejected = desk.one(OrderRejected)
    assert rejected.reject_class is RejectClass.POST_ONLY
    assert rejected.code == "-5022"
    assert "maker" in rejected.text


def test_a_rate_limit_brings_the_venues_own_waiting_time() -> None:
    """A retry before that brings a ban."""
    desk = Desk(limits=RateLimits((Window(Counted.ORDERS, 1, 10),)))

    desk.gateway.send(submit("hr-b-1-1"))
    desk.gateway.send(submit("hr-b-1-2"))
    desk.run()

    rejected = desk.one(OrderRejected)
    assert rejected.reject_class is RejectClass.RATE_LIMITED
    assert rejected.retry_after_ns > 0
    assert rejected.retry_after_ns % S == 0


def test_a_submit_that_travels_longer_than_its_lease_is_refused_by_the_venue() -> None:
    """After the lease an unknown order can never come alive; the venue keeps that promise."""
    desk = Desk()
    desk.venues.latencies[VENUE]._request = Delay(1_500 * MS)  # type: ignore[misc]

    desk.gateway.send(submit())
    desk.run(2 * S)

    assert desk.one(OrderRejected).code == "-1021"
    assert not desk.all(FillReceived)


def test_a_lost_answer_leaves_no_event_and_the_query_finds_the_order() -> None:
    """No answer is not no."""
    desk = Desk()
    desk.venues.lose_next_answer(ACCOUNT)

    desk.gateway.send(submit())
    desk.run()
    assert not [event for event in desk.told if isinstance(event, OrderAccepted | OrderReported | FillReceived)]
    desk.gateway.send(QueryOrder(ClientOrderId("hr-b-1-1"), LEG))
    desk.run()

    reported = desk.one(OrderReported)
    assert (reported.status, reported.cum_qty) == (OrderStatus.FILLED, D("0.5"))


def test_a_query_for_an_order_that_never_was_says_not_found_and_when_it_was_asked() -> None:
    """The core counts such answers as evidence only when they were asked late enough."""
    desk = Desk()
    desk.run(S)

    desk.gateway.send(QueryOrder(ClientOrderId("hr-b-1-9"), LEG))
    desk.run()

    assert desk.one(OrderNotFound).asked_ts_ns == START_NS + S


def test_a_dropped_fill_is_found_by_reading_trades_once() -> None:
    """The cursor moves with what was read, so that the next read is short and misses nothing."""
    desk = Desk()
    desk.venues.drop_next_fill(ACCOUNT)
    desk.gateway.send(submit())
    desk.run()
    assert not desk.all(FillReceived)

    desk.gateway.send(Read(LEG, ReadKind.TRADES))
    desk.run()
    first = desk.one(TradesRead)
    desk.gateway.send(Read(LEG, ReadKind.TRADES, first.cursor))
    desk.run()

    assert [fill.order_id for fill in first.fills] == ["hr-b-1-1"]
    second = desk.all(TradesRead)[1]
    assert second.fills == ()
    assert second.cursor == first.cursor


def test_trades_are_read_to_the_end_page_by_page() -> None:
    """A thousand trades fill a page; the ones after it must not wait for the next read."""
    desk = Desk()
    desk.exchange.set_book(START_NS, PERP, [(D(100), D(5))], [(D(101), D(5_000))])
    for number in range(1_001):
        request = OrderRequest(f"o{number}", PERP, Side.BUY, D("0.001"), OrderType.MARKET)
        desk.exchange.submit(START_NS, ACCOUNT, request)

    desk.gateway.send(Read(LEG, ReadKind.TRADES))
    desk.run()

    read = desk.one(TradesRead)
    assert len(read.fills) == 1_001
    assert len({fill.trade_id for fill in read.fills}) == 1_001


def test_a_position_is_read_with_its_price_and_a_balance_where_there_is_no_position() -> None:
    """Spot has no positions: the base balance is what the account holds."""
    perp, spot = Desk(), Desk(SPOT)
    perp.gateway.send(submit())
    perp.run()

    perp.gateway.send(Read(LEG, ReadKind.POSITION))
    spot.gateway.send(Read(LEG, ReadKind.POSITION))
    perp.run()
    spot.run()

    assert (perp.one(PositionRead).net_qty, perp.one(PositionRead).avg_price) == (D("0.5"), D(101))
    assert (spot.one(PositionRead).net_qty, spot.one(PositionRead).avg_price) == (D(2), None)


def test_balances_are_read_with_what_is_owed() -> None:
    """A loan is told apart from what is owned: 1,500 coins for 100,000, and the rest is borrowed."""
    desk = Desk(MARGIN)
    desk.exchange.set_book(START_NS, MARGIN, [(D(100), D(5_000))], [(D(101), D(5_000))])
    desk.gateway.send(submit(qty="1500", instrument_id=MARGIN))
    desk.run()

    desk.gateway.send(Read(LEG, ReadKind.BALANCES))
    desk.run()

    rows = {row.currency: row for row in desk.one(BalancesRead).rows}
    assert (rows["BTC"].total, rows["BTC"].borrowed) == (D(1502), 0)
    assert (rows["USD"].total, rows["USD"].available) == (0, 0)
    assert rows["USD"].borrowed == D(51_500) + D("60.6")
    assert rows["USD"].net == -D("51560.6")


def test_loans_and_their_interest_are_told_where_they_can_be_taken() -> None:
    """Interest is money, and its rate is what a carry counts on; a perp account is not concerned."""
    margin, perp = Desk(MARGIN), Desk(PERP)
    margin.exchange.set_book(START_NS, MARGIN, [(D(100), D(5_000))], [(D(101), D(5_000))])
    margin.gateway.send(submit(qty="1500", instrument_id=MARGIN))
    margin.run()

    for desk in (margin, perp):
        desk.exchange.set_borrow_rate(BorrowRate("USD", START_NS, D("0.001"), 2))
        desk.run(3 * S)

    assert margin.all(BorrowRateReceived)[0].rate.rate == D("0.001")
    charged = margin.one(InterestCharged)
    assert (charged.leg_id, charged.currency, charged.amount) == (LEG, "USD", D("51.5606"))
    assert perp.all(BorrowRateReceived) == []


def test_open_orders_are_read_with_their_ids() -> None:
    """An order of ours that nobody remembers is recognised by its id."""
    desk = Desk()
    desk.gateway.send(submit(price="99"))
    desk.run()

    desk.gateway.send(Read(LEG, ReadKind.OPEN_ORDERS))
    desk.run()

    (row,) = desk.one(OpenOrdersRead).orders
    assert (row.order_id, row.side, row.qty, row.cum_qty) == ("hr-b-1-1", Side.BUY, D("0.5"), D(0))


def test_a_read_that_is_refused_failed_and_is_not_empty() -> None:
    """Not there is never read as zero, flat, filled or dead."""
    desk = Desk(limits=RateLimits((Window(Counted.WEIGHT, 1, 10),)))

    for kind in ReadKind:
        desk.gateway.send(Read(LEG, kind))
    desk.run()

    assert [event.kind for event in desk.all(ReadFailed)] == list(ReadKind)


def test_a_cancel_is_accepted_with_the_orders_end_and_gone_the_second_time() -> None:
    """The answer to a cancel never closes the order; the report that comes with it does."""
    desk = Desk()
    desk.gateway.send(submit(price="99"))
    desk.run()

    desk.gateway.send(CancelOrder(ClientOrderId("hr-b-1-1"), LEG))
    desk.run()
    desk.gateway.send(CancelOrder(ClientOrderId("hr-b-1-1"), LEG))
    desk.run()

    assert [event.outcome for event in desk.all(CancelAnswered)] == [CancelOutcome.ACCEPTED, CancelOutcome.GONE]
    ends = [event for event in desk.all(OrderReported) if event.status is OrderStatus.CANCELED]
    assert ends
    assert {event.cum_qty for event in ends} == {D(0)}


def test_an_orphan_is_canceled_by_the_venues_id() -> None:
    """Its client id may have been used again; the venue's own is unique."""
    desk = Desk()
    desk.gateway.send(submit(price="99"))
    desk.run()
    venue_order_id = VenueOrderId(str(desk.one(OrderAccepted).venue_order_id))

    desk.gateway.send(CancelOrphan(LEG, venue_order_id, ClientOrderId("hr-b-1-1")))
    desk.run()

    assert desk.one(CancelAnswered).outcome is CancelOutcome.ACCEPTED
    assert desk.exchange.open_orders(ACCOUNT, PERP) == ()


def test_the_venue_gives_a_sign_of_life_and_shows_its_book_every_second() -> None:
    """Heartbeats tell a quiet venue from a dead one, and a price that stands still must not seem stale."""
    desk = Desk()

    desk.run(3 * S + 100 * MS)

    assert len(desk.all(Heartbeat)) == 4
    quotes = [event.quote for event in desk.all(QuoteReceived)]
    assert len(quotes) == 4
    assert (quotes[0].bids, quotes[0].asks) == (((D(100), D(5)),), ((D(101), D(5)),))
    desk.exchange.set_book(desk.clock.now_ns(), PERP, [(D(99), D(5))], [(D(101), D(5))])
    desk.run(S)
    assert desk.all(QuoteReceived)[-1].quote.bid == D(99)


def test_a_dead_venue_is_found_out_and_nothing_is_sent_to_it_until_it_speaks_again() -> None:
    """What left before that is unknown; what would leave after it is certainly not sent."""
    desk = Desk()
    desk.run(500 * MS)
    desk.venues.go_dark(VENUE, 5 * S)

    desk.gateway.send(submit("hr-b-1-1"))
    desk.run(3 * S)
    assert "silent" in desk.one(LinkDown).detail
    desk.gateway.send(submit("hr-b-1-2"))
    desk.gateway.send(QueryOrder(ClientOrderId("hr-b-1-1"), LEG))
    desk.gateway.send(CancelOrder(ClientOrderId("hr-b-1-1"), LEG))
    desk.gateway.send(Read(LEG, ReadKind.TRADES))
    desk.run()

    rejected = desk.one(OrderRejected)
    assert (rejected.order_id, rejected.reject_class) == ("hr-b-1-2", RejectClass.NOT_SENT)
    assert desk.one(OrderQueryFailed).order_id == "hr-b-1-1"
    assert desk.one(CancelAnswered).outcome is CancelOutcome.REFUSED
    assert desk.one(ReadFailed).kind is ReadKind.TRADES
    assert not desk.all(LinkUp)
    desk.run(3 * S)
    assert desk.one(LinkUp)
    assert desk.exchange.trades(ACCOUNT, PERP) == ()


def test_funding_and_its_coming_rate_are_told() -> None:
    """Funding is money; the rate is what a carry enters on."""
    desk = Desk()
    desk.gateway.send(submit())
    desk.run()
    desk.exchange.set_funding_rate(FundingRate(PERP, START_NS, D("0.01"), 3600, START_NS + 2 * S))

    desk.run(3 * S)

    assert desk.all(FundingRateReceived)[0].rate.rate == D("0.01")
    paid = desk.one(FundingPaid)
    assert (paid.leg_id, paid.net_quote) == (LEG, D("-0.5025"))
