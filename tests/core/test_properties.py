"""What holds for any order, repetition and loss of facts."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.commands import SubmitOrder
from hedgerow.core.events import Event, FillReceived, OrderAccepted, OrderUnknown
from hedgerow.core.step import empty_book, fold
from hedgerow.model.order import Side
from tests.core.books import HEDGE, LEAD, Desk, Quoting, entry

MILLIS = st.integers(min_value=51, max_value=120)


@given(st.lists(st.tuples(MILLIS, st.integers(1, 3)), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_what_is_held_plus_what_works_is_always_level(fills, random) -> None:  # type: ignore[no-untyped-def]
    """However fills arrive, repeated and shuffled, held + working on the hedge leg offsets the lead leg."""
    made = Desk(Quoting(entry("10")))
    order = made.standing()
    events = [FillReceived(made.now_ns, made.fill(order, str(Decimal(milli) / 1000))) for milli, _ in fills]
    told = [event for event, (_, times) in zip(events, fills, strict=True) for _ in range(times)]
    random.shuffle(told)

    for event in told:
        made.tell(event)
        book = made.book
        working = book.working_qty(HEDGE, Side.SELL)
        assert book.net_qty(LEAD) == working, (book.net_qty(LEAD), working)

    assert made.book.net_qty(LEAD) == sum(event.fill.qty for event in events)


@given(st.lists(st.tuples(MILLIS, st.sampled_from(["ack", "unknown", "fill", "none"])), min_size=1, max_size=10))
def test_a_fold_of_the_turns_is_the_book(steps) -> None:  # type: ignore[no-untyped-def]
    """After any story, folding its turns gives the same durable state, byte for byte."""
    made = Desk(Quoting(entry("10")))
    order = made.standing()
    for milli, fate in steps:
        qty = str(Decimal(milli) / 1000)
        commands = made.tell(FillReceived(made.now_ns, made.fill(order, qty)))
        for command in commands:
            if not isinstance(command, SubmitOrder):
                continue
            event: Event | None = None
            match fate:
                case "ack":
                    event = OrderAccepted(made.now_ns, command.order_id)
                case "unknown":
                    event = OrderUnknown(made.now_ns, command.order_id)
                case "fill":
                    event = FillReceived(made.now_ns, made.fill(command, str(command.qty)))
            if event is not None:
                made.tell(event)
        made.wait(700_000_000)

    folded = empty_book(made.config, made.policy)
    for turn in made.turns:
        fold(folded, turn)

    assert folded.digest() == made.book.digest()


@given(st.lists(MILLIS, min_size=1, max_size=6), st.integers(0, 30))
def test_no_crash_ever_orders_a_hedge_twice(millis, crash_at) -> None:  # type: ignore[no-untyped-def]
    """Killed after any turn and started again, the book counts every order that may have left."""
    made = Desk(Quoting(entry("10")))
    order = made.standing()
    fills = [made.fill(order, str(Decimal(milli) / 1000)) for milli in millis]
    for fill in fills:
        made.tell(FillReceived(made.now_ns, fill))
    made.turns = made.turns[: max(1, len(made.turns) - crash_at)]

    again = made.restarted()
    again.quote_all()
    for fill in fills:
        again.tell(FillReceived(again.now_ns, fill))

    assert again.book.working_qty(HEDGE, Side.SELL) == again.book.net_qty(LEAD)
