"""The commands of the exercises: what they ask of the library, what they show, and how they refuse."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from reesim.empirics import cli
from reesim.empirics.cli.program import read_estimates
from reesim.empirics.delta import outputs as delta_outputs
from reesim.empirics.estimates import Estimate, write
from reesim.empirics.iotable import outputs as table_outputs
from reesim.empirics.regress import exercise as regress_exercise
from reesim.empirics.structural import exercise as structural_exercise

RUNNERS = {
    "exports": (regress_exercise, "run_exports"),
    "patents": (regress_exercise, "run_patents"),
    "productivity": (regress_exercise, "run_productivity"),
    "structural": (structural_exercise, "run"),
    "delta": (delta_outputs, "run"),
    "iotable": (table_outputs, "build"),
}


@dataclass
class Told:
    """A report that wrote one file of estimates."""

    files: tuple[Path, ...]

    def lines(self) -> list[str]:
        return ["found", "something"]


def estimate(exercise: str) -> Estimate:
    return Estimate(
        exercise=exercise, outcome="y", estimator="OLS", group="NONCHN", term="x, per standard deviation", estimate=0.5,
        std_error=0.25, observations=12, clusters=3,
    )  # fmt: skip


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    """Calls that reach the library, which does nothing but write one estimate."""
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def standing_for(name: str) -> Callable[..., Told]:
        def run(*args: Any, **options: Any) -> Told:
            calls.append((name, args, options))
            folder = next(arg for arg in args if isinstance(arg, Path))
            return Told((write([estimate(name)], folder / "estimates.csv"),))

        return run

    for name, (module, attribute) in RUNNERS.items():
        monkeypatch.setattr(module, attribute, standing_for(name))
    return calls


def run(*args: object, code: int = 0) -> Any:
    result = CliRunner().invoke(cli.app, [str(arg) for arg in args], prog_name=cli.NAME)
    assert result.exit_code == code, (result.exit_code, result.stdout, result.stderr, result.exception)
    assert isinstance(result.exception, SystemExit | None)
    assert "Traceback" not in result.stderr
    return result


def test_options_that_are_not_given_are_left_to_the_library(asked: list[Any], tmp_path: Path) -> None:
    assert run("exports", "--out", tmp_path / "new").stdout.splitlines() == ["found", "something"]
    assert asked == [("exports", (tmp_path / "new", None), {"figures": True})]


def test_options_arrive(asked: list[Any], tmp_path: Path) -> None:
    words = "--panel mine.csv --control a --control b --outcome count --no-zeros --post 2011 --draws 9 --seed 4"
    run("patents", "--out", tmp_path, *words.split(), "--sensitivity", "s.csv", "--no-figures")
    assert asked == [
        ("patents", (tmp_path, Path("mine.csv")),
         {"zeros": False, "figures": False, "controls": ["a", "b"], "outcome": "count", "post": 2011, "draws": 9, "seed": 4,
          "sensitivity": Path("s.csv")}),
    ]  # fmt: skip


def test_an_instrument_asks_for_two_stages(asked: list[Any], tmp_path: Path) -> None:
    run("structural", "--out", tmp_path, "--panel", "mine.csv", "--instrument", "tax", "--mu", 5, "--delta", 0.1)
    ((_, _, options),) = asked
    chosen = options["specification"]
    assert (chosen.method, chosen.instruments) == ("2SLS", ("tax",))
    assert (chosen.technology.mu, chosen.technology.delta) == (5.0, 0.1)


def test_json_holds_files_and_estimates(asked: list[Any], tmp_path: Path) -> None:
    told = json.loads(run("delta", "--out", tmp_path, "--json").stdout)
    assert told["schema"] == "reesim.empirics/1"
    assert told["files"] == [str(tmp_path / "estimates.csv")]
    (row,) = told["estimates"]
    assert (row["term"], row["estimate"], row["observations"], row["deck_estimate"]) == (
        "x, per standard deviation",
        0.5,
        12,
        None,
    )


def test_all_puts_every_estimate_into_one_file(asked: list[Any], tmp_path: Path) -> None:
    shown = run("all", "--out", tmp_path, "--no-figures").stdout
    names = ["iotable", "exports", "patents", "structural", "delta"]
    assert [name for name, _, _ in asked] == names
    assert [line.removeprefix("== ") for line in shown.splitlines() if line.startswith("==")] == names
    with (tmp_path / "estimates.csv").open(encoding="utf-8", newline="") as stream:
        assert [row["exercise"] for row in csv.DictReader(stream)] == names
    assert len(read_estimates(tmp_path / "estimates.csv")) == len(names)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("productivity",), "--panel"),
        (("structural", "--method", "2SLS"), "instrument"),
        (("structural", "--mu", "1"), "mu"),
        (("exports", "--panel", "nowhere.csv"), "nowhere.csv"),
        (("patents", "--panel", "nowhere.parquet"), "nowhere.parquet"),
        (("delta", "--panel", "nowhere.csv"), "nowhere.csv"),
        (("records", "--file", "nowhere.csv"), "nowhere.csv"),
        (("calls", "--texts", "nowhere"), "nowhere"),
        (("imports", "--file", "nowhere.csv"), "nowhere.csv"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_what_cannot_be_used_is_refused(words: tuple[str, ...], says: str, tmp_path: Path) -> None:
    assert says in run(words[0], "--out", tmp_path, *words[1:], code=2).stderr
