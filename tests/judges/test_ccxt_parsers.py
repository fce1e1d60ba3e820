"""The same payloads through ccxt's parsers and ours: the same order, fill, fee, balance and position.

ccxt is told to keep numbers as text, so that equal means equal. Its known defects are named where they would differ.
"""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import msgspec
import pytest

from hedgerow.core.commands import QueryOrder
from hedgerow.core.events import (
    BalancesRead,
    FillReceived,
    OpenOrdersRead,
    OrderAccepted,
    OrderReported,
    PositionRead,
    TradesRead,
)
from hedgerow.model.ids import ClientOrderId
from hedgerow.model.order import Fill, OrderStatus, Side
from hedgerow.venues.wire.binance import answers, frames
from hedgerow.venues.wire.binance.kinds import Product
from hedgerow.venues.wire.binance.trades import TradesReading
from tests.judges import payloads
from tests.judges.ccxt_client import PERP, SPOT, ccxt_of
from tests.venues.wire.binance.wires import ASKED_NS, LEG, NOW_MS, NOW_NS, answer, limit_order, requests, watch

pytestmark = pytest.mark.slow

SEEDS = range(150)
# ccxt's words for how an order stands. It has one word for open ones, filled in part or not.
STATUSES = {
    OrderStatus.OPEN: "open",
    OrderStatus.FILLED: "closed",
    OrderStatus.CANCELED: "canceled",
    OrderStatus.EXPIRED: "expired",
    OrderStatus.REJECTED: "rejected",
}


@pytest.fixture(scope="module")
def theirs() -> Any:
    """ccxt.pro with markets, exact numbers and no network."""
    exchange = ccxt_of("one for the parsers")
    exchange.number = str
    return exchange


def symbol_of(product: Product) -> str:
    return PERP if product.is_futures else SPOT


def number(value: object) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def same_fill(ours: Fill, trade: dict[str, Any]) -> None:
    """Fail unless both read the same fill."""
    assert ours.trade_id == trade["id"]
    assert ours.venue_order_id == trade["order"]
    assert ours.side.value == trade["side"]
    assert ours.qty == number(trade["amount"])
    assert ours.price == number(trade["price"])
    assert ours.fee == number(trade["fee"]["cost"])
    assert ours.fee_currency == trade["fee"]["currency"]
    assert ours.venue_ts_ns == trade["timestamp"] * 1_000_000


@pytest.mark.parametrize("product", Product)
def test_private_frames(theirs: Any, product: Product) -> None:
    """A whole life of an order, frame by frame: state, and one fill per trade."""
    market = theirs.market(symbol_of(product))
    for seed in SEEDS:
        random = Random(seed)
        order = payloads.life(random, product.is_futures)
        for frame in payloads.frames(random, order):
            told = frames.told(frames.private_frame(msgspec.json.encode(frame)), watch(product), NOW_NS)
            body = frame["o"] if product.is_futures else frame["event"]

            (report,) = [each for each in told if isinstance(each, OrderReported)]
            their_order = theirs.parse_ws_order(body, market)
            assert report.order_id == their_order["clientOrderId"] == order.name
            assert report.venue_order_id == their_order["id"]
            assert report.cum_qty == number(their_order["filled"])
            assert STATUSES[report.status] == their_order["status"]

            fills = [each.fill for each in told if isinstance(each, FillReceived)]
            if body["x"] != "TRADE":
                assert fills == []
                continue
            (fill,) = fills
            trade = theirs.parse_ws_trade(body, market)
            same_fill(fill, trade)
            assert fill.is_maker == (trade["takerOrMaker"] == "maker")


@pytest.mark.parametrize("product", Product)
def test_answers_to_new_orders(theirs: Any, product: Product) -> None:
    """Acceptance, state, and on spot and margin the fills inside; futures tell of fills only on the stream."""
    market = theirs.market(symbol_of(product))
    for seed in SEEDS:
        order = payloads.life(Random(seed), product.is_futures)
        body = payloads.reply(order)
        changes = {"order_id": ClientOrderId(order.name), "side": Side.BUY if order.side == "BUY" else Side.SELL}

        told = answers.submitted(limit_order(**changes), answer(body), watch(product), NOW_NS)

        their_order = theirs.parse_order(body, market)
        assert told[0] == OrderAccepted(NOW_NS, ClientOrderId(order.name), their_order["id"])
        fills = [each.fill for each in told if isinstance(each, FillReceived)]
        assert len(fills) == (0 if product.is_futures else len(order.fills))
        # ccxt puts the trades of one answer into another order.
        by_id = {trade["id"]: trade for trade in their_order["trades"]}
        for fill in fills:
            # ccxt does not say of which order, on which side and when, inside an answer: the order around it says so.
            around = {"order": their_order["id"], "side": their_order["side"], "timestamp": body["transactTime"]}
            same_fill(fill, {**by_id[fill.trade_id], **around})
        for report in told:
            if isinstance(report, OrderReported):
                assert report.cum_qty == number(their_order["filled"])
                assert STATUSES[report.status] == their_order["status"]


