"""Laws of the general engine at random economies of 2-8 regions and 1-12 sectors, with every instrument on at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instruments import plain
from random_economies import (
    EIGHT,
    KINDS,
    Solved,
    everybody_trades,
    mild_calibration,
    named,
    policy_block,
    random_policy,
    rebuilt,
    retold,
    retold_policy,
    retold_row,
    solved,
    stepped,
)

from reesim._core.layout import POLICY, ROW, Layout, no_policy
from reesim._core.static import StaticSolver
from reesim._core.stepper import Stepper
from reesim.calibration import Calibration
from reesim.economy import Economy
from reesim.equilibrium import resolved, solve_row
from reesim.labels import Labels
from reesim.outcomes import Outcomes

SOLVED = 1e-10
"""What certificates guarantee, relative."""

AGREE = 1e-9
"""Two solutions whose residuals are below 2e-12, with the conditioning of these systems (below 300), twice over."""

RATIOS = ("A_R", "A_L", "posted_price", "wage", "ree_price", "ree_mine_price", "price_consumption", "price_index",
          "unit_cost", "value_added_price")  # fmt: skip


class Drawn(NamedTuple):
    """An economy with a policy that has everything in it."""

    economy: Economy
    policy: np.ndarray
    endogenous: bool

    def solve(self) -> Solved:
        return solved(self.economy, self.policy, self.endogenous)


def draw(seed: int, kind: str, regions: int = 8, sectors: int = 12, **changes: object) -> Drawn:
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    n, s = int(rng.integers(2, regions + 1)), int(rng.integers(1, sectors + 1))
    economy = Economy(mild_calibration(rng, n, s, kind, **changes))
    return Drawn(economy, random_policy(rng, economy.parameters), kind == "endogenous")


def lawful(examples: int):
    """Decorate a law that holds for any seed: the same draws every time."""

    def decorate(law):
        return settings(max_examples=examples, deadline=None, derandomize=True)(
            given(seed=st.integers(0, 2**32 - 1))(law)
        )

    return decorate


STEADY = (0, 1, 2, 3, 4, 5)
"""Draws whose markets clear in every step. In some others they do not, when prices lag: then nothing but the small part of
costs that is not labour makes a wage move a price, and a shock of a few per cent throws wages far."""

each_kind = pytest.mark.parametrize("kind", KINDS)


def outcomes(at: Solved) -> Outcomes:
    return Outcomes(at.economy.parameters, at.economy.calibration, at.row[None], at.policy[None], np.zeros(1))


def close(found: dict[str, np.ndarray], expected: dict[str, np.ndarray], tolerance: float = AGREE) -> None:
    for name, value in expected.items():
        scale = max(
            1.0, float(np.abs(value).max())
        )  # values of cells next to nothing are known to the size of the others
        np.testing.assert_allclose(found[name], value, rtol=tolerance, atol=tolerance * scale, err_msg=name)


# --- accounts -------------------------------------------------------------------------------------------------------------


@each_kind
class TestAccounts:
    @lawful(25)
    def test_certificates(self, kind, seed):
        at = draw(seed, kind)
        row, certificate = solve_row(at.economy, at.policy, at.endogenous)
        assert certificate.residual <= SOLVED
        assert np.isfinite(row).all()
        found = Solved(at.economy, at.policy, row)
        assert (found["final_demand"] > 0.0).all()
        assert (found["wage"] > 0.0).all()

    @lawful(25)
    def test_the_world_spends_what_it_makes_and_taxes_less_what_it_subsidises(self, kind, seed):
        at = draw(seed, kind).solve()
        p, now = at.economy.parameters, Layout(POLICY, *at["A_R"].shape).views(at.policy)
        spent = at["trade_share"] * at["expenditure"]
        taxes = (spent - spent / (now["tariff"] * now["export_tax"])).sum()
        subsidies = ((now["output_subsidy"] - 1.0) * at["revenue"]).sum()
        made = (p.views()["phi_va"] * at["spending"]).sum()
        assert at["final_demand"].sum() == pytest.approx(made + taxes - subsidies, rel=SOLVED)
        # money for entry goes from households to varieties and from there to those who do research
        assert outcomes(at)["gdp"].sum() == pytest.approx(at["final_demand"].sum(), rel=SOLVED)

    @lawful(25)
    def test_each_region_pays_for_its_imports(self, kind, seed):
        """Walras' law region by region, at the border: what is sold abroad less what is bought there is minus the deficit."""
        at = draw(seed, kind).solve()
        p, now = at.economy.parameters, Layout(POLICY, *at["A_R"].shape).views(at.policy)
        par, home = p.views(), p.supplier
        border = at["trade_share"] * at["expenditure"] / now["tariff"]
        balance = border.sum(axis=(1, 2)) - border.sum(axis=(0, 2))
        bill = (float(par["mu"]) - 1.0) / float(par["mu"])
        bill *= (at["ree_share"] * par["phi_va"] * at["spending"]).sum(axis=1)
        real = at["ree_price"][None, :] / at["wage"][:, None]
        mined = now["mine_supply"] * par["ree_supply"].sum() * real ** par["ree_elasticity"][:, None]
        receipts = mined * par["tax0"] * at["ree_price"]
        bought = bill / (par["tax0"] * at["ree_price"]) - mined.sum(axis=0)
        kept = now["rent_share"] * par["tax0"] * at["ree_wedge_quota"] * at["ree_mine_price"] * bought
        kept[home] = 0.0
        fob = bill - receipts.sum(axis=0) - kept
        balance += receipts.sum(axis=1) - bill + kept
        balance[home] += fob.sum()
        world = at["final_demand"].sum()  # small regions' balances are differences of large numbers
        deficit = outcomes(at)["deficit"][0]
        np.testing.assert_allclose(balance / world, -deficit / world, rtol=0, atol=SOLVED)
        assert abs(deficit.sum()) < SOLVED * world

    @lawful(15)
    def test_every_tonne_mined_is_used(self, kind, seed):
        at = draw(seed, kind).solve()
        found, p = outcomes(at), at.economy.parameters
        now = Layout(POLICY, *at["A_R"].shape).views(at.policy)
        assert found["ree_use"].sum() == pytest.approx(found["ree_mined"].sum(), rel=SOLVED)
        exports, limit = found["ree_exports"][0], float(now["quota"]) * at.economy.calibration.baseline_exports_tonnes
        assert exports <= limit * (1.0 + SOLVED)
        abroad = np.arange(p.regions) != p.supplier
        wedge = np.where(abroad, now["tax"], 1.0) + at["ree_wedge_quota"] * abroad + at["ree_wedge_embargo"]
        gap = at["ree_price"] / (wedge * at["ree_mine_price"]) - 1.0
        assert (gap <= AGREE).all()  # nobody pays more than the supplier asks
        room = found["ree_imports"][0] > 1e-9 * found["ree_use"][0]
        np.testing.assert_allclose(gap[room & abroad], 0.0, rtol=0, atol=AGREE)  # and less only where it sells nothing


