"""Grid: each level exits one spacing from its entry, for what it holds; brakes touch entries only; stops end flat."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hedgerow.core.commands import Mode
from hedgerow.core.events import Action, OperatorCommanded
from hedgerow.model.instrument import FeeCurrency, InstrumentKind
from hedgerow.model.numbers import BPS
from hedgerow.model.order import Role, Side
from hedgerow.runtime.config import load_text
from hedgerow.runtime.config_text import ConfigError, find
from hedgerow.strategies import make
from hedgerow.strategies.grid.levels import Ladder, frame_of
from hedgerow.strategies.grid.params import GridParams
from hedgerow.strategies.params import BadParams, parse
from tests.strategies.books import instrument
from tests.strategies.grids import HEDGE, LEAD, OTHER, PARAMS, PERP, Floor, changed, grid_config

D = Decimal


def params_of(**changes: str) -> GridParams:
    return parse(GridParams, {key: value for key, value in (PARAMS | changes).items() if value})


def ladder_of(**changes: str) -> Ladder:
    params = params_of(**changes)
    frame = frame_of(params, D(91000), None)
    assert frame is not None
    return Ladder(params, PERP, frame)


# The ladder.


@given(
    st.sampled_from(("long_only", "short_only", "neutral")),
    st.sampled_from(("geometric", "arithmetic")),
    st.integers(2, 120),
    st.sampled_from(("", "16", "25.5")),
)
def test_g06_each_exit_is_one_spacing_from_its_entry(
    direction: str, progression: str, count: int, spacing: str
) -> None:
    """G6: exit / entry - 1 = spacing to within a tick, for every level, however the ladder is told."""
    high = "" if spacing else "95000"
    ladder = ladder_of(direction=direction, progression=progression, levels=str(count), spacing_bps=spacing, high=high)

    assert len(ladder.levels) == count
    for number, level in ladder.levels.items():
        assert level.number == number
        low, high_price = sorted((level.entry_price, level.exit_price))
        assert (low == level.entry_price) is (level.side is Side.BUY)
        assert level.entry_price % PERP.tick == 0 and level.exit_price % PERP.tick == 0
        step = ladder.frame.step
        wanted = step if progression == "arithmetic" else low * step
        # A short level's spacing is taken from its entry, the upper of the two.
        slack = PERP.tick * (1 + step) if progression == "geometric" else PERP.tick
        assert abs(high_price - low - wanted) <= slack, level


def test_g06_a_ladder_that_is_moved_keeps_numbers_and_prices() -> None:
    """G6: level 7 is level 7 wherever the range begins."""
    params, ladder = params_of(), ladder_of()
    moved = Ladder(params, PERP, ladder.frame, 4)

    assert (moved.first, moved.last) == (5, 14)
    for number in range(5, 11):
        assert moved.levels[number].entry_price == ladder.levels[number].entry_price
        assert moved.levels[number].exit_price == ladder.levels[number].exit_price
        assert ladder.exit_price(number + 40, Side.BUY) == moved.exit_price(number + 40, Side.BUY)


def test_a_neutral_ladder_is_long_below_its_center_and_short_above() -> None:
    """What is bought below the middle is sold below it, and the other way round."""
    ladder = ladder_of(direction="neutral")

    assert [level.number for level in ladder.buys] == [5, 4, 3, 2, 1]
    assert [level.number for level in ladder.sells] == [6, 7, 8, 9, 10]
    assert max(level.exit_price for level in ladder.buys) <= min(level.entry_price for level in ladder.sells)


def test_levels_may_be_told_in_three_ways() -> None:
    """A count, a spacing, and a net return with its fees come to the same ladder where they mean the same."""
    by_spacing = ladder_of(high="91900", levels="", spacing_bps="10")
    by_return = ladder_of(high="91900", levels="", net_return_bps_min="6", fee_bps="2")
    by_count = ladder_of(high=str(by_spacing.high), levels="20")

    assert by_spacing.high <= D(91900) < by_spacing.high * D("1.001")
    entries = [level.entry_price for level in by_spacing.buys]
    assert len(entries) == 20
    assert entries == [level.entry_price for level in by_return.buys]
    assert all(abs(a - b.entry_price) <= PERP.tick for a, b in zip(entries, by_count.buys, strict=True))


@pytest.mark.parametrize("direction", ["long_only", "short_only"])
def test_each_level_of_an_arithmetic_ladder_earns_what_was_asked_for(direction: str) -> None:
    """One step is the smallest part of the highest price: there too it pays both fees and what is to be left."""
    wide = {"low": "60000", "high": "120000", "levels": "", "progression": "arithmetic", "direction": direction}
    ladder = ladder_of(**wide, net_return_bps_min="20", fee_bps="10")

    for level in ladder.levels.values():
        gain = abs(level.exit_price - level.entry_price)
        fees = (level.exit_price + level.entry_price) * 10 * BPS
        assert gain - fees >= level.entry_price * 20 * BPS - PERP.tick * 2, level


def test_a_spacing_follows_the_volatility_up_to_its_cap() -> None:
    """Minimum net return plus fees, times the market's ATR to its usual one, and never beyond the cap."""
    told = {"levels": "", "net_return_bps_min": "6", "usual_atr_bps": "5", "spacing_bps_max": "25"}
    params = params_of(**told)

    assert frame_of(params, D(91000), None) is None
    for atr, spacing in (("1", "10"), ("5", "10"), ("10", "20"), ("100", "25")):
        frame = frame_of(params, D(91000), D(atr))
        assert frame is not None and frame.step == D(spacing) * BPS


