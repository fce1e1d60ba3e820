"""The program on real sockets, killed at any moment, at a venue that lies: it ends hedged, each fill with its story."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hedgerow.api import rest
from hedgerow.core.explain import explain
from hedgerow.emulators.binance.customers import DEFAULT_KEY, DEFAULT_SECRET
from hedgerow.emulators.binance.faults import rates_of
from hedgerow.emulators.binance.server import Emulator
from hedgerow.runtime.folder import JOURNAL_FILE

pytestmark = pytest.mark.slow

PROGRAM = "from hedgerow.cli import main; main()"
STATE = "state"
CONFIG = """
accounts:
  binance/spot: {{venue: binance, kind: spot, mode: emulator, key: "env:KEY", secret: "env:SECRET"}}
  binance/usdm: {{venue: binance, kind: usdm, mode: emulator, key: "env:KEY", secret: "env:SECRET"}}
venues:
  binance: {{address: "{address}", visibility_ms: 4000}}
books:
  btc:
    policy: carry
    legs:
      lead:  {{account: binance/spot, symbol: BTCUSDT}}
      hedge: {{account: binance/usdm, symbol: BTCUSDT, leverage: 3}}
    entry_qty: 0.01
    max_net_qty: 1.4
    entry_basis_bps_min: -50
    entry_timeout_s: 5
    slippage_bps_max: 20
    hedge_style: {hedge}
risk: {{max_notional: 1000000, max_residual: 2000, orders_per_s: 5}}
"""
KILLS = 10
PATIENCE_S = 180
UNREACHABLE = 5
POLL_S = 0.05
STEP = Decimal("0.001")
"Of the hedge leg: what is below it cannot be hedged."


@contextmanager
def venue(faults: str) -> Iterator[str]:
    """Run an emulator whose markets move, in a loop of its own; yield its address."""
    started, ended = threading.Event(), asyncio.Event()
    found: list[tuple[str, asyncio.AbstractEventLoop]] = []

    async def work() -> None:
        async with Emulator(faults=rates_of([faults])) as emulator:
            found.append((emulator.url, asyncio.get_running_loop()))
            started.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    started.wait()
    url, loop = found[0]
    try:
        yield url
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()


def asked(url: str, name: str, method: str = "GET", body: bytes | None = None) -> Any:
    """Ask the emulator itself."""
    with urllib.request.urlopen(urllib.request.Request(f"{url}/emulator/{name}", body, method=method)) as answer:
        return json.load(answer)


def of_accounts(url: str, what: str) -> list[Any]:
    """Return rows of the truth of the two accounts, each with its kind."""
    accounts = asked(url, "truth")["accounts"]
    return [
        row | {"kind": account["kind"]}
        for account in accounts
        if account["name"] == "main" and account["kind"] in ("spot", "usdm")
        for row in account[what]
    ]


class Program:
    """`hedgerow run`, started again whenever a start gave up: a venue that answers nothing whole is not traded on."""

    def __init__(self, config: Path, url: str) -> None:
        self._command = [sys.executable, "-c", PROGRAM, "run", str(config), "--state", str(config.parent / STATE)]
        self._url = url
        self._environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "KEY": DEFAULT_KEY,
            "SECRET": DEFAULT_SECRET,
        }
        self.start()

    def start(self) -> None:
        silent = subprocess.DEVNULL
        self.process = subprocess.Popen(self._command, env=self._environment, stdout=silent, stderr=silent)

    def until_orders(self, more: int) -> None:
        """Return once the venue has taken so many more orders."""
        count = len(of_accounts(self._url, "orders")) + more
        end_s = time.monotonic() + PATIENCE_S
        while len(of_accounts(self._url, "orders")) < count:
            assert time.monotonic() < end_s, "nothing is placed any more"
            code = self.process.poll()
            assert code in (None, UNREACHABLE), code
            if code is not None:
                self.start()
            # Another process places them, and signals nobody.
            time.sleep(POLL_S)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def residual(url: str) -> Decimal:
    """Return what is held and not offset, as the venue knows it."""
    total = Decimal(0)
    for trade in of_accounts(url, "trades"):
        total += Decimal(trade["qty"]) * (1 if trade["side"] == "buy" else -1)
        total -= Decimal(trade["fee"]) if trade["fee_currency"] == "BTC" else 0
    return total


@pytest.mark.parametrize(("faults", "hedge"), [("none", "maker"), ("heavy", "taker"), ("heavy", "maker")])
def test_killed_ten_times_it_ends_hedged(tmp_path: Path, faults: str, hedge: str) -> None:
    """`kill -9` whenever it pleases, in both modes of hedging; the next run finds all that the last one left."""
    rng = random.Random(f"{hedge} {faults}")
    with venue(faults) as url:
        config = tmp_path / "carry.yaml"
        config.write_text(CONFIG.format(address=url, hedge=hedge), encoding="utf-8")
        program = Program(config, url)
        for _ in range(KILLS):
            program.until_orders(rng.randint(1, 4))
            program.kill()
            program.start()
        asked(url, "faults", "PUT", b'{"on": false}')
        program.until_orders(2)
        program.process.send_signal(signal.SIGTERM)
        code = program.process.wait(PATIENCE_S)

        assert code == 0, "0 is told only by who has proven that nothing stands and all is hedged"
        assert abs(residual(url)) < STEP
        orders, trades = of_accounts(url, "orders"), of_accounts(url, "trades")

    names = [order["client_order_id"] for order in orders]
    assert len(set(names)) == len(names)
    assert {order["status"] for order in orders} <= {"FILLED", "CANCELED", "EXPIRED"}
    turns = list(rest.turns(tmp_path / STATE / JOURNAL_FILE))
    for trade in trades:
        assert explain(turns, trade["client_order_id"]) is not None, trade
