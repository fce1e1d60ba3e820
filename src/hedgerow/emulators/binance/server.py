"""The emulator on a port: HTTP and websockets of all of Binance's hosts, told apart by `Host` header or path."""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
from collections.abc import Callable, Mapping
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path

import msgspec
from aiohttp import WSMsgType, web

from hedgerow.emulators.binance.control import BadOrder, Control
from hedgerow.emulators.binance.customers import Customer, default_customers
from hedgerow.emulators.binance.errors import (
    BACKEND_TIMEOUT,
    TOO_MANY_ORDERS,
    TOO_MANY_REQUESTS,
    UNKNOWN_CANCEL,
    UNKNOWN_ORDER,
)
from hedgerow.emulators.binance.faults import LIES, NOT_DONE, Fault, FaultPlan, Struck
from hedgerow.emulators.binance.floor import Floor
from hedgerow.emulators.binance.limits import area_of
from hedgerow.emulators.binance.orders import Product
from hedgerow.emulators.binance.streams import Connection
from hedgerow.emulators.binance.venue import ENDPOINTS, Answer, Request, Venue, answer_of
from hedgerow.emulators.binance.wsapi import listen, take_api_request, take_stream_request
from hedgerow.emulators.clock import NS_PER_S, EmulatorClock

HOST = "127.0.0.1"
LOOPBACK = frozenset({"127.0.0.1", "::1"})
# Streams are looked after at least as often; depth frames come every 100 ms.
BEAT_S = 0.02
PING_S = {Product.SPOT: 20.0, Product.USDM: 180.0}
PONG_S = {Product.SPOT: 60.0, Product.USDM: 600.0}
_SILENCE_S_MAX = 120.0
_HTML = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr>cloudfront</body></html>"


