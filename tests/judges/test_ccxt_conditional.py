"""Unmodified ccxt places stops, take-profits and trailing stops on the emulator: each waits, wakes and trades.

USD-M keeps them at a service beside the matching, and ccxt goes there by itself; spot and margin keep them in their own
lists.
"""

from __future__ import annotations

from typing import Any

import ccxt.pro
import pytest

from tests.judges.accounts import MARGIN, PORTFOLIO_MARGIN, PORTFOLIO_UM, SPOT, USDM, Account
from tests.judges.lab import Lab
from tests.judges.test_ccxt_rest import Trader, trader_of
from tests.judges.test_ccxt_streams import orders_of

pytestmark = pytest.mark.slow

# On the margin side of a portfolio account ccxt cannot place them: see the last test.
ACCOUNTS = (SPOT, MARGIN, USDM, PORTFOLIO_UM)
each_account = pytest.mark.parametrize("account", ACCOUNTS, ids=lambda account: account.name)
holders = pytest.mark.parametrize("account", [SPOT, MARGIN], ids=lambda account: account.name)


def way_of(account: Account) -> dict[str, object]:
    """Return how ccxt is told that a conditional order is meant, where it is kept apart."""
    return {**account.params, **({"trigger": True} if account.is_futures else {})}


async def listed(trader: Trader) -> list[str]:
    """Return the ids of the conditional orders that wait."""
    account = trader.account
    return [row["id"] for row in await trader.client.fetch_open_orders(account.symbol, None, None, way_of(account))]


# ccxt's word, what goes with it, the price that wakes it; the market stands at 60005, the book is five deep.
KINDS: dict[str, tuple[str, str, dict[str, object], str]] = {
    "stop-market": ("market", "buy", {"stopLossPrice": 60_100}, "60100"),
    "take-profit-market": ("market", "buy", {"takeProfitPrice": 59_900}, "59900"),
    "stop-limit": ("limit", "buy", {"stopLossPrice": 60_100}, "60100"),
    "take-profit-limit": ("limit", "buy", {"takeProfitPrice": 59_900}, "59900"),
    "trigger": ("market", "buy", {"triggerPrice": 60_100}, "60100"),
    "trailing": ("market", "buy", {"trailingPercent": 1, "stopLossOrTakeProfit": "stopLoss"}, "60700"),
}


@each_account
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_waits_and_trades_when_its_price_comes(lab: Lab, account: Account, kind: str) -> None:
    """Open, in the list of those that wait; then gone from it, and the position is there."""

    async def story() -> None:
        trader = await trader_of(lab, account)
        order_type, side, params, wakes = KINDS[kind]
        told = {**account.params, **params}
        if account.is_futures:
            told.pop("stopLossOrTakeProfit", None)
        price = 60_200 if order_type == "limit" else None
        placed = await trader.client.create_order(account.symbol, order_type, side, 0.1, price, told)
        waiting = await listed(trader)
        # A trailing stop that buys first follows the market down.
        lab.trade(account.product, "60005", "0.001", "BUY")
        lab.trade(account.product, wakes, "0.001", "BUY")
        left = await listed(trader)
        trades = await trader.client.fetch_my_trades(account.symbol, None, None, dict(account.params))

        assert (placed["status"], placed["side"], placed["amount"]) == ("open", side, 0.1)
        assert waiting == [placed["id"]]
        assert left == []
        assert sum(trade["amount"] for trade in trades) == 0.1

    lab.run(story())


@each_account
def test_what_waits_is_canceled_alone_and_together(lab: Lab, account: Account) -> None:
    """One by its id, the others at once; nothing trades afterwards."""

    async def story() -> None:
        trader = await trader_of(lab, account)
        told = {**account.params, "triggerPrice": 61_000}
        placed = [
            await trader.client.create_order(account.symbol, "market", "buy", 0.1, None, dict(told)) for _ in range(3)
        ]
        await trader.client.cancel_order(placed[0]["id"], account.symbol, way_of(account))
        after_one = await listed(trader)
        await trader.client.cancel_all_orders(account.symbol, way_of(account))
        after_all = await listed(trader)
        lab.trade(account.product, "61000", "0.001", "BUY")

        assert after_one == [order["id"] for order in placed[1:]]
        assert after_all == []
        assert lab.truth(account.kind, account.product)["trades"] == []

    lab.run(story())


