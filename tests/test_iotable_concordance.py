"""From benchmark industries to SIC 1987 and to the model's sectors: averages, links, and what is not linked."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reesim.data import tables
from reesim.data.csvfiles import read_table
from reesim.empirics.iotable.concordance import (
    LINKS,
    SicMap,
    build_links,
    read_links,
    sector_prefixes,
    sectors_of,
    to_sectors,
    to_sic,
    write_links,
)
from reesim.errors import DataError, LabelError

AVERAGED = {"rtol": 1e-12}
"""An average over at most forty numbers loses some units in the last place, 2e-16 each."""

MANUFACTURING = 459
"""Four-digit industries of SIC 1987 in manufacturing."""

RAW = os.environ.get("REESIM_SHARED_DATA", "")
needs_raw = pytest.mark.skipif(not RAW, reason="REESIM_SHARED_DATA does not name the raw tables")


@pytest.fixture(scope="module")
def links() -> SicMap:
    return read_links()


@pytest.fixture(scope="module")
def numbers(links):
    """Requirements in two columns, and output, by benchmark industry; any positive numbers."""
    rng = np.random.default_rng(4)
    codes = sorted(set(links.links["bea"]))
    requirements = pd.DataFrame(rng.lognormal(size=(len(codes), 2)), index=codes, columns=["La", "Dy"])
    return requirements, pd.Series(rng.lognormal(size=len(codes)), index=codes)


def weights_of(links: SicMap, kind: str, output: pd.Series) -> pd.DataFrame:
    return links.weights(kind, output if kind == "output" else None)


@pytest.mark.parametrize("kind", ["equal", "output"])
def test_weights_are_averages(links, numbers, kind):
    weights = weights_of(links, kind, numbers[1])
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, **AVERAGED)
    assert weights.to_numpy().min() >= 0.0
    assert len(weights) == MANUFACTURING
    assert links.unlinked == ()


@pytest.mark.parametrize("kind", ["equal", "output"])
def test_a_constant_stays_itself(links, numbers, kind):
    requirements, output = numbers
    same = requirements * 0.0 + 3.5
    np.testing.assert_allclose(to_sic(same, weights_of(links, kind, output)), 3.5, **AVERAGED)
    np.testing.assert_allclose(to_sectors(same, output), 3.5, **AVERAGED)


@pytest.mark.parametrize("kind", ["equal", "output"])
def test_averages_are_linear_and_within_what_is_averaged(links, numbers, kind):
    requirements, output = numbers
    weights = weights_of(links, kind, output)
    other = requirements.iloc[::-1].set_axis(requirements.index)
    for mean in (lambda frame: to_sic(frame, weights), lambda frame: to_sectors(frame, output)):
        np.testing.assert_allclose(mean(2.0 * requirements + other), 2.0 * mean(requirements) + mean(other), **AVERAGED)
        assert (mean(requirements).max() <= requirements.max()).all()
        assert (mean(requirements).min() >= requirements.min()).all()


def test_the_order_of_industries_does_not_matter(links, numbers):
    requirements, output = numbers
    turned = requirements.iloc[::-1]
    pd.testing.assert_frame_equal(to_sic(turned, links.weights()), to_sic(requirements, links.weights()))
    # Sums in another order differ by rounding.
    pd.testing.assert_frame_equal(to_sectors(turned, output), to_sectors(requirements, output), rtol=1e-12)


def test_output_weights_do_not_hang_on_the_unit(links, numbers):
    output = numbers[1]
    np.testing.assert_allclose(links.weights("output", 1e6 * output), links.weights("output", output), **AVERAGED)


def test_output_is_spread_and_not_made(links, numbers):
    """Output of an industry goes to SIC industries once, all of it where nothing but manufacturing is linked to it."""
    output = numbers[1]
    parts = links.links.groupby("bea")["output_share"].sum()
    assert parts.max() <= 1.0 + 1e-12
    for code in ("335911", "332999", "324110"):  # all their NAICS codes come from manufacturing only
        assert parts[code] == pytest.approx(1.0, rel=1e-12)
    assert links.output(output).sum() == pytest.approx((parts * output).sum(), rel=1e-12)


@pytest.mark.parametrize(
    ("sic", "expected"),
    [
        ("3519", {"333618": 1 / 2, "336390": 1 / 2}),
        ("3585", {"333415": 1 / 2, "336390": 1 / 2}),
        ("3292", {"327999": 1 / 3, "3363A0": 1 / 3, "336350": 1 / 3}),
        ("3691", {"335911": 1.0}),
        ("3363", {"331520": 1.0}),  # nonferrous castings, whose list of codes repeats that of iron and steel
        (
            "3714",
            {"336211": 1 / 7, "336310": 1 / 7, "336320": 1 / 7, "3363A0": 2 / 7, "336350": 1 / 7, "336390": 1 / 7},
        ),
    ],
)
def test_links_that_the_slides_show(links, sic, expected):
    row = links.weights().loc[sic]
    assert row[row > 0.0].to_dict() == pytest.approx(expected, rel=1e-12)


def test_names_are_clean(links):
    names = links.descriptions
    assert names["3292"] == "Asbestos Products"
    assert names["3263"] == "Fine Earthenware (Whiteware) Table and Kitchen Articles"
    assert names.is_unique
    assert not names.str.contains(r"except .*\)").any()


def test_industries_linked_to_others(links):
    assert links.linked_to(["3691"]) == ("3691",)
    assert {"3519", "3585", "3714"} <= set(links.linked_to(["3519"]))
    with pytest.raises(LabelError, match="9999"):
        links.linked_to(["9999"])


def test_a_product_of_one_industry_alone(links):
    """The code it comes from is the mean of product and of the SIC industry's part of the rest; nothing else changes."""
    split = links.with_product("magnets", "332999", "3499", 400.0, 12000.0)
    weights, before = split.weights(), links.weights()
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, **AVERAGED)
    rest = links.links.set_index(["sic", "bea"]).loc[("3499", "332999"), "output_share"] * 12000.0
    row = weights.loc["3499"]
    assert row["magnets"] == pytest.approx(400.0 / (400.0 + rest) / 7.0, rel=1e-12)
    assert row["magnets"] + row["332999"] == pytest.approx(1.0 / 7.0, rel=1e-12)
    pd.testing.assert_frame_equal(weights.drop(index="3499")[before.columns], before.drop(index="3499"))
    assert weights["magnets"].gt(0.0).sum() == 1
    # Weighted by output, the two weigh what they make.
    output = pd.Series(10.0, index=before.columns)
    by_output = split.weights("output", pd.concat([output, pd.Series({"magnets": 40.0})])).loc["3499"]
    assert by_output["magnets"] / by_output["332999"] == pytest.approx(40.0 / (rest / 12000.0 * 10.0), rel=1e-12)


