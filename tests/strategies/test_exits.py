"""Exits: each position is closed by the first of its rules, once, and never more of it than is held."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.commands import CancelOrder, SubmitOrder
from hedgerow.core.events import LegAdded, PositionsListed, SessionsRead
from hedgerow.core.step import empty_book, fold
from hedgerow.model.ids import AccountId, InstrumentId, LegId
from hedgerow.model.market import Quote
from hedgerow.model.occ import Contract, Right, parse_occ
from hedgerow.model.order import TimeInForce
from hedgerow.strategies import make
from hedgerow.strategies.params import BadParams
from tests.strategies.brokers import (
    BROKER,
    EXPIRES_LATER,
    EXPIRES_TODAY,
    MONDAY,
    TODAY,
    Broker,
    H,
    S,
    leg,
    option,
    stock,
    told,
)

MIN = 60 * S


@pytest.mark.parametrize(
    ("net_qty", "bid", "ask", "sent"),
    [
        ("10", "109.99", "110.20", []),
        ("10", "110.00", "110.20", ["sell 10 exit/take_profit"]),
        ("10", "80.01", "80.20", []),
        ("10", "80.00", "80.20", ["sell 10 exit/stop_loss"]),
        ("-10", "89.00", "90.01", []),
        ("-10", "89.00", "90.00", ["buy 10 exit/take_profit"]),
        ("-10", "119.00", "119.99", []),
        ("-10", "119.00", "120.00", ["buy 10 exit/stop_loss"]),
    ],
)
def test_e01_rates_of_the_cost_by_the_price_that_it_would_get(
    net_qty: str, bid: str, ask: str, sent: list[str]
) -> None:
    """E1: a long is worth its bid, a short its ask; to the cent."""
    broker = Broker({stock(): (net_qty, "100")})

    assert told(broker.quote("SPY", bid, ask)) == sent


def test_e01_the_mark_only_where_it_was_asked_for() -> None:
    """E1: bid 1.00, ask 3.00 has a middle of 2.00; who wants that must say so."""
    plain, marked = (
        Broker({stock(): ("10", "1.80")}, stop_loss_rate="0.5", **more) for more in ({}, {"price_used": "mark"})
    )

    assert plain.quote("SPY", "1.00", "3.00") == []
    assert told(marked.quote("SPY", "1.00", "3.00")) == ["sell 10 exit/take_profit"]


@pytest.mark.parametrize(
    ("bid", "ask", "reason"),
    [("111", "110", "stale_price"), ("-", "110", "stale_price"), (None, None, "no_mark_price")],
)
def test_a_price_that_cannot_be_judged_is_told(bid: str | None, ask: str | None, reason: str) -> None:
    """Crossed, missing, never seen: nothing fires, and a hold says that the position is not watched by its price."""
    broker = Broker({stock(): ("10", "100")})

    sent = [] if bid is None or ask is None else broker.quote("SPY", bid, ask)

    assert sent == []
    assert [hold.reason.value for hold in broker.book.state.holds.values()] == [reason]


def test_a_stale_price_fires_nothing() -> None:
    """The last price is only good while it is fresh; time rules go on without it."""
    broker = Broker({stock(): ("10", "100")}, time_limit_h="1")
    broker.quote("SPY", "100.00", "100.10")

    assert broker.wait(11 * S) == []
    assert [hold.reason.value for hold in broker.book.state.holds.values()] == ["stale_price"]
    assert told(broker.wait(1 * H)) == ["sell 10 exit/time_limit"]


def test_a_stop_that_trails_follows_the_best_price() -> None:
    """It begins once the price was good enough, remembers the best, and fires at its part of that."""
    broker = Broker({stock(): ("10", "100")}, trailing_rate="0.95", trailing_from_rate="1.02", take_profit_rate="none")
    assert broker.quote("SPY", "101.00", "101.10") == []
    assert broker.quote("SPY", "95.00", "95.10") == []
    assert broker.quote("SPY", "120.00", "120.10") == []
    assert broker.quote("SPY", "114.01", "114.10") == []

    assert told(broker.quote("SPY", "114.00", "114.10")) == ["sell 10 exit/trailing"]


def test_a_stop_that_trails_closely_knows_the_best_price_as_closely() -> None:
    """Ten bps below the best is ten bps: what counts as a new best is a twentieth of that."""
    broker = Broker({stock(): ("10", "100")}, trailing_rate="0.999", take_profit_rate="none")
    assert broker.quote("SPY", "100.40", "100.41") == []
    assert broker.quote("SPY", "100.49", "100.50") == []
    assert broker.quote("SPY", "100.39", "100.40") == []

    assert told(broker.quote("SPY", "100.38", "100.39")) == ["sell 10 exit/trailing"]


def test_a_short_trails_downwards() -> None:
    """The best price of a short is the lowest ask."""
    broker = Broker({stock(): ("-10", "100")}, trailing_rate="0.95", take_profit_rate="none")
    broker.quote("SPY", "79.90", "80.00")

    assert broker.quote("SPY", "83.00", "83.99") == []
    assert told(broker.quote("SPY", "83.00", "84.00")) == ["buy 10 exit/trailing"]


def test_the_best_price_is_remembered_over_a_restart() -> None:
    """What the stop trails is in the journal."""
    broker = Broker({stock(): ("10", "100")}, trailing_rate="0.95", take_profit_rate="none")
    broker.quote("SPY", "120.00", "120.10")
    broker.restart()

    assert told(broker.quote("SPY", "114.00", "114.10")) == ["sell 10 exit/trailing"]


def test_scaling_out_sells_a_part_once() -> None:
    """Half of 9 is 4 whole shares; the rest stays under the other rules, and the part is never sold again."""
    broker = Broker({stock(): ("9", "100")}, scale_out_rate="1.05")
    (part,) = broker.quote("SPY", "105.00", "105.10")
    assert told([part]) == ["sell 4 exit/scale_out"]
    broker.fill(part, "105.00")
    broker.end(part, "4")

    assert broker.quote("SPY", "106.00", "106.10") == []
    assert told(broker.quote("SPY", "110.00", "110.10")) == ["sell 5 exit/take_profit"]


def test_scaling_out_of_one_contract_sells_nothing() -> None:
    """Half of one contract is no order; it waits for the rules that close all of it."""
    broker = Broker({option(): ("1", "1.00")}, scale_out_rate="1.05")

    assert broker.quote(EXPIRES_LATER, "1.05", "1.06") == []
    assert told(broker.quote(EXPIRES_LATER, "1.10", "1.11")) == ["sell 1 exit/take_profit"]


def test_what_is_added_after_scaling_out_is_scaled_out_by_itself() -> None:
    """Half of the first ten was sold; of fifteen, half is seven, not all that is above what the first part left."""
    broker = Broker({leg(stock(), adopt_later=True): ("10", "100")}, scale_out_rate="1.05")
    (part,) = broker.quote("SPY", "105.00", "105.10")
    broker.fill(part, "105.00")
    broker.end(part, "5")
    broker.quote("SPY", "101.00", "101.10")
    broker.trade_by_hand("SPY", "10", "100")
    broker.wait(120 * S)
    assert broker.net_qty("SPY") == 15

    assert told(broker.quote("SPY", "105.00", "105.10")) == ["sell 7 exit/scale_out"]


def test_a_short_remembers_nothing_of_the_long_before() -> None:
    """Turned round by hand: the best price of the long is no stop for the short."""
    broker = Broker({leg(stock(), adopt_later=True): ("10", "100")}, trailing_rate="0.95", take_profit_rate="none")
    broker.quote("SPY", "101.00", "101.10")
    broker.trade_by_hand("SPY", "-20", "101")
    broker.wait(120 * S)
    assert broker.net_qty("SPY") == -10

    assert broker.quote("SPY", "106.00", "106.10") == []
    assert '"best"' not in broker.book.state.memory


def test_e02_a_canceled_exit_is_armed_again() -> None:
    """E2: accepted is not filled: what is left of the position is asked for again, by the rules of then."""
    broker = Broker({stock(): ("10", "100")})
    (first,) = broker.quote("SPY", "110.00", "110.10")
    broker.accept(first)
    broker.fill(first, "110.00", "3")

    again = broker.end(first, "3")

    again += broker.wait(1 * S)
    assert told(again) == ["sell 7 exit/take_profit"]
    assert again[0].order_id != first.order_id


@pytest.mark.parametrize(("age_s", "sent"), [(179, []), (180, []), (181, ["cancel"])])
def test_e06_stale_is_past_the_limit(age_s: int, sent: list[str]) -> None:
    """E6: an order of 180 s is not older than 180 s."""
    broker = Broker({stock(): ("10", "100")}, slippage_bps_max="0", reprice_s="3600")
    (exit_,) = broker.quote("SPY", "110.00", "110.10")
    broker.accept(exit_)

    assert told(broker.wait(age_s * S)) == sent


def test_an_exit_with_a_worst_price_follows_the_market() -> None:
    """It is repriced when it is old enough, down by at most the slippage, on the tick."""
    broker = Broker({stock(): ("10", "100")}, slippage_bps_max="10", reprice_s="10")
    (first,) = broker.quote("SPY", "115.00", "115.10")
    broker.accept(first)
    broker.quote("SPY", "112.00", "112.10")
    sent = broker.wait(10 * S)
    assert told(sent) == ["cancel"]
    broker.quote("SPY", "112.00", "112.10")

    (second,) = [order for order in (*broker.end(first), *broker.wait(S)) if isinstance(order, SubmitOrder)]

    assert isinstance(first, SubmitOrder) and first.limit_price == Decimal("114.89")
    assert second.limit_price == Decimal("111.89")
    assert second.time_in_force is TimeInForce.DAY


@pytest.mark.parametrize(
    ("before_close_min", "symbol", "fires"),
    [(11, EXPIRES_TODAY, False), (10, EXPIRES_TODAY, True), (0, EXPIRES_TODAY, False), (10, EXPIRES_LATER, False)],
)
def test_e05_options_go_before_the_close_of_their_last_day(before_close_min: int, symbol: str, fires: bool) -> None:
    """E5: by the table's close of that day, and not after it."""
    broker = Broker({option(symbol): ("2", "1.00")})
    broker.now_ns = TODAY.close_ns - before_close_min * MIN

    assert told(broker.quote(symbol, "1.00", "1.01")) == (["sell 2 exit/zero_dte"] if fires else [])


