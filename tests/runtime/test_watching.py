"""Watched accounts: what is found gets a leg by the config's words, and an account that fails stands alone."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from hedgerow.core.book import Book
from hedgerow.core.config import LegConfig
from hedgerow.core.events import Event, LegAdded, PositionsListed
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.model.ids import AccountId, BookId, InstrumentId, LegId
from hedgerow.model.instrument import InstrumentKind
from hedgerow.runtime.config import load_text
from hedgerow.runtime.node import EXIT_DONE, Node, Service
from hedgerow.runtime.recovery import recover
from hedgerow.runtime.simulated import run_node
from hedgerow.runtime.watch import Watch
from hedgerow.runtime.watching import LIST_EVERY_NS, Held, Unlisted, follow_positions
from tests.runtime.until import AT_MOST_S, Until
from tests.strategies.brokers import EXPIRES_LATER, option, stock

NOBODY: frozenset[InstrumentId] = frozenset()


def watch(
    account: str = "brk/main",
    watched: str = "all",
    adopted: str = "",
    manual: str = "",
    others: frozenset[InstrumentId] = NOBODY,
) -> Watch:
    all_words = [frozenset(each.split()) for each in (watched, adopted, manual)]
    return Watch(BookId(f"exits-{account}"), AccountId(account), *all_words, others, 2_000, 2_000)


@pytest.mark.parametrize(
    ("watched", "adopted", "manual", "is_watched", "is_adopted"),
    [
        ("all", "", "", True, False),
        ("all", "all", "", True, True),
        ("all", "stock", "", True, True),
        ("all", "option", "", True, False),
        ("all", "QQQ", "", True, False),
        ("all", "all", "SPY", True, False),
        ("all", "all", "stock", True, False),
        ("option", "all", "", False, False),
        ("QQQ SPY", "SPY", "", True, True),
        ("QQQ", "all", "", False, False),
    ],
)
def test_e09_only_what_the_config_says_is_adopted(
    watched: str, adopted: str, manual: str, is_watched: bool, is_adopted: bool
) -> None:
    """E9: by kind, by symbol or all; what is flagged manual never."""
    leg = watch(watched=watched, adopted=adopted, manual=manual).leg(stock())

    assert (leg is not None, leg is not None and leg.adopt) == (is_watched, is_adopted)


def test_an_underlying_means_its_options_too() -> None:
    """Who says SPY means all of it; who names a contract means that one."""
    assert (leg := watch(watched="SPY", adopted=EXPIRES_LATER).leg(option())) is not None and leg.adopt
    assert (leg := watch(watched=EXPIRES_LATER, adopted=EXPIRES_LATER).leg(option())) is not None and leg.adopt
    assert watch(watched=EXPIRES_LATER).leg(stock()) is None


def test_what_another_book_trades_is_left_to_it() -> None:
    """Two books that each think a position theirs would close it twice."""
    assert watch(others=frozenset({stock().id})).leg(stock()) is None
    assert watch().leg(stock(kind=InstrumentKind.SPOT)) is None


class _Over(Exception):
    """The test has seen enough."""


class _Node:
    """Hears what was found; time flies between two listings."""

    def __init__(self) -> None:
        self.legs: list[LegConfig] = []
        self.events: list[Event] = []
        self._now_ns = 0

    def now_ns(self) -> int:
        self._now_ns += LIST_EVERY_NS
        return self._now_ns

    def hear(self, book_id: BookId, event: Event) -> None:
        self.events.append(event)

    def add_leg(self, book_id: BookId, leg: LegConfig) -> None:
        self.legs.append(leg)


def test_e10_one_account_that_fails_blocks_no_other() -> None:
    """E10: two of three accounts are listed, the third is told with its reason, and again when it answers."""
    node = _Node()
    asked: dict[str, int] = {}

    async def positions(account_id: AccountId) -> tuple[Held, ...]:
        asked[account_id] = asked.get(account_id, 0) + 1
        if asked[account_id] > 2:
            raise _Over
        if account_id == "brk/b" and asked[account_id] == 1:
            raise Unlisted("503 Service Unavailable")
        return (Held(stock(), Decimal(3)), Held(stock("QQQ"), Decimal(0)))

    async def follow() -> None:
        accounts = (watch(account, adopted="all") for account in ("brk/a", "brk/b", "brk/c"))
        tasks = [follow_positions(each, node, positions) for each in accounts]
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(follow())

    problems = [(event.account_id, event.problem) for event in node.events if isinstance(event, PositionsListed)]
    assert sorted(problems) == [
        ("brk/a", ""),
        ("brk/a", ""),
        ("brk/b", ""),
        ("brk/b", "503 Service Unavailable"),
        ("brk/c", ""),
        ("brk/c", ""),
    ]
    assert {leg.account_id for leg in node.legs} == {"brk/a", "brk/b", "brk/c"}
    assert {leg.instrument.id for leg in node.legs} == {"brk:SPY"}


CONFIG = """\
accounts:
  brk/main: {venue: sim, positions: {SPY: {qty: 10, price: 450}, QQQ: {qty: 5, price: 500}, TSLA: {qty: 3, price: 1}}}
venues:
  brk: {calendar: 24/7}
books:
  exits: {policy: exits, accounts: [brk/main], adopt: all, manual: TSLA, take_profit_rate: 1.1}
sim:
  markets: {SPY: {price: 500}, QQQ: {price: 500}, TSLA: {price: 500}}
"""


def _run(tmp_path: Path, is_over: Callable[[Book], bool], text: str = CONFIG) -> tuple[Book, list[Event]]:
    """Run a node until its book is as it should become; return that as the journal has it, and the events."""
    config = load_text(text, "test.yaml", tmp_path, tmp_path / "state")

    def serve(node: Node) -> Service:
        (book,) = node.books.values()
        return Until(node, lambda turn: len(book.legs) == 3 and is_over(book))

    assert run_node(config, serve, io.StringIO(), io.StringIO(), as_json=True, speed=10, seconds=AT_MOST_S) == EXIT_DONE
    store = SqliteStore(config.journal, read_only=True)
    events = [record.turn.event for record in store.turns()]
    book = recover(store, config.books)[0].book
    store.close()
    return book, events


def test_a_node_finds_adopts_and_closes(tmp_path: Path) -> None:
    """From a listing to a closed position; what is manual is shown, and the next run still knows it all."""
    book, events = _run(
        tmp_path,
        lambda book: (
            book.ledger(LegId("spy")).fills == 1
            and book.net_qty(LegId("qqq")) == 5
            and book.ledger(LegId("tsla")).foreign_net_qty == 3
        ),
    )

    assert {event.leg.id for event in events if isinstance(event, LegAdded)} == {"spy", "qqq", "tsla"}
    assert {leg_id: book.net_qty(leg_id) for leg_id in book.legs} == {"spy": 0, "qqq": 5, "tsla": 0}
    assert book.ledger(LegId("tsla")).foreign_net_qty == 3
    assert book.state.alarms == {}
    again, _ = _run(
        tmp_path,
        lambda book: book.ledger(LegId("qqq")).foreign_net_qty == 5,
        CONFIG.replace("manual: TSLA", "manual: [TSLA, QQQ]"),
    )
    assert {leg_id: again.net_qty(leg_id) for leg_id in again.legs} == {"spy": 0, "qqq": 0, "tsla": 0}
    assert again.ledger(LegId("qqq")).foreign_net_qty == 5
    assert again.ledger(LegId("spy")).fills == 1
