"""Telling people what happened is never in the way of what happens."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from hedgerow.core.commands import Turn
from hedgerow.core.events import FillReceived
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.runtime.config import load_text
from hedgerow.runtime.node import EXIT_DONE
from hedgerow.runtime.simulated import run_node
from hedgerow.runtime.story import Story
from tests.runtime.until import AT_MOST_S, Until
from tests.runtime.worlds import CONFIG


def test_g24_a_log_line_that_raises_stops_no_trading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """G24: whatever a line for people runs into, fills are hedged and the run ends as it should."""

    def broken(story: Story, turns: object) -> list[object]:
        raise KeyError("a field that this turn does not have")

    monkeypatch.setattr(Story, "follow", broken)
    config = load_text(CONFIG, "test.yaml", tmp_path, tmp_path / "state")
    err = io.StringIO()

    fills: list[Turn] = []

    def is_second_fill(turn: Turn) -> bool:
        fills.extend([turn] if isinstance(turn.event, FillReceived) else [])
        return len(fills) >= 2

    code = run_node(
        config,
        lambda node: Until(node, is_second_fill),
        io.StringIO(),
        err,
        as_json=True,
        speed=20,
        seconds=AT_MOST_S,
    )

    store = SqliteStore(config.journal, read_only=True)
    turns = [record.turn for record in store.turns()]
    store.close()
    assert code == EXIT_DONE, err.getvalue()
    assert "a line could not be told, and trading goes on: KeyError" in err.getvalue()
    assert sum(isinstance(turn.event, FillReceived) for turn in turns) >= 2
