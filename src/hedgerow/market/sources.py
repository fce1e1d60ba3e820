"""Sources of market data: recorded frames, and bars, trades and quotes as CSV or Parquet, row by row as whole numbers.

What is wrong with a row is said with its place in the file. Nothing is guessed and nothing is repaired here.
"""

from __future__ import annotations

import difflib
import glob
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple

import msgspec

from hedgerow.market.exchange import SimExchange
from hedgerow.market.moments import LAST_NS, NS_PER_S, MomentError, Moments, zone_named
from hedgerow.market.rows import PARQUET_MAGIC, ZIP_MAGIC, CsvRows, ParquetRows, beginning, size_of
from hedgerow.market.rules import VenueRules
from hedgerow.market.tape import Tape, Traded, play
from hedgerow.market.ticks import MAGIC, RATE_STEP, DataError, DataMissing
from hedgerow.model.ids import InstrumentId, VenueId
from hedgerow.model.instrument import Instrument, InstrumentKind
from hedgerow.model.market import Level
from hedgerow.model.numbers import ONE
from hedgerow.model.order import Side

# Numbers count in these until all of a source is known: fine enough for every price that we know of, and int64 still
# holds 4 x 10^8 quote and 4 x 10^10 base units.
PRICE_DIGITS = 10
QTY_DIGITS = 8
NUMBER_MAX = 1 << 62

# Levels of a recorded book that are kept; deeper ones matter only to orders of a size that nobody backtests.
DEPTH = 10
GAP_S = 60
# Scaled numbers that are remembered; a busy market shows tens of thousands of different ones in a day.
MEMO_MAX = 1 << 18

SUFFIXES = (".gz", ".csv", ".txt", ".frames", ".parquet")
"Endings of the files that are taken from a folder."


class Recipe(msgspec.Struct, frozen=True):
    """How sources are to be understood."""

    venue: str = ""
    symbol: str = ""
    "Taken out of a source that has several; otherwise only a name."
    depth: int = DEPTH
    "Levels of each side to keep, >= 1."
    columns: dict[str, str] = {}
    "Our name of a column -> its name in the source, or its place from 1."
    zone: str = ""
    "Zone of times that name none."
    unit: str = ""
    "Unit of times that are numbers; empty: their size says it."
    tick: Decimal | None = None
    "None: the largest power of ten that all prices are multiples of."
    step: Decimal | None = None
    "None: the largest power of ten that all qtys are multiples of."
    qty: Decimal | None = None
    "What each side of quotes shows where the source tells no qty."
    mend: bool = False
    "Leave out rows that go back in time or repeat one; otherwise they are an error."
    gap_s: int = GAP_S
    "Quotes and trades with nothing for longer than this have a gap."


# Our name of a column -> how sources name it, without case, blanks and underscores; the earlier, the likelier.
COLUMNS = {
    "time": (
        "tsns time timestamp ts datetime date opentime transacttime tsevent eventtime timens timems tradetime starttime"
        " localtimestamp calctime fundingtime"
    ),
    "open": "open o openprice",
    "high": "high h highprice",
    "low": "low l lowprice",
    "close": "close c closeprice",
    "volume": "volume v vol basevolume",
    "price": "price px p tradeprice",
    "qty": "qty quantity size amount q volume vol tradesize lastqty",
    "side": "side aggressor takerside aggressorside tradeside",
    "buyer_is_maker": "isbuyermaker buyerismaker buyermaker m",
    "id": "tradeid aggtradeid id a",
    "bid": "bid bidprice bestbid bestbidprice bidpx bidpx00 bids[0].price",
    "ask": "ask askprice bestask bestaskprice askpx askpx00 asks[0].price offer",
    "bid_qty": "bidqty bidsize bestbidqty bestbidsize bidamount bidvolume bidsz00 bidquantity bids[0].amount",
    "ask_qty": "askqty asksize bestaskqty bestasksize askamount askvolume asksz00 askquantity asks[0].amount",
    "symbol": "symbol ticker instrument instrumentid",
    "funding": "funding fundingrate lastfundingrate",
    "funding_time": "fundingtime nextfundingtime fundingtimestamp calctime",
}
# What one row of each kind must have.
_NEEDED: dict[str, tuple[str, ...]] = {
    "bars": ("time", "open", "high", "low", "close"),
    "quotes": ("time", "bid", "ask"),
    "trades": ("time", "price", "qty"),
    "funding": ("time", "funding"),
}
# No venue lets a rate go further; what lies beyond is a percentage, or a yearly rate.
FUNDING_MAX = Decimal("0.05")
# Venues that pay most often do so every hour; their times are off by some seconds now and then.
FUNDING_APART_NS = 3_540 * NS_PER_S
# Tardis names level 3 `bids[2].price`, Databento `bid_px_02`.
_DEEP = re.compile(r"(bid|ask)s?(?:\[(\d+)\]\.?(price|amount|size|qty)|(px|sz)(\d\d))")
_BUYS = frozenset({"buy", "b", "bid", "1", "+1", "long"})
_SELLS = frozenset({"sell", "s", "a", "ask", "-1", "short"})
_TRUTHS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}

