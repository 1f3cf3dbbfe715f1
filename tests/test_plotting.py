"""Figures: they say what the numbers say, carry every warning, name every unit, and skip with a reason."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import synthetic as made

from reesim import observed, plotting
from reesim.errors import InputError, StoreError
from reesim.labels import Labels
from reesim.plotting import style, windows
from reesim.results.compare import compare
from reesim.results.path import Path
from reesim.results.plan import RARE_EARTHS
from reesim.scenario.policy import INSTRUMENTS
from reesim.variables import VARIABLES

PNG = b"\x89PNG\r\n\x1a\n"


def episode(provenance=made.PROVENANCE, rows=40, **changes):
    """Path over the episode: a quota from July 2010 that opens a wedge and turns technology."""
    times = pd.date_range("2009-12-01", periods=rows, freq="MS")
    sizes = {"region": 3, "partner": 3, "sector": 2}
    values = {name: np.ones((rows, *(sizes[axis] for axis in known.axes))) for name, known in VARIABLES.items()}
    active = np.arange(rows) >= 7
    values["welfare"] = np.where(active[:, None], [0.0004, -0.0002, -0.0001], 0.0)
    values["ree_price"] = np.where(active[:, None], [0.5, 2.0, 2.0], 1.0)
    values["ree_mine_price"] = np.where(active, 0.5, 1.0)
    values["ree_wedge"] = np.where(active[:, None], [1.0, 4.0, 4.0], 1.0)
    values["ree_exports"] = np.where(active, 20_000.0, 43_900.0)
    values["policy_quota"] = np.where(active, 20_000 / 43_900, np.nan)
    values["policy_embargo"] = np.full((rows, 3), np.nan)
    ramp = np.clip(np.arange(rows) - 7, 0, None)[:, None] / rows
    values["A_R"][:, :, 0] += ramp * [-0.1, 0.05, 0.04]
    values["A_R"][:, :, 1] -= ramp * [-0.2, 0.07, 0.06]
    values["exports_real"][active] *= np.array([[1.002, 0.999], [0.998, 1.0], [1.0, 1.001]])
    values["residual"] = np.full(rows, 1e-13)
    return Path(times, values | changes, made.REGIONS, made.SECTORS, provenance)


def keeping(path, *names):
    return Path(path.times, {name: path.array(name) for name in names}, path.regions, path.sectors, path.provenance)


def words(figure):
    """Everything written in a figure, lines joined."""
    texts = [text.get_text() for text in figure.findobj(match=lambda artist: hasattr(artist, "get_text"))]
    return " ".join(" ".join(texts).replace(style.NARROW, " ").split())


def title(figure):
    return " ".join(figure.texts[0].get_text().replace(style.NARROW, " ").split())


@pytest.fixture(scope="module")
def figures():
    path = episode()
    fixed = episode(replace(made.PROVENANCE, name="twin"), A_R=np.ones((40, 3, 2)))
    return plotting.standard_set(path, twin=fixed)


def test_the_standard_set_is_whole(figures):
    made_figures, reasons = figures
    assert list(made_figures) == ["prices", "technology", "welfare", "sectors", "gaps", "comparison"]
    assert reasons == {}


def test_every_axis_has_a_unit_and_every_figure_a_source(figures):
    for name, figure in figures[0].items():
        assert figure.texts[-1].get_text().startswith("Source: reesim"), name
        # Panels beside each other share the label of the first.
        outer = [axis for axis in figure.axes if axis.get_subplotspec().is_first_col() or name != "technology"]
        for axis in outer:
            labels = f"{axis.get_ylabel()} {axis.get_xlabel()} {axis.get_title(loc='left')}"
            assert any(unit in labels for unit in ("%", "percentage points", "times the", "tonnes")), (name, labels)


def test_titles_say_what_the_numbers_say(figures):
    made_figures, _ = figures
    assert "up to 2 times the baseline price (2010-07)" in title(made_figures["prices"])
    assert "falls to 0.5 times" in title(made_figures["prices"])
    assert "China gains most, +0.04 % of welfare in 2010-07" in title(made_figures["welfare"])
    assert "Japan loses most, −0.02 % of welfare" in title(made_figures["welfare"])
    assert "towards rare earths most in Transport equipment (Japan +4 %" in title(made_figures["technology"])
    assert "away from them most in Services (Japan −5.6 %" in title(made_figures["technology"])
    assert "falls most in Transport equipment of Japan (−0.2 %)" in title(made_figures["sectors"])
    assert "rises most in Transport equipment of China (+0.2 %)" in title(made_figures["sectors"])
    assert "moved the other way than the model" in title(made_figures["gaps"])
    assert title(made_figures["comparison"]) == "made_up and twin: welfare is the same"


def test_lines_carry_the_numbers_of_the_path(figures):
    path = episode()
    top, middle, bottom = figures[0]["prices"].axes
    drawn = {line.get_label(): line.get_ydata() for axis in (top, bottom) for line in axis.lines}
    assert np.array_equal(drawn["model: inside"][:-1], path.array("ree_mine_price"))
    assert np.array_equal(drawn["model: exports"][:-1], path.array("ree_exports"))
    # The quota is drawn in tonnes of the model's baseline exports.
    assert np.nanmax(drawn["quota"]) == pytest.approx(20_000, rel=1e-12)
    assert np.array_equal(middle.lines[0].get_ydata()[:-1], path.array("ree_wedge")[:, 1])


def test_observed_points_lie_where_they_were_observed(figures):
    path = episode()
    points = observed.overlay(path)
    seen = points[points["variable"] == "ree_mine_price"]["observed"].to_numpy()
    assert len(seen) > 0
    top = figures[0]["prices"].axes[0]
    (marks,) = [line for line in top.lines if line.get_label() == "observed: inside"]
    assert sorted(marks.get_ydata()) == sorted(seen)


def test_quota_windows_are_shaded_from_their_first_to_their_last_day():
    active = np.array([False, True, True, False, True])
    times = pd.date_range("2010-01-01", periods=5, freq="MS")
    days = [[np.datetime64(int(day), "D") for day in window] for window in style.windows(active, style.edges(times))]
    assert days == [
        [np.datetime64("2010-02-01"), np.datetime64("2010-04-01")],
        [np.datetime64("2010-05-01"), np.datetime64("2010-06-01")],
    ]


@pytest.mark.parametrize(
    ("start", "step", "end"),
    [
        ("2010-03-01", "MS", "2010-05-01"),
        ("2010-10-01", "QS", "2011-04-01"),
        ("2011-01-01", "YS", "2013-01-01"),
        ("2010-02-27", "D", "2010-03-01"),
        ("2010-01-04", "7D", "2010-01-18"),
    ],
)
def test_the_last_period_ends_where_the_next_would_begin(start, step, end):
    edges = style.edges(pd.date_range(start, periods=2, freq=step))
    assert np.datetime64(int(edges[-1]), "D") == np.datetime64(end)


WEEKS = """schema: reesim.scenario/1
name: weeks
calendar:
  start: '2009-12-01'
  end: '2013-03-31'
  step: month
