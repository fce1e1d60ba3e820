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
    "Where it is told: a row of SCENARIOS.md, of FAILURES.md (there with two digits), or a rule of DESIGN.md."
    sentence: str
    patches: tuple[Patch, ...]
    stories: tuple[str, ...] = ()
    """File names of stories, each of which must fail with the mistake. Without stories and checks, worlds must find it:
    they see nothing of what only a policy of its own can get wrong, which the oracle knows nothing of."""
    also: tuple[str, ...] = ()
    "Further rows of which it is the mistake."
    checks: tuple[str, ...] = ()
    "The same as stories, for rows that no story can say: functions of `checks.py`, which lies beside the stories."
    in_worlds: bool = False
    "Worlds must find it besides its stories."

    @property
    def rows(self) -> tuple[str, ...]:
        return (self.row, *self.also)

    @property
    def told(self) -> tuple[str, ...]:
        """Return its stories and checks."""
        return (*self.stories, *self.checks)

    @property
    def found_by(self) -> tuple[str, ...]:
        """Return, in words, all of what must find it."""
        told = (*(("stories",) if self.stories else ()), *(("checks",) if self.checks else ()))
        return (*told, "worlds") if self.in_worlds or not told else told

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Put the mistake back for a while."""
        with contextlib.ExitStack() as undo:
            for owner, name, value in self.patches:
                undo.callback(setattr, owner, name, owner.__dict__[name])
                setattr(owner, name, value)
            yield
