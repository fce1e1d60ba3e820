"""HTTP requests, each sent once. Nothing here sends anything a second time, follows anything, or guesses.

An error before the first byte was written means that nothing left; after it, nobody knows. aiohttp opens connections
and parses answers; what leaves is written here: its own way there takes longer than a commit to the disk, and it would
send GET, PUT and DELETE a second time when a connection is dropped.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import ssl
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from hedgerow import __version__
from hedgerow.model.reach import Reach
from hedgerow.venues.transport.addresses import Addresses
from hedgerow.venues.transport.errands import Begun
from hedgerow.venues.transport.line import SWITCHING_PROTOCOLS, Line
from hedgerow.venues.transport.socket import Socket
from hedgerow.venues.wire.request import HttpAnswer, HttpRequest, Lane

if TYPE_CHECKING:
    import aiohttp

# Below any venue's own, so that we end a quiet connection before the venue does: a request on one that is just being
# closed has no outcome.
KEEPALIVE_S = 15
# The connection that is kept open for orders is replaced when it was quiet for so long, and looked after so often.
FRESH_S, CHECK_S = 8, 5
CONNECT_S = 5
# Binance answers within 10 s or says itself that it does not know; a second for the way.
ANSWER_S = 11
# Streams count among them, two or three for each leg; requests are bounded by the limits of the venue.
CONNECTIONS_MAX = 1_000
_HTTP = {"ws": "http", "wss": "https"}
# Of an error's text; more tells people nothing new.
TEXT_LEN = 200


class NotSent(Exception):
    """It is certain that not a byte of the request left."""


class Unanswered(Exception):
    """Some of the request left, and no whole answer came: the venue may have done what was asked."""


class Got(msgspec.Struct, frozen=True):
    """A whole answer."""

    answer: HttpAnswer
    headers: Mapping[str, str]
    "By name in any case."


class Unsecured(ValueError):
    """The certificates that were named cannot be used. The text is for the operator."""


class _Place:
    """Where a name of a host leads, and the connections there on which nothing is asked."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.path = parts.path
        # No packed answers are asked for: one in plain bytes is whole or is not.
        self.head = f"Host: {parts.netloc}\r\nUser-Agent: hedgerow/{__version__}\r\nAccept: */*\r\n"
        self.is_opening = False
        "A connection is being opened to be kept."
        self.is_wanted = asyncio.Event()
        "The last connection was taken."


