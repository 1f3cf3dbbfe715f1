from __future__ import annotations

import re
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from pydantic import ValidationError

from reesim.errors import DataError, InputError, LabelError, ScenarioError
from reesim.scenario import DEFAULT_REGIONS as REGIONS
from reesim.scenario import DEFAULT_SECTORS as SECTORS
from reesim.scenario import Scenario
from reesim.scenario.calendar import Calendar, parse_window
from reesim.scenario.checking import World
from reesim.scenario.policy import (
    INSTRUMENTS,
    Embargo,
    ExportQuota,
    ExportTax,
    GoodsExportTax,
    Iceberg,
    InnovationSubsidy,
    LabourEndowment,
    Mine,
    ProductionQuota,
    ProductionSubsidy,
    Productivity,
    RateChange,
    ReeSupply,
    Regime,
    Tariff,
    at,
    schedule,
)
from reesim.scenario.rate_files import read_rates, read_trade_elasticities

WORLD = World(REGIONS, SECTORS, "CHN")
N, S = len(REGIONS), len(SECTORS)
TRA, SER = SECTORS.index("TRA"), SECTORS.index("SER")
CHN, EU, JPN, USA, ROW = range(5)
EXPORTS = 43_900.0
# Averages of at most 366 numbers of order one: a few hundred roundings at most.
ROUNDING = {"rtol": 1e-13, "atol": 1e-13}
QUICK = settings(max_examples=40, deadline=None, derandomize=True, database=None)


def run(policies, calendar, baseline_tax=0.0, exports=EXPORTS):
    return schedule(policies, calendar.starts, calendar.ends, WORLD, baseline_tax, exports)


def only(policies, when="2010-01"):
    """Regime of one month."""
    (regime,) = at(policies, *parse_window(when), WORLD).regimes
    return regime


def numbers(regime):
    """All numbers of a regime by name, changes of rates applied to an arbitrary baseline."""
    base_jis = np.linspace(0.0, 0.4, N * N * S).reshape(N, N, S)
    values = {name: getattr(regime, name) for name in Regime.__slots__}
    for name in ("tariff", "export_tax"):
        change = values[name]
        values[name] = base_jis if change is None else change.applied(base_jis, REGIONS, SECTORS, name)
    if values["iceberg_jis"] is None:
        values["iceberg_jis"] = np.ones((N, N, S))
    return values


MONTHS = Calendar("2010-01", "2011-12")


def test_no_policy_is_exactly_the_baseline():
    plan = run([], MONTHS, baseline_tax=0.15)
    assert (plan.tax_ti == 1.0).all()
    assert np.isposinf(plan.quota_t).all()
    assert np.isposinf(plan.embargo_ti).all()
    assert (plan.rent_share_t == 0.0).all()
    assert len(plan) == 24


def test_a_tax_replaces_the_baseline_tax_and_spares_the_exporter():
    plan = run([ExportTax(rate=2.0, start="2010-07", end="2010-12")], MONTHS, baseline_tax=0.15)
    assert (plan.tax_ti[6:12, EU:] == 3.0 / 1.15).all()
    assert (plan.tax_ti[:, CHN] == 1.0).all()
    assert (plan.tax_ti[:6] == 1.0).all()
    assert (plan.tax_ti[12:] == 1.0).all()


def test_the_end_of_the_baseline_tax_makes_exports_cheaper():
    plan = run([ExportTax(rate=0.0, start="2011-05")], MONTHS, baseline_tax=0.15)
    assert (plan.tax_ti[16:, EU:] == 1 / 1.15).all()
    assert (plan.tax_ti[:16] == 1.0).all()


def test_a_tax_for_half_a_month_counts_by_days():
    plan = run([ExportTax(rate=0.31, start="2010-01-22", end="2010-01-31")], MONTHS)
    assert_allclose(plan.tax_ti[0, EU:], 1.1, **ROUNDING)


def test_overlapping_taxes_add_and_destinations_are_their_own():
    plan = run(
        [ExportTax(rate=0.2, start="2010"), ExportTax(rate=0.5, start="2010-06", destinations=("JPN",))],
        MONTHS,
        baseline_tax=0.1,
    )
    assert_allclose(plan.tax_ti[5:, JPN], 1.7 / 1.1, **ROUNDING)
    assert_allclose(plan.tax_ti[5:, USA], 1.2 / 1.1, **ROUNDING)
    assert_allclose(plan.tax_ti[:5, JPN], 1.2 / 1.1, **ROUNDING)


