"""What the venues' own records say of a hedge."""

from __future__ import annotations

from decimal import Decimal

from hedgerow.market.answers import TradeReport
from hedgerow.model.order import Side
from hedgerow.runtime.truth import unhedged
from tests.runtime.worlds import HEDGE, LEAD, World
from tests.venues.clockwork import MS, S

D = Decimal


def trade(ts_ms: int, side: Side, qty: str, world: World, price: str = "60000") -> TradeReport:
    instrument = world.config.books[0].leg(LEAD).instrument
    return TradeReport(1, "c", "v", instrument.id, side, D(qty), D(price), D(0), "USD", False, ts_ms * MS)


def test_each_time_without_a_hedge_is_measured_from_the_fill_to_the_fill() -> None:
    """The worst residual and the longest time are what a person asks first."""
    world = World()
    lead = (trade(1_000, Side.BUY, "0.05", world), trade(2_000, Side.BUY, "0.02", world))
    hedge = (
        trade(1_030, Side.SELL, "0.02", world),
        trade(1_040, Side.SELL, "0.03", world),
        trade(2_900, Side.SELL, "0.02", world),
    )

    found = unhedged(world.config.books[0], lead, hedge, 5 * S)

    assert (found.fills, found.hedged, found.residual) == (2, 2, D(0))
    assert (found.worst_qty, found.worst_notional, found.longest_ns) == (D("0.05"), D(3_000), 900 * MS)


def test_a_fill_that_nobody_followed_counts_to_the_end() -> None:
    """An open residual must not look short because nothing happened after it."""
    world = World()

    found = unhedged(world.config.books[0], (trade(1_000, Side.BUY, "0.05", world),), (), 5 * S)

    assert (found.fills, found.hedged, found.residual) == (1, 0, D("0.05"))
    assert found.longest_ns == 4 * S


def test_less_than_the_smallest_order_is_hedged() -> None:
    """No legal order could shrink it."""
    world = World()
    lead, hedge = (trade(1_000, Side.BUY, "0.05", world),), (trade(1_020, Side.SELL, "0.04999", world),)

    found = unhedged(world.config.books[0], lead, hedge, 5 * S)

    assert (found.hedged, found.longest_ns) == (1, 20 * MS)


def test_hedge_and_lead_accounts_are_read_from_the_exchange() -> None:
    """The judge looks at the venue, never at the book."""
    world = World()
    world.run(S)
    world.hit()
    world.run(S)

    assert world.held(LEAD) == -world.held(HEDGE) == D("0.05")
