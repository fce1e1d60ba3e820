"""The simulated exchange, one rule a test."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hedgerow.market.answers import (
    Accepted,
    CancelAccepted,
    FundingReport,
    OrderReport,
    OrderRequest,
    PositionMode,
    PositionReport,
    PositionSide,
    Refused,
    TradeReport,
)
from hedgerow.market.exchange import DAY_NS, SimExchange
from hedgerow.market.fees import Fees
from hedgerow.market.limits import Counted, RateLimits, Window
from hedgerow.market.rules import SelfTrade, VenueRules
from hedgerow.model.instrument import FeeCurrency, InstrumentKind
from hedgerow.model.market import BorrowRate, FundingRate
from hedgerow.model.order import OrderStatus, OrderType, TimeInForce
from tests.market.desk import (
    BUY,
    LONG,
    MARGIN,
    PERP,
    SELL,
    SHORT,
    SPOT,
    A,
    B,
    D,
    Desk,
    S,
    code,
    instrument,
    levels,
)


def test_a_market_order_walks_the_depth() -> None:
    """Each level gives what it shows, at its own price."""
    desk = Desk()
    assert isinstance(desk.order(BUY, "2.5", id="x"), Accepted)
    assert desk.trades() == ["1@101", "1@102", "0.5@103"]
    assert desk.state("x") == "filled 2.5"
    assert desk.net() == D("2.5")


def test_consumed_depth_stays_consumed_until_its_level_is_updated() -> None:
    """The recorded market does not know that we traded, so our own footprint must last until it speaks again."""
    desk = Desk()
    desk.order(BUY, "1.5")
    assert desk.exchange.quote(PERP, 1).asks == levels("0.5@102")
    desk.exchange.update_levels(2 * S, PERP, (), levels("3@101"))
    assert desk.exchange.quote(PERP, 2).asks == levels("3@101 0.5@102")


def test_a_market_order_without_enough_depth_expires_with_what_it_got() -> None:
    """A venue never invents liquidity."""
    desk = Desk()
    desk.order(SELL, "4", id="x")
    assert desk.state("x") == "expired 3 INSUFFICIENT_LIQUIDITY"
    desk.order(SELL, "1", id="y")
    assert desk.state("y") == "expired 0 INSUFFICIENT_LIQUIDITY"


def test_a_crossing_limit_order_takes_first_then_rests() -> None:
    """What is not filled at once stays at its limit, visible in the quote and among open orders."""
    desk = Desk()
    desk.order(BUY, "1.5", "101.50", id="x")
    trade, report = desk.reports()
    assert isinstance(trade, TradeReport)
    assert (trade.qty, trade.price, trade.is_maker) == (D(1), D(101), False)
    assert isinstance(report, OrderReport)
    assert (report.status, report.cum_qty) == (OrderStatus.OPEN, D(1))
    assert desk.exchange.quote(PERP, 1).bids == levels("0.5@101.50")
    assert [each.client_order_id for each in desk.exchange.open_orders(A, PERP)] == ["x"]


def test_a_resting_order_waits_behind_what_was_shown_when_it_came() -> None:
    """Price-time priority: a public trade fills the queue ahead first."""
    desk = Desk()
    desk.order(BUY, "0.5", "99", id="x")
    desk.exchange.trade(2 * S, PERP, D(99), D("0.8"), SELL)
    assert desk.state("x") == "open 0"
    desk.exchange.trade(2 * S, PERP, D(99), D("0.3"), SELL)
    assert desk.state("x") == "open 0.1"
    desk.exchange.trade(2 * S, PERP, D(99), D("0.4"), SELL)
    assert desk.state("x") == "filled 0.5"


def test_the_queue_ahead_shrinks_when_the_level_becomes_smaller() -> None:
    """Others' cancels ahead of us move us forward; what joins later stands behind us."""
    desk = Desk()
    desk.order(BUY, "0.5", "99", id="x")
    desk.exchange.update_levels(2 * S, PERP, levels("0.2@99"), ())
    desk.exchange.update_levels(2 * S, PERP, levels("5@99"), ())
    desk.exchange.trade(2 * S, PERP, D(99), D("0.7"), SELL)
    assert desk.state("x") == "filled 0.5"


def test_a_trade_through_our_price_fills_us_whole() -> None:
    """A seller who traded at 98 would have met our 99 before."""
    desk = Desk()
    desk.order(BUY, "0.5", "99", id="x")
    desk.order(BUY, "0.5", "98.50", id="y")
    desk.order(BUY, "0.5", "98", id="z")
    desk.exchange.trade(2 * S, PERP, D(98), D("0.1"), SELL)
    assert desk.trades() == ["0.5@99", "0.5@98.50"]
    assert desk.state("z") == "open 0"


