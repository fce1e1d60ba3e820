"""Rows of SCENARIOS.md that no story can say, each a function without arguments that raises where its row fails.

`test_rows.py` runs them as they are, the hunt with a mistake put back. They need nothing that the product does not.
"""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import httpx

from hedgerow.api.server import bind, make_app
from hedgerow.core.book import Book
from hedgerow.core.commands import Turn
from hedgerow.core.events import Action, LinkDown, OperatorCommanded, TimeReached
from hedgerow.journal.errors import JournalCorrupt
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.model.ids import BookId
from hedgerow.runtime.clock import Origin
from hedgerow.runtime.config import load_text
from hedgerow.runtime.config_text import ConfigError
from hedgerow.runtime.folder import socket_path
from hedgerow.runtime.node import Node
from hedgerow.sim.scenario import run_text
from hedgerow.sim.stage import Stage
from hedgerow.sim.staging import HEDGE, configured, make_strategy
from hedgerow.sim.story import parse

CONFIG = """\
accounts:
  simA/main:  {venue: sim, balance: {USD: 50000}}
  simB/hedge: {venue: sim, balance: {USD: 50000}}
books:
  btc-mirror:
    policy: mirror
    legs:
      lead:  {account: simA/main, symbol: BTC-PERP}
      hedge: {account: simB/hedge, symbol: BTC-PERP}
    qty: 0.05
    max_net_qty: 0.1
    force_close_s: 30
"""
BOOK = "hedge A mirror lead A:BTC hedge B:BTC ratio -1\n"
GRID = """\
book        G  grid  SIM:BTC
instrument  SIM:BTC  perp  tick 0.1  step 0.00001  min 0.0001
param  budget    100
param  leverage  10
param  low       82000
param  high      98000
param  levels    40
"""
READS = ("status", "positions", "orders", "orders?closed=true", "holds", "alarms", "config")


class _StillNode:
    """What the API needs of a node, around one book that stands still."""

    def __init__(self, stage: Stage) -> None:
        self.operated: list[OperatorCommanded] = []
        self.started_ts_ns = stage.now_ns
        self.removed: Mapping[BookId, Book] = {}
        self.books: Mapping[BookId, Book] = {stage.config.book_id: stage.book}
        self._turns = [(record.seq, record.turn) for record in SqliteStore(stage.connection).turns()]

    def now_ns(self) -> int:
        return self.started_ts_ns

    def operate(self, book_id: BookId, command: OperatorCommanded) -> None:
        self.operated.append(command)

    def turns(self) -> Iterator[tuple[int, Turn]]:
        yield from self._turns


def g24_a_line_that_raises_is_no_reason_to_stop() -> None:
    """G24: whatever a line for people runs into, the cycle, which has just sent orders, hears nothing of it."""
    with tempfile.TemporaryDirectory() as folder:
        notes = asyncio.run(_told_badly(Path(folder)))
    assert "a line could not be told, and trading goes on: KeyError: 'a field that this turn does not have'" in notes


async def _told_badly(folder: Path) -> list[str]:
    def broken(turns: object) -> None:
        raise KeyError("a field that this turn does not have")

    notes: list[str] = []
    config = load_text(CONFIG, "hedgerow.yaml", folder, folder)
    node = Node(config.books, config.journal, Origin(0, 0), notes.append, broken)
    try:
        node.turned([])
    finally:
        node.abandon()
    return notes


def g25_what_all_levels_filled_come_to_is_computed() -> None:
    """G25: 40 levels on 100 at 10x, liquidated 1.67 % below support once all are filled: refused, with the numbers."""
    result = run_text("grid", GRID)

    assert not result.readable
    told = "all 40 levels filled are 982.48 USDT on 100, 9.82x: liquidation at about 80628.2, 1.67 % below support"
    assert told in result.got, result.told


def e03_a_misspelt_key_or_a_missing_section_refuses_to_start() -> None:
    """E3: the line is named, and nothing is held quietly by a rule that was never read."""
    _refused(CONFIG.replace("force_close_s", "force_close"), ":12:5", "did you mean 'force_close_s'?")
    _refused(CONFIG.replace("    legs:", "    lges:"), ":7:5", "did you mean 'legs'?")
    _refused(CONFIG[: CONFIG.index("books:")], "hedgerow.yaml:1:1", "missing key 'books'")


def _refused(text: str, place: str, words: str) -> str:
    try:
        load_text(text, "hedgerow.yaml", Path("/nowhere"))
    except ConfigError as error:
        told = str(error)
        assert place in told, told
        assert words in told, told
        return told
    raise AssertionError(f"taken, though it should have been told: {words}")


def a03_a_flipped_bit_is_found_and_named() -> None:
    """A3: a record that is not what was written refuses to be read, and is named."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    store = SqliteStore(connection)
    store.start_epoch()
    store.append([Turn(BookId("b"), 8_000 + number, TimeReached(8_000 + number), ()) for number in range(4)])
    store.commit()
    ((body,),) = connection.execute("SELECT body FROM turn WHERE seq = 2").fetchall()
    connection.execute("UPDATE turn SET body = ? WHERE seq = 2", (body.replace(b"8001", b"8000"),))

    try:
        read = [record.turn for record in SqliteStore(connection).turns()]
    except JournalCorrupt as error:
        assert "record 2" in str(error), error
    else:
        raise AssertionError(f"read as if it were whole: {read}")


def a04_the_api_is_its_owner_s_alone() -> None:
    """A4: who can open the socket can halt the books, so nobody else can, and there is no other way in."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state"
        state.mkdir(mode=0o755)
        with closing(bind(state)) as bound:
            assert bound.family.name == "AF_UNIX", bound
            modes = [stat.S_IMODE(path.stat().st_mode) for path in (state, socket_path(state))]
    assert modes == [0o700, 0o600], [oct(mode) for mode in modes]


def a05_a_get_changes_nothing() -> None:
    """A5: whatever polls the API, and how often, the book stays as it is; what an operator orders is no GET."""
    lines = list(parse(BOOK))
    config, _ = configured(lines)
    stage = Stage(config, make_strategy(config, lines))
    stage.start()
    stage.deliver(LinkDown(stage.now_ns, HEDGE, "gone"))
    node, before = _StillNode(stage), stage.book.digest()

    asyncio.run(_get_all(node, config.book_id))

    assert node.operated == []
    assert stage.book.digest() == before


async def _get_all(node: _StillNode, book_id: BookId) -> None:
    transport = httpx.ASGITransport(app=make_app(node))
    async with httpx.AsyncClient(transport=transport, base_url="http://node/api/v1/") as client:
        for route in (*READS, f"explain/{book_id}"):
            answer = await client.get(route)
            assert answer.status_code in (200, 404), (route, answer.text)
        for action in Action:
            answer = await client.get(f"books/{book_id}/{action.value}")
            assert answer.status_code == 405, (action, answer.text)


def a07_a_secret_is_never_shown() -> None:
    """A7: one that stands in the config is refused, and the report, which is pasted into chats, has nothing of it."""
    secret = "hunter2hunter2hunter2hunter2"
    for place in (f"secret: {secret}", f"mode: {secret}"):
        told = _refused(CONFIG.replace("venue: sim", f"venue: sim, {place}", 1), "hedgerow.yaml", "a secret must not")
        assert secret not in told
