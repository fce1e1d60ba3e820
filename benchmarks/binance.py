"""From the frame of a lead fill on the socket to the bytes of its hedge on the socket, at Binance's emulator.

Ours is the product itself, `hedgerow run`, with the turn on disk in between; the other is ccxt.pro, `watch_my_trades`
to `create_order` with its throttle off, which keeps no record. Each is a process of its own, reaches the emulator over
TLS on loopback, and is measured there, by one clock, where the encrypted bytes leave and come.

Beside it, how long a frame of the private stream takes from its bytes to its events, by itself.

`python -m benchmarks.binance CLIENT SAMPLES` measures one of them and prints one JSON object.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.process import run_module, scratch
from benchmarks.report import Number, Skipped, at_most
from tests.judges.environment import Unavailable, judges_python

ROOT = Path(__file__).parents[1]
SAMPLES, QUICK_SAMPLES, WARM_UP = 400, 60, 20
GOAL_P50_MS, GOAL_RATIO, GOAL_FRAME_US = 1.0, 1 / 3, 10.0
FRAMES, FRAMES_QUICK = 50_000, 5_000
FILL_QTY = Decimal("0.01")
BID, ASK, LEAD_QTY = "60000", "60010", "10"
# Binance takes 300 orders in ten seconds; the next fill comes once the last hedge is settled, and not sooner than that.
PACE_S = 0.04
PATIENCE_S = 30.0
CONFIG = """
accounts:
  binance/spot: {{venue: binance, kind: spot, mode: emulator, key: "env:BINANCE_KEY", secret: "env:BINANCE_SECRET"}}
  binance/usdm: {{venue: binance, kind: usdm, mode: emulator, key: "env:BINANCE_KEY", secret: "env:BINANCE_SECRET"}}
venues:
  binance: {{address: "{url}", ca: "{ca}"}}
books:
  bench:
    policy: mirror
    legs: {{lead: {{account: binance/spot, symbol: BTCUSDT}}, hedge: {{account: binance/usdm, symbol: BTCUSDT}}}}
    qty: {qty}
    max_net_qty: {qty}
    exit: keep
    order_timeout_s: 600
risk: {{max_notional: 100000000, max_residual: 1000000, orders_per_s: 1000}}
"""

# A lead order that is filled in part, as each product tells it. Source: Binance docs, "Payload: Order Update" of spot,
# "Event: Order Update" of USD-M, with every field that they show.
SPOT_FRAME = (
    '{"subscriptionId":0,"event":{"e":"executionReport","E":1799405658658,"s":"BTCUSDT","c":"hr-bench-1-1","S":"BUY",'
    '"o":"LIMIT_MAKER","f":"GTC","q":"10.00000000","p":"60000.00000000","P":"0.00000000","F":"0.00000000","g":-1,"C":"",'
    '"x":"TRADE","X":"PARTIALLY_FILLED","r":"NONE","i":4293153,"l":"0.01000000","z":"0.02000000","L":"60000.00000000",'
    '"n":"0.00001000","N":"BTC","T":1799405658657,"t":77517,"v":3,"I":8641984,"w":false,"m":true,"M":true,'
    '"O":1799405658657,"Z":"1200.00000000","Y":"600.00000000","Q":"0.00000000","W":1799405658657,"V":"NONE"}}'
)
UM_FRAME = (
    '{"e":"ORDER_TRADE_UPDATE","E":1768879465651,"T":1768879465650,"o":{"s":"BTCUSDT","c":"hr-bench-1-2","S":"SELL",'
    '"o":"MARKET","f":"GTC","q":"0.010","p":"0","ap":"60000.0","sp":"0","x":"TRADE","X":"FILLED","i":8886774,"l":"0.010",'
    '"z":"0.010","L":"60000.0","N":"USDT","n":"0.24000000","T":1768879465650,"t":41,"b":"0","a":"0","m":false,"R":false,'
    '"wt":"CONTRACT_PRICE","ot":"MARKET","ps":"BOTH","cp":false,"pP":false,"si":0,"ss":0,"rp":"0","V":"EXPIRE_MAKER",'
    '"pm":"NONE","gtd":0,"er":"0"}}'
)


class Measured(msgspec.Struct, frozen=True):
    """One client's run."""

    samples_ms: tuple[float, ...]