policies:
- type: embargo
  start: '2010-09-21'
  end: '2010-11-19'
  destination: JPN
"""


def embargoed(text=WEEKS, rows=40, **changes):
    """Path under an embargo on Japan of the months that the scenario's weeks touch."""
    limit, price = np.full((rows, 3), np.nan), np.array(episode(rows=rows).array("ree_price"))
    limit[9:12, 1] = 0.4
    price[10, 1] = 30.0
    record = replace(made.PROVENANCE, effective_scenario=text)
    return episode(record, rows, policy_embargo=limit, ree_price=price, **changes)


def shaded(axis, colour):
    """First day, and day after the last, of what is shaded in a colour."""
    from matplotlib.colors import to_rgba

    spans = [patch for patch in axis.patches if patch.get_facecolor() == to_rgba(colour)]
    return [
        tuple(str(np.datetime64(int(day), "D")) for day in (span.get_x(), span.get_x() + span.get_width()))
        for span in spans
    ]


def test_an_embargo_is_shaded_on_its_days_where_the_scenario_is_known():
    (known, unknown) = (plotting.welfare(path).axes[0] for path in (embargoed(), embargoed(made.SCENARIO)))
    assert shaded(known, "#f3c9b8") == [("2010-09-21", "2010-11-20")]
    assert shaded(unknown, "#f3c9b8") == [("2010-09-01", "2010-12-01")]


def test_the_axis_ends_where_the_calendar_ends_though_rows_are_left_out():
    path = embargoed()
    rows = [0, 12, 24, 36, 39]
    thin = Path(
        path.times[rows], {name: path.array(name)[rows] for name in path.variables}, path.regions, path.sectors,
        path.provenance,
    )  # fmt: skip
    for figure in (plotting.welfare(path), plotting.welfare(thin), plotting.prices(thin)):
        assert np.datetime64(int(figure.axes[-1].get_xlim()[1]), "D") == np.datetime64("2013-04-01")


def test_the_title_of_prices_names_whom_an_embargo_sets_apart():
    text = title(plotting.prices(embargoed()))
    assert "Users abroad pay on average up to" in text
    assert "Japan under its embargo up to 30 times (2010-10)" in text
    assert "embargo" not in title(plotting.prices(episode()))


