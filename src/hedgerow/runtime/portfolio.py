"""The portfolio: what all books of a node have together, and what their accounts are worth, told to each of them.

What is unknown is told as such and never taken for zero: a balance that was not read, a currency without a price.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from hedgerow.core.book import Book
from hedgerow.core.config import NS_PER_MS
from hedgerow.core.events import BalancesRead, PortfolioSeen
from hedgerow.core.exposure import DOLLARS, Totals, added, totals
from hedgerow.model.ids import AccountId, BookId
from hedgerow.model.instrument import Instrument, InstrumentKind
from hedgerow.model.numbers import ZERO

# Balances are read every `full_read_ms`; after so many missed reads they are no longer known.
READS_MISSED_MAX = 3


class Equity(msgspec.Struct, frozen=True):
    """What accounts are worth, less what they owe, quote."""

    value: Decimal | None
    "None while some part of it is unknown."
    problems: tuple[str, ...]
    "What is unknown."


def is_limited(books: Iterable[Book]) -> bool:
    """Return whether any book has a limit over all books."""
    return any(
        limit is not None
        for book in books
        for limit in (
            book.config.limits.symbol_exposure_ratio_max,
            book.config.limits.total_exposure_ratio_max,
            book.config.limits.leverage_max,
            book.config.limits.pending_orders_max,
        )
    )


def equity(books: Iterable[Book], now_ns: int) -> Equity:
    """Return what the accounts of all books are worth together."""
    books = list(books)
    value, problems = ZERO, []
    prices = _prices(books)
    quotes = {leg.instrument.quote for book in books for leg in book.legs.values()}
    if len(quotes) > 1 and not quotes <= DOLLARS:
        problems.append(f"{' and '.join(sorted(quotes))} cannot be added")
    for account_id, read in latest_balances(books).items():
        if read is None or now_ns - read.asked_ts_ns > _known_ns(books):
            problems.append(f"balances of {account_id}")
            continue
        owned = {row.currency: row.net for row in read.rows}
        for currency in sorted(_expected(books, account_id) - owned.keys()):
            problems.append(f"{currency} of {account_id}")
        for currency, net in owned.items():
            price = prices.get(currency)
            if price is not None:
                value += net * price
            elif net != 0:
                problems.append(f"price of {currency}")
    for book in books:
        for leg_id, leg in book.legs.items():
            position, instrument = book.ledger(leg_id).position, leg.instrument
            if position.net_qty == 0 or _is_owned(instrument):
                continue
            mark = book.mark(leg_id)
            if mark is None:
                problems.append(f"price of {instrument.id}")
            elif instrument.kind is InstrumentKind.PERP:
                value += position.unrealized(mark, instrument.multiplier)
            else:
                value += position.net_qty * mark * instrument.multiplier
    unknown = tuple(dict.fromkeys(problems))
    return Equity(None if unknown else value, unknown)


def seen(books: Mapping[BookId, Book], now_ns: int) -> dict[BookId, PortfolioSeen]:
    """Return what each book is to know of all others."""
    each = {book_id: totals(book) for book_id, book in books.items()}
    worth = equity(books.values(), now_ns)
    told: dict[BookId, PortfolioSeen] = {}
    for book_id in books:
        others = added(part for other_id, part in each.items() if other_id != book_id)
        problems = (*worth.problems, *others.problems)
        told[book_id] = PortfolioSeen(now_ns, worth.value, problems, others.exposures, others.gross, others.orders)
    return told


def is_same(one: PortfolioSeen | None, other: PortfolioSeen) -> bool:
    """Return whether two say the same, whenever they were seen."""
    return one is not None and msgspec.structs.replace(one, ts_ns=other.ts_ns) == other


def all_totals(books: Iterable[Book]) -> Totals:
    """Return what all books have together, for showing."""
    return added(totals(book) for book in books)


def latest_balances(books: Iterable[Book]) -> dict[AccountId, BalancesRead | None]:
    """Return account -> the latest read of its balances; None while there is none."""
    found: dict[AccountId, BalancesRead | None] = {}
    for book in books:
        for leg_id, leg in book.legs.items():
            read, known = book.balances_read.get(leg_id), found.get(leg.account_id)
            newer = read is not None and (known is None or read.asked_ts_ns > known.asked_ts_ns)
            found[leg.account_id] = read if newer else known
    return found


def _known_ns(books: Iterable[Book]) -> int:
    return max(book.config.timing.full_read_ms for book in books) * NS_PER_MS * READS_MISSED_MAX


def _expected(books: Iterable[Book], account_id: AccountId) -> set[str]:
    """The currencies whose rows an account must have: what its legs are paid in, and what they hold."""
    found: set[str] = set()
    for book in books:
        for leg in book.legs.values():
            if leg.account_id == account_id:
                found.add(leg.instrument.quote)
                if _is_owned(leg.instrument):
                    found.add(leg.instrument.base)
    return found


def _is_owned(instrument: Instrument) -> bool:
    """Whether what is bought stands among the balances."""
    return instrument.kind in (InstrumentKind.SPOT, InstrumentKind.MARGIN)


def _prices(books: Iterable[Book]) -> dict[str, Decimal]:
    """Currency -> its price in quote."""
    found: dict[str, Decimal] = {}
    for book in books:
        for leg_id, leg in book.legs.items():
            instrument, mark = leg.instrument, book.mark(leg_id)
            found[instrument.quote] = Decimal(1)
            if mark is not None and _is_owned(instrument):
                found[instrument.base] = mark * instrument.multiplier
            elif mark is not None:
                found.setdefault(instrument.base, mark)
    return found
