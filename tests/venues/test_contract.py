"""Every gateway keeps the same contract: the simulated one in virtual time, Binance's on sockets to its emulator."""

from __future__ import annotations

import asyncio

import pytest

from hedgerow.model.instrument import InstrumentKind
from hedgerow.venues.wire.binance.kinds import AccountKind, Product
from tests.venues.binance_stand import BinanceStand
from tests.venues.contract import RULES, Rule
from tests.venues.sim_stand import SimStand

BINANCE = [
    (AccountKind.SPOT, Product.SPOT),
    (AccountKind.USDM, Product.UM),
    # The other kinds speak the same two protocols, so the quick suite leaves them out.
    pytest.param(AccountKind.MARGIN, Product.MARGIN, marks=pytest.mark.slow),
    pytest.param(AccountKind.PORTFOLIO, Product.PM_UM, marks=pytest.mark.slow),
    pytest.param(AccountKind.PORTFOLIO, Product.PM_MARGIN, marks=pytest.mark.slow),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("kind", [InstrumentKind.PERP, InstrumentKind.SPOT, InstrumentKind.MARGIN])
def test_the_simulated_gateway_keeps(rule: Rule, kind: InstrumentKind) -> None:
    """What policies are developed against behaves like what they will trade on."""
    asyncio.run(_played_simulated(rule, kind))


async def _played_simulated(rule: Rule, kind: InstrumentKind) -> None:
    await rule(SimStand(kind))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize(("kind", "product"), BINANCE, ids=lambda value: value.value)
def test_the_gateway_to_binance_keeps(rule: Rule, kind: AccountKind, product: Product) -> None:
    """On every kind of account, over HTTP and websockets."""
    asyncio.run(_played_at_binance(rule, kind, product))


async def _played_at_binance(rule: Rule, kind: AccountKind, product: Product) -> None:
    async with BinanceStand(kind, product) as stand:
        await rule(stand)
