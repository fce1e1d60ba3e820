"""The contract of every gateway, as stories: what a book may rely on, whatever venue is behind it.

A stand is a gateway with its venue: the rules below are played on each, and each must keep them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Protocol, TypeVar

from hedgerow.core.commands import CancelOrder, CancelOrphan, QueryOrder, Read, SetLeverage, SubmitOrder
from hedgerow.core.events import (
    BalancesRead,
    CancelAnswered,
    CancelOutcome,
    Event,
    FillReceived,
    FundingPaid,
    Heartbeat,
    InterestCharged,
    LeverageAnswered,
    LinkDown,
    LinkUp,
    OpenOrdersRead,
    OrderAccepted,
    OrderNotFound,
    OrderRejected,
    OrderReported,
    OrderUnknown,
    PositionRead,
    QuoteReceived,
    ReadKind,
    RejectClass,
    TradesRead,
)
from hedgerow.model.ids import ClientOrderId, LegId
from hedgerow.model.instrument import Instrument, InstrumentKind
from hedgerow.model.order import OrderStatus, OrderType, Role, Side, TimeInForce
from hedgerow.venues.gateway import Teller

D = Decimal
E = TypeVar("E", bound=Event)
LEG = LegId("lead")


class Stand(Protocol):
    """A gateway that was started, and a venue whose market moves only when it is told to."""

    instrument: Instrument
    bid: Decimal
    "Best bid; enough stands there and at the ask for every order here."
    ask: Decimal
    told: list[Event]
    "Everything that was delivered, oldest first."

    @property
    def gateway(self) -> Teller: ...

    async def until(self, is_true: Callable[[], bool]) -> None:
        """Let time pass until something is so; fail when it does not come to be."""
        ...

    async def take(self, price: Decimal, qty: Decimal) -> None:
        """Let somebody sell down to a price, so that what rests there to be bought fills."""
        ...

    async def cut(self) -> None:
        """Cut the private stream for a moment."""
        ...

    @property
    def booked(self) -> int | None:
        """How much funding or interest the venue has booked so far; None where it books none."""
        ...

    async def book(self) -> None:
        """Let the venue book some once more, if something is held."""
        ...

    async def book_past(self, count: int) -> None:
        """Let the venue have booked some so many times more, one a second up to now."""
        ...

    async def leave(self) -> None:
        """Stop the gateway, as the end of its node does."""
        ...

    async def come_back(self, since_ns: int) -> None:
        """Start another gateway, that is to tell what was booked since then, and forget what was told."""
        ...

    def now_ns(self) -> int: ...


Rule = Callable[[Stand], Awaitable[None]]


def submit(stand: Stand, name: str, qty: str = "0.01", price: Decimal | None = None, **words: bool) -> SubmitOrder:
    """Return an order to buy; at the market when it has no price."""
    return SubmitOrder(
        ClientOrderId(f"hr-contract-1-{name}"),
        LEG,
        stand.instrument.id,
        Side.SELL if words.get("sells") else Side.BUY,
        D(qty),
        OrderType.MARKET if price is None else OrderType.LIMIT,
        Role.ENTRY,
        price,
        TimeInForce.GTC,
        words.get("post_only", False),
        words.get("reduce_only", False),
    )


async def heard(stand: Stand, kind: type[E], count: int = 1) -> E:
    """Return the last of so many events of a kind, once they have come."""

    def found() -> list[E]:
        return [event for event in stand.told if isinstance(event, kind)]

    await stand.until(lambda: len(found()) >= count)
    return found()[count - 1]


async def reported(stand: Stand, status: OrderStatus) -> OrderReported:
    """Return the first report of a status, once it has come."""

    def found() -> list[OrderReported]:
        return [event for event in stand.told if isinstance(event, OrderReported) and event.status is status]

    await stand.until(lambda: bool(found()))
    return found()[0]


def deep(stand: Stand) -> Decimal:
    """Return a price to buy at that nobody will take by himself."""
    return stand.instrument.passive_price(stand.bid * D("0.98"), Side.BUY)


async def an_order_that_rests_is_accepted_and_read_as_open(stand: Stand) -> None:
    """Both names of it are known then, ours and the venue's."""
    order = submit(stand, "1", price=deep(stand))
    stand.gateway.send(order)
    accepted = await heard(stand, OrderAccepted)
    assert accepted.order_id == order.order_id

    stand.gateway.send(Read(LEG, ReadKind.OPEN_ORDERS))
    (row,) = (await heard(stand, OpenOrdersRead)).orders
    assert (row.order_id, row.venue_order_id) == (order.order_id, accepted.venue_order_id)
    assert (row.side, row.qty, row.cum_qty) == (Side.BUY, order.qty, D(0))
    assert not [event for event in stand.told if isinstance(event, FillReceived)]


