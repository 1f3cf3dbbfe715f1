"""Simulations: where they stand, what they refuse, and what they say when they fail."""

from __future__ import annotations

import numpy as np
import pytest
from random_economies import policy_block, solved, stepped

import reesim
from reesim.errors import ConvergenceError, InputError, LabelError, ScenarioError
from reesim.scenario import Scenario
from reesim.simulation import Simulation, predicted_bytes
from reesim.stepsize import stable_step


@pytest.fixture
def scenario(tax_scenario) -> Scenario:
    """Tax from July 2010; a year and a half."""
    return tax_scenario.replace({"calendar.end": "2011-06"})


class TestCalendar:
    def test_it_opens_at_the_baseline(self, scenario):
        simulation = Simulation(scenario)
        assert str(simulation.time.date()) == "2010-01-01"
        assert len(simulation.path) == 1
        assert not simulation.finished
        assert all(region.wage == pytest.approx(1.0, abs=1e-12) for region in simulation.economy)

    def test_a_policy_in_force_at_once_stands_behind_a_baseline_row(self, scenario):
        busy = scenario.replace({"policies.0.start": "2010-01"})
        path = Simulation(busy).run()
        assert str(path.times[0].date()) == "2009-12-01"
        assert (path.array("policy_tax")[0] == 1.0).all()
        assert (path.array("policy_tax")[1, 1:] == 3.0).all()
        np.testing.assert_allclose(path.array("A_R")[0], 1.0, rtol=0, atol=1e-12)

    @pytest.mark.parametrize("substeps", [1, 4])
    def test_flows_move_with_the_policy_and_stocks_a_period_later(self, scenario, substeps):
        """Rows hold the first substep: stocks at the opening of the period, flows at its start."""
        path = Simulation(scenario.replace({"calendar.substeps": substeps})).run()
        july = path.times.get_loc("2010-07-01")
        assert path.array("ree_mine_price")[july - 1] == pytest.approx(1.0, abs=1e-11)
        assert path.array("ree_mine_price")[july] < 0.5
        # what carries over is dated at the opening of the period: not yet moved in July
        # trade shares follow the prices of a step's opening, so that they move a step after prices do
        for name, later in (("A_R", 1), ("posted_price", 1), ("trade_share", 2 if substeps == 1 else 1)):
            np.testing.assert_allclose(path.array(name)[july + later - 1], path.array(name)[0], rtol=0, atol=1e-11)
            assert np.abs(path.array(name)[july + later] - path.array(name)[0]).max() > 1e-7

    def test_a_change_within_a_period_is_weighted_by_days(self, scenario):
        path = Simulation(scenario.replace({"policies.0.start": "2010-07-11"})).run()
        # 21 of 31 days at a rate of two
        assert path.array("policy_tax")[path.times.get_loc("2010-07-01"), 2] == pytest.approx(
            1.0 + 2.0 * 21 / 31, rel=1e-14
        )

    @pytest.mark.parametrize(("step", "rows"), [("day", 546), ("week", 78), ("month", 18), ("quarter", 6), ("year", 3)])
    def test_steps(self, scenario, step, rows):
        """A year that holds the tax stands behind a baseline row."""
        path = Simulation(scenario.replace({"calendar.step": step})).run()
        assert len(path) == rows
        assert path.certificate <= 1e-10

    def test_steps_of_any_length_lead_the_same_way(self, scenario):
        ends = [Simulation(scenario.replace({"calendar.step": s, "calendar.end": "2012-01-01"})).run().array("A_R")[-1, 2, 11]
                for s in ("week", "month", "quarter")]  # fmt: skip
        # of first order: a quarter is three times as coarse as a month; 2010-07 opens a period of each
        assert ends[1] == pytest.approx(ends[0], rel=0.02 * abs(ends[0] - 1.0) + 2e-3)
        assert ends[2] == pytest.approx(ends[0], rel=5e-3)
        assert ends[0] > 1.005