@pytest.mark.parametrize("progression", ["geometric", "arithmetic"])
def test_a_spacing_that_follows_the_volatility_stays_inside_the_range(progression: str) -> None:
    """A spike must not leave the book without a ladder: at its widest, it is one level to enter and one to exit."""
    told = {"levels": "", "low": "", "high": "", "width_bps": "150", "progression": progression}
    params = params_of(**told, net_return_bps_min="6", usual_atr_bps="5", spacing_bps_max="2000")

    counts = []
    for atr in ("5", "20", "70", "1000"):
        frame = frame_of(params, D(91000), D(atr))
        assert frame is not None
        counts.append(frame.count)
        assert frame.rung(frame.start + frame.count) <= D(91000) * (1 + D("75.01") * BPS)
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 1


def test_a_ladder_of_nothing_has_no_inventory() -> None:
    """A range in which the budget is below one step at each level: nothing is entered, and no gate divides by it."""
    floor = Floor({"low": "", "high": "", "width_bps": "150", "qty": "", "budget": "0.01", "inventory_gate": "0.5"})
    floor.quote("91000", "91000.1")

    assert floor.held == 0
    assert not floor.orders(Role.ENTRY)


@pytest.mark.parametrize("sizing", ["quote", "base"])
def test_the_budget_is_shared_out(sizing: str) -> None:
    """All levels together come to budget x leverage, never more, in equal worth or equal qty."""
    ladder = ladder_of(qty="", sizing=sizing)

    notional = sum(level.qty * level.entry_price for level in ladder.buys)
    assert D(2000) - 10 < notional <= D(2000)
    if sizing == "base":
        assert len({level.qty for level in ladder.buys}) == 1
    else:
        assert ladder.buys[0].qty < ladder.buys[-1].qty


def test_weights_grow_away_from_where_the_ladder_begins() -> None:
    """A ratio of 1.5 makes each level half as large again as the one above it."""
    ladder = ladder_of(weight_ratio="1.5", levels="4", qty="0.002")

    assert [level.qty for level in ladder.buys] == [D("0.002"), D("0.003"), D("0.0045"), D("0.00675")]


# What does not fit together.

