"""Panels of technology and factor prices by region, sector and year: read, made of counts, or observed in the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from reesim.empirics.panels.checking import (
    Problems,
    bad_years,
    columns_twice,
    number_column,
    repeated,
    text_column,
    where,
)
from reesim.empirics.panels.columns import Column
from reesim.errors import DataError, InputError

if TYPE_CHECKING:
    import pandas as pd

    from reesim.economy import Economy
    from reesim.results.path import Path as Result
    from reesim.scenario import Scenario

KEYS = ("region", "sector", "year")
TECHNOLOGY = ("a_r", "a_l")
COLUMNS = (
    Column("region", "place", "code", "region of the researchers"),
    Column("sector", "industry", "code", "sector"),
    Column("year", "year", "year", "calendar year"),
    Column("a_r", "outcome", "any", "technology in the rare-earth bundle, or the patents that stand for it", low=0.0),
    Column("a_l", "outcome", "any", "the same in the labour bundle", low=0.0),
    Column("w_r", "outcome", "any", "user price of rare earths", low=0.0, above=True),
    Column("w_l", "outcome", "any", "wage", low=0.0, above=True),
)


@dataclass(frozen=True, slots=True, eq=False)
class FactorPanel:
    """Measures of technology and factor prices; whatever made it, it has passed the same checks.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns region, sector (text), year (whole number); ``a_r`` and ``a_l``, technology in the two bundles or the patents
        that stand for it, 0 or more; ``w_r`` and ``w_l``, user price of rare earths and the wage, above 0, in any unit
        that is the same everywhere; and the instruments, any number.
    source : str
        Where the numbers come from, in words.
    instruments : tuple of str
        Columns that move prices and have no other way to technology.

    Raises
    ------
    DataError
        With all problems of the table.
    """

    frame: pd.DataFrame
    source: str
    instruments: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        from reesim.empirics.panels.schema import told

        rows = self.frame.set_axis(range(1, len(self.frame) + 1), axis=0)
        frame, problems = _checked(rows, tuple(self.instruments))
        if problems:
            raise DataError(told(self.source, "row", problems))
        object.__setattr__(self, "instruments", tuple(self.instruments))
        object.__setattr__(self, "frame", frame.sort_values(list(KEYS), kind="stable", ignore_index=True))

    @property
    def sectors(self) -> tuple[str, ...]:
        """Codes, in the order of the alphabet."""
        return tuple(sorted(self.frame["sector"].unique()))

    def lines(self) -> Iterator[str]:
        """What the panel is, in a sentence."""
        frame = self.frame
        yield (
            f"Panel: {len(frame):,} rows, {frame['region'].nunique()} regions, {len(self.sectors)} sectors, "
            f"{frame['year'].min()} to {frame['year'].max()}. Source: {self.source}."
        )


def read_factor_panel(file: str | Path, instruments: Sequence[str] = (), *, source: str = "") -> FactorPanel:
    """Read a panel of the user's.

    Parameters
    ----------
    file : path
        ``.csv`` or ``.jsonl`` (both also ``.gz``), or ``.parquet``, with the columns of `FactorPanel`.
    instruments : sequence of str
        Further columns of numbers to keep.
    source : str, optional
        By default the name of the file.

    Raises
    ------
    DataError
        If the file cannot be read, or with its problems by file, row and column.
    """
    from reesim.empirics.panels.reading import read_cells
    from reesim.empirics.panels.schema import told

    file = Path(file)
    cells = read_cells(file)
    frame, problems = _checked(cells.frame, tuple(instruments))
    problems = sorted([*cells.problems, *problems])
    if problems:
        raise DataError(told(str(file), cells.word, problems))
    return FactorPanel(frame, source or file.name, tuple(instruments))


def stocks(panel: FactorPanel, obsolescence: float) -> FactorPanel:
    """Return the panel with stocks of patents in place of yearly counts.

    A stock keeps 1 - obsolescence of the year before and adds the year's patents; it starts where the first year's
    patents would hold it, at patents/obsolescence.

    Raises
    ------
    InputError
        If the rate is not above 0 and at most 1.
    DataError
        If years are missing in between.
    """
    import pandas as pd

    if not 0.0 < obsolescence <= 1.0:
        raise InputError(f"a rate of obsolescence of {obsolescence:g}: should be above 0 and at most 1")
    parts = []
    for (region, sector), rows in panel.frame.groupby(["region", "sector"], sort=False):
        part = rows.sort_values("year")
        if (np.diff(part["year"]) != 1).any():
            raise DataError(
                f"{panel.source}: {region}, {sector}: a stock needs every year between the first and the last"
            )
        flow = part[list(TECHNOLOGY)].to_numpy(dtype=float)
        level = np.empty_like(flow)
        level[0] = flow[0] / obsolescence
        for year in range(1, len(flow)):
            level[year] = (1.0 - obsolescence) * level[year - 1] + flow[year]
        parts.append(part.assign(**dict(zip(TECHNOLOGY, level.T, strict=True))))
    note = f"{panel.source}; stocks at an obsolescence of {obsolescence:g} a year"
    return FactorPanel(pd.concat(parts), note, panel.instruments)


def panel_from_equilibria(scenario: Scenario, years: Iterable[int], *, economy: Economy | None = None) -> FactorPanel:
    """Observe the static equilibria of a scenario's policy, one a year: where (24) holds exactly, by (8).

    Parameters
    ----------
    scenario : Scenario
        With rare earths and endogenous technology.
    years : iterable of int
        Each is solved at the policy of its days.
    economy : Economy, optional
        The scenario's baseline, when it is at hand.

    Raises
    ------
    ConvergenceError
        If a year has no equilibrium.
    InputError
        If the scenario has no rare earths, or no technology that moves.
    """
    from reesim.equilibrium import baseline, solve

    _require_direction(scenario)
    economy = economy or baseline(scenario)
    found = {year: solve(scenario, str(year), economy=economy).values for year in years}
    if not found:
        raise InputError("no years were given: name at least one")
    values = {
        name: np.stack([one[name] for one in found.values()])
        for name in ("A_R", "A_L", "ree_price", "wage", "ree_wedge")
    }
    note = f"SIMULATED: static equilibria of {scenario.name}, by year"
    return _observed(scenario, tuple(found), values, note)


def panel_from_path(path: Result, scenario: Scenario) -> FactorPanel:
    """Observe a simulated path: yearly means of technology and prices, which need not be in their long run.

    Raises
    ------
    InputError
        If the scenario has no rare earths, or no technology that moves, or a variable is not kept in the path.
    """
    _require_direction(scenario)
    years = np.asarray(path.times.year)
    named = tuple(int(year) for year in np.unique(years))
    values = {
        name: np.stack([path.array(name)[years == year].mean(axis=0) for year in named])
        for name in ("A_R", "A_L", "ree_price", "wage", "ree_wedge")
    }
    return _observed(scenario, named, values, f"SIMULATED: yearly means of the path of {scenario.name}")


def _require_direction(scenario: Scenario) -> None:
    if scenario.world.exporter is None or scenario.technology != "endogenous":
        raise InputError(f"{scenario.name}: a panel of (24) needs rare earths and endogenous technology")


def _observed(scenario: Scenario, years: tuple[int, ...], values: dict[str, np.ndarray], source: str) -> FactorPanel:
    import pandas as pd

    world = scenario.world
    used = [k for k, code in enumerate(world.sectors) if code in world.users(scenario.parameters.gamma)]
    sectors = [world.sectors.codes[k] for k in used]
    index = pd.MultiIndex.from_product([years, world.regions.codes, sectors], names=["year", "region", "sector"])
    frame = index.to_frame(index=False)
    for column, name in zip(TECHNOLOGY, ("A_R", "A_L"), strict=True):
        frame[column] = values[name][:, :, used].ravel()
    for column, name in (("w_r", "ree_price"), ("w_l", "wage")):
        frame[column] = np.repeat(values[name].ravel(), len(used))
    frame["policy"] = np.repeat(np.log(values["ree_wedge"]).ravel(), len(used))
    return FactorPanel(frame, source, ("policy",))


def _checked(given: pd.DataFrame, instruments: tuple[str, ...]) -> tuple[pd.DataFrame, Problems]:
    """The columns that are needed, typed, and what is wrong with them by row, which is the index."""
    import pandas as pd

    columns = (*COLUMNS, *(Column(name, "outcome", "", "instrument") for name in instruments))
    found = [str(name) for name in given.columns]
    missing = [one.name for one in columns if one.name not in found]
    own = {one.name for one in COLUMNS}
    wrong = list(columns_twice(found))
    wrong += [f"column {name!r} is part of (24) itself and no instrument for it" for name in instruments if name in own]
    if missing:
        wrong.append(f"no column {', '.join(missing)}; needed are {', '.join(one.name for one in columns)}")
    if wrong:
        return given, [(0, text) for text in wrong]
    problems: Problems = []
    data = {one.name: _column(given[one.name], one, problems) for one in columns}
    frame = pd.DataFrame(data, index=given.index)
    problems += [*bad_years(frame), *repeated(frame, list(KEYS))]
    if not len(frame):
        problems.append((0, "there are no rows"))
    return (frame.astype({"year": int}) if not problems else frame), problems


def _column(cells: pd.Series, column: Column, problems: Problems) -> pd.Series:
    """Cells, typed; none may be empty."""
    if column.key and column.role != "year":
        text = text_column(cells)
        problems += [(row, f"column {column.name!r}: the cell is empty (give a code)") for row in where(text == "")]
        return text
    told: Problems = []
    numbers = number_column(cells, column, told)
    known = {row for row, _ in told}
    empty = [row for row in where(numbers.isna()) if row not in known]
    problems += [*told, *((row, f"column {column.name!r}: the cell is empty (give a number)") for row in empty)]
    return numbers
