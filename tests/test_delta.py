"""δ by indirect inference: laws of the auxiliary regression, the search and its interval, and what is said when there is none."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from reesim import Scenario
from reesim.empirics.delta import study as studies
from reesim.empirics.delta.auxiliary import (
    Episode,
    Reading,
    Response,
    auxiliary,
    long_run_slope,
    model_requirements,
    requirements,
)
from reesim.empirics.delta.outputs import run, to_estimates
from reesim.empirics.delta.profile import Profile, describe, profile
from reesim.empirics.delta.target import NINETY_FIVE, Target, of_panel, of_slides
from reesim.empirics.panels.simulated import Observed
from reesim.errors import ConvergenceError, DataError, InputError
from reesim.simulation import Simulation
from reesim.stability import delta_star

FLOW, STOCK = Reading(), Reading(observed=Observed(seen="stock"))
REACHED = Reading(last=2016)
"""A reading under which the tax meets the target at a δ below zero."""

ROUNDING = 1e-7
"""Two fits to 1e-12 of the deviance on paths to 1e-13 agree in the coefficient to about its square root."""


def scenario(name: str = "deck_tax", **changes: object) -> Scenario:
    plain = {"calibration.ree_shares": "accounts"}
    return Scenario.load(name).replace({**plain, **{key.replace("__", "."): value for key, value in changes.items()}})


@pytest.fixture(scope="module")
def tax() -> Episode:
    return Episode(scenario())


def made(delta: float, response: float) -> Response:
    """A response as if it had come from a path."""
    return Response(delta=delta, coefficient=response, std_error=0.1, sd=1.0, observations=8, clusters=4, residual=0.0)


TARGET = Target(response=0.5, std_error=0.1, source="a test")


# the target ---------------------------------------------------------------------------------------------------------


def test_the_slides_number_is_7_4_percent_with_their_t():
    target = of_slides()
    assert target.percent == pytest.approx(7.4, rel=1e-12)
    assert target.response / target.std_error == pytest.approx(15.46 / 4.943, rel=1e-12)
    assert target.percent_error == pytest.approx(2.45, abs=0.005)  # the slides' 2.4, less rounded
    assert [target.criterion(end) for end in target.band()] == pytest.approx([NINETY_FIVE**2] * 2, rel=1e-12)


@pytest.mark.parametrize(("response", "error"), [(math.nan, 0.1), (0.1, 0.0), (0.1, math.inf), (0.1, -1.0)])
def test_a_target_without_a_standard_error_is_refused(response, error):
    with pytest.raises(DataError, match="standard error"):
        Target(response=response, std_error=error, source="a test")


def test_the_target_can_be_estimated_on_a_panel(tmp_path):
    """Counts that are exp(0.3 x sensitivity / sd) higher after 2010 have a response of 0.3, whatever stands around it."""
    x = requirements()
    after = 0.3 / float(x.std(ddof=1))
    rows = [
        (region, sector, year, 50.0 * (1 + r) * math.exp(0.02 * (year - 2000) + after * x[sector] * (year >= 2010)))
        for r, region in enumerate(("USA", "JPN", "CHN"))
        for sector in x.index
        for year in range(2006, 2015)
    ]
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rows, columns=["region", "sic", "year", "count"])
    frame["count"] = rng.poisson(200.0 * frame["count"])
    frame.to_csv(tmp_path / "patents.csv", index=False)
    target = of_panel(tmp_path / "patents.csv")
    # Poisson noise at 10,000 and more a cell: four standard errors, which are below 0.01.
    assert target.std_error < 0.01
    assert target.response == pytest.approx(0.3, abs=4 * target.std_error)
    assert "patents.csv" in target.source


# the auxiliary model ------------------------------------------------------------------------------------------------


def test_without_a_policy_nothing_responds(tax):
    """The baseline is stationary, so every count is what it was: no response at any δ."""
    quiet = scenario("baseline", calendar__start="2010-01", calendar__end="2018-12", calendar__step="month")
    still = Episode(quiet, delta_star=tax.delta_star)  # of the same baseline
    for reading in (FLOW, STOCK):
        assert still.respond(0.1, reading).response == pytest.approx(0.0, abs=ROUNDING)


def test_the_response_is_free_of_the_scale_of_sensitivity(tax, monkeypatch):
    before = tax.respond(0.0)
    monkeypatch.setattr(Episode, "sensitivity", lambda *_: 1e3 * requirements())
    after = tax.respond(0.0)
    assert after.coefficient == pytest.approx(before.coefficient / 1e3, rel=1e-6)
    assert after.response == pytest.approx(before.response, rel=1e-6)


def test_a_flow_replaced_at_once_is_a_stock(tax):
    """Σ (ΔA + ξ A dt) / ξ → Σ A dt, term by term of the same months."""
    fast = Reading(observed=Observed(replacement=1e7))
    # What is left is a relative 1e-7 a year of changes of A of less than one.
    assert tax.respond(0.1, fast).response == pytest.approx(tax.respond(0.1, STOCK).response, abs=1e-6)


def test_the_signs_of_the_model(tax):
    """Abroad sectors that need rare earths respond by more; in China, where they become cheap, by less, (8)."""
    assert tax.respond(0.0, FLOW).response > 0.0
    assert tax.respond(0.0, replace(FLOW, group="CHN")).response < 0.0


def test_a_longer_policy_and_a_dearer_import_move_the_response(tax):
    longer = Episode(scenario("deck_tax_permanent"), delta_star=tax.delta_star)  # of the same baseline
    assert longer.respond(0.0).response > tax.respond(0.0).response
    assert Episode(scenario(calibration__ree_shares="deck")).respond(0.0).response < tax.respond(0.0).response


def test_one_call_gives_what_the_episode_gives_bit_for_bit(tax):
    again = auxiliary(scenario(), 0.1)
    assert again == tax.respond(0.1)
    assert again.residual <= 1e-10
    assert (again.observations, again.clusters) == (4 * 12 * 17, 4 * 12)


def test_delta_zero_is_the_scenario_as_it_stands(tax):
    """Changing θ of a baseline that is at hand is the same as building it with that δ."""
    plain = Simulation(scenario(calendar__start="2010-01", calendar__end="2018-12", calendar__step="month")).run()
    assert np.array_equal(tax.path(0.0).array("A_R"), plain.array("A_R"))
    steep = Simulation(
        scenario(calendar__start="2010-01", calendar__end="2018-12", calendar__step="month", parameters__delta=0.2)
    ).run()
    assert np.array_equal(tax.path(0.2).array("A_R"), steep.array("A_R"))
    ours, theirs = tax.path(0.2).provenance.stability, steep.provenance.stability
    assert ours["spectral_abscissa"] == theirs["spectral_abscissa"]
    assert ours["transition_half_life_years"] == theirs["transition_half_life_years"]


def test_the_response_hardly_hangs_on_delta(tax):
    """The finding: it rises throughout, and over the whole stable range by less than a tenth of the target's error."""
    found = [tax.respond(delta, FLOW).percent for delta in (0.0, 0.1, 0.2, tax.edge)]
    assert np.all(np.diff(found) > 0.0)
    assert found[-1] - found[0] < 0.1 * of_slides().percent_error


