"""A node: the books of one state folder, recovered, run in one loop, and stopped so that nothing is left standing."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from msgspec.structs import replace

from hedgerow.core.book import Book, is_used
from hedgerow.core.commands import LookUpFill, Mode, Turn
from hedgerow.core.config import NS_PER_S, BookConfig, LegConfig
from hedgerow.core.events import Action, BookStarted, Event, FillLookedUp, LegAdded, OperatorCommanded
from hedgerow.core.holds import AlarmKind
from hedgerow.journal.errors import JournalError, JournalLow
from hedgerow.journal.writer import JournalWriter
from hedgerow.model.ids import AccountId, BookId, LegId, VenueId
from hedgerow.model.order import Role
from hedgerow.runtime.clock import LoopClock, Origin
from hedgerow.runtime.cycle import Cycle
from hedgerow.runtime.dispatch import Budget, Dispatch
from hedgerow.runtime.loop_journal import LoopJournal
from hedgerow.runtime.missed import BOOKED_KINDS, missed_since
from hedgerow.runtime.portfolio import is_limited
from hedgerow.runtime.recovery import check_legs, check_reach, holds_something, open_journal, recall, recover
from hedgerow.runtime.watch import Watch
from hedgerow.venues.gateway import Teller

EXIT_DONE, EXIT_DIED, EXIT_REFUSED, EXIT_FAULTED, EXIT_RESIDUAL, EXIT_JOURNAL, EXIT_INTERRUPTED = 0, 1, 2, 3, 6, 74, 130
# How long a stop waits for proof that nothing stands and all is hedged.
STOP_NS = 15 * NS_PER_S
# How long the cancels of a node without a journal get for their way to the venue, and those of the last moment.
PARTING_S = 0.5
PARTING_NS = 2 * NS_PER_S
POLL_S = 0.01
LAG_CHECK_S = 0.25
PLACE_CHECK_S = 1
# An event loop that stands for so long misses heartbeats and hedges late.
LAG_TOLD_S = 0.25
# Clocks that are kept by NTP are moved by less.
STEP_TOLD_NS = NS_PER_S
# Who freezes and halts on the way down: `node:stop from MODE: WHY`, with what was before. The start after it lifts what
# this one did, and restores what was before.
STOPPER = "node:stop from "
STARTER = "node:start"
KEEPER = "node:start, as before it: "
_RESTORES = {Mode.RUNNING: Action.RESUME, Mode.FROZEN: Action.FREEZE, Mode.FLATTENING: Action.FLATTEN}

Note = Callable[[str], None]
GatewayOf = Callable[[BookConfig, LegId], Teller]
Work = Callable[[], Coroutine[Any, Any, None]]


# 2025-01-01 UTC: a journal's first epoch is its age against this in seconds, so no two journals share one.
EPOCHS_BEGIN_S = 1_735_689_600


class Service(Protocol):
    """Something that runs beside the books, e.g. the API."""

    async def run(self) -> None: ...

    def stop(self) -> None: ...


def stopped_from(book: Book) -> tuple[Mode, str] | None:
    """Return what mode a book was in, and why, when a stop of its node halted it; None when it was not so."""
    _, is_stop, before = book.state.mode_reason.partition(STOPPER)
    if not is_stop:
        return None
    mode, _, reason = before.partition(": ")
    # Anybody may call himself what he likes.
    return (Mode(mode), reason) if mode in {known.value for known in Mode} else None


class Node:
    """Books, journal and gateways in one event loop."""

    def __init__(
        self,
        configs: tuple[BookConfig, ...],
        journal: Path,
        origin: Origin,
        note: Note,
        on_turns: Callable[[list[tuple[int, Turn]]], None] | None = None,
        budgets: Mapping[VenueId, Budget] | None = None,
        on_ready: Callable[[], None] | None = None,
        watches: Iterable[Watch] = (),
    ) -> None:
        """Open and read the journal. Nothing is sent before `run`.

        Args:
            note: takes a line for people.
            on_turns: told of turns once they are durable and their requests have left.
            budgets: venue -> how many requests each of its accounts may get; the usual where it is not told.
            on_ready: told once, when every book has read from its venues what it needs to trade.
            watches: accounts in which books find their legs.

        Raises:
            JournalError: it cannot be used.
        """
        self._note = note
        self._on_turns = on_turns
        self._on_ready = on_ready
        self._budgets = budgets or {}
        self._watches = {watch.book_id: watch for watch in watches}
        self._loop = asyncio.get_running_loop()
        self.clock = LoopClock(self._loop, origin, self._failed)
        self.store = open_journal(journal, note)
        try:
            check_reach(self.store, configs)
            recovered = recover(self.store, configs, note)
            for each, config in zip(recovered, configs, strict=True):
                check_legs(each.book, config)
            self.last_seq = self._recovered_seq = self.store.last_seq
            self.clock.set_forward(max((each.book.state.last_ts_ns for each in recovered), default=0))
            self.epoch = self.store.start_epoch(max(1, self.clock.now_ns() // NS_PER_S - EPOCHS_BEGIN_S))
        except BaseException:
            self.store.close()
            raise
        for line in self.store.notes:
            note(line)
        self.books: Mapping[BookId, Book] = {each.book.config.book_id: each.book for each in recovered}
        self._configs = {config.book_id: config for config in configs}
        self._recovered = {each.book.config.book_id: each for each in recovered}
        self._gateways: list[Teller] = []
        self._doors: dict[AccountId, Dispatch] = {}
        self._lines: dict[BookId, tuple[dict[LegId, Teller], dict[LegId, Dispatch]]] = {}
        "Of each book that runs, its legs' gateways, and the doors to them."
        self._gateway_of: GatewayOf | None = None
        self._writer = JournalWriter(self.store, self._durable, self._journal_told)
        loop_journal = LoopJournal(self._writer, self._loop.call_soon, self._flushed)
        self._cycle = Cycle(self.clock, loop_journal, self._look_up, self, hurry=loop_journal.hurry)
        self.started_ts_ns = self.clock.now_ns()
        self._stop_asked = asyncio.Event()
        self._hurry = False
        self._exit = EXIT_DONE
        self._is_dead = False
        "The cycle ended by itself: there is nothing to stop in order."
        self._errands: set[asyncio.Task[None]] = set()
        "Short tasks whose end is not the node's."
        self.removed: dict[BookId, Book] = {}
        "Books of the journal that the config no longer has and that still hold something, as they were left."
        self.lag_max_s = 0.0
        self.failure: Exception | None = None
        "What a timer's call raised, of the venues or of ours, and why the node stopped."

    # What the API asks for.

    def now_ns(self) -> int:
        """Return the node's time."""
        return self.clock.now_ns()

    def operate(self, book_id: BookId, command: OperatorCommanded) -> None:
        """Put an operator's order into the book's inbox."""
        self._cycle.deliver(book_id, command)

    def hear(self, book_id: BookId, event: Event) -> None:
        """Put what was learned beside the gateways into the book's inbox."""
        self._cycle.deliver(book_id, event)

    def add_leg(self, book_id: BookId, leg: LegConfig) -> None:
        """Give a book that runs another leg, unless it has one for this."""
        book = self.books[book_id]
        if leg.id in book.legs or book.leg_of(leg.account_id, leg.instrument.id) is not None:
            return
        assert self._gateway_of is not None, book_id
        gateways, doors = self._lines[book_id]
        gateways[leg.id] = self._gateway_of(replace(book.config, legs=(*book.config.legs, leg)), leg.id)
        doors[leg.id] = self._door(leg)
        self._cycle.deliver(book_id, LegAdded(self.clock.now_ns(), leg))
        self._start_leg(book_id, leg)
        if leg.instrument.kind in BOOKED_KINDS:
            gateways[leg.id].catch_up(self.clock.now_ns())

    def turns(self) -> Iterator[tuple[int, Turn]]:
        """Yield every durable turn with its seq, oldest first. For another thread. Raises JournalError."""
        for record in self.store.turns():
            yield record.seq, record.turn

    # Running.

    async def run(
        self,
        gateway_of: GatewayOf,
        tasks: Mapping[str, Work],
        serve: Callable[[Node], Service] | None = None,
    ) -> int:
        """Run until a signal, `stop`, or the end of any task, and return the exit code.

        Args:
            gateway_of: returns the gateway of one leg of a book.
            tasks: name -> what must run as long as the books do, begun after them; the end of one ends the node.
            serve: returns what runs beside the books.
        """
        # The terminal closes, or the line to it drops: a stop as well, unless nohup said otherwise. Ctrl-Z is none.
        numbers = [signal.SIGINT, signal.SIGTERM]
        unless_ignored = (signal.SIGHUP, signal.SIGTSTP)
        numbers += [number for number in unless_ignored if signal.getsignal(number) is not signal.SIG_IGN]
        for number in numbers:
            self._loop.add_signal_handler(number, self._signaled, number)
        self._loop.set_exception_handler(self._unseen)
        try:
            # A Ctrl-C of before, in a long recovery, cancels at the next wait: here, while no book has begun.
            await asyncio.sleep(0)
            service = None if serve is None else serve(self)
        except BaseException:
            for number in numbers:
                self._loop.remove_signal_handler(number)
            self.abandon()
            raise
        try:
            self._start_books(gateway_of)
            running = {asyncio.create_task(work(), name=name) for name, work in tasks.items()}
            running.add(asyncio.create_task(self._watch_lag(), name="loop watchdog"))
            running.add(asyncio.create_task(self._watch_journal(), name="journal watchdog"))
            self._send_out(self._tell_ready(), "ready")
            legs = {book_id: book.config.legs for book_id, book in self.books.items()}
            self._send_out(self._look_back(legs), "look back into the journal")
            if service is not None:
                running.add(asyncio.create_task(service.run(), name="api"))
            await self._until_stop(running)
            if not self._is_dead:
                await self._stop_books()
            if service is not None:
                service.stop()
            await self._end(running)
        finally:
            for number in numbers:
                self._loop.remove_signal_handler(number)
        return self._exit

    def abandon(self) -> None:
        """Close the journal of a node that will not run after all."""
        self._writer.close()
        self.store.close()

    def stop(self) -> None:
        """Ask for a stop in order."""
        self._stop_asked.set()

    def _start_books(self, gateway_of: GatewayOf) -> None:
        self._gateway_of = gateway_of
        for book_id, book in self.books.items():
            gateways, doors = self._lines[book_id] = ({}, {})
            self._cycle.add(book, gateways, doors, self._recovered[book_id].turns)
            now_ns = self.clock.now_ns()
            config = self._with_found(book)
            self._cycle.deliver(book_id, BookStarted(now_ns, self.epoch, config, self._recovered[book_id].faulted))
            for leg in book.config.legs:
                gateways[leg.id] = gateway_of(book.config, leg.id)
                doors[leg.id] = self._door(leg)
            self._restore(book)
            for leg in book.config.legs:
                self._start_leg(book_id, leg)
        if is_limited(self.books.values()):
            self._watch_portfolio()

    def _watch_portfolio(self) -> None:
        """Tell the books of one another, now and every second: prices move what they hold together."""
        self._cycle.tell_portfolio()
        self.clock.call_at(self.clock.now_ns() + NS_PER_S, self._watch_portfolio)

    def _with_found(self, book: Book) -> BookConfig:
        """The book's config, with what it has in legs that were found, as the config judges them now."""
        config = self._configs[book.config.book_id]
        watch = self._watches.get(config.book_id)
        found = [leg for leg in book.config.legs if leg.found]
        if watch is None or not found:
            return config
        judged = [watch.leg(leg.instrument) or replace(leg, adopt=False, adopt_later=False) for leg in found]
        return replace(config, legs=(*config.legs, *(leg for leg in judged if is_used(book, leg))))

    def _start_leg(self, book_id: BookId, leg: LegConfig) -> None:
        gateway = self._lines[book_id][0][leg.id]
        self._gateways.append(gateway)
        gateway.start(leg.id, leg.instrument, self._deliver_to(book_id))

    def _deliver_to(self, book_id: BookId) -> Callable[[LegId, Event], None]:
        deliver = self._cycle.deliver
        return lambda _leg_id, event: deliver(book_id, event)

    def _door(self, leg: LegConfig) -> Dispatch:
        if leg.account_id not in self._doors:
            budget = self._budgets.get(leg.instrument.venue_id, Budget())
            self._doors[leg.account_id] = Dispatch(self.clock, budget)
        return self._doors[leg.account_id]

    def _restore(self, book: Book) -> None:
        """Lift what the last stop did; what an operator or a fault did stays."""
        before = stopped_from(book)
        if before is not None:
            mode, reason = before
            kept = reason.rpartition(KEEPER)[2]
            self._operate(book, _RESTORES[mode], KEEPER + kept if kept and mode is not Mode.RUNNING else STARTER)

    def _operate(self, book: Book, action: Action, principal: str) -> None:
        self._cycle.deliver(book.config.book_id, OperatorCommanded(self.clock.now_ns(), action, principal))

    async def _until_stop(self, running: set[asyncio.Task[None]]) -> None:
        asked = asyncio.create_task(self._stop_asked.wait(), name="stop")
        done, _ = await asyncio.wait({asked, *running}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        for task in running & done:
            error = None if task.cancelled() else task.exception()
            self._note(f"{task.get_name()} ended: {error or 'it should not have'}; stopping")
            self._exit = self._exit or EXIT_DIED

    def _signaled(self, number: int) -> None:
        if number == signal.SIGTSTP:
            self._note("Ctrl-Z is ignored: a stopped node hedges nothing; Ctrl-C stops it in order")
            return
        if self._stop_asked.is_set():
            self._hurry = True
        if number == signal.SIGINT:
            self._exit = self._exit or EXIT_INTERRUPTED
        self._stop_asked.set()

    # Stopping.

    async def _stop_books(self) -> None:
        """Withdraw entries, let hedges end, then withdraw everything: what rests would fill with nobody to hedge it.

        Each book by itself: one that cannot be hedged now must not keep the others' orders standing.
        """
        live = sum(len(orders) for book in self.books.values() for orders in book.live.values())
        self._note(f"stopping  no new orders; {live} live order(s) to end")
        before = {book_id: (book.mode, book.state.mode_reason) for book_id, book in self.books.items()}
        deadline_ns = self.clock.now_ns() + STOP_NS
        # Looked at again and again: books are plain state, and nobody is told of all that moves them.
        while not self._is_over(deadline_ns):
            for book_id, book in self.books.items():
                self._wind_down(book, before[book_id])
            if self._is_quiet() and all(_has_ended(book, before[book_id][0]) for book_id, book in self.books.items()):
                break
            await asyncio.sleep(POLL_S)
        for book_id, book in self.books.items():
            if book.mode is not Mode.HALTED and not self._is_dead:
                self._stop_book(book, Action.HALT, before[book_id])
        # The cancels of the last moment must leave, and be answered where the venue does.
        parted_ns = self.clock.now_ns() + PARTING_NS
        while not self._is_dead and self.clock.now_ns() < parted_ns and not self._is_quiet():  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)
        self._tell_left()

    def _wind_down(self, book: Book, before: tuple[Mode, str]) -> None:
        """Take the next step of a book's stop, when the one before is done."""
        if before[0] is Mode.HALTED or self._is_dead:
            return
        if book.mode is Mode.RUNNING:
            self._stop_book(book, Action.FREEZE, before)
        elif book.mode is Mode.FROZEN and _is_level(book):
            self._stop_book(book, Action.HALT, before)
        elif book.mode is Mode.HALTED and not any(book.live.values()) and not book.is_hedged:
            # An exit has filled on its way out; then the hedge leg must follow once more.
            self._stop_book(book, Action.FREEZE, before)

    def _stop_book(self, book: Book, action: Action, before: tuple[Mode, str]) -> None:
        mode, reason = before
        self._operate(book, action, f"{STOPPER}{mode.value}: {reason}")

    def _is_quiet(self) -> bool:
        """Whether no order works, and all that was decided has left."""
        return not self._writer.backlog_len and not any(any(book.live.values()) for book in self.books.values())

    def _is_over(self, deadline_ns: int) -> bool:
        return self._is_dead or self._hurry or self.clock.now_ns() >= deadline_ns

    def _tell_left(self) -> None:
        for book_id, book in self.books.items():
            live = [order.id for orders in book.live.values() for order in orders.values()]
            if live:
                self._note(f"{book_id}: {len(live)} order(s) could not be proven gone: {', '.join(live)}")
            if not book.is_hedged:
                self._note(f"{book_id}: residual {book.residual} stays open")
            held = [f"{leg_id} {book.net_qty(leg_id):+f}" for leg_id in book.legs if book.net_qty(leg_id)]
            if held:
                self._note(f"{book_id}: {', '.join(held)} held")
            if live or not book.is_hedged:
                # What is left weighs more than who asked for the stop: 130 says that it was a clean one.
                self._exit = EXIT_RESIDUAL if self._exit in (EXIT_DONE, EXIT_INTERRUPTED) else self._exit

    async def _end(self, running: set[asyncio.Task[None]]) -> None:
        """Let nothing leave any more, then make durable what was decided."""
        if self._exit == EXIT_JOURNAL:
            await asyncio.sleep(PARTING_S)
            self._tell_left()
        self._cycle.end()
        for gateway in self._gateways:
            await gateway.stop()
        # The API ends by itself; the others only know being canceled, and none of them sends.
        for task in running:
            if task.get_name() != "api":
                task.cancel()
        for errand in self._errands:
            errand.cancel()
        await asyncio.gather(*running, *self._errands, return_exceptions=True)
        try:
            self._writer.close()
        except JournalError:
            self._exit = EXIT_JOURNAL
        self.last_seq = self._writer.durable_seq
        self.store.close()

    # What the cycle and the journal tell.

    def turned(self, turns: list[tuple[int, Turn]]) -> None:
        """Turns are durable and what they asked for has left. Whoever tells of them must not hold up the books."""
        if self._on_turns is None:
            return
        try:
            self._on_turns(turns)
        except Exception as error:
            self._note(f"a line could not be told, and trading goes on: {type(error).__name__}: {error}")

    def faulted(self, book_id: BookId, error: Exception) -> None:
        """A book broke: stop, sending nothing."""
        self._note(f"{book_id}: broken rule, nothing more is sent: {type(error).__name__}: {error}")
        self._die(EXIT_FAULTED)

    def journal_failed(self, error: JournalError) -> None:
        """The journal is gone: stop; the cancels of what nobody could hedge have left."""
        self._note(f"{error}; what nobody could hedge is being canceled, and the node stops")
        self._die(EXIT_JOURNAL)

    def _die(self, code: int) -> None:
        if not self._is_dead:
            self._is_dead = True
            self._exit = code
        self._stop_asked.set()

    def _unseen(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Tell what a callback of a service raised; the books' own callbacks stop the node by themselves."""
        self._note(f"{context.get('message')}: {context.get('exception')}")

    def _guarded(self, call: Callable[[Any], None], argument: object) -> None:
        try:
            call(argument)
        except Exception as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        self._note(f"{error or type(error).__name__}; stopping")
        self.failure = self.failure or error
        self._exit = self._exit or EXIT_DIED
        self._stop_asked.set()

    def _flushed(self, seq: int) -> None:
        self._guarded(self._cycle.durable, seq)

    def _durable(self, seq: int) -> None:
        """Called in the journal's thread."""
        self._loop.call_soon_threadsafe(self._guarded, self._cycle.durable, seq)

    def _journal_told(self, error: JournalError) -> None:
        """Called in the journal's thread."""
        if isinstance(error, JournalLow):
            self._loop.call_soon_threadsafe(self._guarded, self._cycle.warn, str(error))
        else:
            self._loop.call_soon_threadsafe(self._guarded, self._cycle.journal_broke, error)

    def _look_up(self, book_id: BookId, command: LookUpFill) -> None:
        self._send_out(self._looked_up(book_id, command), "look up a fill")

    def _send_out(self, errand: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(errand, name=name)
        # Kept, or the collector may end it half-way.
        self._errands.add(task)
        task.add_done_callback(self._errand_ended)

    def _errand_ended(self, task: asyncio.Task[None]) -> None:
        self._errands.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self._failed(error)

    async def _looked_up(self, book_id: BookId, command: LookUpFill) -> None:
        fill = command.fill
        try:
            booked = await asyncio.to_thread(
                self.store.find_fill, fill.account_id, fill.instrument_id, fill.trade_id, book_id
            )
        except JournalError as error:
            self._cycle.journal_broke(error)
            return
        self._cycle.deliver(book_id, FillLookedUp(self.clock.now_ns(), fill, booked))

    async def _tell_ready(self) -> None:
        """Tell when every book knows its orders, trades and positions and its links are up."""
        while not all(_is_ready(book) for book in self.books.values()):  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)
        for book in self.books.values():
            alarms = [alarm for alarm in book.state.alarms.values() if alarm.kind is AlarmKind.LEVERAGE]
            if alarms and not holds_something(book):
                self._note(f"{book.config.book_id}: {alarms[0].text.rstrip('.')}; set it there, or change the config")
                self._exit = self._exit or EXIT_REFUSED
                self.stop()
                return
        if self._on_ready is not None and not self._stop_asked.is_set():
            self._on_ready()

    async def _look_back(self, legs: Mapping[BookId, tuple[LegConfig, ...]]) -> None:
        """Find out what the journal has beside the books' state. Beside the books: it may be long."""
        gone: dict[BookId, Book] = {}
        try:
            gone = await asyncio.to_thread(self._gone_books)
        except JournalError as error:
            self._note(f"removed books were not looked for: {error}")
        self._tell_removed({book_id: book for book_id, book in gone.items() if holds_something(book)})
        try:
            since_ns = await asyncio.to_thread(
                missed_since, self.store, self._recovered_seq, legs, gone.values(), self.started_ts_ns
            )
        except JournalError as error:
            self._note(f"funding and interest that came while nothing ran are not asked for: {error}")
            since_ns = {
                (book_id, leg.id): self.started_ts_ns
                for book_id, each in legs.items()
                for leg in each
                if leg.instrument.kind in BOOKED_KINDS
            }
        for (book_id, leg_id), leg_since_ns in since_ns.items():
            self._lines[book_id][0][leg_id].catch_up(leg_since_ns)

    def _tell_removed(self, removed: dict[BookId, Book]) -> None:
        """Tell what a book that was removed or renamed has left: nobody hedges it."""
        self.removed = removed
        for book_id, book in removed.items():
            held = [
                f"{book.net_qty(leg_id):+f} {leg.instrument.id} in {leg.account_id}"
                for leg_id, leg in book.legs.items()
                if book.net_qty(leg_id)
            ]
            live = sum(len(orders) for orders in book.live.values())
            if live:
                held.append(f"{live} order(s) not proven gone")
            self._note(
                f"REMOVED   {book_id} is not in the config any more, and by the journal it still has {', '.join(held)}:"
                " nobody hedges or exits that. Put the book back under this name, and flatten it before it goes"
            )

    def _gone_books(self) -> dict[BookId, Book]:
        """Called in another thread."""
        gone = [book_id for book_id in self.store.book_ids(self._recovered_seq) if book_id not in self.books]
        return {book_id: recall(self.store, book_id) for book_id in gone}

    async def _watch_journal(self) -> None:
        """Find out when the journal is gone: what nobody finds again cannot be gone on with."""
        while True:
            await asyncio.sleep(PLACE_CHECK_S)
            try:
                self.store.check_place()
            except JournalError as error:
                self._cycle.journal_broke(error)
                # The end of a task would be told as one.
                await asyncio.Event().wait()

    async def _watch_lag(self) -> None:
        """Find out when the loop stands still, and when the machine's clock leaves the node's."""
        told_ns = 0
        while True:
            due_s = self._loop.time() + LAG_CHECK_S
            await asyncio.sleep(LAG_CHECK_S)
            lag_s = self._loop.time() - due_s
            self.lag_max_s = max(self.lag_max_s, lag_s)
            if lag_s > LAG_TOLD_S:
                self._note(f"the event loop stood still for {lag_s * 1000:.0f} ms; hedges wait meanwhile")
            stepped_ns = self.clock.stepped_ns()
            if abs(stepped_ns - told_ns) >= STEP_TOLD_NS:
                told_ns = stepped_ns
                self._note(
                    f"ALARM     this machine's clock was moved by {stepped_ns / NS_PER_S:+.1f} s since the start: it"
                    " was set, or the machine slept. Hours and the age of signals go by the node's own: start it again"
                )


def _is_level(book: Book) -> bool:
    """Whether nothing that adds risk works, and nothing is owed."""
    if book.mode is Mode.HALTED:
        return True
    for orders in book.live.values():
        if any(order.role is Role.ENTRY or not order.slot for order in orders.values()):
            return False
    return book.is_hedged and book.mode is not Mode.FLATTENING


def _has_ended(book: Book, before: Mode) -> bool:
    """Whether a stop has nothing left to do for a book without live orders."""
    return before is Mode.HALTED or (book.mode is Mode.HALTED and book.is_hedged)


def _is_ready(book: Book) -> bool:
    unpinned = [leg_id for leg_id in book.unpinned if f"{AlarmKind.LEVERAGE.value}/{leg_id}" not in book.state.alarms]
    return not (book.unreconciled or book.unassigned or book.state.links_down or unpinned)
