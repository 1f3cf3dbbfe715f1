"""Figures of the extended table: who needs which element, by way of what, beside the slides, and how sure the ranking is."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from reesim.empirics.files import write_figure
from reesim.empirics.iotable.concordance import to_sectors
from reesim.empirics.iotable.sensitivity import deck_requirements
from reesim.plotting import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from reesim.empirics.iotable.outputs import Tables

Array = npt.NDArray[np.float64]

UNIT = "USD per 1,000 USD of final demand"
PER_THOUSAND = 1000.0
ROWS, INDUSTRIES = 25, 20
"""SIC industries, and industries of the benchmark table, that a figure has room for."""

TOP = 8
DECADES = 3.5
"""Width of the colour scale; what lies below has its lightest colour."""

SMALL = 0.0005
"""Numbers below are written with an exponent."""

SECTORS = {
    "MIN": "mining, petroleum products", "FOO": "food", "TEX": "textiles, leather", "WOO": "wood, paper", "CHE": "chemicals",
    "RUB": "rubber, plastics", "NMM": "minerals", "MET": "metals", "MAC": "machinery", "ELE": "electrical, optical",
    "TRA": "transport equipment", "FUR": "furniture, other",
}  # fmt: skip
"""The model's sectors that may use the material; agriculture and services are left out."""

ELEMENT_INK = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#7A5C2E", "#E69F00", "#56B4E9", "#332288")
"""Colours that the colour-blind can tell apart (Okabe and Ito), by the order of elements."""

SHARE_INK = {"usgs": "#D55E00", "uniform": "#0072B2", "world": "#6b6b6b"}


def draw_all(tables: Tables, out: Path) -> list[Path]:
    """Draw what the tables have and write it, each figure whole or not at all.

    Parameters
    ----------
    tables : Tables
        Shipped or computed, of any material.
    out : path
        Folder that exists.

    Returns
    -------
    list of pathlib.Path
        ``requirements.png`` and ``applications.png``; ``beside_deck.png`` where there is a table of the slides to stand beside,
        and ``ranks.png`` where there are draws.

    Raises
    ------
    StoreError
        If a file cannot be written.
    """
    makers: dict[str, Callable[[Tables], Figure]] = {"requirements": requirements, "applications": applications}
    if "beside_deck" in tables:
        makers["beside_deck"] = beside_deck
    if "rank_low" in tables["sensitivity"]:
        makers["ranks"] = ranks
    return [write_figure(make(tables), out / f"{name}.png") for name, make in makers.items()]


def requirements(tables: Tables) -> Figure:
    """Total requirements of the first SIC industries by element, a heat map on a logarithmic scale."""
    frame = tables["total_requirements"].head(ROWS)
    elements = _elements(tables)
    columns = ["All", *elements] if len(elements) > 1 else elements
    values = frame[columns].to_numpy(dtype=np.float64)
    marked = _of_the_slides(tables)
    names = [
        f"{_short(name)}  {sic}{' ◆' if sic in marked else ''}"
        for sic, name in zip(frame["sic"], frame["description"], strict=True)
    ]
    note = "◆: one of the eight industries of the slides' table" if marked else ""
    figure, axis = _heat_canvas(_requirements_title(tables), _source(tables, note), values.shape, names)
    _heat(axis, values, columns, names, parted=len(columns) > 1)
    style.label(axis, f"{_material(tables)}, {UNIT}, by SIC industry", "")
    for text, sic in zip(axis.get_yticklabels(), frame["sic"], strict=True):
        text.set_fontweight("bold" if sic in marked else "normal")
    return figure


def applications(tables: Tables) -> Figure:
    """Total requirements of industries and of the model's sectors by application, heat maps on one logarithmic scale."""
    frame, industries = tables["applications"], tables["industries"]
    key = str(frame.columns[0])
    names = [name for name in frame.columns if name not in (key, "name")]
    values = frame.set_index(key)[names] * PER_THOUSAND
    output = industries.set_index(key)["output_usd"]
    sectors = to_sectors(values, output).reindex(list(SECTORS)).dropna()
    sectors = sectors.loc[sectors.sum(axis=1).sort_values(ascending=False).index]
    top = values.loc[values.sum(axis=1).sort_values(ascending=False, kind="stable").index[:INDUSTRIES]]
    words = dict(zip(frame[key], frame["name"], strict=True))
    labels = [f"{_short(words[code])}  {code}" for code in top.index]
    labels += ["", *(f"{_short(SECTORS[code])}  {code}" for code in sectors.index)]
    gap = np.full((1, len(names)), np.nan)
    numbers = np.vstack([top.to_numpy(), gap, sectors.to_numpy()])
    note = "above the gap industries of the benchmark table, below it the model's sectors, means weighted by output"
    figure, axis = _heat_canvas(
        _applications_title(tables, top), _source(tables, note), numbers.shape, labels, wide=1.05, below=0.45
    )
    _heat(axis, numbers, [textwrap.fill(name, 14) for name in names], labels)
    style.label(axis, f"{_material(tables)} by application, {UNIT}", "")
    return figure


