"""Configs: every kind of mistake is told with its place and its remedy, all of them at once."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from hedgerow.core.config import HedgeRule, LegConfig
from hedgerow.model.instrument import InstrumentKind
from hedgerow.runtime.config import HEDGE, LEAD, NodeConfig, load, load_text, schema
from hedgerow.runtime.config_text import ConfigError, parse

ROOT = Path(__file__).parents[2]
GOOD = """\
accounts:
  simA/main:  {venue: sim, balance: {USD: 50000}, fees: {maker_bps: 1, taker_bps: 4}}
  simB/hedge: {venue: sim, balance: {USD: 50000}}
books:
  btc-mirror:
    policy: mirror
    legs:
      lead:  {account: simA/main, symbol: BTC-PERP}
      hedge: {account: simB/hedge, symbol: BTC-PERP}
    qty: 0.05
    max_net_qty: 0.2
risk: {max_notional: 25000}
timing: {ack_timeout_ms: 1500}
"""


def read(text: str, name: str = "hedgerow.yaml") -> NodeConfig:
    return load_text(text, name, Path("/nowhere"))


def report(text: str, name: str = "hedgerow.yaml") -> str:
    with pytest.raises(ConfigError) as error:
        read(text, name)
    return str(error.value)


def changed(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


def test_a_config_becomes_the_engines_nouns() -> None:
    """What is written is what runs: exact numbers, presets, defaults."""
    config = read(GOOD)

    (book,) = config.books
    lead = book.leg(LEAD)
    assert (book.book_id, book.policy, book.tag) == ("btc-mirror", "mirror", "btcmirro")
    assert book.params == {"qty": "0.05", "max_net_qty": "0.2"}
    assert book.hedge == HedgeRule(LEAD, HEDGE, Decimal(-1))
    assert isinstance(lead, LegConfig)
    assert (lead.instrument.id, lead.instrument.kind) == ("simA:BTC-PERP", InstrumentKind.PERP)
    assert (lead.instrument.tick, lead.instrument.step) == (Decimal("0.1"), Decimal("0.001"))
    assert (book.limits.max_notional, book.limits.orders_per_s) == (Decimal(25000), 10)
    assert book.timing.ack_timeout_ms == 1500
    assert config.accounts[0].fees.taker == Decimal("0.0004")
    assert [venue.id for venue in config.venues] == ["simA", "simB"]
    assert config.state == Path("/nowhere/.hedgerow")


def test_the_same_in_toml() -> None:
    """Two languages, one model."""
    text = """\
