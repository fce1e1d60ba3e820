"""Carry: spot against futures, hedged by increment, entered on conditions or signals, unwound from what is held."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.core.commands import ForeignNoted, Mode, PositionAdopted, SubmitOrder
from hedgerow.core.config import BookConfig
from hedgerow.core.events import OpenOrdersRead, OrderRejected, PositionRead, RejectClass, TradesRead
from hedgerow.core.target import Making, Taking
from hedgerow.model.instrument import InstrumentKind
from hedgerow.model.market import BorrowRate
from hedgerow.model.order import Role, Side
from hedgerow.strategies import make
from hedgerow.strategies.params import BadParams
from tests.core import books as core_books
from tests.strategies.books import NOW_NS, Desk, S, instrument, resting, told

SPOT = instrument("spot", InstrumentKind.SPOT, step=Decimal("0.0001"), min_qty=Decimal("0.0001"))
FUTURES = instrument("futures")
OPEN = {"entry_qty": "0.1", "max_net_qty": "0.3", "entry_basis_bps_min": "0"}
BY_SIGNAL = {"entry_qty": "0.1", "max_net_qty": "0.3", "entry_on": "signal"}


def desk(params: dict[str, str] | None = None, **more: str) -> Desk:
    """Return a book whose futures stand 40 bps above spot."""
    carry = Desk("carry", (SPOT, FUTURES), ("spot", "futures"), (OPEN if params is None else params) | more)
    carry.quote(carry.hedge, ("100.6", "100.5"), ("100.7", "100.8"))
    return carry


def closing(**more: str) -> Desk:
    return desk({"mode": "close", "entry_qty": "0.1"}, **more)


def held(carry: Desk, spot: str, futures: str) -> Desk:
    carry.hold_position(carry.lead, spot)
    carry.hold_position(carry.hedge, futures)
    return carry


def style(carry: Desk) -> Taking | Making:
    return carry.target().nets[0].style


def limit_price(carry: Desk, slot: str = "entry/1") -> Decimal | None:
    want = resting(carry.target(), slot)
    assert want is not None, slot
    return want.limit_price


def test_an_entry_rests_at_spots_own_best_price() -> None:
    """Forward: spot is bought, futures are sold."""
    entry = resting(desk().target(), "entry/1")

    assert entry is not None
    assert (entry.side, entry.qty, entry.limit_price) == (Side.BUY, Decimal("0.1"), Decimal(100))
    assert entry.role is Role.ENTRY and not entry.post_only


def test_a_market_entry_has_no_price() -> None:
    """It takes as soon as the conditions are met."""
    assert limit_price(desk(entry_type="market")) is None


def test_a_market_entry_that_stands_is_looked_at_again_when_it_is_old() -> None:
    """Its quotes matter from then on: until then it stays whatever they say."""
    carry = desk(entry_type="market")
    carry.stand(carry.lead, "entry/1", Side.BUY, "0.1", None)

    target = carry.target()

    assert target.wake_prices == ()
    assert target.wake_ts_ns == NOW_NS + 30 * S


def test_an_entry_keeps_its_price_until_the_timeout() -> None:
    """No churn on every quote."""
    carry = desk(entry_timeout_s="30")
    carry.stand(carry.lead, "entry/1", Side.BUY, "0.1", "100")
    carry.quote(carry.lead, ("100.1",), ("100.2",))
    assert limit_price(carry) == Decimal(100)
    assert carry.target().wake_ts_ns == NOW_NS + 30 * S

    carry.wait("30")
    assert limit_price(carry) == Decimal("100.1")


def test_the_basis_is_what_both_legs_would_get() -> None:
    """Futures at their bid, spot at its ask: a mid would flatter it."""
    assert resting(desk(entry_basis_bps_min="39.9").target(), "entry/1") is not None

    target = desk(entry_basis_bps_min="40").target()

    assert target.resting == ()
    assert told(target) == {"spot/entry/1": "no_signal"}
    assert target.holds[0].numbers == (("basis_bps", "39.92"), ("basis_bps_min", "40"))


def test_funding_must_pay_enough_when_asked_for() -> None:
    """0.01 % per 8 hours is 3 bps a day; an unknown rate is not a good one."""
    carry = desk(entry_funding_bps_per_day_min="3")
    assert told(carry.target()) == {"spot/entry/1": "no_signal"}

    carry.fund("0.0001")
    assert resting(carry.target(), "entry/1") is not None

    carry.fund("0.00009")
    assert told(carry.target()) == {"spot/entry/1": "no_signal"}


def test_carry_is_funding_less_borrow_and_basis_less_fees_over_the_horizon() -> None:
    """6 of funding, 2 of borrow, a basis of 39.92, fees of 20 and 10 days: 5.99 bps a day."""
    carry = desk(
        entry_basis_bps_min="none",
        entry_carry_bps_per_day_min="6",
        borrow_bps_per_day="2",
        fees_bps="20",
        horizon_days="10",
    )
    carry.fund("0.0002")
    target = carry.target()
    assert told(target) == {"spot/entry/1": "no_signal"}
    assert dict(target.holds[0].numbers)["carry_bps_per_day"] == "5.99"

    carry.quote(carry.hedge, ("100.7",), ("100.8",))
    assert resting(carry.target(), "entry/1") is not None


@pytest.mark.parametrize(("basis", "carry_min"), [("30", "14"), ("90", "1")])
def test_two_conditions_are_waited_for_until_both_can_be_met(basis: str, carry_min: str) -> None:
    """One of them is met at a basis of 39.92: quotes do not matter until the other one is near."""
    params = {"borrow_bps_per_day": "2", "fees_bps": "20", "horizon_days": "10"}
    carry = desk(entry_basis_bps_min=basis, entry_carry_bps_per_day_min=carry_min, **params)
    carry.fund("0.0002")

    target = carry.target()

    assert told(target) == {"spot/entry/1": "no_signal"}
    assert {wake.leg_id for wake in target.wake_prices or ()} == {carry.lead, carry.hedge}


def test_an_unknown_loan_is_not_a_free_one() -> None:
    """A margin account whose rate was not told yet waits; own money costs nothing."""
    params = {"entry_qty": "0.1", "max_net_qty": "0.3", "entry_carry_bps_per_day_min": "1"}
    borrows = Desk("carry", (replace(SPOT, kind=InstrumentKind.MARGIN), FUTURES), ("spot", "futures"), params)
    owns = desk(params)
    for each in (borrows, owns):
        each.quote(each.hedge, ("100.6",), ("100.7",))
        each.fund("0.0001")

    assert dict(borrows.target().holds[0].numbers)["borrow_bps_per_day"] == "unknown"
    assert resting(owns.target(), "entry/1") is not None

    borrows.book.borrow_rates[borrows.lead, "USDT"] = BorrowRate("USDT", NOW_NS, Decimal("0.00001"), 3_600)
    assert resting(borrows.target(), "entry/1") is not None


def test_what_is_held_is_unwound_when_its_income_is_gone() -> None:
    """Basis and fees are sunk: only funding less borrow says whether to stay."""
    carry = held(desk(exit_carry_bps_per_day_max="0", borrow_bps_per_day="3"), "0.1", "-0.1")
    carry.fund("0.0002")
    assert resting(carry.target(), "exit") is None

    carry.fund("0.0001")
    exit_ = resting(carry.target(), "exit")
    assert exit_ is not None and exit_.qty == Decimal("0.1")


def test_a_resting_entry_outlives_its_conditions_until_its_timeout() -> None:
    """A basis that flickers around its threshold must not cancel and place with each quote."""
    carry = desk(entry_basis_bps_min="30", entry_timeout_s="30")
    carry.stand(carry.lead, "entry/1", Side.BUY, "0.1", "100")
    carry.quote(carry.hedge, ("100.3",), ("100.4",))
    target = carry.target()
    assert resting(target, "entry/1") is not None
    assert target.wake_ts_ns == NOW_NS + 30 * S

    carry.wait("30")
    target = carry.target()
    assert target.resting == ()


def test_a_resting_entry_is_withdrawn_at_once_below_its_own_threshold() -> None:
    """`withdraw_basis_bps` is for those who would rather lose the place than the basis."""
    carry = desk(entry_basis_bps_min="30", withdraw_basis_bps="20")
    carry.stand(carry.lead, "entry/1", Side.BUY, "0.1", "100")
    carry.quote(carry.hedge, ("100.45",), ("100.5",))
    assert resting(carry.target(), "entry/1") is not None

    carry.quote(carry.hedge, ("100.3",), ("100.4",))
    assert carry.target().resting == ()


def test_a_ladder_rests_one_step_after_the_other() -> None:
    """Every level has its own slot, so that each is kept, filled and replaced by itself."""
    carry = desk(ladder_levels="3", ladder_step_bps="10")

    orders = [(want.slot, want.limit_price) for want in carry.target().resting]

    assert orders == [("entry/1", Decimal(100)), ("entry/2", Decimal("99.9")), ("entry/3", Decimal("99.8"))]


def test_a_ladder_and_what_is_held_stay_within_the_largest_position() -> None:
    """A slot that filled is not filled again while the others may still take what is left."""
    carry = held(desk(ladder_levels="3"), "0.1", "-0.1")
    carry.stand(carry.lead, "entry/2", Side.BUY, "0.1", "99.9")
    carry.stand(carry.lead, "entry/3", Side.BUY, "0.1", "99.8")

    target = carry.target()

    assert [want.slot for want in target.resting] == ["entry/2", "entry/3"]


def test_what_base_fees_took_is_not_entered_again() -> None:
    """0.2997 of 0.3 is full: no order, and no hold that never ends."""
    carry = held(desk(), "0.2997", "-0.2997")

    target = carry.target()

    assert target.resting == () and target.holds == ()


def test_nothing_new_is_entered_while_the_hedge_is_behind() -> None:
    """A resting entry may stay; the next one waits."""
    carry = held(desk(), "0.1", "0")
    assert told(carry.target()) == {"spot/entry/1": "gated"}

    carry.stand(carry.lead, "entry/1", Side.BUY, "0.1", "100", filled="0.05")
    assert resting(carry.target(), "entry/1") is not None


def test_entries_stop_without_a_price_of_futures() -> None:
    """C4: what cannot be hedged is not entered; the hedge stays wanted."""
    carry = desk(BY_SIGNAL)
    carry.signal(NOW_NS)
    carry.unquote(carry.hedge)

    target = carry.target()

    assert target.resting == ()
    assert told(target) == {"spot/entry/1": "no_mark_price"}
    assert len(target.nets) == 1


def test_dust_is_carried_to_the_next_increment() -> None:
    """C3: 0.0022 filled on a step of 0.001 leaves 0.0002, and entering goes on."""
    carry = held(desk(), "0.0022", "-0.002")

    target = carry.target()

    assert target.nets[0].net_qty == Decimal("-0.0022")
    assert resting(target, "entry/1") is not None


def test_without_a_signal_nothing_is_entered() -> None:
    """And the hold says what it waits for."""
    assert told(desk(BY_SIGNAL).target()) == {"spot/entry/1": "no_signal"}


def test_a_signal_is_used_once() -> None:
    """One signal, one entry: neither its fill nor a restart makes another."""
    carry = desk(BY_SIGNAL)
    carry.signal(NOW_NS)
    entry = resting(carry.target(), "entry/1")
    assert entry is not None and entry.qty == Decimal("0.1")

    held(carry, "0.1", "-0.1")
    assert carry.target().resting == ()
    held(carry, "0", "0")
    assert carry.target().resting == ()

    carry.wait("1")
    carry.signal(carry.book.now_ns)
    assert resting(carry.target(), "entry/1") is not None


def test_what_a_signal_began_is_finished() -> None:
    """A re-quoted entry is for what is still missing, however long that takes."""
    carry = desk(BY_SIGNAL, signal_age_s_max="10")
    carry.signal(NOW_NS)
    carry.target()
    held(carry, "0.04", "-0.04")
    carry.wait("100")

    entry = resting(carry.target(), "entry/1")

    assert entry is not None and entry.qty == Decimal("0.06")


def test_a_signal_enters_the_whole_ladder() -> None:
    """Limited by the largest position."""
    carry = desk(BY_SIGNAL, ladder_levels="5")
    carry.signal(NOW_NS)

    assert sum(want.qty for want in carry.target().resting) == Decimal("0.3")


def test_a_stale_signal_is_dropped_with_a_reason_and_once() -> None:
    """C13: made before a restart, read after it."""
    carry = desk(BY_SIGNAL, signal_age_s_max="60")
    carry.signal(NOW_NS - 61 * S)
    target = carry.target()
    assert target.resting == ()
    assert told(target) == {"spot/entry/1": "stale_signal"}
    memory = target.memory

    carry.wait("10")
    assert carry.target().memory == memory


def test_a_signal_older_than_a_resume_is_dropped() -> None:
    """What was stopped by a person is not begun again by an old signal."""
    carry = desk(BY_SIGNAL)
    carry.signal(NOW_NS)
    assert resting(carry.target(), "entry/1") is not None
    carry.wait("1")
    carry.book.state.mode_ts_ns = carry.book.now_ns

    target = carry.target()

    assert target.resting == ()
    assert told(target) == {"spot/entry/1": "stale_signal"}


def test_a_signal_waits_while_no_entry_may_pass() -> None:
    """A signal that arrives while the book is not ready is used when it is, or grows stale."""
    carry = desk(BY_SIGNAL, signal_age_s_max="60")
    carry.signal(NOW_NS)
    carry.book.state.mode, carry.book.state.mode_reason = Mode.FROZEN, "drill"
    target = carry.target()
    assert told(target) == {"spot/entry/1": "frozen"}
    assert target.memory == ""
    assert target.wake_ts_ns == NOW_NS + 60 * S + 1

    carry.book.state.mode = Mode.RUNNING
    assert resting(carry.target(), "entry/1") is not None


def test_a_signal_with_conditions_waits_for_them() -> None:
    """Thresholds that are set count for signals as well."""
    carry = desk(BY_SIGNAL, entry_basis_bps_min="50")
    carry.signal(NOW_NS)

    assert told(carry.target()) == {"spot/entry/1": "no_signal"}


def test_a_taker_hedge_is_a_market_order() -> None:
    """MT: whatever is owed is taken."""
    carry = held(desk(), "0.1", "0")

    net = carry.target().nets[0]

    assert (net.net_qty, net.style, net.role) == (Decimal("-0.1"), Taking(None), Role.HEDGE)


@pytest.mark.parametrize(
    ("spot", "futures", "more", "price"),
    [
        ("0.1", "0", {}, "100.7"),
        ("0", "-0.1", {}, "100.6"),
        ("0.1", "0", {"maker_offset_ticks": "2"}, "100.9"),
        ("0", "-0.1", {"maker_offset_ticks": "2"}, "100.4"),
        ("0.1", "0", {"maker_price": "101.5"}, "101.5"),
    ],
)
def test_a_maker_hedge_rests_at_its_own_best_price(spot: str, futures: str, more: dict[str, str], price: str) -> None:
    """MM: the ask when selling, the bid when buying back, behind it by the offset, or a fixed price."""
    carry = held(desk(OPEN | {"hedge_style": "maker"} | more), spot, futures)

    assert style(carry) == Making(Decimal(price))


def test_a_maker_hedge_is_moved_only_when_it_is_away_and_old_enough() -> None:
    """`requote_ticks` and `requote_s` bound the churn."""
    carry = held(desk(hedge_style="maker", requote_ticks="3", requote_s="2"), "0.1", "0")
    carry.stand(carry.hedge, "", Side.SELL, "0.1", "100.7")
    carry.quote(carry.hedge, ("100.4",), ("100.5",))
    carry.wait("5")
    assert style(carry) == Making(Decimal("100.7"))

    carry.stand(carry.hedge, "", Side.SELL, "0.1", "100.7")
    carry.quote(carry.hedge, ("100.3",), ("100.4",))
    assert style(carry) == Making(Decimal("100.4"))


def test_a_young_maker_hedge_stays_where_it_is() -> None:
    """And the policy asks to be woken when it may be moved."""
    carry = held(desk(hedge_style="maker", requote_s="2"), "0.1", "0")
    carry.stand(carry.hedge, "", Side.SELL, "0.1", "100.7")
    carry.quote(carry.hedge, ("100.4",), ("100.5",))

    target = carry.target()

    assert target.nets[0].style == Making(Decimal("100.7"))
    assert target.wake_ts_ns == NOW_NS + 2 * S


def test_a_maker_hedge_is_taken_by_the_clock() -> None:
    """C6: a residual older than `maker_timeout_s` is worth its fee, and the policy wakes for it by itself."""
    carry = held(desk(hedge_style="maker", maker_timeout_s="30"), "0.1", "0")
    assert carry.target().wake_ts_ns == NOW_NS + 30 * S

    carry.wait("30")
    assert style(carry) == Taking(None)


def test_a_maker_hedge_is_taken_after_refusals_in_a_row() -> None:
    """C6: -5022 again and again; other refusals are no reason to pay more."""
    carry = held(desk(hedge_style="maker", maker_tries_max="3"), "0.1", "0")
    carry.refused(carry.hedge, 2)
    assert isinstance(style(carry), Making)
    carry.refused(carry.hedge, 3, RejectClass.RATE_LIMITED)
    assert isinstance(style(carry), Making)

    carry.refused(carry.hedge, 3)
    assert style(carry) == Taking(None)


@pytest.mark.parametrize(
    ("spot", "futures", "near", "far"),
    [
        ("0.1", "0", ("100.5", "100.6"), ("100.3", "100.4")),
        ("0", "-0.1", ("100.7", "100.8"), ("100.9", "101")),
    ],
)
def test_a_maker_hedge_is_taken_when_the_price_runs_away(
    spot: str, futures: str, near: tuple[str, str], far: tuple[str, str]
) -> None:
    """C6: measured from the price at which the hedge became owed, so that re-quoting does not hide it."""
    carry = held(desk(hedge_style="maker", maker_distance_bps_max="20"), spot, futures)
    assert isinstance(style(carry), Making)
    carry.quote(carry.hedge, (near[0],), (near[1],))
    assert isinstance(style(carry), Making)

    carry.quote(carry.hedge, (far[0],), (far[1],))
    assert style(carry) == Taking(None)


def test_a_hedge_once_taken_is_taken_to_its_end() -> None:
    """A price that comes back must not make it rest again; the next increment rests again."""
    carry = held(desk(hedge_style="maker", maker_distance_bps_max="20"), "0.1", "0")
    carry.target()
    carry.quote(carry.hedge, ("100.3",), ("100.4",))
    carry.target()
    carry.quote(carry.hedge, ("100.6",), ("100.7",))
    held(carry, "0.1", "-0.04")
    assert style(carry) == Taking(None)

    held(carry, "0.1", "-0.1")
    assert carry.target().memory == ""
    held(carry, "0.2", "-0.1")
    assert isinstance(style(carry), Making)


def test_a_maker_without_any_price_leaves_the_hold_to_the_core() -> None:
    """C4: no mark price; there is nothing to rest at, and nothing is forgotten."""
    carry = held(desk(hedge_style="maker"), "0.1", "0")
    carry.unquote(carry.hedge)

    assert carry.target().nets[0].net_qty == Decimal("-0.1")
    assert isinstance(style(carry), Taking)


def test_closing_sells_spot_in_increments_by_limit() -> None:
    """C14: at spot's own ask, an exit, and only one order at a time; futures follow the fills."""
    target = held(closing(), "0.997", "-0.997").target()

    (order,) = target.resting
    assert (order.side, order.qty, order.limit_price) == (Side.SELL, Decimal("0.1"), Decimal("100.2"))
    assert order.role is Role.EXIT and not order.reduce_only
    assert target.nets[0].net_qty == Decimal("-0.997")


