"""Estimating (24): exact where the model is exact, equal to pyfixest, right on average, and honest where it is not."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reesim.empirics import tables
from reesim.empirics.estimates import to_frame
from reesim.empirics.structural import exercise, figures
from reesim.empirics.structural.bands import bands, bands_of
from reesim.empirics.structural.fit import Specification, estimate, observed_shares
from reesim.empirics.structural.inversion import Technology, log_odds
from reesim.empirics.structural.moments import Moments
from reesim.empirics.structural.montecarlo import endogenous, monte_carlo
from reesim.empirics.structural.panel import (
    FactorPanel,
    panel_from_equilibria,
    panel_from_path,
    read_factor_panel,
    stocks,
)
from reesim.empirics.structural.resample import bootstrap
from reesim.empirics.structural.simulate import Design, deck_sectors, disturbed, draw, simulate
from reesim.empirics.structural.tables import sector_name, table
from reesim.errors import DataError, InputError
from reesim.scenario import Scenario, default_world
from reesim.simulation import Simulation

CODES, EPSILON, GAMMA = deck_sectors()
TWO = Design(sectors=("TRA", "TEX"), epsilon_s=np.array([0.774, 1.389]), gamma_s=np.array([0.00097, 0.00004]))
EXACT = replace(TWO, noise_sd=0.0, region_sd=0.0)
POLICY = Specification(method="2SLS", instruments=("policy",))


@pytest.fixture(scope="module")
def panel():
    return simulate(TWO, seed=1)


@pytest.fixture(scope="module")
def fit(panel):
    return estimate(panel)


@pytest.fixture(scope="module")
def shares():
    return observed_shares()


@pytest.fixture(scope="module")
def rows():
    drawn = draw(Design(endogeneity=0.2), np.random.default_rng(0))
    return pd.DataFrame(
        {"y": drawn.direction[0, 0].ravel(), "x": drawn.log_price[0].ravel(), "z": drawn.instrument[0].ravel(),
         "g": np.repeat(np.arange(8), 17)}
    )  # fmt: skip


@pytest.fixture(scope="module")
def least_squares():
    return monte_carlo()


@pytest.fixture(scope="module")
def instrument():
    return monte_carlo(endogenous(), method="2SLS")


@pytest.fixture(scope="module")
def scenario(fit, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bands")
    fit.estimated().write(folder / "estimates.json")
    text = (
        "schema: reesim.scenario/1\nname: x\ncalendar: {start: 2010-01, end: 2011-12, step: quarter}\n"
        "parameters: {from: estimates.json}\npolicies: [{type: export_tax, rate: 2.0, start: 2010-07}]\n"
    )
    return Scenario.from_yaml(text, folder=folder)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exercise, "HALF_LIVES", (2.0,))  # others have a test of their own
        patch.setattr(exercise, "YEARS", range(2007, 2016))
        return exercise.run(tmp_path_factory.mktemp("out"), draws=2, panels=20)


def truth(codes):
    return np.array([default_world().elasticities[code][0] for code in codes])


class TestExact:
    """Without errors every method finds the truth."""

    @pytest.mark.parametrize("delta", [0.0, 0.2])
    def test_static_equilibria_of_the_engine(self, delta, shares):
        """By (8) the model's own long run is on the line: epsilon of all sectors comes back to rounding."""
        scenario = Scenario.load("deck_tax").replace({"parameters.delta": delta})
        seen = panel_from_equilibria(scenario, (2009, 2012))
        assert seen.source.startswith("SIMULATED")
        fit = estimate(seen, Specification(technology=Technology(6.5, delta)))
        found = np.array([one.epsilon[0] for one in fit.sectors])
        # The certificate bounds every condition, free entry too, by 1e-10; log prices differ by one.
        assert np.abs(found - truth(seen.sectors)).max() < 1e-9
        assert max(one.epsilon[1] for one in fit.sectors) < 1e-9
        # gamma from the shares that the slides' epsilon and gamma imply is then the slides' gamma
        gamma = np.array([one.gamma for one in fit.sectors])
        assert gamma == pytest.approx([default_world().elasticities[code][1] for code in seen.sectors], rel=1e-7)

    @pytest.mark.parametrize(
        "specification",
        [
            Specification(gamma="constant"),
            replace(POLICY, gamma="constant"),
            Specification(effects="region"),
            replace(POLICY, effects="region"),
        ],
        ids=str,
    )
    def test_the_equation_itself(self, specification):
        fit = estimate(simulate(EXACT, seed=2), specification)
        # Least squares on log(A_R/A_L) of up to 13 with an exact line.
        assert [one.epsilon[0] for one in fit.sectors] == pytest.approx([1.389, 0.774], rel=1e-10)
        if specification.gamma == "constant":
            assert [one.gamma for one in fit.sectors] == pytest.approx([0.00004, 0.00097], rel=1e-8)

    def test_wrong_delta_gives_wrong_epsilon(self):
        """The slope is identified, epsilon only given delta and mu."""
        seen = simulate(replace(EXACT, technology=Technology(6.5, 0.3)), seed=2)
        right, wrong = (estimate(seen, Specification(technology=Technology(6.5, delta))) for delta in (0.3, 0.0))
        assert right["TRA"].beta[0] == wrong["TRA"].beta[0]
        assert right["TRA"].epsilon[0] == pytest.approx(0.774, rel=1e-10)
        assert abs(wrong["TRA"].epsilon[0] - 0.774) > 0.005

    def test_large_counts_by_poisson(self):
        """A million patents a cell: their relative number is on the line to Poisson's error."""
        seen = simulate(EXACT, seed=2, patents=1e6)
        fit = estimate(seen, Specification(method="PPML", errors="cluster"))
        for one in fit.sectors:
            assert one.epsilon[0] == pytest.approx({"TRA": 0.774, "TEX": 1.389}[one.sector], abs=1e-3)
            # 136 cells of a standard error of 1e-3 each over a spread of prices of about 0.4: 2e-4.
            assert one.epsilon[1] < 1e-3

    def test_zero_counts_are_used_by_poisson_and_dropped_by_least_squares(self):
        seen = simulate(TWO, seed=3, patents=2.0)
        zeros = int((seen.frame["a_r"] == 0).sum())
        linear, poisson = estimate(seen), estimate(seen, Specification(method="PPML", errors="cluster"))
        assert zeros > 0
        assert sum(one.line.dropped for one in linear.sectors) == zeros
        assert all(one.line.dropped == 0 for one in poisson.sectors)
        assert any("dropped" in line for line in linear.remarks())


