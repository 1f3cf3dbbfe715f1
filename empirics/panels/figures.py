"""The slides' two figures of imports: all importers as a line, one as bars, and what a kilogram cost below."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from reesim.empirics.files import write_figure
from reesim.plotting import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from reesim.empirics.panels.imports import ReeImports

PRICE_INK = "#7A5C2E"


def draw_imports(imports: ReeImports, out: Path) -> list[Path]:
    """Draw ``ree_import_quantities.png`` and ``ree_import_values.png`` into a folder that exists.

    Raises
    ------
    StoreError
        If a file cannot be written.
    """
    makers = {"ree_import_quantities": quantities, "ree_import_values": values}
    return [write_figure(make(imports), out / f"{name}.png") for name, make in makers.items()]


def quantities(imports: ReeImports) -> Figure:
    """Quantities in thousand tonnes, and unit values below."""
    return _draw(imports, "quantity_kt", "Quantity", "thousand tonnes")


def values(imports: ReeImports) -> Figure:
    """Values in million USD, and unit values below."""
    return _draw(imports, "value_musd", "Value", "million USD")


def _draw(imports: ReeImports, column: str, heading: str, unit: str) -> Figure:
    others = [name for name in imports.annual["importer"].unique() if name != "all"]
    notes = " ".join(imports.notes)
    source = f"Source: {imports.source}; codes of the Harmonized System {', '.join(imports.products)}. {notes}"
    origin = "China" if imports.origin == "CHN" else imports.origin
    title = f"Imports of rare earths from {origin}: {heading.lower()} and unit value"
    figure, (upper, lower) = style.canvas(
        title, source, rows=2, size=(8.0, 5.4), gridspec_kw={"height_ratios": [2.2, 1.0]}, sharex=True
    )
    whole = imports.of("all")
    years = whole.index.to_numpy(dtype=np.float64)
    width = 0.7 / max(len(others), 1)
    for position, name in enumerate(others):
        offset = (position - (len(others) - 1) / 2.0) * width
        ink = style.REGION_COLOURS.get(name, style.FAINT)
        upper.bar(years + offset, imports.of(name)[column].to_numpy(), width, color=ink, alpha=0.75, label=name)
    upper.plot(years, whole[column].to_numpy(), color=style.INK, marker="o", markersize=3.5, label="all importers")
    upper.set_ylim(0.0, 1.2 * max(float(whole[column].max()), 1e-9))  # room for the legend
    style.label(upper, heading, unit)
    style.legend(upper, loc="upper left", ncols=1 + len(others))
    lower.plot(years, whole["unit_value"].to_numpy(), color=PRICE_INK, marker="o", markersize=3.5)
    lower.set_ylim(bottom=0.0)
    style.label(lower, "Unit value, all importers", "USD per kg")
    every = max(1, -(-len(years) // 12))
    lower.set_xticks(years[::every], [f"{year:.0f}" for year in years[::every]])
    return figure
