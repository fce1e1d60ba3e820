"""`hedgerow backtest`: the books of a config over recorded markets, in virtual time."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import click

from hedgerow.cli.errors import Failed
from hedgerow.cli.market_data import check_owned, data_option, fitting, opened, pairs, progress, venues_of
from hedgerow.cli.show import json_option, note, print_json, table


@click.command("backtest")
@click.argument("config", envvar="HEDGEROW_CONFIG", required=False, metavar="CONFIG")
@data_option
@click.option("--out", metavar="DIR", help="Write report.html, result.json and fills.csv there.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the latencies; the config's when left out.")
@click.option("--every-row", is_flag=True, help="Skip nothing: much slower, and the same fills.")
@json_option
def backtest_command(
    config: str | None, told: tuple[str, ...], out: str | None, seed: int | None, every_row: bool, as_json: bool
) -> int:
    """Run the books of a config over recorded markets, with the code that runs them live.

    Orders travel, wait in queues, fill in parts and pay fees on a simulated exchange that follows the data. The same
    config, data and seed give the same fills.
    """
    if not config:
        raise Failed("HR-102", "no config was named", "name one: `hedgerow backtest CONFIG --data VENUE=FILE`")
    named = pairs(told)
    from hedgerow.runtime.config import load

    found = load(Path(config), recorded=venues_of(named))
    check_owned(found)
    from hedgerow.market.ticks import Kind
    from hedgerow.sim.backtest.run import backtest
    from hedgerow.sim.report import check_folder, facts, save
    from hedgerow.sim.result import encoded

    if out:
        check_folder(Path(out))
    with tempfile.TemporaryDirectory(prefix="hedgerow-") as folder:
        data = fitting(found, opened(named, Path(folder)))
        begun_s = time.monotonic()
        with progress("backtest") as shown:
            result = backtest(found, data, seed=seed, skips=not every_row, progress=shown)
        took_s = time.monotonic() - begun_s
    for text in result.notes:
        note(f"note      {text}")
    market_s = (result.to_ts_ns - result.from_ts_ns) // 1_000_000_000
    rates = f"{result.rows / max(took_s, 1e-9):,.0f} rows/s"
    if any(file.kind is Kind.BARS for file in data.values()):
        # Between two bars a book is looked at all the same, so rows alone say little.
        rates += f", {market_s / max(took_s, 1e-9):,.0f} s of market a second"
    note(f"backtest  {result.rows:,} rows, {market_s:,} s of market in {took_s:.1f} s ({rates})")
    if out:
        saved = save(result, Path(out))
        note(f"report    {saved.html}")
    if as_json:
        print_json(encoded(result))
        return 0
    for book in result.books:
        click.echo(f"{book.book_id}  {book.policy}")
        click.echo(table(("", "", ""), [(f"  {fact.name}", fact.text, fact.note) for fact in facts(book)]).lstrip("\n"))
    return 0
