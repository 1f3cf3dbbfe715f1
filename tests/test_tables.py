from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reesim.data import tables
from reesim.data.tables import Grouping, WorldTable
from reesim.errors import DataError, StoreError
from reesim.labels import Labels


def labels(kind, count):
    return Labels(kind, tuple(f"{kind[0]}{i}" for i in range(count)), tuple(f"{kind} number {i}" for i in range(count)))


def make(flows, final, **changes):
    n, s = flows.shape[:2]
    given = {"source": "made up", "licence": "none", "command": "none", **changes}
    return WorldTable(2009, labels("region", n), labels("sector", s), flows, final, **given)


def random_table(seed, n=3, s=4, whole=False):
    rng = np.random.default_rng(seed)
    draw = (
        (lambda shape: rng.integers(1, 1000, shape).astype(float))
        if whole
        else (lambda shape: rng.gamma(0.3, 1e5, shape))
    )
    return make(draw((n, s, n, s)), draw((n, s, n)))


@pytest.fixture
def saved(tmp_path):
    tables.save(random_table(1, n=2, s=2, whole=True), tmp_path)
    return tmp_path


# Laws


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_saving_and_loading_is_the_identity(seed, n, s):
    table = random_table(seed, n, s)
    with tempfile.TemporaryDirectory() as folder:
        tables.save(table, Path(folder))
        again = tables.load(Path(folder))
    assert again.hash() == table.hash()
    for field in dataclasses.fields(WorldTable):
        ours, theirs = getattr(table, field.name), getattr(again, field.name)
        assert np.array_equal(ours, theirs) if isinstance(ours, np.ndarray) else ours == theirs


def test_every_use_is_somebodys_sale():
    # Whole numbers: sums are exact in any order, so the accounts hold to the last bit.
    table = random_table(2, whole=True)
    assert np.array_equal(table.trade_jis.sum(axis=1), table.output_js)
    assert np.array_equal(table.trade_jis.sum(axis=0), table.materials_iks.sum(axis=1) + table.final_is)
    assert np.array_equal(table.value_added_is + table.materials_iks.sum(axis=2), table.output_js)
    assert table.value_added_is.sum() == table.final_is.sum()


def test_axes_are_where_the_names_say():
    table = random_table(3)
    j, s, i, k = 2, 1, 0, 3
    # Sums of three numbers of one magnitude: one unit of rounding each.
    assert table.materials_iks[i, k, s] == pytest.approx(
        sum(table.intermediate_jsik[x, s, i, k] for x in range(3)), rel=1e-15
    )
    expected = table.intermediate_jsik[j, s, i].sum() + table.final_jsi[j, s, i]
    assert table.trade_jis[j, i, s] == pytest.approx(expected, rel=1e-15)
    assert table.final_is[i, s] == pytest.approx(table.final_jsi[:, s, i].sum(), rel=1e-15)


def grouping(kind, groups):
    names = list(dict.fromkeys(groups))
    found = Labels(kind, tuple(names), tuple(f"{name} group" for name in names))
    return Grouping(labels(kind, len(groups)).codes, tuple(names.index(group) for group in groups), found)


def test_aggregation_keeps_every_dollar_and_is_transitive():
    table = random_table(4, n=4, s=3, whole=True)
    fine, coarse = grouping("region", "aabc"), grouping("region", "xxyx")
    sectors = grouping("sector", "ppq")
    once = table.aggregate(fine, sectors)
    assert once.output_js.sum() == table.output_js.sum()
    assert once.regions.codes == ("a", "b", "c")
    assert once.final_jsi[0, 0, 2] == table.final_jsi[:2, :2, 3].sum()
    second = Grouping(("a", "b", "c"), (0, 1, 0), coarse.labels)
    twice = once.aggregate(second)
    direct = table.aggregate(Grouping(coarse.members, (0, 0, 1, 0), coarse.labels), sectors)
    assert twice.hash() == direct.hash()


def test_aggregating_to_oneself_changes_nothing():
    table = random_table(5)
    assert table.aggregate().hash() == table.hash()


def test_the_hash_sees_flows_and_labels_but_not_prose():
    table = random_table(6)
    flows = table.intermediate_jsik.copy()
    flows[0, 0, 0, 0] = np.nextafter(flows[0, 0, 0, 0], np.inf)
    assert dataclasses.replace(table, intermediate_jsik=flows).hash() != table.hash()
    renamed = Labels("region", ("z", *table.regions.codes[1:]), table.regions.names)
    assert dataclasses.replace(table, regions=renamed).hash() != table.hash()
    assert dataclasses.replace(table, source="elsewhere").hash() == table.hash()


