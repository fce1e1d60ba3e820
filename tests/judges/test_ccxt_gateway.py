"""The gateway through ccxt keeps the contract of every gateway, against the emulated Binance, on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hedgerow.core.commands import CancelOrder, QueryOrder
from hedgerow.core.events import (
    CancelAnswered,
    CancelOutcome,
    OrderAccepted,
    OrderRejected,
    OrderReported,
    OrderUnknown,
    RejectClass,
)
from hedgerow.emulators.binance.control import FaultSwitch, Trade
from hedgerow.emulators.binance.customers import DEFAULT_KEY, DEFAULT_SECRET
from hedgerow.emulators.binance.faults import Fault
from hedgerow.emulators.binance.orders import Product
from hedgerow.emulators.binance.server import Emulator
from hedgerow.model.order import OrderStatus
from hedgerow.runtime.config import load_text
from hedgerow.runtime.live import run_live
from hedgerow.venues.wire.ccxt.rows import Kind
from tests.judges.ccxt_stand import CcxtStand
from tests.venues.contract import LEG, RULES, Rule, deep, heard, reported, submit

D = Decimal

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.value)
def test_the_gateway_through_ccxt_keeps(rule: Rule, kind: Kind) -> None:
    """What it cannot hear of it asks for; a book sees no difference but in time."""
    asyncio.run(_played(rule, kind))


async def _played(rule: Rule, kind: Kind) -> None:
    async with CcxtStand(kind) as stand:
        await rule(stand)


# Done by the venue, and told in ways of which ccxt makes errors that look definite, orders without a name, or silence.
DONE = (
    Fault.LOST_ANSWER,
    Fault.CUT_ANSWER,
    Fault.HALF_ANSWER,
    Fault.EMPTY_ANSWER,
    Fault.HTML_ANSWER,
    Fault.BAD_GATEWAY,
    Fault.UNKNOWN_ERROR,
    Fault.UNEXPECTED_RESPONSE,
    Fault.WRONG_CODE,
    Fault.FALSE_NOT_FOUND,
    Fault.REPEATED_REQUEST,
)
NOT_DONE = (Fault.THROTTLED, Fault.BANNED)


@pytest.mark.parametrize("fault", DONE, ids=lambda fault: fault.value)
def test_an_order_that_was_taken_is_never_called_refused(fault: Fault) -> None:
    """ccxt calls some a definite error, and one an order without a name; here each is unknown, and is found."""

    async def story() -> None:
        async with CcxtStand(Kind.SWAP) as stand:
            order = submit(stand, "1", price=deep(stand))
            stand.fault(fault, "POST", "/order")
            stand.gateway.send(order)
            assert (await heard(stand, OrderUnknown)).order_id == order.order_id

            stand.gateway.send(QueryOrder(order.order_id, LEG))
            assert (await heard(stand, OrderReported)).status is OrderStatus.OPEN
            assert not [event for event in stand.told if isinstance(event, OrderRejected)]

    asyncio.run(story())


@pytest.mark.parametrize("fault", NOT_DONE, ids=lambda fault: fault.value)
def test_what_the_front_end_refused_is_refused(fault: Fault) -> None:
    """Nothing is unknown there, and a hedge that was refused is tried again at once where unknown would wait."""

    async def story() -> None:
        async with CcxtStand(Kind.SWAP) as stand:
            stand.fault(fault, "POST", "/order")
            stand.gateway.send(submit(stand, "1", price=deep(stand)))
            assert (await heard(stand, OrderRejected)).reject_class is RejectClass.RATE_LIMITED

    asyncio.run(story())


def test_a_cancel_without_an_answer_is_unknown_and_the_end_is_told() -> None:
    """The cancel was done; who asks finds it out, and nobody sends it again."""

    async def story() -> None:
        async with CcxtStand(Kind.SWAP) as stand:
            stand.gateway.send(submit(stand, "1", price=deep(stand)))
            order_id = (await heard(stand, OrderAccepted)).order_id
            stand.fault(Fault.LOST_ANSWER, "DELETE", "/order")

            stand.gateway.send(CancelOrder(order_id, LEG))

            assert (await heard(stand, CancelAnswered)).outcome is CancelOutcome.UNKNOWN
            assert (await reported(stand, OrderStatus.CANCELED)).order_id == order_id

    asyncio.run(story())


CONFIG = """
accounts:
  there/main:
    {{venue: ccxt, exchange: binance, kind: swap, mode: emulator, key: "env:KEY", secret: "env:SECRET"}}
  here/second:
    {{venue: ccxt, exchange: binanceusdm, kind: swap, mode: emulator, key: "env:KEY2", secret: "env:SECRET2"}}
