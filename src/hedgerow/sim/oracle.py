"""The judge: what must be true of an engine, computed from the venues' side and from the durable bytes alone.

Shares no code with the engine. It is told what the venues did, reads the journal's records as plain JSON, and computes
obligations, hedges and orders that may still fill for itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from hedgerow.model.instrument import Instrument

ZERO = Decimal(0)
WINDOW_NS = 10_000_000_000
REQUESTS_MAX = 400
"Requests of one engine in any ten seconds, for two legs."
CANCELS_MAX = 40
"Cancels of one order."
TOLERANCE = Decimal("1e-9")
"Ratios and multipliers may not divide evenly."


class Violation(msgspec.Struct, frozen=True):
    """A rule that an engine broke."""

    ts_ns: int
    rule: str
    text: str


class Truth(msgspec.Struct):
    """One order of ours: what was asked, and what really became of it."""

    leg: str
    role: str
    sign: int
    qty: Decimal
    wire: tuple[str, str, Decimal, Decimal | None]
    "Instrument, side, qty, limit price: what may leave."
    left: int = 0
    "How often it left the engine."
    dead: bool = False
    "It can fill no more: refused, lost, ended, or never to leave."
    filled: Decimal = ZERO
    "At the venue, whether the engine knows or not."
    cancels: int = 0

    @property
    def most(self) -> Decimal:
        """The most that it may have filled in the end."""
        return self.filled if self.dead else max(self.qty, self.filled)


class Trade(msgspec.Struct, frozen=True):
    """One execution at a venue, as it was."""

    leg: str
    order_id: str
    "Empty when the venue itself traded."
    net: Decimal
    "Signed qty, before fees."
    base_fee: Decimal


class Seen(msgspec.Struct, frozen=True):
    """What an engine says of itself once all is calm, in plain words and numbers."""

    net: dict[str, Decimal]
    live: dict[str, str]
    "Live order -> its status."
    filled: dict[str, Decimal]
    "Order -> what it filled, of those still remembered."
    parked: int
    cancels_out: int


class Oracle:
    """Follows one book through all its engines; `violations` is what it found."""

    def __init__(self, tag: str, legs: dict[str, Instrument], lead: str, hedge: str, ratio: Decimal) -> None:
        self.legs, self.lead, self.hedge = legs, lead, hedge
        self.violations: list[Violation] = []
        self.orders: dict[str, Truth] = {}
        self.trades: dict[tuple[str, str], Trade] = {}
        "(leg, trade id) -> what the venue traded for us."
        self.mode = "running"
        self._prefix = f"hr-{tag}-"
        self._per_lead = ratio * legs[lead].multiplier / legs[hedge].multiplier
        self._leg_of = {instrument.id: leg for leg, instrument in legs.items()}
        self._known: dict[tuple[str, str], bool] = {}
        "Trades in the journal -> whether the journal itself says whose they are."
        self._fees: dict[tuple[str, str], Decimal] = {}
        self.adopted = dict.fromkeys(legs, ZERO)
        self._net = dict.fromkeys(legs, ZERO)
        self._doubtful = dict.fromkeys(legs, ZERO)
        "Of `_net`, by trades whose record names no order."
        self._gone: set[str] = set()
        self._asked: set[str] = set()
        self._requests: deque[int] = deque()
        self._now_ns = 0

    def broken(self, rule: str, text: str) -> None:
        self.violations.append(Violation(self._now_ns, rule, text))

    # The venues' side.

    def traded(self, trade_id: str, trade: Trade) -> None:
        """A venue traded for our account: by an order of ours, or by itself."""
        self.trades[trade.leg, trade_id] = trade
        if trade.order_id:
            order = self.orders.get(trade.order_id)
            if order is None:
                self.broken("durable", f"{trade.order_id} traded and is in no durable turn")
            else:
                order.filled += abs(trade.net)

    def dead(self, order_id: str) -> None:
        """An order can fill no more: refused, lost on its way for good, or ended."""
        if order_id in self.orders:
            self.orders[order_id].dead = True

    # The engine's side.

    def left(self, now_ns: int, what: str, order_id: str, wire: tuple[str, str, Decimal, Decimal | None] | None) -> None:
        """A request leaves an engine process; everything durable by then was read before."""
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
        elif what == "CancelOrder":
            if order is None:
                self.broken("durable", f"a cancel of {order_id} left, which is in no durable turn")
            else:
                order.cancels += 1
                if order.cancels == CANCELS_MAX:
                    self.broken("bounded", f"{order_id} was canceled {CANCELS_MAX} times")

    def read(self, now_ns: int, bodies: Iterable[bytes]) -> None:
        """Read further durable records, in order, and judge each decision by what stands in the journal up to it."""
        self._now_ns = now_ns
        for body in bodies:
            turn = msgspec.json.decode(body)
            self._read_event(turn["event"], turn.get("commands", ()))
            for command in turn.get("commands", ()):
                match command["what"]:
                    case "SubmitOrder":
                        self._judge(command)
                    case "ModeChanged":
                        self.mode = command["mode"]
                    case "PositionAdopted":
                        self.adopted[command["leg_id"]] += Decimal(command["net_qty"])
                        self._net[command["leg_id"]] += Decimal(command["net_qty"])

    def _read_event(self, event: dict[str, Any], commands: Iterable[dict[str, Any]]) -> None:
        match event["what"]:
            case "FillReceived" | "FillLookedUp":
                self._learn(event["fill"])
            case "TradesRead":
                for fill in event.get("fills", ()):
                    self._learn(fill)
            case "OperatorCommanded" if event["action"] != "signal":
                request = event.get("request_id", "")
                if not request or request not in self._asked:
                    modes = {"freeze": "frozen", "flatten": "flattening", "halt": "halted", "resume": "running"}
                    self.mode = modes[event["action"]]
                self._asked.add(request)
            case "BookStarted":
                self.mode = "halted" if event.get("halted") else self.mode
                for order in self.orders.values():
                    # The engine that would have sent it is gone.
                    order.dead = order.dead or not order.left

    def _learn(self, fill: dict[str, Any]) -> None:
        leg = self._leg_of[fill["instrument_id"]]
        key = (leg, fill["trade_id"])
        named = fill.get("order_id") or ""
        if not named.startswith(self._prefix) and (named or key not in self.trades):
            if fill.get("venue_made"):
                self.broken("no invented fills", f"{key} is not a trade of the venue")
            return
        trade = self.trades.get(key)
        net = Decimal(fill["qty"]) * (1 if fill["side"] == "buy" else -1)
        if trade is None or trade.net != net or (named and trade.order_id != named):
            self.broken("no invented fills", f"{fill} is not what the venue traded: {trade}")
            return
        certain = bool(named) or bool(fill.get("venue_made"))
        fee = Decimal(fill.get("fee") or 0) if fill.get("fee_currency") == self.legs[leg].base else ZERO
        if key not in self._known:
            self._net[leg] += net
            self._doubtful[leg] += ZERO if certain else net
        elif certain and not self._known[key]:
            self._doubtful[leg] -= net
        self._net[leg] -= fee - self._fees.get(key, ZERO) if fee else ZERO
        self._fees[key] = fee or self._fees.get(key, ZERO)
        self._known[key] = certain or self._known.get(key, False)

    def _judge(self, command: dict[str, Any]) -> None:
        """One order, at the moment of its decision: is it new, allowed in this mode, and never too much?"""
        order_id, leg, role = command["order_id"], command["leg_id"], command["role"]
        qty, sign = Decimal(command["qty"]), 1 if command["side"] == "buy" else -1
        if order_id in self.orders:
            self.broken("once", f"{order_id} is in two durable turns")
            return
        if self.mode == "halted" or (self.mode != "running" and role == "entry"):
            self.broken("mode", f"{order_id} ({role}) was ordered while {self.mode}")
        may = sum((o.most for o in self.orders.values() if o.leg == leg and o.sign == sign), ZERO)
        booked = sum((abs(t.net) for k, t in self.trades.items() if k in self._known and self._same(t, leg, sign)), ZERO)
        if role != "entry":
            owed = self._owed(leg, role, sign)
            if qty + may - booked > owed + TOLERANCE:
                self.broken("over-hedge", f"{order_id}: {qty} and {may - booked} that may still fill, owed {owed}")
        price = command.get("limit_price")
        wire = (command["instrument_id"], command["side"], qty, None if price is None else Decimal(price))
        self.orders[order_id] = Truth(leg, role, sign, qty, wire)

    def _same(self, trade: Trade, leg: str, sign: int) -> bool:
        return trade.leg == leg and bool(trade.order_id) and (trade.net > 0) == (sign > 0)

    def _owed(self, leg: str, role: str, sign: int) -> Decimal:
        """What an order of this side may bring, by fills in the journal; records without a name read in its favor."""
        if role == "exit":
            return -sign * self._net[leg] + abs(self._doubtful[leg])
        target = self._per_lead * self._net[self.lead]
        doubt = abs(self._per_lead * self._doubtful[self.lead]) + abs(self._doubtful[self.hedge])
        return sign * (target - self._net[self.hedge]) + doubt
