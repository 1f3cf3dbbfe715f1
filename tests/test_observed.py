from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reesim import observed, observed_sources
from reesim.data.tables import UNVERIFIED
from reesim.errors import DataError, InputError, LabelError, StoreError
from reesim.labels import Labels

REGIONS = Labels("region", ("CHN", "EU", "JPN"), ("China", "European Union", "Japan"))
JAPAN = 2


class StandIn:
    """A path of monthly rows in which the policy of July 2010 to December 2014 is a step."""

    regions = REGIONS

    def __init__(self, start="2009-01-01", end="2015-12-01", **during):
        self.times = pd.date_range(start, end, freq="MS")
        self.on = np.asarray((self.times >= "2010-07-01") & (self.times < "2015-01-01"))
        level = {
            "ree_exports": 0.6,
            "ree_price": 1.29,
            "ree_mine_price": 0.43,
            "ree_wedge": 3.0,
            "ree_use": 1.0,
            **during,
        }
        self.values = {}
        for name, value in level.items():
            by_region = np.ones((len(self.times), len(REGIONS)))
            by_region[self.on, 1:] = value
            alone = np.where(self.on, value, 1.0)
            self.values[name] = by_region if name in ("ree_price", "ree_wedge", "ree_use") else alone
        self.values["ree_exports"] = self.values["ree_exports"] * 43_900.0

    def array(self, name):
        if name not in self.values:
            raise LabelError(f"the path does not carry {name}")
        return self.values[name]


@pytest.fixture
def series():
    return observed.load()


# The tables


def test_every_number_has_period_unit_status_and_source(series):
    assert tuple(series.columns) == (*observed_sources.COLUMNS, "flag")
    assert (series["start"] <= series["end"]).all()
    assert np.isfinite(series["value"]).all()
    assert set(series["status"]) == {"V", "D", "M"}
    assert (series["source"].str.len() > 0).all()
    assert not series["source"].str.match("same").any()
    assert not series.duplicated(["series", "element", "start", "end"]).any()


def test_numbers_from_memory_are_flagged_everywhere(series):
    assert ((series["flag"] == UNVERIFIED) == (series["status"] == "M")).all()
    early = series[(series["series"] == "export_quota") & (series["start"] < "2009")]
    assert len(early) == 4
    assert set(early["flag"]) == {UNVERIFIED}
    events = observed.events()
    assert ((events["flag"] == UNVERIFIED) == (events["status"] == "M")).all()
    assert events.set_index("event")["start"]["export quota abolished"] == pd.Timestamp("2015-01-01")


def test_quotas_are_half_years_that_fell_by_72_percent(series):
    quotas = series[(series["series"] == "export_quota") & (series["start"] >= "2009")]
    assert len(quotas) == 12
    by_start = quotas.set_index("start")["value"]
    fall = 1.0 - by_start[pd.Timestamp("2010-07-01")] / by_start[pd.Timestamp("2009-07-01")]
    assert fall == pytest.approx(0.72, abs=0.005)  # published in whole percent
    # Half-years tile the six years: no tonne is counted twice.
    assert (
        quotas.sort_values("start")["end"].iloc[:-1].add(pd.Timedelta(days=1)).tolist() == sorted(quotas["start"])[1:]
    )


def test_yuan_become_dollars_and_midpoints_and_say_so(series):
    row = series[(series["series"] == "price_ex_works") & (series["element"] == "Nd") & (series["end"] < "2012")].iloc[
        0
    ]
    assert row["value"] == pytest.approx(
        (1_050_000 + 1_100_000) / 2 / 1000 / 6.461, abs=5e-5
    )  # stored with four decimals
    assert row["status"] == "D"
    assert "midpoint of 1050000 to 1100000 CNY/t" in row["source"]
    assert "6.461 CNY/USD" in row["source"]


# The price index


def test_the_index_is_one_in_2009_and_scales_with_prices(monkeypatch, series):
    for weights in (observed.MT_WELD, None, {"Nd": 2.0, "Dy": 1.0}):
        index = observed.price_index("fob", weights).set_index(["start", "end"])["value"]
        base = (pd.Timestamp("2009-01-01"), pd.Timestamp("2009-12-31"))
        assert index[base] == pytest.approx(1.0, rel=1e-14)  # a ratio of equal sums
    before = observed.price_index("ex_works")["value"]
    dearer = series.assign(value=series["value"].where(series["series"] != "price_ex_works", 3.0 * series["value"]))
    monkeypatch.setattr(observed, "load", lambda: dearer)
    np.testing.assert_allclose(observed.price_index("ex_works")["value"], 3.0 * before, rtol=1e-14)


