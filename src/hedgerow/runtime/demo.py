"""`hedgerow demo`: two hedges kept on two simulated venues, through a dropped fill, a dead venue, a lost answer and a
killed engine; then what it came to, by the venues' own records and by the journal.

The venues live here; the engine is a process of its own, because it is killed with SIGKILL.
"""

from __future__ import annotations

import asyncio
import errno
import os
import random
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import TextIO

import msgspec

import hedgerow
from hedgerow.core.config import NS_PER_MS, NS_PER_S, BookConfig
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.model.ids import AccountId, BookId, VenueId
from hedgerow.model.numbers import ZERO
from hedgerow.model.order import Side
from hedgerow.runtime.clock import LoopClock, Origin, origin_now
from hedgerow.runtime.config import load
from hedgerow.runtime.engine import READY, Orders
from hedgerow.runtime.folder import JOURNAL_FILE, SOCKET_PATH_MAX
from hedgerow.runtime.node import EXIT_DONE, EXIT_INTERRUPTED, EXIT_RESIDUAL
from hedgerow.runtime.node_config import NodeConfig
from hedgerow.runtime.outlet import Outlet
from hedgerow.runtime.simulated import open_venues
from hedgerow.runtime.story import Line, Story, duration, told
from hedgerow.runtime.truth import Unhedged, Venues
from hedgerow.venues.sim_server import SimServer
from hedgerow.venues.sim_venues import SimVenues

