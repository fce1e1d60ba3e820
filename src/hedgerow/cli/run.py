"""`hedgerow run`: the books of a config, on simulated venues, with the API beside them."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hedgerow.cli.errors import Failed, crash_into
from hedgerow.cli.show import json_option, note
from hedgerow.runtime.folder import STATE_FOLDER

if TYPE_CHECKING:
    from hedgerow.runtime.node_config import NodeConfig


@click.command("run")
@click.argument("config", envvar="HEDGEROW_CONFIG", required=False, metavar="CONFIG")
@click.option("--tape", "tapes", multiple=True, metavar="VENUE=FILE", help="Feed a venue from recorded frames.")
@click.option(
    "--speed",
    default=1.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="Times faster than life; times that are told then run ahead.",
)
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Stop after so long; else by Ctrl-C.")
@click.option("--signals", metavar="FILE", help="Signals for books, a line each: TIME BOOK [WORDS]. Read as it grows.")
@click.option("--state", envvar="HEDGEROW_STATE", metavar="DIR", help="State folder.  [env: HEDGEROW_STATE]")
@click.option("--paper", "is_paper", is_flag=True, help="Real prices, or tapes; orders on the simulated exchange.")
@click.option("--live", "is_live", is_flag=True, help="Trade real money in the accounts of `mode: live`.")
@click.option("--confirm", "confirmed", multiple=True, metavar="ACCOUNT", help="With --live: an account, typed out.")
@json_option
def run_command(
    config: str | None,
    tapes: tuple[str, ...],
    speed: float,
    seconds: float | None,
    signals: str | None,
    state: str | None,
    is_paper: bool,
    is_live: bool,
    confirmed: tuple[str, ...],
    as_json: bool,
) -> int:
    """Run the books of a config, on simulated venues or on those that it names.

    The journal and the API's socket are in the state folder: `.hedgerow` beside CONFIG, unless told otherwise.
    Ctrl-C stops it cleanly; what is open then is found again by the next run.
    """
    if not config:
        raise Failed("HR-102", "no config was named", "name one: `hedgerow run CONFIG`, or set HEDGEROW_CONFIG")
    from hedgerow.runtime.config import load

    found = load(Path(config), Path(state) if state else None, _tapes(tapes))
    if signals and not Path(signals).is_file():
        raise Failed("HR-402", f"--signals {signals}: there is no such file", "make it, it may be empty, and try again")
    if is_paper and (is_live or confirmed):
        raise Failed("HR-002", "--paper moves no money, and --live does", "leave one of them out")
    if not is_paper and (found.is_real or is_live or confirmed):
        _guard(found, is_live, confirmed)
    from hedgerow.api.server import Server, check

    check(found.state)
    crash_into(found.state)
    if not as_json and not state and found.state.absolute() != Path(STATE_FOLDER).absolute():
        note(f"state     {found.state}   (hedgerow status --state {shlex.quote(str(found.state))})")
    if found.is_real and not is_paper:
        return _run_real(found, tapes, speed, seconds, signals, as_json)
    if is_paper:
        from hedgerow.runtime.paper import run_paper as run
    else:
        from hedgerow.runtime.simulated import run_node as run
    return run(
        found,
        lambda node: Server(node, found.state),
        sys.stdout,
        sys.stderr,
        as_json=as_json,
        speed=speed,
        seconds=seconds,
        signals=Path(signals) if signals else None,
    )


def _guard(found: NodeConfig, is_live: bool, confirmed: tuple[str, ...]) -> None:
    """Ask for the id of each account with real money; what cannot be asked must be on the command line."""
    from hedgerow.runtime.live import guard, live_accounts

    typed = list(confirmed)
    if is_live and sys.stdin.isatty():
        for account_id in live_accounts(found):
            if account_id not in typed:
                typed.append(click.prompt(f"{account_id} is real money; type its id to trade there", err=True))
    guard(found, is_live, typed)


def _run_real(
    found: NodeConfig, tapes: tuple[str, ...], speed: float, seconds: float | None, signals: str | None, as_json: bool
) -> int:
    for option, is_given in (("--tape", bool(tapes)), ("--speed", speed != 1)):
        if is_given:
            raise Failed("HR-002", f"{option} is for simulated venues; {found.name} names real ones", "leave it out")
    from hedgerow.api.server import Server
    from hedgerow.runtime.live import run_live

    return run_live(
        found,
        lambda node: Server(node, found.state),
        sys.stdout,
        sys.stderr,
        as_json=as_json,
        seconds=seconds,
        signals=Path(signals) if signals else None,
    )


def _tapes(texts: tuple[str, ...]) -> dict[str, Path]:
    tapes: dict[str, Path] = {}
    for text in texts:
        name, equals, file = text.partition("=")
        if not equals or not name or not file:
            raise Failed("HR-002", f"--tape {text}: this is not VENUE=FILE", "e.g. --tape spot=frames.gz")
        if name in tapes:
            told = f"--tape {text}: venue {name} has the tape {tapes[name]} already"
            raise Failed("HR-002", told, "name each venue once")
        tapes[name] = Path(file)
    return tapes