BAD: dict[str, tuple[dict[str, str], str, str]] = {
    "no range": ({"low": "", "high": ""}, "low", "no range"),
    "two ranges": ({"center": "91000"}, "center", "given twice"),
    "upside down": ({"high": "89000"}, "high", "not above low"),
    "no spacing": ({"levels": ""}, "levels", "how far"),
    "levels that do not fit": ({"spacing_bps": "50"}, "levels", "level 5 would have no exit level: only 4 levels"),
    "spacing wider than the range": ({"spacing_bps": "500", "levels": ""}, "spacing_bps", "wider than the range"),
    "spacing below the fees": ({"spacing_bps": "4", "levels": ""}, "spacing_bps", "does not pay the fees of 4"),
    "too many levels for the fees": ({"levels": "100", "qty": "", "fee_bps": "5"}, "levels", "does not pay the fees"),
    "too small a spacing for the upper end": (
        {
            "low": "60000",
            "high": "120000",
            "levels": "",
            "spacing_bps": "12",
            "fee_bps": "5",
            "progression": "arithmetic",
        },
        "spacing_bps",
        "apart at the upper end: that does not pay the fees of 10",
    ),
    "rungs below one tick": (
        {"low": "0.05", "high": "50", "levels": "11", "qty": "", "liquidation_distance_bps_min": "0"},
        "levels",
        "would enter at 0.0 and exit",
    ),
    "two sizes": ({"level_notional": "100"}, "level_notional", "given twice"),
    "below the minimum": ({"qty": "0.00009"}, "qty", "level 10 would be 0.00009"),
    "throttle above gate": (
        {"inventory_throttle": "0.6", "inventory_gate": "0.5"},
        "inventory_gate",
        "0.5 is not above inventory_throttle 0.6",
    ),
    "gate above stop": ({"loss_gate": "50", "stop_loss": "40"}, "stop_loss", "40 is not above loss_gate 50"),
    "throttle above stop": ({"loss_throttle": "50", "stop_loss": "40"}, "stop_loss", "not above loss_throttle"),
    "a stop beyond the money": ({"stop_loss": "2000"}, "stop_loss", "more than the budget"),
    "a stop inside the range": ({"stop_price": "90500"}, "stop_price", "does not lie beyond the range"),
    "a stop inside a range around a center": (
        {"low": "", "high": "", "center": "60000", "width_bps": "200", "stop_price": "59500"},
        "stop_price",
        "59500 does not lie beyond the range, which ends at 59400",
    ),
    "a short ladder's stop inside it": (
        {
            "low": "",
            "high": "",
            "center": "60000",
            "width_bps": "200",
            "direction": "short_only",
            "stop_price": "60600",
        },
        "stop_price",
        "60600 does not lie beyond the range, which ends at 60600",
    ),
    "a neutral ladder's stop above its center": (
        {"low": "", "high": "", "center": "60000", "width_bps": "200", "direction": "neutral", "stop_price": "60100"},
        "stop_price",
        "60100 does not lie beyond the range, which ends at 60600",
    ),
    "a stop inside a range of levels and spacing": (
        {"high": "", "spacing_bps": "25", "direction": "short_only", "stop_price": "92000"},
        "stop_price",
        "92000 does not lie beyond the range, which ends at 92275.48",
    ),
    "a single level": ({"levels": "1"}, "levels", "1 is out of range"),
    "room for a single level": ({"levels": "", "spacing_bps": "150"}, "spacing_bps", "leaves room for 1 level"),
    "a largest position below one order": ({"max_net_qty": "0.00005"}, "max_net_qty", "less than one order"),
    "wider than the budget": ({"qty": "0.003"}, "qty", "wider than the budget: all 10 levels filled are 2726.89 USDT"),
    "a return and a count": ({"net_return_bps_min": "5"}, "net_return_bps_min", "already given by levels"),
    "an ATR that nothing follows": ({"usual_atr_bps": "5"}, "usual_atr_bps", "only a spacing from"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit_together_is_told_with_its_numbers(name: str) -> None:
    """Each contradiction is told at its key before anything is ordered."""
    changes, key, words = BAD[name]

    with pytest.raises(BadParams) as caught:
        make(grid_config(changes))

    told = {error.key: error.problem for error in caught.value.errors}
    assert words in told[key], told
    assert all(error.help for error in caught.value.errors)


def test_g25_forty_levels_on_100_at_10x_are_refused_with_the_numbers() -> None:
    """G25: all levels filled, liquidation would lie about 1 % below the support: the config says so and is refused."""
    told = {
        "budget": "100",
        "leverage": "10",
        "low": "82000",
        "high": "98000",
        "levels": "40",
        "qty": "",
    }
    with pytest.raises(BadParams) as caught:
        make(grid_config(told))

    (error,) = caught.value.errors
    assert error.key == "leverage"
    assert error.problem == (
        "all 40 levels filled are 982.48 USDT on 100, 9.82x: liquidation at about 80628.2, 1.67 % below support"
    )
    assert "liquidation_distance_bps_min 500" in error.help
    make(grid_config(told | {"liquidation_distance_bps_min": "0"}))


@pytest.mark.parametrize("kind", [InstrumentKind.MARGIN, InstrumentKind.STOCK])
def test_g25_borrowed_money_is_liquidated_whatever_it_bought(kind: InstrumentKind) -> None:
    """G25: a long ladder on margin ends as one on a perpetual does; with money of its own it ends nowhere."""
    told = {"low": "50000", "high": "120000", "levels": "20", "qty": "", "budget": "10000"}
    lead = instrument("lent", step=Decimal("0.00001"), min_qty=Decimal("0.0001"), min_notional=Decimal(0), kind=kind)

    with pytest.raises(BadParams, match=r"liquidation at about .*, inside the range"):
        make(grid_config(told | {"leverage": "5"}, lead))
    make(grid_config(told | {"leverage": "1"}, lead))


def test_g25_a_short_ladder_is_liquidated_above_its_range() -> None:
    """G25: the worst case of a short ladder lies on the other side."""
    with pytest.raises(BadParams, match=r"% above resistance"):
        make(grid_config({"direction": "short_only", "budget": "50", "leverage": "20", "qty": "0.001"}))


def test_spot_is_neither_sold_short_nor_borrowed_for() -> None:
    """A spot ladder is long, and costs what it costs."""
    spot = instrument("spot", InstrumentKind.SPOT)
    with pytest.raises(BadParams, match="cannot be sold short"):
        make(grid_config({"direction": "neutral"}, spot))
    with pytest.raises(BadParams, match="more than 1000"):
        make(grid_config({"qty": "0.002"}, spot))


# What rests, and what is held.


def test_only_levels_behind_the_market_rest() -> None:
    """A level that would take waits until the market has passed it."""
    floor = Floor({"active_levels": "3"})

    assert floor.prices(Role.ENTRY) == [D("90595.3"), D("90794.7"), D("90994.5")]
    assert all(order.post_only for order in floor.orders(Role.ENTRY).values())


def test_a_level_goes_round() -> None:
    """Buy, sell one spacing above, and buy again: the lot earns its spacing, and P&L says so by level."""
    floor = Floor()
    entry = floor.level(6)
    assert entry.limit_price is not None
    floor.trade(Side.SELL, "0.001", str(entry.limit_price))
    (exit_,) = floor.orders(Role.EXIT).values()
    assert exit_.slot == "6:sell" and exit_.limit_price is not None and exit_.reduce_only
    assert "6:buy" not in floor.orders(Role.ENTRY)

    floor.quote(str(exit_.limit_price + 5), str(exit_.limit_price + 6))

    assert floor.held == 0
    assert floor.level(6).limit_price == entry.limit_price
    assert floor.book.ledger(LEAD).lots["6"].realized == D("0.001") * (exit_.limit_price - entry.limit_price)


def test_an_exit_is_for_what_was_really_received() -> None:
    """A fee in the base asset is not there to be sold: exits are on the step below, and dust stays in its lot."""
    spot = instrument(
        "spot",
        InstrumentKind.SPOT,
        step=D("0.00001"),
        min_qty=D("0.0001"),
        fee_currency=FeeCurrency.RECEIVED,
        can_reduce_only=False,
    )
    floor = Floor({"leverage": "1"}, lead=spot, fee="0.004", held="0")
    entry = floor.level(6)
    floor.trade(Side.SELL, "0.001", str(entry.limit_price))

    (exit_,) = floor.orders(Role.EXIT).values()
    assert floor.held == D("0.000996")
    assert exit_.qty == D("0.00099")
    assert floor.holds() == {}


def test_a_hedge_leg_offsets_what_the_grid_holds() -> None:
    """Each fill of a level is offset at the other venue, and taken back when the level has sold."""
    floor = Floor(hedge=OTHER)
    floor.trade(Side.SELL, "0.001", str(floor.level(6).limit_price))
    assert (floor.held, floor.book.net_qty(HEDGE)) == (D("0.001"), D("-0.001"))

    floor.quote("91300", "91300.1")

    assert (floor.held, floor.book.net_qty(HEDGE)) == (D(0), D(0))


def test_adopted_holdings_are_sold_where_the_ladder_would_have_bought_them() -> None:
    """G14: nearest levels above the market first; the entries of these levels return only when they are sold."""
    floor = Floor(held="0.0025", adopt=True, lead=PERP_OF_SPOT)

    exits = floor.orders(Role.EXIT)
    assert [(slot, order.qty) for slot, order in exits.items()] == [
        ("6:sell", D("0.001")),
        ("7:sell", D("0.001")),
        ("8:sell", D("0.0005")),
    ]
    assert "6:buy" not in floor.orders(Role.ENTRY)
    floor.quote("91700", "91700.1")
    assert floor.held == 0
    assert {"6:buy", "7:buy", "8:buy"} <= floor.orders(Role.ENTRY).keys()


PERP_OF_SPOT = instrument(
    "spot", InstrumentKind.SPOT, step=D("0.00001"), min_qty=D("0.0001"), min_notional=D(0), can_reduce_only=False
)


def test_g19_hysteresis_keeps_what_rests() -> None:
    """G19: a level that buys and sells again and again would move the farthest one each time."""
    for hysteresis, submits in (("1", 2), ("0", 3)):
        floor = Floor({"active_levels": "3", "hysteresis_levels": hysteresis})
        sent = 0
        for _ in range(4):
            sent = floor.stage.sent[PERP.id]
            floor.quote("90950", "90950.1")
            floor.quote("91195", "91195.1")
        assert floor.held == D("0.001")
        assert floor.stage.sent[PERP.id] - sent == submits, hysteresis


# Brakes and stops.


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"loss_throttle": "0.1", "loss_gate": "0.5"}, "loss_limit"),
        ({"cost_throttle_bps": "10", "cost_gate_bps": "30"}, "cost_basis"),
        ({"inventory_throttle": "0.1", "inventory_gate": "0.4"}, "inventory_limit"),
    ],
)
def test_g21_brakes_only_touch_entries(params: dict[str, str], reason: str) -> None:
    """G21: while a gate is shut nothing is bought, each lot keeps its exit, and entries return with the market."""
    floor = Floor(params)
    floor.quote("90250", "90250.1")

    assert floor.held > 0
    assert floor.holds()["entries"] == reason
    assert not floor.orders(Role.ENTRY)
    assert sum(order.leaves_qty for order in floor.orders(Role.EXIT).values()) == floor.held

    floor.quote("91900", "91900.1")
    assert floor.held == 0
    assert floor.orders(Role.ENTRY)


