"""Drift on a leg that never rests: what a position read may have shown, by the trades around it.

A venue shows what it held at some moment between the question, less its lag, and the answer. Once trades were read that
include all of that time, each prefix of them is such a moment, and the drift is one of the differences. It is the same
in read after read, and a lag alone always leaves zero among them.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal

import msgspec

from hedgerow.core.events import PositionRead
from hedgerow.model.ids import TradeId
from hedgerow.model.numbers import ZERO

# A read whose time saw more trades than this is not judged.
MOVES_MAX = 4_096
# Reads that wait to be judged; they come no closer than their spacing.
READS_MAX = 16
# One read leaves several explanations, and one alone could be what the next read refutes.
READS_MIN = 2


class Move(msgspec.Struct, frozen=True):
    """A change of our position: a booked fill, or a fee in base that became known."""

    venue_ts_ns: int
    trade_id: TradeId
    net_qty: Decimal
    booked_ts_ns: int


class Shown(msgspec.Struct, frozen=True):
    """A position read that is not judged yet."""

    asked_ts_ns: int
    answered_ts_ns: int
    net_qty: Decimal


class Witness:
    """What speaks for and against drift of one leg. Only seen: a start begins anew."""

    def __init__(self, since_ns: int) -> None:
        """Begin at `since_ns`: changes of our position before are not known, and a read may still show them."""
        self._since_ns = since_ns
        self._moves: deque[Move] = deque(maxlen=MOVES_MAX)
        self._reads: deque[Shown] = deque(maxlen=READS_MAX)
        self._left: frozenset[Decimal] = frozenset()
        "What may be the drift by every read since they last agreed; empty before the first."
        self._agreeing = 0

    @property
    def drift(self) -> Decimal | None:
        """Return the smallest drift that explains the latest reads; None while they may show none, or some.

        Noted, it stops entries; then the leg comes to rest, and the exact number shows.
        """
        if self._agreeing < READS_MIN or (ZERO in self._left and len(self._left) > 1):
            return None
        return min(self._left, key=lambda drift: (abs(drift), drift))

    @property
    def is_exact(self) -> bool:
        """Return whether one number alone explains the latest reads."""
        return len(self._left) == 1

    def moved(self, move: Move) -> None:
        """Take a change of our position."""
        self._moves.append(move)

    def shown(self, read: PositionRead, now_ns: int) -> None:
        """Take what the venue shows."""
        self._reads.append(Shown(read.asked_ts_ns, now_ns, read.share_net_qty))

    def forget(self) -> None:
        """What was shown no longer counts: what is ours and what is foreign was told apart anew."""
        self._reads.clear()
        self._left, self._agreeing = frozenset(), 0

    def judge(self, trades_asked_ns: int, explained: Decimal, lag_ns: int, step: Decimal) -> None:
        """Judge the reads whose time a read of trades includes.

        Args:
            trades_asked_ns: when that read of trades was asked.
            explained: what the account holds by our fills, and what is known to be foreign.
            lag_ns: how long the venue may hide what exists.
            step: less than this is rounding.
        """
        while self._reads and self._reads[0].answered_ts_ns + lag_ns <= trades_asked_ns:
            read = self._reads.popleft()
            # What was booked before then had happened before anything that this read may show.
            since_ns = read.asked_ts_ns - lag_ns
            if len(self._moves) == MOVES_MAX and self._moves[0].booked_ts_ns >= since_ns:
                continue
            if since_ns < self._since_ns:
                continue
            found = self._explanations(read.net_qty, since_ns, explained, step)
            both = self._left & found
            self._left, self._agreeing = (both, self._agreeing + 1) if both else (found, 1)
        oldest_ns = (self._reads[0].asked_ts_ns if self._reads else trades_asked_ns) - lag_ns
        while self._moves and self._moves[0].booked_ts_ns < oldest_ns:
            self._moves.popleft()

    def _explanations(self, net_qty: Decimal, since_ns: int, explained: Decimal, step: Decimal) -> frozenset[Decimal]:
        """Every drift that would explain what was shown."""
        moves = [move for move in self._moves if move.booked_ts_ns >= since_ns]
        moves.sort(key=lambda move: (move.venue_ts_ns, len(move.trade_id), move.trade_id))
        found = []
        held = explained
        for move in (None, *reversed(moves)):
            held -= ZERO if move is None else move.net_qty
            drift = net_qty - held
            found.append(ZERO if abs(drift) < step else drift)
        return frozenset(found)
