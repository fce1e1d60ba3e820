"""How fast the journal is: durable turns a second with group commit, one turn at a time, and what an append costs."""

from __future__ import annotations

import tempfile
import threading
import time
from decimal import Decimal
from pathlib import Path

from hedgerow.core.commands import SubmitOrder, Turn
from hedgerow.core.events import FillReceived
from hedgerow.journal.errors import JournalError
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.journal.writer import JournalWriter
from hedgerow.model.ids import AccountId, BookId, ClientOrderId, InstrumentId, LegId, TradeId
from hedgerow.model.order import Fill, OrderType, Role, Side

BOOKS = 20
START_NS = 1_700_000_000_000_000_000
PATIENCE_S = 120


def turn(number: int, book: int = 0) -> Turn:
    """Return a lead fill with the hedge order that it led to: the commonest turn."""
    ts_ns = START_NS + number
    fill = Fill(
        trade_id=TradeId(f"{number}"),
        account_id=AccountId("simA/main"),
        instrument_id=InstrumentId("simA:BTC-USD"),
        side=Side.BUY,
        qty=Decimal("0.010"),
        price=Decimal("64250.1"),
        venue_ts_ns=ts_ns - 250_000,
        order_id=ClientOrderId(f"hr-b{book}-1-{number}"),
        fee=Decimal("0.128"),
        fee_currency="USD",
        is_maker=True,
    )
    hedge = SubmitOrder(
        order_id=ClientOrderId(f"hr-b{book}-1-{number + 1}"),
        leg_id=LegId("hedge"),
        instrument_id=InstrumentId("simB:BTC-USD"),
        side=Side.SELL,
        qty=Decimal("0.010"),
        type=OrderType.MARKET,
        role=Role.HEDGE,
    )
    return Turn(BookId(f"book-{book}"), ts_ns, FillReceived(ts_ns, fill), (hedge,))


class _Desk:
    """A writer on a new file, and a way to wait until a record is durable."""

    def __init__(self, folder: Path) -> None:
        self.store = SqliteStore(folder / "journal.db")
        self.store.start_epoch()
        self._durable = threading.Event()
        self._awaited_seq = 0
        self.commits = 0
        self.errors: list[JournalError] = []
        self.writer = JournalWriter(self.store, self._on_durable, self.errors.append)

    def await_durable(self, seq: int) -> None:
        self._durable.clear()
        self._awaited_seq = seq
        if self.writer.durable_seq < seq and not self._durable.wait(PATIENCE_S):
            raise TimeoutError(f"record {seq} is not durable after {PATIENCE_S} s: {self.errors}")

    def settle(self, seq: int) -> None:
        """Wait as a node's loop does: by committing itself, unless the writer's thread is at it or the disk is slow."""
        if self.writer.flush() < seq:
            self.await_durable(seq)
        else:
            self.commits += 1
            self.writer.tidy()

    def close(self) -> None:
        self.writer.close()
        self.store.close()

    def _on_durable(self, seq: int) -> None:
        self.commits += 1
        if seq >= self._awaited_seq:
            self._durable.set()


def many_books(folder: Path, turns: int) -> dict[str, object]:
    """Append turns of 20 books, one after the other, and wait until all are durable."""
    batch = [turn(number, number % BOOKS) for number in range(turns)]
    desk = _Desk(folder)
    started = time.perf_counter()
    cpu_started = time.thread_time()
    for each in batch:
        desk.writer.append(each)
    caller_s = time.thread_time() - cpu_started
    desk.await_durable(turns)
    took_s = time.perf_counter() - started
    desk.close()
    return {
        "books": BOOKS,
        "turns": turns,
        "durable_turns_per_s": round(turns / took_s),
        "commits": desk.commits,
        "append_us": round(caller_s / turns * 1e6, 2),
        "total_us": round(took_s / turns * 1e6, 2),
    }


def lockstep_books(folder: Path, rounds: int) -> dict[str, object]:
    """Append one turn of each of 20 books, wait until all are durable, and again: no book runs ahead of the disk."""
    batch = [[turn(number * BOOKS + book, book) for book in range(BOOKS)] for number in range(rounds)]
    desk = _Desk(folder)
    started = time.perf_counter()
    for group in batch:
        seq = 0
        for each in group:
            seq = desk.writer.take(each)
        desk.settle(seq)
    took_s = time.perf_counter() - started
    desk.close()
    return {
        "books": BOOKS,
        "turns": rounds * BOOKS,
        "durable_turns_per_s": round(rounds * BOOKS / took_s),
        "commits": desk.commits,
    }


def one_at_a_time(folder: Path, turns: int) -> dict[str, object]:
    """Append a turn, wait until it is durable, and again; one book."""
    batch = [turn(number) for number in range(turns)]
    desk = _Desk(folder)
    took_ms = []
    for each in batch:
        started = time.perf_counter()
        desk.settle(desk.writer.take(each))
        took_ms.append((time.perf_counter() - started) * 1e3)
    desk.close()
    took_ms.sort()
    return {
        "turns": turns,
        "p50_ms": round(took_ms[turns // 2], 3),
        "p99_ms": round(took_ms[turns * 99 // 100], 3),
        "max_ms": round(took_ms[-1], 3),
    }


def read_back(folder: Path, turns: int) -> dict[str, object]:
    """Write turns, open the journal again, check its chain and decode every turn: a recovery before it folds."""
    store = SqliteStore(folder / "journal.db")
    store.start_epoch()
    for start in range(0, turns, 1_000):
        store.append([turn(number) for number in range(start, min(start + 1_000, turns))])
        store.commit()
    store.close()
    started = time.perf_counter()
    store = SqliteStore(folder / "journal.db")
    opened_s = time.perf_counter() - started
    read = sum(1 for record in store.turns() if record.turn.commands)
    took_s = time.perf_counter() - started
    store.close()
    if read != turns:
        raise AssertionError(f"{read} of {turns} turns were read back")
    return {
        "turns": turns,
        "open_ms": round(opened_s * 1e3, 1),
        "read_us": round(took_s / turns * 1e6, 2),
        "million_turns_s": round(took_s / turns * 1e6, 1),
    }


def run(quick: bool) -> dict[str, object]:
    """Run all of them on the disk of the current folder, and return name -> numbers."""
    scale = 1 if quick else 10
    results: dict[str, object] = {}
    for name, measure, size in (
        ("many_books", many_books, 20_000 * scale),
        ("lockstep_books", lockstep_books, 300 * scale),
        ("one_at_a_time", one_at_a_time, 500 * scale),
        ("read_back", read_back, 20_000 * scale),
    ):
        # Here, and not in the system's temporary folder, which is often memory.
        with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as folder:
            results[name] = measure(Path(folder), size)
    return results
