"""Section 5 of the model: what is read off solved rows."""

from __future__ import annotations

import numpy as np
import pytest
from instruments import drawn, plain, static_row, with_holes, with_taxes
from random_economies import Solved, policy_block, solved

import reesim
from reesim._core.layout import POLICY, ROW, Layout, no_policy
from reesim.economy import Economy
from reesim.outcomes import Outcomes
from reesim.results.path import Path
from reesim.scenario import Scenario
from reesim.variables import OPTIONAL_VALUES, VARIABLES

ROUNDING = 1e-12


def outcomes(at: Solved) -> Outcomes:
    return Outcomes(at.economy.parameters, at.economy.calibration, at.row[None], at.policy[None], np.zeros(1))


@pytest.fixture(scope="module")
def path() -> Path:
    scenario = Scenario.load("staged_quotas_2010_2015").replace(
        {"calendar.end": "2012-12", "calibration.baseline_tax": 0.15}
    )
    return reesim.Simulation(scenario).run()


class TestRegistry:
    def test_every_variable_is_there_with_its_axes(self, path):
        sizes = {"region": 5, "partner": 5, "sector": 14}
        assert path.variables == tuple(VARIABLES)
        for name, variable in VARIABLES.items():
            assert path.array(name).shape == (len(path), *(sizes[axis] for axis in variable.axes)), name
            assert name in OPTIONAL_VALUES or np.isfinite(path.array(name)).all()

    def test_hats_are_one_at_the_baseline(self, path):
        for name, variable in VARIABLES.items():
            if variable.unit == "baseline = 1":
                np.testing.assert_allclose(path.array(name)[0], 1.0, rtol=0, atol=1e-12, err_msg=name)

    def test_the_baseline_row_is_the_calibration(self, path):
        cal = reesim.baseline(Scenario.load("staged_quotas_2010_2015")).calibration
        np.testing.assert_allclose(path.array("revenue")[0], cal.revenue_is, rtol=ROUNDING)
        np.testing.assert_allclose(path.array("gdp")[0], cal.own_income_i, rtol=ROUNDING)
        np.testing.assert_allclose(path.array("real_gdp")[0], cal.own_income_i, rtol=ROUNDING)
        np.testing.assert_allclose(path.array("income")[0], cal.final_is.sum(axis=1), rtol=ROUNDING)
        assert path.array("ree_exports")[0] == pytest.approx(43_900.0, rel=ROUNDING)
        # welfare and its equivalent in dollars: rounding of income over price
        np.testing.assert_allclose(path.array("welfare")[0], 0.0, rtol=0, atol=1e-12)


