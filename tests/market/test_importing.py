"""Market data from elsewhere as tick files: what is right is kept exactly, what is wrong is named with its row."""

from __future__ import annotations

import gzip
import importlib
import re
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow.market.exchange import SimExchange
from hedgerow.market.importing import Imported, duration_text, import_files, is_ticks
from hedgerow.market.rules import VenueRules
from hedgerow.market.sources import Recipe, found
from hedgerow.market.tape import Tape, Traded, play
from hedgerow.market.ticks import NO_ASK, NO_BID, RATE_STEP, DataError, DataMissing, Kind, TickFile
from hedgerow.model.ids import InstrumentId, VenueId
from hedgerow.model.instrument import Instrument, InstrumentKind
from tests.market.test_tape import SNAPSHOT, depth, ticker, trade, write

D = Decimal
UTC = Recipe(zone="UTC")
SHARED = Path(__file__).parents[3] / "shared" / "data"
BARS = "time,open,high,low,close,volume\n"
TRADES = "time,price,qty,side,id\n"
QUOTES = "time,bid,ask,bid_qty,ask_qty\n"


def source(folder: Path, text: str, name: str = "in.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def imported(path: Path, recipe: Recipe = UTC) -> Imported:
    return import_files([path], path.parent / "out.ticks", recipe)


def problem(path: Path, recipe: Recipe = UTC) -> str:
    """Return what is wrong with a source, as a person reads it; nothing may have been made."""
    with pytest.raises(DataError) as error:
        imported(path, recipe)
    assert not (path.parent / "out.ticks").exists()
    assert [each.name for each in path.parent.iterdir() if each.name.startswith((".", "hedgerow-"))] == []
    return str(error.value)


def test_bars_keep_their_prices_and_their_length(tmp_path: Path) -> None:
    """The tick is the power of ten that holds all prices."""
    ticks, notes = imported(
        source(tmp_path, BARS + "2022-01-01T00:00:00Z,10.0,12.25,9,11,5\n2022-01-01T00:01:00Z,11,11,10.5,10.5,0.125\n")
    )

    assert (ticks.kind, ticks.tick, ticks.step, ticks.interval_ns) == (Kind.BARS, D("0.01"), D("0.001"), 60 * 10**9)
    assert [ticks.price(number) for number in ticks.bars.high.tolist()] == [D("12.25"), D(11)]
    assert ticks.bars.volume.tolist() == [5000, 125] and notes == ()


def test_missing_bars_are_gaps(tmp_path: Path) -> None:
    """Each is named with its row, its time and how much is missing."""
    rows = [f"{1_640_995_200 + 60 * minute},1,1,1,1,1\n" for minute in (0, 1, 2, 5, 6)]
    ticks, notes = imported(source(tmp_path, BARS + "".join(rows)))

    (gap,) = ticks.gaps
    assert (gap.row, gap.to_ts_ns - gap.from_ts_ns) == (4, 180 * 10**9)
    assert notes == (f"{tmp_path}/in.csv:5: 2 bars missing before it, from 2022-01-01T00:02:00Z",)


def test_trades_alone_make_quotes(tmp_path: Path) -> None:
    """The last price bought at is the ask, the last sold at the bid, and the reader is told."""
    text = TRADES + "1640995200000,10,1,buy,1\n1640995200001,9.8,2,sell,2\n1640995200002,9.7,3,buy,3\n"
    ticks, notes = imported(source(tmp_path, text))

    assert ticks.header.is_derived and any("made from the trades" in note for note in notes)
    assert ticks.tick == D("0.1")
    assert ticks.quotes.bid.tolist() == [99, 98, 96] and ticks.quotes.ask.tolist() == [100, 100, 97]
    assert ticks.trades.side.tolist() == [1, -1, 1] and ticks.trades.row.tolist() == [0, 1, 2]


def test_quotes_and_trades_of_two_files_become_one_market(tmp_path: Path) -> None:
    """At the same time the trade comes before the quote that it made."""
    quotes = source(tmp_path, QUOTES + "1640995200000,9,10,1,1\n1640995200005,8,10,1,1\n", "q.csv")
    trades = source(tmp_path, TRADES + "1640995200005,9,1,sell,7\n1640995200009,8,1,sell,8\n", "t.csv")

    ticks, _ = import_files([quotes, trades], tmp_path / "out.ticks", UTC)

    assert ticks.trades.row.tolist() == [1, 2]
    assert [type(event).__name__ for event in ticks.events(InstrumentId("x:y"))] == [
        "BookSnapshot",
        "Traded",
        "BookSnapshot",
        "Traded",
    ]


def test_an_empty_side_of_a_quote_is_nobody(tmp_path: Path) -> None:
    """Below every price, or above every price, so that comparing needs no exception."""
    ticks, _ = imported(source(tmp_path, QUOTES + "1640995200000,,10,,1\n1640995200001,9,10,1,0\n"))

    assert ticks.quotes.bid.tolist() == [NO_BID, 9] and ticks.quotes.ask.tolist() == [10, NO_ASK]


def test_deeper_levels_of_known_layouts_are_kept(tmp_path: Path) -> None:
    """As far as they are there and asked for."""
    levels = [
        f"{side}[{level}].{what}" for level in (0, 1) for side in ("asks", "bids") for what in ("price", "amount")
    ]
    head = f"timestamp,{','.join(levels)}\n"
    rows = "1640995200000000,10,1,9,2,11,3,8,4\n1640995200000001,10,1,9,2,11,3,,\n"
    ticks, _ = imported(source(tmp_path, head + rows), Recipe(depth=3))

    assert ticks.levels(0) == (((D(9), D(2)), (D(8), D(4))), ((D(10), D(1)), (D(11), D(3))))
    assert ticks.levels(1)[0] == ((D(9), D(2)),)


def test_several_days_are_put_in_order(tmp_path: Path) -> None:
    """By their first times, not by their names; a folder stands for what is in it."""
    source(tmp_path, BARS + "1641081600,2,2,2,2,1\n1641081660,2,2,2,2,1\n", "a.csv")
    packed = tmp_path / "b.csv.gz"
    packed.write_bytes(gzip.compress((BARS + "1640995200,1,1,1,1,1\n1640995260,1,1,1,1,1\n").encode()))
    source(tmp_path, "not for us", "readme.md")

    for sources in ([tmp_path], [tmp_path / "*.csv*"]):
        ticks, notes = import_files(sources, tmp_path / "out.ticks", UTC)
        assert ticks.bars.close.tolist() == [1, 1, 2, 2]
        assert ticks.header.sources == ("b.csv.gz", "a.csv")
        assert len(notes) == 1 and "1,438 bars missing" in notes[0]
        ticks.path.unlink()


def test_frames_become_what_a_live_node_would_see(tmp_path: Path) -> None:
    """The book after each frame, of the same exchange that a tape is played to."""
    path = write(
        tmp_path,
        ticker(99, "1@99", "1@101.5"),
        SNAPSHOT,
        ticker(105, "4@98.50", "5@102.00"),
        trade("0.5", "98.5", buyer_is_maker=True),
        depth(101, 106, "7@98.25", "6@103"),
    )
    ticks, notes = imported(path, Recipe(venue="x", symbol="BTC", depth=2))

    assert (ticks.rows, ticks.trade_rows, ticks.tick, ticks.step, notes) == (4, 1, D("0.01"), D("0.1"), ())
    assert ticks.levels(3) == (((D("98.5"), D(4)), (D("98.25"), D(7))), ((D(102), D(5)), (D(103), D(6))))
    assert ticks.trades.row.tolist() == [3] and ticks.trades.side.tolist() == [-1]


@pytest.mark.parametrize(
    ("frames", "times", "words"),
    [
        ([depth(1, 2, "1@9")], (1000,), "shows no price: it has depth updates and no snapshot"),
        ([SNAPSHOT, depth(95, 101, "5@98.00000000001")], (1000, 1001), "tape.frames:2: has a number where at most 10"),
        ([SNAPSHOT, ticker(101, "1@98", "1@99")], (1000, 10**22), "tape.frames:2: has the receive time 1000"),
    ],
)
def test_frames_that_cannot_be_kept_are_told(
    tmp_path: Path, frames: list[str], times: tuple[int, ...], words: str
) -> None:
    """With their line, as everything else."""
    assert words in problem(write(tmp_path, *frames, times=times))


def test_a_name_decides_nothing_that_the_content_says(tmp_path: Path) -> None:
    """Names of columns with and without underscores and capitals; a semicolon; a byte order mark."""
    head = "\ufeffTransact_Time;Price;Quantity;Is_Buyer_Maker;Agg_Trade_Id\n"
    ticks, _ = imported(source(tmp_path, head + "1640995200000;10;1;True;1\n1640995200001;11;1;false;2\n"))

    assert ticks.trades.side.tolist() == [-1, 1]


def test_a_file_without_a_head_is_told_by_places(tmp_path: Path) -> None:
    """Archives of some venues have none."""
    path = source(tmp_path, "7,10,1,1640995200000,buy\n8,11,1,1640995200001,sell\n")
    assert "in.csv:1: has no head; say which column is what" in problem(path)

    places = {"id": "1", "price": "2", "qty": "3", "time": "4", "side": "5"}
    assert imported(path, Recipe(columns=places)).ticks.trades.price.tolist() == [10, 11]


def test_one_symbol_is_taken_out_of_several(tmp_path: Path) -> None:
    """Two instruments in one series would look like a market that jumps."""
    path = source(tmp_path, "time,symbol,price,qty\n1640995200,A,1,1\n1640995201,B,9,1\n1640995202,A,2,1\n")

    assert "in.csv:3: is of 'B', those before of 'A'; add --symbol" in problem(path)
    assert imported(path, Recipe(symbol="A")).ticks.trades.price.tolist() == [1, 2]


def test_the_grid_may_be_told(tmp_path: Path) -> None:
    """Then each number must lie on it."""
    path = source(tmp_path, QUOTES + "1640995200,9.5,10,1,1\n1640995201,9.25,10,1,1\n")

    assert imported(path, Recipe(tick=D("0.25"))).ticks.quotes.bid.tolist() == [38, 37]
    (tmp_path / "out.ticks").unlink()
    assert "in.csv:3: has a price of 9.25, which is no multiple of 0.5" in problem(path, Recipe(tick=D("0.5")))


def test_quotes_without_qtys_need_one(tmp_path: Path) -> None:
    """How much a market shows decides what fills; it is not made up."""
    path = source(tmp_path, "time,bid,ask\n1640995200,9,10\n1640995201,9,10\n")

    assert "has no column for bid_qty; name it with --columns bid_qty=NAME, or say with --qty" in problem(path)
    assert imported(path, Recipe(qty=D(3))).ticks.quotes.bid_qty.tolist() == [3, 3]


@given(
    st.lists(
        st.tuples(
            st.decimals("0.0000000001", "400000000", places=10, allow_nan=False),
            st.decimals("0.00000001", "40000000000", places=8, allow_nan=False),
        ),
        min_size=2,
        max_size=5,
    )
)
@settings(max_examples=10, deadline=None)
def test_no_digit_is_lost(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Decimal, Decimal]]) -> None:
    """Whatever the grid of a market is, a price and a qty come out as they went in."""
    folder = tmp_path_factory.mktemp("exact")
    lines = [f"{1_640_995_200 + second},{price:f},{qty:f}\n" for second, (price, qty) in enumerate(rows)]
    ticks, _ = imported(source(folder, "time,price,qty\n" + "".join(lines)))

    prices, qtys = ticks.trades.price.tolist(), ticks.trades.qty.tolist()
    assert [(ticks.price(price), ticks.qty(qty)) for price, qty in zip(prices, qtys, strict=True)] == rows


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        (BARS, "has no rows under its head"),
        (BARS + "1640995200,1,1,1,1,1\n", "would have 1 row; data needs at least two"),
        ("time,open,high,low\n1,1,1,1\n", "looks like bars and has no column for close; it has time, open, high, low"),
        ("when,bid,ask\n1,1,1\n", "looks like quotes and has no column for time"),
        (BARS + "1640995200,1,1,1,1\n", "in.csv:2: has 5 columns in this row instead of 6"),
        (BARS + "1640995200,1,1,1,x,1\n", "in.csv:2: has 'x' as close, where a number must be"),
        (BARS + "1640995200,1,1,1,,1\n", "in.csv:2: has nothing as close"),
        (BARS + "1640995200,1,1,1,nan,1\n", "in.csv:2: has 'nan' as close"),
        (BARS + "1640995200,1,1,1,-1,1\n", "in.csv:2: has '-1' as close"),
        (BARS + "1640995200,1,1,1,0,1\n", "in.csv:2: has a close of 0"),
        (BARS + "1640995200,1,1,1,1.00000000001,1\n", "at most 10 decimals can be kept"),
        (BARS + "1640995200,1,1,1,99999999999,1\n", "where a smaller number must be"),
        (BARS + "1640995200,2,1,1,1,1\n", "in.csv:2: has a high or low that does not hold its other prices"),
        (BARS + "yesterday,1,1,1,1,1\n", "in.csv:2: has 'yesterday' where a time must be"),
        (
            BARS + "".join(f"{1640995200 + at},1,1,1,1,1\n" for at in (0, 60, 120, 150)),
            "in.csv:5: has a bar that begins 30 s after the one before, which is no whole number of bars of 1 min",
        ),
        (QUOTES + "1640995200,11,10,1,1\n", "in.csv:2: has a bid of 11 above its ask of 10"),
        (TRADES + "1640995200,11,10,up,1\n", "in.csv:2: has 'up' as side"),
        (TRADES + "1640995200,1,1,buy,1\n1640995200000,1,1,buy,2\n", "in.csv:3: has its time in ms"),
        ("PK\x03\x04 and more\n", "is a zip archive; unpack it first"),
        ('time,price,qty\n1640995200,"1,1\n', "is not CSV after this row"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, text: str, words: str) -> None:
    """What, where, and nothing is made."""
    assert words in problem(source(tmp_path, text))


