"""Exchange hours: exchange time only, half-days, holidays and changes of clocks included."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from hedgerow.market.answers import Accepted, OrderRequest
from hedgerow.market.checkpoint import restore, save
from hedgerow.market.exchange import SimExchange
from hedgerow.market.fees import Fees
from hedgerow.market.rules import CLOSED_MARKET, VenueRules
from hedgerow.market.sessions import UnknownCalendar, check_calendar, sessions_from
from hedgerow.model.ids import AccountId, InstrumentId, VenueId
from hedgerow.model.instrument import Instrument, InstrumentKind
from hedgerow.model.order import OrderType, Side, TimeInForce
from hedgerow.model.session import Session, Sessions, day_close_ns, next_session, session_at, utc_text

S = 1_000_000_000
ZONES = ("UTC", "America/New_York", "America/Los_Angeles", "Australia/Sydney")
MOMENTS = ("2026-03-06T20:00:00+00:00", "2026-10-30T19:00:00+00:00", "2026-11-26T15:00:00+00:00")
SCRIPT = """
import json, sys
from datetime import datetime
from hedgerow.market.sessions import sessions_from
moments = [int(datetime.fromisoformat(moment).timestamp()) * 10**9 for moment in sys.argv[1:]]
print(json.dumps([[[s.day, s.open_ns, s.close_ns] for s in sessions_from("XNYS", at)] for at in moments]))
"""


def ns(text: str) -> int:
    """Return a UTC time, `2026-11-27 18:00`, in ns."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


def hours(table: Sessions, day: str) -> list[tuple[str, str]]:
    """Return the opens and closes of a day as UTC clock times."""
    return [(utc_text(s.open_ns)[11:16], utc_text(s.close_ns)[11:16]) for s in table if s.day == day]


def test_a_session_is_in_exchange_time() -> None:
    """New York trades from 9:30 to 16:00: 14:30 to 21:00 UTC in winter."""
    table = sessions_from("XNYS", ns("2026-11-20 12:00"))

    assert hours(table, "2026-11-20") == [("14:30", "21:00")]


@pytest.mark.parametrize(
    ("before", "after", "opens_before", "opens_after"),
    [("2026-03-06", "2026-03-09", "14:30", "13:30"), ("2026-10-30", "2026-11-02", "13:30", "14:30")],
)
def test_e04_the_clocks_change_with_the_exchange(before: str, after: str, opens_before: str, opens_after: str) -> None:
    """E4: over both weekends of a change the open moves by an hour in UTC and not at all in New York."""
    table = sessions_from("XNYS", ns(f"{before} 12:00"))

    assert hours(table, before)[0][0] == opens_before
    assert hours(table, after)[0][0] == opens_after


def test_e05_half_days_and_holidays() -> None:
    """E5: nothing on Thanksgiving, and the day after ends at 13:00 in New York."""
    table = sessions_from("XNYS", ns("2026-11-25 12:00"))

    assert hours(table, "2026-11-26") == []
    assert hours(table, "2026-11-27") == [("14:30", "18:00")]
    assert day_close_ns(table, "2026-11-27") == ns("2026-11-27 18:00")
    following = next_session(table, ns("2026-11-25 21:00"))
    assert following is not None and following.day == "2026-11-27"


def test_a_lunch_break_is_two_sessions() -> None:
    """Hong Kong and Tokyo stop at noon: an order sent then would be refused."""
    table = sessions_from("XHKG", ns("2026-11-20 00:00"))

    assert hours(table, "2026-11-20") == [("01:30", "04:00"), ("05:00", "08:00")]
    assert session_at(table, ns("2026-11-20 04:30")) is None
    assert day_close_ns(table, "2026-11-20") == ns("2026-11-20 08:00")


@pytest.mark.slow
def test_e04_the_hosts_time_zone_never_matters() -> None:
    """E4: hosts in UTC, New York, Los Angeles and Sydney make the same table."""
    command = (sys.executable, "-W", "ignore", "-c", SCRIPT, *MOMENTS)
    environments = [os.environ | {"TZ": zone, "PYTHONPATH": os.pathsep.join(sys.path)} for zone in ZONES]

    runs = [subprocess.Popen(command, env=each, stdout=subprocess.PIPE, text=True) for each in environments]
    told = [json.loads(run.communicate()[0]) for run in runs]

    assert told[0][0], told
    assert all(each == told[0] for each in told)


@pytest.mark.parametrize(("name", "help_"), [("NYSEE", "NYSE"), ("America/New_York", "MIC"), ("xnys", "XNYS")])
def test_an_unknown_calendar_is_told(name: str, help_: str) -> None:
    """A time zone is no calendar, and a misspelt one is not taken for always open."""
    with pytest.raises(UnknownCalendar, match=help_):
        check_calendar(name)


