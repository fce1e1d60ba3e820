"""Requests as bytes: what is in them, where it stands, and what is never in them."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.commands import QueryOrder
from hedgerow.model.ids import ClientOrderId, VenueOrderId
from hedgerow.model.order import OrderType, Role, Side, TimeInForce
from hedgerow.venues.wire.binance.build import ListenKeys, Public, plain
from hedgerow.venues.wire.binance.kinds import (
    LIVE_HOSTS,
    PRODUCTS,
    TESTNET_HOSTS,
    AccountKind,
    NotTraded,
    Product,
    product_of,
)
from hedgerow.venues.wire.binance.routes import LIMITS, ROUTES, Endpoint
from hedgerow.venues.wire.binance.signing import HmacSigner
from hedgerow.venues.wire.request import HttpRequest, Lane
from tests.venues.wire.binance.wires import (
    API_KEY,
    LEG,
    NOW_MS,
    ORDER_ID,
    SECRET,
    STAMP,
    limit_order,
    requests,
)


def params(request: HttpRequest) -> dict[str, str]:
    """Return the parameters of a request, less time and signature."""
    found = dict(parse_qsl(request.query or request.body, strict_parsing=True))
    return {name: value for name, value in found.items() if name not in ("timestamp", "recvWindow", "signature")}


def test_a_futures_order_byte_for_byte() -> None:
    """The whole body is fixed here, so that no change of it goes unseen."""
    request = requests(Product.UM).submit(limit_order(), STAMP)

    payload = (
        f"timestamp={NOW_MS}&symbol=BTCUSDT&side=BUY&newClientOrderId=hr-btc-1-2&newOrderRespType=RESULT"
        "&type=LIMIT&quantity=0.01&price=60000.5&timeInForce=GTC&recvWindow=2500"
    )
    signature = HmacSigner(API_KEY, SECRET).sign(payload)
    assert (request.method, request.host, request.path) == ("POST", "fapi", "/fapi/v1/order")
    assert request.body == f"{payload}&signature={signature}"
    assert request.query == ""
    assert dict(request.headers) == {
        "X-MBX-APIKEY": API_KEY,
        "Content-Type": "application/x-www-form-urlencoded",
    }
    assert request.is_signed
    assert request.lane is Lane.ENTRY


@pytest.mark.parametrize("product", Product)
def test_what_every_signed_request_has(product: Product) -> None:
    """Without the time and the window nothing bounds how late the venue may take it."""
    build = requests(product)
    made = [
        build.submit(limit_order(), STAMP),
        build.cancel(ORDER_ID, STAMP),
        build.query(QueryOrder(ORDER_ID, LEG), STAMP),
        build.open_orders(STAMP),
        build.latest_trades(STAMP),
        build.position(STAMP),
        build.balances(STAMP),
        build.fee_rates(STAMP),
        build.permissions(STAMP),
    ]
    for request in made:
        payload, _, signature = (request.query or request.body).rpartition("&signature=")
        assert HmacSigner(API_KEY, SECRET).sign(payload) == unquote(signature), request
        assert payload.startswith(f"timestamp={NOW_MS}") and payload.endswith("recvWindow=2500"), request
        assert (request.method in ("GET", "DELETE")) == bool(request.query), request
        assert bool(request.query) != bool(request.body), request
        assert request.weights, request
        assert SECRET not in repr(request), request


@pytest.mark.parametrize(
    ("product", "changes", "expected"),
    [
        (Product.SPOT, {"post_only": True}, {"type": "LIMIT_MAKER", "price": "60000.5"}),
        (Product.UM, {"post_only": True}, {"type": "LIMIT", "price": "60000.5", "timeInForce": "GTX"}),
        (Product.PM_UM, {"post_only": True}, {"type": "LIMIT", "price": "60000.5", "timeInForce": "GTX"}),
        (
            Product.UM,
            {"time_in_force": TimeInForce.IOC, "reduce_only": True},
            {"type": "LIMIT", "price": "60000.5", "timeInForce": "IOC", "reduceOnly": "true"},
        ),
        (
            Product.SPOT,
            {"time_in_force": TimeInForce.FOK},
            {"type": "LIMIT", "price": "60000.5", "timeInForce": "FOK"},
        ),
        (Product.UM, {"type": OrderType.MARKET, "limit_price": None}, {"type": "MARKET"}),
        (
            Product.MARGIN,
            {},
            {"type": "LIMIT", "price": "60000.5", "timeInForce": "GTC", "sideEffectType": "NO_SIDE_EFFECT"},
        ),
        (
            Product.PM_MARGIN,
            {"role": Role.EXIT, "side": Side.SELL},
            {
                "type": "LIMIT",
                "price": "60000.5",
                "timeInForce": "GTC",
                "sideEffectType": "AUTO_REPAY",
                "side": "SELL",
            },
        ),
    ],
)
def test_the_terms_of_an_order(product: Product, changes: dict[str, object], expected: dict[str, str]) -> None:
    """Post-only, reduce-only and loans are spelled differently by product, and a mistake there costs money."""
    request = requests(product).submit(limit_order(**changes), STAMP)

    reply = "RESULT" if product.is_futures else "FULL"
    always = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "newClientOrderId": ORDER_ID,
        "newOrderRespType": reply,
        "quantity": "0.01",
    }
    assert params(request) == always | expected


def test_an_order_that_may_borrow_weighs_as_much_as_a_loan() -> None:
    """Sixty times a second would be a ban of the whole account within a minute."""
    lent = requests(Product.MARGIN, borrows=True).submit(limit_order(role=Role.HEDGE), STAMP)
    plain_one = requests(Product.MARGIN).submit(limit_order(), STAMP)

    assert params(lent)["sideEffectType"] == "MARGIN_BUY"
    assert sum(each.units for each in lent.weights) > 100 * sum(each.units for each in plain_one.weights)
    assert lent.lane is Lane.HEDGE


def test_orders_for_the_day_are_refused_before_anything_is_built() -> None:
    """Binance has none; to send another instead would rest for ever."""
    with pytest.raises(NotTraded, match="day"):
        requests(Product.SPOT).submit(limit_order(time_in_force=TimeInForce.DAY), STAMP)


@pytest.mark.parametrize("role", Role)
def test_the_lane_follows_the_role(role: Role) -> None:
    """A hedge must not wait behind an entry."""
    request = requests(Product.UM).submit(limit_order(role=role), STAMP)

    assert request.lane is {Role.HEDGE: Lane.HEDGE, Role.EXIT: Lane.EXIT, Role.ENTRY: Lane.ENTRY}[role]


def test_cancel_and_query_name_the_order_by_our_id_or_by_theirs() -> None:
    """An orphan is known by the venue's id alone."""
    build = requests(Product.UM)

    assert params(build.cancel(ORDER_ID, STAMP)) == {"symbol": "BTCUSDT", "origClientOrderId": ORDER_ID}
    assert build.cancel(ORDER_ID, STAMP).lane is Lane.CANCEL
    assert params(build.cancel_venue_order(VenueOrderId("77"), STAMP)) == {"symbol": "BTCUSDT", "orderId": "77"}
    nameless = QueryOrder(ClientOrderId(""), LEG, VenueOrderId("77"))
    assert params(build.query(nameless, STAMP)) == {"symbol": "BTCUSDT", "orderId": "77"}
    named = QueryOrder(ORDER_ID, LEG, VenueOrderId("77"))
    assert params(build.query(named, STAMP)) == {"symbol": "BTCUSDT", "origClientOrderId": ORDER_ID}


