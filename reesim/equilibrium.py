"""Static equilibria solved directly, without time: each with its certificate and, for endogenous technology, its stability."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date as Date
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from reesim import calibration as calibrating
from reesim._core import newton
from reesim._core import reference as ref
from reesim._core.certificate import residual as certify
from reesim._core.layout import POLICY, ROW, Layout, Parameters
from reesim._core.reference_engine import NotSolved
from reesim._core.static import StaticSolver
from reesim.economy import Economy, no_policy
from reesim.errors import CalibrationError, ConvergenceError, InputError
from reesim.labels import Labels
from reesim.outcomes import Outcomes
from reesim.scenario import policy as instruments
from reesim.scenario.calendar import Calendar, parse_window
from reesim.variables import VARIABLES, variable

if TYPE_CHECKING:
    import pandas as pd

    from reesim.calibration import Calibration
    from reesim.data.tables import WorldTable
    from reesim.scenario import Scenario
    from reesim.scenario.policy import PolicySchedule

Array = npt.NDArray[np.float64]

TOLERANCE = 1e-10
"""Largest relative residual that a certificate may show, over all conditions of an equilibrium."""

NEAR_EDGE = 0.9
"""Share of delta* above which every output warns."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The largest relative residual over all conditions, recomputed from their definitions, and where it sits."""

    residual: float
    equation: str
    region: str = ""
    sector: str = ""

    def __str__(self) -> str:
        place = ", ".join(part for part in (self.equation, self.region, self.sector) if part)
        return f"largest residual {self.residual:.1e} ({place})"


@dataclass(frozen=True, slots=True)
class Stability:
    """Linearised entry dynamics at an equilibrium, prices and trade at once, (22).

    Parameters
    ----------
    stable : bool
        All real parts negative.
    spectral_abscissa : float
        Largest real part for a speed of entry of one; times ln 2 / half-life of entry it is the rate a year.
    half_life : float
        Years in which the slowest mode halves at the scenario's speed of entry; inf if unstable or entry never moves.
    entry_speed : float
        ln 2 over the half-life of entry, a year.
    delta_star : float
        Where the baseline loses stability as delta rises; nan where it is far off and was not searched for.
    """

    stable: bool
    spectral_abscissa: float
    half_life: float
    entry_speed: float
    delta_star: float = math.nan

    @property
    def rate(self) -> float:
        """Spectral abscissa a year, at the scenario's speed of entry."""
        return self.spectral_abscissa * self.entry_speed

    def alerts(self, delta: float) -> tuple[str, ...]:
        """What every output must say."""
        if not self.stable:
            return (
                f"UNSTABLE equilibrium (spectral abscissa {self.rate:+.3g} a year): "
                "entry moves away from it; do not read it as an outcome",
            )
        if delta > NEAR_EDGE * self.delta_star:
            return (
                f"delta = {delta:g} is close to delta* = {self.delta_star:.4g}, where equilibria lose stability: numbers degrade",
            )
        return ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Equilibrium:
    """A certified static equilibrium.

    Parameters
    ----------
    scenario, date, technology : str
        Name of the scenario, window whose policy holds, ``"endogenous"`` or ``"fixed"``.
    regions, sectors : Labels
    values, baseline : mapping of str to ndarray
        Variables by name, (*axes), at the equilibrium and at the baseline.
    certificate : Certificate
    stability : Stability or None
        None for fixed technology, which has no entry.
    choices : mapping of str to str
        Choices repeated with every result.
    alerts : tuple of str
        What every output must show.
    """

    scenario: str
    date: str
    technology: str
    regions: Labels
    sectors: Labels
    values: Mapping[str, Array]
    baseline: Mapping[str, Array]
    certificate: Certificate
    stability: Stability | None
    choices: Mapping[str, str] = field(default_factory=dict)
    alerts: tuple[str, ...] = ()

    def __repr__(self) -> str:
        welfare = ", ".join(
            f"{code} {100 * value:+.5f} %" for code, value in zip(self.regions, self.values["welfare"], strict=True)
        )
        lines = [
            f"<Equilibrium {self.scenario!r} at {self.date}, {self.technology} technology",
            f"  welfare {welfare}",
            f"  {self.certificate}",
        ]
        if self.stability is not None:
            lines.append(f"  slowest half-life {self.stability.half_life:.3g} years")
        lines += [f"  ! {alert}" for alert in self.alerts]
        return "\n".join(lines) + ">"

    def array(self, name: str) -> Array:
        """Return a variable, (*axes). Raises LabelError if there is none of that name."""
        variable(name)
        return self.values[name]

    def change(self, name: str) -> Array:
        """Change of a variable from the baseline in per cent, (*axes); nan where the baseline is zero."""
        before, now = self.baseline[variable(name).name], self.values[name]
        return 100.0 * (np.divide(now, before, out=np.full_like(now, np.nan), where=before != 0.0) - 1.0)

    def __getitem__(self, name: str) -> pd.Series[Any]:
        """Return a variable as a Series with labels."""
        from reesim.results import frames

        return frames.series(name, self.array(name), self.regions, self.sectors)

    def to_dataframe(self) -> pd.DataFrame:
        """Tidy table: variable, region, partner, sector, value, unit."""
        from reesim.results import frames

        return frames.tidy(self.values, self.regions, self.sectors, None)


