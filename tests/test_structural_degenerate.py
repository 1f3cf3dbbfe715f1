"""Panels that (24) cannot be estimated on: refused by name, whatever rounding makes of a matrix that has no inverse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reesim.empirics.structural.fit import Specification, estimate
from reesim.empirics.structural.inversion import Technology
from reesim.empirics.structural.panel import FactorPanel
from reesim.empirics.structural.resample import bootstrap
from reesim.empirics.structural.simulate import Design, simulate
from reesim.errors import DataError, InputError

pytest.importorskip("pyfixest", reason="the extra empirics is not installed")


@pytest.fixture(scope="module")
def panel():
    return simulate(
        replace(Design(), sectors=("TRA",), epsilon_s=np.array([0.774]), gamma_s=np.array([0.00097])), seed=1
    )


@pytest.mark.parametrize("effects", ["none", "region"])
@pytest.mark.parametrize("errors", ["jackknife", "cluster"])
@pytest.mark.parametrize(("column", "method"), [("w_r", "OLS"), ("policy", "2SLS")])
def test_what_varies_in_one_region_alone_has_no_error_by_region(panel, column, method, effects, errors):
    """Leaving that region out leaves nothing, and the sandwich sees one cluster, whose score is zero."""
    moved = panel.frame.assign(**{column: np.where(panel.frame["region"] == "JPN", panel.frame[column], 0.37)})
    how = Specification(
        method=method, instruments=("policy",) if method == "2SLS" else (), effects=effects, errors=errors
    )
    with pytest.raises(DataError, match="varies in JPN alone"):
        estimate(FactorPanel(moved, "p.csv", ("policy",)), how)


def test_instruments_that_follow_from_one_another_are_refused(panel):
    twice = FactorPanel(panel.frame.assign(again=1.0 - 2.0 * panel.frame["policy"]), "p.csv", ("policy", "again"))
    with pytest.raises(DataError, match="instruments policy, again follows from the others"):
        estimate(twice, Specification(method="2SLS", instruments=("policy", "again")))


def test_regions_too_alike_to_resample_are_refused(panel):
    """Three regions, each with a price of its own: one draw in nine takes the same region three times."""
    frame = panel.frame[panel.frame["region"].isin(["CHN", "JPN", "USA"])]
    still = frame.assign(w_r=frame["region"].map({"CHN": 1.0, "JPN": 2.0, "USA": 4.0}))
    with pytest.raises(InputError, match="too few to resample"):
        bootstrap(estimate(FactorPanel(still, "p.csv")), draws=99)


def test_a_slope_beyond_the_model_has_no_interval_of_kappa(panel):
    steep = panel.frame.assign(a_r=(panel.frame["w_r"] / panel.frame["w_l"]) ** 0.9 * panel.frame["a_l"])
    one = estimate(FactorPanel(steep.assign(a_r=steep["a_r"] * 1.01 ** (steep["year"] % 3)), "p.csv"))["TRA"]
    assert one.beta[2] > one.beta[0] - 0.01 > Technology().largest_slope
    assert np.isnan(one.kappa[2:]).all()
    assert np.isnan(one.epsilon[2:]).all()