[accounts."simA/main"]
venue = "sim"
balance = {USD = 50000}
fees = {maker_bps = 1, taker_bps = 4}
[accounts."simB/hedge"]
venue = "sim"
balance = {USD = 50000}
[books.btc-mirror]
policy = "mirror"
qty = 0.05
max_net_qty = 0.2
legs.lead = {account = "simA/main", symbol = "BTC-PERP"}
legs.hedge = {account = "simB/hedge", symbol = "BTC-PERP"}
[risk]
max_notional = 25000
[timing]
ack_timeout_ms = 1500
"""
    assert read(text, "hedgerow.toml").books == read(GOOD).books


def test_a_books_own_risk_stands_before_the_common_one() -> None:
    """One book may be smaller than the others."""
    config = read(changed("    qty: 0.05\n", "    qty: 0.05\n    risk: {max_notional: 9000}\n"))

    assert config.books[0].limits.max_notional == Decimal(9000)


def test_an_error_shows_its_line_and_its_remedy() -> None:
    """The form is a promise: editors and people jump by it."""
    told = report(changed("account: simB/hedge, symbol", "acount: simB/hedge, symbol"))

    assert told == (
        "error[missing]: books.btc-mirror.legs.hedge: missing key 'account'\n"
        " --> hedgerow.yaml:9:7\n"
        "  |\n"
        "9 |       hedge: {acount: simB/hedge, symbol: BTC-PERP}\n"
        "  |       ^\n"
        "  help: account: Id of one of the accounts.\n"
        "error[extra_forbidden]: unknown key 'acount'\n"
        " --> hedgerow.yaml:9:15\n"
        "  |\n"
        "9 |       hedge: {acount: simB/hedge, symbol: BTC-PERP}\n"
        "  |               ^\n"
        "  help: did you mean 'account'?\n"
        "2 errors in hedgerow.yaml"
    )


@pytest.mark.parametrize(
    ("old", "new", "kind", "words"),
    [
        ("policy: mirror", "policy: miror", "unknown_policy", "did you mean 'mirror'?"),
        ("    policy: mirror\n", "", "missing", "missing key 'policy'"),
        ("max_net_qty: 0.2", "max_net_qy: 0.2", "missing", "missing key 'max_net_qty'"),
        ("max_net_qty: 0.2", "max_net_qty: 0.2\n    detph: 2", "extra_forbidden", "did you mean 'depth'?"),
        ("max_net_qty: 0.2", "max_net_qty: 0.01", "meaning", "0.01 is below qty 0.05"),
        ("qty: 0.05", "qty: -0.05", "param", "-0.05 is out of range"),
        ("qty: 0.05", "qty: 0.05 BTC", "param", "'0.05 BTC' is not a number"),
        ("qty: 0.05", "qty: 0.0505", "meaning", "use a multiple of 0.001"),
        ("qty: 0.05", "qty: [1]", "param", "a word or number"),
        ("qty: 0.05", "qty:", "param", "books.btc-mirror.qty: it needs a value"),
        ("max_notional: 25000", 'max_notional: "25,000"', "number", "without separators: 25000"),
        ("max_notional: 25000", "max_notional: 25k", "number", "write 25 if that is the unit"),
        ("max_notional: 25000", "max_notional: .inf", "number", "Largest gross notional"),
        ("max_notional: 25000", "max_notional: -1", "greater_than", "greater than 0 (got -1)"),
        ("max_notional: 25000", "max_notional: 10", "contradiction", "no entry could ever leave"),
        ("max_notional: 25000", "max_notionl: 25000", "extra_forbidden", "did you mean 'max_notional'?"),
        ("max_notional: 25000", "max_order_notional: 10", "contradiction", "no entry could ever leave"),
        ("max_notional: 25000", "max_notional: 1e15", "beyond", "from 1e-12 to 1e15"),
        ("    qty: 0.05\n", "    qty: 0.05\n    ratio: -1e-30\n", "beyond", "too small to compute with"),
        ("max_net_qty: 0.2", "max_net_qty: 0.0000000000001", "param", "too large or too small"),
        ("ack_timeout_ms: 1500", "ack_timeout_ms: 2s", "integer", "write 2000"),
        ("ack_timeout_ms: 1500", "ack_timeout_s: 2", "extra_forbidden", "did you mean 'ack_timeout_ms'?"),
        ("ack_timeout_ms: 1500", "ask_first_ms: 9000", "contradiction", "is above ask_spacing_ms_max 5000"),
        ("taker_bps: 4}", "taker_bps: 4%}", "number", "the unit belongs to the key"),
        ("taker_bps: 4}", "taker_bps: 4000}", "unit", "0.04 % are 4 basis points"),
        ("{USD: 50000}, fees", "{USD: -50000}, fees", "greater_than_equal", "greater than or equal to 0"),
        ("{USD: 50000}, fees", "{usd: 50000}, fees", "bad_name", "upper case, e.g. USD"),
        ("simA/main:  {", "simA:  {", "bad_name", "VENUE/NAME"),
        ("btc-mirror:", "BTC_mirror:", "bad_name", "lower case, digits and dashes"),
        ("account: simA/main", "account: simA/mian", "unknown_account", "did you mean 'simA/main'?"),
        ("simB/hedge, symbol: BTC-PERP", "simB/hedge, symbol: BTC_PERP", "unknown_symbol", "venues.simB.instruments"),
        ("simB/hedge, symbol", "simA/main, symbol", "contradiction", "the same account and symbol"),
        ("simB/hedge, symbol: BTC", "simB/hedge, symbol: ETH", "contradiction", "is BTC and simB:ETH-PERP is ETH"),
        ("      hedge: {", "      hedg: {", "missing", "did you mean 'hedg'?"),
        ("    qty: 0.05\n", "    qty: 0.05\n    ratio: 0\n", "contradiction", "use -1"),
        ("    qty: 0.05\n", "    qty: 0.05\n    ratio: -0.01\n", "below_minimum", "use at least 0.1"),
        ("    qty: 0.05\n", "    qty: 0.05\n    ratio: -0.003\n", "below_minimum", "use at least 0.334"),
        ("    qty: 0.05\n", "    qty: 0.05\n    qty: 0.06\n", "duplicate_key", "the first is on line 10"),
        ("    qty: 0.05\n", "    qty: 0.05\n    tag: Too-Long-A-Tag\n", "string_pattern_mismatch", "Short name inside"),
        ("risk: {", "risk: 3 #", "model_type", "a mapping of keys"),
        ("{venue: sim, balance: {USD: 50000}}", "{venue: kraken}", "literal_error", "one of 'sim'"),
        ("{venue: sim, balance: {USD: 50000}}", "{venue: sim, secret: hunter2}", "literal_secret", "env:NAME"),
        ("{venue: sim, balance: {USD: 50000}}", "&x {venue: sim}\n  simC/x: *x", "alias", "write the value out"),
    ],
)
def test_a_mistake_is_told_with_its_remedy(old: str, new: str, kind: str, words: str) -> None:
    """Each names what is wrong and what to write instead."""
    told = report(changed(old, new))

    assert f"error[{kind}]" in told
    assert words in told
    assert " --> hedgerow.yaml:" in told


@pytest.mark.parametrize(
    ("venue", "kind", "words"),
    [
        ("simA: {instruments: {BTC-PERP: {step: 10, max_qty: 1}}}", "impossible_step", "a step of at most 1"),
        ("simA: {instruments: {BTC-PERP: {tick: 0}}}", "greater_than", "greater than 0 (got 0)"),
        ("simA: {instruments: {BTC-PERP: {step: -0.1}}}", "greater_than", "greater than 0 (got -0.1)"),
        ("simA: {instruments: {BTC-PERP: {min_qty: 2, max_qty: 1}}}", "contradiction", "min_qty 2 is above max_qty 1"),
        ("simA: {instruments: {BTC-PERP: {band_down: 1.1}}}", "contradiction", "not below the mark"),
        ("simA: {instruments: {BTC-PERP: {kind: perpetual}}}", "enum", "'perp'"),
        ("simA: {instruments: {XYZ-PERP: {tick: 1}}}", "missing", "missing step, multiplier"),
        ("simA: {instruments: {XYZ-PERP: {tick: 1, step: 1}}}", "missing", "missing multiplier"),
        ("simA: {instruments: {TSLA1261120C00600000: {tick: 1}}}", "missing", "missing multiplier"),
        ("simA: {requests_per_s: 10, reserve: 10}", "contradiction", "leaves none for entries"),
        ("simA: {latency_ms: 1000}", "contradiction", "2000 ms there and back, and after ack_timeout_ms 1500"),
        ("simA: {tape: nowhere.gz}", "missing_tape", "there is no tape /nowhere/nowhere.gz"),
        ("simX: {latency_ms: 1}", "unknown_venue", "no account is at venue 'simX'"),
    ],
)
def test_impossible_venues_are_told(venue: str, kind: str, words: str) -> None:
    """What no order could ever satisfy is found before the first one."""
    told = report(f"{GOOD}venues:\n  {venue}\n")

    assert f"error[{kind}]" in told
    assert words in told


def test_two_books_of_one_tag_are_told() -> None:
    """The tag says whose an order is: two books with one tag would take each other's fills."""
    book = GOOD[GOOD.index("  btc-mirror:") : GOOD.index("risk:")]
    second = book.replace("btc-mirror:", "btcmirror:")
    told = report(GOOD.replace(book, book + second))

    assert "error[duplicate_tag]" in told
    assert "same tag 'btcmirro'" in told


