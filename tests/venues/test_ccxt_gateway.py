"""What ccxt's errors prove, what its rows say, and how its trades are read; without ccxt, but for its last part."""

from __future__ import annotations

import asyncio
import decimal
import sys
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest

from hedgerow.core.commands import QueryOrder, SubmitOrder
from hedgerow.core.events import (
    CancelOutcome,
    Event,
    FundingPaid,
    Heartbeat,
    LinkDown,
    OpenOrdersRead,
    OrderNotFound,
    OrderReported,
    RejectClass,
)
from hedgerow.model.ids import AccountId, ClientOrderId, LegId, VenueId, VenueOrderId
from hedgerow.model.instrument import InstrumentKind
from hedgerow.model.order import Fill, OrderStatus, OrderType, Role, Side
from hedgerow.model.reach import Reach
from hedgerow.runtime.clock import LoopClock, origin_now
from hedgerow.venues.ccxt_account import CcxtAccount, Done, Failed, Keys, Unsupported
from hedgerow.venues.ccxt_funding import CcxtFunding
from hedgerow.venues.ccxt_gateway import Cadence, CcxtGateway
from hedgerow.venues.ccxt_trades import BEHIND_MS, Reading, read_trades
from hedgerow.venues.outcomes import EXISTS, UNKNOWN
from hedgerow.venues.transport.http import NotSent
from hedgerow.venues.wire.ccxt import names, rows
from hedgerow.venues.wire.ccxt.outcomes import Left, is_not_found, of_cancel, of_submit
from hedgerow.venues.wire.ccxt.rows import Kind
from hedgerow.venues.wire.payload import BadPayload
from hedgerow.venues.wire.request import Lane
from tests.venues.clockwork import VirtualClock

D = Decimal
NOW_MS = 1_790_000_000_000
OURS = ClientOrderId("hr-btc-1-2z")
INVALID = ("InvalidOrder", "ExchangeError", "BaseError")


def refused(text: str, status: int = 400, method: str = "POST") -> Left:
    return Left(method, status, text, is_refused=True)


# What errors prove.


@pytest.mark.parametrize(
    ("classes", "text", "reject_class"),
    [
        (("InsufficientFunds", "ExchangeError"), "Margin is insufficient.", RejectClass.INSUFFICIENT_MARGIN),
        (("OrderImmediatelyFillable", *INVALID), "would immediately match", RejectClass.POST_ONLY),
        (("OrderNotFillable", *INVALID), "could not be executed as maker", RejectClass.POST_ONLY),
        (INVALID, "notional must be no smaller than 5", RejectClass.MINIMUM),
        (INVALID, "ReduceOnly Order is rejected.", RejectClass.REDUCE_ONLY),
        (("InvalidNonce", "NetworkError"), "Timestamp outside of recvWindow", RejectClass.OTHER),
        (("PermissionDenied", "AuthenticationError"), "no permission", RejectClass.UNAUTHORIZED),
    ],
)
def test_a_plain_refusal_is_one(classes: tuple[str, ...], text: str, reject_class: RejectClass) -> None:
    """The book acts at once on a refusal, and says which it was."""
    assert of_submit(classes, [refused(text)], post_only=True).reject_class is reject_class


@pytest.mark.parametrize(
    ("classes", "left"),
    [
        (("OperationRejected", "ExchangeError"), [refused("An unknown error occurred")]),
        (("AuthenticationError", "ExchangeError"), [refused("Request timed out")]),
        (("AuthenticationError", "ExchangeError"), [refused("wrong key", 200)]),
        (("ExchangeError", "BaseError"), [refused("System is abnormal")]),
        (("OrderNotFound", *INVALID), [refused("Order does not exist.")]),
        (INVALID, [refused("try again later")]),
        (INVALID, [refused("price", 503)]),
        (INVALID, [refused("price", 409)]),
        (INVALID, [Left("POST", 200, "{}")]),
        (INVALID, [Left("POST")]),
        (INVALID, [refused("price"), refused("price")]),
        (INVALID, [Left("POST", 200, "{}"), refused("price", method="GET")]),
        (INVALID, [refused("price", method="GET")]),
    ],
)
def test_whatever_leaves_a_doubt_is_unknown(classes: tuple[str, ...], left: list[Left]) -> None:
    """A class of ccxt's that looks definite is none: the order may be live, and calling it dead hedges twice."""
    assert of_submit(classes, left, post_only=False) == UNKNOWN