@pytest.mark.parametrize(
    ("spot", "futures", "qty"),
    [("0.05", "-0.05", "0.05"), ("0.1004", "-0.1", "0.1"), ("0", "-0.1", None), ("0.1", "0.1", None)],
)
def test_closing_never_sells_more_than_both_legs_hold(spot: str, futures: str, qty: str | None) -> None:
    """C14: min(|spot|, |futures|), and nothing when they stand on one side."""
    order = resting(held(closing(), spot, futures).target(), "exit")

    assert (order.qty if order is not None else None) == (Decimal(qty) if qty is not None else None)


def test_closing_waits_until_futures_are_bought_back() -> None:
    """By increment: spot must not run ahead of its hedge."""
    carry = held(closing(), "0.9", "-1")
    assert told(carry.target()) == {"spot/exit": "gated"}

    carry.unquote(carry.hedge)
    held(carry, "0.9", "-0.9")
    assert told(carry.target()) == {"spot/exit": "no_mark_price"}


def test_closing_shows_the_rest() -> None:
    """C14: what the accounts hold beyond the matched part stays, with its number."""
    carry = held(closing(), "0.997", "-0.997")
    carry.book.ledger(carry.lead).foreign_net_qty = Decimal("0.003")

    target = carry.target()

    assert told(target) == {"spot/rest": "insufficient_holdings"}
    assert target.holds[0].numbers == (("rest", "0.003"),)


