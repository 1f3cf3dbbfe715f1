"""The exercises end to end: exports as shipped, patents simulated, and panels of a user's."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reesim.empirics.panels.exports import exports_panel, sensitivity
from reesim.empirics.regress import exercise
from reesim.empirics.regress.report import Report
from reesim.errors import DataError, InputError

pytest.importorskip("pyfixest", reason="the extra empirics is not installed")


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Report:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exercise, "MANY_INDUSTRIES", 3)
        return exercise.run_exports(tmp_path_factory.mktemp("exports"), draws=200, figures=False)


@pytest.fixture(scope="module")
def patents(tmp_path_factory: pytest.TempPathFactory) -> Report:
    with (
        pytest.MonkeyPatch.context() as patch,
        np.errstate(all="ignore"),
    ):  # the drawing library divides by zero on purpose
        patch.setattr(exercise, "MANY_INDUSTRIES", 2)
        return exercise.run_patents(tmp_path_factory.mktemp("patents"), draws=5)


def test_exports_of_the_united_states_by_hand(exports: Report) -> None:
    """Least squares with 14 + 16 dummies and a clustered sandwich, from the panel itself."""
    frame = exports_panel().frame
    frame = frame[(frame["country"] == "USA") & frame["growth"].notna()]
    term = frame["industry"].map(sensitivity()).to_numpy(dtype=float) * (frame["year"] >= 2010)
    dummies = pd.get_dummies(frame[["industry", "year"]].astype(str), dtype=float).to_numpy()
    residual = [
        v - dummies @ np.linalg.lstsq(dummies, v, rcond=None)[0] for v in (term.to_numpy(), frame["growth"].to_numpy())
    ]
    x, y = residual
    beta = float(x @ y / (x @ x))
    scores = pd.Series(x * (y - beta * x)).groupby(frame["industry"].to_numpy()).sum()
    error = np.sqrt(14 / 13 * 223 / (224 - 1 - 16) * np.square(scores).sum()) / (x @ x)
    fit = exports.blocks[0].fits["USA"]
    assert (fit.observations, fit.clusters) == (224, 14)
    assert fit.coefficients[0] == pytest.approx(beta, rel=1e-7)
    assert fit.std_errors[0] == pytest.approx(error, rel=1e-7)


def test_what_exports_say(exports: Report) -> None:
    """The numbers of docs/regressions.md; they move only with the panel or the shipped sensitivity."""
    main, difference = exports.blocks
    told = {group: f"{fit.coefficients[0]:.3f} ({fit.std_errors[0]:.3f})" for group, fit in main.fits.items()}
    page = (Path(__file__).parents[1] / "docs" / "regressions.md").read_text(encoding="utf-8").replace("−", "-")
    for group in ("NONCHN", "USA", "EUR", "JPN", "ALL", "CHN"):
        assert told[group] in page, group
    for group, fit in difference.fits.items():
        assert f"{fit.coefficients[0]:.3f} ({fit.std_errors[0]:.3f})" in page, group
    before = next(study for study in exports.events if study.design.group == "NONCHN").before
    assert before is not None
    assert before.p < 1e-10


def test_estimates_stand_beside_the_slides(exports: Report) -> None:
    with exports.files[0].open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    (main,) = (
        row
        for row in rows
        if row["group"] == "NONCHN" and row["outcome"] == "annualised growth" and row["term"] == "sensitivity x post"
    )
    assert (main["deck_estimate"], main["deck_std_error"], main["estimator"]) == ("0.88", "0.254", "OLS")
    assert {row["exercise"] for row in rows} == {"exports"}
    assert any(row["term"] == "sensitivity x 1999" for row in rows)
    assert any(row["term"] == "sensitivity x post, per standard deviation: without c12" for row in rows)


def test_files_that_are_named_are_there(exports: Report, patents: Report) -> None:
    for report in (exports, patents):
        assert all(file.stat().st_size > 200 for file in report.files)
        assert len({file.name for file in report.files}) == len(report.files)
    assert sum(file.suffix == ".png" for file in patents.files) == 4


def test_simulated_patents_say_so_everywhere(patents: Report) -> None:
    assert patents.exercise == "patents, simulated"
    assert all(row.exercise == "patents, simulated" for row in patents.estimates)
    for file in patents.files:
        if file.suffix in (".md", ".tex", ".html"):
            assert "simulated" in file.read_text(encoding="utf-8").casefold()
    assert "SIMULATED" in patents.lines()[0]


def test_model_patents_answer_outside_china_and_not_inside(patents: Report) -> None:
    """The sign of the model's direction of technology, (8): its sensitive sectors have ε below one."""
    fits = patents.blocks[0].fits
    assert fits["NONCHN"].coefficients[0] > 0.0
    assert fits["CHN"].coefficients[0] < 0.0


