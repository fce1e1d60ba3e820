"""What one node runs: its books, accounts and simulated venues, frozen. `config` reads it from a file."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
from msgspec.structs import replace

from hedgerow.core.config import BookConfig, LegConfig
from hedgerow.market.fees import Fees
from hedgerow.model.ids import AccountId, BookId, InstrumentId, VenueId
from hedgerow.model.instrument import Instrument
from hedgerow.model.reach import Reach
from hedgerow.runtime.access import Access, CcxtAccess
from hedgerow.runtime.dispatch import Budget
from hedgerow.runtime.folder import JOURNAL_FILE
from hedgerow.runtime.watch import Watch


class AccountConfig(msgspec.Struct, frozen=True):
    """One account."""

    id: AccountId
    venue_id: VenueId
    balances: dict[str, Decimal]
    "Currency -> what it owns before the first order."
    fees: Fees
    leverage: Decimal
    "Notional of perpetual positions per unit of collateral, > 0."
    positions: dict[InstrumentId, tuple[Decimal, Decimal]] = {}
    "Instrument -> (net qty, average price) that it brings along."
    access: Access | CcxtAccess | None = None
    "What leads to it when it is a real one; None for a simulated one."


class MarketConfig(msgspec.Struct, frozen=True):
    """The synthetic market of one base currency."""

    base: str
    price: Decimal
    "First price, quote per base unit."
    volatility_bps: Decimal
    "Standard deviation of one second's move."
    spread_bps: Decimal
    depth: Decimal
    "Qty at each price level."


class VenueConfig(msgspec.Struct, frozen=True):
    """One simulated venue."""

    id: VenueId
    instruments: tuple[Instrument, ...]
    "What the books trade there and what the config lists, by symbol."
    tape: Path | None
    "Recorded frames that feed it; None for a synthetic market."
    latency_ms: Decimal
    "Mean way of a request or report, one way."
    budget: Budget = Budget()
    "How many requests each of its accounts may get."
    calendar: str | None = None
    "Its exchange's calendar; None for a venue that never closes."
    funding_bps: Decimal | None = None
    "What longs of its perpetuals pay shorts every 8 hours; None: no funding."
    loan_bps_per_day: dict[str, Decimal] = {}
    "Currency -> interest of what margin accounts borrow."


class NodeConfig(msgspec.Struct, frozen=True):
    """All that one node runs."""

    name: str
    "The file, as it was named."
    sha: str
    "SHA-256 of its text, hex."
    books: tuple[BookConfig, ...]
    accounts: tuple[AccountConfig, ...]
    venues: tuple[VenueConfig, ...]
    markets: tuple[MarketConfig, ...]
    "One for each base currency that some venue without a tape trades."
    seed: int
    state: Path
    "The state folder."
    warnings: tuple[str, ...] = ()
    "What works and may not go well, a line each."
    watches: tuple[Watch, ...] = ()
    "Accounts of which every position is looked at, each by a book of its own."

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.state / JOURNAL_FILE

    def account(self, account_id: AccountId) -> AccountConfig:
        """Return the account of that id, which exists."""
        return next(account for account in self.accounts if account.id == account_id)

    @property
    def is_real(self) -> bool:
        """Whether the accounts are at real venues, their test exchanges and emulators included. All are, or none."""
        return any(account.access is not None for account in self.accounts)

    @property
    def reach(self) -> Reach:
        """What the orders of its books can move; of all the same."""
        return self.books[0].reach

    @property
    def budgets(self) -> dict[VenueId, Budget]:
        """Return venue -> how many requests each of its accounts may get."""
        return {venue.id: venue.budget for venue in self.venues}

    def with_positions(self) -> NodeConfig:
        """Return the config with a leg for all that its watched accounts bring along, as their first listing finds it.

        For who knows the accounts from the config alone; a node lists them.
        """
        found: dict[BookId, list[LegConfig]] = {}
        for watch in self.watches:
            venue = self.venue(self.account(watch.account_id).venue_id)
            held = self.account(watch.account_id).positions
            legs = [watch.leg(each) for each in venue.instruments if each.id in held]
            found[watch.book_id] = [leg for leg in legs if leg is not None]
        books = tuple(
            replace(book, legs=tuple({leg.id: leg for leg in (*book.legs, *found.get(book.book_id, ()))}.values()))
            for book in self.books
        )
        return replace(self, books=books)

    @property
    def calendars(self) -> dict[VenueId, str]:
        """Return venue with trading hours -> its exchange's calendar."""
        return {venue.id: venue.calendar for venue in self.venues if venue.calendar is not None}

    def venue(self, venue_id: VenueId) -> VenueConfig:
        """Return the venue of that id, which exists."""
        return next(venue for venue in self.venues if venue.id == venue_id)