def test_disorder_and_repeats_are_counted_and_left_out_only_when_asked(tmp_path: Path) -> None:
    """The first rows of each are named, so that they can be looked at."""
    rows = [(0, 1), (1, 2), (1, 2), (5, 3), (4, 4), (2, 5), (6, 6)]
    text = TRADES + "".join(f"{1640995200 + second},1,1,buy,{number}\n" for second, number in rows)
    path = source(tmp_path, text)

    told = problem(path)
    assert "goes back in time at rows 6, 7 and repeats the row before at row 4" in told
    assert "leave such rows out with --mend" in told
    ticks, notes = imported(path, Recipe(mend=True))
    assert ticks.trade_rows == 4 and "left out 3 rows" in notes[0]


def test_bars_that_repeat_a_time_are_told(tmp_path: Path) -> None:
    """Two bars of one minute cannot both be right."""
    path = source(tmp_path, BARS + "1640995200,1,1,1,1,1\n1640995260,1,1,1,1,1\n1640995260,2,2,2,2,1\n")
    assert "repeats the row before at row 4" in problem(path)


def test_a_file_that_runs_backwards_is_told_as_one_thing(tmp_path: Path) -> None:
    """Many sites give the newest row first."""
    text = BARS + "".join(f"{1640995200 - 60 * minute},1,1,1,1,1\n" for minute in range(9))
    assert problem(source(tmp_path, text)).endswith("runs backwards, newest first; sort it by time, oldest first")


