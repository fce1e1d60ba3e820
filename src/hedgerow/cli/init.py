"""`hedgerow init`: a first config, from a template that runs as it is."""

from __future__ import annotations

import errno
import json
import os
import sys
from importlib import resources
from pathlib import Path

import click

from hedgerow.cli.errors import Failed
from hedgerow.cli.show import json_option, note, print_json

# Name -> what it is for, in a line; each is a file of `hedgerow/templates`.
TEMPLATES = {
    "grid": "a ladder of limit orders on one instrument, each fill sold one level higher",
    "mirror": "one account makes, another one takes the opposite side of each fill",
    "carry": "spot bought against futures sold, while the basis pays",
    "pair": "long on one venue, short on another, in rounds",
    "exits": "positions of broker accounts, closed by rule",
}
DEFAULT_FILE = "hedgerow.yaml"
SCHEMA_FILE = "hedgerow.schema.json"


@click.command("init")
@click.argument("file", default=DEFAULT_FILE, metavar="[FILE]")
@click.option("--template", type=click.Choice(list(TEMPLATES)), help="What it is to be; asked for when left out.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@json_option
def init_command(file: str, template: str | None, force: bool, as_json: bool) -> None:
    """Write a config that runs as it is on simulated venues, and the schema that lets editors complete it.

    FILE is hedgerow.yaml when left out. Nothing is replaced without --force.
    """
    path = Path(file)
    name = template or _asked()
    schema_path = path.parent / SCHEMA_FILE
    if path.exists() and not force:
        raise Failed("HR-406", f"{path} is there already", "name another file, or add --force to replace it")
    text = render(name, path)
    from hedgerow.runtime.config import schema

    _write(schema_path, json.dumps(schema(), indent=2) + "\n")
    _write(path, text)
    if as_json:
        told = {"schema": "hedgerow.init/1", "template": name, "config": str(path), "json_schema": str(schema_path)}
        print_json(json.dumps(told).encode())
        return
    click.echo(f"{path}  {name}: {TEMPLATES[name]}")
    note(f"next:  hedgerow config check {path}     hedgerow run {path}")


def template_text(name: str) -> str:
    """Return a template as it stands in the package, and in `examples/`."""
    return (resources.files("hedgerow") / "templates" / f"{name}.yaml").read_text(encoding="utf-8")


def render(name: str, path: Path) -> str:
    """Return the template for a file of that name: its own commands name it, and editors find the schema beside it."""
    text = template_text(name).replace(f"examples/{name}.yaml", str(path))
    return f"# yaml-language-server: $schema=./{SCHEMA_FILE}\n{text}"


def _asked() -> str:
    """Ask which template is wanted."""
    if not sys.stdin.isatty():
        raise Failed("HR-002", "no template was named", f"add --template, one of {', '.join(TEMPLATES)}")
    for name, sentence in TEMPLATES.items():
        note(f"  {name:7} {sentence}")
    wanted: str = click.prompt("What is to be hedged", type=click.Choice(list(TEMPLATES)), err=True)
    return wanted


def _write(path: Path, text: str) -> None:
    """Write a whole file or nothing of it."""
    half = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        half.write_text(text, encoding="utf-8")
        half.replace(path)
    except OSError as error:
        half.unlink(missing_ok=True)
        if error.errno == errno.ENOSPC:
            raise OSError(error.errno, error.strerror, str(path)) from None
        told = f"{path} cannot be written: {error.strerror}"
        raise Failed("HR-402", told, "name a file in a folder of yours") from None
