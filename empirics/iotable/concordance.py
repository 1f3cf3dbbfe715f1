"""From industries of the benchmark table to SIC 1987 and to the model's sectors: averages with stated weights.

How the links come about stands in `reesim.empirics.iotable.links`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from reesim.data.csvfiles import listed, parse_number, read_rows, read_table
from reesim.empirics.files import OWN_DATA
from reesim.empirics.iotable.links import COLUMNS, build_links, longest, write_links
from reesim.errors import DataError, LabelError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "LINKS", "SECTORS", "SicMap", "build_links", "read_links", "sector_prefixes", "sectors_of", "to_sectors", "to_sic",
    "write_links",
]  # fmt: skip

Weighting = Literal["equal", "output"]

LINKS = OWN_DATA / "sic_bea.csv"
"""Links of SIC industries, computed by `build_links`."""

SECTORS = OWN_DATA / "bea_sectors.csv"
"""Sector of the model by the longest matching prefix of an industry's code."""

STAND_INS = {"331314": "331313"}
"""Commodity of an industry without one of its own code: secondary aluminium is booked as primary aluminium."""


@dataclass(frozen=True, slots=True, eq=False)
class SicMap:
    """Links between SIC industries and industries of the benchmark table.

    Parameters
    ----------
    links : pandas.DataFrame
        One row per SIC industry, NAICS 2002 code and benchmark industry, with columns sic, description, naics2002, bea; share,
        the part of the NAICS code that lies in the benchmark industry; and output_share, the part of the benchmark
        industry's output that is taken to be this link's. An empty bea is a code that the benchmark table does not have.

    Raises
    ------
    DataError
        If a column is missing, a link stands twice or a share is not between 0 and 1.
    """

    links: pd.DataFrame

    def __post_init__(self) -> None:
        missing = [column for column in COLUMNS if column not in self.links]
        if missing:
            raise DataError(f"links between SIC and the benchmark table: no column {', '.join(missing)}")
        keys = self.links[["sic", "naics2002", "bea"]]
        if keys.duplicated().any():
            raise DataError(f"links: {', '.join(keys[keys.duplicated()].iloc[0])} stands twice")
        for column in ("share", "output_share"):
            wrong = self.links[~self.links[column].between(0.0, 1.0)]
            if len(wrong):
                raise DataError(f"links: {column} of SIC {wrong['sic'].iloc[0]} should lie between 0 and 1")

    @property
    def descriptions(self) -> pd.Series[str]:
        """Names of all SIC industries, linked or not."""
        return self.links.drop_duplicates("sic").set_index("sic")["description"]

    @property
    def unlinked(self) -> tuple[str, ...]:
        """SIC industries without any industry of the benchmark table; `weights` has no row for them."""
        total = self.links.groupby("sic", sort=False)["share"].sum()
        return tuple(total.index[total == 0.0])

    def linked_to(self, sics: Iterable[str]) -> tuple[str, ...]:
        """SIC industries that share an industry of the benchmark table with any of `sics`, these included.

        Raises
        ------
        LabelError
            If one of them is not a linked SIC industry.
        """
        weights = self.weights()
        rows = weights.loc[_known(list(sics), weights.index, "SIC industry")]
        shared = rows.columns[rows.gt(0.0).any()]
        return tuple(weights.index[weights[shared].gt(0.0).any(axis=1)])

    def with_product(self, code: str, industry: str, sic: str, output: float, rest: float) -> SicMap:
        """Return the map with a product split off a benchmark industry and put into one SIC industry alone.

        Within that SIC industry the code that both come from is the mean of the product and of the SIC industry's part of the
        rest, weighted by output.

        Parameters
        ----------
        code, industry : str
            The product, and the benchmark industry it comes out of.
        sic : str
            SIC industry that makes it; it must be linked to the industry.
        output, rest : float
            Output of the product and of what is left of the industry, one unit.

        Raises
        ------
        LabelError
            If the SIC industry is not linked to the industry.
        DataError
            If an output is not positive.
        """
        import pandas as pd

        if not (output > 0.0 and rest > 0.0):
            raise DataError(
                f"{code}: outputs of a product and of the rest should be positive, not {output:g} and {rest:g}"
            )
        here = (self.links["sic"] == sic) & (self.links["bea"] == industry)
        if not here.any():
            raise LabelError(f"{code}: SIC {sic} is not linked to industry {industry}")
        place = here.index[here][0]
        link = self.links.loc[place]
        weight = output / (output + rest * link["output_share"])
        product = pd.DataFrame([{**link.to_dict(), "bea": code, "share": link["share"] * weight, "output_share": 1.0}])
        links = self.links.copy()
        links.loc[place, "share"] = link["share"] * (1.0 - weight)
        return SicMap(pd.concat([links, product], ignore_index=True))

    def weights(self, kind: Weighting = "equal", output: pd.Series[float] | None = None) -> pd.DataFrame:
        """Weights of benchmark industries in SIC industries; rows sum to one.

        Parameters
        ----------
        kind : {"equal", "output"}
            ``equal`` is the plain average over the NAICS 2002 codes of the SIC industry; the slides' requirements are such
            averages. ``output`` weighs each link with its output: that of the benchmark industry, spread equally over its
            NAICS 2002 codes, and that of a code equally over the SIC industries that it comes from.
        output : pandas.Series, optional
            Output by benchmark industry, any unit; needed by ``output``, not used by ``equal``.

        Returns
        -------
        pandas.DataFrame, shape (linked SIC industries, benchmark industries with a link)

        Raises
        ------
        DataError
            If ``output`` lacks outputs, one is negative or not finite, or an SIC industry has none.
        LabelError
            If an industry has no output given.
        """
        import pandas as pd

        if kind not in ("equal", "output"):
            raise DataError(f"weights of SIC industries should be equal or output, not {kind!r}")
        used = self.links[self.links["share"] > 0.0]
        mass = used["share"]
        if kind == "output":
            mass = used["output_share"] * _weights_given(output, used["bea"]).to_numpy()
        rows, sics = pd.factorize(used["sic"])
        columns, industries = pd.factorize(used["bea"])
        table = np.zeros((len(sics), len(industries)))
        np.add.at(table, (rows, columns), mass.to_numpy())
        total = table.sum(axis=1)
        if (total <= 0.0).any():
            raise DataError(f"no output to weigh SIC {listed(list(sics[total <= 0.0]))} with; use equal weights")
        return pd.DataFrame(
            table / total[:, None], index=pd.Index(sics, name="sic"), columns=pd.Index(industries, name="bea")
        )

    def output(self, output: pd.Series[float]) -> pd.Series[float]:
        """Output by linked SIC industry, spread as by ``weights("output")``, in the unit of `output`."""
        used = self.links[self.links["share"] > 0.0]
        mass = used["output_share"] * _weights_given(output, used["bea"]).to_numpy()
        return mass.groupby(used["sic"], sort=False).sum().rename("output")


