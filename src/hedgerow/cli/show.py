"""How results look: JSON for programs, aligned text for people, colour only on a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")

COLOURS = {
    "hedged": "green",
    "hedging": "yellow",
    "frozen": "cyan",
    "flattening": "yellow",
    "halted": "red",
    "NOT HEDGED": "red",
    "NOT RUNNING": "red",
    "not running": "red",
    "removed": "red",
    "HEDGED": "green",
    "alarm": "red",
    "held": "yellow",
}


def state_option(command: F) -> F:
    """Add --state, which HEDGEROW_STATE gives as well, and --config, whose folder says it otherwise."""
    command = click.option(
        "--config",
        "config",
        envvar="HEDGEROW_CONFIG",
        metavar="FILE",
        help="Config whose state folder is meant.  [env: HEDGEROW_CONFIG]",
    )(command)
    return click.option(
        "--state", "state", envvar="HEDGEROW_STATE", metavar="DIR", help="State folder.  [env: HEDGEROW_STATE]"
    )(command)


def print_json(text: bytes) -> None:
    """Print one object: UTF-8, as JSON is, whatever the terminal's encoding."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text + b"\n")


def note(text: str) -> None:
    """Tell a person something beside the result."""
    click.echo(text, err=True)


def coloured(text: str, word: str | None = None) -> str:
    """Return `text` in the colour of `word`, on a terminal."""
    colour = COLOURS.get(word or text.strip())
    if colour is None or not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return click.style(text, fg=colour)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> str:
    """Return aligned rows under a head; `right` are the columns of numbers."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = []
    for row in [head, *rows]:
        cells = [
            cell.rjust(widths[column]) if column in right else cell.ljust(widths[column])
            for column, cell in enumerate(row)
        ]
        # Coloured after the padding, which would count the colour's own characters.
        lines.append("  ".join(coloured(cell) for cell in cells).rstrip())
    return "\n".join(lines)


def signed(number: str) -> str:
    """Return an exact number with its sign: `+0.150`; zero has none."""
    return number if number.startswith("-") or not number.strip("0.") else f"+{number}"


def duration(ms: int) -> str:
    """Return a duration for people: `412 ms`, `1.83 s`, `2 min 05 s`, `3d 04:12`."""
    if ms < 1_000:
        return f"{ms} ms"
    if ms < 60_000:
        return f"{ms // 1000}.{ms % 1000 // 10:02d} s"
    minutes, seconds = divmod(ms // 1000, 60)
    if minutes < 60:
        return f"{minutes} min {seconds:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours // 24}d {hours % 24:02d}:{minutes:02d}"
