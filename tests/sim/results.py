"""A small result of a backtest, with something of everything in it."""

from __future__ import annotations

from decimal import Decimal

from hedgerow.model.order import Role, Side
from hedgerow.sim.result import (
    AlarmRow,
    BacktestResult,
    BookResult,
    Equity,
    Exposure,
    FillRow,
    HoldRow,
    HoldSpan,
    Interval,
    LegResult,
    LevelRow,
    Line,
    Pnl,
    Price,
    PriceSeries,
    RoundRow,
    Source,
)

D = Decimal
S = 1_000_000_000
START_NS = 1_640_995_200 * S


def fill(number: int, second: int, leg: str, side: Side, price: str, role: Role, cause: int = 0) -> FillRow:
    return FillRow(
        number,
        START_NS + second * S,
        leg,
        side,
        D("0.5"),
        D(price),
        role,
        f"hr-b1-1-{number}",
        "" if role is Role.HEDGE else "grid/3/buy",
        D("0.02"),
        D("0.1") if role is Role.HEDGE else D(0),
        role is not Role.HEDGE,
        False,
        cause,
        40_000_000 if role is Role.HEDGE else None,
    )


def full_book(book_id: str = "b1") -> BookResult:
    fills = (
        fill(1, 10, "lead", Side.BUY, "100", Role.ENTRY),
        fill(2, 11, "hedge", Side.SELL, "100.5", Role.HEDGE, 1),
        fill(3, 30, "lead", Side.SELL, "101", Role.EXIT, 1),
        fill(4, 31, "hedge", Side.BUY, "100.9", Role.HEDGE, 3),
    )
    return BookResult(
        book_id,
        "grid",
        "USDT",
        "BTC",
        (
            LegResult("lead", "simA/main", "simA:BTC", "BTC", "USDT", fills=2, maker_fills=2, volume=D("100.5")),
            LegResult("hedge", "simB/main", "simB:BTC", "BTC", "USDT", fills=2, volume=D("100.7"), mark=D("100.8")),
        ),
        Pnl(D("0.5"), D("0.01"), D(0), D("0.08"), D("0.2")),
        {"qty": "0.5"},
        tuple(
            Equity(START_NS + second * S, D(gain))
            for second, gain in ((0, "0"), (20, "-0.3"), (40, "0.23"), (60, "0.23"))
        ),
        D("0.3"),
        (
            Exposure(START_NS + 10 * S, (D("0.5"), D(0)), D("0.5")),
            Exposure(START_NS + 11 * S, (D("0.5"), D("-0.5")), D(0)),
            Exposure(START_NS + 30 * S, (D(0), D("-0.5")), D("-0.5")),
            Exposure(START_NS + 31 * S, (D(0), D(0)), D(0)),
        ),
        fills,
        (Interval(START_NS + 10 * S, START_NS + 11 * S, D("0.5"), D(50), "rate_limited"),),
        2 * S,
        (HoldRow("rate_limited", "hedge", 2, 2 * S, S),),
        (HoldSpan("rate_limited", "hedge", START_NS + 10 * S, START_NS + 11 * S),),
        (LevelRow("grid/3/buy", Side.BUY, D(100), D(101), 1, 1, D(0), D("0.46")),),
        (RoundRow(1, START_NS + 10 * S, START_NS + 31 * S, D("0.5"), D(100), D(101), Pnl(D("0.5")), "take_profit"),),
        tuple(
            PriceSeries(leg, tuple(Price(START_NS + at * S, D(100), D(101), D(99), D(102)) for at in range(0, 60, 10)))
            for leg in ("lead", "hedge")
        ),
        (Line("lead", D(100), "3", Side.BUY),),
        (AlarmRow(START_NS + 30 * S, "residual_aged", "The residual of 0.5 BTC is old."),),
        4,
    )


def full_result(*books: BookResult) -> BacktestResult:
    """Return a result with `books`, or with one that has something of everything."""
    return BacktestResult(
        "0.1.0",
        "grid.yaml",
        "4f2c91d",
        7,
        START_NS,
        START_NS + 60 * S,
        (Source("simA", "btc.ticks", "simA:BTC", 1000, START_NS, START_NS + 60 * S, "8d1f2c3a"),),
        books or (full_book(),),
        1000,
        notes=("A note with </script> in it.",),
    )


def empty_book() -> BookResult:
    """Return a book that never saw a price."""
    return BookResult("idle", "mirror", "USD", "BTC", (LegResult("lead", "a/b", "a:BTC", "BTC", "USD"),), Pnl())