def test_the_long_run_slope_is_that_of_beta(tax):
    """(8) with δ = 0, μ = 6.5 and transport's ε = 0.774 gives the β of 0.217 that is known; a line through it has its slope."""
    calibration = tax.calibration
    at = calibration.sectors.index("TRA")
    beta = 0.226 * 5.5 / (6.5 - 0.774)
    assert calibration.epsilon_s[at] == 0.774
    assert beta == pytest.approx(0.217, abs=5e-4)
    other = calibration.sectors.index("MET")
    low = (1.0 - calibration.epsilon_s[other]) * 5.5 / (6.5 - calibration.epsilon_s[other])
    two = pd.Series({"TRA": 2.0, "MET": 1.0})
    assert long_run_slope(calibration, 0.0, two) == pytest.approx((beta - low) * math.sqrt(0.5), rel=1e-12)


def test_the_models_own_requirements_are_the_sum_of_the_series(tax):
    """Rare earths in all final demand, counted round by round of purchases, are all that is used: no inverse in sight."""
    calibration = tax.calibration
    own = model_requirements(calibration)
    assert set(own.index) == set(requirements().index)
    shares = calibration.trade_jis / calibration.expenditure_is
    revenue, use = calibration.revenue_is, calibration.ree_value_i.sum()
    direct = (calibration.mu - 1.0) / calibration.mu * calibration.ree_share_is * calibration.value_added_is / revenue
    demand = np.einsum("jis,is->js", shares, calibration.final_is)
    rounds, used = demand.copy(), 0.0
    for _ in range(400):  # value added is a fifth of output or more, so that nothing is left: 0.8^400
        used += float((direct * rounds).sum())
        rounds = np.einsum("jik,isk,is->jk", shares, calibration.materials_iks, rounds / revenue)
    assert used == pytest.approx(use, rel=1e-9)
    # The same for a dollar of one region's transport equipment, averaged as documented.
    s = calibration.sectors.index("TRA")
    mean = 0.0
    for i in range(len(calibration.regions)):
        rounds, needed = np.zeros_like(revenue), 0.0
        rounds[i, s] = 1.0
        for _ in range(400):
            needed += float((direct * rounds).sum())
            rounds = np.einsum("jik,isk,is->jk", shares, calibration.materials_iks, rounds / revenue)
        mean += needed * revenue[i, s] / revenue[:, s].sum()
    assert own["TRA"] == pytest.approx(mean, rel=1e-9)


