"""The API of a running node: reads and orders of an operator, on a Unix socket that only its owner can open.

It runs in the node's own loop, so what it shows is never half-way through a turn. A GET changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import stat
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import msgspec
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from uvicorn.protocols.http.h11_impl import H11Protocol

from hedgerow.api import views
from hedgerow.api.codes import CODES
from hedgerow.core.book import Book
from hedgerow.core.commands import Turn
from hedgerow.core.config import NS_PER_S
from hedgerow.core.events import Action, OperatorCommanded
from hedgerow.core.explain import explain
from hedgerow.journal.errors import JournalError
from hedgerow.model.ids import BookId
from hedgerow.runtime.folder import JOURNAL_FILE, STATE_FOLDER, PathTooLong, socket_address, socket_path
from hedgerow.strategies import takes_signals

BODY_BYTES_MAX = 64 * 1024
# Each takes a file of the process, and the venues' connections and the journal need theirs.
CONNECTIONS_MAX = 64
REQUEST_ID_LEN_MAX = 128
PRINCIPAL_LEN_MAX = 64
# Who orders in the node's own name, for its stops and starts.
NODE_PREFIX = "node:"
JSON = "application/json"


class SocketUnusable(Exception):
    """The API cannot be served there. Nothing was changed."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class Node(Protocol):
    """What the API needs of a running node. All of it is called in the node's own loop, except `turns`."""

    @property
    def books(self) -> Mapping[BookId, Book]: ...

    @property
    def removed(self) -> Mapping[BookId, Book]:
        """Books of the journal that the config no longer has and that still hold something, as found so far."""
        ...

    @property
    def started_ts_ns(self) -> int: ...

    def now_ns(self) -> int: ...

    def operate(self, book_id: BookId, command: OperatorCommanded) -> None:
        """Put an operator's order into the book's inbox."""
        ...

    def turns(self) -> Iterator[tuple[int, Turn]]:
        """Yield every durable turn with its seq, oldest first. Called from another thread."""
        ...


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of an order to a book."""

    request_id: str
    "Chosen by the caller: the same one twice has one effect."
    principal: str = "operator"
    "Who asks, for the journal."
    accept_drift: bool = False
    "With resume: what the venue shows beyond our fills is foreign from now on."
    detail: str = ""
    "With signal: the policy's own words."


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The order is in the book's inbox; the status tells what became of it."""

    schema: str = "hedgerow.accepted/1"
    book: str
    action: str
    request_id: str
    repeated: bool
    "It had been taken before; nothing more happens."


