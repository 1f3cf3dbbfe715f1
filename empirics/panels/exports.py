"""Exports of manufactures by country, industry and year, from the World Input-Output Database, release 2013.

40 countries, 14 industries (c3 to c16), 1995 to 2011. Exports are what producers of a country sell to all other
countries and to the rest of the world, as materials and as final goods, at basic prices. The table shipped with the
package is computed by `build` from the public tables; the rest of the world is a buyer, not one of the 40.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from reesim.data.csvfiles import number_text, parse_number, read_rows, read_table
from reesim.data.facts import DATA
from reesim.empirics.files import OWN_DATA
from reesim.empirics.panels.growth import Measure, annual_growth, window_growth
from reesim.empirics.panels.schema import Panel
from reesim.errors import DataError
from reesim.results.whole import write_whole

if TYPE_CHECKING:
    import pandas as pd

    from reesim.data.wiod import RawTable

SHIPPED = OWN_DATA / "wiod_exports.csv"
YEARS = range(1995, 2012)
MANUFACTURING = tuple(f"c{number}" for number in range(3, 17))
UNITS = ("country", "industry")
REST = "RoW"
SOURCE = "World Input-Output Database, release 2013, tables of 1995 to 2011 (Timmer et al. 2015)"
COMMAND = "reesim.empirics.panels.exports.write(build(DIR), FILE)"

SPLIT = {"313": "c4", "314": "c4", "315": "c4", "316": "c5", "321": "c6", "322": "c7", "323": "c7", "5111": "c7", "5122": "c7",
         "21": "c2", "324": "c8"}  # fmt: skip
"""Industry of WIOD by prefix of an industry's code, where a sector of the model holds two of them."""

SMALL = 20.0
"""Million USD below which whole millions, as the source has them, make growth uncertain by some per cent."""


def build(folder: Path, years: range = YEARS) -> pd.DataFrame:
    """Exports from the raw tables, one year in memory at a time.

    Parameters
    ----------
    folder : path
        With a table for each year, in either form that `reesim.data.wiod` reads.
    years : range

    Returns
    -------
    pandas.DataFrame
        Columns country, industry, year, value (million USD).

    Raises
    ------
    DataError
        If a table is missing or is not what it should be.
    """
    import pandas as pd

    from reesim.data import wiod

    frame = pd.concat([exports_of(wiod.read(folder, year)) for year in years], ignore_index=True)
    return frame.sort_values(["country", "industry", "year"], key=_order, ignore_index=True)


def exports_of(raw: RawTable) -> pd.DataFrame:
    """Exports of manufactures in one table: sales to all other regions, materials and final demand.

    Raises
    ------
    DataError
        If the table lacks an industry.
    """
    import pandas as pd

    missing = [code for code in MANUFACTURING if code not in raw.industries]
    if missing:
        raise DataError(f"the table of {raw.year} has no industries {', '.join(missing)}")
    sold_jsi = raw.intermediate_jsik.sum(axis=3) + raw.final_jsic.sum(axis=3)
    own = np.arange(len(raw.regions))
    sold_jsi[own, :, own] = 0.0
    value = pd.DataFrame(sold_jsi.sum(axis=2), index=list(raw.regions), columns=list(raw.industries))
    tidy = value.loc[[code for code in raw.regions if code != REST], list(MANUFACTURING)].stack().reset_index()
    tidy.columns = pd.Index(["country", "industry", "value"])
    tidy.insert(2, "year", raw.year)
    return tidy


