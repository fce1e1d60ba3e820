"""A customer of an emulated Binance who signs requests by hand, and hears streams without sockets."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from hedgerow.emulators.binance.control import Control
from hedgerow.emulators.binance.customers import DEFAULT_KEY, DEFAULT_SECRET, Customer, default_customers
from hedgerow.emulators.binance.faults import Fault, FaultPlan
from hedgerow.emulators.binance.floor import Floor
from hedgerow.emulators.binance.orders import Product
from hedgerow.emulators.binance.streams import Connection
from hedgerow.emulators.binance.venue import Answer, Request, Venue
from hedgerow.emulators.binance.wsapi import listen, take_api_request, take_stream_request
from hedgerow.emulators.clock import EmulatorClock

D = Decimal


class StillClock(EmulatorClock):
    """Time that only tests let pass."""

    def __init__(self) -> None:
        super().__init__()
        self._now_ns = 1_780_000_000_000_000_000

    def now_ns(self) -> int:
        return self._now_ns

    def advance(self, duration_ns: int) -> None:
        self._now_ns += duration_ns


class Wire:
    """The far end of one websocket."""

    def __init__(self, trader: Trader, product: Product, *, is_combined: bool = False) -> None:
        self.frames: list[bytes] = []
        self.is_closed = False
        self.later: list[tuple[float, Callable[[], None]]] = []
        self._trader = trader
        venue = trader.venue
        self.connection = Connection(
            product,
            self.frames.append,
            self._close,
            lambda seconds, call: self.later.append((seconds, call)),
            venue.faults,
            venue.clock,
            is_combined=is_combined,
        )
        venue.streams.connections.append(self.connection)

    def _close(self) -> None:
        self.is_closed = True
        self._trader.venue.streams.connections.remove(self.connection)

    def subscribe(self, *names: str) -> Wire:
        """Listen to streams as their URL names them."""
        for name in names:
            listen(self._trader.venue, self.connection, name)
        return self

    def say(self, **request: Any) -> None:
        """Send a request of market streams."""
        take_stream_request(self._trader.venue, self.connection, json.dumps(request))

    def ask(self, method: str, **params: Any) -> Any:
        """Send a request of the websocket API and return its answer; None when there is none."""
        return self.ask_text(json.dumps({"id": 1, "method": method, "params": params}))

    def ask_text(self, text: str) -> Any:
        """Send a request as it is written."""
        take_api_request(self._trader.venue, self.connection, text, "127.0.0.1")
        found = [frame for frame in self.frames if b'"id":' in frame]
        self.frames[:] = [frame for frame in self.frames if frame not in found]
        return json.loads(found[0]) if found else None

    def let_pass(self) -> None:
        """Make the calls that were put off."""
        due, self.later = self.later, []
        for _, call in due:
            call()

    def heard(self, kind: str = "") -> list[Any]:
        """Return the frames so far, of one type, and forget them all."""
        rows = [json.loads(frame) for frame in self.frames]
        self.frames.clear()
        told = [row.get("event", row.get("data", row)) for row in rows]
        return [row for row in told if kind in ("", row.get("e", ""))]


class Trader:
    """A venue whose markets stand still, and one customer of it."""

    def __init__(
        self,
        customers: list[Customer] | None = None,
        *,
        faults: dict[Fault, int] | None = None,
        post_only_expires: bool = False,
        weights: dict[str, int] | None = None,
    ) -> None:
        self.clock = StillClock()
        self.plan = FaultPlan(7, faults or {})
        floor = Floor(7, is_still=True, post_only_expires=post_only_expires)
        self.venue = Venue(customers or default_customers(), floor, self.clock, self.plan, 7, weights)
        self.control = Control(self.venue)

    def request(
        self, method: str, path: str, *, key: str = DEFAULT_KEY, secret: str = DEFAULT_SECRET, **params: Any
    ) -> Request:
        """Return a signed request; GET and DELETE in the query, others in the body."""
        params.setdefault("timestamp", self.clock.now_ms())
        text = urlencode(params)
        text += "&signature=" + hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        query, body = (text, "") if method in ("GET", "DELETE") else ("", text)
        return Request(method, path, query, body, key, "127.0.0.1")

    def call(self, method: str, path: str, **params: Any) -> Any:
        """Return what a signed request is answered; it must be done."""
        answer = self.venue.answer(self.request(method, path, **params))
        assert answer.status == 200, answer
        return json.loads(answer.body)

    def refused(self, method: str, path: str, **params: Any) -> tuple[int, int]:
        """Return (status, code) of a signed request; it must be refused."""
        answer = self.venue.answer(self.request(method, path, **params))
        assert answer.status != 200, answer
        return answer.status, json.loads(answer.body)["code"]

    def raw(self, method: str, path: str, query: str = "", body: str = "", key: str = "") -> Answer:
        """Return the answer to a request that is sent as it is."""
        return self.venue.answer(Request(method, path, query, body, key, "127.0.0.1"))

    def limit(self, path: str, side: str, qty: str, price: str, name: str, **more: Any) -> Any:
        """Place a limit order."""
        words = {"type": "LIMIT", "timeInForce": "GTC", **more}
        return self.call(
            "POST", path, symbol="BTCUSDT", side=side, quantity=qty, price=price, newClientOrderId=name, **words
        )

    def market(self, path: str, side: str, qty: str, **more: Any) -> Any:
        """Place a market order."""
        return self.call("POST", path, symbol="BTCUSDT", side=side, type="MARKET", quantity=qty, **more)

    def do(self, name: str, **body: Any) -> Any:
        """Give an order to the emulator itself."""
        return self.control.answer("POST", name, json.dumps(body).encode())

    def others_trade(self, product: str, price: str, qty: str, side: str) -> None:
        """Let others trade BTCUSDT."""
        self.do("trade", product=product, symbol="BTCUSDT", price=price, qty=qty, side=side)

    def signed(self, secret: str = DEFAULT_SECRET, **params: Any) -> dict[str, Any]:
        """Return signed parameters of the websocket API."""
        params = {"apiKey": DEFAULT_KEY, "timestamp": self.clock.now_ms(), **params}
        payload = "&".join(f"{name}={params[name]}" for name in sorted(params))
        return params | {"signature": hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()}

    def usdm_stream(self) -> Wire:
        """Open the futures user stream."""
        key = self.call("POST", "/fapi/v1/listenKey")["listenKey"]
        return Wire(self, Product.USDM).subscribe(key)

    def spot_stream(self) -> Wire:
        """Open the spot user stream."""
        wire = Wire(self, Product.SPOT)
        assert wire.ask("userDataStream.subscribe.signature", **self.signed())["status"] == 200
        return wire

    def position(self, kind: str = "usdm") -> Decimal:
        """Return the BTCUSDT position that really is, of the first customer."""
        for account in self.venue.truth()["accounts"]:  # type: ignore[attr-defined]
            if account["kind"] == kind and account["product"] == "usdm" and account["name"] == "main":
                return sum((D(each["net_qty"]) for each in account["positions"]), D(0))
        raise AssertionError(kind)