def test_two_books_of_one_position_know_of_one_another() -> None:
    """What the one trades would look like drift to the other."""
    book = GOOD[GOOD.index("  btc-mirror:") : GOOD.index("risk:")]
    found = read(GOOD.replace(book, book + book.replace("btc-mirror:", "second:")))

    assert [leg.shared for each in found.books for leg in each.legs] == [True] * 4


def test_no_book_adopts_what_another_one_trades() -> None:
    """Nobody can say whose the holdings of a shared position are."""
    book = GOOD[GOOD.index("  btc-mirror:") : GOOD.index("risk:")]
    second = book.replace("btc-mirror:", "second:").replace("symbol: BTC-PERP", "symbol: BTC-PERP, adopt: true", 1)
    told = report(GOOD.replace(book, book + second))

    assert told.count("error[shared_leg]") == 1
    assert "books btc-mirror, second all trade simA:BTC-PERP in simA/main, and second adopts" in told


def test_a_secret_is_never_printed() -> None:
    """An error report is pasted into chats."""
    secret = "hunter2hunter2hunter2hunter2"
    for place in (
        f"{{venue: sim, secret: {secret}}}",
        f"{{venue: sim, mode: {secret}}}",
        f"{{key: {secret}, venue: x}}",
    ):
        told = report(changed("{venue: sim, balance: {USD: 50000}}", place))
        assert "literal_secret" in told
        assert secret not in told


