"""The journal of a loop: what one round appended is made durable once, after it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from hedgerow.journal.errors import JournalError
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.journal.writer import JournalWriter
from hedgerow.runtime.loop_journal import LoopJournal
from tests.journal.samples import BOOK, plain_turn


def test_a_round_is_durable_right_after_it() -> None:
    """One call back for all turns of a round, and then every one of them is told as far as it is durable."""
    store = SqliteStore(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False))
    store.start_epoch()
    errors: list[JournalError] = []
    ready: list[Callable[[], None]] = []
    durable: list[int] = []
    writer = JournalWriter(store, durable.append, errors.append)
    journal = LoopJournal(writer, ready.append, durable.append)

    journal.append(plain_turn(1))
    journal.append(plain_turn(2))
    journal.save_snapshot(BOOK, b"two")
    first_round = len(ready)
    ready.pop()()
    journal.append(plain_turn(3))
    second_round = len(ready)
    ready.pop()()
    writer.close()

    assert (first_round, second_round) == (1, 1)
    assert max(durable) == writer.durable_seq == 3
    assert journal.backlog_len == 0
    assert errors == []


def test_a_hedge_does_not_wait_for_the_end_of_its_round_but_only_once_in_each() -> None:
    """The first is durable at once; a burst is not paid for with a commit each."""
    store = SqliteStore(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False))
    store.start_epoch()
    errors: list[JournalError] = []
    ready: list[Callable[[], None]] = []
    durable: list[int] = []
    writer = JournalWriter(store, durable.append, errors.append)
    journal = LoopJournal(writer, ready.append, durable.append)

    journal.hurry()
    assert durable == []
    journal.append(plain_turn(1))
    journal.hurry()
    assert durable == [1]
    journal.append(plain_turn(2))
    journal.hurry()
    assert durable == [1]
    ready.pop()()
    assert durable[-1] == 2
    journal.append(plain_turn(3))
    journal.hurry()
    assert durable[-1] == 3
    ready.pop()()
    writer.close()

    assert ready == []
    assert errors == []
