"""The command line."""

from __future__ import annotations

import sys

from hedgerow.cli.streams import prepare


def main() -> None:
    """Run one command and exit; the entry of the `hedgerow` program."""
    prepare()
    if not __debug__:
        sys.stderr.write(
            "hedgerow: HR-003 asserts are switched off, and they are what stops a wrong order;"
            " start Python without -O and PYTHONOPTIMIZE\n"
        )
        sys.exit(2)
    try:
        from hedgerow.cli.app import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        # `run` tells of its own; this one came while the program was still loading.
        sys.stderr.write("hedgerow: interrupted\n")
        code = 130
    sys.exit(code)
