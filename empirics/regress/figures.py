"""Figures of regressions: coefficients by group beside the slides', event studies, variants, and permuted sensitivities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from reesim.empirics.regress.event import EventStudy
from reesim.empirics.regress.published import Published
from reesim.empirics.regress.resample import Resampled
from reesim.empirics.regress.robustness import Variant, per_cent
from reesim.empirics.tables import Column
from reesim.plotting import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OURS, THEIRS, SHADE = "#0072B2", "#D55E00", "#f1f1f1"
LEVEL = 0.95


def groups(columns: Sequence[Column], term: str, title: str, source: str, alerts: Sequence[str] = ()) -> Figure:
    """Coefficients of sensitivity x post by group with 95 % intervals, and the slides' where they have one."""
    figure, (axis,) = style.canvas(title, source, alerts, size=(9.0, 4.2))
    for at, column in enumerate(columns):
        low, high = column.fit.interval(term, LEVEL)
        _mark(axis, at - 0.12, column.fit.coefficient(term), low, high, OURS, "this panel" if not at else None)
        if column.deck:
            low, high = _deck_interval(column.deck)
            name = None if any(earlier.deck for earlier in columns[:at]) else "slides"
            _mark(axis, at + 0.12, column.deck.estimate, low, high, THEIRS, name)
    axis.axhline(0.0, color=style.INK, linewidth=0.8)
    axis.set_xticks(range(len(columns)), [column.heading for column in columns])
    style.label(axis, "Coefficient of sensitivity x post, 95 % intervals", "coefficient")
    style.legend(axis, loc="upper left")
    return figure


def events(studies: Sequence[EventStudy], title: str, source: str, alerts: Sequence[str] = ()) -> Figure:
    """Event studies by group: the effect of one standard deviation of sensitivity by year, zero in the base year."""
    rows = -(-len(studies) // 3)
    source += " White: the base year; grey: years after it; joint tests of all years before it."
    figure, axes = style.canvas(
        title, source, alerts, rows=rows, columns=3, size=(11.0, 2.9 * rows),
        gridspec_kw={"hspace": 0.45, "wspace": 0.22, "left": 0.07},
    )  # fmt: skip
    for axis, study in zip(axes, studies, strict=False):
        frame, sd = study.frame(LEVEL), study.design.sd
        years = frame["year"].to_numpy(dtype=float)
        axis.axvspan(study.base + 0.5, years.max() + 0.5, color=SHADE, zorder=0)
        axis.axhline(0.0, color=style.INK, linewidth=0.8)
        low, middle, high = (per_cent(study.fit, frame[name] * sd) for name in ("low", "estimate", "high"))
        axis.vlines(years, low, high, color=OURS, linewidth=1.6)
        base = years == study.base
        axis.plot(years[~base], middle[~base], "o", color=OURS, markersize=4.5)
        axis.plot(years[base], [0.0], "o", color="white", markeredgecolor=OURS, markersize=5)
        axis.set_xlim(years.min() - 0.7, years.max() + 0.7)
        axis.set_xticks(range(int(years.min()), int(years.max()) + 1, max(1, len(years) // 6)))
        tested = f"years before: {_p(study.before.p)}" if study.before else "too few clusters to test"
        style.label(axis, f"{study.design.group}   ({tested})", "per cent per s.d.")
    for axis in axes[len(studies) :]:
        axis.set_visible(False)
    return figure


def variants(found: Mapping[str, Sequence[Variant]], title: str, source: str, alerts: Sequence[str] = ()) -> Figure:
    """Effects of one standard deviation of sensitivity in variants of one regression, in blocks, with 95 % intervals."""
    blocks = {name: [one for one in rows if one.fit is not None] for name, rows in found.items()}
    rows = sum(len(part) + 1 for part in blocks.values())
    figure, (axis,) = style.canvas(
        title, source, alerts, size=(9.0, 0.6 + 0.215 * rows), gridspec_kw={"left": 0.31, "below": 0.55}
    )
    at, ticks, names = 0, [], []
    for block, part in blocks.items():
        ticks.append(at)
        names.append(block.upper())
        at += 1
        for one in part:
            effect, error = one.per_sd
            assert one.fit is not None  # for the type checker: kept above
            half = _half(one.fit.df) * error
            low, middle, high = (per_cent(one.fit, effect + side * half) for side in (-1.0, 0.0, 1.0))
            axis.hlines(at, low, high, color=OURS, linewidth=1.6)
            axis.plot(middle, at, "o", color=OURS, markersize=4.5)
            ticks.append(at)
            names.append(one.name)
            at += 1
    axis.axvline(0.0, color=style.INK, linewidth=0.8)
    axis.set_yticks(ticks, names)
    axis.set_ylim(at - 0.4, -0.6)
    axis.grid(axis="x", color="#e6e6e6", linewidth=0.8)
    axis.grid(axis="y", visible=False)
    axis.set_xlabel("per cent per standard deviation of sensitivity, 95 % intervals", fontsize=8.5)
    return figure


def permuted(found: Mapping[str, Resampled], title: str, source: str, alerts: Sequence[str] = ()) -> Figure:
    """Coefficients under permuted sensitivities, and the one observed, by group."""
    rows = -(-len(found) // 3)
    figure, axes = style.canvas(
        title, source, alerts, rows=rows, columns=3, size=(11.0, 2.5 * rows),
        gridspec_kw={"hspace": 0.5, "wspace": 0.22, "left": 0.06},
    )  # fmt: skip
    for axis, (group, result) in zip(axes, found.items(), strict=False):
        axis.hist(result.draws, bins=60, color="#b9cfe0")
        axis.axvline(result.statistic, color=THEIRS, linewidth=2.0)
        style.label(axis, f"{group}   {_p(result.p)}", "draws")
    for axis in axes[len(found) :]:
        axis.set_visible(False)
    return figure


def _mark(axis: Axes, at: float, value: float, low: float, high: float, colour: str, name: str | None) -> None:
    axis.vlines(at, low, high, color=colour, linewidth=1.8)
    axis.plot(at, value, "o", color=colour, markersize=5.5, label=name)


def _deck_interval(deck: Published) -> tuple[float, float]:
    half = _half(deck.clusters - 1) * deck.std_error
    return deck.estimate - half, deck.estimate + half


def _p(value: float) -> str:
    return f"p = {value:.3f}" if value >= 0.001 else "p < 0.001"


def _half(df: float) -> float:
    from scipy.stats import t

    return float(np.asarray(t.isf((1.0 - LEVEL) / 2.0, df)))