_VENUE = VenueId("source")
_INSTRUMENT = Instrument(InstrumentId("source:x"), _VENUE, InstrumentKind.PERP, "x", "y", ONE, ONE, ONE)


class Item(NamedTuple):
    """One row of a source."""

    ts_ns: int
    line: int
    is_trade: bool
    key: int | None
    "What a later row must be above, or it repeats this one; None where rows have no identity."
    numbers: list[int]
    """Of a quote: bid, ask, their qtys, the deeper bids and asks, their qtys; of a trade: price, qty, side; of a bar:
    open, high, low, close, volume. Empty: the row tells of funding alone."""
    funding: tuple[int, int] | None = None
    "(rate, when it is paid) as the row tells it."


class Frames:
    """A tape, as the book after each of its frames, and its trades."""

    kind = "frames"

    def __init__(self, path: Path, recipe: Recipe) -> None:
        self.path = path
        self.size = size_of(path)
        self.notes: list[str] = []
        self.depth = recipe.depth
        "Levels of each side that it has."
        self._tape = Tape(path, _INSTRUMENT.id)
        first = next(iter(self._tape), None)
        if first is None:
            raise DataError(path, "shows no price: it has depth updates and no snapshot")
        self.first_ts_ns = first.ts_ns

    def items(self, depth: int) -> Iterator[Item]:
        """Return its quotes with `depth` levels, and its trades."""
        try:
            yield from self._items(depth)
        except _BadCell as error:
            raise DataError(self.path, f"has a number where {error}", self._tape.line) from None

    def _items(self, depth: int) -> Iterator[Item]:
        # The exchange that a live node plays a tape to, so that what is kept is what would have been seen.
        exchange = SimExchange(_VENUE, [_INSTRUMENT], VenueRules(), 0)
        # The same prices and qtys come again and again, and each costs more to convert than to remember.
        prices, qtys = _Memo(PRICE_DIGITS), _Memo(QTY_DIGITS)
        told = 0
        for event in self._tape:
            if event.ts_ns >= LAST_NS:
                raise DataError(self.path, f"has the receive time {event.ts_ns}, which is none in ns", self._tape.line)
            for rate in self._tape.rates[told:]:
                told += 1
                # The venue's clock says when it is paid, and another one when it was told.
                if rate.due_ns > rate.ts_ns:
                    paid = _rate(format(rate.rate, "f")), rate.due_ns
                    yield Item(rate.ts_ns, self._tape.line, False, None, [], paid)
            if isinstance(event, Traded):
                sign = 1 if event.aggressor is Side.BUY else -1
                trade = [scaled(event.price, PRICE_DIGITS), scaled(event.qty, QTY_DIGITS), sign]
                yield Item(event.ts_ns, 0, True, None, trade)
                continue
            play(event, exchange)
            quote = exchange.quote(_INSTRUMENT.id, depth)
            yield Item(event.ts_ns, 0, False, None, _flat(quote.bids, quote.asks, depth, prices, qtys))

    def position(self) -> int:
        return self._tape.position()