def write(frame: pd.DataFrame, file: Path) -> Path:
    """Write exports as a small table: a row for each country and industry, a column for each year.

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    wide = frame.set_index([*UNITS, "year"])["value"].unstack("year").reset_index()
    wide = wide.sort_values(["country", "industry"], key=_order)
    rows = [",".join(str(name) for name in wide.columns)]
    for row in wide.itertuples(index=False):
        rows.append(",".join([str(row[0]), str(row[1]), *(number_text(float(cell)) for cell in row[2:])]))
    return write_whole(file, ("\n".join(rows) + "\n").encode())


def read(file: Path = SHIPPED) -> pd.DataFrame:
    """Read what `write` wrote: columns country, industry, year, value (million USD).

    Raises
    ------
    DataError
        If the file is missing or damaged.
    """
    import pandas as pd

    header, *rows = read_rows(file)
    if header[:2] != ["country", "industry"] or not all(name.isdecimal() for name in header[2:]):
        raise DataError(f"{file}: row 1: the header should be country,industry and years")
    cells = [
        (row[0], row[1], int(year), parse_number(cell, file, number, year))
        for number, row in enumerate(rows, start=2)
        for year, cell in zip(header[2:], row[2:], strict=True)
    ]
    return pd.DataFrame(cells, columns=["country", "industry", "year", "value"])


def exports_panel(measure: Measure = "log", file: Path = SHIPPED) -> Panel:
    """The export panel: value, and annualised growth from the year before (log points a year by default).

    Parameters
    ----------
    measure : {"log", "midpoint"}
        See `growth.annual_growth`.
    file : path, optional
        Default: the table shipped with the package.

    Returns
    -------
    Panel
        Of kind exports; growth is nan in the first year and where a flow begins or ends.
    """
    frame, treated = _treated(read(file))
    frame["growth"], notes = annual_growth(frame, UNITS, measure=measure)
    return Panel("exports", frame, SOURCE, notes=(*treated, *notes))


def window_panel(windows: Mapping[str, tuple[int, int]] | None = None, file: Path = SHIPPED) -> Panel:
    """Annualised growth over windows, by default 1995 to 2009 and 2009 to 2011: a row for each flow and window.

    Returns
    -------
    Panel
        Of kind exports; ``year`` is the last year of the window.
    """
    chosen = {"pre": (YEARS[0], 2009), "post": (2009, YEARS[-1])} if windows is None else windows
    frame, treated = _treated(read(file))
    growth, notes = window_growth(frame, UNITS, chosen)
    return Panel("exports", growth.drop(columns="window"), SOURCE, notes=(*treated, *notes))


def _treated(frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Values below zero are no exports: withdrawals from stocks abroad exceed all other sales. They count as missing."""
    below = frame["value"] < 0.0
    small = int(((frame["value"] > 0.0) & (frame["value"] < SMALL)).sum())
    notes = (
        f"{int(below.sum())} values below zero (changes in stocks) count as missing.",
        f"{small} values are above zero and below {SMALL:g} million USD; the source rounds to whole millions.",
    )
    return frame.assign(value=frame["value"].mask(below)), notes


def sensitivity(measured: pd.DataFrame | None = None) -> pd.Series:
    """REE sensitivity by industry of WIOD, (25): output-weighted mean over the industries of the benchmark table.

    Parameters
    ----------
    measured : pandas.DataFrame, optional
        Columns industry, output_usd, sensitivity. Default: as shipped with the package.

    Returns
    -------
    pandas.Series
        By c3 to c16, in USD per USD of final demand times 0 to 100.

    Raises
    ------
    DataError
        If an industry of WIOD has none.
    """
    from reesim.empirics.iotable.concordance import to_sectors

    if measured is None:
        from reesim.empirics.iotable.outputs import shipped

        measured = shipped()["industries"]
    by_industry = measured.set_index("industry")
    score = to_sectors(by_industry[["sensitivity"]], by_industry["output_usd"], wiod_prefixes())["sensitivity"]
    missing = [code for code in MANUFACTURING if code not in score.index]
    if missing:
        raise DataError(f"no sensitivity for industries {', '.join(missing)}: the benchmark table has none of theirs")
    return score[list(MANUFACTURING)].rename_axis("industry")


def wiod_prefixes() -> dict[str, str]:
    """Industry of WIOD by the longest prefix of an industry's code in the benchmark table; services are one, ``""``.

    The sector of the model decides (``bea_sectors.csv``), and `SPLIT` where a sector holds two industries.

    Raises
    ------
    DataError
        If a prefix of such a sector is not in `SPLIT`.
    """
    from reesim.empirics.iotable.concordance import sector_prefixes

    of_sector: dict[str, list[str]] = {}
    for code, sector, _ in read_table(DATA / "wiod_sectors_14.csv", ("code_from", "code", "name")):
        of_sector.setdefault(sector, []).append(code)
    found = {}
    for prefix, sector in sector_prefixes().items():
        codes = of_sector[sector]
        if prefix in SPLIT:
            found[prefix] = SPLIT[prefix]
        elif len(codes) == 2:
            raise DataError(f"prefix {prefix}: sector {sector} is {' and '.join(codes)} in WIOD; say which")
        else:
            found[prefix] = codes[0] if len(codes) == 1 else ""
    return found | SPLIT


def _order(column: pd.Series) -> pd.Series:
    """Industries by number, everything else as it is."""
    if column.name != "industry":
        return column
    return column.str.removeprefix("c").astype("int64")
