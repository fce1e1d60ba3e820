"""What a journal says of the books that are to run: their state, and whether the config still fits it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from hedgerow.core.book import Book, BookState
from hedgerow.core.config import BookConfig
from hedgerow.core.events import BookStarted, Faulted
from hedgerow.core.step import empty_book, fold
from hedgerow.journal.errors import JournalCorrupt, JournalLocked
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.model.ids import BookId
from hedgerow.model.numbers import ZERO
from hedgerow.runtime.story import Silent
from hedgerow.strategies import make

MANY_TURNS = 200_000
# Whoever reads a journal at rest has it for so long at most, unless its output is held up.
READERS_S, READERS_POLL_S = 10.0, 0.1

_decode_state = msgspec.json.Decoder(BookState).decode


def open_journal(path: Path, note: Callable[[str], None], sleep: Callable[[float], None] = time.sleep) -> SqliteStore:
    """Open the journal of a node; one that somebody else reads is waited for, since positions may be open.

    Raises:
        JournalLocked: another node has it, or a reader does not let it go.
        JournalError: it cannot be used.
    """
    for attempt in range(round(READERS_S / READERS_POLL_S)):
        with contextlib.suppress(JournalLocked):
            return SqliteStore(path)
        if attempt == 0:
            note(f"recover   another process has {path}; waiting up to {READERS_S:g} s for it")
        sleep(READERS_POLL_S)
    return SqliteStore(path)


class Recovered(msgspec.Struct, frozen=True):
    """A book as the journal has it."""

    book: Book
    faulted: bool
    "Its last run ended by a broken assert."
    turns: int
    "How many were folded: all that no snapshot covers."


class LegsChanged(Exception):
    """A config names other legs, accounts or instruments than the journal holds orders or positions of."""


class ReachChanged(Exception):
    """A journal was begun in another world than the one that is to run."""


def check_reach(store: SqliteStore, configs: Iterable[BookConfig]) -> None:
    """Refuse to go on with a journal of another reach: what it says would be taken for real, or for play.

    Raises:
        ReachChanged: it was begun with another one.
        JournalError: it cannot be read.
    """
    first = next(iter(store.turns()), None)
    if first is None:
        return
    # Every book begins with its start, which carries its config.
    assert isinstance(first.turn.event, BookStarted), first
    before = first.turn.event.config.reach
    for config in configs:
        if config.reach is not before:
            raise ReachChanged(
                f"{store.name} is of {before.value.upper()} runs, and this one is {config.reach.value.upper()};"
                " name another folder with --state"
            )


def check_legs(book: Book, config: BookConfig) -> None:
    """Refuse a config under which a book would lose sight of what it has, or take it for something else.

    Raises:
        LegsChanged: a leg with orders or a position is gone, or trades something else now.
    """
    before = {leg.id: leg for leg in book.config.legs}
    after = {leg.id: leg for leg in config.legs}
    places = [(leg.account_id, leg.instrument.id) for leg in config.legs]
    parked = [(fill.account_id, fill.instrument_id) for fill in book.state.parked]
    for leg_id, old in before.items():
        ledger, place, new = book.state.ledgers.get(leg_id), (old.account_id, old.instrument.id), after.get(leg_id)
        net_qty = ZERO if ledger is None else ledger.position.net_qty
        if net_qty == 0 and not book.live.get(leg_id) and place not in parked:
            continue
        if new is None and old.found and place not in places:
            # It stays by itself until it is closed.
            continue
        if new is None or (new.account_id, new.instrument.id) != place:
            held = "trades without an owner" if place in parked else net_qty
            raise LegsChanged(
                f"book {config.book_id}: leg {leg_id} holds {held} of {old.instrument.id} in"
                f" {old.account_id} by the journal, and the config gives it another place;"
                " flatten it with the old config first, or give the new book another name"
            )


def recover(
    store: SqliteStore,
    configs: Iterable[BookConfig],
    note: Callable[[str], None] | None = None,
    many_turns: int = MANY_TURNS,
) -> list[Recovered]:
    """Return each book folded from its latest good snapshot and the turns after it; the journal is read once for all.

    Args:
        note: told when that will take a while: when there are `many_turns` to read.

    Raises:
        JournalError: it cannot be read, or is damaged.
    """
    found = [_begun(store, config) for config in configs]
    folding = {each.book_id: each for each in found}
    after_seq = min((each.after_seq for each in found), default=store.last_seq)
    if note is not None and store.last_seq - after_seq >= many_turns:
        note(f"recover   reading {store.last_seq - after_seq:,} turns: a second or two for each 100,000")
    for record in store.turns(after_seq):
        each = folding.get(record.book_id)
        if each is not None and record.seq > each.after_seq:
            turn = record.turn
            fold(each.book, turn)
            each.turns += 1
            each.faulted = isinstance(turn.event, Faulted)
    return [Recovered(each.book, each.faulted, each.turns) for each in found]


class _Folding(msgspec.Struct):
    """A book on its way from a snapshot to the end of the journal."""

    book_id: BookId
    book: Book
    after_seq: int
    "Of the snapshot; 0 without one."
    turns: int = 0
    faulted: bool = False


def _begun(store: SqliteStore, config: BookConfig) -> _Folding:
    strategy = make(config, checked=False)
    snapshot = store.load_snapshot(config.book_id)
    if snapshot is not None:
        try:
            return _Folding(config.book_id, Book(_decode_state(snapshot.body), strategy), snapshot.seq)
        except msgspec.MsgspecError as error:
            # An older version's state. The turns say the same, and are read for ever.
            store.notes.append(f"{store.name}: the snapshot of {config.book_id} was not used: {error}")
    return _Folding(config.book_id, empty_book(config, strategy), 0)


def recall(store: SqliteStore, book_id: BookId) -> Book:
    """Return a book of the journal that no config is at hand for, only to be looked at.

    Raises:
        JournalError: its records cannot be read, or do not add up to a book.
    """
    book, after_seq = None, 0
    snapshot = store.load_snapshot(book_id)
    if snapshot is not None:
        with contextlib.suppress(msgspec.MsgspecError):
            book, after_seq = Book(_decode_state(snapshot.body), Silent()), snapshot.seq
    try:
        for record in store.turns_of(book_id, after_seq):
            turn = record.turn
            if book is None:
                # Every book begins with its start, which carries its config.
                assert isinstance(turn.event, BookStarted), turn
                book = empty_book(turn.event.config, Silent())
            fold(book, turn)
        assert book is not None, book_id
    # Nothing is sent for such a book, so what is wrong with it must not stop the others.
    except (AssertionError, LookupError, ArithmeticError) as error:
        raise JournalCorrupt(f"{store.name}: the records of {book_id} do not add up: {error}") from error
    return book


def holds_something(book: Book) -> bool:
    """Whether a book has a position, or an order that is not proven gone."""
    return any(ledger.position.net_qty for ledger in book.state.ledgers.values()) or any(book.live.values())
