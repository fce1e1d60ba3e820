"""What holds for every policy, whatever the book looks like."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hedgerow.core.config import LegConfig
from hedgerow.core.target import Making, Target
from hedgerow.model.ids import LegId
from hedgerow.model.instrument import InstrumentKind
from hedgerow.model.order import Role, Side
from hedgerow.strategies import make
from hedgerow.strategies.params import BadParams
from tests.strategies.books import Desk, instrument

SPOT = instrument("spot", InstrumentKind.SPOT)
MARGIN = instrument("spot", InstrumentKind.MARGIN)
FUTURES = instrument("futures")
MIRROR = {"qty": "0.5", "max_net_qty": "2"}
CARRY = {"entry_qty": "0.5", "max_net_qty": "2", "entry_basis_bps_min": "-500", "ladder_levels": "3"}
POLICIES = (
    ("mirror", MIRROR),
    ("mirror", MIRROR | {"entry_side": "sell", "depth": "2"}),
    ("carry", CARRY),
    ("carry", CARRY | {"hedge_style": "maker", "exit_basis_bps_max": "-600"}),
    ("carry", {"mode": "close", "entry_qty": "0.5"}),
)
MILLI = st.integers(-2500, 2500).map(lambda milli: Decimal(milli) / 1000)
STANDING = st.lists(
    st.tuples(
        st.sampled_from(("entry", "exit", "entry/1", "entry/2", "")),
        st.sampled_from(Side),
        st.integers(1, 500),
        st.integers(990, 1010),
    ),
    max_size=3,
    unique_by=lambda order: order[0],
)


def asked_twice(desk: Desk) -> Target:
    """Ask, keep the memory, and hold that asking again changes nothing."""
    target = desk.target()
    assert desk.target() == target
    return target


@given(st.sampled_from(POLICIES), MILLI, MILLI, STANDING, st.integers(0, 100))
def test_a_target_stays_within_what_is_held_and_allowed(
    policy: tuple[str, dict[str, str]],
    lead: Decimal,
    hedge: Decimal,
    standing: list[tuple[str, Side, int, int]],
    waited_s: int,
) -> None:
    """New entries fit under the largest position, exits into what is held, and the hedge is always wanted."""
    # What sells first must be able to borrow.
    first = MARGIN if "entry_side" in policy[1] else SPOT
    desk = Desk(policy[0], (first, FUTURES), ("spot", "futures"), policy[1])
    desk.hold_position(desk.lead, str(lead))
    desk.hold_position(desk.hedge, str(hedge))
    for slot, side, milli, price in standing:
        leg_id = desk.lead if slot else desk.hedge
        desk.stand(leg_id, slot, side, str(Decimal(milli) / 1000), str(Decimal(price) / 10))
    desk.wait(str(waited_s))

    target = asked_twice(desk)

    (net,) = target.nets
    assert (net.leg_id, net.net_qty, net.role) == (desk.hedge, -lead, Role.HEDGE)
    assert not isinstance(net.style, Making) or net.style.limit_price % FUTURES.tick == 0
    assert len({want.slot for want in target.resting}) == len(target.resting)
    entered = abs(lead)
    for want in target.resting:
        assert want.leg_id == desk.lead
        assert want.qty > 0
        assert want.limit_price is not None
        assert want.limit_price % SPOT.tick == 0
        if want.role is Role.EXIT:
            assert want.qty <= abs(lead)
            assert want.side is (Side.SELL if lead > 0 else Side.BUY)
        elif desk.book.in_slot(desk.lead, want.slot) is None:
            entered += want.qty
    assert entered <= max(Decimal(2), abs(lead))


GRID = {"budget": "1000", "low": "90", "high": "110", "levels": "4"}
SELLS, BUYS = {"entry_side": "sell"}, {"entry_side": "buy"}


@pytest.mark.parametrize(
    ("policy", "params", "kinds", "key"),
    [
        ("mirror", MIRROR | SELLS, (InstrumentKind.SPOT, InstrumentKind.PERP), "entry_side: the lead"),
        ("mirror", MIRROR | BUYS, (InstrumentKind.PERP, InstrumentKind.SPOT), "hedge: the hedge"),
        ("carry", CARRY, (InstrumentKind.SPOT, InstrumentKind.SPOT), "hedge: the hedge"),
        ("grid", GRID, (InstrumentKind.PERP, InstrumentKind.SPOT), "hedge: the hedge"),
        ("grid", GRID | {"direction": "neutral"}, (InstrumentKind.PERP, InstrumentKind.SPOT), "hedge: the hedge"),
    ],
)
def test_no_policy_sells_spot_coins_that_are_not_its_own(
    policy: str, params: dict[str, str], kinds: tuple[InstrumentKind, InstrumentKind], key: str
) -> None:
    """What the account has of them belongs to somebody; only what was adopted, or can be borrowed, is sold first."""
    legs = (instrument("a", kinds[0]), instrument("b", kinds[1]))
    with pytest.raises(BadParams, match=rf"{key} leg would begin by selling .* \(use a margin account or a perpetual"):
        Desk(policy, legs, ("lead", "hedge"), params)


@pytest.mark.parametrize(
    ("policy", "params", "kinds"),
    [
        ("mirror", MIRROR | SELLS, (InstrumentKind.MARGIN, InstrumentKind.PERP)),
        ("mirror", MIRROR | SELLS, (InstrumentKind.PERP, InstrumentKind.SPOT)),
        ("mirror", MIRROR | BUYS, (InstrumentKind.SPOT, InstrumentKind.MARGIN)),
        ("grid", GRID | {"direction": "short_only"}, (InstrumentKind.PERP, InstrumentKind.SPOT)),
    ],
)
def test_spot_that_is_bought_first_is_no_problem(
    policy: str, params: dict[str, str], kinds: tuple[InstrumentKind, InstrumentKind]
) -> None:
    """What the book bought is the book's to sell."""
    Desk(policy, (instrument("a", kinds[0]), instrument("b", kinds[1])), ("lead", "hedge"), params)


def test_spot_that_was_adopted_may_be_sold_first() -> None:
    """It is the book's, because somebody said so."""
    legs = (instrument("a", InstrumentKind.SPOT), instrument("b"))
    config = Desk("mirror", (MARGIN, legs[1]), ("lead", "hedge"), MIRROR | SELLS).config
    account = config.legs[0].account_id

    make(replace(config, legs=(LegConfig(LegId("lead"), account, legs[0], adopt=True), config.legs[1])))
