"""The keyword filter: the slides' list, as it is written in patents, and where."""

from __future__ import annotations

import csv
import random
import unicodedata

import pytest

from reesim.empirics.patents.keywords import LITERAL, TABLE, KeywordFilter, Reading, deck_filter, read_keywords
from reesim.errors import DataError

SLIDE = """
Cerium: cerium, ceo2
Dysprosium: dysprosium, dy2o3
Erbium: erbium, er2o3
Gadolinium: gadolinium, gd2o3
Holmium: holmium, ho2o3
Lanthanum: lanthanum, la2o3
Lutetium: lutetium, lu2o3
Neodymium: neodymium, nd2o3, ndfeb, rare(-)earth (element) magnet, nib magnet, neo magnet, nd2fe14b, prnd
Praseodymium: praseodymium, pr2o3, rare(-)earth (element) magnet, nib magnet, neo magnet, nd2fe14b, prnd
Scandium: scandium, sc2o3
Samarium: samarium, sm2o3, smco, rare(-)earth (element) magnet
Terbium: terbium, tb4o7
Yttrium: yttrium, y2o3
Ytterbium: ytterbium, yb2o3
Europium: europium, eu2o3
"""
SYMBOLS = {
    "Cerium": "Ce", "Dysprosium": "Dy", "Erbium": "Er", "Gadolinium": "Gd", "Holmium": "Ho", "Lanthanum": "La", "Lutetium": "Lu",
    "Neodymium": "Nd", "Praseodymium": "Pr", "Scandium": "Sc", "Samarium": "Sm", "Terbium": "Tb", "Yttrium": "Y",
    "Ytterbium": "Yb", "Europium": "Eu",
}  # fmt: skip


def found(text: str, reading: Reading | None = None) -> list[str]:
    finder = deck_filter() if reading is None else KeywordFilter(reading=reading)
    return [hit.keyword for hit in finder.find(text)]


def test_the_table_is_the_slide():
    slide = {
        (SYMBOLS[name], keyword)
        for name, keywords in (line.split(": ") for line in SLIDE.strip().splitlines())
        for keyword in keywords.split(", ")
    }
    shipped = {(element, keyword.text) for keyword in read_keywords() for element in keyword.elements}
    assert shipped == slide


@pytest.mark.parametrize("keyword", [keyword for keyword in read_keywords() if keyword.kind != "phrase"])
def test_every_word_and_formula_of_the_slide_is_found_in_any_case(keyword):
    for text in (keyword.text, keyword.written, keyword.text.upper()):
        for around in ("{}", "of {}, and", "({})", '"{}".', "x/{}-y"):
            hits = deck_filter().find(around.format(text))
            assert [(hit.keyword, hit.text) for hit in hits] == [(keyword.text, text)]
            assert deck_filter().elements(text) == tuple(sorted(keyword.elements))


@pytest.mark.parametrize(
    "text",
    ["rare earth magnet", "rare-earth magnet", "rare earth element magnet", "rare-earth element magnet", "Rare Earth Magnets",
     "rare–earth magnet", "rare\N{NON-BREAKING HYPHEN}earth magnets", "rare\N{MINUS SIGN}earth magnet", "rare-earth\nmagnet",
     "rare\N{NO-BREAK SPACE}earth  magnet", "rare- earth magnet", "rare-earth-magnet"],
)  # fmt: skip
def test_the_phrase_expands(text):
    assert found(text) == ["rare(-)earth (element) magnet"]
    assert deck_filter().elements(text) == ("Nd", "Pr", "Sm")


@pytest.mark.parametrize(
    ("text", "keyword"),
    [("CeO₂", "ceo2"), ("CeO<sub>2</sub>", "ceo2"), ("CeO<SUB>2</SUB>", "ceo2"), ("CeO_2", "ceo2"), ("CeO_{2}", "ceo2"),
     ("CeO$_2$", "ceo2"), (r"$\mathrm{CeO_2}$", "ceo2"), ("CeO.sub.2", "ceo2"), ("CeO&lt;sub&gt;2&lt;/sub&gt;", "ceo2"),
     ("CeO²", "ceo2"), ("ＣｅＯ２", "ceo2"), ("CeO 2", "ceo2"), ("0.5CeO2-0.5ZrO2", "ceo2"), ("CeO₂₋ₓ", "ceo2"),
     ("含CeO₂的粉末", "ceo2"), ("Nd₂Fe₁₄B", "nd2fe14b"), ("Nd<sub>2</sub>Fe<sub>14</sub>B", "nd2fe14b"),
     ("Nd 2 Fe 14 B", "nd2fe14b"), ("Nd_{2}Fe_{14}B", "nd2fe14b"), ("Tb.sub.4 O.sub.7", "tb4o7"), ("Nd—Fe—B", "ndfeb"),
     ("ND-FE-B", "ndfeb"), ("NdFeB35", "ndfeb"), ("SmCo5", "smco"), ("Sm-Co", "smco"), ("Pr-Nd", "prnd"),
     ("cerium³⁺", "cerium"), ("cerium(IV)", "cerium"), ("cerium-based", "cerium"), ("_cerium_", "cerium"),
     ("neo\N{SOFT HYPHEN}dymium", "neodymium"), ("NIB magnets", "nib magnet"), ("neo-magnet", "neo magnet")],
)  # fmt: skip
def test_typography_is_no_obstacle(text, keyword):
    (hit,) = deck_filter().find(text)
    assert hit.keyword == keyword
    assert text[hit.start : hit.end] == hit.text


