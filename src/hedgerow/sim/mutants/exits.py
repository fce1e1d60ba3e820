"""Mistakes of `exits`: of prices, hours, sides, accounts, and of taking an answer for a fill."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from hedgerow.core import planner, reconcile
from hedgerow.core.book import Book
from hedgerow.core.commands import Command
from hedgerow.core.config import NS_PER_S, LegConfig
from hedgerow.core.events import RejectClass
from hedgerow.core.planner import Plan
from hedgerow.core.target import Resting
from hedgerow.model.numbers import ONE, ZERO
from hedgerow.model.order import Order
from hedgerow.model.position import Position
from hedgerow.model.session import Session, Sessions
from hedgerow.sim.mutants.mutant import Mutant
from hedgerow.strategies.exits import policy as exits
from hedgerow.strategies.exits.look import Look, Rule, Watched, expiry
from hedgerow.strategies.exits.params import PriceUsed
from hedgerow.strategies.exits.policy import Exits
from hedgerow.venues import outcomes
from hedgerow.venues.outcomes import Outcome, Proof

DAY_S = 86_400
# 15:50 in New York in winter, as a constant.
CUT_OFF_UTC_S = 20 * 3_600 + 50 * 60
# What New York is further from UTC in winter than in summer.
WINTER_NS = 3_600 * NS_PER_S

# The functions as they are, for mutants that only bend them.
_assign = reconcile.assign
_avg_price = Position.avg_price
_look = Exits._look
_of_submit = outcomes.of_submit
_session_times = Exits._session_times


def _by_the_mid(book: Book, leg: LegConfig, is_long: bool, used: PriceUsed) -> Decimal | None:
    quote = book.quote(leg.id)
    return None if quote is None else quote.mark


def _not_once_ordered(self: Exits, book: Book, leg: LegConfig, memory: Watched) -> Look | None:
    """What was ordered once is done with."""
    is_ordered = any(order.leg_id == leg.id for order in book.state.orders.values())
    return None if is_ordered else _look(self, book, leg, memory)


def _at_a_fixed_time(self: Exits, look: Look) -> list[tuple[Rule, int]]:
    day_ns = look.now_ns // NS_PER_S // DAY_S * DAY_S * NS_PER_S
    return [(Rule.ZERO_DTE, day_ns + CUT_OFF_UTC_S * NS_PER_S)] if expiry(look.leg) is not None else []


def _by_an_offset(self: Exits, look: Look) -> list[tuple[Rule, int]]:
    return [(rule, due_ns - WINTER_NS) for rule, due_ns in _session_times(self, look)]


def _stale_on_any_side(self: Exits, order: Order, now_ns: int) -> bool:
    return self._stale_ns is not None and now_ns - order.submitted_ts_ns > self._stale_ns


def _stale_a_little_early(self: Exits, order: Order, now_ns: int) -> bool:
    on_side = self._params.stale_sides.value in ("both", order.side.value)
    return on_side and self._stale_ns is not None and now_ns - order.submitted_ts_ns > self._stale_ns - NS_PER_S


def _without_a_ladder(self: Exits, book: Book, look: Look, memory: Watched, slot: str) -> Watched:
    return memory


def _adopting_all(book: Book) -> list[Command]:
    legs = book.legs
    book.legs = {leg_id: replace(leg, adopt=True) for leg_id, leg in legs.items()}
    try:
        return _assign(book)
    finally:
        book.legs = legs


def _only_once_all_are_read(book: Book) -> list[Command]:
    return [] if any(leg_id not in book.positions_read for leg_id in book.legs) else _assign(book)


def _nothing_works(book: Book, want: Resting, result: Plan) -> Decimal:
    return ZERO


def _sent_again_on_504(http: int, code: int, text: str) -> Outcome:
    return Outcome(Proof.NOT_TAKEN, RejectClass.NOT_SENT) if http == 504 else _of_submit(http, code, text)


def _without_multiplier(self: Position, multiplier: Decimal = ONE) -> Decimal | None:
    return _avg_price(self)


def _always_open(sessions: Sessions, ts_ns: int) -> Session | None:
    return sessions[0]


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "exits_fire_on_the_mid",
        "E1",
        "The rates are compared with the middle of a wide spread.",
        ((exits, "_price", _by_the_mid),),
        ("E01_take_profit_and_stop_loss_by_the_bid.txt",),
    ),
    Mutant(
        "exit_accepted_is_filled",
        "E2",
        "An exit that was accepted counts as done: canceled, it is never asked for again.",
        ((Exits, "_look", _not_once_ordered),),
        ("E02_accepted_is_not_filled.txt",),
    ),
    Mutant(
        "exits_by_a_fixed_offset",
        "E4",
        "Exchange time is a fixed offset from the host's, and an hour off after the clocks were changed.",
        ((Exits, "_session_times", _by_an_offset),),
        ("E04_the_exchange_has_changed_its_clocks.txt",),
    ),
    Mutant(
        "cut_off_on_a_half_day_at_1550",
        "E5",
        "The cut-off is a time of day, whatever the day's close.",
        ((Exits, "_session_times", _at_a_fixed_time),),
        ("E05_a_half_day_closes_at_one.txt", "E05_zero_dte_at_the_cut_off_of_its_day.txt"),
    ),
    Mutant(
        "stale_orders_of_any_side",
        "E6",
        "Stale orders are canceled on the side that was not chosen, too.",
        ((Exits, "_is_stale", _stale_on_any_side),),
        ("E06_stale_orders_exactly_past_the_limit.txt",),
    ),
    Mutant(
        "stale_a_second_early",
        "E6",
        "An order counts as stale from 179 s on.",
        ((Exits, "_is_stale", _stale_a_little_early),),
        ("E06_stale_orders_exactly_past_the_limit.txt",),
    ),
    Mutant(
        "market_orders_without_a_bid",
        "E7",
        "A market order is sent where nobody bids, again and again.",
        ((Exits, "_ladder", _without_a_ladder),),
        ("E07_nobody_bids.txt", "E07_a_market_order_refused_for_want_of_bids.txt"),
    ),
    Mutant(
        "short_option_as_any_short",
        "E8",
        "A short option is closed by the rates of stocks instead of its own.",
        ((Look, "is_short_option", property(lambda look: False)),),
        ("E08_a_short_option_is_bought_back.txt",),
    ),
    Mutant(
        "everything_is_adopted",
        "E9",
        "Positions of unknown origin are taken over.",
        ((reconcile, "assign", _adopting_all),),
        ("E09_what_is_not_adopted_is_never_sold.txt", "G14_foreign_holdings_are_shown_and_never_sold.txt"),
        also=("G14",),
    ),
    Mutant(
        "one_blind_account_blocks_all",
        "E10",
        "Nothing is adopted until every account was read.",
        ((reconcile, "assign", _only_once_all_are_read),),
        ("E10_one_account_is_blind_from_the_start.txt",),
    ),
    Mutant(
        "exits_forget_what_works",
        "E11",
        "An exit asks for all that is held, whatever is on its way already.",
        ((planner, "_closing", _nothing_works),),
        ("E11_two_rules_fire_at_once.txt",),
    ),
    Mutant(
        "order_posted_again_after_504",
        "E12",
        "A 504 counts as not sent, so the order leaves again.",
        ((outcomes, "of_submit", _sent_again_on_504),),
        ("E12_a_504_is_never_sent_again.txt",),
    ),
    Mutant(
        "multiplier_left_out_of_the_cost",
        "E13",
        "An option's price is compared with its cost per contract instead of per share.",
        ((Position, "avg_price", _without_multiplier),),
        ("E13_an_option_is_worth_a_hundred_shares.txt",),
    ),
    Mutant(
        "market_is_always_open",
        "E14",
        "Orders are sent while the market is closed.",
        ((planner, "session_at", _always_open),),
        ("E14_nothing_is_sent_while_the_market_is_closed.txt", "E14_the_exit_leaves_when_it_opens.txt"),
    ),
)