def test_a_missing_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calendars are an extra; who asks for one without it is told how to get it."""
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)

    with pytest.raises(UnknownCalendar, match=r"pip install exchange_calendars"):
        check_calendar("XNYS")


def test_always_open_needs_no_library() -> None:
    """Venues that never close have no table at all."""
    check_calendar("24/7")


def test_a_table_says_where_a_moment_lies() -> None:
    """The open belongs to the session, the close does not; beyond the table nothing is known."""
    table = (Session("2026-01-02", 100, 200), Session("2026-01-05", 300, 400))

    assert session_at(table, 99) is None
    assert session_at(table, 100) == table[0]
    assert session_at(table, 200) is None
    assert next_session(table, 100) == table[1]
    assert next_session(table, 300) is None
    assert day_close_ns(table, "2026-01-03") is None


@pytest.mark.parametrize("moment", ["1970-01-01 00:00", "2000-02-29 23:59", "2026-11-27 18:00", "2100-03-01 00:00"])
def test_times_are_told_as_people_read_them(moment: str) -> None:
    """The pure rooms have no datetime, and get the same date."""
    assert utc_text(ns(moment)) == f"{moment}:00 UTC"


# A simulated venue with hours.

OPEN_NS, CLOSE_NS = 1_000 * S, 2_000 * S
TABLE = (Session("1970-01-01", OPEN_NS, CLOSE_NS), Session("1970-01-02", CLOSE_NS + OPEN_NS, 2 * CLOSE_NS))
MAIN = AccountId("brk/main")


def broker(kind: InstrumentKind = InstrumentKind.STOCK) -> tuple[SimExchange, InstrumentId]:
    """Return a venue with one stock, or option, at 9.99 / 10.01, and an account that holds 10 of it at 8."""
    instrument = Instrument(
        InstrumentId("brk:SPY"),
        VenueId("brk"),
        kind,
        "SPY",
        "USD",
        Decimal("0.01"),
        Decimal(1),
        Decimal(1),
        can_reduce_only=kind is InstrumentKind.OPTION,
    )
    exchange = SimExchange(VenueId("brk"), [instrument], VenueRules(), seed=1)
    exchange.open_account(MAIN, {"USD": Decimal(10_000)}, Fees())
    exchange.endow(MAIN, instrument.id, Decimal(10), Decimal(8))
    exchange.set_sessions(TABLE)
    show(exchange, 0, "9.99", "10.01")
    return exchange, instrument.id


def show(exchange: SimExchange, now_ns: int, bid: str, ask: str) -> None:
    exchange.set_book(now_ns, InstrumentId("brk:SPY"), [(Decimal(bid), Decimal(100))], [(Decimal(ask), Decimal(100))])


def order(name: str, price: str | None = None, **more: object) -> OrderRequest:
    fields: dict[str, object] = {
        "client_order_id": name,
        "instrument_id": InstrumentId("brk:SPY"),
        "side": Side.SELL,
        "type": OrderType.MARKET if price is None else OrderType.LIMIT,
        "qty": Decimal(4),
        "limit_price": None if price is None else Decimal(price),
    }
    return OrderRequest(**(fields | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(("now_ns", "is_taken"), [(OPEN_NS - 1, False), (OPEN_NS, True), (CLOSE_NS, False)])
def test_e14_orders_outside_the_hours_are_refused(now_ns: int, is_taken: bool) -> None:
    """E14: from the open on, and from the close on no more."""
    exchange, _ = broker()

    answer = exchange.submit(now_ns, MAIN, order("a"))

    assert (answer == CLOSED_MARKET) is not is_taken


def test_what_rests_waits_for_the_next_session() -> None:
    """Prices after hours do not trade with what rests; the first ones of the next session do."""
    exchange, instrument_id = broker()
    exchange.submit(OPEN_NS, MAIN, order("a", "11", time_in_force=TimeInForce.GTC))

    show(exchange, CLOSE_NS + 1, "12", "12.01")
    assert exchange.positions(MAIN)[instrument_id] == 10
    show(exchange, TABLE[1].open_ns, "12", "12.01")
    assert exchange.positions(MAIN)[instrument_id] == 6


def test_day_orders_end_with_the_exchanges_day() -> None:
    """A DAY order is for this session: it does not rest into tomorrow's."""
    exchange, instrument_id = broker()
    exchange.submit(OPEN_NS, MAIN, order("a", "11", time_in_force=TimeInForce.DAY))
    assert exchange.next_due_ns() == CLOSE_NS

    exchange.advance(CLOSE_NS)

    assert exchange.open_orders(MAIN, instrument_id) == ()


def test_a_broker_tells_what_a_position_cost() -> None:
    """What was brought along and what is bought are one average; it outlives the venue's process."""
    exchange, instrument_id = broker()
    exchange.submit(OPEN_NS, MAIN, order("a", side=Side.BUY, qty=Decimal(10)))
    assert exchange.avg_price(MAIN, instrument_id) == Decimal("9.005")

    again, _ = broker()
    restore(again, save(exchange))
    assert again.avg_price(MAIN, instrument_id) == Decimal("9.005")


@pytest.mark.parametrize(
    ("kind", "qty", "is_taken"),
    [(InstrumentKind.OPTION, 10, True), (InstrumentKind.OPTION, 11, False), (InstrumentKind.STOCK, 10, False)],
)
def test_an_option_can_be_sold_to_close(kind: InstrumentKind, qty: int, is_taken: bool) -> None:
    """No more than is held; and stocks know no such flag."""
    exchange, _ = broker(kind)

    answer = exchange.submit(OPEN_NS, MAIN, order("a", qty=Decimal(qty), reduce_only=True))

    assert isinstance(answer, Accepted) is is_taken
