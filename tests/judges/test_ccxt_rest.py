"""Unmodified ccxt trades on the emulator, by its production URLs: what it is told is what really happened.

Each story is held against the emulator's own books. Where ccxt does something wrong, the test says so by name.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ccxt.pro
import pytest

from tests.judges.accounts import ACCOUNTS, MARGIN, PORTFOLIO_MARGIN, PORTFOLIO_UM, SPOT, USDM, Account
from tests.judges.lab import ASK, BID, Lab

pytestmark = pytest.mark.slow

each_account = pytest.mark.parametrize("account", ACCOUNTS, ids=lambda account: account.name)
futures = pytest.mark.parametrize("account", [USDM, PORTFOLIO_UM], ids=lambda account: account.name)


class Trader:
    """ccxt with one account on the emulator."""

    def __init__(self, lab: Lab, account: Account, client: Any) -> None:
        self.lab = lab
        self.account = account
        self.client = client
        self._orders = 0

    def named(self, **params: object) -> dict[str, object]:
        """Return the parameters of a new order, with a name of ours."""
        self._orders += 1
        return {"newClientOrderId": f"hr-judge-1-{self._orders}", **self.account.params, **params}

    async def limit(self, side: str, amount: float, price: float, **params: object) -> Any:
        told = self.named(**params)
        return await self.client.create_order(self.account.symbol, "limit", side, amount, price, told)

    async def market(self, side: str, amount: float, **params: object) -> Any:
        told = self.named(**params)
        return await self.client.create_order(self.account.symbol, "market", side, amount, None, told)

    def truth(self, name: str) -> Any:
        """Return an order as the venue has it."""
        rows = self.lab.truth(self.account.kind, self.account.product)["orders"]
        return next(row for row in rows if row["client_order_id"] == name)

    def agree(self, order: Any) -> None:
        """Fail unless ccxt's order is the venue's."""
        truth = self.truth(order["clientOrderId"])
        assert str(truth["id"]) == order["id"]
        assert truth["side"] == order["side"]
        assert Decimal(truth["qty"]) == Decimal(str(order["amount"]))
        assert Decimal(truth["cum_qty"]) == Decimal(str(order["filled"]))


async def trader_of(lab: Lab, account: Account) -> Trader:
    """Return a trader that knows its markets."""
    client = await lab.client(getattr(ccxt.pro, account.client))
    await client.load_markets()
    return Trader(lab, account, client)


@each_account
def test_markets(lab: Lab, account: Account) -> None:
    """Filters become precision and limits."""

    async def story() -> None:
        trader = await trader_of(lab, account)
        market = trader.client.market(account.symbol)

        amount, price, least = (0.001, 0.1, 100.0) if account.is_futures else (0.00001, 0.01, 5.0)
        assert market["active"]
        assert market["precision"]["amount"] == amount
        assert market["precision"]["price"] == price
        assert market["limits"]["cost"]["min"] == least
        assert market["limits"]["amount"]["min"] == amount
        assert market["swap" if account.is_futures else "spot"]

    lab.run(story())


@each_account
def test_balances(lab: Lab, account: Account) -> None:
    """What an account begins with."""

    async def story() -> None:
        trader = await trader_of(lab, account)
        balance = await trader.client.fetch_balance(dict(account.params))

        # ccxt sums a portfolio account over both of its purses.
        purses = 2 if account == PORTFOLIO_UM else 1
        assert balance["USDT"]["total"] == 100_000 * purses

    lab.run(story())


@each_account
def test_an_order_rests_is_found_and_canceled(lab: Lab, account: Account) -> None:
    """The usual life: placed, asked for by our id, listed, canceled by our id."""

    async def story() -> None:
        trader = await trader_of(lab, account)
        placed = await trader.limit("buy", 0.5, 59_000)
        asked = {"origClientOrderId": placed["clientOrderId"], **account.params}
        found = await trader.client.fetch_order(None, account.symbol, dict(asked))
        listed = await trader.client.fetch_open_orders(account.symbol, None, None, dict(account.params))
        canceled = await trader.client.cancel_order(None, account.symbol, dict(asked))

        assert placed["status"] == found["status"] == "open"
        assert [order["id"] for order in listed] == [placed["id"]]
        assert canceled["id"] == placed["id"]
        assert canceled["status"] == "canceled"
        trader.agree(found)
        assert trader.truth(placed["clientOrderId"])["status"] == "CANCELED"
        assert await trader.client.fetch_open_orders(account.symbol, None, None, dict(account.params)) == []

    lab.run(story())


@each_account
def test_a_market_order_and_its_trades(lab: Lab, account: Account) -> None:
    """Filled at the book, with a fee, and the record of trades says the same."""

    async def story() -> None:
        trader = await trader_of(lab, account)
        order = await trader.market("buy", 0.2)
        trades = await trader.client.fetch_my_trades(account.symbol, None, None, dict(account.params))

        assert order["status"] == "closed"
        assert order["average"] == float(ASK)
        trader.agree(order)
        (trade,) = trades
        (truth,) = lab.truth(account.kind, account.product)["trades"]
        assert trade["id"] == str(truth["id"])
        assert trade["order"] == order["id"]
        assert (trade["amount"], trade["price"]) == (0.2, float(ASK))
        assert trade["takerOrMaker"] == "taker"
        assert Decimal(str(trade["fee"]["cost"])) == Decimal(truth["fee"])
        assert trade["fee"]["currency"] == truth["fee_currency"] == ("USDT" if account.is_futures else "BTC")

    lab.run(story())


@each_account
def test_a_resting_order_is_filled_in_parts(lab: Lab, account: Account) -> None:
    """Somebody else's trades fill it; each shows in the cumulative qty and in the record."""

    async def story() -> None:
        trader = await trader_of(lab, account)
        order = await trader.limit("buy", 0.5, 60_005)
        seen = []
        for qty in ("0.2", "0.3"):
            lab.trade(account.product, "60005", qty, "SELL")
            found = await trader.client.fetch_order(order["id"], account.symbol, dict(account.params))
            trader.agree(found)
            seen.append((found["filled"], found["status"]))
        trades = await trader.client.fetch_my_trades(account.symbol, None, None, dict(account.params))

        assert seen == [(0.2, "open"), (0.5, "closed")]
        assert [trade["amount"] for trade in trades] == [0.2, 0.3]
        assert {trade["takerOrMaker"] for trade in trades} == {"maker"}

    lab.run(story())


