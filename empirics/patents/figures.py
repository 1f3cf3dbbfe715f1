"""Figures of patents and earnings calls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.ticker import MaxNLocator

from reesim.empirics.files import write_figure
from reesim.plotting import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    "CHN": "#D55E00", "EUR": "#0072B2", "JPN": "#009E73", "USA": "#CC79A7", "KOR": "#E69F00", "RUS": "#7A5C2E",
    "AUS": "#56B4E9", "ROW": "#6b6b6b",
}  # fmt: skip
POST = (2009.5, "post, from 2010")
"""Where the line stands between years, each drawn about its number."""
CUT = (2010.5, "July 2010: quota cut")
"""Where the line stands on an axis of time."""
HEADROOM = 1.3
"""Height of the axes over that of what is drawn, for the legend."""


def draw_patents(panel: pd.DataFrame, out: Path, note: str = "") -> Path:
    """Patents by year, stacked by region, with the enhancing ones as a line.

    Parameters
    ----------
    panel : pandas.DataFrame
        Columns region, year, count, enhancing.
    out : path
        Folder; ``patents.png`` is written.
    note : str
        A warning put under the title.
    """
    figure, (axes,) = _new("Patents on rare earths by region of the assignee", note, "Counts of patent_panel.csv.")
    table = panel.pivot_table(index="year", columns="region", values="count", aggfunc="sum", fill_value=0.0)
    base = table.iloc[:, 0] * 0.0
    names = [str(name) for name in table.columns]
    for region in [name for name in COLOURS if name in names] + [name for name in names if name not in COLOURS]:
        axes.bar(table.index, table[region], bottom=base, color=COLOURS.get(region, "#bbbbbb"), label=region, width=0.8)
        base = base + table[region]
    flagged = panel.groupby("year")["enhancing"].sum()
    axes.plot(flagged.index, flagged, color=style.INK, marker="o", markersize=3, label="enhancing, all regions")
    _finish(axes, "patents a year", POST)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return write_figure(figure, out / "patents.png")


def draw_attention(calls: pd.DataFrame, patents: pd.DataFrame | None, out: Path, note: str = "") -> Path:
    """Rare-earth sentences in earnings calls by quarter, and patents by year, one above the other on one axis of time.

    Parameters
    ----------
    calls : pandas.DataFrame
        Columns quarter (2011Q3), calls, ree_sentences; several rows a quarter are summed.
    patents : pandas.DataFrame, optional
        Columns year, count.
    out : path
        Folder; ``attention.png`` is written.
    note : str
        A warning put under the title.
    """
    title = "Rare-earth sentences in earnings calls" + ("" if patents is None else ", and rare-earth patents")
    figure, (axes, *below) = _new(
        title, note, "Counts of transcript_counts.csv.", 1 if patents is None else 2, right=0.93
    )
    sums = calls.groupby("quarter")[["calls", "ree_sentences"]].sum()
    time = [int(quarter[:4]) + (int(quarter[-1]) - 0.5) / 4 for quarter in sums.index]
    axes.bar(time, sums["ree_sentences"], width=0.22, color="#0072B2", label="sentences a quarter")
    rate = axes.twinx()
    rate.plot(
        time, sums["ree_sentences"] / sums["calls"], color="#D55E00", marker="o", markersize=3, label="per call (right)"
    )
    rate.set_ylim(0.0, HEADROOM * rate.get_ylim()[1])
    rate.spines[["top"]].set_visible(False)
    _finish(axes, "sentences", CUT)
    handles = [*axes.get_legend_handles_labels()[0], *rate.get_legend_handles_labels()[0]]
    axes.legend(
        handles, [str(handle.get_label()) for handle in handles], frameon=False, fontsize=8, loc="upper left", ncols=3
    )
    if patents is not None:
        total = patents.groupby("year")["count"].sum()
        below[0].bar(total.index + 0.5, total, width=0.9, color="#009E73", label="patents by year of grant")
        _finish(below[0], "patents a year", CUT)
        axes.tick_params(labelbottom=False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))  # a year at least, no parts of one
    return write_figure(figure, out / "attention.png")


def _new(title: str, note: str, source: str, rows: int = 1, right: float = 0.985) -> tuple[Figure, list[Axes]]:
    return style.canvas(
        title,
        source,
        [note] if note else [],
        rows=rows,
        size=(7.6, 1.4 + 1.9 * rows),
        sharex=True,
        gridspec_kw={"right": right},
    )


def _finish(axes: Axes, unit: str, line: tuple[float, str]) -> None:
    axes.axvline(line[0], ymax=1.0 / HEADROOM, color=style.INK, linewidth=0.8, linestyle=(0, (4, 2)), label=line[1])
    axes.set_ylim(0.0, HEADROOM * axes.get_ylim()[1])
    axes.set_ylabel(unit)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="upper left", ncols=3)
