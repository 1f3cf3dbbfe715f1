"""Tables for people: signs, rounding, order, and nothing left unsaid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import synthetic as made
from hypothesis import given
from hypothesis import strategies as st

from reesim import observed, report
from reesim.labels import Labels
from reesim.results.compare import compare
from reesim.results.path import Path
from reesim.results.plan import leading, plan_of
from reesim.scenario import Scenario, bundled
from reesim.scenario.calendar import Calendar


def shaped(**arrays):
    """Monthly path from December 2009 to 2015 with one where nothing else is given."""
    times = pd.date_range("2009-12-01", "2015-12-01", freq="MS")
    n, s = len(made.REGIONS), len(made.SECTORS)
    values = {
        "welfare": np.zeros((len(times), n)),
        "ree_price": np.ones((len(times), n)),
        "ree_mine_price": np.ones(len(times)),
        "ree_wedge": np.ones((len(times), n)),
        "ree_use": np.ones((len(times), n)),
        "ree_exports": np.full(len(times), 43_900.0),
        "A_R": np.ones((len(times), n, s)),
        "A_L": np.ones((len(times), n, s)),
    }
    return Path(times, values | arrays, made.REGIONS, made.SECTORS, made.PROVENANCE)


@given(st.floats(1e-12, 1e12), st.sampled_from([-1.0, 1.0]))
def test_rounding_keeps_four_digits_of_any_size(size, sign):
    value = sign * size
    # Half a unit in the fourth digit is at most 5e-4 of the number.
    assert report.rounded(value) == pytest.approx(value, rel=5.0001e-4)
    assert report.rounded(report.rounded(value)) == report.rounded(value)


def test_summary_finds_worst_best_end_and_their_dates():
    path = shaped()
    welfare = np.zeros((len(path), 3))
    welfare[5, 1], welfare[9, 1], welfare[-1, 1] = -0.000123456, 0.00002, 0.00001
    technology = np.ones((len(path), 3, 2))
    technology[7, 1, 0], technology[-1, 1, 0] = 1.0567891, 1.01
    table = report.summary_table(shaped(welfare=welfare, A_R=technology))
    japan = table.loc["JPN"]
    assert (japan["welfare_worst_pct"], japan["welfare_worst_date"]) == (-0.01235, "2010-05")
    assert (japan["welfare_best_pct"], japan["welfare_best_date"]) == (0.002, "2010-09")
    assert japan["welfare_end_pct"] == 0.001
    assert (japan["technology_peak"], japan["technology_peak_date"]) == (1.057, "2010-07")
    assert japan["technology_end"] == 1.01
    assert table.attrs["sector"] == "Transport equipment"


def test_furthest_from_one_may_lie_below_it():
    technology = np.ones((73, 3, 2))
    technology[3, 0, 0], technology[4, 0, 0] = 1.1, 0.8
    assert report.summary_table(shaped(A_R=technology)).loc["CHN", "technology_peak"] == 0.8


def test_real_gdp_has_its_best_and_its_worst():
    level = np.full((73, 3), 200.0)
    level[4, 2], level[8, 2] = 202.0, 199.0
    rest = report.summary_table(shaped(real_gdp=level)).loc["ROW"]
    assert (rest["real_gdp_best_pct"], rest["real_gdp_best_date"]) == (1.0, "2010-04")
    assert (rest["real_gdp_worst_pct"], rest["real_gdp_worst_date"]) == (-0.5, "2010-08")
    lines = report.summary_text(shaped(real_gdp=level)).splitlines()
    (place,) = [number for number, line in enumerate(lines) if line.startswith("Real GDP, worst")]
    assert lines[place + 2].startswith("Real GDP, best (%)")


def test_round_off_is_zero_without_sign_or_date():
    welfare = np.zeros((73, 3))
    welfare[5, 0], welfare[7, 1] = -2.2e-16, -2e-12  # as a share of one: 2e-14 and 2e-10 per cent
    table = report.summary_table(shaped(welfare=welfare))
    china, japan = table.loc["CHN"], table.loc["JPN"]
    assert (str(china["welfare_worst_pct"]), china["welfare_worst_date"]) == ("0.0", "")
    assert (japan["welfare_worst_pct"], japan["welfare_worst_date"]) == (-2e-10, "2010-07")
    assert report.rounded(-0.0).hex() == (0.0).hex()
    assert "-0 " not in report.summary_text(shaped(welfare=-welfare))


@given(st.floats(1e-12, 9e14), st.sampled_from([-1.0, 1.0]))
def test_numbers_are_written_without_an_exponent(size, sign):
    text = report.number(sign * size)
    assert "e" not in text
    # As in rounding: half a unit in the fourth digit.
    assert float(text.replace(",", "")) == pytest.approx(sign * size, rel=5.0001e-4)


def test_summary_columns_all_have_headings():
    table = report.summary_table(made.path())
    assert set(table.columns) <= set(report.HEADINGS)
    text = report.summary_text(made.path())
    assert all(code in text.splitlines()[0] for code in made.REGIONS)
    assert "A_R/A_L, Transport equipment, at the end" in text


def test_a_path_without_key_figures_says_so():
    text = report.summary_text(made.path(names=("wage", "residual")))
    assert "kept none" in text


def test_alerts_stand_in_every_text():
    path = made.path(provenance=made.UNSTABLE)
    assert "UNSTABLE" in report.summary_text(path).splitlines()[0]
    assert "Stability: UNSTABLE" in report.stability_text(path)
    assert report.summary_table(path).attrs["warnings"] == path.provenance.alerts


def test_stability_states_rate_and_half_life_or_that_it_is_unknown():
    text = report.stability_text(made.path())
    assert "-0.25 a year" in text
    assert "slowest half-life, prices and trade at once (years): 2.77" in text
    assert "transition" not in text  # older results do not know it
    known = {**made.PROVENANCE.stability, "transition_half_life_years": 4.5}
    both = report.stability_text(made.path(provenance=replace(made.PROVENANCE, stability=known)))
    assert "half-life of the transition, at the scenario's speeds (years): 4.5" in both
    unstable = report.stability_text(made.path(provenance=made.UNSTABLE))
    assert "slowest half-life, prices and trade at once (years): none: unstable" in unstable
    assert "not assessed" in report.stability_text(made.path(provenance=replace(made.PROVENANCE, stability={})))


def test_choices_rules_overrides_and_substeps_are_all_there():
    text = report.choices_text(made.path())
    for words in ("ree_shares", "deck", "pricing", "calendar.end", "2015-12", "Substeps in each period: 2"):
        assert words in text


def test_an_infinite_half_life_of_what_is_stable_is_put_into_words():
    facts = report.speed_facts(True, {"half_life": np.inf, "transition_half_life": np.inf})
    assert list(facts.values()) == ["none: entry never moves", "none: a step does not contract"]
    assert report.speed_facts(True, {"half_life": 2.0, "transition_half_life": np.nan}) == {
        "slowest half-life, prices and trade at once (years)": "2"
    }


@pytest.mark.parametrize(
    ("ours", "theirs", "names"),
    [
        (
            "technology: fixed\n",
            "technology: endogenous\n",
            ("made_up (technology fixed)", "made_up (technology endogenous)"),
        ),
        ("speed: 1\ntechnology: fixed\n", "speed: 2\n", ("made_up (technology fixed)", "made_up (technology None)")),
        ("speed: 1\n", "speed: 2\n", ("made_up (speed 1)", "made_up (speed 2)")),
        ("", "", ("made_up", "made_up")),
    ],
)
def test_sides_of_one_name_are_told_apart_by_technology_first(ours, theirs, names):
    a, b = (
        made.path(provenance=replace(made.PROVENANCE, effective_scenario=made.SCENARIO + text))
        for text in (ours, theirs)
    )
    assert report.side_names(compare(a, b)) == names


def test_long_choices_are_wrapped_not_cut():
    words = " ".join(f"word{number}" for number in range(60))
    text = report.choices_text(made.path(provenance=replace(made.PROVENANCE, choices={"table": words})))
    assert "word59" in text
    assert max(map(len, text.splitlines())) <= 116


def test_gaps_put_the_wrong_direction_first():
    """An inside price that falls where the observed one rose: the model's most uncomfortable finding."""
    falling = np.ones(73)
    falling[6:] = 0.4
    table = report.gap_table(shaped(ree_mine_price=falling))
    wrong = table["wrong_direction"].to_numpy(dtype=bool)
    assert wrong[:3].all()
    assert set(table["what"][:3]) == {"price inside"}
    assert not np.diff(wrong.astype(int)).max() > 0  # once right, always right: none of the wrong comes later
    assert len(table) == len(observed.gaps(shaped(ree_mine_price=falling)))
    assert "Wrong direction" in table["reading"].iloc[0]


