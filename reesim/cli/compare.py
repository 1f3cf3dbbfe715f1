"""What ``reesim compare`` does with two saved paths: compare, draw, show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as File
from typing import TYPE_CHECKING, Any

from reesim.cli import documents, output

if TYPE_CHECKING:
    import pandas as pd

    from reesim.results.compare import Comparison
    from reesim.results.path import Path

ALL = "all"


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


def draw(a: Path, b: Path, names: tuple[str, str], folder: File) -> tuple[list[File], str]:
    """Draw the headlines of two paths; where that cannot be, say why.

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
    return [plotting.save(figure, folder / f"{names[1]}_against_{names[0]}.png")], ""


def document(comparison: Comparison, figures: Sequence[File], skipped: str) -> dict[str, Any]:
    """Document of ``reesim compare``."""
    files = {"figures": list(figures)}
    return {**documents.comparison_document(comparison), "files": files, "no_figure_because": skipped or None}


def show(comparison: Comparison, figures: Sequence[File], skipped: str) -> None:
    """Show a comparison: warnings, where the paths part, how far, what differs behind them, the figure."""
    output.say(f"{comparison!r}"[1:-1])
    if comparison.first_divergence() is not None:
        title = "\nLargest gap of each variable and region (B - A):"
        summary = comparison.summary()
        output.say_table(_peaks(summary), title, index=False)
        output.say(_units(summary))
    behind = documents.provenance_table(comparison.provenance)
    if len(behind):
        output.say_table(behind, "\nWhat differs behind them:", index=False)
    output.say()
    for name, labels in comparison.left_out.items():
        if labels:
            output.say(f"left out, {name}: {', '.join(labels)}")
    for name, residual in zip(comparison.names, comparison.certificates, strict=True):
        output.say(f"certificate of {name}: largest relative residual {residual:.2g}")
    for file in figures:
        output.say(f"written: {file}")
    if skipped:
        output.note(f"no figure: {skipped}")


def _peaks(summary: pd.DataFrame) -> pd.DataFrame:
    """Summary with headings that fit a terminal, sector and partner in one."""
    import pandas as pd

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


def _units(summary: pd.DataFrame) -> str:
    """Units of the variables, each once."""
    unit_of = dict(zip(summary["variable"], summary["unit"], strict=True))
    units = [
        f"{', '.join(name for name in unit_of if unit_of[name] == unit)} [{unit}]"
        for unit in dict.fromkeys(unit_of.values())
    ]
    return f"{'; '.join(units)}; halves in [years]"
