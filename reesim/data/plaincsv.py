"""Labelled tables in csv files, wide or long, as statistical offices and textbooks write them.

Wide: two label columns and two header rows (region, sector), or single labels ``REGION_SECTOR`` (split at the first
separator, as OECD ICIO has them); final demand in a file of its own or in further columns of the same one. Long:
``exporter,sector,importer,use,value``, where ``use`` is a sector or ``final``; flows that are not there are zero.
Columns are separated by commas, or by tabs if there is one in the first row.
"""

from __future__ import annotations

import csv
import difflib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reesim.data.composite import TradeTable
from reesim.data.compositefiles import read_composite
from reesim.data.csvfiles import listed, parse_number, read_table
from reesim.data.grouping import Array, Grouping
from reesim.data.plain import Key, check_numbers, from_frames
from reesim.data.tables import FINAL, load, save
from reesim.data.tables import composite as composite_of
from reesim.data.treatments import Losses, Negatives, treat
from reesim.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

LONG = ("exporter", "sector", "importer", "use", "value")
_SECTOR_WORDS = ("", "sector", "industry", "product", "code", "item")


def read_plain(
    flows: Path,
    final: Path | None = None,
    *,
    year: int,
    source: str,
    separator: str = "_",
    drop: Sequence[str] = (),
    value_added: Path | str | None = None,
    tariffs: Path | None = None,
    **options: Any,
) -> TradeTable:
    """Read a labelled table from csv files and make it a composite table.

    Parameters
    ----------
    flows : pathlib.Path
        Wide or long, see the module.
    final : pathlib.Path, optional
        Final demand, wide. Default: the columns of `flows` that no row is called, or the uses ``final`` of a long one.
    year, source
        Year of the flows, and what the table says of its source.
    separator : str
        Between region and sector in single labels.
    drop : sequence of str
        Rows and columns to leave out (totals, taxes): a label as in the file, or either part of one. Each must be there.
    value_added : pathlib.Path or str, optional
        A csv file ``region,sector,value``, or the label of a row of `flows`. Columns are checked against it.
    tariffs : pathlib.Path, optional
        A csv file ``exporter,importer,sector,rate``.
    **options
        Passed on to `plain.from_frames`: licence, command, regions, sectors, scale, negatives, unbalanced, losses.

    Raises
    ------
    DataError
        Naming the file and what is wrong with it.
    """
    check_numbers(year, options.get("scale", 1.0))
    long = _is_long(flows)
    if long and final is not None:
        raise DataError(f"{flows}: a long table holds its final demand as use {FINAL!r}; leave the file {final} out")
    row = str(value_added) if value_added is not None and not Path(value_added).is_file() else None
    added: pd.Series | None
    if long:
        square, demand, added = *_read_long(flows, drop, separator), None
    else:
        frame = read_wide(flows, separator)
        block = None if final is None else read_wide(final, separator)
        inside = [label for one in (frame, block) if one is not None for axis in one.axes for label in axis]
        _refuse_strangers([flows] if final is None else [flows, final], inside, drop, separator)
        rest, added = _take_row(flows, frame, row, separator)
        square, demand = _split(flows, _dropped(rest, drop, separator), final)
        if block is not None:
            demand = _dropped(block, [*drop, *([row] if row else [])], separator)
    if row is None and value_added is not None:
        added = _read_series(Path(value_added))
    if added is not None:
        added = added[[label in square.index for label in added.index]] if row else added
    elif value_added is not None:
        raise DataError(f"value added: {value_added}: neither a file nor a row of {flows}")
    rates = None if tariffs is None else _read_rates(tariffs)
    try:
        return from_frames(square, demand, year=year, source=source, value_added=added, tariffs=rates, **options)
    except DataError as error:
        raise DataError(f"{flows}: {error}") from error


