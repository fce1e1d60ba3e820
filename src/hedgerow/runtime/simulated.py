"""Simulated venues from a config, and a node that runs on them in one process."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Protocol, TextIO

import msgspec

from hedgerow.core.config import NS_PER_MS, NS_PER_S, BookConfig
from hedgerow.market.answers import FundingReport, InterestReport
from hedgerow.market.checkpoint import SavedExchange, restore, save
from hedgerow.market.exchange import SimExchange
from hedgerow.market.latency import Delay, Latency
from hedgerow.market.rules import VenueRules
from hedgerow.market.synthetic import MILLION, SyntheticMarket, SyntheticSpec, Walk
from hedgerow.market.tape import MarketEvent, Tape, merge
from hedgerow.model.ids import AccountId, InstrumentId, LegId, VenueId
from hedgerow.model.instrument import Instrument, InstrumentKind
from hedgerow.model.market import BorrowRate, FundingRate
from hedgerow.model.numbers import BPS, ceil_to
from hedgerow.runtime.clock import origin_now
from hedgerow.runtime.front import Front, run_told
from hedgerow.runtime.hours import follow_hours, tables, with_hours
from hedgerow.runtime.node import Node, Service, Work
from hedgerow.runtime.node_config import MarketConfig, NodeConfig
from hedgerow.runtime.signals import follow_signals
from hedgerow.runtime.watching import Held, Unlisted, follow_positions
from hedgerow.venues.clock import Clock
from hedgerow.venues.gateway import Teller
from hedgerow.venues.sim_gateway import SimGateway
from hedgerow.venues.sim_venues import Bookings, Feed, SimVenues, SyntheticFeed, TapeFeed
from hedgerow.venues.sim_wire import Hello

# Synthetic markets move ten times a second, as often as Binance sends depth.
TICK_NS = 100 * NS_PER_MS
TICKS_PER_S = Decimal(NS_PER_S) / TICK_NS
# `Walk` moves half of the time, by -1, 0 or 1: a standard deviation of 1/sqrt(3) steps a tick.
STEPS_PER_DEVIATION = Decimal("1.732")
# What the venues remember is written whole at each change, so they forget what is this old; the journal never does.
HISTORY_MAX = 500
# As at Binance: funding at 0, 8 and 16 o'clock UTC, interest of margin loans every hour.
FUNDING_NS = 8 * 3_600 * NS_PER_S
LOAN_S, LOANS_PER_DAY = 3_600, 24
VENUES_FILE = "venues.json"
BLOCK_BYTES = 16 * 1024
POLL_S = 0.05


class VenuesForgetful(Exception):
    """The simulated venues cannot read what they remembered. Nothing was changed."""


class VenueMemory:
    """The file in which simulated venues outlive their process: written before anybody hears of a change.

    Not synced: it survives the death of the process, and after a power cut it may be older than the journal. Then the
    book sees drift, as it would with a venue that lost trades.
    """

    def __init__(self, path: Path, exchanges: Mapping[VenueId, SimExchange]) -> None:
        """Bring the exchanges to what the file says. Raises VenuesForgetful when it cannot be read."""
        self._path = path
        self._exchanges = exchanges
        self.bookings = Bookings()
        try:
            saved = msgspec.json.decode(path.read_bytes(), type=list[SavedExchange])
        except FileNotFoundError:
            return
        except (OSError, msgspec.MsgspecError) as error:
            raise VenuesForgetful(f"{path} cannot be read: {error}; restore it, or use another --state") from error
        for each in saved:
            if each.venue_id in exchanges:
                restore(exchanges[each.venue_id], each)
            for account_id in {**each.funding, **each.interest}:
                rows = *each.funding.get(account_id, ()), *each.interest.get(account_id, ())
                for row in sorted(rows, key=lambda row: row.venue_ts_ns):
                    self.bookings.add(account_id, row)

    def save(self) -> None:
        """Write it all, in one step. Raises OSError; nobody has heard of the change then."""
        body = msgspec.json.encode([self._saved(exchange) for exchange in self._exchanges.values()])
        # What is free in the last block lets it grow where it is.
        body += b" " * (-len(body) % BLOCK_BYTES)
        beside = self._path.with_suffix(".new")
        try:
            beside.touch(0o600)
            beside.write_bytes(body)
            beside.replace(self._path)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            self._save_in_place(beside, body)

    def _save_in_place(self, beside: Path, body: bytes) -> None:
        """Write over what is there: the disk has no room for a second file, and the venues go on while a node stops."""
        beside.unlink(missing_ok=True)
        if not self._path.exists() or len(body) > self._path.stat().st_size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
        with self._path.open("r+b", buffering=0) as file:
            file.write(body)
            file.truncate()

    def _saved(self, exchange: SimExchange) -> SavedExchange:
        saved = save(exchange)
        funding: dict[AccountId, list[FundingReport]] = {}
        interest: dict[AccountId, list[InterestReport]] = {}
        for account_id in saved.accounts:
            for row in list(self.bookings.of(account_id))[-HISTORY_MAX:]:
                if isinstance(row, FundingReport):
                    funding.setdefault(account_id, []).append(row)
                else:
                    interest.setdefault(account_id, []).append(row)
        return msgspec.structs.replace(saved, funding=funding, interest=interest)


def open_exchanges(config: NodeConfig) -> dict[VenueId, SimExchange]:
    """Return the exchanges of a config, with its accounts in them."""
    exchanges: dict[VenueId, SimExchange] = {}
    for venue in config.venues:
        rules = VenueRules(history_max=HISTORY_MAX)
        exchanges[venue.id] = SimExchange(venue.id, venue.instruments, rules, _seed(config, f"ids {venue.id}"))
    for account in config.accounts:
        exchange = exchanges[account.venue_id]
        exchange.open_account(account.id, account.balances, account.fees, leverage=account.leverage)
        for instrument_id, (net_qty, price) in account.positions.items():
            exchange.endow(account.id, instrument_id, net_qty, price)
    return exchanges


def set_rates(config: NodeConfig, exchanges: Mapping[VenueId, SimExchange], now_ns: int) -> None:
    """Let the venues pay funding and charge interest from now on, as the config says."""
    for venue in config.venues:
        exchange = exchanges[venue.id]
        for currency, bps in venue.loan_bps_per_day.items():
            exchange.set_borrow_rate(BorrowRate(currency, now_ns, bps * BPS / LOANS_PER_DAY, LOAN_S))
        for instrument in venue.instruments:
            if venue.funding_bps is not None and instrument.kind is InstrumentKind.PERP:
                next_ns = (now_ns // FUNDING_NS + 1) * FUNDING_NS
                rate = FundingRate(instrument.id, now_ns, venue.funding_bps * BPS, FUNDING_NS // NS_PER_S, next_ns)
                exchange.set_funding_rate(rate)


def open_venues(
    config: NodeConfig,
    clock: Clock,
    *,
    spreads_bps: Mapping[VenueId, Decimal] | None = None,
    memory: Path | None = None,
    told: frozenset[InstrumentId] = frozenset(),
) -> SimVenues:
    """Return the simulated venues of a config. Nothing moves before `start`.

    Args:
        told: instruments whose prices come from outside, by `SimVenues.tell`.
        spreads_bps: venue -> spread of its synthetic markets, where it differs from the config's.
        memory: file in which the venues remember accounts, positions, orders and trades over the death of the process.

    Raises:
        TapeError: a tape cannot be used.
        VenuesForgetful: the memory cannot be read.
    """
    exchanges = open_exchanges(config)
    set_rates(config, exchanges, clock.now_ns())
    remembered = None if memory is None else VenueMemory(memory, exchanges)
    feeds: list[Feed] = []
    markets = [_market(config, market, exchanges, spreads_bps or {}) for market in config.markets]
    if markets:
        feeds.append(SyntheticFeed(markets, TICK_NS))
    tapes = [_tape(venue.tape, venue.instruments) for venue in config.venues if venue.tape is not None]
    if tapes:
        feeds.append(TapeFeed(merge(tapes), exchanges))
    for venue in config.venues:
        # A venue sends its best levels; that it sends no more of a price does not mean that nobody stands there.
        for instrument in venue.instruments:
            if venue.tape is not None or instrument.id in told:
                exchanges[venue.id].show_part(instrument.id)
    latencies = {venue.id: _latency(config, venue.id, venue.latency_ms) for venue in config.venues}
    if remembered is None:
        return SimVenues(clock, exchanges, latencies, feeds, is_told=bool(told))
    return SimVenues(clock, exchanges, latencies, feeds, remembered.save, remembered.bookings, is_told=bool(told))


def _seed(config: NodeConfig, name: str) -> int:
    """Every part of the world has chance of its own, so that none disturbs another."""
    return random.Random(f"{config.seed} {name}").randrange(1 << 32)


def _tape(path: Path, instruments: tuple[Instrument, ...]) -> Iterator[MarketEvent]:
    (instrument,) = instruments
    return iter(Tape(path, instrument.id))


def delay_of(mean_ms: Decimal) -> Delay:
    """Return the way to a simulated venue, or back, of that mean."""
    mean_ns = int(mean_ms * NS_PER_MS)
    return Delay(mean_ns * 4 // 5, mean_ns * 2 // 5)


def _latency(config: NodeConfig, venue_id: VenueId, mean_ms: Decimal) -> Latency:
    delay = delay_of(mean_ms)
    return Latency(random.Random(f"{config.seed} latency {venue_id}"), delay, delay)


def _market(
    config: NodeConfig,
    market: MarketConfig,
    exchanges: Mapping[VenueId, SimExchange],
    spreads_bps: Mapping[VenueId, Decimal],
) -> SyntheticMarket:
    instruments = [
        instrument
        for venue in config.venues
        if venue.tape is None
        for instrument in venue.instruments
        if instrument.base == market.base
    ]
    tick_deviation = market.price * market.volatility_bps * BPS / TICKS_PER_S.sqrt()
    step = ceil_to(tick_deviation * STEPS_PER_DEVIATION, max(instrument.tick for instrument in instruments))
    specs = []
    for instrument in instruments:
        spread_bps = spreads_bps.get(instrument.venue_id, market.spread_bps)
        spread_ticks = max(1, int(market.price * spread_bps * BPS / instrument.tick))
        level_steps = max(2, int(2 * market.depth / instrument.step))
        specs.append(
            SyntheticSpec(
                instrument,
                market.price // instrument.tick * instrument.tick,
                common_ticks=int(step / instrument.tick),
                own_ticks=max(1, spread_ticks // 8),
                spread_ticks=spread_ticks,
                level_gap_ticks=max(1, spread_ticks // 4),
                level_steps=level_steps,
                trade_steps=max(1, level_steps // 4),
            )
        )
    moves = MILLION // 2 if market.volatility_bps else 0
    walk = Walk(moves_per_million=moves, jumps_per_million=2_000 if moves else 0, jump_max=8)
    return SyntheticMarket(_seed(config, f"market {market.base}"), specs, exchanges, walk)


class _Local:
    """Gateways whose venues are in this process."""

    def __init__(self, venues: SimVenues, clock: Clock) -> None:
        self._venues = venues
        self._clock = clock

    def gateway(self, book: BookConfig, leg_id: LegId) -> Teller:
        leg = book.leg(leg_id)
        hello = Hello(leg.account_id, leg.instrument.id)
        gateway: SimGateway
        gateway = SimGateway(
            leg.account_id, leg.lease_ms, self._clock, lambda: self._venues.open_desk(hello, gateway.receive)
        )
        return gateway

    async def positions(self, account_id: AccountId) -> tuple[Held, ...]:
        """List what an account holds, as far as it is anything else than money. Raises Unlisted."""
        venue_id = VenueId(account_id.partition("/")[0])
        if self._venues.is_dark(venue_id):
            raise Unlisted(f"{venue_id} does not answer")
        exchange = self._venues.exchanges[venue_id]
        held = exchange.positions(account_id)
        return tuple(Held(exchange.instrument(instrument_id), net_qty) for instrument_id, net_qty in held.items())


class Prices(Protocol):
    """Where prices of real markets come from."""

    told: frozenset[InstrumentId]
    "The instruments of which it tells."

    async def follow(self, venues: SimVenues) -> None:
        """Tell the venues of the markets as they come, until canceled."""
        ...


def run_node(
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
    """Run the books of a config on simulated venues until a signal, and return the exit code.

    Args:
        serve: returns what runs beside the books; its errors pass through, and nothing has started then.
        out: takes what happened; with `as_json`, one object at the end.
        err: takes notes.
        speed: times faster than life.
        seconds: stop in order after so long, by the node's clock.
        signals: a file of signals for the books, read as it grows.

    Raises:
        JournalError: the journal cannot be used.
        TapeError: a tape cannot be used, or breaks off; then the node has stopped in order.
        VenuesForgetful: what the venues remembered cannot be read.
    """
    return run_told(config, out, err, as_json, lambda front: run_venues(config, front, serve, speed, seconds, signals))


async def run_venues(
    config: NodeConfig,
    front: Front,
    serve: Callable[[Node], Service] | None,
    speed: float,
    seconds: float | None,
    signals: Path | None,
    prices: Prices | None = None,
) -> int:
    """Run the books on simulated venues, as `run_node` does, and return the exit code.

    Args:
        prices: of the markets that neither a tape nor chance moves.
    """
    for venue in config.venues:
        # Looked at before anything is made.
        if venue.tape is not None:
            _tape(venue.tape, venue.instruments)
    hours = tables(config.calendars, time.time_ns())
    mode = f"mode      {config.reach.value.upper()}  " + ", ".join(account.id for account in config.accounts)
    node = front.node(with_hours(config.books, hours), origin_now(speed), mode)
    try:
        known = frozenset() if prices is None else prices.told
        venues = open_venues(config, node.clock, memory=config.state / VENUES_FILE, told=known)
    except BaseException:
        node.abandon()
        raise
    local = _Local(venues, node.clock)
    tasks: dict[str, Work] = {"venues": partial(_move, venues, node, seconds, front.note)}
    if prices is not None:
        tasks["prices"] = partial(prices.follow, venues)
    for watch in config.watches:
        tasks[f"positions of {watch.account_id}"] = partial(follow_positions, watch, node, local.positions)
    if hours:
        for venue_id, sessions in hours.items():
            venues.set_sessions(venue_id, sessions)
        tasks["hours"] = partial(follow_hours, config.calendars, node, venues.set_sessions, front.note)
    if signals is not None:
        tasks["signals"] = partial(follow_signals, signals, node, front.note)
    code = await node.run(local.gateway, tasks, serve)
    venues.stop()
    return front.end(node, code)


async def _move(venues: SimVenues, node: Node, seconds: float | None, note: Callable[[str], None]) -> None:
    """Let the venues live, and ask for a stop when the tapes or the time are over."""
    venues.start()
    end_ns = None if seconds is None else node.started_ts_ns + int(seconds * NS_PER_S)
    # The node's clock may run faster than the loop's, so no single sleep would do.
    while not venues.ended and (end_ns is None or node.now_ns() < end_ns):  # noqa: ASYNC110
        await asyncio.sleep(POLL_S)
    note("the tapes have ended" if venues.ended else f"{seconds} s are over")
    node.stop()
    # The venues still answer while the node stops.
    await asyncio.Event().wait()
