"""Real venues: what is checked before anything is traded, and the three keys to real money."""

from __future__ import annotations

import asyncio
import io
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from hedgerow.emulators.binance.conditions import Condition
from hedgerow.emulators.binance.control import Advance, Filters, Halt, Permissions
from hedgerow.emulators.binance.customers import DEFAULT_KEY, DEFAULT_SECRET, Kind, default_customers
from hedgerow.emulators.binance.desk import Wanted
from hedgerow.emulators.binance.faults import Fault, Injected
from hedgerow.emulators.binance.orders import Product
from hedgerow.emulators.binance.server import Emulator
from hedgerow.model.ids import AccountId
from hedgerow.model.order import Side
from hedgerow.runtime import key_watch
from hedgerow.runtime.access import NoSecret, secret_of
from hedgerow.runtime.account_lock import AccountInUse, AccountLocks
from hedgerow.runtime.clock import LoopClock, origin_now
from hedgerow.runtime.config import ConfigError, NodeConfig, load_text
from hedgerow.runtime.live import Accounts, LiveRefused, VenueUnusable, check_up, guard, run_live
from hedgerow.venues import binance_checks
from hedgerow.venues.binance_checks import Finding, Verdict
from tests.venues.binance_stand import taken

ROOT = Path(__file__).parents[2]
TEXT = """
accounts:
  binance/spot: {{venue: binance, kind: spot, mode: {mode}, key: "env:KEY", secret: "env:SECRET"}}
  binance/usdm: {{venue: binance, kind: usdm, mode: {mode}, key: "env:KEY", secret: "env:SECRET"}}
venues:
  binance: {{{address}}}
books:
  btc:
    policy: carry
    legs:
      lead:  {{account: binance/spot, symbol: {symbol}}}
      hedge: {{account: binance/usdm, symbol: {symbol}}}
    entry_qty: 0.01
    max_net_qty: 0.01
    entry_basis_bps_min: -500
"""


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", DEFAULT_KEY)
    monkeypatch.setenv("SECRET", DEFAULT_SECRET)
    monkeypatch.setattr(binance_checks, "AGAIN_S", 0)


def config(state: Path, url: str | None, symbol: str = "BTCUSDT", mode: str = "emulator") -> NodeConfig:
    address = f"address: '{url}'" if url else ""
    return load_text(TEXT.format(address=address, symbol=symbol, mode=mode), "live.yaml", state, state)


Prepare = Callable[[Emulator], None]
# Kept, or the collector may end them half-way.
WAITING: set[asyncio.Task[None]] = set()


def checked(
    state: Path, prepare: Prepare | None = None, symbol: str = "BTCUSDT", emulator: Emulator | None = None
) -> list[Finding]:
    """Return what is found of the accounts of a config at an emulator, with streams."""

    async def work() -> list[Finding]:
        async with emulator or Emulator(is_still=True) as running:
            if prepare is not None:
                prepare(running)
            found = config(state, running.url, symbol)
            findings = [finding async for finding in check_up(found, with_stream=True)]
            assert taken(running) == []
            return findings

    return asyncio.run(work())


def bad(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.verdict.is_bad]


def test_what_is_fit_is_found_fit(tmp_path: Path) -> None:
    """Everything that the first order relies on was looked at, for each account."""
    findings = checked(tmp_path)

    assert bad(findings) == []
    looked_at = {(finding.account_id, finding.check) for finding in findings}
    for account in ("binance/spot", "binance/usdm"):
        for check in ("reach", "clock", "key", "permissions", "instrument", "fees", "stream"):
            assert (account, check) in looked_at
    assert ("binance/usdm", "position mode") in looked_at


def _permit(**words: bool) -> Prepare:
    return lambda emulator: _done(emulator.control.set_permissions(Permissions(account="main", **words)))


def _done(_: object) -> None:
    """An order to the emulator says nothing."""


