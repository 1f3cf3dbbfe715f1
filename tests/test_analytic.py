"""Limits in which the answer is known: no variety effects, no rare earths, a larger world, Cobb–Douglas."""

from __future__ import annotations

import numpy as np
import pytest
from random_economies import named, policy_block, random_calibration, rebuilt, solved, stepped
from scipy.optimize import fsolve

from reesim._core.static import StaticSolver
from reesim.economy import Economy
from reesim.equilibrium import baseline
from reesim.outcomes import Outcomes
from reesim.scenario import Scenario

PRICES = ("wage", "ree_price", "price_consumption", "price_index", "unit_cost", "revenue", "trade_share", "ree_share")


def with_numbers(changes: dict[str, object]) -> Economy:
    return baseline(Scenario.load("deck_tax_permanent").replace(changes))


class TestWithoutVarietyEffects:
    @pytest.mark.parametrize("changes", [{"parameters.delta": -1.0 / 5.5, "entry_cost": "final_good"}, {"parameters.mu": "inf"},
                                         {"parameters.mu": "inf", "calibration.ree_shares": "accounts"}], ids=str)  # fmt: skip
    def test_technology_moves_and_matters_not(self, changes):
        """theta = 0: measures follow profits, but prices and quantities are those of fixed technology.

        Where research hires labour, the labour that fixed technology keeps in research would be left as a difference, of the
        share 1/mu; so either research buys goods, which final demand does with the same money anyhow, or mu is infinite.
        """
        economy = with_numbers(changes)
        assert economy.calibration.theta == 0.0
        policy = policy_block(economy.parameters, 3.0)
        endogenous, fixed = solved(economy, policy), solved(economy, policy, False)
        uses = economy.calibration.gamma_s > 0.0
        assert np.abs(endogenous["A_R"][:, uses] / endogenous["A_L"][:, uses] - 1.0).max() > 1e-3
        assert (fixed["A_R"] == 1.0).all()
        for name in PRICES:
            # two solutions, each to 2e-12 times conditioning
            np.testing.assert_allclose(endogenous[name], fixed[name], rtol=1e-10, err_msg=name)

    @pytest.mark.parametrize("entry", ["labour", "final_good"])
    def test_no_measure_enters_a_price(self, entry):
        economy = with_numbers({"parameters.delta": -1.0 / 5.5, "entry_cost": entry})
        p = economy.parameters
        at = solved(economy, policy_block(p, 3.0))
        z = 1.0 - economy.calibration.epsilon_s
        ratio = at["ree_price"] / at["wage"]
        s0 = economy.calibration.ree_share_is
        z = np.where(s0 > 0.0, z, 1.0)  # agriculture and services use none: their price is the wage, whatever epsilon
        price = at["wage"][:, None] * (1.0 - s0 + s0 * ratio[:, None] ** z) ** (1.0 / z)
        np.testing.assert_allclose(at["value_added_price"], price, rtol=1e-12)

    def test_the_limit_is_continuous(self):
        """mu so large that theta is nothing is the same economy as infinite mu."""
        a, b = (with_numbers({"parameters.mu": mu}) for mu in ("inf", 1e11))
        x, y = (solved(economy, policy_block(economy.parameters, 3.0)) for economy in (a, b))
        for name in PRICES:
            # theta = 1e-11 times changes of measures of order one
            np.testing.assert_allclose(x[name], y[name], rtol=1e-9, err_msg=name)


