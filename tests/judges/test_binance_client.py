"""Binance's own Python clients, unmodified, trade on the emulator: the second judge, and not ccxt's kin.

They come from Binance's published descriptions of its interfaces, and bring a typed model of every answer: whatever the
emulator says that the descriptions do not is logged by them, and fails the test.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from binance_common.configuration import (
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
    ConfigurationWebSocketStreams,
)
from binance_common.errors import BadRequestError, ServerError, TooManyRequestsError, UnauthorizedError
from binance_sdk_derivatives_trading_portfolio_margin.derivatives_trading_portfolio_margin import (
    DerivativesTradingPortfolioMargin,
)
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import (
    DerivativesTradingUsdsFutures,
)
from binance_sdk_margin_trading.margin_trading import MarginTrading
from binance_sdk_spot.spot import Spot

from tests.judges.lab import Lab

pytestmark = pytest.mark.slow

CLIENTS = {
    "spot": Spot,
    "margin": MarginTrading,
    "usdm": DerivativesTradingUsdsFutures,
    "portfolio": DerivativesTradingPortfolioMargin,
}
# Where Binance's descriptions are wrong: that what a margin order borrowed is a whole number.
KNOWN = ("marginBuyBorrowAmount",)
BTC = {"symbol": "BTCUSDT"}


@pytest.fixture(autouse=True)
def _as_described(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail where an answer is not as described."""
    with caplog.at_level(logging.WARNING):
        yield
    told = [record.getMessage() for record in caplog.get_records("call")]
    assert [text for text in told if not any(known in text for known in KNOWN)] == []


class Trader:
    """One of the clients, with the emulator's first customer's key."""

    def __init__(self, lab: Lab, kind: str) -> None:
        self.lab = lab
        self._key = {"api_key": lab.key, "api_secret": lab.secret}
        self._trust = ssl.create_default_context(cafile=str(lab.ca))
        self._address = f"127.0.0.1:{lab.emulator.port}"
        self.kind = kind
        rest = ConfigurationRestAPI(
            **self._key, base_path=f"https://{self._address}", https_agent=self._trust, timeout=5_000, retries=0
        )
        self.rest = CLIENTS[kind](config_rest_api=rest).rest_api

    def socket_api(self) -> Any:
        """Return the client of the socket API."""
        config = ConfigurationWebSocketAPI(
            **self._key, stream_url=f"wss://{self._address}/ws-api/v3", https_agent=self._trust
        )
        return Spot(config_ws_api=config).websocket_api

    def streams(self, place: str) -> Any:
        """Return the client of streams."""
        config = ConfigurationWebSocketStreams(stream_url=f"wss://{self._address}/{place}", https_agent=self._trust)
        return CLIENTS[self.kind](config_ws_streams=config).websocket_streams

    async def ask(self, call: Callable[..., Any], **params: Any) -> Any:
        """Return what a call says, as the client's own type."""
        return (await asyncio.to_thread(call, **params)).data()


def buying(name: str, **changes: Any) -> dict[str, Any]:
    """Return an order to buy between the book's sides, where others can fill it."""
    return {**BTC, "side": "BUY", "type": "LIMIT", "time_in_force": "GTC", "quantity": 0.5, "price": 60_005,
            "new_client_order_id": name, **changes}  # fmt: skip


def at_market(name: str, side: str = "BUY", **changes: Any) -> dict[str, Any]:
    """Return an order at market."""
    return {**BTC, "side": side, "type": "MARKET", "quantity": 0.1, "new_client_order_id": name, **changes}


# kind, market -> how the client calls the five things that every account can do.
LIVES = {
    ("spot", "spot"): ("new_order", "get_order", "get_open_orders", "my_trades", "delete_order", "all_orders"),
    ("margin", "spot"): (
        "margin_account_new_order",
        "query_margin_accounts_order",
        "query_margin_accounts_open_orders",
        "query_margin_accounts_trade_list",
        "margin_account_cancel_order",
        "query_margin_accounts_all_orders",
    ),
    ("usdm", "usdm"): (
        "new_order",
        "query_order",
        "current_all_open_orders",
        "account_trade_list",
        "cancel_order",
        "all_orders",
    ),
    ("portfolio", "usdm"): (
        "new_um_order",
        "query_um_order",
        "query_all_current_um_open_orders",
        "um_account_trade_list",
        "cancel_um_order",
        "query_all_um_orders",
    ),
    ("portfolio", "spot"): (
        "new_margin_order",
        "query_margin_account_order",
        "query_current_margin_open_order",
        "margin_account_trade_list",
        "cancel_margin_account_order",
        "query_all_margin_account_orders",
    ),
}


