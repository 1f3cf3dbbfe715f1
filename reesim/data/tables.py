"""World input-output tables and the small embedded tables: one immutable object, plain csv files, exact round trips.

A table is stored as four csv files that open in any spreadsheet: ``regions.csv`` and ``sectors.csv`` (``code,name``),
``flows.csv`` (a row for every exporter and sector, a column ``IMPORTER:SECTOR`` for every buyer of materials and
``IMPORTER:final`` for final demand) and ``about.csv`` (``key,value``: year, source, licence, command, unit).
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reesim.data.csvfiles import make_labels, parse_number, read_labels, read_rows, read_table
from reesim.errors import DataError, StoreError
from reesim.labels import Labels

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

DATA = Path(__file__).parent
EMBEDDED = "world_2009_5x14"
UNIT = "million USD a year"
FINAL = "final"
UNVERIFIED = "unverified"
"""What every output says of a number whose status is M, from memory."""

_ABOUT = ("year", "source", "licence", "command")
_NUMBERS = ("value", "epsilon", "gamma", "million")
_LISTED = 8  # cells named one by one in an error before the rest are only counted


@dataclass(frozen=True, slots=True)
class Grouping:
    """Which group every label of a finer list belongs to.

    Parameters
    ----------
    members : tuple of str
        Codes of the finer list, each once.
    groups : tuple of int
        For each member, its position in `labels`.
    labels : Labels
        The groups, in the order in which the file first names them.
    """

    members: tuple[str, ...]
    groups: tuple[int, ...]
    labels: Labels

    @classmethod
    def read(cls, file: Path, kind: str) -> Grouping:
        """Read a csv file with columns ``code_from,code,name``.

        Raises
        ------
        DataError
            If the file cannot be read, a member stands twice, or a group has two names.
        """
        groups: dict[str, str] = {}
        members: dict[str, str] = {}
        for row, (member, code, name) in enumerate(read_table(file, ("code_from", "code", "name")), start=2):
            if member in members:
                raise DataError(f"{file}: row {row}, column 'code_from': {member!r} stands twice; keep one of the rows")
            if groups.setdefault(code, name) != name:
                raise DataError(
                    f"{file}: row {row}, column 'name': {code!r} is {name!r} here and {groups[code]!r} above; use one"
                )
            members[member] = code
        order = list(groups)
        labels = make_labels(kind, order, [groups[code] for code in order], file)
        return cls(tuple(members), tuple(order.index(code) for code in members.values()), labels)

    @classmethod
    def identity(cls, labels: Labels) -> Grouping:
        """Every label its own group."""
        return cls(labels.codes, tuple(range(len(labels))), labels)

    def positions(self, codes: Sequence[str]) -> NDArray[np.intp]:
        """Group of each of `codes` (letter case does not matter).

        Raises
        ------
        DataError
            If a code has no group, or the grouping names one that is not there.
        """
        known = {member.casefold(): group for member, group in zip(self.members, self.groups, strict=True)}
        kind = self.labels.kind
        missing = [code for code in codes if code.casefold() not in known]
        present = {code.casefold() for code in codes}
        foreign = [member for member in self.members if member.casefold() not in present]
        if missing or foreign:
            parts = []
            if missing:
                parts.append(f"no group for {kind} {', '.join(missing)}")
            if foreign:
                parts.append(f"the table has no {kind} {', '.join(foreign)}")
            raise DataError(f"{kind} map: {'; '.join(parts)}. Give every {kind} of the table one row of the map.")
        return np.array([known[code.casefold()] for code in codes], dtype=np.intp)


def sum_groups(array: Array, positions: NDArray[np.intp], size: int, axis: int) -> Array:
    """Sum an array over groups along one axis.

    Parameters
    ----------
    array : ndarray
        Any shape.
    positions : ndarray of int
        Group of each entry along `axis`.
    size : int
        Number of groups.
    axis : int
        Axis to sum over.

    Returns
    -------
    ndarray
        As `array`, with length `size` along `axis`; added in index order, so the result does not depend on the machine.
    """
    moved = np.moveaxis(array, axis, 0)
    total = np.zeros((size, *moved.shape[1:]))
    np.add.at(total, positions, moved)
    return np.ascontiguousarray(np.moveaxis(total, 0, axis))


@dataclass(frozen=True, slots=True, eq=False)
class WorldTable:
    """A world input-output table of one year, in million USD.

    Parameters
    ----------
    year : int
        Calendar year of the flows.
    regions, sectors : Labels
        Labels of the axes; N regions, S sectors.
    intermediate_jsik : ndarray, shape (N, S, N, S)
        Sales of sector s of exporter j to sector k of importer i, materials.
    final_jsi : ndarray, shape (N, S, N)
        Sales of sector s of exporter j to final demand of importer i (consumption, investment, inventories).
    source, licence, command : str
        Where the numbers are from, under which terms, and the command that recomputes them.

    Raises
    ------
    DataError
        If a shape does not fit the labels or a flow is not a finite number.
    """

    year: int
    regions: Labels
    sectors: Labels
    intermediate_jsik: Array
    final_jsi: Array
    source: str
    licence: str
    command: str

    def __post_init__(self) -> None:
        n, s = len(self.regions), len(self.sectors)
        if n == 0 or s == 0:
            raise DataError(f"world table {self.year}: it needs at least one region and one sector, not {n} and {s}")
        for name, shape in (("intermediate_jsik", (n, s, n, s)), ("final_jsi", (n, s, n))):
            # Adding zero copies the caller's array and turns -0.0 into 0.0, which a csv file would not keep apart.
            array = np.asarray(getattr(self, name), dtype=np.float64, order="C") + 0.0
            if array.shape != shape:
                raise DataError(
                    f"world table {self.year}: {name} has shape {array.shape}, "
                    f"but {n} regions and {s} sectors need {shape}"
                )
            if not np.isfinite(array).all():
                cell = np.unravel_index(int(np.argmin(np.isfinite(array))), shape)
                raise DataError(f"world table {self.year}: {name}{[int(i) for i in cell]} is not a finite number")
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    def __repr__(self) -> str:
        total = float(self.output_js.sum()) / 1e6
        return (
            f"<WorldTable {self.year}: {len(self.regions)} regions x {len(self.sectors)} sectors, "
            f"output {total:.1f} trillion USD, {self.source}>"
        )

    @property
    def output_js(self) -> Array:
        """Sales of sector s of region j, shape (N, S): the row sums of all uses, so that markets clear exactly."""
        output: Array = self.intermediate_jsik.sum(axis=(2, 3)) + self.final_jsi.sum(axis=2)
        return output

    @property
    def trade_jis(self) -> Array:
        """Total flow of s from exporter j to importer i, shape (N, N, S): X_jis of section 6, materials and final."""
        return np.ascontiguousarray((self.intermediate_jsik.sum(axis=3) + self.final_jsi).transpose(0, 2, 1))

    @property
    def materials_iks(self) -> Array:
        """Spending of using sector k of region i on composite s, shape (N, S, S), from all exporters."""
        return np.ascontiguousarray(self.intermediate_jsik.sum(axis=0).transpose(1, 2, 0))

    @property
    def final_is(self) -> Array:
        """Final demand of region i for composite s, shape (N, S), from all exporters."""
        return np.ascontiguousarray(self.final_jsi.sum(axis=0).T)

    @property
    def value_added_is(self) -> Array:
        """Output minus materials, shape (N, S); includes taxes and margins where the source does."""
        value_added: Array = self.output_js - self.materials_iks.sum(axis=2)
        return value_added

    def aggregate(self, region_map: Grouping | None = None, sector_map: Grouping | None = None) -> WorldTable:
        """Sum the table over groups of regions and sectors (none: keep them as they are).

        Raises
        ------
        DataError
            If a map does not cover the table's labels, each once.
        """
        by_region = region_map or Grouping.identity(self.regions)
        by_sector = sector_map or Grouping.identity(self.sectors)
        region, sector = by_region.positions(self.regions.codes), by_sector.positions(self.sectors.codes)
        n, s = len(by_region.labels), len(by_sector.labels)
        flows, final = self.intermediate_jsik, self.final_jsi
        for axis, (positions, size) in enumerate(((region, n), (sector, s), (region, n), (sector, s))):
            flows = sum_groups(flows, positions, size, axis)
            if axis < 3:
                final = sum_groups(final, positions, size, axis)
        return WorldTable(
            self.year, by_region.labels, by_sector.labels, flows, final, self.source, self.licence, self.command
        )

    def negative_cells(self) -> tuple[str, ...]:
        """Trade flows X_jis and final-demand totals below zero, each as ``what[where] = value``."""
        region, sector = self.regions.codes, self.sectors.codes
        trade, final = self.trade_jis, self.final_is
        cells = [f"flow[{region[j]} to {region[i]}, {sector[s]}] = {trade[j, i, s]:g}" for j, i, s in _below(trade)]
        cells += [f"final demand[{region[i]}, {sector[s]}] = {final[i, s]:g}" for i, s in _below(final)]
        return tuple(cells)

    def hash(self) -> str:
        """Digest (BLAKE2b, 32 hexadecimal digits) of the flows and labels; source and command do not count."""
        digest = hashlib.blake2b(digest_size=16)
        for labels in (self.regions, self.sectors):
            digest.update(repr((labels.codes, labels.names)).encode())
        for array in (self.intermediate_jsik, self.final_jsi):
            digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
        return digest.hexdigest()


def _below(array: Array) -> list[list[int]]:
    return [[int(index) for index in cell] for cell in np.argwhere(array < 0.0)]


def refuse_negative(table: WorldTable, context: str) -> None:
    """Refuse a table with a negative trade flow or final-demand total, from which no shares can be taken.

    Raises
    ------
    DataError
        Naming the cells, after `context` (file, what was netted).
    """
    cells = table.negative_cells()
    if cells:
        listed = ", ".join(cells[:_LISTED])
        more = f" and {len(cells) - _LISTED} more" if len(cells) > _LISTED else ""
        raise DataError(
            f"{context}: {len(cells)} cells are negative: {listed}{more}. "
            "Aggregate further, or set the negative cells to zero"
        )


def embedded() -> WorldTable:
    """Return the shipped table: 2009, five regions and fourteen sectors."""
    return load(EMBEDDED)


def load(place: Path | str) -> WorldTable:
    """Load a table from a folder of csv files, or a shipped table by name.

    Raises
    ------
    DataError
        Naming file, row and column of the first thing that is wrong.
    """
    file = _files(place)
    regions, sectors = (read_labels(file[part], kind) for part, kind in (("regions", "region"), ("sectors", "sector")))
    intermediate, final = _read_flows(file["flows"], regions, sectors)
    about = {key: value for key, value in read_table(file["about"], ("key", "value"))}
    missing = [key for key in _ABOUT if not about.get(key)]
    if missing:
        raise DataError(f"{file['about']}: no row for {', '.join(missing)}; add one, as key,value")
    if about.get("unit", UNIT) != UNIT:
        raise DataError(f"{file['about']}: unit is {about['unit']!r}; convert the flows to {UNIT!r}")
    if not about["year"].isdecimal():
        raise DataError(f"{file['about']}: column 'value': year {about['year']!r} is not a whole number")
    table = WorldTable(
        int(about["year"]), regions, sectors, intermediate, final, about["source"], about["licence"], about["command"]
    )
    refuse_negative(table, str(file["flows"]))
    return table


def save(table: WorldTable, folder: Path) -> None:
    """Write a table as four csv files into `folder`, which is made if need be; `load` gives back every bit.

    Raises
    ------
    DataError
        If a code cannot be part of a column name.
    StoreError
        If the files cannot be written.
    """
    for code in (*table.regions.codes, *table.sectors.codes):
        if not code or ":" in code or code.casefold() == FINAL or code != code.strip():
            raise DataError(f"code {code!r} cannot name a column of flows.csv; use a word without ':', not {FINAL!r}")
    about: list[tuple[str, str]] = [(key, str(getattr(table, key))) for key in _ABOUT]
    for text in (*table.regions.names, *table.sectors.names, *(value for _, value in about)):
        if not text or text != text.strip():
            raise DataError(f"{text!r} would not come back from a csv file; give a text without blanks at its ends")
    contents: dict[str, Iterable[Sequence[str]]] = {
        "regions": [("code", "name"), *zip(table.regions.codes, table.regions.names, strict=True)],
        "sectors": [("code", "name"), *zip(table.sectors.codes, table.sectors.names, strict=True)],
        "flows": _flow_rows(table),
        "about": [("key", "value"), *about, ("unit", UNIT)],
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for part, rows in contents.items():
            with (folder / f"{part}.csv").open("w", encoding="utf-8", newline="") as stream:
                csv.writer(stream, lineterminator="\n").writerows(rows)
    except OSError as error:
        raise StoreError(f"{folder}: the table cannot be written: {error}. Choose another folder") from error


def load_elasticities() -> pd.DataFrame:
    """Elasticities of the deck by sector: columns sector, epsilon, gamma, status, source, flag."""
    return read_facts(DATA / "elasticities.csv")


def load_rare_earth_accounts() -> pd.DataFrame:
    """Rare-earth market of 2009: columns key, value, unit, status, source, flag; shares as ``use_share.CHN``."""
    return read_facts(DATA / "rare_earth_accounts.csv")


def load_employment() -> pd.DataFrame:
    """Employment of 2009 in million persons: columns region, million, status, source, flag."""
    return read_facts(DATA / "labour_2009.csv")


def read_facts(file: Path) -> pd.DataFrame:
    """Read a small table of stated facts; adds column ``flag``, which says of every row from memory: unverified."""
    import pandas as pd

    header, *rows = read_rows(file)
    columns: dict[str, list[str] | list[float]] = {}
    for position, name in enumerate(header):
        cells = [row[position] for row in rows]
        # Python's float() gives the nearest number in every version of pandas; the precision of read_csv changed.
        columns[name] = (
            [parse_number(cell, file, row, name) for row, cell in enumerate(cells, start=2)]
            if name in _NUMBERS
            else cells
        )
    columns["flag"] = [UNVERIFIED if status == "M" else "" for status in columns["status"]]
    return pd.DataFrame(columns)


def _files(place: Path | str) -> dict[str, Path]:
    parts = ("regions", "sectors", "flows", "about")
    if Path(place).is_dir():
        return {part: Path(place) / f"{part}.csv" for part in parts}
    shipped = sorted(file.name.removesuffix("_about.csv") for file in DATA.glob("*_about.csv"))
    if str(place) in shipped:
        return {part: DATA / f"{place}_{part}.csv" for part in parts}
    raise DataError(f"{place}: neither a folder with a table nor a shipped table; shipped: {', '.join(shipped)}")


def _columns(regions: Labels, sectors: Labels) -> list[str]:
    return [f"{i}:{k}" for i in regions for k in sectors] + [f"{i}:{FINAL}" for i in regions]


def _flow_rows(table: WorldTable) -> list[list[str]]:
    rows = [["exporter", "sector", *_columns(table.regions, table.sectors)]]
    for j, exporter in enumerate(table.regions):
        for s, sector in enumerate(table.sectors):
            numbers = [*table.intermediate_jsik[j, s].ravel().tolist(), *table.final_jsi[j, s].tolist()]
            rows.append([exporter, sector, *(_text(number) for number in numbers)])
    return rows


def _text(number: float) -> str:
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)


def _read_flows(file: Path, regions: Labels, sectors: Labels) -> tuple[Array, Array]:
    header, *rows = read_rows(file)
    expected = ["exporter", "sector", *_columns(regions, sectors)]
    if sorted(header) != sorted(expected):
        wrong = sorted(set(header) ^ set(expected)) or ["a column that stands twice"]
        raise DataError(f"{file}: row 1: the columns do not fit the labels: {', '.join(wrong[:_LISTED])}")
    place = [header.index(column) for column in expected]
    n, s = len(regions), len(sectors)
    wanted = {(region, sector): r for r, (region, sector) in enumerate((j, k) for j in regions for k in sectors)}
    flows = np.full((n * s, n * s + n), np.nan)
    for number, row in enumerate(rows, start=2):
        key = (row[place[0]], row[place[1]])
        position = wanted.pop(key, None)
        if position is None:
            raise DataError(f"{file}: row {number}: {key[0]},{key[1]} stands twice or is not among the labels")
        flows[position] = [parse_number(row[column], file, number, header[column]) for column in place[2:]]
    if wanted:
        raise DataError(f"{file}: no row for {', '.join(':'.join(key) for key in list(wanted)[:_LISTED])}")
    return flows[:, : n * s].reshape(n, s, n, s), flows[:, n * s :].reshape(n, s, n)
