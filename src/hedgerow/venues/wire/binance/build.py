"""Requests: from a command to the bytes that ask Binance for it.

Parameters stand in the order in which the ccxt client sends them, so that the two can be compared byte for byte.
"""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import quote

from hedgerow.core.commands import QueryOrder, SubmitOrder
from hedgerow.model.ids import ClientOrderId, VenueOrderId
from hedgerow.model.order import OrderType, Role, Side, TimeInForce
from hedgerow.venues.wire.binance.kinds import AccountKind, NotTraded, Product
from hedgerow.venues.wire.binance.routes import BORROWING_WEIGHTS, LISTEN_KEYS, Endpoint, Route, route_of
from hedgerow.venues.wire.request import HttpRequest, Lane, Signer, Stamp

FORM = ("Content-Type", "application/x-www-form-urlencoded")
KEY_HEADER = "X-MBX-APIKEY"
# The longest page that every product gives of trades, income and snapshots.
PAGE_MAX = 1_000
INTEREST_PAGE_MAX = 100

_SIDES = {Side.BUY: "BUY", Side.SELL: "SELL"}
# Binance has no orders for the day.
_TIMES = {TimeInForce.GTC: "GTC", TimeInForce.IOC: "IOC", TimeInForce.FOK: "FOK"}
_LANES = {Role.HEDGE: Lane.HEDGE, Role.EXIT: Lane.EXIT, Role.ENTRY: Lane.ENTRY}
# What a margin order does with loans, besides nothing.
_BORROWS, _REPAYS = "MARGIN_BUY", "AUTO_REPAY"
_IN_QUERY = frozenset({"GET", "DELETE"})

Params = list[tuple[str, str]]


