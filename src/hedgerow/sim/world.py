"""One world: two venues, one book, its engines, people and a market, from one seed and in virtual time.

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
from hedgerow.core.config import BookConfig, HedgeRule, LegConfig, Limits, Timing
from hedgerow.core.events import Action, OperatorCommanded
from hedgerow.journal.errors import JournalError
from hedgerow.market.exchange import SimExchange
from hedgerow.market.fees import Fees
from hedgerow.market.rules import SelfTrade, VenueRules
from hedgerow.model.ids import AccountId, BookId, InstrumentId, LegId, VenueId
from hedgerow.model.instrument import FeeCurrency, Instrument, InstrumentKind
from hedgerow.model.market import Level
from hedgerow.model.numbers import ONE, ZERO, ceil_to
from hedgerow.model.order import Side
from hedgerow.sim.engine import Crash, Engine
from hedgerow.sim.faults import Fault, Faults
from hedgerow.sim.line import Line
from hedgerow.sim.oracle import Oracle, Violation

NS_PER_MS = 1_000_000
START_NS = 1_700_000_000_000_000_000
HEAL_S_MAX = 120
"Virtual seconds within which a healed world must converge."
CHECK_MS = 700
CALLS_MAX = 20_000
"Events, timers and deliveries; a world beyond this is a livelock, and some thousands are usual."
QUIET_CHECKS = 2
"Checks in a row that must find nothing before a world counts as converged."
MEMORY = "CLOSED_ORDERS_MAX"
SLIPPAGE = Decimal("0.98")
"More than any cap on slippage in these worlds."

LEAD, HEDGE = LegId("lead"), LegId("hedge")
STEPS = (Decimal("0.001"), Decimal("0.01"), Decimal("0.1"), Decimal(1))
PRICE = Decimal(100)
TAG = "t"


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
        self._finale = ""
        self._restarted = False
        self._orders_at_rest = 0
        self._quiet_checks = 0
        self._done = False
        self.price = PRICE
        self._basis = ONE
        "Price of the hedge leg's venue as a ratio of the other's."
        self.config = self._draw_config()
        self._strategy = strategies.make(self.config)
        rule = self.config.hedge
        assert rule is not None, self.config
        instruments: dict[str, Instrument] = {leg.id: leg.instrument for leg in self.config.legs}
        self.oracle = Oracle(TAG, instruments, LEAD, HEDGE, rule.ratio)
        self.lines = {leg.id: self._line(leg) for leg in self.config.legs}
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
        if self.config.params.get("entry_on") == "signal":
            self._after_ms(1_000, self._signal)
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
        heap = self._heap
        # One broken rule is enough: what a broken engine does next may have no end.
        while heap and not self._done and not self.oracle.violations:
            self.now_ns, _, call, args = heappop(heap)
            call(*args)
            if self._calls > CALLS_MAX:
                self.oracle.broken("livelock", f"{self.events} events, {self._calls} calls")

    def report(self) -> WorldReport:
        """Close this world and return what it gave."""
        row = self._connection.execute("SELECT hash FROM turn ORDER BY seq DESC LIMIT 1").fetchone()
        self._connection.close()
        return WorldReport(
            self.seed,
            tuple(self.oracle.violations),
            self.events,
            self.requests,
            {kind.value: count for kind, count in self.faults.counts.items() if count},
            self.crashes,
            (self.now_ns - START_NS) // NS_PER_MS,
            row[0].hex() if row else "",
        )

    # Setting up.

    def _pick(self, *choices: Any) -> Any:
        return choices[self.rng.randrange(len(choices))]

    def _draw_instrument(self, venue: str, kind: InstrumentKind, fee_currencies: tuple[FeeCurrency, ...]) -> Instrument:
        step = STEPS[self.rng.randrange(len(STEPS))]
        perp = kind is InstrumentKind.PERP
        fee_currency = FeeCurrency.QUOTE if perp else self._pick(*fee_currencies)
        banded = self.rng.randrange(2) == 0
        return Instrument(
            InstrumentId(f"{venue}:X-USD"),
            VenueId(venue),
            kind,
            "X",
            "USD",
            self._pick(Decimal("0.01"), Decimal("0.1")),
            step,
            step * self._pick(1, 1, 2, 5),
            step * 1000 if self.rng.randrange(3) == 0 else None,
            self._pick(ZERO, Decimal(5), Decimal(20)),
            self.rng.randrange(2) == 0,
            self._pick(ONE, ONE, Decimal(10)) if perp else ONE,
            Decimal("0.95") if banded else None,
            Decimal("1.05") if banded else None,
            fee_currency,
            perp,
        )

    def _draw_config(self) -> BookConfig:
        rng = self.rng
        policy = self._pick("mirror", "mirror", "carry", "carry", "close")
        spot, perp = InstrumentKind.SPOT, InstrumentKind.PERP
        lead_kind = self._pick(spot, InstrumentKind.MARGIN, perp) if policy == "mirror" else spot
        hedge_kind = self._pick(perp, perp, spot) if policy == "mirror" else perp
        # Who sells all that an account holds cannot pay a fee in what is sold.
        fees = tuple(FeeCurrency) if policy != "close" else (FeeCurrency.QUOTE, FeeCurrency.RECEIVED)
        lead = self._draw_instrument("simA", lead_kind, fees)
        hedge = self._draw_instrument("simB", hedge_kind, fees)
        ratio = self._pick(Decimal(-1), Decimal(-1), Decimal("-0.5")) if policy == "mirror" else Decimal(-1)
        # Some orders are worth several orders of the hedge leg, some less than one.
        per_lead = abs(ratio) * lead.multiplier / hedge.multiplier
        unit = max(lead.smallest_qty(PRICE), hedge.smallest_qty(PRICE) / per_lead)
        self.qty = ceil_to(unit * self._pick(1, 3, 7) * self._pick(ONE, ONE, ONE, Decimal("0.5")), lead.step)
        self.qty = max(self.qty, lead.smallest_qty(PRICE))
        if lead.max_qty is not None:
            self.qty = min(self.qty, lead.max_qty)
        adopt = policy == "close"
        self._held = self.qty * 3 if adopt else ZERO
        lease_ms, visibility_ms = rng.randrange(2_000, 4_000), rng.randrange(1_500, 4_000)
        legs = tuple(
            LegConfig(leg_id, AccountId(f"{each.venue_id}/main"), each, adopt, lease_ms, visibility_ms)
            for leg_id, each in ((LEAD, lead), (HEDGE, hedge))
        )
        limits = Limits(
            max_notional=lead.notional(self.qty, PRICE) * 10 if rng.randrange(2) else None,
            stale_ms=rng.randrange(2_000, 5_000),
            residual_alarm_ms=3_000,
        )
        timing = Timing(
            ack_timeout_ms=rng.randrange(500, 1_500),
            ask_first_ms=rng.randrange(100, 400),
            ask_spacing_ms_max=rng.randrange(800, 2_000),
            retry_first_ms=100,
            retry_spacing_ms_max=3_000,
            trades_read_ms=rng.randrange(1_000, 3_000),
            full_read_ms=rng.randrange(3_000, 6_000),
            read_timeout_ms=2_000,
            unknown_alarm_ms=8_000,
            drift_settle_ms=visibility_ms,
            hold_after_ms=500,
        )
        params = self._draw_mirror() if policy == "mirror" else self._draw_carry(close=adopt)
        name = "mirror" if policy == "mirror" else "carry"
        return BookConfig(BookId("w"), TAG, name, params, legs, HedgeRule(LEAD, HEDGE, ratio), limits, timing)

    def _draw_mirror(self) -> dict[str, str]:
        return {
            "qty": str(self.qty),
            "max_net_qty": str(self.qty * self._pick(1, 3, 10)),
            "entry_side": self._pick("buy", "sell"),
            "depth": str(self._pick(1, 1, 2)),
            "slippage_bps_max": self._pick("none", "30", "100"),
            "order_timeout_s": self._pick("1", "5"),
            "silence_s": "4",
            "force_close_s": self._pick("8", "30"),
            "exit": self._pick("make", "make", "keep"),
        }

    def _draw_carry(self, *, close: bool) -> dict[str, str]:
        params = {
            "entry_qty": str(self.qty),
            "depth": "1",
            "entry_timeout_s": self._pick("1", "4"),
            "hedge_style": self._pick("taker", "maker"),
            "slippage_bps_max": self._pick("none", "50"),
            "maker_timeout_s": self._pick("3", "10"),
            "requote_s": "1",
            "maker_tries_max": "3",
        }
        if close:
            return params | {"mode": "close"}
        return params | {
            "max_net_qty": str(self.qty * self._pick(2, 6)),
            "entry_type": self._pick("limit", "limit", "market"),
            "entry_on": self._pick("conditions", "signal"),
            "entry_basis_bps_min": "-300",
            "exit_basis_bps_max": self._pick("none", "-400", "-400"),
        }

    def _line(self, leg: LegConfig) -> Line:
        instrument = leg.instrument
        rules = VenueRules(
            SelfTrade.EXPIRE_TAKER if self.rng.randrange(2) else SelfTrade.EXPIRE_MAKER,
            post_only_refused=self.rng.randrange(2) == 0,
        )
        exchange = SimExchange(instrument.venue_id, (instrument,), rules, self.rng.randrange(1 << 30))
        perp = instrument.kind is InstrumentKind.PERP
        base = ZERO if perp else self._held if leg.adopt else instrument.step * 10**6
        fees = Fees(self._pick(ZERO, Decimal("-0.0001"), Decimal("0.0002")), self._pick(ZERO, Decimal("0.0005")))
        exchange.open_account(leg.account_id, {"USD": Decimal(10) ** 10, "X": base}, fees, leverage=Decimal(10))
        levels = [(PRICE, self.qty)]
        exchange.set_book(self.now_ns, instrument.id, [(PRICE - instrument.tick, self.qty)], levels)
        if perp and leg.adopt:
            held = instrument.floor_qty(self._held / instrument.multiplier)
            if held:
                exchange.foreign_trade(leg.account_id, instrument.id, Side.SELL, held, venue_made=True)
                exchange.drain()
        return Line(self, leg, exchange)

    # Engines.

    def is_ours(self, order_id: str) -> bool:
        return order_id.startswith(f"hr-{TAG}-")

    def read_journal(self) -> None:
        """Give the oracle what became durable."""
        rows = self._connection.execute(
            "SELECT seq, body FROM turn WHERE seq > ? ORDER BY seq", (self._read_seq,)
        ).fetchall()
        if rows:
            self._read_seq = rows[-1][0]
            self.oracle.read(self.now_ns, [body for _, body in rows])
            for seq, body in rows if self.trace is not None else ():
                self.note(f"turn {seq} {_told(body)}")

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
            engine.start(self._current_config(), self._strategy)
        except (Crash, JournalError):
            self.crashed(engine)

    def _current_config(self) -> BookConfig:
        """The config with the filters now in force: each start reads them from the venues."""
        legs = tuple(msgspec.structs.replace(leg, instrument=self.lines[leg.id].instrument) for leg in self.config.legs)
        return msgspec.structs.replace(self.config, legs=legs)

    def crashed(self, engine: Engine) -> None:
        """An engine process died: what it had not committed is gone, and something starts it again."""
        self.note("an engine dies")
        engine.die()
        self.crashes += 1
        self._after_ms(self.rng.randrange(5, 2_500), self._start_engine)

    def command(self, action: Action, *, accept_drift: bool = False, detail: str = "") -> None:
        """An operator gives an order, sometimes twice by a double click."""
        engine = self._engine
        if engine is None or engine.dead:
            return
        self._requests_of_people += 1
        request_id = f"r{self._requests_of_people}"
        made_ns = engine.clock.now_ns() if action is Action.SIGNAL else 0
        for _ in range(1 + (self.rng.randrange(4) == 0)):
            engine.deliver(OperatorCommanded, action, "operator", request_id, accept_drift, detail, made_ns)

    # The market.

    def _move_market(self) -> None:
        rng = self.rng
        thin = Fault.THIN_BOOK in self._windows
        if not self._healed:
            self.price += Decimal(rng.randrange(-20, 21)) / 100
            if rng.randrange(12) == 0:
                self._basis = ONE if self._basis < 1 else Decimal("0.94")
        for line in self.lines.values():
            tick = line.instrument.tick
            offset = 0 if self._healed else rng.randrange(-2, 3)
            price = self.price * self._basis if line.leg_id == HEDGE else self.price
            middle = price // tick * tick + tick * offset
            step, lot = line.instrument.step, max(self.qty, line.instrument.min_qty)
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

    def _signal(self) -> None:
        if self._healed:
            return
        self.command(Action.SIGNAL, detail="enter")
        self._after_ms(self.rng.randrange(500, 4_000), self._signal)

    def _beat(self) -> None:
        for line in self.lines.values():
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
        return self.lines[HEDGE if self.rng.randrange(3) else LEAD]

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
        if self.rng.randrange(2) and instrument.min_qty + instrument.step <= self.qty:
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
        self.command(action, accept_drift=self.rng.randrange(2) == 0)
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
        for line in self.lines.values():
            line.mend()
        for engine in self._engines:
            if engine is not self._engine and not engine.dead:
                engine.die()
        self._start_engine()
        self._finale = self._pick("leave", "resume", "freeze", "flatten")
        self._after_ms(1_500, self._finish)
        self._after_ms(HEAL_S_MAX * 1_000, self._give_up)

    def _finish(self) -> None:
        """People bring the book to rest in one of the ways that they have."""
        if self.oracle.mode == "halted" or self._finale == "resume":
            self.command(Action.RESUME, accept_drift=True)
        if self._finale == "freeze":
            self.command(Action.FREEZE)
        if self._finale == "flatten":
            self.command(Action.FLATTEN)
        self._after_ms(CHECK_MS, self._check)

    def _unsettled(self) -> list[str]:
        engine = self._engine
        if engine is None or engine.dead:
            return ["no engine runs"]
        book = engine.book
        net: dict[str, Decimal] = {leg_id: book.net_qty(leg_id) for leg_id in self.lines}
        live: dict[str, str] = {
            order.id: order.status.value for orders in book.live.values() for order in orders.values()
        }
        # Capped prices lie below the market, and a venue judges the notional of an order by its limit.
        found = self.oracle.unsettled(self.price * SLIPPAGE, net, live, flat=self._finale == "flatten")
        if self._finale == "flatten" and self.oracle.mode == "flattening":
            found.append("the flatten is not verified")
        if book.state.parked or book.unclear:
            found.append(f"{len(book.state.parked)} fills are parked, {len(book.unclear)} orders are unclear")
        return found

    def _check(self) -> None:
        found = self._unsettled()
        if self._restarted and not found and len(self.oracle.orders) != self._orders_at_rest:
            self.oracle.broken("at rest", "a restart of a book at rest led to orders")
            self._done = True
            return
        # What is still on its way to the disk can be in no fold of it.
        writes = self._engine is not None and self._engine.writer.backlog_len > 0
        self._quiet_checks = 0 if found or writes else self._quiet_checks + 1
        if self._quiet_checks == QUIET_CHECKS:
            if self._engine is not None:
                self._engine.compare_with_journal(self._strategy)
            if self._restarted or not self._is_idle() or self.rng.randrange(2):
                self._done = True
                return
            self._restart_at_rest()
        self._after_ms(CHECK_MS, self._check)

    def _is_idle(self) -> bool:
        """Whether nothing is wanted or stands any more, so that nothing may follow from a restart."""
        engine = self._engine
        if engine is None or self.oracle.mode == "running":
            return False
        return not any(engine.book.live.values()) and not engine.book.state.refusals

    def _restart_at_rest(self) -> None:
        """One more recovery: of a book at rest it must lead to no order."""
        self._restarted = True
        self._quiet_checks = 0
        self._orders_at_rest = len(self.oracle.orders)
        if self._engine is not None:
            self._engine.die()
        self._start_engine()

    def _give_up(self) -> None:
        for text in self._unsettled():
            self.oracle.broken("convergence", text)
        if not self.oracle.violations:
            self.oracle.broken("convergence", "the book comes to no rest")
        self._done = True


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
