"""The emulated venue without its sockets: requests in, answers out, and every account behind them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import partial
from urllib.parse import parse_qsl

import msgspec

from hedgerow.emulators.binance import algo_calls, algos, margin, portfolio, spot, usdm
from hedgerow.emulators.binance.algos import AlgoOrders
from hedgerow.emulators.binance.calls import PRODUCT_OF, Call, Endpoint, Security
from hedgerow.emulators.binance.customers import Customer, Kind, Seal
from hedgerow.emulators.binance.desk import Desk
from hedgerow.emulators.binance.errors import (
    BAD_KEY,
    BAD_KEY_FORMAT,
    BAD_RECV_WINDOW,
    BAD_SIGNATURE,
    NO_SUCH_PATH,
    OUTSIDE_RECV_WINDOW,
    Refusal,
    ahead,
    illegal,
    missing,
    unread,
)
from hedgerow.emulators.binance.faults import FaultPlan
from hedgerow.emulators.binance.floor import Floor
from hedgerow.emulators.binance.limits import Limits, area_of
from hedgerow.emulators.binance.orders import NUMBER, NUMBER_LEGAL, Product, Row
from hedgerow.emulators.binance.streams import Streams
from hedgerow.emulators.clock import NS_PER_MS, NS_PER_S, EmulatorClock
from hedgerow.market.answers import Refused
from hedgerow.model.ids import AccountId

ENDPOINTS = {**spot.ENDPOINTS, **margin.ENDPOINTS, **usdm.ENDPOINTS, **algo_calls.ENDPOINTS, **portfolio.ENDPOINTS}
AHEAD_MAX_MS = 1000
RECV_WINDOW_MS, RECV_WINDOW_MAX_MS = 5000, 60_000
INTEREST_NS = 3600 * NS_PER_S
# Answers to reads that a stale one may repeat.
READS_KEPT = 1000
# As long as Binance's keys.
KEY_LEN = 64


class Request(msgspec.Struct, frozen=True):
    """One HTTP request as it came."""

    method: str
    path: str
    query: str = ""
    "As sent, still encoded."
    body: str = ""
    key: str = ""
    "What was sent in `X-MBX-APIKEY`."
    address: str = ""


class Answer(msgspec.Struct, frozen=True):
    """One HTTP answer."""

    status: int
    body: bytes
    headers: dict[str, str]


class Venue:
    """All of it: customers, their desks, the floor, limits, streams. Synchronous."""

    def __init__(
        self,
        customers: Iterable[Customer],
        floor: Floor,
        clock: EmulatorClock,
        faults: FaultPlan,
        seed: int,
        weights: dict[str, int] | None = None,
    ) -> None:
        """Open the venue.

        Args:
            weights: area -> request weight per minute, where it differs from Binance's.
        """
        self.floor = floor
        self.clock = clock
        self.faults = faults
        self.limits = Limits(weights)
        self.streams = Streams(floor, clock, random.Random(f"{seed} streams"))
        self.customers = {each.key: each for each in customers}
        self.desks: dict[tuple[str, Kind, Product], Desk] = {}
        self.algos: dict[AccountId, AlgoOrders] = {}
        "Conditional orders of the futures accounts."
        self._seals = {each.key: Seal(each) for each in self.customers.values()}
        self._rng = random.Random(f"{seed} desks")
        self._interest_ns = clock.now_ns() // INTEREST_NS * INTEREST_NS + INTEREST_NS
        self._read: dict[tuple[str, str, str], bytes] = {}
        "(key, path, what was asked) -> the last answer to a read."
        floor.on_print = self.streams.publish_print
        floor.open_funding(clock.now_ns())
        for customer in self.customers.values():
            for kind in customer.kinds:
                products = (Product.USDM, Product.SPOT) if kind is Kind.PORTFOLIO else (PRODUCT_OF[kind],)
                for product in products:
                    publish = partial(self.streams.publish, customer.name, kind)
                    desk = Desk(customer, kind, product, floor, clock, self._rng, publish)
                    self.desks[customer.name, kind, product] = desk
                    if product is Product.USDM:
                        self.algos[desk.account_id] = AlgoOrders(desk)

    def now_ms(self) -> int:
        """Return the venue's time."""
        return self.clock.now_ms()

    def play(self) -> int | None:
        """Let the markets do what is due, tell everybody, and return when the next is due.

        Raises TapeError where a tape cannot be read on.
        """
        now_ns = self.clock.now_ns()
        due_ns = self.floor.play(now_ns)
        while self._interest_ns <= now_ns:
            for desk in self.desks.values():
                desk.charge_interest()
            self._interest_ns += INTEREST_NS
        for desk in self.desks.values():
            desk.expire_old()
        self.settle()
        self.streams.keep_house(now_ns)
        return due_ns

    def settle(self) -> None:
        """Tell everybody what happened since the last time."""
        self.floor.settle()
        while self._wake():
            self.floor.settle()
        for each in self.algos.values():
            each.follow()
        for desk in self.desks.values():
            desk.flush()
        self.streams.publish_markets(self.clock.now_ns())

    def _wake(self) -> bool:
        """Let every conditional order look at what has traded; return whether one woke, and may have traded itself."""
        waiting: dict[Product, list[Desk | AlgoOrders]] = {
            Product.SPOT: [each for each in self.desks.values() if each.is_waiting],
            Product.USDM: [each for each in self.algos.values() if each.is_waiting],
        }
        woke = False
        for (product, _), board in self.floor.boards.items():
            prices = board.take_prices()
            for each in waiting[product]:
                woke |= each.look(board, prices)
        return woke

    def customer_named(self, name: str) -> Customer | None:
        """Return a customer by name."""
        return next((each for each in self.customers.values() if each.name == name), None)

    # Requests

    def answer(self, request: Request, *, arrived_ns: int | None = None) -> Answer:
        """Answer a request and do what it asks for.

        Args:
            arrived_ns: when its window was looked at, for one that lay about in the venue since; None: now.
        """
        endpoint = ENDPOINTS.get((request.method, request.path))
        if endpoint is None:
            return _answer(NO_SUCH_PATH, {})
        area, caller = area_of(request.path), request.key or request.address
        try:
            self.limits.charge(self.clock.now_ns(), area, caller, endpoint.weight, endpoint.orders)
            call = self._checked(endpoint, request, arrived_ns or self.clock.now_ns())
            found: object = endpoint.answer(call)
        except Refusal as refusal:
            self.settle()
            headers = self.limits.headers(area, caller, with_orders=bool(endpoint.orders))
            return _answer(refusal.refused, headers, refusal.data)
        self.settle()
        body = msgspec.json.encode(found)
        if request.method == "GET" and endpoint.security is Security.SIGNED:
            self._remember(request, body)
        return Answer(200, body, self.limits.headers(area, caller, with_orders=bool(endpoint.orders)))

    def last_read(self, request: Request) -> bytes | None:
        """Return what was answered to the same read before; None when it was never asked."""
        return self._read.get((request.key, request.path, _question(request.query)))

    def _remember(self, request: Request, body: bytes) -> None:
        question = (request.key, request.path, _question(request.query))
        self._read.pop(question, None)
        self._read[question] = body
        if len(self._read) > READS_KEPT:
            del self._read[next(iter(self._read))]

    def _checked(self, endpoint: Endpoint, request: Request, arrived_ns: int) -> Call:
        params = dict(parse_qsl(request.query, keep_blank_values=True))
        params |= parse_qsl(request.body, keep_blank_values=True)
        if endpoint.security is Security.NONE:
            return Call(self, params, None)
        customer = self.known(request.key)
        if endpoint.orders and not customer.can_trade:
            raise Refusal(BAD_KEY)
        if endpoint.security is Security.SIGNED:
            self.check_time(params, arrived_ns)
            payload = _unsigned(request.query) + _unsigned(request.body)
            if not params.get("signature"):
                raise missing("signature")
            if not self._seals[customer.key].fits(payload.encode(), params["signature"]):
                raise Refusal(BAD_SIGNATURE)
        if endpoint.takes is not None and not endpoint.takes >= params.keys():
            raise unread(len(endpoint.takes & params.keys()), len(params))
        return Call(self, params, customer)

    def known(self, key: str) -> Customer:
        """Return whose key this is. Raises Refusal."""
        if not key or len(key) > KEY_LEN:
            raise Refusal(BAD_KEY_FORMAT)
        customer = self.customers.get(key)
        if customer is None or customer.is_revoked:
            raise Refusal(BAD_KEY)
        return customer

    def check_time(self, params: Mapping[str, str], arrived_ns: int) -> None:
        """Refuse what was sent too long before it arrived, or in the future."""
        stamp, window = params.get("timestamp", ""), params.get("recvWindow", "") or str(RECV_WINDOW_MS)
        if not stamp.isdigit():
            raise missing("timestamp")
        if NUMBER.fullmatch(window) is None:
            raise illegal("recvWindow", NUMBER_LEGAL)
        window_ms = Decimal(window)
        if window_ms > RECV_WINDOW_MAX_MS:
            raise Refusal(BAD_RECV_WINDOW)
        # Microseconds are taken as well.
        sent_ms = int(stamp) // 1000 if len(stamp) > 14 else int(stamp)
        late_ms = arrived_ns // NS_PER_MS - sent_ms
        if late_ms <= -AHEAD_MAX_MS:
            raise ahead(-late_ms)
        if late_ms > window_ms:
            raise Refusal(OUTSIDE_RECV_WINDOW)

    def seals(self, customer: Customer) -> Seal:
        """Return what tells whether a signature is a customer's."""
        return self._seals[customer.key]

    # What tests look at

    def truth(self) -> Row:
        """Return what really is, for those who judge a customer's program."""
        return {
            "ts": self.now_ms(),
            "faults": {kind.value: count for kind, count in self.faults.counts.items()},
            "accounts": [_truth_of(desk) | {"algo_orders": self._algos_of(desk)} for desk in self.desks.values()],
        }

    def _algos_of(self, desk: Desk) -> list[Row]:
        found = self.algos.get(desk.account_id)
        return [] if found is None else [algos.queried(desk, each) for each in found.everything()]