def test_lines_name_groups_and_dropped_rows(exports: Report) -> None:
    text = "\n".join(exports.lines())
    assert "Rows dropped: NONCHN 681 missing, 1 singletons, 0 separated" in text
    assert "7.4 % per standard deviation beside 15.46" in text
    assert "without 2009 and 2010" in text


def write_panel(file: Path, kind: str, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    place, industry, outcome = {"exports": ("country", "industry", "value"), "patents": ("region", "sic", "count"),
                                "productivity": ("country", "industry", "level")}[kind]  # fmt: skip
    codes = ("3691", "3714", "3511", "2011", "3674")
    keys = pd.MultiIndex.from_product(
        [("CHN", "JPN", "USA"), codes, range(2005, 2014)], names=[place, industry, "year"]
    )
    frame = keys.to_frame(index=False).assign(wages=rng.normal(size=135))
    frame[outcome] = rng.poisson(30.0, 135) + 1
    frame.to_csv(file, index=False)
    return file


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few draws of the bootstrap, and one industry left out: the exports as shipped have all."""
    monkeypatch.setattr(exercise, "WILD_DRAWS", 19)
    monkeypatch.setattr(exercise, "MANY_INDUSTRIES", 1)


@pytest.mark.usefixtures("short")
def test_a_users_panels(tmp_path: Path) -> None:
    found = exercise.run_exports(
        tmp_path, write_panel(tmp_path / "e.csv", "exports"), controls=("wages",), draws=20, figures=False
    )
    assert found.blocks[0].fits["NONCHN"].terms == ("sensitivity x post", "wages")
    assert "Growth is computed from column 'value'." in found.lines()
    assert "no rows of group EUR" not in "\n".join(found.lines())  # groups that are not in the panel are not asked for
    grown = exercise.run_productivity(
        tmp_path, write_panel(tmp_path / "p.csv", "productivity"), draws=20, figures=False
    )
    assert grown.estimates[0].exercise == "productivity"
    counted = exercise.run_patents(tmp_path, write_panel(tmp_path / "c.csv", "patents"), draws=3, figures=False)
    assert counted.exercise == "patents"
    assert set(counted.blocks[0].fits) == {"NONCHN", "USA", "JPN", "ALL", "CHN"}


@pytest.mark.usefixtures("short")
def test_all_patents_or_those_that_enhance(tmp_path: Path) -> None:
    panel = write_panel(tmp_path / "c.csv", "patents")
    lines = panel.read_text().splitlines()
    both = tmp_path / "both.csv"
    both.write_text(
        "\n".join(
            [f"{lines[0]},enhancing", *(f"{line},0" if k % 3 else f"{line},1" for k, line in enumerate(lines[1:]))]
        )
    )
    given = exercise.run_patents(tmp_path, both, outcome="count", draws=0, figures=False)
    alone = exercise.run_patents(tmp_path, panel, draws=0, figures=False)
    assert [row.estimate for row in given.estimates] == [row.estimate for row in alone.estimates]
    assert {row.outcome for row in given.estimates if row.estimator == "PPML"} == {"patents"}
    with pytest.raises(InputError, match="the panel has count"):
        exercise.run_patents(tmp_path, panel, outcome="enhancing", draws=0, figures=False)


@pytest.mark.usefixtures("short")
def test_a_users_sensitivity_and_its_mistakes(tmp_path: Path) -> None:
    panel = write_panel(tmp_path / "e.csv", "exports")
    own = tmp_path / "own.csv"
    own.write_text("industry,sensitivity\n3691,1\n3714,2\n3511,4\n")
    found = exercise.run_exports(tmp_path, panel, sensitivity=own, draws=6, figures=False)
    assert any("left out: 2011, 3674" in line for line in found.lines())
    own.write_text("industry,sensitivity\nc1,1\n")
    with pytest.raises(DataError, match="no industry of the panel of exports"):
        exercise.run_exports(tmp_path, panel, sensitivity=own, figures=False)
