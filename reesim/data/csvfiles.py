"""Reading and writing csv files so that everything wrong with one is told by file, row and column."""

from __future__ import annotations

import csv
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reesim.errors import DataError, LabelError, StoreError
from reesim.labels import Labels

UNIT = "million USD a year"
ABOUT = ("year", "source", "licence", "command")
"""What ``about.csv`` says of every table, beside the unit and the treatments."""

TREATMENT = "treatment"
LISTED = 8
"""Cells named one by one in an error before the rest are only counted."""


def listed(cells: Sequence[str]) -> str:
    """Return the first cells, and how many more there are."""
    more = f" and {len(cells) - LISTED} more" if len(cells) > LISTED else ""
    return f"{', '.join(cells[:LISTED])}{more}"


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


def read_block(file: Path, keys: Mapping[str, Labels], columns: Sequence[str]) -> NDArray[np.float64]:
    """Read a rectangle of numbers whose rows and columns may stand in any order.

    Parameters
    ----------
    file : pathlib.Path
        A csv file with a header.
    keys : mapping of str to Labels
        Leading columns by name, each with its labels; every combination has one row.
    columns : sequence of str
        Names of the columns of numbers.

    Returns
    -------
    ndarray, shape (combinations of keys, columns)

    Raises
    ------
    DataError
        If a row or column is missing, foreign or stands twice, or a cell is not a number.
    """
    header, *rows = read_rows(file)
    expected = [*keys, *columns]
    if sorted(header) != sorted(expected):
        wrong = sorted(set(header) ^ set(expected)) or ["a column that stands twice"]
        raise DataError(f"{file}: row 1: the columns do not fit the labels: {', '.join(wrong[:LISTED])}")
    place = [header.index(column) for column in expected]
    wanted = {key: position for position, key in enumerate(itertools.product(*keys.values()))}
    block = np.full((len(wanted), len(columns)), np.nan)
    for number, row in enumerate(rows, start=2):
        key = tuple(row[column] for column in place[: len(keys)])
        position = wanted.pop(key, None)
        if position is None:
            raise DataError(f"{file}: row {number}: {','.join(key)} stands twice or is not among the labels")
        block[position] = [parse_number(row[column], file, number, header[column]) for column in place[len(keys) :]]
    if wanted:
        raise DataError(f"{file}: no row for {', '.join(':'.join(key) for key in list(wanted)[:LISTED])}")
    return block


def block_rows(keys: Mapping[str, Labels], columns: Sequence[str], block: NDArray[np.float64]) -> Iterable[list[str]]:
    """Rows of a csv file from which `read_block` gives back every bit."""
    yield [*keys, *columns]
    for key, numbers in zip(itertools.product(*keys.values()), block.tolist(), strict=True):
        yield [*key, *(number_text(number) for number in numbers)]


def number_text(number: float) -> str:
    """Shortest text that gives back the number."""
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)


def read_about(file: Path) -> tuple[int, dict[str, str], tuple[str, ...]]:
    """Return year, the other required entries, and the treatments of an ``about.csv``.

    Raises
    ------
    DataError
        If an entry is missing or the numbers are in another unit.
    """
    rows = read_table(file, ("key", "value"))
    about = {key: value for key, value in rows if key != TREATMENT}
    missing = [key for key in ABOUT if not about.get(key)]
    if missing:
        raise DataError(f"{file}: no row for {', '.join(missing)}; add one, as key,value")
    if about.get("unit", UNIT) != UNIT:
        raise DataError(f"{file}: unit is {about['unit']!r}; convert the flows to {UNIT!r}")
    if not about["year"].isdecimal():
        raise DataError(f"{file}: column 'value': year {about['year']!r} is not a whole number")
    named = {key: about[key] for key in ABOUT[1:]}
    return int(about["year"]), named, tuple(value for key, value in rows if key == TREATMENT)


def write_table(folder: Path, contents: Mapping[str, Iterable[Sequence[str]]], labels: tuple[Labels, Labels]) -> None:
    """Write the csv files of a table, by name without ending, into `folder`, which is made if need be.

    Raises
    ------
    DataError
        If a text would not come back when read.
    StoreError
        If the files cannot be written.
    """
    regions, sectors = labels
    about = list(contents["about"])
    for text in (*regions.codes, *sectors.codes, *regions.names, *sectors.names, *(row[1] for row in about)):
        if not text or text != text.strip():
            raise DataError(f"{text!r} would not come back from a csv file; give a text without blanks at its ends")
    parts: dict[str, Iterable[Sequence[str]]] = {
        name: [("code", "name"), *zip(given.codes, given.names, strict=True)]
        for name, given in (("regions", regions), ("sectors", sectors))
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for part, rows in {**parts, **contents, "about": about}.items():
            with (folder / f"{part}.csv").open("w", encoding="utf-8", newline="") as stream:
                csv.writer(stream, lineterminator="\n").writerows(rows)
    except OSError as error:
        raise StoreError(f"{folder}: the table cannot be written: {error}. Choose another folder") from error


def about_rows(table: object, treatments: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Rows of ``about.csv`` of anything that has a year, a source, a licence and a command."""
    entries = [(key, str(getattr(table, key))) for key in ABOUT]
    return [("key", "value"), *entries, ("unit", UNIT), *((TREATMENT, text) for text in treatments)]
