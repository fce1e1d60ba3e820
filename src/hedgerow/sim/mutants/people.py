"""Mistakes around people and machines: disks, sockets, secrets, configs, retries, and what is told."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from hedgerow.core import apply, step
from hedgerow.core.book import Book
from hedgerow.core.commands import Turn
from hedgerow.core.events import Event, OperatorCommanded
from hedgerow.core.exposure import Totals
from hedgerow.journal import sqlite
from hedgerow.journal.codec import Record
from hedgerow.runtime import config_meaning, config_problems, config_text, portfolio
from hedgerow.runtime.node import Node
from hedgerow.sim.mutants.mutant import Mutant
from hedgerow.strategies import params as policy_params
from hedgerow.strategies.params import describe

P = TypeVar("P", bound=msgspec.Struct)

# The functions as they are, for mutants that only bend them.
_apply_event = apply.apply_event
_apply_operator = apply._apply_operator
_parse = policy_params.parse
_all_totals = portfolio.all_totals


def _told_in_the_way(node: Node, turns: list[tuple[int, Turn]]) -> None:
    if node._on_turns is not None:
        node._on_turns(turns)


def _what_is_known(params_type: type[P], params: dict[str, str]) -> P:
    known = {row.name for row in describe(params_type)}
    return _parse(params_type, {key: value for key, value in params.items() if key in known})


def _full_disk_passes(book: Book, event: Event) -> bool:
    changed = _apply_event(book, event)
    book.journal_failed = False
    return changed


def _as_it_stands(row: sqlite.RawRow, seq: int, before: bytes) -> Record:
    _, epoch, version, book_id, row_hash, body = row
    return Record(seq, epoch, version, book_id, row_hash, body)  # type: ignore[arg-type]


def _open_to_all(mask: int) -> int:
    return mask


def _as_made(path: Path, mode: int, **_: Any) -> None:
    """The mode stays what it was when the file was made."""


def _seen_is_settled(books: Iterable[Book]) -> Totals:
    books = tuple(books)
    for book in books:
        book.state.alarms.clear()
    return _all_totals(books)


def _each_request_is_new(book: Book, event: OperatorCommanded) -> bool:
    return _apply_operator(book, replace(event, request_id=""))


def _unmasked(text: str, secrets: Iterable[str]) -> str:
    return text


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "telling_is_in_the_way",
        "G24",
        "a log line that raises takes the trading with it",
        ((Node, "turned", _told_in_the_way),),
        checks=("g24_a_line_that_raises_is_no_reason_to_stop",),
    ),
    Mutant(
        "misspelt_is_left_out",
        "E3",
        "a parameter that no policy has is passed over, and its default holds quietly",
        ((config_problems, "parse_params", _what_is_known), (config_meaning, "parse_params", _what_is_known)),
        checks=("e03_a_misspelt_key_or_a_missing_section_refuses_to_start",),
    ),
    Mutant(
        "full_disk_passes",
        "A3",
        "entries go on while the journal cannot be written",
        ((step, "apply_event", _full_disk_passes),),
        ("A03_the_journal_fails.txt",),
    ),
    Mutant(
        "chain_unchecked",
        "A3",
        "a record is read as it stands, whatever became of it on the disk",
        ((sqlite, "_checked", _as_it_stands),),
        checks=("a03_a_flipped_bit_is_found_and_named",),
    ),
    Mutant(
        "api_open_to_all",
        "A4",
        "whoever has an account on the machine can halt the books",
        ((os, "umask", _open_to_all), (Path, "chmod", _as_made)),
        checks=("a04_the_api_is_its_owner_s_alone",),
    ),
    Mutant(
        "seen_is_settled",
        "A5",
        "asking for the status settles the alarms that it shows",
        ((portfolio, "all_totals", _seen_is_settled),),
        checks=("a05_a_get_changes_nothing",),
    ),
    Mutant(
        "each_request_is_new",
        "A6",
        "a request that is sent again has its effect again",
        ((apply, "_apply_operator", _each_request_is_new),),
        ("A06_the_same_request_twice.txt",),
    ),
    Mutant(
        "secret_in_the_report",
        "A7",
        "the report of a wrong config shows the line with the secret",
        ((config_text, "_masked", _unmasked),),
        checks=("a07_a_secret_is_never_shown",),
    ),
)
