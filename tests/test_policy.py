from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from pydantic import ValidationError

from reesim.errors import LabelError, ScenarioError
from reesim.scenario import DEFAULT_REGIONS as REGIONS
from reesim.scenario import Scenario
from reesim.scenario.calendar import Calendar, parse_window
from reesim.scenario.policy import INSTRUMENTS, Embargo, ExportQuota, ExportTax, Instrument, at, schedule

CHN, EU, JPN, USA, ROW = range(5)
EXPORTS = 43_900.0
# Averages of at most 366 numbers of order one: a few hundred roundings at most.
ROUNDING = {"rtol": 1e-13, "atol": 1e-13}
QUICK = settings(max_examples=40, deadline=None, derandomize=True, database=None)


def run(policies, calendar, baseline_tax=0.0, exports=EXPORTS):
    return schedule(policies, calendar.starts, calendar.ends, REGIONS, "CHN", baseline_tax, exports)


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


@QUICK
@given(st.permutations(range(4)))
def test_the_order_of_policies_does_not_matter(order):
    policies = [
        ExportTax(rate=0.25, start="2010-02"),
        ExportTax(rate=0.5, start="2010-03-10", end="2011"),
        ExportQuota(share=0.5, start="2010-05-05", end="2011-06"),
        Embargo(destination="JPN", start="2010-09-21", end="2010-11-19"),
    ]
    expected, plan = run(policies, MONTHS), run([policies[k] for k in order], MONTHS)
    for name in ("tax_ti", "quota_t", "embargo_ti", "rent_share_t"):
        # The sums are taken in another order.
        assert_allclose(getattr(plan, name), getattr(expected, name), rtol=1e-15)


def test_one_window_is_a_schedule_of_one_period():
    policies = [ExportTax(rate=0.4, start="2010-05-16"), ExportQuota(share=0.6, start="2010-07", end="2010-12")]
    may = at(policies, *parse_window("2010-05"), REGIONS, "CHN")
    assert len(may) == 1
    assert_array_equal(may.tax_ti[0], run(policies, MONTHS).tax_ti[4])
    year = at(policies, *parse_window("2010"), REGIONS, "CHN")
    assert_allclose(year.quota_t, (181 + 184 * 0.6) / 365, **ROUNDING)


def test_arrays_are_read_only():
    plan = run([], MONTHS)
    with pytest.raises(ValueError, match="read-only"):
        plan.tax_ti[0, 0] = 2.0


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
    ],
)
def test_instruments_made_by_hand_are_checked(make, why):
    with pytest.raises(ValidationError, match=why):
        make()


def test_every_instrument_is_registered_and_contributes():
    assert set(INSTRUMENTS.values()) == set(Instrument.__subclasses__())
    for name, instrument in INSTRUMENTS.items():
        assert instrument.model_fields["type"].default == name
        assert "contribute" in vars(instrument)