def test_closing_waits_for_the_positions() -> None:
    """Before the accounts were read nothing is known to be held."""
    carry = closing()
    carry.book.ledger(carry.lead).foreign_net_qty = None

    assert told(carry.target()) == {"spot/exit": "reconciling"}


def test_closing_may_wait_for_its_basis() -> None:
    """`exit_basis_bps_max` is measured at the prices that unwinding would pay."""
    carry = held(closing(exit_basis_bps_max="60"), "0.5", "-0.5")
    target = carry.target()
    assert told(target) == {"spot/exit": "no_signal"}
    assert target.holds[0].numbers == (("basis_bps", "70.00"), ("basis_bps_max", "60"))

    carry.quote(carry.hedge, ("100.5",), ("100.6",))
    assert resting(carry.target(), "exit") is not None


def test_an_open_book_unwinds_on_its_exit_basis() -> None:
    """Entries end first: own orders must not meet, and what is unwound is not entered again."""
    carry = held(desk(exit_basis_bps_max="-20"), "0.2", "-0.2")
    assert resting(carry.target(), "entry/1") is not None
    order = carry.stand(carry.lead, "entry/1", Side.BUY, "0.1", "100")
    carry.quote(carry.hedge, ("99.6",), ("99.7",))
    target = carry.target()
    assert target.resting == ()
    assert told(target) == {"spot/exit": "replacing"}

    carry.gone(order)
    assert [want.slot for want in carry.target().resting] == ["exit"]


