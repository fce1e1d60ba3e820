"""The state folder: what it holds, and where its API listens. Owner-only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STATE_FOLDER = ".hedgerow"
"Its name where nobody chose another: beside the config, or in the current folder."
JOURNAL_FILE = "journal.sqlite"
SOCKET_FILE = "api.sock"

# A Unix socket's path must fit in `sockaddr_un`: 108 bytes on Linux, 104 on macOS, with the closing zero.
SOCKET_PATH_MAX = 103
# Linux names the open folders of a process here: a short way to a long path.
OPEN_FOLDERS = Path("/proc/self/fd")


class PathTooLong(Exception):
    """A socket has a path by which it can be neither made nor reached here."""


def socket_path(state: Path) -> Path:
    """Return where the API of a state folder listens."""
    return (state / SOCKET_FILE).absolute()


@contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """Yield a name of a socket that is short enough to bind it or connect to it by, wherever this process stands.

    Raises:
        PathTooLong: there is none.
        OSError: its folder cannot be opened.
    """
    for name in (str(path), os.path.relpath(path)):
        if len(os.fsencode(name)) <= SOCKET_PATH_MAX:
            yield name
            return
    if not OPEN_FOLDERS.is_dir():
        raise PathTooLong(f"{path} has more than {SOCKET_PATH_MAX} bytes")
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield str(OPEN_FOLDERS / str(folder) / path.name)
    finally:
        os.close(folder)
