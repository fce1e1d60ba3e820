"""Write the generated parts of the docs from the code. `python docs/generate.py` writes; `--check` only compares.

A generated part stands between `<!-- generated: NAME -->` and `<!-- end -->`; the rest of the pages is written by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

DOCS = Path(__file__).parent
PART = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def holds() -> str:
    from hedgerow.core.holds import HOLD_TEXTS, WITHDRAWS

    rows = [
        (f"`{reason.value}`", text.sentence, text.next_step, "yes" if reason in WITHDRAWS else "")
        for reason, text in HOLD_TEXTS.items()
    ]
    return table(("reason", "what is held", "next step", "withdraws resting entries"), rows)


def transitions() -> str:
    from hedgerow.model.order import TRANSITIONS

    rows = [(f"`{before.value}`", f"`{after.value}`", why) for (before, after), why in TRANSITIONS.items()]
    return table(("from", "to", "what allows it"), rows)


def transitions_drawn() -> str:
    from hedgerow.model.order import TRANSITIONS

    lines = [f"    {before.value} --> {after.value}\n" for before, after in TRANSITIONS]
    return "```mermaid\nstateDiagram-v2\n" + "".join(lines) + "```\n"


PARTS: dict[str, Callable[[], str]] = {
    "holds": holds,
    "order-transitions": transitions,
    "order-diagram": transitions_drawn,
}


def rendered(text: str) -> str:
    """Return a page with its generated parts made anew.

    Raises:
        KeyError: the page names a part that nothing generates.
    """
    return PART.sub(lambda part: part[1] + PARTS[part[2]]() + part[3], text)


def main(arguments: list[str]) -> int:
    """Write or compare every page; return how many were stale when comparing."""
    stale: list[Path] = []
    for page in sorted(DOCS.rglob("*.md")):
        before = page.read_text(encoding="utf-8")
        after = rendered(before)
        if before == after:
            continue
        stale.append(page)
        if "--check" not in arguments:
            page.write_text(after, encoding="utf-8")
    for page in stale:
        print(page.relative_to(DOCS.parent), file=sys.stderr)
    return len(stale) if "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
