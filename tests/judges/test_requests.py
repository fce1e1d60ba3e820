"""Our requests and ccxt's are the same bytes, up to the time and the id that both are told.

Where ccxt's own way of asking differs, the same parameters go through its endpoint of that name, so that encoding,
order, signature and headers are compared nevertheless; the difference is named beside the case.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hedgerow.core.commands import QueryOrder
from hedgerow.model.ids import ClientOrderId, VenueOrderId
from hedgerow.model.order import OrderType, Role, Side, TimeInForce
from hedgerow.venues.wire.binance.build import ListenKeys, Public, Requests
from hedgerow.venues.wire.binance.kinds import LIVE_HOSTS, AccountKind, Product
from hedgerow.venues.wire.binance.signing import signer_of
from hedgerow.venues.wire.request import HttpRequest
from tests.judges.ccxt_client import PERP, SPOT, Sent, sent_by
from tests.venues.wire.binance.wires import API_KEY, LEG, NOW_MS, ORDER_ID, SECRET, STAMP, limit_order

pytestmark = pytest.mark.slow

Ours = Callable[[Requests], HttpRequest]
Theirs = Callable[[Any], Awaitable[Any]]

ASKED = {"origClientOrderId": ORDER_ID}
SINCE_MS = NOW_MS - 60_000
BY_ID = QueryOrder(ORDER_ID, LEG)
BY_VENUE_ID = QueryOrder(ClientOrderId(""), LEG, VenueOrderId("77"))
CROSS, PM = {"marginMode": "cross"}, {"portfolioMargin": True}
# How ccxt is told which account is meant: the market, and what goes with every call.
WAYS: dict[Product, tuple[str, dict[str, object]]] = {
    Product.SPOT: (SPOT, {}),
    Product.MARGIN: (SPOT, CROSS),
    Product.UM: (PERP, {}),
    Product.PM_MARGIN: (SPOT, CROSS | PM),
    Product.PM_UM: (PERP, PM),
}
MARKET = {"side": Side.SELL, "type": OrderType.MARKET, "limit_price": None}


def requests(product: Product, secret: str = SECRET, borrows: bool = False) -> Requests:
    """Return what builds our requests."""
    return Requests(product, "BTCUSDT", signer_of(API_KEY, secret), "BTC", borrows)


def as_sent(request: HttpRequest) -> Sent:
    """Return our request as ccxt's are written down."""
    url = LIVE_HOSTS[request.host] + request.target
    return Sent(request.method, url, dict(request.headers), request.body)


def judge(product: Product, ours: Ours, theirs: Theirs, secret: str = SECRET) -> None:
    """Fail unless both would send the same."""
    assert [as_sent(ours(requests(product, secret)))] == sent_by(theirs, secret)


@pytest.mark.parametrize("product", Product)
@pytest.mark.parametrize(
    ("changes", "params"),
    [
        ({}, {}),
        ({"time_in_force": TimeInForce.IOC}, {"timeInForce": "IOC"}),
        ({"time_in_force": TimeInForce.FOK}, {"timeInForce": "FOK"}),
        ({"post_only": True}, {"postOnly": True}),
        ({"role": Role.HEDGE}, {}),
        (MARKET, {}),
    ],
    ids=["limit", "ioc", "fok", "post-only", "hedge", "market"],
)
def test_orders(product: Product, changes: dict[str, object], params: dict[str, object]) -> None:
    """A field in another place or of another form would be another order than the one that thousands of bots send."""
    symbol, way = WAYS[product]
    kind, side, price = ("market", "sell", None) if changes is MARKET else ("limit", "buy", 60000.5)
    told = {"newClientOrderId": ORDER_ID, **params, **way}
    if product.is_margin:
        # ccxt says nothing of loans unless told to; ours always does, so that the venue's default does not matter.
        told["sideEffectType"] = "NO_SIDE_EFFECT"
    if product is Product.PM_MARGIN:
        # ccxt asks portfolio margin for less than the answer has, and so gets no fills from it.
        told["newOrderRespType"] = "FULL"
    if product is Product.PM_UM and "postOnly" in params:
        # Told of post-only, ccxt puts the same word at another place on this account alone.
        told = {**told, "timeInForce": "GTX"}
        del told["postOnly"]

    judge(
        product,
        lambda build: build.submit(limit_order(**changes), STAMP),
        lambda exchange: exchange.create_order(symbol, kind, side, 0.01, price, told),
    )