class TestIncome:
    def test_welfare_is_real_income(self, path):
        income, price = path.array("income"), path.array("price_consumption")
        np.testing.assert_allclose(path.array("welfare"), income / income[0] / price - 1.0, rtol=0, atol=ROUNDING)
        np.testing.assert_allclose(
            path.array("welfare_usd"), path.array("welfare") * income[0], rtol=0, atol=ROUNDING * income.max()
        )

    def test_gdp_and_deficit_are_final_demand(self, path):
        np.testing.assert_allclose(path.array("gdp") + path.array("deficit"), path.array("income"), rtol=ROUNDING)

    def test_world_gdp_is_value_added(self, path):
        cal = reesim.baseline(Scenario.load("staged_quotas_2010_2015")).calibration
        materials = (
            (cal.materials_iks.sum(axis=2) / cal.revenue_is)
            * path.array("unit_cost")
            / path.array("posted_price")
            * path.array("revenue")
        )
        added = (path.array("revenue") - materials).sum(axis=(1, 2))
        np.testing.assert_allclose(path.array("gdp").sum(axis=1), added, rtol=1e-10)

    def test_deficits_that_follow_income_add_to_zero_and_keep_their_shares(self, economy_of):
        economy = economy_of({"deficit": "own_income_share"})
        at = solved(economy, policy_block(economy.parameters, 3.0, 0.7))
        found = outcomes(at)
        gdp, deficit = found["gdp"][0], found["deficit"][0]
        cal = economy.calibration
        assert abs(deficit.sum()) < 1e-9 * gdp.sum()
        # one number, the same for all, keeps the world's total at zero
        correction = deficit / gdp - cal.deficit_i / cal.own_income_i
        np.testing.assert_allclose(correction, correction[0], rtol=0, atol=1e-11)

    def test_entry_paid_in_goods_is_not_consumed(self, economy_of):
        economy = economy_of({"entry_cost": "final_good"})
        cal = economy.calibration
        at = solved(economy, policy_block(economy.parameters, 3.0))
        research = at["price_consumption"] * cal.value_added_is.sum(axis=1) / cal.mu
        share = (cal.ree_share_is * at["A_R"] + (1.0 - cal.ree_share_is) * at["A_L"]) * cal.value_added_is
        research *= share.sum(axis=1) / cal.value_added_is.sum(axis=1)
        np.testing.assert_allclose(outcomes(at)["income"][0], at["final_demand"] - research, rtol=ROUNDING)
        still = outcomes(solved(economy, no_policy(economy.parameters)))
        np.testing.assert_allclose(still["income"][0], cal.final_is.sum(axis=1) - cal.research_i, rtol=ROUNDING)


class TestRealGdp:
    def test_a_unit_of_money_deflates(self, deck):
        """All prices and values times a factor: real GDP does not move. Prices of the row are scaled, quantities are not."""
        at = solved(deck, policy_block(deck.parameters, 3.0))
        row = at.row.copy()
        scaled = Solved(deck, at.policy, row)
        for name in ("wage", "ree_price", "ree_mine_price", "price_consumption", "price_index", "posted_price", "unit_cost",
                     "value_added_price", "final_demand", "expenditure", "revenue", "spending"):  # fmt: skip
            scaled[name][...] *= 1.7
        # deficits are constant values, which the factor would leave behind: compare where there are none
        a, b = outcomes(at), outcomes(scaled)
        deflator = [(found["final_demand"] - found["deficit"]) / found["real_gdp"] for found in (a, b)]
        np.testing.assert_allclose(deflator[1], 1.7 * deflator[0], rtol=1e-10)

    @pytest.mark.parametrize("rent_share", [0.0, 0.6])
    def test_fisher_index_item_by_item(self, deck, rent_share):
        """Final goods, exports and imports by partner and sector, and rare earths FOB: both indices written as loops."""
        at = solved(deck, policy_block(deck.parameters, 1.5, 0.6, rent_share=rent_share))
        found, cal = outcomes(at), deck.calibration
        flow = at["trade_share"] * at["expenditure"][None]
        materials = (cal.materials_iks / cal.revenue_is[:, :, None] * at["revenue"][:, :, None]).sum(axis=1)
        final = at["expenditure"] - materials
        bill = (
            cal.ree_value_i
            * found["ree_use"][0]
            / (outcomes(solved(deck, no_policy(deck.parameters)))["ree_use"][0])
            * at["ree_price"]
        )
        fob = bill - rent_share * found["ree_quota_rent"][0]
        for i in range(5):
            items = [(at["price_index"][i, s], final[i, s], cal.final_is[i, s]) for s in range(14)]
            for j in set(range(5)) - {i}:
                items += [(at["posted_price"][i, s], flow[i, j, s], cal.trade_jis[i, j, s]) for s in range(14)]
                items += [(at["posted_price"][j, s], -flow[j, i, s], -cal.trade_jis[j, i, s]) for s in range(14)]
            for j in {0: (1, 2, 3, 4)}.get(i, (i,)):
                sign = 1.0 if i == 0 else -1.0
                units = bill[j] / at["ree_price"][j]
                items.append((fob[j] / units, sign * fob[j], sign * cal.ree_value_i[j]))
            value = sum(now for _, now, _ in items)
            assert found["gdp"][0, i] == pytest.approx(value, rel=1e-9)
            paasche = value / sum(now / price for price, now, _ in items)
            laspeyres = sum(price * before for price, _, before in items) / sum(before for *_, before in items)
            assert found["real_gdp"][0, i] == pytest.approx(value / np.sqrt(paasche * laspeyres), rel=1e-9)
            # a relative difference that this tolerance can see, or the choice of the index would not be tested
            assert abs(paasche / laspeyres - 1.0) > 1e-7

    def test_to_first_order_it_is_quantities_at_baseline_prices(self, deck):
        """A small tax changes real GDP by quantities at baseline prices: Fisher's index is exact to second order."""
        moved = []
        for size in (1e-4, 2e-4):
            found = outcomes(solved(deck, policy_block(deck.parameters, 1.0 + size)))
            moved.append(found["real_gdp"][0] / deck.calibration.own_income_i - 1.0)
        # twice the tax moves it twice as far: nothing of order zero is left over
        np.testing.assert_allclose(moved[1], 2.0 * moved[0], rtol=0.01, atol=1e-11)
        # supply of all factors is fixed: what moves welfare is terms of trade, which real GDP has not (an eighth, by varieties)
        welfare = outcomes(solved(deck, policy_block(deck.parameters, 1.0 + 2e-4)))["welfare"][0]
        assert np.abs(moved[1]).max() < 0.25 * np.abs(welfare).max()

    def test_it_is_close_to_welfare_where_nothing_is_traded(self, path):
        # in the world as a whole, terms of trade cancel: summed over regions, real GDP and real income move alike
        gdp, usd = path.array("real_gdp").sum(axis=1), path.array("welfare_usd").sum(axis=1)
        lost = gdp / gdp[0] - 1.0
        assert np.abs(lost - usd / path.array("income")[0].sum()).max() < 0.2 * np.abs(path.array("welfare")).max()


