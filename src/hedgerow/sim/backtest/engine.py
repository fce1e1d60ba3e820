"""The driver of a backtest: the real cycle, doors, gateways and exchange, in virtual time over recorded markets.

At one moment the market moves first, then what travels arrives, then timers go off. Nothing is drawn from the machine,
so the same config, data and seed give the same fills. With `skips`, rows of which nothing can come are passed over in
bulk, with the same fills: see `track`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from msgspec.structs import replace

from hedgerow.core.book import Book
from hedgerow.core.commands import LookUpFill, Mode, Turn
from hedgerow.core.config import NS_PER_MS, NS_PER_S, BookConfig
from hedgerow.core.events import BookStarted, Event, FillLookedUp, QuoteReceived
from hedgerow.core.step import empty_book
from hedgerow.core.target import Target, WakePrice
from hedgerow.journal.errors import JournalError
from hedgerow.market.exchange import SimExchange
from hedgerow.market.ticks import NO_ASK, NO_BID
from hedgerow.model.ids import AccountId, BookId, InstrumentId, LegId, VenueId
from hedgerow.model.instrument import InstrumentKind
from hedgerow.model.market import FundingRate
from hedgerow.runtime.cycle import Cycle
from hedgerow.runtime.dispatch import Budget, Dispatch
from hedgerow.runtime.node_config import NodeConfig
from hedgerow.runtime.portfolio import is_limited
from hedgerow.runtime.simulated import delay_of, open_exchanges, set_rates
from hedgerow.sim.backtest.clock import BookClock, UnwatchedClock, VirtualClock
from hedgerow.sim.backtest.funding import FundingTold
from hedgerow.sim.backtest.line import Line, Ways
from hedgerow.sim.backtest.record import Recorder
from hedgerow.sim.backtest.track import NEVER, Bounds, Data, Track, best_prices
from hedgerow.strategies import make
from hedgerow.venues.sim_gateway import SimGateway
from hedgerow.venues.sim_venues import BEAT_NS
from hedgerow.venues.sim_wire import Hello, RateShown, Shown

# What is on its way when the data ends still arrives.
END_NS = NS_PER_S
# Reads find what a stream lost, and no backtest loses anything: they keep the books' memory small, no more. So they
# come by the rows that went by, which are what can fill an order.
READ_ROWS = 1_500
READ_MIN_MS, READ_MAX_MS = 600_000, 86_400_000
# No process dies here.
NO_SNAPSHOTS = 1 << 60
EPOCH = 1
PROGRESS_EVERY = 256
EVERYTHING = Bounds(NO_ASK, NO_BID)
"Nothing lies inside."

Progress = Callable[[int, int], None]
"Takes (rows gone by, rows in all)."


class BookBroke(Exception):
    """A rule of the engine's own broke in a book. The text says which."""


class Watch(msgspec.Struct):
    """One leg that watches a track."""

    book: Book
    leg_id: LegId
    gateway: SimGateway
    prices: tuple[WakePrice, ...] | None = None
    "The wake prices that `low` and `high` were made of."
    low: int = 0
    high: int = NO_ASK
    is_eager: bool = True
    "Every quote matters."