def test_an_amend_says_all_that_the_venue_wants() -> None:
    """Its qty is the whole one, not what is left."""
    request = requests(Product.PM_UM).amend(ORDER_ID, Side.SELL, Decimal("0.2"), Decimal("61000"), STAMP)

    assert (request.method, request.path) == ("PUT", "/papi/v1/um/order")
    assert params(request) == {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "origClientOrderId": ORDER_ID,
        "quantity": "0.2",
        "price": "61000",
    }


def test_loans_of_margin_and_of_portfolio_margin() -> None:
    """One has an endpoint for both ways, the other two endpoints."""
    margin = requests(Product.MARGIN).borrow("USDT", Decimal("1000"), STAMP)
    portfolio = requests(Product.PM_MARGIN).repay("USDT", Decimal("1000"), STAMP)

    assert (margin.path, params(margin)) == (
        "/sapi/v1/margin/borrow-repay",
        {"asset": "USDT", "amount": "1000", "isIsolated": "FALSE", "type": "BORROW"},
    )
    assert (portfolio.path, params(portfolio)) == ("/papi/v1/repayLoan", {"asset": "USDT", "amount": "1000"})


def test_pins_of_futures() -> None:
    """Leverage, margin type and position mode are set so that they can be read back."""
    build = requests(Product.UM)

    assert params(build.set_leverage(Decimal("3"), STAMP)) == {"symbol": "BTCUSDT", "leverage": "3"}
    assert params(build.set_cross_margin(STAMP)) == {"symbol": "BTCUSDT", "marginType": "CROSSED"}
    assert params(build.set_one_way(STAMP)) == {"dualSidePosition": "false"}
    assert build.position_mode(STAMP).method == "GET"