@each_account
def test_orders_with_a_time_in_force(lab: Lab, account: Account) -> None:
    """IOC takes what is there and ends, FOK all or nothing, post-only rests or does not come into being."""

    async def story() -> None:
        trader = await trader_of(lab, account)
        lab.show(account.product, BID, ASK, Decimal("0.3"))
        ioc = await trader.limit("buy", 0.5, float(ASK), timeInForce="IOC")
        lab.show(account.product, BID, ASK, Decimal("0.3"))
        found = await trader.client.fetch_order(ioc["id"], account.symbol, dict(account.params))
        whole = await trader.limit("buy", 0.3, float(ASK), timeInForce="FOK")
        lab.show(account.product, BID, ASK, Decimal("0.3"))
        maker = await trader.limit("buy", 0.1, 59_000, postOnly=True)

        assert (found["filled"], found["status"]) == (0.3, "expired")
        assert (whole["filled"], whole["status"]) == (0.3, "closed")
        assert (maker["postOnly"], maker["status"]) == (True, "open")
        trader.agree(found)
        if account.is_futures:
            with pytest.raises(ccxt.pro.OrderNotFillable):
                await trader.limit("buy", 0.4, float(ASK), timeInForce="FOK")
            with pytest.raises(ccxt.pro.OrderNotFillable):
                await trader.limit("buy", 0.1, float(ASK), postOnly=True)
        else:
            none = await trader.limit("buy", 0.4, float(ASK), timeInForce="FOK")
            assert (none["filled"], none["status"]) == (0.0, "expired")
            with pytest.raises(ccxt.pro.OrderImmediatelyFillable):
                await trader.limit("buy", 0.1, float(ASK), postOnly=True)

    lab.run(story())


@futures
def test_an_order_is_amended_in_place(lab: Lab, account: Account) -> None:
    """Futures change an order and keep its id."""

    async def story() -> None:
        trader = await trader_of(lab, account)
        order = await trader.limit("buy", 0.1, 59_000)
        amended = await trader.client.edit_order(
            order["id"], account.symbol, "limit", "buy", 0.2, 59_001, dict(account.params)
        )

        assert amended["id"] == order["id"]
        assert (amended["amount"], amended["price"]) == (0.2, 59_001)
        truth = trader.truth(order["clientOrderId"])
        assert (Decimal(truth["qty"]), Decimal(truth["price"])) == (Decimal("0.2"), Decimal(59_001))

    lab.run(story())


def test_a_spot_order_is_canceled_and_replaced(lab: Lab) -> None:
    """Spot has no amending: one request cancels and places, and the new order has a new id."""

    async def story() -> None:
        trader = await trader_of(lab, SPOT)
        order = await trader.limit("buy", 0.1, 59_000)
        replaced = await trader.client.edit_order(order["id"], SPOT.symbol, "limit", "buy", 0.2, 59_001, {})

        assert replaced["id"] != order["id"]
        assert trader.truth(order["clientOrderId"])["status"] == "CANCELED"
        trader.agree(replaced)

    lab.run(story())


@pytest.mark.parametrize("account", [MARGIN, PORTFOLIO_MARGIN], ids=lambda account: account.name)
def test_known_defect_ccxt_amends_margin_orders_on_spot(lab: Lab, account: Account) -> None:
    """ccxt's edit_order knows no margin: it asks spot for an order that spot does not have. Nothing is lost."""

    async def story() -> None:
        trader = await trader_of(lab, account)
        order = await trader.limit("buy", 0.1, 59_000)
        with pytest.raises(ccxt.pro.BadResponse, match="-2022"):
            await trader.client.edit_order(order["id"], account.symbol, "limit", "buy", 0.2, 59_001, account.params)

        assert trader.truth(order["clientOrderId"])["status"] == "NEW"

    lab.run(story())


