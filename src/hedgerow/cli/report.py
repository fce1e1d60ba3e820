"""`hedgerow report`: results of backtests, drawn and compared."""

from __future__ import annotations

from pathlib import Path

import click

from hedgerow.cli.show import json_option, note, print_json, table

SAME, DIFFERENT = 0, 1
"Exit codes of `report diff`, as those of diff(1)."


@click.group("report")
def report_command() -> None:
    """Draw and compare the results of backtests."""


@report_command.command("diff")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@json_option
def diff_command(first: str, second: str, as_json: bool) -> int:
    """Show what differs between two results: what went in, what came out, and the first fill at which they part.

    A and B are folders that `hedgerow backtest --out` made, or their result.json. Exit code: 0 when they say the same,
    1 when not.
    """
    import msgspec

    from hedgerow.sim.difference import differences
    from hedgerow.sim.result import load_result

    found = differences(load_result(first), load_result(second))
    if as_json:
        print_json(msgspec.json.encode({"schema": "hedgerow.report_diff/1", "a": first, "b": second, "changes": found}))
    elif not found:
        click.echo("no difference")
    else:
        several = len({each.book for each in found if each.book}) > 1
        rows = [
            [f"{each.book} {each.what}" if several and each.book else each.what, each.first, each.second, each.change]
            for each in found
        ]
        click.echo(table(("WHAT", "A", "B", "CHANGE"), rows, frozenset({3})))
    return DIFFERENT if found else SAME


@report_command.command("open")
@click.argument("result")
@json_option
def open_command(result: str, as_json: bool) -> None:
    """Open the HTML report of a result in the browser; drawn first when it is not there.

    RESULT is a folder that `hedgerow backtest --out` made, or its result.json.
    """
    import json
    import webbrowser

    from hedgerow.sim.report import html, replace_file
    from hedgerow.sim.result import load_result

    path = _page(result)
    if not path.is_file():
        replace_file(path, html(load_result(result)).encode())
    is_open = webbrowser.open(path.resolve().as_uri())
    if as_json:
        body = {"schema": "hedgerow.report_open/1", "html": str(path), "is_open": is_open}
        print_json(json.dumps(body, ensure_ascii=False).encode())
    else:
        note(str(path) if is_open else f"{path}: there is no browser here; open this file in one")


@report_command.command("html")
@click.argument("result")
@click.option("--out", metavar="FILE", help="Where to; left out, report.html beside the result.")
@json_option
def html_command(result: str, out: str | None, as_json: bool) -> None:
    """Draw the HTML report of a result anew, for instance with a newer hedgerow.

    RESULT is a folder that `hedgerow backtest --out` made, or its result.json.
    """
    import msgspec

    from hedgerow.sim.report import html, replace_file
    from hedgerow.sim.result import load_result

    drawn = html(load_result(result)).encode()
    path = Path(out) if out else _page(result)
    replace_file(path, drawn)
    if as_json:
        print_json(msgspec.json.encode({"schema": "hedgerow.report_html/1", "html": str(path), "bytes": len(drawn)}))
    else:
        note(f"{path}: {len(drawn) // 1024:,} kB, one file")


def _page(result: str) -> Path:
    from hedgerow.sim.report import HTML_FILE

    source = Path(result)
    return (source if source.is_dir() else source.parent) / HTML_FILE
