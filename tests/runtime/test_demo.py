"""The demo, as a newcomer runs it: through every fault, with a process that is really killed."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from hedgerow.core.explain import explain
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.runtime.demo import DemoFailed, run_demo


@pytest.mark.slow
def test_the_fast_demo_ends_hedged_and_venues_and_journal_agree(tmp_path: Path) -> None:
    """One object on stdout, true by both sides, and an order of it that can be explained."""
    out, err = io.StringIO(), io.StringIO()

    code = run_demo(seed=5, fast=True, as_json=True, out=out, err=err, state=tmp_path / "demo")

    (line,) = out.getvalue().splitlines()
    found = json.loads(line)
    assert (code, found["ok"], found["disagreements"]) == (0, True, []), (found, err.getvalue())
    assert found["schema"] == "hedgerow.demo/1"
    assert found["fills"] == found["hedged"] > 0
    assert (found["residual"], found["restarts"], found["faults"]) == ("0.00", 1, 4)
    store = SqliteStore(tmp_path / "demo" / "journal.sqlite", read_only=True)
    explanation = explain(((record.seq, record.turn) for record in store.turns()), found["explain"])
    store.close()
    assert explanation is not None


def test_a_folder_that_holds_a_journal_is_not_touched(tmp_path: Path) -> None:
    """A demo must never write into somebody's books."""
    (tmp_path / "journal.sqlite").write_bytes(b"mine")

    with pytest.raises(DemoFailed, match="holds a journal already") as failed:
        run_demo(fast=True, as_json=True, out=io.StringIO(), err=io.StringIO(), state=tmp_path)

    assert failed.value.code == "HR-503"
    assert [path.name for path in tmp_path.iterdir()] == ["journal.sqlite"]
    assert (tmp_path / "journal.sqlite").read_bytes() == b"mine"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """In a line: a file stands where the folder is to be."""
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(DemoFailed, match="cannot be used") as failed:
            run_demo(fast=True, as_json=True, out=io.StringIO(), err=io.StringIO(), state=place)
        assert failed.value.code == "HR-205"


@pytest.mark.slow
def test_a_demo_that_nobody_watches_ends_in_order(tmp_path: Path) -> None:
    """`hedgerow demo | head -1` is no failure."""

    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    assert run_demo(fast=True, out=Gone(), err=io.StringIO(), state=tmp_path / "demo") == 0
