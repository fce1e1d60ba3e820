"""Tick files: the market data of one instrument as columns of whole numbers, mapped into memory instead of read.

Prices are counted in ticks and qtys in steps, both int64, so nothing is rounded. docs/reference/ticks.md is the format.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
import numpy.typing as npt

from hedgerow.market.tape import BookSnapshot, Traded
from hedgerow.model.ids import InstrumentId
from hedgerow.model.market import Level
from hedgerow.model.numbers import ceil_to, floor_to
from hedgerow.model.order import Side

Ints = npt.NDArray[np.int64]
Signs = npt.NDArray[np.int8]

MAGIC = b"HRTICKS\0"
VERSION = 1
# A cache line: columns begin at multiples of it, and numpy wants at least 8.
ALIGN_BYTES = 64
# How much is worked on at once: large enough to be fast, small enough for any machine.
BLOCK_BYTES = 1 << 24

NO_BID = 0
"What `bid` says while nobody bids: below every price."
NO_ASK = 1 << 62
"What `ask` says while nobody offers: above every price, and far enough from the largest int64 to add to."
RATE_STEP = Decimal("1e-12")
"What one counts for in a funding rate."


class DataError(Exception):
    """A data file that cannot be used. The text names the file, the row where there is one, and what helps."""

    def __init__(self, path: Path | str, problem: str, row: int = 0) -> None:
        super().__init__(f"{path}:{row}: {problem}" if row else f"{path}: {problem}")


class DataMissing(DataError):
    """A data file that cannot be read or written at all."""


class Kind(Enum):
    QUOTES = "quotes"
    "Quotes, and the trades between them."
    BARS = "bars"


class Gap(msgspec.Struct, frozen=True):
    """A time without data."""

    row: int
    "The first row after it, from 1."
    from_ts_ns: int
    to_ts_ns: int


class Column(msgspec.Struct, frozen=True):
    """Where one column lies in the file."""

    name: str
    type: str
    "`i8`: int64, `i1`: int8; little-endian."
    rows: int
    width: int
    "Numbers in each row."
    offset: int
    "Bytes from the start of the file."
    crc32: str
    "Of its bytes, eight hex digits."


class Header(msgspec.Struct, frozen=True):
    """What stands before the columns."""

    version: int
    kind: Kind
    venue: str
    symbol: str
    tick: Decimal
    "Quote per base unit that one counts for in a price."
    step: Decimal
    "Base units that one counts for in a qty."
    rows: int
    trade_rows: int
    depth: int
    "Levels of each side; 0 for bars."
    interval_ns: int
    "Length of a bar; 0 for quotes."
    first_ts_ns: int
    last_ts_ns: int
    is_derived: bool
    "The quotes were made from trades."
    sources: tuple[str, ...]
    "Names of the files that it was made from."
    gaps: tuple[Gap, ...]
    columns: tuple[Column, ...]


class Quotes(msgspec.Struct, frozen=True, eq=False):
    """The book after each change. Row i of every column belongs together."""

    ts_ns: Ints
    bid: Ints
    ask: Ints
    bid_qty: Ints
    ask_qty: Ints
    bids: Ints
    "Prices of the second and further bids, best first: rows x (depth - 1). Where the qty is 0, there is no such level."
    asks: Ints
    bid_qtys: Ints
    ask_qtys: Ints

    @staticmethod
    def top(ts_ns: Ints, bid: Ints, ask: Ints, bid_qty: Ints, ask_qty: Ints) -> Quotes:
        """Return quotes of the best level alone."""
        nothing = np.zeros((len(ts_ns), 0), np.int64)
        return Quotes(ts_ns, bid, ask, bid_qty, ask_qty, nothing, nothing, nothing, nothing)


class Trades(msgspec.Struct, frozen=True, eq=False):
    """What others traded."""

    ts_ns: Ints
    price: Ints
    qty: Ints
    row: Ints
    "How many rows of the quotes came before it."
    side: Signs
    "Of the one who took: 1 bought, -1 sold."


class Bars(msgspec.Struct, frozen=True, eq=False):
    """One row for each interval."""

    ts_ns: Ints
    "When it began; it ends `interval_ns` later."
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    "In steps; 0 where the source told none."


class Funding(msgspec.Struct, frozen=True, eq=False):
    """What a perpetual's longs pay to its shorts, each time that the source told something new."""

    ts_ns: Ints
    "When it was told, never falling."
    rate: Ints
    "Of the notional, in RATE_STEP; + means longs pay."
    due_ns: Ints
    "When it is paid, not before it was told. Of several rows with the same time the last one counts."


