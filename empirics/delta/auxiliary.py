"""The auxiliary model of (27): a path at some δ, observed as an econometrician would, through regression (26).

Counts are expected counts, without noise: what comes out is the model's own response, and its spread over draws is none of
its business. The standard error of the fit then measures how far the model's sectors are from a line in sensitivity.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from reesim.economy import Economy
from reesim.empirics.delta.target import percent
from reesim.empirics.panels.simulated import Observed, bundle_exposure, panel_from_path
from reesim.empirics.regress.design import NOT_MANUFACTURING, POST, TERM, design
from reesim.equilibrium import baseline
from reesim.errors import ConvergenceError, DataError, InputError
from reesim.simulation import Simulation
from reesim.stability import Stability, delta_star

if TYPE_CHECKING:
    import pandas as pd

    from reesim.calibration import Calibration
    from reesim.results.path import Path
    from reesim.scenario import Scenario

Array: TypeAlias = npt.NDArray[np.float64]

KEPT = ("A_R", "ree_share", "ree_price", "residual")
FIRST, LAST = 2002, 2018
"""Years of the sample: our choice. The last one matters, see `study.LASTS`."""

EDGE = 0.99
"""Share of δ* up to which paths are asked for: at δ* itself entry no longer returns."""

PATENTS = 1000.0
"""World patents a year where exposure follows the size of bundles; it scales counts and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a path is observed and regressed.

    Parameters
    ----------
    observed : Observed
        Flow of new varieties at a rate of replacement, or stock.
    group : str
        One of the slides' groups.
    first, last : int
        Years of the sample. Years before the path begins are at the baseline, which is stationary.
    exposure : {"equal", "bundle"}
        Patents per variety: the same everywhere, so that every region and sector weighs the same, or by the size of the R
        bundle, (7).
    measure : {"requirements", "model"}
        Sensitivity by sector: that of the extended input-output table, (25), or the rare earths that a dollar of the
        sector's final demand takes in the model's own table under its own shares.

    Raises
    ------
    DataError
        If a choice is not known, or the years are not on both sides of 2010.
    """

    observed: Observed = field(default_factory=Observed)
    group: str = "NONCHN"
    first: int = FIRST
    last: int = LAST
    exposure: Literal["equal", "bundle"] = "equal"
    measure: Literal["requirements", "model"] = "requirements"

    def __post_init__(self) -> None:
        for name, allowed in (("exposure", ("equal", "bundle")), ("measure", ("requirements", "model"))):
            if getattr(self, name) not in allowed:
                raise DataError(f"{name} should be one of {', '.join(allowed)}, not {getattr(self, name)!r}")
        if not self.first < POST <= self.last:
            raise DataError(f"years {self.first} to {self.last} should begin before {POST} and not end before it")

    @property
    def patents(self) -> str:
        """How they are seen, in words."""
        seen = self.observed
        return "stock" if seen.seen == "stock" else f"flow, replacement {seen.replacement:g} a year"

    def __str__(self) -> str:
        return f"{self.patents}, {self.first} to {self.last}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What (26) finds on a path of the model.

    Parameters
    ----------
    delta : float
    coefficient, std_error : float
        On sensitivity × post; the error is clustered by region × sector.
    sd : float
        Standard deviation of sensitivity over the sectors of the sample, each counted once.
    observations, clusters : int
    residual : float
        Certificate of the path: its largest relative residual.
    alerts : tuple of str
        What the path says of itself.
    """

    delta: float
    coefficient: float
    std_error: float
    sd: float
    observations: int
    clusters: int
    residual: float
    alerts: tuple[str, ...] = ()

    @property
    def response(self) -> float:
        """Log points per standard deviation of sensitivity."""
        return self.coefficient * self.sd

    @property
    def percent(self) -> float:
        """Per cent per standard deviation of sensitivity."""
        return percent(self.response)

    @property
    def percent_error(self) -> float:
        """Standard error of the same, percentage points: misfit, not sampling."""
        return 100.0 * math.exp(self.response) * self.std_error * self.sd


