"""The benchmark input-output accounts of the United States: Make and Use tables at the level of detail, read and checked."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from reesim.data.csvfiles import listed, parse_number, read_table
from reesim.errors import DataError

Array = npt.NDArray[np.float64]
Redefinitions = Literal["after", "before"]

USD_PER_MILLION = 1_000_000
SOURCE = "U.S. Bureau of Economic Analysis, benchmark input-output accounts 2012, detail, producer prices"
LICENCE = "U.S. public domain"
IMPORTS = "F05000"
"""Final-demand column of imports, which are negative there."""

VALUE_ADDED = ("V00100", "V00200", "V00300")
_TOTALS = frozenset({"T001", "T004", "T005", "T006", "T007", "T008"})
ROUNDING = 50.0
"""Published totals are rounded one by one: over 400 cells of whole millions they may differ from their parts by this much."""


@dataclass(frozen=True, slots=True, eq=False)
class SupplyUse:
    """Make and Use tables in whole dollars, so that sums are exact.

    Parameters
    ----------
    industries, commodities, final_codes, value_codes : tuple of str
        Labels of the axes; I industries, C commodities, F categories of final demand, V rows of value added.
    names : mapping of str to str
        What a code stands for.
    make_ic : (I, C) ndarray
        Output of a commodity by an industry.
    use_ci, final_cf, value_vi : ndarray
        Purchases of commodities by industries and by final demand, and value added. Imports are a negative final demand.
    imports_ci : (C, I) ndarray or None
        Part of ``use_ci`` that is imported; None where it is not published.
    title : str
        What the tables are, in words.
    """

    industries: tuple[str, ...]
    commodities: tuple[str, ...]
    final_codes: tuple[str, ...]
    value_codes: tuple[str, ...]
    make_ic: Array
    use_ci: Array
    final_cf: Array
    value_vi: Array
    imports_ci: Array | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    title: str = ""

    def __post_init__(self) -> None:
        i, c = len(self.industries), len(self.commodities)
        shapes = {
            "make_ic": (i, c), "use_ci": (c, i), "final_cf": (c, len(self.final_codes)),
            "value_vi": (len(self.value_codes), i), "imports_ci": (c, i),
        }  # fmt: skip
        for name, shape in shapes.items():
            if getattr(self, name) is None:
                continue
            array = np.array(getattr(self, name), dtype=np.float64)
            if array.shape != shape:
                raise DataError(f"{name} should have shape {shape}, not {array.shape}")
            if not np.isfinite(array).all():
                raise DataError(f"{name} holds a number that is not finite")
            if (array != np.rint(array)).any():
                raise DataError(f"{name} should be in whole dollars")
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @property
    def industry_output_i(self) -> Array:
        """Output by industry, (I,), USD: row sums of Make."""
        total: Array = self.make_ic.sum(axis=1)
        return total

    @property
    def commodity_output_c(self) -> Array:
        """Domestic output by commodity, (C,), USD: column sums of Make."""
        total: Array = self.make_ic.sum(axis=0)
        return total

    @property
    def row_sums_c(self) -> Array:
        """All uses of a commodity less imports, (C,), USD."""
        total: Array = self.use_ci.sum(axis=1) + self.final_cf.sum(axis=1)
        return total

    @property
    def column_sums_i(self) -> Array:
        """Purchases and value added of an industry, (I,), USD."""
        total: Array = self.use_ci.sum(axis=0) + self.value_vi.sum(axis=0)
        return total

    def industry(self, code: str) -> int:
        """Position of an industry.

        Raises
        ------
        DataError
            If the table has no such industry.
        """
        return _position(code, self.industries, "industry")

    def commodity(self, code: str) -> int:
        """Position of a commodity; raises `DataError` if the table has none by that code."""
        return _position(code, self.commodities, "commodity")

    def replace(self, **changes: object) -> SupplyUse:
        """Return a copy with fields changed and checked again."""
        return replace(self, **changes)  # type: ignore[arg-type]


def _position(code: str, codes: Sequence[str], kind: str) -> int:
    try:
        return codes.index(code)
    except ValueError:
        near = [other for other in codes if other[:4] == code[:4]]
        hint = f"; near it: {listed(near)}" if near else ""
        raise DataError(f"the table has no {kind} {code}{hint}") from None


def read(folder: str | Path, redefinitions: Redefinitions = "after") -> SupplyUse:
    """Read the Make, Use and, before redefinitions, Import tables of 2012 from a folder of csv files.

    Parameters
    ----------
    folder : path
        With ``Detail_Make_2012_AfterRedef_12sch.csv`` and its companions, gzipped or not, and the lists of code names.
    redefinitions : {"after", "before"}
        After redefinitions, secondary production with inputs of its own is counted in the industry whose inputs it has: the
        basis of published requirements. Imports by using industry are only published before them.

    Raises
    ------
    DataError
        If a file is missing, is not a table of numbers, or its parts do not add up to its totals.
    """
    folder = Path(folder)
    if redefinitions not in ("after", "before"):
        raise DataError(f"redefinitions should be after or before, not {redefinitions!r}")
    variant = redefinitions.capitalize()
    make = _Table.read(folder / f"Detail_Make_2012_{variant}Redef_12sch.csv")
    use = _Table.read(folder / f"Detail_Use_2012_PRO_{variant}Redef_12sch.csv")
    industries = tuple(code for code in make.rows if code not in _TOTALS)
    commodities = tuple(code for code in make.columns if code not in _TOTALS)
    final = tuple(code for code in use.columns if code.startswith("F"))
    abroad = _Table.read(folder / "Detail_Import_2012_BeforeRedef_12sch.csv") if redefinitions == "before" else None
    read_table_ = SupplyUse(
        industries, commodities, final, VALUE_ADDED,
        make_ic=make.block(industries, commodities), use_ci=use.block(commodities, industries),
        final_cf=use.block(commodities, final), value_vi=use.block(VALUE_ADDED, industries),
        imports_ci=None if abroad is None else abroad.block(commodities, industries),
        names=_names(folder), title=f"{SOURCE}, {redefinitions} redefinitions",
    )  # fmt: skip
    _require_totals(read_table_, make, use, abroad)
    return read_table_


def rounding(table: SupplyUse) -> dict[str, float]:
    """Largest gaps, in USD, between the two sides of the accounts: what rounding to whole millions leaves."""
    return {
        "commodities: uses less imports against domestic output": _gap(table.row_sums_c, table.commodity_output_c),
        "industries: purchases and value added against output": _gap(table.column_sums_i, table.industry_output_i),
    }


def _gap(left: Array, right: Array) -> float:
    return float(np.abs(left - right).max())


@dataclass(frozen=True, slots=True)
class _Table:
    """One file: codes of its rows and columns, and numbers in whole dollars."""

    file: Path
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: Array

    @classmethod
    def read(cls, file: Path) -> _Table:
        file = file if file.exists() else file.with_name(f"{file.name}.gz")
        opened = gzip.open if file.suffix == ".gz" else open
        try:
            with opened(file, "rt", encoding="utf-8-sig", newline="") as stream:
                header, *rows = csv.reader(stream)
        except FileNotFoundError:
            raise DataError(f"{file.with_suffix('')}: there is no such file, gzipped or not") from None
        except (OSError, EOFError, ValueError, csv.Error, zlib.error) as error:
            raise DataError(f"{file}: it cannot be read as comma-separated text: {error}") from error
        values = _numbers(file, header, rows)
        codes = tuple(row[0] for row in rows)
        twice = [code for given in (codes, header[1:]) for code, count in Counter(given).items() if count > 1]
        if twice:
            raise DataError(f"{file}: two rows or columns {listed(twice)}")
        return cls(file, codes, tuple(header[1:]), np.rint(values * USD_PER_MILLION))

    def block(self, rows: Sequence[str], columns: Sequence[str]) -> Array:
        """Rows and columns by code; a row that the file leaves out is an error, but for those that hold nothing but zeros."""
        missing = [code for code in columns if code not in self.columns]
        missing += [code for code in rows if code not in self.rows and not code.startswith("S00")]
        if missing:
            raise DataError(f"{self.file}: no row or column {listed(missing)}")
        there = {code: position for position, code in enumerate(self.rows)}
        picked = [self.columns.index(code) for code in columns]
        empty = np.zeros(len(columns))
        return np.array([self.values[there[code], picked] if code in there else empty for code in rows])


def _numbers(file: Path, header: list[str], rows: list[list[str]]) -> Array:
    """Numbers below the header and beside the codes; what is not one is told by its address."""
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise DataError(f"{file}: row {number} has {len(row)} columns, the header {len(header)}")
    cells = [row[1:] for row in rows]
    try:
        values = np.array(cells, dtype=np.float64).reshape(len(rows), len(header) - 1)
    except ValueError:
        values = np.full((len(rows), len(header) - 1), np.nan)
    if not np.isfinite(values).all():
        # Cell by cell, which takes its time, only where one of them is known to be wrong.
        parsed = [
            [parse_number(cell, file, number, code) for code, cell in zip(header[1:], row, strict=True)]
            for number, row in enumerate(cells, start=2)
        ]
        values = np.array(parsed, dtype=np.float64)
    return values


def _names(folder: Path) -> dict[str, str]:
    names: dict[str, str] = {}
    for kind in ("Commodity", "Industry", "FinalDemand", "ValueAdded"):
        columns = (f"BEA_2012_Detail_{kind}_Code", f"BEA_2012_Detail_{kind}_Name")
        names.update(read_table(folder / f"Detail_{kind}CodeName_2012.csv", columns))  # type: ignore[arg-type]
    return names


def _require_totals(table: SupplyUse, make: _Table, use: _Table, abroad: _Table | None) -> None:
    """Published totals against the sums of their parts: a column cut off or two tables mixed up cannot pass."""
    checks = [
        (make, table.industry_output_i, make.block(table.industries, ("T008",))[:, 0], table.industries),
        (make, table.commodity_output_c, make.block(("T007",), table.commodities)[0], table.commodities),
        (use, table.row_sums_c, use.block(table.commodities, ("T007",))[:, 0], table.commodities),
        (use, table.column_sums_i, use.block(("T008",), table.industries)[0], table.industries),
        (use, table.commodity_output_c, use.block(table.commodities, ("T007",))[:, 0], table.commodities),
        (make, table.industry_output_i, use.block(("T008",), table.industries)[0], table.industries),
    ]
    if abroad is not None and table.imports_ci is not None:
        total = abroad.block(table.commodities, ("T001",))[:, 0]
        checks.append((abroad, table.imports_ci.sum(axis=1), total, table.commodities))
    for source, parts, total, codes in checks:
        gap = np.abs(parts - total)
        if (gap > ROUNDING * USD_PER_MILLION).any():
            worst = int(gap.argmax())
            raise DataError(
                f"{source.file}: {codes[worst]} adds up to {parts[worst] / 1e6:,.0f} million USD and its total says "
                f"{total[worst] / 1e6:,.0f}: are all files of one release, and whole?"
            )
