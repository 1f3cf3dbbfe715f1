"""From panels to samples of regression (26), event studies and the same regression otherwise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reesim.empirics.panels.exports import exports_panel
from reesim.empirics.panels.schema import Panel
from reesim.empirics.regress.design import TERM, default_sensitivity, design
from reesim.empirics.regress.event import event_study, term_of
from reesim.empirics.regress.report import Block, block_lines, variant_lines
from reesim.empirics.regress.robustness import (
    alternatives,
    leave_one_out,
    percent,
    read_sensitivity,
    shipped_alternatives,
    variants,
)
from reesim.errors import DataError, LabelError

pytest.importorskip("pyfixest", reason="the extra empirics is not installed")

SENSITIVITY = pd.Series({"c8": 1.0, "c9": 2.0, "c12": 5.0, "c15": 0.0}, name="sensitivity")
YEARS = range(2005, 2014)


def exports(
    effect: float = 0.0, seed: int = 5, countries: tuple[str, ...] = ("CHN", "DEU", "FRA", "JPN", "USA")
) -> Panel:
    """Growth by country, industry and year: effects of either, noise, and `effect` x sensitivity from 2010 on."""
    rng = np.random.default_rng(seed)
    keys = pd.MultiIndex.from_product([countries, SENSITIVITY.index, YEARS], names=["country", "industry", "year"])
    frame = keys.to_frame(index=False)
    after = (frame["year"] >= 2010) * (frame["country"] != "CHN")
    growth = rng.normal(0.0, 0.01, len(frame)) + 0.02 * frame["industry"].map(SENSITIVITY) + 0.001 * frame["year"]
    return Panel(
        "exports", frame.assign(growth=growth + effect * frame["industry"].map(SENSITIVITY) * after), "invented"
    )


def test_the_term_is_sensitivity_after() -> None:
    made = design(exports(), SENSITIVITY, group="NONCHN")
    expected = made.frame["industry"].map(SENSITIVITY) * (made.frame["year"] >= 2010)
    pd.testing.assert_series_equal(made.frame[TERM], expected, check_names=False)
    assert made.sd == pytest.approx(np.std([0, 1, 2, 5], ddof=1))
    assert set(made.frame["country"]) == {"DEU", "FRA", "JPN", "USA"}
    assert made.frame["country x industry"].nunique() == 16
    assert made.frame["country x year"].nunique() == 4 * 9


@pytest.mark.parametrize(("group", "countries"), [("EUR", 2), ("JPN", 1), ("ALL", 5), ("CHN", 1)])
def test_groups(group: str, countries: int) -> None:
    assert design(exports(), SENSITIVITY, group=group).frame["country"].nunique() == countries


def test_an_effect_is_found_where_it_is() -> None:
    panel = exports(effect=0.03)
    abroad, china = (design(panel, SENSITIVITY, group=group).fit() for group in ("NONCHN", "CHN"))
    # 16 clusters, and four in China: within five standard errors, which are 0.001 and 0.002.
    assert abroad.coefficient(TERM) == pytest.approx(0.03, abs=5 * abroad.std_error(TERM))
    assert abs(china.coefficient(TERM)) < 0.01


def test_difference_to_china_by_hand() -> None:
    panel = exports()
    frame = panel.frame.set_index(["country", "industry", "year"])["growth"]
    made = design(panel, SENSITIVITY, group="USA", difference="minus")
    row = made.frame[(made.frame["industry"] == "c12") & (made.frame["year"] == 2011)].iloc[0]
    assert row[made.outcome] == pytest.approx(frame["USA", "c12", 2011] - frame["CHN", "c12", 2011], rel=1e-14)
    assert made.label == "difference to China"
    with pytest.raises(DataError, match="no meaning for group CHN"):
        design(panel, SENSITIVITY, group="CHN", difference="minus")


def test_relative_difference_has_no_value_where_china_has_none() -> None:
    keys = pd.MultiIndex.from_product([("CHN", "JPN"), ("3691", "3714"), (2008, 2011)], names=["region", "sic", "year"])
    frame = keys.to_frame(index=False).assign(count=[0.0, 2, 4, 5, 3, 6, 8, 5])
    made = design(
        Panel("patents", frame, "invented"), pd.Series({"3691": 0.5, "3714": 0.1}), group="JPN", difference="relative"
    )
    values = made.frame.set_index(["sic", "year"])[made.outcome]
    assert np.isnan(values["3691", 2008])
    np.testing.assert_allclose(values[1:], [2.0, 1.0, 0.0], rtol=1e-14)
    assert made.notes == ("1 rows have no difference to China: China has none in that industry and year.",)


def test_industries_without_a_sensitivity_are_counted_and_named() -> None:
    made = design(exports(), SENSITIVITY.drop("c9"), group="JPN")
    assert made.notes == ("9 rows of industries without a sensitivity were left out: c9.",)
    assert set(made.frame["industry"]) == {"c8", "c12", "c15"}


def test_designs_that_cannot_be() -> None:
    panel = exports()
    with pytest.raises(DataError, match="nothing before 2001"):
        design(panel, SENSITIVITY, post=2001)
    with pytest.raises(DataError, match="nothing from 2050 on"):
        design(panel, SENSITIVITY, post=2050)
    with pytest.raises(DataError, match="no industry of the panel"):
        design(panel, pd.Series({"c3": 1.0}))
    with pytest.raises(DataError, match="the same sensitivity"):
        design(panel, pd.Series({"c8": 1.0, "c9": 1.0}))
    with pytest.raises(DataError, match="no rows of group JPN"):
        design(exports(countries=("USA", "CHN")), SENSITIVITY, group="JPN")
    with pytest.raises(LabelError, match="no industry c99"):
        design(panel, SENSITIVITY, without=["c99"])
    with pytest.raises(LabelError, match="no outcome 'value'"):
        design(panel, SENSITIVITY, outcome="value")
    with pytest.raises(DataError, match="more than once"):
        design(panel, pd.concat([SENSITIVITY, SENSITIVITY]))


def test_products_have_their_own_effects_and_industries_the_clusters() -> None:
    frame = exports().frame
    products = pd.concat([frame.assign(product="8501"), frame.assign(product="8502")])
    made = design(Panel("exports", products, "invented"), SENSITIVITY, group="NONCHN")
    assert made.effects == ("country x industry x product", "country x year")
    assert made.fit().clusters == 16
    # The same numbers twice: the coefficient is that of one copy.
    assert made.fit().coefficient(TERM) == pytest.approx(
        design(exports(), SENSITIVITY).fit().coefficient(TERM), rel=1e-8
    )


def test_controls_stand_beside() -> None:
    frame = exports().frame.assign(wages=np.random.default_rng(1).normal(size=180))
    made = design(Panel("exports", frame, "invented", controls=("wages",)), SENSITIVITY)
    assert made.fit().terms == (TERM, "wages")


def test_event_study_averages_to_the_difference() -> None:
    """In a balanced panel by least squares the mean after less the mean before, base year of zero included, is β itself."""
    made = design(exports(effect=0.02), SENSITIVITY)
    study = event_study(made)
    by_year = study.frame().set_index("year")["estimate"]
    assert by_year[2009] == 0.0
    assert by_year.loc[2010:].mean() - by_year.loc[:2009].mean() == pytest.approx(
        made.fit().coefficient(TERM), rel=1e-7
    )
    assert study.years == tuple(year for year in YEARS if year != 2009)


def test_event_study_in_another_base_shifts() -> None:
    made = design(exports(effect=0.02), SENSITIVITY)
    one, other = event_study(made, base=2009), event_study(made, base=2006)
    shift = other.fit.coefficient(term_of(2009))
    assert other.fit.coefficient(term_of(2012)) - shift == pytest.approx(one.fit.coefficient(term_of(2012)), rel=1e-7)
    with pytest.raises(DataError, match="no rows of the base year 1999"):
        event_study(made, base=1999)


def test_trends_before_are_noticed_and_no_trend_is_not() -> None:
    countries = ("AUS", "BRA", "CAN", "IND", "JPN", "KOR", "MEX", "RUS", "TUR", "USA")
    flat = exports(countries=countries)
    years = flat.frame["year"]
    rising = flat.frame["growth"] + 0.01 * flat.frame["industry"].map(SENSITIVITY) * np.minimum(years - 2009, 0)
    trend = Panel("exports", flat.frame.assign(growth=rising), "invented")
    quiet, loud = (event_study(design(panel, SENSITIVITY)).before for panel in (flat, trend))
    assert quiet is not None
    assert loud is not None
    assert (quiet.restrictions, quiet.df) == (4, 39)
    assert quiet.p > 0.01
    assert loud.p < 1e-6


def test_few_clusters_carry_no_joint_test() -> None:
    study = event_study(design(exports(), SENSITIVITY, group="JPN"))
    assert study.before is None
    assert "no joint test of the 4 years before: 4 clusters are too few" in study.lines()[0]


def test_one_industry_less() -> None:
    rows = leave_one_out(exports(), SENSITIVITY, group="JPN")
    assert [row.name for row in rows] == ["without c8", "without c9", "without c12", "without c15"]
    direct = design(exports(), SENSITIVITY, group="JPN", without=["c12"]).fit()
    assert rows[2].fit is not None
    assert rows[2].fit.coefficient(TERM) == direct.coefficient(TERM)


def test_another_scale_of_sensitivity_has_the_same_effect_per_deviation() -> None:
    one, ten = alternatives(exports(0.01), {"one": SENSITIVITY, "ten": 10 * SENSITIVITY + 3})
    np.testing.assert_allclose(one.per_sd, ten.per_sd, rtol=1e-7)


def test_a_deviation_is_one_of_the_industries_that_are_used() -> None:
    """The most sensitive industry has no patents at all: it is in the sample, not in the Poisson regression."""
    codes = dict(zip(("3691", "3714", "3511", "2011"), (5.0, 2.0, 1.0, 0.0), strict=True))
    keys = pd.MultiIndex.from_product([("DEU", "JPN", "USA"), codes, YEARS], names=["region", "sic", "year"])
    frame = keys.to_frame(index=False)
    count = np.random.default_rng(0).poisson(9.0, len(frame)) * (frame["sic"] != "3691")
    panel = Panel("patents", frame.assign(count=count), "invented")
    (row,) = variants(panel, pd.Series(codes), {"all": {}}, "PPML")
    made = design(panel, pd.Series(codes))
    assert row.fit is not None
    assert row.fit.dropped.separated == 3 * len(YEARS)
    assert made.sd == pytest.approx(np.std([5, 2, 1, 0], ddof=1))
    assert made.used(row.fit).sd == pytest.approx(np.std([2, 1, 0], ddof=1))
    assert row.per_sd[0] == pytest.approx(row.fit.coefficient(TERM) * np.std([2, 1, 0], ddof=1))
    block = Block(title="", estimator="PPML", designs={"NONCHN": made}, fits={"NONCHN": row.fit}, reasons={})
    assert block.columns()[0].sd == pytest.approx(np.std([2, 1, 0], ddof=1))
    assert block.estimates()[-1].estimate == pytest.approx(row.per_sd[0])
    # A log point of a count is more than one per cent: 15.46 at 0.0046178 is 7.4 %, as the slides read it, not 7.1.
    assert f"{100 * np.expm1(row.per_sd[0]):.3f}" in block_lines(block)[2]
    assert percent(row.fit, 15.46 * 0.0046178, 0.0)[0] == pytest.approx(7.4, abs=0.001)
    assert f"{100 * np.exp(row.per_sd[0]) * row.per_sd[1]:.3f}" in variant_lines({"all": [row]})[1]


def test_a_variant_that_fails_keeps_its_reason() -> None:
    (row,) = variants(exports(), SENSITIVITY, {"late": {"post": 2050}})
    assert row.fit is None
    assert "nothing from 2050 on" in row.reason
    assert row.estimates() == []
    with pytest.raises(DataError, match="late: not fitted"):
        _ = row.per_sd


def test_shipped_measures_cover_three_codings() -> None:
    wiod = exports_panel()
    assert set(default_sensitivity(wiod).index) == {f"c{number}" for number in range(3, 17)}
    assert set(shipped_alternatives(wiod)) == {"total requirements", "without batteries", "direct purchases"}
    for code, kind in (("3691", "SIC"), ("TRA", "sectors")):
        frame = pd.DataFrame({"region": "JPN", "sic": code, "year": [2008, 2011], "count": 1.0})
        panel = Panel("patents", frame, f"invented, {kind}")
        assert default_sensitivity(panel)[code] > 0.0
        assert all(code in series.index for series in shipped_alternatives(panel).values())
    assert "SER" not in default_sensitivity(panel).index


def test_own_sensitivity_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text("industry,sensitivity\nc8,1\nc9,0.5\n")
    assert read_sensitivity(file).to_dict() == {"c8": 1.0, "c9": 0.5}
    for text, says in (
        ("c8,1\nc8,2", "row 3: industry 'c8' is there twice"),
        ("c8,-1", "row 2: sensitivity -1 is below zero"),
    ):
        file.write_text(f"industry,sensitivity\n{text}\n")
        with pytest.raises(DataError, match=says):
            read_sensitivity(file)
