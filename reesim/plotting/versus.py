"""Figures of one thing against another: two paths, and a path against what was observed."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from reesim.errors import InputError
from reesim.plotting import style
from reesim.plotting.style import Array, Skipped
from reesim.report import period_words, side_names
from reesim.results.plan import leading

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from reesim.results.compare import Comparison

_RIGHT, _WRONG = "#1b5fa8", "#D55E00"
_NAMES = {"ree_exports": "exports", "ree_price": "price abroad", "ree_mine_price": "price inside", "ree_wedge": "wedge"}


def comparison(pair: Comparison, *, sector: str = "TRA") -> Figure:
    """Gap between two paths by region, B, ``b``, less A, ``a``: welfare, real GDP, price of rare earths, A_R/A_L of a sector.

    Parameters
    ----------
    pair : Comparison
        Whichever of these variables it has are drawn.
    sector : str
        Code or name of the sector of A_R/A_L; where the two have no such sector, that in which the gap is widest.

    Raises
    ------
    Skipped
        If the two have none of these in common, or a single date.
    """
    if len(pair.times) < 2:
        raise Skipped("the two paths have a single date in common")
    panels = _panels(pair, sector)
    if not panels:
        raise Skipped("the two paths have none of welfare, real_gdp, ree_price, and A_R with A_L, in common")
    rows, columns = -(-len(panels) // 2), min(2, len(panels))
    a, b = side_names(pair)
    moved = np.abs(next(iter(panels.values()))[1]).max(axis=0)
    seen, labels = style.labelled(pair.regions, leading(pair.regions, moved))
    left = (
        f" {len(pair.regions) - len(seen)} regions that move less are left out."
        if len(seen) < len(pair.regions)
        else ""
    )
    figure, axes = style.canvas(
        _title(pair, panels), f"Source: reesim; A: {a}; B: {b}. {_differences(pair)}{left}", pair.alerts,
        rows=rows, columns=columns, size=(9.0, 1.0 + 2.6 * rows), sharex=True,
        gridspec_kw={"left": 0.115, "wspace": 0.32, "below": 0.95},
    )  # fmt: skip
    for axis in axes[len(panels) :]:
        axis.remove()
    edges = style.edges(pair.times)
    for place, (heading, (unit, gap)) in enumerate(panels.items()):
        axis = axes[place]
        for order, (position, code) in enumerate(zip(seen, labels, strict=True)):
            pen = style.stroke(order)
            ink = style.colour(labels, code)
            if heading.startswith("A_R"):  # a state, which moves on without jumps
                axis.plot(style.days(pair.times), gap[:, position], color=ink, **pen)
            else:
                thinner = pen | {"linewidth": 0.62 * pen["linewidth"]}
                style.steps(axis, edges, gap[:, position], color=ink, **thinner)
        axis.axhline(0.0, color=style.FAINT, linewidth=0.8)
        style.label(axis, heading, unit)
        axis.yaxis.set_major_formatter(lambda value, _: style.tick(value))
        style.time_axis(axis, edges, named=place >= len(panels) - columns)
    handles = style.region_handles(labels, labels)
    style.foot_legend(figure, handles)
    return figure


def _panels(pair: Comparison, sector: str) -> dict[str, tuple[str, Array]]:
    """Heading to unit and gap, shape (T, region)."""
    panels: dict[str, tuple[str, Array]] = {}
    if "welfare" in pair.gap:
        panels["Welfare"] = ("percentage points, B − A", 100 * pair.gap["welfare"])
    if "real_gdp" in pair.per_cent:
        panels["Real GDP"] = ("B − A, % of A", pair.per_cent["real_gdp"])
    if "ree_price" in pair.per_cent and _rare_earths(pair):
        panels["Price paid for rare earths"] = ("B − A, % of A", pair.per_cent["ree_price"])
    if {"A_R", "A_L"} <= set(pair.gap) and _rare_earths(pair):
        a, b = (side["A_R"] / side["A_L"] for side in (pair.a, pair.b))
        gap = 100 * (b / a - 1)
        known = sector.casefold() in {form.casefold() for form in (*pair.sectors.codes, *pair.sectors.names)}
        position = pair.sectors.index(sector) if known else int(np.abs(gap).max(axis=(0, 1)).argmax())
        panels[f"A_R/A_L, {pair.sectors.names[position]}"] = ("B − A, % of A", gap[:, :, position])
    return panels


def _rare_earths(pair: Comparison) -> bool:
    """Whether rare earths are used in either; where their use was not compared, it is not known that they are not."""
    return "ree_use" not in pair.a or any(bool(side["ree_use"].any()) for side in (pair.a, pair.b))


def _title(pair: Comparison, panels: dict[str, tuple[str, Array]]) -> str:
    a, b = side_names(pair)
    heading, (unit, gap) = next(iter(panels.items()))
    row, region = (int(place) for place in np.unravel_index(int(np.abs(gap).argmax()), gap.shape))
    value = float(gap[row, region])
    if abs(value) < 1e-9:
        return f"{b} and {a}: {heading.lower()} is the same"
    where, end = style.prose(pair.regions, region), _in_unit(float(gap[-1, region]), unit)
    head = f"{b} against {a}: {heading.lower()} differs most in {where}"
    return f"{head}, by {_in_unit(value, unit)} in {style.month(pair.times[row])}, and by {end} at the end"


def _in_unit(value: float, unit: str) -> str:
    text = style.signed(value if abs(value) > 1e-9 else 0.0)
    return text.replace("%", "points") if "points" in unit else text


def _differences(pair: Comparison) -> str:
    """Say what made them differ, at most three things."""
    settings = {
        name.rpartition(".")[2]: pair.provenance[name] for name in pair.provenance if name.startswith("scenario.")
    }
    said = [f"{word} {a} against {b}" for word, (a, b) in settings.items()]
    if not said:
        return "The scenarios do not differ."
    more = f" and {len(said) - 3} more" if len(said) > 3 else ""
    return f"They differ in: {'; '.join(textwrap.shorten(text, 70, placeholder='…') for text in said[:3])}{more}."


def gap_chart(gaps: pd.DataFrame, *, most: int = 24, alerts: tuple[str, ...] = (), source: str = "") -> Figure:
    """Observed against model, the uncomfortable first: a row for each observed number, both relative to 2009.

    Parameters
    ----------
    gaps : DataFrame
        As `reesim.observed.gaps` gives it.
    most : int
        Rows drawn, from the top; how many are left out is said.
    alerts : tuple of str
        Warnings that go with the path.
    source : str
        Source line of the path.

    Raises
    ------
    Skipped
        If there is nothing to compare.
    InputError
        If `most` is not positive.
    """
    if most < 1:
        raise InputError(f"most is {most}: give at least one row")
    if gaps.empty:
        raise Skipped("no observed number lies within the dates of the path")
    shown = gaps.head(most)
    base = np.where(shown["variable"] == "ree_exports", _exports_2009(), 1.0)
    seen, model = shown["observed"].to_numpy() / base, shown["model"].to_numpy() / base
    left = f"; the {len(gaps) - len(shown)} rows of the smallest gaps are left out" if len(gaps) > len(shown) else ""
    unverified = "; * unverified" if (shown["flag"] != "").any() else ""
    rows = len(shown)
    figure, (axis,) = style.canvas(
        _gap_title(gaps), (source or "Source: reesim.") + f" Observed: sources in the table of gaps{left}{unverified}.",
        alerts, size=(9.0, 0.9 + 0.26 * rows), gridspec_kw={"left": 0.37, "below": 0.45},
    )  # fmt: skip
    _dumbbells(axis, seen, model, shown["wrong_sign"].to_numpy(dtype=bool))
    axis.set_yticks(range(rows), [_words(row) for _, row in shown.iterrows()], fontsize=8)
    axis.set_ylim(rows - 0.4, -0.6)
    axis.set_xlabel("times the level of 2009 (log scale)", fontsize=8.5, color=style.INK)
    axis.set_ylabel("")
    return figure


def _exports_2009() -> float:
    from reesim import observed

    frame = observed.load()
    rows = frame[(frame["series"] == "exports") & (frame["element"] == "") & (frame["end"] == "2009-12-31")]
    return float(rows["value"].iloc[0])


def _dumbbells(axis: Axes, seen: Array, model: Array, wrong: Array) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    rows = np.arange(len(seen))
    for apart, ink in ((wrong.astype(bool), _WRONG), (~wrong.astype(bool), _RIGHT)):
        axis.hlines(rows[apart], seen[apart], model[apart], color=ink, linewidth=2.0, alpha=0.75)
        axis.plot(model[apart], rows[apart], "D", color=ink, markersize=5.5, linestyle="none")
    axis.plot(seen, rows, "o", markerfacecolor="white", markeredgecolor=style.OBSERVED, markersize=6, linestyle="none")
    axis.axvline(1.0, color=style.FAINT, linewidth=0.8)
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.grid(axis="x", color="#eeeeee", linewidth=0.8)
    pens: tuple[tuple[str, str, str, str], ...] = (
        ("o", "white", style.OBSERVED, "observed"),
        ("D", _WRONG, _WRONG, "model, moved the other way"),
        ("D", _RIGHT, _RIGHT, "model, same way or hardly moved"),
    )
    handles = [
        Line2D([], [], marker=shape, markerfacecolor=face, markeredgecolor=edge, linestyle="none", label=words)
        for shape, face, edge, words in pens
    ]
    above = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "borderaxespad": 0.1}
    style.legend(axis, handles=handles, ncols=3, **above)


def _words(row: pd.Series[Any]) -> str:
    """Say what was observed and when, in one short line."""
    elements = str(row["element"]).split(", ")
    element = f"{len(elements)} elements" if len(elements) > 4 else ", ".join(elements)
    name = _NAMES.get(str(row["variable"]), str(row["variable"]))
    star = "*" if row["flag"] else ""
    parts = [name, f"({element})" if element else "", period_words(row["start"], row["end"])]
    return " ".join(part for part in parts if part) + star


def _gap_title(gaps: pd.DataFrame) -> str:
    wrong = gaps[gaps["wrong_sign"].astype(bool)]
    far = int((np.abs(gaps["log_gap"]) >= np.log(2)).sum())
    far_text = f"{far} of {len(gaps)} observed numbers are off by a factor of two or more"
    if wrong.empty:
        return "The model moves as observed everywhere" + (f", but {far_text}" if far else "")
    worst = wrong.iloc[0]
    name = _NAMES.get(str(worst["variable"]), str(worst["variable"]))
    digits = ",.0f" if worst["variable"] == "ree_exports" else ".2g"
    size = f"observed {worst['observed']:{digits}}, in the model {worst['model']:{digits}}, {worst['start']:%Y-%m}"
    head = f"{len(wrong)} of {len(gaps)} observed numbers moved the other way than the model"
    return f"{head}, worst the {name} ({size}); {far_text}"