def test_a_name_in_use_is_no_refusal() -> None:
    """ccxt says InvalidOrder to an earlier attempt that landed."""
    assert of_submit(INVALID, [refused("ClientOrderId is duplicated.")], post_only=False) == EXISTS


def test_what_ccxt_itself_refused_never_left() -> None:
    """Its own checks come before anything is sent."""
    assert of_submit(INVALID, [], post_only=False).reject_class is RejectClass.NOT_SENT
    assert of_cancel(INVALID, []) is CancelOutcome.REFUSED


def test_a_cancel_of_nothing_is_gone_and_without_an_answer_unknown() -> None:
    """Gone closes nothing by itself; unknown is asked for."""
    classes = ("OrderNotFound", *INVALID)
    assert of_cancel(classes, [refused("Unknown order sent.", method="DELETE")]) is CancelOutcome.GONE
    assert of_cancel(classes, [Left("DELETE", 502)]) is CancelOutcome.UNKNOWN
    assert is_not_found(classes, [refused("Order does not exist.", method="GET")])
    assert not is_not_found(classes, [refused("", 500, "GET")])


# Names.


@pytest.mark.parametrize(("exchange", "written"), [("okx", "hrXbtcX1X2z"), ("gate", "t-hr-btc-1-2z"), ("any", OURS)])
def test_our_name_comes_back_from_what_the_exchange_takes(exchange: str, written: str) -> None:
    """Whose an order is can be read off its name alone, in whatever form."""
    naming = names.naming_of(exchange)

    assert names.written(naming, OURS) == written
    assert names.read(naming, written) == OURS
    assert names.read(naming, "eXtra") == "eXtra"


def test_a_name_that_is_too_long_is_told() -> None:
    """Cut off, it would be another order's."""
    with pytest.raises(names.NameTooLong, match="takes 18"):
        names.written(names.naming_of("kraken"), ClientOrderId("hr-abcdefgh-1z2-1z2z"))


# Rows.

MARKET_ROW: dict[str, Any] = {
    "symbol": "BTC/USDT:USDT",
    "base": "BTC",
    "quote": "USDT",
    "swap": True,
    "linear": True,
    "active": True,
    "contractSize": "0.01",
    "precision": {"price": "0.1", "amount": "1"},
    "limits": {"amount": {"min": "1", "max": "1000"}, "cost": {"min": "5"}},
}
MARKET = rows.market_of(MARKET_ROW, VenueId("there"), Kind.SWAP, rows.TICK_SIZE)
ACCOUNT = AccountId("there/main")


def trade(number: int, ms: int = NOW_MS, **words: object) -> dict[str, Any]:
    return {
        "id": str(number),
        "symbol": MARKET.symbol,
        "timestamp": ms,
        "side": "buy",
        "amount": "3",
        "price": "60000.1",
        "order": "77",
        "takerOrMaker": "maker",
        "fee": {"cost": "0.05", "currency": "USDT"},
        **words,
    }


def fill(row: rows.Row) -> Fill:
    return rows.fill_of(row, MARKET, ACCOUNT, ClientOrderId)


def test_contracts_are_base_units_here() -> None:
    """A hedge of three contracts for three bitcoins would be a hundredth of it."""
    instrument = MARKET.instrument

    assert (instrument.step, instrument.min_qty, instrument.max_qty) == (D("0.01"), D("0.01"), D("10"))
    assert (instrument.id, instrument.kind) == ("there:BTC/USDT-PERP", InstrumentKind.PERP)
    assert MARKET.contracts(D("0.03")) == 3
    assert fill(trade(1)).qty == D("0.03")


def test_a_trade_is_a_fill_with_its_exact_numbers() -> None:
    """What it says is booked as it stands."""
    found = fill(trade(1))

    assert (found.trade_id, found.side, found.price, found.fee) == ("1", Side.BUY, D("60000.1"), D("0.05"))
    assert (found.venue_order_id, found.fee_currency, found.is_maker) == (VenueOrderId("77"), "USDT", True)


