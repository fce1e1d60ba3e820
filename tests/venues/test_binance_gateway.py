"""The gateway to Binance when things go wrong: every fault of the wire, and what must never follow from one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from msgspec.structs import replace

from hedgerow.core.commands import QueryOrder, Read
from hedgerow.core.events import (
    Event,
    FillReceived,
    FrameQuarantined,
    FundingPaid,
    InstrumentChanged,
    LinkDown,
    LinkUp,
    OpenOrdersRead,
    OrderAccepted,
    OrderNotFound,
    OrderRejected,
    OrderReported,
    OrderUnknown,
    PositionModeRead,
    ReadFailed,
    ReadKind,
    RejectClass,
    TradesRead,
)
from hedgerow.emulators.binance.algos import of_request
from hedgerow.emulators.binance.conditions import Condition
from hedgerow.emulators.binance.control import (
    Advance,
    Deposit,
    Filters,
    Foreign,
    Funding,
    Halt,
    Liquidate,
    StreamOrder,
    Trade,
)
from hedgerow.emulators.binance.customers import Kind
from hedgerow.emulators.binance.desk import Wanted
from hedgerow.emulators.binance.faults import HTTP_FAULTS, STREAM_FAULTS, Fault, Injected
from hedgerow.emulators.binance.orders import Product as EmulatedProduct
from hedgerow.emulators.binance.server import Emulator
from hedgerow.model.ids import ClientOrderId
from hedgerow.model.order import OrderStatus, Side, TimeInForce
from hedgerow.venues import binance_gateway, binance_venue
from hedgerow.venues.binance_account import BAD_FRAMES_MAX
from hedgerow.venues.transport import http
from hedgerow.venues.transport.line import Line
from hedgerow.venues.wire.binance.kinds import AccountKind, Product
from tests.venues.binance_stand import SYMBOL, BinanceStand, taken
from tests.venues.contract import LEG, deep, heard, submit

D = Decimal
E = TypeVar("E", bound=Event)
Story = Callable[[BinanceStand], Awaitable[None]]
ENDS = (OrderAccepted, OrderUnknown, OrderRejected)
# Frames that tell of orders, at either product.
FRAMES = {Product.SPOT: "executionReport", Product.UM: "ORDER_TRADE_UPDATE"}


def played(
    story: Story,
    kind: AccountKind = AccountKind.USDM,
    product: Product = Product.UM,
    emulator: Callable[[], Emulator] | None = None,
) -> None:
    """Play a story at an emulator whose market stands still."""

    async def work() -> None:
        async with BinanceStand(kind, product, None if emulator is None else emulator()) as stand:
            await story(stand)

    asyncio.run(work())


def by_name(faults: Iterable[Fault]) -> list[Fault]:
    """Return faults in an order that is the same in every process."""
    return sorted(faults, key=lambda fault: fault.value)


def truth(stand: BinanceStand) -> dict[str, int]:
    """Return client order id -> how often the venue took it, whatever it said."""
    found: dict[str, int] = {}
    for name in taken(stand.emulator):
        found[name] = found.get(name, 0) + 1
    return found


def all_of(stand: BinanceStand, kind: type[E]) -> list[E]:
    return [event for event in stand.told if isinstance(event, kind)]


@pytest.mark.parametrize("fault", by_name(HTTP_FAULTS), ids=lambda fault: str(fault.value))
def test_no_fault_of_an_answer_makes_a_lie_or_a_second_order(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """'Refused' only where the venue did not take it, 'accepted' only where it did, and it was sent once."""
    monkeypatch.setattr(http, "ANSWER_S", 0.4)

    async def story(stand: BinanceStand) -> None:
        order = submit(stand, "1", price=deep(stand))
        stand.emulator.control.inject(Injected(kind=fault, method="POST", path="/order", seconds=0.1))
        stand.gateway.send(order)
        await stand.until(lambda: any(isinstance(event, ENDS) for event in stand.told))

        times = truth(stand).get(order.order_id, 0)
        assert times <= 1
        if all_of(stand, OrderRejected):
            assert times == 0
        elif all_of(stand, OrderAccepted):
            assert times == 1

    played(story)


def test_an_order_has_left_when_send_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hedge must not stand behind whatever else the loop has to do; its answer may."""
    left: list[bytes] = []
    send = Line.send

    def noted(line: Line, raw: bytes) -> None:
        left.append(raw)
        send(line, raw)

    async def story(stand: BinanceStand) -> None:
        stand.gateway.send(submit(stand, "1", price=deep(stand)))
        await heard(stand, OrderAccepted)
        monkeypatch.setattr(Line, "send", noted)
        order = submit(stand, "2", price=deep(stand))

        stand.gateway.send(order)

        (raw,) = [raw for raw in left if raw.startswith(b"POST ")]
        assert order.order_id.encode() in raw
        await stand.until(lambda: order.order_id in [event.order_id for event in all_of(stand, OrderAccepted)])

    played(story)


