"""Figures of the extended table: they say what the tables say, name what is unverified, and nothing in them is cut off."""

from __future__ import annotations

import dataclasses
import math
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from reesim.empirics.iotable import figures
from reesim.empirics.iotable.outputs import Tables, shipped
from reesim.errors import StoreError

PNG = b"\x89PNG\r\n\x1a\n"
FIGURES = ("requirements", "applications", "beside_deck", "ranks")
EDGE = 1.0
"""Pixels by which a letter may stand out: boxes of text are rounded to whole pixels."""


@pytest.fixture(autouse=True)
def _floating_point_faults_are_errors():
    """Not here: the drawing library divides by zero on purpose."""


@pytest.fixture(scope="module")
def tables():
    return shipped()


@pytest.fixture(scope="module")
def drawn(tables):
    return {name: getattr(figures, name)(tables) for name in FIGURES}


def words(figure):
    """Everything written in a figure, lines joined."""
    texts = [text.get_text() for text in figure.findobj(match=lambda artist: hasattr(artist, "get_text"))]
    return " ".join(" ".join(texts).split())


def title(figure):
    return " ".join(figure.texts[0].get_text().split())


def with_frames(tables, drop=(), **frames):
    kept = {name: frame for name, frame in tables.frames.items() if name not in drop}
    return Tables(kept | frames, tables.balance)


def gallium(tables):
    """Tables as they come out for a single element without a table of the slides: one application, no draws."""
    total = tables["total_requirements"][["sic", "description", "All"]].assign(Ga=lambda frame: frame["All"])
    industries = tables["industries"][["industry", "name", "output_usd", "sensitivity", "direct", "All"]]
    applied = tables["applications"][["industry", "name", "magnets"]].rename(columns={"magnets": "circuits"})
    score = tables["sensitivity"][["sic", "description", "sensitivity", "rank"]]
    return with_frames(
        tables, ("beside_deck", "knobs", "implied_by_deck", "moments"), total_requirements=total,
        industries=industries.assign(Ga=industries["All"]), applications=applied, sensitivity=score,
    )  # fmt: skip


@pytest.fixture
def empty(monkeypatch):
    """Figures without anything in them, for tests of files: what is drawn is looked at elsewhere."""
    for name in FIGURES:
        monkeypatch.setattr(figures, name, lambda _: Figure(figsize=(1.0, 1.0)))


@pytest.mark.usefixtures("empty")
class TestWhatIsWritten:
    def test_one_file_a_figure_in_order(self, tables, tmp_path):
        files = figures.draw_all(tables, tmp_path)
        assert [file.name for file in files] == [f"{name}.png" for name in FIGURES]
        assert all(file.read_bytes().startswith(PNG) for file in files)
        assert sorted(file.name for file in tmp_path.iterdir()) == sorted(file.name for file in files)

    def test_another_material_without_draws_has_two(self, tables, tmp_path):
        assert [file.stem for file in figures.draw_all(gallium(tables), tmp_path)] == ["requirements", "applications"]

    def test_what_cannot_be_written_leaves_nothing(self, tables, tmp_path):
        (tmp_path / "requirements.png").mkdir()
        with pytest.raises(StoreError, match=r"requirements\.png"):
            figures.draw_all(tables, tmp_path)
        assert [file.name for file in tmp_path.iterdir()] == ["requirements.png"]


