"""Stability of equilibria: the spectrum of the entry dynamics, delta*, and how long a transition really takes, (22)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reesim._core.layout import STATE, Layout, no_policy
from reesim._core.stepper import Stepper
from reesim.calibration import Calibration
from reesim.economy import Economy
from reesim.errors import ConvergenceError
from reesim.rules import share_of_gap

Array = npt.NDArray[np.float64]

NEAR_EDGE = 0.9
"""Share of delta* above which every output warns."""

NEAR_ZERO = -0.06
"""Abscissa above which every output warns where delta* was not searched for: that of the embedded table at 0.9 delta*."""

SEARCH_ABOVE = -0.3
"""Abscissa above which delta* is searched for (a tenth of a second): below it no policy brings the spectrum near zero."""

NUDGE = 1e-6
"""Perturbation of a state, against a step solved to 1e-13: derivatives to about seven digits."""


WIDE_NUDGE = 1e-4
"""The same for central differences, whose error is its square: the spectrum to about eight digits."""

DENSE = 400
"""Measures up to which the whole spectrum is computed; for more, only its largest real part is."""


@dataclass(frozen=True, slots=True)
class Stability:
    """Linearised dynamics at an equilibrium, (21)-(22).

    Parameters
    ----------
    stable : bool
        Whether entry, prices and trade at once, returns to the equilibrium: all real parts of its spectrum negative.
    spectral_abscissa : float
        Largest real part for a speed of entry of one.
    half_life : float
        Years in which the slowest mode of entry halves with prices and trade at once; inf if unstable or entry never moves.
    entry_speed : float
        ln 2 over the half-life of entry, a year.
    delta_star : float
        Where the baseline loses stability as delta rises; nan where it is far off, or the economy is large, and it was not
        searched for.
    transition_half_life : float
        Years in which the slowest mode of the whole transition halves, at the scenario's speeds of entry, prices and trade: what
        a path really takes. inf if a step does not contract, nan if it was not found.
    """

    stable: bool
    spectral_abscissa: float
    half_life: float
    entry_speed: float
    delta_star: float = math.nan
    transition_half_life: float = math.nan

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
                f"delta = {delta:g} is close to delta* = {self.delta_star:.4g}, where equilibria lose stability: "
                "numbers degrade",
            )
        if math.isnan(self.delta_star) and self.spectral_abscissa > NEAR_ZERO:
            return (
                f"the spectrum of entry comes close to zero (abscissa {self.spectral_abscissa:+.3g} at a speed of one), "
                "where equilibria lose stability: numbers degrade",
            )
        if math.isinf(self.transition_half_life):
            return ("an explicit step does not contract around this equilibrium: raise calendar.substeps",)
        return ()


def abscissa(economy: Economy, policy: Array, row: Array) -> float:
    """Largest real part of the entry dynamics at a row, for a speed of entry of one, prices and trade at once, (22)."""
    spectrum = entry_dynamics(economy, policy, row)
    return float(np.linalg.eigvals(spectrum).real.max()) if isinstance(spectrum, np.ndarray) else spectrum


def entry_dynamics(economy: Economy, policy: Array, row: Array) -> Array | float:
    """Jacobian of log(profit / entry cost) with respect to log measures that exist, prices and trade at once, (22).

    Central differences of the step itself.

    Returns
    -------
    (m, m) ndarray
        For up to `DENSE` measures; the largest real part of the spectrum, by Arnoldi's method, for more.

    Raises
    ------
    ConvergenceError
        If a neighbouring period was not solved, or Arnoldi's method found no eigenvalue.
    """
    from scipy.sparse.linalg import ArpackError, LinearOperator, eigs

    step, start = _step_map(economy, policy, row, [0.5, 1.0, 1.0])
    measures = _lagging(economy, [0.5, 1.0, 1.0])

    def derivative(direction: Array) -> Array:
        sides = []
        size = max(np.abs(direction).max(), 1e-300)
        for sign in (WIDE_NUDGE, -WIDE_NUDGE):
            state = start.copy()
            state[measures] *= np.exp(sign * direction.ravel() / size)
            after = step(state)
            if after is None:
                raise ConvergenceError(
                    "stability: no temporary equilibrium beside this one; it lies near an edge. Try a lower delta"
                )
            sides.append(2.0 * np.log(after[measures] / state[measures]))  # a step closes half of each gap
        slope: Array = (sides[0] - sides[1]) * (size / (2.0 * WIDE_NUDGE))
        return slope

    count = measures.size
    if count == 0:
        return -math.inf
    if count <= DENSE:
        return np.array([derivative(unit) for unit in np.eye(count)]).T
    operator = LinearOperator((count, count), matvec=derivative, dtype=np.float64)
    begin = np.random.default_rng(0).standard_normal(count)
    try:
        found = eigs(operator, k=1, which="LR", v0=begin, tol=1e-6, maxiter=200, return_eigenvectors=False)
    except ArpackError as error:
        raise ConvergenceError(f"stability: {error}. Solve without it, or aggregate the table") from error
    return float(found[0].real)


def stability_at(
    economy: Economy,
    policy: Array,
    row: Array,
    half_lives: tuple[float, float, float],
    years: float,
    known_delta_star: float | None = None,
) -> Stability:
    """Stability of an equilibrium.

    Parameters
    ----------
    half_lives : (3,) tuple of float
        Of entry, prices and trade, in years.
    years : float
        Length of one explicit step.
    known_delta_star : float, optional
        Where equilibria lose stability, if that is known: it does not depend on delta, and the search for it takes time.
    """
    worst = abscissa(economy, policy, row)
    entry = half_lives[0]
    near = worst > SEARCH_ABOVE and economy.calibration.theta > 0.0 and measures_of(economy) <= DENSE
    edge = known_delta_star
    if edge is None:
        edge = delta_star(economy.calibration) if near else math.nan
    return Stability(
        stable=worst < 0.0,
        spectral_abscissa=worst,
        half_life=entry / -worst if worst < 0.0 else math.inf,
        entry_speed=math.log(2.0) / entry if entry > 0.0 else math.inf,
        delta_star=edge,
        transition_half_life=transition_half_life(economy, policy, row, half_lives, years),
    )


def measures_of(economy: Economy) -> int:
    """How many measures of varieties there are to move."""
    par = economy.parameters.views()
    return int((par["research_R0"] > 0.0).sum() + (par["research_L0"] > 0.0).sum())


def delta_star(calibration: Calibration, *, highest: float = 3.0) -> float:
    """Externality at which the baseline's entry dynamics lose stability; inf if not below ``highest``.

    0.284 on the embedded table at sigma = 6, mu = 6.5.
    """
    from scipy.optimize import brentq

    spillover = 1.0 / (calibration.mu - 1.0)

    def worst(delta: float) -> float:
        economy = Economy(calibration.replace(theta=delta + spillover))
        return abscissa(economy, no_policy(economy.parameters), economy.baseline_row())

    low, high = -spillover, 0.25
    while worst(high) < 0.0:
        low, high = high, 2.0 * high
        if high > highest:
            return math.inf
    return float(brentq(worst, low, high, xtol=1e-9))


def transition_half_life(
    economy: Economy, policy: Array, row: Array, half_lives: tuple[float, float, float], years: float
) -> float:
    """Years in which the slowest mode of the step map halves: states that lag, each at its own speed, (21)-(22).

    Returns
    -------
    float
        0 if nothing lags, inf if a step does not contract, nan if the largest eigenvalue was not found.
    """
    from scipy.sparse.linalg import ArpackError, LinearOperator, eigs

    speeds = [share_of_gap(life, years) for life in half_lives]
    step, start = _step_map(economy, policy, row, speeds)
    moving = _lagging(economy, speeds)
    if moving.size == 0:
        return 0.0
    rest = step(start)
    if rest is None:
        return math.nan

    def derivative(direction: Array) -> Array:
        state = start.copy()
        state[moving] += NUDGE * direction.ravel() / max(np.abs(direction).max(), 1e-300)
        moved = step(state)
        if moved is None:
            raise ArpackError(-9999, {-9999: "a perturbed period was not solved"})
        return (moved - rest)[moving] * (max(np.abs(direction).max(), 1e-300) / NUDGE)

    operator = LinearOperator((moving.size, moving.size), matvec=derivative, dtype=np.float64)
    begin = np.random.default_rng(0).standard_normal(moving.size)
    try:
        largest = abs(eigs(operator, k=1, which="LM", v0=begin, tol=1e-6, maxiter=300, return_eigenvectors=False)[0])
    except ArpackError:
        return math.nan
    return -math.log(2.0) * years / math.log(largest) if largest < 1.0 else math.inf


def _step_map(
    economy: Economy, policy: Array, row: Array, speeds: list[float]
) -> tuple[Callable[[Array], Array | None], Array]:
    """One explicit step as a function of the state block, and the state of a row."""
    stepper = Stepper(economy.parameters, speeds)
    start = np.array(row[: stepper.state.size])

    def step(state: Array) -> Array | None:
        stepper.place(row)
        stepper.state[...] = state
        if stepper.solve(policy) is None:
            return None
        stepper.follow()
        return np.array(stepper.state)

    return step, start


def _lagging(economy: Economy, speeds: list[float]) -> npt.NDArray[np.intp]:
    """Positions in the state block of what moves, but not at once."""
    parameters = economy.parameters
    layout = Layout(STATE, parameters.regions, parameters.sectors)
    mask = np.zeros(layout.size, dtype=bool)
    views, par = layout.views(mask), parameters.views()
    entry, price, trade = (0.0 < speed < 1.0 for speed in speeds)
    views["A_R"][...], views["A_L"][...] = entry & (par["research_R0"] > 0.0), entry & (par["research_L0"] > 0.0)
    views["posted_price"][...], views["trade_share"][...] = price, trade & (par["trade_share0"] > 0.0)
    return np.flatnonzero(mask)