# --- the same economy, told otherwise ---------------------------------------------------------------------------------------


def order(seed: int, at: Drawn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    n, s = at.economy.parameters.regions, at.economy.parameters.sectors
    return rng.permutation(n), rng.permutation(s), np.ones(n)


def halves(seed: int, at: Drawn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One region in two: any but the supplier, whose other half would pay its taxes on rare earths."""
    rng = np.random.default_rng(seed)
    n, s = at.economy.parameters.regions, at.economy.parameters.sectors
    split = int(rng.choice([i for i in range(n) if i != at.economy.parameters.supplier]))
    region = np.append(np.arange(n), split)
    return region, np.arange(s), np.where(region == split, 0.5, 1.0)


@pytest.mark.parametrize("otherwise", [order, halves])
class TestToldOtherwise:
    """The order of regions and sectors is a matter of writing, and so is a border without tariffs between equal halves.

    Two halves that are alike make two goods where there was one; at equal prices a CES of shares split in half does not see it,
    whatever sigma.
    """

    @each_kind
    @lawful(12)
    def test_static(self, otherwise, kind, seed):
        at = draw(seed, kind)
        other = otherwise(seed, at)
        p, economy = at.economy.parameters, Economy(retold(at.economy.calibration, *other))
        found = solved(economy, retold_policy(p, at.policy, *other), at.endogenous)
        agree(found, retold_row(p, at.solve().row, *other))

    @pytest.mark.parametrize("speeds", [(0.2, 0.3, 0.1), (0.0, 1.0, 0.2), (0.3, 0.2, 1.0)])
    @pytest.mark.parametrize("seed", STEADY)
    def test_in_steps(self, otherwise, speeds, seed):
        at = draw(seed, "endogenous", 4, 5)
        other = otherwise(seed, at)
        p, economy = at.economy.parameters, Economy(retold(at.economy.calibration, *other))
        policies = [no_policy(p), at.policy, at.policy]
        told = [retold_policy(p, policy, *other) for policy in policies]
        rows, new = stepped(p, speeds, np.array(policies)), stepped(economy.parameters, speeds, np.array(told))
        for k in range(3):
            agree(Solved(economy, told[k], new[k]), retold_row(p, rows[k], *other))


def agree(found: Solved, expected: dict[str, np.ndarray]) -> None:
    """Compare rows; where nobody buys, shares are a convention: each region prices what it does not buy at its own cost."""
    bought = found.economy.calibration.expenditure_is > 0.0
    shares = [np.where(bought, values["trade_share"], 0.0) for values in (found, expected)]
    np.testing.assert_allclose(*shares, rtol=AGREE, atol=AGREE)
    close(named(found.economy.parameters, found.row), {k: v for k, v in expected.items() if k != "trade_share"})


# --- units ----------------------------------------------------------------------------------------------------------------


@each_kind
@lawful(10)
def test_the_unit_of_money_does_not_matter(kind, seed):
    at = draw(seed, kind)
    cal = at.economy.calibration
    flows = {name: 7.0 * getattr(cal, name) for name in ("trade_jis", "materials_iks", "final_is")}
    found, before = solved(Economy(cal.replace(**flows)), at.policy, at.endogenous), at.solve()
    close({k: found[k] for k in RATIOS}, {k: before[k] for k in (*RATIOS,)})
    values = ("revenue", "expenditure", "final_demand")
    close({k: found[k] / 7.0 for k in values}, {k: before[k] for k in values})


@pytest.mark.parametrize("kind", ["endogenous", "none"])
@pytest.mark.parametrize("entry", ["labour", "final_good"])
@lawful(10)
def test_a_larger_world_is_richer_by_its_varieties(kind, entry, seed):
    """Labour and deposits times lambda, everything else alike: quantities grow by lambda^(1+theta) or lambda^(1/(1-theta))."""
    at, factor = draw(seed, kind, entry_cost=entry), 2.0
    p, before, theta = at.economy.parameters, at.solve(), at.economy.calibration.theta
    par = p.views()
    scaled = {name: factor * par[name] for name in ("labour0", "ree_supply", "ree_use0", "deficit0")}
    larger = rebuilt(p, **scaled)
    solver = StaticSolver(larger, at.endogenous)
    assert solver.solve(at.policy)
    found = named(larger, solver.found)
    grown = factor if entry == "labour" else factor ** (1.0 / (1.0 - theta))
    prices = factor**-theta if entry == "labour" else factor ** (-theta / (1.0 - theta))
    expected = {name: before[name] for name in ("wage", "ree_price", "trade_share", "ree_share", "ree_wedge_quota")}
    expected |= {name: prices * before[name] for name in ("posted_price", "price_consumption")}
    expected |= {name: factor * before[name] for name in ("revenue", "expenditure", "final_demand")}
    made = par["revenue0"] > 0.0  # what is not made has a price by convention, and nobody enters
    expected["posted_price"] = np.where(made, expected["posted_price"], found["posted_price"])
    if kind == "endogenous":
        expected["A_L"] = np.where(made, grown * before["A_L"], 1.0)
    close(found, expected, 1e-8)  # scale economies multiply errors by up to a few dozen


# --- taxes on goods ---------------------------------------------------------------------------------------------------------


def put(policy: np.ndarray, p, **factors: np.ndarray) -> np.ndarray:
    """The same policy with some of its parts times a factor."""
    block = policy.copy()
    views = Layout(POLICY, p.regions, p.sectors).views(block)
    for name, factor in factors.items():
        views[name][...] *= factor
    return block


@each_kind
class TestTaxesOnGoods:
    @lawful(8)
    def test_a_tariff_is_an_iceberg_at_given_incomes_only(self, kind, seed):
        at = draw(seed, kind, 5, 6)
        p, n = at.economy.parameters, at.economy.parameters.regions
        cost = np.ones((n, n, p.sectors))
        cost[1:, 0] = 1.1  # all that the first region imports
        tariff, iceberg = put(at.policy, p, tariff=cost), put(at.policy, p, iceberg=cost)
        taxed = solved(at.economy, tariff, at.endogenous)
        solver = StaticSolver(p, at.endogenous)
        assert solver.solve(tariff)
        given_incomes = named(p, solver.row(iceberg, solver.unknowns))
        # the same wages, spending and costs: prices and shares are the same, and producers get what the tariff took
        for name in ("price_index", "trade_share", "price_consumption"):
            np.testing.assert_allclose(given_incomes[name], taxed[name], rtol=AGREE, atol=1e-12, err_msg=name)
        now = Layout(POLICY, n, p.sectors).views(tariff)
        gain = np.zeros((n, p.sectors))
        gain[1:] = (0.1 * taxed["trade_share"] * taxed["expenditure"] / (now["tariff"] * now["export_tax"]))[1:, 0]
        paid = taxed["revenue"] + gain
        level = given_incomes["revenue"].sum() / paid.sum()  # a pass sets the level of money by (18)
        np.testing.assert_allclose(given_incomes["revenue"], level * paid, rtol=AGREE, atol=1e-9)
        # in equilibrium they differ by what melts
        melted = solved(at.economy, iceberg, at.endogenous)
        part = gain.sum() / taxed["final_demand"][0]
        wins = outcomes(taxed)["welfare"][0, 0] - outcomes(melted)["welfare"][0, 0]
        assert wins > 0.1 * part if part > 0.0 else abs(wins) < AGREE

    @lawful(8)
    def test_on_a_flow_that_is_not_there_they_are_nothing(self, kind, seed):
        at = draw(seed, kind, 5, 6)
        p, before = at.economy.parameters, at.solve()
        nothing = np.where(p.views()["trade_share0"] == 0.0, 1.5, 1.0)
        for name in ("tariff", "iceberg", "export_tax"):
            found = solved(at.economy, put(at.policy, p, **{name: nothing}), at.endogenous)
            close(named(p, found.row), named(p, before.row), 1e-12)

    @lawful(8)
    def test_an_export_tax_is_a_tariff_whose_revenue_stays_at_home(self, kind, seed):
        """The same wedge on the same flows; moved by hand, the money makes the two equilibria one."""
        at = draw(seed, kind, 5, 6, deficit="world_labour_share")
        p, n = at.economy.parameters, at.economy.parameters.regions
        cost = np.ones((n, n, p.sectors))
        cost[0, 1] = 1.1
        tariff, tax = put(at.policy, p, tariff=cost), put(at.policy, p, export_tax=cost)
        taxed = solved(at.economy, tax, at.endogenous)
        spent = (taxed["trade_share"] * taxed["expenditure"])[0, 1]
        revenue = [
            (spent * (1.0 - 1.0 / Layout(POLICY, n, p.sectors).views(policy)["tariff"][0, 1])).sum()
            for policy in (tax, tariff)
        ]
        moved = p.views()["deficit0"].copy()
        moved[:2] += np.array([1.0, -1.0]) * (revenue[1] - revenue[0])
        other = rebuilt(p, deficit0=moved)
        solver = StaticSolver(other, at.endogenous)
        assert solver.solve(tariff)
        close(named(p, solver.found), named(p, taxed.row))
        kept = solved(at.economy, tariff, at.endogenous)
        if revenue[1] - revenue[0] > 1e-3 * taxed["final_demand"][:2].min():
            assert kept["final_demand"][1] / taxed["final_demand"][1] > 1.0 + 1e-6


def without_deficits(rng: np.random.Generator, kind: str) -> Economy:
    """Nobody uses rare earths, and trade is balanced."""
    while True:
        n, s = int(rng.integers(2, 6)), int(rng.integers(1, 7))
        cal = mild_calibration(rng, n, s, kind, ree_share_is=np.zeros((n, s)))
        cal = resolved(cal, deficits=False, endogenous=kind == "endogenous")
        at_home = cal.trade_jis[np.arange(n), np.arange(n)].sum(axis=1) / cal.revenue_is.sum(axis=1)
        if at_home.max() < 0.99:  # money of a region that hardly trades is worth what rounding says it is
            return Economy(cal)


@each_kind
@lawful(10)
def test_lerner_symmetry(kind, seed):
    """A uniform tariff on all imports is a uniform tax on all exports: with balanced trade nothing real tells them apart.

    Wages and prices at home are lower by the tax, that is all. Rare earths are left out: a tariff on goods is none on them.
    """
    rng, endogenous, rate = np.random.default_rng(seed), kind == "endogenous", 1.25
    balanced = without_deficits(rng, kind)
    p = balanced.parameters
    home, policy = int(rng.integers(p.regions)), random_policy(rng, p)
    imports, exports = (np.ones((p.regions, p.regions, p.sectors)) for _ in range(2))
    imports[:, home], exports[home] = rate, rate
    imports[home, home], exports[home, home] = 1.0, 1.0
    by_tariff, by_tax = (
        solved(balanced, put(policy, p, **change), endogenous)
        for change in ({"tariff": imports}, {"export_tax": exports})
    )
    here = np.where(np.arange(p.regions) == home, rate, 1.0)
    level = by_tariff["wage"][(home + 1) % p.regions] / by_tax["wage"][(home + 1) % p.regions]
    unit = here * level  # of money at home and abroad
    for name in ("wage", "price_consumption", "final_demand"):
        np.testing.assert_allclose(unit * by_tax[name], by_tariff[name], rtol=AGREE, err_msg=name)
    for name in ("posted_price", "price_index"):
        np.testing.assert_allclose(unit[:, None] * by_tax[name], by_tariff[name], rtol=AGREE, err_msg=name)
    for name in ("trade_share", "A_R", "A_L"):
        np.testing.assert_allclose(by_tax[name], by_tariff[name], rtol=AGREE, atol=AGREE, err_msg=name)
    real = [at["revenue"] / at["posted_price"] for at in (by_tax, by_tariff)]
    np.testing.assert_allclose(*real, rtol=AGREE, atol=AGREE)
    before = solved(balanced, policy, endogenous)
    assert np.abs(np.log(by_tariff["wage"] / before["wage"])).max() > 1e-6


def untaxed(seed: int, n: int, s: int, materials: bool = True, **changes: object) -> Calibration:
    """Pure trade without taxes, everything made and bought everywhere."""
    pure = {"mu": 1e15, "theta": 0.0, "ree_share_is": np.zeros((n, s)), "sigma_s": np.full(s, 4.0)}
    rng = np.random.default_rng(seed)
    while True:
        cal = plain(rng, n, s, **{**pure, "deficit": "world_labour_share", **changes})
        if everybody_trades(cal):
            break
    if materials:
        return cal
    return cal.replace(materials_iks=np.zeros((n, s, s)), final_is=cal.trade_jis.sum(axis=0))


class TestFirstOrder:
    """Where nothing is taxed, small changes of policy move money between regions and waste none."""

    @pytest.mark.parametrize("name", ["tariff", "export_tax", "output_subsidy"])
    @lawful(8)
    def test_the_world_neither_gains_nor_loses(self, name, seed):
        economy = Economy(untaxed(seed, 3, 4))
        p, totals = economy.parameters, []
        for rate in (1e-3, 1e-4):
            change = np.ones(Layout(POLICY, 3, 4).views(no_policy(p))[name].shape)
            change[0] += rate
            if name != "output_subsidy":
                change[0, 0] = 1.0
            found = outcomes(solved(economy, put(no_policy(p), p, **{name: change}), False))["welfare_usd"][0]
            totals.append(found.sum())
            if name != "output_subsidy":
                assert np.abs(found).max() > 30.0 * abs(found.sum())  # what regions win and lose is of first order
        # what is wasted is of second order: a tenth of the rate, a hundredth of the waste; some is in third digits
        assert totals[0] < 0.0
        assert totals[0] / totals[1] == pytest.approx(100.0, rel=0.05)

    @lawful(8)
    def test_a_small_tariff_is_good_for_who_levies_it_and_bad_for_the_other(self, seed):
        economy = Economy(untaxed(seed, 2, 3))
        p = economy.parameters
        change = np.ones((2, 2, 3))
        change[1, 0] = 1.01
        mine, theirs = outcomes(solved(economy, put(no_policy(p), p, tariff=change), False))["welfare"][0]
        assert mine > 1e-6
        assert theirs < -1e-6


# --- productivity, endowments, subsidies ------------------------------------------------------------------------------------


@lawful(10)
def test_productivity_of_labour_is_more_labour(seed):
    """Psi = lambda^phi_va in a region is lambda times the labour there, wages apart, where labour is the only factor."""
    at = draw(seed, "none")
    p = at.economy.parameters
    factor = np.random.default_rng(seed).uniform(0.7, 1.5, p.regions)
    labour = solved(at.economy, put(at.policy, p, labour=factor), False)
    skill = solved(at.economy, put(at.policy, p, productivity=factor[:, None] ** p.views()["phi_va"]), False)
    # (18) counts wages times labour, so that the level of money is the same
    np.testing.assert_allclose(skill["wage"], factor * labour["wage"], rtol=AGREE)
    names = ("posted_price", "price_consumption", "revenue", "final_demand", "trade_share")
    close({name: skill[name] for name in names}, {name: labour[name] for name in names})


def closed(rng: np.random.Generator, kind: str, materials: bool, **changes: object) -> Economy:
    """Two regions of three sectors that do not trade, without rare earths."""
    made = rng.uniform(50.0, 500.0, (2, 3))
    used = rng.uniform(0.05, 0.2, (2, 3, 3)) * made[:, :, None] * materials
    final = made - used.sum(axis=1)
    while (final <= 0.0).any():
        used *= 0.9
        final = made - used.sum(axis=1)
    flows = {"trade_jis": np.eye(2)[:, :, None] * made, "materials_iks": used, "final_is": final}
    none = {"tariff_jis": np.zeros((2, 2, 3)), "export_tax_jis": np.zeros((2, 2, 3)), "ree_share_is": np.zeros((2, 3))}
    return Economy(mild_calibration(rng, 2, 3, kind).replace(**flows, **none, **changes))


@each_kind
@pytest.mark.parametrize("seed", range(4))
def test_subsidies_on_all_output_move_nothing_in_a_closed_economy(kind, seed):
    """Without materials, at entry paid in labour, everything is cheaper by the subsidy, which takes that part of income."""
    economy = closed(np.random.default_rng(seed), kind, False, entry_cost="labour")
    p, rate = economy.parameters, np.array([1.2, 0.9])
    at = solved(economy, policy_block(p, output_subsidy=rate[:, None]), kind == "endogenous")
    # regions that do not trade share no unit of money: each is looked at in its own wage
    np.testing.assert_allclose(at["price_index"] * rate[:, None], at["wage"][:, None] * np.ones(3), rtol=AGREE)
    np.testing.assert_allclose(
        at["final_demand"] * rate, at["wage"] * economy.calibration.final_is.sum(axis=1), rtol=AGREE
    )
    np.testing.assert_allclose(outcomes(at)["welfare"], 0.0, rtol=0, atol=AGREE)
    for name in ("A_R", "A_L"):
        np.testing.assert_allclose(at[name], 1.0, rtol=AGREE)


@pytest.mark.parametrize("rate", [1.1, 0.9])
@pytest.mark.parametrize("seed", range(3))
def test_with_materials_they_distort(rate, seed):
    """Subsidies pile up along the chain, so that materials are used too much, or taxed too little: both waste."""
    economy = closed(np.random.default_rng(seed), "none", True)
    at = solved(economy, policy_block(economy.parameters, output_subsidy=rate), False)
    assert (outcomes(at)["welfare"] < -1e-4).all()


@lawful(15)
def test_direction_of_technology_with_subsidies(seed):
    """(8): log(A_R/A_L) = beta log(w_R/w_L) + beta' log((1 - z_L)/(1 - z_R)), whatever else is in force."""
    at = draw(seed, "endogenous").solve()
    cal, now = at.economy.calibration, Layout(POLICY, *at["A_R"].shape).views(at.policy)
    delta, z = cal.theta - 1.0 / (cal.mu - 1.0), 1.0 - cal.epsilon_s
    beta = z * (cal.mu - 1.0) / (cal.mu - cal.epsilon_s + delta * (cal.mu - 1.0) * z)
    beta_prime = 1.0 / (1.0 + cal.theta * z)
    expected = beta * np.log(at["ree_price"] / at["wage"])[:, None]
    expected = expected + beta_prime * np.log((1.0 - now["entry_subsidy_L"]) / (1.0 - now["entry_subsidy_R"]))
    uses = (cal.ree_share_is > 0.0) & (cal.revenue_is > 0.0)
    found = np.log(at["A_R"] / at["A_L"])
    np.testing.assert_allclose(found[uses], expected[uses], rtol=0, atol=AGREE)
    assert np.ptp(expected[uses]) > 1e-3


# --- rare earths ----------------------------------------------------------------------------------------------------------


def rare(seed: int, kind: str, **changes: object) -> Economy:
    rng = np.random.default_rng(seed)
    return Economy(mild_calibration(rng, 4, 3, kind, **changes))


def mine(p, owner: int, market: int, capacity: float) -> np.ndarray:
    mines = np.zeros((p.regions, p.regions))
    mines[owner, market] = capacity
    return mines


@pytest.mark.parametrize("kind", ["endogenous", "fixed"])
@pytest.mark.parametrize("seed", range(4))
class TestRareEarths:
    def test_supply_that_is_very_elastic_pins_the_price_at_the_wage(self, kind, seed):
        gaps = []
        for elasticity in (10.0, 100.0, 1000.0):
            economy = rare(seed, kind, ree_elasticity_i=np.full(4, elasticity))
            at = solved(economy, policy_block(economy.parameters, 2.0), kind == "endogenous")
            real = np.log(at["ree_mine_price"] / at["wage"][economy.parameters.supplier])
            gaps.append(abs(float(real)))
            mined = outcomes(at)["ree_mined"][0].sum() / economy.calibration.baseline_supply_tonnes
            assert np.log(mined) == pytest.approx(elasticity * real, abs=1e-7)  # (15), times the elasticity
        assert gaps[0] > 5.0 * gaps[1] > 25.0 * gaps[2] > 0.0

    def test_a_mine_of_no_capacity_is_none(self, kind, seed):
        economy = rare(seed, kind)
        p = economy.parameters
        policy = {"tax": 1.5, "quota": 0.9}
        none, empty = (solved(economy, policy_block(p, **policy, **more), kind == "endogenous")
                       for more in ({}, {"mine_supply": mine(p, 0, 1, 0.0)}))  # fmt: skip
        np.testing.assert_array_equal(none.row, empty.row)

    def test_a_large_mine_leaves_no_room_for_imports(self, kind, seed):
        economy = rare(seed, kind)
        p = economy.parameters
        market = (p.supplier + 1) % 4
        share = economy.calibration.ree_value_i[market] / economy.calibration.ree_value_i.sum()
        for capacity, left in ((0.3, True), (1.5, False)):
            policy = policy_block(p, 2.0, mine_supply=mine(p, (market + 1) % 4, market, capacity * share))
            at = solved(economy, policy, kind == "endogenous")
            found = outcomes(at)
            bought, gap = found["ree_imports"][0, market], 2.0 * at["ree_mine_price"] - at["ree_price"][market]
            use = found["ree_use"][0, market]
            assert (bought > 0.1 * use) == left
            assert (gap > 0.1 * at["ree_price"][market]) == (not left)
            assert abs(bought / use * gap) < AGREE
            others = np.delete(at["ree_price"], [market, p.supplier])
            np.testing.assert_allclose(others, 2.0 * at["ree_mine_price"], rtol=AGREE)
            assert found["ree_mined"][0].sum() == pytest.approx(found["ree_use"][0].sum(), rel=SOLVED)

    @pytest.mark.parametrize("elasticity", [0.0, 0.7])
    def test_a_production_quota_that_binds_is_smaller_supply(self, kind, seed, elasticity):
        economy = rare(seed, kind, ree_elasticity_i=np.full(4, elasticity))
        p, tax = economy.parameters, 1.5
        limited = solved(economy, policy_block(p, tax, ree_limit=0.8), kind == "endogenous")
        real = float(limited["ree_mine_price"] / limited["wage"][p.supplier])
        found = outcomes(limited)["ree_mined"][0].sum()
        assert found == pytest.approx(0.8 * economy.calibration.baseline_supply_tonnes, rel=AGREE)
        smaller = solved(economy, policy_block(p, tax, ree_supply=0.8 / real**elasticity), kind == "endogenous")
        close(named(p, smaller.row), named(p, limited.row))
        slack = solved(economy, policy_block(p, tax, ree_limit=5.0), kind == "endogenous")
        free = solved(economy, policy_block(p, tax), kind == "endogenous")
        np.testing.assert_array_equal(slack.row, free.row)

    def test_limits_are_on_what_the_exporter_sells(self, kind, seed):
        """Mines abroad make up for part of a quota or an embargo: use is above the limit, imports are at it."""
        economy = rare(seed, kind)
        p, cal = economy.parameters, economy.calibration
        market = (p.supplier + 1) % 4
        share = cal.ree_value_i[market] / cal.ree_value_i.sum()
        policy = policy_block(p, 1.2, 0.5, {market: 0.2}, mine_supply=mine(p, market, market, 0.3 * share))
        at = solved(economy, policy, kind == "endogenous")
        found = outcomes(at)
        before = outcomes(solved(economy, policy_block(p), kind == "endogenous"))
        assert found["ree_imports"][0, market] == pytest.approx(0.2 * before["ree_use"][0, market], rel=AGREE)
        assert found["ree_use"][0, market] > 0.3 * before["ree_use"][0, market]
        assert found["ree_exports"][0] == pytest.approx(0.5 * before["ree_exports"][0], rel=AGREE)
        assert at["ree_wedge_quota"] > 0.0
        assert at["ree_wedge_embargo"][market] > 0.0


# --- time -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["endogenous", "fixed"])
@lawful(10)
def test_a_step_with_everything_at_once_is_the_static_equilibrium(kind, seed):
    at = draw(seed, kind, 5, 6)
    speeds = (1.0 if at.endogenous else 0.0, 1.0, 1.0)
    row = stepped(at.economy.parameters, speeds, at.policy[None])[0]
    agree(Solved(at.economy, at.policy, row), named(at.economy.parameters, at.solve().row))


@pytest.mark.parametrize("speeds", EIGHT)
@pytest.mark.parametrize("seed", STEADY)
def test_what_adjusts_at_once_is_adjusted(speeds, seed):
    at = draw(seed, "endogenous", 4, 5)
    p = at.economy.parameters
    rows = stepped(p, speeds, np.array([no_policy(p), at.policy, at.policy]))
    last = Solved(at.economy, at.policy, rows[-1])
    now, made = Layout(POLICY, p.regions, p.sectors).views(at.policy), p.views()["revenue0"] > 0.0
    entry, price, trade = speeds
    gap = np.abs(np.log(last["posted_price"] * now["output_subsidy"] / last["unit_cost"]))[made].max()
    assert (gap < SOLVED) == (price == 1.0)
    found = outcomes(last)
    due = np.log(found["profit_L"][0] / ((1.0 - now["entry_subsidy_L"]) * found.entry_cost()[0][:, None]))
    assert (np.abs(due[made]).max() < SOLVED) == (entry == 1.0)
    kappa = now["iceberg"] * now["tariff"] * now["export_tax"] / (p.views()["tariff0"] * p.views()["export_tax0"])
    b = p.views()["trade_share0"]
    log_share = np.log(np.where(b > 0.0, last["trade_share"] / np.where(b > 0.0, b, 1.0), 1.0))
    paid = np.log(last["posted_price"][:, None] * kappa / last["price_index"])
    off = np.where(b > 0.0, log_share - (1.0 - p.views()["sigma"]) * paid, 0.0)
    elastic = (p.views()["sigma"] != 1.0).any()
    assert (np.abs(off).max() < AGREE) == (trade == 1.0 or not elastic)


@pytest.mark.parametrize("entry", [0.1, 0.0])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_long_path_ends_at_the_static_equilibrium(entry, seed):
    at = draw(seed, "endogenous", 4, 5)
    p = at.economy.parameters
    rows = stepped(p, (entry, 0.05, 0.05), np.array([no_policy(p)] + [at.policy] * 1500))
    static = solved(at.economy, at.policy, entry > 0.0)
    # steps as short as explicit ones must be at sigma = 6, and enough of them for the slowest gap to close to 1e-9
    agree(Solved(at.economy, at.policy, rows[-1]), named(p, static.row))


def test_a_path_goes_on_from_where_it_was_saved():
    at = draw(0, "endogenous", 4, 5)
    p = at.economy.parameters
    stepper = Stepper(p, (0.2, 0.3, 0.1))
    for policy in (no_policy(p), at.policy):
        assert stepper.solve(policy) is not None
        stepper.follow()
    saved, twin, rows = stepper.save(), stepper.copy(), []
    other = Stepper(p, (0.2, 0.3, 0.1))
    other.restore(saved)
    for each in (stepper, twin, other):
        for _ in range(3):
            assert each.solve(at.policy) is not None
            each.follow()
        rows.append(each.row.copy())
    np.testing.assert_array_equal(rows[1], rows[0])
    np.testing.assert_array_equal(rows[2], rows[0])


TARIFF = """schema: reesim.scenario/1
name: dated_tariff
calendar: {start: 2010-01, end: 2011-06, step: quarter}
technology: none
deficit: removed
parameters: {sigma: 5.0, rho: 1}
calibration: {ree_shares: none}
adjustment: {prices: 0, trade: 0}
policies:
  - {type: tariff, rate: 0.25, importers: [USA], exporters: [CHN], start: 2010-04, end: 2010-12}
  - {type: goods_export_tax, add: 0.05, exporters: [JPN], start: 2010-07}
"""


def test_a_dated_tariff_from_step_to_step(tmp_path):
    """With prices and trade at once each period is a static equilibrium of what is in force, and nothing else is."""
    from reesim import Scenario, Simulation
    from reesim import solve as solve_at

    (tmp_path / "dated.yaml").write_text(TARIFF)
    scenario = Scenario.load(tmp_path / "dated.yaml")
    simulation = Simulation(scenario)
    simulation.step(2)
    branch = simulation.branch()
    path, other = simulation.run(), branch.run()
    np.testing.assert_array_equal(other.array("welfare"), path.array("welfare"))
    usa = scenario.world.regions.index("USA")
    taxed = path.array("tariff_revenue")[:, usa] > 0.0
    months = [f"{time:%Y-%m}" for time in path.times]
    assert [month for month, now in zip(months, taxed, strict=True) if now] == ["2010-04", "2010-07", "2010-10"]
    for k, month in enumerate(months):
        quarter = solve_at(scenario, date=month)
        for name in ("welfare", "wage", "revenue", "trade_share", "tariff_revenue", "export_tax_revenue"):
            np.testing.assert_allclose(path.array(name)[k], quarter.array(name), rtol=AGREE, atol=AGREE, err_msg=name)


# --- what is not there ------------------------------------------------------------------------------------------------------


def with_an_empty_sector(cal: Calibration, at: int) -> Calibration:
    """Nobody makes it or buys it."""
    flat = {"sigma_s": 3.0, "epsilon_s": 0.8, "gamma_s": 0.01, "final_is": 0.0, "ree_share_is": 0.0, "trade_jis": 0.0,
            "tariff_jis": 0.0, "export_tax_jis": 0.0}  # fmt: skip
    changed = {name: np.insert(getattr(cal, name), at, value, axis=-1) for name, value in flat.items()}
    materials = np.insert(np.insert(cal.materials_iks, at, 0.0, axis=1), at, 0.0, axis=2)
    codes, names = (
        tuple(np.insert(np.array(texts, dtype=object), at, "EMPTY")) for texts in (cal.sectors.codes, cal.sectors.names)
    )
    return cal.replace(**changed, materials_iks=materials, sectors=Labels("sector", codes, names))


@each_kind
@lawful(8)
def test_an_empty_sector_changes_nothing(kind, seed):
    at = draw(seed, kind, 5, 6)
    p, before = at.economy.parameters, named(at.economy.parameters, at.solve().row)
    place = int(np.random.default_rng(seed).integers(p.sectors + 1))
    economy = Economy(with_an_empty_sector(at.economy.calibration, place))
    block = no_policy(economy.parameters)
    layout, axes = Layout(POLICY, p.regions, p.sectors), dict(POLICY)
    for name, view in Layout(POLICY, p.regions, p.sectors + 1).views(block).items():
        given_block = layout.views(at.policy)[name]
        view[...] = np.insert(given_block, place, view.flat[0], axis=-1) if "s" in axes[name] else given_block
    row = solved(economy, block, at.endogenous)
    kept = np.delete(np.arange(p.sectors + 1), place)
    found = {
        name: view[..., kept] if "s" in dict(ROW)[name] else view
        for name, view in named(economy.parameters, row.row).items()
    }
    close(found, before)
    views = outcomes(row)
    for name in ("welfare", "real_gdp", "tariff_revenue", "exports", "revenue_real", "profit_L"):
        assert np.isfinite(views[name]).all(), name


def side_by_side(cal: Calibration, scale: float) -> Calibration:
    """The world twice, the second ``scale`` times as large, without trade between the two."""
    n, s = cal.final_is.shape
    codes = cal.regions.codes + tuple(f"{code}b" for code in cal.regions.codes)
    trade, rates = (
        np.zeros((2 * n, 2 * n, s)),
        {name: np.zeros((2 * n, 2 * n, s)) for name in ("tariff_jis", "export_tax_jis")},
    )
    trade[:n, :n], trade[n:, n:] = cal.trade_jis, scale * cal.trade_jis
    for name, rate in rates.items():
        rate[:n, :n] = rate[n:, n:] = getattr(cal, name)
    values = {
        name: np.concatenate([getattr(cal, name), scale * getattr(cal, name)]) for name in ("materials_iks", "final_is")
    }
    return cal.replace(
        regions=Labels("region", codes, codes), trade_jis=trade, **rates, **values,
        ree_share_is=np.tile(cal.ree_share_is, (2, 1)), ree_elasticity_i=np.tile(cal.ree_elasticity_i, 2),
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_worlds_that_do_not_trade_do_not_matter_to_each_other(kind, seed):
    """Two of them, each with a policy of its own: all that each shares with the other is the sum of wages.

    How much of it falls to which is arbitrary, and a long iteration may take one to a ten-thousandth: not a law for any draw.
    """
    rng = np.random.default_rng(seed)
    one = without_deficits(rng, kind)
    two = Economy(side_by_side(one.calibration, 3.0))
    n, s = one.parameters.regions, one.parameters.sectors
    policies = [random_policy(rng, one.parameters) for _ in range(2)]
    both = no_policy(two.parameters)
    parts = [Layout(POLICY, n, s).views(policy) for policy in policies]
    for name, view in Layout(POLICY, 2 * n, s).views(both).items():
        axes = dict(POLICY)[name]
        for k, here in enumerate((slice(0, n), slice(n, 2 * n))):
            if axes.startswith("ji"):
                view[here, here] = parts[k][name]
            elif axes:
                view[here] = parts[k][name]
    joint = solved(two, both, kind == "endogenous")
    for k, here in enumerate((slice(0, n), slice(n, 2 * n))):
        alone = solved(one, policies[k], kind == "endogenous")
        level = joint["wage"][here][0] / alone["wage"][0]  # each world has its own money
        for name in ("wage", "price_consumption", "posted_price"):
            np.testing.assert_allclose(joint[name][here], level * alone[name], rtol=AGREE, err_msg=name)
        for name in ("A_R", "A_L"):
            np.testing.assert_allclose(joint[name][here], alone[name], rtol=AGREE, err_msg=name)
        shares = joint["trade_share"][here, here], alone["trade_share"]
        np.testing.assert_allclose(*shares, rtol=AGREE, atol=AGREE)
        np.testing.assert_allclose(
            outcomes(joint)["welfare"][0, here], outcomes(alone)["welfare"][0], rtol=0, atol=AGREE
        )


KEPT = [0, 1, 2, 3]


def with_negative_use(rng: np.random.Generator, kind: str) -> tuple[Calibration, tuple[int, int]]:
    """One final use of what others use as a material is below zero: stocks run down. Other final uses take up the slack."""
    cal = plain(rng, 3, 4, **({"mu": 1e15, "theta": 0.0, "ree_share_is": np.zeros((3, 4))} if kind == "none" else {}))
    used = cal.materials_iks.sum(axis=1)
    place = np.unravel_index(int((used - cal.final_is).argmax()), used.shape)
    i, good = int(place[0]), int(place[1])
    final, trade = cal.final_is.copy(), cal.trade_jis.copy()
    final[i, good] = -0.02 * used[i, good]
    trade[:, i, good] *= (used[i, good] + final[i, good]) / cal.expenditure_is[i, good]
    return cal.replace(final_is=final, trade_jis=trade, signed=True), (i, good)


@each_kind
@pytest.mark.parametrize("seed", KEPT)
def test_negative_uses_that_a_table_keeps_stay_in_the_equations(kind, seed):
    rng = np.random.default_rng(seed)
    cal, (i, good) = with_negative_use(rng, kind)
    economy = Economy(cal)
    at = solved(economy, random_policy(rng, economy.parameters), kind == "endogenous")
    materials = economy.parameters.views()["phi"] * at["spending"][:, :, None]
    final = at["expenditure"] - materials.sum(axis=1)
    assert final[i, good] < 0.0
    share = economy.parameters.views()["alpha"][i, good] * (
        at["price_index"][i, good] / at["price_consumption"][i]
    ) ** (1.0 - cal.rho)
    assert final[i, good] == pytest.approx(share * at["final_demand"][i], rel=1e-7)
    found = outcomes(at)
    for name in ("welfare", "real_gdp", "gdp", "exports", "revenue_real", "ree_use"):
        assert np.isfinite(found[name]).all(), name