class Backtest:
    """One run."""

    def __init__(
        self,
        config: NodeConfig,
        data: Mapping[InstrumentId, Data],
        recorder: Recorder,
        *,
        skips: bool = True,
        take_turn: Callable[[Turn], object] | None = None,
    ) -> None:
        """Prepare a run; nothing moves before `run`.

        Args:
            data: the market of every instrument that a book trades.
            recorder: told of everything that happens.
            skips: pass over in bulk what cannot matter.
            take_turn: takes each turn, e.g. to journal it.
        """
        self._skips = skips
        self._recorder = recorder
        self._take_turn = take_turn
        start_ns = min(each.first_ts_ns for each in data.values())
        self.clock = VirtualClock(start_ns)
        self._exchanges = open_exchanges(config)
        is_perp = {
            leg.instrument.id: leg.instrument.kind is InstrumentKind.PERP for book in config.books for leg in book.legs
        }
        self._funding = {
            instrument_id: FundingTold(instrument_id, each.funding, start_ns)
            for instrument_id, each in data.items()
            if len(each.funding.ts_ns) and is_perp[instrument_id]
        }
        "Funding that the data tells; that of the config is for the others."
        set_rates(_without(config, self._funding), self._exchanges, start_ns)
        for book in config.books:
            for venue_id, sessions in book.sessions.items():
                self._exchanges[venue_id].set_sessions(sessions)
        delays = {venue.id: delay_of(venue.latency_ms) for venue in config.venues}
        self._ways = {venue_id: Ways(config.seed, venue_id, delay) for venue_id, delay in delays.items()}
        self.tracks: dict[InstrumentId, Track] = {}
        self._tracks_of: dict[VenueId, list[Track]] = {venue_id: [] for venue_id in self._exchanges}
        for instrument_id, each in data.items():
            venue_id = VenueId(instrument_id.partition(":")[0])
            delay = delays[venue_id]
            mean_ns = delay.base_ns + delay.jitter_ns // 2
            track = Track(each, instrument_id, self._exchanges[venue_id], mean_ns)
            self.tracks[instrument_id] = track
            self._tracks_of[venue_id].append(track)
        self._list = list(self.tracks.values())
        self._rows = sum(track.rows_in_all for track in self._list)
        self.end_ns = max(track.last_ts_ns for track in self._list) + END_NS
        self._watches: dict[InstrumentId, list[Watch]] = {instrument_id: [] for instrument_id in self.tracks}
        self._lines_of: dict[AccountId, list[Line]] = {account.id: [] for account in config.accounts}
        self._lines: list[tuple[Book, Line]] = []
        "Every line, with the book that it leads to."
        self._beats: list[tuple[int, Line]] = []
        "When the next sign of life comes to a book that is up to something: it may look again then."
        self._portfolio_ns: int | None = None
        "When the books were last told of one another; None when no book has a limit over all of them."
        self._portfolio_due_ns = NEVER
        "When they are told next, as long as one of them is awake."
        self._told: dict[BookId, Target] = {}
        "Book -> what it wanted in its last turn: until it looked once more, the turn may change that."
        self._rates: dict[InstrumentId, FundingRate] = {}
        self._bounds: dict[InstrumentId, Bounds] = {}
        self._dues = {venue_id: self._due_ns(venue_id) for venue_id in self._exchanges}
        "Venue -> when its exchange next has something to do by the clock, or tells of funding."
        self._appended = self._durable = 0
        self._failure: Exception | None = None
        self.books: dict[BookId, Book] = {}
        book_clock = BookClock(self.clock)
        self._cycle = Cycle(book_clock, self, self._look_up, self, NO_SNAPSHOTS)
        doors = {account.id: Dispatch(self.clock, Budget()) for account in config.accounts}
        self._start(config.books, doors)

    # Running.

    def run(self, progress: Progress | None = None) -> None:
        """Run to the end of the data.

        Raises:
            BookBroke: a rule of the engine's own broke.
            JournalError: a turn could not be taken.
        """
        loops = 0
        while self._failure is None:
            ts_ns = self._next_ns()
            if ts_ns > self.end_ns:
                break
            self._turn_to(ts_ns)
            loops += 1
            if progress is not None and loops % PROGRESS_EVERY == 0:
                progress(self.rows_seen, self._rows)
        if self._failure is not None:
            raise self._failure
        self._advance(self.end_ns)
        if progress is not None:
            progress(self._rows, self._rows)

    @property
    def rows_seen(self) -> int:
        """Rows that went by."""
        return sum(track.rows_seen for track in self._list)

    def _turn_to(self, ts_ns: int) -> None:
        """Let the market move up to a time, then everything else that is due by then."""
        for venue_id in {told.venue_id: None for told in self._funding.values()}:
            if self._dues[venue_id] <= ts_ns:
                # By the mark right before: a rate that is told and paid at once must be known before its time is seen.
                self._advance(ts_ns - 1)
                self._pass_time(venue_id, ts_ns, ts_ns - 1)
        self._advance(ts_ns)
        for venue_id, due_ns in self._dues.items():
            if due_ns <= ts_ns:
                self._pass_time(venue_id, ts_ns, ts_ns)
        if self._skips:
            self._catch_up_beats(ts_ns)
        self._deliver_quotes(ts_ns)
        for beat_ns, line in self._beats:
            if beat_ns <= ts_ns:
                self._beat(line, beat_ns)
        if self._portfolio_due_ns <= ts_ns:
            self._tell_portfolio(self._portfolio_due_ns)
        clock = self.clock
        while (call_ns := clock.due_ns()) is not None and call_ns <= ts_ns and self._failure is None:
            clock.run_one()
            self._send_durable()

    def _next_ns(self) -> int:
        """Return when anything may happen next."""
        if self._skips:
            self._sleep_on()
        next_ns = self.clock.due_ns()
        next_ns = NEVER if next_ns is None else next_ns
        next_ns = min(next_ns, *self._dues.values())
        if self._skips:
            now_ns = self.clock.now_ns()
            self._beats = [(line.next_beat_ns(now_ns), line) for book, line in self._lines if not self._sleeps(book)]
            for beat_ns, _ in self._beats:
                next_ns = min(next_ns, beat_ns)
            self._portfolio_due_ns = NEVER
            if self._portfolio_ns is not None and not all(map(self._sleeps, self.books.values())):
                self._portfolio_due_ns = now_ns + NS_PER_S - (now_ns - self._portfolio_ns) % NS_PER_S
                next_ns = min(next_ns, self._portfolio_due_ns)
        for track in self._list:
            next_ns = min(next_ns, self._next_of(track, next_ns))
        return next_ns

    def _sleep_on(self) -> None:
        """Let books sleep through the times at which a quote would grow old, had it not been shown again meanwhile.

        As long as nothing else can happen, they are told at once of the last quote of that time.
        """
        clock = self.clock
        call_ns = clock.due_ns()
        if call_ns is None or not self._renews(call_ns):
            return
        until_ns = min(self.end_ns, *self._dues.values(), *[track.far_ns() for track in self._list])
        now_ns = clock.now_ns()
        for book, line in self._lines:
            until_ns = min(until_ns, book.idle_due_ns if book.now_ns < book.idle_until_ns else until_ns)
            if not self._sleeps(book):
                until_ns = min(until_ns, line.next_beat_ns(now_ns))
        for ts_ns, timer in clock.calls():
            if not (timer.is_book_timer and self._renews(ts_ns)):
                until_ns = min(until_ns, ts_ns)
        for track in self._list:
            until_ns = min(until_ns, self._next_of(track, until_ns))
        if call_ns >= until_ns:
            return
        for track in self._list:
            track.skip_to(until_ns - 1 - track.delay_ns)
            while track.in_flight and track.in_flight[0].arrives_ns < until_ns:
                shown = track.in_flight.popleft()
                quote = replace(shown.quote, ts_ns=shown.arrives_ns)
                for watch in self._watches[track.instrument_id]:
                    self._cycle.deliver(watch.book.config.book_id, QuoteReceived(now_ns, quote))
        while call_ns is not None and call_ns < until_ns and self._renews(call_ns) and self._stays_fresh(call_ns):
            clock.run_one()
            call_ns = clock.due_ns()

    def _renews(self, ts_ns: int) -> bool:
        """Return whether all that a book waits for then is that a quote grows old."""
        return any(book.now_ns < book.idle_until_ns == ts_ns < book.idle_due_ns for book in self.books.values())

    def _stays_fresh(self, ts_ns: int) -> bool:
        """Return whether no quote of a book that waits for that time grows old by then."""
        return all(
            quote.ts_ns + book.config.limits.stale_ms * NS_PER_MS >= ts_ns
            for book in self.books.values()
            if book.idle_until_ns == ts_ns
            for quote in book.quotes.values()
        )

    def _next_of(self, track: Track, until_ns: int) -> int:
        """Return when a track has something next that can matter, there or where its quotes arrive."""
        arrives_ns = track.in_flight[0].arrives_ns if track.in_flight else NEVER
        if not self._skips:
            track.stop_ns = min(track.next_ts_ns, track.next_show_ns())
            return min(track.stop_ns, arrives_ns)
        track.is_eager, bounds = self._bounds_of(track)
        stop_ns = track.next_ts_ns if track.is_changed else NEVER
        if track.is_eager:
            if not track.in_flight:
                arrives_ns = track.next_show_ns() + track.delay_ns
        else:
            if not track.is_inside(bounds):
                stop_ns = min(stop_ns, track.next_show_ns())
            arrives_ns = next(
                (each.arrives_ns for each in track.in_flight if not bounds.spans(each.bid, each.ask)), NEVER
            )
        track.stop_ns = min(stop_ns, track.matters_ns(bounds, min(stop_ns, arrives_ns, until_ns)))
        return min(track.stop_ns, arrives_ns)

    def _sleeps(self, book: Book) -> bool:
        """Return whether nothing but news or time can change what a book does."""
        if book.now_ns < book.idle_until_ns:
            return True
        target = book.target
        return (
            book.mode is Mode.FROZEN
            and target.wake_prices is not None
            and target is not self._told.get(book.config.book_id)
            and _is_at_rest(book)
        )

    def _bounds_of(self, track: Track) -> tuple[bool, Bounds]:
        """Return whether every quote of a track matters, and the prices inside which none does."""
        low, high, is_eager = 0, NO_ASK, False
        for watch in self._watches[track.instrument_id]:
            # The prices inside which the book sleeps through quotes; None when it looks at each.
            prices = watch.book.target.wake_prices if self._sleeps(watch.book) else None
            if prices is not watch.prices or watch.is_eager:
                watch.prices, watch.is_eager = prices, prices is None
                watch.low, watch.high = _ticks_within(track.data, prices, watch.leg_id)
            is_eager = is_eager or watch.is_eager
            low, high = max(low, watch.low), min(high, watch.high)
        own = self._bounds.get(track.instrument_id)
        if own is None:
            own = self._own_bounds(track)
            self._bounds[track.instrument_id] = own
        low, high = max(low, own.low), min(high, own.high)
        if (low, high) != (own.low, own.high):
            own = replace(own, low=low, high=high)
        return is_eager, own

    def _own_bounds(self, track: Track) -> Bounds:
        """Return the prices at which a row trades with an order of ours, or comes near a liquidation."""
        data = track.data
        safe_low, safe_high = track.exchange.safe_prices(track.instrument_id)
        low = 0 if safe_low is None else max(1, data.ticks_above(safe_low))
        high = NO_ASK if safe_high is None else data.ticks_below(safe_high)
        return best_prices(track.exchange.resting(track.instrument_id), data, low, high)

    # The market.

    def _advance(self, ts_ns: int) -> None:
        """Let every exchange see its market as far as something may come of it by a time.

        What is on its way to the books was shown by a market that had our orders of then in it. So the last stretch is
        not passed over in bulk, but played row by row, once an order of ours may change: see `_see`. Nor is what
        arrives together with another market's news, which may wake a book for it.
        """
        for track in self._list:
            if self._skips and not track.is_eager:
                track.skip_to(ts_ns - track.delay_ns - 1)
            if self._skips:
                self._play_to(track, ts_ns - track.delay_ns)
            if track.stop_ns <= ts_ns:
                self._play_to(track, ts_ns)

    def _see(self, exchange: SimExchange) -> None:
        """Let an exchange see its markets up to now: something is about to be done there."""
        for track in self._tracks_of[exchange.venue_id]:
            self._play_to(track, self.clock.now_ns())

    def _play_to(self, track: Track, ts_ns: int) -> None:
        while True:
            next_ns, show_ns = track.next_ts_ns, track.next_show_ns()
            if min(next_ns, show_ns) > ts_ns:
                return
            if show_ns < next_ns:
                track.show_again(show_ns)
            else:
                self._play(track)

    def _play(self, track: Track) -> None:
        exchange = track.exchange
        ts_ns = track.play_next()
        own = self._bounds.get(track.instrument_id)
        # Nothing but a liquidation follows prices, and inside the bounds there is none.
        if not self._skips or own is None or not track.is_inside(own):
            exchange.advance(ts_ns)
            self._bounds.pop(track.instrument_id, None)
        if self._report(exchange, ts_ns):
            self._changed(exchange)
            track.show_again(ts_ns)

    def _happened(self, exchange: SimExchange, ts_ns: int) -> None:
        """Take what a request did at an exchange."""
        self._report(exchange, ts_ns)
        self._changed(exchange)

    def _changed(self, exchange: SimExchange) -> None:
        """Our orders or positions are others than before."""
        self._dues[exchange.venue_id] = self._due_ns(exchange.venue_id)
        for track in self._tracks_of[exchange.venue_id]:
            track.forget_look()
            track.is_changed = True
            self._bounds.pop(track.instrument_id, None)

    def _due_ns(self, venue_id: VenueId) -> int:
        """Return when something happens at a venue by the clock."""
        told = [told.next_ns() for told in self._told_at(venue_id)]
        return min(self._exchanges[venue_id].next_due_ns() or NEVER, *told, NEVER)

    def _told_at(self, venue_id: VenueId) -> list[FundingTold]:
        return [told for told in self._funding.values() if told.venue_id == venue_id]

    def _pass_time(self, venue_id: VenueId, ts_ns: int, seen_ns: int) -> None:
        """Let a venue do what is due by the clock, after it has seen its markets up to `seen_ns`."""
        exchange = self._exchanges[venue_id]
        for track in self._tracks_of[venue_id]:
            self._play_to(track, seen_ns)
        paid: list[FundingTold] = []
        for told in self._told_at(exchange.venue_id):
            rate = told.tell(ts_ns)
            if rate is not None:
                exchange.set_funding_rate(rate)
            standing = exchange.funding_rate(told.instrument_id)
            if standing is not None and standing.next_funding_ts_ns <= ts_ns:
                paid.append(told)
        exchange.advance(ts_ns)
        for told in paid:
            exchange.set_funding_rate(told.paid(ts_ns))
        self._happened(exchange, ts_ns)
        self._show_rates(venue_id)

    def _report(self, exchange: SimExchange, ts_ns: int) -> bool:
        """Put on its way what the exchange reports; return whether it does."""
        reports = exchange.drain()
        for account_id, report in reports:
            self._recorder.reported(ts_ns, account_id, report)
            for line in self._lines_of[account_id]:
                line.hear(report, ts_ns)
        return bool(reports)

    def _show_rates(self, venue_id: VenueId) -> None:
        for track in self._tracks_of[venue_id]:
            rate = track.exchange.funding_rate(track.instrument_id)
            if rate is not None and rate != self._rates.get(track.instrument_id):
                self._rates[track.instrument_id] = rate
                for watch in self._watches[track.instrument_id]:
                    watch.gateway.receive(RateShown(rate))
        self._send_durable()

    # What reaches the books.

    def _deliver_quotes(self, ts_ns: int) -> None:
        """Let the books see what arrives up to a time, in order."""
        while True:
            track = min(self._list, key=lambda each: each.in_flight[0].arrives_ns if each.in_flight else NEVER)
            is_eager, bounds = self._bounds_of(track) if self._skips else (True, EVERYTHING)
            if not track.in_flight or track.in_flight[0].arrives_ns > ts_ns:
                return
            shown = track.in_flight.popleft()
            is_followed = track.in_flight and track.in_flight[0].arrives_ns <= ts_ns
            if is_followed and not is_eager and bounds.spans(shown.bid, shown.ask):
                continue
            self.clock.set(max(shown.arrives_ns, self.clock.now_ns()))
            for watch in self._watches[track.instrument_id]:
                watch.gateway.receive(Shown(shown.quote))
                self._send_durable()

    def _catch_up_beats(self, ts_ns: int) -> None:
        """Give the last signs of life before a time: books slept through them, and are about to hear something."""
        for _, line in self._lines:
            beat_ns = line.next_beat_ns(ts_ns - 1) - BEAT_NS
            if beat_ns > line.beat_ns:
                self._deliver_quotes(beat_ns)
                self._beat(line, beat_ns)
        if self._portfolio_ns is not None:
            told_ns = ts_ns - 1 - (ts_ns - 1 - self._portfolio_ns) % NS_PER_S
            if told_ns > self._portfolio_ns:
                self._deliver_quotes(told_ns)
                self._tell_portfolio(told_ns)

    def _beat(self, line: Line, beat_ns: int) -> None:
        """Give a sign of life of a time, which may have gone by."""
        self.clock.set(max(beat_ns, self.clock.now_ns()))
        line.beat(beat_ns)
        self._send_durable()

    def _beat_on(self, line: Line) -> None:
        """Every second, when nothing is skipped."""
        now_ns = self.clock.now_ns()
        line.beat(now_ns)
        self.clock.call_at(now_ns + BEAT_NS, lambda: self._beat_on(line))

    def _tell_portfolio(self, ts_ns: int) -> None:
        """Tell the books of one another, as a node does each second; those that sleep are told when they wake."""
        self.clock.set(max(ts_ns, self.clock.now_ns()))
        self._portfolio_ns = ts_ns
        self._cycle.tell_portfolio()
        self._send_durable()

    def _tell_portfolio_on(self) -> None:
        """Every second, when nothing is skipped."""
        now_ns = self.clock.now_ns()
        self._tell_portfolio(now_ns)
        self.clock.call_at(now_ns + NS_PER_S, self._tell_portfolio_on)

    # The books.

    def _start(self, configs: tuple[BookConfig, ...], doors: Mapping[AccountId, Dispatch]) -> None:
        now_ns = self.clock.now_ns()
        quiet = UnwatchedClock(self.clock)
        read_ms = max(READ_MIN_MS, min((self.end_ns - now_ns) // NS_PER_MS * READ_ROWS // self._rows, READ_MAX_MS))
        for config in configs:
            timing = replace(config.timing, trades_read_ms=read_ms, full_read_ms=read_ms)
            config = replace(config, timing=timing)
            book = empty_book(config, make(config))
            self.books[config.book_id] = book
            gateways = {leg.id: self._gateway(config, leg.id, quiet) for leg in config.legs}
            self._cycle.add(book, gateways, {leg.id: doors[leg.account_id] for leg in config.legs})
            self._recorder.begins(book)
            self._cycle.deliver(config.book_id, BookStarted(now_ns, EPOCH, config))
            for leg in config.legs:
                gateways[leg.id].start(leg.id, leg.instrument, self._deliver_to(config.book_id))
                self._watches[leg.instrument.id].append(Watch(book, leg.id, gateways[leg.id]))
            self._send_durable()
        for venue_id in self._exchanges:
            self._show_rates(venue_id)
        for _, line in self._lines:
            if self._skips:
                line.beat(now_ns)
            else:
                self._beat_on(line)
            self._send_durable()
        if is_limited(self.books.values()):
            if self._skips:
                self._tell_portfolio(now_ns)
            else:
                self._tell_portfolio_on()

    def _gateway(self, config: BookConfig, leg_id: LegId, clock: UnwatchedClock) -> SimGateway:
        leg = config.leg(leg_id)
        venue_id = leg.instrument.venue_id
        hello = Hello(leg.account_id, leg.instrument.id)
        exchange, ways = self._exchanges[venue_id], self._ways[venue_id]

        def open_line() -> Line:
            line = Line(hello, leg.instrument, exchange, ways, self.clock, gateway.receive, self._see, self._happened)
            self._lines_of[leg.account_id].append(line)
            self._lines.append((self.books[config.book_id], line))
            return line

        gateway = SimGateway(leg.account_id, leg.lease_ms, clock, open_line)
        return gateway

    def _deliver_to(self, book_id: BookId) -> Callable[[LegId, Event], None]:
        return lambda _leg_id, event: self._cycle.deliver(book_id, event)

    def _look_up(self, book_id: BookId, command: LookUpFill) -> None:
        fill = command.fill
        booked = self._recorder.is_booked(fill)
        self.clock.call_at(
            self.clock.now_ns(),
            lambda: self._cycle.deliver(book_id, FillLookedUp(self.clock.now_ns(), fill, booked)),
        )

    # The journal of the cycle: a turn is durable at once.

    @property
    def backlog_len(self) -> int:
        return 0

    def append(self, turn: Turn) -> int:
        self._appended += 1
        # Now, while the book is what the turn made of it.
        book = self.books[turn.book_id]
        self._told[turn.book_id] = book.target
        self._recorder.turned(turn, book)
        if self._take_turn is not None:
            self._take_turn(turn)
        return self._appended

    def save_snapshot(self, book_id: BookId, body: bytes) -> None:
        """Nobody will start from it."""

    def _send_durable(self) -> None:
        while self._durable < self._appended:
            self._durable = self._appended
            self._cycle.durable(self._durable)

    # The watcher of the cycle.

    def turned(self, turns: list[tuple[int, Turn]]) -> None:
        """What is of interest was taken by `append`."""

    def faulted(self, book_id: BookId, error: Exception) -> None:
        broke = BookBroke(f"{book_id}: {type(error).__name__}: {error}")
        broke.__cause__ = error
        self._failure = broke

    def journal_failed(self, error: JournalError) -> None:
        self._failure = error


def _without(config: NodeConfig, told: Mapping[InstrumentId, FundingTold]) -> NodeConfig:
    """Return the config without the instruments whose funding the data tells."""
    venues = tuple(
        replace(venue, instruments=tuple(each for each in venue.instruments if each.id not in told))
        for venue in config.venues
    )
    return replace(config, venues=venues)


def _is_at_rest(book: Book) -> bool:
    """Whether a book holds nothing, wants nothing that is held back until prices change, and follows nothing up.

    Of a book that is frozen as well, only what its policy tells can change: it keeps even that until a wake price.
    """
    if book.look_again or book.asked or book.state.parked or book.unassigned or any(book.live.values()):
        return False
    flat = all(ledger.position.net_qty == 0 == ledger.drift_net_qty for ledger in book.state.ledgers.values())
    return flat and all(net.net_qty == 0 for net in book.target.nets)


def _ticks_within(data: Data, prices: tuple[WakePrice, ...] | None, leg_id: LegId) -> tuple[int, int]:
    """Return the lowest bid and the highest ask, in ticks, that lie inside a leg's wake prices."""
    # That one side is empty always matters.
    low, high = 1, NO_ASK - 1
    for price in prices or ():
        if price.leg_id == leg_id:
            low = low if price.low is None else max(low, data.ticks_above(price.low))
            high = high if price.high is None else min(high, data.ticks_below(price.high))
    return low, high