@pytest.mark.parametrize("words", [{"amount": 0.3}, {"amount": "0"}, {"id": None}, {"side": None}, {"symbol": "X"}])
def test_a_trade_that_is_not_exact_or_not_whole_is_none(words: dict[str, Any]) -> None:
    """A binary fraction has lost what was told."""
    with pytest.raises(BadPayload):
        fill(trade(1, **words))


@pytest.mark.parametrize(("filled", "status"), [("3", OrderStatus.FILLED), ("2", OrderStatus.CANCELED), (None, None)])
def test_closed_means_what_was_filled(filled: str | None, status: OrderStatus | None) -> None:
    """The word alone says that it ended, and not how."""
    row = {"id": "7", "symbol": MARKET.symbol, "status": "closed", "amount": "3", "filled": filled}
    assert rows.order_of(row, MARKET, ClientOrderId).status is status


def test_a_position_has_a_sign_and_an_absent_one_is_not_zero() -> None:
    """Who calls decides what absence means; here it is absence."""
    row = {"symbol": MARKET.symbol, "contracts": "3", "side": "short", "entryPrice": "60000", "leverage": "5"}

    assert rows.held_of([row], MARKET) == (D("-0.03"), D(60000), D(5))
    assert rows.held_of([], MARKET) is None
    with pytest.raises(BadPayload, match="one-way"):
        rows.held_of([row, {**row, "side": "long"}], MARKET)


def test_a_book_is_sorted_by_number() -> None:
    """As text, 9999 would be the best bid."""
    row = {"bids": [["9999", "1"], ["10000", "2"]], "asks": [["10001", "0"], ["10002", "1"]]}
    quote = rows.quote_of(row, MARKET, 1, 5)
    assert (quote.bid, quote.ask) == (D(10000), D(10002))


# Trades.


def read(pages: dict[int, Sequence[rows.Row]], cursor: str) -> Reading:
    """Read where a question from a time on brings what is at or after it, ten at once."""
    told = sorted((row for page in pages.values() for row in page), key=rows.time_of)

    async def page(since_ms: int) -> Sequence[rows.Row]:
        return [row for row in told if rows.time_of(row) >= since_ms][:10]

    return asyncio.run(read_trades(page, fill, cursor, NOW_MS))


def test_trades_are_read_over_pages_each_once() -> None:
    """A page that is full is no end, and its last trade is on the next one again."""
    made = [trade(number, NOW_MS - 50_000 + number * 1_000) for number in range(25)]

    first = read({0: made}, "")
    assert [each.trade_id for each in first.fills] == [str(number) for number in range(25)]
    assert read({0: made}, first.cursor).fills == ()


def test_the_trades_of_the_cursors_own_moment_are_told_once() -> None:
    """Two trades of one millisecond, of which one was shown late, are two."""
    early, late = trade(1), trade(2)
    first = read({0: [early]}, "")

    second = read({0: [early, late]}, first.cursor)

    assert [each.trade_id for each in second.fills] == ["2"]
    assert read({0: [early, late]}, second.cursor).fills == ()


def test_a_cursor_without_trades_follows_the_time_at_a_distance() -> None:
    """Exchanges look no further than some days from where they are asked to begin."""
    assert read({}, str(NOW_MS - 3 * 86_400_000)).cursor == str(NOW_MS - BEHIND_MS)


# Funding.


class Funded:
    """Stands for an account: payments, given out in pages."""

    def __init__(self, exchange: str, *paid_ms: int) -> None:
        self.exchange = exchange
        self.clock = VirtualClock()
        self.paid_ms = paid_ms
        self.asked: list[int] = []

    def can(self, method: str) -> bool:
        return method == "fetchFundingHistory"

    async def ask(self, lane: Lane, ask: Callable[[Any], Awaitable[Any]]) -> Done:
        return Done(await ask(self), 0)

    async def fetch_funding_history(self, symbol: str, since_ms: int, limit: int) -> list[rows.Row]:
        self.asked.append(since_ms)
        found = [each for each in self.paid_ms if each >= since_ms][:limit]
        return [{"id": None, "symbol": symbol, "timestamp": each, "amount": "-0.5"} for each in found]


