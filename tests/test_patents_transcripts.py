"""Sentences, and those about rare earths in earnings calls."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest

from reesim.empirics.patents.sentences import sentences
from reesim.empirics.patents.transcripts import CallColumns, CallCounter, run
from reesim.errors import DataError


@pytest.mark.parametrize(
    "parts",
    [
        ["We paid 3.5 million to Molycorp Inc. in 2011.", "The U.S. market fell.", "Prices rose vs. last year."],
        ["Mr. J. Smith of Magnequench Corp. said so.", "He left."],
        ["Dysprosium cost $2,840.5 per kg.", "(See fig. 3.)", "Next."],
        ["We sell in the U.S.", "The rest is abroad."],
        ["It was up 5%... maybe more.", '"Really?" she asked.', "OK!"],
        ["Are you buying?", "No.", "Prices fell."],
        ["See No. 3 for that.", "Approx. 30 % is Nd2Fe14B.", "End"],
        ["Operator: Next question.", "A: We hold 2.5 years, i.e. enough, of stocks."],
        ["希土類の価格。", "下がった。"],
    ],
)
def test_sentences(parts):
    text = " ".join(parts)
    found = list(sentences(text))
    assert [sentence.text for sentence in found] == parts
    assert [text[sentence.start : sentence.end] for sentence in found] == parts


def test_empty_lines_end_a_sentence():
    assert [sentence.text for sentence in sentences("A heading\n\n  and a text\nthat goes on\n\n\n")] == [
        "A heading", "and a text\nthat goes on",
    ]  # fmt: skip
    assert list(sentences(" \n ")) == []


TEXT = "Good morning. Our cost of rare earths rose 3.5 percent. Neodymium and dysprosium were dear. Thank you."


def call(company="Motors", day="2011-02-10", text=TEXT, country="US"):
    return {"company": company, "date": day, "text": text, "country": country}


def counted(calls):
    text = io.StringIO()
    tally, cells = CallCounter().run(calls, csv.writer(text))
    return tally, cells, list(csv.DictReader(io.StringIO(text.getvalue())))


def test_sentences_are_counted_once_by_quarter_and_region():
    tally, cells, found = counted(
        [call(), call("Denki", "2011-03-31", country="JP"), call("Motors", "2011-04-01", "All is well.")]
    )
    assert {key: (cell.calls, cell.calls_with, cell.sentences, cell.ree_sentences) for key, cell in cells.items()} == {
        ("2011Q1", "USA"): (1, 1, 4, 2), ("2011Q1", "JPN"): (1, 1, 4, 2), ("2011Q2", "USA"): (1, 0, 1, 0),
    }  # fmt: skip
    assert (tally.read, tally.counted, tally.kept) == (3, 3, 2)
    assert [row["keywords"] for row in found[:2]] == ["rare(-)earth", "neodymium;dysprosium"]
    assert TEXT[int(found[1]["start"]) :].startswith(found[1]["sentence"])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"text": ""}, "no text"), ({"company": ""}, "no company"), ({"day": "2011"}, "no valid date"),
     ({"day": "2011-02-30"}, "no valid date"), ({"day": None}, "no valid date"), ({"country": "XX"}, "unknown country")],
)  # fmt: skip
def test_calls_that_cannot_be_used_are_counted(changes, reason):
    tally, cells, _ = counted([call(**changes)])
    assert dict(tally.bad) == {reason: 1}
    assert cells == {}


def test_a_company_without_a_country_is_of_no_known_region():
    _, cells, _ = counted([call(country=None)])
    assert list(cells) == [("2011Q1", "unknown")]


def test_a_folder_of_texts_and_a_table_count_the_same(tmp_path):
    folder = tmp_path / "calls"
    folder.mkdir()
    (folder / "Motors_2011-02-10_US.txt").write_text(TEXT)
    (folder / "Denki_Motor_20110512_JP.txt").write_text(TEXT)
    (folder / "notes.txt").write_text("not a call")
    (folder / "Broken_2011-02-10.txt").write_bytes(b"\xff\xfe")
    tally, cells, _ = counted(folder)
    assert dict(tally.bad) == {"file name without company and date": 1, "not UTF-8 text": 1}
    table = tmp_path / "calls.csv"
    pd.DataFrame([call(), call("Denki_Motor", "20110512", country="JP")]).to_csv(table, index=False)
    assert counted(table)[1] == cells


def test_end_to_end(tmp_path):
    calls = [call(day=f"{year}-{month:02d}-10") for year in (2009, 2010, 2011) for month in (2, 5, 8, 11)]
    report = run(tmp_path, calls, pd.DataFrame({"year": [2009, 2010, 2011], "count": [1.0, 2.0, 3.0]}))
    assert [file.name for file in report.files] == [
        "transcript_sentences.csv",
        "transcript_counts.csv",
        "attention.png",
    ]
    frame = pd.read_csv(tmp_path / "transcript_counts.csv")
    assert frame["ree_sentences"].sum() == 24
    assert len(pd.read_csv(tmp_path / "transcript_sentences.csv")) == 24
    assert "24 of 48 sentences speak of rare earths, in 12 calls" in "\n".join(report.lines())
    assert (tmp_path / "attention.png").read_bytes()[:4] == b"\x89PNG"


def test_what_cannot_be_counted_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no call to count. Not used: 1 no text: record 1: Motors"):
        run(tmp_path, [call(text=" ")], figures=False)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DataError, match=r"no file in this folder ends in .txt"):
        run(tmp_path, tmp_path, figures=False)
    with pytest.raises(DataError, match="no regular expression"):
        CallColumns(file_name="(")
    with pytest.raises(DataError, match="needs groups"):
        CallColumns(file_name="x")
