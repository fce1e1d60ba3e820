"""Why: the whole chain, from the journal alone."""

from __future__ import annotations

from decimal import Decimal

from hedgerow.core.config import Limits
from hedgerow.core.events import (
    Action,
    OperatorCommanded,
    OrderRejected,
    OrderReported,
    OrderUnknown,
    RejectClass,
)
from hedgerow.core.explain import explain
from hedgerow.model.order import OrderStatus
from tests.core.books import HEDGE, MS, Desk, Quoting, S, cancels, config, entry, submits


def whats(made: Desk, subject: str) -> list[str]:
    explanation = explain(enumerate(made.turns, start=1), subject)
    assert explanation is not None
    return [row.what for row in explanation.rows]


def test_a_hedge_is_explained_from_the_fill_that_caused_it_to_its_own_fill() -> None:
    """Fill, position, residual, order, ack, fill: with times and numbers."""
    made = Desk(Quoting(entry()))
    made.accept(made.standing())
    (hedge,) = submits(made.fills(made.standing(), "0.4"))
    made.now_ns += 20 * MS
    made.accept(hedge)
    made.fills(hedge, "0.4")

    explanation = explain(enumerate(made.turns, start=1), hedge.order_id)

    assert explanation is not None
    assert [row.what for row in explanation.rows] == [
        "fill", "position", "residual", "order", "accepted", "fill", "position", "residual",
    ]  # fmt: skip
    assert "residual 0.0 now, hedged; the chain took 20.0 ms" in explanation.result
    assert "lead +0" in explanation.rows[1].text


def test_a_lead_fill_is_explained_by_its_trade_id() -> None:
    """What became of this fill? The chain goes on to the hedge that it led to."""
    made = Desk(Quoting(entry()))
    (hedge,) = submits(made.fills(made.standing(), "0.4"))
    made.fills(hedge, "0.4")

    assert whats(made, "t1").count("fill") == 2


def test_a_refused_hedge_shows_every_try_and_the_hold() -> None:
    """Why is my hedge not there? The venue's own words, and what was tried since."""
    made = Desk(Quoting(entry()))
    (hedge,) = submits(made.fills(made.standing(), "0.4"))
    made.tell(OrderRejected(made.now_ns, hedge.order_id, RejectClass.INSUFFICIENT_MARGIN, "-2019", "Margin low"))
    again = next(order for order in submits(made.wait(S)) if order.leg_id == HEDGE)
    made.tell(OrderUnknown(made.now_ns, again.order_id, "HTTP 503"))

    explanation = explain(enumerate(made.turns, start=1), hedge.order_id)

    assert explanation is not None
    text = "\n".join(row.text for row in explanation.rows)
    assert "-2019 Margin low" in text
    assert "insufficient_margin" in text
    assert again.order_id in text
    assert "not hedged" in explanation.result


def test_an_entry_shows_the_limits_that_it_was_compared_with() -> None:
    """Checks come with both numbers."""
    made = Desk(Quoting(entry()))

    explanation = explain(enumerate(made.turns, start=1), made.standing().id)

    assert explanation is not None
    assert "open orders 1 ≤ 100 ok" in [row.text for row in explanation.rows]


def test_an_entry_that_takes_the_place_of_another_is_compared_without_it() -> None:
    """The one before has just ended when the new one is decided on, and does not count any more."""
    made = Desk(Quoting(entry()), config(limits=Limits(max_residual=Decimal(150))))
    first = made.standing()
    made.accept(first)
    made.policy.entry = entry(price="99")
    made.quote_all()
    assert cancels(made.log)
    (second,) = submits(made.tell(OrderReported(made.now_ns, first.id, OrderStatus.CANCELED, Decimal(0))))

    explanation = explain(enumerate(made.turns, start=1), second.order_id)

    assert explanation is not None
    (told,) = [row.text for row in explanation.rows if row.text.startswith("residual if all fills")]
    assert told == "residual if all fills 100.05000 ≤ 150 ok"


def test_a_hold_is_explained_by_its_key_or_reason() -> None:
    """A hold's chain says when it started and ended, and why."""
    made = Desk(Quoting(entry()), ready=False)
    made.read_all()
    made.quote_all()

    assert whats(made, "lead/entry").count("held") >= 2
    assert "held" in whats(made, "no_mark_price")


def test_what_nothing_names_has_no_explanation() -> None:
    """Bad input is None, not an empty chain."""
    made = Desk(Quoting(entry()))

    assert explain(enumerate(made.turns, start=1), "hr-b1-9-9") is None


def test_a_mode_is_explained_by_who_set_it() -> None:
    """Who froze this, and when? Also when nothing was wanted, so that nothing is held."""
    made = Desk(Quoting())
    made.tell(OperatorCommanded(made.now_ns, Action.FREEZE, "ann"))

    explanation = explain(enumerate(made.turns, start=1), "frozen")

    assert explanation is not None
    assert [row.text for row in explanation.rows if row.what == "operator"] == ["freeze by ann"]


def test_a_mode_is_explained_with_all_that_an_operator_did_to_it() -> None:
    """A freeze that was lifted is not why a book is frozen that was flattened since."""
    made = Desk(Quoting())
    for action in (Action.FREEZE, Action.RESUME, Action.FLATTEN):
        made.now_ns += S
        made.tell(OperatorCommanded(made.now_ns, action, "ann"))

    explanation = explain(enumerate(made.turns, start=1), "frozen")

    assert explanation is not None
    told = [row.text for row in explanation.rows if row.what == "operator"]
    assert told == ["freeze by ann", "resume by ann", "flatten by ann"]
    assert explain(enumerate(made.turns, start=1), "halted") is None
