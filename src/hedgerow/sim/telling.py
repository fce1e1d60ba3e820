"""What happens in a story: each told line changes what is true at the venues, and what the engines hear of it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from msgspec.structs import replace

from hedgerow.core.commands import (
    SubmitOrder,
    Turn,
)
from hedgerow.core.config import NS_PER_MS, NS_PER_S
from hedgerow.core.events import (
    Action,
    BorrowRateReceived,
    CancelAnswered,
    CancelOutcome,
    Event,
    Exposure,
    FillReceived,
    FundingPaid,
    FundingRateReceived,
    Heartbeat,
    InstrumentChanged,
    InterestCharged,
    JournalFailed,
    LinkDown,
    LinkUp,
    OpenOrder,
    OpenOrdersRead,
    OperatorCommanded,
    OrderAccepted,
    OrderNotFound,
    OrderQueryFailed,
    OrderRejected,
    OrderReported,
    OrderUnknown,
    PortfolioSeen,
    PositionModeRead,
    PositionRead,
    ReadFailed,
    ReadKind,
    RejectClass,
    TimeReached,
    TradesRead,
)
from hedgerow.core.step import fold
from hedgerow.market.answers import Refused
from hedgerow.model.ids import (
    ClientOrderId,
    LegId,
    OrderKey,
    TradeId,
    VenueOrderId,
    encode_order_id,
)
from hedgerow.model.market import BorrowRate, FundingRate
from hedgerow.model.numbers import ZERO
from hedgerow.model.order import Fill, OrderStatus, OrderType, Role, Side
from hedgerow.sim.exchanged import refusal
from hedgerow.sim.stage import (
    Placed,
    Stage,
    open_order,
)
from hedgerow.sim.staging import (
    LEAD,
    Names,
    filtered,
    levels,
    side_of,
)
from hedgerow.sim.story import (
    MESSAGES,
    TOLD_OF_EXCHANGES,
    BadStory,
    Line,
    Unmet,
)
from hedgerow.strategies import make
from hedgerow.strategies.params import BadParams

# Each told line comes a moment after the one before, so that time orders what the story orders.
LINE_NS = NS_PER_MS
# Each second of it is played: an hour is some 15,000 events.
AFTER_NS_MAX = 3_600 * NS_PER_S


class Teller:
    """Plays the `>` lines. `_message_VERB` makes a message true and returns its events; `_deed_VERB` does the rest."""

    def __init__(self, stage: Stage, names: Names) -> None:
        self._stage = stage
        self._names = names
        self._last_message: list[Event] = []
        self._messages: dict[str, Callable[[Line], list[Event]]] = {
            name: getattr(self, f"_message_{name}") for name in sorted(MESSAGES)
        }

    def tell(self, line: Line) -> None:
        """Let what the line tells happen, and all that follows from it now.

        Raises:
            BadStory: it names what the story never introduced, or what cannot be told here.
            Unmet: it waits for what will not come.
            EngineDead: it needs an engine, and none runs.
        """
        self._stage.asked.clear()
        self._stage.advance(LINE_NS)
        if line.verb not in self._messages:
            getattr(self, f"_deed_{line.verb}")(line)
            return
        self._last_message = self._message(line)
        self._stage.deliver_now(self._last_message)

    def _message(self, line: Line) -> list[Event]:
        """Make a message true at its venue, and return the events that tell of it."""
        if line.verb not in TOLD_OF_EXCHANGES:
            placed = self._stage.placed.get(self._names.orders.get(line.text("ORDER"), ClientOrderId("")))
            leg_id = placed.command.leg_id if placed is not None else self._names.legs.get(line.text("INSTRUMENT"))
            if leg_id in self._stage.exchanged:
                to_do = "tell what its market does: `quote`, `trade`"
                raise BadStory(line.number, "a leg without `exchange`", f"{line.verb} of one", to_do)
        return self._messages[line.verb](line)

    def _deed_lost(self, line: Line) -> None:
        assert line.message is not None, line
        self._last_message = self._message(line.message)

    def _deed_late(self, line: Line) -> None:
        assert line.message is not None, line
        self._stage.deliver_later(self._message(line.message), line.duration_ns())

    def _deed_repeat(self, line: Line) -> None:
        if not self._last_message:
            raise BadStory(line.number, "a message to repeat", "none so far", "tell one before this line")
        for _ in range(line.count("TIMES") if line.has("TIMES") else 1):
            self._stage.deliver_now(self._last_message)

    def _deed_reads(self, line: Line) -> None:
        leg_id = self._names.leg(line)
        kinds = [ReadKind(line.text("READ"))] if line.has("READ") else list(ReadKind)
        for kind in kinds:
            self._stage.read_modes[(leg_id, kind)] = line.text("HOW")

    def _deed_leverage(self, line: Line) -> None:
        leg_id = self._names.leg(line)
        self._stage.leverages[leg_id] = line.amount("NUMBER")
        self._stage.leverage_refusals[leg_id] = line.text("TEXT") or ("no" if line.has("fixed") else "")

    def _deed_silent(self, line: Line) -> None:
        self._stage.silent.add(self._names.leg(line))

    def _deed_alive(self, line: Line) -> None:
        leg_id = self._names.leg(line)
        self._stage.silent.discard(leg_id)
        self._stage.sign_of_life(leg_id)

    def _deed_orphan(self, line: Line) -> None:
        leg_id = self._names.leg(line)
        # A sequence that this run will not reach: another copy of the engine, or a journal that was set back.
        key = OrderKey(
            self._stage.config.tag, self._stage.book.state.epoch, self._stage.book.state.order_seq + 1_000_000
        )
        order_id = encode_order_id(key)
        self._names.orders[line.text("NAME")] = order_id
        row = OpenOrder(
            VenueOrderId(f"v{self._stage.next_number()}"), side_of(line), line.amount("QTY"), ZERO, order_id
        )
        self._stage.orphans.setdefault(leg_id, []).append(row)

    def _deed_after(self, line: Line) -> None:
        duration_ns = line.duration_ns()
        if duration_ns > AFTER_NS_MAX:
            raise BadStory(line.number, "at most an hour", f"'{line.text('DURATION')}'", "use several lines")
        self._stage.advance(duration_ns)

    def _deed_retry_due(self, line: Line) -> None:
        due = [refusal.retry_ts_ns for refusal in self._stage.book.state.refusals.values()]
        waiting = [ts_ns for ts_ns in due if ts_ns > self._stage.now_ns]
        if not waiting:
            raise Unmet(line.number, "a refusal whose next try is due later", "none", "tell a `rejected` before it")
        self._stage.advance(min(waiting) - self._stage.now_ns)

    def _deed_operator(self, line: Line) -> None:
        action = Action(line.text("ACTION")) if line.has("ACTION") else Action.SIGNAL
        ago_ns = line.duration_ns() if line.has("DURATION") else 0
        self._last_message = [
            OperatorCommanded(
                self._stage.now_ns,
                action,
                line.text("WHO"),
                line.text("REQUEST"),
                line.has("accept_drift"),
                line.text("NAME"),
                self._stage.now_ns - ago_ns if action is Action.SIGNAL else 0,
            )
        ]
        for event in self._last_message:
            self._stage.deliver(event)

    def _deed_crash(self, line: Line) -> None:
        if not line.has("WHEN"):
            _ = self._stage.book
            self._stage.check_journal()
            self._stage.die()
            return
        crash = f"{line.text('WHEN')} {line.text('WHAT')}"
        points = ("before append", "after append", "between sends", "after send")
        if crash not in points:
            raise BadStory(line.number, f"one of: {', '.join(points)}", f"'{crash}'", "say where in the turn it dies")
        self._stage.crash = crash

    def _deed_restart(self, line: Line) -> None:
        self._stage.check_journal()
        self._stage.die()
        self._stage.start(halted=line.has("halted"))

    def _deed_config(self, line: Line) -> None:
        config = self._stage.config
        config = replace(config, params=config.params | {line.text("KEY"): line.text("TEXT").strip('"')})
        try:
            self._stage.reconfigure(config, make(config, checked=False))
        except BadParams as bad:
            error = bad.errors[0]
            got = f"{error.key}: {error.problem}"
            raise BadStory(line.number, f"a parameter that {config.policy} takes", got, error.help) from None

    def _deed_second_engine(self, line: Line) -> None:
        assert line.verb == "second_engine", line
        self._stage.start_second()

    def _deed_portfolio(self, line: Line) -> None:
        now_ns = self._stage.now_ns
        if line.has("TEXT"):
            self._stage.deliver(PortfolioSeen(now_ns, None, (line.text("TEXT"),)))
            return
        net = line.amount("NET") if line.has("NET") else ZERO
        others = (Exposure(line.text("CURRENCY"), net, ZERO, ZERO),) if line.has("CURRENCY") else ()
        self._stage.deliver(PortfolioSeen(now_ns, line.amount("NUMBER"), (), others, abs(net)))

    def _deed_journal_failed(self, line: Line) -> None:
        self._stage.deliver(JournalFailed(self._stage.now_ns, line.text("TEXT")))

    # Messages of venues: what is true from now on, and the events that tell of it.

    def _message_accepted(self, line: Line) -> list[Event]:
        placed = self._names.order(line)
        placed.is_shown = True
        return [OrderAccepted(self._stage.now_ns, placed.command.order_id, placed.venue_order_id)]

    def _message_rejected(self, line: Line) -> list[Event]:
        placed = self._names.order(line)
        placed.is_over = True
        wait_ns = line.duration_ns() if line.has("DURATION") else 0
        reject_class = RejectClass(line.text("CLASS"))
        order_id = placed.command.order_id
        return [
            OrderRejected(self._stage.now_ns, order_id, reject_class, line.text("CODE"), line.text("TEXT"), wait_ns)
        ]

    def _message_answered(self, line: Line) -> list[Event]:
        placed = self._names.order(line)
        if not line.text("CODE").lstrip("-").isdigit():
            raise BadStory(line.number, "the venue's code, a number", f"'{line.text('CODE')}'", "e.g. -2019")
        answer = Refused(line.count("HTTP"), line.count("CODE"), line.text("TEXT"))
        event = refusal(self._stage.now_ns, placed.command.order_id, answer)
        placed.is_over = isinstance(event, OrderRejected)
        return [event]

    def _message_unknown(self, line: Line) -> list[Event]:
        return [OrderUnknown(self._stage.now_ns, self._names.order(line).command.order_id, line.text("TEXT"))]

    def _message_not_found(self, line: Line) -> list[Event]:
        order_id = self._names.order(line).command.order_id
        return [OrderNotFound(self._stage.now_ns, order_id, self._stage.query_ts_ns.get(order_id, self._stage.now_ns))]

    def _message_query_failed(self, line: Line) -> list[Event]:
        return [OrderQueryFailed(self._stage.now_ns, self._names.order(line).command.order_id, line.text("TEXT"))]

    def _message_working(self, line: Line) -> list[Event]:
        placed = self._names.order(line)
        placed.is_shown = True
        return [self._report(placed, OrderStatus.OPEN, line)]

    def _message_canceled(self, line: Line) -> list[Event]:
        return [self._report(self._names.order(line), OrderStatus.CANCELED, line)]

    def _message_expired(self, line: Line) -> list[Event]:
        return [self._report(self._names.order(line), OrderStatus.EXPIRED, line)]

    def _message_done(self, line: Line) -> list[Event]:
        placed = self._names.order(line)
        event = self._report(placed, OrderStatus.FILLED, line)
        return [event if line.has("CUM") else replace(event, cum_qty=placed.command.qty)]

    def _report(self, placed: Placed, status: OrderStatus, line: Line) -> OrderReported:
        placed.is_over = status is not OrderStatus.OPEN
        cum = line.text("CUM")
        cum_qty = None if cum == "?" else Decimal(cum) if cum else placed.filled_qty
        return OrderReported(
            self._stage.now_ns,
            placed.command.order_id,
            status,
            cum_qty,
            placed.venue_order_id,
            line.text("TEXT"),
            line.text("CODE"),
        )

    def _message_cancel(self, line: Line) -> list[Event]:
        order_id = self._names.orders.get(line.text("ORDER"))
        outcome = CancelOutcome(line.text("OUTCOME"))
        if order_id is None:
            raise self._names.unknown(line)
        if outcome is CancelOutcome.ACCEPTED:
            for leg_id, rows in self._stage.orphans.items():
                self._stage.orphans[leg_id] = [row for row in rows if row.order_id != order_id]
        return [CancelAnswered(self._stage.now_ns, order_id, outcome, line.text("CODE"), line.text("TEXT"))]

    def _message_filled(self, line: Line) -> list[Event]:
        qty = line.amount("QTY")
        placed = self._names.order(line) if line.has("ORDER") else self._resting(line, qty)
        placed.filled_qty += qty
        placed.is_shown = True
        command = placed.command
        order_id = None if line.has("nameless") else command.order_id
        return [self._trade(line, command.leg_id, command.side, order_id, placed.venue_order_id)]

    def _message_foreign(self, line: Line) -> list[Event]:
        return [
            self._trade(
                line, self._names.leg(line), side_of(line), None, VenueOrderId(f"foreign{self._stage.next_number()}")
            )
        ]

    def _message_liquidated(self, line: Line) -> list[Event]:
        return [self._trade(line, self._names.leg(line), side_of(line), None, None, venue_made=True)]

    def _trade(
        self,
        line: Line,
        leg_id: LegId,
        side: Side,
        order_id: ClientOrderId | None,
        venue_order_id: VenueOrderId | None,
        *,
        venue_made: bool = False,
    ) -> FillReceived:
        leg = self._stage.config.leg(leg_id)
        fill = Fill(
            TradeId(line.text("TRADE") or f"t{self._stage.next_number()}"),
            leg.account_id,
            leg.instrument.id,
            side,
            line.amount("QTY"),
            line.amount("PRICE"),
            self._stage.now_ns,
            order_id,
            venue_order_id,
            line.amount("FEE") if line.has("FEE") else ZERO,
            line.text("CURRENCY") or leg.instrument.quote,
            line.has("maker"),
            venue_made,
        )
        self._stage.fills[leg_id].append(fill)
        return FillReceived(self._stage.now_ns, fill)

    def _resting(self, line: Line, qty: Decimal) -> Placed:
        """Return the order of that side that rests there, or one that an earlier turn of the journal sent."""
        leg_id, side = self._names.leg(line), side_of(line)
        for placed in self._stage.placed.values():
            command = placed.command
            if command.leg_id == leg_id and command.side is side and placed.leaves_qty >= qty:
                return placed
        book, engine = self._stage.book, self._stage.engine
        assert engine is not None, line
        order = SubmitOrder(
            encode_order_id(OrderKey(self._stage.config.tag, book.state.epoch, book.state.order_seq + 1)),
            leg_id,
            self._stage.config.leg(leg_id).instrument.id,
            side,
            qty,
            OrderType.LIMIT,
            Role.ENTRY if leg_id == LEAD else Role.HEDGE,
            line.amount("PRICE"),
        )
        turn = Turn(self._stage.config.book_id, self._stage.now_ns, TimeReached(self._stage.now_ns), (order,))
        engine.append(turn)
        fold(book, turn)
        return self._stage.place(order)

    def _message_open_orders(self, line: Line) -> list[Event]:
        leg_id = self._names.leg(line)
        names = line.text("ORDERS").split()
        rows: list[OpenOrder] = []
        for name in names if names != ["none"] else []:
            if name not in self._names.orders:
                raise self._names.unknown(line, name)
            placed = self._stage.placed[self._names.orders[name]]
            placed.is_shown = True
            rows.append(open_order(placed))
        return [OpenOrdersRead(self._stage.now_ns, leg_id, self._stage.now_ns, tuple(rows))]

    def _message_trades(self, line: Line) -> list[Event]:
        fills = () if line.has("none") else tuple(self._stage.fills[self._names.leg(line)])
        return [TradesRead(self._stage.now_ns, self._names.leg(line), self._stage.now_ns, fills)]

    def _message_position(self, line: Line) -> list[Event]:
        return [PositionRead(self._stage.now_ns, self._names.leg(line), self._stage.now_ns, line.amount("NET"))]

    def _message_read_failed(self, line: Line) -> list[Event]:
        return [ReadFailed(self._stage.now_ns, self._names.leg(line), ReadKind(line.text("READ")), line.text("TEXT"))]

    def _message_quote(self, line: Line) -> list[Event]:
        leg_id = self._names.leg(line)
        bids, slash, asks = line.text("LEVELS").partition("/")
        if not slash:
            raise BadStory(line.number, "`BIDS / ASKS`", f"'{line.text('LEVELS')}'", "put a `/` between bids and asks")
        return self._stage.set_quote(leg_id, levels(line.number, bids), levels(line.number, asks))

    def _message_trade(self, line: Line) -> list[Event]:
        exchanged = self._stage.exchanged.get(self._names.leg(line))
        if exchanged is None:
            to_do = "set it up with `exchange`, or tell a `filled`"
            raise BadStory(line.number, "a leg with `exchange`", f"'{line.text('INSTRUMENT')}'", to_do)
        now_ns = self._stage.now_ns
        traded = exchanged.trade(now_ns, side_of(line), line.amount("QTY"), line.amount("PRICE"))
        return [*traded, exchanged.shown(now_ns)]

    def _message_funding_rate(self, line: Line) -> list[Event]:
        next_ns = self._stage.now_ns + (line.duration_ns() if line.has("DURATION") else 3_600 * NS_PER_S)
        instrument_id = self._stage.config.leg(self._names.leg(line)).instrument.id
        rate = FundingRate(instrument_id, self._stage.now_ns, line.amount("RATE"), 28_800, next_ns)
        return [FundingRateReceived(self._stage.now_ns, rate)]

    def _message_funding_paid(self, line: Line) -> list[Event]:
        name = line.text("TRADE") or f"f{self._stage.next_number()}"
        return [FundingPaid(self._stage.now_ns, self._names.leg(line), name, line.amount("NET"))]

    def _message_borrow_rate(self, line: Line) -> list[Event]:
        rate = BorrowRate(line.text("CURRENCY"), self._stage.now_ns, line.amount("RATE"), 3_600)
        return [BorrowRateReceived(self._stage.now_ns, self._names.leg(line), rate)]

    def _message_interest(self, line: Line) -> list[Event]:
        name = line.text("TRADE") or f"i{self._stage.next_number()}"
        currency, amount = line.text("CURRENCY"), line.amount("FEE")
        return [InterestCharged(self._stage.now_ns, self._names.leg(line), name, currency, amount)]

    def _message_link_down(self, line: Line) -> list[Event]:
        return [LinkDown(self._stage.now_ns, self._names.leg(line), line.text("TEXT"))]

    def _message_link_up(self, line: Line) -> list[Event]:
        return [LinkUp(self._stage.now_ns, self._names.leg(line))]

    def _message_heartbeat(self, line: Line) -> list[Event]:
        return [Heartbeat(self._stage.now_ns, self._names.leg(line))]

    def _message_position_mode(self, line: Line) -> list[Event]:
        agrees = line.text("AGREES") == "agrees"
        return [PositionModeRead(self._stage.now_ns, self._names.leg(line), agrees, line.text("TEXT"))]

    def _message_filters(self, line: Line) -> list[Event]:
        leg_id = self._names.leg(line)
        instrument = filtered(self._stage.book.legs[leg_id].instrument, line)
        return [InstrumentChanged(self._stage.now_ns, instrument)]
