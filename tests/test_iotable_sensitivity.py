"""Sensitivity (25), its spread, and how far rankings hang on what was chosen or is not known."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reesim.data.csvfiles import read_table
from reesim.empirics.iotable.concordance import read_links
from reesim.empirics.iotable.robustness import beside, gaps, monte_carlo, rank_correlations
from reesim.empirics.iotable.sensitivity import (
    COEFFICIENT,
    EFFECT,
    ELEMENTS,
    SCALES,
    closest,
    deck_requirements,
    implied_sd,
    industry_samples,
    moments,
    sensitivity,
)
from reesim.errors import DataError, LabelError

SUMMED = 1e-12
"""Relative rounding of sums over at most a few hundred numbers."""

SCORES = pd.Series({"La": 75.0, "Ce": 60.0, "Pr": 41.0, "Nd": 41.0, "Dy": 100.0})
RAW = os.environ.get("REESIM_SHARED_DATA", "")


@pytest.fixture
def requirements():
    numbers = np.random.default_rng(8).lognormal(-8.0, 1.0, size=(12, 5))
    return pd.DataFrame(numbers, index=[f"u{number:02d}" for number in range(12)], columns=list(SCORES.index))


# Sensitivity


def test_sensitivity_by_hand():
    found = sensitivity(pd.DataFrame({"La": [2e-3, 0.0], "Dy": [1e-3, 5e-4]}, index=["a", "b"]), SCORES)
    assert found.to_dict() == pytest.approx({"a": 0.25, "b": 0.05}, rel=SUMMED)


def test_sensitivity_is_linear_in_requirements_and_in_scores(requirements):
    found = sensitivity(requirements, SCORES)
    np.testing.assert_allclose(sensitivity(3.0 * requirements, SCORES), 3.0 * found, rtol=SUMMED)
    np.testing.assert_allclose(sensitivity(requirements, SCORES / 2.0), found / 2.0, rtol=SUMMED)
    parts = [sensitivity(requirements[[element]], SCORES) for element in requirements]
    np.testing.assert_allclose(sum(parts), found, rtol=SUMMED)
    # With all scores 100 it is a hundred times all requirements: nothing can be substituted.
    np.testing.assert_allclose(
        sensitivity(requirements, SCORES * 0.0 + 100.0), 100.0 * requirements.sum(axis=1), rtol=SUMMED
    )


def test_sensitivity_refuses_what_it_cannot_weigh(requirements):
    with pytest.raises(LabelError, match="no complementarity for All"):
        sensitivity(requirements.assign(All=1.0), SCORES)
    with pytest.raises(DataError, match="La is 175"):
        sensitivity(requirements, SCORES + 100.0)
    requirements.loc["u03", "Nd"] = np.nan
    with pytest.raises(DataError, match="u03"):
        sensitivity(requirements, SCORES)


# Its spread


def test_the_implied_spread_gives_back_the_effect():
    assert math.expm1(COEFFICIENT * implied_sd()) == pytest.approx(EFFECT, rel=SUMMED)
    assert implied_sd() == pytest.approx(0.0046, abs=5e-5)  # as it is quoted, to two digits
    assert implied_sd(-0.05, -2.0) == pytest.approx(0.0256, abs=5e-5)
    with pytest.raises(DataError, match="no standard deviation"):
        implied_sd(0.074, -1.0)


@pytest.fixture
def hand():
    return pd.Series([0.0, 1.0, 2.0, 3.0, 14.0], index=list("abcde"))


def row_of(table: pd.DataFrame, **wanted: str) -> pd.Series:
    wanted = {"requirements": "USD per USD", "complementarity": "0 to 100", "weighting": "none", **wanted}
    found = table[np.logical_and.reduce([table[name] == value for name, value in wanted.items()])]
    assert len(found) == 1
    return found.iloc[0]


def test_moments_by_hand(hand):
    table = moments(hand, effect=0.1, coefficient=2.0)
    plain = row_of(table, trimming="none")
    # Mean 20 / 5; squares around it 16 + 9 + 4 + 1 + 100, over 4.
    assert (plain["n"], plain["mean"]) == (5, pytest.approx(4.0))
    assert plain["sd"] == pytest.approx(math.sqrt(130.0 / 4.0), rel=SUMMED)
    assert plain["coefficient"] == pytest.approx(0.1 / plain["sd"], rel=SUMMED)
    assert plain["coefficient_log"] == pytest.approx(math.log(1.1) / plain["sd"], rel=SUMMED)
    assert plain["ratio"] == pytest.approx(plain["sd"] * 2.0 / math.log(1.1), rel=SUMMED)
    # The largest lies above every quantile but the last.
    dropped = row_of(table, trimming="top 5 % dropped")
    assert (dropped["n"], dropped["mean"], dropped["sd"]) == (4, 1.5, pytest.approx(math.sqrt(5.0 / 3.0)))
    # The 95 % quantile lies four fifths of the way from 3 to 14.
    winsorised = row_of(table, trimming="winsorised at 95 %")
    assert (winsorised["n"], winsorised["mean"]) == (5, pytest.approx((6.0 + 3.0 + 0.8 * 11.0) / 5.0))


def test_moments_on_every_scale(hand):
    table = moments(hand)
    base = row_of(table, trimming="none")
    for (unit, scores), factor in SCALES.items():
        row = row_of(table, trimming="none", requirements=unit, complementarity=scores)
        for name, power in {"mean": 1, "sd": 1, "ratio": 1, "coefficient": -1, "coefficient_log": -1}.items():
            assert row[name] == pytest.approx(base[name] * factor**power, rel=SUMMED), name


def test_weighted_moments(hand):
    even = moments(hand, weights=hand * 0.0 + 7.0)
    plain, weighted = row_of(even, trimming="none"), row_of(even, trimming="none", weighting="output")
    assert weighted["mean"] == pytest.approx(plain["mean"], rel=SUMMED)
    assert weighted["sd"] == pytest.approx(plain["sd"], rel=SUMMED)
    one = row_of(moments(hand, weights=(hand == 2.0).astype(float)), trimming="none", weighting="output")
    assert (one["mean"], one["sd"]) == (2.0, 0.0)
    assert np.isnan(one["coefficient"])


def test_samples_of_moments(hand):
    table = moments(hand, {"first": "abc", "one": "e"})
    assert row_of(table, sample="first", trimming="none")["mean"] == pytest.approx(1.0)
    one = row_of(table, sample="one", trimming="none")
    assert one["mean"] == 14.0
    assert np.isnan(one[["sd", "coefficient", "coefficient_log", "ratio"]].astype(float)).all()
    with pytest.raises(LabelError, match="sample 'odd': no number for z"):
        moments(hand, {"odd": "az"})
    with pytest.raises(DataError, match="sample 'none' is empty"):
        moments(hand, {"none": ""})
    with pytest.raises(DataError, match="a weight is negative"):
        moments(hand, weights=-hand)
    with pytest.raises(DataError, match="missing or infinite"):
        moments(hand.replace(2.0, np.inf))


def test_the_closest_rows_come_first(hand):
    table = moments(hand, effect=0.1, coefficient=math.log(1.1) / math.sqrt(130.0 / 4.0))
    best = closest(table, 3)
    assert best.iloc[0]["ratio"] == pytest.approx(1.0, rel=SUMMED)
    assert best.iloc[0]["trimming"] == "none"
    distances = np.abs(np.log(closest(table, len(table))["ratio"].to_numpy()))
    assert (np.diff(distances) >= 0.0).all()


# The slides' table


def test_the_slides_table_adds_up():
    deck = deck_requirements()
    assert len(deck) == 8
    # All and five elements, printed to 0.01 of a thousandth: together off by at most 6 times half of that.
    assert (deck["All"] - deck[list(ELEMENTS)].sum(axis=1)).abs().max() <= 6 * 0.005e-3


def test_the_slides_eight_spread_far_more_than_they_imply():
    """Two outliers do: without them the other six spread by what is implied, which says nothing of other industries."""
    found = sensitivity(deck_requirements()[list(ELEMENTS)], SCORES)
    samples = industry_samples(found, read_links())
    table = moments(found, {name: samples[name] for name in ("the slides' eight", "the eight but 3691 and 3499")})
    assert row_of(table, sample="the slides' eight", trimming="none")["ratio"] == pytest.approx(42.0, rel=0.05)
    # Printed digits leave 0.0005 in the score of Dy alone, a tenth of this spread.
    assert row_of(table, sample="the eight but 3691 and 3499", trimming="none")["ratio"] == pytest.approx(1.0, rel=0.1)


def test_samples_of_industries():
    links = read_links()
    sics = links.weights().index
    found = pd.Series(np.arange(len(sics)) / 1e4, index=sics)
    samples = industry_samples(found, links)
    assert {name: len(units) for name, units in samples.items()} == {
        "all manufacturing": 459, "positive": 458, "all but 3691 and 3499": 457, "the 81 largest": 81, "the slides' eight": 8,
        "the eight but 3691 and 3499": 6, "linked to the slides' eight": len(links.linked_to(deck_requirements().index)),
    }  # fmt: skip
    assert set(samples["the 81 largest"]) == set(sics[-81:])
    assert set(samples["the slides' eight"]) < set(samples["linked to the slides' eight"])
    with pytest.raises(LabelError, match="3691"):
        industry_samples(found.drop("3691"), links)


@pytest.mark.shared
@pytest.mark.skipif(not RAW, reason="REESIM_SHARED_DATA does not name the raw tables")
def test_the_slides_table_is_as_printed():
    file = Path(RAW) / "ree" / "slides_total_requirements_per1000usd.csv"
    rows = read_table(file, ("sic", "all", *ELEMENTS))
    printed = pd.DataFrame({row[0]: [float(cell) for cell in row[1:]] for row in rows}, index=["All", *ELEMENTS]).T
    # One rounding of the division by a thousand, and one back.
    np.testing.assert_allclose(deck_requirements().loc[printed.index] * 1000.0, printed, rtol=1e-15)


# Rankings


def test_scaling_changes_no_rank(requirements):
    found = sensitivity(requirements, SCORES)
    table = rank_correlations(
        {"base": found, "twice": 2.0 * found, "turned": found.iloc[::-1], "log": np.log(found)}, top=[3]
    )
    np.testing.assert_allclose(table[["spearman", "kendall"]], 1.0, rtol=SUMMED)
    assert (table["top_3"] == 3).all()
    assert (table["units"] == 12).all()
    opposite = rank_correlations({"base": found, "minus": -found}).loc["minus"]
    np.testing.assert_allclose(opposite[["spearman", "kendall"]].astype(float), -1.0, rtol=SUMMED)


def test_rank_correlations_by_hand():
    base = pd.Series({"a": 3.0, "b": 2.0, "c": 1.0})
    table = rank_correlations({"swapped": base.rename({"a": "b", "b": "a"}), "base": base}, "base", top=[1, 2])
    # Differences of ranks 1, 1, 0: 1 - 6 * 2 / 24; two of three pairs agree.
    assert table.loc["swapped"].to_dict() == pytest.approx(
        {"spearman": 0.5, "kendall": 1 / 3, "top_1": 0, "top_2": 2, "units": 3}, rel=SUMMED
    )


def test_ties_are_minded_as_elsewhere():
    rng = np.random.default_rng(3)
    left, right = (pd.Series(rng.integers(0, 6, 40).astype(float), index=range(40)) for _ in range(2))
    row = rank_correlations({"left": left, "right": right}).loc["right"]
    assert row["spearman"] == pytest.approx(stats.spearmanr(left, right).statistic, rel=SUMMED)


def test_what_cannot_be_ranked_is_refused():
    base = pd.Series({"a": 3.0, "b": 2.0})
    with pytest.raises(DataError, match="variant 'flat': all 2 units are equal"):
        rank_correlations({"base": base, "flat": base * 0.0})
    with pytest.raises(LabelError, match="variant 'other': the units differ from the baseline's: c"):
        rank_correlations({"base": base, "other": pd.Series({"a": 3.0, "b": 2.0, "c": 1.0})})
    with pytest.raises(LabelError, match="variant 'double': a stands twice"):
        rank_correlations({"base": base, "double": pd.concat([base, base])})
    with pytest.raises(LabelError, match="no variant 'none'"):
        rank_correlations({"base": base}, "none")
    with pytest.raises(DataError, match="no variant to compare"):
        rank_correlations({})


# Monte Carlo


@pytest.fixture
def base():
    return pd.Series({"a": 4.0, "b": 2.0, "c": 1.0, "d": 1.0})


def noisy(base):
    return lambda rng: base * rng.lognormal(size=len(base))


def test_without_uncertainty_every_draw_is_the_baseline(base):
    drawn = monte_carlo(lambda rng: base, 5, 0, base)
    table = drawn.summary(top=2)
    for name in ("baseline", "median", "low", "high"):
        assert table[name].to_dict() == base.to_dict()
    for name in ("rank", "rank_median", "rank_low", "rank_high"):
        assert table[name].to_dict() == {"a": 1.0, "b": 2.0, "c": 3.5, "d": 3.5}
    assert table["in_top"].to_dict() == {"a": 1.0, "b": 1.0, "c": 0.0, "d": 0.0}
    np.testing.assert_allclose(drawn.correlations(), 1.0, rtol=SUMMED)


def test_draws_are_those_of_their_number(base):
    """Bit for bit: the same again, however many there are, and those of the seed's children in NumPy's own order."""
    few, many = monte_carlo(noisy(base), 3, 7, base), monte_carlo(noisy(base), 20, 7, base)
    np.testing.assert_array_equal(many.values_du[:3], few.values_du)
    children = np.random.SeedSequence(7).spawn(20)
    np.testing.assert_array_equal(many.values_du[11], noisy(base)(np.random.default_rng(children[11])))
    assert (monte_carlo(noisy(base), 3, 8, base).values_du != few.values_du).all()
    with pytest.raises(ValueError, match="read-only"):
        few.values_du[0, 0] = 1.0


def test_summary_by_hand(base):
    numbers = iter([[4.0, 2.0, 1.0, 0.0], [1.0, 3.0, 2.0, 0.0], [9.0, 2.0, 3.0, 0.0]])
    drawn = monte_carlo(lambda rng: pd.Series(next(numbers), index=list("abcd")), 3, 0, base)
    table = drawn.summary(level=0.5, top=1)
    # Quartiles of three numbers lie half-way between neighbours.
    assert table.loc["a"].to_dict() == pytest.approx(
        {
            "baseline": 4.0, "median": 4.0, "low": 2.5, "high": 6.5, "rank": 1.0, "rank_median": 1.0, "rank_low": 1.0,
            "rank_high": 2.0, "in_top": 2 / 3,
        }
    )  # fmt: skip
    expected = [stats.spearmanr(base, row).statistic for row in drawn.values_du]
    np.testing.assert_allclose(drawn.correlations(), expected, rtol=SUMMED)
    with pytest.raises(DataError, match="level"):
        drawn.summary(level=1.0)


def test_units_may_come_in_any_order(base):
    turned = monte_carlo(lambda rng: base.iloc[::-1], 1, 0, base)
    assert turned.summary()["median"].to_dict() == base.to_dict()


def failing(error):
    count = iter(range(10))

    def draw(rng):
        if next(count) == 2:
            raise error
        return pd.Series({"a": 1.0})

    return draw


@pytest.mark.parametrize(
    "error", [DataError("no such price"), FloatingPointError("overflow"), np.linalg.LinAlgError("Singular matrix")]
)
def test_a_failed_draw_is_named(error):
    with pytest.raises(DataError, match=rf"draw 2 of 5 \(seed 6\) failed: {error}"):
        monte_carlo(failing(error), 5, 6, pd.Series({"a": 1.0}))


def test_draws_that_are_no_draws_are_refused(base):
    with pytest.raises(DataError, match=r"draw 0 of 1 .*the number of b is missing or infinite"):
        monte_carlo(lambda rng: base.replace(2.0, np.nan), 1, 0, base)
    with pytest.raises(LabelError, match=r"draw 0 of 1 .*units differ from the baseline's: d"):
        monte_carlo(lambda rng: base.drop("d"), 1, 0, base)
    for draws, seed in ((0, 0), (1, -1)):
        with pytest.raises(DataError, match=f"not {draws} and {seed}"):
            monte_carlo(lambda rng: base, draws, seed, base)


# Beside published numbers


def test_beside_by_hand():
    theirs = pd.DataFrame({"All": [2.0, 4.0], "La": [0.0, 1.0]}, index=["x", "y"])
    ours = pd.DataFrame({"La": [5.0, 3.0, 9.0], "All": [1.0, 2.0, 9.0]}, index=["x", "y", "z"])
    table = beside(ours, theirs).set_index(["unit", "element"])
    assert table.loc[("x", "All")].to_dict() == {"ours": 1.0, "theirs": 2.0, "ratio": 0.5}
    assert table.loc[("y", "La")].to_dict() == {"ours": 3.0, "theirs": 1.0, "ratio": 3.0}
    assert np.isnan(table.loc[("x", "La"), "ratio"])
    with pytest.raises(LabelError, match="Dy, w"):
        beside(ours, theirs.rename(index={"x": "w"}, columns={"La": "Dy"}))


def test_a_common_factor_is_level_and_not_spread(requirements):
    theirs = requirements.iloc[:5]
    mixed = requirements.iloc[::-1].set_axis(requirements.index)
    table = gaps({"same": requirements, "twice": 2.0 * requirements, "mixed": mixed}, theirs, "Nd")
    assert table.loc["same", ["level", "spread"]].to_list() == pytest.approx([1.0, 0.0], abs=SUMMED)
    assert table.loc["twice", ["level", "spread", "smallest", "largest"]].to_list() == pytest.approx(
        [2.0, 0.0, 2.0, 2.0], abs=SUMMED
    )
    assert table.loc["mixed", "spread"] > 0.1
    zero = requirements.copy()
    zero.loc["u01"] = 0.0
    assert gaps({"zero": zero}, theirs, "Nd").loc["zero", ["units", "zeros"]].to_list() == [4, 1]
    with pytest.raises(DataError, match="variant 'none'"):
        gaps({"none": requirements * 0.0}, theirs, "Nd")
