"""Comparisons: antisymmetric, zero for equal paths, aligned by label, and right about peaks and half-lives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import synthetic
from synthetic import PROVENANCE, REGIONS, SECTORS, UNSTABLE

from reesim.errors import InputError, LabelError
from reesim.labels import Labels
from reesim.results.compare import LEVEL_UNITS, compare
from reesim.results.differences import addressed, differences
from reesim.results.path import Path
from reesim.variables import VARIABLES


@pytest.fixture(scope="module")
def pair() -> tuple[Path, Path]:
    return synthetic.path(seed=1), synthetic.path(seed=2)


def along(series: np.ndarray, name: str = "wage", freq: str = "MS") -> Path:
    """Path of one region variable that is 1 everywhere but in Japan."""
    array = np.ones((len(series), len(REGIONS)))
    array[:, 1] = series
    return Path(pd.date_range("2010", periods=len(series), freq=freq), {name: array}, REGIONS, SECTORS, PROVENANCE)


def test_a_path_equals_itself(pair):
    same = compare(pair[0], pair[0])
    assert all((np.isnan(gap) | (gap == 0)).all() for gap in same.gap.values())
    assert same.first_divergence() is None
    assert not same.provenance
    assert "equal wherever" in repr(same)


def test_the_gap_changes_sign_when_the_paths_change_places(pair):
    there, back = compare(*pair), compare(*reversed(pair))
    assert there.variables == pair[0].variables
    for name in there.variables:
        np.testing.assert_array_equal(there.gap[name], -back.gap[name])
        np.testing.assert_array_equal(there.gap[name], pair[1].array(name) - pair[0].array(name))


def test_per_cent_only_of_levels_and_measured_against_a(pair):
    found = compare(*pair)
    assert set(found.per_cent) == {name for name in found.variables if VARIABLES[name].unit in LEVEL_UNITS}
    assert "trade_share" not in found.per_cent
    for name, per_cent in found.per_cent.items():
        # One rounding in each of three operations.
        np.testing.assert_allclose(pair[0].array(name) * (1 + per_cent / 100), pair[1].array(name), rtol=1e-14)


def test_per_cent_of_zero_is_missing_and_of_a_negative_number_keeps_the_sign_of_the_gap():
    a, b = along(np.array([0.0, -2.0]), "deficit"), along(np.array([1.0, -1.0]), "deficit")
    np.testing.assert_array_equal(compare(a, b).per_cent["deficit"][:, 1], [np.nan, 50.0])


def test_results_are_read_only(pair):
    found = compare(*pair)
    for arrays in (found.a, found.b, found.gap, found.per_cent):
        assert not any(array.flags.writeable for array in arrays.values())


def test_aligned_by_label_not_by_position(pair):
    a, b = pair
    order = [2, 0]
    regions = Labels("region", tuple(REGIONS.codes[i] for i in order), tuple(REGIONS.names[i] for i in order))
    cut = b.array("trade_share")[6:, order][:, :, order]
    shuffled = Path(b.times[6:], {"trade_share": cut}, regions, SECTORS, PROVENANCE)
    part, whole = compare(a, shuffled), compare(a, b)
    assert part.regions.codes == ("CHN", "ROW")
    assert list(part.times) == list(a.times[6:])
    np.testing.assert_array_equal(part.gap["trade_share"], whole.gap["trade_share"][6:, ::2, ::2])
    assert part.left_out["regions_only_in_a"] == ("JPN",)
    assert len(part.left_out["times_only_in_a"]) == 6
    assert "regions_only_in_b" not in part.left_out


def test_nothing_in_common_is_refused(pair):
    a = pair[0]
    wage, welfare = synthetic.path(3, ("wage",)), synthetic.path(3, ("welfare",))
    with pytest.raises(InputError, match="no variable in common"):
        compare(wage, welfare)
    later = Path(a.times + pd.DateOffset(years=9), a.values, REGIONS, SECTORS, PROVENANCE)
    with pytest.raises(InputError, match=r"no date is common \(2010-01-01 to .*2019-01-01"):
        compare(a, later)
    others = Labels("region", ("X", "Y", "Z"), ("x1", "y1", "z1"))
    with pytest.raises(InputError, match="no region is common"):
        compare(a, Path(a.times, a.values, others, SECTORS, PROVENANCE))
    with pytest.raises(LabelError, match="did not keep 'welfare'"):
        compare(wage, a, variables="welfare")


def test_tidy_table_agrees_with_the_arrays(pair):
    table = compare(*pair, variables=["wage", "trade_share"]).to_dataframe()
    assert list(table.columns) == (
        ["time", "variable", "region", "partner", "sector", "a", "b", "difference", "per_cent", "unit"]
    )
    np.testing.assert_array_equal(table["b"] - table["a"], table["difference"])
    b = pair[1].to_dataframe(["wage", "trade_share"])
    np.testing.assert_array_equal(table["b"], b["value"])
    assert table.loc[table["variable"] == "trade_share", "per_cent"].isna().all()
    assert table.loc[table["variable"] == "wage", "per_cent"].notna().all()


class TestSummary:
    def test_peak_place_date_and_end(self):
        a = synthetic.path(5, ("trade_share", "wage"))
        values = {name: array.copy() for name, array in a.values.items()}
        values["trade_share"][3, 1, 2, 0] -= 0.5
        values["trade_share"][1, 1, 0, 1] += 0.25
        values["trade_share"][4, 1, 2, 0] += 0.125
        b = Path(a.times, values, REGIONS, SECTORS, PROVENANCE)
        row = compare(a, b).summary().set_index(["variable", "region"]).loc[("trade_share", "JPN")]
        # Sums of numbers near one: a few units in the last place.
        assert row["peak_difference"] == pytest.approx(-0.5, abs=1e-15)
        assert row["peak_date"] == a.times[3]
        assert (row["peak_partner"], row["peak_sector"]) == ("ROW", "TRA")
        assert row["final_difference"] == pytest.approx(0.125, abs=1e-15)
        assert np.isnan(row["peak_per_cent"])

    def test_one_row_per_variable_and_region(self, pair):
        table = compare(*pair).summary()
        regional = sum(1 for name in pair[0].variables if VARIABLES[name].axes)
        assert len(table) == regional * len(REGIONS) + len(pair[0].variables) - regional
        assert set(table.loc[table["variable"] == "residual", "region"]) == {""}

    def test_a_limit_never_in_force_has_no_peak(self):
        made = synthetic.path(2, ("policy_quota", "wage"))
        none = Path(made.times, {"policy_quota": np.full(2, np.nan)}, REGIONS, SECTORS, PROVENANCE)
        row = compare(none, made).summary().iloc[0]
        assert np.isnan(row["peak_difference"])
        assert pd.isna(row["peak_date"])

    @pytest.mark.parametrize("years", [0.3, 2.0, 10.0])
    @pytest.mark.parametrize("sign", [1, -1])
    def test_half_life_of_an_exponential_is_exact(self, years, sign):
        dates = pd.date_range("2010", periods=240, freq="MS")
        elapsed = ((dates - dates[24]) / pd.Timedelta(days=365.25)).to_numpy()
        decay = 1 + sign * np.where(elapsed < 0, 0.01, 0.3 * 0.5 ** (np.maximum(elapsed, 0) / years))
        row = compare(along(np.ones(240)), along(decay)).summary().set_index("region").loc["JPN"]
        assert row["peak_date"] == dates[24]
        # The gap is a difference of numbers near one, known to 1e-15 of 0.3; its logarithm divides that by the decay
        # between two dates, at least 0.5 % here.
        assert row["half_life_years"] == pytest.approx(years, rel=1e-11)

    def test_no_half_life_where_the_gap_stays_or_is_nil(self):
        ones = np.ones(12)
        for series in (ones, ones + np.linspace(0, 1, 12), ones + np.linspace(0.4, 0.3, 12)):
            row = compare(along(ones), along(series)).summary().set_index("region").loc["JPN"]
            assert np.isnan(row["half_life_years"])

    def test_half_life_through_zero_is_on_the_straight_line(self):
        row = compare(along(np.ones(3), freq="YS"), along(np.array([1.0, 2.0, 1.0]), freq="YS"))
        # From 1 to 0 within a year of 365 days, so half of it.
        assert row.summary().set_index("region").loc["JPN", "half_life_years"] == pytest.approx(182.5 / 365.25)


class TestFirstDivergence:
    def test_first_date_then_largest_gap(self):
        a = synthetic.path(6, ("wage", "A_R", "trade_share"))
        values = {name: array.copy() for name, array in a.values.items()}
        values["wage"][3, 0] += 0.9
        values["A_R"][2, 1, 1] += 0.01
        values["trade_share"][2, 0, 2, 1] += 0.02
        found = compare(a, Path(a.times, values, REGIONS, SECTORS, PROVENANCE))
        first = found.first_divergence()
        assert (first.time, first.variable) == (a.times[2], "trade_share")
        assert (first.region, first.partner, first.sector) == ("CHN", "ROW", "SER")
        assert first.b == values["trade_share"][2, 0, 2, 1]
        assert found.first_divergence(0.1).variable == "wage"
        assert found.first_divergence(10) is None

    def test_one_limit_in_force_is_a_divergence_none_is_not(self):
        made = synthetic.path(4, ("policy_quota",))
        none = Path(made.times, {"policy_quota": np.full(4, np.nan)}, REGIONS, SECTORS, PROVENANCE)
        assert compare(none, none).first_divergence() is None
        assert compare(none, made).first_divergence(10).time == made.times[2]

    @pytest.mark.parametrize("tolerance", [-1.0, float("nan")])
    def test_tolerance(self, pair, tolerance):
        with pytest.raises(InputError, match="tolerance"):
            compare(*pair).first_divergence(tolerance)


class TestProvenance:
    def test_what_differs_is_named(self):
        other = replace(
            PROVENANCE,
            effective_scenario=synthetic.SCENARIO.replace("rate: 2.0", "rate: 1.5").replace("made_up", "other"),
            rules={"entry": "mine", "pricing": "default", "switching": "default"},
            versions={"reesim": "0.1.0"},
            calibration_hash="ffff",
        )
        assert differences(PROVENANCE, other) == {
            "scenario.policies.0.rate": ("2.0", "1.5"),
            "rules.entry": ("default", "mine"),
            "versions.numpy": ("2", None),
            "calibration_hash": ("0123abcd", "ffff"),
        }

    def test_nan_is_equal_to_itself(self):
        record = replace(PROVENANCE, stability={"half_life_years": float("nan")})
        assert differences(record, replace(record, stability={"half_life_years": float("nan")})) == {}

    def test_addresses_in_canonical_yaml(self):
        text = (
            "a: 1\nb:\n  c: {x: 1, y: 2}\n  d:\n    e: 'k: v'\nlist:\n- type: quota\n  share: 0.6\n- type: tax\n  on:\n"
            "  - JPN\n  - USA\nindented:\n  - 1\n  - f: 2\n    g: 3\nlong: one\n  two: or\n  - three\nAgri, food: 7\n"
        )
        assert addressed(text) == {
            "a": "1",
            "b.c": "{x: 1, y: 2}",
            "b.d.e": "'k: v'",
            "list.0.type": "quota",
            "list.0.share": "0.6",
            "list.1.type": "tax",
            "list.1.on.0": "JPN",
            "list.1.on.1": "USA",
            "indented.0": "1",
            "indented.1.f": "2",
            "indented.1.g": "3",
            "long": "one two: or - three",
            "Agri, food": "7",
        }

    def test_no_changed_word_is_lost(self):
        words = synthetic.SCENARIO.replace("# a comment, kept", "").split()
        for word in {word for word in words if word not in ("-", "schema:", "name:", "policies:")}:
            assert addressed(synthetic.SCENARIO) != addressed(synthetic.SCENARIO.replace(word, "Z" + word, 1)), word


class TestWords:
    def test_an_unstable_side_shows_in_every_output(self):
        for sides in ((PROVENANCE, UNSTABLE), (UNSTABLE, PROVENANCE)):
            found = compare(*(synthetic.path(2, provenance=side) for side in sides))
            side = "a" if sides[0] is UNSTABLE else "b"
            assert f"WARNING: {side} (made_up): UNSTABLE" in repr(found)
            assert "UNSTABLE" in found._repr_html_()
            assert "UNSTABLE" in found.summary().attrs["warnings"][0]
            assert "UNSTABLE" in found.to_dataframe().attrs["warnings"][0]

    def test_repr_is_short_and_says_where_they_part(self, pair):
        text = repr(compare(*pair))
        assert len(text.splitlines()) < 8
        assert "part on 2010-01-01" in text
        assert text.startswith("<Comparison of a 'made_up' and b 'made_up': ")

    def test_a_comes_before_b_everywhere(self):
        a, b = along(np.ones(3)), along(np.array([1.0, 1.5, 1.25]))
        b = Path(b.times, b.values, REGIONS, SECTORS, replace(PROVENANCE, name="other", rules={"entry": "mine"}))
        there, back = compare(a, b), compare(b, a)
        for words in (repr, str):
            assert "a 'made_up' and b 'other'" in words(there)
            assert "part on 2010-02-01: wage (JPN) a 1, b 1.5" in words(there)
            assert "a 'other' and b 'made_up'" in words(back)
            assert "part on 2010-02-01: wage (JPN) a 1.5, b 1" in words(back)
        assert "differ in rules.entry: default -> mine" in str(there)
        assert "a: made_up; b: other" in there._repr_html_()

    @pytest.mark.parametrize(("technologies", "sides"), [
        (("endogenous", "fixed"), ("made_up (technology endogenous)", "made_up (technology fixed)")),
        (("fixed", None), ("made_up (technology fixed)", "made_up (technology not recorded)")),
        (("fixed", "fixed"), ("made_up", "made_up")),
    ])  # fmt: skip
    def test_twins_are_told_apart_by_their_technology(self, technologies, sides):
        records = [
            replace(PROVENANCE, choices={"delta": "0"} | ({"technology": word} if word else {}))
            for word in technologies
        ]
        found = compare(*(synthetic.path(2, provenance=record) for record in records))
        assert found.sides == sides
        assert found.names == ("made_up", "made_up")
        for text in (repr(found), str(found)):
            assert f"a {sides[0]!r} and b {sides[1]!r}" in text
        assert f"a: {sides[0]}; b: {sides[1]}" in found._repr_html_()
        other = replace(records[1], name="other")
        unlike = compare(synthetic.path(2, provenance=records[0]), synthetic.path(2, provenance=other))
        assert unlike.sides == ("made_up", "other")

    def test_str_prints_the_whole_summary(self, pair):
        found = compare(*pair)
        summary = found.summary()
        with pd.option_context("display.max_rows", 4, "display.max_columns", 3, "display.width", 40):
            table = str(found).partition("(b - a):\n")[2].splitlines()
        assert table[0].split() == list(summary.columns)
        assert [line.split()[0] for line in table[1:]] == summary["variable"].tolist()
        first = summary.iloc[0]
        assert f"{first['peak_difference']:.6g}" in table[1].split()
        assert "..." not in "".join(table)

    def test_str_keeps_every_warning(self):
        warned = replace(PROVENANCE, warnings=tuple(f"warning {i}" for i in range(9)))
        text = str(compare(synthetic.path(2, provenance=warned), synthetic.path(2)))
        assert all(f"WARNING: a (made_up): warning {i}" in text for i in range(9))

    def test_html_escapes_what_came_from_a_user(self):
        risky = replace(PROVENANCE, name="<script>", effective_scenario="name: <b>\n", warnings=("<i>",))
        page = compare(synthetic.path(2), synthetic.path(2, provenance=risky))._repr_html_()
        assert not any(tag in page for tag in ("<script>", "<b>", "<i>"))
