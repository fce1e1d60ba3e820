"""Funding and interest at Binance: asked again until they are told, and told before what they led to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from hedgerow.core.commands import Read
from hedgerow.core.events import BorrowRateReceived, FillReceived, FundingPaid, InterestCharged, PositionRead, ReadKind
from hedgerow.emulators.binance.faults import Fault, Injected
from hedgerow.venues import binance_bookings
from hedgerow.venues.wire.binance.kinds import AccountKind, Product
from tests.venues.binance_stand import BinanceStand
from tests.venues.contract import LEG, bookings, heard, short, submit

Story = Callable[[BinanceStand], Awaitable[None]]


def played(story: Story, kind: AccountKind, product: Product) -> None:
    async def play() -> None:
        async with BinanceStand(kind, product) as stand:
            await story(stand)

    asyncio.run(play())


def test_what_cannot_be_had_is_asked_for_again_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time from which is asked moves on with what was told, and not with the clock."""
    monkeypatch.setattr(binance_bookings, "LOOK_AGAIN_S", 0.02)

    async def story(stand: BinanceStand) -> None:
        stand.gateway.send(submit(stand, "1"))
        await heard(stand, FillReceived)
        for kind in (Fault.BACKEND_TIMEOUT, Fault.HALF_ANSWER):
            stand.emulator.control.inject(Injected(kind=kind, method="GET", path="/income", count=2))
        await stand.book()

        paid = await heard(stand, FundingPaid)

        assert paid.net_quote < 0
        assert bookings(stand) == [paid.funding_id]

    played(story, AccountKind.USDM, Product.UM)


def test_interest_is_told_before_a_position_that_shows_it() -> None:
    """Cross margin tells of no charge: the loan has grown, and without a reason that would be drift."""

    async def story(stand: BinanceStand) -> None:
        await short(stand)
        await heard(stand, PositionRead)
        stand.told.clear()
        await stand.book()

        stand.gateway.send(Read(LEG, ReadKind.POSITION))
        await heard(stand, PositionRead)

        told = [type(event) for event in stand.told]
        assert told.index(InterestCharged) < told.index(PositionRead)

    played(story, AccountKind.MARGIN, Product.MARGIN)


def test_a_position_is_read_even_while_interest_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """One endpoint that hangs must not blind the book."""
    monkeypatch.setattr(binance_bookings, "TELL_WITHIN_S", 0.02)

    async def story(stand: BinanceStand) -> None:
        await short(stand)
        await heard(stand, PositionRead)
        stand.told.clear()
        fault = Injected(kind=Fault.SILENCE, method="GET", path="/interestHistory", count=5)
        stand.emulator.control.inject(fault)
        await stand.book()

        stand.gateway.send(Read(LEG, ReadKind.POSITION))

        await heard(stand, PositionRead)
        assert bookings(stand) == []

    played(story, AccountKind.MARGIN, Product.MARGIN)


def test_the_rates_of_loans_are_told_for_both_currencies() -> None:
    """A carry counts on what its money costs."""

    async def story(stand: BinanceStand) -> None:
        await heard(stand, BorrowRateReceived, 2)
        rates = [event.rate.currency for event in stand.told if isinstance(event, BorrowRateReceived)]
        assert rates == [stand.instrument.base, stand.instrument.quote]

    played(story, AccountKind.MARGIN, Product.MARGIN)
