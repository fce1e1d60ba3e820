"""The stories hold, every verb is told somewhere, and bad stories are told with their line."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow.core.book import Book
from hedgerow.model.ids import LegId
from hedgerow.model.order import Fill
from hedgerow.sim.judging import Judge
from hedgerow.sim.scenario import Result, run, run_file, run_text
from hedgerow.sim.story import COMMANDED, HOLDS, MESSAGES, SETUP, TOLD, VERBS, parse, render_verbs
from hedgerow.sim.telling import Teller

HERE = Path(__file__).parent
STORIES = sorted(HERE.glob("*.txt"))
REFERENCE = HERE.parent.parent / "docs" / "reference" / "scenarios.md"

BOOK = "hedge H1 mirror lead SIM:SPOT hedge SIM:PERP ratio -1\n"
FILL = "> filled SIM:SPOT buy 0.5 @ 100.0\n"
HEDGED = FILL + "< submit SIM:PERP sell 0.5 as o1\n"


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_a_story_holds(path: Path) -> None:
    """What happened once in a live system must not happen here again."""
    result = run_file(path)

    assert result.passed, result.told
    assert result.expectations > 0, "a story without expectations proves nothing"


def test_every_verb_is_told_somewhere() -> None:
    """A verb that no story uses is a verb that nobody needs, or one that nobody tried."""
    used = set()
    for path in STORIES:
        for line in parse(path.read_text(encoding="utf-8")):
            used.add((line.mark, line.verb))
            if line.message is not None:
                used.add((TOLD, line.message.verb))

    assert {(verb.mark, verb.name) for verb in VERBS} - used == set()


def test_every_verb_is_played() -> None:
    """The grammar and its players are one list."""
    players = {COMMANDED: (Judge, ("_commanded_",)), HOLDS: (Judge, ("_holds_",))}
    for verb in VERBS:
        if verb.mark == TOLD:
            prefix = "_message_" if verb.name in MESSAGES else "_deed_"
            assert hasattr(Teller, prefix + verb.name), verb
        elif verb.mark != SETUP:
            player, (prefix,) = players[verb.mark]
            assert hasattr(player, prefix + verb.name), verb


def test_the_reference_has_every_verb() -> None:
    """The tables in the docs are the forms that check the lines."""
    assert render_verbs() in REFERENCE.read_text(encoding="utf-8")


def test_the_examples_of_the_reference_run() -> None:
    """An example that does not run teaches the wrong thing."""
    examples = re.findall(r"```story\n(.*?)```", REFERENCE.read_text(encoding="utf-8"), re.DOTALL)

    assert examples
    for number, example in enumerate(examples, start=1):
        result = run_text(f"example {number}", example)
        assert result.passed, result.told


BAD_STORIES = {
    "unknown verb": (BOOK + "> filed SIM:SPOT buy 0.5 @ 100.0", 2, "a known verb", "'filed'", "'filled'"),
    "wrong mark": (BOOK + "> submit SIM:PERP sell 0.5", 2, "a known verb", "'submit'", "'<'"),
    "no verb": (BOOK + ">", 2, "a verb", "the end of the line", "delete"),
    "missing word": (BOOK + "> filled SIM:SPOT buy 0.5 @", 2, "PRICE", "the end of the line", "write: filled"),
    "wrong word": (BOOK + "> filled SIM:SPOT bought 0.5 @ 100.0", 2, "SIDE", "'bought'", "write: filled"),
    "misspelt choice": (BOOK + HEDGED + "> rejected o1 rate_limitd", 4, "CLASS", "'rate_limitd'", "rate_limited"),
    "not a number": (BOOK + "> filled SIM:SPOT buy 0,5 @ 100.0", 2, "QTY", "'0,5'", "write: filled"),
    "word too many": (BOOK + "> link_up SIM:SPOT now", 2, "the end of the line", "'now'", "write: link_up"),
    "no duration": (BOOK + "> after 2 parsecs", 2, "DURATION", "'2 parsecs'", "write: after"),
    "too long": (BOOK + "> after 2 h", 2, "an hour", "'2 h'", "several"),
    "no book": ("> after 2 s", 1, "hedge", "none", "begin with"),
    "two books": (BOOK + BOOK, 2, "one `hedge` line", "a second one", "its own file"),
    "late set-up": (BOOK + FILL + "param qty 1", 3, "a line with", "'param'", "at the top"),
    "unknown leg": (BOOK + "> link_up SIM:OTHER", 2, "SIM:SPOT or SIM:PERP", "'SIM:OTHER'", "check"),
    "unknown leg in set-up": (BOOK + "instrument SIM:OTHER perp\n" + FILL, 2, "SIM:PERP", "'SIM:OTHER'", "check"),
    "unnamed order": (BOOK + "> accepted o1", 2, "named before (none yet)", "'o1'", "`as`"),
    "unknown policy": (BOOK.replace("mirror", "mirrow") + FILL, 1, "a policy", "'mirrow'", "one of"),
    "unknown param": (BOOK + "param qtty 1\n" + FILL, 2, "mirror takes", "qtty", "did you mean qty?"),
    "bad param": (BOOK + "param qty -1\n" + FILL, 2, "mirror takes", "out of range", "Size"),
    "unknown limit": (BOOK + "limit max_notion 1\n" + FILL, 2, "max_notional", "'max_notion'", "check"),
    "bad limit": (BOOK + "limit max_open_orders 1.5\n" + FILL, 2, "right kind", "int", "field"),
    "zero step": (BOOK + "instrument SIM:PERP perp step 0\n" + FILL, 2, "step above 0", "0", "filter"),
    "zero qty": (BOOK + "> filled SIM:SPOT buy 0 @ 100.0", 2, "QTY (base units, > 0)", "'0'", "write: filled"),
    "bad levels": (BOOK + "> quote SIM:SPOT 99.9 y 5 / 100.1", 2, "PRICE x QTY", "99.9 y 5", "commas"),
    "no slash": (BOOK + "> quote SIM:SPOT 99.9 100.1", 2, "BIDS / ASKS", "99.9 100.1", "`/`"),
    "crossed words": (BOOK + "> crash before send", 2, "before append", "'before send'", "dies"),
    "nothing to repeat": (BOOK + "> repeat", 2, "a message to repeat", "none", "before"),
    "lost clock": (BOOK + "> lost after 2 s", 2, "a message of a venue", "'after'", "use one of"),
    "bad lost": (BOOK + "> lost filed", 2, "a known verb", "'filed'", "'filled'"),
    "odd numbers": (BOOK + "= hold SIM:PERP below_minimum owed", 2, "pairs", "owed", "words"),
    "trade without exchange": (BOOK + "> trade SIM:PERP sell 1 @ 100.0", 2, "`exchange`", "'SIM:PERP'", "filled"),
    "fill of an exchange": (BOOK + "exchange SIM:SPOT\n" + FILL, 3, "without `exchange`", "filled", "`trade`"),
    "wrong book": (BOOK + "= residual H2 0", 2, "'H1'", "'H2'", "book of the story"),
    "empty": ("# nothing\n", 1, "hedge", "none", "begin with"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_STORIES)
def test_what_is_no_story_is_told_with_its_line(name: str) -> None:
    """Whoever writes a story learns from one line where it is wrong, and what to write."""
    text, line, expected, got, to_do = BAD_STORIES[name]

    result = run_text("story.txt", text)

    assert not result.passed
    assert not result.readable, result.told
    assert result.line == line, result.told
    assert expected in result.expected, result.told
    assert got in result.got, result.told
    assert to_do in result.to_do, result.told
    assert result.told.startswith(f"story.txt:{line}: expected "), result.told
    assert "\n" not in result.told


UNMET = {
    "another qty": (FILL + "< submit SIM:PERP sell 0.4", 3, "submit SIM:PERP sell 0.4", "submit SIM:PERP sell 0.5"),
    "another side": (FILL + "< submit SIM:PERP buy 0.5", 3, "submit SIM:PERP buy 0.5", "submit SIM:PERP sell 0.5"),
    "another price": (FILL + "< submit SIM:PERP sell 0.5 @ 1.0", 3, "@ 1.0", "submit SIM:PERP sell 0.5"),
    "another role": (FILL + "< submit SIM:PERP sell 0.5 exit", 3, "exit", "hedge"),
    "not asked for": (FILL + "> after 1 s", 3, "no further submit or cancel", "submit SIM:PERP sell 0.5"),
    "not asked for at the end": (FILL, 2, "no further submit or cancel", "submit SIM:PERP sell 0.5"),
    "not nothing": (FILL + "< nothing", 3, "nothing", "submit SIM:PERP sell 0.5"),
    "never sent": ("> after 1 s\n< submit SIM:PERP sell 0.5", 3, "submit SIM:PERP sell 0.5", "nothing"),
    "twice": (FILL + "< submit SIM:PERP sell 0.5\n< submit SIM:PERP sell 0.5", 4, "submit", "nothing"),
    "residual": (FILL + "< submit SIM:PERP sell 0.5\n= residual H1 0.4", 4, "residual 0.4", "0.5"),
    "position": ("= position SIM:SPOT 1", 2, "position SIM:SPOT 1", "0"),
    "hedged": (FILL + "< submit SIM:PERP sell 0.5\n= hedged", 4, "hedged", "residual 0.5"),
    "unhedged": ("= unhedged", 2, "unhedged", "residual 0"),
    "hold": ("= hold SIM:PERP below_minimum", 2, "below_minimum", "no_mark_price"),
    "hold's number": ("= hold SIM:SPOT no_mark_price owed 1", 2, "owed 1", "no_mark_price"),
    "no hold": ("= no hold", 2, "no hold", "no_mark_price"),
    "alarm": ("= alarm drift", 2, "alarm drift", "no alarm"),
    "no alarm": ("> link_down SIM:PERP gone\n= no alarm", 3, "no alarm", "link_down: gone"),
    "mode": ("= mode halted", 2, "halted", "running"),
    "order": (FILL + "< submit SIM:PERP sell 0.5 as o1\n= order o1 open", 4, "order o1 open", "submitting"),
    "working": ("= working SIM:PERP 1", 2, "1", "0"),
    "sent": ("= sent SIM:PERP 1", 2, "1", "0"),
    "parked": ("= parked 1", 2, "1", "0"),
    "fenced": ("= fenced", 2, "fenced off", "none"),
    "unsent": (FILL + "< submit SIM:PERP sell 0.5\n= unsent SIM:PERP sell 0.5 as o1", 4, "unsent", "none"),
    "query": (FILL + "< submit SIM:PERP sell 0.5 as o1\n< query o1", 4, "query o1", "none"),
    "read": (FILL + "< submit SIM:PERP sell 0.5\n< read SIM:PERP position", 4, "read SIM:PERP position", "none"),
    "cancel": (FILL + "< submit SIM:PERP sell 0.5 as o1\n< cancel o1", 4, "cancel o1", "nothing"),
    "no refusal": ("> retry_due", 2, "a refusal", "none"),
    "a dead engine": ("> crash\n= residual H1 0", 3, "a running engine", "died"),
    "no signal": ("> late 1 s link_down SIM:SPOT\n= alarm link_down", 3, "alarm link_down", "no alarm"),
}


@pytest.mark.parametrize("name", UNMET)
def test_an_unmet_expectation_is_told_with_expected_and_got(name: str) -> None:
    """A failing story says what the book did instead, on one line."""
    text, line, expected, got = UNMET[name]

    result = run_text("story.txt", BOOK + text)

    assert not result.passed
    assert result.readable, result.told
    assert result.line == line, result.told
    assert expected in result.expected, result.told
    assert got in result.got, result.told
    assert result.to_do
    assert "\n" not in result.told


def test_a_broken_check_is_told_as_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """What breaks the engine is a finding about the engine: it is told with the line, not as a traceback."""

    def broken(book: Book, leg_id: LegId, fill: Fill) -> bool:
        raise AssertionError("a rule does not hold")

    monkeypatch.setattr("hedgerow.core.apply._apply_fill", broken)
    result = run_text("story.txt", BOOK + "> filled SIM:SPOT buy 1 @ 100.0\n")

    assert result.told.startswith("story.txt:2: expected the engine's own checks to hold, got "), result.told
    assert "\n" not in result.told


def test_every_file_is_run_and_counted(tmp_path: Path) -> None:
    """One failing story does not hide the next one."""
    good, unmet, bad = tmp_path / "good.txt", tmp_path / "unmet.txt", tmp_path / "bad.txt"
    good.write_text(BOOK + "= hedged\n", encoding="utf-8")
    unmet.write_text(BOOK + "= unhedged\n", encoding="utf-8")
    bad.write_bytes(b"\xff\xfe")
    out, err = io.StringIO(), io.StringIO()

    assert run([good], io.StringIO(), io.StringIO()) == 0
    assert run([unmet, good], io.StringIO(), io.StringIO()) == 1
    assert run([bad, tmp_path / "missing.txt", unmet, good], out, err) == 2

    assert f"{unmet}:2: expected an unhedged book" in out.getvalue()
    assert "4 stories: 1 passed, 1 failed, 2 unreadable" in out.getvalue()
    assert "missing.txt: expected a readable text file, got No such file" in err.getvalue()


def test_json_is_one_object(tmp_path: Path) -> None:
    """A script reads what a person reads."""
    unmet = tmp_path / "unmet.txt"
    unmet.write_text(BOOK + "= unhedged\n", encoding="utf-8")
    out = io.StringIO()

    assert run([unmet], out, io.StringIO(), json=True) == 1

    told = json.loads(out.getvalue())
    assert told["schema"] == "hedgerow.scenario/1"
    assert (told["stories"], told["passed"], told["failed"], told["unreadable"]) == (1, 0, 1, 0)
    (result,) = told["results"]
    assert result["line"] == 2
    assert result["expected"] == "an unhedged book"


def test_the_same_story_gives_the_same_result() -> None:
    """Nothing in a story depends on a clock, on chance or on the run before."""
    text = (HERE / "X02_a_mirror_on_two_simulated_exchanges.txt").read_text(encoding="utf-8")

    assert run_text("a", text) == run_text("a", text)


LITERALS = sorted({word for verb in VERBS for form in verb.forms for word in form.split() if word.islower()})
NAMES = ("SIM:SPOT", "SIM:PERP", "H1", "o1", "buy", "sell", "rate_limited", "open_orders", "halted", "append", "before")
SIGNS = ("0.5", "0", "-1", "100.0", "2", "s", "1000000", "h", "none", "/", "x", "@", "fail", "empty", "[", '"', "é")
WORDS = st.sampled_from([*"><=" * 5, *LITERALS, *NAMES, *SIGNS])
LINES = st.lists(WORDS, max_size=9).map(" ".join)
FORMED = st.sampled_from(
    """\
