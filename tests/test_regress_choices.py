"""What a user may choose in the exercises of regressions, and how they refuse what does not go together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reesim.empirics.panels.schema import Panel, read_panel
from reesim.empirics.regress import exercise
from reesim.empirics.regress.report import Report, block_lines
from reesim.errors import DataError, InputError

pytest.importorskip("pyfixest", reason="the extra empirics is not installed")


def write_panel(file: Path, places: tuple[str, ...] = ("CHN", "JPN"), seed: int = 0) -> Path:
    """Patents of five industries, 2005 to 2013."""
    keys = pd.MultiIndex.from_product(
        [places, ("3691", "3714", "3511", "2011", "3674"), range(2005, 2014)], names=["region", "sic", "year"]
    )
    frame = keys.to_frame(index=False)
    rng = np.random.default_rng(seed)
    frame.assign(count=rng.poisson(30.0, len(frame)) + 1, wages=rng.normal(size=len(frame))).to_csv(file, index=False)
    return file


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A run without draws and figures."""
    folder = tmp_path_factory.mktemp("plain")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(exercise, "MANY_INDUSTRIES", 1)
        return exercise.run_patents(folder, write_panel(folder / "c.csv"), draws=0, figures=False)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """One industry left out, and few orders of sensitivity."""
    monkeypatch.setattr(exercise, "MANY_INDUSTRIES", 1)
    monkeypatch.setattr(exercise, "DRAWS", 19)


@pytest.mark.usefixtures("short")
def test_no_draws_leave_inference_by_draws_out(tmp_path: Path, plain: Report) -> None:
    assert plain.permuted == plain.bootstrapped == {}
    few = exercise.run_exports(tmp_path, _exports(tmp_path / "e.csv"), draws=7, figures=False)
    assert {len(result.draws) for result in few.bootstrapped.values()} == {7}


def test_per_standard_deviation_is_per_cent_of_what_is_relative_and_patents_of_counts(plain: Report) -> None:
    poisson, linear, difference = plain.blocks
    for block, heading, factor in (
        (poisson, "% per s.d.", 100),
        (linear, "per s.d.", 1),
        (difference, "% per s.d.", 100),
    ):
        head, row = block_lines(block)[1:3]
        assert heading in head
        assert ("%" in head) == (factor == 100)
        group, fit = next(iter(block.fits.items()))
        assert f"{factor * fit.coefficients[0] * block.designs[group].sd:12.3f}" in row


@pytest.mark.usefixtures("short")
def test_another_year_is_told_everywhere(tmp_path: Path) -> None:
    found = exercise.run_patents(tmp_path, write_panel(tmp_path / "c.csv"), post=2012, draws=0, figures=False)
    assert {study.base for study in found.events} == {2011}


@pytest.mark.usefixtures("short")
def test_what_is_left_out_is_told(tmp_path: Path, plain: Report) -> None:
    panel = write_panel(tmp_path / "c.csv", ("JPN", "USA"))
    told = "\n".join(exercise.run_patents(tmp_path, panel, controls=("wages",), draws=0, figures=False).lines())
    assert "No rows of China: no differences to China." in told
    assert "Years without a row are left out, not counted as zeros: controls are not known there." in told
    assert "No rows of China" not in "\n".join(plain.lines())


def test_options_that_do_not_go_together(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="controls wages: the panel as shipped has none"):
        exercise.run_exports(tmp_path, controls=("wages",))
    with pytest.raises(InputError, match="controls wages: the panel as shipped has none"):
        exercise.run_patents(tmp_path, controls=("wages",))
    with pytest.raises(InputError, match="the simulated panel has every year"):
        exercise.run_patents(tmp_path, zeros=False)


def test_what_is_wrong_with_all_groups_is_told_once(tmp_path: Path) -> None:
    panel = write_panel(tmp_path / "c.csv")
    with pytest.raises(DataError) as caught:
        exercise.run_patents(tmp_path, panel, post=1990, figures=False)
    assert str(caught.value).count("nothing before 1990: no difference to estimate") == 1


def test_a_note_of_a_panel_stands_once() -> None:
    keys = pd.MultiIndex.from_product(
        [("CHN", "JPN"), ("c3", "c4"), (2009, 2010)], names=["country", "industry", "year"]
    )
    frame = keys.to_frame(index=False).assign(growth=[np.nan, *np.linspace(0.0, 1.0, 7)])
    once = Panel("exports", frame, "made up")
    again = Panel("exports", once.frame, "made up", notes=once.notes)
    assert once.notes == again.notes == ("1 of 8 rows have no growth.",)


def test_a_folder_and_a_misspelt_control_are_told_for_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder"):
        read_panel(tmp_path, "patents")
    panel = write_panel(tmp_path / "c.csv")
    with pytest.raises(DataError, match=r"no column 'wage' \(did you mean 'wages'\?\)"):
        read_panel(panel, "patents", ["wage"])
    with pytest.raises(DataError) as caught:  # 'count' is not the 'country' of another kind of panel
        read_panel(_exports(tmp_path / "e.csv"), "patents")
    assert "is it 'country'" not in str(caught.value)


def _exports(file: Path) -> Path:
    frame = pd.read_csv(write_panel(file), dtype={"sic": str})
    frame.rename(columns={"region": "country", "sic": "industry", "count": "value"}).to_csv(file, index=False)
    return file


@pytest.mark.usefixtures("short")
def test_groups_with_the_same_trouble_share_a_line(tmp_path: Path) -> None:
    file = write_panel(tmp_path / "c.csv", ("CHN", "JPN", "USA"))
    frame = pd.read_csv(file, dtype={"sic": str})
    frame[frame["sic"].isin(["3691", "2011"])].to_csv(file, index=False)
    first = exercise.run_patents(tmp_path, file, draws=0, figures=False).blocks[0]
    assert set(first.fits) == {"NONCHN", "ALL"}
    (line,) = first.refused()
    assert line.startswith("USA, JPN, CHN: not estimated: PPML of count: ")
    assert "2 clusters" in line
