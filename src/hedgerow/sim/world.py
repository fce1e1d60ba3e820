"""One world: two venues, a book or two, their engines, people and a market, from one seed and in virtual time.

First everything that this seed has goes wrong; then all heals, and the book must converge within a bounded time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from decimal import Decimal
from heapq import heappop, heappush
from random import Random
from typing import Any

import msgspec

from hedgerow import strategies
from hedgerow.core import apply
from hedgerow.core.book import Book
from hedgerow.core.config import BookConfig
from hedgerow.core.events import Action, OperatorCommanded
from hedgerow.journal.errors import JournalError
from hedgerow.market.exchange import SimExchange
from hedgerow.market.fees import Fees
from hedgerow.market.rules import SelfTrade, VenueRules
from hedgerow.model.ids import AccountId, InstrumentId, LegId, VenueId
from hedgerow.model.instrument import Instrument, InstrumentKind
from hedgerow.model.market import Level
from hedgerow.model.numbers import ONE, ZERO
from hedgerow.model.order import Side
from hedgerow.runtime.dispatch import Budget
from hedgerow.sim.engine import FOUND_MS_MAX, Crash, Engine
from hedgerow.sim.faults import Fault, Faults
from hedgerow.sim.line import Line
from hedgerow.sim.oracle import Oracle
from hedgerow.sim.plot import FAR, NEAR, PRICE, START_NS, Draw, Plot
from hedgerow.sim.site import Site
from hedgerow.sim.violation import Violation

NS_PER_MS = 1_000_000
HEAL_S_MAX = 120
"Virtual seconds within which a healed world must converge."
CHECK_MS = 700
CALLS_MAX = 20_000
"Events, timers and deliveries; a world beyond this is a livelock, and some thousands are usual."
ALONE_S_MAX = 20
"Virtual seconds for which one leg of a pair may stand alone: longer than any round lasts."
COULD_BE_ORDERED = "could be ordered"
"How the oracle ends what it says of a residual."
QUIET_CHECKS = 2
"Checks in a row that must find nothing before a world counts as converged."
BUDGETS = (Budget(), Budget(), Budget(), Budget(25, 25, 10))
"How many requests the venues take, each as often as it stands here: some let a burst wait."
MEMORY = "CLOSED_ORDERS_MAX"
SLIPPAGE = Decimal("0.98")
"More than any cap on slippage in these worlds."


class WorldReport(msgspec.Struct, frozen=True):
    """What one seed gave."""

    seed: int
    violations: tuple[Violation, ...]
    events: int
    requests: int
    faults: dict[str, int]
    "Kind -> how often it happened; kinds that did not are left out."
    crashes: int
    virtual_ms: int
    digest: str
    "Hash of the journal's last record: the whole journal in one number."


class World:
    """Everything of one seed. Nothing in it reads a clock, and all chance comes from `rng`."""

    def __init__(
        self, seed: int, only: frozenset[Fault] | None = None, trace: Callable[[str], None] | None = None
    ) -> None:
        self.seed = seed
        self.rng = Random(seed)
        self.now_ns = START_NS
        self.events = 0
        self.requests = 0
        self.crashes = 0
        self.trace = trace
        self.faults = Faults(self.rng, only)
        self._heap: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._calls = 0
        self._connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._read_seq = 0
        self._requests_of_people = 0
        self._healed = False
        self._windows: dict[Fault, int] = {}
        "What the market is like for now, and for how many reasons at once."
        self._finales: dict[str, str] = {}
        self._last_traded: dict[str, tuple[int, int]] = {}
        "Tag -> trades of the book, and since when there are so many."
        self._broken: list[Violation] = []
        self._restarted = False
        self._orders_at_rest = 0
        self._quiet_checks = 0
        self._done = False
        self.price = PRICE
        self._basis = ONE
        "Price of the hedge leg's venue as a ratio of the other's."
        self.plots = Draw(self.rng).plots()
        self.budget = self._pick(*BUDGETS)
        self.oracles = {plot.tag: _oracle(plot) for plot in self.plots}
        self._sites = {venue_id: Site(self._exchange(venue_id)) for venue_id in (NEAR, FAR)}
        self.lines = {plot.tag: self._lines_of(plot) for plot in self.plots}
        self._all_lines = [line for lines in self.lines.values() for line in lines.values()]
        self._engine: Engine | None = None
        self._engines: list[Engine] = []

    # Time.

    def call_at(self, ts_ns: int, call: Callable[..., None], *args: Any) -> None:
        """Call later, in order of time, then of asking."""
        self._calls += 1
        heappush(self._heap, (ts_ns, self._calls, call, args))

    def _after_ms(self, delay_ms: int, call: Callable[..., None], *args: Any) -> None:
        self.call_at(self.now_ns + delay_ms * NS_PER_MS, call, *args)

    def run(self) -> WorldReport:
        """Live through the whole of this world and return what it gave."""
        fault_ms = self.rng.randrange(12_000, 30_000)
        self._start_engine()
        self._after_ms(1, self._move_market)
        self._after_ms(500, self._beat)
        for plot in self.plots:
            if strategies.takes_signals(plot.config):
                self._after_ms(1_000, self._signal, plot)
        for kind in self.faults.spacings_ms:
            self._after_ms(self.faults.next_ms(kind), self._strike, kind)
        self._after_ms(fault_ms, self._heal)
        # A short memory for closed orders lets even a small world ask the journal about late messages.
        remembered: int = vars(apply)[MEMORY]
        setattr(apply, MEMORY, self._pick(1, 4, remembered))
        try:
            self._run()
        finally:
            setattr(apply, MEMORY, remembered)
        return self.report()

    def _run(self) -> None:
        heap, oracles = self._heap, list(self.oracles.values())
        # One broken rule is enough: what a broken engine does next may have no end.
        while heap and not self._done and not self._broken and not any(o.violations for o in oracles):
            self.now_ns, _, call, args = heappop(heap)
            call(*args)
            if self._calls > CALLS_MAX:
                self.broken("livelock", f"{self.events} events, {self._calls} calls")

    def report(self) -> WorldReport:
        """Close this world and return what it gave."""
        row = self._connection.execute("SELECT hash FROM turn ORDER BY seq DESC LIMIT 1").fetchone()
        self._connection.close()
        return WorldReport(
            self.seed,
            tuple(self.violations),
            self.events,
            self.requests,
            {kind.value: count for kind, count in self.faults.counts.items() if count},
            self.crashes,
            (self.now_ns - START_NS) // NS_PER_MS,
            row[0].hex() if row else "",
        )

    @property
    def violations(self) -> list[Violation]:
        """Return every broken rule, of the world as a whole and of each book."""
        return self._broken + [each for oracle in self.oracles.values() for each in oracle.violations]

    def broken(self, rule: str, text: str) -> None:
        """A rule broke that is no book's own."""
        self._broken.append(Violation(self.now_ns, rule, text))

    # Setting up.

    def _pick(self, *choices: Any) -> Any:
        return choices[self.rng.randrange(len(choices))]

    def _exchange(self, venue_id: VenueId) -> SimExchange:
        """Open a venue with everything that is traded there, and the accounts with what they hold at first."""
        legs = [(plot, leg) for plot in self.plots for leg in plot.config.legs if leg.instrument.venue_id == venue_id]
        # Where the taker gave way, a resting order of one book would keep another's exit out for as long as it rests.
        taker_gives_way = self.rng.randrange(2) and not any(leg.shared for _, leg in legs)
        rules = VenueRules(
            SelfTrade.EXPIRE_TAKER if taker_gives_way else SelfTrade.EXPIRE_MAKER,
            post_only_refused=self.rng.randrange(2) == 0,
        )
        instruments = {leg.instrument.id: leg.instrument for _, leg in legs}
        exchange = SimExchange(venue_id, tuple(instruments.values()), rules, self.rng.randrange(1 << 30))
        balances: dict[AccountId, dict[str, Decimal]] = {}
        for _, leg in legs:
            owned = balances.setdefault(leg.account_id, {"USD": Decimal(10) ** 10})
            if not _is_margined(leg.instrument):
                owned[leg.instrument.base] = ZERO if leg.adopt else leg.instrument.step * 10**6
        for account_id, balance in balances.items():
            fees = Fees(self._pick(ZERO, Decimal("-0.0001"), Decimal("0.0002")), self._pick(ZERO, Decimal("0.0005")))
            exchange.open_account(account_id, balance, fees, leverage=Decimal(10))
        for instrument in instruments.values():
            lot = max(instrument.smallest_qty(PRICE), *(plot.qty for plot, leg in legs if leg.instrument == instrument))
            exchange.set_book(self.now_ns, instrument.id, [(PRICE - instrument.tick, lot)], [(PRICE, lot)])
        for plot, leg in legs:
            held = plot.held.get(leg.id, ZERO)
            if leg.adopt and _is_margined(leg.instrument) and held:
                side = Side.BUY if held > 0 else Side.SELL
                exchange.foreign_trade(leg.account_id, leg.instrument.id, side, abs(held), venue_made=True)
            elif leg.adopt and held:
                exchange.endow(leg.account_id, leg.instrument.id, held, PRICE)
        for plot in self.plots:
            if venue_id in plot.config.sessions:
                exchange.set_sessions(plot.config.sessions[venue_id])
        exchange.drain()
        return exchange

    def _lines_of(self, plot: Plot) -> dict[LegId, Line]:
        lines: dict[LegId, Line] = {}
        for leg in plot.config.legs:
            site = self._sites[leg.instrument.venue_id]
            lines[leg.id] = Line(self, site, plot, leg, self.oracles[plot.tag])
            site.lines.append(lines[leg.id])
        return lines

    # Engines.

    def read_journal(self) -> None:
        """Give each oracle what became durable of its book."""
        rows = self._connection.execute(
            "SELECT seq, book_id, body FROM turn WHERE seq > ? ORDER BY seq", (self._read_seq,)
        ).fetchall()
        if not rows:
            return
        self._read_seq = rows[-1][0]
        for plot in self.plots:
            bodies = [body for _, book_id, body in rows if book_id == plot.config.book_id]
            self.oracles[plot.tag].read(self.now_ns, bodies)
        for seq, book_id, body in rows if self.trace is not None else ():
            self.note(f"turn {seq} {book_id} {_told(body)}")

    def note(self, text: str) -> None:
        if self.trace is not None:
            self.trace(f"{(self.now_ns - START_NS) / 1e9:9.4f} {text}")

    def _start_engine(self) -> None:
        if self._engine is not None and not self._engine.dead:
            return
        self._start_another()

    def _start_another(self) -> None:
        offset_ns = 0
        if self.faults.strikes(Fault.CLOCK_STEP):
            # Back by up to an hour; forward no further than what leases allow for.
            offset_ns = self._pick(-self.rng.randrange(3_600_000), self.rng.randrange(400)) * NS_PER_MS
        engine = Engine(self, self._connection, offset_ns)
        self._engine = engine
        self._engines = [each for each in self._engines if not each.dead]
        self._engines.append(engine)
        self.note("an engine starts")
        try:
            engine.start()
        except (Crash, JournalError):
            self.crashed(engine)

    def current_config(self, plot: Plot) -> BookConfig:
        """Return a book's config with the filters now in force: each start reads them from the venues."""
        lines = self.lines[plot.tag]
        legs = tuple(
            msgspec.structs.replace(leg, instrument=lines[leg.id].instrument)
            for leg in plot.config.legs
            if not leg.found
        )
        return msgspec.structs.replace(plot.config, legs=legs)

    def crashed(self, engine: Engine) -> None:
        """An engine process died: what it had not committed is gone, and something starts it again."""
        self.note("an engine dies")
        engine.die()
        self.crashes += 1
        self._after_ms(self.rng.randrange(5, 2_500), self._start_engine)

    def command(self, plot: Plot, action: Action, *, accept_drift: bool = False, detail: str = "") -> None:
        """An operator gives an order to a book, sometimes twice by a double click."""
        engine = self._engine
        if engine is None or engine.dead:
            return
        self._requests_of_people += 1
        request_id = f"r{self._requests_of_people}"
        made_ns = engine.clock.now_ns() if action is Action.SIGNAL else 0
        for leg_id, line in self.lines[plot.tag].items() if accept_drift else ():
            ledger = engine.books[plot.config.book_id].state.ledgers.get(leg_id)
            if ledger is not None and ledger.drift_net_qty != 0 and not line.is_foreign_traded:
                line.is_misjudged = True
        for _ in range(1 + (self.rng.randrange(4) == 0)):
            engine.deliver(
                plot.config.book_id, OperatorCommanded, action, "operator", request_id, accept_drift, detail, made_ns
            )

    # The market.

    def _move_market(self) -> None:
        rng = self.rng
        thin = Fault.THIN_BOOK in self._windows
        if not self._healed:
            self.price += Decimal(rng.randrange(-20, 21)) / 100
            if rng.randrange(12) == 0:
                self._basis = ONE if self._basis < 1 else Decimal("0.94")
        moved: set[InstrumentId] = set()
        for line in self._all_lines:
            if line.instrument.id in moved:
                line.show_quote()
                continue
            moved.add(line.instrument.id)
            tick = line.instrument.tick
            offset = 0 if self._healed else rng.randrange(-2, 3)
            price = self.price * self._basis if line.instrument.venue_id == FAR else self.price
            middle = price // tick * tick + tick * offset
            step, lot = line.instrument.step, max(line.plot.qty, line.instrument.min_qty)
            depth = 1 if thin else 5
            bids: list[Level] = []
            asks: list[Level] = []
            for level in range(depth):
                if self._healed:
                    qty = lot * 1000
                elif thin or Fault.IOC_REMAINDER in self._windows:
                    qty = step * rng.randrange(1, 4)
                else:
                    qty = lot * rng.randrange(1, 6)
                bids.append((middle - tick * (1 + level), qty))
                asks.append((middle + tick * (1 + level), qty))
            line.move_market(bids, asks)
            if not self._healed:
                self._print_trade(line, lot, bids, asks)
                self._print_trade(line, lot, bids, asks)
            line.show_quote()
        self._after_ms(1_000 if self._healed else rng.randrange(150, 700), self._move_market)

    def _print_trade(self, line: Line, lot: Decimal, bids: list[Level], asks: list[Level]) -> None:
        rng = self.rng
        side = Side.BUY if rng.randrange(2) else Side.SELL
        levels = asks if side is Side.BUY else bids
        price = levels[rng.randrange(min(2, len(levels)))][0]
        qty = lot * rng.randrange(1, 6)
        if Fault.PARTIAL_FILL in self._windows:
            qty = line.instrument.step * rng.randrange(1, 6)
        line.print_trade(price, qty, side)

    def _signal(self, plot: Plot) -> None:
        if self._healed:
            return
        self.command(plot, Action.SIGNAL, detail="enter")
        self._after_ms(self.rng.randrange(500, 4_000), self._signal, plot)

    def _beat(self) -> None:
        for line in self._all_lines:
            line.beat()
        self._after_ms(1_000, self._beat)

    # What happens unasked.

    def _strike(self, kind: Fault) -> None:
        if self._healed:
            return
        self._after_ms(self.faults.next_ms(kind), self._strike, kind)
        happened = _UNASKED[kind](self, kind)
        if happened:
            self.note(kind.value)
            self.faults.count(kind)

    def _some_line(self) -> Line:
        """A line of some book; the leg that hedges most often."""
        lines = list(self.lines[self._some_plot().tag].values())
        return lines[-1] if self.rng.randrange(3) else lines[self.rng.randrange(len(lines))]

    def _some_plot(self) -> Plot:
        return self.plots[self.rng.randrange(len(self.plots))]

    def _window(self, kind: Fault) -> bool:
        """Something about the market lasts for a while; what it leads to is counted where it happens."""
        self._windows[kind] = self._windows.get(kind, 0) + 1
        self._after_ms(self.rng.randrange(500, 5_000), self._close_window, kind)
        return kind is Fault.THIN_BOOK

    def _close_window(self, kind: Fault) -> None:
        left = self._windows.get(kind, 0) - 1
        if left > 0:
            self._windows[kind] = left
        else:
            self._windows.pop(kind, None)

    def _refuse(self, kind: Fault) -> bool:
        """A venue refuses everything, or everything of a kind, for a while."""
        line = self._some_line()
        line.refusing[kind] = line.refusing.get(kind, 0) + 1
        if kind is Fault.MAINTENANCE:
            line.cut()
        if kind is Fault.TRADING_HALT:
            line.exchange.halt(line.instrument.id)
        if kind is Fault.POSITION_MODE:
            line.tell_position_mode(False)
        self._after_ms(self.rng.randrange(500, 6_000), self._accept, line, kind)
        return kind is not Fault.MARGIN_SHORT

    def _accept(self, line: Line, kind: Fault) -> None:
        if kind not in line.refusing:
            return
        line.refusing[kind] -= 1
        if line.refusing[kind]:
            return
        del line.refusing[kind]
        if kind is Fault.MAINTENANCE:
            line.join()
        if kind is Fault.TRADING_HALT:
            line.exchange.resume(line.instrument.id)
            line.collect()
        if kind is Fault.POSITION_MODE:
            line.tell_position_mode(True)

    def _stream_fault(self, kind: Fault) -> bool:
        line = self._some_line()
        duration_ms = self.rng.randrange(200, 6_000)
        if kind is Fault.STREAM_CUT:
            line.cut()
            self._after_ms(duration_ms, line.join)
        else:
            switch = line.mute if kind is Fault.STREAM_MUTE else line.silence_quotes
            switch(True)
            self._after_ms(duration_ms, switch, False)
        return True

    def _change_filters(self, _: Fault) -> bool:
        line = self._some_line()
        instrument = line.instrument
        # A start refuses a config whose orders are below the minimum, and there is nobody here to mend it.
        if self.rng.randrange(2) and instrument.min_qty + instrument.step <= line.least_qty:
            instrument = msgspec.structs.replace(instrument, min_qty=instrument.min_qty + instrument.step)
        else:
            instrument = msgspec.structs.replace(instrument, min_notional=instrument.min_notional + 2)
        line.change_filters(instrument)
        return True

    def _jump(self, _: Fault) -> bool:
        self.price *= 1 + Decimal(self.rng.randrange(-20, 21)) / 1000
        self.price = self.price.quantize(Decimal("0.01"))
        return True

    def _by_hand(self, kind: Fault) -> bool:
        line = self._some_line()
        return line.trade_by_hand() if kind is Fault.FOREIGN_TRADE else line.rest_by_hand()

    def _double_start(self, _: Fault) -> bool:
        if self._engine is None or self._engine.dead:
            return False
        self._start_another()
        return True

    def _stall(self, _: Fault) -> bool:
        if self._engine is None or self._engine.dead:
            return False
        self._engine.stall(self.rng.randrange(50, 2_000) * NS_PER_MS)
        return True

    def _fill_disk(self, _: Fault) -> bool:
        pages = self._connection.execute("PRAGMA page_count").fetchone()[0]
        self._connection.execute(f"PRAGMA max_page_count = {pages}")
        self._after_ms(self.rng.randrange(200, 4_000), self._free_disk)
        return True

    def _free_disk(self) -> None:
        self._connection.execute("PRAGMA max_page_count = 1000000")

    def _warn_of_disk(self, _: Fault) -> bool:
        if self._engine is None or self._engine.dead:
            return False
        self._engine.guarded(self._engine.cycle.warn, "the disk is nearly full")
        return True

    def _operator(self, kind: Fault) -> bool:
        if self._engine is None or self._engine.dead:
            return False
        action = {
            Fault.OPERATOR_FREEZE: Action.FREEZE,
            Fault.OPERATOR_FLATTEN: Action.FLATTEN,
            Fault.OPERATOR_HALT: Action.HALT,
            Fault.OPERATOR_RESUME: Action.RESUME,
        }[kind]
        self.command(self._some_plot(), action, accept_drift=self.rng.randrange(2) == 0)
        return True

    # Healing.

    def _heal(self) -> None:
        """Nothing goes wrong any more, and all that was wrong is mended; what it did to the book is for the book."""
        self.note("all heals")
        self._healed = True
        self._basis = ONE
        self.faults.healed = True
        self._windows.clear()
        self._free_disk()
        for line in self._all_lines:
            line.mend()
        for engine in self._engines:
            if engine is not self._engine and not engine.dead:
                engine.die()
        self._start_engine()
        self._finales = {plot.tag: self._pick("leave", "resume", "freeze", "flatten") for plot in self.plots}
        finds = any(leg.found for plot in self.plots for leg in plot.config.legs)
        # What is found after a flatten was verified is no part of it.
        self._after_ms(FOUND_MS_MAX + 1_500 if finds else 1_500, self._finish)
        self._after_ms(HEAL_S_MAX * 1_000, self._give_up)

    def _finish(self) -> None:
        """People bring each book to rest in one of the ways that they have."""
        for plot in self.plots:
            finale = self._finales[plot.tag]
            if self.oracles[plot.tag].mode == "halted" or finale == "resume":
                self.command(plot, Action.RESUME, accept_drift=True)
            if finale == "freeze":
                self.command(plot, Action.FREEZE)
            if finale == "flatten":
                self.command(plot, Action.FLATTEN)
        self._after_ms(CHECK_MS, self._check)

    def _unsettled(self) -> list[str]:
        engine = self._engine
        if engine is None or engine.dead:
            return ["no engine runs"]
        found: list[str] = []
        for plot in self.plots:
            found += self._unsettled_book(plot, engine.books[plot.config.book_id])
        return found

    def _unsettled_book(self, plot: Plot, book: Book) -> list[str]:
        oracle, flat = self.oracles[plot.tag], self._finales[plot.tag] == "flatten"
        # Of a position that was not found yet, and of one that was closed and left, the ledger has what was traded.
        net: dict[str, Decimal] = {leg.id: ZERO for leg in plot.config.legs}
        net |= {leg_id: ledger.position.net_qty for leg_id, ledger in book.state.ledgers.items()}
        live: dict[str, str] = {
            order.id: order.status.value for orders in book.live.values() for order in orders.values()
        }
        # Capped prices lie below the market, and a venue judges the notional of an order by its limit.
        found = oracle.unsettled(self.price * SLIPPAGE, net, live, flat=flat)
        if plot.config.policy == "pair" and not flat and self._traded_lately(plot):
            found = [text for text in found if not text.endswith(COULD_BE_ORDERED)]
        if flat and oracle.mode == "flattening":
            found.append("the flatten is not verified")
        for leg_id, line in self.lines[plot.tag].items():
            if leg_id not in book.legs:
                found.append(f"{leg_id}: was not found yet")
                continue
            drift = book.ledger(leg_id).drift_net_qty
            if drift and not (line.is_foreign_traded or line.is_misjudged):
                found.append(f"{leg_id}: drift of {drift}, and nobody else traded there")
        if book.state.parked or book.unclear:
            found.append(f"{len(book.state.parked)} fills are parked, {len(book.unclear)} orders are unclear")
        return found

    def _check(self) -> None:
        found = self._unsettled()
        if self._restarted and not found and self._orders != self._orders_at_rest:
            self.broken("at rest", "a restart of a book at rest led to orders")
            self._done = True
            return
        # What is still on its way to the disk can be in no fold of it.
        writes = self._engine is not None and self._engine.writer.backlog_len > 0
        self._quiet_checks = 0 if found or writes else self._quiet_checks + 1
        if self._quiet_checks == QUIET_CHECKS:
            if self._engine is not None:
                self._engine.compare_with_journal()
            if self._restarted or not self._is_idle() or self.rng.randrange(2):
                self._done = True
                return
            self._restart_at_rest()
        self._after_ms(CHECK_MS, self._check)

    def _is_idle(self) -> bool:
        """Whether nothing is wanted or stands any more, so that nothing may follow from a restart."""
        engine = self._engine
        if engine is None or any(oracle.mode == "running" for oracle in self.oracles.values()):
            return False
        for plot in self.plots:
            book = engine.books[plot.config.book_id]
            # What a clock or a price closes is not at rest while it is held.
            watched = plot.config.policy in ("pair", "exits") and any(book.net_qty(leg_id) for leg_id in book.legs)
            if watched or any(book.live.values()) or book.state.refusals:
                return False
        return True

    def _traded_lately(self, plot: Plot) -> bool:
        """Whether the book traded since some time: a winner may run alone, and a leg that is stuck may not."""
        trades, since_ns = self._last_traded.get(plot.tag, (-1, 0))
        if trades != len(self.oracles[plot.tag].trades):
            self._last_traded[plot.tag] = (len(self.oracles[plot.tag].trades), self.now_ns)
            return True
        return self.now_ns - since_ns < ALONE_S_MAX * 1_000 * NS_PER_MS

    @property
    def _orders(self) -> int:
        return sum(len(oracle.orders) for oracle in self.oracles.values())

    def _restart_at_rest(self) -> None:
        """One more recovery: of a book at rest it must lead to no order."""
        self._restarted = True
        self._quiet_checks = 0
        self._orders_at_rest = self._orders
        if self._engine is not None:
            self._engine.die()
        self._start_engine()

    def _give_up(self) -> None:
        for text in self._unsettled():
            self.broken("convergence", text)
        if not self.violations:
            self.broken("convergence", "the books come to no rest")
        self._done = True


