"""The docs say what the code says."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

from hedgerow.api.codes import CODES, Exit
from hedgerow.cli.app import COMMANDS, hedgerow
from hedgerow.core.holds import HOLD_TEXTS, AlarmKind, HoldReason
from hedgerow.runtime.config import load_text
from hedgerow.runtime.config_shape import FileShape
from hedgerow.sim.faults import Fault
from hedgerow.strategies import POLICIES
from hedgerow.strategies.params import describe

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs" / "reference"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
YAML_BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def page(name: str) -> str:
    return (REFERENCE / f"{name}.md").read_text(encoding="utf-8")


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(text)}


def commands(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield every command that can be called, with what one types for it."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None, name
        yield from commands(below, f"{path} {name}".strip())


def test_generated_parts_are_up_to_date() -> None:
    """`python docs/generate.py` has nothing left to write, and each part that it can make stands in some page."""
    generate = generator()

    assert generate.main(["--check"]) == 0
    used = {part[2] for path in PAGES for part in generate.PART.finditer(path.read_text(encoding="utf-8"))}
    assert used == set(generate.PARTS)


def test_every_hold_has_a_sentence_and_a_next_step() -> None:
    """A reason without words helps nobody."""
    assert set(HOLD_TEXTS) == set(HoldReason)
    assert all(text.sentence.endswith(".") and text.next_step.endswith(".") for text in HOLD_TEXTS.values())
    assert [reason.value for reason in HoldReason if f"`{reason.value}`" not in page("holds")] == []


def test_every_alarm_kind_is_documented() -> None:
    """The page names each kind that can be raised."""
    assert [kind.value for kind in AlarmKind if f"`{kind.value}`" not in page("alarms")] == []


def test_every_command_is_documented_with_its_options() -> None:
    """Nobody should have to guess what a program can do."""
    text = page("commands")
    sections = dict(re.findall(r"^### `([^`]+)`\n(.*?)(?=^### |\Z)", text, re.DOTALL | re.MULTILINE))
    found = dict(commands(hedgerow))

    assert set(found) <= set(sections) and set(COMMANDS) <= set(sections)
    missing = [
        f"{path} {option.opts[0]}"
        for path, command in found.items()
        for option in command.params
        if isinstance(option, click.Option) and option.opts[0] not in sections[path]
    ]
    assert missing == []


def test_every_exit_code_is_documented() -> None:
    """Scripts decide by them."""
    assert [int(code) for code in Exit if f"| {int(code)} |" not in page("commands")] == []


def test_every_error_code_is_documented() -> None:
    """A message that names a code can be looked up."""
    assert [code for code in CODES if f"`{code}`" not in page("errors")] == []


def test_every_config_key_is_documented() -> None:
    """Each key of each part of the schema has a row of its own, with a sentence."""
    (keys,) = re.findall(r"^<!-- generated: config -->\n(.*?)^<!-- end -->", page("config"), re.DOTALL | re.MULTILINE)
    rows = re.findall(r"^\| `(?:[\w.]+\.)?(\w+)` \|.*\| ([^|]+) \|$", keys, re.MULTILINE)
    schema = FileShape.model_json_schema()
    parts = [schema, *(part for part in schema["$defs"].values() if "properties" in part)]

    assert {name for part in parts for name in part["properties"]} == {name for name, _ in rows}
    assert all(sentence.endswith(".") for _, sentence in rows)


def test_every_policy_parameter_is_documented() -> None:
    """Under the heading of its policy."""
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", page("policies"), re.DOTALL | re.MULTILINE))

    assert set(sections) == set(POLICIES)
    missing = [
        f"{name} {row.name}"
        for name, policy in POLICIES.items()
        for row in describe(policy.params_type)
        if f"`{row.name}`" not in sections[name]
    ]
    assert missing == []


def test_every_fault_is_documented() -> None:
    """What was simulated must be known, to know what was proven."""
    assert [kind.value for kind in Fault if f"`{kind.value}`" not in page("torture")] == []


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_every_link_resolves(path: Path) -> None:
    """A link within the checkout leads to a file that is there, and to a heading of it."""
    broken = []
    for link in LINK.findall(path.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.is_file() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            broken.append(link)

    assert broken == []


def test_every_config_in_the_docs_is_right() -> None:
    """Readers copy what they see, the README's first config above all."""
    blocks = [(path, block) for path in PAGES for block in YAML_BLOCK.findall(path.read_text(encoding="utf-8"))]
    whole = [(path, block) for path, block in blocks if "accounts:" in block and "books:" in block]

    for path, block in whole:
        load_text(block, named(path), ROOT)
    assert "README.md" in {named(path) for path, _ in whole}


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.yaml")), ids=named)
def test_every_example_is_right(path: Path) -> None:
    """The docs begin with them."""
    load_text(path.read_text(encoding="utf-8"), named(path), ROOT)
