"""What `backtest` and `sweep` share: --data, the config that goes with it, and bars of progress on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hedgerow.cli.errors import Failed
from hedgerow.cli.show import note

if TYPE_CHECKING:
    from hedgerow.market.ticks import TickFile
    from hedgerow.model.ids import InstrumentId
    from hedgerow.runtime.node_config import NodeConfig

F = TypeVar("F", bound=Callable[..., Any])


def data_option(command: F) -> F:
    """Add --data."""
    return click.option(
        "--data",
        "told",
        multiple=True,
        metavar="NAME=FILE",
        help="Market data of VENUE or VENUE:SYMBOL: a tick file, frames, CSV, Parquet, a folder or a glob. Repeatable.",
    )(command)


def pairs(told: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return what --data said as (name, source)."""
    found = []
    for text in told:
        name, equals, source = text.partition("=")
        if not equals or not name or not source:
            raise Failed("HR-002", f"--data {text}: this is not NAME=FILE", "e.g. --data usdm=btc.ticks")
        found.append((name, source))
    if not found:
        raise Failed("HR-002", "no market data was named", "add --data VENUE=FILE for each venue of the config")
    return found


def venues_of(named: list[tuple[str, str]]) -> frozenset[str]:
    """Return the venues whose markets are recorded."""
    return frozenset(name.partition(":")[0] for name, _ in named)


def fitting(config: NodeConfig, files: dict[str, TickFile]) -> dict[InstrumentId, TickFile]:
    """Return the data of each instrument of the config."""
    from hedgerow.sim.backtest.run import DataUnfit, named

    try:
        return named(config, files)
    except DataUnfit as unfit:
        raise Failed("HR-002", str(unfit)) from None


def check_owned(config: NodeConfig) -> None:
    """See that the config says what real accounts own and pay: a backtest asks no venue."""
    real = [account for account in config.accounts if account.access is not None]
    poor = [account.id for account in real if not any(account.balances.values())]
    if poor:
        told = f"nothing says what {' and '.join(poor)} can pay with, and a backtest asks no venue"
        raise Failed("HR-101", told, "give each its `balance`, e.g. `balance: {USDT: 20000}`, and its `fees`")
    for account in real:
        if not account.fees.maker and not account.fees.taker:
            note(f"note      {account.id} pays no fees here; add e.g. `fees: {{maker_bps: 2, taker_bps: 5}}`")


def opened(named: list[tuple[str, str]], folder: Path) -> dict[str, TickFile]:
    """Return the data of each name, imported into `folder` where it is no tick file."""
    from hedgerow.sim.backtest import files

    with progress("import") as shown:
        found, notes = files.opened(named, folder, lambda name, done, size: shown(done, size))
    for text in notes:
        note(f"data      {text}")
    return found


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar with rate and time left on a terminal; elsewhere nothing. Takes (done, in all)."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """How many a second."""

        def render(self, task: Task) -> Text:
            return Text(f"{task.finished_speed or task.speed or 0:,.0f}/s")

    columns = TextColumn(f"{what:<9}"), BarColumn(None), TextColumn("{task.percentage:>3.0f} %"), Rate()
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
