"""What can be wrong with a panel, and what is worth knowing of it."""

from __future__ import annotations

import difflib
import functools
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reesim.data.csvfiles import read_table
from reesim.data.facts import DATA
from reesim.empirics.panels.columns import COLUMNS, Column, Kind, columns_of
from reesim.empirics.panels.groups import mistaken
from reesim.labels import LIKENESS

if TYPE_CHECKING:
    import pandas as pd

YEARS = (1900, 2100)
MISSING = ("", "NA", "NaN", "nan")
"""Texts that stand for an empty cell."""

_PRODUCT = re.compile(r"\d{2}|\d{4}|\d{6}|\d{8}|\d{10}", re.ASCII)

Problems = list[tuple[int, str]]


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """A frame that fits the schema, or the problems that keep it from doing so."""

    frame: pd.DataFrame
    problems: Problems
    notes: tuple[str, ...]


def checked(
    kind: Kind, given: pd.DataFrame, controls: tuple[str, ...] = (), industries: Collection[str] | None = None
) -> Checked:
    """Bring a table into the form of the schema and collect everything that is wrong with it.

    Parameters
    ----------
    kind : {"patents", "exports", "productivity"}
    given : pandas.DataFrame
        Cells of any kind; its index is the row in messages.
    controls : tuple of str
        Further columns of numbers.
    industries : collection of str, optional
        Codes that are known.
    """
    import pandas as pd

    wanted = [*columns_of(kind), *(Column(name, "outcome", "", "control", needed=False) for name in controls)]
    missing = list(_missing_columns(kind, given, controls))
    if missing:
        return Checked(given, [(0, text) for text in missing], ())
    there = [column for column in wanted if column.name in given.columns]
    problems: Problems = []
    data = {}
    for column in there:
        cells = given[column.name]
        data[column.name] = (
            text_column(cells) if column.key and column.role != "year" else number_column(cells, column, problems)
        )
    frame = pd.DataFrame(data, index=given.index)
    problems += [*_bad_keys(frame, there, industries), *bad_years(frame), *_bad_parts(frame, there)]
    keys = [column.name for column in there if column.key]
    problems += repeated(frame, keys)
    if problems:
        return Checked(frame, sorted(problems), ())
    if frame.empty:
        return Checked(frame, [(0, "there are no rows below the header")], ())
    frame["year"] = frame["year"].astype("int64")
    frame = frame.reset_index(drop=True)
    return Checked(frame, [], tuple(_notes(frame, there, keys)))


def _missing_columns(kind: Kind, given: pd.DataFrame, controls: tuple[str, ...]) -> Iterator[str]:
    found = [str(name) for name in given.columns]
    yield from columns_twice(found)
    columns = columns_of(kind)
    needed = [column.name for column in columns if column.needed] + list(controls)
    # A name that some kind of panel has is no misspelling of another.
    strange = [name for name in found if not any(name == column.name for part in COLUMNS.values() for column in part)]
    for name in needed:
        if name not in found:
            near = difflib.get_close_matches(name, strange, n=1, cutoff=LIKENESS)
            told = f"found: {', '.join(found)}"
            advice = "did you mean {!r}?" if name in controls else "is it {!r}? rename it"
            yield f"no column {name!r} ({advice.format(near[0]) if near else told})"
    outcomes = [column.name for column in columns if column.role == "outcome"]
    if not set(outcomes) & set(found):
        yield f"no outcome (give a column {' or '.join(outcomes)})"


def columns_twice(found: list[str]) -> Iterator[str]:
    """Names that stand twice in a header."""
    for name in dict.fromkeys(name for name in found if found.count(name) > 1):
        yield f"column {name!r} stands twice (keep one)"