def test_gap_text_counts_and_says_what_it_leaves_out():
    path = shaped()
    table = report.gap_table(path)
    text = report.gap_text(path, most=4)
    assert f"of {len(table)} observed numbers" in text
    assert text.splitlines()[-1] == f"… and {len(table) - 4} more"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (made.path(names=("welfare",)), "ree_"),
        (made.path(times=1), "1 dates"),
        (made.path(times=2), "no observed number lies within"),
    ],
)
def test_nothing_to_compare_is_said_with_its_reason(path, reason):
    table = report.gap_table(path)
    assert table.empty
    assert reason in table.attrs["reason"]
    assert reason in report.gap_text(path)


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("2011-09-16", "2011-09-16", "2011-09-16"),
        ("2011-09-01", "2011-09-30", "2011-09"),
        ("2011-09-01", "2011-10-31", "2011-09 to 2011-10"),
        ("2011-01-01", "2011-12-31", "2011"),
        ("2010-01-01", "2012-12-31", "2010 to 2012"),
        ("2011-09-16", "2011-10-31", "2011-09-16 to 2011-10-31"),
    ],
)
def test_periods_are_written_shortly(start, end, words):
    assert report.period_words(pd.Timestamp(start), pd.Timestamp(end)) == words


def test_text_tables_cut_nothing():
    long = "x" * 300
    frame = pd.DataFrame({"name": [long, "b"], "value": [0.0000123456, np.nan]})
    lines = report.as_text(frame).splitlines()
    assert long in lines[1]
    assert lines[1].endswith("0.00001235")
    assert "nan" not in lines[2]


