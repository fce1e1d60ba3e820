"""`hedgerow doctor`: whether everything is fit to be traded on. It asks, and places and changes nothing."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hedgerow.api.codes import Exit
from hedgerow.cli.errors import Failed, crash_into
from hedgerow.cli.show import coloured, json_option, print_json

if TYPE_CHECKING:
    from hedgerow.runtime.node_config import NodeConfig

# What a journal needs to go on for days; with less it begins to warn.
DISK_FREE_MIN = 1 << 30
EXITS = {"unreachable": Exit.UNREACHABLE, "forbidden": Exit.NOT_PERMITTED, "wrong": Exit.CONFIG}
WORDS = {"ok": "ok", "told": "note", "unreachable": "FAILED", "forbidden": "REFUSED", "wrong": "WRONG"}
COLOURS = {"ok": "HEDGED", "told": "held"}

Row = dict[str, str]


@click.command("doctor")
@click.argument("config", envvar="HEDGEROW_CONFIG", required=False, metavar="CONFIG")
@click.option("--state", envvar="HEDGEROW_STATE", metavar="DIR", help="State folder.  [env: HEDGEROW_STATE]")
@json_option
def doctor_command(config: str | None, state: str | None, as_json: bool) -> int:
    """Check keys, permissions, clock, modes, instruments, fees, streams and the disk of a config.

    It asks each venue, and places and changes nothing. Exit code 0 when all is fit, else that of the first thing that
    is not: 5 a venue, 7 a key, 78 an account or the config, 74 the disk.
    """
    if not config:
        raise Failed("HR-102", "no config was named", "name one: `hedgerow doctor CONFIG`, or set HEDGEROW_CONFIG")
    from hedgerow.runtime.config import load

    found = load(Path(config), Path(state) if state else None)
    crash_into(found.state)
    rows = [_row("-", "config", "ok", f"{found.name} is valid")]
    rows += [_row("-", "config", "told", line) for line in found.warnings]
    rows.append(_disk(found.state))
    if not as_json:
        for row in rows:
            _show(row)
    if found.is_real:
        rows += asyncio.run(_venues(found, as_json))
    else:
        row = _row("-", "venues", "ok", "every account is simulated")
        rows.append(row)
        if not as_json:
            _show(row)
    bad = [row for row in rows if row["verdict"] not in ("ok", "told")]
    if as_json:
        print_json(json.dumps({"schema": "hedgerow.doctor/1", "ok": not bad, "findings": rows}).encode())
    return int(_exit_of(bad[0])) if bad else 0


def _row(account: str, check: str, verdict: str, text: str, next_step: str = "") -> Row:
    return {"account": account, "check": check, "verdict": verdict, "text": text, "next": next_step}


def _exit_of(row: Row) -> Exit:
    return Exit.DISK if row["check"] == "disk" else EXITS[row["verdict"]]


def _disk(state: Path) -> Row:
    """Whether the journal's folder, or the nearest one above it that exists, can be written and has room."""
    folder = next(each for each in (state.absolute(), *state.absolute().parents) if each.exists())
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return _row("-", "disk", "wrong", f"{folder}: {error.strerror}", "check its disk and permissions")
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return _row("-", "disk", "wrong", f"{folder} cannot be written", "check its owner, or use another --state")
    if free < DISK_FREE_MIN:
        return _row("-", "disk", "wrong", f"{folder} has {free >> 20} MiB free", "free some: the journal needs a GiB")
    return _row("-", "disk", "ok", f"{folder} can be written, {free >> 30} GiB free")


async def _venues(found: NodeConfig, as_json: bool) -> list[Row]:
    from hedgerow.runtime.live import VenueUnusable, check_up

    rows: list[Row] = []
    try:
        async for finding in check_up(found, with_stream=True):
            row = _row(finding.account_id, finding.check, finding.verdict.value, finding.text, finding.next_step)
            rows.append(row)
            if not as_json:
                _show(row)
    except VenueUnusable as error:
        text, _, next_step = str(error).partition("; ")
        row = _row("-", "key", error.verdict.value, text, next_step)
        rows.append(row)
        if not as_json:
            _show(row)
    return rows


def _show(row: Row) -> None:
    word = coloured(f"{WORDS[row['verdict']]:<8}", COLOURS.get(row["verdict"], "alarm"))
    account = "" if row["account"] == "-" else f"{row['account']}  "
    text = f"{row['text']}; {row['next']}" if row["next"] else row["text"]
    click.echo(f"{word}{account}{row['check']}: {text}")
