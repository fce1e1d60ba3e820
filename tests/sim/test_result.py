"""Results of backtests: exact, repeatable, and readable again."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from hedgerow.sim.result import Pnl, ResultError, encoded, load_result, thinned
from tests.sim.results import full_result

D = Decimal


def test_the_parts_add_up_to_the_last_digit() -> None:
    """The identity is shown on the page, so it must hold there as well."""
    pnl = Pnl(D("0.1"), D("0.2"), D("-1e-12"), D("0.3"), D("0.4"))
    assert pnl.total == D("-0.400000000001")


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    """From the file, or from the folder that has it."""
    path = tmp_path / "result.json"
    path.write_bytes(encoded(full_result()))

    assert load_result(path) == load_result(tmp_path) == full_result()
    assert encoded(load_result(path)) == path.read_bytes()
    body = json.loads(path.read_bytes())
    assert body["schema"] == "hedgerow.backtest/1" and body["books"][0]["pnl"]["spread"] == "0.5"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not the result of a backtest"),
        (b"{}", "is not the result of a backtest"),
        (b"\xff\xfe", "is not the result of a backtest"),
        (encoded(full_result()).replace(b"backtest/1", b"backtest/9"), "hedgerow.backtest/9"),
    ],
)
def test_another_file_is_no_result(tmp_path: Path, content: bytes, words: str) -> None:
    """One line, with the file's name."""
    path = tmp_path / "result.json"
    path.write_bytes(content)
    with pytest.raises(ResultError, match=words):
        load_result(path)


def test_a_result_that_is_not_there_says_so(tmp_path: Path) -> None:
    """A folder without one as well."""
    with pytest.raises(ResultError, match=r"result\.json: cannot be read"):
        load_result(tmp_path)


def test_thinning_keeps_the_ends_and_the_extremes() -> None:
    """A drawdown of one point must still be seen."""
    points = [D(1)] * 10_000
    points[5_003], points[7_001] = D(-9), D(9)

    kept = thinned(points, 100, lambda value: value)
    assert len(kept) <= 100 and min(kept) == -9 and max(kept) == 9
    assert thinned(points[:50], 100, lambda value: value) == tuple(points[:50])
