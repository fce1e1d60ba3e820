"""Instruments: filters from raw texts, state, and the venue's budgets."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from hedgerow.model.instrument import FeeCurrency, InstrumentKind
from hedgerow.venues.wire.binance.answers import Refused
from hedgerow.venues.wire.binance.instruments import UnknownSymbol, limits_of, listing_of, usage_of
from hedgerow.venues.wire.binance.kinds import Product
from hedgerow.venues.wire.binance.routes import Limit
from hedgerow.venues.wire.payload import BadPayload
from hedgerow.venues.wire.request import Weight
from tests.venues.wire.binance.wires import VENUE, answer

SPOT_FILTERS = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01000000"},
    {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001000"},
    {"filterType": "MARKET_LOT_SIZE", "minQty": "0", "maxQty": "104.3", "stepSize": "0"},
    {
        "filterType": "PERCENT_PRICE_BY_SIDE",
        "bidMultiplierUp": "5",
        "bidMultiplierDown": "0.2",
        "askMultiplierUp": "4",
        "askMultiplierDown": "0.3",
        "avgPriceMins": 5,
    },
    {"filterType": "NOTIONAL", "minNotional": "5.00", "applyMinToMarket": True, "maxNotional": "9000000"},
    {"filterType": "A_NEW_ONE", "something": 1},
]
FUTURES_FILTERS = [
    {"filterType": "PRICE_FILTER", "minPrice": "556.8", "maxPrice": "4529764", "tickSize": "0.10"},
    {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
    {"filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "maxQty": "120", "stepSize": "0.001"},
    {"filterType": "MIN_NOTIONAL", "notional": "100"},
    {"filterType": "PERCENT_PRICE", "multiplierUp": "1.05", "multiplierDown": "0.95", "multiplierDecimal": "4"},
]


def info(futures: bool, **changes: Any) -> dict[str, Any]:
    """Return an `exchangeInfo`, its BTCUSDT changed."""
    row: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "status": "TRADING",
        "baseAsset": "BTC",
        "quoteAsset": "USDT",
        "isMarginTradingAllowed": True,
        "filters": SPOT_FILTERS,
    }
    if futures:
        row |= {"filters": FUTURES_FILTERS, "contractType": "PERPETUAL", "marginAsset": "USDT"}
    limits = [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
        {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 61000},
    ]
    # What is not asked for is not read: it may be of any shape.
    return {"rateLimits": limits, "symbols": [{"symbol": "ETHUSDT", "filters": 7}, row | changes]}


def test_filters_of_spot() -> None:
    """Exact, from texts; the limit of market orders wanders there and is left to the venue."""
    found = listing_of(answer(info(False)), Product.SPOT, "BTCUSDT", VENUE)
    instrument = found.instrument

    assert found.problem == "" and found.status == "TRADING"
    assert (instrument.id, instrument.kind) == ("binance:BTCUSDT", InstrumentKind.SPOT)
    assert (instrument.tick, instrument.step, instrument.min_qty, instrument.max_qty) == tuple(
        map(Decimal, ("0.01", "0.00001", "0.00001", "9000"))
    )
    assert [str(number) for number in (instrument.tick, instrument.max_qty, instrument.min_notional)] == [
        "0.01",
        "9000",
        "5",
    ], "without the zeros that it is padded with"
    assert (instrument.min_notional, instrument.band_down, instrument.band_up) == tuple(map(Decimal, ("5", "0.3", "4")))
    assert instrument.fee_currency is FeeCurrency.RECEIVED
    assert not instrument.can_reduce_only and not instrument.reduce_only_exempt


def test_filters_of_futures() -> None:
    """One order may be a market order, so the smaller maximum counts; a reduce-only one may be small."""
    instrument = listing_of(answer(info(True)), Product.UM, "BTCUSDT", VENUE).instrument

    assert (instrument.id, instrument.kind) == ("binance:BTCUSDT-PERP", InstrumentKind.PERP)
    assert (instrument.max_qty, instrument.min_notional) == (Decimal(120), Decimal(100))
    assert instrument.can_reduce_only and instrument.reduce_only_exempt
    assert (instrument.band_down, instrument.band_up) == (Decimal("0.95"), Decimal("1.05"))
    assert instrument.band_is_one_sided, "a buy may stand as low as it likes on futures"


def test_a_pair_on_margin_is_an_instrument_of_margin() -> None:
    """The same filters, and loans."""
    for product in (Product.MARGIN, Product.PM_MARGIN):
        assert listing_of(answer(info(False)), product, "BTCUSDT", VENUE).instrument.kind is InstrumentKind.MARGIN


@pytest.mark.parametrize(
    ("product", "changes", "words"),
    [
        (Product.SPOT, {"status": "BREAK"}, "BREAK"),
        (Product.SPOT, {"status": "CANCEL_ONLY"}, "takes no new orders"),
        (Product.UM, {"status": "SETTLING"}, "SETTLING"),
        (Product.UM, {"contractType": "CURRENT_QUARTER"}, "only perpetuals"),
        (Product.UM, {"marginAsset": "BTC"}, "margined in BTC"),
        (Product.MARGIN, {"isMarginTradingAllowed": False}, "kind spot"),
    ],
)
def test_what_cannot_be_traded_now_says_why(product: Product, changes: dict[str, Any], words: str) -> None:
    """One line for the operator, before anything is placed."""
    found = listing_of(answer(info(product.is_futures, **changes)), product, "BTCUSDT", VENUE)

    assert words in found.problem and "\n" not in found.problem


def test_an_unknown_symbol_is_the_operators_mistake() -> None:
    """Spot answers with a refusal, futures with a list that does not have it."""
    refused = answer({"code": -1121, "msg": "Invalid symbol."}, 400)

    with pytest.raises(UnknownSymbol, match="no dash"):
        listing_of(refused, Product.SPOT, "BTC-USDT", VENUE)
    with pytest.raises(UnknownSymbol, match="USD-M"):
        listing_of(answer(info(True)), Product.UM, "BTCUSD", VENUE)
    with pytest.raises(Refused):
        listing_of(answer({"code": -1003, "msg": ""}, 429), Product.SPOT, "BTCUSDT", VENUE)


@pytest.mark.parametrize(
    "changes",
    [
        {"filters": []},
        {"filters": SPOT_FILTERS[1:]},
        {"filters": [SPOT_FILTERS[0] | {"tickSize": "0"}, *SPOT_FILTERS[1:]]},
        {"filters": [SPOT_FILTERS[0] | {"tickSize": "NaN"}, *SPOT_FILTERS[1:]]},
        {"filters": "none"},
        {"baseAsset": None},
    ],
)
def test_filters_that_cannot_be_are_no_filters(changes: dict[str, Any]) -> None:
    """A step of zero would divide by it; a missing one would let anything through."""
    with pytest.raises(BadPayload):
        listing_of(answer(info(False, **changes)), Product.SPOT, "BTCUSDT", VENUE)


def test_budgets_and_what_is_used_of_them() -> None:
    """The venue's own count corrects ours."""
    assert limits_of(answer(info(False)), "api") == (Limit("api/ip", 6000, 60), Limit("api/orders_10s", 100, 10))
    headers = [
        ("X-MBX-USED-WEIGHT-1M", "12"),
        ("x-mbx-used-weight", "99"),
        ("X-MBX-ORDER-COUNT-10S", "3"),
        ("X-SAPI-USED-UID-WEIGHT-1M", "6"),
        ("X-MBX-ORDER-COUNT-1D", "many"),
        ("Content-Type", "application/json"),
    ]
    assert usage_of("api", "/api/v3/order", headers) == (
        Weight("api/ip", 12),
        Weight("api/orders_10s", 3),
        Weight("sapi/uid", 6),
    )
    assert usage_of("api", "/sapi/v1/margin/order", headers)[1] == Weight("sapi/orders_10s", 3)