def plain(value: Decimal) -> str:
    """Return a number as Binance reads it: no exponent, no needless zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def form(params: Params) -> str:
    """Return parameters encoded, in their order."""
    return "&".join([f"{name}={quote(value, safe='')}" for name, value in params])


class Requests:
    """Builds the requests of one account for one instrument."""

    def __init__(self, product: Product, symbol: str, signer: Signer, base: str, borrows: bool = False) -> None:
        """Take what all requests have in common.

        Args:
            symbol: as the venue writes it.
            base: what the instrument buys and sells, e.g. `BTC`.
            borrows: whether a margin order may take a loan for what it lacks.
        """
        self.product = product
        self.symbol = symbol
        self._signer = signer
        self._base = base
        self._borrows = borrows

    # Orders.

    def submit(self, order: SubmitOrder, stamp: Stamp) -> HttpRequest:
        """Return the request for a new order.

        Raises:
            NotTraded: Binance has no such order. Nothing was built.
        """
        params: Params = [("symbol", self.symbol), ("side", _SIDES[order.side])]
        effect = self._side_effect(order)
        if effect == _REPAYS:
            params.append(("sideEffectType", effect))
        # The fills of a spot order come with its answer; futures tell at most how much was filled.
        reply = "RESULT" if self.product.is_futures else "FULL"
        params += [("newClientOrderId", order.order_id), ("newOrderRespType", reply)]
        params += self._terms(order)
        if order.reduce_only and self.product.is_futures:
            params.append(("reduceOnly", "true"))
        if effect and effect != _REPAYS:
            params.append(("sideEffectType", effect))
        route = route_of(self.product, Endpoint.SUBMIT)
        if effect == _BORROWS and self.product is Product.MARGIN:
            route = Route(route.method, route.host, route.path, BORROWING_WEIGHTS)
        return self._signed(route, params, stamp, _LANES[order.role])

    def _terms(self, order: SubmitOrder) -> Params:
        qty = ("quantity", plain(order.qty))
        if order.type is OrderType.MARKET:
            assert order.limit_price is None, order
            return [("type", "MARKET"), qty]
        assert order.limit_price is not None, order
        price = ("price", plain(order.limit_price))
        if order.post_only and not self.product.is_futures:
            return [("type", "LIMIT_MAKER"), qty, price]
        time = "GTX" if order.post_only else _TIMES.get(order.time_in_force)
        if time is None:
            raise NotTraded(f"Binance has no orders that last for the {order.time_in_force.value}: use gtc, ioc or fok")
        return [("type", "LIMIT"), qty, price, ("timeInForce", time)]

    def _side_effect(self, order: SubmitOrder) -> str:
        """Return whether a margin order borrows what it lacks, or repays from what it brings."""
        if not self.product.is_margin:
            return ""
        if order.role is Role.EXIT or order.reduce_only:
            return _REPAYS
        return _BORROWS if self._borrows else "NO_SIDE_EFFECT"

    def cancel(self, order_id: ClientOrderId, stamp: Stamp) -> HttpRequest:
        """Return the request that ends an order, by our id."""
        params = [("symbol", self.symbol), ("origClientOrderId", order_id)]
        return self._signed(route_of(self.product, Endpoint.CANCEL), params, stamp, Lane.CANCEL)

    def cancel_venue_order(self, venue_order_id: VenueOrderId, stamp: Stamp) -> HttpRequest:
        """Return the request that ends an order, by the venue's id."""
        params = [("symbol", self.symbol), ("orderId", venue_order_id)]
        return self._signed(route_of(self.product, Endpoint.CANCEL), params, stamp, Lane.CANCEL)

    def amend(
        self, order_id: ClientOrderId, side: Side, qty: Decimal, limit_price: Decimal, stamp: Stamp
    ) -> HttpRequest:
        """Return the request that changes a futures order in place. `qty` is the whole, filled part included."""
        params = [
            ("symbol", self.symbol),
            ("side", _SIDES[side]),
            ("origClientOrderId", order_id),
            ("quantity", plain(qty)),
            ("price", plain(limit_price)),
        ]
        return self._signed(route_of(self.product, Endpoint.AMEND), params, stamp, Lane.ENTRY)

    def query(self, command: QueryOrder, stamp: Stamp) -> HttpRequest:
        """Return the question what became of an order, or whose an order is."""
        if command.order_id:
            named = ("origClientOrderId", str(command.order_id))
        else:
            assert command.venue_order_id is not None, command
            named = ("orderId", str(command.venue_order_id))
        return self._signed(route_of(self.product, Endpoint.QUERY), [("symbol", self.symbol), named], stamp)

    # Reads.

    def open_orders(self, stamp: Stamp) -> HttpRequest:
        """Return the question which orders of the instrument are open."""
        return self._ask(Endpoint.OPEN_ORDERS, [("symbol", self.symbol)], stamp)

    def conditional_orders(self, stamp: Stamp) -> HttpRequest:
        """Return the question for orders of the instrument that wait for a price. Futures list them apart from all."""
        endpoint = Endpoint.CONDITIONAL_ORDERS if self.product.is_futures else Endpoint.OPEN_ORDERS
        return self._ask(endpoint, [("symbol", self.symbol)], stamp)

    def trades_from(self, trade_id: int, stamp: Stamp) -> HttpRequest:
        """Return the question for one page of trades from an id on, that one included."""
        params = [("symbol", self.symbol), ("fromId", str(trade_id)), ("limit", str(PAGE_MAX))]
        return self._ask(Endpoint.TRADES, params, stamp)

    def trades_between(self, from_ms: int, to_ms: int, stamp: Stamp) -> HttpRequest:
        """Return the question for one page of the oldest trades of a time, both ends included."""
        params = [("symbol", self.symbol), ("startTime", str(from_ms)), ("endTime", str(to_ms))]
        return self._ask(Endpoint.TRADES, [*params, ("limit", str(PAGE_MAX))], stamp)

    def latest_trades(self, stamp: Stamp) -> HttpRequest:
        """Return the question for the latest page of trades."""
        return self._ask(Endpoint.TRADES, [("symbol", self.symbol), ("limit", str(PAGE_MAX))], stamp)

    def position(self, stamp: Stamp) -> HttpRequest:
        """Return the question what the account holds of the instrument."""
        if self.product.is_futures:
            return self._ask(Endpoint.POSITION, [("symbol", self.symbol)], stamp)
        # Asked for one asset, portfolio margin answers with its zeros as well; spot and margin always list all.
        params = [("asset", self._base)] if self.product is Product.PM_MARGIN else []
        return self._ask(Endpoint.POSITION, params, stamp)

    def balances(self, stamp: Stamp) -> HttpRequest:
        """Return the question what the account owns and owes."""
        return self._ask(Endpoint.BALANCES, [], stamp)

    def fee_rates(self, stamp: Stamp) -> HttpRequest:
        """Return the question what trading costs here."""
        return self._ask(Endpoint.FEE_RATES, [("symbol", self.symbol)], stamp)

    def permissions(self, stamp: Stamp) -> HttpRequest:
        """Return the question what the API key may do."""
        return self._ask(Endpoint.PERMISSIONS, [], stamp)

    # Futures.

    def set_leverage(self, leverage: Decimal, stamp: Stamp) -> HttpRequest:
        """Return the request to trade the instrument with a leverage."""
        params = [("symbol", self.symbol), ("leverage", plain(leverage))]
        return self._ask(Endpoint.SET_LEVERAGE, params, stamp)

    def set_cross_margin(self, stamp: Stamp) -> HttpRequest:
        """Return the request to margin the instrument with the whole account. Portfolio margin knows nothing else."""
        params = [("symbol", self.symbol), ("marginType", "CROSSED")]
        return self._ask(Endpoint.SET_MARGIN_TYPE, params, stamp)

    def symbol_config(self, stamp: Stamp) -> HttpRequest:
        """Return the question for leverage and margin type of the instrument."""
        return self._ask(Endpoint.SYMBOL_CONFIG, [("symbol", self.symbol)], stamp)

    def position_mode(self, stamp: Stamp) -> HttpRequest:
        """Return the question whether the account keeps one signed position per instrument."""
        return self._ask(Endpoint.POSITION_MODE, [], stamp)

    def set_one_way(self, stamp: Stamp) -> HttpRequest:
        """Return the request to keep one signed position per instrument."""
        return self._ask(Endpoint.SET_POSITION_MODE, [("dualSidePosition", "false")], stamp)

    def funding(self, since_ms: int, stamp: Stamp) -> HttpRequest:
        """Return the question for one page of funding that was booked since a time."""
        params = [("symbol", self.symbol), ("incomeType", "FUNDING_FEE"), ("startTime", str(since_ms))]
        return self._ask(Endpoint.FUNDING, [*params, ("limit", str(PAGE_MAX))], stamp)

    # Loans.

    def borrow(self, asset: str, qty: Decimal, stamp: Stamp) -> HttpRequest:
        """Return the request for a loan."""
        return self._loan(Endpoint.BORROW, asset, qty, stamp)

    def repay(self, asset: str, qty: Decimal, stamp: Stamp) -> HttpRequest:
        """Return the request to pay a loan back; interest is paid first."""
        return self._loan(Endpoint.REPAY, asset, qty, stamp)

    def _loan(self, endpoint: Endpoint, asset: str, qty: Decimal, stamp: Stamp) -> HttpRequest:
        params = [("asset", asset), ("amount", plain(qty))]
        if self.product is Product.MARGIN:
            params += [("isIsolated", "FALSE"), ("type", "BORROW" if endpoint is Endpoint.BORROW else "REPAY")]
        return self._ask(endpoint, params, stamp)

    def interest(self, asset: str, since_ms: int, end_ms: int | None, page: int, stamp: Stamp) -> HttpRequest:
        """Return the question for one page, from 1, of interest that was charged since a time, newest first.

        Args:
            end_ms: up to when; None when that is less than 30 days away, for all since then.
        """
        params = [("asset", asset), ("startTime", str(since_ms))]
        if end_ms is not None:
            params.append(("endTime", str(end_ms)))
        params += [("current", str(page)), ("size", str(INTEREST_PAGE_MAX))]
        return self._ask(Endpoint.INTEREST, params, stamp)

    def borrow_rates(self, assets: tuple[str, ...], stamp: Stamp) -> HttpRequest:
        """Return the question what loans cost in the next hour."""
        params = [("assets", ",".join(assets)), ("isIsolated", "FALSE")]
        return self._ask(Endpoint.BORROW_RATES, params, stamp)

    def listen_token(self) -> HttpRequest:
        """Return the request for a token that subscribes to the private stream of cross margin. It is not signed."""
        route, headers = route_of(self.product, Endpoint.LISTEN_TOKEN), ((KEY_HEADER, self._signer.api_key), FORM)
        return HttpRequest(route.method, route.host, route.path, "", "", headers, route.weights, Lane.QUERY, False)

    # Signing.

    def _ask(self, endpoint: Endpoint, params: Params, stamp: Stamp) -> HttpRequest:
        return self._signed(route_of(self.product, endpoint), params, stamp)

    def _signed(self, route: Route, params: Params, stamp: Stamp, lane: Lane = Lane.QUERY) -> HttpRequest:
        first, last = ("timestamp", str(stamp.now_ms)), ("recvWindow", str(stamp.recv_window_ms))
        payload = form([first, *params, last])
        signed = f"{payload}&signature={quote(self._signer.sign(payload), safe='')}"
        key = (KEY_HEADER, self._signer.api_key)
        if route.method in _IN_QUERY:
            return HttpRequest(route.method, route.host, route.path, signed, "", (key,), route.weights, lane, True)
        return HttpRequest(route.method, route.host, route.path, "", signed, (key, FORM), route.weights, lane, True)


