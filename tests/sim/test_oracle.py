"""The judge itself: from histories made by hand, it finds each kind of violation and nothing in a clean one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from hedgerow.model.ids import InstrumentId, VenueId
from hedgerow.model.instrument import Instrument, InstrumentKind
from hedgerow.sim.oracle import Oracle, Trade
from hedgerow.sim.pace import CANCELS_MAX, REFUSALS_MAX, REQUESTS_MAX, Pace

STEP = Decimal("0.1")
PRICE = Decimal(100)
LEAD_ORDER, HEDGE_ORDER = "hr-t-1-1", "hr-t-1-2"


def instrument(venue: str) -> Instrument:
    symbol = InstrumentId(f"{venue}:X")
    return Instrument(symbol, VenueId(venue), InstrumentKind.SPOT, "X", "USD", Decimal("0.1"), STEP, STEP)


class History:
    """One history as it is told to the oracle, line by line."""

    def __init__(self) -> None:
        legs = {"lead": instrument("A"), "hedge": instrument("B")}
        self.oracle = Oracle("t", legs, ("lead", "hedge", Decimal(-1)))
        self.now_ns = 0

    @property
    def rules(self) -> list[str]:
        return [violation.rule for violation in self.oracle.violations]

    def turn(self, event: dict[str, Any], *commands: dict[str, Any]) -> None:
        """Make one turn durable."""
        self.oracle.read(self.now_ns, [msgspec.json.encode({"event": event, "commands": commands})])

    def submit(self, order_id: str, leg: str, side: str, qty: str, role: str) -> dict[str, Any]:
        return {
            "what": "SubmitOrder",
            "order_id": order_id,
            "leg_id": leg,
            "instrument_id": "A:X" if leg == "lead" else "B:X",
            "side": side,
            "qty": qty,
            "role": role,
        }

    def fill(self, trade_id: str, leg: str, side: str, qty: str, order_id: str | None, **more: Any) -> dict[str, Any]:
        symbol = "A:X" if leg == "lead" else "B:X"
        fill = {"trade_id": trade_id, "instrument_id": symbol, "side": side, "qty": qty, "order_id": order_id, **more}
        return {"what": "FillReceived", "fill": fill}

    def leaves(self, order_id: str, leg: str, side: str, qty: str) -> None:
        symbol = "A:X" if leg == "lead" else "B:X"
        self.oracle.left(self.now_ns, "SubmitOrder", order_id, (symbol, side, Decimal(qty), None))

    def trades(self, trade_id: str, leg: str, order_id: str, net: str, base_fee: str = "0") -> None:
        self.oracle.traded(trade_id, Trade(leg, order_id, Decimal(net), Decimal(base_fee)))

    def entered(self) -> History:
        """A lead order of 1 that was bought whole; nothing is hedged yet."""
        self.turn({"what": "TimeReached"}, self.submit(LEAD_ORDER, "lead", "buy", "1.0", "entry"))
        self.leaves(LEAD_ORDER, "lead", "buy", "1.0")
        self.trades("1", "lead", LEAD_ORDER, "1.0")
        self.oracle.dead(LEAD_ORDER)
        return self

    def hedged(self) -> History:
        """The same, hedged by one order that sold whole."""
        self.entered()
        self.turn(
            self.fill("1", "lead", "buy", "1.0", LEAD_ORDER), self.submit(HEDGE_ORDER, "hedge", "sell", "1.0", "hedge")
        )
        self.leaves(HEDGE_ORDER, "hedge", "sell", "1.0")
        self.trades("2", "hedge", HEDGE_ORDER, "-1.0")
        self.oracle.dead(HEDGE_ORDER)
        self.turn(self.fill("2", "hedge", "sell", "1.0", HEDGE_ORDER))
        return self

    def unsettled(self, lead: str = "1.0", hedge: str = "-1.0", flat: bool = False, **live: str) -> list[str]:
        net = {"lead": Decimal(lead), "hedge": Decimal(hedge)}
        return self.oracle.unsettled(PRICE, net, {key.replace("_", "-"): word for key, word in live.items()}, flat)


def test_a_clean_history_is_clean() -> None:
    """A judge that always complains is of no use."""
    history = History().hedged()

    assert history.rules == []
    assert history.unsettled() == []


def test_an_order_that_leaves_before_it_is_durable_is_found() -> None:
    """After a crash nobody would know of it."""
    history = History()

    history.leaves(LEAD_ORDER, "lead", "buy", "1.0")

    assert history.rules == ["durable"]


def test_an_order_that_leaves_otherwise_than_it_is_durable_is_found() -> None:
    """The journal must say what was sent, not what was meant."""
    history = History()
    history.turn({"what": "TimeReached"}, history.submit(LEAD_ORDER, "lead", "buy", "1.0", "entry"))

    history.leaves(LEAD_ORDER, "lead", "buy", "2.0")

    assert history.rules == ["durable"]


def test_an_id_that_leaves_twice_is_found() -> None:
    """Venues forget ids, and would take the second order as well."""
    history = History().entered()

    history.leaves(LEAD_ORDER, "lead", "buy", "1.0")

    assert history.rules == ["once"]


def test_an_id_that_is_decided_twice_is_found() -> None:
    """A restart must not count from one again."""
    history = History().entered()

    history.turn({"what": "TimeReached"}, history.submit(LEAD_ORDER, "lead", "buy", "1.0", "entry"))

    assert "once" in history.rules


def test_a_hedge_of_more_than_is_owed_is_found() -> None:
    """Even a step too much changes the sign of the residual."""
    history = History().entered()

    history.turn(
        history.fill("1", "lead", "buy", "1.0", LEAD_ORDER),
        history.submit(HEDGE_ORDER, "hedge", "sell", "1.1", "hedge"),
    )

    assert history.rules == ["over-hedge"]


def test_a_second_hedge_is_found_while_the_first_may_still_fill() -> None:
    """No answer is not no: what left and was not proven dead counts in full."""
    history = History().entered()
    owed = history.submit(HEDGE_ORDER, "hedge", "sell", "1.0", "hedge")
    history.turn(history.fill("1", "lead", "buy", "1.0", LEAD_ORDER), owed)
    history.leaves(HEDGE_ORDER, "hedge", "sell", "1.0")

    history.turn({"what": "TimeReached"}, history.submit("hr-t-1-3", "hedge", "sell", "1.0", "hedge"))

    assert history.rules == ["over-hedge"]


def test_a_second_hedge_is_right_once_the_first_is_dead() -> None:
    """What the venue never took may be asked for again."""
    history = History().entered()
    owed = history.submit(HEDGE_ORDER, "hedge", "sell", "1.0", "hedge")
    history.turn(history.fill("1", "lead", "buy", "1.0", LEAD_ORDER), owed)
    history.leaves(HEDGE_ORDER, "hedge", "sell", "1.0")
    history.oracle.dead(HEDGE_ORDER)

    history.turn({"what": "TimeReached"}, history.submit("hr-t-1-3", "hedge", "sell", "1.0", "hedge"))

    assert history.rules == []


def test_a_hedge_that_never_left_a_dead_engine_is_no_hedge() -> None:
    """Between commit and send a process may die; the next engine may order again once it has proof."""
    history = History().entered()
    owed = history.submit(HEDGE_ORDER, "hedge", "sell", "1.0", "hedge")
    history.turn(history.fill("1", "lead", "buy", "1.0", LEAD_ORDER), owed)
    history.turn({"what": "BookStarted", "epoch": 2})

    history.turn({"what": "TimeReached"}, history.submit("hr-t-2-1", "hedge", "sell", "1.0", "hedge"))

    assert history.rules == []


def test_a_trade_that_is_read_twice_is_owed_once() -> None:
    """The oracle knows trades by their ids, so a hedge of a repeated fill is too much."""
    history = History().hedged()
    history.turn(
        history.fill("1", "lead", "buy", "1.0", LEAD_ORDER), history.submit("hr-t-1-3", "hedge", "sell", "1.0", "hedge")
    )

    assert history.rules == ["over-hedge"]


def test_a_fill_that_no_venue_made_is_found() -> None:
    """Absence proves nothing, and a status is no trade."""
    history = History().entered()

    history.turn(history.fill("99", "lead", "buy", "1.0", LEAD_ORDER))

    assert history.rules == ["invented"]


def test_a_fill_of_another_size_than_the_trade_is_found() -> None:
    """A cumulative qty is not one more fill."""
    history = History().entered()

    history.turn(history.fill("1", "lead", "buy", "2.0", LEAD_ORDER))

    assert history.rules == ["invented"]


def test_a_record_without_a_name_may_wait_and_may_be_hedged() -> None:
    """An engine cannot know whose it is before the venue says so, and may know at once."""
    history = History().entered()

    history.turn(
        history.fill("1", "lead", "buy", "1.0", None), history.submit(HEDGE_ORDER, "hedge", "sell", "1.0", "hedge")
    )

    assert history.rules == []


@pytest.mark.parametrize(
    ("event", "role", "broken"),
    [
        ({"action": "halt"}, "hedge", True),
        ({"action": "freeze"}, "hedge", False),
        ({"action": "freeze"}, "entry", True),
        ({"action": "flatten"}, "entry", True),
        ({"action": "resume"}, "entry", False),
        ({"action": "signal"}, "entry", False),
    ],
)
def test_the_mode_says_which_orders_may_leave(event: dict[str, str], role: str, broken: bool) -> None:
    """A halt stops all, a freeze stops what adds risk, and neither stops a reduction."""
    history = History().entered()
    history.turn(history.fill("1", "lead", "buy", "1.0", LEAD_ORDER))
    history.turn({"what": "OperatorCommanded", "request_id": "r1", **event})

    history.turn({"what": "TimeReached"}, history.submit(HEDGE_ORDER, "hedge", "sell", "1.0", role))

    assert history.rules == (["mode"] if broken else [])


def test_the_same_request_twice_has_one_effect() -> None:
    """A double click on freeze must not undo a resume that came between."""
    history = History()
    for request, action in (("r1", "freeze"), ("r2", "resume"), ("r1", "freeze")):
        history.turn({"what": "OperatorCommanded", "request_id": request, "action": action})

    assert history.oracle.mode == "running"


def test_a_storm_of_requests_is_found() -> None:
    """A venue bans who asks without end."""
    history = History()

    for _ in range(REQUESTS_MAX):
        history.oracle.left(history.now_ns, "Read", "", None)

    assert history.rules == ["bounded"]


def test_a_storm_of_cancels_is_found() -> None:
    """A cancel that is not believed must be asked about, not repeated."""
    history = History().entered()

    for _ in range(CANCELS_MAX):
        history.now_ns += 10_000_000_000
        history.oracle.left(history.now_ns, "CancelOrder", LEAD_ORDER, None)

    assert history.rules == ["bounded"]


def test_a_trade_that_the_journal_misses_is_found() -> None:
    """Every venue trade must be in the journal once all is calm."""
    history = History().entered()

    assert any("not in the journal" in text for text in history.unsettled("0", "0"))


def test_a_position_that_the_trades_do_not_give_is_found() -> None:
    """Exactly once: an engine that books twice, or never, holds another number."""
    history = History().hedged()

    assert history.unsettled(lead="2.0") == ["lead: engine 2.0, trades add up to 1.0"]


def test_a_fee_in_base_belongs_to_the_position() -> None:
    """What is received is what was filled less the fee."""
    history = History().hedged()
    history.trades("3", "hedge", HEDGE_ORDER, "0.5", base_fee="0.01")
    history.turn(history.fill("3", "hedge", "buy", "0.5", HEDGE_ORDER, fee="0.01", fee_currency="X"))

    assert history.oracle.net["hedge"] == Decimal("-0.51")
    assert not any("engine" in text for text in history.unsettled(hedge="-0.51"))


def test_a_residual_that_an_order_could_close_is_found() -> None:
    """A book at rest owes less than the smallest order."""
    history = History().entered()
    history.turn(history.fill("1", "lead", "buy", "1.0", LEAD_ORDER))

    assert history.unsettled("1.0", "0") == ["hedge: 1.0 is left, and could be ordered"]


def test_a_book_that_should_be_flat_and_is_not_is_found() -> None:
    """Verified flat means that no legal order could close more."""
    history = History().hedged()

    assert len(history.unsettled(flat=True)) == 1


def test_an_order_that_the_engine_lost_is_found() -> None:
    """No orphans: what lives at the venue lives in the engine, and the other way round."""
    history = History().hedged()
    history.turn({"what": "TimeReached"}, history.submit("hr-t-1-3", "lead", "buy", "1.0", "entry"))
    history.leaves("hr-t-1-3", "lead", "buy", "1.0")

    assert history.unsettled() == ["hr-t-1-3 is live; engine: over"]
    assert history.unsettled(hr_t_1_3="open") == []


@pytest.mark.parametrize("status", ["unknown", "submitting", "settling"])
def test_an_order_in_limbo_is_found(status: str) -> None:
    """Once all is calm every order is open or over."""
    history = History().hedged()
    history.turn({"what": "TimeReached"}, history.submit("hr-t-1-3", "lead", "buy", "1.0", "entry"))
    history.leaves("hr-t-1-3", "lead", "buy", "1.0")

    assert history.unsettled(hr_t_1_3=status) == [f"hr-t-1-3 is live; engine: {status}"]


def test_an_entry_that_stands_while_frozen_is_found() -> None:
    """A freeze takes back what would add risk."""
    history = History().hedged()
    history.turn({"what": "TimeReached"}, history.submit("hr-t-1-3", "lead", "buy", "1.0", "entry"))
    history.leaves("hr-t-1-3", "lead", "buy", "1.0")
    history.turn({"what": "OperatorCommanded", "request_id": "r1", "action": "freeze"})

    assert history.unsettled(hr_t_1_3="open") == ["hr-t-1-3 stands while frozen"]


def test_a_storm_of_refusals_is_found() -> None:
    """A refused hedge that is sent again at once is refused thirteen thousand times a second."""
    history = History().entered()

    for number in range(REFUSALS_MAX):
        history.now_ns += 100_000_000
        order_id = f"{HEDGE_ORDER}{number}"
        history.turn({"what": "TimeReached"}, history.submit(order_id, "hedge", "sell", "0.1", "hedge"))
        history.leaves(order_id, "hedge", "sell", "0.1")
        history.oracle.dead(order_id)
        history.turn({"what": "OrderRejected", "order_id": order_id, "reject_class": "insufficient_margin"})

    assert "bounded" in history.rules


def test_a_need_that_leaves_in_many_slices_is_no_storm() -> None:
    """Each slice that trades excuses its own submit and the questions about it."""
    pace = Pace()

    told = []
    for number in range(REQUESTS_MAX):
        pace.ordered(number, {"order_id": f"o{number}", "leg_id": "hedge", "side": "sell"})
        told.append(pace.left(number, "SubmitOrder", f"o{number}"))
        pace.ended(f"o{number}")
        told.append(pace.left(number, "QueryOrder", f"o{number}"))

    assert not any(told)
