"""The regressions end to end: exports on the panel that can be had, patents on the user's or on a simulated one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reesim.empirics import tables
from reesim.empirics.estimates import write as write_estimates
from reesim.empirics.files import write_figure
from reesim.empirics.panels.groups import GROUPS, members
from reesim.empirics.panels.schema import Panel, read_panel, with_zeros
from reesim.empirics.regress import robustness
from reesim.empirics.regress.design import BASE, CHINA, DIFFERENCES, POST, TERM, Design, default_sensitivity, design
from reesim.empirics.regress.event import EventStudy, event_study
from reesim.empirics.regress.fit import Estimator, Fit
from reesim.empirics.regress.report import Block, Report
from reesim.empirics.regress.resample import MANY, Resampled, permute_sensitivity, wild_bootstrap
from reesim.empirics.regress.robustness import Variant
from reesim.errors import DataError, InputError, ReesimError

if TYPE_CHECKING:
    import pandas as pd

SIMULATED_SCENARIO = "staged_quotas_2010_2015"
DRAWS, PPML_DRAWS, WILD_DRAWS = 9999, 199, 1999
SEED = 2010
ABROAD = ("NONCHN", "USA", "EUR", "JPN")
MAIN = "NONCHN"
MANY_INDUSTRIES = 30
"""More than these and only the most sensitive are left out one by one."""

WHY = (
    "It differs from the slides' panel: 14 industries for about 375, two years after 2009, of which one is the rebound from the "
    "trade collapse, 40 countries for about 47, and no controls."
)

SCALE = "USD per USD of final demand times complementarity of 0 to 100"


def run_exports(
    out: Path,
    panel: Path | None = None,
    *,
    sensitivity: Path | None = None,
    controls: Sequence[str] = (),
    post: int = POST,
    draws: int = DRAWS,
    seed: int = SEED,
    figures: bool = True,
) -> Report:
    """Regress annualised export growth on sensitivity x post, by group, with everything around it.

    Parameters
    ----------
    out : path
        Folder that exists.
    panel : path, optional
        The user's panel of exports. Default: that of the World Input-Output Database, as shipped.
    sensitivity : path, optional
        csv with columns industry and sensitivity. Default: as shipped.
    controls : sequence of str
        Columns of the user's panel.
    post : int
        First year after the shock; event studies have the year before as their base.
    draws, seed : int
        Of randomisation inference, and at most of the bootstrap, which needs no more than 1,999; 0 leaves both out.
    figures : bool

    Returns
    -------
    Report

    Raises
    ------
    DataError
        If the panel or the measure cannot be used.
    InputError
        If controls are asked of the panel as shipped.
    StoreError
        If a file cannot be written.
    """
    _require_own(panel, controls)
    from reesim.empirics.panels.exports import exports_panel

    given = exports_panel() if panel is None else _with_growth(read_panel(panel, "exports", controls), "value")
    ways: dict[str, Mapping[str, Any]] = {}
    years = {int(year) for year in given.frame["year"].unique()}
    if {BASE, BASE + 1} <= years:
        ways["without 2009 and 2010"] = {"years": years - {BASE, BASE + 1}}
        ways["from 2003"] = {"years": {year for year in years if year >= 2003}}
        ways[f"{BASE} on, no earlier years"] = {"years": {year for year in years if year >= BASE}}
    if panel is None:
        given = replace(given, notes=(*given.given_notes(), WHY))
    return _run("exports", out, given, sensitivity, {"OLS": GROUPS}, ways, post, draws, seed, figures)


def run_patents(
    out: Path,
    panel: Path | None = None,
    *,
    sensitivity: Path | None = None,
    controls: Sequence[str] = (),
    outcome: str = "",
    zeros: bool = True,
    post: int = POST,
    draws: int = PPML_DRAWS,
    seed: int = SEED,
    figures: bool = True,
) -> Report:
    """Regress rare-earth enhancing patents on sensitivity x post, by group, with everything around it.

    No panel of patents can be shipped. Without one of the user's, a simulated path is observed as an econometrician would
    see it, and every output says so: what is then estimated is a property of the model, not of the world.

    Parameters
    ----------
    out, panel, sensitivity, controls, post, seed, figures
        As of `run_exports`; the panel is of patents.
    outcome : {"", "enhancing", "count"}
        Patents that enhance the use of rare earths or replace them, or all; by default the former where the panel has them.
    zeros : bool
        Whether years without a row count as years without a patent, in a panel of the user's that has no controls.
    draws : int
        Of randomisation inference; each is a Poisson regression. 0 leaves it out.

    Raises
    ------
    DataError, StoreError
        As of `run_exports`.
    InputError
        If controls or gaps are asked of the simulated panel, which has none, or the panel has no such outcome.
    """
    _require_own(panel, controls)
    if panel is None and not zeros:
        raise InputError("the simulated panel has every year: leave out zeros only in a panel of your own")
    given = simulated_patents(seed) if panel is None else read_panel(panel, "patents", controls)
    if panel is not None and zeros and not controls:
        given = with_zeros(given)
    elif panel is not None:
        why = "controls are not known there" if controls else "as asked"
        note = f"Years without a row are left out, not counted as zeros: {why}."
        given = replace(given, notes=(*given.given_notes(), note))
    if outcome and outcome not in given.outcomes:
        raise InputError(f"outcome {outcome!r}: the panel has {', '.join(given.outcomes)}")
    if outcome == "count" and "enhancing" in given.outcomes:
        given = replace(given, frame=given.frame.drop(columns="enhancing"))
    if panel is None:
        given = replace(given, notes=(*given.given_notes(), _without_noise(sensitivity, post, seed)))
    name = "patents, simulated" if panel is None else "patents"
    return _run(name, out, given, sensitivity, {"PPML": GROUPS, "OLS": GROUPS}, {}, post, draws, seed, figures)


def run_productivity(
    out: Path,
    panel: Path,
    *,
    sensitivity: Path | None = None,
    controls: Sequence[str] = (),
    post: int = POST,
    draws: int = DRAWS,
    seed: int = SEED,
    figures: bool = True,
) -> Report:
    """Regress productivity growth on sensitivity x post; as `run_exports`, but no panel is shipped: give one."""
    given = _with_growth(read_panel(panel, "productivity", controls), "level")
    return _run("productivity", out, given, sensitivity, {"OLS": GROUPS}, {}, post, draws, seed, figures)


def _require_own(panel: Path | None, controls: Sequence[str]) -> None:
    if panel is None and controls:
        raise InputError(f"controls {', '.join(controls)}: the panel as shipped has none; give a panel of your own")


def _with_growth(panel: Panel, column: str) -> Panel:
    """The panel with annual growth, computed from levels where it is not given."""
    from reesim.empirics.panels.growth import annual_growth

    if "growth" in panel.outcomes:
        return panel
    growth, notes = annual_growth(panel.frame, panel.units, column)
    notes = (*panel.given_notes(), *notes, f"Growth is computed from column {column!r}.")
    return replace(panel, frame=panel.frame.assign(growth=growth), notes=notes)


def simulated_patents(seed: int = SEED, scenario: str = SIMULATED_SCENARIO, *, noise: bool = True) -> Panel:
    """Patents as a path of the model would show them: Poisson counts around new varieties of the rare-earth bundle."""
    from reesim.empirics.panels.simulated import Observed, panel_from_path
    from reesim.scenario import Scenario
    from reesim.simulation import Simulation

    path = Simulation(Scenario.load(scenario)).run()
    return panel_from_path(path, "patents", seed=seed, noise=noise, observed=Observed(bundle="both"))


def _without_noise(measure: Path | None, post: int, seed: int) -> str:
    """What the main regression gives on the counts that are expected, beside those drawn around them."""
    panel = simulated_patents(noise=False)
    sensitivity = default_sensitivity(panel) if measure is None else robustness.read_sensitivity(measure)
    fit = design(panel, sensitivity, group=MAIN, post=post).fit("PPML")
    return f"Without the noise of the draw, {MAIN} by PPML has {fit.coefficient(TERM):.2f}; the counts are one draw, seed {seed}."


def _run(
    name: str,
    out: Path,
    panel: Panel,
    measure: Path | None,
    estimators: Mapping[Estimator, Sequence[str]],
    ways: Mapping[str, Mapping[str, Any]],
    post: int,
    draws: int,
    seed: int,
    figures: bool,
) -> Report:
    sensitivity = default_sensitivity(panel) if measure is None else robustness.read_sensitivity(measure)
    blocks = _blocks(panel, sensitivity, estimators, post)
    main = blocks[0]
    if not main.fits:
        group, reason = next(iter(main.reasons.items()))
        raise DataError(f"no group of countries can be estimated; {group}: {reason}")
    events, notes = _events(main, post - 1)
    group = MAIN if MAIN in main.fits else next(iter(main.fits))
    found = _variants(panel, sensitivity, main.estimator, ways, {"group": group, "post": post})
    permuted = _permuted(blocks, draws, seed)
    most = min(draws, WILD_DRAWS)
    linear = _linear(main).items() if most else ()
    wild = {one: wild_bootstrap(main.designs[one], fit, draws=most, seed=seed) for one, fit in linear}
    parts: list[Block | EventStudy | Variant] = [*blocks, *events, *(one for part in found.values() for one in part)]
    rows = [replace(row, exercise=name) for part in parts for row in part.estimates()]
    alone = () if len(blocks) > len(estimators) else ("No rows of China: no differences to China.",)
    notes = (*_scale_notes(main.designs[group], shipped=measure is None), *alone, *notes)
    files = [
        write_estimates(rows, out / "estimates.csv"),
        *_tables(out, name, panel, blocks, found, main, group, notes),
    ]
    report = Report(
        exercise=name, panel=panel, blocks=tuple(blocks), events=tuple(events), variants=found, permuted=permuted,
        bootstrapped=wild, notes=notes, estimates=tuple(rows), files=tuple(files),
    )  # fmt: skip
    return replace(report, files=(*report.files, *_figures(out, report, group, post))) if figures else report


def _blocks(
    panel: Panel, sensitivity: pd.Series[float], estimators: Mapping[Estimator, Sequence[str]], post: int
) -> list[Block]:
    """The slides' tables: by group and estimator, and differences to China where the panel has it."""
    present = [group for group in GROUPS if members(panel.frame[panel.place], group)]
    if not present:
        raise DataError(f"the panel of {panel.kind} ({panel.source}) has no rows")
    blocks = [
        _block(panel, sensitivity, estimator, [group for group in wanted if group in present], post)
        for estimator, wanted in estimators.items()
    ]
    if CHINA in present:
        abroad, difference = [group for group in ABROAD if group in present], DIFFERENCES[panel.kind]
        blocks.append(_block(panel, sensitivity, "OLS", abroad, post, difference=difference))
    return blocks