async def an_order_that_takes_is_told_with_fills_that_add_up(stand: Stand) -> None:
    """The ledger needs each of their parts; the venue's word 'filled' is only a check."""
    order = submit(stand, "1")
    stand.gateway.send(order)

    ended = await reported(stand, OrderStatus.FILLED)
    fill = (await heard(stand, FillReceived)).fill
    assert ended.cum_qty == fill.qty == order.qty
    assert (fill.order_id, fill.side, fill.price) == (order.order_id, Side.BUY, stand.ask)
    assert fill.account_id == stand.gateway.account_id
    assert fill.instrument_id == stand.instrument.id
    assert fill.fee is not None
    assert fill.fee > 0
    assert fill.fee_currency in (stand.instrument.base, stand.instrument.quote)
    assert not fill.is_maker


async def trades_are_read_from_the_cursor_on_and_bear_the_same_ids(stand: Stand) -> None:
    """A fill that the stream told, and one that is read, are one fill; each read begins where the last ended."""
    stand.gateway.send(Read(LEG, ReadKind.TRADES))
    first = await heard(stand, TradesRead)
    assert first.fills == ()
    stand.gateway.send(submit(stand, "1"))
    fill = (await heard(stand, FillReceived)).fill

    stand.gateway.send(Read(LEG, ReadKind.TRADES, first.cursor))
    second = await heard(stand, TradesRead, 2)
    assert [each.trade_id for each in second.fills] == [fill.trade_id]
    assert second.fills[0].venue_order_id == fill.venue_order_id
    assert (second.fills[0].qty, second.fills[0].price, second.fills[0].fee) == (fill.qty, fill.price, fill.fee)
    stand.gateway.send(Read(LEG, ReadKind.TRADES, second.cursor))
    assert (await heard(stand, TradesRead, 3)).fills == ()


async def what_rests_and_is_taken_is_told_unasked(stand: Stand) -> None:
    """An entry that fills while nobody asks is what the whole engine is for."""
    stand.gateway.send(submit(stand, "1", price=stand.bid, post_only=True))
    await heard(stand, OrderAccepted)

    await stand.take(stand.bid, D(50))

    fill = (await heard(stand, FillReceived)).fill
    assert (fill.order_id, fill.price, fill.is_maker) == ("hr-contract-1-1", stand.bid, True)


async def a_cancel_is_accepted_and_the_end_reported(stand: Stand) -> None:
    """The answer to the cancel alone never closes an order: its report says what was filled before."""
    stand.gateway.send(submit(stand, "1", price=deep(stand)))
    await heard(stand, OrderAccepted)

    stand.gateway.send(CancelOrder(ClientOrderId("hr-contract-1-1"), LEG))

    assert (await heard(stand, CancelAnswered)).outcome is CancelOutcome.ACCEPTED
    ended = await reported(stand, OrderStatus.CANCELED)
    assert (ended.order_id, ended.cum_qty) == (ClientOrderId("hr-contract-1-1"), D(0))


async def a_cancel_of_what_is_not_there_is_no_error(stand: Stand) -> None:
    """It may have filled, ended, or never been: the venue cannot say which, and nobody guesses."""
    stand.gateway.send(CancelOrder(ClientOrderId("hr-contract-1-9"), LEG))

    assert (await heard(stand, CancelAnswered)).outcome is CancelOutcome.GONE


async def an_order_is_asked_for_by_our_name_and_by_the_venues(stand: Stand) -> None:
    """By ours to learn what became of it; by the venue's to learn whose the order of a nameless trade is."""
    stand.gateway.send(submit(stand, "1", price=deep(stand)))
    accepted = await heard(stand, OrderAccepted)
    stand.told.clear()

    stand.gateway.send(QueryOrder(accepted.order_id, LEG))
    assert (await heard(stand, OrderReported)).status is OrderStatus.OPEN
    stand.gateway.send(QueryOrder(ClientOrderId(""), LEG, accepted.venue_order_id))
    report = await heard(stand, OrderReported, 2)
    assert (report.order_id, report.venue_order_id) == (accepted.order_id, accepted.venue_order_id)