class TestMoving:
    def test_stepping(self, scenario):
        simulation = Simulation(scenario)
        assert simulation.step() is simulation
        assert str(simulation.step(3).time.date()) == "2010-05-01"
        assert "5 of 18 rows, at 2010-05-01" in repr(simulation)
        assert str(simulation.run_until("2010Q4").time.date()) == "2010-10-01"
        path = simulation.run()
        assert simulation.finished
        assert len(path) == 18

    def test_not_past_the_end(self, scenario):
        simulation = Simulation(scenario).step(15)
        with pytest.raises(InputError, match=r"2 left.*calendar\.end"):
            simulation.step(3)
        assert str(simulation.time.date()) == "2011-04-01"
        simulation.step(2)
        with pytest.raises(InputError, match="0 left"):
            simulation.step()
        with pytest.raises(InputError):
            simulation.step(-1)

    def test_not_backwards(self, scenario):
        simulation = Simulation(scenario).step(6)
        with pytest.raises(InputError, match=r"2010-03 is behind.*2010-07-01"):
            simulation.run_until("2010-03")
        assert simulation.run_until("2010-07") is simulation
        with pytest.raises(InputError, match="outside the calendar"):
            simulation.run_until("2031")

    def test_a_name_will_do(self):
        simulation = Simulation("baseline")
        assert simulation.scenario.name == "baseline"
        with pytest.raises(ScenarioError, match="no bundled scenario"):
            Simulation("basline")


class TestOutput:
    def test_chosen_variables_are_the_same_numbers(self, scenario):
        whole = Simulation(scenario).run()
        few = Simulation(scenario.replace({"output.variables": ["welfare", "A_R"]})).run()
        assert few.variables == ("welfare", "A_R")
        for name in few.variables:
            np.testing.assert_array_equal(few.array(name), whole.array(name))
        with pytest.raises(LabelError, match=r"output\.variables"):
            few.array("wage")

    def test_every_so_many_rows_and_the_last(self, scenario):
        whole = Simulation(scenario).run()
        thin = Simulation(scenario.replace({"output.every": 5})).run()
        assert [str(time.date()) for time in thin.times] == [
            "2010-01-01",
            "2010-06-01",
            "2010-11-01",
            "2011-04-01",
            "2011-06-01",
        ]
        np.testing.assert_array_equal(thin.array("A_R"), whole.array("A_R")[[0, 5, 10, 15, 17]])

    def test_what_would_not_fit_is_refused_before_it_runs(self, scenario, monkeypatch):
        rows = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 100}
        monkeypatch.setattr("reesim.simulation.os.sysconf", rows.__getitem__)
        with pytest.raises(InputError, match=r"GB of memory.*output\.every"):
            Simulation(scenario)
        Simulation(scenario.replace({"output.variables": ["residual"]}))

    def test_the_prediction_is_what_a_path_holds(self, scenario):
        path = Simulation(scenario).run()
        held = sum(array.nbytes for array in path.values.values())
        assert predicted_bytes(scenario, len(path), 5, 14) == 2 * held


class TestSubsteps:
    def test_as_many_as_it_takes(self, scenario):
        assert Simulation(scenario).substeps == 1
        quick = scenario.replace({"adjustment.prices": 0.1, "adjustment.trade": 0.1})
        simulation = Simulation(quick)
        assert simulation.substeps > 1
        path = simulation.run()
        assert path.certificate <= 1e-10
        assert path.provenance.substeps == simulation.substeps

    def test_too_few_are_refused_with_the_cause(self, scenario):
        quick = scenario.replace({"adjustment.prices": 0.1, "adjustment.trade": 0.1, "calendar.substeps": 1})
        with pytest.raises(InputError, match=r"substeps 1 is too few.*0\.1 \(prices\).*unstable"):
            Simulation(quick)

    def test_the_model_document_s_cases(self):
        """At a monthly step half-lives of a quarter work; 0.15 and 0.1 do not."""
        assert stable_step(0.25, 0.25, 1 / 12, 6.0)
        assert not stable_step(0.1, 0.1, 1 / 12, 6.0)
        assert not stable_step(0.15, 0.15, 1 / 12, 6.0)

    @pytest.mark.parametrize(("prices", "trade"), [(0.0, 0.0), (np.inf, 0.1), (0.1, np.inf)])
    def test_what_does_not_chase_is_stable(self, prices, trade):
        assert stable_step(prices, trade, 1.0, 6.0)

    @pytest.mark.parametrize("lives", [(0.25, 0.25), (0.5, 0.0), (0.0, 0.5)], ids=str)
    def test_a_step_called_stable_settles(self, scenario, lives):
        """Long after the tax the path stands still: the explicit step does not cycle."""
        long = scenario.replace(
            {
                "adjustment.prices": lives[0],
                "adjustment.trade": lives[1],
                "adjustment.entry": np.inf,
                "calendar.end": "2030",
            }
        )
        path = Simulation(long).run()
        late = path.array("posted_price")[-24:]
        assert np.abs(np.diff(np.log(late), axis=0)).max() < 1e-9
        assert np.abs(np.log(late[-1])).max() > 1e-5