def test_days_covered_by_two_taxes_lose_the_baseline_tax_once():
    plan = run(
        [ExportTax(rate=0.2, start="2010-01"), ExportTax(rate=0.3, start="2010-01-01")], MONTHS, baseline_tax=0.1
    )
    assert_allclose(plan.tax_ti[:, EU:], 1.5 / 1.1, **ROUNDING)


def test_a_quota_in_tonnes_is_a_constant_flow():
    year = run([ExportQuota(tonnes=EXPORTS * 0.6, start="2012", end="2012")], Calendar("2012", "2012"))
    assert_allclose(year.quota_t, 0.6, **ROUNDING)
    half = run([ExportQuota(tonnes=7976.0, start="2010-07", end="2010-12")], MONTHS)
    assert_allclose(half.quota_t[6:12], 7976.0 / (184 / 365) / EXPORTS, **ROUNDING)
    assert np.isposinf(half.quota_t[:6]).all()
    assert np.isposinf(half.quota_t[12:]).all()


def test_the_limit_of_the_calendar_years_adds_up_to_the_tonnes():
    quota = ExportQuota(tonnes=20_000.0, start="2010-03-05", end="2012-10-20")
    days = Calendar("2010-03-05", "2012-10-20", "day")
    flow_t = run([quota], days).quota_t
    leap = np.array([day.year % 4 == 0 for day in days.starts.tolist()])
    assert_allclose((flow_t * EXPORTS / np.where(leap, 366, 365)).sum(), 20_000.0, rtol=1e-12)


def test_days_without_a_limit_count_as_baseline_trade():
    plan = run(
        [
            ExportQuota(share=0.4, start="2010-04-16", end="2010-05", rent_to_importers=0.25),
            Embargo(destination="JPN", leakage=0.05, start="2010-09-21", end="2010-11-19"),
        ],
        MONTHS,
    )
    assert_allclose(plan.quota_t[3:5], [0.7, 0.4], **ROUNDING)
    assert_array_equal(plan.rent_share_t[[2, 3, 4, 5]], [0.0, 0.25, 0.25, 0.0])
    assert_allclose(plan.embargo_ti[8:11, JPN], [(20 + 10 * 0.05) / 30, 0.05, (11 + 19 * 0.05) / 30], **ROUNDING)
    assert np.isposinf(np.delete(plan.embargo_ti, JPN, axis=1)).all()


def test_consecutive_quotas_share_a_period_by_days_rent_included():
    quarter = Calendar("2010Q1", "2010Q1", "quarter")
    plan = run(
        [
            ExportQuota(share=0.5, start="2010-01", end="2010-01", rent_to_importers=1.0),
            ExportQuota(share=0.8, start="2010-02", end="2010-03"),
        ],
        quarter,
    )
    assert_allclose(plan.quota_t, (31 * 0.5 + 59 * 0.8) / 90, **ROUNDING)
    assert_allclose(plan.rent_share_t, 31 / 90, **ROUNDING)


def test_a_slack_quota_is_not_banked_for_a_tight_one():
    """A year with a loose first half and a tight second: the loose half counts at the baseline's volume, not above."""
    halves = [
        ExportQuota(share=1.5, start="2010-01", end="2010-06"),
        ExportQuota(share=0.3, start="2010-07", end="2010-12"),
    ]
    year = run(halves, Calendar("2010-01", "2010-12", "year"))
    assert_allclose(year.quota_t, (181 * 1.0 + 184 * 0.3) / 365, **ROUNDING)
    assert_allclose(run(halves[:1], Calendar("2010-01", "2010-06", "quarter")).quota_t, 1.5, **ROUNDING)


def test_days_without_an_embargo_count_at_what_the_quota_leaves():
    policies = [
        ExportQuota(share=0.4, start="2010-09", end="2010-09"),
        Embargo(destination="JPN", leakage=0.1, start="2010-09-21", end="2010-09-30"),
    ]
    plan = run(policies, Calendar("2010-09", "2010-09"))
    assert_allclose(plan.embargo_ti[0, JPN], (20 * 0.4 + 10 * 0.1) / 30, **ROUNDING)
    assert np.isinf(plan.embargo_ti[0, EU])


def test_a_policy_outside_the_calendar_does_nothing():
    plan = run([ExportQuota(share=0.5, start="2005", end="2005"), ExportTax(rate=1.0, start="2020")], MONTHS)
    assert np.isposinf(plan.quota_t).all()
    assert (plan.tax_ti == 1.0).all()