def test_everything_goes_before_the_close_of_the_day() -> None:
    """Who wants nothing overnight says how long before the close it is to go."""
    broker = Broker({stock(): ("10", "100")}, close_of_day_min="15")
    broker.now_ns = TODAY.close_ns - 16 * MIN
    assert broker.quote("SPY", "100.00", "100.10") == []

    assert told(broker.wait(1 * MIN)) == ["sell 10 exit/close_of_day"]


def test_e14_nothing_is_sent_while_it_is_closed() -> None:
    """E14: the hold says when it opens next, and then the exit leaves."""
    broker = Broker({stock(): ("10", "100")})
    broker.now_ns = TODAY.close_ns
    assert broker.quote("SPY", "70.00", "70.10") == []
    (hold,) = broker.book.state.holds.values()
    assert (hold.reason.value, hold.numbers) == ("market_closed", (("next_open", "2026-11-23 14:30:00 UTC"),))
    broker.now_ns = MONDAY.open_ns

    assert told(broker.quote("SPY", "70.00", "70.10")) == ["sell 10 exit/stop_loss"]


def test_e14_beyond_the_table_nothing_is_known() -> None:
    """A table that was not read anew for two weeks closes the venue rather than open it; a new one opens it."""
    broker = Broker({stock(): ("10", "100")}, sessions=(TODAY,))
    broker.now_ns = MONDAY.open_ns
    assert broker.quote("SPY", "70.00", "70.10") == []
    (hold,) = broker.book.state.holds.values()
    assert hold.numbers == (("next_open", "unknown"),)

    assert told(broker.tell(SessionsRead(broker.now_ns, BROKER, (MONDAY,)))) == ["sell 10 exit/stop_loss"]