def test_memory_is_text_that_reads_back() -> None:
    """It travels through the journal: a restart goes on where the book was."""
    carry = held(desk(BY_SIGNAL, hedge_style="maker"), "0.05", "0")
    carry.signal(NOW_NS)
    before = carry.target()

    again = Desk("carry", (SPOT, FUTURES), ("spot", "futures"), carry.config.params)
    again.book = type(again.book)(carry.book.state, again.book.strategy)
    again.book.quotes, again.book.heard_ts_ns = carry.book.quotes, carry.book.heard_ts_ns
    assert before.memory != ""
    assert again.target() == before


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"max_net_qty": "0.05"}, "max_net_qty"),
        ({"entry_basis_bps_min": "none"}, "entry_on"),
        ({"entry_type": "market", "ladder_levels": "2"}, "ladder_levels"),
        ({"withdraw_basis_bps": "1"}, "withdraw_basis_bps"),
        ({"exit_basis_bps_max": "0"}, "exit_basis_bps_max"),
        ({"withdraw_basis_bps": "-30", "exit_basis_bps_max": "-20"}, "exit_basis_bps_max"),
        ({"ladder_levels": "11", "ladder_step_bps": "1000"}, "ladder_step_bps"),
        ({"maker_price": "100.05"}, "maker_price"),
        ({"entry_qty": "0.00015"}, "entry_qty"),
    ],
)
def test_parameters_that_do_not_fit_together_are_refused(more: dict[str, str], key: str) -> None:
    """Each of these would trade, and not as its writer meant."""
    with pytest.raises(BadParams) as caught:
        desk(OPEN, **more)

    assert key in {error.key for error in caught.value.errors}


