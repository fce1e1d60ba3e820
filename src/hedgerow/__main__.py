"""`python -m hedgerow`: the same as the `hedgerow` program."""

from hedgerow.cli import main

main()
