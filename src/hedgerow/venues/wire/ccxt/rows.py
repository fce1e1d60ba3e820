"""ccxt's unified rows as nouns. ccxt is told to keep numbers as text (`number=str`); one that is none is not taken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from hedgerow.core.events import Balance
from hedgerow.model.ids import AccountId, ClientOrderId, InstrumentId, TradeId, VenueId, VenueOrderId
from hedgerow.model.instrument import FeeCurrency, Instrument, InstrumentKind
from hedgerow.model.market import Level, Quote
from hedgerow.model.numbers import ONE, ZERO
from hedgerow.model.order import Fill, OrderStatus, Side
from hedgerow.model.words import Word
from hedgerow.venues.wire.payload import (
    BadPayload,
    Number,
    amount,
    ns_of,
    positive,
    printable,
    unsigned,
)

Row = Mapping[str, Any]
"One of ccxt's dicts. None lives longer than the function that reads it."
NameOf = Callable[[str], ClientOrderId]

PERP_SUFFIX = "-PERP"
# ccxt's `TICK_SIZE` and `DECIMAL_PLACES`; significant digits are no grid.
TICK_SIZE, DECIMAL_PLACES = 4, 2
SIDES = {"buy": Side.BUY, "sell": Side.SELL}
# `closed` is not here: fills decide what it means, not the word.
STATUSES = {
    "open": OrderStatus.OPEN,
    "canceling": OrderStatus.OPEN,
    "canceled": OrderStatus.CANCELED,
    "expired": OrderStatus.EXPIRED,
    "rejected": OrderStatus.REJECTED,
}


class Kind(Word):
    """What an account behind ccxt trades."""

    SPOT = "spot"
    SWAP = "swap"
    "Linear perpetuals: settled in what they are priced in."


class Market(msgspec.Struct, frozen=True):
    """One instrument, and how the exchange counts it."""

    symbol: str
    "As ccxt writes it: `BTC/USDT`, `BTC/USDT:USDT`."
    instrument: Instrument
    contract_size: Decimal = ONE
    "Base units in one of the exchange's contracts."
    problem: str = ""
    "Why it cannot be traded now; empty when it can."

    def contracts(self, qty: Decimal) -> Decimal:
        """Return base units as the exchange's contracts; exact, for what is on the step."""
        contracts = qty / self.contract_size
        assert contracts * self.contract_size == qty, (qty, self.contract_size)
        return contracts

    def base_qty(self, contracts: Decimal) -> Decimal:
        """Return the exchange's contracts as base units."""
        return contracts * self.contract_size


class OrderRow(msgspec.Struct, frozen=True):
    """What a row says of an order."""

    venue_order_id: VenueOrderId
    order_id: ClientOrderId | None
    status: OrderStatus | None
    "None when the word is missing, or one that nobody has seen."
    side: Side | None = None
    qty: Decimal | None = None
    cum_qty: Decimal | None = None


def symbol_of(kind: Kind, symbol: str) -> str:
    """Return a config's symbol as ccxt writes it: a perpetual has what it is settled in behind its pair."""
    if kind is Kind.SPOT or ":" in symbol:
        return symbol
    return f"{symbol}:{symbol.partition('/')[2]}"


def instrument_id_of(venue_id: VenueId, symbol: str, kind: Kind) -> InstrumentId:
    """Return the id of an instrument: a pair and its perpetual are two."""
    pair = symbol.partition(":")[0]
    return InstrumentId(f"{venue_id}:{pair}{PERP_SUFFIX if kind is Kind.SWAP else ''}")


def pair_of(instrument: Instrument) -> str:
    """Return a config's symbol out of an instrument's id."""
    return instrument.id.partition(":")[2].removesuffix(PERP_SUFFIX)


