"""Grid: a ladder of levels, each of which enters with a resting order and exits one spacing further on.

What a level holds is a lot of its own, by the fills of its slots: its exits are for exactly that, and the entry returns
when it is sold. Where the ladder stands is worked out once and remembered; quotes only decide which entries rest.
"""

from __future__ import annotations

from msgspec.structs import replace

from hedgerow.core.book import Book
from hedgerow.core.config import BookConfig
from hedgerow.core.holds import HoldReason
from hedgerow.core.target import NetTarget, Taking, Target
from hedgerow.model.instrument import Instrument
from hedgerow.model.order import Role
from hedgerow.strategies.grid.brakes import brake, stop
from hedgerow.strategies.grid.check import check, grid_leg
from hedgerow.strategies.grid.entries import want_entries
from hedgerow.strategies.grid.exits import seed, want_exits
from hedgerow.strategies.grid.levels import Frame, Ladder
from hedgerow.strategies.grid.look import ENTRIES, Look, held_lots
from hedgerow.strategies.grid.memory import remembered
from hedgerow.strategies.grid.params import GridParams
from hedgerow.strategies.grid.range import keep_range, measure, place, told
from hedgerow.strategies.quoting import Reason, hedge_reason
from hedgerow.strategies.waking import level_stays, together

__all__ = ["Grid", "GridParams", "check"]


class Grid:
    """A ladder of limit orders on one leg; a hedge leg, if there is one, offsets what it holds."""

    def __init__(self, config: BookConfig, params: GridParams) -> None:
        self._params = params
        self._leg = grid_leg(config)
        self._hedge = None if config.hedge is None else config.hedge.hedge
        self._taking = Taking(params.slippage_bps_max)
        self._told = told(params)
        self._ladders: dict[tuple[Frame, int, Instrument], Ladder] = {}

    def target(self, book: Book) -> Target:
        before = remembered(book.state.memory)
        look = Look(book, self._leg, self._params, before)
        if before.told != self._told:
            # Other parameters: a new ladder. What is held, lost and measured stays.
            look.memory = replace(
                before,
                told=self._told,
                frame=None,
                offset=0,
                lowest=0,
                highest=0,
                side_out="",
                out_since_ns=0,
                # Adopted holdings are given to levels of the new ladder: a number means another price there.
                seeds=(),
            )
        measure(look)

        def make(frame: Frame, offset: int) -> Ladder:
            return self._ladder(look.instrument, frame, offset)

        ladder = place(look, make)
        nets, gate = self._hedged(look)
        if ladder is None:
            look.hold(HoldReason.NO_MARK_PRICE if look.mark is None else HoldReason.WARMING_UP, ENTRIES)
            return Target(nets, holds=tuple(look.holds), memory=look.memory.text(), wake_ts_ns=look.wake_ts_ns)
        seed(look, ladder)
        look.lots = held_lots(look)
        ladder = keep_range(look, ladder, make)
        flatten_reason = stop(look)
        want_exits(look, ladder)
        want_entries(look, ladder, brake(look, ladder.full_qty), gate)
        return Target(
            nets,
            tuple(look.resting),
            tuple(look.holds),
            book.state.memory if look.memory is before else look.memory.text(),
            look.wake_ts_ns,
            flatten_reason,
            tuple(look.alarms),
            wake_prices=together(look.watch.prices(), level_stays(book)),
        )

    def _ladder(self, instrument: Instrument, frame: Frame, offset: int) -> Ladder:
        """The ladder there. Only the latest is kept: all looks between two moves share it."""
        key = (frame, offset, instrument)
        ladder = self._ladders.get(key)
        if ladder is None:
            self._ladders.clear()
            ladder = self._ladders[key] = Ladder(self._params, instrument, frame, offset)
        return ladder

    def _hedged(self, look: Look) -> tuple[tuple[NetTarget, ...], Reason | None]:
        """What the hedge leg should hold, and why it lets nothing new be entered, if it does not."""
        if self._hedge is None:
            return (), None
        book = look.book
        net = NetTarget(self._hedge, book.hedge_target(), self._taking, Role.HEDGE)
        return (net,), hedge_reason(book, self._hedge, is_level=book.is_level)