async def what_never_was_is_not_found_and_says_when_it_was_asked(stand: Stand) -> None:
    """Evidence counts only from after the time in which the venue could still take the order."""
    stand.gateway.send(QueryOrder(ClientOrderId("hr-contract-1-9"), LEG))

    answer = await heard(stand, OrderNotFound)
    assert answer.order_id == "hr-contract-1-9"
    assert answer.asked_ts_ns <= answer.ts_ns


async def a_maker_that_would_take_is_refused_with_its_reason(stand: Stand) -> None:
    """The planner prices it anew; it must know that this was the reason."""
    stand.gateway.send(submit(stand, "1", price=stand.ask, post_only=True))

    rejected = await heard(stand, OrderRejected)
    assert (rejected.order_id, rejected.reject_class) == ("hr-contract-1-1", RejectClass.POST_ONLY)
    assert rejected.code
    assert rejected.text


async def an_order_that_cannot_be_paid_is_refused_with_its_reason(stand: Stand) -> None:
    """A hedge that cannot be paid is a residual with an alarm, never a silence."""
    stand.gateway.send(submit(stand, "1", qty="90", price=deep(stand)))

    rejected = await heard(stand, OrderRejected)
    assert rejected.reject_class is RejectClass.INSUFFICIENT_MARGIN


async def a_name_that_is_in_use_is_never_called_refused(stand: Stand) -> None:
    """An earlier attempt landed: calling it refused would let a second order leave."""
    order = submit(stand, "1", price=deep(stand))
    stand.gateway.send(order)
    await heard(stand, OrderAccepted)

    stand.gateway.send(order)

    assert "exists already" in (await heard(stand, OrderUnknown)).detail
    assert not [event for event in stand.told if isinstance(event, OrderRejected)]


async def an_orphan_is_canceled_by_the_venues_name(stand: Stand) -> None:
    """An order of ours that no journal knows."""
    stand.gateway.send(submit(stand, "1", price=deep(stand)))
    accepted = await heard(stand, OrderAccepted)
    assert accepted.venue_order_id is not None

    stand.gateway.send(CancelOrphan(LEG, accepted.venue_order_id, accepted.order_id))

    assert (await heard(stand, CancelAnswered)).outcome is CancelOutcome.ACCEPTED


async def a_position_moves_by_what_was_traded(stand: Stand) -> None:
    """Less the fee, where that is taken from what was bought."""
    stand.gateway.send(Read(LEG, ReadKind.POSITION))
    before = await heard(stand, PositionRead)
    stand.gateway.send(submit(stand, "1"))
    fill = (await heard(stand, FillReceived)).fill

    stand.gateway.send(Read(LEG, ReadKind.POSITION))
    after = await heard(stand, PositionRead, 2)

    fee = fill.fee if fill.fee is not None and fill.fee_currency == stand.instrument.base else D(0)
    assert after.net_qty - before.net_qty == fill.qty - fee
    assert after.asked_ts_ns <= after.ts_ns


async def balances_are_read(stand: Stand) -> None:
    """By currency; one that is not named is unknown."""
    stand.gateway.send(Read(LEG, ReadKind.BALANCES))

    rows = {row.currency: row for row in (await heard(stand, BalancesRead)).rows}
    assert rows[stand.instrument.quote].total > 0


async def prices_and_signs_of_life_are_told_unasked(stand: Stand) -> None:
    """Without them nothing is entered."""
    quote = (await heard(stand, QuoteReceived)).quote
    assert (quote.instrument_id, quote.bids[0][0], quote.asks[0][0]) == (stand.instrument.id, stand.bid, stand.ask)
    assert (await heard(stand, Heartbeat)).leg_id == LEG


async def a_lost_stream_is_told_and_what_it_missed_is_read(stand: Stand) -> None:
    """Entries stop while nobody would hear of their fills; what was filled meanwhile is found by the read after it."""
    stand.gateway.send(Read(LEG, ReadKind.TRADES))
    cursor = (await heard(stand, TradesRead)).cursor
    stand.gateway.send(submit(stand, "1", price=stand.bid))
    await heard(stand, OrderAccepted)
    links_up = len([event for event in stand.told if isinstance(event, LinkUp)])

    await stand.cut()
    await stand.take(stand.bid, D(50))

    assert (await heard(stand, LinkDown)).detail
    await heard(stand, LinkUp, links_up + 1)
    stand.gateway.send(Read(LEG, ReadKind.TRADES, cursor))
    assert len((await heard(stand, TradesRead, 2)).fills) == 1


