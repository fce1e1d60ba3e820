"""What a market shows: quotes with depth, and funding."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hedgerow.model.ids import InstrumentId

# A bid of less than half the ask is a print that cannot be, or a market that nobody makes.
WIDEST = 2

Level = tuple[Decimal, Decimal]
"(price, qty) of one price level."


class Quote(msgspec.Struct, frozen=True, omit_defaults=True):
    """The visible book of one instrument at one moment, best levels first."""

    instrument_id: InstrumentId
    ts_ns: int
    "When our inbox took it; its age decides whether it is fresh."
    bids: tuple[Level, ...]
    "Falling prices; empty when nobody bids."
    asks: tuple[Level, ...]
    "Rising prices; empty when nobody offers."

    @property
    def bid(self) -> Decimal | None:
        """Best bid, or None."""
        return self.bids[0][0] if self.bids else None

    @property
    def ask(self) -> Decimal | None:
        """Best ask, or None."""
        return self.asks[0][0] if self.asks else None

    @property
    def mark(self) -> Decimal | None:
        """Middle of bid and ask; None unless both are there and not crossed."""
        if not self.bids or not self.asks or self.bids[0][0] > self.asks[0][0]:
            return None
        return (self.bids[0][0] + self.asks[0][0]) / 2

    @property
    def is_absurd(self) -> bool:
        """Return whether its sides are further apart than those of any market: one of them cannot be."""
        bid, ask = self.bid, self.ask
        return bid is not None and ask is not None and ask > bid * WIDEST


class BorrowRate(msgspec.Struct, frozen=True):
    """What an account pays for a loan of one currency."""

    currency: str
    ts_ns: int
    rate: Decimal
    "Ratio of the loan per interval, >= 0."
    interval_s: int
    "Length of one interval, over which interest is charged once."


class FundingRate(msgspec.Struct, frozen=True):
    """What longs pay shorts at the next funding time of a perpetual."""

    instrument_id: InstrumentId
    ts_ns: int
    rate: Decimal
    "Ratio of notional per interval; positive: longs pay."
    interval_s: int
    "Length of one funding interval."
    next_funding_ts_ns: int
