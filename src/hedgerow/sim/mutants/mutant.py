"""One mistake that was made for real, and how it is put back for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import msgspec

Patch = tuple[Any, str, Any]
"(owner, attribute, what stands there instead)."


class Mutant(msgspec.Struct, frozen=True):
    """One mistake.

    It replaces functions of the real modules while it is active, and nothing of it is left afterwards.
    """

    name: str
    row: str
    "Where it is told: a row of SCENARIOS.md, of FAILURES.md, or a rule of DESIGN.md."
    sentence: str
    patches: tuple[Patch, ...]
    stories: tuple[str, ...] = ()
    """File names of stories of which one must fail with the mistake; empty: worlds must find it. For what only a policy
    of its own can get wrong, which the oracle knows nothing of."""

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Put the mistake back for a while."""
        with contextlib.ExitStack() as undo:
            for owner, name, value in self.patches:
                undo.callback(setattr, owner, name, owner.__dict__[name])
                setattr(owner, name, value)
            yield