class Table:
    """Rows of a CSV or Parquet file, understood.

    Raises:
        DataError: columns are missing or mean two things; a row says something that cannot be.
    """

    def __init__(self, rows: CsvRows | ParquetRows, recipe: Recipe) -> None:
        self.path = rows.path
        self.size = rows.size
        self.notes: list[str] = []
        self._rows = rows
        self._line = 0
        self._recipe = recipe
        self._places = _places(rows, recipe.columns)
        self.kind = _kind(rows, self._places)
        self._deep = _deep_places(rows, recipe.depth) if self.kind == "quotes" else []
        self.depth = 1 + max(sum(side == name for side, _, _ in self._deep) for name in ("bid", "ask"))
        "Levels of each side that it has."
        if self.kind == "quotes" and recipe.qty is None:
            for name in ("bid_qty", "ask_qty"):
                if name not in self._places:
                    raise DataError(
                        self.path,
                        f"has no column for {name}; name it with --columns {name}=NAME,"
                        " or say with --qty how much each side shows",
                    )
        first = next(self.items(self.depth), None)
        if first is None:
            raise DataError(self.path, "has no rows" + (" under its head" if rows.has_head else ""))
        self.first_ts_ns = first.ts_ns

    def items(self, depth: int) -> Iterator[Item]:
        """Return its rows in their order; quotes with `depth` levels, which are not fewer than it has."""
        self.notes = []
        moments = Moments(zone_named(self._recipe.zone) if self._recipe.zone else None, self._recipe.unit)
        rows = self._wanted()
        self._paid = _Paid(self._places, self._recipe)
        try:
            if self.kind == "funding":
                yield from self._fundings(moments, rows)
            elif self.kind == "bars":
                yield from self._bars(moments, rows)
            elif self.kind == "quotes":
                yield from self._quotes(moments, rows, depth)
            else:
                yield from self._trades(moments, rows)
        except (MomentError, _BadCell) as error:
            raise DataError(self.path, str(error), self._line) from None

    def position(self) -> int:
        return self._rows.position()

    def _wanted(self) -> Iterator[tuple[int, list[str]]]:
        """Return the rows of the one symbol."""
        place = self._places.get("symbol")
        symbol = self._recipe.symbol
        for line, cells in self._rows:
            self._line = line
            if place is not None:
                here = cells[place].strip()
                if not self._recipe.symbol:
                    symbol = symbol or here
                    if here != symbol:
                        raise _BadCell(f"is of '{here}', those before of '{symbol}'; add --symbol to take one of them")
                elif here != symbol:
                    continue
            yield line, cells

    def _bars(self, moments: Moments, rows: Iterator[tuple[int, list[str]]]) -> Iterator[Item]:
        time, *prices = (self._places[name] for name in _NEEDED["bars"])
        names = _NEEDED["bars"][1:]
        volume = self._places.get("volume")
        is_cut = False
        for line, cells in rows:
            ts_ns = moments.ts_ns(cells[time])
            numbers = [_price(cells[place], name) for place, name in zip(prices, names, strict=True)]
            opened, high, low, close = numbers
            if high < max(opened, close, low) or low > min(opened, close):
                raise _BadCell("has a high or low that does not hold its other prices")
            traded, was_cut = (0, False) if volume is None else _volume(cells[volume])
            is_cut = is_cut or was_cut
            yield Item(ts_ns, line, False, ts_ns, [*numbers, traded], self._paid.told(cells, ts_ns, line))
        if is_cut:
            self.notes.append(f"{self.path}: volumes were cut to {QTY_DIGITS} decimals")

    def _quotes(self, moments: Moments, rows: Iterator[tuple[int, list[str]]], depth: int) -> Iterator[Item]:
        places = self._places
        time = places["time"]
        shown = None if self._recipe.qty is None else scaled(self._recipe.qty, QTY_DIGITS)
        sides = [
            (places[name], places.get(f"{name}_qty"), name, [(at, qty) for side, at, qty in self._deep if side == name])
            for name in ("bid", "ask")
        ]
        padding = [0] * (depth - 1)
        for line, cells in rows:
            ts_ns = moments.ts_ns(cells[time])
            top: list[int] = []
            top_qtys: list[int] = []
            deep: list[int] = []
            deep_qtys: list[int] = []
            for price_at, qty_at, name, further in sides:
                price, qty = _level(cells, price_at, qty_at, name, shown)
                top.append(price)
                top_qtys.append(qty)
                found = [_level(cells, *level, name, shown) for level in further]
                deep += [price for price, _ in found] + padding[len(found) :]
                deep_qtys += [qty for _, qty in found] + padding[len(found) :]
            if all(top_qtys) and top[0] > top[1]:
                raise _BadCell(f"has a bid of {cells[sides[0][0]]} above its ask of {cells[sides[1][0]]}")
            paid = self._paid.told(cells, ts_ns, line)
            yield Item(ts_ns, line, False, None, [*top, *top_qtys, *deep, *deep_qtys], paid)

    def _fundings(self, moments: Moments, rows: Iterator[tuple[int, list[str]]]) -> Iterator[Item]:
        time = self._places["time"]
        for line, cells in rows:
            ts_ns = moments.ts_ns(cells[time])
            yield Item(ts_ns, line, False, None, [], self._paid.told(cells, ts_ns, line))

    def _trades(self, moments: Moments, rows: Iterator[tuple[int, list[str]]]) -> Iterator[Item]:
        places = self._places
        time, price_at, qty_at = (places[name] for name in _NEEDED["trades"])
        side_at, maker_at, id_at = places.get("side"), places.get("buyer_is_maker"), places.get("id")
        last_price, sign, empty = 0, 1, 0
        for line, cells in rows:
            ts_ns = moments.ts_ns(cells[time])
            price, qty = _price(cells[price_at], "price"), _qty(cells[qty_at], "qty")
            if side_at is not None:
                sign = _side(cells[side_at])
            elif maker_at is not None:
                sign = -1 if _truth(cells[maker_at]) else 1
            elif price != last_price:
                sign = 1 if price > last_price else -1
            last_price = price
            if not qty:
                empty += 1
                continue
            identity = cells[id_at].strip() if id_at is not None else ""
            yield Item(ts_ns, line, True, int(identity) if identity.isdigit() else None, [price, qty, sign])
        if side_at is None and maker_at is None:
            self.notes.append(f"{self.path}: tells no side of trades; one at a higher price counts as a buy")
        if empty:
            self.notes.append(f"{self.path}: {empty:,} trades of nothing were left out")


