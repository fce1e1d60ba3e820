"""A leg of a story whose venue is the simulated exchange: it decides by itself, and what it says comes at once."""

from __future__ import annotations

from decimal import Decimal

from hedgerow.core.commands import CancelOrder, CancelOrphan, Command, QueryOrder, Read, SetLeverage, SubmitOrder
from hedgerow.core.config import LegConfig
from hedgerow.core.events import (
    Balance,
    BalancesRead,
    CancelAnswered,
    CancelOutcome,
    Event,
    FillReceived,
    LeverageAnswered,
    OpenOrder,
    OpenOrdersRead,
    OrderAccepted,
    OrderNotFound,
    OrderRejected,
    OrderReported,
    OrderUnknown,
    PositionRead,
    QuoteReceived,
    ReadKind,
    TradesRead,
)
from hedgerow.market.answers import OrderReport, OrderRequest, Refused, TradeReport
from hedgerow.market.exchange import SimExchange
from hedgerow.market.fees import Fees
from hedgerow.market.rules import VenueRules
from hedgerow.model.ids import ClientOrderId, TradeId, VenueOrderId
from hedgerow.model.market import Level
from hedgerow.model.numbers import ZERO
from hedgerow.model.order import Fill, Side
from hedgerow.venues import outcomes

# Enough quote currency for any story; a story about too little gives its own.
QUOTE_BALANCE = Decimal(10_000_000)
# Any seed would do: it only decides where the venue's ids begin.
SEED = 1
DEPTH_SHOWN = 5


