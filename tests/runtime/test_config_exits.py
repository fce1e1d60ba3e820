"""Configs of watched accounts: what is missing or means nothing never holds everything quietly."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from hedgerow.model.ids import LegId
from hedgerow.model.instrument import InstrumentKind
from hedgerow.runtime.config import NodeConfig, load_text
from hedgerow.runtime.config_text import ConfigError

GOOD = """\
accounts:
  brk/main: {venue: sim, positions: {SPY: {qty: 10, price: 450}}}
  brk/ira:  {venue: sim, positions: {SPY261120C00600000: {qty: -2, price: 1.5}}}
venues:
  brk: {calendar: XNYS}
books:
  exits:
    policy: exits
    accounts: [brk/main, brk/ira]
    watch: all
    adopt: [SPY, option]
    manual: TSLA
    take_profit_rate: 1.2
sim:
  markets: {SPY: {price: 500}, SPY261120C00600000: {price: 2}}
"""


def read(text: str) -> NodeConfig:
    return load_text(text, "hedgerow.yaml", Path("/nowhere"))


def report(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, old
    with pytest.raises(ConfigError) as error:
        read(GOOD.replace(old, new))
    return str(error.value)


def test_one_entry_makes_a_book_for_each_account() -> None:
    """Each has its own name, its own mark in order ids, and knows that its venue has hours."""
    config = read(GOOD)

    assert [book.book_id for book in config.books] == ["exits-brk-main", "exits-brk-ira"]
    assert len({book.tag for book in config.books}) == 2
    assert all(len(book.tag) <= 8 and book.legs == () for book in config.books)
    assert all(book.sessions == {"brk": ()} for book in config.books)
    assert config.calendars == {"brk": "XNYS"}
    assert [watch.account_id for watch in config.watches] == ["brk/main", "brk/ira"]


def test_e13_the_multiplier_comes_from_the_contract() -> None:
    """E13: a US option is for 100 shares without anybody saying so."""
    (instrument,) = (each for each in read(GOOD).venues[0].instruments if each.kind is InstrumentKind.OPTION)

    assert (instrument.multiplier, instrument.tick, instrument.step) == (100, Decimal("0.01"), 1)


def test_the_tag_of_an_account_lasts() -> None:
    """Order ids say whose an order is, so an account that comes first or last keeps its mark."""
    both = {book.book_id: book.tag for book in read(GOOD).books}
    one = read(GOOD.replace("[brk/main, brk/ira]", "[brk/ira]")).books

    assert {book.book_id: book.tag for book in one}.items() <= both.items()


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("    policy: exits\n", "", ":7:3", "missing key 'policy'"),
        ("    accounts: [brk/main, brk/ira]\n", "", ":7:3", "missing key 'legs'"),
        ("books:", "bokos:", ":6:1", "did you mean 'books'?"),
        ("    take_profit_rate", "    take_proft_rate", ":13:5", "did you mean 'take_profit_rate'?"),
        ("    adopt:", "    adpot:", ":11:5", "did you mean 'adopt'?"),
        ("brk/ira]", "brk/iar]", ":9:26", "did you mean 'brk/ira'?"),
        ("calendar: XNYS", "calendar: XNSY", ":5:19", "there is no exchange calendar 'XNSY'"),
        ("calendar: XNYS", "calendar: America/New_York", ":5:19", "e.g. XNYS"),
        ("brk: {calendar: XNYS}", "brk: {}", ":5:3", "missing key 'calendar'"),
        ("[SPY, option]", "[SPY, optoin]", ":11:18", "'optoin' is no symbol"),
        ("[SPY, option]", "[SPY261320C00600000]", ":11:13", "is no symbol of a stock or an option"),
        ("watch: all", "watch: [SPY]", ":12:5", "TSLA is not watched"),
        ("[SPY, option]", "[SPY261120X00600000]", ":11:13", "an option is its underlying, YYMMDD, C or P"),
        ("[SPY, option]", "[sto ck]", ":11:13", "help: With `accounts`: what may be closed"),
        ("{SPY261120C00600000: {qty", "{SPY261120C600: {qty", ":3:38", "1000 times the strike in 8 digits"),
        ("positions: {SPY: {qty: 10", "positions: {SPY: {qty: 10.5", ":2:49", "off the step 1"),
        ("{SPY261120C00600000: {qty", "{SPY261320C00600000: {qty", ":3:38", "nothing is known of"),
        ("take_profit_rate: 1.2", "take_profit_rate: 0.9", ":13:23", "is out of range"),
        ("take_profit_rate: 1.2", "stop_loss_rate: 1.2", ":13:21", "1.2 is no loss"),
        ("[brk/main, brk/ira]", "[brk/main, brk/main]", ":9:26", "watched by exits-brk-main already"),
    ],
)
def test_e03_what_is_missing_or_misspelt_is_told_with_its_line(old: str, new: str, place: str, words: str) -> None:
    """E3: it refuses to start and names the line, instead of watching nothing."""
    told = report(old, new)

    assert f"hedgerow.yaml{place}" in told
    assert words in told


def test_accounts_belong_to_exits() -> None:
    """Another policy has its legs listed; one that lists legs watches no accounts."""
    told = report("policy: exits", "policy: mirror\n    qty: 1\n    max_net_qty: 1")

    assert "`accounts` finds its legs by itself" in told or "unknown key" in told


def test_legs_can_be_listed_instead() -> None:
    """A leg of `exits` that is adopted goes on being its owner's: what he adds or takes away is adopted too."""
    text = GOOD.replace(
        "    accounts: [brk/main, brk/ira]\n    watch: all\n    adopt: [SPY, option]\n    manual: TSLA\n",
        "    legs: {spy: {account: brk/main, symbol: SPY, adopt: true}}\n",
    )

    (book,) = read(text).books

    leg = book.leg(LegId("spy"))
    assert (leg.adopt, leg.adopt_later, leg.found) == (True, True, False)