def test_a_doubt_about_real_gdp_is_repeated_at_the_foot_of_welfare():
    doubtful = episode(replace(made.PROVENANCE, warnings=("real GDP is not to be read here",)))
    assert "real GDP is to be read with the warning above" in plotting.welfare(doubtful).texts[-1].get_text()
    for path in (episode(), episode(made.UNSTABLE), keeping(doubtful, "welfare")):
        assert "real GDP" not in plotting.welfare(path).texts[-1].get_text()


@pytest.mark.parametrize(
    ("rows", "years"), [(40, [2010, 2011, 2012, 2013]), (360, [2010, 2014, 2018, 2022, 2026, 2030, 2034, 2038])]
)
def test_years_within_the_path_are_marked(rows, years):
    axis = plotting.welfare(episode(rows=rows)).axes[-1]
    ticks = dict(zip(axis.get_xticks(), (label.get_text() for label in axis.get_xticklabels()), strict=True))
    assert list(ticks.values()) == [str(year) for year in years]
    assert [np.datetime64(int(day), "D") for day in ticks] == [np.datetime64(f"{year}-01-01") for year in years]


def test_short_paths_are_marked_with_months():
    axis = plotting.welfare(episode(rows=14)).axes[-1]
    assert len(axis.get_xticks()) >= 3


def test_warnings_stand_in_every_figure():
    path = episode(made.UNSTABLE)
    for name, figure in plotting.standard_set(path, twin=episode())[0].items():
        assert "UNSTABLE equilibrium" in words(figure), name


def test_regions_keep_their_colour_in_every_figure(figures):
    for name in ("technology", "welfare", "comparison"):
        colours = {handle.get_label(): handle.get_color() for handle in figures[0][name].legends[0].get_lines()}
        assert colours["Japan"] == style.REGION_COLOURS["JPN"]
    assert len(set(style.REGION_COLOURS.values())) == 5


@pytest.mark.parametrize("name", ["welfare", "real_gdp", "ree_price", "A_R", "exports", "residual"])
def test_a_path_that_kept_one_variable_never_crashes(name):
    made_figures, reasons = plotting.standard_set(keeping(episode(), name))
    assert set(made_figures) | set(reasons) == {"prices", "technology", "welfare", "sectors", "gaps"}
    assert ("welfare" in made_figures) == (name in ("welfare", "real_gdp"))
    assert all(reasons.values())


def test_skipped_names_what_to_keep():
    reasons = plotting.skipped(keeping(episode(), "welfare", "A_R"))
    assert "A_L" in reasons["technology"]
    assert "output.variables" in reasons["prices"]


def test_a_single_date_and_an_unknown_supplier_are_skipped():
    assert set(plotting.skipped(episode().at("2011"))) == {"prices", "technology", "welfare", "sectors", "gaps"}
    assert "no supplier" in plotting.skipped(episode(), supplier="XXX")["technology"]


def test_fixed_technology_has_no_figure_of_technology():
    path = episode(A_R=np.ones((40, 3, 2)))
    assert "never moves" in plotting.skipped(path)["technology"]


def test_prices_are_drawn_where_the_table_of_gaps_cannot_be_made():
    kept = keeping(episode(), "ree_price", "ree_mine_price", "ree_wedge", "ree_exports")
    made_figures, reasons = plotting.standard_set(kept)
    assert "prices" in made_figures
    assert "ree_use" in reasons["gaps"]


def test_an_embargo_on_one_region_does_not_choose_the_date():
    from reesim.plotting import heat

    path = episode()
    wedge = np.array(path.array("ree_wedge"))
    wedge[3, 1] = 200.0
    assert path.times[heat.widest(episode(ree_wedge=wedge))] >= pd.Timestamp("2010-07-01")


def test_sectors_without_rare_earths_show_no_technology():
    share = np.full((40, 3, 2), 0.004)
    share[:, :, 1] = 0.0
    figure = plotting.sectors(episode(ree_share=share))
    cells = [text.get_text() for text in figure.axes[0].texts]
    assert cells.count("–") == 3


def test_sectors_of_a_given_date():
    figure = plotting.sectors(episode(), date="2011-03")
    assert title(figure).startswith("In 2011-03")
    with pytest.raises(InputError, match="outside this path"):
        plotting.sectors(episode(), date="1999")


