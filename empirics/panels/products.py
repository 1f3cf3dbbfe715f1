"""Exports by product of the Harmonized System, brought to industries by a concordance of the user's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reesim.data.csvfiles import parse_number, read_rows
from reesim.empirics.panels.growth import annual_growth
from reesim.empirics.panels.schema import Panel
from reesim.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

WEIGHTS_TOLERANCE = 1e-6
"""Weights of a product may miss one by what rounding to six digits makes of them."""


@dataclass(frozen=True, slots=True)
class Concordance:
    """Industries of each product, with weights that add to one.

    Parameters
    ----------
    weights : mapping of str to mapping of str to float
        By product (two to ten digits), then by industry. A product that is not there takes those of its longest prefix.
    source : str
    """

    weights: Mapping[str, Mapping[str, float]]
    source: str

    def of(self, product: str) -> Mapping[str, float]:
        """Industries of a product with their weights; empty if no prefix of it is known."""
        for digits in range(len(product), 1, -1):
            found = self.weights.get(product[:digits])
            if found is not None:
                return found
        return {}


def read_concordance(file: str | Path) -> Concordance:
    """Read a csv file with columns product, industry and, where a product has several, weight.

    Raises
    ------
    DataError
        By row and column; weights of a product that do not add to one included.
    """
    file = Path(file)
    header, *rows = read_rows(file)
    if missing := [name for name in ("product", "industry") if name not in header]:
        raise DataError(
            f"{file}: row 1: no column {', '.join(missing)}; it should have product, industry and perhaps weight"
        )
    weights: dict[str, dict[str, float]] = {}
    for number, row in enumerate(rows, start=2):
        cells = dict(zip(header, row, strict=True))
        product, industry = cells["product"], cells["industry"]
        if not (product.isdecimal() and 2 <= len(product) <= 10) or not industry:
            raise DataError(f"{file}: row {number}: {product!r}, {industry!r}: give two to ten digits and an industry")
        weight = parse_number(cells["weight"], file, number, "weight") if "weight" in cells else 1.0
        if weight <= 0.0 or industry in weights.setdefault(product, {}):
            raise DataError(f"{file}: row {number}: {product}, {industry}: once only, with a weight above 0")
        weights[product][industry] = weight
    for product, parts in weights.items():
        if abs(sum(parts.values()) - 1.0) > WEIGHTS_TOLERANCE:
            raise DataError(
                f"{file}: product {product}: weights add to {sum(parts.values()):g}, not 1; add a column weight that says "
                f"how much of it is of {', '.join(parts)}"
            )
    return Concordance(weights, file.name)


def read_products(file: str | Path, concordance: Concordance, *, source: str = "") -> Panel:
    """Read exports by country, product and year, and give each product its industry.

    Parameters
    ----------
    file : path
        csv, json lines or Parquet with columns country, product, year, value.
    concordance : Concordance
    source : str, optional
        Where the numbers come from. Default: the name of the file.

    Returns
    -------
    Panel
        Of kind exports with products; a product of several industries stands once in each, its value split. Growth is
        that of the product, in log points from the year before. Products without an industry are left out and counted.

    Raises
    ------
    DataError
        With the problems of the file, or if no product has an industry.
    """
    from reesim.empirics.panels.checking import checked, text_column
    from reesim.empirics.panels.reading import read_cells
    from reesim.empirics.panels.schema import told

    file = Path(file)
    cells = read_cells(file)
    given = cells.frame
    if missing := [name for name in ("country", "product", "year", "value") if name not in given.columns]:
        raise DataError(f"{file}: no column {', '.join(missing)}; it should have country, product, year and value")
    given = given.assign(product=text_column(given["product"]))
    found = checked("exports", given.assign(industry=""), (), ("",))
    problems = sorted([*cells.problems, *((row, text) for row, text in found.problems if "'industry'" not in text)])
    if problems:
        raise DataError(told(str(file), cells.word, problems))
    frame = found.frame
    frame = frame.set_axis(range(len(frame)), axis=0).assign(year=frame["year"].astype("int64"))
    frame["growth"], notes = annual_growth(frame, ("country", "product"))
    mapped, lost = _mapped(frame, concordance)
    if mapped.empty:
        raise DataError(f"{file}: no product has an industry in {concordance.source}")
    industries = {industry for parts in concordance.weights.values() for industry in parts}
    told_ = (f"Products have their industries from {concordance.source}.", *lost, *notes)
    return Panel("exports", mapped, source or file.name, industries=industries, notes=told_)


def by_industry(panel: Panel) -> Panel:
    """Add products up to industries; growth is that of the sum.

    Raises
    ------
    DataError
        If the panel has no products or no values.
    """
    if "product" not in panel.units or "value" not in panel.outcomes:
        raise DataError("only exports by product, with values, can be added up to industries")
    keys = ["country", "industry", "year"]
    frame = panel.frame.groupby(keys, sort=False)[["value"]].sum().reset_index()
    frame["growth"], notes = annual_growth(frame, ("country", "industry"))
    added = f"Products are added up to industries; {int(panel.frame['value'].isna().sum()):,} empty values count as 0."
    return Panel(
        "exports", frame, panel.source, panel.unverified, (), panel.industries, (*panel.given_notes(), added, *notes)
    )


def _mapped(frame: pd.DataFrame, concordance: Concordance) -> tuple[pd.DataFrame, tuple[str, ...]]:
    import pandas as pd

    parts = [
        (product, industry, weight)
        for product in frame["product"].unique()
        for industry, weight in concordance.of(product).items()
    ]
    links = pd.DataFrame(parts, columns=["product", "industry", "weight"])
    gone = ~frame["product"].isin(links["product"])
    notes: tuple[str, ...] = ()
    if gone.any():
        share = 100.0 * frame.loc[gone, "value"].sum() / max(frame["value"].sum(), 1e-300)
        names = sorted(frame.loc[gone, "product"].unique())
        left = f"{len(names):,} products without an industry, {share:.2g} % of the value"
        notes = (f"{left}, are left out: {', '.join(names[:8])}.",)
    mapped = frame.drop(columns="industry").merge(links, on="product", how="inner")
    return mapped.assign(value=mapped["value"] * mapped["weight"]).drop(columns="weight"), notes
