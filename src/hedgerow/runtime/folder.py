"""The state folder: what it holds, and where its API listens. Owner-only."""

from __future__ import annotations

import os
from pathlib import Path

STATE_FOLDER = ".hedgerow"
"Its name where nobody chose another: beside the config, or in the current folder."
JOURNAL_FILE = "journal.sqlite"
SOCKET_FILE = "api.sock"

# A Unix socket's path must fit in `sockaddr_un`: 108 bytes on Linux, 104 on macOS, with the closing zero.
SOCKET_PATH_MAX = 103


class PathTooLong(Exception):
    """The socket of a state folder would have a path that no socket can have."""


def socket_path(state: Path) -> Path:
    """Return where the API of a state folder listens, as short as it can be written.

    Raises:
        PathTooLong: even so it is too long.
    """
    path = (state / SOCKET_FILE).absolute()
    if len(os.fsencode(path)) <= SOCKET_PATH_MAX:
        return path
    near = Path(os.path.relpath(path))
    if len(os.fsencode(near)) <= SOCKET_PATH_MAX:
        return near
    raise PathTooLong(f"{path} has more than {SOCKET_PATH_MAX} bytes")
