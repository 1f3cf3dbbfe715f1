"""Laws that hold in every equilibrium, whatever the numbers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from random_economies import (
    Solved,
    named,
    policy_block,
    random_calibration,
    solved,
    stepped,
)

from reesim._core import reference as ref
from reesim._core.layout import ROW, Layout
from reesim._core.static import StaticSolver
from reesim._core.stepper import Stepper
from reesim.economy import Economy
from reesim.labels import Labels
from reesim.outcomes import Outcomes
from reesim.simulation import Simulation

SOLVED = 1e-10
"""What certificates guarantee, relative."""

AGREE = 1e-9
"""Two solutions whose residuals are below 2e-12, with the conditioning of these systems (below 300), twice over."""

HATS = ("A_R", "A_L", "posted_price", "wage", "ree_price", "ree_mine_price", "price_consumption", "price_index", "unit_cost",
        "value_added_price")  # fmt: skip


def same(
    a: Solved,
    b: Solved,
    names: tuple[str, ...] = tuple(n for n, _ in Layout(ROW, 1, 1).fields),
    tolerance: float = AGREE,
) -> None:
    for name in names:
        np.testing.assert_allclose(b[name], a[name], rtol=tolerance, atol=tolerance, err_msg=name)


def outcomes(at: Solved) -> Outcomes:
    return Outcomes(at.economy.parameters, at.economy.calibration, at.row[None], at.policy[None], np.zeros(1))


# --- the baseline ---------------------------------------------------------------------------------------------------------

VARIANTS = [
    {"calibration.ree_shares": shares, "entry_cost": entry, "deficit": deficit, "calibration.baseline_tax": tax}
    for shares, entry, deficit, tax in itertools.product(
        ("deck", "accounts"),
        ("labour", "final_good"),
        ("world_labour_share", "own_income_share", "removed"),
        (0.0, 0.15),
    )
]


def at_rest(economy: Economy) -> tuple[list[dict[str, np.ndarray]], list[int]]:
    """Rows of both solvers and of three steps without policy, and the passes that each took."""
    p, none = economy.parameters, policy_block(economy.parameters)
    rows, passes = [], []
    for endogenous in (True, False):
        solver = StaticSolver(p, endogenous)
        assert solver.solve(none)
        rows.append(named(p, solver.row(none, solver.unknowns)))
        passes.append(solver.passes)
    stepper = Stepper(p, (0.03, 0.1, 0.02))
    block = np.empty((3, row_size(economy)))
    assert stepper.run(none[None], np.zeros(3, int), 1, 1e-10, block, np.empty(3)) == 3
    return [*rows, *(named(p, row) for row in block)], [*passes, stepper.passes]


@pytest.mark.parametrize("changes", VARIANTS, ids=lambda changes: "-".join(map(str, changes.values())))
class TestBaseline:
    def test_without_policy_nothing_moves(self, economy_of, changes):
        economy = economy_of(changes)
        for row in at_rest(economy)[0]:
            for name in HATS:
                np.testing.assert_allclose(row[name], 1.0, rtol=0, atol=1e-12, err_msg=name)
            for name, flow in (
                ("revenue", economy.calibration.revenue_is),
                ("trade_share", economy.parameters.views()["trade_share0"]),
            ):
                np.testing.assert_allclose(row[name], flow, rtol=1e-12, err_msg=name)

    def test_without_policy_no_solver_iterates(self, economy_of, changes):
        # one pass is the look that finds nothing to do: one for each static solver, one for each of three steps
        assert at_rest(economy_of(changes))[1] == [1, 1, 3]


def row_size(economy: Economy) -> int:
    return Layout(ROW, economy.parameters.regions, economy.parameters.sectors).size


# --- markets and budgets, from the definitions through public variables -----------------------------------------------------


@pytest.fixture(scope="module", params=["labour", "final_good"])
def run(request):
    """Staged quotas, embargo and taxes, for both entry costs, with part of the quota's rents abroad."""
    from reesim.scenario import Scenario

    scenario = Scenario.load("staged_quotas_2010_2015").replace(
        {"entry_cost": request.param, "calendar.end": "2013-12"}
    )
    quotas = [k for k, item in enumerate(scenario.policies) if item.type == "export_quota"]
    scenario = scenario.replace({f"policies.{k}.rent_to_importers": 0.3 for k in quotas})
    simulation = Simulation(scenario)
    return simulation.run(), simulation.economy