def test_nothing_is_delivered_before_send_returns() -> None:
    """Whoever sends is in the middle of something; what never left comes as an event like any other outcome."""

    async def story(stand: BinanceStand) -> None:
        order = replace(submit(stand, "1", price=deep(stand)), time_in_force=TimeInForce.DAY)
        before = list(stand.told)

        stand.gateway.send(order)

        assert stand.told == before
        assert (await heard(stand, OrderRejected)).order_id == order.order_id

    played(story)


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.CUT_ANSWER, Fault.BACKEND_TIMEOUT, Fault.BAD_GATEWAY])
def test_what_became_of_an_unknown_order_is_found_by_asking(fault: Fault) -> None:
    """The venue took it and said so to nobody; the question by our name finds it."""

    async def story(stand: BinanceStand) -> None:
        order = submit(stand, "1", price=deep(stand))
        stand.emulator.control.inject(Injected(kind=fault, method="POST", path="/order"))
        stand.gateway.send(order)
        assert (await heard(stand, OrderUnknown)).order_id == order.order_id

        stand.gateway.send(QueryOrder(order.order_id, LEG))

        found = (OrderReported, OrderNotFound)
        await stand.until(lambda: any(isinstance(event, found) for event in stand.told))
        assert bool(all_of(stand, OrderReported)) == bool(truth(stand))

    played(story)


@pytest.mark.parametrize("product", [Product.SPOT, Product.UM], ids=lambda product: product.value)
@pytest.mark.parametrize("fault", by_name(STREAM_FAULTS), ids=lambda fault: str(fault.value))
def test_no_fault_of_a_frame_loses_or_invents_a_fill(fault: Fault, product: Product) -> None:
    """What the stream did not tell, or told wrong or twice, the read of trades tells right."""

    async def story(stand: BinanceStand) -> None:
        stand.gateway.send(Read(LEG, ReadKind.TRADES))
        cursor = (await heard(stand, TradesRead)).cursor
        stand.emulator.control.inject(Injected(kind=fault, frame=FRAMES[product], count=2, seconds=0.1))
        stand.gateway.send(submit(stand, "1"))
        await heard(stand, OrderAccepted)
        stand.gateway.send(Read(LEG, ReadKind.TRADES, cursor))
        read = await heard(stand, TradesRead, 2)

        (real,) = read.fills
        streamed = [event.fill for event in stand.told if isinstance(event, FillReceived)]
        assert {(fill.trade_id, fill.qty, fill.price, fill.side) for fill in streamed} <= {
            (real.trade_id, real.qty, real.price, real.side)
        }

    played(story, AccountKind.SPOT if product is Product.SPOT else AccountKind.USDM, product)


@pytest.mark.parametrize("fault", [Fault.CUT_FRAME, Fault.UNKNOWN_WORD])
def test_a_frame_that_cannot_be_read_is_kept_and_the_stream_goes_on(fault: Fault) -> None:
    """It is the only witness of what the venue said; the next frame is as good as ever."""

    async def story(stand: BinanceStand) -> None:
        stand.emulator.control.inject(Injected(kind=fault, frame="ORDER_TRADE_UPDATE"))
        stand.gateway.send(submit(stand, "1", price=deep(stand)))
        kept = await heard(stand, FrameQuarantined)
        assert kept.leg_id == LEG
        assert kept.detail
        assert kept.frame

        stand.gateway.send(submit(stand, "2"))
        assert (await heard(stand, FillReceived)).fill.order_id == "hr-contract-1-2"
        assert not all_of(stand, LinkDown)

    played(story)


