"""Where a story plays: engines on one journal, a clock, and venues that remember what was told of them.

A turn is committed before its requests count as sent, as in a live node. Of itself a venue only answers reads, gives
signs of life and repeats its standing quote; whatever else it says is told by the story, or by a simulated exchange.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections import deque
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from hedgerow.core.book import Book
from hedgerow.core.commands import (
    REQUESTS,
    CancelOrder,
    CancelOrphan,
    Command,
    LookUpFill,
    QueryOrder,
    Read,
    SetLeverage,
    SubmitOrder,
    Turn,
)
from hedgerow.core.config import NS_PER_S, BookConfig
from hedgerow.core.events import (
    Balance,
    BalancesRead,
    BookStarted,
    Event,
    FillLookedUp,
    Heartbeat,
    LeverageAnswered,
    OpenOrder,
    OpenOrdersRead,
    OrderReported,
    PositionRead,
    QuoteReceived,
    ReadFailed,
    ReadKind,
    TimeReached,
    TradesRead,
)
from hedgerow.core.step import empty_book, fold, next_due_ns, step
from hedgerow.core.target import Strategy
from hedgerow.journal.errors import JournalFenced
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.model.ids import ClientOrderId, InstrumentId, LegId, VenueOrderId
from hedgerow.model.market import Level, Quote
from hedgerow.model.numbers import ONE, ZERO
from hedgerow.model.order import Fill, OrderStatus
from hedgerow.sim.exchanged import ExchangedLeg

# 2026-01-01 00:00 UTC: any moment would do, but the same one each time.
START_NS = 1_767_225_600 * NS_PER_S
# A standing quote and a live venue's sign of life are heard this often while time passes.
TICK_NS = NS_PER_S
# Far more than any line needs; a book that asks for ever must fail its story, not hang it.
EVENTS_PER_LINE_MAX = 100_000


class Restless(Exception):
    """The book does not come to rest within one line of the story."""


class EngineDead(Exception):
    """No engine has the book."""


class Placed(msgspec.Struct):
    """An order that reached a venue, as the story has told of it."""

    command: SubmitOrder
    venue_order_id: VenueOrderId
    filled_qty: Decimal = ZERO
    is_shown: bool = False
    "The venue has said that it has it, or traded it: reads show it."
    is_over: bool = False

    @property
    def leaves_qty(self) -> Decimal:
        """Return what may still trade, as far as was told."""
        return ZERO if self.is_over else max(self.command.qty - self.filled_qty, ZERO)


class Engine:
    """One run of an engine on the journal."""

    def __init__(self, connection: sqlite3.Connection, config: BookConfig, strategy: Strategy) -> None:
        self.store = SqliteStore(connection)
        self.store.start_epoch()
        self.book = recover(self.store, config, strategy)

    def take(self, event: Event, crash: str) -> tuple[tuple[Command, ...], bool]:
        """Step, make the turn durable; return what leaves, and whether the engine died on the way.

        Args:
            event: what came in.
            crash: where in the first turn that submits or cancels it dies; empty when it does not.

        Raises:
            JournalFenced: a later engine has the journal; nothing leaves.
        """
        stepped = step(self.book, event)
        dies = bool(crash) and any(isinstance(command, SubmitOrder | CancelOrder) for command in stepped.commands)
        if dies and crash == "before append":
            return (), True
        if stepped.turn is not None:
            self.append(stepped.turn)
        if not dies:
            return stepped.commands, False
        requests = tuple(command for command in stepped.commands if isinstance(command, REQUESTS))
        sent = {"after append": 0, "between sends": 1, "after send": len(requests)}[crash]
        return requests[:sent], True

    def append(self, turn: Turn) -> None:
        """Make one turn durable."""
        self.store.append([turn])
        self.store.commit()


def recover(store: SqliteStore, config: BookConfig, strategy: Strategy) -> Book:
    """Return the book that the journal's turns add up to."""
    book = empty_book(config, strategy)
    for record in store.turns(book_id=config.book_id):
        fold(book, record.turn)
    return book


