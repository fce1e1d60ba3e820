"""Recorded frames as market events."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path

import pytest

from hedgerow.market.exchange import SimExchange
from hedgerow.market.rules import VenueRules
from hedgerow.market.tape import (
    BookSnapshot,
    LevelsUpdated,
    MarketEvent,
    Tape,
    TapeError,
    TopUpdated,
    Traded,
    merge,
    play,
)
from hedgerow.model.ids import InstrumentId, VenueId
from hedgerow.model.instrument import Instrument, InstrumentKind
from hedgerow.model.order import Side
from tests.market.desk import levels

D = Decimal
BTC = InstrumentId("x:BTCUSDT")
SHARED = Path(__file__).parents[3] / "shared" / "data"


def stream(name: str, data: str) -> str:
    return f'{{"stream":"btcusdt@{name}","data":{data}}}'


def depth(first: int, last: int, bids: str = "", asks: str = "", previous: int | None = None) -> str:
    def rows(text: str) -> str:
        return ",".join(f'["{price}","{qty}"]' for qty, price in (pair.split("@") for pair in text.split()))

    extra = "" if previous is None else f'"pu":{previous},'
    data = (
        f'{{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":{first},"u":{last},{extra}"b":[{rows(bids)}],"a":[{rows(asks)}]}}'
    )
    return stream("depth@100ms", data)


def ticker(update: int, bid: str, ask: str) -> str:
    (bid_qty, bid_price), (ask_qty, ask_price) = bid.split("@"), ask.split("@")
    data = f'"u":{update},"s":"BTCUSDT","b":"{bid_price}","B":"{bid_qty}","a":"{ask_price}","A":"{ask_qty}"'
    return stream("bookTicker", "{" + data + "}")


def trade(qty: str, price: str, *, buyer_is_maker: bool, more: str = "") -> str:
    maker = "true" if buyer_is_maker else "false"
    data = f'"e":"trade","E":1,"s":"BTCUSDT","t":7,"p":"{price}","q":"{qty}","T":1,"m":{maker}{more}'
    return stream("trade", "{" + data + "}")


SNAPSHOT = '{"lastUpdateId":100,"bids":[["99.00","1.000"],["98.00","2.000"]],"asks":[["101.00","1.000"]]}'


def write(folder: Path, *frames: str, times: tuple[int, ...] = (), name: str = "tape.frames") -> Path:
    stamps = times or tuple(range(1000, 1000 + len(frames)))
    path = folder / name
    path.write_text("".join(f"{stamp} {frame}\n" for stamp, frame in zip(stamps, frames, strict=True)))
    return path


def events(path: Path) -> list[MarketEvent]:
    return list(Tape(path, BTC))


def problem(path: Path) -> str:
    """Return what is wrong with a tape, as a person reads it."""
    with pytest.raises(TapeError) as error:
        events(path)
    return str(error.value)


def exchange() -> SimExchange:
    instrument = Instrument(
        BTC, VenueId("x"), InstrumentKind.SPOT, "BTC", "USDT", D("0.01"), D("0.00001"), D("0.00001")
    )
    return SimExchange(VenueId("x"), [instrument], VenueRules(), 1)


def test_depth_waits_for_the_snapshot_and_follows_it(tmp_path: Path) -> None:
    """Updates that end before the snapshot are in it already; the one that spans it is the first to count."""
    path = write(
        tmp_path,
        depth(90, 95, "9@97"),
        depth(96, 103, "3@98"),
        SNAPSHOT,
        depth(104, 104, "0@99"),
    )
    snapshot, spanning, following = events(path)
    assert isinstance(snapshot, BookSnapshot) and snapshot.bids == levels("1@99 2@98")
    assert isinstance(spanning, LevelsUpdated) and spanning.bids == levels("3@98")
    assert (spanning.ts_ns, following.ts_ns) == (1002, 1003)


def test_the_snapshot_may_be_the_first_frame(tmp_path: Path) -> None:
    """The first update after it may begin before it."""
    path = write(tmp_path, SNAPSHOT, depth(80, 90, "9@97"), depth(95, 101, "5@98"), depth(102, 102, "6@98"))
    assert [type(event) for event in events(path)] == [BookSnapshot, LevelsUpdated, LevelsUpdated]


def test_futures_depth_follows_by_its_previous_id(tmp_path: Path) -> None:
    """USD-M update ids have gaps; `pu` is the last `u`."""
    path = write(tmp_path, SNAPSHOT, depth(95, 105, "5@98", previous=90), depth(300, 310, "6@98", previous=105))
    assert len(events(path)) == 3
    broken = write(tmp_path, SNAPSHOT, depth(95, 105, "5@98", previous=90), depth(106, 110, "6@98", previous=104))
    assert "tape.frames:3: begins at depth update 106, and those after 105 are missing" in problem(broken)


def test_missing_and_repeated_depth_is_disorder(tmp_path: Path) -> None:
    """A book with a hole in it looks right and is wrong, so the tape ends there."""
    gap = write(tmp_path, SNAPSHOT, depth(95, 101, "5@98"), depth(103, 104, "6@98"))
    assert "tape.frames:3: begins at depth update 103, and those after 101 are missing" in problem(gap)
    again = write(tmp_path, SNAPSHOT, depth(95, 101, "5@98"), depth(95, 101, "5@98"))
    assert "repeats depth update 101" in problem(again)
    late = write(tmp_path, SNAPSHOT, depth(105, 106, "5@98"))
    assert "those after 100 are missing" in problem(late)


def test_a_ticker_refines_the_top_of_the_book(tmp_path: Path) -> None:
    """It is newer than the last depth, so nothing better than it is left."""
    path = write(tmp_path, SNAPSHOT, ticker(105, "4@98.50", "5@102.00"))
    venue = exchange()
    for event in events(path):
        play(event, venue)
    quote = venue.quote(BTC, 5)
    assert (quote.bids, quote.asks) == (levels("4@98.5 2@98"), levels("5@102"))


def test_depth_that_is_older_than_the_top_changes_only_what_is_behind_it(tmp_path: Path) -> None:
    """A level that the market has left would otherwise trade with orders that rest there now."""
    path = write(
        tmp_path,
        SNAPSHOT,
        ticker(105, "4@98.50", "5@102.00"),
        depth(101, 103, "7@99 8@98.50 9@98", "1@100.50 6@103"),
    )
    _, _, update = events(path)
    assert isinstance(update, LevelsUpdated)
    assert (update.bids, update.asks) == (levels("9@98"), levels("6@103"))


def test_a_ticker_that_the_depth_has_passed_is_skipped(tmp_path: Path) -> None:
    """So is one that comes twice."""
    path = write(tmp_path, SNAPSHOT, ticker(99, "4@98.50", "5@102"), ticker(99, "4@98.50", "5@102"))
    assert len(events(path)) == 1


def test_before_the_snapshot_the_top_is_the_whole_book(tmp_path: Path) -> None:
    """Levels behind an old top are not known to be there."""
    path = write(
        tmp_path, ticker(80, "1@99", "1@100"), ticker(81, "2@97", "1@100"), SNAPSHOT, ticker(102, "1@98", "1@99")
    )
    _, second, snapshot, top = events(path)
    assert isinstance(second, BookSnapshot) and second.bids == levels("2@97")
    assert isinstance(snapshot, BookSnapshot) and isinstance(top, TopUpdated)


def test_a_snapshot_older_than_the_top_is_overlaid_with_it(tmp_path: Path) -> None:
    """The recorder asked for it before the market moved on."""
    path = write(tmp_path, ticker(104, "3@98.50", "2@101"), SNAPSHOT)
    _, snapshot = events(path)
    assert isinstance(snapshot, BookSnapshot)
    assert (snapshot.bids, snapshot.asks) == (levels("3@98.5 2@98"), levels("2@101"))


def test_a_trade_names_its_aggressor(tmp_path: Path) -> None:
    """`m` says that the buyer was resting, so the seller took."""
    path = write(tmp_path, trade("0.5", "99.10000000", buyer_is_maker=True), trade("1", "100", buyer_is_maker=False))
    first, second = events(path)
    assert first == Traded(1000, BTC, D("99.1"), D("0.5"), Side.SELL)
    assert str(first.price) == "99.1"
    assert second == Traded(1001, BTC, D(100), D(1), Side.BUY)


def test_what_was_not_traded_in_the_market_is_left_out(tmp_path: Path) -> None:
    """USD-M's trade stream also carries the insurance fund; frames of other streams are passed over."""
    path = write(
        tmp_path,
        trade("1", "99", buyer_is_maker=True, more=',"X":"INSURANCE_FUND"'),
        stream("aggTrade", '{"e":"aggTrade","a":5,"p":"1","q":"1","m":true}'),
        '{"result":null,"id":1}',
        trade("1", "98", buyer_is_maker=True, more=',"b":123,"a":456'),
    )
    (event,) = events(path)
    assert isinstance(event, Traded) and event.price == 98


