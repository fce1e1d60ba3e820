"""Signals from a file: each complete line is told once, and a line that is none is named."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from hedgerow.core.book import Book, Signal
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


NOW_NS = 1_795_269_601_500_000_000
"2026-11-21 14:00:01.5 UTC."
CARRY = {"entry_qty": "0.05", "max_net_qty": "0.1", "entry_on": "signal"}
BOOKS = {
    BookId("btc-carry"): book_of("btc-carry", "carry", CARRY),
    BookId("btc-mirror"): book_of("btc-mirror", "mirror", {}),
    BookId("own-carry"): book_of("own-carry", "carry", CARRY | {"entry_on": "conditions"}),
}


def test_a_line_becomes_a_signal_with_its_own_time() -> None:
    """How old it is must not depend on when it was read."""
    book_id, command = read_signal("2026-11-21T14:00:00.5Z btc-carry enter 2", 3, BOOKS, NOW_NS)

    assert book_id == "btc-carry"
    assert (command.action, command.detail, command.ts_ns) == (Action.SIGNAL, "enter 2", NOW_NS)
    assert command.made_ts_ns == 1_795_269_600_500_000_000


def test_the_same_line_read_again_is_the_same_request() -> None:
    """A restart reads the file from its beginning."""
    first = read_signal("2026-11-21T14:00:00Z btc-carry", 3, BOOKS, NOW_NS)[1]
    again = read_signal("2026-11-21T14:00:00Z btc-carry", 3, BOOKS, NOW_NS + 2)[1]
    other = read_signal("2026-11-21T14:00:00Z btc-carry", 4, BOOKS, NOW_NS + 2)[1]

    assert first.request_id == again.request_id != other.request_id


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("btc-carry", "TIME BOOK"),
        ("soon btc-carry", "not a time"),
        ("2026-11-21T14:00:00 btc-carry", "no time zone"),
        ("2026-11-21T14:00:00Z eth-carry", "no book eth-carry runs here; there is btc-carry"),
        ("2026-11-21T14:00:00Z btc-mirror", "btc-mirror is a mirror that enters without signals"),
        ("2026-11-21T14:00:03Z btc-carry", "still to come by the node's clock"),
        ("2026-11-21T14:00:00Z own-carry", "own-carry is a carry that enters without signals"),
    ],
)
def test_a_line_that_is_no_signal_says_why(line: str, problem: str) -> None:
    """Bad input is named and never ends the node."""
    with pytest.raises(BadSignal, match=problem):
        read_signal(line, 1, BOOKS, NOW_NS)


class Heard:
    """A node that writes down what it is told, and ends the test when it has heard enough."""

    books = BOOKS

    def __init__(self) -> None:
        self.commands: list[OperatorCommanded] = []

    def now_ns(self) -> int:
        return NOW_NS

    def operate(self, book_id: BookId, command: OperatorCommanded) -> None:
        self.commands.append(command)


def follow(path: Path, monkeypatch: pytest.MonkeyPatch, *between: Callable[[Heard], object]) -> tuple[list[str], Heard]:
    """Follow a file, doing one thing after each look at it; return the notes, and what was told."""
    node, notes, steps = Heard(), list[str](), iter(between)

    async def poll(delay: float) -> None:
        step = next(steps, None)
        if step is None:
            raise asyncio.CancelledError
        step(node)

    monkeypatch.setattr(signals.asyncio, "sleep", poll)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(follow_signals(path, node, notes.append))
    return notes, node


def told(node: Heard) -> list[str]:
    return [command.detail for command in node.commands]


def test_lines_are_told_as_they_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a line may be the beginning of anything: it waits for its end."""
    path, early = tmp_path / "signals", list[list[str]]()
    path.write_text("# ours\n2026-11-21T14:00:00Z btc-carry one\nnonsense\n2026-11-21T14:00:01Z btc-carry tw")

    def complete(node: Heard) -> None:
        early.append(told(node))
        with path.open("a") as file:
            file.write("o\n")

    notes, node = follow(path, monkeypatch, complete)

    assert early == [["one"]]
    assert told(node) == ["one", "two"]
    assert len(notes) == 1 and ":3: this is not TIME BOOK" in notes[0]


def test_lines_of_before_the_latest_signal_are_told_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long file is read anew at each start: what an earlier run was told must not run through the book again."""
    path = tmp_path / "signals"
    path.write_text("2026-11-21T13:00:00Z btc-carry old\n2026-11-21T14:00:00Z btc-carry same\n")
    book = BOOKS[BookId("btc-carry")]
    latest = Signal(int(datetime(2026, 11, 21, 14, tzinfo=UTC).timestamp()) * 1_000_000_000, "same")
    monkeypatch.setattr(book.state, "signal", latest)

    notes, node = follow(path, monkeypatch)

    assert (notes, told(node)) == ([], ["same"])


@pytest.mark.parametrize("anew", ["cut", "replaced"])
def test_a_file_that_begins_anew_is_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anew: str) -> None:
    """Whoever rotates the file must not lose what comes after; the same line at the same place stays one request."""
    path = tmp_path / "signals"
    first = "2026-11-21T14:00:00Z btc-carry one\n"
    path.write_text(first + "2026-11-21T14:00:01Z btc-carry two\n")

    def begin_anew(node: Heard) -> None:
        if anew == "replaced":
            other = tmp_path / "other"
            other.write_text(first + "2026-11-21T14:00:02Z btc-carry three\n# and some more, so that it is longer\n")
            other.replace(path)
        else:
            path.write_text(first)

    notes, node = follow(path, monkeypatch, begin_anew)

    assert told(node) == ["one", "two", "one", "three"][: 3 if anew == "cut" else 4]
    assert node.commands[0].request_id == node.commands[2].request_id
    assert notes == [f"signals   {path}: it was cut or replaced; read from its beginning"]


def test_a_stray_carriage_return_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines end with a line feed, whatever else is in them."""
    path = tmp_path / "signals"
    path.write_bytes(b"2026-11-21T14:00:00Z btc-carry one\r\r\n\r2026-11-21T14:00:01Z btc-carry two\r\n")

    notes, node = follow(path, monkeypatch)

    assert (notes, told(node)) == ([], ["one", "two"])


def test_a_file_that_is_not_there_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may come later; until then nobody wants to read of it twice a second."""
    path = tmp_path / "signals"

    def come(_: Heard) -> None:
        path.write_text("2026-11-21T14:00:00Z btc-carry one\n")

    notes, node = follow(path, monkeypatch, lambda _: None, lambda _: None, come)

    assert notes == [f"signals   {path}: No such file or directory; read again every 0.5 s"]
    assert told(node) == ["one"]