def funding_told(account: Funded, since_ms: int) -> list[FundingPaid]:
    """Return what is told of funding since a time."""
    told: list[FundingPaid] = []

    async def play() -> None:
        def take(leg_id: LegId, event: object) -> None:
            assert isinstance(event, FundingPaid)
            told.append(event)

        funding = CcxtFunding(account, MARKET, LegId("hedge"), take, 0)  # type: ignore[arg-type]
        funding.catch_up(since_ms * 1_000_000)
        for _ in range(50):
            await asyncio.sleep(0)
        await funding.stop()

    asyncio.run(play())
    return told


def test_funding_is_told_once_page_by_page_and_from_the_time_on() -> None:
    """Whatever came before is not the book's; whatever came after is, however many pages."""
    account = Funded("binance", *range(NOW_MS, NOW_MS + 2_500))

    told = funding_told(account, NOW_MS + 99)

    assert [each.funding_id for each in told] == [f"{MARKET.symbol}@{NOW_MS + n}" for n in range(100, 2_500)]
    assert {each.net_quote for each in told} == {D("-0.5")}


def test_funding_whose_sign_is_not_known_is_not_told() -> None:
    """On some exchanges what ccxt calls the amount is a fee: plus is paid."""
    account = Funded("bybit", NOW_MS)

    assert funding_told(account, NOW_MS - 5) == []
    assert account.asked == []


@pytest.mark.parametrize(("change", "problem"), [({"symbol": "ETH/USDT:USDT"}, "not of"), ({"amount": 0.5}, "exact")])
def test_a_payment_that_cannot_be_read_is_none(change: dict[str, Any], problem: str) -> None:
    """Binary fractions are not what was paid."""
    row = {"symbol": MARKET.symbol, "timestamp": NOW_MS, "amount": "0.25"}
    assert rows.funding_of(row, MARKET) == (NOW_MS, D("0.25"))
    with pytest.raises(BadPayload, match=problem):
        rows.funding_of(row | change, MARKET)


# An order that the exchange has forgotten.


class Forgetful:
    """Stands for an account whose exchange takes orders, and knows nothing any more of those whose ids are named.

    A second passes with each question for open orders.
    """

    exchange = "any"
    account_id = ACCOUNT
    legs = 0

    def __init__(self, *forgotten: str) -> None:
        self.clock = VirtualClock()
        self.client = self
        self.naming = names.naming_of(self.exchange)
        self.name_of = ClientOrderId
        self.forgotten = set(forgotten)
        self.made: list[str] = []
        self.asked: list[str] = []
        "Ids of orders, as they were asked for."

    def market(self, _pair: str) -> rows.Market:
        return MARKET

    def can(self, _method: str) -> bool:
        return False

    async def ask(self, _lane: Lane, ask: Callable[[Any], Awaitable[Any]]) -> Done:
        return Done(await ask(self), 0)

    async def create_order(self, symbol: str, *_words: object) -> rows.Row:
        self.made.append(str(len(self.made) + 1))
        return {"id": self.made[-1], "symbol": symbol}

    async def fetch_open_orders(self, _symbol: str) -> list[rows.Row]:
        self.clock.run(1_000_000_000)
        return []

    async def fetch_my_trades(self, _symbol: str, _since_ms: int) -> list[rows.Row]:
        return []

    async def fetch_order(self, order_id: str, symbol: str) -> rows.Row:
        self.asked.append(order_id)
        if order_id in self.forgotten:
            raise Failed(("OrderNotFound", *INVALID), (refused("Order does not exist.", method="GET"),), "not found")
        return {"id": order_id, "symbol": symbol, "status": "canceled", "amount": "3", "filled": "0"}

    async def fetch_order_book(self, _symbol: str, _levels: int) -> rows.Row:
        raise BadPayload("no prices here")


def told_of_orders(account: Forgetful, *order_ids: str) -> tuple[list[Event], list[Event]]:
    """Return what is told while orders of these ids are made and the open ones asked for, and then when one asks."""
    told: list[Event] = []

    async def play() -> list[Event]:
        gateway = CcxtGateway(account, Cadence(ask_s=0, quote_s=0, silent_s=2))  # type: ignore[arg-type]
        gateway.start(LegId("lead"), MARKET.instrument, lambda _leg_id, event: told.append(event))
        for order_id in order_ids:
            submit = SubmitOrder(
                ClientOrderId(order_id),
                LegId("lead"),
                MARKET.instrument.id,
                Side.BUY,
                D("0.03"),
                OrderType.LIMIT,
                Role.ENTRY,
                D(60000),
            )
            gateway.send(submit)
        for _ in range(200):
            await asyncio.sleep(0)
        unasked: list[Event] = [each for each in told if not isinstance(each, Heartbeat)]
        told.clear()
        gateway.send(QueryOrder(ClientOrderId(order_ids[0]), LegId("lead")))
        for _ in range(50):
            await asyncio.sleep(0)
        await gateway.stop()
        return unasked

    unasked = asyncio.run(play())
    return unasked, [each for each in told if not isinstance(each, Heartbeat)]


