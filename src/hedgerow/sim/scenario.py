"""Runs stories: the real core and the real journal in virtual time, against venues that do what the story says.

At each start and at the end of a story the journal is folded again and must give the state that was lived.
"""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import TextIO

import msgspec

from hedgerow.market.fees import Fees
from hedgerow.model.numbers import ZERO
from hedgerow.sim.exchanged import QUOTE_BALANCE, ExchangedLeg
from hedgerow.sim.judging import Judge
from hedgerow.sim.stage import (
    EVENTS_PER_LINE_MAX,
    EngineDead,
    Restless,
    Stage,
)
from hedgerow.sim.staging import (
    DEFAULT_LEVEL_QTY,
    Names,
    began_ns,
    configured,
    make_strategy,
)
from hedgerow.sim.story import (
    SETUP,
    STANDING,
    TOLD,
    BadStory,
    Line,
    Unmet,
    parse,
)
from hedgerow.sim.telling import Teller

DEFAULT_BIDS = ((Decimal("99.99"), DEFAULT_LEVEL_QTY),)
DEFAULT_ASKS = ((Decimal("100.01"), DEFAULT_LEVEL_QTY),)


class Result(msgspec.Struct, frozen=True):
    """How one story ended: at its end, or at its first problem."""

    name: str
    expectations: int
    "`<` and `=` lines that were met."
    passed: bool
    readable: bool = True
    "Whether it could be run at all."
    line: int = 0
    "Where the problem is; 0 when there is none, or when it is the file itself."
    expected: str = ""
    got: str = ""
    to_do: str = ""

    @property
    def told(self) -> str:
        """Return the problem in one line, `FILE:LINE: expected … got …; what to do`."""
        place = f"{self.name}:{self.line}" if self.line else self.name
        return f"{place}: expected {self.expected}, got {self.got}; {self.to_do}"


def run_file(path: Path) -> Result:
    """Run the story in a file. What is wrong with it is in the result, never raised."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        got = error.strerror if isinstance(error, OSError) and error.strerror else "bytes that are no UTF-8 text"
        return Result(str(path), 0, False, False, 0, "a readable text file", got, "check the path")
    return run_text(str(path), text)


def run_text(name: str, text: str) -> Result:
    """Run a story. What is wrong with it is in the result, never raised."""
    story: Story | None = None
    try:
        lines = parse(text)
        story = Story(lines)
        story.run()
    except BadStory as bad:
        met = story.met if story is not None else 0
        return Result(name, met, False, False, bad.line, bad.expected, bad.got, bad.to_do)
    except Unmet as unmet:
        met = story.met if story is not None else 0
        return Result(name, met, False, True, unmet.line, unmet.expected, unmet.got, unmet.to_do)
    except (AssertionError, LookupError, ArithmeticError, ValueError) as broken:
        met, line = (story.met, story.line.number) if story is not None else (0, 0)
        got = " ".join(f"{type(broken).__name__}: {broken}".split())
        return Result(name, met, False, True, line, "the engine's own checks to hold", got, "report it with this story")
    return Result(name, story.met, True)


def run(paths: Iterable[Path], out: TextIO, err: TextIO, *, json: bool = False) -> int:
    """Run stories one after the other and tell how each ended.

    Args:
        paths: the files, in this order.
        out: where results go.
        err: where files that are no story are told of.
        json: write one object `hedgerow.scenario/1` to `out` instead of lines.

    Returns:
        0 all passed; 1 an expectation was not met; 2 a story or file cannot be read (wins over 1).
    """
    results = [run_file(path) for path in paths]
    unreadable = [result for result in results if not result.readable]
    failed = [result for result in results if result.readable and not result.passed]
    passed = len(results) - len(failed) - len(unreadable)
    if json:
        told = {
            "schema": "hedgerow.scenario/1",
            "stories": len(results),
            "passed": passed,
            "failed": len(failed),
            "unreadable": len(unreadable),
            "results": [msgspec.to_builtins(result) for result in results],
        }
        out.write(jsonlib.dumps(told) + "\n")
    else:
        for result in results:
            if result.passed:
                out.write(f"ok    {result.name}  {result.expectations} expectations\n")
            else:
                (out if result.readable else err).write(f"FAIL  {result.told}\n")
        out.write(f"{len(results)} stories: {passed} passed, {len(failed)} failed, {len(unreadable)} unreadable\n")
    return 2 if unreadable else 1 if failed else 0


class Story:
    """One story under way."""

    def __init__(self, lines: tuple[Line, ...]) -> None:
        self.met = 0
        "Expectations met so far."
        self.line = lines[0] if lines else Line(1, SETUP, "", {}, "")
        "The line at hand."
        setup = [line for line in lines if line.mark == SETUP]
        self._lines = [line for line in lines if line.mark != SETUP]
        config, legs = configured(setup)
        self._stage = Stage(config, make_strategy(config, setup), began_ns(setup))
        self._names = Names(self._stage, legs)
        self._teller = Teller(self._stage, self._names)
        self._judge = Judge(self._stage, self._names)
        self._set_venues(setup)

    def _set_venues(self, setup: list[Line]) -> None:
        stage = self._stage
        for line in setup:
            if line.verb == "account":
                price = line.amount("PRICE") if line.has("PRICE") else None
                stage.accounts[self._names.leg(line)] = (line.amount("NET"), price)
        for line in setup:
            if line.verb == "exchange":
                leg_id = self._names.leg(line)
                base_balance, _ = stage.accounts.get(leg_id, (ZERO, None))
                fees = Fees(line.amount("FEE"), line.amount("TAKER")) if line.has("FEE") else Fees()
                quote_balance = line.amount("balance") if line.has("balance") else QUOTE_BALANCE
                stage.exchanged[leg_id] = ExchangedLeg(stage.config.leg(leg_id), base_balance, quote_balance, fees)
        quoted = {self._names.legs.get(line.text("INSTRUMENT")) for line in self._lines if line.verb == "quote"}
        rule = stage.config.hedge
        if rule is not None and rule.hedge not in quoted:
            stage.set_quote(rule.hedge, DEFAULT_BIDS, DEFAULT_ASKS)

    def run(self) -> None:
        """Play the story to its end.

        Raises:
            BadStory: it names what it never introduced.
            Unmet: an expectation does not hold.
        """
        has_begun = False
        for line in self._lines:
            self.line = line
            self._stage.events_left = EVENTS_PER_LINE_MAX
            if not has_begun and not (line.mark == TOLD and line.verb in STANDING):
                has_begun = True
                self._stage.start()
            try:
                self._play(line)
            except EngineDead:
                to_do = "write `> restart` before this line"
                raise Unmet(line.number, "a running engine", "one that has died", to_do) from None
            except Restless:
                got, to_do = f"{EVENTS_PER_LINE_MAX} events in one line", "it asks for ever: look at its last turns"
                raise Unmet(line.number, "the book to come to rest", got, to_do) from None
        self._judge.nothing_left(self.line)
        self._stage.check_journal()

    def _play(self, line: Line) -> None:
        if line.mark == TOLD:
            self._judge.nothing_left(line)
            self._teller.tell(line)
            return
        self._judge.judge(line)
        self.met += 1
