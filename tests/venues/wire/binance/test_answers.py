"""Answers as events: what is told, and what is never invented."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from hedgerow.core.commands import CancelOrder, QueryOrder, Read, SetLeverage
from hedgerow.core.events import (
    Balance,
    BalancesRead,
    CancelAnswered,
    CancelOutcome,
    Event,
    FillReceived,
    LeverageAnswered,
    OpenOrder,
    OpenOrdersRead,
    OrderAccepted,
    OrderNotFound,
    OrderQueryFailed,
    OrderRejected,
    OrderReported,
    OrderUnknown,
    PositionRead,
    ReadFailed,
    ReadKind,
    RejectClass,
)
from hedgerow.model.ids import ClientOrderId, TradeId, VenueOrderId
from hedgerow.model.order import Fill, OrderStatus, Side
from hedgerow.venues.gateway import Request
from hedgerow.venues.wire.binance import answers
from hedgerow.venues.wire.binance.kinds import Product, Watch
from hedgerow.venues.wire.payload import BadPayload
from tests.venues.wire.binance.wires import (
    ACCOUNT,
    ASKED_NS,
    LEG,
    NOW_NS,
    ORDER_ID,
    T_MS,
    answer,
    limit_order,
    watch,
)

UM, SPOT = watch(Product.UM), watch(Product.SPOT)


def order_row(**changes: Any) -> dict[str, Any]:
    """Return an order as futures show it, changed."""
    row = {
        "symbol": "BTCUSDT",
        "orderId": 77,
        "clientOrderId": ORDER_ID,
        "status": "NEW",
        "side": "BUY",
        "origQty": "0.010",
        "executedQty": "0",
        "price": "60000.50",
        "updateTime": T_MS,
    }
    return row | changes


def test_an_order_that_stands_is_accepted() -> None:
    """One event, and no report that says the same again."""
    (event,) = answers.submitted(limit_order(), answer(order_row()), UM, NOW_NS)

    assert event == OrderAccepted(NOW_NS, ORDER_ID, VenueOrderId("77"))


def test_an_order_that_was_filled_at_once_is_reported_too() -> None:
    """The stream may be late; the cumulative qty tells the core that trades are to come."""
    told = answers.submitted(limit_order(), answer(order_row(status="FILLED", executedQty="0.010")), UM, NOW_NS)

    assert told == (
        OrderAccepted(NOW_NS, ORDER_ID, VenueOrderId("77")),
        OrderReported(NOW_NS, ORDER_ID, OrderStatus.FILLED, Decimal("0.010"), VenueOrderId("77"), leg_id=LEG),
    )


def test_the_fills_of_a_spot_answer_are_fills() -> None:
    """Each has its trade id, so the stream's repeat of it counts once."""
    fills = [
        {"price": "60000.1", "qty": "0.004", "commission": "0.000004", "commissionAsset": "BTC", "tradeId": 9},
        {"price": "60000.2", "qty": "0.006", "commission": "0", "commissionAsset": None, "tradeId": 10},
    ]
    row = order_row(status="FILLED", executedQty="0.010", transactTime=T_MS, fills=fills)

    accepted, first, second, report = answers.submitted(limit_order(), answer(row), SPOT, NOW_NS)

    assert isinstance(accepted, OrderAccepted)
    assert first == FillReceived(
        NOW_NS,
        Fill(
            TradeId("9"),
            ACCOUNT,
            SPOT.instrument.id,
            Side.BUY,
            Decimal("0.004"),
            Decimal("60000.1"),
            T_MS * 1_000_000,
            ORDER_ID,
            VenueOrderId("77"),
            Decimal("0.000004"),
            "BTC",
        ),
    )
    assert isinstance(second, FillReceived) and second.fill.fee is None, "not said is not zero"
    assert isinstance(report, OrderReported) and report.status is OrderStatus.FILLED


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"orderId":77',
        b"null",
        b"[]",
        b"{}",
        b'{"code":200,"msg":"success"}',
        order_row(clientOrderId="hr-other-1-1"),
        order_row(symbol="ETHUSDT"),
        order_row(executedQty="NaN"),
        order_row(executedQty="1e999999"),
        order_row(fills=[{"tradeId": 0, "price": "1", "qty": "1"}], transactTime=T_MS),
        order_row(fills=[{"tradeId": 1, "price": "1", "qty": "1"}]),
    ],
)
def test_a_success_that_cannot_be_read_is_unknown(body: object) -> None:
    """An order without an id is neither accepted nor refused: it may be live."""
    (event,) = answers.submitted(limit_order(), answer(body), UM, NOW_NS)

    assert isinstance(event, OrderUnknown) and event.order_id == ORDER_ID