def beside_deck(tables: Tables) -> Figure:
    """Requirements beside the slides', by element, and how the level moves with prices and shares."""
    note = "the slides print two decimals, so 0.01 may be anything from 0.005 to 0.015; cells of zero are left out"
    figure, (left, right) = style.canvas(
        _deck_title(tables), _source(tables, note), columns=2, size=(11.0, 5.6),
        gridspec_kw={"left": 0.065, "right": 0.985, "wspace": 0.42, "below": 0.75},
    )  # fmt: skip
    _beside(left, tables["beside_deck"])
    _levels(right, tables["knobs"])
    return figure


def ranks(tables: Tables) -> Figure:
    """Sensitivity and rank of the first SIC industries, with the intervals that the draws leave."""
    frame = tables["sensitivity"].head(ROWS)
    names = [f"{_short(name, 40)}  {sic}" for sic, name in zip(frame["sic"], frame["description"], strict=True)]
    note = f"bars: 5 to 95 % of {tables.balance['draws']} draws of the uncertain inputs; line: median; dot: inputs as they stand"
    names_wide = 0.066 * max(map(len, names)) + 0.15
    width = names_wide + 6.6
    figure, (left, right) = style.canvas(
        _ranks_title(tables), _source(tables, note), columns=2, sharey=True, size=(width, 0.7 + 0.24 * len(frame)),
        gridspec_kw={"left": names_wide / width, "right": 0.985, "wspace": 0.07, "below": 0.5},
    )  # fmt: skip
    panels = (
        (left, "sensitivity", "", "Sensitivity (25)", "requirement × complementarity (log scale)"),
        (right, "rank", "rank_", "Rank", "1 is the most sensitive (log scale)"),
    )
    for axis, point, prefix, heading, unit in panels:
        _intervals(axis, frame, point, prefix)
        style.label(axis, heading, "")
        axis.set_xlabel(unit, fontsize=8.5, color=style.INK)
    left.set_yticks(range(len(frame)), names, fontsize=8)
    left.set_ylim(len(frame) - 0.4, -0.6)
    return figure


def _intervals(axis: Axes, frame: pd.DataFrame, point: str, prefix: str) -> None:
    rows = np.arange(len(frame))
    axis.hlines(rows, frame[f"{prefix}low"], frame[f"{prefix}high"], color="#56B4E9", linewidth=5.5, alpha=0.75)
    axis.plot(frame[f"{prefix}median"], rows, "|", color=style.INK, markersize=7, linestyle="none")
    axis.plot(frame[point], rows, "o", color="#D55E00", markersize=4.5, linestyle="none")
    _log_axis(axis, "x")
    axis.axhline(TOP - 0.5, color=style.FAINT, linewidth=0.8, linestyle=(0, (4, 3)))


def _beside(axis: Axes, frame: pd.DataFrame) -> None:
    there = frame[(frame["theirs"] > 0.0) & (frame["ours"] > 0.0)]
    elements = [name for name in dict.fromkeys(frame["element"]) if name != "All"]
    for place, element in enumerate(["All", *elements]):
        cells = there[there["element"] == element]
        x, y = cells["theirs"] * PER_THOUSAND, cells["ours"] * PER_THOUSAND
        if element == "All":
            pen: dict[str, Any] = {
                "markerfacecolor": "none",
                "markeredgecolor": style.INK,
                "markersize": 9,
                "zorder": 3,
            }
        else:
            ink = ELEMENT_INK[(place - 1) % len(ELEMENT_INK)]
            pen = {"markerfacecolor": ink, "markeredgecolor": "white", "markersize": 6.5, "zorder": 4}
        axis.plot(x, y, "o", linestyle="none", label=element, **pen)
    _log_axis(axis, "x")
    _log_axis(axis, "y")
    both = there[["ours", "theirs"]].to_numpy(dtype=np.float64) * PER_THOUSAND
    ends = np.array([0.6 * both[both > 0.0].min(), 1.5 * both.max()])
    for factor, dashes in ((1.0, "solid"), (2.0, (0, (2, 3))), (0.5, (0, (2, 3)))):
        axis.plot(ends, factor * ends, color=style.FAINT, linewidth=0.8, linestyle=dashes, zorder=1)
    place = ends[0] ** 0.08 * ends[1] ** 0.92
    axis.text(
        place, place, "equal", fontsize=7.5, color=style.FAINT, rotation=45, transform_rotates_text=True,
        rotation_mode="anchor", ha="center", va="bottom",
    )  # fmt: skip
    axis.set_xlim(*ends)
    axis.set_ylim(*ends)
    _name_the_odd(axis, there)
    style.label(axis, f"Ours against the slides', {UNIT}", "ours (log scale)")
    axis.set_xlabel("the slides' (log scale); dotted: twice and half", fontsize=8.5, color=style.INK)
    style.legend(axis, loc="upper left", ncols=2)


