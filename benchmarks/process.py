"""Running one measurement in a fresh process, and what a process knows of itself."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")

# In the current folder and not in the system's temporary one, which is often memory.
BENCH_FOLDER = Path(".bench")


class MeasurementFailed(Exception):
    """A measurement in another process ended without a number; the text is the last line that it printed."""


def scratch() -> tempfile.TemporaryDirectory[str]:
    """Return a folder on the disk of the current folder that is gone afterwards."""
    return tempfile.TemporaryDirectory(dir=bench_folder())


def bench_folder() -> Path:
    """Return the folder for what benchmarks keep, made where it was not, and unseen by git."""
    BENCH_FOLDER.mkdir(exist_ok=True)
    (BENCH_FOLDER / ".gitignore").write_text("*\n")
    return BENCH_FOLDER.resolve()


def run(command: list[str], result_type: type[T]) -> T:
    """Return what a command printed on its last line of output, read as JSON.

    Raises:
        MeasurementFailed: it ended with an error.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise MeasurementFailed(f"{' '.join(command)}: {(done.stderr.strip() or 'no message').splitlines()[-1]}")
    return msgspec.json.decode(done.stdout.strip().splitlines()[-1], type=result_type)


def run_module(module: str, arguments: list[str], result_type: type[T]) -> T:
    """Return what a module of this package printed, run in a fresh process."""
    return run([sys.executable, "-m", module, *arguments], result_type)


def peak_rss_mib() -> float:
    """Return the most memory that this process has held."""
    status = Path("/proc/self/status")
    # On Linux `ru_maxrss` begins with what the parent held, and this does not.
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