def _block(
    panel: Panel,
    sensitivity: pd.Series[float],
    estimator: Estimator,
    groups: Sequence[str],
    post: int,
    **way: Any,
) -> Block:
    designs: dict[str, Design] = {}
    fits: dict[str, Fit] = {}
    reasons: dict[str, str] = {}
    label = ""
    for group in groups:
        try:
            made = design(panel, sensitivity, group=group, post=post, **way)
            fits[group] = made.fit(estimator)
            designs[group], label = made.used(fits[group]), made.label
        except ReesimError as error:
            reasons[group] = str(error)
    title = f"{panel.kind.capitalize()}, {label or 'difference to China'}, {estimator}"
    return Block(title=title, estimator=estimator, designs=designs, fits=fits, reasons=reasons)


def _events(main: Block, base: int) -> tuple[list[EventStudy], tuple[str, ...]]:
    studies, notes = [], []
    for group, made in main.designs.items():
        try:
            studies.append(event_study(made, main.estimator, base))
        except ReesimError as error:
            notes.append(f"No event study of {group}: {error}.")
    return studies, tuple(notes)


def _variants(
    panel: Panel,
    sensitivity: pd.Series[float],
    estimator: Estimator,
    ways: Mapping[str, Mapping[str, Any]],
    common: dict[str, Any],
) -> dict[str, list[Variant]]:
    found = {}
    try:
        others = robustness.shipped_alternatives(panel)
    except DataError:
        others = {}  # industries of the user's own: there is no other measure of them
    if others:
        found["other measures"] = robustness.alternatives(panel, others, estimator, **common)
    if ways:
        found["other years"] = robustness.variants(panel, sensitivity, ways, estimator, **common)
    there = sensitivity[sensitivity.index.isin(set(panel.frame[panel.industry]))].sort_values(ascending=False)
    codes = [str(code) for code in there.index[:MANY_INDUSTRIES]]
    found["without one industry"] = robustness.leave_one_out(panel, sensitivity, estimator, codes, **common)
    return found


