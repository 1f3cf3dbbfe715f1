"""Imports of rare earths and exports by product, on small invented files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from reesim.empirics.panels import imports, products
from reesim.errors import DataError

HEADER = "reporter,partner,year,hs,value_usd,quantity_kg\n"
INVENTED = HEADER + (
    "JPN,CHN,2009,280530,4000000,200000\n"
    "JPN,CHN,2009,284690,1000000,100000\n"
    "USA,CHN,2009,284610,3000000,500000\n"
    "JPN,CHN,2011,280530,30000000,100000\n"
    "USA,CHN,2011,28461000,6000000,\n"
    "DEU,FRA,2009,280530,777,7\n"
    "DEU,CHN,2009,850511,999,9\n"
)
"""Not data: numbers made up for these tests."""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "invented.csv"
    path.write_text(INVENTED)
    return path


def test_yearly_sums_by_hand(file):
    found = imports.read_imports(file)
    whole, japan = found.of("all"), found.of("JPN")
    assert whole.index.tolist() == [2009, 2010, 2011]
    assert_allclose(whole["value_musd"], [8.0, 0.0, 36.0])
    assert_allclose(whole["quantity_kt"], [0.8, 0.0, 0.1])
    # 8 million USD over 800 t; nothing in 2010; in 2011 the flow without a weight is in neither part of the ratio.
    assert_allclose(whole["unit_value"], [10.0, np.nan, 300.0])
    assert_allclose(japan["value_musd"], [5.0, 0.0, 30.0])
    assert_allclose(japan["unit_value"], [5.0 / 0.3, np.nan, 300.0])
    assert found.notes == (
        "2 of 7 flows are of other products or from elsewhere.",
        "1 flows have no weight, 14 % of the value: quantities leave them out, unit values too.",
        "No flows of 360690.",
    )


def test_products_origin_and_importers_can_be_chosen(file):
    found = imports.read_imports(file, products=["280530"], importers=["USA", "JPN"])
    assert found.annual["importer"].unique().tolist() == ["all", "USA", "JPN"]
    assert_allclose(found.of("USA")["value_musd"], 0.0)
    assert_allclose(found.of("all")["value_musd"], found.of("JPN")["value_musd"])
    assert_allclose(imports.read_imports(file, origin="FRA").of("all")["value_musd"], 777e-6)
    with pytest.raises(DataError, match="no imports from MYS of 280530, 284610"):
        imports.read_imports(file, origin="MYS")
    with pytest.raises(DataError, match="no products to count"):
        imports.read_imports(file, products=[])


def test_order_of_rows_does_not_matter(file, tmp_path):
    header, *rows = INVENTED.splitlines()
    other = tmp_path / "other.csv"
    other.write_text("\n".join([header, *reversed(rows)]))
    pd.testing.assert_frame_equal(imports.read_imports(other).annual, imports.read_imports(file).annual)


def test_problems_of_a_file_are_told_together(tmp_path):
    path = tmp_path / "wrong.csv"
    path.write_text(
        HEADER + "WLD,CHN,2009,280530,1,1\nJPN,China,2009,280530,1,1\nJPN,CHN,2009.5,280530,1,1\nJPN,CHN,2009,28053,1,1\n"
        "USA,CHN,2009,280530,,1\nUSA,CHN,2010,280530,-1,x\nDEU,CHN,2010,280530,1,1\nDEU,CHN,2010,280530,1,1\n"
    )  # fmt: skip
    with pytest.raises(DataError) as told:
        imports.read_imports(path)
    assert [line.removeprefix(f"{path}: ") for line in str(told.value).splitlines()] == [
        "row 2: column 'reporter': WLD is no single country (leave it out: it would count twice)",
        "row 3: column 'partner': 'China' is not a code of a country or region (write CHN)",
        "row 4: column 'year': 2009.5 is not a year (a whole number, 1900 to 2100)",
        "row 5: column 'hs': '28053' is not a code of six, eight or ten digits (keep leading zeros)",
        "row 6: column 'value_usd': the cell is empty (give 0 or leave the row out)",
        "row 7: column 'quantity_kg': 'x' is not a finite number (give a number, or leave it empty)",
        "row 7: column 'value_usd': -1 is too small (should be 0 or more)",
        "row 9: DEU, CHN, 2010, 280530 stands twice, first in row 8 (keep one, or add them up)",
    ]
    path.write_text("reporter,year\nJPN,2009\n")
    with pytest.raises(
        DataError, match="no column partner, hs, value_usd, quantity_kg; it should have reporter, partner"
    ):
        imports.read_imports(path)


def test_the_exercise_writes_a_table_and_two_figures(file, tmp_path):
    report = imports.run(tmp_path, file)
    assert [path.name for path in report.files] == [
        "ree_imports.csv", "ree_import_quantities.png", "ree_import_values.png",
    ]  # fmt: skip
    again = pd.read_csv(tmp_path / "ree_imports.csv")
    pd.testing.assert_frame_equal(again, report.imports.annual, check_dtype=False)
    for path in report.files[1:]:
        assert path.read_bytes().startswith(b"\x89PNG")
    text = "\n".join(report.lines())
    assert "Imports of rare earths from CHN by all countries. Source: invented.csv." in text
    assert "2 of 7 flows" in text
    bare = imports.run(tmp_path, file, figures=False)
    assert len(bare.files) == 1


def test_figures_show_what_the_table_says(file):
    from reesim.empirics.panels import figures

    found = imports.read_imports(file)
    for make, column in ((figures.quantities, "quantity_kt"), (figures.values, "value_musd")):
        upper, lower = make(found).axes
        assert_allclose(upper.lines[0].get_ydata(), found.of("all")[column])
        assert_allclose([bar.get_height() for bar in upper.patches], found.of("JPN")[column])
        assert_allclose(lower.lines[0].get_ydata(), found.of("all")["unit_value"])


# --- exports by product ---------------------------------------------------------------------------------------------

TRADE = (
    "country,product,year,value\nUSA,850511,2009,10\nUSA,850511,2010,20\nUSA,870830,2009,6\nUSA,870830,2010,3\n"
    "USA,010121,2009,4\nUSA,010121,2010,4\n"
)


@pytest.fixture
def trade(tmp_path):
    def write(concordance="product,industry,weight\n8505,3499,0.25\n8505,3691,0.75\n870830,3714,1\n"):
        (tmp_path / "trade.csv").write_text(TRADE)
        (tmp_path / "links.csv").write_text(concordance)
        return products.read_products(tmp_path / "trade.csv", products.read_concordance(tmp_path / "links.csv"))

    return write


def test_products_take_the_industries_of_their_longest_prefix(trade):
    panel = trade()
    frame = panel.frame.set_index(["industry", "product", "year"])
    assert frame["value"]["3499", "850511", 2010] == 5.0
    assert frame["value"]["3691", "850511", 2010] == 15.0
    assert_allclose(frame["growth"].xs(2010, level="year").xs("850511", level="product"), np.log(2.0))
    assert_allclose(frame["growth"]["3714", "870830", 2010], -np.log(2.0))
    assert panel.units == ("country", "industry", "product")
    assert "1 products without an industry, 17 % of the value, are left out: 010121." in panel.notes


def test_adding_products_up_keeps_the_value(trade):
    panel = trade()
    whole = products.by_industry(panel)
    assert_allclose(whole.frame.groupby("year")["value"].sum(), panel.frame.groupby("year")["value"].sum(), rtol=1e-15)
    assert whole.units == ("country", "industry")
    with pytest.raises(DataError, match="only exports by product"):
        products.by_industry(whole)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("product,sic\n8505,3499\n", "no column industry"),
        ("product,industry\n8505,3499\n8505,3691\n", "weights add to 2, not 1"),
        ("product,industry\n8505,3499\n8505,3499\n", "row 3: 8505, 3499: once only"),
        ("product,industry\nx,3499\n", "row 2: 'x', '3499': give two to ten digits"),
        ("product,industry,weight\n8505,3499,much\n", "row 2, column 'weight'"),
        ("product,industry\n99,3499\n", "no product has an industry in links.csv"),
    ],
)  # fmt: skip
def test_concordances_that_cannot_be_used(trade, text, said):
    with pytest.raises(DataError, match=said):
        trade(text)


def test_problems_of_a_file_of_products(tmp_path, trade):
    trade()
    links = products.read_concordance(tmp_path / "links.csv")
    (tmp_path / "bad.csv").write_text("country,product,year,value\nUS,8505,2009,-1\n")
    with pytest.raises(DataError) as told:
        products.read_products(tmp_path / "bad.csv", links)
    assert "row 2: column 'country': 'US'" in str(told.value)
    assert "row 2: column 'value': -1 is too small" in str(told.value)
    (tmp_path / "bad.csv").write_text("country,hs,year,value\nUSA,8505,2009,1\n")
    with pytest.raises(DataError, match="no column product"):
        products.read_products(tmp_path / "bad.csv", links)
