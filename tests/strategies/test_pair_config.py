"""A pair in a config file: its legs by their own names, their leverage, and what does not fit, each with its place."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from hedgerow.core.config import HedgeRule
from hedgerow.model.ids import LegId
from hedgerow.runtime.config import load_text
from hedgerow.runtime.config_text import ConfigError

EXAMPLE = (Path(__file__).parents[2] / "examples" / "pair.yaml").read_text(encoding="utf-8")


def test_the_legs_are_long_and_short(tmp_path: Path) -> None:
    """Nobody has to know which leg the engine calls lead: the long one is, and the short one offsets it in full."""
    (book,) = load_text(EXAMPLE, "pair.yaml", tmp_path).books

    assert book.hedge == HedgeRule(LegId("long"), LegId("short"), Decimal(-1))
    assert [leg.leverage for leg in book.legs] == [Decimal(3), Decimal(3)]
    assert {leg.instrument.id for leg in book.legs} == {"simA:SOLUSDT", "simB:SOL_USDC"}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("      short: {", "      hedge: {", "there is a long leg and no short leg"),
        ("      long:  {", "      lead:  {", "there is a short leg and no long leg"),
        ("leverage: 3}\n      short", "leverage: 2.5}\n      short", "leverage 2.5 is no leverage"),
        ("kind: perp, step: 0.01", "kind: margin, step: 0.01", "margin and has no leverage to set"),
        ("base: SOL, quote: USDC", "base: ETH, quote: USDC", "simA:SOLUSDT is SOL and simB:SOL_USDC is ETH"),
        ("notional: 25 ", "notional: 75 ", "notional: 75 is above risk.max_residual 50"),
        ("max_residual: 50}", "max_order_notional: 20}", "notional: 25 is above risk.max_order_notional 20"),
        ("notional: 25 ", "notional: 25\n    qty: 1 ", "is set beside qty"),
        ("stop_loss_bps: 80 ", "stop_loss_pct: 0.8 ", "stop_loss_pct"),
        ("max_hold_s: 60", "max_hold_s: -60", "max_hold_s"),
        ("max_hold_s: 60", "max_hold_s: 10", "10 is not above open_timeout_s 10"),
        ("max_hold_s: 60", "max_hold_s: 60\n    open_timeout_s: 90", "use more than 90, or a shorter open_timeout_s"),
        ("    policy: pair\n", "    policy: pair\n    ratio: -2\n", "the ratio -2 is not -1"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(before: str, after: str, told: str, tmp_path: Path) -> None:
    """Nothing starts on a config that says something else than was meant."""
    assert EXAMPLE.count(before) == 1, before

    with pytest.raises(ConfigError) as refused:
        load_text(EXAMPLE.replace(before, after), "pair.yaml", tmp_path)

    assert told in str(refused.value)
    assert "pair.yaml:" in str(refused.value)


def test_an_instrument_that_says_too_little_is_told_once(tmp_path: Path) -> None:
    """What is missing is told where it is listed; the book is not judged on half of its legs."""
    with pytest.raises(ConfigError, match=r"instruments\.SOL_USDC: missing multiplier"):
        load_text(EXAMPLE.replace("multiplier: 1, ", ""), "pair.yaml", tmp_path)


def test_two_books_do_not_ask_for_two_leverages(tmp_path: Path) -> None:
    """A venue has one for each instrument of an account: two books would undo each other's."""
    lines = EXAMPLE.split("\n")
    first = lines.index("  sol-pair:")
    end = next(number for number in range(first + 1, len(lines)) if not lines[number].startswith("    "))
    second = "\n".join(lines[first:end]).replace("sol-pair:", "sol-again:").replace("leverage: 3", "leverage: 5")
    text = EXAMPLE.replace("\n\nsim:", f"\n{second}\n\nsim:")

    with pytest.raises(ConfigError, match="is to have leverage 3 and 5"):
        load_text(text, "pair.yaml", tmp_path)
