"""The simulated venues as a place: exchanges, what moves their markets, the lines that lead there, and faults on call.

Knows nothing of engines. Whatever is asked travels there, is answered from the exchange's truth, and travels back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Protocol, assert_never

import msgspec

from hedgerow.market.answers import Accepted, FundingReport, InterestReport, OrderReport, Refused, Report, TradeReport
from hedgerow.market.exchange import SimExchange
from hedgerow.market.latency import Latency
from hedgerow.market.synthetic import SyntheticMarket
from hedgerow.market.tape import MarketEvent, play
from hedgerow.model.ids import AccountId, VenueId
from hedgerow.model.instrument import InstrumentKind
from hedgerow.model.market import BorrowRate, FundingRate, Quote
from hedgerow.model.numbers import ZERO
from hedgerow.model.session import Sessions
from hedgerow.venues.clock import Clock, Timer
from hedgerow.venues.sim_wire import (
    BOOKINGS_PAGE,
    TRADES_PAGE,
    Answered,
    AskBalances,
    AskBookings,
    AskOrder,
    AskOrders,
    AskPosition,
    AskTrades,
    Beat,
    FromVenue,
    Hello,
    Holding,
    Lever,
    LoanShown,
    Owned,
    Place,
    RateShown,
    Shown,
    Streamed,
    ToVenue,
    Withdraw,
)

BEAT_NS = 1_000_000_000
# As at Binance's partial depth streams; strategies quote no deeper in practice.
DEPTH_SHOWN = 20
# Weights of reads where a venue has limits: Binance spot's open orders of one symbol, trades, account; futures' income.
ORDERS_WEIGHT, TRADES_WEIGHT, POSITION_WEIGHT, BOOKINGS_WEIGHT = 6, 20, 20, 30
# Of one account: a year of funding every hour. Venues forget too.
BOOKINGS_MAX = 10_000
LATE = Refused(400, -1021, "Timestamp for this request is outside of the recvWindow.")

Push = Callable[[FromVenue], None]


class Feed(Protocol):
    """What moves the markets."""

    def play(self, now_ns: int) -> int | None:
        """Let everything happen that is due, and return when the next is; None when nothing will come any more."""
        ...


class SyntheticFeed:
    """Synthetic markets that move at a steady pace."""

    def __init__(self, markets: Iterable[SyntheticMarket], interval_ns: int) -> None:
        self._markets = list(markets)
        self._interval_ns = interval_ns
        self._due_ns = 0

    def play(self, now_ns: int) -> int | None:
        if now_ns >= self._due_ns:
            for market in self._markets:
                market.next(now_ns)
            # What was missed while nobody had time is not made up for: a market does not hurry.
            self._due_ns = now_ns + self._interval_ns
        return self._due_ns


class TapeFeed:
    """Recorded events, oldest first; the first happens at the first call, the others as far apart as they were."""

    def __init__(self, events: Iterator[MarketEvent], exchanges: Mapping[VenueId, SimExchange]) -> None:
        self._events = events
        self._exchanges = exchanges
        self._next = next(events, None)
        self._offset_ns: int | None = None

    def play(self, now_ns: int) -> int | None:
        """Raise TapeError where the tape cannot be read on."""
        while self._next is not None:
            if self._offset_ns is None:
                self._offset_ns = now_ns - self._next.ts_ns
            due_ns = self._next.ts_ns + self._offset_ns
            if due_ns > now_ns:
                return due_ns
            event = msgspec.structs.replace(self._next, ts_ns=now_ns)
            play(event, self._exchanges[VenueId(event.instrument_id.partition(":")[0])])
            self._next = next(self._events, None)
        return None


Booking = FundingReport | InterestReport


class Bookings:
    """What the venues booked in accounts without a trade, oldest first, as far as they remember it."""

    def __init__(self) -> None:
        self._rows: dict[AccountId, deque[Booking]] = {}

    def add(self, account_id: AccountId, booking: Booking) -> None:
        """Remember one."""
        self._rows.setdefault(account_id, deque(maxlen=BOOKINGS_MAX)).append(booking)

    def of(self, account_id: AccountId) -> Iterable[Booking]:
        """Return an account's."""
        return self._rows.get(account_id, ())