@st.composite
def taxes(draw):
    start = date(2010, 1, 1) + timedelta(days=draw(st.integers(-30, 120)))
    end = draw(st.none() | st.integers(0, 90).map(lambda days: start + timedelta(days=days)))
    destinations = draw(st.none() | st.just(("JPN",)) | st.just(("EU", "JPN")))
    return ExportTax(rate=draw(st.floats(0.0, 3.0)), start=start, end=end, destinations=destinations)


@QUICK
@given(st.lists(taxes(), max_size=5), st.sampled_from(["week", "month", "quarter"]), st.floats(0.0, 0.5))
def test_averages_are_those_of_a_daily_calendar(policies, step, baseline_tax):
    coarse = Calendar("2010-01-01", "2010-03-31", step)
    plan = run(policies, coarse, baseline_tax)
    for t, (opening, closing) in enumerate(zip(coarse.starts.tolist(), coarse.ends.tolist(), strict=True)):
        days = [opening + timedelta(days=k) for k in range((closing - opening).days)]
        for i, code in enumerate(REGIONS):
            total = 0.0
            for day in days:
                rates = [
                    tax.rate
                    for tax in policies
                    if tax.start <= day <= (tax.end or date.max)
                    and code != "CHN"
                    and (tax.destinations is None or code in tax.destinations)
                ]
                total += (1 + sum(rates)) / (1 + baseline_tax) if rates else 1.0
            assert_allclose(plan.tax_ti[t, i], total / len(days), **ROUNDING)


EVERYTHING = [
    ExportTax(rate=0.25, start="2010-02"),
    ExportTax(rate=0.5, start="2010-03-10", end="2011"),
    ExportQuota(share=0.5, start="2010-05-05", end="2011-06"),
    Embargo(destination="JPN", start="2010-09-21", end="2010-11-19"),
    ReeSupply(factor=1.3, start="2010-02-15", end="2010-12"),
    Mine(region="USA", tonnes=5_000.0, start="2010-06-11"),
    Mine(region="ROW", market="EU", share=0.1, start="2010-04"),
    ProductionQuota(share=0.8, start="2010-07-09", end="2010-11"),
    Tariff(rate=0.2, importers=("USA",), start="2010-03-17", end="2011-02"),
    Tariff(add=0.07, start="2010-05"),
    GoodsExportTax(rate=0.1, exporters=("CHN",), sectors=("TRA",), start="2010-08-20"),
    Iceberg(factor=1.1, exporters=("EU",), start="2010-01-10"),
    Iceberg(factor=1.3, start="2010-03-10", end="2010-06"),
    Productivity(factor=1.07, regions=("JPN",), start="2010-02-02"),
    LabourEndowment(factor=0.9, regions=("ROW",), start="2010-05-30"),
    ProductionSubsidy(rate=0.1, sectors=("TRA", "SER"), start="2010-10-10"),
    # 0.1, 0.2 and 0.3 add up to two different numbers, by their order.
    Tariff(add=0.1, exporters=("JPN",), start="2011-01"),
    Tariff(add=0.2, exporters=("JPN",), start="2010-12"),
    Tariff(add=0.3, exporters=("JPN",), start="2010-11"),
    InnovationSubsidy(rate=0.3, bundle="R", regions=("EU", "JPN"), start="2010-11-11", end="2011-01-05"),
]
"""One of every kind and more, most of them starting within a month."""


@QUICK
@given(st.permutations(range(len(EVERYTHING))))
def test_the_order_of_policies_does_not_matter_to_the_last_bit(order):
    expected, plan = run(EVERYTHING, MONTHS), run([EVERYTHING[k] for k in order], MONTHS)
    assert_array_equal(plan.regime_t, expected.regime_t)
    assert [regime.fingerprint() for regime in plan.regimes] == [regime.fingerprint() for regime in expected.regimes]


def test_every_kind_of_instrument_is_among_them():
    assert {type(policy) for policy in EVERYTHING} == set(INSTRUMENTS.values())


LINEAR = (
    "ree_supply", "ree_limit_tonnes", "mine_share_ji", "mine_tonnes_ji", "labour_i", "productivity_is",
    "output_subsidy_is", "entry_subsidy_R_is", "entry_subsidy_L_is", "tariff", "export_tax", "iceberg_jis", "tax_i",
)  # fmt: skip
"""What is averaged over days; limits have their own rules, tested one by one."""


