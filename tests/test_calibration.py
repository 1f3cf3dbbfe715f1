"""The baseline: every account balances, shares are those of (23), and what cannot be a baseline is refused."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from random_economies import random_calibration

from reesim.calibration import calibrate
from reesim.data.tables import embedded, load_elasticities
from reesim.economy import Economy
from reesim.equilibrium import baseline
from reesim.errors import CalibrationError
from reesim.scenario import Scenario
from reesim.shares import accounts_share, bundle_share

VARIANTS = list(
    itertools.product(
        ("deck", "accounts"), ("labour", "final_good"), ("world_labour_share", "own_income_share", "removed")
    )
)


@pytest.fixture(params=VARIANTS, ids="-".join)
def cal(request, economy_of):
    shares, entry, deficit = request.param
    return economy_of({"calibration.ree_shares": shares, "entry_cost": entry, "deficit": deficit}).calibration


ROUNDING = 1e-12
"""Sums of a few hundred flows."""


class TestAccounts:
    def test_sales_are_what_is_bought(self, cal):
        np.testing.assert_array_equal(cal.revenue_is, cal.trade_jis.sum(axis=1))
        np.testing.assert_allclose(cal.expenditure_is, cal.materials_iks.sum(axis=1) + cal.final_is, rtol=ROUNDING)

    def test_income_is_value_added_and_deficits_add_to_zero(self, cal):
        world = cal.own_income_i.sum()
        assert world == pytest.approx(cal.value_added_is.sum(), rel=ROUNDING)
        assert abs(cal.deficit_i.sum()) < ROUNDING * world
        if cal.deficit == "removed":
            # what the solver that removed them was held to
            assert np.abs(cal.deficit_i).max() < 1e-10 * cal.own_income_i.min()
        else:
            assert np.abs(cal.deficit_i).max() > 1e-3 * cal.own_income_i.min()

    def test_value_added_is_labour_rare_earths_and_research(self, cal):
        parts = cal.labour_income_i + cal.ree_value_i + (cal.research_i if cal.entry_cost == "final_good" else 0.0)
        np.testing.assert_allclose(parts, cal.value_added_is.sum(axis=1), rtol=ROUNDING)

    def test_shares_of_the_core_add_to_one(self, cal):
        par = Economy(cal).parameters.views()
        np.testing.assert_allclose(par["trade_share0"].sum(axis=0), 1.0, rtol=ROUNDING)
        np.testing.assert_allclose(par["alpha"].sum(axis=1), 1.0, rtol=ROUNDING)
        np.testing.assert_allclose(par["phi_va"] + par["phi"].sum(axis=2), 1.0, rtol=ROUNDING)
        np.testing.assert_allclose(par["ree_supply"].sum(), par["ree_use0"].sum(), rtol=ROUNDING)

    def test_goods_and_rare_earths_pay_for_imports(self, cal):
        balance = cal.trade_jis.sum(axis=(1, 2)) - cal.trade_jis.sum(axis=(0, 2)) - cal.ree_value_i
        balance[cal.supplier] += cal.ree_value_i.sum()
        np.testing.assert_allclose(balance, -cal.deficit_i, rtol=0, atol=ROUNDING * cal.trade_jis.sum())


class TestShares:
    def test_the_table_of_the_slides(self, deck):
        """(23) at a relative price of one: odds of the share are the odds of gamma to the power epsilon."""
        table = load_elasticities().set_index("sector").loc[list(deck.sectors.codes)]
        gamma, epsilon = table["gamma"].to_numpy(float), table["epsilon"].to_numpy(float)
        expected = np.zeros(14)
        uses = gamma > 0.0
        expected[uses] = 1.0 / (1.0 + ((1.0 - gamma[uses]) / gamma[uses]) ** epsilon[uses])
        np.testing.assert_allclose(deck.calibration.ree_share_is, np.tile(expected, (5, 1)), rtol=1e-14)
        assert list(np.array(deck.sectors.codes)[~uses]) == ["AGR", "SER"]

    @pytest.mark.parametrize("epsilon", [0.7, 1.0, 1.4])
    def test_by_hand(self, epsilon):
        # gamma of one fifth: odds of one quarter
        odds = 0.25**epsilon
        assert bundle_share(np.array([0.2, 0.0]), np.array([epsilon, epsilon])).tolist() == pytest.approx(
            [odds / (1.0 + odds), 0.0]
        )

    def test_accounts_meet_value_and_split_and_keep_the_pattern(self, accounts, deck):
        cal = accounts.calibration
        # shares of world use by region and the market's value, as the table of accounts has them
        np.testing.assert_allclose(cal.ree_value_i / 1180.0, [0.58, 0.07, 0.20, 0.10, 0.05], rtol=1e-12)
        ratio = np.divide(
            cal.ree_share_is, deck.calibration.ree_share_is, out=np.full((5, 14), np.nan), where=cal.ree_share_is > 0.0
        )
        np.testing.assert_allclose(np.nanmin(ratio, axis=1), np.nanmax(ratio, axis=1), rtol=1e-12)

    def test_accounts_scale_by_region(self):
        pattern, added = np.array([[0.1, 0.2], [0.1, 0.2]]), np.array([[100.0, 50.0], [10.0, 5.0]])
        scaled = accounts_share(pattern, added, 5.0, np.array([8.0, 1.6]))
        # use at the pattern: 0.8 (10 + 10) = 16 and 1.6
        np.testing.assert_allclose(scaled, [[0.05, 0.1], [0.1, 0.2]], rtol=1e-15)

    def test_the_scenario_has_the_last_word(self):
        scenario = Scenario.load("baseline").replace({
            "parameters.epsilon": {"Transport equipment": 0.5}, "parameters.gamma": {"TRA": 0.01},
            "parameters.sigma": {"MET": 3.0},
            "parameters.mu": 5.0, "parameters.delta": 0.1, "calibration.baseline_tax": 0.15,
        })  # fmt: skip
        cal = calibrate(scenario)
        at = cal.sectors.index("TRA")
        assert (cal.epsilon_s[at], cal.gamma_s[at]) == (0.5, 0.01)
        assert cal.sigma_s[cal.sectors.index("MET")] == 3.0
        assert cal.sigma_s[at] == 6.0
        assert cal.theta == pytest.approx(0.35)
        np.testing.assert_array_equal(cal.tax_factor_i, [1.0, 1.15, 1.15, 1.15, 1.15])
        odds = (0.01 / 0.99) ** 0.5
        np.testing.assert_allclose(cal.ree_share_is[:, at], odds / (1.0 + odds), rtol=1e-14)

    def test_choices_are_said(self, accounts):
        words = " ".join(f"{name}: {text}" for name, text in accounts.calibration.choices.items())
        for needed in ("accounts", "labour", "world labour share", "half-lives", "2009", "entry 2"):
            assert needed in words, needed


class TestBaselineTax:
    def test_revenue_is_in_the_accounts(self, economy_of):
        taxed, free = economy_of({"calibration.baseline_tax": 0.15}), economy_of()
        np.testing.assert_array_equal(taxed.calibration.ree_value_i, free.calibration.ree_value_i)
        par = taxed.parameters.views()
        # the same dollars at user prices are fewer units at the mine's
        np.testing.assert_allclose(par["ree_use0"][1:] * 1.15, free.parameters.views()["ree_use0"][1:], rtol=1e-14)
        taxes = taxed.outcomes["ree_tax_revenue"][0]
        np.testing.assert_allclose(taxes[1:], 0.15 / 1.15 * taxed.calibration.ree_value_i[1:], rtol=1e-12)
        assert taxes[0] == 0.0


class TestRemovedDeficits:
    def test_without_them_the_rest_is_close(self, economy_of, deck):
        cal, before = economy_of({"deficit": "removed"}).calibration, deck.calibration
        # China's and the USA's deficits are a few per cent of income; nothing changes by much more
        assert np.abs(cal.revenue_is / before.revenue_is - 1.0).max() < 0.25
        assert np.abs(cal.deficit_i / before.deficit_i).max() < 1e-6


class TestRefused:
    @pytest.fixture
    def plain(self):
        return random_calibration(np.random.default_rng(0), 3, 2)

    def spoiled(self, cal, name, place, value):
        array = np.array(getattr(cal, name))
        array[place] = value
        return {name: array}

    @pytest.mark.parametrize(("name", "place", "value", "why"), [
        ("trade_jis", (0, 1, 1), -5.0, "trade_jis: R0, R1, S1 is negative"),
        ("materials_iks", (1, 0, 1), -5.0, "materials_iks: R1, S0, S1"),
        ("final_is", (2, 1), -5.0, "final_is: R2, S1 is negative"), ("final_is", (2, 1), 1e6, "imports and uses differ.*R2, S1"),
        ("trade_jis", (0, 1, 1), np.nan, "finite"),
        ("ree_share_is", (0, 0), 1.0, r"\[0, 1\)"), ("ree_share_is", (0, 0), -0.1, r"\[0, 1\)"),
    ])  # fmt: skip
    def test_broken_accounts_name_the_place(self, plain, name, place, value, why):
        with pytest.raises(CalibrationError, match=why):
            plain.replace(**self.spoiled(plain, name, place, value))

    def test_a_sector_without_value_added(self, plain):
        materials = np.array(plain.materials_iks)
        scale = plain.revenue_is[1, 0] / max(materials[1, 0].sum(), 1.0)
        extra = np.zeros_like(materials)
        extra[1, 0] = plain.final_is[1] * 0.999
        if materials[1, 0].sum() + extra[1, 0].sum() < plain.revenue_is[1, 0]:
            pytest.skip("this economy consumes too little")
        assert scale > 0.0
        with pytest.raises(CalibrationError, match=r"value added should be positive everywhere: R1, S0.*Aggregate"):
            plain.replace(materials_iks=materials + extra, final_is=plain.final_is - extra.sum(axis=1))

    def test_shapes(self, plain):
        with pytest.raises(CalibrationError, match="shape"):
            plain.replace(sigma_s=np.ones(3))

    def test_nothing_can_be_overwritten(self, plain):
        with pytest.raises(ValueError, match="read-only"):
            plain.trade_jis[0, 0, 0] = 1.0


class TestHash:
    def test_every_number_and_label_counts_and_words_do_not(self, deck):
        cal = deck.calibration
        assert calibrate(Scenario.load("deck_tax_permanent")).hash() == cal.hash()
        changed = [
            cal.replace(rho=1.37), cal.replace(entry_cost="final_good"), cal.replace(baseline_exports_tonnes=1.0),
            cal.replace(sigma_s=np.full(14, 5.0)), cal.replace(exporter="USA"), cal.replace(year=2010),
        ]  # fmt: skip
        assert len({cal.hash(), *(other.hash() for other in changed)}) == len(changed) + 1
        assert cal.replace(choices={}).hash() == cal.hash()


def test_the_table_at_hand_is_used():
    table = embedded()
    assert calibrate(Scenario.load("baseline"), table).hash() == calibrate(Scenario.load("baseline")).hash()
    assert baseline(Scenario.load("baseline"), table).calibration.year == 2009