> filled SIM:SPOT buy 0.5 @ 100.0
< submit SIM:PERP sell 0.5 as o1
> after 2 s
> retry_due
> crash
> crash after append
> restart
> second_engine
> unknown o1
> not_found o1
> accepted o1
> rejected o1 other
> filled o1 0.2 @ 100.0
> working o1 cum 0.3
> canceled o1
> expired o1 cum ?
> done o1
> cancel o1 gone
> operator halt
> operator flatten
> operator resume
> repeat 3
> lost filled o1 0.1 @ 100.0
> late 1 s accepted o1
> foreign SIM:PERP buy 1 @ 100.0
> liquidated SIM:PERP sell 0.1 @ 90.0
> position SIM:PERP 1
> open_orders SIM:PERP none
> reads SIM:PERP fail
> quote SIM:SPOT 99.9 / 100.1
> quote SIM:SPOT none / none
> filters SIM:PERP step 0.3 min 0.3
> link_down SIM:PERP
> link_up SIM:PERP
> journal_failed
""".splitlines()
)


@settings(max_examples=150)
@given(st.lists(LINES, max_size=6))
def test_no_text_breaks_the_reader(lines: list[str]) -> None:
    """Whatever is written, the answer is a line and not a traceback."""
    assert isinstance(run_text("story.txt", BOOK + "\n".join(lines)), Result)


@settings(max_examples=150)
@given(st.lists(FORMED, max_size=25))
def test_no_order_of_messages_breaks_the_engine(lines: list[str]) -> None:
    """A story may be told in any order; the engine's own checks hold, and its journal folds to what was lived."""
    result = run_text("story.txt", BOOK + "\n".join(lines))

    assert "own checks" not in result.expected, ("\n".join(lines), result.told)