@QUICK
@given(st.lists(st.sampled_from(EVERYTHING), unique=True), st.sampled_from(["week", "month", "quarter"]))
def test_rates_and_factors_are_averages_over_days(policies, step):
    # 60 days hold several starts and ends of the list above.
    coarse = Calendar("2010-02-10", "2010-04-10", step)
    plan, days = run(policies, coarse), run(policies, Calendar(coarse.starts[0], coarse.ends[-1], "day"))
    of_day = [numbers(regime) for regime in days.regimes]
    first = 0
    for t, length in enumerate((coarse.ends - coarse.starts).astype(int)):
        found = numbers(plan.regimes[plan.regime_t[t]])
        inside = [of_day[k] for k in days.regime_t[first : first + length]]
        for name in LINEAR:
            assert_allclose(found[name], np.mean([day[name] for day in inside], axis=0), err_msg=name, **ROUNDING)
        first += length


# --- regimes ---


def test_no_policy_is_one_regime_of_neutral_values():
    plan = run([], MONTHS, baseline_tax=0.15)
    (regime,) = plan.regimes
    assert (plan.regime_t == 0).all()
    assert regime.fingerprint() == Regime.neutral(N, S).fingerprint()
    assert regime.tariff is regime.export_tax is regime.iceberg_jis is None
    assert len(plan.after_baseline().regimes) == 1
    assert len(plan.after_baseline()) == len(plan) + 1


def test_equal_policies_share_a_regime():
    twice = [
        ExportQuota(share=0.5, start="2010-03", end="2010-05"),
        ExportQuota(share=0.5, start="2010-07", end="2010-08"),
    ]
    plan = run([*twice, Tariff(add=0.1, start="2011-03-11")], MONTHS)
    # Nothing, the quota, the tariff for part of March, the tariff.
    assert len(plan.regimes) == 4
    assert plan.regime_t.tolist() == [0, 0, 1, 1, 1, 0, 1, 1] + 6 * [0] + [2] + 9 * [3]
    # The same share of different months is the same policy: 14 of 28 days and 15 of 30.
    halves = [Tariff(add=0.1, start="2010-02-15", end="2010-02"), Tariff(add=0.1, start="2010-04-16", end="2010-04")]
    plan = run(halves, MONTHS)
    assert plan.regime_t[1] == plan.regime_t[3] == 1
    assert len(plan.regimes) == 2


def test_a_window_cut_in_two_is_the_same_policy():
    whole = Tariff(rate=0.2, importers=("USA",), start="2010-03-10", end="2011-02-03")
    parts = [
        Tariff(rate=0.2, importers=("USA",), start="2010-03-10", end="2010-08-14"),
        Tariff(rate=0.2, importers=("USA",), start="2010-08-15", end="2011-02-03"),
    ]
    expected, found = run([whole], MONTHS), run(parts, MONTHS)
    assert_array_equal(found.regime_t, expected.regime_t)
    assert [regime.fingerprint() for regime in found.regimes] == [regime.fingerprint() for regime in expected.regimes]


def test_another_instrument_in_the_period_leaves_a_number_its_last_bit():
    alone = run([ExportTax(rate=0.3, start="2010")], MONTHS, baseline_tax=0.15)
    beside = run([ExportTax(rate=0.3, start="2010"), Tariff(add=0.1, start="2010-05-11")], MONTHS, baseline_tax=0.15)
    assert_array_equal(beside.tax_ti, alone.tax_ti)


# --- trade in goods ---


def test_a_rate_replaces_the_baseline_tariff_and_an_addition_adds_to_it():
    base_jis = np.full((N, N, S), 0.05)
    policies = [
        Tariff(rate=0.2, importers=("USA",), start="2010"),
        Tariff(add=0.1, exporters=("CHN",), sectors=("TRA",), start="2010"),
    ]
    rate_jis = only(policies).tariff.applied(base_jis, REGIONS, SECTORS)
    assert rate_jis[JPN, USA, SER] == 0.2
    assert_allclose(rate_jis[CHN, USA, TRA], 0.3, **ROUNDING)
    assert_allclose(rate_jis[CHN, JPN, TRA], 0.15, **ROUNDING)
    assert rate_jis[CHN, JPN, SER] == 0.05
    assert rate_jis[USA, USA, SER] == 0.05
    half = only([Tariff(rate=0.2, start="2010-04-16")], "2010-04").tariff.applied(base_jis, REGIONS, SECTORS)
    assert_allclose(half[JPN, USA], 0.125, **ROUNDING)