# --- solving --------------------------------------------------------------------------------------------------------------


def policy_rows(schedule: PolicySchedule, parameters: Parameters) -> Array:
    """Lay a schedule out as policy blocks of the core, (T, policy size)."""
    layout = Layout(POLICY, parameters.regions, parameters.sectors)
    block = np.empty((len(schedule), layout.size))
    views = layout.views(block)
    views["tax"][...], views["embargo"][...] = schedule.tax_ti, schedule.embargo_ti
    views["quota"][...], views["rent_share"][...] = schedule.quota_t, schedule.rent_share_t
    return block


def solve_row(economy: Economy, policy: Array, endogenous: bool, *, date: str = "") -> tuple[Array, Certificate]:
    """Solve an economy at one policy block: Anderson's iteration, and Newton's method where that fails.

    Returns
    -------
    row : (row size,) ndarray
    certificate : Certificate

    Raises
    ------
    ConvergenceError
        Naming the worst equation, region and sector, and what to try.
    """
    parameters = economy.parameters
    solver = StaticSolver(parameters, endogenous)
    x = solver.unknowns if solver.solve(policy) else None
    why = ""
    if x is None:
        par, named = ref.unpack(parameters), ref.name_policy(parameters, policy)
        try:
            point, _ = _newton(par, named, endogenous)
            x = point.unknowns(par)
        except (NotSolved, np.linalg.LinAlgError) as error:
            why, x = str(error), solver.unknowns
    row = solver.row(policy, x) if np.isfinite(x).all() else economy.baseline_row()
    residual, equation, i, s = certify(parameters, policy, (endogenous, True, True), row)
    place = (economy.regions.codes[i] if i >= 0 else "", economy.sectors.codes[s] if s >= 0 else "")
    if not why and residual <= TOLERANCE and np.isfinite(row).all():
        return row, Certificate(residual, equation, *place)
    raise ConvergenceError(
        f"no static equilibrium found{f' for {date}' if date else ''}: {equation} is off by {residual:.1e}"
        f"{' in ' + ', '.join(part for part in place if part) if any(place) else ''}"
        f"{f' ({why})' if why else ''}. Try a milder policy (a higher quota or leakage), a lower delta, or a lower sigma",
        residual=residual, equation=equation, region=place[0], sector=place[1], date=date,
    )  # fmt: skip


def _newton(par: ref.Equations, policy: ref.Equations, endogenous: bool) -> tuple[newton.Point, int]:
    """Newton's method from the baseline; if that fails, along a path on which the policy tightens by degrees."""
    z = np.zeros(par.N * par.S + 2 * par.N)
    try:
        return newton.solve(par, policy, endogenous, z)
    except NotSolved:
        pass
    for degree in np.linspace(0.1, 1.0, 10):
        part = ref.Equations(
            tax=policy.tax**degree, rent_share=policy.rent_share,
            quota=policy.quota if np.isinf(policy.quota) else policy.quota**degree,
            embargo=np.where(np.isinf(policy.embargo), np.inf, policy.embargo**degree),
        )  # fmt: skip
        point, steps = newton.solve(par, part, endogenous, z)
        z = np.concatenate([point.log_c.ravel(), point.log_wage, point.log_ree])
    return point, steps


def abscissa(economy: Economy, policy: Array, row: Array) -> float:
    """Largest real part of the entry dynamics at a row, for a speed of entry of one, (22)."""
    parameters = economy.parameters
    par, named = ref.unpack(parameters), ref.name_policy(parameters, policy)
    views = ref.Equations(**Layout(ROW, parameters.regions, parameters.sectors).views(row))
    return float(np.linalg.eigvals(newton.entry_dynamics(par, named, views)).real.max())


def stability_at(economy: Economy, policy: Array, row: Array, entry_half_life: float) -> Stability:
    """Stability of an equilibrium, and delta* if delta is anywhere near it."""
    worst = abscissa(economy, policy, row)
    half_life = entry_half_life / -worst if worst < 0.0 else math.inf
    speed = math.log(2.0) / entry_half_life if entry_half_life > 0.0 else math.inf
    # A search for delta* costs a tenth of a second; far from the edge no policy moves the spectrum near it.
    near = worst > -0.3 and economy.calibration.theta > 0.0
    star = delta_star(economy.calibration) if near else math.nan
    return Stability(worst < 0.0, worst, half_life, speed, star)


def delta_star(calibration: Calibration, *, highest: float = 3.0) -> float:
    """Externality at which the baseline's entry dynamics lose stability; inf if not below ``highest``.

    Confirmed against the model document: 0.284 on the embedded table at sigma = 6, mu = 6.5.
    """
    from scipy.optimize import brentq

    spillover = 1.0 / (calibration.mu - 1.0)

    def worst(delta: float) -> float:
        economy = Economy(calibration.replace(theta=delta + spillover))
        return abscissa(economy, no_policy(len(calibration.regions)), economy.baseline_row())

    low, high = -spillover, 0.25
    while worst(high) < 0.0:
        low, high = high, 2.0 * high
        if high > highest:
            return math.inf
    return float(brentq(worst, low, high, xtol=1e-9))


