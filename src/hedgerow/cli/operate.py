"""`hedgerow freeze`, `flatten`, `halt`, `resume` and `signal`: an operator's orders to the books of a running node."""

from __future__ import annotations

import contextlib
import getpass
import json
import sys
import time
import uuid
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from hedgerow.api.codes import Exit
from hedgerow.cli.errors import Declined, Failed
from hedgerow.cli.show import coloured, duration, json_option, note, print_json, signed, state_option
from hedgerow.cli.source import look, state_folder, tell

POLL_S = 0.1
# How long a book may take to show that it heard.
HEARD_S = 10
FLATTEN_S = 60

Answer = dict[str, Any]

books_argument = click.argument("books", nargs=-1, metavar="BOOK...")
all_option = click.option("--all", "every", is_flag=True, help="Every book of the node.")
yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
id_option = click.option("--request-id", default="", metavar="ID", help="The same id twice has one effect.")


@click.command("freeze")
@books_argument
@all_option
@id_option
@json_option
@state_option
def freeze_command(
    books: tuple[str, ...], every: bool, request_id: str, as_json: bool, state: str | None, config: str | None
) -> None:
    """Let nothing add risk; hedges and exits go on."""
    folder = state_folder(state, config)
    _switch(folder, "freeze", _named(look(folder), books, every), request_id, as_json, {})


@click.command("resume")
@books_argument
@all_option
@click.option(
    "--accept-drift", is_flag=True, help="What the venue has beyond our fills is foreign; what it lacks is given up."
)
@id_option
@json_option
@state_option
def resume_command(
    books: tuple[str, ...],
    every: bool,
    accept_drift: bool,
    request_id: str,
    as_json: bool,
    state: str | None,
    config: str | None,
) -> None:
    """Lift a freeze or a halt."""
    folder = state_folder(state, config)
    extra = {"accept_drift": accept_drift}
    _switch(folder, "resume", _named(look(folder), books, every), request_id, as_json, extra)


@click.command("halt")
@books_argument
@all_option
@yes_option
@id_option
@json_option
@state_option
def halt_command(
    books: tuple[str, ...],
    every: bool,
    yes: bool,
    request_id: str,
    as_json: bool,
    state: str | None,
    config: str | None,
) -> None:
    """Send no orders at all, hedges included; what is unhedged stays so until `resume`."""
    folder = state_folder(state, config)
    named = _named(look(folder), books, every)
    for book in named:
        legs = ", ".join(f"{leg['account']} {signed(leg['net_qty'])} {leg['instrument']}" for leg in book["legs"])
        note(f"{book['name']} keeps {legs}; residual {signed(book['residual'])}, and nothing will hedge it")
    _confirm("Halt?", yes)
    _switch(folder, "halt", named, request_id, as_json, {})


@click.command("signal")
@click.argument("book")
@click.argument("words", nargs=-1)
@id_option
@json_option
@state_option
def signal_command(
    book: str, words: tuple[str, ...], request_id: str, as_json: bool, state: str | None, config: str | None
) -> None:
    """Tell a book's policy to enter; WORDS are the policy's own, `enter` when left out."""
    folder = state_folder(state, config)
    _named(look(folder), (book,), False)
    answer = tell(folder, f"books/{book}/signal", _body(request_id, {"detail": " ".join(words) or "enter"}))
    if as_json:
        print_json(json.dumps(answer | {"schema": "hedgerow.signal/1"}).encode())
    else:
        click.echo(f"{book} has the signal" + (", and had it before" if answer["repeated"] else ""))


@click.command("flatten")
@click.argument("book")
@yes_option
@click.option("--timeout", default=FLATTEN_S, show_default=True, help="Seconds to wait for flat.", metavar="S")
@id_option
@json_option
@state_option
def flatten_command(
    book: str, yes: bool, timeout: int, request_id: str, as_json: bool, state: str | None, config: str | None
) -> int:
    """Bring every leg of a book to zero, verified at the venues; then it is frozen.

    Exit code: 0 flat, 6 something is left.
    """
    folder = state_folder(state, config)
    (before,) = _named(look(folder), (book,), False)
    working = [order for order in look(folder, "orders")["orders"] if order["book"] == book]
    note(plan_text(before, working))
    _confirm("Go on?", yes)
    started = time.monotonic()
    answer = tell(folder, f"books/{book}/flatten", _body(request_id, {}))
    try:
        # What was asked before may long be over: then there is no change to wait for.
        after = _watch(folder, before, started if answer["repeated"] else started + timeout)
    except KeyboardInterrupt:
        note(
            f"{book} goes on flattening without this command: `hedgerow status` tells how far it is,"
            f" `hedgerow resume {book}` takes it back"
        )
        raise
    took_ms = int((time.monotonic() - started) * 1000)
    left = [leg for leg in after["legs"] if Decimal(leg["net_qty"]) or Decimal(leg["drift_net_qty"])]
    done = after["state"] == "frozen" and not left
    if as_json:
        body = {"schema": "hedgerow.flatten/1", "flat": done, "took_ms": took_ms, "book": after}
        print_json(json.dumps(body, ensure_ascii=False).encode())
    if done:
        if not as_json:
            residual, cost = signed(after["residual"]), Decimal(before["pnl"]["total"]) - Decimal(after["pnl"]["total"])
            told = f"flat in {duration(took_ms)}, residual {residual}, cost {cost:.2f}, {book} is now FROZEN"
            click.echo(f"{told} (hedgerow resume {book})")
        return Exit.DONE
    if not as_json:
        for leg in left:
            drift = f", drift {signed(leg['drift_net_qty'])}" if Decimal(leg["drift_net_qty"]) else ""
            click.echo(f"left  {leg['account']}  {signed(leg['net_qty'])} {leg['instrument']}{drift}")
        for hold in after["holds"]:
            click.echo(f"held  {hold['key'].rstrip('/')} {hold['reason']}: {hold['sentence']} {hold['next_step']}")
    raise Failed("HR-501", f"{book} is {after['state']} after {duration(took_ms)}, not flat: {after['mode_reason']}")