def test_two_additions_add_up_and_two_factors_multiply():
    twice = only([Tariff(add=0.1, start="2010"), Tariff(add=0.2, importers=("USA",), start="2009")])
    assert_allclose(twice.tariff.value_jis[JPN, USA], 0.3, **ROUNDING)
    assert (twice.tariff.weight_jis == 0.0).all()
    costs = only([Iceberg(factor=1.2, start="2010"), Iceberg(factor=1.5, exporters=("JPN",), start="2009")])
    assert_allclose(costs.iceberg_jis[JPN, USA], 1.8, **ROUNDING)
    assert_allclose(costs.iceberg_jis[USA, JPN], 1.2, **ROUNDING)


@pytest.mark.parametrize(
    "policy",
    [Tariff(rate=0.5, start="2010"), GoodsExportTax(add=0.5, start="2010"), Iceberg(factor=2.0, start="2010")],
)
def test_own_trade_is_never_touched(policy):
    found, plain = numbers(only([policy])), numbers(Regime.neutral(N, S))
    own, moved = np.eye(N, dtype=bool), 0
    for name in ("tariff", "export_tax", "iceberg_jis"):
        assert_array_equal(found[name][own], plain[name][own])
        moved += (found[name] != plain[name]).sum()
    assert moved == N * (N - 1) * S


def test_a_rate_of_minus_one_is_refused_when_the_baseline_is_known():
    change = only([Tariff(add=-0.5, sectors=("TRA",), start="2010")]).tariff
    base_jis = np.zeros((N, N, S))
    assert change.applied(base_jis, REGIONS, SECTORS).min() == -0.5
    base_jis[JPN, USA, TRA] = -0.6
    with pytest.raises(InputError, match=r"the tariff on JPN to USA, TRA would be -1\.1"):
        change.applied(base_jis, REGIONS, SECTORS)


def test_the_change_of_nothing_is_the_baseline():
    base_jis = np.linspace(0.0, 1.0, N * N * S).reshape(N, N, S)
    zero = np.zeros((N, N, S))
    assert_array_equal(RateChange(zero, zero).applied(base_jis, REGIONS, SECTORS), base_jis)


def test_a_file_gives_rates_by_flow(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(
        "exporter,importer,sector,rate\nCHN,USA,TRA,0.25\nChina,Japan,services,0\n", encoding="utf-8"
    )
    policy = Tariff(file="t.csv", start="2010")
    assert str(policy.model_dump()["file"]) == "t.csv"
    base_jis = np.full((N, N, S), 0.05)
    rate_jis = only([policy]).tariff.applied(base_jis, REGIONS, SECTORS)
    assert rate_jis[CHN, USA, TRA] == 0.25
    assert rate_jis[CHN, JPN, SER] == 0.0
    assert (rate_jis == 0.05).sum() == N * N * S - 2
    # Rates on other flows may hold beside it, additions on the same; a rate on the same may not.
    run([policy, Tariff(rate=0.1, importers=("EU",), start="2010"), Tariff(add=0.1, start="2010")], MONTHS)
    clash = Scenario.from_yaml
    text = "schema: reesim.scenario/1\nname: x\npolicies: [{type: tariff, file: t.csv, start: 2010}, %s]\n"
    with pytest.raises(ScenarioError, match="two tariff rates cannot be in force on the same flow"):
        clash(text % "{type: tariff, rate: 0.1, importers: [USA], start: 2010}")
    with pytest.raises(ScenarioError, match="two tariff rates"):
        clash(text % "{type: tariff, file: t.csv, start: 2012}")


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ("CHN,USA,TRA,x", "row 2, column 'rate': 'x' is not a finite number"),
        ("CHN,USA,TRA,-1", "row 2, column 'rate': should be above -1"),
        ("CHN,Chian,TRA,0", "row 2: no region 'Chian', did you mean 'China'"),
        ("CHN,USA,TRAK,0", "row 2: no sector 'TRAK'"),
        ("CHN,china,TRA,0", "row 2: CHN to china is own trade"),
        ("CHN,USA,TRA,0\nChina,USA,TRA,1", "row 3: the flow CHN, USA, TRA stands twice"),
        ("CHN,USA,TRA", "row 2 has 3 columns"),
        ("", "no rows below the header"),
    ],
)
def test_a_wrong_file_of_rates_is_refused_by_row(tmp_path, rows, why):
    (tmp_path / "t.csv").write_text(f"exporter,importer,sector,rate\n{rows}\n", encoding="utf-8")
    with pytest.raises(DataError, match=re.escape(why)):
        read_rates(tmp_path / "t.csv", "t.csv", REGIONS, SECTORS)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("sector,x\nTRA,1\n", "sector and theta"),
        ("sector,theta,sigma\nTRA,1,2\n", "sector and theta"),
        ("sector,theta\nTRA,1\ntransport equipment,2\n", "row 3: the sector TRA stands twice"),
        ("sector,theta\nTRA,0\n", "row 2, column 'theta': should be above 0"),
        ("sector,theta\nTRA,1\n", "no row for AGR, MIN"),
        ("sector,theta\nXXX,1\n", "row 2: no sector 'XXX'"),
    ],
)
def test_wrong_trade_elasticities_are_refused_by_row(tmp_path, text, why):
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=why):
        read_trade_elasticities(tmp_path / "t.csv", SECTORS)