class TestEveryStepOfARun:
    def test_certificates(self, run):
        assert run[0].array("residual").max() <= SOLVED

    def test_goods_markets_clear(self, run):
        path, _ = run
        sales = np.einsum("tjis,tis->tjs", path.array("trade_share"), path.array("expenditure"))
        np.testing.assert_allclose(path.array("revenue"), sales, rtol=SOLVED)

    def test_buyers_spend_what_final_demand_and_materials_take(self, run):
        path, economy = run
        cal = economy.calibration
        cost = path.array("unit_cost") * path.array("revenue") / path.array("posted_price")
        materials = np.einsum("iks,tik->tis", cal.materials_iks / cal.revenue_is[:, :, None], cost)
        share = cal.final_is / cal.final_is.sum(axis=1, keepdims=True)
        share = share * (path.array("price_index") / path.array("price_consumption")[:, :, None]) ** (1.0 - cal.rho)
        final = path.array("income") + self.research_goods(path, economy)
        np.testing.assert_allclose(path.array("expenditure"), share * final[:, :, None] + materials, rtol=SOLVED)

    @staticmethod
    def research_goods(path, economy):
        cal = economy.calibration
        if cal.entry_cost == "labour":
            return 0.0
        paid = cal.value_added_is / cal.mu
        units = paid * (cal.ree_share_is * path.array("A_R") + (1.0 - cal.ree_share_is) * path.array("A_L"))
        return path.array("price_consumption") * units.sum(axis=2)

    def test_labour_is_in_production_or_research(self, run):
        path, economy = run
        cal = economy.calibration
        cost = path.array("unit_cost") * path.array("revenue") / path.array("posted_price")
        added = cal.value_added_is / cal.revenue_is * cost
        hired = (cal.mu - 1.0) / cal.mu * ((1.0 - path.array("ree_share")) * added).sum(axis=2) / path.array("wage")
        if cal.entry_cost == "labour":
            paid = cal.value_added_is / cal.mu
            hired += (paid * (cal.ree_share_is * path.array("A_R") + (1.0 - cal.ree_share_is) * path.array("A_L"))).sum(
                axis=2
            )
        np.testing.assert_allclose(hired, np.broadcast_to(cal.labour_income_i, hired.shape), rtol=SOLVED)
        np.testing.assert_allclose(
            (path.array("wage") * cal.labour_income_i).sum(axis=1), cal.labour_income_i.sum(), rtol=SOLVED
        )

    def test_every_tonne_mined_is_used_and_a_quota_holds(self, run):
        path, _ = run
        use = path.array("ree_use")
        np.testing.assert_allclose(use.sum(axis=1), use[0].sum(), rtol=SOLVED)
        quota = path.array("policy_quota")
        limited = ~np.isnan(quota)
        assert limited.any()
        over = path.array("ree_exports")[limited] / path.array("ree_exports")[0] - quota[limited]
        assert over.max() <= SOLVED
        embargo = path.array("policy_embargo")
        held = ~np.isnan(embargo)
        assert held.any()
        assert (np.where(held, use / use[0] - np.where(held, embargo, 0.0), 0.0)).max() <= SOLVED

    def test_each_region_pays_for_its_imports(self, run):
        """Walras' law region by region: goods and rare earths out less in is minus the deficit, rents booked where they fall."""
        path, economy = run
        cal = economy.calibration
        flow = path.array("trade_share") * path.array("expenditure")[:, None]
        balance = flow.sum(axis=(2, 3)) - flow.sum(axis=(1, 3))
        # tonnes at the baseline's user prices, valued at what the importer pays less the rents it keeps
        base = cal.ree_value_i / path.array("ree_use")[0]
        bill = path.array("ree_use") * base * path.array("ree_price")
        fob = bill - path.array("policy_rent_share")[:, None] * path.array("ree_quota_rent")
        fob[:, cal.supplier] = 0.0
        balance -= fob
        balance[:, cal.supplier] += fob.sum(axis=1)
        # relative to world income: small regions' balances are differences of large numbers
        world = path.array("income").sum(axis=1, keepdims=True)
        np.testing.assert_allclose(balance / world, -path.array("deficit") / world, rtol=0, atol=SOLVED)
        assert path.array("ree_quota_rent").max() > 0.0

    def test_shares_add_to_one(self, run):
        # shares move in levels between sets that add to one: only rounding, once a step
        np.testing.assert_allclose(run[0].array("trade_share").sum(axis=1), 1.0, rtol=0, atol=1e-12)