def plan_text(book: Answer, working: list[Answer]) -> str:
    """Return what a flatten will do, by account."""
    lines = ["plan, reduce-only where the venue knows it"]
    steps: list[str] = []
    for leg in book["legs"]:
        count = sum(1 for order in working if order["leg"] == leg["leg"])
        if count:
            steps.append(f"cancel  {count} working order{'' if count == 1 else 's'}  {leg['account']}")
    for leg in book["legs"]:
        qty = Decimal(leg["net_qty"])
        if qty:
            estimate = f"  est. {leg['mark']}" if leg["mark"] is not None else ""
            side = "SELL" if qty > 0 else "BUY"
            steps.append(f"{side.ljust(6)}  {abs(qty)} {leg['instrument']}  {leg['account']}{estimate}")
    lines += [f"  {number}  {step}" for number, step in enumerate(steps, 1)]
    return "\n".join(
        lines if steps else [*lines, "  nothing is held and nothing works; flat is verified at the venues"]
    )


def _watch(folder: Path, before: Answer, until: float) -> Answer:
    """Follow a flatten until it ended, was taken back, or the time is over; return the book as it stands then."""
    seen, told = before, ""
    while True:
        # A node that is being restarted goes on flattening: the order is in its journal.
        with contextlib.suppress(Failed):
            seen = _book(look(folder), before["name"])
        is_over = seen["mode_since"] != before["mode_since"] and seen["state"] != "flattening"
        if is_over or time.monotonic() >= until:
            return seen
        line = ", ".join(f"{leg['account']} {leg['instrument']} {signed(leg['net_qty'])}" for leg in seen["legs"])
        if line != told:
            note(f"  {line}")
            told = line
        time.sleep(POLL_S)


def _switch(
    folder: Path, action: str, books: list[Answer], request_id: str, as_json: bool, extra: Mapping[str, object]
) -> None:
    """Give one order to each book and wait until each shows that it was heard."""
    after: list[Answer] = []
    for book in books:
        answer = tell(folder, f"books/{book['name']}/{action}", _body(request_id, extra))
        until = time.monotonic() + HEARD_S
        seen = book
        while not answer["repeated"] and time.monotonic() < until:
            seen = _book(look(folder), book["name"])
            if seen["mode_since"] != book["mode_since"]:
                break
            time.sleep(POLL_S)
        else:
            if not answer["repeated"]:
                raise Failed("HR-202", f"{book['name']} has not shown within {HEARD_S} s that it heard {action}")
        after.append(seen)
    if as_json:
        body = {"schema": f"hedgerow.{action}/1", "books": after}
        print_json(json.dumps(body, ensure_ascii=False).encode())
        return
    for book in after:
        click.echo(f"{book['name']} is {coloured(book['state'])}, residual {signed(book['residual'])}")


def _body(request_id: str, extra: Mapping[str, object]) -> Answer:
    return {"request_id": request_id or uuid.uuid4().hex, "principal": _principal(), **extra}


def _principal() -> str:
    """Return who asks; an environment that says something odd of that must not keep an order from the node."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        return "operator"
    return user if 0 < len(user) <= 64 and user.isprintable() and "node:" not in user else "operator"


def _named(status: Answer, names: tuple[str, ...], every: bool) -> list[Answer]:
    if every:
        found: list[Answer] = status["books"]
        return found
    if not names:
        raise Failed("HR-002", "no book is named", "name one or more, or use --all")
    return [_book(status, name) for name in names]


def _book(status: Answer, name: str) -> Answer:
    for book in status["books"]:
        if book["name"] == name:
            found: Answer = book
            return found
    import difflib

    names = [book["name"] for book in status["books"]]
    near = difflib.get_close_matches(name, names, 1)
    raise Failed(
        "HR-206", f"there is no book '{name}'", f"did you mean '{near[0]}'?" if near else f"books: {', '.join(names)}"
    )


def _confirm(question: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise Failed("HR-004", "this needs a confirmation, and nobody can be asked here")
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:
        agreed = False
        note("")
    if not agreed:
        raise Declined
