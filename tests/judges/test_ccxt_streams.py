"""Unmodified ccxt.pro listens to the emulator by its production URLs: what is told is what really happened.

ccxt.pro's streams lose, merge and stop; each such defect is shown by name, since it is why none of them is on the
product's way of money.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from copy import deepcopy
from typing import Any

import pytest

from tests.judges.accounts import ACCOUNTS, MARGIN, PORTFOLIO_MARGIN, PORTFOLIO_UM, SPOT, USDM, Account
from tests.judges.lab import ASK, BID, Lab
from tests.judges.test_ccxt_rest import Trader, trader_of

pytestmark = pytest.mark.slow

# How ccxt.pro is told which stream is meant. It has no word for the margin side of a portfolio account; but that has
# one stream for both of its sides, and so the words for its futures do.
STREAMS: dict[str, dict[str, object]] = {
    SPOT.name: {},
    MARGIN.name: {"type": "margin"},
    USDM.name: {},
    PORTFOLIO_UM.name: {"type": "swap", "portfolioMargin": True},
    PORTFOLIO_MARGIN.name: {"type": "swap", "portfolioMargin": True},
}
each_account = pytest.mark.parametrize("account", ACCOUNTS, ids=lambda account: account.name)
futures = pytest.mark.parametrize("account", [USDM, PORTFOLIO_UM], ids=lambda account: account.name)
Queue = asyncio.Queue[Any]


@asynccontextmanager
async def watching(watch: Callable[[], Awaitable[Any]]) -> AsyncIterator[Queue]:
    """Watch for ever, and let what is told be taken from a queue."""
    queue: Queue = asyncio.Queue()

    async def listen() -> None:
        while True:
            told = await watch()
            for each in told if isinstance(told, list) else [told]:
                # ccxt goes on writing into what it returned.
                queue.put_nowait(deepcopy(each))

    task = asyncio.create_task(listen())
    try:
        yield queue
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(is_so: Callable[[], bool]) -> None:
    """Let the loop run until something is so."""
    while not is_so():  # noqa: ASYNC110 - what is waited for happens inside the emulator, which signals nobody.
        await asyncio.sleep(0.002)


def listeners(lab: Lab) -> int:
    """Return how many open streams tell of an account or a market."""
    connections = lab.emulator.venue.streams.connections
    return sum(bool(each.users or each.subscriptions or each.streams) for each in connections)


@asynccontextmanager
async def orders_of(trader: Trader) -> AsyncIterator[Queue]:
    """Watch the account's orders, from when the venue tells of them."""
    way = STREAMS[trader.account.name]
    before = listeners(trader.lab)
    async with watching(lambda: trader.client.watch_orders(None, None, None, dict(way))) as queue:
        await until(lambda: listeners(trader.lab) > before)
        yield queue


@each_account
def test_orders_are_told_with_each_part_that_fills(lab: Lab, account: Account) -> None:
    """New, filled in two parts, canceled: four updates with the venue's numbers."""

    async def story() -> None:
        trader = await trader_of(lab, account)
        async with orders_of(trader) as told:
            order = await trader.limit("buy", 0.5, 60_005)
            seen = [await told.get()]
            for qty in ("0.2", "0.1"):
                lab.trade(account.product, "60005", qty, "SELL")
                seen.append(await told.get())
            await trader.client.cancel_order(order["id"], account.symbol, dict(account.params))
            seen.append(await told.get())

        assert {each["clientOrderId"] for each in seen} == {order["clientOrderId"]}
        assert {each["id"] for each in seen} == {order["id"]}
        steps = [(each["status"], each["filled"]) for each in seen]
        assert steps == [("open", 0.0), ("open", 0.2), ("open", 0.3), ("canceled", 0.3)]
        trader.agree(seen[-1])

    lab.run(story())


