"""Endpoints of USD-M's conditional orders, `/fapi/v1/algoOrder` and its kin, and of the same under portfolio margin."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from hedgerow.emulators.binance import algos
from hedgerow.emulators.binance.algos import AlgoOrder, AlgoOrders
from hedgerow.emulators.binance.calls import Call, Endpoint, Endpoints, Security
from hedgerow.emulators.binance.customers import Kind
from hedgerow.emulators.binance.desk import Wanted
from hedgerow.emulators.binance.errors import (
    SIDE_NOT_VALID,
    TIME_IN_FORCE_NOT_VALID,
    TYPE_NOT_VALID,
    UNKNOWN_CANCEL,
    UNKNOWN_ORDER,
    Refusal,
    missing,
    refuse,
)
from hedgerow.emulators.binance.orders import CLIENT_ID, POSITION_SIDES, SIDES, Product, Row
from hedgerow.emulators.binance.usdm import (
    CONDITIONAL,
    USDM_TIMES,
    DeskOf,
    check_digits,
    classic,
    good_till,
    portfolio,
)
from hedgerow.market.answers import PositionSide
from hedgerow.model.numbers import ZERO

TRAILING = "TRAILING_STOP_MARKET"
# Per cent.
CALLBACK_MIN, CALLBACK_MAX = Decimal("0.1"), Decimal(10)
WORKING_TYPES = frozenset({"CONTRACT_PRICE", "MARK_PRICE"})


def _of(call: Call, desk_of: DeskOf) -> AlgoOrders:
    return call.venue.algos[desk_of(call).account_id]


def _named(call: Call, desk_of: DeskOf, otherwise: Refusal) -> AlgoOrder:
    algo_id, name = call.maybe_whole("algoId"), call.maybe("clientAlgoId")
    if algo_id is None and not name:
        raise refuse(400, -1102, "Param 'clientAlgoId' or 'algoId' must be sent, but both were empty/null!")
    found = _of(call, desk_of).find(algo_id, name)
    if found is None:
        raise otherwise
    return found


def _place(desk_of: DeskOf) -> Callable[[Call], Row]:
    def place(call: Call) -> Row:
        if call.text("algoType") != "CONDITIONAL":
            raise refuse(400, -1130, "Data sent for parameter 'algoType' is not valid.")
        side, kind = SIDES.get(call.text("side")), call.text("type")
        position_side = POSITION_SIDES.get(call.maybe("positionSide") or "BOTH")
        working_type = call.maybe("workingType") or "CONTRACT_PRICE"
        if side is None:
            raise Refusal(SIDE_NOT_VALID)
        if kind not in CONDITIONAL:
            raise Refusal(TYPE_NOT_VALID)
        for word, name in ((position_side, "positionSide"), (working_type in WORKING_TYPES or None, "workingType")):
            if word is None:
                raise refuse(400, -1130, f"Data sent for parameter '{name}' is not valid.")
        assert position_side is not None, call.params
        trigger, back = _price_of(call, kind)
        wanted = _wanted(call, kind, position_side)
        condition = algos.of_request(side, kind, trigger, by_mark=working_type == "MARK_PRICE", back=back)
        desk = desk_of(call)
        closes_position = call.flag("closePosition")
        placed = _of(call, desk_of).place(kind, wanted, condition, closes_position=closes_position)
        return algos.row(desk, placed)

    return place


def _price_of(call: Call, kind: str) -> tuple[Decimal, Decimal]:
    """Return (trigger, how far it trails as a ratio). Raises Refusal."""
    board = call.symbol(Product.USDM)
    if kind != TRAILING:
        trigger = call.needed_number("triggerPrice")
        check_digits(board, None, trigger)
        return trigger, ZERO
    rate = call.needed_number("callbackRate")
    if not CALLBACK_MIN <= rate <= CALLBACK_MAX:
        raise refuse(400, -1130, "Data sent for parameter 'callbackRate' is not valid.")
    activation = call.number("activatePrice")
    check_digits(board, None, activation)
    return activation or ZERO, rate / 100


def _wanted(call: Call, kind: str, position_side: PositionSide) -> Wanted:
    """Return the order that is placed when the price comes. Raises Refusal."""
    board = call.symbol(Product.USDM)
    is_limit = kind in ("STOP", "TAKE_PROFIT")
    quantity, limit_price, name = call.number("quantity"), call.number("price"), call.maybe("clientAlgoId")
    time_in_force = call.maybe("timeInForce") or "GTC"
    closes_position = call.flag("closePosition")
    if closes_position and (is_limit or kind == TRAILING):
        raise refuse(400, -4136, f"Target strategy invalid for orderType {kind},closePosition true")
    if closes_position and (quantity is not None or call.flag("reduceOnly")):
        raise refuse(400, -1106, "Parameter 'quantity' or 'reduceOnly' sent when not required.")
    if not closes_position and quantity is None:
        raise missing("quantity")
    if is_limit and limit_price is None:
        raise missing("price")
    if limit_price is not None and not is_limit:
        raise refuse(400, -1106, "Parameter 'price' sent when not required.")
    if time_in_force not in USDM_TIMES:
        raise Refusal(TIME_IN_FORCE_NOT_VALID)
    if quantity == ZERO:
        raise refuse(400, -4003, "Quantity less than or equal to zero.")
    if name and CLIENT_ID.fullmatch(name) is None:
        raise refuse(400, -4015, "Client order id is not valid.")
    check_digits(board, quantity, limit_price)
    return Wanted(
        symbol=board.symbol,
        side=SIDES[call.text("side")],
        type="LIMIT" if is_limit else "MARKET",
        time_in_force=time_in_force,
        qty=quantity or ZERO,
        price=limit_price or ZERO,
        client_order_id=name,
        post_only=time_in_force == "GTX",
        reduce_only=call.flag("reduceOnly") or (closes_position and position_side is PositionSide.BOTH),
        position_side=position_side,
        good_till_ms=good_till(call, time_in_force),
    )


def _query(desk_of: DeskOf) -> Callable[[Call], Row]:
    return lambda call: algos.queried(desk_of(call), _named(call, desk_of, Refusal(UNKNOWN_ORDER)))


def _open(desk_of: DeskOf) -> Callable[[Call], list[Row]]:
    def list_open(call: Call) -> list[Row]:
        symbol = call.symbol(Product.USDM).symbol if call.maybe("symbol") else ""
        desk = desk_of(call)
        return [algos.queried(desk, each) for each in _of(call, desk_of).waiting(symbol)]

    return list_open


def _all(desk_of: DeskOf) -> Callable[[Call], list[Row]]:
    def list_all(call: Call) -> list[Row]:
        desk, symbol = desk_of(call), call.symbol(Product.USDM).symbol
        first_id, limit = call.whole("algoId", 0), min(call.whole("limit", 500), 1000)
        start_ms, end_ms = call.whole("startTime", 0), call.whole("endTime", 1 << 62)
        found = [
            each
            for each in _of(call, desk_of).all_of(symbol)
            if each.id >= first_id and start_ms <= each.created_ms <= end_ms
        ]
        return [algos.queried(desk, each) for each in (found[:limit] if first_id or start_ms else found[-limit:])]

    return list_all


def _cancel(desk_of: DeskOf) -> Callable[[Call], Row]:
    def cancel(call: Call) -> Row:
        desk = desk_of(call)
        ended = _of(call, desk_of).cancel(_named(call, desk_of, Refusal(UNKNOWN_CANCEL)))
        if desk.kind is Kind.PORTFOLIO:
            return {"complete": True}
        # The only place where a code is a text.
        return {"algoId": ended.id, "clientAlgoId": ended.name, "code": "200", "msg": "success"}

    return cancel


def _cancel_open(desk_of: DeskOf) -> Callable[[Call], Row]:
    def cancel_open(call: Call) -> Row:
        orders = _of(call, desk_of)
        for each in orders.waiting(call.symbol(Product.USDM).symbol):
            orders.cancel(each)
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    return cancel_open


_SIGNED = Security.SIGNED
ENDPOINTS: Endpoints = {
    ("POST", "/fapi/v1/algoOrder"): Endpoint(_place(classic), _SIGNED, 1, 1),
    ("GET", "/fapi/v1/algoOrder"): Endpoint(_query(classic), _SIGNED),
    ("DELETE", "/fapi/v1/algoOrder"): Endpoint(_cancel(classic), _SIGNED),
    ("GET", "/fapi/v1/openAlgoOrders"): Endpoint(_open(classic), _SIGNED),
    ("GET", "/fapi/v1/allAlgoOrders"): Endpoint(_all(classic), _SIGNED, 5),
    ("DELETE", "/fapi/v1/algoOpenOrders"): Endpoint(_cancel_open(classic), _SIGNED),
    ("POST", "/papi/v1/um/algo/order"): Endpoint(_place(portfolio), _SIGNED, 1, 1),
    ("DELETE", "/papi/v1/um/algo/order"): Endpoint(_cancel(portfolio), _SIGNED),
    ("GET", "/papi/v1/um/algo/algoOrder"): Endpoint(_query(portfolio), _SIGNED),
    ("GET", "/papi/v1/um/algo/openAlgoOrders"): Endpoint(_open(portfolio), _SIGNED),
    ("GET", "/papi/v1/um/algo/allAlgoOrders"): Endpoint(_all(portfolio), _SIGNED, 5),
    ("DELETE", "/papi/v1/um/algo/allOpenOrders"): Endpoint(_cancel_open(portfolio), _SIGNED),
}