class SimVenues:
    """All simulated venues of one world."""

    def __init__(
        self,
        clock: Clock,
        exchanges: Mapping[VenueId, SimExchange],
        latencies: Mapping[VenueId, Latency],
        feeds: Iterable[Feed],
        saved: Callable[[], None] | None = None,
        bookings: Bookings | None = None,
        *,
        is_told: bool = False,
    ) -> None:
        """Take over the exchanges; nothing moves before `start`.

        Args:
            saved: called after each change of an account and before anybody hears of it.
            bookings: what they booked before.
            is_told: prices come by `tell` as well, for ever.
        """
        self.exchanges = exchanges
        self.clock = clock
        self.latencies = latencies
        self._feeds: list[tuple[Feed, int]] = [(feed, 0) for feed in feeds]
        "Feed -> when it is due."
        self._saved = saved
        self.bookings = bookings or Bookings()
        self._is_told = is_told
        self._desks: list[Desk] = []
        self._dark_until_ns: dict[VenueId, int] = {}
        self._timer: Timer | None = None
        self.ended = False
        "Every feed has ended: no market will move any more."

    def start(self) -> None:
        """Let the markets move."""
        self._tick()

    def tell(self, told: Quote | FundingRate) -> None:
        """Let what a real market shows, or what it will pay, be this one's from now on."""
        if self._timer is None:
            return
        exchange = self.exchanges[VenueId(told.instrument_id.partition(":")[0])]
        if isinstance(told, Quote):
            exchange.set_book(self.clock.now_ns(), told.instrument_id, told.bids, told.asks)
        else:
            exchange.set_funding_rate(told)
        self._timer.cancel()
        self._tick()

    def stop(self) -> None:
        """Let nothing happen any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for desk in list(self._desks):
            desk.close()

    def open_desk(self, hello: Hello, push: Push) -> Desk:
        """Return the venue's end of one connection; `push` takes what it says.

        Raises:
            KeyError: there is no such venue.
        """
        desk = Desk(self, hello, push)
        self._desks.append(desk)
        return desk

    def leave(self, desk: Desk) -> None:
        """Forget a connection."""
        if desk in self._desks:
            self._desks.remove(desk)

    def is_dark(self, venue_id: VenueId) -> bool:
        """Return whether the venue hears and says nothing now."""
        return self.clock.now_ns() < self._dark_until_ns.get(venue_id, 0)

    def set_sessions(self, venue_id: VenueId, sessions: Sessions) -> None:
        """Let a venue trade in these sessions only."""
        self.exchanges[venue_id].set_sessions(sessions)

    def settle(self) -> None:
        """Tell what happened to accounts since the last time."""
        reports = [(venue_id, *found) for venue_id, exchange in self.exchanges.items() for found in exchange.drain()]
        if not reports:
            return
        for _, account_id, report in reports:
            if isinstance(report, FundingReport | InterestReport):
                self.bookings.add(account_id, report)
        if self._saved is not None:
            self._saved()
        for _, account_id, report in reports:
            for desk in self._desks:
                if desk.hello.account_id == account_id:
                    desk.hear(report)

    # Faults, on call.

    def go_dark(self, venue_id: VenueId, duration_ns: int) -> None:
        """The venue answers nothing, says nothing, and loses what is sent to it; its market and matching go on."""
        self._dark_until_ns[venue_id] = self.clock.now_ns() + duration_ns

    def drop_next_fill(self, account_id: AccountId) -> None:
        """The stream loses the account's next fill, and what it says of that order."""
        for desk in self._desks_of(account_id):
            desk.drops_next_fill = True

    def lose_next_answer(self, account_id: AccountId) -> None:
        """The venue does what is asked next, and its answer gets lost; so does what the stream says of that order."""
        for desk in self._desks_of(account_id):
            desk.loses_next_answer = True

    def _desks_of(self, account_id: AccountId) -> Iterator[Desk]:
        return (desk for desk in self._desks if desk.hello.account_id == account_id)

    # The markets.

    def _tick(self) -> None:
        now_ns = self.clock.now_ns()
        self._play(now_ns)
        for exchange in self.exchanges.values():
            exchange.advance(now_ns)
        self.settle()
        for desk in self._desks:
            desk.show()
        due_ns = min([now_ns + BEAT_NS, *(due_ns for _, due_ns in self._feeds)])
        self._timer = self.clock.call_at(due_ns, self._tick)

    def _play(self, now_ns: int) -> None:
        going: list[tuple[Feed, int]] = []
        for feed, due_ns in self._feeds:
            next_ns = feed.play(now_ns) if now_ns >= due_ns else due_ns
            if next_ns is not None:
                going.append((feed, next_ns))
        self.ended = not going and not self._is_told
        self._feeds = going