@pytest.mark.parametrize("product", Product)
def test_exits(product: Product) -> None:
    """What only reduces says so: `reduceOnly` on futures, and on margin the loan is repaid. Spot has no such word."""
    symbol, way = WAYS[product]
    told = {"newClientOrderId": ORDER_ID, **way, **({} if product is Product.SPOT else {"reduceOnly": True})}
    if product is Product.PM_MARGIN:
        told["newOrderRespType"] = "FULL"

    judge(
        product,
        lambda build: build.submit(limit_order(**MARKET, role=Role.EXIT, reduce_only=True), STAMP),
        lambda exchange: exchange.create_order(symbol, "market", "sell", 0.01, None, told),
    )


@pytest.mark.parametrize("product", [Product.MARGIN, Product.PM_MARGIN])
def test_an_order_that_may_borrow(product: Product) -> None:
    """The word that takes a loan."""
    told = {"newClientOrderId": ORDER_ID, "sideEffectType": "MARGIN_BUY", **WAYS[product][1]}
    if product is Product.PM_MARGIN:
        told["newOrderRespType"] = "FULL"

    assert [as_sent(requests(product, borrows=True).submit(limit_order(), STAMP))] == sent_by(
        lambda exchange: exchange.create_order(SPOT, "limit", "buy", 0.01, 60000.5, told)
    )


@pytest.mark.parametrize("product", Product)
def test_cancels_and_questions(product: Product) -> None:
    """By our id and by the venue's, on each product's own address."""
    symbol, way = WAYS[product]
    cases: list[tuple[Ours, Theirs]] = [
        (
            lambda build: build.cancel(ORDER_ID, STAMP),
            lambda exchange: exchange.cancel_order(None, symbol, {**ASKED, **way}),
        ),
        (
            lambda build: build.cancel_venue_order(VenueOrderId("77"), STAMP),
            lambda exchange: exchange.cancel_order("77", symbol, dict(way)),
        ),
        (
            lambda build: build.query(BY_ID, STAMP),
            lambda exchange: exchange.fetch_order(None, symbol, {**ASKED, **way}),
        ),
        (
            lambda build: build.query(BY_VENUE_ID, STAMP),
            lambda exchange: exchange.fetch_order("77", symbol, dict(way)),
        ),
        (
            lambda build: build.open_orders(STAMP),
            lambda exchange: exchange.fetch_open_orders(symbol, None, None, dict(way)),
        ),
        (
            lambda build: build.latest_trades(STAMP),
            lambda exchange: exchange.fetch_my_trades(symbol, None, 1000, dict(way)),
        ),
    ]
    for ours, theirs in cases:
        judge(product, ours, theirs)


