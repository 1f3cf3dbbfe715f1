"""The static solver: the stepper's destination, Newton's method, stability, and the numbers of the model document."""

from __future__ import annotations

import numpy as np
import pytest
from random_economies import named, policy_block, solved, stepped

import reesim
from reesim import stability
from reesim._core import newton
from reesim._core.layout import POLICY, Layout, no_policy
from reesim._core.reference_engine import NotSolved
from reesim._core.static import StaticSolver
from reesim.economy import Economy
from reesim.equilibrium import TOLERANCE, Equilibrium
from reesim.errors import ConvergenceError, InputError, LabelError
from reesim.outcomes import Outcomes
from reesim.scenario import Scenario
from reesim.stability import abscissa, delta_star

STATES = ("A_R", "A_L", "posted_price", "trade_share")
VALUES = ("wage", "ree_price", "price_consumption", "final_demand", "revenue", "unit_cost", "ree_share")


class TestWhereThePathEnds:
    @pytest.mark.parametrize("shares", ["deck", "accounts"])
    @pytest.mark.parametrize("entry", ["labour", "final_good"])
    @pytest.mark.parametrize("policy", [{"tax": 3.0}, {"tax": 1.2, "quota": 0.6, "rent_share": 0.5}], ids=str)
    def test_everything_at_once_is_the_static_equilibrium_in_one_step(self, economy_of, shares, entry, policy):
        economy = economy_of({"calibration.ree_shares": shares, "entry_cost": entry})
        p = economy.parameters
        block = policy_block(p, **policy)
        for endogenous in (True, False):
            static = solved(economy, block, endogenous)
            row = named(p, stepped(p, (1.0 if endogenous else 0.0, 1.0, 1.0), np.array([block])))
            for name in STATES + VALUES:
                # both stop at 2e-12 in the unknowns, whose conditioning is below 100
                np.testing.assert_allclose(row[name][0], static[name], rtol=2e-10, err_msg=name)

    @pytest.mark.parametrize("entry_life", [1.0, np.inf])
    @pytest.mark.parametrize("changes", [{}, {"calibration.ree_shares": "accounts"}, {"entry_cost": "final_good"},
                                         {"deficit": "own_income_share", "parameters.delta": 0.1}], ids=str)  # fmt: skip
    def test_a_long_path_ends_there(self, tax_scenario, changes, entry_life):
        # by 2150 the slowest mode, entry's with a half-life of at most four years, has shrunk by 2^35, 3e-11
        life = {
            "adjustment.entry": entry_life,
            "adjustment.trade": 1.0,
            "calendar.end": "2150",
            "calendar.step": "quarter",
        }
        scenario = tax_scenario.replace(
            {**changes, **life, "output.variables": [*STATES, "welfare", "wage", "revenue", "residual"]}
        )
        path = reesim.Simulation(scenario).run()
        static = reesim.solve(scenario, date="2120", technology="fixed" if np.isinf(entry_life) else "endogenous")
        for name in (*STATES, "wage", "revenue"):
            np.testing.assert_allclose(path.array(name)[-1], static.array(name), rtol=1e-8, atol=1e-12, err_msg=name)
        np.testing.assert_allclose(path.array("welfare")[-1], static.array("welfare"), rtol=0, atol=1e-10)
        assert abs(static.array("welfare")).max() > 1e-6

    def test_the_path_of_fixed_technology_is_that_of_entry_never(self, tax_scenario):
        short = tax_scenario.replace({"calendar.end": "2011-06"})
        fixed = reesim.Simulation(short.replace({"technology": "fixed"})).run()
        never = reesim.Simulation(short.replace({"adjustment.entry": np.inf})).run()
        for name in fixed.variables:
            np.testing.assert_array_equal(fixed.array(name), never.array(name))
        assert (fixed.array("A_R") == 1.0).all()


