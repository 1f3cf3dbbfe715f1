"""Which rows of a sample a fit can use, and how many it cannot, by reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int64]
Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """Rows that were given and not used.

    Parameters
    ----------
    missing : int
        Rows with a missing number or label in a column of the regression.
    singletons : int
        Rows alone in a level of a fixed effect: they fit exactly, and only make standard errors too small.
    separated : int
        Rows of a Poisson regression that it can fit exactly at zero only with infinite coefficients.
    """

    missing: int = 0
    singletons: int = 0
    separated: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.missing + self.singletons + self.separated

    def __str__(self) -> str:
        return f"{self.missing:,} missing, {self.singletons:,} singletons, {self.separated:,} separated"


def codes_of(values: npt.NDArray[np.object_]) -> Codes:
    """Labels as integers 0, 1, …, in the order in which they appear."""
    import pandas as pd

    return np.asarray(pd.factorize(values)[0], dtype=np.int64)


def singletons(effects: Sequence[Codes], kept: Mask) -> Mask:
    """Rows among those kept that are alone in a level of some fixed effect, and what becomes alone without them."""
    left = kept.copy()
    while True:
        alone = np.zeros_like(left)
        for codes in effects:
            size = np.bincount(codes[left], minlength=int(codes.max(initial=-1)) + 1)
            alone |= left & (size[codes] == 1)
        if not alone.any():
            return kept & ~left
        left &= ~alone


def always_zero(outcome: Array, effects: Sequence[Codes], kept: Mask) -> Mask:
    """Rows among those kept in a level of some fixed effect whose outcomes are all zero."""
    found = np.zeros_like(kept)
    for codes in effects:
        total = np.bincount(codes[kept], weights=outcome[kept], minlength=int(codes.max(initial=-1)) + 1)
        found |= kept & (total[codes] == 0.0)
    return found


def usable(outcome: Array, effects: Sequence[Codes], kept: Mask, *, poisson: bool) -> tuple[Mask, int, int]:
    """Drop singletons and, for Poisson, levels without a positive outcome, until nothing more has to go.

    Parameters
    ----------
    outcome : (N,) ndarray
    effects : sequence of (N,) ndarray of int
        Codes of each fixed effect.
    kept : (N,) ndarray of bool
        Where to start.
    poisson : bool
        Whether levels that are zero throughout go.

    Returns
    -------
    (N,) ndarray of bool, int, int
        Rows that stay; rows dropped as singletons and as separated.
    """
    alone = separated = 0
    while True:
        single = singletons(effects, kept)
        kept = kept & ~single
        zero = always_zero(outcome, effects, kept) if poisson else np.zeros_like(kept)
        kept = kept & ~zero
        alone, separated = alone + int(single.sum()), separated + int(zero.sum())
        if not (single.any() or zero.any()):
            return kept, alone, separated


ROUNDING = 1e-13
"""Spread of a column, over its largest number, below which it is constant but for rounding."""


def spread_of(columns: Array) -> Array:
    """Standard deviations of columns, (K,); zero where only rounding makes them differ."""
    found = np.asarray(columns.std(axis=0), dtype=np.float64)
    return np.where(found > ROUNDING * np.abs(columns).max(axis=0, initial=0.0), found, 0.0)


def rank(effects: Sequence[Codes], rows: int) -> int:
    """Fixed effects that can be told apart: levels less the parts that the first two do not link; a constant without any.

    With three or more this is a lower bound.
    """
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    if not effects:
        return 1
    levels = [np.unique(codes, return_inverse=True)[1] for codes in effects[:2]]
    sizes = [int(codes.max(initial=-1)) + 1 for codes in levels]
    if len(levels) < 2:
        return sizes[0]
    links = sparse.coo_array((np.ones(rows), (levels[0], sizes[0] + levels[1])), shape=(sum(sizes), sum(sizes)))
    return sum(sizes) - int(connected_components(links, directed=False)[0])


def demean(values: Array, effects: Sequence[Codes], *, tolerance: float = 1e-12, rounds: int = 10_000) -> Array | None:
    """Take means by every fixed effect out of columns, by alternating projections.

    Parameters
    ----------
    values : (N, K) ndarray
    effects : sequence of (N,) ndarray of int
    tolerance : float
        Largest change in a round, in standard deviations of the column, at which it ends.
    rounds : int
        How many it may take.

    Returns
    -------
    (N, K) ndarray or None
        None if the rounds were not enough.
    """
    from scipy import sparse

    left = np.array(values, dtype=np.float64)
    left -= left.mean(axis=0)
    left[:, spread_of(values) == 0.0] = 0.0  # rounding has no means to take out, and would never end
    scale = np.maximum(left.std(axis=0), np.finfo(float).tiny)
    averages = []
    for codes in effects:
        weight = 1.0 / np.maximum(np.bincount(codes), 1)
        shape = (len(weight), len(codes))
        averages.append(sparse.csr_array((weight[codes], (codes, np.arange(len(codes)))), shape=shape))
    for _ in range(rounds):
        change = 0.0
        for codes, average in zip(effects, averages, strict=True):
            means = np.asarray(average @ left)
            change = max(change, float((np.abs(means) / scale).max(initial=0.0)))
            left -= means[codes]
        if change <= tolerance or len(effects) < 2:
            return left
    return None