@pytest.mark.parametrize(
    ("prepare", "verdict", "check", "words"),
    [
        (_permit(can_withdraw=True), Verdict.FORBIDDEN, "permissions", "may withdraw"),
        (_permit(can_trade=False), Verdict.FORBIDDEN, "permissions", "may not trade"),
        (_permit(is_revoked=True), Verdict.FORBIDDEN, "key", "the key was refused"),
        (
            lambda emulator: _done(emulator.control.advance(Advance(seconds=61))),
            Verdict.UNREACHABLE,
            "clock",
            "behind Binance's",
        ),
        (
            lambda emulator: _done(emulator.control.halt(Halt(product=Product.SPOT, symbol="BTCUSDT"))),
            Verdict.WRONG,
            "instrument",
            "takes no new orders",
        ),
    ],
)
def test_what_is_not_fit_is_told_with_a_remedy(
    tmp_path: Path, prepare: Prepare, verdict: Verdict, check: str, words: str
) -> None:
    """One clear line each, and nothing was placed to find out."""
    found = bad(checked(tmp_path, prepare))[0]

    assert (found.verdict, found.check) == (verdict, check)
    assert words in found.text
    assert found.next_step


def test_hedge_mode_is_refused(tmp_path: Path) -> None:
    """In it an order that should close opens beside."""
    customers = default_customers()
    for customer in customers:
        customer.hedge_mode = True

    (found,) = bad(checked(tmp_path, emulator=Emulator(is_still=True, customers=customers)))

    assert (found.account_id, found.check, found.verdict) == ("binance/usdm", "position mode", Verdict.WRONG)
    assert "one-way" in found.next_step


def _isolate(emulator: Emulator) -> None:
    emulator.venue.desks["main", Kind.USDM, Product.USDM].isolated.add("BTCUSDT")


def test_conditional_orders_of_somebody_else_are_told(tmp_path: Path) -> None:
    """They trade beside the book when their price comes; nothing that a book does shows them before."""

    def prepare(emulator: Emulator) -> None:
        venue = emulator.venue
        wanted = Wanted(symbol="BTCUSDT", side=Side.SELL, type="MARKET", time_in_force="GTC", qty=Decimal("0.01"))
        spot, usdm = venue.desks["main", Kind.SPOT, Product.SPOT], venue.desks["main", Kind.USDM, Product.USDM]
        spot.place(replace(wanted, type="STOP_LOSS", condition=Condition(Decimal(50_000), is_above=False)))
        stop = Condition(Decimal(51_000), is_above=False)
        venue.algos[usdm.account_id].place("STOP_MARKET", wanted, stop, closes_position=False)

    async def work() -> list[Finding]:
        async with Emulator(is_still=True) as emulator:
            prepare(emulator)
            return [finding async for finding in check_up(config(tmp_path, emulator.url))]

    found = {each.account_id: each for each in asyncio.run(work()) if each.check == "conditional orders"}

    assert {each.verdict for each in found.values()} == {Verdict.TOLD}
    assert found[AccountId("binance/spot")].text.endswith("STOP_LOSS SELL 0.01 at 50000")
    assert found[AccountId("binance/usdm")].text.endswith("STOP_MARKET SELL 0.01 at 51000")


def test_isolated_margin_is_refused(tmp_path: Path) -> None:
    """There a hedge leg is liquidated while its account has funds."""
    (found,) = bad(checked(tmp_path, _isolate))

    assert (found.account_id, found.check, found.verdict) == ("binance/usdm", "margin", Verdict.WRONG)
    assert "isolated margin" in found.text
    assert "set it to cross" in found.next_step
    with running(_isolate) as url, pytest.raises(VenueUnusable, match="isolated margin") as refused:
        run_live(config(tmp_path, url), None, io.StringIO(), io.StringIO(), seconds=1)
    assert refused.value.verdict is Verdict.WRONG