def test_a_table_cannot_be_changed_nor_does_it_hold_the_callers_array():
    flows, final = np.ones((2, 2, 2, 2)), np.ones((2, 2, 2))
    table = make(flows, final)
    flows[:] = 7.0
    assert table.intermediate_jsik.max() == 1.0
    with pytest.raises(ValueError, match="read-only"):
        table.intermediate_jsik[0, 0, 0, 0] = 2.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        table.year = 2010


def test_minus_zero_survives_no_round_trip_so_it_is_not_kept(tmp_path):
    table = make(np.full((1, 1, 1, 1), -0.0), np.ones((1, 1, 1)))
    tables.save(table, tmp_path)
    assert tables.load(tmp_path).hash() == table.hash()


# Refusals


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(bad):
    final = np.ones((2, 3, 2))
    final[1, 2, 0] = bad
    with pytest.raises(DataError, match=r"final_jsi\[1, 2, 0\] is not a finite number"):
        make(np.ones((2, 3, 2, 3)), final)


def test_shapes_must_fit_the_labels():
    with pytest.raises(DataError, match=r"final_jsi has shape \(2, 2, 3\)"):
        make(np.ones((2, 2, 2, 2)), np.ones((2, 2, 3)))
    with pytest.raises(DataError, match="at least one region"):
        make(np.ones((0, 0, 0, 0)), np.ones((0, 0, 0)))


def test_negative_flows_are_named_and_counted(saved):
    text = (saved / "flows.csv").read_text().splitlines()
    cells = text[3].split(",")
    cells[2:4] = ["-90000", "0"]
    (saved / "flows.csv").write_text("\n".join([*text[:3], ",".join(cells), *text[4:]]) + "\n")
    with pytest.raises(DataError, match=r"cells are negative: flow\[r1 to r0, s0\] = -"):
        tables.load(saved)


def replace(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("flows.csv", "r1,s0,", "r1,s0,x", r"flows\.csv: row 4, column 'r0:s0': 'x\d+' is not a finite number"),
        ("flows.csv", "r1,s0,", "r1,s0,1_0", "row 4, column 'r0:s0'"),
        ("flows.csv", "r1,s0,", "r1,s0,nan,", "row 4 has 9 columns, the header 8"),
        ("flows.csv", "r1,s0,", "r0,s0,", "row 4: r0,s0 stands twice"),
        ("flows.csv", "r1:s0", "r1:s9", "row 1: the columns do not fit the labels: r1:s0, r1:s9"),
        ("regions.csv", "r1,", "r0,", "regions.csv: region 'r0' stands twice"),
        ("regions.csv", "r1,", ",", "regions.csv: row 3, column 'code': the cell is empty"),
        ("regions.csv", "code,name", "code;name", "separate columns by commas|row 2 has"),
        ("sectors.csv", "code,name", "code,title", "sectors.csv: row 1: no column name"),
        ("about.csv", "year,2009", "year,late", "year 'late' is not a whole number"),
        ("about.csv", "licence,", "terms,", "about.csv: no row for licence"),
        ("about.csv", "million USD", "billion USD", "convert the flows"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_by_its_address(saved, file, old, new, said):
    replace(saved / file, old, new)
    with pytest.raises(DataError, match=said):
        tables.load(saved)


def test_missing_rows_files_and_tables_are_named(saved):
    lines = (saved / "flows.csv").read_text().splitlines()
    (saved / "flows.csv").write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(DataError, match="no row for r1:s1"):
        tables.load(saved)
    (saved / "flows.csv").unlink()
    with pytest.raises(DataError, match=r"flows\.csv: there is no such file"):
        tables.load(saved)
    with pytest.raises(DataError, match="shipped: world_2009_5x14"):
        tables.load("world_2010")


def test_rows_and_columns_may_stand_in_any_order(saved):
    before = tables.load(saved).hash()
    header, *rows = [line.split(",") for line in (saved / "flows.csv").read_text().splitlines()]
    order = [0, 1, *reversed(range(2, len(header)))]
    shuffled = [[line[position] for position in order] for line in (header, *reversed(rows))]
    # As a spreadsheet saves it: byte-order mark, carriage returns, empty lines at the end.
    text = "﻿" + "\r\n".join(",".join(line) for line in shuffled) + "\r\n\r\n"
    (saved / "flows.csv").write_bytes(text.encode())
    assert tables.load(saved).hash() == before


def test_labels_that_would_not_come_back_are_refused(tmp_path):
    table = random_table(7, n=1, s=1)
    for code in ("a:b", "final", ""):
        with pytest.raises(DataError, match="cannot name a column"):
            tables.save(dataclasses.replace(table, sectors=Labels("sector", (code,), ("name",))), tmp_path)
    with pytest.raises(DataError, match="would not come back"):
        tables.save(dataclasses.replace(table, source="blank at the end "), tmp_path)


def test_a_folder_that_cannot_be_written_is_a_store_error(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StoreError, match="cannot be written"):
        tables.save(random_table(8, n=1, s=1), tmp_path / "taken")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("code_from,code,name\nr0,A,Alpha\nr0,B,Beta\n", "row 3, column 'code_from': 'r0' stands twice"),
        (
            "code_from,code,name\nr0,A,Alpha\nr1,A,Other\n",
            "row 3, column 'name': 'A' is 'Other' here and 'Alpha' above",
        ),
        ("code_from,code\nr0,A\n", "row 1: no column name"),
    ],
)
def test_a_wrong_map_is_told_by_its_address(tmp_path, text, said):
    (tmp_path / "map.csv").write_text(text)
    with pytest.raises(DataError, match=said):
        Grouping.read(tmp_path / "map.csv", "region")