def _is_margined(instrument: Instrument) -> bool:
    return instrument.kind is InstrumentKind.PERP


def _oracle(plot: Plot) -> Oracle:
    instruments: dict[str, Instrument] = {leg.id: leg.instrument for leg in plot.config.legs}
    rule = plot.config.hedge
    hedge = None if rule is None else (rule.lead, rule.hedge, rule.ratio)
    return Oracle(plot.tag, instruments, hedge, plot.config.policy == "pair")


def _told(body: bytes) -> str:
    """A turn for people: the event and the commands, without what only a replay needs."""
    turn = msgspec.json.decode(body)
    words = []
    for each in (turn["event"], *turn.get("commands", ())):
        rest = {key: value for key, value in each.items() if key not in ("what", "ts_ns", "config")}
        words.append(f"{each['what']} {msgspec.json.encode(rest).decode()}")
    return " => ".join(words)


_UNASKED: dict[Fault, Callable[[World, Fault], bool]] = {
    Fault.BANNED: World._refuse,
    Fault.MARGIN_SHORT: World._refuse,
    Fault.MAINTENANCE: World._refuse,
    Fault.TRADING_HALT: World._refuse,
    Fault.POSITION_MODE: World._refuse,
    Fault.STREAM_MUTE: World._stream_fault,
    Fault.STREAM_CUT: World._stream_fault,
    Fault.QUOTES_SILENT: World._stream_fault,
    Fault.PARTIAL_FILL: World._window,
    Fault.IOC_REMAINDER: World._window,
    Fault.THIN_BOOK: World._window,
    Fault.PRICE_JUMP: World._jump,
    Fault.ORDER_EXPIRED: lambda world, _: world._some_line().expire_one(),
    Fault.FILTER_CHANGED: World._change_filters,
    Fault.LIQUIDATION: lambda world, kind: world._some_line().trade_by_venue(kind),
    Fault.DELEVERAGING: lambda world, kind: world._some_line().trade_by_venue(kind),
    Fault.FOREIGN_TRADE: World._by_hand,
    Fault.FOREIGN_ORDER: World._by_hand,
    Fault.FUNDING: lambda world, _: world._some_line().pay_funding(),
    Fault.DOUBLE_START: World._double_start,
    Fault.LOOP_STALL: World._stall,
    Fault.JOURNAL_FULL: World._fill_disk,
    Fault.JOURNAL_LOW: World._warn_of_disk,
    Fault.OPERATOR_FREEZE: World._operator,
    Fault.OPERATOR_FLATTEN: World._operator,
    Fault.OPERATOR_HALT: World._operator,
    Fault.OPERATOR_RESUME: World._operator,
}
