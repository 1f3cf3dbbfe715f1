"""World input-output tables: one immutable object, plain csv files, exact round trips.

A table is stored as a folder of csv files that open in any spreadsheet, in one of two forms. Both have ``regions.csv``
and ``sectors.csv`` (``code,name``) and ``about.csv`` (``key,value``: year, source, licence, command, unit, treatments).
The full form (`WorldTable`) has ``flows.csv`` (a row for every exporter and sector, a column ``IMPORTER:SECTOR`` for
every buyer of materials and ``IMPORTER:final`` for final demand). The composite form, all that the model needs, is
`reesim.data.composite.TradeTable`. `load` reads either, `composite` gives the second whatever it is given.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reesim.data.composite import TradeTable as TradeTable
from reesim.data.composite import require_usable
from reesim.data.compositefiles import load_composite, save_composite
from reesim.data.csvfiles import UNIT as UNIT
from reesim.data.csvfiles import about_rows, block_rows, listed, read_about, read_block, read_labels, write_table
from reesim.data.facts import DATA as DATA
from reesim.data.facts import UNVERIFIED as UNVERIFIED
from reesim.data.facts import load_elasticities as load_elasticities
from reesim.data.facts import load_employment as load_employment
from reesim.data.facts import load_rare_earth_accounts as load_rare_earth_accounts
from reesim.data.facts import load_ree_requirements as load_ree_requirements
from reesim.data.facts import read_facts as read_facts
from reesim.data.grouping import Array as Array
from reesim.data.grouping import Grouping as Grouping
from reesim.data.grouping import sum_groups as sum_groups
from reesim.errors import DataError, StoreError
from reesim.labels import Labels

EMBEDDED = "world_2009_5x14"
FINAL = "final"


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
    def treatments(self) -> tuple[str, ...]:
        """None: a full table holds the flows of its source as they stand."""
        return ()

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

    def composite(self, tariff_jis: Array | None = None) -> TradeTable:
        """Composite flows: trade, and spending on composites at user prices.

        Parameters
        ----------
        tariff_jis : ndarray, shape (N, N, S), optional
            Ad-valorem tariff rates in force. The table's flows are before tariffs; users pay them on top, every user
            of a flow the same rate, so value added is what is left of output after tariffs on materials.
        """
        flows, final = self.intermediate_jsik, self.final_jsi
        if tariff_jis is not None:
            paid_jsi = 1.0 + np.asarray(tariff_jis, dtype=np.float64).transpose(0, 2, 1)
            materials = np.einsum("jsik,jsi->iks", flows, paid_jsi)
            spent = (final * paid_jsi).sum(axis=0).T
        else:
            materials, spent = self.materials_iks, self.final_is
        told = (self.source, self.licence, self.command)
        rates = np.zeros(0) if tariff_jis is None else np.asarray(tariff_jis, dtype=np.float64)
        return TradeTable(
            self.year, self.regions, self.sectors, self.trade_jis, materials, np.ascontiguousarray(spent), *told, rates
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
        raise DataError(
            f"{context}: {len(cells)} cells are negative: {listed(cells)}. "
            "Aggregate further, or choose a treatment of negatives: zero, produce, shares, keep"
        )


def embedded() -> WorldTable:
    """Return the shipped table: 2009, five regions and fourteen sectors."""
    return _load_world(_files(EMBEDDED))


def load(place: Path | str) -> WorldTable | TradeTable:
    """Load a table, of whichever form, from a folder of csv files, or a shipped table by name.

    Raises
    ------
    DataError
        Naming file, row and column of the first thing that is wrong.
    """
    folder = Path(place)
    if (folder / "trade.csv").is_file():
        if (folder / "flows.csv").is_file():
            raise DataError(f"{folder}: flows.csv and trade.csv are two tables; keep one of them in this folder")
        return load_composite(folder)
    return _load_world(_files(place))


def composite(table: Path | str | WorldTable | TradeTable) -> TradeTable:
    """Return the composite flows of a table or of what stands at a place, fit for the model.

    Accounts that close only to the digits published (1e-6) are closed to rounding by `TradeTable.balanced`.

    Raises
    ------
    DataError
        If the table cannot be read, or has cells from which no shares can be taken.
    """
    found = load(table) if isinstance(table, Path | str) else table
    flows = (found if isinstance(found, TradeTable) else found.composite()).balanced()
    require_usable(flows, str(table) if isinstance(table, Path | str) else flows.title)
    return flows


def save(table: WorldTable | TradeTable, folder: Path) -> None:
    """Write a table as csv files into `folder`, which is made if need be; `load` gives back every bit.

    Raises
    ------
    DataError
        If a code cannot be part of a column name.
    StoreError
        If the files cannot be written, or the folder holds a table of the other form.
    """
    stranger = folder / ("flows.csv" if isinstance(table, TradeTable) else "trade.csv")
    if stranger.exists():
        raise StoreError(f"{stranger}: this folder holds a table of another form; choose another folder")
    if isinstance(table, TradeTable):
        save_composite(table, folder)
        return
    for code in (*table.regions.codes, *table.sectors.codes):
        if not code or ":" in code or code.casefold() == FINAL or code != code.strip():
            raise DataError(f"code {code!r} cannot name a column of flows.csv; use a word without ':', not {FINAL!r}")
    n, s = len(table.regions), len(table.sectors)
    flows = np.hstack([table.intermediate_jsik.reshape(n * s, n * s), table.final_jsi.reshape(n * s, n)])
    keys = {"exporter": table.regions, "sector": table.sectors}
    rows = block_rows(keys, _columns(table.regions, table.sectors), flows)
    write_table(folder, {"flows": rows, "about": about_rows(table)}, (table.regions, table.sectors))


def _load_world(file: dict[str, Path]) -> WorldTable:
    regions, sectors = (read_labels(file[part], kind) for part, kind in (("regions", "region"), ("sectors", "sector")))
    n, s = len(regions), len(sectors)
    flows = read_block(file["flows"], {"exporter": regions, "sector": sectors}, _columns(regions, sectors))
    year, about, _ = read_about(file["about"])
    intermediate, final = flows[:, : n * s].reshape(n, s, n, s), flows[:, n * s :].reshape(n, s, n)
    table = WorldTable(year, regions, sectors, intermediate, final, **about)
    refuse_negative(table, str(file["flows"]))
    return table


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