def test_a_map_must_cover_the_table_and_nothing_else():
    table = random_table(9, n=2, s=1)
    lone = Grouping(("r0", "r7"), (0, 0), Labels("region", ("A",), ("Alpha",)))
    with pytest.raises(DataError, match=r"no group for region r1; the table has no region r7"):
        table.aggregate(lone)


# The shipped tables


def test_the_shipped_table_has_the_known_accounts():
    table = tables.embedded()
    assert table.regions.codes == ("CHN", "EU", "JPN", "USA", "ROW")
    assert table.sectors.codes == (
        *("AGR", "MIN", "FOO", "TEX", "WOO", "CHE", "RUB", "NMM", "MET", "MAC", "ELE", "TRA", "FUR", "SER"),
    )
    assert table.year == 2009
    # Published aggregates in billion USD, rounded to the digits given.
    gdp = table.value_added_is.sum(axis=1) / 1e3
    assert gdp.round().tolist() == [5033, 15664, 4935, 14166, 17142]
    trade = table.trade_jis.sum(axis=2)
    exports = (trade.sum(axis=1) - trade.diagonal()) / 1e3
    assert exports.round(1).tolist() == [1331.8, 2300.4, 638.5, 1400.7, 3251.7]
    assert not table.negative_cells()
    assert table.value_added_is.min() > 0.0
    assert np.array_equal(table.intermediate_jsik, np.round(table.intermediate_jsik))
    assert table.hash() in (tables.DATA / "README.md").read_text()
    assert table.command == "reesim data wiod DIR --year 2009 --out DIR"


def test_elasticities_cover_the_sectors_in_order():
    frame = tables.load_elasticities()
    assert tuple(frame["sector"]) == tables.embedded().sectors.codes
    bare = frame[frame["gamma"] == 0.0]
    assert list(bare["sector"]) == ["AGR", "SER"]
    assert set(bare["epsilon"]) == {1.0}
    assert set(bare["status"]) == {"A"}
    assert frame.set_index("sector")["epsilon"]["TRA"] == 0.774
    assert frame.set_index("sector")["gamma"]["MET"] == 0.00125


def test_rare_earth_accounts_add_up_and_say_what_is_unverified():
    frame = tables.load_rare_earth_accounts().set_index("key")
    shares = frame[frame.index.str.startswith("use_share.")]
    assert {key.partition(".")[2] for key in shares.index} == set(tables.embedded().regions.codes)
    assert shares["value"].sum() == pytest.approx(1.0, abs=1e-12)  # five decimals of two digits
    assert set(shares["flag"]) == {tables.UNVERIFIED}
    assert frame["flag"]["market_value"] == ""
    value = frame["value"]["world_use_tonnes"] * frame["value"]["unit_value"] / 1e3
    assert frame["value"]["market_value"] == pytest.approx(value, rel=2e-3)  # rounded to ten million


def test_employment_covers_the_regions():
    frame = tables.load_employment()
    assert tuple(frame["region"]) == tables.embedded().regions.codes
    assert frame["million"].sum() == pytest.approx(2945.76, abs=0.005)  # world total, two decimals
