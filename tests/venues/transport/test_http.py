"""HTTP requests: each once, and what is known of it when no answer comes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hedgerow.emulators.tls import CA_FILE, server_context
from hedgerow.model.reach import Reach
from hedgerow.venues.transport import http
from hedgerow.venues.transport.addresses import Addresses
from hedgerow.venues.transport.http import Got, Http, NotSent, Unanswered, Unsecured
from hedgerow.venues.wire.request import HttpRequest, Lane
from tests.venues.transport.peer import (
    OK,
    PATIENCE_S,
    Act,
    Peer,
    answer,
    answer_and_close,
    drop,
    request,
    say_nothing,
)

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


Story = Callable[[Peer, Http], Awaitable[None]]
ORDER = request("POST", body="a=1", lane=Lane.HEDGE)


def played(story: Story, *acts: Act) -> Peer:
    """Return the peer after a story that begins with one open connection, on which the first act has answered."""

    async def work() -> Peer:
        async with Peer(answer(OK), *acts) as peer:
            session = Http(peer.addresses)
            await session.ask(request())
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await story(peer, session)
            finally:
                await session.close()
            return peer

    return asyncio.run(work())


def kept(story: Story, *acts: Act) -> Peer:
    """Return the peer after a story during which a connection is kept open."""

    async def work(peer: Peer, session: Http) -> None:
        keeping = asyncio.create_task(session.keep_open("api"))
        try:
            await story(peer, session)
            assert not keeping.done()
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    return played(work, *acts)


async def until(is_true: Callable[[], bool]) -> None:
    """Let the loop go on until something is so."""
    while not is_true():  # noqa: ASYNC110 - nobody signals what happens inside of connections.
        await asyncio.sleep(0)


@pytest.mark.parametrize("method", METHODS)
def test_a_request_on_a_connection_that_is_dropped_is_not_sent_again(method: str) -> None:
    """The venue may have done it: a second PUT would change an order twice, a second DELETE would tell a lie."""
    peer = Peer(answer(OK), drop)

    first, second = asked(peer, request(), request(method, lane=Lane.HEDGE))

    assert isinstance(first, Got)
    assert isinstance(second, Unanswered)
    assert len(peer.came) == 1
    assert peer.lines[1:] == [f"{method} /order HTTP/1.1".encode()]


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


def test_an_order_on_an_open_connection_has_left_before_anybody_waits_for_its_answer() -> None:
    """A hedge must not stand behind whatever else the loop has to do first."""

    async def story(peer: Peer, session: Http) -> None:
        begun = session.ask(ORDER)
        await peer.until_asked(2)
        assert (await begun).answer.body == b"{}"
        assert len(peer.came) == 1

    played(story, answer(OK))


def test_a_question_leaves_the_last_connection_to_orders() -> None:
    """A read in flight must not cost a hedge the way of a new connection."""

    async def story(peer: Peer, session: Http) -> None:
        question = asyncio.ensure_future(session.ask(request()))
        await peer.until_asked(2)
        assert len(peer.came) == 2
        assert (await session.ask(ORDER)).answer.status == 200
        assert len(peer.came) == 2
        question.cancel()

    played(story, say_nothing, answer(OK))


def test_questions_take_turns_with_the_connections_so_that_none_grows_old() -> None:
    """One that nobody uses is ended in the end, and the last one would be it."""

    async def story(peer: Peer, session: Http) -> None:
        for _ in range(4):
            await session.ask(request())
        assert len(peer.came) == 2

    assert len(played(story, answer(OK)).requests) == 5


def test_an_order_goes_another_way_when_the_venue_has_ended_its_connection() -> None:
    """Nothing was written on it, so nothing is unknown: it was not sent there."""

    async def story(peer: Peer, session: Http) -> None:
        peer.came[0].close()
        await peer.came[0].wait_closed()
        assert (await session.ask(ORDER)).answer.status == 200
        assert len(peer.came) == 2

    assert len(played(story, answer(OK)).requests) == 2


def test_what_was_not_asked_for_is_no_answer() -> None:
    """An answer that comes too early would be that of another request."""

    async def story(peer: Peer, session: Http) -> None:
        peer.came[0].write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray")
        await peer.came[0].drain()
        assert (await session.ask(ORDER)).answer.body == b"{}"
        assert len(peer.came) == 2

    played(story, answer(OK))


def test_an_answer_that_comes_too_late_is_not_that_of_the_next_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection on which an answer is still owed is good for nothing else."""
    monkeypatch.setattr(http, "ANSWER_S", 0.02)

    async def story(peer: Peer, session: Http) -> None:
        with pytest.raises(Unanswered):
            await session.ask(ORDER)
        monkeypatch.setattr(http, "ANSWER_S", PATIENCE_S)
        peer.came[0].write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
        assert (await session.ask(ORDER)).answer.body == b"{}"
        assert len(peer.came) == 2

    played(story, say_nothing, answer(OK))