def test_a_product_without_a_place_is_refused(links):
    with pytest.raises(LabelError, match="SIC 3691 is not linked to industry 332999"):
        links.with_product("magnets", "332999", "3691", 1.0, 1.0)
    with pytest.raises(DataError, match="not 0 and 1"):
        links.with_product("magnets", "332999", "3499", 0.0, 1.0)


def test_a_stand_in_for_an_industry_that_is_no_commodity(links, numbers):
    requirements = numbers[0].drop(index="331314")
    by_primary = to_sic(requirements, links.weights())
    both = pd.concat([requirements, requirements.loc[["331313"]].set_axis(["331314"])])
    np.testing.assert_allclose(by_primary, to_sic(both, links.weights()), **AVERAGED)
    with pytest.raises(LabelError, match="331314"):
        to_sic(requirements, links.weights(), stand_ins={})


def csv(folder: Path, name: str, *rows: str) -> None:
    (folder / name).write_text("\n".join(rows) + "\n", encoding="utf-8")


@pytest.fixture
def small(tmp_path):
    """Two manufacturing industries and one in trade; a code cut up, one merged, one that leads nowhere."""
    csv(
        tmp_path, "sic1987_naics2002.csv", "sic1987,sic_title,naics2002,naics2002_title",
        '2011,"Meat (fresh)",311111,Meat', '2011,"Meat (smoked)",311112,Ham', "3999,Things,339999,Things",
        "3999,Things,311112,Ham", "3998,Lost,399999,Lost", "5411,Shops,311112,Ham",
    )  # fmt: skip
    csv(
        tmp_path, "naics2007_naics2002.csv", "naics2007,naics2007_title,naics2002,naics2002_title",
        "311111,Meat,311111,Meat - except pet food", "311999,Food,311111,Meat - pet food", "311112,Ham,311112,Ham",
        "339981,Toys,339999,Things - toys", "339997,Pens,339999,Things - pens", "399999,Lost,399999,Lost",
    )  # fmt: skip
    codes = ("311111", "311112", "311999", "339981", "339997", "399999")
    csv(
        tmp_path, "naics2012_naics2007.csv", "naics2012,naics2012_title,naics2007,naics2007_title",
        *(f"{code},A,{code},A" for code in codes),
    )  # fmt: skip
    csv(
        tmp_path, "bea2012_naics2012.csv", "BEA2012,NAICS2012_6d", "311100,311111", "311100,311112", "311900,311999",
        "339980,339981", "3399A0,339981", "3399A0,339997",
    )  # fmt: skip
    return tmp_path


