"""What all books have together: added up, valued, and never guessed."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from hedgerow.core.book import Book
from hedgerow.core.commands import Turn
from hedgerow.core.config import Limits
from hedgerow.core.events import Balance, BalancesRead, BookStarted, InterestCharged, TimeReached
from hedgerow.core.holds import HoldReason
from hedgerow.journal.errors import JournalError
from hedgerow.model.ids import AccountId, BookId, LegId
from hedgerow.model.instrument import Instrument, InstrumentKind
from hedgerow.model.order import Side
from hedgerow.runtime import portfolio
from hedgerow.runtime.cycle import Cycle
from hedgerow.runtime.dispatch import Budget, Dispatch
from hedgerow.venues.gateway import Deliver, Request
from tests.core.books import HEDGE, LEAD, Desk, Quoting, S, config, entry, instrument, submits
from tests.venues.clockwork import VirtualClock

RATIO = Limits(symbol_exposure_ratio_max=Decimal("0.5"))


def desk(limits: Limits, *balances: tuple[LegId, str, str]) -> Desk:
    """Return a book of spot and perp whose accounts have these balances."""
    spot = instrument("lead", kind=InstrumentKind.SPOT)
    made = Desk(Quoting(entry("1")), config(limits=limits, lead=spot))
    for leg_id in (LEAD, HEDGE):
        rows = tuple(Balance(currency, Decimal(total)) for whose, currency, total in balances if whose == leg_id)
        if rows:
            made.tell(BalancesRead(made.now_ns, leg_id, made.now_ns, rows))
    return made


def seen(book: Book, *others: Book) -> object:
    books = {BookId(f"b{n}"): each for n, each in enumerate((book, *others))}
    return portfolio.seen(books, book.now_ns)[BookId("b0")]


def test_equity_is_what_the_accounts_own_less_what_they_owe() -> None:
    """Spot is worth its price, a perp what it has gained, a loan what it costs to pay back."""
    made = desk(Limits(), (LEAD, "USD", "1000"), (LEAD, "BTC", "2"), (HEDGE, "USD", "500"))
    rows = (Balance("USD", Decimal(500), borrowed=Decimal(100), interest=Decimal(1)),)
    made.tell(BalancesRead(made.now_ns, HEDGE, made.now_ns, rows))

    worth = portfolio.equity([made.book], made.now_ns)

    assert worth.problems == ()
    assert worth.value == 1000 + 2 * Decimal("100.05") + 399


def test_a_missing_row_is_unknown_and_not_zero() -> None:
    """C18: a currency that the answer leaves out may be worth anything; so may one that nobody prices."""
    made = desk(Limits(), (LEAD, "USD", "1000"), (HEDGE, "USD", "500"), (HEDGE, "XYZ", "3"))

    worth = portfolio.equity([made.book], made.now_ns)

    assert worth.value is None
    assert worth.problems == ("BTC of sim/lead", "price of XYZ")


def test_an_old_read_is_unknown() -> None:
    """What an account owned long ago says nothing of now."""
    made = desk(Limits(), (LEAD, "USD", "1000"), (LEAD, "BTC", "0"), (HEDGE, "USD", "500"))

    assert portfolio.equity([made.book], made.now_ns).value == 1500
    assert portfolio.equity([made.book], made.now_ns + 91 * S).problems == (
        "balances of sim/lead",
        "balances of sim/hedge",
    )


def test_an_entry_waits_until_all_is_known() -> None:
    """C18: a limit over all books that cannot be checked holds entries, and says what is missing."""
    made = desk(RATIO, (LEAD, "USD", "1000"), (HEDGE, "USD", "500"))
    assert not list(made.book.working(LEAD))

    commands = made.tell(seen(made.book))  # type: ignore[arg-type]

    assert submits(commands) == []
    hold = made.book.state.holds["lead/entry"]
    assert hold.reason is HoldReason.PORTFOLIO_UNKNOWN
    assert hold.numbers == (("unknown", "BTC of sim/lead"),)


def test_the_worst_case_of_one_more_entry_counts_with_all_other_books() -> None:
    """Two books that are each within the limit may not be above it together; hedges and exits never ask."""
    rows = ((LEAD, "USD", "150"), (LEAD, "BTC", "0"), (HEDGE, "USD", "100"))
    first, second = desk(RATIO, *rows), desk(RATIO, *rows)
    assert submits(first.tell(seen(first.book)))  # type: ignore[arg-type]

    alone = submits(second.tell(seen(second.book)))  # type: ignore[arg-type]
    third = desk(RATIO, *rows)
    together = submits(third.tell(seen(third.book, first.book)))  # type: ignore[arg-type]

    assert len(alone) == 1
    assert together == []
    hold = third.book.state.holds["lead/entry"]
    assert hold.reason is HoldReason.SYMBOL_EXPOSURE_LIMIT
    assert dict(hold.numbers) == {"would_be": "0.8000", "limit": "0.5"}


class Paper:
    """A journal that takes everything, and a watcher that does nothing."""

    backlog_len = 0

    def __init__(self) -> None:
        self.turns: list[Turn] = []

    def append(self, turn: Turn) -> int:
        self.turns.append(turn)
        return len(self.turns)

    def save_snapshot(self, book_id: BookId, body: bytes) -> None: ...

    def turned(self, turns: list[tuple[int, Turn]]) -> None: ...

    def faulted(self, book_id: BookId, error: Exception) -> None:
        raise error

    def journal_failed(self, error: JournalError) -> None:
        raise error


class Silent:
    """A gateway to a venue that never answers."""

    account_id = AccountId("sim/lead")

    def start(self, leg_id: LegId, instrument: Instrument, deliver: Deliver) -> None: ...

    def send(self, request: Request) -> None: ...

    async def stop(self) -> None: ...


def cycle_of(*made: Desk) -> tuple[Cycle, list[BookId]]:
    """Return a cycle of these desks' books, each under a name of its own."""
    clock, paper = VirtualClock(), Paper()
    clock.run(made[0].now_ns - clock.now_ns() if made[0].now_ns > clock.now_ns() else 0)
    running = Cycle(clock, paper, lambda book_id, command: None, paper)
    names = []
    for number, each in enumerate(made):
        book_id = BookId(f"b{number}")
        each.book.state.config = replace(each.book.config, book_id=book_id)
        each.book.index()
        doors = {leg_id: Dispatch(clock, Budget()) for leg_id in each.book.legs}
        running.add(each.book, {leg_id: Silent() for leg_id in each.book.legs}, doors)
        names.append(book_id)
    return running, names