def test_the_heat_map_of_an_equilibrium():
    """A static solution is drawn by the same function, from its own changes."""

    class Static:
        regions, sectors, alerts = made.REGIONS, made.SECTORS, ("mind this",)
        scenario, date, technology, choices = "made_up", "2012-01", "endogenous", {"table": "T"}

        def array(self, name):
            return np.full((3, 2), 1.1 if name == "A_R" else 1.0)

        def change(self, name):
            return np.arange(6.0).reshape(3, 2) - 2.0

    figure = plotting.sectors(Static())
    assert len(figure.axes) == 3
    assert "WARNING: mind this" in words(figure)
    assert "technology endogenous" in words(figure)
    with pytest.raises(InputError, match="leave out the date"):
        plotting.sectors(Static(), date="2012")


def test_comparison_of_equal_paths_says_so():
    path = episode()
    assert "is the same" in title(plotting.comparison(compare(path, path)))


def test_comparison_tells_two_of_the_same_name_apart():
    text = made.SCENARIO + "technology: "
    a, b = (episode(replace(made.PROVENANCE, effective_scenario=f"{text}{word}\n")) for word in ("fixed", "endogenous"))
    figure = plotting.comparison(compare(a, b))
    assert "technology fixed" in words(figure)
    assert "technology endogenous" in title(figure)
    assert "A: made_up (technology fixed); B: made_up (technology endogenous)" in words(figure)


def test_gap_chart_rows_are_those_of_the_table_and_the_rest_is_counted():
    gaps = observed.gaps(episode())
    figure = plotting.gap_chart(gaps, most=5)
    (axis,) = figure.axes
    assert len(axis.get_yticklabels()) == 5
    assert gaps["variable"].iloc[0] == "ree_mine_price"
    assert axis.get_yticklabels()[0].get_text().startswith("price inside")
    assert f"the {len(gaps) - 5} rows of the smallest gaps are left out" in words(figure)
    with pytest.raises(InputError, match="at least one"):
        plotting.gap_chart(gaps, most=0)
    with pytest.raises(plotting.Skipped):
        plotting.gap_chart(gaps.iloc[:0])


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0 %"), (-0.012345, "−0.0123 %"), (123.4, "+123 %"), (3.0, "+3 %"), (-0.00001234, "−0.0000123 %")],
)
def test_per_cent_are_written_with_three_digits(value, text):
    assert style.signed(value).replace(style.NARROW, " ") == text


@pytest.mark.parametrize(("value", "text"), [(0.0, "0"), (-0.00008, "−0.00008"), (2.5, "2.5"), (12345.0, "12300")])
def test_marks_along_an_axis_have_no_exponent(value, text):
    assert style.tick(value) == text


def test_files_are_written_under_the_name_of_the_scenario(tmp_path):
    files = plotting.save_all(episode(), tmp_path / "new" / "figures")
    assert [file.name for file in files] == [
        f"made_up_{kind}.png" for kind in ("prices", "technology", "welfare", "sectors", "gaps")
    ]
    assert all(file.read_bytes().startswith(PNG) for file in files)


def test_a_folder_that_cannot_be_made_is_an_error_of_files(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StoreError, match="cannot be written"):
        plotting.save_all(keeping(episode(), "welfare"), tmp_path / "taken")