class TestRareEarths:
    def test_wedges_add_up(self, path):
        parts = path.array("ree_wedge_tax") + path.array("ree_wedge_quota")[:, None] + path.array("ree_wedge_embargo")
        np.testing.assert_allclose(path.array("ree_wedge")[:, 1:], parts[:, 1:], rtol=1e-10)
        np.testing.assert_allclose(path.array("ree_wedge")[:, 0], 1.0, rtol=1e-10)

    def test_every_dollar_over_the_mine_price_is_booked_once(self, path):
        """Per tonne, a destination pays (1 + t0) tau w_R; the mine gets w_R; tax, quota rent and embargo rent are the rest."""
        t0 = 0.15
        cal = reesim.baseline(
            Scenario.load("staged_quotas_2010_2015").replace({"calibration.baseline_tax": t0})
        ).calibration
        per_tonne = (cal.ree_value_i / (1.0 + t0))[1:].sum() / 43_900.0
        use, mine = path.array("ree_use")[:, 1:], path.array("ree_mine_price")[:, None]
        over = per_tonne * use * mine * ((1.0 + t0) * path.array("ree_wedge")[:, 1:] - 1.0)
        booked = sum(path.array(name) for name in ("ree_tax_revenue", "ree_quota_rent", "ree_embargo_rent"))
        np.testing.assert_allclose(booked[:, 1:], over, rtol=1e-9)
        assert (booked[:, 0] == 0.0).all()
        for name in ("ree_tax_revenue", "ree_quota_rent", "ree_embargo_rent"):
            assert path.array(name).max() > 0.0

    def test_exports_are_use_abroad(self, path):
        np.testing.assert_allclose(path.array("ree_exports"), path.array("ree_use")[:, 1:].sum(axis=1), rtol=ROUNDING)