def market_of(row: Row, venue_id: VenueId, kind: Kind, precision_mode: int) -> Market:
    """Return an instrument out of a row of ccxt's markets.

    Raises:
        BadPayload: it is not told in full, or not what can be traded here.
    """
    symbol = _text(row, "symbol")
    if kind is Kind.SWAP and not (row.get("swap") and row.get("linear")):
        raise BadPayload(f"{symbol} is no linear perpetual")
    if kind is Kind.SPOT and not row.get("spot"):
        raise BadPayload(f"{symbol} is not spot")
    size = positive(_exact(row.get("contractSize"), "contractSize"), "contractSize") if kind is Kind.SWAP else ONE
    tick = _grid(row, "price", precision_mode)
    step = _grid(row, "amount", precision_mode)
    limits: Row = row.get("limits") or {}
    least, most = _limit(limits, "amount", "min"), _limit(limits, "amount", "max")
    most_market = _limit(limits, "market", "max")
    most = min((each for each in (most, most_market) if each), default=None)
    instrument = Instrument(
        instrument_id_of(venue_id, symbol, kind),
        venue_id,
        InstrumentKind.PERP if kind is Kind.SWAP else InstrumentKind.SPOT,
        _text(row, "base"),
        _text(row, "quote"),
        tick,
        step * size,
        max(least or step, step) * size,
        None if most is None else most * size,
        _limit(limits, "cost", "min") or ZERO,
        fee_currency=FeeCurrency.QUOTE if kind is Kind.SWAP else FeeCurrency.RECEIVED,
        can_reduce_only=kind is Kind.SWAP,
    )
    problem = f"{symbol} takes no orders now" if row.get("active") is False else ""
    return Market(symbol, instrument, size, problem)


def _grid(row: Row, name: str, precision_mode: int) -> Decimal:
    number = (row.get("precision") or {}).get(name)
    if precision_mode == DECIMAL_PLACES and isinstance(number, int | str):
        return ONE.scaleb(-int(number))
    if precision_mode != TICK_SIZE:
        raise BadPayload(f"{row.get('symbol')} has prices of so many digits, and no tick")
    return positive(_exact(number, f"precision of {name}"), f"precision of {name}")


def _limit(limits: Row, name: str, bound: str) -> Decimal | None:
    number = (limits.get(name) or {}).get(bound)
    return None if number is None else unsigned(_exact(number, f"{bound} {name}"), f"{bound} {name}") or None


def order_of(row: Row, market: Market, name_of: NameOf) -> OrderRow:
    """Return what a row says of its order.

    Raises:
        BadPayload: it is not of this instrument, or a number in it cannot be.
    """
    _of_market(row, market)
    name = row.get("clientOrderId")
    qty = _maybe(row, "amount", market)
    cum_qty = _maybe(row, "filled", market)
    return OrderRow(
        VenueOrderId(_text(row, "id")),
        name_of(name) if isinstance(name, str) and name else None,
        _status(row, qty, cum_qty),
        SIDES.get(row.get("side") or ""),
        qty,
        cum_qty,
    )


def _status(row: Row, qty: Decimal | None, cum_qty: Decimal | None) -> OrderStatus | None:
    word = row.get("status")
    if word != "closed":
        return STATUSES.get(word) if isinstance(word, str) else None
    if qty is None or cum_qty is None:
        return None
    return OrderStatus.FILLED if cum_qty >= qty else OrderStatus.CANCELED


def fill_of(row: Row, market: Market, account_id: AccountId, name_of: NameOf) -> Fill:
    """Return the fill that a row of own trades tells of. It bears no name of ours unless the exchange says so.

    Raises:
        BadPayload: it is none.
    """
    _of_market(row, market)
    side = SIDES.get(row.get("side") or "")
    if side is None:
        raise BadPayload(f"trade {row.get('id')} has no side")
    name, order_id = row.get("clientOrderId"), row.get("order")
    fee, currency = _fee(row)
    return Fill(
        TradeId(_text(row, "id")),
        account_id,
        market.instrument.id,
        side,
        market.base_qty(positive(_exact(row.get("amount"), "trade qty"), "trade qty")),
        positive(_exact(row.get("price"), "trade price"), "trade price"),
        ns_of(time_of(row), "trade time"),
        name_of(name) if isinstance(name, str) and name else None,
        VenueOrderId(order_id) if isinstance(order_id, str) and order_id else None,
        fee,
        currency,
        is_maker=row.get("takerOrMaker") == "maker",
    )


def time_of(row: Row) -> int:
    """Return when a trade or a payment was, ms. Raises BadPayload."""
    told = row.get("timestamp")
    if not isinstance(told, int):
        raise BadPayload(f"{row.get('id')} has no time")
    return told


def _fee(row: Row) -> tuple[Decimal | None, str]:
    fee: Row = row.get("fee") or {}
    cost, currency = fee.get("cost"), fee.get("currency")
    if cost is None or not isinstance(currency, str):
        return None, ""
    return amount(_exact(cost, "fee"), "fee"), currency


