"""Estimated elasticities with their covariance: what an estimation hands over, as a file that a scenario can name.

A scenario takes them by ``parameters: {from: estimates.json}``; `EstimatedElasticities.sample` draws from them, so that
what is not known of them can be carried through the model.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from reesim.errors import DataError, InputError, LabelError
from reesim.labels import Labels

Array = NDArray[np.float64]

SCHEMA = "reesim.estimates/1"
LARGEST_ODDS = 700.0
"""Log odds beyond which a weight is 0 or 1 to the last digit."""

MOST_TRIES = 100
"""Draws tried for each that is wanted before the covariance is called too wide."""

SYMMETRY = 1e-9
"""Relative asymmetry, or eigenvalue below zero, that the digits of a file can bring about."""

SHARE_TOLERANCE = 1e-6
"""Relative difference of odds between a weight in a file and the one that (23) gives: digits of the file."""


class Fit(Protocol):
    """What an estimation must offer to be simulated with."""

    def estimated(self) -> EstimatedElasticities:
        """Return estimates and covariance."""
        ...


@dataclass(frozen=True, slots=True)
class Draws:
    """Elasticities drawn from their sampling distribution.

    Parameters
    ----------
    sectors : tuple of str, (S,)
    epsilon, gamma : ndarray, (n, S)
        Elasticities of substitution and weights, each row one joint draw.
    rejected : int
        Draws outside the range in which the model has a meaning, which were replaced.
    """

    sectors: tuple[str, ...]
    epsilon: Array
    gamma: Array
    rejected: int

    def __len__(self) -> int:
        return len(self.epsilon)

    def parameters(self, draw: int) -> dict[str, dict[str, float]]:
        """Epsilon and gamma of one draw by sector, as the parameters of a scenario."""
        epsilon, gamma = (
            dict(zip(self.sectors, row[draw].tolist(), strict=True)) for row in (self.epsilon, self.gamma)
        )
        return {"epsilon": epsilon, "gamma": gamma}


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimatedElasticities:
    """Epsilon and gamma by sector, with the covariance of their estimates.

    Parameters
    ----------
    sectors : tuple of str, (S,)
        Codes of the sectors that were estimated.
    epsilon_s, gamma_s : tuple of float, (S,)
        Elasticity of substitution between the bundles, above 0; weight of the R bundle, between 0 and 1.
    covariance : tuple of tuple of float, (2S, 2S)
        Of epsilon of all sectors, then of log(gamma/(1 - gamma)) of all sectors.
    mu, delta : float
        At which slopes were turned into epsilon, (24).
    source : str
        Whose estimates they are, in words.
    share_s : tuple of float, (S,), optional
        Observed shares of the R bundle in value added from which gamma follows by (23); draws of epsilon then carry
        gamma with them, and its covariance is the linear approximation of that.
    file, digest : str
        Where they were read, and the SHA-256 of its bytes; empty if from memory.

    Raises
    ------
    InputError
        If the numbers are not those of estimates: naming the sector and what it should be.
    """

    sectors: tuple[str, ...]
    epsilon_s: tuple[float, ...]
    gamma_s: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    mu: float
    delta: float
    source: str
    share_s: tuple[float, ...] | None = None
    file: str = field(default="", compare=False)
    digest: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        for place, message in _faults(self):
            raise InputError(f"{place}: {message}")

    @classmethod
    def of(
        cls, sectors: tuple[str, ...], epsilon_s: Array, gamma_s: Array, covariance: Array,
        *, mu: float, delta: float, source: str, share_s: Array | None = None,
    ) -> EstimatedElasticities:  # fmt: skip
        """Take arrays, (S,), (S,), (2S, 2S) and (S,). Raises InputError as the class does."""
        return cls(
            sectors=tuple(sectors), epsilon_s=_floats(epsilon_s), gamma_s=_floats(gamma_s),
            covariance=tuple(_floats(row) for row in covariance), mu=float(mu), delta=float(delta), source=source,
            share_s=None if share_s is None else _floats(share_s),
        )  # fmt: skip

    @property
    def theta(self) -> float:
        """(4)'s exponent at which they were estimated."""
        return self.delta + 1.0 / (self.mu - 1.0)

    @property
    def by_sector(self) -> dict[str, tuple[float, float]]:
        """Epsilon and gamma by sector code."""
        return dict(zip(self.sectors, zip(self.epsilon_s, self.gamma_s, strict=True), strict=True))

    def std_error(self) -> tuple[Array, Array]:
        """Standard errors of epsilon and of log(gamma/(1 - gamma)), (S,) each."""
        # Of the digits of a file a variance of nothing may be left a hair below zero.
        spread = np.sqrt(np.maximum(np.diagonal(np.array(self.covariance)), 0.0))
        return spread[: len(self.sectors)], spread[len(self.sectors) :]

    def sample(self, n: int, seed: int, *, theta: float | None = None) -> Draws:
        """Draw epsilon and gamma jointly from the normal distribution of the estimates.

        A draw counts only if all its sectors have epsilon > 0 and 1 + theta (1 - epsilon) > 0, eq. (9), and a gamma that a
        number can hold: the normal distribution is cut off there. Others are drawn anew and counted.

        Parameters
        ----------
        n : int
            Draws wanted, at least 1.
        seed : int
            At least 0; the same seed gives the same draws.
        theta : float, optional
            (4)'s exponent of the scenario that is to be run; by default that of the estimation.

        Raises
        ------
        InputError
            If fewer than one draw in a hundred lies in the range.
        """
        if n < 1 or seed < 0:
            raise InputError(f"{n} draws with seed {seed}: at least 1 draw is needed, and a seed of 0 or more")
        exponent = self.theta if theta is None else theta
        rng, size = np.random.default_rng(seed), len(self.sectors)
        centre = np.concatenate([self.epsilon_s, _log_odds(np.array(self.gamma_s))])
        factor = _root(np.array(self.covariance))
        kept: list[Array] = []
        rejected = 0
        outside = np.zeros(size)
        for _ in range(n * MOST_TRIES):
            drawn = centre + factor @ rng.standard_normal(2 * size)
            bad = (drawn[:size] <= 0.0) | (1.0 + exponent * (1.0 - drawn[:size]) <= 0.0)
            if not bad.any():
                bad = np.abs(self._weight_odds(drawn[None])[0]) > LARGEST_ODDS
            if bad.any():
                rejected, outside = rejected + 1, outside + bad
                continue
            kept.append(drawn)
            if len(kept) == n:
                break
        else:
            worst = self.sectors[int(outside.argmax())]
            raise InputError(
                f"of {n * MOST_TRIES:,} draws {len(kept):,} lie where epsilon > 0 and 1 + theta (1 - epsilon) > 0, and {n:,} "
                f"are wanted; {worst} leaves that range most often. Its standard error is too wide to draw from: fix the "
                "sector's epsilon, or estimate it with more data"
            )
        rows = np.array(kept)
        return Draws(self.sectors, rows[:, :size], 1.0 / (1.0 + np.exp(-self._weight_odds(rows))), rejected)

    def _weight_odds(self, rows: Array) -> Array:
        """Log odds of gamma by draw and sector."""
        size = len(self.sectors)
        if self.share_s is None:
            return rows[:, size:]
        # (23) at a relative price of one: the log odds of the share are epsilon times those of the weight.
        return np.asarray(_log_odds(np.array(self.share_s)) / rows[:, :size])

    def to_dict(self) -> dict[str, Any]:
        """Everything that a file holds."""
        shares = self.share_s or (None,) * len(self.sectors)
        rows = [
            {"sector": code, "epsilon": epsilon, "gamma": gamma} | ({} if share is None else {"share": share})
            for code, epsilon, gamma, share in zip(self.sectors, self.epsilon_s, self.gamma_s, shares, strict=True)
        ]
        return {
            "schema": SCHEMA, "source": self.source, "mu": self.mu, "delta": self.delta, "sectors": rows,
            "covariance": {"order": list(order(self.sectors)), "matrix": [list(row) for row in self.covariance]},
        }  # fmt: skip

    def write(self, file: str | Path) -> Path:
        """Write ``estimates.json``. Raises StoreError if it cannot be written."""
        from reesim.results.whole import write_whole

        return write_whole(file, (json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n").encode())

    def named(self, sectors: Labels) -> EstimatedElasticities:
        """Return the same with the codes of a table's sectors, which may stand there by code or by name.

        Raises
        ------
        DataError
            If a sector is none of the table's, or stands twice.
        """
        codes: list[str] = []
        for position, label in enumerate(self.sectors):
            try:
                code = sectors.codes[sectors.index(label[:60])]
            except LabelError as error:
                raise DataError(f"{self.file or 'estimates'}: sectors[{position}].sector: {error}") from None
            if code in codes:
                raise DataError(
                    f"{self.file or 'estimates'}: sectors[{position}].sector: {code} stands twice; keep one of the rows"
                )
            codes.append(code)
        return replace(self, sectors=tuple(codes))


def _faults(told: EstimatedElasticities) -> Iterator[tuple[str, str]]:
    """Places and what is wrong there; positions as in a file."""
    size = len(told.sectors)
    if not size:
        yield "sectors", "there is none"
        return
    if not told.mu > 1.0 or not told.theta >= 0.0:
        yield "mu", f"mu {told.mu:g} and delta {told.delta:g} should give mu > 1 and delta + 1/(mu - 1) >= 0, eq. (4)"
        return
    if not len(told.epsilon_s) == len(told.gamma_s) == len(told.share_s or told.sectors) == size:
        yield "sectors", "epsilon, gamma and share should have one number a sector"
        return
    for k, code in enumerate(told.sectors):
        yield from _sector_faults(told, k, code)
    yield from _covariance_faults(told.covariance, size)


def _sector_faults(told: EstimatedElasticities, k: int, code: str) -> Iterator[tuple[str, str]]:
    place, epsilon, gamma = f"sectors[{k}]", told.epsilon_s[k], told.gamma_s[k]
    if code in told.sectors[:k]:
        yield f"{place}.sector", f"{code} stands twice; keep one of the rows"
    if not epsilon > 0.0:
        yield f"{place}.epsilon", f"should be above 0, not {epsilon:g} ({code})"
    if not 1.0 + told.theta * (1.0 - epsilon) > 0.0:
        most = 1.0 + 1.0 / told.theta
        yield (
            f"{place}.epsilon",
            f"{epsilon:g} is too high for theta = {told.theta:.6g}: keep it below {most:.6g}, eq. (9)",
        )
    if not 0.0 < gamma < 1.0:
        yield f"{place}.gamma", f"should be above 0 and below 1, not {gamma:g} ({code})"
        return
    if told.share_s is None or not epsilon > 0.0:
        return
    share = told.share_s[k]
    if not 0.0 < share < 1.0:
        yield f"{place}.share", f"should be above 0 and below 1, not {share:g} ({code})"
        return
    implied = math.log(share / (1.0 - share)) / epsilon
    if abs(implied - math.log(gamma / (1.0 - gamma))) > SHARE_TOLERANCE * max(1.0, abs(implied)):
        yield (
            f"{place}.share",
            f"by (23) a share of {share:g} means gamma {1.0 / (1.0 + math.exp(-implied)):.6g}, not {gamma:g}",
        )


def _covariance_faults(rows: tuple[tuple[float, ...], ...], size: int) -> Iterator[tuple[str, str]]:
    place = "covariance.matrix"
    if len(rows) != 2 * size or any(len(row) != 2 * size for row in rows):
        yield place, f"should be {2 * size} x {2 * size}: epsilon and log odds of gamma of {size} sectors"
        return
    matrix = np.array(rows)
    if not np.isfinite(matrix).all():
        yield place, "should be finite"
        return
    scale = float(np.abs(matrix).max())
    off = np.abs(matrix - matrix.T)
    if off.max() > SYMMETRY * scale:
        i, j = np.unravel_index(int(off.argmax()), off.shape)
        yield f"{place}[{i}][{j}]", f"should equal its mirror image, {matrix[j, i]:g}, and is {matrix[i, j]:g}"
        return
    least = float(np.linalg.eigvalsh(matrix).min())
    if least < -SYMMETRY * scale:
        yield place, f"should have no direction of negative variance, and has one of {least:.3g}"


@functools.cache
def order(sectors: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the rows of the covariance."""
    return (*(f"epsilon.{code}" for code in sectors), *(f"log_odds_gamma.{code}" for code in sectors))


def _log_odds(share: Array) -> Array:
    return np.asarray(np.log(share / (1.0 - share)))


def _root(matrix: Array) -> Array:
    """Symmetric square root, which unlike a factor of eigenvectors does not depend on their signs."""
    values, vectors = np.linalg.eigh(matrix)
    root: Array = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return root


def _floats(values: Array) -> tuple[float, ...]:
    return tuple(np.asarray(values, dtype=float).tolist())
