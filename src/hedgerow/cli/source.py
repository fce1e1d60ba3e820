"""Where a command's answer comes from: the running node of a state folder, else its journal at rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hedgerow.api.client import NodeSilent, NoNode, Refused, get, post
from hedgerow.cli.errors import Failed
from hedgerow.runtime.folder import JOURNAL_FILE, STATE_FOLDER, socket_path

Answer = dict[str, Any]


def state_folder(state: str | None, config: str | None) -> Path:
    """Return the state folder that is meant: named, else the config's, else `.hedgerow` here."""
    if state:
        return Path(state)
    if config:
        from hedgerow.runtime.config import load

        return load(Path(config)).state
    return Path(STATE_FOLDER)


def ask(folder: Path, route: str, view: str, **options: bool) -> Answer:
    """Return what a node answers to `route`; where none runs, that function of `api.views` for its journal."""
    try:
        return get(socket_path(folder), route)
    except NoNode:
        pass
    except NodeSilent as error:
        raise Failed("HR-202", str(error)) from None
    except Refused as error:
        raise Failed(error.code, str(error)) from None
    import msgspec

    from hedgerow.api import rest, views

    books = rest.books(journal_of(folder))
    last_ns = max((book.now_ns for book in books.values()), default=0)
    shown = getattr(views, view)(books.values(), views.AT_REST, last_ns, **options)
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
    try:
        return post(socket_path(folder), route, body)
    except NoNode:
        raise Failed("HR-201", f"no node runs in {folder}") from None
    except NodeSilent as error:
        raise Failed("HR-202", str(error)) from None
    except Refused as error:
        raise Failed(error.code, str(error)) from None


def look(folder: Path) -> Answer:
    """Return the status of the running node, which must be there."""
    try:
        return get(socket_path(folder), "status")
    except NoNode:
        raise Failed("HR-201", f"no node runs in {folder}") from None
    except NodeSilent as error:
        raise Failed("HR-202", str(error)) from None
    except Refused as error:
        raise Failed(error.code, str(error)) from None


def print_source(answer: Answer, folder: Path) -> None:
    """Say so when nothing runs: what is shown then is how the last run left it."""
    if answer["source"] == "journal":
        from hedgerow.cli.show import note

        note(f"no node runs in {folder}: this is its journal as of {answer['ts']}")
