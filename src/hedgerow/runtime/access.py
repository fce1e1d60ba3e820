"""How an account at a real venue is reached: what the config says of it, and the keys that it refers to."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import msgspec

from hedgerow.model.reach import Reach
from hedgerow.venues.wire.binance.kinds import AccountKind
from hedgerow.venues.wire.ccxt.rows import Kind

# A password manager that has not answered by then is waiting for somebody.
COMMAND_S = 30


class Access(msgspec.Struct, frozen=True):
    """What leads to one real account."""

    kind: AccountKind
    reach: Reach
    key: str
    "By reference, never itself: env:NAME, file:PATH or cmd:COMMAND."
    secret: str
    emulator: str | None = None
    "Where the emulator is; set with that reach alone."
    ca: str | None = None
    proxy: str | None = None


class CcxtAccess(msgspec.Struct, frozen=True):
    """What leads to one account at an exchange behind ccxt."""

    exchange: str
    "As ccxt names it, e.g. `kraken`."
    kind: Kind
    reach: Reach
    key: str
    "By reference, as above."
    secret: str
    passphrase: str | None = None
    "Where the exchange gives a third one."
    emulator: str | None = None
    ca: str | None = None
    proxy: str | None = None


class NoSecret(ValueError):
    """A reference leads to nothing. The text says why, and never what was found."""


def secret_of(reference: str, name: str) -> str:
    """Return what a reference leads to.

    Args:
        name: where in the config it stands, for the error.

    Raises:
        NoSecret: there is nothing.
    """
    scheme, _, rest = reference.partition(":")
    told = rest if rest.isprintable() else ascii(rest)
    if scheme == "env":
        found = os.environ.get(rest, "") if told == rest else ""
        problem = f"the environment has no {told}, or it is empty; export it before the start"
    elif scheme == "file":
        try:
            found = Path(rest).expanduser().read_text(encoding="utf-8")
            problem = f"{told} is empty; put the secret into it"
        except (OSError, RuntimeError, ValueError) as error:
            raise NoSecret(f"{name}: {told} cannot be read: {_why(error)}; check its path and permissions") from None
    elif scheme == "cmd":
        found = _printed(rest, told, name)
        problem = f"`{told}` printed nothing; run it by hand"
    else:
        raise NoSecret(f"{name}: this is no reference; write env:NAME, file:PATH or cmd:COMMAND")
    if not found.strip():
        raise NoSecret(f"{name}: {problem}")
    return found.strip()


def _why(error: OSError | RuntimeError | ValueError) -> str:
    """Return why a file of a secret could not be read, and never what is in it."""
    if isinstance(error, OSError):
        return error.strerror or "input or output failed"
    if isinstance(error, RuntimeError):
        return "nobody here has that home folder"
    return "it is not text" if isinstance(error, UnicodeDecodeError) else "no path has such characters"


def _printed(command: str, told: str, name: str) -> str:
    try:
        words = shlex.split(command)
        done = subprocess.run(words, capture_output=True, text=True, timeout=COMMAND_S, check=False)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise NoSecret(f"{name}: `{told}` cannot be run: {type(error).__name__}; run it by hand") from None
    if done.returncode != 0:
        raise NoSecret(f"{name}: `{told}` ended with {done.returncode}; run it by hand")
    return done.stdout
