"""Composite tables: the flows that the model needs and no more, for any economy.

A full world table says which user in a region buys from which exporter. The model mixes all exporters of a good into
one composite, so that trade flows, spending on composites and final demand are enough: N²S + NS² numbers, not N²S².
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from reesim.data.csvfiles import listed
from reesim.data.grouping import Array, Grouping, Mask, sum_groups
from reesim.errors import DataError
from reesim.labels import Labels

GAP = 1e-6
"""Largest relative difference between what a region buys of a composite and what its users spend: published digits."""

ROUNDING = 1e-12
"""Differences below this are sums in another order, and are left alone."""

KEPT = "negatives kept"
"""How the record of a table with negative cells begins."""

_AXES = {
    "trade_jis": ("region", "region", "sector"),
    "materials_iks": ("region", "sector", "sector"),
    "final_is": ("region", "sector"),
    "tariff_jis": ("region", "region", "sector"),
}


@dataclass(frozen=True, slots=True, eq=False)
class TradeTable:
    """Composite flows of one year, million USD a year. Arrays are copied and read-only.

    Parameters
    ----------
    year : int
        Calendar year of the flows.
    regions, sectors : Labels
        Labels of the axes; N regions, S sectors.
    trade_jis : ndarray, shape (N, N, S)
        Flow of s from exporter j to importer i at the exporter's prices, before tariffs; domestic sales on the diagonal.
    materials_iks : ndarray, shape (N, S, S)
        Spending of using sector k of region i on composite s, at user prices (tariffs paid).
    final_is : ndarray, shape (N, S)
        Final demand of region i for composite s, at user prices.
    source, licence, command : str
        Where the numbers are from, under which terms, and the command that recomputes them.
    tariff_jis : ndarray, shape (N, N, S), optional
        Ad-valorem tariff rates in force (0.05 is five per cent), zero on the diagonal. Default: none.
    treatments : tuple of str
        What was done to the numbers of the source, in words, for every result to repeat.

    Raises
    ------
    DataError
        If a shape does not fit the labels, a number is not finite, a tariff is -1 or less or falls on domestic sales,
        or spending on a composite differs from what is bought of it by more than 1e-6.
    """

    year: int
    regions: Labels
    sectors: Labels
    trade_jis: Array
    materials_iks: Array
    final_is: Array
    source: str
    licence: str
    command: str
    tariff_jis: Array = field(default_factory=lambda: np.zeros(0))
    treatments: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        size = {"region": len(self.regions), "sector": len(self.sectors)}
        if not all(size.values()):
            raise DataError(f"{self.title}: a table needs at least one region and one sector")
        if np.size(self.tariff_jis) == 0:
            object.__setattr__(self, "tariff_jis", np.zeros((size["region"], size["region"], size["sector"])))
        for name, axes in _AXES.items():
            # Adding zero copies the caller's array and turns -0.0 into 0.0, which a csv file would not keep apart.
            array = np.asarray(getattr(self, name), dtype=np.float64, order="C") + 0.0
            shape = tuple(size[axis] for axis in axes)
            if array.shape != shape:
                raise DataError(f"{self.title}: {name} has shape {array.shape}, but the labels need {shape}")
            array.flags.writeable = False
            object.__setattr__(self, name, array)
            self._refuse(name, ~np.isfinite(array), "not a finite number")
        own = np.eye(size["region"], dtype=bool)[:, :, None]
        self._refuse("tariff_jis", own & (self.tariff_jis != 0.0), "a tariff on domestic sales; give zero")
        self._refuse("tariff_jis", self.tariff_jis <= -1.0, "a rate of -1 or less; give 0.05 for five per cent")
        self._refuse_gap()

    def __repr__(self) -> str:
        total = float(self.output_js.sum()) / 1e6
        return (
            f"<TradeTable {self.year}: {len(self.regions)} regions x {len(self.sectors)} sectors, "
            f"output {total:.4g} trillion USD, {self.source}>"
        )

    @property
    def title(self) -> str:
        """What an error calls the table."""
        return f"table of {self.year}, {len(self.regions)} regions x {len(self.sectors)} sectors"

    @property
    def output_js(self) -> Array:
        """Sales of sector s of region j, shape (N, S): row sums of trade, so that markets clear exactly."""
        total: Array = self.trade_jis.sum(axis=1)
        return total

    @property
    def expenditure_is(self) -> Array:
        """Spending of region i on composite s, tariffs paid, shape (N, S): what is bought from all exporters."""
        total: Array = (self.trade_jis * (1.0 + self.tariff_jis)).sum(axis=0)
        return total

    @property
    def uses_is(self) -> Array:
        """The same from the side of users, shape (N, S): materials and final demand."""
        total: Array = self.materials_iks.sum(axis=1) + self.final_is
        return total

    @property
    def value_added_is(self) -> Array:
        """Output minus materials, shape (N, S); includes taxes and margins where the source does."""
        added: Array = self.output_js - self.materials_iks.sum(axis=2)
        return added

    @property
    def tariff_revenue_i(self) -> Array:
        """Tariffs that region i collects, shape (N,)."""
        revenue: Array = (self.trade_jis * self.tariff_jis).sum(axis=(0, 2))
        return revenue

    @property
    def deficit_i(self) -> Array:
        """Imports minus exports before tariffs, shape (N,); they add up to zero."""
        deficit: Array = self.trade_jis.sum(axis=(0, 2)) - self.trade_jis.sum(axis=(1, 2))
        return deficit

    @property
    def keeps_negatives(self) -> bool:
        """Whether negative materials and final demand are there on purpose, as the record of treatments says."""
        return any(text.startswith(KEPT) for text in self.treatments)

    def composite(self) -> TradeTable:
        """Return the table itself, so that both forms of a table answer."""
        return self

    def cells(self, name: str, mask: Mask, values: Array | None = None) -> list[str]:
        """Cells of an array where `mask` holds, each as ``what[where] = value``.

        Parameters
        ----------
        name : str
            ``trade_jis``, ``materials_iks``, ``final_is``, ``tariff_jis``; any other name has axes region, sector.
        mask : ndarray of bool
            Shaped as the array.
        values : ndarray, optional
            What is shown; by default the table's array of that name.
        """
        labels = {"region": self.regions.codes, "sector": self.sectors.codes}
        axes = _AXES.get(name, ("region", "sector"))
        shown = getattr(self, name) if values is None else values
        word = {"trade_jis": "flow", "materials_iks": "materials", "final_is": "final demand", "tariff_jis": "tariff"}
        told = []
        for cell in np.argwhere(mask):
            where = [labels[axis][position] for axis, position in zip(axes, cell, strict=True)]
            places = [f"{where[0]} to {where[1]}", where[2]] if axes[:2] == ("region", "region") else where
            if name == "materials_iks":
                places = [where[0], f"{where[1]} of {where[2]}"]
            told.append(f"{word.get(name, name)}[{', '.join(places)}] = {shown[tuple(cell)]:.6g}")
        return told

    def aggregate(self, region_map: Grouping | None = None, sector_map: Grouping | None = None) -> TradeTable:
        """Sum the table over groups of regions and sectors (none: keep them as they are).

        Tariffs are averaged with trade as weights, so what each importer collects from each exporter stays. A tariff
        between regions of one group becomes part of the price of domestic sales: it adds to output and value added
        there, and final demand and materials, which paid it, stay.

        Raises
        ------
        DataError
            If a map does not cover the table's labels, each once.
        """
        if region_map is None and sector_map is None:
            return self
        by_region = region_map or Grouping.identity(self.regions)
        by_sector = sector_map or Grouping.identity(self.sectors)
        region, sector = by_region.positions(self.regions.codes), by_sector.positions(self.sectors.codes)
        n, s = len(by_region.labels), len(by_sector.labels)

        def sums(array: Array, axes: Sequence[str]) -> Array:
            for axis, kind in enumerate(axes):
                positions, size = (region, n) if kind == "region" else (sector, s)
                array = sum_groups(array, positions, size, axis)
            return array

        trade, revenue = (
            sums(array, _AXES["trade_jis"]) for array in (self.trade_jis, self.trade_jis * self.tariff_jis)
        )
        own = np.arange(n)
        trade[own, own] += revenue[own, own]
        revenue[own, own] = 0.0
        rates = np.divide(revenue, trade, out=np.zeros_like(trade), where=(trade != 0.0) & (revenue != 0.0))
        return TradeTable(
            self.year, by_region.labels, by_sector.labels, trade,
            sums(self.materials_iks, _AXES["materials_iks"]), sums(self.final_is, _AXES["final_is"]),
            self.source, self.licence, self.command, rates, self.treatments,
        )  # fmt: skip

    def balanced(self) -> TradeTable:
        """Close accounts that close only to published digits: flows to an importer are scaled to what its users spend.

        A table whose accounts close to rounding is returned as it is; otherwise the change is recorded.
        """
        bought, spent = self.expenditure_is, self.uses_is
        open_is = np.abs(bought - spent) > ROUNDING * np.maximum(np.abs(bought), np.abs(spent))
        if not open_is.any():
            return self
        factor = np.divide(spent, bought, out=np.ones_like(spent), where=open_is & (bought != 0.0))
        told = f"published digits: {int(open_is.sum())} composites closed, by at most {np.abs(factor - 1.0).max():.1e}"
        return replace(self, trade_jis=self.trade_jis * factor, treatments=(*self.treatments, told))

    def hash(self) -> str:
        """Digest (BLAKE2b, 32 hexadecimal digits) of numbers and labels; source, command and treatments do not count."""
        digest = hashlib.blake2b(b"composite", digest_size=16)
        for labels in (self.regions, self.sectors):
            digest.update(repr((labels.codes, labels.names)).encode())
        for name in _AXES:
            digest.update(np.ascontiguousarray(getattr(self, name), dtype="<f8").tobytes())
        return digest.hexdigest()

    def _refuse(self, name: str, wrong: Mask, said: str) -> None:
        if wrong.any():
            raise DataError(f"{self.title}: {said}: {listed(self.cells(name, wrong))}")

    def _refuse_gap(self) -> None:
        bought, spent = self.expenditure_is, self.uses_is
        scale = np.maximum(np.abs(bought), np.abs(spent))
        # Where users cancel (a negative one among them), rounding is that of the parts, not of their sum.
        parts = np.abs(self.materials_iks).sum(axis=1) + np.abs(self.final_is) + np.abs(self.trade_jis).sum(axis=0)
        gap = np.abs(bought - spent)
        wrong = gap > np.maximum(GAP * scale, ROUNDING * parts)
        if wrong.any():
            order = np.argsort(np.where(wrong, -gap, 0.0), axis=None, kind="stable")[: int(wrong.sum())]
            cells = []
            for flat in order:
                i, s = np.unravel_index(int(flat), gap.shape)
                where = f"{self.regions.codes[int(i)]}, {self.sectors.codes[int(s)]}"
                cells.append(f"[{where}] bought {bought[i, s]:.9g}, spent {spent[i, s]:.9g}")
            raise DataError(
                f"{self.title}: what users spend on a composite is not what is bought of it, tariffs paid: "
                f"{listed(cells)}. Trade times one plus the tariff, summed over exporters, must be materials plus final "
                "demand; take one of them as the residual"
            )


def require_usable(table: TradeTable, context: str) -> None:
    """Refuse a table from which no shares can be taken, naming the cells.

    Sectors without output and composites that nobody buys are fine. Negative materials and final demand are fine where
    the table's treatments say that they are kept; negative flows never are.

    Raises
    ------
    DataError
        After `context`: negative cells, or a sector that sells something and has no value added.
    """
    names = ["trade_jis"]
    if not table.keeps_negatives:
        names += ["materials_iks", "final_is"]
    negative = [cell for name in names for cell in table.cells(name, getattr(table, name) < 0.0)]
    if negative:
        raise DataError(
            f"{context}: {len(negative)} cells are negative: {listed(negative)}. "
            "Aggregate further, or choose a treatment of negatives: zero, produce, shares, keep"
        )
    bought = table.expenditure_is
    used = (table.final_is != 0.0) | (table.materials_iks != 0.0).any(axis=1)
    lost = used & (bought <= 0.0)
    if lost.any():
        cells = table.cells("expenditure", lost, bought)
        raise DataError(f"{context}: composites are used but nothing is bought of them: {listed(cells)}")
    output, added = table.output_js, table.value_added_is
    lossy = ((output > 0.0) & (added <= 0.0)) | ((output == 0.0) & (table.materials_iks != 0.0).any(axis=2))
    if lossy.any():
        cells = table.cells("value added", lossy, added)
        raise DataError(
            f"{context}: {len(cells)} sectors have no value added: {listed(cells)}. "
            "Aggregate them with a neighbour, or choose a treatment of losses: average"
        )