def test_days_that_overlap_are_disorder(tmp_path: Path) -> None:
    """The second file begins before the first one ends."""
    one = source(tmp_path, BARS + "1640995200,1,1,1,1,1\n1640995320,1,1,1,1,1\n", "a.csv")
    two = source(tmp_path, BARS + "1640995260,1,1,1,1,1\n1640995380,1,1,1,1,1\n", "b.csv")
    with pytest.raises(DataError, match=r"b\.csv: goes back in time at row 2"):
        import_files([one, two], tmp_path / "out.ticks", UTC)


def test_cut_and_broken_gzip_say_after_which_row(tmp_path: Path) -> None:
    """A download that broke off must not become a short day."""
    rows = "".join(f"{1640995200 + 60 * minute},{minute * 7919 % 9973 + 1},9999,1,2,1\n" for minute in range(9000))
    whole = gzip.compress((BARS + rows).encode())
    path = tmp_path / "in.csv.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"in\.csv\.gz:\d+: breaks off after this row: the gzip data is cut short"):
        imported(path)
    path.write_bytes(whole[:-8] + bytes(8))
    with pytest.raises(DataError, match="has broken gzip data after this row"):
        imported(path)
    path.write_bytes(whole[:3])
    with pytest.raises(DataError, match="is cut short"):
        imported(path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    """A picture is not CSV."""
    path = tmp_path / "in.csv"
    path.write_bytes(b"time,price,qty\n1640995200,1,\xff\xfe\n")
    assert "in.csv: is not text; expected CSV" in problem(path)
    path.write_bytes(b"time,price,qty\n" + b"1640995200,1,1\n" * 9000 + b"\xff\xfe\n")
    assert re.search(r"in\.csv:\d+: is not text after this row", problem(path))


def test_sources_that_name_nothing_are_told(tmp_path: Path) -> None:
    """Missing files, patterns without a match, folders without data."""
    for name, words in (("none.csv", "cannot be read"), ("none*", "matches no file"), ("", "has no file that ends in")):
        with pytest.raises(DataMissing, match=words):
            import_files([tmp_path / name], tmp_path / "out.ticks", UTC)
    assert found([source(tmp_path, "x")] * 2) == (tmp_path / "in.csv",)


def test_kinds_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    """Bars beside trades would be two clocks in one file."""
    bars = source(tmp_path, BARS + "1640995200,1,1,1,1,1\n", "b.csv")
    trades = source(tmp_path, TRADES + "1640995200,1,1,buy,1\n", "t.csv")
    with pytest.raises(DataError, match="cannot hold bars and trades together"):
        import_files([bars, trades], tmp_path / "out.ticks", UTC)


def test_a_tick_file_is_not_imported_again(tmp_path: Path) -> None:
    """It is one already, and what is there stays."""
    ticks, _ = imported(source(tmp_path, QUOTES + "1640995200,9,10,1,1\n1640995201,9,10,1,1\n"))
    assert is_ticks(ticks.path) and not is_ticks(tmp_path / "in.csv")
    with pytest.raises(DataError, match="is a tick file already"):
        import_files([ticks.path], tmp_path / "again.ticks", UTC)


@pytest.mark.slow
def test_parquet_is_read_like_csv(tmp_path: Path) -> None:
    """Binary fractions by their shortest text, times with and without a zone, and damage in one line."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = importlib.import_module("pyarrow.parquet")
    path = tmp_path / "in.parquet"
    times = pyarrow.array([1_640_995_200_000_000, 1_640_995_200_000_001], pyarrow.timestamp("us", tz="UTC"))
    columns = {"ts": times, "price": pyarrow.array([0.1, 0.3]), "size": pyarrow.array([1, 2])}
    parquet.write_table(pyarrow.table(columns), path)

    ticks, _ = imported(path, Recipe())
    assert (ticks.tick, ticks.trades.price.tolist(), ticks.first_ts_ns) == (D("0.1"), [1, 3], 1_640_995_200 * 10**9)

    (tmp_path / "out.ticks").unlink()
    parquet.write_table(pyarrow.table(columns | {"ts": times.cast(pyarrow.timestamp("us"))}), path)
    assert "in.parquet:1: has the time '2022-01-01T00:00:00.000000000' without a zone" in problem(path, Recipe())
    path.write_bytes(path.read_bytes()[:-20])
    assert "is a damaged Parquet file" in problem(path)


def test_parquet_without_its_reader_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra; nothing else needs it."""

    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    assert "pyarrow, which reads it, is not installed" in problem(source(tmp_path, "PAR1 and more", "in.parquet"))


def test_progress_ends_where_the_file_does(tmp_path: Path) -> None:
    """Bytes read, bytes in all, rows so far."""
    path = source(tmp_path, BARS + "".join(f"{1640995200 + 60 * minute},1,1,1,1,1\n" for minute in range(5000)))
    told: list[tuple[int, int, int]] = []
    import_files([path], tmp_path / "out.ticks", UTC, lambda *numbers: told.append(numbers))

    size = path.stat().st_size
    assert told[-1] == (size, size, 5000) and len(told) == 3
    assert told == sorted(told)


def test_lengths_of_time_are_told_in_two_parts() -> None:
    """Enough to judge a gap by."""
    texts = [duration_text(ns) for ns in (5 * 10**5, 60 * 10**9, 9_000 * 10**9, 90_061 * 10**9)]
    assert texts == ["0.5 ms", "1 min", "2 h 30 min", "1 d 1 h"]


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="the recorded data is not beside this checkout")
@pytest.mark.parametrize("venue", ["spot", "usdm"])
def test_a_recorded_market_is_kept_level_by_level(tmp_path: Path, venue: str) -> None:
    """Every row says what an exchange shows that the same tape is played to."""
    (path,) = SHARED.glob(f"binance-{venue}-*.frames.gz")
    ticks: TickFile = import_files([path], tmp_path / "out.ticks", Recipe(depth=5)).ticks
    ticks.verify()

    symbol = InstrumentId("x:BTC")
    rules = Instrument(symbol, VenueId("x"), InstrumentKind.PERP, "BTC", "USDT", D("0.01"), D(1), D(1))
    exchange = SimExchange(VenueId("x"), [rules], VenueRules(), 1)
    row = trades = 0
    for event in Tape(path, symbol):
        play(event, exchange)
        if isinstance(event, Traded):
            assert ticks.price(int(ticks.trades.price[trades])) == event.price
            assert ticks.trades.row[trades] == row
            trades += 1
            continue
        if row % 97 == 0:
            quote = exchange.quote(symbol, 5)
            assert ticks.levels(row) == (quote.bids, quote.asks)
        row += 1
    assert (row, trades) == (ticks.rows, ticks.trade_rows)
    assert np.all(np.diff(ticks.quotes.ts_ns) >= 0)


