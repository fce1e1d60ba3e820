"""The report of a backtest: one HTML file that needs nothing else, the result as JSON, and its fills as CSV."""

from __future__ import annotations

import csv
import errno
import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from hedgerow.model.words import Word
from hedgerow.sim.result import BacktestResult, BookResult, FillRow, HoldSpan, Interval, ResultError, encoded, thinned

HTML_FILE = "report.html"
JSON_FILE = "result.json"
FILLS_FILE = "fills.csv"

# More rows make the page slow to open; fills.csv and result.json have them all.
FILLS_SHOWN_MAX = 20_000
POINTS_SHOWN_MAX = 20_000
SPANS_SHOWN_MAX = 5_000
# A small report. A full disk may still make an empty file, and take none of its bytes.
PROBE_BYTES = 65_536
NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
CENT = Decimal("0.01")

S = TypeVar("S", Interval, HoldSpan)

_PLACE = re.compile(r"\{\{(\w+)\}\}")
_FILL_COLUMNS = FillRow.__struct_fields__


class Saved(NamedTuple):
    """The files of one report."""

    html: Path
    json: Path
    fills: Path


class Fact(msgspec.Struct, frozen=True):
    """One number of a book that a reader looks for first."""

    key: str
    "Its name in JSON and in `report diff`."
    name: str
    text: str
    "For people, with its unit."
    exact: str
    "For programs: a number without unit, or a word."
    note: str = ""
    tone: str = ""
    "`good`, `bad`, or empty."


def save(result: BacktestResult, folder: Path) -> Saved:
    """Write the report, the result and the fills into `folder`, which is made when it is missing.

    Raises:
        ResultError: they cannot be written. Files that were there before stay whole.
        OSError: the disk is full; the same.
    """
    saved = _files(folder)
    _make(folder)
    # The result first: whoever finds a report finds what it was drawn from.
    replace_file(saved.json, encoded(result) + b"\n")
    replace_file(saved.fills, fills_csv(result).encode())
    replace_file(saved.html, html(result).encode())
    return saved


def check_folder(folder: Path) -> None:
    """Make the folder of a report, and see that its files can be written, before a run is made for nothing.

    Raises:
        As `save`. Files that were there before stay as they are.
    """
    _make(folder)
    for path in _files(folder):
        check_file(path)


def check_file(path: Path) -> None:
    """See that `replace_file` will be able to write `path`, as far as can be known before. Raises as it does."""
    with _part_of(path) as part:
        part.write_bytes(bytes(PROBE_BYTES))


def replace_file(path: Path, body: bytes) -> None:
    """Put `body` at `path` in one move.

    Raises:
        ResultError: it cannot be written.
        OSError: the disk is full.
    """
    with _part_of(path) as part:
        part.write_bytes(body)
        part.replace(path)


def _files(folder: Path) -> Saved:
    return Saved(folder / HTML_FILE, folder / JSON_FILE, folder / FILLS_FILE)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResultError(f"{folder}: cannot be made: {error.strerror}; name another --out") from None


@contextmanager
def _part_of(path: Path) -> Iterator[Path]:
    """A file beside `path` that lasts no longer than this, and what goes wrong with it in our words."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.exists() and not path.is_file():
            raise ResultError(f"{path}: cannot be written: it is not a file; name another one")
        yield part
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise ResultError(f"{path}: cannot be written: {error.strerror}; name another place") from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def html(result: BacktestResult) -> str:
    """Return the whole page; its data, style and script are inside."""
    data = msgspec.json.encode(
        {
            "result": msgspec.Raw(encoded(_shown(result))),
            "facts": [facts(book) for book in result.books],
            "fills": [len(book.fills) for book in result.books],
            "texts": _hold_texts(result),
        }
    ).decode()
    names = " · ".join(book.book_id for book in result.books)
    page = _asset("report.html")
    parts = {
        "title": _escaped(f"{names} · backtest · hedgerow"),
        "style": _asset("report.css"),
        # The page's own end mark must not occur inside its data.
        "data": data.replace("<", "\\u003c"),
        "chart": _asset("chart.js"),
        "script": _asset("report.js"),
    }
    # In one pass: what is put in may look like a place for something.
    return _PLACE.sub(lambda place: parts[place[1]], page)


def fills_csv(result: BacktestResult) -> str:
    """Return every fill of every book, one a line, under a head."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["book", "time", *_FILL_COLUMNS])
    for book in result.books:
        for fill in book.fills:
            cells = [_cell(getattr(fill, column)) for column in _FILL_COLUMNS]
            writer.writerow([book.book_id, _time(fill.ts_ns), *cells])
    return text.getvalue()