class Http:
    """The connections to one set of addresses."""

    def __init__(self, addresses: Addresses, ca: str | None = None, proxy: str | None = None) -> None:
        """Take what can be reached. Nothing is opened yet.

        Args:
            ca: a PEM file with the only authorities that are trusted; None trusts those of the system.
            proxy: address of an HTTP proxy for everything that is encrypted.

        Raises:
            Unsecured: the file cannot be used.
        """
        self.addresses = addresses
        try:
            self._tls = ssl.create_default_context(cafile=ca)
        except (OSError, ssl.SSLError) as error:
            raise Unsecured(f"{ca}: no certificates can be read from it: {error}") from error
        self._proxy = proxy
        self._connector: aiohttp.TCPConnector | None = None
        self._places: dict[str, _Place] = {}
        self._idle: dict[str, list[tuple[float, Line]]] = {}
        "Origin -> (since when, connection), the longest idle first. Names of hosts may lead to the same."
        self._busy: set[Line] = set()

    async def close(self) -> None:
        """End every connection."""
        for line in (*self._busy, *(line for idle in self._idle.values() for _, line in idle)):
            line.close()
        self._busy.clear()
        self._idle.clear()
        if self._connector is not None:
            await self._connector.close()
            self._connector = None

    def ask(self, request: HttpRequest) -> Begun[Got]:
        """Send a request, once, and return what waits for the whole answer.

        Where a connection is open, every byte has left when this returns; else one is opened first.

        Raises:
            NotSent: nothing left. Also raised by what this returns.
            Unanswered: by what this returns: it may have been done.
        """
        if self.addresses.reach is Reach.PAPER:
            # Orders, cancels and all that an account can be asked for are signed, or name a key.
            assert request.method == "GET", request.path
            assert not request.is_signed, request.path
            assert not any(name.upper() == "X-MBX-APIKEY" for name, _ in request.headers), request.path
        place = self._place(request.host)
        raw = _raw(request, place)
        line = self._taken(place, request.lane)
        if line is None:
            return Begun(partial(self._asked_anew, place, raw))
        line.send(raw)
        return Begun(partial(self._answered, place, line))

    async def keep_open(self, host: str) -> None:
        """See to it that an order for a host finds an open connection: a new one costs it three ways there and back."""
        place = self._place(host)
        while True:
            if not place.is_opening and not self._has_fresh(place):
                place.is_opening = True
                try:
                    # One that cannot be opened now is tried again; who needs it meanwhile is told why there is none.
                    with contextlib.suppress(NotSent):
                        self._put_back(place, await self._opened(place))
                finally:
                    place.is_opening = False
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECK_S):
                    await place.is_wanted.wait()
            place.is_wanted.clear()

    # Connections.

    def _place(self, host: str) -> _Place:
        place = self._places.get(host)
        if place is None:
            place = self._places[host] = _Place(self.addresses[host])
        return place

    def _has_fresh(self, place: _Place) -> bool:
        """Return whether a connection there will be good for a while; those that are not any more are ended."""
        idle = self._idle.setdefault(place.origin, [])
        now_s = time.monotonic()
        for entry in [entry for entry in idle if now_s - entry[0] > KEEPALIVE_S or not entry[1].is_open]:
            idle.remove(entry)
            entry[1].close()
        return bool(idle) and now_s - idle[-1][0] < FRESH_S

    def _taken(self, place: _Place, lane: Lane) -> Line | None:
        """Return an open connection: for orders the one that was used last, since the last one is kept for them."""
        idle = self._idle.setdefault(place.origin, [])
        which, kept_len = (0, 1) if lane is Lane.QUERY else (-1, 0)
        until_s = time.monotonic() - KEEPALIVE_S
        found = None
        while found is None and len(idle) > kept_len:
            since_s, line = idle.pop(which)
            if since_s >= until_s and line.is_ready:
                found = line
                self._busy.add(line)
            else:
                line.close()
        if not idle:
            place.is_wanted.set()
        return found

    def _put_back(self, place: _Place, line: Line) -> None:
        """Let others have a connection, if it is still good."""
        self._busy.discard(line)
        if self._connector is not None and line.is_open:
            self._idle.setdefault(place.origin, []).append((time.monotonic(), line))
        else:
            line.close()

    async def _opened(self, place: _Place) -> Line:
        """Return a new connection. Raises NotSent."""
        import aiohttp
        import yarl

        if self._connector is None:
            self._connector = aiohttp.TCPConnector(ssl=self._tls, limit=CONNECTIONS_MAX, ttl_dns_cache=60)
        try:
            # Never sent: it says where to, and through what.
            where = aiohttp.ClientRequest(
                "GET",
                yarl.URL(place.origin),
                loop=asyncio.get_running_loop(),
                proxy=yarl.URL(self._proxy) if self._proxy and place.origin.startswith("https:") else None,
            )
            timeout = aiohttp.ClientTimeout(sock_connect=CONNECT_S, connect=CONNECT_S)
            connection = await self._connector.connect(where, [], timeout)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise NotSent(told(error)) from error
        if connection.closed:
            connection.close()
            raise NotSent("the connection was lost before anything was written")
        line = Line(connection)
        self._busy.add(line)
        return line

    # Asking.

    async def _asked_anew(self, place: _Place, raw: bytes) -> Got:
        line = await self._opened(place)
        line.send(raw)
        return await self._answered(place, line)

    async def _answered(self, place: _Place, line: Line) -> Got:
        try:
            async with asyncio.timeout(ANSWER_S):
                message, body = await line.answer()
        except BaseException as error:
            # A cancel is one as well. The answer may still come, and would be taken for that of the next request.
            self._part(line)
            if isinstance(error, _failures()):
                raise Unanswered(told(error)) from error
            raise
        self._put_back(place, line)
        return Got(HttpAnswer(message.code, body, _seconds(message.headers.get("Retry-After", ""))), message.headers)

    # Sockets.

    async def open_socket(self, url: str) -> Socket:
        """Return an open websocket. Raises NotSent: it could not be opened."""
        assert any(url.startswith(address) for address in self.addresses.all), "an address that this account has not"
        parts = urlsplit(url)
        place = _Place(f"{_HTTP[parts.scheme]}://{parts.netloc}")
        key = base64.b64encode(os.urandom(16)).decode()
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        line = await self._opened(place)
        try:
            line.send(_upgrade(target, place, key))
            async with asyncio.timeout(ANSWER_S):
                await _agreed(line, key)
        except BaseException as error:
            # A cancel is one as well.
            self._part(line)
            if isinstance(error, NotSent) or not isinstance(error, _failures()):
                raise
            raise NotSent(told(error)) from error
        return Socket(line, self._part)

    def _part(self, line: Line) -> None:
        self._busy.discard(line)
        line.close()


