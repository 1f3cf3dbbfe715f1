"""Slope and constant of (24) for one sector, by pyfixest: least squares, two stages, or Poisson on relative counts."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from reesim.empirics.structural.moments import Moments
from reesim.errors import DataError, InputError

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
Method = Literal["OLS", "2SLS", "PPML"]
Effects = Literal["none", "region"]
Errors = Literal["jackknife", "cluster"]

METHODS: tuple[Method, ...] = ("OLS", "2SLS", "PPML")
FEWEST = 3
"""Regions below which errors cannot be clustered by region."""

ROUNDING = 1e-12
"""Range of a column, over its largest number or one, below which it does not vary."""

COLLINEAR = 1e-9
"""Smallest eigenvalue of correlations below which one of the variables follows from the others."""

RELATIVE = 1e-6
"""Relative difference at which pyfixest and the sums by cluster would be two different regressions."""


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A fitted line, log(A_R/A_L) on log(w_R/w_L).

    Parameters
    ----------
    slope, constant : float
        Beta and alpha of (24); the constant is nan where every region has its own.
    covariance : (2, 2) ndarray
        Of slope and constant; with effects by region nan but for the variance of the slope.
    moves : (G, 2) ndarray or None
        Scaled moves of slope and constant by region, whose outer products sum to the covariance: what several sectors'
        covariance is made of. None for PPML with sandwich errors.
    regions : tuple of str, (G,)
        Clusters.
    observations, dropped : int
        Cells used, and cells of which a patent count of zero has no logarithm, or no relative count.
    first_stage : float
        F of the instruments in the first stage, robust by region in the same way; nan without one.
    moments : Moments or None
        Sums by region, from which regions can be resampled. None for PPML.
    """

    slope: float
    constant: float
    covariance: Array
    moves: Array | None
    regions: tuple[str, ...]
    observations: int
    dropped: int
    first_stage: float = np.nan
    moments: Moments | None = None


def fit_line(
    frame: pd.DataFrame, name: str, method: Method, effects: Effects, errors: Errors, instruments: Sequence[str]
) -> Line:
    """Fit one sector.

    Parameters
    ----------
    frame : DataFrame
        Rows of one sector of a `FactorPanel`.
    name : str
        For messages.
    method : {"OLS", "2SLS", "PPML"}
        PPML fits counts of both bundles with an effect for each cell: their ratio, zeros included.
    effects : {"none", "region"}
        One constant for all, as the slides have it, or one a region.
    errors : {"jackknife", "cluster"}
        By leaving out each region in turn (CR3), or the usual sandwich by region (CR1).
    instruments : sequence of str

    Raises
    ------
    DataError
        If rows, regions or variation are too few.
    ConvergenceError
        If Poisson's iterations did not end.
    InputError
        If the method and the other choices do not go together.
    """
    if method == "PPML":
        if errors == "jackknife":
            return _leaving_out(frame, name, effects)
        return _relative_counts(frame, name, effects)
    rows = frame[(frame["a_r"] > 0.0) & (frame["a_l"] > 0.0)]
    dropped = len(frame) - len(rows)
    y, x = _log_ratio(rows, "a"), _log_ratio(rows, "w")
    codes, regions = _regions(rows, name)
    z = rows[list(instruments)].to_numpy(dtype=float) if method == "2SLS" else x[:, None]
    columns = _within(np.column_stack([y, x, z]), codes) if effects == "region" else np.column_stack([y, x, z])
    _require_variation(columns[:, 1:], name, ["log(w_R/w_L)", *instruments])
    _require_everywhere(columns[:, 1:], codes, regions, name, ["log(w_R/w_L)", *instruments])
    _require_distinct(columns[:, 2:], name, instruments)
    one = np.ones((len(y), int(effects == "none")))
    # Slope first, so that with effects by region, and no constant, it is the only coefficient.
    moments = Moments.of_rows(columns[:, 0], np.hstack([columns[:, [1]], one]), np.hstack([columns[:, 2:], one]), codes)
    coefficients = _by_pyfixest(y, x, z, codes, method, effects, name)
    _require_equal(coefficients, moments.coefficients(), name)
    moves = moments.moves(errors == "jackknife")
    first = _first_stage(columns, one, codes, errors) if method == "2SLS" else np.nan
    return _line(coefficients, moves.T @ moves, moves, regions, len(y), dropped, first, moments)


