"""Figures of the structural estimates: epsilon by sector beside the slides', and bands of what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from reesim.empirics.structural.tables import sector_name
from reesim.plotting import style
from reesim.scenario import default_world
from reesim.variables import VARIABLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from reesim.empirics.structural.bands import Bands
    from reesim.empirics.structural.fit import StructuralFit

INK = ("#0072B2", "#D55E00", "#009E73")
"""Colours that the colour-blind can tell apart (Okabe and Ito), by the order of fits."""

MOST = 8.0
"""Interval of epsilon, in units of the axis, beyond which it is cut off rather than squeezing the rest."""

CELLS = 4
"""Sectors of a variable by region and sector that a figure shows: those with the widest bands."""


def epsilon_by_sector(fits: Sequence[StructuralFit]) -> Figure:
    """Estimates with intervals, a line of marks a fit, beside the slides'."""
    first = sorted((one for one in fits[0].sectors if one.admissible), key=lambda one: one.epsilon[0])
    codes = [one.sector for one in first]
    below = sum(one.epsilon[3] < 1.0 for one in first)
    title = (
        f"ε from the direction of innovation, (24): below one, so that rare earths and labour are complements, "
        f"with its whole interval in {below} of {len(codes)} sectors"
    )
    chosen = fits[0].specification
    told = f"Intervals of {100 * chosen.level:g} %, errors clustered by region; the count is by {chosen.method}."
    figure, (axes,) = style.canvas(
        title,
        f"{fits[0].source}. {told}",
        _alerts(fits[0].source),
        size=(9.0, 0.42 * len(codes) + 0.6),
        gridspec_kw={"left": 0.27, "below": 0.5},
    )
    for k, fit in enumerate(fits):
        _marks(axes, fit, codes, k, len(fits))
    known = default_world().elasticities
    deck = [(known[code][0], row) for row, code in enumerate(codes) if code in known]
    if deck:
        axes.plot(*zip(*deck, strict=True), "D", mfc="none", mec=style.INK, ms=6, ls="none", label="slides")
    axes.axvline(1.0, color=style.FAINT, lw=0.8, zorder=0)
    axes.set_yticks(range(len(codes)), [sector_name(code) for code in codes])
    axes.set_xlabel("ε: elasticity of substitution between rare-earth and labour bundles (below 1: complements)")
    axes.legend(loc="lower right", frameon=False, fontsize=9)
    return figure


def fan(told: Bands, source: str = "") -> Figure:
    """Bands of a variable over time, a panel for each region, or for the sectors with the widest bands of a region."""
    chosen = _panels(told)
    rows = (len(chosen) + 1) // 2
    pairs = f"{100 * told.quantiles[0]:g} to {100 * told.quantiles[-1]:g}"
    estimates = f"the estimates ({source})" if source else "the estimates"
    figure, grid = style.canvas(
        f"{VARIABLES[told.variable].description}: what the errors of ε and γ leave open",
        f"Line: at {estimates}. Shades: {pairs} of 100 draws and between. {told.line()}",
        _alerts(source), rows=rows, columns=2, size=(10.0, 2.3 * rows), gridspec_kw={"hspace": 0.42, "wspace": 0.2},
    )  # fmt: skip
    unit = VARIABLES[told.variable].unit
    percent = 100.0 if "share of baseline" in unit else 1.0
    for axes, (title, index) in zip(grid, chosen.items(), strict=False):
        _fan(axes, told, index, percent)
        style.label(axes, title, "per cent" if percent > 1.0 else unit)
    for axes in grid[len(chosen) :]:
        axes.set_visible(False)
    return figure


def _alerts(source: str) -> list[str]:
    return ["simulated by the model, not observed"] if source.startswith("SIMULATED") else []


def _marks(axes: Axes, fit: StructuralFit, codes: list[str], k: int, fits: int) -> None:
    found = {one.sector: one.epsilon for one in fit.sectors if one.admissible}
    rows = [row for row, code in enumerate(codes) if code in found]
    values = np.array([found[codes[row]] for row in rows])
    low, high = np.maximum(values[:, 0] - values[:, 2], 0.0), np.minimum(values[:, 3] - values[:, 0], MOST)
    place = np.array(rows) + (k - (fits - 1) / 2.0) * 0.22
    axes.errorbar(
        values[:, 0], place, xerr=[low, high], fmt="o", color=INK[k % len(INK)], ms=4.5, lw=1.4, capsize=0,
        label=fit.specification.method,
    )  # fmt: skip


def _panels(told: Bands) -> dict[str, tuple[int, ...]]:
    axes = VARIABLES[told.variable].axes
    if axes == ("region",):
        return {told.regions.names[k]: (k,) for k in range(len(told.regions))}
    if axes != ("region", "sector"):
        return {"": ()} if not axes else {"first cell": (0,) * len(axes)}
    wide = (told.values[-1] - told.values[0]).max(axis=0)
    region = int(wide.max(axis=1).argmax())
    order = np.argsort(-wide[region])[:CELLS]
    return {f"{told.regions.names[region]}, {told.sectors.names[k]}": (region, int(k)) for k in order}


def _fan(axes: Axes, told: Bands, index: tuple[int, ...], factor: float) -> None:
    place: Any = (..., *index)
    values, central = told.values[place], told.central[place]
    pairs = len(told.quantiles) // 2
    for k in range(pairs):
        low, high = values[k] * factor, values[-1 - k] * factor
        axes.fill_between(told.times, low, high, color=INK[0], alpha=0.18 + 0.14 * k, lw=0)
    axes.plot(told.times, central * factor, color=style.INK, lw=1.3)
