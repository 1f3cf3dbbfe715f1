"""Tables out of csv, json lines and Parquet, cell by cell as they stand, with the row of each for messages."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from reesim.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ".csv, .csv.gz, .jsonl, .jsonl.gz or .parquet"


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Cells of a file.

    Parameters
    ----------
    frame : pandas.DataFrame
        Text, or what the format says; the index is the row as a reader of the file counts it.
    word : str
        What a row is called: ``row`` or ``line``.
    problems : list of (int, str)
        Rows that could not be read at all.
    """

    frame: pd.DataFrame
    word: str
    problems: list[tuple[int, str]]


def read_cells(file: Path) -> Cells:
    """Read a table by the ending of its name.

    Raises
    ------
    DataError
        If the file is missing, has another ending, or is not what its ending says.
    """
    name = file.name.casefold()
    if file.is_dir():
        raise DataError(f"{file}: this is a folder; name one file in it")
    if not file.is_file():
        raise DataError(f"{file}: there is no such file")
    if name.endswith((".csv", ".csv.gz")):
        return _read_csv(file)
    if name.endswith((".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")):
        return _read_lines(file)
    if name.endswith(".parquet"):
        return _read_parquet(file)
    raise DataError(f"{file}: the ending says nothing of how to read it; give {FORMATS}")


def _text_of(file: Path) -> IO[str]:
    """Whole text of a plain or compressed file, decoded."""
    try:
        raw = file.read_bytes()
        plain = gzip.decompress(raw) if file.name.casefold().endswith(".gz") else raw
        return io.StringIO(plain.decode("utf-8-sig"), newline="")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DataError(f"{file}: it cannot be read as UTF-8 text: {error}") from error


def _read_csv(file: Path) -> Cells:
    import pandas as pd

    reader = csv.reader(_text_of(file), strict=True)
    rows: dict[int, list[str]] = {}
    problems: list[tuple[int, str]] = []
    once: dict[str, str] = {}  # codes and years stand in many rows: each text is kept once
    try:
        header = [name.strip() for name in next(reader, [])]
        for number, row in enumerate(reader, start=2):
            if not any(row):
                continue
            if len(row) == len(header):
                rows[number] = [once.setdefault(cell, cell) for cell in row]
            else:
                problems.append(
                    (number, f"{len(row)} columns where the header has {len(header)} (quote texts with commas)")
                )
    except csv.Error as error:
        raise DataError(f"{file}: line {reader.line_num}: not comma-separated text: {error}") from error
    if not header:
        raise DataError(f"{file}: the file is empty")
    if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        raise DataError(f"{file}: row 1: one column only; separate columns by commas")
    frame = pd.DataFrame(list(rows.values()), index=list(rows), columns=header, dtype=object)
    return Cells(frame, "row", problems)


def _read_lines(file: Path) -> Cells:
    import pandas as pd

    rows: dict[int, dict[str, Any]] = {}
    problems: list[tuple[int, str]] = []
    for number, line in enumerate(_text_of(file), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            problems.append((number, f"not JSON: {error} (write one object a line)"))
            continue
        if not isinstance(record, dict) or any(isinstance(value, dict | list | bool) for value in record.values()):
            problems.append((number, "not an object of text and numbers (write one a line)"))
            continue
        rows[number] = record
    if not rows and not problems:
        raise DataError(f"{file}: the file is empty")
    frame = pd.DataFrame(list(rows.values()), index=list(rows), dtype=object)
    return Cells(frame, "line", problems)


def _read_parquet(file: Path) -> Cells:
    import pandas as pd

    try:
        import pyarrow  # type: ignore[import-untyped]
        import pyarrow.parquet as pq  # type: ignore[import-untyped]
    except ImportError as error:
        raise DataError(f"{file}: reading it needs pyarrow: pip install 'reesim[empirics]', or give csv") from error
    try:
        frame = pq.read_table(file).to_pandas()
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"{file}: not a Parquet file: {error}") from error
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    return Cells(frame, "row", [])
