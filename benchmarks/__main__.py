"""`python -m benchmarks`, as `./hr bench` calls it: runs the benchmarks and prints numbers and goals.

Exit codes: 0 all that was asked for ran, whether or not goals are met; 1 a measurement failed, and the others are
printed; 2 bad arguments; 69 the engine to compare with cannot be installed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial

from benchmarks import against_quotes, backtest, binance, durable, hedges, latency, nautilus, quotes, recovery, worlds
from benchmarks.process import MeasurementFailed
from benchmarks.report import Number, Skipped, print_json, print_table, report

EXIT_FAILED = 1
EXIT_UNAVAILABLE = 69

BENCHMARKS: dict[str, Callable[[bool], Sequence[Number | Skipped]]] = {
    "hedges": hedges.run,
    "quotes": quotes.run,
    "durable": durable.run,
    "latency": latency.run,
    "binance": binance.run,
    "recovery": recovery.run,
    "worlds": worlds.run,
    "backtest": backtest.run,
}


def arguments(told: list[str]) -> argparse.Namespace:
    """Return the command line, read."""
    parser = argparse.ArgumentParser(prog="hr bench", description="Measure hedgerow against its goals.")
    parser.add_argument("--quick", action="store_true", help="small sizes, under a minute or two")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument(
        "--only", nargs="+", choices=sorted(BENCHMARKS), default=[], metavar="NAME", help=", ".join(BENCHMARKS)
    )
    parser.add_argument(
        "--against",
        type=_engines,
        default=(),
        metavar="ENGINES",
        help="run the same work through other engines, and nothing else: nautilus, hftbacktest or both, with a comma",
    )
    parser.add_argument(
        "--sizes", nargs="+", type=_size, default=[], metavar="FILLS", help="lead fills of hedges and --against"
    )
    read = parser.parse_args(told)
    if read.against and read.only:
        parser.error("--against runs nothing else; leave --only out")
    if read.sizes and read.only and "hedges" not in read.only:
        parser.error("--sizes belongs to hedges, which --only leaves out")
    return read


def _engines(text: str) -> tuple[str, ...]:
    engines = tuple(dict.fromkeys(text.split(",")))
    for engine in engines:
        if engine not in against_quotes.ENGINES:
            known = ", ".join(against_quotes.ENGINES)
            raise argparse.ArgumentTypeError(f"{engine!r} is no engine to compare with; name one of {known}")
    return engines


def _size(text: str) -> int:
    try:
        size = int(text.replace("_", "").replace(",", ""))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of lead fills") from None
    if size < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of lead fills; use 1 or more")
    return size


def main(told: list[str]) -> int:
    """Run what was asked for, print it, and return the exit code."""
    asked = arguments(told)
    runs: dict[str, Callable[[], Sequence[Number | Skipped]]] = {}
    if "nautilus" in asked.against:
        runs["against_nautilus"] = lambda: nautilus.compare(asked.quick, tuple(asked.sizes))
    for engine in asked.against:
        runs[f"against_{engine}_quotes"] = partial(against_quotes.compare, engine, asked.quick)
    if not asked.against:
        runs = {
            name: partial(run, asked.quick) for name, run in BENCHMARKS.items() if not asked.only or name in asked.only
        }
        if asked.sizes:
            runs["hedges"] = lambda: hedges.run(asked.quick, tuple(asked.sizes))
    results: list[Number | Skipped] = []
    code = 0
    for name, run in runs.items():
        _note(name)
        try:
            results += run()
        except MeasurementFailed as error:
            # The others' numbers are good all the same.
            results.append(Skipped(name, f"failed: {error}"))
            code = EXIT_FAILED
        except nautilus.Unavailable as error:
            _note(str(error))
            return EXIT_UNAVAILABLE
    whole = report(asked.quick, results)
    if asked.json:
        print_json(whole)
    else:
        print_table(whole)
    return code


def _note(text: str) -> None:
    print(f"hedgerow bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