def test_a_refusal_keeps_its_proof() -> None:
    """Number, words and the venue's own waiting time go into the journal."""
    body = {"code": -1003, "msg": "Too many requests."}

    (event,) = answers.submitted(limit_order(), answer(body, 429, 7), UM, NOW_NS)

    assert event == OrderRejected(
        NOW_NS, ORDER_ID, RejectClass.RATE_LIMITED, "-1003", "Too many requests.", 7_000_000_000
    )


def test_what_may_be_live_is_unknown_with_what_was_seen() -> None:
    """The operator must be able to tell a timeout from a duplicate."""
    timeout = answer({"code": -1007, "msg": "Timeout waiting for response"}, 408)
    duplicate = answer({"code": -4116, "msg": "ClientOrderId is duplicated."}, 400)
    page = answer(b"<html>Bad\nGateway</html>", 502)

    details = [
        event.detail
        for given in (timeout, duplicate, page)
        for event in answers.submitted(limit_order(), given, UM, NOW_NS)
        if isinstance(event, OrderUnknown)
    ]

    assert details == [
        "408 -1007 Timeout waiting for response",
        "exists already: 400 -4116 ClientOrderId is duplicated.",
        "502 0 <html>Bad·Gateway</html>",
    ]


def test_a_cancel_of_futures_and_of_spot() -> None:
    """Spot names the cancel in `clientOrderId` and the order in `origClientOrderId`."""
    futures = order_row(status="CANCELED", executedQty="0.003")
    spot = order_row(status="CANCELED", executedQty="0.003", clientOrderId="xyz", origClientOrderId=ORDER_ID)

    for row, watched in ((futures, UM), (spot, SPOT)):
        told = answers.canceled(ORDER_ID, answer(row), watched, NOW_NS)

        assert told == (
            CancelAnswered(NOW_NS, ORDER_ID, CancelOutcome.ACCEPTED),
            OrderReported(NOW_NS, ORDER_ID, OrderStatus.CANCELED, Decimal("0.003"), VenueOrderId("77"), leg_id=LEG),
        )


def test_a_cancel_that_came_too_late_proves_nothing_of_the_order() -> None:
    """It may have filled: the answer is 'gone', and the trades are read."""
    (event,) = answers.canceled(ORDER_ID, answer({"code": -2011, "msg": "Unknown order sent."}, 400), UM, NOW_NS)

    assert event == CancelAnswered(NOW_NS, ORDER_ID, CancelOutcome.GONE, "-2011", "Unknown order sent.")


def test_a_cancel_with_another_orders_answer_is_unknown() -> None:
    """Answers slip; the wrong one must not end an order."""
    (event,) = answers.canceled(ORDER_ID, answer(order_row(clientOrderId="hr-b-1-1")), UM, NOW_NS)

    assert isinstance(event, CancelAnswered) and event.outcome is CancelOutcome.UNKNOWN