class TestAlerts:
    def test_an_unstable_economy_is_called_so(self, scenario):
        simulation = Simulation(scenario.replace({"parameters.delta": 0.3, "calendar.end": "2010-08"}))
        path = simulation.run()
        assert not simulation.stability.stable
        assert any("unstable" in alert.lower() for alert in path.provenance.alerts)
        assert "unstable" in repr(path).lower()

    def test_near_the_edge_there_is_a_warning(self, scenario):
        path = Simulation(scenario.replace({"parameters.delta": 0.27, "calendar.end": "2010-02"})).run()
        assert any("delta" in alert for alert in path.provenance.alerts)

    def test_else_nothing(self, scenario):
        path = Simulation(scenario.replace({"calendar.end": "2010-02"})).run()
        assert path.provenance.alerts == ()
        assert path.provenance.stability["stable"] is True

    def test_fixed_technology_has_no_stability_to_lose(self, scenario):
        path = Simulation(
            scenario.replace({"parameters.delta": 0.3, "technology": "fixed", "calendar.end": "2010-02"})
        ).run()
        assert path.provenance.alerts == ()


class TestProvenance:
    def test_what_goes_with_a_path(self, scenario):
        path = Simulation(scenario.replace({"parameters.delta": 0.1})).run()
        known = path.provenance
        assert known.name == "deck_tax_permanent"
        assert known.overrides == {"calendar.end": "2011-06", "parameters.delta": 0.1}
        assert known.scenario_text.startswith("schema: reesim.scenario/1")
        assert Scenario.from_yaml(known.effective_scenario) == scenario.replace({"parameters.delta": 0.1})
        assert known.calibration_hash == reesim.baseline(scenario.replace({"parameters.delta": 0.1})).calibration.hash()
        assert {"technology", "entry cost", "rare-earth shares", "deficits", "delta"} <= set(known.choices)
        assert {"reesim", "numpy", "scipy"} <= set(known.versions)


class TestFailure:
    def test_it_says_when_and_where_and_stays_sound(self, scenario, monkeypatch):
        simulation = Simulation(scenario).step(4)
        monkeypatch.setattr("reesim.simulation.TOLERANCE", 1e-20)
        with pytest.raises(ConvergenceError, match="2010-06-01") as caught:
            simulation.step(3)
        error = caught.value
        assert error.exit_code == 3
        assert error.date == "2010-06-01"
        assert error.equation
        assert error.equation in str(error)
        monkeypatch.undo()
        assert str(simulation.time.date()) == "2010-05-01"
        np.testing.assert_array_equal(simulation.run().array("A_R"), Simulation(scenario).run().array("A_R"))

    def test_a_policy_that_has_no_equilibrium(self, scenario):
        """A quota of a billionth: the wedge would have to be astronomic. An error, never a number."""
        limit = {"type": "export_quota", "share": 1e-12, "start": "2010-07"}
        with pytest.raises(ConvergenceError, match="period from 2010-07-01") as caught:
            Simulation(scenario.replace({"policies": [limit], "parameters.rho": 0.5})).run()
        assert caught.value.date == "2010-07-01"

    @pytest.mark.parametrize("speeds", [(0.03, 0.1, 0.03), (1.0, 1.0, 1.0), (0.3, 0.2, 1.0)], ids=str)
    def test_what_the_plain_iteration_solves_a_step_solves(self, deck, speeds):
        """A quota of 5 % whose rents go abroad: the static equilibrium is found, and so must the temporary one be."""
        p = deck.parameters
        policy = policy_block(p, quota=0.05, rent_share=1.0)
        assert solved(deck, policy)["ree_wedge_quota"] > 100.0
        rows = stepped(p, speeds, np.array([policy_block(p), policy, policy]))
        assert np.isfinite(rows).all()
