"""Region and year of a patent: from the country of its assignee, and from the date of its grant or application."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal, get_args

from reesim.data.csvfiles import read_rows
from reesim.empirics.files import OWN_DATA
from reesim.empirics.patents.records import Bad
from reesim.errors import DataError

TABLE = OWN_DATA / "patent_regions.csv"
REGIONS = ("EUR", "USA", "CHN", "RUS", "KOR", "JPN", "AUS", "ROW")
"""The slides' regions."""

EARLIEST, LATEST = 1790, 2100
Assignees = Literal["first", "fractional"]
When = Literal["grant", "application"]

_DATE = re.compile(r"(\d{4})(?:([-/.]?)(\d{2})(?:\2(\d{2}))?)?(?:[T ].*)?")


@dataclass(frozen=True, slots=True)
class Place:
    """Regions that a patent counts in, with shares that sum to one."""

    shares: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Assignment:
    """How region and year are taken.

    Parameters
    ----------
    assignees : {"first", "fractional"}
        Of several assignees the first that has a country, or an equal share to each that has.
    when : {"grant", "application"}
        The date whose year counts.
    regions : mapping of str to str, optional
        Region by code of a country in capital letters; by default those of ``data/patent_regions.csv``.

    Raises
    ------
    DataError
        If a choice is not one of these.
    """

    assignees: Assignees = "first"
    when: When = "grant"
    regions: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        for value, allowed in ((self.assignees, get_args(Assignees)), (self.when, get_args(When))):
            if value not in allowed:
                raise DataError(f"{value!r} should be one of {', '.join(allowed)}")

    def place(self, countries: Iterable[str]) -> Place | Bad:
        """Regions of a patent's assignees; codes that no table knows are bad, as they may hide any region."""
        codes = [code for code in (country.strip().upper() for country in countries) if code]
        if not codes:
            return Bad("no assignee country")
        table = self.regions if self.regions is not None else shipped_regions()
        taken = codes[:1] if self.assignees == "first" else codes
        unknown = [code for code in taken if code not in table]
        if unknown:
            return Bad("unknown country", f"{unknown[0]!r} is no code of a country, nor its name")
        shares: dict[str, float] = {}
        for code in taken:
            shares[table[code]] = shares.get(table[code], 0.0) + 1.0 / len(taken)
        return Place(tuple(shares.items()))

    def year(self, granted: object, applied: object) -> int | Bad:
        """Year that counts."""
        return year_of(granted if self.when == "grant" else applied, self.when)

    def words(self) -> str:
        """What was chosen, in words."""
        whose = "the first assignee" if self.assignees == "first" else "all assignees, in equal shares"
        return f"region of {whose}, year of {self.when}"


def year_of(value: object, name: str = "grant") -> int | Bad:
    """Year of a date: a date, a whole number like 20130709, or text that begins with the year.

    Returns
    -------
    int or Bad
        Nothing, an empty text and 0 are missing dates; anything else that is no date is bad.
    """
    if value is None or value == "" or value == 0 or value == "0":
        return Bad(f"no date of {name}")
    if isinstance(value, date):  # and so a datetime or a pandas.Timestamp
        return value.year
    text = str(value).strip()
    found = _DATE.fullmatch(text)
    parts = [int(part) for part in found.group(1, 3, 4) if part] if found else []
    if not parts or not EARLIEST <= parts[0] <= LATEST or not _is_day(*parts):
        return Bad(f"no valid date of {name}", f"{text[:40]!r}: give 2013-07-09, 20130709 or a year from {EARLIEST} on")
    return parts[0]


def _is_day(year: int, month: int = 1, day: int = 1) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def read_regions(file: Path = TABLE) -> dict[str, str]:
    """Read which region a country belongs to.

    Parameters
    ----------
    file : path
        Columns code and region; code3 and name (other ways to write the country) if there. Others are not read.

    Returns
    -------
    dict
        Region by every way to write a country, in capital letters.

    Raises
    ------
    DataError
        If the file cannot be read, a cell is empty, or a country stands twice with different regions.
    """
    header, *rows = read_rows(file)
    missing = [name for name in ("code", "region") if name not in header]
    if missing:
        raise DataError(f"{file}: row 1: no column {', '.join(missing)}; the header must have code,region")
    keys = [header.index(name) for name in ("code", "code3", "name") if name in header]
    found: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        region = row[header.index("region")]
        if not region or not row[keys[0]]:
            raise DataError(f"{file}: row {number}: code and region must not be empty")
        for key in (row[place].upper() for place in keys if row[place]):
            if found.setdefault(key, region) != region:
                raise DataError(f"{file}: row {number}: {key} stands twice, in {found[key]} and in {region}; keep one")
    return found


@functools.cache
def shipped_regions() -> Mapping[str, str]:
    """The regions that come with the package; read once, not to be changed."""
    return read_regions()
