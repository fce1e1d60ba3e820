"""Words: the enums of closed lists."""

from __future__ import annotations

from enum import Enum


class Word(Enum):
    """A word from a closed list. Hashed by identity, since the stdlib's hash of the name costs a Python call."""

    __hash__ = object.__hash__
