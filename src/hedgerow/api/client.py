"""Asks the API of a running node, over its Unix socket."""

from __future__ import annotations

import errno
import http.client
import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hedgerow.runtime.folder import socket_address

TIMEOUT_S = 30
Answer = dict[str, Any]


class NoNode(Exception):
    """Nobody serves that state folder."""


class NodeSilent(Exception):
    """A node has the socket and does not answer as it should."""


class Refused(Exception):
    """The node said no; `code` is one of the table of errors."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        with socket_address(self._path) as address:
            self.sock.connect(address)


def get(path: Path, route: str) -> Answer:
    """Return the answer to a GET of `/api/v1/ROUTE`.

    Raises:
        NoNode: nobody listens at the socket `path`.
        NodeSilent: no usable answer came.
        Refused: the node said no.
        OSError: no file can have such a path.
    """
    return _ask(path, "GET", route, None)


def post(path: Path, route: str, body: Answer) -> Answer:
    """Return the answer to a POST of `/api/v1/ROUTE`. Raises as `get` does; after NodeSilent it may have been done."""
    return _ask(path, "POST", route, body)


def _ask(path: Path, method: str, route: str, body: Answer | None) -> Answer:
    connection = _Connection(path)
    try:
        try:
            connection.connect()
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            raise NoNode(str(path)) from None
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise
            raise NodeSilent(f"{path}: {error.strerror or error}") from None
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, f"/api/v1/{quote(route, safe='/?=')}", content)
            answer = connection.getresponse()
            found = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NodeSilent(f"{path}: {error or type(error).__name__}") from None
    finally:
        connection.close()
    if answer.status >= 400:
        raise Refused(str(found.get("code", "HR-208")), str(found.get("detail", answer.reason)))
    if not isinstance(found, dict):
        raise NodeSilent(f"{path}: the answer is no object")
    return found
