"""The judges' own environment: clients that nobody here wrote, from a lock of their own, made on first use.

The product never runs in it: the pins of ccxt and of Binance's own clients stay here.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements" / "judges.txt"
FOLDER = ROOT / ".venv-judges"


class Unavailable(Exception):
    """It cannot be made here; the text says why, in one line."""


def judges_python() -> Path:
    """Return the Python of the judges' environment, made anew when it is missing or its lock has changed.

    Raises:
        Unavailable: no network and no wheels, or a package that this machine has no wheel of.
    """
    python = FOLDER / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = FOLDER / "judges.stamp"
    wanted = hashlib.sha256(f"{FOLDER}\n{sys.version}\n".encode() + LOCK.read_bytes()).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    print("hedgerow: making the judges' environment (once)", file=sys.stderr, flush=True)
    shutil.rmtree(FOLDER, ignore_errors=True)
    _call([sys.executable, "-m", "venv", str(FOLDER)])
    wheels = os.environ.get("HEDGEROW_WHEELS")
    offline = ["--no-index", "--find-links", wheels] if wheels else []
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    _call([*pip, "--require-hashes", "--no-deps", "--only-binary", ":all:", *offline, "-r", str(LOCK)])
    stamp.write_text(wanted, encoding="utf-8")
    return python


def _call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        errors = [line for line in said if line.lower().startswith("error")]
        raise Unavailable(f"the judges cannot be installed here: {(errors or said)[-1]}")