def text_column(cells: pd.Series) -> pd.Series:
    """Codes as text: whole numbers lose the point that a missing neighbour gave them."""
    import pandas as pd

    def one(cell: object) -> str:
        if cell is None or (isinstance(cell, float) and math.isnan(cell)) or cell is pd.NA:
            return ""
        if isinstance(cell, float | np.floating) and float(cell).is_integer():
            return str(int(cell))
        return str(cell).strip()

    codes, uniques = pd.factorize(cells.astype(object), use_na_sentinel=False)
    return pd.Series(np.array([one(cell) for cell in uniques], dtype=object)[codes], index=cells.index, dtype=object)


def number_column(cells: pd.Series, column: Column, problems: Problems) -> pd.Series:
    """Numbers, nan where a cell is empty; what is neither is a problem."""
    import pandas as pd

    if pd.api.types.is_bool_dtype(cells):
        problems += [(where(cells.notna())[0], f"column {column.name!r} holds true and false (give numbers)")]
    if pd.api.types.is_numeric_dtype(cells):
        numbers = pd.Series(cells.to_numpy(dtype=np.float64, na_value=np.nan), index=cells.index)
        empty = numbers.isna()
    else:
        text = cells.astype(object).where(cells.notna(), "").astype(str).str.strip()
        empty = text.isin(MISSING)
        numbers = pd.to_numeric(text.where(~empty, "nan"), errors="coerce").astype(np.float64)
    wrong = (numbers.isna() & ~empty) | np.isinf(numbers)
    for row in where(wrong):
        advice = "no separators of thousands" if "," in str(cells[row]) else "give a number, or leave it empty"
        problems.append((row, f"column {column.name!r}: {cells[row]!r} is not a finite number ({advice})"))
    low = numbers <= column.low if column.above else numbers < column.low
    bound = "above 0" if column.above else f"{column.low:g} or more"
    problems += [
        (row, f"column {column.name!r}: {cells[row]!s} is too small (should be {bound})") for row in where(low)
    ]
    if column.role == "year":
        problems += [(row, "column 'year': the cell is empty (give a year)") for row in where(empty)]
    return numbers


def _bad_keys(
    frame: pd.DataFrame, columns: Iterable[Column], industries: Collection[str] | None
) -> Iterator[tuple[int, str]]:
    for column in columns:
        if not column.key or column.role == "year":
            continue
        cells = frame[column.name]
        wrong: Mapping[str, str] = {}
        codes = [str(code) for code in cells.unique()]
        if column.role == "place":
            wrong = {code: mistaken(code) for code in codes}
        elif column.role == "industry":
            wrong = _bad_industries(codes, industries)
        elif column.role == "product":
            wrong = {code: _bad_product(code) for code in codes}
        said = {
            code: "the cell is empty (give a code)" if code == "" else text
            for code, text in wrong.items()
            if text or not code
        }
        for row in where(cells.isin(list(said))):
            yield row, f"column {column.name!r}: {said[cells[row]]}"


def _bad_product(code: str) -> str:
    if _PRODUCT.fullmatch(code):
        return ""
    advice = f"is it 0{code}, as text?" if _PRODUCT.fullmatch(f"0{code}") else "two to ten digits, two by two"
    return f"{code!r} is not a code of the Harmonized System ({advice})"


@functools.cache
def classifications() -> Mapping[str, frozenset[str]]:
    """Codes of industries that panels may use, by the name of the classification; SIC of manufacturing only."""
    from reesim.empirics.iotable.concordance import read_links

    wiod = read_table(DATA / "wiod_sectors_14.csv", ("code_from", "code", "name"))
    return {
        "SIC 1987": frozenset(str(code) for code in read_links().descriptions.index),
        "WIOD": frozenset(code for code, _, _ in wiod),
        "the model": frozenset(sector for _, sector, _ in wiod),
    }


