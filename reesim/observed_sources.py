"""Derives the shipped tables of observed series from the collected raw tables: one row, one number, one period.

Every row is ``series,element,start,end,value,unit,status,source``; the period is given by its first and last day. A
range becomes its midpoint, yuan become dollars at the average rate of the year; either makes the status D (derived).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from pathlib import Path

from reesim.data.csvfiles import parse_number, read_rows
from reesim.errors import DataError, StoreError
from reesim.scenario.calendar import parse_window

COLUMNS = ("series", "element", "start", "end", "value", "unit", "status", "source")
EVENT_COLUMNS = ("start", "end", "event", "status", "source")

Record = dict[str, str]
Row = tuple[str, ...]

_DECIMALS = 4
_KG_PER_TONNE = 1000.0

# A schedule of export taxes runs until the day before the next general one; the change of January 2011 amends only the
# products that it names, so the schedule of 2010 runs on beside it. The last row is cut at the end of the episode.
_TAX_ENDS = {
    "2006-11-01": "2007-05-31",
    "2007-06-01": "2007-12-31",
    "2008-01-01": "2009-12-31",
    "2010-01-01": "2015-04-30",
    "2011-01-01": "2015-04-30",
    "2015-05-01": "2015-12-31",
}

# Lynas's own price of the Mt Weld basket reaches months of 2010 and 2011 for which no element-wise quotes are at hand.
_BASKET = (
    ("2007", 11.59),
    ("2008", 14.87),
    ("2009", 10.32),
    ("2009Q1", 9.91),
    ("2010Q1", 13.13),
    ("2010-07-26", 21.43),
    ("2010Q4", 62.18),
    ("2011-01-21", 79.90),
    ("2013Q1", 37.22),
)

_PRICE_SERIES = {
    "FOB China oxide": "price_fob",
    "FOB China": "price_fob",
    "FOB": "price_fob",
    "FOB average": "price_fob",
    "oxide, year end, outside China": "price_outside",
    "ex works China": "price_ex_works",
    "domestic China": "price_ex_works",
}


def build(source: Path, out: Path) -> tuple[Path, ...]:
    """Derive all tables from the folder of raw tables and write them.

    Parameters
    ----------
    source : pathlib.Path
        Folder with ``export_quota.csv``, ``export_domestic_firm_licences.csv``, ``actual_exports.csv``,
        ``export_tax.csv``, ``prices.csv``, ``wedge_fob_over_exworks.csv``, ``events.csv`` and ``cny_per_usd.csv``.
    out : pathlib.Path
        Folder of the tables.

    Returns
    -------
    tuple of pathlib.Path
        The files written.

    Raises
    ------
    DataError
        If a raw table is missing or has a cell that cannot be used.
    StoreError
        If a table cannot be written.
    """
    derivations: dict[str, tuple[Sequence[str], Callable[[Path], Iterable[Row]]]] = {
        "quotas": (COLUMNS, _quotas),
        "exports": (COLUMNS, _exports),
        "taxes": (COLUMNS, _taxes),
        "prices": (COLUMNS, _prices),
        "wedges": (COLUMNS, _wedges),
        "events": (EVENT_COLUMNS, _events),
    }
    tables = {name: [tuple(header), *derive(source)] for name, (header, derive) in derivations.items()}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, rows in tables.items():
            with (out / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
                csv.writer(stream, lineterminator="\n").writerows(rows)
    except OSError as error:
        raise StoreError(f"{out}: the tables cannot be written: {error}. Choose another folder") from error
    return tuple(out / f"{name}.csv" for name in tables)


def _records(file: Path) -> list[Record]:
    """Rows of a raw table by column name, with ``same`` in the source column spelt out."""
    header, *rows = read_rows(file)
    records = [dict(zip(header, row, strict=True)) for row in rows]
    before = ""
    for number, record in enumerate(records, start=2):
        record["_row"] = str(number)
        source = record.get("source", "")
        if source == "same" or source.startswith(("same ", "same,")):
            record["source"] = before + source.removeprefix("same")
        else:
            before = source.partition(" (")[0]
        if "memory" in source or "recalled" in source:
            record["status"] = "M"
        if not source and record.get("status") == "M":
            record["source"] = "from memory"
    return records


def _number(record: Record, column: str, file: Path) -> float:
    return parse_number(record[column], file, int(record["_row"]), column)


def _row(
    series: str, element: str, window: tuple[date, date], value: float, unit: str, status: str, source: str
) -> tuple[str, ...]:
    start, end = (day.isoformat() for day in window)
    return series, element, start, end, f"{round(value, _DECIMALS):.15g}", unit, status, source


def _window(text: str, file: Path) -> tuple[date, date]:
    """First and last day of ``2010-07``, and of the ranges ``2010-01..09``, ``2011-09/10`` and ``2010-2012``."""
    match = re.fullmatch(r"(\d{4}-)(\d{2})(?:\.\.|/)(\d{2})", text)
    parts = (match[1] + match[2], match[1] + match[3]) if match else tuple(re.split(r"(?<=^\d{4})-(?=\d{4}$)", text))
    try:
        return parse_window(parts[0])[0], parse_window(parts[-1])[1]
    except ValueError as error:
        raise DataError(f"{file}: {error}") from error


def _quotas(folder: Path) -> list[Row]:
    file = folder / "export_quota.csv"
    halves = {"H1": ("-01", "-06"), "H2": ("-07", "-12"), "year": ("-01", "-12")}
    rows = []
    for record in _records(file):
        # Years that are sums of their halves would count the same tonnes twice; 2015 has no quota and so no number.
        if record["split"] == "sum" or not record["tonnes"]:
            continue
        first, last = (record["year"] + month for month in halves[record["period"]])
        window = (_window(first, file)[0], _window(last, file)[1])
        tonnes = _number(record, "tonnes", file)
        rows.append(_row("export_quota", "", window, tonnes, "tonnes", record["status"], record["source"]))
    file = folder / "export_domestic_firm_licences.csv"
    for record in _records(file):
        window, tonnes = _window(record["year"], file), _number(record, "tonnes", file)
        text = f"domestic firms' licences only; {record['source']}"
        rows.append(_row("export_licences_domestic", "", window, tonnes, "tonnes", record["status"], text))
    return sorted(rows)


def _exports(folder: Path) -> list[Row]:
    file = folder / "actual_exports.csv"
    rows = []
    for record in _records(file):
        window, tonnes = _window(record["period"], file), _number(record, "tonnes", file)
        source = record["source"]
        scope = "incl. ferro-alloys" if "ferroalloys" in source else ""
        rows.append(_row("exports", scope, window, tonnes, "tonnes", record["status"], source))
        if record["usd_million"]:
            value = _number(record, "usd_million", file)
            rows.append(_row("export_value", "", window, value, "million USD", "V", source))
            unit_value = value * 1e6 / (tonnes * _KG_PER_TONNE)
            rows.append(
                _row("export_unit_value", "", window, unit_value, "USD/kg", "D", f"value over tonnes; {source}")
            )
    return rows


def _taxes(folder: Path) -> list[Row]:
    file = folder / "export_tax.csv"
    rows = []
    for record in _records(file):
        if not record["rate_percent"]:
            continue  # the VAT rebate: no rate, and its dates conflict; the README of the tables says so
        begins = record["effective_from"]
        if begins not in _TAX_ENDS:
            raise DataError(f"{file}: row {record['_row']}, column 'effective_from': no end is known for {begins!r}")
        window = (_window(begins, file)[0], _window(_TAX_ENDS[begins], file)[1])
        rate = _number(record, "rate_percent", file)
        rows.append(_row("export_tax", record["product"], window, rate, "percent", record["status"], record["source"]))
    return rows


def _prices(folder: Path) -> list[Row]:
    file = folder / "prices.csv"
    yuan_file = folder / "cny_per_usd.csv"
    yuan = {record["year"]: _number(record, "xr", yuan_file) for record in _records(yuan_file)}
    rows = [
        _row("price_fob", "basket", _window(period, file), price, "USD/kg", "V", "Lynas, Mt Weld basket")
        for period, price in _BASKET
    ]
    for record in _records(file):
        low, high = (_number(record, column, file) for column in ("low", "high"))
        status, source = record["status"], record["source"]
        divisor = {"USD/kg": 1.0, "USD/t": _KG_PER_TONNE, "CNY/t": _KG_PER_TONNE}.get(record["unit"])
        if record["basis"] not in _PRICE_SERIES or divisor is None:
            raise DataError(
                f"{file}: row {record['_row']}: basis or unit not known: {record['basis']}, {record['unit']}"
            )
        if low != high:
            source += f"; midpoint of {record['low']} to {record['high']} {record['unit']}"
        if record["unit"] == "CNY/t":
            year = record["date"][:4]
            if year not in yuan:
                raise DataError(f"{yuan_file}: no exchange rate of {year}, which row {record['_row']} of {file} needs")
            rate = yuan[year]
            divisor *= rate
            source += f"; at {rate:g} CNY/USD, average of the year (Penn World Table 10.01)"
        if (low != high or record["unit"] == "CNY/t") and status == "V":
            status = "D"
        price = (low + high) / 2 / divisor
        window = _window(record["date"], file)
        rows.append(_row(_PRICE_SERIES[record["basis"]], record["element"], window, price, "USD/kg", status, source))
    return rows


def _wedges(folder: Path) -> list[Row]:
    file = folder / "wedge_fob_over_exworks.csv"
    rows = []
    for record in _records(file):
        source = record["note"] or "FOB quote over ex-works quote of the same or the preceding month"
        element = "" if record["element"] == "all" else record["element"]
        wedge = _number(record, "wedge", file)
        rows.append(_row("wedge", element, _window(record["date"], file), wedge, "ratio", record["status"], source))
    return rows


def _events(folder: Path) -> list[Row]:
    file = folder / "events.csv"
    rows = []
    for record in _records(file):
        start, end = (day.isoformat() for day in _window(record["date"], file))
        rows.append((start, end, record["event"], record["status"], record["source"]))
    return sorted(rows)