def _permuted(blocks: Sequence[Block], draws: int, seed: int) -> dict[str, Resampled]:
    """Permuted sensitivities: every group of linear blocks, the main group of Poisson regressions, which are fitted anew."""
    found: dict[str, Resampled] = {}
    for block in blocks if draws else ():
        for group, fit in block.fits.items():
            made = block.designs[group]
            if block.estimator == "PPML":
                if group == MAIN:
                    found[group] = permute_sensitivity(made, fit, draws, seed)
            elif blocks[0].estimator == "OLS" or "difference" in made.label:
                name = f"{group} less China" if "difference" in made.label else group
                found[name] = permute_sensitivity(made, fit, DRAWS if block is not blocks[0] else draws, seed)
    return found


def _linear(main: Block) -> dict[str, Fit]:
    """Fits of the main block that the bootstrap is for: by least squares, with clusters that a matrix can hold."""
    if main.estimator != "OLS":
        return {}
    return {group: fit for group, fit in main.fits.items() if fit.clusters <= MANY}


def _scale_notes(made: Design, *, shipped: bool) -> tuple[str, ...]:
    return (
        *made.notes,
        *([f"Sensitivity: {_inputs()}."] if shipped else []),
        f"Sensitivity in {SCALE}; standard deviation over the industries of {made.group} {made.sd:.5f}. The slides do not state "
        "their scale; 7.4 % per standard deviation beside 15.46 implies 0.0046.",
    )