class Stage:
    """The world of one story. The story's lines change it; it changes the book only through the door."""

    def __init__(self, config: BookConfig, strategy: Strategy, now_ns: int = START_NS) -> None:
        self.config = config
        self.now_ns = now_ns
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.engine: Engine | None = None
        self.is_fenced = False
        "An engine heard something after a later one took the journal, and could do nothing."
        self.crash = ""
        "Where the engine dies in the next turn that submits or cancels; empty: nowhere."
        self.events_left = EVENTS_PER_LINE_MAX
        self.exchanged: dict[LegId, ExchangedLeg] = {}
        "Legs whose venue is a simulated exchange."
        self.placed: dict[ClientOrderId, Placed] = {}
        "Every order that left, oldest first."
        self.fills: dict[LegId, list[Fill]] = {leg.id: [] for leg in config.legs}
        "What the venues traded, told, late and lost alike."
        self.accounts: dict[LegId, tuple[Decimal, Decimal | None]] = {}
        "What the accounts held before the story: (net qty, average price)."
        self.balances: dict[LegId, tuple[Balance, ...]] = {}
        "What the accounts own, as far as it was told."
        self.orphans: dict[LegId, list[OpenOrder]] = {}
        self.quotes: dict[LegId, Quote] = {}
        "Standing quotes."
        self.read_modes: dict[tuple[LegId, ReadKind], str] = {}
        self.silent: set[LegId] = set()
        "Legs of whose venue nothing is heard. Asked for one leg at a time, never iterated."
        self.pending: list[SubmitOrder | CancelOrder | CancelOrphan] = []
        "What left and no line of the story has expected yet."
        self.leverages = {leg.id: ONE for leg in config.legs if leg.leverage is not None}
        "What the venues show, of legs that ask for one of their own."
        self.leverage_refusals: dict[LegId, str] = {}
        "Legs whose venue lets nobody change it, and what it answers."
        self.asked: list[QueryOrder | Read | SetLeverage] = []
        "Questions that left since the last told line."
        self.query_ts_ns: dict[ClientOrderId, int] = {}
        "When each order was last asked for."
        self.sent: dict[InstrumentId, int] = {}
        "How many submits left in all."
        self._strategy = strategy
        self._reconfigured = False
        self._zombies: list[Engine] = []
        self._queue: deque[Event] = deque()
        self._later: list[tuple[int, int, Event]] = []
        self._numbers = 0

    @property
    def book(self) -> Book:
        """Return the book of the engine that has it.

        Raises:
            EngineDead: none has.
        """
        if self.engine is None:
            raise EngineDead
        return self.engine.book

    def next_number(self) -> int:
        """Return a number that was not used before, for the ids that venues give."""
        self._numbers += 1
        return self._numbers

    def place(self, command: SubmitOrder) -> Placed:
        """Let an order be known at its venue, as one that the story may tell of."""
        placed = Placed(command, VenueOrderId(f"v{self.next_number()}"))
        self.placed[command.order_id] = placed
        return placed

    def set_quote(self, leg_id: LegId, bids: tuple[Level, ...], asks: tuple[Level, ...]) -> list[Event]:
        """Let a quote stand; return what a simulated exchange does because of it, and the quote."""
        quote = Quote(self.config.leg(leg_id).instrument.id, self.now_ns, bids, asks)
        self.quotes[leg_id] = quote
        if leg_id not in self.exchanged:
            return [QuoteReceived(self.now_ns, quote)]
        exchanged = self.exchanged[leg_id]
        return [*exchanged.quote(self.now_ns, bids, asks), exchanged.shown(self.now_ns)]

    # Engines.

    def start(self, *, halted: bool = False) -> None:
        """Start an engine from the journal."""
        self.engine = Engine(self.connection, self.config, self._strategy)
        recovers = self.engine.book.state.epoch and not self._reconfigured
        config = self.engine.book.config if recovers else self.config
        self._reconfigured = False
        self.deliver(BookStarted(self.now_ns, self.engine.store.epoch, config, halted))
        for leg in self.config.legs:
            self._show_quote(leg.id)

    def reconfigure(self, config: BookConfig, strategy: Strategy) -> None:
        """Let the next start find another config of the same book."""
        self.config, self._strategy = config, strategy
        self._reconfigured = True

    def start_second(self) -> None:
        """Start another engine on the same journal; the first goes on hearing everything."""
        if self.engine is not None:
            self._zombies.append(self.engine)
        self.die()
        self.start()

    def die(self) -> None:
        """End the engine at once; what it had not handled is lost."""
        self.engine = None
        self.crash = ""
        self._queue.clear()

    def check_journal(self) -> None:
        """The journal alone must give the state that was lived."""
        if self.engine is None:
            return
        lived = self.engine.book.digest()
        folded = recover(self.engine.store, self.config, self._strategy).digest()
        assert lived == folded, "the journal folds to another state than the one that was lived"

    # Events.

    def deliver(self, event: Event) -> None:
        """Hand the engines one event, and let them do all that follows from it now."""
        self._queue.append(event)
        while self._queue:
            self._handle(self._queue.popleft())
            if not self._queue and self.engine is not None and self.engine.book.look_again:
                self.now_ns += 1
                self._queue.append(TimeReached(self.now_ns))

    def deliver_now(self, events: list[Event]) -> None:
        """Hand over messages as they arrive now, whenever they were made."""
        for event in events:
            self.deliver(stamped(event, self.now_ns))

    def deliver_later(self, events: list[Event], delay_ns: int) -> None:
        """Put messages on their way."""
        for event in events:
            heapq.heappush(self._later, (self.now_ns + delay_ns, self.next_number(), event))

    def _handle(self, event: Event) -> None:
        self.events_left -= 1
        if self.events_left <= 0:
            raise Restless
        for zombie in list(self._zombies):
            try:
                zombie.take(event, "")
            except JournalFenced:
                self.is_fenced = True
                self._zombies.remove(zombie)
        if self.engine is None:
            return
        commands, died = self.engine.take(event, self.crash)
        for command in commands:
            self._send(command)
        if died:
            self.die()

    def _send(self, command: Command) -> None:
        """Let one request leave."""
        match command:
            case SubmitOrder():
                self.place(command)
                self.sent[command.instrument_id] = self.sent.get(command.instrument_id, 0) + 1
                self.pending.append(command)
            case CancelOrder() | CancelOrphan():
                self.pending.append(command)
            case QueryOrder() if command.venue_order_id is not None:
                self._tell_whose(command.venue_order_id, command.leg_id)
            case QueryOrder():
                self.asked.append(command)
                self.query_ts_ns[command.order_id] = self.now_ns
            case Read():
                self.asked.append(command)
                if command.leg_id not in self.exchanged:
                    self._answer(command)
            case SetLeverage():
                self.asked.append(command)
                if command.leg_id not in self.exchanged and command.leg_id not in self.silent:
                    self._set_leverage(command)
            case LookUpFill():
                self._look_up(command.fill)
            case _:
                return
        if isinstance(command, REQUESTS) and command.leg_id in self.exchanged and command.leg_id not in self.silent:
            self._queue.extend(self.exchanged[command.leg_id].take(self.now_ns, command))

    def _set_leverage(self, command: SetLeverage) -> None:
        refusal = self.leverage_refusals.get(command.leg_id, "")
        if not refusal:
            self.leverages[command.leg_id] = command.leverage
        self._queue.append(LeverageAnswered(self.now_ns, command.leg_id, refusal))

    def _tell_whose(self, venue_order_id: VenueOrderId, leg_id: LegId) -> None:
        """Say that an order is somebody else's; of the book's own the story tells."""
        if all(placed.venue_order_id != venue_order_id for placed in self.placed.values()):
            order_id = ClientOrderId(f"web_{venue_order_id}")
            told = OrderReported(self.now_ns, order_id, OrderStatus.FILLED, ZERO, venue_order_id, leg_id=leg_id)
            self._queue.append(told)

    def _look_up(self, fill: Fill) -> None:
        assert self.engine is not None, fill
        key = (fill.account_id, fill.instrument_id, fill.trade_id)
        booked = self.engine.store.find_fill(*key, self.config.book_id)
        self._queue.append(FillLookedUp(self.now_ns, fill, booked))

    def _answer(self, read: Read) -> None:
        mode = self.read_modes.get((read.leg_id, read.kind), "answer")
        if mode == "silent" or read.leg_id in self.silent:
            return
        if mode == "fail":
            self._queue.append(ReadFailed(self.now_ns, read.leg_id, read.kind, "the story lets it fail"))
        else:
            self._queue.append(self._read_answer(read, empty=mode == "empty"))

    def _read_answer(self, read: Read, *, empty: bool) -> Event:
        now_ns, leg_id = self.now_ns, read.leg_id
        match read.kind:
            case ReadKind.OPEN_ORDERS:
                return OpenOrdersRead(now_ns, leg_id, now_ns, () if empty else self._open_orders(leg_id))
            case ReadKind.TRADES:
                if empty:
                    return TradesRead(now_ns, leg_id, now_ns, (), read.cursor)
                fills = self.fills[leg_id]
                return TradesRead(now_ns, leg_id, now_ns, tuple(fills[int(read.cursor or 0) :]), str(len(fills)))
            case ReadKind.BALANCES:
                return BalancesRead(now_ns, leg_id, now_ns, () if empty else self.balances.get(leg_id, ()))
            case _:
                if empty:
                    return PositionRead(now_ns, leg_id, now_ns, ZERO)
                base = self.config.leg(leg_id).instrument.base
                held, price = self.accounts.get(leg_id, (ZERO, None))
                held += sum((fill.net_qty(base) for fill in self.fills[leg_id]), ZERO)
                return PositionRead(now_ns, leg_id, now_ns, held, price, leverage=self.leverages.get(leg_id))

    def _open_orders(self, leg_id: LegId) -> tuple[OpenOrder, ...]:
        shown = tuple(
            open_order(placed)
            for placed in self.placed.values()
            if placed.command.leg_id == leg_id and placed.is_shown and placed.leaves_qty > 0
        )
        return (*shown, *self.orphans.get(leg_id, ()))

    # Time.

    def advance(self, duration_ns: int) -> None:
        """Let time pass: late messages, signs of life, standing quotes and the book's own timers, in order."""
        end_ns = self.now_ns + duration_ns
        while True:
            tick_ns = START_NS + (self.now_ns - START_NS) // TICK_NS * TICK_NS + TICK_NS
            timer_ns = next_due_ns(self.engine.book) if self.engine is not None else None
            due = [ts_ns for ts_ns in (tick_ns, timer_ns) if ts_ns is not None]
            due += [self._later[0][0]] if self._later else []
            at_ns = max(min(due), self.now_ns)
            if at_ns > end_ns:
                break
            self.now_ns = at_ns
            while self._later and self._later[0][0] <= at_ns:
                self.deliver(stamped(heapq.heappop(self._later)[2], self.now_ns))
            if at_ns == tick_ns:
                self._tick()
            if timer_ns is not None and timer_ns <= at_ns and self.engine is not None:
                self.deliver(TimeReached(self.now_ns))
        self.now_ns = max(end_ns, self.now_ns)

    def sign_of_life(self, leg_id: LegId) -> None:
        """Let a leg's venue be heard, with its standing quote."""
        self.deliver(Heartbeat(self.now_ns, leg_id))
        self._show_quote(leg_id)

    def _tick(self) -> None:
        for leg in self.config.legs:
            if leg.id not in self.silent:
                self.sign_of_life(leg.id)

    def _show_quote(self, leg_id: LegId) -> None:
        if leg_id not in self.quotes or leg_id in self.silent:
            return
        if leg_id in self.exchanged:
            self.deliver(self.exchanged[leg_id].shown(self.now_ns))
        else:
            self.deliver(stamped(QuoteReceived(self.now_ns, self.quotes[leg_id]), self.now_ns))


def open_order(placed: Placed) -> OpenOrder:
    """Return the row of a read of open orders that shows this order."""
    command = placed.command
    return OpenOrder(placed.venue_order_id, command.side, command.qty, placed.filled_qty, command.order_id)


def stamped(event: Event, now_ns: int) -> Event:
    """Return the event as our inbox takes it now; when a question left stays as it was."""
    if isinstance(event, QuoteReceived):
        return QuoteReceived(now_ns, replace(event.quote, ts_ns=now_ns))
    return replace(event, ts_ns=now_ns)
