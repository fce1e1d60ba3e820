"""What a run tells people: its config, when it is ready, each thing that happens, and what it came to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TextIO

import msgspec

from hedgerow.core.book import Book
from hedgerow.core.commands import Mode, Turn
from hedgerow.core.config import NS_PER_MS, NS_PER_S, BookConfig
from hedgerow.model.ids import BookId
from hedgerow.runtime.clock import Origin
from hedgerow.runtime.node import Node
from hedgerow.runtime.node_config import NodeConfig
from hedgerow.runtime.outlet import Outlet
from hedgerow.runtime.story import Story, told

# Clocks of machines that keep time differ by less.
AHEAD_TOLD_MS = 1_000


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """Every book has read what it needs, and trades."""

    schema: str = "hedgerow.ready/1"
    ts: str
    "By the node's clock, UTC."
    epoch: int
    "Of this run; greater than that of any run before it."
    hedged: bool
    residual: dict[BookId, Decimal]
    "Book -> residual, hedge units."

    @classmethod
    def of(cls, node: Node) -> Ready:
        """Return how the books of a node stand now."""
        residual = {book_id: book.residual for book_id, book in node.books.items()}
        hedged = all(book.is_hedged for book in node.books.values())
        ts = f"{datetime.fromtimestamp(node.now_ns() // NS_PER_S, UTC):%Y-%m-%dT%H:%M:%SZ}"
        return cls(ts=ts, epoch=node.epoch, hedged=hedged, residual=residual)


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to, as one object."""

    schema: str = "hedgerow.run/1"
    exit: int
    fills: int
    hedged: bool
    residual: dict[BookId, Decimal]
    "Book -> residual, hedge units."
    journal_seq: int
    last_order: str


class Front:
    """Tells of one run: lines of what happens to stdout, notes to stderr; with `as_json`, one object at the end."""

    def __init__(self, config: NodeConfig, outlet: Outlet, as_json: bool) -> None:
        self._config = config
        self._outlet = outlet
        self._as_json = as_json
        self._story = Story()
        self.note = outlet.note

    def begin(self) -> None:
        """Tell what is about to run."""
        config = self._config
        counts = f"{_count(len(config.accounts), 'account')}, {_count(len(config.books), 'book')}"
        self.note(f"config    {config.name} ok ({counts}, sha {config.sha[:7]})")
        for line in config.warnings:
            self.note(f"warning   {line}")

    def node(self, books: tuple[BookConfig, ...], origin: Origin, mode: str) -> Node:
        """Return the node of these books, recovered, and tell of that. Raises JournalError."""
        node = Node(
            books,
            self._config.journal,
            origin,
            self.note,
            self._show,
            self._config.budgets,
            on_ready=lambda: self._ready(node),
            watches=self._config.watches,
        )
        self._story.begin(node.books.values())
        live = sum(len(orders) for book in node.books.values() for orders in book.live.values())
        ahead_ms = (node.now_ns() - time.time_ns()) // NS_PER_MS
        if node.last_seq and ahead_ms >= AHEAD_TOLD_MS:
            told_s = ahead_ms // 1000
            self.note(f"clock     {told_s} s ahead of this machine's: the journal ends there, time never goes back")
        if origin.speed != 1:
            self.note(
                f"clock     {origin.speed:g} times as fast as life: the times that are told leave those of this machine"
            )
        self.note(mode)
        self.note(f"recover   journal seq {node.last_seq:,}; {live} live order(s) to be proven")
        return node

    def end(self, node: Node, code: int) -> int:
        """Tell what a run came to, and return its exit code; raises what broke it."""
        if node.failure is not None:
            raise node.failure
        residual = {book_id: book.residual for book_id, book in node.books.items()}
        hedged = all(book.is_hedged for book in node.books.values())
        open_text = ", ".join(f"{book_id} {qty}" for book_id, qty in residual.items())
        self.note(f"stopped   residual {open_text}; state saved (seq {node.last_seq:,})")
        if self._as_json:
            ran = Ran(
                exit=code,
                fills=self._story.fills,
                hedged=hedged,
                residual=residual,
                journal_seq=node.last_seq,
                last_order=self._story.last_order,
            )
            self._outlet.say(msgspec.json.encode(ran).decode())
        return code

    def _show(self, turns: list[tuple[int, Turn]]) -> None:
        lines = self._story.follow(turns)
        if not self._as_json:
            for line in lines:
                self._outlet.say(told(line))

    def _ready(self, node: Node) -> None:
        ready = Ready.of(node)
        self.note(
            msgspec.json.encode(ready).decode() if self._as_json else f"ready     {ready.ts[11:]}  {_all(node.books)}"
        )


def run_told(
    config: NodeConfig, out: TextIO, err: TextIO, as_json: bool, work: Callable[[Front], Awaitable[int]]
) -> int:
    """Run a config in a loop of its own, told to people from its first line to its last; return the exit code.

    Args:
        out: takes what happened; with `as_json`, one object at the end.
        err: takes notes.
        work: runs it.
    """
    return asyncio.run(_run_told(config, Outlet(out, err), as_json, work))


async def _run_told(config: NodeConfig, outlet: Outlet, as_json: bool, work: Callable[[Front], Awaitable[int]]) -> int:
    try:
        front = Front(config, outlet, as_json)
        front.begin()
        return await work(front)
    finally:
        outlet.close()


def _all(books: Mapping[BookId, Book]) -> str:
    return ", ".join(f"{book_id} {_standing(book)}" for book_id, book in books.items())


def _standing(book: Book) -> str:
    state = book.mode.value if book.mode is not Mode.RUNNING else "hedged" if book.is_hedged else "hedging"
    return f"{state}, residual {book.residual:f}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
