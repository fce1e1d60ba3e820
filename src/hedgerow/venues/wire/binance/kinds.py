"""The kinds of accounts, what each trades and where: the words that the rest of the module shares."""

from __future__ import annotations

import msgspec

from hedgerow.model.ids import AccountId, InstrumentId, LegId, VenueId
from hedgerow.model.instrument import Instrument, InstrumentKind
from hedgerow.model.words import Word

# Where money is. Nothing else in the program names these hosts.
# Source: Binance docs, "General API Information" of each product (checked 2026-07).
LIVE_HOSTS = {
    "api": "https://api.binance.com",
    "fapi": "https://fapi.binance.com",
    "papi": "https://papi.binance.com",
    "ws-api": "wss://ws-api.binance.com/ws-api/v3",
    "stream": "wss://stream.binance.com:9443",
    "fstream": "wss://fstream.binance.com",
}
# Cross margin and portfolio margin have no testnet: `/sapi` and `papi` answer nothing there.
TESTNET_HOSTS = {
    "api": "https://testnet.binance.vision",
    "fapi": "https://demo-fapi.binance.com",
    "ws-api": "wss://ws-api.testnet.binance.vision/ws-api/v3",
    "stream": "wss://stream.testnet.binance.vision",
    "fstream": "wss://demo-fstream.binance.com",
}

PERP_SUFFIX = "-PERP"


class AccountKind(Word):
    """How an account is kept at the venue."""

    SPOT = "spot"
    MARGIN = "margin"
    "Cross margin: spot with borrowed funds."
    USDM = "usdm"
    "USD-M futures."
    PORTFOLIO = "portfolio"
    "Portfolio margin: cross margin and USD-M futures on one collateral."


class Product(Word):
    """What is traded, by which endpoints."""

    SPOT = "spot"
    MARGIN = "margin"
    UM = "um"
    PM_MARGIN = "pm_margin"
    PM_UM = "pm_um"

    @property
    def is_futures(self) -> bool:
        return self is Product.UM or self is Product.PM_UM

    @property
    def is_margin(self) -> bool:
        return self is Product.MARGIN or self is Product.PM_MARGIN


class NotTraded(ValueError):
    """An account of this kind does not trade an instrument of that kind. The text is for the operator."""


PRODUCTS: dict[tuple[AccountKind, InstrumentKind], Product] = {
    (AccountKind.SPOT, InstrumentKind.SPOT): Product.SPOT,
    (AccountKind.MARGIN, InstrumentKind.MARGIN): Product.MARGIN,
    (AccountKind.USDM, InstrumentKind.PERP): Product.UM,
    (AccountKind.PORTFOLIO, InstrumentKind.MARGIN): Product.PM_MARGIN,
    (AccountKind.PORTFOLIO, InstrumentKind.PERP): Product.PM_UM,
}
INSTRUMENT_KINDS: dict[Product, InstrumentKind] = {product: kind for (_, kind), product in PRODUCTS.items()}


def product_of(account_kind: AccountKind, instrument_kind: InstrumentKind) -> Product:
    """Return what an account trades when it trades an instrument of a kind.

    Raises:
        NotTraded: it cannot.
    """
    product = PRODUCTS.get((account_kind, instrument_kind))
    if product is None:
        able = ", ".join(account.value for account, kind in PRODUCTS if kind is instrument_kind)
        remedy = f"use an account of kind {able}" if able else "Binance has no such instrument here"
        raise NotTraded(f"a {account_kind.value} account trades no {instrument_kind.value}: {remedy}")
    return product


def instrument_id(venue_id: VenueId, symbol: str, product: Product) -> InstrumentId:
    """Return the id of an instrument: Binance writes a pair and its perpetual alike, and they are two."""
    return InstrumentId(f"{venue_id}:{symbol}{PERP_SUFFIX if product.is_futures else ''}")


class Watch(msgspec.Struct, frozen=True):
    """For whom answers and frames are read: they name an instrument and no leg."""

    account_id: AccountId
    leg_id: LegId
    instrument: Instrument
    symbol: str
    "As the venue writes it, e.g. `BTCUSDT`."
    product: Product