@pytest.mark.parametrize(("kind", "product"), LIVES, ids=lambda word: word)
def test_an_order_is_placed_filled_in_part_found_and_canceled(lab: Lab, kind: str, product: str) -> None:
    """The whole life of an order in the client's own types, and the record of its trade."""

    async def story() -> None:
        trader = Trader(lab, kind)
        place, find, list_open, list_trades, cancel, history = (
            getattr(trader.rest, name) for name in LIVES[kind, product]
        )
        placed = await trader.ask(place, **buying("hr-judge-1-1"))
        lab.trade(product, "60005", "0.2", "SELL")
        found = await trader.ask(find, **BTC, orig_client_order_id="hr-judge-1-1")
        (listed,) = await trader.ask(list_open, **BTC)
        (trade,) = await trader.ask(list_trades, **BTC)
        await trader.ask(place, **at_market("hr-judge-1-2"))
        canceled = await trader.ask(cancel, **BTC, orig_client_order_id="hr-judge-1-1")
        ended = {order.client_order_id: order for order in await trader.ask(history, **BTC)}

        assert placed.order_id == found.order_id == listed.order_id == trade.order_id
        # Cross margin alone tells the id as a text there.
        assert placed.order_id == int(canceled.order_id)
        assert (found.status, float(found.executed_qty)) == ("PARTIALLY_FILLED", 0.2)
        assert (float(trade.qty), float(trade.price)) == (0.2, 60_005)
        assert canceled.status == ended["hr-judge-1-1"].status == "CANCELED"
        assert ended["hr-judge-1-2"].status == "FILLED"
        (first, _) = lab.truth(kind, product)["orders"]
        assert (first["id"], first["cum_qty"], first["status"]) == (placed.order_id, "0.2", "CANCELED")

    lab.run(story())


def test_spot_reads(lab: Lab) -> None:
    """Market, account, fees and limits."""

    async def story() -> None:
        trader = Trader(lab, "spot")
        rest, ask = trader.rest, trader.ask
        info = await ask(rest.exchange_info, **BTC)
        account = await ask(rest.get_account)
        depth = await ask(rest.depth, **BTC)
        fees = await ask(rest.account_commission, **BTC)

        assert info.symbols[0].symbol == "BTCUSDT"
        assert {row.asset: float(row.free) for row in account.balances}["USDT"] == 100_000
        assert (float(depth.bids[0][0]), float(depth.asks[0][0])) == (60_000, 60_010)
        assert float(fees.standard_commission.taker) == 0.0004
        await ask(rest.time)
        await ask(rest.ticker_book_ticker, **BTC)
        await ask(rest.rate_limit_order)

    lab.run(story())


def test_spot_cancel_and_replace(lab: Lab) -> None:
    """One request, two orders."""

    async def story() -> None:
        trader = Trader(lab, "spot")
        await trader.ask(trader.rest.new_order, **buying("hr-judge-1-1", price=59_000))
        replaced = await trader.ask(
            trader.rest.order_cancel_replace,
            **buying("hr-judge-1-2", price=59_001),
            cancel_replace_mode="STOP_ON_FAILURE",
            cancel_orig_client_order_id="hr-judge-1-1",
        )

        assert (replaced.cancel_result, replaced.new_order_result) == ("SUCCESS", "SUCCESS")
        assert [row["status"] for row in lab.truth("spot", "spot")["orders"]] == ["CANCELED", "NEW"]

    lab.run(story())