class TestNewton:
    @pytest.mark.parametrize("changes", [{}, {"calibration.ree_shares": "accounts"}, {"entry_cost": "final_good"},
                                         {"deficit": "own_income_share"}, {"parameters.delta": 0.2}], ids=str)  # fmt: skip
    @pytest.mark.parametrize("endogenous", [True, False])
    @pytest.mark.parametrize(
        "policy", [{"tax": 3.0}, {"tax": 1.2, "quota": 0.6, "embargo": {2: 0.1}, "rent_share": 0.5}], ids=str
    )
    def test_finds_what_anderson_finds(self, economy_of, changes, endogenous, policy):
        economy = economy_of(changes)
        p = economy.parameters
        block = policy_block(p, **policy)
        solver = StaticSolver(p, endogenous)
        assert solver.solve(block)
        x, steps = newton.solve(solver, block, np.zeros_like(solver.unknowns))
        assert steps < 15
        # each stops near 1e-12; scale economies at delta = 0.2 multiply errors by up to a few dozen
        np.testing.assert_allclose(x, solver.unknowns, rtol=0, atol=1e-10)

    def test_a_system_too_large_for_it_is_refused(self, deck):
        solver = StaticSolver(deck.parameters, True)
        with pytest.raises(NotSolved, match="up to"):
            newton.solve(solver, no_policy(deck.parameters), np.zeros(newton.LARGEST + 1))

    def test_degrees_lead_from_no_policy_to_the_policy(self, deck):
        p = deck.parameters
        block = policy_block(p, tax=2.0, quota=0.6, embargo={2: 0.1}, rent_share=0.5)
        np.testing.assert_allclose(newton.partial_policy(p, block, 1.0), block, rtol=1e-15)
        none = Layout(POLICY, 5, 14).views(newton.partial_policy(p, block, 0.0))
        assert (none["tax"] == 1.0).all()
        assert none["quota"] == 1.0  # a limit starts where it does not bind
        assert none["embargo"][2] == 1.0
        assert np.isinf(none["embargo"][1])


class TestStability:
    @pytest.mark.parametrize(("sigma", "expected"), [(4.0, 0.588), (5.0, 0.399), (6.0, 0.284), (7.0, 0.207)])
    def test_where_the_baseline_loses_it(self, deck, sigma, expected):
        found = delta_star(deck.calibration.replace(sigma_s=np.full(14, sigma)))
        assert round(found, 3) == expected

    @pytest.mark.parametrize("changes", [{"entry_cost": "final_good"}, {"calibration.ree_shares": "accounts"}], ids=str)
    def test_neither_entry_cost_nor_shares_move_the_edge(self, economy_of, changes):
        assert round(delta_star(economy_of(changes).calibration), 3) == 0.284

    def test_the_edge_is_where_the_spectrum_crosses_zero(self, deck):
        edge = delta_star(deck.calibration)
        sides = []
        for delta in (edge - 1e-6, edge + 1e-6):
            economy = Economy(deck.calibration.replace(theta=delta + 1 / 5.5))
            sides.append(abscissa(economy, no_policy(economy.parameters), economy.baseline_row()))
        assert sides[0] < 0.0 < sides[1]

    def test_arnoldi_finds_what_the_whole_spectrum_shows(self, deck, monkeypatch):
        """Economies with many measures have the largest real part computed alone."""
        none = no_policy(deck.parameters)
        whole = abscissa(deck, none, deck.baseline_row())
        monkeypatch.setattr(stability, "DENSE", 0)
        # its own tolerance is 1e-6, and that of differences around 1e-8
        assert abscissa(deck, none, deck.baseline_row()) == pytest.approx(whole, abs=1e-5)

    @pytest.mark.parametrize("mu", [6.5, 1e15])
    def test_varieties_that_make_nothing_cheaper_close_their_own_gaps(self, deck, mu):
        """Without scale economies measures feed back on nothing: every mode of entry has the speed of entry itself."""
        still = Economy(deck.calibration.replace(mu=mu, theta=0.0))
        # differences of steps solved to 1e-13, over 1e-4: eight digits
        assert abscissa(still, no_policy(still.parameters), still.baseline_row()) == pytest.approx(-1.0, abs=1e-7)

    @pytest.mark.parametrize("delta", [0.4, 0.45, 0.5])
    def test_beyond_the_edge_solutions_exist_and_are_called_unstable(self, tax_scenario, delta):
        found = reesim.solve(tax_scenario.replace({"parameters.delta": delta}), date="2012-01")
        assert found.certificate.residual <= TOLERANCE
        assert not found.stability.stable
        assert found.stability.half_life == np.inf
        assert any("UNSTABLE" in alert for alert in found.alerts)
        assert "UNSTABLE" in repr(found)

    def test_inside_the_edge_nothing_is_said_and_near_it_a_warning(self, tax_scenario):
        assert reesim.solve(tax_scenario, date="2012-01").alerts == ()
        near = reesim.solve(tax_scenario.replace({"parameters.delta": 0.26}), date="2012-01")
        assert near.stability.stable
        assert "close to delta*" in " ".join(near.alerts)

    def test_what_is_not_solved_is_an_error_that_says_where(self, tax_scenario):
        with pytest.raises(ConvergenceError) as caught:
            reesim.solve(tax_scenario.replace({"parameters.delta": 0.285}), date="2012-01")
        error = caught.value
        assert error.exit_code == 3
        assert error.residual > TOLERANCE
        assert error.equation
        assert error.region in tax_scenario.world.regions.codes
        assert error.equation in str(error)
        assert error.region in str(error)


