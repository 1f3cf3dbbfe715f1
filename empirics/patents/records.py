"""Texts out of csv, JSON lines and Parquet, one at a time: a file of any length takes no more memory than its longest record.

A row that cannot be read is handed on as a `Bad` with its address, so that it can be counted; the rows behind it are read.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from reesim.data.csvfiles import listed
from reesim.errors import DataError

Cells: TypeAlias = Mapping[str, object]
Source: TypeAlias = Path | str | Iterable[Path | str] | Iterable[Cells]

FORMATS = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz", ".parquet")
LONGEST_LINE = 4_000_000
"""Letters of a line of JSON; a longer one is most likely a file that is no JSON lines at all."""
BATCH = 1000
_BYTES = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True, slots=True)
class Bad:
    """A record that cannot be used, why, and what stands there; reasons are few and counted, details are not."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """Cells, or why there are none, with the address for messages: ``file:row 12``."""

    address: str
    cells: Cells | Bad


def stream(source: Source, needed: tuple[str, ...] = (), wanted: tuple[str, ...] = ()) -> Iterator[Row]:
    """Read records one by one.

    Parameters
    ----------
    source : path, paths, or mappings
        A file, a folder (its files of known formats, in order of name), several of them, or records as such.
    needed : tuple of str
        Columns that every table must have.
    wanted : tuple of str
        Columns that are read where they are; of Parquet no others are.

    Yields
    ------
    Row

    Raises
    ------
    DataError
        If a file is missing, of an unknown format, damaged, or without a needed column.
    """
    if isinstance(source, str | Path):
        for file in _files(Path(source)):
            yield from _read(file, needed, tuple(dict.fromkeys((*needed, *wanted))))
        return
    for number, item in enumerate(source, start=1):
        if isinstance(item, str | Path):
            yield from stream(item, needed, wanted)
        else:
            yield Row(f"record {number}", item)


def _files(place: Path) -> list[Path]:
    if place.is_dir():
        found = sorted(file for file in place.iterdir() if file.name.casefold().endswith(FORMATS))
        if not found:
            raise DataError(f"{place}: no file in this folder ends in {', '.join(FORMATS)}")
        return found
    if not place.is_file():
        raise DataError(f"{place}: there is no such file")
    return [place]


def _read(file: Path, needed: tuple[str, ...], wanted: tuple[str, ...]) -> Iterator[Row]:
    name = file.name.casefold()
    if not name.endswith(FORMATS):
        raise DataError(f"{file}: the ending says nothing of how to read it; give {', '.join(FORMATS)}")
    if name.endswith(".parquet"):
        yield from _parquet(file, needed, wanted)
    else:
        with _text(file) as text:
            yield from (_table if ".csv" in name[-7:] else _lines)(file, text, needed)


@contextmanager
def _text(file: Path) -> Iterator[io.TextIOWrapper]:
    """Open text that may be compressed. Bytes that are no UTF-8 pass as lone surrogates, which `_broken` finds by row."""
    zipped = file.name.casefold().endswith(".gz")
    try:
        with (
            gzip.open(file) if zipped else file.open("rb") as raw,
            io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline="") as text,
        ):
            yield text
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{file}: it is damaged or cut short, or not compressed: {error}. Fetch it again") from error
    except OSError as error:
        raise DataError(f"{file}: it cannot be read: {error}") from error


def _table(file: Path, text: io.TextIOWrapper, needed: tuple[str, ...]) -> Iterator[Row]:
    reader = csv.reader(text, strict=True)
    try:
        header = [name.strip() for name in next(reader)]
    except StopIteration:
        raise DataError(f"{file}: the file is empty") from None
    except csv.Error as error:
        raise DataError(f"{file}: row 1 is no header of comma-separated text: {error}") from error
    _check(file, header, needed)
    number = 1
    while True:
        number += 1
        address = f"{file.name}:row {number}"
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(address, Bad("not comma-separated text", f"line {reader.line_num}: {error}"))
            continue
        if row:
            yield Row(address, _paired(header, row))


def _paired(header: list[str], row: list[str]) -> Cells | Bad:
    if len(row) != len(header):
        return Bad("another number of columns than the header", f"{len(row)} columns, the header has {len(header)}")
    return Bad("not UTF-8 text") if _broken("".join(row)) else dict(zip(header, row, strict=True))


def _lines(file: Path, text: io.TextIOWrapper, needed: tuple[str, ...]) -> Iterator[Row]:
    number, seen, records = 0, set[str](), 0
    while line := text.readline(LONGEST_LINE):
        number += 1
        address = f"{file.name}:line {number}"
        if len(line) == LONGEST_LINE and not line.endswith("\n"):
            yield Row(address, Bad("line too long", f"over {LONGEST_LINE:,} letters"))
            while (line := text.readline(LONGEST_LINE)) and not line.endswith("\n"):
                pass
            continue
        if line.isspace():
            continue
        cells = _object(line)
        if not isinstance(cells, Bad):
            records += 1
            seen.update(name for name in needed if name in cells)
        yield Row(address, cells)
    missing = [name for name in needed if name not in seen]
    if records and missing:
        raise DataError(f"{file}: no record has {listed(missing)}; name the fields that it has")


def _object(line: str) -> Cells | Bad:
    if _broken(line):
        return Bad("not UTF-8 text")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Bad("not JSON", str(error))
    return value if isinstance(value, dict) else Bad("not a JSON object", f"a {type(value).__name__}")


def _broken(text: str) -> bool:
    return not text.isascii() and _BYTES.search(text) is not None


def _parquet(file: Path, needed: tuple[str, ...], wanted: tuple[str, ...]) -> Iterator[Row]:
    try:
        import pyarrow  # type: ignore[import-untyped]
        import pyarrow.parquet  # type: ignore[import-untyped]
    except ImportError as error:
        raise DataError(f"{file}: Parquet needs pyarrow: pip install 'reesim[empirics]'") from error
    number = 0
    try:
        with pyarrow.parquet.ParquetFile(file) as table:
            names = list(table.schema_arrow.names)
            _check(file, names, needed)
            for batch in table.iter_batches(BATCH, columns=[name for name in wanted if name in names]):
                for cells in batch.to_pylist():
                    number += 1
                    yield Row(f"{file.name}:row {number}", cells)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{file}: it cannot be read as Parquet behind row {number}: {error}") from error


def _check(file: Path, names: list[str], needed: tuple[str, ...]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{file}: row 1: {listed(twice)} stands twice; give every column a name of its own")
    missing = [name for name in needed if name not in names]
    if missing:
        raise DataError(f"{file}: no column {listed(missing)} among {listed(names)}; rename it, or name the columns")
