"""`hedgerow status`, `positions` and `orders`: what is, from a running node or from its journal at rest."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import click

from hedgerow.api.codes import Exit
from hedgerow.cli.show import coloured, duration, json_option, print_json, signed, state_option, table
from hedgerow.cli.source import ask, print_source, state_folder

Answer = dict[str, Any]


@click.command("status")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing; the exit code says it.")
@json_option
@state_option
def status_command(quiet: bool, as_json: bool, state: str | None, config: str | None) -> int:
    """Show every book: legs, residual, P&L, holds, alarms.

    Exit code: 0 hedged, 3 not hedged, 4 frozen or halted, 5 no node runs; what its journal has is shown all the same.
    """
    folder = state_folder(state, config)
    answer = ask(folder, "status", "status")
    if as_json:
        print_json(json.dumps(answer, ensure_ascii=False).encode())
    elif not quiet:
        print_source(answer, folder)
        click.echo(status_text(answer))
    return exit_of(answer)


def exit_of(answer: Answer) -> int:
    """Return the exit code of a status; a missing node outranks a missing hedge, and that a freeze."""
    if not answer["running"]:
        return Exit.UNREACHABLE
    if not answer["hedged"]:
        return Exit.NOT_HEDGED
    if any(book["state"] in ("frozen", "flattening", "halted") for book in answer["books"]):
        return Exit.HALTED
    return Exit.DONE


def status_text(answer: Answer) -> str:
    """Return a status for people."""
    word = coloured("HEDGED" if answer["hedged"] else "NOT HEDGED")
    if answer["running"]:
        lines = [f"{answer['mode']}  up {duration(answer['up_s'] * 1000)}  {word}"]
    else:
        lines = [f"{answer['mode']}  {coloured('NOT RUNNING')}  {word} when the journal ended, {answer['ts']}"]
    head = ("BOOK", "LEG A", "QTY", "LEG B", "QTY", "RESIDUAL", "UNHEDGED", "P&L", "STATE")
    books = [*answer["books"], *answer["removed"]]
    lines.append(table(head, [_book_row(book) for book in books], frozenset({2, 4, 5, 6, 7})))
    lines.append(_portfolio_line(answer["portfolio"], is_running=answer["running"]))
    for book in books:
        if book["state"] == "removed":
            told = f"{book['name']} is not in the config any more: nobody hedges or exits it"
            lines.append(f"{coloured('removed')}  {told}")
            # What held it back then is no matter of now, and no command of today would end it.
            continue
        if book["mode_reason"] and book["state"] in ("frozen", "flattening", "halted"):
            lines.append(f"{coloured(book['state'])}  {book['name']}: {book['mode_reason']}")
        lines += _hold_lines(book)
        for alarm in book["alarms"]:
            lines.append(f"{coloured('alarm')}  {book['name']} {alarm['kind']} {alarm['subject']}: {alarm['text']}")
    return "\n".join(lines)


def _hold_lines(book: Answer) -> list[str]:
    """What is held, once for each reason: the many slots of a ladder wait for the same thing."""
    slots: dict[tuple[str, str], list[str]] = {}
    for hold in book["holds"]:
        # A clean stop halts the books; the next start lifts it, and there is nothing for a person to do.
        if book["state"] == "stopped" and hold["reason"] == "halted":
            continue
        numbers = ", ".join(f"{name} {value}" for name, value in hold["numbers"].items())
        told = f"{hold['reason']}: {hold['sentence']}" + (f" ({numbers})" if numbers else "")
        slots.setdefault((told, hold["next_step"]), []).append(hold["key"].rstrip("/"))
    lines = []
    for (told, next_step), (first, *others) in slots.items():
        where = f"{first} and {len(others)} more" if others else first
        lines += [f"{coloured('held')}   {book['name']} {where} {told}", f"       next: {next_step}"]
    return lines


def _portfolio_line(portfolio: Answer, *, is_running: bool) -> str:
    """What all books have together: signed and absolute, and what is unknown of it."""
    exposures = "  ".join(f"{each['underlying']} {signed(cents(each['net']))}" for each in portfolio["exposures"])
    line = f"all books  net in quote: {exposures or '0'}  gross {cents(portfolio['gross'])}"
    if portfolio["equity"] is not None:
        line += f"  equity {cents(portfolio['equity'])}"
    elif is_running:
        line += f"  equity unknown: {', '.join(portfolio['unknown'])}"
    return line


def _book_row(book: Answer) -> list[str]:
    legs = book["legs"]
    cells = [book["name"]]
    for index in (0, 1):
        leg = legs[index] if index < len(legs) else None
        cells += ["-", "-"] if leg is None else [leg["account"], signed(leg["net_qty"])]
    unhedged = duration(book["unhedged_ms"]) if book["unhedged_ms"] else "-"
    pnl = book["pnl"]
    money = signed(cents(pnl["total"])) + ("" if pnl["is_complete"] else "?")
    return [*cells, signed(book["residual"]), unhedged, money, book["state"]]


def cents(number: str) -> str:
    """Return an amount of quote to two decimals, for people only."""
    return str(Decimal(number).quantize(Decimal("0.01")))


@click.command("positions")
@json_option
@state_option
def positions_command(as_json: bool, state: str | None, config: str | None) -> int:
    """Show every leg with its cost and P&L.

    Exit code: 5 when no node runs; its journal is shown then.
    """
    folder = state_folder(state, config)
    answer = ask(folder, "positions", "positions")
    if as_json:
        print_json(json.dumps(answer, ensure_ascii=False).encode())
        return _exit_of_source(answer)
    print_source(answer, folder)
    head = (
        "BOOK",
        "LEG",
        "ACCOUNT",
        "INSTRUMENT",
        "QTY",
        "AVG PRICE",
        "MARK",
        "REALIZED",
        "UNREALIZED",
        "FOREIGN",
        "DRIFT",
    )
    rows = [
        [
            leg["book"],
            leg["leg"],
            leg["account"],
            leg["instrument"],
            signed(leg["net_qty"]),
            "-" if leg["avg_price"] is None else cents(leg["avg_price"]),
            "-" if leg["mark"] is None else cents(leg["mark"]),
            signed(cents(leg["realized"])),
            "-" if leg["unrealized"] is None else signed(cents(leg["unrealized"])),
            "-" if leg["foreign_net_qty"] is None else signed(leg["foreign_net_qty"]),
            signed(leg["drift_net_qty"]),
        ]
        for leg in answer["positions"]
    ]
    click.echo(table(head, rows, frozenset({4, 5, 6, 7, 8, 9, 10})))
    return _exit_of_source(answer)


@click.command("orders")
@click.option("--closed", is_flag=True, help="Show the latest closed ones as well.")
@json_option
@state_option
def orders_command(closed: bool, as_json: bool, state: str | None, config: str | None) -> int:
    """Show the orders that work now, unknown ones included.

    Exit code: 5 when no node runs; its journal is shown then.
    """
    folder = state_folder(state, config)
    route = "orders?closed=true" if closed else "orders"
    answer = ask(folder, route, "orders", closed=closed)
    if as_json:
        print_json(json.dumps(answer, ensure_ascii=False).encode())
        return _exit_of_source(answer)
    print_source(answer, folder)
    head = ("SUBMITTED", "BOOK", "ORDER", "SIDE", "QTY", "FILLED", "INSTRUMENT", "PRICE", "ROLE", "STATUS")
    rows = [
        [
            order["submitted"],
            order["book"],
            order["id"],
            order["side"].upper(),
            order["qty"],
            order["filled_qty"],
            order["instrument"],
            order["limit_price"] or "market",
            order["role"],
            order["status"],
        ]
        for order in answer["orders"]
    ]
    click.echo(table(head, rows, frozenset({4, 5, 7})) if rows else "no orders work now")
    return _exit_of_source(answer)


def _exit_of_source(answer: Answer) -> int:
    return Exit.DONE if answer["source"] == "running" else Exit.UNREACHABLE
