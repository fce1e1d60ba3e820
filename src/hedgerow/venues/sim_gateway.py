"""The gateway to one account of a simulated venue: encodes requests, and turns answers and frames into events.

It never raises for what the venue did, and never says 'rejected' without a proof.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, assert_never

from hedgerow.core.commands import CancelOrder, CancelOrphan, QueryOrder, Read, SetLeverage, SubmitOrder
from hedgerow.core.config import NS_PER_MS, NS_PER_S
from hedgerow.core.events import (
    Balance,
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
    LeverageAnswered,
    LinkDown,
    LinkUp,
    OpenOrder,
    OpenOrdersRead,
    OrderAccepted,
    OrderNotFound,
    OrderQueryFailed,
    OrderRejected,
    OrderReported,
    OrderUnknown,
    PositionRead,
    QuoteReceived,
    ReadFailed,
    ReadKind,
    RejectClass,
    TradesRead,
)
from hedgerow.market.answers import OrderReport, OrderRequest, Refused, TradeReport
from hedgerow.model.ids import AccountId, ClientOrderId, LegId, TradeId, VenueOrderId
from hedgerow.model.instrument import Instrument
from hedgerow.model.market import BorrowRate, FundingRate, Quote
from hedgerow.model.order import Fill
from hedgerow.venues import outcomes
from hedgerow.venues.clock import Clock, Timer
from hedgerow.venues.gateway import Deliver, Request
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
    Lever,
    LoanShown,
    Place,
    RateShown,
    Shown,
    Streamed,
    ToVenue,
    Withdraw,
)

# The venue gives a sign of life every second; this many missed ones are no accident any more.
MUTE_NS = 2_500 * NS_PER_MS
# Requests whose answers may still come. A venue that has been silent for so many is not going to answer the oldest.
AWAITED_MAX = 10_000
# Bookings come by the hour and are streamed; what got lost is found then, and after a failure, or silence, again.
BOOKINGS_EVERY_NS, BOOKINGS_AGAIN_NS = 600 * NS_PER_S, 15 * NS_PER_S
# A booking may be told so long after the time that it bears.
BOOKED_LATE_NS = 3_600 * NS_PER_S
# Ids of bookings that are remembered; each read begins before the last one ended.
BOOKED_MAX = 4_000
# The lease begins with the decision; a request leaves within its first half, so that this is left for the way.
LEASE_PART = 2


class Line(Protocol):
    """The way to the venue: the desk itself, or a connection to it."""

    def take(self, request: ToVenue) -> None: ...

    def close(self) -> None: ...


class _Paging:
    """A read of trades that is under way."""

    def __init__(self, read: Read, asked_ts_ns: int) -> None:
        self.read = read
        self.asked_ts_ns = asked_ts_ns
        self.trades: list[TradeReport] = []


class _Catching:
    """A read of bookings that is under way."""

    def __init__(self, since_ns: int, asked_ns: int) -> None:
        self.since_ns = since_ns
        self.asked_ns = asked_ns
        self.bookings: list[Streamed] = []


class SimGateway:
    """One account of a simulated venue, for one leg."""

    def __init__(self, account_id: AccountId, lease_ms: int, clock: Clock, open_line: Callable[[], Line]) -> None:
        """Take a way to the venue.

        Args:
            lease_ms: after this long from the decision the venue must refuse a submit.
            open_line: opens the line that leads to `receive`; called once, by `start`.
        """
        self.account_id = account_id
        self._lease_ns = lease_ms * NS_PER_MS // LEASE_PART
        self._clock = clock
        self._open_line = open_line
        self._line: Line
        self._no = 0
        self._awaited: dict[int, tuple[Request, int] | _Paging | _Catching] = {}
        "Number -> (request, when it was asked)."
        self._heard_ns = 0
        self._is_up = True
        self._timer: Timer | None = None
        self._booked: dict[str, None] = {}
        "Ids of bookings that were told."
        self._catching: _Catching | None = None
        "The latest read of bookings; None before `catch_up`."
        self._catch_timer: Timer | None = None

    def start(self, leg_id: LegId, instrument: Instrument, deliver: Deliver) -> None:
        """Begin to watch `instrument` for a leg."""
        self._leg_id = leg_id
        self._instrument = instrument
        self._deliver_to = deliver
        self._heard_ns = self._clock.now_ns()
        self._line = self._open_line()
        self._watch()

    def catch_up(self, since_ns: int) -> None:
        """Ask for what was booked without a trade since then, now and again and again."""
        self._ask_bookings(since_ns)

    def send(self, request: Request) -> None:
        """Take one request, and return at once."""
        if not self._is_up:
            self._not_sent(request)
            return
        match request:
            case SubmitOrder():
                order = OrderRequest(
                    request.order_id,
                    request.instrument_id,
                    request.side,
                    request.qty,
                    request.type,
                    request.limit_price,
                    request.time_in_force,
                    request.post_only,
                    request.reduce_only,
                )
                self._line.take(Place(self._await(request), order, self._clock.now_ns() + self._lease_ns))
            case CancelOrder():
                self._line.take(Withdraw(self._await(request), request.order_id))
            case CancelOrphan():
                self._line.take(Withdraw(self._await(request), request.order_id, request.venue_order_id))
            case QueryOrder():
                self._line.take(AskOrder(self._await(request), request.order_id, request.venue_order_id or ""))
            case Read():
                self._read(request)
            case SetLeverage():
                self._line.take(Lever(self._await(request), request.leverage))
            case _:
                assert_never(request)

    async def stop(self) -> None:
        """End the line. Nothing is canceled at the venue."""
        for timer in (self._timer, self._catch_timer):
            if timer is not None:
                timer.cancel()
        self._awaited.clear()
        self._line.close()

    def receive(self, message: FromVenue) -> None:
        """Take what the venue says."""
        self._heard_ns = now_ns = self._clock.now_ns()
        if not self._is_up:
            self._is_up = True
            self._deliver(LinkUp(now_ns, self._leg_id))
            if self._catching is not None:
                self._ask_bookings(self._catching.since_ns)
        match message:
            case Shown():
                quote = message.quote
                self._deliver(QuoteReceived(now_ns, Quote(quote.instrument_id, now_ns, quote.bids, quote.asks)))
            case Streamed():
                self._streamed(message, now_ns)
            case Answered():
                self._answered(message, now_ns)
            case Beat():
                self._deliver(Heartbeat(now_ns, self._leg_id))
            case RateShown():
                rate = message.rate
                seen = FundingRate(rate.instrument_id, now_ns, rate.rate, rate.interval_s, rate.next_funding_ts_ns)
                self._deliver(FundingRateReceived(now_ns, seen))
            case LoanShown():
                loan = message.rate
                seen_loan = BorrowRate(loan.currency, now_ns, loan.rate, loan.interval_s)
                self._deliver(BorrowRateReceived(now_ns, self._leg_id, seen_loan))
            case _:
                assert_never(message)

    # Asking.

    def _await(self, request: Request | _Paging | _Catching) -> int:
        self._no += 1
        entry = request if isinstance(request, _Paging | _Catching) else (request, self._clock.now_ns())
        self._awaited[self._no] = entry
        if len(self._awaited) > AWAITED_MAX:
            del self._awaited[next(iter(self._awaited))]
        return self._no

    def _read(self, read: Read) -> None:
        match read.kind:
            case ReadKind.TRADES:
                self._line.take(
                    AskTrades(self._await(_Paging(read, self._clock.now_ns())), int(read.cursor) if read.cursor else 0)
                )
            case ReadKind.OPEN_ORDERS:
                self._line.take(AskOrders(self._await(read)))
            case ReadKind.POSITION:
                self._line.take(AskPosition(self._await(read)))
            case ReadKind.BALANCES:
                self._line.take(AskBalances(self._await(read)))
            case _:
                assert_never(read.kind)

    def _ask_bookings(self, since_ns: int) -> None:
        self._catching = _Catching(since_ns, self._clock.now_ns())
        if self._is_up:
            self._line.take(AskBookings(self._await(self._catching), since_ns))
        self._ask_bookings_in(BOOKINGS_AGAIN_NS, since_ns)

    def _ask_bookings_in(self, wait_ns: int, since_ns: int) -> None:
        if self._catch_timer is not None:
            self._catch_timer.cancel()
        due_ns = self._clock.now_ns() + wait_ns
        self._catch_timer = self._clock.call_at(due_ns, lambda: self._ask_bookings(since_ns))

    def _not_sent(self, request: Request) -> None:
        """The link is known to be down: nothing leaves, and that is certain."""
        now_ns, text = self._clock.now_ns(), "the link is down"
        match request:
            case SubmitOrder():
                event: Event = OrderRejected(now_ns, request.order_id, RejectClass.NOT_SENT, "", text)
            case CancelOrder() | CancelOrphan():
                event = CancelAnswered(now_ns, request.order_id, CancelOutcome.REFUSED, "", text)
            case QueryOrder():
                event = OrderQueryFailed(now_ns, request.order_id, text)
            case Read():
                event = ReadFailed(now_ns, self._leg_id, request.kind, text)
            case SetLeverage():
                event = LeverageAnswered(now_ns, self._leg_id, text)
            case _:
                assert_never(request)
        # Not from inside `send`: the book is in the middle of its turn.
        self._clock.call_at(now_ns, lambda: self._deliver(event))

    def _watch(self) -> None:
        """Find out when the venue falls silent."""
        now_ns = self._clock.now_ns()
        if self._is_up and now_ns - self._heard_ns >= MUTE_NS:
            self._is_up = False
            # What was asked is answered by nobody; the core's own clocks turn that into what it is.
            self._awaited.clear()
            silent_ms = (now_ns - self._heard_ns) // NS_PER_MS
            self._deliver(LinkDown(now_ns, self._leg_id, f"silent for {silent_ms} ms"))
        due_ns = self._heard_ns + MUTE_NS if self._is_up else now_ns + NS_PER_S
        self._timer = self._clock.call_at(due_ns, self._watch)

    def _deliver(self, event: Event) -> None:
        self._deliver_to(self._leg_id, event)

    # Hearing.

    def _streamed(self, frame: Streamed, now_ns: int) -> None:
        if frame.trade is not None:
            self._deliver(FillReceived(now_ns, self._fill(frame.trade)))
        if frame.order is not None:
            self._deliver(_reported(frame.order, now_ns, self._leg_id))
        self._booked_now(frame, now_ns)

    def _booked_now(self, frame: Streamed, now_ns: int) -> None:
        """Deliver a booking, unless it was: the stream may have told it, or a read that began before it."""
        funding, interest = frame.funding, frame.interest
        if funding is not None and self._is_new(funding.funding_id):
            self._deliver(FundingPaid(now_ns, self._leg_id, funding.funding_id, funding.net_quote))
        if interest is not None and self._is_new(interest.interest_id):
            self._deliver(
                InterestCharged(now_ns, self._leg_id, interest.interest_id, interest.currency, interest.amount)
            )

    def _is_new(self, name: str) -> bool:
        if name in self._booked:
            return False
        self._booked[name] = None
        if len(self._booked) > BOOKED_MAX:
            del self._booked[next(iter(self._booked))]
        return True

    def _answered(self, answer: Answered, now_ns: int) -> None:
        entry = self._awaited.pop(answer.no, None)
        if entry is None:
            return
        if isinstance(entry, _Paging):
            self._page(entry, answer, now_ns)
            return
        if isinstance(entry, _Catching):
            self._caught(entry, answer, now_ns)
            return
        request, asked_ns = entry
        match request:
            case SubmitOrder():
                self._placed(request.order_id, answer, now_ns)
            case CancelOrder() | CancelOrphan():
                self._withdrawn(request.order_id, answer, now_ns)
            case QueryOrder():
                self._found(request.order_id, answer, asked_ns, now_ns)
            case Read():
                self._deliver(self._answer_to_read(request, answer, asked_ns, now_ns))
            case SetLeverage():
                refusal = "" if answer.refused is None else _tell(answer.refused)
                self._deliver(LeverageAnswered(now_ns, self._leg_id, refusal))
            case _:
                assert_never(request)

    def _placed(self, order_id: ClientOrderId, answer: Answered, now_ns: int) -> None:
        refused = answer.refused
        if refused is None:
            self._deliver(OrderAccepted(now_ns, order_id, VenueOrderId(answer.venue_order_id)))
            return
        outcome = outcomes.of_submit(refused.status, refused.code, refused.text)
        if outcome.reject_class is None:
            words = "exists already: " if outcome.proof is outcomes.Proof.EXISTS else ""
            self._deliver(OrderUnknown(now_ns, order_id, words + _tell(refused)))
            return
        wait_ns = refused.retry_after_s * NS_PER_S
        self._deliver(OrderRejected(now_ns, order_id, outcome.reject_class, str(refused.code), refused.text, wait_ns))

    def _withdrawn(self, order_id: ClientOrderId, answer: Answered, now_ns: int) -> None:
        refused = answer.refused
        if refused is not None:
            outcome = outcomes.of_cancel(refused)
            self._deliver(CancelAnswered(now_ns, order_id, outcome, str(refused.code), refused.text))
            return
        self._deliver(CancelAnswered(now_ns, order_id, CancelOutcome.ACCEPTED))
        if answer.order is not None:
            self._deliver(_reported(answer.order, now_ns, self._leg_id))

    def _found(self, order_id: ClientOrderId, answer: Answered, asked_ns: int, now_ns: int) -> None:
        if answer.order is not None:
            self._deliver(_reported(answer.order, now_ns, self._leg_id))
        elif answer.refused is not None and outcomes.is_not_found(answer.refused):
            self._deliver(OrderNotFound(now_ns, order_id, asked_ns))
        else:
            detail = "no order in the answer" if answer.refused is None else _tell(answer.refused)
            self._deliver(OrderQueryFailed(now_ns, order_id, detail))

    def _answer_to_read(self, read: Read, answer: Answered, asked_ns: int, now_ns: int) -> Event:
        if answer.refused is not None:
            return ReadFailed(now_ns, read.leg_id, read.kind, _tell(answer.refused))
        if read.kind is ReadKind.OPEN_ORDERS:
            return OpenOrdersRead(now_ns, read.leg_id, asked_ns, tuple(_open_order(row) for row in answer.orders))
        if read.kind is ReadKind.BALANCES:
            if answer.balances is None:
                return ReadFailed(now_ns, read.leg_id, read.kind, "no balances in the answer")
            rows = tuple(Balance(row.currency, row.total, row.available, row.borrowed) for row in answer.balances)
            return BalancesRead(now_ns, read.leg_id, asked_ns, rows)
        if answer.holding is None:
            return ReadFailed(now_ns, read.leg_id, read.kind, "no position in the answer")
        held = answer.holding
        return PositionRead(now_ns, read.leg_id, asked_ns, held.net_qty, held.avg_price, leverage=held.leverage)

    def _page(self, paging: _Paging, answer: Answered, now_ns: int) -> None:
        """Take one page of trades; the event has all of them, or none."""
        read = paging.read
        if answer.refused is not None:
            self._deliver(ReadFailed(now_ns, read.leg_id, read.kind, _tell(answer.refused)))
            return
        paging.trades += answer.trades
        cursor = str(paging.trades[-1].trade_id + 1) if paging.trades else read.cursor
        if len(answer.trades) == TRADES_PAGE:
            self._line.take(AskTrades(self._await(paging), int(cursor)))
            return
        fills = tuple(self._fill(trade) for trade in paging.trades)
        self._deliver(TradesRead(now_ns, read.leg_id, paging.asked_ts_ns, fills, cursor))

    def _caught(self, catching: _Catching, answer: Answered, now_ns: int) -> None:
        """Take one page of bookings; they are delivered together. What is refused is asked again by the timer."""
        if catching is not self._catching or answer.refused is not None:
            return
        catching.bookings += answer.bookings
        if len(answer.bookings) == BOOKINGS_PAGE:
            # Again from the last one's moment on: another currency's may be of the same.
            self._line.take(AskBookings(self._await(catching), _booked_ns(answer.bookings[-1])))
            return
        for booking in catching.bookings:
            self._booked_now(booking, now_ns)
        since_ns = max(catching.since_ns, catching.asked_ns - BOOKED_LATE_NS)
        self._catching = _Catching(since_ns, now_ns)
        self._ask_bookings_in(BOOKINGS_EVERY_NS, since_ns)

    def _fill(self, trade: TradeReport) -> Fill:
        return Fill(
            TradeId(str(trade.trade_id)),
            self.account_id,
            trade.instrument_id,
            trade.side,
            trade.qty,
            trade.price,
            trade.venue_ts_ns,
            None if trade.venue_made else ClientOrderId(trade.client_order_id),
            VenueOrderId(trade.venue_order_id),
            trade.fee,
            trade.fee_currency,
            trade.is_maker,
            trade.venue_made,
        )


def _reported(report: OrderReport, now_ns: int, leg_id: LegId) -> OrderReported:
    return OrderReported(
        now_ns,
        ClientOrderId(report.client_order_id),
        report.status,
        report.cum_qty,
        VenueOrderId(report.venue_order_id),
        report.reason,
        leg_id=leg_id,
    )


def _open_order(row: OrderReport) -> OpenOrder:
    order_id = ClientOrderId(row.client_order_id) if row.client_order_id else None
    return OpenOrder(VenueOrderId(row.venue_order_id), row.side, row.qty, row.cum_qty, order_id)


def _booked_ns(booking: Streamed) -> int:
    report = booking.funding or booking.interest
    assert report is not None, booking
    return report.venue_ts_ns


def _tell(refused: Refused) -> str:
    return f"{refused.status} {refused.code} {refused.text}".strip()