def test_g21_a_throttle_makes_entries_smaller() -> None:
    """G21: between throttle and gate entries are half as large."""
    floor = Floor({"loss_throttle": "0.01", "loss_gate": "50"})
    floor.quote("90850", "90850.1")

    assert {order.qty for order in floor.orders(Role.ENTRY).values()} == {D("0.0005")}


def test_a_brake_lets_go_later_than_it_takes_hold() -> None:
    """A measure that hovers at its bound does not cancel and place for ever."""
    floor = Floor({"cost_gate_bps": "20"})
    floor.trade(Side.SELL, "0.001", "90994.5")
    floor.quote("90814", "90814.1")
    assert "entries" not in floor.holds()
    floor.quote("90812", "90812.1")
    sent = floor.stage.sent[PERP.id]
    for _ in range(5):
        floor.quote("90813.5", "90813.6")
        floor.quote("90812", "90812.1")

    assert floor.holds()["entries"] == "cost_basis"
    assert floor.stage.sent[PERP.id] == sent


@pytest.mark.parametrize(
    ("params", "market", "words"),
    [
        ({"stop_price": "89000"}, "88999", "reached stop_price 89000"),
        ({"stop_loss": "15"}, "88000", "reached stop_loss 15"),
        ({"stop_drawdown": "25"}, "87000", "reached stop_drawdown 25"),
        ({"direction": "short_only", "stop_price": "93000"}, "93000", "reached stop_price 93000"),
    ],
)
def test_g22_a_stop_ends_flat_and_verified(params: dict[str, str], market: str, words: str) -> None:
    """G22: by price, by loss and by drawdown; nothing is bought again before an operator resumes, and then anew."""
    floor = Floor(params)
    floor.quote("90100", "90100.1")
    floor.quote("91900", "91900.1")
    floor.quote("90100", "90100.1")
    assert floor.mode is Mode.RUNNING
    floor.quote(market, str(D(market) + D("0.1")))
    assert any(words in alarm.text for alarm in floor.book.state.alarms.values())
    floor.wait(120)

    assert (floor.mode, floor.held) == (Mode.FROZEN, D(0))
    assert floor.book.state.mode_reason == "flat, verified"
    floor.quote("91000", "91000.1")
    floor.stage.deliver(OperatorCommanded(floor.stage.now_ns, Action.RESUME))
    floor.quote("91000.1", "91000.2")
    assert floor.mode is Mode.RUNNING
    assert floor.orders(Role.ENTRY)