# --- homogeneity and symmetry ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-3, 7.0])
@pytest.mark.parametrize("endogenous", [True, False])
def test_the_unit_of_money_does_not_matter(deck, scale, endogenous):
    cal = deck.calibration
    other = Economy(
        cal.replace(**{name: scale * getattr(cal, name) for name in ("trade_jis", "materials_iks", "final_is")})
    )
    policy = {"tax": 2.0, "quota": 0.7}
    a = solved(deck, policy_block(deck.parameters, **policy), endogenous)
    b = solved(other, policy_block(other.parameters, **policy), endogenous)
    same(a, b, (*HATS, "trade_share", "ree_share", "ree_wedge_quota"), 1e-10)
    np.testing.assert_allclose(b["revenue"], scale * a["revenue"], rtol=1e-10)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_regions_and_sectors_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    n, s = 4, 3
    cal = random_calibration(rng, n, s)
    region, sector = rng.permutation(n), rng.permutation(s)
    shuffled = cal.replace(
        regions=Labels("region", tuple(cal.regions.codes[i] for i in region), tuple(cal.regions.names[i] for i in region)),
        trade_jis=cal.trade_jis[np.ix_(region, region, sector)], materials_iks=cal.materials_iks[np.ix_(region, sector, sector)],
        final_is=cal.final_is[np.ix_(region, sector)], ree_share_is=cal.ree_share_is[np.ix_(region, sector)],
        sigma_s=cal.sigma_s[sector], epsilon_s=cal.epsilon_s[sector], gamma_s=cal.gamma_s[sector],
        tariff_jis=cal.tariff_jis[np.ix_(region, region, sector)], ree_elasticity_i=cal.ree_elasticity_i[region],
        export_tax_jis=cal.export_tax_jis[np.ix_(region, region, sector)],
    )  # fmt: skip
    a, b = Economy(cal), Economy(shuffled)
    tax = rng.uniform(1.0, 2.0, n)
    foreign = next(i for i in range(n) if i != cal.supplier)
    at = int(np.flatnonzero(region == foreign)[0])
    p = policy_block(a.parameters, tax, 0.8, {foreign: 0.6}, 0.4)
    q = policy_block(b.parameters, tax[region], 0.8, {at: 0.6}, 0.4)
    for endogenous in (True, False):
        x, y = solved(a, p, endogenous), solved(b, q, endogenous)
        for name in ("A_R", "posted_price", "revenue", "ree_share"):
            np.testing.assert_allclose(y[name], x[name][np.ix_(region, sector)], rtol=AGREE, err_msg=name)
        for name in ("wage", "ree_price", "final_demand"):
            np.testing.assert_allclose(y[name], x[name][region], rtol=AGREE, err_msg=name)
    rows = named(a.parameters, stepped(a.parameters, (0.2, 0.3, 0.4), np.array([p] * 3)))
    moved = named(b.parameters, stepped(b.parameters, (0.2, 0.3, 0.4), np.array([q] * 3)))
    np.testing.assert_allclose(moved["A_R"], rows["A_R"][:, region][:, :, sector], rtol=AGREE)


# --- policy ---------------------------------------------------------------------------------------------------------------


def economies():
    rng = np.random.default_rng(11)
    return [Economy(random_calibration(rng, n, s, ree_elasticity_i=None)) for n, s in ((3, 2), (4, 4))]


@pytest.fixture(scope="module", params=["deck", "accounts", "random 3 x 2", "random 4 x 4"])
def any_economy(request, deck, accounts):
    return {
        "deck": deck,
        "accounts": accounts,
        **dict(zip(("random 3 x 2", "random 4 x 4"), economies(), strict=True)),
    }[request.param]


