"""The program that commands are added to, and what they share."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeAlias

import typer

from reesim.cli import output
from reesim.cli.program import application

NAME = "python -m reesim.empirics"
ESTIMATES = "estimates.csv"

app = application(
    "Exit codes: 0 ok, 2 bad input (also a table that is missing or cannot be read), 3 not solved (also an estimate that does "
    "not exist), 4 file trouble (a folder that cannot be written), 130 interrupted. "
    "With --json standard output is one JSON document, also for an error; messages go to standard error."
)

Out: TypeAlias = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Folder of what is written.", readable=False)
]
Figures: TypeAlias = Annotated[bool, typer.Option("--figures/--no-figures", help="Draw figures.")]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Seed: TypeAlias = Annotated[int | None, typer.Option("--seed", metavar="N", min=0, help="Seed of the draws.")]


class Report(Protocol):
    """What every exercise gives back."""

    @property
    def files(self) -> tuple[Path, ...]:
        """What was written."""

    def lines(self) -> list[str]:
        """What the screen shows."""


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Measure and estimate what the model needs: which industries depend on which rare earths, and what follows."""
    if version:
        from reesim import __version__

        output.say(f"reesim {__version__}")
        raise typer.Exit


def given(**options: object) -> dict[str, Any]:
    """Options that the user gave: defaults stand in the library alone."""
    return {name: value for name, value in options.items() if value is not None}


def show(exercise: str, report: Report, as_json: bool) -> None:
    """Show what an exercise found: its lines, or one document with its files and estimates."""
    if not as_json:
        for line in report.lines():
            output.say(line)
        return
    tidy = [file for file in report.files if file.name == ESTIMATES]
    output.say_json(
        {"schema": "reesim.empirics/1", "exercise": exercise, "files": [str(file) for file in report.files],
         "estimates": [row for file in tidy for row in read_estimates(file)]}
    )  # fmt: skip


def read_estimates(file: Path) -> list[dict[str, Any]]:
    """Rows of a tidy file of estimates, numbers as numbers; the slides' empty cells are null."""
    words = ("exercise", "outcome", "estimator", "group", "term")
    counts = ("observations", "clusters")

    def value(name: str, cell: str) -> Any:
        if name in words:
            return cell
        if name in counts:
            return int(cell)
        number = float(cell) if cell else math.nan
        return number if math.isfinite(number) else None

    with file.open(encoding="utf-8", newline="") as stream:
        return [{name: value(name, cell) for name, cell in row.items()} for row in csv.DictReader(stream)]
