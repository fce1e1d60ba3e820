"""`python -m tests.judges`, as `./hr test --all` calls it: runs the judges' tests in the judges' own environment.

Exit codes: pytest's; 69 the environment cannot be made, and one line says why.
"""

from __future__ import annotations

import subprocess
import sys

from tests.judges.environment import ROOT, Unavailable, judges_python

EXIT_UNAVAILABLE = 69


def main(told: list[str]) -> int:
    """Run them, and return the exit code."""
    try:
        python = judges_python()
    except Unavailable as error:
        print(f"hedgerow: {error}", file=sys.stderr)
        return EXIT_UNAVAILABLE
    # What needs no client has run with the other tests already.
    chosen = ["-m", "slow or not slow", "--ignore=tests/judges/test_fuzz.py", *(told or ["tests/judges"])]
    return subprocess.run([str(python), "-m", "pytest", "-q", "-n", "2", *chosen], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