class TestSectors:
    def test_exports_are_sales_abroad(self, path):
        flow = path.array("trade_share") * path.array("expenditure")[:, None]
        abroad = flow.sum(axis=2) - np.einsum("tiis->tis", flow)
        np.testing.assert_allclose(path.array("exports"), abroad, rtol=1e-9, atol=1e-6)
        np.testing.assert_allclose(
            path.array("exports_real"), path.array("exports") / path.array("posted_price"), rtol=ROUNDING
        )
        np.testing.assert_allclose(
            path.array("revenue_real"), path.array("revenue") / path.array("posted_price"), rtol=ROUNDING
        )

    def test_profits_pay_for_entry_in_an_endogenous_equilibrium(self, deck):
        found = outcomes(solved(deck, policy_block(deck.parameters, 3.0)))
        cost = found.entry_cost()[:, :, None]
        # certificates hold free entry to 1e-10
        np.testing.assert_allclose(found["profit_L"], np.broadcast_to(cost, (1, 5, 14)), rtol=1e-10)
        uses = deck.calibration.gamma_s > 0.0
        np.testing.assert_allclose(found["profit_R"][..., uses], np.broadcast_to(cost, (1, 5, 12)), rtol=1e-10)

    def test_policy_in_force_is_missing_where_there_is_none(self, path):
        quota = path.array("policy_quota")
        assert np.isnan(quota[0])
        assert np.isfinite(quota).any()
        assert not np.isinf(quota[np.isfinite(quota)]).any()
        assert np.isnan(path.array("policy_embargo")[:, 0]).all()
        assert (path.array("policy_tax")[0] == 1.0).all()


class Everything:
    """Baseline and two rows of one static equilibrium under a policy with every instrument, read by regime."""

    def __init__(self, seed: int, endogenous: bool) -> None:
        self.economy, self.policy = drawn(seed)
        p = self.economy.parameters
        row = static_row(self.economy, self.policy, endogenous)
        rows = np.array([self.economy.baseline_row(), row, row])
        self.at = Layout(ROW, p.regions, p.sectors).views(row)
        self.in_force = Layout(POLICY, p.regions, p.sectors).views(self.policy)
        policies = np.array([no_policy(p), self.policy])
        self.found = Outcomes(p, self.economy.calibration, rows, policies, np.zeros(3), np.array([0, 1, 1]))
        self.parameters, self.par = p, p.views()


