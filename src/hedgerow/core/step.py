"""The one door: an event in, a turn out.

Rule 1: every change of a book happens in `core.apply`, and only from here.
Rule 2: nothing below this door knows a venue, a clock or a file. Time arrives in events.
Rule 3: the durable state is a fold of turns; `fold` applies a turn as it was and never decides again.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from hedgerow.core import reconcile
from hedgerow.core.apply import apply_commands, apply_decision, apply_event, apply_heard, apply_quote, apply_turn
from hedgerow.core.book import Book, BookState
from hedgerow.core.commands import Command, Read, Turn
from hedgerow.core.config import NS_PER_MS, NS_PER_S, BookConfig
from hedgerow.core.decide import decide, is_old_news
from hedgerow.core.events import Event, Heartbeat, QuoteReceived, TimeReached
from hedgerow.core.holds import HoldReason
from hedgerow.core.sanity import is_sane_quote
from hedgerow.core.target import Strategy
from hedgerow.model.market import Quote
from hedgerow.model.order import OrderStatus, Role
from hedgerow.model.session import next_session, session_at


class Stepped(msgspec.Struct, frozen=True):
    """What one event led to."""

    turn: Turn | None
    "To be made durable before its requests leave; None when nothing durable changed."
    commands: tuple[Command, ...]
    "The turn's commands, in order; without a turn only reads, which may leave at once."


NOTHING = Stepped(None, ())


def empty_book(config: BookConfig, strategy: Strategy) -> Book:
    """Return a book before its first event, `BookStarted`."""
    return Book(BookState(config, epoch=0), strategy)


def step(book: Book, event: Event) -> Stepped:
    """Apply one event, decide, and return what must now be made durable and then done."""
    if event.ts_ns > book.now_ns:
        book.now_ns = event.ts_ns
    if book.now_ns < book.idle_until_ns:
        if type(event) is QuoteReceived and _is_slept_through(book, event.quote):
            apply_quote(book, event.quote)
            return NOTHING
        if type(event) is Heartbeat and not _waits_for_life(book):
            apply_heard(book, event.leg_id)
            return NOTHING
    elif type(event) is TimeReached and book.now_ns < book.idle_due_ns:
        # Nothing but a quote was to grow old by now, and it may have been renewed.
        old_ns = min(_old_ns(book), default=0)
        if book.now_ns < old_ns:
            book.idle_until_ns = min(old_ns, book.idle_due_ns)
            return NOTHING
    changed = apply_event(book, event)
    if not changed and is_old_news(book, event):
        return NOTHING
    decision = decide(book, event)
    commands = decision.commands
    apply_commands(book, commands)
    apply_decision(book, decision.target, decision.cancels_wait, decision.look_again)
    if decision.is_idle:
        _fall_asleep(book)
    if not changed and (not commands or all(type(command) is Read for command in commands)):
        return Stepped(None, commands) if commands else NOTHING
    apply_turn(book)
    quotes = tuple(book.unjournaled.values()) if book.unjournaled else ()
    book.unjournaled.clear()
    portfolio, book.unjournaled_portfolio = book.unjournaled_portfolio, None
    return Stepped(Turn(book.config.book_id, book.now_ns, book.kept or event, commands, quotes, portfolio), commands)


def fold(book: Book, turn: Turn, look: Callable[[], None] | None = None) -> None:
    """Apply one journaled turn as it was. Today's code must not decide the past again.

    Args:
        look: called when the book is as the turn's commands were decided on: after its event, before them.
    """
    book.now_ns = turn.ts_ns
    for quote in turn.quotes:
        book.quotes[quote.instrument_id] = quote
    book.portfolio = turn.portfolio or book.portfolio
    apply_event(book, turn.event)
    if look is not None:
        look()
    book.unjournaled.clear()
    book.unjournaled_portfolio = None
    apply_commands(book, turn.commands)
    apply_turn(book)


def _is_slept_through(book: Book, quote: Quote) -> bool:
    """Return whether a quote that comes to an idle book is sound, newer than the last, and inside the wake prices."""
    before = book.quotes.get(quote.instrument_id)
    bid, ask = quote.bid, quote.ask
    if before is None or quote.ts_ns < before.ts_ns or bid is None or ask is None or not is_sane_quote(quote):
        return False
    if before.bid is None or before.ask is None or before.is_absurd:
        # What was promised while a side was missing says nothing of a whole market.
        return False
    for wake in book.target.wake_prices or ():
        if book.legs[wake.leg_id].instrument.id == quote.instrument_id and not wake.spans(quote):
            return False
    # What a crossed market means is not for prices to say.
    return bid <= ask


def _waits_for_life(book: Book) -> bool:
    """Return whether a sign of life may end something: a leg that is held to be silent."""
    return any(hold.reason is HoldReason.HEDGE_SILENT for hold in book.state.holds.values())


def _fall_asleep(book: Book) -> None:
    """Note until when nothing but events can change an idle book; not while anything is being followed up."""
    state, now_ns = book.state, book.now_ns
    wake_ns = book.target.wake_ts_ns
    if book.asked or state.parked or book.unassigned:
        return
    if book.reads_due_ns <= now_ns or (wake_ns is not None and wake_ns <= now_ns):
        return
    due_ns = min((ts_ns for ts_ns in _due_ns(book) if ts_ns > now_ns), default=None)
    if due_ns is not None:
        book.idle_due_ns = due_ns
        book.idle_until_ns = min((ts_ns for ts_ns in _old_ns(book) if now_ns < ts_ns < due_ns), default=due_ns)


def next_due_ns(book: Book) -> int | None:
    """Return when `TimeReached` is to be delivered, later than now; None when nothing waits for time."""
    if book.look_again:
        return book.now_ns + 1
    if book.idle_until_ns:
        return book.idle_until_ns
    due = [*_due_ns(book), *_old_ns(book)]
    return min((ts_ns for ts_ns in due if ts_ns > book.now_ns), default=None)


def _old_ns(book: Book) -> list[int]:
    """When each quote grows old, if that matters: an entry's standing depends on fresh prices; so does why it waits."""
    has_entry = any(order.role is Role.ENTRY and order.slot for live in book.live.values() for order in live.values())
    if has_entry or any(hold.reason is HoldReason.PRICE_DISTANCE for hold in book.state.holds.values()):
        return [quote.ts_ns + book.config.limits.stale_ms * NS_PER_MS + 1 for quote in book.quotes.values()]
    return []