def test_an_account_that_another_node_trades_on_is_left_alone(tmp_path: Path) -> None:
    """Two folders have two journals, and one account can have but one engine."""
    with running() as url:
        known = config(tmp_path, url)
        other = AccountLocks(tmp_path / "other", print)
        accounts = asyncio.run(_accounts(known))
        other.take(AccountId("binance/usdm"), *accounts.identities[AccountId("binance/usdm")])
        with pytest.raises(AccountInUse, match="binance/usdm: another node on this machine trades with the same key"):
            run_live(known, None, io.StringIO(), io.StringIO(), seconds=1)
        other.close()
        assert run_live(known, None, io.StringIO(), io.StringIO(), seconds=1) == 0


async def _accounts(known: NodeConfig) -> Accounts:
    return Accounts(known, LoopClock(asyncio.get_running_loop(), origin_now(), print))


def test_a_wrong_key_and_a_wrong_secret_are_told_apart_from_a_venue_that_is_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has its own remedy."""
    monkeypatch.setenv("SECRET", "x" * 64)
    assert bad(checked(tmp_path))[0].verdict is Verdict.FORBIDDEN
    monkeypatch.setenv("KEY", "y" * 64)
    assert bad(checked(tmp_path))[0].verdict is Verdict.FORBIDDEN

    async def work() -> list[Finding]:
        return [finding async for finding in check_up(config(tmp_path, "http://127.0.0.1:9"))]

    assert {(found.verdict, found.check) for found in asyncio.run(work())} == {(Verdict.UNREACHABLE, "reach")}


def test_an_instrument_that_is_not_listed_is_told(tmp_path: Path) -> None:
    """A typo in a symbol must not look like a venue that is down."""
    found = bad(checked(tmp_path, symbol="BTCUSTD"))[0]

    assert (found.check, found.verdict) == ("instrument", Verdict.WRONG)
    assert "has no BTCUSTD" in found.text


@pytest.mark.parametrize("fault", [Fault.CUT_ANSWER, Fault.HTML_ANSWER, Fault.BAD_GATEWAY, Fault.EMPTY_ANSWER])
def test_half_an_answer_is_asked_for_again_and_then_told(tmp_path: Path, fault: Fault) -> None:
    """Once is an accident. When it goes on, nothing is known of the account, and nothing is traded in it."""

    def inject(count: int) -> Prepare:
        return lambda emulator: _done(
            emulator.control.inject(Injected(kind=fault, method="GET", path="/account", count=count))
        )

    assert bad(checked(tmp_path, inject(1))) == []
    found = bad(checked(tmp_path, inject(100)))[0]
    assert (found.check, found.verdict) == ("key", Verdict.UNREACHABLE)


def test_filters_that_a_book_does_not_fit_are_told_before_it_runs(tmp_path: Path) -> None:
    """The config cannot know them; the first order would be refused, or its hedge."""

    def prepare(emulator: Emulator) -> None:
        filters = Filters(product=Product.USDM, symbol="BTCUSDT", step=Decimal(1), min_qty=Decimal(1))
        emulator.control.set_filters(filters)

    with running(prepare) as url, pytest.raises(VenueUnusable, match="entry_qty") as refused:
        run_live(config(tmp_path, url), None, io.StringIO(), io.StringIO(), seconds=1)
    assert refused.value.verdict is Verdict.WRONG


def test_what_does_not_trade_is_not_begun_with(tmp_path: Path) -> None:
    """Unless something is held there: then the other leg must go on being looked after."""

    def prepare(emulator: Emulator) -> None:
        emulator.control.halt(Halt(product=Product.SPOT, symbol="BTCUSDT"))

    with running(prepare) as url, pytest.raises(VenueUnusable, match="takes no new orders"):
        run_live(config(tmp_path, url), None, io.StringIO(), io.StringIO(), seconds=1)


@contextmanager
def running(prepare: Prepare | None = None) -> Iterator[str]:
    """Run an emulator in a loop of its own; its markets move."""
    started, ended = threading.Event(), asyncio.Event()
    urls: list[str] = []
    loops: list[asyncio.AbstractEventLoop] = []

    async def work() -> None:
        async with Emulator() as emulator:
            if prepare is not None:
                prepare(emulator)
            urls.append(emulator.url)
            loops.append(asyncio.get_running_loop())
            started.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    started.wait()
    try:
        yield urls[0]
    finally:
        loops[0].call_soon_threadsafe(ended.set)
        thread.join()


@pytest.mark.slow
def test_a_carry_enters_is_hedged_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    """The whole way: config, checks, streams, orders, fills, hedges, stop; and the next run finds what it has."""
    with running() as url:
        found = config(tmp_path, url)
        out, err = io.StringIO(), io.StringIO()
        assert run_live(found, None, out, err, seconds=4) == 0
        assert "  fill  " in out.getvalue()
        assert "  hedge  " in out.getvalue()
        assert "mode      EMULATOR  binance/spot, binance/usdm" in err.getvalue()

        again = io.StringIO()
        assert run_live(found, None, io.StringIO(), again, seconds=1) == 0
        assert "recover   journal seq 0;" not in again.getvalue()


def _once_running(emulator: Emulator, does: Callable[[], None]) -> None:
    """Do something once both accounts listen: the checks of the start are over then."""

    async def work() -> None:
        def listening() -> int:
            return sum(bool(each.users or each.subscriptions) for each in emulator.venue.streams.connections)

        while listening() < 2:  # noqa: ASYNC110 - what is waited for happens inside the emulator, which signals nobody.
            await asyncio.sleep(0.02)
        does()

    WAITING.add(asyncio.create_task(work()))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (Permissions(account="main", can_withdraw=True), "the key may withdraw"),
        (Permissions(account="main", can_trade=False), "the key may not trade here"),
        (Permissions(account="main", is_revoked=True), "the key was refused: 401 -2015"),
    ],
    ids=["withdrawals", "no trading", "revoked"],
)
def test_a_key_that_changes_while_a_book_runs_freezes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Permissions, words: str
) -> None:
    """The checks of the start hold for the start alone: what a key may do is asked again every hour."""
    monkeypatch.setattr(key_watch, "EVERY_S", 0.5)
    monkeypatch.setattr(key_watch, "CONFIRM_S", 0)
    out, err = io.StringIO(), io.StringIO()

    with running(
        lambda emulator: _once_running(emulator, lambda: _done(emulator.control.set_permissions(change)))
    ) as url:
        run_live(config(tmp_path, url), None, out, err, seconds=5)

    assert f"btc frozen: freeze by node:key, binance/spot: {words}" in out.getvalue()
    assert err.getvalue().count(f"ALARM     binance/spot: {words}") == 1


def test_a_key_that_will_lose_its_right_to_trade_is_told_a_week_before(tmp_path: Path) -> None:
    """Binance lets keys that are bound to no address trade for some months."""

    def prepare(emulator: Emulator) -> None:
        ends_ms = emulator.clock.now_ms() + 3 * binance_checks.DAY_MS + 60_000
        emulator.control.set_permissions(Permissions(account="main", trading_ends_ms=ends_ms))

    found = [each for each in checked(tmp_path, prepare) if each.check == "expiry"]

    assert {(each.verdict, each.text) for each in found} == {
        (Verdict.TOLD, "the key loses its right to trade in 3 day(s)")
    }


# Real money.


def test_real_money_needs_three_keys(tmp_path: Path) -> None:
    """The config, the command line, and each account typed: none of them happens by accident."""
    live = config(tmp_path, None, mode="live")

    with pytest.raises(LiveRefused, match="add --live"):
        guard(live, False, ["binance/spot", "binance/usdm"])
    with pytest.raises(LiveRefused, match=r"binance/usdm was not confirmed"):
        guard(live, True, ["binance/spot"])
    with pytest.raises(LiveRefused, match="no live account of that id"):
        guard(live, True, ["binance/spot", "binance/usdm", "binance/other"])
    guard(live, True, ["binance/spot", "binance/usdm"])


def test_live_without_a_live_account_is_a_mistake(tmp_path: Path) -> None:
    """Whoever asks for real money and gets test money should hear of it."""
    with pytest.raises(LiveRefused, match="no account of `mode: live`"):
        guard(config(tmp_path, "http://127.0.0.1:9"), True, [])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("mode: emulator", "mode: live"), "one config has accounts of one mode"),
        (("address: 'http://127.0.0.1:9'", "address: 'https://api.binance.com'"), "not on this machine"),
        (("kind: usdm, ", ""), "missing key 'kind'"),
        (('key: "env:KEY", ', ""), "missing key 'key'"),
        (("address: 'http", "lease_ms: 2000, address: 'http"), "may take an order for longer"),
        (("venue: binance, kind: spot, mode: emulator", "venue: sim, balance: {USDT: 5}"), "one mode"),
    ],
)
def test_a_config_that_could_reach_something_else_is_refused(
    tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    """Before anything is asked of anybody."""
    text = TEXT.format(address="address: 'http://127.0.0.1:9'", symbol="BTCUSDT", mode="emulator")
    assert change[0] in text

    with pytest.raises(ConfigError, match=words):
        load_text(text.replace(change[0], change[1], 1), "live.yaml", tmp_path, tmp_path)


def test_what_is_simulated_does_not_even_load_what_could_reach_a_venue(tmp_path: Path) -> None:
    """The surest guard: in such a run there is no code that opens a connection to a venue."""
    config_file = ROOT / "examples" / "mirror.yaml"
    code = (
        "import sys; from hedgerow.cli.app import run;"
        f"code = run(['run', {str(config_file)!r}, '--seconds', '0.2', '--state', {str(tmp_path)!r}]);"
        "loaded = [name for name in sys.modules if name.split('.')[0] == 'aiohttp' or name in"
        " ('hedgerow.runtime.live', 'hedgerow.venues.transport.http', 'hedgerow.venues.binance_venue')];"
        "sys.exit(code or (f'loaded: {loaded}' if loaded else 0))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
    )

    assert done.returncode == 0, done.stderr


# Keys.


def test_a_secret_is_found_where_the_reference_leads(tmp_path: Path) -> None:
    """In the environment, in a file, or from a password manager; never in the config."""
    (tmp_path / "secret").write_text("of the file\n", encoding="utf-8")

    assert secret_of("env:SECRET", "x") == DEFAULT_SECRET
    assert secret_of(f"file:{tmp_path / 'secret'}", "x") == "of the file"
    assert secret_of(f"cmd:{shlex.quote(sys.executable)} -c 'print(7)'", "x") == "7"


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("env:NONE_OF_THAT_NAME", "the environment has no NONE_OF_THAT_NAME"),
        ("file:/nowhere/at/all", "cannot be read"),
        ("file:~nobody-of-that-name/s", "nobody here has that home folder"),
        ("file:/tmp/a\0b", r"'/tmp/a\\x00b' cannot be read: no path has such characters"),
        ("env:A\0B", r"the environment has no 'A\\x00B'"),
        ("cmd:/nowhere/at/all", "cannot be run"),
        ("cmd:false", "ended with 1"),
        ("cmd:true", "printed nothing"),
        ("SECRET", "no reference"),
    ],
)
def test_a_reference_that_leads_to_nothing_says_why(reference: str, words: str) -> None:
    """The name of the key in the config and the remedy; never what was found on the way."""
    with pytest.raises(NoSecret, match=words) as refused:
        secret_of(reference, "accounts.a.secret")
    assert "accounts.a.secret" in str(refused.value)
