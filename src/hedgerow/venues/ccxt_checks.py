"""Whether an account behind ccxt is fit to be traded on, as far as ccxt can tell. Only questions leave from here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

from hedgerow.model.instrument import Instrument
from hedgerow.venues.binance_checks import AGAIN_S, TRIES, Finding, Verdict
from hedgerow.venues.ccxt_account import CcxtAccount, Done, Failed
from hedgerow.venues.ccxt_gateway import ENDED, FAILURES, LEVELS
from hedgerow.venues.transport.http import NotSent
from hedgerow.venues.wire.ccxt.rows import Kind, Market, pair_of, quote_of
from hedgerow.venues.wire.payload import BadPayload
from hedgerow.venues.wire.request import Lane

# Without one of these a fill could be missed, or an order never found.
NEEDED = ("createOrder", "cancelOrder", "fetchOrder", "fetchOpenOrders", "fetchMyTrades", "fetchBalance")
KEY_CLASSES = frozenset({"AuthenticationError", "PermissionDenied", "AccountSuspended"})


async def examine(account: CcxtAccount, instruments: tuple[Instrument, ...]) -> AsyncIterator[Finding]:
    """Yield what is found of an account, one check after the other; after one that is bad, what needs it is left out.

    Args:
        instruments: what the books trade in it.
    """

    def found(check: str, verdict: Verdict, text: str, next_step: str = "") -> Finding:
        return Finding(account.account_id, check, verdict, text, next_step)

    def failed(check: str, error: Exception) -> Finding:
        if isinstance(error, Failed) and not KEY_CLASSES.isdisjoint(error.classes):
            next_step = "check the key, its secret, and the addresses that it may be used from"
            return found(check, Verdict.FORBIDDEN, f"the key was refused: {error}", next_step)
        if isinstance(error, NotSent):
            next_step = "look whether it and the network are up"
            return found(check, Verdict.UNREACHABLE, f"it cannot be reached: {error}", next_step)
        return found(check, Verdict.UNREACHABLE, f"no answer that ccxt can use: {error}", "try again in a minute")

    missing = [method for method in NEEDED if not account.can(method)]
    if account.kind is Kind.SWAP and not account.can("fetchPositions"):
        missing.append("fetchPositions")
    if missing:
        text = f"ccxt lacks {', '.join(missing)} of {account.exchange}: its fills cannot be known for sure"
        yield found("ccxt", Verdict.WRONG, text, "choose another exchange")
        return
    try:
        await _again(account.open)
    except FAILURES as error:
        yield failed("reach", error)
        return
    reach = account.http.addresses.reach
    yield found("reach", Verdict.OK, f"{account.exchange}, {account.kind.value}, at {reach.value} answers")
    try:
        await _again(lambda: account.ask(Lane.QUERY, lambda client: client.fetch_balance()))
    except FAILURES as error:
        yield failed("key", error)
        return
    text = "the key reads the account; what else it may, ccxt cannot tell"
    yield found("key", Verdict.TOLD, text, "make sure at the exchange that it may not withdraw")
    if not any(account.can(method) for method, _ in ENDED):
        text = f"ccxt cannot list orders of {account.exchange} that ended: one whose answer is lost may stay unknown"
        yield found("orders", Verdict.TOLD, text, "prefer another exchange")
    if account.kind is Kind.SWAP and account.can("fetchPositionMode"):
        yield await _position_mode(account, found, failed)
    for instrument in instruments:
        try:
            market = account.market(pair_of(instrument))
            if market.problem:
                raise BadPayload(market.problem)
        except BadPayload as error:
            yield found("instrument", Verdict.WRONG, str(error), "mend the leg's symbol, or choose another")
            continue
        read = market.instrument
        text = f"{read.id} trades: tick {read.tick:f}, step {read.step:f}, smallest {read.min_qty:f}"
        yield Finding(account.account_id, "instrument", Verdict.OK, text, instrument=read)
        try:
            await _again(partial(_price, account, market))
        except FAILURES as error:
            yield failed("prices", error)


async def _position_mode(
    account: CcxtAccount,
    found: Callable[[str, Verdict, str, str], Finding],
    failed: Callable[[str, Exception], Finding],
) -> Finding:
    check = "position mode"
    try:
        done: Done = await _again(lambda: account.ask(Lane.QUERY, lambda client: client.fetch_position_mode()))
    except FAILURES as error:
        return failed(check, error)
    if isinstance(done.result, dict) and done.result.get("hedged") is False:
        return found(check, Verdict.OK, "one-way", "")
    text = "the account is in hedge mode, or does not say: long and short would be kept apart"
    return found(check, Verdict.WRONG, text, "set it to one-way mode at the exchange")


async def _price(account: CcxtAccount, market: Market) -> None:
    """Read the book once, so that one which cannot be read is told before anything is traded."""
    done = await account.ask(Lane.QUERY, lambda client: client.fetch_order_book(market.symbol, LEVELS))
    if not isinstance(done.result, dict):
        raise BadPayload("no order book")
    quote_of(done.result, market, account.clock.now_ns(), LEVELS)


async def _again(ask: Callable[[], Awaitable[Done | None]]) -> Done:
    """Return what a question brings; one that was not answered is asked again, since asking changes nothing."""
    for _ in range(TRIES - 1):
        try:
            return await ask() or Done(None, 0)
        except (NotSent, Failed, BadPayload) as error:
            if isinstance(error, Failed) and not KEY_CLASSES.isdisjoint(error.classes):
                raise
        await asyncio.sleep(AGAIN_S)
    return await ask() or Done(None, 0)