class TestLags:
    def test_a_path_without_lags_has_the_long_run_slope_and_one_with_lags_less(self):
        found = exercise.attenuation(Scenario.load("deck_tax").replace({"calendar.step": "quarter"}), (0.0, 4.0))
        at_once, slow = found["slope_over_truth"]
        # Prices and trade still lag, and technology follows yearly means of prices, not their logs: a few per cent.
        assert at_once == pytest.approx(1.0, abs=0.05)
        assert 0.1 < slow < 0.6

    def test_all_at_once_is_the_long_run_exactly(self):
        scenario = Scenario.load("deck_tax").replace(
            {"adjustment": {"entry": 0, "prices": 0, "trade": 0}, "calendar.step": "year", "calendar.start": "2009-12"}
        )
        fit = estimate(panel_from_path(Simulation(scenario).run(), scenario))
        found = np.array([one.epsilon[0] for one in fit.sectors])
        # Rows of one period each: every one is a static equilibrium to 1e-10.
        assert np.abs(found - truth([one.sector for one in fit.sectors])).max() < 1e-8


class TestMoments:
    """Sums by cluster are the regression on rows."""

    @pytest.mark.parametrize(("kind", "jackknife"), [("CRV1", False), ("CRV3", True)])
    def test_least_squares_is_pyfixest(self, rows, kind, jackknife):
        known = pyfixest("y ~ x", rows, kind)
        ours = moments(rows, "x")
        assert ours.coefficients() == pytest.approx(known._beta_hat[::-1], rel=1e-10)
        # The jackknife's factor is (G - 1)/G, where pyfixest puts that of the sandwich, G/(G - 1) (N - 1)/(N - K).
        factor = (7 / 8) / (8 / 7 * 135 / 134) if jackknife else 1.0
        # The same sums in another order.
        assert ours.covariance(jackknife) == pytest.approx(factor * known._vcov[::-1, ::-1], rel=1e-8)

    def test_two_stages_and_first_stage_are_pyfixest(self, rows):
        known = pyfixest("y ~ 1 | x ~ z", rows, "CRV1")
        ours = moments(rows, "z")
        order = [known._coefnames.index("x"), known._coefnames.index("Intercept")]
        assert ours.coefficients() == pytest.approx(known._beta_hat[order], rel=1e-9)
        assert ours.covariance(False) == pytest.approx(known._vcov[np.ix_(order, order)], rel=1e-8)
        line = estimate(as_panel(rows), replace(POLICY, errors="cluster"), {"TRA": 0.005}).sectors[0].line
        assert line.first_stage == pytest.approx(known._f_stat_1st_stage, rel=1e-6)

    def test_leaving_a_cluster_out_is_leaving_its_rows_out(self, rows):
        whole = moments(rows, "z").without_each()
        for g in range(8):
            rest = rows[rows["g"] != g].assign(g=lambda frame: pd.factorize(frame["g"])[0])
            assert whole[g] == pytest.approx(moments(rest, "z").coefficients(), rel=1e-9)

    def test_counting_a_cluster_twice_is_writing_its_rows_twice(self, rows):
        weights = np.array([[2.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 2.0]])
        again = pd.concat([rows[rows["g"] == g] for g in range(8) for _ in range(int(weights[0, g]))])
        again["g"] = pd.factorize(again["g"])[0]
        assert moments(rows, "x").resampled(weights)[0] == pytest.approx(moments(again, "x").coefficients(), rel=1e-9)