def test_e07_the_ladder_takes_a_bid_that_comes_back() -> None:
    """E7: a bid between two rungs is taken at once, and never below the floor."""
    broker = Broker({stock(): ("10", "100")}, floor_price="40", ladder_rungs="4", time_limit_h="0.001")
    broker.quote("SPY", "-", "70.00")
    (first,) = [order for order in broker.wait(4 * S) if isinstance(order, SubmitOrder)]
    broker.accept(first)
    assert first.limit_price == Decimal("70.00")

    broker.quote("SPY", "55.00", "70.00")
    (second,) = [order for order in (*broker.end(first), *broker.wait(S)) if isinstance(order, SubmitOrder)]
    broker.accept(second)
    broker.quote("SPY", "20.00", "70.00")
    (third,) = [order for order in (*broker.end(second), *broker.wait(S)) if isinstance(order, SubmitOrder)]

    assert second.limit_price == Decimal("55.00")
    assert third.limit_price == Decimal("40.00")


def test_e09_what_was_sold_by_hand_is_not_sold_again() -> None:
    """E9: an exit of what is not there any more would open a short."""
    broker = Broker({leg(stock(), adopt_later=False): ("10", "100")})
    broker.quote("SPY", "100.00", "100.10")
    broker.trade_by_hand("SPY", "-6", "100")
    broker.wait(120 * S)

    assert told(broker.quote("SPY", "70.00", "70.10")) == ["sell 4 exit/stop_loss"]


