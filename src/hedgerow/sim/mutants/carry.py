"""Mistakes of `carry`, and of what accounts are worth."""

from __future__ import annotations

from decimal import Decimal

from hedgerow.core import guard, reconcile
from hedgerow.core.book import Book
from hedgerow.core.ledger import Ledger
from hedgerow.model.ids import LegId
from hedgerow.model.numbers import ZERO
from hedgerow.model.order import Side
from hedgerow.sim.mutants.mutant import Mutant
from hedgerow.strategies.carry import Carry, Memory
from hedgerow.strategies.maker import Chase, MakerHedge
from hedgerow.strategies.quoting import Reason

# No signal of a story is as old, in nanoseconds.
AGES = 10**18

# The function as it is, for a mutant that only bends it.
_goal = Carry._goal


def _never_mismatched(book: Book) -> None:
    return None


def _never_unknown(book: Book) -> None:
    return None


def _free_loans(policy: Carry, book: Book) -> Decimal:
    return ZERO


def _interest_twice(ledger: Ledger, interest_id: str, currency: str, amount: Decimal, leg: object) -> bool:
    ledger.interest[currency] = ledger.interest.get(currency, ZERO) + amount
    return True


def _never_taken(
    hedge: MakerHedge, book: Book, chase: Chase, side: Side, best: Decimal | None, wanted: Decimal | None
) -> Chase:
    return chase


def _of_any_age(
    policy: Carry, book: Book, memory: Memory, unmet: Reason | None
) -> tuple[Decimal | None, Memory, Reason | None, int | None]:
    policy._signal_age_ns = AGES
    return _goal(policy, book, memory, unmet)


def _as_it_was(
    policy: Carry, book: Book, memory: Memory, unmet: Reason | None
) -> tuple[Decimal | None, Memory, Reason | None, int | None]:
    goal, memory, reason, wake_ns = _goal(policy, book, memory, unmet)
    return (goal if memory.goal_net_qty is None else memory.goal_net_qty), memory, reason, wake_ns


def _all_that_is_held(book: Book, leg_id: LegId) -> Decimal:
    return book.positions_read[leg_id].net_qty


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
        "rule 5",
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
    Mutant(
        "maker_for_ever",
        "C6",
        "a post-only hedge that is refused is quoted again and again, and never taken",
        ((MakerHedge, "_escalated", _never_taken),),
        (
            "C06_a_post_only_hedge_refused_again_and_again.txt",
            "C06_a_price_that_runs_away_is_taken_at_once.txt",
            "C06_the_clock_turns_a_maker_into_a_taker.txt",
        ),
    ),
    Mutant(
        "old_signals_are_taken",
        "C13",
        "a signal begins an entry, however old it is",
        ((Carry, "_goal", _of_any_age),),
        ("C13_a_signal_from_before_a_restart.txt",),
    ),
    Mutant(
        "all_of_each_leg_is_unwound",
        "C14",
        "each leg is unwound by what its account holds, not by what both hold against one another",
        ((reconcile, "_adoptable", _all_that_is_held),),
        ("C14_close_mode_unwinds_what_both_legs_hold.txt",),
    ),
    Mutant(
        "old_goal_stands",
        "C13",
        "what a signal asked for before a restart stands, whatever the config says since",
        ((Carry, "_goal", _as_it_was),),
        ("C13_a_goal_is_no_more_than_the_config_of_today_allows.txt",),
    ),
)
