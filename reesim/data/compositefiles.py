"""Composite tables as folders of csv files.

``trade.csv`` (exporter, importer, a column a sector), ``materials.csv`` (region, using sector, a column an input),
``final.csv`` (region, a column a sector), ``regions.csv``, ``sectors.csv``, ``about.csv`` and, where there are tariffs,
``tariffs.csv`` (exporter, importer, sector, rate; what is not there is zero).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from reesim.data.composite import TradeTable, require_usable
from reesim.data.csvfiles import (
    about_rows,
    block_rows,
    number_text,
    parse_number,
    read_about,
    read_block,
    read_labels,
    read_table,
    write_table,
)
from reesim.data.grouping import Array
from reesim.errors import DataError
from reesim.labels import Labels


def load_composite(folder: Path) -> TradeTable:
    """Load a composite table from a folder of csv files.

    Raises
    ------
    DataError
        Naming file, row and column of the first thing that is wrong, or the cells from which no shares can be taken.
    """
    table = read_composite(folder)
    require_usable(table, str(folder))
    return table


def read_composite(folder: Path) -> TradeTable:
    """Read a folder as `load_composite` does, but leave cells that need a treatment to the caller."""
    regions, sectors = (read_labels(folder / f"{kind}s.csv", kind) for kind in ("region", "sector"))
    n, s = len(regions), len(sectors)
    columns = sectors.codes
    trade = read_block(folder / "trade.csv", {"exporter": regions, "importer": regions}, columns)
    materials = read_block(folder / "materials.csv", {"region": regions, "using sector": sectors}, columns)
    final = read_block(folder / "final.csv", {"region": regions}, columns)
    tariffs = folder / "tariffs.csv"
    rates = read_tariffs(tariffs, regions, sectors) if tariffs.is_file() else np.zeros(0)
    year, about, treatments = read_about(folder / "about.csv")
    try:
        return TradeTable(
            year, regions, sectors, trade.reshape(n, n, s), materials.reshape(n, s, s), final,
            about["source"], about["licence"], about["command"], rates, treatments,
        )  # fmt: skip
    except DataError as error:
        raise DataError(f"{folder}: {error}") from error


def read_tariffs(file: Path, regions: Labels, sectors: Labels) -> Array:
    """Read tariff rates, shape (N, N, S), from a csv file ``exporter,importer,sector,rate``; the rest is zero.

    Raises
    ------
    DataError
        If a label is not known, a flow stands twice, or a rate is not a number.
    """
    rates = np.zeros((len(regions), len(regions), len(sectors)))
    axes = (regions, regions, sectors)
    places = [{code: position for position, code in enumerate(labels)} for labels in axes]
    seen: set[tuple[int, ...]] = set()
    columns = ("exporter", "importer", "sector", "rate")
    for row, cells in enumerate(read_table(file, columns), start=2):
        for column, code, known, labels in zip(columns[:3], cells, places, axes, strict=False):
            if code not in known:
                hint = labels.suggest(code)
                more = f", did you mean {hint!r}?" if hint else ""
                raise DataError(f"{file}: row {row}, column {column!r}: no {labels.kind} {code!r}{more}")
        where = tuple(known[code] for known, code in zip(places, cells, strict=False))
        if where in seen:
            raise DataError(f"{file}: row {row}: {','.join(cells[:3])} stands twice; keep one of the rows")
        seen.add(where)
        rates[where] = parse_number(cells[3], file, row, "rate")
    return rates


def save_composite(table: TradeTable, folder: Path) -> None:
    """Write a composite table as csv files into `folder`; `load_composite` gives back every bit.

    Raises
    ------
    DataError
        If a text would not come back when read.
    StoreError
        If the files cannot be written.
    """
    regions, sectors = table.regions, table.sectors
    for code in sectors.codes:
        if code in ("exporter", "importer", "region", "using sector"):
            raise DataError(f"sector code {code!r} cannot name a column beside the labels; use another word")
    n, s = len(regions), len(sectors)
    contents: dict[str, Iterable[Sequence[str]]] = {
        "trade": block_rows(
            {"exporter": regions, "importer": regions}, sectors.codes, table.trade_jis.reshape(n * n, s)
        ),
        "materials": block_rows(
            {"region": regions, "using sector": sectors}, sectors.codes, table.materials_iks.reshape(n * s, s)
        ),
        "final": block_rows({"region": regions}, sectors.codes, table.final_is),
        "about": about_rows(table, table.treatments),
    }
    # A file of tariffs that an earlier table left in the folder would be read as this one's.
    if table.tariff_jis.any() or (folder / "tariffs.csv").exists():
        contents["tariffs"] = _tariff_rows(table)
    write_table(folder, contents, (regions, sectors))


def _tariff_rows(table: TradeTable) -> Iterable[list[str]]:
    yield ["exporter", "importer", "sector", "rate"]
    for j, i, s in np.argwhere(table.tariff_jis):
        rate = number_text(float(table.tariff_jis[j, i, s]))
        yield [table.regions.codes[j], table.regions.codes[i], table.sectors.codes[s], rate]