def make_app(node: Node) -> FastAPI:
    """Return the API of a node."""
    app = FastAPI(title="hedgerow", openapi_url=None, docs_url=None, redoc_url=None)

    @app.exception_handler(HTTPException)
    async def no_route(request: Request, error: HTTPException) -> Response:
        told = f"{request.method} {request.url.path}: {str(error.detail).lower()}"
        return _problem(error.status_code, "HR-208", told, error.headers)

    @app.exception_handler(RequestValidationError)
    async def wrong_query(_request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return _problem(422, "HR-208", f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}")

    @app.get("/api/v1/status")
    async def status() -> Response:
        up_s = (node.now_ns() - node.started_ts_ns) // NS_PER_S
        removed = node.removed.values()
        return _json(views.status(node.books.values(), views.RUNNING, node.now_ns(), up_s, removed=removed))

    @app.get("/api/v1/positions")
    async def positions() -> Response:
        removed = node.removed.values()
        return _json(views.positions(node.books.values(), views.RUNNING, node.now_ns(), removed=removed))

    @app.get("/api/v1/orders")
    async def orders(closed: bool = False) -> Response:
        removed = node.removed.values()
        return _json(views.orders(node.books.values(), views.RUNNING, node.now_ns(), closed=closed, removed=removed))

    @app.get("/api/v1/holds")
    async def holds() -> Response:
        return _json(views.holds(node.books.values(), views.RUNNING, node.now_ns()))

    @app.get("/api/v1/alarms")
    async def alarms() -> Response:
        return _json(views.alarms(node.books.values(), views.RUNNING, node.now_ns()))

    @app.get("/api/v1/config")
    async def config() -> Response:
        return _json(views.configs(node.books.values(), views.RUNNING, node.now_ns()))

    # Each reads all of a journal, and takes the interpreter from the books: one after the other.
    reading = threading.Lock()

    # Not async, so that it runs in a thread: a long journal takes seconds, and hedging must go on meanwhile.
    @app.get("/api/v1/explain/{subject:path}")
    def explanation(subject: str) -> Response:
        try:
            with reading:
                found = explain(node.turns(), subject)
        except JournalError as error:
            return _problem(500, "HR-304", str(error))
        if found is None:
            return _problem(404, "HR-207", f"no turn in the journal names {subject}")
        return _json(views.explained(found, views.RUNNING, found.rows[-1].ts_ns))

    @app.post("/api/v1/books/{name}/{action}")
    async def operate(name: str, action: str, request: Request) -> Response:
        book = node.books.get(BookId(name))
        if book is None:
            return _problem(404, "HR-206", f"there is no book '{name}'; books: {', '.join(node.books)}")
        if action not in {known.value for known in Action}:
            return _problem(404, "HR-208", f"there is no action '{action}'")
        if action == Action.SIGNAL.value and not takes_signals(book.config):
            told = f"{name} is a {book.config.policy} that enters without signals: nothing was sent"
            return _problem(422, "HR-209", told)
        body = b""
        try:
            async for piece in request.stream():
                body += piece
                if len(body) > BODY_BYTES_MAX:
                    return _problem(413, "HR-208", f"the body is larger than {BODY_BYTES_MAX} bytes")
            asked = _read_order(body)
        except ClientDisconnect:
            return _problem(400, "HR-208", "the body broke off")
        except ValueError as error:
            return _problem(400, "HR-208", f"the body is not what it must be: {error}")
        used_for = [
            told.rpartition(" ")[2] for told in book.state.request_ids if told.rpartition(" ")[0] == asked.request_id
        ]
        if used_for and action not in used_for:
            return _problem(422, "HR-208", f"request id {asked.request_id} was used to {used_for[0]}; take a new one")
        repeated = action in used_for
        if not repeated:
            # The book itself decides whether an id is new; this only spares it a turn.
            node.operate(
                book.config.book_id,
                OperatorCommanded(
                    node.now_ns(),
                    Action(action),
                    asked.principal,
                    asked.request_id,
                    asked.accept_drift,
                    asked.detail,
                    node.now_ns(),
                ),
            )
        return _json(Accepted(book=name, action=action, request_id=asked.request_id, repeated=repeated), 202)

    return app


def check(state: Path) -> None:
    """Tell early what `bind` would refuse, before anything is made in a state folder.

    Raises:
        SocketUnusable: another node serves it, or the folder cannot be used.
    """
    near = next(folder for folder in (state, *state.absolute().parents) if folder.exists())
    if not near.is_dir():
        raise SocketUnusable("HR-205", f"{near} is no folder; use another --state")
    if not os.access(near, os.W_OK | os.X_OK):
        raise SocketUnusable("HR-205", f"{near} cannot be written; check its owner and permissions")
    if near == state:
        try:
            _clear(socket_path(state))
        except PathTooLong as error:
            raise SocketUnusable("HR-204", str(error)) from error


def bind(state: Path) -> socket.socket:
    """Return the listening socket of a state folder, owner-only; one that a dead node left is replaced.

    Raises:
        SocketUnusable: another node serves it, or the folder cannot be used.
    """
    try:
        _make_own(state)
        path = socket_path(state)
        _clear(path)
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # The folder is closed to others already; the mask closes the moment before the chmod as well.
            mask = os.umask(0o177)
            try:
                with socket_address(path) as address:
                    bound.bind(address)
            finally:
                os.umask(mask)
            bound.listen(64)
        except OSError:
            bound.close()
            raise
    except PathTooLong as error:
        raise SocketUnusable("HR-204", str(error)) from error
    except OSError as error:
        raise SocketUnusable("HR-205", f"{state}: {error.strerror or error}") from error
    return bound


def _make_own(state: Path) -> None:
    """Make a state folder, closed to others. One that has something else in it is not ours to close."""
    is_new = not state.exists()
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    if is_new or (state / JOURNAL_FILE).exists() or not any(state.iterdir()):
        state.chmod(0o700)
    elif state.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        help_ = f"name a folder of its own, e.g. --state {state / STATE_FOLDER}"
        raise SocketUnusable("HR-205", f"{state} has other things in it, and others can write there; {help_}")


def _clear(path: Path) -> None:
    """Remove the socket of a node that is gone."""
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise SocketUnusable("HR-205", f"{path} is in the way and is no socket; move it")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        try:
            with socket_address(path) as address:
                probe.connect(address)
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except TimeoutError:
            pass
    raise SocketUnusable("HR-203", f"a node answers at {path}")


def _is_news(record: logging.LogRecord) -> bool:
    """Whether what the server reports is for people: that it cut an answer off at its end is not."""
    return record.exc_info is None or not isinstance(record.exc_info[1], asyncio.CancelledError)


class _Quiet(uvicorn.Server):
    """A server that leaves signals to the node, and its end without a word."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Bounded(H11Protocol):
    """A connection. Of too many, the oldest one that waits for a request is ended: a new one always gets through."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begun_s = self.loop.time()
        if len(self.connections) > CONNECTIONS_MAX:
            others = [each for each in self.connections if isinstance(each, Bounded) and each is not self]
            oldest = min(others, key=Bounded._standing)
            self.connections.discard(oldest)
            oldest.transport.abort()

    def _standing(self) -> tuple[bool, float]:
        is_answered = self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body
        return is_answered, self._begun_s


class Server:
    """The API, as one task of the node: `run` until `stop`."""

    def __init__(self, node: Node, state: Path) -> None:
        """Take the socket. Raises SocketUnusable as `bind` does."""
        self._socket = bind(state)
        self._path = socket_path(state)
        config = uvicorn.Config(
            make_app(node),
            http=Bounded,
            backlog=CONNECTIONS_MAX,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=2,
        )
        logging.getLogger("uvicorn.error").addFilter(_is_news)
        self._server = _Quiet(config)

    async def run(self) -> None:
        """Serve until `stop`; the socket is gone afterwards."""
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            self._socket.close()
            self._path.unlink(missing_ok=True)

    def stop(self) -> None:
        """Take no more requests; those at hand are answered."""
        self._server.should_exit = True


def _read_order(body: bytes) -> Asked:
    """Return an order to a book. Raises ValueError, with a line for people, when it is none."""
    asked = msgspec.json.decode(body, type=Asked)
    # What is in there is a flat object by now. Of a key that is given twice nobody knows which one is meant.
    keys: list[tuple[str, object]] = json.loads(body, object_pairs_hook=list)
    twice = [key for index, (key, _) in enumerate(keys) if key in dict(keys[:index])]
    if twice:
        raise ValueError(f"{twice[0]} is given twice")
    for key, value, most in (
        ("request_id", asked.request_id, REQUEST_ID_LEN_MAX),
        ("principal", asked.principal, PRINCIPAL_LEN_MAX),
    ):
        if not 0 < len(value) <= most or not value.isprintable():
            raise ValueError(f"{key} must have 1 to {most} printable characters")
    if not asked.detail.isprintable():
        raise ValueError("detail must have printable characters")
    if NODE_PREFIX in asked.principal:
        raise ValueError(f"principal must not have {NODE_PREFIX} in it: so the node calls itself")
    return asked


def _json(view: msgspec.Struct, code: int = 200) -> Response:
    return Response(msgspec.json.encode(view), code, media_type=JSON)


def _problem(status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error as RFC 9457 has it."""
    body = {"title": CODES[code].title, "status": status, "detail": detail, "code": code, "next": CODES[code].next_step}
    return Response(msgspec.json.encode(body), status, headers, media_type="application/problem+json")
