"""The files beside a journal."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from hedgerow.journal.files import Anchor, Ballast, Mark, close_to_others, create_owner_only

MARK = Mark(epoch=3, seq=12, hash=bytes(range(32)))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_files_and_folders_are_the_owners_alone(tmp_path: Path) -> None:
    """A journal tells positions and orders; nobody else on the machine may read it."""
    path = tmp_path / "state" / "journal.db"
    create_owner_only(path)
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    """A copy that was restored with a wide mode must not stay open."""
    path = tmp_path / "journal.db"
    path.write_bytes(b"x")
    path.chmod(0o644)
    create_owner_only(path)
    close_to_others(path)
    assert mode(path) == 0o600
    assert path.read_bytes() == b"x"


def test_an_anchor_says_what_was_written_last(tmp_path: Path) -> None:
    """It is replaced in place, and read by the next process."""
    anchor = Anchor(tmp_path / "a")
    anchor.write(Mark(1, 1, bytes(32)))
    anchor.write(MARK)
    anchor.close()
    assert Anchor(tmp_path / "a").read() == MARK


def test_a_damaged_anchor_says_nothing(tmp_path: Path) -> None:
    """It is evidence against a journal only while it is whole itself."""
    anchor = Anchor(tmp_path / "a")
    anchor.write(MARK)
    anchor.close()
    whole = (tmp_path / "a").read_bytes()
    for place in range(len(whole) - 1):
        (tmp_path / "a").write_bytes(whole[:place] + b"\x00" + whole[place + 1 :])
        assert anchor.read() is None
        (tmp_path / "a").write_bytes(whole[:place])
        assert anchor.read() is None


def test_no_anchor_says_nothing(tmp_path: Path) -> None:
    """A journal that was moved without it still opens."""
    assert Anchor(tmp_path / "a").read() is None


def test_ballast_is_freed_once(tmp_path: Path) -> None:
    """The space is really taken, and there is one such reserve, not two."""
    ballast = Ballast(tmp_path / "b", 1 << 20)
    ballast.reserve()
    assert (tmp_path / "b").stat().st_blocks * 512 >= 1 << 20
    assert mode(tmp_path / "b") == 0o600
    assert ballast.free()
    assert not ballast.free()


def test_ballast_that_does_not_fit_leaves_nothing_behind(tmp_path: Path) -> None:
    """Half a reserve would be taken for a whole one at the next start."""
    with pytest.raises(OSError):
        Ballast(tmp_path / "b", 1 << 62).reserve()
    assert not (tmp_path / "b").exists()
