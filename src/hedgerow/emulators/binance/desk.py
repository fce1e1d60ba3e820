"""One customer's account of one kind: its orders, trades, loans and positions, and what its stream is told of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from decimal import Decimal

import msgspec

from hedgerow.emulators.binance import frames
from hedgerow.emulators.binance.conditions import Condition
from hedgerow.emulators.binance.customers import Customer, Kind
from hedgerow.emulators.binance.errors import (
    AMEND_TOO_SMALL,
    BORROW_ASSET,
    BORROW_TOO_MUCH,
    INSUFFICIENT_BALANCE,
    MAX_CONDITIONAL_ORDERS,
    MAX_SPOT_ORDERS,
    MAX_USDM_ORDERS,
    NO_NEED_TO_AMEND,
    REPAY_BALANCE,
    UNKNOWN_CANCEL,
    UNKNOWN_ORDER,
    WOULD_WAKE_SPOT,
    Refusal,
)
from hedgerow.emulators.binance.floor import DEPTH_MAX, Board, Floor, instrument_id
from hedgerow.emulators.binance.orders import Product, Row, Status, WireOrder
from hedgerow.emulators.clock import NS_PER_MS, EmulatorClock
from hedgerow.market.answers import (
    FundingReport,
    OrderReport,
    PositionMode,
    PositionSide,
    Refused,
    Report,
    TradeReport,
)
from hedgerow.market.fees import FEE_QUANTUM, Fees
from hedgerow.market.rules import DUPLICATE_SPOT, broken_filter
from hedgerow.market.state import Holding
from hedgerow.model.ids import AccountId
from hedgerow.model.numbers import BPS, ZERO
from hedgerow.model.order import OrderStatus, Side

# What may be owed in all, as a multiple of what is owned: cross margin at 3x.
BORROW_MULTIPLE = Decimal(2)
# As exchange information tells it: `MAX_NUM_ORDERS`.
OPEN_ORDERS_MAX = 200
# As exchange information tells it: `MAX_NUM_ALGO_ORDERS` of spot.
CONDITIONAL_ORDERS_MAX = 5
# Orders that wait are none of the matching's yet; it counts its own from far below.
WAITING_ID_MIN = 10**12
HOURLY_INTEREST = Decimal("0.00000125")
_ID_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_BORROWS = frozenset({"MARGIN_BUY", "AUTO_BORROW_REPAY"})
_REPAYS = frozenset({"AUTO_REPAY", "AUTO_BORROW_REPAY"})


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """An order as a customer asks for it, read and checked as far as that needs no market."""

    symbol: str
    side: Side
    type: str
    time_in_force: str
    qty: Decimal
    price: Decimal = ZERO
    client_order_id: str = ""
    "Empty: the venue makes one."
    post_only: bool = False
    reduce_only: bool = False
    position_side: PositionSide = PositionSide.BOTH
    side_effect: str = ""
    quote_qty: Decimal = ZERO
    good_till_ms: int = 0
    "USD-M: when it expires (GTD); zero: never by itself."
    condition: Condition | None = None
    "Spot and margin: what it waits for."


class Income(msgspec.Struct, frozen=True):
    """One line of a futures account's income history."""

    symbol: str
    kind: str
    amount: Decimal
    ts_ms: int
    tran_id: int
    trade_id: str = ""


class Interest(msgspec.Struct, frozen=True):
    """One hour's interest of one loan."""

    tran_id: int
    asset: str
    principal: Decimal
    amount: Decimal
    ts_ms: int
    kind: str
    "`ON_BORROW` for the hour in which it began, then `PERIODIC`."


class Loan(msgspec.Struct, frozen=True):
    """One borrowing or repayment."""

    tran_id: int
    asset: str
    kind: str
    "`BORROW` or `REPAY`."
    amount: Decimal
    interest: Decimal
    ts_ms: int


