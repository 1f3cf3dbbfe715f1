"""Permuted sensitivity and the wild cluster bootstrap, against the same done the long way."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from reesim.empirics.panels.schema import Panel
from reesim.empirics.regress.design import TERM, Design, design
from reesim.empirics.regress.fit import Correction, Options
from reesim.empirics.regress.resample import WEBB, permute_sensitivity, wild_bootstrap
from reesim.errors import ConvergenceError, InputError

pytest.importorskip("pyfixest", reason="the extra empirics is not installed")

SENSITIVITY = pd.Series({"c8": 0.3, "c9": 1.1, "c12": 4.0, "c15": 2.2}, name="sensitivity")


def made(seed: int = 0, effect: float = 0.0, countries: tuple[str, ...] = ("JPN", "USA"), holes: bool = True) -> Design:
    rng = np.random.default_rng(seed)
    keys = pd.MultiIndex.from_product(
        [countries, SENSITIVITY.index, range(2006, 2013)], names=["country", "industry", "year"]
    )
    frame = keys.to_frame(index=False)
    after = frame["year"] >= 2010
    frame["growth"] = rng.normal(size=len(frame)) + effect * after * frame["industry"].map(SENSITIVITY)
    frame["wages"] = rng.normal(size=len(frame))
    if holes:  # an unbalanced panel: fixed effects are then not taken out in one round
        frame.loc[[3, 17, 30], "growth"] = np.nan
    return design(Panel("exports", frame, "invented", controls=("wages",)), SENSITIVITY)


def refitted(one: Design, order: tuple[float, ...]) -> float:
    """β of a fit with sensitivities in another order."""
    moved = dict(zip(SENSITIVITY.index, order, strict=True))
    frame = one.frame.assign(**{TERM: one.frame["industry"].map(moved) * one.frame["post"]})
    return Design(frame=frame, exercise="exports", outcome="growth", label="", group="", controls=one.controls,
                  effects=one.effects, cluster=one.cluster).fit().coefficient(TERM)  # fmt: skip


def test_all_orders_against_as_many_fits() -> None:
    one = made()
    fit = one.fit()
    result = permute_sensitivity(one, fit, draws=24)
    expected = [refitted(one, order) for order in itertools.permutations(SENSITIVITY)]
    assert result.exact
    np.testing.assert_allclose(np.sort(result.draws), np.sort(expected), rtol=1e-6)  # fits to 1e-8, with controls
    assert result.statistic == pytest.approx(fit.coefficient(TERM), rel=1e-8)
    assert result.p == np.mean(np.abs(expected) >= abs(fit.coefficient(TERM)) * (1 - 1e-6))


def test_poisson_orders_are_fits_too() -> None:
    rng = np.random.default_rng(3)
    keys = pd.MultiIndex.from_product(
        [("JPN", "USA"), ("3691", "3714", "3511"), range(2007, 2013)], names=["region", "sic", "year"]
    )
    frame = keys.to_frame(index=False).assign(count=rng.poisson(20.0, 36).astype(float))
    one = design(Panel("patents", frame, "invented"), pd.Series({"3691": 0.5, "3714": 0.1, "3511": 0.0}))
    fit = one.fit("PPML")
    result = permute_sensitivity(one, fit, draws=6)
    assert result.exact
    assert len(result.draws) == 6
    assert np.isclose(result.draws, fit.coefficient(TERM), rtol=1e-8).sum() == 1  # the order observed is one of them


def test_orders_without_a_fit_count_as_far_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A permuted sensitivity may be separated where the observed one is not: that ends no exercise, and lowers no p."""
    rng = np.random.default_rng(3)
    keys = pd.MultiIndex.from_product(
        [("JPN", "USA"), ("3691", "3714", "3511"), range(2007, 2013)], names=["region", "sic", "year"]
    )
    frame = keys.to_frame(index=False).assign(count=rng.poisson(20.0, 36).astype(float))
    one = design(Panel("patents", frame, "invented"), pd.Series({"3691": 0.5, "3714": 0.1, "3511": 0.0}))
    fit, whole = one.fit("PPML"), Design.fit
    before = permute_sensitivity(one, fit, draws=6)

    def sometimes(self: Design, *args: object) -> object:
        found = whole(self, *args)  # type: ignore[arg-type]
        if abs(found.coefficient(TERM)) < abs(fit.coefficient(TERM)) * (1 - 1e-6):
            raise ConvergenceError("no convergence")
        return found

    monkeypatch.setattr(Design, "fit", sometimes)
    result = permute_sensitivity(one, fit, draws=6)
    assert before.p < 1.0
    assert (result.failed, len(result.draws), result.p) == (6 - round(6 * before.p), round(6 * before.p), 1.0)
    assert f"{result.failed} more could not be fitted and count as far out" in str(result)


