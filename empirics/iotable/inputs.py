"""Reading the input tables of a material: small csv files, every number with a status and a source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import inf
from pathlib import Path

from reesim.data.csvfiles import listed, parse_number, read_rows
from reesim.empirics.files import OWN_DATA
from reesim.empirics.iotable.material import Cell, Donor, Inputs, Product
from reesim.errors import DataError

RARE_EARTHS = OWN_DATA / "rare_earths"
"""Input tables of the five rare earths."""

STATUSES = ("V", "D", "M", "A")


def read_inputs(folder: str | Path = RARE_EARTHS) -> Inputs:
    """Read the input tables of a material.

    Parameters
    ----------
    folder : path
        With ``elements.csv``, ``applications.csv``, ``tonnes.csv``, ``us_share.csv``, ``prices.csv``, ``uses.csv``,
        ``products.csv``, ``donors.csv`` and ``complementarity.csv``; see the manual of the input-output table.

    Raises
    ------
    DataError
        With the file, row and column of what cannot be used.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder of input tables")
    elements, commodity = _elements(folder)
    applications = _applications(folder)
    tonnes = _cells(folder, "tonnes.csv", ("application", "element"), "tonnes", 0.0, inf)
    shares = _cells(folder, "us_share.csv", ("variant", "application"), "share", 0.0, 1.0)
    prices = _prices(folder)
    scores = _cells(folder, "complementarity.csv", ("element",), "score", 0.0, 100.0)
    for position, kind, known in ((0, "application", applications), (1, "element", elements)):
        _require_known(folder / "tonnes.csv", kind, {key[position] for key in tonnes}, known)
    idle = [name for name in applications if not any(key[0] == name and key[1] in elements for key in tonnes)]
    if idle:
        raise DataError(f"{folder / 'tonnes.csv'}: no tonnes of {', '.join(elements)} for {listed(idle)}")
    missing = [element for element in elements if (element,) not in scores]
    if missing:
        raise DataError(f"{folder / 'complementarity.csv'}: no score for {listed(missing)}")
    return Inputs(
        folder=folder, elements=elements, commodity=commodity, applications=applications,
        tonnes=tonnes, shares=shares,
        prices=prices, uses=_uses(folder, applications), products=_products(folder),
        donors=_donors(folder), scores={key[0]: cell for key, cell in scores.items() if key[0] in elements},
        guesses=_guesses(folder),
    )  # fmt: skip


def rows_of(file: Path, columns: tuple[str, ...]) -> Iterable[tuple[int, dict[str, str]]]:
    """Rows of a csv file as dictionaries, with their numbers; the named columns must be there and filled.

    Raises
    ------
    DataError
        If a column is missing, a cell is empty, or a status is not one of `STATUSES`.
    """
    header, *rows = read_rows(file)
    missing = [column for column in columns if column not in header]
    if missing:
        raise DataError(f"{file}: row 1: no column {', '.join(missing)}; it has {','.join(header)}")
    for number, row in enumerate(rows, start=2):
        record = dict(zip(header, row, strict=True))
        for column in columns:
            if not record[column]:
                raise DataError(f"{file}: row {number}, column {column!r}: the cell is empty")
        if record.get("status", STATUSES[0]) not in STATUSES:
            raise DataError(
                f"{file}: row {number}, column 'status': {record['status']!r} should be one of {', '.join(STATUSES)}"
            )
        yield number, record


def _cells(
    folder: Path, name: str, keys: tuple[str, ...], column: str, low: float, high: float
) -> dict[tuple[str, ...], Cell]:
    found: dict[tuple[str, ...], Cell] = {}
    for number, row in rows_of(folder / name, (*keys, column, "status", "source")):
        key = tuple(row[part] for part in keys)
        place = f"{folder / name}: row {number}"
        if key in found:
            raise DataError(f"{place}: {', '.join(key)} stands there twice")
        value = parse_number(row[column], folder / name, number, column)
        least = parse_number(row["at_least"], folder / name, number, "at_least") if row.get("at_least") else low
        if not least <= value <= high:
            raise DataError(f"{place}, column {column!r}: {value:g} should lie between {least:g} and {high:g}")
        found[key] = Cell(name, key, value, row["status"], row["source"], least, high, (value, value))
    return found


def _elements(folder: Path) -> tuple[dict[str, str], str]:
    rows = list(rows_of(folder / "elements.csv", ("element", "name", "commodity")))
    commodities = {row["commodity"] for _, row in rows}
    if len(commodities) != 1:
        raise DataError(
            f"{folder / 'elements.csv'}: all elements should come out of one commodity, not {listed(sorted(commodities))}"
        )
    names: dict[str, str] = {}
    for number, row in rows:
        _require_new(row["element"], names, folder / "elements.csv", number)
        names[row["element"]] = row["name"]
    return names, commodities.pop()


