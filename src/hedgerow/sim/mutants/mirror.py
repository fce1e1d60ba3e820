"""Mistakes of `mirror`."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from hedgerow.core import planner
from hedgerow.core.book import Book
from hedgerow.core.target import Resting
from hedgerow.model.instrument import Instrument
from hedgerow.model.order import Order
from hedgerow.sim.mutants.mutant import Mutant
from hedgerow.strategies import mirror, quoting
from hedgerow.strategies.mirror import Mirror
from hedgerow.strategies.quoting import Reason, Wish

# The functions as they are, for mutants that only bend them.
_hedge_target = Book.hedge_target
_reason = Mirror._reason
_resting = quoting._resting


def _never_in_doubt(book: Book) -> bool:
    return False


def _doubt_without_end(book: Book, doubt_ns: int) -> int:
    return doubt_ns


def _on_the_same_side(book: Book) -> Decimal:
    return -_hedge_target(book)


def _silence_passes(policy: Mirror, book: Book, is_hedged: bool, silent_ns: int) -> Reason | None:
    return _reason(policy, book, is_hedged, book.now_ns + 1)


def _as_ordered(held: Decimal, qty: Decimal, instrument: Instrument, standing: Order | None) -> Decimal:
    return qty


def _nothing_closes(book: Book, want: Resting, result: planner.Plan) -> Decimal:
    """Far less than nothing: so that the planner does not cap what an exit asks for."""
    return Decimal(-1)


def _plain(book: Book, wish: Wish, price: Decimal | None) -> Resting:
    return replace(_resting(book, wish, price), reduce_only=False)


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
    Mutant(
        "hedge_on_the_same_side",
        "M1",
        "B takes the side that A took: a sell is read as a buy",
        ((Book, "hedge_target", _on_the_same_side),),
        ("M01_the_hedge_takes_the_opposite_side.txt",),
    ),
    Mutant(
        "gate_fails_open",
        "M8",
        "A goes on making while nothing is heard of B",
        ((Mirror, "_reason", _silence_passes),),
        ("M08_the_gate_closes_when_the_hedge_is_silent.txt",),
    ),
    Mutant(
        "exit_for_what_was_ordered",
        "M12",
        "the exit is as large as the order was, however little of it filled",
        ((mirror, "exit_qty", _as_ordered), (planner, "_closing", _nothing_closes)),
        ("M12_the_exit_is_for_what_was_filled.txt",),
    ),
    Mutant(
        "exit_may_open",
        "M12",
        "the exit is no reduce-only order, and may open the other side",
        ((quoting, "_resting", _plain),),
        ("M12_the_exit_is_for_what_was_filled.txt",),
    ),
)
