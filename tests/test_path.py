"""Paths: immutable, labelled, finite, equal bit for bit, and never silent about a warning."""

from __future__ import annotations

import copy
import pickle
import sys
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pandas as pd
import pytest
import synthetic
from synthetic import PROVENANCE, REGIONS, SECTORS, UNSTABLE

from reesim.errors import ConvergenceError, InputError, LabelError, ReesimError
from reesim.results import frames
from reesim.results.path import Path, Provenance, describe
from reesim.variables import VARIABLES


@pytest.fixture(scope="module")
def path() -> Path:
    return synthetic.path()


class TestTidy:
    def test_every_number_stands_in_its_own_place(self, path):
        table = path.to_dataframe()
        assert list(table.columns) == ["time", "variable", "region", "partner", "sector", "value", "unit"]
        assert len(table) == sum(array.size for array in path.values.values())
        keys = table.drop(columns=["value", "unit"])
        assert not keys.duplicated().any()
        assert not keys.isna().any().any()
        rows = table.sample(300, random_state=1)
        for row in rows.itertuples():
            labels = {"region": row.region, "partner": row.partner, "sector": row.sector}
            place = [path.times.get_loc(row.time)]
            for axis in VARIABLES[row.variable].axes:
                place.append((SECTORS if axis == "sector" else REGIONS).index(labels.pop(axis)))
            assert set(labels.values()) <= {""}
            np.testing.assert_equal(row.value, path.array(row.variable)[tuple(place)])
            assert row.unit == VARIABLES[row.variable].unit

    def test_without_times_there_is_no_column_of_times(self, path):
        values = {name: path.array(name)[3] for name in path.variables}
        static = frames.tidy(values, REGIONS, SECTORS, None)
        whole = path.to_dataframe()
        row = whole[whole["time"] == path.times[3]].drop(columns="time").reset_index(drop=True)
        pd.testing.assert_frame_equal(static, row)

    def test_chosen_variables(self, path):
        assert set(path.to_dataframe("welfare")["variable"]) == {"welfare"}
        assert list(path.to_dataframe(["wage", "A_R"])["variable"].unique()) == ["wage", "A_R"]
        with pytest.raises(InputError, match="name at least one"):
            path.to_dataframe([])


class TestWide:
    @pytest.mark.parametrize("name", ["welfare", "A_R", "trade_share", "residual"])
    def test_columns_carry_labels_and_values(self, path, name):
        table = path[name]
        assert table.index.name == "time"
        assert list(table.index) == list(path.times)
        assert table.columns.names == (list(VARIABLES[name].axes) or [None])
        np.testing.assert_array_equal(table.to_numpy(), path.array(name).reshape(len(path), -1))

    def test_a_column_is_found_by_its_labels(self, path):
        assert path["welfare"]["JPN"].iloc[5] == path.array("welfare")[5, 1]
        assert path["A_R"]["JPN", "SER"].iloc[5] == path.array("A_R")[5, 1, 1]
        assert path["trade_share"]["CHN", "ROW", "TRA"].iloc[5] == path.array("trade_share")[5, 0, 2, 0]
        assert path["residual"]["residual"].iloc[5] == path.array("residual")[5]

    def test_editing_a_table_leaves_the_path_alone(self, path):
        before = path.array("welfare").copy()
        table = path["welfare"]
        table.loc[:, :] = 0.0
        np.testing.assert_array_equal(path.array("welfare"), before)

    def test_static_tables_have_the_last_axis_across(self, path):
        def table(name):
            return frames.wide(name, path.array(name)[0], REGIONS, SECTORS, None)

        assert table("A_R").loc["JPN", "TRA"] == path.array("A_R")[0, 1, 0]
        assert table("trade_share").loc[("JPN", "ROW"), "SER"] == path.array("trade_share")[0, 1, 2, 1]
        assert table("welfare").loc["ROW", "welfare"] == path.array("welfare")[0, 2]
        assert table("residual").loc["residual", "value"] == path.array("residual")[0]

    def test_wrong_shape_names_the_axes(self):
        with pytest.raises(InputError, match=r"'A_R'.*\(region, sector\) calls for \(3, 2\)"):
            frames.wide("A_R", np.ones((2, 3)), REGIONS, SECTORS, None)


