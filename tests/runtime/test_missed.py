"""Since when bookings may have been missed: as far back as each is still known by its id, and never before the leg."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.core.book import Book
from hedgerow.core.commands import Turn
from hedgerow.core.config import BookConfig, LegConfig
from hedgerow.core.events import BookStarted, Event, FundingPaid, Heartbeat, InterestCharged, LegAdded
from hedgerow.core.step import empty_book
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.model.ids import AccountId, BookId, LegId
from hedgerow.model.instrument import InstrumentKind
from hedgerow.runtime import missed
from hedgerow.runtime.missed import BOOKINGS_MAX, LATE_NS, missed_since
from hedgerow.runtime.story import Silent
from tests.core.books import HEDGE, LEAD, S, config, instrument

NOW_NS = 2_000_000_000 * S
HOUR = 3_600 * S
ONE, TWO = BookId("one"), BookId("two")


def carry(name: BookId = ONE, kind: InstrumentKind = InstrumentKind.MARGIN) -> BookConfig:
    """Return a book of a margin leg, that borrows, and a perp leg, that is paid funding."""
    return replace(config(lead=instrument("lead", kind=kind)), book_id=name)


def journal(*told: tuple[BookId, int, Event]) -> SqliteStore:
    """Return a journal with these turns: (book, hours before now, event)."""
    store = SqliteStore(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False))
    store.start_epoch()
    store.append(Turn(book_id, NOW_NS - hours * HOUR, event) for book_id, hours, event in told)
    store.commit()
    return store


def started(book: BookConfig, hours: int) -> tuple[BookId, int, Event]:
    return book.book_id, hours, BookStarted(NOW_NS - hours * HOUR, 1, book)


def paid(hours: int, name: BookId = ONE) -> tuple[BookId, int, Event]:
    return name, hours, FundingPaid(NOW_NS - hours * HOUR, HEDGE, f"f{hours}", Decimal(1))


def charged(hours: int, name: BookId = ONE, leg_id: LegId = LEAD) -> tuple[BookId, int, Event]:
    return name, hours, InterestCharged(NOW_NS - hours * HOUR, leg_id, f"i{hours}", "USD", Decimal(1))


def hours_ago(store: SqliteStore, *books: BookConfig, gone: Iterable[Book] = ()) -> dict[tuple[BookId, LegId], int]:
    """Return how many hours ago each leg begins to ask from."""
    legs = {book.book_id: book.legs for book in books}
    found = missed_since(store, store.last_seq, legs, gone, NOW_NS)
    return {key: (NOW_NS - since_ns) // HOUR for key, since_ns in found.items()}


def test_a_new_book_asks_from_its_start_on() -> None:
    """What an account paid before is not the book's."""
    assert hours_ago(journal(), carry()) == {(ONE, LEAD): 0, (ONE, HEDGE): 0}


def test_a_book_asks_from_its_first_start_on_as_long_as_it_knows_every_booking() -> None:
    """Whatever it has not booked is missing, whenever that was: the node may have run, and asked in vain."""
    store = journal(started(carry(), 900), started(carry(), 500), paid(20), charged(8), started(carry(), 7), paid(4))

    assert hours_ago(store, carry()) == {(ONE, LEAD): 900, (ONE, HEDGE): 900}


def test_a_day_before_the_latest_booking_nothing_is_missing() -> None:
    """Nor could what is forgotten be known again."""
    told = [paid(hours) for hours in range(400, 100, -8)]

    assert hours_ago(journal(started(carry(), 900), *told), carry())[ONE, HEDGE] == 104 + LATE_NS // HOUR


def test_of_many_bookings_at_once_no_more_are_asked_for_than_are_remembered() -> None:
    """After a month without a node, all of it is booked within a second."""
    told = [(ONE, 5, FundingPaid(NOW_NS, HEDGE, f"f{n}", Decimal(1))) for n in range(3 * BOOKINGS_MAX)]

    assert hours_ago(journal(started(carry(), 900), paid(800), *told), carry())[ONE, HEDGE] == 5