def test_margin_loans(lab: Lab) -> None:
    """Borrowed by hand and by an order, with the interest that it costs."""

    async def story() -> None:
        trader = Trader(lab, "margin")
        rest, ask = trader.rest, trader.ask
        loan = {"asset": "USDT", "is_isolated": "FALSE", "symbol": "BTCUSDT", "amount": "500"}
        await ask(rest.margin_account_borrow_repay, **loan, type="BORROW")
        short = at_market("hr-judge-1-1", "SELL", side_effect_type="MARGIN_BUY")
        sold = await ask(rest.margin_account_new_order, **short)
        account = await ask(rest.query_cross_margin_account_details)
        interest = await ask(rest.get_interest_history)
        rates = await ask(rest.get_future_hourly_interest_rate, assets="BTC,USDT", is_isolated=False)

        owed = {row.asset: float(row.borrowed) for row in account.user_assets}
        assert owed["USDT"] == 500
        assert owed["BTC"] == pytest.approx(0.1, rel=1e-3)
        # The client does not read a loan that is no whole number, and hands the answer on as it came.
        assert sold["status"] == "FILLED"
        assert {row.asset for row in interest.rows} == {"USDT", "BTC"}
        assert {row.asset for row in rates} == {"USDT", "BTC"}
        await ask(rest.margin_account_borrow_repay, **loan, type="REPAY")
        await ask(rest.get_all_cross_margin_pairs)
        await ask(rest.query_max_borrow, asset="USDT")

    lab.run(story())


def test_usdm_settings_positions_and_funding(lab: Lab) -> None:
    """What an account is set to, what it holds and what it was paid."""

    async def story() -> None:
        trader = Trader(lab, "usdm")
        rest, ask = trader.rest, trader.ask
        await ask(rest.change_initial_leverage, **BTC, leverage=5)
        await ask(rest.change_margin_type, **BTC, margin_type="ISOLATED")
        (config,) = await ask(rest.symbol_configuration, **BTC)
        await ask(rest.new_order, **at_market("hr-judge-1-1"))
        (second,) = await ask(rest.position_information_v2, **BTC)
        (third,) = await ask(rest.position_information_v3, **BTC)
        lab.control("funding", symbol="BTCUSDT", rate="0.001")
        (paid,) = await ask(rest.get_income_history, **BTC, income_type="FUNDING_FEE")
        mode = await ask(rest.get_current_position_mode)

        assert (config.leverage, config.margin_type) == (5, "ISOLATED")
        assert float(second.position_amt) == float(third.position_amt) == 0.1
        assert float(second.entry_price) == 60_010
        assert float(paid.income) < 0
        assert mode.dual_side_position is False
        for call in (rest.account_information_v2, rest.account_information_v3, rest.futures_account_balance_v2,
                     rest.futures_account_balance_v3, rest.exchange_information, rest.check_server_time,
                     rest.get_current_multi_assets_mode, rest.get_funding_rate_info):  # fmt: skip
            await ask(call)
        for call in (rest.user_commission_rate, rest.notional_and_leverage_brackets, rest.mark_price, rest.order_book,
                     rest.symbol_order_book_ticker):  # fmt: skip
            await ask(call, **BTC)

    lab.run(story())


@pytest.mark.parametrize(("kind", "amend"), [("usdm", "modify_order"), ("portfolio", "modify_um_order")])
def test_futures_orders_are_amended_in_place(lab: Lab, kind: str, amend: str) -> None:
    """The same order, with another price and qty."""

    async def story() -> None:
        trader = Trader(lab, kind)
        placed = await trader.ask(getattr(trader.rest, LIVES[kind, "usdm"][0]), **buying("hr-judge-1-1", price=59_000))
        told = {**BTC, "side": "BUY", "quantity": 0.6, "price": 59_001, "orig_client_order_id": "hr-judge-1-1"}
        amended = await trader.ask(getattr(trader.rest, amend), **told)

        assert (amended.order_id, float(amended.orig_qty)) == (placed.order_id, 0.6)

    lab.run(story())


def test_portfolio_reads(lab: Lab) -> None:
    """The account and its futures side."""

    async def story() -> None:
        trader = Trader(lab, "portfolio")
        rest, ask = trader.rest, trader.ask
        await ask(rest.new_um_order, **at_market("hr-judge-1-1"))
        lab.control("funding", symbol="BTCUSDT", rate="0.001")
        (position,) = await ask(rest.query_um_position_information, **BTC)
        await ask(rest.margin_account_borrow, asset="USDT", amount=50)
        await ask(rest.margin_account_repay, asset="USDT", amount=50)

        assert float(position.position_amt) == 0.1
        for call in (rest.account_balance, rest.account_information, rest.get_um_account_detail,
                     rest.get_um_account_detail_v2, rest.get_um_current_position_mode,
                     rest.get_margin_borrow_loan_interest_history):  # fmt: skip
            await ask(call)
        for call in (rest.um_futures_symbol_configuration, rest.get_user_commission_rate_for_um,
                     rest.get_um_income_history):  # fmt: skip
            await ask(call, **BTC)

    lab.run(story())


