"""HTTP requests: each once, and what is known of it when no answer comes."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import aiohttp
import pytest

from hedgerow.emulators.tls import server_context
from hedgerow.model.reach import Reach
from hedgerow.venues.transport import http
from hedgerow.venues.transport.addresses import Addresses
from hedgerow.venues.transport.http import Got, Http, NotSent, Unanswered, Unsecured
from hedgerow.venues.wire.request import HttpRequest
from tests.venues.transport.peer import OK, Act, Peer, answer, answer_and_close, drop, request, say_nothing

METHODS = ("GET", "POST", "PUT", "DELETE")


def asked(peer: Peer, *requests: HttpRequest) -> list[Got | Exception]:
    """Return what became of requests that were asked one after the other in one session."""

    async def work() -> list[Got | Exception]:
        async with peer:
            session = Http(peer.addresses)
            outcomes: list[Got | Exception] = []
            for each in requests:
                try:
                    outcomes.append(await session.ask(each))
                except (NotSent, Unanswered) as error:
                    outcomes.append(error)
            await session.close()
            return outcomes

    return asyncio.run(work())


@pytest.mark.parametrize("method", METHODS)
def test_a_request_on_a_connection_that_is_dropped_is_not_sent_again(method: str) -> None:
    """The venue may have done it: a second PUT would change an order twice, a second DELETE would tell a lie."""
    peer = Peer(answer(OK), drop)

    first, second = asked(peer, request(), request(method))

    assert isinstance(first, Got)
    assert isinstance(second, Unanswered)
    assert peer.lines[1:] == [f"{method} /order HTTP/1.1".encode()]


def test_the_library_alone_would_send_it_again() -> None:
    """The trap is real: this is what the middleware is for. When it no longer is, the middleware can go."""

    async def work() -> int:
        async with Peer(answer(OK), drop, answer(OK)) as peer, aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{peer.port}/order"
            for method in ("GET", "PUT"):
                async with session.request(method, url) as response:
                    await response.read()
            return len(peer.requests)

    assert asyncio.run(work()) == 3


def test_a_refused_connection_is_not_sent() -> None:
    """Nobody was there to hear it, so the order can be decided anew at once."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    peer = Addresses(Reach.EMULATOR, {"api": f"http://127.0.0.1:{port}"})

    async def work() -> None:
        session = Http(peer)
        try:
            await session.ask(request("POST", body="a=1"))
        finally:
            await session.close()

    with pytest.raises(NotSent):
        asyncio.run(work())


def test_a_certificate_of_a_stranger_is_not_sent(tmp_path: Path) -> None:
    """TLS is verified, always: an order shown to whoever stands between is no order."""

    async def work() -> None:
        tls = server_context(tmp_path, ("127.0.0.1",))
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0, ssl=tls)
        port = server.sockets[0].getsockname()[1]
        session = Http(Addresses(Reach.EMULATOR, {"api": f"https://127.0.0.1:{port}"}))
        try:
            await session.ask(request("POST", body="a=1"))
        finally:
            await session.close()
            server.close()

    with pytest.raises(NotSent, match="certificate"):
        asyncio.run(work())


@pytest.mark.parametrize("length", range(len(OK)))
def test_an_answer_that_is_cut_at_any_byte_is_no_answer(length: int) -> None:
    """The venue acted before it answered: half an answer must not look like a refusal, nor like a yes."""
    (outcome,) = asked(Peer(answer_and_close(OK[:length])), request("POST", body="a=1"))

    assert isinstance(outcome, Unanswered)


@pytest.mark.parametrize(
    "body", [b"\x00\xff\x00", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"]
)
def test_an_answer_that_is_not_http_is_no_answer(body: bytes) -> None:
    """Whatever comes back, nothing is known but that it left."""
    (outcome,) = asked(Peer(answer_and_close(body)), request("POST", body="a=1"))

    assert isinstance(outcome, Unanswered)


def test_a_venue_that_says_nothing_is_unanswered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent venue may have done it; what was asked is not waited for for ever."""
    monkeypatch.setattr(http, "ANSWER_S", 0.05)

    (outcome,) = asked(Peer(say_nothing), request("POST", body="a=1"))

    assert isinstance(outcome, Unanswered)


def test_a_redirection_is_not_followed() -> None:
    """A 307 would send the order again, to somewhere else."""
    there = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    peer = Peer(answer(there))

    (outcome,) = asked(peer, request("POST", body="a=1"))

    assert isinstance(outcome, Got)
    assert outcome.answer.status == 307
    assert len(peer.requests) == 1


def test_the_bytes_leave_as_they_were_signed() -> None:
    """A signature is over the very text: encoding it again, or another way, would break it."""
    peer = Peer(answer(OK))

    asked(peer, request(query="a=%2F%20%2B&signature=x%3D"), request("POST", body="a=%2F&b=+c"))

    assert peer.lines[0] == b"GET /order?a=%2F%20%2B&signature=x%3D HTTP/1.1"
    assert peer.requests[1].endswith(b"\r\n\r\na=%2F&b=+c")


@pytest.mark.parametrize(("header", "wait_s"), [("7", 7), ("soon", 0), ("", 0), ("Thu, 01 Jan 1970 00:00:00 GMT", 0)])
def test_the_venues_own_waiting_time_is_read(header: str, wait_s: int) -> None:
    """Whoever comes back sooner is banned; what cannot be read is no waiting time."""
    body = f"HTTP/1.1 429 Too Many Requests\r\nRetry-After: {header}\r\nContent-Length: 0\r\n\r\n".encode()

    (outcome,) = asked(Peer(answer(body)), request())

    assert isinstance(outcome, Got)
    assert (outcome.answer.status, outcome.answer.retry_after_s) == (429, wait_s)


def test_authorities_that_cannot_be_read_are_told_at_once(tmp_path: Path) -> None:
    """A typo in the path must not end in trusting whom the system trusts."""
    with pytest.raises(Unsecured, match=r"none\.pem"):
        Http(Addresses(Reach.EMULATOR, {}), ca=str(tmp_path / "none.pem"))


def test_an_error_never_shows_a_signature() -> None:
    """Errors are printed and journaled; a signed query is good for as long as its window is open."""
    act: Act = answer_and_close(b"")

    (outcome,) = asked(Peer(act), request(query="timestamp=1&signature=secret"))

    assert isinstance(outcome, Unanswered)
    assert "secret" not in str(outcome)