def test_a_forgotten_order_keeps_no_link_down_and_is_not_called_canceled() -> None:
    """The list without it makes the book ask, as often as it needs; the other orders and the link go on."""
    account = Forgetful("1")

    unasked, answer = told_of_orders(account, "hr-btc-1-1", "hr-btc-1-2")

    (read,) = [each for each in unasked if isinstance(each, OpenOrdersRead)]
    assert read.orders == ()
    reports = [(each.order_id, each.status) for each in unasked if isinstance(each, OrderReported)]
    assert reports == [("hr-btc-1-2", OrderStatus.CANCELED)]
    assert not [each for each in unasked if isinstance(each, LinkDown)]
    (not_found,) = answer
    assert isinstance(not_found, OrderNotFound)
    assert not_found.order_id == "hr-btc-1-1"
    # Once by the gateway, once for the book: nobody asks every second for what will never be there.
    assert account.asked.count("1") == 2


# ccxt itself, made harmless.


def account(exchange: str, kind: Kind = Kind.SWAP) -> CcxtAccount:
    """Return an account at an address where nobody listens."""
    clock = LoopClock(asyncio.new_event_loop(), origin_now(), lambda error: None)
    return CcxtAccount(ACCOUNT, exchange, kind, Reach.EMULATOR, Keys("k", "s"), clock, "http://127.0.0.1:9")


def test_without_ccxt_the_way_to_get_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra."""
    monkeypatch.setitem(sys.modules, "ccxt.async_support", None)
    with pytest.raises(Unsupported, match=r"hedgerow\[ccxt\]"):
        account("kraken")


@pytest.mark.parametrize("exchange", ["aster", "hyperliquid", "lighter", "kraken", "binance", "okx"])
def test_no_default_of_ccxts_costs_money_or_time(exchange: str) -> None:
    """Its throttle, its retries, and its fees for builders are off before the first call."""
    pytest.importorskip("ccxt")
    if exchange in names.NAMELESS:
        with pytest.raises(Unsupported, match="named by"):
            account(exchange)
        return
    client = account(exchange).client
    assert not client.enableRateLimit
    assert client.options["builderFee"] is False
    assert client.options["maxRetriesOnFailure"] == 0
    assert client.number is str


def test_ccxt_does_not_change_how_everybody_rounds() -> None:
    """It sets the rounding of the thread when it first writes a number."""
    pytest.importorskip("ccxt")
    before = decimal.getcontext().rounding

    async def round_one() -> str:
        async def ask(client: Any) -> str:
            return str(client.decimal_to_precision("1.25", 1, 1, 2))

        done = await account("kraken").ask(Lane.QUERY, ask)
        return str(done.result)

    assert asyncio.run(round_one()) == "1.3"
    assert decimal.getcontext().rounding == before


@pytest.mark.parametrize("url", ["https://elsewhere.test/x", "https://api.kraken.com/0/private/Withdraw"])
def test_what_is_not_for_a_hedge_never_leaves(url: str) -> None:
    """Not to a host that the exchange has not, and not to move money."""
    pytest.importorskip("ccxt")

    async def ask() -> None:
        await account("kraken").ask(Lane.HEDGE, lambda client: client.fetch(url, "POST", {}, "a=1"))

    with pytest.raises(NotSent, match="nothing was sent"):
        asyncio.run(ask())


def test_an_exchange_that_cannot_be_reached_has_got_nothing() -> None:
    """ccxt has one class for that and for a lost answer; our transport knows the difference."""
    pytest.importorskip("ccxt")

    async def ask() -> None:
        made = account("kraken", Kind.SPOT)
        try:
            await made.open()
        finally:
            await made.close()

    with pytest.raises(NotSent):
        asyncio.run(ask())
