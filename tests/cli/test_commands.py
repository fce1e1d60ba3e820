"""Every command: what it prints, where, and its exit code."""

from __future__ import annotations

import io
import json
from pathlib import Path

import msgspec
import pytest

from hedgerow.api import views
from hedgerow.cli.app import COMMANDS, run
from hedgerow.cli.status import status_text
from hedgerow.core.commands import Mode
from hedgerow.core.events import Action, OperatorCommanded
from tests.api.running import filled_desk, served, write_journal
from tests.core.books import LEAD, S

ROOT = Path(__file__).parents[2]
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HEDGEROW_CONFIG", "HEDGEROW_STATE", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_every_command_has_its_help(capsys: Captured) -> None:
    """Only commands that work are listed, and each says what it does."""
    for name in COMMANDS:
        assert run([name, "--help"]) == 0
        assert f"hedgerow {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code", "words"),
    [
        (["statsu"], 2, "HR-002", "did you mean 'status'?"),
        (["status", "--jsno"], 2, "HR-002", "No such option"),
        (["config", "check"], 2, "HR-102", "HEDGEROW_CONFIG"),
        (["config", "check", "none.yaml"], 78, "HR-101", "there is no file none.yaml"),
        (["status"], 5, "HR-201", "no node runs in .hedgerow"),
        (["positions", "--state", "elsewhere"], 5, "HR-201", "no node runs in elsewhere"),
        (["explain", "x"], 5, "HR-201", "holds no journal"),
        (["freeze", "b1"], 5, "HR-201", "start one with `hedgerow run CONFIG`"),
        (["journal", "verify"], 66, "HR-301", "there is no journal"),
        (["journal", "export", "--json"], 2, "HR-002", "--out FILE"),
        (["status", "--state", "x" * 300], 78, "HR-204", "too long for this disk"),
        (["freeze", "--all", "--state", "x" * 300], 78, "HR-204", "use a shorter --state"),
        (["status", "--state", "x" * 200], 5, "HR-201", "no node runs in xxx"),
        (["journal", "export", "--after", "-5"], 2, "HR-002", "-5"),
        (["scenario", "nofile"], 66, "HR-402", "there is no file nofile"),
        (["scenario", "."], 66, "HR-402", ". is a folder; name its stories: *.txt"),
    ],
)
def test_an_error_is_one_line_with_code_and_next_step(
    capsys: Captured, arguments: list[str], exit_code: int, code: str, words: str
) -> None:
    """What, where, what next; and the same as an object for programs."""
    assert run(arguments) == exit_code
    told = capsys.readouterr()
    assert words in told.err
    assert told.out == "" or "--json" in arguments
    if code != "HR-101":
        (line,) = told.err.splitlines()
        assert line.startswith(f"hedgerow: {code} ")

    if "--json" not in arguments and "check" not in arguments:
        assert run([*arguments, "--json"]) == exit_code
        assert json.loads(capsys.readouterr().out)["code"] == code


def test_status_of_a_running_node(capsys: Captured, tmp_path: Path) -> None:
    """The one line per book, and 0 while hedged."""
    with served(filled_desk(), tmp_path / ".hedgerow"):
        assert run(["status"]) == 0
        told = capsys.readouterr()
        assert run(["status", "-q"]) == 0
        assert capsys.readouterr() == ("", "")

    first, head, row, books = told.out.splitlines()
    assert first.startswith("SIM  up ")
    assert first.endswith("  HEDGED")
    assert head.split() == ["BOOK", "LEG", "A", "QTY", "LEG", "B", "QTY", "RESIDUAL", "UNHEDGED", "P&L", "STATE"]
    assert row.split() == ["b1", "sim/lead", "+1", "sim/hedge", "-1", "0", "-", "+0.10", "hedged"]
    total, _, equity = books.partition("  equity ")
    assert total == "all books  net in quote: BTC 0.00  gross 200.10"
    assert equity == "unknown: balances of sim/lead, balances of sim/hedge"
    assert told.err == ""