@each_account
def test_all_orders_are_canceled_and_history_keeps_them(lab: Lab, account: Account) -> None:
    """Two rest, both go, and the history has them with how they ended."""

    async def story() -> None:
        trader = await trader_of(lab, account)
        placed = [await trader.limit("buy", 0.1, 59_000 - rung) for rung in range(2)]
        await trader.market("buy", 0.1)
        await trader.client.cancel_all_orders(account.symbol, dict(account.params))
        history = await trader.client.fetch_orders(account.symbol, None, None, dict(account.params))

        statuses = {order["id"]: order["status"] for order in history}
        assert [statuses[order["id"]] for order in placed] == ["canceled", "canceled"]
        assert sorted(statuses.values()) == ["canceled", "canceled", "closed"]

    lab.run(story())


@futures
def test_positions_leverage_and_modes(lab: Lab, account: Account) -> None:
    """A position opens, turns and closes; leverage is set; one-way mode is read back."""

    async def story() -> None:
        trader = await trader_of(lab, account)
        client, way = trader.client, dict(account.params)

        async def net() -> float:
            rows = await client.fetch_positions([account.symbol], dict(way))
            return sum(row["contracts"] * (1 if row["side"] == "long" else -1) for row in rows)

        await client.set_leverage(7, account.symbol, dict(way))
        nets = [await net()]
        for side, amount in (("buy", 0.3), ("sell", 0.5), ("buy", 0.2)):
            await trader.market(side, amount)
            nets.append(round(await net(), 3))
        mode = await client.fetch_position_mode(account.symbol, dict(way))

        assert nets == [0, 0.3, -0.2, 0]
        assert mode["hedged"] is False
        await trader.market("buy", 0.1)
        (row,) = await client.fetch_positions([account.symbol], dict(way))
        assert row["entryPrice"] == float(ASK)
        # Binance's third edition of this read tells no leverage, and ccxt shows none then; portfolio margin tells it.
        assert row["leverage"] == (7 if account.is_portfolio else None)

    lab.run(story())


@futures
def test_reduce_only(lab: Lab, account: Account) -> None:
    """It closes what is there, and is refused where nothing is."""

    async def story() -> None:
        trader = await trader_of(lab, account)
        with pytest.raises(ccxt.pro.InvalidOrder, match="-2022"):
            await trader.market("sell", 0.1, reduceOnly=True)
        await trader.market("buy", 0.2)
        closed = await trader.market("sell", 0.2, reduceOnly=True)

        assert closed["filled"] == 0.2
        assert closed["reduceOnly"] is True

    lab.run(story())


@futures
def test_funding(lab: Lab, account: Account) -> None:
    """The rate, and what was paid by it: longs pay a rate above zero."""

    async def story() -> None:
        trader = await trader_of(lab, account)
        await trader.market("buy", 0.2)
        lab.control("funding", symbol="BTCUSDT", rate="0.001")
        rate = await trader.client.fetch_funding_rate(account.symbol)
        (paid,) = await trader.client.fetch_funding_history(account.symbol, None, None, dict(account.params))

        assert rate["fundingRate"] == 0.001
        assert paid["code"] == "USDT"
        assert paid["amount"] < 0

    lab.run(story())


@pytest.mark.parametrize("account", [MARGIN, PORTFOLIO_MARGIN], ids=lambda account: account.name)
def test_loans(lab: Lab, account: Account) -> None:
    """Borrowed is owed until it is repaid; an order may borrow what it sells."""

    async def story() -> None:
        trader = await trader_of(lab, account)
        client = trader.client
        way = {"portfolioMargin": True} if account.is_portfolio else {}

        async def debt(code: str) -> float:
            balance = await client.fetch_balance({"type": "margin", **account.params})
            return float(balance[code]["debt"])

        await client.borrow_cross_margin("USDT", 500, dict(way))
        owed = await debt("USDT")
        await client.repay_cross_margin("USDT", 500, dict(way))
        repaid = await debt("USDT")
        short = await trader.limit("sell", 0.1, float(BID), sideEffectType="MARGIN_BUY")

        # The first hour's interest is owed at once.
        assert 500 <= owed < 501
        assert repaid < 1
        assert short["status"] == "closed"
        assert 0.1 <= await debt("BTC") < 0.11

    lab.run(story())


def test_market_data(lab: Lab) -> None:
    """Book, ticker, trades and time."""

    async def story() -> None:
        trader = await trader_of(lab, SPOT)
        client = trader.client
        lab.trade("spot", "60004", "0.25", "BUY")
        book = await client.fetch_order_book(SPOT.symbol)
        ticker = await client.fetch_ticker(SPOT.symbol)
        (last,) = await client.fetch_trades(SPOT.symbol, None, 1)

        assert (book["bids"][0], book["asks"][0]) == ([float(BID), 5.0], [float(ASK), 5.0])
        assert (ticker["bid"], ticker["ask"]) == (float(BID), float(ASK))
        assert (last["price"], last["amount"], last["side"]) == (60_004, 0.25, "buy")
        assert abs(await client.fetch_time() - lab.emulator.clock.now_ms()) < 1_000

    lab.run(story())