@pytest.mark.parametrize("endogenous", [True, False])
@pytest.mark.parametrize("seed", range(4))
class TestEveryInstrument:
    def test_axes_and_the_baseline(self, seed, endogenous):
        case = Everything(seed, endogenous)
        sizes = {
            "region": case.parameters.regions,
            "partner": case.parameters.regions,
            "sector": case.parameters.sectors,
        }
        for name, variable in VARIABLES.items():
            value = case.found[name]
            assert value.shape == (3, *(sizes[axis] for axis in variable.axes)), name
            assert name in OPTIONAL_VALUES or np.isfinite(value).all(), name
            if variable.unit == "baseline = 1":
                np.testing.assert_allclose(value[0], 1.0, rtol=0, atol=ROUNDING, err_msg=name)
        cal = case.economy.calibration
        for name in ("gdp", "real_gdp"):
            np.testing.assert_allclose(case.found[name][0], cal.own_income_i, rtol=ROUNDING)

    def test_regimes_are_read_as_one_policy_per_row(self, seed, endogenous):
        case = Everything(seed, endogenous)
        each = np.array([no_policy(case.parameters), case.policy, case.policy])
        rows = np.array([case.economy.baseline_row()] + 2 * [static_row(case.economy, case.policy, endogenous)])
        other = Outcomes(case.parameters, case.economy.calibration, rows, each, np.zeros(3))
        for name in VARIABLES:
            np.testing.assert_array_equal(case.found[name], other[name], err_msg=name)

    def test_income_is_the_sum_of_what_the_registry_books(self, seed, endogenous):
        """(16): final demand is value added, rare earths net of what users pay, taxes and the deficit; subsidies are inside."""
        case = Everything(seed, endogenous)
        found, par, cal = case.found, case.par, case.economy.calibration
        added = (case.at["revenue"] - (1.0 - par["phi_va"]) * case.at["spending"]).sum(axis=1)
        factor = (cal.mu - 1.0) / cal.mu
        paid = factor * (case.at["ree_share"] * par["phi_va"] * case.at["spending"]).sum(axis=1)
        own = added - paid + found["tariff_revenue"][1] + found["export_tax_revenue"][1]
        relative = case.at["ree_price"][None] / case.at["wage"][:, None]
        mined = case.in_force["mine_supply"] * par["ree_supply"].sum() * relative ** par["ree_elasticity"][:, None]
        receipts = (mined * par["tax0"] * case.at["ree_price"]).sum(axis=1)
        kept = case.in_force["rent_share"] * found["ree_quota_rent"][1]
        own += receipts + kept
        own[cal.supplier] += paid.sum() - receipts.sum() - kept.sum()
        # static equilibria are solved to 2e-12
        np.testing.assert_allclose(found["gdp"][1], own, rtol=1e-10)
        np.testing.assert_allclose(found["gdp"][1] + found["deficit"][1], case.at["final_demand"], rtol=ROUNDING)
        if cal.deficit == "own_income_share":
            correction = found["deficit"][1] / found["gdp"][1] - par["deficit_share"]
            np.testing.assert_allclose(correction, correction[0], rtol=0, atol=ROUNDING)
        assert abs(found["deficit"][1].sum()) <= 1e-9 * found["gdp"][1].sum()

    def test_border_values_and_the_fisher_index_item_by_item(self, seed, endogenous):
        case = Everything(seed, endogenous)
        found, at, cal, force = case.found, case.at, case.economy.calibration, case.in_force
        n = len(cal.regions)
        delivered = at["trade_share"] * at["expenditure"] / force["tariff"]
        border = at["posted_price"][:, None] * force["iceberg"] * force["export_tax"] / (1.0 + cal.export_tax_jis)
        before = cal.trade_jis * (1.0 + cal.export_tax_jis)
        materials = np.einsum("iks,ik->is", case.par["phi"], at["spending"])
        tonne = case.par["tax0"] / found._tonnes()  # a tonne at the baseline's user price
        kept = force["rent_share"] * at["ree_wedge_quota"] * at["ree_mine_price"]
        relative = at["ree_price"][None] / at["wage"][:, None]
        mined = force["mine_supply"] * case.par["ree_supply"].sum() * relative ** case.par["ree_elasticity"][:, None]
        for i in range(n):
            items = list(zip(at["price_index"][i], at["expenditure"][i] - materials[i], cal.final_is[i], strict=True))
            for j in set(range(n)) - {i}:
                items += zip(border[i, j], delivered[i, j], before[i, j], strict=True)
                items += zip(border[j, i], -delivered[j, i], -before[j, i], strict=True)
                for sign, place in ((1.0, (i, j)), (-1.0, (j, i))):
                    price = at["ree_price"][place[1]]
                    items.append((price, sign * mined[place] * case.par["tax0"][place[1]] * price, 0.0))
            for j in (set(range(n)) - {i}) if i == cal.supplier else {i}:
                if j != cal.supplier:
                    sign, fob = (1.0 if i == cal.supplier else -1.0), at["ree_price"][j] - kept
                    items.append((fob, sign * fob * found["ree_imports"][1, j] * tonne[j], sign * cal.ree_value_i[j]))
            value = sum(now for _, now, _ in items)
            assert found["gdp"][1, i] == pytest.approx(value, rel=1e-9)
            paasche = value / sum(now / price for price, now, _ in items)
            laspeyres = sum(price * was for price, _, was in items) / sum(was for *_, was in items)
            if paasche > 0.0 and laspeyres > 0.0:
                assert found["real_gdp"][1, i] == pytest.approx(value / np.sqrt(paasche * laspeyres), rel=1e-9)
            abroad = np.arange(n) != i
            np.testing.assert_allclose(found["exports"][1, i], delivered[i, abroad].sum(axis=0), rtol=ROUNDING)
            real = (delivered / border)[i, abroad].sum(axis=0)
            np.testing.assert_allclose(found["exports_real"][1, i], real, rtol=ROUNDING)

    def test_every_tonne_is_mined_once(self, seed, endogenous):
        case = Everything(seed, endogenous)
        found, supplier = case.found, case.economy.calibration.supplier
        for t in (0, 1):
            assert found["ree_mined"][t].sum() == pytest.approx(found["ree_use"][t].sum(), rel=1e-10)
            assert found["ree_exports"][t] == pytest.approx(found["ree_imports"][t].sum(), rel=ROUNDING)
            assert found["ree_imports"][t, supplier] == 0.0
        assert np.delete(found["ree_mined"][0], supplier).max() == 0.0
        assert np.delete(found["ree_mined"][1], supplier).max() > 0.0

    def test_the_average_tariff_and_the_endowment(self, seed, endogenous):
        case = Everything(seed, endogenous)
        cal, found = case.economy.calibration, case.found
        weight = cal.trade_jis * (1.0 + cal.export_tax_jis)
        for i in range(len(cal.regions)):
            abroad = np.arange(len(cal.regions)) != i
            rates = case.in_force["tariff"][abroad, i] - 1.0
            assert found["policy_tariff"][1, i] == pytest.approx(np.average(rates, weights=weight[abroad, i]))
        np.testing.assert_array_equal(found["labour"][1], case.in_force["labour"])
        paid = (
            (case.in_force["tariff"] - 1.0) / case.in_force["tariff"] * case.at["trade_share"] * case.at["expenditure"]
        )
        np.testing.assert_allclose(found["tariff_revenue"][1], paid.sum(axis=(0, 2)), rtol=ROUNDING)