def test_status_tells_what_is_not_hedged(capsys: Captured, tmp_path: Path) -> None:
    """3 is what a health check looks for; holds come with their next step."""
    desk = filled_desk(hedged=False)
    desk.wait(2 * S)
    with served(desk, tmp_path / ".hedgerow"):
        assert run(["status"]) == 3
        told = capsys.readouterr().out
        assert run(["status", "--json"]) == 3
        answer = json.loads(capsys.readouterr().out)

    assert "NOT HEDGED" in told
    assert "hedging" in told
    assert "held   b1 hedge unknown_order: " in told
    assert "next: " in told
    assert answer["books"][0]["residual"] == "1"


def test_what_held_a_removed_book_back_is_told_no_more() -> None:
    """No command of today ends its holds; that it is gone, and what it still has, is what matters."""
    desk = filled_desk(hedged=False)
    desk.wait(2 * S)
    answer = msgspec.to_builtins(views.status([], views.AT_REST, 0, removed=[desk.book]))

    told = status_text(answer)

    assert answer["removed"][0]["holds"]
    assert "removed  b1 is not in the config any more" in told
    assert "held   b1" not in told


def test_a_hold_of_many_slots_is_told_once() -> None:
    """A frozen ladder holds each level for the same reason; people read it once, programs get all."""
    hold = {"reason": "frozen", "sentence": "The book is frozen.", "numbers": {}, "next_step": "resume"}
    other = hold | {"key": "hedge/", "reason": "gated"}
    answer = {
        "hedged": True,
        "running": True,
        "mode": "SIM",
        "up_s": 1,
        "books": [
            {
                "name": "b1",
                "legs": [],
                "residual": "0",
                "unhedged_ms": 0,
                "pnl": {"total": "0", "is_complete": True},
                "state": "frozen",
                "mode_reason": "",
                "holds": [hold | {"key": f"lead/{level}:buy"} for level in range(8)] + [other],
                "alarms": [],
            }
        ],
        "removed": [],
        "portfolio": {"exposures": [], "gross": "0", "equity": "1", "unknown": []},
    }

    held = [line for line in status_text(answer).splitlines() if line.startswith("held")]
    assert held == [
        "held   b1 lead/0:buy and 7 more frozen: The book is frozen.",
        "held   b1 hedge gated: The book is frozen.",
    ]


def test_a_journal_at_rest_is_shown_and_said_to_be_one(capsys: Captured, tmp_path: Path) -> None:
    """After a crash the last known state is what people need."""
    desk = filled_desk()
    write_journal(tmp_path / "state", desk)
    for arguments, exit_code, words in (
        (["status"], 5, "NOT RUNNING  HEDGED when the journal ended, 2023-11-14T22:13:20."),
        (["positions"], 5, "sim:LEAD"),
        (["orders", "--closed"], 5, "filled"),
        (["orders"], 5, "no orders work now"),
        (["explain", "t1"], 0, "evidence: journal seq"),
    ):
        assert run([*arguments, "--state", str(tmp_path / "state")]) == exit_code
        told = capsys.readouterr()
        assert words in told.out
        assert "no node runs" in told.err
    assert run(["explain", "t9", "--state", str(tmp_path / "state")]) == 2
    assert "HR-207" in capsys.readouterr().err
    assert run(["status", "--json", "--state", str(tmp_path / "state")]) == 5
    answer = json.loads(capsys.readouterr().out)
    assert (answer["running"], answer["source"], answer["books"][0]["state"]) == (False, "journal", "not running")


def test_a_frozen_book_at_rest_is_shown_as_frozen(capsys: Captured, tmp_path: Path) -> None:
    """That no node runs must not hide that an operator had stopped it."""
    desk = filled_desk()
    desk.tell(OperatorCommanded(desk.now_ns, Action.FREEZE, "ann"))
    write_journal(tmp_path / "state", desk)

    assert run(["status", "--state", str(tmp_path / "state")]) == 5
    told = capsys.readouterr().out
    assert "NOT RUNNING" in told
    assert "frozen  b1: freeze by ann" in told


def test_an_empty_journal_is_no_hedged_book(capsys: Captured, tmp_path: Path) -> None:
    """Nothing on record is not the same as nothing open."""
    desk = filled_desk()
    desk.turns.clear()
    write_journal(tmp_path / "state", desk)

    assert run(["status", "--state", str(tmp_path / "state")]) == 5
    assert "its journal is empty" in capsys.readouterr().err