def test_refusals_are_the_clients_errors(lab: Lab) -> None:
    """By HTTP status, with the venue's code."""

    async def story() -> None:
        trader = Trader(lab, "spot")
        place = trader.rest.new_order
        with pytest.raises(BadRequestError, match="-2010"):
            await trader.ask(place, **buying("hr-judge-1-1", quantity=900))
        with pytest.raises(BadRequestError, match="-2013"):
            await trader.ask(trader.rest.get_order, **BTC, orig_client_order_id="hr-judge-1-9")
        lab.fault(kind="throttled", path="/order")
        with pytest.raises(TooManyRequestsError):
            await trader.ask(place, **buying("hr-judge-1-2", price=59_000))
        lab.fault(kind="unknown_error", path="/order")
        with pytest.raises(ServerError):
            await trader.ask(place, **buying("hr-judge-1-3", price=59_000))
        lab.control("permissions", account="main", is_revoked=True)
        with pytest.raises(UnauthorizedError, match="-2015"):
            await trader.ask(place, **buying("hr-judge-1-4", price=59_000))

        assert [row["client_order_id"] for row in lab.truth("spot", "spot")["orders"]] == ["hr-judge-1-3"]

    lab.run(story())


def test_the_spot_stream_on_the_socket_api(lab: Lab) -> None:
    """Signed in, subscribed, and an order placed on the same socket is told of in parts."""

    async def story() -> None:
        api = Trader(lab, "spot").socket_api()
        await api.create_connection()
        told: asyncio.Queue[Any] = asyncio.Queue()
        subscribed = await api.user_data_stream_subscribe_signature()
        subscribed.stream.on("message", told.put_nowait)
        placed = (await api.order_place(**buying("hr-judge-1-1"))).data()
        lab.trade("spot", "60005", "0.2", "SELL")
        reports: list[Any] = []
        while len(reports) < 2:
            event = (await told.get()).actual_instance
            if type(event).__name__ == "ExecutionReport":
                reports.append(event)
        await api.close_connection()

        assert placed.result.client_order_id == "hr-judge-1-1"
        assert [(each.X, float(each.z)) for each in reports] == [("NEW", 0.0), ("PARTIALLY_FILLED", 0.2)]

    lab.run(story())


@pytest.mark.parametrize(("kind", "place"), [("usdm", "usdm"), ("portfolio", "usdm/pm")])
def test_futures_streams(lab: Lab, kind: str, place: str) -> None:
    """A listen key, a subscription, and the order's updates in the client's own types."""

    async def story() -> None:
        trader = Trader(lab, kind)
        key = (await trader.ask(trader.rest.start_user_data_stream)).listen_key
        streams = trader.streams(place)
        await streams.create_connection()
        told: asyncio.Queue[Any] = asyncio.Queue()
        stream = await streams.user_data(key)
        stream.on("message", told.put_nowait)
        await trader.ask(getattr(trader.rest, LIVES[kind, "usdm"][0]), **buying("hr-judge-1-1"))
        lab.trade("usdm", "60005", "0.2", "SELL")
        updates: list[Any] = []
        while len(updates) < 2:
            event = (await told.get()).actual_instance
            if type(event).__name__ == "OrderTradeUpdate":
                updates.append(event.o)
        await trader.ask(trader.rest.keepalive_user_data_stream)
        await streams.close_connection()

        assert [(each.X, float(each.z)) for each in updates] == [("NEW", 0.0), ("PARTIALLY_FILLED", 0.2)]

    lab.run(story())


# kind -> how the client calls what is done with a conditional order, and where the id of one to query is told.
CONDITIONAL = {
    "usdm": (
        "new_algo_order",
        "query_algo_order",
        "current_all_algo_open_orders",
        "query_all_algo_orders",
        "cancel_algo_order",
        "cancel_all_algo_open_orders",
    ),
    "portfolio": (
        "new_um_algo_order",
        "query_current_um_open_algo_order",
        "query_all_current_um_open_algo_orders",
        "query_um_algo_order_history",
        "cancel_um_algo_order",
        "cancel_all_um_algo_open_orders",
    ),
}