def test_the_inside_of_a_moved_range_is_bounded_by_a_whole_ladder() -> None:
    """recenter_when held: old lots keep their exits, and what is held never exceeds one ladder."""
    floor = Floor({"out_of_range": "recenter", "out_of_range_s": "0", "recenter_when": "held"})
    for price in ("90050", "89000", "88000", "87000"):
        floor.quote(price, str(D(price) + D("0.1")))
        floor.wait(1)

    assert floor.held == D("0.01")
    exits = floor.orders(Role.EXIT)
    assert sum(order.leaves_qty for order in exits.values()) == floor.held
    for slot, order in exits.items():
        cost = floor.book.ledger(LEAD).lots[slot.partition(":")[0]].avg_price()
        assert cost is not None and order.limit_price is not None
        assert abs(order.limit_price / cost - 1 - D("0.0022003")) < D("0.00001")


def test_an_arithmetic_ladder_that_is_moved_up_still_pays_its_fees() -> None:
    """Its step is a part of the price: at twice the price the old step would not pay for both orders."""
    told = {"progression": "arithmetic", "levels": "", "net_return_bps_min": "2", "fee_bps": "10", "qty": "0.0003"}
    floor = Floor(told | {"low": "80000", "out_of_range": "recenter", "out_of_range_s": "0"})
    before = floor.prices(Role.ENTRY)
    for price in ("182000", "181990"):
        floor.quote(price, str(D(price) + D("0.1")))
        floor.wait(1)

    after = floor.prices(Role.ENTRY)
    assert len(after) == len(before)
    assert after[1] - after[0] > after[-1] * 20 * BPS > before[1] - before[0]


