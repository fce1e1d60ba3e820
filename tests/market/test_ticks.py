"""Tick files: exact, whole, and checked."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from hedgerow.market.tape import BookSnapshot, MarketEvent, Traded
from hedgerow.market.ticks import (
    NO_ASK,
    NO_BID,
    Bars,
    DataError,
    DataMissing,
    Gap,
    Ints,
    Kind,
    Quotes,
    TickFile,
    Trades,
    new_file,
    write_ticks,
)
from hedgerow.model.ids import InstrumentId
from hedgerow.model.order import Side

D = Decimal
BTC = InstrumentId("x:BTC")


def ints(*numbers: int) -> Ints:
    return np.array(numbers, np.int64)


def three_quotes() -> Quotes:
    return Quotes(
        ints(10, 20, 30),
        ints(1000, 1001, NO_BID),
        ints(1002, 1003, NO_ASK),
        ints(5, 6, 0),
        ints(7, 8, 0),
        np.array([[999], [0], [0]], np.int64),
        np.array([[1005], [1010], [0]], np.int64),
        np.array([[3], [0], [0]], np.int64),
        np.array([[2], [1], [0]], np.int64),
    )


def two_trades() -> Trades:
    return Trades(ints(15, 30), ints(1000, 1003), ints(1, 2), ints(1, 3), np.array([-1, 1], np.int8))


def written(path: Path) -> TickFile:
    return write_ticks(
        path, tick=D("0.1"), step=D("0.001"), venue="x", symbol="BTC", quotes=three_quotes(), trades=two_trades()
    )


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """Every column, mapped from the file as it stands there."""
    ticks = written(tmp_path / "btc.ticks")

    assert (ticks.kind, ticks.venue, ticks.symbol, ticks.tick, ticks.step) == (
        Kind.QUOTES,
        "x",
        "BTC",
        D("0.1"),
        D("0.001"),
    )
    assert (ticks.rows, ticks.trade_rows, ticks.depth, ticks.first_ts_ns, ticks.last_ts_ns) == (3, 2, 2, 10, 30)
    for name in Quotes.__struct_fields__:
        assert np.array_equal(getattr(ticks.quotes, name), getattr(three_quotes(), name)), name
    for name in Trades.__struct_fields__:
        assert np.array_equal(getattr(ticks.trades, name), getattr(two_trades(), name)), name
    ticks.verify()


def test_its_events_are_those_of_a_tape(tmp_path: Path) -> None:
    """Exact numbers without zeros at the end, as tapes have them; a trade comes before the quote that follows it."""
    events: list[MarketEvent] = list(written(tmp_path / "btc.ticks").events(BTC))

    assert events == [
        BookSnapshot(
            10,
            BTC,
            ((D(100), D("0.005")), (D("99.9"), D("0.003"))),
            ((D("100.2"), D("0.007")), (D("100.5"), D("0.002"))),
        ),
        Traded(15, BTC, D(100), D("0.001"), Side.SELL),
        BookSnapshot(20, BTC, ((D("100.1"), D("0.006")),), ((D("100.3"), D("0.008")), (D(101), D("0.001")))),
        BookSnapshot(30, BTC, (), ()),
        Traded(30, BTC, D("100.3"), D("0.002"), Side.BUY),
    ]
    assert isinstance(events[0], BookSnapshot) and str(events[0].bids[0][0]) == "100"
    assert list(written(tmp_path / "btc.ticks").events(BTC, 2)) == events[3:]


def test_many_rows_come_in_one_order(tmp_path: Path) -> None:
    """Rows are handed out in chunks; no trade is lost or told twice where one ends."""
    count = 10_000
    ts_ns = np.arange(1, count + 1, dtype=np.int64) * 10
    ones = np.ones(count, np.int64)
    trades = Trades(ts_ns - 5, ones, ones, np.arange(count, dtype=np.int64), ones.astype(np.int8))
    ticks = write_ticks(
        tmp_path / "t", tick=D(1), step=D(1), quotes=Quotes.top(ts_ns, ones, ones + 1, ones, ones), trades=trades
    )

    times = [event.ts_ns for event in ticks.events(BTC)]
    assert times == sorted(times) and len(times) == 2 * count


def test_bars_have_a_length(tmp_path: Path) -> None:
    """The file ends when its last bar does."""
    bars = Bars(ints(60, 120), ints(1, 2), ints(3, 3), ints(1, 2), ints(2, 3), ints(9, 0))
    ticks = write_ticks(tmp_path / "b", tick=D(1), step=D(1), bars=bars, interval_ns=60, gaps=(Gap(2, 60, 120),))

    assert (ticks.kind, ticks.rows, ticks.last_ts_ns, ticks.interval_ns) == (Kind.BARS, 2, 180, 60)
    assert ticks.bars.close.tolist() == [2, 3] and ticks.gaps == (Gap(2, 60, 120),)
    assert list(ticks.events(BTC)) == []


@pytest.mark.parametrize("grid", ["0.01", "0.25", "0.5", "1"])
def test_a_price_lies_between_its_ticks(tmp_path: Path, grid: str) -> None:
    """What a policy compares with a column never rounds the other way."""
    ticks = write_ticks(tmp_path / "t", tick=D(grid), step=D(1), quotes=three_quotes())
    for thousandths in range(1, 1200, 7):
        price = D(thousandths) / 1000
        below, above = ticks.ticks_below(price), ticks.ticks_above(price)
        assert ticks.price(below) <= price <= ticks.price(above)
        assert above - below == (0 if price % ticks.tick == 0 else 1)


def test_a_file_that_is_damaged_is_found_out(tmp_path: Path) -> None:
    """A flipped bit in a price would be believed otherwise."""
    path = written(tmp_path / "btc.ticks").path
    whole = path.read_bytes()
    offset = TickFile.open(path).header.columns[1].offset
    assert offset % 64 == 0

    path.write_bytes(whole[:offset] + bytes([whole[offset] ^ 1]) + whole[offset + 1 :])
    with pytest.raises(DataError, match=r"damaged in its column quotes\.bid"):
        TickFile.open(path).verify()
    path.write_bytes(whole[:20] + b"!" + whole[21:])
    with pytest.raises(DataError, match="has a damaged header"):
        TickFile.open(path)
    path.write_bytes(whole[:-9])
    with pytest.raises(DataError, match="is cut short"):
        TickFile.open(path)


@pytest.mark.parametrize("content", [b"", b"time,price\n", b"HRTICKS\0", b"HRTICKS\0\0\0"])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """With the file's name, and without a traceback."""
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(DataError, match="other: "):
        TickFile.open(path)


def test_a_file_that_cannot_be_read_or_written_says_so(tmp_path: Path) -> None:
    """Missing, or a folder, or in a folder that is not there."""
    with pytest.raises(DataMissing, match="cannot be read: No such file"):
        TickFile.open(tmp_path / "none")
    with pytest.raises(DataMissing, match="cannot be read: Is a directory"):
        TickFile.open(tmp_path)
    with pytest.raises(DataMissing, match="cannot be written"):
        written(tmp_path / "no" / "btc.ticks")


def test_an_interrupted_write_leaves_what_was_there(tmp_path: Path) -> None:
    """The old file is whole until the new one is."""
    path = written(tmp_path / "btc.ticks").path
    before = path.read_bytes()

    with pytest.raises(KeyboardInterrupt), new_file(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["btc.ticks"]


def test_the_digest_names_the_content(tmp_path: Path) -> None:
    """Not the name of the file, nor when it was made."""
    one, same = written(tmp_path / "one"), written(tmp_path / "two")
    other = write_ticks(tmp_path / "three", tick=D("0.1"), step=D("0.001"), quotes=three_quotes())
    assert one.digest == same.digest != other.digest