def _bad_industries(codes: list[str], known: Collection[str] | None) -> dict[str, str]:
    """What is wrong with codes of industries; a file keeps to one classification."""
    if known is not None:
        return {code: _unknown(code, known) for code in codes if code not in known}
    wrong, used = {}, {}
    for code in codes:
        home = next((name for name, list_ in classifications().items() if code in list_), "")
        if not home and re.fullmatch(r"\d{4}", code, re.ASCII) and not "2000" <= code < "4000":
            home = "SIC 1987"  # outside manufacturing, which the list does not hold; a note counts them
        if home:
            used[code] = home
        else:
            wrong[code] = _unknown(code, set().union(*classifications().values()))
    homes = list(dict.fromkeys(used.values()))
    if len(homes) > 1:
        main = max(homes, key=list(used.values()).count)
        wrong |= {
            code: f"{code!r} is a code of {home}, most others are of {main} (keep to one classification)"
            for code, home in used.items() if home != main
        }  # fmt: skip
    return wrong


def _unknown(code: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(code, sorted(known), n=1, cutoff=LIKENESS)
    return f"no industry {code!r} ({f'did you mean {near[0]!r}?' if near else 'give SIC 1987, WIOD or the model, one of them'})"


def bad_years(frame: pd.DataFrame) -> Iterator[tuple[int, str]]:
    """Rows whose column ``year`` holds a number that is no year."""
    year = frame["year"]
    low, high = YEARS
    wrong = year.notna() & ((year % 1.0 != 0.0) | (year < low) | (year > high))
    for row in where(wrong):
        yield row, f"column 'year': {year[row]:g} is not a year (a whole number, {low} to {high})"


def _bad_parts(frame: pd.DataFrame, columns: Iterable[Column]) -> Iterator[tuple[int, str]]:
    names = [column.name for column in columns if column.role == "outcome"]
    for column in columns:
        if column.role == "part" and names:
            # Sums of the same fractions may differ in their last digits.
            wrong = frame[column.name] > frame[names[0]] * (1.0 + 1e-9)
            for row in where(wrong):
                yield (
                    row,
                    (
                        f"column {column.name!r}: {frame[column.name][row]:g} is more than {names[0]}, "
                        f"{frame[names[0]][row]:g} (it is a part of it)"
                    ),
                )


def repeated(frame: pd.DataFrame, keys: list[str]) -> Iterator[tuple[int, str]]:
    """Rows that have the keys, the year among them, of an earlier one."""
    again = frame.duplicated(keys) & frame["year"].notna()
    if not again.any():
        return
    first = frame.assign(_row=frame.index).groupby(keys, sort=False, dropna=False)["_row"].transform("first")
    for row in where(again):
        label = ", ".join(f"{frame[key][row]:g}" if key == "year" else str(frame[key][row]) for key in keys)
        yield row, f"{label} stands twice, first in row {first[row]} (keep one, or add them up)"


def _notes(frame: pd.DataFrame, columns: list[Column], keys: list[str]) -> Iterator[str]:
    for column in columns:
        empty = int(frame[column.name].isna().sum()) if not column.key else 0
        if empty:
            yield f"{empty:,} of {len(frame):,} rows have no {column.name}."
        if column.role == "industry":
            outside = frame[column.name].str.fullmatch(r"\d{4}") & ~frame[column.name].between("2000", "3999")
            if outside.any():
                yield f"{int(outside.sum()):,} rows are of industries outside manufacturing."
    units = [key for key in keys if key != "year"]
    spans = frame.groupby(units, sort=False)["year"].agg(["min", "max", "size"])
    years = np.unique(frame["year"].to_numpy())  # a year that nobody has is no gap: some panels are biennial
    inside = np.searchsorted(years, spans["max"].to_numpy()) - np.searchsorted(years, spans["min"].to_numpy()) + 1
    holes = inside - spans["size"].to_numpy()
    if (holes > 0).any():
        yield (
            f"{int((holes > 0).sum()):,} of {len(spans):,} units have gaps, {int(holes.sum()):,} years in all: "
            "a row that is missing is not a zero."
        )


def where(mask: pd.Series) -> list[int]:
    """Rows in which something holds."""
    return [int(str(row)) for row in mask.index[mask.to_numpy(dtype=bool, na_value=False)]]