def test_a_remainder_on_the_other_side_is_no_reason_to_place_again() -> None:
    """A neutral grid holds the net of its lots: an exit for less than its lot rests, and nothing is sent at rest."""
    coarse = changed(PERP, step=D("0.0001"), min_qty=D("0.0003"))
    floor = Floor({"direction": "neutral"}, lead=coarse)
    floor.trade(Side.BUY, "0.001", str(floor.orders(Role.ENTRY)["6:sell"].limit_price))
    floor.trade(Side.SELL, "0.0009", str(floor.orders(Role.EXIT)["6:buy"].limit_price))
    assert floor.held == D("-0.0001")
    floor.stage.deliver(OperatorCommanded(floor.stage.now_ns, Action.HALT))
    floor.stage.deliver(OperatorCommanded(floor.stage.now_ns, Action.RESUME))
    floor.quote("90790", "90790.1")
    sent = floor.stage.sent[PERP.id]
    floor.quote("90791", "90791.1")
    floor.quote("90990", "90990.1")

    assert floor.held == D("0.0009")
    assert [order.leaves_qty for slot, order in floor.orders(Role.EXIT).items() if slot == "5:sell"] == [D("0.0009")]
    assert floor.stage.sent[PERP.id] == sent


def test_a_ladder_made_anew_leaves_remainders_in_their_own_lots() -> None:
    """A remainder of the old ladder is no part of a lot of the new one, whose pairing it would spoil."""
    coarse = changed(PERP, min_qty=D("0.0005"))
    floor = Floor({"low": "", "high": "", "width_bps": "200", "out_of_range": "recenter"}, lead=coarse)
    *_, entry = floor.orders(Role.ENTRY).values()
    floor.trade(Side.SELL, "0.001", str(entry.limit_price))
    (exit_,) = floor.orders(Role.EXIT).values()
    floor.trade(Side.BUY, "0.0008", str(exit_.limit_price))
    floor.stage.deliver(OperatorCommanded(floor.stage.now_ns, Action.HALT))
    floor.stage.deliver(OperatorCommanded(floor.stage.now_ns, Action.RESUME))
    assert floor.held == D("0.0002")
    floor.quote("94000", "94000.1")
    for _ in range(70):
        floor.wait(1)
        floor.quote("94000", "94000.1")
    floor.quote("93800", "93800.1")

    numbers = [int(slot.partition(":")[0]) for slot in floor.orders(Role.EXIT)]
    assert floor.held > D("0.001") and min(numbers) > 10
    assert floor.holds()[exit_.slot] == "below_minimum"
    assert "no_exit_level" not in floor.alarms()