def test_importing_plotting_loads_no_matplotlib_and_drawing_no_pyplot():
    code = (
        "import sys; from reesim import plotting; assert 'matplotlib' not in sys.modules;"
        "from test_plotting import episode; plotting.welfare(episode());"
        "assert 'matplotlib' in sys.modules; assert 'matplotlib.pyplot' not in sys.modules"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_comparison_names_place_size_and_date():
    other = np.array(episode().array("welfare"))
    other[20, 2] -= 0.001
    changed = episode(replace(made.PROVENANCE, name="other"), welfare=other)
    text = title(plotting.comparison(compare(episode(), changed)))
    assert "other against made_up: welfare differs most in the rest of the world" in text.lower()
    assert "by −0.1 points in 2011-08" in text
    assert "0 points at the end" in text


def test_a_simulated_path_is_drawn_with_its_own_numbers():
    """The price abroad at a wedge of three, 1.29 times the baseline, is the model document's."""
    import reesim

    path = reesim.Simulation("deck_tax").run()
    made_figures, reasons = plotting.standard_set(path)
    assert reasons == {}
    assert "up to 1.29 times the baseline price" in title(made_figures["prices"])
    assert "towards rare earths most in Transport equipment" in title(made_figures["technology"])
    assert "rare-earth shares: deck" in words(made_figures["welfare"])


# --- other worlds -----------------------------------------------------------------------------------------------------------

GOODS = """schema: reesim.scenario/1
name: goods
calendar:
  start: '2009-12-01'
  end: '2013-03-31'
  step: month
calibration:
  table: somewhere/else
policies:
- type: tariff
  start: '2010-06-01'
  file: not_here.csv
- type: iceberg
  start: '2011-01-01'
  end: '2011-12-31'
  factor: 1.1
  importers:
  - R17
"""


def world(regions=20, sectors=30, rows=40, **changes):
    """Path of a world of many regions and sectors without rare earths, whose table and files are not at hand."""
    rng = np.random.default_rng(0)
    labels = [
        Labels(kind, tuple(f"{kind[0].upper()}{k:02d}" for k in range(size)), tuple(f"{kind} {k}" for k in range(size)))
        for kind, size in (("region", regions), ("sector", sectors))
    ]
    moved = rng.standard_normal((1, regions)) * np.linspace(0.0, 0.01, rows)[:, None]
    values = {
        "welfare": moved,
        "ree_use": np.zeros((rows, regions)),
        "ree_price": np.ones((rows, regions)),
        "A_R": np.ones((rows, regions, sectors)),
        "A_L": np.ones((rows, regions, sectors)) + moved[:, :, None],
        "revenue_real": 100.0 + moved[:, :, None] * rng.standard_normal((1, regions, sectors)),
        **changes,
    }
    times = pd.date_range("2009-12-01", periods=rows, freq="MS")
    record = replace(
        made.PROVENANCE, effective_scenario=GOODS, choices={"rare-earth shares": "none: no sector uses them"}
    )
    return Path(times, values, *labels, record)


def test_without_rare_earths_figures_of_them_are_skipped_with_a_reason():
    figures, reasons = plotting.standard_set(world())
    assert set(figures) == {"welfare", "sectors"}
    assert {reasons[name] for name in ("technology", "gaps")} == {"there are no rare earths in this world"}


def test_policies_are_strips_though_table_and_files_are_elsewhere():
    from matplotlib.colors import to_rgba

    axis = plotting.welfare(world()).axes[0]
    assert shaded(axis, windows._STRIPS["tariff"][1]) == [("2010-06-01", "2013-04-01")]
    assert shaded(axis, windows._STRIPS["iceberg"][1]) == [("2011-01-01", "2012-01-01")]
    (tariff,), (iceberg,) = (
        [patch for patch in axis.patches if patch.get_facecolor() == to_rgba(windows._STRIPS[kind][1])]
        for kind in ("tariff", "iceberg")
    )
    assert tariff.get_y() + tariff.get_height() <= iceberg.get_y()  # one above the other
    text = words(plotting.welfare(world()))
    assert "tariffs" in text
    assert "trade costs" in text


def test_every_kind_of_policy_is_drawn_or_shaded():
    drawn = {*windows._STRIPS, "export_tax", "export_quota", "embargo"}
    assert drawn == set(INSTRUMENTS)
    assert {kind for kind, instrument in INSTRUMENTS.items() if instrument.on_rare_earths} == RARE_EARTHS


def test_of_many_regions_the_policys_and_the_largest_movers_have_lines():
    path = world()
    figure = plotting.welfare(path)
    shown = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    regions = [name for name in shown if name.startswith("region ")]
    far = np.abs(path.array("welfare")).max(axis=0)
    largest = {f"region {k}" for k in np.argsort(-far)[:7]}
    assert regions[0] == "region 17"
    assert len(set(regions)) == 8
    assert set(regions) >= largest - {"region 17"}
    assert "12 regions that no policy names and that move less are left out" in words(figure)
    heat = plotting.sectors(path)
    assert len(heat.axes[0].get_xticks()) == 8
    assert len(heat.axes[0].get_yticks()) == 24
    assert "left out: 12 regions that move less and 6 sectors that move less" in words(heat)


def test_paths_of_other_worlds_are_compared_without_rare_earths():
    figure = plotting.comparison(compare(world(), world(welfare=world().array("welfare") * 1.5)))
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["Welfare"]
    assert "12 regions that move less are left out" in words(figure)
    other = {"ree_use": np.ones((40, 20))}
    a, b = world(**other), world(A_L=world().array("A_L") * 2.0, **other)
    headings = [axis.get_title(loc="left") for axis in plotting.comparison(compare(a, b)).axes]
    assert any(heading.startswith("A_R/A_L, sector ") for heading in headings)


def test_a_tariff_alone_draws_no_prices_of_rare_earths():
    record = replace(made.PROVENANCE, effective_scenario=GOODS)
    reasons = plotting.skipped(episode(record))
    assert reasons["prices"] == "no policy of this scenario is on rare earths"
    assert "no policy of this scenario is on them" in reasons["gaps"]