def test_the_weights_reproduce_the_basket_that_lynas_quotes(series):
    prices = series[(series["series"] == "price_fob") & (series["start"] == "2009") & (series["end"] == "2009-12-31")]
    by_element = prices.set_index("element")["value"]
    cost = sum(kilograms / 100.0 * by_element[element] for element, kilograms in observed.MT_WELD.items())
    # Their basket holds about one per cent of elements that are not quoted here.
    assert cost == pytest.approx(by_element["basket"], rel=0.02)


def test_the_index_by_hand():
    # Only neodymium and dysprosium, October 2011: (2 x 260 + 2300) / (2 x 19.12 + 115.67).
    index = observed.price_index("fob", {"Nd": 2.0, "Dy": 1.0})
    row = index[index["start"] == "2011-10-01"].iloc[0]
    assert row["value"] == pytest.approx((2 * 260 + 2300) / (2 * 19.12 + 115.67), rel=1e-14)
    assert (row["elements"], row["coverage"], row["status"]) == ("Nd, Dy", pytest.approx(1.0), "D")
    equal = observed.price_index("fob", None)
    row = equal[equal["start"] == "2011-04-01"].iloc[0]
    relatives = (135 / 4.88, 138 / 3.88, 125 / 3.40, 921.2 / 115.67)
    assert row["value"] == pytest.approx(math.prod(relatives) ** 0.25, rel=1e-14)
    assert row["coverage"] == pytest.approx(0.5)


def test_mixtures_are_set_against_the_same_mixture_of_2009():
    index = observed.price_index("fob", {"Nd": 1.0, "Pr": 1.0})
    row = index[index["start"] == "2014-10-02"].iloc[0]
    base = (5.32 * 18.03 + 18.5 * 19.12) / (5.32 + 18.5)
    assert (row["elements"], row["value"]) == ("PrNd", pytest.approx(67.5 / base, rel=1e-14))


def test_an_unknown_basis_or_element_is_refused():
    with pytest.raises(LabelError, match="known: fob, ex_works"):
        observed.price_index("cif")
    with pytest.raises(LabelError, match="no price of 2009 for Sc"):
        observed.price_index("fob", {"Sc": 1.0})


# Overlay and gaps


def test_an_exact_path_has_no_gaps():
    path = StandIn()
    points = observed.overlay(path)
    exports = points[(points["variable"] == "ree_exports") & (points["start"] == "2013")].iloc[0]
    path.values["ree_exports"] = np.full(len(path.times), exports["observed"])
    row = observed.gaps(path).set_index(["variable", "start"]).loc[("ree_exports", pd.Timestamp("2013-01-01"))]
    assert row["gap"] == pytest.approx(1.0, rel=1e-12)  # a day-weighted mean of equal numbers
    assert row["reading"] == ""


def test_exports_are_annualised_over_their_period():
    points = observed.overlay(StandIn()).set_index(["variable", "start", "end"])["observed"]
    whole = points[("ree_exports", pd.Timestamp("2010-01-01"), pd.Timestamp("2010-12-31"))]
    assert whole == 39_813.0
    october = points[("ree_exports", pd.Timestamp("2010-10-01"), pd.Timestamp("2010-10-31"))]
    assert october == pytest.approx(830 * 365 / 31, rel=1e-14)


def test_exports_with_ferro_alloys_are_not_compared_with_the_total(series):
    assert (series["element"] == "incl. ferro-alloys").sum() == 1
    points = observed.overlay(StandIn())
    assert not ((points["start"] == "2011-01-01") & (points["end"] == "2011-04-30")).any()


def test_only_periods_inside_the_path_are_compared():
    points = observed.overlay(StandIn(start="2010-02-01", end="2010-11-01"))
    assert points["start"].min() >= pd.Timestamp("2010-02-01")
    assert points["end"].max() < pd.Timestamp("2010-12-01")
    assert {(row.variable, str(row.start.date())) for row in points.itertuples()} == {
        ("ree_exports", "2010-09-01"),
        ("ree_exports", "2010-10-01"),
        ("ree_price", "2010-07-26"),
    }
    outside = observed.gaps(StandIn(start="2020-01-01", end="2021-01-01"))
    assert outside.empty
    assert "reading" in outside.columns


def test_the_models_mean_weights_rows_by_days():
    rows = observed.gaps(StandIn()).set_index(["variable", "start", "end"])
    year = rows.loc[("ree_exports", pd.Timestamp("2010-01-01"), pd.Timestamp("2010-12-31"))]
    assert year["model"] == pytest.approx(43_900 * (181 + 0.6 * 184) / 365, rel=1e-12)
    assert year["gap"] == pytest.approx(39_813 / year["model"], rel=1e-12)
    assert year["log_gap"] == pytest.approx(math.log(year["gap"]), rel=1e-12)