class TestNumbersOfTheModelDocument:
    """To every digit shown there; two implementations other than this one agree on them."""

    @staticmethod
    def tax(changes=None, technology="endogenous") -> Equilibrium:
        return reesim.solve(
            Scenario.load("deck_tax_permanent").replace(changes or {}), date="2012-01", technology=technology
        )

    @staticmethod
    def quota(economy: Economy, endogenous: bool = True, share: float = 0.6, **more):
        at = solved(economy, policy_block(economy.parameters, quota=share, **more), endogenous)
        return at, Outcomes(economy.parameters, economy.calibration, at.row[None], at.policy[None], np.zeros(1))

    @pytest.mark.parametrize(("changes", "technology", "welfare", "mine", "bias"), [
        ({}, "endogenous", (0.03877, -0.00502, -0.00550, -0.00417, -0.00741), 0.42976, 1.05672),
        ({"parameters.delta": 0.2}, "endogenous", (0.03812, -0.00490, -0.00520, -0.00407, -0.00736), 0.43001, 1.05443),
        ({}, "fixed", (0.03869, -0.00501, -0.00556, -0.00415, -0.00734), 0.42952, 1.0),
    ], ids=str)  # fmt: skip
    def test_tax_of_three(self, changes, technology, welfare, mine, bias):
        found = self.tax(changes, technology)
        # half a unit of the last digit shown, and rounding of the value itself
        np.testing.assert_allclose(100.0 * found.array("welfare"), welfare, rtol=0, atol=5.001e-6)
        assert round(float(found.array("ree_mine_price")), 5) == mine
        assert round(found.array("A_R")[2, 11] / found.array("A_L")[2, 11], 5) == bias

    @pytest.mark.parametrize(("technology", "welfare"), [
        ("endogenous", (0.04734, -0.00610, -0.00667, -0.00506, -0.00896)),
        ("fixed", (0.04623, -0.00594, -0.00659, -0.00488, -0.00865)),
    ])  # fmt: skip
    def test_entry_paid_in_the_final_good(self, technology, welfare):
        found = self.tax({"entry_cost": "final_good"}, technology)
        np.testing.assert_allclose(100.0 * found.array("welfare"), welfare, rtol=0, atol=5.001e-6)

    def test_quota_of_sixty_per_cent(self, deck, accounts):
        at, found = self.quota(deck)
        np.testing.assert_allclose(
            100.0 * found["welfare"][0], (0.0688, -0.0122, -0.0132, -0.0104, -0.0185), rtol=0, atol=5.001e-5
        )
        assert round(1.0 + float(at["ree_wedge_quota"]), 4) == 7.1606
        assert round(1.0 + float(self.quota(deck, endogenous=False)[0]["ree_wedge_quota"]), 4) == 7.2503
        assert round(1.0 + float(self.quota(accounts)[0]["ree_wedge_quota"]), 2) == 2.50

    def test_prices_abroad_and_exports(self, deck, accounts):
        found = self.tax()
        assert round(float(found.array("ree_price")[2]), 2) == 1.29
        assert round(100.0 * float(found.array("ree_mine_price") - 1.0)) == -57
        assert round(100.0 * (float(found.array("ree_exports")) / 43_900.0 - 1.0)) == -19
        assert round(float(self.tax({"calibration.ree_shares": "accounts"}).array("ree_price")[2]), 2) == 2.12

    def test_rent_ownership_decides_the_sign(self, deck):
        welfare = 100.0 * self.quota(deck, rent_share=1.0)[1]["welfare"][0]
        assert round(welfare[0], 3) == -0.149
        assert (welfare[1:] > 0.0).all()

    def test_receipts_of_the_deck_calibration(self, deck, accounts):
        assert round(deck.calibration.ree_value_i.sum() / 1e3, 1) == 11.6
        assert accounts.calibration.ree_value_i.sum() == pytest.approx(1180.0, rel=1e-12)

    def test_technology_in_hand_with_the_elasticity(self, deck):
        """Claim 1: A_R/A_L rises abroad where epsilon is below one and falls above; the reverse in China."""
        found = self.tax()
        bias = np.log(found.array("A_R") / found.array("A_L"))
        uses = deck.calibration.gamma_s > 0.0
        towards = np.sign(1.0 - deck.calibration.epsilon_s[uses])
        assert (np.sign(bias[1:, uses]) == towards).all()
        assert (np.sign(bias[0, uses]) == -towards).all()

    def test_mitigation_is_small_or_none(self):
        """Claim 2: with entry paid in labour technology lowers Japan's loss by 1 %, and by 6 to 10 % at delta = 0.2.

        The other way round with entry paid in the final good.
        """
        fixed = self.tax(technology="fixed").array("welfare")
        saved = {delta: 1.0 - self.tax({"parameters.delta": delta}).array("welfare") / fixed for delta in (0.0, 0.2)}
        assert round(100.0 * saved[0.0][2]) == 1
        assert 6.0 <= 100.0 * saved[0.2][2] <= 10.0
        assert saved[0.2][4] < 0.0
        good = {"entry_cost": "final_good"}
        amplified = self.tax(good).array("welfare") / self.tax(good, "fixed").array("welfare") - 1.0
        assert (amplified[1:] > 0.01).all()
        assert (amplified[1:] < 0.04).all()

    @pytest.mark.parametrize("delta", [0.0, 0.2])
    def test_intensive_industries_do_not_expand_in_rich_countries(self, delta):
        """Claim 3 is contradicted: transport equipment and metals shrink in Japan, EU and USA, more with technology."""
        endogenous, fixed = self.tax({"parameters.delta": delta}), self.tax({"parameters.delta": delta}, "fixed")
        rich, intensive = (1, 2, 3), (11, 8)
        for found in (endogenous, fixed):
            assert (found.change("revenue_real")[np.ix_(rich, intensive)] < 0.0).all()
        assert (endogenous.change("revenue_real") < fixed.change("revenue_real"))[2, 11]

    @pytest.mark.parametrize(("leakage", "gain"), [(0.5, True), (0.05, False)])
    def test_an_embargo_on_japan(self, deck, leakage, gain):
        """A mild one benefits all others, as the document says; a strict one China and EU only: what others lose is slight."""
        at = solved(deck, policy_block(deck.parameters, embargo={2: leakage}))
        welfare = Outcomes(deck.parameters, deck.calibration, at.row[None], at.policy[None], np.zeros(1))["welfare"][0]
        assert welfare[2] < 0.0
        assert (welfare[[0, 1]] > 0.0).all()
        assert ((welfare[[3, 4]] > 0.0) == gain).all()
        assert np.abs(welfare[[3, 4]]).max() < -0.1 * welfare[2]

    def test_the_wedge_of_an_embargo_explodes_with_its_strictness(self, deck):
        wedges = [
            float(solved(deck, policy_block(deck.parameters, embargo={2: leak}), False)["ree_wedge_embargo"][2])
            for leak in (0.1, 0.01)
        ]
        # the document's "about 18" at a tenth; a tenth of that leakage more than multiplies it by ten
        assert round(1.0 + wedges[0]) == 18
        assert wedges[1] > 10.0 * wedges[0]


