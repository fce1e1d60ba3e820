"""Lines for people: told in order, and never in the way of the books."""

from __future__ import annotations

import io
import os
import threading

from hedgerow.runtime import outlet
from hedgerow.runtime.outlet import Outlet


class Gone(io.StringIO):
    """What a pipe is without its reader."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


class Stuck(io.StringIO):
    """A reader that stands still until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.began = threading.Event()

    def write(self, text: str) -> int:
        self.began.set()
        self.go.wait()
        return super().write(text)


def test_results_and_notes_go_where_they_belong() -> None:
    """Results to stdout, notes to stderr, each in its order."""
    out, err = io.StringIO(), io.StringIO()
    told = Outlet(out, err)
    told.say("fill")
    told.note("ready")
    told.say("hedge")
    told.close()

    assert (out.getvalue(), err.getvalue()) == ("fill\nhedge\n", "ready\n")


def test_a_reader_that_went_away_is_told_of_once() -> None:
    """Everything goes on, and the other stream says that nobody reads this one."""
    err = io.StringIO()
    told = Outlet(Gone(), err)
    told.say("fill")
    told.say("hedge")
    told.note("ready")
    # The note about it is told by the thread itself, so it needs one more pass.
    while "nobody reads" not in err.getvalue():
        pass
    told.close()

    assert err.getvalue().count("nobody reads the output any more; hedging goes on") == 1
    assert "ready\n" in err.getvalue()


def test_somebody_may_want_to_know_that_the_reader_went_away() -> None:
    """A demo that nobody watches may end."""
    gone = threading.Event()
    err = io.StringIO()
    told = Outlet(Gone(), err, gone.set)
    told.say("fill")
    told.close()

    assert gone.is_set()
    assert err.getvalue() == ""


def test_a_reader_that_stands_still_holds_nobody_up() -> None:
    """Ctrl-S in a terminal must not stop hedging; what did not fit is counted."""
    out = Stuck()
    told = Outlet(out, io.StringIO())
    told.say("first")
    out.began.wait()
    for number in range(outlet.LINES_MAX + 3):
        told.say(str(number))
    out.go.set()
    # One more line finds room once the reader has gone on, and says what is missing before it.
    while told._queue.qsize():
        pass
    told.say("last")
    told.close()

    lines = out.getvalue().splitlines()
    assert lines[:2] == ["first", "0"]
    assert lines[-2:] == ["(3 lines left out: nobody read them)", "last"]


def test_it_writes_past_the_buffer_of_a_real_file() -> None:
    """A buffer whose reader stands still would be locked when the process wants to end."""
    read_fd, write_fd = os.pipe()
    with os.fdopen(read_fd, encoding="utf-8") as reader:
        with os.fdopen(write_fd, "w", encoding="utf-8") as out:
            told = Outlet(out, io.StringIO())
            told.say("fill é")
            told.close()
        assert reader.read() == "fill é\n"
