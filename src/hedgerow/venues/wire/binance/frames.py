"""Frames of the private streams: from bytes to the events of a leg, and to what the gateway itself must know.

A fill comes from a trade id and from nothing else. `TRADE_LITE` tells a trade without its fee a moment before
`ORDER_TRADE_UPDATE` tells it whole on the same connection, so it is not taken: one lost frame is found by the backfill.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hedgerow.core.events import Event, FillReceived, OrderReported
from hedgerow.model.ids import ClientOrderId, VenueOrderId
from hedgerow.model.order import Fill, OrderStatus
from hedgerow.venues.wire.binance import shapes
from hedgerow.venues.wire.binance.answers import fee_of, trade_id_of
from hedgerow.venues.wire.binance.kinds import Watch
from hedgerow.venues.wire.payload import BadPayload, Number, Text, amount, decoded, ns_of, positive, shown, unsigned

# Executions that change what is filled; CALCULATED is a liquidation.
_TRADES = frozenset({"TRADE", "CALCULATED"})
# Executions after which the name in `c` is the cancel's own, and the order's is in `C`.
_NAMED_BY_CANCEL = frozenset({"CANCELED", "REPLACED"})
COIN_M = "CM"
"Portfolio margin tells of coin-margined futures on the same stream; nothing here trades them."

# Why futures end an order, by the number in `er`. Source: USD-M docs, "Event: Order Update" (checked 2026-07).
_FUTURES_ENDS = {
    "1": "self-trade prevention",
    "2": "ioc remainder",
    "3": "ioc, self-trade prevention",
    "4": "reduce-only, knocked out",
    "5": "account liquidated",
    "6": "gte condition unsatisfied",
    "7": "symbol delisted",
    "8": "stop order expired after its trigger",
    "9": "market order, price too far from mark",
}


class Subscribed(msgspec.Struct, frozen=True):
    """A subscription to a private stream stands."""

    request_id: str
    subscription_id: int
    expires_ms: int | None = None
    "When a listen token's subscription ends; None when it does not."


class SubscriptionRefused(msgspec.Struct, frozen=True):
    """A subscription was refused: there is no private stream."""

    request_id: str
    status: int
    code: int
    text: str


class StreamEnded(msgspec.Struct, frozen=True):
    """The stream tells nothing more, although its socket may stay open: open another, and read what was missed."""

    reason: str


class FundingBooked(msgspec.Struct, frozen=True):
    """Funding was booked; of which instrument and how much, only the income tells."""


class BalanceMoved(msgspec.Struct, frozen=True):
    """A deposit, a withdrawal, a transfer or a lock: a balance changed without a trade."""

    currency: str
    net_qty: Decimal


class LoanChanged(msgspec.Struct, frozen=True):
    """A loan was taken, paid back, or charged with interest."""

    currency: str


class ConfigChanged(msgspec.Struct, frozen=True):
    """Somebody changed how the account trades: what was pinned must be read back."""

    detail: str


class Odd(msgspec.Struct, frozen=True):
    """A part of a frame was not understood; what else it said is here. The frame is to be kept, the order asked for."""

    detail: str


Notice = (
    Subscribed | SubscriptionRefused | StreamEnded | FundingBooked | BalanceMoved | LoanChanged | ConfigChanged | Odd
)
Told = Event | Notice


class _Head(msgspec.Struct, frozen=True, gc=False):
    """The outside of a frame: what it is, or where it is wrapped."""

    e: str = ""
    event: msgspec.Raw = msgspec.Raw(b"")
    data: msgspec.Raw = msgspec.Raw(b"")
    id: str | int | None = None
    status: int | None = None


class ExecutionReport(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={
        "symbol": "s",
        "client_order_id": "c",
        "original_id": "C",
        "side": "S",
        "execution": "x",
        "status": "X",
        "order_id": "i",
        "last_qty": "l",
        "cum_qty": "z",
        "last_price": "L",
        "trade_id": "t",
        "time": "T",
        "fee": "n",
        "fee_currency": "N",
        "is_maker": "m",
        "expiry": "eR",
        "rejection": "r",
        "futures_expiry": "er",
    },
):
    """What happened to one order: `executionReport` of spot and margin, and `o` of a futures `ORDER_TRADE_UPDATE`."""

    symbol: str
    client_order_id: str
    side: str
    execution: str
    status: str
    order_id: int
    last_qty: Number
    cum_qty: Number
    last_price: Number
    trade_id: int
    time: int
    original_id: str | None = None
    fee: Number | None = None
    fee_currency: str | None = None
    is_maker: bool = False
    expiry: str = ""
    rejection: str = "NONE"
    futures_expiry: str = "0"


class _OrderTradeUpdate(msgspec.Struct, frozen=True, gc=False):
    o: ExecutionReport
    fs: str = "UM"


class OrderFrame(msgspec.Struct, frozen=True, gc=False):
    """What happened to one order, and on which market: portfolio margin tells of both on one stream."""

    report: ExecutionReport
    is_futures: bool


class _AccountData(msgspec.Struct, frozen=True, gc=False):
    m: str


class _AccountUpdate(msgspec.Struct, frozen=True, gc=False):
    a: _AccountData
    fs: str = "UM"


class _BalanceUpdate(msgspec.Struct, frozen=True, gc=False):
    a: str
    d: Number


class _AssetOnly(msgspec.Struct, frozen=True, gc=False):
    a: str


class _Result(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    subscription_id: int | None = None
    expiration_time: int | None = None


class _SocketAnswer(msgspec.Struct, frozen=True, gc=False):
    status: int
    id: str | int | None = None
    result: _Result | None = None
    error: shapes.ErrorBody | None = None


Frame = OrderFrame | Notice | None
"One frame, understood; None when it is of no concern here."

_HEAD = msgspec.json.Decoder(_Head)
_REPORT = msgspec.json.Decoder(ExecutionReport)
_UPDATE = msgspec.json.Decoder(_OrderTradeUpdate)
_ACCOUNT = msgspec.json.Decoder(_AccountUpdate)
_BALANCE = msgspec.json.Decoder(_BalanceUpdate)
_ASSET = msgspec.json.Decoder(_AssetOnly)
_ANSWER = msgspec.json.Decoder(_SocketAnswer)

# Told by other frames as well, or of no concern to a hedge.
_UNUSED = frozenset(
    {
        "outboundAccountPosition",
        "TRADE_LITE",
        "listStatus",
        "MARGIN_CALL",
        "ALGO_UPDATE",
        "CONDITIONAL_ORDER_TRADE_UPDATE",
        "CONDITIONAL_ORDER_TRIGGER_REJECT",
        "openOrderLoss",
        "riskLevelChange",
        "MARGIN_LEVEL_STATUS_CHANGE",
        "STRATEGY_UPDATE",
        "GRID_UPDATE",
    }
)
_ENDS = frozenset({"listenKeyExpired", "eventStreamTerminated", "serverShutdown"})


def private_frame(raw: bytes | str) -> Frame:
    """Return what one frame of a private stream says.

    Raises:
        BadPayload: it cannot be understood. It is to be kept, and the stream goes on.
    """
    head = decoded(_HEAD, raw)
    # The socket API and combined streams put what they tell into an envelope. There is one, never two.
    wrapped = head.event or head.data
    if not head.e and wrapped:
        return _named(wrapped, decoded(_HEAD, wrapped))
    return _named(raw, head)


def _named(raw: Text, head: _Head) -> Frame:
    name = head.e
    if name == "executionReport":
        return OrderFrame(decoded(_REPORT, raw), False)
    if name == "ORDER_TRADE_UPDATE":
        update = decoded(_UPDATE, raw)
        return None if update.fs == COIN_M else OrderFrame(update.o, True)
    if not name:
        if head.status is not None:
            return _answer(decoded(_ANSWER, raw))
        raise BadPayload(f"neither an event nor an answer: {shown(raw)}")
    return _other(name, raw)


def _other(name: str, raw: Text) -> Frame:
    if name in _ENDS:
        return StreamEnded(name)
    if name == "ACCOUNT_UPDATE":
        account = decoded(_ACCOUNT, raw)
        return FundingBooked() if account.a.m == "FUNDING_FEE" and account.fs != COIN_M else None
    if name in ("balanceUpdate", "externalLockUpdate"):
        moved = decoded(_BALANCE, raw)
        return BalanceMoved(moved.a, amount(moved.d, "balance delta"))
    if name in ("liabilityChange", "USER_LIABILITY_CHANGE"):
        return LoanChanged(decoded(_ASSET, raw).a)
    if name == "ACCOUNT_CONFIG_UPDATE":
        return ConfigChanged(shown(raw))
    return None if name in _UNUSED else Odd(f"an event of the unknown kind {shown(name)}")


def _answer(answer: _SocketAnswer) -> Notice:
    request_id = "" if answer.id is None else str(answer.id)
    if answer.error is not None:
        return SubscriptionRefused(request_id, answer.status, answer.error.code, shown(answer.error.msg))
    if answer.status != 200 or answer.result is None or answer.result.subscription_id is None:
        raise BadPayload(f"an answer of status {answer.status} without a subscription")
    return Subscribed(request_id, answer.result.subscription_id, answer.result.expiration_time)


def told(frame: Frame, watch: Watch, now_ns: int) -> tuple[Told, ...]:
    """Return what a frame is worth for a leg; nothing when it is about another instrument.

    Raises:
        BadPayload: its numbers cannot be. Nothing of it is worth anything.
    """
    if isinstance(frame, OrderFrame):
        is_its = frame.report.symbol == watch.symbol and frame.is_futures is watch.product.is_futures
        return _told_of_order(frame.report, watch, now_ns) if is_its else ()
    return () if frame is None else (frame,)


def _told_of_order(report: ExecutionReport, watch: Watch, now_ns: int) -> tuple[Told, ...]:
    name = report.client_order_id
    if report.execution in _NAMED_BY_CANCEL and report.original_id:
        name = report.original_id
    order_id = ClientOrderId(name)
    cum_qty = unsigned(report.cum_qty, "cumulative qty")
    found: list[Told] = []
    if report.execution in _TRADES:
        if report.trade_id > 0:
            found.append(FillReceived(now_ns, _fill(report, order_id, watch)))
        elif unsigned(report.last_qty, "last qty") > 0:
            # A cumulative qty that no trade explains is never made into one: the trades are read.
            found.append(Odd(f"{shown(name)} filled {report.last_qty} without a trade id"))
    status = shapes.STATUSES.get(report.status)
    if status is None:
        found.append(Odd(f"{shown(name)} has the unknown status {shown(report.status)}"))
        return tuple(found)
    venue_order_id = VenueOrderId(str(report.order_id))
    reason = "" if status in (OrderStatus.OPEN, OrderStatus.FILLED) else _reason(report)
    venue_made = _is_venue_made(order_id, watch)
    found.append(
        OrderReported(
            now_ns, order_id, status, cum_qty, venue_order_id, reason, leg_id=watch.leg_id, venue_made=venue_made
        )
    )
    return tuple(found)


def _is_venue_made(order_id: ClientOrderId, watch: Watch) -> bool:
    return watch.product.is_futures and shapes.is_venue_made(order_id)


def _fill(report: ExecutionReport, order_id: ClientOrderId, watch: Watch) -> Fill:
    venue_made = _is_venue_made(order_id, watch)
    return Fill(
        trade_id_of(report.trade_id),
        watch.account_id,
        watch.instrument.id,
        shapes.side_of(report.side),
        positive(report.last_qty, "last qty"),
        positive(report.last_price, "last price"),
        ns_of(report.time, "trade time"),
        # The venue's own orders have names like ours; as a client order id they would be somebody's.
        None if venue_made or not order_id else order_id,
        VenueOrderId(str(report.order_id)),
        *fee_of(report.fee, report.fee_currency),
        is_maker=report.is_maker,
        venue_made=venue_made,
    )


def _reason(report: ExecutionReport) -> str:
    if report.expiry:
        return shown(report.expiry)
    if report.rejection != "NONE":
        return shown(report.rejection)
    return _FUTURES_ENDS.get(report.futures_expiry, "" if report.status == "CANCELED" else report.status)
