"""Where a grid's ladder stands, and what leaving its range leads to."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from msgspec.structs import replace

from hedgerow.core.config import NS_PER_S
from hedgerow.core.holds import Alarm, AlarmKind, HoldReason
from hedgerow.model.numbers import BPS, ZERO
from hedgerow.model.words import Word
from hedgerow.strategies.grid.levels import Frame, Ladder, frame_of, shown
from hedgerow.strategies.grid.look import RANGE, Look
from hedgerow.strategies.grid.params import GridParams, OutOfRange, RecenterWhen
from hedgerow.strategies.quoting import to_ns

ABOVE, BELOW = "above", "below"
# The market is back in the range when it is half a spacing inside it: at its edge it would leave it all the time.
INSIDE = Decimal("0.5")
LADDER_KEYS = (
    "direction",
    "low",
    "high",
    "center",
    "width_bps",
    "progression",
    "levels",
    "spacing_bps",
    "net_return_bps_min",
)

MakeLadder = Callable[[Frame, int], Ladder]
"(frame, offset) -> the ladder there, made once."


def told(params: GridParams) -> str:
    """Return the parameters that make the ladder, as text: other ones make another ladder."""
    values = (getattr(params, key) for key in LADDER_KEYS)
    return " ".join(str(value.value if isinstance(value, Word) else value) for value in values)


def measure(look: Look) -> None:
    """Note the bar that has ended, if one has: sampled by the clock, so that no quote is looked at for it."""
    if not look.params.needs_atr:
        return
    book, memory = look.book, look.memory
    bar_ns = look.params.atr_bar_s * NS_PER_S
    due_ns = memory.bar_ts_ns + bar_ns
    if book.now_ns < due_ns:
        look.wake(due_ns)
        return
    if look.mark is None or not book.is_fresh(look.leg):
        # The next quote is looked at by itself: without a fresh one nothing is promised of them.
        look.watch.falls(look.leg, look.mark or ZERO)
        look.watch.rises(look.leg, look.mark or ZERO)
        return
    # A gap begins the bars anew: a move over an hour is no move of a minute.
    bars = memory.bars if book.now_ns < due_ns + bar_ns else ()
    look.memory = replace(memory, bars=(*bars, look.mark)[-look.params.atr_bars - 1 :], bar_ts_ns=book.now_ns)
    look.wake(book.now_ns + bar_ns)


def place(look: Look, make: MakeLadder) -> Ladder | None:
    """Return the ladder, made at the first look that knows the price and the volatility that it needs."""
    memory = look.memory
    if memory.frame is None:
        frame = frame_of(look.params, look.mark, look.atr_bps)
        if frame is None:
            return None
        memory = look.memory = replace(memory, frame=frame)
    assert memory.frame is not None, memory
    return make(memory.frame, memory.offset)


def keep_range(look: Look, ladder: Ladder, make: MakeLadder) -> Ladder:
    """Tell that the market has left the range, and do what the policy says when that has lasted."""
    _note_side(look, ladder)
    memory = look.memory
    if not memory.side_out:
        return ladder
    params = look.params
    due_ns = memory.out_since_ns + to_ns(params.out_of_range_s)
    is_due = look.book.now_ns >= due_ns
    if not is_due:
        look.wake(due_ns)
    elif params.out_of_range is OutOfRange.RECENTER and look.mark is not None:
        is_flat = not any(look.can_exit(lot.qty, look.mark) for lot in look.lots)
        if is_flat or params.recenter_when is RecenterWhen.HELD:
            return _recentered(look, ladder, make, look.mark, is_flat)
    edge = ladder.high if memory.side_out == ABOVE else ladder.low
    look.hold(
        HoldReason.OUT_OF_RANGE, RANGE, ("side", memory.side_out), ("edge", shown(edge)), *_distance(look, ladder)
    )
    if is_due:
        text = (
            f"the market has been {memory.side_out} the range {shown(ladder.low)} to {shown(ladder.high)} "
            f"for {params.out_of_range_s} s"
        )
        look.alarms.append(Alarm(AlarmKind.OUT_OF_RANGE, look.book.config.book_id, text))
        if params.out_of_range is OutOfRange.STOP and not memory.stopped:
            look.memory = replace(memory, stopped=text)
    return ladder


def _note_side(look: Look, ladder: Ladder) -> None:
    """Remember on which side of the range the market is, from when it left it until it is well inside again."""
    quote, watch, leg, memory = look.quote, look.watch, look.leg, look.memory
    if quote is None or quote.bid is None or quote.ask is None:
        return
    frame = ladder.frame
    margin = (frame.step if frame.is_arithmetic else ladder.low * frame.step) * INSIDE
    side = memory.side_out
    if (side == ABOVE and quote.bid <= ladder.high - margin) or (side == BELOW and quote.ask >= ladder.low + margin):
        side = ""
    if not side and quote.bid > ladder.high:
        side = ABOVE
    elif not side and quote.ask < ladder.low:
        side = BELOW
    if side == ABOVE:
        watch.falls(leg, ladder.high - margin)
    elif side == BELOW:
        watch.rises(leg, ladder.low + margin)
    else:
        watch.rises(leg, ladder.high)
        watch.falls(leg, ladder.low)
    if side != memory.side_out:
        look.memory = replace(memory, side_out=side, out_since_ns=look.book.now_ns if side else 0)


def _distance(look: Look, ladder: Ladder) -> tuple[tuple[str, str], ...]:
    """How far the mark is beyond the edge, in whole spacings: a number that few quotes change."""
    if look.mark is None:
        return ()
    frame, watch = ladder.frame, look.watch
    is_above = look.memory.side_out == ABOVE
    edge, way = (ladder.last, 1) if is_above else (ladder.first - 1, -1)
    spacings = max((frame.nearest(look.mark) - edge) * way, 0)
    while spacings and (look.mark - frame.rung(edge + way * spacings)) * way < 0:
        spacings -= 1
    here, beyond = frame.rung(edge + way * spacings), frame.rung(edge + way * (spacings + 1))
    # The mark lies between bid and ask.
    further, nearer = (watch.rises, watch.falls) if is_above else (watch.falls, watch.rises)
    further(look.leg, beyond)
    if spacings:
        nearer(look.leg, here)
    distance_bps = abs(here / frame.rung(edge) - 1) / BPS
    return ("spacings", str(spacings)), ("at_least_bps", shown(distance_bps))


def _in_proportion(ladder: Ladder, mark: Decimal) -> Frame:
    """The same ladder around another price, each of its prices as much higher or lower."""
    frame, times = ladder.frame, mark * 2 / (ladder.low + ladder.high)
    return replace(frame, low=ladder.low * times, step=frame.step * times)


def _recentered(look: Look, ladder: Ladder, make: MakeLadder, mark: Decimal, is_flat: bool) -> Ladder:
    """Move the ladder to the market: by whole spacings, or made anew where it follows it and nothing is held."""
    params = look.params
    memory = replace(look.memory, side_out="", out_since_ns=0)
    if is_flat and (params.low is None or ladder.frame.is_arithmetic):
        if params.low is None:
            made = frame_of(replace(params, center=None), mark, look.atr_bps)
            assert made is not None, params
            frame = made
        else:
            # A step that pays the fees at one price does not at twice that price.
            frame = _in_proportion(ladder, mark)
        if look.lots:
            frame = replace(frame, start=max(ladder.last, look.lots[-1].number))
        look.memory = replace(memory, frame=frame, offset=0, lowest=0, highest=0)
        return make(frame, 0)
    frame = ladder.frame
    offset = frame.nearest(mark) - frame.start - frame.count // 2
    while frame.is_arithmetic and frame.rung(frame.start + offset) <= 0:
        offset += 1
    look.memory = replace(memory, offset=offset, lowest=min(memory.lowest, offset), highest=max(memory.highest, offset))
    return make(frame, offset)