def _name_the_odd(axis: Axes, there: pd.DataFrame) -> None:
    """Name the two sums that are furthest from the common level, and the cell that is."""
    far = np.log(there["ratio"])
    whole = there["element"] == "All"
    odd = pd.concat([_furthest(there[whole], far[whole], 2), _furthest(there[~whole], far[~whole], 1)])
    for _, cell in odd.iterrows():
        below = cell["ratio"] < 1.0
        words = str(cell["sic"]) if cell["element"] == "All" else f"{cell['sic']}, {cell['element']}"
        axis.annotate(
            words, (cell["theirs"] * PER_THOUSAND, cell["ours"] * PER_THOUSAND), fontsize=7.5, color=style.INK,
            xytext=(8, -3) if below else (-8, 4), textcoords="offset points", ha="left" if below else "right",
        )  # fmt: skip


def _furthest(cells: pd.DataFrame, far: pd.Series[float], count: int) -> pd.DataFrame:
    return cells.loc[(far - far.mean()).abs().sort_values(ascending=False, kind="stable").index[:count]]


def _levels(axis: Axes, knobs: pd.DataFrame) -> None:
    """Level by vintage and share: dots with their range; crosses at the left where a table cannot be built."""
    vintages = list(dict.fromkeys(knobs["prices"]))
    shares = list(dict.fromkeys(knobs["us_share"]))
    for place, share in enumerate(shares):
        part = knobs[knobs["us_share"] == share]
        rows = np.array([vintages.index(vintage) for vintage in part["prices"]])
        built = part["level"].notna().to_numpy()
        ink = SHARE_INK.get(share, ELEMENT_INK[place % len(ELEMENT_INK)])
        axis.hlines(rows[built], part["smallest"][built], part["largest"][built], color=ink, linewidth=1.2, alpha=0.45)
        axis.plot(part["level"][built], rows[built], "o", color=ink, markersize=6, linestyle="none", label=share)
        edge = np.full((~built).sum(), 0.02 + 0.025 * place)
        axis.plot(
            edge, rows[~built], "x", color=ink, markersize=5, linestyle="none", transform=axis.get_yaxis_transform()
        )
    _log_axis(axis, "x")
    low, high = axis.get_xlim()
    axis.set_xlim(low / (high / low) ** 0.1, high)
    axis.axvline(1.0, color=style.INK, linewidth=0.9, zorder=1)
    axis.plot([], [], "x", color=style.INK, markersize=5, linestyle="none", label="cannot be built")
    axis.set_yticks(range(len(vintages)), vintages, fontsize=8)
    axis.set_ylim(len(vintages) - 0.4, -0.6)
    style.label(axis, "Level, by date of prices and share of the United States", "")
    axis.set_xlabel(
        "ours over the slides': geometric mean, smallest and largest (log scale)", fontsize=8.5, color=style.INK
    )
    style.legend(axis, loc="upper center", bbox_to_anchor=(0.45, -0.1), ncols=len(shares) + 1)


def _heat_canvas(
    title: str, source: str, shape: tuple[int, int], names: Sequence[str], wide: float = 0.78, below: float = 0.25
) -> tuple[Figure, Axes]:
    """Canvas of a heat map with room for its row names."""
    rows, columns = shape
    names_wide = 0.069 * max(map(len, names)) + 0.15
    width = max(names_wide + wide * columns, 7.5)
    figure, (axis,) = style.canvas(
        title, source, size=(width, 0.45 + 0.235 * rows),
        gridspec_kw={"left": names_wide / width, "right": 0.99, "below": below},
    )  # fmt: skip
    return figure, axis


def _heat(axis: Axes, values: Array, columns: Sequence[str], names: Sequence[str], parted: bool = False) -> None:
    """Draw numbers as colours and as numbers; the first column apart where it is the sum of the others."""
    from matplotlib.colors import LogNorm

    most = float(np.nanmax(values))
    least = most / 10**DECADES
    # Zeros have no logarithm: they take the lightest colour, as all that is small does.
    axis.imshow(
        np.maximum(values, least), cmap="YlGnBu", norm=LogNorm(least, most), aspect="auto", interpolation="nearest"
    )
    axis.grid(False)
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            ink = "white" if value > most / 10 ** (0.36 * DECADES) else style.INK
            axis.text(column, row, _number(value), ha="center", va="center", fontsize=7.5, color=ink)
    axis.set_xticks(range(len(columns)), columns, fontsize=8.5)
    axis.set_yticks(range(len(names)), names, fontsize=8)
    if parted:
        axis.axvline(0.5, color="white", linewidth=4)