@pytest.fixture(scope="module")
def found() -> Equilibrium:
    return reesim.solve("deck_tax_permanent", date="2012-01")


class TestResult:
    def test_names_and_numbers(self, found):
        assert found["welfare"]["JPN"] == found.array("welfare")[2]
        table = found.to_dataframe()
        assert "time" not in table.columns
        assert len(table) == sum(np.size(array) for array in found.values.values())
        assert (found.scenario, found.technology, found.date) == (
            "deck_tax_permanent",
            "endogenous",
            "2012-01-01 to 2012-01-31",
        )
        with pytest.raises(LabelError, match="welfare"):
            found.array("wellfare")

    def test_changes_are_from_the_baseline(self, found):
        np.testing.assert_allclose(found.change("A_R"), 100.0 * (found.array("A_R") - 1.0), rtol=0, atol=1e-10)
        assert np.isnan(found.change("welfare")).all()

    def test_it_says_what_it_is(self, found):
        text = repr(found)
        assert "deck_tax_permanent" in text
        assert "largest residual" in text
        assert found.certificate.residual <= TOLERANCE
        assert {"rare-earth shares", "entry cost", "deficits", "delta"} <= set(found.choices)

    def test_fixed_technology_has_no_entry_to_be_stable(self):
        assert reesim.solve("deck_tax_permanent", date="2012-01", technology="fixed").stability is None

    def test_the_date_by_default_is_when_most_is_in_force(self):
        scenario = Scenario.load("staged_quotas_2010_2015")
        found = reesim.solve(scenario, technology="fixed")
        assert found.date.startswith("2010-1")
        assert np.isfinite(found.array("policy_embargo")[2])

    def test_what_cannot_be_meant_is_refused(self):
        with pytest.raises(InputError, match="not a date"):
            reesim.solve("deck_tax_permanent", date="sometime")
        with pytest.raises(InputError, match="technology"):
            reesim.solve("deck_tax_permanent", technology="magic")

    def test_numbers_cannot_be_overwritten(self, found):
        with pytest.raises(ValueError, match="read-only"):
            found.array("wage")[0] = 2.0


@pytest.mark.parametrize(("tonnes", "slack"), [(93_800, True), (40_000, False)])
def test_a_production_quota_that_no_mine_would_meet_is_said(tonnes, slack):
    """Baseline output depends on the rare-earth shares: the same tonnes may bind or not."""
    item = {"type": "production_quota", "tonnes": tonnes, "start": "2012-01", "end": "2012-12"}
    scenario = Scenario.load("deck_tax").replace({"policies": [item]})
    found = reesim.solve(scenario, "2012", "fixed")
    assert any("does not bind" in alert for alert in found.alerts) == slack
    assert (found.array("ree_mine_price") == pytest.approx(1.0, abs=1e-9)) == slack


def test_an_abscissa_near_zero_warns_where_the_edge_was_not_searched_for():
    near, far = (stability.Stability(True, worst, 2.0, 0.35) for worst in (-0.03, -0.4))
    assert "close to zero" in near.alerts(0.2)[0]
    assert far.alerts(0.2) == ()