@each_account
def test_trades_are_told_one_by_one(lab: Lab, account: Account) -> None:
    """Each with its id, its fee and who made the market; the record of trades says the same."""

    async def story() -> None:
        trader = await trader_of(lab, account)
        way = STREAMS[account.name]
        # Told a symbol, ccxt takes its kind for the account's: margin would listen to spot.
        async with watching(lambda: trader.client.watch_my_trades(None, None, None, dict(way))) as told:
            await until(lambda: listeners(lab) > 0)
            await trader.limit("buy", 0.5, 60_005)
            seen = []
            for qty in ("0.2", "0.3"):
                lab.trade(account.product, "60005", qty, "SELL")
                seen.append(await told.get())

        truth = lab.truth(account.kind, account.product)["trades"]
        assert [each["id"] for each in seen] == [str(each["id"]) for each in truth]
        assert [each["amount"] for each in seen] == [0.2, 0.3]
        assert {each["takerOrMaker"] for each in seen} == {"maker"}
        assert [each["fee"]["cost"] for each in seen] == [float(each["fee"]) for each in truth]
        recorded = await trader.client.fetch_my_trades(account.symbol, None, None, dict(account.params))
        assert [each["id"] for each in recorded] == [each["id"] for each in seen]

    lab.run(story())


@pytest.mark.parametrize("account", [SPOT, USDM, PORTFOLIO_UM], ids=lambda account: account.name)
def test_balances_move_with_fills(lab: Lab, account: Account) -> None:
    """The wallet after a fill, fee included."""

    async def story() -> None:
        trader = await trader_of(lab, account)
        way = STREAMS[account.name]
        async with watching(lambda: trader.client.watch_balance(dict(way))) as told:
            await until(lambda: listeners(lab) > 0)
            await trader.market("buy", 0.1)
            balance = await told.get()

        truth = lab.truth(account.kind, account.product)["balances"]
        assert balance["USDT"]["total"] == float(truth["USDT"])
        if account == SPOT:
            assert balance["BTC"]["total"] == float(truth["BTC"])

    lab.run(story())


@futures
def test_positions_are_told(lab: Lab, account: Account) -> None:
    """Opened, turned, closed."""

    async def story() -> None:
        trader = await trader_of(lab, account)
        way = STREAMS[account.name]
        async with watching(lambda: trader.client.watch_positions(None, None, None, dict(way))) as told:
            await until(lambda: listeners(lab) > 0)
            nets = []
            for side, amount in (("buy", 0.3), ("sell", 0.5), ("buy", 0.2)):
                await trader.market(side, amount)
                row = await told.get()
                nets.append(row["contracts"] * (-1 if row["side"] == "short" else 1))

        assert nets == [0.3, -0.2, 0]

    lab.run(story())


@pytest.mark.parametrize("account", [SPOT, USDM], ids=lambda account: account.name)
def test_orders_over_the_socket(lab: Lab, account: Account) -> None:
    """The socket API places and cancels as REST does."""

    async def story() -> None:
        trader = await trader_of(lab, account)
        placed = await trader.client.create_order_ws(account.symbol, "limit", "buy", 0.1, 59_000, trader.named())
        canceled = await trader.client.cancel_order_ws(placed["id"], account.symbol, {})

        assert (placed["status"], canceled["status"]) == ("open", "canceled")
        (truth,) = lab.truth(account.kind, account.product)["orders"]
        assert (str(truth["id"]), truth["status"]) == (placed["id"], "CANCELED")

    lab.run(story())


@pytest.mark.parametrize("account", [SPOT, USDM], ids=lambda account: account.name)
def test_the_book_is_kept_by_its_deltas(lab: Lab, account: Account) -> None:
    """Snapshot and deltas fit together, or ccxt would raise."""

    async def story() -> None:
        trader = await trader_of(lab, account)
        async with watching(lambda: trader.client.watch_order_book(account.symbol)) as told:
            await until(lambda: listeners(lab) > 0)
            for step in (1, 2, 50):
                bid, ask = float(BID - step), float(ASK + step)
                lab.show(account.product, BID - step, ASK + step)
                book = await told.get()
                while (book["bids"][0][0], book["asks"][0][0]) != (bid, ask):
                    book = await told.get()

    lab.run(story())


@pytest.mark.parametrize("account", [SPOT, USDM], ids=lambda account: account.name)
def test_best_prices_and_public_trades(lab: Lab, account: Account) -> None:
    """The top of the book, and what others trade."""

    async def story() -> None:
        trader = await trader_of(lab, account)
        async with (
            watching(lambda: trader.client.watch_bids_asks([account.symbol])) as tops,
            watching(lambda: trader.client.watch_trades(account.symbol)) as trades,
        ):
            await until(lambda: listeners(lab) > 1)
            lab.show(account.product, BID - 1, ASK + 1)
            top = (await tops.get())[account.symbol]
            while (top["bid"], top["ask"]) != (float(BID - 1), float(ASK + 1)):
                # What was shown before may be told first.
                top = (await tops.get())[account.symbol]
            lab.trade(account.product, "60004", "0.25", "BUY")
            trade = await trades.get()

        assert (trade["price"], trade["amount"], trade["side"]) == (60_004, 0.25, "buy")

    lab.run(story())


