"""Rows of CSV and Parquet files as texts, each with its number in the file; packed with gzip or not."""

from __future__ import annotations

import csv
import gzip
import importlib
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from hedgerow.market.ticks import DataError, DataMissing

GZIP_MAGIC = b"\x1f\x8b"
PARQUET_MAGIC = b"PAR1"
ZIP_MAGIC = b"PK\x03\x04"
# A quotation mark that is never closed would otherwise swallow the file.
FIELD_CHARACTERS_MAX = 4_096
# Enough to see what a file is; gzip's own head may hold a file name and a comment.
BEGINNING_BYTES = 1 << 16
_DELIMITERS = ",;\t|"


class CsvRows:
    """A CSV file. Its numbers are those of its lines, from 1; the first line is the head when any cell of it is a word.

    Raises:
        DataError: its data breaks off, is no text, or has rows of different lengths. While iterating.
        DataMissing: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = size_of(path)
        self._raw: BinaryIO | None = None
        self.delimiter = _delimiter(beginning(path, FIELD_CHARACTERS_MAX))
        first = next(self._cells(), None)
        if first is None:
            raise DataError(path, "is empty; it needs a head and at least two rows")
        self.has_head = any(cell.strip() and not _is_value(cell) for cell in first[1])
        self.names = [cell.strip() if self.has_head else "" for cell in first[1]]

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        width = len(self.names)
        rows = self._cells()
        if self.has_head:
            next(rows, None)
        for line, cells in rows:
            if len(cells) != width:
                raise DataError(self.path, f"has {len(cells)} columns in this row instead of {width}", line)
            yield line, cells

    def position(self) -> int:
        """Return how many bytes of the file were read so far."""
        return 0 if self._raw is None or self._raw.closed else self._raw.tell()

    def _cells(self) -> Iterator[tuple[int, list[str]]]:
        line = 0
        try:
            with self._lines() as lines:
                reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
                for cells in reader:
                    line = reader.line_num
                    # Blank lines at the end are a habit of many programs.
                    if cells:
                        yield line, cells
        except EOFError:
            raise DataError(self.path, "breaks off after this row: the gzip data is cut short", line) from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise DataError(self.path, f"has broken gzip data after this row: {error}", line) from None
        except UnicodeDecodeError:
            after = " after this row" if line else ""
            raise DataError(self.path, f"is not text{after}; expected CSV in UTF-8", line) from None
        except csv.Error as error:
            after = " after this row" if line else ""
            raise DataError(self.path, f"is not CSV{after}: {error}", line) from None
        except OSError as error:
            raise DataMissing(self.path, f"cannot be read: {error.strerror}") from None

    @contextmanager
    def _lines(self) -> Iterator[io.TextIOWrapper]:
        csv.field_size_limit(FIELD_CHARACTERS_MAX)
        with self.path.open("rb") as raw:
            self._raw = raw
            is_gzip = raw.read(2) == GZIP_MAGIC
            raw.seek(0)
            plain = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if is_gzip else raw
            with io.TextIOWrapper(plain, encoding="utf-8-sig", newline="") as lines:
                yield lines


class ParquetRows:
    """A Parquet file, read batch by batch. Its numbers are those of its rows, from 1.

    Raises:
        DataError: pyarrow is not installed, or cannot read it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = size_of(path)
        self._read = 0
        try:
            parquet = importlib.import_module("pyarrow.parquet")
        except ImportError:
            raise DataError(
                path, "is a Parquet file, and pyarrow, which reads it, is not installed; install it, or save as CSV"
            ) from None
        with self._reading():
            self._file: Any = parquet.ParquetFile(path)
            self.names = [str(name) for name in self._file.schema_arrow.names]
        self.has_head = True

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        row = 0
        batches = self._file.iter_batches(batch_size=8_192)
        while True:
            with self._reading():
                batch = next(batches, None)
                columns = [] if batch is None else [_texts(column) for column in batch.columns]
            if batch is None:
                return
            for cells in zip(*columns, strict=True):
                row += 1
                yield row, list(cells)
            self._read = self.size * row // max(1, self._file.metadata.num_rows)

    def position(self) -> int:
        """Return about how many bytes of the file were read so far."""
        return self._read

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (_arrow().ArrowException, OSError, ValueError) as error:
            # The library's messages run over several lines.
            raise DataError(self.path, f"is a damaged Parquet file: {str(error).splitlines()[0]}") from None


def size_of(path: Path) -> int:
    """Return the file's bytes.

    Raises:
        DataMissing: it cannot be read.
    """
    try:
        return path.stat().st_size
    except OSError as error:
        raise DataMissing(path, f"cannot be read: {error.strerror}") from None


def beginning(path: Path, length: int) -> bytes:
    """Return the first bytes of a file, unpacked; fewer than `length` when there are no more.

    Raises:
        DataError: it is packed, and nothing of it can be unpacked.
        DataMissing: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            start = file.read(BEGINNING_BYTES)
    except OSError as error:
        raise DataMissing(path, f"cannot be read: {error.strerror}") from None
    if start[:2] != GZIP_MAGIC:
        return start[:length]
    unpacker = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacker.decompress(start, length)
    except zlib.error as error:
        raise DataError(path, f"has broken gzip data: {error}") from None
    # Even a cut file may have a beginning; where it breaks off is told by who reads it.
    if not unpacked and not unpacker.eof:
        raise DataError(path, "is cut short: there is gzip data without anything in it")
    return unpacked


def _arrow() -> Any:
    # By name, since it is an extra: neither the program nor the type check needs it to be there.
    return importlib.import_module("pyarrow")


def _texts(column: Any) -> list[str]:
    pyarrow = _arrow()
    kind = column.type
    if pyarrow.types.is_timestamp(kind):
        # As text, so that a column without a zone meets the same question as a CSV file.
        zone = "" if kind.tz is None else "Z"
        numbers = column.cast(pyarrow.timestamp("ns")).cast(pyarrow.int64()).to_pylist()
        return ["" if number is None else _moment(number) + zone for number in numbers]
    # The shortest text of a binary fraction is what its writer meant.
    return ["" if value is None else str(value) for value in column.to_pylist()]


def _moment(ts_ns: int) -> str:
    import numpy

    return str(numpy.datetime64(ts_ns, "ns"))


def _delimiter(start: bytes) -> str:
    return max(_DELIMITERS, key=start.partition(b"\n")[0].decode(errors="replace").count)


def _is_value(cell: str) -> bool:
    """Return whether a cell is a number, a time or a truth, rather than a column's name."""
    text = cell.strip()
    return text.lstrip("-+.")[:1].isdigit() or text.lower() in ("true", "false", "buy", "sell")
