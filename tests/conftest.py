"""What every test runs under: asserts on, and the same examples on each run."""

from __future__ import annotations

from hypothesis import settings

assert __debug__, "asserts are part of the product: run the tests without -O"

# No deadline, since a busy machine is not a defect. Derandomized, so that a failure can be repeated by anyone;
# `hedgerow torture` is where new worlds are looked for.
settings.register_profile("hedgerow", deadline=None, derandomize=True)
settings.load_profile("hedgerow")