def test_foreign_users_are_averaged_by_what_they_use():
    path = StandIn()
    path.values["ree_price"][path.on, JAPAN] = 9.0
    path.values["ree_price"][:, 0] = 100.0  # the supplier's own price must not enter
    path.values["ree_use"][path.on, JAPAN] = 3.0
    row = observed.gaps(path).set_index(["variable", "start"]).loc[("ree_price", pd.Timestamp("2011-10-01"))]
    assert row["model"] == pytest.approx((1.29 + 3 * 9.0) / 4, rel=1e-12)


def test_a_wrong_direction_ranks_before_any_distance():
    table = observed.gaps(StandIn())
    wrong = table["wrong_sign"].to_numpy()
    assert wrong.any()
    assert not wrong[wrong.sum() :].any()
    assert set(table["variable"][wrong]) == {"ree_mine_price"}
    assert table["reading"][0].startswith(
        "Wrong direction: observed 6.76 times its level of 2009, the model 0.43 times"
    )
    size = table["log_gap"].abs().to_numpy()
    for part in (size[wrong], size[~wrong]):
        assert (np.diff(part) <= 0.0).all()
    # The price abroad is further off in logs than the last of the wrong directions, and still comes after it.
    assert size[~wrong][0] > size[wrong][-1]


def test_readings_name_the_side_and_size_of_a_large_gap():
    table = observed.gaps(StandIn()).set_index(["variable", "start"])
    peak = table.loc[("ree_price", pd.Timestamp("2011-10-01"))]
    assert peak["reading"] == f"The model is too low by a factor of {peak['gap']:.1f}."
    october = table.loc[("ree_exports", pd.Timestamp("2010-10-01"))]
    assert october["reading"].startswith("The model is too high by a factor of 2.7")
    quiet = table[~table["wrong_sign"] & (table["log_gap"].abs() < math.log(2.0))]
    assert (quiet["reading"] == "").all()


def test_a_model_that_rises_with_the_observed_inside_price_is_not_wrong():
    table = observed.gaps(StandIn(ree_mine_price=2.0))
    assert not table["wrong_sign"].any()


def test_small_changes_have_no_direction(series):
    # September 2010 ran 1.4 % above 2009 when annualised, the model 40 % below: far, but not a wrong direction.
    row = observed.gaps(StandIn()).set_index(["variable", "start", "end"])
    point = row.loc[("ree_exports", pd.Timestamp("2010-09-01"), pd.Timestamp("2010-09-30"))]
    assert not point["wrong_sign"]
    still = observed.gaps(StandIn(ree_mine_price=1.0 - 1e-12))
    assert not still["wrong_sign"].any()


def test_unverified_points_stay_flagged(monkeypatch, series):
    doubted = series.assign(flag=series["flag"].where(series["series"] != "wedge", UNVERIFIED))
    doubted["status"] = doubted["status"].where((series["element"] != "Nd") | (series["end"] < "2010"), "M")
    monkeypatch.setattr(observed, "load", lambda: doubted)
    table = observed.gaps(StandIn())
    wedges = table[table["variable"] == "ree_wedge"]
    assert set(wedges["flag"]) == {UNVERIFIED}
    assert wedges[wedges["reading"] != ""]["reading"].str.endswith("The observed number is unverified.").all()
    with_neodymium = table["element"].str.contains("Nd") & (table["start"] >= "2010-01-01")
    prices = table[with_neodymium & (table["variable"] == "ree_price") & ~table["element"].str.contains("PrNd")]
    assert set(prices["flag"]) == {UNVERIFIED}


def test_a_wedge_of_the_baseline_lowers_wedges_and_raises_inside_prices():
    plain, taxed = (observed.overlay(StandIn(), baseline_wedge=wedge) for wedge in (1.0, 1.25))
    ratio = (taxed["observed"] / plain["observed"]).groupby(plain["variable"]).agg(["min", "max"])
    for variable, factor in (("ree_wedge", 0.8), ("ree_mine_price", 1.25), ("ree_price", 1.0), ("ree_exports", 1.0)):
        np.testing.assert_allclose(ratio.loc[variable], factor, rtol=1e-14)
    with pytest.raises(InputError, match="give 1 or more"):
        observed.overlay(StandIn(), baseline_wedge=0.9)


def test_thin_baskets_are_left_out_unless_asked_for():
    strict, loose = (observed.overlay(StandIn(), min_coverage=least).set_index("variable") for least in (0.5, 0.0))
    assert "La" not in set(strict.loc["ree_price", "element"])
    assert "La" in set(loose.loc["ree_price", "element"])


