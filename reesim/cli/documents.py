"""What the commands show, as tables for readers and as JSON documents for machines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from reesim.results import frames
from reesim.results.plan import FEW
from reesim.variables import variable

if TYPE_CHECKING:
    import pandas as pd

    from reesim.results.compare import Comparison
    from reesim.results.path import Path
    from reesim.scenario import Scenario

_FURTHEST = 3
"""Regions of a moment of many that are shown."""

HEADLINES = ("welfare", "real_gdp", "wage", "ree_price", "ree_use", "A_R", "A_L", "exports")
"""Variables that ``reesim compare`` tabulates unless others are named."""


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
        "warnings": path.warnings,
        "overrides": record.overrides,
        "choices": record.choices,
        "rules": record.rules,
        "stability": record.stability,
        "inputs": record.inputs,
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
        "warnings": path.warnings,
        "variable": name,
        "unit": known.unit,
        "equation": known.equation,
        "description": known.description,
        "axes": ("time", *known.axes),
        "labels": {"time": list(path.times), **labels},
        "values": array,
    }


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
    """Calibration moments without their sources and notes, and without labels that no moment has.

    Of a moment of many regions those that are furthest off are shown, and how many more there are.
    """
    shown = _shortened(moments.drop(columns=["source", "note"]))
    empty = [name for name in ("partner", "sector") if (shown[name] == "").all()]
    return shown.drop(columns=empty)


def _shortened(moments: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    parts = []
    for _, rows in moments.groupby("moment", sort=False):
        if len(rows) > FEW:
            first = _furthest(rows)
            left = rows.drop(index=first.index)
            agree = int((left["status"] == "matched").sum())
            last = dict.fromkeys(rows.columns, "") | {"moment": first["moment"].iloc[0], "region": f"{len(left)} more"}
            blank = {name: float("nan") for name in ("target", "model", "deviation")}
            status = "matched" if agree == len(left) else f"{agree} matched"
            parts += [first, pd.DataFrame([last | blank | {"unit": first["unit"].iloc[0], "status": status}])]
        else:
            parts.append(rows)
    return pd.concat(parts, ignore_index=True)


def _furthest(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of one moment that are furthest off, in their order."""
    off = (rows["deviation"] / rows["target"].abs()).abs().fillna(-1.0)
    return rows.loc[off.sort_values(ascending=False, kind="stable").index[:_FURTHEST]].sort_index()


def moments_baseline(scenario: Scenario) -> list[str]:
    """Say it where the baseline is solved for, not read off the table: what its values are then not matched by design."""
    if scenario.deficit != "removed":
        return []
    return [
        "With deficit: removed GDP, value added and exports are those of a baseline that is solved for without deficits: "
        "their targets, of the table as it is, are not matched by design."
    ]


def moments_notes(moments: pd.DataFrame) -> list[str]:
    """Say what is not matched and why, and where the targets are from, a line each."""
    lines = ["", "What is not matched, and why:"]
    for moment, rows in moments[moments["status"] != "matched"].groupby("moment", sort=False):
        shown = _furthest(rows) if len(rows) > FEW else rows
        for row in shown.to_dict("records"):
            name = ", ".join(part for part in (row["moment"], row["region"]) if part)
            lines.append(f"  {name}: {row['note'] or row['status']}")
        if len(shown) < len(rows):
            lines.append(f"  {moment}: {len(rows) - len(shown)} more regions, less far off")
    lines += ["", "Sources of the targets:"]
    for source, group in moments[moments["source"] != ""].groupby("source", sort=False):
        lines.append(f"  {', '.join(dict.fromkeys(group['moment']))}: {source}")
    return lines
