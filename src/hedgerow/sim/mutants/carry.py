"""Mistakes of `carry`, and of what accounts are worth."""

from __future__ import annotations

from decimal import Decimal

from hedgerow.core import guard
from hedgerow.core.book import Book
from hedgerow.core.ledger import Ledger
from hedgerow.model.numbers import ZERO
from hedgerow.sim.mutants.mutant import Mutant
from hedgerow.strategies.carry import Carry


def _never_mismatched(book: Book) -> None:
    return None


def _never_unknown(book: Book) -> None:
    return None


def _free_loans(policy: Carry, book: Book) -> Decimal:
    return ZERO


def _interest_twice(ledger: Ledger, interest_id: str, currency: str, amount: Decimal, leg: object) -> bool:
    ledger.interest[currency] = ledger.interest.get(currency, ZERO) + amount
    return True


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "contracts_are_base_units",
        "C11",
        "entries go on while one leg is priced per contract and the other per coin",
        ((guard, "_unit_mismatch", _never_mismatched),),
        ("C11_prices_per_another_unit_hold_entries.txt",),
    ),
    Mutant(
        "unknown_equity_is_no_limit",
        "C18",
        "a limit that cannot be checked, for want of a balance, lets entries pass",
        ((guard, "_portfolio_unknown", _never_unknown),),
        ("C18_limits_over_all_books_need_every_balance.txt",),
    ),
    Mutant(
        "loans_are_free",
        "C18",
        "an unknown cost of a loan is taken for none",
        ((Carry, "_borrow_bps", _free_loans),),
        ("X09_carry_pays_for_its_loan.txt",),
    ),
    Mutant(
        "interest_is_charged_twice",
        "B07",
        "interest is booked as often as it is told",
        ((Ledger, "charge_interest", _interest_twice),),
        ("X09_carry_pays_for_its_loan.txt",),
    ),
)