def build(
    flows: Path,
    out: Path,
    *,
    year: int | None = None,
    source: str | None = None,
    regions: Path | None = None,
    sectors: Path | None = None,
    negatives: Negatives | str = Negatives.REFUSE,
    losses: Losses | str | None = None,
    **options: Any,
) -> TradeTable:
    """Read a labelled table, aggregate, treat and save it; a folder with a table is read instead of labelled files.

    Parameters
    ----------
    flows : pathlib.Path
        A csv file as in `read_plain`, or the folder of a composite or full table.
    out : pathlib.Path
        Folder of the new table.
    year, source
        As in `read_plain`; a folder says them itself.
    regions, sectors : pathlib.Path, optional
        Map files with columns ``code_from,code,name``.
    negatives, losses
        See `treatments.treat`.
    **options
        As in `read_plain`, for labelled files only.

    Raises
    ------
    DataError
        If something cannot be read or used.
    StoreError
        If `out` cannot be written.
    """
    maps = {
        kind: None if file is None else Grouping.read(file, kind.removesuffix("s"))
        for kind, file in (("regions", regions), ("sectors", sectors))
    }
    given = {key: value for key, value in options.items() if value not in (None, (), [])}
    asked = {"year": year, **given, "regions": regions, "sectors": sectors, "negatives": negatives, "losses": losses}
    command = _command(flows, asked)
    if flows.is_dir():
        if foreign := sorted({*given, *(["year"] if year is not None else []), *(["source"] if source else [])}):
            raise DataError(f"{flows}: a folder with a table says itself what {', '.join(foreign)} would; leave it out")
        found = read_composite(flows) if (flows / "trade.csv").is_file() else composite_of(load(flows))
        found = replace(found, command=f"{found.command}; {command}")
        table = treat(found.aggregate(maps["regions"], maps["sectors"]), negatives, losses)
    else:
        if year is None:
            raise DataError(f"{flows}: the year of the flows is missing; give --year")
        told = {"year": year, "source": source or flows.name, "command": command}
        treated = {"negatives": negatives, "losses": losses}
        table = read_plain(flows, **{**told, **maps, **treated, **given})
    save(table, out)
    return table


def _command(flows: Path, asked: Mapping[str, Any]) -> str:
    """The command line that makes the table again; files by name, since folders differ from desk to desk."""
    words = ["reesim data table", flows.name]
    for option, value in asked.items():
        if value is None or value == Negatives.REFUSE or option == "licence":
            continue
        for one in value if isinstance(value, list | tuple) else [value]:
            word = one.name if isinstance(one, Path) else str(getattr(one, "value", one))
            words += [f"--{option.replace('_', '-')}", word]
    return " ".join([*words, "--out DIR"])


def read_wide(file: Path, separator: str = "_") -> pd.DataFrame:
    """Read a wide csv file as it stands: two-level labels on both axes, the second empty where a label has no separator.

    Raises
    ------
    DataError
        If the file cannot be read or a cell is not a number, by row and column.
    """
    import pandas as pd

    lines = _lines(file)
    head = list(itertools.islice(lines, 2))
    if len(head) < 2 or len(head[0]) < 2:
        raise DataError(f"{file}: expected a header and rows of numbers, separated by commas or tabs")
    double = _is_header(head[1])
    wide = 2 if double or head[0][1].casefold() in _SECTOR_WORDS or not _numeric(head[1][1]) else 1
    names = head[0][wide:]
    below = head[1][wide:]
    columns = list(zip(names, below, strict=False)) if double else [_key(name, separator) for name in names]
    rows: list[Key] = []
    numbers: list[Array] = []
    if not double:
        _add(file, 2, head[1], wide, columns, rows, numbers, separator)
    for position, line in enumerate(lines, start=3):
        if double and position == 3 and not any(line[wide:]):
            continue  # the names of the label columns, as pandas writes them
        _add(file, position, line, wide, columns, rows, numbers, separator)
    if not rows:
        raise DataError(f"{file}: there are no rows below the header")
    index, across = pd.MultiIndex.from_tuples(rows), pd.MultiIndex.from_tuples(columns)
    return pd.DataFrame(np.vstack(numbers), index=index, columns=across)


