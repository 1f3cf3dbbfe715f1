"""What ``reesim compare`` does with two saved paths: compare, draw, show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path as File
from typing import TYPE_CHECKING, Any

from reesim import report
from reesim.cli import documents, output
from reesim.results.plan import FEW

if TYPE_CHECKING:
    import pandas as pd

    from reesim.results.compare import Comparison
    from reesim.results.path import Path

ALL = "all"
_IN_PER_CENT = "change as a share of baseline"
"""Unit of what every other output shows in per cent: its gaps are shown in percentage points."""

_NOISE = 1e-12
"""Size below which a gap between numbers that are one at the baseline, or shares, is round-off."""


def compared(a: Path, b: Path, variables: Sequence[str] | None, *, all_variables: bool) -> Comparison:
    """Compare two paths over the variables named, or else over all or the headlines that both have.

    Raises
    ------
    InputError
        If nothing is common.
    LabelError
        If a variable named is not in both paths.
    """
    from reesim.results.compare import compare

    names = None if variables is None else [name for name in variables if name != ALL]
    if names is None and not all_variables:
        names = [name for name in documents.HEADLINES if name in a.values and name in b.values]
    return compare(a, b, variables=names or None)


def draw(a: Path, b: Path, files: tuple[File, File], folder: File) -> tuple[list[File], str]:
    """Draw the headlines of two paths, under a name made of those of their files; where that cannot be, say why.

    Raises
    ------
    InputError
        If nothing is common.
    StoreError
        If the figure cannot be written.
    """
    from reesim import plotting

    try:
        figure = plotting.comparison(compared(a, b, None, all_variables=False))
    except plotting.Skipped as reason:
        return [], str(reason)
    left, right = _stems((a, b), files)
    return [plotting.save(figure, folder / f"{right}_against_{left}.png")], ""


def _stems(paths: tuple[Path, Path], files: tuple[File, File]) -> tuple[str, str]:
    """Names of two files without their ending; the technology tells apart those of the same name."""
    a, b = files[0].stem, files[1].stem
    ours, theirs = (path.provenance.choices.get("technology", "").partition(" ")[0] for path in paths)
    return (f"{a}_{ours}", f"{b}_{theirs}") if a == b and ours and theirs and ours != theirs else (a, b)


def document(comparison: Comparison, figures: Sequence[File], skipped: str) -> dict[str, Any]:
    """Document of ``reesim compare``."""
    files = {"figures": list(figures)}
    return {**documents.comparison_document(comparison), "files": files, "no_figure_because": skipped or None}


def show(comparison: Comparison, figures: Sequence[File], skipped: str) -> None:
    """Show a comparison: warnings, where the paths part, how far, what differs behind them, the figure."""
    sides = report.side_names(comparison)
    for letter, name in zip("AB", sides, strict=True):
        output.say(f"{letter}: {name}")
    output.say(_extent(comparison))
    output.say(_parting(comparison))
    output.warn(comparison.alerts)
    if comparison.first_divergence() is not None:
        title = "\nLargest gap of each variable and region, B less A:"
        summary = comparison.summary()
        shown, equal = _leading(summary) if len(comparison.regions) > FEW else (summary, [])
        output.say_table(_peaks(shown), title, index=False)
        if len(shown) < len(summary):
            output.say(f"… and regions of smaller gaps; equal in both: {', '.join(equal) or 'nothing'}. --json has all")
        output.say(_units(summary))
    behind = documents.provenance_table(comparison.provenance)
    if len(behind):
        output.say_table(behind, "\nWhat differs behind them:", index=False)
    output.say()
    for name, labels in comparison.left_out.items():
        if labels:
            output.say(f"left out, {name}: {', '.join(labels)}")
    for letter, name, residual in zip("AB", sides, comparison.certificates, strict=True):
        output.say(f"certificate of {letter}, {name}: {_residual_words(residual)}")
    for file in figures:
        output.say(f"written: {file}")
    if skipped:
        output.note(f"no figure: {skipped}")


def _extent(comparison: Comparison) -> str:
    dates = f"{comparison.times[0]:%Y-%m-%d} to {comparison.times[-1]:%Y-%m-%d}, {len(comparison.times)} dates"
    sizes = (
        f"{len(comparison.variables)} variables, {len(comparison.regions)} regions × {len(comparison.sectors)} sectors"
    )
    return f"{dates}, {sizes}"


def _parting(comparison: Comparison) -> str:
    """Where the paths part, both sides named as in the tables."""
    first = comparison.first_divergence()
    if first is None:
        return "A and B are equal wherever they can be compared"
    place = ", ".join(label for label in (first.region, first.partner, first.sector) if label)
    where = f"{first.variable}{f' ({place})' if place else ''}"
    return f"part on {first.time:%Y-%m-%d}: {where} is {first.a:.6g} in A and {first.b:.6g} in B"


def _residual_words(residual: float) -> str:
    return "none kept" if math.isnan(residual) else f"largest relative residual {residual:.2g}"


def _peaks(summary: pd.DataFrame) -> pd.DataFrame:
    """Summary with headings that fit a terminal, sector and partner in one, shares in per cent, round-off as zero."""
    import pandas as pd

    summary = _readable(summary)
    places = zip(summary["peak_sector"], summary["peak_partner"], strict=True)
    shown = pd.DataFrame(
        {
            "variable": summary["variable"],
            "region": summary["region"],
            "in": [" to ".join(part for part in place if part) for place in places],
            "largest gap": summary["peak_difference"],
            "%": summary["peak_per_cent"],
            "on": summary["peak_date"],
            "at the end": summary["final_difference"],
            "% at end": summary["final_per_cent"],
            "halves in": summary["half_life_years"],
        }
    )
    return shown if any(shown["in"]) else shown.drop(columns=["in"])


def _leading(summary: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Of each variable the regions of the largest gaps, in their order; and the variables that do not differ at all."""
    size = _readable(summary)["peak_difference"].abs().fillna(0.0)
    variable = summary["variable"]
    rank = size.groupby(variable).rank(method="first", ascending=False)
    moved = size.groupby(variable).transform("max") > 0.0
    return summary[(rank <= FEW) & moved], list(dict.fromkeys(variable[~moved]))


def _readable(summary: pd.DataFrame) -> pd.DataFrame:
    shown = summary.copy()
    in_per_cent = shown["unit"] == _IN_PER_CENT
    for moment in ("peak", "final"):
        gap, relative = f"{moment}_difference", f"{moment}_per_cent"
        shown[relative] = report.without_noise(shown[relative].to_numpy(dtype=float))
        # What has a level is round-off where it is so in per cent; the rest, shares and indices, where it is by itself.
        noise = (shown[relative] == 0.0) | (shown[relative].isna() & (shown[gap].abs() < _NOISE))
        shown[gap] = shown[gap].mask(noise, 0.0)
        shown.loc[in_per_cent, gap] *= 100.0
    still = shown["peak_difference"] == 0.0
    shown["peak_date"] = shown["peak_date"].mask(still)
    shown["half_life_years"] = shown["half_life_years"].mask(still)
    return shown


def _units(summary: pd.DataFrame) -> str:
    """Units of the variables as the table shows them, each once."""
    units_shown = summary["unit"].replace(_IN_PER_CENT, "percentage points of the baseline")
    unit_of = dict(zip(summary["variable"], units_shown, strict=True))
    units = [
        f"{', '.join(name for name in unit_of if unit_of[name] == unit)} [{unit}]"
        for unit in dict.fromkeys(unit_of.values())
    ]
    return f"{'; '.join(units)}; % [of A]; halves in [years]"