def test_an_entry_of_one_book_is_told_to_the_others_at_once() -> None:
    """Two books that see the same room must not both take it."""
    rows = ((LEAD, "USD", "150"), (LEAD, "BTC", "0"), (HEDGE, "USD", "100"))
    first, second = desk(RATIO, *rows), desk(RATIO, *rows)
    running, _ = cycle_of(first, second)

    running.tell_portfolio()

    working = [len(list(each.book.working(LEAD))) for each in (first, second)]
    assert sorted(working) == [0, 1], "one of them takes the room"
    loser = (first, second)[working.index(0)]
    assert loser.book.state.holds["lead/entry"].reason is HoldReason.SYMBOL_EXPOSURE_LIMIT


def test_a_limit_that_a_restart_brings_counts_from_then_on() -> None:
    """The book that the journal had was without it; its config of today is not."""
    rows = ((LEAD, "USD", "150"), (LEAD, "BTC", "0"), (HEDGE, "USD", "100"))
    spot = instrument("lead", kind=InstrumentKind.SPOT)
    made = [Desk(Quoting(), config(lead=spot)) for _ in range(2)]
    running, names = cycle_of(*made)
    for each, book_id in zip(made, names, strict=True):
        limited = replace(each.config, book_id=book_id, limits=RATIO)
        running.deliver(book_id, BookStarted(each.now_ns, 2, limited))
        for leg_id in (LEAD, HEDGE):
            owned = tuple(Balance(currency, Decimal(total)) for whose, currency, total in rows if whose == leg_id)
            each.tell(BalancesRead(each.now_ns, leg_id, each.now_ns, owned))
        each.read_all()
        each.quote_all()
    running.tell_portfolio()

    for each, book_id in zip(made, names, strict=True):
        each.policy.entry = entry("1")
        running.deliver(book_id, TimeReached(each.now_ns + 1))

    assert [len(list(each.book.working(LEAD))) for each in made] == [1, 0]


def test_interest_of_an_account_is_booked_by_one_book() -> None:
    """Every leg of a margin account hears of the same charge."""
    margin = instrument("lead", kind=InstrumentKind.MARGIN)
    made = [Desk(Quoting(), config(lead=margin)) for _ in range(2)]
    running, names = cycle_of(*made)

    for book_id in names:
        running.deliver(book_id, InterestCharged(made[0].now_ns, LEAD, "i1", "USD", Decimal("0.5")))

    assert [each.book.ledger(LEAD).interest.get("USD") for each in made] == [Decimal("0.5"), None]


def test_interest_of_a_coin_is_booked_where_it_is_owed() -> None:
    """The book that is short has borrowed it; whoever hears of it first, it is booked once."""
    margin = instrument("lead", kind=InstrumentKind.MARGIN)
    made = [Desk(Quoting(entry("1", side=side)), config(lead=margin)) for side in (Side.BUY, Side.SELL)]
    for each in made:
        each.fills(each.standing(), "0.4")
    running, names = cycle_of(*made)

    for book_id in names:
        running.deliver(book_id, InterestCharged(made[0].now_ns, LEAD, "i1", "BTC", Decimal("0.001")))

    assert [each.book.net_qty(LEAD) for each in made] == [Decimal("0.4"), Decimal("-0.401")]