def test_a_stream_of_nothing_but_unreadable_frames_is_given_up() -> None:
    """One is an accident. A minute of them is a stream that tells nothing, and entries must not rely on it."""

    async def story(stand: BinanceStand) -> None:
        for _ in range(BAD_FRAMES_MAX):
            stand.account.take(b"{]")
        assert "could not be read" in (await heard(stand, LinkDown)).detail
        await heard(stand, LinkUp)
        assert len(all_of(stand, FrameQuarantined)) == BAD_FRAMES_MAX

    played(story)


def test_a_stream_that_is_open_and_mute_is_found_by_the_trades_that_it_did_not_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It answers pings and tells nothing: only a trade that it should have told gives it away."""
    monkeypatch.setattr(binance_gateway, "MUTE_NS", 0)

    async def story(stand: BinanceStand) -> None:
        stand.gateway.send(Read(LEG, ReadKind.TRADES))
        cursor = (await heard(stand, TradesRead)).cursor
        stand.emulator.control.order_streams(StreamOrder(do="mute", seconds=60))
        stand.gateway.send(submit(stand, "1"))
        await heard(stand, OrderAccepted)
        stand.gateway.send(Read(LEG, ReadKind.TRADES, cursor))

        assert "has not told of trade" in (await heard(stand, LinkDown)).detail

    played(story)


@pytest.mark.parametrize("do", ["cut", "end", "shutdown"])
@pytest.mark.parametrize(
    ("kind", "product"),
    [
        (AccountKind.SPOT, Product.SPOT),
        (AccountKind.USDM, Product.UM),
        (AccountKind.MARGIN, Product.MARGIN),
        (AccountKind.PORTFOLIO, Product.PM_UM),
    ],
    ids=lambda value: value.value,
)
def test_whatever_ends_a_private_stream_it_is_subscribed_again(kind: AccountKind, product: Product, do: str) -> None:
    """By signature, by token or by key: a stream that came back hears of the next fill."""

    async def story(stand: BinanceStand) -> None:
        stand.emulator.control.order_streams(StreamOrder(do=do))
        await heard(stand, LinkDown)
        await heard(stand, LinkUp)

        stand.gateway.send(submit(stand, "1"))
        await heard(stand, FillReceived)

    played(story, kind, product)


def test_a_clock_that_jumps_is_read_again_and_the_next_order_passes() -> None:
    """A machine that slept signs with a time that the venue refuses; one refusal is enough."""

    async def story(stand: BinanceStand) -> None:
        stand.emulator.control.advance(Advance(seconds=90))
        stand.gateway.send(submit(stand, "1", price=deep(stand)))
        assert (await heard(stand, OrderRejected)).code == "-1021"
        await stand.until(lambda: stand.venue.offset(Product.UM).ns > 80_000_000_000)

        stand.gateway.send(submit(stand, "2", price=deep(stand)))
        assert (await heard(stand, OrderAccepted)).order_id == "hr-contract-1-2"

    played(story)


def test_a_refusal_that_a_filter_explains_makes_the_filters_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """They change while we run; the next order should fit the new ones."""
    monkeypatch.setattr(binance_venue, "LISTING_FOR_NS", -1)

    async def story(stand: BinanceStand) -> None:
        filters = Filters(product=EmulatedProduct.USDM, symbol=SYMBOL, min_qty=D("0.05"), step=D("0.05"))
        stand.emulator.control.set_filters(filters)
        stand.gateway.send(submit(stand, "1", price=deep(stand)))
        await heard(stand, OrderRejected)

        changed = await heard(stand, InstrumentChanged)
        assert (changed.instrument.id, changed.instrument.step) == (stand.instrument.id, D("0.05"))

    played(story)


def test_hedges_pass_when_entries_and_questions_have_used_up_their_part() -> None:
    """The venue's budget is one for all; the last of it is kept for what takes risk away."""

    async def story(stand: BinanceStand) -> None:
        # More than two minutes allow: the venue's count may begin anew in between.
        for number in range(200):
            stand.gateway.send(QueryOrder(ClientOrderId(f"hr-contract-1-{number}"), LEG))
        stand.gateway.send(Read(LEG, ReadKind.POSITION))
        await stand.until(lambda: bool(all_of(stand, ReadFailed)))
        assert "limits leave no room" in all_of(stand, ReadFailed)[0].detail

        stand.gateway.send(submit(stand, "h"))
        await heard(stand, OrderAccepted)

    played(story, emulator=lambda: Emulator(is_still=True, weights={"usdm": 60}))


