"""Where each request goes and what it weighs: one table of (product, endpoint).

Source: Binance docs of each product, "Request Weight" (checked 2026-07, where the stored copies had it; else recalled).
A wrong weight costs politeness only: the limiter corrects itself by the headers of each answer.
"""

from __future__ import annotations

import msgspec

from hedgerow.model.words import Word
from hedgerow.venues.wire.binance.kinds import AccountKind, Product
from hedgerow.venues.wire.request import Weight


class Endpoint(Word):
    """What a request asks for."""

    SUBMIT = "submit"
    CANCEL = "cancel"
    AMEND = "amend"
    QUERY = "query"
    OPEN_ORDERS = "open_orders"
    CONDITIONAL_ORDERS = "conditional_orders"
    TRADES = "trades"
    POSITION = "position"
    BALANCES = "balances"
    SET_LEVERAGE = "set_leverage"
    SET_MARGIN_TYPE = "set_margin_type"
    SYMBOL_CONFIG = "symbol_config"
    POSITION_MODE = "position_mode"
    SET_POSITION_MODE = "set_position_mode"
    BORROW = "borrow"
    REPAY = "repay"
    FUNDING = "funding"
    INTEREST = "interest"
    BORROW_RATES = "borrow_rates"
    FEE_RATES = "fee_rates"
    PERMISSIONS = "permissions"
    LISTEN_TOKEN = "listen_token"
    INSTRUMENTS = "instruments"
    DEPTH = "depth"
    FUNDING_INFO = "funding_info"
    SERVER_TIME = "server_time"


class Route(msgspec.Struct, frozen=True):
    """One endpoint."""

    method: str
    host: str
    path: str
    weights: tuple[Weight, ...]


class Limit(msgspec.Struct, frozen=True):
    """One of the venue's budgets."""

    pool: str
    units: int
    interval_s: int


# What holds until the venue's own numbers are read (`instruments.limits_of`).
LIMITS = (
    Limit("api/ip", 6_000, 60),
    Limit("api/orders_10s", 100, 10),
    Limit("api/orders_1d", 200_000, 86_400),
    Limit("sapi/ip", 12_000, 60),
    Limit("sapi/uid", 180_000, 60),
    Limit("sapi/orders_10s", 100, 10),
    Limit("fapi/ip", 2_400, 60),
    Limit("fapi/orders_10s", 300, 10),
    Limit("fapi/orders_1m", 1_200, 60),
    Limit("papi/ip", 6_000, 60),
    Limit("papi/orders_1m", 1_200, 60),
)


def _at(method: str, host: str, path: str, *weights: tuple[str, int]) -> Route:
    return Route(method, host, path, tuple(Weight(pool, units) for pool, units in weights))


_SPOT_ORDER = (("api/ip", 1), ("api/orders_10s", 1), ("api/orders_1d", 1))
_UM_ORDER = (("fapi/orders_10s", 1), ("fapi/orders_1m", 1))
_PM_ORDER = (("papi/ip", 1), ("papi/orders_1m", 1))
# A margin order that may borrow weighs as much as a loan.
BORROWING_WEIGHTS = (Weight("sapi/uid", 1_500), Weight("sapi/orders_10s", 1))

_MARKET = {
    Endpoint.INSTRUMENTS: _at("GET", "api", "/api/v3/exchangeInfo", ("api/ip", 20)),
    Endpoint.DEPTH: _at("GET", "api", "/api/v3/depth", ("api/ip", 50)),
    Endpoint.SERVER_TIME: _at("GET", "api", "/api/v3/time", ("api/ip", 1)),
    Endpoint.PERMISSIONS: _at("GET", "api", "/sapi/v1/account/apiRestrictions", ("sapi/ip", 1)),
}
_FUTURES_MARKET = {
    Endpoint.INSTRUMENTS: _at("GET", "fapi", "/fapi/v1/exchangeInfo", ("fapi/ip", 1)),
    Endpoint.DEPTH: _at("GET", "fapi", "/fapi/v1/depth", ("fapi/ip", 20)),
    Endpoint.FUNDING_INFO: _at("GET", "fapi", "/fapi/v1/fundingInfo", ("fapi/ip", 1)),
    Endpoint.SERVER_TIME: _at("GET", "fapi", "/fapi/v1/time", ("fapi/ip", 1)),
    Endpoint.PERMISSIONS: _MARKET[Endpoint.PERMISSIONS],
}
# The papi has no rate of a loan of its own: it is that of cross margin.
_LOANS = {
    Endpoint.BORROW_RATES: _at("GET", "api", "/sapi/v1/margin/next-hourly-interest-rate", ("sapi/ip", 100)),
    Endpoint.FEE_RATES: _at("GET", "api", "/sapi/v1/asset/tradeFee", ("sapi/ip", 1)),
}

