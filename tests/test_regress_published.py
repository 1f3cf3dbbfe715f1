"""Fits against results that others have published, quoted with their source, and the slides' table of regressions."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reesim.empirics.regress.fit import PPMLHDFE, Options, ols, ppml
from reesim.empirics.regress.published import published, table
from reesim.empirics.tables import stars
from reesim.errors import DataError

pytest.importorskip("pyfixest", reason="the extra empirics is not installed")

# "Fast Fixed-Effects Estimation: Short introduction", the walkthrough of the R package fixest 0.10.5 (2022-10-18), section 1:
# Poisson by cluster, then the table of estimates with two-way clusters, then the regression without fixed effects.
FOUR = ("Origin", "Destination", "Product", "Year")
POISSON = {("Origin",): 0.115678, ("Origin", "Destination"): 0.130734, ("Product",): 0.098294}

# ppmlhdfe's guide "Examples of nonexistence of estimates", section "Endometrial Cancer Example": histology grade (HG) on
# neovasculization (NV), pulsatility (PI) and endometrium height (EH), of Heinze and Schemper (2002), as Agresti (2015, p. 186)
# prints it. NV PI EH HG, 79 patients.
ENDOMETRIAL = """0 13 1.64 0;0 16 2.26 0;0 8 3.14 0;0 34 2.68 0;0 20 1.28 0;0 5 2.31 0;0 17 1.80 0;0 10 1.68 0;0 26 1.56 0;
0 17 2.31 0;0 8 2.01 0;0 7 1.89 0;0 20 3.15 0;0 10 1.23 0;0 18 1.27 0;0 16 1.76 0;0 18 2.00 0;0 8 2.64 1;0 29 0.88 1;0 12 1.27 1;
0 20 1.37 1;1 38 0.97 1;1 22 1.14 1;1 7 0.88 1;1 25 0.91 1;1 15 0.58 1;0 7 0.97 1;0 28 1.50 0;0 11 1.33 0;0 19 2.37 0;
0 10 1.82 0;0 10 3.13 0;0 18 1.31 0;0 14 1.92 0;0 21 1.64 0;0 11 2.01 0;0 17 1.88 0;0 25 1.93 0;0 16 2.11 0;0 19 1.29 0;
0 15 1.72 0;0 33 0.75 0;0 24 1.92 0;0 48 1.84 1;0 12 1.11 1;0 19 1.61 1;0 2 1.18 1;1 22 1.44 1;1 40 1.18 1;1 5 0.93 1;
1 0 1.17 1;0 21 1.19 1;0 15 1.06 1;0 29 2.02 0;0 15 2.29 0;0 12 2.33 0;0 3 2.90 0;0 20 1.70 0;0 23 1.41 0;0 12 2.25 0;
0 22 1.54 0;0 42 1.97 0;0 15 1.75 0;0 13 2.16 0;0 14 2.57 0;0 19 1.37 0;0 12 3.61 0;0 13 2.04 0;0 10 2.17 0;0 12 1.69 1;
1 49 0.27 1;0 6 1.84 1;0 5 1.30 1;0 17 0.96 1;1 11 1.01 1;1 21 0.98 1;0 5 0.35 1;1 19 1.02 1;0 33 0.85 1"""


@pytest.fixture(scope="module")
def trade() -> pd.DataFrame:
    folder = os.environ.get("REESIM_SHARED_DATA")
    if not folder:
        pytest.skip("REESIM_SHARED_DATA is not set")
    rdata = pytest.importorskip("rdata")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rdata's own, about attributes that it does not convert
        frame: pd.DataFrame = rdata.read_rda(Path(folder) / "fixest" / "trade.RData")["trade"]
    return frame.assign(distance=np.log(frame["dist_km"]), log_euros=np.log(frame["Euros"]))


@pytest.mark.shared
@pytest.mark.parametrize(("cluster", "error"), POISSON.items())
def test_poisson_of_fixest(trade: pd.DataFrame, cluster: tuple[str, ...], error: float) -> None:
    fit = ppml(trade, "Euros", ["distance"], effects=FOUR, cluster=cluster)
    assert round(fit.coefficient("distance"), 5) == -1.52787
    assert round(fit.std_error("distance"), 6) == error
    assert fit.observations == 38_325
    assert dict(fit.effects) == {"Origin": 15, "Destination": 15, "Product": 20, "Year": 10}
    assert fit.dropped.total == 0


@pytest.mark.shared
def test_least_squares_of_fixest(trade: pd.DataFrame) -> None:
    fit = ols(trade, "log_euros", ["distance"], effects=FOUR, cluster=("Origin", "Destination"))
    assert f"{fit.coefficient('distance'):.3f} ({fit.std_error('distance'):.4f})" == "-2.170 (0.1714)"


@pytest.mark.shared
def test_poisson_without_fixed_effects(trade: pd.DataFrame) -> None:
    """Coefficients as published; standard errors as of the formula, which fixest's print misses in its fourth digit."""
    fit = ppml(trade, "Euros", ["distance"], cluster="Product")
    assert [round(value, 5) for value in fit.coefficients] == [24.70889, -1.02896]
    # fixest prints 0.330044 and 0.045954: its iterations end a little before their weights are those of the estimates.
    np.testing.assert_allclose(fit.std_errors, [0.330044, 0.045954], rtol=1e-4)
    np.testing.assert_allclose(fit.std_errors, sandwich(trade), rtol=1e-7)  # the root of the iterations' tolerance


