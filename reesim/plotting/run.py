"""Figures of one run: prices and exports against what was observed, technology, welfare, sectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from reesim.plotting import style, windows
from reesim.plotting.style import Array, Skipped

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from reesim.results.path import Path

_MODEL = {"color": "#1b5fa8", "linewidth": 2.4, "zorder": 4}
_TIMES = "times the baseline (log scale)"
_FAR = 1.5  # times the mean: from here on the mean of users says little of one of them
_BESIDE = 3  # entries of a legend that fit into axes beside each other
_NOISE = 1e-9  # per cent: what moves less is the solver's noise


def prices(path: Path, *, supplier: str = "", points: pd.DataFrame | None = None) -> Figure:
    """Rare earths: prices outside and inside, the wedge between them, exports; with what was observed.

    Parameters
    ----------
    path : Path
        Needs ree_price, ree_mine_price, ree_wedge and ree_exports; policy_quota is drawn if it was kept.
    supplier : str
        Code of the region whose mines supply the world; by default the scenario's, China if that is not known.
    points : DataFrame, optional
        Observed points, as `reesim.observed.overlay` gives them, which is also the default.

    Raises
    ------
    Skipped
        If the path did not keep what the figure shows.
    """
    style.need(path, "ree_price", "ree_mine_price", "ree_wedge", "ree_exports")
    need_rare_earths(path)
    home = style.supplier_of(path, supplier)
    points = _observed(path) if points is None else points
    title = _price_title(path, home, points)
    handles = windows.shade_handles(path)
    below = {} if len(handles) <= _BESIDE else {"below": style.foot_room(len(handles))}
    extra = f"observed: {_observed_sources(points)}" if len(points) else ""
    figure, (top, middle, bottom) = style.canvas(
        title, style.path_source(path, extra), style.beside_gdp(path.warnings), rows=3, size=(9.0, 8.4), sharex=True,
        gridspec_kw={"height_ratios": [1.5, 1.0, 1.0], "hspace": 0.26, **below},
    )  # fmt: skip
    edges = windows.path_edges(path)
    windows.shade((top, middle, bottom), path)
    _price_lines(top, path, home, edges)
    _abroad(middle, path, "ree_wedge", home, edges)
    _export_lines(bottom, path, edges)
    for axis, names in ((top, ("ree_price", "ree_mine_price")), (middle, ("ree_wedge",)), (bottom, ("ree_exports",))):
        for name in names:
            _marks(axis, points[points["variable"] == name], name)
    for axis in (top, middle):
        style.log_scale(axis)
    style.label(top, f"Prices of rare earths outside and inside {style.prose(path.regions, home)}", _TIMES)
    style.label(middle, "Wedge between the two, that of foreign users", _TIMES)
    style.label(bottom, "Exports of rare earths", "tonnes a year")
    bottom.set_ylim(bottom=0.0)
    bottom.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    style.time_axis(bottom, edges)
    style.legend(top, loc="upper right", ncols=2)
    style.legend(bottom, loc="lower right", ncols=2)
    if below:
        style.foot_legend(figure, handles)
    elif handles:
        style.legend(middle, handles=handles, loc="upper right", ncols=len(handles))
    return figure


def _observed(path: Path) -> pd.DataFrame:
    from reesim import observed

    points = observed.overlay(path)
    return points[:0] if observed.out_of_reach(path.provenance, path.regions) else points


def need_rare_earths(path: Path) -> None:
    """Raise Skipped in a world without rare earths."""
    if not path.provenance.rare_earths:
        raise Skipped("there are no rare earths in this world")


def _observed_sources(points: pd.DataFrame) -> str:
    """Who observed, in few words; the table of gaps has the source of every number."""
    known = ("Lynas", "USGS", "Reuters", "Argus", "Wall Street Journal", "WSJ", "MOFCOM")
    text = " ".join(points["source"])
    return ", ".join([*(name for name in known if name in text), "trade press"]) + " (2009 = 1; exports annualised)"


def _price_title(path: Path, home: int, points: pd.DataFrame) -> str:
    outside, inside = style.foreign_mean(path, "ree_price", home), path.array("ree_mine_price")
    if max(np.abs(np.log(outside)).max(), np.abs(np.log(inside)).max()) < 1e-9:
        return "Without a change of policy the prices of rare earths stay at their baseline"
    row = int(outside.argmax())
    where = style.prose(path.regions, home)
    moved = "falls" if inside[row] < 1 else "rises"
    text = (
        f"Users abroad pay on average up to {outside[row]:.3g} times the baseline price "
        f"({style.month(path.times[row])}){_embargoed(path, float(outside[row]))}, "
        f"while the price in {where} {moved} to {inside[row]:.2g} times its own"
    )
    seen = points[points["variable"] == "ree_price"]
    within = points[points["variable"] == "ree_mine_price"]
    if len(seen):
        text += f"; observed: {seen['observed'].max():.2g} times abroad"
        text += f" and {within['observed'].max():.2g} times inside" if len(within) else ""
    return text


def _embargoed(path: Path, mean: float) -> str:
    """Name the users whose price an embargo lifts far above the highest mean."""
    if "policy_embargo" not in path.values:
        return ""
    price, limited = path.array("ree_price"), ~np.isnan(path.array("policy_embargo"))
    text = ""
    for position in np.flatnonzero(limited.any(axis=0)):
        row = int(np.where(limited[:, position], price[:, position], 0.0).argmax())
        if price[row, position] > _FAR * mean:
            who, when = style.prose(path.regions, int(position)), style.month(path.times[row])
            text += f", {who} under its embargo up to {price[row, position]:.3g} times ({when})"
    return text


def _price_lines(axis: Axes, path: Path, home: int, edges: Array) -> None:
    _abroad(axis, path, "ree_price", home, edges)
    pen = {"color": style.colour(path.regions, path.regions.codes[home]), "linewidth": 2.4, "zorder": 4}
    style.steps(axis, edges, path.array("ree_mine_price"), label="model: inside", **pen)


def _abroad(axis: Axes, path: Path, name: str, home: int, edges: Array) -> None:
    """Mean of foreign users, and each of them that at some date is far from it."""
    mean = style.foreign_mean(path, name, home)
    values = path.array(name)
    for position, code in enumerate(path.regions):
        apart = np.abs(np.log(values[:, position] / mean)).max()
        # Most users abroad pay the mean; the one under an embargo does not, and moves the mean too.
        if position != home and apart > 0.5:
            pen = {
                "color": style.colour(path.regions, code),
                "linewidth": 1.4,
                "linestyle": (0, (3, 1.5)),
                "zorder": 3.2,
            }
            style.steps(axis, edges, values[:, position], label=f"model: {path.regions.names[position]}", **pen)
    style.steps(axis, edges, mean, label="model: outside, mean of users", **_MODEL)


def _export_lines(axis: Axes, path: Path, edges: Array) -> None:
    exports = path.array("ree_exports")
    if "policy_quota" in path.values and not np.isnan(path.array("policy_quota")).all():
        quota = path.array("policy_quota") * exports[0]
        pen = {"color": style.FAINT, "linewidth": 1.4, "linestyle": (0, (4, 2)), "zorder": 4.5}
        style.steps(axis, edges, quota, label="quota", **pen)
    style.steps(axis, edges, exports, label="model: exports", **_MODEL)


_MARKS = {
    "ree_price": ("o", "white", "observed: FOB and outside"),
    "ree_mine_price": ("s", style.REGION_COLOURS["CHN"], "observed: inside"),
    "ree_wedge": ("o", "white", "observed"),
    "ree_exports": ("o", "white", "observed"),
}


def _marks(axis: Axes, points: pd.DataFrame, name: str) -> None:
    """Observed points in the middle of their period, a bar over those that are longer than a month."""
    if points.empty:
        return
    shape, face, words = _MARKS[name]
    start, end = style.days(points["start"]), style.days(points["end"])
    middle = (start + end) / 2
    values = points["observed"].to_numpy()
    ink = style.OBSERVED
    axis.hlines(values, start, end, color=ink, linewidth=1.0, zorder=5)
    axis.plot(
        middle, values, linestyle="none", marker=shape, markersize=5.5, markerfacecolor=face, markeredgecolor=ink,
        zorder=6, label=words,
    )  # fmt: skip
    if name == "ree_wedge":
        _element_labels(axis, points)


_PAPER = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.8}


def _element_labels(axis: Axes, points: pd.DataFrame) -> None:
    """Elements beside their points; those of the same period that are nearly equal share one label."""
    words: dict[str, Any] = {
        "textcoords": "offset points",
        "fontsize": 7.5,
        "va": "center",
        "bbox": _PAPER,
        "zorder": 7,
    }
    for _, group in points[points["element"] != ""].groupby(["start", "end"]):
        ordered = group.sort_values("observed")
        height = np.log(ordered["observed"].to_numpy())
        middle = float(style.days(ordered["start"])[0] + style.days(ordered["end"])[0]) / 2
        cluster = (np.diff(height, prepend=-np.inf) > 0.25).cumsum()
        for number in np.unique(cluster):
            near = ordered["element"].to_numpy()[cluster == number]
            place = (middle, float(np.exp(height[cluster == number].mean())))
            axis.annotate(", ".join(near), place, (9, 0), **words)


def technology(path: Path, *, most: int = 4, supplier: str = "") -> Figure:
    """Direction of technology, A_R/A_L, by region in the sectors in which it moves furthest abroad either way, (8).

    Parameters
    ----------
    path : Path
        Needs A_R and A_L.
    most : int
        How many sectors: half of them those of the largest rise abroad, the others those of the largest fall.
    supplier : str
        Code of the region whose mines supply the world; by default the scenario's, China if that is not known.

    Raises
    ------
    Skipped
        If the path did not keep both, or technology never moves.
    """
    style.need(path, "A_R", "A_L")
    need_rare_earths(path)
    home = style.supplier_of(path, supplier)
    change = 100 * (path.array("A_R") / path.array("A_L") - 1)
    chosen = _sectors_that_move(change, home, most)
    seen, labels = style.shown(path, np.abs(change[:, :, chosen]).max(axis=(0, 2)))
    handles = [*style.region_handles(labels, labels), *windows.shade_handles(path)]
    coincide = "coinciding lines lie on each other, the widest lowest"
    rows = -(-len(chosen) // 2)
    figure, axes = style.canvas(
        _technology_title(path, change, home),
        style.path_source(path, style.together(coincide, style.left_out(path.regions, seen))),
        style.beside_gdp(path.warnings), rows=rows, columns=2, size=(9.0, 1.0 + 2.6 * rows), sharex=True,
        gridspec_kw={"below": style.foot_room(len(handles))},
    )  # fmt: skip
    for axis in axes[len(chosen) :]:
        axis.remove()
    drawn, edges = axes[: len(chosen)], windows.path_edges(path)
    windows.shade(drawn, path)
    for place, (axis, sector) in enumerate(zip(drawn, chosen, strict=True)):
        for order, (position, code) in enumerate(zip(seen, labels, strict=True)):
            pen, ink = style.stroke(order), style.colour(labels, code)
            axis.plot(style.days(path.times), change[:, position, sector], color=ink, **pen)
        axis.axhline(0.0, color=style.FAINT, linewidth=0.8)
        style.label(axis, path.sectors.names[sector], "A_R/A_L, % from baseline" if place % 2 == 0 else "")
        style.time_axis(axis, edges, named=place >= len(chosen) - 2)
    style.foot_legend(figure, handles)
    return figure


def _sectors_that_move(change: Array, home: int, most: int) -> list[int]:
    """Sectors of the largest rise abroad, then those of the largest fall, without those that never move."""
    abroad = np.delete(change, home, axis=1)
    highest, lowest = abroad.max(axis=(0, 1)), abroad.min(axis=(0, 1))
    size = np.maximum(highest, -lowest)
    if not size.max() > _NOISE:
        raise Skipped("A_R/A_L never moves abroad: technology is fixed, or no policy changes")
    order = np.argsort(-size, kind="stable")
    # A sector rises or falls by its larger movement: on a path each does a little of both after a policy ends.
    rising = [int(s) for s in order if size[s] > _NOISE and highest[s] >= -lowest[s]]
    falling = [int(s) for s in order if size[s] > _NOISE and highest[s] < -lowest[s]]
    first = max(most - most // 2, most - len(falling))
    kept = rising[:first]
    return [*kept, *falling[: most - len(kept)]]


def _technology_title(path: Path, change: Array, home: int) -> str:
    abroad = change.copy()
    abroad[:, home] = 0.0
    text = []
    for words, flat in (("towards rare earths most", abroad.argmax()), ("away from them most", abroad.argmin())):
        row, region, sector = place = _cell(flat, abroad)
        if abs(abroad[place]) <= _NOISE:
            continue
        there = f"{style.prose(path.regions, region)} {style.signed(float(abroad[place]))}"
        here = f"{style.prose(path.regions, home)} {style.signed(float(change[row, home, sector]))}"
        text.append(f"{words} in {path.sectors.names[sector]} ({there} by {style.month(path.times[row])}, {here})")
    return "Abroad technology turns " + " and ".join(text)


def _cell(flat: np.integer, array: Array) -> tuple[int, ...]:
    return tuple(int(place) for place in np.unravel_index(int(flat), array.shape))


def welfare(path: Path, *, twin: Path | None = None) -> Figure:
    """Welfare and real GDP by region, per cent of the baseline.

    Parameters
    ----------
    path : Path
        Needs welfare or real_gdp.
    twin : Path, optional
        The same run with the other technology, drawn in thin broken lines where dates are shared.

    Raises
    ------
    Skipped
        If the path kept neither.
    """
    shown = [name for name in ("welfare", "real_gdp") if name in path.values]
    if not shown:
        style.need(path, "welfare")
    style.need(path, *shown)
    alerts = tuple(dict.fromkeys((*path.warnings, *(twin.warnings if twin else ()))))
    doubt = (
        "real GDP is to be read with the warning above"
        if "real_gdp" in shown and any(map(style.warns_of_gdp, alerts))
        else ""
    )
    seen, labels = style.shown(path, np.abs(_per_cent(path, shown[0])).max(axis=0))
    handles = [*style.region_handles(labels, labels), *windows.shade_handles(path)]
    extra = style.together(_twin_words(path, twin, shown[0]) if twin else "", doubt, style.left_out(path.regions, seen))
    figure, axes = style.canvas(
        _welfare_title(path, shown[0]), style.path_source(path, extra), alerts, rows=len(shown),
        size=(9.0, 1.0 + 2.8 * len(shown)), sharex=True, gridspec_kw={"below": style.foot_room(len(handles)), "left": 0.095},
    )  # fmt: skip
    edges = windows.path_edges(path)
    windows.shade(axes, path)
    headings = {"welfare": "Welfare (real income)", "real_gdp": "Real GDP (Fisher index)"}
    for axis, name in zip(axes, shown, strict=True):
        for order, (position, code) in enumerate(zip(seen, labels, strict=True)):
            pen, ink = style.stroke(order), style.colour(labels, code)
            thinner = pen | {"linewidth": 0.62 * pen["linewidth"]}
            style.steps(axis, edges, _per_cent(path, name)[:, position], color=ink, **thinner)
            if twin is not None and name in twin.values and code in twin.regions.codes and len(twin) > 1:
                other = _per_cent(twin, name)[:, twin.regions.index(code)]
                style.steps(
                    axis, windows.path_edges(twin), other, color=ink, linewidth=0.9, linestyle=(0, (5, 2)), zorder=5
                )
        axis.axhline(0.0, color=style.FAINT, linewidth=0.8)
        _spread(axis, _per_cent(path, name)[:, seen])
        style.label(axis, headings[name], "% of baseline")
    style.time_axis(axes[-1], edges)
    style.foot_legend(figure, handles)
    return figure


def _spread(axis: Axes, values: Array) -> None:
    """Symmetrical-log scale where one region towers over the others, so that all can be read."""
    largest = np.abs(values).max(axis=0)
    usual = float(np.median(largest))
    if not usual > _NOISE or largest.max() < 30 * usual:
        return
    threshold = 10.0 ** np.floor(np.log10(usual))
    axis.set_yscale("symlog", linthresh=threshold, linscale=0.8)
    axis.set_ylim(min(1.8 * values.min(), -threshold), max(1.8 * values.max(), threshold))
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "−"))
    words = f"logarithmic beyond ±{threshold:g} %"
    axis.text(0.995, 0.97, words, transform=axis.transAxes, ha="right", va="top", fontsize=7.5, color=style.FAINT)


def _twin_words(path: Path, twin: Path, name: str) -> str:
    """Say what the thin lines are, and how far from the thick ones: they often cannot be told apart."""
    text = f"thin broken lines: {twin.provenance.name}, {twin.provenance.choices.get('technology', 'other')} technology"
    same = path.times.equals(twin.times) and path.regions == twin.regions and name in twin.values
    if not same:
        return text
    apart = float(np.abs(_per_cent(path, name) - _per_cent(twin, name)).max())
    return f"{text}, at most {apart:.2g} percentage points of {name.replace('_', ' ')} away"


def _per_cent(path: Path, name: str) -> Array:
    """Variable by region in per cent of the baseline, shape (T, region)."""
    values = path.array(name)
    change: Array = 100 * values if name == "welfare" else 100 * (values / values[0] - 1)
    return change


def _welfare_title(path: Path, name: str) -> str:
    change = _per_cent(path, name)
    word = "welfare" if name == "welfare" else "real GDP"
    if np.abs(change).max() < 1e-9:
        return f"{word.capitalize()} stays at its baseline in every region"
    text = []
    for moved, (row, region) in (("gains", _cell(change.argmax(), change)), ("loses", _cell(change.argmin(), change))):
        value = float(change[row, region])
        if abs(value) > _NOISE:
            when = style.month(path.times[row])
            text.append(f"{style.prose(path.regions, region)} {moved} most, {style.signed(value)} of {word} in {when}")
    return style.sentence("; ".join([*text, _ending(path, change)]))


def _ending(path: Path, change: Array) -> str:
    end = change[-1]
    far = int(np.abs(end).argmax())
    if abs(end[far]) < 0.01 * np.abs(change).max():
        return "by the end all regions are back to within a hundredth of that"
    where, size = style.prose(path.regions, far), style.signed(float(end[far]))
    return f"at the end {where} is furthest from its baseline, at {size}"
