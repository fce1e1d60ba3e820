"""One account at an exchange behind ccxt: ccxt builds, signs and reads; what leaves, leaves through our own transport.

ccxt's throttle, its retries, its fees for builders and its HTTP client are never used.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import FloatOperation, localcontext
from functools import partial
from http import HTTPStatus
from importlib import import_module
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from hedgerow.model.ids import AccountId, ClientOrderId, VenueId
from hedgerow.model.reach import Reach
from hedgerow.venues.clock import Clock
from hedgerow.venues.transport.addresses import addresses_of
from hedgerow.venues.transport.http import Http, NotSent, Unanswered
from hedgerow.venues.transport.lanes import Lanes
from hedgerow.venues.transport.limits import Limits
from hedgerow.venues.wire.ccxt import names
from hedgerow.venues.wire.ccxt.outcomes import Left
from hedgerow.venues.wire.ccxt.rows import Kind, Market, market_of, symbol_of
from hedgerow.venues.wire.payload import BadPayload, printable
from hedgerow.venues.wire.request import HttpAnswer, HttpRequest, Lane, Weight

Result = TypeVar("Result")

# For how long an exchange that knows such a window may take a request; ccxt's own 10 s keep unknown orders unknown.
RECV_WINDOW_MS = 5_000
# One budget per account: ccxt says of each request for how many ms it is to be alone.
BUDGET, BUDGET_S = "ccxt", 10
# Of a venue's words in an event: more tells people nothing new.
TEXT_LEN = 300
# Nothing here moves money between accounts, or agrees to somebody's fee; whatever a client of ccxt is led to.
FORBIDDEN = ("withdraw", "transfer", "approve")
# What code that nobody here wrote can raise when an answer is not as it was written for.
ODD = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class Unsupported(Exception):
    """ccxt is not installed, or has no such exchange, or not what is needed of it. The text is for the operator."""


class Failed(Exception):
    """ccxt raised an error. What that proves is for the outcomes to say."""

    def __init__(self, classes: tuple[str, ...], left: tuple[Left, ...], text: str) -> None:
        super().__init__(text)
        self.classes = classes
        "The error's class, and what it is derived from, nearest first."
        self.left = left


class Keys(msgspec.Struct, frozen=True):
    """What signs."""

    key: str
    secret: str
    passphrase: str = ""
    "Where the exchange gives a third one."


class Call(msgspec.Struct):
    """One of our requests, while ccxt carries it."""

    lane: Lane
    left: list[Left] = []
    cost_ms: int = 0
    "For how long, by ccxt, nothing else is to leave on account of it."


class Done(msgspec.Struct, frozen=True):
    """What came of a call."""

    result: Any
    cost_ms: int


_CALL: ContextVar[Call] = ContextVar("ccxt call")
_COST_MS: ContextVar[int] = ContextVar("ccxt cost of a request")


class CcxtAccount:
    """One account."""

    def __init__(
        self,
        account_id: AccountId,
        exchange: str,
        kind: Kind,
        reach: Reach,
        keys: Keys,
        clock: Clock,
        emulator: str | None = None,
        ca: str | None = None,
        proxy: str | None = None,
    ) -> None:
        """Make ccxt's client harmless. Nothing is asked yet.

        Raises:
            Unsupported: this exchange cannot be traded through ccxt.
            BadAddress: this reach has no address.
            Unsecured: the file of authorities cannot be used.
        """
        self.account_id = account_id
        self.venue_id = VenueId(account_id.partition("/")[0])
        self.exchange = exchange
        self.kind = kind
        self.clock = clock
        self.naming = names.naming_of(exchange)
        self.legs = 0
        "Gateways that share the budget."
        self.client, error = _tamed(exchange, kind, keys)
        self._errors: tuple[type[BaseException], ...] = (error, *ODD)
        if reach is Reach.TESTNET:
            self._enter_sandbox()
        hosts = {host: f"https://{host}" for host in _hosts(self.client)}
        self.http = Http(addresses_of(reach, hosts, hosts, emulator), ca, proxy)
        self._request_ms = max(1, round(self.client.rateLimit))
        self._lanes = Lanes(self.http, Limits((_Budget(),)), _unused, clock)
        self.client.fetch = self._fetch
        self.client.fetch2 = self._weighed(self.client.fetch2)

    def _enter_sandbox(self) -> None:
        try:
            self.client.set_sandbox_mode(True)
        except self._errors as error:
            raise Unsupported(f"{self.exchange} has no testnet in ccxt; use mode: live") from error

    async def close(self) -> None:
        """End every connection. ccxt has none of its own."""
        await self.http.close()

    async def open(self) -> None:
        """Read what can be traded. Raises Failed, NotSent, Unanswered."""
        await self.ask(Lane.QUERY, lambda client: client.load_markets(True))

    def market(self, pair: str) -> Market:
        """Return an instrument by its symbol in the config; `open` came before.

        Raises:
            BadPayload: there is none, or it cannot be traded here.
        """
        symbol = symbol_of(self.kind, pair)
        row = (self.client.markets or {}).get(symbol)
        if row is None:
            raise BadPayload(f"{self.exchange} has no {symbol}: look up how ccxt writes it, e.g. BTC/USDT")
        return market_of(row, self.venue_id, self.kind, self.client.precisionMode)

    def name_of(self, written: str) -> ClientOrderId:
        """Return our name out of the exchange's."""
        return names.read(self.naming, written)

    def can(self, method: str) -> bool:
        """Return whether ccxt has a method for this exchange, e.g. `fetchOrders`."""
        return bool(self.client.has.get(method))

    async def ask(self, lane: Lane, ask: Callable[[Any], Awaitable[Any]]) -> Done:
        """Let ccxt carry one request.

        Args:
            lane: how urgent all is that leaves for it.
            ask: what to call of ccxt's client.

        Raises:
            Failed: ccxt raised an error.
            NotSent: nothing left that could have changed anything.
            Unanswered: it may have been done.
        """
        call = Call(lane)
        token = _CALL.set(call)
        try:
            with _sheltered():
                return Done(await ask(self.client), call.cost_ms)
        except NotSent as error:
            if any(each.method != "GET" for each in call.left):
                raise Unanswered(str(error)) from error
            raise
        except self._errors as error:
            classes = tuple(each.__name__ for each in type(error).__mro__)
            raise Failed(classes, tuple(call.left), _told(error, call.left)) from error
        finally:
            _CALL.reset(token)

    # What ccxt calls instead of its own.

    def _weighed(self, fetch2: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def fetch2_weighed(
            path: str, api: Any = "public", method: str = "GET", params: Any = None, config: Any = None
        ) -> Any:
            params, config = {} if params is None else params, {} if config is None else config
            cost = self.client.calculate_rate_limiter_cost(api, method, path, params, config)
            _COST_MS.set(max(1, round(float(cost) * self._request_ms)))
            return await fetch2(path, api, method, params, config)

        return fetch2_weighed

    async def _fetch(
        self, url: str, method: str = "GET", headers: Mapping[str, Any] | None = None, body: object = None
    ) -> Any:
        """Send one request that ccxt signed, once, and let ccxt judge the answer by the address that it meant."""
        call = _CALL.get()
        request = self._request(url, method, headers or {}, body, call)
        left = Left(method)
        call.left.append(left)
        call.cost_ms += request.weights[0].units
        try:
            answer = await self._lanes.ask(lambda: request)
        except NotSent:
            call.left.remove(left)
            raise
        left.status, left.text = answer.status, answer.body.decode(errors="replace")
        told = _json(left.text)
        with _refusing(left, self._errors):
            reason = _reason(answer)
            self.client.handle_errors(
                answer.status, reason, url, method, {}, left.text, told, dict(headers or {}), body
            )
            self.client.handle_http_status_code(answer.status, reason, url, method, left.text)
        if answer.status == HTTPStatus.NO_CONTENT:
            return ""
        if told is None or not 200 <= answer.status < 300:
            raise Unanswered(f"{answer.status} {printable(left.text, TEXT_LEN)}".strip())
        return told

    def _request(self, url: str, method: str, headers: Mapping[str, Any], body: object, call: Call) -> HttpRequest:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if host not in self.http.addresses:
            raise NotSent(f"ccxt asks for {host}, which is none of {self.exchange}'s hosts; nothing was sent")
        if method != "GET" and any(word in parts.path.lower() for word in FORBIDDEN):
            raise NotSent(f"{parts.path} is not for a hedge; nothing was sent")
        if body is not None and not isinstance(body, str):
            raise NotSent(f"{self.exchange} wants its requests in a form that is not sent here")
        return HttpRequest(
            method,
            host,
            parts.path,
            parts.query,
            body or "",
            tuple((name, str(value)) for name, value in headers.items() if value is not None),
            (Weight(BUDGET, _COST_MS.get(self._request_ms)),),
            call.lane,
            is_signed=True,
        )


class _Budget(msgspec.Struct, frozen=True):
    """All that ccxt's numbers allow: each second has 1,000 ms."""

    pool: str = BUDGET
    units: int = BUDGET_S * 1_000
    interval_s: int = BUDGET_S


def _tamed(exchange: str, kind: Kind, keys: Keys) -> tuple[Any, type[BaseException]]:
    """Return a client of ccxt's with its dangerous defaults off, and the class of its errors."""
    try:
        ccxt = import_module("ccxt.async_support")
    except ImportError as error:
        raise Unsupported("ccxt is not installed; install it with: pip install hedgerow[ccxt]") from error
    if exchange not in ccxt.exchanges:
        raise Unsupported(f"ccxt {ccxt.__version__} has no exchange {exchange}; `print(ccxt.exchanges)` lists them")
    if exchange in names.NAMELESS:
        raise Unsupported(f"{exchange} cannot be traded through ccxt: {names.NAMELESS[exchange]}")
    options = {
        # Before the first call: on some exchanges it already agrees to a fee for ccxt.
        "builderFee": False,
        "maxRetriesOnFailure": 0,
        "adjustForTimeDifference": True,
        "fetchMargins": False,
        "defaultType": kind.value,
        "warnOnFetchOpenOrdersWithoutSymbol": False,
    }
    client = getattr(ccxt, exchange)(
        {
            "apiKey": keys.key,
            "secret": keys.secret,
            "password": keys.passphrase,
            # It makes every order wait, even after hours without one.
            "enableRateLimit": False,
            "number": str,
            "options": options,
        }
    )
    if "recvWindow" in client.options:
        client.options["recvWindow"] = RECV_WINDOW_MS
    # Of no use here, and for some exchanges a permission that a trading key should not need.
    client.has["fetchCurrencies"] = False
    client.parse_order_book_bid_ask = partial(_level, client)
    return client, ccxt.BaseError


def _level(client: Any, row: Any, price: Any = 0, qty: Any = 1, _count: Any = 2) -> list[Any]:
    """Return a level of a book as text, where ccxt would make binary fractions of it whatever it was told."""
    return [client.safe_string(row, price), client.safe_string(row, qty)]


def _hosts(client: Any) -> set[str]:
    """Return every host that ccxt's description of the exchange names."""
    found: set[str] = set()
    waiting: list[object] = [client.urls.get("api")]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Mapping):
            waiting += each.values()
        elif isinstance(each, str) and each.startswith("https:"):
            host = urlsplit(each.replace("{hostname}", client.hostname or "")).hostname
            if host and "{" not in host:
                found.add(host)
    return found