def moments(rows, instrument):
    one = np.ones(len(rows))
    x, z = (np.column_stack([rows[name], one]) for name in ("x", instrument))
    return Moments.of_rows(rows["y"].to_numpy(), x, z, rows["g"].to_numpy())


def as_panel(rows):
    frame = pd.DataFrame(
        {"region": [f"R{g}" for g in rows["g"]], "sector": "TRA", "year": 2002 + np.arange(len(rows)) % 17,
         "a_r": np.exp(rows["y"]), "a_l": 1.0, "w_r": np.exp(rows["x"]), "w_l": 1.0, "policy": rows["z"]}
    )  # fmt: skip
    return FactorPanel(frame, "rows", ("policy",))


def pyfixest(formula, rows, kind):
    from pyfixest import feols

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of pandas, about what pyfixest calls
        return feols(formula, rows, vcov={kind: "g"}, fixef_rm="none")


class TestMonteCarlo:
    """500 panels of the slides' twelve sectors, eight regions and seventeen years: the numbers that the docs state."""

    @pytest.mark.parametrize("which", ["least_squares", "instrument"])
    def test_bias_and_coverage(self, which, request):
        found = request.getfixturevalue(which)
        assert found.slope.shape == (500, 12)
        assert np.abs(found.bias).max() <= 0.02
        for held in found.held.values():
            # 12 sectors x 500 panels; of one sector the share itself has a standard error of 1 %.
            assert 0.92 <= held.mean() <= 0.98
            assert held.min() >= 0.91
            assert held.max() <= 0.99

    def test_least_squares_fails_where_prices_are_endogenous(self, least_squares):
        found = monte_carlo(endogenous(), panels=100)
        # A shock of one adds 0.2 to the direction: slopes too high by its share in the variance of prices.
        assert np.abs(found.bias).max() > 0.05
        assert found.held["epsilon"].mean() < 0.85

    def test_the_usual_sandwich_is_too_small_with_eight_regions(self, least_squares):
        found = monte_carlo(jackknife=False)
        assert np.array_equal(found.slope, least_squares.slope)
        assert (found.held["epsilon"] < least_squares.held["epsilon"]).all()

    def test_a_panel_of_it_is_the_estimator_users_get(self):
        """The Monte Carlo's regressions are those of `estimate`."""
        seen = simulate(TWO, seed=5)
        drawn = draw(TWO, np.random.default_rng(5))
        one = np.ones_like(drawn.log_price[0])
        x = np.stack([drawn.log_price[0], one], axis=-1)
        for k, code in enumerate(TWO.sectors):
            parts = Moments.of_blocks(drawn.direction[0, k], x, x)
            line = estimate(seen)[code].line
            assert [line.slope, line.constant] == pytest.approx(parts.coefficients(), rel=1e-9)
            assert line.covariance == pytest.approx(parts.covariance(True), rel=1e-7)

    def test_same_seed_same_panels(self):
        first, second, other = (monte_carlo(TWO, 4, seed).slope for seed in (1, 1, 2))
        assert np.array_equal(first, second)
        assert not np.array_equal(first, other)