@pytest.mark.parametrize("product", Product)
def test_answers_to_queries_and_lists(theirs: Any, product: Product) -> None:
    """One order by itself, and in the list of open ones."""
    market = theirs.market(symbol_of(product))
    for seed in SEEDS:
        order = payloads.life(Random(seed), product.is_futures)
        body = payloads.query(order)
        their_order = theirs.parse_order(body, market)

        command = QueryOrder(ClientOrderId(order.name), LEG)
        (report,) = answers.queried(command, answer(body), watch(product), ASKED_NS, NOW_NS)
        assert isinstance(report, OrderReported)
        assert report.order_id == their_order["clientOrderId"]
        assert report.venue_order_id == their_order["id"]
        assert report.cum_qty == number(their_order["filled"])
        assert STATUSES[report.status] == their_order["status"]

        listed = answers.open_orders_read(answer([body]), watch(product), ASKED_NS, NOW_NS)
        assert isinstance(listed, OpenOrdersRead)
        (open_order,) = listed.orders
        assert open_order.venue_order_id == their_order["id"]
        assert open_order.order_id == their_order["clientOrderId"]
        assert open_order.side.value == their_order["side"]
        assert open_order.qty == number(their_order["amount"])


@pytest.mark.parametrize("product", Product)
def test_pages_of_trades(theirs: Any, product: Product) -> None:
    """The record of fills, which is what the ledger is held against."""
    market = theirs.market(symbol_of(product))
    for seed in SEEDS:
        order = payloads.life(Random(seed), product.is_futures)
        rows = payloads.trades(order)

        told = TradesReading(requests(product), watch(product), "", ASKED_NS, NOW_MS).take(answer(rows), NOW_NS)

        assert isinstance(told, TradesRead)
        expected = sorted((theirs.parse_trade(row, market) for row in rows), key=lambda trade: int(trade["id"]))
        assert len(told.fills) == len(expected)
        for fill, trade in zip(told.fills, expected, strict=True):
            same_fill(fill, trade)
            assert fill.is_maker == (trade["takerOrMaker"] == "maker")


@pytest.mark.parametrize("product", [Product.SPOT, Product.MARGIN, Product.UM, Product.PM_MARGIN])
def test_balances(theirs: Any, product: Product) -> None:
    """What is free, what is held and what is owed."""
    for seed in SEEDS:
        body, parsed = _account(theirs, product, Random(seed))

        told = answers.balances_read(answer(body), watch(product), ASKED_NS, NOW_NS)

        assert isinstance(told, BalancesRead)
        assert len(told.rows) == len(payloads.FEES) + 1
        for row in told.rows:
            account = parsed[row.currency]
            if row.borrowed is not None and row.interest is not None:
                assert row.borrowed + row.interest == number(account["debt"])
            assert row.available == number(account["free"])
            assert row.total == number(account["total"])


def _account(theirs: Any, product: Product, random: Random) -> tuple[object, Any]:
    """Return an account's balances as the venue tells them, and as ccxt reads them."""
    body: object
    if product is Product.SPOT:
        body = payloads.spot_account(random)
        return body, theirs.parse_balance_custom(body, "spot")
    if product is Product.MARGIN:
        body = payloads.margin_account(random)
        return body, theirs.parse_balance_custom(body, "margin", "cross")
    if product is Product.UM:
        body = payloads.futures_balances(random)
        return body, theirs.parse_balance_custom(body, "linear")
    body = payloads.portfolio_balances(random)
    return body, theirs.parse_balance_custom(body, "margin", "cross", True)


@pytest.mark.parametrize("product", [Product.UM, Product.PM_UM])
def test_positions(theirs: Any, product: Product) -> None:
    """The signed size, the entry price and the leverage."""
    for seed in SEEDS:
        rows = payloads.positions(Random(seed))

        told = answers.position_read(answer(rows), watch(product), ASKED_NS, NOW_NS)

        assert isinstance(told, PositionRead)
        position = theirs.parse_position_risk(rows[0], theirs.market(PERP))
        contracts = number(position["contracts"]) or Decimal(0)
        assert told.net_qty == (-contracts if position["side"] == "short" else contracts)
        if told.net_qty:
            assert told.avg_price == number(position["entryPrice"])
        assert told.leverage == number(position["leverage"])