Numbers = npt.NDArray[Any]
"One column, of either type."

_DEEP_FIELDS = frozenset({"bids", "asks", "bid_qtys", "ask_qtys"})

_HEADER_ENCODER = msgspec.json.Encoder(decimal_format="string")
_HEADER_DECODER = msgspec.json.Decoder(Header)


class TickFile:
    """One tick file, its columns mapped into memory: opening costs the same at any size.

    Raises:
        DataError: it is no tick file, of a newer version, or cut short.
        DataMissing: it cannot be read.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.header = _read_header(self.path)
        self._columns = {column.name: self._mapped(column) for column in self.header.columns}
        self.quotes = Quotes(*self._table("quotes", Quotes))
        self.trades = Trades(*self._table("trades", Trades))
        self.bars = Bars(*self._table("bars", Bars))
        self.funding = Funding(*self._table("funding", Funding))

    @classmethod
    def open(cls, path: Path | str) -> TickFile:
        """Return the tick file at `path`."""
        return cls(path)

    @property
    def kind(self) -> Kind:
        return self.header.kind

    @property
    def venue(self) -> str:
        return self.header.venue

    @property
    def symbol(self) -> str:
        return self.header.symbol

    @property
    def tick(self) -> Decimal:
        return self.header.tick

    @property
    def step(self) -> Decimal:
        return self.header.step

    @property
    def rows(self) -> int:
        """Rows of the quotes, or bars."""
        return self.header.rows

    @property
    def trade_rows(self) -> int:
        return self.header.trade_rows

    @property
    def depth(self) -> int:
        """Levels of each side that a row of the quotes has."""
        return self.header.depth

    @property
    def interval_ns(self) -> int:
        return self.header.interval_ns

    @property
    def first_ts_ns(self) -> int:
        return self.header.first_ts_ns

    @property
    def last_ts_ns(self) -> int:
        return self.header.last_ts_ns

    @property
    def gaps(self) -> tuple[Gap, ...]:
        return self.header.gaps

    @property
    def digest(self) -> str:
        """Names the content: two files with the same digest hold the same data."""
        said = "".join(column.name + column.crc32 for column in self.header.columns)
        return f"{zlib.crc32(f'{self.tick}/{self.step}/{said}'.encode()):08x}"

    def price(self, ticks: int) -> Decimal:
        """Return a price of a column."""
        return _exact(int(ticks), self.tick)

    def qty(self, steps: int) -> Decimal:
        """Return a qty of a column."""
        return _exact(int(steps), self.step)

    def ticks_below(self, price: Decimal) -> int:
        """Return the largest price of a column that is not above `price`."""
        return int(floor_to(price, self.tick) / self.tick)

    def ticks_above(self, price: Decimal) -> int:
        """Return the smallest price of a column that is not below `price`."""
        return int(ceil_to(price, self.tick) / self.tick)

    def levels(self, row: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """Return the bids and the asks of one row of the quotes, from 0, best first."""
        quotes = self.quotes
        return (
            self._side(quotes.bid[row], quotes.bid_qty[row], quotes.bids[row], quotes.bid_qtys[row]),
            self._side(quotes.ask[row], quotes.ask_qty[row], quotes.asks[row], quotes.ask_qtys[row]),
        )

    def events(self, instrument_id: InstrumentId, row: int = 0) -> Iterator[BookSnapshot | Traded]:
        """Return quotes and trades as a market tells them, from a row of the quotes on. Bars have none."""
        quotes, trades = self.quotes, self.trades
        at = int(np.searchsorted(trades.row, row, "left"))
        # Chunks as plain lists: taking single numbers out of an array costs more than everything else here.
        for start in range(row, self.rows if self.kind is Kind.QUOTES else 0, 4_096):
            end = min(start + 4_096, self.rows)
            stop = int(np.searchsorted(trades.row, end, "left"))
            waiting = iter(self._trades(instrument_id, at, stop))
            at = stop
            trade = next(waiting, None)
            for index, ts_ns in enumerate(quotes.ts_ns[start:end].tolist(), start):
                while trade is not None and trade[0] <= index:
                    yield trade[1]
                    trade = next(waiting, None)
                yield BookSnapshot(ts_ns, instrument_id, *self.levels(index))
        for _, last in self._trades(instrument_id, at, self.trade_rows):
            yield last

    def verify(self) -> None:
        """Read everything and compare it with its checksums.

        Raises:
            DataError: a column is damaged.
        """
        for column in self.header.columns:
            if _crc32(self._columns[column.name]) != column.crc32:
                raise DataError(self.path, f"is damaged in its column {column.name}; import it again")

    def _trades(self, instrument_id: InstrumentId, start: int, stop: int) -> Iterator[tuple[int, Traded]]:
        trades = self.trades
        for row, ts_ns, price, qty, side in zip(
            trades.row[start:stop].tolist(),
            trades.ts_ns[start:stop].tolist(),
            trades.price[start:stop].tolist(),
            trades.qty[start:stop].tolist(),
            trades.side[start:stop].tolist(),
            strict=True,
        ):
            aggressor = Side.BUY if side > 0 else Side.SELL
            yield row, Traded(ts_ns, instrument_id, self.price(price), self.qty(qty), aggressor)

    def _side(self, price: np.int64, qty: np.int64, prices: Ints, qtys: Ints) -> tuple[Level, ...]:
        if not qty:
            return ()
        levels = [(self.price(int(price)), self.qty(int(qty)))]
        for deep_price, deep_qty in zip(prices.tolist(), qtys.tolist(), strict=True):
            if not deep_qty:
                break
            levels.append((self.price(deep_price), self.qty(deep_qty)))
        return tuple(levels)

    def _table(self, name: str, table: type[Quotes | Trades | Bars | Funding]) -> list[Numbers]:
        """Return the columns of a table in the order of its fields; empty ones for a table that the file has not."""
        return [
            self._columns[f"{name}.{field}"]
            if f"{name}.{field}" in self._columns
            else np.zeros((0, 0) if field in _DEEP_FIELDS else 0, np.int64)
            for field in table.__struct_fields__
        ]

    def _mapped(self, column: Column) -> Numbers:
        shape = (column.rows, column.width) if column.name.partition(".")[2] in _DEEP_FIELDS else (column.rows,)
        if not column.rows or not column.width:
            # An empty file range cannot be mapped.
            return np.zeros(shape, np.dtype(f"<{column.type}"))
        # Not as a memmap, of which every slice and number costs several times as much.
        return np.asarray(np.memmap(self.path, np.dtype(f"<{column.type}"), "r", column.offset, shape))


@lru_cache(maxsize=1 << 17)
def _exact(number: int, unit: Decimal) -> Decimal:
    """Return number x unit in the text form that tapes give the same number: without zeros at the end."""
    exact = number * unit
    whole = exact.to_integral_value()
    return whole if whole == exact else exact.normalize()


def write_ticks(
    path: Path | str,
    *,
    tick: Decimal,
    step: Decimal,
    venue: str = "",
    symbol: str = "",
    quotes: Quotes | None = None,
    trades: Trades | None = None,
    bars: Bars | None = None,
    funding: Funding | None = None,
    interval_ns: int = 0,
    gaps: tuple[Gap, ...] = (),
    sources: tuple[str, ...] = (),
    is_derived: bool = False,
) -> TickFile:
    """Write a tick file of arrays, and return it opened. What was at `path` stays until the new one is whole.

    Raises:
        DataMissing: it cannot be written.
    """
    assert (quotes is None) != (bars is None), path
    columns: dict[str, Numbers] = {}
    for name, table in (("quotes", quotes), ("trades", trades), ("bars", bars), ("funding", funding)):
        if table is not None:
            columns |= {f"{name}.{field}": getattr(table, field) for field in table.__struct_fields__}
    main = quotes.ts_ns if quotes is not None else bars.ts_ns if bars is not None else None
    assert main is not None and len(main), path
    times = [main] if trades is None or not len(trades.ts_ns) else [main, trades.ts_ns]
    header = Header(
        VERSION,
        Kind.QUOTES if quotes is not None else Kind.BARS,
        venue,
        symbol,
        tick,
        step,
        len(main),
        0 if trades is None else len(trades.ts_ns),
        0 if quotes is None else 1 + quotes.bids.shape[1],
        interval_ns,
        min(int(time[0]) for time in times),
        max(int(time[-1]) for time in times) + interval_ns,
        is_derived,
        sources,
        gaps,
        (),
    )
    with new_file(Path(path)) as file:
        _write(file, header, columns)
    return TickFile(path)


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` when it is whole, and leaves nothing behind when it is not.

    Raises:
        DataMissing: it cannot be written.
    """
    # A move would put a file in the place of a device such as /dev/null.
    if path.exists() and not path.is_file():
        raise DataMissing(path, "cannot be written: it is not a file")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise DataMissing(path, f"cannot be written: {error.strerror}") from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _write(file: BinaryIO, header: Header, columns: dict[str, Numbers]) -> None:
    placed: list[Column] = []
    for name, values in columns.items():
        width = values.shape[1] if values.ndim == 2 else 1
        kind = "i1" if values.dtype == np.int8 else "i8"
        placed.append(Column(name, kind, len(values), width, 0, _crc32(values)))
    # Offsets are part of the header, whose length moves them: places are found with the widest number first.
    start = _aligned(len(_head(msgspec.structs.replace(header, columns=_at(placed, 1 << 62)))))
    body = _head(msgspec.structs.replace(header, columns=_at(placed, start)))
    file.write(body.ljust(start, b"\0"))
    for column, values in zip(_at(placed, start), columns.values(), strict=True):
        file.write(b"\0" * (column.offset - file.tell()))
        for block in _blocks(values):
            file.write(block)


