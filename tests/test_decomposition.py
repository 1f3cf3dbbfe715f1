"""Where welfare comes from: terms that add up to third order, whatever the policy, and the published first-order formula."""

from __future__ import annotations

import numpy as np
import pytest
from instruments import drawn, every_instrument, plain, static_row, stepped_rows, with_taxes

from reesim._core.layout import POLICY, ROW, Array, Layout, no_policy
from reesim.accounts import baseline_row
from reesim.decomposition import TERMS, WelfareDecomposition, trade_decomposition, welfare_decomposition
from reesim.economy import Economy
from reesim.errors import InputError
from reesim.outcomes import Outcomes

EIGHTH = (5.5, 11.0)
"""What halving a policy divides a remainder of third order by: eight, up to terms of fourth order."""

SMALL = 1e-10
"""Of income: static equilibria are solved to 2e-12 in every unknown."""


def chosen(economy: Economy, size: float, *, limits: bool) -> Array:
    """Policy with every instrument, of some size; with limits, a quota and an embargo that bind the more the larger it is."""
    policy = every_instrument(np.random.default_rng(1), economy.parameters, size)
    views = Layout(POLICY, economy.parameters.regions, economy.parameters.sectors).views(policy)
    if limits:  # taxes and mines would leave limits slack
        views["tax"][...], views["mine_supply"][...] = 1.0, 0.0
        views["quota"][...] = 1.0 - 0.3 * size
        target = (economy.parameters.supplier + 1) % economy.parameters.regions
        views["embargo"][target] = 1.0 - 0.6 * size
        views["ree_supply"][...] = 1.0
    else:
        views["quota"][...] = views["embargo"][...] = np.inf
    return policy


def decomposed(economy: Economy, policy: Array, endogenous: bool) -> WelfareDecomposition:
    row = static_row(economy, policy, endogenous)
    return welfare_decomposition(economy.parameters, economy.regions, row, policy)