class _BadCell(ValueError):
    """A cell that cannot be. The text is without file and row."""


class _Paid:
    """Reads what the rows of a file tell of funding: a rate, and when it is paid, else at the row's time.

    An empty cell tells nothing. Without times of their own, rates may not stand closer than venues pay them: one that
    is repeated in each row would be paid with each row.
    """

    def __init__(self, places: dict[str, int], recipe: Recipe) -> None:
        self._rate_at = places.get("funding")
        due_at = places.get("funding_time")
        self._due_at = None if due_at == places["time"] else due_at
        self._moments = Moments(zone_named(recipe.zone) if recipe.zone else None, recipe.unit)
        self._last: tuple[int, int] | None = None
        self._last_line = 0

    def told(self, cells: list[str], ts_ns: int, line: int) -> tuple[int, int] | None:
        """Return (rate, when it is paid), if the row tells something new."""
        if self._rate_at is None or not cells[self._rate_at].strip():
            return None
        due_ns = ts_ns if self._due_at is None else self._moments.ts_ns(cells[self._due_at])
        if due_ns < ts_ns:
            raise _BadCell(f"has the funding_time {cells[self._due_at or 0]}, which is before the row's own time")
        paid = _rate(cells[self._rate_at]), due_ns
        if self._last is not None and 0 < abs(due_ns - self._last[1]) < FUNDING_APART_NS:
            apart_s = abs(due_ns - self._last[1]) // NS_PER_S
            remedy = "" if self._due_at is not None else ", or name the column that says when it is paid: funding_time"
            raise _BadCell(
                f"has a funding {apart_s} s after that of row {self._last_line}, where venues pay once an hour at most;"
                f" leave the cells between empty{remedy}"
            )
        if paid == self._last:
            return None
        self._last, self._last_line = paid, line
        return paid


def _rate(text: str) -> int:
    """Return a funding rate in RATE_STEP.

    Raises:
        _BadCell: it is none that a venue pays.
    """
    try:
        rate = Decimal(text.strip())
    except InvalidOperation:
        rate = Decimal("NaN")
    if not rate.is_finite() or abs(rate) > FUNDING_MAX:
        raise _BadCell(f"has '{text.strip()}' as funding, where a part of the notional must be: 0.0001 is 1 bp")
    steps = rate / RATE_STEP
    # Rates come from divisions: digits beyond these are no money.
    return int(steps.to_integral_value())