# Endpoints that ccxt has under their own names: the parameters are given, and all else is its own.
BY_NAME: list[tuple[Product, Ours, str, dict[str, object]]] = [
    (product, ours, name, params)
    for ours, params, names in (
        (
            lambda build: build.trades_from(5, STAMP),
            {"symbol": "BTCUSDT", "fromId": 5, "limit": 1000},
            {
                Product.SPOT: "privateGetMyTrades",
                Product.MARGIN: "sapiGetMarginMyTrades",
                Product.UM: "fapiPrivateGetUserTrades",
                Product.PM_MARGIN: "papiGetMarginMyTrades",
                Product.PM_UM: "papiGetUmUserTrades",
            },
        ),
        (
            lambda build: build.trades_between(SINCE_MS, NOW_MS, STAMP),
            {"symbol": "BTCUSDT", "startTime": SINCE_MS, "endTime": NOW_MS, "limit": 1000},
            {
                Product.SPOT: "privateGetMyTrades",
                Product.MARGIN: "sapiGetMarginMyTrades",
                Product.UM: "fapiPrivateGetUserTrades",
                Product.PM_MARGIN: "papiGetMarginMyTrades",
                Product.PM_UM: "papiGetUmUserTrades",
            },
        ),
        (
            lambda build: build.balances(STAMP),
            {},
            {
                Product.SPOT: "privateGetAccount",
                Product.MARGIN: "sapiGetMarginAccount",
                Product.UM: "fapiPrivateV3GetBalance",
                Product.PM_MARGIN: "papiGetBalance",
                Product.PM_UM: "papiGetBalance",
            },
        ),
        (
            # ccxt asks for all positions; one of them is a fifth of the answer's bytes at most.
            lambda build: build.position(STAMP),
            {"symbol": "BTCUSDT"},
            {Product.UM: "fapiPrivateV2GetPositionRisk", Product.PM_UM: "papiGetUmPositionRisk"},
        ),
        (
            lambda build: build.fee_rates(STAMP),
            {"symbol": "BTCUSDT"},
            {
                Product.SPOT: "privateGetAccountCommission",
                Product.MARGIN: "sapiGetAssetTradeFee",
                Product.UM: "fapiPrivateGetCommissionRate",
                Product.PM_MARGIN: "sapiGetAssetTradeFee",
                Product.PM_UM: "papiGetUmCommissionRate",
            },
        ),
        (
            lambda build: build.permissions(STAMP),
            {},
            dict.fromkeys(Product, "sapiGetAccountApiRestrictions"),
        ),
        (
            lambda build: build.symbol_config(STAMP),
            {"symbol": "BTCUSDT"},
            {Product.UM: "fapiPrivateGetSymbolConfig", Product.PM_UM: "papiGetUmSymbolConfig"},
        ),
        (
            lambda build: build.position_mode(STAMP),
            {},
            {Product.UM: "fapiPrivateGetPositionSideDual", Product.PM_UM: "papiGetUmPositionSideDual"},
        ),
        (
            lambda build: build.funding(SINCE_MS, STAMP),
            {"symbol": "BTCUSDT", "incomeType": "FUNDING_FEE", "startTime": SINCE_MS, "limit": 1000},
            {Product.UM: "fapiPrivateGetIncome", Product.PM_UM: "papiGetUmIncome"},
        ),
        (
            # ccxt's own change of an order names it by both ids, of which one is not known before it is answered.
            lambda build: build.amend(ORDER_ID, Side.BUY, Decimal("0.01"), Decimal("60000.5"), STAMP),
            {"symbol": "BTCUSDT", "side": "BUY", **ASKED, "quantity": "0.01", "price": "60000.5"},
            {Product.UM: "fapiPrivatePutOrder", Product.PM_UM: "papiPutUmOrder"},
        ),
        (
            lambda build: build.interest("USDT", SINCE_MS, SINCE_MS + 1, 2, STAMP),
            {"asset": "USDT", "startTime": SINCE_MS, "endTime": SINCE_MS + 1, "current": 2, "size": 100},
            {Product.MARGIN: "sapiGetMarginInterestHistory", Product.PM_MARGIN: "papiGetMarginMarginInterestHistory"},
        ),
        (
            lambda build: build.borrow_rates(("BTC", "USDT"), STAMP),
            {"assets": "BTC,USDT", "isIsolated": "FALSE"},
            dict.fromkeys((Product.MARGIN, Product.PM_MARGIN), "sapiGetMarginNextHourlyInterestRate"),
        ),
        (
            lambda build: build.listen_token(),
            {},
            {Product.MARGIN: "sapiPostUserListenToken"},
        ),
    )
    for product, name in names.items()
]


@pytest.mark.parametrize(("product", "ours", "name", "params"), BY_NAME)
def test_questions_by_their_own_names(product: Product, ours: Ours, name: str, params: dict[str, object]) -> None:
    """Address, encoding, order, signature and headers, for what ccxt's own calls ask otherwise."""
    judge(product, ours, lambda exchange: getattr(exchange, name)(dict(params)))