@pytest.mark.parametrize("kind", CONDITIONAL)
def test_conditional_orders_of_futures_in_the_clients_types(lab: Lab, kind: str) -> None:
    """Placed, found, listed, canceled one and all; and one that trades."""

    async def story() -> None:
        trader = Trader(lab, kind)
        place, find, list_open, history, cancel, cancel_all = (getattr(trader.rest, name) for name in CONDITIONAL[kind])
        stop = {**BTC, "algo_type": "CONDITIONAL", "side": "BUY", "type": "STOP_MARKET", "quantity": 0.1}
        placed = [
            await trader.ask(place, **stop, trigger_price=price, client_algo_id=f"judge-{price}")
            for price in (60_100, 61_000, 62_000, 63_000)
        ]
        found = await trader.ask(find, algo_id=placed[0].algo_id)
        lab.trade("usdm", "60100", "0.001", "BUY")
        await trader.ask(cancel, algo_id=placed[1].algo_id)
        listed = await trader.ask(list_open, **BTC)
        await trader.ask(cancel_all, **BTC)
        ended = {row.algo_id: row.algo_status for row in await trader.ask(history, **BTC)}

        assert (found.algo_status, float(found.trigger_price)) == ("NEW", 60_100)
        assert [row.algo_id for row in listed] == [row.algo_id for row in placed[2:]]
        assert [ended[row.algo_id] for row in placed] == ["FINISHED", "CANCELED", "CANCELED", "CANCELED"]
        trades = lab.truth(kind, "usdm")["trades"]
        assert [(trade["client_order_id"], trade["qty"]) for trade in trades] == [("judge-60100", "0.1")]

    lab.run(story())


def test_the_stream_tells_of_conditional_orders(lab: Lab) -> None:
    """In the client's own types: new, triggered, finished. Its portfolio kin has such a type, and does not find it."""

    async def story() -> None:
        trader = Trader(lab, "usdm")
        key = (await trader.ask(trader.rest.start_user_data_stream)).listen_key
        streams = trader.streams("usdm")
        await streams.create_connection()
        told: asyncio.Queue[Any] = asyncio.Queue()
        stream = await streams.user_data(key)
        stream.on("message", told.put_nowait)
        stop = {**BTC, "algo_type": "CONDITIONAL", "side": "BUY", "type": "STOP_MARKET", "quantity": 0.1}
        await trader.ask(trader.rest.new_algo_order, **stop, trigger_price=60_100)
        lab.trade("usdm", "60100", "0.001", "BUY")
        updates: list[Any] = []
        while len(updates) < 3:
            event = (await told.get()).actual_instance
            if type(event).__name__ == "AlgoUpdate":
                updates.append(event.o)
        await streams.close_connection()

        assert [each.X for each in updates] == ["NEW", "TRIGGERED", "FINISHED"]

    lab.run(story())


@pytest.mark.parametrize(("kind", "product"), [each for each in LIVES if each[1] == "spot"], ids=lambda word: word)
def test_a_stop_of_spot_waits_and_trades(lab: Lab, kind: str, product: str) -> None:
    """Placed, found while it waits, found when it has traded, in the client's own types."""

    async def story() -> None:
        trader = Trader(lab, kind)
        place, find, *_ = (getattr(trader.rest, name) for name in LIVES[kind, product])
        stop = {**BTC, "side": "BUY", "type": "STOP_LOSS", "quantity": 0.1, "stop_price": 60_100}
        placed = await trader.ask(place, **stop, new_client_order_id="hr-judge-1-1")
        waiting = await trader.ask(find, **BTC, orig_client_order_id="hr-judge-1-1")
        lab.trade("spot", "60100", "0.001", "BUY")
        done = await trader.ask(find, **BTC, orig_client_order_id="hr-judge-1-1")

        assert placed.order_id == waiting.order_id == done.order_id
        assert (waiting.status, waiting.is_working, float(waiting.stop_price)) == ("NEW", False, 60_100)
        assert (done.status, done.is_working) == ("FILLED", True)

    lab.run(story())