def test_draws_repeat_with_their_seed_and_count_themselves() -> None:
    one = made()
    fit = one.fit()
    first, again, other = (permute_sensitivity(one, fit, draws=20, seed=seed) for seed in (1, 1, 2))
    assert not first.exact
    np.testing.assert_array_equal(first.draws, again.draws)
    assert not np.array_equal(first.draws, other.draws)
    far = (np.abs(first.draws) >= abs(first.statistic) * (1 - 1e-9)).sum()
    assert first.p == (1 + far) / 21
    assert "seed 1" in str(first)


def test_bootstrap_against_as_many_fits() -> None:
    """All 2^8 Rademacher weights: y* = fitted under the null + weighted residuals, fitted anew each time."""
    one = made()
    plain = Options(correction=Correction(groups=False, parameters=False))
    fit = one.fit(options=plain)
    result = wild_bootstrap(one, fit, draws=256, weights="rademacher")
    frame = one.frame.iloc[fit.kept].reset_index(drop=True)
    dummies = [pd.get_dummies(frame[name].astype(str), dtype=float).to_numpy() for name in one.effects]
    null = np.column_stack([frame["wages"], *dummies])
    y = frame["growth"].to_numpy()
    fitted = null @ np.linalg.lstsq(null, y, rcond=None)[0]
    full = np.column_stack([frame[TERM], null])
    projection = np.linalg.pinv(full)
    clusters = frame["country x industry"].to_numpy()
    names = np.unique(clusters)
    x = frame[TERM].to_numpy() - null @ np.linalg.lstsq(null, frame[TERM].to_numpy(), rcond=None)[0]
    expected = []
    for signs in itertools.product((-1.0, 1.0), repeat=len(names)):
        weight = np.array(signs)[np.searchsorted(names, clusters)]
        star = fitted + (y - fitted) * weight
        beta = projection @ star
        residual = star - full @ beta
        scores = [float((x * residual)[clusters == name].sum()) for name in names]
        expected.append(beta[0] / (np.sqrt(np.square(scores).sum()) / (x @ x)))
    assert result.exact
    assert len(result.draws) == 256
    np.testing.assert_allclose(np.sort(result.draws), np.sort(expected), rtol=1e-6, atol=1e-8)
    assert result.statistic == pytest.approx(float(fit.t[0]), rel=1e-7)
    assert result.p == pytest.approx(np.mean(np.abs(expected) >= abs(fit.t[0]) * (1 - 1e-7)))


def test_webb_points_have_variance_one() -> None:
    assert WEBB.mean() == pytest.approx(0.0, abs=1e-15)
    assert np.mean(WEBB**2) == pytest.approx(1.0, rel=1e-14)


def test_p_of_the_bootstrap_is_uniform_under_the_null_and_small_under_an_effect() -> None:
    """20 panels of 32 clusters without an effect: p below one half in about half of them; with a large effect p is small."""
    countries = ("AUS", "BRA", "CAN", "IND", "JPN", "KOR", "MEX", "USA")
    found = []
    for seed in range(20):
        one = made(seed, countries=countries, holes=False)
        found.append(wild_bootstrap(one, one.fit(), draws=199, seed=seed).p)
    assert 3 <= sum(p < 0.5 for p in found) <= 17  # binomial (20, 1/2): outside with probability 0.0004
    one = made(0, effect=1.0, countries=countries)
    assert wild_bootstrap(one, one.fit(), draws=999).p <= 0.01


def test_refusals() -> None:
    one = made()
    fit = one.fit()
    with pytest.raises(InputError, match="0 draws"):
        permute_sensitivity(one, fit, draws=0)
    with pytest.raises(InputError, match="least-squares fit and 1 draw or more"):
        wild_bootstrap(one, fit, draws=0)
    with pytest.raises(InputError, match="should be webb or rademacher"):
        wild_bootstrap(one, fit, weights="normal")  # type: ignore[arg-type]