def test_a_market_that_moves_through_a_resting_order_fills_it() -> None:
    """A book is never crossed: levels at or through our price trade with us, up to what they show."""
    desk = Desk()
    desk.order(BUY, "1.5", "100", id="x")
    desk.exchange.update_levels(2 * S, PERP, (), levels("0.4@99.50"))
    assert desk.state("x") == "open 0.4"
    assert desk.exchange.quote(PERP, 1).asks == levels("1@101")
    desk.exchange.set_book(2 * S, PERP, levels("1@98"), levels("2@99"))
    assert desk.state("x") == "filled 1.5"
    assert all(report.is_maker for report in desk.reports() if isinstance(report, TradeReport))


def test_two_accounts_trade_with_each_other_by_time() -> None:
    """The older order at a price fills first; both sides see the same trade id."""
    desk = Desk()
    desk.order(SELL, "1", "100", of=B, id="first")
    desk.order(SELL, "1", "100", of=B, id="second")
    desk.exchange.drain()
    desk.order(BUY, "1.2", "100", of=A)
    assert desk.state("first", of=B) == "filled 1"
    assert desk.state("second", of=B) == "open 0.2"
    assert [t.trade_id for t in desk.exchange.trades(A, PERP)] == [t.trade_id for t in desk.exchange.trades(B, PERP)]
    assert desk.net(A) == -desk.net(B) == D("1.2")


def test_an_immediate_or_cancel_order_expires_with_its_rest() -> None:
    """IOC never rests."""
    desk = Desk()
    desk.order(BUY, "1.5", "101", id="x", time_in_force=TimeInForce.IOC)
    assert desk.state("x") == "expired 1"
    assert desk.exchange.open_orders(A, PERP) == ()


def test_a_fill_or_kill_order_fills_whole_or_not_at_all() -> None:
    """On a perpetual it is refused when it cannot fill; on spot it is taken and expires."""
    desk = Desk()
    assert code(desk.order(BUY, "1.5", "101", time_in_force=TimeInForce.FOK)) == -5021
    assert isinstance(desk.order(BUY, "1.5", "101", on=SPOT, id="s", time_in_force=TimeInForce.FOK), Accepted)
    assert desk.state("s", on=SPOT).startswith("expired 0")
    desk.order(BUY, "1.5", "102", id="x", time_in_force=TimeInForce.FOK)
    assert desk.state("x") == "filled 1.5"


def test_a_post_only_order_that_would_take_is_refused() -> None:
    """A maker order never pays the taker's fee."""
    desk = Desk()
    assert code(desk.order(BUY, "1", "101", post_only=True)) == -5022
    answer = desk.order(BUY, "1", "101", on=SPOT, post_only=True)
    assert answer == Refused(400, -2010, "Order would immediately match and take.")
    assert isinstance(desk.order(BUY, "1", "100.99", post_only=True), Accepted)


def test_a_post_only_order_that_would_take_may_be_accepted_and_expire() -> None:
    """Some venues take it and end it at once: an acknowledgement is not a resting order."""
    desk = Desk(VenueRules(post_only_refused=False))
    assert isinstance(desk.order(BUY, "1", "101", id="x", post_only=True), Accepted)
    assert desk.state("x") == "expired 0 POST_ONLY"
    assert desk.trades() == []


def test_a_day_order_expires_at_the_end_of_the_day() -> None:
    """The venue's day end is a time of its own, told by `next_due_ns`."""
    desk = Desk(VenueRules(day_end_s=3600))
    desk.order(BUY, "1", "99", id="x", time_in_force=TimeInForce.DAY)
    assert desk.exchange.next_due_ns() == 3600 * S
    desk.exchange.advance(3600 * S - 1)
    assert desk.state("x") == "open 0"
    desk.exchange.advance(3600 * S)
    assert desk.state("x") == "expired 0 DAY_END"
    desk.order(BUY, "1", "99", id="y", time_in_force=TimeInForce.DAY)
    assert desk.exchange.next_due_ns() == 3600 * S + DAY_NS


def test_a_reduce_only_order_that_does_more_is_refused_whole() -> None:
    """It is not clipped to the position."""
    desk = Desk()
    assert code(desk.order(SELL, "1", reduce_only=True)) == -2022
    desk.order(BUY, "1")
    assert code(desk.order(BUY, "1", reduce_only=True)) == -2022
    assert code(desk.order(SELL, "1.001", reduce_only=True)) == -2022
    assert isinstance(desk.order(SELL, "1", reduce_only=True), Accepted)
    assert desk.net() == 0


def test_a_resting_reduce_only_order_expires_when_the_position_shrinks_under_it() -> None:
    """Otherwise it would open a position when it fills."""
    desk = Desk()
    desk.order(BUY, "1")
    desk.order(SELL, "1", "105", id="x", reduce_only=True)
    desk.order(SELL, "0.4")
    assert desk.state("x") == "expired 0 REDUCE_ONLY"


