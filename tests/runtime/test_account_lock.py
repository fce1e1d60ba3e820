"""One engine on one account, whatever folders two configs stand in."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hedgerow.model.ids import AccountId
from hedgerow.runtime.account_lock import AccountInUse, AccountLocks

ACCOUNT = AccountId("binance/usdm")
WHAT = ("binance", "live", "usdm", "", "the key")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def locks(state: str, notes: list[str] | None = None) -> AccountLocks:
    return AccountLocks(Path(state), [].append if notes is None else notes.append)


def test_a_second_node_is_kept_off_an_account_until_the_first_has_ended() -> None:
    """Each would take the other's fills for foreign ones, and cancel the other's orders."""
    first, second = locks("/books/one"), locks("/books/two")
    first.take(ACCOUNT, *WHAT)

    with pytest.raises(AccountInUse, match="its state folder is /books/one; stop that one"):
        second.take(AccountId("other/name"), *WHAT)
    second.take(ACCOUNT, *WHAT[:-1], "another key")
    first.close()
    second.take(ACCOUNT, *WHAT)


def test_a_killed_node_holds_nothing(tmp_path: Path) -> None:
    """The lock ends with the process, in whatever way that ends."""
    code = (
        "import os, signal; from pathlib import Path; from hedgerow.runtime.account_lock import AccountLocks\n"
        f"AccountLocks(Path('x'), print).take('a', *{WHAT!r}); print('has it', flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert ran.stdout == "has it\n", ran.stderr

    locks("/books/two").take(ACCOUNT, *WHAT)


def test_no_key_is_written(home: Path) -> None:
    """Only a hash names the file, and only its owner can read it."""
    held = locks("/books/one")
    held.take(ACCOUNT, *WHAT)

    (file,) = [path for path in home.rglob("*") if path.is_file()]
    assert "the key" not in file.name + file.read_text(encoding="utf-8")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_place_that_cannot_be_used_is_told(home: Path) -> None:
    """A node must not stay down for it; a person must know."""
    home.write_text("in the way", encoding="utf-8")
    notes: list[str] = []

    locks("/books/one", notes).take(ACCOUNT, *WHAT)

    assert len(notes) == 1
    assert "nothing keeps a second node off this account" in notes[0]
