"""USD-M's conditional orders: a service beside the matching keeps them, and places an order when their price comes.

Since that change the endpoint of orders refuses them with -4120, and lists of open orders do not show them.
Source: Binance USD-M and portfolio margin docs, "New Algo Order", "Event: Algo Order Update" (recalled, and held
against the models of Binance's own clients, not checked against a live venue).
"""

from __future__ import annotations

from decimal import Decimal
from enum import Enum

import msgspec

from hedgerow.emulators.binance import frames
from hedgerow.emulators.binance.conditions import Condition
from hedgerow.emulators.binance.desk import OPEN_ORDERS_MAX, Desk, Wanted
from hedgerow.emulators.binance.errors import MAX_ALGO_ORDERS, UNKNOWN_CANCEL, WOULD_WAKE_USDM, Refusal
from hedgerow.emulators.binance.floor import Board
from hedgerow.emulators.binance.orders import SIDE_WORDS, Row, WireOrder, on_grid, plain
from hedgerow.market.rules import DUPLICATE_PERP
from hedgerow.model.numbers import ZERO
from hedgerow.model.order import Side

# Ids of the service's own, apart from the matching's.
ALGO_ID_MIN = 10**15


class AlgoStatus(Enum):
    NEW = "NEW"
    TRIGGERING = "TRIGGERING"
    "Its price has come; its order is on the way to the matching."
    TRIGGERED = "TRIGGERED"
    "Its order is in the matching."
    FINISHED = "FINISHED"
    "Its order has ended."
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    "There was no position left for it to close."
    REJECTED = "REJECTED"
    "The matching did not take its order."


class AlgoOrder(msgspec.Struct, eq=False):
    """One conditional order."""

    id: int
    type: str
    "In the venue's word: `STOP`, `TAKE_PROFIT_MARKET` …"
    wanted: Wanted
    "What is placed when it wakes."
    condition: Condition
    closes_position: bool
    created_ms: int
    updated_ms: int
    status: AlgoStatus = AlgoStatus.NEW
    triggered_ms: int = 0
    order: WireOrder | None = None
    "What it placed."
    reason: str = ""
    "Why its order was not taken."

    @property
    def name(self) -> str:
        return self.wanted.client_order_id

    @property
    def is_trailing(self) -> bool:
        return bool(self.condition.back)


class AlgoOrders:
    """The conditional orders of one futures account."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._by_id: dict[int, AlgoOrder] = {}
        self._open: dict[int, AlgoOrder] = {}
        "Those that wait, and those whose order has not ended yet."

    @property
    def is_waiting(self) -> bool:
        """Whether something here has to be looked at."""
        return bool(self._open)

    def place(self, kind: str, wanted: Wanted, condition: Condition, *, closes_position: bool) -> AlgoOrder:
        """Keep an order until its price comes. Raises Refusal."""
        desk = self._desk
        board = desk.floor.boards[desk.product, wanted.symbol]
        name = wanted.client_order_id or desk.made_id()
        waiting = self.waiting(wanted.symbol)
        if any(each.name == name for each in self.waiting()):
            raise Refusal(DUPLICATE_PERP)
        if len(waiting) >= OPEN_ORDERS_MAX:
            raise Refusal(MAX_ALGO_ORDERS)
        # A trailing stop may only begin to trail where the market is not yet.
        if condition.would_wake(board):
            raise Refusal(WOULD_WAKE_USDM)
        now_ms = desk.now_ms()
        wanted = msgspec.structs.replace(wanted, client_order_id=name)
        algo = AlgoOrder(ALGO_ID_MIN + len(self._by_id), kind, wanted, condition, closes_position, now_ms, now_ms)
        self._by_id[algo.id] = self._open[algo.id] = algo
        self._tell(algo)
        return algo

    def find(self, algo_id: int | None, name: str) -> AlgoOrder | None:
        """Return an order by one of its ids, the newest of a name."""
        if algo_id is not None:
            return self._by_id.get(algo_id)
        return next((each for each in reversed(self._by_id.values()) if each.name == name), None)

    def waiting(self, symbol: str = "") -> list[AlgoOrder]:
        """Return the orders of a symbol, or of all, that wait for their price."""
        return [
            each for each in self._open.values() if each.status is AlgoStatus.NEW and symbol in ("", each.wanted.symbol)
        ]

    def all_of(self, symbol: str) -> list[AlgoOrder]:
        """Return all orders of a symbol, oldest first."""
        return [each for each in self._by_id.values() if each.wanted.symbol == symbol]

    def everything(self) -> list[AlgoOrder]:
        """Return all orders there ever were, oldest first."""
        return list(self._by_id.values())

    def cancel(self, algo: AlgoOrder | None) -> AlgoOrder:
        """Cancel an order that waits. Raises Refusal."""
        if algo is None or algo.status is not AlgoStatus.NEW:
            raise Refusal(UNKNOWN_CANCEL)
        self._end(algo, AlgoStatus.CANCELED)
        return algo

    def look(self, board: Board, prices: list[Decimal]) -> bool:
        """Take the prices of a market's latest trades; return whether they woke an order."""
        woken = [each for each in self.waiting(board.symbol) if each.condition.wakes(board, prices)]
        for algo in woken:
            algo.status, algo.triggered_ms = AlgoStatus.TRIGGERING, self._desk.now_ms()
            self._fire(algo)
        return bool(woken)

    def follow(self) -> None:
        """Tell how far the placed orders have come, after what they did themselves."""
        for algo in list(self._open.values()):
            if algo.order is None:
                continue
            if algo.status is AlgoStatus.TRIGGERING:
                algo.status = AlgoStatus.TRIGGERED
                algo.updated_ms = algo.triggered_ms
                self._tell(algo)
            if not algo.order.is_live:
                self._end(algo, AlgoStatus.FINISHED)

    def _fire(self, algo: AlgoOrder) -> None:
        wanted = algo.wanted
        if algo.closes_position:
            held = self._held(wanted)
            if not held:
                self._end(algo, AlgoStatus.EXPIRED)
                return
            wanted = msgspec.structs.replace(wanted, qty=held)
        try:
            algo.order = self._desk.place(wanted)
        except Refusal as refusal:
            algo.reason = refusal.refused.text
            self._end(algo, AlgoStatus.REJECTED)

    def _held(self, wanted: Wanted) -> Decimal:
        """Return how much there is for an order to close."""
        holding = self._desk.holdings.get((wanted.symbol, wanted.position_side))
        net_qty = ZERO if holding is None else holding.net_qty
        return max(-wanted.side.sign * net_qty, ZERO)

    def _end(self, algo: AlgoOrder, status: AlgoStatus) -> None:
        algo.status = status
        algo.updated_ms = self._desk.now_ms()
        del self._open[algo.id]
        self._tell(algo)

    def _tell(self, algo: AlgoOrder) -> None:
        self._desk.tell(frames.of_futures(self._desk, update(self._desk, algo)))


