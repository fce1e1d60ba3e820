"""The door to a venue: what takes risk away goes first and never starves."""

from __future__ import annotations

from decimal import Decimal

from hedgerow.core.commands import CancelOrder, QueryOrder, Read, SubmitOrder
from hedgerow.core.events import OrderRejected, ReadKind, RejectClass
from hedgerow.model.ids import AccountId, ClientOrderId, InstrumentId, LegId
from hedgerow.model.instrument import Instrument
from hedgerow.model.order import OrderType, Role, Side
from hedgerow.runtime.dispatch import Budget, Dispatch
from hedgerow.venues.gateway import Deliver, Request
from tests.venues.clockwork import MS, S, VirtualClock

LEG = LegId("lead")
BUDGET = Budget(per_s=10, burst=6, reserve=4)


class Wire:
    """A gateway that only remembers."""

    account_id = AccountId("sim/a")

    def __init__(self) -> None:
        self.sent: list[Request] = []

    def start(self, leg_id: LegId, instrument: Instrument, deliver: Deliver) -> None: ...

    def send(self, request: Request) -> None:
        self.sent.append(request)

    async def stop(self) -> None: ...

    @property
    def names(self) -> list[str]:
        return [getattr(request, "order_id", "read") for request in self.sent]


class Door:
    """A dispatch with its wire and what came back unsent."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.wire = Wire()
        self.dispatch = Dispatch(self.clock, BUDGET)
        self.refused: list[OrderRejected] = []

    def send(self, *requests: Request, within_ns: int = 10 * S) -> None:
        for request in requests:
            self.dispatch.send(request, self.wire, self.refused.append, self.clock.now_ns() + within_ns)


def submit(name: str, role: Role) -> SubmitOrder:
    return SubmitOrder(ClientOrderId(name), LEG, InstrumentId("sim:BTC"), Side.BUY, Decimal(1), OrderType.MARKET, role)


def cancel(name: str) -> CancelOrder:
    return CancelOrder(ClientOrderId(name), LEG)


def test_within_the_budget_everything_leaves_at_once_and_in_order() -> None:
    """A queue that is not needed only costs time."""
    door = Door()

    door.send(submit("e1", Role.ENTRY), cancel("x"), submit("h1", Role.HEDGE))

    assert door.wire.names == ["e1", "x", "h1"]


def test_entries_may_not_use_the_reserve_of_hedges_and_cancels() -> None:
    """When entries have used up their share, the hedge of their fills must still leave."""
    door = Door()

    door.send(*[submit(f"e{number}", Role.ENTRY) for number in range(5)])
    assert door.wire.names == ["e0", "e1"]
    door.send(submit("h1", Role.HEDGE), cancel("x"), submit("q", Role.EXIT))

    assert door.wire.names == ["e0", "e1", "h1", "x", "q"]


def test_what_waits_leaves_by_urgency_as_the_budget_returns() -> None:
    """Cancels, hedges, exits, questions, entries; the oldest first among equals."""
    door = Door()
    door.send(*[submit(f"h{number}", Role.HEDGE) for number in range(6)])

    door.send(submit("e1", Role.ENTRY), QueryOrder(ClientOrderId("q1"), LEG), Read(LEG, ReadKind.TRADES))
    door.send(submit("x1", Role.EXIT), submit("h7", Role.HEDGE), cancel("c1"))
    assert len(door.wire.sent) == 6
    door.clock.run(2 * S)

    assert door.wire.names[6:] == ["c1", "h7", "x1", "q1", "read", "e1"]


def test_a_cancel_takes_back_a_submit_that_has_not_left() -> None:
    """Overtaken by its own cancel, the order would stand at the venue with nobody wanting it."""
    door = Door()
    door.send(*[submit(f"e{number}", Role.ENTRY) for number in range(3)])

    door.send(cancel("e2"))
    door.clock.run(2 * S)

    assert door.wire.names == ["e0", "e1"]
    (refused,) = door.refused
    assert (refused.order_id, refused.reject_class) == ("e2", RejectClass.NOT_SENT)


def test_a_submit_that_waited_too_long_comes_back_as_not_sent() -> None:
    """After that the venue's lease could outlast what the book believes."""
    door = Door()
    door.send(*[submit(f"e{number}", Role.ENTRY) for number in range(3)], within_ns=50 * MS)

    door.clock.run(S)

    assert door.wire.names == ["e0", "e1"]
    assert [event.order_id for event in door.refused] == ["e2"]


def test_entries_that_wait_are_taken_back_and_hedges_still_leave() -> None:
    """A halt that comes while they wait for the budget would be none; another book's entries are its own matter."""
    door, other = Door(), Wire()
    door.send(*(cancel(f"x{n}") for n in range(6)))
    door.send(submit("e1", Role.ENTRY), submit("h1", Role.HEDGE))
    door.dispatch.send(submit("e2", Role.ENTRY), other, door.refused.append, door.clock.now_ns() + 10 * S)

    door.dispatch.take_back_entries([door.wire])
    door.clock.run(3 * S)

    assert door.wire.names[6:] == ["h1"]
    assert other.names == ["e2"]
    assert [(event.order_id, event.reject_class) for event in door.refused] == [("e1", RejectClass.NOT_SENT)]


def test_a_closed_door_lets_nothing_leave() -> None:
    """After a broken rule not even a cancel is sure to be right."""
    door = Door()
    door.send(*[submit(f"e{number}", Role.ENTRY) for number in range(3)])

    door.dispatch.closed = True
    door.send(submit("h1", Role.HEDGE), cancel("c1"))
    door.clock.run(2 * S)

    assert door.wire.names == ["e0", "e1"]
