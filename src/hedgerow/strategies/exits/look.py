"""One position as the rules of `exits` look at it, what is remembered of it, and the names of the rules."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

import msgspec

from hedgerow.core.config import LegConfig
from hedgerow.model.ids import LegId
from hedgerow.model.instrument import InstrumentKind
from hedgerow.model.occ import parse_occ
from hedgerow.model.session import Sessions, session_at
from hedgerow.model.words import Word
from hedgerow.strategies.exits.params import TWO

SLOT = "exit/"


class Rule(Word):
    """Why a position is closed: the end of its order's slot."""

    TAKE_PROFIT = "take_profit"
    STOP_LOSS = "stop_loss"
    TRAILING = "trailing"
    TIME_LIMIT = "time_limit"
    CLOSE_OF_DAY = "close_of_day"
    ZERO_DTE = "zero_dte"
    BUY_BACK = "buy_back"
    BUY_BACK_LOSS = "buy_back_loss"
    SCALE_OUT = "scale_out"

    @property
    def slot(self) -> str:
        return SLOT + self.value


class Watched(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is remembered of one position while it is held."""

    is_short: bool = False
    since_ns: int = 0
    "When it was first seen, for the time limit."
    best: Decimal | None = None
    "Best price since trailing began."
    keep_qty: Decimal | None = None
    "What scaling out leaves, once it has begun."
    scaled_qty: Decimal | None = None
    "What was held when it began; more than that is another position, in part."
    ladder_ns: int = 0
    "When the ladder began; 0 while somebody bids."
    ladder_from: Decimal | None = None
    "Its first rung."
    ladder_rule: Rule | None = None
    "The rule that it began for: it stays fired while nobody bids."


UNSEEN = Watched()
NOTHING = (UNSEEN, Watched(is_short=True))
"What needs no remembering."


class Memory(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the policy remembers between events; in the journal as JSON."""

    legs: dict[LegId, Watched] = {}


@lru_cache(maxsize=64)
def remembered(text: str) -> dict[LegId, Watched]:
    """Return what was remembered of each leg; the cache only spares reading the same text for every event."""
    return msgspec.json.decode(text, type=Memory).legs if text else {}


class Look(msgspec.Struct, frozen=True):
    """One held position at one moment: all that the rules are asked about."""

    leg: LegConfig
    is_long: bool
    held: Decimal
    "What can be closed, > 0: never more than the account has."
    cost: Decimal
    "Average price paid, or received."
    price: Decimal | None
    "Fresh and possible, else None."
    now_ns: int
    sessions: Sessions | None
    "None for a venue that never closes."
    memory: Watched

    @property
    def is_closed(self) -> bool:
        """Return whether its venue is between two sessions."""
        return self.sessions is not None and session_at(self.sessions, self.now_ns) is None

    @property
    def is_short_option(self) -> bool:
        return not self.is_long and self.leg.instrument.kind is InstrumentKind.OPTION

    def at_rate(self, rate: Decimal) -> Decimal:
        """Return the price at which the position is worth `rate` of its cost; a short gains as the price falls."""
        return self.cost * (rate if self.is_long else TWO - rate)

    def is_as_good_as(self, price: Decimal) -> bool:
        """Return whether the price that it would get is at least as good for the position."""
        return self.price is not None and (self.price >= price if self.is_long else self.price <= price)

    def is_as_bad_as(self, price: Decimal) -> bool:
        """Return whether the price that it would get is at least as bad for the position."""
        return self.price is not None and (self.price <= price if self.is_long else self.price >= price)


def expiry(leg: LegConfig) -> str | None:
    """Return the last day of an option at its exchange; None for what has none."""
    if leg.instrument.kind is not InstrumentKind.OPTION:
        return None
    contract = parse_occ(leg.instrument.id.partition(":")[2])
    return None if contract is None else contract.expiry
