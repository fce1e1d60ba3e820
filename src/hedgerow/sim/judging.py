"""What a story demands: each `<` and `=` line against what left, and against what the book says."""

from __future__ import annotations

from decimal import Decimal

from hedgerow.core.commands import (
    CancelOrder,
    CancelOrphan,
    QueryOrder,
    Read,
    SetLeverage,
    SubmitOrder,
)
from hedgerow.core.events import (
    ReadKind,
)
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.model.numbers import ZERO
from hedgerow.model.order import OrderType, Role, TimeInForce
from hedgerow.sim.stage import (
    Stage,
)
from hedgerow.sim.staging import (
    Names,
    is_number,
    pairs,
    side_of,
)
from hedgerow.sim.story import (
    COMMANDED,
    BadStory,
    Line,
    Unmet,
)


class Judge:
    """Checks the `<` and `=` lines; it changes nothing but what was expected of what left."""

    def __init__(self, stage: Stage, names: Names) -> None:
        self._stage = stage
        self._names = names

    def judge(self, line: Line) -> None:
        """Check one line.

        Raises:
            Unmet: it does not hold.
            BadStory: it names what the story never introduced.
            EngineDead: it asks about the book, and no engine has it.
        """
        kind = "commanded" if line.mark == COMMANDED else "holds"
        getattr(self, f"_{kind}_{line.verb}")(line)

    def nothing_left(self, line: Line) -> None:
        """Check that every submit and cancel so far was expected.

        Raises:
            Unmet: one was not.
        """
        if self._stage.pending:
            got = " and ".join(self._told(command) for command in self._stage.pending)
            raise Unmet(
                line.number, "no further submit or cancel before this line", got, "add it with `<`, if it is right"
            )

    def _commanded_submit(self, line: Line) -> None:
        for command in self._stage.pending:
            if isinstance(command, SubmitOrder) and self._is_asked(line, command):
                self._stage.pending.remove(command)
                if line.has("NAME"):
                    self._names.orders[line.text("NAME")] = command.order_id
                return
        raise self._not_commanded(line)

    def _is_asked(self, line: Line, command: SubmitOrder) -> bool:
        if self._names.legs.get(line.text("INSTRUMENT")) != command.leg_id:
            self._names.leg(line)
            return False
        if command.side.value != line.text("SIDE") or command.qty != line.amount("QTY"):
            return False
        if line.has("PRICE") and command.limit_price != line.amount("PRICE"):
            return False
        if line.has("SLOT") and command.slot != line.text("SLOT"):
            return False
        words = {
            "market": command.type is OrderType.MARKET,
            "limit": command.type is OrderType.LIMIT,
            "ioc": command.time_in_force is TimeInForce.IOC,
            "post_only": command.post_only,
            "reduce_only": command.reduce_only,
            "plain": not command.post_only and not command.reduce_only,
            **{role.value: command.role is role for role in Role},
        }
        return all(is_so for word, is_so in words.items() if line.has(word))

    def _commanded_cancel(self, line: Line) -> None:
        order_id = self._names.orders.get(line.text("ORDER"))
        if order_id is None:
            raise self._names.unknown(line)
        for command in self._stage.pending:
            if isinstance(command, SubmitOrder) or command.order_id != order_id:
                continue
            if line.has("WHY") and (isinstance(command, CancelOrphan) or command.reason != line.text("WHY")):
                continue
            self._stage.pending.remove(command)
            return
        raise self._not_commanded(line)

    def _commanded_query(self, line: Line) -> None:
        order_id = self._names.order(line).command.order_id
        if not any(isinstance(command, QueryOrder) and command.order_id == order_id for command in self._stage.asked):
            raise Unmet(line.number, f"query {line.text('ORDER')}", "none", self._hint())

    def _commanded_read(self, line: Line) -> None:
        leg_id, kind = self._names.leg(line), ReadKind(line.text("READ"))
        if not any(isinstance(c, Read) and c.leg_id == leg_id and c.kind is kind for c in self._stage.asked):
            raise Unmet(line.number, f"read {line.text('INSTRUMENT')} {kind.value}", "none", self._hint())

    def _commanded_set_leverage(self, line: Line) -> None:
        wanted = SetLeverage(self._names.leg(line), line.amount("NUMBER"))
        if wanted not in self._stage.asked:
            expected = f"set_leverage {line.text('INSTRUMENT')} {wanted.leverage}"
            raise Unmet(line.number, expected, "none", self._hint())

    def _commanded_nothing(self, line: Line) -> None:
        if self._stage.pending:
            raise self._not_commanded(line)

    def _not_commanded(self, line: Line) -> Unmet:
        expected = " ".join(
            [line.verb, *(word for key, word in line.values.items() if key not in (line.verb, "NAME", "as"))]
        )
        got = " and ".join(self._told(command) for command in self._stage.pending) or "nothing"
        return Unmet(line.number, expected, got, self._hint())

    def _told(self, command: SubmitOrder | CancelOrder | CancelOrphan) -> str:
        if isinstance(command, CancelOrphan):
            return f"cancel {self._names.told(command.order_id)}"
        if isinstance(command, CancelOrder):
            return f"cancel {self._names.told(command.order_id)} because {command.reason}"
        words = ["submit", command.instrument_id, command.side.value, str(command.qty)]
        if command.limit_price is not None:
            words.append(f"@ {command.limit_price}")
        words += [command.role.value, command.type.value]
        if command.time_in_force is TimeInForce.IOC:
            words.append("ioc")
        words += [
            word for word, is_so in (("post_only", command.post_only), ("reduce_only", command.reduce_only)) if is_so
        ]
        return " ".join([*words, *(["slot", command.slot] if command.slot else [])])

    def _hint(self) -> str:
        """Say what the book itself holds back: mostly that is the answer."""
        if self._stage.engine is None:
            return "the engine has died: write `> restart`"
        book = self._stage.engine.book
        holds = "; ".join(self._told_hold(key) for key in book.state.holds) or "none"
        return f"residual {book.residual}, mode {book.mode.value}, holds: {holds}"

    def _told_hold(self, key: str) -> str:
        hold = self._stage.book.state.holds[key]
        numbers = " ".join(f'{name} "{value}"' if " " in value else f"{name} {value}" for name, value in hold.numbers)
        where = self._stage.book.legs[hold.leg_id].instrument.id
        return " ".join(part for part in (where, hold.reason.value, hold.slot and f"slot {hold.slot}", numbers) if part)

    # Must hold.

    def _same(self, line: Line, what: str, expected: Decimal | int, got: Decimal | int) -> None:
        if expected != got:
            raise Unmet(line.number, f"{what} {expected}", str(got), self._hint())

    def _holds_residual(self, line: Line) -> None:
        if line.text("BOOK") != self._stage.config.book_id:
            raise BadStory(
                line.number,
                f"the book '{self._stage.config.book_id}'",
                f"'{line.text('BOOK')}'",
                "name the book of the story",
            )
        self._same(line, "residual", line.amount("NET"), self._stage.book.residual)

    def _holds_hedged(self, line: Line) -> None:
        if not self._stage.book.is_hedged:
            raise Unmet(line.number, "a hedged book", f"residual {self._stage.book.residual}", self._hint())

    def _holds_unhedged(self, line: Line) -> None:
        if self._stage.book.is_hedged:
            raise Unmet(line.number, "an unhedged book", f"residual {self._stage.book.residual}", self._hint())

    def _holds_position(self, line: Line) -> None:
        self._same(
            line,
            f"position {line.text('INSTRUMENT')}",
            line.amount("NET"),
            self._stage.book.net_qty(self._names.leg(line)),
        )

    def _holds_hold(self, line: Line) -> None:
        leg_id = self._names.leg(line)
        wanted = pairs(line.number, line.text("NUMBERS"))
        for hold in self._stage.book.state.holds.values():
            if hold.leg_id != leg_id or hold.reason.value != line.text("REASON"):
                continue
            if line.has("SLOT") and hold.slot != line.text("SLOT"):
                continue
            told = dict(hold.numbers)
            if all(name in told and self._same_words(value, told[name]) for name, value in wanted):
                return
        expected = " ".join(word for key, word in line.values.items() if key != "as")
        got = "; ".join(self._told_hold(key) for key in self._stage.book.state.holds) or "no hold"
        raise Unmet(
            line.number, expected, got, f"residual {self._stage.book.residual}, mode {self._stage.book.mode.value}"
        )

    def _same_words(self, expected: str, got: str) -> bool:
        """Compare word by word: numbers by value, and a story's name of an order with its id."""
        left, right = expected.split(), got.split()
        if len(left) != len(right):
            return False
        return all(
            a == b or self._names.orders.get(a) == b or (is_number(a) and is_number(b) and Decimal(a) == Decimal(b))
            for a, b in zip(left, right, strict=True)
        )

    def _holds_alarm(self, line: Line) -> None:
        alarms = self._stage.book.state.alarms.values()
        if any(a.kind.value == line.text("ALARM") and line.text("TEXT") in a.text for a in alarms):
            return
        expected = f"alarm {line.text('ALARM')} {line.text('TEXT')}".strip()
        raise Unmet(line.number, expected, self._told_alarms(), self._hint())

    def _told_alarms(self) -> str:
        return "; ".join(f"{a.kind.value}: {a.text}" for a in self._stage.book.state.alarms.values()) or "no alarm"

    def _holds_no(self, line: Line) -> None:
        if line.has("alarm"):
            kinds = [alarm.kind.value for alarm in self._stage.book.state.alarms.values()]
            if line.text("ALARM") in kinds or (kinds and not line.has("ALARM")):
                raise Unmet(line.number, f"no alarm {line.text('ALARM')}".strip(), self._told_alarms(), self._hint())
            return
        leg_id = self._names.leg(line) if line.has("INSTRUMENT") else None
        for key, hold in self._stage.book.state.holds.items():
            if leg_id in (None, hold.leg_id) and line.text("REASON") in ("", hold.reason.value):
                expected = f"no hold {line.text('INSTRUMENT')} {line.text('REASON')}".strip()
                raise Unmet(line.number, expected, self._told_hold(key), self._hint())

    def _holds_mode(self, line: Line) -> None:
        state = self._stage.book.state
        if state.mode.value != line.text("MODE") or line.text("TEXT") not in state.mode_reason:
            expected = f"mode {line.text('MODE')} {line.text('TEXT')}".strip()
            raise Unmet(line.number, expected, f"{state.mode.value} {state.mode_reason}".strip(), self._hint())

    def _holds_order(self, line: Line) -> None:
        order_id = self._names.order(line).command.order_id
        order = self._stage.book.state.orders.get(order_id)
        if order is None:
            raise Unmet(line.number, f"order {line.text('ORDER')}", "one that the book does not know", self._hint())
        if order.status.value != line.text("STATUS"):
            raise Unmet(
                line.number, f"order {line.text('ORDER')} {line.text('STATUS')}", order.status.value, self._hint()
            )
        if line.has("FILLED"):
            self._same(line, f"order {line.text('ORDER')} filled", line.amount("FILLED"), order.filled_qty)

    def _holds_working(self, line: Line) -> None:
        working = list(self._stage.book.working(self._names.leg(line)))
        self._same(line, f"orders working at {line.text('INSTRUMENT')}:", line.count("COUNT"), len(working))

    def _holds_sent(self, line: Line) -> None:
        instrument_id = self._stage.config.leg(self._names.leg(line)).instrument.id
        self._same(
            line, f"submits sent to {instrument_id}:", line.count("COUNT"), self._stage.sent.get(instrument_id, 0)
        )

    def _holds_durable(self, line: Line) -> None:
        order_id = self._names.order(line).command.order_id
        store = SqliteStore(self._stage.connection)
        for record in store.turns():
            if any(isinstance(c, SubmitOrder) and c.order_id == order_id for c in record.turn.commands):
                return
        raise Unmet(line.number, f"the submit of {line.text('ORDER')} in the journal", "none", "it was sent too early")

    def _holds_unsent(self, line: Line) -> None:
        leg_id = self._names.leg(line)
        for record in SqliteStore(self._stage.connection).turns():
            for command in record.turn.commands:
                if not isinstance(command, SubmitOrder) or command.order_id in self._stage.placed:
                    continue
                if (command.leg_id, command.side, command.qty) == (leg_id, side_of(line), line.amount("QTY")):
                    self._stage.place(command)
                    self._names.orders[line.text("NAME")] = command.order_id
                    return
        expected = f"an unsent submit {line.text('INSTRUMENT')} {line.text('SIDE')} {line.text('QTY')} in the journal"
        raise Unmet(line.number, expected, "none", self._hint())

    def _holds_parked(self, line: Line) -> None:
        self._same(line, "parked fills:", line.count("COUNT"), len(self._stage.book.state.parked))

    def _holds_fenced(self, line: Line) -> None:
        if not self._stage.is_fenced:
            raise Unmet(
                line.number, "an engine that was fenced off", "none", "start a `second_engine` and tell it something"
            )

    def _holds_epoch(self, line: Line) -> None:
        self._same(line, "epoch", line.count("COUNT"), self._stage.book.state.epoch)

    def _holds_funding(self, line: Line) -> None:
        self._same(line, "funding", line.amount("NET"), self._stage.book.ledger(self._names.leg(line)).funding)

    def _holds_interest(self, line: Line) -> None:
        interest = self._stage.book.ledger(self._names.leg(line)).interest
        currency = line.text("CURRENCY")
        self._same(line, f"interest in {currency}", line.amount("FEE"), interest.get(currency, ZERO))

    def _holds_fees(self, line: Line) -> None:
        fees = self._stage.book.ledger(self._names.leg(line)).fees
        self._same(line, f"fees in {line.text('CURRENCY')}", line.amount("FEE"), fees.get(line.text("CURRENCY"), ZERO))
