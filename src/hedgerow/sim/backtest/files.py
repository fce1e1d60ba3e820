"""Market data as people name it, opened: tick files as they are, everything else imported into a folder that goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from hedgerow.market.importing import import_files, is_ticks
from hedgerow.market.sources import Recipe, found
from hedgerow.market.ticks import DataError, TickFile

# Fewer rows have no time between them.
ROWS_MIN = 2

Reading = Callable[[str, int, int], None]
"Takes (name, bytes read, bytes in all) while a source is imported."


def opened(
    named: Sequence[tuple[str, str]], folder: Path, reading: Reading | None = None
) -> tuple[dict[str, TickFile], list[str]]:
    """Return the data of each name, and what there is to say about it.

    Args:
        named: (name, file, folder or glob); a name that comes several times has its sources one after the other.
        folder: where imported data is kept while it is used.

    Raises:
        DataError: a source cannot be used, or says too little.
        DataMissing: a source cannot be read.
    """
    sources: dict[str, list[str]] = {}
    for name, source in named:
        sources.setdefault(name, []).append(source)
    files: dict[str, TickFile] = {}
    notes: list[str] = []
    for number, (name, paths) in enumerate(sources.items()):
        inside = found(paths)
        if len(inside) == 1 and is_ticks(inside[0]):
            file = TickFile.open(inside[0])
        else:
            imported = import_files(inside, folder / f"{number}.ticks", Recipe(), _told(name, reading))
            file = imported.ticks
            notes += [f"{name}: {each}" for each in imported.notes]
        if file.rows < ROWS_MIN:
            raise DataError(inside[0], f"has {file.rows} row; a backtest needs {ROWS_MIN} at least")
        files[name] = file
    return files, notes


def _told(name: str, reading: Reading | None) -> Callable[[int, int, int], None] | None:
    if reading is None:
        return None
    return lambda done, size, _rows: reading(name, done, size)
