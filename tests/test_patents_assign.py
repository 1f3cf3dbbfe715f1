"""Region, year, and records out of files."""

from __future__ import annotations

import datetime
import gzip
import json
import math

import pytest

from reesim.empirics.panels.groups import europe
from reesim.empirics.patents.assign import REGIONS, Assignment, Place, read_regions, shipped_regions, year_of
from reesim.empirics.patents.records import LONGEST_LINE, Bad, stream
from reesim.errors import DataError

NEEDED = ("id", "text")


@pytest.mark.parametrize(
    ("country", "region"),
    [("US", "USA"), ("usa", "USA"), ("United States", "USA"), ("DE", "EUR"), ("GBR", "EUR"), ("CH", "ROW"), ("CN", "CHN"),
     ("HK", "ROW"), ("TW", "ROW"), ("RU", "RUS"), ("SU", "RUS"), ("KR", "KOR"), ("JP", "JPN"), ("AU", "AUS"), ("BR", "ROW")],
)  # fmt: skip
def test_regions_of_the_slides(country, region):
    assert Assignment().place([country]) == Place(((region, 1.0),))


def test_every_region_has_a_country_and_no_other_region_is_named():
    assert set(shipped_regions().values()) == set(REGIONS)


def test_several_assignees():
    assert Assignment().place(["", "JP", "US"]) == Place((("JPN", 1.0),))
    shared = Assignment(assignees="fractional").place(["JP", "DE", "FR"])
    assert isinstance(shared, Place)
    assert dict(shared.shares) == pytest.approx({"JPN": 1 / 3, "EUR": 2 / 3})  # sums of thirds
    assert math.fsum(share for _, share in shared.shares) == pytest.approx(1.0)


def test_missing_and_unknown_countries_are_told_apart():
    assert Assignment().place(["", " "]) == Bad("no assignee country")
    unknown = Assignment().place(["XX"])
    assert isinstance(unknown, Bad)
    assert unknown.reason == "unknown country"


def test_regions_of_ones_own(tmp_path):
    file = tmp_path / "regions.csv"
    file.write_text("code,region\nJP,EAST\nKR,EAST\n")
    assert Assignment(regions=read_regions(file)).place(["kr"]) == Place((("EAST", 1.0),))
    file.write_text("code,code3,region\nJP,JPN,EAST\nXJ,JPN,WEST\n")
    with pytest.raises(DataError, match="row 3: JPN stands twice"):
        read_regions(file)
    file.write_text("code,region\nJP,\n")
    with pytest.raises(DataError, match="row 2"):
        read_regions(file)
    file.write_text("country,region\nJP,EAST\n")
    with pytest.raises(DataError, match="no column code"):
        read_regions(file)


@pytest.mark.parametrize(
    "value",
    ["2013-07-09", "20130709", 20130709, "2013", 2013, "2013-07", "2013/07/09", "2013-07-09T00:00:00Z",
     datetime.date(2013, 7, 9), datetime.datetime(2013, 7, 9, 12)],
)  # fmt: skip
def test_years_of_dates(value):
    assert year_of(value) == 2013


@pytest.mark.parametrize("value", [None, "", 0, "0"])
def test_no_date_is_missing(value):
    assert year_of(value) == Bad("no date of grant")


@pytest.mark.parametrize("value", ["09/07/2013", "2013-13-01", "20130230", "1700", "13", "soon", 2013.5, "2013-0709"])
def test_what_is_no_date_is_bad(value):
    found = year_of(value)
    assert isinstance(found, Bad)
    assert found.reason == "no valid date of grant"


def test_the_date_that_counts_is_a_choice():
    assert Assignment().year("2013", "2010") == 2013
    assert Assignment(when="application").year("2013", "2010") == 2010
    with pytest.raises(DataError, match="'filing' should be one of grant, application"):
        Assignment(when="filing")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="first, fractional"):
        Assignment(assignees="all")  # type: ignore[arg-type]


ROWS = [{"id": f"P{k}", "text": f'a "text", with\nlines – {k}', "year": str(2000 + k)} for k in range(5)]


