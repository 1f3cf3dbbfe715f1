"""What ``reesim run`` does with a scenario: simulate, write, show."""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass
from pathlib import Path as File
from typing import TYPE_CHECKING, Any

from reesim import report
from reesim.cli import documents, output
from reesim.errors import InputError, LabelError
from reesim.results.describe import certificate_line

if TYPE_CHECKING:
    import pandas as pd

    from reesim.results.path import Path
    from reesim.scenario import Scenario
    from reesim.simulation import Simulation


_IMPACT = 2
"""Rows of a path whose policy has had no time to move prices, trade or technology: the baseline and one period."""


@dataclass(frozen=True, slots=True)
class Written:
    """Files of a run, and its gaps to what was observed.

    Parameters
    ----------
    path : pathlib.Path
        The saved path.
    rows, every : int
        Rows in it, and the distance at which they were kept.
    gaps : pathlib.Path or None
        Table of the gaps; None where nothing can be compared.
    figures : tuple of pathlib.Path
        Figures drawn.
    skipped : dict of str to str
        Why each of the other figures could not be drawn.
    table : DataFrame or None
        The gaps themselves.
    reason : str
        Why there are none; empty otherwise.
    speeds : DataFrame
        What halving and doubling each half-life changes.
    """

    path: File
    rows: int
    every: int
    gaps: File | None
    figures: tuple[File, ...]
    skipped: dict[str, str]
    table: pd.DataFrame | None
    reason: str
    speeds: pd.DataFrame

    @property
    def files(self) -> dict[str, object]:
        """What a JSON document says of them."""
        return {"path": self.path, "gaps": self.gaps, "figures": self.figures}


def simulate(scenario: Scenario, *, quiet: bool) -> Simulation:
    """Run a scenario and report progress on standard error.

    Raises
    ------
    ConvergenceError
        If a period cannot be solved.
    """
    from reesim.simulation import Simulation

    if not quiet:
        output.note(f"{scenario.name}{f': {scenario.title}' if scenario.title else ''}")
    start = time.perf_counter()
    with output.progress("simulating", quiet) as report_progress:
        simulation = Simulation(scenario)
        simulation.run(progress=report_progress)
    if not quiet:
        output.note(f"simulated {len(simulation.calendar)} rows in {time.perf_counter() - start:.2f} s")
    return simulation


def refuse_without_calendar(scenario: Scenario, given: str) -> None:
    """Refuse a scenario that has no path, since its one period would show an impact that nobody asked for.

    Parameters
    ----------
    scenario : Scenario
    given : str
        What the user called it.

    Raises
    ------
    InputError
        If it gives no calendar.
    """
    if not scenario.has_calendar:
        raise InputError(
            f"{given}: no calendar, so there is no path to run. Give calendar.start and calendar.end for a path; "
            f"what was asked is: reesim solve {shlex.quote(given)}"
        )


def write(simulation: Simulation, path: Path, folder: File, *, figures: bool) -> Written:
    """Save a run, its gaps to the observed series and, if asked, its figures; see what hangs on the speeds of adjustment.

    Parameters
    ----------
    simulation : Simulation
        At its end. Its path, thinned as ``output.every`` says, is what is saved.
    path : Path
        Every row of it: gaps and figures are means and peaks, which a thinned path has others of.
    folder : pathlib.Path
        Where the files go.
    figures : bool
        Whether to draw.

    Raises
    ------
    StoreError
        If something cannot be written.
    """
    from reesim.sensitivity import speed_sensitivity

    name = path.provenance.name
    saved = folder / f"{name}.h5"
    kept = simulation.path
    kept.save(saved)
    table, reason = _gaps(path)
    gaps = None if table is None else output.write_csv(table, folder / f"{name}_gaps.csv")
    drawn, skipped = _draw(path, folder) if figures else ((), {})
    scenario = simulation.scenario
    speeds = speed_sensitivity(scenario)
    return Written(saved, len(kept), scenario.output.every, gaps, drawn, skipped, table, reason, speeds)


def _draw(path: Path, folder: File) -> tuple[tuple[File, ...], dict[str, str]]:
    from reesim import plotting

    figures, skipped = plotting.standard_set(path)
    name = path.provenance.name
    files = tuple(plotting.save(figure, folder / f"{name}_{kind}.png") for kind, figure in figures.items())
    return files, skipped


def _gaps(path: Path) -> tuple[pd.DataFrame | None, str]:
    """Give the whole table of gaps, or the reason why there is none."""
    from reesim import observed

    reason = observed.out_of_reach(path.provenance, path.regions)
    if reason:
        return None, reason
    try:
        table = observed.gaps(path)
    except (InputError, LabelError) as error:
        return None, str(error)
    if table.empty:
        return None, f"no observed number lies within {path.times[0]:%Y-%m-%d} to {path.times[-1]:%Y-%m-%d}"
    return table, ""


def document(path: Path, written: Written) -> dict[str, Any]:
    """Document of ``reesim run``."""
    return {
        "schema": "reesim.run/1",
        **documents.provenance_document(path),
        "rows_in_file": written.rows,
        "summary": report.summary_table(path),
        "gaps": [] if written.table is None else written.table,
        "no_gaps_because": written.reason or None,
        "speeds": written.speeds.reset_index(),
        "files": written.files,
        "figures_skipped": written.skipped,
    }


def show(path: Path, written: Written, given: str) -> None:
    """Show a run: warnings, key figures, gaps, what stands behind them, what certifies them, where they are.

    ``given`` is what the user called the scenario.
    """
    output.say(f"\n{path.provenance.name}, {path.times[0]:%Y-%m-%d} to {path.times[-1]:%Y-%m-%d}, {len(path)} rows")
    if written.every > 1:
        kept = f"every {_ordinal(written.every)} and the last, {written.rows} in all"
        output.say(f"rows kept in the file: {kept}; what follows is of every row")
    output.say(report.summary_text(path))
    output.say(f"\n{report.gap_text(path)}")
    if len(path) > _IMPACT:
        output.say_table(written.speeds, "\nWhat hangs on the speeds of adjustment, each half-life halved and doubled:")
    else:
        output.say(f"\nA single period of policy is its impact; what it tends to: reesim solve {shlex.quote(given)}")
    output.say(f"\n{report.choices_text(path)}")
    output.say(f"\n{report.stability_text(path)}")
    output.say(certificate_line(path).capitalize())
    output.say()
    show_files(written)
    for kind, reason in written.skipped.items():
        output.note(f"no figure of {kind}: {reason}")


def _ordinal(number: int) -> str:
    teens = 10 < number % 100 < 14
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def show_files(written: Written) -> None:
    """Show where everything was written."""
    for file in (written.path, written.gaps, *written.figures):
        if file is not None:
            output.say(f"written: {file}")
