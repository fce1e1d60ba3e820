"""`hedgerow backtest` and `hedgerow sweep`: what they print, what they refuse, and that they repeat themselves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from hedgerow.cli.app import run
from hedgerow.market.ticks import Quotes, write_ticks
from hedgerow.runtime.node_config import NodeConfig
from hedgerow.sim.backtest import sweep
from tests.sim.markets import GRID, MIRROR, market

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HEDGEROW_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("grid.yaml").write_text(GRID)
    Path("mirror.yaml").write_text(MIRROR)
    market(Path("a.ticks"), 1, 200)


def test_a_backtest_says_what_it_came_to(capsys: Captured) -> None:
    """The numbers go to stdout, what was done and by which rules to stderr, and the report into its folder."""
    assert run(["backtest", "grid.yaml", "--data", "a=a.ticks", "--out", "out"]) == 0
    told = capsys.readouterr()
    assert "net P&L" in told.out
    assert "the data shows the best price only" in told.err
    assert "rows/s" in told.err
    assert {"report.html", "result.json", "fills.csv"} <= {path.name for path in Path("out").iterdir()}


def test_bars_tell_their_speed_in_time_of_the_market(capsys: Captured) -> None:
    """A book is looked at between two bars as well, so that rows a second alone would say little."""
    rows = [f"{1_700_000_000 + 60 * at},60000,60010,59990,60000,5" for at in range(5)]
    Path("bars.csv").write_text("\n".join(["time,open,high,low,close,volume", *rows]))
    assert run(["backtest", "grid.yaml", "--data", "a=bars.csv"]) == 0
    assert " s of market a second)" in capsys.readouterr().err


REAL = """
accounts:
  bin/spot: {venue: binance, kind: spot, mode: live, key: "env:K", secret: "env:S"}
books:
  btc:
    policy: grid
    legs: {lead: {account: bin/spot, symbol: BTCUSDT}}
    budget: 10000
    low: 59850
    high: 60150
    levels: 5
