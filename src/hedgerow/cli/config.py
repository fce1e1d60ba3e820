"""`hedgerow config`: whether a config is right, what it comes to, and how two differ."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Any

import click

from hedgerow.cli.errors import Failed
from hedgerow.cli.show import json_option, note, print_json, table

config_argument = click.argument("config", envvar="HEDGEROW_CONFIG", required=False, metavar="CONFIG")


@click.group("config")
def config_command() -> None:
    """Check, show and compare configs. CONFIG is a YAML or TOML file; HEDGEROW_CONFIG names one as well."""


@config_command.command("check")
@config_argument
@json_option
def check_command(config: str | None, as_json: bool) -> int:
    """Tell everything that is wrong with a config, with its place. Exit code: 0 right, 78 not."""
    from hedgerow.api.codes import Exit
    from hedgerow.runtime.config import load
    from hedgerow.runtime.config_text import ConfigError, dotted, find

    path = _named(config)
    try:
        found = load(path)
    except ConfigError as error:
        if not as_json:
            raise
        errors = []
        for problem in error.problems:
            line, column = find(error.source, problem)
            errors.append(
                {
                    "kind": problem.kind,
                    "path": dotted(problem.path),
                    "line": line,
                    "column": column,
                    "text": problem.text,
                    "help": problem.help,
                }
            )
        _print({"schema": "hedgerow.config_check/1", "config": str(path), "ok": False, "errors": errors})
        return Exit.CONFIG
    if as_json:
        _print(
            {
                "schema": "hedgerow.config_check/1",
                "config": str(path),
                "ok": True,
                "errors": [],
                "warnings": list(found.warnings),
                "sha": found.sha,
            }
        )
    else:
        for warning in found.warnings:
            note(f"warning: {warning}")
        counts = f"{_count(len(found.accounts), 'account')}, {_count(len(found.books), 'book')}"
        click.echo(f"{path} ok ({counts}, sha {found.sha[:7]})")
    return Exit.DONE


@config_command.command("show")
@config_argument
@json_option
def show_command(config: str | None, as_json: bool) -> None:
    """Show what a config comes to, every preset and default included. Secrets stay references."""
    plain = _plain(_named(config))
    if as_json:
        _print({"schema": "hedgerow.config_show/1", **plain})
        return
    import yaml

    click.echo(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True), nl=False)


@config_command.command("schema")
@json_option
def schema_command(as_json: bool) -> None:
    """Print the JSON schema of configs, for completion in editors. It is JSON with and without --json."""
    from hedgerow.runtime.config import schema

    found = schema()
    click.echo(json.dumps({"schema": "hedgerow.config_schema/1", "json_schema": found} if as_json else found, indent=2))


@config_command.command("diff")
@click.argument("config", metavar="CONFIG")
@click.argument("other", required=False)
@click.option("--state", envvar="HEDGEROW_STATE", metavar="DIR", help="State folder.  [env: HEDGEROW_STATE]")
@json_option
def diff_command(config: str, other: str | None, state: str | None, as_json: bool) -> None:
    """Show what differs between two configs, or between a config and what runs (or ran last)."""
    new = _plain(Path(config))
    if other is not None:
        old, new = new, _plain(Path(other))
        names = (config, other)
    else:
        from hedgerow.cli.source import ask

        answer = ask(Path(state or new["state"]), "config", "configs")
        import msgspec

        from hedgerow.core.config import BookConfig

        old = {
            "books": {
                book["book_id"]: _full(msgspec.convert(book, BookConfig, strict=False)) for book in answer["books"]
            }
        }
        new = {"books": new["books"]}
        names = ("running" if answer["source"] == "running" else "last run", config)
    before, after = _flat(old, ""), _flat(new, "")
    keys = [key for key in [*before, *(after.keys() - before.keys())] if before.get(key) != after.get(key)]
    # The text's own hash and name say nothing that the keys do not.
    keys = sorted(key for key in keys if key not in ("sha", "name", "state") and not key.startswith("warnings."))
    if as_json:
        changes = [{"key": key, "before": before.get(key), "after": after.get(key)} for key in keys]
        _print({"schema": "hedgerow.config_diff/1", "changes": changes})
    elif not keys:
        click.echo("no difference")
    else:
        rows = _rows(keys, before, after)
        click.echo(table(("KEY", names[0].upper() if other is None else names[0], names[1]), rows))


def _named(config: str | None) -> Path:
    if not config:
        raise Failed(
            "HR-102", "no config was named", "name one: `hedgerow config check CONFIG`, or set HEDGEROW_CONFIG"
        )
    return Path(config)


def _plain(path: Path) -> dict[str, Any]:
    """Return a config as plain values, with lists of named things as mappings."""
    from hedgerow.runtime.config import load

    plain = _full(load(path))
    assert isinstance(plain, dict), path
    for key, name in (("books", "book_id"), ("accounts", "id"), ("venues", "id"), ("markets", "base")):
        plain[key] = {each[name]: each for each in plain[key]}
    return plain


def _full(value: object) -> Any:
    """Return a value as plain ones, with every default and every parameter written out."""
    import msgspec

    from hedgerow.core.config import BookConfig

    if isinstance(value, msgspec.Struct):
        plain = {name: _full(getattr(value, name)) for name in value.__struct_fields__}
        if isinstance(value, BookConfig):
            from hedgerow.strategies import POLICIES
            from hedgerow.strategies.params import describe

            policy = POLICIES.get(value.policy)
            defaults = {row.name: row.default for row in describe(policy.params_type)} if policy is not None else {}
            plain["params"] = defaults | plain["params"]
        return plain
    if isinstance(value, dict):
        return {str(key): _full(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_full(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    return value if isinstance(value, bool | int | None) else str(value)


def _flat(value: object, path: str) -> dict[str, str]:
    """Return dotted key -> text of everything in a tree."""
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = {
            str(item.get("id", index) if isinstance(item, dict) else index): item for index, item in enumerate(value)
        }.items()
    else:
        return {path: str(value)}
    return {key: text for name, item in pairs for key, text in _flat(item, f"{path}.{name}" if path else name).items()}


def _rows(keys: list[str], before: dict[str, str], after: dict[str, str]) -> list[list[str]]:
    """Return a row for each changed key; what is wholly new or gone is one row."""
    rows: dict[str, list[str]] = {}
    for key in keys:
        if key in before and key in after:
            rows[key] = [key, before[key], after[key]]
            continue
        other = before if key in after else after
        parts = key.split(".")
        roots = (".".join(parts[:count]) for count in range(1, len(parts)))
        root = next((root for root in roots if not any(name.startswith(f"{root}.") for name in other)), key)
        here = ["-", after[key]] if key in after else [before[key], "-"]
        rows[root] = [root, *here] if root == key else [root, *(("-", "new") if key in after else ("gone", "-"))]
    return list(rows.values())


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _print(body: dict[str, Any]) -> None:
    print_json(json.dumps(body, ensure_ascii=False).encode())