def _truth_of(desk: Desk) -> Row:
    orders = [
        {
            "id": order.id,
            "client_order_id": order.client_order_id,
            "symbol": order.symbol,
            "side": order.side.value,
            "type": order.type,
            "qty": f"{order.qty:f}",
            "price": f"{order.price:f}",
            "cum_qty": f"{order.cum_qty:f}",
            "status": order.status.value,
            "created": order.created_ms,
        }
        for order in desk.orders.values()
    ]
    trades = [
        {
            "id": fill.trade_id,
            "client_order_id": fill.client_order_id,
            "symbol": order.symbol,
            "side": fill.side.value,
            "qty": f"{fill.qty:f}",
            "price": f"{fill.price:f}",
            "fee": f"{fill.fee:f}",
            "fee_currency": fill.fee_currency,
            "is_maker": fill.is_maker,
            "ts": fill.venue_ts_ns // NS_PER_MS,
        }
        for order in desk.orders.values()
        for fill in order.fills
    ]
    positions = [
        {"symbol": symbol, "side": side.value, "net_qty": f"{holding.net_qty:f}"}
        for (symbol, side), holding in desk.holdings.items()
    ]
    return {
        "name": desk.customer.name,
        "kind": desk.kind.value,
        "product": desk.product.value,
        "balances": {asset: f"{number:f}" for asset, number in desk.exchange.balances(desk.account_id).items()},
        "loans": {asset: f"{number:f}" for asset, number in desk.loans.items()},
        "positions": positions,
        "orders": orders,
        "trades": trades,
    }


def _answer(refused: Refused, headers: dict[str, str], data: Row | None = None) -> Answer:
    row: Row = {"code": refused.code, "msg": refused.text}
    if data is not None:
        row["data"] = data
    if refused.retry_after_s:
        headers = {**headers, "Retry-After": str(refused.retry_after_s)}
    return Answer(refused.status, msgspec.json.encode(row), headers)


def answer_of(refused: Refused) -> Answer:
    """Return the answer that tells a refusal."""
    return _answer(refused, {})


def _unsigned(text: str) -> str:
    """Return what of a query or body is signed: all but the signature, as it was sent."""
    return "&".join(part for part in text.split("&") if not part.startswith("signature=")) if text else ""


def _question(query: str) -> str:
    """Return what a query asks for, without when and by whom."""
    return "&".join(
        part for part in query.split("&") if part.partition("=")[0] not in ("timestamp", "signature", "recvWindow")
    )
