"""The way between engines and one simulated venue: requests, answers, a private stream and reads, with their faults.

Lies within the venues' contracts: an order is taken within its lease or never, what exists is shown within the
visibility bound, and trades have one order, though a later one may be shown first.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from hedgerow.core.commands import CancelOrder, CancelOrphan, Command, QueryOrder, Read, SubmitOrder
from hedgerow.core.config import LegConfig
from hedgerow.core.events import (
    Balance,
    BalancesRead,
    CancelAnswered,
    CancelOutcome,
    FillReceived,
    FundingPaid,
    Heartbeat,
    InstrumentChanged,
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
    PositionModeRead,
    PositionRead,
    QuoteReceived,
    ReadFailed,
    ReadKind,
    RejectClass,
    TradesRead,
)
from hedgerow.market.answers import Accepted, OrderReport, OrderRequest, Refused, TradeReport
from hedgerow.market.exchange import EXPIRED_IN_MATCH
from hedgerow.market.rules import (
    INSUFFICIENT_BALANCE,
    INSUFFICIENT_MARGIN,
    NOT_REDUCING,
    POSITION_SIDE_MISMATCH,
    WOULD_TAKE_PERP,
    WOULD_TAKE_SPOT,
)
from hedgerow.model.ids import ClientOrderId, TradeId, VenueOrderId
from hedgerow.model.instrument import Instrument, InstrumentKind
from hedgerow.model.market import Level, Quote
from hedgerow.model.numbers import ZERO
from hedgerow.model.order import Fill, OrderStatus, OrderType, Side, TimeInForce
from hedgerow.sim.faults import Fault
from hedgerow.sim.oracle import Oracle, Trade
from hedgerow.sim.plot import Plot
from hedgerow.sim.site import Site
from hedgerow.venues import outcomes

if TYPE_CHECKING:
    from hedgerow.sim.engine import Seat
    from hedgerow.sim.world import World

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
QUOTE_DEPTH = 5
REPLAY_LEN = 12
OWN = "hr-"
"What the ids of all books begin with."

# Answers that say nothing of what became of an order that the venue did take: (kind, HTTP status, code, text).
MUDDLES: tuple[tuple[Fault, int, int, str], ...] = (
    (Fault.SERVER_ERROR, 503, 0, "Service Unavailable"),
    (Fault.DISCONNECTED_AFTER_ACCEPT, 400, -1006, "An unexpected response was received from the message bus."),
    (Fault.TIMEOUT_AFTER_ACCEPT, 408, -1007, "Timeout waiting for response from backend server."),
    (Fault.BODY_TRUNCATED, 200, 0, "the body was cut"),
    (Fault.HTML_BODY, 502, 0, "<html><title>502 Bad Gateway</title></html>"),
    (Fault.FALSE_NOT_FOUND, 400, -2013, "Order does not exist."),
    (Fault.DUPLICATE_ID_ANSWER, 400, -2010, "Duplicate order sent."),
)


class Known(msgspec.Struct):
    """What the venue knows of one order, with its past, because reads may show the past."""

    venue_order_id: str
    side: Side
    qty: Decimal
    taken_ns: int
    past: list[tuple[int, OrderStatus, Decimal]]
    "(from when, status, cumulative qty), oldest first."
    purged: bool = False

    def at(self, ts_ns: int) -> tuple[OrderStatus, Decimal] | None:
        """Return (status, cumulative qty) as of a time; None before the order was there."""
        for since_ns, status, cum_qty in reversed(self.past):
            if since_ns <= ts_ns:
                return status, cum_qty
        return None


class Line:
    """One account at one venue, for one leg, as engines reach it."""

    def __init__(self, world: World, site: Site, plot: Plot, leg: LegConfig, oracle: Oracle) -> None:
        self.plot = plot
        self.leg_id = leg.id
        self.account_id = leg.account_id
        self.instrument: Instrument = leg.instrument
        "With the filters now in force at the venue; engines may still have older ones."
        self.lease_ns = leg.lease_ms * NS_PER_MS
        self.visibility_ns = leg.visibility_ms * NS_PER_MS
        self.exchange = site.exchange
        self.is_shared = leg.shared
        self.is_foreign_traded = False
        "Whether anybody but the books of this world traded the instrument on the account."
        self.is_misjudged = False
        "An operator accepted a drift that nobody had traded: once its fills are known, its opposite is his doing."
        self.orders: dict[str, Known] = {}
        self.refusing: dict[Fault, int] = {}
        "What the venue refuses everything for now, and for how many reasons at once."
        self._world = world
        self._rng = world.rng
        self._faults = world.faults
        self._oracle = oracle
        self._site = site
        self._prefix = f"hr-{plot.tag}-"
        self._seats: list[Seat] = []
        self._trades: list[Fill] = []
        "All trades, in the order in which they happened: a later one may be shown before an earlier one."
        self._shown_ns: list[int] = []
        "From when on each trade is shown in reads."
        self._positions: list[tuple[int, Decimal]] = [(0, self.exchange.positions(leg.account_id)[leg.instrument.id])]
        self._extra_net = ZERO
        "Position by trades that the exchange itself does not know of: overfills."
        self._stream = 0
        "Grows with each cut: what was on its way then is lost."
        self._is_cut = False
        self._is_mute = False
        self._quotes_silent = False
        self._swapped: tuple[Seat, ClientOrderId] | None = None
        self._expiring = ""
        self._recent: deque[tuple[type[Any], tuple[Any, ...]]] = deque(maxlen=REPLAY_LEN)
        self._stream_ns = self._rng.randrange(1, 8) * NS_PER_MS
        self._funding_seq = 0
        self._foreign_seq = 0

    @property
    def is_perp(self) -> bool:
        return self.instrument.kind is InstrumentKind.PERP

    @property
    def least_qty(self) -> Decimal:
        """Return the smallest order that anybody here wants of the instrument."""
        return min(line.plot.qty for line in self._site.beside(self))

    def is_ours(self, order_id: str) -> bool:
        """Return whether the book of this line sent the order."""
        return order_id.startswith(self._prefix)

    def subscribe(self, seat: Seat) -> None:
        """Open an engine's stream: it sees what happens from now on."""
        self._seats.append(seat)
        if self._is_cut:
            self._later(self._stream_ns, seat.deliver, LinkDown, self.leg_id, "not connected")

    def send(self, seat: Seat, request: Command) -> None:
        """Take a request on its way."""
        match request:
            case SubmitOrder():
                self._send_submit(seat, request)
            case CancelOrder():
                self._send_cancel(seat, request.order_id, "")
            case CancelOrphan():
                self._send_cancel(seat, request.order_id, request.venue_order_id)
            case QueryOrder() if request.venue_order_id is not None:
                self._later(self._travel_ns(), self._take_question_whose, seat, request.venue_order_id)
            case QueryOrder():
                self._later(self._travel_ns(), self._take_query, seat, request.order_id, seat.clock.now_ns())
            case Read():
                self._send_read(seat, request)

    def _later(self, delay_ns: int, call: Any, *args: Any) -> None:
        self._world.call_at(self._world.now_ns + delay_ns, call, *args)

    def _travel_ns(self) -> int:
        return self._rng.randrange(500_000, 6_000_000)

    def _between_ms(self, low: int, high: int) -> int:
        return self._rng.randrange(low, high) * NS_PER_MS

    # Submits.

    def _send_submit(self, seat: Seat, request: SubmitOrder) -> None:
        faults, order_id = self._faults, request.order_id
        deadline_ns = seat.book.state.orders[order_id].submitted_ts_ns - seat.clock.offset_ns + self.lease_ns
        travel_ns = self._travel_ns()
        if faults.strikes(Fault.NOT_CONNECTED):
            self._oracle.dead(order_id)
            self._later(travel_ns, seat.deliver, OrderRejected, order_id, RejectClass.NOT_SENT, "", "refused")
        elif faults.strikes(Fault.REQUEST_LOST):
            self._oracle.dead(order_id)
            if self._rng.randrange(2):
                self._later(self._between_ms(1, 900), seat.deliver, OrderUnknown, order_id, "connection reset")
        elif faults.strikes(Fault.NEVER_TAKEN):
            self._oracle.dead(order_id)
            self._later(travel_ns, seat.deliver, OrderUnknown, order_id, "queued")
        else:
            if faults.strikes(Fault.ACCEPT_DELAYED):
                travel_ns = self._rng.randrange(travel_ns, self.lease_ns)
                if self._rng.randrange(2):
                    self._later(travel_ns // 2, seat.deliver, OrderUnknown, order_id, "timeout")
            self._later(travel_ns, self._take_submit, seat, request, deadline_ns)

    def _take_submit(self, seat: Seat, request: SubmitOrder, deadline_ns: int) -> None:
        if self._world.now_ns > deadline_ns:
            answer: Accepted | Refused = Refused(400, -1021, "Timestamp for this request is outside of the recvWindow.")
        else:
            answer = self._refusal(request) or self._place(request)
        if isinstance(answer, Refused):
            self._oracle.dead(request.order_id)
        delay_ns = self._travel_ns()
        if self._faults.strikes(Fault.FILL_BEFORE_ACK):
            delay_ns += self._between_ms(20, 900)
        self._answer_submit(seat, request.order_id, answer, delay_ns)

    def _place(self, request: SubmitOrder) -> Accepted | Refused:
        if not request.post_only and self._faults.draws(Fault.SELF_TRADE):
            self._stand_in_the_way(request.side)
        answer = self.exchange.submit(
            self._world.now_ns,
            self.account_id,
            OrderRequest(
                request.order_id,
                request.instrument_id,
                request.side,
                request.qty,
                request.type,
                request.limit_price,
                request.time_in_force,
                request.post_only,
                request.reduce_only,
            ),
        )
        if isinstance(answer, Accepted):
            now_ns = self._world.now_ns
            known = Known(answer.venue_order_id, request.side, request.qty, now_ns, [(now_ns, OrderStatus.OPEN, ZERO)])
            self.orders[request.order_id] = known
        self.collect()
        if request.post_only and self._is_open(request.order_id) and self._faults.strikes(Fault.POST_ONLY_EXPIRED):
            self._expire(request.order_id)
        return answer

    def _refusal(self, request: SubmitOrder) -> Refused | None:
        """What the venue refuses this order for, by the faults of this world."""
        faults, perp = self._faults, self.is_perp
        if Fault.MAINTENANCE in self.refusing:
            return Refused(503, 0, "maintenance")
        if Fault.BANNED in self.refusing:
            return Refused(418, -1003, "Way too much request weight used; IP banned.", 1)
        if Fault.POSITION_MODE in self.refusing:
            return POSITION_SIDE_MISMATCH
        if Fault.MARGIN_SHORT in self.refusing:
            faults.count(Fault.MARGIN_SHORT)
            return INSUFFICIENT_MARGIN if perp else INSUFFICIENT_BALANCE
        if faults.strikes(Fault.RATE_LIMITED):
            return Refused(429, -1015, "Too many new orders.", self._rng.randrange(3))
        if request.post_only and faults.strikes(Fault.POST_ONLY_REFUSED):
            return WOULD_TAKE_PERP if perp else WOULD_TAKE_SPOT
        if request.reduce_only and faults.strikes(Fault.REDUCE_ONLY_REFUSED):
            return NOT_REDUCING
        if request.limit_price is not None and faults.strikes(Fault.PRICE_BAND):
            return Refused(400, -4131, "PERCENT_PRICE") if perp else _filter("PERCENT_PRICE_BY_SIDE")
        if faults.strikes(Fault.MIN_NOTIONAL):
            return Refused(400, -4164, "Order's notional must be no smaller.") if perp else _filter("NOTIONAL")
        return None

    def _answer_submit(self, seat: Seat, order_id: ClientOrderId, answer: Accepted | Refused, delay_ns: int) -> None:
        faults = self._faults
        if faults.strikes(Fault.ANSWER_LOST):
            if self._rng.randrange(2):
                self._later(self._between_ms(1, 900), seat.deliver, OrderUnknown, order_id, "connection reset")
            return
        if self._swapped is not None or faults.draws(Fault.ANSWERS_SWAPPED):
            if self._swapped is None:
                self._swapped = (seat, order_id)
                return
            # Each got the other's answer: the ids in it do not match, so it proves nothing.
            (other, other_id), self._swapped = self._swapped, None
            faults.count(Fault.ANSWERS_SWAPPED)
            self._later(delay_ns, other.deliver, OrderUnknown, other_id, "answer of another request")
            self._later(delay_ns, seat.deliver, OrderUnknown, order_id, "answer of another request")
            return
        if isinstance(answer, Accepted):
            for kind, status, code, text in MUDDLES:
                if faults.strikes(kind):
                    answer = Refused(status, code, text)
                    break
        if isinstance(answer, Accepted):
            venue_order_id = VenueOrderId(answer.venue_order_id)
            self._later(delay_ns, seat.deliver, OrderAccepted, order_id, venue_order_id)
            return
        outcome = outcomes.of_submit(answer.status, answer.code, answer.text)
        if outcome.reject_class is None:
            self._later(delay_ns, seat.deliver, OrderUnknown, order_id, f"{answer.status} {answer.code} {answer.text}")
            return
        wait_ns = answer.retry_after_s * NS_PER_S
        self._later(
            delay_ns,
            seat.deliver,
            OrderRejected,
            order_id,
            outcome.reject_class,
            str(answer.code),
            answer.text,
            wait_ns,
        )

    # Cancels.

    def _send_cancel(self, seat: Seat, order_id: ClientOrderId, venue_order_id: str) -> None:
        travel_ns = self._travel_ns()
        if self._faults.strikes(Fault.CANCEL_LOST):
            self._later(self._between_ms(1, 900), seat.deliver, CancelAnswered, order_id, CancelOutcome.UNKNOWN)
            return
        if self._faults.strikes(Fault.CANCEL_DELAYED):
            travel_ns += self._between_ms(50, 2_500)
        self._later(travel_ns, self._take_cancel, seat, order_id, venue_order_id)

    def _take_cancel(self, seat: Seat, order_id: ClientOrderId, venue_order_id: str) -> None:
        if Fault.MAINTENANCE in self.refusing:
            outcome = CancelOutcome.UNKNOWN
        elif Fault.BANNED in self.refusing:
            outcome = CancelOutcome.REFUSED
        elif self._faults.strikes(Fault.CANCEL_GONE):
            outcome = CancelOutcome.GONE
        else:
            answer = self.exchange.cancel(
                self._world.now_ns,
                self.account_id,
                self.instrument.id,
                "" if venue_order_id else order_id,
                venue_order_id,
            )
            self.collect()
            outcome = CancelOutcome.GONE if isinstance(answer, Refused) else CancelOutcome.ACCEPTED
        if self._faults.strikes(Fault.CANCEL_ANSWER_LOST):
            return
        self._later(self._travel_ns(), seat.deliver, CancelAnswered, order_id, outcome)

    # Questions.

    def _take_query(self, seat: Seat, order_id: ClientOrderId, asked_ns: int) -> None:
        delay_ns, now_ns = self._travel_ns(), self._world.now_ns
        if self._is_deaf() or self._faults.strikes(Fault.QUERY_ERROR):
            self._later(delay_ns, seat.deliver, OrderQueryFailed, order_id, "503")
            return
        known = self.orders.get(order_id)
        lag_ns = self._lag_ns(Fault.ORDERS_READ_LAG)
        state = None if known is None else known.at(max(known.taken_ns, now_ns - lag_ns))
        if known is not None and known.purged:
            self._faults.count(Fault.ENDED_ORDER_PURGED)
            state = None
        elif known is not None and now_ns < known.taken_ns + self.visibility_ns:
            hidden = now_ns - lag_ns < known.taken_ns or self._faults.strikes(Fault.NOT_FOUND_BUT_LIVE)
            state = None if hidden else state
        if known is None or state is None:
            self._later(delay_ns, seat.deliver, OrderNotFound, order_id, asked_ns)
            return
        status, cum_qty = state
        self._later(
            delay_ns, seat.deliver, OrderReported, order_id, status, cum_qty, VenueOrderId(known.venue_order_id)
        )

    def _take_question_whose(self, seat: Seat, venue_order_id: VenueOrderId) -> None:
        """Whose is this order? An order that traded is never purged under the venue's own id."""
        if self._is_deaf() or self._faults.strikes(Fault.QUERY_ERROR):
            return
        now_ns = self._world.now_ns
        found = self.exchange.query(now_ns, self.account_id, self.instrument.id, venue_order_id=str(venue_order_id))
        if isinstance(found, Refused):
            return
        known = self.orders.get(ClientOrderId(found.client_order_id))
        state = (found.status, found.cum_qty) if known is None else known.at(now_ns)
        if state is not None:
            order_id, (status, cum_qty) = ClientOrderId(found.client_order_id), state
            told = (order_id, status, cum_qty, venue_order_id, "", "", self.leg_id)
            self._later(self._travel_ns(), seat.deliver, OrderReported, *told)

    def _send_read(self, seat: Seat, request: Read) -> None:
        if self._faults.strikes(Fault.READ_LOST):
            return
        pages = 1
        if request.kind is ReadKind.TRADES and self._faults.strikes(Fault.SMALL_PAGES):
            pages = self._rng.randrange(2, 5)
        travel_ns = sum(self._travel_ns() for _ in range(pages))
        failed = any(self._faults.strikes(Fault.READ_ERROR) for _ in range(pages))
        self._later(travel_ns, self._take_read, seat, request, seat.clock.now_ns(), failed)

    def _take_read(self, seat: Seat, request: Read, asked_ns: int, failed: bool) -> None:
        row_missing = request.kind is ReadKind.POSITION and self._faults.strikes(Fault.POSITION_ROW_MISSING)
        if failed or row_missing or self._is_deaf():
            self._later(self._travel_ns(), seat.deliver, ReadFailed, self.leg_id, request.kind, "no usable answer")
            return
        if request.kind is ReadKind.OPEN_ORDERS:
            answer: tuple[Any, ...] = (OpenOrdersRead, self.leg_id, asked_ns, self._open_orders())
        elif request.kind is ReadKind.TRADES:
            answer = (TradesRead, self.leg_id, asked_ns, *self._trades_since(request.cursor))
        elif request.kind is ReadKind.BALANCES:
            answer = (BalancesRead, self.leg_id, asked_ns, self._balances())
        else:
            answer = (PositionRead, self.leg_id, asked_ns, self._position())
        self._later(self._travel_ns(), seat.deliver, *answer)

    def _is_deaf(self) -> bool:
        return Fault.MAINTENANCE in self.refusing or Fault.BANNED in self.refusing

    def _lag_ns(self, kind: Fault) -> int:
        # Half of the bound, because a late trade may have used the other half.
        return self._rng.randrange(self.visibility_ns // 2) if self._faults.strikes(kind) else 0

    def _open_orders(self) -> tuple[OpenOrder, ...]:
        as_of_ns = self._world.now_ns - self._lag_ns(Fault.ORDERS_READ_LAG)
        rows = []
        for order_id, known in self.orders.items():
            state = known.at(as_of_ns)
            if state is not None and state[0] is OrderStatus.OPEN:
                nameless = self._faults.strikes(Fault.CLIENT_ID_MISSING)
                name = None if nameless else ClientOrderId(order_id)
                rows.append(OpenOrder(VenueOrderId(known.venue_order_id), known.side, known.qty, state[1], name))
        return tuple(rows)

    def _trades_since(self, cursor: str) -> tuple[tuple[Fill, ...], str]:
        """Return what is shown from the cursor on, and where it ends: behind the last, whatever is hidden before."""
        as_of_ns = self._world.now_ns - self._lag_ns(Fault.TRADES_READ_LAG)
        start = int(cursor or "0")
        shown = [n for n in range(start, len(self._trades)) if self._shown_ns[n] <= as_of_ns]
        fills = tuple(
            msgspec.structs.replace(fill, order_id=None)
            if self._faults.strikes(Fault.CLIENT_ID_MISSING) and not fill.venue_made
            else fill
            for fill in (self._trades[n] for n in shown)
        )
        return fills, str(shown[-1] + 1 if shown else start)

    def _balances(self) -> tuple[Balance, ...]:
        rows = self.exchange.balances(self.account_id).items()
        return tuple(Balance(currency, max(owned, ZERO), borrowed=max(-owned, ZERO)) for currency, owned in rows)

    def _position(self) -> Decimal:
        as_of_ns = self._world.now_ns - self._lag_ns(Fault.POSITION_READ_LAG)
        for since_ns, net_qty in reversed(self._positions):
            if since_ns <= as_of_ns:
                return net_qty
        return self._positions[0][1]

    # What the venue did.

    def collect(self) -> None:
        """Take what happened at the exchange, for every line that leads to it."""
        self._site.collect()

    def take(self, report: OrderReport | TradeReport) -> None:
        """Tell the oracle what happened to this account, remember it for reads, put it on the stream."""
        if isinstance(report, OrderReport):
            self._take_report(report)
        else:
            self._take_trade(report)

    def note_position(self) -> None:
        """Remember what is held now, because reads may show the past."""
        net_qty = self.exchange.positions(self.account_id)[self.instrument.id] + self._extra_net
        if net_qty != self._positions[-1][1]:
            self._positions.append((self._world.now_ns, net_qty))

    def _take_report(self, report: OrderReport) -> None:
        now_ns, order_id, status = self._world.now_ns, report.client_order_id, report.status
        if order_id == self._expiring:
            status = OrderStatus.EXPIRED
        known = self.orders.get(order_id)
        if known is None:
            known = self.orders[order_id] = Known(report.venue_order_id, report.side, report.qty, now_ns, [])
        known.past.append((now_ns, status, report.cum_qty))
        if status is OrderStatus.OPEN:
            if report.cum_qty and self.is_ours(order_id):
                self._faults.count(Fault.PARTIAL_FILL)
        else:
            self._oracle.dead(order_id)
            if report.reason == EXPIRED_IN_MATCH:
                self._faults.count(Fault.SELF_TRADE)
            elif status is OrderStatus.EXPIRED and report.cum_qty:
                self._faults.count(Fault.IOC_REMAINDER)
            if self._faults.draws(Fault.ENDED_ORDER_PURGED):
                known.purged = True
        delay_ns = 0
        late = Fault.ACK_AFTER_FILL if status is OrderStatus.OPEN else Fault.TRADE_BEFORE_REPORT
        if (status is OrderStatus.OPEN or report.cum_qty) and self._faults.strikes(late):
            delay_ns = self._between_ms(50, 900)
        if self._faults.strikes(Fault.UNKNOWN_ENUM):
            # A word that nobody knows is kept aside and is no news; the reads must find what it meant.
            return
        cum_qty = None if self._faults.strikes(Fault.CUM_QTY_MISSING) else report.cum_qty
        venue_order_id = VenueOrderId(report.venue_order_id)
        self._frame(delay_ns, OrderReported, ClientOrderId(order_id), status, cum_qty, venue_order_id, report.reason)

    def _take_trade(self, report: TradeReport) -> None:
        ours = self.is_ours(report.client_order_id)
        fill = Fill(
            TradeId(str(report.trade_id)),
            self.account_id,
            report.instrument_id,
            report.side,
            report.qty,
            report.price,
            report.venue_ts_ns,
            None if report.venue_made else ClientOrderId(report.client_order_id),
            VenueOrderId(report.venue_order_id),
            report.fee,
            report.fee_currency,
            report.is_maker,
            report.venue_made,
        )
        if ours or report.venue_made:
            self._tell_oracle(fill)
        elif not report.client_order_id.startswith(OWN):
            self.is_foreign_traded = True
            self._oracle.by_hand[self.leg_id] += fill.net_qty(self.instrument.base)
        self._print_soon(fill)
        known = self.orders.get(report.client_order_id)
        # On a shared account the other book would have to be told of what no exchange knows, and unknown shares could
        # not be sold.
        if (
            ours
            and not self.is_shared
            and self.plot.config.policy != "exits"
            and known is not None
            and self._fills_up(known, report)
            and self._faults.strikes(Fault.OVERFILL)
        ):
            self._overfill(fill)

    def _fills_up(self, known: Known, report: TradeReport) -> bool:
        filled = sum((t.qty for t in self._trades if t.venue_order_id == report.venue_order_id), ZERO)
        return filled >= known.qty

    def _overfill(self, fill: Fill) -> None:
        """The venue trades more than was asked for."""
        extra = msgspec.structs.replace(
            fill, trade_id=TradeId(f"{fill.trade_id}x"), qty=self.instrument.min_qty, fee=ZERO
        )
        self._extra_net += extra.qty * extra.side.sign
        self._tell_oracle(extra, surprise=True)
        self._print_soon(extra)

    def _tell_oracle(self, fill: Fill, surprise: bool = False) -> None:
        base_fee = fill.fee if fill.fee and fill.fee_currency == self.instrument.base else ZERO
        order_id = "" if fill.venue_made else fill.order_id or ""
        trade = Trade(self.leg_id, order_id, fill.qty * fill.side.sign, base_fee, surprise)
        self._oracle.traded(fill.trade_id, trade)

    def _print_soon(self, fill: Fill) -> None:
        """Show a trade, in reads and on the stream, now or a while later."""
        late = self._faults.strikes(Fault.LATE_TRADE)
        delay_ns = self._rng.randrange(1, self.visibility_ns // 2) if late else 0
        self._trades.append(fill)
        self._shown_ns.append(self._world.now_ns + delay_ns)
        if late:
            self._later(delay_ns, self._stream_trade, fill)
        else:
            self._stream_trade(fill)

    def _stream_trade(self, fill: Fill) -> None:
        shown = fill
        if not fill.venue_made and self._faults.strikes(Fault.CLIENT_ID_MISSING):
            shown = msgspec.structs.replace(shown, order_id=None)
        if self._faults.strikes(Fault.FEE_MISSING):
            shown = msgspec.structs.replace(shown, fee=None, fee_currency="")
            self._frame(self._between_ms(100, 2_000), FillReceived, fill)
        if self._faults.strikes(Fault.UNKNOWN_ENUM):
            return
        late = self._faults.strikes(Fault.REPORT_BEFORE_TRADE)
        self._frame(self._between_ms(50, 900) if late else 0, FillReceived, shown)

    # The private stream.

    def _frame(self, delay_ns: int, event_type: type[Any], *rest: Any) -> None:
        faults = self._faults
        self._recent.append((event_type, rest))
        if self._is_cut or self._is_mute:
            return
        for seat in self._seats:
            if seat.dead:
                continue
            if faults.strikes(Fault.FRAME_DROPPED):
                continue
            travel_ns = self._stream_ns + delay_ns
            if faults.strikes(Fault.FRAME_REORDERED):
                travel_ns += self._between_ms(1, 1_000)
            if faults.strikes(Fault.FRAME_DELAYED):
                travel_ns += self._between_ms(500, 3_000)
            self._later(travel_ns, self._arrive, seat, self._stream, event_type, rest)
            if faults.strikes(Fault.FRAME_REPEATED):
                travel_ns += self._between_ms(1, 2_000)
                self._later(travel_ns, self._arrive, seat, self._stream, event_type, rest)
            if faults.strikes(Fault.CACHED_REPLAY):
                for old_type, old_rest in list(self._recent):
                    self._later(travel_ns, self._arrive, seat, self._stream, old_type, old_rest)

    def _arrive(self, seat: Seat, stream: int, event_type: type[Any], rest: tuple[Any, ...]) -> None:
        if stream == self._stream:
            seat.deliver(event_type, *rest)

    def cut(self) -> None:
        """The stream is lost, with all that was on its way; engines are told."""
        if self._is_cut:
            return
        self._is_cut = True
        self._stream += 1
        self._tell(LinkDown, self.leg_id, "the stream was cut")

    def join(self) -> None:
        """The stream is back; what was missed is gone."""
        if self._is_cut:
            self._is_cut = False
            self._tell(LinkUp, self.leg_id)

    def mute(self, muted: bool) -> None:
        """Let the stream stay open and say nothing, or speak again."""
        self._is_mute = muted

    def silence_quotes(self, silent: bool) -> None:
        self._quotes_silent = silent

    def beat(self) -> None:
        """A sign of life: pings are answered, even by a stream that says nothing else."""
        if not self._is_cut:
            self._tell(Heartbeat, self.leg_id)

    def mend(self) -> None:
        """Everything works again."""
        modes = Fault.POSITION_MODE in self.refusing
        self.refusing.clear()
        self.exchange.resume(self.instrument.id)
        self.collect()
        self._is_mute = self._quotes_silent = False
        self.join()
        if modes:
            self.tell_position_mode(True)
        if self._swapped is not None:
            (seat, order_id), self._swapped = self._swapped, None
            seat.deliver(OrderUnknown, order_id, "answer of another request")

    def _tell(self, event_type: type[Any], *rest: Any) -> None:
        self._seats = [seat for seat in self._seats if not seat.dead]
        for seat in self._seats:
            seat.deliver(event_type, *rest)

    def show_quote(self) -> None:
        """Send the visible book to engines."""
        if self._quotes_silent:
            return
        quote = self.exchange.quote(self.instrument.id, QUOTE_DEPTH)
        bids, asks = quote.bids, quote.asks
        if self._faults.strikes(Fault.QUOTE_ONE_SIDED):
            bids, asks = ((), asks) if self._rng.randrange(2) else (bids, ())
        for seat in self._seats:
            if not seat.dead:
                seat.deliver(QuoteReceived, Quote(self.instrument.id, seat.clock.now_ns(), bids, asks))

    # What happens at the venue unasked.

    def change_filters(self, instrument: Instrument) -> None:
        """Change the filters now, for everybody who trades the instrument."""
        self.exchange.set_instrument(instrument)
        for line in self._site.beside(self):
            line.hear_filters(instrument, self._between_ms(1, 1_500))

    def hear_filters(self, instrument: Instrument, delay_ns: int) -> None:
        """The filters are others now; engines hear of it later."""
        self.instrument = instrument
        self._oracle.legs[self.leg_id] = instrument
        self._later(delay_ns, self._tell_filters)

    def _tell_filters(self) -> None:
        """What is read of the filters is what they are then: of two changes, the earlier is never told last."""
        self._tell(InstrumentChanged, self.instrument)

    def tell_position_mode(self, agrees: bool) -> None:
        self._tell(PositionModeRead, self.leg_id, agrees, "" if agrees else "the account is in hedge mode")

    def pay_funding(self) -> bool:
        """Pay funding on what is held; return whether anything was."""
        net_qty = self._positions[-1][1]
        if not self.is_perp or not net_qty:
            return False
        self._funding_seq += 1
        self._frame(0, FundingPaid, self.leg_id, f"f{self._funding_seq}", -net_qty / 1000)
        return True

    def expire_one(self) -> bool:
        """Expire one of our resting orders, as a venue may; return whether there was one."""
        standing = [order_id for order_id in self.orders if self._is_open(order_id) and self.is_ours(order_id)]
        if not standing:
            return False
        self._expire(standing[self._rng.randrange(len(standing))])
        return True

    def _is_open(self, order_id: str) -> bool:
        known = self.orders.get(order_id)
        return known is not None and bool(known.past) and known.past[-1][1] is OrderStatus.OPEN

    def _expire(self, order_id: str) -> None:
        self._expiring = order_id
        self.exchange.cancel(self._world.now_ns, self.account_id, self.instrument.id, order_id)
        self.collect()
        self._expiring = ""

    def trade_by_venue(self, kind: Fault) -> bool:
        """Liquidate, or deleverage a part; return whether there was a position."""
        held = self.exchange.positions(self.account_id)[self.instrument.id]
        # Whose a shared position was, nobody can say; and what the book was not given yet is not its own.
        if not self.is_perp or not held or self.is_shared or not self._oracle.net[self.leg_id]:
            return False
        if kind is Fault.LIQUIDATION:
            self.exchange.force_liquidate(self.account_id, self.instrument.id)
        else:
            part = self.instrument.floor_qty(abs(held) / 2) or abs(held)
            side = Side.SELL if held > 0 else Side.BUY
            self.exchange.foreign_trade(self.account_id, self.instrument.id, side, part, venue_made=True)
        self.collect()
        return True

    def trade_by_hand(self) -> bool:
        """Somebody trades on the account; return whether the venue took it."""
        qty = self.instrument.smallest_qty(self._world.price)
        # Nobody sells the coins of a spot account away: what a book was given to close must be there.
        side = Side.SELL if self.is_perp and self._rng.randrange(2) else Side.BUY
        answer = self.exchange.foreign_trade(self.account_id, self.instrument.id, side, qty)
        self.collect()
        return isinstance(answer, Accepted)

    def rest_by_hand(self) -> bool:
        """Somebody lets an order rest on the account for a while; return whether the venue took it."""
        quote = self.exchange.quote(self.instrument.id, QUOTE_DEPTH)
        if not quote.bids:
            return False
        return self._rest_foreign(Side.BUY, quote.bids[-1][0])

    def _stand_in_the_way(self, side: Side) -> None:
        quote = self.exchange.quote(self.instrument.id)
        if quote.bid is None or quote.ask is None:
            return
        inside = quote.ask - self.instrument.tick if side is Side.BUY else quote.bid + self.instrument.tick
        if quote.bid < inside < quote.ask:
            self._rest_foreign(side.opposite, inside)

    def _rest_foreign(self, side: Side, price: Decimal) -> bool:
        self._foreign_seq += 1
        order_id = f"web_{self.plot.tag}_{self.leg_id}_{self._foreign_seq}"
        qty = self.instrument.smallest_qty(price)
        request = OrderRequest(
            order_id, self.instrument.id, side, qty, OrderType.LIMIT, price, TimeInForce.GTC, False, False
        )
        answer = self.exchange.submit(self._world.now_ns, self.account_id, request)
        self.collect()
        self._later(self._between_ms(500, 4_000), self._withdraw_foreign, order_id)
        return isinstance(answer, Accepted)

    def _withdraw_foreign(self, order_id: str) -> None:
        self.exchange.cancel(self._world.now_ns, self.account_id, self.instrument.id, order_id)
        self.collect()

    def move_market(self, bids: list[Level], asks: list[Level]) -> None:
        """Let the market show these levels."""
        self.exchange.set_book(self._world.now_ns, self.instrument.id, bids, asks)
        self.collect()

    def print_trade(self, price: Decimal, qty: Decimal, aggressor: Side) -> None:
        """Let others trade."""
        self.exchange.trade(self._world.now_ns, self.instrument.id, price, qty, aggressor)
        self.collect()


def _filter(name: str) -> Refused:
    return Refused(400, -1013, f"Filter failure: {name}")