def _inputs() -> str:
    """How much of what the shipped sensitivity is computed from is not verified."""
    from reesim.empirics.iotable.outputs import shipped

    return str(shipped().balance["inputs"])


def _tables(
    out: Path,
    name: str,
    panel: Panel,
    blocks: Sequence[Block],
    found: Mapping[str, Sequence[Variant]],
    main: Block,
    group: str,
    notes: Sequence[str],
) -> list[Path]:
    stem = panel.kind
    told = [f"Source: {panel.source}.", *([f"Unverified: {panel.unverified}."] if panel.unverified else []), *notes]
    files: list[Path] = []
    for block in blocks:
        if block.fits:
            kind = "difference" if "difference" in block.title else block.estimator.lower()
            title = f"{name.capitalize()}: {block.title.split(', ', 1)[1]}"
            reasons = [f"{line}." for line in block.refused()]
            table = tables.of_fits(
                title, block.columns(), TERM, label="REE sensitivity × post", notes=[*told, *reasons]
            )
            files += tables.write(table, out, f"{stem}_{kind}")
    for part, rows in found.items():
        fitted = [(one.name, one.fit, one.design) for one in rows]
        columns = [tables.Column(heading=way, fit=fit, sd=made.sd) for way, fit, made in fitted if fit and made]
        if columns:
            title = f"{name.capitalize()}: {main.estimator}, {group}, {part}"
            table = tables.of_fits(title, columns, TERM, label="REE sensitivity × post", notes=told)
            files += tables.write(tables.turned(table), out, f"{stem}_{part.replace(' ', '_')}")
    return files


def _figures(out: Path, report: Report, group: str, post: int) -> list[Path]:
    from reesim.empirics.regress import figures

    stem, main = report.panel.kind, report.blocks[0]
    clustered = next(iter(main.fits.values())).clustered_by[0]
    unverified = [note for note in report.notes if note.startswith("Sensitivity:")]
    source = " ".join([f"{report.panel.source}. Errors clustered by {clustered}.", *unverified])
    alerts = ["simulated by the model, not observed"] if "simulated" in report.exercise else []
    words = f"{main.title}: sensitivity to rare earths after {post - 1}"
    drawn = {"groups": figures.groups(main.columns(), TERM, words, source, alerts)}
    if report.events:
        drawn["events"] = figures.events(report.events, f"{main.title}: by year, base {post - 1}", source, alerts)
    if report.variants:
        title = f"{main.title}: the same regression otherwise ({group})"
        drawn["variants"] = figures.variants(report.variants, title, source, alerts)
    if report.permuted:
        title = f"{main.title}: coefficients with sensitivity dealt out at random, and the one observed"
        drawn["permuted"] = figures.permuted(report.permuted, title, source, alerts)
    return [write_figure(figure, out / f"{stem}_{name}.png") for name, figure in drawn.items()]