def test_a_query_reports_not_found_or_failed() -> None:
    """Only the venue's clear 'no such order' is evidence."""
    command = QueryOrder(ORDER_ID, LEG)

    def told(body: object, status: int = 200) -> tuple[Event, ...]:
        return answers.queried(command, answer(body, status), UM, ASKED_NS, NOW_NS)

    assert told(order_row(status="PARTIALLY_FILLED", executedQty="0.001")) == (
        OrderReported(NOW_NS, ORDER_ID, OrderStatus.OPEN, Decimal("0.001"), VenueOrderId("77"), leg_id=LEG),
    )
    assert told({"code": -2013, "msg": "Order does not exist."}, 400) == (OrderNotFound(NOW_NS, ORDER_ID, ASKED_NS),)
    for failed in (
        told({"code": -1007, "msg": ""}, 400),
        told(b"<html>", 502),
        told({"code": -2013, "msg": ""}, 500),
        told(order_row(clientOrderId="hr-b-1-1")),
        told(order_row(status="A_NEW_WORD")),
        told(b"{"),
    ):
        assert [type(event) for event in failed] == [OrderQueryFailed]


def test_a_query_by_the_venues_id_learns_the_name() -> None:
    """That is how a nameless trade finds its owner."""
    command = QueryOrder(ClientOrderId(""), LEG, VenueOrderId("77"))

    (event,) = answers.queried(command, answer(order_row(clientOrderId="web_1")), UM, ASKED_NS, NOW_NS)
    (other,) = answers.queried(command, answer(order_row(orderId=78)), UM, ASKED_NS, NOW_NS)

    assert isinstance(event, OrderReported) and event.order_id == "web_1"
    assert not event.venue_made
    assert isinstance(other, OrderQueryFailed)


@pytest.mark.parametrize(("wire", "venue_made"), [(UM, True), (SPOT, False)])
def test_a_query_knows_the_venues_own_orders(wire: Watch, venue_made: bool) -> None:
    """A list of trades does not name them: a liquidation taken for a hand's would stay unhedged."""
    command = QueryOrder(ClientOrderId(""), LEG, VenueOrderId("77"))

    (event,) = answers.queried(command, answer(order_row(clientOrderId="autoclose-17")), wire, ASKED_NS, NOW_NS)

    assert isinstance(event, OrderReported)
    assert event.venue_made is venue_made


def test_an_expired_order_says_why() -> None:
    """A refusal in effect must show its reason."""
    command = QueryOrder(ORDER_ID, LEG)
    row = order_row(status="EXPIRED", expiryReason="INSUFFICIENT_LIQUIDITY")

    (told,) = answers.queried(command, answer(row), UM, ASKED_NS, NOW_NS)
    (matched,) = answers.queried(command, answer(order_row(status="EXPIRED_IN_MATCH")), UM, ASKED_NS, NOW_NS)

    assert isinstance(told, OrderReported) and told.reason == "INSUFFICIENT_LIQUIDITY"
    assert isinstance(matched, OrderReported) and matched.status is OrderStatus.EXPIRED
    assert matched.reason == "EXPIRED_IN_MATCH"


def test_open_orders() -> None:
    """Rows of other instruments are somebody else's concern; a row that cannot be read spoils the read."""
    rows = [order_row(executedQty="0.001"), order_row(symbol="ETHUSDT"), order_row(clientOrderId="", orderId=78)]

    read = answers.open_orders_read(answer(rows), UM, ASKED_NS, NOW_NS)
    spoilt = answers.open_orders_read(answer([order_row(side="UP")]), UM, ASKED_NS, NOW_NS)

    assert read == OpenOrdersRead(
        NOW_NS,
        LEG,
        ASKED_NS,
        (
            OpenOrder(VenueOrderId("77"), Side.BUY, Decimal("0.010"), Decimal("0.001"), ORDER_ID),
            OpenOrder(VenueOrderId("78"), Side.BUY, Decimal("0.010"), Decimal("0"), None),
        ),
    )
    assert isinstance(spoilt, ReadFailed)


