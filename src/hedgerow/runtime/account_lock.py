"""One engine on one account: nodes of other state folders on this machine, with the same key, are kept out.

A journal keeps two engines apart that share it. A config that was copied to another folder has a journal of its own,
and each of the two would take the other's fills for foreign ones, and cancel the other's orders. Nodes on different
machines are not kept apart by this.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from hedgerow.model.ids import AccountId

LOCKS = Path("hedgerow") / "accounts"
"Below the folder in which programs of this user keep their state."


class AccountInUse(Exception):
    """Another node trades on an account. Nothing was reached."""


class AccountLocks:
    """The accounts of one node, from the start on until `close`, or until the process ends in whatever way."""

    def __init__(self, state: Path, note: Callable[[str], None]) -> None:
        """Begin without any.

        Args:
            state: the node's state folder, told to whoever is kept out.
            note: told when accounts cannot be kept to one node.
        """
        self._state = state
        self._note = note
        self._files: list[int] = []

    def take(self, account_id: AccountId, *what: str) -> None:
        """Keep an account for this node.

        Args:
            what: what makes it that account, whatever the config calls it: where it is, and its API key.

        Raises:
            AccountInUse: another node has it.
        """
        name = hashlib.sha256("\0".join(what).encode()).hexdigest()
        try:
            file = _opened(_folder() / name)
        except OSError as error:
            told = f"{error.filename or _folder()}: {error.strerror}"
            self._note(f"warning   {account_id}: nothing keeps a second node off this account: {told}")
            return
        if not _is_locked(file):
            other = os.read(file, 4_096).decode("utf-8", "replace")
            os.close(file)
            told = f"{account_id}: another node on this machine trades with the same key; its state folder is {other}"
            raise AccountInUse(f"{told}; stop that one, or give each node an account of its own")
        os.truncate(file, 0)
        os.write(file, os.fsencode(self._state.absolute()))
        self._files.append(file)

    def close(self) -> None:
        """Let them all go."""
        for file in self._files:
            os.close(file)
        self._files.clear()


def _folder() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / LOCKS


def _opened(path: Path) -> int:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _is_locked(file: int) -> bool:
    """Take the lock of a file, which ends with the process; return False when another one has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