def test_a_range_around_the_market_is_kept_over_a_restart() -> None:
    """Where the ladder stands is remembered: a restart at another price does not move it."""
    floor = Floor({"low": "", "high": "", "width_bps": "200"})
    before = floor.prices(Role.ENTRY)
    floor.quote("91400", "91400.1")
    floor.restart()

    assert set(before) <= set(floor.prices(Role.ENTRY))


# What holds on any market.

POLICIES: tuple[dict[str, str], ...] = (
    {},
    {"direction": "short_only"},
    {"direction": "neutral"},
    {"active_levels": "2", "hysteresis_levels": "1", "weight_ratio": "1.2", "qty": "", "level_notional": "60"},
    {"stop_loss": "20", "loss_throttle": "3", "loss_gate": "8"},
    {"stop_drawdown": "10", "direction": "neutral", "progression": "arithmetic"},
    {"cost_throttle_bps": "20", "cost_gate_bps": "60", "stop_price": "88500"},
    {"inventory_throttle": "0.3", "inventory_gate": "0.6", "max_net_qty": "0.008"},
    {"out_of_range": "recenter", "out_of_range_s": "0"},
    {"out_of_range": "recenter", "out_of_range_s": "0", "recenter_when": "held", "direction": "neutral"},
    {"out_of_range": "stop", "out_of_range_s": "0"},
    {"low": "", "high": "", "width_bps": "200", "levels": "", "net_return_bps_min": "10", "profit_lock": "3"},
)


def prices_of(seed: int, count: int) -> list[tuple[str, str]]:
    """Return a market that walks, and now and then jumps."""
    rng = random.Random(seed)
    mid, found = D(91000), []
    for _ in range(count):
        jump = rng.choice((-700, 700)) if rng.random() < 0.05 else 0
        mid = min(max(mid + D(rng.randint(-900, 900)) / 10 + jump, D(86000)), D(96000))
        found.append((str(mid), str(mid + D(rng.randint(1, 20)) / 10)))
    return found


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(POLICIES), st.booleans(), st.integers(0, 10_000))
def test_exits_cover_what_is_held_and_promises_are_kept(params: dict[str, str], hedged: bool, seed: int) -> None:
    """Lots add up to the position, exits to the lots; and inside its wake prices no quote changes a target."""
    floor = Floor(params, hedge=OTHER if hedged else None)
    rng = random.Random(seed)
    for bid, ask in prices_of(seed, 40):
        leg_id = HEDGE if hedged and rng.random() < 0.3 else LEAD
        before, digest, fills = floor.target, floor.book.digest(), floor.fills
        floor.quote(bid, ask, leg_id)
        if floor.mode is not Mode.RUNNING:
            return
        lots = floor.book.ledger(LEAD).lots
        assert sum(lot.net_qty for lot in lots.values()) == floor.held
        exits = sum(order.net_leaves for order in floor.orders(Role.EXIT).values())
        assert exits == -floor.held
        slots = [want.slot for want in floor.target.resting]
        assert len(set(slots)) == len(slots)
        quote = floor.book.quote(leg_id)
        assert quote is not None and before.wake_prices is not None
        inside = all(wake.spans(quote) for wake in before.wake_prices if wake.leg_id == leg_id)
        if inside and floor.fills == fills and (before.wake_ts_ns or floor.book.now_ns + 1) > floor.book.now_ns:
            assert floor.book.digest() == digest
            assert replace(floor.target, wake_prices=()) == replace(before, wake_prices=())