# --- scenarios ------------------------------------------------------------------------------------------------------------


def baseline(scenario: Scenario, table: WorldTable | None = None) -> Economy:
    """Return the economy of a scenario at its baseline, deficits removed first if the scenario says so.

    Raises
    ------
    CalibrationError, ConvergenceError
        If there is no balanced baseline, or removing deficits has no equilibrium.
    """
    calibration = calibrating.calibrate(scenario, table)
    if calibration.deficit == "removed":
        calibration = without_deficits(calibration)
    return Economy(calibration)


def without_deficits(calibration: Calibration) -> Calibration:
    """Solve the baseline again without deficits, technology endogenous, and make that the baseline, (16)."""
    economy = Economy(calibration, deficits=False)
    row, _ = solve_row(economy, no_policy(len(calibration.regions)), True, date="the baseline without deficits")
    views = Layout(ROW, economy.parameters.regions, economy.parameters.sectors).views(row)
    trade = views["trade_share"] * views["expenditure"][None]
    revenue = trade.sum(axis=1)
    materials = economy.parameters.views()["phi"] * revenue[:, :, None]
    changed = calibration.replace(
        trade_jis=trade,
        materials_iks=materials,
        final_is=trade.sum(axis=0) - materials.sum(axis=1),
        ree_share_is=views["ree_share"],
    )
    off = np.abs(changed.deficit_i).max() / changed.own_income_i.max()
    if off > TOLERANCE:
        raise CalibrationError(f"deficits of {off:.1e} of income are left after removing them")
    return changed


def solve(
    scenario: Scenario | str, date: object = None, technology: str | None = None, *, economy: Economy | None = None
) -> Equilibrium:
    """Solve the static equilibrium of a scenario's policy at a date.

    Parameters
    ----------
    scenario : Scenario or str
        A scenario, a bundled name or a path.
    date : date or str, optional
        A partial date means its whole period, policies weighted by days. By default the first period of the scenario's
        calendar in which most instruments are in force.
    technology : {"endogenous", "fixed"}, optional
        The scenario's by default.
    economy : Economy, optional
        The scenario's baseline, when it is at hand.

    Raises
    ------
    ConvergenceError
        If no equilibrium is found to tolerance.
    InputError
        If the date or the technology is not one.
    """
    from reesim.scenario import Scenario

    scenario = Scenario.load(scenario) if isinstance(scenario, str) else scenario
    technology = technology or scenario.technology
    if technology not in ("endogenous", "fixed"):
        raise InputError(f"no technology {technology!r}: 'endogenous' or 'fixed'")
    economy = economy or baseline(scenario)
    first, last = _window(scenario, date)
    label = f"{first}" if first == last else f"{first} to {last}"
    schedule = instruments.at(
        scenario.policies, first, last, economy.regions, economy.calibration.exporter,
        scenario.calibration.baseline_tax, scenario.calibration.baseline_exports_tonnes,
    )  # fmt: skip
    policy = policy_rows(schedule, economy.parameters)[0]
    endogenous = technology == "endogenous"
    row, certificate = solve_row(economy, policy, endogenous, date=label)
    stability = stability_at(economy, policy, row, scenario.adjustment.entry) if endogenous else None
    none = no_policy(len(economy.regions))
    before = Outcomes(economy, economy.baseline_row()[None], none[None], np.zeros(1))
    after = Outcomes(economy, row[None], policy[None], np.array([certificate.residual]))
    return Equilibrium(
        scenario=scenario.name, date=label, technology=technology, regions=economy.regions, sectors=economy.sectors,
        values=dict(_single(after)), baseline=dict(_single(before)), certificate=certificate, stability=stability,
        choices=dict(economy.calibration.choices), alerts=stability.alerts(scenario.parameters.delta) if stability else (),
    )  # fmt: skip


def _single(outcomes: Outcomes) -> Iterator[tuple[str, Array]]:
    for name in VARIABLES:
        array = np.array(outcomes[name][0])
        array.setflags(write=False)
        yield name, array


def _window(scenario: Scenario, date: object) -> tuple[Date, Date]:
    if date is not None:
        try:
            return parse_window(date)
        except ValueError as error:
            raise InputError(f"date: {error}") from error
    calendar = Calendar.for_scenario(scenario)
    starts, ends = calendar.starts, calendar.ends
    in_force = np.zeros(len(starts), dtype=int)
    for policy in scenario.policies:
        first = np.datetime64(policy.start)
        after = np.datetime64(policy.end) + 1 if policy.end else ends[-1]
        in_force += (first <= starts) & (after >= ends)
    k = int(in_force.argmax())
    return starts[k].item(), (ends[k] - 1).item()
