"""Labelled tables of any origin: data frames of flows and final demand, made into a composite table.

What OECD ICIO, Eora, EXIOBASE and textbooks have in common: a square of flows whose rows are exporter and sector and
whose columns are importer and using sector, and a block of final demand with the same rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from reesim.data.balancing import Unbalanced, balance
from reesim.data.composite import TradeTable
from reesim.data.csvfiles import listed
from reesim.data.grouping import Array, Grouping
from reesim.data.tables import FINAL, WorldTable
from reesim.data.treatments import Losses, Negatives, treat
from reesim.errors import DataError, LabelError
from reesim.labels import Labels

if TYPE_CHECKING:
    import pandas as pd

LICENCE = "not stated"
Key = tuple[str, str]


def check_numbers(year: int, scale: float) -> None:
    """Refuse a year that is none, and a scale that no number of a table can be multiplied by.

    Raises
    ------
    DataError
        Saying what it should be.
    """
    if not 1000 <= year <= 9999:
        raise DataError(f"year {year}: should be a calendar year, 1000 to 9999")
    if not 0.0 < scale < np.inf:
        raise DataError(f"scale {scale:g}: should be above 0, what a number of the files is in million USD")


def from_frames(
    flows: pd.DataFrame,
    final: pd.DataFrame,
    *,
    year: int,
    source: str,
    licence: str = LICENCE,
    command: str = "reesim.data.plain.from_frames",
    regions: Grouping | None = None,
    sectors: Grouping | None = None,
    value_added: pd.Series | None = None,
    tariffs: pd.DataFrame | None = None,
    scale: float = 1.0,
    negatives: Negatives | str = Negatives.REFUSE,
    unbalanced: Unbalanced | str = Unbalanced.REFUSE,
    losses: Losses | str | None = None,
) -> TradeTable:
    """Make a composite table of labelled flows: check, balance, aggregate, treat.

    Parameters
    ----------
    flows : DataFrame
        Rows (exporter, sector), columns (importer, using sector), both with two levels and the same labels; before
        tariffs. A region may lack sectors that others have.
    final : DataFrame
        Final demand: the same rows, columns importer or (importer, category); categories are added up.
    year : int
        Calendar year of the flows.
    source, licence, command : str
        What the table says of itself.
    regions, sectors : Grouping, optional
        Maps to aggregate with; they also name the labels. Default: every label, named by its code.
    value_added : Series, optional
        Value added by (region, sector), to check the columns against, see `balancing.balance`.
    tariffs : DataFrame, optional
        Columns exporter, importer, sector, rate (0.05 is five per cent); flows that are not in it pay none.
    scale : float
        What a number of the frames is in million USD (0.001 for thousands).
    negatives, unbalanced, losses
        Treatments, see `treatments.treat` and `balancing.balance`.

    Returns
    -------
    TradeTable
        With the record of every treatment.

    Raises
    ------
    DataError
        If labels do not fit, a cell is not a number, or the table cannot be used after the treatments.
    """
    table = world_of_frames(flows, final, year=year, source=source, licence=licence, command=command, scale=scale)
    rates = None if tariffs is None else _rates(tariffs, table)
    told: tuple[str, ...] = ()
    if value_added is not None:
        added = _vector(value_added, table, "value added") * scale
        table, told = balance(table, added, unbalanced, rates)
    composite = replace(table.composite(rates), treatments=told).aggregate(regions, sectors)
    return treat(composite, negatives, losses)


def world_of_frames(
    flows: pd.DataFrame,
    final: pd.DataFrame,
    *,
    year: int,
    source: str,
    licence: str = LICENCE,
    command: str = "reesim.data.plain.world_of_frames",
    scale: float = 1.0,
) -> WorldTable:
    """Make a full world table of labelled flows as they stand, negative cells included; see `from_frames`.

    Raises
    ------
    DataError
        If labels do not fit, a cell is not a number, or year or scale cannot be.
    """
    check_numbers(year, scale)
    rows, columns = _pairs(flows.index, "rows of flows"), _pairs(flows.columns, "columns of flows")
    _same(rows, columns, "rows of flows", "its columns")
    final_rows = _pairs(final.index, "rows of final demand")
    _same(rows, final_rows, "rows of flows", "those of final demand")
    regions = _labels("region", (region for region, _ in rows))
    sectors = _labels("sector", (sector for _, sector in rows))
    n, s = len(regions), len(sectors)
    place = _places(regions, sectors)
    at, across = ([place[pair] for pair in pairs] for pairs in (rows, columns))
    square = np.zeros((n * s, n * s))
    square[np.ix_(at, across)] = _numbers(flows, rows, columns, "flows") * scale
    buyers = [(str(label[0]) if isinstance(label, tuple) else str(label)).strip() for label in final.columns]
    strangers = [buyer for buyer in dict.fromkeys(buyers) if buyer not in regions.codes]
    if strangers:
        raise DataError(f"columns of final demand: no region {listed(strangers)}; known: {listed(regions.codes)}")
    cells = np.zeros((n * s, n))
    numbers = _numbers(final, final_rows, [(buyer, FINAL) for buyer in buyers], "final demand") * scale
    of_buyer = np.array([regions.codes.index(buyer) for buyer in buyers], dtype=np.intp)
    gathered = np.zeros((len(final_rows), n))
    np.add.at(gathered.T, of_buyer, numbers.T)
    cells[[place[pair] for pair in final_rows]] = gathered
    return WorldTable(
        year, regions, sectors, square.reshape(n, s, n, s), cells.reshape(n, s, n), source, licence, command
    )


def _pairs(axis: pd.Index, where: str) -> list[Key]:
    if axis.nlevels != 2:
        raise DataError(f"{where}: labels have {axis.nlevels} levels; give two, region and sector")
    pairs = [(str(region).strip(), str(sector).strip()) for region, sector in axis]
    if len(set(pairs)) < len(pairs):
        doubles = [" ".join(pair) for pair, times in Counter(pairs).items() if times > 1]
        raise DataError(f"{where}: {listed(doubles)} stands twice; keep one")
    return pairs


def _same(rows: list[Key], others: list[Key], what: str, than: str) -> None:
    left, right = set(rows), set(others)
    lone = [" ".join(pair) for pair in rows if pair not in right]
    foreign = [" ".join(pair) for pair in others if pair not in left]
    if lone or foreign:
        parts = [f"only among {name}: {listed(cells)}" for name, cells in ((what, lone), (than, foreign)) if cells]
        raise DataError(f"{what} and {than} have different labels; {'; '.join(parts)}")


def _labels(kind: str, codes: Iterable[str]) -> Labels:
    found = tuple(dict.fromkeys(codes))
    try:
        return Labels(kind, found, found)
    except LabelError as error:
        raise DataError(f"labels of flows: {error}") from error


def _places(regions: Labels, sectors: Labels) -> dict[Key, int]:
    pairs = [(region, sector) for region in regions for sector in sectors]
    return {pair: position for position, pair in enumerate(pairs)}


def _numbers(frame: pd.DataFrame, rows: list[Key], columns: list[Key], what: str) -> Array:
    try:
        array = frame.to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{what}: a cell is not a number: {error}") from error
    if not np.isfinite(array).all():
        r, c = (int(position) for position in np.argwhere(~np.isfinite(array))[0])
        raise DataError(f"{what}: row {' '.join(rows[r])}, column {' '.join(columns[c])} is not a finite number")
    return array


def _vector(series: pd.Series, table: WorldTable, what: str) -> Array:
    pairs = _pairs(series.index, what)
    place = _places(table.regions, table.sectors)
    strangers = [" ".join(pair) for pair in pairs if pair not in place]
    used = (table.output_js != 0.0) | (table.intermediate_jsik != 0.0).any(axis=(0, 1))
    given = set(pairs)
    lost = [" ".join(pair) for pair, position in place.items() if used.ravel()[position] and pair not in given]
    if strangers or lost:
        parts = [f"no such sector: {listed(strangers)}"] * bool(strangers) + [f"missing: {listed(lost)}"] * bool(lost)
        raise DataError(f"{what}: {'; '.join(parts)}. Give every sector of the flows one number")
    values = np.zeros(len(place))
    values[[place[pair] for pair in pairs]] = _numbers(series.to_frame(), pairs, [(what, "")], what)[:, 0]
    return values.reshape(len(table.regions), len(table.sectors))


def _rates(tariffs: pd.DataFrame, table: WorldTable) -> Array:
    wanted = ("exporter", "importer", "sector", "rate")
    missing = [column for column in wanted if column not in tariffs.columns]
    if missing:
        raise DataError(f"tariffs: no column {', '.join(missing)}; give {', '.join(wanted)}")
    axes = (table.regions, table.regions, table.sectors)
    places = []
    for column, labels in zip(wanted[:3], axes, strict=True):
        known = {code: position for position, code in enumerate(labels)}
        codes = [str(code).strip() for code in tariffs[column]]
        strangers = [code for code in dict.fromkeys(codes) if code not in known]
        if strangers:
            raise DataError(f"tariffs, column {column}: no {labels.kind} {listed(strangers)}")
        places.append([known[code] for code in codes])
    flat = np.ravel_multi_index(tuple(np.array(place, dtype=np.intp) for place in places), tuple(map(len, axes)))
    if len(np.unique(flat)) < len(flat):
        twice = tariffs[tariffs.duplicated(list(wanted[:3]))].iloc[0]
        raise DataError(f"tariffs: {', '.join(str(twice[column]) for column in wanted[:3])} stands twice; keep one")
    rates = np.zeros(tuple(map(len, axes)))
    keys = [("row", str(position)) for position in range(len(flat))]
    rates.flat[flat] = _numbers(tariffs[["rate"]], keys, [("rate", "")], "tariffs")[:, 0]
    return rates
