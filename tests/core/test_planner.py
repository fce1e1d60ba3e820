"""What is ordered: how much, at which price, and what is told where nothing is."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.core.book import Book
from hedgerow.core.events import FillReceived, OrderRejected, QuoteReceived, RejectClass
from hedgerow.core.holds import HoldReason
from hedgerow.core.planner import SLICES_MAX
from hedgerow.core.target import Making, NetTarget, Resting, Taking, Target
from hedgerow.model.ids import LegId, VenueOrderId
from hedgerow.model.order import Order, Role, Side, TimeInForce
from tests.core.books import HEDGE, LEAD, Desk, Quoting, cancels, config, entry, instrument, submits


class Capped(Quoting):
    """Takes with a cap on slippage."""

    def target(self, book: Book) -> Target:
        hedge = NetTarget(HEDGE, book.hedge_target(), Taking(Decimal(50)), Role.HEDGE)
        return Target((hedge,), (self.entry,) if self.entry else ())


CAPS = [
    (Side.BUY, {}, "99.5"),
    (Side.BUY, {"band_down": Decimal("0.9")}, "99.5"),
    (Side.BUY, {"band_down": Decimal("0.998")}, "99.9"),
    (Side.BUY, {"band_up": Decimal("0.99")}, "99.5"),
    (Side.SELL, {}, "100.6"),
    (Side.SELL, {"band_up": Decimal("1.1")}, "100.6"),
    (Side.SELL, {"band_up": Decimal("1.003")}, "100.3"),
    (Side.SELL, {"band_down": Decimal("1.01")}, "100.6"),
]  # fmt: skip


@pytest.mark.parametrize(("entered", "band", "price"), CAPS)
def test_a_capped_hedge_stays_inside_the_venues_band(entered: Side, band: dict[str, Decimal], price: str) -> None:
    """A venue refuses prices outside it exactly when the market runs: the order goes to its edge, and may trade."""
    one_sided = instrument("hedge", band_is_one_sided=True, **band)
    made = Desk(Capped(entry(side=entered)), config(hedge=one_sided))

    (hedge,) = submits(made.fills(made.standing(), "0.5"))

    assert (hedge.side, hedge.qty) == (entered.opposite, Decimal("0.5"))
    assert (hedge.limit_price, hedge.time_in_force) == (Decimal(price), TimeInForce.IOC)


@pytest.mark.parametrize(
    ("leg_id", "side", "of_lead", "of_hedge", "ordered"),
    [
        (LEAD, Side.SELL, "1", "1", "0.3"),
        (LEAD, Side.BUY, "1", "1", "0.4"),
        (HEDGE, Side.SELL, "1", "1", "0.3"),
        (HEDGE, Side.BUY, "1", "1", "0.4"),
        (LEAD, Side.SELL, "1", "0.1", "3"),
        (HEDGE, Side.SELL, "1", "0.1", "3.9"),
        (LEAD, Side.SELL, "10", "1", "3"),
        (HEDGE, Side.SELL, "10", "1", "3.9"),
    ],
)
def test_a_hedge_counts_a_trade_of_nobody_at_its_worst(
    leg_id: LegId, side: Side, of_lead: str, of_hedge: str, ordered: str
) -> None:
    """Should it be ours, less is owed; the other way round nothing more is ordered before that is known."""
    lead_leg = instrument(LEAD, multiplier=Decimal(of_lead))
    made = Desk(Quoting(entry()), config(lead=lead_leg, hedge=instrument(HEDGE, multiplier=Decimal(of_hedge))))
    lead = made.standing()
    whose = {LEAD: made.config.leg(LEAD), HEDGE: made.config.leg(HEDGE)}[leg_id]
    nobodys = replace(
        made.fill(lead, "0.1"),
        account_id=whose.account_id,
        instrument_id=whose.instrument.id,
        side=side,
        order_id=None,
        venue_order_id=VenueOrderId("v77"),
    )
    made.tell(FillReceived(made.now_ns, nobodys))

    (hedge,) = submits(made.fills(lead, "0.4"))

    assert (hedge.side, hedge.qty) == (Side.SELL, Decimal(ordered))


def test_a_need_above_the_largest_order_goes_out_in_slices_and_no_more_of_them_than_may_work() -> None:
    """What does not fit in the orders of now follows as they end, and all of it adds up to what is owed."""
    made = Desk(Quoting(entry("12.5")), config(hedge=instrument(HEDGE, max_qty=Decimal(1))))

    made.policy.entry = None
    slices = submits(made.fills(made.standing(), "12.5"))
    hold = made.book.state.holds["hedge/"]
    more = [order for each in slices for order in submits(made.fills(each, "1"))]

    assert [order.qty for order in slices] == [Decimal(1)] * SLICES_MAX
    assert (hold.reason, dict(hold.numbers)["limit"]) == (HoldReason.ABOVE_MAXIMUM, "1")
    assert [order.qty for order in more] == [Decimal(qty) for qty in ("1", "1", "1", "1", "0.5")]
    assert "hedge/" not in made.book.state.holds


class Maker(Quoting):
    """Hedges by a post-only order at a price of its own."""

    def __init__(self, entry: Resting) -> None:
        super().__init__(entry)
        self.price = Decimal("100.5")

    def target(self, book: Book) -> Target:
        hedge = NetTarget(HEDGE, book.hedge_target(), Making(self.price), Role.HEDGE)
        return Target((hedge,), ((self.entry,) if self.entry is not None else ()) + self.exits)


def making(policy: Quoting) -> tuple[Desk, Order]:
    """A desk whose lead has bought 1, and whose hedge for it stands."""
    made = Desk(policy)
    rest = made.standing()
    made.policy.entry = None
    (hedge,) = submits(made.fills(rest, "1"))
    made.accept(hedge)
    return made, made.order(hedge.order_id)


@pytest.mark.parametrize(("sold", "hedged"), [("0.3", "0"), ("1", "0"), ("1", "0.5")])
def test_a_making_hedge_that_is_too_much_is_taken_back(sold: str, hedged: str) -> None:
    """What the lead leg gave up meanwhile, nobody owes any more: all that stands might fill."""
    made, hedge = making(Maker(entry()))
    if hedged != "0":
        made.fills(hedge, hedged)
    made.policy.exits = (Resting("exit", LEAD, Side.SELL, Decimal(1), Decimal(101), Role.EXIT),)
    made.quote_all()
    exit_ = made.standing()
    made.accept(exit_)
    made.policy.exits = ()

    commands = made.fills(exit_, sold)

    told = [(cancel.order_id, cancel.reason) for cancel in cancels(commands) if cancel.leg_id == HEDGE]
    assert told == [(hedge.id, "overshoot")]
    assert all(order.side is Side.BUY for order in submits(commands))


def test_a_making_hedge_at_another_price_is_replaced_and_never_doubled() -> None:
    """The new one leaves only when the old one is proven gone."""
    policy = Maker(entry())
    made, hedge = making(policy)
    policy.price = Decimal("100.4")

    commands = made.tell(QuoteReceived(made.now_ns, made.book.quotes[hedge.instrument_id]))

    assert [(cancel.order_id, cancel.reason) for cancel in cancels(commands)] == [(hedge.id, "replace")]
    assert not submits(commands)


def test_a_refusal_of_one_side_does_not_space_the_other() -> None:
    """What a venue said to a buy says nothing of a sell from the same slot."""
    made = Desk(Quoting(entry()))
    made.tell(OrderRejected(made.now_ns, made.standing().id, RejectClass.OTHER, "-1", "no"))
    made.policy.entry = entry(side=Side.SELL)

    commands = made.tell(QuoteReceived(made.now_ns, made.book.quotes[made.config.leg(LEAD).instrument.id]))

    assert [order.side for order in submits(commands)] == [Side.SELL]


def test_no_more_of_a_making_hedge_is_taken_back_than_is_too_much() -> None:
    """The youngest goes first; what still fits keeps its place in the queue."""
    made = Desk(Maker(entry()))
    rest = made.standing()
    made.policy.entry = None
    made.policy.exits = (Resting("exit", LEAD, Side.SELL, Decimal("0.3"), Decimal(101), Role.EXIT),)
    (first,) = submits(made.fills(rest, "0.4"))[:1]
    made.accept(first)
    (second, *_) = [order for order in submits(made.fills(rest, "0.6")) if order.leg_id == HEDGE]
    made.accept(second)
    exit_ = next(order for order in made.book.working(LEAD) if order.slot == "exit")

    commands = made.fills(exit_, "0.3")

    assert [cancel.order_id for cancel in cancels(commands) if cancel.leg_id == HEDGE] == [second.order_id]
