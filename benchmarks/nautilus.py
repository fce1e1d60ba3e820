"""The same work through NautilusTrader, in an environment of its own, and how the rates compare.

Both engines get a lead order of its own for each fill and a quote before it: its simulated venue fills a resting order
whole on one trade, so a larger order could not be filled in pieces of one trade each.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median

import msgspec

from benchmarks import hedges
from benchmarks.process import bench_folder, run
from benchmarks.report import Number, at_least

VERSION = "1.231.0"
# What that version runs on.
PYTHON_MIN = (3, 12)
PYTHON_NAMES = ("python3.14", "python3.13", "python3.12", "python3")
SCRIPT = Path(__file__).with_name("nautilus_hedges.py")
# Its alternating rate falls with the square of the fills: 10,000 would take the better part of an hour.
SIZES = {"one_sided": (1_000, 10_000), "alternating": (500, 1_000, 2_000)}
QUICK_SIZES = {"one_sided": (1_000,), "alternating": (500,)}


class Unavailable(Exception):
    """It cannot be installed here; the text says why, in one line."""


class Theirs(msgspec.Struct, frozen=True):
    """One run of their engine."""

    version: str
    fills: int
    per_s: float
    cpu_per_s: float


def install(name: str = "nautilus", package: str = "nautilus_trader", release: str = VERSION) -> Path:
    """Return the Python of an environment that has an engine, made on first use.

    Raises:
        Unavailable: no Python that it needs, no network, or no such version for this machine.
    """
    folder = bench_folder() / f"{name}-{release}"
    python, done = folder / "bin" / "python", folder / "installed"
    if done.exists() and python.exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    _call([find_python(), "-m", "venv", str(folder)])
    install_it = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
        "--only-binary",
        ":all:",
    ]
    _call([str(python), *install_it, f"{package}=={release}"])
    done.touch()
    return python


def find_python() -> str:
    """Return a Python that is new enough: this one, one in PATH, or a neighbor of this one.

    Raises:
        Unavailable: there is none.
    """
    folders = [Path(part) for part in os.environ.get("PATH", "").split(os.pathsep) if part]
    candidates = [Path(sys.executable)]
    candidates += [folder / name for name in PYTHON_NAMES for folder in folders]
    candidates += sorted(Path(sys.base_prefix).parent.glob("*/bin/python3"))
    for candidate in candidates:
        if candidate.is_file() and _is_new_enough(candidate):
            return str(candidate)
    wanted = ".".join(str(part) for part in PYTHON_MIN)
    raise Unavailable(f"the engine needs Python {wanted} or newer, and none was found in PATH")


def _is_new_enough(python: Path) -> bool:
    asked = [str(python), "-c", f"import ensurepip, sys, venv; sys.exit(sys.version_info < {PYTHON_MIN})"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


def _call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        errors = [line for line in said if line.lower().startswith("error")]
        raise Unavailable(f"the engine cannot be installed here: {(errors or said)[-1]}")


def compare(quick: bool, sizes: tuple[int, ...] = ()) -> list[Number]:
    """Run both engines over the same work, size by size, and return both rates and their ratios.

    Args:
        quick: the smallest size of each shape only.
        sizes: lead fills for both shapes; empty for the usual ones.

    Raises:
        Unavailable: theirs cannot be installed.
        MeasurementFailed: one of the two did not do its work.
    """
    python = install()
    numbers = []
    for shape, usual in (QUICK_SIZES if quick else SIZES).items():
        for fills in sizes or usual:
            repeats = 3 if fills <= 1_000 else 1
            ours = hedges.measured(shape, fills, 1, journaled=False, repeats=repeats)
            our_rate, our_cpu_rate = ours.fills / ours.took_s, ours.fills / ours.cpu_s
            name, what = f"against_nautilus/{shape}/{fills}", f"lead fills hedged, {shape.replace('_', '-')}"
            numbers.append(at_least(f"{name}/hedgerow", f"{what}, hedgerow", "/s", our_rate, None, our_cpu_rate))
            for checks in ("on", "off"):
                runs = [_theirs(python, shape, fills, checks) for _ in range(repeats)]
                rate, cpu_rate = median(each.per_s for each in runs), median(each.cpu_per_s for each in runs)
                told = f"nautilus_trader {runs[0].version}, risk checks {checks}"
                numbers.append(at_least(f"{name}/nautilus/{checks}", f"{what}, {told}", "/s", rate, None, cpu_rate))
                ratio, cpu_ratio = our_rate / rate, our_cpu_rate / cpu_rate
                numbers.append(at_least(f"{name}/ratio/{checks}", f"hedgerow ÷ {told}", "×", ratio, None, cpu_ratio))
    return numbers


def _theirs(python: Path, shape: str, fills: int, checks: str) -> Theirs:
    return run([str(python), "-W", "ignore", str(SCRIPT), shape, str(fills), checks], Theirs)
