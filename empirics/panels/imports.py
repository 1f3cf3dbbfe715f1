"""Imports of rare earths by code of the Harmonized System, from a file of the user's: values, quantities, unit values.

The slides draw yearly imports from China, of all countries as a line and of Japan as bars, once in thousand tonnes and once
in million USD. The trade data behind them are not shipped; a file downloaded from a statistical office serves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reesim.empirics.files import write_csv, written
from reesim.empirics.panels.checking import Problems, bad_years, number_column, repeated, text_column, where
from reesim.empirics.panels.columns import Column
from reesim.empirics.panels.groups import mistaken
from reesim.empirics.panels.reading import read_cells
from reesim.empirics.panels.schema import told
from reesim.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

HS = {
    "280530": "rare-earth metals, scandium and yttrium",
    "284610": "compounds of cerium",
    "284690": "compounds of other rare earths, yttrium and scandium",
    "360690": "ferro-cerium, other pyrophoric alloys, articles of combustible materials",
}
"""Products of the slides' figures."""

COLUMNS = (
    Column("reporter", "place", "code", "country that imports, ISO 3166 code of three letters"),
    Column("partner", "place", "code", "country of origin"),
    Column("year", "year", "year", "calendar year"),
    Column("hs", "product", "code", "product of the Harmonized System, six digits or more"),
    Column("value_usd", "outcome", "USD", "value of imports", low=0.0),
    Column("quantity_kg", "outcome", "kg", "net weight; empty where it is not known", low=0.0),
)
AGGREGATES = ("WLD", "EUR", "EU", "ROW")
"""Codes that are no single country: with them imports would be counted twice."""

KG_PER_TONNE = 1000.0
MILLION = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class ReeImports:
    """Yearly imports from one country.

    Parameters
    ----------
    annual : pandas.DataFrame
        Columns year, importer (``all``, then the ones named), ``value_musd`` (million USD), ``quantity_kt`` (thousand
        tonnes), ``unit_value`` (USD per kg, over the flows that have both; nan if none has).
    origin : str
        Country of origin.
    products : tuple of str
        Codes that were counted.
    source : str
    notes : tuple of str
        What was left out, and how many flows have no weight.
    """

    annual: pd.DataFrame
    origin: str
    products: tuple[str, ...]
    source: str
    notes: tuple[str, ...]

    def of(self, importer: str) -> pd.DataFrame:
        """Rows of one importer, by year."""
        return self.annual[self.annual["importer"] == importer].set_index("year")


@dataclass(frozen=True, slots=True)
class Report:
    """What was written, for the screen."""

    imports: ReeImports
    files: tuple[Path, ...]

    def lines(self) -> list[str]:
        """Sentences and a small table, without markup."""
        imports = self.imports
        table = [
            f"  {row.year}  {row.value_musd:12,.1f} {row.quantity_kt:12,.3f} {row.unit_value:10,.2f}"
            for row in imports.annual[imports.annual["importer"] == "all"].itertuples()
        ]
        return [
            f"Imports of rare earths from {imports.origin} by all countries. Source: {imports.source}.",
            f"Products: {', '.join(imports.products)}.",
            *imports.notes,
            "  year   million USD    1000 tonnes   USD per kg",
            *table,
            written(self.files),
        ]


def read_imports(
    file: str | Path,
    *,
    products: Sequence[str] = tuple(HS),
    origin: str = "CHN",
    importers: Sequence[str] = ("JPN",),
    source: str = "",
) -> ReeImports:
    """Read flows and add them up by year.

    Parameters
    ----------
    file : path
        csv, json lines or Parquet with columns reporter, partner, year, hs, value_usd, quantity_kg.
    products : sequence of str
        Codes that count; a flow counts if its code begins with one.
    origin : str
        Country of origin.
    importers : sequence of str
        Countries that are shown beside the sum over all.
    source : str, optional
        Where the numbers come from. Default: the name of the file.

    Returns
    -------
    ReeImports

    Raises
    ------
    DataError
        With the problems of the file, by row and column, or if it has no such flow.
    """
    file = Path(file)
    frame = _read(file)
    prefixes = tuple(products)
    if not prefixes:
        raise DataError("no products to count: give codes of the Harmonized System")
    ours = frame[(frame["partner"] == origin) & frame["hs"].str.startswith(prefixes)]
    if ours.empty:
        raise DataError(f"{file}: no imports from {origin} of {', '.join(prefixes)}")
    bare = ours["quantity_kg"].isna()
    notes = [f"{len(frame) - len(ours):,} of {len(frame):,} flows are of other products or from elsewhere."]
    if bare.any():
        share = 100.0 * ours.loc[bare, "value_usd"].sum() / max(ours["value_usd"].sum(), 1e-300)
        notes.append(
            f"{int(bare.sum()):,} flows have no weight, {share:.2g} % of the value: quantities leave them out, unit values too."
        )
    idle = [code for code in prefixes if not ours["hs"].str.startswith(code).any()]
    if idle:
        notes.append(f"No flows of {', '.join(idle)}.")
    return ReeImports(_annual(ours, importers), origin, prefixes, source or file.name, tuple(notes))


