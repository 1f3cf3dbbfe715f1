"""Tables in csv files: ad-valorem rates by flow; trade elasticities and rare-earth requirements by sector."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reesim.data.csvfiles import parse_number, read_rows, read_table
from reesim.data.facts import UNVERIFIED
from reesim.errors import DataError
from reesim.labels import Labels

Flow = tuple[str, str, str]

MAX_RATE = 20.0
"""Ad-valorem rate above which per cent are taken for a fraction: no tariff in force comes near 2,000 %."""

KINDS = ("total", "direct")
"""Requirements of rare earths: all that stands behind a dollar of output, or what the sector itself buys for it."""


def too_high(rate: float) -> str:
    """Say what a rate above `MAX_RATE` would be."""
    return f"a rate of {rate:g} is {100.0 * rate:,.0f} %"


@dataclass(frozen=True, slots=True)
class RateFile:
    """Rates by flow, as a csv file with columns exporter, importer, sector, rate gives them.

    Parameters
    ----------
    name : str
        Name of the file as the scenario writes it.
    flows : tuple of (str, str, str)
        Codes of exporter, importer and sector; each flow once.
    rates : tuple of float
        Ad-valorem rates, above -1 and at most `MAX_RATE`.
    """

    name: str
    flows: tuple[Flow, ...]
    rates: tuple[float, ...]

    def __str__(self) -> str:
        return self.name

    def positions(self, regions: Labels, sectors: Labels) -> tuple[tuple[NDArray[np.intp], ...], NDArray[np.float64]]:
        """Index of the flows in an (N, N, S) array, and their rates.

        Raises
        ------
        LabelError
            If a label is not known.
        """
        finders = (_finder(regions), _finder(regions), _finder(sectors))
        columns = zip(*self.flows, strict=True)
        index = tuple(
            np.array([find(label) for label in column], np.intp) for find, column in zip(finders, columns, strict=True)
        )
        return index, np.array(self.rates)


def read_rates(file: Path, name: str, regions: Labels | None, sectors: Labels | None) -> RateFile:
    """Read rates by flow; without labels to look them up in, codes are taken as they stand.

    Raises
    ------
    DataError
        Naming file, row and column of the first thing that is wrong.
    """
    rows = read_table(file, ("exporter", "importer", "sector", "rate"))
    if not rows:
        raise DataError(f"{file}: there are no rows below the header")
    coders = tuple(_coder(labels) for labels in (regions, regions, sectors))
    rates: dict[Flow, float] = {}
    for number, (exporter, importer, sector, text) in enumerate(rows, start=2):
        try:
            flow = (coders[0](exporter), coders[1](importer), coders[2](sector))
        except LookupError as error:
            raise DataError(f"{file}: row {number}: {error}") from None
        if flow[0] == flow[1]:
            raise DataError(f"{file}: row {number}: {exporter} to {importer} is own trade, on which there is no tariff")
        if flow in rates:
            raise DataError(f"{file}: row {number}: the flow {', '.join(flow)} stands twice; keep one of the rows")
        rates[flow] = parse_number(text, file, number, "rate")
        if rates[flow] <= -1.0:
            raise DataError(f"{file}: row {number}, column 'rate': should be above -1, not {text}")
        if (rate := rates[flow]) > MAX_RATE:
            remedy = f"write {rate / 100.0:g} for {rate:g} %"
            raise DataError(f"{file}: row {number}, column 'rate': {too_high(rate)}; {remedy}")
    return RateFile(name, tuple(rates), tuple(rates.values()))


def read_trade_elasticities(file: Path, sectors: Labels) -> tuple[float, ...]:
    """Read sigma by sector from a csv file with columns sector and theta (sigma = 1 + theta), or sector and sigma.

    Raises
    ------
    DataError
        Naming file, row and column of the first thing that is wrong.
    """
    header = read_rows(file)[0]
    named = [name for name in ("theta", "sigma") if name in header]
    if len(named) != 1:
        raise DataError(
            f"{file}: row 1: the columns should be sector and theta (sigma = 1 + theta), or sector and sigma"
        )
    (column,) = named
    values: dict[str, float] = {}
    for code, number, (text,) in _rows_by_sector(file, (column,), sectors):
        value = parse_number(text, file, number, column)
        if value <= 0.0:
            raise DataError(f"{file}: row {number}, column {column!r}: should be above 0, not {text}")
        values[code] = 1.0 + value if column == "theta" else value
    return tuple(values[code] for code in sectors)


@dataclass(frozen=True, slots=True)
class Requirements:
    """Rare earths that sectors need by an input-output table: the pattern of shares, whatever its scale.

    Parameters
    ----------
    source : str
        Whose they are, in words.
    kind : {"total", "direct"}
        All that stands behind a dollar of output, or what the sector itself buys for it.
    by_sector : mapping of str to float
        USD of rare earths per USD of output by sector code, 0 or more.
    unverified : tuple of str
        Codes of the sectors that use rare earths and whose number rests, as the table says, on memory.
    """

    source: str
    kind: str
    by_sector: Mapping[str, float]
    unverified: tuple[str, ...] = ()

    @property
    def users(self) -> tuple[str, ...]:
        """Codes of the sectors that use rare earths."""
        return tuple(code for code, value in self.by_sector.items() if value > 0.0)

    def __str__(self) -> str:
        return f"{self.kind} requirements of {self.source}"

    @property
    def doubt(self) -> str:
        """What every result says of numbers from memory; nothing if there are none."""
        if not self.unverified:
            return ""
        some = "" if self.unverified == self.users else f" of {', '.join(self.unverified)}"
        return f"requirements{some} {UNVERIFIED}"

    def of(self, sectors: Labels) -> Requirements:
        """Keep those of some of the sectors, in their order."""
        told = tuple(code for code in sectors if code in self.unverified)
        return replace(self, by_sector={code: self.by_sector[code] for code in sectors}, unverified=told)


def read_requirements(file: Path, source: str, sectors: Labels, kind: str = "") -> Requirements:
    """Read rare-earth requirements from a csv file with a row for every sector, columns sector and total or direct.

    Parameters
    ----------
    file : Path
        With a column ``status``, rows of status M, from memory, are unverified.
    source : str
        What results call it.
    sectors : Labels
        Every one needs a row, and no other may have one.
    kind : {"total", "direct"}, optional
        Column to read; by default ``total``, and ``direct`` in a file without it.

    Raises
    ------
    DataError
        Naming file, row and column of the first thing that is wrong.
    """
    header = read_rows(file)[0]
    column = kind or next((name for name in KINDS if name in header), "")
    if column not in header:
        raise DataError(f"{file}: row 1: the columns should be sector and {column or ' or '.join(KINDS)}")
    columns = (column, "status") if "status" in header else (column,)
    values: dict[str, float] = {}
    memory: set[str] = set()
    for code, number, (text, *status) in _rows_by_sector(file, columns, sectors):
        values[code] = parse_number(text, file, number, column)
        if values[code] < 0.0:
            raise DataError(f"{file}: row {number}, column {column!r}: should be at least 0, not {text}")
        if values[code] > 0.0 and status == ["M"]:
            memory.add(code)
    if not any(values.values()):
        raise DataError(f"{file}: column {column!r}: no sector uses rare earths; at least one should")
    return Requirements(source, column, values, tuple(memory)).of(sectors)


def _rows_by_sector(
    file: Path, columns: tuple[str, ...], sectors: Labels
) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """Code, row number and cells of a file that has exactly one row for every sector; what is wrong comes row by row."""
    find = _finder(sectors)
    seen: set[str] = set()
    for number, (sector, *cells) in enumerate(read_table(file, ("sector", *columns)), start=2):
        try:
            code = sectors.codes[find(sector)]
        except LookupError as error:
            raise DataError(f"{file}: row {number}: {error}") from None
        if code in seen:
            raise DataError(f"{file}: row {number}: the sector {code} stands twice; keep one of the rows")
        seen.add(code)
        yield code, number, tuple(cells)
    missing = [code for code in sectors if code not in seen]
    if missing:
        raise DataError(f"{file}: no row for {', '.join(missing)}; give every sector of the table one")


def _finder(labels: Labels) -> Callable[[str], int]:
    """Position of a label, found in a dictionary: a file may have hundreds of thousands of rows."""
    known = {
        form.casefold(): k for k, forms in enumerate(zip(labels.codes, labels.names, strict=True)) for form in forms
    }

    def find(label: str) -> int:
        position = known.get(label.casefold())
        # The slow way has the message with the suggestion.
        return labels.index(label[:60]) if position is None else position

    return find


def _coder(labels: Labels | None) -> Callable[[str], str]:
    if labels is None:
        return str
    find = _finder(labels)
    return lambda label: labels.codes[find(label)]
