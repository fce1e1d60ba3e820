"""A node for the API's tests: a desk's book in memory, whose venue answers every read and fills nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from hedgerow.api.server import Server
from hedgerow.core.book import Book
from hedgerow.core.commands import Command, Read, Turn
from hedgerow.core.events import OpenOrdersRead, OperatorCommanded, PositionRead, ReadKind, TradesRead
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.model.ids import BookId
from hedgerow.runtime.folder import JOURNAL_FILE
from tests.core.books import START_NS, Desk, Quoting, S, entry, submits

MS = 1_000_000


def filled_desk(*, hedged: bool = True) -> Desk:
    """Return a desk whose entry of 1 filled, and whose hedge filled as well if asked for."""
    desk = Desk(Quoting(entry()))
    order = desk.standing()
    desk.accept(order)
    # One entry is enough.
    desk.policy.entry = None
    commands = desk.fills(order, "1")
    if hedged:
        (hedge,) = submits(commands)
        desk.accept(hedge)
        desk.fills(hedge, "1", "100.1")
    return desk


def write_journal(state: Path, desk: Desk) -> Path:
    """Write the desk's turns as the journal of a state folder; return its file."""
    path = state / JOURNAL_FILE
    store = SqliteStore(path, ballast_bytes=0)
    store.start_epoch()
    store.append(desk.turns)
    store.commit()
    store.close()
    return path


class DeskNode:
    """What the API needs of a node, around one desk. A second passes with each order."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.operated: list[OperatorCommanded] = []

    @property
    def books(self) -> Mapping[BookId, Book]:
        return {self.desk.config.book_id: self.desk.book}

    @property
    def removed(self) -> Mapping[BookId, Book]:
        return {}

    @property
    def started_ts_ns(self) -> int:
        return START_NS

    def now_ns(self) -> int:
        return self.desk.now_ns

    def operate(self, book_id: BookId, command: OperatorCommanded) -> None:
        assert book_id == self.desk.config.book_id, book_id
        self.operated.append(command)
        self.desk.now_ns += MS
        self._answer(self.desk.tell(command))
        self._answer(self.desk.wait(S))

    def turns(self) -> Iterator[tuple[int, Turn]]:
        yield from enumerate(list(self.desk.turns), 1)

    def _answer(self, commands: tuple[Command, ...] | list[Command]) -> None:
        desk = self.desk
        for command in commands:
            if not isinstance(command, Read):
                continue
            desk.now_ns += MS
            now_ns, leg_id = desk.now_ns, command.leg_id
            match command.kind:
                case ReadKind.OPEN_ORDERS:
                    more = desk.tell(OpenOrdersRead(now_ns, leg_id, now_ns))
                case ReadKind.TRADES:
                    more = desk.tell(TradesRead(now_ns, leg_id, now_ns))
                case ReadKind.POSITION:
                    more = desk.tell(PositionRead(now_ns, leg_id, now_ns, desk.book.net_qty(leg_id)))
            self._answer(more)


@contextmanager
def served(desk: Desk, state: Path) -> Iterator[DeskNode]:
    """Serve a desk in a state folder, in a thread of its own, until the block ends."""
    node = DeskNode(desk)
    server = Server(node, state)
    thread = threading.Thread(target=lambda: asyncio.run(server.run()))
    thread.start()
    try:
        yield node
    finally:
        server.stop()
        thread.join()
