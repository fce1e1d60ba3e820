"""Whether an account at Binance is fit to be traded on: key, permissions, clock, modes, filters, fees.

Only questions leave from here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import TypeVar

import msgspec

from hedgerow.model.ids import AccountId
from hedgerow.model.instrument import Instrument
from hedgerow.model.reach import Reach
from hedgerow.model.words import Word
from hedgerow.venues.binance_account import PRODUCT_OF, BinanceAccount
from hedgerow.venues.binance_venue import FAILURES, BinanceVenue
from hedgerow.venues.transport.http import NotSent, Unanswered
from hedgerow.venues.transport.stream import StreamFailed
from hedgerow.venues.wire.binance import answers
from hedgerow.venues.wire.binance.answers import Conditional, FeeRates, Refused, SymbolConfig
from hedgerow.venues.wire.binance.build import Requests
from hedgerow.venues.wire.binance.instruments import UnknownSymbol
from hedgerow.venues.wire.binance.kinds import PERP_SUFFIX, AccountKind, Product, product_of
from hedgerow.venues.wire.binance.shapes import Restrictions
from hedgerow.venues.wire.payload import BadPayload

Result = TypeVar("Result")

NS_PER_MS = 1_000_000
_ANY = msgspec.json.Decoder(dict[str, object] | list[object])
# A venue that answers half a question now and then is no reason not to start.
TRIES = 4
AGAIN_S = 0.5
# Binance takes no request that is dated a second ahead; a clock that far off has lost its time server.
CLOCK_MS_MAX = 1_000
BPS = 10_000
# Refusals that a key earns, not a request. Source: Binance docs, "Error codes" (checked 2026-07).
KEY_CODES = frozenset({-1002, -1022, -2008, -2014, -2015})
CLOCK_CODE = -1021
DAY_MS = 24 * 3_600_000
# A key that will not trade any more is told so long before.
EXPIRY_MS = 7 * DAY_MS
CLOCK_READS = 3
# More of them tell people nothing new.
CONDITIONALS_TOLD = 3
# What a key must be allowed for each kind of account: a field of its permissions, and the words on Binance's page.
NEEDS = {
    AccountKind.SPOT: ("enable_spot_and_margin_trading", "Enable Spot & Margin Trading"),
    AccountKind.MARGIN: ("enable_spot_and_margin_trading", "Enable Spot & Margin Trading"),
    AccountKind.USDM: ("enable_futures", "Enable Futures"),
    AccountKind.PORTFOLIO: ("enable_portfolio_margin_trading", "Enable Portfolio Margin Trading"),
}


class Verdict(Word):
    """What a check came to."""

    OK = "ok"
    TOLD = "told"
    "Nothing is wrong, and somebody should know."
    UNREACHABLE = "unreachable"
    "The venue cannot be reached or does not answer in full."
    FORBIDDEN = "forbidden"
    "The key is wrong, may not what it must, or may what it must not."
    WRONG = "wrong"
    "The account or the instrument is not as the config says."

    @property
    def is_bad(self) -> bool:
        return self not in (Verdict.OK, Verdict.TOLD)


class Finding(msgspec.Struct, frozen=True):
    """One check of one account."""

    account_id: AccountId
    check: str
    verdict: Verdict
    text: str
    next_step: str = ""
    instrument: Instrument | None = None
    "What was read of an instrument."


class _Check:
    """What makes findings of one account."""

    def __init__(self, account: BinanceAccount) -> None:
        self._account_id = account.account_id

    def found(self, check: str, verdict: Verdict, text: str, next_step: str = "") -> Finding:
        return Finding(self._account_id, check, verdict, text, next_step)

    def failed(self, check: str, error: Exception) -> Finding:
        """Return what a question that was not answered means."""
        if isinstance(error, Refused) and error.code in KEY_CODES:
            next_step = "check the key, its secret, and the addresses that it may be used from"
            return self.found(check, Verdict.FORBIDDEN, f"the key was refused: {error}", next_step)
        if isinstance(error, Refused) and error.code == CLOCK_CODE:
            return self.found(check, Verdict.UNREACHABLE, f"{error}", "set this machine's clock: switch NTP on")
        if isinstance(error, NotSent):
            text = f"it cannot be reached: {error}"
            return self.found(check, Verdict.UNREACHABLE, text, "look whether it and the network are up")
        if isinstance(error, Unanswered | BadPayload):
            return self.found(check, Verdict.UNREACHABLE, f"no whole answer came: {error}", "try again in a minute")
        return self.found(check, Verdict.UNREACHABLE, f"it refused: {error}", "read what it says")


async def examine(
    account: BinanceAccount, instruments: tuple[Instrument, ...], *, with_stream: bool = False
) -> AsyncIterator[Finding]:
    """Yield what is found of an account, one check after the other; after one that is bad, what needs it is left out.

    Args:
        instruments: what the books trade in it.
        with_stream: open its private stream as well, and keep it open.
    """
    make, venue = _Check(account), account.venue
    product = PRODUCT_OF[account.kind]
    try:
        # The first answer pays for the connection, and tells little of the clock.
        for _ in range(CLOCK_READS):
            await _again(partial(venue.read_time, product))
    except FAILURES as error:
        yield make.failed("reach", error)
        return
    reach = venue.http.addresses.reach
    yield make.found("reach", Verdict.OK, f"{account.kind.value} at {reach.value} answers")
    clock = _clock(make, venue, product)
    yield clock
    if clock.verdict.is_bad:
        return
    requests = Requests(product, "", account.signer, "")
    async for finding in _key(make, account, requests, product):
        yield finding
        if finding.verdict.is_bad:
            return
    if product.is_futures:
        yield await _position_mode(make, venue, requests, product)
    for instrument in instruments:
        async for finding in _instrument(make, account, instrument):
            yield finding
    if with_stream:
        try:
            await account.open()
            yield make.found("stream", Verdict.OK, "its private stream is live")
        except StreamFailed as error:
            text = f"its private stream cannot be opened: {error}"
            yield make.found("stream", Verdict.UNREACHABLE, text, "try again in a minute")


async def _again(ask: Callable[[], Awaitable[Result]]) -> Result:
    """Return what a question brings; one that was not answered in full is asked again, since asking changes nothing."""
    for _ in range(TRIES - 1):
        try:
            return await ask()
        except Refused as refused:
            if refused.status < 500:
                raise
        except (Unanswered, BadPayload):
            # A question changes nothing, so it is asked again; the last try below lets its error through.
            pass
        await asyncio.sleep(AGAIN_S)
    return await ask()


def _clock(make: _Check, venue: BinanceVenue, product: Product) -> Finding:
    offset = venue.offset(product)
    off_ms = -offset.ns // NS_PER_MS
    way = "ahead of" if off_ms > 0 else "behind"
    text = f"this machine's clock is {abs(off_ms)} ms {way} Binance's, ± {offset.error_ns // NS_PER_MS} ms"
    if abs(offset.ns) - offset.error_ns > CLOCK_MS_MAX * NS_PER_MS:
        return make.found("clock", Verdict.UNREACHABLE, text, "set it: switch NTP on, and wait until it has settled")
    return make.found("clock", Verdict.OK, text)


async def _key(make: _Check, account: BinanceAccount, requests: Requests, product: Product) -> AsyncIterator[Finding]:
    """Whether the key is right, may trade, and may not withdraw."""
    venue = account.venue

    async def balances() -> None:
        answers.body_of(_ANY, await venue.ask(lambda: requests.balances(venue.stamp(product))))

    try:
        await _again(balances)
    except FAILURES as error:
        yield make.failed("key", error)
        return
    yield make.found("key", Verdict.OK, "the key is right, and reads the account")
    for finding in await permissions_of(account):
        yield finding


async def permissions_of(account: BinanceAccount) -> tuple[Finding, ...]:
    """Return what is found of what a key may do: it may trade, it may not withdraw, and it stays so for a while."""
    make, venue, product = _Check(account), account.venue, PRODUCT_OF[account.kind]
    requests = Requests(product, "", account.signer, "")

    async def permissions() -> Restrictions:
        return answers.permissions_of(await venue.ask(lambda: requests.permissions(venue.stamp(product))))

    if venue.http.addresses.reach is Reach.TESTNET:
        return (make.found("permissions", Verdict.TOLD, "the testnet does not tell what a key may do"),)
    try:
        allowed = await _again(permissions)
    except FAILURES as error:
        return (make.failed("permissions", error),)
    if allowed.enable_withdrawals:
        text = "the key may withdraw: whoever has it has the money"
        next_step = "make a key without withdrawals, and delete this one"
        return (make.found("permissions", Verdict.FORBIDDEN, text, next_step),)
    field, words = NEEDS[account.kind]
    if not getattr(allowed, field):
        text = f"the key may not trade here: '{words}' is off"
        next_step = "switch it on at Binance, under API Management"
        return (make.found("permissions", Verdict.FORBIDDEN, text, next_step),)
    text = "the key may trade, and may not withdraw"
    if allowed.ip_restrict:
        found = make.found("permissions", Verdict.OK, text)
    else:
        next_step = "restrict it to this machine's address"
        found = make.found("permissions", Verdict.TOLD, f"{text}; it may be used from anywhere", next_step)
    ends_ms = allowed.trading_authority_expiration_time
    left_ms = None if not ends_ms else ends_ms - venue.stamp(product).now_ms
    if left_ms is None or left_ms > EXPIRY_MS:
        return (found,)
    days = max(left_ms, 0) // DAY_MS
    text = f"the key loses its right to trade in {days} day(s)"
    return found, make.found("expiry", Verdict.TOLD, text, "restrict it to this machine's address, or make a new key")


async def _position_mode(make: _Check, venue: BinanceVenue, requests: Requests, product: Product) -> Finding:
    async def mode() -> bool:
        return answers.is_hedge_mode(await venue.ask(lambda: requests.position_mode(venue.stamp(product))))

    try:
        is_hedge = await _again(mode)
    except FAILURES as error:
        return make.failed("position mode", error)
    if is_hedge:
        text = "the account is in hedge mode: it keeps long and short of one instrument apart"
        return make.found("position mode", Verdict.WRONG, text, "set it to one-way mode, in its preferences at Binance")
    return make.found("position mode", Verdict.OK, "one-way")


async def _instrument(make: _Check, account: BinanceAccount, instrument: Instrument) -> AsyncIterator[Finding]:
    """Filters, margin type and fees of one instrument."""
    venue = account.venue
    product = product_of(account.kind, instrument.kind)
    symbol = instrument.id.partition(":")[2].removesuffix(PERP_SUFFIX)
    try:
        listing = await _again(partial(venue.listing, product, symbol))
    except UnknownSymbol as error:
        yield make.found("instrument", Verdict.WRONG, str(error), "mend the leg's symbol in the config")
        return
    except FAILURES as error:
        yield make.failed("instrument", error)
        return
    read = listing.instrument
    if listing.problem:
        found = make.found("instrument", Verdict.WRONG, listing.problem, "choose another, or wait until it trades")
    else:
        tick, step, smallest = (f"{number.normalize():f}" for number in (read.tick, read.step, read.min_qty))
        text = f"{read.id} trades: tick {tick}, step {step}, smallest {smallest}"
        found = make.found("instrument", Verdict.OK, f"{text} or {read.min_notional.normalize():f} {read.quote}")
    yield msgspec.structs.replace(found, instrument=read)
    requests = Requests(product, symbol, account.signer, read.base)

    async def symbol_config() -> SymbolConfig:
        return answers.symbol_config_of(await venue.ask(lambda: requests.symbol_config(venue.stamp(product))), symbol)

    async def fee_rates() -> FeeRates:
        answer = await venue.ask(lambda: requests.fee_rates(venue.stamp(product)))
        return answers.fee_rates_of(answer, product, symbol)

    try:
        if product.is_futures:
            config = await _again(symbol_config)
            text = f"{symbol}: {config.margin_type.lower()} margin, leverage {config.leverage:f}"
            if config.margin_type.upper() in ("CROSSED", "CROSS"):
                yield make.found("margin", Verdict.OK, text)
            else:
                # Of the instrument, so that a book which holds something there may go on: then the venue lets nobody
                # change it.
                text += "; a leg alone is liquidated while the account has funds"
                next_step = "set it to cross, in the instrument's preferences there"
                found = make.found("margin", Verdict.WRONG, text, next_step)
                yield msgspec.structs.replace(found, instrument=read)
        rates = await _again(fee_rates)
        text = f"{symbol}: maker {rates.maker * BPS:.4g} bps, taker {rates.taker * BPS:.4g} bps"
        yield make.found("fees", Verdict.OK, text)
    except FAILURES as error:
        # Worth knowing, and nothing that stops a hedge.
        yield make.found("fees", Verdict.TOLD, f"{symbol}: margin and fees were not told: {error}")
    async for finding in _conditionals(make, venue, requests):
        yield finding


async def _conditionals(make: _Check, venue: BinanceVenue, requests: Requests) -> AsyncIterator[Finding]:
    """Orders of somebody else that wait for a price: when it comes they trade beside the books."""

    async def conditionals() -> tuple[Conditional, ...]:
        answer = await venue.ask(lambda: requests.conditional_orders(venue.stamp(requests.product)))
        return answers.conditionals_of(answer, requests.symbol)

    try:
        waiting = await _again(conditionals)
    except FAILURES as error:
        text = f"{requests.symbol}: whether orders wait there for a price was not told: {error}"
        yield make.found("conditional orders", Verdict.TOLD, text)
        return
    if waiting:
        rows = ", ".join(_shown(each) for each in waiting[:CONDITIONALS_TOLD])
        more = f" and {len(waiting) - CONDITIONALS_TOLD} more" if len(waiting) > CONDITIONALS_TOLD else ""
        text = f"{requests.symbol}: orders that are none of ours wait for their price: {rows}{more}"
        next_step = "cancel them there, unless they are meant: they will trade beside the book"
        yield make.found("conditional orders", Verdict.TOLD, text, next_step)


def _shown(order: Conditional) -> str:
    qty = f"{order.qty:f}" if order.qty else "all"
    return f"{order.type} {order.side} {qty}" + (f" at {order.trigger:f}" if order.trigger else "")