def test_what_other_hands_add_is_watched_too() -> None:
    """The average cost of the book is the broker's again, and the rates go by it."""
    broker = Broker({leg(stock(), adopt_later=True): ("10", "100")})
    broker.quote("SPY", "100.00", "100.10")
    broker.trade_by_hand("SPY", "10", "120")
    broker.wait(120 * S)

    assert broker.net_qty("SPY") == 20
    assert broker.book.ledger(LegId("spy")).position.avg_price() == 110
    assert broker.quote("SPY", "120.99", "121.10") == []
    assert told(broker.quote("SPY", "121.00", "121.10")) == ["sell 20 exit/take_profit"]


def test_what_other_hands_take_is_not_watched_any_more() -> None:
    """Sold by hand, all of it: nothing is left to close, and nothing is remembered."""
    broker = Broker({leg(stock(), adopt_later=True): ("10", "100")}, trailing_rate="0.9")
    broker.quote("SPY", "105.00", "105.10")
    assert broker.book.state.memory
    broker.trade_by_hand("SPY", "-10", "105")
    broker.wait(120 * S)

    assert broker.net_qty("SPY") == 0
    assert broker.quote("SPY", "10.00", "10.10") == []
    assert broker.book.state.memory == ""


def test_what_other_hands_take_while_an_exit_works_shrinks_it() -> None:
    """An exit of ten that stands where six are left would sell four short."""
    held = {leg(stock(), adopt_later=True): ("10", "100")}
    broker = Broker(held, slippage_bps_max="50", stop_loss_rate="0.95", reprice_s="600")
    broker.quote("SPY", "100.00", "100.10")
    (exit_,) = broker.quote("SPY", "94.00", "94.10")
    broker.accept(exit_)
    broker.trade_by_hand("SPY", "-4", "94")

    sent: list[SubmitOrder | CancelOrder] = []
    while not sent:
        sent = broker.wait(S) + broker.quote("SPY", "93.00", "93.10")
    (cancel,) = sent
    again = [*broker.end(exit_), *broker.wait(30 * S), *broker.quote("SPY", "93.00", "93.10")]

    assert isinstance(cancel, CancelOrder)
    assert told(again) == ["sell 6 exit/stop_loss"]
    broker.fill(again[0], "93.00")
    broker.wait(120 * S)
    assert broker.net_qty("SPY") == 0
    assert broker.book.ledger(LegId("spy")).drift_net_qty == 0
    assert not broker.book.state.alarms


def test_a_position_that_is_found_gets_a_leg() -> None:
    """It is read, adopted at the broker's price, and closed by the rules like any other."""
    broker = Broker()
    broker.wait(60 * S)
    broker.add(leg(stock("QQQ"), found=True), "7", "100")

    assert told(broker.quote("QQQ", "110.00", "110.10")) == ["sell 7 exit/take_profit"]


def test_a_found_leg_is_in_the_journal() -> None:
    """A fold gives the same book; a restart keeps the leg while the book has something there."""
    broker = Broker()
    broker.add(leg(stock("QQQ"), found=True), "7", "100")
    broker.tell(LegAdded(broker.now_ns, leg(stock("QQQ"), found=True)))

    folded = empty_book(broker.config, make(broker.config))
    for turn in broker.turns:
        fold(folded, turn)

    assert folded.digest() == broker.book.digest()
    broker.restart()
    assert list(broker.book.legs) == ["qqq"]
    assert broker.net_qty("QQQ") == 7


def test_e09_what_is_flagged_manual_later_is_given_back() -> None:
    """E9: a config that no longer lets it be closed is obeyed from the next start on."""
    broker = Broker()
    adopted = leg(stock("QQQ"), found=True)
    broker.add(adopted, "7", "100")
    flagged = leg(stock("QQQ"), found=True, adopt=False)
    broker.restart(
        type(broker.config)(broker.config.book_id, "e1", "exits", {}, (flagged,), sessions={BROKER: (TODAY,)})
    )

    assert broker.net_qty("QQQ") == 0
    assert broker.book.ledger(adopted.id).foreign_net_qty == 7
    assert broker.quote("QQQ", "10.00", "10.10") == []


