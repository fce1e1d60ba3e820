"""What customers send on a websocket: subscriptions to market streams, and the websocket API of spot and margin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from hedgerow.emulators.binance import algo_calls, spot, usdm
from hedgerow.emulators.binance.calls import Call, Endpoint
from hedgerow.emulators.binance.customers import Customer, Kind
from hedgerow.emulators.binance.errors import (
    BAD_KEY,
    BAD_LISTEN_TOKEN,
    BAD_SIGNATURE,
    UNKNOWN_CANCEL,
    UNKNOWN_ORDER,
    Refusal,
    missing,
    refuse,
)
from hedgerow.emulators.binance.faults import LIES, NOT_DONE, SILENT, Fault
from hedgerow.emulators.binance.limits import area_of
from hedgerow.emulators.binance.orders import Product, Row
from hedgerow.emulators.binance.streams import STREAMS_MAX, Connection

if TYPE_CHECKING:
    from hedgerow.emulators.binance.venue import Venue

_SPOT_METHODS = {
    "ping": ("GET", "/api/v3/ping"),
    "time": ("GET", "/api/v3/time"),
    "exchangeInfo": ("GET", "/api/v3/exchangeInfo"),
    "depth": ("GET", "/api/v3/depth"),
    "ticker.book": ("GET", "/api/v3/ticker/bookTicker"),
    "ticker.price": ("GET", "/api/v3/ticker/price"),
    "order.place": ("POST", "/api/v3/order"),
    "order.test": ("POST", "/api/v3/order/test"),
    "order.status": ("GET", "/api/v3/order"),
    "order.cancel": ("DELETE", "/api/v3/order"),
    "order.cancelReplace": ("POST", "/api/v3/order/cancelReplace"),
    "openOrders.status": ("GET", "/api/v3/openOrders"),
    "openOrders.cancelAll": ("DELETE", "/api/v3/openOrders"),
    "allOrders": ("GET", "/api/v3/allOrders"),
    "myTrades": ("GET", "/api/v3/myTrades"),
    "account.status": ("GET", "/api/v3/account"),
    "account.commission": ("GET", "/api/v3/account/commission"),
}
_USDM_METHODS = {
    "ping": ("GET", "/fapi/v1/ping"),
    "time": ("GET", "/fapi/v1/time"),
    "depth": ("GET", "/fapi/v1/depth"),
    "ticker.book": ("GET", "/fapi/v1/ticker/bookTicker"),
    "ticker.price": ("GET", "/fapi/v1/ticker/price"),
    "order.place": ("POST", "/fapi/v1/order"),
    "order.status": ("GET", "/fapi/v1/order"),
    "order.modify": ("PUT", "/fapi/v1/order"),
    "order.cancel": ("DELETE", "/fapi/v1/order"),
    "algoOrder.place": ("POST", "/fapi/v1/algoOrder"),
    "algoOrder.cancel": ("DELETE", "/fapi/v1/algoOrder"),
    "account.balance": ("GET", "/fapi/v2/balance"),
    "v2/account.balance": ("GET", "/fapi/v3/balance"),
    "account.status": ("GET", "/fapi/v2/account"),
    "v2/account.status": ("GET", "/fapi/v3/account"),
    "account.position": ("GET", "/fapi/v2/positionRisk"),
    "v2/account.position": ("GET", "/fapi/v3/positionRisk"),
}
_ENDPOINTS = {
    Product.SPOT: {method: (spot.ENDPOINTS[at], at[1]) for method, at in _SPOT_METHODS.items()},
    Product.USDM: {
        method: ((usdm.ENDPOINTS | algo_calls.ENDPOINTS)[at], at[1]) for method, at in _USDM_METHODS.items()
    },
}


class _Asked(msgspec.Struct):
    """One request on a websocket."""

    method: str
    id: str | int | None = None
    params: list[msgspec.Raw] | dict[str, msgspec.Raw] | None = None


_DECODER = msgspec.json.Decoder(_Asked)


def listen(venue: Venue, connection: Connection, name: str) -> None:
    """Add a market stream, or the user stream of a listen key. A name that is neither is taken, and nothing comes."""
    key = venue.streams.key_named(name)
    if key is not None:
        connection.users[key.customer.name, key.kind] = name
    else:
        connection.streams[name] = None


def take_stream_request(venue: Venue, connection: Connection, text: str | bytes) -> None:
    """Take a request on a market stream's socket: subscribe, unsubscribe, list."""
    asked = _asked(text)
    if asked is None:
        connection.tell({"error": {"code": 3, "msg": "Invalid JSON: expected value"}})
        return
    names = [_text(name) for name in asked.params] if isinstance(asked.params, list) else []
    result: object = None
    match asked.method:
        case "SUBSCRIBE":
            for name in names:
                listen(venue, connection, name)
            if len(connection.streams) > STREAMS_MAX:
                connection.close()
        case "UNSUBSCRIBE":
            for name in names:
                connection.streams.pop(name, None)
                connection.users = {user: each for user, each in connection.users.items() if each != name}
        case "LIST_SUBSCRIPTIONS":
            result = list(connection.streams)
        case "SET_PROPERTY" if names[:1] == ["combined"]:
            connection.is_combined = names[1:] == ["true"]
        case "GET_PROPERTY" if names == ["combined"]:
            result = connection.is_combined
        case _:
            text_of = f"Invalid request: unknown variant `{asked.method}`"
            connection.tell({"error": {"code": 2, "msg": text_of}, "id": asked.id})
            return
    connection.tell({"result": result, "id": asked.id})


