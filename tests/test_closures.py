"""Closures: deficits three ways, final demand, technology, and solvers that give the same bits whoever else is at work."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from instruments import plain
from random_economies import (
    KINDS,
    Solved,
    mild_calibration,
    named,
    policy_block,
    random_policy,
    solved,
    stepped,
)

from reesim._core import reference as ref
from reesim._core.layout import POLICY, ROW, Layout, no_policy
from reesim._core.static import StaticSolver
from reesim._core.stepper import Stepper
from reesim.calibration import Calibration
from reesim.economy import Economy
from reesim.equilibrium import baseline, resolved, solve_row
from reesim.errors import CalibrationError, ConvergenceError
from reesim.outcomes import Outcomes
from reesim.scenario import Scenario

SOLVED = 1e-10
"""What certificates guarantee, relative."""

AGREE = 1e-9
"""Two solutions whose residuals are below 2e-12, with the conditioning of these systems (below 300), twice over."""

SEEDS = range(4)


def connected(seed: int, kind: str = "none", **changes: object) -> Calibration:
    """A baseline whose trade can be balanced."""
    rng = np.random.default_rng(seed)
    n, s = int(rng.integers(2, 7)), int(rng.integers(1, 8))
    return mild_calibration(rng, n, s, kind, **changes)


def outcomes(at: Solved) -> Outcomes:
    return Outcomes(at.economy.parameters, at.economy.calibration, at.row[None], at.policy[None], np.zeros(1))


def at_rest(economy: Economy, endogenous: bool) -> None:
    """The baseline replicates without an iteration, in both solvers."""
    p, none = economy.parameters, no_policy(economy.parameters)
    solver = StaticSolver(p, endogenous)
    assert solver.solve(none)
    assert solver.passes == 1
    stepper = Stepper(p, (0.1 if endogenous else 0.0, 0.1, 0.1))
    rows = np.empty((2, Layout(ROW, p.regions, p.sectors).size))
    assert stepper.run(none[None], np.zeros(2, int), 1, SOLVED, rows, np.empty(2)) == 2
    assert stepper.passes == 2
    for row in (solver.found, *rows):
        np.testing.assert_allclose(named(p, row)["wage"], 1.0, rtol=1e-11)
        revenue = economy.calibration.revenue_is
        np.testing.assert_allclose(named(p, row)["revenue"], revenue, rtol=1e-11, atol=1e-11 * revenue.max())


# --- deficits -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", SEEDS)
class TestDeficits:
    def test_a_share_of_world_labour_income(self, kind, seed):
        cal = connected(seed, kind, deficit="world_labour_share")
        economy = Economy(cal)
        at = solved(economy, random_policy(np.random.default_rng(seed), economy.parameters), kind == "endogenous")
        par = economy.parameters.views()
        now = outcomes(at)
        income = at["wage"] * par["labour0"] * now["labour"][0]
        assert income.sum() == pytest.approx(par["labour0"].sum(), rel=SOLVED)  # (18)
        share = cal.deficit_i / cal.labour_income_i.sum()
        np.testing.assert_allclose(now["deficit"][0], share * income.sum(), rtol=SOLVED, atol=1e-12 * income.sum())

    def test_a_share_of_own_income_rebalanced(self, kind, seed):
        cal = connected(seed, kind, deficit="own_income_share")
        economy = Economy(cal)
        at = solved(economy, random_policy(np.random.default_rng(seed), economy.parameters), kind == "endogenous")
        now = outcomes(at)
        own = now["gdp"][0]
        wanted = cal.deficit_i / cal.own_income_i * own
        expected = wanted - own * wanted.sum() / own.sum()
        np.testing.assert_allclose(now["deficit"][0], expected, rtol=AGREE, atol=AGREE * own.sum())
        assert abs(now["deficit"][0].sum()) < SOLVED * own.sum()
        assert np.abs(cal.deficit_i).max() > 1e-3 * own.max()

    def test_removed(self, kind, seed):
        cal = connected(seed, kind)
        again = resolved(cal, deficits=False, endogenous=kind != "none")
        assert np.abs(again.deficit_i).max() < SOLVED * again.own_income_i.max()
        at_rest(Economy(again), kind == "endogenous")
        # labour and rare earths are what they were, and what is traded is not
        assert again.labour_income_i.sum() == pytest.approx(cal.labour_income_i.sum(), rel=AGREE)
        assert np.abs(again.trade_jis - cal.trade_jis).max() > 1e-3 * cal.trade_jis.max()

    def test_removing_what_is_removed_changes_nothing(self, kind, seed):
        once = resolved(connected(seed, kind), deficits=False, endogenous=kind != "none")
        twice = resolved(once, deficits=False, endogenous=kind != "none")
        scale = once.trade_jis.max()
        np.testing.assert_allclose(twice.trade_jis, once.trade_jis, rtol=AGREE, atol=AGREE * scale)

    def test_what_policy_does_to_a_world_without_them(self, kind, seed):
        """All three closures are one where there is no deficit to close."""
        balanced = resolved(connected(seed, kind), deficits=False, endogenous=kind != "none")
        policy = random_policy(np.random.default_rng(seed), Economy(balanced).parameters)
        found = [
            solved(Economy(balanced.replace(deficit=closure)), policy, kind == "endogenous")
            for closure in ("world_labour_share", "own_income_share", "removed")
        ]
        for at in found[1:]:
            np.testing.assert_allclose(at["wage"], found[0]["wage"], rtol=AGREE)
            np.testing.assert_allclose(at["final_demand"], found[0]["final_demand"], rtol=AGREE)


def test_a_region_that_sells_nothing_has_no_balanced_trade():
    """It buys on credit alone; without deficits there is no equilibrium, and the error names who trades one way."""
    flows = np.array([[[90.0], [30.0]], [[0.0], [100.0]]])  # the second region buys 30 and sells nothing
    cal = plain(
        np.random.default_rng(0), 2, 1, mu=1e15, theta=0.0, ree_share_is=np.zeros((2, 1)), sigma_s=np.array([4.0])
    )
    none = np.zeros((2, 2, 1))
    cal = cal.replace(trade_jis=flows, materials_iks=np.zeros((2, 1, 1)), final_is=flows.sum(axis=0), tariff_jis=none,
                      export_tax_jis=none)  # fmt: skip
    with pytest.raises(CalibrationError, match=f"{cal.regions.codes[0]}, {cal.regions.codes[1]} buy"):
        resolved(cal, deficits=False, endogenous=False)


def test_nobody_consumes_less_than_nothing():
    """A subsidy of 300 % costs a region more than it earns: every equation has a solution, and it is refused."""
    used = np.array([[[10, 20, 5, 5], [5, 10, 10, 5]], [[5, 5, 10, 20], [5, 5, 5, 10]]], dtype=float)  # j, s, then i k
    final = np.array([[[50, 10], [60, 20]], [[20, 50], [10, 60]]], dtype=float)  # j, s, i
    sold = used.reshape(2, 2, 2, 2)
    cal = plain(
        np.random.default_rng(0), 2, 2, mu=1e15, theta=0.0, ree_share_is=np.zeros((2, 2)), sigma_s=np.full(2, 5.0), rho=1.0,
        deficit="world_labour_share",
    )  # fmt: skip
    none = np.zeros((2, 2, 2))
    cal = cal.replace(trade_jis=(sold.sum(axis=3) + final).transpose(0, 2, 1), materials_iks=sold.sum(axis=0).transpose(1, 2, 0),
                      final_is=final.sum(axis=0).T, tariff_jis=none, export_tax_jis=none)  # fmt: skip
    economy = Economy(cal)
    given = np.array([[4.0, 1.0], [1.0, 1.0]])
    with pytest.raises(ConvergenceError, match=rf"consumption above zero \(16\) is not met in {cal.regions.codes[0]}"):
        solved(economy, policy_block(economy.parameters, output_subsidy=given), endogenous=False)


@pytest.mark.parametrize("deficits", [True, False])
@pytest.mark.parametrize("seed", SEEDS)
def test_clipping_final_demand(deficits, seed):
    """Negative final demand becomes zero, the rest keeps its proportions in real terms, and the result is a baseline."""
    rng = np.random.default_rng(seed)
    cal = plain(rng, 3, 4, mu=1e15, theta=0.0, ree_share_is=np.zeros((3, 4)), rho=1.0, sigma_s=np.full(4, 4.0),
                deficit="world_labour_share")  # fmt: skip
    used = cal.materials_iks.sum(axis=1)
    i, good = (int(k) for k in np.unravel_index(int((used - cal.final_is).argmax()), used.shape))
    final, trade = cal.final_is.copy(), cal.trade_jis.copy()
    final[i, good] = -0.02 * used[i, good]
    trade[:, i, good] *= (used[i, good] + final[i, good]) / cal.expenditure_is[i, good]
    kept = cal.replace(final_is=final, trade_jis=trade, signed=True)
    clipped = resolved(kept, deficits=deficits, clip=True, endogenous=False)
    assert (clipped.final_is > -SOLVED * clipped.final_is.max()).all()
    positive = np.maximum(kept.final_is, 0.0)
    share = clipped.final_is / clipped.final_is.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(share, positive / positive.sum(axis=1, keepdims=True), rtol=AGREE, atol=AGREE)  # rho = 1
    deficit = kept.deficit_i if deficits else np.zeros(3)
    np.testing.assert_allclose(clipped.deficit_i, deficit, rtol=0, atol=SOLVED * clipped.own_income_i.max())
    at_rest(Economy(clipped), False)


# --- demand and technology --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", SEEDS)
def test_cobb_douglas_final_demand_is_the_limit(kind, seed):
    """At rho = 1 and a millionth either side: no jump, and shares that stay put exactly."""
    found = {}
    for off in (-1e-6, 0.0, 1e-6):
        economy = Economy(connected(seed, kind, rho=1.0 + off))
        policy = random_policy(np.random.default_rng(seed), economy.parameters)
        found[off] = solved(economy, policy, kind == "endogenous")
    for name in ("wage", "price_consumption", "final_demand", "price_index"):
        low, at, high = (found[off][name] for off in (-1e-6, 0.0, 1e-6))
        assert (
            np.abs((high - low) / at).max() < 1e-5
        )  # prices move by a few per cent, logs of shares by that over a million
        np.testing.assert_allclose(0.5 * (low + high), at, rtol=AGREE)
    one = found[0.0]
    materials = one.economy.parameters.views()["phi"] * one["spending"][:, :, None]
    final = one["expenditure"] - materials.sum(axis=1)
    alpha = one.economy.parameters.views()["alpha"]
    np.testing.assert_allclose(final, alpha * one["final_demand"][:, None], rtol=0, atol=SOLVED * final.max())


@pytest.mark.parametrize("seed", SEEDS)
def test_sigma_holds_in_its_own_sector(seed):
    """Shares answer prices with the elasticity of their sector: log(pi/b) differences over log price differences."""
    economy = Economy(connected(seed))
    p = economy.parameters
    at = solved(economy, random_policy(np.random.default_rng(seed), p), False)
    costs = ref.trade_costs(ref.unpack(p), ref.name_policy(p, at.policy))
    par = p.views()
    price = np.log(at["posted_price"])[:, None] + costs.log_kappa
    b = par["trade_share0"]
    some = b > 0.0
    log_share = np.log(np.where(some, at["trade_share"] / np.where(some, b, 1.0), 1.0))
    own = np.einsum("iis->is", log_share)[None] - log_share
    gap = np.einsum("iis->is", price)[None] - price
    sold = some & np.einsum("iis->is", some)[None]
    np.testing.assert_allclose(own[sold], ((1.0 - par["sigma"]) * gap)[sold], rtol=0, atol=AGREE)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_technology_is_the_limit_of_infinite_mu(seed):
    """With theta = 1/(mu - 1) both go: endogenous and fixed technology tend to pure trade, at the rate of 1/mu."""
    cal = connected(seed)
    policy = random_policy(np.random.default_rng(seed), Economy(cal).parameters)
    views = Layout(POLICY, *cal.final_is.shape).views(policy)
    for name in ("entry_subsidy_R", "entry_subsidy_L"):
        views[name][...] = 0.0
    limit = solved(Economy(cal), policy, False)
    gaps = {}
    for endogenous in (True, False):
        for mu in (1e4, 1e6):
            near = Economy(cal.replace(mu=mu, theta=1.0 / (mu - 1.0)))
            at = solved(near, policy, endogenous)
            gaps[mu] = max(
                np.abs(at[name] / limit[name] - 1.0).max() for name in ("wage", "price_index", "final_demand")
            )
        assert gaps[1e6] < max(0.02 * gaps[1e4], 1e-12)  # where measures stay and buy goods, there is no gap at all
        assert gaps[1e4] < 1e-3
        assert gaps[1e4] > 1e-8 or not endogenous


def test_a_scenario_without_technology_is_pure_trade():
    """technology: none, with its deficits removed: no varieties, no rare earths, and a baseline that is at rest."""
    changes = {"technology": "none", "calibration.ree_shares": "none", "deficit": "removed", "policies": []}
    economy = baseline(Scenario.load("deck_tax_permanent").replace(changes))
    cal = economy.calibration
    assert cal.theta == 0.0
    assert not cal.ree_share_is.any()
    assert np.abs(cal.research_i).max() < 1e-6
    at_rest(economy, False)


# --- the same bits ----------------------------------------------------------------------------------------------------------


def rows_of(job: tuple[Economy, np.ndarray, bool]) -> list[np.ndarray]:
    """A static equilibrium and a path."""
    economy, policy, endogenous = job
    p = economy.parameters
    path = stepped(p, (0.2 if endogenous else 0.0, 1.0, 1.0), np.array([no_policy(p), policy, policy, policy]))
    return [solve_row(economy, policy, endogenous)[0], *path]


def jobs() -> list[tuple[Economy, np.ndarray, bool]]:
    made = []
    for kind in KINDS:
        for seed in SEEDS:
            economy = Economy(connected(seed, kind))
            made.append((economy, random_policy(np.random.default_rng(seed), economy.parameters), kind == "endogenous"))
    return made


def test_solvers_side_by_side_give_the_bits_of_one_after_the_other():
    alone = [rows_of(job) for job in jobs()]
    again = [rows_of(job) for job in jobs()]
    with ThreadPoolExecutor(2) as threads:
        together = list(threads.map(rows_of, jobs()))
    for one, twin, other in zip(alone, again, together, strict=True):
        np.testing.assert_array_equal(twin, one)
        np.testing.assert_array_equal(other, one)


@pytest.mark.parametrize("endogenous", [True, False])
def test_a_solver_has_no_memory_of_other_policies(deck, endogenous):
    """From the baseline, whatever it solved before."""
    p = deck.parameters
    strong, mild = policy_block(p, 3.0, 0.7), policy_block(p, 1.5)
    used, fresh = StaticSolver(p, endogenous), StaticSolver(p, endogenous)
    assert used.solve(strong)
    assert used.solve(mild)
    assert fresh.solve(mild)
    np.testing.assert_array_equal(used.found, fresh.found)