"""


def test_real_accounts_say_what_they_own_and_pay(capsys: Captured) -> None:
    """A backtest asks no venue: without a balance nothing could fill, and without fees everything pays."""
    Path("real.yaml").write_text(REAL)
    asked = ["backtest", "real.yaml", "--data", "bin=a.ticks"]
    assert run(asked) == 78
    told = capsys.readouterr().err
    assert "nothing says what bin/spot can pay with, and a backtest asks no venue" in told
    assert "`balance: {USDT: 20000}`" in told
    Path("real.yaml").write_text(REAL.replace("mode: live", "mode: live, balance: {USDT: 20000}"))
    assert run(asked) == 0
    assert "bin/spot pays no fees here" in capsys.readouterr().err


def test_the_same_backtest_gives_the_same_bytes(capsys: Captured) -> None:
    """Same config, data and seed, same JSON; another seed is another one; and so it is when each row is stepped."""
    results = []
    for more in ([], [], ["--seed", "7"], ["--every-row"]):
        assert run(["backtest", "grid.yaml", "--data", "a=a.ticks", "--json", *more]) == 0
        results.append(capsys.readouterr().out)
    assert results[0] == results[1] == results[3]
    assert json.loads(results[0])["schema"] == "hedgerow.backtest/1"
    assert json.loads(results[2])["seed"] == 7


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (["backtest"], 2, "no config was named"),
        (["backtest", "none.yaml", "--data", "a=a.ticks"], 78, "there is no file none.yaml"),
        (["backtest", "grid.yaml"], 2, "add --data VENUE=FILE"),
        (["backtest", "grid.yaml", "--data", "a.ticks"], 2, "this is not NAME=FILE"),
        (["backtest", "grid.yaml", "--data", "c=a.ticks"], 2, "no book trades at 'c'"),
        (["backtest", "mirror.yaml", "--data", "a=a.ticks"], 2, "there is no data of b:BTC-PERP"),
        (["backtest", "grid.yaml", "--data", "a=none.ticks"], 66, "none.ticks"),
        (["backtest", "grid.yaml", "--data", "a=empty.csv"], 65, "empty.csv"),
        (["backtest", "grid.yaml", "--data", "a=one.ticks"], 65, "a backtest needs 2"),
        (["backtest", "grid.yaml", "--data", "a=none.ticks", "--out", "a.ticks"], 66, "a.ticks: cannot be made"),
        (["backtest", "grid.yaml", "--data", "a=none.ticks", "--out", "a.ticks/x"], 66, "name another --out"),
        (["sweep", "grid.yaml", "--data", "a=a.ticks"], 2, "no values were given"),
        (
            ["sweep", "grid.yaml", "--data", "a=none.ticks", "--set", "levels=4,5", "--out", "no/heat.html"],
            66,
            "no/heat.html: cannot be written",
        ),
        (
            ["sweep", "grid.yaml", "--data", "a=a.ticks", "--set", "nogrid.levels=4,5"],
            2,
            "begin with btc, grid, risk or timing",
        ),
        (["sweep", "grid.yaml", "--data", "a=a.ticks", "--set", "levels=1..5:0"], 2, "see `hedgerow sweep --help`"),
        (["sweep", "two.yaml", "--data", "a=a.ticks", "--set", "grid.levels=4,5"], 2, "name btc or more"),
        (["sweep", "grid.yaml", "--data", "a=a.ticks", "--set", "levels"], 2, "this is not KEY=VALUES"),
        (["sweep", "grid.yaml", "--data", "a=a.ticks", "--set", "levles=1,2"], 2, "did you mean 'levels'?"),
        (["sweep", "grid.yaml", "--data", "a=a.ticks", "--set", "gird.levels=1,2"], 2, "there is no 'gird'"),
        (["sweep", "grid.yaml", "--data", "a=a.ticks", "--set", "levels=5..1"], 2, "ends before it begins"),
        (["sweep", "grid.yaml", "--data", "a=a.ticks", "--set", "levels=1..5:0"], 2, "must be above 0"),
        (["sweep", "grid.yaml", "--data", "a=a.ticks", "--set", "levels=a..b"], 2, "with numbers"),
        (["sweep", "grid.yaml", "--data", "a=a.ticks", "--set", "levels=1,1"], 2, "comes twice"),
        (["sweep", "grid.yaml", "--data", "a=a.ticks", "--jobs", "1", "--set", "levels=0,-1"], 78, "no combination"),
    ],
)
def test_what_cannot_be_run_is_told_in_a_line(
    capsys: Captured, arguments: list[str], exit_code: int, words: str
) -> None:
    """Place, remedy and the documented exit code, and no traceback."""
    Path("empty.csv").write_text("")
    Path("two.yaml").write_text(f"{GRID}{GRID[GRID.index('  btc:') :].replace('  btc:', '  more:')}")
    one = np.array([1], np.int64)
    write_ticks(Path("one.ticks"), tick=_TENTH, step=_TENTH, quotes=Quotes.top(one, one, one + 1, one, one))
    capsys.readouterr()
    assert run(arguments) == exit_code
    told = capsys.readouterr()
    assert words in told.err
    assert "Traceback" not in told.err


_TENTH = Decimal("0.1")


def test_a_sweep_runs_every_combination(capsys: Captured) -> None:
    """A row for each, in the order of the values; what the config refuses is told in its row; the page stands alone."""
    sets = ["--set", "levels=20..60:20", "--set", "grid.qty=0.002,0.005,-1"]
    asked = ["sweep", "grid.yaml", "--data", "a=a.ticks", *sets, "--jobs", "1"]
    assert run([*asked, "--json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert [row["values"] for row in whole["rows"]] == [
        [levels, qty] for levels in ("20", "40", "60") for qty in ("0.002", "0.005", "-1")
    ]
    assert all("qty" in row["problem"] for row in whole["rows"] if row["values"][1] == "-1")
    assert run([*asked, "--out", "heat.html"]) == 0
    assert "best" in capsys.readouterr().out
    page = Path("heat.html").read_text()
    assert "{{" not in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_a_combination_gives_what_its_backtest_gives(capsys: Captured) -> None:
    """A sweep's row is the backtest of the config with these values written into it."""
    assert run(["sweep", "grid.yaml", "--data", "a=a.ticks", "--set", "qty=0.002", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    Path("other.yaml").write_text(GRID.replace("qty: 0.005", "qty: 0.002"))
    assert run(["backtest", "other.yaml", "--data", "a=a.ticks", "--json"]) == 0
    (book,) = json.loads(capsys.readouterr().out)["books"]
    assert row["fills"] == len(book["fills"])
    assert row["total"] == book["equity"][-1][1]


def test_an_interrupted_sweep_keeps_what_is_done(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C prints the rows that were done, and exit code 130 says that they are not all."""
    once = sweep.with_values
    asked: list[int] = []

    def interrupted(job: sweep.Job, values: Sequence[str]) -> NodeConfig:
        asked.append(1)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return once(job, values)

    monkeypatch.setattr(sweep, "with_values", interrupted)
    assert run(["sweep", "grid.yaml", "--data", "a=a.ticks", "--set", "qty=0.002,0.005", "--jobs", "1"]) == 130
    told = capsys.readouterr()
    assert "0.002" in told.out
    assert "0.005" not in told.out
    assert "1 of 2 backtests were done" in told.err