# --- plans, and what a reader of other worlds is shown ------------------------------------------------------------------------


def of_text(text, **changes):
    return replace(shaped().provenance, effective_scenario=text, **changes)


@pytest.mark.parametrize("name", [name for name in bundled() if name != "baseline"])
def test_a_plan_is_what_the_scenario_says(name):
    scenario = Scenario.load(name)
    plan = plan_of(scenario.effective_yaml())
    assert plan is not None
    block = scenario.calendar
    assert (plan.calendar.start, plan.calendar.end, plan.calendar.step) == (block.start, block.end, block.step)
    assert [(one.kind, one.window) for one in plan.policies] == [(one.type, one.window) for one in scenario.policies]
    assert np.array_equal(Calendar.for_scenario(plan).starts, Calendar.for_scenario(scenario).starts)


def test_a_plan_knows_whom_policies_name():
    scenario = Scenario.load("us_tariffs_example").replace({"policies.1.importers": ["JPN", "EU"]})
    plan = plan_of(scenario.effective_yaml())
    assert plan.regions == {"USA", "CHN", "JPN", "EU"}
    assert plan.on_goods_alone
    assert not plan_of(Scenario.load("deck_tax").effective_yaml()).on_goods_alone
    assert not plan_of(Scenario.load("baseline").effective_yaml()).on_goods_alone  # no policy is on anything


@pytest.mark.parametrize(
    "text", ["", "name: x", made.SCENARIO, "calendar:\n  start: soon\n  end: later\n  step: month"]
)
def test_what_is_no_scenario_has_no_plan(text):
    assert plan_of(text) is None


@given(st.integers(1, 30), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_leading_regions_are_those_named_then_those_that_move(size, most, seed):
    rng = np.random.default_rng(seed)
    labels = Labels("region", tuple(f"R{k}" for k in range(size)), tuple(f"Region {k}" for k in range(size)))
    moved = rng.standard_normal(size)
    named = {f"R{k}" for k in np.flatnonzero(rng.random(size) < 0.2)}
    found = leading(labels, moved, named, most)
    assert len(found) == len(set(found)) == min(size, most)
    if size <= most:
        assert found == list(range(size))
        return
    rank = [(f"R{k}" not in named, -abs(moved[k])) for k in range(size)]
    assert sorted(rank)[:most] == [rank[k] for k in found]


def test_missing_numbers_lead_last():
    labels = Labels("region", ("A", "B", "C"), ("a", "b", "c"))
    assert leading(labels, np.array([np.nan, 0.0, -1.0]), most=2) == [2, 1]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (of_text(made.SCENARIO, choices={"rare-earth shares": "none: no sector uses rare earths"}), "no rare earths"),
        (of_text(Scenario.load("us_tariffs_example").effective_yaml()), "no policy of this scenario is on them"),
        (
            of_text(Scenario.load("deck_tax").replace({"calibration.exporter": "JPN"}).effective_yaml()),
            "here JPN exports",
        ),
    ],
)
def test_what_has_nothing_to_do_with_the_episode_is_not_compared_with_it(record, reason):
    path = shaped()
    path = Path(path.times, dict(path.values), path.regions, path.sectors, record)
    assert reason in report.gap_table(path).attrs["reason"]
    assert not report.gap_table(shaped()).empty


def test_a_summary_without_rare_earths_has_no_column_of_them():
    record = replace(made.PROVENANCE, choices={"rare-earth shares": "none"})
    path = shaped()
    table = report.summary_table(Path(path.times, dict(path.values), path.regions, path.sectors, record))
    assert {str(name).partition("_")[0] for name in table} == {"welfare"}


def test_the_summary_follows_the_sector_that_moves_where_there_is_no_transport_equipment():
    sectors = Labels("sector", ("W", "C"), ("Wheat", "Cloth"))
    path, technology = shaped(), np.ones((73, 3, 2))
    technology[5, 1, 1] = 1.2
    values = dict(path.values) | {"A_R": technology}
    table = report.summary_table(Path(path.times, values, path.regions, sectors, path.provenance))
    assert table.attrs["sector"] == "Cloth"
    assert table.loc["JPN", "technology_peak"] == 1.2
