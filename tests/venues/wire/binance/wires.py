"""What the tests of the Binance wire share: one watch per product, a signer, and orders."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hedgerow.core.commands import SubmitOrder
from hedgerow.model.ids import AccountId, ClientOrderId, LegId, VenueId
from hedgerow.model.instrument import FeeCurrency, Instrument
from hedgerow.model.order import OrderType, Role, Side
from hedgerow.venues.wire.binance.build import Requests
from hedgerow.venues.wire.binance.kinds import INSTRUMENT_KINDS, Product, Watch, instrument_id
from hedgerow.venues.wire.binance.signing import HmacSigner
from hedgerow.venues.wire.request import HttpAnswer, Stamp

NOW_NS = 1_800_000_000_000_000_000
ASKED_NS = NOW_NS - 20_000_000
NOW_MS = NOW_NS // 1_000_000
T_MS = 1_799_999_999_000
STAMP = Stamp(NOW_MS, 2_500)
ORDER_ID = ClientOrderId("hr-btc-1-2")
LEG = LegId("lead")
ACCOUNT = AccountId("binance/main")
VENUE = VenueId("binance")
# Binance's own example, published in its docs.
API_KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"


def watch(product: Product) -> Watch:
    """Return a watch of BTCUSDT."""
    instrument = Instrument(
        instrument_id(VENUE, "BTCUSDT", product),
        VENUE,
        INSTRUMENT_KINDS[product],
        "BTC",
        "USDT",
        Decimal("0.1"),
        Decimal("0.001"),
        Decimal("0.001"),
        fee_currency=FeeCurrency.QUOTE if product.is_futures else FeeCurrency.RECEIVED,
    )
    return Watch(ACCOUNT, LEG, instrument, "BTCUSDT", product)


def requests(product: Product, borrows: bool = False) -> Requests:
    """Return what builds the requests of an account for BTCUSDT."""
    return Requests(product, "BTCUSDT", HmacSigner(API_KEY, SECRET), "BTC", borrows)


def limit_order(**changes: object) -> SubmitOrder:
    """Return an order to buy 0.010 at 60000.5, changed."""
    order = SubmitOrder(
        ORDER_ID,
        LEG,
        watch(Product.UM).instrument.id,
        Side.BUY,
        Decimal("0.010"),
        OrderType.LIMIT,
        Role.ENTRY,
        Decimal("60000.50"),
    )
    return msgspec.structs.replace(order, **changes)


def answer(body: object, status: int = 200, retry_after_s: int = 0) -> HttpAnswer:
    """Return an answer: bytes as they are, anything else as JSON."""
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return HttpAnswer(status, raw, retry_after_s)
