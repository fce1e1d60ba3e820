"""Drift on a leg that never rests: found by positions and trades together, and never invented by a lag."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest

from hedgerow.core.config import Limits
from hedgerow.core.drift import MOVES_MAX, Move, Witness
from hedgerow.core.events import PositionRead, TradesRead
from hedgerow.core.holds import AlarmKind
from hedgerow.model.ids import TradeId
from hedgerow.model.numbers import ZERO
from tests.core.books import LEAD, START_NS, Desk, Quoting, S, config, entry

STEP = Decimal("0.001")
LAG_NS = 30 * S


class Busy:
    """A venue with a fill every half second, whose reads lag, and what a witness is told of it."""

    def __init__(self, seed: int, drift: Decimal) -> None:
        self.witness = Witness(0)
        self.net_qty = ZERO
        self._rng = Random(seed)
        self._drift = drift
        self._past: list[tuple[int, Decimal]] = [(0, ZERO)]
        self._no = 0

    def live(self, seconds: int) -> None:
        rng = self._rng
        for half in range(2 * seconds):
            now_ns = START_NS + half * S // 2
            self._no += 1
            qty = Decimal(rng.choice((-2, -1, 1, 2))) / 10
            self.net_qty += qty
            self._past.append((now_ns, self.net_qty))
            self.witness.moved(Move(now_ns, TradeId(str(self._no)), qty, now_ns))
            if half % 20 == 10:
                as_of_ns = now_ns - rng.randrange(LAG_NS)
                shown = next(qty for ts_ns, qty in reversed(self._past) if ts_ns <= as_of_ns)
                self.witness.shown(PositionRead(now_ns, LEAD, now_ns, shown + self._drift), now_ns)
            if half % 10 == 0:
                self.witness.judge(now_ns, self.net_qty, LAG_NS, STEP)


@pytest.mark.parametrize("seed", range(5))
def test_a_lag_alone_is_never_drift(seed: int) -> None:
    """Whatever a lagging venue shows is one of the moments that its trades went through."""
    busy = Busy(seed, ZERO)

    busy.live(600)

    assert busy.witness.drift in (None, ZERO)


@pytest.mark.parametrize("drift", [Decimal("0.05"), Decimal("-0.3"), Decimal("1.7")])
def test_drift_is_found_though_fills_never_pause(drift: Decimal) -> None:
    """A difference that is the same in read after read is no lag."""
    busy = Busy(1, drift)

    busy.live(600)

    found = busy.witness.drift
    assert found is not None
    assert found != 0 and abs(found) <= abs(drift)


def test_what_saw_too_many_trades_is_not_judged() -> None:
    """A bound on memory must not become a false alarm."""
    witness = Witness(0)
    for n in range(2 * MOVES_MAX):
        witness.moved(Move(START_NS + n, TradeId(str(n)), STEP, START_NS + n))
    for n in range(3):
        witness.shown(PositionRead(START_NS, LEAD, START_NS, ZERO), START_NS + n)

    witness.judge(START_NS + LAG_NS * 4, 2 * MOVES_MAX * STEP, LAG_NS, STEP)

    assert witness.drift is None


def test_a_read_that_lags_to_before_the_start_is_not_judged() -> None:
    """What was traded before a restart is not known to the witness, and a lagging venue may still show that time."""
    witness = Witness(START_NS)
    late_ns, one = START_NS + LAG_NS // 2, Decimal(1)
    witness.shown(PositionRead(late_ns, LEAD, late_ns, one), late_ns)
    witness.shown(PositionRead(late_ns + S, LEAD, late_ns + S, one), late_ns + S)

    witness.judge(START_NS + 3 * LAG_NS, ZERO, LAG_NS, STEP)
    lagging = witness.drift
    for ts_ns in (START_NS + 2 * LAG_NS, START_NS + 2 * LAG_NS + S):
        witness.shown(PositionRead(ts_ns, LEAD, ts_ns, one), ts_ns)
    witness.judge(START_NS + 4 * LAG_NS, ZERO, LAG_NS, STEP)

    assert lagging is None
    assert witness.drift == one


def test_a_busy_book_notes_the_drift_and_then_its_size() -> None:
    """Entries stop while somebody else trades on the account, however busy the book is, and return when it is over."""
    made = Desk(Quoting(entry("1000")), config(limits=Limits(stale_ms=10_000_000, max_open_orders=9)))
    order = made.standing()
    made.accept(order)
    fills = []
    held = ZERO

    def live(seconds: int, foreign: str) -> None:
        nonlocal held
        for n in range(seconds):
            made.now_ns += S
            fills.append(made.fill(order, "0.1"))
            held += Decimal("0.1")
            made.tell(TradesRead(made.now_ns, LEAD, made.now_ns, tuple(fills[-3:])))
            if n % 10 == 0:
                made.tell(PositionRead(made.now_ns, LEAD, made.now_ns, held + Decimal(foreign)))

    live(90, "0")
    assert made.book.ledger(LEAD).drift_net_qty == 0

    live(150, "0.35")
    assert made.book.ledger(LEAD).drift_net_qty != 0
    assert any(alarm.kind is AlarmKind.DRIFT for alarm in made.book.state.alarms.values())

    for _ in range(4):
        made.now_ns += 40 * S
        made.tell(TradesRead(made.now_ns, LEAD, made.now_ns))
        made.tell(PositionRead(made.now_ns, LEAD, made.now_ns, held + Decimal("0.35")))
    assert made.book.ledger(LEAD).drift_net_qty == Decimal("0.35")
