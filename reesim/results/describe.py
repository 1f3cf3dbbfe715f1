"""A path in words: one glance, one card, one page, and its key figures by region.

Whatever is shown carries the certificate and the alerts of the path, an unstable equilibrium first.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reesim.results.plan import FEW
from reesim.results.provenance import listed
from reesim.variables import variable

if TYPE_CHECKING:
    from reesim.results.path import Path

_UNIQUE_SECTOR_FLOOR = 1e-12
"""Deviation of A_R/A_L from one below which no sector is named: that is the solver's noise."""


def summary(path: Path) -> pd.DataFrame:
    """Key figures by region, from the variables that the path has; those on rare earths where the world has any.

    Parameters
    ----------
    path : Path
        Changes are against its first row, the baseline.

    Returns
    -------
    DataFrame
        One row per region. ``welfare_worst_pct``, ``welfare_worst_date``, ``welfare_end_pct``; the same of real GDP,
        against the first row (absent from a path of one row, which has no baseline to be compared with);
        ``ree_price_max``, ``ree_price_max_date`` (user price, baseline = 1); ``ree_use_min_pct``; and, over sectors
        and dates, ``A_R_over_A_L_max`` and ``_min`` with the sector of each (empty where the ratio never moves).
        Empty of columns if none of these variables was kept. ``attrs["warnings"]`` holds the alerts.
    """
    values, times = path.values, path.times
    columns: dict[str, Any] = {}
    if "welfare" in values:
        columns |= _worst("welfare", 100 * values["welfare"], times)
    if len(path) > 1 and "real_gdp" in values:
        columns |= _worst("real_gdp", _change(values["real_gdp"]), times)
    rare_earths = path.provenance.rare_earths
    if rare_earths and "ree_price" in values:
        columns["ree_price_max"] = values["ree_price"].max(axis=0)
        columns["ree_price_max_date"] = times[values["ree_price"].argmax(axis=0)]
    if rare_earths and len(path) > 1 and "ree_use" in values:
        columns["ree_use_min_pct"] = _change(values["ree_use"]).min(axis=0)
    if rare_earths and "A_R" in values and "A_L" in values:
        columns |= _bias(values["A_R"] / values["A_L"], np.array(path.sectors.codes, dtype=object))
    table = pd.DataFrame(columns, index=pd.Index(path.regions.codes, name="region"))
    table.attrs["warnings"] = path.provenance.alerts
    return table


