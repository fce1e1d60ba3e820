"""What the judges of simulated worlds find."""

from __future__ import annotations

import msgspec


class Violation(msgspec.Struct, frozen=True):
    """A rule that an engine broke, and when."""

    ts_ns: int
    rule: str
    text: str
