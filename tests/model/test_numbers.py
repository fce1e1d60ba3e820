"""Exact numbers: rounding names its direction and never enlarges."""

from __future__ import annotations

import decimal
import threading
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.model.instrument import Instrument, InstrumentKind, Rule
from hedgerow.model.numbers import ceil_to, floor_to
from hedgerow.model.order import Side
from tests.core.books import instrument

STEPS = st.sampled_from([Decimal(s) for s in ("1", "0.1", "0.001", "0.00001", "0.0025", "5", "100")])
VALUES = st.decimals(min_value=0, max_value=10**9, places=8, allow_nan=False)


@given(VALUES, STEPS)
def test_floor_is_the_largest_multiple_not_above(value: Decimal, step: Decimal) -> None:
    """An order is never larger than what is owed."""
    floor = floor_to(value, step)

    assert floor <= value < floor + step
    assert floor % step == 0


@given(VALUES, STEPS)
def test_ceil_is_the_smallest_multiple_not_below(value: Decimal, step: Decimal) -> None:
    """A minimum is met, by less than one step too much."""
    ceil = ceil_to(value, step)

    assert ceil - step < value <= ceil
    assert ceil % step == 0


def test_no_lot_is_lost_over_twenty_thousand_lots() -> None:
    """M11: 0.00007 in floats is 6 lots of 0.00001, not 7."""
    lot = Decimal("0.00001")

    assert all(floor_to(lot * lots, lot) / lot == lots for lots in range(1, 20_001))


@given(VALUES, st.sampled_from(list(Side)), STEPS)
def test_a_capped_price_never_crosses_the_cap(price: Decimal, side: Side, tick: Decimal) -> None:
    """A buy never pays more than the cap, a sell never receives less."""
    capped = instrument("lead", tick=tick).capped_price(price, side)

    assert capped <= price if side is Side.BUY else capped >= price


def test_binary_fractions_raise_here_and_in_new_threads() -> None:
    """A float that slips into money arithmetic is a bug that must be heard."""
    seen: list[type] = []

    def mix() -> None:
        try:
            Decimal(1) + Decimal(0.1)  # noqa: RUF032 - the mistake that must be heard
        except decimal.FloatOperation as error:
            seen.append(type(error))

    mix()
    thread = threading.Thread(target=mix)
    thread.start()
    thread.join()

    assert seen == [decimal.FloatOperation] * 2


@pytest.mark.parametrize(
    ("qty", "price", "rule"),
    [
        ("0.0015", "100", Rule.STEP),
        ("0.000", "100", Rule.MINIMUM_QTY),
        ("11", "100", Rule.MAXIMUM_QTY),
        ("0.010", "100", Rule.MINIMUM_NOTIONAL),
        ("1", "100.05", Rule.TICK),
        ("1", "80", Rule.PRICE_BAND),
        ("1", "120", Rule.PRICE_BAND),
        ("1", "100.1", None),
    ],
)
def test_each_rule_of_an_instrument_is_named(qty: str, price: str, rule: Rule | None) -> None:
    """A refused order says which rule it broke, with both numbers."""
    made = instrument("lead", max_qty=Decimal(10), band_down=Decimal("0.9"), band_up=Decimal("1.1"))

    broken = made.broken_rule(Decimal(qty), Decimal(price), Decimal(100), reduce_only=False)

    assert (broken.rule if broken else None) is rule


def test_a_reduce_only_order_may_be_below_the_minimum_notional_where_the_venue_says_so() -> None:
    """Binance USD-M exempts reduce-only orders; others do not."""
    strict, lenient = instrument("lead"), instrument("lead", reduce_only_exempt=True)

    assert strict.broken_rule(Decimal("0.01"), Decimal(100), None, reduce_only=True) is not None
    assert lenient.broken_rule(Decimal("0.01"), Decimal(100), None, reduce_only=True) is None


def test_an_option_counts_its_multiplier() -> None:
    """E13: one contract of a hundred shares at 1.90 is 190, not 1.90."""
    option: Instrument = instrument("lead", kind=InstrumentKind.OPTION, multiplier=Decimal(100))

    assert option.notional(Decimal(1), Decimal("1.90")) == 190


def test_a_one_sided_band_bounds_the_far_side_alone() -> None:
    """Binance USD-M: a buy may stand as low as it likes, and a sell as high."""
    made = instrument("lead", band_down=Decimal("0.9"), band_up=Decimal("1.1"), band_is_one_sided=True)

    def is_legal(side: Side | None, price: str) -> bool:
        broken = made.broken_rule(Decimal(1), Decimal(price), Decimal(100), reduce_only=False, side=side)
        return broken is None

    assert is_legal(Side.BUY, "80") and not is_legal(Side.BUY, "120")
    assert is_legal(Side.SELL, "120") and not is_legal(Side.SELL, "80")
    assert is_legal(None, "80") and is_legal(None, "120")
