"""Records to panel: what is counted, what is not, memory, and the files."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from typing import Any

import pytest

from reesim.empirics.panels.schema import read_panel
from reesim.empirics.patents.assign import Assignment
from reesim.empirics.patents.classify import Classification, ClassifierStopped
from reesim.empirics.patents.exercise import run
from reesim.empirics.patents.keywords import KeywordFilter
from reesim.empirics.patents.pipeline import NO_INDUSTRY, Columns, Pipeline, Progress, panel_frame, safe
from reesim.errors import DataError, StoreError
from reesim.results.whole import stream_whole


class Fixed:
    """A classifier for tests: motors, enhancing if the text says less; texts of nothing have no industry."""

    name = "fixed"

    def classify(self, text: str) -> Classification:
        if "nothing" in text:
            return Classification("", False, 0.0, "nothing in it")
        if "stop" in text:
            raise ClassifierStopped("budget spent")
        return Classification("3621", "less" in text, 1.0, "a test")


def record(number: int, **changes: Any) -> dict[str, Any]:
    made = {"id": f"P{number}", "title": "Motor", "abstract": "with neodymium", "assignee_country": "JP",
            "grant_date": "2011-05-01", "application_date": "2009-05-01"}  # fmt: skip
    return {**made, **changes}


def counted(records, **more):
    text = io.StringIO()
    pipeline = Pipeline(classifier=Fixed(), keywords=KeywordFilter(), **more)
    tally = pipeline.run(records, csv.writer(text, lineterminator="\n"))
    return tally, list(csv.DictReader(io.StringIO(text.getvalue())))


def test_patents_are_counted_by_region_industry_and_year():
    records = [
        record(1), record(2, abstract="less neodymium"), record(3, assignee_country="US"), record(4, grant_date=20120101),
        record(5, abstract="no such metal"),
    ]  # fmt: skip
    tally, kept = counted(records)
    assert tally.cells == {
        ("JPN", "3621", 2011): [2.0, 1.0],
        ("USA", "3621", 2011): [1.0, 0.0],
        ("JPN", "3621", 2012): [1.0, 0.0],
    }
    assert (tally.read, tally.kept, tally.counted, dict(tally.bad)) == (5, 4, 4, {})
    assert [row["id"] for row in kept] == ["P1", "P2", "P3", "P4"]
    assert (kept[1]["elements"], kept[1]["keywords"], kept[1]["enhancing"]) == ("Nd", "neodymium", "1")
    assert tally.elements == {("Nd", 2011): 3, ("Nd", 2012): 1}


def test_order_does_not_matter():
    records = [record(k, assignee_country="US" if k % 3 else "CN", grant_date=2005 + k % 4) for k in range(20)]
    assert counted(records)[0].cells == counted(records[::-1])[0].cells


def test_shares_of_assignees_sum_to_the_patents():
    records = [record(k, assignee_country="JP;US;DE") for k in range(4)]
    tally, kept = counted(records, assignment=Assignment(assignees="fractional"))
    assert sum(cell[0] for cell in tally.cells.values()) == pytest.approx(4.0)  # thirds
    assert tally.cells["JPN", "3621", 2011][0] == pytest.approx(4 / 3)
    assert kept[0]["region"] == "JPN:0.3333;USA:0.3333;EUR:0.3333"


def test_the_application_may_give_the_year():
    tally, _ = counted([record(1)], assignment=Assignment(when="application"))
    assert list(tally.cells) == [("JPN", "3621", 2009)]


def test_what_is_not_used_is_counted_by_reason_and_the_first_are_located():
    records = [
        *(record(k, assignee_country="") for k in range(1, 9)), record(20, assignee_country="XX"), record(21, grant_date=None),
        record(22, grant_date="soon"), record(23, title="", abstract=None), record(24, id=""), record(25), record(25),
        record(26, abstract="neodymium, nothing else"),
    ]  # fmt: skip
    tally, _ = counted(records)
    assert dict(tally.bad) == {
        "no assignee country": 8, "unknown country": 1, "no date of grant": 1, "no valid date of grant": 1,
        "no title or abstract": 1, "no identifier": 1, "identifier stands twice": 1, NO_INDUSTRY: 1,
    }  # fmt: skip
    assert tally.located["no assignee country"] == [f"record {k}: P{k}" for k in range(1, 6)]
    assert tally.counted == 1
    assert tally.read == sum(tally.bad.values()) + tally.counted
    lines = list(tally.lines())
    assert lines[1].startswith("Not used: 8 no assignee country: record 1: P1; ")
    assert lines[1].endswith("and 3 more")


def test_records_as_the_big_exports_write_them():
    names = Columns(
        id="publication_number", title="title_localized", abstract="abstract_localized", countries="assignee_harmonized"
    )
    titles = [{"text": "Moteur", "language": "fr"}, {"text": "Motor", "language": "en"}]
    row = {
        "publication_number": "US-1-B2", "title_localized": titles,
        "abstract_localized": [{"text": "with Nd₂Fe₁₄B", "language": "en"}],
        "assignee_harmonized": [{"name": "X", "country_code": "US"}], "grant_date": 20130709,
    }  # fmt: skip
    tally, kept = counted([row], columns=names)
    assert list(tally.cells) == [("USA", "3621", 2013)]
    assert kept[0]["title"] == "Motor"


def test_progress_is_told():
    seen: list[Progress] = []
    counted(
        [record(k, abstract="no metal" if k % 2 else "neodymium") for k in range(25)], progress=seen.append, every=10
    )
    assert seen == [Progress(10, 5, 0), Progress(20, 10, 0), Progress(25, 13, 0)]


def test_memory_does_not_grow_with_the_records(tmp_path):
    """Ten times the records, of which as many are kept, take no more memory."""
    peaks = []
    for name, number in (
        ("warm", 200),
        ("few", 2_000),
        ("many", 20_000),
    ):  # the first loads and caches what there is to
        file = tmp_path / f"{name}.csv"
        with file.open("w", newline="") as stream:
            stream.write("id,title,abstract,assignee_country,grant_date,application_date\n")
            for k in range(number):
                metal = "neodymium" if k % (number // 20) == 0 else "a long and plain handle"
                stream.write(f"P{k},Lever,a lever with {metal},JP,2011,2009\n")
        tracemalloc.start()
        try:
            tally, _ = counted(file)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert (tally.read, tally.kept) == (number, 20)
    assert file.stat().st_size > 1_000_000
    assert peaks[2] < peaks[1] + 50_000  # measured: the same to 1 kB


def test_a_panel_has_zeros_between():
    cells = {("JPN", "3621", 2010): [2.0, 1.0], ("JPN", "3621", 2012): [1.0, 0.0], ("USA", "3499", 2011): [1.0, 1.0]}
    frame = panel_frame(cells)
    assert len(frame) == 6
    assert frame["count"].tolist() == [2.0, 0.0, 1.0, 0.0, 1.0, 0.0]
    assert frame["enhancing"].sum() == 2.0
    assert len(panel_frame(cells, fill=False)) == 3
    later = panel_frame(cells, (2011, 2013))
    assert later["year"].tolist() == [2011, 2012, 2013] * 2
    assert later["count"].sum() == 2.0
    with pytest.raises(DataError, match="no patent to count from 1990 to 1999"):
        panel_frame(cells, (1990, 1999))


@pytest.mark.parametrize(
    ("text", "shown"), [("=1+1", "'=1+1"), ("@x", "'@x"), ("a\n b", "a b"), ("", ""), ("1-2", "1-2")]
)
def test_no_text_is_a_formula(text, shown):
    assert safe(text) == shown


def test_the_sample_end_to_end(tmp_path):
    report = run(tmp_path)
    assert {file.name for file in report.files} == {
        "patents.csv", "patent_panel.csv", "patent_elements.csv", "patent_agreement.csv", "patent_report.json", "patents.png",
    }  # fmt: skip
    assert all(file.exists() for file in report.files)
    assert (report.tally.read, report.tally.kept, report.tally.counted) == (33, 30, 30)
    assert report.frame["count"].sum() == 30.0
    panel = read_panel(tmp_path / "patent_panel.csv", "patents")
    assert panel.frame["count"].sum() == 30.0
    assert len(report.panel()) == len(panel) == len(report.frame)
    assert "invented" in report.unverified
    text = "\n".join(report.lines())
    assert "invented" in text
    assert "held out half, 14 abstracts" in text
    content = json.loads((tmp_path / "patent_report.json").read_text())
    assert (content["read"], content["not_used"]) == (33, {})


def test_records_of_the_user(tmp_path):
    report = run(tmp_path, [record(1), record(2, assignee_country="")], Fixed(), figures=False)
    assert report.agreements == {}
    assert "fixed" in report.source
    assert "Not used: 1 no assignee country: record 2: P2" in report.lines()
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "patent_elements.csv", "patent_panel.csv", "patent_report.json", "patents.csv",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("records", "error", "said"),
    [([record(1, abstract="no metal")], DataError, "no patent to count. 1 records read, 0 name a rare earth"),
     ([record(1), record(2, abstract="neodymium, stop")], ClassifierStopped, r"stopped at record 2 \(P2\), 2 kept so far"),
     ("nowhere.csv", DataError, "no such file")],
)  # fmt: skip
def test_a_run_that_fails_leaves_nothing_and_harms_nothing(tmp_path, records, error, said):
    old = tmp_path / "patents.csv"
    old.write_text("from before")
    with pytest.raises(error, match=said):
        run(tmp_path, records, Fixed(), figures=False)
    assert [file.name for file in tmp_path.iterdir()] == ["patents.csv"]
    assert old.read_text() == "from before"


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(StoreError, match="not written"), stream_whole(tmp_path / "none" / "a.csv"):
        pass


def test_every_word_of_unicode_can_be_written(tmp_path):
    """Half a pair of surrogates is no text that a file can hold; JSON can carry one in all the same."""
    file = tmp_path / "in.jsonl"
    lines = [record(1, title="motor \ud800"), record(2, id="P\ud800", grant_date="never")]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    out = tmp_path / "out"
    out.mkdir()
    report = run(out, file, Fixed(), figures=False)
    assert report.tally.counted == 1
    assert "\\ud800" in (out / "patents.csv").read_text(encoding="utf-8")
    "\n".join(report.lines()).encode()
