"""From a slope and a constant of (24) to epsilon, gamma and kappa and back, in closed form.

With z = 1 - epsilon and theta = delta + 1/(mu - 1) the slope of (24) is beta = z/(1 + theta z), since
kappa = (mu - 1)(1 + theta z). Hence z = beta/(1 - theta beta), which is z = beta (mu - 1)/((mu - 1)(1 - beta delta) - beta).
The constant is alpha = (1 - (1 + theta) beta) log(gamma/(1 - gamma)), if f_R = f_L.

Epsilon falls in beta and has one singular point, beta = 1/theta. Below it every slope has one epsilon, which lies
below 1 + 1/theta, as (9) demands; epsilon is positive below beta = 1/(1 + theta), where gamma in turn has its singular
point, since a constant then says nothing of it. Beyond 1/theta the formula gives numbers that (9) excludes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reesim.errors import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Technology:
    """Elasticity between varieties and externality, at which slopes are turned into epsilon.

    Parameters
    ----------
    mu : float
        Above 1.
    delta : float
        At least -1/(mu - 1).

    Raises
    ------
    InputError
        If they are not.
    """

    mu: float = 6.5
    delta: float = 0.0

    def __post_init__(self) -> None:
        if not (1.0 < self.mu < np.inf and np.isfinite(self.delta) and self.theta >= 0.0):
            raise InputError(
                f"mu {self.mu:g} and delta {self.delta:g}: mu should be above 1 and finite, delta at least -1/(mu - 1), eq. (4)"
            )

    @property
    def theta(self) -> float:
        """(4)'s exponent."""
        return self.delta + 1.0 / (self.mu - 1.0)

    @property
    def largest_slope(self) -> float:
        """Slope at which epsilon reaches zero, 1/(1 + theta); slopes of the model lie below."""
        return 1.0 / (1.0 + self.theta)

    @property
    def singular_slope(self) -> float:
        """Slope at which epsilon has its singular point, 1/theta; infinite where theta is zero."""
        return 1.0 / self.theta if self.theta > 0.0 else np.inf

    def slope(self, epsilon: ArrayLike) -> Array:
        """Beta of (8) and (24)."""
        z = 1.0 - np.asarray(epsilon, dtype=float)
        return np.asarray(z / (1.0 + self.theta * z))

    def kappa(self, epsilon: ArrayLike) -> Array:
        """Kappa of (8), mu - epsilon + delta (mu - 1)(1 - epsilon)."""
        e = np.asarray(epsilon, dtype=float)
        return np.asarray(self.mu - e + self.delta * (self.mu - 1.0) * (1.0 - e))

    def constant(self, epsilon: ArrayLike, gamma: ArrayLike) -> Array:
        """Alpha of (24) where f_R = f_L, epsilon (mu - 1)/kappa log(gamma/(1 - gamma))."""
        e = np.asarray(epsilon, dtype=float)
        return np.asarray(e * (self.mu - 1.0) / self.kappa(e) * log_odds(gamma))

    def admissible(self, beta: ArrayLike) -> NDArray[np.bool_]:
        """Whether a slope has an epsilon above zero that meets (9)."""
        return np.asarray(np.asarray(beta, dtype=float) < self.largest_slope)

    def epsilon(self, beta: ArrayLike) -> Array:
        """Epsilon of a slope; nan at the singular point and beyond, where no epsilon meets (9)."""
        b = np.asarray(beta, dtype=float)
        rest = 1.0 - self.theta * b
        return np.asarray(1.0 - np.divide(b, rest, out=np.full_like(b, np.nan), where=rest > 0.0))

    def kappa_of_slope(self, beta: ArrayLike) -> Array:
        """Kappa of a slope, (mu - 1)/(1 - theta beta); nan at the singular point and beyond."""
        b = np.asarray(beta, dtype=float)
        rest = 1.0 - self.theta * b
        return np.asarray(np.divide(self.mu - 1.0, rest, out=np.full_like(b, np.nan), where=rest > 0.0))

    def log_odds_gamma(self, beta: ArrayLike, alpha: ArrayLike) -> Array:
        """log(gamma/(1 - gamma)) of slope and constant, if f_R = f_L; nan where epsilon is not above zero."""
        b, a = np.broadcast_arrays(np.asarray(beta, dtype=float), np.asarray(alpha, dtype=float))
        rest = 1.0 - (1.0 + self.theta) * b
        return np.asarray(np.divide(a, rest, out=np.full_like(a, np.nan), where=rest > 0.0))

    def epsilon_by_slope(self, beta: ArrayLike) -> Array:
        """Derivative of epsilon, -1/(1 - theta beta)²: what a standard error of beta is multiplied with."""
        return np.asarray(-1.0 / (1.0 - self.theta * np.asarray(beta, dtype=float)) ** 2)

    def kappa_by_slope(self, beta: ArrayLike) -> Array:
        """Derivative of kappa, (mu - 1) theta/(1 - theta beta)²."""
        return np.asarray(-(self.mu - 1.0) * self.theta * self.epsilon_by_slope(beta))

    def log_odds_by_slope(self, beta: ArrayLike, alpha: ArrayLike) -> Array:
        """Derivative of log(gamma/(1 - gamma)) by beta at a given constant."""
        rest = 1.0 - (1.0 + self.theta) * np.asarray(beta, dtype=float)
        return np.asarray(np.asarray(alpha, dtype=float) * (1.0 + self.theta) / rest**2)

    def log_odds_by_constant(self, beta: ArrayLike) -> Array:
        """Derivative of log(gamma/(1 - gamma)) by alpha."""
        return np.asarray(1.0 / (1.0 - (1.0 + self.theta) * np.asarray(beta, dtype=float)))

    def epsilon_interval(self, low: ArrayLike, high: ArrayLike) -> tuple[Array, Array]:
        """Interval of epsilon from one of beta: its image, which is Fieller's set for beta/(1 - theta beta).

        Since epsilon falls in beta, the image holds the truth exactly as often as the interval of beta does, however
        close the singular point is. Where the interval of beta reaches beyond 1/(1 + theta) the image is cut off at
        zero; where all of it does there is none, and both ends are nan.

        Returns
        -------
        low, high : ndarray
        """
        bottom, top = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
        inside = bottom < self.largest_slope
        reach = np.minimum(top, self.largest_slope)
        lower = np.where(inside, np.maximum(self.epsilon(reach), 0.0), np.nan)
        upper = np.where(inside, self.epsilon(np.where(inside, bottom, 0.0)), np.nan)
        return lower, upper