@pytest.mark.parametrize("technology", ["fixed", "none"])
def test_technology_that_does_not_move_is_refused(technology):
    with pytest.raises(InputError, match="technology"):
        Episode(scenario().replace({"technology": technology}))


def test_a_calendar_that_begins_late_is_refused():
    with pytest.raises(InputError, match=r"calendar\.start"):
        Episode(scenario(calendar__start="2010-03", calendar__end="2018-12", calendar__step="month"))


def test_a_path_around_an_unstable_equilibrium_is_refused(tax):
    with pytest.raises(ConvergenceError, match="unstable"):
        tax.respond(1.01 * tax.delta_star)
    assert tax.delta_star == delta_star(tax.calibration)


@pytest.mark.parametrize("wrong", [{"first": 2010}, {"last": 2009}, {"exposure": "none"}, {"measure": "guess"}])
def test_a_reading_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(DataError):
        Reading(**wrong)


def test_years_beyond_the_path_are_refused(tax):
    with pytest.raises(DataError, match="2018"):
        tax.respond(0.0, Reading(last=2020))


# the search ---------------------------------------------------------------------------------------------------------


def test_a_line_is_solved_with_its_interval():
    """Response 0.2 + δ meets 0.5 at 0.3, and the ends of the interval attain the band."""
    found = profile(lambda delta: made(delta, 0.2 + delta), TARGET, 0.0, 1.0)
    assert found.status == "attained"
    assert found.estimate == pytest.approx(0.3, abs=1e-6)
    assert found.std_error == pytest.approx(0.1, rel=1e-9)
    low, high = TARGET.band()
    assert found.interval[0] == pytest.approx((low - 0.2, high - 0.2), abs=1e-6)
    assert len(found.interval) == 1
    assert "0.3" in describe(found)


def test_a_parabola_has_two_roots_and_no_single_estimate():
    found = profile(lambda delta: made(delta, 0.6 - 4.0 * (delta - 0.5) ** 2), TARGET, 0.0, 1.0)
    assert found.status == "several"
    assert found.roots == pytest.approx([0.5 - math.sqrt(0.025), 0.5 + math.sqrt(0.025)], abs=1e-6)
    assert math.isnan(found.estimate)
    assert math.isnan(found.std_error)
    assert not found.monotone
    assert len(found.interval) == 1


def test_a_turn_between_two_points_is_searched_for():
    """The top at 0.6 lies between the points 0.5 and 0.75, both below the target."""
    found = profile(lambda delta: made(delta, 0.51 - 4.0 * (delta - 0.6) ** 2), TARGET, 0.0, 1.0)
    assert found.status == "several"
    assert found.roots == pytest.approx([0.55, 0.65], abs=1e-5)


