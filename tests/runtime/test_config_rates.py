"""Request budgets that are too small for the orders of a config: told before they make a book ask for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from hedgerow.runtime.config import load_text
from hedgerow.runtime.config_text import ConfigError

GRID = """\
accounts:
  simA/main: {venue: sim, balance: {USD: 20000}, leverage: 2}
venues:
  simA: {requests_per_s: 50}
books:
  one:
    policy: grid
    legs: {lead: {account: simA/main, symbol: BTC-PERP}}
    budget: 10000
    center: 60000
    width_bps: 400
    levels: 80
    active_levels: 40
"""
TWO = GRID + GRID[GRID.index("  one:") :].replace("  one:", "  two:")


def warnings(text: str) -> tuple[str, ...]:
    return load_text(text, "test.yaml", Path("/nowhere")).warnings


def test_a_budget_that_cannot_place_the_ladder_is_refused() -> None:
    """40 entries at 10 a second, and 5 of them leave: those that wait are asked about, and no more entries leave."""
    with pytest.raises(ConfigError) as caught:
        warnings(GRID.replace("requests_per_s: 50", "requests_per_s: 5"))

    told = str(caught.value)
    assert "venues.simA.requests_per_s: 40 entries of simA/main take 8.0 s at 5 requests a second" in told
    assert "--> test.yaml:4:26" in told
    assert "use requests_per_s 20" in told


def test_a_budget_that_cannot_move_the_ladder_is_told() -> None:
    """It works until the market jumps: then forty cancels wait for their turn."""
    (line,) = warnings(GRID.replace("requests_per_s: 50", "requests_per_s: 10"))

    assert "when all are moved at once" in line
    assert warnings(GRID.replace("requests_per_s: 50", "requests_per_s: 20")) == ()


def test_books_of_one_account_share_its_budget() -> None:
    """Each would do alone; and both sides of a neutral ladder rest at the same time."""
    assert warnings(GRID.replace("50", "20")) == ()
    (line,) = warnings(TWO.replace("requests_per_s: 50", "requests_per_s: 20"))
    assert line.startswith("venues.simA.requests_per_s: 80 entries of simA/main take 4.0 s")
    neutral = GRID.replace("levels: 80", "levels: 80\n    direction: neutral")
    assert len(warnings(neutral.replace("requests_per_s: 50", "requests_per_s: 20"))) == 1


def test_a_book_without_a_ladder_fits_every_budget() -> None:
    """One order stands at a time, whatever its rate may be: no limit is no mistake."""
    text = (
        GRID[: GRID.index("books:")].replace("50", "2")
        + """\
  simB: {requests_per_s: 2}
books:
  m:
    policy: mirror
    legs: {lead: {account: simA/main, symbol: BTC-PERP}, hedge: {account: simB/main, symbol: BTC-PERP}}
    qty: 0.01
    max_net_qty: 0.02
risk: {orders_per_s: 1000}
"""
    )
    text = text.replace("venues:", "  simB/main: {venue: sim, balance: {USD: 20000}}\nvenues:")

    assert warnings(text) == ()