class TestErrors:
    def test_delta_method_by_hand(self, fit):
        one, theta = fit["TRA"], 1.0 / 5.5
        assert one.epsilon[1] == pytest.approx(one.beta[1] / (1.0 - theta * one.beta[0]) ** 2)
        assert one.log_odds_gamma[1] == pytest.approx(abs(log_odds(one.share)) / one.epsilon[0] ** 2 * one.epsilon[1])
        assert one.epsilon[2:] == pytest.approx(fit.specification.technology.epsilon(np.array(one.beta)[[3, 2]]))

    def test_covariance_has_the_errors_on_its_diagonal(self, fit):
        told = fit.estimated()
        epsilon, weight = told.std_error()
        assert epsilon == pytest.approx([one.epsilon[1] for one in fit.sectors])
        assert weight == pytest.approx([one.log_odds_gamma[1] for one in fit.sectors])

    def test_sectors_with_a_common_shock_are_correlated(self):
        """Shocks to research by region that hit two sectors alike: their estimates err together."""
        rng = np.random.default_rng(4)
        frame = simulate(EXACT, seed=4).frame
        common = {region: rng.normal(0.0, 0.3, 17) for region in frame["region"].unique()}
        shock = [common[region][year - 2002] for region, year in zip(frame["region"], frame["year"], strict=True)]
        seen = FactorPanel(frame.assign(a_r=frame["a_r"] * np.exp(shock)), "common shocks")
        covariance = np.array(estimate(seen).estimated().covariance)
        correlation = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
        # Slopes err by the very same amount; epsilon is nearly linear in them.
        assert correlation == pytest.approx(1.0, abs=1e-3)

    def test_bootstrap_agrees_with_the_formula(self):
        regions = tuple(f"R{k:02d}" for k in range(60))
        fit = estimate(simulate(replace(TWO, regions=regions), seed=1))
        again = bootstrap(fit, draws=2000, seed=1)
        # Over 2,000 resamples a standard deviation is known to 2 %; with 60 regions the two formulas differ by a few.
        assert again.std_error() == pytest.approx([one.epsilon[1] for one in fit.sectors], rel=0.12)
        low, high = again.interval()
        found = np.array([one.epsilon for one in fit.sectors])
        assert ((low < found[:, 0]) & (found[:, 0] < high)).all()
        assert (again.refused == 0.0).all()
        assert np.array_equal(again.slope, bootstrap(fit, draws=2000, seed=1).slope)

    def test_units_of_prices_move_the_constant_only(self, panel, fit):
        other = estimate(FactorPanel(panel.frame.assign(w_r=1000.0 * panel.frame["w_r"]), "dollars a tonne"))
        for one, same in zip(other.sectors, fit.sectors, strict=True):
            assert one.beta == pytest.approx(same.beta, rel=1e-8)
            assert one.line.constant != pytest.approx(same.line.constant)

    def test_order_of_rows_does_not_matter(self, panel, fit):
        shuffled = FactorPanel(panel.frame.sample(frac=1.0, random_state=0), "shuffled", ("policy",))
        assert [one.beta for one in estimate(shuffled).sectors] == [one.beta for one in fit.sectors]

    def test_weak_instruments_are_said(self, panel):
        noise = np.random.default_rng(0).standard_normal(len(panel.frame))
        seen = FactorPanel(panel.frame.assign(noise=noise), "noise", ("noise",))
        found = estimate(seen, Specification(method="2SLS", instruments=("noise",)))
        assert found.sectors[0].line.first_stage < 10.0
        assert any(line.startswith("Weak instruments") for line in found.remarks())

    def test_a_slope_too_large_is_refused_and_said(self, panel):
        steep = FactorPanel(panel.frame.assign(a_r=panel.frame["a_r"] * (panel.frame["w_r"] ** 1.2)), "steep")
        found = estimate(steep)
        assert found.refused == ("TRA",)
        assert np.isnan(found["TRA"].log_odds_gamma).all()
        assert any("TRA" in line for line in found.remarks())
        with pytest.raises(InputError, match="TRA: the slope is at or above"):
            found.estimated()
        assert found.estimated(leave_out_refused=True).sectors == ("TEX",)
        assert {row.group for row in found.estimates() if row.term == "log_odds_gamma"} == {"TEX"}


