"""Funding of one perpetual behind ccxt, asked for again and again, each payment told once."""

from __future__ import annotations

import asyncio
import contextlib
from decimal import Decimal

from hedgerow.core.events import FundingPaid
from hedgerow.model.ids import LegId
from hedgerow.model.instrument import InstrumentKind
from hedgerow.venues.ccxt_account import CcxtAccount, Failed
from hedgerow.venues.gateway import Deliver
from hedgerow.venues.transport.errands import Errands
from hedgerow.venues.transport.http import NotSent, Unanswered
from hedgerow.venues.wire.ccxt.rows import Market, funding_of
from hedgerow.venues.wire.payload import BadPayload
from hedgerow.venues.wire.request import Lane

NS_PER_MS = 1_000_000
LOOK_AGAIN_S = 15
# Funding may be shown so long after the time that it bears.
LATE_MS = 3_600_000
# The most that is asked for at once; a page with fewer than the shortest usual one is the last.
PAGE_MAX, PAGE_MIN = 1_000, 100
PAGES_MAX = 1_000
TOLD_MAX = 4_000
# What ccxt calls the amount is what the exchange books, with its sign: + received. On others it is a fee, + paid, or
# was not looked at; there nothing is told, since funding of the wrong sign is worse than none.
# Source: ccxt 4.5.90, `parse_income` and `parse_funding_history`, and the examples in them.
SIGNED = frozenset({"aster", "binance", "binanceusdm", "bingx", "gate", "gateio"})


class CcxtFunding:
    """Funding of one account's instrument; nothing of it before `catch_up`."""

    def __init__(self, account: CcxtAccount, market: Market, leg_id: LegId, deliver: Deliver, every_s: float) -> None:
        self._account = account
        self._market = market
        self._leg_id = leg_id
        self._deliver = deliver
        self._every_s = every_s
        self._errands = Errands(account.clock)
        self._look = asyncio.Event()
        self._since_ms = 0
        self._told: dict[int, None] = {}
        "Moments of funding that were told: an instrument pays once at a time, and some exchanges give it no id."

    def catch_up(self, since_ns: int) -> None:
        """Begin to tell what was paid since then, where it can be told."""
        account = self._account
        is_perp = self._market.instrument.kind is InstrumentKind.PERP
        if is_perp and account.exchange in SIGNED and account.can("fetchFundingHistory"):
            self._since_ms = since_ns // NS_PER_MS + 1
            self._errands.begin(self._keep_looking())

    def look(self) -> None:
        """Look soon: something may have been missed."""
        self._look.set()

    async def stop(self) -> None:
        """Ask no more."""
        await self._errands.end()

    async def _keep_looking(self) -> None:
        while True:
            self._look.clear()
            asked_ms = self._account.clock.now_ns() // NS_PER_MS
            wait_s = self._every_s
            try:
                for paid_ms, net_quote in sorted((await self._read()).items()):
                    self._tell(paid_ms, net_quote)
                self._since_ms = max(self._since_ms, asked_ms - LATE_MS)
            except (Failed, NotSent, Unanswered, BadPayload):
                # Asked again from the same time on: nothing is lost by it.
                wait_s = LOOK_AGAIN_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._look.wait()

    async def _read(self) -> dict[int, Decimal]:
        """Return all that was paid since then: when, by the exchange's time -> how much."""
        found: dict[int, Decimal] = {}
        symbol, from_ms = self._market.symbol, self._since_ms
        for _ in range(PAGES_MAX):
            page = await self._page(symbol, from_ms)
            if page.keys() <= found.keys():
                return found
            found |= page
            if len(page) < PAGE_MIN:
                return found
            from_ms = max(page)
        raise BadPayload(f"more than {PAGES_MAX} pages of funding")

    async def _page(self, symbol: str, from_ms: int) -> dict[int, Decimal]:
        done = await self._account.ask(
            Lane.QUERY, lambda client: client.fetch_funding_history(symbol, from_ms, PAGE_MAX)
        )
        if not isinstance(done.result, list):
            raise BadPayload(f"told of {type(done.result).__name__}, not of several payments")
        page = dict(funding_of(row, self._market) for row in done.result if row.get("symbol") == symbol)
        return {paid_ms: net_quote for paid_ms, net_quote in page.items() if paid_ms >= self._since_ms}

    def _tell(self, paid_ms: int, net_quote: Decimal) -> None:
        if paid_ms in self._told:
            return
        self._told[paid_ms] = None
        if len(self._told) > TOLD_MAX:
            del self._told[next(iter(self._told))]
        funding_id = f"{self._market.symbol}@{paid_ms}"
        self._deliver(self._leg_id, FundingPaid(self._account.clock.now_ns(), self._leg_id, funding_id, net_quote))