venues:
  there: {{address: '{url}', lease_ms: 12000, visibility_ms: 3000}}
  here: {{address: '{url}', lease_ms: 12000, visibility_ms: 3000}}
books:
  btc:
    policy: mirror
    legs:
      lead:  {{account: there/main, symbol: BTC/USDT}}
      hedge: {{account: here/second, symbol: BTC/USDT}}
    qty: 0.01
    max_net_qty: 0.03
risk: {{max_notional: 25000, max_residual: 5000}}
"""
# Of a million requests, how many meet each: what a bad day brings, all at once.
BAD_DAY = {
    Fault.LOST_ANSWER: 30_000,
    Fault.HALF_ANSWER: 20_000,
    Fault.UNKNOWN_ERROR: 30_000,
    Fault.OVERLOADED: 20_000,
    Fault.FALSE_NOT_FOUND: 10_000,
}


# How long others trade, and how long the whole takes: after them, what is unknown becomes known, and is hedged.
TRADING_S, RUNNING_S = 12, 40


@contextmanager
def emulated() -> Iterator[Emulator]:
    """Run an emulator on a bad day in a loop of its own, in which others sell and buy for a while."""
    started, ended = threading.Event(), asyncio.Event()
    emulator = Emulator(is_still=True, faults=BAD_DAY)
    loops: list[asyncio.AbstractEventLoop] = []

    async def trade() -> None:
        async with asyncio.timeout(TRADING_S):
            while True:
                for side, price in (("SELL", "59800"), ("BUY", "60200")):
                    told = Trade(product=Product.USDM, symbol="BTCUSDT", price=D(price), qty=D(3), side=side)
                    emulator.control.trade(told)
                    await asyncio.sleep(1)

    async def work() -> None:
        async with emulator:
            loops.append(asyncio.get_running_loop())
            started.set()
            with contextlib.suppress(TimeoutError):
                await trade()
            emulator.control.switch_faults(FaultSwitch(on=False))
            await ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    started.wait()
    try:
        yield emulator
    finally:
        loops[0].call_soon_threadsafe(ended.set)
        thread.join()


def test_a_hedge_is_kept_through_a_bad_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two accounts behind ccxt and a venue that loses its answers: in the end the one holds what the other owes."""
    for name, value in (("KEY", DEFAULT_KEY), ("SECRET", DEFAULT_SECRET)):
        monkeypatch.setenv(name, value)
        monkeypatch.setenv(f"{name}2", "second" + value[6:])
    out, err = io.StringIO(), io.StringIO()
    with emulated() as emulator:
        config = load_text(CONFIG.format(url=emulator.url), "ccxt.yaml", tmp_path, tmp_path)
        run_live(config, None, out, err, seconds=RUNNING_S)
        truth: Any = emulator.venue.truth()["accounts"]

    told = out.getvalue() + err.getvalue()
    rows = {row["name"]: row for row in truth if (row["kind"], row["product"]) == ("usdm", "usdm")}
    assert rows["main"]["trades"], told
    assert rows["second"]["trades"], told
    assert "residual btc 0" in told
    held = [sum(D(each["net_qty"]) for each in rows[name]["positions"]) for name in ("main", "second")]
    assert sum(held) == 0, told
