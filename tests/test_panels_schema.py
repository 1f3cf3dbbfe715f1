"""Panels of a user's: what is read, what is refused and how it is told, what is only noted."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from reesim.empirics.panels.columns import COLUMNS, template, write_template
from reesim.empirics.panels.groups import GROUPS, europe, members, mistaken
from reesim.empirics.panels.schema import FIRST, Panel, read_panel, with_zeros
from reesim.errors import DataError

GOOD = (
    "region,sic,year,count,enhancing\nUSA,3714,2010,3,1\nUSA,3714,2011,2,\nJPN,3691,2010,0.5,0.5\nJPN,3691,2011,0,0\n"
)


@pytest.fixture
def refused(tmp_path):
    """Text of the error that a file gives, without the folder."""

    def refuse(text, kind="patents", name="panel.csv", **options):
        (tmp_path / name).write_text(text)
        with pytest.raises(DataError) as told:
            read_panel(tmp_path / name, kind, **options)
        return str(told.value).replace(f"{tmp_path}/", "")

    return refuse


def panel_of(tmp_path, text, kind="patents", **options):
    (tmp_path / "panel.csv").write_text(text)
    return read_panel(tmp_path / "panel.csv", kind, **options)


def test_a_good_file_is_read_as_it_stands(tmp_path):
    panel = panel_of(tmp_path, GOOD)
    assert panel.frame["sic"].tolist() == ["3714", "3714", "3691", "3691"]
    assert panel.frame["year"].tolist() == [2010, 2011, 2010, 2011]
    assert panel.frame["count"].tolist() == [3.0, 2.0, 0.5, 0.0]
    assert panel.units == ("region", "sic")
    assert panel.outcomes == ("count", "enhancing")
    assert (panel.place, panel.industry) == ("region", "sic")
    assert panel.notes == ("1 of 4 rows have no enhancing.",)


def test_all_formats_give_the_same_panel(tmp_path):
    panel = panel_of(tmp_path, GOOD)
    (tmp_path / "panel.csv.gz").write_bytes(gzip.compress(GOOD.encode()))
    records = pd.read_csv(tmp_path / "panel.csv").to_dict("records")
    lines = "\n".join(json.dumps({key: None if cell != cell else cell for key, cell in row.items()}) for row in records)
    (tmp_path / "panel.jsonl").write_text(f"{lines}\n\n")
    pd.read_csv(tmp_path / "panel.csv").to_parquet(tmp_path / "panel.parquet")
    for name in ("panel.csv.gz", "panel.jsonl", "panel.parquet"):
        assert_frame_equal(read_panel(tmp_path / name, "patents").frame, panel.frame)


def test_order_of_columns_and_blank_lines_do_not_matter(tmp_path):
    panel = panel_of(tmp_path, "year,count,sic,region\n\n2010,3,3714,USA\n,,,\n")
    assert panel.frame.columns.tolist() == ["region", "sic", "year", "count"]
    assert len(panel) == 1


def test_all_problems_of_a_file_are_told_together_by_row_and_column(refused):
    text = refused(
        "region,sic,year,count,enhancing\nchina,3714,2010,1,2\nUSA,3715x,2010.5,-1,\nUSA,3713,10,\"1,000\",inf\n"
        ",3713,2010,x,1\nUSA,3711,2010,1,1\nUSA,3711,2010,1,1\nUSA,c5,2010,1,1\nUSA,3694,,1,1\nUSA,3694\n"
    )  # fmt: skip
    assert text.splitlines() == [
        "panel.csv: row 2: column 'enhancing': 2 is more than count, 1 (it is a part of it)",
        "panel.csv: row 2: column 'region': 'china' is not a code of a country or region (write CHN)",
        "panel.csv: row 3: column 'count': -1 is too small (should be 0 or more)",
        "panel.csv: row 3: column 'sic': no industry '3715x' (did you mean '3715'?)",
        "panel.csv: row 3: column 'year': 2010.5 is not a year (a whole number, 1900 to 2100)",
        "panel.csv: row 4: column 'count': '1,000' is not a finite number (no separators of thousands)",
        "panel.csv: row 4: column 'enhancing': 'inf' is not a finite number (give a number, or leave it empty)",
        "panel.csv: row 4: column 'year': 10 is not a year (a whole number, 1900 to 2100)",
        "panel.csv: row 5: column 'count': 'x' is not a finite number (give a number, or leave it empty)",
        "panel.csv: row 5: column 'region': the cell is empty (give a code)",
        "panel.csv: row 7: USA, 3711, 2010 stands twice, first in row 6 (keep one, or add them up)",
        "panel.csv: row 8: column 'sic': 'c5' is a code of WIOD, most others are of SIC 1987 (keep to one classification)",
        "panel.csv: row 9: column 'year': the cell is empty (give a year)",
        "panel.csv: row 10: 2 columns where the header has 5 (quote texts with commas)",
    ]


def test_problems_beyond_the_first_are_counted(refused):
    rows = "".join(f"USA,3714,{1990 + k},-1\n" for k in range(FIRST + 7))
    lines = refused(f"region,sic,year,count\n{rows}").splitlines()
    assert len(lines) == FIRST + 1
    assert lines[-1] == "... and 7 more problems"


@pytest.mark.parametrize(
    ("text", "kind", "name", "said"),
    [
        ("", "patents", "a.csv", "a.csv: the file is empty"),
        ("region,sic,year,count\n", "patents", "a.csv", "a.csv: there are no rows below the header"),
        ("region;sic;year;count\n", "patents", "a.csv", "separate columns by commas"),
        ("region,sic,year,counts\nUSA,3714,2010,1\n", "patents", "a.csv", "no column 'count' (is it 'counts'? rename it)"),
        ("country,industry,year\nUSA,c3,2010\n", "exports", "a.csv", "no outcome (give a column value or growth)"),
        ("country,industry,year,year,value\nUSA,c3,1,1,1\n", "exports", "a.csv", "column 'year' stands twice (keep one)"),
        ("country,industry,year,level\nUSA,c3,2010,0\n", "productivity", "a.csv", "0 is too small (should be above 0)"),
        ("country,industry,product,year,value\nUSA,c3,10121,2010,1\n", "exports", "a.csv", "(is it 010121, as text?)"),
        ('{"region": "USA"}\n[1]\n', "patents", "a.jsonl", "a.jsonl: no column 'sic'"),
        ("x\n", "patents", "a.jsonl", "a.jsonl: line 1: not JSON"),
        ("x", "patents", "a.parquet", "a.parquet: not a Parquet file"),
        ("x", "patents", "a.xlsx", "give .csv, .csv.gz, .jsonl, .jsonl.gz or .parquet"),
        ("x", "patents", "a.csv.gz", "a.csv.gz: it cannot be read as UTF-8 text"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_panel_is_refused_with_what_to_do(refused, text, kind, name, said):
    assert said in refused(text, kind, name)


def test_there_is_no_such_file_or_kind(tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        read_panel(tmp_path / "none.csv", "patents")
    with pytest.raises(DataError, match="no panel of kind 'trade'; known: patents, exports, productivity"):
        panel_of(tmp_path, GOOD, "trade")


def test_parquet_without_its_package_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "a.parquet").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"needs pyarrow: pip install 'reesim\[empirics\]'"):
        read_panel(tmp_path / "a.parquet", "patents")


def test_controls_are_kept_and_must_be_there(tmp_path, refused):
    text = "country,industry,year,level,gdp,other\nUSA,c3,2010,1,7,2\nUSA,c4,2010,1,8,2\n"
    panel = panel_of(tmp_path, text, "productivity", controls=["gdp"])
    assert panel.frame["gdp"].tolist() == [7.0, 8.0]
    assert panel.controls == ("gdp",)
    assert "Columns that are not used: other." in tuple(panel.lines())
    assert "no column 'gpd' (did you mean 'gdp'?)" in refused(text, "productivity", controls=["gpd"])


def test_industries_of_ones_own(tmp_path, refused):
    text = "country,industry,year,value\nUSA,magnets,2010,1\n"
    assert "no industry 'magnets'" in refused(text, "exports")
    assert len(panel_of(tmp_path, text, "exports", industries=["magnets", "motors"])) == 1
    assert "did you mean 'magnet'?" in refused(text, "exports", industries=["magnet"])


def test_gaps_are_years_that_others_have(tmp_path):
    text = (
        "region,sic,year,count\nUSA,3714,2006,1\nUSA,3714,2010,1\nJPN,3691,2006,1\nJPN,3691,2008,1\nJPN,3691,2010,1\n"
    )
    assert panel_of(tmp_path, text).notes == (
        "1 of 2 units have gaps, 1 years in all: a row that is missing is not a zero.",
    )
    assert panel_of(tmp_path, text.replace("JPN,3691,2008,1\n", "")).notes == ()


def test_industries_outside_manufacturing_are_noted(tmp_path):
    panel = panel_of(tmp_path, "region,sic,year,count\nUSA,3714,2010,1\nUSA,1099,2010,1\n")
    assert panel.notes == ("1 rows are of industries outside manufacturing.",)


def test_zeros_fill_what_a_list_of_patents_leaves_out(tmp_path):
    panel = panel_of(tmp_path, "region,sic,year,count,x\nUSA,3714,2010,3,\nUSA,3714,2012,1,\nJPN,3691,2011,2,\n")
    assert len(panel.notes) == 2
    full = with_zeros(panel)
    assert len(full) == 2 * 3
    assert full.frame["count"].sum() == panel.frame["count"].sum()
    assert full.frame.set_index(["region", "year"])["count"]["JPN", 2010] == 0.0
    # The gap that was noted is closed; what was said of the file is still true.
    assert full.notes == ("Columns that are not used: x.", "3 rows of zero patents were added.")
    assert_frame_equal(with_zeros(full).frame, full.frame)


def test_a_panel_made_in_python_passes_the_same_checks():
    frame = pd.DataFrame({"region": ["USA", "US"], "sic": ["3714", "3714"], "year": [2010, 2010], "count": [1, -1]})
    with pytest.raises(DataError, match="by hand: row 2: column 'count'") as told:
        Panel("patents", frame, "by hand")
    assert "write USA" in str(told.value)
    good = frame.iloc[:1].set_index(pd.Index(["any"]))
    panel = Panel("patents", good, "by hand", "all of it")
    assert list(panel.lines()) == [
        "Panel of patents: 1 rows, 1 units, 2010 to 2010. Source: by hand.",
        "Unverified: all of it.",
    ]
    assert good.index.tolist() == ["any"]


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_template_has_every_column_and_is_refused_only_for_being_empty(kind, tmp_path):
    file = write_template(kind, tmp_path / "empty.csv", ("gdp",))
    assert file.read_text() == template(kind, ("gdp",))
    assert template(kind).strip().split(",") == [column.name for column in COLUMNS[kind]]
    with pytest.raises(DataError) as told:
        read_panel(file, kind, ["gdp"])
    assert str(told.value) == f"{file}: there are no rows below the header"


def test_groups():
    codes = ["CHN", "USA", "DEU", "EUR", "JPN", "IND", "ROM"]
    found = {group: members(codes, group) for group in GROUPS}
    assert found["ALL"] == tuple(codes)
    assert found["NONCHN"] == ("USA", "DEU", "EUR", "JPN", "IND", "ROM")
    assert found["EUR"] == ("DEU", "EUR", "ROM")
    assert [found[group] for group in ("USA", "JPN", "CHN")] == [("USA",), ("JPN",), ("CHN",)]
    assert len(europe()) == 27 + 3  # the members, the region by its two names, and Romania's second code
    with pytest.raises(DataError, match="no group 'ASIA'"):
        members(codes, "ASIA")


@pytest.mark.parametrize(
    ("code", "meant"), [("CN", "CHN"), ("156", "CHN"), ("Japan", "JPN"), ("usa", "USA"), ("World", "ROW")]
)
def test_codes_that_would_land_in_the_wrong_group_are_refused(code, meant):
    assert f"write {meant}" in mistaken(code)
    assert mistaken(meant) == ""


def test_columns_are_documented():
    text = (Path(__file__).parents[1] / "docs" / "panels.md").read_text(encoding="utf-8")
    for columns in COLUMNS.values():
        for column in columns:
            assert f"`{column.name}`" in text