Source = Frames | Table


def found(sources: Sequence[Path | str]) -> tuple[Path, ...]:
    """Return the files that `sources` name: files, folders (what has a known ending in them) and patterns with `*`.

    Raises:
        DataMissing: one names nothing.
    """
    files: list[Path] = []
    for source in sources:
        path = Path(source)
        if path.is_dir():
            inside = sorted(each for each in path.iterdir() if each.is_file() and each.name.endswith(SUFFIXES))
            if not inside:
                raise DataMissing(path, f"has no file that ends in {', '.join(SUFFIXES)}")
            files += inside
        elif path.exists() or not glob.has_magic(str(source)):
            files.append(path)
        else:
            matching = sorted(Path(each) for each in glob.glob(str(source)))
            if not matching:
                raise DataMissing(path, "matches no file")
            files += matching
    # A file that is named twice would only repeat itself.
    return tuple(dict.fromkeys(files))


def opened(path: Path, recipe: Recipe) -> Source:
    start = beginning(path, 64)
    if start[:8] == MAGIC:
        raise DataError(path, "is a tick file already")
    if start[:4] == ZIP_MAGIC:
        raise DataError(path, "is a zip archive; unpack it first")
    if start[:4] == PARQUET_MAGIC:
        return Table(ParquetRows(path), recipe)
    stamp, _, rest = start.partition(b" ")
    if stamp.isdigit() and rest[:1] == b"{":
        return Frames(path, recipe)
    return Table(CsvRows(path), recipe)


def _places(rows: CsvRows | ParquetRows, told: dict[str, str]) -> dict[str, int]:
    """Return our name of a column -> its index."""
    places: dict[str, int] = {}
    for ours, theirs in told.items():
        if theirs in rows.names and theirs:
            places[ours] = rows.names.index(theirs)
        elif theirs.isdigit() and 1 <= int(theirs) <= len(rows.names):
            places[ours] = int(theirs) - 1
        else:
            near = difflib.get_close_matches(theirs, rows.names, 1)
            hint = f"did you mean '{near[0]}'?" if near else _has(rows)
            raise DataError(rows.path, f"has no column '{theirs}'; {hint}")
    taken = set(places.values())
    plain = [re.sub(r"[\s_]", "", name).lower() for name in rows.names]
    for ours, names in COLUMNS.items():
        if ours not in places:
            matching = [plain.index(name) for name in names.split() if name in plain]
            free = [place for place in matching if place not in taken]
            if free:
                places[ours] = free[0]
    return places


def _kind(rows: CsvRows | ParquetRows, places: dict[str, int]) -> str:
    for kind, needed in _NEEDED.items():
        if all(name in places for name in needed):
            return kind
    if not rows.has_head:
        example = "--columns time=1 --columns price=2 --columns qty=3"
        raise DataError(rows.path, f"has no head; say which column is what, as in {example}", 1)
    # The kind of which least is missing is the one that was meant.
    kind, missing = min(
        ((kind, [name for name in _NEEDED[kind] if name not in places]) for kind in ("bars", "quotes", "trades")),
        key=lambda pair: len(pair[1]),
    )
    names = ", ".join(missing)
    remedy = f"{_has(rows)}; name it with --columns {missing[0]}=NAME"
    raise DataError(rows.path, f"looks like {kind} and has no column for {names}; {remedy}")


def _has(rows: CsvRows | ParquetRows) -> str:
    return f"it has {', '.join(rows.names)}" if rows.has_head else f"it has {len(rows.names)} columns without names"


def _deep_places(rows: CsvRows | ParquetRows, depth: int) -> list[tuple[str, int, int]]:
    """Return (side, column of the price, column of the qty) of the second and further levels that are there."""
    found: dict[tuple[str, int], dict[bool, int]] = {}
    for place, name in enumerate(rows.names):
        match = _DEEP.fullmatch(re.sub(r"[\s_]", "", name).lower())
        if match is not None:
            is_price = (match[3] or match[4]) in ("price", "px")
            found.setdefault((match[1], int(match[2] or match[5])), {})[is_price] = place
    return [
        (side, pair[True], pair[False])
        for (side, level), pair in sorted(found.items())
        if 0 < level < depth and len(pair) == 2
    ]


