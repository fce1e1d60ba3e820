"""Two simulated venues and one book in virtual time: the work that the benchmarks share.

The lead leg rests an order on each entry side. One trade of the market fills one piece of it, and the book answers that
lead fill with a market order on the other venue, which fills. Every report and every answer of both venues is
delivered, reads included, and the book's timer is honoured as a loop does it: when the inbox is empty.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from decimal import Decimal

from hedgerow.core.book import Book
from hedgerow.core.commands import REQUESTS, Command, Read, SubmitOrder, Turn
from hedgerow.core.config import BookConfig, HedgeRule, LegConfig, Limits
from hedgerow.core.events import (
    Balance,
    BalancesRead,
    BookStarted,
    Event,
    FillReceived,
    OpenOrder,
    OpenOrdersRead,
    OrderAccepted,
    OrderReported,
    PositionRead,
    QuoteReceived,
    ReadKind,
    TimeReached,
    TradesRead,
)
from hedgerow.core.step import empty_book, next_due_ns, step
from hedgerow.core.target import NetTarget, Resting, Taking, Target
from hedgerow.market.answers import Accepted, OrderReport, OrderRequest, Report, TradeReport
from hedgerow.market.exchange import SimExchange
from hedgerow.market.fees import Fees
from hedgerow.market.rules import VenueRules
from hedgerow.model.ids import AccountId, BookId, ClientOrderId, InstrumentId, LegId, TradeId, VenueId, VenueOrderId
from hedgerow.model.instrument import Instrument, InstrumentKind
from hedgerow.model.numbers import ZERO
from hedgerow.model.order import Fill, Role, Side

LEAD, HEDGE = LegId("lead"), LegId("hedge")
START_NS = 1_700_000_000_000_000_000
NS_PER_S = 1_000_000_000
QTY = Decimal("0.010")
"What one lead fill trades, base units."
FILLS_PER_ORDER = 100
"Lead fills of one resting order, before the next one is submitted."
# 20 lead fills a second of virtual time: the market is busy all day, and each read of trades still finds its orders.
FILL_SPACING_NS = NS_PER_S // 20
# A quote of both legs a second: prices stay fresh, and entries allowed.
FILLS_PER_QUOTE = 20
LAG_MS = 2_000
"For how long the venues may take an order, or hide one: what a node expects of a simulated venue."
OWN_PRICE = {Side.BUY: Decimal("100.0"), Side.SELL: Decimal("100.1")}
"Where the lead leg rests: one tick inside of what the market shows, so that nothing is ahead of it."
MARKET_LEVELS = ((Decimal("99.9"), Decimal(10**9)),), ((Decimal("100.2"), Decimal(10**9)),)
"(bids, asks) of both venues, deep enough for every hedge."
# Venues forget what ended long ago, so that what grows is what the book keeps.
HISTORY_MAX = 1_000
ONE_SIDED = (Side.BUY,)
ALTERNATING = (Side.BUY, Side.SELL)
SHAPES = {"one_sided": ONE_SIDED, "alternating": ALTERNATING}

TakeTurn = Callable[[Turn], object]


class Quoting:
    """The smallest policy that hedges: a resting order on each given side of the lead leg, the hedge leg by market."""

    def __init__(self, sides: tuple[Side, ...], qty: Decimal) -> None:
        self._resting = tuple(Resting(side.value, LEAD, side, qty, OWN_PRICE[side], Role.ENTRY) for side in sides)
        self._taking = Taking()

    def target(self, book: Book) -> Target:
        return Target((NetTarget(HEDGE, book.hedge_target(), self._taking, Role.HEDGE),), self._resting)


def book_config(book_id: str = "bench") -> BookConfig:
    """Return the config of a book whose hedge leg takes the opposite of what the lead leg holds."""
    legs = tuple(
        LegConfig(leg_id, AccountId(f"{leg_id}/main"), _instrument(leg_id), lease_ms=LAG_MS, visibility_ms=LAG_MS)
        for leg_id in (LEAD, HEDGE)
    )
    limits = Limits(orders_per_s=1_000)
    return BookConfig(BookId(book_id), book_id, "bench", {}, legs, HedgeRule(LEAD, HEDGE, Decimal(-1)), limits)


def _instrument(name: str) -> Instrument:
    return Instrument(
        InstrumentId(f"{name}:BTC-USD"),
        VenueId(name),
        InstrumentKind.PERP,
        "BTC",
        "USD",
        tick=Decimal("0.1"),
        step=Decimal("0.001"),
        min_qty=Decimal("0.001"),
        min_notional=Decimal("0.1"),
    )


def keep_no_turn(turn: Turn) -> None:
    """Take a turn and forget it: a world without a journal."""


class World:
    """One book between two venues. Requests leave at once; `take_turn` sees each turn before its requests leave."""

    def __init__(self, sides: tuple[Side, ...], take_turn: TakeTurn, fills_per_order: int = FILLS_PER_ORDER) -> None:
        config = book_config()
        self._sides = sides
        self._trades = tuple((OWN_PRICE[side], side.opposite) for side in sides)
        self._take_turn = take_turn
        self._fills_per_quote = min(FILLS_PER_QUOTE, fills_per_order)
        self.book = empty_book(config, Quoting(sides, QTY * fills_per_order))
        self.now_ns = START_NS
        self.fills = 0
        "Lead fills so far."
        self.turns = 0
        self.events = 0
        self._inbox: deque[Event] = deque()
        self._venues = {leg.id: _venue(leg) for leg in config.legs}
        self._lead_id = config.leg(LEAD).instrument.id
        self._inbox.append(BookStarted(self.now_ns, 1, config))
        self._quote()
        self._settle()
        # The book plans again once everything was read; its orders then stand.
        self._pass_time(self.now_ns + NS_PER_S)

    def run(self, fills: int) -> None:
        """Let the market fill the lead leg `fills` times, and everything follow."""
        for _ in range(fills):
            self._trade()
            self._hear(LEAD)
            self._settle()

    def trade(self) -> list[Event]:
        """Let the market fill the lead leg once, and return what the venue reports of it, not yet taken."""
        self._trade()
        self._hear(LEAD)
        events = list(self._inbox)
        self._inbox.clear()
        return events

    def settle(self, events: list[Event]) -> None:
        """Take events, and all that follows from them."""
        self._inbox.extend(events)
        self._settle()

    def send(self, command: Command) -> None:
        """Carry a request to its venue; its answer waits in the inbox. Notes go nowhere."""
        if type(command) is SubmitOrder:
            self._submit(command)
        elif type(command) is Read:
            self._inbox.append(self._read(command))
        else:
            assert type(command) not in REQUESTS, command

    def check(self) -> None:
        """Assert that every lead fill was hedged, in full, and once."""
        book, fills = self.book, self.fills
        lead, hedge = book.ledger(LEAD), book.ledger(HEDGE)
        assert lead.fills == hedge.fills == fills, (lead.fills, hedge.fills, fills)
        assert book.residual == 0, book.residual
        assert lead.position.net_qty == (QTY * fills if len(self._sides) == 1 else QTY * (fills % 2)), lead.position
        leg = book.legs[HEDGE]
        at_venue = self._venues[HEDGE].positions(leg.account_id)[leg.instrument.id]
        assert at_venue == hedge.position.net_qty, (at_venue, hedge.position)
        assert not book.state.alarms, book.state.alarms
        assert not book.state.holds, book.state.holds

    def _trade(self) -> None:
        self._pass_time(self.now_ns + FILL_SPACING_NS)
        if self.fills % self._fills_per_quote == 0:
            self._quote()
            self._settle()
        price, aggressor = self._trades[self.fills % len(self._trades)]
        self._venues[LEAD].trade(self.now_ns, self._lead_id, price, QTY, aggressor)
        self.fills += 1

    def _pass_time(self, until_ns: int) -> None:
        while (due_ns := next_due_ns(self.book)) is not None and due_ns <= until_ns:
            self.now_ns = due_ns
            self._inbox.append(TimeReached(due_ns))
            self._settle()
        self.now_ns = until_ns

    def _quote(self) -> None:
        for leg_id, venue in self._venues.items():
            venue.advance(self.now_ns)
            self._inbox.append(QuoteReceived(self.now_ns, venue.quote(self.book.legs[leg_id].instrument.id)))
            self._hear(leg_id)

    def _hear(self, leg_id: LegId) -> None:
        """Take what a venue reports into the inbox."""
        for account_id, report in self._venues[leg_id].drain():
            self._inbox.append(self._event(account_id, report))

    def _settle(self) -> None:
        """Step until the inbox is empty."""
        inbox, book = self._inbox, self.book
        while inbox:
            stepped = step(book, inbox.popleft())
            self.events += 1
            if stepped.turn is not None:
                self.turns += 1
                self._take_turn(stepped.turn)
            for command in stepped.commands:
                self.send(command)

    def _submit(self, order: SubmitOrder) -> None:
        request = OrderRequest(
            order.order_id,
            order.instrument_id,
            order.side,
            order.qty,
            order.type,
            order.limit_price,
            order.time_in_force,
            order.post_only,
            order.reduce_only,
        )
        account_id = self.book.legs[order.leg_id].account_id
        answer = self._venues[order.leg_id].submit(self.now_ns, account_id, request)
        assert isinstance(answer, Accepted), answer
        self._inbox.append(OrderAccepted(self.now_ns, order.order_id, VenueOrderId(answer.venue_order_id)))
        self._hear(order.leg_id)

    def _event(self, account_id: AccountId, report: Report) -> Event:
        if type(report) is TradeReport:
            return FillReceived(self.now_ns, _fill(account_id, report))
        assert type(report) is OrderReport, report
        return OrderReported(
            self.now_ns,
            ClientOrderId(report.client_order_id),
            report.status,
            report.cum_qty,
            VenueOrderId(report.venue_order_id),
        )

    def _read(self, read: Read) -> Event:
        now_ns, leg_id, venue = self.now_ns, read.leg_id, self._venues[read.leg_id]
        leg = self.book.legs[leg_id]
        if read.kind is ReadKind.POSITION:
            return PositionRead(now_ns, leg_id, now_ns, venue.positions(leg.account_id)[leg.instrument.id])
        if read.kind is ReadKind.OPEN_ORDERS:
            orders = tuple(
                OpenOrder(VenueOrderId(o.venue_order_id), o.side, o.qty, o.cum_qty, ClientOrderId(o.client_order_id))
                for o in venue.open_orders(leg.account_id, leg.instrument.id)
            )
            return OpenOrdersRead(now_ns, leg_id, now_ns, orders)
        if read.kind is ReadKind.BALANCES:
            rows = tuple(Balance(currency, total) for currency, total in venue.balances(leg.account_id).items())
            return BalancesRead(now_ns, leg_id, now_ns, rows)
        reports = venue.trades(leg.account_id, leg.instrument.id, int(read.cursor or 0))
        cursor = str(reports[-1].trade_id + 1) if reports else read.cursor
        return TradesRead(now_ns, leg_id, now_ns, tuple(_fill(leg.account_id, report) for report in reports), cursor)


def _fill(account_id: AccountId, report: TradeReport) -> Fill:
    return Fill(
        TradeId(str(report.trade_id)),
        account_id,
        report.instrument_id,
        report.side,
        report.qty,
        report.price,
        report.venue_ts_ns,
        ClientOrderId(report.client_order_id),
        VenueOrderId(report.venue_order_id),
        report.fee,
        report.fee_currency,
        report.is_maker,
    )


def _venue(leg: LegConfig) -> SimExchange:
    venue = SimExchange(leg.instrument.venue_id, [leg.instrument], VenueRules(history_max=HISTORY_MAX), seed=1)
    fees = Fees(maker=Decimal("0.0002"), taker=Decimal("0.0005"))
    venue.open_account(leg.account_id, {"USD": Decimal(10**11), "BTC": ZERO}, fees)
    venue.set_book(START_NS, leg.instrument.id, *MARKET_LEVELS)
    return venue