def to_sic(requirements: pd.DataFrame, weights: pd.DataFrame, stand_ins: Mapping[str, str] = STAND_INS) -> pd.DataFrame:
    """Average requirements of benchmark industries into SIC industries.

    Parameters
    ----------
    requirements : pandas.DataFrame, shape (benchmark industries or commodities, columns)
        Any unit; more industries than have weights are no harm.
    weights : pandas.DataFrame, shape (SIC industries, benchmark industries)
        From `SicMap.weights`.
    stand_ins : mapping of str to str, optional
        What is taken for an industry whose code is not among the requirements; by default for industries that are no
        commodity.

    Returns
    -------
    pandas.DataFrame, shape (SIC industries, columns)

    Raises
    ------
    LabelError
        If an industry with a weight has no requirements.
    DataError
        If a requirement is not finite.
    """
    known = set(requirements.index)
    rows = [code if code in known else stand_ins.get(code, code) for code in weights.columns]
    _known(rows, known, "industry among the requirements")
    taken = _finite(requirements.loc[rows], "requirements")
    return weights @ taken.set_axis(weights.columns, axis=0)


def to_sectors(
    requirements: pd.DataFrame, output: pd.Series[float], prefixes: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Average requirements of benchmark industries into the model's sectors, weighted by output.

    Parameters
    ----------
    requirements : pandas.DataFrame, shape (benchmark industries, columns)
        Per dollar of output or of final demand.
    output : pandas.Series
        Output by benchmark industry, any unit.
    prefixes : mapping of str to str, optional
        Sector by prefix of the code; by default those of ``bea_sectors.csv``.

    Returns
    -------
    pandas.DataFrame, shape (sectors that have an industry, columns)
        In the order of the prefixes.

    Raises
    ------
    LabelError
        If an industry has no sector or no output.
    DataError
        If an output is negative, a number is not finite, or a sector has no output.
    """
    prefixes = sector_prefixes() if prefixes is None else prefixes
    sectors = sectors_of(requirements.index, prefixes)
    weight = _weights_given(output, requirements.index)
    total = weight.groupby(sectors, sort=False).sum()
    if (total <= 0.0).any():
        raise DataError(f"no output to weigh the industries of sector {listed(list(total.index[total <= 0.0]))} with")
    sums = _finite(requirements, "requirements").mul(weight, axis=0).groupby(sectors, sort=False).sum()
    order = [sector for sector in dict.fromkeys(prefixes.values()) if sector in total.index]
    means: pd.DataFrame = sums.div(total, axis=0).loc[order]
    return means


def sector_prefixes(file: Path = SECTORS) -> dict[str, str]:
    """Read sectors by prefix of an industry's code: columns prefix, sector, reason.

    Raises
    ------
    DataError
        If the file cannot be read, or a prefix stands twice.
    """
    prefixes: dict[str, str] = {}
    for number, (prefix, sector, _) in enumerate(read_table(file, ("prefix", "sector", "reason")), start=2):
        if prefix in prefixes:
            raise DataError(f"{file}: row {number}: prefix {prefix} stands twice")
        prefixes[prefix] = sector
    return prefixes


def sectors_of(codes: Iterable[str], prefixes: Mapping[str, str] | None = None) -> pd.Series[str]:
    """Sector of each code, by its longest matching prefix.

    Raises
    ------
    LabelError
        If a code has no matching prefix.
    """
    import pandas as pd

    prefixes = sector_prefixes() if prefixes is None else prefixes
    found = {code: longest(code, prefixes) for code in codes}
    lost = [code for code, prefix in found.items() if not prefix]
    if lost:
        raise LabelError(f"no sector for {listed(lost)}; add a prefix to the table of sectors")
    return pd.Series({code: prefixes[prefix] for code, prefix in found.items()}, name="sector", dtype=str)


def read_links(file: Path = LINKS) -> SicMap:
    """Read links of SIC industries, by default the shipped ones.

    Raises
    ------
    DataError
        With file, row and column of what cannot be used.
    """
    import pandas as pd

    header, *rows = read_rows(file)
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise DataError(f"{file}: row 1: no column {', '.join(missing)}; the header must be {','.join(COLUMNS)}")
    frame = pd.DataFrame(rows, columns=header)[list(COLUMNS)]
    for column in ("share", "output_share"):
        frame[column] = [parse_number(cell, file, row, column) for row, cell in enumerate(frame[column], start=2)]
    try:
        return SicMap(frame)
    except DataError as error:
        raise DataError(f"{file}: {error}") from error


def _known(wanted: list[str], known: Iterable[str], kind: str) -> list[str]:
    absent = sorted(set(wanted) - set(known))
    if absent:
        raise LabelError(f"no {kind} {listed(absent)}")
    return wanted


def _weights_given(output: pd.Series[float] | None, codes: Iterable[str]) -> pd.Series[float]:
    """Output of the codes in their order, none negative."""
    if output is None:
        raise DataError("weights by output need the output of each industry")
    wanted = list(codes)
    _known(wanted, output.index, "industry among the outputs")
    found = output.loc[wanted]
    wrong = found[~(found.ge(0.0) & found.lt(float("inf")))]
    if len(wrong):
        raise DataError(
            f"output of {wrong.index[0]} is {wrong.iloc[0]:g}, which is no weight; it should be finite and not negative"
        )
    return found


def _finite(frame: pd.DataFrame, what: str) -> pd.DataFrame:
    bad = ~(frame.abs() < float("inf"))
    if bad.to_numpy().any():
        raise DataError(f"{what}: {frame.index[bad.any(axis=1)][0]} has a number that is missing or infinite")
    return frame
