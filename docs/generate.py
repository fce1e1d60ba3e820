"""Write the generated parts of the docs, and the examples, from the code. `python docs/generate.py` writes; `--check`
only compares.

A generated part stands between `<!-- generated: NAME -->` and `<!-- end -->`; the rest of the pages is written by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import click
    from pydantic import BaseModel

DOCS = Path(__file__).parent
# Ends of keys that name a unit.
UNITS = {"_bps": "basis points", "_ms": "ms", "_per_s": "per second"}
PART = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
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


def commands() -> str:
    import click

    from hedgerow.cli.app import COMMANDS, hedgerow

    def section(command: click.Command, path: str) -> str:
        context = click.Context(command, info_name=path)
        text = [f"### `{path}`\n\n{_paragraphs(command.help or '')}\n"]
        if isinstance(command, click.Group):
            names = command.list_commands(context)
            return "\n".join([*text, *(section(command.commands[name], f"{path} {name}") for name in names)])
        usage = " ".join(command.collect_usage_pieces(context))
        text.append(f"    ./hr {path} {usage}\n")
        rows = []
        for option in command.params:
            record = option.get_help_record(context)
            if isinstance(option, click.Option) and record is not None:
                rows.append((f"`{record[0]}`", record[1].replace("  [", " [")))
        text.append(table(("option", "what it does"), rows))
        return "\n".join(text)

    context = click.Context(hedgerow)
    found = [(name, hedgerow.get_command(context, name)) for name in COMMANDS]
    lines = [(f"[`{name}`](#{name})", line) for name, (_, line) in COMMANDS.items()]
    overview = table(("command", "what it does"), lines)
    return "\n".join([overview, *(section(command, name) for name, command in found if command is not None)])


def _paragraphs(text: str) -> str:
    """Return a command's help with each paragraph on one line; click's mark for a kept line break is dropped."""
    return "\n\n".join(" ".join(part.replace("\b", "").split()) for part in text.split("\n\n"))


def config_keys() -> str:
    from hedgerow.core.config import Limits, Timing
    from hedgerow.runtime.config_shape import FileShape, RiskShape, TimingShape

    # What is left out of these two falls to the core's own defaults.
    fallen: dict[type, object] = {RiskShape: Limits(), TimingShape: Timing()}
    names = {
        "accounts": "ACCOUNT",
        "books": "BOOK",
        "venues": "VENUE",
        "legs": "LEG",
        "instruments": "SYMBOL",
        "markets": "BASE",
    }
    schema = FileShape.model_json_schema()

    def rows(model: type[BaseModel], properties: dict[str, Any], path: str) -> list[tuple[str, ...]]:
        found: list[tuple[str, ...]] = []
        for name, field in model.model_fields.items():
            key, inner, kind = f"{path}{name}", _inner_model(field.annotation), properties[name]
            default = "required" if field.is_required() else _default_text(field.get_default(call_default_factory=True))
            if model in fallen:
                default = _default_text(getattr(fallen[model], name))
            found.append(
                (f"`{key}`", _kind(kind, schema), _unit(name), "" if inner else default, field.description or "")
            )
            # In a book these two repeat the keys of the whole file's.
            if inner is not None and not (path.startswith("books.") and name in ("risk", "timing")):
                below = f"{key}.{names[name]}." if name in names else f"{key}."
                found += rows(inner, schema["$defs"][inner.__name__]["properties"], below)
        return found

    return table(("key", "type", "unit", "default", "what it says"), rows(FileShape, schema["properties"], ""))


def _inner_model(annotation: object) -> type[BaseModel] | None:
    """Return the part of the config that stands under a key, alone or once for each name."""
    from typing import get_args

    from hedgerow.runtime.config_shape import Shape

    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, Shape):
            return part
    return None


def _kind(kind: dict[str, Any], schema: dict[str, Any]) -> str:
    """Return a JSON schema's type in words."""
    if "$ref" in kind:
        return _kind(schema["$defs"][kind["$ref"].rpartition("/")[2]], schema)
    if "anyOf" in kind:
        return _kind(next(part for part in kind["anyOf"] if part.get("type") != "null"), schema)
    if "const" in kind:
        return f"`{kind['const']}`"
    if "enum" in kind:
        return " or ".join(f"`{word}`" for word in kind["enum"])
    if "patternProperties" in kind:
        (below,) = kind["patternProperties"].values()
        return f"mapping to {_kind(below, schema)}"
    if kind["type"] == "array":
        return f"list of {_kind(kind['items'], schema)}"
    named = {"object": "mapping", "string": "text", "integer": "whole number", "boolean": "`true` or `false`"}
    return "number" if isinstance(kind["type"], list) else named[kind["type"]]


def _unit(name: str) -> str:
    """Return the unit that a key names in its last word."""
    return next((unit for end, unit in UNITS.items() if name.endswith(end) or f"{end}_" in name), "")


