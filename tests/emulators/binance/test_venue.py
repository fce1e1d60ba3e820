"""Keys, signatures, clocks, limits: who may ask at all."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hedgerow.emulators.binance.customers import DEFAULT_KEY, DEFAULT_SECRET, Customer
from tests.emulators.trader import Trader

HOUR_S = 3600


def test_a_request_without_a_key_is_refused() -> None:
    """Nobody trades without saying who they are."""
    answer = Trader().raw("GET", "/api/v3/account", "timestamp=1&signature=x")

    assert (answer.status, json.loads(answer.body)["code"]) == (401, -2014)


def test_an_unknown_or_revoked_key_is_refused() -> None:
    """A key that was taken away is as good as none."""
    trader = Trader()

    assert trader.refused("GET", "/api/v3/account", key="nobody") == (401, -2015)
    trader.do("permissions", account="main", is_revoked=True)
    assert trader.refused("GET", "/api/v3/account") == (401, -2015)


def test_a_key_without_trading_may_read_and_not_trade() -> None:
    """Permissions are per key."""
    trader = Trader()
    trader.do("permissions", account="main", can_trade=False)

    assert trader.call("GET", "/api/v3/account")["canTrade"] is False
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
    assert trader.refused("POST", "/fapi/v1/order", **order) == (401, -2015)


def test_a_changed_byte_breaks_the_signature() -> None:
    """What was signed is what must have been sent."""
    trader = Trader()
    request = trader.request("GET", "/api/v3/account")

    answer = trader.raw("GET", request.path, request.query.replace("timestamp=1", "timestamp=01"), key=DEFAULT_KEY)

    assert json.loads(answer.body)["code"] == -1022


def test_query_and_body_are_signed_as_one() -> None:
    """Binance takes parameters from both, and signs them in that order."""
    import hashlib
    import hmac

    trader = Trader()
    query = "symbol=BTCUSDT&side=BUY&type=MARKET"
    body = f"quantity=0.01&timestamp={trader.clock.now_ms()}"
    made = hmac.new(DEFAULT_SECRET.encode(), (query + body).encode(), hashlib.sha256).hexdigest()

    answer = trader.raw("POST", "/fapi/v1/order", query, f"{body}&signature={made}", DEFAULT_KEY)

    assert answer.status == 200, answer


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_asymmetric_keys_sign_too(kind: str) -> None:
    """A customer may keep the secret and give the public key."""
    is_rsa = kind == "rsa"
    private = rsa.generate_private_key(65537, 2048) if is_rsa else ed25519.Ed25519PrivateKey.generate()
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    trader = Trader([Customer(name="main", key="asymmetric", public_key=pem)])
    query = f"timestamp={trader.clock.now_ms()}"
    if isinstance(private, rsa.RSAPrivateKey):
        made = private.sign(query.encode(), PKCS1v15(), SHA256())
    else:
        made = private.sign(query.encode())
    signature = quote(base64.b64encode(made).decode(), safe="")

    answer = trader.raw("GET", "/api/v3/account", f"{query}&signature={signature}", key="asymmetric")
    other = trader.raw("GET", "/api/v3/account", f"{query}1&signature={signature}", key="asymmetric")

    assert (answer.status, other.status) == (200, 400), (answer, other)


@pytest.mark.parametrize(
    ("off_ms", "window_ms", "code"),
    [
        (0, 5000, 200),
        (-4999, 5000, 200),
        (-5001, 5000, -1021),
        (999, 5000, 200),
        (1001, 5000, -1021),
        (0, 60001, -1131),
    ],
)
def test_a_request_is_good_for_its_window_only(off_ms: int, window_ms: int, code: int) -> None:
    """This is what makes silence end: after the window, a request can no longer be taken."""
    trader = Trader()
    params = {"timestamp": trader.clock.now_ms() + off_ms, "recvWindow": window_ms}

    if code == 200:
        trader.call("GET", "/fapi/v3/balance", **params)
    else:
        assert trader.refused("GET", "/fapi/v3/balance", **params) == (400, code)


def test_weights_are_told_and_end_in_429_and_then_in_a_ban() -> None:
    """Who goes on after 429 is shut out, and is told for how long."""
    trader = Trader(weights={"usdm": 12})

    first = trader.venue.answer(trader.request("GET", "/fapi/v3/balance"))
    trader.call("GET", "/fapi/v3/balance")
    answers = [trader.venue.answer(trader.request("GET", "/fapi/v3/balance")) for _ in range(11)]

    assert first.headers["X-MBX-USED-WEIGHT-1M"] == "5"
    assert [answer.status for answer in answers] == [429] * 10 + [418]
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)


def test_orders_are_counted() -> None:
    """New orders have limits of their own, told with each order."""
    trader = Trader()

    request = trader.request("POST", "/fapi/v1/order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01")
    answer = trader.venue.answer(request)

    assert answer.headers["X-MBX-ORDER-COUNT-10S"] == "1"
    assert [row["count"] for row in trader.call("GET", "/fapi/v1/rateLimit/order")] == [1, 1]


def test_a_path_that_is_none_is_told() -> None:
    """A typing error in a path is no order."""
    assert Trader().raw("GET", "/fapi/v9/order").status == 404


def test_the_same_seed_gives_the_same_answers() -> None:
    """Ids, markets and all: a failure can be seen again."""

    def bodies() -> list[bytes]:
        trader = Trader()
        requests = [
            trader.request("POST", "/api/v3/order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01"),
            trader.request("POST", "/papi/v1/um/order", symbol="BTCUSDT", side="SELL", type="MARKET", quantity="0.01"),
            trader.request("POST", "/fapi/v1/listenKey"),
        ]
        return [trader.venue.answer(request).body for request in requests]

    assert bodies() == bodies()
