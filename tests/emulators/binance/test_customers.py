"""Accounts files: what they may say, and what is told of a wrong one."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from hedgerow.emulators.binance.customers import AccountsError, Kind, load_customers


def test_an_account_needs_a_name_a_key_and_a_secret(tmp_path: Path) -> None:
    """All else has defaults: every kind, funds to begin with."""
    file = tmp_path / "accounts.json"
    file.write_text(
        '[{"name": "main", "key": "k", "secret": "s", "kinds": ["usdm"], "balances": {"usdm": {"USDT": "7"}}}]'
    )

    (found,) = load_customers(file)

    assert (found.kinds, found.balances) == ((Kind.USDM,), {"usdm": {"USDT": Decimal(7)}})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{}", "a list of accounts is wanted"),
        ("[", "a list of accounts is wanted"),
        ("[]", "names no account"),
        ('[{"name": "a", "key": "k"}]', "needs either `secret` or `public_key`"),
        ('[{"name": "a", "key": "k", "secret": "s", "sercet": "s"}]', "sercet"),
        (
            '[{"name": "a", "key": "k", "secret": "s"}, {"name": "b", "key": "k", "secret": "s"}]',
            "key k is there twice",
        ),
        ('[{"name": "a", "key": "k", "secret": "s", "balances": {"futures": {}}}]', "no account kind is named futures"),
        ('[{"name": "a", "key": "k", "public_key": "/none.pem"}]', "/none.pem cannot be read"),
        ('[{"name": "a", "key": "k", "public_key": "-----BEGIN"}]', "`public_key`"),
    ],
)
def test_a_wrong_file_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    """One line, with what is wrong."""
    file = tmp_path / "accounts.json"
    file.write_text(text)

    with pytest.raises(AccountsError) as caught:
        load_customers(file)

    assert told in str(caught.value) and str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """By its name."""
    with pytest.raises(AccountsError, match="cannot be read"):
        load_customers(tmp_path / "none.json")