@contextmanager
def _sheltered() -> Iterator[None]:
    """Give ccxt a decimal context of its own: it changes the rounding of whatever context it finds."""
    with localcontext() as context:
        context.traps[FloatOperation] = False
        yield


@contextmanager
def _refusing(left: Left, errors: tuple[type[BaseException], ...]) -> Iterator[None]:
    """Note that it was this very answer that ccxt took for an error."""
    try:
        yield
    except errors:
        left.is_refused = _json(left.text) is not None
        raise


def _json(text: str) -> Any:
    """Return what a body says, its fractions as text; None when it says nothing that can be read."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text, parse_float=str, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None


def _no_number(word: str) -> object:
    raise ValueError(f"{word} is no number")


def _reason(answer: HttpAnswer) -> str:
    try:
        return HTTPStatus(answer.status).phrase
    except ValueError:
        return ""


def _told(error: BaseException, left: list[Left]) -> str:
    """Return an error for people: the exchange's own words where it has spoken; ccxt's may hold a signature."""
    name = type(error).__name__
    if left and left[-1].status:
        return f"{left[-1].status} {name}: {printable(left[-1].text, TEXT_LEN)}"
    return f"{name}: {printable(str(error), TEXT_LEN)}" if not left else name


def _unused(host: str, path: str, headers: Iterable[tuple[str, str]]) -> Iterable[Weight]:
    """Exchanges tell what was used in ways of their own, of which ccxt knows nothing."""
    return ()