class TestWelfare:
    @pytest.mark.parametrize("endogenous", [True, False])
    @pytest.mark.parametrize("entry", ["labour", "final_good"])
    @pytest.mark.parametrize("deficit", ["world_labour_share", "own_income_share"])
    @pytest.mark.parametrize("limits", [False, True])
    def test_the_remainder_is_of_third_order(self, endogenous, entry, deficit, limits):
        rng = np.random.default_rng(3)
        changes = {"entry_cost": entry, "deficit": deficit}
        economy = Economy(with_taxes(rng, plain(rng, 3, 3, **changes)))
        found = [decomposed(economy, chosen(economy, size, limits=limits), endogenous) for size in (0.2, 0.1)]
        left = [np.abs(one.remainder_i).max() for one in found]
        assert EIGHTH[0] < left[0] / left[1] < EIGHTH[1]
        # a cube of the change, which is of a tenth
        assert left[1] < 1e-3 * np.abs(found[1].welfare_i).max()

    @pytest.mark.parametrize("seed", range(8))
    def test_in_any_economy(self, seed):
        economy, _ = drawn(seed)
        left = [
            np.abs(decomposed(economy, chosen(economy, size, limits=False), True).remainder_i).max()
            for size in (0.1, 0.05)
        ]
        assert EIGHTH[0] < left[0] / left[1] < EIGHTH[1]

    @pytest.mark.parametrize("speeds", [(0.3, 0.2, 0.2), (0.3, 1.0, 0.2), (0.3, 0.2, 1.0), (1.0, 1.0, 0.2)])
    def test_on_a_path(self, speeds):
        """Prices that are not costs and shares that are not optimal have terms of their own."""
        economy, _ = drawn(5)
        left, found = [], None
        for size in (0.2, 0.1):
            policy = chosen(economy, size, limits=False)
            row = stepped_rows(economy, policy, speeds)[2]
            found = welfare_decomposition(economy.parameters, economy.regions, row, policy)
            left.append(np.abs(found.remainder_i).max())
        assert EIGHTH[0] < left[0] / left[1] < EIGHTH[1]
        assert (np.abs(found.terms["posted_prices"]).max() > 1e-7) == (speeds[1] < 1.0)
        assert (np.abs(found.terms["trade_lags"]).max() > 1e-9) == (speeds[2] < 1.0)

    def test_from_one_policy_to_another(self):
        economy, _ = drawn(5)
        first, other = chosen(economy, 0.3, limits=False), chosen(economy, 0.6, limits=False)
        p, limited = economy.parameters, np.isinf(first)  # by nothing, in both
        start = static_row(economy, first, True), first
        left = []
        for step in (0.2, 0.1):
            policy = first + step * (np.where(limited, 0.0, other) - np.where(limited, 0.0, first))
            row = static_row(economy, policy, True)
            left.append(np.abs(welfare_decomposition(p, economy.regions, row, policy, start).remainder_i).max())
        assert EIGHTH[0] < left[0] / left[1] < EIGHTH[1]
        still = welfare_decomposition(p, economy.regions, *start, start)
        assert all((term == 0.0).all() for term in still.terms.values())
        assert (still.welfare_i == 0.0).all()

    @pytest.mark.parametrize("endogenous", [True, False])
    def test_total_is_the_change_of_real_income(self, endogenous):
        economy, policy = drawn(2)
        p = economy.parameters
        row = static_row(economy, policy, endogenous)
        found = welfare_decomposition(p, economy.regions, row, policy)
        outcomes = Outcomes(p, economy.calibration, row[None], policy[None], np.zeros(1))
        # ratios of incomes are taken in another order
        np.testing.assert_allclose(found.welfare_i, outcomes["welfare"][0], rtol=0, atol=1e-12)
        table = found.to_dataframe()
        assert list(table.columns) == [*TERMS, "remainder", "welfare"]
        assert list(table.index) == list(economy.regions.codes)
        parts = table.drop(columns="welfare").sum(axis=1)
        np.testing.assert_allclose(parts, 100.0 * found.welfare_i, rtol=0, atol=1e-12)

    def test_what_one_region_gains_by_prices_another_loses(self):
        economy, policy = drawn(2)
        p = economy.parameters
        row = static_row(economy, policy, True)
        found = welfare_decomposition(p, economy.regions, row, policy)
        outcomes = Outcomes(p, economy.calibration, row[None], policy[None], np.zeros(1))
        income = 0.5 * (outcomes["income"][0] + outcomes._income0())
        money = income * np.log1p(found.welfare_i) / found.welfare_i  # undoes the scale from log changes
        for name in ("terms_of_trade", "rare_earth_terms_of_trade"):
            assert abs((money * found.terms[name]).sum()) < 1e-10 * income.sum()
            assert np.abs(found.terms[name]).max() > 1e-5

    @pytest.mark.parametrize(
        ("field", "value", "own"),
        [
            ("labour", 1.01, "labour"),
            ("productivity", 1.01, "productivity"),
            ("iceberg", 1.02, "trade_costs"),
            ("output_subsidy", 1.05, "output_subsidies"),
            ("entry_subsidy_L", 0.1, "entry_subsidies"),
        ],
    )
    def test_an_instrument_that_is_not_used_has_no_term(self, field, value, own):
        rng = np.random.default_rng(6)
        economy = Economy(plain(rng, 3, 2, baseline_tax=0.0, deficit="world_labour_share"))
        policy = no_policy(economy.parameters)
        Layout(POLICY, 3, 2).views(policy)[field][0] = value
        found = decomposed(economy, policy, True)
        theirs = {
            "trade_costs",
            "tariffs",
            "export_taxes",
            "output_subsidies",
            "entry_subsidies",
            "productivity",
            "labour",
        }
        assert np.abs(found.terms[own][0]) > 1e-7
        for name in (theirs | {"rare_earth_rents", "mines", "deficits", "posted_prices", "trade_lags"}) - {own}:
            assert np.abs(found.terms[name]).max() < SMALL, name

    def test_to_first_order_productivity_is_worth_its_share_in_income(self):
        """A world of regions alike in everything: prices of trade do not move, and Hulten's theorem holds without markups."""
        rng = np.random.default_rng(0)
        cal = plain(rng, 1, 3, exporter=None, ree_share_is=np.zeros((1, 3)), theta=0.0, mu=1e15)
        economy = Economy(cal)
        policy = no_policy(economy.parameters)
        size = 1e-4
        Layout(POLICY, 1, 3).views(policy)["productivity"][0, 1] = 1.0 + size
        found = decomposed(economy, policy, False)
        domar = cal.revenue_is[0, 1] / cal.final_is.sum()
        # of second order in a change of 1e-4
        assert found.welfare_i[0] == pytest.approx(domar * size, rel=1e-3)
        assert found.terms["productivity"][0] == pytest.approx(found.welfare_i[0], abs=1e-11)

    def test_the_baseline_is_that_of_the_economy(self):
        economy, _ = drawn(3)
        ours = Layout(ROW, economy.parameters.regions, economy.parameters.sectors).views(
            baseline_row(economy.parameters)
        )
        theirs = Layout(ROW, economy.parameters.regions, economy.parameters.sectors).views(economy.baseline_row())
        for name, value in ours.items():
            np.testing.assert_allclose(value, theirs[name], rtol=1e-12, err_msg=name)


