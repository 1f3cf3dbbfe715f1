"""How every figure looks: colours fixed by region, a title that says what is seen, a foot that says whence it is."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reesim.errors import LabelError, ReesimError
from reesim.labels import Labels
from reesim.results.plan import exporter_of, leading, plan_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from reesim.results.path import Path

Array: TypeAlias = NDArray[np.float64]

DPI = 100
NARROW = "\N{NO-BREAK SPACE}"  # a number and its unit stay on one line
INK, FAINT, OBSERVED, WARNING = "#222222", "#8a8a8a", "#000000", "#b00020"

REGION_COLOURS: Mapping[str, str] = {
    "CHN": "#D55E00", "EU": "#0072B2", "JPN": "#009E73", "USA": "#CC79A7", "ROW": "#6b6b6b",
}  # fmt: skip
"""Colours that the colour-blind can tell apart (Okabe and Ito), the same for a region in every figure."""

_OTHER_COLOURS = ("#E69F00", "#56B4E9", "#7A5C2E", "#332288", "#AA4499", "#117733")

_STROKES: tuple[tuple[float, Any], ...] = (
    (4.6, "solid"), (3.1, "solid"), (2.0, "solid"), (1.9, (0, (4, 2))), (1.9, (0, (1, 1.4))),
)  # fmt: skip
"""Width and dashes by position: lines that coincide stay visible, the widest lying lowest."""


class Skipped(ReesimError):
    """A figure cannot be made of this path; the text says why."""


def shown(path: Path, moved_i: Array) -> tuple[list[int], Labels]:
    """Regions that a figure has lines for, at most `FEW`: their positions, and labels of their own for colours and strokes.

    Parameters
    ----------
    path : Path
    moved_i : (N,) ndarray
        How far each region moves in what is drawn.
    """
    plan = plan_of(path.provenance.effective_scenario)
    return labelled(path.regions, leading(path.regions, moved_i, plan.regions if plan else ()))


def labelled(regions: Labels, positions: list[int]) -> tuple[list[int], Labels]:
    """Positions with the labels that stand there."""
    codes, names = ([part[i] for i in positions] for part in (regions.codes, regions.names))
    return positions, Labels("region", tuple(codes), tuple(names))


def left_out(regions: Labels, positions: Sequence[int]) -> str:
    """Say how many regions a figure has no lines for; empty if none."""
    count = len(regions) - len(positions)
    return f"{count} regions that no policy names and that move less are left out" if count else ""


def colour(regions: Labels, code: str) -> str:
    """Colour of a region; those without one of their own are coloured in their order."""
    if code in REGION_COLOURS:
        return REGION_COLOURS[code]
    others = [region for region in regions if region not in REGION_COLOURS]
    return _OTHER_COLOURS[others.index(code) % len(_OTHER_COLOURS)]


def stroke(position: int) -> dict[str, Any]:
    """Width and dashes of the line of a region at a position."""
    width, dashes = _STROKES[position % len(_STROKES)]
    return {"linewidth": width, "linestyle": dashes, "zorder": 3 + 0.1 * position, "solid_capstyle": "butt"}


def need(path: Path, *names: str) -> None:
    """Raise Skipped if a path did not keep one of these variables, or has no dates to draw."""
    missing = [name for name in names if name not in path.values]
    if missing:
        raise Skipped(f"the path did not keep {', '.join(missing)}: name them under output.variables and run again")
    if len(path) < 2:
        raise Skipped("the path has a single date")


def supplier_of(path: Path, supplier: str = "") -> int:
    """Position of the supplier, by default the scenario's; Skipped if the path has no such region."""
    try:
        return path.regions.index(supplier or exporter_of(path.provenance.effective_scenario))
    except LabelError as error:
        raise Skipped(f"no supplier: {error}") from error


def foreign_mean(path: Path, name: str, supplier: int) -> Array:
    """Mean of a variable over foreign users, weighted by their use where that was kept, shape (T,)."""
    foreign = [position for position in range(len(path.regions)) if position != supplier]
    values = path.array(name)[:, foreign]
    weights = path.array("ree_use")[:, foreign] if "ree_use" in path.values else np.ones_like(values)
    mean: Array = (values * weights).sum(axis=1) / weights.sum(axis=1)
    return mean