def test_a_resting_grid_promises_the_way_to_its_next_level() -> None:
    """Forty levels at rest: nothing is looked at until the market comes to a level that could rest, or leaves."""
    floor = Floor({"levels": "40", "qty": "0.0004", "active_levels": "10"})
    (wake,) = floor.target.wake_prices or ()

    assert wake.low == D("90000.1")
    assert wake.high is not None and D("91000.1") <= wake.high < D("91060")


def test_the_memory_of_a_grid_at_rest_does_not_change() -> None:
    """Each change of it is a record in the journal: a quiet hour has none."""
    floor = Floor({"stop_loss": "50", "stop_drawdown": "40", "inventory_gate": "0.9"})
    memory, sent = floor.book.state.memory, floor.stage.sent[PERP.id]
    for number in range(200):
        floor.quote(str(D(91000) + number % 7), str(D(91001) + number % 7))

    assert floor.book.state.memory == memory
    assert floor.stage.sent[PERP.id] == sent


def test_g12_a_remainder_goes_out_with_the_next_fill() -> None:
    """G12: what was too small to sell goes out with what comes next, in one order."""
    coarse = changed(PERP, min_qty=D("0.0005"))
    floor = Floor({"active_levels": "1", "max_net_qty": "0.001"}, lead=coarse)
    floor.trade(Side.SELL, "0.0003", "90994.5")
    assert floor.holds()["6:sell"] == "below_minimum"

    floor.trade(Side.SELL, "0.0007", "90994.5")

    assert [order.qty for order in floor.orders(Role.EXIT).values()] == [D("0.001")]


# As a config file.

CONFIG = """
accounts:
  simA/main: {venue: sim, balance: {USD: 500}, leverage: 10}
books:
  btc-grid:
    policy: grid
    legs:
      lead: {account: simA/main, symbol: BTC-PERP}
    budget: 500
    low: 58000
    high: 62000
    levels: 8
"""


def test_a_grid_needs_no_hedge_leg(tmp_path: Path) -> None:
    """One leg, named lead; a hedge leg alone is still a mistake."""
    (book,) = load_text(CONFIG, "grid.yaml", tmp_path).books

    assert [leg.id for leg in book.legs] == [LEAD] and book.hedge is None
    with pytest.raises(ConfigError, match="there is a hedge leg and no lead leg"):
        load_text(CONFIG.replace("lead:", "hedge:"), "grid.yaml", tmp_path)


@pytest.mark.parametrize(
    ("change", "words", "line"),
    [
        (("budget: 500", "budget: 600"), "simA/main owns 500 USD, less than 600", 9),
        (("levels: 8", "levels: 200"), "level 200 would be 0.000", 9),
        (("levels: 8", "levels: 8\nrisk: {max_notional: 10}"), "more than risk.max_notional 10", 9),
        (("levels: 8", "levels: 8\n    spacing_bps: 100"), "level 7 would have no exit level", 12),
        (("budget: 500", "budget: 500\n    leverage: 10\n    low: 50000"), "liquidation at about", 10),
        (("levels: 8", "levls: 8"), "unknown key 'levls'", 12),
    ],
)
def test_a_config_that_cannot_be_is_told_at_its_line(
    change: tuple[str, str], words: str, line: int, tmp_path: Path
) -> None:
    """G25, and what else is known before the first order: one clear message, at the place in the file."""
    text = CONFIG.replace(*change)
    if "low: 50000" in text:
        text = text.replace("    low: 58000\n", "")

    with pytest.raises(ConfigError) as caught:
        load_text(text, "grid.yaml", tmp_path)

    problem = next(problem for problem in caught.value.problems if words in problem.text)
    assert find(caught.value.source, problem)[0] == line
    assert problem.help