@pytest.mark.parametrize(
    "text",
    ["", "processerium", "ceriumoxid", "cosmco", "smcoat", "écerium", "superterbium", "the CEO 2 years ago", "CeO20", "CeO",
     "Al2O3", "rare earth", "rare earth permanent magnet", "rareearth magnet", "near earth magnet", "neon magnet", "didymium",
     "Sm₂Co₁₇", "by2o3", "Zr-Y2O35", "nd fe b"],
)  # fmt: skip
def test_what_only_looks_like_a_keyword_is_not(text):
    assert found(text) == []
    assert not deck_filter().matches(text)


def test_a_formula_inside_another_is_the_longer_one():
    assert found("Dy2O3, Yb2O3 and Y2O3") == ["dy2o3", "yb2o3", "y2o3"]
    assert found("praseodymium-neodymium PrNd") == ["praseodymium", "neodymium", "prnd"]


@pytest.mark.parametrize("text", ["rare earth magnets", "Nd-Fe-B", "CeO 2", "neo-magnet", "rare earth-magnet"])
def test_what_goes_beyond_the_slides_letters_can_be_turned_off(text):
    assert found(text)
    assert found(text, LITERAL) == []


def test_the_group_by_its_name_counts_if_asked():
    assert found("prices of rare earths and of thulium", Reading(general=True)) == ["rare(-)earth", "thulium"]
    assert found("rare earth magnets", Reading(general=True)) == ["rare(-)earth (element) magnet"]


def test_places_are_those_of_the_text_as_given():
    """Letters that fold to none, to one or to several stand anywhere around the keywords."""
    draw = random.Random(3)
    odd = ["ﬃ", "½", "…", "\N{SOFT HYPHEN}", "\N{ZERO WIDTH SPACE}", "–", "粉", "İ", "™", " ", "a ", "\n"]
    names = ["cerium", "CeO₂", "Nd–Fe–B", "rare–earth\N{NO-BREAK SPACE}magnets", "neo\N{SOFT HYPHEN}dymium"]
    for _ in range(200):
        placed = [draw.choice(names) for _ in range(3)]
        noise = ["".join(draw.choices(odd, k=draw.randrange(6))) + " " for _ in range(4)]
        text = noise[0] + "".join(f"{name} {blank}" for name, blank in zip(placed, noise[1:], strict=True))
        hits = deck_filter().find(text)
        assert [hit.text for hit in hits] == placed
        assert [text[hit.start : hit.end] for hit in hits] == placed


def test_folding_never_shifts_lower_case():
    """Search runs on the lower case of the folded text, so the two must be of one length letter by letter."""
    fold = deck_filter()._fold
    for code in [*range(0x80, 0x3000), *range(0xFB00, 0x10000), *range(0x1D400, 0x1D800)]:
        plain = fold[chr(code)]
        assert len(plain.lower()) == len(plain), unicodedata.name(chr(code), hex(code))


@pytest.mark.parametrize(
    ("row", "said"),
    [("Ce,Cerium,word,Cerium,deck", "lower case"), ("Ce,cerium,verb,cerium,deck", "word, formula, phrase"),
     ("Ce,ceo2,formula,ceo2,deck", "written as itself"), ("Ce,cerium,word,cer,deck", "written as itself"),
     ("Ce,cerium,word,cerium,mine", "deck, general"), ("Ce,,word,,deck", "row 2")],
)  # fmt: skip
def test_a_table_of_ones_own_is_checked(tmp_path, row, said):
    file = tmp_path / "keywords.csv"
    file.write_text(f"element,keyword,kind,written,list\n{row}\n")
    with pytest.raises(DataError, match=rf"keywords.csv: row 2: .*{said}|row 2"):
        read_keywords(file)


def test_a_table_of_ones_own_is_used(tmp_path):
    file = tmp_path / "keywords.csv"
    file.write_text("element,keyword,kind,written,list\nGa,gallium,word,gallium,deck\nGa,gan,formula,GaN,deck\n")
    finder = KeywordFilter(read_keywords(file))
    assert [hit.keyword for hit in finder.find("GaN grown on gallium oxide; cerium")] == ["gan", "gallium"]
    assert "2 keywords of 1 elements" in repr(finder)


def test_a_table_without_rows_or_columns_is_refused(tmp_path):
    file = tmp_path / "keywords.csv"
    file.write_text("element,keyword,kind,written,list\n")
    with pytest.raises(DataError, match="no keyword"):
        read_keywords(file)
    file.write_text("element,keyword\nCe,cerium\n")
    with pytest.raises(DataError, match="no column kind, written, list"):
        read_keywords(file)


def test_every_row_of_the_shipped_table_has_status_and_source():
    with TABLE.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["status"] for row in rows if row["list"] == "deck"} == {"V"}
    assert {row["status"] for row in rows if row["list"] == "general"} == {"A"}
    assert all(row["source"] for row in rows)
