"""What a simulated venue must remember over the death of its process: accounts, positions, orders, trades, id counters.

What rested is canceled when it comes back, as venues do that cancel on disconnect. Markets begin anew.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hedgerow.market.answers import FundingReport, InterestReport, OrderRequest, PositionSide, TradeReport
from hedgerow.market.exchange import SimExchange
from hedgerow.market.state import VenueOrder
from hedgerow.model.ids import AccountId, InstrumentId, VenueId
from hedgerow.model.order import OrderStatus

RESTARTED = "VENUE_RESTARTED"


class SavedOrder(msgspec.Struct, frozen=True):
    """One order, open or ended."""

    id: str
    request: OrderRequest
    leaves_qty: Decimal
    status: OrderStatus
    reason: str


class SavedHolding(msgspec.Struct, frozen=True):
    """One position, or what a balance cost."""

    net_qty: Decimal
    net_cost: Decimal


class SavedSeat(msgspec.Struct, frozen=True):
    """One account in one market."""

    holdings: dict[PositionSide, SavedHolding]
    orders: list[SavedOrder]
    "Oldest first."
    trades: list[TradeReport]
    cost: SavedHolding | None = None


class SavedAccount(msgspec.Struct, frozen=True):
    """One account."""

    balances: dict[str, Decimal]
    seats: dict[InstrumentId, SavedSeat]


class SavedExchange(msgspec.Struct, frozen=True):
    """One venue."""

    venue_id: VenueId
    next_order_id: int
    next_trade_ids: dict[InstrumentId, int]
    venue_trades: int
    accounts: dict[AccountId, SavedAccount]
    funding: dict[AccountId, list[FundingReport]] = {}
    interest: dict[AccountId, list[InterestReport]] = {}


def save(exchange: SimExchange) -> SavedExchange:
    """Return what the venue must remember."""
    accounts = {}
    for account_id, account in exchange._accounts.items():
        seats = {}
        for instrument_id, seat in account.seats.items():
            holdings = {side: SavedHolding(held.net_qty, held.net_cost) for side, held in seat.holdings.items()}
            orders = [
                SavedOrder(order.id, order.request, order.leaves_qty, order.status, order.reason)
                for order in seat.by_venue_id.values()
            ]
            cost = None if seat.cost is None else SavedHolding(seat.cost.net_qty, seat.cost.net_cost)
            seats[InstrumentId(instrument_id)] = SavedSeat(holdings, orders, list(seat.trades), cost)
        accounts[account_id] = SavedAccount(dict(account.balances), seats)
    trade_ids = {instrument_id: market.next_trade_id for instrument_id, market in exchange._markets.items()}
    return SavedExchange(exchange.venue_id, exchange._next_order_id, trade_ids, exchange._venue_trades, accounts)


def restore(exchange: SimExchange, saved: SavedExchange) -> None:
    """Bring a new venue with the same accounts to what it was; what is no longer there is left out.

    An account or instrument that is new keeps what it was opened with.
    """
    assert exchange.venue_id == saved.venue_id, (exchange.venue_id, saved.venue_id)
    exchange._next_order_id = max(exchange._next_order_id, saved.next_order_id)
    exchange._venue_trades = saved.venue_trades
    for instrument_id, trade_id in saved.next_trade_ids.items():
        if instrument_id in exchange._markets:
            market = exchange._markets[instrument_id]
            market.next_trade_id = max(market.next_trade_id, trade_id)
    for account_id, was in saved.accounts.items():
        account = exchange._accounts.get(account_id)
        if account is None:
            continue
        account.balances.update(was.balances)
        for currency in was.balances:
            account.locked.setdefault(currency, Decimal(0))
        for instrument_id, seat_was in was.seats.items():
            seat = account.seats.get(instrument_id)
            if seat is None:
                continue
            for side, held in seat_was.holdings.items():
                seat.holdings[side].net_qty, seat.holdings[side].net_cost = held.net_qty, held.net_cost
            if seat.cost is not None and seat_was.cost is not None:
                seat.cost.net_qty, seat.cost.net_cost = seat_was.cost.net_qty, seat_was.cost.net_cost
            seat.trades = list(seat_was.trades)
            for row in seat_was.orders:
                ended = row.status is not OrderStatus.OPEN
                order = VenueOrder(
                    row.id,
                    seat,
                    row.request,
                    row.leaves_qty,
                    seat.holdings.get(row.request.position_side),
                    status=row.status if ended else OrderStatus.CANCELED,
                    reason=row.reason if ended else RESTARTED,
                )
                seat.add(order)
                seat.close(order)
