"""Faults: each bends what it says, only that, and the same seed bends the same."""

from __future__ import annotations

import json

import pytest

from hedgerow.emulators.binance.faults import (
    FAULT_TEXTS,
    HEAVY,
    HTTP_FAULTS,
    LIGHT,
    STREAM_FAULTS,
    Fault,
    FaultPlan,
    Injected,
    rates_of,
)
from hedgerow.emulators.binance.orders import Product
from tests.emulators.trader import Trader, Wire

ORDER = "/fapi/v1/order"


def test_every_kind_has_a_sentence_and_a_place() -> None:
    """What may go wrong is told, and strikes requests, frames or handshakes."""
    assert set(FAULT_TEXTS) == set(Fault)
    assert HTTP_FAULTS | STREAM_FAULTS | {Fault.REFUSED_STREAM} == set(Fault)


def test_words_name_profiles_and_kinds() -> None:
    """A kind beside a profile is as frequent as in the heavy one."""
    assert rates_of(["none"]) == {}
    assert rates_of(["light", "mute"]) == dict.fromkeys(Fault, LIGHT) | {Fault.MUTE: HEAVY}
    with pytest.raises(ValueError, match="foo"):
        rates_of(["foo"])


def test_the_same_seed_meets_the_same_messages() -> None:
    """A failure can be seen again."""

    def drawn(seed: int) -> list[object]:
        plan = FaultPlan(seed, rates_of(["heavy"]))
        requests = [plan.for_request("main", "POST", ORDER) for _ in range(500)]
        return [*requests, *(plan.for_frame("main", "ORDER_TRADE_UPDATE", is_user=True) for _ in range(500))]

    assert drawn(1) == drawn(1) != drawn(2)
    assert any(drawn(1))


def test_a_heavy_plan_meets_every_kind() -> None:
    """None is forgotten by the drawing."""
    plan = FaultPlan(1, rates_of(["heavy"]))
    for method in ("GET", "POST"):
        for _ in range(4_000):
            plan.for_request("main", method, ORDER)
    for _ in range(8_000):
        plan.for_frame("main", "executionReport", is_user=True)
    plan.injected.append(Injected(Fault.REFUSED_STREAM))

    assert plan.for_handshake()
    assert set(plan.counts) == set(Fault)


def test_an_ordered_fault_waits_for_what_it_is_for() -> None:
    """By account, method, path and type of frame; then it is gone."""
    plan = FaultPlan(1, {})
    plan.injected.append(Injected(Fault.LOST_ANSWER, account="main", method="POST", path="/order", count=2))
    plan.injected.append(Injected(Fault.LOST_FRAME, frame="TRADE_LITE"))

    assert plan.for_request("main", "GET", ORDER) is None
    assert plan.for_request("second", "POST", ORDER) is None
    assert [plan.for_request("main", "POST", ORDER) is not None for _ in range(3)] == [True, True, False]
    assert plan.for_frame("main", "ORDER_TRADE_UPDATE", is_user=True) is None
    assert plan.for_frame("", "btcusdt@trade", is_user=False) is None
    assert plan.for_frame("second", "TRADE_LITE", is_user=True) is not None
    assert plan.injected == []


def test_switched_off_nothing_strikes_and_nothing_later_moves() -> None:
    """A test may want a quiet minute in the middle of a storm."""

    def struck(quiet: range) -> list[bool]:
        plan = FaultPlan(1, {Fault.LOST_ANSWER: 300_000})
        found = []
        for number in range(100):
            plan.is_on = number not in quiet
            found.append(plan.for_request("main", "POST", ORDER) is not None)
        return found

    calm, storm = struck(range(30, 60)), struck(range(0))
    assert not any(calm[30:60]) and any(storm[30:60])
    assert calm[:30] == storm[:30]


def filled(trader: Trader, kind: Fault) -> Wire:
    """Return the stream of a customer whose fill was met by a fault."""
    stream = trader.usdm_stream()
    trader.limit(ORDER, "BUY", "0.010", "59999", "a")
    stream.frames.clear()
    trader.do("faults", kind=kind.value, frame="ORDER_TRADE_UPDATE", seconds=1)
    trader.others_trade("usdm", "59999", "1", "SELL")
    return stream


def test_a_lost_frame_never_comes() -> None:
    """The truth has the trade all the same."""
    trader = Trader()
    stream = filled(trader, Fault.LOST_FRAME)

    stream.let_pass()

    assert stream.heard("ORDER_TRADE_UPDATE") == []
    assert str(trader.position()) == "0.010"


def test_a_repeated_frame_comes_twice() -> None:
    """With one trade id."""
    told = filled(Trader(), Fault.REPEATED_FRAME).heard("ORDER_TRADE_UPDATE")

    assert len(told) == 2 and told[0] == told[1]


def test_a_late_frame_comes_after_newer_ones() -> None:
    """Venues do not order their own messages."""
    trader = Trader()
    stream = filled(trader, Fault.LATE_FRAME)
    trader.market(ORDER, "SELL", "0.010", newClientOrderId="b")
    stream.let_pass()

    assert [row["o"]["c"] for row in stream.heard("ORDER_TRADE_UPDATE")] == ["b", "b", "a"]


def test_swapped_frames_change_places_or_come_in_the_end() -> None:
    """Nothing is lost where nothing follows."""
    trader = Trader()
    stream = filled(trader, Fault.SWAPPED_FRAMES)
    trader.limit(ORDER, "BUY", "0.010", "59000", "b")
    told = [row["o"]["c"] for row in stream.heard("ORDER_TRADE_UPDATE")]
    alone = filled(Trader(), Fault.SWAPPED_FRAMES)
    alone.let_pass()

    assert told == ["b", "a"]
    assert len(alone.heard("ORDER_TRADE_UPDATE")) == 1