def take_api_request(venue: Venue, connection: Connection, text: str | bytes, address: str) -> None:
    """Take a request of the websocket API and answer it, as far as no fault meets that."""
    asked = _asked(text)
    if asked is None:
        connection.tell({"id": None, "status": 400, "error": {"code": -1000, "msg": "Invalid JSON"}})
        return
    params = {name: _text(value) for name, value in asked.params.items()} if isinstance(asked.params, dict) else {}
    customer = venue.customers.get(params.get("apiKey", "")) or connection.session
    method, path = _place_of(connection.product, asked.method)
    struck = None if customer is None or not path else venue.faults.for_request(customer.name, method, path)
    if struck is not None and struck.kind in NOT_DONE:
        refused = NOT_DONE[struck.kind]
        if refused is not None:
            connection.tell(_error(asked, Refusal(refused)))
        return
    row = _api_answer(venue, connection, asked, params, address)
    if struck is None:
        connection.tell(row)
    elif struck.kind is Fault.REPEATED_REQUEST:
        connection.tell(_api_answer(venue, connection, asked, params, address))
    elif struck.kind in LIES:
        connection.tell(_error(asked, Refusal(LIES[struck.kind])))
    elif struck.kind is Fault.FALSE_NOT_FOUND:
        connection.tell(_error(asked, Refusal(UNKNOWN_CANCEL if method == "DELETE" else UNKNOWN_ORDER)))
    elif struck.kind in (Fault.LATE_ANSWER, Fault.LATE_REQUEST):
        connection.tell_later(struck.seconds, row)
    elif struck.kind not in SILENT:
        connection.tell(row)


def _place_of(product: Product, name: str) -> tuple[str, str]:
    """Return (method, path) of what does the same by HTTP; no path for what belongs to no account."""
    if name.startswith("userDataStream"):
        return "POST", "/userDataStream"
    return {Product.SPOT: _SPOT_METHODS, Product.USDM: _USDM_METHODS}[product].get(name, ("", ""))


def _api_answer(venue: Venue, connection: Connection, asked: _Asked, params: dict[str, str], address: str) -> Row:
    try:
        result = _answered(venue, connection, asked.method, params, address)
    except Refusal as refusal:
        venue.settle()
        return _error(asked, refusal)
    return {"id": asked.id, "status": 200, "result": result, "rateLimits": []}


def _error(asked: _Asked, refusal: Refusal) -> Row:
    error: Row = {"code": refusal.refused.code, "msg": refusal.refused.text}
    if refusal.data is not None:
        error["data"] = refusal.data
    return {"id": asked.id, "status": refusal.refused.status, "error": error, "rateLimits": []}