def sandwich(trade: pd.DataFrame) -> np.ndarray:
    """Clustered standard errors written out, after Newton's method to the last digit."""
    x = np.column_stack([np.ones(len(trade)), trade["distance"]])
    y = trade["Euros"].to_numpy(dtype=float)
    beta = np.array([np.log(y.mean()), 0.0])
    for _ in range(60):
        mu = np.exp(x @ beta)
        beta = beta + np.linalg.solve(x.T @ (x * mu[:, None]), x.T @ (y - mu))
    mu = np.exp(x @ beta)
    bread = np.linalg.inv(x.T @ (x * mu[:, None]))
    scores = pd.DataFrame(x * (y - mu)[:, None]).groupby(trade["Product"].astype(str).to_numpy()).sum().to_numpy()
    groups, rows = len(scores), len(y)
    factor = groups / (groups - 1) * (rows - 1) / (rows - 2)
    return np.sqrt(np.diag(factor * bread @ scores.T @ scores @ bread))


def logit_as_poisson(frame: pd.DataFrame) -> pd.DataFrame:
    """ppmlhdfe's transformation: each row twice, the second with outcome 1 − y and regressors zero; one effect a pair."""
    first = frame.assign(c=1.0, i=range(len(frame)))
    second = first.assign(**{name: 0.0 for name in first.columns if name not in ("i", "y")}, y=1.0 - first["y"])
    return pd.concat([first, second], ignore_index=True)


@pytest.fixture(scope="module")
def endometrial() -> pd.DataFrame:
    rows = np.array([row.split() for row in ENDOMETRIAL.replace("\n", "").split(";")], dtype=float)
    return pd.DataFrame(rows, columns=["x1", "x2", "x3", "y"])


def test_endometrial_example_of_ppmlhdfe(endometrial: pd.DataFrame) -> None:
    options = Options(collinear="omit", correction=PPMLHDFE, tolerance=1e-8)  # the tolerance that it prints
    fit = ppml(logit_as_poisson(endometrial), "y", ["x1", "x2", "x3", "c"], effects=["i"], cluster="i", options=options)
    # "(simplex method dropped 13 separated observations)", "1 variable omitted because of collinearity: x1", then the table.
    assert (fit.dropped.separated, fit.omitted) == (13, ("x1",))
    assert (fit.observations, fit.clusters) == (132, 66)
    printed = {"x2": ("-0.0421834", "0.0720096"), "x3": ("-2.902606", "1.044777"), "c": ("4.304518", "2.175852")}
    for term, (coefficient, error) in printed.items():
        digits = len(error) - 2
        assert f"{fit.coefficient(term):.{digits}f}" == coefficient
        assert f"{fit.std_error(term):.{digits}f}" == error
    assert round(fit.deviance, 8) == 55.39326036


def test_endometrial_example_to_the_last_digit(endometrial: pd.DataFrame) -> None:
    """With the default tolerance errors are those of the logit, written out; those printed above are 4e-6 off."""
    rows = endometrial[endometrial["x1"] == 0.0]
    x = np.column_stack([rows["x2"], rows["x3"], np.ones(len(rows))])
    y, beta = rows["y"].to_numpy(), np.zeros(3)
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-x @ beta))
        bread = np.linalg.inv(x.T @ (x * (p * (1.0 - p))[:, None]))
        beta = beta + bread @ x.T @ (y - p)
    scores = x * (y - p)[:, None]
    errors = np.sqrt(np.diag(66 / 65 * bread @ scores.T @ scores @ bread))
    fit = ppml(
        logit_as_poisson(endometrial), "y", ["x1", "x2", "x3", "c"], effects=["i"], cluster="i",
        options=Options(collinear="omit", correction=PPMLHDFE),
    )  # fmt: skip
    np.testing.assert_allclose(fit.coefficients, beta, rtol=1e-9)  # fixed effects are taken out to 1e-10
    np.testing.assert_allclose(fit.std_errors, errors, rtol=1e-7)  # the root of the iterations' tolerance