@pytest.mark.parametrize("endogenous", [True, False])
class TestLimits:
    def test_a_slack_limit_changes_nothing(self, any_economy, endogenous):
        p = any_economy.parameters
        foreign = (p.supplier + 1) % p.regions
        # a limit above the use under the tax: not a digit moves, since the market is cleared by the same operations
        free = solved(any_economy, policy_block(p, 1.5), endogenous)
        for limits in (
            {"quota": 1.01},
            {"embargo": {foreign: 1.2}},
            {"quota": 2.0, "embargo": {foreign: 1.5}, "rent_share": 0.5},
        ):
            slack = solved(any_economy, policy_block(p, 1.5, **limits), endogenous)
            np.testing.assert_array_equal(slack.row, free.row)

    def test_a_slack_limit_changes_nothing_on_a_path(self, any_economy, endogenous):
        p = any_economy.parameters
        speeds = (0.1 if endogenous else 0.0, 0.2, 0.3)
        free, slack = (stepped(p, speeds, np.array([policy_block(p, 1.5, quota=q)] * 3)) for q in (np.inf, 1.5))
        np.testing.assert_array_equal(slack, free)

    def test_a_binding_quota_is_met_and_costs(self, any_economy, endogenous):
        p = any_economy.parameters
        for tax, quota in ((1.0, 0.8), (1.2, 0.7)):
            at = solved(any_economy, policy_block(p, tax, quota), endogenous)
            exports = outcomes(at)["ree_exports"][0] / any_economy.calibration.baseline_exports_tonnes
            assert exports == pytest.approx(quota, rel=SOLVED)
            assert at["ree_wedge_quota"] > 0.0
            abroad = np.arange(p.regions) != p.supplier
            assert (at["ree_price"][abroad] / at["ree_mine_price"] > tax).all()

    def test_a_quota_is_the_tax_that_its_wedge_is(self, any_economy, endogenous):
        p = any_economy.parameters
        tax = np.linspace(1.0, 1.4, p.regions)
        quota = solved(any_economy, policy_block(p, tax, 0.7), endogenous)
        twin = solved(any_economy, policy_block(p, tax + quota["ree_wedge_quota"]), endogenous)
        same(quota, twin, tuple(name for name, _ in Layout(ROW, 1, 1).fields if name != "ree_wedge_quota"))
        a, b = outcomes(quota), outcomes(twin)
        # who books the money is the only difference, and all of it goes to the exporter
        np.testing.assert_allclose(
            a["ree_tax_revenue"] + a["ree_quota_rent"], b["ree_tax_revenue"], rtol=AGREE, atol=AGREE
        )
        assert b["ree_quota_rent"].max() == 0.0

    def test_an_embargo_is_met_and_is_a_tax_on_one_destination(self, any_economy, endogenous):
        p = any_economy.parameters
        target = (p.supplier + 1) % p.regions
        embargo = solved(any_economy, policy_block(p, 1.3, embargo={target: 0.3}), endogenous)
        use = outcomes(embargo)["ree_use"][0, target]
        none = solved(any_economy, policy_block(p), endogenous)
        assert use / outcomes(none)["ree_use"][0, target] == pytest.approx(0.3, rel=SOLVED)
        wedge = embargo["ree_wedge_embargo"]
        assert wedge[target] > 0.0
        assert np.delete(wedge, target).max() == 0.0
        tax = np.full(p.regions, 1.3)
        tax[target] += wedge[target]
        twin = solved(any_economy, policy_block(p, tax), endogenous)
        same(embargo, twin, tuple(name for name, _ in Layout(ROW, 1, 1).fields if name != "ree_wedge_embargo"))

    def test_instruments_add_up(self, any_economy, endogenous):
        """(15): tau is the sum of its parts, each complementary to its own limit."""
        p = any_economy.parameters
        target = (p.supplier + 1) % p.regions
        tax = np.linspace(1.1, 1.5, p.regions)
        at = solved(any_economy, policy_block(p, tax, 0.75, {target: 0.4}), endogenous)
        abroad = np.arange(p.regions) != p.supplier
        tau = at["ree_price"] / at["ree_mine_price"]
        total = tax + at["ree_wedge_quota"] + at["ree_wedge_embargo"]
        np.testing.assert_allclose(tau[abroad], total[abroad], rtol=SOLVED)
        assert tau[p.supplier] == pytest.approx(1.0, abs=SOLVED)
        found = outcomes(at)
        assert found["ree_exports"][0] / any_economy.calibration.baseline_exports_tonnes == pytest.approx(
            0.75, rel=SOLVED
        )
        baseline = outcomes(solved(any_economy, policy_block(p), endogenous))
        assert found["ree_use"][0, target] / baseline["ree_use"][0, target] == pytest.approx(0.4, rel=SOLVED)
        assert at["ree_wedge_quota"] > 0.0
        assert at["ree_wedge_embargo"][target] > 0.0

    def test_money_paid_over_the_mine_price_is_tax_or_rent(self, any_economy, endogenous):
        p, cal = any_economy.parameters, any_economy.calibration
        target = (p.supplier + 1) % p.regions
        at = solved(any_economy, policy_block(p, 1.4, 0.7, {target: 0.3}), endogenous)
        found = outcomes(at)
        paid = (cal.mu - 1.0) / cal.mu * (at["ree_share"] * p.views()["phi_va"] * at["spending"]).sum(axis=1)
        mined = at["ree_mine_price"] * p.views()["ree_supply"].sum()
        booked = sum(found[name][0].sum() for name in ("ree_tax_revenue", "ree_quota_rent", "ree_embargo_rent"))
        assert booked + mined == pytest.approx(paid.sum(), rel=SOLVED)

    def test_rents_to_importers_are_moved_not_made(self, any_economy, endogenous):
        """Income is what final demand spends; the importers' share of rents leaves the exporter's and reaches theirs."""
        p, cal = any_economy.parameters, any_economy.calibration
        for share in (0.0, 0.4, 1.0):
            at = solved(any_economy, policy_block(p, 1.2, 0.75, rent_share=share), endogenous)
            found = outcomes(at)
            par = p.views()
            paid = (cal.mu - 1.0) / cal.mu * (at["ree_share"] * par["phi_va"] * at["spending"]).sum(axis=1)
            added = (par["phi_va"] * at["revenue"]).sum(axis=1)
            kept = share * found["ree_quota_rent"][0]
            due = added - paid + kept + found["tariff_revenue"][0] + found["export_tax_revenue"][0]
            due[p.supplier] += paid.sum() - kept.sum()
            np.testing.assert_allclose(found["gdp"][0], due, rtol=AGREE)
            assert found["gdp"][0].sum() == pytest.approx(due.sum(), rel=SOLVED)


