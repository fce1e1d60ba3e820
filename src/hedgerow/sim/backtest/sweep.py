"""A sweep: one config backtested with every combination of some parameters' values, over several processes.

Each combination is a config of its own, checked as any other. The order of the rows is that of the values as they were
told, whichever process was done first.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from decimal import Decimal, InvalidOperation
from itertools import product
from math import prod
from pathlib import Path

import msgspec

from hedgerow.market.ticks import TickFile
from hedgerow.model.ids import InstrumentId
from hedgerow.runtime.config import understand
from hedgerow.runtime.config_shape import BOOK_KEYS
from hedgerow.runtime.config_text import ConfigError, Plain, did_you_mean, parse
from hedgerow.runtime.node_config import NodeConfig
from hedgerow.sim.backtest.run import backtest
from hedgerow.sim.result import BookResult
from hedgerow.strategies import POLICIES
from hedgerow.strategies.params import describe

SCHEMA = "hedgerow.sweep/1"
# More combinations than a machine does in days are a slip in a range.
RUNS_MAX = 10_000
VALUES_MAX = 1_000


class BadSet(Exception):
    """A --set that cannot be used. The text names it and what helps."""


class Axis(msgspec.Struct, frozen=True):
    """One parameter and its values, as texts of a config."""

    path: str
    "`KEY` of every book's policy, `BOOK.KEY`, or a whole path such as `risk.max_notional`."
    values: tuple[str, ...]


class Row(msgspec.Struct, frozen=True):
    """One combination, and what it came to."""

    values: tuple[str, ...]
    "One for each axis."
    problem: str = ""
    "Why it could not be run: the config says no. Then the numbers are zero."
    total: Decimal = Decimal(0)
    "Net P&L of all books, quote."
    drawdown: Decimal = Decimal(0)
    "The deepest of all books, quote."
    fees: Decimal = Decimal(0)
    fills: int = 0
    unhedged_ns: int = 0
    mode: str = ""
    "`running`, or how a book ended otherwise."


class Sweep(msgspec.Struct, frozen=True):
    """All rows that were done, in the order of their combinations."""

    config: str
    config_sha: str
    seed: int
    quote: str
    axes: tuple[Axis, ...]
    asked: int
    "Combinations in all."
    rows: tuple[Row, ...]
    schema: str = SCHEMA


class Job(msgspec.Struct, frozen=True):
    """What a process needs: everything but the values."""

    text: str
    name: str
    folder: Path
    recorded: frozenset[str]
    data: dict[InstrumentId, Path]
    seed: int | None
    paths: tuple[tuple[str, ...], ...]
    "Each axis as a path of the config."


def axis(told: str) -> Axis:
    """Return the axis that `PATH=A,B,C`, `PATH=FROM..TO:STEP` or a mixture of both says.

    Raises:
        BadSet: it says something else.
    """
    path, equals, text = told.partition("=")
    if not equals or not path.strip() or not text.strip():
        raise BadSet(f"--set {told}: this is not KEY=VALUES; e.g. --set levels=10..60:10")
    values: list[str] = []
    for part in text.split(","):
        values += _range(told, part.strip()) if ".." in part else [part.strip()]
    if not all(values):
        raise BadSet(f"--set {told}: a value is empty; take out the comma too many")
    if len(set(values)) < len(values):
        raise BadSet(f"--set {told}: a value comes twice; name each once")
    return Axis(path.strip(), tuple(values))


def _range(told: str, part: str) -> list[str]:
    ends, colon, step_text = part.partition(":")
    first_text, _, last_text = ends.partition("..")
    try:
        first, last = Decimal(first_text), Decimal(last_text)
        step = Decimal(step_text) if colon else Decimal(1)
    except InvalidOperation:
        raise BadSet(f"--set {told}: {part} is not FROM..TO:STEP with numbers; e.g. 10..60:10") from None
    if not (first.is_finite() and last.is_finite() and step.is_finite()) or step <= 0:
        raise BadSet(f"--set {told}: the step of {part} must be above 0")
    if last < first:
        raise BadSet(f"--set {told}: {part} ends before it begins; put the smaller number first")
    count = int((last - first) / step) + 1
    if count > VALUES_MAX:
        raise BadSet(f"--set {told}: {part} has {count:,} values; use a larger step, at most {VALUES_MAX:,}")
    return [f"{first + step * at:f}" for at in range(count)]


def paths_of(tree: object, axes: Sequence[Axis]) -> list[tuple[str, ...]]:
    """Return each axis as a path of the config, with `*` for every book.

    A key of one word is a parameter of every book's policy; with a book's or a policy's name before it, of that book.

    Raises:
        BadSet: there is no such book or part, a path is named twice, or there are too many combinations.
    """
    assert isinstance(tree, Mapping), tree
    books = tree.get("books")
    known = dict(books) if isinstance(books, Mapping) else {}
    policies: dict[str, list[str]] = {}
    for name, book in known.items():
        if isinstance(book, Mapping):
            policies.setdefault(str(book.get("policy")), []).append(name)
    found: list[tuple[str, ...]] = []
    for each in axes:
        head, *rest = each.path.split(".")
        if not rest:
            path: tuple[str, ...] = ("books", "*", head)
        elif head in known:
            path = ("books", head, *rest)
        elif head in policies:
            if len(policies[head]) > 1:
                raise BadSet(
                    f"--set {each.path}: {head} is the policy of several books; name {_either(policies[head])}"
                )
            path = ("books", policies[head][0], *rest)
        elif head in tree or head in ("risk", "timing", "sim", "venues", "accounts"):
            path = (head, *rest)
        else:
            # A book may be called as its policy is.
            names = dict.fromkeys([*known, *policies, "risk", "timing"])
            raise BadSet(f"--set {each.path}: there is no '{head}'; begin with {_either(names)}, or leave it out")
        if path[0] == "books":
            for name, book in known.items():
                _check_key(each, path, name, book)
        found.append(path)
    if len(set(found)) < len(found):
        raise BadSet("--set names one parameter twice; give it all its values at once")
    runs = count(axes)
    if runs > RUNS_MAX:
        raise BadSet(f"that makes {runs:,} backtests; use fewer values, at most {RUNS_MAX:,}")
    return found


def _either(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def count(axes: Sequence[Axis]) -> int:
    """Return how many combinations there are."""
    return prod(len(each.values) for each in axes)


def _check_key(axis: Axis, path: tuple[str, ...], name: str, book: object) -> None:
    """Raise BadSet when a book takes no such key."""
    if path[1] not in ("*", name) or not isinstance(book, Mapping):
        return
    policy = POLICIES.get(str(book.get("policy")))
    keys = {row.name for row in describe(policy.params_type)} if policy is not None else set()
    if path[2:3] and path[2] not in keys | BOOK_KEYS:
        near = (
            did_you_mean(path[2], keys) or f"`hedgerow config show` and the reference of {book.get('policy')} list them"
        )
        raise BadSet(f"--set {axis.path}: book {name} has no parameter '{path[2]}'; {near}")


def sweep(
    job: Job,
    axes: Sequence[Axis],
    jobs: int,
    done: Callable[[int, int], None] | None = None,
) -> Generator[Row, None, None]:
    """Yield a row for each combination, in order, as they become done.

    Args:
        jobs: processes; 1 runs them here.
        done: told (rows done, rows in all).
    """
    combinations = list(product(*(each.values for each in axes)))
    with closing(_ran(job, combinations, jobs)) as rows:
        for number, row in enumerate(rows, 1):
            if done is not None:
                done(number, len(combinations))
            yield row


def _ran(job: Job, combinations: list[tuple[str, ...]], jobs: int) -> Generator[Row, None, None]:
    if jobs == 1 or len(combinations) == 1:
        _begin(job)
        yield from map(_run, combinations)
        return
    # Not forked: a process that has threads must not be.
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(jobs, len(combinations)), _begin_apart, (job,)) as pool:
        yield from pool.imap(_run, combinations)


class _State:
    """What a process of a sweep keeps between its backtests."""

    job: Job
    data: dict[InstrumentId, TickFile]


def _begin(job: Job) -> None:
    _State.job = job
    _State.data = {instrument_id: TickFile.open(path) for instrument_id, path in job.data.items()}


def _begin_apart(job: Job) -> None:
    """Begin in a process of its own, which Ctrl-C leaves to the one that asked."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _begin(job)


