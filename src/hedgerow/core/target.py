"""What a policy wants to be true, and what it may look at to say so."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

import msgspec

from hedgerow.core.holds import Alarm, Hold
from hedgerow.model.ids import LegId
from hedgerow.model.market import Quote
from hedgerow.model.order import Role, Side, TimeInForce

if TYPE_CHECKING:
    from hedgerow.core.book import Book


class Resting(msgspec.Struct, frozen=True):
    """One resting order that should stand, in its slot. The planner submits, keeps, or replaces it."""

    slot: str
    "Stable name, unique in the target, e.g. `entry` or `7:sell`; up to a colon it names the lot that its fills move."
    leg_id: LegId
    side: Side
    qty: Decimal
    "What should still be able to fill, > 0; a standing order of the same price with less is kept."
    limit_price: Decimal | None
    "On the tick; None asks for a market order."
    role: Role
    "ENTRY or EXIT."
    post_only: bool = False
    reduce_only: bool = False
    time_in_force: TimeInForce = TimeInForce.GTC


class Taking(msgspec.Struct, frozen=True):
    """Close a shortfall by taking: a market order, or IOC at a cap."""

    slippage_bps_max: Decimal | None = None
    "Worst price as a distance from the far side of the book; None sends a market order."


class Making(msgspec.Struct, frozen=True):
    """Close a shortfall by a post-only order at `limit_price`; a standing one at another price is replaced."""

    limit_price: Decimal
    "On the tick, quote per base unit."


class NetTarget(msgspec.Struct, frozen=True):
    """The net qty that a leg should have. The planner orders the difference and never more."""

    leg_id: LegId
    net_qty: Decimal
    "Signed, in the instrument's qty units."
    style: Taking | Making
    role: Role
    "HEDGE or EXIT."


class WakePrice(msgspec.Struct, frozen=True):
    """While a leg's best bid is at least `low` and its best ask at most `high`, its quotes do not change the target."""

    leg_id: LegId
    low: Decimal | None = None
    "None: no bid is too low."
    high: Decimal | None = None
    "None: no ask is too high."

    def spans(self, quote: Quote) -> bool:
        """Return whether `quote` lies inside. A quote without a bid or an ask does not."""
        bid, ask = quote.bid, quote.ask
        if bid is None or ask is None:
            return False
        return (self.low is None or bid >= self.low) and (self.high is None or ask <= self.high)


class Target(msgspec.Struct, frozen=True):
    """All that should be true of a book now. What is not in it should not stand."""

    nets: tuple[NetTarget, ...] = ()
    resting: tuple[Resting, ...] = ()
    holds: tuple[Hold, ...] = ()
    "What the policy itself holds back, and why."
    memory: str = ""
    "The policy's own memory; a change is journaled with the turn."
    wake_ts_ns: int | None = None
    "When the policy wants to look again though nothing happened; None: only on events."
    flatten_reason: str = ""
    "Not empty: bring every leg to zero, verify it, and freeze."
    alarms: tuple[Alarm, ...] = ()
    "The policy's own alarms: raised when they first stand here, cleared when they no longer do."
    unhedged_reason: str = ""
    "Not empty: the residual is what the policy wants now, and this says why. It raises no alarm by its age."
    note: str = ""
    "What the memory says, for people; written with it when it changes. Empty: nothing to tell."
    shown_legs: tuple[LegId, ...] = ()
    "Legs whose venue must show what our fills add up to: their positions are read at once, and again until they do."
    wake_prices: tuple[WakePrice, ...] | None = None
    """What the policy promises of quotes: until `wake_ts_ns`, or any other event, the target stays as it is while each
    leg named here stays inside its prices; quotes of legs not named never change it. Signs of life change it only while
    a hold says that a leg is silent. None promises nothing."""


class Strategy(Protocol):
    """A policy: a pure function of what is. It keeps no state of its own; `memory` travels through the journal."""

    def target(self, book: Book) -> Target:
        """Return what should be true now. Reads the book, changes nothing, does no I/O."""
        ...
