"""Paper: real prices, simulated orders, and no way by which one could ever reach an account."""

from __future__ import annotations

import asyncio
import io
import queue
import threading
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from hedgerow.core.commands import SubmitOrder
from hedgerow.core.events import BookStarted
from hedgerow.emulators.binance.server import Emulator
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.model.ids import InstrumentId
from hedgerow.model.market import Quote
from hedgerow.model.reach import Reach
from hedgerow.runtime.access import Access
from hedgerow.runtime.config import load_text
from hedgerow.runtime.front import Front
from hedgerow.runtime.node import EXIT_DONE
from hedgerow.runtime.node_config import NodeConfig
from hedgerow.runtime.outlet import Outlet
from hedgerow.runtime.paper import NoPaper, on_paper, price_addresses, run_paper
from hedgerow.runtime.recovery import ReachChanged
from hedgerow.runtime.simulated import run_node, run_venues
from hedgerow.venues.sim_venues import SimVenues
from hedgerow.venues.transport.http import Http
from hedgerow.venues.wire.request import HttpRequest, Lane
from tests.runtime.worlds import CONFIG
from tests.venues.binance_stand import taken

REAL = """
accounts:
  binance/one: {venue: binance, kind: usdm, mode: live, key: "env:NOWHERE", secret: "env:NOWHERE", BALANCE}
  binance/two: {venue: binance, kind: usdm, mode: live, key: "env:NOWHERE", secret: "env:NOWHERE", BALANCE}
books:
  m:
    policy: mirror
    legs:
      lead:  {account: binance/one, symbol: BTCUSDT}
      hedge: {account: binance/two, symbol: BTCUSDT}
    qty: 0.01
    max_net_qty: 0.01
"""
BTCUSDT = InstrumentId("binance:BTCUSDT-PERP")


def _real(balance: str = "balance: {USDT: 100000}") -> NodeConfig:
    return load_text(REAL.replace(", BALANCE", f", {balance}" if balance else ""), "real.yaml", Path())


@pytest.fixture
def taped(tmp_path: Path) -> NodeConfig:
    """A config of simulated accounts whose markets are recorded."""
    tape = tmp_path / "top.frames"
    top = '{"u":%d,"s":"BTCUSDT","b":"60000.0","B":"1","a":"60001.0","A":"1"}'
    rows = [f"{1_000_000_000 + 100_000_000 * number} {top % (number + 1)}" for number in range(100)]
    tape.write_text("\n".join(rows) + "\n")
    config = load_text(CONFIG, "test.yaml", tmp_path, tmp_path / "state")
    return replace(config, venues=tuple(replace(venue, tape=tape) for venue in config.venues), markets=())


def _run(config: NodeConfig, *, paper: bool) -> str:
    err = io.StringIO()
    run = run_paper if paper else run_node
    assert run(config, None, io.StringIO(), err, as_json=True, speed=10, seconds=2) == EXIT_DONE
    return err.getvalue()


def _reaches(config: NodeConfig) -> list[Reach]:
    store = SqliteStore(config.journal, read_only=True)
    starts = [record.turn.event for record in store.turns() if isinstance(record.turn.event, BookStarted)]
    store.close()
    return [start.config.reach for start in starts]


def test_the_journal_of_a_run_on_paper_says_so(taped: NodeConfig) -> None:
    """Who reads it a year later must not take its fills for money, nor those of a simulated market for prices."""
    said = _run(taped, paper=True)

    assert "mode      PAPER  simA/main, simB/hedge" in said
    assert _reaches(taped) == [Reach.PAPER]


@pytest.mark.parametrize("paper", [True, False])
def test_a_journal_goes_on_as_it_was_begun(taped: NodeConfig, paper: bool) -> None:
    """Positions on paper are none at a venue, and the other way round: an engine that mixed them would hedge ghosts."""
    _run(taped, paper=paper)
    before = taped.journal.read_bytes()

    with pytest.raises(ReachChanged, match="name another folder with --state"):
        _run(taped, paper=not paper)

    assert taped.journal.read_bytes() == before
    _run(taped, paper=paper)
    assert len(_reaches(taped)) == 2


def test_on_paper_a_real_account_is_a_simulated_one() -> None:
    """Nothing of what leads to the account is left, so that no part of the node could use it; no key is looked up."""
    config = _real()

    paper = on_paper(config)

    assert config.reach is Reach.LIVE
    assert paper.reach is Reach.PAPER
    assert not paper.is_real
    assert [account.balances for account in paper.accounts] == [{"USDT": Decimal(100_000)}] * 2