class TestRefused:
    @pytest.mark.parametrize(
        ("given", "match"),
        [
            ({"method": "2SLS"}, "needs at least one instrument"),
            ({"instruments": ("policy",)}, "takes no instruments"),
            ({"method": "ols"}, "method 'ols'"),
            ({"gamma": "constant", "effects": "region"}, "no one constant"),
            ({"gamma": "x"}, "gamma 'x'"),
            ({"level": 1.0}, "level 1"),
        ],
    )
    def test_choices(self, given, match):
        with pytest.raises(InputError, match=match):
            Specification(**given)

    def test_what_cannot_be_estimated(self, panel):
        flat = FactorPanel(panel.frame.assign(w_r=2.0), "flat")
        with pytest.raises(DataError, match=r"\(24\) of TEX: log\(w_R/w_L\) does not vary"):
            estimate(flat)
        few = FactorPanel(panel.frame[panel.frame["region"].isin(["JPN", "USA"])], "few")
        with pytest.raises(DataError, match="2 regions"):
            estimate(few)
        with pytest.raises(InputError, match="no instrument x; it has policy"):
            estimate(panel, Specification(method="2SLS", instruments=("x",)))
        with pytest.raises(DataError, match="no share of rare earths for TEX, TRA"):
            estimate(panel, shares={"MET": 0.1})
        with pytest.raises(InputError, match="Poisson fit"):
            bootstrap(estimate(simulate(TWO, 1, patents=50.0), Specification(method="PPML", errors="cluster")))

    def test_a_file_with_mistakes(self, tmp_path):
        file = tmp_path / "mine.csv"
        file.write_text(
            "region,sector,year,a_r,a_l,w_r,w_l\nJPN,TRA,2009,1,1,1,1\nJPN,TRA,2009,1,1,1,1\n"
            "JPN,TRA,2010,-1,x,0,1\n,TRA,20.5,1,1,1,\n",
            encoding="utf-8",
        )
        with pytest.raises(DataError) as caught:
            read_factor_panel(file)
        told = str(caught.value)
        for text in (
            "row 3: JPN, TRA, 2009 stands twice, first in row 2",
            "row 4: column 'a_l': 'x' is not a finite number",
            "row 4: column 'a_r': -1 is too small (should be 0 or more)",
            "row 4: column 'w_r': 0 is too small (should be above 0)",
            "row 5: column 'region': the cell is empty",
            "row 5: column 'year': 20.5 is not a year",
            "row 5: column 'w_l': the cell is empty",
        ):
            assert f"{file}: {text}" in told

    def test_missing_columns_and_files(self, tmp_path):
        file = tmp_path / "mine.csv"
        file.write_text("region,sector,year,a_r,a_l,w_r\nJPN,TRA,2009,1,1,1\n", encoding="utf-8")
        with pytest.raises(DataError, match="no column w_l, policy; needed are region, sector, year"):
            read_factor_panel(file, ["policy"])
        with pytest.raises(DataError, match="there is no such file"):
            read_factor_panel(tmp_path / "none.csv")

    def test_worlds_without_a_direction(self):
        fixed = Scenario.load("deck_tax").replace({"technology": "fixed"})
        with pytest.raises(InputError, match="endogenous technology"):
            panel_from_equilibria(fixed, [2010])


