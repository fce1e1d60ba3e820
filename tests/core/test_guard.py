"""Limits on entries: each stops exactly where its number says, and never what comes closer to zero."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.core import guard
from hedgerow.core.book import Book
from hedgerow.core.config import HedgeRule, Limits
from hedgerow.core.events import Exposure, PortfolioSeen
from hedgerow.core.exposure import Totals, added, hedged_times, totals
from hedgerow.core.holds import HoldReason
from hedgerow.core.target import NetTarget, Resting, Taking, Target
from hedgerow.model.order import Role, Side
from tests.core.books import HEDGE, LEAD, Desk, Quoting, S, config, entry, instrument, submits


def others(underlying: str, net: str, buys: str = "0", sells: str = "0") -> tuple[Exposure, ...]:
    return (Exposure(underlying, Decimal(net), Decimal(buys), Decimal(sells)),)


LEVERAGE = Limits(leverage_max=Decimal(2))
TOTAL = Limits(total_exposure_ratio_max=Decimal("1.5"))
PENDING = Limits(pending_orders_max=3)

# An entry of 100 waits, with its hedge 200 gross: limits, equity, other books' exposures, their gross, their orders.
ALL_BOOKS = {
    "leverage at the limit": (LEVERAGE, "100", (), "0", 0, None),
    "leverage with the others' gross": (LEVERAGE, "100", (), "0.01", 0, HoldReason.LEVERAGE_LIMIT),
    "leverage of nothing": (LEVERAGE, "0", (), "0", 0, HoldReason.LEVERAGE_LIMIT),
    "leverage of debts": (LEVERAGE, "-500", (), "0", 0, HoldReason.LEVERAGE_LIMIT),
    "leverage of unknown equity": (LEVERAGE, None, (), "0", 0, HoldReason.PORTFOLIO_UNKNOWN),
    "total at the limit": (TOTAL, "200", others("ETH", "200"), "0", 0, None),
    "total of two long coins": (TOTAL, "200", others("ETH", "200.01"), "0", 0, HoldReason.TOTAL_EXPOSURE_LIMIT),
    "total of a short coin": (TOTAL, "200", others("ETH", "-200.01"), "0", 0, HoldReason.TOTAL_EXPOSURE_LIMIT),
    "total of orders that buy": (TOTAL, "200", others("ETH", "0", "200.01"), "0", 0, HoldReason.TOTAL_EXPOSURE_LIMIT),
    "total of sells that work": (TOTAL, "200", others("ETH", "0", "0", "201"), "0", 0, HoldReason.TOTAL_EXPOSURE_LIMIT),
    "total that this entry makes less": (TOTAL, "100", others("BTC", "-300"), "0", 0, None),
    "pending at the limit": (PENDING, "100", (), "0", 2, None),
    "pending above it": (PENDING, "100", (), "0", 3, HoldReason.PENDING_ORDERS_LIMIT),
    "pending asks for no equity": (PENDING, None, (), "0", 2, None),
}  # fmt: skip


@pytest.mark.parametrize("name", ALL_BOOKS)
def test_a_limit_over_all_books_stops_where_its_number_says(name: str) -> None:
    """Each book alone is within them: only here does one more entry show to be one too many."""
    limits, equity, exposures, gross, orders, reason = ALL_BOOKS[name]
    made = Desk(Quoting(entry()), config(limits=limits))
    assert not submits(made.log)
    worth = None if equity is None else Decimal(equity)

    commands = made.tell(PortfolioSeen(made.now_ns, worth, (), exposures, Decimal(gross), orders))

    hold = made.book.state.holds.get("lead/entry")
    assert (hold and hold.reason, len(submits(commands))) == (reason, 0 if reason else 1)


def test_an_equity_of_which_a_part_is_unknown_is_unknown() -> None:
    """What is missing may be a debt."""
    made = Desk(Quoting(entry()), config(limits=LEVERAGE))

    made.tell(PortfolioSeen(made.now_ns, Decimal(1_000_000), ("balances of sim/lead",)))

    hold = made.book.state.holds["lead/entry"]
    assert (hold.reason, dict(hold.numbers)) == (HoldReason.PORTFOLIO_UNKNOWN, {"unknown": "balances of sim/lead"})


@pytest.mark.parametrize(("side", "reason"), [(Side.BUY, None), (Side.SELL, HoldReason.TOTAL_EXPOSURE_LIMIT)])
def test_an_entry_counts_on_its_own_side(side: Side, reason: HoldReason | None) -> None:
    """Beside what the others are short of, a buy makes less of it and a sell makes more."""
    made = Desk(Quoting(entry(side=side)), config(limits=TOTAL))

    made.tell(PortfolioSeen(made.now_ns, Decimal(100), (), others("BTC", "-100")))

    hold = made.book.state.holds.get("lead/entry")
    assert (hold and hold.reason) == reason


def test_a_market_entry_is_judged_by_the_mark() -> None:
    """It has no price of its own, and every limit counts all the same."""
    limits = Limits(max_notional=Decimal(1000), max_order_notional=Decimal(1000), leverage_max=Decimal(9))
    made = Desk(Quoting(), config(limits=limits))
    made.tell(PortfolioSeen(made.now_ns, Decimal(100)))

    checks = dict(guard.checks(made.book, replace(entry(), limit_price=None), Decimal(1)))

    mark = Decimal("100.05")
    assert (checks[HoldReason.ORDER_NOTIONAL_LIMIT].value, checks[HoldReason.NOTIONAL_LIMIT].value) == (mark, mark)
    assert checks[HoldReason.LEVERAGE_LIMIT].value == 2 * mark / 100


class Ladder(Quoting):
    """Five entries at once."""

    def target(self, book: Book) -> Target:
        rungs = [Resting(f"e/{n}", LEAD, Side.BUY, Decimal(1), Decimal(100), Role.ENTRY) for n in range(5)]
        return Target((NetTarget(HEDGE, book.hedge_target(), Taking(), Role.HEDGE),), tuple(rungs))


def test_entries_leave_no_faster_than_the_rate_and_hedges_at_once() -> None:
    """A policy gone wild is slowed down; what it has filled is not."""
    made = Desk(Ladder(), config(limits=Limits(orders_per_s=2)))
    first = list(made.book.working(LEAD))
    hold = made.book.state.holds["lead/e/2"]

    hedges = submits(made.fills(first[0], "1"))
    before = submits(made.wait(S - 10))
    after = submits(made.wait(20))

    assert (len(first), hold.reason) == (2, HoldReason.ORDER_RATE_LIMIT)
    assert dict(hold.numbers) == {"would_be": "3", "limit": "2"}
    assert [order.leg_id for order in hedges] == [HEDGE]
    assert (len(before), len(after)) == (0, 2)


@pytest.mark.parametrize(
    ("side", "price", "leaves"),
    [
        (Side.BUY, "95.1", True),
        (Side.BUY, "95", False),
        (Side.BUY, "105.1", False),
        (Side.SELL, "105", True),
        (Side.SELL, "105.1", False),
        (Side.SELL, "95", False),
    ],
)
def test_an_entry_too_far_from_the_mark_waits(side: Side, price: str, leaves: bool) -> None:
    """A price of another market, or of another day, is a mistake on either side of the mark (100.05, 500 bps)."""
    made = Desk(Quoting(entry("1", price, side)))

    hold = made.book.state.holds.get("lead/entry")

    assert bool(submits(made.log)) is leaves
    assert (hold and hold.reason) == (None if leaves else HoldReason.PRICE_DISTANCE)


@pytest.mark.parametrize(("side", "would_be"), [(Side.BUY, 160), (Side.SELL, 60)])
def test_an_entry_that_shrinks_a_position_adds_nothing_of_it(side: Side, would_be: int) -> None:
    """The largest gross of a leg is what it holds that way, what works on that side, and the new order."""
    made = Desk(Quoting(entry()), config(limits=Limits(max_notional=Decimal(1000))))
    made.fills(made.standing(), "0.8")

    want = entry("0.6", "100", side)
    checks = dict(guard.checks(made.book, want, want.qty))

    assert checks[HoldReason.NOTIONAL_LIMIT].value == would_be


def test_the_residual_limit_counts_underlying_units_and_entries_of_one_side() -> None:
    """Lead contracts of ten coins, hedged twice over by contracts of a hundred: one open is ten coins open."""
    lead, hedge = instrument(LEAD, multiplier=Decimal(10)), instrument(HEDGE, multiplier=Decimal(100))
    made_config = config(lead=lead, hedge=hedge, limits=Limits(max_residual=Decimal(1_000_000)))
    made = Desk(Quoting(entry()), replace(made_config, hedge=HedgeRule(LEAD, HEDGE, Decimal(-2))))
    made.fills(made.standing(), "0.4")
    assert made.book.residual == Decimal("0.08")

    buy, sell = entry("0.5"), entry("0.5", side=Side.SELL)
    residuals = [dict(guard.checks(made.book, want, want.qty))[HoldReason.RESIDUAL_LIMIT].value for want in (buy, sell)]

    # 0.4 is not hedged, 0.6 may still fill on the side of a buy, and 0.5 is new: in coins of 100.05.
    assert residuals == [Decimal("1.5") * 10 * Decimal("100.05"), Decimal("0.9") * 10 * Decimal("100.05")]


def test_an_entry_of_the_lead_brings_its_hedge_into_the_gross() -> None:
    """A pair may open its hedge leg first, and what that order adds is itself."""
    made = Desk(Quoting(entry()))
    of_the_hedge = Resting("open", HEDGE, Side.SELL, Decimal(2), Decimal(100), Role.ENTRY)
    made.policy.entry = of_the_hedge
    made.quote_all()
    both = totals(made.book)

    assert (hedged_times(made.book, LEAD), hedged_times(made.book, HEDGE)) == (2, 1)
    assert (both.gross, both.held, both.orders) == (Decimal(400), Decimal(0), 2)
    assert both.exposures == (Exposure("BTC", Decimal(0), Decimal(100), Decimal(200)),)


def test_what_is_held_counts_though_no_entry_works() -> None:
    """A limit over all books is about positions first: a leg at rest is no empty leg, and a hedge order no entry."""
    ten = Decimal(10)
    made = Desk(
        Quoting(entry()), config(lead=instrument(LEAD, multiplier=ten), hedge=instrument(HEDGE, multiplier=ten))
    )
    rest = made.standing()
    made.policy.entry = None
    (hedge,) = submits(made.fills(rest, "1"))
    made.fills(hedge, "0.4")

    held = totals(made.book)

    assert (held.gross, held.orders) == (14 * Decimal("100.05"), 1)
    assert (held.net, held.worst("BTC")) == (6 * Decimal("100.05"), 6 * Decimal("100.05"))


def test_a_book_without_a_hedge_has_no_residual_to_limit() -> None:
    """Nothing is to follow there, so nothing can be missing."""
    made = Desk(Idle(), replace(config(limits=Limits(max_residual=Decimal(1))), hedge=None))

    assert HoldReason.RESIDUAL_LIMIT not in dict(guard.checks(made.book, entry(), Decimal(1)))


class Idle(Quoting):
    """Wants nothing, of a book without a hedge."""

    def target(self, book: Book) -> Target:
        return Target()


@pytest.mark.parametrize(("side", "price", "edge"), [(Side.BUY, "90", "94.8"), (Side.SELL, "110", "104.7")])
def test_an_entry_stays_too_far_exactly_inside_the_prices_that_are_told(side: Side, price: str, edge: str) -> None:
    """Quotes inside them are slept through, so no entry may become legal there; a tick beyond them it does."""
    made = Desk(Idle(), replace(config(), hedge=None))
    want = entry("1", price, side)
    wake = guard.stays_distant(made.book, want)
    assert wake is not None
    low, high = wake.low, wake.high

    seen = []
    for tick in range(-3, 4):
        mid = Decimal(edge) + tick * Decimal("0.1")
        made.quote_all(str(mid), str(mid))
        quote = made.book.quote(LEAD)
        assert quote is not None
        seen.append(
            (wake.spans(quote), dict(guard.checks(made.book, want, want.qty))[HoldReason.PRICE_DISTANCE].passed)
        )

    assert (low is None, high is None) == (side is Side.SELL, side is Side.BUY)
    assert all(spans is not passed for spans, passed in seen)
    assert len(set(seen)) == 2


@pytest.mark.parametrize("band", [{"band_up": Decimal("1.1")}, {"band_down": Decimal("0.9")}])
def test_nothing_is_promised_of_a_price_that_a_band_may_judge_first(band: dict[str, Decimal]) -> None:
    """Another reason would stand there, and its numbers would be told late."""
    made = Desk(Idle(), replace(config(lead=instrument(LEAD, **band)), hedge=None))

    assert guard.stays_distant(made.book, entry("1", "90")) is None
    assert guard.stays_distant(Desk(Quoting()).book, entry("1", "90")) is None


def test_what_has_no_price_is_named_for_all_books_together() -> None:
    """A sum of several parts is as incomplete as each of them."""
    parts = (Totals(gross=Decimal(1), held=Decimal(1), problems=("BTC has no price",)), Totals(problems=("ETH too",)))

    assert added(parts) == Totals(gross=Decimal(1), held=Decimal(1), problems=("BTC has no price", "ETH too"))