def test_two_reduce_only_orders_in_one_sweep_never_turn_the_position() -> None:
    """Each match is booked before the next is looked for."""
    desk = Desk()
    desk.order(BUY, "1")
    desk.order(SELL, "0.7", "105", id="x", reduce_only=True)
    desk.order(SELL, "0.7", "106", id="y", reduce_only=True)
    desk.exchange.trade(2 * S, PERP, D(110), D(9), BUY)
    assert desk.state("x") == "filled 0.7"
    assert desk.state("y") == "expired 0 REDUCE_ONLY"
    assert desk.net() == D("0.3")


def test_a_filter_refuses_in_the_venues_words() -> None:
    """Precision, minimum, notional and band each have their code, for spot and for perpetuals."""
    desk = Desk(changes={"band_up": D("1.1"), "band_down": D("0.9"), "reduce_only_exempt": True})
    assert desk.order(BUY, "0.0015", on=SPOT) == Refused(400, -1013, "Filter failure: LOT_SIZE")
    assert desk.order(BUY, "1", "99.001", on=SPOT) == Refused(400, -1013, "Filter failure: PRICE_FILTER")
    assert desk.order(BUY, "0.01", on=SPOT) == Refused(400, -1013, "Filter failure: NOTIONAL")
    assert desk.order(BUY, "1", "89.99", on=SPOT) == Refused(400, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE")
    assert desk.order(BUY, "0", on=SPOT) == Refused(400, -1013, "Invalid quantity.")
    assert code(desk.order(BUY, "0.0015")) == -1111
    assert code(desk.order(BUY, "1", "99.001")) == -1111
    assert code(desk.order(BUY, "0.01")) == -4164
    assert code(desk.order(BUY, "1", "110.01")) == -4131
    assert code(desk.order(BUY, "1001")) == -4005
    desk.order(BUY, "1")
    assert isinstance(desk.order(SELL, "0.01", reduce_only=True), Accepted)


def test_an_order_with_missing_or_needless_parts_is_refused() -> None:
    """A limit needs a price; a market order takes neither price nor post-only."""
    desk = Desk()
    request = msgspec.structs.replace
    plain = OrderRequest("x", PERP, BUY, D(1), OrderType.LIMIT, D(99))
    submit = desk.exchange.submit
    assert code(submit(S, A, request(plain, limit_price=None))) == -1102
    assert code(submit(S, A, request(plain, type=OrderType.MARKET))) == -1106
    assert code(submit(S, A, request(plain, type=OrderType.MARKET, limit_price=None, post_only=True))) == -1106
    assert code(desk.order(BUY, "1", on=SPOT, reduce_only=True)) == -1106


def test_a_changed_filter_counts_from_the_next_order_on() -> None:
    """Venues change filters while orders rest; those stay."""
    desk = Desk()
    desk.order(BUY, "0.5", "99", id="x")
    desk.exchange.set_instrument(instrument(PERP, InstrumentKind.PERP, step=D("0.1")))
    assert code(desk.order(BUY, "0.55")) == -1111
    assert desk.state("x") == "open 0"


def test_a_client_order_id_is_unique_among_open_orders_only() -> None:
    """As at Binance, the same id is taken again after its order closed: only the sender can prevent a second order."""
    desk = Desk()
    desk.order(BUY, "1", "99", id="x")
    assert code(desk.order(BUY, "1", "99", id="x")) == -4116
    desk.order(BUY, "1", "99", on=SPOT, id="x")
    assert desk.order(BUY, "1", "99", on=SPOT, id="x") == Refused(400, -2010, "Duplicate order sent.")
    desk.exchange.cancel(S, A, PERP, "x")
    assert isinstance(desk.order(BUY, "2", "101", id="x"), Accepted)
    assert desk.state("x") == "open 1"


def test_a_cancel_ends_a_resting_order_and_tells_what_it_filled() -> None:
    """The answer carries the cumulative qty, and the stream says the same."""
    desk = Desk()
    desk.order(BUY, "1.5", "101", id="x")
    desk.reports()
    answer = desk.exchange.cancel(2 * S, A, PERP, "x")
    assert isinstance(answer, CancelAccepted)
    assert (answer.report.status, answer.report.cum_qty) == (OrderStatus.CANCELED, D(1))
    assert desk.reports() == [answer.report]
    assert desk.exchange.quote(PERP, 1).bids == levels("1@99")


def test_a_gone_order_cannot_be_canceled_and_an_unknown_one_not_queried() -> None:
    """Filled, canceled and never seen look the same to a cancel; a query tells them apart."""
    desk = Desk()
    desk.order(BUY, "1", id="x")
    assert desk.exchange.cancel(S, A, PERP, "x") == Refused(400, -2011, "Unknown order sent.")
    assert desk.exchange.cancel(S, A, PERP, "never") == Refused(400, -2011, "Unknown order sent.")
    assert desk.exchange.query(S, A, PERP, "never") == Refused(400, -2013, "Order does not exist.")
    assert desk.state("x") == "filled 1"


def test_an_order_is_found_by_either_id() -> None:
    """The venue's own id names one order for ever."""
    desk = Desk()
    answer = desk.order(BUY, "1", "99", id="x")
    assert isinstance(answer, Accepted)
    report = desk.exchange.query(S, A, PERP, venue_order_id=answer.venue_order_id)
    assert isinstance(report, OrderReport) and report.client_order_id == "x"
    assert isinstance(desk.exchange.cancel(S, A, PERP, venue_order_id=answer.venue_order_id), CancelAccepted)
    assert code(desk.exchange.cancel(S, A, PERP, venue_order_id=answer.venue_order_id)) == -2011


def test_an_unknown_symbol_is_refused() -> None:
    """Delisted and mistyped instruments answer alike."""
    desk = Desk()
    nowhere = type(PERP)("sim:NOWHERE")
    assert code(desk.order(BUY, "1", on=nowhere)) == -1121
    assert code(desk.exchange.cancel(S, A, nowhere, "x")) == -1121
    assert code(desk.exchange.query(S, A, nowhere, "x")) == -1121


@pytest.mark.parametrize(
    ("fee_currency", "buy_fee", "sell_fee"),
    [
        (FeeCurrency.QUOTE, "0.101 USDT", "0.099 USDT"),
        (FeeCurrency.BASE, "0.001 BTC", "0.001 BTC"),
        (FeeCurrency.RECEIVED, "0.001 BTC", "0.099 USDT"),
    ],
)
def test_a_fee_is_taken_in_the_instruments_fee_currency(fee_currency: FeeCurrency, buy_fee: str, sell_fee: str) -> None:
    """A fee in the base asset makes what was received less than what was filled."""
    desk = Desk(fees=Fees(D(0), D("0.001")), changes={"fee_currency": fee_currency})
    before = desk.exchange.balances(A)
    desk.order(BUY, "1", on=SPOT)
    desk.order(SELL, "1", on=SPOT)
    bought, sold = desk.exchange.trades(A, SPOT)
    for trade, expected in ((bought, buy_fee), (sold, sell_fee)):
        fee, currency = expected.split()
        assert (trade.fee, trade.fee_currency) == (D(fee), currency)
    paid = {"USDT": D(-101) + D(99), "BTC": D(0)}
    for trade in (bought, sold):
        paid[trade.fee_currency] -= trade.fee
    after = desk.exchange.balances(A)
    assert {currency: after[currency] - before[currency] for currency in after} == paid


def test_a_maker_pays_the_maker_fee() -> None:
    """Maker and taker of one trade pay different rates; a rebate is negative."""
    desk = Desk(fees=Fees(D("-0.0001"), D("0.0005")))
    desk.order(SELL, "1", "100", of=B)
    desk.order(BUY, "1", "100", of=A)
    (taken,) = desk.exchange.trades(A, PERP)
    (made,) = desk.exchange.trades(B, PERP)
    assert (taken.fee, taken.is_maker) == (D("0.05"), False)
    assert (made.fee, made.is_maker) == (D("-0.01"), True)


def test_spot_balances_must_suffice_and_are_locked_while_an_order_rests() -> None:
    """Two resting orders cannot spend the same money, and a cancel gives it back."""
    desk = Desk(funds={"USDT": D(100), "BTC": D(1)})
    refused = Refused(400, -2010, "Account has insufficient balance for requested action.")
    assert desk.order(BUY, "1", on=SPOT) == refused
    assert isinstance(desk.order(BUY, "1", "98", on=SPOT, id="x"), Accepted)
    assert desk.exchange.free_balances(A)["USDT"] == 2
    assert desk.order(BUY, "0.1", "98", on=SPOT) == refused
    assert isinstance(desk.order(SELL, "1", "105", on=SPOT), Accepted)
    assert desk.order(SELL, "0.1", on=SPOT) == refused
    desk.exchange.cancel(S, A, SPOT, "x")
    assert desk.exchange.free_balances(A) == {"USDT": D(100), "BTC": D(0)}


def test_a_fill_of_a_resting_spot_order_moves_what_it_locked() -> None:
    """After the last fill nothing is locked, and balances say what was traded."""
    desk = Desk(fees=Fees(D("0.001"), D("0.001")))
    desk.order(BUY, "2", "98", on=SPOT)
    desk.exchange.trade(2 * S, SPOT, D(97), D(1), SELL)
    assert desk.exchange.balances(A) == desk.exchange.free_balances(A)
    assert desk.exchange.balances(A) == {"USDT": D("9803.804"), "BTC": D(12)}


def test_a_margin_account_borrows_up_to_a_multiple() -> None:
    """Owing more than the venue's multiple of what is owned is refused."""
    desk = Desk(VenueRules(borrow_multiple=D(2)), funds={"USDT": D(100)})
    assert isinstance(desk.order(SELL, "1", on=MARGIN), Accepted)
    assert desk.net(on=MARGIN) == -1
    assert code(desk.order(SELL, "2", on=MARGIN)) == -2010
    assert code(desk.order(SELL, "1", on=SPOT)) == -2010


def test_a_perpetual_needs_initial_margin_by_leverage() -> None:
    """Position and open orders share the collateral; reducing always passes."""
    desk = Desk(funds={"USDT": D(25)}, leverage="10")
    assert isinstance(desk.order(BUY, "1"), Accepted)
    assert isinstance(desk.order(BUY, "1", "95", id="x"), Accepted)
    assert code(desk.order(BUY, "1", "95")) == -2019
    assert isinstance(desk.order(SELL, "1"), Accepted)
    desk.exchange.cancel(S, A, PERP, "x")
    assert desk.exchange.free_balances(A)["USDT"] == desk.exchange.balances(A)["USDT"] == D(23)


def test_a_closed_position_pays_its_gain_into_the_balance() -> None:
    """Realized P&L, through zero as well; unrealized P&L is no balance."""
    desk = Desk()
    desk.order(BUY, "2", "102")
    desk.exchange.set_book(S, PERP, levels("9@110"), levels("9@111"))
    assert desk.exchange.balances(A)["USDT"] == 10_000
    assert desk.exchange.avg_price(A, PERP) == D("101.5")
    desk.order(SELL, "1")
    assert desk.exchange.balances(A)["USDT"] == D("10008.5")
    desk.order(SELL, "2")
    assert desk.exchange.balances(A)["USDT"] == D("10017")
    assert desk.exchange.avg_price(A, PERP) == D(110)


def test_an_account_below_maintenance_is_liquidated_at_the_mark() -> None:
    """Its orders are canceled first, then the venue closes the position under an id of its own."""
    desk = Desk(VenueRules(maintenance_ratio=D("0.01")), funds={"USDT": D(25)}, leverage="10")
    desk.order(BUY, "2", "102")
    desk.order(SELL, "2", "120", id="x")
    desk.exchange.set_book(S, PERP, levels("1@91"), levels("1@93"))
    desk.exchange.advance(S)
    assert desk.net() == 2
    desk.exchange.set_book(S, PERP, levels("1@89"), levels("1@90"))
    desk.reports()
    desk.exchange.advance(S)
    order, trade = desk.reports()
    assert isinstance(order, OrderReport) and order.status is OrderStatus.CANCELED
    assert isinstance(trade, TradeReport) and trade.venue_made
    assert (trade.side, trade.qty, trade.price) == (SELL, D(2), D("89.5"))
    assert trade.client_order_id.startswith("autoclose-")
    assert desk.net() == 0


def test_between_safe_prices_nobody_is_liquidated() -> None:
    """A long names the mark below which it may be closed, and no bound above; at that mark it just is not yet."""
    desk = Desk(VenueRules(maintenance_ratio=D("0.01")), funds={"USDT": D(25)}, leverage="10")
    assert desk.exchange.safe_prices(PERP) == (None, None)
    desk.order(BUY, "2", "102")
    low, high = desk.exchange.safe_prices(PERP)
    assert high is None
    assert low is not None
    for mark, net_qty in ((low + D("0.5"), 2), (low - D(2), 0)):
        price = mark.quantize(D("0.01"))
        desk.exchange.set_book(S, PERP, ((price - D("0.01"), D(1)),), ((price + D("0.01"), D(1)),))
        desk.exchange.advance(S)
        assert desk.net() == net_qty


def test_funding_is_paid_at_its_time_on_the_position() -> None:
    """Longs pay a positive rate, shorts receive it, and missed times are paid one by one."""
    desk = Desk()
    desk.order(BUY, "1")
    desk.order(SELL, "1", of=B)
    desk.exchange.drain()
    desk.exchange.set_book(S, PERP, levels("1@99"), levels("1@101"))
    desk.exchange.set_funding_rate(FundingRate(PERP, S, D("0.0001"), 8 * 3600, 10 * S))
    assert desk.exchange.next_due_ns() == 10 * S
    desk.exchange.advance(10 * S - 1)
    assert desk.exchange.drain() == []
    desk.exchange.advance(10 * S + 8 * 3600 * S)
    paid = [(account, r.net_quote) for account, r in desk.exchange.drain() if isinstance(r, FundingReport)]
    assert paid == [(A, D("-0.01")), (B, D("0.01"))] * 2
    rate = desk.exchange.funding_rate(PERP)
    assert rate is not None and rate.next_funding_ts_ns == 10 * S + 16 * 3600 * S


def test_interest_is_charged_on_what_was_borrowed_once_an_interval() -> None:
    """A loan grows by its interest; who owes nothing pays nothing."""
    desk = Desk(funds={"USDT": D(60), "BTC": D(0)})
    desk.order(BUY, "1", on=MARGIN)
    desk.exchange.drain()
    desk.exchange.set_borrow_rate(BorrowRate("USDT", S, D("0.001"), 3600))
    assert desk.exchange.next_due_ns() == 3601 * S

    desk.exchange.advance(3601 * S - 1)
    assert desk.exchange.drain() == []
    desk.exchange.advance(2 * 3600 * S + S)

    charged = [(account, r.interest_id, r.amount) for account, r in desk.exchange.drain()]  # type: ignore[union-attr]
    assert charged == [
        (A, f"USDT@{3601 * S}", D("0.041")),
        (A, f"USDT@{7201 * S}", D("0.041041")),
    ]
    assert desk.exchange.balances(A)["USDT"] == D("-41.082041")


def test_a_position_side_must_match_the_accounts_mode() -> None:
    """One-way accounts have one position, hedge-mode accounts two."""
    assert code(Desk().order(BUY, "1", position_side=LONG)) == -4061
    assert code(Desk(mode=PositionMode.HEDGE).order(BUY, "1")) == -4061


def test_hedge_mode_keeps_long_and_short_apart() -> None:
    """Both can be open at once, and closing one takes no more than it holds."""
    desk = Desk(mode=PositionMode.HEDGE)
    desk.order(BUY, "1", position_side=LONG)
    desk.order(SELL, "0.5", position_side=SHORT)
    assert desk.exchange.sided_positions(A, PERP) == {LONG: D(1), SHORT: D("-0.5")}
    assert desk.net() == D("0.5")
    assert code(desk.order(BUY, "0.6", position_side=SHORT)) == -2022
    assert code(desk.order(BUY, "0.5", position_side=SHORT, reduce_only=True)) == -1106
    assert isinstance(desk.order(BUY, "0.5", position_side=SHORT), Accepted)
    assert desk.exchange.sided_positions(A, PERP) == {LONG: D(1), SHORT: D(0)}


def test_self_trade_prevention_may_expire_the_maker() -> None:
    """The resting order goes, the incoming one trades on with others."""
    desk = Desk(VenueRules(self_trade=SelfTrade.EXPIRE_MAKER))
    desk.order(SELL, "1", "100", id="maker")
    desk.order(BUY, "1", "101", id="taker")
    assert desk.state("maker") == "expired 0 EXPIRED_IN_MATCH"
    assert desk.state("taker") == "filled 1"
    assert desk.trades() == ["1@101"]


def test_self_trade_prevention_may_expire_the_taker() -> None:
    """The incoming order ends where it meets its own account, with what it got before."""
    desk = Desk(VenueRules(self_trade=SelfTrade.EXPIRE_TAKER))
    desk.order(SELL, "1", "101", id="maker")
    desk.order(BUY, "3", "103", id="taker")
    assert desk.state("maker") == "open 0"
    assert desk.state("taker") == "expired 1 EXPIRED_IN_MATCH"
    assert code(desk.order(BUY, "0.5", "103", time_in_force=TimeInForce.FOK)) == -5021


def test_a_halt_refuses_new_orders_and_keeps_resting_ones() -> None:
    """Nothing trades while halted; what the market crossed meanwhile trades on resuming."""
    desk = Desk()
    desk.order(BUY, "1", "99", id="x")
    desk.order(BUY, "1", "98", id="y")
    desk.exchange.halt(PERP)
    assert code(desk.order(BUY, "1")) == -1016
    assert isinstance(desk.order(BUY, "1", on=SPOT), Accepted)
    desk.exchange.trade(2 * S, PERP, D(90), D(5), SELL)
    desk.exchange.set_book(2 * S, PERP, levels("1@97"), levels("5@99"))
    assert desk.state("x") == "open 0"
    assert isinstance(desk.exchange.cancel(S, A, PERP, "y"), CancelAccepted)
    desk.exchange.resume(PERP)
    assert desk.state("x") == "filled 1"


def test_rate_limits_refuse_then_ban() -> None:
    """429 says how long to wait; whoever goes on is banned with 418, cancels and queries included."""
    limits = RateLimits((Window(Counted.ORDERS, 2, 10), Window(Counted.WEIGHT, 100, 60)), ban_after=2, ban_s=120)
    desk = Desk(VenueRules(limits=limits))
    desk.order(BUY, "0.1")
    desk.order(BUY, "0.1")
    first = desk.order(BUY, "0.1")
    assert isinstance(first, Refused)
    assert (first.status, first.code, first.retry_after_s) == (429, -1015, 9)
    desk.order(BUY, "0.1")
    third = desk.order(BUY, "0.1")
    assert isinstance(third, Refused)
    assert (third.status, third.code, third.retry_after_s) == (418, -1003, 120)
    assert code(desk.exchange.cancel(2 * S, A, PERP, "x")) == -1003
    assert code(desk.exchange.query(2 * S, A, PERP, "x")) == -1003
    refused = desk.exchange.charge(2 * S, A, 1)
    assert refused is not None and refused.status == 418
    assert isinstance(desk.order(BUY, "0.1", of=B), Accepted)
    desk.now_ns = 200 * S
    assert isinstance(desk.order(BUY, "0.1"), Accepted)


def test_a_foreign_trade_has_a_foreign_id() -> None:
    """The owner trades by hand, in the same book, under the venue's web id."""
    desk = Desk()
    desk.exchange.foreign_trade(A, PERP, BUY, D(1))
    trade, order = desk.reports()
    assert isinstance(trade, TradeReport)
    assert (trade.client_order_id, trade.price, trade.venue_made) == ("web_1", D(101), False)
    assert isinstance(order, OrderReport) and order.status is OrderStatus.FILLED
    assert desk.exchange.quote(PERP, 1).asks == levels("1@102")


def test_the_venue_can_take_a_position_away() -> None:
    """Auto-deleveraging trades at the mark, shows in no book and is marked as the venue's; so does a liquidation."""
    desk = Desk()
    desk.order(BUY, "1")
    desk.reports()
    desk.exchange.foreign_trade(A, PERP, SELL, D("0.4"), venue_made=True)
    (trade,) = desk.reports()
    assert isinstance(trade, TradeReport)
    assert (trade.price, trade.venue_made) == (D("100.5"), True)
    desk.exchange.force_liquidate(A, PERP)
    assert desk.net() == 0


def test_a_venue_may_report_positions() -> None:
    """Where the rules say so, each change of a perpetual position is followed by the position."""
    desk = Desk(VenueRules(reports_positions=True))
    desk.order(BUY, "1")
    trade, position, order = desk.reports()
    assert isinstance(trade, TradeReport) and isinstance(order, OrderReport)
    assert isinstance(position, PositionReport) and position.net_qty == 1


def test_trades_are_read_in_pages() -> None:
    """Ids rise, so the next page begins after the last id."""
    desk = Desk()
    for _ in range(3):
        desk.order(BUY, "0.1")
    first, second = desk.exchange.trades(A, PERP, limit=2)
    assert second.trade_id > first.trade_id
    (third,) = desk.exchange.trades(A, PERP, from_trade_id=second.trade_id + 1)
    assert third.trade_id > second.trade_id


def test_history_is_bounded() -> None:
    """Beyond the bound the oldest closed orders and trades are forgotten; open ones never are."""
    desk = Desk(VenueRules(history_max=5))
    desk.order(BUY, "1", "50", id="old")
    for number in range(40):
        desk.order(BUY if number % 2 else SELL, "0.1", id=f"m{number}")
        desk.exchange.set_book(S, PERP, levels("1@99"), levels("1@101"))
    seat = desk.exchange._accounts[A].seats[PERP]
    assert len(seat.trades) <= 10
    assert len(seat.by_client_id) == len(seat.by_venue_id) == 6
    assert desk.state("old") == "open 0"
    assert desk.state("m39") == "filled 0.1"
    assert code(desk.exchange.query(S, A, PERP, "m0")) == -2013


def test_positions_name_every_instrument() -> None:
    """Flat is said, never left out."""
    assert Desk().exchange.positions(A) == {SPOT: D(10), MARGIN: D(10), PERP: D(0)}


GOLDEN_DIGEST = "471eb0efbf3efe3a4f8f82321e216cc6fdd2c1833a138c139f36db36f0738245"


def test_the_same_seed_gives_the_same_run_under_any_hash_seed() -> None:
    """A failing world is repeated by its seed alone, anywhere."""
    path = os.pathsep.join(each for each in sys.path if each)
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.market.seeded_run", "7"],
            env=os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": path},
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            text=True,
        )
        for hash_seed in ("1", "2")
    ]
    digests = [run.communicate()[0].strip() for run in runs]
    assert digests == [GOLDEN_DIGEST, GOLDEN_DIGEST]


