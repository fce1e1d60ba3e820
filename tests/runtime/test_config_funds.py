"""Whether accounts can pay: found in the config, with numbers, and not by the first refusal of a venue."""

from __future__ import annotations

from pathlib import Path

import pytest

from hedgerow.runtime.config import load_text
from hedgerow.runtime.config_text import ConfigError
from tests.runtime.worlds import CONFIG

CARRY = """
accounts:
  simA/spot: {venue: sim, balance: {SPOT}}
  simB/perp: {venue: sim, balance: {USD: 50000}, leverage: 5}
books:
  btc-carry:
    policy: carry
    legs:
      lead:  {account: simA/spot, symbol: BTC-USD}
      hedge: {account: simB/perp, symbol: BTC-PERP}
    entry_qty: 0.1
    max_net_qty: 1
"""
GRID = """
accounts:
  simA/main: {venue: sim, balance: {USD: BALANCE}}
books:
  btc-grid:
    policy: grid
    legs: {lead: {account: simA/main, symbol: BTC-PERP}}
    budget: 10000
    center: 60000
    width_bps: 200
    levels: 40
"""


def warnings(text: str) -> tuple[str, ...]:
    return load_text(text, "test.yaml", Path()).warnings


def test_what_is_enough_is_not_warned_of() -> None:
    """Two orders of 0.05 at 60,000 are less than 50,000, on both accounts."""
    assert warnings(CONFIG) == ()


def test_spot_is_paid_in_full_and_a_perpetual_by_its_leverage() -> None:
    """One bitcoin takes 60,000 on the spot account and a fifth of it as collateral."""
    carry = CARRY.replace("    max_net_qty: 1\n", "    max_net_qty: 1\n    entry_basis_bps_min: 0\n")
    (warned,) = warnings(carry.replace("{SPOT}", "{USD: 50000}"))

    assert warned.startswith("books.btc-carry.legs.lead: simA/spot has 50,000 USD")
    assert "takes about 60,000 USD" in warned


def test_an_account_in_another_currency_is_refused() -> None:
    """It would look alive, and each of its orders would be refused."""
    with pytest.raises(ConfigError, match=r"simA/main has 0 USD \(it has USDT\)"):
        warnings(CONFIG.replace("{USD: 50000}", "{USDT: 50000}", 1))


def test_what_the_limits_do_not_let_in_need_not_be_paid() -> None:
    """The largest notional of a leg caps the worst case."""
    rich = CONFIG.replace("max_net_qty: 0.1", "max_net_qty: 9")

    assert "takes about 540," in warnings(rich)[0]
    assert warnings(rich + "risk: {max_notional: 25000}\n") == ()


def test_books_that_share_an_account_share_what_it_can_pay() -> None:
    """Each of them alone would be fine."""
    first = CONFIG[CONFIG.index("  btc-mirror:") :]
    second = first.replace("btc-mirror", "eth-mirror").replace("tag: btc", "tag: eth").replace("BTC", "ETH")
    both = CONFIG.replace("50000", "7000") + second.replace("0.05", "1").replace("max_net_qty: 0.1", "max_net_qty: 1")

    assert warnings(CONFIG.replace("50000", "7000")) == ()
    assert "all that its books may hold takes about 9,00" in warnings(both)[0]


def test_a_grid_needs_its_budget() -> None:
    """It is the collateral that its levels were sized for."""
    assert warnings(GRID.replace("BALANCE", "10000")) == ()
    with pytest.raises(ConfigError, match="simA/main owns 9999 USD, less than 10000"):
        warnings(GRID.replace("BALANCE", "9999"))
