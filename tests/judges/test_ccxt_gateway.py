"""The gateway through ccxt keeps the contract of every gateway, against the emulated Binance, on real sockets."""

from __future__ import annotations

import asyncio

import pytest

from hedgerow.venues.wire.ccxt.rows import Kind
from tests.judges.ccxt_stand import CcxtStand
from tests.venues.contract import RULES, Rule

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.value)
def test_the_gateway_through_ccxt_keeps(rule: Rule, kind: Kind) -> None:
    """What it cannot hear of it asks for; a book sees no difference but in time."""
    asyncio.run(_played(rule, kind))


async def _played(rule: Rule, kind: Kind) -> None:
    async with CcxtStand(kind) as stand:
        await rule(stand)