class _Memo(dict[Decimal, int]):
    """Numbers that were scaled before."""

    def __init__(self, digits: int) -> None:
        super().__init__()
        self._digits = digits

    def __missing__(self, number: Decimal) -> int:
        if len(self) >= MEMO_MAX:
            self.clear()
        self[number] = whole = scaled(number, self._digits)
        return whole


def _flat(bids: tuple[Level, ...], asks: tuple[Level, ...], depth: int, prices: _Memo, qtys: _Memo) -> list[int]:
    """Return a book as the numbers of a quote; where there is no level, they are 0."""
    bid = [prices[price] for price, _ in bids] + [0] * (depth - len(bids))
    ask = [prices[price] for price, _ in asks] + [0] * (depth - len(asks))
    bid_qty = [qtys[qty] for _, qty in bids] + [0] * (depth - len(bids))
    ask_qty = [qtys[qty] for _, qty in asks] + [0] * (depth - len(asks))
    return [bid[0], ask[0], bid_qty[0], ask_qty[0], *bid[1:], *ask[1:], *bid_qty[1:], *ask_qty[1:]]


def scaled(number: Decimal, digits: int) -> int:
    """Return number x 10^digits, which must be whole."""
    return _whole(format(number, "f"), digits)


def _whole(text: str, digits: int) -> int:
    """Return the number in `text` x 10^digits.

    Raises:
        _BadCell: it is none, below zero, too large, or has more digits than that.
    """
    whole, _, fraction = text.partition(".")
    if not (whole.isdigit() and (fraction.isdigit() or not fraction)):
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise _BadCell("a number must be") from None
        if not number.is_finite() or number < 0:
            raise _BadCell("a number of 0 or above must be")
        whole, _, fraction = format(number, "f").partition(".")
    if len(fraction) > digits:
        fraction = fraction.rstrip("0")
        if len(fraction) > digits:
            raise _BadCell(f"at most {digits} decimals can be kept")
    scaled = int(whole + fraction.ljust(digits, "0"))
    if scaled >= NUMBER_MAX:
        raise _BadCell("a smaller number must be")
    return scaled


def _number(text: str, name: str, digits: int) -> int:
    text = text.strip()
    try:
        return _whole(text, digits)
    except _BadCell as error:
        shown = f"'{text}'" if text else "nothing"
        raise _BadCell(f"has {shown} as {name}, where {error}") from None


def _price(text: str, name: str) -> int:
    price = _number(text, name, PRICE_DIGITS)
    if not price:
        raise _BadCell(f"has a {name} of 0, where a price must be")
    return price


def _qty(text: str, name: str) -> int:
    return _number(text, name, QTY_DIGITS)


def _volume(text: str) -> tuple[int, bool]:
    """Return a bar's volume, and whether digits of it were cut: it is a measure, no money."""
    whole, point, fraction = text.strip().partition(".")
    cut = fraction[:QTY_DIGITS]
    is_cut = bool(fraction[QTY_DIGITS:].strip("0")) and fraction.isdigit()
    return _number(whole + point + (cut if is_cut else fraction), "volume", QTY_DIGITS), is_cut


def _level(cells: list[str], price_at: int, qty_at: int | None, name: str, shown: int | None) -> tuple[int, int]:
    """Return a level's price and qty; both 0 where nobody bids or offers."""
    if not cells[price_at].strip():
        return 0, 0
    if qty_at is None:
        assert shown is not None, name
        return _price(cells[price_at], name), shown
    qty = _qty(cells[qty_at], f"{name}_qty")
    return (_price(cells[price_at], name), qty) if qty else (0, 0)


def _side(text: str) -> int:
    word = text.strip().lower()
    if word in _BUYS:
        return 1
    if word in _SELLS:
        return -1
    raise _BadCell(f"has '{text}' as side, where buy or sell must be")


def _truth(text: str) -> bool:
    word = text.strip().lower()
    if word not in _TRUTHS:
        raise _BadCell(f"has '{text}' as buyer_is_maker, where true or false must be")
    return _TRUTHS[word]
