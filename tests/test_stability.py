"""How long a transition takes, what a step may be, and what is said of real GDP where its index has no meaning."""

from __future__ import annotations

import math

import numpy as np
import pytest

from reesim import Scenario, Simulation, solve
from reesim._core.layout import no_policy
from reesim.equilibrium import baseline
from reesim.rules import share_of_gap
from reesim.stability import transition_half_life
from reesim.stepsize import ACCURATE, choose_substeps

MONTH = 1.0 / 12.0


def half_life(scenario: Scenario, lives: tuple[float, float, float]) -> float:
    economy = baseline(scenario)
    return transition_half_life(economy, no_policy(economy.parameters), economy.baseline_row(), lives, MONTH)


class TestTransition:
    @pytest.mark.parametrize("lives", [(2.0, 0.5, 2.0), (0.0, 0.5, 2.0), (0.5, 0.5, 8.0)])
    def test_a_path_halves_its_distance_in_that_time(self, lives):
        """Long after a shock only the slowest mode is left: what the linearised step says is what the path does."""
        entry, prices, trade = lives
        scenario = Scenario.load("deck_tax_permanent").replace(
            {
                "adjustment.entry": entry, "adjustment.prices": prices, "adjustment.trade": trade,
                "calendar.end": "2260-12", "output.variables": ["A_L"],
            }
        )  # fmt: skip
        expected = half_life(scenario, lives)
        log_A = np.log(Simulation(scenario).run().array("A_L"))
        rows = round(expected / MONTH)
        start = round(15.0 * expected / MONTH)  # the modes that are faster have gone by then
        first, second = (np.abs(log_A[t + rows] - log_A[t]).max() for t in (start, start + rows))
        # two modes of nearly the same speed leave a few per cent
        assert second / first == pytest.approx(0.5, rel=0.08)

    def test_entry_alone_has_the_half_life_of_its_spectrum(self):
        scenario = Scenario.load("deck_tax").replace(
            {"parameters.delta": 0.2, "adjustment.prices": 0.0, "adjustment.trade": 0.0}
        )
        found = solve(scenario, "2012").stability
        # an explicit step of a month closes 1 - exp(-x) where the spectrum has x: a per cent or two at these speeds
        assert found.transition_half_life == pytest.approx(found.half_life, rel=0.03)

    def test_nothing_lags_if_all_is_at_once(self):
        assert half_life(Scenario.load("deck_tax"), (0.0, 0.0, 0.0)) == 0.0

    def test_an_unstable_equilibrium_has_none(self):
        assert math.isinf(half_life(Scenario.load("deck_tax").replace({"parameters.delta": 0.3}), (2.0, 0.5, 2.0)))


class TestStep:
    @pytest.mark.parametrize("years", [1.0 / 365.25, MONTH, 0.25, 1.0])
    @pytest.mark.parametrize("lives", [(2.0, 0.5, 2.0), (0.01, 0.5, 2.0), (0.0, 0.5, math.inf)])
    def test_auto_closes_no_more_than_a_quarter_of_a_gap(self, years, lives):
        steps = choose_substeps("auto", lives[1], lives[2], years, 6.0, lives)
        assert all(share_of_gap(life, years / steps) <= ACCURATE for life in lives if life > 0.0)
        assert steps == 1 or years > MONTH / 2.0 or min(life for life in lives if life > 0.0) < 0.1

    def test_fast_entry_is_stepped_finely(self):
        """Explicit entry overshoots where its gap answers strongly: found by a run that failed in its third year."""
        scenario = Scenario.load("deck_tax").replace(
            {"parameters.sigma": 2.0, "parameters.delta": 1.5, "adjustment.entry": 0.01, "calendar.end": "2013-12"}
        )
        simulation = Simulation(scenario)
        assert simulation.substeps > 1
        assert simulation.run().certificate <= 1e-10


class TestRealGdp:
    @pytest.fixture
    def severe(self):
        embargo = {"type": "embargo", "destination": "JPN", "leakage": 0.0001, "start": "2010-07"}
        return Scenario.load("deck_tax").replace({"policies": [embargo], "calendar.end": "2010-12"})

    def test_is_missing_where_its_index_has_no_value(self, severe):
        found = solve(severe, "2010-08")
        japan = found.regions.index("JPN")
        assert np.isnan(found.array("real_gdp")[japan])
        assert found.array("welfare")[japan] < -0.005
        assert any("real GDP" in alert and "JPN" in alert and "no value" in alert for alert in found.alerts)

    def test_does_not_stop_a_path(self, severe):
        path = Simulation(severe).run()
        assert np.isnan(path.array("real_gdp")[-1]).any()
        assert np.isfinite(path.array("welfare")).all()
        assert any("real GDP" in alert for alert in path.warnings)

    def test_is_trusted_where_its_legs_agree(self):
        assert not any("real GDP" in alert for alert in solve("deck_tax", "2012").alerts)


class TestThinning:
    def test_the_whole_path_keeps_every_row(self):
        scenario = Scenario.load("deck_tax").replace({"output.every": 12, "calendar.end": "2011-12"})
        simulation = Simulation(scenario)
        path = simulation.run()
        whole = simulation.whole_path
        assert len(path) < len(whole) == len(simulation.calendar)
        np.testing.assert_array_equal(path.array("welfare")[1], whole.array("welfare")[12])
        assert "every 12th" in path.provenance.choices["rows kept"]
        assert "rows kept" not in whole.provenance.choices
