from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from reesim.data import tables, wiod
from reesim.data.tables import Grouping
from reesim.errors import DataError

openpyxl = pytest.importorskip("openpyxl")
rdata = pytest.importorskip("rdata")

REGIONS = ("AUS", "CHN", "RoW")
INDUSTRIES = ("c1", "c2")
FINAL = ("c37", "c38", "c39", "c41", "c42")
CELLS = len(REGIONS) * len(INDUSTRIES)


@pytest.fixture
def numbers():
    """Flows, final demand and output of three regions and two industries, whole numbers, two negative inventories."""
    rng = np.random.default_rng(5)
    flows = rng.integers(1, 500, (CELLS, CELLS)).astype(float)
    final = rng.integers(1, 500, (CELLS, len(REGIONS) * len(FINAL))).astype(float)
    final[0, 4], final[3, 9] = -7.0, -11.0
    return flows, final, flows.sum(axis=1) + final.sum(axis=1)


def write_xlsx(file, numbers, *, above=2, left=0, title="WIOT_2009", change=None):
    """Write a workbook laid out like the public one: four label rows and columns, the flows, the totals below."""
    flows, final, output = numbers
    keys = [(region, code) for region in REGIONS for code in INDUSTRIES]
    heads = [*keys, *((region, code) for region in REGIONS for code in FINAL), ("TOT", "c99")]
    pad = [None] * left
    rows = [[*pad, "Intercountry Input-Output Table"], *([] for _ in range(above - 1))]
    rows += [[*pad, None, None, None, None, *(f"N{code}" for _, code in heads)]]
    rows += [[*pad, "(industry-by-industry)", None, None, None, *(f"name of {code}" for _, code in heads)]]
    rows += [[*pad, "(current prices)", None, None, None, *(region for region, _ in heads)]]
    rows += [[*pad, "(million US$)", None, None, None, *(code for _, code in heads)]]
    for r, (region, code) in enumerate(keys):
        rows.append([*pad, f"N{code}", f"name of {code}", region, code, *flows[r], *final[r], output[r]])
    for code, name in (("r60", "Total intermediate consumption"), ("r64", "Value added"), ("r69", "Output")):
        rows.append([*pad, code, name, "TOT", code, *np.append(flows.sum(axis=0), final.sum(axis=0)), 0.0])
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = title
    for row in rows:
        sheet.append(row)
    if change:
        change(sheet)
    book.save(file)
    book.close()
    return file


def write_rdata(file, numbers, year=2009):
    flows, final, output = numbers
    table = {
        "year": np.array([year], dtype=np.int32),
        "countries": np.array(REGIONS),
        "industries": np.array(INDUSTRIES),
        "final": final.astype(np.int32),
        "output": output.astype(np.int32),
        "inter": flows.astype(np.int32),
    }
    rdata.write_rda(file, {f"wiot_{year}": table})
    return file


def maps(folder):
    (folder / "regions.csv").write_text("code_from,code,name\nCHN,CHN,China\nAUS,ROW,Others\nRoW,ROW,Others\n")
    (folder / "sectors.csv").write_text("code_from,code,name\nc1,ALL,Everything\nc2,ALL,Everything\n")
    return folder / "regions.csv", folder / "sectors.csv"


def test_both_forms_give_the_same_raw_table(tmp_path, numbers):
    workbook = wiod.read(write_xlsx(tmp_path / "wiot09_row_apr12.xlsx", numbers), 2009)
    packed = wiod.read(write_rdata(tmp_path / "wiot_2009.RData", numbers), 2009)
    for raw in (workbook, packed):
        assert (raw.year, raw.regions, raw.industries, raw.negatives) == (2009, REGIONS, INDUSTRIES, 2)
        assert np.array_equal(raw.intermediate_jsik.reshape(CELLS, CELLS), numbers[0])
        assert np.array_equal(raw.final_jsic.reshape(CELLS, -1), numbers[1])


@pytest.mark.parametrize(("above", "left"), [(1, 0), (5, 0), (2, 2)])
def test_labels_are_found_wherever_they_stand(tmp_path, numbers, above, left):
    file = write_xlsx(tmp_path / "wiot09_row_sep12.xlsx", numbers, above=above, left=left)
    raw = wiod.read(file, 2009)
    assert raw.regions == REGIONS
    assert np.array_equal(raw.intermediate_jsik.reshape(CELLS, CELLS), numbers[0])


