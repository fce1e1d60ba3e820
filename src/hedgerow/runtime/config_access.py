"""What a config says of accounts at real venues, and what is known of an instrument before it is read there."""

from __future__ import annotations

from decimal import Decimal

from hedgerow.model.ids import VenueId
from hedgerow.model.instrument import Instrument, InstrumentKind
from hedgerow.model.reach import Reach
from hedgerow.model.words import Word
from hedgerow.runtime.access import Access, CcxtAccess
from hedgerow.runtime.config_shape import AccountShape, VenueShape
from hedgerow.runtime.config_text import KeyPath, Problem, dotted
from hedgerow.venues.transport.addresses import BadAddress, addresses_of
from hedgerow.venues.wire.binance.kinds import (
    INSTRUMENT_KINDS,
    LIVE_HOSTS,
    TESTNET_HOSTS,
    AccountKind,
    Product,
    instrument_id,
)
from hedgerow.venues.wire.ccxt.rows import Kind, instrument_id_of

SIM, CCXT = "sim", "ccxt"
# Half of a lease is for waiting here; the other one is for the limits of the venue (1 s), the window in which it takes
# a request (2 s), and the time in which it answers (10 s). Source: Binance docs, error -1007 (checked 2026-07).
LEASE_MS = {SIM: 2_000, "binance": 26_000, CCXT: 60_000}
# With ccxt it is the longest of any exchange that we know, and as much again.
# 20 s were seen.
VISIBILITY_MS = {SIM: 2_000, "binance": 30_000, CCXT: 60_000}
# What an instrument is priced in, longest first; which it is is read from the venue before anything is traded.
_QUOTES = ("FDUSD", "USDT", "USDC", "TUSD", "BTC", "ETH", "BNB", "EUR", "TRY", "USD")
# Stands in for filters until they are read: finer than any venue's.
_FINEST = Decimal("0.00000001")
_HAS_TESTNET = (AccountKind.SPOT, AccountKind.USDM)
# What each kind of account trades when a leg names no more than a symbol.
_PRODUCTS = {
    AccountKind.SPOT: Product.SPOT,
    AccountKind.MARGIN: Product.MARGIN,
    AccountKind.USDM: Product.UM,
}


def access_of(name: str, shape: AccountShape, venue: VenueShape) -> tuple[Access | CcxtAccess | None, list[Problem]]:
    """Return what leads to an account, and what is wrong with it; None for a simulated one."""
    path: KeyPath = ("accounts", name)
    if shape.venue == SIM:
        return None, _of_sim(path, shape)
    kinds: tuple[Word, ...] = tuple(Kind if shape.venue == CCXT else AccountKind)
    problems = [
        Problem("missing", f"{dotted(path)}: missing key '{key}'", path, True, help_)
        for key, value, help_ in (
            ("kind", shape.kind, f"one of {', '.join(kind.value for kind in kinds)}"),
            ("exchange", shape.exchange if shape.venue == CCXT else "", "as ccxt names it, e.g. exchange: kraken"),
            ("mode", None if shape.mode == SIM else shape.mode, "live, testnet or emulator"),
            ("key", shape.key, "the API key, by reference: env:NAME, file:PATH or cmd:COMMAND"),
            ("secret", shape.secret, "its secret, by reference: env:NAME, file:PATH or cmd:COMMAND"),
        )
        if value is None
    ]
    if problems:
        return None, problems
    assert shape.kind is not None, name
    assert shape.key is not None, name
    assert shape.secret is not None, name
    if shape.kind not in [each.value for each in kinds]:
        told = f"{dotted(path)}: venue {shape.venue} has no accounts of kind {shape.kind}"
        help_ = f"use one of {', '.join(each.value for each in kinds)}"
        return None, [Problem("contradiction", told, (*path, "kind"), help=help_)]
    if shape.venue == CCXT:
        return _of_ccxt(path, shape, venue)
    kind, reach = AccountKind(shape.kind), Reach(shape.mode)
    least_ms = LEASE_MS[shape.venue]
    if venue.lease_ms is not None and venue.lease_ms < least_ms:
        lease_path: KeyPath = ("venues", name.partition("/")[0], "lease_ms")
        told = f"{dotted(lease_path)}: {venue.lease_ms} is too short: Binance may take an order for longer"
        return None, [Problem("contradiction", told, lease_path, help=f"use at least {least_ms}, or leave it out")]
    if reach is Reach.TESTNET and kind not in _HAS_TESTNET:
        told = f"{dotted(path)}: Binance has no testnet for accounts of kind {kind.value}"
        return None, [Problem("contradiction", told, (*path, "mode"), help="use mode: emulator")]
    emulator = venue.address if reach is Reach.EMULATOR else None
    venue_path: KeyPath = ("venues", name.partition("/")[0])
    try:
        addresses_of(reach, LIVE_HOSTS, TESTNET_HOSTS, emulator)
    except BadAddress as error:
        at = path if venue.address is None else (*venue_path, "address")
        help_ = f"{dotted((*venue_path, 'address'))}: http://127.0.0.1:PORT, as `hedgerow emulate binance` tells"
        return None, [Problem("address", f"{dotted(at)}: {error}", at, help=help_)]
    return Access(kind, reach, shape.key, shape.secret, emulator, venue.ca, venue.proxy), []


