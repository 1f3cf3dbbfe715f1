"""The exercise end to end: estimate (24), set the slides' table beside, and hand the estimates to the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from reesim.empirics import estimates, tables
from reesim.empirics.files import FEWER_DIGITS, write_csv, write_figure, written
from reesim.empirics.structural.bands import Bands, bands_of
from reesim.empirics.structural.fit import Specification, StructuralFit, estimate
from reesim.empirics.structural.inversion import Technology
from reesim.empirics.structural.montecarlo import PANELS, MonteCarlo, endogenous, monte_carlo
from reesim.empirics.structural.panel import FactorPanel, panel_from_equilibria, panel_from_path, read_factor_panel
from reesim.empirics.structural.resample import bootstrap
from reesim.empirics.structural.simulate import Design, disturbed
from reesim.empirics.structural.tables import table
from reesim.errors import InputError
from reesim.scenario import DEFAULT_SECTORS, Scenario

if TYPE_CHECKING:
    import pandas as pd

SCENARIO = "deck_tax"
YEARS = range(2002, 2019)
SEED, DRAWS = 2010, 40
HALF_LIVES = (0.0, 0.5, 1.0, 2.0, 4.0)
VARIABLES = ("welfare", "A_R")


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What was estimated and written, for the screen."""

    fits: tuple[StructuralFit, ...]
    trials: tuple[MonteCarlo, ...]
    lags: pd.DataFrame | None
    fans: tuple[Bands, ...]
    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Sentences and a small table, without markup."""
        first = self.fits[0]
        return [
            f"{first.source}.", f"{first.specification}.", *first.remarks(), "", *_beside(first), "",
            *(f"Also {fit.specification.method}: {_agreement(fit)}" for fit in self.fits[1:]),
            *(f"Monte Carlo: {trial.line()}." for trial in self.trials),
            *self._lag_lines(),
            *(told.line() for told in self.fans),
            *self.notes,
            written(self.files),
        ]  # fmt: skip

    def _lag_lines(self) -> Iterator[str]:
        if self.lags is not None:
            told = ", ".join(f"{row.entry_half_life:g}: {row.slope_over_truth:.2f}" for row in self.lags.itertuples())
            yield f"Slope over its long-run value on a path, by half-life of entry in years: {told}."


def run(
    out: Path, panel: Path | None = None, *, specification: Specification | None = None, seed: int = SEED,
    draws: int = DRAWS, panels: int = PANELS, figures: bool = True,
) -> Report:  # fmt: skip
    """Estimate epsilon and gamma by sector and write everything that follows.

    Parameters
    ----------
    out : path
        Folder that exists.
    panel : path, optional
        The user's panel, as `FactorPanel` has it; by default one simulated by the model, which says so.
    specification : Specification, optional
        Instruments are columns of the panel.
    seed, draws : int
        Of shocks, resamples and draws; 0 draws leave the bands out, which need sectors of the embedded table.
    panels : int
        Of the Monte Carlo, which stands beside the simulated panel only; 0 leaves it out.
    figures : bool

    Raises
    ------
    DataError, ConvergenceError, InputError
        If the panel cannot be read or estimated.
    StoreError
        If a file cannot be written.
    """
    chosen = specification or Specification()
    given = embedded(chosen.technology, seed) if panel is None else read_factor_panel(panel, chosen.instruments)
    fits = [estimate(given, chosen)]
    if panel is None and specification is None:
        fits += [estimate(given, Specification(method="2SLS", instruments=("policy",)))]
    notes: list[str] = []
    files = _written(out, given, fits, seed, notes)
    trials = _trials(panels, seed) if panel is None and panels else ()
    lags = attenuation(Scenario.load(SCENARIO), HALF_LIVES) if panel is None else None
    for name, frame in (("monte_carlo", _trial_table(trials)), ("attenuation", lags)):
        if frame is not None:
            files.append(write_csv(frame, out / f"{name}.csv", FEWER_DIGITS))
    fans = _fans(out, fits[0], draws, seed, notes) if draws else ()
    files += [write_csv(told.to_dataframe(), out / f"bands_{told.variable}.csv", FEWER_DIGITS) for told in fans]
    if figures:
        files += _drawn(out, fits, fans)
    return Report(tuple(fits), trials, lags, fans, tuple(files), tuple(notes))


def embedded(technology: Technology | None = None, seed: int = SEED) -> FactorPanel:
    """Return the panel that stands in for data: the model's static equilibria under the slides' tax, with shocks and errors.

    Five regions, twelve sectors, 2002 to 2018. It is simulated and says so; what is estimated from it is known beforehand.
    """
    technology = technology or Technology()
    changes = {"parameters.mu": technology.mu, "parameters.delta": technology.delta}
    exact = panel_from_equilibria(Scenario.load(SCENARIO).replace(changes), YEARS)
    return disturbed(exact, Design(technology=technology), seed)


def attenuation(scenario: Scenario, half_lives: Sequence[float] = HALF_LIVES) -> pd.DataFrame:
    """How much of the long-run slope a regression finds on a path, where patents lag behind prices.

    Parameters
    ----------
    scenario : Scenario
        With rare earths and endogenous technology.
    half_lives : sequence of float
        Of entry, in years.

    Returns
    -------
    DataFrame
        Columns entry_half_life, slope_over_truth (mean over sectors), least, most.
    """
    import pandas as pd

    from reesim.simulation import Simulation

    truth = dict(zip(scenario.world.sectors, scenario.elasticities().epsilon_s, strict=True))
    rows = []
    for life in half_lives:
        slower = scenario.replace({"adjustment.entry": life})
        fit = estimate(panel_from_path(Simulation(slower).run(), slower))
        technology = Technology(scenario.parameters.mu, scenario.parameters.delta)
        ratio = [one.line.slope / float(technology.slope(truth[one.sector])) for one in fit.sectors]
        rows.append((life, float(np.mean(ratio)), min(ratio), max(ratio)))
    return pd.DataFrame(rows, columns=["entry_half_life", "slope_over_truth", "least", "most"])


def _trials(panels: int, seed: int) -> tuple[MonteCarlo, ...]:
    prices = endogenous()
    return (
        monte_carlo(panels=panels, seed=seed), monte_carlo(prices, panels, seed),
        monte_carlo(prices, panels, seed, method="2SLS"),
    )  # fmt: skip


def _trial_table(trials: tuple[MonteCarlo, ...]) -> pd.DataFrame | None:
    import pandas as pd

    if not trials:
        return None
    parts = [trial.table().assign(endogeneity=trial.design.endogeneity, panels=len(trial.slope)) for trial in trials]
    return pd.concat(parts, ignore_index=True)


def _written(out: Path, given: FactorPanel, fits: list[StructuralFit], seed: int, notes: list[str]) -> list[Path]:
    first = fits[0]
    rows = [row for fit in fits for row in fit.estimates()]
    if not any(one.admissible for one in first.sectors):
        raise InputError(
            "no sector has a slope that admits an epsilon above zero: there is nothing to hand to the model"
        )
    tidy = first.table()
    if first.resampled:
        again = bootstrap(first, seed=seed)
        low, high = again.interval(first.specification.level)
        tidy = tidy.assign(
            epsilon_bootstrap_se=again.std_error(), epsilon_bootstrap_low=low, epsilon_bootstrap_high=high
        )
    else:
        notes.append("No bootstrap: it needs a linear fit, and the same regions in every sector.")
    if first.refused:
        notes.append(f"estimates.json leaves out {', '.join(first.refused)}: a scenario keeps its own epsilon there.")
    return [
        estimates.write(rows, out / "estimates.csv"),
        first.estimated(leave_out_refused=True).write(out / "estimates.json"),
        write_csv(tidy, out / "structural.csv", FEWER_DIGITS), write_csv(given.frame, out / "panel.csv", FEWER_DIGITS),
        *tables.write(table(first), out, "structural"),
    ]  # fmt: skip


def _fans(out: Path, fit: StructuralFit, draws: int, seed: int, notes: list[str]) -> tuple[Bands, ...]:
    """Bands of the slides' tax at the estimates; none where the panel's sectors are not the embedded table's."""
    foreign = [one.sector for one in fit.sectors if one.sector not in DEFAULT_SECTORS.codes]
    if foreign:
        notes.append(
            f"No bands: the embedded table has no sector {', '.join(foreign[:3])}; name your own in a scenario."
        )
        return ()
    technology = fit.specification.technology
    scenario = Scenario.load(SCENARIO).replace({
        "parameters.from": str(out.resolve() / "estimates.json"),
        "parameters.mu": technology.mu, "parameters.delta": technology.delta,
    })  # fmt: skip
    return bands_of(scenario, VARIABLES, draws, seed)


def _drawn(out: Path, fits: list[StructuralFit], fans: tuple[Bands, ...]) -> list[Path]:
    from reesim.empirics.structural import figures

    shown = [write_figure(figures.epsilon_by_sector(fits), out / "epsilon.png")]
    return shown + [
        write_figure(figures.fan(told, fits[0].source), out / f"bands_{told.variable}.png") for told in fans
    ]


def _beside(fit: StructuralFit) -> Iterator[str]:
    yield "epsilon by sector, with standard error and interval, beside the slides'; gamma beside the slides'"
    for row in table(fit).rows:
        value, error, interval, deck, weight, theirs, *_ = row.cells
        yield f"  {row.label:<28} {value:>6} ({error})  {interval:<15} {deck:>6}   {weight:>8} {theirs:>8}"


def _agreement(fit: StructuralFit) -> str:
    known = fit.table()
    inside = (known["epsilon_low"] <= known["deck_epsilon"]) & (known["deck_epsilon"] <= known["epsilon_high"])
    least = (
        f", first-stage F {known['first_stage_f'].min():.1f} at the least"
        if known["first_stage_f"].notna().any()
        else ""
    )
    return f"{int(inside.sum())} of {len(known)} intervals hold the slides' epsilon{least}."