def _add(
    file: Path,
    position: int,
    line: list[str],
    wide: int,
    columns: list[Key],
    rows: list[Key],
    numbers: list[Array],
    separator: str,
) -> None:
    if not any(line):
        return
    if len(line) != wide + len(columns):
        raise DataError(f"{file}: row {position} has {len(line)} columns, the header {wide + len(columns)}")
    rows.append((line[0], line[1]) if wide == 2 else _key(line[0], separator))
    cells = line[wide:]
    try:
        array = np.array(cells, dtype=np.float64)
    except ValueError:
        array = np.full(len(cells), np.nan)
    if not np.isfinite(array).all() or any("_" in cell for cell in cells):
        # The slow way names the cell.
        named = zip(cells, columns, strict=True)
        array = np.array([parse_number(cell, file, position, " ".join(column).strip()) for cell, column in named])
    numbers.append(array)


def _lines(file: Path) -> Iterator[list[str]]:
    """Rows of a csv file, one at a time: a table of a thousand million characters need not be held as text."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            delimiter = "\t" if "\t" in stream.readline() else ","
            stream.seek(0)
            for row in csv.reader(stream, strict=True, delimiter=delimiter):
                yield [cell.strip() for cell in row]
    except FileNotFoundError:
        raise DataError(f"{file}: there is no such file") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file}: it cannot be read as UTF-8 text in columns: {error}") from error


def _numeric(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_header(line: list[str]) -> bool:
    """Whether the second row holds labels: its label cells are empty or name the columns, or its first cell is a word."""
    if len(line) < 3:
        return False
    return line[1].casefold() in _SECTOR_WORDS or bool(line[2] and not _numeric(line[2]) and not _numeric(line[-1]))


def _is_long(file: Path) -> bool:
    header = next(_lines(file), [])
    return sorted(cell.casefold() for cell in header) == sorted(LONG)


def _key(label: str, separator: str) -> Key:
    first, _, rest = label.partition(separator)
    return first, rest


def _refuse_strangers(files: Sequence[Path], labels: Sequence[Key], drop: Sequence[str], separator: str) -> None:
    """Refuse labels to leave out that are nowhere in the files: a slip of the pen would leave a total in."""
    firsts, seconds = (list(dict.fromkeys(label[place] for label in labels if label[place])) for place in (0, 1))
    known = {*firsts, *seconds, *(f"{first}{separator}{rest}" for first, rest in labels)}
    strangers = [label for label in dict.fromkeys(drop) if label not in known]
    if strangers:
        close = [near for label in strangers for near in difflib.get_close_matches(label, list(known), n=1)]
        meant = f"did you mean {listed(close)}? " if close else ""
        there = f"there are {listed(firsts)}" + (f", and {listed(seconds)}" if seconds else "")
        place = " and ".join(map(str, files))
        raise DataError(f"{place}: drop: no row or column is called {listed(strangers)}; {meant}{there}")


def _dropped(frame: pd.DataFrame, drop: Sequence[str], separator: str) -> pd.DataFrame:
    unwanted = set(drop) - {""}

    def keep(axis: pd.Index) -> list[bool]:
        return [not {first, rest, f"{first}{separator}{rest}"} & unwanted for first, rest in axis]

    return frame.loc[keep(frame.index), keep(frame.columns)]


def _take_row(
    file: Path, frame: pd.DataFrame, row: str | None, separator: str
) -> tuple[pd.DataFrame, pd.Series | None]:
    """Take the row of value added out of a frame."""
    import pandas as pd

    if row is None:
        return frame, None
    mine = [label == _key(row, separator) for label in frame.index]
    if sum(mine) != 1:
        raise DataError(f"value added: {row}: neither a file nor one row of {file}")
    rest = frame.loc[[not one for one in mine]]
    return rest, pd.Series(frame.to_numpy()[mine.index(True)], index=frame.columns)


def _split(file: Path, frame: pd.DataFrame, final: Path | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Square of flows, and block of final demand in the columns that no row is called."""
    bare = [first for first, rest in frame.index if not rest]
    if bare:
        raise DataError(
            f"{file}: rows without region and sector: {listed(bare)}. Leave them out by name (drop), or name the row of "
            "value added"
        )
    rows = set(frame.index)
    regions = {first for first, _ in rows}
    inside = [label in rows for label in frame.columns]
    outside = [label for label in frame.columns if label not in rows]
    if final is not None and outside:
        names = [" ".join(label).strip() for label in outside]
        raise DataError(f"{file}: columns that no row is called: {listed(names)}. Leave them out by name (drop)")
    strangers = [" ".join(label).strip() for label in outside if label[0] not in regions]
    if strangers:
        raise DataError(f"{file}: columns of no known region: {listed(strangers)}. Leave them out by name (drop)")
    if final is None and not outside:
        raise DataError(f"{file}: no columns of final demand; give its file, or add them as REGION_CATEGORY")
    return frame.loc[:, inside], frame.loc[:, [not one for one in inside]]


