"""Answers: from the bytes that came back to the events that they are worth.

Nothing here says 'rejected' without a proof. What cannot be read is *unknown* for an order, and *failed* for a read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import TypeVar, assert_never

import msgspec

from hedgerow.core.commands import CancelOrder, CancelOrphan, QueryOrder, Read, SetLeverage, SubmitOrder
from hedgerow.core.events import (
    Balance,
    BalancesRead,
    BorrowRateReceived,
    CancelAnswered,
    CancelOutcome,
    Event,
    FillReceived,
    LeverageAnswered,
    OpenOrder,
    OpenOrdersRead,
    OrderAccepted,
    OrderNotFound,
    OrderQueryFailed,
    OrderRejected,
    OrderReported,
    OrderUnknown,
    PositionRead,
    ReadFailed,
    ReadKind,
    RejectClass,
)
from hedgerow.model.ids import ClientOrderId, TradeId, VenueOrderId, decode_order_id
from hedgerow.model.market import BorrowRate
from hedgerow.model.order import Fill, OrderStatus
from hedgerow.venues.gateway import Request
from hedgerow.venues.outcomes import Proof
from hedgerow.venues.wire.binance import shapes
from hedgerow.venues.wire.binance.kinds import Product, Watch
from hedgerow.venues.wire.binance.outcomes import cancel_outcome_of, is_not_found, outcome_of
from hedgerow.venues.wire.binance.routes import Endpoint
from hedgerow.venues.wire.payload import (
    BadPayload,
    Number,
    amount,
    decoded,
    ns_of,
    positive,
    printable,
    shown,
    unsigned,
)
from hedgerow.venues.wire.request import HttpAnswer

NS_PER_S = 1_000_000_000
HOUR_S = 3_600
ONE_WAY = "BOTH"
# "No need to change margin type", "No need to change position side".
_ALREADY_SO = frozenset({-4046, -4059})
# Of a venue's words in an event: more tells people nothing new.
TEXT_LEN = 300

Body = TypeVar("Body")

_ERROR = msgspec.json.Decoder(shapes.ErrorBody)
_ORDER = msgspec.json.Decoder(shapes.OrderRow)
_ORDERS = msgspec.json.Decoder(tuple[shapes.OrderRow, ...])
_SPOT_ACCOUNT = msgspec.json.Decoder(shapes.SpotAccount)
_MARGIN_ACCOUNT = msgspec.json.Decoder(shapes.MarginAccount)
_FUTURES_BALANCES = msgspec.json.Decoder(tuple[shapes.FuturesBalanceRow, ...])
# All assets, or the one that was asked for.
_PORTFOLIO_BALANCES = msgspec.json.Decoder(tuple[shapes.PortfolioBalanceRow, ...] | shapes.PortfolioBalanceRow)
_POSITIONS = msgspec.json.Decoder(tuple[shapes.PositionRow, ...])
_CONDITIONALS = msgspec.json.Decoder(tuple[shapes.ConditionalRow, ...])
_SYMBOL_CONFIGS = msgspec.json.Decoder(tuple[shapes.SymbolConfigRow, ...])
_LEVERAGE = msgspec.json.Decoder(shapes.LeverageSet)
_POSITION_MODE = msgspec.json.Decoder(shapes.PositionModeBody)
_BORROW_RATES = msgspec.json.Decoder(tuple[shapes.BorrowRateRow, ...])
_SPOT_COMMISSION = msgspec.json.Decoder(shapes.SpotCommission)
_TRADE_FEES = msgspec.json.Decoder(tuple[shapes.TradeFeeRow, ...])
_FUTURES_COMMISSION = msgspec.json.Decoder(shapes.FuturesCommission)
_RESTRICTIONS = msgspec.json.Decoder(shapes.Restrictions)
_SERVER_TIME = msgspec.json.Decoder(shapes.ServerTime)
_LISTEN_KEY = msgspec.json.Decoder(shapes.ListenKeyBody)
_LISTEN_TOKEN = msgspec.json.Decoder(shapes.ListenTokenBody)


class Refused(Exception):
    """The venue answered a question with a refusal."""

    def __init__(self, status: int, code: int, text: str, retry_after_s: int = 0) -> None:
        super().__init__(f"{status} {code} {text}".strip())
        self.status = status
        self.code = code
        "The venue's number; 0 when there was none, or the body could not be read."
        self.text = text
        self.retry_after_s = retry_after_s


class FeeRates(msgspec.Struct, frozen=True):
    """What trading costs, as ratios of the notional."""

    maker: Decimal
    taker: Decimal


class SymbolConfig(msgspec.Struct, frozen=True):
    """How an account trades one instrument of futures."""

    leverage: Decimal
    margin_type: str
    "`CROSSED` or `ISOLATED`."


def refusal_of(answer: HttpAnswer) -> Refused | None:
    """Return why an answer is a refusal; None when it is not one."""
    if 200 <= answer.status < 300:
        return None
    try:
        body = decoded(_ERROR, answer.body)
    except BadPayload:
        return Refused(answer.status, 0, shown(answer.body), answer.retry_after_s)
    return Refused(answer.status, body.code, printable(body.msg, TEXT_LEN), answer.retry_after_s)


def body_of(decoder: msgspec.json.Decoder[Body], answer: HttpAnswer) -> Body:
    """Return what an answer says.

    Raises:
        Refused: it is a refusal.
        BadPayload: it cannot be read.
    """
    refused = refusal_of(answer)
    if refused is not None:
        raise refused
    return decoded(decoder, answer.body)


# Orders.


def submitted(command: SubmitOrder, answer: HttpAnswer, watch: Watch, now_ns: int) -> tuple[Event, ...]:
    """Return what the answer to a new order is worth. Fills in it are fills: each has its trade id."""
    refused = refusal_of(answer)
    if refused is not None:
        return (_not_accepted(command, refused, watch, now_ns),)
    try:
        row = _own(decoded(_ORDER, answer.body), command.order_id, watch)
        accepted = OrderAccepted(now_ns, command.order_id, VenueOrderId(str(row.order_id)))
        report = _reported(row, command.order_id, watch, now_ns)
        # An order that only stands there has been told by its acceptance.
        is_news = report is not None and (report.status is not OrderStatus.OPEN or bool(report.cum_qty))
        reports = (report,) if report is not None and is_news else ()
        return (accepted, *_fills_of_reply(command, row, watch, now_ns), *reports)
    except BadPayload as error:
        return (OrderUnknown(now_ns, command.order_id, f"{answer.status} {error}"),)


def _not_accepted(command: SubmitOrder, refused: Refused, watch: Watch, now_ns: int) -> Event:
    outcome = outcome_of(watch.product, Endpoint.SUBMIT, refused.status, refused.code, refused.text)
    if outcome.reject_class is None:
        words = "exists already: " if outcome.proof is Proof.EXISTS else ""
        return OrderUnknown(now_ns, command.order_id, f"{words}{refused}")
    wait_ns = refused.retry_after_s * NS_PER_S
    code = str(refused.code)
    return OrderRejected(now_ns, command.order_id, outcome.reject_class, code, refused.text, wait_ns)


def _fills_of_reply(command: SubmitOrder, row: shapes.OrderRow, watch: Watch, now_ns: int) -> tuple[FillReceived, ...]:
    if not row.fills:
        return ()
    if row.transact_time is None:
        raise BadPayload("an order with fills has no transactTime")
    venue_ts_ns = ns_of(row.transact_time, "transactTime")
    return tuple(
        FillReceived(
            now_ns,
            Fill(
                trade_id_of(each.trade_id),
                watch.account_id,
                watch.instrument.id,
                command.side,
                positive(each.qty, "fill qty"),
                positive(each.price, "fill price"),
                venue_ts_ns,
                command.order_id,
                VenueOrderId(str(row.order_id)),
                *fee_of(each.commission, each.commission_asset),
            ),
        )
        for each in row.fills
    )


def canceled(order_id: ClientOrderId, answer: HttpAnswer, watch: Watch, now_ns: int) -> tuple[Event, ...]:
    """Return what the answer to a cancel is worth."""
    refused = refusal_of(answer)
    if refused is not None:
        outcome = cancel_outcome_of(refused.status, refused.code)
        return (CancelAnswered(now_ns, order_id, outcome, str(refused.code), refused.text),)
    try:
        row = _own(decoded(_ORDER, answer.body), order_id, watch)
        report = _reported(row, order_id, watch, now_ns)
    except BadPayload as error:
        return (CancelAnswered(now_ns, order_id, CancelOutcome.UNKNOWN, "", f"{answer.status} {error}"),)
    accepted = CancelAnswered(now_ns, order_id, CancelOutcome.ACCEPTED)
    return (accepted,) if report is None else (accepted, report)


def queried(command: QueryOrder, answer: HttpAnswer, watch: Watch, asked_ns: int, now_ns: int) -> tuple[Event, ...]:
    """Return what the answer to a query is worth."""
    refused = refusal_of(answer)
    if refused is not None:
        if is_not_found(refused.status, refused.code):
            return (OrderNotFound(now_ns, command.order_id, asked_ns),)
        return (OrderQueryFailed(now_ns, command.order_id, str(refused)),)
    try:
        row = decoded(_ORDER, answer.body)
        if command.order_id:
            row = _own(row, command.order_id, watch)
        elif str(row.order_id) != command.venue_order_id or row.symbol != watch.symbol:
            raise BadPayload(f"asked for {command.venue_order_id}, told of {row.order_id} of {row.symbol}")
        report = _reported(row, ClientOrderId(row.client_order_id), watch, now_ns)
    except BadPayload as error:
        return (OrderQueryFailed(now_ns, command.order_id, f"{answer.status} {error}"),)
    if report is None:
        return (OrderQueryFailed(now_ns, command.order_id, f"status {row.status!r} is not known"),)
    return (report,)


def _own(row: shapes.OrderRow, order_id: ClientOrderId, watch: Watch) -> shapes.OrderRow:
    """Return the row if it is of the order that was asked about: answers slip, and the wrong one must not count."""
    name = row.orig_client_order_id or row.client_order_id
    if name != order_id:
        raise BadPayload(f"the answer is of order {shown(name)}, not of {order_id}")
    if row.symbol != watch.symbol:
        raise BadPayload(f"the answer is of {shown(row.symbol)}, not of {watch.symbol}")
    return row


def _reported(row: shapes.OrderRow, order_id: ClientOrderId, watch: Watch, now_ns: int) -> OrderReported | None:
    """Return what a row says of its order; None when its status is missing, or a word that nobody has seen."""
    status = shapes.STATUSES.get(row.status or "")
    if status is None:
        return None
    cum_qty = None if row.executed_qty is None else unsigned(row.executed_qty, "executedQty")
    venue_order_id = VenueOrderId(str(row.order_id))
    reason = row.expiry_reason or ("" if status is not OrderStatus.EXPIRED else row.status or "")
    reason = printable(reason, TEXT_LEN)
    # Lists of trades bear no names: only so is a liquidation that no stream told of known for what it is.
    venue_made = watch.product.is_futures and shapes.is_venue_made(order_id)
    return OrderReported(
        now_ns, order_id, status, cum_qty, venue_order_id, reason, leg_id=watch.leg_id, venue_made=venue_made
    )


def trade_id_of(number: int) -> TradeId:
    """Return the id of a trade.

    Raises:
        BadPayload: it is none; then there is no fill either.
    """
    if number <= 0:
        raise BadPayload(f"trade id is {number}, which no trade has")
    return TradeId(str(number))


def fee_of(commission: Number | None, asset: str | None) -> tuple[Decimal | None, str]:
    """Return (fee, its currency); (None, "") when the venue did not say both, which is not zero."""
    if commission is None or not asset:
        return None, ""
    return amount(commission, "commission"), asset


# Reads.


def open_orders_read(answer: HttpAnswer, watch: Watch, asked_ns: int, now_ns: int) -> Event:
    """Return the open orders of the instrument."""
    try:
        rows = body_of(_ORDERS, answer)
        orders = tuple(_open_orders(row for row in rows if row.symbol == watch.symbol))
    except (Refused, BadPayload) as error:
        return ReadFailed(now_ns, watch.leg_id, ReadKind.OPEN_ORDERS, str(error))
    return OpenOrdersRead(now_ns, watch.leg_id, asked_ns, orders)


def _open_orders(rows: Iterable[shapes.OrderRow]) -> Iterator[OpenOrder]:
    for row in rows:
        try:
            yield _open_order(row)
        except BadPayload:
            # What somebody else placed may be of a kind that has no qty, and must not hide our own orders.
            if not row.client_order_id or decode_order_id(row.client_order_id) is not None:
                raise


def _open_order(row: shapes.OrderRow) -> OpenOrder:
    if row.orig_qty is None or row.executed_qty is None:
        raise BadPayload(f"open order {row.order_id} has no qty")
    return OpenOrder(
        VenueOrderId(str(row.order_id)),
        shapes.side_of(row.side),
        positive(row.orig_qty, "origQty"),
        unsigned(row.executed_qty, "executedQty"),
        ClientOrderId(row.client_order_id) if row.client_order_id else None,
    )


def position_read(answer: HttpAnswer, watch: Watch, asked_ns: int, now_ns: int) -> Event:
    """Return what the account holds of the instrument. A row that is missing is unknown, never zero."""
    try:
        if watch.product.is_futures:
            return _futures_position(body_of(_POSITIONS, answer), watch, asked_ns, now_ns)
        rows = {row.currency: row for row in _balances(answer, watch)}
        row = rows.get(watch.instrument.base)
        if row is None:
            raise BadPayload(f"no balance of {watch.instrument.base} in the answer")
        return PositionRead(now_ns, watch.leg_id, asked_ns, row.net, available=row.available)
    except (Refused, BadPayload) as error:
        return ReadFailed(now_ns, watch.leg_id, ReadKind.POSITION, str(error))


def _futures_position(rows: tuple[shapes.PositionRow, ...], watch: Watch, asked_ns: int, now_ns: int) -> PositionRead:
    found = [row for row in rows if row.symbol == watch.symbol]
    if not found:
        raise BadPayload(f"no position of {watch.symbol} in the answer")
    if [row.position_side for row in found] != [ONE_WAY]:
        raise BadPayload(f"the account keeps long and short of {watch.symbol} apart: set it to one-way mode")
    (row,) = found
    net_qty = amount(row.position_amt, "positionAmt")
    # A flat position has the price 0, which is none.
    price = None if net_qty == 0 or row.entry_price is None else positive(row.entry_price, "entryPrice")
    leverage = None if row.leverage is None else positive(row.leverage, "leverage")
    return PositionRead(now_ns, watch.leg_id, asked_ns, net_qty, price, leverage=leverage)


def balances_read(answer: HttpAnswer, watch: Watch, asked_ns: int, now_ns: int) -> Event:
    """Return what the account owns and owes."""
    try:
        return BalancesRead(now_ns, watch.leg_id, asked_ns, _balances(answer, watch))
    except (Refused, BadPayload) as error:
        return ReadFailed(now_ns, watch.leg_id, ReadKind.BALANCES, str(error))


def _balances(answer: HttpAnswer, watch: Watch) -> tuple[Balance, ...]:
    match watch.product:
        case Product.SPOT:
            return tuple(
                Balance(row.asset, _sum(row.free, row.locked), unsigned(row.free, "free"))
                for row in body_of(_SPOT_ACCOUNT, answer).balances
            )
        case Product.MARGIN:
            return tuple(
                Balance(
                    row.asset,
                    _sum(row.free, row.locked),
                    unsigned(row.free, "free"),
                    unsigned(row.borrowed, "borrowed"),
                    unsigned(row.interest, "interest"),
                )
                for row in body_of(_MARGIN_ACCOUNT, answer).user_assets
            )
        case Product.UM:
            return tuple(
                Balance(
                    row.asset,
                    amount(row.balance, "balance"),
                    None if row.available_balance is None else amount(row.available_balance, "availableBalance"),
                )
                for row in body_of(_FUTURES_BALANCES, answer)
            )
        case Product.PM_MARGIN:
            return tuple(
                Balance(
                    row.asset,
                    _sum(row.cross_margin_free, row.cross_margin_locked),
                    unsigned(row.cross_margin_free, "crossMarginFree"),
                    unsigned(row.cross_margin_borrowed, "crossMarginBorrowed"),
                    unsigned(row.cross_margin_interest, "crossMarginInterest"),
                )
                for row in _portfolio_rows(answer)
            )
        case Product.PM_UM:
            return tuple(
                Balance(
                    row.asset,
                    amount(row.total_wallet_balance, "totalWalletBalance"),
                    None,
                    unsigned(row.cross_margin_borrowed, "crossMarginBorrowed"),
                    unsigned(row.cross_margin_interest, "crossMarginInterest"),
                )
                for row in _portfolio_rows(answer)
            )
        case _:
            assert_never(watch.product)


def _portfolio_rows(answer: HttpAnswer) -> tuple[shapes.PortfolioBalanceRow, ...]:
    body = body_of(_PORTFOLIO_BALANCES, answer)
    return body if isinstance(body, tuple) else (body,)


def _sum(free: Number, locked: Number) -> Decimal:
    return unsigned(free, "free") + unsigned(locked, "locked")


def leverage_answered(answer: HttpAnswer, watch: Watch, now_ns: int) -> LeverageAnswered:
    """Return what the venue said to a leverage. What counts is what the next read of the position shows."""
    try:
        body = body_of(_LEVERAGE, answer)
    except (Refused, BadPayload) as error:
        return LeverageAnswered(now_ns, watch.leg_id, str(error))
    wrong = body.symbol != watch.symbol
    return LeverageAnswered(now_ns, watch.leg_id, f"the answer is of {shown(body.symbol)}" if wrong else "")


def borrow_rates_read(answer: HttpAnswer, watch: Watch, now_ns: int) -> tuple[BorrowRateReceived, ...]:
    """Return what loans cost in the next hour.

    Raises:
        Refused, BadPayload: it was not told.
    """
    return tuple(
        BorrowRateReceived(
            now_ns,
            watch.leg_id,
            BorrowRate(row.asset, now_ns, unsigned(row.next_hourly_interest_rate, "rate"), HOUR_S),
        )
        for row in body_of(_BORROW_RATES, answer)
    )


# Questions of the start, and of `doctor`. All raise Refused for a refusal and BadPayload for what cannot be read.


def server_time_ms(answer: HttpAnswer) -> int:
    """Return what time it is there."""
    time = body_of(_SERVER_TIME, answer).server_time
    ns_of(time, "serverTime")
    return time


def is_hedge_mode(answer: HttpAnswer) -> bool:
    """Return whether the account keeps long and short of one instrument apart."""
    return body_of(_POSITION_MODE, answer).dual_side_position


class Conditional(msgspec.Struct, frozen=True):
    """An order that waits at the venue for a price. None is ours: nothing here places such."""

    side: str
    type: str
    "Both in the venue's words."
    qty: Decimal
    "Zero: all of the position."
    trigger: Decimal
    "Zero: it trails."


def conditionals_of(answer: HttpAnswer, symbol: str) -> tuple[Conditional, ...]:
    """Return the orders of an instrument that wait for a price."""
    return tuple(
        Conditional(
            shown(row.side),
            shown(row.order_type or row.type),
            unsigned(row.orig_qty if row.quantity is None else row.quantity, "quantity"),
            unsigned(row.stop_price or row.trigger_price or "0", "trigger price"),
        )
        for row in body_of(_CONDITIONALS, answer)
        # Only a conditional order is told as not working, or has a type by another name.
        if row.symbol == symbol and (row.order_type or not row.is_working)
    )


def symbol_config_of(answer: HttpAnswer, symbol: str) -> SymbolConfig:
    """Return leverage and margin type of an instrument."""
    rows = [row for row in body_of(_SYMBOL_CONFIGS, answer) if row.symbol == symbol]
    if len(rows) != 1:
        raise BadPayload(f"{len(rows)} configs of {symbol} in the answer")
    return SymbolConfig(positive(rows[0].leverage, "leverage"), shown(rows[0].margin_type))


def fee_rates_of(answer: HttpAnswer, product: Product, symbol: str) -> FeeRates:
    """Return what trading costs."""
    if product.is_futures:
        futures = body_of(_FUTURES_COMMISSION, answer)
        maker, taker = futures.maker_commission_rate, futures.taker_commission_rate
    elif product is Product.SPOT:
        spot = body_of(_SPOT_COMMISSION, answer).standard_commission
        maker, taker = spot.maker, spot.taker
    else:
        rows = [row for row in body_of(_TRADE_FEES, answer) if row.symbol == symbol]
        if len(rows) != 1:
            raise BadPayload(f"{len(rows)} fee rates of {symbol} in the answer")
        maker, taker = rows[0].maker_commission, rows[0].taker_commission
    return FeeRates(amount(maker, "maker"), amount(taker, "taker"))


def permissions_of(answer: HttpAnswer) -> shapes.Restrictions:
    """Return what the API key may do."""
    return body_of(_RESTRICTIONS, answer)


def listen_key_of(answer: HttpAnswer) -> str:
    """Return the key of a private stream."""
    return body_of(_LISTEN_KEY, answer).listen_key


def listen_token_of(answer: HttpAnswer) -> tuple[str, int]:
    """Return (token, when it ends in ms) for the private stream of cross margin."""
    body = body_of(_LISTEN_TOKEN, answer)
    ns_of(body.expiration_time, "expirationTime")
    return body.token, body.expiration_time


def acknowledged(answer: HttpAnswer) -> None:
    """Accept an answer that says no more than yes, or that nothing was to be changed.

    Raises:
        Refused: it says no.
    """
    refused = refusal_of(answer)
    if refused is not None and refused.code not in _ALREADY_SO:
        raise refused


# No answer.


def unanswered(request: Request, detail: str, watch: Watch, now_ns: int) -> Event:
    """Return what a request is worth that left and got no whole answer: nothing is known."""
    match request:
        case SubmitOrder():
            return OrderUnknown(now_ns, request.order_id, detail)
        case CancelOrder() | CancelOrphan():
            return CancelAnswered(now_ns, request.order_id, CancelOutcome.UNKNOWN, "", detail)
        case QueryOrder():
            return OrderQueryFailed(now_ns, request.order_id, detail)
        case Read():
            return ReadFailed(now_ns, watch.leg_id, request.kind, detail)
        case SetLeverage():
            return LeverageAnswered(now_ns, watch.leg_id, detail)
        case _:
            assert_never(request)


def not_sent(request: Request, text: str, watch: Watch, now_ns: int) -> Event:
    """Return what a request is worth of which it is certain that nothing left."""
    match request:
        case SubmitOrder():
            return OrderRejected(now_ns, request.order_id, RejectClass.NOT_SENT, "", text)
        case CancelOrder() | CancelOrphan():
            return CancelAnswered(now_ns, request.order_id, CancelOutcome.REFUSED, "", text)
        case QueryOrder() | Read() | SetLeverage():
            return unanswered(request, text, watch, now_ns)
        case _:
            assert_never(request)
