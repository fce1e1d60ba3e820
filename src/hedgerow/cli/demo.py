"""`hedgerow demo`: hedges being kept, with no keys and no network."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from hedgerow.cli.show import json_option


@click.command("demo")
@click.option(
    "--seed", default=42, show_default=True, type=click.IntRange(min=0), help="The same seed, the same market."
)
@click.option(
    "--seconds", default=None, type=click.IntRange(min=1), help="How long it runs; at least 24, which its script needs."
)
@click.option("--fast", is_flag=True, help="Faster than life.")
@click.option("--state", metavar="DIR", help="Keep its journal there; else in a new temporary folder, which stays.")
@json_option
def demo_command(seed: int, seconds: int | None, fast: bool, state: str | None, as_json: bool) -> int:
    """Watch hedges being kept on simulated venues, through faults: no keys, no network."""
    from hedgerow.runtime.demo import run_demo

    return run_demo(
        seed=seed,
        seconds=seconds,
        fast=fast,
        as_json=as_json,
        out=sys.stdout,
        err=sys.stderr,
        state=Path(state) if state else None,
    )
