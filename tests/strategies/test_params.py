"""Parameters: exact text in, typed values or every mistake at once out."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import msgspec
import pytest

from hedgerow.model.order import Side
from hedgerow.strategies import POLICIES, make
from hedgerow.strategies.params import BadParams, Param, describe, parse
from tests.strategies.books import Desk, instrument

PERPS = (instrument("a"), instrument("b"))


class Params(msgspec.Struct, frozen=True, kw_only=True):
    qty: Annotated[Decimal, Param("Size.", "base units", above=0)]
    depth: Annotated[int, Param("Level.", min=1, max=5)] = 1
    side: Annotated[Side, Param("Side.")] = Side.BUY
    cap_bps: Annotated[Decimal | None, Param("Cap.", "bps", min=0)] = Decimal(50)


def errors_of(params: dict[str, str]) -> dict[str, str]:
    with pytest.raises(BadParams) as caught:
        parse(Params, params)
    return {error.key: error.problem for error in caught.value.errors}


def test_texts_become_exact_values() -> None:
    """A size of 0.1 is a tenth, not the nearest binary fraction."""
    params = parse(Params, {"qty": "0.1", "depth": "3", "side": "sell", "cap_bps": "12.5"})

    assert params == Params(qty=Decimal("0.1"), depth=3, side=Side.SELL, cap_bps=Decimal("12.5"))


def test_what_is_left_out_takes_its_default() -> None:
    """A short config is a good config."""
    assert parse(Params, {"qty": "1"}) == Params(qty=Decimal(1))


def test_none_switches_an_optional_parameter_off() -> None:
    """Otherwise a cap with a default could not be removed."""
    assert parse(Params, {"qty": "1", "cap_bps": "none"}).cap_bps is None
    assert "depth" in errors_of({"qty": "1", "depth": "none"})


def test_every_mistake_is_told_at_once() -> None:
    """Nobody wants to start five times to find five mistakes."""
    errors = errors_of({"dept": "2", "depth": "9", "side": "long", "cap_bps": "-1"})

    assert set(errors) == {"dept", "depth", "side", "cap_bps", "qty"}
    assert errors["qty"] == "is missing"
    assert errors["depth"] == "9 is out of range"


def test_a_misspelt_key_is_told_what_it_may_mean() -> None:
    """Never ignore a key: a book that quietly lacks its cap is a trap."""
    with pytest.raises(BadParams) as caught:
        parse(Params, {"qty": "1", "dept": "2"})

    (error,) = caught.value.errors
    assert error.help == "did you mean depth?"


@pytest.mark.parametrize("text", ["", "NaN", "Infinity", "1_000", "1e3", "0x10", "1,5", "٣", "five"])
def test_what_is_no_plain_number_is_refused(text: str) -> None:
    """Each of these is a number to some parser and a surprise to its writer."""
    assert set(errors_of({"qty": text})) == {"qty"}


@pytest.mark.parametrize("text", ["0", "-1", "-0.5"])
def test_a_size_must_be_above_zero(text: str) -> None:
    """Sizes have a side beside them and never a sign."""
    assert errors_of({"qty": text}) == {"qty": f"{text} is out of range"}


def test_help_names_unit_range_and_default() -> None:
    """The message alone must be enough to mend the config."""
    with pytest.raises(BadParams) as caught:
        parse(Params, {"qty": "1", "cap_bps": "-1"})

    assert caught.value.errors[0].help == "Cap. number, in bps, at least 0, default 50"


def test_the_reference_page_has_a_row_for_each_parameter() -> None:
    """What can be set is documented from the table that reads it."""
    rows = {row.name: row for row in describe(Params)}

    assert list(rows) == ["qty", "depth", "side", "cap_bps"]
    assert (rows["qty"].default, rows["qty"].range, rows["qty"].unit) == ("required", "above 0", "base units")
    assert (rows["depth"].kind, rows["depth"].range) == ("integer", "1 to 5")
    assert (rows["side"].kind, rows["side"].default) == ("buy | sell", "buy")
    assert rows["cap_bps"].kind == "number | none"


@pytest.mark.parametrize("policy", list(POLICIES))
def test_each_policy_describes_itself(policy: str) -> None:
    """Every parameter has a sentence, and every default lies in its own range."""
    rows = describe(POLICIES[policy].params_type)
    given = {row.name: row.default for row in rows if row.default != "required"}
    given |= {row.name: "1" for row in rows if row.default == "required"}

    assert all(row.sentence.endswith(".") for row in rows)
    parse(POLICIES[policy].params_type, given)


def test_an_unknown_policy_is_refused() -> None:
    """And the known ones are named."""
    with pytest.raises(BadParams, match="known are mirror, carry"):
        Desk("miror", PERPS, ("a", "b"), {})


def test_a_qty_that_the_venue_would_refuse_is_refused_at_the_start() -> None:
    """Better one line now than a refusal per order."""
    with pytest.raises(BadParams, match=r"use a multiple of 0\.001"):
        Desk("mirror", PERPS, ("a", "b"), {"qty": "0.0015", "max_net_qty": "1"})
    with pytest.raises(BadParams, match="use at least qty"):
        Desk("mirror", PERPS, ("a", "b"), {"qty": "1", "max_net_qty": "0.5"})


def test_a_policy_needs_both_legs() -> None:
    """A mirror without a hedge leg hedges nothing."""
    desk = Desk("mirror", PERPS, ("a", "b"), {"qty": "1", "max_net_qty": "1"})

    with pytest.raises(BadParams, match="needs a lead and a hedge leg"):
        make(msgspec.structs.replace(desk.config, hedge=None))
