"""Promises hold: inside its wake prices, and before it wakes, a policy's target is the same whatever the quotes say."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow.core.target import Target, WakePrice
from hedgerow.model.ids import LegId
from hedgerow.model.instrument import InstrumentKind
from hedgerow.model.order import Side
from hedgerow.strategies.waking import together
from tests.strategies.books import Desk, instrument

A, B = LegId("a"), LegId("b")
TICK = Decimal("0.1")
SPOT = instrument("a", InstrumentKind.SPOT)
LEGS = (instrument("a"), instrument("b"))


def mirror(**params: str) -> Desk:
    return Desk("mirror", LEGS, ("a", "b"), {"qty": "0.5", "max_net_qty": "1"} | params)


def carry(**params: str) -> Desk:
    return Desk("carry", (SPOT, LEGS[1]), ("a", "b"), {"entry_qty": "0.5", "max_net_qty": "1"} | params)


def resting_young(made: Desk) -> Desk:
    """An entry rests, and is young."""
    made.stand(made.lead, _slot(made), Side.BUY, "0.5", "100")
    return made


def resting_old(made: Desk) -> Desk:
    """An entry rests past its timeout, at the best price."""
    made.stand(made.lead, _slot(made), Side.BUY, "0.5", "100")
    made.wait("40")
    return made


def holding(made: Desk) -> Desk:
    """All of it is held and hedged."""
    made.hold_position(made.lead, "1")
    made.hold_position(made.hedge, "-1")
    return made


def _slot(made: Desk) -> str:
    return "entry" if made.config.policy == "mirror" else "entry/1"


MADE = {
    "mirror young": lambda: resting_young(mirror()),
    "mirror old": lambda: resting_old(mirror()),
    "mirror holds": lambda: holding(mirror(exit="keep")),
    "mirror silent": lambda: _silent(mirror(), "20"),
    "carry young": lambda: resting_young(carry(entry_basis_bps_min="-500")),
    "carry young, withdraws": lambda: resting_young(carry(entry_basis_bps_min="-10", withdraw_basis_bps="-400")),
    "carry old": lambda: resting_old(carry(entry_basis_bps_min="-500")),
    "carry waits for basis": lambda: carry(entry_basis_bps_min="300"),
    "carry waits for funding": lambda: carry(entry_funding_bps_per_day_min="3"),
    "carry waits for carry": lambda: _funded(carry(entry_carry_bps_per_day_min="20", fees_bps="12")),
    "carry waits for a signal": lambda: carry(entry_on="signal"),
    "carry holds": lambda: holding(carry(entry_basis_bps_min="0", exit_basis_bps_max="-300")),
    "carry holds for its income": lambda: _funded(
        holding(carry(entry_basis_bps_min="0", exit_carry_bps_per_day_max="-1"))
    ),
}


def _silent(made: Desk, seconds: str) -> Desk:
    made.wait(seconds)
    made.book.heard_ts_ns[made.hedge] = 0
    return made


def _funded(made: Desk) -> Desk:
    made.fund("0.0001")
    return made


def told(target: Target) -> object:
    return target.nets, target.resting, [(hold.key, hold.reason) for hold in target.holds], target.flatten_reason


def ticks(price: Decimal) -> int:
    return int(price / TICK)


@pytest.mark.parametrize("name", MADE)
def test_every_usual_state_promises_something(name: str) -> None:
    """Where nothing is about to happen, quotes can be skipped: a backtest lives of it."""
    old_spread = name in ("mirror old", "carry old")
    made = MADE[name]()
    if old_spread:
        made.quote(made.lead, ("100", "99.9"), ("100.1", "100.2"))

    assert made.target().wake_prices is not None


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(MADE)), st.data())
def test_a_promise_holds(name: str, data: st.DataObject) -> None:
    """The target before and after any quotes inside the prices is one and the same."""
    made = MADE[name]()
    if data.draw(st.booleans()):
        made.quote(made.lead, ("100", "99.9"), ("100.1", "100.2"))
    before = made.target()
    if before.wake_prices is None:
        return
    named = {wake.leg_id: wake for wake in before.wake_prices}

    for leg_id in (made.lead, made.hedge):
        bid, ask = _inside(named.get(leg_id), data)
        made.quote(leg_id, (str(bid), str(bid - TICK)), (str(ask), str(ask + TICK)))
        quote = made.book.quote(leg_id)
        assert quote is not None
        assert leg_id not in named or named[leg_id].spans(quote)

    assert told(made.target()) == told(before)


def _inside(wake: WakePrice | None, data: st.DataObject) -> tuple[Decimal, Decimal]:
    low = 900 if wake is None or wake.low is None else ticks(wake.low) + (wake.low % TICK != 0)
    high = 1_100 if wake is None or wake.high is None else ticks(wake.high)
    bid = data.draw(st.integers(min(low, high - 1), high - 1))
    return bid * TICK, data.draw(st.integers(bid + 1, high)) * TICK


def test_promises_hold_together_where_each_of_them_holds() -> None:
    """The nearer price counts, and one part that promises nothing spoils it for all."""
    near = (WakePrice(A, Decimal(1), Decimal(9)),)
    far = (WakePrice(A, Decimal(2), Decimal(10)), WakePrice(B, None, Decimal(3)))

    assert together((), ()) == ()
    assert together(near, None) is None
    assert together(near, far) == (WakePrice(A, Decimal(2), Decimal(9)), WakePrice(B, None, Decimal(3)))
