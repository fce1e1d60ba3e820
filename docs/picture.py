"""Draw docs/images/demo.svg from a real run of the demo: `python docs/picture.py`.

Nothing is made up; lines are only left out. Dots part the blocks.
"""

from __future__ import annotations

import io
import os
import re
import sys
import tempfile
import textwrap
from pathlib import Path

from rich.console import Console
from rich.text import Text

from hedgerow.runtime.demo import run_demo

PICTURE = Path(__file__).parent / "images" / "demo.svg"
WIDTH = 116
# How many fills and hedges stand at the beginning.
FIRST = 4
STYLES = {
    "fill": "cyan",
    "hedge": "green",
    "chaos": "bold magenta",
    "WAIT": "bold yellow",
    "ALARM": "bold red",
    "link": "yellow",
    "start": "bold magenta",
}
WORDS = re.compile(rf"^\d\d:\d\d:\d\d\.\d\d\d  ({'|'.join(STYLES)})\b")
STAMP = re.compile(r"^\d\d:\d\d:\d\d\.")
FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def run() -> list[str]:
    """Return what the demo prints; its state folder is a neighbour, so that no path of this machine is in it."""
    out, here = io.StringIO(), Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            code = run_demo(fast=True, out=out, err=out, state=Path("demo"))
        finally:
            os.chdir(here)
    assert code == 0, out.getvalue()
    return out.getvalue().splitlines()


def chosen(lines: list[str]) -> list[str]:
    """Return the lines that tell the story: the head, the first hedges, each fault with what came of it, the end."""
    kept: list[str] = []
    told: set[str] = set()
    trades = 0
    for line in lines:
        match = WORDS.match(line)
        word = match[1] if match else ""
        if word in ("fill", "hedge"):
            # After a fault, its first fill and what came late; before the first one, what is usual.
            is_wanted = trades < FIRST or "recovered" in line or "found in" in line
            trades += 1
        elif word in ("WAIT", "ALARM"):
            # The same for another book, or again, says nothing new.
            what = line.rpartition(": ")[2] if word == "WAIT" else line.split()[3]
            is_wanted = what not in told
            told.add(what)
        else:
            is_wanted = word == "chaos" or not STAMP.match(line)
        if is_wanted and not line.startswith("stopping"):
            kept += ["…"] * (word == "chaos") + [line]
    return kept


def main() -> int:
    """Run the demo and write the picture."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), highlight=False)
    console.print(Text("$ ./hr demo --fast --state demo", style="bold"))
    for line in chosen(run()):
        match = WORDS.match(line)
        style = STYLES[match[1]] if match else "dim" if line == "…" else ""
        # By hand, so that what does not fit goes on under its own column.
        for part in textwrap.wrap(line, WIDTH, subsequent_indent=" " * 22, drop_whitespace=False) or [""]:
            console.print(Text(part, style=style))
    svg = console.export_svg(title="hedgerow", unique_id="demo")
    # The reader's own monospace font will do; a page that loads fonts from elsewhere tells others who reads it.
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(FONT.sub("", svg).replace("<svg ", '<svg xml:space="preserve" ', 1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