def test_an_old_frame_comes_again() -> None:
    """One that was told long ago."""
    trader = Trader()
    stream = filled(trader, Fault.OLD_FRAME)

    assert len(stream.frames) == 4


@pytest.mark.parametrize("kind", [Fault.CUT_FRAME, Fault.GARBLED_FRAME])
def test_a_broken_frame_is_not_what_was_sent(kind: Fault) -> None:
    """It may parse or not; it is not the frame."""
    trader, sound = Trader(), Trader()
    stream = filled(trader, kind)
    trusted = filled(sound, Fault.REPEATED_FRAME)

    assert stream.frames[-1] != trusted.frames[-1]


def test_an_unknown_word_is_still_json() -> None:
    """Venues add words to their enums."""
    (told,) = filled(Trader(), Fault.UNKNOWN_WORD).heard("ORDER_TRADE_UPDATE")

    assert told["o"]["X"] == "EMULATED_FILLED"


def test_a_mute_stream_speaks_again_and_does_not_make_up_for_it() -> None:
    """What happened meanwhile is only found by asking."""
    trader = Trader()
    stream = filled(trader, Fault.MUTE)
    trader.limit(ORDER, "BUY", "0.010", "59000", "b")
    assert stream.heard("ORDER_TRADE_UPDATE") == []
    stream.let_pass()
    trader.limit(ORDER, "BUY", "0.010", "59000", "c")

    assert [row["o"]["c"] for row in stream.heard("ORDER_TRADE_UPDATE")] == ["c"]


def test_a_cut_stream_is_closed() -> None:
    """Without a word."""
    assert filled(Trader(), Fault.CUT_STREAM).is_closed


def test_a_server_says_that_it_goes_and_goes() -> None:
    """First the word, then the cut."""
    stream = filled(Trader(), Fault.SHUTDOWN)

    assert json.loads(stream.frames[-1])["e"] == "serverShutdown" and not stream.is_closed
    stream.let_pass()
    assert stream.is_closed


def test_an_ended_user_stream_says_so_and_stays_open() -> None:
    """`listenKeyExpired` on futures, `eventStreamTerminated` on spot."""
    trader = Trader()
    futures = filled(trader, Fault.ENDED_STREAM)
    spot = Trader()
    stream = spot.spot_stream()
    spot.do("streams", do="end", account="main")

    assert [row["e"] for row in futures.heard()][-1] == "listenKeyExpired" and not futures.is_closed
    assert [row["e"] for row in stream.heard()] == ["eventStreamTerminated"] and not stream.is_closed


def test_a_subscription_may_end_in_the_middle_of_a_fill() -> None:
    """What comes after it in the same moment is not told, and the order is taken all the same."""
    trader = Trader()
    stream = trader.spot_stream()
    trader.do("faults", kind="ended_stream", frame="executionReport")

    trader.market("/api/v3/order", "BUY", "0.01")

    assert [row["e"] for row in stream.heard()] == ["executionReport", "eventStreamTerminated"]


def test_market_streams_are_struck_less_often() -> None:
    """They have hundreds of frames for each of a user stream."""
    plan = FaultPlan(3, rates_of(["heavy"]))
    user = sum(plan.for_frame("main", "x", is_user=True) is not None for _ in range(8_000))
    market = sum(plan.for_frame("", "x", is_user=False) is not None for _ in range(8_000))

    assert user > 10 * market > 0


def test_a_market_stream_can_be_cut() -> None:
    """By order, like any other."""
    trader = Trader()
    wire = Wire(trader, Product.USDM).subscribe("btcusdt@trade")

    assert trader.do("streams", do="cut") == {"streams": 1}
    assert wire.is_closed


@pytest.mark.parametrize(
    ("kind", "code", "orders"),
    [
        (Fault.LOST_REQUEST, None, 0),
        (Fault.OVERLOADED, -1008, 0),
        (Fault.LOST_ANSWER, None, 1),
        (Fault.BACKEND_TIMEOUT, -1007, 1),
        (Fault.FALSE_NOT_FOUND, -2013, 1),
        (Fault.REPEATED_REQUEST, -2010, 1),
    ],
)
def test_requests_over_the_websocket_api_are_struck_as_well(kind: Fault, code: int | None, orders: int) -> None:
    """What has no form of its own there is silence."""
    trader = Trader()
    wire = Wire(trader, Product.SPOT)
    trader.do("faults", kind=kind.value, path="/order")
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}

    answer = wire.ask("order.place", **trader.signed(**order, price="59000", newClientOrderId="a"))

    assert (None if answer is None else answer["error"]["code"]) == code
    assert len(trader.call("GET", "/api/v3/openOrders")) == orders


def test_a_subscription_may_go_unanswered() -> None:
    """It stands all the same: frames come under a number that nobody was told."""
    trader = Trader()
    wire = Wire(trader, Product.SPOT)
    trader.do("faults", kind="lost_answer", path="/userDataStream")

    assert wire.ask("userDataStream.subscribe.signature", **trader.signed()) is None
    trader.market("/api/v3/order", "BUY", "0.01")
    assert len(wire.heard("executionReport")) == 2


def test_a_late_answer_over_the_websocket_api_comes() -> None:
    """After others."""
    trader = Trader()
    wire = Wire(trader, Product.SPOT)
    trader.do("faults", kind="late_answer", path="/account")

    assert wire.ask("account.status", **trader.signed()) is None
    wire.let_pass()
    assert json.loads(wire.frames[-1])["status"] == 200