def test_a_bare_frame_is_read_like_one_in_an_envelope(tmp_path: Path) -> None:
    """Single-stream connections have no envelope."""
    path = write(tmp_path, '{"e":"trade","p":"99","q":"1","m":true}')
    assert len(events(path)) == 1


def test_gzip_and_plain_files_read_alike(tmp_path: Path) -> None:
    """The content decides, not the name; and a tape can be read again."""
    plain = write(tmp_path, SNAPSHOT, ticker(105, "4@98.50", "5@102.00"))
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    tape = Tape(packed, BTC)
    assert list(tape) == list(tape) == events(plain)


def test_tapes_are_merged_by_receive_time(tmp_path: Path) -> None:
    """At the same time, the tape that was named first comes first."""
    other = InstrumentId("y:BTCUSDT")
    one = write(tmp_path, *[trade("1", "99", buyer_is_maker=True)] * 3, times=(1, 3, 5))
    two = write(tmp_path, *[trade("1", "98", buyer_is_maker=True)] * 3, times=(2, 3, 9), name="two.frames")
    merged = list(merge([Tape(one, BTC), Tape(two, other)]))
    assert [(event.ts_ns, event.instrument_id) for event in merged] == [
        (1, BTC),
        (2, other),
        (3, BTC),
        (3, other),
        (5, BTC),
        (9, other),
    ]


