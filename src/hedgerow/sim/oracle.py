"""The judge: what must be true of an engine, by what the venues did and by the durable bytes alone.

Shares no code with the engine: it reads records as plain JSON and computes what is owed and what may fill for itself.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from hedgerow.model.instrument import Instrument
from hedgerow.sim.pace import Pace
from hedgerow.sim.violation import Violation

ZERO, TOLERANCE = Decimal(0), Decimal("1e-9")  # Ratios and multipliers may not divide evenly.
MODES = {"freeze": "frozen", "flatten": "flattening", "halt": "halted", "resume": "running"}
Wire = tuple[str, str, Decimal, Decimal | None]  # Instrument, side, qty, limit price: what leaves with a submit.


class Truth(msgspec.Struct):
    """One order of ours: what the journal asked for, and what really became of it."""

    leg: str
    role: str
    sign: int
    qty: Decimal
    wire: Wire
    left: int = 0  # How often it left an engine.
    dead: bool = False  # It can fill no more: refused, lost for good, ended, or never to leave.
    filled: Decimal = ZERO  # At the venue, whether the engine knows or not.
    known: Decimal = ZERO  # In the journal.

    @property
    def may_fill(self) -> Decimal:
        return max((self.filled if self.dead else self.qty) - self.known, ZERO)


class Trade(msgspec.Struct, frozen=True):
    """One execution at a venue, as it was: signed qty before fees, and the fee taken in the base asset."""

    leg: str
    order_id: str  # Empty when the venue traded by itself.
    net: Decimal
    base_fee: Decimal
    surprise: bool = False  # More than was asked for: nobody could count on it.


class Oracle:
    """Follows one book through all its engines; `violations` is what it found."""

    def __init__(
        self, tag: str, legs: Mapping[str, Instrument], rule: tuple[str, str, Decimal] | None = None, pair: bool = False
    ) -> None:
        self.violations: list[Violation] = []
        self.orders: dict[str, Truth] = {}
        self.trades: dict[tuple[str, str], Trade] = {}  # (leg, trade id) -> what the venue traded for us.
        self.by_hand = dict.fromkeys(legs, ZERO)  # What other hands have traded on the accounts.
        self.mode = "running"
        # In the journal: by leg, trades net of fees in base and what was adopted; by trade, its fee in base.
        self.net = dict.fromkeys(legs, ZERO)
        self._fees: dict[tuple[str, str], Decimal] = {}
        self._adopted = dict.fromkeys(legs, ZERO)
        self.legs, self._prefix = dict(legs), f"hr-{tag}-"
        self._lead, self._hedge, ratio = rule or ("", "", ZERO)
        self._pair = pair  # Each leg is closed by itself: what the other one cannot close is not offset for ever.
        # What one leg owes per unit of the other: both ways, because either may open first.
        per_lead = ratio * legs[self._lead].multiplier / legs[self._hedge].multiplier if rule else ZERO
        self._owes = {self._hedge: (self._lead, per_lead), self._lead: (self._hedge, 1 / per_lead)} if rule else {}
        self._leg_of = {instrument.id: leg for leg, instrument in legs.items()}
        # Trades whose records do not say whose they are: an engine may not have booked them yet.
        self._nameless: dict[tuple[str, str], Decimal] = {}
        self._asked: set[str] = set()
        self._pace = Pace()
        self._now_ns = 0

    def broken(self, rule: str, text: str) -> None:
        if text:
            self.violations.append(Violation(self._now_ns, rule, text))

    def traded(self, trade_id: str, trade: Trade) -> None:
        self.trades[trade.leg, trade_id] = trade
        self._pace.ended(trade.order_id)
        if trade.order_id in self.orders:
            self.orders[trade.order_id].filled += ZERO if trade.surprise else abs(trade.net)
        elif trade.order_id:
            self.broken("durable", f"{trade.order_id} traded and is in no durable turn")

    def dead(self, order_id: str) -> None:
        """An order can fill no more: refused, lost on its way for good, or ended."""
        if order_id in self.orders:
            self.orders[order_id].dead = True

    def left(self, now_ns: int, what: str, order_id: str, wire: Wire | None) -> None:
        """A request leaves an engine; everything durable by then was read before. `wire` comes with submits."""
        self._now_ns = now_ns
        self.broken("bounded", self._pace.left(now_ns, what, order_id))
        order = self.orders.get(order_id)
        if order is None or (wire is not None and order.wire != wire):
            if what in ("SubmitOrder", "CancelOrder"):
                self.broken("durable", f"{what} of {order_id} left as {wire}; durable is {order}")
            return
        order.left += what == "SubmitOrder"
        order.dead = order.dead and what != "SubmitOrder"
        if order.left > 1:
            self.broken("once", f"{order_id} left {order.left} times")

    def read(self, now_ns: int, bodies: Iterable[bytes]) -> None:
        """Read further durable records, in order, and judge each decision by what stands in the journal up to it."""
        self._now_ns = now_ns
        for body in bodies:
            turn = msgspec.json.decode(body)
            event, what = turn["event"], turn["event"]["what"]
            for fill in event["fills"] if "fills" in event else (event["fill"],) if "fill" in event else ():
                self._learn(fill)
            self.broken("bounded", self._pace.learned(event))
            if event.get("reject_class") == "not_sent" and not self.orders[event["order_id"]].left:
                self.dead(event["order_id"])
            if what == "OperatorCommanded" and event["action"] in MODES and event["request_id"] not in self._asked:
                self._asked.add(event["request_id"])
                self.mode = MODES[event["action"]]
            elif what == "BookStarted":
                self.mode = "halted" if event.get("halted") else self.mode
                for order in self.orders.values():
                    order.dead = order.dead or not order.left  # The engine that would have sent it is gone.
            for command in turn.get("commands", ()):
                if command["what"] == "SubmitOrder":
                    self._pace.ordered(now_ns, command)
                    self._judge(command)
                elif command["what"] == "ModeChanged":
                    self.mode = command["mode"]
                elif command["what"] == "PositionAdopted":
                    self._adopted[command["leg_id"]] += Decimal(command["net_qty"])
                    self.net[command["leg_id"]] += Decimal(command["net_qty"])

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
        elif key not in self._fees:
            self._nameless[key] = abs(net)
        fee = Decimal(fill.get("fee") or 0) if fill.get("fee_currency") == self.legs[trade.leg].base else ZERO
        self.net[trade.leg] -= fee - self._fees.get(key, ZERO) if fee else ZERO
        self._fees[key] = fee or self._fees.get(key, ZERO)

    def _judge(self, command: dict[str, Any]) -> None:
        """One order, by what the journal knew: is it new, allowed in this mode, and never too much?"""
        order_id, leg, role = command["order_id"], command["leg_id"], command["role"]
        qty, sign, price = Decimal(command["qty"]), 1 if command["side"] == "buy" else -1, command.get("limit_price")
        if order_id in self.orders:
            self.broken("once", f"{order_id} is in two durable turns")
        if self.mode == "halted" or (self.mode != "running" and role == "entry"):
            self.broken("mode", f"{order_id} ({role}) was ordered while {self.mode}")
        rivals = (o for o in self.orders.values() if o.leg == leg and o.sign == sign and o.role != "entry")
        may_fill = sum((o.may_fill for o in rivals), ZERO)
        other, per_other = self._owes[leg] if role == "hedge" else (leg, ZERO)
        owed = sign * (per_other * self.net[other] - self.net[leg])
        doubt = abs(per_other) * sum((qty for (of, _), qty in self._nameless.items() if of == other), ZERO)
        if role != "entry" and qty + may_fill > owed + doubt + TOLERANCE:
            self.broken("over-hedge", f"{order_id}: {qty}, and {may_fill} may still fill; owed {owed}")
        wire = (command["instrument_id"], command["side"], qty, None if price is None else Decimal(price))
        self.orders[order_id] = Truth(leg, role, sign, qty, wire)

    def unsettled(self, price: Decimal, net: Mapping[str, Decimal], live: Mapping[str, str], flat: bool) -> list[str]:
        """Return what is not as it must be once all is calm; `net` (by leg) and `live` (by order): the engine's."""
        found = [f"{key} is not in the journal" for key in self.trades if key not in self._fees]
        truly = dict(self._adopted)
        for trade in self.trades.values():
            truly[trade.leg] += trade.net - trade.base_fee
        found += [f"{leg}: engine {net[leg]}, trades add up to {truly[leg]}" for leg in truly if net[leg] != truly[leg]]
        left = dict(truly) if flat else {}
        for leg, (other, per_other) in self._owes.items() if self._pair and not flat else ():
            over = truly[leg] - per_other * truly[other]
            left[leg] = min(over, truly[leg], key=abs) if over * truly[leg] > 0 else ZERO
        if self._hedge and not self._pair:  # What the lead leg cannot close may stay hedged.
            owed = self._owes[self._hedge][1] * truly[self._lead]
            left[self._hedge] = truly[self._hedge] - owed
            if flat and abs(owed) < abs(left[self._hedge]):
                left[self._hedge] = truly[self._hedge]
        for leg, qty in left.items() if self.mode != "halted" else ():
            # What other hands have taken of a position is not there to be closed.
            taken = abs(self.by_hand[leg]) if (flat or self._pair) and self.by_hand[leg] * truly[leg] < 0 else ZERO
            if (abs(qty) - taken) // self.legs[leg].step * self.legs[leg].step >= self.legs[leg].smallest_qty(price):
                found.append(f"{leg}: {qty} is left, and could be ordered")
        for order_id, order in self.orders.items():
            alive = bool(order.left) and not order.dead
            if alive != (order_id in live) or live.get(order_id, "open") != "open":
                found.append(f"{order_id} is {'live' if alive else 'over'}; engine: {live.get(order_id, 'over')}")
            if alive and order.role == "entry" and self.mode != "running":
                found.append(f"{order_id} stands while {self.mode}")
        return found
