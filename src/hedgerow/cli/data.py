"""`hedgerow data`: market data files for backtests, made and listed."""

from __future__ import annotations

import errno
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hedgerow.cli.errors import Failed
from hedgerow.cli.market_data import progress
from hedgerow.cli.show import json_option, note, print_json, table

if TYPE_CHECKING:
    from hedgerow.market.ticks import TickFile

TICKS_SUFFIX = ".ticks"


class _Number(click.ParamType[Decimal]):
    """An exact number above zero."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            number = Decimal(value)
        except InvalidOperation:
            self.fail(f"{value!r} is not a number", param, ctx)
        if not number.is_finite() or number <= 0:
            self.fail(f"{value} is not above 0", param, ctx)
        return number


@click.group("data")
def data_command() -> None:
    """Make tick files of market data, and list them."""


@data_command.command("import")
@click.argument("sources", metavar="SRC...", nargs=-1, required=True)
@click.option("--out", required=True, metavar="FILE", help="The tick file to make; one that is there is replaced.")
@click.option("--venue", default="", help="Name of the venue; kept in the file.")
@click.option("--symbol", default="", help="Name of the instrument; taken out of a source that has several.")
@click.option(
    "--columns",
    multiple=True,
    metavar="OURS=THEIRS",
    help="Name of a column in the source, or its place from 1; may be repeated.",
)
@click.option("--zone", default="", metavar="ZONE", help="Zone of times that name none, e.g. UTC or America/New_York.")
@click.option(
    "--unit", default="", type=click.Choice(["", "s", "ms", "us", "ns"]), help="Unit of times; else their size says it."
)
@click.option(
    "--depth", default=10, show_default=True, type=click.IntRange(1, 1000), help="Levels of each side to keep."
)
@click.option("--tick", type=_Number(), help="Price grid; left out, the power of ten that holds all prices.")
@click.option("--step", type=_Number(), help="Qty grid; left out, the power of ten that holds all qtys.")
@click.option("--qty", type=_Number(), help="What each side of quotes shows where the source tells no qty.")
@click.option("--gap-s", default=60, show_default=True, type=click.IntRange(min=1), help="Longer silence is a gap.")
@click.option("--mend", is_flag=True, help="Leave out rows that go back in time or repeat one, and say how many.")
@json_option
def import_command(
    sources: tuple[str, ...],
    out: str,
    venue: str,
    symbol: str,
    columns: tuple[str, ...],
    zone: str,
    unit: str,
    depth: int,
    tick: Decimal | None,
    step: Decimal | None,
    qty: Decimal | None,
    gap_s: int,
    mend: bool,
    as_json: bool,
) -> None:
    """Make one tick file of recorded frames, or of bars, trades and quotes as CSV or Parquet.

    SRC are files, folders and patterns; all of one instrument, put in order by their first times. Packed with gzip or
    not. What is wrong is said with file and row, and then no file is made.
    """
    from hedgerow.market.importing import import_files
    from hedgerow.market.moments import MomentError, zone_named
    from hedgerow.market.sources import COLUMNS, Recipe

    try:
        zone_named(zone or "UTC")
    except MomentError as error:
        raise Failed("HR-002", f"--zone: {error}") from None
    told = dict(_pair(text, COLUMNS) for text in columns)
    recipe = Recipe(venue, symbol, depth, told, zone, unit, tick, step, qty, mend, gap_s)
    with progress("import") as shown:
        try:
            ticks, notes = import_files(sources, Path(out), recipe, lambda done, total, _rows: shown(done, total))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise OSError(error.errno, error.strerror, out) from None
    for text in notes:
        note(text)
    if as_json:
        import msgspec

        body = {"schema": "hedgerow.data_import/1", "file": _described(ticks), "notes": notes}
        print_json(msgspec.json.encode(body))
    else:
        click.echo(_listed([ticks]))


@data_command.command("ls")
@click.argument("folder", metavar="[DIR]", default=".")
@click.option("--check", is_flag=True, help="Read everything and compare it with its checksums.")
@json_option
def ls_command(folder: str, check: bool, as_json: bool) -> None:
    """List the tick files of a folder: venue, symbol, span, rows, gaps. --json lists each gap.

    DIR is a folder, or one tick file; left out, the folder where you are.
    """
    from hedgerow.market.ticks import TickFile

    place = Path(folder)
    if not place.exists():
        raise Failed("HR-402", f"{folder}: there is no such folder")
    paths = sorted(place.glob(f"*{TICKS_SUFFIX}")) if place.is_dir() else [place]
    found = [TickFile.open(path) for path in paths]
    if check:
        for ticks in found:
            ticks.verify()
    if as_json:
        import msgspec

        body = {"schema": "hedgerow.data_ls/1", "folder": folder, "files": [_described(ticks) for ticks in found]}
        print_json(msgspec.json.encode(body))
    elif found:
        click.echo(_listed(found))
    else:
        note(f"no tick files in {folder}; make one with `hedgerow data import SRC --out NAME{TICKS_SUFFIX}`")


def _pair(text: str, known: dict[str, str]) -> tuple[str, str]:
    ours, mark, theirs = text.partition("=")
    if not mark or not theirs:
        raise Failed("HR-002", f"--columns {text}: expected OURS=THEIRS", "for instance --columns price=last_px")
    if ours not in known:
        import difflib

        near = difflib.get_close_matches(ours, known, 1)
        hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}"
        raise Failed("HR-002", f"--columns {text}: there is no column '{ours}'", hint)
    return ours, theirs


def _listed(found: list[TickFile]) -> str:
    from hedgerow.market.importing import duration_text
    from hedgerow.market.moments import moment_text
    from hedgerow.market.ticks import Kind

    rows = []
    for ticks in found:
        bars = ticks.kind is Kind.BARS
        kind = f"bars {duration_text(ticks.interval_ns)}" if bars else f"quotes {ticks.depth}"
        rows.append(
            [
                ticks.path.name,
                ticks.venue or "-",
                ticks.symbol or "-",
                kind,
                f"{ticks.rows:,}",
                "-" if bars else f"{ticks.trade_rows:,}",
                moment_text(ticks.first_ts_ns)[:19] + "Z",
                duration_text((ticks.last_ts_ns - ticks.first_ts_ns) // 1_000_000_000 * 1_000_000_000),
                f"{ticks.tick:f}",
                f"{ticks.step:f}",
                f"{len(ticks.gaps):,}",
            ]
        )
    head = ("FILE", "VENUE", "SYMBOL", "KIND", "ROWS", "TRADES", "FROM", "SPAN", "TICK", "STEP", "GAPS")
    return table(head, rows, frozenset({4, 5, 8, 9, 10}))


def _described(ticks: TickFile) -> dict[str, object]:
    return {
        "file": str(ticks.path),
        "kind": ticks.kind.value,
        "venue": ticks.venue,
        "symbol": ticks.symbol,
        "rows": ticks.rows,
        "trades": ticks.trade_rows,
        "depth": ticks.depth,
        "interval_ns": ticks.interval_ns,
        "first_ts_ns": ticks.first_ts_ns,
        "last_ts_ns": ticks.last_ts_ns,
        "tick": f"{ticks.tick:f}",
        "step": f"{ticks.step:f}",
        "digest": ticks.digest,
        "is_derived": ticks.header.is_derived,
        "sources": ticks.header.sources,
        "gaps": ticks.gaps,
    }
