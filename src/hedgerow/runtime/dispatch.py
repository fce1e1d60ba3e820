"""What leaves for a venue, and in which order: within a budget, what takes risk away goes first and never starves."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection

import msgspec

from hedgerow.core.commands import CancelOrder, CancelOrphan, SubmitOrder
from hedgerow.core.config import NS_PER_S
from hedgerow.core.events import OrderRejected, RejectClass
from hedgerow.model.ids import ClientOrderId
from hedgerow.model.order import Role
from hedgerow.venues.clock import Clock, Timer
from hedgerow.venues.gateway import Gateway, Request

# Binance's spot limit of 100 orders in 10 s is kept by the books' own rate; this bounds bursts of every kind.
PER_S = 50
RESERVE_PERCENT = 40

CANCEL, HEDGE, EXIT, QUESTION, ENTRY = range(5)
"Priorities: lower leaves first."
_OF_ROLE = {Role.HEDGE: HEDGE, Role.EXIT: EXIT, Role.ENTRY: ENTRY}


class Budget(msgspec.Struct, frozen=True):
    """How many requests one venue account may get."""

    per_s: int = PER_S
    burst: int = PER_S
    "May leave at once after a quiet time."
    reserve: int = PER_S * RESERVE_PERCENT // 100
    "Of the burst, kept from entries; half of it is kept from questions too."


def priority_of(request: Request) -> int:
    """Return how urgent a request is."""
    if isinstance(request, SubmitOrder):
        return _OF_ROLE[request.role]
    return CANCEL if isinstance(request, CancelOrder | CancelOrphan) else QUESTION


class Waiting(msgspec.Struct, frozen=True):
    """A request that waits for the budget."""

    request: Request
    gateway: Gateway
    refuse: Callable[[OrderRejected], None]
    "Takes the event of a submit that was not sent after all."
    expires_ns: int


class Dispatch:
    """The door to one venue account. A send is never taken back: what left, left."""

    def __init__(self, clock: Clock, budget: Budget) -> None:
        self._clock = clock
        self._budget = budget
        self._credit_ns = budget.burst * NS_PER_S
        "Unused requests, each worth one second divided by the rate; in units of 1 / per_s ns."
        self._counted_ns = clock.now_ns()
        self._waiting: list[tuple[int, int, Waiting]] = []
        self._count = 0
        self._timer: Timer | None = None
        self.closed = False
        "Nothing leaves any more."

    @property
    def waiting_len(self) -> int:
        return len(self._waiting)

    def send(
        self, request: Request, gateway: Gateway, refuse: Callable[[OrderRejected], None], expires_ns: int
    ) -> None:
        """Let a durable request leave, now or as soon as the budget allows.

        Args:
            refuse: takes the event of a submit that waited too long, or was canceled while it waited.
            expires_ns: a submit does not leave later than this: its lease runs from its decision.
        """
        if self.closed:
            return
        waiting = Waiting(request, gateway, refuse, expires_ns)
        if isinstance(request, CancelOrder) and self._withdraw(request.order_id):
            return
        self._count += 1
        priority = priority_of(request)
        if not self._waiting and self._may(priority):
            self._leave(waiting)
            return
        heapq.heappush(self._waiting, (priority, self._count, waiting))
        self._drain()

    def take_back_entries(self, gateways: Collection[Gateway]) -> None:
        """Let no entry that waits for one of these gateways leave: its book does not run, or has no journal."""
        taken = [entry for entry in self._waiting if entry[0] == ENTRY and entry[2].gateway in gateways]
        for entry in taken:
            self._waiting.remove(entry)
            self._refuse(entry[2], "the book stopped before it left")
        heapq.heapify(self._waiting)

    def _withdraw(self, order_id: ClientOrderId) -> bool:
        """Take out a submit that has not left, so that its cancel cannot overtake it; return whether there was one."""
        for entry in self._waiting:
            request = entry[2].request
            if isinstance(request, SubmitOrder) and request.order_id == order_id:
                self._waiting.remove(entry)
                heapq.heapify(self._waiting)
                self._refuse(entry[2], "canceled before it left")
                return True
        return False

    def _drain(self) -> None:
        while self._waiting and not self.closed:
            priority, _, waiting = self._waiting[0]
            if self._is_late(waiting):
                heapq.heappop(self._waiting)
                self._refuse(waiting, "waited too long for the request budget")
            elif self._may(priority):
                heapq.heappop(self._waiting)
                self._leave(waiting)
            else:
                self._wake_later(priority)
                return

    def _wake_later(self, priority: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        missing_ns = (self._floor(priority) + 1) * NS_PER_S - self._credit_ns
        due_ns = self._clock.now_ns() + missing_ns // self._budget.per_s + 1
        self._timer = self._clock.call_at(due_ns, self._drain)

    def _floor(self, priority: int) -> int:
        if priority == ENTRY:
            return self._budget.reserve
        return self._budget.reserve // 2 if priority == QUESTION else 0

    def _may(self, priority: int) -> bool:
        now_ns = self._clock.now_ns()
        earned_ns = (now_ns - self._counted_ns) * self._budget.per_s
        self._credit_ns = min(self._credit_ns + earned_ns, self._budget.burst * NS_PER_S)
        self._counted_ns = now_ns
        return self._credit_ns >= (self._floor(priority) + 1) * NS_PER_S

    def _leave(self, waiting: Waiting) -> None:
        if self._is_late(waiting):
            self._refuse(waiting, "waited too long for the disk")
            return
        self._credit_ns -= NS_PER_S
        waiting.gateway.send(waiting.request)

    def _is_late(self, waiting: Waiting) -> bool:
        return isinstance(waiting.request, SubmitOrder) and self._clock.now_ns() > waiting.expires_ns

    def _refuse(self, waiting: Waiting, text: str) -> None:
        assert isinstance(waiting.request, SubmitOrder), waiting.request
        event = OrderRejected(self._clock.now_ns(), waiting.request.order_id, RejectClass.NOT_SENT, "", text)
        self._clock.call_at(event.ts_ns, lambda: waiting.refuse(event))