def as_csv(rows):
    lines = ["id,text,year"]
    for row in rows:
        text = row["text"].replace('"', '""')
        lines.append(f'{row["id"]},"{text}",{row["year"]}')
    return "\n".join(lines) + "\n"


def write(folder, name):
    file = folder / name
    if name.endswith(".parquet"):
        pyarrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(pyarrow.Table.from_pylist(ROWS), file, row_group_size=2)
        return file
    text = as_csv(ROWS) if ".csv" in name else "".join(json.dumps(row) + "\n" for row in ROWS)
    data = text.encode()
    file.write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
    return file


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "a.ndjson.gz", "a.parquet"])
def test_every_format_gives_the_same_records(tmp_path, name):
    rows = list(stream(write(tmp_path, name), ("id", "text", "year")))
    assert [row.cells for row in rows] == ROWS
    assert rows[0].address.startswith(f"{name}:")


def test_folders_lists_and_mappings(tmp_path):
    first, second = write(tmp_path, "a.csv"), write(tmp_path, "b.jsonl")
    (tmp_path / "notes.txt").write_text("not a table")
    together = [row.cells for row in stream([first, str(second)], NEEDED)]
    assert together == [row.cells for row in stream(tmp_path, NEEDED)] == ROWS + ROWS
    assert [row.cells for row in stream(iter(ROWS))] == ROWS


def test_a_row_that_cannot_be_read_does_not_stop_the_rows_behind_it(tmp_path):
    file = tmp_path / "a.csv"
    file.write_bytes(b'id,text\nP1,good\nP2\nP3,"broken" quote\nP4,\xff\xfe\n\nP5,good\n')
    found = [row.cells if isinstance(row.cells, dict) else row.cells.reason for row in stream(file, NEEDED)]
    assert found == [
        {"id": "P1", "text": "good"}, "another number of columns than the header", "not comma-separated text",
        "not UTF-8 text", {"id": "P5", "text": "good"},
    ]  # fmt: skip


def test_lines_that_are_no_objects(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'{"id": "P1", "text": "x"}\nnot json\n[1]\n\n{"id": "\xff"}\n' + b'{"id": "P2"}\n')
    found = [row.cells if isinstance(row.cells, dict) else row.cells.reason for row in stream(file, NEEDED)]
    assert found == [{"id": "P1", "text": "x"}, "not JSON", "not a JSON object", "not UTF-8 text", {"id": "P2"}]


def test_a_line_without_end_is_passed_over(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text("x" * (LONGEST_LINE + 10) + '\n{"id": "P1", "text": "x"}\n')
    first, second = stream(file, NEEDED)
    assert first.cells == Bad("line too long", "over 4,000,000 letters")
    assert second.cells == {"id": "P1", "text": "x"}


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [("a.csv", b"", "the file is empty"), ("a.csv", b"id,id\n1,2\n", "id stands twice"),
     ("a.csv", b"id,title\n1,2\n", "no column text among id, title"), ("a.csv.gz", b"id,text\n", "damaged or cut short"),
     ("a.jsonl", b'{"id": 1}\n', "no record has text"), ("a.xlsx", b"", "the ending says nothing"),
     ("a.csv.gz", gzip.compress(b"id,text\n" + b"1,2\n" * 1000, mtime=0)[:-12], "cut short"),
     ("a.parquet", b"PAR1 not really", "cannot be read as Parquet")],
)  # fmt: skip
def test_a_file_that_is_not_what_it_should_be_is_refused(tmp_path, name, data, said):
    file = tmp_path / name
    file.write_bytes(data)
    with pytest.raises(DataError, match=said):
        list(stream(file, NEEDED))


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        list(stream(tmp_path / "none.csv"))
    with pytest.raises(DataError, match="no file in this folder"):
        list(stream(tmp_path))


def test_the_union_is_the_one_of_the_other_panels():
    """The regressions' group EUR holds the 27 members of 2009, and so must the region of that name."""
    table = read_regions()
    assert {code for code in europe() if len(code) == 3 and code not in ("EUR", "ROM")} == {
        code for code, region in table.items() if region == "EUR" and len(code) == 3 and code not in ("DDR", "CSK")
    }