EXIT_WRONG, EXIT_NOT_HEDGED = 1, 3
SECONDS = 36
SECONDS_MIN = 24
"Each fault needs time to heal before the next."
FAST_SPEED = 8
# The venue that makes has a wide market, the one that hedges a narrow one: where a hedged maker earns.
SPREADS_BPS = {VenueId("simA"): Decimal(8), VenueId("simB"): Decimal("0.5")}
WORLD_FILE, SOCKET_FILE = "demo.yaml", "venues.sock"
DARK_NS = 3 * NS_PER_S
# When each step of the script begins, in thousandths of the whole time.
SHARES = (100, 270, 520, 690)
STEPS = len(SHARES)
POLL_S = 0.005
# Longer than a clean stop of the engine takes at the worst.
STOP_LIMIT_S = 30
CENT = Decimal("0.01")


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What the demo came to. Times and money are those of its own clock and venues."""

    schema: str = "hedgerow.demo/1"
    ok: bool
    "Ended hedged, and venues and journal agree."
    seed: int
    seconds: int
    speed: int
    fills: int
    "Fills of lead legs."
    hedged: int
    "Those of them whose exposure was offset in the end."
    residual: Decimal
    "What is not offset at the end, of all books, quote, >= 0; what no legal order could offset is hedged."
    residuals: dict[BookId, Decimal]
    "Book -> what is held and not offset at the end, hedge units, signed."
    worst_residual: Decimal
    "What the largest residual of any book was worth, quote."
    worst_residual_qty: Decimal
    "That residual, base units."
    worst_residual_book: str
    worst_unhedged_ms: int
    "The longest time that any book was unhedged."
    restarts: int
    faults: int
    pnl: Decimal
    "Of both books, quote, at the venues' marks: realized + unrealized + funding - fees."
    disagreements: list[str]
    "Between the venues' records and the journal."
    explain: str
    "An order that is worth explaining."
    state: str
    "The folder with the journal of this run."


class DemoFailed(Exception):
    """The demo cannot begin, or cannot go on; the text says why, the code is one of the table of errors."""

    def __init__(self, detail: str, code: str = "HR-502") -> None:
        super().__init__(detail)
        self.code = code


def run_demo(
    seed: int = 42,
    seconds: int | None = None,
    fast: bool = False,
    as_json: bool = False,
    out: TextIO = sys.stdout,
    err: TextIO = sys.stderr,
    state: Path | None = None,
) -> int:
    """Run the demo and return the exit code: 0 hedged, 1 something is wrong, 3 not hedged, 130 interrupted.

    It also ends, in order, when nobody reads `out` any more.

    Args:
        seed: decides market and faults.
        seconds: how long it runs, by its own clock; None takes the usual time.
        fast: lets its clock run faster than life.
        as_json: prints one object to `out` and nothing else.
        state: keeps the journal there, in place of a new folder among the temporary files.

    Raises:
        DemoFailed: it could not begin, and nothing was changed; or it broke off.
    """
    if state is not None and (state / JOURNAL_FILE).exists():
        raise DemoFailed(f"{state} holds a journal already", "HR-503")
    folder = state or Path(tempfile.mkdtemp(prefix="hedgerow-demo-"))
    demo = _Demo(seed, max(seconds or SECONDS, SECONDS_MIN), FAST_SPEED if fast else 1, as_json, folder)
    return asyncio.run(demo.run(out, err))


class _Demo:
    """One run of the demo."""

    def __init__(self, seed: int, seconds: int, speed: int, as_json: bool, folder: Path) -> None:
        self._seed = seed
        self._seconds = seconds
        self._speed = speed
        self._as_json = as_json
        self._folder = folder
        self._rng = random.Random(f"{seed} script")
        self._restarts = 0
        self._faults = 0
        self._killed = False
        self._is_ready = False
        "The engine has read what it needs from the venues."
        self._interrupted = asyncio.Event()
        self._is_heard = True
        "Somebody reads what is told."
        self._outlet: Outlet
        self._errors: list[Exception] = []
        self._config: NodeConfig
        self._origin: Origin
        self._clock: LoopClock
        self._venues: SimVenues
        self._engine: asyncio.subprocess.Process | None = None
        self._pipes: list[asyncio.Task[None]] = []

    async def run(self, out: TextIO, err: TextIO) -> int:
        """Play the script, stop in order, and tell what it came to."""
        loop = asyncio.get_running_loop()
        self._outlet = Outlet(out, err, lambda: _call_in(loop, self._unheard))
        try:
            return await self._run(loop)
        finally:
            self._outlet.close()

    async def _run(self, loop: asyncio.AbstractEventLoop) -> int:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._interrupted.set)
        self._open()
        server = SimServer(self._venues)
        # A folder of its own, because the path of a socket must be short.
        is_short = len(os.fsencode(tempfile.gettempdir())) < SOCKET_PATH_MAX // 2
        socket_folder = Path(tempfile.mkdtemp(prefix="hr-", dir=None if is_short else "/tmp"))
        try:
            self._socket = socket_folder / SOCKET_FILE
            await server.start(self._socket)
            self._venues.start()
            self._introduce()
            try:
                await self._start_engine()
                await self._play()
                await self._stop_engine()
            finally:
                await self._make_sure_it_ended()
            return self._finish()
        finally:
            self._venues.stop()
            await server.stop()
            shutil.rmtree(socket_folder, ignore_errors=True)
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def _unheard(self) -> None:
        """The reader went away (`| head`): a demo that nobody watches ends."""
        self._is_heard = False
        self._interrupted.set()

    def _open(self) -> None:
        world = self._folder / WORLD_FILE
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            world.write_text(files("hedgerow.runtime").joinpath("demo_world.yaml").read_text("utf-8"), "utf-8")
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise
            raise DemoFailed(f"{self._folder} cannot be used: {error.strerror}", "HR-205") from None
        config = load(world, self._folder)
        self._config = msgspec.structs.replace(config, seed=self._seed)
        self._origin = origin_now(self._speed)
        self._clock = LoopClock(asyncio.get_running_loop(), self._origin, self._errors.append)
        self._venues = open_venues(self._config, self._clock, spreads_bps=SPREADS_BPS)

    # Telling.

    def _failed(self, why: str) -> DemoFailed:
        return DemoFailed(f"the demo broke off: {why}; its journal is in {self._folder}")

    def _note(self, text: str) -> None:
        if not self._as_json:
            self._outlet.note(text)

    def _say(self, text: str) -> None:
        if not self._as_json:
            self._outlet.say(text)

    def _chaos(self, text: str) -> None:
        self._faults += 1
        self._say(told(Line(self._clock.now_ns(), "chaos", f"{text} (step {self._faults} of {STEPS})")))

    def _introduce(self) -> None:
        pace = "" if self._speed == 1 else f"  {self._speed} times faster than life"
        self._note(f"hedgerow {hedgerow.__version__}  SIM  seed {self._seed}  no keys, no network{pace}\n")
        for index, book in enumerate(self._config.books):
            rule = book.hedge
            assert rule is not None, book.book_id
            accounts = f"{book.leg(rule.lead).account_id} → {book.leg(rule.hedge).account_id}"
            self._note(f"  {'books' if index == 0 else '':<11} {book.book_id}  {book.policy}  {accounts}")
        self._note(f"  {'journal':<11} {self._config.journal}\n")

    # The engine.

    async def _start_engine(self) -> None:
        orders = Orders(str(self._folder / WORLD_FILE), str(self._folder), str(self._socket), self._origin)
        engine = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "hedgerow.runtime.engine",
            msgspec.json.encode(orders).decode(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(),
            # Ctrl-C is for this process, which then stops the engine in order.
            start_new_session=True,
        )
        self._engine, self._killed, self._is_ready = engine, False, False
        assert engine.stdout is not None
        assert engine.stderr is not None
        self._pipes += [
            asyncio.create_task(_relay(engine.stdout, self._say), name="engine's lines"),
            asyncio.create_task(_relay(engine.stderr, self._hear), name="engine's notes"),
        ]
        await self._until(self._is_trading, "the engine did not begin to trade")

    def _hear(self, text: str) -> None:
        if text == READY:
            self._is_ready = True
        else:
            self._note(text)

    def _is_trading(self) -> bool:
        # What rests may have been left by the engine before it.
        return self._is_ready and any(self._resting(book.book_id) for book in self._config.books)

    async def _stop_engine(self) -> None:
        assert self._engine is not None, "no engine was started"
        self._say(told(Line(self._clock.now_ns(), "close", "no new entries; residuals settle, resting orders end")))
        self._killed = True
        self._engine.terminate()
        try:
            code = await asyncio.wait_for(self._engine.wait(), STOP_LIMIT_S)
        except TimeoutError:
            raise self._failed(f"the engine did not stop within {STOP_LIMIT_S} s") from None
        await asyncio.gather(*self._pipes)
        # It may have been told to stop before it was ready to hear it; what that left is judged below.
        if code not in (EXIT_DONE, EXIT_RESIDUAL, -signal.SIGTERM):
            raise self._failed(f"the engine ended with exit code {code}")

    async def _make_sure_it_ended(self) -> None:
        if self._engine is not None and self._engine.returncode is None:
            self._killed = True
            self._engine.kill()
            await self._engine.wait()

    # The script.

    async def _play(self) -> None:
        """Each step begins at its share of the time, a little moved by the seed."""
        steps = [self._drop_a_fill, self._kill_a_venue, self._lose_an_answer, self._kill_the_engine]
        begin_ns = self._clock.now_ns()
        for share, step in zip(SHARES, steps, strict=True):
            at = self._seconds * NS_PER_S * (share + self._rng.randrange(-20, 21)) // 1000
            await self._sleep_until(begin_ns + at)
            if not self._interrupted.is_set():
                await step()
        await self._sleep_until(begin_ns + self._seconds * NS_PER_S)

    async def _drop_a_fill(self) -> None:
        book_id = await self._book_at_rest()
        lead = self._account(book_id)
        self._chaos(f"{lead}: the stream loses the next fill")
        self._venues.drop_next_fill(lead)
        self._hit(book_id)

    async def _kill_a_venue(self) -> None:
        book_id = await self._book_at_rest()
        venue_id = VenueId("simB")
        self._chaos(f"{venue_id} is dead for {DARK_NS // NS_PER_S} s: no answer, no stream, no quotes")
        self._venues.go_dark(venue_id, DARK_NS)
        self._hit(book_id)

    async def _lose_an_answer(self) -> None:
        book_id = await self._book_at_rest()
        hedge = self._account(book_id, is_hedge=True)
        self._chaos(f"{hedge}: takes the next order and its answer is lost")
        self._venues.lose_next_answer(hedge)
        self._hit(book_id)

    async def _kill_the_engine(self) -> None:
        book_id = await self._book_at_rest()
        assert self._engine is not None, "no engine was started"
        self._chaos("kill -9 of the engine, just when a fill is on its way")
        self._hit(book_id)
        self._killed = True
        self._engine.kill()
        await self._engine.wait()
        self._restarts += 1
        await self._start_engine()

    async def _book_at_rest(self) -> BookId:
        """Return a book whose lead leg has a resting order, and whose hedge is level: one fault at a time is seen."""
        book_id = self._rng.choice([book.book_id for book in self._config.books])
        others = [book.book_id for book in self._config.books if book.book_id != book_id]

        def at_rest() -> bool:
            return any(self._resting(each) and self._is_level(each) for each in (book_id, *others))

        await self._until(at_rest, "no lead leg has an order at rest")
        return next((each for each in (book_id, *others) if self._resting(each) and self._is_level(each)), book_id)

    def _account(self, book_id: BookId, *, is_hedge: bool = False) -> AccountId:
        book = self._book(book_id)
        rule = book.hedge
        assert rule is not None, book_id
        return book.leg(rule.hedge if is_hedge else rule.lead).account_id

    def _resting(self, book_id: BookId) -> Side | None:
        """Return on which side the lead leg's oldest order rests, by the venue's own record; None without one."""
        book = self._book(book_id)
        assert book.hedge is not None, book_id
        leg = book.leg(book.hedge.lead)
        orders = self._venues.exchanges[leg.instrument.venue_id].open_orders(leg.account_id, leg.instrument.id)
        return orders[0].side if orders else None

    def _is_level(self, book_id: BookId) -> bool:
        book = self._book(book_id)
        found = Venues(self._config, dict(self._venues.exchanges)).unhedged(book, self._clock.now_ns())
        return found.fills == found.hedged

    def _hit(self, book_id: BookId) -> None:
        """Somebody trades through the lead leg's resting order."""
        side = self._resting(book_id)
        book = self._book(book_id)
        assert book.hedge is not None, book_id
        instrument = book.leg(book.hedge.lead).instrument
        exchange = self._venues.exchanges[instrument.venue_id]
        mark = exchange.quote(instrument.id).mark
        if side is None or mark is None:
            return
        # One percent through the middle: nothing of ours rests that far away.
        far = mark * 99 / 100 if side is Side.BUY else mark * 101 / 100
        price = instrument.passive_price(far, side)
        exchange.trade(self._clock.now_ns(), instrument.id, price, instrument.step, side.opposite)
        self._venues.settle()

    async def _sleep_until(self, ts_ns: int) -> None:
        while self._clock.now_ns() < ts_ns and not self._interrupted.is_set():
            self._check()
            await asyncio.sleep(min(POLL_S * 4, max(0.0, (ts_ns - self._clock.now_ns()) / NS_PER_S / self._speed)))

    async def _until(self, is_true: Callable[[], bool], what: str) -> None:
        limit_ns = self._clock.now_ns() + 60 * NS_PER_S * self._speed
        while not is_true() and not self._interrupted.is_set():
            self._check()
            if self._clock.now_ns() > limit_ns:
                raise self._failed(what)
            await asyncio.sleep(POLL_S)

    def _check(self) -> None:
        if self._errors:
            raise self._errors[0]
        if self._engine is not None and self._engine.returncode is not None and not self._killed:
            raise self._failed(f"the engine ended by itself, with exit code {self._engine.returncode}")

    # What it came to.

    def _finish(self) -> int:
        if self._interrupted.is_set() and not self._config.journal.exists():
            return EXIT_INTERRUPTED
        story = Story()
        store = SqliteStore(self._config.journal, read_only=True)
        try:
            story.follow((record.seq, record.turn) for record in store.turns())
        finally:
            store.close()
        venues = Venues(self._config, dict(self._venues.exchanges))
        end_ns = self._clock.now_ns()
        found = {book.book_id: venues.unhedged(book, end_ns) for book in self._config.books}
        result = self._result(story, venues, found)
        if self._as_json:
            self._outlet.say(msgspec.json.encode(result).decode())
        else:
            self._tell(result, found)
        if result.disagreements:
            return EXIT_WRONG
        if not result.ok:
            return EXIT_NOT_HEDGED
        return EXIT_INTERRUPTED if self._interrupted.is_set() and self._is_heard else EXIT_DONE

    def _result(self, story: Story, venues: Venues, found: dict[BookId, Unhedged]) -> Result:
        worst_id, worst = max(found.items(), key=lambda item: item[1].worst_notional)
        disagreements = venues.disagreements(story)
        fills = sum(each.fills for each in found.values())
        hedged = sum(each.hedged for each in found.values())
        if fills != story.fills:
            disagreements.append(f"the venues have {fills} fills of lead legs, the journal {story.fills}")
        is_hedged = fills == hedged and all(book.is_hedged for book in story.books.values())
        return Result(
            ok=is_hedged and not disagreements,
            seed=self._seed,
            seconds=self._seconds,
            speed=self._speed,
            fills=fills,
            hedged=hedged,
            residual=sum((self._worth(venues, *item) for item in found.items()), ZERO).quantize(CENT),
            residuals={book_id: each.residual for book_id, each in found.items()},
            worst_residual=worst.worst_notional.quantize(CENT),
            worst_residual_qty=worst.worst_qty,
            worst_residual_book=worst_id,
            worst_unhedged_ms=max(each.longest_ns for each in found.values()) // NS_PER_MS,
            restarts=self._restarts,
            faults=self._faults,
            pnl=sum((venues.pnl(book) for book in self._config.books), ZERO).quantize(CENT),
            disagreements=disagreements,
            explain=story.slowest_order or story.last_order,
            state=str(self._folder),
        )

    def _worth(self, venues: Venues, book_id: BookId, found: Unhedged) -> Decimal:
        """What the residual of a book is worth, unless it is less than an order."""
        book = self._book(book_id)
        assert book.hedge is not None, book_id
        instrument = book.leg(book.hedge.hedge).instrument
        mark = venues.mark(instrument.id)
        residual = abs(found.residual)
        return ZERO if residual < instrument.smallest_qty(mark) else instrument.notional(residual, mark)

    def _book(self, book_id: BookId) -> BookConfig:
        return next(book for book in self._config.books if book.book_id == book_id)

    def _tell(self, result: Result, found: dict[BookId, Unhedged]) -> None:
        how = "stopped cleanly" if result.ok else "NOT HEDGED"
        worst = f"worst residual ${result.worst_residual:,}, longest {duration(result.worst_unhedged_ms * NS_PER_MS)}"
        self._say(
            f"\n{how}: {result.fills} fills, {result.hedged} hedged, {worst},"
            f" {result.faults} faults, {result.restarts} restart, P&L {result.pnl:+} USD"
        )
        for book_id, each in found.items():
            worst = f"worst {each.worst_qty:f} (${each.worst_notional:,.0f}), longest {duration(each.longest_ns)}"
            self._say(f"  {book_id:<11} {each.fills} fills, {each.hedged} hedged, residual {each.residual:f}, {worst}")
        for text in result.disagreements:
            self._say(f"  DISAGREE    {text}")
        if not result.disagreements:
            self._say("  venues and journal agree: every trade, position and cent")
        state = f"--state {shlex.quote(result.state)}"
        self._say(f"next:  ./hr explain {result.explain} {state}\n       ./hr status {state}\n       ./hr --help")


def _call_in(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    """Called in another thread."""
    loop.call_soon_threadsafe(call)


def _environment() -> dict[str, str]:
    """The engine must be this same program, from wherever this one was imported."""
    path = [str(Path(hedgerow.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in path if part)}


async def _relay(stream: asyncio.StreamReader, say: Callable[[str], None]) -> None:
    """Pass on what the engine prints; a line that was cut by its death is passed on as it is."""
    while line := await stream.readline():
        say(line.decode("utf-8", "replace").rstrip("\n"))