class TestTrade:
    def test_the_published_formula_flow_by_flow(self):
        economy, policy = drawn(4)
        p, cal = economy.parameters, economy.calibration
        row = static_row(economy, policy, False)
        at, force = Layout(ROW, p.regions, p.sectors).views(row), Layout(POLICY, p.regions, p.sectors).views(policy)
        found = trade_decomposition(p, economy.regions, economy.sectors, row, policy)
        before = cal.trade_jis * (1.0 + cal.export_tax_jis)
        now = at["trade_share"] * at["expenditure"] / force["tariff"]
        income = cal.final_is.sum(axis=1) - (cal.research_i if cal.entry_cost == "final_good" else 0.0)
        for n in range(p.regions):
            terms = volume = 0.0
            for i in range(p.regions):
                for s in range(p.sectors):
                    cost = at["posted_price"][i, s] - 1.0
                    terms += before[n, i, s] * (at["posted_price"][n, s] - 1.0) - before[i, n, s] * cost
                    if before[i, n, s] > 0.0:
                        grown = now[i, n, s] / before[i, n, s] - 1.0
                        volume += cal.tariff_jis[i, n, s] * before[i, n, s] * (grown - cost)
            # sums of terms up to the size of income
            assert found.terms_of_trade_i[n] == pytest.approx(terms / income[n], abs=1e-12)
            assert found.volume_of_trade_i[n] == pytest.approx(volume / income[n], abs=1e-12)
        np.testing.assert_allclose(found.welfare_i, found.terms_of_trade_i + found.volume_of_trade_i, rtol=1e-12)
        wage = at["wage"] / at["price_consumption"] - 1.0
        np.testing.assert_allclose(found.real_wage_i, wage, rtol=0, atol=1e-14)
        table = found.to_dataframe()
        assert list(table.columns) == [
            "terms_of_trade",
            "volume_of_trade",
            "terms_and_volume",
            "real_wage",
            "real_income",
        ]
        np.testing.assert_allclose(table["real_wage"], 100.0 * wage, rtol=0, atol=1e-12)

    @pytest.mark.parametrize(("weights", "order"), [("baseline", 2), ("midpoint", 3)])
    def test_order_of_what_is_left_over(self, weights, order):
        """Without rare earths and varieties, tariffs work through nothing but terms and volume of trade."""
        rng = np.random.default_rng(8)
        none = {"exporter": None, "ree_share_is": np.zeros((3, 3)), "theta": 0.0, "mu": 1e15}
        cal = plain(rng, 3, 3, **none, deficit="world_labour_share")  # a constant value
        cal = with_taxes(rng, cal)
        spent = (cal.trade_jis * (1.0 + cal.tariff_jis)).sum(axis=0)
        economy = Economy(cal.replace(export_tax_jis=None, final_is=spent - cal.materials_iks.sum(axis=1)))
        left = []
        for size in (0.04, 0.02):
            policy = no_policy(economy.parameters)
            tariff = Layout(POLICY, 3, 3).views(policy)["tariff"]
            tariff[1, 0], tariff[2, 0], tariff[0, 2] = tariff[1, 0] + size, tariff[2, 0] - size, tariff[0, 2] + size
            row = static_row(economy, policy, False)
            found = trade_decomposition(economy.parameters, economy.regions, economy.sectors, row, policy, weights)
            real = found.real_income_i if weights == "baseline" else np.log1p(found.real_income_i)
            left.append(np.abs(found.welfare_i - real).max())
        # halving the tariffs divides what is of an order by that power of two, up to the next order
        assert left[0] / left[1] == pytest.approx(2.0**order, rel=0.3)

    def test_unknown_weights(self):
        economy, policy = drawn(4)
        with pytest.raises(InputError, match="'baseline' or 'midpoint'"):
            trade_decomposition(
                economy.parameters, economy.regions, economy.sectors, economy.baseline_row(), policy, "paasche"
            )
