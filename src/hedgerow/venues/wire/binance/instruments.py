"""Instruments: filters and state as `exchangeInfo` tells them, and the venue's budgets.

Source: Binance docs, "Filters" and "Exchange Information" of spot and USD-M (checked 2026-07).
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from hedgerow.model.ids import VenueId
from hedgerow.model.instrument import FeeCurrency, Instrument
from hedgerow.model.numbers import ZERO
from hedgerow.venues.wire.binance.answers import Refused, body_of
from hedgerow.venues.wire.binance.kinds import INSTRUMENT_KINDS, Product, instrument_id
from hedgerow.venues.wire.binance.routes import Limit
from hedgerow.venues.wire.binance.shapes import Shape
from hedgerow.venues.wire.payload import BadPayload, Number, decoded, positive, unsigned
from hedgerow.venues.wire.request import HttpAnswer, Weight

# Filters may change at any time, and after a filter's refusal they are read at once.
REFRESH_EVERY_S = 5 * 60
TRADING = "TRADING"
_BAD_SYMBOL = -1121
_PERPETUAL = "PERPETUAL"

_UNITS_S = {"SECOND": 1, "MINUTE": 60, "HOUR": 3_600, "DAY": 86_400}
_LETTERS = {1: "s", 60: "m", 3_600: "h", 86_400: "d"}
# Header, host -> pool. The weight used in the running minute, as the venue counts it.
_USED = {
    ("x-mbx-used-weight-1m", "api"): "api/ip",
    ("x-mbx-used-weight-1m", "fapi"): "fapi/ip",
    ("x-mbx-used-weight-1m", "papi"): "papi/ip",
    ("x-sapi-used-ip-weight-1m", "api"): "sapi/ip",
    ("x-sapi-used-uid-weight-1m", "api"): "sapi/uid",
}
_COUNT_HEADER = "x-mbx-order-count-"


class UnknownSymbol(ValueError):
    """The venue has no such instrument. The text is for the operator."""


class Listing(msgspec.Struct, frozen=True):
    """One instrument, and whether it is traded now."""

    instrument: Instrument
    status: str
    "The venue's own word."
    problem: str = ""
    "Why it cannot be traded now; empty when it can."


class _Filter(Shape, frozen=True, gc=False):
    filter_type: str
    tick_size: Number | None = None
    step_size: Number | None = None
    min_qty: Number | None = None
    max_qty: Number | None = None
    min_notional: Number | None = None
    notional: Number | None = None
    bid_multiplier_up: Number | None = None
    bid_multiplier_down: Number | None = None
    ask_multiplier_up: Number | None = None
    ask_multiplier_down: Number | None = None
    multiplier_up: Number | None = None
    multiplier_down: Number | None = None


class _Symbol(Shape, frozen=True, gc=False):
    symbol: str
    status: str
    base_asset: str
    quote_asset: str
    filters: tuple[_Filter, ...]
    contract_type: str = ""
    margin_asset: str = ""
    is_margin_trading_allowed: bool = False


class _RateLimit(Shape, frozen=True, gc=False):
    rate_limit_type: str
    interval: str
    interval_num: int
    limit: int


class _Names(Shape, frozen=True, gc=False):
    """The outside: the filters of hundreds of instruments are read only where one of them is asked for."""

    symbols: tuple[msgspec.Raw, ...]


class _Name(Shape, frozen=True, gc=False):
    symbol: str


class _Limits(Shape, frozen=True, gc=False):
    rate_limits: tuple[_RateLimit, ...]


_NAMES = msgspec.json.Decoder(_Names)
_NAME = msgspec.json.Decoder(_Name)
_SYMBOL = msgspec.json.Decoder(_Symbol)
_LIMITS = msgspec.json.Decoder(_Limits)


def listing_of(answer: HttpAnswer, product: Product, symbol: str, venue_id: VenueId) -> Listing:
    """Return one instrument out of an answer to `exchangeInfo`.

    Raises:
        UnknownSymbol: it has none of this name.
        Refused, BadPayload: it was not told.
    """
    try:
        rows = body_of(_NAMES, answer).symbols
    except Refused as refused:
        if refused.code == _BAD_SYMBOL:
            raise UnknownSymbol(_unknown(symbol, product)) from refused
        raise
    for raw in rows:
        if decoded(_NAME, raw).symbol == symbol:
            return _listing(decoded(_SYMBOL, raw), product, venue_id)
    raise UnknownSymbol(_unknown(symbol, product))


def _unknown(symbol: str, product: Product) -> str:
    market = "USD-M futures" if product.is_futures else "spot"
    return f"Binance {market} has no {symbol}: look up how it is written there (no dash, e.g. BTCUSDT)"


def _listing(row: _Symbol, product: Product, venue_id: VenueId) -> Listing:
    filters = {each.filter_type: each for each in row.filters}
    tick = _told(filters, "PRICE_FILTER", "tick_size")
    step, min_qty, max_qty = (_told(filters, "LOT_SIZE", name) for name in ("step_size", "min_qty", "max_qty"))
    if product.is_futures:
        # A futures order of either type must fit both; spot's limit of market orders wanders with its volume.
        market = filters.get("MARKET_LOT_SIZE")
        limit = ZERO if market is None or market.max_qty is None else unsigned(market.max_qty, "maxQty")
        max_qty = min(max_qty, limit) if limit else max_qty
    down, up = _band(filters, product)
    instrument = Instrument(
        instrument_id(venue_id, row.symbol, product),
        venue_id,
        INSTRUMENT_KINDS[product],
        row.base_asset,
        row.quote_asset,
        tick,
        step,
        min_qty,
        max_qty,
        _min_notional(filters),
        reduce_only_exempt=product.is_futures,
        band_down=down,
        band_up=up,
        band_is_one_sided=product.is_futures,
        fee_currency=FeeCurrency.QUOTE if product.is_futures else FeeCurrency.RECEIVED,
        can_reduce_only=product.is_futures,
    )
    return Listing(instrument, row.status, _problem(row, product))


def _told(filters: dict[str, _Filter], filter_type: str, name: str) -> Decimal:
    found = filters.get(filter_type)
    value: Number | None = None if found is None else getattr(found, name)
    if value is None:
        raise BadPayload(f"exchangeInfo names no {name} in {filter_type}")
    return positive(value, name)


def _min_notional(filters: dict[str, _Filter]) -> Decimal:
    for filter_type in ("NOTIONAL", "MIN_NOTIONAL"):
        found = filters.get(filter_type)
        value = None if found is None else found.min_notional if found.notional is None else found.notional
        if value is not None:
            return unsigned(value, "minNotional")
    return ZERO


def _band(filters: dict[str, _Filter], product: Product) -> tuple[Decimal | None, Decimal | None]:
    """Return the lowest and the highest limit price as ratios of the reference price.

    That of futures bounds the far side alone; spot's has numbers for each side, of which the narrower ones are taken.
    """
    if product.is_futures:
        found = filters.get("PERCENT_PRICE")
        if found is None:
            return None, None
        (down,) = _given(found.multiplier_down) or (None,)
        (up,) = _given(found.multiplier_up) or (None,)
        return down, up
    found = filters.get("PERCENT_PRICE_BY_SIDE")
    if found is None:
        return None, None
    ups = _given(found.bid_multiplier_up, found.ask_multiplier_up)
    downs = _given(found.bid_multiplier_down, found.ask_multiplier_down)
    return max(downs, default=None), min(ups, default=None)


def _given(*values: Number | None) -> list[Decimal]:
    return [positive(value, "multiplier") for value in values if value is not None]


def _problem(row: _Symbol, product: Product) -> str:
    if row.status != TRADING:
        return f"{row.symbol} is {row.status}, not {TRADING}: it takes no new orders now"
    if product.is_futures:
        if row.contract_type != _PERPETUAL:
            return f"{row.symbol} is of the kind {row.contract_type or '?'}: only perpetuals are traded here"
        if row.margin_asset != row.quote_asset:
            return f"{row.symbol} is margined in {row.margin_asset or '?'}, not in its quote {row.quote_asset}"
    if product.is_margin and not row.is_margin_trading_allowed:
        return f"{row.symbol} has no margin trading: use an account of kind spot"
    return ""


def limits_of(answer: HttpAnswer, host: str) -> tuple[Limit, ...]:
    """Return the budgets that an answer to `exchangeInfo` of a host names.

    Raises:
        Refused, BadPayload: they were not told.
    """
    limits: list[Limit] = []
    for row in body_of(_LIMITS, answer).rate_limits:
        unit_s = _UNITS_S.get(row.interval)
        if unit_s is None or row.interval_num <= 0 or row.limit <= 0:
            raise BadPayload(f"a limit of {row.limit} in {row.interval_num} {row.interval}")
        interval_s = unit_s * row.interval_num
        if row.rate_limit_type == "REQUEST_WEIGHT":
            limits.append(Limit(f"{host}/ip", row.limit, interval_s))
        elif row.rate_limit_type == "ORDERS":
            limits.append(Limit(f"{host}/orders_{row.interval_num}{_LETTERS[unit_s]}", row.limit, interval_s))
    return tuple(limits)


def usage_of(host: str, path: str, headers: Iterable[tuple[str, str]]) -> tuple[Weight, ...]:
    """Return how much of which budgets is used, as the headers of an answer say. What they do not say is not here.

    Args:
        path: of the request: `/sapi` counts its orders apart from `/api`.
    """
    family = "sapi" if path.startswith("/sapi/") else host
    found: list[Weight] = []
    for name, value in headers:
        if not (value.isascii() and value.isdigit()):
            continue
        lowered = name.lower()
        pool = _USED.get((lowered, host))
        if pool is None and lowered.startswith(_COUNT_HEADER):
            pool = f"{family}/orders_{lowered[len(_COUNT_HEADER) :]}"
        if pool is not None:
            found.append(Weight(pool, int(value)))
    return tuple(found)