def test_money_is_conserved_between_customers() -> None:
    """What one account pays another receives; only fees leave, and both ledgers say so."""
    desk = Desk(fees=Fees(D("0.0001"), D("0.0003")))
    before = sum((sum(desk.exchange.balances(each).values(), Decimal(0)) for each in (A, B)), Decimal(0))
    for number in range(20):
        desk.order(SELL if number % 3 else BUY, "0.7", "100", of=B, on=SPOT)
        desk.order(BUY if number % 3 else SELL, "0.5", "100", of=A, on=SPOT)
    trades = (*desk.exchange.trades(A, SPOT), *desk.exchange.trades(B, SPOT))
    assert sum((t.qty if t.side is BUY else -t.qty for t in trades), Decimal(0)) == 0
    fees = sum((t.fee for t in trades), Decimal(0))
    after = sum((sum(desk.exchange.balances(each).values(), Decimal(0)) for each in (A, B)), Decimal(0))
    assert after == before - fees


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("self_trade", list(SelfTrade))
def test_the_books_of_the_exchange_balance_at_every_step(seed: int, self_trade: SelfTrade) -> None:
    """Locks equal what rests, positions equal what was traded, no level is empty, no reduce-only order is too large."""
    rng = random.Random(seed)
    mode = (PositionMode.ONE_WAY, PositionMode.HEDGE)[seed % 2]
    desk = Desk(VenueRules(self_trade=self_trade), Fees(D("0.0001"), D("0.0004")), mode, "7")
    exchange = desk.exchange
    for _ in range(150):
        desk.now_ns += rng.randrange(3) * 1000 * S
        on = (SPOT, MARGIN, PERP)[rng.randrange(3)]
        of = (A, B)[rng.randrange(2)]
        is_hedge = on == PERP and mode is PositionMode.HEDGE
        action = rng.randrange(10)
        if action < 6:
            price = None if rng.randrange(4) == 0 else str(D(9700 + rng.randrange(600)) / 100)
            terms: dict[str, Any] = {
                "time_in_force": list(TimeInForce)[rng.randrange(4)],
                "post_only": price is not None and rng.randrange(5) == 0,
                "reduce_only": on == PERP and not is_hedge and rng.randrange(3) == 0,
                "position_side": (LONG, SHORT)[rng.randrange(2)] if is_hedge else PositionSide.BOTH,
            }
            qty = str(D(50 + rng.randrange(1500)) / 1000)
            desk.order(BUY if rng.randrange(2) else SELL, qty, price, of=of, on=on, **terms)
        elif action < 7:
            resting = exchange.open_orders(of, on)
            if resting:
                exchange.cancel(desk.now_ns, of, on, resting[rng.randrange(len(resting))].client_order_id)
        elif action < 8:
            exchange.trade(desk.now_ns, on, D(9700 + rng.randrange(600)) / 100, D(rng.randrange(1, 30)) / 10, BUY)
            exchange.trade(desk.now_ns, on, D(9700 + rng.randrange(600)) / 100, D(rng.randrange(1, 30)) / 10, SELL)
        elif action < 9:
            best = D(9750 + rng.randrange(500)) / 100
            bids = [(best - D(step) / 100, D(1 + rng.randrange(9)) / 10) for step in range(5)]
            asks = [(best + D(step + 1) / 100, D(1 + rng.randrange(9)) / 10) for step in range(5)]
            exchange.set_book(desk.now_ns, on, bids, asks)
        else:
            exchange.advance(desk.now_ns)
        check_books(exchange)