def _change(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """Per cent against the first row; nan where that is zero."""
    base = array[0]
    share: NDArray[np.float64] = np.divide(array - base, np.abs(base), out=np.full_like(array, np.nan), where=base != 0)
    return 100 * share


def _worst(name: str, per_cent: NDArray[np.float64], times: pd.DatetimeIndex) -> dict[str, Any]:
    rows = np.where(np.isnan(per_cent), np.inf, per_cent).argmin(axis=0)
    return {
        f"{name}_worst_pct": per_cent[rows, np.arange(per_cent.shape[1])],
        f"{name}_worst_date": times[rows],
        f"{name}_end_pct": per_cent[-1],
    }


def _bias(ratio: NDArray[np.float64], sectors: NDArray[np.object_]) -> dict[str, Any]:
    """Largest and smallest A_R/A_L of each region, with their sectors; ratio has shape (time, region, sector)."""
    columns: dict[str, Any] = {}
    for word, extreme in (("max", ratio.max(axis=0)), ("min", ratio.min(axis=0))):
        cells = extreme.argmax(axis=1) if word == "max" else extreme.argmin(axis=1)
        found = extreme[np.arange(len(cells)), cells]
        columns[f"A_R_over_A_L_{word}"] = found
        columns[f"A_R_over_A_L_{word}_sector"] = np.where(
            np.abs(found - 1) > _UNIQUE_SECTOR_FLOOR, sectors[cells], ""
        ).astype(object)
    return columns


def certificate_line(path: Path) -> str:
    """State the certificate in one line."""
    if np.isnan(path.certificate):
        return "certificate: none kept (add residual to output.variables)"
    return f"certificate: largest relative residual {path.certificate:.2g}"


def _headline(path: Path) -> str:
    dates = f"{path.times[0]:%Y-%m-%d} to {path.times[-1]:%Y-%m-%d}"
    return f"{path.provenance.name!r}: {dates}, {len(path)} row{'s' if len(path) != 1 else ''}"


def _size(path: Path) -> str:
    size = sum(array.nbytes for array in path.values.values())
    memory = f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"
    return f"{len(path.regions)} regions × {len(path.sectors)} sectors, {len(path.values)} variables, {memory}"


def _entries(entries: Mapping[str, object]) -> str:
    return ", ".join(f"{key}={value}" for key, value in entries.items())


def short(path: Path) -> str:
    """Under eight lines: name, dates, size, certificate, rules, and the alerts."""
    lines = [f"<Path {_headline(path)}", f"  {_size(path)}", f"  {certificate_line(path)}"]
    if path.provenance.rules:
        lines += [f"  {text}" for text in listed([f"rules: {_entries(path.provenance.rules)}"], 1)]
    lines += [f"  WARNING: {text}" for text in listed(path.provenance.alerts, 3)]
    return "\n".join(lines) + ">"


def card(path: Path) -> str:
    """HTML for a notebook; every text that came from a user is escaped."""
    record = path.provenance
    facts = [_size(path), certificate_line(path), *(f"{key}: {value}" for key, value in record.rules.items())]
    items = "".join(f"<li>{html.escape(fact)}</li>" for fact in facts)
    warned = "".join(f"<p><strong>Warning: {html.escape(text)}</strong></p>" for text in record.alerts)
    table = summary(path)
    body = table.to_html(float_format="{:.4g}".format) if len(table.columns) else ""
    title = f"<p>{html.escape(record.title)}</p>" if record.title else ""
    return f"<div><strong>Path {html.escape(_headline(path))}</strong>{title}{warned}<ul>{items}</ul>{body}</div>"


def full(path: Path) -> str:
    """Everything about a path as plain text: what it is, what made it, what it keeps, its key figures."""
    record = path.provenance
    lines = [f"Path {_headline(path)}", *([record.title] if record.title else []), _size(path), certificate_line(path)]
    lines += [f"WARNING: {text}" for text in record.alerts]
    lines += ["", "Regions: " + _named(path.regions.codes, path.regions.names)]
    lines += ["Sectors: " + _named(path.sectors.codes, path.sectors.names), ""]
    sections: tuple[tuple[str, Mapping[str, object]], ...] = (
        ("Choices", record.choices),
        ("Rules", record.rules),
        ("Overrides", record.overrides),
        ("Stability", {name: value for name, value in record.stability.items() if value != ""}),
        ("Files named by the scenario", record.inputs),
        ("Versions", record.versions),
    )
    for title, entries in sections:
        lines += [f"{title}:", *(f"  {key}: {value}" for key, value in entries.items())] if entries else []
    lines += [f"Substeps a period: {record.substeps}"]
    lines += [f"Calibration: {record.calibration_hash}"] if record.calibration_hash else []
    lines += [f"Created: {record.created}"] if record.created else []
    lines += ["", "Variables:", *_variable_lines(path)]
    if path.rule_state:
        lines += ["States of rules:", *(f"  {name} {array.shape}" for name, array in path.rule_state.items())]
    table = summary(path)
    if len(table.columns):
        dates = {str(name): table[name].dt.strftime("%Y-%m-%d") for name in table if str(name).endswith("_date")}
        shown = table.assign(**dates)
        shown = shown if len(shown) > FEW else shown.T  # many regions go down the page, not across
        lines += ["", "By region:", shown.to_string(float_format="{:.6g}".format)]
    return "\n".join(lines)


def _named(codes: tuple[str, ...], names: tuple[str, ...]) -> str:
    return ", ".join(code if code == name else f"{code} ({name})" for code, name in zip(codes, names, strict=True))


def _variable_lines(path: Path) -> list[str]:
    width = max(len(name) for name in path.variables)
    return [
        f"  {name:<{width}}  {variable(name).description} [{variable(name).unit}] {variable(name).equation}"
        for name in path.variables
    ]
