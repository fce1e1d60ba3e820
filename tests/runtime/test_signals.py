"""Signals from a file: each complete line is told once, and a line that is none is named."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from hedgerow.core.book import Book
from hedgerow.core.events import Action, OperatorCommanded
from hedgerow.core.step import empty_book
from hedgerow.model.ids import BookId
from hedgerow.runtime import signals
from hedgerow.runtime.config import load_text
from hedgerow.runtime.signals import BadSignal, follow_signals, read_signal
from hedgerow.runtime.story import Silent
from tests.runtime.worlds import CONFIG


def book_of(name: str, policy: str, params: dict[str, str]) -> Book:
    config = load_text(CONFIG, "test.yaml", Path())
    sized = params or config.books[0].params
    return empty_book(replace(config.books[0], book_id=BookId(name), policy=policy, params=sized), Silent())


CARRY = {"entry_qty": "0.05", "max_net_qty": "0.1", "entry_on": "signal"}
BOOKS = {
    BookId("btc-carry"): book_of("btc-carry", "carry", CARRY),
    BookId("btc-mirror"): book_of("btc-mirror", "mirror", {}),
    BookId("own-carry"): book_of("own-carry", "carry", CARRY | {"entry_on": "conditions"}),
}


def test_a_line_becomes_a_signal_with_its_own_time() -> None:
    """How old it is must not depend on when it was read."""
    book_id, command = read_signal("2026-11-21T14:00:00.5Z btc-carry enter 2", 3, BOOKS, 7)

    assert book_id == "btc-carry"
    assert (command.action, command.detail, command.ts_ns) == (Action.SIGNAL, "enter 2", 7)
    assert command.made_ts_ns == 1_795_269_600_500_000_000


def test_the_same_line_read_again_is_the_same_request() -> None:
    """A restart reads the file from its beginning."""
    first = read_signal("2026-11-21T14:00:00Z btc-carry", 3, BOOKS, 7)[1]
    again = read_signal("2026-11-21T14:00:00Z btc-carry", 3, BOOKS, 9)[1]
    other = read_signal("2026-11-21T14:00:00Z btc-carry", 4, BOOKS, 9)[1]

    assert first.request_id == again.request_id != other.request_id


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("btc-carry", "TIME BOOK"),
        ("soon btc-carry", "not a time"),
        ("2026-11-21T14:00:00 btc-carry", "no time zone"),
        ("2026-11-21T14:00:00Z eth-carry", "no book eth-carry runs here; there is btc-carry"),
        ("2026-11-21T14:00:00Z btc-mirror", "btc-mirror is a mirror that enters without signals"),
        ("2026-11-21T14:00:00Z own-carry", "own-carry is a carry that enters without signals"),
    ],
)
def test_a_line_that_is_no_signal_says_why(line: str, problem: str) -> None:
    """Bad input is named and never ends the node."""
    with pytest.raises(BadSignal, match=problem):
        read_signal(line, 1, BOOKS, 0)


class Heard:
    """A node that writes down what it is told, and ends the test when it has heard enough."""

    books = BOOKS

    def __init__(self) -> None:
        self.commands: list[OperatorCommanded] = []

    def now_ns(self) -> int:
        return 0

    def operate(self, book_id: BookId, command: OperatorCommanded) -> None:
        self.commands.append(command)


def test_lines_are_told_as_they_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a line may be the beginning of anything: it waits for its end."""
    path, node, notes = tmp_path / "signals", Heard(), []
    path.write_text("# ours\n2026-11-21T14:00:00Z btc-carry one\nnonsense\n2026-11-21T14:00:01Z btc-carry tw")
    polls = 0

    async def poll(delay: float) -> None:
        nonlocal polls
        polls += 1
        if polls == 1:
            assert [command.detail for command in node.commands] == ["one"]
            with path.open("a") as file:
                file.write("o\n")
        if polls == 2:
            raise asyncio.CancelledError

    monkeypatch.setattr(signals.asyncio, "sleep", poll)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(follow_signals(path, node, notes.append))

    assert [command.detail for command in node.commands] == ["one", "two"]
    assert len(notes) == 1 and ":3: this is not TIME BOOK" in notes[0]