def test_a_regressor_without_variation_is_refused_by_default(endometrial: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=r"'x1' does not vary within 'i' in the 132 rows"):
        ppml(logit_as_poisson(endometrial), "y", ["x1", "x2", "x3", "c"], effects=["i"], cluster="i")


def test_complete_separation_of_ppmlhdfe() -> None:
    """Guide, "Agresti's Eight-Point Example": "Insufficient observations after dropping separated obs."."""
    frame = pd.DataFrame({"x": [10.0, 20, 30, 40, 60, 70, 80, 90], "y": [0.0] * 4 + [1.0] * 4})
    with pytest.raises(DataError, match=r"0 of 16 rows are left.*8 separated"):
        ppml(logit_as_poisson(frame), "y", ["x", "c"], effects=["i"], cluster="i")


def test_separation_in_a_combination_of_regressors() -> None:
    """ppmlhdfe's primer on separation: z = 2 x1 + x2 separates the first row, and x2 then follows from x1."""
    frame = pd.DataFrame({"y": [0, 0, 0, 1, 2, 3], "x1": [2, -1, 0, 0, 5, 6], "x2": [-1, 2, 0, 0, -10, -12]})
    fit = ppml(frame, "y", ["x1", "x2"], options=Options(collinear="omit"))
    assert fit.kept.tolist() == [1, 2, 3, 4, 5]
    assert (fit.dropped.separated, fit.omitted) == (1, ("x2",))


def test_separation_in_a_combination_of_fixed_effects() -> None:
    """The primer's example of five rows that the fixed-effects check misses, beside a block that has nothing to do with it."""
    primer = pd.DataFrame({"y": [0, 1, 0, 0, 1], "id1": [1, 1, 2, 2, 2], "id2": [1, 1, 1, 2, 2], "x": 0.0})
    cells = [(i, j) for i in (3, 4, 5) for j in (3, 4, 5, 6)]
    beside = pd.DataFrame(cells, columns=["id1", "id2"]).assign(
        y=[3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8], x=[2, 7, 1, 8, 2, 8, 1, 8, 2, 8, 4, 5]
    )
    frame = pd.concat([primer, beside], ignore_index=True)
    fit = ppml(frame, "y", ["x"], effects=["id1", "id2"])
    assert sorted(set(range(17)) - set(fit.kept)) == [2]
    assert fit.dropped.separated == 1
    alone = ppml(beside, "y", ["x"], effects=["id1", "id2"])
    assert fit.coefficient("x") == pytest.approx(alone.coefficient("x"), rel=1e-9)  # solvers' tolerance


def test_the_slides_table_is_whole() -> None:
    """Every regression has its groups, and the stars of the slides follow from its numbers."""
    found = table()
    assert len(found) == 6 + 6 + 4 + 6 + 4
    marked = {key: stars(p_value(row.t, row.clusters)) for key, row in found.items()}
    patents = [
        marked["patents", "enhancing patents", "PPML", group] for group in ("NONCHN", "USA", "EUR", "JPN", "ALL", "CHN")
    ]
    assert patents == ["***", "**", "***", "**", "***", ""]
    linear = [
        marked["patents", "enhancing patents", "OLS", group] for group in ("NONCHN", "USA", "EUR", "JPN", "ALL", "CHN")
    ]
    assert linear == ["***", "**", "***", "", "", ""]
    difference = [marked["patents", "difference to China", "OLS", group] for group in ("NONCHN", "USA", "EUR", "JPN")]
    assert difference == ["***", "", "**", "**"]
    exports = [
        marked["exports", "annualised growth", "OLS", group] for group in ("NONCHN", "USA", "EUR", "JPN", "ALL", "CHN")
    ]
    assert exports == ["***", "", "*", "**", "***", ""]
    less = [marked["exports", "difference to China", "OLS", group] for group in ("NONCHN", "USA", "EUR", "JPN")]
    assert less == ["***", "***", "***", "**"]


def p_value(t: float, clusters: int) -> float:
    from scipy.stats import t as student

    return 2.0 * float(student.sf(abs(t), clusters - 1))


def test_the_slides_numbers_by_name() -> None:
    main = published("exports", "annualised growth", "OLS", "NONCHN")
    assert main is not None
    assert (main.estimate, main.std_error, main.observations, main.clusters) == (0.880, 0.254, 271_740, 17_249)
    assert published("exports", "annualised growth", "OLS", "KOR") is None