@pytest.mark.parametrize("exporter", ["R0", None])
def test_what_nobody_makes_or_buys_has_finite_outcomes(exporter):
    rng = np.random.default_rng(7)
    cal = with_holes(with_taxes(rng, plain(rng, 3, 3)))
    cal = cal.replace(exporter=exporter, ree_share_is=cal.ree_share_is * (exporter is not None))
    economy = Economy(cal)
    p = economy.parameters
    policy = no_policy(p)
    Layout(POLICY, 3, 3).views(policy)["tariff"][...] *= 1.1
    rows = np.array([economy.baseline_row(), static_row(economy, policy, False)])
    found = Outcomes(p, cal, rows, np.array([no_policy(p), policy]), np.zeros(2))
    for name in VARIABLES:
        assert name in OPTIONAL_VALUES or np.isfinite(found[name]).all(), name
    assert np.isfinite(found["real_gdp"]).all()
    assert (found["profit_L"][:, 0, 2] == 1.0).all()
    assert (found["exports_real"][:, 0, 2] == 0.0).all()
    if exporter is None:
        for name in ("ree_use", "ree_mined", "ree_imports", "ree_tax_revenue"):
            assert (found[name] == 0.0).all()


def test_as_many_regimes_as_rows(deck):
    row = deck.baseline_row()[None]
    with pytest.raises(ValueError, match="as many regimes"):
        Outcomes(
            deck.parameters, deck.calibration, row, no_policy(deck.parameters)[None], np.zeros(1), np.array([0, 0])
        )


def test_copies_are_collected(deck):
    at = solved(deck, policy_block(deck.parameters, 2.0))
    kept = outcomes(at).collect(["wage", "gdp"])
    kept["wage"][...] = 0.0
    assert at["wage"].min() > 0.0
    assert set(kept) == {"wage", "gdp"}