def test_building_sums_over_the_maps_and_saves(tmp_path, numbers):
    file = write_xlsx(tmp_path / "wiot09_row_apr12.xlsx", numbers)
    regions, sectors = maps(tmp_path)
    table = wiod.build(file, 2009, tmp_path / "out", regions, sectors)
    assert table.regions.codes == ("CHN", "ROW")
    flows, final, output = numbers
    china = slice(2, 4)
    assert table.intermediate_jsik[0, 0, 0, 0] == flows[china, china].sum()
    assert table.final_jsi[0, 0, 1] == final[china, :5].sum() + final[china, 10:].sum()
    assert table.output_js.sum() == output.sum()
    assert "2 negative raw cells of final demand kept in the sums" in table.source
    assert table.command.endswith("--regions regions.csv --sectors sectors.csv")
    assert tables.load(tmp_path / "out").hash() == table.hash()


@pytest.fixture
def sunk(tmp_path, numbers):
    """A file in which ten thousand are drawn from stock in one cell, and maps that keep every label."""
    numbers[1][2, 9] -= 10_000.0
    numbers[2][2] -= 10_000.0
    for kind, codes in (("regions", REGIONS), ("sectors", INDUSTRIES)):
        rows = [f"{code},{code},{code}" for code in codes]
        (tmp_path / f"{kind}.csv").write_text("\n".join(["code_from,code,name", *rows]) + "\n")
    return write_rdata(tmp_path / "wiot_2009.RData", numbers), tmp_path / "regions.csv", tmp_path / "sectors.csv"


def test_a_negative_sum_is_refused_by_name_after_telling_what_was_netted(tmp_path, sunk):
    file, *maps = sunk
    with pytest.raises(DataError, match=r"3 negative raw cells.*: 2 cells are negative: flow\[CHN to CHN, c1\] = -"):
        wiod.build(file, 2009, tmp_path / "out", *maps)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("how", ["zero", "produce"])
def test_a_treated_table_is_a_composite_one_that_says_what_was_done(tmp_path, sunk, how):
    file, *maps = sunk
    table = wiod.build(file, 2009, tmp_path / "out", *maps, negatives=how)
    assert table.trade_jis.min() == 0.0
    assert table.final_is.min() >= 0.0
    assert table.value_added_is.min() > 0.0
    assert f"negatives {how}" in " ".join(table.treatments)
    assert table.command.endswith(f"--sectors sectors.csv --negatives {how}")
    again = tables.load(tmp_path / "out")
    assert (again.hash(), again.treatments) == (table.hash(), table.treatments)


def test_the_file_of_a_year_is_found_in_a_folder_in_either_form(tmp_path, numbers):
    with pytest.raises(DataError, match=r"no wiot_2009\.RData and no wiot09_row_\*\.xlsx"):
        wiod.find(tmp_path, 2009)
    workbook = tmp_path / "WIOT09_ROW_Sep12.xlsx"
    workbook.touch()
    assert wiod.find(tmp_path, 2009) == workbook
    packed = tmp_path / "wiot_2009.RData"
    packed.touch()
    assert wiod.find(tmp_path, 2009) == packed
    assert wiod.find(workbook, 2009) == workbook
    (tmp_path / "wiot.csv").touch()
    with pytest.raises(DataError, match=r"not a \.RData or \.xlsx file"):
        wiod.find(tmp_path / "wiot.csv", 2009)
    with pytest.raises(DataError, match="no such file or folder"):
        wiod.find(tmp_path / "nowhere", 2009)


@pytest.mark.parametrize("form", ["xlsx", "RData"])
def test_a_table_of_another_year_is_refused(tmp_path, numbers, form):
    if form == "xlsx":
        file = write_xlsx(tmp_path / "wiot10_row_sep12.xlsx", numbers, title="WIOT_2010")
    else:
        file = write_rdata(tmp_path / "some.RData", numbers, 2010)
    with pytest.raises(DataError, match="holds the year 2010, not 2009"):
        wiod.read(file, 2009)


@pytest.mark.parametrize("name", ["wiot_2009.RData", "wiot09_row_apr12.xlsx"])
@pytest.mark.parametrize("content", [b"", b"not a table", b"PK\x03\x04broken", b"RDX3\nbroken"])
def test_a_file_of_another_kind_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=name.replace(".", r"\.")):
        wiod.read(tmp_path / name, 2009)


def test_a_damaged_file_is_refused(tmp_path, numbers):
    file = write_rdata(tmp_path / "wiot_2009.RData", numbers)
    file.write_bytes(file.read_bytes()[:-60])
    with pytest.raises(DataError, match="not an R file"):
        wiod.read(file, 2009)