def test_links_by_hand(small):
    """Remainders take all, codes without one are halved, a code listed twice belongs to its own digits, none is lost."""
    frame = build_links(small)
    found = {(row.sic, row.naics2002, row.bea): (row.share, row.output_share) for row in frame.itertuples()}
    # 311100 gets two whole codes; of ham, one of three SIC industries is in trade.
    assert found == {
        ("2011", "311111", "311100"): (1.0, 1 / 2),
        ("2011", "311111", "311900"): (0.0, 0.0),
        ("2011", "311112", "311100"): (1.0, pytest.approx(1 / 6)),
        ("3998", "399999", ""): (0.0, 0.0),
        ("3999", "311112", "311100"): (1.0, pytest.approx(1 / 6)),
        ("3999", "339999", "339980"): (0.5, 1.0),
        ("3999", "339999", "3399A0"): (0.5, 1.0),
    }
    assert dict(zip(frame["sic"], frame["description"], strict=True)) == {
        "2011": "Meat",
        "3998": "Lost",
        "3999": "Things",
    }
    links = SicMap(frame)
    assert links.unlinked == ("3998",)
    equal = links.weights().loc["3999"]
    assert equal.to_dict() == pytest.approx({"311100": 1 / 2, "339980": 1 / 4, "3399A0": 1 / 4})
    output = pd.Series({"311100": 60.0, "339980": 6.0, "3399A0": 4.0})
    by_output = links.weights("output", output).loc["3999"]
    assert by_output.to_dict() == pytest.approx({"311100": 10 / 20, "339980": 6 / 20, "3399A0": 4 / 20})
    assert links.output(output).to_dict() == pytest.approx({"2011": 40.0, "3999": 20.0})


def test_links_come_back_from_their_file(small, tmp_path):
    file = write_links(small, tmp_path / "links.csv")
    pd.testing.assert_frame_equal(read_links(file).links, build_links(small), check_exact=True)


def test_what_is_wrong_with_a_file_of_links_is_told(tmp_path):
    head = "sic,description,naics2002,bea,share,output_share"
    cases = {
        (head, "2011,Meat,311111,311100,1,much"): "row 2, column 'output_share': 'much'",
        (head, "2011,Meat,311111,311100,2,1"): "share of SIC 2011",
        (head, *["2011,Meat,311111,311100,1,1"] * 2): "2011, 311111, 311100 stands twice",
        ("sic,description", "2011,Meat"): "no column naics2002, bea, share, output_share",
    }
    for rows, message in cases.items():
        csv(tmp_path, "links.csv", *rows)
        with pytest.raises(DataError, match=message):
            read_links(tmp_path / "links.csv")
    with pytest.raises(DataError, match="no such file"):
        build_links(tmp_path)