ROUTES: dict[Product, dict[Endpoint, Route]] = {
    Product.SPOT: _MARKET
    | {
        Endpoint.SUBMIT: _at("POST", "api", "/api/v3/order", *_SPOT_ORDER),
        Endpoint.CANCEL: _at("DELETE", "api", "/api/v3/order", ("api/ip", 1)),
        Endpoint.QUERY: _at("GET", "api", "/api/v3/order", ("api/ip", 4)),
        Endpoint.OPEN_ORDERS: _at("GET", "api", "/api/v3/openOrders", ("api/ip", 6)),
        Endpoint.TRADES: _at("GET", "api", "/api/v3/myTrades", ("api/ip", 20)),
        Endpoint.POSITION: _at("GET", "api", "/api/v3/account", ("api/ip", 20)),
        Endpoint.BALANCES: _at("GET", "api", "/api/v3/account", ("api/ip", 20)),
        Endpoint.FEE_RATES: _at("GET", "api", "/api/v3/account/commission", ("api/ip", 20)),
    },
    Product.MARGIN: _MARKET
    | _LOANS
    | {
        Endpoint.SUBMIT: _at("POST", "api", "/sapi/v1/margin/order", ("sapi/uid", 6), ("sapi/orders_10s", 1)),
        Endpoint.CANCEL: _at("DELETE", "api", "/sapi/v1/margin/order", ("sapi/ip", 10)),
        Endpoint.QUERY: _at("GET", "api", "/sapi/v1/margin/order", ("sapi/ip", 10)),
        Endpoint.OPEN_ORDERS: _at("GET", "api", "/sapi/v1/margin/openOrders", ("sapi/ip", 10)),
        Endpoint.TRADES: _at("GET", "api", "/sapi/v1/margin/myTrades", ("sapi/ip", 10)),
        Endpoint.POSITION: _at("GET", "api", "/sapi/v1/margin/account", ("sapi/ip", 10)),
        Endpoint.BALANCES: _at("GET", "api", "/sapi/v1/margin/account", ("sapi/ip", 10)),
        Endpoint.BORROW: _at("POST", "api", "/sapi/v1/margin/borrow-repay", ("sapi/uid", 1_500)),
        Endpoint.REPAY: _at("POST", "api", "/sapi/v1/margin/borrow-repay", ("sapi/uid", 1_500)),
        Endpoint.INTEREST: _at("GET", "api", "/sapi/v1/margin/interestHistory", ("sapi/ip", 1)),
        Endpoint.LISTEN_TOKEN: _at("POST", "api", "/sapi/v1/userListenToken", ("sapi/uid", 1)),
    },
    Product.UM: _FUTURES_MARKET
    | {
        Endpoint.SUBMIT: _at("POST", "fapi", "/fapi/v1/order", *_UM_ORDER),
        Endpoint.CANCEL: _at("DELETE", "fapi", "/fapi/v1/order", ("fapi/ip", 1)),
        Endpoint.AMEND: _at("PUT", "fapi", "/fapi/v1/order", *_UM_ORDER),
        Endpoint.QUERY: _at("GET", "fapi", "/fapi/v1/order", ("fapi/ip", 1)),
        Endpoint.OPEN_ORDERS: _at("GET", "fapi", "/fapi/v1/openOrders", ("fapi/ip", 1)),
        Endpoint.TRADES: _at("GET", "fapi", "/fapi/v1/userTrades", ("fapi/ip", 5)),
        # v3 leaves out a symbol without a position, and says nothing of leverage; absence proves nothing.
        Endpoint.POSITION: _at("GET", "fapi", "/fapi/v2/positionRisk", ("fapi/ip", 5)),
        Endpoint.BALANCES: _at("GET", "fapi", "/fapi/v3/balance", ("fapi/ip", 5)),
        Endpoint.SET_LEVERAGE: _at("POST", "fapi", "/fapi/v1/leverage", ("fapi/ip", 1)),
        Endpoint.SET_MARGIN_TYPE: _at("POST", "fapi", "/fapi/v1/marginType", ("fapi/ip", 1)),
        Endpoint.CONDITIONAL_ORDERS: _at("GET", "fapi", "/fapi/v1/openAlgoOrders", ("fapi/ip", 1)),
        Endpoint.SYMBOL_CONFIG: _at("GET", "fapi", "/fapi/v1/symbolConfig", ("fapi/ip", 5)),
        Endpoint.POSITION_MODE: _at("GET", "fapi", "/fapi/v1/positionSide/dual", ("fapi/ip", 30)),
        Endpoint.SET_POSITION_MODE: _at("POST", "fapi", "/fapi/v1/positionSide/dual", ("fapi/ip", 1)),
        Endpoint.FUNDING: _at("GET", "fapi", "/fapi/v1/income", ("fapi/ip", 30)),
        Endpoint.FEE_RATES: _at("GET", "fapi", "/fapi/v1/commissionRate", ("fapi/ip", 20)),
    },
    Product.PM_MARGIN: _MARKET
    | _LOANS
    | {
        Endpoint.SUBMIT: _at("POST", "papi", "/papi/v1/margin/order", *_PM_ORDER),
        Endpoint.CANCEL: _at("DELETE", "papi", "/papi/v1/margin/order", ("papi/ip", 2)),
        Endpoint.QUERY: _at("GET", "papi", "/papi/v1/margin/order", ("papi/ip", 10)),
        Endpoint.OPEN_ORDERS: _at("GET", "papi", "/papi/v1/margin/openOrders", ("papi/ip", 5)),
        Endpoint.TRADES: _at("GET", "papi", "/papi/v1/margin/myTrades", ("papi/ip", 5)),
        Endpoint.POSITION: _at("GET", "papi", "/papi/v1/balance", ("papi/ip", 20)),
        Endpoint.BALANCES: _at("GET", "papi", "/papi/v1/balance", ("papi/ip", 20)),
        Endpoint.BORROW: _at("POST", "papi", "/papi/v1/marginLoan", ("papi/ip", 100)),
        Endpoint.REPAY: _at("POST", "papi", "/papi/v1/repayLoan", ("papi/ip", 100)),
        Endpoint.INTEREST: _at("GET", "papi", "/papi/v1/margin/marginInterestHistory", ("papi/ip", 1)),
    },
    Product.PM_UM: _FUTURES_MARKET
    | {
        Endpoint.SUBMIT: _at("POST", "papi", "/papi/v1/um/order", *_PM_ORDER),
        Endpoint.CANCEL: _at("DELETE", "papi", "/papi/v1/um/order", ("papi/ip", 1)),
        Endpoint.AMEND: _at("PUT", "papi", "/papi/v1/um/order", *_PM_ORDER),
        Endpoint.QUERY: _at("GET", "papi", "/papi/v1/um/order", ("papi/ip", 1)),
        Endpoint.OPEN_ORDERS: _at("GET", "papi", "/papi/v1/um/openOrders", ("papi/ip", 1)),
        Endpoint.TRADES: _at("GET", "papi", "/papi/v1/um/userTrades", ("papi/ip", 5)),
        Endpoint.POSITION: _at("GET", "papi", "/papi/v1/um/positionRisk", ("papi/ip", 5)),
        Endpoint.BALANCES: _at("GET", "papi", "/papi/v1/balance", ("papi/ip", 20)),
        Endpoint.SET_LEVERAGE: _at("POST", "papi", "/papi/v1/um/leverage", ("papi/ip", 1)),
        Endpoint.CONDITIONAL_ORDERS: _at("GET", "papi", "/papi/v1/um/algo/openAlgoOrders", ("papi/ip", 1)),
        Endpoint.SYMBOL_CONFIG: _at("GET", "papi", "/papi/v1/um/symbolConfig", ("papi/ip", 5)),
        Endpoint.POSITION_MODE: _at("GET", "papi", "/papi/v1/um/positionSide/dual", ("papi/ip", 30)),
        Endpoint.SET_POSITION_MODE: _at("POST", "papi", "/papi/v1/um/positionSide/dual", ("papi/ip", 1)),
        Endpoint.FUNDING: _at("GET", "papi", "/papi/v1/um/income", ("papi/ip", 30)),
        Endpoint.FEE_RATES: _at("GET", "papi", "/papi/v1/um/commissionRate", ("papi/ip", 20)),
    },
}

# Keys of private streams, by kind of account. Spot subscribes with a signature, margin with a token.
LISTEN_KEYS = {
    AccountKind.USDM: ("fapi", "/fapi/v1/listenKey", Weight("fapi/ip", 1)),
    AccountKind.PORTFOLIO: ("papi", "/papi/v1/listenKey", Weight("papi/ip", 1)),
}


def route_of(product: Product, endpoint: Endpoint) -> Route:
    """Return where a request goes. Asking for what a product does not have is our mistake."""
    assert endpoint in ROUTES[product], (product, endpoint)
    return ROUTES[product][endpoint]
