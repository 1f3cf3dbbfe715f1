"""Numbers and tables as plain text: four significant digits without an exponent, round-off as zero, columns of equal width."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

DIGITS = 4
"""Significant digits in every table."""

NOISE = 1e-10
"""Per cent below which a change is round-off: residuals are certified to 1e-10 of one, not of a hundred."""


def rounded(value: float, digits: int = DIGITS) -> float:
    """Round to significant digits; what is not finite, and zero, stay as they are."""
    if value == 0.0 or not math.isfinite(value):
        return float(value) + 0.0  # zero loses its sign
    return float(f"{value:.{digits - 1}e}")


def without_noise(per_cent: NDArray[np.float64], least: float = NOISE) -> NDArray[np.float64]:
    """Changes in per cent, those that are smaller than any certificate promises as zero, without a sign."""
    return np.where(np.abs(per_cent) < least, 0.0, per_cent)


def date_words(stamp: pd.Timestamp) -> str:
    """Write a date as a month where it is the first of one."""
    return f"{stamp:%Y-%m}" if stamp.day == 1 else f"{stamp:%Y-%m-%d}"


def tidied(table: pd.DataFrame) -> pd.DataFrame:
    """Round numbers and write dates as text."""
    columns: dict[Any, Any] = {}
    for name in table:
        column = table[name]
        if column.dtype.kind == "M":
            columns[name] = [date_words(stamp) for stamp in column]
        elif column.dtype.kind == "f":
            columns[name] = [rounded(value) for value in column]
        else:
            columns[name] = column.to_numpy()
    return type(table)(columns, index=table.index)


def cell(value: object) -> str:
    """Text of a cell: numbers shortly, empty where missing."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float | np.floating):
        return "" if math.isnan(value) else number(float(value))
    return "" if value is None else str(value)


def number(value: float) -> str:
    """Four significant digits without an exponent, so that sizes can be compared at a glance; zero has no sign.

    What is not finite, or as small or large as no result is, keeps the exponent.
    """
    if value == 0.0 or not 1e-12 <= abs(value) < 1e15:
        return f"{value + 0.0:.{DIGITS}g}"
    decimals = max(0, DIGITS - 1 - math.floor(math.log10(abs(rounded(value)))))
    return f"{rounded(value):,.{decimals}f}"


def aligned(cells: list[list[str]]) -> list[str]:
    """Columns of equal width: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rows = []
    for first, *others in cells:
        right = (text.rjust(width) for text, width in zip(others, widths[1:], strict=True))
        rows.append("  ".join([first.ljust(widths[0]), *right]).rstrip())
    return rows


def as_text(table: pd.DataFrame) -> str:
    """Any of these tables as plain text, nothing cut off: text to the left, numbers with four significant digits."""
    columns = []
    for name in table:
        texts = [str(name), *(cell(value) for value in table[name])]
        width = max(map(len, texts))
        numeric = table[name].dtype.kind in "fiu"
        columns.append([text.rjust(width) if numeric else text.ljust(width) for text in texts])
    return "\n".join("  ".join(row).rstrip() for row in zip(*columns, strict=True))


def period_words(start: pd.Timestamp, end: pd.Timestamp) -> str:
    """Write a period shortly: a day, a month, a year, or its first and last month."""
    if start == end:
        return f"{start:%Y-%m-%d}"
    if not (start.is_month_start and end.is_month_end):
        return f"{start:%Y-%m-%d} to {end:%Y-%m-%d}"
    if start.is_year_start and end.is_year_end:
        return f"{start:%Y}" if start.year == end.year else f"{start:%Y} to {end:%Y}"
    months = (f"{start:%Y-%m}", f"{end:%Y-%m}")
    return months[0] if months[0] == months[1] else " to ".join(months)