def test_what_somebody_else_placed_in_another_shape_hides_no_order_of_ours() -> None:
    """An order that closes whatever is held has no qty; one such row must not fail every read while it waits."""
    rows = [order_row(), order_row(clientOrderId="by-hand", orderId=78, origQty="0", type="STOP_MARKET")]

    read = answers.open_orders_read(answer(rows), UM, ASKED_NS, NOW_NS)

    assert isinstance(read, OpenOrdersRead)
    assert [row.order_id for row in read.orders] == [ORDER_ID]
    for name in ("", ORDER_ID):
        spoilt = answers.open_orders_read(answer([order_row(clientOrderId=name, origQty="0")]), UM, ASKED_NS, NOW_NS)
        assert isinstance(spoilt, ReadFailed)


def test_conditional_orders_are_told_from_both_lists() -> None:
    """Spot's stand among all open orders, and are not working; futures have a list of their own."""
    spot = order_row(type="STOP_LOSS_LIMIT", stopPrice="59000.00", isWorking=False)
    futures = {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "orderType": "STOP_MARKET",
        "quantity": "0",
        "triggerPrice": "59000",
    }

    (first,) = answers.conditionals_of(answer([spot, order_row(isWorking=True)]), "BTCUSDT")
    (second,) = answers.conditionals_of(answer([futures, futures | {"symbol": "ETHUSDT"}]), "BTCUSDT")

    assert first == answers.Conditional("BUY", "STOP_LOSS_LIMIT", Decimal("0.01"), Decimal(59_000))
    assert second == answers.Conditional("SELL", "STOP_MARKET", Decimal(0), Decimal(59_000))
    with pytest.raises(BadPayload):
        answers.conditionals_of(answer([futures | {"quantity": "-1"}]), "BTCUSDT")


def test_a_position_of_futures() -> None:
    """Signed, with the leverage that counts."""
    row = {
        "symbol": "BTCUSDT",
        "positionAmt": "-0.250",
        "entryPrice": "60000.5",
        "leverage": "3",
        "positionSide": "BOTH",
    }

    read = answers.position_read(answer([row]), UM, ASKED_NS, NOW_NS)
    flat = answers.position_read(answer([row | {"positionAmt": "0.000", "entryPrice": "0.0"}]), UM, ASKED_NS, NOW_NS)

    assert read == PositionRead(NOW_NS, LEG, ASKED_NS, Decimal("-0.250"), Decimal("60000.5"), leverage=Decimal(3))
    assert flat == PositionRead(NOW_NS, LEG, ASKED_NS, Decimal("0.000"), None, leverage=Decimal(3))


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [{"symbol": "ETHUSDT", "positionAmt": "1"}],
        [{"symbol": "BTCUSDT", "positionAmt": "1", "positionSide": "LONG"}],
        [
            {"symbol": "BTCUSDT", "positionAmt": "1", "positionSide": "LONG"},
            {"symbol": "BTCUSDT", "positionAmt": "-1", "positionSide": "SHORT"},
        ],
        [{"symbol": "BTCUSDT", "positionAmt": "Infinity"}],
    ],
)
def test_a_position_that_is_not_told_is_unknown_and_never_zero(rows: list[dict[str, str]]) -> None:
    """Absence proves nothing, and a hedge-mode account has no one position."""
    read = answers.position_read(answer(rows), UM, ASKED_NS, NOW_NS)

    assert isinstance(read, ReadFailed) and read.kind is ReadKind.POSITION


SPOT_ACCOUNT = {
    "balances": [{"asset": "BTC", "free": "1.5", "locked": "0.5"}, {"asset": "USDT", "free": "9", "locked": "0"}]
}
MARGIN_ACCOUNT = {
    "userAssets": [
        {
            "asset": "BTC",
            "free": "0.1",
            "locked": "0",
            "borrowed": "0.3",
            "interest": "0.00001",
            "netAsset": "-0.20001",
        },
    ]
}
FUTURES_BALANCE = [{"asset": "USDT", "balance": "1000.5", "availableBalance": "900", "crossUnPnl": "-3"}]
PORTFOLIO_BALANCE = {
    "asset": "BTC",
    "totalWalletBalance": "0.1",
    "crossMarginFree": "0.1",
    "crossMarginLocked": "0",
    "crossMarginBorrowed": "0.3",
    "crossMarginInterest": "0.00001",
}


