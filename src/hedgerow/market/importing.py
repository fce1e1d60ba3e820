"""Market data from elsewhere, made into tick files: sorted, judged, and counted in ticks and steps.

What is wrong with a source is said with its rows, and then nothing is written; nothing is repaired unless asked for.
"""

from __future__ import annotations

import heapq
import tempfile
from array import array
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hedgerow.market.moments import NS_PER_S, moment_text
from hedgerow.market.rows import beginning
from hedgerow.market.sources import PRICE_DIGITS, QTY_DIGITS, Item, Recipe, Source, found, opened, scaled
from hedgerow.market.ticks import (
    MAGIC,
    NO_ASK,
    NO_BID,
    Bars,
    DataError,
    DataMissing,
    Funding,
    Gap,
    Ints,
    Quotes,
    TickFile,
    Trades,
    write_ticks,
)

# Rows that are held before they go to disk.
CHUNK_ROWS = 1 << 15
# More are counted, and the first of them named.
ROWS_NAMED_MAX = 5
GAPS_KEPT_MAX = 10_000
Progress = Callable[[int, int, int], None]
"Told (bytes read, bytes in all, rows so far) now and then."
_PROGRESS_ROWS = 2_000


class Imported(NamedTuple):
    """A new tick file, and what there is to say about it."""

    ticks: TickFile
    notes: tuple[str, ...]


def is_ticks(path: Path) -> bool:
    """Return whether the file is a tick file already.

    Raises:
        DataMissing: it cannot be read.
    """
    return beginning(path, len(MAGIC)) == MAGIC


def import_files(
    sources: Sequence[Path | str], out: Path, recipe: Recipe, progress: Progress | None = None
) -> Imported:
    """Make one tick file of all `sources`, which show one instrument, in the order of their first times.

    Raises:
        DataError: something is wrong with a source; `out` is as it was.
        MomentError: there is no zone of the recipe's name.
        DataMissing: a source cannot be read, or `out` not be written.
    """
    ready = [opened(path, recipe) for path in found(sources)]
    kinds = {source.kind for source in ready} - {"funding"}
    if not kinds:
        raise DataError(out, "would have funding alone; import it together with prices of the same instrument")
    if len(kinds) > 1 and kinds != {"quotes", "trades"}:
        mixed = " and ".join(sorted(kinds))
        raise DataError(out, f"cannot hold {mixed} together; import them into files of their own")
    ready.sort(key=lambda source: source.first_ts_ns)
    if not out.parent.is_dir():
        raise DataMissing(out, "cannot be written: there is no such folder")
    with tempfile.TemporaryDirectory(prefix="hedgerow-", dir=out.parent, ignore_cleanup_errors=True) as folder:
        return _Import(ready, out, recipe, progress, Path(folder)).run()


