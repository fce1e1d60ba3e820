"""What all books have together: added up, valued, and never guessed."""

from __future__ import annotations

from decimal import Decimal

from hedgerow.core.book import Book
from hedgerow.core.config import Limits
from hedgerow.core.events import Balance, BalancesRead
from hedgerow.core.holds import HoldReason
from hedgerow.model.ids import BookId, LegId
from hedgerow.model.instrument import InstrumentKind
from hedgerow.runtime import portfolio
from tests.core.books import HEDGE, LEAD, Desk, Quoting, S, config, entry, instrument, submits

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