def test_the_mark_price_is_told(lab: Lab) -> None:
    """Once a second, with the funding rate to come."""

    async def story() -> None:
        trader = await trader_of(lab, USDM)
        async with watching(lambda: trader.client.watch_mark_price(USDM.symbol)) as told:
            mark = await told.get()

        assert float(BID) <= mark["markPrice"] <= float(ASK)

    lab.run(story())


@pytest.mark.parametrize("account", [SPOT, USDM], ids=lambda account: account.name)
def test_known_defect_ccxt_merges_what_comes_at_once(lab: Lab, account: Account) -> None:
    """Two fills in one turn of the loop are one update of the order; its trades are all there."""

    async def story() -> None:
        trader = await trader_of(lab, account)
        way = STREAMS[account.name]
        async with (
            orders_of(trader) as orders,
            watching(lambda: trader.client.watch_my_trades(None, None, None, dict(way))) as trades,
        ):
            await trader.limit("buy", 0.5, 60_005)
            seen = [await orders.get()]
            for qty in ("0.2", "0.3"):
                lab.trade(account.product, "60005", qty, "SELL")
            while seen[-1]["filled"] < 0.5:
                seen.append(await orders.get())
            traded = [await trades.get() for _ in range(2)]

        assert [each["filled"] for each in seen] in ([0.0, 0.5], [0.0, 0.2, 0.5])
        assert sorted(each["amount"] for each in traded) == [0.2, 0.3]

    lab.run(story())


@pytest.mark.parametrize(
    ("account", "order"),
    [
        (SPOT, {"do": "end"}),
        (USDM, {"do": "end"}),
    ],
    ids=["eventStreamTerminated", "listenKeyExpired"],
)
def test_known_defect_ccxt_waits_on_a_stream_that_ended(lab: Lab, account: Account, order: dict[str, Any]) -> None:
    """The venue says that it will tell nothing more; ccxt does not hear it, and what fills afterwards is never told."""

    async def story() -> None:
        trader = await trader_of(lab, account)
        async with orders_of(trader) as told:
            await trader.limit("buy", 0.1, 59_000)
            await told.get()
            lab.control("streams", **order)
            placed = await trader.limit("buy", 0.1, 59_000)
            found = await trader.client.fetch_order(placed["id"], account.symbol)

            assert found["status"] == "open"
            assert told.empty()

    lab.run(story())


def test_known_defect_ccxt_does_not_subscribe_margin_again(lab: Lab) -> None:
    """After a cut, ccxt connects anew and listens to a stream to which it never subscribed."""

    async def story() -> None:
        trader = await trader_of(lab, MARGIN)
        async with orders_of(trader) as told:
            await trader.limit("buy", 0.1, 59_000)
            await told.get()
            lab.control("streams", do="cut")
            await until(lambda: listeners(lab) == 0)
            placed = await trader.limit("buy", 0.1, 59_000)
            found = await trader.client.fetch_order(placed["id"], MARGIN.symbol, dict(MARGIN.params))

            assert found["status"] == "open"
            assert told.empty()
            assert listeners(lab) == 0

    lab.run(story())


@pytest.mark.parametrize("account", [SPOT, USDM], ids=lambda account: account.name)
def test_known_defect_a_cut_frame_ends_ccxts_listening(lab: Lab, account: Account) -> None:
    """One frame that is no JSON, and every later one goes unheard while the socket stays open."""

    async def story() -> None:
        trader = await trader_of(lab, account)
        failures: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        async with orders_of(trader) as told:
            await trader.limit("buy", 0.1, 59_000)
            await told.get()
            lab.fault(kind="cut_frame")
            await trader.limit("buy", 0.1, 58_900)
            later = await trader.limit("buy", 0.1, 58_800)
            found = await trader.client.fetch_order(later["id"], account.symbol)

            assert found["status"] == "open"
            assert told.empty()
            assert listeners(lab) == 1

    lab.run(story())
