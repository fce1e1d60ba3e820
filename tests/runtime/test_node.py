"""A node in its loop: how it starts, stops, and ends when something else does. Its clock runs far faster than life."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
from pathlib import Path

import msgspec
import pytest

from hedgerow.core.commands import Mode, SubmitOrder, Turn
from hedgerow.core.events import Action, OperatorCommanded, OrderRejected, RejectClass
from hedgerow.journal.errors import JournalLocked
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.market.tape import TapeError
from hedgerow.model.ids import BookId
from hedgerow.runtime import recovery
from hedgerow.runtime.config import load_text
from hedgerow.runtime.node import EXIT_DIED, EXIT_DONE, EXIT_INTERRUPTED, EXIT_RESIDUAL, Node, Service, stopped_from
from hedgerow.runtime.node_config import NodeConfig
from hedgerow.runtime.recovery import recover
from hedgerow.runtime.simulated import VenuesForgetful, run_node
from hedgerow.venues.gateway import Request
from hedgerow.venues.sim_gateway import SimGateway
from tests.api.running import filled_desk, write_journal
from tests.runtime.until import AT_MOST_S, Until, submits
from tests.runtime.worlds import CONFIG

SPEED = 10
BOOK = BookId("btc-mirror")


@pytest.fixture
def config(tmp_path: Path) -> NodeConfig:
    return load_text(CONFIG, "test.yaml", tmp_path, tmp_path / "state")


class Ran:
    """One run, and what it left."""

    def __init__(self, config: NodeConfig, serve: object = None, seconds: float = 3) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()
        self.code = run_node(
            config,
            serve,  # type: ignore[arg-type]
            self.out,
            self.err,
            as_json=True,
            speed=SPEED,
            seconds=seconds,
        )
        store = SqliteStore(config.journal, read_only=True)
        self.turns = [record.turn for record in store.turns()]
        self.book = recover(store, config.books)[0].book
        store.close()

    def operations(self) -> list[tuple[Action, str]]:
        return [(e.action, e.principal) for e in map(_event, self.turns) if isinstance(e, OperatorCommanded)]


def _event(turn: Turn) -> object:
    return turn.event


class Operator:
    """Runs beside the books, and gives one order as soon as they run."""

    def __init__(self, node: Node, action: Action) -> None:
        self._node = node
        self._action = action
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        self._node.operate(BOOK, OperatorCommanded(self._node.now_ns(), self._action, "a person"))
        await self._stopped.wait()

    def stop(self) -> None:
        self._stopped.set()


def test_a_stop_leaves_nothing_standing_and_the_next_run_goes_on(config: NodeConfig) -> None:
    """What rests while nobody looks would fill with nobody to hedge it."""
    first = Ran(config)

    assert first.code == EXIT_DONE
    assert first.book.mode is Mode.HALTED
    assert not any(first.book.live.values())
    assert first.book.is_hedged
    assert json.loads(first.out.getvalue())["hedged"] is True
    second = Ran(config)
    assert (Action.RESUME, "node:start") in second.operations()
    assert second.code == EXIT_DONE
    assert second.book.state.epoch > first.book.state.epoch
    assert (first.book.state.runs, second.book.state.runs) == (1, 2)
    assert second.book.state.alarms == {}


class Hanger(Operator):
    """The terminal in which the node runs is closed."""

    async def run(self) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        await self._stopped.wait()


def test_a_terminal_that_is_closed_stops_the_node_in_order(config: NodeConfig) -> None:
    """Killed at once, it would leave orders that nobody hedges."""
    ran = Ran(config, lambda node: Hanger(node, Action.HALT), seconds=600)

    assert ran.code == EXIT_DONE
    assert ran.book.mode is Mode.HALTED
    assert not any(ran.book.live.values())


def test_an_interrupt_during_the_start_is_a_stop_in_order(config: NodeConfig) -> None:
    """The books must not begin behind the back of a process that is on its way out."""

    def interrupted(node: Node) -> Service:
        os.kill(os.getpid(), signal.SIGINT)
        return Operator(node, Action.HALT)

    ran = Ran(config, interrupted, seconds=600)

    assert ran.code == EXIT_INTERRUPTED
    assert not any(ran.book.live.values())
    assert "stopping  no new orders" in ran.err.getvalue()
    assert "hedgerow.ready/1" not in ran.err.getvalue()


class Suspender(Until):
    """Somebody presses Ctrl-Z, before anything was ordered."""

    def __init__(self, node: Node) -> None:
        super().__init__(node, submits)

    async def run(self) -> None:
        os.kill(os.getpid(), signal.SIGTSTP)
        await super().run()


def test_ctrl_z_is_ignored_with_a_word(config: NodeConfig) -> None:
    """A stopped node hedges nothing, and what rests at the venues fills all the same."""
    stopped: list[int] = []
    before = signal.signal(signal.SIGTSTP, lambda number, _frame: stopped.append(number))
    try:
        ran = Ran(config, Suspender, seconds=AT_MOST_S)
    finally:
        signal.signal(signal.SIGTSTP, before)

    assert stopped == []
    assert "Ctrl-Z is ignored: a stopped node hedges nothing; Ctrl-C stops it in order" in ran.err.getvalue()
    assert ran.code == EXIT_DONE
    assert any(isinstance(command, SubmitOrder) for turn in ran.turns for command in turn.commands)


def test_a_journal_that_is_removed_stops_the_node(config: NodeConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written then is found by no start: positions and orders would be nobody's."""
    monkeypatch.setattr("hedgerow.runtime.node.PLACE_CHECK_S", 0.05)

    class Remover(Operator):
        async def run(self) -> None:
            config.journal.rename(config.journal.with_name("elsewhere"))
            await self._stopped.wait()

    out, err = io.StringIO(), io.StringIO()
    code = run_node(config, lambda node: Remover(node, Action.HALT), out, err, speed=SPEED, seconds=600)

    assert code == 74
    assert "was removed, moved or replaced while it was in use" in err.getvalue()


