"""Mistakes of `grid`."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from hedgerow.core import apply, decide, planner
from hedgerow.core.book import Book
from hedgerow.core.commands import Mode
from hedgerow.core.events import OpenOrdersRead, PositionModeRead, RejectClass
from hedgerow.model.ids import ClientOrderId, LegId
from hedgerow.model.instrument import Instrument
from hedgerow.model.numbers import ZERO
from hedgerow.model.order import UNPROVEN, Order, OrderStatus, Role, Side
from hedgerow.sim.mutants.mutant import Mutant
from hedgerow.strategies.grid import brakes as grid_brakes
from hedgerow.strategies.grid import check as grid_check
from hedgerow.strategies.grid import entries as grid_entries
from hedgerow.strategies.grid import exits as grid_exits
from hedgerow.strategies.grid import levels as grid_levels
from hedgerow.strategies.grid import look as grid_look
from hedgerow.strategies.grid import policy as grid
from hedgerow.strategies.grid.brakes import Braked
from hedgerow.strategies.grid.levels import Ladder, Level, WorstCase
from hedgerow.strategies.grid.look import Look, Lot, level_number
from hedgerow.strategies.grid.params import GridParams
from hedgerow.venues import outcomes
from hedgerow.venues.outcomes import Outcome, Proof

_held_lots = grid_look.held_lots
_want_exits = grid_exits.want_exits
_want_exit = grid_exits._want_exit
_seed = grid_exits.seed
_brake = grid_brakes.brake
_stop = grid_brakes.stop
_exit_price = grid_levels.Ladder.exit_price
_apply_open_orders = apply._apply_open_orders
_apply_position_mode = apply._apply_position_mode
_of_submit = outcomes.of_submit
_begin = grid_look.Look.__init__
_want = grid_entries._Entries.want
_rest = grid_entries._Entries._rest


def _unknown_is_bought(look: Look) -> list[Lot]:
    lots = _held_lots(look)
    for order in look.standing.values():
        number = level_number(order.slot.partition(":")[0])
        unclear = order.status is OrderStatus.UNKNOWN or order.ask_ts_ns > 0
        if unclear and order.role is Role.ENTRY and number is not None:
            lots.append(Lot(number, order.side, order.leaves_qty, order.limit_price))
    return lots


def _absent_is_canceled(book: Book, event: OpenOrdersRead) -> bool:
    changed = _apply_open_orders(book, event)
    listed = {row.order_id for row in event.orders}
    for order in list(book.live[event.leg_id].values()):
        if order.status is not OrderStatus.SUBMITTING and order.id not in listed:
            apply._put(book, replace(order, status=OrderStatus.CANCELED))
            changed = True
    return changed


def _unknown_is_refused(book: Book, order_id: ClientOrderId) -> bool:
    order = book.state.orders.get(order_id)
    if order is None or order.status not in UNPROVEN:
        return False
    apply._put(book, replace(order, status=OrderStatus.REJECTED))
    return True


def _duplicate_is_refused(status: int, code: int, text: str) -> Outcome:
    outcome = _of_submit(status, code, text)
    return Outcome(Proof.NOT_TAKEN, RejectClass.OTHER) if outcome.reject_class is None else outcome


def _always_shown(book: Book, leg_id: LegId, side: Side, qty: Decimal) -> bool:
    return True


def _all_there(book: Book, leg_id: LegId, side: Side) -> Decimal:
    return ZERO


def _only_exactly(look: Look, lot: Lot, qty: Decimal, price: Decimal) -> None:
    read = look.book.positions_read.get(look.leg)
    if read is not None and read.net_qty == look.ledger.position.net_qty:
        _want_exit(look, lot, qty, price)


def _of_the_next_level(ladder: Ladder, number: int, side: Side) -> Decimal:
    return _exit_price(ladder, number + side.sign, side)


def _untold(look: Look, lot: Lot, *numbers: tuple[str, str]) -> None:
    """Nobody hears of it."""


def _any_pairing(ladder: Ladder, cost: Decimal, exit_price: Decimal, side: Side) -> Decimal:
    return ZERO


def _exits_unseen(look: Look, *arguments: object) -> None:
    _begin(look, *arguments)  # type: ignore[arg-type]
    look.exiting = {}


def _never_refused(book: Book, leg_id: str, slot: str = "") -> None:
    """No refusal is remembered."""


def _mode_unread(book: Book, event: PositionModeRead) -> bool:
    _apply_position_mode(book, event)
    return False


def _mode_never_changes(book: Book, event: object) -> list[object]:
    return []


def _only_whole_entries(look: Look, ladder: Ladder) -> None:
    look.lots = [lot for lot in look.lots if grid_levels.entry_slot(lot.number, lot.side) not in look.standing]
    _want_exits(look, ladder)


def _one_lot_a_look(look: Look, ladder: Ladder) -> None:
    look.lots = look.lots[:1]
    _want_exits(look, ladder)


def _without_remainders(look: Look) -> list[Lot]:
    return [lot for lot in _held_lots(look) if lot.qty >= look.instrument.min_qty]


def _of_the_level_s_size(look: Look) -> list[Lot]:
    size = look.params.qty or ZERO
    return [replace(lot, qty=max(lot.qty, size)) for lot in _held_lots(look)]


def _not_adopted(look: Look, ladder: Ladder) -> None:
    """What was in no lot before stays so."""


def _for_another_size(entries: grid_entries._Entries, level: Level, qty: Decimal, order: Order | None) -> None:
    if order is None or order.qty == entries._look.params.qty:
        _rest(entries, level, qty, order)


def _without_hysteresis(entries: grid_entries._Entries) -> None:
    entries._look.params = replace(entries._look.params, hysteresis_levels=0)
    _want(entries)


def _at_its_old_price(entries: grid_entries._Entries, level: Level, qty: Decimal, order: Order | None) -> None:
    price = level.entry_price if order is None or order.limit_price is None else order.limit_price
    _rest(entries, replace(level, entry_price=price), qty, order)


def _brakes_exits_too(look: Look, full_qty: Decimal) -> Braked:
    result = _brake(look, full_qty)
    if result.reason is not None:
        look.resting.clear()
    return result


def _stops_while_running(look: Look) -> str:
    return _stop(look) if look.book.mode is Mode.RUNNING else ""


def _range_unwatched(look: Look, ladder: Ladder, make: object) -> Ladder:
    return ladder


def _nothing_computed(params: GridParams, ladder: Ladder, instrument: Instrument) -> list[WorstCase]:
    return []


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "unknown_is_bought",
        "G1",
        "a BUY of unknown status counts as filled, and its SELL goes out",
        ((grid, "held_lots", _unknown_is_bought),),
        ("G01_a_level_of_unknown_status_has_no_exit_before_its_fill_is_proven.txt",),
    ),
    Mutant(
        "vanished_is_bought",
        "G2",
        "six BUYs that are no longer listed count as filled",
        ((grid, "held_lots", _unknown_is_bought), (planner, "_closing", lambda book, want, result: Decimal(-1))),
        ("G02_six_vanished_levels_are_bought_again_once_and_never_sold.txt",),
    ),
    Mutant(
        "plain_before_shown",
        "G3",
        "an exit that is refused as reduce-only goes out plain while the venue shows no position",
        ((planner, "_is_shown", _always_shown),),
        ("G03_a_sell_waits_for_a_position_that_the_venue_shows_late.txt",),
    ),
    Mutant(
        "drift_is_sold",
        "G4",
        "what the venue does not show is sold all the same",
        ((planner, "_not_there", _all_there),),
        ("G04_nothing_is_sold_that_neither_fills_nor_the_venue_show.txt",),
    ),
    Mutant(
        "only_exact_holdings_are_sold",
        "G5",
        "an exit waits until the venue shows exactly what our fills add up to",
        ((grid_exits, "_want_exit", _only_exactly),),
        ("G05_a_sell_within_what_is_held_is_sent_with_a_warning.txt",),
    ),
    Mutant(
        "exit_of_the_next_level",
        "G6",
        "a list cut by the range shifts the exits by one level",
        ((Ladder, "exit_price", _of_the_next_level),),
        ("G06_each_exit_is_one_spacing_above_its_entry.txt",),
    ),
    Mutant(
        "no_exit_level_is_silent",
        "G6",
        "a lot without an exit level is passed over",
        ((grid_exits, "_tell_stray", _untold),),
        ("G06_a_lot_without_an_exit_level_is_held_and_alarmed.txt",),
    ),
    Mutant(
        "any_pairing",
        "G7",
        "a lot of 87,000 is paired with 91,000 because the level's number fits",
        ((Ladder, "off_bps", _any_pairing),),
        ("G07_a_pairing_beyond_its_band_is_denied.txt",),
    ),
    Mutant(
        "exits_unseen",
        "G8",
        "an exit is asked for without looking whether one works",
        ((Look, "__init__", _exits_unseen),),
        ("G08_one_exit_for_a_fill_told_on_two_paths.txt",),
    ),
    Mutant(
        "refusals_forgotten",
        "G9",
        "a refused exit is sent again at the next event, and nothing says why it was refused",
        ((Book, "refusal", _never_refused),),
        ("G09_a_refused_exit_is_held_for_its_cause_and_follows.txt", "G09_each_refusal_has_its_own_hold.txt"),
    ),
    Mutant(
        "position_mode_unread",
        "G10",
        "an account in the other position mode goes on being refused",
        ((apply, "_apply_position_mode", _mode_unread), (decide, "_mode_of_its_own", _mode_never_changes)),
        ("G10_the_account_is_in_the_other_position_mode.txt",),
    ),
    Mutant(
        "only_whole_entries_exit",
        "G11",
        "a BUY gets its SELL when it has filled whole",
        ((grid, "want_exits", _only_whole_entries),),
        ("G11_forty_percent_gets_its_exit_at_once.txt",),
    ),
    Mutant(
        "remainder_erased",
        "G12",
        "what is below the minimum is dropped from the ledger",
        ((grid, "held_lots", _without_remainders),),
        ("G12_a_remainder_waits_for_the_next_lot.txt",),
    ),
    Mutant(
        "exit_of_the_level_s_size",
        "G13",
        "an exit is as large as the level is told to be now, not as its lot",
        ((grid, "held_lots", _of_the_level_s_size),),
        ("G13_an_exit_never_exceeds_its_lot.txt",),
    ),
    Mutant(
        "adopted_never_exits",
        "G14",
        "holdings from before the journal get no exit",
        ((grid, "seed", _not_adopted),),
        ("G14_adopted_holdings_are_covered_by_exits.txt",),
    ),
    Mutant(
        "empty_is_none",
        "G15",
        "an empty answer means that no order is open, and all levels are placed again",
        ((apply, "_apply_open_orders", _absent_is_canceled),),
        ("G15_no_level_is_placed_on_a_failed_read.txt",),
    ),
    Mutant(
        "timeout_is_refusal",
        "G16",
        "a level that timed out is placed again under a new id",
        ((apply, "_apply_unknown", _unknown_is_refused),),
        ("G16_a_level_that_timed_out_and_filled_is_one_order.txt",),
    ),
    Mutant(
        "duplicate_level_is_refused",
        "G17",
        "a level whose id is a duplicate is placed again under a new one",
        ((outcomes, "of_submit", _duplicate_is_refused),),
        ("G17_a_level_refused_as_a_duplicate_exists.txt",),
    ),
    Mutant(
        "size_off_the_step",
        "G18",
        "the size that the venue kept is compared with one that it cannot keep: cancel and replace, for ever",
        ((grid_entries._Entries, "_rest", _for_another_size),),
        ("G18_a_book_at_rest_sends_nothing.txt",),
    ),
    Mutant(
        "no_hysteresis",
        "G19",
        "the nearest levels rest, and no others, at each quote",
        ((grid_entries._Entries, "want", _without_hysteresis),),
        ("G19_a_price_that_crosses_a_level_moves_no_orders.txt",),
    ),
    Mutant(
        "slot_is_enough",
        "G20",
        "an order in the slot is right, whatever its price",
        ((grid_entries._Entries, "_rest", _at_its_old_price),),
        ("G20_another_price_in_the_config_replaces_the_order.txt",),
    ),
    Mutant(
        "brakes_stop_exits",
        "G21",
        "what stops new BUYs takes the SELLs back as well",
        ((grid, "brake", _brakes_exits_too),),
        (
            "G21_an_inventory_limit_stops_buys_and_never_sells.txt",
            "G21_a_profit_lock_stops_buys_and_never_sells.txt",
            "G21_a_volatile_market_stops_buys_and_never_sells.txt",
        ),
    ),
    Mutant(
        "stop_only_while_quoting",
        "G22",
        "the stop is looked at by the part that quotes",
        ((grid, "stop", _stops_while_running),),
        ("G22_the_stop_is_hit_while_quoting_is_off.txt",),
    ),
    Mutant(
        "range_unwatched",
        "G23",
        "nobody is told that the market has left the range",
        ((grid, "keep_range", _range_unwatched),),
        (
            "G23_out_of_range_is_told_with_its_distance.txt",
            "G23_a_range_is_moved_when_nothing_is_held.txt",
            "G23_a_grid_stops_when_its_range_is_left.txt",
        ),
    ),
    Mutant(
        "worst_case_not_computed",
        "G25",
        "nobody computes what all levels filled come to, and where that is liquidated",
        ((grid_check, "worst_cases", _nothing_computed),),
        checks=("g25_what_all_levels_filled_come_to_is_computed",),
    ),
    Mutant(
        "one_level_a_tick",
        "G23",
        "of several levels that one tick crossed, one gets its exit",
        ((grid, "want_exits", _one_lot_a_look),),
        ("G23_a_gap_through_three_levels_fills_them_all.txt",),
    ),
)
