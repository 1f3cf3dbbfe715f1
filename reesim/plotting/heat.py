"""Heat maps of sectors by region: technology, exports and sales at one date of a path, or in a static equilibrium."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from reesim.errors import InputError
from reesim.labels import Labels
from reesim.plotting import style
from reesim.plotting.style import Array, Skipped
from reesim.results.path import Path
from reesim.results.plan import leading
from reesim.results.provenance import has_rare_earths

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from reesim.equilibrium import Equilibrium

_QUANTITIES = (("exports_real", "exports", "Exports"), ("revenue_real", "revenue", "Sales"))
_COLOURS = "PuOr"  # told apart by the colour-blind, and neither end means good or bad
_ROWS = 24  # sectors that a figure has room for
_EXTREME = 0.05  # share of the cells that may lie beyond the ends of the colour scale


def sectors(result: Path | Equilibrium, date: str | datetime.date | None = None) -> Figure:
    """Change of A_R/A_L, exports and sales from the baseline by sector and region, per cent.

    Parameters
    ----------
    result : Path or Equilibrium
        Needs exports or sales (real where they were kept, else nominal), or A_R and A_L.
    date : str or date, optional
        Of a path; by default the date of the largest wedge among those that are not under an embargo, and where no wedge
        opens that at which welfare is furthest from its baseline.

    Raises
    ------
    Skipped
        If the result has none of these variables, or nothing moves.
    InputError
        If a date is given for an equilibrium, or is not within the path.
    """
    if isinstance(result, Path):
        maps, when = _of_path(result, date)
        alerts, source = style.beside_gdp(result.warnings), style.path_source(result)
    else:
        if date is not None:
            raise InputError(f"an equilibrium has one date, {result.date}: leave out the date {date!r}")
        maps, when = _of_equilibrium(result), result.date
        choices = {**result.choices, "technology": result.technology}
        words = f"static equilibrium, scenario {result.scenario}"
        alerts, source = style.beside_gdp(result.alerts), style.source_line(choices, _versions(), words)
    if not maps:
        raise Skipped("neither exports nor revenue nor A_R and A_L were kept: name them under output.variables")
    if max(np.nanmax(np.abs(change)) for change in maps.values()) < 1e-9:
        raise Skipped(f"no sector moves in {when}")
    if isinstance(result, Path):
        seen = style.shown(result, _moved(maps, result.values.get("welfare")))[0]
    else:
        seen = leading(result.regions, np.abs(result.array("welfare")))
    return _drawn(maps, sorted(seen), result.regions, result.sectors, when, alerts, source)


def _versions() -> dict[str, str]:
    from reesim import __version__

    return {"reesim": __version__}


def _relative(now: Array, before: Array) -> Array:
    """Per cent; nan where there is nothing at the baseline."""
    change: Array = 100 * (np.divide(now, before, out=np.full_like(now, np.nan), where=before != 0) - 1)
    return change


def _of_path(path: Path, date: str | datetime.date | None) -> tuple[dict[str, Array], str]:
    if len(path) < 2:
        raise Skipped("the path has a single date")
    row = _telling(path) if date is None else int(path.times.get_indexer(path.at(date).times)[0])
    maps: dict[str, Array] = {}
    if path.provenance.rare_earths and {"A_R", "A_L"} <= set(path.variables):
        ratio = path.array("A_R") / path.array("A_L")
        change = _relative(ratio[row], ratio[0])
        maps["A_R/A_L"] = _without_bundle(change, path.array("ree_share")[0]) if "ree_share" in path.values else change
    for real, nominal, word in _QUANTITIES:
        for name, words in ((real, f"{word}, quantity"), (nominal, f"{word}, value")):
            if name in path.values:
                maps[words] = _relative(path.array(name)[row], path.array(name)[0])
                break
    return maps, style.month(path.times[row])


def _telling(path: Path) -> int:
    """Row to show: that of the largest wedge, or of the largest change of welfare where none opens."""
    try:
        if path.provenance.rare_earths:
            return widest(path)
    except Skipped:
        if "welfare" not in path.values:
            raise
    style.need(path, "welfare")
    size = np.abs(path.array("welfare")).max(axis=1)
    return int(np.flatnonzero(size >= 0.95 * size.max())[-1])


def _without_bundle(change: Array, share: Array) -> Array:
    """Missing where a sector uses no rare earths: it has no bundle R whose technology could turn."""
    return np.where(share > 0, change, np.nan)


def widest(path: Path) -> int:
    """Row of the largest wedge of the users who pay least for it, so that an embargo on one does not decide.

    Of the rows within 5 % of the largest the last is taken, by which time trade and technology have begun to follow.

    Raises
    ------
    Skipped
        If the path did not keep ree_wedge.
    """
    style.need(path, "ree_wedge")
    wedge = path.array("ree_wedge")
    # Of the supplier it is always one.
    abroad = wedge[:, np.abs(np.log(wedge)).max(axis=0) > 1e-9]
    if not abroad.size:
        raise Skipped("no wedge ever opens between prices outside and inside")
    least = abroad.min(axis=1)
    return int(np.flatnonzero(least >= least.max() * 0.95)[-1])


def _of_equilibrium(result: Equilibrium) -> dict[str, Array]:
    change = _without_bundle(100 * (result.array("A_R") / result.array("A_L") - 1), result.array("ree_share"))
    turns = result.technology == "endogenous" and has_rare_earths(result.choices)
    maps: dict[str, Array] = {"A_R/A_L": change} if turns else {}
    return maps | {f"{word}, quantity": result.change(real) for real, _, word in _QUANTITIES}


def _drawn(
    maps: Mapping[str, Array],
    seen: list[int],
    regions: Labels,
    labels: Labels,
    when: str,
    alerts: tuple[str, ...],
    source: str,
) -> Figure:
    kept = _sectors_that_move([change[seen] for change in maps.values()])
    left = [
        f"{len(whole) - len(part)} {whole.kind}s that move less" for whole, part in ((regions, seen), (labels, kept))
    ]
    left = [text for text in left if not text.startswith("0 ")]
    maps = {heading: change[np.ix_(seen, kept)] for heading, change in maps.items()}
    regions, labels = _part(regions, seen), _part(labels, kept)
    rows, width = len(labels), max(2.9, 0.62 * len(regions)) * len(maps) + 2.1
    # Names of other tables may be long: half of the figure is theirs at most.
    names = max(2.05, min(0.075 * max(map(len, labels.names)), 0.5 * width))
    width += names - 2.05
    extra = f"; left out: {' and '.join(left)}" if left else ""
    dash = "–: no rare earths used" if "A_R/A_L" in maps else "–: nothing there at the baseline"
    foot = f"{source[:-1]}; colours stay the same beyond the ends of their scale; {dash}{extra}."
    figure, axes = style.canvas(
        _title(maps, regions, labels, when), foot, alerts, columns=len(maps), sharey=True,
        size=(width, 0.9 + 0.31 * rows), gridspec_kw={"left": names / width, "right": 0.99, "wspace": 0.06, "below": 0.62},
    )  # fmt: skip
    for axis, (heading, change) in zip(axes, maps.items(), strict=True):
        _heat(axis, change.T, heading)
        axis.set_xticks(range(len(regions)), regions.codes, fontsize=8.5)
        axis.set_xlabel("region", fontsize=8.5, color=style.INK)
    axes[0].set_yticks(range(rows), labels.names, fontsize=8.5)
    axes[0].set_ylabel("")
    return figure


def _moved(maps: Mapping[str, Array], welfare: Array | None) -> Array:
    """How far each region moves: its welfare, where that was kept; else its sectors."""
    if welfare is not None:
        return np.asarray(np.abs(welfare).max(axis=0))
    return np.max([np.nan_to_num(np.abs(change)).max(axis=1) for change in maps.values()], axis=0)


def _sectors_that_move(maps: list[Array]) -> list[int]:
    """Positions of the sectors that move most in any map, in their order."""
    size = np.max([np.nan_to_num(np.abs(change)).max(axis=0) for change in maps], axis=0)
    return sorted(np.argsort(-size, kind="stable")[:_ROWS].tolist())


def _part(labels: Labels, positions: list[int]) -> Labels:
    codes, names = (tuple(part[k] for k in positions) for part in (labels.codes, labels.names))
    return Labels(labels.kind, codes, names)


def _heat(axis: Axes, change: Array, heading: str) -> None:
    """One map, shape (sector, region): colours on a symmetrical scale, the number in each cell."""
    size = np.abs(change[np.isfinite(change)])
    limit = float(np.quantile(size, 1 - _EXTREME)) or float(size.max()) or 1.0
    axis.imshow(change, cmap=_COLOURS, vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest")
    axis.grid(False)
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
    style.label(axis, f"{heading}, % from baseline", "")
    for (row, column), value in np.ndenumerate(change):
        ink = "white" if abs(value) > 0.62 * limit else style.INK
        axis.text(column, row, _short(value), ha="center", va="center", fontsize=7.5, color=ink)


def _short(value: float) -> str:
    """Two significant digits, one below a thousandth, zero for what does not move."""
    if not np.isfinite(value):
        return "–"
    if abs(value) < 5e-6:
        return "0"
    digits = 1 if abs(value) >= 1e-3 else 0
    return np.format_float_positional(float(f"{value:.{digits}e}"), trim="-").replace("-", "−")


def _title(maps: Mapping[str, Array], regions: Labels, labels: Labels, when: str) -> str:
    heading, change = list(maps.items())[1 if len(maps) > 1 else 0]
    parts = []
    for moved, flat in (("falls", np.nanargmin(change)), ("rises", np.nanargmax(change))):
        region, sector = np.unravel_index(int(flat), change.shape)
        value = float(change[region, sector])
        if (value < 0) == (moved == "falls") and abs(value) > 1e-9:
            where = f"{labels.names[sector]} of {style.prose(regions, int(region))}"
            parts.append(f"{moved} most in {where} ({style.signed(value)})")
    words = {"Exports, quantity": "the quantity exported", "Sales, quantity": "the quantity sold"}
    what = words.get(heading, heading)
    return f"In {when} {what} " + " and ".join(parts)
