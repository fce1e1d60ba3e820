"""`hedgerow scenario`: stories in plain text, run on the real core, journal and simulated exchange."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from hedgerow.cli.errors import Failed
from hedgerow.cli.show import json_option


@click.command("scenario")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@json_option
def scenario_command(files: tuple[str, ...], as_json: bool) -> int:
    """Run stories in plain text on the real core.

    Exit code: 0 when every expectation was met, 1 when not, 2 when a file is no story, 66 when there is no such file.
    """
    for file in files:
        if Path(file).is_dir():
            raise Failed("HR-402", f"{file} is a folder", f"name its stories: {Path(file) / '*.txt'}")
        if not Path(file).is_file():
            raise Failed("HR-402", f"there is no file {file}", "check the path")
    from hedgerow.sim.scenario import run

    return run([Path(file) for file in files], sys.stdout, sys.stderr, json=as_json)
