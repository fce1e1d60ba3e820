"""The judge: what must be true of an engine, computed from the venues' side and from the durable bytes alone.

Shares no code with the engine. It is told what the venues did, reads the journal's records as plain JSON, and computes
obligations, hedges and orders that may still fill for itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from hedgerow.model.instrument import Instrument

ZERO = Decimal(0)
# Ratios and multipliers may not divide evenly.
TOLERANCE = Decimal("1e-9")
WINDOW_NS = 10_000_000_000
# Of one engine in any ten seconds; of one order in its life.
REQUESTS_MAX = 400
CANCELS_MAX = 40
MODES = {"freeze": "frozen", "flatten": "flattening", "halt": "halted", "resume": "running"}
Wire = tuple[str, str, Decimal, Decimal | None]
"Instrument, side, qty and limit price: what leaves with a submit."


class Violation(msgspec.Struct, frozen=True):
    """A rule that an engine broke, and when."""

    ts_ns: int
    rule: str
    text: str


class Truth(msgspec.Struct):
    """One order of ours: what the journal asked for, and what really became of it."""

    leg: str
    role: str
    sign: int
    qty: Decimal
    wire: Wire
    left: int = 0
    "How often it left an engine."
    cancels: int = 0
    dead: bool = False
    "It can fill no more: refused, lost for good, ended, or never to leave."
    filled: Decimal = ZERO
    "At the venue, whether the engine knows or not."
    known: Decimal = ZERO
    "Of that, what stands in the journal."

    @property
    def may_fill(self) -> Decimal:
        """The most that may have to be added to what the journal knows."""
        return max((self.filled if self.dead else self.qty) - self.known, ZERO)


class Trade(msgspec.Struct, frozen=True):
    """One execution at a venue, as it was."""

    leg: str
    order_id: str
    "Empty when the venue traded by itself."
    net: Decimal
    "Signed qty, before fees."
    base_fee: Decimal
    surprise: bool = False
    "More than was asked for: nobody could count on it."


class Oracle:
    """Follows one book through all its engines; `violations` is what it found."""

    def __init__(self, tag: str, legs: Mapping[str, Instrument], lead: str, hedge: str, ratio: Decimal) -> None:
        self.violations: list[Violation] = []
        self.orders: dict[str, Truth] = {}
        self.trades: dict[tuple[str, str], Trade] = {}
        "(leg, trade id) -> what the venue traded for us."
        self.mode = "running"
        self.net = dict.fromkeys(legs, ZERO)
        "Leg -> what stands in the journal: trades net of fees in base, and what was adopted."
        self._adopted = dict.fromkeys(legs, ZERO)
        self._legs, self._lead, self._hedge = dict(legs), lead, hedge
        self._per_lead = ratio * legs[lead].multiplier / legs[hedge].multiplier
        self._leg_of = {instrument.id: leg for leg, instrument in legs.items()}
        self._prefix = f"hr-{tag}-"
        self._fees: dict[tuple[str, str], Decimal] = {}
        self._nameless: dict[tuple[str, str], Decimal] = {}
        "Trades of the lead leg whose records do not say whose they are: an engine may not have booked them yet."
        self._asked: set[str] = set()
        self._requests: deque[int] = deque()
        self._now_ns = 0

    def broken(self, rule: str, text: str) -> None:
        self.violations.append(Violation(self._now_ns, rule, text))

    def traded(self, trade_id: str, trade: Trade) -> None:
        """A venue traded for our account."""
        self.trades[trade.leg, trade_id] = trade
        if trade.order_id in self.orders:
            self.orders[trade.order_id].filled += ZERO if trade.surprise else abs(trade.net)
        elif trade.order_id:
            self.broken("durable", f"{trade.order_id} traded and is in no durable turn")

    def changed(self, leg: str, instrument: Instrument) -> None:
        """A venue changed its filters."""
        self._legs[leg] = instrument

    def dead(self, order_id: str) -> None:
        """An order can fill no more: refused, lost on its way for good, or ended."""
        if order_id in self.orders:
            self.orders[order_id].dead = True

    def left(self, now_ns: int, what: str, order_id: str, wire: Wire | None) -> None:
        """A request leaves an engine; everything durable by then was read before. `wire` comes with submits."""
        self._now_ns = now_ns
        self._requests.append(now_ns)
        while self._requests[0] <= now_ns - WINDOW_NS:
            self._requests.popleft()
        if len(self._requests) == REQUESTS_MAX:
            self.broken("bounded", f"{REQUESTS_MAX} requests within ten seconds")
        order = self.orders.get(order_id)
        if wire is not None:
            if order is None or order.wire != wire:
                self.broken("durable", f"{order_id} left as {wire}; durable is {order and order.wire}")
            elif order.left:
                self.broken("once", f"{order_id} left twice")
            if order is not None:
                order.left += 1
        elif what == "CancelOrder" and order is None:
            self.broken("durable", f"a cancel of {order_id} left, which is in no durable turn")
        elif what == "CancelOrder" and order is not None:
            order.cancels += 1
            if order.cancels == CANCELS_MAX:
                self.broken("bounded", f"{order_id} was canceled {CANCELS_MAX} times")

    def read(self, now_ns: int, bodies: Iterable[bytes]) -> None:
        """Read further durable records, in order, and judge each decision by what stands in the journal up to it."""
        self._now_ns = now_ns
        for body in bodies:
            turn = msgspec.json.decode(body)
            self._learn_event(turn["event"])
            for command in turn.get("commands", ()):
                if command["what"] == "SubmitOrder":
                    self._judge(command)
                elif command["what"] == "ModeChanged":
                    self.mode = command["mode"]
                elif command["what"] == "PositionAdopted":
                    self._adopted[command["leg_id"]] += Decimal(command["net_qty"])
                    self.net[command["leg_id"]] += Decimal(command["net_qty"])

    def _learn_event(self, event: dict[str, Any]) -> None:
        what = event["what"]
        if what in ("FillReceived", "FillLookedUp", "TradesRead"):
            for fill in event.get("fills", ()) if what == "TradesRead" else (event["fill"],):
                self._learn(fill)
        elif what == "OperatorCommanded" and event["action"] in MODES:
            request = event.get("request_id", "")
            if not request or request not in self._asked:
                self.mode = MODES[event["action"]]
            self._asked.add(request)
        elif what == "BookStarted":
            self.mode = "halted" if event.get("halted") else self.mode
            for order in self.orders.values():
                # The engine that would have sent it is gone.
                order.dead = order.dead or not order.left

    def _learn(self, fill: dict[str, Any]) -> None:
        key = (self._leg_of[fill["instrument_id"]], fill["trade_id"])
        trade, name, by_venue = self.trades.get(key), fill.get("order_id") or "", fill.get("venue_made", False)
        if trade is None and not by_venue and not name.startswith(self._prefix):
            return
        net = Decimal(fill["qty"]) * (1 if fill["side"] == "buy" else -1)
        if trade is None or trade.net != net or (name and trade.order_id != name):
            self.broken("invented", f"the journal has {fill}, the venue {trade}")
            return
        if key not in self._fees:
            self.net[trade.leg] += net
            if trade.order_id:
                self.orders[trade.order_id].known += abs(net)
        if name or by_venue:
            self._nameless.pop(key, None)
        elif key not in self._fees and trade.leg == self._lead:
            self._nameless[key] = abs(net)
        fee = Decimal(fill.get("fee") or 0) if fill.get("fee_currency") == self._legs[trade.leg].base else ZERO
        self.net[trade.leg] -= fee - self._fees.get(key, ZERO) if fee else ZERO
        self._fees[key] = fee or self._fees.get(key, ZERO)

    def _judge(self, command: dict[str, Any]) -> None:
        """One order, by what the journal knew: is it new, allowed in this mode, and never too much?"""
        order_id, leg, role = command["order_id"], command["leg_id"], command["role"]
        qty, sign, price = Decimal(command["qty"]), 1 if command["side"] == "buy" else -1, command.get("limit_price")
        if order_id in self.orders:
            self.broken("once", f"{order_id} is in two durable turns")
            return
        if self.mode == "halted" or (self.mode != "running" and role == "entry"):
            self.broken("mode", f"{order_id} ({role}) was ordered while {self.mode}")
        may_fill = sum((o.may_fill for o in self.orders.values() if o.leg == leg and o.sign == sign), ZERO)
        target = self._per_lead * self.net[self._lead] if role == "hedge" else ZERO
        doubt = abs(self._per_lead) * sum(self._nameless.values(), ZERO) if role == "hedge" else ZERO
        owed = sign * (target - self.net[leg])
        if role != "entry" and qty + may_fill > owed + doubt + TOLERANCE:
            self.broken("over-hedge", f"{order_id}: {qty}, and {may_fill} may still fill; owed {owed}")
        wire = (command["instrument_id"], command["side"], qty, None if price is None else Decimal(price))
        self.orders[order_id] = Truth(leg, role, sign, qty, wire)

    def residual(self) -> Decimal:
        """What the venues' own trades leave unhedged, hedge leg's units."""
        return self._truly(self._hedge) - self._per_lead * self._truly(self._lead)

    def _truly(self, leg: str) -> Decimal:
        return self._adopted[leg] + sum((t.net - t.base_fee for t in self.trades.values() if t.leg == leg), ZERO)

    def unsettled(self, price: Decimal, net: Mapping[str, Decimal], live: Mapping[str, str], loose_ends: int) -> list[str]:
        """Return what is not yet as it must be once all is calm; empty when the world has converged.

        Args:
            price: at which the hedge leg trades.
            net: leg -> what the engine says that it holds.
            live: order -> status of every order that the engine holds for live.
            loose_ends: parked fills and unanswered cancels in the engine.
        """
        found = [f"{key} is not in the journal" for key in self.trades if key not in self._fees]
        for leg in self._legs:
            if net[leg] != self._truly(leg):
                found.append(f"{leg}: the engine holds {net[leg]}, the venue's trades add up to {self._truly(leg)}")
        smallest = self._legs[self._hedge].smallest_qty(price)
        step = self._legs[self._hedge].step
        if abs(self.residual()) // step * step >= smallest and self.mode != "halted":
            found.append(f"residual {self.residual()}, smallest order {smallest}")
        for order_id, order in self.orders.items():
            alive = bool(order.left) and not order.dead
            if alive != (order_id in live):
                found.append(f"{order_id} is {'live' if alive else 'over'} at the venue, not so for the engine")
            if alive and order.role == "entry" and self.mode != "running":
                found.append(f"{order_id} stands while {self.mode}")
        found += [f"{order_id} is {status}" for order_id, status in live.items() if status != "open"]
        return found + ([f"{loose_ends} loose ends"] if loose_ends else [])

    def unflat(self, price: Decimal) -> list[str]:
        """Return what is still held, could be closed, and would leave less behind; empty when the book is flat."""
        held = {leg: abs(self._truly(leg)) // each.step * each.step for leg, each in self._legs.items()}
        found = [leg for leg, each in self._legs.items() if held[leg] >= each.smallest_qty(price)]
        if abs(self._per_lead * self._truly(self._lead)) >= abs(self.residual()):
            found = [leg for leg in found if leg != self._hedge]
        return [f"{leg}: {held[leg]} is held" for leg in found]
