"""What an econometrician would see of a path: flows by hand, laws of counting, seeds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal

from reesim.empirics.panels.simulated import (
    EXPOSURE,
    Observed,
    annual_flow,
    annual_mean,
    bundle_exposure,
    panel_from_path,
)
from reesim.errors import DataError, LabelError
from reesim.labels import Labels
from reesim.results.path import Path
from reesim.results.provenance import Provenance
from reesim.scenario import Scenario
from reesim.simulation import Simulation

REGIONS = Labels("region", ("CHN", "EU"), ("China", "European Union"))
SECTORS = Labels("sector", ("MAC", "SER"), ("Machinery", "Services"))
YEARS_RTOL = 1e-9
"""Openings near the year 2010 carry 2e-13; a month is a twelfth, so lengths of periods carry 3e-12."""


def made(times, **values) -> Path:
    """A path of two regions and two sectors; services use no rare earths."""
    t = len(times)
    share = np.tile([0.01, 0.0], (t, 2, 1))
    arrays = {name: np.broadcast_to(np.asarray(array, dtype=float), (t, 2, 2)) for name, array in values.items()}
    return Path(times, {"ree_share": share, **arrays}, REGIONS, SECTORS, Provenance(name="by hand"))


def months(first: str, number: int) -> pd.DatetimeIndex:
    return pd.date_range(first, periods=number, freq="MS")


def moving(series) -> np.ndarray:
    """The same series in every cell."""
    return np.asarray(series, dtype=float)[:, None, None]


def counts(panel, region="EUR", column="count") -> np.ndarray:
    frame = panel.frame
    return frame.loc[frame.iloc[:, 0] == region, column].to_numpy()


# --- flows ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("freq", ["MS", "QS", "YS", "W"])
@pytest.mark.parametrize("replacement", [0.05, 0.3])
def test_a_stationary_path_has_the_flow_of_replacement(freq, replacement):
    times = pd.date_range("2010-01-03" if freq == "W" else "2010-01-01", "2014-12-31", freq=freq)
    panel = panel_from_path(made(times, A_R=1.0), noise=False, observed=Observed(replacement=replacement))
    assert_allclose(panel.frame["count"], replacement * EXPOSURE, rtol=YEARS_RTOL)


def test_the_flow_by_hand():
    """Two years of months; the last change is not on the path, and growth goes on as before."""
    level = np.concatenate([np.ones(6), np.linspace(1.1, 1.6, 6), np.linspace(1.58, 1.36, 12)])
    xi = 0.12
    after = np.append(level[1:], level[-1] ** 2 / level[-2])
    flow = np.maximum(0.0, after - level + xi * level / 12.0)
    panel = panel_from_path(
        made(months("2010-01", 24), A_R=moving(level)), exposure=10.0, noise=False, pre_years=1, observed=Observed(replacement=xi)
    )  # fmt: skip
    assert panel.frame["year"].unique().tolist() == [2009, 2010, 2011]
    assert_allclose(counts(panel), 10.0 * np.array([xi, flow[:12].sum(), flow[12:].sum()]), rtol=YEARS_RTOL)
    assert (flow[12:] == 0.0).any()  # the floor is in use


def test_without_replacement_flows_add_up_to_what_was_gained():
    rng = np.random.default_rng(3)
    level = np.cumprod(np.append(1.0, 1.0 + 0.02 * rng.random(59)))
    flows = annual_flow(moving(level), np.arange(61) / 12.0 + 2010.0, 0.0, np.arange(2008, 2015))
    assert_allclose(flows[:2], 0.0)
    assert_allclose(flows.sum(axis=0).item(), level[-1] ** 2 / level[-2] - 1.0, rtol=YEARS_RTOL)


def test_nobody_unlearns():
    falling = moving(np.linspace(1.0, 0.5, 24))
    panel = panel_from_path(made(months("2010-01", 24), A_R=falling), noise=False, observed=Observed(replacement=0.0))
    assert_array_equal(panel.frame["count"], 0.0)


def test_a_path_that_begins_within_a_year_is_at_its_baseline_before():
    """December 2009 as the baseline row, as scenarios have it."""
    panel = panel_from_path(
        made(months("2009-12", 13), A_R=1.0), noise=False, pre_years=2, observed=Observed(replacement=0.2)
    )
    assert panel.frame["year"].unique().tolist() == [2007, 2008, 2009, 2010]
    assert_allclose(panel.frame["count"], 20.0, rtol=YEARS_RTOL)
    assert panel.notes == ("Years before December 2009 are the baseline of the path.",)


def test_a_year_that_the_path_does_not_end_is_left_out():
    panel = panel_from_path(made(months("2010-01", 30), A_R=1.0), noise=False, pre_years=0)
    assert panel.frame["year"].unique().tolist() == [2010, 2011]
    assert panel.notes == ("2012 is left out: the path does not reach its end.",)


def test_a_period_across_new_year_counts_to_each_by_its_length():
    level = moving([1.0, 3.0])
    flow = annual_flow(level, np.array([2010.75, 2011.75, 2012.75]), 0.0, np.arange(2010, 2013))
    # +2 over the first period; then growth goes on threefold, +6: a quarter and three quarters of each.
    assert_allclose(flow.ravel(), [0.5, 1.5 + 1.5, 4.5])


def test_a_stock_is_the_mean_of_the_year():
    level = np.concatenate([np.ones(12), np.arange(12.0)])
    for replacement in (0.1, 0.3):
        panel = panel_from_path(
            made(months("2010-01", 24), A_R=moving(level)), exposure=1.0, noise=False, pre_years=1,
            observed=Observed(seen="stock", replacement=replacement),
        )  # fmt: skip
        assert_allclose(counts(panel), [1.0, 1.0, 5.5], rtol=YEARS_RTOL)
    halves = annual_mean(moving([2.0, 4.0]), np.array([2010.0, 2010.5, 2011.0]), np.array([2009, 2010]))
    assert_allclose(halves.ravel(), [2.0, 3.0])


# --- counts ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def path() -> Path:
    """Five years of the permanent tax."""
    return Simulation(Scenario.load("deck_tax_permanent").replace({"calendar.end": "2014-12"})).run()


def test_exposure_scales_expected_counts_and_nothing_else(path):
    one, three = (panel_from_path(path, exposure=size, noise=False).frame["count"] for size in (50.0, 150.0))
    assert_allclose(three, 3.0 * one, rtol=1e-14)
    table = {(region, sector): 50.0 for region in path.regions for sector in path.sectors}
    assert_array_equal(panel_from_path(path, exposure=table, noise=False).frame["count"], one)
    table["JPN", "TRA"] = 0.0
    frame = panel_from_path(path, exposure=table, noise=False).frame
    cell = (frame["region"] == "JPN") & (frame["sic"] == "TRA")
    assert (frame.loc[cell, "count"] == 0.0).all()
    assert_array_equal(frame.loc[~cell, "count"], one[~cell])


def test_counts_are_poisson_and_seeded(path):
    expected = panel_from_path(path, noise=False).frame["count"]
    drawn = panel_from_path(path, seed=4).frame
    assert_frame_equal(drawn, panel_from_path(path, seed=4).frame)
    assert (drawn["count"] != panel_from_path(path, seed=5).frame["count"]).any()
    assert (drawn["count"] % 1.0 == 0.0).all()
    # Pearson's statistic of n Poisson counts has mean n and variance 2 n + Σ 1/mean: five of its deviations.
    n = len(drawn)
    pearson = ((drawn["count"] - expected) ** 2 / expected).sum()
    assert abs(pearson - n) < 5.0 * np.sqrt(2.0 * n + (1.0 / expected).sum())
    assert abs(drawn["count"].sum() - expected.sum()) < 5.0 * np.sqrt(expected.sum())


def test_default_sectors_are_those_that_use_rare_earths(path):
    panel = panel_from_path(path, noise=False)
    codes = panel.frame["sic"].unique().tolist()
    assert len(codes) == 12
    assert not {"AGR", "SER"} & set(codes)
    assert panel.frame["region"].unique().tolist() == ["CHN", "EUR", "JPN", "USA", "ROW"]
    few = panel_from_path(path, noise=False, sectors=["TRA", "SER"])
    assert few.frame["sic"].unique().tolist() == ["TRA", "SER"]
    whole = panel.frame[panel.frame["sic"] == "TRA"]["count"].to_numpy()
    assert_array_equal(few.frame[few.frame["sic"] == "TRA"]["count"].to_numpy(), whole)


def test_foreign_patents_rise_with_the_tax_where_substitution_is_hard(path):
    """(8): an elasticity below one draws research to what has become dear, abroad; in China it has become cheap."""
    frame = panel_from_path(path, noise=False, observed=Observed(seen="stock")).frame
    mean = frame.assign(post=frame["year"] >= 2010).groupby(["region", "sic", "post"])["count"].mean().unstack()
    change = mean[True] - mean[False]
    assert (change.loc[["EUR", "JPN", "USA"], "TRA"] > 0.0).all()
    assert change["CHN", "TRA"] < 0.0


def test_all_patents_are_those_of_both_bundles(path):
    both = panel_from_path(path, observed=Observed(bundle="both"), noise=False).frame
    ree = panel_from_path(path, observed=Observed(bundle="R"), noise=False).frame
    labour = panel_from_path(path, observed=Observed(bundle="L"), noise=False).frame
    assert_array_equal(both["enhancing"], ree["count"])
    assert_array_equal(both["count"], ree["count"] + labour["count"])
    drawn = panel_from_path(path, observed=Observed(bundle="both"), seed=1).frame
    assert (drawn["count"] >= drawn["enhancing"]).all()


def test_exposure_by_size_gives_the_patents_asked_for():
    scenario = Scenario.load("baseline").replace({"calendar.end": "2010-12"})
    simulation = Simulation(scenario)
    calibration = simulation.economy.calibration
    exposure = bundle_exposure(calibration, 1800.0, replacement=0.2)
    panel = panel_from_path(simulation.run(), exposure=exposure, noise=False, observed=Observed(replacement=0.2))
    by_year = panel.frame.groupby("year")["count"].sum()
    # The baseline is an equilibrium to 1e-10, a year's flow to that over the rate of replacement.
    assert_allclose(by_year, 1800.0, rtol=1e-8)
    size = calibration.ree_share_is * calibration.value_added_is
    one = panel.frame.set_index(["region", "sic", "year"])["count"]
    i, s, k = calibration.regions.index("JPN"), calibration.sectors.index("TRA"), calibration.sectors.index("MET")
    assert_allclose(one["JPN", "TRA", 2009] / one["JPN", "MET", 2009], size[i, s] / size[i, k], rtol=1e-8)
    with pytest.raises(DataError, match="should be above 0"):
        bundle_exposure(calibration, 0.0)


# --- exports --------------------------------------------------------------------------------------------------------


def test_exports_are_means_of_the_year_and_grow_in_logs(path):
    panel = panel_from_path(path, "exports", noise=False)
    frame = panel.frame.set_index(["country", "industry", "year"]).sort_index()
    i, s = path.regions.index("JPN"), path.sectors.index("TRA")
    flow = path.array("exports")[:, i, s]
    row = int(np.flatnonzero(path.times == pd.Timestamp("2011-01-01"))[0])
    assert_allclose(frame["value"]["JPN", "TRA", 2011], flow[row : row + 12].mean(), rtol=YEARS_RTOL)
    assert_allclose(frame["value"]["JPN", "TRA", 2005], flow[0], rtol=YEARS_RTOL)
    assert_allclose(frame["growth"]["JPN", "TRA", 2005], 0.0, atol=1e-10)
    gained = np.log(frame["value"]["JPN", "TRA", 2014]) - np.log(flow[0])
    assert_allclose(frame["growth"]["JPN", "TRA"].sum(), gained, atol=1e-9)  # years telescope
    real = panel_from_path(path, "exports", noise=False, real=True).frame
    assert_allclose(real["value"][0], path.array("exports_real")[0, 0, 1], rtol=YEARS_RTOL)


def test_noise_of_exports_keeps_the_mean_and_has_the_spread_asked_for(path):
    true = panel_from_path(path, "exports", noise=False).frame["value"]
    seen = panel_from_path(path, "exports", noise=0.1, seed=7).frame["value"]
    assert_array_equal(seen, panel_from_path(path, "exports", noise=0.1, seed=7).frame["value"])
    gap = np.log(seen / true) + 0.5 * 0.1**2
    n = len(gap)
    assert abs(gap.mean()) < 5.0 * 0.1 / np.sqrt(n)
    assert abs(gap.std() - 0.1) < 5.0 * 0.1 / np.sqrt(2.0 * n)


# --- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"outcome": "revenue"}, "no outcome 'revenue' of a path; known: patents, exports"),
        ({"pre_years": -1}, "pre_years should be a number of years"),
        ({"exposure": -1.0}, "exposure should be finite numbers, 0 or more"),
        ({"exposure": {("CHN", "MAC"): 1.0}}, "exposure: no number for EU, MAC"),
        ({"noise": 0.3}, "counts of patents are Poisson or expected"),
        ({"outcome": "exports", "noise": -0.3}, "should be a standard deviation"),
        ({"sectors": "MAC"}, "sectors should be a list of codes"),
    ],
)
def test_arguments_that_make_no_panel(options, said):
    path = made(months("2010-01", 12), A_R=1.0, exports=5.0)
    with pytest.raises(DataError, match=said):
        panel_from_path(path, **options)


@pytest.mark.parametrize("wrong", [{"bundle": "K"}, {"seen": "rate"}, {"replacement": -0.1}, {"replacement": np.nan}])
def test_ways_to_see_patents(wrong):
    with pytest.raises(DataError, match="should be"):
        Observed(**wrong)


def test_paths_that_hold_too_little():
    with pytest.raises(DataError, match="no year to its end: it stops in 2010"):
        panel_from_path(made(months("2010-01", 6), A_R=1.0), pre_years=0)
    with pytest.raises(LabelError, match="did not keep 'A_R'"):
        panel_from_path(made(months("2010-01", 12), A_L=1.0))
    with pytest.raises(LabelError, match="did you mean"):
        panel_from_path(made(months("2010-01", 12), A_R=1.0), sectors=["MAX"])
    bare = Path(months("2010-01", 12), {"A_R": np.ones((12, 2, 2))}, REGIONS, SECTORS, Provenance(name="bare"))
    with pytest.raises(LabelError, match="Or name the sectors to observe"):
        panel_from_path(bare)
    assert len(panel_from_path(bare, sectors=["MAC"])) == 2 * 9
