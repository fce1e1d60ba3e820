"""A node on paper: prices of real markets, orders on the simulated exchange.

Nothing of it can reach an account: it reads no key, makes no gateway to a real venue, and its way out takes nothing but
questions that anybody may ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TextIO

from msgspec.structs import replace

from hedgerow.core.config import BookConfig
from hedgerow.core.events import Event, FundingRateReceived, QuoteReceived
from hedgerow.model.ids import InstrumentId, LegId, VenueId
from hedgerow.model.instrument import Instrument
from hedgerow.model.reach import Reach
from hedgerow.runtime.access import Access, CcxtAccess
from hedgerow.runtime.clock import LoopClock, origin_now
from hedgerow.runtime.front import Front, run_told
from hedgerow.runtime.node import Node, Service
from hedgerow.runtime.node_config import NodeConfig
from hedgerow.runtime.simulated import run_venues
from hedgerow.strategies import POLICIES
from hedgerow.strategies.params import parse as parse_params
from hedgerow.venues.binance_market import BinanceMarket
from hedgerow.venues.binance_venue import FAILURES, BinanceVenue
from hedgerow.venues.clock import Clock
from hedgerow.venues.sim_venues import SimVenues
from hedgerow.venues.transport.addresses import Addresses, addresses_of
from hedgerow.venues.transport.http import Unsecured
from hedgerow.venues.wire.binance.instruments import UnknownSymbol
from hedgerow.venues.wire.binance.kinds import LIVE_HOSTS, PERP_SUFFIX, TESTNET_HOSTS, Watch, product_of

# Where prices are told, and never what an account has.
PRICE_HOSTS = ("api", "fapi", "stream", "fstream")


class NoPaper(Exception):
    """A config cannot be run on paper as it is. The text says why, and what helps."""


class PricesUnreachable(Exception):
    """The prices of a venue cannot be read. Nothing has begun."""


def on_paper(config: NodeConfig, speed: float = 1) -> NodeConfig:
    """Return a config with every account simulated; its prices stay those of real markets.

    Raises:
        NoPaper: a venue has no real prices, or an account has nothing to trade with.
    """
    for venue in config.venues:
        accounts = [account for account in config.accounts if account.venue_id == venue.id]
        if venue.tape is None and not any(account.access for account in accounts):
            help_ = f"add --tape {venue.id}=FILE, or leave --paper out"
            raise NoPaper(f"the prices of {venue.id} are made up: it is simulated and has no tape; {help_}")
    for account in config.accounts:
        if account.access is not None and config.venue(account.venue_id).tape is not None:
            told = f"accounts.{account.id}: a tape does not tell the filters of a real venue"
            raise NoPaper(f"{told}; leave the tape out, or write `venue: sim` for the account")
        if isinstance(account.access, CcxtAccess):
            told = f"accounts.{account.id}: there are no streams of prices through ccxt"
            raise NoPaper(f"{told}; write `venue: sim` for the account, and give its venue a tape")
        if account.access is not None and not account.balances and not account.positions:
            told = f"accounts.{account.id}: on paper nobody knows what it owns"
            raise NoPaper(f"{told}; add e.g. balance: {{USDT: 10000}}")
    if speed != 1 and _sources(config):
        raise NoPaper("prices as they happen come no faster than life; leave --speed out, or give each venue a tape")
    return replace(
        config,
        books=tuple(replace(book, reach=Reach.PAPER) for book in config.books),
        accounts=tuple(replace(account, access=None) for account in config.accounts),
    )


def run_paper(
    config: NodeConfig,
    serve: Callable[[Node], Service] | None,
    out: TextIO,
    err: TextIO,
    *,
    as_json: bool = False,
    speed: float = 1,
    seconds: float | None = None,
    signals: Path | None = None,
) -> int:
    """Run the books of a config on paper until a signal, and return the exit code.

    Args:
        config: as it was read: its accounts may be real ones.
        serve: returns what runs beside the books.
        out: takes what happened; with `as_json`, one object at the end.
        err: takes notes.
        speed: times faster than life; 1 unless all prices are recorded.
        seconds: stop in order after so long.
        signals: a file of signals for the books, read as it grows.

    Raises:
        NoPaper: it cannot be run on paper as it is.
        PricesUnreachable: a venue does not tell its prices.
        JournalError: the journal cannot be used.
        TapeError: a tape cannot be used, or breaks off.
    """
    paper = on_paper(config, speed)
    sources = _sources(config)

    async def work(front: Front) -> int:
        if not sources:
            return await run_venues(paper, front, serve, speed, seconds, signals)
        prices = RealPrices(sources)
        try:
            read = await prices.instruments()
            return await run_venues(_with_read(paper, read), front, serve, speed, seconds, signals, prices)
        finally:
            await prices.close()

    return run_told(paper, out, err, as_json, work)


def _sources(config: NodeConfig) -> dict[InstrumentId, tuple[Access, Watch]]:
    """Return what tells the prices of each instrument of a real venue: how it is reached, and what it is there."""
    sources: dict[InstrumentId, tuple[Access, Watch]] = {}
    for book in config.books:
        for leg in book.legs:
            access = config.account(leg.account_id).access
            instrument = leg.instrument
            if access is None:
                continue
            assert isinstance(access, Access), leg.account_id
            symbol = instrument.id.partition(":")[2].removesuffix(PERP_SUFFIX)
            product = product_of(access.kind, instrument.kind)
            sources[instrument.id] = (access, Watch(leg.account_id, leg.id, instrument, symbol, product))
    return sources


class RealPrices:
    """The public prices of some instruments at real venues."""

    def __init__(self, sources: Mapping[InstrumentId, tuple[Access, Watch]]) -> None:
        """Take what is to be told. Nothing is reached yet.

        Args:
            sources: instrument -> how its venue is reached, and what it is there.
        """
        self.told = frozenset(sources)
        self._sources = dict(sources)
        self._clock: Clock = LoopClock(asyncio.get_running_loop(), origin_now(), _surprised)
        self._venues: dict[tuple[VenueId, Reach], BinanceVenue] = {}
        self._markets: list[BinanceMarket] = []

    async def instruments(self) -> dict[InstrumentId, Instrument]:
        """Return the instruments as they are listed now. Raises NoPaper, PricesUnreachable."""
        read: dict[InstrumentId, Instrument] = {}
        for instrument_id, (access, watch) in self._sources.items():
            try:
                listing = await self._venue(instrument_id, access).listing(watch.product, watch.symbol)
            except UnknownSymbol as error:
                raise NoPaper(f"{instrument_id}: {error}; look at its name") from error
            except FAILURES as error:
                raise PricesUnreachable(f"{instrument_id}: its prices cannot be read: {error}; try again") from error
            read[instrument_id] = listing.instrument
            self._sources[instrument_id] = (access, replace(watch, instrument=listing.instrument))
        return read

    async def follow(self, venues: SimVenues) -> None:
        """Tell the venues of the markets as they come, until canceled."""

        def deliver(_leg_id: LegId, event: Event) -> None:
            if isinstance(event, QuoteReceived):
                venues.tell(event.quote)
            elif isinstance(event, FundingRateReceived):
                venues.tell(event.rate)

        for instrument_id, (access, watch) in self._sources.items():
            market = BinanceMarket(self._venue(instrument_id, access), watch, deliver)
            self._markets.append(market)
            market.start()
        await asyncio.Event().wait()

    async def close(self) -> None:
        """End every stream and connection."""
        for market in self._markets:
            await market.stop()
        for venue in self._venues.values():
            await venue.close()

    def _venue(self, instrument_id: InstrumentId, access: Access) -> BinanceVenue:
        venue_id = VenueId(instrument_id.partition(":")[0])
        key = (venue_id, access.reach)
        if key not in self._venues:
            where = price_addresses(access)
            try:
                self._venues[key] = BinanceVenue(venue_id, where, self._clock, access.ca, access.proxy)
            except Unsecured as error:
                raise NoPaper(f"venues.{venue_id}.ca: {error}; mend it") from error
        return self._venues[key]


def price_addresses(access: Access) -> Addresses:
    """Return where prices are told: of the venue that the account is at, without what leads to the account."""
    real = addresses_of(access.reach, LIVE_HOSTS, TESTNET_HOSTS, access.emulator)
    return Addresses(Reach.PAPER, {name: real[name] for name in PRICE_HOSTS})


def _with_read(config: NodeConfig, read: Mapping[InstrumentId, Instrument]) -> NodeConfig:
    """Return the config with the instruments as they are listed. Raises NoPaper when a book does not fit them."""
    venues = tuple(
        replace(venue, instruments=tuple(read.get(each.id, each) for each in venue.instruments))
        for venue in config.venues
    )
    return replace(config, books=tuple(_fitted(config.books, read)), venues=venues)


def _fitted(books: Iterable[BookConfig], read: Mapping[InstrumentId, Instrument]) -> Iterable[BookConfig]:
    for book in books:
        legs = tuple(replace(leg, instrument=read.get(leg.instrument.id, leg.instrument)) for leg in book.legs)
        known = replace(book, legs=legs)
        policy = POLICIES[known.policy]
        errors = policy.check(known, parse_params(policy.params_type, known.params))
        if errors:
            raise NoPaper(f"books.{book.book_id}: {errors[0].key}: {errors[0].problem}; {errors[0].help}")
        yield known


def _surprised(error: Exception) -> None:
    raise error