# --- technology -----------------------------------------------------------------------------------------------------------


def bias_elasticity(cal) -> np.ndarray:
    """beta of (8)."""
    delta = cal.theta - 1.0 / (cal.mu - 1.0)
    kappa = cal.mu - cal.epsilon_s + delta * (cal.mu - 1.0) * (1.0 - cal.epsilon_s)
    return (1.0 - cal.epsilon_s) * (cal.mu - 1.0) / kappa


@pytest.mark.parametrize(
    "policy", [{"tax": 3.0}, {"quota": 0.7}, {"tax": 1.5, "quota": 0.8, "embargo": "next"}], ids=str
)
def test_direction_of_technology(any_economy, policy):
    """(8) and (9) in every region and sector that uses rare earths."""
    p, cal = any_economy.parameters, any_economy.calibration
    policy = {**policy, **({"embargo": {(p.supplier + 1) % p.regions: 0.3}} if "embargo" in policy else {})}
    at = solved(any_economy, policy_block(p, **policy))
    relative = np.log(at["ree_price"] / at["wage"])[:, None]
    uses = (cal.ree_share_is > 0.0) & (cal.revenue_is > 0.0)
    bias = np.log(at["A_R"] / at["A_L"])
    np.testing.assert_allclose(bias[uses], (bias_elasticity(cal) * relative)[uses], rtol=0, atol=1e-9)
    z = 1.0 - cal.epsilon_s
    odds = [
        np.divide(share, 1.0 - share, out=np.ones_like(share), where=uses)
        for share in (at["ree_share"], cal.ree_share_is)
    ]
    effective = z / (1.0 + cal.theta * z)
    np.testing.assert_allclose(np.log(odds[0] / odds[1])[uses], (effective * relative)[uses], rtol=0, atol=1e-9)
    signs = np.sign(bias) == np.sign((1.0 - cal.epsilon_s) * relative)
    assert signs[uses & (np.abs(z) > 1e-3)].all()


@pytest.mark.parametrize("epsilon", [0.774, 1.0, 1.389])
@pytest.mark.parametrize("theta", [0.0, 1 / 5.5, 0.4])
def test_dearer_rare_earths_raise_value_added_prices_by_their_share(deck, epsilon, theta):
    """(9): with free entry at given sales, d log v / d log w_R is the share, whatever epsilon and theta; measures solve (7)."""
    cal = deck.calibration.replace(epsilon_s=np.full(14, epsilon), theta=theta, ree_share_is=np.full((5, 14), 0.1))
    par = ref.unpack(Economy(cal).parameters)

    def value_added_price(log_ree: float) -> tuple[float, float]:
        log_A = np.zeros((2, 5, 14))
        for _ in range(200):  # free entry by plain iteration: contracts at theta |z| < 1
            relative, log_P_L = ref.bundle_prices(par, np.zeros(5), np.full(5, log_ree), *log_A)
            log_v, share = ref.value_added(par, relative, log_P_L)
            log_A = np.log(np.stack([share / 0.1, (1.0 - share) / 0.9]))
        return log_v[0, 0], share[0, 0]

    h = 1e-5
    slope = (value_added_price(0.3 + h)[0] - value_added_price(0.3 - h)[0]) / (2.0 * h)
    # central differences: error of order h squared, 1e-10, and rounding 1e-16 / h, 1e-11
    assert slope == pytest.approx(value_added_price(0.3)[1], abs=1e-9)
    assert slope > 0.0