# --- mines, deposits, what is at home ---


def test_mines_add_up_by_owner_and_market():
    regime = only(
        [
            Mine(region="USA", share=0.1, start="2010"),
            Mine(region="USA", share=0.05, start="2009"),
            Mine(region="USA", market="JPN", tonnes=3000.0, start="2010"),
            Mine(region="CHN", market="EU", tonnes=500.0, start="2010"),
        ]
    )
    expected_share, expected_tonnes = np.zeros((N, N)), np.zeros((N, N))
    expected_share[USA, USA], expected_tonnes[USA, JPN], expected_tonnes[CHN, EU] = 0.1 + 0.05, 3000.0, 500.0
    assert_allclose(regime.mine_share_ji, expected_share, **ROUNDING)
    assert_array_equal(regime.mine_tonnes_ji, expected_tonnes)


def test_a_production_quota_is_a_share_plus_tonnes():
    none = Regime.neutral(N, S)
    assert np.isposinf(none.ree_limit_share)
    full = only([ProductionQuota(share=0.7, start="2010")])
    assert (full.ree_limit_share, full.ree_limit_tonnes) == (0.7, 0.0)
    year = only([ProductionQuota(tonnes=90_000.0, start="2010", end="2010")], "2010")
    assert (year.ree_limit_share, year.ree_limit_tonnes) == (0.0, 90_000.0)
    # Days without a quota count at the baseline's production.
    half = only([ProductionQuota(tonnes=45_000.0, start="2010-07", end="2010-12")], "2010")
    assert_allclose(half.ree_limit_share, 181 / 365, **ROUNDING)
    assert_allclose(half.ree_limit_tonnes, 45_000.0, **ROUNDING)


def test_subsidies_and_factors_touch_what_they_name():
    regime = only(
        [
            Productivity(factor=1.2, regions=("JPN",), sectors=("TRA",), start="2010"),
            Productivity(factor=1.5, sectors=("TRA",), start="2010"),
            LabourEndowment(factor=0.5, regions=("EU", "USA"), start="2010"),
            ProductionSubsidy(rate=0.1, regions=("USA",), start="2010"),
            ProductionSubsidy(rate=-0.3, sectors=("TRA",), start="2010"),
            InnovationSubsidy(rate=0.2, start="2010"),
            InnovationSubsidy(rate=0.3, bundle="R", regions=("JPN",), start="2010"),
        ]
    )
    assert_allclose(regime.productivity_is[JPN, TRA], 1.8, **ROUNDING)
    assert regime.productivity_is[USA, TRA] == 1.5
    assert (np.delete(regime.productivity_is, TRA, axis=1) == 1.0).all()
    assert_array_equal(regime.labour_i, [1.0, 0.5, 1.0, 0.5, 1.0])
    assert_allclose(regime.output_subsidy_is[USA, [TRA, SER]], [0.8, 1.1], **ROUNDING)
    assert_allclose(regime.entry_subsidy_R_is[[JPN, USA], SER], [0.5, 0.2], **ROUNDING)
    assert (regime.entry_subsidy_L_is == 0.2).all()


