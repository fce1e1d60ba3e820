"""Mistakes of `pair`."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from msgspec.structs import replace

from hedgerow.core import apply, planner
from hedgerow.core.book import Book
from hedgerow.core.commands import SubmitOrder
from hedgerow.core.events import TradesRead
from hedgerow.core.target import Target
from hedgerow.model.ids import ClientOrderId, LegId
from hedgerow.model.instrument import Instrument
from hedgerow.model.numbers import ZERO, ceil_to
from hedgerow.model.order import UNPROVEN, Order, OrderStatus
from hedgerow.sim.mutants.mutant import Mutant
from hedgerow.strategies.pair import opening as pair_opening
from hedgerow.strategies.pair import policy as pair
from hedgerow.strategies.pair.leg import PairLeg
from hedgerow.strategies.pair.opening import Opening
from hedgerow.strategies.pair.policy import Pair
from hedgerow.strategies.pair.round import Memory, Phase
from hedgerow.strategies.quoting import Reason

# The functions as they are, for mutants that only bend them.
_opened = Pair._opened
_exited = Pair._exited
_closed = Pair._closed
_closing_target = Pair._closing_target
_open_target = Pair._open_target
_working = Book.working
_submit = planner.Plan.submit
_apply_trades = apply._apply_trades


def _orphan_is_kept(policy: Pair, book: Book, memory: Memory) -> Memory:
    after = _opened(policy, book, memory)
    return memory if after.phase is Phase.CLOSING else after


def _refused_is_failed(policy: Pair, book: Book, memory: Memory) -> Memory:
    if any(book.refusal(leg_id) is not None for leg_id in book.legs):
        return policy._closing(book, memory, "a leg was refused")
    return _opened(policy, book, memory)


def _failure_is_not_counted(policy: Pair, book: Book, memory: Memory) -> Memory:
    return replace(_closed(policy, book, memory), failures=0)


def _blind_means_wait(policy: Pair, book: Book, memory: Memory) -> Memory:
    if not all(book.is_fresh(leg_id) for leg_id in book.legs):
        return memory
    return _exited(policy, book, memory)


def _stop_by_the_other_feed(leg: PairLeg, book: Book) -> Decimal | None:
    other = next(leg_id for leg_id in book.legs if leg_id != leg.id)
    quote = book.quote(other)
    if quote is None or not book.is_fresh(other):
        return None
    return quote.bid if leg.side.sign > 0 else quote.ask


def _cancel_is_not_awaited(book: Book, leg_id: LegId) -> Iterable[Order]:
    return [order for order in _working(book, leg_id) if not order.cancel_ts_ns]


def _winner_loses_its_limit(policy: Pair, book: Book, memory: Memory) -> Target:
    target = _open_target(policy, book, memory)
    return replace(target, resting=()) if memory.out else target


def _choice_is_not_told(policy: Pair, memory: Memory) -> str:
    return ""


def _trades_are_not_read(book: Book, event: TradesRead) -> bool:
    return _apply_trades(book, replace(event, fills=()))


def _close_is_asked_once(policy: Pair, book: Book, memory: Memory) -> Target:
    target = _closing_target(policy, book, memory)
    refused = {leg_id for leg_id in book.legs if book.refusal(leg_id) is not None}
    return replace(target, nets=tuple(net for net in target.nets if net.leg_id not in refused))


def _fills_prove_flat(book: Book, leg_id: LegId) -> bool:
    return True


def _timeout_is_failure(book: Book, order_id: ClientOrderId) -> bool:
    order = book.state.orders.get(order_id)
    if order is None or order.status not in UNPROVEN:
        return False
    apply._put(book, order.moved(OrderStatus.REJECTED))
    return True


def _finer_lot(long: Instrument, short: Instrument) -> Decimal:
    return min(long.step * long.multiplier, short.step * short.multiplier)


def _no_minimum(opening: Opening, book: Book) -> Decimal:
    return ZERO


def _one_symbol(plan: planner.Plan, leg_id: LegId, *rest: object, **named: object) -> None:
    _submit(plan, leg_id, *rest, **named)  # type: ignore[arg-type]
    rule, command = plan._book.config.hedge, plan.commands[-1]
    assert rule is not None, leg_id
    assert isinstance(command, SubmitOrder), command
    plan.commands[-1] = replace(command, instrument_id=plan._book.legs[rule.lead].instrument.id)


def _always_another_round(policy: Pair, book: Book, memory: Memory) -> Reason | None:
    return None


def _forgotten(text: str) -> Memory:
    return Memory()


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "pair_orphan_kept",
        "P1",
        "The second leg is tried for ever, and the first one stays naked.",
        ((Pair, "_opened", _orphan_is_kept),),
        ("P01_one_leg_opens_the_other_fails.txt", "P09_a_stop_that_says_what_is_not_flat.txt"),
    ),
    Mutant(
        "pair_failure_not_told",
        "P1",
        "A round that never opened counts as one that ended well.",
        ((Pair, "_closed", _failure_is_not_counted),),
        ("P01_the_first_leg_does_not_open.txt",),
    ),
    Mutant(
        "pair_blind_waits",
        "P2",
        "While one feed is dead nothing is judged: neither the other leg's stop nor the time limit.",
        ((Pair, "_exited", _blind_means_wait),),
        ("P02_one_feed_dies_and_the_other_leg_moves_5_percent.txt", "P02_time_limits_run_while_a_leg_is_blind.txt"),
    ),
    Mutant(
        "pair_stop_by_other_feed",
        "P2",
        "A leg's stop is judged by the other venue's price.",
        ((PairLeg, "closing_price", _stop_by_the_other_feed),),
        ("P02_one_feed_dies_and_the_other_leg_moves_5_percent.txt",),
    ),
    Mutant(
        "pair_close_beside_limit",
        "P3",
        "A leg is closed while its take-profit may still fill.",
        ((Book, "working", _cancel_is_not_awaited),),
        ("P03_the_winner_turns_and_is_stopped.txt", "P03_both_legs_are_closed_by_default.txt"),
    ),
    Mutant(
        "pair_winner_without_limit",
        "P3",
        "The winner's limit goes with the loser.",
        ((Pair, "_open_target", _winner_loses_its_limit),),
        ("P03_the_winner_runs_to_its_limit.txt",),
    ),
    Mutant(
        "pair_choice_alarms",
        "P3",
        "A residual that the policy chose alarms as one that happened.",
        ((Pair, "_unhedged", _choice_is_not_told),),
        ("P03_the_winner_runs_to_its_limit.txt",),
    ),
    Mutant(
        "pair_stream_alone",
        "P4",
        "Fills are taken from the stream alone.",
        ((apply, "_apply_trades", _trades_are_not_read),),
        ("P04_a_take_profit_fills_without_a_stream.txt",),
    ),
    Mutant(
        "pair_close_asked_once",
        "P5",
        "A close that was refused is not asked for again.",
        ((Pair, "_closing_target", _close_is_asked_once),),
        ("P05_a_forced_close_fails.txt",),
    ),
    Mutant(
        "pair_flat_by_fills",
        "P5",
        "The round is over before the venues show it.",
        ((Book, "is_shown", _fills_prove_flat),),
        ("P05_a_forced_close_fails.txt",),
    ),
    Mutant(
        "pair_timeout_is_failure",
        "P6",
        "A POST without an answer counts as refused and is sent again.",
        ((apply, "_apply_unknown", _timeout_is_failure),),
        ("P06_a_post_times_out_after_it_was_taken.txt", "P06_a_close_times_out_after_it_was_taken.txt"),
    ),
    Mutant(
        "pair_finer_lot",
        "P7",
        "Each leg is sized on its own step.",
        ((pair_opening, "common_lot", _finer_lot),),
        ("P07_25_at_350_is_seven_lots.txt",),
    ),
    Mutant(
        "pair_no_minimum",
        "P7",
        "A round is not compared with the smallest order of both venues.",
        ((Opening, "smallest", _no_minimum),),
        ("P07_raised_to_the_larger_minimum.txt", "P07_refused_below_the_minimum.txt"),
    ),
    Mutant(
        "pair_one_symbol",
        "P8",
        "Both venues are asked for the long leg's symbol.",
        ((planner.Plan, "submit", _one_symbol),),
        ("P08_each_venue_has_its_own_symbol.txt",),
    ),
    Mutant(
        "pair_single_repeats",
        "P9",
        "A single round is followed by another.",
        ((Pair, "_why_no_more", _always_another_round),),
        ("P09_a_single_round_and_one_more_by_signal.txt", "P09_a_stop_in_the_middle_of_a_round.txt"),
    ),
    Mutant(
        "pair_round_forgotten",
        "P9",
        "What round it is, and since when, is not remembered.",
        ((pair, "remembered", _forgotten),),
        ("P09_rounds_follow_one_another.txt", "P08_each_venue_has_its_own_symbol.txt"),
    ),
    Mutant(
        "pair_gives_up_at_once",
        "P1",
        "One refusal of the second leg ends the round, and the first leg is closed at a loss.",
        ((Pair, "_opened", _refused_is_failed),),
        ("P01_the_second_leg_is_tried_again.txt",),
    ),
    Mutant(
        "pair_spends_more",
        "P7",
        "The size of a round is rounded up, beyond what it may cost.",
        ((pair_opening, "floor_to", ceil_to),),
        ("P07_equal_size_on_the_coarser_step.txt",),
    ),
)