class TestWhatIsSeen:
    @pytest.mark.parametrize("name", FIGURES)
    def test_source_and_what_is_unverified(self, drawn, tables, name):
        said = words(drawn[name])
        assert tables.balance["source"] in said
        assert tables.balance["inputs"] in said
        assert f"prices {tables.balance['choices']['prices']}" in said

    @pytest.mark.parametrize("name", FIGURES)
    def test_nothing_is_cut_off_or_covered(self, drawn, name):
        figure = drawn[name]
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        renderer = canvas.get_renderer()
        heading, *_, foot = (text.get_window_extent(renderer) for text in figure.texts)
        for axis in figure.axes:
            box = axis.get_tightbbox(renderer)
            assert box.x0 > -EDGE
            assert box.x1 < figure.bbox.x1 + EDGE
            assert box.y0 > foot.y1 - EDGE, "the axes cover the source"
            assert box.y1 < heading.y0 + EDGE, "the axes cover the title"
        for box in (heading, foot):
            assert box.x1 < figure.bbox.x1 + EDGE
        assert heading.y1 < figure.bbox.y1 + EDGE
        assert foot.y0 > -EDGE

    def test_cells_of_the_heat_map_are_the_numbers(self, drawn, tables):
        (axis,) = drawn["requirements"].axes
        columns = [label.get_text() for label in axis.get_xticklabels()]
        frame = tables["total_requirements"].head(figures.ROWS)
        assert columns == ["All", *(name for name in frame.columns if name not in ("sic", "description", "All"))]
        values = frame[columns].to_numpy()
        seen = {text.get_position(): text.get_text() for text in axis.texts}
        assert len(seen) == values.size
        for (row, column), value in np.ndenumerate(values):
            shown = float(seen[column, row].replace("−", "-"))
            # Two significant digits, or one where an exponent is written.
            assert shown == pytest.approx(value, rel=0.05 if value >= figures.SMALL else 0.5)

    def test_the_slides_eight_are_marked(self, drawn, tables):
        (axis,) = drawn["requirements"].axes
        marked = {label.get_text().split()[-2] for label in axis.get_yticklabels() if "◆" in label.get_text()}
        first = set(tables["total_requirements"]["sic"].head(figures.ROWS))
        assert marked == set(tables["beside_deck"]["sic"]) & first
        assert marked

    def test_applications_are_largest_first_and_sectors_below(self, drawn, tables):
        (axis,) = drawn["applications"].axes
        codes = [label.get_text().split()[-1] if label.get_text() else "" for label in axis.get_yticklabels()]
        frame = tables["applications"]
        sums = frame.drop(columns="name").set_index("industry").sum(axis=1).sort_values(ascending=False)
        assert codes[: figures.INDUSTRIES] == list(sums.index[: figures.INDUSTRIES])
        assert codes[figures.INDUSTRIES] == ""
        sectors = tables["sectors"].set_index("sector")["total"].drop(["AGR", "SER"])
        # Applications add up to elements: the order by their sum is that of the table of sectors.
        assert codes[figures.INDUSTRIES + 1 :] == list(sectors.sort_values(ascending=False).index)

    def test_beside_the_slides_every_positive_cell_is_a_dot(self, drawn, tables):
        left, right = drawn["beside_deck"].axes
        there = tables["beside_deck"].query("theirs > 0 and ours > 0")
        for line in left.lines:
            if line.get_label() in set(there["element"]):
                cells = there[there["element"] == line.get_label()]
                np.testing.assert_allclose(line.get_ydata(), 1000 * cells["ours"])
        dots = [line for line in right.lines if line.get_marker() == "o"]
        assert sum(len(line.get_ydata()) for line in dots) == tables["knobs"]["level"].notna().sum()

    def test_what_cannot_be_built_is_a_cross(self, drawn, tables):
        _, right = drawn["beside_deck"].axes
        crosses = [line for line in right.lines if line.get_marker() == "x" and len(line.get_ydata())]
        assert sum(len(line.get_ydata()) for line in crosses) == tables["knobs"]["level"].isna().sum()

    def test_intervals_hold_their_medians(self, drawn, tables):
        left, right = drawn["ranks"].axes
        for axis, prefix in ((left, ""), (right, "rank_")):
            bars = np.array(axis.collections[0].get_segments())
            (median,) = (line.get_xdata() for line in axis.lines if line.get_marker() == "|")
            assert (bars[:, 0, 0] <= median).all()
            assert (median <= bars[:, 1, 0]).all()
            np.testing.assert_allclose(median, tables["sensitivity"][f"{prefix}median"].head(figures.ROWS))


class TestTitles:
    def test_requirements_name_the_first(self, drawn, tables):
        first = tables["total_requirements"].iloc[0]
        assert f"(SIC {first['sic']})" in title(drawn["requirements"])

    def test_level_is_that_of_the_choices(self, drawn, tables):
        choices, knobs = tables.balance["choices"], tables["knobs"]
        here = knobs[(knobs["prices"] == choices["prices"]) & (knobs["us_share"] == choices["us_share"])]
        found = re.search(r"at ([\d.]+) times the slides' level", title(drawn["beside_deck"]))
        assert found
        assert float(found[1]) == pytest.approx(float(here["level"].iloc[0]), rel=0.05)  # two digits

    @pytest.mark.parametrize(("swap", "said"), [(False, "The same eight"), (True, "Other industries")])
    def test_whether_the_eight_are_the_slides(self, tables, swap, said):
        frame = tables["sensitivity"]
        eight = set(tables["beside_deck"]["sic"])
        there = frame[frame["sic"].isin(eight)]
        rest = frame[~frame["sic"].isin(eight)]
        order = [rest, there] if swap else [there, rest]
        assert title(figures.beside_deck(with_frames(tables, sensitivity=pd.concat(order)))).startswith(said)

    @pytest.mark.parametrize(("often", "said"), [(1.0, "in all draws"), (0.9, "in 90 % of the draws or more")])
    def test_how_often_the_first_eight_are_the_first(self, tables, often, said):
        frame = tables["sensitivity"].copy()
        frame.loc[frame.index[: figures.TOP], "in_top"] = 1.0
        frame.loc[frame.index[3], "in_top"] = often
        assert said in title(figures.ranks(with_frames(tables, sensitivity=frame)))


class TestOddTables:
    @pytest.mark.parametrize("name", ["requirements", "applications"])
    def test_another_material_has_nothing_of_the_slides(self, tables, name):
        said = words(getattr(figures, name)(gallium(tables)))
        assert "Ga" in said
        assert "rare earths" not in said.casefold()
        assert "slides" not in said
        assert "◆" not in said

    def test_industries_that_need_nothing(self, tables, tmp_path):
        total = tables["total_requirements"].copy()
        elements = [name for name in total.columns if name not in ("sic", "description")]
        total.loc[total.index[1:], elements] = 0.0
        figure = figures.requirements(with_frames(tables, total_requirements=total))
        assert "times as much as the next" not in title(figure)
        cells = [text.get_text() for text in figure.axes[0].texts]
        assert cells.count("0") == (figures.ROWS - 1) * (len(elements))
        figure.savefig(tmp_path / "a.png")

    def test_final_demand_for_commodities(self, tables):
        changed = {
            name: tables[name].rename(columns={"industry": "commodity"}) for name in ("applications", "industries")
        }
        by = dataclasses.replace(tables, frames={**tables.frames, **changed})
        assert title(figures.applications(by)) == title(figures.applications(tables))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (14.24, "14"), (1.0, "1.0"), (0.30, "0.30"), (0.0014, "0.0014"), (4.9e-4, "5e−4"), (99.7, "100")],
)
def test_numbers_have_two_digits(value, text):
    assert figures._number(value) == text
    assert math.isclose(float(text.replace("−", "-")), value, rel_tol=0.05)