def test_one_window_is_a_schedule_of_one_period():
    policies = [ExportTax(rate=0.4, start="2010-05-16"), ExportQuota(share=0.6, start="2010-07", end="2010-12")]
    may = at(policies, *parse_window("2010-05"), WORLD)
    assert len(may) == 1
    assert_array_equal(may.tax_ti[0], run(policies, MONTHS).tax_ti[4])
    year = at(policies, *parse_window("2010"), WORLD)
    assert_allclose(year.quota_t, (181 + 184 * 0.6) / 365, **ROUNDING)


def test_arrays_are_read_only():
    plan = run([], MONTHS)
    with pytest.raises(ValueError, match="read-only"):
        plan.regime_t[0] = 1
    busy = only(EVERYTHING, "2010-11")
    for array in (busy.tax_i, busy.iceberg_jis, busy.tariff.value_jis, busy.productivity_is):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 2.0


def test_a_baseline_row_is_put_before_a_first_period_with_policy():
    text = "schema: reesim.scenario/1\nname: x\ncalendar: {start: 2010-01, end: 2010-12}\npolicies:\n"
    policy = "  - {type: export_quota, share: 0.5, start: %s}\n"
    early, late = (Scenario.from_yaml(text + policy % start) for start in ("2009-06", "2010-02"))
    calendar = Calendar.for_scenario(early)
    assert calendar.has_extra_baseline
    assert str(calendar.starts[0]) == "2009-12-01"
    plan = early.schedule(calendar)
    # The quota began before the calendar, yet the baseline row is the calibrated baseline.
    assert np.isposinf(plan.quota_t[0])
    assert (plan.quota_t[1:] == 0.5).all()
    assert len(plan) == len(calendar) == 13
    calendar = Calendar.for_scenario(late)
    assert not calendar.has_extra_baseline
    assert len(late.schedule()) == len(calendar) == 12
    # Starting on the last day of the first period is in it; ending the day before it is not.
    for window, extra in (
        ("2010-01-31", True),
        ("2009-06, end: 2009-12-31", False),
        ("2009-06, end: 2010-01-01", True),
    ):
        assert Calendar.for_scenario(Scenario.from_yaml(text + policy % window)).has_extra_baseline is extra


@pytest.mark.parametrize(
    "policies",
    [
        [ExportQuota(share=0.5, start="2010"), ExportQuota(share=0.5, start="2012")],
        [Embargo(destination="JPN", start="2010"), Embargo(destination="Japan", start="2012")],
        [ExportTax(rate=-0.6, start="2010"), ExportTax(rate=-0.4, start="2011")],
        # Together above -1 until the tax ends.
        [
            ExportTax(rate=-0.6, start="2010"),
            ExportTax(rate=-0.5, start="2010"),
            ExportTax(rate=1.0, start=2010, end=2011),
        ],
        [ProductionQuota(share=0.5, start="2010"), ProductionQuota(share=0.9, start="2012")],
        [Tariff(rate=0.1, start="2010"), Tariff(rate=0.1, importers=("USA",), sectors=("TRA",), start="2011")],
        [
            GoodsExportTax(rate=0.1, exporters=("CHN", "EU"), start="2010"),
            GoodsExportTax(rate=0.1, destinations=("EU",), start="2011"),
        ],
        [ProductionSubsidy(rate=-0.6, start="2010"), ProductionSubsidy(rate=-0.4, sectors=("TRA",), start="2011")],
        [InnovationSubsidy(rate=0.6, start="2010"), InnovationSubsidy(rate=0.4, bundle="L", start="2011")],
    ],
)
def test_a_schedule_refuses_what_cannot_be_in_force_at_once(policies):
    with pytest.raises(ScenarioError, match=r"at once|add up to"):
        run(policies, MONTHS)


@pytest.mark.parametrize(
    "policies",
    [
        [ExportQuota(share=0.5, start="2010", end="2010"), ExportQuota(share=0.5, start="2011")],
        [Embargo(destination="JPN", start="2010"), Embargo(destination="USA", start="2010")],
        [
            ExportTax(rate=-0.6, start="2010", destinations=("JPN",)),
            ExportTax(rate=-0.6, start="2010", destinations=("EU",)),
        ],
        [ExportTax(rate=-0.6, start="2010", end="2010"), ExportTax(rate=-0.6, start="2011")],
        [Tariff(rate=0.1, start="2010"), Tariff(add=0.1, start="2010")],
        [Tariff(rate=0.1, importers=("USA",), start="2010"), Tariff(rate=0.1, importers=("EU",), start="2010")],
        # All that they share is trade of the USA with themselves, on which there is no tariff.
        [
            Tariff(rate=0.1, importers=("USA",), start="2010"),
            Tariff(rate=0.1, exporters=("USA",), importers=("USA", "EU"), start="2010"),
        ],
        [InnovationSubsidy(rate=0.6, bundle="R", start="2010"), InnovationSubsidy(rate=0.6, bundle="L", start="2010")],
        [
            InnovationSubsidy(rate=0.6, regions=("EU",), start="2010"),
            InnovationSubsidy(rate=0.6, regions=("USA",), start="2010"),
        ],
    ],
)
def test_neighbours_and_different_trades_do_not_clash(policies):
    assert len(run(policies, MONTHS)) == 24


