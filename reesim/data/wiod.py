"""Reader of the World Input-Output Tables, release 2013 (Timmer et al. 2015), in both forms in which they circulate.

``wiot_YYYY.RData`` (R, whole million USD) needs the package ``rdata``; ``wiotYY_row_*12.xlsx`` (the public workbook)
needs ``openpyxl``; both come with ``pip install 'reesim[data]'``. Either form gives the same `RawTable`, which is then
summed over regions and industries by maps (csv files with columns ``code_from,code,name``).

Final demand of the source has negative cells: changes in inventories, and a handful of disinvestments. They are kept
in the sums: a flow is what was sold, whatever stock it came from. What is below zero after the summation (a trade flow,
final demand of a composite) needs a treatment by name, see `reesim.data.treatments`.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reesim.data.composite import TradeTable
from reesim.data.csvfiles import make_labels
from reesim.data.tables import DATA, Array, Grouping, WorldTable, save
from reesim.data.treatments import Losses, Negatives, member, treat
from reesim.errors import DataError
from reesim.labels import Labels

REGIONS = "wiod_regions_5"
SECTORS = "wiod_sectors_14"

LICENCE = "free of charge, to be cited as Timmer, Dietzenbacher, Los, Stehrer and de Vries (2015)"
FINAL_CATEGORIES = 5
_CODE = re.compile(r"c\d+", re.IGNORECASE)
_INDUSTRY_CODES = frozenset(f"c{number}" for number in range(1, 36))
_HEADER_DEPTH = 30  # rows searched for the labels; the workbooks need six


@dataclass(frozen=True, slots=True, eq=False)
class RawTable:
    """A world input-output table as published.

    Parameters
    ----------
    year : int
        Year of the flows.
    regions, industries : tuple of str
        Codes as in the file; N regions, S industries.
    intermediate_jsik : ndarray, shape (N, S, N, S)
        Materials, million USD: origin region and industry, destination region and industry.
    final_jsic : ndarray, shape (N, S, N, F)
        Final demand, million USD, by category of the destination region.
    """

    year: int
    regions: tuple[str, ...]
    industries: tuple[str, ...]
    intermediate_jsik: Array
    final_jsic: Array

    @property
    def negatives(self) -> int:
        """Number of cells below zero."""
        return int((self.intermediate_jsik < 0.0).sum() + (self.final_jsic < 0.0).sum())


def read(source: Path, year: int) -> RawTable:
    """Read one year from a file, or from the folder that holds it (where both forms are there: the ``.RData``).

    Raises
    ------
    DataError
        If there is no such file, a package is missing, or the file is not a table of that year.
    """
    file = find(source, year)
    raw = _read_rdata(file) if file.suffix.casefold() == ".rdata" else _read_xlsx(file, year)
    if raw.year != year:
        raise DataError(
            f"{file}: it holds the year {raw.year}, not {year}; give the file of {year}, or --year {raw.year}"
        )
    return raw


def find(source: Path, year: int) -> Path:
    """Return the file of a year: `source` itself, or the one in the folder `source`.

    Raises
    ------
    DataError
        If there is none, or its form is not known.
    """
    if source.is_file():
        if source.suffix.casefold() not in (".rdata", ".xlsx"):
            raise DataError(f"{source}: not a .RData or .xlsx file; give a table of the release of 2013")
        return source
    if not source.is_dir():
        raise DataError(f"{source}: there is no such file or folder")
    names = sorted(file for file in source.iterdir() if file.is_file())
    for pattern in (rf"wiot_{year}\.rdata", rf"wiot{year % 100:02d}_row_\w+\.xlsx"):
        for file in names:
            if re.fullmatch(pattern, file.name, re.IGNORECASE):
                return file
    raise DataError(f"{source}: no wiot_{year}.RData and no wiot{year % 100:02d}_row_*.xlsx in this folder")


def aggregate(raw: RawTable, regions: Grouping, sectors: Grouping, *, command: str) -> WorldTable:
    """Sum a raw table over groups; whole numbers sum exactly, in any order. Negative cells stay in the sums.

    Raises
    ------
    DataError
        If a map does not cover the table.
    """
    told = f"{raw.negatives} negative raw cells of final demand kept in the sums"
    source = f"World Input-Output Database, release 2013, table of {raw.year}; {told}"
    plain = (Labels("region", raw.regions, raw.regions), Labels("sector", raw.industries, raw.industries))
    table = WorldTable(raw.year, *plain, raw.intermediate_jsik, raw.final_jsic.sum(axis=3), source, LICENCE, command)
    return table.aggregate(regions, sectors)


def build(
    source: Path,
    year: int,
    out: Path,
    regions: Path | None = None,
    sectors: Path | None = None,
    negatives: Negatives | str = Negatives.REFUSE,
    losses: Losses | str | None = None,
) -> WorldTable | TradeTable:
    """Find, read, aggregate, treat and save one year.

    Parameters
    ----------
    source : pathlib.Path
        A raw file, or the folder that holds it.
    year : int
        Year, 1995 to 2011.
    out : pathlib.Path
        Folder of the table.
    regions, sectors : pathlib.Path, optional
        Map files, or shipped maps by name or size (``wiod_regions_41`` or ``41``, ``wiod_sectors_35`` or ``35`` keep
        every label). Default: five regions and the fourteen sectors of section 6.
    negatives, losses
        Treatment of cells that are negative after the summation and of sectors without value added, see
        `treatments.treat`.

    Returns
    -------
    WorldTable or TradeTable
        The full table where nothing had to be treated; otherwise the composite table with its treatments.

    Raises
    ------
    DataError
        If something cannot be read or used.
    StoreError
        If `out` cannot be written.
    """
    by_region, by_sector = (_grouping(regions, REGIONS, "region"), _grouping(sectors, SECTORS, "sector"))
    options = [f" --{name} {path.name}" for name, path in (("regions", regions), ("sectors", sectors)) if path]
    chosen = member(Negatives, negatives)
    if chosen is not Negatives.REFUSE:
        options.append(f" --negatives {chosen.value}")
    if losses is not None:
        options.append(f" --losses {member(Losses, losses).value}")
    command = f"reesim data wiod DIR --year {year} --out DIR{''.join(options)}"
    raw = read(source, year)
    table = aggregate(raw, by_region, by_sector, command=command)
    try:
        flows = treat(table.composite(), negatives, losses)
    except DataError as error:
        raise DataError(f"{raw.negatives} negative raw cells are kept in the sums; {error}") from error
    usable = flows if flows.treatments else table
    save(usable, out)
    return usable


def _grouping(given: Path | None, default: str, kind: str) -> Grouping:
    name = str(given or default)
    shipped = {file.stem: file for file in DATA.glob(f"wiod_{kind}s_*.csv")}
    name = f"wiod_{kind}s_{name}" if name.isdecimal() else name
    if name not in shipped and not Path(name).is_file():
        raise DataError(f"{name}: neither a {kind} map nor a shipped one; shipped: {', '.join(sorted(shipped))}")
    return Grouping.read(shipped.get(name, Path(name)), kind)


def _read_rdata(file: Path) -> RawTable:
    try:
        import rdata
        from rdata.conversion import DEFAULT_CLASS_MAP
    except ImportError as error:
        raise DataError(f"{file}: reading it needs the package rdata: pip install 'reesim[data]'") from error
    try:
        # The R class "iot" is a plain list; naming it keeps rdata from warning that it has no constructor.
        content = rdata.read_rda(file, constructor_dict={**DEFAULT_CLASS_MAP, "iot": lambda value, _: value})
        (table,) = content.values()
        year = int(table["year"][0])
        regions, industries = (tuple(str(code) for code in table[key]) for key in ("countries", "industries"))
        flows, final, output = (np.asarray(table[key], dtype=np.float64) for key in ("inter", "final", "output"))
    except Exception as error:  # rdata raises whatever its parser stumbles over: any of it means an unusable file
        raise DataError(f"{file}: not an R file with a world input-output table: {error!r}") from error
    n, s = len(regions), len(industries)
    if flows.shape != (n * s, n * s) or final.shape != (n * s, n * FINAL_CATEGORIES) or output.shape != (n * s,):
        raise DataError(f"{file}: {n} regions and {s} industries do not fit shapes {flows.shape} and {final.shape}")
    return _raw(file, year, (regions, industries), flows, final, output)


def _read_xlsx(file: Path, year: int) -> RawTable:
    try:
        import openpyxl
        from openpyxl.utils.exceptions import InvalidFileException
    except ImportError as error:
        raise DataError(f"{file}: reading it needs the package openpyxl: pip install 'reesim[data]'") from error
    try:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
    except (OSError, zipfile.BadZipFile, InvalidFileException, KeyError, ValueError) as error:
        raise DataError(f"{file}: not an Excel workbook: {error!r}") from error
    try:
        sheet = book.worksheets[0]
        rows = [list(row) for row in sheet.iter_rows(values_only=True)]
        return _parse_sheet(file, _year(sheet.title, file, year), rows)
    finally:
        book.close()


def _year(title: str, file: Path, asked: int) -> int:
    """Year in the name of the sheet (``WIOT_2009``) or of the file (``wiot09_row_apr12``), or else the one asked."""
    if found := re.search(r"(19|20)\d\d", title):
        return int(found.group())
    if found := re.match(r"wiot(\d\d)_", file.name, re.IGNORECASE):
        return int(found.group(1)) + (1900 if int(found.group(1)) >= 50 else 2000)
    return asked


def _parse_sheet(file: Path, year: int, rows: Sequence[Sequence[Any]]) -> RawTable:
    """Locate labels by content: the row of c-codes, the row of regions above it, and the same two among the columns."""
    code_row = _find_code_row(file, rows)
    codes = [_word(cell) for cell in rows[code_row]]
    first = next(column for column, code in enumerate(codes) if _CODE.fullmatch(code))
    body = rows[code_row + 1 :]
    code_column = next((c for c in range(first) if body and _word(body[0][c]) == codes[first]), None)
    region_row, region_column = _find_regions(rows[:code_row], body, first, codes)
    if code_column is None or region_row is None or region_column is None:
        raise DataError(f"{file}: row {code_row + 2}: no label columns with region and c-code left of the numbers")
    # The industry rows end where the codes do: totals, taxes, value added and margins follow, coded r60 and so on.
    row_keys = [(_word(row[region_column]), _word(row[code_column])) for row in body]
    count = next((r for r, (_, code) in enumerate(row_keys) if code not in _INDUSTRY_CODES), len(row_keys))
    regions, industries = (tuple(dict.fromkeys(key[axis] for key in row_keys[:count])) for axis in (0, 1))
    if row_keys[:count] != [(region, industry) for region in regions for industry in industries]:
        raise DataError(f"{file}: the industry rows are not the same industries in the same order for every region")
    heads = list(zip((_word(cell) for cell in rows[region_row]), codes, strict=False))
    columns = _find_columns(file, heads, (regions, industries), body[0])
    numbers = _numbers(file, body[:count], columns, code_row + 2)
    flows, final, output = np.split(numbers, [count, len(columns) - 1], axis=1)
    return _raw(file, year, (regions, industries), flows, final, output[:, 0])


def _find_columns(
    file: Path, heads: list[tuple[str, str]], labels: tuple[tuple[str, ...], tuple[str, ...]], row: Sequence[Any]
) -> list[int]:
    """Columns of industries, of final demand and, last, of total output: the one number that no region claims."""
    regions, industries = labels
    column_of = {head: column for column, head in enumerate(heads)}
    final_codes = [code for region, code in heads if region == regions[0] and code not in industries]
    wanted = [(region, code) for codes in (industries, final_codes) for region in regions for code in codes]
    missing = [f"{region} {code}" for region, code in wanted if (region, code) not in column_of]
    if missing or len(final_codes) != FINAL_CATEGORIES:
        raise DataError(
            f"{file}: expected {len(industries)} columns of industries and {FINAL_CATEGORIES} of final demand for "
            f"every region; missing: {', '.join(missing[:8]) or 'none'}; "
            f"final demand found: {', '.join(final_codes) or 'none'}"
        )
    columns = [column_of[head] for head in wanted]
    others = sorted(set(range(min(columns), len(row))) - set(columns))
    total = [column for column in others if isinstance(row[column], int | float)]
    if len(total) != 1:
        raise DataError(f"{file}: expected one column of total output beside the flows, found {len(total)}")
    return [*columns, *total]


def _find_code_row(file: Path, rows: Sequence[Sequence[Any]]) -> int:
    for number, row in enumerate(rows[:_HEADER_DEPTH]):
        words = [_word(cell) for cell in row]
        if sum(bool(_CODE.fullmatch(word)) for word in words) > FINAL_CATEGORIES:
            return number
    raise DataError(
        f"{file}: no row of industry codes (c1, c2, ...) among the first {_HEADER_DEPTH} rows of the first sheet"
    )


def _find_regions(
    above: Sequence[Sequence[Any]], body: Sequence[Sequence[Any]], first: int, codes: Sequence[str]
) -> tuple[int | None, int | None]:
    """Row and column of the region codes: the pair that agrees on one region for all industries of the first block."""
    block = next((c for c in range(first + 1, len(codes)) if codes[c] == codes[first]), first + 1) - first
    for row in range(len(above)):
        cells = [_word(cell) for cell in above[row]]
        if (
            len(cells) <= first + block
            or len({*cells[first : first + block]}) != 1
            or cells[first] == cells[first + block]
        ):
            continue
        for column in range(first):
            labels = [_word(line[column]) for line in body[: block + 1]]
            if len(labels) > block and labels[:block] == cells[first : first + block] and labels[block] != labels[0]:
                return row, column
    return None, None


def _numbers(file: Path, body: Sequence[Sequence[Any]], columns: Sequence[int], first_row: int) -> Array:
    from openpyxl.utils import get_column_letter

    numbers = np.empty((len(body), len(columns)))
    for r, row in enumerate(body):
        for c, column in enumerate(columns):
            cell = row[column] if column < len(row) else None
            if isinstance(cell, bool) or not isinstance(cell, int | float) or not np.isfinite(cell):
                address = f"{get_column_letter(column + 1)}{first_row + r}"
                raise DataError(f"{file}: cell {address} holds {cell!r}, not a number")
            numbers[r, c] = cell
    return numbers


def _word(cell: Any) -> str:
    return "" if cell is None else str(cell).strip()


def _raw(
    file: Path, year: int, labels: tuple[tuple[str, ...], tuple[str, ...]], flows: Array, final: Array, output: Array
) -> RawTable:
    """Shape the matrices and check rows against published output, which a misplaced block cannot pass."""
    regions, industries = labels
    for kind, codes in (("region", regions), ("industry", industries)):
        make_labels(kind, codes, codes, file)
    n, s = len(regions), len(industries)
    gap = np.abs(flows.sum(axis=1) + final.sum(axis=1) - output)
    # Whole numbers are rounded to a half each, so a row may miss its published total by half its number of cells.
    allowed = 0.5 * (n * s + final.shape[1]) + 1e-6 * np.abs(output)
    if (worst := int(np.argmax(gap - allowed))) >= 0 and not gap[worst] <= allowed[worst]:
        where = f"{regions[worst // s]} {industries[worst % s]}"
        raise DataError(f"{file}: the row of {where} misses its published output by {gap[worst]:g} million USD")
    return RawTable(year, regions, industries, flows.reshape(n, s, n, s), final.reshape(n, s, n, -1))
