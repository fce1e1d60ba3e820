"""The same recorded quotes through other engines, each in an environment of its own, and how the rates compare.

The work is a resting grid. Theirs is ten orders that rest and are filled; ours is the policy `grid`, which sells what
it bought and enters again, on the simulated exchange with fees and queues, under every check that is on live.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from benchmarks import nautilus
from benchmarks.backtest import RECORDED, Ran, repeated
from benchmarks.process import run, run_module, scratch
from benchmarks.report import Number, Skipped, at_least
from hedgerow.market.ticks import TickFile

# Engine -> (folder of its environment, package, release, what runs in it).
ENGINES = {
    "nautilus": ("nautilus", "nautilus_trader", nautilus.VERSION, "nautilus_quotes.py"),
    "hftbacktest": ("hftbacktest", "hftbacktest", "2.4.4", "hft_quotes.py"),
}
# Each engine's quotes: theirs that makes an object of each takes minutes for ten million.
QUOTES = {"nautilus": 500_000, "hftbacktest": 5_000_000}
QUICK_QUOTES = {"nautilus": 200_000, "hftbacktest": 1_000_000}
OUR_QUOTES, OUR_QUICK_QUOTES = 10_000_000, 1_000_000


class Theirs(msgspec.Struct, frozen=True):
    """One run of another engine."""

    version: str
    quotes: int
    per_s: float
    cpu_per_s: float


def compare(engine: str, quick: bool) -> list[Number | Skipped]:
    """Run both engines over the recorded quotes and return both rates and their ratio.

    Args:
        engine: `nautilus` or `hftbacktest`.

    Raises:
        Unavailable: theirs cannot be installed.
        MeasurementFailed: one of the two did not do its work.
    """
    if not RECORDED.exists():
        return [
            Skipped(f"against_{engine}/quotes", f"the recorded frames are not beside the checkout ({RECORDED.name})")
        ]
    name, package, release, script = ENGINES[engine]
    python = nautilus.install(name, package, release)
    with scratch() as place:
        folder = Path(place)
        path = repeated(folder, OUR_QUICK_QUOTES if quick else OUR_QUOTES)
        _columns(TickFile.open(path), folder, (QUICK_QUOTES if quick else QUOTES)[engine])
        theirs = run([str(python), "-W", "ignore", str(Path(__file__).with_name(script)), str(folder)], Theirs)
        ours = run_module("benchmarks.backtest", [str(path), "grid"], Ran)
    our_rate, our_cpu_rate = ours.quotes / ours.took_s, ours.quotes / ours.cpu_s
    prefix, told = f"against_{engine}/quotes", f"{engine} {theirs.version}"
    ours_what = f"quotes of a resting grid, hedgerow, {ours.quotes:,} quotes"
    theirs_what = f"quotes of a resting grid, {told}, {theirs.quotes:,} quotes"
    ratio, cpu_ratio = our_rate / theirs.per_s, our_cpu_rate / theirs.cpu_per_s
    return [
        at_least(f"{prefix}/hedgerow", ours_what, "/s", our_rate, None, our_cpu_rate),
        at_least(f"{prefix}/{engine}", theirs_what, "/s", theirs.per_s, None, theirs.cpu_per_s),
        at_least(f"{prefix}/ratio", f"hedgerow ÷ {told}", "×", ratio, None, cpu_ratio),
    ]


def _columns(file: TickFile, folder: Path, rows: int) -> None:
    """Write quotes as numbers that anybody can read."""
    quotes = file.quotes
    np.save(folder / "ts_ns.npy", quotes.ts_ns[:rows])
    for name, unit in (("bid", file.tick), ("ask", file.tick), ("bid_qty", file.step), ("ask_qty", file.step)):
        np.save(folder / f"{name}.npy", getattr(quotes, name)[:rows] * float(unit))
