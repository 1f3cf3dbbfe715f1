"""Static equilibria solved directly, without time: each with its certificate and, for endogenous technology, its stability."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date as Date
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from reesim import calibration as calibrating
from reesim import decomposition
from reesim._core import newton
from reesim._core.certificate import residual as certify
from reesim._core.layout import ROW, Layout, Parameters, no_policy
from reesim._core.reference_engine import NotSolved
from reesim._core.static import StaticSolver
from reesim.economy import Economy
from reesim.errors import CalibrationError, ConvergenceError, InputError
from reesim.labels import Labels
from reesim.lowering import lower, slack_alerts
from reesim.outcomes import Outcomes, real_gdp_alert
from reesim.scenario.calendar import Calendar, parse_window
from reesim.stability import Stability, stability_at
from reesim.variables import VARIABLES, variable

if TYPE_CHECKING:
    import pandas as pd

    from reesim.calibration import Calibration
    from reesim.data.composite import TradeTable
    from reesim.data.tables import WorldTable
    from reesim.decomposition import TradeDecomposition, WelfareDecomposition
    from reesim.scenario import Scenario

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
        Name of the scenario, window whose policy holds, ``"endogenous"``, ``"fixed"`` or ``"none"``.
    regions, sectors : Labels
    values, baseline : mapping of str to ndarray
        Variables by name, (*axes), at the equilibrium and at the baseline.
    certificate : Certificate
    stability : Stability or None
        None where there is no entry.
    parameters : layout.Parameters
    row, policy : ndarray
        The solution and its policy as the core has them.
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
    parameters: Parameters
    row: Array
    policy: Array
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

    def trade_decomposition(self, weights: Literal["baseline", "midpoint"] = "baseline") -> TradeDecomposition:
        """Terms and volume of trade behind the change of welfare, as `reesim.trade_decomposition` has them."""
        return decomposition.trade_decomposition(
            self.parameters, self.regions, self.sectors, self.row, self.policy, weights
        )

    def welfare_decomposition(self) -> WelfareDecomposition:
        """Channels behind the change of welfare, with the remainder, as `reesim.welfare_decomposition` has them."""
        return decomposition.welfare_decomposition(self.parameters, self.regions, self.row, self.policy)

    def to_dataframe(self) -> pd.DataFrame:
        """Tidy table: variable, region, partner, sector, value, unit."""
        from reesim.results import frames

        return frames.tidy(self.values, self.regions, self.sectors, None)


# --- solving --------------------------------------------------------------------------------------------------------------


def solve_row(economy: Economy, policy: Array, endogenous: bool, *, date: str = "") -> tuple[Array, Certificate]:
    """Solve an economy at one policy block: Anderson's iteration, and Newton's method where that fails.

    Sectors that are not traded are eliminated first where that is exact; the certificate is the whole economy's.

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
    row, why = _condensed_row(economy, policy) if not endogenous else None, ""
    if row is None:
        row, why = _full_row(economy, policy, endogenous)
    residual, equation, i, s = certify(parameters, policy, (endogenous, True, True), row)
    place = (economy.regions.codes[i] if i >= 0 else "", economy.sectors.codes[s] if s >= 0 else "")
    views = Layout(ROW, parameters.regions, parameters.sectors).views(row)
    as_told = endogenous or bool((views["A_R"] == 1.0).all() and (views["A_L"] == 1.0).all())
    if not why and residual <= TOLERANCE and as_told and np.isfinite(row).all():
        return row, Certificate(residual, equation, *place)
    off = "is not met" if np.isinf(residual) else f"is off by {residual:.1e}"
    raise ConvergenceError(
        f"no static equilibrium found{f' for {date}' if date else ''}: {equation} {off}"
        f"{' in ' + ', '.join(part for part in place if part) if any(place) else ''}"
        f"{f' ({why})' if why else ''}. {advice(economy, endogenous)}",
        residual=residual, equation=equation, region=place[0], sector=place[1], date=date,
    )  # fmt: skip


def advice(economy: Economy, endogenous: bool) -> str:
    """What to try where no equilibrium is found."""
    par = economy.parameters.views()
    tries = "Try a milder policy" + (" (a higher quota or leakage)" if par["ree_supply"].any() else "")
    tries += ", a lower delta, or a lower sigma" if endogenous else " or a lower sigma"
    if np.abs(par["deficit0"]).max() > 0.0 and not economy.parameters.deficit_follows_income:
        tries += "; or deficit: removed, since constant deficits need trade to pay for them"
    return tries


def _full_row(economy: Economy, policy: Array, endogenous: bool) -> tuple[Array, str]:
    """Row of the economy as it is, and why it is none, if it is none."""
    solver, why = StaticSolver(economy.parameters, endogenous, economy.correction), ""
    if solver.solve(policy):
        return solver.found, why
    try:
        x, _ = newton.solve_by_degrees(solver, policy)
    except (NotSolved, np.linalg.LinAlgError) as error:
        why, x = str(error), solver.unknowns
    return solver.row(policy, x) if np.isfinite(x).all() else economy.baseline_row(), why


def _condensed_row(economy: Economy, policy: Array) -> Array | None:
    """Row by way of the economy's traded sectors alone; None where that is not exact or did not converge."""
    condensed = economy.condensed
    small = None if condensed is None else condensed.policy(policy)
    if condensed is None or small is None:
        return None
    solver = StaticSolver(condensed.parameters, False, condensed.correction)
    return condensed.row(policy, solver.found) if solver.solve(small) else None