class TestPanels:
    def test_written_and_read(self, panel, tmp_path):
        panel.frame.to_csv(tmp_path / "p.csv", index=False)
        back = read_factor_panel(tmp_path / "p.csv", panel.instruments)
        pd.testing.assert_frame_equal(back.frame, panel.frame)

    def test_stocks_by_hand(self):
        frame = pd.DataFrame(
            {"region": "JPN", "sector": "TRA", "year": [2009, 2010, 2011], "a_r": [10.0, 20.0, 0.0], "a_l": 5.0,
             "w_r": 1.0, "w_l": 1.0}
        )  # fmt: skip
        held = stocks(FactorPanel(frame, "mine"), 0.2).frame
        assert held["a_r"].tolist() == pytest.approx([50.0, 60.0, 48.0])
        assert held["a_l"].tolist() == pytest.approx([25.0, 25.0, 25.0])
        with pytest.raises(DataError, match="a stock needs every year"):
            stocks(FactorPanel(frame[frame["year"] != 2010], "mine"), 0.2)

    def test_shocks_are_answered_by_the_slope(self):
        """What `disturbed` adds without errors leaves every cell on the line."""
        quiet = replace(EXACT, noise_sd=0.0, region_sd=0.0)
        seen = disturbed(simulate(quiet, seed=1), quiet, seed=9)
        assert [one.epsilon[0] for one in estimate(seen).sectors] == pytest.approx([1.389, 0.774], rel=1e-10)


class TestBands:
    def test_they_hold_the_estimate_and_are_ordered(self, scenario):
        told = bands(scenario, "A_R", n=12, seed=1, threads=2)
        assert told.paths.shape == (12, *told.central.shape)
        assert (np.diff(told.values, axis=0) >= 0.0).all()
        region, sector = told.regions.index("JPN"), told.sectors.index("TRA")
        last = told.paths[:, -1, region, sector]
        assert last.min() < told.central[-1, region, sector] < last.max()
        # Sectors that were not estimated hardly move: through wages and the price of rare earths only.
        other = told.paths[:, -1, region, told.sectors.index("ELE")]
        assert np.ptp(other) < 0.1 * np.ptp(last)
        tidy = told.to_dataframe()
        assert list(tidy.columns) == ["time", "region", "sector", "estimate", "q5", "q25", "q50", "q75", "q95"]
        assert len(tidy) == told.central.size

    def test_they_do_not_depend_on_threads_or_company(self, scenario):
        alone = bands(scenario, "welfare", n=3, seed=2, threads=1)
        both = bands_of(scenario, ("A_R", "welfare"), n=3, seed=2, threads=2)
        assert np.array_equal(alone.paths, both[1].paths)

    def test_without_estimates_there_are_none(self):
        with pytest.raises(InputError, match="not estimated"):
            bands(Scenario.load("deck_tax"), "welfare", n=2)