class Episode:
    """A scenario that can be run at any δ, with everything else held; its paths are kept.

    Parameters
    ----------
    scenario : Scenario
        Its own δ is not used.
    last : int
        Year to the end of which paths run; policies that are over stay over.
    delta_star : float, optional
        Where equilibria of its baseline lose stability, if that is known already.

    Raises
    ------
    InputError
        If technology does not move, or the calendar begins after January 2010.
    """

    def __init__(self, scenario: Scenario, *, last: int = LAST, delta_star: float | None = None) -> None:
        if scenario.technology != "endogenous":
            raise InputError(
                f"{scenario.name}: technology {scenario.technology} has no patents that respond; set technology: endogenous"
            )
        start = scenario.calendar.start
        if start.year > POST or (start.year == POST and start.month > 1):
            raise InputError(
                f"{scenario.name}: the calendar begins in {start:%Y-%m}; let calendar.start be {POST}-01 or earlier, so that "
                "the years before are the baseline"
            )
        calendar = {"calendar.start": str(start), "calendar.step": scenario.calendar.step, "calendar.end": f"{last}-12"}
        self.scenario = scenario.replace({**calendar, "output.variables": list(KEPT), "output.every": 1})
        self.last = last
        self._delta_star = delta_star
        self._paths: dict[float, Path] = {}

    @cached_property
    def calibration(self) -> Calibration:
        """The baseline, but for δ.

        Raises
        ------
        InputError
            If nobody uses rare earths.
        """
        found = baseline(self.scenario).calibration
        if found.exporter is None or not found.ree_share_is.any():
            raise InputError(f"{self.scenario.name}: a world without rare earths has no response to estimate δ from")
        return found

    @cached_property
    def delta_star(self) -> float:
        """Where equilibria lose stability."""
        return delta_star(self.calibration) if self._delta_star is None else self._delta_star

    @property
    def edge(self) -> float:
        """Upper end of the stable range that paths are asked for."""
        return EDGE * self.delta_star

    def path(self, delta: float) -> Path:
        """Return the certified path at δ.

        Raises
        ------
        ConvergenceError
            If a period has no equilibrium to tolerance, or the path is around an unstable one.
        """
        delta = float(delta)
        if delta not in self._paths:
            self._paths[delta] = self._run(delta)
        return self._paths[delta]

    def _run(self, delta: float) -> Path:
        theta = delta + 1.0 / (self.calibration.mu - 1.0)
        economy = Economy(self.calibration.replace(theta=theta))
        run = _Run(self.scenario.replace({"parameters.delta": delta}), economy=economy)
        run.known_delta_star = self.delta_star
        path = run.run()
        if path.provenance.stability.get("stable") is False:
            raise ConvergenceError(
                f"{self.scenario.name}, delta = {delta:.6g}: the path is around an unstable equilibrium and is no "
                f"outcome; keep delta below {self.delta_star:.4g}"
            )
        return path

    def respond(self, delta: float, reading: Reading | None = None) -> Response:
        """Run (26) on the path at δ.

        Raises
        ------
        ConvergenceError
            If there is no path, or the regression did not converge.
        DataError
            If the sample cannot be built, or reaches beyond the path.
        """
        how = reading or Reading()
        if how.last > self.last:
            raise DataError(f"years to {how.last}: the paths of this episode end in {self.last}")
        path = self.path(delta)
        exposure = bundle_exposure(self.calibration, PATENTS) if how.exposure == "bundle" else 1.0
        panel = panel_from_path(
            path, "patents", noise=False, exposure=exposure, observed=how.observed,
            pre_years=max(0, path.times[0].year - how.first),
        )  # fmt: skip
        years = range(how.first, how.last + 1)
        sample = design(panel, self.sensitivity(how), group=how.group, outcome="count", years=years)
        fit = sample.fit("PPML")
        return Response(
            delta=float(delta), coefficient=fit.coefficient(TERM), std_error=fit.std_error(TERM), sd=sample.sd,
            observations=fit.observations, clusters=fit.clusters, residual=path.certificate, alerts=path.warnings,
        )  # fmt: skip

    def sensitivity(self, reading: Reading) -> pd.Series[float]:
        """Sensitivity by sector, manufacturing alone."""
        return model_requirements(self.calibration) if reading.measure == "model" else requirements()