def test_an_unreadable_tape_says_why_at_once(tmp_path: Path) -> None:
    """Before anything runs: missing, a folder, empty, or something else than frames."""
    for path, words in (
        (tmp_path / "none", "cannot be read: No such file"),
        (tmp_path, "cannot be read: Is a directory"),
    ):
        with pytest.raises(TapeError, match=words):
            Tape(path, BTC)
    other = tmp_path / "other.csv"
    other.write_text("")
    with pytest.raises(TapeError, match="is empty"):
        Tape(other, BTC)
    other.write_text("time,open,close\n1,2,3\n")
    with pytest.raises(TapeError, match=r"other\.csv:1: is not a frames file"):
        Tape(other, BTC)
    other.write_bytes(gzip.compress(b"x")[:6])
    with pytest.raises(TapeError, match="cut short"):
        Tape(other, BTC)


def test_a_tape_that_breaks_off_says_where(tmp_path: Path) -> None:
    """What was read before the break has been played; the error names the line after which it broke."""
    frames = [depth(101 + number, 101 + number, f"{number}.5@98") for number in range(500)]
    whole = gzip.compress(write(tmp_path, SNAPSHOT, *frames).read_bytes())
    cut = tmp_path / "cut.gz"
    cut.write_bytes(whole[: len(whole) // 2])
    assert "the gzip data is cut short" in problem(cut)
    broken = bytearray(whole)
    broken[len(whole) // 2] ^= 0xFF
    cut.write_bytes(bytes(broken))
    assert "cut.gz" in problem(cut)
    plain = write(tmp_path, SNAPSHOT, SNAPSHOT[:40])
    assert "tape.frames:2: has a frame that cannot be read" in problem(plain)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("hello", "does not begin with a receive time"),
        ("1001 {}{}", "has a frame that cannot be read"),
        ("1001 [1,2]", "has a frame that cannot be read"),
        ("999 {}", "goes back in time, from 1000 to 999"),
        ("1001 " + trade("1", "dear", buyer_is_maker=True), "has a price or quantity that is not a number"),
        ("1001 " + trade("-1", "99", buyer_is_maker=True), "has a price or quantity that is not a number"),
        ("1001 " + trade("NaN", "99", buyer_is_maker=True), "has a price or quantity that is not a number"),
        ('1001 {"e":"depthUpdate","U":101,"u":101,"b":"1","a":[]}', "has a price or quantity that is not a number"),
        (
            '1001 {"e":"bookTicker","u":200,"b":[],"B":"1","a":"1","A":"1"}',
            "has a price or quantity that is not a number",
        ),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, words: str) -> None:
    """File, line and what is wrong with it."""
    path = write(tmp_path, SNAPSHOT)
    path.write_text(path.read_text() + line + "\n")
    assert problem(path).startswith(f"{path}:2: ")
    assert words in problem(path)


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    """A flipped byte inside a frame is an error of its line, not a crash."""
    path = write(tmp_path, SNAPSHOT)
    path.write_bytes(path.read_bytes() + b'1001 {"e":"\xff\xfe"}\n')
    assert "tape.frames:2: has a frame that cannot be read" in problem(path)


def test_a_file_of_other_frames_is_no_tape(tmp_path: Path) -> None:
    """Nothing in it would ever move the market."""
    assert "ends without" in problem(write(tmp_path, '{"e":"kline","k":{}}'))


@pytest.mark.parametrize(
    ("name", "tick"),
    [("binance-spot-btcusdt-20240808.frames.gz", "0.01"), ("binance-usdm-btcusdt-20240808.frames.gz", "0.1")],
)
def test_the_recorded_markets_make_a_sound_book(name: str, tick: str) -> None:
    """From the snapshot on, the book is never crossed and its top is what the venue's own ticker says."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{path.name} is not in ../shared/data")
    venue = exchange()
    tops = 0
    for number, event in enumerate(Tape(path, BTC)):
        if number == 6000:
            break
        play(event, venue)
        quote = venue.quote(BTC)
        if quote.bids:
            assert quote.bids[0][0] < quote.asks[0][0], event
        if isinstance(event, TopUpdated):
            tops += 1
            assert (quote.bids[0], quote.asks[0]) == (event.bid, event.ask)
            assert event.bid[0] % D(tick) == 0
    assert tops > 1000