def _applications(folder: Path) -> dict[str, bool]:
    file, defaults = folder / "applications.csv", dict[str, bool]()
    for number, row in rows_of(file, ("application", "default")):
        _require_new(row["application"], defaults, file, number)
        defaults[row["application"]] = _yes(row, file, number)
    return defaults


def _prices(folder: Path) -> dict[tuple[str, ...], Cell]:
    ends = [
        _cells(folder, "prices.csv", ("vintage", "element"), f"usd_per_kg_{end}", 0.0, inf) for end in ("low", "high")
    ]
    prices: dict[tuple[str, ...], Cell] = {}
    for key, low in ends[0].items():
        quoted = (low.value, ends[1][key].value)
        if not 0.0 < quoted[0] <= quoted[1]:
            raise DataError(f"{folder / 'prices.csv'}: {', '.join(key)}: 0 < low <= high should hold, not {quoted}")
        prices[key] = replace(low, value=sum(quoted) / 2.0, quoted=quoted)
    return prices


def _uses(folder: Path, applications: Mapping[str, bool]) -> dict[str, dict[str, float | None]]:
    file, uses = folder / "uses.csv", dict[str, dict[str, float | None]]()
    for number, row in rows_of(folder / "uses.csv", ("application", "industry", "weight", "source")):
        own = row["weight"] == "purchases"
        weight = None if own else parse_number(row["weight"], file, number, "weight")
        if weight is not None and weight <= 0.0:
            raise DataError(
                f"{file}: row {number}, column 'weight': {weight:g} should be positive, or the word purchases"
            )
        industries = uses.setdefault(row["application"], {})
        if row["industry"] in industries:
            raise DataError(f"{file}: row {number}: {row['application']}, {row['industry']} stands there twice")
        industries[row["industry"]] = weight
    _require_known(file, "application", uses, applications)
    for name, industries in uses.items():
        if len({weight is None for weight in industries.values()}) > 1:
            raise DataError(f"{file}: {name}: weights should be all numbers or all the word purchases")
    lacking = [name for name in applications if name not in uses]
    if lacking:
        raise DataError(f"{file}: nobody buys {listed(lacking)}: give each application an industry")
    return uses


def _products(folder: Path) -> tuple[Product, ...]:
    file, users = folder / "products.csv", dict[tuple[str, str, str], dict[str, float]]()
    for number, row in rows_of(file, ("product", "industry", "user", "share", "status", "source")):
        share = parse_number(row["share"], file, number, "share")
        if not 0.0 < share <= 1.0:
            raise DataError(f"{file}: row {number}, column 'share': {share:g} should lie in (0, 1]")
        shares = users.setdefault((row["product"], row["industry"], row.get("sic", "")), {})
        if row["user"] in shares:
            raise DataError(f"{file}: row {number}: {row['product']}, {row['user']} stands there twice")
        shares[row["user"]] = share
    for position, kind in (
        (0, "a product comes out of one industry, and has one SIC industry"),
        (1, "an industry can be split once"),
    ):
        names = [key[position] for key in users]
        if len(set(names)) < len(names):
            raise DataError(f"{file}: {kind}; see {listed(names)}")
    return tuple(Product(*key, shares) for key, shares in users.items())


def _donors(folder: Path) -> tuple[Donor, ...]:
    columns = ("receiver", "donor_industry", "donor_commodity", "reason")
    return tuple(Donor(*(row[column] for column in columns)) for _, row in rows_of(folder / "donors.csv", columns))


def _guesses(folder: Path) -> dict[str, int]:
    """Rows whose status is M, by table; tables of donors and users may leave the status out."""
    counts = {
        name: sum(row.get("status") == "M" for _, row in rows_of(folder / name, ()))
        for name in ("uses.csv", "products.csv", "donors.csv")
    }
    return {name: count for name, count in counts.items() if count}


def _yes(row: Mapping[str, str], file: Path, number: int) -> bool:
    if row["default"] not in ("yes", "no"):
        raise DataError(f"{file}: row {number}, column 'default': {row['default']!r} should be yes or no")
    return row["default"] == "yes"


def _require_new(name: str, known: Iterable[str], file: Path, number: int) -> None:
    if name in known:
        raise DataError(f"{file}: row {number}: {name} stands there twice")


def _require_known(file: Path, kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise DataError(f"{file}: unknown {kind} {listed(unknown)}; known: {', '.join(known)}")
