"""Mistakes of `mirror`."""

from __future__ import annotations

from hedgerow.core.book import Book
from hedgerow.sim.mutants.mutant import Mutant


def _never_in_doubt(book: Book) -> bool:
    return False


def _doubt_without_end(book: Book, doubt_ns: int) -> int:
    return doubt_ns


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "force_close_in_doubt",
        "M6",
        "both legs are closed while the hedge may have been taken",
        ((Book, "may_be_hedged", _never_in_doubt),),
        ("M06_an_unsent_hedge_is_not_force_closed.txt",),
    ),
    Mutant(
        "silence_waited_for_for_ever",
        "M7",
        "a venue that proves nothing keeps both legs from being closed",
        ((Book, "bounded_doubt_ns", _doubt_without_end),),
        ("M07_silence_is_not_waited_for_for_ever.txt",),
    ),
)