def run(
    out: Path, file: str | Path, *, figures: bool = True, products: Sequence[str] = tuple(HS), origin: str = "CHN"
) -> Report:
    """Write ``ree_imports.csv`` and the two figures.

    Parameters
    ----------
    out : path
        Folder that exists.
    file : path
        As in `read_imports`.
    figures : bool
        Whether to draw.
    products, origin
        As in `read_imports`.

    Raises
    ------
    DataError
        As in `read_imports`.
    StoreError
        If a file cannot be written.
    """
    imports = read_imports(file, products=products, origin=origin)
    files = [write_csv(imports.annual, out / "ree_imports.csv")]
    if figures:
        from reesim.empirics.panels.figures import draw_imports

        files += draw_imports(imports, out)
    return Report(imports, tuple(files))


def _read(file: Path) -> pd.DataFrame:
    import pandas as pd

    cells = read_cells(file)
    given = cells.frame
    missing = [column.name for column in COLUMNS if column.name not in given.columns]
    if missing:
        raise DataError(
            f"{file}: no column {', '.join(missing)}; it should have {', '.join(one.name for one in COLUMNS)}"
        )
    problems: Problems = list(cells.problems)
    data = {
        column.name: text_column(given[column.name]) if column.role in ("place", "product") else number_column(
            given[column.name], column, problems
        )
        for column in COLUMNS
    }  # fmt: skip
    frame = pd.DataFrame(data, index=given.index)
    problems += _problems(frame)
    if problems:
        raise DataError(told(str(file), cells.word, sorted(problems)))
    return frame.astype({"year": "int64"})


def _problems(frame: pd.DataFrame) -> Iterator[tuple[int, str]]:
    for name in ("reporter", "partner"):
        wrong = {code: mistaken(code) for code in frame[name].unique()}
        for row in where(frame[name].map(wrong) != ""):
            yield row, f"column {name!r}: {wrong[frame[name][row]]}"
    for row in where(frame["reporter"].isin(AGGREGATES)):
        yield (
            row,
            f"column 'reporter': {frame['reporter'][row]} is no single country (leave it out: it would count twice)",
        )
    for row in where(~frame["hs"].str.fullmatch(r"\d{6}(\d{2}){0,2}")):
        yield row, f"column 'hs': {frame['hs'][row]!r} is not a code of six, eight or ten digits (keep leading zeros)"
    yield from bad_years(frame)
    for row in where(frame["value_usd"].isna()):
        yield row, "column 'value_usd': the cell is empty (give 0 or leave the row out)"
    yield from repeated(frame, ["reporter", "partner", "year", "hs"])


def _annual(flows: pd.DataFrame, importers: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    years = pd.RangeIndex(int(flows["year"].min()), int(flows["year"].max()) + 1, name="year")
    parts = []
    for name in ("all", *importers):
        own = flows if name == "all" else flows[flows["reporter"] == name]
        weighed = own[own["quantity_kg"].notna()]
        sums = own.groupby("year")[["value_usd", "quantity_kg"]].sum().reindex(years, fill_value=0.0)
        both = weighed.groupby("year")[["value_usd", "quantity_kg"]].sum().reindex(years)
        parts.append(
            pd.DataFrame(
                {
                    "year": years, "importer": name, "value_musd": (sums["value_usd"] / MILLION).to_numpy(),
                    "quantity_kt": (sums["quantity_kg"] / (KG_PER_TONNE * 1000.0)).to_numpy(),
                    "unit_value": (both["value_usd"] / both["quantity_kg"].mask(both["quantity_kg"] == 0.0)).to_numpy(),
                }
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)
