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
from reesim.outcomes import Outcomes, real_gdp_alert
from reesim.scenario import policy as instruments
from reesim.scenario.calendar import Calendar, parse_window
from reesim.stability import Stability, stability_at
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
        if self.stability is not None and self.stability.stable:
            lines.append(
                f"  half-life of the slowest mode {self.stability.transition_half_life:.3g} years at these speeds"
            )
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
    views = Layout(ROW, parameters.regions, parameters.sectors).views(row)
    as_told = endogenous or bool((views["A_R"] == 1.0).all() and (views["A_L"] == 1.0).all())
    if not why and residual <= TOLERANCE and as_told and np.isfinite(row).all():
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
    lives = scenario.adjustment
    speeds = (lives.entry, lives.prices, lives.trade)
    stability = stability_at(economy, policy, row, speeds, _fine_step(speeds)) if endogenous else None
    none = no_policy(len(economy.regions))
    before = Outcomes(economy.parameters, economy.calibration, economy.baseline_row()[None], none[None], np.zeros(1))
    after = Outcomes(economy.parameters, economy.calibration, row[None], policy[None], np.array([certificate.residual]))
    alerts = stability.alerts(scenario.parameters.delta) if stability else ()
    doubt = real_gdp_alert(after.real_gdp_doubt(), economy.regions, (label,))
    return Equilibrium(
        scenario=scenario.name, date=label, technology=technology, regions=economy.regions, sectors=economy.sectors,
        values=dict(_single(after)), baseline=dict(_single(before)), certificate=certificate, stability=stability,
        choices=dict(economy.calibration.choices), alerts=(*alerts, *doubt),
    )  # fmt: skip


def _fine_step(half_lives: tuple[float, float, float]) -> float:
    """Length of a step, in years, that follows the fastest state closely: a month, or a tenth of the shortest half-life."""
    return min(1.0 / 12.0, *(0.1 * life for life in half_lives if 0.0 < life < math.inf), 1.0 / 12.0)


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