def test_an_operators_freeze_outlives_a_stop_and_a_start(config: NodeConfig) -> None:
    """A restart is no permission to add risk again."""
    Ran(config, lambda node: Operator(node, Action.FREEZE))

    again = Ran(config)

    assert (Action.FREEZE, "node:start, as before it: freeze by a person") in again.operations()
    assert (Action.RESUME, "node:start") not in again.operations()
    third = Ran(config)
    assert stopped_from(third.book) == (Mode.FROZEN, "freeze by node:start, as before it: freeze by a person")


def test_an_operators_halt_is_left_alone(config: NodeConfig) -> None:
    """Only a person lifts it."""
    Ran(config, lambda node: Operator(node, Action.HALT))

    again = Ran(config)

    assert again.operations() == [(Action.HALT, "a person")]
    assert again.book.mode is Mode.HALTED


def test_a_second_node_on_the_same_journal_is_refused(config: NodeConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two engines would hedge every fill twice."""
    monkeypatch.setattr(recovery, "READERS_S", 0)
    config.state.mkdir()
    store = SqliteStore(config.journal)

    with pytest.raises(JournalLocked):
        Ran(config)
    store.close()


def test_what_cannot_be_served_ends_the_node_before_it_starts(config: NodeConfig) -> None:
    """The error passes through, and the journal is free again."""

    def refuse(node: Node) -> Service:
        raise OSError("the socket is taken")

    with pytest.raises(OSError, match="the socket is taken"):
        Ran(config, refuse)

    assert Ran(config, seconds=1).code == EXIT_DONE


def test_a_task_that_ends_by_itself_stops_the_node(config: NodeConfig) -> None:
    """A dead consumer behind a living process is how positions stay naked."""

    class Mortal:
        async def run(self) -> None:
            raise RuntimeError("lost its way")

        def stop(self) -> None: ...

    ran = Ran(config, lambda node: Mortal(), seconds=600)

    assert ran.code == EXIT_DIED
    assert "api ended: lost its way" in ran.err.getvalue()
    assert not any(ran.book.live.values())


def test_venues_that_cannot_read_their_memory_say_so(config: NodeConfig) -> None:
    """Beginning anew in silence would look like a venue that lost every trade."""
    config.state.mkdir()
    (config.state / "venues.json").write_text("[{")

    with pytest.raises(VenuesForgetful, match=r"venues\.json"):
        Ran(config)


@pytest.mark.slow
def test_the_venues_of_a_run_remember_what_the_book_holds(config: NodeConfig) -> None:
    """A run that is started again finds its fills at the venues, and no drift."""
    first = Ran(config, seconds=20)
    second = Ran(config, seconds=20)

    ledgers = second.book.state.ledgers
    assert sum(ledger.fills for ledger in first.book.state.ledgers.values()) > 0
    assert all(ledger.drift_net_qty == 0 for ledger in ledgers.values())
    assert all(ledger.foreign_net_qty == 0 for ledger in ledgers.values())
    assert second.book.is_hedged


def test_output_that_nobody_reads_stops_no_hedging(config: NodeConfig) -> None:
    """The reader of a pipe went away: that is no reason to leave a position naked."""

    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    err = io.StringIO()
    assert run_node(config, None, Gone(), err, speed=SPEED, seconds=20) == EXIT_DONE

    assert "hedging goes on" in err.getvalue()
    assert "20 s are over" in err.getvalue()


def test_it_tells_when_every_book_is_ready(config: NodeConfig) -> None:
    """Whoever started it, a person or a supervisor, waits for this line."""
    ran = Ran(config)

    (ready,) = [json.loads(line) for line in ran.err.getvalue().splitlines() if line.startswith("{")]
    assert (ready["schema"], ready["hedged"], ready["epoch"]) == ("hedgerow.ready/1", True, ran.book.state.epoch)


def test_a_removed_book_that_holds_something_is_told(config: NodeConfig) -> None:
    """Renamed or deleted, its position is still there, and nobody hedges it."""
    write_journal(config.state, filled_desk())

    told = Ran(config).err.getvalue()

    assert "REMOVED   b1 is not in the config any more" in told
    assert "+1 sim:LEAD in sim/lead, -1 sim:HEDGE in sim/hedge" in told


def test_a_removed_book_that_holds_nothing_is_history(config: NodeConfig) -> None:
    """Who flattened it first need not hear of it for ever."""
    desk = filled_desk()
    del desk.turns[1:]
    write_journal(config.state, desk)

    assert "REMOVED" not in Ran(config).err.getvalue()


def test_a_journal_that_is_ahead_of_the_clock_is_told(config: NodeConfig) -> None:
    """After a run faster than life the times go on from where it ended, and that looks odd without a word."""
    Ran(config, seconds=40)

    again = Ran(config, seconds=1)

    assert f"clock     {SPEED} times as fast as life" in again.err.getvalue()
    assert "ahead of this machine's: the journal ends there" in again.err.getvalue()


def test_a_tape_that_breaks_off_stops_the_node_in_order_and_is_told(config: NodeConfig, tmp_path: Path) -> None:
    """A venue without a market is no place to hedge; the operator is told which line of which file."""
    tape = tmp_path / "short.frames"
    top = '{"u":%d,"s":"BTCUSDT","b":"60000.0","B":"1","a":"60001.0","A":"1"}'
    tape.write_text(f"1000000000 {top % 1}\n1100000000 {top % 2}\nnonsense\n")
    venues = tuple(msgspec.structs.replace(venue, tape=tape) for venue in config.venues)

    with pytest.raises(TapeError, match=r"short\.frames:3"):
        Ran(msgspec.structs.replace(config, venues=venues, markets=()), seconds=600)

    store = SqliteStore(config.journal, read_only=True)
    assert not any(recover(store, config.books)[0].book.live.values())
    store.close()


TWO = (
    CONFIG
    + """
  poor-mirror:
    policy: mirror
    tag: poor
    legs:
      lead:  {account: simA/second, symbol: BTC-PERP}
      hedge: {account: simB/poor, symbol: BTC-PERP}
    qty: 0.05
    max_net_qty: 0.1
"""
).replace(
    "books:",
    "  simA/second: {venue: sim, balance: {USD: 50000}}\n  simB/poor: {venue: sim, balance: {USD: 3100}}\nbooks:",
)


def test_a_book_that_cannot_be_hedged_keeps_no_other_book_from_stopping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hedge that is refused again and again takes all the time of a stop; the exits of the other book must go."""
    config, send = load_text(TWO, "test.yaml", tmp_path, tmp_path / "state"), SimGateway.send

    def refuse(gateway: SimGateway, request: Request) -> None:
        if gateway.account_id == "simB/poor" and isinstance(request, SubmitOrder):
            refused = RejectClass.INSUFFICIENT_MARGIN, "-2019", "Margin is insufficient."
            gateway._deliver(OrderRejected(gateway._clock.now_ns(), request.order_id, *refused))
        else:
            send(gateway, request)

    monkeypatch.setattr(SimGateway, "send", refuse)
    ran = Ran(config, seconds=20)

    assert ran.code == EXIT_RESIDUAL
    assert "poor-mirror: residual" in ran.err.getvalue()
    assert "could not be proven gone" not in ran.err.getvalue()
    assert not any(ran.book.live.values()), "every order of the sound book is proven gone"
    assert ran.book.is_hedged
