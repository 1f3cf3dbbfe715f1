"""Figures of the estimate of δ: the response beside the target, the criterion, and what else moves the response."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reesim.empirics.delta.study import Case, Study
from reesim.empirics.delta.target import NINETY_FIVE
from reesim.empirics.files import write_figure
from reesim.plotting import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from reesim.empirics.delta.profile import Profile

SHARES_INK = {"deck": "#0072B2", "accounts": "#D55E00", "io_table": "#009E73"}
DASHES = ("solid", (0, (6, 2)), (0, (1.2, 1.2)), (0, (3, 1, 1, 1, 1, 1)))
"""By the order in which ways of seeing patents were tried."""

BAND_INK = "#dddddd"
CRITICAL = NINETY_FIVE**2


def draw_all(found: Study, out: Path) -> list[Path]:
    """Draw ``response.png``, ``criterion.png`` and ``moves.png`` into a folder that exists.

    Raises
    ------
    StoreError
        If a file cannot be written.
    """
    makers = {"response": response, "criterion": criterion, "moves": moves}
    return [write_figure(make(found), out / f"{name}.png") for name, make in makers.items()]


def response(found: Study) -> Figure:
    """Response over δ by scenario, shares and way of seeing patents, with the target and its interval of 95 %."""
    figure, axes, drawn = _canvas(found, "What the model's patents do at every stable δ, beside the target")
    low, high = (100.0 * math.expm1(end) for end in found.target.band())
    for axis in axes:
        axis.axhspan(low, high, color=BAND_INK, zorder=0)
        axis.axhline(found.target.percent, color=style.INK, linewidth=1.2, zorder=1)
    for axis, case, profile, line in drawn:
        values = [one.percent for one in profile.responses]
        axis.plot([one.delta for one in profile.responses], values, label=_label(case), **line)
    style.label(axes[0], axes[0].get_title(loc="left"), "% per standard deviation of sensitivity")
    style.legend(axes[-1], ncols=2, loc="upper right", fontsize=6.5)
    top = max([high, *(one.percent for _, _, profile, _ in drawn for one in profile.responses)])
    axes[0].set_ylim(top=1.35 * top)
    return figure


def criterion(found: Study) -> Figure:
    """Squared distance from the target in standard errors over δ, with the bound of the interval of 95 %."""
    figure, axes, drawn = _canvas(found, "How far the model is from the target at every stable δ")
    for axis, case, profile, line in drawn:
        values = [found.target.criterion(one.response) for one in profile.responses]
        axis.plot([one.delta for one in profile.responses], values, label=_label(case), **line)
    for axis in axes:
        axis.axhline(CRITICAL, color=style.WARNING, linewidth=1.0, linestyle=(0, (2, 2)), zorder=1)
        axis.set_ylim(bottom=0.0)
    axes[0].annotate(
        " 95 %",
        (1.0, CRITICAL),
        xycoords=("axes fraction", "data"),
        ha="left",
        va="center",
        color=style.WARNING,
        fontsize=8,
    )
    style.label(axes[0], axes[0].get_title(loc="left"), "((model − target) / standard error)²")
    style.legend(axes[-1], ncols=2, loc="upper right", fontsize=6.5)
    axes[0].set_ylim(top=1.35 * axes[0].get_ylim()[1])
    return figure


def moves(found: Study) -> Figure:
    """The response of the reference and with one thing changed at a time."""
    base, others = found.moves[0], found.moves[1:]
    names = [f"{one.what}: {one.value}" for one in others]
    title = "What moves the response: one thing changed at a time"
    source = f"Reference: {base.value}. Grey: target with its interval of 95 %. Target: {found.target.source}."
    figure, (axis,) = style.canvas(
        title, source, size=(9.0, 0.27 * len(others) + 0.9), gridspec_kw={"left": 0.42, "below": 0.55}
    )
    low, high = (100.0 * math.expm1(end) for end in found.target.band())
    axis.axvspan(low, high, color=BAND_INK, zorder=0)
    axis.axvline(found.target.percent, color=style.INK, linewidth=1.2)
    axis.axvline(base.percent, color=style.FAINT, linewidth=1.0, linestyle=(0, (2, 2)))
    place = np.arange(len(others))[::-1]
    inks = ["#D55E00" if one.what == "delta" else "#0072B2" for one in others]
    values = [one.percent for one in others]
    axis.hlines(place, base.percent, values, colors=inks, linewidth=2.5)
    axis.scatter(values, place, c=inks, s=22, zorder=3)
    axis.set_yticks(place, names, fontsize=8)
    axis.grid(visible=False, axis="y")
    axis.set_xlabel("% per standard deviation of sensitivity", fontsize=8.5)
    return figure


def _canvas(found: Study, title: str) -> tuple[Figure, list[Axes], list[tuple[Axes, Case, Profile, dict[str, Any]]]]:
    """A column of axes a scenario, and what is drawn: cases at the first half-life and last year."""
    first = next(iter(found.profiles))
    chosen = {
        case: profile for case, profile in found.profiles.items()
        if case.entry == first.entry and case.reading.last == first.reading.last and profile.responses
    }  # fmt: skip
    scenarios = list(dict.fromkeys(case.scenario for case in chosen)) or [first.scenario]
    ways = list(dict.fromkeys(case.reading for case in chosen))
    source = (
        f"Half-life of entry {first.entry:g} years, {first.reading.first} to {first.reading.last}, group {found.target.group}, "
        f"expected counts. Stable below δ* = {found.delta_star:.4g}. Target: {found.target.source}."
    )
    width = max(6.0, 3.9 * len(scenarios))
    figure, axes = style.canvas(title, source, columns=len(scenarios), size=(width, 4.6), sharey=True)
    drawn: list[tuple[Axes, Case, Profile, dict[str, Any]]] = []
    for case, profile in chosen.items():
        ink = SHARES_INK.get(case.shares, style.FAINT)
        dashes = DASHES[ways.index(case.reading) % len(DASHES)]
        line: dict[str, Any] = {"color": ink, "linestyle": dashes, "linewidth": 1.6}
        drawn.append((axes[scenarios.index(case.scenario)], case, profile, line))
    for axis, name in zip(axes, scenarios, strict=True):
        style.label(axis, name, "")
        axis.set_xlabel("δ", fontsize=9)
    return figure, axes, drawn


def _label(case: Case) -> str:
    seen = case.reading.observed
    return f"{case.shares}, {'stock' if seen.seen == 'stock' else f'flow ξ {seen.replacement:g}'}"