def _answered(venue: Venue, connection: Connection, method: str, params: dict[str, str], address: str) -> object:
    match method:
        case "session.logon":
            customer = _signer(venue, connection, params)
            if not venue.seals(customer).is_ed25519:
                raise refuse(400, -4056, "HMAC_SHA256 API key is not supported.")
            connection.session = customer
            return _session(venue, connection)
        case "session.status":
            return _session(venue, connection)
        case "session.logout":
            connection.session = None
            return _session(venue, connection)
        case "session.subscriptions":
            return [{"subscriptionId": number} for number in connection.subscriptions]
        case "userDataStream.subscribe" if connection.session is not None:
            return _subscribe(connection, connection.session, Kind.SPOT)
        case "userDataStream.subscribe":
            raise Refusal(BAD_KEY)
        case "userDataStream.subscribe.signature":
            return _subscribe(connection, _signer(venue, connection, params), Kind.SPOT)
        case "userDataStream.subscribe.listenToken":
            token = venue.streams.token_named(params.get("listenToken", ""))
            if token is None:
                raise Refusal(BAD_LISTEN_TOKEN)
            return _subscribe(connection, token.customer, token.kind) | {"expirationTime": token.expires_ms}
        case "userDataStream.unsubscribe":
            wanted = params.get("subscriptionId", "")
            if not wanted:
                connection.subscriptions.clear()
            elif not wanted.isdigit() or connection.subscriptions.pop(int(wanted), None) is None:
                raise refuse(400, -1130, "Data sent for parameter 'subscriptionId' is not valid.")
            return {}
        case "userDataStream.start" | "userDataStream.ping" | "userDataStream.stop":
            return _listen_key(venue, connection, method, params)
        case _:
            return _endpoint_answer(venue, connection, method, params, address)


def _endpoint_answer(venue: Venue, connection: Connection, method: str, params: dict[str, str], address: str) -> object:
    found = _ENDPOINTS[connection.product].get(method)
    if found is None:
        raise refuse(400, -1000, f"Unknown method '{method}'.")
    endpoint, path = found
    customer = None
    if endpoint.security.value != "none":
        customer = _signer(venue, connection, params)
        if endpoint.orders and not customer.can_trade:
            raise Refusal(BAD_KEY)
    caller = customer.key if customer is not None else address
    venue.limits.charge(venue.clock.now_ns(), area_of(path), caller, endpoint.weight, endpoint.orders)
    return _settled(venue, endpoint, params, customer)


def _settled(venue: Venue, endpoint: Endpoint, params: dict[str, str], customer: Customer | None) -> object:
    result = endpoint.answer(Call(venue, params, customer))
    venue.settle()
    return result


def _listen_key(venue: Venue, connection: Connection, method: str, params: Mapping[str, str]) -> Row:
    """Open, prolong or close a futures listen key; spot's are retired."""
    customer = venue.known(params.get("apiKey", ""))
    if connection.product is Product.SPOT:
        raise refuse(410, -1000, "This method has been retired.")
    if method == "userDataStream.start":
        return {"listenKey": venue.streams.open_key(customer, Kind.USDM)}
    if method == "userDataStream.stop":
        venue.streams.close_key(customer, Kind.USDM)
        return {}
    key = venue.streams.prolong_key(customer, Kind.USDM)
    if key is None:
        raise refuse(400, -1125, "This listenKey does not exist.")
    return {"listenKey": key}


def _signer(venue: Venue, connection: Connection, params: dict[str, str]) -> Customer:
    """Return who sent a request: by its signature, or by the session. Raises Refusal."""
    venue.check_time(params, venue.clock.now_ns())
    if "signature" not in params:
        if connection.session is None:
            raise missing("signature")
        return connection.session
    customer = venue.known(params.get("apiKey", ""))
    payload = "&".join(f"{name}={params[name]}" for name in sorted(params) if name != "signature")
    if not venue.seals(customer).fits(payload.encode(), params["signature"]):
        raise Refusal(BAD_SIGNATURE)
    return customer


def _subscribe(connection: Connection, customer: Customer, kind: Kind) -> Row:
    if kind not in customer.kinds:
        raise Refusal(BAD_KEY)
    found = next((number for number, user in connection.subscriptions.items() if user == (customer.name, kind)), None)
    if found is None:
        found = connection.next_subscription
        connection.next_subscription += 1
        connection.subscriptions[found] = (customer.name, kind)
    return {"subscriptionId": found}


def _session(venue: Venue, connection: Connection) -> Row:
    customer = connection.session
    return {
        "apiKey": None if customer is None else customer.key,
        "authorizedSince": None if customer is None else connection.opened_ns // 1_000_000,
        "connectedSince": connection.opened_ns // 1_000_000,
        "returnRateLimits": True,
        "serverTime": venue.now_ms(),
        "userDataStream": bool(connection.subscriptions),
    }


def _asked(text: str | bytes) -> _Asked | None:
    try:
        return _DECODER.decode(text)
    except msgspec.MsgspecError:
        return None


def _text(value: msgspec.Raw) -> str:
    """Return a parameter as it is signed: a number as it was written."""
    text = bytes(value).decode()
    return str(msgspec.json.decode(text)) if text.startswith('"') else text
