"""Presets: the rules of instruments that a first config need not spell out, from how a symbol is written."""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec

from hedgerow.model.instrument import InstrumentKind
from hedgerow.model.numbers import ONE
from hedgerow.model.occ import parse_occ


class Preset(msgspec.Struct, frozen=True):
    """What a symbol says of itself. None: it says nothing, and the config must."""

    kind: InstrumentKind | None = None
    base: str | None = None
    quote: str | None = None
    tick: Decimal | None = None
    step: Decimal | None = None
    min_notional: Decimal = Decimal(0)
    reduce_only_exempt: bool = False
    multiplier: Decimal | None = ONE


_QUOTES = ("USDT", "USDC", "USD", "EUR")
# (tick, step) as Binance has them for the USDT pairs, spot and USD-M (recalled, not checked).
_SPOT = {"BTC": ("0.01", "0.00001"), "ETH": ("0.01", "0.0001"), "SOL": ("0.01", "0.001")}
_PERP = {"BTC": ("0.1", "0.001"), "ETH": ("0.01", "0.001"), "SOL": ("0.01", "0.1")}
# Where a synthetic market begins when the config does not say; round numbers near those of 2024.
START_PRICES = {"BTC": Decimal(60_000), "ETH": Decimal(3_000), "SOL": Decimal(150), "SPY": Decimal(500)}


def preset(symbol: str, kind: InstrumentKind | None = None) -> Preset:
    """Return what `symbol` says.

    `BTC-USD` is spot, `BTC-PERP` a perpetual in USD, `BTCUSDT` spot, `SPY` a stock, and
    `SPY261120C00600000` an option on it.

    Args:
        symbol: as the venue writes it.
        kind: overrides what the symbol looks like; `BTCUSDT` may be a perpetual.
    """
    base, quote, seems = _read(symbol)
    kind = kind or seems
    contract = parse_occ(symbol) if kind is InstrumentKind.OPTION else None
    if contract is not None:
        # A US contract is for 100 shares, unless it was adjusted: then the config says so.
        multiplier = None if contract.is_adjusted else Decimal(100)
        return Preset(kind, symbol, "USD", Decimal("0.01"), Decimal(1), multiplier=multiplier)
    if kind is InstrumentKind.STOCK:
        return Preset(kind, base, quote, Decimal("0.01"), Decimal(1))
    if kind is InstrumentKind.PERP:
        tick, step = _PERP.get(base or "", (None, None))
    elif kind in (InstrumentKind.SPOT, InstrumentKind.MARGIN):
        tick, step = _SPOT.get(base or "", (None, None))
    else:
        tick, step = None, None
    if tick is None or step is None:
        derivative = kind not in (InstrumentKind.SPOT, InstrumentKind.MARGIN)
        return Preset(kind, base, quote, multiplier=None if derivative else ONE)
    # Binance: spot 5, USD-M 5 to 100 by symbol, reduce-only orders exempt there.
    return Preset(kind, base, quote, Decimal(tick), Decimal(step), Decimal(5), kind is InstrumentKind.PERP)


def _read(symbol: str) -> tuple[str | None, str | None, InstrumentKind | None]:
    base, dash, rest = symbol.partition("-")
    if dash and rest == "PERP":
        return base, "USD", InstrumentKind.PERP
    if dash and rest in _QUOTES:
        return base, rest, InstrumentKind.SPOT
    for quote in _QUOTES:
        if not dash and symbol.endswith(quote) and len(symbol) > len(quote):
            return symbol[: -len(quote)], quote, InstrumentKind.SPOT
    if parse_occ(symbol) is not None:
        return symbol, "USD", InstrumentKind.OPTION
    if re.fullmatch(r"[A-Z]{1,5}(\.[A-Z])?", symbol):
        return symbol, "USD", InstrumentKind.STOCK
    return None, None, None
