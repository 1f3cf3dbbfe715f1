"""The text baseline, and agreement with labels."""

from __future__ import annotations

import itertools
import math

import pytest

from reesim.empirics.patents.agreement import Share, agreement, judge, kappa
from reesim.empirics.patents.classify import Classification, Classifier, TextBaseline, industries
from reesim.empirics.patents.exercise import SPLITS, agreement_by_half, sample
from reesim.empirics.patents.keywords import deck_filter
from reesim.empirics.patents.terms import plain, singular, term, without_overlap
from reesim.errors import DataError


@pytest.fixture(scope="module")
def baseline() -> TextBaseline:
    return TextBaseline()


def test_plain_text_is_words_in_the_singular():
    assert plain("Batteries, alloys & Nd-Fe-B: the gas") == " battery alloy nd fe b the gas "
    assert [singular(word) for word in ("switches", "axis", "boxes", "glass", "ores", "bus", "is")] == [
        "switch", "axis", "box", "glass", "ore", "bus", "is",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "inside", "count"),
    [("magnet*", "magnets, magnetic and a magnetron; electromagnet", 3), ("sintered magnet", "Sintered-magnets", 1),
     ("reduc* ~2 amount|content", "reducing the amount; reduces a very low content", 1), ("alloy", "alloying alloys", 1)],
)  # fmt: skip
def test_terms(text, inside, count):
    assert sum(1 for _ in term(text, "x", 1.0).places(plain(inside))) == count


@pytest.mark.parametrize("text", ["", "~2 amount", "amount ~2", "Amount", "a b-c", "~x", "a ~12 b"])
def test_a_term_that_cannot_be_read_is_refused(text):
    with pytest.raises(DataError, match="give words in small letters"):
        term(text, "x", 1.0)


def test_of_two_terms_in_one_place_the_longer_counts():
    terms = [term("less", "save", 1.0), term("less than", "none", 0.0)]
    assert [item.text for item in without_overlap(terms, plain("less than 5 %, and less dysprosium"))] == [
        "less than",
        "less",
    ]


def test_every_industry_of_manufacturing_can_be_named():
    assert len(industries()) == 459
    assert all(len(sic) == 4 and "20" <= sic[:2] <= "39" for sic in industries())


def test_the_baseline_is_a_classifier_that_explains_itself(baseline):
    assert isinstance(baseline, Classifier)
    found = baseline.classify("Loudspeaker with less dysprosium\n\nA loudspeaker whose magnet saves dysprosium.")
    assert (found.sic, found.enhancing) == ("3651", True)
    assert "loudspeaker" in found.reason
    assert "less" in found.reason
    assert 0.5 <= found.confidence <= 1.0


def test_a_text_of_unknown_words_has_no_industry(baseline):
    found = baseline.classify("Xyzzy plugh")
    assert (found.sic, found.enhancing, found.confidence) == ("", False, 0.0)


def test_more_words_of_an_industry_never_lower_its_score(baseline):
    text = "A rotor of an electric motor with neodymium magnets."
    before = {item.sic: item.score for item in baseline.rank(text, 459)}
    after = {item.sic: item.score for item in baseline.rank(f"{text} The stator winding is cooled.", 459)}
    assert all(after[sic] >= score for sic, score in before.items())
    assert after["3621"] > before["3621"]


@pytest.mark.parametrize(
    ("sentence", "flag"),
    [("The magnet is made without using dysprosium.", True), ("Ferrite is used instead of neodymium.", True),
     ("The amount of cerium is reduced.", True), ("The content of terbium in the alloy can be lowered.", True),
     ("Neodymium is recycled from scrap.", True), ("Dysprosium is diffused along grain boundaries.", True),
     ("The alloy has less than 5 % cerium.", False), ("Strength holds without reducing the amount of cerium.", False),
     ("Cerium cannot be replaced.", False), ("The amount of cerium is 5 %.", False),
     ("The content of neodymium is raised by increasing the amount of alloy.", False),
     ("Parts are joined without using screws. The magnet holds neodymium.", False)],
)  # fmt: skip
def test_cues_and_what_turns_them_round(baseline, sentence, flag):
    assert baseline.classify(sentence).enhancing is flag


def test_a_vocabulary_of_ones_own(tmp_path):
    file = tmp_path / "words.csv"
    file.write_text("sic,term,weight\n3651,zither,9\n")
    assert TextBaseline(vocabulary=file).classify("a zither").sic == "3651"
    file.write_text("sic,term,weight\n9999,zither,9\n")
    with pytest.raises(DataError, match="9999 is no industry"):
        TextBaseline(vocabulary=file)
    file.write_text("sic,term,weight\n3651,Zither,9\n")
    with pytest.raises(DataError, match=r"words.csv: row 2: term 'Zither'"):
        TextBaseline(vocabulary=file)
    file.write_text("sic,term,weight\n3651,zither,heavy\n")
    with pytest.raises(DataError, match=r"words.csv: row 2, column 'weight'"):
        TextBaseline(vocabulary=file)


def test_the_sample_is_invented_labelled_and_split():
    cases = sample()
    assert len({case["id"] for case in cases}) == len(cases) == 33
    assert all(case["id"].startswith("INVENTED-") for case in cases)
    assert all(case["sic"] in industries() for case in cases)
    assert {case["split"] for case in cases} == {*SPLITS, "no_keyword"}


