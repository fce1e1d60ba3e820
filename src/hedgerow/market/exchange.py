"""A simulated exchange: accounts, orders, matching, fees, margin, funding, halts and limits, by the venues' own rules.

Synchronous and deterministic: time is an argument, and a seed decides where ids begin. It never invents a fault:
what it answers and reports is the truth, and whoever carries it to an engine may delay, lose, repeat or bend it.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from hedgerow.market.answers import (
    Accepted,
    CancelAccepted,
    FundingReport,
    InterestReport,
    OrderReport,
    OrderRequest,
    PositionMode,
    PositionReport,
    PositionSide,
    Refused,
    Report,
    TradeReport,
)
from hedgerow.market.fees import FEE_QUANTUM, Fees, in_base
from hedgerow.market.funds import lock_balance, lock_margin, must_liquidate, safe_distances
from hedgerow.market.limits import NS_PER_S, Meter
from hedgerow.market.matching import BookSide
from hedgerow.market.rules import (
    CLOSED_MARKET,
    DUPLICATE_PERP,
    DUPLICATE_SPOT,
    INVALID_SYMBOL,
    LEVERAGE_NOT_VALID,
    MODE_WITH_ORDERS,
    MODE_WITH_POSITION,
    NEEDLESS_REDUCE_ONLY,
    NOT_FILLABLE,
    NOT_REDUCING,
    OPEN_ORDERS,
    POSITION_SIDE_MISMATCH,
    SAME_POSITION_MODE,
    UNKNOWN_CANCEL,
    UNKNOWN_ORDER,
    WOULD_TAKE_PERP,
    WOULD_TAKE_SPOT,
    SelfTrade,
    VenueRules,
    broken_filter,
)
from hedgerow.market.state import Account, Holding, Market, Seat, VenueOrder
from hedgerow.model.ids import AccountId, InstrumentId, VenueId
from hedgerow.model.instrument import FeeCurrency, Instrument
from hedgerow.model.market import BorrowRate, FundingRate, Level, Quote
from hedgerow.model.numbers import ONE, ZERO
from hedgerow.model.order import OrderStatus, OrderType, Side, TimeInForce
from hedgerow.model.session import Sessions, day_close_ns, session_at

DAY_NS = 86_400 * NS_PER_S

# The words that Binance gives as the reason of an expiry.
EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"
NO_LIQUIDITY = "INSUFFICIENT_LIQUIDITY"
POST_ONLY = "POST_ONLY"
REDUCE_ONLY = "REDUCE_ONLY"
DAY_END = "DAY_END"
LIQUIDATION = "LIQUIDATION"


class SimExchange:
    """One venue. Every method that changes something is one step; what it did is in `drain`, in the venue's order.

    `submit`, `cancel` and `query` answer an unknown instrument as a venue does. Any other id that does not exist is the
    caller's mistake and raises KeyError.
    """

    def __init__(self, venue_id: VenueId, instruments: Iterable[Instrument], rules: VenueRules, seed: int) -> None:
        rng = random.Random(seed)
        self.venue_id = venue_id
        self._rules = rules
        self._now_ns = 0
        # Ids begin anywhere, so that two venues of one world do not use the same by habit.
        self._next_order_id = rng.randrange(10**8, 10**9)
        self._markets: dict[InstrumentId, Market] = {}
        for instrument in instruments:
            assert instrument.venue_id == venue_id, (instrument.id, venue_id)
            market = Market(instrument, rng.randrange(10**6, 10**7))
            assert not market.is_perp or instrument.fee_currency is FeeCurrency.QUOTE, instrument.id
            self._markets[instrument.id] = market
        self._accounts: dict[AccountId, Account] = {}
        self._borrow_rates: dict[str, BorrowRate] = {}
        self._day_orders: dict[str, VenueOrder] = {}
        self._out: list[tuple[AccountId, Report]] = []
        self._venue_trades = 0
        self._sessions: Sessions | None = None

    def set_sessions(self, sessions: Sessions) -> None:
        """Trade in these sessions only: between them orders are refused, resting ones stay and do not trade."""
        self._sessions = sessions

    def open_account(
        self,
        account_id: AccountId,
        balances: dict[str, Decimal],
        fees: Fees,
        position_mode: PositionMode = PositionMode.ONE_WAY,
        leverage: Decimal = ONE,
    ) -> None:
        """Let a new customer in.

        Args:
            balances: currency to what it owns.
            leverage: notional of perpetual positions per unit of collateral, > 0.
        """
        assert account_id not in self._accounts, account_id
        assert leverage > 0, (account_id, leverage)
        meter = None if self._rules.limits is None else Meter(self._rules.limits)
        account = Account(account_id, dict(balances), fees, position_mode, leverage, meter)
        for market in self._markets.values():
            account.sit(market, self._rules.history_max)
        self._accounts[account_id] = account

    def endow(self, account_id: AccountId, instrument_id: InstrumentId, net_qty: Decimal, price: Decimal) -> None:
        """Let an account hold a position that it brought along, bought or sold short at `price`."""
        seat = self._accounts[account_id].seats[instrument_id]
        instrument = seat.market.instrument
        for holding in seat.holdings.values():
            holding.trade(net_qty, price, instrument.multiplier)
            return
        seat.account.balances[instrument.base] += net_qty
        if seat.cost is not None:
            seat.cost.trade(net_qty, price, instrument.multiplier)

    def credit(self, account_id: AccountId, currency: str, net_qty: Decimal) -> None:
        """Book what came in, or with a minus went out, without a trade: a deposit, a transfer, interest paid."""
        account = self._accounts[account_id]
        account.balances[currency] = account.balances.get(currency, ZERO) + net_qty
        account.locked.setdefault(currency, ZERO)

    # What customers ask for

    def submit(self, now_ns: int, account_id: AccountId, request: OrderRequest) -> Accepted | Refused:
        """Take an order: it trades at once as far as it can, and rests, ends or expires by its terms."""
        self._see(now_ns)
        account = self._accounts[account_id]
        if account.meter is not None and self._rules.limits is not None:
            refused = account.meter.charge(now_ns, self._rules.limits.order_weight, 1)
            if refused is not None:
                return refused
        return self._submit(account, request)

    def cancel(
        self,
        now_ns: int,
        account_id: AccountId,
        instrument_id: InstrumentId,
        client_order_id: str = "",
        venue_order_id: str = "",
    ) -> CancelAccepted | Refused:
        """Cancel a resting order, named by one of its ids. Possible during a halt."""
        self._see(now_ns)
        account = self._accounts[account_id]
        if account.meter is not None and self._rules.limits is not None:
            refused = account.meter.charge(now_ns, self._rules.limits.cancel_weight)
            if refused is not None:
                return refused
        seat = account.seats.get(instrument_id)
        if seat is None:
            return INVALID_SYMBOL
        order = seat.open.get(client_order_id) if client_order_id else seat.by_venue_id.get(venue_order_id)
        if order is None or order.status is not OrderStatus.OPEN:
            return UNKNOWN_CANCEL
        return CancelAccepted(self._end_resting(order, OrderStatus.CANCELED, ""))

    def query(
        self,
        now_ns: int,
        account_id: AccountId,
        instrument_id: InstrumentId,
        client_order_id: str = "",
        venue_order_id: str = "",
    ) -> OrderReport | Refused:
        """Return an order as it stands, open or closed; of a client order id that was used again, the newest."""
        self._see(now_ns)
        account = self._accounts[account_id]
        if account.meter is not None and self._rules.limits is not None:
            refused = account.meter.charge(now_ns, self._rules.limits.query_weight)
            if refused is not None:
                return refused
        seat = account.seats.get(instrument_id)
        if seat is None:
            return INVALID_SYMBOL
        order = seat.by_client_id.get(client_order_id) if client_order_id else seat.by_venue_id.get(venue_order_id)
        return UNKNOWN_ORDER if order is None else order.report(self._now_ns)

    def charge(self, now_ns: int, account_id: AccountId, weight: int) -> Refused | None:
        """Count a read of `weight` against the account's limits, or return why it is refused."""
        meter = self._accounts[account_id].meter
        return None if meter is None else meter.charge(now_ns, weight)

    def open_orders(self, account_id: AccountId, instrument_id: InstrumentId) -> tuple[OrderReport, ...]:
        """Return the account's resting orders, oldest first."""
        seat = self._accounts[account_id].seats[instrument_id]
        return tuple([order.report(self._now_ns) for order in seat.open.values()])

    def trades(
        self, account_id: AccountId, instrument_id: InstrumentId, from_trade_id: int = 0, limit: int = 1000
    ) -> tuple[TradeReport, ...]:
        """Return up to `limit` of the account's trades from `from_trade_id` on, oldest first."""
        return self._accounts[account_id].seats[instrument_id].trades_from(from_trade_id, limit)

    def leverage(self, account_id: AccountId, instrument_id: InstrumentId) -> Decimal | None:
        """Return notional per unit of collateral of a perpetual; None for what is paid in full."""
        seat = self._accounts[account_id].seats[instrument_id]
        return seat.leverage if seat.market.is_perp else None

    def set_leverage(self, account_id: AccountId, instrument_id: InstrumentId, leverage: Decimal) -> Refused | None:
        """Set an account's leverage of a perpetual anew, or return why not: orders forbid it, as at Binance."""
        seat = self._accounts[account_id].seats[instrument_id]
        if not seat.market.is_perp or not 1 <= leverage <= self._rules.leverage_max:
            return LEVERAGE_NOT_VALID
        if seat.open:
            return OPEN_ORDERS
        seat.leverage = leverage
        return None

    def set_position_mode(self, account_id: AccountId, mode: PositionMode) -> Refused | None:
        """Set an account's position mode, or return why not: only when it has no position, as at Binance."""
        account = self._accounts[account_id]
        seats = [seat for seat in account.seats.values() if seat.market.is_perp]
        if account.position_mode is mode:
            return SAME_POSITION_MODE
        if any(seat.open for seat in seats):
            return MODE_WITH_ORDERS
        if any(holding.net_qty for seat in seats for holding in seat.holdings.values()):
            return MODE_WITH_POSITION
        account.position_mode = mode
        for seat in seats:
            seat.open_holdings()
        return None

    def positions(self, account_id: AccountId) -> dict[InstrumentId, Decimal]:
        """Return every instrument's signed position, zeros too; for what is paid from balances, the base balance."""
        seats = self._accounts[account_id].seats
        return {instrument_id: seats[instrument_id].net_qty() for instrument_id in self._markets}

    def sided_positions(self, account_id: AccountId, instrument_id: InstrumentId) -> dict[PositionSide, Decimal]:
        """Return the position of each side of a perpetual: BOTH in one-way mode, LONG and SHORT in hedge mode."""
        holdings = self._accounts[account_id].seats[instrument_id].holdings
        return {side: holding.net_qty for side, holding in holdings.items()}

    def avg_price(self, account_id: AccountId, instrument_id: InstrumentId) -> Decimal | None:
        """Return the average entry price of a net position; None when flat, or a balance of coins."""
        seat = self._accounts[account_id].seats[instrument_id]
        holdings = list(seat.holdings.values()) if seat.cost is None else [seat.cost]
        net_qty = sum([holding.net_qty for holding in holdings], ZERO)
        if not net_qty:
            return None
        net_cost = sum([holding.net_cost for holding in holdings], ZERO)
        return net_cost / (net_qty * seat.market.instrument.multiplier)

    def balances(self, account_id: AccountId) -> dict[str, Decimal]:
        """Return currency to what the account owns, open orders' locks and collateral included."""
        return dict(self._accounts[account_id].balances)

    def free_balances(self, account_id: AccountId) -> dict[str, Decimal]:
        """Return currency to what open orders do not lock."""
        account = self._accounts[account_id]
        return {currency: owned - account.locked[currency] for currency, owned in account.balances.items()}

    def drain(self) -> list[tuple[AccountId, Report]]:
        """Return what happened to accounts since the last call, in the venue's order."""
        out = self._out
        self._out = []
        return out

    # What the market does

    def show_part(self, instrument_id: InstrumentId) -> None:
        """Take what the market shows from now on as its best levels only: of worse prices it says nothing.

        An order there stands behind all that is shown at its price when that first is.
        """
        market = self._markets[instrument_id]
        market.bids.is_partial = market.asks.is_partial = True

    def note_price(self, instrument_id: InstrumentId, price: Decimal) -> None:
        """Take a price at which others traded last, with nobody here."""
        self._markets[instrument_id].last_price = price

    def resting(self, instrument_id: InstrumentId) -> list[VenueOrder]:
        """Return all accounts' resting orders, bids and then asks, the best first, and by age at one price."""
        market = self._markets[instrument_id]
        return [
            order
            for side in (market.bids, market.asks)
            if side.order_count
            for level in reversed(side.levels)
            for order in level.orders.values()
        ]

    def quote(self, instrument_id: InstrumentId, depth: int = 1) -> Quote:
        """Return the best `depth` levels of each side, accounts' orders included, as of the last time seen."""
        market = self._markets[instrument_id]
        return Quote(instrument_id, self._now_ns, market.bids.shown(depth), market.asks.shown(depth))

    def instrument(self, instrument_id: InstrumentId) -> Instrument:
        """Return the instrument with the filters now in force."""
        return self._markets[instrument_id].instrument

    def funding_rate(self, instrument_id: InstrumentId) -> FundingRate | None:
        """Return the coming funding of a perpetual, or None when none is set."""
        return self._markets[instrument_id].funding

    def set_book(self, now_ns: int, instrument_id: InstrumentId, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        """Replace all that the market shows. Accounts' orders stay; those that it crosses trade."""
        self._see(now_ns)
        market = self._markets[instrument_id]
        market.bids.set_all(bids)
        market.asks.set_all(asks)
        self._uncross(market)

    def update_levels(
        self, now_ns: int, instrument_id: InstrumentId, bids: Iterable[Level], asks: Iterable[Level]
    ) -> None:
        """Set what the market shows at some prices; qty 0 removes it. Accounts' orders that it crosses trade."""
        self._see(now_ns)
        market = self._markets[instrument_id]
        for price, qty in bids:
            market.bids.set_level(price, qty)
        for price, qty in asks:
            market.asks.set_level(price, qty)
        self._uncross(market)

    def set_top(self, now_ns: int, instrument_id: InstrumentId, bid: Level, ask: Level) -> None:
        """Set the best bid and ask: the market shows nothing better than them."""
        self._see(now_ns)
        market = self._markets[instrument_id]
        market.bids.cut(bid[0])
        market.bids.set_level(*bid)
        market.asks.cut(ask[0])
        market.asks.set_level(*ask)
        self._uncross(market)

    def trade(self, now_ns: int, instrument_id: InstrumentId, price: Decimal, qty: Decimal, aggressor: Side) -> None:
        """Let others trade `qty` at `price`, taken by `aggressor`.

        Accounts' orders at that price are filled after the queue ahead of them, and all of those that the aggressor
        would have met before. What the market shows is not changed: the venue sends levels of their own.
        """
        self._see(now_ns)
        market = self._markets[instrument_id]
        market.last_price = price
        side = market.bids if aggressor is Side.SELL else market.asks
        if not side.order_count or self._is_closed(market):
            return
        key = side.key(price)
        level = side.first_owned(key)
        while level is not None and level.key != key:
            order = level.head()
            self._fill_resting(side, order, order.leaves_qty)
            level = side.first_owned(key)
        while level is not None and level.orders and qty:
            order = level.head()
            if order.ahead_qty:
                part_qty = min(qty, order.ahead_qty)
                level.advance_queue(part_qty)
            else:
                part_qty = min(qty, order.leaves_qty)
                self._fill_resting(side, order, part_qty)
            qty -= part_qty

    def halt(self, instrument_id: InstrumentId) -> None:
        """Stop trading: new orders are refused, resting ones stay and do not trade."""
        self._markets[instrument_id].is_halted = True

    def resume(self, instrument_id: InstrumentId) -> None:
        """Trade again; resting orders that the market crossed meanwhile trade now."""
        market = self._markets[instrument_id]
        market.is_halted = False
        self._uncross(market)

    def set_instrument(self, instrument: Instrument) -> None:
        """Change filters. Resting orders stay as they are."""
        market = self._markets[instrument.id]
        was = market.instrument
        assert (instrument.kind, instrument.base, instrument.quote) == (was.kind, was.base, was.quote), instrument.id
        market.instrument = instrument

    def set_funding_rate(self, rate: FundingRate) -> None:
        """Set the rate and time of a perpetual's next funding; it repeats at that rate until set again."""
        market = self._markets[rate.instrument_id]
        assert market.is_perp, rate.instrument_id
        assert rate.interval_s > 0, rate
        market.funding = rate

    def set_borrow_rate(self, rate: BorrowRate) -> None:
        """Set what loans of a currency cost from now on; interest is charged after each whole interval."""
        assert rate.interval_s > 0, rate
        self._borrow_rates[rate.currency] = rate

    def borrow_rate(self, currency: str) -> BorrowRate | None:
        """Return what a loan costs, and since when the interval runs; None where loans are free."""
        return self._borrow_rates.get(currency)

    def next_due_ns(self) -> int | None:
        """Return when `advance` next has something to do by the clock, or None. Liquidation follows prices instead."""
        due = [market.funding.next_funding_ts_ns for market in self._markets.values() if market.funding is not None]
        due += [rate.ts_ns + rate.interval_s * NS_PER_S for rate in self._borrow_rates.values()]
        oldest = next(iter(self._day_orders.values()), None)
        if oldest is not None:
            due.append(oldest.expires_ts_ns)
        return min(due, default=None)

    def advance(self, now_ns: int) -> None:
        """Let time pass: expire DAY orders, pay funding, charge interest, liquidate accounts below their margin."""
        self._see(now_ns)
        while self._day_orders:
            order = next(iter(self._day_orders.values()))
            if order.expires_ts_ns > now_ns:
                break
            self._end_resting(order, OrderStatus.EXPIRED, DAY_END)
        for market in self._markets.values():
            while market.funding is not None and market.funding.next_funding_ts_ns <= now_ns:
                self._pay_funding(market, market.funding)
        for rate in list(self._borrow_rates.values()):
            while (due_ns := rate.ts_ns + rate.interval_s * NS_PER_S) <= now_ns:
                self._charge_interest(rate, due_ns)
                rate = self._borrow_rates[rate.currency]
        for account in self._accounts.values():
            for quote, seats in account.perp_seats.items():
                if must_liquidate(account, quote, self._rules.maintenance_ratio):
                    self._liquidate(seats)

    def safe_prices(self, instrument_id: InstrumentId) -> tuple[Decimal | None, Decimal | None]:
        """Return (low, high): no account is liquidated while this mark, and that of each other perpetual, is between.

        As of the prices and positions now; None is no bound.
        """
        market = self._markets[instrument_id]
        mark = market.mark()
        low: Decimal | None = None
        high: Decimal | None = None
        if mark is None or not market.is_perp:
            return None, None
        for seat in market.seats:
            for net_qty, distance in safe_distances(seat, self._rules.maintenance_ratio):
                if net_qty > ZERO:
                    low = mark - distance if low is None else max(low, mark - distance)
                else:
                    high = mark + distance if high is None else min(high, mark + distance)
        return low, high

    def force_liquidate(self, account_id: AccountId, instrument_id: InstrumentId) -> None:
        """Let the venue close an account's whole position in a perpetual at the mark, and cancel its orders there."""
        self._liquidate([self._accounts[account_id].seats[instrument_id]])

    def foreign_trade(
        self,
        account_id: AccountId,
        instrument_id: InstrumentId,
        side: Side,
        qty: Decimal,
        *,
        venue_made: bool = False,
        position_side: PositionSide = PositionSide.BOTH,
    ) -> Accepted | Refused:
        """Trade for an account without its program: by its owner's hand, or by the venue (auto-deleveraging).

        The owner's trade is a market order like any other; the venue's is at the mark and changes no book.
        """
        account = self._accounts[account_id]
        self._venue_trades += 1
        if not venue_made:
            client_order_id = f"web_{self._venue_trades}"
            request = OrderRequest(
                client_order_id, instrument_id, side, qty, OrderType.MARKET, position_side=position_side
            )
            return self._submit(account, request)
        seat = account.seats[instrument_id]
        return self._trade_by_venue(seat, side, qty, position_side, f"adl_autoclose_{self._venue_trades}")

    # How an order goes through

    def _submit(self, account: Account, request: OrderRequest) -> Accepted | Refused:
        seat = account.seats.get(request.instrument_id)
        if seat is None:
            return INVALID_SYMBOL
        market = seat.market
        refused = self._refusal(seat, request)
        if refused is not None:
            return refused
        opposite = market.asks if request.side is Side.BUY else market.bids
        limit_price = request.limit_price
        limit_key = None if limit_price is None else opposite.key(limit_price)
        takes = bool(opposite.keys) and (limit_key is None or opposite.keys[-1] >= limit_key)
        if request.post_only and takes and self._rules.post_only_refused:
            return WOULD_TAKE_PERP if market.is_perp else WOULD_TAKE_SPOT
        fills_or_dies = request.time_in_force is TimeInForce.FOK
        dies = fills_or_dies and self._reachable(seat, opposite, request, limit_key)[0] < request.qty
        if dies and market.is_perp:
            return NOT_FILLABLE
        order = VenueOrder(
            str(self._next_order_id),
            seat,
            request,
            request.qty,
            seat.holdings.get(request.position_side),
            ZERO if limit_price is None else limit_price,
        )
        refused = self._lock(order, opposite, limit_key)
        if refused is not None:
            return refused
        self._next_order_id += 1
        seat.add(order)
        if request.post_only and takes:
            self._end_incoming(order, OrderStatus.EXPIRED, POST_ONLY)
        elif dies:
            self._end_incoming(order, OrderStatus.EXPIRED, NO_LIQUIDITY)
        elif takes and self._take(order, opposite, limit_key):
            self._end_incoming(order, OrderStatus.EXPIRED, EXPIRED_IN_MATCH)
        elif not order.leaves_qty:
            self._end_incoming(order, OrderStatus.FILLED, "")
        elif limit_price is None:
            self._end_incoming(order, OrderStatus.EXPIRED, NO_LIQUIDITY)
        elif request.time_in_force is TimeInForce.IOC:
            self._end_incoming(order, OrderStatus.EXPIRED, "")
        else:
            self._rest(order)
        return Accepted(order.id)

    def _refusal(self, seat: Seat, request: OrderRequest) -> Refused | None:
        market = seat.market
        if self._is_closed(market):
            return CLOSED_MARKET
        instrument = market.instrument
        needs_mark = request.limit_price is None or instrument.band_up is not None or instrument.band_down is not None
        refused = broken_filter(instrument, request, market.mark() if needs_mark else None)
        if refused is not None:
            return refused
        if market.is_perp:
            holding = seat.holdings.get(request.position_side)
            if holding is None:
                return POSITION_SIDE_MISMATCH
            is_hedge_mode = holding.position_side is not PositionSide.BOTH
            if request.reduce_only and (is_hedge_mode or not instrument.can_reduce_only):
                return NEEDLESS_REDUCE_ONLY
            if _only_reduces(request) and request.qty > holding.reducible_qty(request.side):
                return NOT_REDUCING
        elif request.reduce_only and not instrument.can_reduce_only:
            return NEEDLESS_REDUCE_ONLY
        elif request.reduce_only and request.qty > -request.side.sign * seat.net_qty():
            return NOT_REDUCING
        elif request.position_side is not PositionSide.BOTH:
            return POSITION_SIDE_MISMATCH
        if request.client_order_id in seat.open:
            return DUPLICATE_PERP if market.is_perp else DUPLICATE_SPOT
        return None

    def _lock(self, order: VenueOrder, opposite: BookSide[VenueOrder], limit_key: Decimal | None) -> Refused | None:
        request = order.request
        if order.holding is not None:
            price = request.limit_price
            if price is None:
                price = opposite.best()
            return None if price is None else lock_margin(order, order.holding, price)
        paid = None
        if request.limit_price is None:
            top = opposite.levels[-1] if opposite.levels else None
            if top is not None and not top.orders and top.qty >= request.qty:
                paid = request.qty * top.price
            else:
                paid = self._reachable(order.owner, opposite, request, limit_key)[1]
        return lock_balance(order, paid, self._rules)

    def _reachable(
        self, seat: Seat, opposite: BookSide[VenueOrder], request: OrderRequest, limit_key: Decimal | None
    ) -> tuple[Decimal, Decimal]:
        stops = self._rules.self_trade is SelfTrade.EXPIRE_TAKER
        return opposite.reachable(request.qty, limit_key, seat, stops_at_owner=stops)

    def _take(self, order: VenueOrder, opposite: BookSide[VenueOrder], limit_key: Decimal | None) -> bool:
        """Match an incoming order as far as it goes; return whether it met its own account and must expire."""
        market = order.owner.market
        while order.leaves_qty:
            match = opposite.take(order.leaves_qty, limit_key)
            if match is None:
                return False
            price, qty, maker = match
            if maker is not None and maker.owner is order.owner:
                if self._rules.self_trade is SelfTrade.EXPIRE_TAKER:
                    return True
                self._end_resting(maker, OrderStatus.EXPIRED, EXPIRED_IN_MATCH)
                continue
            trade_id = market.next_trade_id
            market.next_trade_id = trade_id + 1
            market.last_price = price
            order.leaves_qty -= qty
            self._book_fill(order, price, qty, False, trade_id)
            if maker is not None:
                self._settle_resting(opposite, maker, qty, trade_id)
        return False

    def _rest(self, order: VenueOrder) -> None:
        seat = order.owner
        request = order.request
        market = seat.market
        if order.lock_per_unit:
            seat.account.locked[order.lock_currency] += order.leaves_qty * order.lock_per_unit
        (market.bids if request.side is Side.BUY else market.asks).rest(order)
        seat.open[request.client_order_id] = order
        if order.holding is not None and _only_reduces(request):
            seat.reducing[order.id] = order
        if request.time_in_force is TimeInForce.DAY:
            order.expires_ts_ns = self._day_end_ns()
            self._day_orders[order.id] = order
        self._out.append((seat.account.id, order.report(self._now_ns)))

    def _day_end_ns(self) -> int:
        """Return when DAY orders of now expire: at the close of the exchange's day, or by the venue's rule."""
        session = None if self._sessions is None else session_at(self._sessions, self._now_ns)
        close_ns = None if session is None else day_close_ns(self._sessions or (), session.day)
        if close_ns is not None:
            return close_ns
        offset_ns = self._rules.day_end_s * NS_PER_S
        return ((self._now_ns - offset_ns) // DAY_NS + 1) * DAY_NS + offset_ns

    def _is_closed(self, market: Market) -> bool:
        """Return whether a market is halted, or its venue between two sessions."""
        return market.is_halted or (self._sessions is not None and session_at(self._sessions, self._now_ns) is None)

    def _end_incoming(self, order: VenueOrder, status: OrderStatus, reason: str) -> None:
        order.status = status
        order.reason = reason
        seat = order.owner
        seat.close(order)
        self._out.append((seat.account.id, order.report(self._now_ns)))

    def _end_resting(self, order: VenueOrder, status: OrderStatus, reason: str) -> OrderReport:
        seat = order.owner
        request = order.request
        order.status = status
        order.reason = reason
        if order.leaves_qty:
            (seat.market.bids if request.side is Side.BUY else seat.market.asks).remove(order)
            if order.lock_per_unit:
                seat.account.locked[order.lock_currency] -= order.leaves_qty * order.lock_per_unit
        del seat.open[request.client_order_id]
        if seat.reducing:
            seat.reducing.pop(order.id, None)
        if order.expires_ts_ns:
            del self._day_orders[order.id]
        seat.close(order)
        report = order.report(self._now_ns)
        self._out.append((seat.account.id, report))
        return report

    def _fill_resting(self, side: BookSide[VenueOrder], order: VenueOrder, qty: Decimal) -> None:
        """Fill a resting order against the market."""
        market = order.owner.market
        trade_id = market.next_trade_id
        market.next_trade_id = trade_id + 1
        self._settle_resting(side, order, qty, trade_id)

    def _settle_resting(self, side: BookSide[VenueOrder], order: VenueOrder, qty: Decimal, trade_id: int) -> None:
        side.reduce(order, qty)
        account = order.owner.account
        if order.lock_per_unit:
            account.locked[order.lock_currency] -= qty * order.lock_per_unit
        self._book_fill(order, order.price, qty, True, trade_id)
        if not order.leaves_qty:
            self._end_resting(order, OrderStatus.FILLED, "")
        elif order.status is OrderStatus.OPEN:
            self._out.append((account.id, order.report(self._now_ns)))

    def _book_fill(self, order: VenueOrder, price: Decimal, qty: Decimal, is_maker: bool, trade_id: int) -> None:
        """Move balances and position by one trade of an order, and report it."""
        seat = order.owner
        account = seat.account
        request = order.request
        rate = account.fees.maker if is_maker else account.fees.taker
        fee, fee_currency = self._move_funds(seat, order.holding, request.side, price, qty, rate)
        report = TradeReport(
            trade_id,
            request.client_order_id,
            order.id,
            request.instrument_id,
            request.side,
            qty,
            price,
            fee,
            fee_currency,
            is_maker,
            self._now_ns,
        )
        self._report_trade(seat, order.holding, report)

    def _report_trade(self, seat: Seat, holding: Holding | None, report: TradeReport) -> None:
        seat.add_trade(report)
        self._out.append((seat.account.id, report))
        if holding is not None and self._rules.reports_positions:
            position = PositionReport(report.instrument_id, holding.position_side, holding.net_qty, self._now_ns)
            self._out.append((seat.account.id, position))
        if seat.reducing:
            self._expire_excess(seat)

    def _move_funds(
        self, seat: Seat, holding: Holding | None, side: Side, price: Decimal, qty: Decimal, rate: Decimal
    ) -> tuple[Decimal, str]:
        """Return (fee, its currency) of a trade that is now in the balances."""
        instrument = seat.market.instrument
        balances = seat.account.balances
        net_qty = qty if side is Side.BUY else -qty
        if holding is not None:
            fee = (price * qty * instrument.multiplier * rate).quantize(FEE_QUANTUM)
            realized = holding.trade(net_qty, price, instrument.multiplier)
            balances[instrument.quote] += realized - fee
            return fee, instrument.quote
        if seat.cost is not None:
            seat.cost.trade(net_qty, price, instrument.multiplier)
        notional = price * qty * instrument.multiplier
        balances[instrument.base] += net_qty
        balances[instrument.quote] += -notional if side is Side.BUY else notional
        if in_base(instrument.fee_currency, side):
            fee, fee_currency = (qty * rate).quantize(FEE_QUANTUM), instrument.base
        else:
            fee, fee_currency = (notional * rate).quantize(FEE_QUANTUM), instrument.quote
        balances[fee_currency] -= fee
        return fee, fee_currency

    def _expire_excess(self, seat: Seat) -> None:
        """Expire resting orders that would now do more than reduce."""
        for order in list(seat.reducing.values()):
            holding = order.holding
            assert holding is not None, order.id
            if order.leaves_qty > holding.reducible_qty(order.request.side):
                self._end_resting(order, OrderStatus.EXPIRED, REDUCE_ONLY)

    # What the venue does by itself

    def _uncross(self, market: Market) -> None:
        """Let resting orders trade with what the market shows at or through their price, at their price."""
        bids, asks = market.bids, market.asks
        if not bids.levels or not asks.levels or bids.levels[-1].price < asks.levels[-1].price:
            return
        if self._is_closed(market):
            return
        for ours, theirs in ((bids, asks), (asks, bids)):
            while (shown := theirs.first_shown()) is not None:
                level = ours.first_owned(-shown.key)
                if level is None:
                    break
                order = level.head()
                qty = min(order.leaves_qty, shown.qty)
                theirs.consume(shown, qty)
                self._fill_resting(ours, order, qty)

    def _charge_interest(self, rate: BorrowRate, due_ns: int) -> None:
        for account in self._accounts.values():
            amount = (-account.balances.get(rate.currency, ZERO) * rate.rate).quantize(FEE_QUANTUM)
            if amount > ZERO:
                account.balances[rate.currency] -= amount
                report = InterestReport(f"{rate.currency}@{due_ns}", rate.currency, amount, due_ns)
                self._out.append((account.id, report))
        self._borrow_rates[rate.currency] = msgspec.structs.replace(rate, ts_ns=due_ns)

    def _pay_funding(self, market: Market, rate: FundingRate) -> None:
        instrument = market.instrument
        mark = market.mark()
        for seat in market.seats:
            net_qty = seat.net_qty()
            if net_qty and mark is not None:
                net_quote = (-net_qty * mark * instrument.multiplier * rate.rate).quantize(FEE_QUANTUM)
                seat.account.balances[instrument.quote] += net_quote
                funding_id = f"{instrument.id}@{rate.next_funding_ts_ns}"
                report = FundingReport(funding_id, instrument.id, net_quote, rate.next_funding_ts_ns)
                self._out.append((seat.account.id, report))
        next_ns = rate.next_funding_ts_ns + rate.interval_s * NS_PER_S
        market.funding = msgspec.structs.replace(rate, next_funding_ts_ns=next_ns)

    def _liquidate(self, seats: list[Seat]) -> None:
        for seat in seats:
            for order in list(seat.open.values()):
                self._end_resting(order, OrderStatus.CANCELED, LIQUIDATION)
        for seat in seats:
            for holding in seat.holdings.values():
                if holding.net_qty:
                    self._venue_trades += 1
                    side = Side.SELL if holding.net_qty > 0 else Side.BUY
                    client_order_id = f"autoclose-{self._venue_trades}"
                    self._trade_by_venue(seat, side, abs(holding.net_qty), holding.position_side, client_order_id)

    def _trade_by_venue(
        self, seat: Seat, side: Side, qty: Decimal, position_side: PositionSide, client_order_id: str
    ) -> Accepted:
        market = seat.market
        price = market.mark()
        assert price is not None, market.instrument.id
        holding = seat.holdings.get(position_side)
        order_id = str(self._next_order_id)
        self._next_order_id += 1
        trade_id = market.next_trade_id
        market.next_trade_id = trade_id + 1
        fee, fee_currency = self._move_funds(seat, holding, side, price, qty, seat.account.fees.taker)
        report = TradeReport(
            trade_id,
            client_order_id,
            order_id,
            market.instrument.id,
            side,
            qty,
            price,
            fee,
            fee_currency,
            False,
            self._now_ns,
            True,
        )
        self._report_trade(seat, holding, report)
        return Accepted(order_id)

    def _see(self, now_ns: int) -> None:
        if now_ns > self._now_ns:
            self._now_ns = now_ns


def _only_reduces(request: OrderRequest) -> bool:
    """Return whether the order may only shrink its position: by its flag, or by side and position side."""
    if request.position_side is PositionSide.BOTH:
        return request.reduce_only
    return (request.position_side is PositionSide.LONG) is (request.side is Side.SELL)