def armington(cal, labour: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Input–output Armington model: wages, prices and sales when endowments of labour change by a factor, deficits constant.

    Written from the textbook model in levels, with scipy: unknowns are log wages and log prices.
    """
    n, s = cal.final_is.shape
    b = cal.trade_jis / cal.trade_jis.sum(axis=0)
    phi, phi_va = cal.materials_iks / cal.revenue_is[:, :, None], cal.value_added_is / cal.revenue_is
    alpha = cal.final_is / cal.final_is.sum(axis=1, keepdims=True)
    pay = cal.value_added_is.sum(axis=1)

    def world(x):
        w, p = np.exp(x[:n]), np.exp(x[n:].reshape(n, s))
        P = (b * p[:, None, :] ** (1.0 - cal.sigma_s)).sum(axis=0) ** (1.0 / (1.0 - cal.sigma_s))
        share = b * (p[:, None, :] / P) ** (1.0 - cal.sigma_s)
        P_C = (alpha * P ** (1.0 - cal.rho)).sum(axis=1) ** (1.0 / (1.0 - cal.rho))
        spend = alpha * (P / P_C[:, None]) ** (1.0 - cal.rho) * (w * labour * pay + cal.deficit_i)[:, None]
        flow = np.einsum("jis,iks->jsik", share, phi).reshape(n * s, n * s)
        sales = np.linalg.solve(np.eye(n * s) - flow, np.einsum("jis,is->js", share, spend).ravel()).reshape(n, s)
        cost = phi_va * np.log(w)[:, None] + np.einsum("iks,is->ik", phi, np.log(P))
        return w, p, sales, cost

    def excess(x):
        w, p, sales, cost = world(x)
        labour_market = (phi_va * sales).sum(axis=1) / (w * labour * pay) - 1.0
        labour_market[0] = (w * labour * pay).sum() / (labour * pay).sum() - 1.0
        return np.concatenate([labour_market, (np.log(p) - cost).ravel()])

    x, _, ok, message = fsolve(excess, np.zeros(n + n * s), full_output=True, xtol=1e-13)
    assert ok == 1, message
    return world(x)[:3]


@pytest.mark.parametrize("endogenous", [True, False])
def test_without_rare_earths_and_varieties_it_is_the_armington_model(endogenous):
    """gamma -> 0 and theta = 0: a fifth more labour in China and a tenth less in Japan, solved by an independent solver."""
    rng = np.random.default_rng(23)  # without tariffs, and everything is made and bought everywhere
    for cal in (
        with_numbers({}).calibration,
        random_calibration(rng, 3, 3, sigma_s=np.array([4.0, 2.0, 6.0]), rho=1.36, ree_elasticity_i=None),
    ):
        cal = cal.replace(ree_share_is=1e-13 * (cal.ree_share_is > 0.0), theta=0.0, mu=1e15, baseline_tax=0.0,
                          entry_cost="labour", deficit="world_labour_share")  # fmt: skip
        economy = Economy(cal)
        factor = np.ones(len(cal.regions))
        factor[0], factor[2] = 1.2, 0.9
        p = rebuilt(economy.parameters, labour0=factor * economy.parameters.views()["labour0"])
        solver = StaticSolver(p, endogenous)
        none = policy_block(p)
        assert solver.solve(none)
        row = named(p, solver.row(none, solver.unknowns))
        wage, price, sales = armington(cal, factor)
        # rare earths are 1e-13 of value added; solvers stop at 2e-12 and 1e-13
        np.testing.assert_allclose(row["wage"], wage, rtol=1e-9)
        np.testing.assert_allclose(row["unit_cost"], price, rtol=1e-9)
        np.testing.assert_allclose(row["revenue"], sales, rtol=1e-9)
        assert np.abs(np.log(wage)).max() > 0.01


class TestScale:
    """Multiply every region's labour and the supply of rare earths by lambda.

    In hats: endowments and, since wages stay where they are, the value of deficits and the numeraire's total all become
    lambda times as large; costs f of entry do not. Nominal values are lambda times larger, prices fall by the gain.
    """

    @pytest.mark.parametrize("factor", [0.5, 3.0])
    @pytest.mark.parametrize("entry", ["labour", "final_good"])
    @pytest.mark.parametrize("delta", [0.0, 0.2])
    def test_real_homogeneity(self, factor, entry, delta):
        economy = with_numbers({"entry_cost": entry, "parameters.delta": delta})
        theta, par = economy.calibration.theta, economy.parameters.views()
        scaled = {name: factor * par[name] for name in ("labour0", "ree_supply", "deficit0")}
        p = rebuilt(economy.parameters, **scaled)
        none = policy_block(p)
        solver = StaticSolver(p, True)
        assert solver.solve(none)
        row = named(p, solver.row(none, solver.unknowns))
        measure = factor if entry == "labour" else factor ** (1.0 / (1.0 - theta))
        quantity = factor ** (1.0 + theta) if entry == "labour" else factor ** (1.0 / (1.0 - theta))
        # the solver stops at 2e-12; scale economies at delta = 0.2 multiply errors by a few dozen
        uses = economy.calibration.ree_share_is > 0.0
        np.testing.assert_allclose(row["A_L"], measure, rtol=1e-9)
        np.testing.assert_allclose(row["A_R"][uses], measure, rtol=1e-9)
        np.testing.assert_allclose(row["wage"], 1.0, rtol=1e-9)
        np.testing.assert_allclose(row["ree_price"], 1.0, rtol=1e-9)
        np.testing.assert_allclose(row["trade_share"], par["trade_share0"], rtol=1e-8, atol=1e-14)
        np.testing.assert_allclose(row["revenue"] / row["posted_price"] / par["revenue0"], quantity, rtol=1e-9)
        demand = row["final_demand"] / row["price_consumption"] / economy.calibration.final_is.sum(axis=1)
        np.testing.assert_allclose(demand, quantity, rtol=1e-9)


NEAR = 1e-7


class TestElasticitiesOfOne:
    """Formulas with 1 - epsilon in a denominator: solutions at 1, and at 1 a ten-millionth either side, are alike."""

    @pytest.mark.parametrize("name", ["epsilon_s", "rho", "sigma_s"])
    @pytest.mark.parametrize("endogenous", [True, False])
    def test_limits_from_both_sides(self, deck, name, endogenous):
        one = np.ones(14) if name.endswith("_s") else 1.0
        found = {}
        for off in (-NEAR, 0.0, NEAR):
            economy = Economy(deck.calibration.replace(**{name: one * (1.0 + off)}))
            found[off] = solved(economy, policy_block(economy.parameters, 3.0, 0.7), endogenous)
        for key in PRICES:
            low, at, high = (found[off][key] for off in (-NEAR, 0.0, NEAR))
            scale = np.maximum(np.abs(at), 1e-6)
            # elasticities differ by 1e-7 and prices of rare earths by logs of up to 2: second derivatives stay below 10
            assert np.abs((high - at) / scale).max() < 10.0 * NEAR, key
            # the limit lies in the middle: no jump at one. Both solutions stop at 2e-12 times conditioning
            assert np.abs((high + low - 2.0 * at) / scale).max() < 1e-9, key

    @pytest.mark.parametrize("name", ["epsilon_s", "rho", "sigma_s"])
    def test_on_a_path(self, deck, name):
        one = np.ones(14) if name.endswith("_s") else 1.0
        rows = []
        for off in (-NEAR, 0.0, NEAR):
            economy = Economy(deck.calibration.replace(**{name: one * (1.0 + off)}))
            p = economy.parameters
            rows.append(
                named(p, stepped(p, (0.03, 0.1, 0.03), np.array([policy_block(p)] + [policy_block(p, 3.0)] * 5)))
            )
        for key in PRICES:
            low, at, high = (row[key] for row in rows)
            scale = np.maximum(np.abs(at), 1e-6)
            assert np.abs((high - at) / scale).max() < 10.0 * NEAR, key
            assert np.abs((high + low - 2.0 * at) / scale).max() < 1e-9, key

    def test_cobb_douglas_keeps_shares(self, deck):
        economy = Economy(deck.calibration.replace(epsilon_s=np.ones(14), rho=1.0, sigma_s=np.ones(14)))
        at = solved(economy, policy_block(economy.parameters, 3.0))
        np.testing.assert_allclose(at["ree_share"], deck.calibration.ree_share_is, rtol=1e-14)
        np.testing.assert_allclose(at["trade_share"], economy.parameters.views()["trade_share0"], rtol=1e-14)
        # beta is zero: technology has no direction
        np.testing.assert_allclose((at["A_R"] / at["A_L"])[:, deck.calibration.gamma_s > 0.0], 1.0, rtol=1e-12)


def test_an_economy_that_uses_no_rare_earths_at_all():
    """gamma = 0 everywhere is the limit itself: nothing to tax, nothing moves."""
    from reesim.scenario import DEFAULT_SECTORS

    economy = with_numbers(
        {
            "parameters.gamma": {code: 0.0 for code in DEFAULT_SECTORS.codes if code not in ("AGR", "SER")},
            "policies": [],
        }
    )
    for endogenous in (True, False):
        at = solved(economy, policy_block(economy.parameters, 3.0), endogenous)
        np.testing.assert_allclose(at["wage"], 1.0, rtol=1e-12)
        np.testing.assert_allclose(
            Outcomes(economy.parameters, economy.calibration, at.row[None], at.policy[None], np.zeros(1))["welfare"],
            0.0,
            atol=1e-12,
        )
