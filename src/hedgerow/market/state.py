"""What the exchange keeps: markets, accounts, and each account's orders, trades and position in a market."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from decimal import Decimal
from operator import attrgetter

import msgspec

from hedgerow.market.answers import OrderReport, OrderRequest, PositionMode, PositionSide, TradeReport
from hedgerow.market.fees import Fees
from hedgerow.market.limits import Meter
from hedgerow.market.matching import BookSide
from hedgerow.model.ids import AccountId
from hedgerow.model.instrument import Instrument, InstrumentKind
from hedgerow.model.market import FundingRate
from hedgerow.model.numbers import ZERO
from hedgerow.model.order import OrderStatus, Side

# Costs are kept to 10^-12 quote, so that a long life does not grow digits.
COST_QUANTUM = Decimal("1e-12")


class Market:
    """One instrument as the exchange trades it: its book, its last price, its trade ids."""

    __slots__ = (
        "asks",
        "bids",
        "funding",
        "instrument",
        "is_halted",
        "is_perp",
        "last_price",
        "next_trade_id",
        "seats",
    )

    def __init__(self, instrument: Instrument, first_trade_id: int) -> None:
        self.instrument = instrument
        self.is_perp = instrument.kind is InstrumentKind.PERP
        self.bids: BookSide[VenueOrder] = BookSide(Side.BUY)
        self.asks: BookSide[VenueOrder] = BookSide(Side.SELL)
        self.last_price: Decimal | None = None
        self.is_halted = False
        self.funding: FundingRate | None = None
        self.next_trade_id = first_trade_id
        self.seats: list[Seat] = []

    def mark(self) -> Decimal | None:
        """Return the middle of bid and ask, else the last price, else None."""
        bids, asks = self.bids.levels, self.asks.levels
        if bids and asks:
            return (bids[-1].price + asks[-1].price) / 2
        return self.last_price


class Holding:
    """A perpetual position: signed qty and what it cost."""

    __slots__ = ("net_cost", "net_qty", "position_side")

    def __init__(self, position_side: PositionSide) -> None:
        self.position_side = position_side
        self.net_qty = ZERO
        self.net_cost = ZERO

    def trade(self, net_qty: Decimal, price: Decimal, multiplier: Decimal) -> Decimal:
        """Add signed `net_qty` at `price` and return the realized P&L, quote. Through zero closes first, then opens."""
        held = self.net_qty
        after = held + net_qty
        cost = net_qty * price * multiplier
        self.net_qty = after
        if not held or (held > ZERO) == (net_qty > ZERO):
            self.net_cost += cost
            return ZERO
        if not after:
            realized = -self.net_cost - cost
            self.net_cost = ZERO
            return realized
        if (after > ZERO) == (held > ZERO):
            released = (self.net_cost * -net_qty / held).quantize(COST_QUANTUM)
            self.net_cost -= released
            return -released - cost
        realized = held * price * multiplier - self.net_cost
        self.net_cost = after * price * multiplier
        return realized

    def reducible_qty(self, side: Side) -> Decimal:
        """Return how much an order on `side` can shrink the position, >= 0."""
        if side is Side.BUY:
            return -self.net_qty if self.net_qty < ZERO else ZERO
        return self.net_qty if self.net_qty > ZERO else ZERO


class VenueOrder(msgspec.Struct, eq=False):
    """One order as the exchange keeps it."""

    id: str
    owner: Seat
    request: OrderRequest
    leaves_qty: Decimal
    holding: Holding | None
    "The position that it moves; None for what is paid from balances."
    price: Decimal = ZERO
    "Its limit price; zero for a market order, which never rests."
    ahead_qty: Decimal = ZERO
    "Kept by the book while it rests."
    status: OrderStatus = OrderStatus.OPEN
    reason: str = ""
    lock_currency: str = ""
    lock_per_unit: Decimal = ZERO
    "What of `lock_currency` is locked for each unit that rests."
    expires_ts_ns: int = 0
    "0 for an order that lives until it is canceled."

    def report(self, venue_ts_ns: int) -> OrderReport:
        """Return the order as it stands."""
        request = self.request
        return OrderReport(
            request.client_order_id,
            self.id,
            request.instrument_id,
            request.side,
            self.status,
            request.qty,
            request.qty - self.leaves_qty,
            self.reason,
            venue_ts_ns,
        )


class Seat:
    """One account in one market: its orders, trades and position there."""

    __slots__ = (
        "_closed",
        "_history_max",
        "account",
        "by_client_id",
        "by_venue_id",
        "cost",
        "holdings",
        "leverage",
        "market",
        "open",
        "reducing",
        "trades",
    )

    def __init__(self, account: Account, market: Market, history_max: int | None) -> None:
        self.account = account
        self.market = market
        self.leverage = account.leverage
        self._history_max = history_max
        self.open: dict[str, VenueOrder] = {}
        "Client order id to resting order."
        self.by_client_id: dict[str, VenueOrder] = {}
        "The newest order of each client order id, open or closed."
        self.by_venue_id: dict[str, VenueOrder] = {}
        self.reducing: dict[str, VenueOrder] = {}
        "Venue order id to resting order that may only reduce."
        self._closed: deque[VenueOrder] = deque()
        self.trades: list[TradeReport] = []
        self.holdings: dict[PositionSide, Holding] = {}
        "Position side to position; empty where balances are the position."
        self.open_holdings()
        tracked = market.instrument.kind in (InstrumentKind.STOCK, InstrumentKind.OPTION)
        self.cost = Holding(PositionSide.BOTH) if tracked else None
        "What a balance of stocks or options cost, as brokers tell it; None where venues tell no such thing."

    def open_holdings(self) -> None:
        """Begin anew with the positions that the account's mode has."""
        sides: tuple[PositionSide, ...] = ()
        if self.market.is_perp and self.account.position_mode is PositionMode.ONE_WAY:
            sides = (PositionSide.BOTH,)
        elif self.market.is_perp:
            sides = (PositionSide.LONG, PositionSide.SHORT)
        self.holdings = {side: Holding(side) for side in sides}

    def net_qty(self) -> Decimal:
        """Return the signed position; the whole base balance where there are no positions."""
        if self.holdings:
            return sum([holding.net_qty for holding in self.holdings.values()], ZERO)
        return self.account.balances.get(self.market.instrument.base, ZERO)

    def add(self, order: VenueOrder) -> None:
        """Remember a new order."""
        self.by_client_id[order.request.client_order_id] = order
        self.by_venue_id[order.id] = order

    def close(self, order: VenueOrder) -> None:
        """Note that `order` has ended, and forget the oldest ended ones beyond the bound."""
        if self._history_max is None:
            return
        self._closed.append(order)
        if len(self._closed) > self._history_max:
            forgotten = self._closed.popleft()
            del self.by_venue_id[forgotten.id]
            client_order_id = forgotten.request.client_order_id
            if self.by_client_id[client_order_id] is forgotten:
                del self.by_client_id[client_order_id]

    def add_trade(self, report: TradeReport) -> None:
        """Remember a trade, and forget the oldest ones beyond twice the bound."""
        self.trades.append(report)
        if self._history_max is not None and len(self.trades) > 2 * self._history_max:
            del self.trades[: -self._history_max]

    def trades_from(self, trade_id: int, limit: int) -> tuple[TradeReport, ...]:
        """Return up to `limit` trades from `trade_id` on, oldest first."""
        first = bisect_left(self.trades, trade_id, key=attrgetter("trade_id"))
        return tuple(self.trades[first : first + limit])


