"""Tables of ad-valorem rates by flow, and of trade elasticities by sector, in csv files beside a scenario."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reesim.data.csvfiles import parse_number, read_rows, read_table
from reesim.errors import DataError
from reesim.labels import Labels

Flow = tuple[str, str, str]

MAX_RATE = 20.0
"""Ad-valorem rate above which per cent are taken for a fraction: no tariff in force comes near 2,000 %."""


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
    find = _finder(sectors)
    values: dict[int, float] = {}
    for number, (sector, text) in enumerate(read_table(file, ("sector", column)), start=2):
        try:
            position = find(sector)
        except LookupError as error:
            raise DataError(f"{file}: row {number}: {error}") from None
        if position in values:
            raise DataError(
                f"{file}: row {number}: the sector {sectors.codes[position]} stands twice; keep one of the rows"
            )
        value = parse_number(text, file, number, column)
        if value <= 0.0:
            raise DataError(f"{file}: row {number}, column {column!r}: should be above 0, not {text}")
        values[position] = 1.0 + value if column == "theta" else value
    missing = [code for position, code in enumerate(sectors) if position not in values]
    if missing:
        raise DataError(f"{file}: no row for {', '.join(missing)}; give every sector of the table one")
    return tuple(values[position] for position in range(len(sectors)))


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
