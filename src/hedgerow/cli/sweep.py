"""`hedgerow sweep`: a config backtested with many values of its parameters."""

from __future__ import annotations

import os
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hedgerow.api.codes import Exit
from hedgerow.cli.errors import Failed
from hedgerow.cli.market_data import check_owned, data_option, fitting, opened, pairs, progress, venues_of
from hedgerow.cli.show import duration, json_option, note, print_json, signed, table

if TYPE_CHECKING:
    from hedgerow.sim.backtest.sweep import Row, Sweep

NS_PER_MS = 1_000_000


@click.command("sweep")
@click.argument("config", envvar="HEDGEROW_CONFIG", required=False, metavar="CONFIG")
@data_option
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="KEY=VALUES",
    help="A parameter and its values: levels=10..60:10, or mirror.qty=0.01,0.05. Repeatable.",
)
@click.option("--out", metavar="FILE", help="Write a page with a heat map there.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the latencies; the config's when left out.")
@click.option("--jobs", default=None, type=click.IntRange(min=1), help="Processes; one for each core when left out.")
@json_option
def sweep_command(
    config: str | None,
    told: tuple[str, ...],
    sets: tuple[str, ...],
    out: str | None,
    seed: int | None,
    jobs: int | None,
    as_json: bool,
) -> int:
    """Backtest a config with every combination of some parameters' values.

    KEY is a parameter of the books' policies, BOOK.KEY or POLICY.KEY that of one of them, or a whole path such as
    risk.max_notional. The same values, data and seed give the same table. Ctrl-C ends it and keeps what is done.
    """
    if not config:
        raise Failed("HR-102", "no config was named", "name one: `hedgerow sweep CONFIG --data … --set KEY=VALUES`")
    if not sets:
        raise Failed("HR-002", "no values were given", "add --set KEY=VALUES, e.g. --set levels=10..60:10")
    named = pairs(told)
    from hedgerow.runtime.config import load
    from hedgerow.runtime.config_text import read_text
    from hedgerow.sim.backtest import heat, sweep
    from hedgerow.sim.report import check_file, replace_file

    found = load(Path(config), recorded=venues_of(named))
    check_owned(found)
    source = read_text(Path(config))
    try:
        axes = tuple(sweep.axis(text) for text in sets)
        paths = tuple(sweep.paths_of(source.tree, axes))
    except sweep.BadSet as bad:
        raise Failed("HR-002", str(bad)) from None
    if out:
        check_file(Path(out))
    rows: list[Row] = []
    interrupted = False
    with tempfile.TemporaryDirectory(prefix="hedgerow-") as folder:
        data = fitting(found, opened(named, Path(folder)))
        job = sweep.Job(
            source.text,
            source.name,
            Path(config).parent,
            venues_of(named),
            {each: file.path.absolute() for each, file in data.items()},
            seed,
            paths,
        )
        with progress("sweep") as shown, closing(sweep.sweep(job, axes, jobs or os.cpu_count() or 1, shown)) as done:
            try:
                rows.extend(done)
            except KeyboardInterrupt:
                interrupted = True
    asked = sweep.count(axes)
    if rows and all(row.problem for row in rows) and not interrupted:
        raise Failed("HR-101", f"no combination makes a valid config; the first says: {rows[0].problem}")
    quote = found.books[0].legs[0].instrument.quote
    whole = sweep.Sweep(found.name.rpartition("/")[2], found.sha, seed or found.seed, quote, axes, asked, tuple(rows))
    if out:
        replace_file(Path(out), heat.page(whole).encode())
        note(f"heat map  {out}")
    if as_json:
        print_json(heat.encoded(whole))
    else:
        click.echo(_table(whole))
    if interrupted:
        note(f"interrupted: {len(rows)} of {asked} backtests were done")
        return Exit.INTERRUPTED
    return Exit.DONE


def _table(whole: Sweep) -> str:
    head = [*(each.path for each in whole.axes), f"NET P&L {whole.quote}", "DRAWDOWN", "FEES", "FILLS", "UNHEDGED", ""]
    best = max((row.total for row in whole.rows if not row.problem), default=None)
    rows = []
    for row in whole.rows:
        if row.problem:
            rows.append([*row.values, "", "", "", "", "", row.problem])
            continue
        told = "best" if row.total == best else "" if row.mode == "running" else row.mode
        unhedged = duration(row.unhedged_ns // NS_PER_MS)
        numbers = [signed(f"{row.total:.2f}"), f"{row.drawdown:.2f}", f"{row.fees:.2f}", f"{row.fills:,}"]
        rows.append([*row.values, *numbers, unhedged, told])
    return table(head, rows, frozenset(range(len(head) - 1)))
