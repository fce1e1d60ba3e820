"""A bar on stderr while something long goes on: how far, how fast, how long still. On a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[int, int, int], None]
"Told (done, in all, how many of what is counted so far)."


@contextmanager
def progressing(what: str, counted: str) -> Iterator[Progress | None]:
    """Show a bar for the time of the block; None when nobody looks.

    Args:
        what: the verb before the bar.
        counted: the noun behind the rate, e.g. `rows`.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[count]:>12,} " + counted),
        TextColumn("{task.fields[rate]:>11,}/s"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None, count=0, rate=0)

        def progress(done: int, total: int, count: int) -> None:
            elapsed = bar.tasks[0].elapsed or 0
            bar.update(
                task, completed=done, total=total or None, count=count, rate=int(count / elapsed) if elapsed else 0
            )

        yield progress