class TestExercise:
    def test_what_is_written(self, report):
        names = {file.name for file in report.files}
        assert {"estimates.csv", "estimates.json", "structural.md", "structural.tex", "structural.html"} <= names
        assert all(file.stat().st_size > 0 for file in report.files)
        text = "\n".join(report.lines())
        assert "SIMULATED" in text
        assert "Transport equipment" in text

    def test_estimates_beside_the_slides(self, report):
        rows = pd.read_csv(report.files[0])
        assert list(rows.columns) == list(to_frame([]).columns)
        transport = rows[(rows["group"] == "TRA") & (rows["term"] == "epsilon") & (rows["estimator"] == "OLS")]
        assert transport["deck_estimate"].tolist() == [0.774]
        assert transport["estimate"].item() == pytest.approx(report.fits[0]["TRA"].epsilon[0], rel=1e-9)

    def test_the_truth_lies_in_most_intervals(self, report):
        """12 sectors of one draw, at 95 %: fewer than 9 would happen once in two thousand draws."""
        for fit in report.fits:
            table = fit.table()
            held = (table["epsilon_low"] <= table["deck_epsilon"]) & (table["deck_epsilon"] <= table["epsilon_high"])
            assert held.sum() >= 9

    def test_sectors_that_the_slides_do_not_have_get_no_mark_of_theirs(self, report):
        """An empty list of marks was once drawn as one mark at zero."""
        own = [replace(one, sector=f"own{k}") for k, one in enumerate(report.fits[0].sectors)]
        drawn = figures.epsilon_by_sector([replace(report.fits[0], sectors=tuple(own))]).axes[0]
        assert "slides" not in [line.get_label() for line in drawn.lines]
        assert "slides" in [line.get_label() for line in figures.epsilon_by_sector(report.fits).axes[0].lines]

    def test_printed_tables_say_what_the_fit_says(self, report):
        fit = report.fits[0]
        rows = [line for line in tables.markdown(table(fit)).splitlines() if line.startswith("|")][2:]
        assert len(rows) == 12
        by_name = {line.split("|")[1].strip(): line for line in rows}
        for one in fit.sectors:
            line = by_name[sector_name(one.sector)]
            assert float(line.split("|")[2]) == pytest.approx(one.epsilon[0], abs=5e-4)
            assert float(line.split("|")[3]) == pytest.approx(one.epsilon[1], abs=5e-4)
            assert line.replace(" | ", " & ").strip("| ").replace("–", "--") in tables.latex(table(fit))

    def test_a_panel_of_the_users(self, tmp_path):
        seen = simulate(replace(TWO, sectors=("ships", "cars & vans")), seed=7)
        seen.frame.to_csv(tmp_path / "mine.csv", index=False)
        chosen = replace(POLICY, gamma="constant")
        report = exercise.run(tmp_path, tmp_path / "mine.csv", specification=chosen, draws=3, figures=False)
        assert report.fits[0].source == "mine.csv"
        assert not report.fans
        assert any(line.startswith("No bands") for line in report.lines())
        assert r"cars \& vans" in (tmp_path / "structural.tex").read_text(encoding="utf-8")
        told = json.loads((tmp_path / "estimates.json").read_text(encoding="utf-8"))
        assert [row["sector"] for row in told["sectors"]] == ["cars & vans", "ships"]
        assert "share" not in told["sectors"][0]


def test_a_column_of_the_equation_is_no_instrument(tmp_path: Path) -> None:
    file = tmp_path / "p.csv"
    file.write_text("region,sector,year,a_r,a_l,w_r,w_l\nUSA,TRA,2010,1,1,1,1\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"column 'w_r' is part of \(24\) itself and no instrument for it"):
        read_factor_panel(file, ["w_r"])