@pytest.mark.parametrize(
    ("product", "body", "rows"),
    [
        (
            Product.SPOT,
            SPOT_ACCOUNT,
            (Balance("BTC", Decimal("2.0"), Decimal("1.5")), Balance("USDT", Decimal(9), Decimal(9))),
        ),
        (
            Product.MARGIN,
            MARGIN_ACCOUNT,
            (Balance("BTC", Decimal("0.1"), Decimal("0.1"), Decimal("0.3"), Decimal("0.00001")),),
        ),
        (Product.UM, FUTURES_BALANCE, (Balance("USDT", Decimal("1000.5"), Decimal(900)),)),
        (
            Product.PM_MARGIN,
            [PORTFOLIO_BALANCE],
            (Balance("BTC", Decimal("0.1"), Decimal("0.1"), Decimal("0.3"), Decimal("0.00001")),),
        ),
        (
            Product.PM_UM,
            [PORTFOLIO_BALANCE],
            (Balance("BTC", Decimal("0.1"), None, Decimal("0.3"), Decimal("0.00001")),),
        ),
    ],
)
def test_balances_with_loans_and_interest(product: Product, body: object, rows: tuple[Balance, ...]) -> None:
    """What is owed is told apart from what is owned; what is not said is None."""
    read = answers.balances_read(answer(body), watch(product), ASKED_NS, NOW_NS)

    assert isinstance(read, BalancesRead)
    assert read.rows == rows


def test_the_position_of_spot_and_margin_is_the_net_of_the_base() -> None:
    """A borrowed coin that was sold is a short."""
    spot = answers.position_read(answer(SPOT_ACCOUNT), SPOT, ASKED_NS, NOW_NS)
    margin = answers.position_read(answer(MARGIN_ACCOUNT), watch(Product.MARGIN), ASKED_NS, NOW_NS)
    portfolio = answers.position_read(answer(PORTFOLIO_BALANCE), watch(Product.PM_MARGIN), ASKED_NS, NOW_NS)
    missing = answers.position_read(answer({"balances": []}), SPOT, ASKED_NS, NOW_NS)

    assert spot == PositionRead(NOW_NS, LEG, ASKED_NS, Decimal("2.0"), available=Decimal("1.5"))
    for read in (margin, portfolio):
        assert isinstance(read, PositionRead) and read.net_qty == Decimal("-0.20001")
    assert isinstance(missing, ReadFailed)


def test_leverage_is_answered_with_the_venues_words() -> None:
    """What counts is the next read; the refusal is for people."""
    taken = answers.leverage_answered(answer({"symbol": "BTCUSDT", "leverage": 3}), UM, NOW_NS)
    refused = answers.leverage_answered(answer({"code": -4028, "msg": "Leverage 200 is not valid"}, 400), UM, NOW_NS)

    assert taken == LeverageAnswered(NOW_NS, LEG)
    assert refused == LeverageAnswered(NOW_NS, LEG, "400 -4028 Leverage 200 is not valid")


def test_the_rate_of_a_loan_is_for_an_hour() -> None:
    """Its interval must be said, or a day's interest is taken for an hour's."""
    body = [{"asset": "BTC", "nextHourlyInterestRate": "0.00000571"}]

    (event,) = answers.borrow_rates_read(answer(body), watch(Product.MARGIN), NOW_NS)

    assert (event.rate.currency, event.rate.rate, event.rate.interval_s) == ("BTC", Decimal("0.00000571"), 3_600)