def test_averages_that_cannot_be_taken_are_refused(links, numbers):
    requirements, output = numbers
    with pytest.raises(DataError, match="equal or output"):
        links.weights("sales")
    with pytest.raises(DataError, match="need the output"):
        links.weights("output")
    with pytest.raises(LabelError, match="335911"):
        links.weights("output", output.drop("335911"))
    with pytest.raises(DataError, match="335911 is -1"):
        links.weights("output", output.where(output.index != "335911", -1.0))
    with pytest.raises(DataError, match="SIC 3691"):
        links.weights("output", output.where(output.index != "335911", 0.0))
    with pytest.raises(LabelError, match="335911"):
        to_sic(requirements.drop(index="335911"), links.weights())
    missing = requirements.copy()
    missing.loc["335911", "Dy"] = np.nan
    with pytest.raises(DataError, match="335911"):
        to_sic(missing, links.weights())
    with pytest.raises(DataError, match="335911"):
        to_sectors(missing, output)
    with pytest.raises(DataError, match="sector TRA"):
        to_sectors(requirements, output.where(~output.index.str.startswith("336"), 0.0))


def test_sectors_are_those_of_the_model(links, numbers):
    sectors = sectors_of(sorted(set(links.links["bea"])))
    world = tables.embedded().sectors.codes
    assert set(sector_prefixes().values()) == set(world)
    assert [sector for sector in world if sector in set(sectors)] == list(to_sectors(*numbers).index)
    expected = {
        "335911": "ELE", "335221": "MAC", "333316": "ELE", "333611": "MAC", "339112": "ELE", "339920": "FUR",
        "324110": "MIN", "511110": "WOO", "113000": "AGR", "3363A0": "TRA", "332999": "MET", "325180": "CHE",
    }  # fmt: skip
    assert sectors_of(expected).to_dict() == expected


def test_sector_means_by_hand():
    requirements = pd.DataFrame({"La": [1.0, 4.0, 7.0]}, index=["336111", "336112", "311111"])
    output = pd.Series([3.0, 1.0, 5.0], index=requirements.index)
    assert to_sectors(requirements, output)["La"].to_dict() == {"FOO": 7.0, "TRA": 7.0 / 4.0}
    assert to_sectors(requirements, output, {"3": "A", "3361": "B"})["La"].to_dict() == {"A": 7.0, "B": 7.0 / 4.0}


def test_codes_without_a_sector_are_refused(tmp_path):
    with pytest.raises(LabelError, match="999999"):
        sectors_of(["335911", "999999"])
    csv(tmp_path, "sectors.csv", "prefix,sector,reason", "33,MAC,machines", "33,ELE,or not")
    with pytest.raises(DataError, match="row 3: prefix 33 stands twice"):
        sector_prefixes(tmp_path / "sectors.csv")


@pytest.mark.shared
@needs_raw
def test_shipped_links_are_those_of_the_source():
    pd.testing.assert_frame_equal(read_links(LINKS).links, build_links(Path(RAW) / "concordance"), check_exact=True)


@pytest.mark.shared
@needs_raw
def test_every_industry_of_the_benchmark_table_has_one_sector(links):
    for kind, count in (("Industry", 405), ("Commodity", 405)):
        file = Path(RAW) / "bea2012" / f"Detail_{kind}CodeName_2012.csv"
        codes = [code for (code,) in read_table(file, (f"BEA_2012_Detail_{kind}_Code",))]
        sectors = sectors_of(codes)
        assert len(sectors) == count
        assert set(sectors) == set(tables.embedded().sectors.codes)
        used = {prefix for prefix in sector_prefixes() if any(code.startswith(prefix) for code in codes)}
        assert used == set(sector_prefixes())
        assert set(links.weights().columns) - set(codes) == ({"331314"} if kind == "Commodity" else set())