class _Import:
    """One import under way."""

    def __init__(
        self, sources: list[Source], out: Path, recipe: Recipe, progress: Progress | None, folder: Path
    ) -> None:
        self._sources = sources
        self._out = out
        self._recipe = recipe
        self._progress = progress
        self._bytes = sum(source.size for source in sources)
        self._bytes_done = 0
        self._rows = 0
        self._notes: list[str] = []
        self._is_bars = any(source.kind == "bars" for source in sources)
        self._depth = max(source.depth for source in sources)
        deep = 2 * (self._depth - 1)
        if self._is_bars:
            self._main = _Spool(folder / "bars", 8, [3, 4, 5, 6], [7], recipe)
        else:
            # Behind time, file and line: bid, ask, their qtys, deeper prices of bids and asks, their qtys.
            width = 7 + 2 * deep
            prices, qtys = [3, 4, *range(7, 7 + deep)], [5, 6, *range(7 + deep, width)]
            self._main = _Spool(folder / "quotes", width, prices, qtys, recipe)
        self._trades = _Spool(folder / "trades", 7, [3], [4], recipe)
        "Behind time, file and line: price, qty, row, side."
        self._paid: list[tuple[int, int, int]] = []
        "(when it was told, rate, when it is paid) of the funding."

    def run(self) -> Imported:
        try:
            self._read()
            self._main.flush()
            self._trades.flush()
            is_derived = not self._is_bars and not self._main.rows
            if is_derived:
                self._derive()
                self._main.flush()
        except _OffGrid as error:
            raise DataError(self._sources[error.file].path, str(error), error.line) from None
        for source in self._sources:
            self._notes += source.notes
        if is_derived:
            self._notes.append("quotes were made from the trades: the prices last sold and bought at")
        return self._finish(is_derived)

    def _read(self) -> None:
        # At the same time a trade comes before the quote that it may have made, so trades are the first stream.
        streams = [
            self._chained([file for file, source in enumerate(self._sources) if source.kind == kind])
            for kind in sorted({source.kind for source in self._sources}, reverse=True)
        ]
        for file, item in heapq.merge(*streams, key=lambda row: row[1].ts_ns) if len(streams) > 1 else streams[0]:
            if item.funding is not None:
                self._paid.append((item.ts_ns, *item.funding))
            if not item.numbers:
                continue
            if item.is_trade:
                price, qty, side = item.numbers
                self._trades.add([item.ts_ns, file, item.line, price, qty, self._main.rows, side])
            else:
                self._main.add([item.ts_ns, file, item.line, *item.numbers])

    def _chained(self, files: list[int]) -> Iterator[tuple[int, Item]]:
        """Return the rows of several files, one after the other, without those that are out of order."""
        last_ts_ns, last_key = 0, -1
        for file in files:
            source = self._sources[file]
            late, repeated = _Lines(), _Lines()
            rows = 0
            for item in source.items(self._depth):
                rows += 1
                self._rows += 1
                if self._progress is not None and not self._rows % _PROGRESS_ROWS:
                    self._progress(self._bytes_done + source.position(), self._bytes, self._rows)
                if item.key is not None and item.key == last_key:
                    repeated.add(item.line)
                elif item.ts_ns < last_ts_ns:
                    late.add(item.line)
                else:
                    last_ts_ns = item.ts_ns
                    if item.key is not None:
                        last_key = item.key
                    yield file, item
            self._judge(source.path, rows, late, repeated)
            self._bytes_done += source.size
            if self._progress is not None:
                self._progress(self._bytes_done, self._bytes, self._rows)

    def _judge(self, path: Path, rows: int, late: _Lines, repeated: _Lines) -> None:
        said = [f"goes back in time {late}"] if late.count else []
        said += [f"repeats the row before {repeated}"] if repeated.count else []
        if not said:
            return
        if self._recipe.mend:
            self._notes.append(f"{path}: left out {late.count + repeated.count:,} rows: it {' and '.join(said)}")
        elif late.count == rows - 1 > 1:
            raise DataError(path, "runs backwards, newest first; sort it by time, oldest first")
        else:
            raise DataError(path, f"{' and '.join(said)}; sort and clean it, or leave such rows out with --mend")

    def _derive(self) -> None:
        """Make quotes of trades: after each, the last price that was bought at is the ask, the last sold at the bid."""
        bid = ask = bid_qty = ask_qty = 0
        unit = self._trades.price_unit
        for block in self._trades.blocks():
            # A trade's place among the quotes: each has made one.
            block[:, 5] = np.arange(self._main.rows, self._main.rows + len(block))
            for ts_ns, file, line, price, qty, _, side in block.tolist():
                if side > 0:
                    ask, ask_qty = price, qty
                    if not bid or bid >= ask:
                        # Below the first tick nobody can bid.
                        bid, bid_qty = (ask - unit, qty) if ask > unit else (0, 0)
                else:
                    bid, bid_qty = price, qty
                    if not ask or ask <= bid:
                        ask, ask_qty = bid + unit, qty
                self._main.add([ts_ns, file, line, bid, ask, bid_qty, ask_qty, *[0] * (self._main.width - 7)])

    def _finish(self, is_derived: bool) -> Imported:
        price_unit = min(self._main.price_unit, self._trades.price_unit)
        qty_unit = min(self._main.qty_unit, self._trades.qty_unit)
        main = self._main.scaled(price_unit, qty_unit)
        rows = len(main)
        if rows < 2:
            raise DataError(self._out, f"would have {rows or 'no'} row; data needs at least two")
        ts_ns = main[:, 0]
        quotes = bars = trades = None
        interval_ns = 0
        if self._is_bars:
            interval_ns = self._interval_ns(main)
            bars = Bars(ts_ns, *(main[:, column] for column in range(3, 8)))
            gaps = _gaps(ts_ns, interval_ns)
        else:
            quotes = _quotes_of(main, self._depth)
            traded = self._trades.scaled(price_unit, qty_unit)
            ts_traded, _, _, price, qty, row, side = traded.T
            trades = Trades(ts_traded, price, qty, row, side.astype(np.int8))
            gaps = _gaps(ts_ns, self._recipe.gap_s * NS_PER_S)
        self._tell_gaps(main, gaps, interval_ns)
        ticks = write_ticks(
            self._out,
            tick=_unit(price_unit, PRICE_DIGITS),
            step=_unit(qty_unit, QTY_DIGITS),
            venue=self._recipe.venue,
            symbol=self._recipe.symbol,
            quotes=quotes,
            trades=trades,
            bars=bars,
            funding=self._funding(),
            interval_ns=interval_ns,
            gaps=gaps[:GAPS_KEPT_MAX],
            sources=tuple(source.path.name for source in self._sources),
            is_derived=is_derived,
        )
        return Imported(ticks, tuple(self._notes))

    def _funding(self) -> Funding | None:
        if not self._paid:
            return None
        funding = Funding(*np.array(self._paid, np.int64).T)
        times = len(np.unique(funding.due_ns))
        self._notes.append(f"funding is told for {times:,} time{'s' if times > 1 else ''}")
        return funding

    def _interval_ns(self, main: Ints) -> int:
        """Return the length of the bars: the time that most often lies between two of them."""
        apart = np.diff(main[:, 0])
        lengths, counts = np.unique(apart, return_counts=True)
        interval_ns = int(lengths[np.argmax(counts)])
        off = np.flatnonzero(apart % interval_ns)
        if len(off):
            row = int(off[0]) + 1
            raise DataError(
                self._sources[main[row, 1]].path,
                f"has a bar that begins {duration_text(int(apart[row - 1]))} after the one before,"
                f" which is no whole number of bars of {duration_text(interval_ns)}",
                int(main[row, 2]),
            )
        return interval_ns

    def _tell_gaps(self, main: Ints, gaps: tuple[Gap, ...], interval_ns: int) -> None:
        for gap in gaps[:ROWS_NAMED_MAX]:
            _, file, line = main[gap.row - 1, :3].tolist()
            where = f"{self._sources[file].path}:{line}" if line else f"{self._sources[file].path}"
            missing = gap.to_ts_ns - gap.from_ts_ns
            bars = missing // interval_ns - 1 if interval_ns else 0
            what = f"{bars:,} bars missing" if bars else f"nothing for {duration_text(missing)}"
            self._notes.append(f"{where}: {what} before it, from {moment_text(gap.from_ts_ns)}")
        if len(gaps) > ROWS_NAMED_MAX:
            self._notes.append(f"{len(gaps) - ROWS_NAMED_MAX:,} more gaps; `hedgerow data ls --json` lists them")