def test_a_ban_stops_everything_and_is_told_with_its_time() -> None:
    """Whoever goes on asking is banned for longer."""

    async def story(stand: BinanceStand) -> None:
        stand.emulator.control.inject(Injected(kind=Fault.BANNED, method="POST", path="/order", seconds=5))
        stand.gateway.send(submit(stand, "1", price=deep(stand)))
        await heard(stand, OrderRejected)
        stand.gateway.send(submit(stand, "2", price=deep(stand)))

        refused = await heard(stand, OrderRejected, 2)
        assert refused.reject_class is RejectClass.RATE_LIMITED
        assert refused.retry_after_ns > 0
        assert truth(stand) == {}

    played(story)


def test_funding_is_read_when_the_stream_says_that_it_was_booked_and_told_once() -> None:
    """The stream names no amount, and reads overlap: one booking, one event."""

    async def story(stand: BinanceStand) -> None:
        stand.gateway.send(submit(stand, "1"))
        fill = (await heard(stand, FillReceived)).fill
        stand.emulator.control.pay_funding(Funding(symbol=SYMBOL, rate=D("0.001")))
        paid = await heard(stand, FundingPaid)
        assert paid.net_quote < 0
        assert abs(paid.net_quote) < fill.qty * fill.price

        stand.emulator.control.pay_funding(Funding(symbol=SYMBOL, rate=D("-0.001")))
        again = await heard(stand, FundingPaid, 2)
        assert again.net_quote > 0
        assert len(all_of(stand, FundingPaid)) == 2

    played(story)


def test_what_others_do_in_the_account_is_told_and_never_ours() -> None:
    """A hand trades, the venue liquidates, money comes in: facts, none of them with an order of ours."""

    async def story(stand: BinanceStand) -> None:
        control = stand.emulator.control
        control.trade_foreign(Foreign(account="main", kind=Kind.USDM, symbol=SYMBOL, side="BUY", qty=D("0.5")))
        by_hand = (await heard(stand, FillReceived)).fill
        assert not str(by_hand.order_id or "").startswith("hr-")
        control.deposit(Deposit(account="main", kind=Kind.USDM, asset="USDT", net_qty=D(5)))
        control.liquidate(Liquidate(account="main", kind=Kind.USDM, symbol=SYMBOL))

        await stand.until(lambda: len(all_of(stand, FillReceived)) >= 2)
        liquidated = all_of(stand, FillReceived)[-1].fill
        assert liquidated.venue_made
        assert liquidated.order_id is None
        assert liquidated.side is Side.SELL

    played(story)


def test_a_liquidation_that_no_stream_told_of_is_known_for_what_it_is() -> None:
    """The list of trades bears no names; asked for by its number it has one. Taken for a hand's it stays unhedged."""

    async def story(stand: BinanceStand) -> None:
        stand.gateway.send(submit(stand, "1"))
        await heard(stand, FillReceived)
        stand.emulator.control.inject(Injected(kind=Fault.LOST_FRAME, frame="ORDER_TRADE_UPDATE", count=10))
        stand.emulator.control.liquidate(Liquidate(account="main", kind=Kind.USDM, symbol=SYMBOL))
        stand.gateway.send(Read(LEG, ReadKind.TRADES))
        fill = (await heard(stand, TradesRead)).fills[-1]
        stand.gateway.send(QueryOrder(ClientOrderId(""), LEG, fill.venue_order_id))
        await stand.until(lambda: any(each.venue_made for each in all_of(stand, OrderReported)))

        assert fill.order_id is None
        (report,) = (each for each in all_of(stand, OrderReported) if each.venue_made)
        assert report.venue_order_id == fill.venue_order_id

    played(story)