class Account:
    """One customer of the exchange: balances, what open orders lock of them, fees and settings."""

    __slots__ = ("balances", "fees", "id", "leverage", "locked", "meter", "perp_seats", "position_mode", "seats")

    def __init__(
        self,
        account_id: AccountId,
        balances: dict[str, Decimal],
        fees: Fees,
        position_mode: PositionMode,
        leverage: Decimal,
        meter: Meter | None,
    ) -> None:
        self.id = account_id
        self.balances = balances
        self.locked = dict.fromkeys(balances, ZERO)
        self.fees = fees
        self.position_mode = position_mode
        self.leverage = leverage
        self.meter = meter
        self.seats: dict[str, Seat] = {}
        "Instrument id to seat, one for each market of the venue."
        self.perp_seats: dict[str, list[Seat]] = {}
        "Quote currency to seats in perpetuals that settle in it; they share the balance as collateral."

    def sit(self, market: Market, history_max: int | None) -> None:
        """Open a seat in `market`."""
        seat = Seat(self, market, history_max)
        instrument = market.instrument
        self.seats[instrument.id] = seat
        market.seats.append(seat)
        currencies = (instrument.quote,) if market.is_perp else (instrument.base, instrument.quote)
        for currency in currencies:
            self.balances.setdefault(currency, ZERO)
            self.locked.setdefault(currency, ZERO)
        if market.is_perp:
            self.perp_seats.setdefault(instrument.quote, []).append(seat)
