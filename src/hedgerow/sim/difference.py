"""What differs between two backtests: what went in, what came out, and the first fill at which they part."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import msgspec

from hedgerow.sim.report import facts
from hedgerow.sim.result import BacktestResult, BookResult, FillRow

NOTHING = "-"
"Stands where one of the two has nothing."


class Difference(msgspec.Struct, frozen=True):
    """One thing that differs."""

    book: str
    "Empty for the run as a whole."
    what: str
    first: str
    second: str
    change: str = ""
    "The second less the first, exact, where both are numbers."


def differences(first: BacktestResult, second: BacktestResult) -> tuple[Difference, ...]:
    """Return what differs, what went in before what came out; empty when both say the same."""
    found = _between("", _run(first), _run(second))
    books = {book.book_id: book for book in second.books}
    if len(first.books) == len(second.books) == 1:
        # One book each: these two are to be compared, whatever they are called.
        pairs: list[tuple[BookResult, BookResult | None]] = [(first.books[0], second.books[0])]
    else:
        pairs = [(book, books.get(book.book_id)) for book in first.books]
    for one, other in pairs:
        if other is None:
            found.append(Difference(one.book_id, "book", one.policy, NOTHING))
            continue
        found += _between(one.book_id, _inputs(one), _inputs(other))
        found += _between(one.book_id, _outputs(one), _outputs(other))
        found += _first_other_fill(one, other)
    compared = {id(other) for _, other in pairs}
    found += [
        Difference(book.book_id, "book", NOTHING, book.policy) for book in second.books if id(book) not in compared
    ]
    return tuple(found)


def _run(result: BacktestResult) -> dict[str, str]:
    said = {"version": result.version, "config": result.config_sha, "seed": str(result.seed)}
    for source in result.sources:
        said[f"data {source.venue_id}"] = f"{source.file} {source.digest}".strip()
    return said | {"rows": str(result.rows)}


def _inputs(book: BookResult) -> dict[str, str]:
    return {"policy": book.policy} | {f"params.{name}": text for name, text in sorted(book.params.items())}


def _outputs(book: BookResult) -> dict[str, str]:
    said = {fact.key: fact.exact for fact in facts(book)}
    for leg in book.legs:
        said[f"{leg.leg_id} net_qty"] = f"{leg.net_qty:f}"
        said[f"{leg.leg_id} volume"] = f"{leg.volume:f}"
    for hold in book.holds:
        said[f"hold {hold.reason} {hold.leg_id}"] = str(hold.count)
    return said


def _between(book_id: str, first: dict[str, str], second: dict[str, str]) -> list[Difference]:
    names = [*first, *(name for name in second if name not in first)]
    return [
        Difference(book_id, name, *pair, _change(*pair))
        for name in names
        if (pair := (first.get(name) or NOTHING, second.get(name) or NOTHING))[0] != pair[1]
    ]


def _change(first: str, second: str) -> str:
    try:
        return f"{Decimal(second) - Decimal(first):+f}"
    except InvalidOperation:
        return ""


def _first_other_fill(one: BookResult, other: BookResult) -> list[Difference]:
    for mine, theirs in zip(one.fills, other.fills, strict=False):
        if mine != theirs:
            return [Difference(one.book_id, f"fill {mine.id}", _fill(mine), _fill(theirs))]
    count = min(len(one.fills), len(other.fills))
    if len(one.fills) == len(other.fills):
        return []
    mine_or_none = one.fills[count] if len(one.fills) > count else None
    theirs_or_none = other.fills[count] if len(other.fills) > count else None
    return [Difference(one.book_id, f"fill {count + 1}", _fill(mine_or_none), _fill(theirs_or_none))]


def _fill(fill: FillRow | None) -> str:
    if fill is None:
        return NOTHING
    return f"{fill.ts_ns} {fill.leg_id} {fill.side.value} {fill.qty:f} @ {fill.price:f} {fill.slot or fill.role.value}"
