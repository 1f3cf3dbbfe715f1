"""The export panel: what counts as exports, growth, sensitivity by industry, the shipped table."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal

from reesim.data import tables, wiod
from reesim.empirics.iotable.concordance import sectors_of
from reesim.empirics.iotable.outputs import shipped
from reesim.empirics.panels import exports
from reesim.empirics.panels.groups import members
from reesim.empirics.panels.growth import annual_growth, window_growth
from reesim.errors import DataError

UNITS = ("country", "industry")
SAME = {
    "c3": "FOO", "c9": "CHE", "c10": "RUB", "c11": "NMM", "c12": "MET", "c13": "MAC", "c14": "ELE", "c15": "TRA", "c16": "FUR",
}  # fmt: skip
"""Industries that are a sector of the model each."""

PAIRS = {"TEX": ["c4", "c5"], "WOO": ["c6", "c7"]}
SIX_DIGITS = 1e-5
"""The shipped scores are written with six significant digits."""


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return exports.read()


@pytest.fixture(scope="module")
def panel():
    return exports.exports_panel()


def series(values, first=2000, **keys) -> pd.DataFrame:
    rows = {"country": "AAA", "industry": "c3", **keys}
    return pd.DataFrame({**rows, "year": range(first, first + len(values)), "value": np.asarray(values, dtype=float)})


# --- growth ---------------------------------------------------------------------------------------------------------


def test_constant_growth_is_found_whatever_the_scale_and_order():
    frame = series(7.0 * np.exp(0.03 * np.arange(6)))
    growth, notes = annual_growth(frame, UNITS)
    assert np.isnan(growth[0])
    assert notes == ()
    assert_allclose(growth[1:], 0.03, rtol=1e-12)  # rounding of a logarithm near 2
    shuffled = frame.sample(frac=1.0, random_state=1)
    again, _ = annual_growth(shuffled.assign(value=1e6 * shuffled["value"]), UNITS)
    assert_allclose(again.sort_index()[1:], 0.03, rtol=1e-10)  # logarithms near 16 lose a digit


def test_growth_does_not_jump_over_gaps_nor_from_one_unit_to_the_next():
    frame = pd.concat([series([1.0, 2.0, 4.0, 8.0]).drop(index=2), series([5.0], country="BBB")], ignore_index=True)
    growth, _ = annual_growth(frame, UNITS)
    assert_allclose(growth, [np.nan, np.log(2.0), np.nan, np.nan])


def test_flows_that_begin_or_end_have_no_growth_in_logs_and_are_counted():
    frame = series([0.0, 0.0, 3.0, 4.0, 0.0])
    growth, notes = annual_growth(frame, UNITS)
    assert_allclose(growth, [np.nan, np.nan, np.nan, np.log(4.0 / 3.0), np.nan])
    assert notes == ("1 pairs of zeros have no growth; 1 flows that begin and 1 that end have no growth in logs.",)
    midpoint, notes = annual_growth(frame, UNITS, measure="midpoint")
    assert_allclose(midpoint, [np.nan, np.nan, 2.0, 2.0 / 7.0, -2.0])
    assert "count as growth of 2 and −2" in notes[0]


def test_the_two_measures_agree_to_third_order():
    gaps = []
    for g in (0.2, 0.1):
        frame = series([1.0, np.exp(g)])
        log, midpoint = (annual_growth(frame, UNITS, measure=measure)[0][1] for measure in ("log", "midpoint"))
        gaps.append(log - midpoint)
    # 2 tanh(g/2) = g − g³/12 + ...: halving g divides the gap by 8, but for terms of fifth order.
    assert_allclose(gaps[0], 0.2**3 / 12.0, rtol=0.01)
    assert_allclose(gaps[0] / gaps[1], 8.0, rtol=0.01)


def test_growth_of_a_window_is_the_mean_of_its_years():
    frame = series([1.0, 1.5, 1.2, 3.0, 2.0])
    growth, _ = annual_growth(frame, UNITS)
    windows, notes = window_growth(frame, UNITS, {"pre": (2000, 2002), "post": (2002, 2004), "none": (1999, 2001)})
    assert windows["year"].tolist() == [2002, 2004, 2001]
    assert_allclose(windows["growth"], [growth[1:3].mean(), growth[3:5].mean(), np.nan])
    assert notes == ()
    with pytest.raises(DataError, match="window 'back': 2000 is not after 2004"):
        window_growth(frame, UNITS, {"back": (2004, 2000)})


def test_unknown_measure():
    with pytest.raises(DataError, match="no measure of growth 'percent'; known: log, midpoint"):
        annual_growth(series([1.0, 2.0]), UNITS, measure="percent")  # type: ignore[arg-type]


# --- exports from a table -------------------------------------------------------------------------------------------


def raw_table(regions=("AAA", "BBB", "RoW")) -> wiod.RawTable:
    """Whole numbers that tell apart origin, industry and destination; five categories of final demand."""
    industries = tuple(f"c{number}" for number in range(1, 18))
    n, s = len(regions), len(industries)
    draw = np.random.default_rng(5)
    flows = draw.integers(0, 50, (n, s, n, s)).astype(float)
    return wiod.RawTable(2003, regions, industries, flows, draw.integers(-2, 50, (n, s, n, 5)).astype(float))


def test_exports_are_sales_to_all_other_regions():
    raw = raw_table()
    found = exports.exports_of(raw)
    assert found.columns.tolist() == ["country", "industry", "year", "value"]
    assert sorted(found["country"].unique()) == ["AAA", "BBB"]
    assert len(found) == 2 * 14
    place = raw.industries.index("c5")
    expected = sum(
        raw.intermediate_jsik[1, place, buyer].sum() + raw.final_jsic[1, place, buyer].sum() for buyer in (0, 2)
    )
    value = found.set_index(["country", "industry"])["value"]["BBB", "c5"]
    assert value == expected  # sums of whole numbers are exact


def test_what_stays_at_home_does_not_matter():
    raw = raw_table()
    other = raw_table()
    for j in range(3):
        other.intermediate_jsik[j, :, j] *= 7.0
        other.final_jsic[j, :, j] += 1.0
    assert_frame_equal(exports.exports_of(other), exports.exports_of(raw))


def test_a_table_without_the_industries_is_refused():
    raw = raw_table()
    short = wiod.RawTable(
        2003, raw.regions, ("c1", *(f"x{k}" for k in range(16))), raw.intermediate_jsik, raw.final_jsic
    )
    with pytest.raises(DataError, match="2003 has no industries c3, c4"):
        exports.exports_of(short)


def test_written_is_read(tmp_path, table):
    part = table[table["country"].isin(["CHN", "MLT"])].reset_index(drop=True)
    file = exports.write(part.sample(frac=1.0, random_state=2), tmp_path / "out.csv")
    assert_frame_equal(exports.read(file), part)


def test_a_damaged_table_is_refused(tmp_path):
    file = tmp_path / "exports.csv"
    file.write_text("country,industry,1995\nAAA,c3,many\n")
    with pytest.raises(DataError, match="row 2, column '1995'"):
        exports.read(file)
    file.write_text("country,sector,1995\nAAA,c3,1\n")
    with pytest.raises(DataError, match="the header should be country,industry and years"):
        exports.read(file)


# --- the shipped table ----------------------------------------------------------------------------------------------


def test_the_shipped_table_is_whole(table):
    assert len(table) == 40 * 14 * 17
    assert exports.REST not in set(table["country"])
    assert tuple(table["industry"].unique()) == exports.MANUFACTURING
    assert sorted(table["year"].unique()) == list(exports.YEARS)
    assert len(members(table["country"], "EUR")) == 27
    assert len(members(table["country"], "NONCHN")) == 39


def test_countries_that_are_regions_of_the_model_export_what_the_embedded_table_says(table):
    """The table of 2009 with five regions was built by other code, from the same source."""
    world = tables.embedded()
    sold_jsi = world.intermediate_jsik.sum(axis=3) + world.final_jsi
    value = table[table["year"] == 2009].set_index(["country", "industry"])["value"]
    whole = {sector: [code] for code, sector in SAME.items()} | PAIRS
    for country in ("CHN", "JPN", "USA"):
        j = world.regions.index(country)
        for sector, codes in whole.items():
            s = world.sectors.index(sector)
            abroad = sold_jsi[j, s].sum() - sold_jsi[j, s, j]
            assert_allclose(sum(value[country, code] for code in codes), abroad, rtol=1e-12)  # whole numbers


def test_the_panel_counts_what_it_leaves_out(panel, table):
    assert int((table["value"] < 0.0).sum()) == 54
    assert panel.notes[0] == "54 values below zero (changes in stocks) count as missing."
    frame = panel.frame.set_index([*UNITS, "year"])
    assert frame["growth"].xs(1995, level="year").isna().all()
    assert_allclose(
        frame["growth"]["JPN", "c15", 2010],
        np.log(frame["value"]["JPN", "c15", 2010] / frame["value"]["JPN", "c15", 2009]),
    )
    assert int(frame["growth"].notna().sum()) == 9520 - 695


def test_windows_add_up_to_the_whole_period():
    both = exports.window_panel().frame.set_index([*UNITS, "year"])["growth"]
    whole = exports.window_panel({"whole": (1995, 2011)}).frame.set_index([*UNITS, "year"])["growth"]
    pre, post = (both.xs(year, level="year") for year in (2009, 2011))
    there = pre.notna() & post.notna()
    assert there.sum() > 500
    assert_allclose((14.0 * pre + 2.0 * post)[there], 16.0 * whole.xs(2011, level="year")[there], atol=1e-12)


@pytest.mark.shared
@pytest.mark.skipif("REESIM_SHARED_DATA" not in os.environ, reason="raw public tables are not here")
def test_the_shipped_table_is_what_the_raw_tables_give(table):
    folder = Path(os.environ["REESIM_SHARED_DATA"]) / "wiod2013"
    for year in (1995, 2011):
        again = exports.build(folder, range(year, year + 1))
        assert_frame_equal(again, table[table["year"] == year].reset_index(drop=True), check_dtype=False)


# --- sensitivity ----------------------------------------------------------------------------------------------------


def test_industries_that_are_sectors_have_their_sensitivity():
    found = exports.sensitivity()
    sectors = shipped()["sectors"].set_index("sector")["sensitivity"]
    assert tuple(found.index) == exports.MANUFACTURING
    for code, sector in SAME.items():
        assert_allclose(found[code], sectors[sector], rtol=SIX_DIGITS)
    for sector, pair in PAIRS.items():
        low, high = sorted(found[code] for code in pair)
        assert low < sectors[sector] < high


def test_sensitivity_is_a_mean_by_output():
    prefixes = [311, 313, 316, 321, 322, 324, 325, 326, 327, 331, 333, 334, 336, 337]
    codes = [*(f"{prefix}0A0" for prefix in prefixes), "3122A0", "111CA0"]
    measured = pd.DataFrame(
        {"industry": codes, "output_usd": [1.0] * 14 + [3.0, 100.0], "sensitivity": [2.0] * 14 + [6.0, 1e6]}
    )
    found = exports.sensitivity(measured)
    assert found["c3"] == (1.0 * 2.0 + 3.0 * 6.0) / 4.0
    assert (found.drop("c3") == 2.0).all()
    with pytest.raises(DataError, match="no sensitivity for industries c16"):
        exports.sensitivity(measured[measured["industry"] != "3370A0"])


def test_every_manufacturing_industry_of_the_benchmark_table_has_one_of_wiod():
    prefixes = exports.wiod_prefixes()
    codes = shipped()["industries"]["industry"]
    made = codes[codes.str.startswith("3")]
    assert set(sectors_of(made, prefixes)) == set(exports.MANUFACTURING)
    assert set(sectors_of(codes[codes.str.startswith(("4", "6", "7", "8"))], prefixes)) == {""}
