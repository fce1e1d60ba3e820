"""One round of a pair: what is remembered of it between events, and how that is told."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

import msgspec

from hedgerow.model.ids import LegId
from hedgerow.model.numbers import ZERO
from hedgerow.model.words import Word


class Phase(Word):
    WAITING = "waiting"
    "No round is under way."
    OPENING = "opening"
    "One leg opens, the other follows its fills."
    OPEN = "open"
    "Both legs stand; or one is out and the other runs by itself."
    CLOSING = "closing"
    "Both legs go to zero; over when both venues show it."


class Memory(msgspec.Struct, frozen=True, omit_defaults=True):
    """The latest round; in the journal as JSON."""

    round: int = 0
    "Number of the round, from 1; 0 before the first."
    phase: Phase = Phase.WAITING
    first: LegId = LegId("")
    "The leg that opens first."
    base_qty: Decimal = ZERO
    "Size of each leg, base units: wanted while opening, what was opened afterwards."
    began_ts_ns: int = 0
    exposed_ts_ns: int = 0
    "When its first fill was seen; 0 before. Time limits count from here."
    opened_ts_ns: int = 0
    "When both legs stood; 0 for a round that never opened."
    closing_ts_ns: int = 0
    "When closing began."
    ended_ts_ns: int = 0
    "When both venues had shown it flat; 0 before."
    out: LegId = LegId("")
    "The leg that is out while the other one runs by itself."
    reason: str = ""
    "Why a leg is out, or the round is closed."
    failures: int = 0
    "Rounds in a row, up to the latest that ended, that did not open."
    value_before: Decimal = ZERO
    "What both legs had won before it, quote."
    won: Decimal = ZERO
    "What it won, after funding and fees in quote; set when it ends."

    def text(self) -> str:
        return "" if self == _FRESH else msgspec.json.encode(self).decode()


_FRESH = Memory()
_SHOWN = Decimal("0.0001")


@lru_cache(maxsize=64)
def remembered(text: str) -> Memory:
    """Return what `Memory.text` said; the cache only spares reading the same text for every event."""
    return msgspec.json.decode(text, type=Memory) if text else _FRESH


@lru_cache(maxsize=64)
def told(text: str) -> str:
    """Return what `Memory.text` says, in a line for people."""
    memory = remembered(text)
    match memory.phase:
        case Phase.WAITING if not memory.round:
            return ""
        case Phase.WAITING:
            word = "over" if memory.opened_ts_ns else "failed"
            won = f"{memory.won.quantize(_SHOWN):+f}".rstrip("0").rstrip(".")
            return f"round {memory.round} {word}, both legs flat: {memory.reason}; {won} after fees"
        case Phase.OPENING if memory.exposed_ts_ns:
            return f"round {memory.round}: {memory.first} opens, the other leg follows"
        case Phase.OPENING:
            return f"round {memory.round} opening {memory.base_qty} a leg, {memory.first} first"
        case Phase.OPEN if memory.out:
            return f"round {memory.round} one leg out: {memory.reason}"
        case Phase.OPEN:
            return f"round {memory.round} open"
        case Phase.CLOSING:
            return f"round {memory.round} closing: {memory.reason}"
