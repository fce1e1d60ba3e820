"""The gateway to one instrument at an exchange behind ccxt: a second-class one, that asks where others listen.

It never says 'rejected' without a proof. There is no private stream: what a venue does not tell when it is asked, and
what ccxt makes of it, bounds what this gateway can promise (docs/guides/ccxt.md).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from decimal import Decimal
from typing import assert_never

import msgspec

from hedgerow.core.commands import CancelOrder, CancelOrphan, QueryOrder, Read, SetLeverage, SubmitOrder
from hedgerow.core.events import (
    BalancesRead,
    CancelAnswered,
    CancelOutcome,
    Event,
    FillReceived,
    Heartbeat,
    InstrumentChanged,
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
from hedgerow.model.ids import AccountId, ClientOrderId, LegId, VenueOrderId, decode_order_id
from hedgerow.model.instrument import Instrument, InstrumentKind
from hedgerow.model.numbers import ZERO
from hedgerow.model.order import Fill, OrderStatus, OrderType, Role, TimeInForce
from hedgerow.venues.ccxt_account import CcxtAccount, Done, Failed
from hedgerow.venues.ccxt_funding import CcxtFunding
from hedgerow.venues.ccxt_trades import Reading, read_trades
from hedgerow.venues.gateway import Deliver, Request
from hedgerow.venues.outcomes import Proof
from hedgerow.venues.transport.errands import Errands
from hedgerow.venues.transport.http import NotSent, Unanswered
from hedgerow.venues.transport.lanes import Throttled
from hedgerow.venues.wire.ccxt import names
from hedgerow.venues.wire.ccxt.outcomes import is_not_found, of_cancel, of_submit
from hedgerow.venues.wire.ccxt.rows import (
    Market,
    OrderRow,
    Row,
    balances_of,
    fill_of,
    held_of,
    leverage_of,
    order_of,
    pair_of,
    quote_of,
)
from hedgerow.venues.wire.payload import BadPayload
from hedgerow.venues.wire.request import Lane

NS_PER_S, NS_PER_MS = 1_000_000_000, 1_000_000
FAILURES = (Failed, NotSent, Unanswered, BadPayload)
LANES = {Role.ENTRY: Lane.ENTRY, Role.HEDGE: Lane.HEDGE, Role.EXIT: Lane.EXIT}
# Names of orders that are remembered to know trades by; older ones are known by the book, or asked for.
NAMES_MAX = 5_000
LEVELS = 20
REFRESH_EVERY_S = 3_600
# The ways to ask for orders that ended, best first; only what ccxt does not put together from others.
ENDED = (
    ("fetchOrders", "fetch_orders"),
    ("fetchCanceledAndClosedOrders", "fetch_canceled_and_closed_orders"),
    ("fetchClosedOrders", "fetch_closed_orders"),
)


class Cadence(msgspec.Struct, frozen=True):
    """How often is asked what nobody tells."""

    ask_s: float = 1
    "The account's open orders."
    quote_s: float = 1
    share: float = 0.4
    "Of the budget that ccxt names, what asking may use; prices use half as much."
    wait_s_max: float = 4
    "Longest wait, however scarce the budget: what is older than that hedges nothing."
    silent_s: float = 8
    "Without an answer for so long, nobody would hear of a fill: the link is down."
    funding_s: float = 600


CADENCE = Cadence()


class _Known(msgspec.Struct):
    """One order of ours that may be alive."""

    venue_order_id: VenueOrderId
    cum_qty: Decimal = ZERO
    is_missing: bool = False
    "It is in no list, and the exchange knows no such order. The book was shown that, and asks by itself from now on."


class CcxtGateway:
    """One account's instrument, for one leg."""

    def __init__(self, account: CcxtAccount, cadence: Cadence = CADENCE) -> None:
        """Take the account, whose markets were read."""
        self.account_id: AccountId = account.account_id
        self._account = account
        self._cadence = cadence
        self._clock = account.clock
        self._errands = Errands(self._clock)
        self._alive: dict[ClientOrderId, _Known] = {}
        self._names: dict[VenueOrderId, ClientOrderId] = {}
        self._look = asyncio.Event()
        "Set when there is something to be seen."
        self._is_news = True
        "Whether trades are to be read, and not only orders."
        self._cursor = ""
        self._is_up = True
        self._heard_ns = 0

    # The contract.

    def start(self, leg_id: LegId, instrument: Instrument, deliver: Deliver) -> None:
        """Begin to watch `instrument` for a leg."""
        self._leg_id = leg_id
        self._market: Market = self._account.market(pair_of(instrument))
        self._deliver_to = deliver
        self._account.legs += 1
        self._heard_ns = self._clock.now_ns()
        # What was traded before is for the book's own reads.
        self._cursor = str(self._heard_ns // NS_PER_MS)
        self._funding = CcxtFunding(self._account, self._market, leg_id, deliver, self._cadence.funding_s)
        self._errands.begin(self._keep_asking())
        self._errands.begin(self._keep_quoting())
        self._errands.begin(self._keep_instrument())

    def catch_up(self, since_ns: int) -> None:
        """Begin to tell what was booked without a trade since then."""
        self._funding.catch_up(since_ns)

    def send(self, request: Request) -> None:
        """Take one request whose turn is durable, and return at once."""
        self._errands.begin(self._carry(request))

    async def stop(self) -> None:
        """End what is asked. Nothing is canceled at the venue."""
        self._account.legs -= 1
        await self._errands.end()
        await self._funding.stop()

    def _deliver(self, event: Event) -> None:
        self._deliver_to(self._leg_id, event)

    # Requests.

    async def _carry(self, request: Request) -> None:
        match request:
            case SubmitOrder():
                await self._submit(request)
            case CancelOrder() | CancelOrphan():
                await self._cancel(request)
            case QueryOrder():
                await self._query(request)
            case SetLeverage():
                await self._set_leverage(request)
            case Read():
                await self._read(request)
            case _:
                assert_never(request)

    async def _submit(self, order: SubmitOrder) -> None:
        now_ns = self._clock.now_ns
        try:
            params = self._params(order)
            amount = f"{self._market.contracts(order.qty):f}"
            price = None if order.limit_price is None else f"{order.limit_price:f}"
            kind, side = order.type.value, order.side.value
            symbol = self._market.symbol
            row = self._row(
                await self._account.ask(
                    LANES[order.role],
                    lambda client: client.create_order(symbol, kind, side, amount, price, params),
                )
            )
            if row.order_id not in (None, order.order_id):
                raise BadPayload(f"the answer is of order {row.order_id}, not of {order.order_id}")
        except names.NameTooLong as error:
            self._deliver(OrderRejected(now_ns(), order.order_id, RejectClass.NOT_SENT, "", str(error)))
        except Throttled as error:
            rate_limited = RejectClass.RATE_LIMITED
            self._deliver(OrderRejected(now_ns(), order.order_id, rate_limited, "", str(error), error.wait_ns))
        except NotSent as error:
            self._deliver(OrderRejected(now_ns(), order.order_id, RejectClass.NOT_SENT, "", str(error)))
        except Failed as error:
            self._deliver(self._not_accepted(order, error))
        except (Unanswered, BadPayload) as error:
            self._deliver(OrderUnknown(now_ns(), order.order_id, str(error)))
        else:
            self._know(order.order_id, row.venue_order_id)
            self._deliver(OrderAccepted(now_ns(), order.order_id, row.venue_order_id))
            if row.cum_qty or row.status not in (None, OrderStatus.OPEN):
                self._tell(order.order_id, row)
        self._look_soon()

    def _params(self, order: SubmitOrder) -> dict[str, object]:
        params: dict[str, object] = {"clientOrderId": names.written(self._account.naming, order.order_id)}
        if order.post_only:
            params["postOnly"] = True
        if order.reduce_only:
            params["reduceOnly"] = True
        if order.type is OrderType.LIMIT and not order.post_only:
            # A day's order is a broker's; here it stands until it is canceled.
            is_given = order.time_in_force in (TimeInForce.IOC, TimeInForce.FOK)
            params |= {"timeInForce": order.time_in_force.name} if is_given else {}
        return params

    def _not_accepted(self, order: SubmitOrder, failed: Failed) -> Event:
        now_ns = self._clock.now_ns()
        outcome = of_submit(failed.classes, failed.left, post_only=order.post_only)
        if outcome.reject_class is None:
            words = "exists already: " if outcome.proof is Proof.EXISTS else ""
            return OrderUnknown(now_ns, order.order_id, f"{words}{failed}")
        return OrderRejected(now_ns, order.order_id, outcome.reject_class, failed.classes[0], str(failed))

    async def _cancel(self, request: CancelOrder | CancelOrphan) -> None:
        now_ns, order_id = self._clock.now_ns, request.order_id
        outcome, code, text = CancelOutcome.ACCEPTED, "", ""
        try:
            venue_order_id = await self._named(request)
            if venue_order_id is None:
                outcome, text = CancelOutcome.GONE, "it is not among the open orders"
            else:
                symbol = self._market.symbol
                await self._account.ask(Lane.CANCEL, lambda client: client.cancel_order(venue_order_id, symbol))
        except Failed as error:
            outcome, code, text = of_cancel(error.classes, error.left), error.classes[0], str(error)
        except NotSent as error:
            outcome, text = CancelOutcome.REFUSED, str(error)
        except (Unanswered, BadPayload) as error:
            outcome, text = CancelOutcome.UNKNOWN, str(error)
        self._deliver(CancelAnswered(now_ns(), order_id, outcome, code, text))
        self._look_soon()

    async def _named(self, request: CancelOrder | CancelOrphan) -> VenueOrderId | None:
        """Return the venue's name of an order that is to be canceled; None when it is not open."""
        if isinstance(request, CancelOrphan):
            return request.venue_order_id
        known = self._alive.get(request.order_id)
        if known is not None:
            return known.venue_order_id
        rows = await self._open_orders(Lane.CANCEL)
        return next((row.venue_order_id for row in rows if row.order_id == request.order_id), None)

    async def _query(self, query: QueryOrder) -> None:
        asked_ns = self._clock.now_ns()
        try:
            row = await self._found(query)
        except FAILURES as error:
            if isinstance(error, Failed) and is_not_found(error.classes, error.left):
                self._deliver(OrderNotFound(self._clock.now_ns(), query.order_id, asked_ns))
            else:
                self._deliver(OrderQueryFailed(self._clock.now_ns(), query.order_id, str(error)))
            return
        if row is None:
            self._deliver(OrderNotFound(self._clock.now_ns(), query.order_id, asked_ns))
        elif row.status is None:
            self._deliver(OrderQueryFailed(self._clock.now_ns(), query.order_id, "it has a status that is not known"))
        else:
            order_id = row.order_id or query.order_id
            if row.status is OrderStatus.OPEN and decode_order_id(order_id) is not None:
                self._know(order_id, row.venue_order_id)
            self._tell(order_id, row)

    async def _found(self, query: QueryOrder) -> OrderRow | None:
        """Return an order by the venue's name where that is known, or out of the lists of orders by ours."""
        known = self._alive.get(query.order_id)
        venue_order_id = query.venue_order_id if known is None else known.venue_order_id
        if venue_order_id is not None:
            return await self._order(venue_order_id, query.order_id)
        ended = next((name for method, name in ENDED if self._account.can(method)), None)
        if ended is None:
            raise BadPayload(f"ccxt cannot list the orders of {self._account.exchange}")
        symbol = self._market.symbol
        rows = await self._open_orders(Lane.QUERY)
        done = await self._account.ask(Lane.QUERY, lambda client: getattr(client, ended)(symbol))
        rows = [*rows, *self._rows(done)]
        return next((row for row in rows if row.order_id == query.order_id), None)

    async def _order(self, venue_order_id: VenueOrderId, order_id: ClientOrderId) -> OrderRow:
        symbol = self._market.symbol
        row = self._row(await self._account.ask(Lane.QUERY, lambda client: client.fetch_order(venue_order_id, symbol)))
        if row.venue_order_id != venue_order_id or (order_id and row.order_id not in (None, order_id)):
            raise BadPayload(f"asked for {venue_order_id}, told of {row.venue_order_id}")
        return row

    async def _set_leverage(self, request: SetLeverage) -> None:
        refusal, symbol = "", self._market.symbol
        leverage = int(request.leverage) if request.leverage == int(request.leverage) else f"{request.leverage:f}"
        try:
            await self._account.ask(Lane.QUERY, lambda client: client.set_leverage(leverage, symbol))
        except FAILURES as error:
            refusal = str(error)
        self._deliver(LeverageAnswered(self._clock.now_ns(), self._leg_id, refusal))

    # Reads.

    async def _read(self, read: Read) -> None:
        asked_ns = self._clock.now_ns()
        try:
            event = await self._answer(read, asked_ns)
        except FAILURES as error:
            event = ReadFailed(self._clock.now_ns(), self._leg_id, read.kind, str(error))
        self._deliver(event)

    async def _answer(self, read: Read, asked_ns: int) -> Event:
        leg_id, now_ns = self._leg_id, self._clock.now_ns
        match read.kind:
            case ReadKind.TRADES:
                reading = await self._trades(read.cursor)
                return TradesRead(now_ns(), leg_id, asked_ns, reading.fills, reading.cursor)
            case ReadKind.OPEN_ORDERS:
                rows = await self._open_orders(Lane.QUERY)
                return OpenOrdersRead(now_ns(), leg_id, asked_ns, tuple(_open_order(row) for row in rows))
            case ReadKind.POSITION:
                return await self._position(asked_ns)
            case ReadKind.BALANCES:
                done = await self._account.ask(Lane.QUERY, lambda client: client.fetch_balance())
                return BalancesRead(now_ns(), leg_id, asked_ns, balances_of(_dict(done)))
            case _:
                assert_never(read.kind)

    async def _open_orders(self, lane: Lane) -> list[OrderRow]:
        symbol = self._market.symbol
        return self._rows(await self._account.ask(lane, lambda client: client.fetch_open_orders(symbol)))

    async def _trades(self, cursor: str) -> Reading:
        symbol = self._market.symbol

        async def page(since_ms: int) -> Sequence[Row]:
            done = await self._account.ask(Lane.QUERY, lambda client: client.fetch_my_trades(symbol, since_ms))
            return [row for row in _list(done) if row.get("symbol") == symbol]

        return await read_trades(page, self._fill, cursor, self._clock.now_ns() // NS_PER_MS)

    def _fill(self, row: Row) -> Fill:
        fill = fill_of(row, self._market, self.account_id, self._account.name_of)
        order_id = None if fill.venue_order_id is None else self._names.get(fill.venue_order_id)
        return fill if order_id is None else msgspec.structs.replace(fill, order_id=order_id)

    async def _position(self, asked_ns: int) -> Event:
        """Read what is held. Exchanges leave out what is zero, and lagging ones what is not: twice absent is zero."""
        if self._market.instrument.kind is InstrumentKind.PERP:
            return await self._held(asked_ns)
        base = self._market.instrument.base
        for _ in range(2):
            done = await self._account.ask(Lane.QUERY, lambda client: client.fetch_balance())
            rows = {row.currency: row for row in balances_of(_dict(done))}
            if base in rows:
                row = rows[base]
                return PositionRead(self._clock.now_ns(), self._leg_id, asked_ns, row.net, available=row.available)
        if not rows:
            raise BadPayload("a balance without any currency")
        return PositionRead(self._clock.now_ns(), self._leg_id, asked_ns, ZERO, available=ZERO)

    async def _held(self, asked_ns: int) -> Event:
        symbol = self._market.symbol
        held = None
        for _ in range(2):
            done = await self._account.ask(Lane.QUERY, lambda client: client.fetch_positions([symbol]))
            held = held_of(_list(done), self._market)
            if held is not None:
                break
        net_qty, price, leverage = held or (ZERO, None, None)
        if leverage is None and self._account.can("fetchLeverage"):
            with contextlib.suppress(Failed, BadPayload):
                done = await self._account.ask(Lane.QUERY, lambda client: client.fetch_leverage(symbol))
                leverage = leverage_of(_dict(done))
        return PositionRead(self._clock.now_ns(), self._leg_id, asked_ns, net_qty, price, leverage=leverage)

    def _row(self, done: Done) -> OrderRow:
        return order_of(_dict(done), self._market, self._account.name_of)

    def _rows(self, done: Done) -> list[OrderRow]:
        symbol = self._market.symbol
        rows = [row for row in _list(done) if row.get("symbol") == symbol]
        return [order_of(row, self._market, self._account.name_of) for row in rows]

    # What is told of orders.

    def _know(self, order_id: ClientOrderId, venue_order_id: VenueOrderId) -> None:
        self._alive.setdefault(order_id, _Known(venue_order_id)).is_missing = False
        self._names[venue_order_id] = order_id
        if len(self._names) > NAMES_MAX:
            del self._names[next(iter(self._names))]

    def _tell(self, order_id: ClientOrderId, row: OrderRow) -> None:
        assert row.status is not None, row
        if row.cum_qty:
            self._is_news = True
        if row.status is not OrderStatus.OPEN:
            self._alive.pop(order_id, None)
        self._deliver(
            OrderReported(
                self._clock.now_ns(), order_id, row.status, row.cum_qty, row.venue_order_id, leg_id=self._leg_id
            )
        )

    def _look_soon(self) -> None:
        self._is_news = True
        self._look.set()

    # What is asked again and again.

    async def _keep_asking(self) -> None:
        """Ask for open orders, and for trades when there may be some: what a private stream would have told."""
        while True:
            began_ns = self._clock.now_ns()
            cost_ms = 0
            try:
                cost_ms = await self._asked()
            except FAILURES as error:
                self._lost(str(error))
            else:
                self._heard(began_ns)
            await self._pause(self._look, self._cadence.ask_s, cost_ms, self._cadence.share)

    async def _asked(self) -> int:
        before = {name: known.venue_order_id for name, known in self._alive.items() if not known.is_missing}
        symbol, asked_ns = self._market.symbol, self._clock.now_ns()
        done = await self._account.ask(Lane.QUERY, lambda client: client.fetch_open_orders(symbol))
        rows = self._rows(done)
        for row in rows:
            if row.order_id is not None and decode_order_id(row.order_id) is not None:
                self._know(row.order_id, row.venue_order_id)
                known = self._alive[row.order_id]
                if row.cum_qty is not None and row.cum_qty > known.cum_qty:
                    known.cum_qty = row.cum_qty
                    self._is_news = True
        open_ids = {row.venue_order_id for row in rows}
        gone = {order_id: name for order_id, name in before.items() if name not in open_ids}
        if self._is_news or gone:
            self._is_news = bool(gone)
            await self._tell_trades()
        missing: list[ClientOrderId] = []
        for order_id, venue_order_id in gone.items():
            # What is in no list may also be late in it: only the order itself says that it ended.
            try:
                row = await self._order(venue_order_id, order_id)
            except Failed as error:
                if not is_not_found(error.classes, error.left):
                    raise
                missing.append(order_id)
            else:
                if row.status is not None and row.status is not OrderStatus.OPEN:
                    self._tell(order_id, row)
        if missing:
            # Not found is not ended. The book asks for what it misses in a list, and needs more than one such answer.
            listed = tuple(_open_order(row) for row in rows)
            self._deliver(OpenOrdersRead(self._clock.now_ns(), self._leg_id, asked_ns, listed))
            for order_id in missing:
                if order_id in self._alive:
                    self._alive[order_id].is_missing = True
        return done.cost_ms

    async def _tell_trades(self) -> None:
        reading = await self._trades(self._cursor)
        self._cursor = reading.cursor
        for fill in reading.fills:
            self._deliver(FillReceived(self._clock.now_ns(), fill))

    def _heard(self, asked_ns: int) -> None:
        now_ns = self._clock.now_ns()
        self._heard_ns = asked_ns
        if not self._is_up:
            self._is_up = True
            self._funding.look()
            # What happened meanwhile is read by the book as well.
            self._deliver(LinkUp(now_ns, self._leg_id))
        self._deliver(Heartbeat(now_ns, self._leg_id))

    def _lost(self, detail: str) -> None:
        now_ns = self._clock.now_ns()
        self._is_news = True
        if self._is_up and now_ns - self._heard_ns > self._cadence.silent_s * NS_PER_S:
            self._is_up = False
            self._deliver(LinkDown(now_ns, self._leg_id, f"the account does not answer: {detail}"))

    async def _keep_quoting(self) -> None:
        never, symbol = asyncio.Event(), self._market.symbol
        while True:
            cost_ms = 0
            # No price is an old price, and the book knows how old one may be.
            with contextlib.suppress(*FAILURES):
                done = await self._account.ask(Lane.QUERY, lambda client: client.fetch_order_book(symbol, LEVELS))
                cost_ms = done.cost_ms
                quote = quote_of(_dict(done), self._market, self._clock.now_ns(), LEVELS)
                self._deliver(QuoteReceived(quote.ts_ns, quote))
            await self._pause(never, self._cadence.quote_s, cost_ms, self._cadence.share / 2)

    async def _pause(self, early: asyncio.Event, wait_s: float, cost_ms: int, share: float) -> None:
        """Wait until it is time again, or until there is something to see; by what asking costs, for all legs."""
        cost_s = cost_ms / 1_000 / share * self._account.legs
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(max(wait_s, cost_s), self._cadence.wait_s_max)):
                await early.wait()
        early.clear()

    async def _keep_instrument(self) -> None:
        """Read every hour what can be traded: the rules of an instrument change."""
        while True:
            await asyncio.sleep(REFRESH_EVERY_S)
            with contextlib.suppress(*FAILURES):
                await self._account.open()
                market = self._account.market(pair_of(self._market.instrument))
                if market.instrument != self._market.instrument:
                    self._market = market
                    self._deliver(InstrumentChanged(self._clock.now_ns(), market.instrument))


def _open_order(row: OrderRow) -> OpenOrder:
    if row.side is None or row.qty is None or row.cum_qty is None:
        raise BadPayload(f"open order {row.venue_order_id} has no side or no qty")
    return OpenOrder(row.venue_order_id, row.side, row.qty, row.cum_qty, row.order_id)


def _dict(done: Done) -> Row:
    if not isinstance(done.result, dict):
        raise BadPayload(f"told of {type(done.result).__name__}, not of one thing")
    return done.result


def _list(done: Done) -> list[Row]:
    if not isinstance(done.result, list):
        raise BadPayload(f"told of {type(done.result).__name__}, not of several things")
    return done.result