class Desk:
    """Keeps an account. What it did reaches the stream in `flush`, in the venue's order."""

    def __init__(
        self,
        customer: Customer,
        kind: Kind,
        product: Product,
        floor: Floor,
        clock: EmulatorClock,
        rng: random.Random,
        publish: Callable[[Iterable[Row]], None],
    ) -> None:
        """Open the account at its exchange.

        Args:
            publish: takes frames for the customer's stream of this kind, in order.
        """
        self.customer = customer
        self.kind = kind
        self.product = product
        self.floor = floor
        self.exchange = floor.exchanges[product]
        self.account_id = AccountId(f"{product.value}/{customer.name}-{kind.value}")
        self.orders: dict[int, WireOrder] = {}
        self.by_client_id: dict[str, WireOrder] = {}
        "The newest order of each client order id."
        self.incomes: list[Income] = []
        self.loans: dict[str, Decimal] = {}
        "Asset -> principal that is owed."
        self.interest: dict[str, Decimal] = {}
        "Asset -> interest that is owed."
        self.loan_history: list[Loan] = []
        self.interest_history: list[Interest] = []
        self.holdings: dict[tuple[str, PositionSide], Holding] = {}
        "USD-M: (symbol, position side) -> position, with what it cost."
        self.moved_ms: dict[tuple[str, PositionSide], int] = {}
        self.isolated: set[str] = set()
        "USD-M: symbols with isolated margin. Collateral is shared all the same: only the setting is kept."
        self.is_multi_assets = False
        self._clock = clock
        self._rng = rng
        self._publish = publish
        self._by_exchange_id: dict[str, WireOrder] = {}
        self._live: dict[int, WireOrder] = {}
        "Orders that were live when they were last told of."
        self._waiting: dict[int, WireOrder] = {}
        "Conditional orders of spot and margin that the matching does not have yet."
        self._pending: list[Row] = []
        self._changed: dict[str, None] = {}
        "Assets whose balance the stream has to tell."
        self._moved: dict[tuple[str, PositionSide], None] = {}
        "Positions that the stream has to tell."
        self._next_tran_id = rng.randrange(10**9, 10**10)
        self._next_waiting_id = WAITING_ID_MIN
        floor.ears[self.account_id] = self.hear
        self.exchange.open_account(
            self.account_id,
            dict(customer.balances.get(kind.value, {})),
            Fees(customer.maker_bps * BPS, customer.taker_bps * BPS),
            PositionMode.HEDGE if customer.hedge_mode else PositionMode.ONE_WAY,
            customer.leverage,
        )

    # What it has

    @property
    def is_margin(self) -> bool:
        """Whether it may borrow."""
        return self.product is Product.SPOT and self.kind is not Kind.SPOT

    @property
    def is_portfolio(self) -> bool:
        return self.kind is Kind.PORTFOLIO

    def now_ms(self) -> int:
        """Return the venue's time."""
        return self._clock.now_ms()

    @property
    def is_hedge_mode(self) -> bool:
        sides = self.exchange.sided_positions(self.account_id, self._boards()[0].id)
        return PositionSide.BOTH not in sides

    def owned(self) -> dict[str, Decimal]:
        """Return asset -> what is there, borrowed funds included, without interest that is owed."""
        balances = self.exchange.balances(self.account_id)
        for asset, owed in self.loans.items():
            balances[asset] = balances.get(asset, ZERO) + owed
        return balances

    def locked(self) -> dict[str, Decimal]:
        """Return asset -> what open orders lock."""
        free = self.exchange.free_balances(self.account_id)
        locked = {asset: owned - free[asset] for asset, owned in self.exchange.balances(self.account_id).items()}
        for order in self._waiting.values():
            asset = self._paid_in(order)
            locked[asset] = locked.get(asset, ZERO) + self._needed(order)
        return locked

    @property
    def is_waiting(self) -> bool:
        """Whether an order here waits for its price."""
        return bool(self._waiting)

    def free(self, asset: str) -> Decimal:
        """Return what an order or a repayment may use of an asset."""
        return self.owned().get(asset, ZERO) - self.locked().get(asset, ZERO)

    def unrealized(self, symbol: str, holding: Holding) -> Decimal:
        """Return the P&L of closing a position at the mark."""
        board = self.floor.boards[self.product, symbol]
        return (holding.net_qty * board.mark() - holding.net_cost).quantize(FEE_QUANTUM)

    def leverage(self, symbol: str) -> Decimal:
        found = self.exchange.leverage(self.account_id, instrument_id(self.product, symbol))
        assert found is not None, symbol
        return found

    def margin_of(self, symbol: str, holding: Holding) -> Decimal:
        """Return the initial margin of a position."""
        board = self.floor.boards[self.product, symbol]
        return (abs(holding.net_qty) * board.mark() / self.leverage(symbol)).quantize(FEE_QUANTUM)

    def find(self, symbol: str, order_id: int | None, client_order_id: str) -> WireOrder | None:
        """Return an order by one of its ids, open or closed."""
        order = self.orders.get(order_id) if order_id is not None else self.by_client_id.get(client_order_id)
        return order if order is not None and order.symbol == symbol else None

    def open_orders(self, symbol: str = "") -> list[WireOrder]:
        """Return the resting orders of a symbol, or all, oldest first."""
        return [order for order in self._live.values() if order.is_live and symbol in ("", order.symbol)]

    def trades(self, symbol: str) -> tuple[TradeReport, ...]:
        """Return all trades of a symbol, oldest first."""
        return self.exchange.trades(self.account_id, instrument_id(self.product, symbol), 0, 1 << 30)

    def order_of(self, report: TradeReport) -> WireOrder:
        """Return the order of a trade, also of one that the account was not told of yet."""
        return self._by_exchange_id.get(report.venue_order_id) or self._found_order(report)

    # What it is asked for

    def place(self, wanted: Wanted) -> WireOrder:
        """Take an order. Raises Refusal."""
        board = self.floor.boards[self.product, wanted.symbol]
        if wanted.type != "MARKET" and len(self.open_orders(wanted.symbol)) >= OPEN_ORDERS_MAX:
            raise Refusal(MAX_SPOT_ORDERS if self.product is Product.SPOT else MAX_USDM_ORDERS)
        now_ns = self._clock.now_ns()
        name = wanted.client_order_id or self.made_id()
        order = WireOrder(
            0,
            name,
            wanted.symbol,
            wanted.side,
            wanted.type,
            wanted.time_in_force,
            wanted.qty,
            wanted.price,
            now_ns // NS_PER_MS,
            "",
            wanted.reduce_only,
            wanted.position_side,
            wanted.side_effect,
            quote_qty=wanted.quote_qty,
            updated_ms=now_ns // NS_PER_MS,
            good_till_ms=wanted.good_till_ms,
        )
        if any(each.client_order_id == name for each in self._waiting.values()):
            raise Refusal(DUPLICATE_SPOT)
        if wanted.condition is not None:
            self._wait_for(wanted.condition, order)
        else:
            self._send(board, order, post_only=wanted.post_only)
        return order

    def _wait_for(self, condition: Condition, order: WireOrder) -> None:
        """Keep an order until its condition wakes it; what it will pay is locked. Raises Refusal."""
        board = self.floor.boards[self.product, order.symbol]
        by_name = self.by_client_id.get(order.client_order_id)
        if by_name is not None and by_name.is_live:
            raise Refusal(DUPLICATE_SPOT)
        if sum(each.symbol == order.symbol for each in self._waiting.values()) >= CONDITIONAL_ORDERS_MAX:
            raise Refusal(MAX_CONDITIONAL_ORDERS)
        broken = broken_filter(board.instrument, order.request(board.id, post_only=False), board.quote().mark)
        if broken is not None:
            raise Refusal(broken)
        if condition.would_wake(board):
            raise Refusal(WOULD_WAKE_SPOT)
        order.condition = condition
        shortfall = self._needed(order) - self.free(self._paid_in(order))
        self._check_loan(order, shortfall)
        self._lend(order, shortfall)
        order.id = self._next_waiting_id
        self._next_waiting_id += 1
        self._keep(order)
        self._waiting[order.id] = order
        self._announce(order)

    def look(self, board: Board, prices: list[Decimal]) -> bool:
        """Take the prices of a market's latest trades; return whether they woke an order."""
        woken = [
            order
            for order in self._waiting.values()
            if order.symbol == board.symbol and order.condition is not None and order.condition.wakes(board, prices)
        ]
        for order in woken:
            del self._waiting[order.id]
            order.working_ms = order.updated_ms = self._clock.now_ms()
            self._tell(order, "NEW")
            try:
                self._send(board, order, post_only=False)
            except Refusal as refusal:
                order.status = Status.REJECTED
                order.expiry = refusal.refused.text
                self._tell(order, "REJECTED")
        return bool(woken)

    def _send(self, board: Board, order: WireOrder, *, post_only: bool) -> None:
        """Give an order to the matching. Raises Refusal."""
        shortfall = self._shortfall(board, order) if self.product is Product.SPOT else ZERO
        if shortfall > ZERO and order.side_effect not in _BORROWS:
            request = order.request(board.id, post_only=post_only)
            # A broken filter comes before the question of funds.
            raise Refusal(broken_filter(board.instrument, request, board.quote().mark) or INSUFFICIENT_BALANCE)
        self._check_loan(order, shortfall)
        answer = self.exchange.submit(
            self._clock.now_ns(), self.account_id, order.request(board.id, post_only=post_only)
        )
        if isinstance(answer, Refused):
            raise Refusal(answer)
        self._lend(order, shortfall)
        order.exchange_id = answer.venue_order_id
        order.id = order.id or int(answer.venue_order_id)
        self._keep(order)
        board.touch()

    def _check_loan(self, order: WireOrder, shortfall: Decimal) -> None:
        """Refuse an order that lacks funds and does not ask for them, or may not have them. Raises Refusal."""
        if shortfall <= ZERO:
            return
        if order.side_effect not in _BORROWS:
            raise Refusal(INSUFFICIENT_BALANCE)
        self._check_borrow(self._paid_in(order), shortfall)

    def _lend(self, order: WireOrder, shortfall: Decimal) -> None:
        """Lend what an order lacks."""
        if shortfall > ZERO:
            order.borrowed, order.borrowed_asset = shortfall, self._paid_in(order)
            self._book_loan(order.borrowed_asset, shortfall)

    def _paid_in(self, order: WireOrder) -> str:
        """Return what a spot or margin order pays with."""
        instrument = self.floor.boards[self.product, order.symbol].instrument
        return instrument.quote if order.side is Side.BUY else instrument.base

    def _needed(self, order: WireOrder) -> Decimal:
        """Return what an order that waits will pay; one at market about what its trigger says."""
        if order.side is Side.SELL:
            return order.qty
        assert order.condition is not None, order.id
        board = self.floor.boards[self.product, order.symbol]
        return order.qty * (order.price or order.condition.trigger or board.last_price())

    def cancel(self, order: WireOrder | None, cancel_id: str = "") -> WireOrder:
        """Cancel a resting order. Raises Refusal."""
        if order is None or not order.is_live:
            raise Refusal(UNKNOWN_CANCEL)
        order.cancel_id = cancel_id or self.made_id()
        board = self.floor.boards[self.product, order.symbol]
        if order.is_waiting:
            del self._waiting[order.id]
            order.status, order.updated_ms = Status.CANCELED, self._clock.now_ms()
            self._tell(order, "CANCELED")
        else:
            self._withdraw(board, order)
        return order

    def amend(self, order: WireOrder | None, qty: Decimal, price: Decimal) -> WireOrder:
        """Give a resting USD-M order another qty and price; it keeps its ids and loses its place. Raises Refusal.

        Where nothing of it would be left, or a post-only order would take, it is canceled instead, as at Binance.
        """
        if order is None or not order.is_live:
            raise Refusal(UNKNOWN_ORDER)
        if (qty, price) == (order.qty, order.price):
            raise Refusal(NO_NEED_TO_AMEND)
        board = self.floor.boards[self.product, order.symbol]
        if qty <= ZERO:
            raise Refusal(AMEND_TOO_SMALL)
        wanted = msgspec.structs.replace(order, qty=qty, price=price, cum_qty=ZERO)
        broken = broken_filter(board.instrument, wanted.request(board.id, post_only=False), board.quote().mark)
        if broken is not None:
            raise Refusal(broken)
        if qty <= order.cum_qty:
            return self.cancel(order)
        order.is_being_amended = True
        self._withdraw(board, order)
        self.floor.settle()
        order.is_being_amended = False
        was = order.qty, order.price
        order.qty, order.price = qty, price
        request = order.request(board.id, post_only=order.time_in_force == "GTX")
        answer = self.exchange.submit(self._clock.now_ns(), self.account_id, request)
        order.updated_ms = self._clock.now_ms()
        if isinstance(answer, Refused):
            order.qty, order.price = was
            order.status = Status.CANCELED
            self._tell(order, "CANCELED")
            return order
        order.exchange_id = answer.venue_order_id
        self._by_exchange_id[order.exchange_id] = order
        self._tell(order, "AMENDMENT")
        board.touch()
        return order

    def borrow(self, asset: str, amount: Decimal) -> int:
        """Lend the account `amount` and return the transaction's id. Raises Refusal."""
        if asset not in self.exchange.balances(self.account_id):
            raise Refusal(BORROW_ASSET)
        self._check_borrow(asset, amount)
        return self._book_loan(asset, amount)

    def repay(self, asset: str, amount: Decimal) -> int:
        """Take back up to `amount`, interest first, and return the transaction's id. Raises Refusal."""
        owed = self.loans.get(asset, ZERO) + self.interest.get(asset, ZERO)
        if amount > self.free(asset) or owed == ZERO:
            raise Refusal(REPAY_BALANCE)
        return self._book_repayment(asset, min(amount, owed))

    def expire_old(self) -> None:
        """End the orders whose time is over (GTD)."""
        now_ms = self._clock.now_ms()
        for order in self.open_orders():
            if order.good_till_ms and order.good_till_ms <= now_ms:
                order.is_overdue = True
                self._withdraw(self.floor.boards[self.product, order.symbol], order)

    def charge_interest(self) -> None:
        """Let an hour's interest grow on every loan."""
        for asset, owed in self.loans.items():
            self._charge(asset, owed, "PERIODIC")

    def deposit(self, asset: str, net_qty: Decimal) -> None:
        """Book a deposit, or with a minus a withdrawal."""
        self.exchange.credit(self.account_id, asset, net_qty)
        now_ms = self._clock.now_ms()
        if self.product is Product.SPOT:
            self._pending.append(frames.balance_update(asset, net_qty, now_ms))
            self._changed[asset] = None
        else:
            reason = "DEPOSIT" if net_qty > ZERO else "WITHDRAW"
            self._pending.append(frames.account_update(self, reason, [(asset, net_qty)], [], now_ms))

    def set_leverage(self, symbol: str, leverage: Decimal) -> None:
        """Trade a perpetual with another leverage. Raises Refusal."""
        refused = self.exchange.set_leverage(self.account_id, instrument_id(self.product, symbol), leverage)
        if refused is not None:
            raise Refusal(refused)
        self._pending.append(frames.leverage_changed(self, symbol, leverage, self._clock.now_ms()))

    def set_hedge_mode(self, is_hedge_mode: bool) -> None:
        """Keep positions by side, or one per symbol. Raises Refusal."""
        mode = PositionMode.HEDGE if is_hedge_mode else PositionMode.ONE_WAY
        refused = self.exchange.set_position_mode(self.account_id, mode)
        if refused is not None:
            raise Refusal(refused)
        self.holdings.clear()

    def set_multi_assets(self, is_on: bool) -> None:
        """Keep the setting of multi-assets mode; it changes nothing where there is one asset."""
        self.is_multi_assets = is_on
        self._pending.append(frames.multi_assets_changed(is_on, self._clock.now_ms()))

    # What happened to it

    def hear(self, report: Report) -> None:
        """Take one report of the exchange."""
        match report:
            case TradeReport():
                self._hear_trade(report)
            case OrderReport():
                self._hear_order(report)
            case FundingReport():
                self._hear_funding(report)
            case _:
                # Positions are read; interest is charged here, not at the exchange.
                pass

    def tell(self, row: Row) -> None:
        """Let the stream tell something, after what is pending."""
        self._pending.append(row)

    def flush(self) -> None:
        """Tell the stream what happened since the last time, balances in their place."""
        if not self._pending:
            return
        out = self._pending
        self._pending = []
        now_ms = self._clock.now_ms()
        if self.product is Product.SPOT and self._changed:
            out.append(frames.account_position(self, list(self._changed), now_ms))
        elif self._moved or self._changed:
            update = frames.account_update(
                self, "ORDER", [(asset, ZERO) for asset in self._changed], list(self._moved), now_ms
            )
            # Binance tells the account before the trades that moved it, and only their short form before that.
            out.insert(next((index for index, row in enumerate(out) if _is_trade(row)), len(out)), update)
        self._changed.clear()
        self._moved.clear()
        self._publish(out)

    def _hear_trade(self, report: TradeReport) -> None:
        order = self.order_of(report)
        self._announce(order)
        order.fill(report)
        if not order.is_live:
            self._live.pop(order.id, None)
        instrument = self.exchange.instrument(report.instrument_id)
        realized = ZERO
        if self.product is Product.USDM:
            key = (order.symbol, order.position_side)
            holding = self.holdings.setdefault(key, Holding(order.position_side))
            realized = holding.trade(report.side.sign * report.qty, report.price, instrument.multiplier)
            self._moved[key] = None
            self._changed[instrument.quote] = None
            self.moved_ms[key] = order.updated_ms
            self._note_incomes(order, report, realized)
        else:
            self._changed.update(dict.fromkeys((instrument.base, instrument.quote)))
        if order.side_effect in _REPAYS:
            self._repay_from(report)
        self._pending += frames.traded(self, order, report, realized)

    def _hear_order(self, report: OrderReport) -> None:
        order = self._by_exchange_id[report.venue_order_id]
        if order.is_being_amended:
            return
        self._announce(order)
        order.updated_ms = max(order.updated_ms, report.venue_ts_ns // NS_PER_MS)
        if report.status is OrderStatus.CANCELED and order.is_overdue:
            order.status = Status.EXPIRED
            self._tell(order, "EXPIRED")
        elif report.status is OrderStatus.CANCELED:
            order.status = Status.CANCELED
            self._tell(order, "CANCELED")
        elif report.status is OrderStatus.EXPIRED:
            is_match = report.reason == "EXPIRED_IN_MATCH"
            order.status = Status.EXPIRED_IN_MATCH if is_match else Status.EXPIRED
            order.expiry = report.reason
            self._tell(order, "TRADE_PREVENTION" if is_match and self.product is Product.SPOT else "EXPIRED")

    def _hear_funding(self, report: FundingReport) -> None:
        symbol = report.instrument_id.partition(":")[2]
        ts_ms = report.venue_ts_ns // NS_PER_MS
        self.incomes.append(Income(symbol, "FUNDING_FEE", report.net_quote, ts_ms, self._tran_id()))
        quote = self.exchange.instrument(report.instrument_id).quote
        self._pending.append(frames.account_update(self, "FUNDING_FEE", [(quote, report.net_quote)], [], ts_ms))

    def _announce(self, order: WireOrder) -> None:
        if order.is_told:
            return
        order.is_told = True
        status, order.status = order.status, Status.NEW
        self._tell(order, "NEW")
        order.status = status

    def _tell(self, order: WireOrder, execution: str) -> None:
        self._pending.append(frames.order_update(self, order, execution))
        if not order.is_live:
            self._live.pop(order.id, None)
        if self.product is Product.SPOT:
            instrument = self.floor.boards[self.product, order.symbol].instrument
            self._changed.update(dict.fromkeys((instrument.base, instrument.quote)))

    def _found_order(self, report: TradeReport) -> WireOrder:
        """Return an order that the customer's program did not place: its owner's by hand, or the venue's own."""
        side = PositionSide.BOTH
        if self.product is Product.USDM and self.is_hedge_mode:
            side = PositionSide.LONG if report.side is Side.SELL else PositionSide.SHORT
        ts_ms = report.venue_ts_ns // NS_PER_MS
        is_liquidation = report.client_order_id.startswith("autoclose-")
        order = WireOrder(
            int(report.venue_order_id),
            report.client_order_id,
            report.instrument_id.partition(":")[2],
            report.side,
            "LIQUIDATION" if is_liquidation else "MARKET",
            "IOC" if is_liquidation else "GTC",
            report.qty,
            ZERO,
            ts_ms,
            report.venue_order_id,
            position_side=side,
            updated_ms=ts_ms,
        )
        self._keep(order)
        return order

    def _keep(self, order: WireOrder) -> None:
        self.orders[order.id] = self._live[order.id] = order
        self.by_client_id[order.client_order_id] = order
        if order.exchange_id:
            self._by_exchange_id[order.exchange_id] = order

    def _withdraw(self, board: Board, order: WireOrder) -> None:
        now_ns = self._clock.now_ns()
        answer = self.exchange.cancel(now_ns, self.account_id, board.id, venue_order_id=order.exchange_id)
        if isinstance(answer, Refused):
            raise Refusal(answer)
        board.touch()

    def _note_incomes(self, order: WireOrder, report: TradeReport, realized: Decimal) -> None:
        for kind, amount in (("REALIZED_PNL", realized), ("COMMISSION", -report.fee)):
            if amount:
                income = Income(order.symbol, kind, amount, order.updated_ms, self._tran_id(), str(report.trade_id))
                self.incomes.append(income)

    # Loans

    def _shortfall(self, board: Board, order: WireOrder) -> Decimal:
        """Return how much more than its own free funds a spot or margin order needs."""
        if order.side is Side.SELL:
            return order.qty - self.free(board.instrument.base)
        price = order.price
        if order.is_at_market:
            return _cost(board, order.qty) - self.free(board.instrument.quote)
        return order.qty * price - self.free(board.instrument.quote)

    def _check_borrow(self, asset: str, amount: Decimal) -> None:
        owed = owned = ZERO
        for each, qty in self.owned().items():
            price = self._price_of(each)
            owed += (self.loans.get(each, ZERO) + self.interest.get(each, ZERO)) * price
            owned += (qty - self.loans.get(each, ZERO) - self.interest.get(each, ZERO)) * price
        if owed + amount * self._price_of(asset) > owned * BORROW_MULTIPLE:
            raise Refusal(BORROW_TOO_MUCH)

    def _price_of(self, asset: str) -> Decimal:
        board = self.floor.boards.get((Product.SPOT, f"{asset}USDT"))
        return Decimal(1) if board is None else board.mark()

    def _book_loan(self, asset: str, amount: Decimal) -> int:
        self.loans[asset] = self.loans.get(asset, ZERO) + amount
        tran_id = self._tran_id()
        now_ms = self._clock.now_ms()
        self.loan_history.append(Loan(tran_id, asset, "BORROW", amount, ZERO, now_ms))
        self._changed[asset] = None
        self._pending.append(frames.balance_update(asset, amount, now_ms))
        if self.kind is Kind.PORTFOLIO:
            self._pending.append(frames.liability_change(self, asset, "BORROW", now_ms))
        # The hour in which a loan begins is charged at once.
        self._charge(asset, amount, "ON_BORROW")
        return tran_id

    def _charge(self, asset: str, owed: Decimal, kind: str) -> None:
        amount = (owed * HOURLY_INTEREST).quantize(FEE_QUANTUM)
        if not amount:
            return
        now_ms = self._clock.now_ms()
        self.interest[asset] = self.interest.get(asset, ZERO) + amount
        self.interest_history.append(Interest(self._tran_id(), asset, owed, amount, now_ms, kind))
        if self.kind is Kind.PORTFOLIO:
            self._pending.append(frames.liability_change(self, asset, "INTEREST", now_ms))

    def _book_repayment(self, asset: str, amount: Decimal) -> int:
        interest = min(amount, self.interest.get(asset, ZERO))
        principal = amount - interest
        if interest:
            self.interest[asset] -= interest
            self.exchange.credit(self.account_id, asset, -interest)
        if principal:
            self.loans[asset] -= principal
        tran_id = self._tran_id()
        now_ms = self._clock.now_ms()
        self.loan_history.append(Loan(tran_id, asset, "REPAY", principal, interest, now_ms))
        self._changed[asset] = None
        self._pending.append(frames.balance_update(asset, -amount, now_ms))
        if self.kind is Kind.PORTFOLIO:
            self._pending.append(frames.liability_change(self, asset, "REPAY", now_ms))
        return tran_id

    def _repay_from(self, report: TradeReport) -> None:
        """Repay with what a trade brought in."""
        instrument = self.exchange.instrument(report.instrument_id)
        asset = instrument.base if report.side is Side.BUY else instrument.quote
        received = report.qty if report.side is Side.BUY else report.qty * report.price
        if report.fee_currency == asset:
            received -= report.fee
        owed = self.loans.get(asset, ZERO) + self.interest.get(asset, ZERO)
        amount = min(received, owed).quantize(FEE_QUANTUM)
        if amount > ZERO:
            self._book_repayment(asset, amount)

    def _boards(self) -> list[Board]:
        return [board for (product, _), board in self.floor.boards.items() if product is self.product]

    def _tran_id(self) -> int:
        self._next_tran_id += 1
        return self._next_tran_id

    def made_id(self) -> str:
        """Return a client order id as the venue makes them."""
        return "".join(self._rng.choice(_ID_LETTERS) for _ in range(22))


def _is_trade(row: Row) -> bool:
    """Return whether this is the long frame of a USD-M trade."""
    order = row.get("o")
    return isinstance(order, dict) and order.get("x") in ("TRADE", "CALCULATED")


def _cost(board: Board, qty: Decimal) -> Decimal:
    """Return what a market buy would cost now."""
    cost = ZERO
    for price, shown_qty in board.quote(DEPTH_MAX).asks:
        part = min(qty, shown_qty)
        cost += part * price
        qty -= part
        if not qty:
            break
    return cost