TWO_SYMBOLS = """\
accounts:
  x/one: {{venue: sim, balance: {{USDT: 50000, USDC: 50000, BTC: 10}}}}
  x/two: {{venue: sim, balance: {{USDT: 50000, USDC: 50000}}}}
venues:
  x:
    instruments:
      A: {{kind: {0}, base: BTC, quote: USDT, tick: 0.1, step: 0.001}}
      B: {{kind: {1}, base: {2}, tick: 0.1, step: 0.001}}
books:
  first: {{policy: grid, legs: {{lead: {{account: x/one, symbol: A}}}}, budget: 9000, low: 900, high: 1100, levels: 4}}
  other: {{policy: grid, legs: {{lead: {{account: x/{3}, symbol: B}}}}, budget: 9000, low: 900, high: 1100, levels: 4}}
"""


@pytest.mark.parametrize(
    ("first", "second", "base"),
    [
        ("spot", "spot", "BTC, quote: USDC"),
        ("margin", "margin", "BTC, quote: USDC"),
        ("spot", "spot", "ETH, quote: BTC"),
    ],
)
def test_two_symbols_that_move_one_balance_are_told(first: str, second: str, base: str) -> None:
    """The position of spot and margin is the account's balance: each would take the other's trades for drift."""
    told = report(TWO_SYMBOLS.format(first, second, base, "one"))

    assert told.count("error[shared_balance]") == 1
    assert "first trades x:A and other x:B, both in x/one" in told
    assert "balance of BTC" in told
    assert "an account of its own" in told


@pytest.mark.parametrize(
    ("first", "second", "base", "account"),
    [
        ("spot", "spot", "BTC, quote: USDC", "two"),
        ("spot", "perp, multiplier: 1", "BTC, quote: USDC", "one"),
        ("spot", "spot", "ETH, quote: USDT", "one"),
    ],
)
def test_symbols_with_balances_of_their_own_may_share_an_account(
    first: str, second: str, base: str, account: str
) -> None:
    """A perpetual has a position of its own, and quote is nobody's position."""
    assert len(read(TWO_SYMBOLS.format(first, second, base, account)).books) == 2


@pytest.mark.parametrize(
    "given",
    [
        "secret: {}: : [",
        "secret {} : [",
        "secret: 'env:X', secret: {}",
        "secret: 'env:X', secret: *{}",
        "secret: !{} x",
        'api_key: "{}" : [',
        'api_key: "{}\n    {}" : [',
        "secret:\n    {}: : [",
        "{{secret: x}}: {}",
    ],
)
@pytest.mark.parametrize("secret", ["hunter2", "Sup3rS3cretValue0123456789abcdef"])
def test_a_secret_is_not_printed_where_the_text_was_not_understood(given: str, secret: str) -> None:
    """The line of a syntax error, or of a key given twice, is shown; what follows a secret's key in it is not."""
    told = report(changed("{venue: sim, balance: {USD: 50000}}", f"{{venue: sim, {given.format(secret, secret)}}}"))

    assert secret not in told
    assert "***" in told
    assert " | " in told