def check_books(exchange: SimExchange) -> None:
    """Assert what must hold between the exchange's parts."""
    for account in exchange._accounts.values():
        locked = dict.fromkeys(account.locked, D(0))
        for seat in account.seats.values():
            for order in seat.open.values():
                assert order.status is OrderStatus.OPEN and order.leaves_qty > 0
                if order.lock_currency:
                    locked[order.lock_currency] += order.leaves_qty * order.lock_per_unit
                if order.id in seat.reducing:
                    assert order.holding is not None
                    assert order.leaves_qty <= order.holding.reducible_qty(order.request.side)
            if seat.market.is_perp:
                traded = sum([t.qty if t.side is BUY else -t.qty for t in seat.trades], D(0))
                assert traded == seat.net_qty()
            for order in seat.by_venue_id.values():
                filled = sum([t.qty for t in seat.trades if t.venue_order_id == order.id], D(0))
                assert filled == order.request.qty - order.leaves_qty
        assert locked == account.locked
    for market in exchange._markets.values():
        for side in (market.bids, market.asks):
            assert side.keys == sorted(side.keys) == [level.key for level in side.levels]
            assert side.order_count == sum(len(level.orders) for level in side.levels)
            for level in side.levels:
                assert level.qty >= 0 and (level.qty or level.orders)
                assert all(0 <= order.ahead_qty <= level.qty for order in level.orders.values())
        best_bid, best_ask = market.bids.best(), market.asks.best()
        assert best_bid is None or best_ask is None or best_bid < best_ask
