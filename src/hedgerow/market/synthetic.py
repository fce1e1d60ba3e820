"""A synthetic market: correlated instruments of several venues, whose prices walk, jump and trade, from one seed.

Prices are whole ticks and quantities whole steps, and chance is whole numbers, so the same seed gives the same bytes.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from hedgerow.market.exchange import SimExchange
from hedgerow.market.tape import BookSnapshot, LevelsUpdated, MarketEvent, Traded, play
from hedgerow.model.ids import VenueId
from hedgerow.model.instrument import Instrument
from hedgerow.model.market import Level
from hedgerow.model.numbers import ZERO
from hedgerow.model.order import Side

MILLION = 1_000_000


class SyntheticSpec(msgspec.Struct, frozen=True):
    """How one instrument behaves. Rates are chances per call of `next`, in a million."""

    instrument: Instrument
    first_price: Decimal
    "Where the middle begins; on the tick."
    common_ticks: int = 1
    "Ticks here for one step of what all instruments share: 10 where the tick is a tenth of the other venue's."
    own_ticks: int = 1
    "Largest own move in one call; it is drawn back towards the shared price."
    spread_ticks: int = 2
    "Between best bid and best ask, >= 1."
    depth: int = 10
    "Levels on each side."
    level_gap_ticks: int = 1
    level_steps: int = 1000
    "A level's qty is up to this many steps, at least 1."
    thin_per_million: int = 20_000
    "The book shows a tenth of its levels' qty, and only two levels."
    trades_per_million: int = 500_000
    "Somebody trades."
    trade_steps: int = 500
    "A trade's qty is up to this many steps, at least 1."
    sweeps_per_million: int = 50_000
    "Of trades: goes through several levels."


class Walk(msgspec.Struct, frozen=True):
    """How the price that all instruments share moves, in steps. Rates are chances per call, in a million."""

    moves_per_million: int = 500_000
    step_max: int = 1
    jumps_per_million: int = 2_000
    jump_max: int = 40


class _Instrument:
    """One instrument's state: its own deviation from the shared price, and the levels that it shows."""

    def __init__(self, spec: SyntheticSpec) -> None:
        assert spec.first_price % spec.instrument.tick == 0, spec.first_price
        assert spec.spread_ticks >= 1, spec.spread_ticks
        assert spec.depth >= 2, spec.depth
        self.spec = spec
        self.first_ticks = int(spec.first_price / spec.instrument.tick)
        self.own_ticks = 0
        self.bids: dict[int, int] = {}
        "Price in ticks to qty in steps."
        self.asks: dict[int, int] = {}


