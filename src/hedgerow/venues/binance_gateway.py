"""The gateway to one instrument in one account at Binance: requests out, answers and frames in, as events.

It never raises for what the venue did, and never says 'rejected' without a proof.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from typing import assert_never

from hedgerow.core.commands import CancelOrder, CancelOrphan, QueryOrder, Read, SetLeverage, SubmitOrder
from hedgerow.core.events import (
    Event,
    FillReceived,
    FrameQuarantined,
    Heartbeat,
    InstrumentChanged,
    LinkDown,
    LinkUp,
    OrderRejected,
    PositionModeRead,
    ReadKind,
    RejectClass,
    TradesRead,
)
from hedgerow.model.ids import AccountId, LegId, TradeId
from hedgerow.model.instrument import Instrument
from hedgerow.venues.binance_account import BinanceAccount
from hedgerow.venues.binance_bookings import BinanceBookings
from hedgerow.venues.binance_market import BinanceMarket
from hedgerow.venues.binance_venue import FAILURES, NS_PER_S
from hedgerow.venues.gateway import Deliver, Request
from hedgerow.venues.transport.errands import Begun, Errands
from hedgerow.venues.transport.http import NotSent, Unanswered
from hedgerow.venues.transport.lanes import Throttled
from hedgerow.venues.wire.binance import answers
from hedgerow.venues.wire.binance.build import Requests
from hedgerow.venues.wire.binance.frames import (
    BalanceMoved,
    ConfigChanged,
    Frame,
    FundingBooked,
    LoanChanged,
    Odd,
    StreamEnded,
    Subscribed,
    SubscriptionRefused,
    told,
)
from hedgerow.venues.wire.binance.instruments import REFRESH_EVERY_S, UnknownSymbol
from hedgerow.venues.wire.binance.kinds import PERP_SUFFIX, NotTraded, Watch, product_of
from hedgerow.venues.wire.binance.routes import Endpoint, route_of
from hedgerow.venues.wire.binance.trades import TradesReading
from hedgerow.venues.wire.request import HttpAnswer, HttpRequest, Stamp

# A sign of life more often than this tells nobody more.
BEAT_NS = NS_PER_S // 2
# A trade that REST shows and that the stream, live all the while, has not told for so long: the stream is mute.
MUTE_NS = 5 * NS_PER_S
# Trades of the stream that are remembered to compare with; a read of trades shows the last seconds.
SEEN_MAX = 2_000
# A frame in the journal is for people; more of it tells nothing new.
FRAME_LEN_MAX = 4_000
# Refusals after which what was known of the instrument is read again at once: it may have changed.
STALE_FILTER = frozenset(
    {RejectClass.PRECISION, RejectClass.MINIMUM, RejectClass.MAXIMUM, RejectClass.PRICE_BAND, RejectClass.MARKET_CLOSED}
)
TIME_CODE = "-1021"

Order = SubmitOrder | CancelOrder | CancelOrphan | QueryOrder | SetLeverage
"What is asked with one request."


class BinanceGateway:
    """One account's instrument, for one leg."""

    def __init__(self, account: BinanceAccount) -> None:
        """Take the account, whose private stream is open, or being opened."""
        self.account_id: AccountId = account.account_id
        self._account = account
        self._venue = account.venue
        self._clock = account.venue.clock
        self._errands = Errands(self._clock)
        self._seen: dict[TradeId, None] = {}
        "Trades that the stream told."
        self._untold: dict[TradeId, int] = {}
        "Trades that a read showed and the stream has not told yet -> since when."
        self._beat_ns = 0
        self._refreshing = asyncio.Event()

    # The contract.

    def start(self, leg_id: LegId, instrument: Instrument, deliver: Deliver) -> None:
        """Begin to watch `instrument` for a leg."""
        product = product_of(self._account.kind, instrument.kind)
        symbol = instrument.id.partition(":")[2].removesuffix(PERP_SUFFIX)
        self._instrument = instrument
        self._watch = Watch(self.account_id, leg_id, instrument, symbol, product)
        self._requests = Requests(product, symbol, self._account.signer, instrument.base, borrows=product.is_margin)
        self._deliver_to = deliver
        self._bookings = BinanceBookings(self._venue, self._watch, self._requests, deliver)
        self._venue.keep_time(product)
        self._errands.begin(self._venue.http.keep_open(route_of(product, Endpoint.SUBMIT).host))
        self._account.join(self)
        if not self._account.is_live:
            self._deliver(LinkDown(self._clock.now_ns(), leg_id, self._account.detail))
        self._market = BinanceMarket(self._venue, self._watch, deliver)
        self._market.start()
        self._bookings.start()
        self._errands.begin(self._keep_instrument())

    def catch_up(self, since_ns: int) -> None:
        """Begin to tell what was booked without a trade since then."""
        self._bookings.catch_up(since_ns)

    def send(self, request: Request) -> None:
        """Take one request whose turn is durable, and return at once."""
        asked_ns = self._clock.now_ns()
        if isinstance(request, Read):
            work = Begun(partial(self._read, request, asked_ns))
        else:
            # What can leave leaves here: a task of its own begins after all else that the loop has to do.
            work = Begun(partial(self._answered, request, self._left(request), asked_ns))
        self._errands.begin(self._carry(request, work))

    async def stop(self) -> None:
        """End streams and pending requests. Nothing is canceled at the venue."""
        self._account.leave(self)
        await self._errands.end()
        await self._bookings.stop()
        await self._market.stop()

    def _deliver(self, event: Event) -> None:
        self._deliver_to(self._watch.leg_id, event)

    def _stamp(self) -> Stamp:
        return self._venue.stamp(self._watch.product)

    # Asking.

    async def _carry(self, request: Request, work: Begun[tuple[Event, ...]]) -> None:
        """Wait for what becomes of a request, and tell it."""
        now_ns = self._clock.now_ns
        try:
            events = await work
        except Throttled as error:
            events = (self._throttled(request, error),)
        except NotSent as error:
            events = (answers.not_sent(request, str(error), self._watch, now_ns()),)
        except Unanswered as error:
            events = (answers.unanswered(request, str(error), self._watch, now_ns()),)
        except NotTraded as error:
            assert isinstance(request, SubmitOrder), request
            events = (OrderRejected(now_ns(), request.order_id, RejectClass.OTHER, "", str(error)),)
        for event in events:
            self._look_at(event)
            self._deliver(event)

    def _left(self, request: Order) -> Begun[HttpAnswer]:
        """Let a request leave, now if it can, and return what waits for its answer, or raises why there is none."""
        try:
            return self._asked(request)
        except (NotSent, NotTraded) as error:
            return Begun(partial(_failed, error))

    def _asked(self, request: Order) -> Begun[HttpAnswer]:
        requests = self._requests
        match request:
            case SubmitOrder():
                return self._ask(lambda stamp: requests.submit(request, stamp))
            case CancelOrder():
                return self._ask(lambda stamp: requests.cancel(request.order_id, stamp))
            case CancelOrphan():
                return self._ask(lambda stamp: requests.cancel_venue_order(request.venue_order_id, stamp))
            case QueryOrder():
                return self._ask(lambda stamp: requests.query(request, stamp))
            case SetLeverage():
                return self._ask(lambda stamp: requests.set_leverage(request.leverage, stamp))
            case _:
                assert_never(request)

    async def _answered(self, request: Order, asked: Begun[HttpAnswer], asked_ns: int) -> tuple[Event, ...]:
        """Return what the answer says."""
        answer = await asked
        watch, now_ns = self._watch, self._clock.now_ns()
        match request:
            case SubmitOrder():
                return answers.submitted(request, answer, watch, now_ns)
            case CancelOrder() | CancelOrphan():
                return answers.canceled(request.order_id, answer, watch, now_ns)
            case QueryOrder():
                return answers.queried(request, answer, watch, asked_ns, now_ns)
            case SetLeverage():
                return (answers.leverage_answered(answer, watch, now_ns),)
            case _:
                assert_never(request)

    async def _read(self, read: Read, asked_ns: int) -> tuple[Event, ...]:
        watch, now_ns, requests = self._watch, self._clock.now_ns, self._requests
        match read.kind:
            case ReadKind.TRADES:
                reading = TradesReading(requests, watch, read.cursor, asked_ns, self._stamp().now_ms)
                while True:
                    result = reading.take(await self._ask(reading.request), now_ns())
                    if result is not None:
                        return (result,)
            case ReadKind.OPEN_ORDERS:
                return (answers.open_orders_read(await self._ask(requests.open_orders), watch, asked_ns, now_ns()),)
            case ReadKind.POSITION:
                # Interest grows what is owed: it is told before what it led to, or that would pass for drift.
                await self._bookings.tell_now()
                return (answers.position_read(await self._ask(requests.position), watch, asked_ns, now_ns()),)
            case ReadKind.BALANCES:
                return (answers.balances_read(await self._ask(requests.balances), watch, asked_ns, now_ns()),)
            case _:
                assert_never(read.kind)

    def _ask(self, build: Callable[[Stamp], HttpRequest]) -> Begun[HttpAnswer]:
        return self._venue.ask(lambda: build(self._stamp()))

    def _throttled(self, request: Request, error: Throttled) -> Event:
        """Nothing left, and the book learns for how long there is no room."""
        now_ns = self._clock.now_ns()
        if isinstance(request, SubmitOrder):
            return OrderRejected(now_ns, request.order_id, RejectClass.RATE_LIMITED, "", str(error), error.wait_ns)
        return answers.not_sent(request, str(error), self._watch, now_ns)

    def _look_at(self, event: Event) -> None:
        """Notice what an answer tells the gateway itself."""
        if isinstance(event, TradesRead):
            self._compare(event)
        elif isinstance(event, OrderRejected):
            if event.reject_class in STALE_FILTER:
                self._refreshing.set()
            elif event.reject_class is RejectClass.POSITION_MODE:
                self._deliver(PositionModeRead(self._clock.now_ns(), self._watch.leg_id, False, event.text))
            elif event.code == TIME_CODE:
                self._venue.offset(self._watch.product).forget()
                self._errands.begin(self._read_time())

    async def _read_time(self) -> None:
        try:
            await self._venue.read_time(self._watch.product)
        except FAILURES:
            # The venue is asked again in a few seconds anyway.
            return

    def _compare(self, read: TradesRead) -> None:
        """Find a stream that is open and tells nothing: the venue has trades that it should have told."""
        if not self._account.is_live:
            return
        offset_ns = self._venue.offset(self._watch.product).ns
        for fill in read.fills:
            is_its = fill.venue_ts_ns - offset_ns > self._account.live_since_ns
            if is_its and fill.trade_id not in self._seen:
                self._untold.setdefault(fill.trade_id, read.ts_ns)
        for trade_id, noticed_ns in self._untold.items():
            if read.ts_ns - noticed_ns >= MUTE_NS:
                self._account.reopen(f"it is open and has not told of trade {trade_id}")
                return

    # Hearing.

    def take_frame(self, frame: Frame, raw: bytes) -> None:
        """Take a frame of the account's private stream. Raises BadPayload when its numbers cannot be."""
        for each in told(frame, self._watch, self._clock.now_ns()):
            match each:
                case Odd():
                    self.take_bad_frame(raw, each.detail)
                case FundingBooked() | LoanChanged():
                    self._bookings.look()
                case ConfigChanged():
                    self._errands.begin(self._read_mode())
                case Subscribed() | SubscriptionRefused() | StreamEnded() | BalanceMoved():
                    # The first three are the account's, which has the stream; balances are read, not followed.
                    pass
                case _:
                    if isinstance(each, FillReceived):
                        self._saw(each.fill.trade_id)
                    self._deliver(each)

    def _saw(self, trade_id: TradeId) -> None:
        self._untold.pop(trade_id, None)
        self._seen[trade_id] = None
        if len(self._seen) > SEEN_MAX:
            del self._seen[next(iter(self._seen))]

    def take_bad_frame(self, raw: bytes, detail: str) -> None:
        """Keep a frame that could not be read; what it may have told is read by other ways."""
        text = raw[:FRAME_LEN_MAX].decode(errors="replace")
        self._deliver(FrameQuarantined(self._clock.now_ns(), self._watch.leg_id, detail, text))

    def heard(self) -> None:
        """Pass on that the private stream lives."""
        now_ns = self._clock.now_ns()
        if self._account.is_live and now_ns - self._beat_ns >= BEAT_NS:
            self._beat_ns = now_ns
            self._deliver(Heartbeat(now_ns, self._watch.leg_id))

    def up(self) -> None:
        """The private stream is live: the book reads now what was missed."""
        self._untold.clear()
        self._bookings.look()
        self._deliver(LinkUp(self._clock.now_ns(), self._watch.leg_id))

    def down(self, detail: str) -> None:
        """The private stream is lost."""
        self._deliver(LinkDown(self._clock.now_ns(), self._watch.leg_id, detail))

    # What is looked at again and again.

    async def _keep_instrument(self) -> None:
        """Read the filters every few minutes, and after a refusal that they explain."""
        while True:
            await _wait(self._refreshing, REFRESH_EVERY_S)
            try:
                listing = await self._venue.listing(self._watch.product, self._watch.symbol)
            except (*FAILURES, UnknownSymbol):
                continue
            if listing.instrument != self._instrument:
                self._instrument = listing.instrument
                self._deliver(InstrumentChanged(self._clock.now_ns(), listing.instrument))

    async def _read_mode(self) -> None:
        """Read back what somebody changed: the position mode."""
        if not self._watch.product.is_futures:
            return
        try:
            is_hedge = answers.is_hedge_mode(await self._ask(self._requests.position_mode))
        except FAILURES:
            return
        detail = "the account keeps long and short apart: set it to one-way mode" if is_hedge else ""
        self._deliver(PositionModeRead(self._clock.now_ns(), self._watch.leg_id, not is_hedge, detail))


async def _failed(error: Exception) -> HttpAnswer:
    raise error


async def _wait(event: asyncio.Event, wait_s: float) -> None:
    """Wait so long, or until the event is set; then it is not any more."""
    # Not `wait_for`, which may swallow a cancel that comes together with what it waits for.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(wait_s):
            await event.wait()
    event.clear()