async def _agreed(line: Line, key: str) -> None:
    """Return once the venue has agreed to speak websocket. Raises NotSent, and what the network may raise."""
    from websockets.utils import accept_key

    message = await line.switched()
    head = message.headers
    if message.code != SWITCHING_PROTOCOLS:
        raise NotSent(f"the venue answered {message.code} and opened no stream")
    is_websocket = head.get("Upgrade", "").lower() == "websocket" and "upgrade" in head.get("Connection", "").lower()
    if not is_websocket or head.get("Sec-WebSocket-Accept", "") != accept_key(key):
        raise NotSent("the venue opened something that is no websocket")


def _upgrade(target: str, place: _Place, key: str) -> bytes:
    return (
        f"GET {target} HTTP/1.1\r\n{place.head}Upgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    ).encode("ascii")


def _failures() -> tuple[type[Exception], ...]:
    """Return what the network may raise."""
    import aiohttp
    from aiohttp.http_exceptions import HttpProcessingError

    return (aiohttp.ClientError, aiohttp.EofStream, HttpProcessingError, OSError, TimeoutError, ValueError)


def _raw(request: HttpRequest, place: _Place) -> bytes:
    """Return a request as it stands on the wire. Raises NotSent: a part of it would end its line."""
    first, body = f"{request.method} {place.path}{request.target} HTTP/1.1", request.body.encode()
    fields = [f"{name}: {value}" for name, value in request.headers]
    if body or request.method in ("POST", "PUT"):
        fields.append(f"Content-Length: {len(body)}")
    said = first + "".join(fields)
    if not said.isascii() or not said.isprintable():
        raise NotSent("a request with characters that no request may have")
    rest = "".join([f"{field}\r\n" for field in fields])
    return f"{first}\r\n{place.head}{rest}\r\n".encode() + body


def _seconds(text: str) -> int:
    """Return a `Retry-After` in seconds, which some proxies write as a date; 0 when it is neither."""
    if not text:
        return 0
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return 0
    from datetime import UTC, datetime

    return max(0, int((when.astimezone(UTC) - datetime.now(UTC)).total_seconds()) + 1)


def told(error: BaseException) -> str:
    """Return an error of the network for people: without addresses of ours, which may hold a signature."""
    import aiohttp
    from aiohttp.http_exceptions import HttpProcessingError

    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"{error.host}:{error.port}: its certificate is not trusted: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        # In its own words stands the proxy's whole address, with a password if there is one.
        proxy = error.request_info.real_url
        return f"the proxy {proxy.host}:{proxy.port} refused: {error.status} {error.message}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"{error.host}:{error.port}: {error.os_error.strerror or error.os_error}"
    text = (error.message if isinstance(error, HttpProcessingError) else str(error)).split("\n")[0]
    name = type(error).__name__
    return f"{name}: {text[:TEXT_LEN]}" if text and "signature=" not in text else name