class Desk:
    """The venue's end of one connection: one account, one instrument."""

    def __init__(self, venues: SimVenues, hello: Hello, push: Push) -> None:
        self.hello = hello
        self.drops_next_fill = False
        self.loses_next_answer = False
        self._venue_id = VenueId(hello.instrument_id.partition(":")[0])
        self._venues = venues
        self._exchange = venues.exchanges[self._venue_id]
        self._latency = venues.latencies[self._venue_id]
        self._clock = venues.clock
        self._push = push
        self._open = True
        self._lost_order = ""
        "Client order id of which the stream says nothing."
        self._stream_ns = 0
        "When the last frame arrives: a stream keeps its order."
        self._shown: Quote | None = None
        self._shown_ns = 0
        self._rate: FundingRate | None = None
        self._loans: dict[str, BorrowRate] = {}
        instrument = self._exchange.instrument(hello.instrument_id)
        lends = instrument.kind is InstrumentKind.MARGIN
        self._currencies = (instrument.base, instrument.quote) if lends else ()
        "What the account may borrow to trade here."
        self._beat()
        self.show()

    def close(self) -> None:
        """End the connection. What is on its way from the engine still arrives; nothing goes back."""
        self._open = False
        self._venues.leave(self)

    def take(self, request: ToVenue) -> None:
        """Take one request on its way."""
        arrives_ns = self._clock.now_ns() + self._latency.request_ns()
        self._clock.call_at(arrives_ns, lambda: self._arrive(request))

    def hear(self, report: Report) -> None:
        """Put one report of the account on the stream."""
        if isinstance(report, FundingReport | InterestReport):
            if self._concerns(report):
                self._stream(_told(report))
            return
        if report.instrument_id != self.hello.instrument_id:
            return
        if isinstance(report, TradeReport):
            if self.drops_next_fill:
                self.drops_next_fill = False
                self._lost_order = report.client_order_id
            if report.client_order_id != self._lost_order:
                self._stream(Streamed(trade=report))
        elif isinstance(report, OrderReport) and report.client_order_id != self._lost_order:
            self._stream(Streamed(order=report))

    def _concerns(self, booking: Booking) -> bool:
        if isinstance(booking, InterestReport):
            return booking.currency in self._currencies
        return booking.instrument_id == self.hello.instrument_id

    def show(self) -> None:
        """Show the book when it changed, or once a second so that it stays fresh, and the coming funding."""
        quote = self._exchange.quote(self.hello.instrument_id, DEPTH_SHOWN)
        now_ns, shown = self._clock.now_ns(), self._shown
        is_old = now_ns - self._shown_ns >= BEAT_NS
        if shown is None or is_old or (quote.bids, quote.asks) != (shown.bids, shown.asks):
            self._shown, self._shown_ns = quote, now_ns
            self._stream(Shown(quote))
        rate = self._exchange.funding_rate(self.hello.instrument_id)
        if rate is not None and rate != self._rate:
            self._rate = rate
            self._stream(RateShown(rate))
        for currency in self._currencies:
            loan = self._exchange.borrow_rate(currency)
            if loan is not None and loan != self._loans.get(currency):
                self._loans[currency] = loan
                self._stream(LoanShown(loan))

    # On the way there.

    def _arrive(self, request: ToVenue) -> None:
        if self._venues.is_dark(self._venue_id):
            return
        now_ns = self._clock.now_ns()
        if self.loses_next_answer and isinstance(request, Place) and now_ns <= request.expires_ns:
            self._lost_order = request.order.client_order_id
        bookings = self._venues.bookings.of(self.hello.account_id) if isinstance(request, AskBookings) else ()
        answer = answer_of(self._exchange, self.hello, request, now_ns, filter(self._concerns, bookings))
        self._venues.settle()
        if self.loses_next_answer and isinstance(request, Place):
            self.loses_next_answer = False
            return
        arrives_ns = self._clock.now_ns() + self._latency.report_ns()
        self._clock.call_at(arrives_ns, lambda: self._deliver(answer))

    # On the way back.

    def _stream(self, frame: FromVenue) -> None:
        if not self._open or self._venues.is_dark(self._venue_id):
            return
        self._stream_ns = max(self._stream_ns, self._clock.now_ns() + self._latency.report_ns())
        self._clock.call_at(self._stream_ns, lambda: self._deliver(frame))

    def _deliver(self, message: FromVenue) -> None:
        # Asked again here: what is on its way when the venue falls silent does not arrive.
        if self._open and not self._venues.is_dark(self._venue_id):
            self._push(message)

    def _beat(self) -> None:
        if self._open:
            self._stream(Beat())
            self._clock.call_at(self._clock.now_ns() + BEAT_NS, self._beat)