def _default_text(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return "empty" if value in ({}, (), []) else f"`{value}`"


def presets() -> str:
    from hedgerow.runtime.presets import preset

    rows = []
    for symbol in ("BTC-USD", "BTCUSDT", "BTC-PERP", "ETH-USD", "ETH-PERP", "SOL-USD", "SOL-PERP", "SPY"):
        found = preset(symbol)
        assert found.kind is not None, symbol
        rows.append(
            (
                f"`{symbol}`",
                found.kind.value,
                found.base or "",
                found.quote or "",
                str(found.tick),
                str(found.step),
                str(found.min_notional),
            )
        )
    return table(("symbol", "kind", "base", "quote", "tick", "step", "min_notional"), rows)


def policies() -> str:
    from hedgerow.strategies import POLICIES
    from hedgerow.strategies.params import describe

    parts = []
    for name, policy in sorted(POLICIES.items()):
        rows = [
            (f"`{row.name}`", row.kind, row.unit, row.range, row.default, row.sentence)
            for row in describe(policy.params_type)
        ]
        parts.append(f"## {name}\n\n" + table(("key", "type", "unit", "range", "default", "what it says"), rows))
    return "\n".join(parts)


def errors() -> str:
    from hedgerow.api.codes import CODES

    rows = [(f"`{name}`", str(int(code.exit)), code.title, code.next_step) for name, code in CODES.items()]
    return table(("code", "exit", "what is wrong", "what to do next"), rows)


def faults() -> str:
    from hedgerow.sim.faults import CRASHES, MEAN_SPACING_MS, PER_MILLION, Fault

    rows = []
    for kind in Fault:
        often = (
            f"{PER_MILLION[kind] / 10_000:g} % of its chances"
            if kind in PER_MILLION
            else f"every {MEAN_SPACING_MS[kind] / 1_000:g} s"
        )
        rows.append((f"`{kind.value}`", often, "yes" if kind in CRASHES else ""))
    return f"{len(rows)} kinds.\n\n" + table(("kind", "how often, where a world has it", "ends the engine"), rows)


def mutants() -> str:
    from hedgerow.sim.mutants import MUTANTS

    rows = [
        (f"`{mutant.name}`", ", ".join(mutant.rows), mutant.sentence, " and ".join(mutant.found_by))
        for mutant in MUTANTS.values()
    ]
    return f"{len(rows)} mutants.\n\n" + table(("mutant", "rows", "the mistake", "found by"), rows)


def told_rows() -> str:
    from hedgerow.sim.mutants import MUTANTS, all_told

    rows = []
    for row, told in sorted(all_told().items(), key=lambda each: ("GMCPEA".index(each[0][0]), int(each[0][1:]))):
        names = "<br>".join(f"`{name.removesuffix('.txt')}`" for name in told)
        killed = [
            f"`{mutant.name}`" for mutant in MUTANTS.values() if row in mutant.rows and set(told) & set(mutant.told)
        ]
        rows.append((row, names, "<br>".join(killed)))
    return table(("row", "told by", "mutants that it kills"), rows)


def emulator_faults() -> str:
    from hedgerow.emulators.binance.faults import FAULT_TEXTS

    return table(("kind", "what happens"), [(f"`{kind.value}`", text) for kind, text in FAULT_TEXTS.items()])


PARTS: dict[str, Callable[[], str]] = {
    "holds": holds,
    "order-transitions": transitions,
    "order-diagram": transitions_drawn,
    "commands": commands,
    "config": config_keys,
    "presets": presets,
    "policies": policies,
    "errors": errors,
    "faults": faults,
    "mutants": mutants,
    "told-rows": told_rows,
    "emulator-faults": emulator_faults,
}


def examples() -> dict[Path, str]:
    """Return the examples that are templates of `hedgerow init` as well, with what stands in each."""
    from hedgerow.cli.init import TEMPLATES, template_text

    return {DOCS.parent / "examples" / f"{name}.yaml": template_text(name) for name in TEMPLATES}


def rendered(text: str) -> str:
    """Return a page with its generated parts made anew.

    Raises:
        KeyError: the page names a part that nothing generates.
    """
    return PART.sub(lambda part: part[1] + PARTS[part[2]]() + part[3], text)


def main(arguments: list[str]) -> int:
    """Write or compare every page and example; return how many were stale when comparing."""
    stale: list[Path] = []
    for page in sorted(DOCS.rglob("*.md")):
        before = page.read_text(encoding="utf-8")
        after = rendered(before)
        if before == after:
            continue
        stale.append(page)
        if "--check" not in arguments:
            page.write_text(after, encoding="utf-8")
    for example, text in examples().items():
        if not example.is_file() or example.read_text(encoding="utf-8") != text:
            stale.append(example)
            if "--check" not in arguments:
                example.write_text(text, encoding="utf-8")
    for page in stale:
        print(page.relative_to(DOCS.parent), file=sys.stderr)
    return len(stale) if "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
