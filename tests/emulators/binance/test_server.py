"""The emulator on a real port: hosts, faults of the wire, websockets, TLS."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from hedgerow.emulators.binance.customers import DEFAULT_KEY, DEFAULT_SECRET
from hedgerow.emulators.binance.faults import Fault, Injected
from hedgerow.emulators.binance.server import Emulator
from hedgerow.emulators.tls import CA_FILE, server_context

Session = aiohttp.ClientSession
ORDER = "/fapi/v1/order"


def run(story: Callable[[Emulator, Session], Awaitable[None]], **options: Any) -> Emulator:
    """Play a story against an emulator whose markets stand still."""
    emulator = Emulator(is_still=True, **options)

    async def play() -> None:
        async with emulator, Session(timeout=aiohttp.ClientTimeout(10)) as session:
            await story(emulator, session)

    asyncio.run(play())
    return emulator


def signed(emulator: Emulator, path: str, **params: Any) -> str:
    """Return the signed URL of a request."""
    query = urlencode({"timestamp": emulator.clock.now_ms(), **params})
    made = hmac.new(DEFAULT_SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
    return f"{emulator.url}{path}?{query}&signature={made}"


KEYED = {"X-MBX-APIKEY": DEFAULT_KEY}


async def place(emulator: Emulator, session: Session, name: str = "a") -> tuple[int, str]:
    """Place a small order and return the answer."""
    params = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.010", "newClientOrderId": name}
    async with session.post(signed(emulator, ORDER, **params), headers=KEYED) as answer:
        return answer.status, await answer.text()


def placed(emulator: Emulator) -> int:
    """Return how many futures orders there really are."""
    truth: Any = emulator.venue.truth()
    return sum(len(account["orders"]) for account in truth["accounts"] if account["kind"] == "usdm")


def test_an_order_goes_in_and_its_fill_comes_out() -> None:
    """REST in, websocket out, on one port."""

    async def story(emulator: Emulator, session: Session) -> None:
        async with session.post(f"{emulator.url}/fapi/v1/listenKey", headers=KEYED) as answer:
            key = (await answer.json())["listenKey"]
        async with session.ws_connect(f"{emulator.ws_url}/usdm/private/ws?listenKey={key}") as stream:
            status, _ = await place(emulator, session)
            frames = [await stream.receive_json() for _ in range(4)]

        assert status == 200
        assert [frame["e"] for frame in frames][-1] == "ORDER_TRADE_UPDATE"

    run(story)


@pytest.mark.parametrize(
    ("path", "is_futures"),
    [
        ("/spot/ws/btcusdt@trade", False),
        ("/usdm/ws/btcusdt@trade", True),
        ("/usdm/public/ws/btcusdt@trade", True),
        ("/fstream.binance.com/stream?streams=btcusdt@trade", True),
        ("/stream.binance.com/stream?streams=btcusdt@trade", False),
        ("/stream?streams=btcusdt@trade", False),
        ("/ws/btcusdt@trade", False),
    ],
)
def test_a_path_may_name_the_host(path: str, is_futures: bool) -> None:
    """For clients that are told one URL for each host."""

    async def story(emulator: Emulator, session: Session) -> None:
        async with session.ws_connect(emulator.ws_url + path) as stream:
            for product in ("spot", "usdm"):
                body = {"product": product, "symbol": "BTCUSDT", "price": "60000", "qty": "0.5", "side": "BUY"}
                await session.post(f"{emulator.url}/emulator/trade", json=body)
            row = await stream.receive_json()

        assert ("X" in row.get("data", row)) is is_futures
        assert ("stream" in row) is ("streams=" in path)

    run(story)


@pytest.mark.parametrize(
    ("kind", "status", "orders"),
    [
        (Fault.OVERLOADED, 503, 0),
        (Fault.THROTTLED, 429, 0),
        (Fault.BANNED, 418, 0),
        (Fault.FORBIDDEN, 403, 0),
        (Fault.UNKNOWN_ERROR, 503, 1),
        (Fault.UNEXPECTED_RESPONSE, 500, 1),
        (Fault.WRONG_CODE, 400, 1),
        (Fault.BAD_GATEWAY, 502, 1),
        (Fault.HTML_ANSWER, 200, 1),
        (Fault.EMPTY_ANSWER, 200, 1),
        (Fault.FALSE_NOT_FOUND, 400, 1),
        (Fault.LATE_ANSWER, 200, 1),
        (Fault.LATE_REQUEST, 200, 1),
        (Fault.REPEATED_REQUEST, 200, 2),
    ],
)
def test_an_answer_may_say_anything(kind: Fault, status: int, orders: int) -> None:
    """Whether the order is there is known to the venue alone."""

    async def story(emulator: Emulator, session: Session) -> None:
        emulator.faults.injected.append(Injected(kind, method="POST", seconds=0.01))
        found, _ = await place(emulator, session)
        assert found == status
        assert placed(emulator) == orders

    run(story)


@pytest.mark.parametrize("kind", [Fault.LOST_REQUEST, Fault.LOST_ANSWER, Fault.CUT_ANSWER, Fault.SILENCE])
def test_a_connection_may_end_before_the_answer_does(kind: Fault) -> None:
    """With the order placed or not."""

    async def story(emulator: Emulator, session: Session) -> None:
        emulator.faults.injected.append(Injected(kind, method="POST", seconds=0.01))
        with pytest.raises(aiohttp.ClientError):
            await place(emulator, session)
        assert placed(emulator) == (0 if kind is Fault.LOST_REQUEST else 1)

    run(story)


def test_an_answer_may_be_half_its_json() -> None:
    """Complete by its length."""

    async def story(emulator: Emulator, session: Session) -> None:
        emulator.faults.injected.append(Injected(Fault.HALF_ANSWER, method="POST"))
        status, text = await place(emulator, session)
        assert status == 200
        with pytest.raises(ValueError, match=r"."):
            json.loads(text)

    run(story)


def test_a_timeout_of_the_backend_may_mean_anything() -> None:
    """Done, done later, or never done: over many, each is seen."""

    async def story(emulator: Emulator, session: Session) -> None:
        emulator.faults.injected.append(Injected(Fault.BACKEND_TIMEOUT, count=12, method="POST", seconds=0.001))
        for number in range(12):
            status, text = await place(emulator, session, f"a{number}")
            assert (status, json.loads(text)["code"]) == (408, -1007)

    assert 0 < placed(run(story)) < 12


def test_a_read_may_be_stale() -> None:
    """It answers what it answered before."""

    async def story(emulator: Emulator, session: Session) -> None:
        async def positions() -> Any:
            async with session.get(signed(emulator, "/fapi/v3/positionRisk"), headers=KEYED) as answer:
                return await answer.json()

        await positions()
        await place(emulator, session)
        emulator.faults.injected.append(Injected(Fault.STALE_READ, path="positionRisk"))
        assert [len(await positions()) for _ in range(2)] == [0, 1]

    run(story)


def test_a_handshake_may_be_refused() -> None:
    """The next one is taken."""

    async def story(emulator: Emulator, session: Session) -> None:
        emulator.faults.injected.append(Injected(Fault.REFUSED_STREAM))
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(f"{emulator.ws_url}/usdm/ws")
        async with session.ws_connect(f"{emulator.ws_url}/usdm/ws") as stream:
            await stream.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 1})
            assert await stream.receive_json() == {"result": [], "id": 1}

    run(story)


def test_a_stream_is_cut_without_a_close_frame() -> None:
    """As a network does it."""

    async def story(emulator: Emulator, session: Session) -> None:
        async with session.ws_connect(f"{emulator.ws_url}/usdm/ws") as stream:
            await session.post(f"{emulator.url}/emulator/streams", json={"do": "cut"})
            message = await stream.receive()
            assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
        assert emulator.venue.streams.connections == []

    run(story)


def test_production_urls_reach_it_over_tls(tmp_path: Path) -> None:
    """The client is told nothing but whom to trust and where names lead."""
    context = server_context(tmp_path, ("*.binance.com",))
    again = server_context(tmp_path, ("*.binance.com",))
    trusting = ssl.create_default_context(cafile=str(tmp_path / CA_FILE))

    class Here(aiohttp.abc.AbstractResolver):
        def __init__(self, port: int) -> None:
            self._port = port

        async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[Any]:
            return [{"hostname": host, "host": "127.0.0.1", "port": self._port, "family": 2, "proto": 0, "flags": 0}]

        async def close(self) -> None:
            return None

    async def story(emulator: Emulator, _: Session) -> None:
        connector = aiohttp.TCPConnector(ssl=trusting, resolver=Here(emulator.port))
        async with Session(connector=connector) as session:
            async with session.get("https://fapi.binance.com/fapi/v1/time") as answer:
                assert answer.status == 200
            async with session.ws_connect("wss://fstream.binance.com/ws/btcusdt@bookTicker") as stream:
                assert (await stream.receive_json())["e"] == "bookTicker"

    assert context is not again
    run(story, tls=context)


def test_the_control_endpoint_tells_what_it_can_do() -> None:
    """A wrong order is answered in words, and does nothing."""

    async def story(emulator: Emulator, session: Session) -> None:
        async with session.get(f"{emulator.url}/emulator/") as answer:
            about = await answer.json()
        async with session.post(f"{emulator.url}/emulator/dance") as answer:
            assert answer.status == 400 and "POST /emulator/trade" in (await answer.json())["error"]
        async with session.post(f"{emulator.url}/emulator/advance", json={"minutes": 1}) as answer:
            assert answer.status == 400 and "minutes" in (await answer.json())["error"]
        assert {account["name"] for account in about["accounts"]} == {"main", "second"}
        assert set(about["faults"]) == {kind.value for kind in Fault}

    run(story)


def test_the_guide_names_every_order() -> None:
    """What tests may ask of the emulator is documented."""
    guide = (Path(__file__).parents[3] / "docs" / "guides" / "emulator.md").read_text(encoding="utf-8")
    about: Any = Emulator(is_still=True).control.about()

    assert [name for name in about["orders"] if f"`{name}`" not in guide] == []
