"""What differs between two backtests."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from hedgerow.sim.difference import Difference, differences
from tests.sim.results import empty_book, full_book, full_result

D = Decimal


def test_two_equal_results_differ_in_nothing() -> None:
    """The same run gives the same result."""
    assert differences(full_result(), full_result()) == ()


def test_what_went_in_stands_before_what_came_out() -> None:
    """A reader first wants to know what was changed."""
    book = full_book()
    changed = replace(
        book, params={"qty": "0.6"}, pnl=replace(book.pnl, spread=D("0.75")), fills=book.fills[:3], drawdown=D("0.1")
    )
    found = differences(full_result(book), replace(full_result(changed), seed=8))

    assert [each.what for each in found] == ["seed", "params.qty", "pnl", "drawdown", "fills", "spread", "fill 4"]
    assert found[2] == Difference("b1", "pnl", "0.23", "0.48", "+0.25")
    assert found[-1].first.endswith("hedge buy 0.5 @ 100.9 hedge") and found[-1].second == "-"


def test_the_first_fill_at_which_they_part_is_shown() -> None:
    """There the two runs began to tell different stories."""
    book = full_book()
    later = replace(book.fills[1], price=D("100.4"))
    (found,) = differences(full_result(book), full_result(replace(book, fills=(book.fills[0], later, *book.fills[2:]))))
    assert found.what == "fill 2" and "@ 100.5" in found.first and "@ 100.4" in found.second


def test_books_are_compared_by_name() -> None:
    """One that only one of them has is a difference; two single books are compared in any case."""
    found = differences(full_result(full_book(), empty_book()), full_result(full_book("b2"), empty_book()))
    assert found == (Difference("b1", "book", "grid", "-"), Difference("b2", "book", "-", "grid"))
    assert differences(full_result(full_book("b1")), full_result(full_book("b2"))) == ()
