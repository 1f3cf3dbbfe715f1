"""Bootstrap of (24) over regions: the joint distribution of all sectors' estimates, without a formula for their errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reesim.empirics.structural.fit import StructuralFit
from reesim.errors import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Bootstrap:
    """Estimates over resampled regions.

    Parameters
    ----------
    sectors : tuple of str, (S,)
    slope : (B, S) ndarray
        Beta of each resample; regions are drawn with replacement, the same for all sectors.
    fit : StructuralFit
        What was resampled.
    """

    sectors: tuple[str, ...]
    slope: Array
    fit: StructuralFit

    @property
    def epsilon(self) -> Array:
        """Epsilon of each resample, (B, S); nan where the slope admits none."""
        return self.fit.specification.technology.epsilon(self.slope)

    @property
    def refused(self) -> Array:
        """Share of resamples by sector in which no epsilon above zero belongs to the slope, (S,)."""
        return np.asarray((~self.fit.specification.technology.admissible(self.slope)).mean(axis=0))

    def std_error(self) -> Array:
        """Standard deviation of epsilon over the resamples that have one, (S,)."""
        return np.asarray(np.nanstd(self.epsilon, axis=0, ddof=1))

    def interval(self, level: float = 0.95) -> tuple[Array, Array]:
        """Percentile interval of epsilon, (S,) each: the image of that of beta, so that no resample has to be left out."""
        tail = (1.0 - level) / 2.0
        low, high = np.quantile(self.slope, [tail, 1.0 - tail], axis=0)
        return self.fit.specification.technology.epsilon_interval(low, high)


def bootstrap(fit: StructuralFit, draws: int = 999, seed: int = 0) -> Bootstrap:
    """Resample the regions of a fit with replacement.

    Raises
    ------
    InputError
        If it is a Poisson fit, whose errors are by leaving regions out; if sectors have other regions than one another;
        if a draw of regions leaves no variation; or if there are no draws.
    """
    if draws < 2 or seed < 0:
        raise InputError(f"{draws} resamples with seed {seed}: at least 2 are needed, and a seed of 0 or more")
    lines = [one.line for one in fit.sectors]
    parts = [line.moments for line in lines if line.moments is not None]
    if len(parts) < len(lines):
        raise InputError("a Poisson fit is not resampled: its errors by leaving out each region say the same")
    if len({line.regions for line in lines}) > 1:
        raise InputError(
            "sectors have different regions, and all must be resampled together: give every sector all regions"
        )
    groups = len(lines[0].regions)
    weights = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1.0 / groups), size=draws).astype(float)
    try:
        slope = np.column_stack([part.resampled(weights)[:, 0] for part in parts])
    except np.linalg.LinAlgError as error:
        raise InputError(
            f"{groups} regions are too few to resample: in a draw of them log(w_R/w_L) does not vary; take errors by jackknife"
        ) from error
    return Bootstrap(tuple(one.sector for one in fit.sectors), slope, fit)
