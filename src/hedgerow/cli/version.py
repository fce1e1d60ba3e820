"""`hedgerow version`."""

from __future__ import annotations

import json
import platform

import click

from hedgerow import __version__
from hedgerow.cli.show import json_option, print_json


@click.command("version")
@json_option
def version_command(as_json: bool) -> None:
    """Print the version."""
    if not as_json:
        click.echo(f"hedgerow {__version__}")
        return
    import sqlite3

    body = {
        "schema": "hedgerow.version/1",
        "version": __version__,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }
    print_json(json.dumps(body).encode())