@pytest.mark.parametrize("product", [Product.MARGIN, Product.PM_MARGIN])
def test_loans(product: Product) -> None:
    """Borrowing and repaying."""
    way = {} if product is Product.MARGIN else PM
    judge(
        product,
        lambda build: build.borrow("USDT", Decimal("5.5"), STAMP),
        lambda exchange: exchange.borrow_cross_margin("USDT", 5.5, dict(way)),
    )
    judge(
        product,
        lambda build: build.repay("USDT", Decimal("5.5"), STAMP),
        lambda exchange: exchange.repay_cross_margin("USDT", 5.5, dict(way)),
    )


@pytest.mark.parametrize("product", [Product.UM, Product.PM_UM])
def test_futures_settings(product: Product) -> None:
    """Leverage and position mode; the margin type where there is one."""
    way = dict(WAYS[product][1])
    judge(
        product,
        lambda build: build.set_leverage(Decimal(3), STAMP),
        lambda exchange: exchange.set_leverage(3, PERP, way),
    )
    judge(
        product,
        lambda build: build.set_one_way(STAMP),
        lambda exchange: exchange.set_position_mode(False, PERP, dict(WAYS[product][1])),
    )


def test_the_margin_type() -> None:
    """Cross margin, on USD-M alone."""
    judge(
        Product.UM,
        lambda build: build.set_cross_margin(STAMP),
        lambda exchange: exchange.set_margin_mode("cross", PERP),
    )


@pytest.mark.parametrize(
    ("request_", "name", "params"),
    [
        (Public(Product.SPOT, "BTCUSDT").depth(), "publicGetDepth", {"symbol": "BTCUSDT", "limit": 1000}),
        (Public(Product.UM, "BTCUSDT").depth(), "fapiPublicGetDepth", {"symbol": "BTCUSDT", "limit": 1000}),
        (Public(Product.UM, "BTCUSDT").funding_info(), "fapiPublicGetFundingInfo", {}),
        (Public(Product.SPOT, "BTCUSDT").server_time(), "publicGetTime", {}),
        (Public(Product.UM, "BTCUSDT").server_time(), "fapiPublicGetTime", {}),
    ],
)
def test_what_needs_no_key(request_: HttpRequest, name: str, params: dict[str, object]) -> None:
    """Market data bears no key and no signature."""
    assert [as_sent(request_)] == sent_by(lambda exchange: getattr(exchange, name)(dict(params)))


@pytest.mark.parametrize(("kind", "prefix"), [(AccountKind.USDM, "fapiPrivate"), (AccountKind.PORTFOLIO, "papi")])
def test_listen_keys(kind: AccountKind, prefix: str) -> None:
    """Opened, kept and closed with the API key alone."""
    keys = ListenKeys(kind, API_KEY)
    named = {"listenKey": "abc"}

    def by(verb: str) -> Callable[[Any], Any]:
        return lambda exchange: getattr(exchange, f"{prefix}{verb}ListenKey")

    assert [as_sent(keys.open())] == sent_by(lambda exchange: by("Post")(exchange)({}))
    assert [as_sent(keys.keep("abc"))] == sent_by(lambda exchange: by("Put")(exchange)(dict(named)))
    assert [as_sent(keys.close("abc"))] == sent_by(lambda exchange: by("Delete")(exchange)(dict(named)))


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_key_pairs_sign_the_same_bytes(kind: str) -> None:
    """Both signatures are deterministic, so they can be compared like the rest; base64 is where encodings go wrong."""
    key = Ed25519PrivateKey.generate() if kind == "ed25519" else generate_private_key(65537, 2048)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    judge(
        Product.UM,
        lambda build: build.submit(limit_order(), STAMP),
        lambda exchange: exchange.create_order(PERP, "limit", "buy", 0.01, 60000.5, {"newClientOrderId": ORDER_ID}),
        secret,
    )
    judge(
        Product.SPOT,
        lambda build: build.query(BY_ID, STAMP),
        lambda exchange: exchange.fetch_order(None, SPOT, dict(ASKED)),
        secret,
    )