class TestImmutable:
    def test_nothing_can_be_written(self, path):
        with pytest.raises(ValueError, match="read-only"):
            path.array("welfare")[0, 0] = 1.0
        with pytest.raises(TypeError):
            path.values["welfare"] = None
        with pytest.raises(FrozenInstanceError):
            path.times = None
        with pytest.raises(TypeError):
            path.provenance.rules["entry"] = "mine"

    def test_what_was_given_stays_apart(self):
        values = synthetic.values(3)
        overrides = {"parameters.epsilon": {"TRA": 1.0}}
        made = Path(
            pd.date_range("2010", periods=3, freq="YS"),
            values,
            REGIONS,
            SECTORS,
            replace(PROVENANCE, overrides=overrides),
        )
        values["wage"][:] = 7.0
        overrides["parameters.epsilon"]["TRA"] = 7.0
        assert made.array("wage").max() < 7.0
        assert made.provenance.overrides["parameters.epsilon"] == {"TRA": 1.0}

    @pytest.mark.parametrize("copied", [copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
    def test_a_copy_is_equal_and_as_immutable(self, copied):
        made = synthetic.path(4, rule_state={"hope": np.ones((4, 2))}, provenance=UNSTABLE)
        again = copied(made)
        assert again.equals(made)
        assert not again.array("wage").flags.writeable


class TestRefusals:
    @pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
    def test_a_number_that_is_not_finite_is_named_with_its_place(self, wrong):
        values = synthetic.values(3)
        values["unit_cost"][2, 1, 0] = wrong
        with pytest.raises(ConvergenceError, match=r"unit_cost is .*2012-01-01, region JPN, sector TRA") as caught:
            Path(pd.date_range("2010", periods=3, freq="YS"), values, REGIONS, SECTORS, PROVENANCE)
        error = caught.value
        assert (error.region, error.sector, error.date) == ("JPN", "TRA", "2012-01-01")

    def test_only_limits_may_be_missing_and_none_infinite(self):
        values = synthetic.values(2, ("policy_quota", "policy_embargo"))
        values["policy_embargo"][:] = np.nan
        dates = pd.date_range("2010", periods=2, freq="YS")
        assert np.isnan(Path(dates, values, REGIONS, SECTORS, PROVENANCE).array("policy_embargo")).all()
        values["policy_quota"][0] = np.inf
        with pytest.raises(ConvergenceError, match="policy_quota is inf"):
            Path(dates, values, REGIONS, SECTORS, PROVENANCE)

    @pytest.mark.parametrize(
        ("times", "match"),
        [
            (["2010-01-01", "2010-01-01"], "increase"),
            (["2011-01-01", "2010-01-01"], "increase"),
            (["2010-01-01 12:00", "2011-01-01"], "time of day"),
            (["2010-01-01", None], "none missing"),
            ([], "at least one date"),
            (pd.DatetimeIndex(["2010-01-01", "2011-01-01"], tz="UTC"), "time zone"),
        ],
    )
    def test_dates(self, times, match):
        with pytest.raises(InputError, match=match):
            Path(pd.DatetimeIndex(times), synthetic.values(2), REGIONS, SECTORS, PROVENANCE)

    def test_shapes_names_and_types(self):
        dates = pd.date_range("2010", periods=2, freq="YS")
        with pytest.raises(InputError, match=r"'wage' has shape \(3, 3\).*\(time, region\) calls for \(2, 3\)"):
            Path(dates, synthetic.values(3, ("wage",)), REGIONS, SECTORS, PROVENANCE)
        with pytest.raises(LabelError, match="did you mean 'wage'"):
            Path(dates, {"wages": np.ones((2, 3))}, REGIONS, SECTORS, PROVENANCE)
        with pytest.raises(InputError, match="holds <U1"):
            Path(dates, {"wage": np.full((2, 3), "x")}, REGIONS, SECTORS, PROVENANCE)
        with pytest.raises(InputError, match="at least one variable"):
            Path(dates, {}, REGIONS, SECTORS, PROVENANCE)

    @pytest.mark.parametrize(
        ("state", "match"),
        [
            ({"a/b": np.ones(2)}, "letters, digits"),
            ({"a": np.ones(3)}, "first axis must be the 2 dates"),
            ({"a": np.array(1.0)}, "first axis"),
            ({"a": np.array([1.0, np.nan])}, "not finite"),
        ],
    )
    def test_states_of_rules(self, state, match):
        with pytest.raises(ReesimError, match=match):
            synthetic.path(2, rule_state=state)

    def test_a_variable_that_was_not_kept_is_told_from_one_that_does_not_exist(self):
        made = synthetic.path(2, ("wage",))
        with pytest.raises(LabelError, match=r"did not keep 'welfare'.*output\.variables"):
            made["welfare"]
        with pytest.raises(LabelError, match="did you mean 'welfare'"):
            made["welfrae"]


class TestAt:
    @pytest.mark.parametrize(
        ("date", "row"),
        [
            ("2010-01", 0),
            ("2010-05", 4),
            ("2010-05-31", 4),
            ("2010", 0),
            ("2010Q2", 3),
            (pd.Timestamp("2011-02-10").date(), 13),
            (pd.Timestamp("2011-12-31"), 23),
        ],
    )
    def test_row_of_the_period_that_contains_the_date(self, path, date, row):
        found = path.at(date)
        assert list(found.times) == [path.times[row]]
        assert found.variables == path.variables
        np.testing.assert_array_equal(found.array("trade_share"), path.array("trade_share")[row : row + 1])

    @pytest.mark.parametrize("date", ["2009-12-31", "2012-01", "2009", pd.Timestamp("2012-01-01")])
    def test_outside_the_path(self, path, date):
        with pytest.raises(InputError, match="covers 2010-01-01 to 2011-12-31"):
            path.at(date)

    @pytest.mark.parametrize("date", ["soon", "2010-13", 3.5j])
    def test_no_date(self, path, date):
        with pytest.raises(InputError, match="is not a date"):
            path.at(date)

    def test_a_partial_date_in_which_the_path_begins_is_its_first_row(self):
        dates = pd.DatetimeIndex(["2009-12-01", "2010-01-01"])
        made = Path(dates, synthetic.values(2), REGIONS, SECTORS, PROVENANCE)
        assert made.at("2009").times[0] == dates[0]

    def test_weekly_periods_end_a_week_later(self):
        dates = pd.date_range("2010-01-04", periods=3, freq="7D")
        made = Path(dates, synthetic.values(3), REGIONS, SECTORS, PROVENANCE)
        assert made.at("2010-01-24").times[0] == dates[2]
        with pytest.raises(InputError, match="to 2010-01-24"):
            made.at("2010-01-25")

    def test_states_of_rules_come_along(self):
        made = synthetic.path(3, rule_state={"hope": np.arange(3.0)})
        assert made.at("2010-02").rule_state["hope"] == [1.0]


class TestEquality:
    def test_one_bit_is_a_difference(self):
        made = synthetic.path(3)
        assert made.equals(synthetic.path(3))
        values = synthetic.values(3)
        values["wage"][1, 1] = np.nextafter(values["wage"][1, 1], 2)
        dates = made.times
        assert not made.equals(Path(dates, values, REGIONS, SECTORS, PROVENANCE))

    def test_minus_zero_is_not_zero(self):
        dates = pd.DatetimeIndex(["2010-01-01"])
        plus, minus = (Path(dates, {"residual": np.array([x])}, REGIONS, SECTORS, PROVENANCE) for x in (0.0, -0.0))
        assert not plus.equals(minus)

    @pytest.mark.parametrize(
        "change",
        [
            {"name": "other"},
            {"substeps": 3},
            {"overrides": {"calendar.end": "2015-12"}},
            {"stability": {"stable": False}},
            {"created": ""},
            {"scenario_text": synthetic.SCENARIO + "\n"},
            {"warnings": ("watch out",)},
        ],
    )
    def test_provenance_counts(self, change):
        assert not synthetic.path(2).equals(synthetic.path(2, provenance=replace(PROVENANCE, **change)))

    def test_labels_and_states_count(self):
        made = synthetic.path(2)
        assert not made.equals(synthetic.path(2, rule_state={"hope": np.ones(2)}))
        names = replace(REGIONS, names=("China", "Nippon", "Rest"))
        assert not made.equals(Path(made.times, made.values, names, SECTORS, PROVENANCE))
        assert not made.equals("a path")


class TestProvenance:
    def test_record_survives_as_json_types(self):
        given = replace(
            PROVENANCE,
            overrides={"a": np.float64("inf"), "b": (1, 2.0, None, True), "c": pd.Timestamp("2010-01-02").date()},
            stability={"stable": np.bool_(False), "half_life_years": float("nan")},
        )
        assert Provenance.from_dict(given.to_dict()) == given
        assert given.overrides["c"] == "2010-01-02"
        assert given.alerts

    def test_what_cannot_be_saved_is_refused_with_its_place(self):
        with pytest.raises(InputError, match=r"overrides\.a\.1: object cannot be saved"):
            replace(PROVENANCE, overrides={"a": [1, object()]})

    def test_a_record_with_missing_or_wrong_entries_is_refused(self):
        record = PROVENANCE.to_dict()
        with pytest.raises(InputError, match="holds str under 'substeps'"):
            Provenance.from_dict(record | {"substeps": "many"})
        with pytest.raises(InputError, match="missing or unknown entries: surprise"):
            Provenance.from_dict(record | {"surprise": 1})
        del record["rules"]
        with pytest.raises(InputError, match="rules"):
            Provenance.from_dict(record)


class TestSummary:
    def test_worst_and_last(self):
        values = synthetic.values(4, ("welfare", "real_gdp", "ree_price", "ree_use", "A_R", "A_L"))
        for array in values.values():
            array[:] = 1.0
        values["welfare"][:, 1] = [0.0, -0.02, -0.05, -0.01]
        values["real_gdp"][:, 1] = [200.0, 190.0, 198.0, 201.0]
        values["ree_price"][:, 1] = [1.0, 1.5, 3.0, 1.1]
        values["ree_use"][:, 1] = [10.0, 4.0, 5.0, 9.0]
        values["A_R"][3, 1, 0] = 1.25
        values["A_L"][2, 1, 1] = 2.0
        made = Path(pd.date_range("2010", periods=4, freq="YS"), values, REGIONS, SECTORS, PROVENANCE)
        row = made.summary().loc["JPN"]
        # Percentages of numbers with two digits: rounding is the only error.
        assert row["welfare_worst_pct"] == pytest.approx(-5, rel=1e-12)
        assert row["welfare_worst_date"] == pd.Timestamp("2012-01-01")
        assert row["welfare_end_pct"] == pytest.approx(-1, rel=1e-12)
        assert row["real_gdp_worst_pct"] == pytest.approx(-5, rel=1e-12)
        assert row["real_gdp_end_pct"] == pytest.approx(0.5, rel=1e-12)
        assert (row["ree_price_max"], row["ree_price_max_date"]) == (3.0, pd.Timestamp("2012-01-01"))
        assert row["ree_use_min_pct"] == pytest.approx(-60, rel=1e-12)
        assert (row["A_R_over_A_L_max"], row["A_R_over_A_L_max_sector"]) == (1.25, "TRA")
        assert (row["A_R_over_A_L_min"], row["A_R_over_A_L_min_sector"]) == (0.5, "SER")
        assert made.summary().loc["CHN", "A_R_over_A_L_max_sector"] == ""

    def test_only_what_was_kept(self):
        assert list(synthetic.path(2, ("wage",)).summary().columns) == []
        assert "real_gdp_worst_pct" not in synthetic.path(2).at("2010-01").summary()


class TestWords:
    OUTPUTS = pytest.mark.parametrize(
        "output", [repr, Path._repr_html_, describe, lambda it: str(it.to_xarray().attrs)]
    )

    @OUTPUTS
    def test_an_unstable_equilibrium_shows_in_every_output(self, output):
        assert "UNSTABLE" in output(synthetic.path(2, provenance=UNSTABLE))
        assert "UNSTABLE" not in output(synthetic.path(2))

    @OUTPUTS
    def test_other_warnings_show_too(self, output):
        stability = {"stable": True, "delta_star_warning": "delta 0.27 is near delta*"}
        shown = output(synthetic.path(2, provenance=replace(PROVENANCE, stability=stability, warnings=("watch out",))))
        assert "delta 0.27 is near delta*" in shown
        assert "watch out" in shown

    def test_tables_carry_the_warnings(self):
        made = synthetic.path(2, provenance=UNSTABLE)
        for table in (made.to_dataframe(), made.summary()):
            assert "UNSTABLE" in table.attrs["warnings"][0]

    def test_repr_is_short_whatever_the_warnings(self):
        many = replace(UNSTABLE, warnings=tuple(f"warning\n{i} " + "x" * 300 for i in range(20)))
        lines = repr(synthetic.path(2, provenance=many)).splitlines()
        assert len(lines) < 8
        assert max(map(len, lines)) < 140
        assert "and 19 more" in lines[-1]

    def test_repr_says_name_dates_size_and_certificate(self, path):
        text = repr(path)
        for part in ("'made_up'", "2010-01-01 to 2011-12-01", "24 rows", "3 regions × 2 sectors", "1.1e-12"):
            assert part in text
        assert "certificate: none kept" in repr(synthetic.path(2, ("wage",)))

    def test_describe_says_everything(self, path):
        text = describe(path)
        for name in path.variables:
            assert f"  {name} " in text
        for part in ("Rest of the world – übrige", "ree_shares: deck", "calendar.end: 2015-12", "0123abcd"):
            assert part in text
        # Not "numpy: 2" alone, which other lines might hold.
        assert "Versions:\n  reesim: 0.1.0\n  numpy: 2\n" in text

    def test_html_escapes_what_came_from_a_user(self):
        risky = replace(PROVENANCE, name="<script>x</script>", title="<b>", warnings=("<i>",))
        page = synthetic.path(2, provenance=risky)._repr_html_()
        assert not any(tag in page for tag in ("<script>", "<b>", "<i>"))


class TestXarray:
    def test_labels_units_and_values(self, path):
        data = path.to_xarray()
        assert set(data.data_vars) == set(path.variables)
        assert data["trade_share"].dims == ("time", "region", "partner", "sector")
        cell = data["trade_share"].sel(time="2010-03-01", region="CHN", partner="ROW", sector="SER")
        assert float(cell) == path.array("trade_share")[2, 0, 2, 1]
        assert list(data["region_name"].to_numpy()) == list(REGIONS.names)
        assert data["wage"].attrs == {"units": "baseline = 1", "long_name": "Wage", "equation": "(17)"}

    def test_without_xarray_the_error_says_what_to_install(self, path, monkeypatch):
        monkeypatch.setitem(sys.modules, "xarray", None)
        with pytest.raises(ReesimError, match=r"pip install 'reesim\[xarray\]'"):
            path.to_xarray()
