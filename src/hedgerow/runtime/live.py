"""A node on real venues: keys, checks before anything is traded, gateways, and the guard of real money.

The one module that leads from a config to a real venue; a config of simulated accounts never comes here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TextIO

import msgspec
from msgspec.structs import replace

from hedgerow.core.config import NS_PER_S, BookConfig
from hedgerow.model.ids import AccountId, InstrumentId, LegId, VenueId
from hedgerow.model.instrument import Instrument
from hedgerow.model.reach import Reach
from hedgerow.runtime.access import Access, CcxtAccess, NoSecret, secret_of
from hedgerow.runtime.account_lock import AccountLocks
from hedgerow.runtime.clock import LoopClock, origin_now
from hedgerow.runtime.config_meaning import SIZE_PARAMS, size_problem
from hedgerow.runtime.front import Front, run_told
from hedgerow.runtime.key_watch import watch_keys
from hedgerow.runtime.node import Node, Service, Work
from hedgerow.runtime.node_config import AccountConfig, NodeConfig
from hedgerow.runtime.recovery import holds_something
from hedgerow.runtime.signals import follow_signals
from hedgerow.strategies import POLICIES
from hedgerow.strategies.params import parse as parse_params
from hedgerow.venues.binance_account import BinanceAccount
from hedgerow.venues.binance_checks import Finding, Verdict, examine
from hedgerow.venues.binance_gateway import BinanceGateway
from hedgerow.venues.binance_venue import BinanceVenue
from hedgerow.venues.ccxt_account import CcxtAccount, Keys, Unsupported
from hedgerow.venues.ccxt_checks import examine as examine_ccxt
from hedgerow.venues.ccxt_gateway import FAILURES as CCXT_FAILURES
from hedgerow.venues.ccxt_gateway import CcxtGateway
from hedgerow.venues.clock import Clock
from hedgerow.venues.gateway import Teller
from hedgerow.venues.transport.addresses import addresses_of
from hedgerow.venues.transport.http import Unsecured
from hedgerow.venues.transport.stream import StreamFailed
from hedgerow.venues.wire.binance.kinds import LIVE_HOSTS, TESTNET_HOSTS
from hedgerow.venues.wire.binance.signing import BadSecret, signer_of

POLL_S = 0.05


class VenueUnusable(Exception):
    """A real venue, or an account there, is not fit to be traded on. Nothing was placed."""

    def __init__(self, verdict: Verdict, text: str) -> None:
        super().__init__(text)
        self.verdict = verdict


class LiveRefused(Exception):
    """Real money was not asked for as clearly as it must be. Nothing was reached."""


def live_accounts(config: NodeConfig) -> tuple[AccountId, ...]:
    """Return the accounts in which there is real money."""
    return tuple(account.id for account in config.accounts if is_live(account))


def is_live(account: AccountConfig) -> bool:
    """Whether there is real money in an account."""
    return account.access is not None and account.access.reach is Reach.LIVE


def guard(config: NodeConfig, is_asked: bool, confirmed: Iterable[str]) -> None:
    """Let real money be traded only if the config says so, the command line does, and each account was typed.

    Args:
        is_asked: whether `--live` was given.
        confirmed: the account ids that were typed.

    Raises:
        LiveRefused: one of the three is missing.
    """
    live = live_accounts(config)
    names = ", ".join(live)
    if live and not is_asked:
        raise LiveRefused(f"{names}: this is real money; add --live if that is meant")
    if is_asked and not live:
        raise LiveRefused(f"{config.name} has no account of `mode: live`; leave --live out, or set the mode")
    typed = set(confirmed)
    missing = [account_id for account_id in live if account_id not in typed]
    if missing:
        raise LiveRefused(f"{', '.join(missing)} was not confirmed; add --confirm {' --confirm '.join(missing)}")
    strange = typed - set(live)
    if strange:
        raise LiveRefused(f"--confirm {min(strange)}: there is no live account of that id; there is {names or 'none'}")


class Accounts:
    """The real accounts of a config, and the venues behind them."""

    def __init__(self, config: NodeConfig, clock: Clock) -> None:
        """Resolve keys. Nothing is reached yet.

        Raises:
            VenueUnusable: a key, a secret or a certificate cannot be used.
        """
        self._venues: dict[tuple[VenueId, Reach], BinanceVenue] = {}
        self.identities: dict[AccountId, tuple[str, ...]] = {}
        "What makes each the account that it is, whatever the config calls it."
        self.by_id: dict[AccountId, BinanceAccount] = {}
        self.ccxt_by_id: dict[AccountId, CcxtAccount] = {}
        for account in config.accounts:
            assert account.access is not None, account.id
            access = account.access
            if isinstance(access, CcxtAccess):
                self.ccxt_by_id[account.id] = self._ccxt_account(account.id, access, clock)
            else:
                self.by_id[account.id] = self._account(account, access, clock)

    def _account(self, account: AccountConfig, access: Access, clock: Clock) -> BinanceAccount:
        where = f"accounts.{account.id}"
        try:
            key = secret_of(access.key, f"{where}.key")
            signer = signer_of(key, secret_of(access.secret, f"{where}.secret"))
            venue = self._venue(account.venue_id, access, clock)
        except NoSecret as error:
            raise VenueUnusable(Verdict.WRONG, str(error)) from error
        except (BadSecret, Unsecured) as error:
            raise VenueUnusable(Verdict.WRONG, f"{where}: {error}; mend it") from error
        self._identify(account.id, "binance", access, key)
        return BinanceAccount(account.id, access.kind, signer, venue)

    def _ccxt_account(self, account_id: AccountId, access: CcxtAccess, clock: Clock) -> CcxtAccount:
        where = f"accounts.{account_id}"
        try:
            passphrase = "" if access.passphrase is None else secret_of(access.passphrase, f"{where}.passphrase")
            keys = Keys(secret_of(access.key, f"{where}.key"), secret_of(access.secret, f"{where}.secret"), passphrase)
            account = CcxtAccount(
                account_id,
                access.exchange,
                access.kind,
                access.reach,
                keys,
                clock,
                access.emulator,
                access.ca,
                access.proxy,
            )
        except NoSecret as error:
            raise VenueUnusable(Verdict.WRONG, str(error)) from error
        except (Unsupported, Unsecured) as error:
            raise VenueUnusable(Verdict.WRONG, f"{where}: {error}") from error
        self._identify(account_id, access.exchange, access, keys.key)
        return account

    def _identify(self, account_id: AccountId, exchange: str, access: Access | CcxtAccess, key: str) -> None:
        self.identities[account_id] = (exchange, access.reach.value, access.kind.value, access.emulator or "", key)

    def _venue(self, venue_id: VenueId, access: Access, clock: Clock) -> BinanceVenue:
        key = (venue_id, access.reach)
        if key not in self._venues:
            addresses = addresses_of(access.reach, LIVE_HOSTS, TESTNET_HOSTS, access.emulator)
            self._venues[key] = BinanceVenue(venue_id, addresses, clock, access.ca, access.proxy)
        return self._venues[key]

    async def open(self) -> None:
        """Open every private stream. Raises VenueUnusable."""
        try:
            await asyncio.gather(*(account.open() for account in self.by_id.values()))
        except StreamFailed as error:
            told = f"a private stream cannot be opened: {error}; try again in a minute"
            raise VenueUnusable(Verdict.UNREACHABLE, told) from error
        try:
            await asyncio.gather(*(account.open() for account in self.ccxt_by_id.values()))
        except CCXT_FAILURES as error:
            told = f"the markets of an exchange cannot be read: {error}; try again in a minute"
            raise VenueUnusable(Verdict.UNREACHABLE, told) from error

    async def close(self) -> None:
        """End every stream and connection."""
        for account in self.by_id.values():
            await account.close()
        for venue in self._venues.values():
            await venue.close()
        for ccxt_account in self.ccxt_by_id.values():
            await ccxt_account.close()

    def gateway(self, book: BookConfig, leg_id: LegId) -> Teller:
        """Return the gateway of one leg."""
        account_id = book.leg(leg_id).account_id
        if account_id in self.ccxt_by_id:
            return CcxtGateway(self.ccxt_by_id[account_id])
        return BinanceGateway(self.by_id[account_id])


async def check_up(config: NodeConfig, *, with_stream: bool = False) -> AsyncIterator[Finding]:
    """Yield what is found of every account of a config; nothing is placed and nothing is changed.

    Raises:
        VenueUnusable: a key cannot be used, so that nothing could be asked.
    """
    clock = LoopClock(asyncio.get_running_loop(), origin_now(), _surprised)
    accounts = Accounts(config, clock)
    try:
        for account_id, account in accounts.by_id.items():
            async for finding in examine(account, instruments_of(config, account_id), with_stream=with_stream):
                yield finding
        for account_id, ccxt_account in accounts.ccxt_by_id.items():
            async for finding in examine_ccxt(ccxt_account, instruments_of(config, account_id)):
                yield finding
    finally:
        await accounts.close()


def instruments_of(config: NodeConfig, account_id: AccountId) -> tuple[Instrument, ...]:
    """Return what the books trade in an account, each once."""
    legs = (leg for book in config.books for leg in book.legs if leg.account_id == account_id)
    return tuple({leg.instrument.id: leg.instrument for leg in legs}.values())


def with_read(config: NodeConfig, read: Mapping[InstrumentId, Instrument]) -> tuple[BookConfig, ...]:
    """Return the books with the instruments as the venue has them.

    Raises:
        VenueUnusable: a book does not fit them.
    """
    books: list[BookConfig] = []
    for book in config.books:
        legs = tuple(replace(leg, instrument=read.get(leg.instrument.id, leg.instrument)) for leg in book.legs)
        known = replace(book, legs=legs)
        policy = POLICIES[known.policy]
        params = parse_params(policy.params_type, known.params)
        errors = policy.check(known, params)
        if errors:
            told = f"books.{book.book_id}: {errors[0].key}: {errors[0].problem}; {errors[0].help}"
            raise VenueUnusable(Verdict.WRONG, told)
        for key in SIZE_PARAMS if known.hedge is not None else ():
            size = getattr(params, key, None)
            short = None if size is None else size_problem(known, size)
            if short is not None:
                raise VenueUnusable(Verdict.WRONG, f"books.{book.book_id}.{key}: {short[0]}; {short[1]}")
        books.append(known)
    return tuple(books)


def run_live(
    config: NodeConfig,
    serve: Callable[[Node], Service] | None,
    out: TextIO,
    err: TextIO,
    *,
    as_json: bool = False,
    seconds: float | None = None,
    signals: Path | None = None,
) -> int:
    """Run the books of a config on real venues until a signal, and return the exit code. `guard` comes before.

    Args:
        serve: returns what runs beside the books.
        out: takes what happened; with `as_json`, one object at the end.
        err: takes notes.
        seconds: stop in order after so long.
        signals: a file of signals for the books, read as it grows.

    Raises:
        VenueUnusable: an account or a venue is not fit to be traded on.
        JournalError: the journal cannot be used.
    """

    async def work(front: Front) -> int:
        checked = await _checked(config, front)
        books = with_read(config, checked.instruments)
        return await _run(config, books, checked.halted, front, serve, seconds, signals)

    return run_told(config, out, err, as_json, work)


class _Checked(msgspec.Struct, frozen=True):
    """What the checks of a start brought."""

    instruments: dict[InstrumentId, Instrument]
    halted: dict[InstrumentId, str]
    "Instruments that take no new orders now, and what the venue says of them."


async def _checked(config: NodeConfig, front: Front) -> _Checked:
    """Return the instruments as the venues have them, once every account was found fit. Raises VenueUnusable."""
    checked = _Checked({}, {})
    async for finding in check_up(config):
        told = f"{finding.account_id}: {finding.text}; {finding.next_step}".rstrip("; ")
        if finding.instrument is not None:
            checked.instruments[finding.instrument.id] = finding.instrument
            if finding.verdict.is_bad:
                checked.halted[finding.instrument.id] = told
        elif finding.verdict.is_bad:
            raise VenueUnusable(finding.verdict, told)
        if finding.verdict is Verdict.TOLD:
            front.note(f"warning   {told}")
    return checked


def _check_halted(node: Node, halted: Mapping[InstrumentId, str], front: Front) -> None:
    """Refuse to begin with what does not trade; who has something there must be able to go on looking after it."""
    for book in node.books.values():
        for instrument_id in {leg.instrument.id for leg in book.config.legs} & halted.keys():
            if not holds_something(book):
                raise VenueUnusable(Verdict.WRONG, halted[instrument_id])
            front.note(f"warning   {halted[instrument_id]}")


async def _run(
    config: NodeConfig,
    books: tuple[BookConfig, ...],
    halted: Mapping[InstrumentId, str],
    front: Front,
    serve: Callable[[Node], Service] | None,
    seconds: float | None,
    signals: Path | None,
) -> int:
    reaches = sorted({account.access.reach.value.upper() for account in config.accounts if account.access is not None})
    mode = f"mode      {', '.join(reaches)}  " + ", ".join(account.id for account in config.accounts)
    node = front.node(books, origin_now(), mode)
    accounts: Accounts | None = None
    locks = AccountLocks(config.state, front.note)
    try:
        _check_halted(node, halted, front)
        accounts = Accounts(config, node.clock)
        for account_id, identity in accounts.identities.items():
            locks.take(account_id, *identity)
        await accounts.open()
    except BaseException:
        # Whatever ends the opening, a Ctrl-C too: the journal and the connections are let go first, then it goes on up.
        node.abandon()
        if accounts is not None:
            await accounts.close()
        locks.close()
        raise
    tasks: dict[str, Work] = {"keys": partial(watch_keys, accounts.by_id, node, front.note)}
    if seconds is not None:
        tasks["time"] = partial(_end_after, node, seconds, front)
    if signals is not None:
        tasks["signals"] = partial(follow_signals, signals, node, front.note)
    try:
        code = await node.run(accounts.gateway, tasks, serve)
    finally:
        await accounts.close()
        locks.close()
    return front.end(node, code)


async def _end_after(node: Node, seconds: float, front: Front) -> None:
    await asyncio.sleep(max(0, node.started_ts_ns + int(seconds * NS_PER_S) - node.now_ns()) / NS_PER_S)
    front.note(f"{seconds} s are over")
    node.stop()
    # The end of a task would end the node as a failure.
    await asyncio.Event().wait()


def _surprised(error: Exception) -> None:
    raise error
