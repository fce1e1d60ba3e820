"""Which quotes cannot matter: promises of a target's parts, and how they hold together."""

from __future__ import annotations

from decimal import Decimal

from hedgerow.core.book import Book
from hedgerow.core.target import WakePrice
from hedgerow.model.ids import LegId
from hedgerow.model.market import Quote
from hedgerow.model.numbers import BPS
from hedgerow.model.order import Side

Promise = tuple[WakePrice, ...] | None
"Prices inside which quotes change nothing; empty: no quote does. None: each may."


def together(*promises: Promise) -> Promise:
    """Return the promise that all of these make together; None when one of them makes none."""
    lows: dict[LegId, Decimal | None] = {}
    highs: dict[LegId, Decimal | None] = {}
    for promise in promises:
        if promise is None:
            return None
        for wake in promise:
            low, high = lows.get(wake.leg_id), highs.get(wake.leg_id)
            lows[wake.leg_id] = wake.low if low is None else low if wake.low is None else max(low, wake.low)
            highs[wake.leg_id] = wake.high if high is None else high if wake.high is None else min(high, wake.high)
    return tuple(WakePrice(leg_id, low, highs[leg_id]) for leg_id, low in lows.items())


def best_stays(leg_id: LegId, quote: Quote | None, side: Side, tick: Decimal) -> Promise:
    """Return inside which prices the best one of a side stays as it is: only where nothing fits into the spread."""
    if quote is None or quote.bid is None or quote.ask is None or quote.ask - quote.bid != tick:
        return None
    return (WakePrice(leg_id, quote.bid, quote.ask),)


def level_stays(book: Book) -> Promise:
    """Return inside which prices of the hedge leg what is owed stays as orderable, or as too small, as it is."""
    rule = book.config.hedge
    if rule is None or book.is_hedged:
        return ()
    instrument, quote = book.legs[rule.hedge].instrument, book.quote(rule.hedge)
    worth = instrument.floor_qty(abs(book.residual)) * instrument.multiplier
    if instrument.min_notional == 0 or worth == 0:
        return ()
    if quote is None or quote.bid is None or quote.ask is None:
        return None
    price = instrument.min_notional / worth
    if quote.bid > price:
        return (WakePrice(rule.hedge, low=price + instrument.tick),) if quote.bid > price + instrument.tick else None
    return (WakePrice(rule.hedge, high=price - instrument.tick),) if quote.ask < price - instrument.tick else None


def basis_stays_below(
    futures: LegId, spot: LegId, quotes: tuple[Quote | None, Quote | None], basis_bps: Decimal
) -> Promise:
    """Return inside which prices the basis of any two sides stays below, futures first: each leg has half the way."""
    factor = 1 + basis_bps * BPS
    high, low = quotes[0].ask if quotes[0] else None, quotes[1].bid if quotes[1] else None
    if high is None or low is None or factor <= 0 or high >= low * factor:
        return None
    middle = (high / factor + low) / 2
    return WakePrice(futures, high=middle * factor), WakePrice(spot, low=middle)


def basis_stays_above(
    futures: LegId, spot: LegId, quotes: tuple[Quote | None, Quote | None], basis_bps: Decimal
) -> Promise:
    """Return the same for a basis that stays above."""
    factor = 1 + basis_bps * BPS
    low, high = quotes[0].bid if quotes[0] else None, quotes[1].ask if quotes[1] else None
    if low is None or high is None or factor <= 0 or low <= high * factor:
        return None
    middle = (low / factor + high) / 2
    return WakePrice(futures, low=middle * factor), WakePrice(spot, high=middle)
