"""Linear regressions with instruments from sums by cluster: many samples at once, and every resampling without the rows.

Two-stage least squares needs of the rows only Z'Z, Z'X and Z'y, cluster by cluster. Weighted sums of them are the
bootstrap over clusters, sums without one cluster the jackknife. All arrays may have leading axes, a regression each.
Estimates that are reported are pyfixest's; the tests hold the two equal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Codes = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Sums by cluster of a linear regression of y on K columns X with M >= K instruments Z.

    Parameters
    ----------
    zz : (..., G, M, M) ndarray
    zx : (..., G, M, K) ndarray
    zy : (..., G, M) ndarray
    observations : int
    """

    zz: Array
    zx: Array
    zy: Array
    observations: int

    @classmethod
    def of_rows(cls, y: Array, x: Array, z: Array, cluster: Codes) -> Moments:
        """Sum rows up.

        Parameters
        ----------
        y : (n,) ndarray
        x : (n, K) ndarray
        z : (n, M) ndarray
            X itself without an instrument.
        cluster : (n,) ndarray of int
            0 to G - 1.
        """
        groups = int(cluster.max()) + 1
        zz, zx = np.zeros((groups, z.shape[1], z.shape[1])), np.zeros((groups, z.shape[1], x.shape[1]))
        zy = np.zeros((groups, z.shape[1]))
        np.add.at(zz, cluster, z[:, :, None] * z[:, None, :])
        np.add.at(zx, cluster, z[:, :, None] * x[:, None, :])
        np.add.at(zy, cluster, z * y[:, None])
        return cls(zz, zx, zy, len(y))

    @classmethod
    def of_blocks(cls, y: Array, x: Array, z: Array) -> Moments:
        """Sum balanced samples up.

        Parameters
        ----------
        y : (..., G, T) ndarray
        x : (..., G, T, K) ndarray
        z : (..., G, T, M) ndarray
        """
        return cls(
            np.einsum("...tm,...tn->...mn", z, z), np.einsum("...tm,...tk->...mk", z, x),
            np.einsum("...tm,...t->...m", z, y), y.shape[-2] * y.shape[-1],
        )  # fmt: skip

    @property
    def clusters(self) -> int:
        """G."""
        return int(self.zy.shape[-2])

    def coefficients(self) -> Array:
        """(..., K) ndarray."""
        return _solve(self.zz.sum(axis=-3), self.zx.sum(axis=-3), self.zy.sum(axis=-2))

    def without_each(self) -> Array:
        """Coefficients without each cluster in turn, (..., G, K)."""
        rest = [whole.sum(axis=axis, keepdims=True) - whole for whole, axis in self._parts()]
        return _solve(rest[0], rest[1], rest[2])

    def resampled(self, weights: Array) -> Array:
        """Coefficients with clusters counted as often as weights say, (B, K), of one regression; weights are (B, G)."""
        sums = [np.tensordot(weights, whole, axes=1) for whole, _ in self._parts()]
        return _solve(sums[0], sums[1], sums[2])

    def influence(self) -> Array:
        """What each cluster moves the coefficients by, (..., G, K): their outer products sum to the covariance."""
        zz, zx = self.zz.sum(axis=-3), self.zx.sum(axis=-3)
        projected = np.linalg.solve(zz, zx)
        bread = np.linalg.inv(np.swapaxes(projected, -1, -2) @ zx)
        scores = self.zy - np.einsum("...gmk,...k->...gm", self.zx, self.coefficients())
        return np.asarray(np.einsum("...jk,...mk,...gm->...gj", bread, projected, scores))

    def covariance(self, jackknife: bool) -> Array:
        """Covariance of the coefficients, robust by cluster, (..., K, K).

        Parameters
        ----------
        jackknife : bool
            By leaving each cluster out (CR3), or from influence with the factors G/(G - 1) and (N - 1)/(N - K) (CR1).
        """
        moves = self.moves(jackknife)
        return np.asarray(np.einsum("...gj,...gk->...jk", moves, moves))

    def moves(self, jackknife: bool) -> Array:
        """Scaled moves by cluster, (..., G, K), whose outer products sum to the covariance."""
        groups, n, k = self.clusters, self.observations, self.zx.shape[-1]
        if jackknife:
            return np.asarray(
                (self.without_each() - self.coefficients()[..., None, :]) * np.sqrt((groups - 1) / groups)
            )
        return self.influence() * np.sqrt(groups / (groups - 1) * (n - 1) / (n - k))

    def _parts(self) -> tuple[tuple[Array, int], ...]:
        return (self.zz, -3), (self.zx, -3), (self.zy, -2)


def _solve(zz: Array, zx: Array, zy: Array) -> Array:
    projected = np.swapaxes(np.linalg.solve(zz, zx), -1, -2)
    return np.asarray(np.linalg.solve(projected @ zx, projected @ zy[..., None])[..., 0])