class ExchangedLeg:
    """One account on a venue of its own."""

    def __init__(self, leg: LegConfig, base_balance: Decimal, quote_balance: Decimal, fees: Fees) -> None:
        self._leg = leg
        self._exchange = SimExchange(leg.instrument.venue_id, (leg.instrument,), VenueRules(), SEED)
        balances = {leg.instrument.quote: quote_balance, leg.instrument.base: base_balance}
        self._exchange.open_account(leg.account_id, balances, fees)

    def quote(self, now_ns: int, bids: tuple[Level, ...], asks: tuple[Level, ...]) -> list[Event]:
        """Set what the market shows; resting orders that it crosses trade."""
        self._exchange.set_book(now_ns, self._leg.instrument.id, bids, asks)
        return self._heard(now_ns)

    def trade(self, now_ns: int, side: Side, qty: Decimal, price: Decimal) -> list[Event]:
        """Let somebody trade into the book; resting orders of ours that he reaches fill."""
        self._exchange.trade(now_ns, self._leg.instrument.id, price, qty, side)
        return self._heard(now_ns)

    def take(self, now_ns: int, request: Command) -> list[Event]:
        """Return what the venue says to one request."""
        match request:
            case SubmitOrder():
                return self._submit(now_ns, request)
            case CancelOrder() | CancelOrphan():
                return self._cancel(now_ns, request.order_id)
            case QueryOrder():
                return self._query(now_ns, request.order_id)
            case Read():
                return [self._read(now_ns, request)]
            case SetLeverage():
                return [self._set_leverage(now_ns, request)]
            case _:
                raise AssertionError(request)

    def _submit(self, now_ns: int, request: SubmitOrder) -> list[Event]:
        answer = self._exchange.submit(
            now_ns,
            self._leg.account_id,
            OrderRequest(
                request.order_id,
                request.instrument_id,
                request.side,
                request.qty,
                request.type,
                request.limit_price,
                request.time_in_force,
                request.post_only,
                request.reduce_only,
            ),
        )
        if isinstance(answer, Refused):
            return [refusal(now_ns, request.order_id, answer)]
        return [OrderAccepted(now_ns, request.order_id, VenueOrderId(answer.venue_order_id)), *self._heard(now_ns)]

    def _cancel(self, now_ns: int, order_id: ClientOrderId) -> list[Event]:
        instrument_id = self._leg.instrument.id
        answer = self._exchange.cancel(now_ns, self._leg.account_id, instrument_id, order_id)
        if isinstance(answer, Refused):
            return [CancelAnswered(now_ns, order_id, CancelOutcome.GONE, str(answer.code), answer.text)]
        return [CancelAnswered(now_ns, order_id, CancelOutcome.ACCEPTED), *self._heard(now_ns)]

    def _set_leverage(self, now_ns: int, request: SetLeverage) -> Event:
        refused = self._exchange.set_leverage(self._leg.account_id, self._leg.instrument.id, request.leverage)
        return LeverageAnswered(now_ns, request.leg_id, "" if refused is None else f"{refused.code} {refused.text}")

    def _query(self, now_ns: int, order_id: ClientOrderId) -> list[Event]:
        answer = self._exchange.query(now_ns, self._leg.account_id, self._leg.instrument.id, order_id)
        if isinstance(answer, Refused):
            return [OrderNotFound(now_ns, order_id, now_ns)]
        return [reported(now_ns, answer)]

    def _read(self, now_ns: int, read: Read) -> Event:
        account_id, instrument_id = self._leg.account_id, self._leg.instrument.id
        match read.kind:
            case ReadKind.OPEN_ORDERS:
                rows = tuple(
                    OpenOrder(
                        VenueOrderId(report.venue_order_id),
                        report.side,
                        report.qty,
                        report.cum_qty,
                        ClientOrderId(report.client_order_id),
                    )
                    for report in self._exchange.open_orders(account_id, instrument_id)
                )
                return OpenOrdersRead(now_ns, read.leg_id, now_ns, rows)
            case ReadKind.TRADES:
                trades = self._exchange.trades(account_id, instrument_id, int(read.cursor or 0))
                cursor = str(trades[-1].trade_id + 1) if trades else read.cursor
                return TradesRead(now_ns, read.leg_id, now_ns, tuple(self._fill(trade) for trade in trades), cursor)
            case ReadKind.BALANCES:
                owned = self._exchange.balances(account_id).items()
                balances = tuple(Balance(currency, max(net, ZERO), borrowed=max(-net, ZERO)) for currency, net in owned)
                return BalancesRead(now_ns, read.leg_id, now_ns, balances)
            case _:
                held = self._exchange.positions(account_id)[instrument_id]
                price = self._exchange.avg_price(account_id, instrument_id)
                leverage = self._exchange.leverage(account_id, instrument_id)
                return PositionRead(now_ns, read.leg_id, now_ns, held, price, leverage=leverage)

    def _heard(self, now_ns: int) -> list[Event]:
        """What the private stream says since the last time, and the book with our own orders in it."""
        events: list[Event] = []
        for _, report in self._exchange.drain():
            if isinstance(report, OrderReport):
                events.append(reported(now_ns, report))
            elif isinstance(report, TradeReport):
                events.append(FillReceived(now_ns, self._fill(report)))
        return events

    def shown(self, now_ns: int) -> QuoteReceived:
        """Return what the market shows."""
        return QuoteReceived(now_ns, self._exchange.quote(self._leg.instrument.id, DEPTH_SHOWN))

    def _fill(self, trade: TradeReport) -> Fill:
        return Fill(
            TradeId(str(trade.trade_id)),
            self._leg.account_id,
            trade.instrument_id,
            trade.side,
            trade.qty,
            trade.price,
            trade.venue_ts_ns,
            None if trade.venue_made else ClientOrderId(trade.client_order_id),
            VenueOrderId(trade.venue_order_id),
            trade.fee,
            trade.fee_currency,
            trade.is_maker,
            trade.venue_made,
        )


def reported(now_ns: int, report: OrderReport) -> OrderReported:
    """Return the event of one order as the exchange shows it."""
    return OrderReported(
        now_ns,
        ClientOrderId(report.client_order_id),
        report.status,
        report.cum_qty,
        VenueOrderId(report.venue_order_id),
        report.reason,
    )


def refusal(now_ns: int, order_id: ClientOrderId, answer: Refused) -> Event:
    """Return what an answer to a submit means: a definite refusal with its class, or no proof either way."""
    outcome = outcomes.of_submit(answer.status, answer.code, answer.text)
    if outcome.reject_class is None:
        return OrderUnknown(now_ns, order_id, f"{answer.status} {answer.code} {answer.text}".strip())
    wait_ns = answer.retry_after_s * 1_000_000_000
    return OrderRejected(now_ns, order_id, outcome.reject_class, str(answer.code), answer.text, wait_ns)
