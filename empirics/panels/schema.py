"""Panels: validated tidy tables of patents, exports or productivity by place, industry and year.

Everything wrong with a file is told together, by file, row and column, with what to do. What is not wrong but should be
known (years that are missing, outcomes that are empty, columns that are not used) stands in the panel's notes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from reesim.empirics.panels.columns import Column, Kind, columns_of
from reesim.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

FIRST = 20
"""Problems that are told one by one before the rest are only counted."""


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """A table to estimate on; whatever made it, it has passed the same checks.

    Parameters
    ----------
    kind : {"patents", "exports", "productivity"}
    frame : pandas.DataFrame
        Tidy: key columns of text, ``year`` as whole numbers, outcomes and controls as float64, nan where empty. A copy
        is kept, its columns in the order of the schema and its rows numbered from 0.
    source : str
        Where the numbers come from, in words.
    unverified : str
        What of them is not verified, in words; empty if everything is.
    controls : tuple of str
        Further columns of numbers.
    industries : collection of str, optional
        Codes of industries that are known. Default: SIC 1987, WIOD, or sectors of the model, one of them throughout.
    notes : tuple of str
        What should be known of it; counts of gaps and empty cells are added.

    Raises
    ------
    DataError
        With all problems of the table.
    """

    kind: Kind
    frame: pd.DataFrame
    source: str
    unverified: str = ""
    controls: tuple[str, ...] = ()
    industries: Collection[str] | None = None
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        from reesim.empirics.panels.checking import checked

        object.__setattr__(self, "controls", tuple(self.controls))
        rows = self.frame.set_axis(range(1, len(self.frame) + 1), axis=0)
        found = checked(self.kind, rows, self.controls, self.industries)
        if found.problems:
            raise DataError(told(self.source, "row", found.problems))
        object.__setattr__(self, "frame", found.frame)
        object.__setattr__(self, "notes", tuple(dict.fromkeys((*self.notes, *found.notes))))

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of the schema that are there, in order."""
        return tuple(column for column in columns_of(self.kind) if column.name in self.frame.columns)

    @property
    def place(self) -> str:
        """Name of the column of countries or regions."""
        return next(column.name for column in self.columns if column.role == "place")

    @property
    def industry(self) -> str:
        """Name of the column of industries."""
        return next(column.name for column in self.columns if column.role == "industry")

    @property
    def units(self) -> tuple[str, ...]:
        """Key columns but for the year: what is followed over time."""
        return tuple(column.name for column in self.columns if column.key and column.role != "year")

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Names of the outcomes that are there."""
        return tuple(column.name for column in self.columns if not column.key)

    def given_notes(self) -> tuple[str, ...]:
        """Notes but for those that the table itself gives, which are counted anew for a table made of this one."""
        from reesim.empirics.panels.checking import checked

        own = checked(self.kind, self.frame, self.controls, self.industries).notes
        return tuple(text for text in self.notes if text not in own)

    def __len__(self) -> int:
        return len(self.frame)

    def lines(self) -> Iterator[str]:
        """What the panel is, in sentences: size, source, what is unverified, notes."""
        frame = self.frame
        years = f"{frame['year'].min()} to {frame['year'].max()}" if len(frame) else "no years"
        units = len(frame[list(self.units)].drop_duplicates())
        yield f"Panel of {self.kind}: {len(frame):,} rows, {units:,} units, {years}. Source: {self.source}."
        if self.unverified:
            yield f"Unverified: {self.unverified}."
        yield from self.notes


def read_panel(
    file: str | Path,
    kind: Kind,
    controls: Sequence[str] = (),
    *,
    industries: Collection[str] | None = None,
    source: str = "",
) -> Panel:
    """Read a panel of the user's.

    Parameters
    ----------
    file : path
        ``.csv`` or ``.jsonl`` (both also ``.gz``), or ``.parquet``, which needs pyarrow.
    kind : {"patents", "exports", "productivity"}
    controls : sequence of str
        Columns of numbers to keep beside those of the schema.
    industries : collection of str, optional
        Codes of industries that are known, if they are neither SIC 1987, nor WIOD, nor sectors of the model.
    source : str, optional
        Where the numbers come from. Default: the name of the file.

    Returns
    -------
    Panel

    Raises
    ------
    DataError
        If the file cannot be read, or with its problems, the first 20 one by one, by file, row and column.
    """
    from reesim.empirics.panels.checking import checked
    from reesim.empirics.panels.reading import read_cells

    file = Path(file)
    cells = read_cells(file)
    found = checked(kind, cells.frame, tuple(controls), industries)
    problems = sorted({*cells.problems, *(found.problems if len(cells.frame) or not cells.problems else [])})
    if problems:
        raise DataError(told(str(file), cells.word, problems))
    unused = [str(name) for name in cells.frame.columns if name not in found.frame.columns]
    notes = (f"Columns that are not used: {', '.join(unused)}.",) if unused else ()
    return Panel(kind, found.frame, source or file.name, "", tuple(controls), industries, notes)


def with_zeros(panel: Panel) -> Panel:
    """Return a panel of patents in which every industry of a region has every year: what is not there is a zero.

    Lists of patents have no rows where nobody patented. Leaving them out of a count regression is not the same as zeros.

    Raises
    ------
    DataError
        If it is not a panel of patents, or it has controls, which are not known where rows are missing.
    """
    import pandas as pd

    if panel.kind != "patents" or panel.controls:
        raise DataError("zeros can be filled in for patents without controls only; give all rows")
    frame = panel.frame
    years = range(int(frame["year"].min()), int(frame["year"].max()) + 1) if len(frame) else range(0)
    units = frame[list(panel.units)].drop_duplicates()
    whole = units.merge(pd.DataFrame({"year": list(years)}), how="cross")
    full = whole.merge(frame.assign(_there=True), how="left", on=[*panel.units, "year"])
    new = full["_there"].isna()
    full.loc[new, list(panel.outcomes)] = 0.0
    notes = (*panel.given_notes(), f"{int(new.sum()):,} rows of zero patents were added.")
    return Panel(panel.kind, full.drop(columns="_there"), panel.source, panel.unverified, (), panel.industries, notes)


def told(place: str, word: str, problems: Sequence[tuple[int, str]]) -> str:
    """Problems as the text of an error: the first ones a line each, the rest counted."""
    lines = [f"{place}: {word} {row}: {text}" if row else f"{place}: {text}" for row, text in problems[:FIRST]]
    if len(problems) > FIRST:
        lines.append(f"... and {len(problems) - FIRST:,} more problems")
    return "\n".join(lines)