def canvas(
    title: str,
    source: str,
    alerts: Sequence[str] = (),
    *,
    rows: int = 1,
    columns: int = 1,
    size: tuple[float, float] = (9.0, 5.0),
    **axes: Any,
) -> tuple[Figure, list[Axes]]:
    """Figure with a title on top, warnings below it, a source line at the foot and a grid of axes between.

    Parameters
    ----------
    title : str
        What is seen.
    source : str
        Where it is from.
    alerts : sequence of str
        Warnings that every output must show.
    rows, columns : int
        Grid of axes, read by rows in the list returned.
    size : (float, float)
        Inches for the axes; title, warnings and foot come on top of them.
    **axes
        Passed to ``Figure.subplots``; ``gridspec_kw`` besides.
    """
    from matplotlib.figure import Figure

    titles = _wrapped(title, size[0] * 9.4)
    warned = [line for text in alerts for line in _wrapped(f"WARNING: {text}", size[0] * 11)]
    feet = _wrapped(source, size[0] * 18.5)
    top = 0.18 + 0.22 * len(titles) + 0.19 * len(warned) + 0.12
    bottom = 0.1 + 0.145 * len(feet)
    height = size[1] + top + bottom
    figure = Figure(figsize=(size[0], height), dpi=DPI, facecolor="white")
    across = 0.12 / size[0]
    figure.text(across, 1 - 0.12 / height, "\n".join(titles), va="top", fontsize=12, weight="bold", color=INK)
    if warned:
        place = 1 - (0.18 + 0.22 * len(titles)) / height
        figure.text(across, place, "\n".join(warned), va="top", fontsize=9.5, color=WARNING, weight="bold")
    figure.text(across, 0.07 / height, "\n".join(feet), va="bottom", fontsize=7.5, color=FAINT)
    grid = {"left": 0.085, "right": 0.985, "hspace": 0.3, "wspace": 0.24, **axes.pop("gridspec_kw", {})}
    grid["top"], grid["bottom"] = 1 - (top + 0.2) / height, (bottom + grid.pop("below", 0.4)) / height
    made = figure.subplots(rows, columns, squeeze=False, gridspec_kw=grid, **axes).ravel().tolist()
    for axis in made:
        _plain(axis)
    return figure, made


def beside_gdp(alerts: Sequence[str]) -> tuple[str, ...]:
    """Warnings for a figure that shows no real GDP: all but those about it."""
    return tuple(text for text in alerts if not warns_of_gdp(text))


def warns_of_gdp(alert: str) -> bool:
    """Whether a warning is about real GDP."""
    return "real gdp" in alert.casefold()


def _wrapped(text: str, letters: float) -> list[str]:
    """Lines of a text; dates and numbers with their unit are kept whole."""
    return textwrap.wrap(text, int(letters), break_on_hyphens=False, break_long_words=False)


def _plain(axis: Axes) -> None:
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=8.5, colors=INK)
    axis.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    axis.set_axisbelow(True)


def label(axis: Axes, heading: str, unit: str) -> None:
    """Heading above an axis and its unit along it."""
    # A title with a height of its own spares matplotlib the search for one, a quarter of the drawing time.
    axis.set_title(heading, loc="left", y=1.0, fontsize=9.5, color=INK, pad=5)
    axis.set_ylabel(unit, fontsize=8.5, color=INK)


def legend(axis: Axes, **where: Any) -> None:
    """Legend without a frame around it but a background that keeps it legible."""
    given = {"fontsize": 8, "frameon": True, "framealpha": 0.85, "edgecolor": "none", "borderpad": 0.3, **where}
    axis.legend(**given)


def days(times: pd.DatetimeIndex | pd.Series[pd.Timestamp]) -> Array:
    """Dates as matplotlib counts them, in days since 1970."""
    return times.to_numpy().astype("datetime64[s]").astype(np.float64) / 86_400.0


def edges(times: pd.DatetimeIndex) -> Array:
    """Day on which each period begins, and that on which the last one ends, shape (T + 1,).

    The last period is as long as the one before it, in months where that is a whole number of them.
    """
    begun = days(times)
    before, last = times[-2], times[-1]
    months = 12 * (last.year - before.year) + last.month - before.month
    if months and before.day == last.day:
        end = (np.datetime64(last, "M") + months).astype("datetime64[D]").astype(np.float64) + last.day - 1
        return np.append(begun, end)
    return np.append(begun, 2 * begun[-1] - begun[-2])


def log_scale(axis: Axes) -> None:
    """Logarithmic scale with plain numbers, one unit either way at least."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_yscale("log")
    low, high = axis.get_ylim()
    # One unit either way at least: a path that hardly moves should look like one.
    axis.set_ylim(min(low, 0.8), max(high, 1.25))
    axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.yaxis.set_minor_locator(NullLocator())
    axis.axhline(1.0, color=FAINT, linewidth=0.8, zorder=1)


def time_axis(axis: Axes, edges: Array, *, named: bool = True) -> None:
    """Years along an axis, from the first edge to the last."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    first, *_, last = edges
    axis.set_xlim(first, last)
    ends = np.array([first, last]).astype("datetime64[D]").astype("datetime64[Y]").astype(int) + 1970
    years = np.arange(ends[0], ends[1] + 2)
    opening = (years - 1970).astype("datetime64[Y]").astype("datetime64[D]").astype(np.float64)
    seen = (opening >= first) & (opening < last)  # the label of one at the edge would be cut off
    if seen.sum() > 3:
        # Ticks of our own making: looking for good dates takes longer than drawing them.
        every = -(-int(seen.sum()) // 9)
        axis.set_xticks(opening[seen][::every], [str(year) for year in years[seen][::every]])
    else:
        locator = AutoDateLocator(minticks=3, maxticks=9)  # type: ignore[no-untyped-call]
        axis.xaxis.set_major_locator(locator)
        axis.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))  # type: ignore[no-untyped-call]
    if named:
        axis.set_xlabel("date", fontsize=8.5, color=INK)


