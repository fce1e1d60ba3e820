"""The funding of one perpetual as its data tells it: which rate stands at a time, and when it is paid."""

from __future__ import annotations

import numpy as np

from hedgerow.core.config import NS_PER_S
from hedgerow.market.ticks import RATE_STEP, Funding, Ints
from hedgerow.model.ids import InstrumentId, VenueId
from hedgerow.model.market import FundingRate
from hedgerow.sim.backtest.track import NEVER

# Where the data tells of one payment alone: as most venues pay.
USUAL_S = 8 * 3_600


class FundingTold:
    """What is told of funding as time goes by. Nothing is paid at times that the data does not name."""

    def __init__(self, instrument_id: InstrumentId, funding: Funding, start_ns: int) -> None:
        """Begin at `start_ns`, with what was told last before it."""
        self.instrument_id = instrument_id
        self.venue_id = VenueId(instrument_id.partition(":")[0])
        self._start_ns = start_ns
        self._ts: Ints = np.asarray(funding.ts_ns)
        self._rate: Ints = np.asarray(funding.rate)
        self._due: Ints = np.asarray(funding.due_ns)
        self._dues: Ints = np.unique(self._due)
        "Every time at which something is paid."
        self._interval_s = int(np.median(np.diff(self._dues))) // NS_PER_S if len(self._dues) > 1 else USUAL_S
        self._row = max(int(np.searchsorted(self._ts, start_ns, "right")) - 1, 0)
        self._standing = 0
        "The rate that was told last."

    def next_ns(self) -> int:
        """Return when something is told next; NEVER when nothing is."""
        return max(int(self._ts[self._row]), self._start_ns) if self._row < len(self._ts) else NEVER

    def tell(self, ts_ns: int) -> FundingRate | None:
        """Return the rate that is told by a time, if something is: for when it is paid, or the time after."""
        row = int(np.searchsorted(self._ts, ts_ns, "right"))
        if row <= self._row:
            return None
        self._row = row
        self._standing = int(self._rate[row - 1])
        due_ns = int(self._due[row - 1])
        return self._at(ts_ns, due_ns) if due_ns >= ts_ns else self.paid(ts_ns)

    def paid(self, ts_ns: int) -> FundingRate:
        """Return what stands after a payment: the same rate, until another is told, for the next time."""
        at = int(np.searchsorted(self._dues, ts_ns, "right"))
        return self._at(ts_ns, int(self._dues[at]) if at < len(self._dues) else NEVER)

    def _at(self, ts_ns: int, due_ns: int) -> FundingRate:
        return FundingRate(self.instrument_id, ts_ns, self._standing * RATE_STEP, self._interval_s, due_ns)