def told(ticks: TickFile) -> list[tuple[int, Decimal, int]]:
    """Return (when it was told, rate, when it is paid) of the funding, in s from 2022 on."""
    start_ns = 1_640_995_200 * 10**9
    columns = (ticks.funding.ts_ns.tolist(), ticks.funding.rate.tolist(), ticks.funding.due_ns.tolist())
    return [
        ((ts - start_ns) // 10**9, rate * RATE_STEP, (due - start_ns) // 10**9)
        for ts, rate, due in zip(*columns, strict=True)
    ]


PAID_BARS = "time,open,high,low,close,funding\n"


def test_funding_of_bars_is_paid_at_its_row(tmp_path: Path) -> None:
    """An empty cell tells of none, and the file says for how many times there is some."""
    rows = [
        f"2022-01-01T{hour}:00:00Z,1,1,1,1,{rate}\n" for hour, rate in (("00", "0.0001"), ("08", ""), ("16", "-3e-5"))
    ]
    ticks, notes = imported(source(tmp_path, PAID_BARS + "".join(rows)))

    assert told(ticks) == [(0, D("0.0001"), 0), (57_600, D("-0.00003"), 57_600)]
    assert notes == ("funding is told for 2 times",)


def test_funding_comes_from_a_file_of_its_own(tmp_path: Path) -> None:
    """A venue's list of what was paid is imported together with prices, also with the names that Binance gives it."""
    bars = source(tmp_path, BARS + "1640995200000,1,1,1,1,5\n1640998800000,1,1,1,1,5\n")
    paid = source(tmp_path, "calc_time,funding_interval_hours,last_funding_rate\n1640995200003,8,0.0001\n", "paid.csv")

    ticks, _ = import_files([bars, paid], tmp_path / "out.ticks", UTC)

    assert (ticks.rows, told(ticks)) == (2, [(0, D("0.0001"), 0)])
    with pytest.raises(DataError, match="would have funding alone; import it together with prices"):
        import_files([paid], tmp_path / "other.ticks", UTC)


def test_a_rate_in_each_row_needs_the_time_at_which_it_is_paid(tmp_path: Path) -> None:
    """Otherwise it would be paid with each row; with `funding_time`, what changes is kept as it was told."""
    head = "time,bid,ask,bid_qty,ask_qty,funding_rate,funding_timestamp\n"
    rows = "".join(
        f"{1_640_995_200 + at},10,11,1,1,{rate},1640995260\n" for at, rate in ((0, "1e-4"), (1, "1e-4"), (2, "2e-4"))
    )

    ticks, _ = imported(source(tmp_path, head + rows))
    assert told(ticks) == [(0, D("0.0001"), 60), (2, D("0.0002"), 60)]

    (tmp_path / "out.ticks").unlink()
    untold = source(tmp_path, (head + rows).replace("funding_timestamp", "other"))
    said = problem(untold)
    assert said.endswith(
        "in.csv:3: has a funding 1 s after that of row 2, where venues pay once an hour at most; leave the cells"
        " between empty, or name the column that says when it is paid: funding_time"
    )


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("5", "has '5' as funding, where a part of the notional must be: 0.0001 is 1 bp"),
        ("nan", "has 'nan' as funding, where a part of the notional must be: 0.0001 is 1 bp"),
        ("x", "has 'x' as funding, where a part of the notional must be: 0.0001 is 1 bp"),
    ],
)
def test_a_rate_that_no_venue_pays_is_named_with_its_row(cell: str, said: str, tmp_path: Path) -> None:
    """A percentage read as a rate would be a fortune."""
    rows = f"2022-01-01T00:00:00Z,1,1,1,1,\n2022-01-01T08:00:00Z,1,1,1,1,{cell}\n"

    assert problem(source(tmp_path, PAID_BARS + rows)).endswith(f"in.csv:3: {said}")


