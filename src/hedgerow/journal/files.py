"""The small files beside a journal, owner-only: the anchor, which remembers how far it was durable, and the ballast."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

import msgspec

from hedgerow.journal.codec import HASH_LEN

FILE_MODE = 0o600
FOLDER_MODE = 0o700


def create_owner_only(path: Path) -> None:
    """Create an empty file that only its owner can read, and its folder; leave what exists as it is.

    Raises:
        OSError: it cannot be created.
    """
    path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    # Never opened when it exists: closing a second descriptor would drop the locks that this process has on the file.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE))


def close_to_others(path: Path) -> None:
    """Take away what others may do with a file, e.g. a copy that was restored with a wide mode.

    Raises:
        OSError: it belongs to somebody else.
    """
    if path.stat().st_mode & 0o077:
        path.chmod(FILE_MODE)


class Mark(msgspec.Struct, frozen=True):
    """How far a journal was durable when the anchor was last written; it may lag behind, never run ahead."""

    epoch: int
    seq: int
    "0 when no record was durable."
    hash: bytes


class Anchor:
    """Remembers, outside of the journal, the last durable record: a journal cut short cannot notice it by itself.

    It is written after each commit and never synced, so that it costs no disk time: it survives the death of the
    process, and after a power cut it may be some commits old, which only makes it say less.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1

    def read(self) -> Mark | None:
        """Return what it says; None when it is absent or unreadable, which proves nothing."""
        try:
            text = self.path.read_text("ascii")
            epoch, seq, head, check = text.split()
            if check != self._check(f"{epoch} {seq} {head}") or len(head) != 2 * HASH_LEN:
                return None
            return Mark(int(epoch), int(seq), bytes.fromhex(head))
        except (OSError, ValueError):
            return None

    def write(self, mark: Mark) -> None:
        """Replace what it says.

        Raises:
            OSError: it cannot be written.
        """
        if self._fd < 0:
            create_owner_only(self.path)
            self._fd = os.open(self.path, os.O_WRONLY)
        # Fixed width, so that the file never changes its length and one write replaces all of it.
        text = f"{mark.epoch:010d} {mark.seq:016d} {mark.hash.hex()}"
        os.pwrite(self._fd, f"{text} {self._check(text)}\n".encode("ascii"), 0)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @staticmethod
    def _check(text: str) -> str:
        return hashlib.sha256(text.encode("ascii")).hexdigest()[:8]


class Ballast:
    """Disk space kept for the worst moment: freed when the disk is full, so that cancels and alarms still fit."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self._size = size

    def reserve(self) -> None:
        """Take the space now.

        Raises:
            OSError: there is not that much space; nothing is kept.
        """
        if self._size == 0:
            return
        create_owner_only(self.path)
        fd = os.open(self.path, os.O_WRONLY)
        try:
            os.posix_fallocate(fd, 0, self._size)
        except OSError:
            self.path.unlink(missing_ok=True)
            raise
        finally:
            os.close(fd)

    def free(self) -> bool:
        """Give the space back; return whether there was any to give."""
        try:
            self.path.unlink()
        except OSError:
            return False
        return True
