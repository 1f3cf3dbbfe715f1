"""What is not known of the elasticities, carried through the model: a scenario over draws, and the bands it stays in."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reesim.errors import ConvergenceError, InputError
from reesim.labels import Labels
from reesim.scenario.estimates import Draws
from reesim.variables import VARIABLES, variable

if TYPE_CHECKING:
    import pandas as pd

    from reesim.results.path import Path
    from reesim.scenario import Scenario

Array = NDArray[np.float64]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
FEWEST = 2


@dataclass(frozen=True, slots=True, eq=False)
class Bands:
    """A variable of a scenario over draws of its elasticities.

    Parameters
    ----------
    variable : str
    times : pandas.DatetimeIndex, (T,)
    regions, sectors : Labels
    central : (T, *axes) ndarray
        At the estimates themselves.
    paths : (n, T, *axes) ndarray
        By draw.
    quantiles : tuple of float, (Q,)
    rejected : int
        Draws outside the range in which the model has a meaning, drawn anew.
    unstable, failed : int
        Draws left out because their equilibrium is not stable, or because there was no path.
    """

    variable: str
    times: pd.DatetimeIndex
    regions: Labels
    sectors: Labels
    central: Array
    paths: Array
    quantiles: tuple[float, ...]
    rejected: int
    unstable: int
    failed: int

    @property
    def values(self) -> Array:
        """Quantiles over draws, (Q, T, *axes)."""
        return np.asarray(np.quantile(self.paths, self.quantiles, axis=0))

    def to_dataframe(self) -> pd.DataFrame:
        """Tidy table: time, region, partner, sector (as far as the variable has them), estimate, and a column a quantile."""
        import pandas as pd

        axes = VARIABLES[self.variable].axes
        labels = [self.sectors.codes if axis == "sector" else self.regions.codes for axis in axes]
        index = pd.MultiIndex.from_product([self.times, *labels], names=["time", *axes])
        columns = {"estimate": self.central.ravel()}
        columns |= {f"q{100 * q:g}": band.ravel() for q, band in zip(self.quantiles, self.values, strict=True)}
        return pd.DataFrame(columns, index=index).reset_index()

    def line(self) -> str:
        """How many draws are behind the bands, in a sentence."""
        return (
            f"Bands of {self.variable}: {len(self.paths)} draws; {self.rejected} outside the range of the model drawn anew, "
            f"{self.unstable} unstable and {self.failed} without a path left out."
        )


def bands(
    scenario: Scenario, variable: str, n: int = 100, seed: int = 0, quantiles: Sequence[float] = QUANTILES,
    threads: int | None = None,
) -> Bands:  # fmt: skip
    """Run a scenario over draws of its estimated elasticities.

    Parameters
    ----------
    scenario : Scenario
        With ``parameters: {from: estimates.json}``.
    variable : str
        Name in the registry.
    n, seed : int
        Draws, and the seed that makes them the same again.
    quantiles : sequence of float
        Between 0 and 1, rising.
    threads : int, optional
        As many as there are processors by default; results do not depend on it.

    Raises
    ------
    InputError
        If the scenario names no estimates, the covariance is too wide to draw from, or hardly a draw has a stable path.
    LabelError
        If there is no such variable.
    ConvergenceError
        If the estimates themselves have no path.
    """
    return bands_of(scenario, (variable,), n, seed, quantiles, threads)[0]


def bands_of(
    scenario: Scenario, variables: Sequence[str], n: int = 100, seed: int = 0, quantiles: Sequence[float] = QUANTILES,
    threads: int | None = None,
) -> tuple[Bands, ...]:  # fmt: skip
    """Bands of several variables from the same runs; parameters and errors as of `bands`."""
    for name in variables:
        variable(name)
    levels = tuple(float(q) for q in quantiles)
    if not levels or any(not 0.0 <= q <= 1.0 for q in levels) or list(levels) != sorted(set(levels)):
        raise InputError(f"quantiles {levels}: should rise from 0 to 1")
    lean = scenario.replace({"output.variables": list(variables)})
    drawn = lean.elasticities().sample(n, seed)
    central = _run(lean)
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        found = list(pool.map(lambda draw: _drawn(lean, drawn, draw), range(len(drawn))))
    stable = [path for path in found if path is not None and path.provenance.stability.get("stable", True) is not False]
    failed = sum(path is None for path in found)
    if len(stable) < FEWEST:
        raise InputError(
            f"of {n} draws {failed} have no path and {n - failed - len(stable)} are unstable: nothing to make bands of; draw "
            "more, lower parameters.delta, or draw from tighter estimates"
        )
    return tuple(
        Bands(
            name, central.times, central.regions, central.sectors, central.array(name),
            np.stack([path.array(name) for path in stable]), levels, drawn.rejected, n - failed - len(stable), failed,
        )
        for name in variables
    )  # fmt: skip


def _drawn(scenario: Scenario, drawn: Draws, draw: int) -> Path | None:
    told = drawn.parameters(draw)
    changes: dict[str, object] = {"parameters.epsilon": dict(scenario.parameters.epsilon) | told["epsilon"]}
    if scenario.world.requirements is None:  # (23) implies the weights there
        changes["parameters.gamma"] = dict(scenario.parameters.gamma) | told["gamma"]
    try:
        return _run(scenario.replace(changes))
    except ConvergenceError:  # counted: an elasticity at the edge need not have an equilibrium
        return None


def _run(scenario: Scenario) -> Path:
    from reesim.simulation import Simulation

    return Simulation(scenario).run()
