"""Figures of results. Every function returns a matplotlib ``Figure``; nothing global is touched and no window opens.

>>> from reesim import plotting
>>> plotting.prices(path).savefig("prices.png")
>>> plotting.save_all(path, "figures")
"""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from reesim.errors import ReesimError, StoreError
from reesim.plotting.heat import sectors
from reesim.plotting.run import prices, technology, welfare
from reesim.plotting.style import Skipped
from reesim.plotting.versus import comparison, gap_chart
from reesim.results.plan import plan_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from reesim.results.path import Path

__all__ = [
    "Skipped", "comparison", "gap_chart", "prices", "save", "save_all", "sectors", "skipped", "standard_set",
    "technology", "welfare",
]  # fmt: skip


def _makers(path: Path, twin: Path | None, supplier: str) -> dict[str, Callable[[], Figure]]:
    from reesim import observed
    from reesim.plotting.style import beside_gdp, path_source

    @functools.cache
    def table() -> pd.DataFrame:
        """Observed against model; its columns serve the overlay of prices as well, and are made once."""
        reason = observed.out_of_reach(path.provenance, path.regions)
        if reason:
            raise Skipped(reason)
        try:
            return observed.gaps(path, supplier=supplier or observed.CHINA)
        except ReesimError as error:
            raise Skipped(str(error)) from error

    def gaps() -> Figure:
        return gap_chart(table(), alerts=beside_gdp(path.warnings), source=path_source(path))

    def with_prices() -> Figure:
        plan = plan_of(path.provenance.effective_scenario)
        if path.provenance.rare_earths and plan is not None and plan.on_goods_alone:
            raise Skipped("no policy of this scenario is on rare earths")
        try:
            return prices(path, supplier=supplier, points=table())
        except Skipped:
            # The table of gaps needs more variables than the prices do.
            return prices(path, supplier=supplier)

    makers: dict[str, Callable[[], Figure]] = {
        "prices": with_prices,
        "technology": lambda: technology(path, supplier=supplier),
        "welfare": lambda: welfare(path, twin=twin),
        "sectors": lambda: sectors(path),
        "gaps": gaps,
    }
    if twin is not None:
        makers["comparison"] = lambda: _against(path, twin)
    return makers


def _against(path: Path, twin: Path) -> Figure:
    from reesim.results.compare import compare

    try:
        return comparison(compare(twin, path))
    except ReesimError as error:
        raise Skipped(str(error)) from error


def standard_set(
    path: Path, *, twin: Path | None = None, supplier: str = ""
) -> tuple[dict[str, Figure], dict[str, str]]:
    """Make the standard figures of a run.

    Parameters
    ----------
    path : Path
        The run. What it did not keep is not drawn.
    twin : Path, optional
        The same run with the other technology: drawn along with welfare, and compared.
    supplier : str
        Code of the region whose mines supply the world; by default the scenario's.

    Returns
    -------
    figures : dict of str to Figure
        Out of prices, technology, welfare, sectors, gaps, comparison.
    skipped : dict of str to str
        Why each of the others could not be made.
    """
    figures: dict[str, Figure] = {}
    reasons: dict[str, str] = {}
    for name, make in _makers(path, twin, supplier).items():
        try:
            figures[name] = make()
        except Skipped as reason:
            reasons[name] = str(reason)
    return figures, reasons


def skipped(path: Path, *, twin: Path | None = None, supplier: str = "") -> dict[str, str]:
    """Why figures of the standard set are not made for a path; empty if all are."""
    return standard_set(path, twin=twin, supplier=supplier)[1]


def save(figure: Figure, file: str | pathlib.Path) -> pathlib.Path:
    """Write a figure; the folder is made if need be.

    Raises
    ------
    StoreError
        If it cannot be written.
    """
    place = pathlib.Path(file)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        # Compressing harder takes longer than drawing and saves a few kilobytes.
        figure.savefig(place, pil_kwargs={"compress_level": 3} if place.suffix == ".png" else None)
    except (OSError, ValueError) as error:
        raise StoreError(f"{place}: the figure cannot be written: {error}. Choose another folder or ending") from error
    return place


def save_all(
    path: Path, folder: str | pathlib.Path, *, twin: Path | None = None, supplier: str = ""
) -> list[pathlib.Path]:
    """Write the standard figures of a run as PNG, named after its scenario: ``deck_tax_prices.png``.

    Parameters
    ----------
    path, twin, supplier
        As in `standard_set`, which also says why a figure was not made (see `skipped`).
    folder : str or path
        Made if need be.

    Returns
    -------
    list of pathlib.Path
        The files written, in the order of the standard set.

    Raises
    ------
    StoreError
        If a file cannot be written.
    """
    figures, _ = standard_set(path, twin=twin, supplier=supplier)
    name = path.provenance.name
    return [save(figure, pathlib.Path(folder) / f"{name}_{kind}.png") for kind, figure in figures.items()]