def test_the_position_mode_is_read_when_somebody_changed_how_the_account_trades() -> None:
    """In that mode every order of ours would open beside what it should close."""

    async def story(stand: BinanceStand) -> None:
        frame = b'{"e":"ACCOUNT_CONFIG_UPDATE","E":1,"T":1,"ac":{"s":"BTCUSDT","l":5}}'
        stand.account.take(frame)
        assert (await heard(stand, PositionModeRead)).agrees

    played(story)


# Conditional orders: ours never, somebody else's now and then.

HELD_AT = [
    (AccountKind.SPOT, Product.SPOT),
    (AccountKind.MARGIN, Product.MARGIN),
    (AccountKind.USDM, Product.UM),
    (AccountKind.PORTFOLIO, Product.PM_UM),
    (AccountKind.PORTFOLIO, Product.PM_MARGIN),
]


def _place_stop(stand: BinanceStand, kind: AccountKind, name: str) -> None:
    """Let the account's owner place a stop that buys 0.01 when the market trades at 61,000."""
    venue = stand.emulator.venue
    desk = venue.desks["main", Kind(kind.value), stand.board]
    wanted: dict[str, Any] = {
        "symbol": SYMBOL,
        "side": Side.BUY,
        "time_in_force": "GTC",
        "qty": D("0.01"),
        "client_order_id": name,
    }
    if desk.account_id in venue.algos:
        condition = of_request(Side.BUY, "STOP_MARKET", D(61_000), by_mark=False, back=D(0))
        market = Wanted(type="MARKET", **wanted)
        venue.algos[desk.account_id].place("STOP_MARKET", market, condition, closes_position=False)
    else:
        desk.place(Wanted(type="STOP_LOSS", condition=Condition(D(61_000), True), **wanted))
    venue.settle()


@pytest.mark.parametrize(("kind", "product"), HELD_AT, ids=lambda word: str(word.value))
def test_a_conditional_order_of_somebody_else_is_seen_and_never_ours(kind: AccountKind, product: Product) -> None:
    """While it waits it is no order of ours and no riddle; when it trades the fill is told under its own name."""

    async def story(stand: BinanceStand) -> None:
        _place_stop(stand, kind, "by-hand")
        stand.gateway.send(Read(LEG, ReadKind.OPEN_ORDERS))
        listed = await heard(stand, OpenOrdersRead)
        stand.emulator.control.trade(
            Trade(product=stand.board, symbol=SYMBOL, price=D(61_000), qty=D("0.001"), side="BUY")
        )
        fill = (await heard(stand, FillReceived)).fill

        assert {row.order_id for row in listed.orders} == (set() if product.is_futures else {"by-hand"})
        assert (fill.order_id, fill.side, fill.qty, fill.venue_made) == ("by-hand", Side.BUY, D("0.01"), False)
        assert all_of(stand, FrameQuarantined) == []
        assert all_of(stand, ReadFailed) == []

    played(story, kind, product)


def test_a_stop_that_is_not_taken_when_it_wakes_is_told_as_rejected() -> None:
    """A word that only conditional orders bring."""

    async def story(stand: BinanceStand) -> None:
        _place_stop(stand, AccountKind.SPOT, "by-hand")
        stand.emulator.control.halt(Halt(product=stand.board, symbol=SYMBOL))
        stand.emulator.control.trade(
            Trade(product=stand.board, symbol=SYMBOL, price=D(61_000), qty=D("0.001"), side="BUY")
        )
        stand.emulator.venue.settle()
        await stand.until(lambda: any(event.status is OrderStatus.REJECTED for event in all_of(stand, OrderReported)))

        assert all_of(stand, FrameQuarantined) == []

    played(story, AccountKind.SPOT, Product.SPOT)
