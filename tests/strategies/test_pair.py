"""Pair: two equal legs in rounds, each judged by its own feed, closed in the right order, and proven flat."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hedgerow.core.events import PositionRead, ReadKind
from hedgerow.core.target import NetTarget, Taking, Target
from hedgerow.model.ids import LegId
from hedgerow.model.instrument import FeeCurrency, InstrumentKind
from hedgerow.model.market import FundingRate
from hedgerow.model.order import Role, Side
from hedgerow.sim.scenario import run_text
from hedgerow.strategies import make
from hedgerow.strategies.pair.params import common_lot
from hedgerow.strategies.pair.round import Phase, remembered, told
from hedgerow.strategies.params import BadParams
from tests.strategies.books import NOW_NS, Desk, S, instrument, resting
from tests.strategies.books import told as held_back

LONG, SHORT = LegId("long"), LegId("short")
A, B = instrument("a"), instrument("b")


def desk(**params: str) -> Desk:
    return Desk("pair", (A, B), ("long", "short"), {"qty": "0.5", "first": "long"} | params)


def shown(a: Desk) -> None:
    """Let both venues show what the fills add up to."""
    for leg_id in (LONG, SHORT):
        asked_ns = a.book.now_ns + 1
        a.book.answers[(leg_id, ReadKind.POSITION)] = asked_ns
        a.book.positions_read[leg_id] = PositionRead(asked_ns, leg_id, asked_ns, a.book.net_qty(leg_id))


def opened(**params: str) -> Desk:
    """Return a book whose round stands: 0.5 long and 0.5 short at 100."""
    a = desk(**params)
    a.target()
    a.hold_position(LONG, "0.5")
    a.hold_position(SHORT, "-0.5")
    a.target()
    assert phase(a) is Phase.OPEN
    return a


def phase(a: Desk) -> Phase:
    return remembered(a.book.state.memory).phase


def test_one_leg_opens_and_the_other_follows_its_fills() -> None:
    """P1, P7: never more than the first leg has, so that a partial fill is hedged as it comes."""
    a = desk()

    target = a.target()
    entry = resting(target, "open")
    assert entry is not None
    assert (entry.leg_id, entry.side, entry.qty, entry.role) == (LONG, Side.BUY, Decimal("0.5"), Role.ENTRY)
    assert entry.limit_price == Decimal("100.7")  # 50 bps above the ask of 100.2, down to the tick

    a.hold_position(LONG, "0.2")
    target = a.target()
    assert target.nets == (NetTarget(SHORT, Decimal("-0.2"), Taking(Decimal(50)), Role.HEDGE),)
    entry = resting(target, "open")
    assert entry is not None and entry.qty == Decimal("0.3")


@pytest.mark.parametrize(("first", "leg"), [("long", LONG), ("short", SHORT), ("thinner", SHORT)])
def test_the_thinner_venue_opens_first(first: str, leg: LegId) -> None:
    """The leg that is harder to fill goes first: the other one is the surer to follow."""
    a = desk(first=first)
    a.quote(SHORT, ("100",), ("100.2",))

    (entry,) = a.target().resting

    assert entry.leg_id == leg


def test_the_size_in_quote_is_equal_base_on_the_coarser_lot() -> None:
    """P7: 25 at 208.07 are 0.12015; steps 0.01 and 0.001 make 0.12 of both."""
    fine, coarse = instrument("a", step=Decimal("0.001")), instrument("b", step=Decimal("0.01"))
    a = Desk("pair", (fine, coarse), ("long", "short"), {"notional": "25", "first": "long"})
    for leg_id in (LONG, SHORT):
        a.quote(leg_id, ("208.06",), ("208.08",))

    (entry,) = a.target().resting

    assert entry.qty == Decimal("0.12")


@pytest.mark.parametrize(
    ("first", "second", "lot"),
    [("0.01", "0.001", "0.01"), ("0.2", "0.3", "0.6"), ("1", "1", "1"), ("0.00016", "0.0001", "0.0008")],
)
def test_the_lot_is_on_both_steps(first: str, second: str, lot: str) -> None:
    """Equal base qty is possible only on a common multiple of both steps."""
    legs = instrument("a", step=Decimal(first)), instrument("b", step=Decimal(second))

    assert common_lot(*legs) == Decimal(lot)


def test_contracts_are_not_base_units() -> None:
    """C11: a leg of contracts of 0.01 takes a hundred times the number, for the same base qty."""
    contracts = instrument("b", multiplier=Decimal("0.01"), step=Decimal(1), min_qty=Decimal(1))
    a = Desk("pair", (A, contracts), ("long", "short"), {"qty": "0.5", "first": "long"})

    a.target()
    a.hold_position(LONG, "0.5")

    (net,) = a.target().nets
    assert net.net_qty == Decimal(-50)


@pytest.mark.parametrize(
    ("bids", "asks", "closes"),
    [("99.21", "99.3", False), ("99.2", "99.3", True), ("95", "95.1", True), ("100.9", "101.1", False)],
)
def test_the_stop_of_the_long_leg_is_its_own_bid(bids: str, asks: str, closes: bool) -> None:
    """P2: 0.8 % below 100 is 99.2, judged by what closing would get."""
    a = opened()
    a.quote(LONG, (bids,), (asks,))

    nets = a.target().nets

    assert bool(nets) is closes
    assert all(net.net_qty == 0 and net.role is Role.EXIT for net in nets)


def test_a_stop_closes_both_legs_and_wants_no_limit_any_more() -> None:
    """P3: the limits leave the target, so they are canceled first; the core closes only what is free of them."""
    a = opened()
    a.quote(SHORT, ("100.9",), ("101",))

    target = a.target()

    assert {net.leg_id for net in target.nets} == {LONG, SHORT}
    assert target.resting == ()
    assert remembered(target.memory).reason.startswith("stop_loss short at 101")


def test_the_profit_of_each_leg_rests_at_its_venue() -> None:
    """P3: reduce-only limits 1.2 % in profit, on the tick, away from the market."""
    target = opened(take_profit_bps="123").target()

    takes = {want.leg_id: want for want in target.resting}
    assert (takes[LONG].side, takes[LONG].limit_price, takes[LONG].qty) == (
        Side.SELL,
        Decimal("101.3"),
        Decimal("0.5"),
    )
    assert (takes[SHORT].side, takes[SHORT].limit_price) == (Side.BUY, Decimal("98.7"))
    assert all(want.reduce_only and want.role is Role.EXIT and want.slot == "take_profit" for want in takes.values())


def test_a_filter_that_the_venue_changed_counts_at_once() -> None:
    """D10: a limit off the new tick would be refused again and again."""
    a = opened()
    leg = a.book.legs[LONG]
    a.book.legs[LONG] = replace(leg, instrument=replace(leg.instrument, tick=Decimal("0.5")))

    takes = {want.leg_id: want.limit_price for want in a.target().resting}

    assert takes == {LONG: Decimal("101.5"), SHORT: Decimal("98.8")}


def test_the_winner_runs_and_says_why() -> None:
    """P3: the residual is a choice then; what would alarm by its age says so instead."""
    a = opened(after_exit="run_winner")
    a.quote(SHORT, ("100.9",), ("101",))

    target = a.target()

    (net,) = target.nets
    assert (net.leg_id, net.net_qty) == (SHORT, Decimal(0))
    assert [want.leg_id for want in target.resting] == [LONG]
    assert "long runs" in target.unhedged_reason

    a.hold_position(SHORT, "0")
    a.quote(LONG, ("99.2",), ("99.3",))
    target = a.target()
    assert {each.leg_id for each in target.nets} == {LONG, SHORT}
    assert target.unhedged_reason == ""


@pytest.mark.parametrize(("bid", "reason"), [("99.6", "net_stop_loss"), ("101", "net_take_profit")])
def test_both_legs_together_have_limits_too(bid: str, reason: str) -> None:
    """A pair may win on one leg what it loses on the other: the sum is judged where the config says so."""
    a = opened(net_stop_loss_bps="50", net_take_profit_bps="70", take_profit_bps="none")
    a.quote(LONG, (bid,), ("101.2",))

    assert remembered(a.target().memory).reason.startswith(reason)


def test_a_blind_leg_alarms_and_time_still_counts() -> None:
    """P2: without a price nothing can be judged; the time limit needs none."""
    a = opened(max_hold_s="60")
    a.wait("11")
    a.quote(LONG, ("100",), ("100.2",))

    target = a.target()
    assert [alarm.subject for alarm in target.alarms] == [SHORT]
    assert target.wake_prices is None, "its next price ends the alarm, so it matters"
    assert target.nets == ()

    a.wait("49")
    assert {net.leg_id for net in a.target().nets} == {LONG, SHORT}


def test_a_start_is_not_blind_before_its_feeds_had_time() -> None:
    """After a restart no quote has come yet: that is no alarm, until it lasts."""
    a = opened()
    for leg_id in (LONG, SHORT):
        a.unquote(leg_id)
        a.book.linked_ts_ns[leg_id] = a.book.now_ns

    assert a.target().alarms == ()
    assert a.target().wake_prices is None

    a.wait("11")
    assert {alarm.subject for alarm in a.target().alarms} == {LONG, SHORT}


def test_the_book_looks_again_at_the_interval_and_at_each_limit() -> None:
    """Quotes between the stops change nothing; the time limits and the monitoring interval come by the clock."""
    a = opened(monitor_s="5", max_hold_s="8", open_timeout_s="2")

    target = a.target()
    assert target.wake_ts_ns == NOW_NS + 5 * S
    bounds = {wake.leg_id: (wake.low, wake.high) for wake in target.wake_prices or ()}
    assert bounds == {LONG: (Decimal("99.3"), None), SHORT: (None, Decimal("100.7"))}

    a.wait("6")
    a.quote(LONG, ("100",), ("100.2",))
    a.quote(SHORT, ("100",), ("100.2",))
    assert a.target().wake_ts_ns == NOW_NS + 8 * S


def test_a_round_is_over_when_both_venues_show_it() -> None:
    """P5: our fills say flat; until the venues do, their positions are asked for, and after a while it is alarmed."""
    a = opened()
    a.quote(LONG, ("99",), ("99.1",))
    a.target()
    a.hold_position(LONG, "0")
    a.hold_position(SHORT, "0")

    target = a.target()
    assert phase(a) is Phase.CLOSING
    assert target.shown_legs == (LONG, SHORT)
    assert target.wake_ts_ns is not None

    a.wait("41")
    assert {alarm.kind.value for alarm in a.target().alarms} == {"close_failed"}

    shown(a)
    a.target()
    assert phase(a) is Phase.WAITING
    assert held_back(a.target()) == {"long/open": "round_over"}


def test_an_orphan_is_closed_and_the_round_failed() -> None:
    """P1: only what opened is closed, and what is told is that the round failed."""
    a = desk(open_timeout_s="10")
    a.target()
    a.hold_position(LONG, "0.5")
    a.target()
    a.wait("10")

    target = a.target()
    assert {net.leg_id: net.net_qty for net in target.nets} == {LONG: 0, SHORT: 0}
    assert target.resting == ()

    a.hold_position(LONG, "0")
    shown(a)
    target = a.target()
    assert [alarm.kind.value for alarm in target.alarms] == ["round_failed"]
    assert "short did not open within 10 s" in target.alarms[0].text


def test_a_fee_in_base_leaves_enough_to_be_closed() -> None:
    """Bought at the very minimum, a leg that pays in what it bought could not be sold again."""
    spot = instrument("a", InstrumentKind.SPOT, min_qty=Decimal("0.3"), fee_currency=FeeCurrency.RECEIVED)

    smallest, enough = (
        Desk("pair", (spot, B), ("long", "short"), {"qty": qty, "first": "long"}) for qty in ("0.3", "0.301")
    )

    assert held_back(smallest.target()) == {"long/open": "below_minimum"}
    assert held_back(enough.target()) == {}
    assert phase(enough) is Phase.OPENING


def test_a_remainder_that_would_stop_the_next_round_at_once_lets_none_begin() -> None:
    """A leg that its venue lets nobody close, below its stop: each round would lose its fees and spread, for ever."""
    a = desk(rounds="continuous", pause_s="0", stop_loss_bps="80")
    a.hold_position(LONG, "0.04", "120")

    held = held_back(a.target())
    waiting = phase(a)
    a.hold_position(LONG, "0.04", "101")
    a.target()

    assert waiting is Phase.WAITING
    assert held == {"long/open": "below_minimum"}
    assert phase(a) is Phase.OPENING


def test_a_smaller_round_that_is_equal_stays() -> None:
    """Both legs got the same part of what was wanted: there is no orphan, so nothing is closed."""
    a = desk(open_timeout_s="10")
    a.target()
    a.hold_position(LONG, "0.2")
    a.hold_position(SHORT, "-0.2")
    a.target()
    a.wait("10")
    for leg_id in (LONG, SHORT):
        a.quote(leg_id, ("100",), ("100.2",))

    target = a.target()

    assert phase(a) is Phase.OPEN
    assert {want.qty for want in target.resting} == {Decimal("0.2")}


@pytest.mark.parametrize(
    ("params", "rates", "reason"),
    [
        ({"entry_basis_bps_min": "-25"}, None, None),
        ({"entry_basis_bps_min": "-19"}, None, "no_signal"),
        ({"entry_spread_bps_max": "20"}, None, None),
        ({"entry_spread_bps_max": "19"}, None, "no_signal"),
        ({"entry_funding_bps_per_day_min": "6"}, ("0.0001", "0.0003"), None),
        ({"entry_funding_bps_per_day_min": "7"}, ("0.0001", "0.0003"), "no_signal"),
        ({"entry_funding_bps_per_day_min": "0"}, None, "no_signal"),
    ],
)
def test_a_round_begins_only_in_a_market_that_is_good_enough(
    params: dict[str, str], rates: tuple[str, str] | None, reason: str | None
) -> None:
    """Prices between the venues, the spread of each, and what funding pays: unknown is not zero."""
    a = desk(**params)
    for leg_id, rate in zip((LONG, SHORT), rates or (), strict=False):
        instrument_id = a.config.leg(leg_id).instrument.id
        a.book.funding_rates[instrument_id] = FundingRate(instrument_id, NOW_NS, Decimal(rate), 28_800, NOW_NS)

    target = a.target()

    assert bool(target.resting) is (reason is None)
    assert [hold.reason.value for hold in target.holds] == ([] if reason is None else [reason])


def test_what_is_adopted_as_a_pair_is_a_round() -> None:
    """P9: equal legs that were there before get their stops and limits; unequal ones are closed."""
    a = desk()
    a.hold_position(LONG, "0.4")
    a.hold_position(SHORT, "-0.4")
    assert {want.leg_id for want in a.target().resting} == {LONG, SHORT}

    b = desk()
    b.hold_position(LONG, "0.4")
    assert {net.leg_id: net.net_qty for net in b.target().nets} == {LONG: 0, SHORT: 0}


@pytest.mark.parametrize(
    ("params", "key"),
    [
        ({}, "notional"),
        ({"qty": "0.5", "notional": "25"}, "notional"),
        ({"qty": "0.0005"}, "qty"),
        ({"notional": "0"}, "notional"),
        ({"qty": "0.5", "stop_loss_bps": "-80"}, "stop_loss_bps"),
        ({"qty": "0.5", "rounds": "twice"}, "rounds"),
        ({"qty": "0.5", "take_proft_bps": "120"}, "take_proft_bps"),
    ],
)
def test_what_does_not_fit_together_is_refused(params: dict[str, str], key: str) -> None:
    """A misspelt stop must not look like one that is kept."""
    with pytest.raises(BadParams) as refused:
        Desk("pair", (A, B), ("long", "short"), params)

    assert [error.key for error in refused.value.errors] == [key]


def test_legs_that_are_no_pair_are_refused() -> None:
    """Another underlying, a spot account that would sell short, one leg: each is told with what to do."""
    good = desk().config
    spot, other = instrument("s", InstrumentKind.SPOT), instrument("c", base="ETH")
    for short, words in ((spot, "sold short"), (other, "is BTC and")):
        with pytest.raises(BadParams, match=words):
            Desk("pair", (A, short), ("long", "short"), {"qty": "0.5"})
    with pytest.raises(BadParams, match="long and a short leg"):
        make(replace(good, hedge=None))


@pytest.mark.parametrize(
    ("memory", "line"),
    [
        ("", ""),
        ('{"round":2,"phase":"opening","first":"short","base_qty":"0.12"}', "round 2 opening 0.12 a leg, short first"),
        ('{"round":2,"phase":"closing","reason":"max_hold 60 s"}', "round 2 closing: max_hold 60 s"),
        (
            '{"round":2,"reason":"max_hold 60 s","opened_ts_ns":1,"won":"-0.0510"}',
            "round 2 over, both legs flat: max_hold 60 s; -0.051 after fees",
        ),
        ('{"round":2,"reason":"r"}', "round 2 failed, both legs flat: r; +0 after fees"),
    ],
)
def test_a_round_is_told_in_a_line(memory: str, line: str) -> None:
    """What is in the journal for the policy is there for people too."""
    assert told(memory) == line


MILLI = st.sampled_from((-500, 0, 3, 200, 495, 500, 505)).map(lambda milli: Decimal(milli) / 1000)
PRICES = st.integers(985, 1015).map(lambda price: Decimal(price) / 10)
MOVES = st.one_of(
    st.tuples(st.just("hold"), st.sampled_from((LONG, SHORT)), MILLI),
    st.tuples(st.just("quote"), st.sampled_from((LONG, SHORT)), PRICES),
    st.tuples(st.just("wait"), st.just(LONG), st.integers(0, 30).map(Decimal)),
    st.tuples(st.just("shown"), st.just(LONG), st.just(Decimal(0))),
)
WAYS: tuple[dict[str, str], ...] = (
    {},
    {"after_exit": "run_winner"},
    {"rounds": "continuous", "pause_s": "5"},
    {"net_stop_loss_bps": "50"},
)


@settings(max_examples=150)
@given(st.sampled_from(WAYS), st.lists(MOVES, max_size=14), st.data())
def test_a_target_is_stable_within_what_is_held_and_as_promised(
    params: dict[str, str], moves: list[tuple[str, LegId, Decimal]], data: st.DataObject
) -> None:
    """Whatever happens: asked twice the same, exits within what is held, no change by quotes inside the promise."""
    a = desk(max_hold_s="100", **params)
    for what, leg_id, number in moves:
        if what == "hold":
            a.hold_position(leg_id, str(number * (1 if leg_id == LONG else -1)))
        elif what == "quote":
            a.quote(leg_id, (str(number),), (str(number + Decimal("0.2")),))
        elif what == "wait":
            a.wait(str(number))
        else:
            shown(a)
        target = a.target()
        assert a.target() == target, moves
        _within(a, target)
    _as_promised(a, data)


def _within(a: Desk, target: Target) -> None:
    assert len({(want.leg_id, want.slot) for want in target.resting}) == len(target.resting)
    for want in target.resting:
        held = a.book.net_qty(want.leg_id)
        assert want.qty > 0
        if want.role is Role.EXIT:
            assert want.side is (Side.SELL if held > 0 else Side.BUY)
            assert want.qty <= abs(held)
            assert want.leg_id not in {net.leg_id for net in target.nets}
        else:
            assert phase(a) is Phase.OPENING
            assert want.qty + abs(held) <= Decimal("0.5")
    for net in target.nets:
        assert net.net_qty == 0 or net.net_qty * a.book.net_qty(net.leg_id) >= 0 or net.role is Role.HEDGE


def _as_promised(a: Desk, data: st.DataObject) -> None:
    target = a.target()
    if target.wake_prices is None:
        return
    named = {wake.leg_id: wake for wake in target.wake_prices}
    for leg_id in (LONG, SHORT):
        bid = data.draw(PRICES)
        before = a.book.quote(leg_id)
        a.quote(leg_id, (str(bid),), (str(bid + Decimal("0.1")),))
        after = a.book.quote(leg_id)
        assert after is not None
        if leg_id in named and not named[leg_id].spans(after) and before is not None:
            a.book.quotes[after.instrument_id] = before
    again = a.target()
    assert (again.nets, again.resting, again.holds, again.memory, again.alarms) == (
        target.nets,
        target.resting,
        target.holds,
        target.memory,
        target.alarms,
    )


BOOK = "hedge H1 pair long A:X short B:X\nparam qty 0.5\nparam rounds continuous\nparam pause_s 1\n"
LINES = st.sampled_from(
    """\
> quote A:X 99.99 / 100.01
> quote B:X 99.99 / 100.01
> quote A:X 98.99 / 99.01
> quote B:X 101.1 / 101.2
> filled A:X buy 0.5 @ 100.0
> filled A:X sell 0.2 @ 100.0
> filled B:X sell 0.5 @ 100.0
> filled B:X buy 0.3 @ 100.0
> after 2 s
> after 30 s
> crash
> crash after append
> restart
> operator halt
> operator flatten
> operator resume
> liquidated B:X buy 0.1 @ 110.0
> position A:X 1
> reads A:X fail
> filters B:X step 0.3 min 0.3
> link_down A:X
> link_up A:X
""".splitlines()
)


@settings(max_examples=60)
@given(st.lists(LINES, max_size=20))
def test_no_order_of_messages_breaks_a_round(lines: list[str]) -> None:
    """Whatever a venue or a person does in the middle of a round, the engine's own checks hold."""
    result = run_text("story.txt", BOOK + "\n".join(lines))

    assert "own checks" not in result.expected, ("\n".join(lines), result.told)