def run(quick: bool, samples: int = 0) -> Sequence[Number | Skipped]:
    """Measure what a frame takes, then both clients, ours first."""
    count = samples or (QUICK_SAMPLES if quick else SAMPLES)
    ours = _measured("hedgerow", count)
    what = "fill frame to hedge bytes on the socket, Binance's emulator"
    durable, bare = f"{what}, turn durable between", f"{what}, ccxt.pro without throttle, nothing durable"
    numbers: list[Number | Skipped] = [
        *frames(FRAMES_QUICK if quick else FRAMES),
        at_most("binance/p50", durable, "ms", statistics.median(ours), GOAL_P50_MS),
        at_most("binance/p99", durable, "ms", _p99(ours)),
    ]
    try:
        judges_python()
    except Unavailable as error:
        return [*numbers, Skipped("binance/ccxt", str(error))]
    theirs = _measured("ccxt", count)
    ratio = statistics.median(ours) / statistics.median(theirs)
    return [
        *numbers,
        at_most("binance/ccxt/p50", bare, "ms", statistics.median(theirs)),
        at_most("binance/ccxt/p99", bare, "ms", _p99(theirs)),
        at_most("binance/ratio", "ours ÷ ccxt.pro's, p50", "×", ratio, GOAL_RATIO),
    ]


def frames(count: int) -> list[Number]:
    """Measure how long the frame of a fill takes from its bytes to its events."""
    from hedgerow.venues.wire.binance.frames import private_frame, told
    from hedgerow.venues.wire.binance.kinds import Product

    numbers = []
    for product, text in ((Product.SPOT, SPOT_FRAME), (Product.UM, UM_FRAME)):
        raw, seen, took_ns = text.encode(), _watch(product), []
        for number in range(count):
            started_ns = time.perf_counter_ns()
            events = told(private_frame(raw), seen, number)
            took_ns.append(time.perf_counter_ns() - started_ns)
            assert len(events) == 2, events
        what = f"frame of a fill to its events, {product.value}"
        numbers.append(
            at_most(f"binance/frame/{product.value}", what, "µs", statistics.median(took_ns) / 1e3, GOAL_FRAME_US)
        )
    return numbers


def _watch(product: Any) -> Any:
    from hedgerow.model.ids import AccountId, LegId, VenueId
    from hedgerow.model.instrument import FeeCurrency, Instrument
    from hedgerow.venues.wire.binance.kinds import INSTRUMENT_KINDS, Watch, instrument_id

    venue_id = VenueId("binance")
    instrument = Instrument(
        instrument_id(venue_id, "BTCUSDT", product),
        venue_id,
        INSTRUMENT_KINDS[product],
        "BTC",
        "USDT",
        Decimal("0.1"),
        Decimal("0.001"),
        Decimal("0.001"),
        fee_currency=FeeCurrency.QUOTE if product.is_futures else FeeCurrency.RECEIVED,
    )
    return Watch(AccountId("binance/main"), LegId("lead"), instrument, "BTCUSDT", product)


def _measured(client: str, count: int) -> tuple[float, ...]:
    return run_module("benchmarks.binance", [client, str(count)], Measured).samples_ms


def _p99(samples: Sequence[float]) -> float:
    return sorted(samples)[int(0.99 * (len(samples) - 1))]


class Sockets:
    """Notes when a lead fill is written to a socket, and when the first bytes of a hedge were read from one.

    Both are the encrypted bytes: what the emulator itself needs before and after is nobody's time.
    """

    def __init__(self) -> None:
        self.filled_ns = 0
        self.hedged = asyncio.Event()
        self.hedged_ns = 0
        self._is_filling = False
        self._read_ns = 0

    def watch(self) -> None:
        """Stand around TLS, in this process: outside of it are the times, inside is what they are times of."""
        from asyncio.selector_events import _SelectorSocketTransport as Transport
        from asyncio.sslproto import SSLProtocol

        from aiohttp import web
        from aiohttp.web_protocol import RequestHandler

        send, write = web.WebSocketResponse.send_str, Transport.write
        decrypt, read = SSLProtocol.buffer_updated, RequestHandler.data_received

        async def send_str(socket: web.WebSocketResponse, text: str, compress: int | None = None) -> None:
            # A frame of this size is encrypted and written before anything else is.
            self._is_filling = '"e":"executionReport"' in text and '"x":"TRADE"' in text
            await send(socket, text, compress)

        def written(transport: Any, data: Any) -> None:
            if self._is_filling:
                self._is_filling, self.filled_ns = False, time.perf_counter_ns()
            write(transport, data)

        def buffer_updated(tls: SSLProtocol, size: int) -> None:
            self._read_ns = time.perf_counter_ns()
            decrypt(tls, size)

        def data_received(handler: RequestHandler[Any], data: bytes) -> None:
            if data.startswith(b"POST ") and b"/fapi/v1/order" in data[:64]:
                self.hedged_ns = self._read_ns
                self.hedged.set()
            read(handler, data)

        web.WebSocketResponse.send_str = send_str  # type: ignore[method-assign]
        RequestHandler.data_received = data_received  # type: ignore[method-assign]
        Transport.write = written
        SSLProtocol.buffer_updated = buffer_updated