def of_request(side: Side, kind: str, trigger: Decimal, *, by_mark: bool, back: Decimal) -> Condition:
    """Return what an order of a kind waits for.

    Args:
        trigger: of a trailing stop, from where on it trails; zero: at once.
        back: of a trailing stop, as a ratio.
    """
    if back:
        # A stop that buys begins to trail when the market has come down to its activation price.
        return Condition(trigger, side is Side.SELL, by_mark, back, trails_below=side is Side.SELL)
    return Condition(trigger, (side is Side.BUY) is kind.startswith("STOP"), by_mark)


def row(desk: Desk, algo: AlgoOrder) -> Row:
    """Return a conditional order as every answer tells it."""
    wanted, condition = algo.wanted, algo.condition
    board = desk.floor.boards[desk.product, wanted.symbol]
    told: Row = {
        "algoId": algo.id,
        "clientAlgoId": algo.name,
        "algoType": "CONDITIONAL",
        "orderType": algo.type,
        "symbol": wanted.symbol,
        "side": SIDE_WORDS[wanted.side],
        "positionSide": wanted.position_side.name,
        "timeInForce": wanted.time_in_force,
        "quantity": on_grid(wanted.qty, board.instrument.step),
        "algoStatus": algo.status.value,
        "triggerPrice": frames.price(board, ZERO if algo.is_trailing else condition.trigger),
        "price": frames.price(board, wanted.price),
        "icebergQuantity": None,
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "workingType": _working_type(condition),
        "priceMatch": "NONE",
        "closePosition": algo.closes_position,
        "priceProtect": False,
        "reduceOnly": wanted.reduce_only,
        "createTime": algo.created_ms,
        "updateTime": algo.updated_ms,
        "triggerTime": algo.triggered_ms,
        "goodTillDate": wanted.good_till_ms,
    }
    if algo.is_trailing:
        told |= {"activatePrice": frames.price(board, condition.trigger), "callbackRate": plain(condition.back * 100)}
    return told


def queried(desk: Desk, algo: AlgoOrder) -> Row:
    """Return a conditional order as a query tells it: with what became of the order that it placed."""
    order = algo.order
    board = desk.floor.boards[desk.product, algo.wanted.symbol]
    told = row(desk, algo) | {
        "actualOrderId": "" if order is None else str(order.id),
        "actualPrice": "0.00000" if order is None else frames.price(board, order.avg_price),
    }
    if order is not None:
        told["actualType"] = order.type
        told["actualQty"] = on_grid(order.cum_qty, board.instrument.step)
    return told


def update(desk: Desk, algo: AlgoOrder) -> Row:
    """Return the frame of a conditional order that changed."""
    wanted, condition, order = algo.wanted, algo.condition, algo.order
    board = desk.floor.boards[desk.product, wanted.symbol]
    told: Row = {
        "caid": algo.name,
        "aid": algo.id,
        "at": "CONDITIONAL",
        "o": algo.type,
        "s": wanted.symbol,
        "S": SIDE_WORDS[wanted.side],
        "ps": wanted.position_side.name,
        "f": wanted.time_in_force,
        "q": on_grid(wanted.qty, board.instrument.step),
        "X": algo.status.value,
        "ai": "" if order is None else str(order.id),
        "ap": "0" if order is None else plain(order.avg_price),
        "aq": "0" if order is None else plain(order.cum_qty),
        "act": "0" if order is None else order.type,
        "tp": plain(condition.trigger),
        "p": plain(wanted.price),
        "V": "EXPIRE_MAKER",
        "wt": _working_type(condition),
        "pm": "NONE",
        "cp": algo.closes_position,
        "pP": False,
        "R": wanted.reduce_only,
        "tt": algo.triggered_ms,
        "gtd": wanted.good_till_ms,
    }
    if algo.reason:
        told["rm"] = algo.reason
    body = "ao" if desk.is_portfolio else "o"
    return {"e": "ALGO_UPDATE", "T": algo.updated_ms, "E": algo.updated_ms, body: told}


def _working_type(condition: Condition) -> str:
    return "MARK_PRICE" if condition.by_mark else "CONTRACT_PRICE"