def test_mode_open_needs_a_largest_position() -> None:
    """Mode close does not."""
    with pytest.raises(BadParams, match="max_net_qty: is missing"):
        desk({"entry_qty": "0.1", "entry_basis_bps_min": "5"})
    closing()


def close_config(**params: str) -> BookConfig:
    config = core_books.config(lead=core_books.instrument("lead", kind=InstrumentKind.SPOT, can_reduce_only=False))
    legs = tuple(replace(leg, adopt=True) for leg in config.legs)
    return replace(config, policy="carry", params={"mode": "close", "entry_qty": "0.4"} | params, legs=legs)


def read_positions(carry: core_books.Desk, lead: str, hedge: str) -> list[object]:
    """Answer the reads of the start with what the accounts hold."""
    commands: list[object] = []
    for leg_id, net_qty in ((core_books.LEAD, lead), (core_books.HEDGE, hedge)):
        commands += carry.tell(OpenOrdersRead(carry.now_ns, leg_id, carry.now_ns))
        commands += carry.tell(TradesRead(carry.now_ns, leg_id, carry.now_ns))
        read = PositionRead(carry.now_ns, leg_id, carry.now_ns, Decimal(net_qty), avg_price=Decimal(100))
        commands += carry.tell(read)
    carry.quote_all()
    return commands + list(carry.look_again())