def test_a_request_that_nobody_waits_for_any_more_costs_its_connection() -> None:
    """Its answer is still to come."""

    async def story(peer: Peer, session: Http) -> None:
        waiting = asyncio.ensure_future(session.ask(ORDER))
        await peer.until_asked(2)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert (await session.ask(ORDER)).answer.status == 200
        assert len(peer.came) == 2

    played(story, say_nothing, answer(OK))


def test_a_connection_is_kept_open_for_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening one takes three ways there and back, which a hedge has no time for."""
    monkeypatch.setattr(http, "CHECK_S", 0.01)

    async def story(peer: Peer, session: Http) -> None:
        # The venue ends the only one.
        peer.came[0].close()
        await until(lambda: len(peer.came) == 2)

    kept(story)


def test_an_order_that_takes_the_last_connection_has_another_one_opened() -> None:
    """The next one may come before the first is answered."""

    async def story(peer: Peer, session: Http) -> None:
        first = asyncio.ensure_future(session.ask(ORDER))
        await until(lambda: len(peer.came) == 2)
        assert (await session.ask(ORDER)).answer.status == 200
        assert len(peer.came) == 2
        first.cancel()

    kept(story, say_nothing, answer(OK))


def test_a_connection_that_grows_old_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """The venue would end it, perhaps just when an order leaves."""
    monkeypatch.setattr(http, "CHECK_S", 0.01)
    monkeypatch.setattr(http, "FRESH_S", 0)
    monkeypatch.setattr(http, "KEEPALIVE_S", 0.05)

    async def story(peer: Peer, session: Http) -> None:
        await until(lambda: len(peer.came) > 3)

    kept(story)


def test_a_venue_that_is_down_does_not_end_what_keeps_a_connection_open() -> None:
    """It comes back at some time."""

    async def story(peer: Peer, session: Http) -> None:
        peer.end()
        peer.came[0].close()
        await peer.came[0].wait_closed()
        with pytest.raises(NotSent):
            await session.ask(ORDER)

    kept(story)


def test_what_comes_before_an_answer_is_not_the_answer() -> None:
    """`100 Continue` says nothing of what became of an order."""
    (outcome,) = asked(Peer(answer(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)), request("POST", body="a=1"))

    assert isinstance(outcome, Got)
    assert (outcome.answer.status, outcome.answer.body) == (200, b"{}")


def test_an_answer_in_pieces_is_put_together() -> None:
    """Long ones come chunked, and whole."""
    body = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"

    (outcome,) = asked(Peer(answer(body)), request())

    assert isinstance(outcome, Got)
    assert outcome.answer.body == b"abcde"


@pytest.mark.parametrize(
    "odd", [request("POST", query="a=\r\nHost: elsewhere"), request(query="a=\n"), request(query="a=ä")]
)
def test_a_request_that_would_say_something_else_is_not_sent(odd: HttpRequest) -> None:
    """A line end inside of a line would begin a header, or another request."""
    peer = Peer(answer(OK))

    (outcome,) = asked(peer, odd)

    assert isinstance(outcome, NotSent)
    assert peer.requests == []


def test_a_request_says_no_more_than_it_must() -> None:
    """Who asks, what it is, and how long; nothing that changes how an answer is written."""
    peer = Peer(answer(OK))

    asked(peer, request("POST", body="a=1"))

    lines = peer.requests[0].partition(b"\r\n\r\n")[0].split(b"\r\n")
    names = [line.partition(b":")[0] for line in lines[1:]]
    assert names == [b"Host", b"User-Agent", b"Accept", b"Content-Type", b"Content-Length"]


def test_what_is_encrypted_goes_through_a_proxy(tmp_path: Path) -> None:
    """The proxy learns the host and nothing else; a refusal of its own is not sent."""

    async def work() -> tuple[bytes, list[Got | Exception]]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    await reader.readuntil(b"\r\n\r\n")
                    writer.write(OK)

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            if len(heads) > 1:
                writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                return
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(copied(reader, there_writer), copied(there_reader, writer))

        async def copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                while part := await reader.read(1 << 16):
                    writer.write(part)
                writer.close()

        heads: list[bytes] = []
        tls = server_context(tmp_path, ("127.0.0.1",))
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
        proxy = await asyncio.start_server(relay, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        session = Http(
            Addresses(Reach.EMULATOR, {"api": f"https://127.0.0.1:{port}"}),
            str(tmp_path / CA_FILE),
            f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}",
        )
        outcomes: list[Got | Exception] = []
        for _ in range(2):
            try:
                # A question, so that the second one takes a new connection.
                outcomes.append(await session.ask(request()))
            except NotSent as error:
                outcomes.append(error)
        await session.close()
        proxy.close()
        server.close()
        return heads[0], outcomes

    head, (through, refused) = asyncio.run(work())
    assert head.startswith(b"CONNECT 127.0.0.1:")
    assert isinstance(through, Got)
    assert isinstance(refused, NotSent)


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