@pytest.mark.parametrize(("level", "status", "nearest"), [(0.0, "below", 1.0), (2.0, "above", 0.0)])
def test_out_of_reach_is_said_and_the_closest_is_no_estimate(level, status, nearest):
    found = profile(lambda delta: made(delta, level + 0.1 * delta), TARGET, 0.0, 1.0)
    assert found.status == status
    assert found.roots == ()
    assert math.isnan(found.estimate)
    assert found.closest is not None
    assert found.closest.delta == nearest
    assert found.interval == ()
    assert "out of reach" in describe(found)
    assert "empty" in describe(found)


def test_a_flat_response_leaves_the_whole_range():
    found = profile(lambda delta: made(delta, 0.45 + 0.01 * delta), TARGET, 0.0, 1.0)
    assert found.status == "below"
    assert found.whole
    assert "whole range" in found.interval_words()


def test_a_delta_that_is_not_solved_is_listed_and_the_others_stand():
    def respond(delta: float) -> Response:
        if delta > 0.8:
            raise ConvergenceError("no equilibrium there")
        return made(delta, 0.2 + delta)

    found = profile(respond, TARGET, 0.0, 1.0)
    assert [(one.delta, one.error) for one in found.failures] == [(1.0, "ConvergenceError")]
    assert found.estimate == pytest.approx(0.3, abs=1e-6)

    def never(delta: float) -> Response:
        raise ConvergenceError("no equilibrium there")

    nothing = profile(never, TARGET, 0.0, 1.0)
    assert nothing.status == "unsolved"
    assert len(nothing.failures) == 5
    assert "no equilibrium there" in describe(nothing)


def test_a_target_between_points_where_nothing_is_solved_is_not_out_of_reach():
    """The response is below the target at one end and above it at the other: what is between is not known."""

    def respond(delta: float) -> Response:
        if 0.0 < delta < 1.0:
            raise ConvergenceError("no equilibrium there")
        return made(delta, 0.2 + delta)

    found = profile(respond, TARGET, 0.0, 1.0)
    assert found.status == "unsolved"
    assert math.isnan(found.estimate)
    assert len(found.failures) > 3
    assert "not solved" in describe(found)


def test_the_standard_error_takes_the_slope_where_the_estimate_is():
    """Response δ⁴ meets 0.5 at 0.8409, where it rises by 4 δ³ = 2.3784; over the whole range it rises by one."""
    found = profile(lambda delta: made(delta, delta**4), TARGET, 0.0, 1.0)
    assert found.estimate == pytest.approx(0.5**0.25, abs=1e-6)
    # A secant over at most a quarter of the range: its slope is that of a point within it, 4 · 0.6³ to 4.
    assert found.slope == pytest.approx(2.3784, rel=0.15)
    assert found.std_error == pytest.approx(TARGET.std_error / found.slope, rel=1e-12)


def test_a_mistake_of_the_user_is_not_a_delta_that_failed(tax):
    with pytest.raises(DataError):
        profile(lambda delta: tax.respond(delta, Reading(last=2030)), TARGET, 0.0, 0.1)


@pytest.mark.parametrize("wrong", [(0.0, 0.0, 5), (1.0, 0.0, 5), (0.0, math.nan, 5), (0.0, 1.0, 1)])
def test_an_empty_range_is_refused(wrong):
    low, high, nodes = wrong
    with pytest.raises(DataError, match="range"):
        profile(lambda delta: made(delta, delta), TARGET, low, high, nodes=nodes)


def test_on_the_model_a_root_attains_the_target_and_says_how_little_it_knows(tax):
    """Below zero one reading meets the target: Brent finds it, and its standard error is wider than all that is stable."""
    least = -1.0 / (tax.calibration.mu - 1.0)
    found = profile(lambda delta: tax.respond(delta, REACHED), of_slides(), least, tax.edge, nodes=2)
    assert found.status == "attained"
    # xtol 1e-6 times a slope of 0.004 a unit of δ, beside the rounding of a fit.
    assert tax.respond(found.estimate, REACHED).response == pytest.approx(of_slides().response, abs=ROUNDING)
    assert found.std_error > found.high - found.low
    assert found.whole


