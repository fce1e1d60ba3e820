"""The command line."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run one command and exit; the entry of the `hedgerow` program."""
    _fill_closed()
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


def _fill_closed() -> None:
    """Open what the shell closed (`>&-`) to nowhere: else the journal would get its number, and our output with it."""
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(fd)
        except OSError:
            opened = os.open(os.devnull, os.O_RDONLY if fd == 0 else os.O_WRONLY)
            assert opened == fd, (opened, fd)
            setattr(sys, name, open(fd, "r" if fd == 0 else "w", encoding="utf-8"))  # noqa: SIM115