def log_odds(share: ArrayLike) -> Array:
    """log(x/(1 - x))."""
    x = np.asarray(share, dtype=float)
    return np.asarray(np.log(x / (1.0 - x)))


def from_log_odds(value: ArrayLike) -> Array:
    """Undo `log_odds`."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.asarray(value, dtype=float))))


def log_odds_gamma_of_share(share: ArrayLike, epsilon: ArrayLike, log_price: ArrayLike = 0.0) -> Array:
    """log(gamma/(1 - gamma)) that an observed share of the R bundle in value added implies, (23).

    Parameters
    ----------
    share : array_like
        Between 0 and 1.
    epsilon : array_like
        Above 0.
    log_price : array_like
        log(P_R/P_L) of the baseline; 0 by default, where this is `reesim.shares.bundle_weight`.
    """
    e = np.asarray(epsilon, dtype=float)
    return np.asarray((log_odds(share) - (1.0 - e) * np.asarray(log_price, dtype=float)) / e)


def log_odds_by_epsilon(share: ArrayLike, epsilon: ArrayLike, log_price: ArrayLike = 0.0) -> Array:
    """Derivative of `log_odds_gamma_of_share` by epsilon."""
    e = np.asarray(epsilon, dtype=float)
    return np.asarray((np.asarray(log_price, dtype=float) - log_odds(share)) / e**2)