@pytest.fixture(scope="module")
def inside(tax) -> Profile:
    """The search for the response at 0.14, with an error small enough for an interval inside the range."""
    middle = tax.respond(0.14, FLOW).response
    span = tax.respond(tax.edge, FLOW).response - tax.respond(0.0, FLOW).response
    target = Target(response=middle, std_error=0.05 * span, source="a test")
    return profile(lambda delta: tax.respond(delta, FLOW), target, 0.0, tax.edge, nodes=2)


def test_the_ends_of_an_interval_on_the_model_attain_the_band(tax, inside):
    ((low, high),) = inside.interval
    assert 0.0 < low < inside.estimate < high < tax.edge
    reached = [tax.respond(end, FLOW).response for end in (low, high)]
    assert reached == pytest.approx(inside.target.band(), abs=ROUNDING)


# the exercise -------------------------------------------------------------------------------------------------------


def test_rates_of_replacement_attain_the_target(tax, monkeypatch):
    monkeypatch.setattr(studies, "RATES", (0.01, 0.03))
    (rate,) = studies.attaining_rates(tax, of_slides())
    # brentq to 1e-4 in the log of the rate, and the response moves by less than 0.1 a unit of it.
    reading = Reading(observed=Observed(replacement=rate))
    assert tax.respond(0.0, reading).response == pytest.approx(of_slides().response, abs=1e-5)


def test_the_whole_exercise_writes_what_it_found(tmp_path, monkeypatch):
    # What takes paths of its own has tests of its own.
    monkeypatch.setattr(studies, "_moves", lambda *_: [studies.Move("reference", "a test", 5.0)])
    monkeypatch.setattr(studies, "attaining_rates", lambda *_, **__: (0.02,))
    told: list[tuple[int, int]] = []
    report = run(
        tmp_path, scenarios=["deck_tax"], shares=["accounts"], entries=[2.0], seen=[Observed()], lasts=[2018],
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert told == [(1, 2), (2, 2)]
    assert {file.name for file in report.files} == {
        "estimates.csv", "delta.csv", "profile.csv", "moves.csv", "replacement.csv", "response.png", "criterion.png",
        "moves.png",
    }  # fmt: skip
    assert all(file.stat().st_size > 0 for file in report.files)
    case = pd.read_csv(tmp_path / "delta.csv").iloc[0]
    assert case["status"] == "below"
    assert math.isnan(case["delta"])
    assert case["moved_points"] == pytest.approx(case["response_at_edge_percent"] - case["response_at_0_percent"])
    rows = pd.read_csv(tmp_path / "profile.csv")
    assert rows["delta"].is_monotonic_increasing
    assert (rows["residual"] <= 1e-10).all()
    # What is out of reach is no estimate: only responses are rows, beside the slides' number.
    written = pd.read_csv(tmp_path / "estimates.csv")
    assert set(written["estimator"]) == {"PPML on the model's path"}
    assert written["deck_estimate"].to_numpy() == pytest.approx(math.log(1.074), rel=1e-9)
    text = "\n".join(report.lines())
    assert "out of reach" in text
    assert "does not identify" in text


def test_an_attained_delta_is_an_estimate(inside):
    case = studies.Case("deck_tax", "accounts", 2.0, FLOW)
    study = studies.Study(
        target=inside.target, delta_star=0.28, profiles={case: inside}, moves=(), rates=(), slopes=(0.1, 0.1)
    )
    first = to_estimates(study)[0]
    assert first.estimator == "indirect inference"
    assert first.estimate == pytest.approx(0.14, abs=1e-4)  # ROUNDING over a slope of 0.004
    assert first.std_error == inside.std_error


def test_an_empty_list_of_choices_is_refused():
    with pytest.raises(DataError, match="at least one"):
        studies.study(of_slides(), shares=())
