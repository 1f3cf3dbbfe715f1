"""How every figure looks: colours fixed by region, a title that says what is seen, a foot that says whence it is."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reesim.errors import LabelError, ReesimError, ScenarioError
from reesim.labels import Labels

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from reesim.results.path import Path
    from reesim.scenario import Scenario

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


def supplier_of(regions: Labels, supplier: str) -> int:
    """Position of the supplier; Skipped if the path has no such region."""
    try:
        return regions.index(supplier)
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


def path_edges(path: Path) -> Array:
    """Edges of the periods of a path, the last where the calendar of its scenario ends, if it reaches that.

    A path of which only some rows were kept has its last row nearer to the one before than the others are.
    """
    found = edges(path.times)
    plan = _plan(path.provenance.effective_scenario)
    if plan is not None:
        from reesim.scenario.calendar import Calendar

        calendar = Calendar.for_scenario(plan)
        if np.datetime64(path.times[-1], "D") == calendar.starts[-1]:
            found[-1] = calendar.ends[-1].astype(np.float64)
    return found


@functools.lru_cache(maxsize=8)
def _plan(text: str) -> Scenario | None:
    """Scenario that a path ran; None where its text is not one for the regions and sectors known here."""
    from reesim.scenario import Scenario

    try:
        return Scenario.from_yaml(text)
    except ScenarioError:
        return None  # the figure then shows what the rows of the path say


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
    plan = _plan(path.provenance.effective_scenario)
    if plan is None:
        return {}
    first, *_, last = path_edges(path)
    found: dict[str, list[tuple[float, float]]] = {}
    for policy in plan.policies:
        if policy.type == "embargo":
            start, end = (float(day.astype(np.float64)) for day in policy.window)
            if start < last and end > first:
                found.setdefault(f"embargo on {policy.destination}", []).append((max(start, first), min(end, last)))
    return found


_SHADES = {"quota": ("#f1ede4", 0.0, 1.0), "export": ("#9fb4cf", 0.3, 0.025), "embargo": ("#f3c9b8", 0.2, 1.0)}
"""Colour, order and height of a window: a tax is a strip at the foot, so that a quota's window shows behind it."""


def shade(axes: Iterable[Axes], path: Path) -> None:
    """Shade the windows of policy: embargoes from day to day where the scenario is known, the rest by whole periods."""
    found, days_of, all_edges = policy_windows(path), embargo_days(path), path_edges(path)
    for axis in axes:
        for name, active in found.items():
            face, level, height = _SHADES[name.split()[0]]
            for start, end in days_of.get(name) or windows(active, all_edges):
                axis.axvspan(start, end, ymax=height, facecolor=face, edgecolor="none", zorder=level)


def shade_handles(path: Path) -> list[Any]:
    """Legend entries of the shaded windows."""
    from matplotlib.patches import Patch

    return [Patch(facecolor=_SHADES[name.split()[0]][0], label=name) for name in policy_windows(path)]


def region_handles(regions: Labels, codes: Iterable[str]) -> list[Any]:
    """Legend entries of regions, drawn as their lines are."""
    from matplotlib.lines import Line2D

    places = [(code, regions.index(code)) for code in codes]
    return [Line2D([], [], color=colour(regions, code), label=regions.names[i], **stroke(i)) for code, i in places]


def foot_legend(figure: Figure, handles: Sequence[Any]) -> None:
    """One legend for all axes, below them and above the source line."""
    figure.legend(
        handles=list(handles), loc="lower center", bbox_to_anchor=(0.5, 0.36 / figure.get_figheight()), fontsize=8,
        ncols=min(4, len(handles)), frameon=False, columnspacing=1.6, handlelength=2.6,
    )  # fmt: skip


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