async def a_leverage_is_set_and_read_back(stand: Stand) -> None:
    """What counts is what the venue shows, not what it answered."""
    if stand.instrument.kind is not InstrumentKind.PERP:
        return
    stand.gateway.send(SetLeverage(LEG, D(7)))
    assert (await heard(stand, LeverageAnswered)).refusal == ""

    stand.gateway.send(Read(LEG, ReadKind.POSITION))
    assert (await heard(stand, PositionRead)).leverage == 7


def bookings(stand: Stand) -> list[str]:
    """Return the id of every booking that was told."""
    found = [event for event in stand.told if isinstance(event, FundingPaid | InterestCharged)]
    return [event.funding_id if isinstance(event, FundingPaid) else event.interest_id for event in found]


async def told_once(stand: Stand, count: int) -> None:
    """Return once so many bookings were told; fail when one was told twice.

    Where no stream tells of them, whoever asks what is held is told of them first.
    """
    stand.gateway.send(Read(LEG, ReadKind.POSITION))
    await stand.until(lambda: len(bookings(stand)) >= count)
    assert len(set(bookings(stand))) == len(bookings(stand)) == count


async def short(stand: Stand) -> int:
    """Sell what the account does not have, and return how much was booked once all of that was told."""
    stand.gateway.send(submit(stand, "1", sells=True))
    await heard(stand, FillReceived)
    await stand.book()
    assert stand.booked
    await told_once(stand, stand.booked)
    return stand.booked


async def what_is_booked_while_the_stream_is_down_is_told_once_after_it(stand: Stand) -> None:
    """A frame that was lost is money, and never comes again."""
    if stand.booked is None:
        return
    before = await short(stand)
    links_up = len([event for event in stand.told if isinstance(event, LinkUp)])

    await stand.cut()
    await stand.book()

    await heard(stand, LinkUp, links_up + 1)
    await told_once(stand, before + 1)
    await stand.book()
    await told_once(stand, before + 2)


async def what_is_booked_while_no_node_runs_is_told_once_after_the_start(stand: Stand) -> None:
    """Funding does not wait for anybody to listen."""
    if stand.booked is None:
        return
    before = await short(stand)
    seen_ns = stand.now_ns()
    await stand.leave()
    await stand.book()
    await stand.book()

    await stand.come_back(seen_ns)

    await told_once(stand, 2)
    await stand.book()
    await told_once(stand, 3)
    assert stand.booked == before + 3


async def what_was_booked_before_is_never_told(stand: Stand) -> None:
    """What an account paid before the book was there is not the book's."""
    if stand.booked is None:
        return
    await short(stand)
    await stand.leave()
    await stand.book_past(20)

    await stand.come_back(stand.now_ns())
    stand.gateway.send(Read(LEG, ReadKind.POSITION))
    await heard(stand, PositionRead)
    assert bookings(stand) == []

    await stand.book()
    await told_once(stand, 1)


async def more_bookings_than_a_page_are_all_told(stand: Stand) -> None:
    """A venue shows a page at a time; whoever was away for long needs all of them."""
    if stand.booked is None:
        return
    before = await short(stand)
    await stand.leave()
    await stand.book_past(1_001)

    await stand.come_back(stand.now_ns() - 3_600 * 1_000_000_000)

    await told_once(stand, before + 1_001)


RULES: tuple[Rule, ...] = (
    an_order_that_rests_is_accepted_and_read_as_open,
    an_order_that_takes_is_told_with_fills_that_add_up,
    trades_are_read_from_the_cursor_on_and_bear_the_same_ids,
    what_rests_and_is_taken_is_told_unasked,
    a_cancel_is_accepted_and_the_end_reported,
    a_cancel_of_what_is_not_there_is_no_error,
    an_order_is_asked_for_by_our_name_and_by_the_venues,
    what_never_was_is_not_found_and_says_when_it_was_asked,
    a_maker_that_would_take_is_refused_with_its_reason,
    an_order_that_cannot_be_paid_is_refused_with_its_reason,
    a_name_that_is_in_use_is_never_called_refused,
    an_orphan_is_canceled_by_the_venues_name,
    a_position_moves_by_what_was_traded,
    balances_are_read,
    prices_and_signs_of_life_are_told_unasked,
    a_lost_stream_is_told_and_what_it_missed_is_read,
    a_leverage_is_set_and_read_back,
    what_is_booked_while_the_stream_is_down_is_told_once_after_it,
    what_is_booked_while_no_node_runs_is_told_once_after_the_start,
    what_was_booked_before_is_never_told,
    more_bookings_than_a_page_are_all_told,
)
