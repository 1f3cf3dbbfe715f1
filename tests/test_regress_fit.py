"""Fits with fixed effects: by hand, laws, what is dropped and counted, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from reesim.empirics.regress import engine
from reesim.empirics.regress.fit import FIXEST, Correction, Fit, Options, ols, ppml
from reesim.empirics.regress.prune import demean, rank, singletons
from reesim.errors import ConvergenceError, DataError, InputError, LabelError

pytest.importorskip("pyfixest", reason="the extra empirics is not installed")

EFFECTS = ("unit", "year")

# Fixed effects are taken out to 1e-10 of variables scaled to one, twice over in products.
CLOSE = 1e-8


def two_by_two() -> pd.DataFrame:
    """Two units, treated and not, before and after, two draws a cell."""
    cells = [(0, 0, [10.0, 14.0]), (0, 1, [15.0, 17.0]), (1, 0, [20.0, 20.0]), (1, 1, [30.0, 34.0])]
    rows = [(unit, year, float(unit * year), y) for unit, year, ys in cells for y in ys]
    return pd.DataFrame(rows, columns=["unit", "year", "treated", "y"])


def panel(seed: int = 1, units: int = 40, years: int = 8, beta: float = 0.3, level: float = 2.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    unit, year = np.repeat(np.arange(units), years), np.tile(np.arange(years), units)
    strength = rng.normal(size=units)
    x = strength[unit] * (year >= years // 2)
    mean = np.exp(level + rng.normal(0.0, 0.7, units)[unit] + rng.normal(0.0, 0.3, years)[year] + beta * x)
    frame = pd.DataFrame({"unit": unit, "year": year, "x": x, "z": rng.normal(size=len(x)), "count": rng.poisson(mean)})
    return frame.assign(y=np.log(mean) + rng.normal(0.0, 0.2, len(x)))


def both(frame: pd.DataFrame, **changes: object) -> list[Fit]:
    given = {"effects": EFFECTS, "cluster": "unit", **changes}
    return [ppml(frame, "count", ["x", "z"], **given), ols(frame, "y", ["x", "z"], **given)]  # type: ignore[arg-type]


def test_difference_in_differences_by_hand() -> None:
    """Least squares: (32 − 20) − (16 − 12) = 8; Poisson: log(32/20) − log(16/12)."""
    frame = two_by_two()
    linear = ols(frame, "y", ["treated"], effects=EFFECTS)
    poisson = ppml(frame, "y", ["treated"], effects=EFFECTS)
    assert linear.coefficient("treated") == pytest.approx(8.0, rel=CLOSE)
    assert poisson.coefficient("treated") == pytest.approx(math.log(1.6) - math.log(4 / 3), rel=CLOSE)


def test_robust_errors_by_hand() -> None:
    """A dummy and a constant: the variance of a difference of means is Σ e²/n² in each group, times N/(N − K)."""
    frame = pd.DataFrame({"d": [0.0, 0.0, 0.0, 1.0, 1.0], "y": [1.0, 2.0, 6.0, 4.0, 10.0]})
    fit = ols(frame, "y", ["d"])
    assert fit.terms == ("constant", "d")
    np.testing.assert_allclose(fit.coefficients, [3.0, 4.0], rtol=1e-12)
    variance = (4.0 + 1.0 + 9.0) / 9.0 + (9.0 + 9.0) / 4.0
    assert fit.std_error("d") == pytest.approx(math.sqrt(variance * 5 / 3), rel=1e-12)


def test_clustered_errors_against_dummies_and_a_sandwich() -> None:
    frame = panel(units=12, years=6)
    fit = ols(frame, "y", ["x", "z"], effects=EFFECTS, cluster="unit")
    dummies = pd.get_dummies(frame[["unit", "year"]].astype(str), drop_first=True, dtype=float).to_numpy()
    x = np.column_stack([frame[["x", "z"]], np.ones(len(frame)), dummies])
    bread = np.linalg.inv(x.T @ x)
    beta = bread @ x.T @ frame["y"].to_numpy()
    scores = x * (frame["y"].to_numpy() - x @ beta)[:, None]
    meat = sum(np.outer(s, s) for s in (scores[frame["unit"] == unit].sum(axis=0) for unit in range(12)))
    # K of the correction: two regressors and the years, as units are nested in clusters.
    factor = 12 / 11 * (72 - 1) / (72 - (2 + 6))
    covariance = factor * (bread @ meat @ bread)[:2, :2]
    np.testing.assert_allclose(fit.coefficients, beta[:2], rtol=CLOSE)
    np.testing.assert_allclose(fit.covariance, covariance, rtol=1e-6)  # inverses of 19 columns
    assert (fit.df, fit.clusters, dict(fit.effects)) == (11, 12, {"unit": 12, "year": 6})


def test_corrections_are_factors() -> None:
    frame, rows = panel(units=12, years=6), 72
    plain = ols(
        frame,
        "y",
        ["x"],
        effects=EFFECTS,
        cluster="unit",
        options=Options(correction=Correction(groups=False, parameters=False)),
    )
    full = ols(frame, "y", ["x"], effects=EFFECTS, cluster="unit", options=Options(correction=FIXEST))
    assert full.covariance[0, 0] / plain.covariance[0, 0] == pytest.approx(12 / 11 * (rows - 1) / (rows - 7), rel=1e-12)
    assert "G/(G-1) x (N-1)/(N-K)" in full.call


@pytest.mark.parametrize("change", ["order", "labels", "units of x", "level"])
def test_invariance(change: str) -> None:
    frame = panel()
    moved, factor = frame.copy(), np.ones(2)
    if change == "order":
        moved = frame.sample(frac=1.0, random_state=3)
    elif change == "labels":
        moved["unit"] = [f"unit number {unit} ~ x | ^" for unit in frame["unit"]]
    elif change == "units of x":
        moved["x"], factor = frame["x"] * 1e-6, np.array([1e6, 1.0])
    else:
        # What fixed effects absorb. (Counts multiplied by unit weigh units anew, so that is no law of a Poisson regression.)
        moved["y"] = frame["y"] + 50.0 * frame["unit"] - 7.0 * frame["year"] ** 2
    for before, after in zip(both(frame), both(moved), strict=True):
        np.testing.assert_allclose(
            after.coefficients, before.coefficients * factor, rtol=1e-6, atol=1e-9 * factor.max()
        )
        np.testing.assert_allclose(after.std_errors, before.std_errors * factor, rtol=1e-6)
        assert after.dropped == before.dropped


def test_poisson_with_constant_outcomes_by_unit_scales_errors_too() -> None:
    """Counts in other units change neither coefficients nor clustered errors."""
    frame = panel()
    before = ppml(frame, "count", ["x"], effects=EFFECTS, cluster="unit")
    after = ppml(frame.assign(count=frame["count"] * 1e5), "count", ["x"], effects=EFFECTS, cluster="unit")
    assert after.coefficient("x") == pytest.approx(before.coefficient("x"), rel=CLOSE)
    assert after.std_error("x") == pytest.approx(before.std_error("x"), rel=1e-6)
    assert after.deviance == pytest.approx(before.deviance * 1e5, rel=1e-9)


def test_column_names_may_be_anything() -> None:
    frame = panel().rename(columns={"x": "sensitivity x post", "y": "log(y) | ~ +", "unit": "region x SIC^2"})
    fit = ols(
        frame, "log(y) | ~ +", ["sensitivity x post"], effects=["region x SIC^2", "year"], cluster="region x SIC^2"
    )
    assert fit.coefficient("sensitivity x post") == pytest.approx(0.3, abs=0.1)  # five standard errors


def test_what_is_dropped_is_counted() -> None:
    frame = panel(units=20).astype({"count": float})
    frame.loc[3, "x"] = np.nan
    frame.loc[4, "count"] = np.nan
    frame.loc[frame["unit"] == 7, "count"] = 0.0  # eight rows that are zero throughout
    single = pd.DataFrame({"unit": [99], "year": [0], "x": [0.0], "z": [1.0], "count": [4.0]})
    both_ways = pd.concat([frame, single], ignore_index=True)
    fit = ppml(both_ways, "count", ["x"], effects=EFFECTS, cluster="unit")
    assert (fit.dropped.missing, fit.dropped.singletons, fit.dropped.separated) == (2, 1, 8)
    assert fit.observations == 161 - 11 == len(fit.kept)
    assert str(fit.dropped) == "2 missing, 1 singletons, 8 separated"
    clean = ppml(
        frame[frame["unit"] != 7].dropna(subset=["x", "count"]), "count", ["x"], effects=EFFECTS, cluster="unit"
    )
    assert fit.coefficient("x") == clean.coefficient("x")


def test_singletons_go_until_none_is_left() -> None:
    """Without row 0, alone in its unit, row 1 is alone in its year, and so on along a chain."""
    unit, year = np.array([0, 1, 1, 2, 2, 2]), np.array([0, 0, 1, 1, 2, 2])
    gone = singletons([unit, year], np.ones(6, dtype=bool))
    assert gone.tolist() == [True, True, True, True, False, False]


def test_means_are_taken_out_as_by_dummies() -> None:
    rng = np.random.default_rng(0)
    one, two, values = rng.integers(0, 6, 60), rng.integers(0, 5, 60), rng.normal(size=(60, 3))
    dummies = np.column_stack([one[:, None] == range(6), two[:, None] == range(5)]).astype(float)
    expected = values - dummies @ np.linalg.lstsq(dummies, values, rcond=None)[0]
    left = demean(values, [one, two])
    assert left is not None
    np.testing.assert_allclose(left, expected, atol=1e-10)
    assert demean(values, [one, two], rounds=1) is None


def test_wald_by_hand_and_its_limits() -> None:
    fit = both(panel())[1]
    test = fit.wald(["x", "z"])
    b, v = fit.coefficients, fit.covariance
    assert test.statistic == pytest.approx(b @ np.linalg.inv(v) @ b / 2, rel=1e-10)
    assert fit.wald(["x"]).statistic == pytest.approx(fit.t[0] ** 2, rel=1e-10)
    assert fit.wald(["x"]).p == pytest.approx(fit.p[0], rel=1e-8)  # F(1, df) is t(df) squared
    with pytest.raises(DataError, match="at least one"):
        fit.wald([])


def test_interval_and_p_agree() -> None:
    fit = both(panel())[0]
    low, high = fit.interval("z", 1.0 - float(fit.p[1]))
    nearest = min(abs(low), abs(high))
    assert nearest == pytest.approx(0.0, abs=1e-9)  # at the level of its own p an interval ends at zero
    with pytest.raises(InputError, match="between 0 and 1"):
        fit.interval("x", 95)


def test_estimates_are_tidy_rows() -> None:
    fit = both(panel())[0]
    (row,) = fit.estimates("patents", "JPN", ["x"], deck={"x": (25.65, 11.05)})
    assert (row.estimator, row.outcome, row.group, row.term) == ("PPML", "count", "JPN", "x")
    assert (row.estimate, row.deck_estimate, row.clusters) == (fit.coefficient("x"), 25.65, 40)
    assert math.isnan(fit.estimates("patents", "JPN")[1].deck_estimate)


def test_known_coefficient_is_recovered() -> None:
    """20 panels with β = 0.3: the mean is within four of its standard errors, and 95 % intervals miss about one."""
    fits = [
        ppml(
            panel(seed, units=60), "count", ["x"], effects=EFFECTS, cluster="unit", options=Options(separation=("fe",))
        )
        for seed in range(20)
    ]
    found = np.array([fit.coefficient("x") for fit in fits])
    assert abs(found.mean() - 0.3) < 4 * found.std(ddof=1) / math.sqrt(20)
    missed = sum(not low <= 0.3 <= high for low, high in (fit.interval("x") for fit in fits))
    assert missed <= 4  # binomial (20, 0.05): more has probability 0.003


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"count": -1.0}, DataError, r"row 1 is -1; a Poisson regression needs outcomes of 0 or more"),
        ({"x": math.inf}, DataError, r"column 'x' is infinite in row 1"),
        ({"x": "much"}, DataError, r"column 'x' should hold numbers"),
    ],
)
def test_bad_cells(change: dict[str, object], error: type[Exception], says: str) -> None:
    frame = panel().astype(object)
    for column, value in change.items():
        frame.loc[0, column] = value
    with pytest.raises(error, match=says):
        ppml(frame, "count", ["x"], effects=EFFECTS, cluster="unit")


def test_refusals_say_what_to_do() -> None:
    frame = panel()
    with pytest.raises(LabelError, match=r"no column 'sens'; it has unit, year"):
        ols(frame, "y", ["sens"], effects=EFFECTS)
    with pytest.raises(InputError, match="at least one regressor"):
        ols(frame, "y", [], effects=EFFECTS)
    with pytest.raises(InputError, match="at most two"):
        ols(frame, "y", ["x"], cluster=["unit", "year", "z"])
    with pytest.raises(DataError, match=r"'level' does not vary within 'unit', 'year'"):
        ols(frame.assign(level=frame["unit"] * 2.0), "y", ["level"], effects=EFFECTS)
    with pytest.raises(DataError, match=r"'twice' follows from the regressors before it"):
        ols(frame.assign(twice=2 * frame["x"] + frame["unit"]), "y", ["x", "twice"], effects=EFFECTS)
    with pytest.raises(DataError, match="every regressor follows"):
        ols(frame.assign(level=1.0), "y", ["level"], options=Options(collinear="omit"))
    with pytest.raises(DataError, match=r"0 of 320 rows are left, too few .*320 separated"):
        ppml(frame.assign(count=0), "count", ["x"], effects=EFFECTS)
    with pytest.raises(DataError, match="the same in all"):
        ols(frame.assign(y=1.0), "y", ["x"])
    with pytest.raises(DataError, match="all rows are in one cluster"):
        ols(frame.assign(world=1), "y", ["x"], effects=EFFECTS, cluster="world")


def test_two_clusters_of_one_year_effect_have_no_error() -> None:
    """Within years two units mirror each other, and their scores add up to zero: each is zero, and so is the sandwich."""
    frame = panel(units=2)
    for fit in (ols, ppml):
        outcome = "y" if fit is ols else "count"
        with pytest.raises(DataError, match=r"zero by construction with 2 clusters"):
            fit(frame, outcome, ["x"], effects=EFFECTS, cluster="unit")
        assert (
            fit(frame, outcome, ["x"], effects=EFFECTS).std_error("x") > 0.01
        )  # a tenth of the errors' spread, and more


def test_as_many_coefficients_as_rows_are_no_regression() -> None:
    """A ring: units 0, 1, … n - 1 of two rows, years shifted by one; 2n rows, 2n - 1 effects and a regressor."""
    n = 6
    rng = np.random.default_rng(1)
    unit, year = np.repeat(np.arange(n), 2), (np.arange(2 * n) + 1) // 2 % n
    ring = pd.DataFrame({"unit": unit, "year": year, "x": rng.normal(size=2 * n), "y": rng.normal(size=2 * n)})
    with pytest.raises(DataError, match=r"12 of 12 rows are left, too few for 1 coefficients and 11 fixed effects"):
        ols(ring, "y", ["x"], effects=EFFECTS, cluster="unit")
    # Each ring that nothing links to the others has one fixed effect that cannot be told apart.
    apart = [np.concatenate([unit, unit + n]), np.concatenate([year, year + n])]
    assert (rank([unit, year], 2 * n), rank(apart, 4 * n), rank([unit], 2 * n), rank([], 2 * n)) == (11, 22, 6, 1)


@pytest.mark.parametrize("value", [0.1, 1e9 / 3.0])
def test_a_constant_that_is_no_round_number_does_not_vary(value: float) -> None:
    """Means of such a number are off by rounding, which is no variation."""
    frame = panel().assign(same=value)
    for effects in (EFFECTS, ()):
        with pytest.raises(DataError, match=r"regressor 'same' does not vary"):
            ols(frame, "y", ["x", "same"], effects=effects, cluster="unit")
        fit = ppml(frame, "count", ["x", "same"], effects=effects, cluster="unit", options=Options(collinear="omit"))
        assert fit.omitted == ("same",)
    with pytest.raises(DataError, match="the same in all 320 rows"):
        ols(frame, "same", ["x"], effects=EFFECTS)


def test_an_outcome_that_fixed_effects_explain_is_refused() -> None:
    frame = panel()
    with pytest.raises(DataError, match=r"fixed effects explain the outcome"):
        ols(frame.assign(y=frame["unit"] / 7.0), "y", ["x"], effects=EFFECTS, cluster="unit")


def test_a_far_away_origin_of_a_regressor_moves_the_constant_alone() -> None:
    """Ten million away from zero, 1e-7 of the digits of x are left, and 1e-16 of their product with themselves."""
    frame, away = panel(), 1e7
    for fit, outcome in ((ols, "y"), (ppml, "count")):
        near = fit(frame, outcome, ["x", "z"], cluster="unit")
        far = fit(frame.assign(z=frame["z"] + away), outcome, ["x", "z"], cluster="unit")
        np.testing.assert_allclose(far.coefficients[1:], near.coefficients[1:], rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(far.std_errors[1:], near.std_errors[1:], rtol=1e-6)
        moved = near.coefficient("constant") - away * far.coefficient("z")
        assert far.coefficient("constant") == pytest.approx(moved, rel=1e-6)


def test_no_convergence_is_an_error() -> None:
    with pytest.raises(ConvergenceError, match="no convergence in 2 iterations"):
        ppml(panel(), "count", ["x"], effects=EFFECTS, options=Options(iterations=2))


def test_rows_that_pyfixest_drops_on_its_own_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fit on other rows than those counted must not pass: here the engine is handed rows with a hole."""
    scaled = engine._scaled

    def with_a_hole(*args: object) -> object:
        frame, spread, size = scaled(*args)  # type: ignore[arg-type]
        frame.loc[0, "y"] = np.nan
        return frame, spread, size

    monkeypatch.setattr(engine, "_scaled", with_a_hole)
    with pytest.raises(Exception, match="left out rows or regressors"):
        ols(panel(), "y", ["x"], effects=EFFECTS)
