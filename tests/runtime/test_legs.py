"""A config may change under a journal, but not what a leg with a position or an order trades."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from hedgerow.model.ids import AccountId, LegId
from hedgerow.runtime.node import LegsChanged, check_legs
from tests.core.books import Desk, Quoting, config, entry, instrument


def held() -> Desk:
    made = Desk(Quoting(entry()))
    made.fills(made.standing(), "0.4")
    return made


def test_a_leg_with_a_position_keeps_its_account_and_instrument() -> None:
    """The ledger of one instrument must never be taken for another's."""
    made = held()
    lead, hedge = made.config.legs
    moved = replace(made.config, legs=(replace(lead, account_id=AccountId("sim/other")), hedge))
    renamed = replace(made.config, legs=(replace(lead, id=LegId("first")), hedge))
    exchanged = config(lead=instrument("eth"))

    for changed in (moved, renamed, exchanged):
        with pytest.raises(LegsChanged, match=r"leg lead holds 0\.4 of sim:LEAD in sim/lead"):
            check_legs(made.book, changed)


def test_an_empty_leg_and_new_limits_may_change() -> None:
    """What holds nothing can be given another place."""
    check_legs(Desk(Quoting()).book, config(lead=instrument("eth")))
    check_legs(held().book, held().config)
