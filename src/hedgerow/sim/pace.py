"""How often an engine may ask: a storm is a bug even when every single request is right.

As the oracle, it knows an engine only by its requests and by its durable records as plain JSON.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec

WINDOW_NS = 10_000_000_000
REQUESTS_MAX = 200
"Of one book in a window, without those of orders that traded or were refused: a large need leaves in many slices."
REQUESTS_PER_ORDER = 10
"More for each order that is not over: one that nobody answers for is asked about, and again after each start."
CANCELS_MAX = 20
"Of one order."
SPARED_MAX = 6
"Requests of one order that traded or was refused which do not count: what led to it, and late questions."
REFUSALS_MAX = 16
"In a row, of one slot or shortfall in a window; the slices of one need count once. A storm is thousands."


class _Asked(msgspec.Struct):
    key: str
    "Leg, side and slot."
    ordered_ns: int
    "The slices of one need are ordered at once."
    cancels: int = 0
    requests: int = 0
    "Submit, questions and cancels."
    ended: bool = False
    "It traded or was refused."


class Pace:
    """Follows the requests of one book; each method returns what is too much, or an empty text."""

    def __init__(self) -> None:
        self._requests: deque[int] = deque()
        self._orders: dict[str, _Asked] = {}
        self._open: set[str] = set()
        "Orders that are not over, by what is durable."
        self._refusals: dict[str, deque[int]] = {}
        "Key -> when the orders were ordered that were refused in a row."

    def left(self, now_ns: int, what: str, order_id: str) -> str:
        """A request left an engine."""
        order = self._orders.get(order_id)
        if order is not None:
            order.requests += 1
        if order is None or not order.ended or order.requests > SPARED_MAX:
            self._requests.append(now_ns)
        while self._requests and self._requests[0] <= now_ns - WINDOW_NS:
            self._requests.popleft()
        if len(self._requests) >= REQUESTS_MAX + REQUESTS_PER_ORDER * len(self._open):
            return f"{len(self._requests)} requests within ten seconds, {len(self._open)} orders are not over"
        if order is None:
            return ""
        order.cancels += what == "CancelOrder"
        is_storm = what == "CancelOrder" and order.cancels == CANCELS_MAX
        return f"{order_id}: {order.cancels} cancels" if is_storm else ""

    def ended(self, order_id: str) -> None:
        """An order traded or was refused: what led to it is no storm."""
        order = self._orders.get(order_id)
        if order is None or order.ended:
            return
        order.ended = True
        for _ in range(min(order.requests, SPARED_MAX, len(self._requests))):
            self._requests.pop()

    def ordered(self, now_ns: int, command: dict[str, Any]) -> None:
        """A submit became durable."""
        key = f"{command['leg_id']} {command['side']} {command.get('slot', '')}".rstrip()
        self._orders[command["order_id"]] = _Asked(key, now_ns)
        self._open.add(command["order_id"])

    def learned(self, event: dict[str, Any]) -> str:
        """A record says what became of an order: refusals in a row must be spaced, whatever the slots beside do."""
        what, fill = event["what"], event.get("fill", {})
        order_id = event.get("order_id") or fill.get("order_id") or ""
        order = self._orders.get(order_id)
        if order is None:
            return ""
        is_open = what == "OrderReported" and event["status"] == "open"
        if what == "OrderRejected" or (what == "OrderReported" and not is_open):
            self._open.discard(order_id)
        if what not in ("OrderAccepted", "OrderRejected", "FillReceived") and not is_open:
            return ""
        row = self._refusals.setdefault(order.key, deque(maxlen=REFUSALS_MAX))
        if what != "OrderRejected":
            row.clear()
            return ""
        self.ended(order_id)
        if order.ordered_ns not in row:
            row.append(order.ordered_ns)
        is_storm = len(row) == REFUSALS_MAX and row[-1] - row[0] < WINDOW_NS
        return f"{order.key}: refused {REFUSALS_MAX} times within ten seconds" if is_storm else ""
