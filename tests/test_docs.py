"""The docs say what the code says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from hedgerow.core.holds import HOLD_TEXTS, AlarmKind, HoldReason

ROOT = Path(__file__).parent.parent


def test_generated_parts_are_up_to_date() -> None:
    """`python docs/generate.py` has nothing left to write."""
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None and spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)

    assert generate.main(["--check"]) == 0


def test_every_hold_has_a_sentence_and_a_next_step() -> None:
    """A reason without words helps nobody."""
    assert set(HOLD_TEXTS) == set(HoldReason)
    assert all(text.sentence.endswith(".") and text.next_step.endswith(".") for text in HOLD_TEXTS.values())


def test_every_alarm_kind_is_documented() -> None:
    """The page names each kind that can be raised."""
    page = (ROOT / "docs" / "reference" / "alarms.md").read_text(encoding="utf-8")

    assert [kind.value for kind in AlarmKind if f"`{kind.value}`" not in page] == []
