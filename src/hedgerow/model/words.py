"""Words: the enums of closed lists."""

from __future__ import annotations

import sys
from enum import Enum, EnumType

# Python 3.11 goes through a Python-level hook for each `Side.BUY`, 0.1 us every time. Its members are ordinary class
# attributes, so that nothing needs the hook, and later versions do not have it.
if sys.version_info < (3, 12) and hasattr(EnumType, "__getattr__"):
    del EnumType.__getattr__


class Word(Enum):
    """A word from a closed list. Hashed by identity, since the stdlib's hash of the name costs a Python call."""

    __hash__ = object.__hash__
