"""The shapes of Binance's answers, as far as they are used. Numbers stay texts until they are judged."""

from __future__ import annotations

from typing import Annotated

import msgspec

from hedgerow.model.order import OrderStatus, Side
from hedgerow.venues.wire.payload import BadPayload, Number

SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
# What a venue says of an order. What is not here is a word that nobody has seen, and says nothing.
STATUSES: dict[str, OrderStatus] = {
    "NEW": OrderStatus.OPEN,
    "PENDING_NEW": OrderStatus.OPEN,
    "PARTIALLY_FILLED": OrderStatus.OPEN,
    "PENDING_CANCEL": OrderStatus.OPEN,
    "FILLED": OrderStatus.FILLED,
    "CANCELED": OrderStatus.CANCELED,
    "REJECTED": OrderStatus.REJECTED,
    "EXPIRED": OrderStatus.EXPIRED,
    "EXPIRED_IN_MATCH": OrderStatus.EXPIRED,
}
# The client order ids under which the venue itself trades a position: liquidation, auto-deleveraging, settlement.
# Source: Binance USD-M docs, "Event: Order Update" (checked 2026-07).
VENUE_MADE = ("autoclose-", "adl_autoclose", "settlement_autoclose-")


class Shape(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """What every shape has: names as JSON writes them. The one level of inheritance."""


class ErrorBody(Shape, frozen=True, gc=False):
    """A refusal."""

    code: int
    msg: str = ""


class SpotFill(Shape, frozen=True, gc=False):
    """One fill inside the answer to a spot order."""

    trade_id: int
    price: Number
    qty: Number
    commission: Number | None = None
    commission_asset: str | None = None


class OrderRow(Shape, frozen=True, gc=False):
    """One order, as answers and reads of every product show it."""

    symbol: str
    order_id: int | Annotated[str, msgspec.Meta(pattern="^[0-9]+$")]
    "A text in the answer to a margin cancel, a number elsewhere."
    client_order_id: str
    status: str | None = None
    side: str | None = None
    orig_qty: Number | None = None
    executed_qty: Number | None = None
    orig_client_order_id: str | None = None
    "In the answer to a spot cancel: whose order was canceled; `client_order_id` is the cancel's own there."
    transact_time: int | None = None
    expiry_reason: str | None = None
    fills: tuple[SpotFill, ...] = ()


class ConditionalRow(Shape, frozen=True, gc=False):
    """One order that waits for a price, of spot's list of open orders or of futures' own list. Somebody else's."""

    symbol: str
    side: str
    type: str = ""
    order_type: str = ""
    "Its type, on futures."
    orig_qty: Number = "0"
    quantity: Number | None = None
    "Its qty, on futures; nothing, or zero, for all of the position."
    stop_price: Number | None = None
    trigger_price: Number | None = None
    is_working: bool = True
    "Spot: the price has come."


class TradeRow(Shape, frozen=True, gc=False):
    """One trade of an account."""

    id: int
    order_id: int
    price: Number
    qty: Number
    time: int
    symbol: str
    commission: Number | None = None
    commission_asset: str | None = None
    side: str | None = None
    "Futures."
    is_buyer: bool | None = None
    "Spot and margin."
    maker: bool | None = None
    is_maker: bool | None = None


class SpotBalanceRow(Shape, frozen=True, gc=False):
    asset: str
    free: Number
    locked: Number


class SpotAccount(Shape, frozen=True, gc=False):
    balances: tuple[SpotBalanceRow, ...]


class MarginBalanceRow(Shape, frozen=True, gc=False):
    asset: str
    free: Number
    locked: Number
    borrowed: Number
    interest: Number


class MarginAccount(Shape, frozen=True, gc=False):
    user_assets: tuple[MarginBalanceRow, ...]


class FuturesBalanceRow(Shape, frozen=True, gc=False):
    asset: str
    balance: Number
    available_balance: Number | None = None


class PortfolioBalanceRow(Shape, frozen=True, gc=False):
    asset: str
    total_wallet_balance: Number
    cross_margin_free: Number
    cross_margin_locked: Number
    cross_margin_borrowed: Number
    cross_margin_interest: Number


class PositionRow(Shape, frozen=True, gc=False):
    symbol: str
    position_amt: Number
    entry_price: Number | None = None
    leverage: Number | None = None
    position_side: str = "BOTH"


class SymbolConfigRow(Shape, frozen=True, gc=False):
    symbol: str
    leverage: Number
    margin_type: str


class LeverageSet(Shape, frozen=True, gc=False):
    symbol: str
    leverage: Number


class PositionModeBody(Shape, frozen=True, gc=False):
    dual_side_position: bool


class IncomeRow(Shape, frozen=True, gc=False):
    income_type: str
    income: Number
    time: int
    tran_id: int | str
    symbol: str = ""


class InterestRow(Shape, frozen=True, gc=False):
    tx_id: int | str
    asset: str
    interest: Number
    interest_accured_time: int
    "Binance's own spelling."


class InterestPage(Shape, frozen=True, gc=False):
    rows: tuple[InterestRow, ...]


class BorrowRateRow(Shape, frozen=True, gc=False):
    asset: str
    next_hourly_interest_rate: Number


class StandardCommission(Shape, frozen=True, gc=False):
    maker: Number
    taker: Number


class SpotCommission(Shape, frozen=True, gc=False):
    standard_commission: StandardCommission


class TradeFeeRow(Shape, frozen=True, gc=False):
    symbol: str
    maker_commission: Number
    taker_commission: Number


class FuturesCommission(Shape, frozen=True, gc=False):
    maker_commission_rate: Number
    taker_commission_rate: Number


class Restrictions(Shape, frozen=True, gc=False):
    """What an API key may do. What the venue does not say is not allowed, but for withdrawals, which then are."""

    enable_withdrawals: bool = True
    enable_reading: bool = False
    enable_spot_and_margin_trading: bool = False
    enable_margin: bool = False
    enable_futures: bool = False
    enable_portfolio_margin_trading: bool = False
    ip_restrict: bool = False
    trading_authority_expiration_time: int | None = None
    "When a key that is bound to no address loses its right to trade, ms; None: it does not."


class ServerTime(Shape, frozen=True, gc=False):
    server_time: int


class ListenKeyBody(Shape, frozen=True, gc=False):
    listen_key: str


class ListenTokenBody(Shape, frozen=True, gc=False):
    token: str
    expiration_time: int


def side_of(word: str | None) -> Side:
    """Return the side of an order.

    Raises:
        BadPayload: there is no such side.
    """
    side = SIDES.get(word or "")
    if side is None:
        raise BadPayload(f"side is {word!r}, neither BUY nor SELL")
    return side


def is_venue_made(client_order_id: str) -> bool:
    """Return whether the venue itself made an order of this name."""
    return client_order_id.startswith(VENUE_MADE)
