"""Where streams are, how they are subscribed to, and when they must be renewed."""

from __future__ import annotations

import msgspec
import pytest

from hedgerow.venues.wire.binance import streams
from hedgerow.venues.wire.binance.kinds import LIVE_HOSTS, AccountKind, Product
from hedgerow.venues.wire.binance.routes import LISTEN_KEYS
from hedgerow.venues.wire.binance.signing import HmacSigner
from hedgerow.venues.wire.binance.streams import ACCESS, Access, StreamAddress
from tests.venues.wire.binance.wires import API_KEY, NOW_MS, SECRET, STAMP


def test_a_signed_subscription_on_the_socket_api() -> None:
    """Signed over its parameters by name, as the socket API wants it, and not in their order."""
    signer = HmacSigner(API_KEY, SECRET)

    frame = msgspec.json.decode(streams.subscribe_by_signature("1", STAMP, signer))

    payload = f"apiKey={API_KEY}&recvWindow=2500&timestamp={NOW_MS}"
    assert frame == {
        "id": "1",
        "method": "userDataStream.subscribe.signature",
        "params": {
            "apiKey": API_KEY,
            "recvWindow": 2500,
            "timestamp": NOW_MS,
            "signature": signer.sign(payload),
        },
    }


def test_the_published_request_of_the_socket_api() -> None:
    """The whole of Binance's own example, signature included."""
    params: dict[str, str | int] = {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.01000000",
        "price": "52000.00",
        "recvWindow": 100,
        "timestamp": 1645423376532,
        "apiKey": API_KEY,
    }

    frame = msgspec.json.decode(streams.socket_request("x", "order.place", params, HmacSigner(API_KEY, SECRET)))

    assert frame["params"]["signature"] == "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24"


def test_a_token_subscribes_without_a_signature() -> None:
    """The token was signed for when it was asked for."""
    frame = msgspec.json.decode(streams.subscribe_by_token("2", "tok+en/="))

    assert frame == {
        "id": "2",
        "method": "userDataStream.subscribe.listenToken",
        "params": {"listenToken": "tok+en/="},
    }


def test_private_streams_of_each_account() -> None:
    """Each kind of account has its own way in."""
    assert ACCESS.keys() == set(AccountKind)
    assert streams.private_address(AccountKind.SPOT) == StreamAddress("ws-api", "")
    assert streams.private_address(AccountKind.MARGIN) == StreamAddress("ws-api", "")
    assert streams.private_address(AccountKind.USDM, "k/1") == StreamAddress("fstream", "/private/ws/k%2F1")
    assert streams.private_address(AccountKind.PORTFOLIO, "k") == StreamAddress("fstream", "/pm/ws/k")
    assert {kind for kind, access in ACCESS.items() if access is Access.LISTEN_KEY} == set(LISTEN_KEYS)


@pytest.mark.parametrize(
    ("product", "with_depth", "addresses"),
    [
        (Product.SPOT, True, [("stream", "/stream?streams=btcusdt@depth@100ms")]),
        (Product.PM_MARGIN, False, [("stream", "/stream?streams=btcusdt@bookTicker")]),
        (
            Product.UM,
            True,
            [
                ("fstream", "/public/stream?streams=btcusdt@depth@100ms"),
                ("fstream", "/market/stream?streams=btcusdt@markPrice@1s"),
            ],
        ),
        (
            Product.PM_UM,
            False,
            [
                ("fstream", "/public/stream?streams=btcusdt@bookTicker"),
                ("fstream", "/market/stream?streams=btcusdt@markPrice@1s"),
            ],
        ),
    ],
)
def test_market_streams_are_subscribed_to_by_their_address(
    product: Product, with_depth: bool, addresses: list[tuple[str, str]]
) -> None:
    """A reconnect cannot forget to subscribe again."""
    found = streams.market_addresses(product, "BTCUSDT", with_depth)

    assert [(each.host, each.path) for each in found] == addresses
    assert all(each.host in LIVE_HOSTS for each in found)


def test_everything_is_renewed_before_it_ends() -> None:
    """24 h for a connection and a token, 60 minutes for a key; two renewals of a key may fail."""
    assert streams.ROTATE_AFTER_S < 24 * 3_600
    assert 3 * streams.KEEPALIVE_EVERY_S <= streams.LISTEN_KEY_LIFE_S
    assert streams.renew_token_at_ms(NOW_MS) < NOW_MS