def _line(
    coefficients: Array, covariance: Array, moves: Array | None, regions: tuple[str, ...], n: int, dropped: int,
    first: float = np.nan, moments: Moments | None = None,
) -> Line:  # fmt: skip
    whole = np.full((2, 2), np.nan)
    k = len(covariance)
    whole[:k, :k] = covariance
    if moves is not None and moves.shape[1] < 2:
        moves = np.column_stack([moves, np.full(len(moves), np.nan)])
    constant = float(coefficients[1]) if len(coefficients) > 1 else np.nan
    return Line(float(coefficients[0]), constant, whole, moves, regions, n, dropped, first, moments)


def _by_pyfixest(
    y: Array, x: Array, z: Array, codes: NDArray[np.intp], method: Method, effects: Effects, name: str
) -> Array:
    """Slope, and constant if there is one."""
    import pandas as pd

    table = pd.DataFrame({"y": y, "x": x, "region": codes})
    if method == "OLS":
        from reesim.empirics.regress.fit import ols

        fit = ols(table, "y", ["x"], effects=["region"] if effects == "region" else [], cluster="region")
        return np.array([fit.coefficient(term) for term in (["x"] if effects == "region" else ["x", "constant"])])
    names = [f"z{k}" for k in range(z.shape[1])]
    for k, column in enumerate(names):
        table[column] = z[:, k]
    found = _two_stages(table, names, effects, name)
    return np.array([found["x"]] if effects == "region" else [found["x"], found["Intercept"]])


def _two_stages(table: pd.DataFrame, names: list[str], effects: Effects, name: str) -> dict[str, float]:
    import pyfixest

    formula = f"y ~ 1 |{' region |' if effects == 'region' else ''} x ~ {' + '.join(names)}"
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # pandas' announcements to pyfixest of what will go are not about the numbers.
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="pyfixest")
        warnings.filterwarnings("ignore", category=FutureWarning, module="pyfixest")
        try:
            fit = pyfixest.feols(formula, table, vcov={"CRV1": "region"}, fixef_rm="none")
        except (np.linalg.LinAlgError, ValueError) as error:
            raise DataError(f"{name}: two-stage least squares failed ({error}): look at the instruments") from error
    return {str(term): float(value) for term, value in fit.coef().items()}


def _relative_counts(frame: pd.DataFrame, name: str, effects: Effects) -> Line:
    from reesim.empirics.regress.fit import ppml

    stacked, dropped = _stacked(frame, name)
    codes, regions = _regions(stacked, name)
    cell = ["cell"] if effects == "none" else ["cell", "region_bundle"]
    terms = ["slope", "rare"] if effects == "none" else ["slope"]
    fit = ppml(stacked.assign(cluster=codes), "count", terms, effects=cell, cluster="cluster")
    return _line(
        fit.coefficients, fit.covariance, None, regions, fit.observations // 2, dropped + fit.dropped.total // 2
    )


def _leaving_out(frame: pd.DataFrame, name: str, effects: Effects) -> Line:
    """Poisson fit with the covariance by leaving out each region."""
    whole = _relative_counts(frame, name, effects)
    groups = len(whole.regions)
    if groups <= FEWEST:
        raise DataError(f"{name}: {groups} regions are too few to leave each out in turn: take errors by cluster")
    parts = [_relative_counts(frame[frame["region"] != region], name, effects) for region in whole.regions]
    rows = np.array([[part.slope - whole.slope, part.constant - whole.constant] for part in parts])
    moves = rows * np.sqrt((groups - 1) / groups)
    return Line(whole.slope, whole.constant, moves.T @ moves, moves, whole.regions, whole.observations, whole.dropped)


def _stacked(frame: pd.DataFrame, name: str) -> tuple[pd.DataFrame, int]:
    """Two rows a cell, of the counts of both bundles, with the cell's number; cells without any patent are dropped."""
    import pandas as pd

    rows = frame[(frame["a_r"] + frame["a_l"]) > 0.0]
    if not (rows["a_r"] > 0.0).any() or not (rows["a_l"] > 0.0).any():
        raise DataError(f"{name}: no patents of one of the bundles at all: nothing can be said of their ratio")
    log_price = _log_ratio(rows, "w")
    _require_variation(log_price[:, None], name, ["log(w_R/w_L)"])
    parts = [
        pd.DataFrame(
            {"count": rows[column].to_numpy(), "cell": np.arange(len(rows)), "region": rows["region"].to_numpy(),
             "rare": float(rare), "slope": log_price * rare,
             "region_bundle": [f"{region}/{column}" for region in rows["region"]]}
        )
        for column, rare in (("a_r", 1), ("a_l", 0))
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True), len(frame) - len(rows)