def test_agreement_of_the_baseline_is_what_the_page_says(baseline):
    """docs/patents.md quotes these; the words were not changed after the second half was looked at."""
    tuned, held_out = (agreement_by_half(baseline)[half] for half in SPLITS)
    assert (tuned.industry, tuned.flag) == (Share(16, 16), Share(16, 16))
    assert (held_out.industry, held_out.flag) == (Share(12, 14), Share(10, 14))
    assert (held_out.precision, held_out.recall) == (Share(2, 2), Share(2, 6))
    assert held_out.top[3] == Share(13, 14)


def test_kappa_by_hand():
    """20 and 15 of 50 on the diagonal, 5 and 10 beside: p_o = 0.7, p_e = 0.5."""
    truth = ["yes"] * 25 + ["no"] * 25
    found = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert kappa(truth, found).value == pytest.approx(0.4, abs=1e-12)


def spread_by_differences(table: dict[tuple[str, str], float], n: int) -> float:
    """Standard error by the delta method, with derivatives of kappa in the cells' shares by central differences."""
    labels = sorted({label for pair in table for label in pair})
    cells = list(itertools.product(labels, labels))

    def value(shares: dict[tuple[str, str], float]) -> float:
        rows = {a: sum(shares[a, b] for b in labels) for a in labels}
        columns = {b: sum(shares[a, b] for a in labels) for b in labels}
        chance = sum(rows[a] * columns[a] for a in labels)
        return (sum(shares[a, a] for a in labels) - chance) / (1.0 - chance)

    shares = {cell: table.get(cell, 0.0) / n for cell in cells}
    step = 1e-6
    slope = {
        c: (value({**shares, c: shares[c] + step}) - value({**shares, c: shares[c] - step})) / (2 * step) for c in cells
    }
    mean = sum(shares[c] * slope[c] for c in cells)
    return math.sqrt((sum(shares[c] * slope[c] ** 2 for c in cells) - mean**2) / n)


@pytest.mark.parametrize(
    "table",
    [{("a", "a"): 20, ("a", "b"): 5, ("b", "a"): 10, ("b", "b"): 15},
     {("a", "a"): 75, ("a", "b"): 1, ("a", "c"): 4, ("b", "a"): 5, ("b", "b"): 4, ("b", "c"): 1, ("c", "c"): 10}],
)  # fmt: skip
def test_the_error_of_kappa_is_that_of_the_delta_method(table):
    pairs = [pair for pair, count in table.items() for _ in range(count)]
    found = kappa([a for a, _ in pairs], [b for _, b in pairs])
    assert found.std_error == pytest.approx(
        spread_by_differences(table, len(pairs)), rel=1e-6
    )  # differences of step 1e-6
    low, high = found.interval
    assert -1.0 <= low < found.value < high <= 1.0


def test_kappa_does_not_see_names_and_is_symmetric():
    truth, found = list("aabbccabca"), list("abbbccaaca")
    renamed = {"a": 1, "b": 2, "c": 3}
    one = kappa(truth, found)
    assert kappa(found, truth).value == pytest.approx(one.value, abs=1e-15)
    assert kappa([renamed[x] for x in truth], [renamed[x] for x in found]) == one
    assert kappa(truth, truth).value == pytest.approx(1.0)
    assert math.isnan(kappa(["a", "a"], ["a", "a"]).value)


def test_wilsons_interval():
    """Ten of ten: the lower bound is n / (n + z²); the upper is one."""
    low, high = Share(10, 10).interval
    assert low == pytest.approx(10 / (10 + 1.959963984540054**2), rel=1e-12)
    assert high == pytest.approx(1.0, abs=1e-12)
    assert math.isnan(Share(0, 0).value)
    assert Share(0, 0).words() == "no cases"


def test_agreement_counts():
    truth = [("3499", True), ("3621", False), ("3714", True), ("3691", False)]
    found = [
        Classification("3499", True, 1.0, ""), Classification("3625", True, 1.0, ""), Classification("", False, 0.0, ""),
        Classification("3691", False, 1.0, ""),
    ]  # fmt: skip
    result = agreement(truth, found, [["3499"], ["3625", "3621"], [], ["1", "2", "3", "3691"]])
    assert (result.industry, result.sector, result.group) == (Share(2, 4), Share(3, 4), Share(3, 4))
    assert (result.precision, result.recall, result.unnamed) == (Share(1, 2), Share(1, 2), 1)
    assert result.confusion == {("3621", "3625"): 1, ("3714", ""): 1}
    assert result.top == {3: Share(2, 4), 5: Share(3, 4)}
    frame = result.to_frame().set_index("measure")
    assert frame.loc["industry, four digits", "value"] == 0.5
    assert frame.loc["kappa, flag", "value"] == pytest.approx(0.0, abs=1e-15)
    assert any("not named" in line for line in result.lines())


def test_agreement_needs_as_many_of_both():
    with pytest.raises(DataError, match="1 labels and 0 answers"):
        agreement([("3499", True)], [])
    with pytest.raises(DataError, match="at least one"):
        judge([], lambda text: Classification("", False, 0.0, text))


MAGNET = """Method of making Nd-Fe-B sintered magnets with Dy or Tb

Magnets made using the present process use much less Dy or Tb than those made using the conventional methods while obtaining
similar magnetic properties. The amount of Dy and/or Tb can be reduced by about 20% or more compared to conventional processes."""
CATALYST = """Exhaust gas purification catalyst

A composite oxide with a high oxygen storage capacity is provided without using cerium."""


@pytest.mark.parametrize(("text", "sic"), [(MAGNET, "3499"), (CATALYST, "3714")])
def test_the_two_examples_of_the_slides(baseline, text, sic):
    """In words of the slides; both are shown there as technologies that use less of a rare earth."""
    assert deck_filter().matches(text)
    found = baseline.classify(text)
    assert (found.sic, found.enhancing) == (sic, True)
