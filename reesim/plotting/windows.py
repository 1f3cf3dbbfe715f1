"""When policies are in force: shaded behind lines, from a path's numbers and from the plan that its scenario's text holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reesim.plotting.style import Array, edges, windows
from reesim.results.plan import plan_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from reesim.results.path import Path

Spans = list[tuple[float, float]]

_STRIPS = {
    "tariff": ("tariffs", "#3f7d4e"),
    "goods_export_tax": ("taxes on exports of goods", "#7a5c9e"),
    "iceberg": ("trade costs", "#4c8c9b"),
    "productivity": ("productivity", "#b59a2e"),
    "labour_endowment": ("labour endowments", "#8c6d5a"),
    "production_subsidy": ("production subsidies", "#c2708a"),
    "innovation_subsidy": ("innovation subsidies", "#5a6fb0"),
    "ree_supply": ("supply of rare earths", "#b5651d"),
    "production_quota": ("quota on mining", "#7d7d3c"),
    "mine": ("mines abroad", "#5f5f5f"),
}
"""Words and colour of policies that are drawn as strips at the foot, above that of an export tax."""

_HIGH = 0.025
"""Height of a strip, of that of the axes."""


def path_edges(path: Path) -> Array:
    """Edges of the periods of a path, the last where the calendar of its scenario ends, if it reaches that.

    A path of which only some rows were kept has its last row nearer to the one before than the others are.
    """
    found = edges(path.times)
    plan = plan_of(path.provenance.effective_scenario)
    if plan is not None:
        from reesim.scenario.calendar import Calendar

        calendar = Calendar.for_scenario(plan)
        if np.datetime64(path.times[-1], "D") == calendar.starts[-1]:
            found[-1] = calendar.ends[-1].astype(np.float64)
    return found


def policy_windows(path: Path) -> dict[str, NDArray[np.bool_]]:
    """Dates, shape (T,), at which each kind of restriction that the path kept is in force."""
    found: dict[str, NDArray[np.bool_]] = {}
    if "policy_quota" in path.values:
        found["quota in force"] = np.asarray(~np.isnan(path.array("policy_quota")))
    if "policy_tax" in path.values:
        found["export tax above that of the baseline (strip)"] = np.asarray(
            (path.array("policy_tax") > 1 + 1e-12).any(axis=1)
        )
    if "policy_embargo" in path.values:
        limits = ~np.isnan(path.array("policy_embargo"))
        for position, code in enumerate(path.regions):
            found[f"embargo on {code}"] = limits[:, position]
    return {name: active for name, active in found.items() if active.any()}


def embargo_days(path: Path) -> dict[str, list[tuple[float, float]]]:
    """First day, and day after the last, of each embargo within the path, by its name in `policy_windows`.

    Empty where the path does not carry its scenario. An embargo of weeks is a limit averaged over its months in the rows.
    """
    plan = plan_of(path.provenance.effective_scenario)
    if plan is None:
        return {}
    first, *_, last = path_edges(path)
    found: dict[str, list[tuple[float, float]]] = {}
    for policy in plan.policies:
        span = _within(policy.window, first, last)
        if policy.kind == "embargo" and span is not None:
            found.setdefault(f"embargo on {policy.regions[0]}", []).append(span)
    return found


def _within(window: tuple[np.datetime64, np.datetime64], first: float, last: float) -> tuple[float, float] | None:
    """Part of a window, in days since 1970, that a figure shows."""
    start, end = (float(day.astype(np.float64)) for day in window)
    return (max(start, first), min(end, last)) if start < last and end > first else None


def strips(path: Path) -> dict[str, Spans]:
    """Windows of the kinds of policy that are drawn as strips, in the order of the scenario.

    Empty where the path does not carry its scenario.
    """
    plan = plan_of(path.provenance.effective_scenario)
    if plan is None:
        return {}
    first, *_, last = path_edges(path)
    found: dict[str, Spans] = {}
    for policy in plan.policies:
        span = _within(policy.window, first, last)
        if policy.kind in _STRIPS and span is not None:
            found.setdefault(policy.kind, []).append(span)
    return found


_SHADES = {"quota": ("#f1ede4", 0.0, 1.0), "export": ("#9fb4cf", 0.3, 0.025), "embargo": ("#f3c9b8", 0.2, 1.0)}
"""Colour, order and height of a window: a tax is a strip at the foot, so that a quota's window shows behind it."""


def shade(axes: Iterable[Axes], path: Path) -> None:
    """Shade the windows of policy: embargoes from day to day where the scenario is known, the rest by whole periods."""
    found, days_of, all_edges = policy_windows(path), embargo_days(path), path_edges(path)
    level_of = {kind: _HIGH * (place + 1) for place, kind in enumerate(strips(path))}
    for axis in axes:
        for kind, spans in strips(path).items():
            for start, end in spans:
                foot, pen = level_of[kind], {"facecolor": _STRIPS[kind][1], "edgecolor": "none", "zorder": 0.3}
                axis.axvspan(start, end, ymin=foot, ymax=foot + 0.8 * _HIGH, **pen)
        for name, active in found.items():
            face, level, height = _SHADES[name.split()[0]]
            for start, end in days_of.get(name) or windows(active, all_edges):
                axis.axvspan(start, end, ymax=height, facecolor=face, edgecolor="none", zorder=level)


def shade_handles(path: Path) -> list[Any]:
    """Legend entries of the shaded windows."""
    from matplotlib.patches import Patch

    shades = [Patch(facecolor=_SHADES[name.split()[0]][0], label=name) for name in policy_windows(path)]
    thin = [Patch(facecolor=_STRIPS[kind][1], label=_STRIPS[kind][0]) for kind in strips(path)]
    return [*shades, *thin]