def test_closing_through_the_core_unwinds_the_matched_part_and_nothing_else() -> None:
    """C14: spot 1.000, futures -0.997: 0.997 is sold and bought back; 0.003 is shown and never traded."""
    config = close_config()
    carry = core_books.Desk(make(config), config, ready=False)  # type: ignore[arg-type]
    commands = read_positions(carry, "1.000", "-0.997")
    assert [c.net_qty for c in commands if isinstance(c, PositionAdopted)] == [Decimal("0.997"), Decimal("-0.997")]
    assert [c.net_qty for c in commands if isinstance(c, ForeignNoted)] == [Decimal("0.003"), Decimal(0)]

    sold = bought = Decimal(0)
    for _ in range(10):
        working = [order for orders in carry.book.live.values() for order in orders.values()]
        for order in working:
            sold += order.qty if order.side is Side.SELL else 0
            bought += order.qty if order.side is Side.BUY else 0
            carry.fills(order, str(order.leaves_qty))
    assert (sold, bought) == (Decimal("0.997"), Decimal("0.997"))
    assert carry.book.net_qty(core_books.LEAD) == 0 and carry.book.net_qty(core_books.HEDGE) == 0
    assert carry.book.state.holds["lead/rest"].numbers == (("rest", "0.003"),)
    assert not [c for c in carry.log if isinstance(c, SubmitOrder) and c.role is Role.ENTRY]


def test_through_the_core_a_refused_maker_hedge_is_taken_in_the_end() -> None:
    """C6: post-only is refused, asked for again further and further apart, and then taken once, at once."""
    params = OPEN | {"entry_basis_bps_min": "-100", "hedge_style": "maker", "maker_tries_max": "3"}
    config = replace(core_books.config(), policy="carry", params=params)
    carry = core_books.Desk(make(config), config)  # type: ignore[arg-type]
    commands: list[object] = list(carry.fills(carry.standing(), "0.1"))
    asked: list[SubmitOrder] = []
    for _ in range(200):
        for order in core_books.submits(commands):
            asked.append(order)
            if order.post_only:
                refused = OrderRejected(carry.now_ns, order.order_id, RejectClass.POST_ONLY, "-5022", "would take")
                asked += core_books.submits(carry.tell(refused))
        if asked and not asked[-1].post_only:
            break
        carry.quote_all()
        commands = list(carry.wait(S // 10))

    assert [order.post_only for order in asked] == [True, True, True, False]
    assert {(order.side, order.qty) for order in asked} == {(Side.SELL, Decimal("0.1"))}
    assert asked[-1].limit_price is None
