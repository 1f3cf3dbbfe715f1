"""Tables of a run for people: key figures by region, observed against model, and what stands behind the numbers.

Effects are hundredths of a per cent, so numbers keep four significant digits, not a number of decimals, and are written
without an exponent. A change of less than `NOISE` per cent is the solver's round-off and is shown as zero.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reesim.errors import InputError, LabelError
from reesim.results.plan import FEW, leading, plan_of
from reesim.results.words import aligned, as_text, cell, number, period_words, rounded, tidied, without_noise

if TYPE_CHECKING:
    import pandas as pd

    from reesim.results.compare import Comparison
    from reesim.results.path import Path
    from reesim.results.provenance import Provenance

__all__ = [
    "as_text", "choices_text", "gap_table", "gap_text", "number", "period_words", "rounded", "side_names", "speed_facts",
    "stability_text", "summary_table", "summary_text", "without_noise",
]  # fmt: skip

SECTOR = "TRA"
"""The sector whose technology the summary follows: transport equipment, of the largest rare-earth share."""

HEADINGS: Mapping[str, str] = {
    "welfare_worst_pct": "Welfare, worst (%)",
    "welfare_worst_date": "  in",
    "welfare_best_pct": "Welfare, best (%)",
    "welfare_best_date": "  in",
    "welfare_end_pct": "Welfare, at the end (%)",
    "real_gdp_worst_pct": "Real GDP, worst (%)",
    "real_gdp_worst_date": "  in",
    "real_gdp_best_pct": "Real GDP, best (%)",
    "real_gdp_best_date": "  in",
    "real_gdp_end_pct": "Real GDP, at the end (%)",
    "ree_price_max": "Price paid for rare earths, peak (baseline = 1)",
    "ree_price_max_date": "  in",
    "ree_use_min_pct": "Use of rare earths, lowest (%)",
    "technology_peak": "A_R/A_L, {sector}, furthest from 1",
    "technology_peak_date": "  in",
    "technology_end": "A_R/A_L, {sector}, at the end",
    "A_R_over_A_L_max": "A_R/A_L, highest of all sectors",
    "A_R_over_A_L_max_sector": "  sector",
    "A_R_over_A_L_min": "A_R/A_L, lowest of all sectors",
    "A_R_over_A_L_min_sector": "  sector",
}
"""What `summary_text` calls the columns of `summary_table`, in its order."""

_OBSERVED_NAMES: Mapping[str, str] = {
    "ree_exports": "exports",
    "ree_price": "price abroad",
    "ree_mine_price": "price inside",
    "ree_wedge": "wedge",
}
_GAP_COLUMNS = (
    "what", "element", "period", "observed", "model", "unit", "observed_over_model", "wrong_direction", "status",
    "reading",
)  # fmt: skip


def summary_table(path: Path, *, sector: str = SECTOR) -> pd.DataFrame:
    """Key figures by region, from the variables that the path kept.

    Parameters
    ----------
    path : Path
        Changes are against its first row, the baseline.
    sector : str
        Code or name of the sector whose A_R/A_L is followed where the world has rare earths; where the path has no such
        sector, the one that moves furthest.

    Returns
    -------
    pandas.DataFrame
        One row per region; columns as in `HEADINGS`, those that the path has. Numbers have four significant digits,
        dates are text, empty beside a change of zero. ``attrs["warnings"]`` holds the alerts, ``attrs["sector"]`` the
        name of the sector.
    """
    table, times = path.summary(), path.times
    if "welfare" in path.values:
        _add_best(table, "welfare", 100 * path.array("welfare"), times)
    if len(path) > 1 and "real_gdp" in path.values:
        level = path.array("real_gdp")
        _add_best(table, "real_gdp", 100 * (level / level[0] - 1), times)
    name = ""
    if path.provenance.rare_earths and {"A_R", "A_L"} <= set(path.variables):
        every = path.array("A_R") / path.array("A_L")
        known = sector.casefold() in _forms(path)
        position = path.sectors.index(sector) if known else int(np.abs(np.log(every)).max(axis=(0, 1)).argmax())
        name = path.sectors.names[position]
        ratio = every[:, :, position]
        rows = np.abs(np.log(ratio)).argmax(axis=0)
        table["technology_peak"] = ratio[rows, np.arange(ratio.shape[1])]
        table["technology_peak_date"] = times[rows]
        table["technology_end"] = ratio[-1]
    figures = _quiet(tidied(table[[column for column in HEADINGS if column in table]]))
    figures.attrs = {"warnings": path.warnings, "sector": name}
    return figures


def _add_best(table: pd.DataFrame, name: str, per_cent: NDArray[np.float64], times: pd.DatetimeIndex) -> None:
    table[f"{name}_best_pct"] = per_cent.max(axis=0)
    table[f"{name}_best_date"] = times[per_cent.argmax(axis=0)]


def _quiet(table: pd.DataFrame) -> pd.DataFrame:
    """Show round-off in per cent as zero, and no date beside it: that would be one at which nothing happened."""
    for name in [str(column) for column in table if str(column).endswith("_pct")]:
        table[name] = without_noise(table[name].to_numpy())
        date = f"{name.removesuffix('_pct')}_date"
        if date in table:
            table[date] = table[date].where(table[name] != 0.0, "")
    return table


def _forms(path: Path) -> set[str]:
    return {form.casefold() for form in (*path.sectors.codes, *path.sectors.names)}


def summary_text(path: Path, *, sector: str = SECTOR) -> str:
    """Key figures as plain text, the alerts above them: measures down and regions across.

    Many regions go down instead, the leading ones, with how many are left out.
    """
    table = summary_table(path, sector=sector)
    lines = [f"WARNING: {text}" for text in path.warnings]
    if table.columns.empty:
        return "\n".join([*lines, "no key figures: the path kept none of the variables that they are made of"])
    shown = table.iloc[_shown(path)]
    cells = [["", *shown.index]]
    for column in table:
        heading = HEADINGS[str(column)].format(sector=table.attrs["sector"])
        cells.append([heading, *(cell(value) for value in shown[column])])
    if len(table) <= FEW:
        return "\n".join([*lines, *aligned(cells)])
    down = [[cells[0][k], *(row[k] for row in cells[1:])] for k in range(len(cells[0]))]
    down[0] = ["", *(row[0].strip() for row in cells[1:])]
    left = f"… and {len(table) - len(shown)} more regions, which no policy names and whose welfare moves less"
    return "\n".join([*lines, *aligned(down), left])


def _shown(path: Path) -> list[int]:
    """Positions of the regions that a text shows: those that policies name first, then those whose welfare moves most."""
    plan = plan_of(path.provenance.effective_scenario)
    moved = np.abs(path.array("welfare")).max(axis=0) if "welfare" in path.values else np.zeros(len(path.regions))
    return leading(path.regions, moved, plan.regions if plan else (), most=2 * FEW)


def gap_table(path: Path, *, supplier: str = "CHN") -> pd.DataFrame:
    """Observed numbers against the path's mean over the same period, the most uncomfortable first.

    Where the observed number rose and the model's fell, or the reverse, comes before all that is merely far away.

    Parameters
    ----------
    path : Path
        Read as by `reesim.observed.gaps`.
    supplier : str
        The region that is not a foreign user.

    Returns
    -------
    pandas.DataFrame
        Columns what, element, period, observed, model, unit, observed_over_model, wrong_direction, status (V read in a
        source, D derived, M unverified), reading. Without a row if nothing can be compared; ``attrs["reason"]`` then
        says why, and is empty otherwise.
    """
    import pandas as pd

    from reesim import observed

    reason = observed.out_of_reach(path.provenance, path.regions)
    if reason:
        return _no_gaps(reason)
    try:
        gaps = observed.gaps(path, supplier=supplier)
    except (InputError, LabelError) as error:
        return _no_gaps(str(error))
    if gaps.empty:
        return _no_gaps(f"no observed number lies within {path.times[0]:%Y-%m-%d} to {path.times[-1]:%Y-%m-%d}")
    gaps = gaps.rename(columns={"gap": "observed_over_model", "wrong_sign": "wrong_direction"})
    table = gaps.assign(
        what=[_OBSERVED_NAMES.get(name, name) for name in gaps["variable"]],
        period=[period_words(start, end) for start, end in zip(gaps["start"], gaps["end"], strict=True)],
    )
    shown = tidied(pd.DataFrame(table[list(_GAP_COLUMNS)]))
    shown.attrs = {"warnings": path.warnings, "reason": ""}
    return shown


def _no_gaps(reason: str) -> pd.DataFrame:
    import pandas as pd

    table = pd.DataFrame(columns=list(_GAP_COLUMNS))
    table.attrs = {"warnings": (), "reason": reason}
    return table


def gap_text(path: Path, *, most: int = 12, supplier: str = "CHN") -> str:
    """Observed against model as plain text: how many numbers disagree, then the worst of them.

    Parameters
    ----------
    path : Path
        As in `gap_table`.
    most : int
        Rows shown; the number left out is said.
    supplier : str
        The region that is not a foreign user.
    """
    table = gap_table(path, supplier=supplier)
    if table.empty:
        return f"Observed against model: nothing to compare; {table.attrs['reason']}"
    wrong = int(table["wrong_direction"].astype(bool).sum())
    far = int(((table["reading"] != "") & ~table["wrong_direction"].astype(bool)).sum())
    head = (
        f"Observed against model, the uncomfortable first: of {len(table)} observed numbers {wrong} moved the other "
        f"way than the model, and {far} more are off by a factor of two or more."
    )
    shown = table.head(most).drop(columns=["reading", "unit"])
    shown = shown.rename(columns={"observed_over_model": "observed/model", "wrong_direction": "wrong way"})
    left = len(table) - len(shown)
    lines = [head, as_text(shown), *([f"… and {left} more"] if left else [])]
    return "\n".join(lines)


def choices_text(path: Path) -> str:
    """Choices, default speeds and rules behind a path, as plain text, a line for each; printed with every result."""
    record = path.provenance
    lines = _listed("Choices", record.choices) or ["Choices: none recorded"]
    lines += _listed("Overrides", record.overrides)
    lines += _listed("Files named by the scenario", record.inputs)
    lines += _listed("Rules", record.rules)
    if record.substeps > 1:
        lines.append(f"Substeps in each period: {record.substeps}")
    return "\n".join(lines)


def _listed(title: str, entries: Mapping[str, object]) -> list[str]:
    if not entries:
        return []
    width = max(map(len, entries))
    lines = [f"{title}:"]
    for key, value in entries.items():
        head = f"  {key:<{width}}  "
        wrapped = textwrap.wrap(str(value), 116, initial_indent=head, subsequent_indent=" " * len(head))
        lines += wrapped or [head.rstrip()]
    return lines


def stability_text(path: Path) -> str:
    """State stability of the equilibrium that a path moves around, and the warnings that every output shows."""
    return "\n".join([_stability(path.provenance), *(f"WARNING: {text}" for text in path.warnings)])


def _stability(record: Provenance) -> str:
    known = record.stability
    if "stable" not in known:
        return "Stability: not assessed (technology does not move, or the path was made without it)"
    rate = known.get("spectral_abscissa")
    word = "stable" if known["stable"] else "UNSTABLE"
    speed = f" (spectral abscissa {rate:+.4g} a year)" if isinstance(rate, float) else ""
    half_lives = {
        "half_life": known.get("half_life_years"),
        "transition_half_life": known.get("transition_half_life_years"),
    }
    facts = speed_facts(bool(known["stable"]), half_lives)
    return "\n".join([f"Stability: {word}{speed}", *(f"  {label}: {text}" for label, text in facts.items())])


_HALF_LIVES: Mapping[str, tuple[str, str]] = {
    "half_life": ("slowest half-life, prices and trade at once (years)", "none: entry never moves"),
    "transition_half_life": (
        "half-life of the transition, at the scenario's speeds (years)", "none: a step does not contract",
    ),
}  # fmt: skip
"""Label of each half-life, and what is said where it is infinite although entry is stable."""


def speed_facts(stable: bool, half_lives: Mapping[str, object]) -> dict[str, str]:
    """Say how fast an equilibrium is approached.

    Parameters
    ----------
    stable : bool
        Whether it is approached at all.
    half_lives : mapping of str to object
        ``half_life``, with prices and trade at once, and ``transition_half_life``, at the scenario's speeds, in years;
        what is not a number is left out.

    Returns
    -------
    dict of str to str
        By label, which has the unit.
    """
    facts = {}
    for name, (label, never) in _HALF_LIVES.items():
        years = half_lives.get(name)
        if not isinstance(years, float) or math.isnan(years):
            continue
        if not stable:
            facts[label] = "none: unstable"
        else:
            facts[label] = f"{years:.4g}" if math.isfinite(years) else never
    return facts


def side_names(comparison: Comparison) -> tuple[str, str]:
    """Names of the two sides; where they are the same, the technology or else the first setting tells them apart."""
    a, b = comparison.names
    if a != b:
        return a, b
    settings = [name for name in comparison.provenance if name.startswith("scenario.")]
    if not settings:
        return a, b
    telling = "scenario.technology" if "scenario.technology" in settings else settings[0]
    word, (ours, theirs) = telling.rpartition(".")[2], comparison.provenance[telling]
    return f"{a} ({word} {ours})", f"{b} ({word} {theirs})"