class SyntheticMarket:
    """Moves every instrument once per call and shows the exchanges what changed."""

    def __init__(
        self,
        seed: int,
        specs: Sequence[SyntheticSpec],
        exchanges: Mapping[VenueId, SimExchange],
        walk: Walk | None = None,
    ) -> None:
        self._rng = random.Random(seed)
        self._walk = Walk() if walk is None else walk
        self._instruments = [_Instrument(spec) for spec in specs]
        self._exchanges = exchanges
        self._common_steps = 0

    def next(self, now_ns: int) -> tuple[MarketEvent, ...]:
        """Let one moment pass, and return the events that the exchanges have now seen, oldest first."""
        self._common_steps += self._common_move()
        events: list[MarketEvent] = []
        for instrument in self._instruments:
            events.extend(self._events(now_ns, instrument))
        for event in events:
            venue_id = VenueId(event.instrument_id.partition(":")[0])
            play(event, self._exchanges[venue_id])
        return tuple(events)

    def _common_move(self) -> int:
        walk = self._walk
        steps = 0
        if self._happens(walk.moves_per_million):
            steps += self._signed(walk.step_max)
        if self._happens(walk.jumps_per_million):
            steps += self._signed(walk.jump_max)
        return steps

    def _events(self, now_ns: int, instrument: _Instrument) -> list[MarketEvent]:
        spec = instrument.spec
        # Twice as likely towards the shared price as away from it, so venues part for a while and meet again.
        if instrument.own_ticks and self._rng.randrange(3):
            pull = min(abs(instrument.own_ticks), spec.own_ticks)
            instrument.own_ticks -= pull if instrument.own_ticks > 0 else -pull
        elif spec.own_ticks:
            instrument.own_ticks += self._signed(spec.own_ticks)
        lowest = spec.spread_ticks + spec.depth * spec.level_gap_ticks + 1
        middle = instrument.first_ticks + self._common_steps * spec.common_ticks + instrument.own_ticks
        middle = max(middle, lowest)
        best_bid = middle - (spec.spread_ticks + 1) // 2
        best_ask = best_bid + spec.spread_ticks
        is_first = not instrument.bids
        is_thin = self._happens(spec.thin_per_million)
        bids = self._ladder(instrument.bids, best_bid, -spec.level_gap_ticks, spec, is_thin)
        asks = self._ladder(instrument.asks, best_ask, spec.level_gap_ticks, spec, is_thin)
        events: list[MarketEvent] = []
        trade = self._trade(now_ns, instrument, bids, asks)
        if trade is not None and not is_first:
            events.append(trade)
        id_ = spec.instrument.id
        if is_first:
            events.append(BookSnapshot(now_ns, id_, _levels(spec, bids), _levels(spec, asks)))
        else:
            changed_bids = _changes(instrument.bids, bids)
            changed_asks = _changes(instrument.asks, asks)
            if changed_bids or changed_asks:
                events.append(LevelsUpdated(now_ns, id_, _levels(spec, changed_bids), _levels(spec, changed_asks)))
        instrument.bids = bids
        instrument.asks = asks
        return events

    def _ladder(self, old: dict[int, int], best: int, gap: int, spec: SyntheticSpec, is_thin: bool) -> dict[int, int]:
        """Return price in ticks to qty in steps, best first: about one level in four is new, the others stay."""
        ladder = {}
        for index in range(2 if is_thin else spec.depth):
            price = best + index * gap
            steps = old.get(price, 0)
            if is_thin:
                steps = 1 + self._rng.randrange(max(1, spec.level_steps // 10))
            elif not steps or not self._rng.randrange(4):
                steps = 1 + self._rng.randrange(spec.level_steps)
            ladder[price] = steps
        return ladder

    def _trade(self, now_ns: int, instrument: _Instrument, bids: dict[int, int], asks: dict[int, int]) -> Traded | None:
        """Return a trade at the new best price or, for a sweep, some levels through it."""
        spec = instrument.spec
        if not self._happens(spec.trades_per_million):
            return None
        aggressor = Side.BUY if self._rng.randrange(2) else Side.SELL
        prices = list(asks if aggressor is Side.BUY else bids)
        price = prices[self._rng.randrange(len(prices))] if self._happens(spec.sweeps_per_million) else prices[0]
        qty = spec.instrument.step * (1 + self._rng.randrange(spec.trade_steps))
        return Traded(now_ns, spec.instrument.id, spec.instrument.tick * price, qty, aggressor)

    def _happens(self, per_million: int) -> bool:
        return self._rng.randrange(MILLION) < per_million

    def _signed(self, size_max: int) -> int:
        return self._rng.randrange(2 * size_max + 1) - size_max


def _changes(old: dict[int, int], new: dict[int, int]) -> dict[int, int]:
    changes = dict.fromkeys((price for price in old if price not in new), 0)
    changes.update((price, steps) for price, steps in new.items() if old.get(price) != steps)
    return changes


def _levels(spec: SyntheticSpec, ladder: dict[int, int]) -> tuple[Level, ...]:
    tick, step = spec.instrument.tick, spec.instrument.step
    return tuple([(tick * price, step * steps if steps else ZERO) for price, steps in ladder.items()])