def test_the_way_to_prices_takes_no_order() -> None:
    """What an account can be asked for is signed or names a key; neither leaves, whatever else is wrong."""
    access = _real().accounts[0].access
    assert isinstance(access, Access)
    addresses = price_addresses(access)
    http = Http(addresses)
    question = HttpRequest("GET", "fapi", "/fapi/v1/depth", "symbol=BTCUSDT", "", (), (), Lane.QUERY, False)

    for request in (
        replace(question, method="POST", path="/fapi/v1/order"),
        replace(question, is_signed=True),
        replace(question, headers=(("x-mbx-apikey", "key"),)),
    ):
        with pytest.raises(AssertionError):
            asyncio.run(http.ask(request))

    assert addresses.reach is Reach.PAPER
    assert "papi" not in addresses
    assert "ws-api" not in addresses


class Shown:
    """A real market that shows one book again and again."""

    told = frozenset({BTCUSDT})

    async def follow(self, venues: SimVenues) -> None:
        levels = ((Decimal("60000.0"), Decimal(5)),), ((Decimal("60001.0"), Decimal(5)),)
        while True:
            venues.tell(Quote(BTCUSDT, venues.clock.now_ns(), *levels))
            await asyncio.sleep(0.01)


def test_prices_as_they_come_move_the_simulated_venue(tmp_path: Path) -> None:
    """The book rests its order at the real market's price, on the exchange that nobody can lose money at."""
    config = replace(on_paper(_real()), state=tmp_path)

    async def run() -> int:
        outlet = Outlet(io.StringIO(), io.StringIO())
        front = Front(config, outlet, as_json=True)
        try:
            return await run_venues(config, front, None, 10, 3, None, Shown())
        finally:
            outlet.close()

    assert asyncio.run(run()) == EXIT_DONE

    store = SqliteStore(config.journal, read_only=True)
    orders = [c for record in store.turns() for c in record.turn.commands if isinstance(c, SubmitOrder)]
    store.close()
    assert orders[0].instrument_id == BTCUSDT
    assert abs((orders[0].limit_price or Decimal(0)) - 60_000) < 1


EMULATED = """
accounts:
  binance/spot: {{venue: binance, kind: spot, mode: emulator, key: "env:NO", secret: "env:NO", balance: {{USDT: 9000}}}}
  binance/usdm: {{venue: binance, kind: usdm, mode: emulator, key: "env:NO", secret: "env:NO", balance: {{USDT: 9000}}}}
venues:
  binance: {{address: "{url}"}}
books:
  btc:
    policy: carry
    legs:
      lead:  {{account: binance/spot, symbol: BTCUSDT}}
      hedge: {{account: binance/usdm, symbol: BTCUSDT}}
    entry_qty: 0.01
    max_net_qty: 0.02
    entry_type: market
    entry_basis_bps_min: -500
"""


@pytest.mark.slow
def test_a_venues_own_streams_are_the_prices(tmp_path: Path) -> None:
    """The whole way over sockets, without a key: filters and quotes come from the venue, and no order goes there."""
    out, err = io.StringIO(), io.StringIO()
    addresses: queue.SimpleQueue[str] = queue.SimpleQueue()
    placed: list[object] = []
    ran = threading.Event()

    async def emulate() -> None:
        async with Emulator() as emulator:
            addresses.put(emulator.url)
            await asyncio.to_thread(ran.wait)
            placed.extend(taken(emulator))

    thread = threading.Thread(target=lambda: asyncio.run(emulate()))
    thread.start()
    try:
        config = load_text(EMULATED.format(url=addresses.get()), "paper.yaml", tmp_path, tmp_path)
        assert run_paper(config, None, out, err, seconds=3) == EXIT_DONE
    finally:
        ran.set()
        thread.join()

    assert placed == []
    assert "mode      PAPER  binance/spot, binance/usdm" in err.getvalue()
    assert "  hedge  " in out.getvalue()


@pytest.mark.parametrize(
    ("balance", "speed", "said"),
    [("", 1, "nobody knows what it owns; add e.g. balance"), ("balance: {USDT: 100}", 5, "leave --speed out")],
)
def test_what_cannot_be_run_on_paper_is_told(balance: str, speed: float, said: str) -> None:
    """One line with the remedy, before anything is made."""
    with pytest.raises(NoPaper, match=said):
        on_paper(_real(balance), speed)


def test_made_up_prices_are_no_paper(tmp_path: Path) -> None:
    """A journal that says paper promises real prices."""
    with pytest.raises(NoPaper, match="add --tape simA=FILE"):
        on_paper(load_text(CONFIG, "test.yaml", tmp_path))


def test_a_tape_is_for_simulated_accounts(tmp_path: Path) -> None:
    """It holds prices and no filters: orders in steps that no venue takes would look fine on paper."""
    config = _real()
    venues = tuple(replace(venue, tape=tmp_path / "some.frames") for venue in config.venues)

    with pytest.raises(NoPaper, match="write `venue: sim`"):
        on_paper(replace(config, venues=venues))