async def measure(client: str, count: int, folder: Path) -> tuple[float, ...]:
    """Run the emulator here and the client beside it, and return its times in ms."""
    from hedgerow.emulators.binance.customers import DEFAULT_KEY, DEFAULT_SECRET, Customer
    from hedgerow.emulators.binance.server import Emulator
    from hedgerow.emulators.tls import CA_FILE, server_context

    sockets = Sockets()
    sockets.watch()
    rich = {kind: {"USDT": Decimal(10_000_000)} for kind in ("spot", "usdm")}
    customer = Customer(name="main", key=DEFAULT_KEY, secret=DEFAULT_SECRET, balances=rich)
    async with Emulator(is_still=True, customers=[customer], tls=server_context(folder, ["*.binance.com"])) as emulator:
        for product, depth in (("spot", "0.001"), ("usdm", "100000")):
            _control(emulator, "show", product=product, bids=[(BID, depth)], asks=[(ASK, "100000")])
        keys = {"BINANCE_KEY": DEFAULT_KEY, "BINANCE_SECRET": DEFAULT_SECRET}
        command = _command(client, folder, emulator.url, folder / CA_FILE)
        with (folder / "client.txt").open("w") as output:
            process = await asyncio.create_subprocess_exec(
                *command, cwd=ROOT, env={**os.environ, **keys}, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            await asyncio.wait_for(_lead_rests(emulator), PATIENCE_S)
            # What others had there before the lead order.
            _control(emulator, "trade", product="spot", price=BID, qty="0.001", side="SELL")
            samples = [await _sample(emulator, sockets) for _ in range(WARM_UP + count)]
        finally:
            process.terminate()
            # It takes its order back, and needs the emulator for that.
            await process.wait()
        hedged = sum(Decimal(row["qty"]) for row in _orders(emulator, "usdm"))
        assert abs(hedged - FILL_QTY * len(samples)) <= FILL_QTY, (hedged, (folder / "client.txt").read_text())
    return tuple(samples[WARM_UP:])


def _command(client: str, folder: Path, url: str, ca: Path) -> list[str]:
    if client == "ccxt":
        return [str(judges_python()), "-m", "benchmarks.binance_ccxt", url.rpartition(":")[2], str(ca), LEAD_QTY, BID]
    config = folder / "bench.yaml"
    config.write_text(CONFIG.format(url=url, ca=ca, qty=LEAD_QTY))
    return [sys.executable, "-m", "hedgerow", "run", str(config)]


def _control(emulator: Any, name: str, **body: object) -> None:
    emulator.control.answer("POST", name, msgspec.json.encode({"symbol": "BTCUSDT", **body}))


def _orders(emulator: Any, kind: str) -> list[dict[str, Any]]:
    (account,) = (row for row in emulator.venue.truth()["accounts"] if row["kind"] == kind)
    return list(account["orders"])


async def _lead_rests(emulator: Any) -> None:
    while not _orders(emulator, "spot"):  # noqa: ASYNC110 - it happens inside the emulator, which signals nobody.
        await asyncio.sleep(0.05)


async def _sample(emulator: Any, sockets: Sockets) -> float:
    """Let others fill a part of the lead order, and return how long its hedge took, in ms."""
    sockets.hedged.clear()
    _control(emulator, "trade", product="spot", price=BID, qty=str(FILL_QTY), side="SELL")
    await asyncio.wait_for(sockets.hedged.wait(), PATIENCE_S)
    took_ms = (sockets.hedged_ns - sockets.filled_ns) / 1e6
    await asyncio.sleep(PACE_S)
    return took_ms


def main() -> None:
    """Measure one client, and print its times."""
    client, count = sys.argv[1], int(sys.argv[2])
    with scratch() as folder:
        print(msgspec.json.encode(Measured(asyncio.run(measure(client, count, Path(folder))))).decode())


if __name__ == "__main__":
    main()
