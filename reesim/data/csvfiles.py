"""Reading small csv files so that everything wrong with one is told by file, row and column."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

from reesim.errors import DataError, LabelError
from reesim.labels import Labels


def read_rows(file: Path) -> list[list[str]]:
    """Return all rows of a csv file, header first, cells stripped; every row as long as the header.

    Raises
    ------
    DataError
        If the file is missing, empty, not comma-separated UTF-8 text, or ragged.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            rows = [[cell.strip() for cell in row] for row in csv.reader(stream, strict=True)]
    except FileNotFoundError:
        raise DataError(f"{file}: there is no such file") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file}: it cannot be read as comma-separated UTF-8 text: {error}") from error
    while rows and not any(rows[-1]):
        rows.pop()
    if not rows:
        raise DataError(f"{file}: the file is empty")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(rows[0]):
            hint = "; separate columns by commas" if ";" in "".join(rows[0]) else ""
            raise DataError(f"{file}: row {number} has {len(row)} columns, the header {len(rows[0])}{hint}")
    return rows


def read_table(file: Path, columns: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return the named columns of a csv file, a tuple for every row below the header; no cell may be empty.

    Raises
    ------
    DataError
        If a column is missing or a cell is empty.
    """
    header, *rows = read_rows(file)
    missing = [column for column in columns if column not in header]
    if missing:
        raise DataError(f"{file}: row 1: no column {', '.join(missing)}; the header must be {','.join(columns)}")
    picked = [tuple(row[header.index(column)] for column in columns) for row in rows]
    for number, cells in enumerate(picked, start=2):
        if "" in cells:
            raise DataError(f"{file}: row {number}, column {columns[cells.index('')]!r}: the cell is empty")
    return picked


def make_labels(kind: str, codes: Sequence[str], names: Sequence[str], file: Path) -> Labels:
    """Return labels; what is wrong with them is told as an error of `file`."""
    try:
        return Labels(kind, tuple(codes), tuple(names))
    except LabelError as error:
        raise DataError(f"{file}: {error}") from error


def read_labels(file: Path, kind: str) -> Labels:
    """Return the labels of a csv file with columns ``code,name``."""
    rows = read_table(file, ("code", "name"))
    return make_labels(kind, [code for code, _ in rows], [name for _, name in rows], file)


def parse_number(text: str, file: Path, row: int, column: str) -> float:
    """Return a finite number, or refuse the cell by its address."""
    try:
        # float() takes "1_000" for a thousand, which no spreadsheet writes.
        value = math.nan if "_" in text else float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{file}: row {row}, column {column!r}: {text!r} is not a finite number")
    return value
