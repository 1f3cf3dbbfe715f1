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

from reesim._core.layout import POLICY, Layout, no_policy
from reesim._core.static import StaticSolver
from reesim.calibration import Calibration
from reesim.economy import Economy
from reesim.equilibrium import resolved, solve_row
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
        scale = max(1.0, float(np.abs(value).max()))  # values of cells next to nothing are known to the size of the others
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


@each_kind
@lawful(10)
def test_lerner_symmetry(kind, seed):
    """A uniform tariff on all imports is a uniform tax on all exports: with balanced trade nothing real tells them apart.

    Wages and prices at home are lower by the tax, that is all. Rare earths are left out: a tariff on goods is none on them.
    """
    drawn = draw(seed, kind, 5, 6, sectors_trade=True)
    balanced = Economy(resolved(drawn.economy.calibration, deficits=False, endogenous=drawn.endogenous))
    p, rate = balanced.parameters, 1.25
    home = int(np.random.default_rng(seed).integers(p.regions))
    policy = random_policy(np.random.default_rng(seed), p)
    imports, exports = (np.ones((p.regions, p.regions, p.sectors)) for _ in range(2))
    imports[:, home], exports[home] = rate, rate
    imports[home, home], exports[home, home] = 1.0, 1.0
    by_tariff, by_tax = (
        solved(balanced, put(policy, p, **change), drawn.endogenous)
        for change in ({"tariff": imports}, {"export_tax": exports})
    )
    here = np.where(np.arange(p.regions) == home, rate, 1.0)
    level = by_tariff["wage"][(home + 1) % p.regions] / by_tax["wage"][(home + 1) % p.regions]
    unit = here * level  # of money at home and abroad
    for name in ("wage", "price_consumption", "final_demand"):
        np.testing.assert_allclose(unit * by_tax[name], by_tariff[name], rtol=AGREE, err_msg=name)
    for name in ("posted_price", "price_index"):
        np.testing.assert_allclose(unit[:, None] * by_tax[name], by_tariff[name], rtol=AGREE, err_msg=name)
    same = {name: by_tariff[name] for name in ("trade_share", "A_R", "A_L")}
    same["real"] = by_tariff["revenue"] / by_tariff["posted_price"]
    close({**{name: by_tax[name] for name in same if name != "real"},
           "real": by_tax["revenue"] / by_tax["posted_price"]}, same)  # fmt: skip
    without = solved(balanced, policy, drawn.endogenous)
    assert np.abs(by_tariff["trade_share"] - without["trade_share"]).max() > 1e-4 or (p.views()["sigma"] <= 1.01).all()


def untaxed(seed: int, n: int, s: int, materials: bool = True, **changes: object) -> Calibration:
    """Pure trade without taxes, everything made and bought everywhere."""
    pure = {"mu": 1e15, "theta": 0.0, "ree_share_is": np.zeros((n, s)), "sigma_s": np.full(s, 4.0)}
    cal = plain(np.random.default_rng(seed), n, s, **{**pure, "deficit": "world_labour_share", **changes})
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


def closed(seed: int, materials: bool, **changes: object) -> Economy:
    """Two regions that do not trade."""
    cal = untaxed(seed, 2, 3, materials, **changes)
    own = np.eye(2)[:, :, None] * cal.expenditure_is
    return Economy(cal.replace(trade_jis=own, materials_iks=cal.materials_iks * (own.sum(axis=1) / cal.revenue_is)[:, :, None],
                               final_is=own.sum(axis=0) - (cal.materials_iks * (own.sum(axis=1) / cal.revenue_is)[:, :, None]).sum(axis=1)))
