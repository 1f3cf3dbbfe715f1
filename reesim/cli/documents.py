"""What the commands show, as tables for readers and as JSON documents for machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reesim.results import frames
from reesim.variables import variable

if TYPE_CHECKING:
    import pandas as pd

    from reesim.equilibrium import Equilibrium
    from reesim.results.compare import Comparison
    from reesim.results.path import Path

HEADLINES = ("welfare", "real_gdp", "wage", "ree_price", "ree_use", "A_R", "A_L", "exports")
"""Variables that ``reesim compare`` tabulates unless others are named."""

_MONEY = "million USD a year"
_PER_CENT = "% of baseline"
_HAT = "baseline = 1"
_SHORT_UNITS = {_MONEY: " (m USD)", _PER_CENT: " (%)", _HAT: ""}
_RENTS = (
    ("export tax on sales to", "ree_tax_revenue"),
    ("quota rent on sales to", "ree_quota_rent"),
    ("embargo rent on sales to", "ree_embargo_rent"),
)


def provenance_document(path: Path) -> dict[str, Any]:
    """Collect what every JSON document says of a path: calendar, certificate, warnings, choices, rules, stability."""
    record = path.provenance
    return {
        "scenario": record.name,
        "title": record.title,
        "from": path.times[0],
        "to": path.times[-1],
        "rows": len(path),
        "certificate": {"residual": path.certificate},
        "warnings": record.alerts,
        "overrides": record.overrides,
        "choices": record.choices,
        "rules": record.rules,
        "stability": record.stability,
        "substeps": record.substeps,
        "calibration_hash": record.calibration_hash,
        "versions": record.versions,
    }


def path_document(path: Path) -> dict[str, Any]:
    """Document of ``reesim show``: the path without its numbers."""
    names = {
        name: {"axes": ("time", *variable(name).axes), "unit": variable(name).unit, "equation": variable(name).equation}
        for name in path.variables
    }
    return {
        "schema": "reesim.show/1",
        **provenance_document(path),
        "regions": dict(zip(path.regions.codes, path.regions.names, strict=True)),
        "sectors": dict(zip(path.sectors.codes, path.sectors.names, strict=True)),
        "variables": names,
        "summary": path.summary(),
    }


def variable_document(path: Path, name: str) -> dict[str, Any]:
    """Document of ``reesim show --variable``: one array, nested as its axes, with the labels of each.

    Raises
    ------
    LabelError
        If the path does not have it.
    """
    array, known = path.array(name), variable(name)
    labels = {axis: frames.axis_labels(axis, path.regions, path.sectors).codes for axis in known.axes}
    return {
        "schema": "reesim.variable/1",
        "scenario": path.provenance.name,
        "warnings": path.provenance.alerts,
        "variable": name,
        "unit": known.unit,
        "equation": known.equation,
        "description": known.description,
        "axes": ("time", *known.axes),
        "labels": {"time": list(path.times), **labels},
        "values": array,
    }


def solve_table(equilibria: Sequence[Equilibrium], sectors: Sequence[str]) -> pd.DataFrame:
    """Put static equilibria side by side.

    Parameters
    ----------
    equilibria : sequence of Equilibrium
        Of the same scenario and date, one for each technology.
    sectors : sequence of str
        Codes or names of the sectors whose direction of technology is shown.

    Returns
    -------
    DataFrame
        quantity, unit, technology, and a column for each region; the technologies of a quantity stand together.

    Raises
    ------
    LabelError
        If there is no such sector.
    """
    import pandas as pd

    regions = equilibria[0].regions.codes
    blocks = [list(_quantities(equilibrium, sectors)) for equilibrium in equilibria]
    rows = [
        (quantity, unit, equilibrium.technology, *values)
        for entries in zip(*blocks, strict=True)
        for equilibrium, (quantity, unit, values) in zip(equilibria, entries, strict=True)
    ]
    return pd.DataFrame(rows, columns=["quantity", "unit", "technology", *regions])


def _quantities(equilibrium: Equilibrium, sectors: Sequence[str]) -> Iterator[tuple[str, str, NDArray[np.float64]]]:
    """Name, unit and values by region of each line of the table."""
    positions = dict.fromkeys(equilibrium.sectors.index(label) for label in sectors)
    ratio = equilibrium.array("A_R") / equilibrium.array("A_L")
    for position in positions:
        yield f"A_R/A_L, {equilibrium.sectors.names[position]}", _HAT, ratio[:, position]
    yield "welfare", _PER_CENT, 100.0 * equilibrium.array("welfare")
    yield "real GDP", _PER_CENT, equilibrium.change("real_gdp")
    yield "exports", _PER_CENT, _total_change(equilibrium, "exports")
    yield "exports, quantity", _PER_CENT, _total_change(equilibrium, "exports_real")
    yield "price paid for rare earths", _HAT, equilibrium.array("ree_price")
    yield "use of rare earths", _PER_CENT, equilibrium.change("ree_use")
    for quantity, name in _RENTS:
        yield quantity, _MONEY, equilibrium.array(name)


def solve_lines(table: pd.DataFrame) -> pd.DataFrame:
    """Shorten a table of `solve_table` for reading: units in the name, each name once, no lines of mere zeros."""
    regions = list(table.columns[3:])
    moved = (table[regions] != 0.0).any(axis=1).groupby(table["quantity"]).transform("any")
    shown = table[moved | (table["unit"] != _MONEY)]
    names = shown["quantity"] + shown["unit"].map(_SHORT_UNITS)
    once = names.where(~names.duplicated(), "")
    return shown.drop(columns=["quantity", "unit"]).set_index(once.rename(""))


def _total_change(equilibrium: Equilibrium, name: str) -> NDArray[np.float64]:
    """Change of a sum over sectors, per cent."""
    before = equilibrium.baseline[name].sum(axis=1)
    now = equilibrium.array(name).sum(axis=1)
    share: NDArray[np.float64] = np.divide(now, before, out=np.full_like(now, np.nan), where=before != 0.0)
    return 100.0 * (share - 1.0)


def solve_document(equilibria: Sequence[Equilibrium], table: pd.DataFrame) -> dict[str, Any]:
    """Document of ``reesim solve``: the table in tidy form, certificate and stability of each technology."""
    first = equilibria[0]
    tidy = table.melt(["quantity", "unit", "technology"], var_name="region", value_name="value")
    return {
        "schema": "reesim.solve/1",
        "scenario": first.scenario,
        "date": first.date,
        "choices": first.choices,
        "warnings": alerts_of(equilibria),
        "technologies": {equilibrium.technology: _worth(equilibrium) for equilibrium in equilibria},
        "ree_mine_price": {equilibrium.technology: equilibrium.array("ree_mine_price") for equilibrium in equilibria},
        "ree_exports": {equilibrium.technology: equilibrium.array("ree_exports") for equilibrium in equilibria},
        "table": tidy,
    }


def _worth(equilibrium: Equilibrium) -> dict[str, Any]:
    names = ("residual", "equation", "region", "sector")
    stability = equilibrium.stability
    speeds = ("stable", "spectral_abscissa", "half_life")
    return {
        "certificate": {name: getattr(equilibrium.certificate, name) for name in names},
        "stability": None if stability is None else {name: getattr(stability, name) for name in speeds},
        "warnings": equilibrium.alerts,
    }


def alerts_of(equilibria: Sequence[Equilibrium]) -> tuple[str, ...]:
    """Alerts of all, each once."""
    return tuple(dict.fromkeys(alert for equilibrium in equilibria for alert in equilibrium.alerts))


def stability_words(equilibrium: Equilibrium) -> str:
    """One line on an equilibrium: what certifies it, and whether entry returns to it."""
    certificate = equilibrium.certificate
    place = ", ".join(part for part in (certificate.equation, certificate.region, certificate.sector) if part)
    where = f" ({place})" if place else ""
    text = f"{equilibrium.technology}: largest relative residual {certificate.residual:.2g}{where}"
    if equilibrium.stability is None:
        return f"{text}; no entry, so nothing to be unstable"
    if not equilibrium.stability.stable:
        return f"{text}; UNSTABLE, entry moves away (spectral abscissa {equilibrium.stability.spectral_abscissa:+.4g})"
    return f"{text}; stable, slowest half-life {equilibrium.stability.half_life:.4g} years"


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """Document of ``reesim compare``, all but the figure."""
    first = comparison.first_divergence()
    names = ("time", "variable", "region", "partner", "sector", "a", "b")
    return {
        "schema": "reesim.compare/1",
        "a": {"scenario": comparison.names[0], "certificate": {"residual": comparison.certificates[0]}},
        "b": {"scenario": comparison.names[1], "certificate": {"residual": comparison.certificates[1]}},
        "from": comparison.times[0],
        "to": comparison.times[-1],
        "rows": len(comparison.times),
        "warnings": comparison.alerts,
        "first_divergence": None if first is None else {name: getattr(first, name) for name in names},
        "provenance": {key: {"a": a, "b": b} for key, (a, b) in comparison.provenance.items()},
        "left_out": comparison.left_out,
        "summary": comparison.summary(),
    }


def provenance_table(differences: Mapping[str, tuple[object, object]]) -> pd.DataFrame:
    """List what differs behind two paths, a row each; what neither says in words is left out."""
    import pandas as pd

    pairs = {key: ["" if side is None else side for side in pair] for key, pair in differences.items()}
    rows = [(key, *pair) for key, pair in pairs.items() if pair != ["", ""]]
    return pd.DataFrame(rows, columns=["setting", "A", "B"])


def moments_table(moments: pd.DataFrame) -> pd.DataFrame:
    """Calibration moments without their sources and notes, and without labels that no moment has."""
    shown = moments.drop(columns=["source", "note"])
    empty = [name for name in ("partner", "sector") if (shown[name] == "").all()]
    return shown.drop(columns=empty)


def moments_notes(moments: pd.DataFrame) -> list[str]:
    """Say what is not matched and why, and where the targets are from, a line each."""
    lines = ["", "What is not matched, and why:"]
    for row in moments[moments["status"] != "matched"].to_dict("records"):
        name = ", ".join(part for part in (row["moment"], row["region"]) if part)
        lines.append(f"  {name}: {row['note'] or row['status']}")
    lines += ["", "Sources of the targets:"]
    for source, group in moments[moments["source"] != ""].groupby("source", sort=False):
        lines.append(f"  {', '.join(dict.fromkeys(group['moment']))}: {source}")
    return lines
