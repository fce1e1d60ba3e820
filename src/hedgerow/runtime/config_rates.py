"""Whether the request budgets of a config's accounts let out in time what its books may send at once.

A submit or a cancel that waits for its budget is asked about when its answer is due, and the question needs the budget
too. So a budget that is too small does not make a book slow: it asks for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from hedgerow.core.config import BookConfig
from hedgerow.model.ids import AccountId, BookId, VenueId
from hedgerow.model.numbers import ONE, ceil_to
from hedgerow.strategies import POLICIES
from hedgerow.strategies.carry import CarryParams
from hedgerow.strategies.grid.params import Direction, GridParams
from hedgerow.strategies.params import parse as parse_params

MS_PER_S = 1_000


class Strain(msgspec.Struct, frozen=True):
    """A budget that is too small for the orders that may stand in its account."""

    book_id: BookId
    "One that has the most of them."
    venue_id: VenueId
    text: str
    help: str
    is_wrong: bool
    "They cannot even be placed; else it is enough until all are moved at once."


def strains(books: Iterable[BookConfig], per_s: Mapping[VenueId, int]) -> list[Strain]:
    """Return the budgets that are too small.

    Args:
        books: all of the config.
        per_s: requests per second of each of a venue's accounts.
    """
    entering: dict[AccountId, list[BookConfig]] = {}
    for book in books:
        if not POLICIES[book.policy].finds_legs:
            leg = book.legs[0] if book.hedge is None else book.leg(book.hedge.lead)
            entering.setdefault(leg.account_id, []).append(book)
    found = (_strain(account_id, several, per_s) for account_id, several in entering.items())
    return [strain for strain in found if strain is not None]


def _strain(account_id: AccountId, books: list[BookConfig], per_s: Mapping[VenueId, int]) -> Strain | None:
    venue_id = VenueId(account_id.partition("/")[0])
    budget, entries = per_s[venue_id], sum(_resting(book) for book in books)
    rate = sum(book.limits.orders_per_s for book in books)
    timeout_s = Decimal(min(book.timing.ack_timeout_ms for book in books)) / MS_PER_S
    leaves_s = Decimal(entries) / budget
    if leaves_s <= timeout_s:
        return None
    least = ceil_to(entries / timeout_s, ONE)
    help_ = f"use requests_per_s {least}, if venue {venue_id} allows it, or fewer entries at a time"
    book = max(books, key=_resting)
    told = f"{entries} entries of {account_id} take {leaves_s:.1f} s at {budget} requests a second"
    # They come one after the other, no faster than the books' own rate.
    waits_s = leaves_s - Decimal(entries) / rate
    if waits_s >= timeout_s:
        text = f"{told}, and the last ones wait longer than the {timeout_s:f} s after which they are asked about"
        return Strain(book.book_id, venue_id, text, help_, True)
    text = f"{told}; when all are moved at once, cancels wait longer than the {timeout_s:f} s of ack_timeout_ms"
    return Strain(book.book_id, venue_id, text, help_, False)


def _resting(book: BookConfig) -> int:
    """How many entries may stand at once."""
    params = parse_params(POLICIES[book.policy].params_type, book.params)
    if isinstance(params, GridParams):
        return params.active_levels * (2 if params.direction is Direction.NEUTRAL else 1)
    return params.ladder_levels if isinstance(params, CarryParams) else 1