def _due_ns(book: Book) -> list[int]:
    """When something else than a quote's age is due, times that are over included."""
    timing = book.config.timing
    due = [book.reads_due_ns]
    for sessions in book.config.sessions.values():
        # What is held back by a venue's hours leaves when it opens.
        following = next_session(sessions, book.now_ns)
        due += [following.open_ns] if following is not None else []
        # What rests on the other leg is withdrawn when it closes.
        open_now = session_at(sessions, book.now_ns) if book.config.hedge is not None else None
        due += [open_now.close_ns] if open_now is not None else []
    for order_id in book.unclear:
        order = book.state.orders[order_id]
        if order.status is OrderStatus.SUBMITTING:
            due.append(order.submitted_ts_ns + timing.ack_timeout_ms * NS_PER_MS)
        if order.ask_ts_ns:
            due.append(order.ask_ts_ns)
        if order.unclear_ts_ns:
            due.append(order.unclear_ts_ns + timing.unknown_alarm_ms * NS_PER_MS)
    for live in book.live.values():
        for order in live.values():
            if not order.slot:
                due.append(order.submitted_ts_ns + timing.hold_after_ms * NS_PER_MS)
    for refusal in book.state.refusals.values():
        due.append(refusal.retry_ts_ns)
    for fill in book.state.parked:
        if fill.order_id is None and fill.venue_order_id is not None:
            due.append(reconcile.ask_whose_ns(book, fill.venue_order_id))
    if book.state.residual_since_ns:
        due.append(book.state.residual_since_ns + book.config.limits.residual_alarm_ms * NS_PER_MS)
    if book.entry_ts_ns:
        due.append(book.entry_ts_ns[0] + NS_PER_S)
    if book.target.wake_ts_ns is not None:
        due.append(book.target.wake_ts_ns)
    return due