def set_cell(address, value):
    return lambda sheet: sheet.__setitem__(address, value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        # Numbers begin in column E and row 7: two rows above, four label rows.
        (set_cell("F8", "n.a."), "cell F8 holds 'n.a.', not a number"),
        (set_cell("F8", None), "cell F8 holds None"),
        (set_cell("F8", 1e6), "row of AUS c2 misses its published output"),
        (set_cell("D8", "c1"), "not the same industries in the same order"),
        (set_cell("F6", "c7"), "missing: AUS c2"),
        (set_cell("K6", "c1"), "final demand found: c38, c39, c41, c42"),
        (lambda sheet: sheet.delete_rows(6), "no row of industry codes|no label columns"),
        (lambda sheet: sheet.delete_cols(3), "no label columns with region"),
        (lambda sheet: sheet.delete_cols(26), "one column of total output beside the flows, found 0"),
    ],
)
def test_a_workbook_of_another_layout_is_refused_with_its_address(tmp_path, numbers, change, said):
    file = write_xlsx(tmp_path / "wiot09_row_apr12.xlsx", numbers, change=change)
    with pytest.raises(DataError, match=said):
        wiod.read(file, 2009)


@pytest.mark.parametrize(("package", "name"), [("rdata", "wiot_2009.RData"), ("openpyxl", "wiot09_row_apr12.xlsx")])
def test_a_missing_package_is_named_with_its_extra(tmp_path, monkeypatch, package, name):
    (tmp_path / name).touch()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DataError, match=rf"needs the package {package}: pip install 'reesim\[data\]'"):
        wiod.read(tmp_path / name, 2009)


def test_the_shipped_maps_are_complete():
    fine_regions = Grouping.read(tables.DATA / "wiod_regions_41.csv", "region")
    fine_sectors = Grouping.read(tables.DATA / "wiod_sectors_35.csv", "sector")
    assert (len(fine_regions.labels), len(fine_sectors.labels)) == (41, 35)
    regions = Grouping.read(tables.DATA / "wiod_regions_5.csv", "region")
    sectors = Grouping.read(tables.DATA / "wiod_sectors_14.csv", "sector")
    position = regions.positions(fine_regions.members)
    assert (position == regions.labels.index("EU")).sum() == 27
    sectors.positions(fine_sectors.members)
    table = tables.embedded()
    assert (regions.labels, sectors.labels) == (table.regions, table.sectors)


def test_an_unknown_map_is_refused(tmp_path, numbers):
    file = write_xlsx(tmp_path / "wiot09_row_apr12.xlsx", numbers)
    with pytest.raises(DataError, match="shipped: wiod_regions_41, wiod_regions_5"):
        wiod.build(file, 2009, tmp_path / "out", regions=Path("wiod_regions_6"))
    with pytest.raises(DataError, match="no region AUT"):
        wiod.build(file, 2009, tmp_path / "out")


@pytest.fixture
def raw_folder():
    folder = os.environ.get("REESIM_SHARED_DATA")
    if not folder:
        pytest.skip("REESIM_SHARED_DATA does not name the folder of the raw tables")
    return Path(folder) / "wiod2013"


@pytest.mark.shared
def test_the_shipped_table_is_rebuilt_to_the_last_bit(tmp_path, raw_folder):
    table = wiod.build(raw_folder, 2009, tmp_path)
    assert table.hash() == tables.embedded().hash()
    for part in ("regions", "sectors", "flows", "about"):
        shipped = tables.DATA / f"{tables.EMBEDDED}_{part}.csv"
        assert (tmp_path / f"{part}.csv").read_bytes() == shipped.read_bytes()


@pytest.mark.shared
def test_what_is_negative_in_the_source(raw_folder):
    raw = wiod.read(raw_folder, 2009)
    assert raw.negatives == 824
    # Fixed capital formation and changes in inventories; never what is consumed or used as material.
    assert (raw.final_jsic < 0.0).sum(axis=(0, 1, 2)).tolist() == [0, 0, 0, 4, 820]


@pytest.mark.shared
@pytest.mark.parametrize(("year", "cells"), [(2008, (16, 3)), (2009, (30, 16))])
def test_the_full_table_is_refused_without_a_treatment_and_built_with_one(tmp_path, raw_folder, year, cells):
    size = (Path("41"), Path("35"))
    with pytest.raises(DataError, match=f"41 regions x 35 sectors: {sum(cells)} cells are negative"):
        wiod.build(raw_folder, year, tmp_path / "none", *size)
    for how in ("zero", "produce", "shares"):
        table = wiod.build(raw_folder, year, tmp_path / how, *size, negatives=how)
        assert (len(table.regions), len(table.sectors)) == (41, 35)
        told = " ".join(table.treatments)
        assert f"{cells[0]} cells below zero" in told
        assert f"{cells[1]} cells below zero" in told
        assert tables.composite(tmp_path / how).hash() == table.hash()
        # Accounts close to rounding: a composite sums some eighty numbers.
        np.testing.assert_allclose(table.uses_is, table.expenditure_is, rtol=1e-13)