class _Run(Simulation):
    """A simulation that is told δ*, which does not depend on δ, instead of searching for it on every path."""

    known_delta_star = math.nan

    @cached_property
    def stability(self) -> Stability:
        """Stability of the baseline, without the search."""
        return self._stability_given(self.known_delta_star)


def auxiliary(scenario: Scenario | str, delta: float, reading: Reading | None = None) -> Response:
    """Simulate a scenario at δ and return what regression (26) finds on its path, (27).

    Parameters
    ----------
    scenario : Scenario or str
        A scenario, a bundled name or a path.
    delta : float
        Strength of the externality in (3).
    reading : Reading, optional

    Raises
    ------
    InputError
        If the scenario has no patents that respond.
    ConvergenceError
        If there is no path, it is unstable, or the regression did not converge.
    """
    from reesim.scenario import Scenario

    how = reading or Reading()
    loaded = Scenario.load(scenario) if isinstance(scenario, str) else scenario
    return Episode(loaded, last=how.last).respond(delta, how)


def requirements() -> pd.Series[float]:
    """Sensitivity (25) of the model's manufacturing sectors, from the extended input-output table as shipped."""
    import pandas as pd

    return pd.Series(_shipped(), name="sensitivity")


@cache
def _shipped() -> Mapping[str, float]:
    from reesim.empirics.iotable.outputs import shipped

    found = shipped()["sectors"].set_index("sector")["sensitivity"].drop(list(NOT_MANUFACTURING))
    return MappingProxyType({str(code): float(value) for code, value in found.items()})


def model_requirements(calibration: Calibration) -> pd.Series[float]:
    """Rare earths per USD of a sector's final demand in the model's own world table, at user prices.

    Direct use over output, carried through the Leontief inverse of all regions and sectors, then averaged over regions by
    output. No score of complementarity enters: in the model that is 1 − ε.
    """
    import pandas as pd

    n, s = len(calibration.regions), len(calibration.sectors)
    revenue, expenditure = calibration.revenue_is, calibration.expenditure_is
    made = np.where(revenue > 0.0, revenue, 1.0)
    use = (calibration.mu - 1.0) / calibration.mu * calibration.ree_share_is * calibration.value_added_is
    shares = calibration.trade_jis / np.where(expenditure > 0.0, expenditure, 1.0)
    # Purchases from j, k by a dollar of output of i, s; materials are by buyer first, then by composite.
    bought = np.einsum("jik,isk->jkis", shares, calibration.materials_iks / made[:, :, None])
    inverse_t = np.eye(n * s) - bought.reshape(n * s, n * s).T
    total: Array = np.linalg.solve(inverse_t, (use / made).ravel()).reshape(n, s)
    mean = (total * revenue).sum(axis=0) / np.where(revenue.sum(axis=0) > 0.0, revenue.sum(axis=0), 1.0)
    found = pd.Series(mean, index=list(calibration.sectors.codes), name="sensitivity")
    return found.drop([code for code in NOT_MANUFACTURING if code in found.index])


def long_run_slope(calibration: Calibration, delta: float, sensitivity: pd.Series[float]) -> float:
    """Slope of β_s of (8) on sensitivity, times its standard deviation: what a log point of the foreign price does in the end.

    Parameters
    ----------
    calibration : Calibration
    delta : float
    sensitivity : pandas.Series
        By code of sector.

    Returns
    -------
    float
        Log points of A_R/A_L per standard deviation of sensitivity and log point of w_R/w_L.
    """
    at = [calibration.sectors.index(code) for code in sensitivity.index]
    apart = 1.0 - calibration.epsilon_s[at]
    variety = calibration.mu - 1.0
    beta = apart * variety / (variety + apart + delta * variety * apart)  # κ of (8): μ − ε = μ − 1 + 1 − ε
    x = sensitivity.to_numpy(dtype=np.float64)
    return float(np.polyfit(x, beta, 1)[0] * x.std(ddof=1))