def test_a_line_that_was_not_understood_is_shown_but_for_its_secrets() -> None:
    """References are names, and who mends a line must see them."""
    line = '{venue: sim, key: "env:K1", secret: file:~/s, kind: : [}'
    told = report(changed("{venue: sim, balance: {USD: 50000}}", line))

    assert line in told


def test_references_to_secrets_are_taken() -> None:
    """By name, by file, or from a password manager."""
    for reference in ("env:A_KEY", "file:/run/key", "cmd:pass show key"):
        account = f"{{venue: sim, balance: {{USD: 50000}}, secret: '{reference}'}}"
        read(changed("{venue: sim, balance: {USD: 50000}}", account))


def test_scalars_follow_yaml_1_2() -> None:
    """A plain loader would make False, 90 and 83 of these."""
    tree = parse("a: no\nb: 1:30\nc: 0123\nd: 60000.10\ne: true\nf: ~\ng: 'true'\n", "x.yaml").tree

    assert tree == {"a": "no", "b": "1:30", "c": "0123", "d": "60000.10", "e": True, "f": None, "g": "true"}


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("a: [1", "x.yaml", "error[syntax]: not YAML"),
        ("a: 1\n---\nb: 2\n", "x.yaml", "error[syntax]"),
        ("a: !!python/name:os.system x", "x.yaml", "error[tag]"),
        ("", "x.yaml", "x.yaml holds no config"),
        ("- 1", "x.yaml", "x.yaml holds no config"),
        ("a = ", "x.toml", "error[syntax]: not TOML"),
        ("&a [*a]", "x.yaml", "error["),
    ],
)
def test_what_is_no_config_is_told(text: str, name: str, words: str) -> None:
    """Nothing in a file can make the reader fail in another way."""
    assert words in report(text, name)


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    """A wrong path is the first mistake of all."""
    (tmp_path / "latin.yaml").write_bytes(b"a: \xff")
    for path, words in (
        (tmp_path / "none.yaml", "there is no file"),
        (tmp_path, r"cannot be read: [^\n]*\n[^\n]*\n  help: give the path of a config file"),
        (tmp_path / "latin.yaml", "is not UTF-8"),
    ):
        with pytest.raises(ConfigError, match=words):
            load(path)


@pytest.mark.parametrize(("name", "start"), [("deep.yaml", "a: "), ("deep.toml", "a = ")])
def test_a_file_nested_too_deeply_is_no_config(name: str, start: str) -> None:
    """Whatever is in it, it is told in a line."""
    assert "nested too deeply" in report(start + "[" * 3_000, name)


def test_a_tape_named_on_the_command_line_needs_its_venue(tmp_path: Path) -> None:
    """A tape that feeds nothing is a typo."""
    path = tmp_path / "hedgerow.yaml"
    path.write_text(GOOD, encoding="utf-8")
    tape = tmp_path / "tape"
    tape.touch()

    assert load(path, tapes={"simA": tape}).venues[0].tape == tape
    with pytest.raises(ConfigError, match="there is no venue 'simC'\n --> the command line\n  help: "):
        load(path, tapes={"simC": tape})


def test_the_examples_are_right() -> None:
    """They are the first thing that people copy."""
    examples = sorted((ROOT / "examples").glob("*.yaml"))

    assert [path.name for path in examples if load(path).books[0].policy not in path.stem.split("-")] == []


def test_the_schema_knows_every_key() -> None:
    """Completion in editors is only as good as this."""
    text = json.dumps(schema())

    for key in ("max_net_qty", "entry_basis_bps_min", "ratio", "max_residual", "visibility_ms", "volatility_bps"):
        assert f'"{key}"' in text
