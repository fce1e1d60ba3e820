"""Streams as data: where they are, how one subscribes, and when they must be renewed. Nobody connects here."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from hedgerow.model.words import Word
from hedgerow.venues.wire.binance.kinds import AccountKind, Product
from hedgerow.venues.wire.request import Signer, Stamp

# Binance ends every connection after 24 h; the new one must stand before.
# Source: "WebSocket Streams", general information (checked 2026-07).
ROTATE_AFTER_S = 23 * 3_600
# A listen key lives for 60 minutes from its last renewal; two renewals may fail before it ends.
LISTEN_KEY_LIFE_S = 60 * 60
KEEPALIVE_EVERY_S = LISTEN_KEY_LIFE_S // 3
# A listen token lives for 24 h. It is renewed on the same socket while the old subscription still stands.
TOKEN_RENEWAL_MARGIN_MS = 3_600_000
# Deltas of the book every 100 ms, marks every second.
_DEPTH, _MARK = "depth@100ms", "markPrice@1s"


class Access(Word):
    """How an account's private stream is opened."""

    SIGNATURE = "signature"
    "A signed request on the socket API."
    LISTEN_TOKEN = "listen_token"
    "A token from REST, named in a request on the socket API."
    LISTEN_KEY = "listen_key"
    "A key from REST, in the address of the stream."


ACCESS: dict[AccountKind, Access] = {
    AccountKind.SPOT: Access.SIGNATURE,
    AccountKind.MARGIN: Access.LISTEN_TOKEN,
    AccountKind.USDM: Access.LISTEN_KEY,
    AccountKind.PORTFOLIO: Access.LISTEN_KEY,
}
_KEYED_PATHS = {AccountKind.USDM: "/private/ws/", AccountKind.PORTFOLIO: "/pm/ws/"}


class StreamAddress(msgspec.Struct, frozen=True):
    """Where one socket leads."""

    host: str
    "The name of the host, e.g. `fstream`; its address is the gateway's to choose."
    path: str
    "Behind the host's address, with the query; empty for the socket API."


def private_address(kind: AccountKind, listen_key: str = "") -> StreamAddress:
    """Return where an account's private stream is.

    Args:
        listen_key: needed where ACCESS says so, and only there.
    """
    assert (ACCESS[kind] is Access.LISTEN_KEY) == bool(listen_key), kind
    if not listen_key:
        return StreamAddress("ws-api", "")
    return StreamAddress("fstream", _KEYED_PATHS[kind] + quote(listen_key, safe=""))


def market_addresses(product: Product, symbol: str, with_depth: bool = True) -> tuple[StreamAddress, ...]:
    """Return where the market of an instrument is told: book, and for futures mark and funding.

    What is subscribed to stands in the address, so that a new connection has subscribed by being there.

    Args:
        with_depth: the deltas of the whole book; else its best levels alone.
    """
    name = quote(symbol.lower(), safe="")
    book = f"{name}@{_DEPTH}" if with_depth else f"{name}@bookTicker"
    if not product.is_futures:
        return (StreamAddress("stream", f"/stream?streams={book}"),)
    return (
        StreamAddress("fstream", f"/public/stream?streams={book}"),
        StreamAddress("fstream", f"/market/stream?streams={name}@{_MARK}"),
    )


def subscribe_by_signature(request_id: str, stamp: Stamp, signer: Signer) -> str:
    """Return the frame that opens the private stream of the key's account on the socket API."""
    params: dict[str, str | int] = {
        "apiKey": signer.api_key,
        "recvWindow": stamp.recv_window_ms,
        "timestamp": stamp.now_ms,
    }
    return socket_request(request_id, "userDataStream.subscribe.signature", params, signer)


def subscribe_by_token(request_id: str, token: str) -> str:
    """Return the frame that opens a margin account's private stream, or prolongs it, on the socket API."""
    return socket_request(request_id, "userDataStream.subscribe.listenToken", {"listenToken": token})


def socket_request(request_id: str, method: str, params: dict[str, str | int], signer: Signer | None = None) -> str:
    """Return one request on the socket API, signed over its parameters in the order of their names."""
    if signer is not None:
        payload = "&".join(f"{name}={params[name]}" for name in sorted(params))
        params = {**params, "signature": signer.sign(payload)}
    return msgspec.json.encode({"id": request_id, "method": method, "params": params}).decode()


def renew_token_at_ms(expires_ms: int) -> int:
    """Return when a listen token's subscription is to be prolonged, in the venue's time."""
    return expires_ms - TOKEN_RENEWAL_MARGIN_MS