class _Lines:
    """Rows with one fault: all counted, the first ones named."""

    def __init__(self) -> None:
        self.count = 0
        self._first: list[int] = []

    def add(self, line: int) -> None:
        self.count += 1
        if len(self._first) < ROWS_NAMED_MAX:
            self._first.append(line)

    def __str__(self) -> str:
        more = f" and {self.count - len(self._first):,} more" if self.count > len(self._first) else ""
        return f"at row{'s' if self.count > 1 else ''} {', '.join(map(str, self._first))}{more}"


class _OffGrid(Exception):
    """A number is no multiple of the told tick or step."""

    def __init__(self, file: int, line: int, text: str) -> None:
        super().__init__(text)
        self.file = file
        self.line = line


class _Spool:
    """Rows of whole numbers on their way to the tick file, in a file of their own instead of in memory."""

    def __init__(self, path: Path, width: int, prices: list[int], qtys: list[int], recipe: Recipe) -> None:
        self.width = width
        self.rows = 0
        self.price_unit, self._told_price = _grid(recipe.tick, PRICE_DIGITS)
        self.qty_unit, self._told_qty = _grid(recipe.step, QTY_DIGITS)
        self._path = path
        self._path.touch()
        self._prices = prices
        self._qtys = qtys
        self._waiting = array("q")

    def add(self, row: list[int]) -> None:
        self._waiting.extend(row)
        self.rows += 1
        if not self.rows % CHUNK_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what waits, and make the grid as fine as it needs.

        Raises:
            _OffGrid: the grid was told, and a number does not lie on it.
        """
        if not self._waiting:
            return
        block = np.frombuffer(self._waiting, np.int64).reshape(-1, self.width)
        self.price_unit = _finer(block, self._prices, self.price_unit, self._told_price, "a price", PRICE_DIGITS)
        self.qty_unit = _finer(block, self._qtys, self.qty_unit, self._told_qty, "a qty", QTY_DIGITS)
        with self._path.open("ab") as file:
            file.write(block.tobytes())
        self._waiting = array("q")

    def blocks(self) -> Iterator[Ints]:
        """Return all flushed rows piece by piece, as they can be changed."""
        rows = self._mapped()
        for start in range(0, len(rows), CHUNK_ROWS):
            yield rows[start : start + CHUNK_ROWS]

    def scaled(self, price_unit: int, qty_unit: int) -> Ints:
        """Return all rows with prices and qtys counted in their units."""
        divisors = np.ones(self.width, np.int64)
        divisors[self._prices] = price_unit
        divisors[self._qtys] = qty_unit
        for block in self.blocks():
            np.floor_divide(block, divisors, out=block)
        return self._mapped()

    def _mapped(self) -> Ints:
        if not self.rows:
            return np.zeros((0, self.width), np.int64)
        return np.memmap(self._path, np.int64, "r+", 0, (self.rows, self.width))


def _grid(told: Decimal | None, digits: int) -> tuple[int, bool]:
    return (10**digits, False) if told is None else (scaled(told, digits), True)


def _finer(block: Ints, columns: list[int], unit: int, is_told: bool, what: str, digits: int) -> int:
    """Return the largest unit that divides the columns: `unit`, or as many powers of ten below it as are needed."""
    numbers = block[:, columns]
    while (off := numbers % unit).any():
        if is_told:
            row, column = (int(place[0]) for place in np.nonzero(off))
            number = _unit(int(numbers[row, column]), digits)
            text = f"has {what} of {number:f}, which is no multiple of {_unit(unit, digits):f}"
            raise _OffGrid(int(block[row, 1]), int(block[row, 2]), text)
        unit //= 10
    return unit


def _unit(number: int, digits: int) -> Decimal:
    exact = Decimal(number).scaleb(-digits)
    whole = exact.to_integral_value()
    return whole if whole == exact else exact.normalize()


def _quotes_of(main: Ints, depth: int) -> Quotes:
    bid, ask, bid_qty, ask_qty = (main[:, column] for column in range(3, 7))
    bid[bid_qty == 0] = NO_BID
    ask[ask_qty == 0] = NO_ASK
    deep = [main[:, 7 + part * (depth - 1) : 7 + (part + 1) * (depth - 1)] for part in range(4)]
    return Quotes(main[:, 0], bid, ask, bid_qty, ask_qty, *deep)


def _gaps(ts_ns: Ints, usual_ns: int) -> tuple[Gap, ...]:
    """Return where more than `usual_ns` lies between two rows; of bars, from the end of the last that is there."""
    rows = np.flatnonzero(np.diff(ts_ns) > usual_ns) + 1
    return tuple(Gap(int(row) + 1, int(ts_ns[row - 1]), int(ts_ns[row])) for row in rows)


def duration_text(ns: int) -> str:
    """Return a length of time for people: `60 s`, `2 h 30 min`, `3 d`."""
    seconds, rest_ns = divmod(ns, NS_PER_S)
    if rest_ns or not seconds:
        return f"{ns / 1_000_000:g} ms"
    parts = []
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(f"{count:,} {unit}")
    return " ".join(parts[:2])
