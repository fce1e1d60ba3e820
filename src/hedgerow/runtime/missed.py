"""Since when legs may have missed what their venues booked without a trade: funding, interest. Out of the journal.

Whatever was booked since then is still remembered by id, so that asking for it again books nothing twice; and nothing
from before a leg was there is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from hedgerow.core.book import Book
from hedgerow.core.config import NS_PER_S, LegConfig
from hedgerow.core.events import BookStarted, Event, FundingPaid, InterestCharged, LegAdded
from hedgerow.core.ledger import FUNDING_IDS_MAX, INTEREST_IDS_MAX
from hedgerow.journal.sqlite import SCAN_LEN, SqliteStore
from hedgerow.model.ids import AccountId, BookId, LegId
from hedgerow.model.instrument import InstrumentKind

# A venue that was asked shows what it booked within hours: so long before the latest booking, nothing is missing.
LATE_NS = 24 * 3_600 * NS_PER_S
# Well within what a ledger remembers by id.
BOOKINGS_MAX = min(FUNDING_IDS_MAX, INTEREST_IDS_MAX) // 2
# How far is looked back at first, and how much further when that was not far enough.
FIRST_LEN, FURTHER = 4 * SCAN_LEN, 8
BOOKED_KINDS = (InstrumentKind.PERP, InstrumentKind.MARGIN)

# Most records are of something else, and are not decoded: the first word of a turn's body is its event's kind.
WORD = b'"what":'
KINDS = tuple(
    f'{WORD.decode()}"{kind.__name__}"'.encode() for kind in (BookStarted, LegAdded, FundingPaid, InterestCharged)
)
Told = tuple[int, Event]
"(when, what) of a turn."


class _Past(msgspec.Struct):
    """What the journal says of one leg, looked at from its end."""

    leg: LegConfig
    since_ns: int
    "Since when the leg has been there, as far as was looked back; or the booking that was far enough."
    latest_ns: int = 0
    "When its latest booking was journaled."
    bookings: int = 0
    floor_ns: int = 0
    "The booking that was far enough; 0 when there is none."
    is_known: bool = False

    def take(self, ts_ns: int, event: Event) -> None:
        """Take one turn's event, the latest first."""
        if self.is_known:
            return
        match event:
            case FundingPaid() | InterestCharged() if event.leg_id == self.leg.id:
                self.latest_ns = self.latest_ns or ts_ns
                self.bookings += 1
                if self.bookings == BOOKINGS_MAX or self.latest_ns - ts_ns >= LATE_NS:
                    # What the venue booked after this moment was journaled after it, and is remembered.
                    self.since_ns = self.floor_ns = ts_ns
                    self.is_known = True
            case BookStarted():
                if any(_is_same(leg, self.leg) for leg in event.config.legs):
                    self.since_ns = ts_ns
                else:
                    self.is_known = True
            case LegAdded() if _is_same(event.leg, self.leg):
                self.since_ns = ts_ns
                self.is_known = True


def missed_since(
    store: SqliteStore, end_seq: int, books: Mapping[BookId, tuple[LegConfig, ...]], gone: Iterable[Book], now_ns: int
) -> dict[tuple[BookId, LegId], int]:
    """Return since when is to be asked for what was booked, for each leg where anything can be.

    Args:
        end_seq: where the runs before this one ended.
        books: the legs of the books that run.
        gone: books of the journal that do not run any more.
        now_ns: when this run began; before, a leg that the journal does not know was not there.

    Raises:
        JournalError: it cannot be read.
    """
    pasts: dict[BookId, list[_Past]] = {}
    # Interest is an account's, and whichever leg owes most books it: what another one has booked is not asked for as
    # soon as its id may be forgotten, or is known to nobody who runs.
    floors: dict[AccountId, int] = {}

    def raise_floor(account_id: AccountId, floor_ns: int) -> None:
        floors[account_id] = max(floors.get(account_id, 0), floor_ns)

    for book_id, legs in books.items():
        booked = [leg for leg in legs if leg.instrument.kind in BOOKED_KINDS]
        pasts[book_id], dropped_ns = _looked_back(store, end_seq, book_id, booked, now_ns)
        for past in pasts[book_id]:
            raise_floor(past.leg.account_id, max(past.floor_ns, dropped_ns))
    for book in gone:
        for leg in book.config.legs:
            raise_floor(leg.account_id, book.state.last_ts_ns)
    return {
        (book_id, past.leg.id): max(past.since_ns, floors[past.leg.account_id])
        if past.leg.instrument.kind is InstrumentKind.MARGIN
        else past.since_ns
        for book_id, found in pasts.items()
        for past in found
    }


def _looked_back(
    store: SqliteStore, end_seq: int, book_id: BookId, legs: list[LegConfig], now_ns: int
) -> tuple[list[_Past], int]:
    """Return each leg's past, and when a leg that the book has no more last booked interest; 0 when none did."""
    length = FIRST_LEN
    while True:
        start_seq = max(0, end_seq - length)
        pasts = [_Past(leg, now_ns) for leg in legs]
        known = {leg.id for leg in legs}
        dropped_ns = 0
        for ts_ns, event in reversed(list(_told(store, start_seq, end_seq, book_id))):
            if isinstance(event, InterestCharged) and event.leg_id not in known:
                dropped_ns = max(dropped_ns, ts_ns)
            for past in pasts:
                past.take(ts_ns, event)
        if start_seq == 0 or all(past.is_known for past in pasts):
            return pasts, dropped_ns
        length *= FURTHER


def _told(store: SqliteStore, start_seq: int, end_seq: int, book_id: BookId) -> Iterator[Told]:
    for record in store.turns_of(book_id, start_seq):
        if record.seq > end_seq:
            return
        if record.body.startswith(KINDS, record.body.find(WORD)):
            turn = record.turn
            yield turn.ts_ns, turn.event


def _is_same(one: LegConfig, other: LegConfig) -> bool:
    return (one.id, one.account_id, one.instrument.id) == (other.id, other.account_id, other.instrument.id)