def test_an_unknown_destination_is_refused_by_the_schedule():
    with pytest.raises(LabelError, match="did you mean"):
        run([Embargo(destination="Japn", start="2010")], MONTHS)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: ExportTax(rate=-1.0, start="2010"), "greater than -1"),
        (lambda: ExportTax(rate=0.1, start="2010", end="2009"), "comes before the start"),
        (lambda: ExportTax(rate=0.1, start="2010", destinations=("JPN", "JPN")), "stands twice"),
        (lambda: ExportQuota(tonnes=5.0, start="2010"), "has no end"),
        (lambda: ExportQuota(tonnes=5.0, share=0.5, start="2010", end="2010"), "exactly one"),
        (lambda: ExportQuota(start="2010", end="2010"), "exactly one"),
        (lambda: ExportQuota(share=0.0, start="2010"), "above 0"),
        (lambda: Embargo(destination="JPN", leakage=0.0, start="2010"), "above 0"),
        (lambda: Embargo(destination="JPN", leakage=1.5, start="2010"), "at most 1"),
        (lambda: Tariff(start="2010"), "exactly one of the three"),
        (lambda: Tariff(rate=0.1, add=0.1, start="2010"), "exactly one of the three"),
        (lambda: Tariff(rate=-1.0, start="2010"), "greater than -1"),
        (lambda: Tariff(rate=0.1, importers=("USA",), exporters=("USA",), start="2010"), "own trade"),
        (lambda: Tariff(rate=0.1, importers=(), start="2010"), "at least one importer"),
        (lambda: Tariff(rate=0.1, sectors=("TRA", "TRA"), start="2010"), "a sector stands twice"),
        (lambda: Tariff(file="none.csv", start="2010"), "there is no such file"),
        (lambda: GoodsExportTax(start="2010"), "exactly one of the two"),
        (lambda: GoodsExportTax(rate=0.1, exporters=("EU",), destinations=("EU",), start="2010"), "own trade"),
        (lambda: Iceberg(factor=0.0, start="2010"), "greater than 0"),
        (lambda: Iceberg(factor=2.0, exporters=("EU",), importers=("EU",), start="2010"), "own trade"),
        (lambda: Mine(region="USA", start="2010"), "exactly one"),
        (lambda: Mine(region="USA", tonnes=1.0, share=0.1, start="2010"), "exactly one"),
        (lambda: ProductionQuota(tonnes=1.0, start="2010"), "has no end"),
        (lambda: InnovationSubsidy(rate=1.0, start="2010"), "less than 1"),
        (lambda: ProductionSubsidy(rate=-1.0, start="2010"), "greater than -1"),
        (lambda: Productivity(factor=-1.0, start="2010"), "greater than 0"),
    ],
)
def test_instruments_made_by_hand_are_checked(make, why):
    with pytest.raises(ValidationError, match=why):
        make()


def test_a_world_without_rare_earths_has_no_instruments_on_them():
    bare = World(REGIONS, SECTORS, None)
    assert len(schedule([Tariff(add=0.1, start="2010")], MONTHS.starts, MONTHS.ends, bare)) == 24
    with pytest.raises(ScenarioError, match=r"policies\.1\.type: there are no rare earths"):
        at([Tariff(add=0.1, start="2010"), ReeSupply(factor=2.0, start="2010")], *parse_window("2010"), bare)


def test_every_instrument_is_registered_speaks_and_contributes():
    for name, instrument in INSTRUMENTS.items():
        assert instrument.model_fields["type"].default == name
        assert "contribute" in vars(instrument)
    assert all(policy.words for policy in EVERYTHING)
    neutral = Regime.neutral(N, S).fingerprint()
    assert all(only([policy], "2011-03").fingerprint() != neutral for policy in EVERYTHING if policy.end is None)