def facts(book: BookResult) -> tuple[Fact, ...]:
    """Return what a reader looks for first, in that order."""
    pnl = book.pnl
    quote = book.quote
    taken = sum(not fill.is_maker for fill in book.fills)
    maker = f"{len(book.fills) - taken:,} as maker, {taken:,} as taker"
    closed = sum(row.closed_ts_ns is not None for row in book.rounds)
    found = [
        _money("pnl", "net P&L", pnl.total, quote, judged=True),
        _money("drawdown", "max drawdown", -book.drawdown, quote),
        *_hedging(book),
        Fact("fills", "fills", f"{len(book.fills):,}", str(len(book.fills)), maker),
        _money("spread", "spread", pnl.spread, quote),
        _money("funding", "funding", pnl.funding, quote),
        _money("residual_pnl", "residual P&L", pnl.residual, quote),
        _money("fees", "fees", -pnl.fees, quote),
        _money("slippage", "slippage", -pnl.slippage, quote),
        _residual(book),
        Fact(
            "orders",
            "orders",
            f"{book.orders:,}",
            str(book.orders),
            f"{book.cancels:,} canceled, {book.refused:,} refused",
        ),
    ]
    if book.rounds:
        found.append(Fact("rounds", "rounds", f"{closed:,}", str(closed), f"{len(book.rounds) - closed} open"))
    if book.levels:
        pairs = sum(min(level.entries, level.exits) for level in book.levels)
        found.append(Fact("pairs", "completed pairs", f"{pairs:,}", str(pairs), f"{len(book.levels)} levels"))
    found.append(
        Fact("alarms", "alarms", f"{len(book.alarms):,}", str(len(book.alarms)), "", "bad" if book.alarms else "")
    )
    found.append(Fact("mode", "mode at the end", book.mode, book.mode, book.mode_reason))
    return tuple(found)