def _run(values: tuple[str, ...]) -> Row:
    job = _State.job
    try:
        config = with_values(job, values)
    except (BadSet, ConfigError) as error:
        return Row(values, _first_line(str(error)))
    result = backtest(config, _State.data, seed=job.seed)
    books = result.books
    return Row(
        values,
        "",
        sum((book.pnl.total for book in books), Decimal(0)),
        max((book.drawdown for book in books), default=Decimal(0)),
        sum((book.pnl.fees for book in books), Decimal(0)),
        sum(len(book.fills) for book in books),
        sum(book.unhedged_ns for book in books),
        _mode(books),
    )


def with_values(job: Job, values: Sequence[str]) -> NodeConfig:
    """Return the config with some values in place of its own.

    Raises:
        ConfigError: what comes out is no valid config.
    """
    source = parse(job.text, job.name)
    assert isinstance(source.tree, dict), job.name
    for path, value in zip(job.paths, values, strict=True):
        for place in _places(source.tree, path):
            place[path[-1]] = value
    return understand(source, job.folder, recorded=job.recorded)


def _places(tree: dict[str, Plain], path: tuple[str, ...]) -> list[dict[str, Plain]]:
    """Return every mapping in which a path's last key is to be set; parts that are missing are made."""
    places = [tree]
    for key in path[:-1]:
        inside: list[Plain] = []
        for place in places:
            inside += list(place.values()) if key == "*" else [place.setdefault(key, {})]
        places = [each for each in inside if isinstance(each, dict)]
    return places


def _mode(books: Sequence[BookResult]) -> str:
    for book in books:
        if book.mode != "running":
            return book.mode
    return "running"


def _first_line(text: str) -> str:
    return text.splitlines()[0]