def test_funding_is_not_paid_before_it_is_told(tmp_path: Path) -> None:
    """A time before the row's own is another column's, or another unit's."""
    head = "time,open,high,low,close,funding,funding_time\n"
    rows = "1640995200,1,1,1,1,1e-4,1640995199\n1640998800,1,1,1,1,,\n"

    assert "in.csv:2: has the funding_time 1640995199, which is before the row's own time" in problem(
        source(tmp_path, head + rows)
    )


def test_mark_price_frames_tell_of_funding(tmp_path: Path) -> None:
    """Recorded with the receive time at which the rate was seen, once for each change of it."""
    start_ns = 1_640_995_200 * 10**9

    def mark(at_s: int, rate: str) -> str:
        due_ms = (1_640_995_200 + 3_600) * 1_000
        body = f'{{"e":"markPriceUpdate","E":1,"s":"BTCUSDT","p":"10.5","i":"10","P":"10","r":"{rate}","T":{due_ms}}}'
        return f'{start_ns + at_s * 10**9} {{"stream":"btcusdt@markPrice","data":{body}}}\n'

    def top(at_s: int, number: int) -> str:
        body = f'{{"u":{number},"s":"BTCUSDT","b":"10","B":"1","a":"11","A":"1"}}'
        return f'{start_ns + at_s * 10**9} {{"stream":"btcusdt@bookTicker","data":{body}}}\n'

    lines = [mark(0, "0.0001"), top(1, 1), mark(2, "0.0001"), mark(3, "0.00012"), top(4, 2), mark(5, ""), top(6, 3)]
    ticks, _ = imported(source(tmp_path, "".join(lines), "in.frames"))

    assert told(ticks) == [(0, D("0.0001"), 3_600), (3, D("0.00012"), 3_600)]


def test_a_file_without_funding_is_as_it_always_was(tmp_path: Path) -> None:
    """The table is an addition: files from before it open, and one that has none has no column of it."""
    ticks, _ = imported(source(tmp_path, BARS + "1640995200,1,1,1,1,5\n1640995260,1,1,1,1,5\n"))

    assert not [column.name for column in ticks.header.columns if column.name.startswith("funding")]
    assert len(ticks.funding.ts_ns) == 0
