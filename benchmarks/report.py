"""What a benchmark returns, and how it is printed: as a table for people, as one JSON object for programs."""

from __future__ import annotations

import os
import platform
import sys

import msgspec
from rich.console import Console
from rich.table import Table

SCHEMA = "hedgerow.bench/1"


class Number(msgspec.Struct, frozen=True):
    """One measured number."""

    name: str
    "`BENCHMARK/WHAT…`, stable between runs."
    what: str
    unit: str
    value: float
    goal: float | None = None
    met: bool | None = None
    "None without a goal."
    cpu_value: float | None = None
    "The same by processor time, for what runs in one thread: what others do on this machine counts less."


class Skipped(msgspec.Struct, frozen=True):
    """A benchmark that did not run, and why."""

    name: str
    why: str


class Environment(msgspec.Struct, frozen=True):
    """Where the numbers come from."""

    python: str
    cpu_count: int
    platform: str


class Report(msgspec.Struct, frozen=True):
    schema: str
    quick: bool
    environment: Environment
    benchmarks: tuple[Number, ...]
    skipped: tuple[Skipped, ...]


def at_least(
    name: str, what: str, unit: str, value: float, goal: float | None = None, cpu_value: float | None = None
) -> Number:
    """Return a number of which more is better."""
    return Number(name, what, unit, value, goal, None if goal is None else value >= goal, cpu_value)


def at_most(name: str, what: str, unit: str, value: float, goal: float | None = None) -> Number:
    """Return a number of which less is better."""
    return Number(name, what, unit, value, goal, None if goal is None else value <= goal)


def report(quick: bool, results: list[Number | Skipped]) -> Report:
    """Return everything that one run has to say."""
    environment = Environment(sys.version.split()[0], os.cpu_count() or 1, platform.platform())
    numbers = tuple(result for result in results if isinstance(result, Number))
    return Report(
        SCHEMA, quick, environment, numbers, tuple(result for result in results if isinstance(result, Skipped))
    )


def print_json(told: Report) -> None:
    """Print the report as one JSON object on a line of its own."""
    print(msgspec.json.encode(told).decode())


def print_table(told: Report) -> None:
    """Print the report for people."""
    where = told.environment
    table = Table(title=f"hedgerow bench, Python {where.python}, {where.cpu_count} CPUs, {where.platform}")
    table.add_column("name", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("by cpu time", justify="right", no_wrap=True)
    table.add_column("goal", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("what")
    for number in told.benchmarks:
        by_cpu = "" if number.cpu_value is None else _short(number.cpu_value)
        goal = "" if number.goal is None else _short(number.goal)
        met = "" if number.met is None else "[green]met[/]" if number.met else "[red]not met[/]"
        table.add_row(number.name, f"{_short(number.value)} {number.unit}", by_cpu, goal, met, number.what)
    # Wide enough for every number when the output goes into a file.
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    for skipped in told.skipped:
        console.print(f"skipped {skipped.name}: {skipped.why}", markup=False)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