class Emulator:
    """One emulated Binance on one port of loopback. Use it as an async context manager, or `start` and `stop`."""

    def __init__(
        self,
        *,
        port: int = 0,
        customers: list[Customer] | None = None,
        tapes: Mapping[tuple[Product, str], Path] | None = None,
        speed: Decimal = Decimal(1),
        faults: dict[Fault, int] | None = None,
        seed: int = 42,
        is_still: bool = False,
        post_only_expires: bool = False,
        weights: dict[str, int] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Set it up; nothing listens before `start`.

        Args:
            port: 0 takes any that is free.
            customers: None: two with every account kind.
            tapes: (product, symbol) -> recorded frames; other markets are synthetic.
            speed: times faster than life the markets move; clocks do not.
            faults: kind -> chance per request or frame, in a million.
            is_still: no market moves by itself.
            post_only_expires: a USD-M post-only order that would take is accepted and expires, instead of refused.
            weights: area (`spot`, `sapi`, `usdm`, `portfolio`) -> request weight per minute.

        Raises:
            TapeError: a tape cannot be used.
        """
        self.clock = EmulatorClock()
        self.faults = FaultPlan(seed, faults or {})
        floor = Floor(seed, tapes=tapes, speed=speed, is_still=is_still, post_only_expires=post_only_expires)
        self.venue = Venue(customers or default_customers(), floor, self.clock, self.faults, seed, weights)
        self.control = Control(self.venue)
        self.port = port
        self.failure: Exception | None = None
        "What ended the markets, e.g. a tape that breaks off."
        self._tls = tls
        self._rng = random.Random(f"{seed} server")
        self._runner: web.AppRunner | None = None
        self._markets: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self.ended = asyncio.Event()
        "Set when the tapes have ended, or failed."

    @property
    def url(self) -> str:
        """Base URL of all REST paths."""
        return f"{'http' if self._tls is None else 'https'}://{HOST}:{self.port}"

    @property
    def ws_url(self) -> str:
        """Base URL of streams: `/spot` or `/usdm` follows, or a host of Binance's, then the path."""
        return f"{'ws' if self._tls is None else 'wss'}://{HOST}:{self.port}"

    async def __aenter__(self) -> Emulator:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen, and let the markets move. Raises OSError when the port is taken."""
        app = web.Application(client_max_size=1 << 20)
        app.router.add_route("*", "/{path:.*}", self._take)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, self.port, ssl_context=self._tls)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self._markets = asyncio.create_task(self._move())

    async def stop(self) -> None:
        """Cut every connection and stop."""
        for connection in list(self.venue.streams.connections):
            connection.close()
        if self._markets is not None:
            self._markets.cancel()
            await asyncio.gather(self._markets, return_exceptions=True)
        for timer in self._timers:
            timer.cancel()
        for task in list(self._tasks):
            task.cancel()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _move(self) -> None:
        try:
            while True:
                due_ns = self.venue.play()
                if self.venue.floor.is_at_end:
                    self.ended.set()
                wait_s = BEAT_S if due_ns is None else (due_ns - self.clock.now_ns()) / NS_PER_S
                await asyncio.sleep(min(max(wait_s, 0.0005), BEAT_S))
        except Exception as error:
            # A tape that breaks off: told by whoever started this.
            self.failure = error
            self.ended.set()

    # Requests

    async def _take(self, request: web.Request) -> web.StreamResponse:
        raw_path, _, query = request.raw_path.partition("?")
        host, path = _host_and_path(request.host, raw_path)
        if path.startswith("/emulator"):
            return await self._control(request, path)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._websocket(request, host, path, query)
        body = (await request.read()).decode("utf-8", "replace")
        asked = Request(
            request.method, path, query, body, request.headers.get("X-MBX-APIKEY", ""), request.remote or ""
        )
        return await self._answer(request, asked)

    async def _control(self, request: web.Request, path: str) -> web.Response:
        if request.remote not in LOOPBACK:
            return web.json_response({"error": "only from this machine"}, status=403)
        try:
            row = self.control.answer(request.method, path.removeprefix("/emulator").strip("/"), await request.read())
        except BadOrder as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.Response(body=msgspec.json.encode(row), content_type="application/json")

    async def _answer(self, request: web.Request, asked: Request) -> web.StreamResponse:
        customer = self.venue.customers.get(asked.key)
        struck = None
        # Only what belongs to an account is struck: clients read public facts once, at their start.
        if customer is not None and (asked.method, asked.path) in ENDPOINTS:
            struck = self.faults.for_request(customer.name, asked.method, asked.path)
        if struck is None:
            return _response(self.venue.answer(asked))
        return await self._struck(request, asked, struck)

    async def _struck(self, request: web.Request, asked: Request, struck: Struck) -> web.StreamResponse:
        kind = struck.kind
        if kind is Fault.LOST_REQUEST:
            return _reset(request)
        if kind is Fault.FORBIDDEN:
            return _page(403, "403 Forbidden")
        if kind is Fault.THROTTLED:
            is_order = area_of(asked.path) != "sapi" and asked.method == "POST" and asked.path.endswith("/order")
            return _response(answer_of(TOO_MANY_ORDERS if is_order else TOO_MANY_REQUESTS))
        if (refused := NOT_DONE.get(kind)) is not None:
            return _response(answer_of(refused))
        if kind is Fault.STALE_READ:
            stale = self.venue.last_read(asked)
            found = self.venue.answer(asked)
            return _response(found if stale is None else msgspec.structs.replace(found, body=stale))
        if kind is Fault.LATE_REQUEST:
            await asyncio.sleep(struck.seconds)
        if kind is Fault.BACKEND_TIMEOUT:
            if struck.part < 0.5:
                self.venue.answer(asked)
            elif struck.part < 0.75:
                # Its window was looked at when it came; the matching gets it later all the same.
                arrived_ns = self.clock.now_ns()
                self._after(struck.seconds, lambda: self.venue.answer(asked, arrived_ns=arrived_ns))
            return _response(answer_of(BACKEND_TIMEOUT))
        answer = self.venue.answer(asked)
        if kind is Fault.REPEATED_REQUEST:
            answer = self.venue.answer(asked)
        return await self._bent(request, asked, struck, answer)

    async def _bent(self, request: web.Request, asked: Request, struck: Struck, answer: Answer) -> web.StreamResponse:
        """Answer what was done with something that does not say so, or too late, or not at all."""
        match struck.kind:
            case Fault.LATE_ANSWER:
                await asyncio.sleep(struck.seconds)
            case Fault.LOST_ANSWER:
                return _reset(request)
            case Fault.SILENCE:
                await asyncio.sleep(min(struck.seconds, _SILENCE_S_MAX))
                return _reset(request)
            case Fault.CUT_ANSWER:
                return _cut(request, answer, struck.part)
            case Fault.HALF_ANSWER:
                body = answer.body[: int(struck.part * len(answer.body))]
                return _response(msgspec.structs.replace(answer, status=200, body=body))
            case Fault.EMPTY_ANSWER:
                return _response(msgspec.structs.replace(answer, status=200, body=b""))
            case Fault.HTML_ANSWER:
                return _page(200, "Please wait")
            case Fault.BAD_GATEWAY:
                return _page(502, "502 Bad Gateway")
            case Fault.FALSE_NOT_FOUND:
                return _response(answer_of(UNKNOWN_CANCEL if asked.method == "DELETE" else UNKNOWN_ORDER))
            case _ if struck.kind in LIES:
                return _response(answer_of(LIES[struck.kind]))
            case _:
                # The other kinds strike on the way, before or after the answer is made, or on streams.
                pass
        return _response(answer)

    def _after(self, seconds: float, call: Callable[[], object]) -> None:
        timers = self._timers

        def fire() -> None:
            timers.discard(timer)
            call()

        timer = asyncio.get_running_loop().call_later(seconds, fire)
        timers.add(timer)

    # Streams

    async def _websocket(self, request: web.Request, host: str, path: str, query: str) -> web.StreamResponse:
        if self.faults.for_handshake():
            return _page(503, "503 Service Unavailable")
        product, is_api, path = _stream_place(host, path)
        socket = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=1 << 20)
        await socket.prepare(request)
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        transport = request.transport

        def close() -> None:
            if connection in self.venue.streams.connections:
                self.venue.streams.connections.remove(connection)
            if transport is not None:
                transport.abort()

        connection = Connection(
            product,
            queue.put_nowait,
            close,
            self._after,
            self.faults,
            self.clock,
            is_combined=path.startswith("/stream"),
        )
        for name in _streams_of(path, query):
            listen(self.venue, connection, name)
        self.venue.streams.connections.append(connection)
        tasks = [asyncio.create_task(_write(socket, queue)), asyncio.create_task(self._ping(socket, connection))]
        self._tasks.update(tasks)
        try:
            await self._read(socket, connection, request.remote or "", is_api=is_api)
        finally:
            for task in tasks:
                task.cancel()
                self._tasks.discard(task)
            if connection in self.venue.streams.connections:
                self.venue.streams.connections.remove(connection)
        return socket

    async def _read(self, socket: web.WebSocketResponse, connection: Connection, address: str, *, is_api: bool) -> None:
        async for message in socket:
            match message.type:
                case WSMsgType.PING:
                    await socket.pong(message.data)
                case WSMsgType.PONG:
                    connection.heard_ns = self.clock.now_ns()
                case WSMsgType.TEXT if is_api:
                    take_api_request(self.venue, connection, message.data, address)
                case WSMsgType.TEXT if connection.is_too_often(self.clock.now_ns()):
                    connection.close()
                case WSMsgType.TEXT:
                    take_stream_request(self.venue, connection, message.data)
                case _:
                    # Pings, pongs and the close are aiohttp's own affair; binary frames are no part of this protocol.
                    pass

    async def _ping(self, socket: web.WebSocketResponse, connection: Connection) -> None:
        product = connection.product
        with contextlib.suppress(ConnectionError):
            while True:
                await asyncio.sleep(PING_S[product])
                await socket.ping(str(self.clock.now_ms()).encode())
                if self.clock.now_ns() - connection.heard_ns > (PING_S[product] + PONG_S[product]) * NS_PER_S:
                    connection.close()


async def _write(socket: web.WebSocketResponse, queue: asyncio.Queue[bytes | None]) -> None:
    with contextlib.suppress(ConnectionError):
        while (body := await queue.get()) is not None:
            await socket.send_str(body.decode("ascii", "replace"))


def _host_and_path(host: str, path: str) -> tuple[str, str]:
    """Return (which of Binance's hosts is meant, the path there): a first part of the path may name the host."""
    first, _, rest = path[1:].partition("/")
    if first.endswith(".binance.com") or first in _PREFIXES:
        return _PREFIXES.get(first, first), f"/{rest}"
    return host.partition(":")[0], path


_PREFIXES = {"spot": "stream.binance.com", "usdm": "fstream.binance.com", "portfolio": "fstream.binance.com"}
_FUTURES_PLACES = frozenset({"public", "market", "private", "pm"})


def _stream_place(host: str, path: str) -> tuple[Product, bool, str]:
    """Return (product, whether it is the websocket API, the path without what names a kind of streams)."""
    is_futures = host.startswith(("fstream", "fapi", "ws-fapi", "papi"))
    if path.startswith("/ws-fapi"):
        return Product.USDM, True, path
    if path.startswith("/ws-api"):
        return Product.SPOT, True, path
    first, _, rest = path[1:].partition("/")
    if first in _FUTURES_PLACES:
        return Product.USDM, False, f"/{rest}"
    return Product.USDM if is_futures else Product.SPOT, False, path


def _streams_of(path: str, query: str) -> list[str]:
    """Return the streams that a stream's URL names: in its path, in `streams`, or in `listenKey`."""
    names = [name for name in path.removeprefix("/ws").split("/") if name] if path.startswith("/ws/") else []
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name == "streams":
            names += [each for each in value.replace("%2F", "/").replace("%40", "@").split("/") if each]
        elif name == "listenKey" and value:
            names.append(value)
    return names


def _response(answer: Answer) -> web.Response:
    return web.Response(
        status=answer.status,
        body=answer.body,
        headers={"Content-Type": "application/json;charset=UTF-8", **answer.headers},
    )


def _page(status: int, title: str) -> web.Response:
    return web.Response(status=status, text=_HTML.format(title), content_type="text/html")


def _reset(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _cut(request: web.Request, answer: Answer, part: float) -> web.Response:
    """Send an answer as far as any of its bytes, the status line included, and end the connection."""
    head = f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n"
    head += f"Content-Type: application/json;charset=UTF-8\r\nContent-Length: {len(answer.body)}\r\n\r\n"
    whole = head.encode() + answer.body
    if request.transport is not None:
        request.transport.write(whole[: int(part * len(whole))])
        request.transport.close()
    return web.Response()