def test_the_position_of_portfolio_margin_is_asked_for_by_asset() -> None:
    """A list without the asset would prove nothing."""
    assert params(requests(Product.PM_MARGIN).position(STAMP)) == {"asset": "BTC"}
    assert params(requests(Product.UM).position(STAMP)) == {"symbol": "BTCUSDT"}
    assert params(requests(Product.SPOT).position(STAMP)) == {}


def test_listen_keys_bear_the_key_and_no_signature() -> None:
    """A signature would be a parameter too many."""
    keys = ListenKeys(AccountKind.USDM, API_KEY)

    assert (keys.open().method, keys.open().query, keys.open().body) == ("POST", "", "")
    assert (keys.keep("abc").method, keys.keep("abc").body) == ("PUT", "listenKey=abc")
    assert (keys.close("abc").method, keys.close("abc").body) == ("DELETE", "listenKey=abc")
    token = requests(Product.MARGIN).listen_token()
    assert (token.method, token.query, token.body) == ("POST", "", "")
    for request in (keys.open(), token):
        assert dict(request.headers) == {
            "X-MBX-APIKEY": API_KEY,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        assert not request.is_signed


def test_public_questions_bear_no_key() -> None:
    """What needs no key must not show one."""
    for product in Product:
        public = Public(product, "BTCUSDT")
        for request in (public.instruments(), public.depth(), public.server_time()):
            assert request.headers == () and not request.is_signed, request


@given(st.decimals("1e-8", "1e9", allow_nan=False, places=8))
def test_a_number_on_the_wire_is_the_number(value: Decimal) -> None:
    """No exponent, no float, no lost digit."""
    text = plain(value)

    assert Decimal(text) == value
    assert text.replace(".", "", 1).isdigit()
    assert not (("." in text) and text.endswith("0"))


def test_every_route_is_on_a_known_host_and_in_known_budgets() -> None:
    """A pool that nobody counts is no limit; a host that nobody named cannot be kept from sim and paper."""
    pools = {limit.pool for limit in LIMITS}
    for product, routes in ROUTES.items():
        for endpoint, route in routes.items():
            assert route.host in LIVE_HOSTS, (product, endpoint)
            assert route.path.startswith(("/api/", "/sapi/", "/fapi/", "/papi/")), (product, endpoint)
            assert {each.pool for each in route.weights} <= pools, (product, endpoint)


def test_every_product_can_do_what_a_gateway_is_asked_for() -> None:
    """A missing endpoint would be found at the worst moment."""
    needed = {
        Endpoint.SUBMIT,
        Endpoint.CANCEL,
        Endpoint.QUERY,
        Endpoint.OPEN_ORDERS,
        Endpoint.TRADES,
        Endpoint.POSITION,
        Endpoint.BALANCES,
        Endpoint.INSTRUMENTS,
        Endpoint.DEPTH,
        Endpoint.SERVER_TIME,
        Endpoint.FEE_RATES,
        Endpoint.PERMISSIONS,
    }
    for product, routes in ROUTES.items():
        assert needed <= set(routes), product
        if product.is_futures:
            assert {Endpoint.SET_LEVERAGE, Endpoint.POSITION_MODE, Endpoint.FUNDING} <= set(routes), product
        if product.is_margin:
            assert {Endpoint.BORROW, Endpoint.REPAY, Endpoint.INTEREST} <= set(routes), product


def test_what_an_account_trades() -> None:
    """A perpetual on a spot account is a mistake in the config, told before anything starts."""
    for (account_kind, instrument_kind), product in PRODUCTS.items():
        assert product_of(account_kind, instrument_kind) is product
    with pytest.raises(NotTraded, match="usdm, portfolio"):
        product_of(AccountKind.SPOT, next(kind for (_, kind), each in PRODUCTS.items() if each is Product.UM))


def test_no_host_of_the_testnet_is_one_of_money() -> None:
    """The two tables must never meet."""
    live, test = set(LIVE_HOSTS.values()), set(TESTNET_HOSTS.values())

    assert not live & test
    assert all(address.startswith(("https://", "wss://")) for address in live | test)