def test_fee_rates_of_each_product() -> None:
    """Three endpoints, one meaning."""
    spot = {
        "symbol": "BTCUSDT",
        "standardCommission": {"maker": "0.001", "taker": "0.002", "buyer": "0", "seller": "0"},
    }
    margin = [{"symbol": "BTCUSDT", "makerCommission": "0.001", "takerCommission": "0.002"}]
    futures = {"symbol": "BTCUSDT", "makerCommissionRate": "0.001", "takerCommissionRate": "0.002"}
    expected = answers.FeeRates(Decimal("0.001"), Decimal("0.002"))

    assert answers.fee_rates_of(answer(spot), Product.SPOT, "BTCUSDT") == expected
    assert answers.fee_rates_of(answer(margin), Product.MARGIN, "BTCUSDT") == expected
    assert answers.fee_rates_of(answer(futures), Product.PM_UM, "BTCUSDT") == expected


def test_a_key_whose_withdrawals_are_not_told_may_withdraw() -> None:
    """The start refuses such a key, so silence must not let it in."""
    told = answers.permissions_of(answer({"enableWithdrawals": False, "enableFutures": True, "enableReading": True}))
    silent = answers.permissions_of(answer({}))

    assert (told.enable_withdrawals, told.enable_futures, told.enable_margin) == (False, True, False)
    assert silent.enable_withdrawals


def test_what_the_start_asks_for() -> None:
    """Modes and times are read before anything is placed."""
    config = [{"symbol": "BTCUSDT", "marginType": "CROSSED", "leverage": 3}]

    assert answers.is_hedge_mode(answer({"dualSidePosition": True}))
    assert answers.symbol_config_of(answer(config), "BTCUSDT").margin_type == "CROSSED"
    assert answers.server_time_ms(answer({"serverTime": T_MS})) == T_MS
    assert answers.listen_key_of(answer({"listenKey": "k"})) == "k"
    assert answers.listen_token_of(answer({"token": "t", "expirationTime": T_MS})) == ("t", T_MS)
    with pytest.raises(answers.Refused, match="-2015"):
        answers.is_hedge_mode(answer({"code": -2015, "msg": "Invalid API-key"}, 401))
    with pytest.raises(BadPayload):
        answers.server_time_ms(answer({"serverTime": 5}))
    with pytest.raises(BadPayload):
        answers.symbol_config_of(answer([]), "BTCUSDT")


def test_what_is_so_already_was_acknowledged() -> None:
    """Binance refuses to change a mode to what it is; a start that stopped there would never start."""
    answers.acknowledged(answer({"code": 200, "msg": "success"}))
    answers.acknowledged(answer({"code": -4046, "msg": "No need to change margin type."}, 400))
    answers.acknowledged(answer({"code": -4059, "msg": "No need to change position side."}, 400))
    with pytest.raises(answers.Refused, match="-4047"):
        answers.acknowledged(answer({"code": -4047, "msg": "There exist open orders."}, 400))


REQUESTS: list[Request] = [
    limit_order(),
    CancelOrder(ORDER_ID, LEG),
    QueryOrder(ORDER_ID, LEG),
    Read(LEG, ReadKind.TRADES),
    SetLeverage(LEG, Decimal(3)),
]


def test_no_answer_and_not_sent_are_two_things() -> None:
    """One may be live, the other is certain: safe to ask again with the same meaning."""
    silent = [type(answers.unanswered(each, "cut", UM, NOW_NS)) for each in REQUESTS]
    unsent = [answers.not_sent(each, "refused", UM, NOW_NS) for each in REQUESTS]

    assert silent == [OrderUnknown, CancelAnswered, OrderQueryFailed, ReadFailed, LeverageAnswered]
    assert isinstance(unsent[0], OrderRejected) and unsent[0].reject_class is RejectClass.NOT_SENT
    assert isinstance(unsent[1], CancelAnswered) and unsent[1].outcome is CancelOutcome.REFUSED