@each_account
def test_a_stop_where_the_market_is_already_is_refused(lab: Lab, account: Account) -> None:
    """With the class that ccxt has for it."""

    async def story() -> None:
        trader = await trader_of(lab, account)
        with pytest.raises(ccxt.pro.OrderImmediatelyFillable):
            told = {**account.params, "stopLossPrice": 59_000}
            await trader.client.create_order(account.symbol, "market", "buy", 0.1, None, told)

    lab.run(story())


def test_a_conditional_order_of_futures_is_asked_for_by_its_id(lab: Lab) -> None:
    """Its history too; and under portfolio margin it is the open one that ccxt asks for."""

    async def story() -> None:
        trader = await trader_of(lab, USDM)
        told: dict[str, Any] = {"triggerPrice": 60_100, "clientAlgoId": "judge-1"}
        placed = await trader.client.create_order(USDM.symbol, "limit", "buy", 0.1, 60_200, told)
        found = await trader.client.fetch_order(placed["id"], USDM.symbol, {"trigger": True})
        lab.trade("usdm", "60100", "0.001", "BUY")
        done = await trader.client.fetch_order(placed["id"], USDM.symbol, {"trigger": True})
        history = await trader.client.fetch_orders(USDM.symbol, None, None, {"trigger": True})

        assert (found["clientOrderId"], found["triggerPrice"], found["status"]) == ("judge-1", 60_100, "open")
        assert (done["status"], [row["id"] for row in history]) == ("closed", [placed["id"]])
        portfolio = await trader_of(lab, PORTFOLIO_UM)
        way: dict[str, Any] = {"portfolioMargin": True, "triggerPrice": 61_000}
        kept = await portfolio.client.create_order(USDM.symbol, "market", "buy", 0.1, None, dict(way))
        asked = {"portfolioMargin": True, "trigger": True}
        assert (await portfolio.client.fetch_open_order(kept["id"], USDM.symbol, asked))["id"] == kept["id"]

    lab.run(story())


def test_the_old_endpoint_sends_to_the_new_one(lab: Lab) -> None:
    """-4120, which ccxt calls an invalid order."""

    async def story() -> None:
        trader = await trader_of(lab, USDM)
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "STOP_MARKET", "stopPrice": "61000", "quantity": "0.1"}
        with pytest.raises(ccxt.pro.InvalidOrder, match="-4120"):
            await trader.client.fapiPrivatePostOrder(order)

    lab.run(story())


def test_the_stream_of_futures_tells_how_a_stop_goes_on(lab: Lab) -> None:
    """New under the service's id, triggered, finished; the order that it placed is told as any other."""

    async def story() -> None:
        trader = await trader_of(lab, USDM)
        async with orders_of(trader) as told:
            told_params = {"triggerPrice": 60_100}
            placed = await trader.client.create_order(USDM.symbol, "market", "buy", 0.1, None, told_params)
            seen = [await told.get()]
            lab.trade("usdm", "60100", "0.001", "BUY")
            while not any(each["status"] == "closed" and each["id"] == placed["id"] for each in seen):
                seen.append(await told.get())

        own = [each for each in seen if each["id"] == placed["id"]]
        others = [each for each in seen if each["id"] != placed["id"]]
        assert (own[0]["status"], own[0]["triggerPrice"]) == ("open", 60_100)
        assert {each["clientOrderId"] for each in others} == {placed["clientOrderId"]}

    lab.run(story())