def percentile(rising: list[int], percent: int) -> int | None:
    """Return the smallest of `rising` that is not below `percent` % of them; None when there are none."""
    return rising[max(0, -(-len(rising) * percent // 100) - 1)] if rising else None


def duration(ns: int) -> str:
    """Return a length of time for people: `412 µs`, `31.0 ms`, `1.83 s`, `2 min 05 s`, `3 h 10 min`."""
    if ns < NS_PER_MS:
        return f"{ns // 1_000} µs"
    if ns < NS_PER_S:
        return f"{ns // NS_PER_MS}.{ns % NS_PER_MS // 100_000} ms"
    seconds = ns // NS_PER_S
    if seconds < 60:
        return f"{seconds}.{ns % NS_PER_S // (10 * NS_PER_MS):02d} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours // 24} d {hours % 24:02d} h" if hours >= 48 else f"{hours} h {minutes:02d} min"


def money(value: Decimal) -> str:
    """Return an amount to the cent, with its sign and thousands: `+1,204.55`; smaller ones to their first digits."""
    rounded = value.quantize(CENT)
    if value and abs(value) < 1:
        digits = max(2, 1 - value.adjusted())
        rounded = value.quantize(Decimal(1).scaleb(-min(digits, 8)))
    return f"{rounded:+,f}" if rounded else "0.00"


def _money(key: str, name: str, value: Decimal, quote: str, *, judged: bool = False) -> Fact:
    tone = "" if not judged or not value else "good" if value > 0 else "bad"
    return Fact(key, name, f"{money(value)} {quote}", f"{value:f}", "", tone)


def _latency(key: str, name: str, rising: list[int], percent: int, note: str) -> Fact:
    found = percentile(rising, percent)
    if found is None:
        return Fact(key, name, "none", "", "nothing was hedged")
    return Fact(key, name, duration(found), str(found), note)


def _carried(book: BookResult) -> str:
    """Tell what the latencies leave out: no order could be made of it yet."""
    carried = [fill.carried_ns for fill in book.fills if fill.carried_ns]
    if not carried:
        return "from when a fill could be hedged"
    old = duration(max(carried))
    return f"from when a fill could be hedged; {len(carried):,} began with a remainder below an order, up to {old} old"


def _hedging(book: BookResult) -> list[Fact]:
    """Return how well the book was hedged; nothing for a book that has no leg to hedge with."""
    if len(book.legs) < 2 or book.stands_apart:
        return []
    latencies = book.latencies_ns
    longest_ns = max((interval.to_ts_ns - interval.from_ts_ns for interval in book.unhedged), default=0)
    return [
        Fact("unhedged_ns", "time unhedged", _share(book), str(book.unhedged_ns), _unhedged_note(book, longest_ns)),
        _latency("hedge_p50_ns", "hedge p50", latencies, 50, f"of {len(latencies):,} hedge fills"),
        _latency("hedge_p99_ns", "hedge p99", latencies, 99, _carried(book)),
    ]


def _share(book: BookResult) -> str:
    span_ns = book.equity[-1].ts_ns - book.equity[0].ts_ns if book.equity else 0
    if not span_ns:
        return duration(book.unhedged_ns)
    thousandths = book.unhedged_ns * 100_000 // span_ns
    return f"{thousandths // 1000}.{thousandths % 1000 // 10:02d} %"


def _unhedged_note(book: BookResult, longest_ns: int) -> str:
    if not book.unhedged_ns:
        return "never"
    return f"{duration(book.unhedged_ns)}, longest {duration(longest_ns)}"


def _residual(book: BookResult) -> Fact:
    residual = book.residual
    if book.stands_apart:
        nets = book.exposure[-1].net_qtys if book.exposure else ()
        held = [
            f"{net:+f} {leg.instrument_id.partition(':')[2]}" for net, leg in zip(nets, book.legs, strict=False) if net
        ]
        return Fact("residual", "positions at the end", ", ".join(held) or "none", ", ".join(held))
    text = f"{residual:+f} {book.base}" if residual else f"0 {book.base}"
    if len(book.legs) < 2:
        # Without a leg to hedge with, all that is held is meant to be held.
        return Fact("residual", "position at the end", text, f"{residual:f}")
    return Fact("residual", "residual at the end", text, f"{residual:f}", "", "bad" if residual else "good")


def _shown(result: BacktestResult) -> BacktestResult:
    """Return the result with what a page can hold: the first fills, the longest spans, the extremes of curves."""
    books = [
        msgspec.structs.replace(
            book,
            fills=book.fills[:FILLS_SHOWN_MAX],
            exposure=thinned(book.exposure, POINTS_SHOWN_MAX, lambda point: point.residual),
            equity=thinned(book.equity, POINTS_SHOWN_MAX, lambda point: point.gain),
            unhedged=_longest(book.unhedged),
            hold_spans=_longest(book.hold_spans),
        )
        for book in result.books
    ]
    return msgspec.structs.replace(result, books=tuple(books))


def _longest(spans: tuple[S, ...]) -> tuple[S, ...]:
    if len(spans) <= SPANS_SHOWN_MAX:
        return spans
    longest = sorted(spans, key=lambda span: span.from_ts_ns - span.to_ts_ns)[:SPANS_SHOWN_MAX]
    return tuple(sorted(longest, key=lambda span: span.from_ts_ns))


def _hold_texts(result: BacktestResult) -> dict[str, tuple[str, str]]:
    """Return hold reason -> (sentence, next step), of those that occur."""
    from hedgerow.core.holds import HOLD_TEXTS

    occurring = {hold.reason for book in result.books for hold in book.holds}
    return {
        reason.value: (text.sentence, text.next_step)
        for reason, text in HOLD_TEXTS.items()
        if reason.value in occurring
    }


def _cell(value: object) -> object:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.value if isinstance(value, Word) else value


def _time(ts_ns: int) -> str:
    seconds, rest_ns = divmod(ts_ns, NS_PER_S)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ns:09d}Z"


def _asset(name: str) -> str:
    return (resources.files("hedgerow.sim") / "web" / name).read_text(encoding="utf-8")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