# --- scenarios ------------------------------------------------------------------------------------------------------------


def baseline(scenario: Scenario, table: WorldTable | TradeTable | None = None) -> Economy:
    """Return the economy of a scenario at its baseline, solved again first if the scenario asks for it.

    That is the case where deficits are removed, and where negative final demand of the table is clipped.

    Raises
    ------
    CalibrationError, ConvergenceError
        If there is no balanced baseline, or none is found.
    """
    calibration = calibrating.calibrate(scenario, table)
    clipped = scenario.calibration.negative_final_demand == "clip" and bool((calibration.final_is < 0.0).any())
    removed = calibration.deficit == "removed"
    if removed or clipped:
        calibration = resolved(
            calibration, deficits=not removed, clip=clipped, endogenous=scenario.technology != "none"
        )
    return Economy(calibration)


def resolved(
    calibration: Calibration, *, deficits: bool = True, clip: bool = False, endogenous: bool = True
) -> Calibration:
    """Solve the baseline again under other conditions and make the solution the baseline, (16).

    Parameters
    ----------
    deficits : bool
        Whether regions keep their trade deficits, by the closure of the calibration.
    clip : bool
        Whether final demand below zero counts as zero, the shares of the rest adding to one.
    endogenous : bool
        Technology. Fixed technology is for an economy without research: excess profits would stay in the new baseline.

    Raises
    ------
    CalibrationError
        If some regions only sell to others, or only buy, and deficits are to go.
    ConvergenceError
        If no such baseline is found.
    """
    if not deficits:
        _require_trade_both_ways(calibration)
    economy = Economy(calibration, deficits=deficits, clip=clip)
    what = " and ".join(
        part for part, said in (("without deficits", not deficits), ("with final demand clipped", clip)) if said
    )
    row, _ = solve_row(economy, no_policy(economy.parameters), endogenous, date=f"the baseline {what}")
    views, par = (
        Layout(ROW, economy.parameters.regions, economy.parameters.sectors).views(row),
        economy.parameters.views(),
    )
    trade = views["trade_share"] * views["expenditure"][None] / (par["tariff0"] * par["export_tax0"])
    changed = calibration.replace(
        trade_jis=trade,
        materials_iks=(materials := par["phi"] * trade.sum(axis=1)[:, :, None]),
        final_is=(trade * par["tariff0"] * par["export_tax0"]).sum(axis=0) - materials.sum(axis=1),
        ree_share_is=views["ree_share"],
    )
    off = 0.0 if deficits else np.abs(changed.deficit_i).max() / changed.own_income_i.max()
    if off > TOLERANCE:
        raise CalibrationError(f"deficits of {off:.1e} of income are left after removing them")
    return changed


def _require_trade_both_ways(calibration: Calibration) -> None:
    """Without deficits what a group of regions sells to the others pays for what it buys from them: both or neither."""
    from scipy.sparse.csgraph import connected_components

    flows = calibration.trade_jis.sum(axis=2) > 0.0
    (groups, group), (circles, circle) = (connected_components(flows, connection=kind) for kind in ("weak", "strong"))
    if groups != circles:  # somebody is in a smaller circle of mutual trade than in the group of those who trade at all
        smaller = np.bincount(circle)[circle] < np.bincount(group)[group]
        alone = [calibration.regions.codes[i] for i in np.flatnonzero(smaller)]
        raise CalibrationError(
            f"deficits cannot be removed: {', '.join(alone[:8])} buy from others without selling to them, or the reverse. "
            "Aggregate them with a neighbour, or keep deficits"
        )


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
    technology : {"endogenous", "fixed", "none"}, optional
        The scenario's by default; a scenario without research has no other.
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
    if technology not in ("endogenous", "fixed", "none"):
        raise InputError(f"no technology {technology!r}: 'endogenous', 'fixed' or 'none'")
    if (technology == "none") != (scenario.technology == "none"):
        raise InputError(f"the scenario's technology is {scenario.technology!r}: its baseline has no other kind")
    economy = economy or baseline(scenario)
    first, last = _window(scenario, date)
    label = f"{first}" if first == last else f"{first} to {last}"
    policy = lower(scenario.schedule_at(first, last), economy)[0][0]
    endogenous = technology == "endogenous"
    row, certificate = solve_row(economy, policy, endogenous, date=label)
    lives = scenario.adjustment
    speeds = (lives.entry, lives.prices, lives.trade)
    stability = stability_at(economy, policy, row, speeds, _fine_step(speeds)) if endogenous else None
    none = no_policy(economy.parameters)
    before = Outcomes(economy.parameters, economy.calibration, economy.baseline_row()[None], none[None], np.zeros(1))
    after = Outcomes(economy.parameters, economy.calibration, row[None], policy[None], np.array([certificate.residual]))
    alerts = stability.alerts(scenario.parameters.delta) if stability else ()
    doubt = real_gdp_alert(after.real_gdp_doubt(), economy.regions, (label,))
    return Equilibrium(
        scenario=scenario.name, date=label, technology=technology, regions=economy.regions, sectors=economy.sectors,
        values=dict(_single(after)), baseline=dict(_single(before)), certificate=certificate, stability=stability,
        parameters=economy.parameters, row=row, policy=policy,
        choices=dict(economy.calibration.choices), alerts=(*alerts, *slack_alerts(policy[None], economy), *doubt),
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