def test_what_a_path_lacks_is_an_error():
    path = StandIn()
    del path.values["ree_mine_price"]
    with pytest.raises(LabelError, match="ree_mine_price"):
        observed.gaps(path)
    with pytest.raises(LabelError, match="no region 'USA'"):
        observed.gaps(StandIn(), supplier="USA")
    with pytest.raises(InputError, match="a path of 1 dates"):
        observed.overlay(StandIn(start="2009-01-01", end="2009-01-01"))


# Derivation


RAW = {
    "export_quota.csv": "year,period,tonnes,split,status,source\n2009,H2,100,,V,one\n2009,year,100,sum,D,two\n",
    "export_domestic_firm_licences.csv": "year,tonnes,status,source\n2005,7,V,first\n2006,6,V,same\n",
    "actual_exports.csv": "period,tonnes,usd_million,status,source\n2010-01..09,10,0.02,V,paper\n",
    "export_tax.csv": "effective_from,product,rate_percent,status,source\n2015-05-01,all,0,V,a\n2005/2007,VAT,,V,\n",
    "prices.csv": "element,date,basis,unit,low,high,status,source\nLa,2011-10,ex works China,CNY/t,1000,3000,V,wire\n",
    "wedge_fob_over_exworks.csv": "date,element,wedge,status,note\n2011-09/10,La,3.9,D,\n",
    "events.csv": "date,event,status,source\n2014-08-29,adopted,M,\n2010-07-08,quota,V,day from memory\n",
    "cny_per_usd.csv": "year,xr,status,source\n2011,4,V,table\n",
}


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    for name, text in RAW.items():
        (folder / name).write_text(text)
    return folder


def test_derivation_by_hand(raw, tmp_path):
    files = observed.build(raw, tmp_path / "out")
    found = {file.stem: file.read_text().splitlines()[1:] for file in files}
    assert found["quotas"] == [
        "export_licences_domestic,,2005-01-01,2005-12-31,7,tonnes,V,domestic firms' licences only; first",
        "export_licences_domestic,,2006-01-01,2006-12-31,6,tonnes,V,domestic firms' licences only; first",
        "export_quota,,2009-07-01,2009-12-31,100,tonnes,V,one",
    ]
    assert found["exports"][0] == "exports,,2010-01-01,2010-09-30,10,tonnes,V,paper"
    assert found["exports"][2].startswith("export_unit_value,,2010-01-01,2010-09-30,2,USD/kg,D,")
    assert found["taxes"] == ["export_tax,all,2015-05-01,2015-12-31,0,percent,V,a"]
    assert found["prices"][-1].startswith("price_ex_works,La,2011-10-01,2011-10-31,0.5,USD/kg,D,")
    assert found["wedges"][0].startswith("wedge,La,2011-09-01,2011-10-31,3.9,ratio,D,")
    assert found["events"] == [
        "2010-07-08,2010-07-08,quota,M,day from memory",
        "2014-08-29,2014-08-29,adopted,M,from memory",
    ]


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("prices.csv", ",1000,", ",cheap,", r"prices\.csv: row 2, column 'low': 'cheap' is not a finite number"),
        ("prices.csv", "ex works China", "at the mine", "row 2: basis or unit not known: at the mine"),
        ("export_tax.csv", "2015-05-01", "2013-05-01", "row 2, column 'effective_from': no end is known"),
        ("events.csv", "2014-08-29", "2014-13-29", "is not a date"),
        ("cny_per_usd.csv", "2011", "2012", "no exchange rate of 2011"),
    ],
)
def test_a_raw_cell_that_cannot_be_used_is_told_by_its_address(raw, tmp_path, file, old, new, said):
    (raw / file).write_text((raw / file).read_text().replace(old, new))
    with pytest.raises(DataError, match=said):
        observed.build(raw, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_missing_raw_tables_and_unwritable_folders_are_named(raw, tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StoreError, match="cannot be written"):
        observed.build(raw, tmp_path / "taken")
    (raw / "events.csv").unlink()
    with pytest.raises(DataError, match=r"events\.csv: there is no such file"):
        observed.build(raw, tmp_path / "out")


@pytest.mark.shared
def test_the_shipped_series_are_derived_again_to_the_last_byte(tmp_path):
    folder = os.environ.get("REESIM_SHARED_DATA")
    if not folder:
        pytest.skip("REESIM_SHARED_DATA does not name the folder of the raw tables")
    for file in observed.build(Path(folder) / "ree", tmp_path):
        assert file.read_bytes() == (observed.FOLDER / file.name).read_bytes()
