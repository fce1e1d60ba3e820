"""What a book is made of: its legs, its hedge relation, its limits and its policy's parameters."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hedgerow.model.ids import AccountId, BookId, LegId, VenueId
from hedgerow.model.instrument import Instrument
from hedgerow.model.reach import Reach
from hedgerow.model.session import Sessions

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000


class LegConfig(msgspec.Struct, frozen=True, omit_defaults=True):
    """One account's instrument in a book."""

    id: LegId
    account_id: AccountId
    instrument: Instrument
    adopt: bool = False
    "Take over, at the first start, what the account already holds. Otherwise it is foreign: shown, never traded."
    adopt_later: bool = False
    "Take over as well what other hands add to it, or take away, later on. Otherwise that is drift."
    found: bool = False
    "The config names the account, and this instrument was found in it; it stays while the book has something there."
    lease_ms: int = 15_000
    "After this long the venue can no longer take a submit (receive window + venue timeout + skew)."
    visibility_ms: int = 30_000
    "How long the venue may fail to show an order or trade that exists (20 s was seen)."
    leverage: Decimal | None = None
    "Set at the venue at the start and read back; nothing is entered while it shows another. None leaves it as it is."
    manual: bool = False
    "The config names it as never touched: what the account holds of it is shown, and is nothing to look at."
    shared: bool = False
    "Another book of the node trades this instrument in this account too: the venue's position is the sum of both."


class HedgeRule(msgspec.Struct, frozen=True):
    """Which leg follows which: the hedge leg's position must be `ratio` x the lead leg's, in underlying units."""

    lead: LegId
    hedge: LegId
    ratio: Decimal
    "Signed; -1 is the opposite side in equal size."


class Limits(msgspec.Struct, frozen=True, omit_defaults=True):
    """What entries may not exceed. None is no limit. Hedges and exits pass all of them."""

    max_notional: Decimal | None = None
    "Largest gross notional of one leg, position and working entries together, quote."
    max_residual: Decimal | None = None
    "Largest residual if every working entry filled unhedged, notional in quote."
    max_order_notional: Decimal | None = None
    "Largest notional of one entry, quote: far more than usual is a mistake in units."
    symbol_exposure_ratio_max: Decimal | None = None
    "Largest net notional of one underlying over all books, as a ratio of equity, if working entries fill unhedged."
    total_exposure_ratio_max: Decimal | None = None
    "The same, added up over all underlyings."
    leverage_max: Decimal | None = None
    "Largest gross notional of all books as a ratio of equity, if working entries fill and are hedged."
    pending_orders_max: int | None = None
    "Live orders of all books."
    max_open_orders: int = 100
    orders_per_s: int = 10
    "Entries per second; hedges, exits and cancels are not counted."
    price_distance_bps_max: Decimal = Decimal(500)
    "Largest distance of an entry's price from the mark."
    stale_ms: int = 10_000
    "A price older than this is not fresh."
    residual_alarm_ms: int = 5_000
    "A residual above the smallest order for this long raises an alarm."


class Timing(msgspec.Struct, frozen=True, omit_defaults=True):
    """How long the book waits for what. The defaults suit every venue we know."""

    ack_timeout_ms: int = 2_000
    "A submit without an answer for this long is unknown."
    ask_first_ms: int = 300
    "First question about an unclear order; each next one doubles the wait."
    ask_spacing_ms_max: int = 5_000
    retry_first_ms: int = 250
    "First new try after a refusal; each next one doubles the wait."
    retry_spacing_ms_max: int = 30_000
    negatives_min: int = 3
    "Spaced negative answers, from at least two kinds of read, before an unknown order is proven never taken."
    trades_read_ms: int = 5_000
    "Trades since the cursor: the gap-finder against a mute stream."
    full_read_ms: int = 30_000
    "Open orders, positions and balances."
    read_timeout_ms: int = 10_000
    "A read without an answer for this long is asked again."
    unknown_alarm_ms: int = 60_000
    "An order unknown for this long raises an alarm and stops entries."
    hold_after_ms: int = 1_000
    "A shortfall covered by a working order for longer than this is told as a hold."


class BookConfig(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything that decides how a book behaves."""

    book_id: BookId
    tag: str
    "The book's short name inside client order ids."
    policy: str
    "`mirror`, `carry`, …"
    params: dict[str, str]
    "Parameter -> exact text; the policy's own parser gives each its type, range and default."
    legs: tuple[LegConfig, ...]
    hedge: HedgeRule | None = None
    "None for a book without a hedge leg."
    limits: Limits = Limits()
    timing: Timing = Timing()
    sessions: dict[VenueId, Sessions] = {}
    "When a venue with trading hours trades, as far as it is known; a venue that is not in here never closes."
    reach: Reach = Reach.SIM
    "What its orders can move. A journal is of one reach for ever."

    def leg(self, leg_id: LegId) -> LegConfig:
        """Return the leg of that name.

        Raises:
            KeyError: the book has no such leg.
        """
        for leg in self.legs:
            if leg.id == leg_id:
                return leg
        raise KeyError(leg_id)