def _log_axis(axis: Axes, which: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    (axis.set_xscale if which == "x" else axis.set_yscale)("log")
    line = axis.xaxis if which == "x" else axis.yaxis
    low, high = line.get_view_interval()
    marks = (1.0, 2.0, 5.0) if high / low < 300.0 else (1.0,)
    line.set_major_locator(LogLocator(subs=marks))
    line.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    line.set_minor_locator(NullLocator())
    axis.grid(axis=which, color="#e6e6e6", linewidth=0.8)  # type: ignore[arg-type]


def _elements(tables: Tables) -> list[str]:
    return [name for name in tables["total_requirements"].columns if name not in ("sic", "description", "All")]


def _of_the_slides(tables: Tables) -> set[str]:
    return set(deck_requirements().index) if "beside_deck" in tables else set()


def _material(tables: Tables) -> str:
    """What the tables are about: rare earths where they are the slides', else the symbols."""
    if "beside_deck" in tables:
        return "Rare earths"
    return ", ".join(_elements(tables))


def _source(tables: Tables, note: str = "") -> str:
    balance: Mapping[str, Any] = tables.balance
    choices = balance["choices"]
    parts = [
        "reesim", balance["source"], f"prices {choices['prices']}", f"shares of the United States: {choices['us_share']}",
        balance["inputs"],
    ]  # fmt: skip
    return f"Source: {'; '.join(part for part in (*parts, note) if part)}."


def _requirements_title(tables: Tables) -> str:
    frame, elements = tables["total_requirements"], _elements(tables)
    first, second = frame.iloc[0], frame.iloc[1]
    behind = f", most of it {max(elements, key=lambda element: float(first[element]))}" if len(elements) > 1 else ""
    some = float(second["All"]) > 0.0
    ahead = f", {_number(float(first['All'] / second['All']))} times as much as the next" if some else ""
    return (
        f"{_short(first['description'])} (SIC {first['sic']}): {_number(float(first['All']))} USD of "
        f"{_inside(_material(tables))} per 1,000 USD of final demand{behind}{ahead}"
    )


def _applications_title(tables: Tables, top: pd.DataFrame) -> str:
    main = list(top.idxmax(axis=1).value_counts().items())
    (first, count), rest = main[0], main[1:]
    others = f"; {_and([f'{name} in {number}' for name, number in rest])}" if rest else ""
    head = f"{style.sentence(str(first))}: the main way in {count} of the {len(top)} industries that need most"
    return f"{head} {_inside(_material(tables))}{others}"


def _deck_title(tables: Tables) -> str:
    choices, knobs = tables.balance["choices"], tables["knobs"]
    same = set(tables["sensitivity"]["sic"].head(TOP)) == _of_the_slides(tables)
    first = "The same eight industries come first" if same else "Other industries than the slides' eight come first"
    built = knobs.dropna(subset=["level"])
    here = built[(built["prices"] == choices["prices"]) & (built["us_share"] == choices["us_share"])]
    level = f", at {_number(float(here['level'].iloc[0]))} times the slides' level" if len(here) else ""
    span = f"{_number(float(built['level'].min()))} to {_number(float(built['level'].max()))}"
    return f"{first}{level}; prices and shares move it from {span}"


def _ranks_title(tables: Tables) -> str:
    frame = tables["sensitivity"].head(TOP)
    least = float(frame["in_top"].min())
    low = tables.balance.get("spearman_low")
    often = "in all draws" if least == 1.0 else f"in {100 * least:.0f} % of the draws or more"
    head = f"The first {TOP} are among the first {TOP} {often}"
    tail = f"; the ranking of all correlates with this one at {low:.3f} or more in 95 of 100" if low is not None else ""
    return head + tail


def _inside(material: str) -> str:
    """As it stands inside a sentence; symbols keep their capitals."""
    return material.replace("Rare earths", "rare earths")


def _and(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _short(name: str, letters: int = 46) -> str:
    return textwrap.shorten(name, letters, placeholder=" …")


def _number(value: float) -> str:
    """Two significant digits; an exponent for what is very small."""
    if value == 0.0:
        return "0"
    if value < SMALL:
        return f"{value:.0e}".replace("e-0", "e−").replace("e-", "e−")
    return f"{value:.0f}" if value >= 99.5 else f"{value:#.2g}".rstrip(".")