def test_explain_tells_the_chain_with_offsets(capsys: Captured, tmp_path: Path) -> None:
    """From the fill to the hedge and to how it stands."""
    with served(filled_desk(), tmp_path / ".hedgerow"):
        assert run(["explain", "t1"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("t1  book b1  SIM  from 2023-11-14T22:13:20.")
    assert any("ms  residual" in line for line in lines)
    assert any("ms  order" in line and "SELL 1" in line for line in lines)
    assert "result" in lines[-2]


def test_freeze_halt_and_resume(capsys: Captured, tmp_path: Path) -> None:
    """Each waits until the book shows that it heard."""
    with served(filled_desk(), tmp_path / ".hedgerow") as node:
        assert run(["freeze", "b1"]) == 0
        assert "b1 is frozen, residual 0" in capsys.readouterr().out
        assert run(["status", "-q"]) == 4
        assert run(["halt", "b1"]) == 2
        assert "HR-004" in capsys.readouterr().err
        assert node.desk.book.mode is Mode.FROZEN
        assert run(["halt", "--all", "--yes"]) == 0
        told = capsys.readouterr()
        assert "nothing will hedge it" in told.err
        assert "b1 is halted" in told.out
        assert run(["resume", "b1", "--json"]) == 0
        answer = json.loads(capsys.readouterr().out)
        assert (answer["schema"], answer["books"][0]["state"]) == ("hedgerow.resume/1", "hedged")
        assert run(["freeze"]) == 2
        assert run(["freeze", "b2"]) == 2
        assert "HR-206 there is no book 'b2'; books: b1" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["node:stop from running: me", "a\x1b[2J", "x" * 65])
def test_an_odd_name_of_a_user_stops_no_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """The environment says who somebody is, and it may say anything: a halt must reach the node all the same."""
    monkeypatch.setenv("LOGNAME", name)
    with served(filled_desk(), tmp_path / ".hedgerow") as node:
        assert run(["halt", "b1", "--yes"]) == 0
        assert node.desk.book.state.mode_reason == "halt by operator"


def test_the_same_request_id_acts_once(capsys: Captured, tmp_path: Path) -> None:
    """A script may repeat what it is not sure of."""
    with served(filled_desk(), tmp_path / ".hedgerow") as node:
        for _ in range(2):
            assert run(["freeze", "b1", "--request-id", "nightly"]) == 0
        assert len(node.operated) == 1
    capsys.readouterr()


def test_flatten_shows_its_plan_and_ends_flat(
    capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A book without a position is verified at the venues, then frozen."""
    desk = filled_desk()
    for leg_id in desk.config.legs:
        ledger = desk.book.ledger(leg_id.id)
        ledger.position = ledger.position.moved(-ledger.position.net_qty, ledger.last_price or 0)
    with served(desk, tmp_path / ".hedgerow") as node:
        assert run(["flatten", "b1"]) == 2
        assert node.operated == []
        assert run(["flatten", "b1", "--yes", "--request-id", "nightly"]) == 0

        told = capsys.readouterr()
        assert "plan, reduce-only" in told.err
        assert "b1 is now FROZEN (hedgerow resume b1)" in told.out

        # Asked again, it has happened: there is nothing to wait for.
        monkeypatch.setattr("hedgerow.cli.operate.time.sleep", lambda _: pytest.fail("it waits"))
        assert run(["flatten", "b1", "--yes", "--request-id", "nightly"]) == 0
        assert len(node.operated) == 1
    capsys.readouterr()


def test_flatten_that_leaves_something_says_what(capsys: Captured, tmp_path: Path) -> None:
    """This venue fills nothing, so the position stays, and the exit code says so."""
    with served(filled_desk(), tmp_path / ".hedgerow") as node:
        assert run(["flatten", "b1", "--yes", "--timeout", "0"]) == 6
        assert node.desk.book.mode is Mode.FLATTENING
        assert node.desk.book.net_qty(LEAD) == 1

    told = capsys.readouterr()
    assert "SELL    1 sim:LEAD  sim/lead" in told.err
    assert "left  sim/lead  +1 sim:LEAD" in told.out
    assert "HR-501" in told.err


class Person(io.StringIO):
    """Somebody at a terminal, who types this."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("typed", ["n\n", "\n", ""])
def test_who_says_no_is_told_that_nothing_was_sent(
    capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    """A no, a bare return, or the end of the input: the book goes on as it was."""
    with served(filled_desk(), tmp_path / ".hedgerow") as node:
        for arguments in (["flatten", "b1"], ["halt", "b1"]):
            monkeypatch.setattr("sys.stdin", Person(typed))
            assert run(arguments) == 130
            assert "hedgerow: nothing was sent" in capsys.readouterr().err
        assert node.operated == []


def test_an_interrupted_wait_says_that_the_node_goes_on(
    capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C ends the watching, not the flattening."""

    def interrupted(*watched: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hedgerow.cli.operate._watch", interrupted)
    with served(filled_desk(), tmp_path / ".hedgerow") as node:
        assert run(["flatten", "b1", "--yes"]) == 130
        assert len(node.operated) == 1
    assert "b1 goes on flattening without this command" in capsys.readouterr().err


def test_a_folder_that_was_deleted_is_named(capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell that stands in a folder that is gone is common after a clean-up."""
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    monkeypatch.chdir(nowhere)
    nowhere.rmdir()

    assert run(["status"]) == 66
    assert "HR-402 the current folder was deleted; go to another folder" in capsys.readouterr().err


def test_signal_reaches_the_policy(capsys: Captured, tmp_path: Path) -> None:
    """An operator's entry is journaled like every other event."""
    with served(filled_desk(), tmp_path / ".hedgerow") as node:
        assert run(["signal", "b1", "enter", "now"]) == 0
        assert node.desk.book.state.signal is not None
        assert node.desk.book.state.signal.detail == "enter now"
    capsys.readouterr()


def test_the_journal_is_verified_and_exported(capsys: Captured, tmp_path: Path) -> None:
    """A damaged or newer journal is told with its remedy, and left as it is."""
    state = tmp_path / ".hedgerow"
    path = write_journal(state, filled_desk())
    records = len(filled_desk().turns)

    assert run(["journal", "verify"]) == 0
    assert f"{records} records, all in place" in capsys.readouterr().out
    assert run(["journal", "verify", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["records"] == records
    assert run(["journal", "export", "--out", "turns.jsonl", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["records"] == records
    assert len((tmp_path / "turns.jsonl").read_text(encoding="utf-8").splitlines()) == records
    assert run(["journal", "export", "--out", "no/such/place"]) == 66
    for place in (path, Path(f"{path}-wal"), Path(f"{path}.anchor")):
        assert run(["journal", "export", "--out", str(place)]) == 2
        assert f"HR-406 {place} is a journal, or belongs to one" in capsys.readouterr().err
    (tmp_path / "copy").write_bytes(path.read_bytes())
    assert run(["journal", "export", "--out", "copy"]) == 2
    capsys.readouterr()
    assert run(["journal", "export", "--after", "99999"]) == 2
    assert f"ends at record {records}; there is no record 99999" in capsys.readouterr().err
    assert run(["journal", "export", "--book", "nobody"]) == 2
    assert "has no book nobody; there is b1" in capsys.readouterr().err
    assert run(["journal", "export", "--after", str(records), "--out", "none.jsonl"]) == 0
    if Path("/dev/full").exists():
        assert run(["journal", "export", "--out", "/dev/full"]) == 74
        assert "HR-305 /dev/full: No space left on device" in capsys.readouterr().err
    Path(f"{path}.anchor").rename(tmp_path / "anchor")
    assert run(["journal", "verify"]) == 0
    assert "has no readable anchor" in capsys.readouterr().err
    (tmp_path / "anchor").rename(f"{path}.anchor")

    damaged = bytearray(path.read_bytes())
    at = damaged.index(b'"what":"FillReceived"')
    damaged[at + 9] ^= 1
    path.write_bytes(bytes(damaged))
    assert run(["journal", "verify"]) == 65
    assert "restore it from a copy" in capsys.readouterr().err
    before = (tmp_path / "turns.jsonl").read_bytes()
    assert run(["journal", "export", "--out", "turns.jsonl"]) == 65
    assert run(["journal", "export", "--out", "half.jsonl"]) == 65
    assert (tmp_path / "turns.jsonl").read_bytes() == before
    assert not list(tmp_path.glob("half*")) + list(tmp_path.glob("*.part"))
    capsys.readouterr()


def test_a_config_whose_money_does_not_reach_is_told(capsys: Captured, tmp_path: Path) -> None:
    """Not even one order: an error. Not all of them: a warning, with the numbers."""
    text = (ROOT / "examples" / "mirror.yaml").read_text(encoding="utf-8")
    poor, wrong = tmp_path / "poor.yaml", tmp_path / "wrong.yaml"
    poor.write_text(text.replace("{USD: 50000}", "{USD: 9000}", 1), encoding="utf-8")
    wrong.write_text(text.replace("{USD: 50000}", "{USDT: 50000}", 1), encoding="utf-8")

    assert run(["config", "check", str(poor)]) == 0
    warned = "simA/main has 9,000 USD, and all that its books may hold takes about 12,005 USD"
    assert warned in capsys.readouterr().err
    assert run(["config", "check", str(poor), "--json"]) == 0
    assert warned in json.loads(capsys.readouterr().out)["warnings"][0]
    assert run(["config", "check", str(wrong)]) == 78
    told = capsys.readouterr().err
    assert "simA/main has 0 USD (it has USDT), and one order of simA:BTC-PERP takes about 3,001 USD" in told


def test_a_newer_journal_is_refused(capsys: Captured, tmp_path: Path) -> None:
    """Guessing at a newer format could read a position wrongly."""
    import sqlite3

    path = write_journal(tmp_path / ".hedgerow", filled_desk())
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()

    for arguments in (["status"], ["journal", "verify"]):
        assert run(arguments) == 65
        assert "HR-303" in capsys.readouterr().err


def test_config_commands(capsys: Captured, tmp_path: Path) -> None:
    """Check, show, schema and diff, for people and for programs."""
    mirror, carry = str(ROOT / "examples" / "mirror.yaml"), str(ROOT / "examples" / "carry.yaml")

    assert run(["config", "check", mirror]) == 0
    assert "ok (2 accounts, 1 book, sha " in capsys.readouterr().out
    assert run(["config", "show", mirror]) == 0
    assert "max_net_qty: '0.2'" in capsys.readouterr().out
    assert run(["config", "show", mirror, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["books"]["btc-mirror"]["policy"] == "mirror"
    assert run(["config", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "hedgerow config"
    assert run(["config", "diff", mirror, mirror]) == 0
    assert capsys.readouterr().out == "no difference\n"
    assert run(["config", "diff", mirror, carry]) == 0
    assert "books.btc-carry" in capsys.readouterr().out

    bad = tmp_path / "bad.yaml"
    bad.write_text("accounts: {}\nbooks: {}\n", encoding="utf-8")
    assert run(["config", "check", str(bad), "--json"]) == 78
    answer = json.loads(capsys.readouterr().out)
    assert [(error["path"], error["line"]) for error in answer["errors"]] == [("accounts", 1), ("books", 2)]


def test_a_config_is_compared_with_what_ran(capsys: Captured, tmp_path: Path) -> None:
    """Before a restart one wants to know what it will change."""
    write_journal(tmp_path / "state", filled_desk())

    assert run(["config", "diff", str(ROOT / "examples" / "mirror.yaml"), "--state", str(tmp_path / "state")]) == 0
    assert "books.b1" in capsys.readouterr().out


def test_a_scenario_runs(capsys: Captured) -> None:
    """Its exit code is the verdict."""
    assert run(["scenario", str(ROOT / "tests" / "scenarios" / "style_example.txt")]) == 0
    assert "1 passed" in capsys.readouterr().out


def test_torture_runs_seeds_and_traces_one(capsys: Captured) -> None:
    """What it prints is what the checks of a release read."""
    assert run(["torture", "--seeds", "2", "--jobs", "1", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["schema"], answer["worlds"], answer["violations"]) == ("hedgerow.torture/1", 2, 0)
    assert run(["torture", "--seeds", "1", "--seed", "1", "--trace"]) == 0
    told = capsys.readouterr()
    assert "seed 1: 0 violations" in told.out
    assert "turn 1 " in told.err
    assert run(["torture", "--trace"]) == 2
    assert run(["torture", "--mutant", "retry_new_cd"]) == 2
    assert "did you mean 'retry_new_cid'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (["run"], 2, "HR-102"),
        (["run", "none.yaml"], 78, "there is no file none.yaml"),
        (["run", "none.yaml", "--tape", "spot"], 2, "not VENUE=FILE"),
        (["run", str(ROOT / "examples" / "carry-tape.yaml"), "--tape", "spot=none.gz"], 78, "there is no tape none.gz"),
        (["run", str(ROOT / "examples" / "carry-tape.yaml"), "--tape", "sopt=."], 78, "did you mean 'spot'?"),
        (["run", str(ROOT / "examples" / "mirror.yaml"), "--speed", "0"], 2, "--speed"),
        (["run", "none.yaml", "--tape", "spot=a", "--tape", "spot=b"], 2, "venue spot has the tape a already"),
        (["run", str(ROOT / "examples" / "mirror.yaml"), "--state", "x" * 300], 78, "HR-204"),
        (["run", str(ROOT / "examples" / "mirror.yaml"), "--state", "/dev/null/st"], 74, "/dev/null is no folder"),
    ],
)
def test_a_run_does_not_start_on_wrong_words(
    capsys: Captured, arguments: list[str], exit_code: int, words: str
) -> None:
    """Everything is checked before the first file is made."""
    assert run(arguments) == exit_code
    assert words in capsys.readouterr().err
    assert list(Path().iterdir()) == []


def test_a_run_leaves_a_journal_that_the_others_read(capsys: Captured, tmp_path: Path) -> None:
    """From a config to a verified journal, with the API beside it."""
    mirror = str(ROOT / "examples" / "mirror.yaml")

    assert run(["run", mirror, "--state", "st", "--seconds", "5", "--speed", "20", "--json"]) == 0
    told = capsys.readouterr()
    ran = json.loads(told.out)
    assert (ran["schema"], ran["hedged"]) == ("hedgerow.run/1", True)
    assert '"schema":"hedgerow.ready/1"' in told.err
    assert run(["status", "--state", "st", "--json"]) == 5
    status = json.loads(capsys.readouterr().out)
    assert (status["source"], status["books"][0]["state"]) == ("journal", "stopped")
    assert run(["journal", "verify", "--state", "st", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["records"] == ran["journal_seq"]
    assert run(["config", "diff", mirror, "--state", "st"]) == 0
    assert capsys.readouterr().out == "no difference\n"


def test_a_run_beside_another_node_is_refused(capsys: Captured, tmp_path: Path) -> None:
    """Two nodes on one state folder would be two engines on one journal; the first is not disturbed."""
    mirror = str(ROOT / "examples" / "mirror.yaml")
    with served(filled_desk(), tmp_path / "st"):
        assert run(["run", mirror, "--state", "st", "--seconds", "1"]) == 75
        assert "HR-203 a node answers at" in capsys.readouterr().err
        assert run(["status", "-q", "--state", "st"]) == 0


def test_what_stands_in_the_sockets_place_is_told_before_anything_is_made(capsys: Captured, tmp_path: Path) -> None:
    """A run that cannot be served must not leave a journal behind."""
    (tmp_path / "st").mkdir()
    (tmp_path / "st" / "api.sock").write_text("mine", encoding="utf-8")

    assert run(["run", str(ROOT / "examples" / "mirror.yaml"), "--state", "st"]) == 74
    assert "HR-205" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "st").iterdir()] == ["api.sock"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"hello\n", "tape:1: is not a frames file"),
        (b'1723161253937085768 {"a":1}\nnonsense\n', "tape:2: does not begin with a receive time"),
    ],
)
def test_a_tape_that_cannot_be_used_is_told_by_line(
    capsys: Captured, tmp_path: Path, content: bytes, words: str
) -> None:
    """What is wrong with its beginning is told before anything is made."""
    (tmp_path / "tape").write_bytes(content)
    arguments = ["run", str(ROOT / "examples" / "carry-tape.yaml"), "--state", "st"]

    assert run([*arguments, "--tape", "spot=tape", "--tape", "usdm=tape"]) == 65
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("hedgerow: HR-401 ")
    assert words in last
    # What is wrong further down is found while it plays.
    assert Path("st").exists() == (":2:" in words)


def test_completion_and_version(capsys: Captured) -> None:
    """Small, and still objects with --json."""
    for shell in ("bash", "zsh", "fish"):
        assert run(["completion", shell]) == 0
        assert "_HEDGEROW_COMPLETE" in capsys.readouterr().out
    assert run(["version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["schema"] == "hedgerow.version/1"