def _at(columns: list[Column], start: int) -> tuple[Column, ...]:
    found = []
    for column in columns:
        found.append(msgspec.structs.replace(column, offset=start))
        start = _aligned(start + column.rows * column.width * int(column.type[1:]))
    return tuple(found)


def _head(header: Header) -> bytes:
    body = _HEADER_ENCODER.encode(header)
    return MAGIC + len(body).to_bytes(4, "little") + zlib.crc32(body).to_bytes(4, "little") + body


def _read_header(path: Path) -> Header:
    try:
        with path.open("rb") as file:
            start = file.read(16)
            body = file.read(int.from_bytes(start[8:12], "little"))
            size = file.seek(0, os.SEEK_END)
    except OSError as error:
        raise DataMissing(path, f"cannot be read: {error.strerror}") from None
    if start[:8] != MAGIC:
        raise DataError(path, "is not a tick file; make one with `hedgerow data import`")
    if len(start) < 16 or zlib.crc32(body) != int.from_bytes(start[12:16], "little"):
        raise DataError(path, "has a damaged header; import it again")
    try:
        header = _HEADER_DECODER.decode(body)
    except msgspec.DecodeError as error:
        raise DataError(path, f"has a header that cannot be read: {error}; import it again") from None
    if header.version != VERSION:
        raise DataError(path, f"is a tick file of version {header.version}; use the hedgerow that wrote it")
    end = max(column.offset + column.rows * column.width * int(column.type[1:]) for column in header.columns)
    if size < end:
        raise DataError(path, f"is cut short: {size:,} bytes instead of {end:,}; import it again")
    return header


def _blocks(values: Numbers) -> Iterator[bytes]:
    """Return the column's bytes, piece by piece."""
    rows = max(1, BLOCK_BYTES // max(1, values[:1].nbytes))
    for start in range(0, len(values), rows):
        block = values[start : start + rows]
        yield np.ascontiguousarray(block, block.dtype.newbyteorder("<")).tobytes()


def _crc32(values: Numbers) -> str:
    crc = 0
    for block in _blocks(values):
        crc = zlib.crc32(block, crc)
    return f"{crc:08x}"


def _aligned(offset: int) -> int:
    return -(-offset // ALIGN_BYTES) * ALIGN_BYTES
