"""`hedgerow explain`: the chain behind an order, a fill or a hold, from the journal alone."""

from __future__ import annotations

import json
from typing import Any

import click

from hedgerow.cli.errors import Failed
from hedgerow.cli.show import json_option, print_json, state_option
from hedgerow.cli.source import from_node, journal_of, print_source, state_folder


@click.command("explain")
@click.argument("subject", metavar="ID")
@json_option
@state_option
def explain_command(subject: str, as_json: bool, state: str | None, config: str | None) -> None:
    """Show why an order, fill or hold came to be.

    ID is an order id, a trade id, a hold's key (`hedge/`, `lead/entry`) or its reason.
    """
    folder = state_folder(state, config)
    answer = from_node(folder, f"explain/{subject}")
    if answer is None:
        import msgspec

        from hedgerow.api import rest, views
        from hedgerow.core.explain import explain

        found = explain(rest.turns(journal_of(folder)), subject)
        if found is None:
            raise Failed("HR-207", f"no turn in the journal of {folder} names {subject}")
        answer = json.loads(msgspec.json.encode(views.explained(found, views.AT_REST, found.rows[-1].ts_ns)))
    if as_json:
        print_json(json.dumps(answer, ensure_ascii=False).encode())
        return
    print_source(answer, folder)
    click.echo(chain_text(answer))


def chain_text(answer: dict[str, Any]) -> str:
    """Return a chain for people: offsets from its first row, one line each, and how it stands after the last."""
    rows = answer["rows"]
    width = max(len(row["what"]) for row in [*rows, {"what": "result"}])
    offsets = [f"+{row['offset_ms']} ms" for row in rows]
    left = max(len(offset) for offset in offsets)
    lines = [f"{answer['subject']}  book {answer['book']}  {answer['mode']}  from {rows[0]['ts']}"]
    for offset, row in zip(offsets, rows, strict=True):
        lines.append(f"{offset.rjust(left)}  {row['what'].ljust(width)}  {row['text']}".rstrip())
    lines.append(f"{' ' * left}  {'result'.ljust(width)}  {answer['result']}")
    lines.append(f"evidence: journal seq {answer['seq_first']}–{answer['seq_last']}")
    return "\n".join(lines)
