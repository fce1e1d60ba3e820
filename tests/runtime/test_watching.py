"""Watched accounts: what is found gets a leg by the config's words, and an account that fails stands alone."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from hedgerow.core.config import LegConfig
from hedgerow.core.events import Event, PositionsListed
from hedgerow.model.ids import AccountId, BookId, InstrumentId
from hedgerow.model.instrument import InstrumentKind
from hedgerow.runtime.watch import Watch
from hedgerow.runtime.watching import LIST_EVERY_NS, Held, Unlisted, follow_positions
from tests.strategies.brokers import EXPIRES_LATER, option, stock

NOBODY: frozenset[InstrumentId] = frozenset()


def watch(
    account: str = "brk/main", watched: str = "all", adopted: str = "", manual: str = "", **more: object
) -> Watch:
    words = (frozenset(each.split()) for each in (watched, adopted, manual))
    others = frozenset(more.get("others", NOBODY))  # type: ignore[call-overload]
    return Watch(BookId(f"exits-{account}"), AccountId(account), *words, others, 2_000, 2_000)


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
    assert watch(others={stock().id}).leg(stock()) is None
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