@holders
def test_a_stop_of_spot_keeps_its_id_when_it_wakes(lab: Lab, account: Account) -> None:
    """Unlike on futures; what was locked is spent."""

    async def story() -> None:
        trader = await trader_of(lab, account)
        told = trader.named(stopLossPrice=60_100)
        placed = await trader.client.create_order(account.symbol, "market", "buy", 0.1, None, told)
        locked = (await trader.client.fetch_balance(dict(account.params)))["USDT"]["used"]
        lab.trade(account.product, "60100", "0.001", "BUY")
        found = await trader.client.fetch_order(placed["id"], account.symbol, dict(account.params))

        assert locked == 6_010
        assert (found["id"], found["status"], found["filled"]) == (placed["id"], "closed", 0.1)
        trader.agree(found)

    lab.run(story())


@pytest.mark.parametrize("account", [SPOT, USDM], ids=lambda account: account.name)
def test_the_socket_api_takes_them_too(lab: Lab, account: Account) -> None:
    """Placed and canceled on a websocket, an order that rests as well as one that waits."""

    async def story() -> None:
        trader = await trader_of(lab, account)
        client, symbol = trader.client, account.symbol
        for params in ({}, {"stopLossPrice": 60_100}):
            price = 60_200 if params else 59_000
            placed = await client.create_order_ws(symbol, "limit", "buy", 0.1, price, dict(params))
            by_service = {"trigger": True} if params and account.is_futures else {}
            canceled = await client.cancel_order_ws(placed["id"], symbol, by_service)

            assert placed["status"] == "open"
            assert canceled["id"] == placed["id"]
        assert await listed(trader) == []
        assert await client.fetch_open_orders(symbol) == []

    lab.run(story())


def test_margin_mode_is_set_and_read_back(lab: Lab) -> None:
    """Isolated and back; where something stands or is held it is refused."""

    async def story() -> None:
        trader = await trader_of(lab, USDM)
        client, symbol = trader.client, USDM.symbol
        await client.set_margin_mode("isolated", symbol)
        isolated = (await client.fetch_margin_mode(symbol))["marginMode"]
        with pytest.raises(ccxt.pro.MarginModeAlreadySet, match="-4046"):
            await client.set_margin_mode("isolated", symbol)
        order = await trader.limit("buy", 0.1, 59_000)
        with pytest.raises(ccxt.pro.ExchangeError, match="-4047"):
            await client.set_margin_mode("cross", symbol)
        await client.cancel_order(order["id"], symbol)
        await trader.market("buy", 0.1)
        with pytest.raises(ccxt.pro.ExchangeError, match="-4048"):
            await client.set_margin_mode("cross", symbol)
        await trader.market("sell", 0.1, reduceOnly=True)
        await client.set_margin_mode("cross", symbol)

        assert isolated == "isolated"
        assert (await client.fetch_margin_mode(symbol))["marginMode"] == "cross"

    lab.run(story())


def test_known_defect_ccxt_asks_for_conditional_margin_orders_of_a_portfolio_in_other_words(lab: Lab) -> None:
    """It says `strategyType`, which belonged to another endpoint, where `type` is wanted: refused, nothing placed."""

    async def story() -> None:
        trader = await trader_of(lab, PORTFOLIO_MARGIN)
        with pytest.raises(ccxt.pro.BadRequest, match="-1102"):
            told = {**PORTFOLIO_MARGIN.params, "stopLossPrice": 60_100}
            await trader.client.create_order(PORTFOLIO_MARGIN.symbol, "market", "buy", 0.1, None, told)

        assert lab.truth("portfolio", "spot")["orders"] == []

    lab.run(story())


def test_known_defect_ccxt_does_not_hear_of_a_portfolios_conditional_orders(lab: Lab) -> None:
    """Their update has its order under another name there, as Binance describes it; the next order is heard again."""

    async def story() -> None:
        trader = await trader_of(lab, PORTFOLIO_UM)
        async with orders_of(trader) as told:
            params = {**PORTFOLIO_UM.params, "triggerPrice": 61_000}
            await trader.client.create_order(PORTFOLIO_UM.symbol, "market", "buy", 0.1, None, params)
            order = await trader.limit("buy", 0.1, 59_000)
            first = await told.get()

        assert first["id"] == order["id"]

    lab.run(story())
