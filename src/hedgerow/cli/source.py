"""Where a command's answer comes from: the running node of a state folder, else its journal at rest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hedgerow.api.client import NodeSilent, NoNode, Refused, get, post
from hedgerow.cli.errors import Failed, crash_into
from hedgerow.runtime.folder import JOURNAL_FILE, STATE_FOLDER, socket_path

Answer = dict[str, Any]


def state_folder(state: str | None, config: str | None) -> Path:
    """Return the state folder that is meant: named, else the config's, else `.hedgerow` here."""
    if state:
        return crash_into(Path(state))
    if config:
        from hedgerow.runtime.config import load

        return crash_into(load(Path(config)).state)
    return crash_into(Path(STATE_FOLDER))


@contextmanager
def answering(folder: Path) -> Iterator[None]:
    """Turn what a running node does wrong, or that there is none, into what people are told."""
    try:
        yield
    except NoNode:
        raise Failed("HR-201", f"no node runs in {folder}") from None
    except NodeSilent as error:
        raise Failed("HR-202", str(error)) from None
    except Refused as error:
        raise Failed(error.code, str(error)) from None


def from_node(folder: Path, route: str) -> Answer | None:
    """Return what the node of a state folder answers to a GET; None when none runs."""
    with answering(folder):
        try:
            return get(socket_path(folder), route)
        except NoNode:
            return None


def ask(folder: Path, route: str, view: str, **options: bool) -> Answer:
    """Return what a node answers to `route`; where none runs, that function of `api.views` for its journal."""
    answer = from_node(folder, route)
    if answer is not None:
        return answer
    import msgspec

    from hedgerow.api import rest, views

    books = rest.books(journal_of(folder))
    if not books:
        raise Failed("HR-201", f"no node runs in {folder}, and its journal is empty")
    last_ns = max((book.now_ns for book in books.values()), default=0)
    shown_books, removed = views.told_apart(books.values())
    # Configs are of what ran last; a removed book has none any more.
    left = {} if view == "configs" else {"removed": removed}
    shown = getattr(views, view)(shown_books, views.AT_REST, last_ns, **options, **left)
    found: Answer = json.loads(msgspec.json.encode(shown))
    return found


def journal_of(folder: Path) -> Path:
    """Return the journal of a state folder, which exists."""
    path = folder / JOURNAL_FILE
    if not path.is_file():
        raise Failed("HR-201", f"no node runs in {folder}, and it holds no journal")
    return path


def tell(folder: Path, route: str, body: Answer) -> Answer:
    """Give the running node an order, and return its answer."""
    with answering(folder):
        return post(socket_path(folder), route, body)


def look(folder: Path, route: str = "status") -> Answer:
    """Return what the running node, which must be there, answers to a GET."""
    with answering(folder):
        return get(socket_path(folder), route)


def print_source(answer: Answer, folder: Path) -> None:
    """Say so when nothing runs: what is shown then is how the last run left it."""
    if answer["source"] == "journal":
        from hedgerow.cli.show import note

        note(f"no node runs in {folder}: this is its journal as of {answer['ts']}, and knows of nothing after that")
        if datetime.fromisoformat(answer["ts"]) > datetime.now(UTC):
            note("that is ahead of this machine's clock: it ran faster than life, or the clock was set back since")