def test_a_leg_that_came_later_or_traded_elsewhere_before_asks_from_then_on() -> None:
    """What was paid there before was somebody else's."""
    only_perp = replace(carry(), legs=carry().legs[1:])
    lead, hedge = carry().legs
    elsewhere = replace(carry(), legs=(replace(lead, account_id=AccountId("sim/other")), hedge))
    once = started(carry(), 800)

    assert hours_ago(journal(started(only_perp, 900), once), carry()) == {(ONE, LEAD): 800, (ONE, HEDGE): 900}
    moved = journal(started(carry(), 900), started(elsewhere, 850), once)
    assert hours_ago(moved, carry()) == {(ONE, LEAD): 800, (ONE, HEDGE): 900}
    assert hours_ago(journal(started(carry(), 900)), elsewhere) == {(ONE, LEAD): 0, (ONE, HEDGE): 900}


def test_a_leg_that_was_found_asks_from_then_on() -> None:
    """It came into the account with a position."""
    found = LegConfig(LegId("found"), AccountId("sim/lead"), instrument("found"), found=True)
    with_found = replace(carry(), legs=(*carry().legs, found))
    store = journal(started(carry(), 900), (ONE, 300, LegAdded(NOW_NS - 300 * HOUR, found)), started(with_found, 10))

    assert hours_ago(store, with_found)[ONE, found.id] == 300


def test_spot_is_booked_nothing() -> None:
    """It is not asked for."""
    assert hours_ago(journal(), carry(kind=InstrumentKind.SPOT)) == {(ONE, HEDGE): 0}


def test_interest_of_an_account_is_asked_for_as_far_back_as_every_book_there_remembers() -> None:
    """It is the account's: what the one has booked, the other is told of as well, and must be known by somebody."""
    told = [charged(hours, TWO) for hours in range(400, 100, -1)]
    store = journal(started(carry(), 900), started(carry(TWO), 890), *told)

    assert hours_ago(store, carry(), carry(TWO)) == {
        (ONE, LEAD): 101 + LATE_NS // HOUR,
        (ONE, HEDGE): 900,
        (TWO, LEAD): 101 + LATE_NS // HOUR,
        (TWO, HEDGE): 890,
    }


def test_interest_that_a_book_or_a_leg_booked_that_is_gone_is_not_asked_for() -> None:
    """Nobody who runs knows those ids."""
    gone = empty_book(carry(TWO), Silent())
    gone.state.last_ts_ns = NOW_NS - 70 * HOUR
    dropped = LegId("dropped")
    store = journal(started(carry(), 900), charged(80, leg_id=dropped), charged(60, leg_id=dropped), paid(50))

    assert hours_ago(journal(started(carry(), 900)), carry(), gone=[gone]) == {(ONE, LEAD): 70, (ONE, HEDGE): 900}
    assert hours_ago(store, carry()) == {(ONE, LEAD): 60, (ONE, HEDGE): 900}


def test_a_long_journal_is_read_from_its_end_and_no_further_than_it_must(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start must not wait for years of records."""
    monkeypatch.setattr(missed, "FIRST_LEN", 50)
    beats = ((ONE, 300, Heartbeat(NOW_NS, HEDGE)) for _ in range(100))
    store = journal(started(carry(), 900), paid(320), *beats, paid(290), paid(200))
    reads: list[int] = []
    turns_of = store.turns_of
    monkeypatch.setattr(store, "turns_of", lambda book_id, seq: reads.append(seq) or turns_of(book_id, seq))

    assert hours_ago(store, replace(carry(), legs=carry().legs[1:])) == {(ONE, HEDGE): 290}
    assert reads == [store.last_seq - 50]
    assert hours_ago(store, carry()) == {(ONE, LEAD): 900, (ONE, HEDGE): 290}
    assert reads == [store.last_seq - 50, store.last_seq - 50, 0]


def test_what_this_run_has_written_is_not_looked_at() -> None:
    """Its start would pass for that of an earlier one."""
    store = journal(started(carry(), 900), started(carry(), 800))
    end_seq = store.last_seq
    store.append([Turn(ONE, NOW_NS, FundingPaid(NOW_NS, HEDGE, f"f{n}", Decimal(1))) for n in range(BOOKINGS_MAX)])
    store.commit()

    found = missed.missed_since(store, end_seq, {ONE: carry().legs}, (), NOW_NS)

    assert found[ONE, HEDGE] == NOW_NS - 900 * HOUR
