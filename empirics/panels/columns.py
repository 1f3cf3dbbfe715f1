"""What a panel holds: its columns by kind, with units, and an empty template of each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reesim.errors import DataError
from reesim.results.whole import write_whole

Kind = Literal["patents", "exports", "productivity"]
Role = Literal["place", "industry", "product", "year", "outcome", "part"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a panel.

    Parameters
    ----------
    name : str
    role : {"place", "industry", "product", "year", "outcome", "part"}
        The first four are keys; a part is an outcome that cannot exceed the first one.
    unit, description : str
    low : float
        Smallest number allowed, for outcomes and parts.
    above : bool
        Whether the smallest number is itself refused.
    needed : bool
        Whether a file must have the column; of the outcomes it must have at least one.
    """

    name: str
    role: Role
    unit: str
    description: str
    low: float = -math.inf
    above: bool = False
    needed: bool = True

    @property
    def key(self) -> bool:
        """Whether the column is part of what names a row."""
        return self.role not in ("outcome", "part")


_YEAR = Column("year", "year", "year", "calendar year")
_COUNTRY = Column("country", "place", "code", "ISO 3166 code of three letters")
_INDUSTRY = Column("industry", "industry", "code", "SIC 1987 (four digits), WIOD (c1 to c35), or a sector of the model")
_GROWTH = Column("growth", "outcome", "log points a year", "annualised growth", needed=False)

COLUMNS: dict[Kind, tuple[Column, ...]] = {
    "patents": (
        Column("region", "place", "code", "region of the assignee: EUR, USA, CHN, RUS, KOR, JPN, AUS, ROW, or a country"),
        Column("sic", "industry", "code", "industry that uses it: SIC 1987 (four digits), or a sector of the model"),
        _YEAR,
        Column("count", "outcome", "patents a year", "patents on rare earths; fractions where several share one", low=0.0),
        Column("enhancing", "part", "patents a year", "of them: enhance their use or replace them", low=0.0, needed=False),
    ),
    "exports": (
        _COUNTRY,
        _INDUSTRY,
        Column("product", "product", "code", "product of the Harmonized System, two to ten digits", needed=False),
        _YEAR,
        Column("value", "outcome", "million USD a year", "exports to all other countries", low=0.0, needed=False),
        _GROWTH,
    ),
    "productivity": (
        _COUNTRY,
        _INDUSTRY,
        _YEAR,
        Column("level", "outcome", "any, the same everywhere", "productivity", low=0.0, above=True, needed=False),
        _GROWTH,
    ),
}  # fmt: skip
"""Columns of each kind of panel, keys first."""


def columns_of(kind: str) -> tuple[Column, ...]:
    """Columns of a kind of panel.

    Raises
    ------
    DataError
        If there is no such kind.
    """
    for known, columns in COLUMNS.items():
        if known == kind:
            return columns
    raise DataError(f"no panel of kind {kind!r}; known: {', '.join(COLUMNS)}")


def template(kind: str, controls: tuple[str, ...] = ()) -> str:
    """First line of a csv file with every column that a panel of this kind can have.

    Raises
    ------
    DataError
        If there is no such kind.
    """
    return ",".join([*(column.name for column in columns_of(kind)), *controls]) + "\n"


def write_template(kind: str, file: Path, controls: tuple[str, ...] = ()) -> Path:
    """Write an empty panel, to be filled in.

    Raises
    ------
    DataError
        If there is no such kind.
    StoreError
        If the file cannot be written.
    """
    return write_whole(file, template(kind, controls).encode())