def steps(axis: Axes, edges: Array, values: Array, **line: Any) -> None:
    """Draw a flow, which holds from its date until the next; the last one until its end."""
    axis.step(edges, np.append(values, values[-1]), where="post", **line)


def windows(active: NDArray[np.bool_], edges: Array) -> list[tuple[float, float]]:
    """First day, and day after the last, of every run of dates at which something holds; counted as by `days`."""
    change = np.flatnonzero(np.diff(np.concatenate([[False], active, [False]]).astype(int)))
    return [(float(start), float(end)) for start, end in edges[change].reshape(-1, 2)]


def region_handles(regions: Labels, codes: Iterable[str]) -> list[Any]:
    """Legend entries of regions, drawn as their lines are."""
    from matplotlib.lines import Line2D

    places = [(code, regions.index(code)) for code in codes]
    return [Line2D([], [], color=colour(regions, code), label=regions.names[i], **stroke(i)) for code, i in places]


def foot_legend(figure: Figure, handles: Sequence[Any]) -> None:
    """One legend for all axes, below them and above the source line."""
    figure.legend(
        handles=list(handles), loc="lower center", bbox_to_anchor=(0.5, 0.36 / figure.get_figheight()), fontsize=8,
        ncols=_columns(len(handles)), frameon=False, columnspacing=1.6, handlelength=2.6,
    )  # fmt: skip


def together(*parts: str) -> str:
    """Parts of a sentence that are there, put together."""
    return "; ".join(part for part in parts if part)


def foot_room(entries: int) -> float:
    """Inches that `foot_legend` needs below the axes."""
    return max(0.95, 0.62 + 0.18 * -(-entries // _columns(entries)))


def _columns(entries: int) -> int:
    """Columns of a legend at the foot: many entries are of policies, whose names are longer than those of regions."""
    return min(4, entries) if entries <= 8 else 3


def source_line(choices: Mapping[str, str], versions: Mapping[str, str], extra: str = "") -> str:
    """Say at the foot: software, table, choice of shares, observed series."""
    parts = [f"reesim {versions['reesim']}" if versions.get("reesim") else "reesim"]
    if choices.get("table"):
        parts.append(choices["table"].partition(";")[0])
    if choices.get("rare-earth shares"):
        parts.append(f"rare-earth shares: {choices['rare-earth shares'].partition(':')[0]}")
    named = (("delta", "delta {}"), ("adjustment half-lives", "half-lives: {}"), ("technology", "technology {}"))
    parts += [words.format(choices[key].partition(" [")[0]) for key, words in named if choices.get(key)]
    return "Source: " + "; ".join([*parts, *([extra] if extra else [])]) + "."


def path_source(path: Path, extra: str = "") -> str:
    """Source line of a path, the scenario first."""
    record = path.provenance
    words = "; ".join(part for part in (f"scenario {record.name}", extra) if part)
    return source_line(record.choices, record.versions, words)


def prose(regions: Labels, position: int) -> str:
    """Name of a region as it stands in a sentence."""
    name = regions.names[position]
    if name.startswith("Rest "):
        return f"the r{name[1:]}"
    return f"the {name}" if name.startswith(("United ", "European ")) else name


def sentence(text: str) -> str:
    """Text with a capital at its beginning, all else as it is."""
    return text[:1].upper() + text[1:]


def month(stamp: pd.Timestamp) -> str:
    """Write a date as a month where it is the first of one."""
    return f"{stamp:%Y-%m}" if stamp.day == 1 else f"{stamp:%Y-%m-%d}"


def tick(value: float) -> str:
    """Three significant digits without an exponent, for the marks along an axis."""
    return np.format_float_positional(float(f"{value:.2e}"), trim="-").replace("-", "−")


def signed(value: float) -> str:
    """Per cent with a sign and three significant digits, without an exponent where that is short."""
    if value == 0.0:
        return f"0{NARROW}%"
    text = np.format_float_positional(float(f"{value:.2e}"), trim="-") if abs(value) >= 1e-6 else f"{value:.2g}"
    return f"{'' if value < 0 else '+'}{text}{NARROW}%".replace("-", "−")