def funding_of(row: Row, market: Market) -> tuple[int, Decimal]:
    """Return (when, ms; what was received, negative when it was paid) of one payment of funding.

    Raises:
        BadPayload: it cannot be read, or is of another instrument.
    """
    _of_market(row, market)
    return time_of(row), amount(_exact(row.get("amount"), "funding"), "funding")


def held_of(rows: Iterable[Row], market: Market) -> tuple[Decimal, Decimal | None, Decimal | None] | None:
    """Return (net qty, average price, leverage) of the instrument; None when no row tells of it.

    Raises:
        BadPayload: a number cannot be, or long and short are kept apart.
    """
    found = [row for row in rows if row.get("symbol") == market.symbol]
    if not found:
        return None
    sizes = [unsigned(_exact(row.get("contracts"), "contracts"), "contracts") for row in found]
    held = [(row, size) for row, size in zip(found, sizes, strict=True) if size]
    if len(held) > 1 or any(row.get("hedged") is True for row, _ in held):
        raise BadPayload(f"the account keeps long and short of {market.symbol} apart: set it to one-way mode")
    leverage = found[0].get("leverage")
    factor = None if leverage is None else unsigned(_exact(leverage, "leverage"), "leverage") or None
    if not held:
        return ZERO, None, factor
    ((row, size),) = held
    signs = {"long": 1, "short": -1}
    if row.get("side") not in signs:
        raise BadPayload(f"the position in {market.symbol} has no side")
    price = row.get("entryPrice")
    average = None if price is None else positive(_exact(price, "entryPrice"), "entryPrice")
    return signs[row["side"]] * market.base_qty(size), average, factor


def leverage_of(row: Row) -> Decimal | None:
    """Return what an instrument is traded with, where long and short agree. Raises BadPayload."""
    told = {row.get("longLeverage"), row.get("shortLeverage")} - {None}
    if len(told) != 1:
        return None
    return positive(_exact(told.pop(), "leverage"), "leverage")


def balances_of(row: Row) -> tuple[Balance, ...]:
    """Return what the account owns and owes. Raises BadPayload."""
    free: Row = row.get("free") or {}
    debt: Row = row.get("debt") or {}
    totals: Row = row.get("total") or {}
    return tuple(
        Balance(
            currency,
            amount(_exact(total, currency), currency),
            None if free.get(currency) is None else amount(_exact(free[currency], currency), currency),
            None if debt.get(currency) is None else unsigned(_exact(debt[currency], currency), currency),
        )
        for currency, total in totals.items()
        if total is not None
    )


def quote_of(row: Row, market: Market, now_ns: int, levels: int) -> Quote:
    """Return the visible book. ccxt sorts text as text, so that it is sorted here.

    Raises:
        BadPayload: it cannot be read.
    """
    bids, asks = (_levels(row.get(side) or (), market) for side in ("bids", "asks"))
    bids.sort(reverse=True)
    asks.sort()
    return Quote(market.instrument.id, now_ns, tuple(bids[:levels]), tuple(asks[:levels]))


def _levels(rows: Sequence[Sequence[Any]], market: Market) -> list[Level]:
    return [
        (positive(_exact(row[0], "price"), "price"), market.base_qty(qty))
        for row in rows
        if (qty := unsigned(_exact(row[1], "qty"), "qty"))
    ]


def _maybe(row: Row, name: str, market: Market) -> Decimal | None:
    told = row.get(name)
    if told is None:
        return None
    return market.base_qty(unsigned(_exact(told, name), name))


def _of_market(row: Row, market: Market) -> None:
    """Pass if a row is of the instrument: answers slip, and the wrong one must not count."""
    if row.get("symbol") != market.symbol:
        raise BadPayload(f"told of {printable(str(row.get('symbol')), 40)}, not of {market.symbol}")


def _text(row: Row, name: str) -> str:
    told = row.get(name)
    if not isinstance(told, str) or not told:
        raise BadPayload(f"{name} is missing")
    return told


def _exact(told: object, name: str) -> Number:
    """Return a number as it stood in the payload. One that became a binary fraction on the way is not the same."""
    if isinstance(told, bool) or not isinstance(told, str | int):
        raise BadPayload(f"{name} is {printable(repr(told), 40)}, which is no exact number")
    return told