def _long_cells(file: Path) -> dict[tuple[str, str, str, str], float]:
    """Flows of a long file by exporter, sector, importer and use."""
    cells: dict[tuple[str, str, str, str], float] = {}
    lines = _lines(file)
    header = [cell.casefold() for cell in next(lines)]
    order = [header.index(column) for column in LONG]
    for position, line in enumerate(lines, start=2):
        if not any(line):
            continue
        if len(line) != len(LONG):
            raise DataError(f"{file}: row {position} has {len(line)} columns, the header {len(LONG)}")
        exporter, sector, importer, use, value = (line[column] for column in order)
        key = (exporter, sector, importer, FINAL if use.casefold() == FINAL else use)
        if "" in key:
            raise DataError(f"{file}: row {position}, column {LONG[key.index('')]!r}: the cell is empty")
        if key in cells:
            raise DataError(f"{file}: row {position}: {','.join(key)} stands twice; keep one of the rows")
        cells[key] = parse_number(value, file, position, "value")
    return cells


def _read_long(file: Path, drop: Sequence[str], separator: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Square of flows and block of final demand of a long file, without the lines of what is left out."""
    import pandas as pd

    cells = _long_cells(file)
    _refuse_strangers([file], [label for key in cells for label in (key[:2], key[2:])], drop, separator)
    unwanted = set(drop)

    def keep(first: str, rest: str) -> bool:
        return not {first, rest, f"{first}{separator}{rest}"} & unwanted

    cells = {key: value for key, value in cells.items() if keep(*key[:2]) and keep(*key[2:])}
    regions = dict.fromkeys(region for key in cells for region in (key[0], key[2]))
    sectors = dict.fromkeys(sector for key in cells for sector in (key[1], key[3]) if sector != FINAL)
    pairs = [(region, sector) for region in regions for sector in sectors]
    place = {pair: number for number, pair in enumerate(pairs)}
    buyer = {region: number for number, region in enumerate(regions)}
    square, demand = np.zeros((len(pairs), len(pairs))), np.zeros((len(pairs), len(regions)))
    for (exporter, sector, importer, use), number in cells.items():
        if use == FINAL:
            demand[place[exporter, sector], buyer[importer]] = number
        else:
            square[place[exporter, sector], place[importer, use]] = number
    index = pd.MultiIndex.from_tuples(pairs)
    finals = pd.MultiIndex.from_tuples([(region, FINAL) for region in regions])
    return pd.DataFrame(square, index, index), pd.DataFrame(demand, index, finals)


def _read_series(file: Path) -> pd.Series:
    import pandas as pd

    rows = read_table(file, ("region", "sector", "value"))
    numbers = [parse_number(value, file, row, "value") for row, (_, _, value) in enumerate(rows, start=2)]
    return pd.Series(numbers, pd.MultiIndex.from_tuples([(region, sector) for region, sector, _ in rows]))


def _read_rates(file: Path) -> pd.DataFrame:
    import pandas as pd

    columns = ("exporter", "importer", "sector", "rate")
    rows = read_table(file, columns)
    frame = pd.DataFrame([row[:3] for row in rows], columns=list(columns[:3]))
    frame["rate"] = [parse_number(row[3], file, number, "rate") for number, row in enumerate(rows, start=2)]
    return frame
