"""The ways to Binance: TLS by an authority of one's own, and a proxy; with real connections, both ways at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

import pytest

from hedgerow.emulators.binance.customers import DEFAULT_KEY, DEFAULT_SECRET
from hedgerow.emulators.binance.server import Emulator
from hedgerow.emulators.tls import CA_FILE, server_context
from hedgerow.model.ids import AccountId
from hedgerow.model.reach import Reach
from hedgerow.runtime.clock import LoopClock, origin_now
from hedgerow.venues.binance_account import BinanceAccount
from hedgerow.venues.binance_checks import Finding, Verdict, examine
from hedgerow.venues.binance_venue import BinanceVenue
from hedgerow.venues.transport.addresses import addresses_of
from hedgerow.venues.transport.http import NotSent
from hedgerow.venues.transport.stream import StreamFailed
from hedgerow.venues.wire.binance.kinds import LIVE_HOSTS, TESTNET_HOSTS, AccountKind, Product
from hedgerow.venues.wire.binance.signing import signer_of
from tests.venues.binance_stand import QUICK, VENUE

NOBODY = "http://127.0.0.1:9"
AGREES = b"HTTP/1.1 200 Connection established\r\n\r\n"
Story = Callable[[BinanceVenue, BinanceAccount], Awaitable[None]]


class Proxy:
    """A proxy that joins two sockets when it is asked to CONNECT, or answers what it is told to."""

    def __init__(self, answer: bytes = AGREES) -> None:
        self._answer = answer
        self.asked: list[bytes] = []
        "The first line of each connection."
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            line, _, _ = (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")
            self.asked.append(line)
            writer.write(self._answer)
            if self._answer != AGREES:
                writer.close()
                return
            host, _, port = line.split(b" ")[1].decode().partition(":")
            there, back = await asyncio.open_connection(host, int(port))
            for source, sink in ((reader, back), (there, writer)):
                task = asyncio.create_task(_pass_on(source, sink))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)


async def _pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(1 << 16):
            sink.write(data)
            await sink.drain()
    sink.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the authority is; made once."""
    made = tmp_path_factory.mktemp("tls")
    server_context(made, ("*.binance.com",))
    return made


def played(folder: Path, story: Story, *, proxy: str | None = None, trusts: bool = True) -> None:
    """Play a story at an emulator behind TLS."""

    async def work() -> None:
        async with Emulator(is_still=True, tls=server_context(folder, ("*.binance.com",))) as emulator:
            errors: list[Exception] = []
            clock = LoopClock(asyncio.get_running_loop(), origin_now(), errors.append)
            addresses = addresses_of(Reach.EMULATOR, LIVE_HOSTS, TESTNET_HOSTS, emulator.url)
            venue = BinanceVenue(VENUE, addresses, clock, str(folder / CA_FILE) if trusts else None, proxy)
            signer = signer_of(DEFAULT_KEY, DEFAULT_SECRET)
            account = BinanceAccount(AccountId("binance/usdm"), AccountKind.USDM, signer, venue, QUICK)
            try:
                await story(venue, account)
            finally:
                await account.close()
                await venue.close()
            assert errors == []

    asyncio.run(work())


async def looked(account: BinanceAccount) -> list[Finding]:
    """Return what is found of an account, its private stream included."""
    return [finding async for finding in examine(account, (), with_stream=True)]


def test_an_authority_of_ones_own_is_trusted_and_no_other(folder: Path) -> None:
    """Questions and the private stream both go through; without it nothing is said to a stranger."""

    async def fits(venue: BinanceVenue, account: BinanceAccount) -> None:
        assert {finding.check for finding in await looked(account)} >= {"reach", "key", "stream"}
        assert account.is_live

    async def stranger(venue: BinanceVenue, account: BinanceAccount) -> None:
        (found,) = await looked(account)
        assert (found.check, found.verdict) == ("reach", Verdict.UNREACHABLE)
        assert "its certificate is not trusted" in found.text
        with pytest.raises(StreamFailed, match="its certificate is not trusted"):
            await account.open()

    played(folder, fits)
    played(folder, stranger, trusts=False)


def test_everything_goes_through_the_proxy_and_it_reads_none_of_it(folder: Path) -> None:
    """It is told where to, and nothing else: keys and orders are encrypted on the way."""

    async def work() -> None:
        async with Proxy() as proxy:

            async def story(venue: BinanceVenue, account: BinanceAccount) -> None:
                assert not [finding for finding in await looked(account) if finding.verdict.is_bad]
                assert account.is_live
                port = urlsplit(venue.http.addresses["api"]).port
                assert len(proxy.asked) >= 2
                assert set(proxy.asked) == {f"CONNECT 127.0.0.1:{port} HTTP/1.1".encode()}

            await asyncio.to_thread(played, folder, story, proxy=proxy.address)

    asyncio.run(work())


def test_a_proxy_that_refuses_is_told_and_nothing_left(folder: Path) -> None:
    """It is no refusal of the venue's, and an order that met it can be decided anew at once."""
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"

    async def work() -> None:
        async with Proxy(refusal) as proxy:

            async def story(venue: BinanceVenue, account: BinanceAccount) -> None:
                words = r"the proxy 127\.0\.0\.1:\d+ refused: 407 Proxy Authentication Required"
                with pytest.raises(NotSent, match=words) as refused:
                    await venue.read_time(Product.UM)
                assert "hunter2" not in str(refused.value)
                (found,) = await looked(account)
                assert found.verdict is Verdict.UNREACHABLE
                with pytest.raises(StreamFailed, match="407 Proxy Authentication Required") as failed:
                    await account.open()
                assert "hunter2" not in str(failed.value)

            secret = proxy.address.replace("//", "//me:hunter2@")
            await asyncio.to_thread(played, folder, story, proxy=secret)

    asyncio.run(work())


def test_a_proxy_that_is_down_is_told_by_its_own_address(folder: Path) -> None:
    """Otherwise people look for the venue."""

    async def story(venue: BinanceVenue, account: BinanceAccount) -> None:
        with pytest.raises(NotSent, match=r"127\.0\.0\.1:9: Connect call failed"):
            await venue.read_time(Product.UM)

    played(folder, story, proxy=NOBODY)
