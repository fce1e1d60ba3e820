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
    asked = [str(python), "-m", "pytest", "-q", "-m", "slow or not slow", "tests/judges", *told]
    return subprocess.run(asked, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