def answer_of(
    exchange: SimExchange, hello: Hello, request: ToVenue, now_ns: int, bookings: Iterable[Booking] = ()
) -> Answered:
    """Return what the exchange answers to a request that reaches it now, and let it do what was asked.

    Args:
        bookings: those that concern the connection, oldest first.
    """
    no, account_id, instrument_id = request.no, hello.account_id, hello.instrument_id
    match request:
        case Place():
            if now_ns > request.expires_ns:
                return Answered(no, LATE)
            placed = exchange.submit(now_ns, account_id, request.order)
            if isinstance(placed, Accepted):
                return Answered(no, venue_order_id=placed.venue_order_id)
            return Answered(no, placed)
        case Withdraw():
            name = "" if request.venue_order_id else request.client_order_id
            ended = exchange.cancel(now_ns, account_id, instrument_id, name, request.venue_order_id)
            return Answered(no, ended) if isinstance(ended, Refused) else Answered(no, order=ended.report)
        case AskOrder():
            ids = request.client_order_id, request.venue_order_id
            found = exchange.query(now_ns, account_id, instrument_id, *ids)
            return Answered(no, found) if isinstance(found, Refused) else Answered(no, order=found)
        case AskOrders():
            refused = exchange.charge(now_ns, account_id, ORDERS_WEIGHT)
            if refused is not None:
                return Answered(no, refused)
            return Answered(no, orders=exchange.open_orders(account_id, instrument_id))
        case AskTrades():
            refused = exchange.charge(now_ns, account_id, TRADES_WEIGHT)
            if refused is not None:
                return Answered(no, refused)
            trades = exchange.trades(account_id, instrument_id, request.from_trade_id, TRADES_PAGE)
            return Answered(no, trades=trades)
        case AskPosition():
            refused = exchange.charge(now_ns, account_id, POSITION_WEIGHT)
            if refused is not None:
                return Answered(no, refused)
            held = exchange.positions(account_id)[instrument_id]
            price = exchange.avg_price(account_id, instrument_id)
            return Answered(no, holding=Holding(held, price, exchange.leverage(account_id, instrument_id)))
        case AskBookings():
            refused = exchange.charge(now_ns, account_id, BOOKINGS_WEIGHT)
            if refused is not None:
                return Answered(no, refused)
            since = (_told(each) for each in bookings if each.venue_ts_ns >= request.since_ns)
            return Answered(no, bookings=tuple(islice(since, BOOKINGS_PAGE)))
        case Lever():
            return Answered(no, exchange.set_leverage(account_id, instrument_id, request.leverage))
        case AskBalances():
            refused = exchange.charge(now_ns, account_id, POSITION_WEIGHT)
            if refused is not None:
                return Answered(no, refused)
            free = exchange.free_balances(account_id)
            rows = exchange.balances(account_id).items()
            return Answered(
                no,
                balances=tuple(
                    Owned(currency, max(owned, ZERO), max(free[currency], ZERO), max(-owned, ZERO))
                    for currency, owned in rows
                ),
            )
        case _:
            assert_never(request)


def _told(booking: Booking) -> Streamed:
    return Streamed(interest=booking) if isinstance(booking, InterestReport) else Streamed(funding=booking)
