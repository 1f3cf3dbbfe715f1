"""How estimators of (24) do on panels of which the truth is known: bias, spread, and how often intervals hold it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reesim.empirics.structural.inversion import log_odds
from reesim.empirics.structural.moments import Moments
from reesim.empirics.structural.simulate import Design, draw
from reesim.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

PANELS, SEED = 500, 2010
ENDOGENEITY = 0.2
"""What a price shock of one adds to log(A_R/A_L) where prices are endogenous: as much as a slope of 0.2, transport's."""

BATCH = 100
"""Panels drawn at once: 12 sectors, 8 regions and 17 years of them are 13 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class MonteCarlo:
    """Results by sector.

    Parameters
    ----------
    design : Design
    method : {"OLS", "2SLS"}
    jackknife : bool
        Errors by leaving out each region, or the sandwich.
    slope, constant : ndarray, (P, S)
    held : mapping of str to (S,) ndarray
        Share of panels whose 95 % interval holds the truth: of beta (and so of epsilon, whose interval is the image), and
        of log(gamma/(1 - gamma)) from the constant by the delta method.
    refused : int
        Slopes without an epsilon above zero.
    """

    design: Design
    method: str
    jackknife: bool
    slope: Array
    constant: Array
    held: dict[str, Array]
    refused: int

    @property
    def epsilon(self) -> Array:
        """(P, S) ndarray; nan where a slope admits none."""
        return self.design.technology.epsilon(self.slope)

    @property
    def bias(self) -> Array:
        """Mean of epsilon over the truth less one, (S,)."""
        return np.asarray(np.nanmean(self.epsilon, axis=0) / self.design.epsilon_s - 1.0)

    def table(self) -> pd.DataFrame:
        """A row a sector: truth, mean, bias and spread of epsilon, the same of log odds of gamma, coverage of both."""
        import pandas as pd

        weight = self.design.technology.log_odds_gamma(self.slope, self.constant)
        truth = log_odds(self.design.gamma_s)
        return pd.DataFrame(
            {"sector": self.design.sectors, "method": self.method, "epsilon": self.design.epsilon_s,
             "mean": np.nanmean(self.epsilon, axis=0), "bias_percent": 100.0 * self.bias,
             "std": np.nanstd(self.epsilon, axis=0, ddof=1), "coverage_epsilon": self.held["epsilon"], "log_odds_gamma": truth,
             "bias_log_odds_percent": 100.0 * (np.nanmean(weight, axis=0) / truth - 1.0),
             "coverage_log_odds_gamma": self.held["log_odds_gamma"]}
        )  # fmt: skip

    def line(self) -> str:
        """What was found, in a sentence."""
        prices = "endogenous" if self.design.endogeneity else "exogenous"
        held, weights = 100.0 * self.held["epsilon"], 100.0 * self.held["log_odds_gamma"]
        bias = 100.0 * np.abs(self.bias).max()
        return (
            f"{self.method}, prices {prices}, {len(self.slope)} panels: bias of epsilon {bias:.2f} % at most; 95 % intervals "
            f"hold epsilon in {held.mean():.1f} % ({held.min():.1f} to {held.max():.1f} by sector), log odds of gamma in "
            f"{weights.mean():.1f} % ({weights.min():.1f} to {weights.max():.1f})"
        )


def monte_carlo(
    design: Design | None = None, panels: int = PANELS, seed: int = SEED, *, method: str = "OLS", jackknife: bool = True
) -> MonteCarlo:
    """Simulate panels and estimate each.

    Parameters
    ----------
    design : Design, optional
    panels, seed : int
    method : {"OLS", "2SLS"}
        2SLS takes the policy as the instrument.
    jackknife : bool

    Raises
    ------
    InputError
        If there are no panels, too few regions, or no such method.
    """
    from scipy.stats import t

    design = design or Design()
    if method not in ("OLS", "2SLS") or panels < 2 or len(design.regions) < 3:
        raise InputError(
            f"{method} on {panels} panels of {len(design.regions)} regions: OLS or 2SLS, 2 or more, 3 or more"
        )
    rng = np.random.default_rng(seed)
    sizes = [min(BATCH, panels - start) for start in range(0, panels, BATCH)]
    parts = [_lines(design, rng, size, method == "2SLS", jackknife) for size in sizes]
    slope, constant, errors = (np.concatenate([part[k] for part in parts]) for k in range(3))
    width = float(t.isf(0.025, len(design.regions) - 1))
    return MonteCarlo(
        design, method, jackknife, slope, constant, _held(design, slope, constant, errors, width),
        int((~design.technology.admissible(slope)).sum()),
    )  # fmt: skip


def endogenous(design: Design | None = None) -> Design:
    """Return a design in which shocks to prices also move research: least squares is biased there, an instrument is not."""
    return replace(design or Design(), endogeneity=ENDOGENEITY)


def _lines(
    design: Design, rng: np.random.Generator, panels: int, instrument: bool, jackknife: bool
) -> tuple[Array, Array, Array]:
    """Slopes and constants, (P, S), and their covariance, (P, S, 2, 2)."""
    drawn = draw(design, rng, panels)
    shape = drawn.direction.shape
    x = np.broadcast_to(drawn.log_price[:, None], shape)
    z = np.broadcast_to(drawn.instrument[:, None], shape) if instrument else x
    one = np.ones(shape)
    moments = Moments.of_blocks(drawn.direction, np.stack([x, one], axis=-1), np.stack([z, one], axis=-1))
    found = moments.coefficients()
    return found[..., 0], found[..., 1], moments.covariance(jackknife)


def _held(design: Design, slope: Array, constant: Array, errors: Array, width: float) -> dict[str, Array]:
    technology = design.technology
    half = width * np.sqrt(errors[..., 0, 0])
    low, high = technology.epsilon_interval(slope - half, slope + half)
    inside = (low <= design.epsilon_s) & (design.epsilon_s <= high)
    by = np.stack([technology.log_odds_by_slope(slope, constant), technology.log_odds_by_constant(slope)], axis=-1)
    spread = np.sqrt(np.einsum("...j,...jk,...k->...", by, errors, by))
    off = np.abs(technology.log_odds_gamma(slope, constant) - log_odds(design.gamma_s))
    return {"epsilon": inside.mean(axis=0), "log_odds_gamma": (off <= width * spread).mean(axis=0)}
