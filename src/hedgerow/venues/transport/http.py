"""HTTP requests, each sent once. Nothing here sends anything a second time, follows anything, or guesses.

An error before the first byte was written means that nothing left; after it, nobody knows.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec

from hedgerow import __version__
from hedgerow.model.reach import Reach
from hedgerow.venues.transport.addresses import Addresses
from hedgerow.venues.wire.request import HttpAnswer, HttpRequest

if TYPE_CHECKING:
    import aiohttp

# Below any venue's own, so that we end a quiet connection before the venue does: a request on one that is just being
# closed has no outcome.
KEEPALIVE_S = 15
CONNECT_S = 5
# Binance answers within 10 s or says itself that it does not know; a second for the way.
ANSWER_S = 11
# The longest answers, all instruments of a venue, have a tenth of that.
BODY_MAX = 64 * 1024 * 1024
# Streams count among them, two or three for each leg; requests are bounded by the limits of the venue.
CONNECTIONS_MAX = 1_000
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


class Http:
    """One session for one set of addresses."""

    def __init__(self, addresses: Addresses, ca: str | None = None, proxy: str | None = None) -> None:
        """Take what can be reached. Nothing is opened yet.

        Args:
            ca: a PEM file with the only authorities that are trusted; None trusts those of the system.
            proxy: address of an HTTP proxy for everything.

        Raises:
            Unsecured: the file cannot be used.
        """
        self.addresses = addresses
        try:
            self._tls = ssl.create_default_context(cafile=ca)
        except (OSError, ssl.SSLError) as error:
            raise Unsecured(f"{ca}: no certificates can be read from it: {error}") from error
        self._proxy = proxy
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """End every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def ask(self, request: HttpRequest) -> Got:
        """Send a request, once, and return the whole answer.

        Raises:
            NotSent: nothing left.
            Unanswered: it may have been done.
        """
        import aiohttp
        import yarl

        if self.addresses.reach is Reach.PAPER:
            # Orders, cancels and all that an account can be asked for are signed, or name a key.
            assert request.method == "GET", request.path
            assert not request.is_signed, request.path
            assert not any(name.upper() == "X-MBX-APIKEY" for name, _ in request.headers), request.path
        session = self._opened()
        url = yarl.URL(self.addresses[request.host] + request.target, encoded=True)
        left = SimpleNamespace(is_written=False)
        try:
            async with session.request(
                request.method,
                url,
                data=request.body.encode() if request.body else None,
                headers=request.headers,
                # Following would send the order again, to somewhere else.
                allow_redirects=False,
                proxy=self._proxy,
                trace_request_ctx=left,
            ) as response:
                body = await _whole(response)
                wait_s = _seconds(response.headers.get("Retry-After", ""))
                return Got(HttpAnswer(response.status, body, wait_s), response.headers)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            text = told(error)
            if left.is_written:
                raise Unanswered(text) from error
            raise NotSent(text) from error

    async def open_socket(self, url: str) -> aiohttp.ClientWebSocketResponse[Any]:
        """Return an open websocket whose frames are bytes.

        Raises:
            NotSent: it could not be opened.
        """
        import aiohttp

        assert any(url.startswith(address) for address in self.addresses.all), "an address that this account has not"
        timeout = aiohttp.ClientWSTimeout(ws_close=1)
        try:
            return await self._opened().ws_connect(
                url, autoping=False, decode_text=False, timeout=timeout, proxy=self._proxy
            )
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise NotSent(told(error)) from error

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            import aiohttp

            trace = aiohttp.TraceConfig()
            trace.on_request_headers_sent.append(_note_written)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    ssl=self._tls, keepalive_timeout=KEEPALIVE_S, limit=CONNECTIONS_MAX, ttl_dns_cache=60
                ),
                timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_S, connect=CONNECT_S, total=ANSWER_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": f"hedgerow/{__version__}"},
                # An answer in plain bytes is whole or is not; a packed one needs more luck, and more time.
                skip_auto_headers=("Accept-Encoding", "Content-Type"),
                middlewares=(_once,),
                trace_configs=[trace],
            )
        return self._session


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Let a dropped connection be an error: the library would send GET, PUT and DELETE a second time."""
    import aiohttp

    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientPayloadError(f"the connection was dropped: {told(error)}") from error


async def _note_written(session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
    """Called right before the first byte."""
    if context.trace_request_ctx is not None:
        context.trace_request_ctx.is_written = True


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := await response.content.readany():
        size += len(part)
        if size > BODY_MAX:
            raise ValueError(f"the answer is longer than {BODY_MAX} bytes")
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


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

    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"{error.host}:{error.port}: its certificate is not trusted: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"{error.host}:{error.port}: {error.os_error.strerror or error.os_error}"
    text = str(error).split("\n")[0]
    name = type(error).__name__
    return f"{name}: {text[:TEXT_LEN]}" if text and "signature=" not in text else name