def _of_ccxt(path: KeyPath, shape: AccountShape, venue: VenueShape) -> tuple[CcxtAccess | None, list[Problem]]:
    assert shape.exchange is not None, path
    assert shape.key is not None, path
    assert shape.secret is not None, path
    reach = Reach(shape.mode)
    emulator = venue.address if reach is Reach.EMULATOR else None
    try:
        # Which hosts there are, only ccxt knows.
        addresses_of(reach, {}, {}, emulator)
    except BadAddress as error:
        return None, [Problem("address", f"{dotted(path)}: {error}", path, help="venues.NAME.address")]
    kind, key, secret = Kind(shape.kind), shape.key, shape.secret
    return CcxtAccess(shape.exchange, kind, reach, key, secret, shape.passphrase, emulator, venue.ca, venue.proxy), []


def _of_sim(path: KeyPath, shape: AccountShape) -> list[Problem]:
    found: list[Problem] = []
    if shape.mode != SIM:
        told = f"{dotted(path)}: mode {shape.mode} belongs to a real venue"
        found.append(Problem("contradiction", told, (*path, "mode"), help="write venue: binance, or leave mode out"))
    if shape.kind is not None:
        told = f"{dotted(path)}: a simulated account has no kind"
        found.append(Problem("contradiction", told, (*path, "kind"), help="leave kind out, or write venue: binance"))
    return found


def provisional_of(venue: str, venue_id: VenueId, symbol: str, kind: str) -> Instrument | None:
    """Return what a symbol says of its instrument, at an account of a kind; None when the venue has no such kind."""
    kinds = Kind if venue == CCXT else AccountKind
    if kind not in [each.value for each in kinds]:
        return None
    if venue == CCXT:
        return _provisional_of_ccxt(venue_id, symbol, Kind(kind))
    return provisional(venue_id, symbol, AccountKind(kind))


def _provisional_of_ccxt(venue_id: VenueId, symbol: str, kind: Kind) -> Instrument:
    base, _, quote = symbol.partition("/")
    return Instrument(
        instrument_id_of(venue_id, symbol, kind),
        venue_id,
        InstrumentKind.PERP if kind is Kind.SWAP else InstrumentKind.SPOT,
        base,
        quote or "?",
        _FINEST,
        _FINEST,
        _FINEST,
        can_reduce_only=kind is Kind.SWAP,
    )


def provisional(venue_id: VenueId, symbol: str, kind: AccountKind) -> Instrument:
    """Return what a symbol says of its instrument. The venue's own filters take its place before anything is traded."""
    perp = symbol.removesuffix("-PERP")
    product = _PRODUCTS.get(kind)
    if product is None:
        # Portfolio margin has both; there the config writes which one it means.
        product = Product.PM_UM if perp != symbol else Product.PM_MARGIN
    quote = next((each for each in _QUOTES if perp.endswith(each) and perp != each), "")
    base = perp.removesuffix(quote) if quote else perp
    return Instrument(
        instrument_id(venue_id, perp, product),
        venue_id,
        INSTRUMENT_KINDS[product],
        base,
        quote or "?",
        _FINEST,
        _FINEST,
        _FINEST,
        can_reduce_only=product.is_futures,
    )