def test_e09_what_is_manual_is_no_alarm() -> None:
    """E9: its owner said that he trades it himself, before the start and after; it is shown as it is, and kept out."""
    hands_off = leg(stock("TSLA"), adopt=False, manual=True)
    broker = Broker({stock(): ("10", "100"), hands_off: ("5", "200")})
    assert broker.book.ledger(hands_off.id).foreign_net_qty == 5
    broker.held[hands_off.id] = (Decimal(2), Decimal(200))
    broker.wait(120 * S)

    assert broker.book.ledger(hands_off.id).foreign_net_qty == 2
    assert broker.book.ledger(hands_off.id).drift_net_qty == 0
    assert broker.book.state.alarms == {}
    assert told(broker.quote("SPY", "120.00", "120.10")) == ["sell 10 exit/take_profit"]


def test_e10_a_listing_that_fails_is_told_until_it_works() -> None:
    """E10: what cannot be listed is unknown; what was known stays and is closed by its rules."""
    broker = Broker({stock(): ("10", "100")})
    account = AccountId("brk/main")
    broker.tell(PositionsListed(broker.now_ns, account, "503 Service Unavailable"))
    assert "positions_unread/brk/main" in broker.book.state.alarms

    assert told(broker.quote("SPY", "70.00", "70.10")) == ["sell 10 exit/stop_loss"]
    broker.tell(PositionsListed(broker.now_ns, account))
    assert "positions_unread/brk/main" not in broker.book.state.alarms


def test_e13_an_option_is_worth_a_hundred_shares() -> None:
    """E13: two contracts bought at 1.50 and worth 1.80 are 60 dollars up, not 0.60."""
    broker = Broker({option(): ("2", "1.50")})
    position = broker.book.ledger(LegId(EXPIRES_LATER.lower())).position

    assert position.unrealized(Decimal("1.80"), option().multiplier) == 60
    assert position.avg_price(option().multiplier) == Decimal("1.50")


CENTS = st.integers(5_000, 15_000).map(lambda cents: Decimal(cents) / 100)
SPREADS = st.integers(-20, 400).map(lambda cents: Decimal(cents) / 100)


@given(
    net_qty=st.sampled_from(("9", "-9")),
    trailing=st.sampled_from(("none", "0.95")),
    scale_out=st.sampled_from(("none", "1.04")),
    first=st.tuples(CENTS, SPREADS),
    others=st.lists(st.tuples(CENTS, SPREADS), min_size=1, max_size=8),
)
def test_quotes_between_the_wake_prices_change_nothing(
    net_qty: str,
    trailing: str,
    scale_out: str,
    first: tuple[Decimal, Decimal],
    others: list[tuple[Decimal, Decimal]],
) -> None:
    """What the policy promises of quotes is true of all of them, so that they may be skipped."""
    broker = Broker({stock(): (net_qty, "100")}, trailing_rate=trailing, scale_out_rate=scale_out)
    broker.quote("SPY", str(first[0]), str(max(first[0] + first[1], Decimal("0.01"))))
    before = broker.target()
    assert before.wake_prices is not None
    (prices,) = before.wake_prices
    instrument_id = InstrumentId("brk:SPY")
    for bid, spread in others:
        size = Decimal(1)
        quote = Quote(instrument_id, broker.now_ns, ((bid, size),), ((bid + spread, size),))
        # A crossed quote is no price, so no promise is made of it.
        if quote.mark is not None and prices.spans(quote):
            broker.book.quotes[instrument_id] = quote
            assert broker.target() == before, (quote, prices)


@given(
    steps=st.lists(st.tuples(st.sampled_from(("SPY", "QQQ")), CENTS, st.integers(0, 20_000)), min_size=1, max_size=12),
    trailing=st.sampled_from(("none", "0.95")),
)
def test_what_was_worked_out_before_is_what_would_be_now(steps: list[tuple[str, Decimal, int]], trailing: str) -> None:
    """A leg at rest is not worked out again, and a policy that never saw the book says the same."""
    held = {leg(stock(), adopt_later=True): ("9", "100"), leg(stock("QQQ"), adopt_later=True): ("-4", "100")}
    broker = Broker(held, trailing_rate=trailing, time_limit_h="0.02")

    for symbol, bid, wait_ms in steps:
        for order in broker.quote(symbol, str(bid), str(bid + Decimal("0.10"))):
            if isinstance(order, SubmitOrder):
                broker.fill(order, str(bid))
        broker.wait(wait_ms * 1_000_000)
        assert broker.target() == make(broker.config).target(broker.book)