def _first_stage(columns: Array, one: Array, codes: NDArray[np.intp], errors: Errors) -> float:
    """Wald's F of the instruments, robust by region."""
    z = np.hstack([columns[:, 2:], one])
    moments = Moments.of_rows(columns[:, 1], z, z, codes)
    m = columns.shape[1] - 2
    b, v = moments.coefficients()[:m], moments.covariance(errors == "jackknife")[:m, :m]
    return float(b @ np.linalg.solve(v, b) / m)


def _regions(rows: pd.DataFrame, name: str) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    labels, codes = np.unique(rows["region"].to_numpy(dtype=str), return_inverse=True)
    if len(labels) < FEWEST:
        raise DataError(
            f"{name}: {len(labels)} regions with usable rows; errors are clustered by region and need {FEWEST} or more"
        )
    return codes.astype(np.intp), tuple(str(label) for label in labels)


def _log_ratio(rows: pd.DataFrame, letter: str) -> Array:
    over, under = (rows[f"{letter}_{bundle}"].to_numpy(dtype=float) for bundle in ("r", "l"))
    return np.asarray(np.log(over / under))


def _within(columns: Array, codes: NDArray[np.intp]) -> Array:
    sums = np.zeros((codes.max() + 1, columns.shape[1]))
    np.add.at(sums, codes, columns)
    return np.asarray(columns - (sums / np.bincount(codes)[:, None])[codes])


def _require_variation(columns: Array, name: str, names: Sequence[str]) -> None:
    for k, column in enumerate(names):
        if k < columns.shape[1] and not np.ptp(columns[:, k]) > ROUNDING * max(1.0, float(np.abs(columns[:, k]).max())):
            raise DataError(f"{name}: {column} does not vary in the rows used: its coefficient cannot be told")


def _require_everywhere(
    columns: Array, codes: NDArray[np.intp], regions: Sequence[str], name: str, names: Sequence[str]
) -> None:
    """Refuse what varies in one region alone: without that region nothing is left, and no error can be clustered."""
    for k, column in enumerate(names):
        values = columns[:, k]
        for code, region in enumerate(regions):
            if not np.ptp(values[codes != code]) > ROUNDING * max(1.0, float(np.abs(values).max())):
                raise DataError(
                    f"{name}: {column} varies in {region} alone: errors are clustered by region and need variation in two "
                    "or more"
                )


def _require_distinct(columns: Array, name: str, instruments: Sequence[str]) -> None:
    """Refuse instruments of which one follows from the others."""
    if len(instruments) < 2:
        return
    apart = columns - columns.mean(axis=0)
    apart = apart / np.sqrt(np.mean(apart**2, axis=0))
    if np.linalg.eigvalsh(apart.T @ apart / len(apart))[0] < COLLINEAR:
        raise DataError(
            f"{name}: one of the instruments {', '.join(instruments)} follows from the others: leave it out"
        )


def _require_equal(first: Array, second: Array, name: str) -> None:
    if not np.allclose(first, second, rtol=RELATIVE, atol=RELATIVE):
        raise DataError(
            f"{name}: the regression is too close to singular: two ways of solving it give {first} and {second}"
        )


def require_choices(method: str, effects: str, errors: str, instruments: Sequence[str]) -> None:
    """Refuse what is not a choice, and choices that do not go together.

    Raises
    ------
    InputError
        Naming them.
    """
    for word, value, known in (
        ("method", method, METHODS), ("effects", effects, ("none", "region")), ("errors", errors, ("jackknife", "cluster")),
    ):  # fmt: skip
        if value not in known:
            raise InputError(f"{word} {value!r}: should be {', '.join(known)}")
    if (method == "2SLS") != bool(instruments):
        what = "needs at least one instrument" if method == "2SLS" else "takes no instruments: use 2SLS"
        raise InputError(f"{method} {what}")