class Public:
    """Builds the questions about one instrument that need no key."""

    def __init__(self, product: Product, symbol: str) -> None:
        self.product = product
        self.symbol = symbol

    def instruments(self) -> HttpRequest:
        """Return the question for filters and limits. Futures give all instruments at once."""
        return self._ask(Endpoint.INSTRUMENTS, [] if self.product.is_futures else [("symbol", self.symbol)])

    def depth(self) -> HttpRequest:
        """Return the question for a snapshot of the book, as deep as a page goes."""
        return self._ask(Endpoint.DEPTH, [("symbol", self.symbol), ("limit", str(PAGE_MAX))])

    def funding_info(self) -> HttpRequest:
        """Return the question for the instruments whose funding interval is not the usual one."""
        return self._ask(Endpoint.FUNDING_INFO, [])

    def server_time(self) -> HttpRequest:
        """Return the question what time it is there."""
        return self._ask(Endpoint.SERVER_TIME, [])

    def _ask(self, endpoint: Endpoint, params: Params) -> HttpRequest:
        route = route_of(self.product, endpoint)
        return HttpRequest(route.method, route.host, route.path, form(params), "", (), route.weights, Lane.QUERY, False)


class ListenKeys:
    """Builds the requests for the keys of private streams. They bear the API key and no signature."""

    def __init__(self, account_kind: AccountKind, api_key: str) -> None:
        assert account_kind in LISTEN_KEYS, account_kind
        self._host, self._path, self._weight = LISTEN_KEYS[account_kind]
        self._header = (KEY_HEADER, api_key)

    def open(self) -> HttpRequest:
        """Return the request for a key; an account that has one gets it again, for another hour."""
        return self._ask("POST", "")

    def keep(self, listen_key: str) -> HttpRequest:
        """Return the request to let a key live for another hour."""
        return self._ask("PUT", listen_key)

    def close(self, listen_key: str) -> HttpRequest:
        """Return the request to end a key, and its streams."""
        return self._ask("DELETE", listen_key)

    def _ask(self, method: str, listen_key: str) -> HttpRequest:
        # In the body even of a DELETE, where Binance takes it as well as in the query.
        body = form([("listenKey", listen_key)]) if listen_key else ""
        headers = (self._header, FORM)
        return HttpRequest(method, self._host, self._path, "", body, headers, (self._weight,), Lane.QUERY, False)