@pytest.mark.parametrize(
    ("params", "key"),
    [
        ({"stop_loss_rate": "1"}, "stop_loss_rate"),
        ({"take_profit_rate": "2"}, "take_profit_rate"),
        ({"trailing_rate": "1.05"}, "trailing_rate"),
        ({"trailing_rate": "0.9", "trailing_from_rate": "1.1"}, "trailing_from_rate"),
        ({"scale_out_rate": "1.2"}, "scale_out_rate"),
        ({"buy_back_rate": "1"}, "buy_back_rate"),
        ({"take_proft_rate": "1.2"}, "take_proft_rate"),
        ({"scale_out_part": "1.5"}, "scale_out_part"),
    ],
)
def test_parameters_that_contradict_are_refused(params: dict[str, str], key: str) -> None:
    """Thresholds are ordered: a stop below the cost, a profit above it, a part before all."""
    with pytest.raises(BadParams) as error:
        Broker({stock(): ("10", "100")}, **params)

    assert [each.key for each in error.value.errors] == [key]


@pytest.mark.parametrize(
    ("params", "key"), [({}, "zero_dte_cut_off_min"), ({"close_of_day_min": "5"}, "close_of_day_min")]
)
def test_rules_by_the_clock_need_a_calendar(params: dict[str, str], key: str) -> None:
    """Without hours nobody knows when the close is; that is told, not guessed."""
    with pytest.raises(BadParams) as error:
        Broker({option(): ("1", "1")}, sessions=(), **params)

    assert [each.key for each in error.value.errors] == [key]


def test_a_cut_off_for_an_option_that_does_not_say_when_it_expires_is_refused() -> None:
    """It would be off in silence, and the option be carried into its expiry."""
    with pytest.raises(BadParams, match="its symbol does not say when it expires"):
        Broker({option("SPX-CALL-600"): ("1", "1")})

    Broker({option("SPX-CALL-600"): ("1", "1")}, zero_dte_cut_off_min="none")


@pytest.mark.parametrize(
    ("symbol", "contract"),
    [
        ("SPY261120C00600000", Contract("SPY", "2026-11-20", Right.CALL, Decimal(600))),
        ("F261218P00012500", Contract("F", "2026-12-18", Right.PUT, Decimal("12.5"))),
        ("TSLA1261120C00600000", Contract("TSLA", "2026-11-20", Right.CALL, Decimal(600), is_adjusted=True)),
        ("SPY261320C00600000", None),
        ("SPY261120X00600000", None),
        ("SPY261120C00000000", None),
        ("SPY", None),
        ("", None),
    ],
)
def test_option_symbols_are_read_or_refused(symbol: str, contract: Contract | None) -> None:
    """A day or a strike that cannot be is not guessed at."""
    assert parse_occ(symbol) == contract


def test_e07_a_bid_that_comes_back_is_no_reason_to_sell_far_below_it() -> None:
    """E7: the ladder is for markets without bids; as soon as somebody bids the slippage counts as ever."""
    broker = Broker(
        {stock(): ("10", "100")}, floor_price="40", ladder_rungs="4", time_limit_h="0.001", slippage_bps_max="50"
    )
    broker.quote("SPY", "-", "70.00")
    (first,) = [order for order in broker.wait(4 * S) if isinstance(order, SubmitOrder)]
    broker.accept(first)
    (second, *_) = [order for order in (*broker.wait(3600 * S), *broker.end(first)) if isinstance(order, SubmitOrder)]
    broker.accept(second)

    broker.quote("SPY", "65.00", "70.00")
    (third,) = [order for order in (*broker.end(second), *broker.wait(S)) if isinstance(order, SubmitOrder)]

    assert (first.limit_price, second.limit_price) == (Decimal("70.00"), Decimal("40.00"))
    assert third.limit_price == Decimal("64.68")


def test_what_other_hands_add_to_an_option_costs_a_hundred_times_its_price() -> None:
    """The rates go by the average, so contracts that were bought by hand must not move it a hundredfold."""
    held = option()
    broker = Broker({leg(held, adopt_later=True): ("1", "1")})
    broker.quote(EXPIRES_LATER, "1.00", "1.02")
    broker.trade_by_hand(EXPIRES_LATER, "1", "2")
    broker.wait(120 * S)

    (ledger,) = broker.book.state.ledgers.values()
    assert (ledger.position.net_qty, ledger.position.avg_price(Decimal(100))) == (Decimal(2), Decimal("1.5"))
